/*
 * batch_texts.c - which texts of a plan's node may be read ahead: those of calls in its target
 * list, and those that it takes from the rows of the node below.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "utils/fmgroids.h"

#include "pg/glue/expr.h"
#include "pg/plan/plan.h"

/* ---- Calls of the node itself ---- */

/* A text whose computation cannot fail, so that it does no harm to compute it early. */
static bool
is_harmless(Node *node)
{
    List *parts = NIL;
    ListCell *cell;

    if (IsA(node, Var))
        return ((Var *)node)->varattno != 0;
    if (IsA(node, Const))
        return true;
    if (IsA(node, RelabelType))
        return is_harmless((Node *)((RelabelType *)node)->arg);
    if (IsA(node, CoalesceExpr))
        parts = ((CoalesceExpr *)node)->args;
    else if (IsA(node, OpExpr) && ((OpExpr *)node)->opfuncid == F_TEXTCAT)
        parts = ((OpExpr *)node)->args;
    foreach (cell, parts)
        if (!is_harmless(lfirst(cell)))
            return false;
    return parts != NIL;
}

static bool
is_ahead(Node *argument)
{
    return exprType(argument) == TEXTOID && !lmtext_is_stable(argument) && is_harmless(argument);
}

/* Is a text the same in all rows, which is remembered, or one that may be read ahead? */
static bool
is_known(Node *argument)
{
    return lmtext_is_stable(argument) || is_ahead(argument);
}

/*
 * Texts of a call, if what else it depends on is constant. Of two texts both must be known: where
 * one is NULL, the other is not computed.
 */
static void
add_texts(Node *call, List **texts)
{
    List *arguments = NIL;
    int count = lmtext_plan_texts(call, &arguments), i;

    for (i = 0; i < list_length(arguments); i++)
        if (i < count ? !is_known(list_nth(arguments, i))
                      : !lmtext_is_stable(list_nth(arguments, i)))
            return;
    for (i = 0; i < count; i++)
        if (is_ahead(list_nth(arguments, i))) {
            lmtext_batch_text *text = palloc(sizeof *text);

            *text = (lmtext_batch_text){call, list_nth(arguments, i), i};
            *texts = lappend(*texts, text);
        }
}

/* What evaluates all its parts: what CASE leaves out is not to be computed. */
static bool
evaluates_all(Node *node)
{
    switch (nodeTag(node)) {
    case T_FuncExpr:
    case T_OpExpr:
    case T_List:
    case T_TargetEntry:
    case T_RelabelType:
    case T_FieldSelect:
    case T_CoerceViaIO:
    case T_ArrayCoerceExpr:
    case T_ArrayExpr:
    case T_RowExpr:
    case T_SubscriptingRef:
    case T_NullTest:
        return true;
    default:
        return false;
    }
}

static bool
collect_texts(Node *node, void *context)
{
    if (node == NULL || !evaluates_all(node))
        return false;
    add_texts(node, context);
    return expression_tree_walker(node, collect_texts, context);
}

List *
lmtext_batch_texts(List *targetlist)
{
    List *texts = NIL;

    collect_texts((Node *)targetlist, &texts);
    return texts;
}

/* ---- Calls that another node makes with a row's text ---- */

/*
 * A node above computes: a ProjectSet, an aggregate's argument, or a scan of a function on the
 * inner side of a nested loop, which is given the text as a parameter. It has the text where it
 * lies in the row. The new node then passes rows on as they are.
 */
typedef struct lent_texts {
    NestLoop *loop; /* whose parameters are texts; NULL: columns are */
    List *columns;  /* numbers */
} lent_texts;

static const Var *
lent_column(const lent_texts *lent, Node *argument)
{
    ListCell *cell;

    while (IsA(argument, RelabelType))
        argument = (Node *)((RelabelType *)argument)->arg;
    if (lent->loop == NULL)
        return IsA(argument, Var) && ((Var *)argument)->varno == OUTER_VAR ? (Var *)argument : NULL;
    if (!IsA(argument, Param) || ((Param *)argument)->paramkind != PARAM_EXEC)
        return NULL;
    foreach (cell, lent->loop->nestParams) {
        NestLoopParam *param = lfirst_node(NestLoopParam, cell);

        if (param->paramno == ((Param *)argument)->paramid && IsA(param->paramval, Var))
            return param->paramval;
    }
    return NULL;
}

/* Whether all that a call depends on, from an argument on, is constant. */
static bool
rest_is_stable(List *arguments, int first)
{
    for (int i = first; i < list_length(arguments); i++)
        if (!lmtext_is_stable(list_nth(arguments, i)))
            return false;
    return true;
}

/* The texts of a call that are columns, if all others, and what else it depends on, are constant.
 */
static void
lend_texts(lent_texts *lent, Node *call)
{
    List *arguments = NIL, *columns = NIL;
    int count = lmtext_plan_texts(call, &arguments);

    if (!rest_is_stable(arguments, count))
        return;
    for (int i = 0; i < count; i++) {
        Node *argument = list_nth(arguments, i);
        const Var *column = lent_column(lent, argument);

        if (exprType(argument) == TEXTOID && column != NULL && column->varattno > 0)
            columns = lappend_int(columns, column->varattno);
        else if (!lmtext_is_stable(argument))
            return;
    }
    lent->columns = list_concat(lent->columns, columns);
}

static bool
lend_evaluated(Node *node, void *lent)
{
    if (node == NULL || !evaluates_all(node))
        return false;
    lend_texts(lent, node);
    return expression_tree_walker(node, lend_evaluated, lent);
}

static bool
lend_to_aggregates(Node *node, void *lent)
{
    if (node == NULL)
        return false;
    if (IsA(node, Aggref))
        return ((Aggref *)node)->aggfilter == NULL &&
               lend_evaluated((Node *)((Aggref *)node)->args, lent);
    return expression_tree_walker(node, lend_to_aggregates, lent);
}

/* Only what is scanned for each row: nodes that keep what they read are no way there. */
static void
lend_to_functions(lent_texts *lent, Plan *plan)
{
    ListCell *cell;

    while (plan != NULL && !IsA(plan, FunctionScan))
        switch (nodeTag(plan)) {
        case T_SubqueryScan:
            plan = ((SubqueryScan *)plan)->subplan;
            break;
        case T_Limit:
        case T_Sort:
        case T_IncrementalSort:
        case T_Agg:
        case T_WindowAgg:
        case T_Unique:
        case T_Result:
            plan = plan->lefttree;
            break;
        default:
            return;
        }
    if (plan != NULL)
        foreach (cell, ((FunctionScan *)plan)->functions)
            lend_texts(lent, lfirst_node(RangeTblFunction, cell)->funcexpr);
}

List *
lmtext_batch_lent(Plan *plan)
{
    lent_texts lent = {NULL, NIL};

    if (IsA(plan, ProjectSet)) {
        lend_evaluated((Node *)plan->targetlist, &lent);
    } else if (IsA(plan, Agg)) {
        lend_to_aggregates((Node *)plan->targetlist, &lent);
        lend_to_aggregates((Node *)plan->qual, &lent);
    } else if (IsA(plan, NestLoop)) {
        lent.loop = (NestLoop *)plan;
        lend_to_functions(&lent, plan->righttree);
    }
    return lent.columns;
}
