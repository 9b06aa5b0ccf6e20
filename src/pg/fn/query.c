/*
 * query.c - reading a query of some columns; the contract is in query.h.
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
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"

#include "pg/fn/query.h"

static SPIPlanPtr prepare(const char *function, const char *query);
static void refuse_statement(const char *function);
static void check_reads_only(const char *function, SPIPlanPtr plan);
static void check_columns(const char *function, TupleDesc row, const lmtext_column *columns,
                          int count);
static void open_common(lmtext_query *rows, const char *function);
static Node *column_value(Form_pg_attribute column);
static ExprState *compile(Node *conversion);
static NullableDatum value_of(const lmtext_query *rows, uint64 row, int column);

/* ---- Kinds of columns ---- */

static bool is_text(Oid type, bool or_enum);
static Node *as_type(Form_pg_attribute column, Oid type);
static Node *as_vector(Form_pg_attribute column);
static char *text_of(const lmtext_query *rows, uint64 row, int column);

static bool
fits_input(Form_pg_attribute column)
{
    return is_text(column->atttypid, false) || as_vector(column) != NULL;
}

static bool
fits_label(Form_pg_attribute column)
{
    const Oid type = getBaseType(column->atttypid);

    return is_text(column->atttypid, true) || type == BOOLOID || type == INT2OID ||
           type == INT4OID || type == INT8OID;
}

static bool
fits_text(Form_pg_attribute column)
{
    return is_text(column->atttypid, false);
}

static bool
fits_vector(Form_pg_attribute column)
{
    return !is_text(column->atttypid, false) && as_vector(column) != NULL;
}

/* Whether all are of one type is seen by open_common. */
static bool
fits_any(Form_pg_attribute column)
{
    return true;
}

static void
open_text(lmtext_column_reader *reader, Form_pg_attribute column)
{
    Oid output;
    bool varlena;

    getTypeOutputInfo(column->atttypid, &output, &varlena);
    fmgr_info(output, &reader->output);
    reader->padded = getBaseType(column->atttypid) == BPCHAROID;
}

/* A boolean is called as a cast to text calls it: true or false. */
static void
open_label(lmtext_column_reader *reader, Form_pg_attribute column)
{
    open_text(reader, column);
    if (getBaseType(column->atttypid) == BOOLOID) {
        reader->convert = compile(as_type(column, TEXTOID));
        fmgr_info(F_TEXTOUT, &reader->output);
    }
}

static void
open_input(lmtext_column_reader *reader, Form_pg_attribute column)
{
    reader->is_vector = !is_text(column->atttypid, false);
    if (reader->is_vector)
        reader->convert = compile(as_vector(column));
    else
        open_text(reader, column);
}

static void
open_any(lmtext_column_reader *reader, Form_pg_attribute column)
{
}

static void
fetch_text(const lmtext_query *rows, uint64 row, int column, lmtext_query_field *field)
{
    field->text = text_of(rows, row, column);
}

static void
fetch_input(const lmtext_query *rows, uint64 row, int column, lmtext_query_field *field)
{
    NullableDatum value;

    if (!rows->columns[column].is_vector) {
        fetch_text(rows, row, column, field);
        return;
    }
    value = value_of(rows, row, column);
    field->vector = value.isnull ? NULL : DatumGetArrayTypePCopy(value.value);
}

/* To outlive the row. */
static void
fetch_any(const lmtext_query *rows, uint64 row, int column, lmtext_query_field *field)
{
    field->value = value_of(rows, row, column);
    if (!field->value.isnull)
        field->value.value = datumCopy(field->value.value, rows->by_value, rows->length);
}

/* As INSERT would convert the column; NULL where it would not. */
static Node *
as_type(Form_pg_attribute column, Oid type)
{
    return coerce_to_target_type(NULL, column_value(column), column->atttypid, type, -1,
                                 COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
}

#define KIND_OF_TYPE(name, oid)                                                     \
    static bool fits_##name(Form_pg_attribute column)                               \
    {                                                                               \
        return as_type(column, oid) != NULL;                                        \
    }                                                                               \
    static void open_##name(lmtext_column_reader *reader, Form_pg_attribute column) \
    {                                                                               \
        reader->convert = compile(as_type(column, oid));                            \
    }

KIND_OF_TYPE(number, FLOAT8OID)
KIND_OF_TYPE(whole, INT8OID)
KIND_OF_TYPE(bool, BOOLOID)
KIND_OF_TYPE(numbers, FLOAT8ARRAYOID)
KIND_OF_TYPE(texts, TEXTARRAYOID)

/* Passed by value. */
static void
fetch_plain(const lmtext_query *rows, uint64 row, int column, lmtext_query_field *field)
{
    field->value = value_of(rows, row, column);
}

static void
fetch_array(const lmtext_query *rows, uint64 row, int column, lmtext_query_field *field)
{
    field->value = value_of(rows, row, column);
    if (!field->value.isnull)
        field->value.value = PointerGetDatum(DatumGetArrayTypePCopy(field->value.value));
}

/* What a kind takes, how it is got ready, and how it is read. */
static const struct {
    const char *must; /* be, for messages */
    const char *hint; /* more than that a column can be cast to text; NULL: it is of no use */
    bool (*fits)(Form_pg_attribute column);
    void (*open)(lmtext_column_reader *reader, Form_pg_attribute column);
    void (*fetch)(const lmtext_query *rows, uint64 row, int column, lmtext_query_field *field);
} kinds[] = {
    [LMTEXT_COLUMN_INPUT] = {"text or a vector",
                             " A vector is of type real[], or of a type with an assignment cast "
                             "to it.",
                             fits_input, open_input, fetch_input},
    [LMTEXT_COLUMN_LABEL] = {"text, a whole number or boolean", "", fits_label, open_label,
                             fetch_text},
    [LMTEXT_COLUMN_TEXT] = {"text", "", fits_text, open_text, fetch_text},
    [LMTEXT_COLUMN_VECTOR] = {"a vector", "", fits_vector, open_input, fetch_input},
    [LMTEXT_COLUMN_KEY] = {"of any type", "", fits_any, open_text, fetch_text},
    [LMTEXT_COLUMN_ANY] = {"of any type", "", fits_any, open_any, fetch_any},
    [LMTEXT_COLUMN_NUMBER] = {"a number", NULL, fits_number, open_number, fetch_plain},
    [LMTEXT_COLUMN_WHOLE] = {"a whole number", NULL, fits_whole, open_whole, fetch_plain},
    [LMTEXT_COLUMN_BOOL] = {"boolean", NULL, fits_bool, open_bool, fetch_plain},
    [LMTEXT_COLUMN_NUMBERS] = {"an array of numbers", NULL, fits_numbers, open_numbers,
                               fetch_array},
    [LMTEXT_COLUMN_TEXTS] = {"an array of texts", NULL, fits_texts, open_texts, fetch_array},
};

/* By the category of the type, so that domains and types of extensions take part. */
static bool
is_text(Oid type, bool or_enum)
{
    char category;
    bool preferred;

    get_type_category_preferred(getBaseType(type), &category, &preferred);
    return category == TYPCATEGORY_STRING || (or_enum && category == TYPCATEGORY_ENUM);
}

static Node *
as_vector(Form_pg_attribute column)
{
    return as_type(column, FLOAT4ARRAYOID);
}

/* The text form of a column; palloc'd, or NULL. */
static char *
text_of(const lmtext_query *rows, uint64 row, int column)
{
    NullableDatum value = value_of(rows, row, column);
    char *text;

    if (value.isnull)
        return NULL;
    text = OutputFunctionCall(unconstify(FmgrInfo *, &rows->columns[column].output), value.value);
    if (rows->columns[column].padded) {
        size_t length = strlen(text);

        while (length > 0 && text[length - 1] == ' ')
            text[--length] = '\0';
    }
    return text;
}

/* ---- Starting ---- */

void
lmtext_query_open(lmtext_query *rows, const char *function, const char *query,
                  const lmtext_column *columns, int count)
{
    lmtext_query_start(rows, function, query);
    lmtext_query_bind(rows, function, columns, count);
}

int
lmtext_query_start(lmtext_query *rows, const char *function, const char *query)
{
    SPIPlanPtr plan = prepare(function, query);

    memset(rows, 0, sizeof *rows);
    /* read_only: the snapshot that the caller runs in, and no command of its own. */
    rows->portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
    rows->expected = linitial_node(PlannedStmt, rows->portal->stmts)->planTree->plan_rows;
    return rows->portal->tupDesc->natts;
}

static bool
may_lack(const lmtext_column *column)
{
    return column->optional || column->kind == LMTEXT_COLUMN_VECTOR;
}

void
lmtext_query_bind(lmtext_query *rows, const char *function, const lmtext_column *columns, int count)
{
    TupleDesc row = rows->portal->tupDesc;
    bool any = false;

    while (count > Max(row->natts, 1) && may_lack(&columns[count - 1]))
        count--;
    check_columns(function, row, columns, count);
    rows->scratch = CreateStandaloneExprContext();
    rows->column_count = count;
    for (int i = 0; i < count; i++) {
        rows->columns[i].kind = columns[i].kind;
        kinds[columns[i].kind].open(&rows->columns[i], TupleDescAttr(row, i));
        any |= columns[i].kind == LMTEXT_COLUMN_ANY;
    }
    if (any)
        open_common(rows, function);
}

/* The first column of kind ANY, and the first of another type. */
static void
refuse_types(const lmtext_query *rows, const char *function)
{
    Form_pg_attribute a = NULL, b = NULL;

    for (int i = 0; i < rows->column_count; i++) {
        Form_pg_attribute column = TupleDescAttr(rows->portal->tupDesc, i);

        if (rows->columns[i].kind != LMTEXT_COLUMN_ANY)
            continue;
        if (a == NULL)
            a = column;
        if (b == NULL || b->atttypid == a->atttypid)
            b = column;
    }
    ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                    errmsg("the columns of the query of %s have no common type", function),
                    errdetail("They are of types %s and %s.", format_type_be(a->atttypid),
                              format_type_be(b->atttypid)),
                    errhint("Cast one of them: %s::%s.", quote_identifier(NameStr(a->attname)),
                            format_type_be(b->atttypid))));
}

static bool
open_as_common(lmtext_column_reader *reader, Form_pg_attribute column, Oid type)
{
    Node *value = column_value(column), *same;

    if (!OidIsValid(type))
        return false;
    same = coerce_to_target_type(NULL, value, exprType(value), type, -1, COERCION_IMPLICIT,
                                 COERCE_IMPLICIT_CAST, -1);
    if (same != NULL)
        reader->convert = compile(same);
    return same != NULL;
}

/* The type that all columns of kind ANY become, as `=` and lmtext.accuracy choose it. */
static void
open_common(lmtext_query *rows, const char *function)
{
    TupleDesc row = rows->portal->tupDesc;
    List *all = NIL;

    for (int i = 0; i < rows->column_count; i++)
        if (rows->columns[i].kind == LMTEXT_COLUMN_ANY)
            all = lappend(all, column_value(TupleDescAttr(row, i)));
    rows->type = select_common_type(NULL, all, NULL, NULL);
    for (int i = 0; i < rows->column_count; i++) {
        if (rows->columns[i].kind != LMTEXT_COLUMN_ANY)
            continue;
        if (!open_as_common(&rows->columns[i], TupleDescAttr(row, i), rows->type))
            refuse_types(rows, function);
    }
    rows->collation = select_common_collation(NULL, all, true);
    get_typlenbyval(rows->type, &rows->length, &rows->by_value);
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

/* "two columns, text and label"; "two or three columns, …" where the last may be missing */
static char *
wanted_columns(const lmtext_column *columns, int count)
{
    static const char *const numbers[LMTEXT_COLUMNS_MAX + 1] = {"no",   "one",  "two", "three",
                                                                "four", "five", "six"};
    StringInfoData text;
    int least = count;

    initStringInfo(&text);
    while (least > 1 && may_lack(&columns[least - 1]))
        least--;
    for (int i = least; i < count; i++)
        appendStringInfo(&text, "%s or ", numbers[i]);
    appendStringInfo(&text, "%s column%s", numbers[count], count == 1 ? "" : "s");
    for (int i = 0; i < count; i++)
        appendStringInfo(&text, "%s%s", i > 0 && i == count - 1 ? " and " : ", ", columns[i].role);
    return text.data;
}

/* Number and types, known before the first row is fetched. */
static void
check_columns(const char *function, TupleDesc row, const lmtext_column *columns, int count)
{
    if (row->natts != count)
        ereport(ERROR,
                (errcode(ERRCODE_DATATYPE_MISMATCH),
                 errmsg("the query of %s must have %s", function, wanted_columns(columns, count)),
                 errdetail("It returns %d.", row->natts)));
    for (int i = 0; i < count; i++) {
        Form_pg_attribute column = TupleDescAttr(row, i);

        if (!kinds[columns[i].kind].fits(column))
            ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                            errmsg("column %d of the query of %s, the %s, must be %s", i + 1,
                                   function, columns[i].role, kinds[columns[i].kind].must),
                            errdetail("Column \"%s\" is of type %s.", NameStr(column->attname),
                                      format_type_be(column->atttypid)),
                            columns[i].kind == LMTEXT_COLUMN_VECTOR
                                ? errhint("A vector is of type real[], or of a type with an "
                                          "assignment cast to it.")
                            : kinds[columns[i].kind].hint == NULL
                                ? 0
                                : errhint("Cast the column to text: %s::text.%s",
                                          quote_identifier(NameStr(column->attname)),
                                          kinds[columns[i].kind].hint)));
    }
}

/* ---- Reading ---- */

int
lmtext_query_fetch(lmtext_query *rows, int limit, lmtext_query_row *batch)
{
    MemoryContext caller = CurrentMemoryContext;
    int count;

    SPI_cursor_fetch(rows->portal, true, limit);
    MemoryContextSwitchTo(caller); /* from SPI's own, where it leaves us */
    count = (int)SPI_processed;
    memset(batch, 0, count * sizeof *batch);
    for (int i = 0; i < count; i++) {
        for (int column = 0; column < rows->column_count; column++)
            kinds[rows->columns[column].kind].fetch(rows, i, column, &batch[i].fields[column]);
        ResetExprContext(rows->scratch);
    }
    SPI_freetuptable(SPI_tuptable);
    return count;
}

/* A column, converted; in the row or in the scratch context. */
static NullableDatum
value_of(const lmtext_query *rows, uint64 row, int column)
{
    ExprState *convert = rows->columns[column].convert;
    NullableDatum value;

    value.value =
        SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column + 1, &value.isnull);
    if (!value.isnull && convert != NULL) {
        rows->scratch->caseValue_datum = value.value;
        rows->scratch->caseValue_isNull = false;
        value.value = ExecEvalExprSwitchContext(convert, rows->scratch, &value.isnull);
    }
    return value;
}

void
lmtext_query_close(lmtext_query *rows)
{
    FreeExprContext(rows->scratch, true);
    SPI_cursor_close(rows->portal);
}
