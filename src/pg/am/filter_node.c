/*
 * filter_node.c - Custom Scan (LmtextFilter): an index scan by distance that looks only at the
 * places which a bitmap has. The scan asks for the bitmap when it begins, and again when it begins
 * anew; a row that is tried again alone (EvalPlanQual) begins none.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "commands/explain.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif
#include "executor/executor.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"

#include "pg/am/filter.h"
#include "pg/am/search.h"

#define NODE_NAME "LmtextFilter"

typedef struct filter_state {
    CustomScanState scan;
    IndexScanState *order;
    PlanState *bitmap;
    bool rest;
} filter_state;

static Node *create_state(CustomScan *scan);
static void begin(CustomScanState *node, EState *estate, int eflags);
static TupleTableSlot *next_row(CustomScanState *node);
static void end(CustomScanState *node);
static void rescan(CustomScanState *node);
static void explain(CustomScanState *node, List *ancestors, ExplainState *es);

static const CustomScanMethods plan_methods = {NODE_NAME, create_state};
static const CustomExecMethods state_methods = {
    .CustomName = NODE_NAME,
    .BeginCustomScan = begin,
    .ExecCustomScan = next_row,
    .EndCustomScan = end,
    .ReScanCustomScan = rescan,
    .ExplainCustomScan = explain,
};

void
lmtext_filter_node_init(void)
{
    if (GetCustomScanMethods(NODE_NAME, true) == NULL)
        RegisterCustomScanMethods(&plan_methods);
}

/* It passes rows on as the scan below has them. */
Plan *
lmtext_filter_node(List *targetlist, Plan *order, Plan *bitmap, bool rest)
{
    CustomScan *scan = makeNode(CustomScan);

    scan->scan.plan.targetlist = targetlist;
    scan->custom_scan_tlist = copyObject(targetlist);
    scan->custom_plans = list_make2(castNode(IndexScan, order), bitmap);
    scan->custom_private = list_make1_int(rest);
    scan->methods = &plan_methods;
    return &scan->scan.plan;
}

static Node *
create_state(CustomScan *scan)
{
    filter_state *state = (filter_state *)newNode(sizeof(filter_state), T_CustomScanState);

    state->scan.methods = &state_methods;
    state->rest = linitial_int(scan->custom_private) != 0;
    return (Node *)state;
}

static void
begin(CustomScanState *node, EState *estate, int eflags)
{
    filter_state *state = (filter_state *)node;
    const CustomScan *plan = (CustomScan *)node->ss.ps.plan;
    PlanState *rows = ExecInitNode(linitial(plan->custom_plans), estate, eflags);

    state->order = castNode(IndexScanState, rows);
    state->bitmap = ExecInitNode(lsecond(plan->custom_plans), estate, eflags);
    node->custom_ps = list_make2(rows, state->bitmap);
    /* The slots that come are that node's. */
    node->ss.ps.resultops = ExecGetResultSlotOps(rows, &node->ss.ps.resultopsfixed);
    node->ss.ps.resultopsset = true;
}

/* In the executor's memory: what an index keeps from call to call outlives this scan's. */
static TIDBitmap *
read_bitmap(void *argument)
{
    PlanState *node = argument;
    MemoryContext caller = MemoryContextSwitchTo(node->state->es_query_cxt);
    Node *bitmap = MultiExecProcNode(node);

    MemoryContextSwitchTo(caller);
    return castNode(TIDBitmap, bitmap);
}

/* As the node does it itself at its first row, but that it is told where to look. */
static void
open_scan(filter_state *state)
{
    IndexScanState *order = state->order;
    EState *estate = order->ss.ps.state;
    MemoryContext caller = MemoryContextSwitchTo(estate->es_query_cxt);
    const lmtext_place_source source = {read_bitmap, state->bitmap, state->rest};

    order->iss_ScanDesc =
        index_beginscan(order->ss.ss_currentRelation, order->iss_RelationDesc, estate->es_snapshot,
#if PG_VERSION_NUM >= 180000
                        &order->iss_Instrument,
#endif
                        order->iss_NumScanKeys, order->iss_NumOrderByKeys);
    lmtext_scan_at_places(order->iss_ScanDesc, &source);
    if (order->iss_NumRuntimeKeys == 0 || order->iss_RuntimeKeysReady)
        index_rescan(order->iss_ScanDesc, order->iss_ScanKeys, order->iss_NumScanKeys,
                     order->iss_OrderByKeys, order->iss_NumOrderByKeys);
    MemoryContextSwitchTo(caller);
}

static TupleTableSlot *
next_row(CustomScanState *node)
{
    filter_state *state = (filter_state *)node;

    if (state->order->iss_ScanDesc == NULL)
        open_scan(state);
    return ExecProcNode(&state->order->ss.ps);
}

static void
rescan(CustomScanState *node)
{
    ListCell *cell;

    foreach (cell, node->custom_ps) {
        PlanState *child = lfirst(cell);

        if (node->ss.ps.chgParam != NULL)
            UpdateChangedParamSet(child, node->ss.ps.chgParam);
        if (child->chgParam == NULL)
            ExecReScan(child);
    }
}

static void
end(CustomScanState *node)
{
    ListCell *cell;

    foreach (cell, node->custom_ps)
        ExecEndNode(lfirst(cell));
}

/* Places of the last time that the scan began, rows of all times. */
static void
explain(CustomScanState *node, List *ancestors, ExplainState *es)
{
    const IndexScanDescData *scan = ((filter_state *)node)->order->iss_ScanDesc;
    const lmtext_place_set *set =
        es->analyze && scan != NULL && scan->opaque != NULL ? lmtext_scan_places(scan) : NULL;

    if (set == NULL)
        return;
    ExplainPropertyInteger("Places", NULL, (int64)(set->count - set->lossy), es);
    if (set->lossy > 0)
        ExplainPropertyInteger("Lossy Pages", NULL, (int64)set->lossy, es);
    ExplainPropertyInteger("Rows Ranked", NULL, lmtext_scan_effort(scan).reranked, es);
}
