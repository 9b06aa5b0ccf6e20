/*
 * batch.c - puts the node of batch_node.c into plans whose target lists compute a text of each row.
 *
 * Short texts are slow one by one: a matrix of ten rows keeps no kernel busy. The finished plan is
 * changed, for no path reaches below Gather once the target is applied, and when its executor
 * starts, for the planner's hook would come too late for the first statement of a backend, and only
 * here is it known whether a cursor may go backward.
 *
 * A node that projects is split: it goes on with the columns that its expressions need, and the new
 * node above it takes its place with the expressions. A plan is read only (it may be cached): what
 * is changed is a copy.
 */
#include "postgres.h"

#include <limits.h>

#include "access/parallel.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/guc.h"

#include "pg/glue/init_once.h"
#include "pg/plan/plan.h"

/* How many rows will be asked of a node, where that is not a number. */
#define UNBOUNDED INT64CONST(-1)
#define LEFT_ALONE INT64CONST(-2) /* not to be known, or the parent needs the node itself */

/* Nodes of the planner are numbered from 0; the numbers are for instrumentation only. */
#define FIRST_NODE_ID 1000000

static ExecutorStart_hook_type previous_start = NULL;
static bool enabled = true;

typedef struct batch_walk {
    ParamListInfo params;
    List *range_table;
    bool rewrite; /* else only look */
    int found;
} batch_walk;

static Plan *serve(batch_walk *walk, Plan *plan, int64 bound);

/* ---- Which nodes ---- */

static bool
projects(Plan *plan)
{
    switch (nodeTag(plan)) {
    case T_SeqScan:
    case T_SampleScan:
    case T_IndexScan:
    case T_IndexOnlyScan:
    case T_BitmapHeapScan:
    case T_TidScan:
    case T_TidRangeScan:
    case T_SubqueryScan:
    case T_FunctionScan:
    case T_ValuesScan:
    case T_CteScan:
    case T_NestLoop:
    case T_MergeJoin:
    case T_HashJoin:
        return true;
    case T_Result:
        return plan->lefttree != NULL;
    default:
        return false;
    }
}

/* What cannot be moved to the new node; a whole row is more than its columns. */
static bool
is_immovable(Node *node, void *unused)
{
    if (node == NULL)
        return false;
    if (IsA(node, SubPlan) || IsA(node, AlternativeSubPlan) ||
        (IsA(node, Var) && ((Var *)node)->varattno == 0))
        return true;
    return expression_tree_walker(node, is_immovable, unused);
}

static bool is_volatile(Plan *plan);

static bool
any_volatile(List *plans)
{
    ListCell *cell;

    foreach (cell, plans)
        if (is_volatile(lfirst(cell)))
            return true;
    return false;
}

/* Would somebody see that rows are read early? */
static bool
reads_volatile(Plan *plan)
{
    if (contain_volatile_functions((Node *)lmtext_plan_conditions(plan)) ||
        is_volatile(plan->lefttree) || is_volatile(plan->righttree))
        return true;
    if (IsA(plan, SubqueryScan))
        return is_volatile(((SubqueryScan *)plan)->subplan);
    if (IsA(plan, Append))
        return any_volatile(((Append *)plan)->appendplans);
    if (IsA(plan, CustomScan))
        return any_volatile(((CustomScan *)plan)->custom_plans);
    return IsA(plan, MergeAppend) && any_volatile(((MergeAppend *)plan)->mergeplans);
}

static bool
is_volatile(Plan *plan)
{
    return plan != NULL &&
           (contain_volatile_functions((Node *)plan->targetlist) || reads_volatile(plan));
}

static bool
holds_call(Node *node, void *call)
{
    if (node == NULL)
        return false;
    return equal(node, call) || expression_tree_walker(node, holds_call, call);
}

/*
 * Has a condition computed it for the row already? Then the target list finds it remembered
 * (service/memo.h), if it comes right after.
 */
static bool
is_computed(List *texts, List *conditions)
{
    ListCell *cell;

    foreach (cell, texts)
        if (holds_call((Node *)conditions, ((lmtext_batch_text *)lfirst(cell))->call))
            return true;
    return false;
}

static bool
is_served(Plan *plan)
{
    List *texts = projects(plan) ? lmtext_batch_texts(plan->targetlist) : NIL;

    return texts != NIL && !is_immovable((Node *)plan->targetlist, NULL) && !reads_volatile(plan) &&
           !is_computed(texts, lmtext_plan_conditions(plan));
}

/* ---- The split ---- */

typedef struct split {
    List *texts;   /* which become columns */
    List *columns; /* target list of the node below */
} split;

/* The column below that holds an expression. */
static Node *
column_for(split *split, Node *expression)
{
    TargetEntry *entry = NULL;
    ListCell *cell;

    foreach (cell, split->columns)
        if (equal(lfirst_node(TargetEntry, cell)->expr, expression)) {
            entry = lfirst(cell);
            break;
        }
    if (entry == NULL) {
        AttrNumber number = list_length(split->columns) + 1;

        entry = makeTargetEntry((Expr *)copyObject(expression), number, NULL, false);
        split->columns = lappend(split->columns, entry);
    }
    return (Node *)makeVar(INDEX_VAR, entry->resno, exprType(expression), exprTypmod(expression),
                           exprCollation(expression), 0);
}

static bool
is_batch_text(split *split, Node *node)
{
    ListCell *cell;

    foreach (cell, split->texts)
        if (((lmtext_batch_text *)lfirst(cell))->text == node)
            return true;
    return false;
}

static Node *
move_up(Node *node, void *context)
{
    split *split = context;

    if (node == NULL)
        return NULL;
    if (IsA(node, Var) || is_batch_text(split, node))
        return column_for(split, node);
    return expression_tree_mutator(node, move_up, context);
}

/* Cost of a target list, evaluated once a row. */
static QualCost
target_cost(List *range_table, List *targetlist)
{
    QualCost calls = lmtext_plan_finished_cost(range_table, (Node *)targetlist);
    QualCost others = lmtext_plan_others_cost(targetlist);

    return (QualCost){calls.startup + others.startup, calls.per_tuple + others.per_tuple};
}

/* What was computed here is computed above: its cost goes there. */
static void
change_cost(Plan *plan, QualCost from, QualCost to)
{
    double startup = to.startup - from.startup;
    double per_tuple = to.per_tuple - from.per_tuple;

    plan->startup_cost = Max(plan->startup_cost + startup, 0.0);
    plan->total_cost += startup + per_tuple * plan->plan_rows;
    plan->total_cost = Max(plan->total_cost, plan->startup_cost);
}

/* In place of `plan`, with all that hangs on it. */
static Plan *
split_node(Plan *plan, List *range_table, int64 bound, int id)
{
    split split = {lmtext_batch_texts(plan->targetlist), NIL};
    QualCost before = target_cost(range_table, plan->targetlist);
    List *targetlist = (List *)move_up((Node *)plan->targetlist, &split);
    Plan *batch;

    plan->targetlist = split.columns;
    batch = lmtext_batch_node(plan, targetlist, bound);
    batch->plan_node_id = id;
    change_cost(plan, before, target_cost(range_table, plan->targetlist));
    plan->initPlan = NIL;
    return batch;
}

/* ---- Rows that are lent to another node's calls ---- */

/* Between `plan` and the node below. */
static void
lend_rows(batch_walk *walk, Plan *plan, int64 bound)
{
    List *columns = bound == LEFT_ALONE ? NIL : lmtext_batch_lent(plan);

    if (columns == NIL || is_volatile(plan->lefttree))
        return;
    walk->found++;
    if (walk->rewrite) {
        plan->lefttree = lmtext_batch_through(plan->lefttree, columns);
        plan->lefttree->plan_node_id = FIRST_NODE_ID + walk->found;
    }
}

/* ---- The walk ---- */

/* The value of LIMIT or OFFSET, which may be absent; LEFT_ALONE: known only later. */
static int64
limit_value(batch_walk *walk, Node *node, int64 absent)
{
    if (node == NULL)
        return absent;
    if (IsA(node, Param) && ((Param *)node)->paramkind == PARAM_EXTERN && walk->params != NULL &&
        ((Param *)node)->paramid <= walk->params->numParams) {
        ParamListInfo params = walk->params;
        int number = ((Param *)node)->paramid;
        ParamExternData space, *param = params->paramFetch
                                            ? params->paramFetch(params, number, false, &space)
                                            : &params->params[number - 1];

        if (param->ptype == INT8OID)
            return param->isnull ? absent : DatumGetInt64(param->value);
    }
    if (!IsA(node, Const))
        return LEFT_ALONE;
    return ((Const *)node)->constisnull ? absent : DatumGetInt64(((Const *)node)->constvalue);
}

/* How many rows LIMIT asks for. */
static int64
limit_bound(batch_walk *walk, Limit *limit)
{
    int64 count = limit_value(walk, limit->limitCount, UNBOUNDED);
    int64 offset = limit_value(walk, limit->limitOffset, 0);

    if (count < 0 && count != UNBOUNDED)
        return LEFT_ALONE; /* also what the executor will refuse */
    if (offset < 0 || limit->limitOption == LIMIT_OPTION_WITH_TIES)
        return LEFT_ALONE;
    return count == UNBOUNDED || count > INT_MAX || offset > INT_MAX ? UNBOUNDED : count + offset;
}

/* Where one row in is one row out; ExecSetTupleBound passes the number down there. */
static bool
passes_bound(Plan *plan)
{
    switch (nodeTag(plan)) {
    case T_Append:
    case T_MergeAppend:
    case T_Gather:
    case T_GatherMerge:
        return true;
    case T_Result:
    case T_SubqueryScan:
        return plan->qual == NIL;
    default:
        return false;
    }
}

static void
serve_child(batch_walk *walk, Plan **child, int64 bound)
{
    Plan *served = *child == NULL ? NULL : serve(walk, *child, bound);

    if (walk->rewrite)
        *child = served;
}

static void
serve_list(batch_walk *walk, List *children, int64 bound)
{
    ListCell *cell;

    foreach (cell, children)
        serve_child(walk, (Plan **)&lfirst(cell), bound);
}

static void
serve_children(batch_walk *walk, Plan *plan, int64 bound)
{
    int64 below = passes_bound(plan) ? bound : UNBOUNDED;

    if (IsA(plan, Limit))
        below = limit_bound(walk, (Limit *)plan);
    serve_child(walk, &plan->lefttree, below);
    /* A merge join goes back in its inner side, which the new node cannot. */
    serve_child(walk, &plan->righttree, IsA(plan, MergeJoin) ? LEFT_ALONE : below);
    if (IsA(plan, Append))
        serve_list(walk, ((Append *)plan)->appendplans, below);
    else if (IsA(plan, MergeAppend))
        serve_list(walk, ((MergeAppend *)plan)->mergeplans, below);
    else if (IsA(plan, SubqueryScan))
        serve_child(walk, &((SubqueryScan *)plan)->subplan, below);
}

static Plan *
serve(batch_walk *walk, Plan *plan, int64 bound)
{
    check_stack_depth();
    if (IsA(plan, ModifyTable) && ((ModifyTable *)plan)->operation == CMD_MERGE)
        return plan;
    serve_children(walk, plan, bound);
    lend_rows(walk, plan, bound);
    if (bound == LEFT_ALONE || !is_served(plan))
        return plan;
    walk->found++;
    if (!walk->rewrite)
        return plan;
    return split_node(plan, walk->range_table, bound, FIRST_NODE_ID + walk->found);
}

static void
serve_statement(batch_walk *walk, PlannedStmt *statement)
{
    serve_child(walk, &statement->planTree, UNBOUNDED);
    serve_list(walk, statement->subplans, UNBOUNDED);
}

static bool
may_batch(const PlannedStmt *statement, int eflags)
{
    return enabled && !IsParallelWorker() && (eflags & EXEC_FLAG_BACKWARD) == 0 &&
           statement->rowMarks == NIL && statement->planTree != NULL;
}

static void
start_executor(QueryDesc *query, int eflags)
{
    if (may_batch(query->plannedstmt, eflags)) {
        batch_walk walk = {query->params, query->plannedstmt->rtable, false, 0};

        serve_statement(&walk, query->plannedstmt);
        if (walk.found > 0) {
            PlannedStmt *statement = makeNode(PlannedStmt);

            *statement = *query->plannedstmt;
            statement->planTree = copyObject(statement->planTree);
            statement->subplans = copyObject(statement->subplans);
            walk = (batch_walk){query->params, statement->rtable, true, 0};
            serve_statement(&walk, statement);
            LMTEXT_FAULT_POINT("batches_planned");
            query->plannedstmt = statement;
        }
    }
    if (previous_start)
        previous_start(query, eflags);
    else
        standard_ExecutorStart(query, eflags);
}

void
lmtext_batch_init(void)
{
    LMTEXT_SETTING(Bool, "lmtext.batch",
                   "Reads rows ahead so that short texts are embedded in batches.", NULL, &enabled,
                   true, PGC_USERSET, 0, NULL, NULL, NULL);
    lmtext_batch_node_init();
    LMTEXT_HOOK(ExecutorStart_hook, previous_start, start_executor);
}
