/*
 * jit.c - keeps JIT off where only the cost of lmtext's calls asks for it.
 *
 * JIT starts above a total cost. A forward pass costs much and gains nothing from it, so the plan's
 * cost is estimated once more without lmtext's share when an executor starts with JIT on, and the
 * flags follow from that. The planner's own hook would come too late for the first statement of a
 * backend. A plan is read only (it may be cached): another flag goes into a flat copy of its head.
 *
 * A node without lmtext below it keeps its cost. A node that calls lmtext is priced anew by its
 * rows and its other functions; what lies above gets its own part of the cost on top, or in
 * proportion where that part repeats a child's (Nested Loop its inner side) or takes a fraction of
 * it (Limit).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/parallel.h"
#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "jit/jit.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/syscache.h"

#include "pg/glue/init_once.h"
#include "pg/plan/plan.h"

static ExecutorStart_hook_type previous_start = NULL;

/* One plan's walk. free[i] is the share of subplan i's cost that is not lmtext's, in [0, 1]. */
typedef struct jit_walk {
    PlannedStmt *statement;
    double *free;
} jit_walk;

/* Sum over the subplans of an expression. */
typedef struct subplan_sum {
    jit_walk *walk;
    Cost surplus;
} subplan_sum;

/* Sums over the children of one node. */
typedef struct node_costs {
    Cost total, free;
    double rows; /* of the child that has the most */
} node_costs;

static Cost free_cost(jit_walk *walk, Plan *plan);

static void
add_child(jit_walk *walk, Plan *child, node_costs *costs)
{
    if (child == NULL)
        return;
    costs->total += child->total_cost;
    costs->free += free_cost(walk, child);
    costs->rows = Max(costs->rows, child->plan_rows);
}

static void
add_costs(node_costs *sum, const node_costs *costs)
{
    sum->total += costs->total;
    sum->free += costs->free;
    sum->rows = Max(sum->rows, costs->rows);
}

static void
add_children(jit_walk *walk, List *children, node_costs *costs)
{
    ListCell *cell;

    foreach (cell, children)
        add_child(walk, lfirst(cell), costs);
}

/* Children that hang elsewhere than left and right. */
static void
add_other_children(jit_walk *walk, Plan *plan, node_costs *costs)
{
    switch (nodeTag(plan)) {
    case T_Append:
        add_children(walk, ((Append *)plan)->appendplans, costs);
        break;
    case T_MergeAppend:
        add_children(walk, ((MergeAppend *)plan)->mergeplans, costs);
        break;
    case T_SubqueryScan:
        add_child(walk, ((SubqueryScan *)plan)->subplan, costs);
        break;
    case T_CustomScan:
        add_children(walk, ((CustomScan *)plan)->custom_plans, costs);
        break;
    default:
        break;
    }
}

/* The relation that a node scans, or InvalidOid. */
static Oid
scanned_relation(jit_walk *walk, Plan *plan)
{
    RangeTblEntry *entry;
    Index scanned;

    switch (nodeTag(plan)) {
    case T_SeqScan:
    case T_SampleScan:
    case T_IndexScan:
    case T_BitmapHeapScan:
    case T_TidScan:
    case T_TidRangeScan:
        scanned = ((Scan *)plan)->scanrelid;
        break;
    default:
        return InvalidOid;
    }
    entry = rt_fetch(scanned, walk->statement->rtable);
    return entry->rtekind == RTE_RELATION ? entry->relid : InvalidOid;
}

/* What a scan that calls lmtext costs beside its calls: its pages, and its rows before WHERE. */
static Cost
scan_cost(jit_walk *walk, Plan *plan, double *rows)
{
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(scanned_relation(walk, plan)));
    Cost cost = 0.0;

    if (HeapTupleIsValid(tuple)) {
        Form_pg_class relation = (Form_pg_class)GETSTRUCT(tuple);

        cost = relation->relpages * seq_page_cost;
        *rows = Max(*rows, relation->reltuples);
        ReleaseSysCache(tuple);
    }
    return cost;
}

/* What subplans in an expression cost too much: the part of them that is lmtext's. */
static bool
add_subplans(Node *node, void *context)
{
    subplan_sum *sum = context;

    if (node == NULL)
        return false;
    if (IsA(node, SubPlan)) {
        SubPlan *subplan = (SubPlan *)node;

        sum->surplus += (1.0 - sum->walk->free[subplan->plan_id - 1]) * subplan->per_call_cost;
    }
    return expression_tree_walker(node, add_subplans, context);
}

/* Cost for each row of a node's functions that are not lmtext's. */
static Cost
other_functions_cost(jit_walk *walk, List *expressions)
{
    subplan_sum sum = {walk, 0.0};
    Cost cost = lmtext_plan_others_cost(expressions).per_tuple;

    add_subplans((Node *)expressions, &sum);
    return Max(cost - sum.surplus, 0.0);
}

static bool
calls_by_subplan(Node *node, void *context)
{
    jit_walk *walk = context;

    if (node == NULL)
        return false;
    if (IsA(node, SubPlan) && walk->free[((SubPlan *)node)->plan_id - 1] < 1.0)
        return true;
    return expression_tree_walker(node, calls_by_subplan, context);
}

/* The planner counts the functions of ProjectSet once more in what is made of their rows. */
static bool
counts_sets_again(Plan *plan)
{
    return IsA(plan, Result) && plan->lefttree != NULL && IsA(plan->lefttree, ProjectSet) &&
           lmtext_plan_has_calls((Node *)plan->lefttree->targetlist);
}

/* A node's own cost, that of its children and of lmtext's calls left out. */
static Cost
own_cost(jit_walk *walk, Plan *plan, const node_costs *children)
{
    Cost own = Max(plan->total_cost - children->total, 0.0), anew;
    List *expressions = list_concat_copy(plan->targetlist, lmtext_plan_conditions(plan));
    double rows = Max(plan->plan_rows, children->rows);

    if (!lmtext_plan_has_calls((Node *)expressions) &&
        !calls_by_subplan((Node *)expressions, walk) && !counts_sets_again(plan))
        return own;
    anew = scan_cost(walk, plan, &rows);
    anew += rows * (cpu_tuple_cost + other_functions_cost(walk, expressions));
    return Min(own, anew);
}

/* Init plans are part of the total of the node that they hang on. */
static Cost
init_plans_surplus(jit_walk *walk, Plan *plan)
{
    Cost surplus = 0.0;
    ListCell *cell;

    foreach (cell, plan->initPlan) {
        SubPlan *init = lfirst_node(SubPlan, cell);

        surplus +=
            (1.0 - walk->free[init->plan_id - 1]) * (init->startup_cost + init->per_call_cost);
    }
    return surplus;
}

/* The part of a cost that is not lmtext's. */
static double
free_share(const node_costs *costs)
{
    return costs->total > 0.0 ? Min(costs->free / costs->total, 1.0) : 1.0;
}

/* What a node's own cost is worth of which at most `repeated` is a child's, once more. */
static Cost
repeated_cost(Cost own, Cost repeated, const node_costs *child)
{
    repeated = Min(own, repeated);
    return own - repeated + repeated * free_share(child);
}

/* Total cost of a plan without lmtext's share. */
static Cost
free_cost(jit_walk *walk, Plan *plan)
{
    node_costs children = {0.0, 0.0, 0.0}, inner = {0.0, 0.0, 0.0};
    Cost own;

    add_child(walk, plan->lefttree, &children);
    add_child(walk, plan->righttree, &inner);
    add_other_children(walk, plan, &children);
    if (IsA(plan, Limit))
        return plan->total_cost * free_share(&children);
    if (IsA(plan, NestLoop)) {
        Cost repeated = children.rows * inner.total;

        add_costs(&children, &inner);
        own = repeated_cost(own_cost(walk, plan, &children), repeated, &inner);
    } else {
        add_costs(&children, &inner);
        own = own_cost(walk, plan, &children);
    }
    return Max(children.free + own - init_plans_surplus(walk, plan), 0.0);
}

/* Subplans come before those that use them, so that shares are known when they are asked for. */
static void
measure_subplans(jit_walk *walk)
{
    int count = list_length(walk->statement->subplans), i;

    walk->free = palloc(Max(count, 1) * sizeof(double));
    for (i = 0; i < count; i++)
        walk->free[i] = 1.0;
    for (i = 0; i < count; i++) {
        Plan *plan = list_nth(walk->statement->subplans, i);

        if (plan != NULL && plan->total_cost > 0.0)
            walk->free[i] = Min(free_cost(walk, plan) / plan->total_cost, 1.0);
    }
}

/* The flags that standard_planner would have set for this cost. */
static int
flags_for(int flags, Cost cost)
{
    if (cost <= jit_above_cost)
        return PGJIT_NONE;
    if (cost <= jit_optimize_above_cost)
        flags &= ~PGJIT_OPT3;
    if (cost <= jit_inline_above_cost)
        flags &= ~PGJIT_INLINE;
    return flags;
}

static void
start_executor(QueryDesc *query, int eflags)
{
    PlannedStmt *statement = query->plannedstmt;

    /* A worker gets it from its leader. */
    if ((statement->jitFlags & PGJIT_PERFORM) != 0 && !IsParallelWorker()) {
        jit_walk walk = {statement, NULL};
        int flags;

        measure_subplans(&walk);
        flags = flags_for(statement->jitFlags, free_cost(&walk, statement->planTree));
        LMTEXT_FAULT_POINT("jit_flagged");
        if (flags != statement->jitFlags) {
            query->plannedstmt = makeNode(PlannedStmt);
            *query->plannedstmt = *statement;
            query->plannedstmt->jitFlags = flags;
        }
    }
    if (previous_start)
        previous_start(query, eflags);
    else
        standard_ExecutorStart(query, eflags);
}

void
lmtext_jit_init(void)
{
    LMTEXT_HOOK(ExecutorStart_hook, previous_start, start_executor);
}
