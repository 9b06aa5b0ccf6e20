/*
 * oracle.c - asking a user's expression about texts; the contract is in oracle.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"

#include "pg/fn/oracle.h"
#include "pg/glue/expr.h"

struct lmtext_oracle {
    SPIPlanPtr plan;
};

#define SELECT_AND "SELECT "

/* Where an error is, in the expression and not in the statement that called us. */
static void
relocate(void *expression)
{
    const int at = geterrposition();

    if (at <= (int)strlen(SELECT_AND))
        return;
    errposition(0);
    internalerrposition(at - (int)strlen(SELECT_AND));
    internalerrquery(expression);
}

/* One expression and nothing else, so that it may stand in parentheses. */
static void
check_expression(const char *expression)
{
    ErrorContextCallback callback = {error_context_stack, relocate, (void *)expression};
    List *targets;

    error_context_stack = &callback;
    targets = lmtext_plain_targets(psprintf(SELECT_AND "%s", expression));
    error_context_stack = callback.previous;
    if (list_length(targets) != 1 || linitial_node(ResTarget, targets)->name != NULL)
        ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR),
                        errmsg("the oracle must be one expression of the word text"),
                        errhint("For example: my.is_refund(text).")));
}

static void
check_type(SPIPlanPtr plan)
{
    const CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(plan));
    Oid type = TupleDescAttr(source->resultDesc, 0)->atttypid;

    if (getBaseType(type) != BOOLOID)
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("the oracle must be boolean"),
                        errdetail("It is of type %s.", format_type_be(type))));
}

/*
 * A generic plan: with a plan for each text, an immutable function would be called while planning.
 * The line break ends a comment at the end of the expression.
 */
lmtext_oracle *
lmtext_oracle_open(const char *expression)
{
    lmtext_oracle *oracle = palloc(sizeof *oracle);
    Oid type = TEXTOID;

    check_expression(expression);
    oracle->plan =
        SPI_prepare_cursor(psprintf("SELECT (%s\n) FROM (SELECT $1 AS text) AS row", expression), 1,
                           &type, CURSOR_OPT_GENERIC_PLAN);
    if (oracle->plan == NULL)
        elog(ERROR, "SPI_prepare_cursor returned %s", SPI_result_code_string(SPI_result));
    check_type(oracle->plan);
    return oracle;
}

/* A set-returning expression may have none or many. */
static void
check_count(uint64 count)
{
    if (count != 1)
        ereport(ERROR, (errcode(ERRCODE_CARDINALITY_VIOLATION),
                        errmsg("the oracle gave " UINT64_FORMAT " answers for a text", count),
                        errhint("It must give one, which may be NULL.")));
}

signed char
lmtext_oracle_ask(const lmtext_oracle *oracle, lm_text text)
{
    Datum value = PointerGetDatum(lmtext_text_from_utf8(text.bytes, text.length));
    int result = SPI_execute_plan(oracle->plan, &value, NULL, false, 0);
    bool null;
    Datum answer;

    if (result != SPI_OK_SELECT)
        elog(ERROR, "SPI_execute_plan returned %s", SPI_result_code_string(result));
    check_count(SPI_processed);
    answer = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null);
    SPI_freetuptable(SPI_tuptable);
    pfree(DatumGetPointer(value));
    return null ? -1 : DatumGetBool(answer);
}
