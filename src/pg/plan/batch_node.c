/*
 * batch_node.c - Custom Scan (LmtextBatch): reads rows ahead and says which texts come
 * (pg/service/lookahead.h), to the calls in its target list or to those of a node above.
 *
 * All that a row shows is computed when the row is asked for, by PostgreSQL: privileges, errors,
 * statistics and order are those of the plan without this node. Rows ahead double from one on, so
 * a query that stops early has waited for few of them; the bound that a LIMIT sets is kept.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/explain.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "utils/ruleutils.h"

#include "pg/service/lookahead.h"
#include "pg/plan/plan.h"

#define NODE_NAME "LmtextBatch"

/*
 * Measured: a batch gains little beyond some 250 tokens, and its first row waits for all; a token
 * is taken for four bytes.
 */
#define BATCH_BYTES 1024
/* A text of that many bytes keeps the kernels busy alone. */
#define LONG_BYTES 512
/* Of rows that are held; those of a join may be wide. */
#define HELD_BYTES (1024 * 1024)
#define NO_BOUND INT64CONST(-1)

typedef struct batch_state {
    CustomScanState scan;
    MemoryContext memory; /* of the rows that are held */
    MinimalTuple rows[LMTEXT_LOOKAHEAD_TEXTS];
    int count, at;         /* rows held; the next to be returned */
    int ahead;             /* rows to be held next */
    int64 bound, returned; /* negative: no bound */
    bool ended;            /* the node below has no more */
    int count_texts;
    lmtext_shared *shared;    /* what calls on one encoder share */
    lmtext_lookahead **texts; /* for each text of a call */
    const Node **calls;       /* which; NULL: one of another node */
    AttrNumber *columns;      /* where it is */
} batch_state;

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

/* Parallel workers find it by its name: they load the leader's libraries before they read a plan.
 */
void
lmtext_batch_node_init(void)
{
    if (GetCustomScanMethods(NODE_NAME, true) == NULL)
        RegisterCustomScanMethods(&plan_methods);
}

/* As columns of the node below, which EXPLAIN follows. */
static List *
describe(List *targetlist)
{
    List *columns = NIL;
    ListCell *cell;

    foreach (cell, targetlist) {
        TargetEntry *entry = lfirst_node(TargetEntry, cell);
        Node *value = (Node *)entry->expr;
        Var *column = makeVar(OUTER_VAR, entry->resno, exprType(value), exprTypmod(value),
                              exprCollation(value), 0);

        columns = lappend(columns, makeTargetEntry((Expr *)column, entry->resno, NULL, false));
    }
    return columns;
}

/* As columns of the node itself, as they are. */
static List *
pass_on(List *targetlist)
{
    List *columns = NIL;
    ListCell *cell;

    foreach (cell, targetlist) {
        TargetEntry *entry = flatCopyTargetEntry(lfirst_node(TargetEntry, cell));
        Node *value = (Node *)entry->expr;

        entry->expr = (Expr *)makeVar(INDEX_VAR, entry->resno, exprType(value), exprTypmod(value),
                                      exprCollation(value), 0);
        columns = lappend(columns, entry);
    }
    return columns;
}

Plan *
lmtext_batch_through(Plan *source, List *columns)
{
    CustomScan *scan =
        (CustomScan *)lmtext_batch_node(source, pass_on(source->targetlist), NO_BOUND);

    scan->scan.plan.initPlan = NIL; /* the source keeps them */
    scan->custom_private = lappend(scan->custom_private, columns);
    return &scan->scan.plan;
}

Plan *
lmtext_batch_node(Plan *source, List *targetlist, int64 bound)
{
    CustomScan *scan = makeNode(CustomScan);
    Plan *plan = &scan->scan.plan;

    *plan = *source;
    plan->type = T_CustomScan;
    plan->parallel_aware = plan->async_capable = false;
    plan->targetlist = targetlist;
    plan->qual = NIL;
    plan->lefttree = source;
    plan->righttree = NULL;
    scan->custom_scan_tlist = describe(source->targetlist);
    scan->custom_private = list_make1(makeConst(INT8OID, -1, InvalidOid, sizeof(int64),
                                                Int64GetDatum(bound), false, FLOAT8PASSBYVAL));
    scan->methods = &plan_methods;
    return plan;
}

static Node *
create_state(CustomScan *scan)
{
    batch_state *state = (batch_state *)newNode(sizeof(batch_state), T_CustomScanState);

    state->scan.methods = &state_methods;
    state->bound = DatumGetInt64(linitial_node(Const, scan->custom_private)->constvalue);
    return (Node *)state;
}

/* Columns whose texts are for calls elsewhere, or NIL. */
static List *
lent_columns(const CustomScan *scan)
{
    return list_length(scan->custom_private) > 1 ? (List *)lsecond(scan->custom_private)
                                                 : NIL; /* of integers */
}

/* With a call, where it is known. */
static void
add_column(batch_state *state, const Node *call, int argno, AttrNumber column)
{
    state->calls[state->count_texts] = call;
    state->columns[state->count_texts] = column;
    state->texts[state->count_texts++] =
        lmtext_lookahead_open(call, argno, state->scan.ss.ps.state->es_query_cxt, state->shared);
}

static void
add_columns(batch_state *state, List *texts, List *lent)
{
    int count = list_length(texts) + list_length(lent);
    ListCell *cell;

    state->texts = palloc(count * sizeof *state->texts);
    state->calls = palloc(count * sizeof *state->calls);
    state->columns = palloc(count * sizeof *state->columns);
    foreach (cell, texts) {
        lmtext_batch_text *text = lfirst(cell);

        add_column(state, text->call, text->argno, castNode(Var, text->text)->varattno);
    }
    foreach (cell, lent)
        add_column(state, NULL, 0, (AttrNumber)lfirst_int(cell));
}

static void
begin(CustomScanState *node, EState *estate, int eflags)
{
    batch_state *state = (batch_state *)node;
    Plan *plan = node->ss.ps.plan;

    outerPlanState(node) = ExecInitNode(outerPlan(plan), estate, eflags);
    if (state->bound >= 0)
        ExecSetTupleBound(state->bound, outerPlanState(node));
    state->memory =
        AllocSetContextCreate(estate->es_query_cxt, "lmtext rows ahead", ALLOCSET_DEFAULT_SIZES);
    state->ahead = 1;
    state->shared = lmtext_shared_open(estate->es_query_cxt);
    add_columns(state, lmtext_batch_texts(plan->targetlist), lent_columns((CustomScan *)plan));
}

/* A text in the row in the slot, unless it is long or elsewhere; its size, about. */
static Size
add_text(lmtext_lookahead *ahead, TupleTableSlot *slot, AttrNumber column, int row)
{
    struct varlena *value = (struct varlena *)DatumGetPointer(slot->tts_values[column - 1]);
    Size size;

    if (VARATT_IS_EXTERNAL(value) || VARATT_IS_COMPRESSED(value))
        return BATCH_BYTES;
    size = VARSIZE_ANY_EXHDR(value);
    if (size < LONG_BYTES)
        lmtext_lookahead_add(ahead, (lm_text){VARDATA_ANY(value), size}, row);
    return size;
}

/* A call with a NULL computes no text, of two neither. */
static bool
is_computed(batch_state *state, int text, TupleTableSlot *slot)
{
    for (int i = 0; i < state->count_texts; i++)
        if (slot->tts_isnull[state->columns[i] - 1] &&
            (i == text || (state->calls[i] != NULL && state->calls[i] == state->calls[text])))
            return false;
    return true;
}

/* Texts stay where they are in the rows. */
static Size
add_texts(batch_state *state, MinimalTuple row)
{
    TupleTableSlot *slot = state->scan.ss.ss_ScanTupleSlot;
    Size most = 0;

    ExecForceStoreMinimalTuple(row, slot, false);
    for (int i = 0; i < state->count_texts; i++) {
        if (is_computed(state, i, slot)) {
            Size size = add_text(state->texts[i], slot, state->columns[i], state->count);

            most = Max(most, size);
        }
    }
    return most;
}

static void
forget_rows(batch_state *state)
{
    ExecClearTuple(state->scan.ss.ss_ScanTupleSlot);
    for (int i = 0; i < state->count_texts; i++)
        lmtext_lookahead_clear(state->texts[i]);
    state->count = state->at = 0;
    MemoryContextReset(state->memory);
}

/* How many rows to hold: a row that is tried again alone (EvalPlanQual) has none after it. */
static int
rows_wanted(batch_state *state)
{
    int64 wanted = state->ahead;

    if (state->scan.ss.ps.state->es_epq_active != NULL)
        return 1;
    if (state->bound >= 0)
        wanted = Min(wanted, Max(state->bound - state->returned, 1));
    return (int)wanted;
}

static void
read_rows(batch_state *state)
{
    PlanState *source = outerPlanState(&state->scan);
    int wanted = rows_wanted(state);
    Size held = 0, bytes = 0;

    forget_rows(state);
    while (!state->ended && state->count < wanted && held < HELD_BYTES && bytes < BATCH_BYTES) {
        TupleTableSlot *slot = ExecProcNode(source);
        MemoryContext caller;
        MinimalTuple row;

        if (TupIsNull(slot)) {
            state->ended = true;
            break;
        }
        caller = MemoryContextSwitchTo(state->memory);
        row = ExecCopySlotMinimalTuple(slot);
        MemoryContextSwitchTo(caller);
        LMTEXT_FAULT_POINT("row_ahead");
        state->rows[state->count++] = row;
        held += row->t_len;
        bytes += add_texts(state, row);
    }
    if (state->count > 0)
        InstrCountTuples2(&state->scan.ss.ps, 1);
    state->ahead = Min(2 * state->ahead, LMTEXT_LOOKAHEAD_TEXTS);
}

static TupleTableSlot *
next_row(CustomScanState *node)
{
    batch_state *state = (batch_state *)node;
    ExprContext *context = node->ss.ps.ps_ExprContext;
    TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;

    CHECK_FOR_INTERRUPTS();
    ResetExprContext(context);
    if (state->at == state->count)
        read_rows(state);
    if (state->at == state->count)
        return ExecClearTuple(node->ss.ps.ps_ResultTupleSlot);
    ExecForceStoreMinimalTuple(state->rows[state->at++], slot, false);
    state->returned++;
    context->ecxt_scantuple = slot;
    return node->ss.ps.ps_ProjInfo == NULL ? slot : ExecProject(node->ss.ps.ps_ProjInfo);
}

static void
rescan(CustomScanState *node)
{
    batch_state *state = (batch_state *)node;

    forget_rows(state);
    state->ended = false;
    state->ahead = 1;
    state->returned = 0;
    if (outerPlanState(node)->chgParam == NULL)
        ExecReScan(outerPlanState(node));
}

static void
end(CustomScanState *node)
{
    forget_rows((batch_state *)node);
    ExecEndNode(outerPlanState(node));
}

/* A call as people write it: what was left out at its end stands there as NULL. */
static Node *
as_written(Node *call)
{
    FuncExpr *shown = (FuncExpr *)copyObject(call);

    while (IsA(shown, FuncExpr) && list_length(shown->args) > 1 && IsA(llast(shown->args), Const) &&
           llast_node(Const, shown->args)->constisnull)
        shown->args = list_delete_last(shown->args);
    return (Node *)shown;
}

static void
explain(CustomScanState *node, List *ancestors, ExplainState *es)
{
    Plan *plan = node->ss.ps.plan;
    List *context = set_deparse_context_plan(es->deparse_cxt, plan, ancestors), *shown = NIL;
    bool prefix = es->verbose || LMTEXT_EXPLAINED(es) > 1;
    Node *last = NULL;
    ListCell *cell;

    foreach (cell, lmtext_batch_texts(plan->targetlist)) {
        Node *call = ((lmtext_batch_text *)lfirst(cell))->call;

        if (call != last)
            shown = lappend(shown, deparse_expression(as_written(call), context, prefix, false));
        last = call;
    }
    if (shown != NIL)
        ExplainPropertyList("Calls", shown, es);
    shown = NIL;
    foreach (cell, list_union_int(NIL, lent_columns((CustomScan *)plan))) {
        TargetEntry *entry = list_nth_node(TargetEntry, plan->targetlist, lfirst_int(cell) - 1);

        shown = lappend(shown, deparse_expression((Node *)entry->expr, context, prefix, false));
    }
    if (shown != NIL)
        ExplainPropertyList("Texts", shown, es);
    if (es->analyze && node->ss.ps.instrument != NULL)
        ExplainPropertyFloat("Batches", NULL, node->ss.ps.instrument->ntuples2, 0, es);
}
