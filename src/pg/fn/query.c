/*
 * query.c - reading a query of two columns; the contract is in query.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"

#include "pg/fn/query.h"

static SPIPlanPtr prepare(const char *function, const char *query);
static void refuse_statement(const char *function);
static void check_reads_only(const char *function, SPIPlanPtr plan);
static void check_columns(const char *function, TupleDesc row, const lmtext_column columns[2]);
static bool fits(Form_pg_attribute column, lmtext_column_kind kind);
static bool is_text(Oid type, bool or_enum);
static Node *as_vector(Form_pg_attribute column);
static void open_values(lmtext_pairs *pairs, const char *function);
static Node *column_value(Form_pg_attribute column);
static ExprState *compile(Node *conversion);
static NullableDatum value_of(const lmtext_pairs *pairs, uint64 row, int column);
static NullableDatum kept_value(const lmtext_pairs *pairs, uint64 row, int column);
static ArrayType *vector_of(const lmtext_pairs *pairs, uint64 row);
static char *text_of(const lmtext_pairs *pairs, uint64 row, int column);

void
lmtext_pairs_open(lmtext_pairs *pairs, const char *function, const char *query,
                  const lmtext_column columns[2])
{
    SPIPlanPtr plan = prepare(function, query);
    TupleDesc row;

    memset(pairs, 0, sizeof *pairs);
    /* read_only: the snapshot that the caller runs in, and no command of its own. */
    pairs->portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
    pairs->expected = linitial_node(PlannedStmt, pairs->portal->stmts)->planTree->plan_rows;
    row = pairs->portal->tupDesc;
    check_columns(function, row, columns);
    pairs->scratch = CreateStandaloneExprContext();
    if (columns[0].kind == LMTEXT_COLUMN_ANY) {
        open_values(pairs, function);
        return;
    }
    pairs->vectors = !is_text(TupleDescAttr(row, 0)->atttypid, false);
    if (pairs->vectors)
        pairs->convert[0] = compile(as_vector(TupleDescAttr(row, 0)));
    for (int i = 0; i < 2; i++) {
        Oid type = TupleDescAttr(row, i)->atttypid, output;
        bool varlena;

        getTypeOutputInfo(type, &output, &varlena);
        fmgr_info(output, &pairs->output[i]);
        pairs->padded[i] = getBaseType(type) == BPCHAROID;
    }
}

/* The type that both columns become, as `=` and lmtext.accuracy choose it. */
static void
open_values(lmtext_pairs *pairs, const char *function)
{
    TupleDesc row = pairs->portal->tupDesc;
    Node *columns[2] = {column_value(TupleDescAttr(row, 0)), column_value(TupleDescAttr(row, 1))};
    List *both = list_make2(columns[0], columns[1]);

    pairs->values = true;
    pairs->type = select_common_type(NULL, both, NULL, NULL);
    for (int i = 0; i < 2; i++) {
        Node *same =
            OidIsValid(pairs->type)
                ? coerce_to_target_type(NULL, columns[i], exprType(columns[i]), pairs->type, -1,
                                        COERCION_IMPLICIT, COERCE_IMPLICIT_CAST, -1)
                : NULL;

        if (same == NULL)
            ereport(ERROR,
                    (errcode(ERRCODE_DATATYPE_MISMATCH),
                     errmsg("the columns of the query of %s have no common type", function),
                     errdetail("They are of types %s and %s.", format_type_be(exprType(columns[0])),
                               format_type_be(exprType(columns[1]))),
                     errhint("Cast one of them: %s::%s.",
                             quote_identifier(NameStr(TupleDescAttr(row, 0)->attname)),
                             format_type_be(exprType(columns[1])))));
        pairs->convert[i] = compile(same);
    }
    pairs->collation = select_common_collation(NULL, both, true);
    get_typlenbyval(pairs->type, &pairs->length, &pairs->by_value);
}

/* A column's value in an expression: what the context's caseValue holds. */
static Node *
column_value(Form_pg_attribute column)
{
    CaseTestExpr *value = makeNode(CaseTestExpr);

    value->typeId = column->atttypid;
    value->typeMod = column->atttypmod;
    value->collation = column->attcollation;
    return (Node *)value;
}

/* NULL for the value itself. */
static ExprState *
compile(Node *conversion)
{
    if (IsA(conversion, CaseTestExpr))
        return NULL;
    return ExecInitExpr(expression_planner((Expr *)conversion), NULL);
}

/* Parse and analyse; errors of the query are PostgreSQL's own, with the place in it. */
static SPIPlanPtr
prepare(const char *function, const char *query)
{
    SPIPlanPtr plan = SPI_prepare_cursor(query, 0, NULL, CURSOR_OPT_NO_SCROLL);

    if (plan == NULL)
        elog(ERROR, "SPI_prepare_cursor returned %s", SPI_result_code_string(SPI_result));
    check_reads_only(function, plan);
    if (!SPI_is_cursor_plan(plan))
        refuse_statement(function);
    return plan;
}

/* Nothing to fetch from: utility commands, several statements, none. */
static void
refuse_statement(const char *function)
{
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("the query of %s must be a single SELECT", function)));
}

/* PostgreSQL would refuse as well, but speak of a function that should be volatile. */
static void
check_reads_only(const char *function, SPIPlanPtr plan)
{
    ListCell *source, *statement;

    foreach (source, SPI_plan_get_plan_sources(plan)) {
        foreach (statement, ((CachedPlanSource *)lfirst(source))->query_list) {
            Query *query = lfirst_node(Query, statement);

            if (query->commandType == CMD_UTILITY)
                refuse_statement(function);
            if (query->commandType != CMD_SELECT || query->hasModifyingCTE ||
                query->rowMarks != NIL)
                ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                                errmsg("the query of %s must be read-only", function),
                                errdetail("It changes or locks rows.")));
        }
    }
}

/* Number and types, known before the first row is fetched. */
static void
check_columns(const char *function, TupleDesc row, const lmtext_column columns[2])
{
    if (row->natts != 2)
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("the query of %s must have two columns, %s and %s", function,
                               columns[0].role, columns[1].role),
                        errdetail("It returns %d.", row->natts)));
    for (int i = 0; i < 2; i++) {
        Form_pg_attribute column = TupleDescAttr(row, i);

        if (!fits(column, columns[i].kind))
            ereport(ERROR,
                    (errcode(ERRCODE_DATATYPE_MISMATCH),
                     errmsg("column %d of the query of %s, the %s, must be text%s", i + 1, function,
                            columns[i].role,
                            columns[i].kind == LMTEXT_COLUMN_INPUT ? " or a vector" : ""),
                     errdetail("Column \"%s\" is of type %s.", NameStr(column->attname),
                               format_type_be(column->atttypid)),
                     errhint("Cast the column to text: %s::text.%s",
                             quote_identifier(NameStr(column->attname)),
                             columns[i].kind == LMTEXT_COLUMN_INPUT
                                 ? " A vector is of type real[], or of a type with an assignment "
                                   "cast to it."
                                 : "")));
    }
}

static bool
fits(Form_pg_attribute column, lmtext_column_kind kind)
{
    return kind == LMTEXT_COLUMN_ANY || is_text(column->atttypid, kind == LMTEXT_COLUMN_LABEL) ||
           (kind == LMTEXT_COLUMN_INPUT && as_vector(column) != NULL);
}

/* By the category of the type, so that domains and types of extensions take part. */
static bool
is_text(Oid type, bool or_enum)
{
    char category;
    bool preferred;

    get_type_category_preferred(getBaseType(type), &category, &preferred);
    return category == TYPCATEGORY_STRING || (or_enum && category == TYPCATEGORY_ENUM);
}

/* As INSERT would convert the column into one of type real[]; NULL where it would not. */
static Node *
as_vector(Form_pg_attribute column)
{
    return coerce_to_target_type(NULL, column_value(column), column->atttypid, FLOAT4ARRAYOID, -1,
                                 COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
}

int
lmtext_pairs_fetch(lmtext_pairs *pairs, int limit, lmtext_pair *rows)
{
    int count;

    SPI_cursor_fetch(pairs->portal, true, limit);
    count = (int)SPI_processed;
    memset(rows, 0, count * sizeof *rows);
    for (int i = 0; i < count; i++) {
        for (int column = 0; column < 2; column++)
            if (pairs->values)
                rows[i].values[column] = kept_value(pairs, i, column);
            else if (column == 1 || !pairs->vectors)
                rows[i].texts[column] = text_of(pairs, i, column);
        if (pairs->vectors)
            rows[i].vector = vector_of(pairs, i);
        ResetExprContext(pairs->scratch);
    }
    SPI_freetuptable(SPI_tuptable);
    return count;
}

/* A column, converted; in the row or in the scratch context. */
static NullableDatum
value_of(const lmtext_pairs *pairs, uint64 row, int column)
{
    NullableDatum value;

    value.value =
        SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column + 1, &value.isnull);
    if (!value.isnull && pairs->convert[column] != NULL) {
        pairs->scratch->caseValue_datum = value.value;
        pairs->scratch->caseValue_isNull = false;
        value.value =
            ExecEvalExprSwitchContext(pairs->convert[column], pairs->scratch, &value.isnull);
    }
    return value;
}

/* The same to outlive the row. */
static NullableDatum
kept_value(const lmtext_pairs *pairs, uint64 row, int column)
{
    NullableDatum value = value_of(pairs, row, column);

    if (!value.isnull)
        value.value = datumCopy(value.value, pairs->by_value, pairs->length);
    return value;
}

static ArrayType *
vector_of(const lmtext_pairs *pairs, uint64 row)
{
    NullableDatum value = value_of(pairs, row, 0);

    return value.isnull ? NULL : DatumGetArrayTypePCopy(value.value);
}

/* The text form of a column; palloc'd, or NULL. */
static char *
text_of(const lmtext_pairs *pairs, uint64 row, int column)
{
    NullableDatum value = value_of(pairs, row, column);
    char *text;

    if (value.isnull)
        return NULL;
    text = OutputFunctionCall(unconstify(FmgrInfo *, &pairs->output[column]), value.value);
    if (pairs->padded[column]) {
        size_t length = strlen(text);

        while (length > 0 && text[length - 1] == ' ')
            text[--length] = '\0';
    }
    return text;
}

void
lmtext_pairs_close(lmtext_pairs *pairs)
{
    FreeExprContext(pairs->scratch, true);
    SPI_cursor_close(pairs->portal);
}
