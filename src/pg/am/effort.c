/*
 * effort.c - what a scan has cost: for EXPLAIN (ANALYZE) since PostgreSQL 18, and for the session's
 * last scan in any version.
 */
#include "postgres.h"

#include "access/relscan.h"
#include "catalog/index.h"
#include "commands/explain.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "pg/am/words.h"
#include "pg/glue/init_once.h"
#include "pg/glue/relation.h"

PG_FUNCTION_INFO_V1(lmtext_index_last_scan);

/* ---- The last scan ---- */

static struct {
    Oid index; /* InvalidOid: there has been none */
    char model[NAMEDATALEN * 2 + 16];
    lmtext_effort effort;
} last;

void
lmtext_effort_note(Relation index, const lmtext_effort *effort)
{
    const char *model = lmtext_index_model_option(index);

    last.index = RelationGetRelid(index);
    strlcpy(last.model, model != NULL ? model : "", sizeof last.model);
    last.effort = *effort;
}

/* The numbers tell how many rows there are: only who may see all of them is told. */
static bool
may_be_told(Oid index)
{
    Oid table = IndexGetRelation(index, true);

    return OidIsValid(table) && lmtext_relation_sees_all(table);
}

Datum
lmtext_index_last_scan(PG_FUNCTION_ARGS)
{
    const lmtext_effort *effort = &last.effort;
    bool told = OidIsValid(last.index) && may_be_told(last.index);
    Datum values[] = {ObjectIdGetDatum(last.index),    CStringGetTextDatum(last.model),
                      Int64GetDatum(effort->embedded), Int64GetDatum(effort->rounds),
                      Int64GetDatum(effort->lists),    Int64GetDatum(effort->codes),
                      Int64GetDatum(effort->reranked), Int64GetDatum(effort->postings),
                      Int64GetDatum(effort->skipped)};
    bool nulls[lengthof(values)];
    TupleDesc columns;

    if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
        elog(ERROR, "return type must be a row type");
    memset(nulls, !told, sizeof nulls);
    nulls[1] |= last.model[0] == '\0';
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls)));
}

/* ---- EXPLAIN (ANALYZE) ---- */

#if PG_VERSION_NUM >= 180000
static explain_per_node_hook_type next_explain_hook;

static void
explain_meaning(const lmtext_effort *effort, ExplainState *es)
{
    ExplainPropertyInteger("Lists Probed", NULL, effort->lists, es);
    ExplainPropertyInteger("Codes Scanned", NULL, effort->codes, es);
    ExplainPropertyInteger("Rows Re-ranked", NULL, effort->reranked, es);
    if (effort->embedded > 0)
        ExplainPropertyInteger("Pending Rows Embedded", NULL, effort->embedded, es);
}

static void
explain_words(const lmtext_effort *effort, ExplainState *es)
{
    ExplainPropertyInteger("Postings Read", NULL, effort->postings, es);
    ExplainPropertyInteger("Blocks Skipped", NULL, effort->skipped, es);
}

static void
explain_effort(const IndexScanDescData *scan, ExplainState *es)
{
    const char *model = lmtext_index_model_option(scan->indexRelation);
    lmtext_effort effort = lmtext_scan_effort(scan);

    if (model != NULL)
        ExplainPropertyText("Model", model, es);
    ExplainPropertyInteger("Rounds", NULL, effort.rounds, es);
    if (scan->orderByData[0].sk_strategy == LMTEXT_WORDS_STRATEGY)
        explain_words(&effort, es);
    else
        explain_meaning(&effort, es);
}

static void
explain_node(PlanState *node, List *ancestors, const char *relationship, const char *name,
             ExplainState *es)
{
    const IndexScanDescData *scan =
        IsA(node, IndexScanState) ? ((IndexScanState *)node)->iss_ScanDesc : NULL;

    if (next_explain_hook)
        next_explain_hook(node, ancestors, relationship, name, es);
    if (es->analyze && scan != NULL && scan->opaque != NULL &&
        scan->indexRelation->rd_indam->ambuild == lmtext_am_build)
        explain_effort(scan, es);
}
#endif

void
lmtext_effort_init(void)
{
#if PG_VERSION_NUM >= 180000
    LMTEXT_HOOK(explain_per_node_hook, next_explain_hook, explain_node);
#endif
}
