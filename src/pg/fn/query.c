/*
 * query.c - reading a query of two columns; the contract is in query.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"

#include "pg/fn/query.h"

static SPIPlanPtr prepare(const char *function, const char *query);
static void refuse_statement(const char *function);
static void check_reads_only(const char *function, SPIPlanPtr plan);
static void check_columns(const char *function, TupleDesc row, const lmtext_column columns[2]);
static bool fits(Oid type, lmtext_column_kind kind);
static bool is_vector(Oid type);
static ArrayType *vector_of(uint64 row);
static char *value_of(const lmtext_pairs *pairs, uint64 row, int column);

void
lmtext_pairs_open(lmtext_pairs *pairs, const char *function, const char *query,
                  const lmtext_column columns[2])
{
    SPIPlanPtr plan = prepare(function, query);

    /* read_only: the snapshot that the caller runs in, and no command of its own. */
    pairs->portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
    check_columns(function, pairs->portal->tupDesc, columns);
    pairs->vectors = columns[0].kind == LMTEXT_COLUMN_INPUT &&
                     is_vector(TupleDescAttr(pairs->portal->tupDesc, 0)->atttypid);
    for (int i = 0; i < 2; i++) {
        Oid type = TupleDescAttr(pairs->portal->tupDesc, i)->atttypid, output;
        bool varlena;

        getTypeOutputInfo(type, &output, &varlena);
        fmgr_info(output, &pairs->output[i]);
        pairs->padded[i] = getBaseType(type) == BPCHAROID;
    }
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
                    errmsg("the query of %s must be one SELECT", function)));
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
                                errmsg("the query of %s must only read", function),
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
                        errdetail("It has %d.", row->natts)));
    for (int i = 0; i < 2; i++) {
        Form_pg_attribute column = TupleDescAttr(row, i);

        if (!fits(column->atttypid, columns[i].kind))
            ereport(ERROR,
                    (errcode(ERRCODE_DATATYPE_MISMATCH),
                     errmsg("column %d of the query of %s, the %s, must be text%s", i + 1, function,
                            columns[i].role,
                            columns[i].kind == LMTEXT_COLUMN_INPUT ? " or real[]" : ""),
                     errdetail("Column \"%s\" is of type %s.", NameStr(column->attname),
                               format_type_be(column->atttypid)),
                     errhint("Cast it: %s::text.", quote_identifier(NameStr(column->attname)))));
    }
}

/* By the category of the type, so that domains and types of extensions take part. */
static bool
fits(Oid type, lmtext_column_kind kind)
{
    char category;
    bool preferred;

    get_type_category_preferred(getBaseType(type), &category, &preferred);
    return kind == LMTEXT_COLUMN_ANY || category == TYPCATEGORY_STRING ||
           (kind == LMTEXT_COLUMN_LABEL && category == TYPCATEGORY_ENUM) ||
           (kind == LMTEXT_COLUMN_INPUT && is_vector(type));
}

static bool
is_vector(Oid type)
{
    return getBaseType(type) == FLOAT4ARRAYOID;
}

int
lmtext_pairs_fetch(lmtext_pairs *pairs, int limit, lmtext_pair *rows)
{
    int count;

    SPI_cursor_fetch(pairs->portal, true, limit);
    count = (int)SPI_processed;
    for (int i = 0; i < count; i++) {
        rows[i].values[0] = pairs->vectors ? NULL : value_of(pairs, i, 0);
        rows[i].values[1] = value_of(pairs, i, 1);
        rows[i].vector = pairs->vectors ? vector_of(i) : NULL;
    }
    SPI_freetuptable(SPI_tuptable);
    return count;
}

static ArrayType *
vector_of(uint64 row)
{
    bool null;
    Datum value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 1, &null);

    return null ? NULL : DatumGetArrayTypePCopy(value);
}

/* The text form of a column; palloc'd, or NULL. */
static char *
value_of(const lmtext_pairs *pairs, uint64 row, int column)
{
    bool null;
    Datum value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column + 1, &null);
    char *text;

    if (null)
        return NULL;
    text = OutputFunctionCall(unconstify(FmgrInfo *, &pairs->output[column]), value);
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
    SPI_cursor_close(pairs->portal);
}
