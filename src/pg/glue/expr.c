/*
 * expr.c - arguments of calls and whether they change; the contract is in expr.h.
 */
#include "postgres.h"

#include "catalog/pg_proc.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"

#include "pg/glue/expr.h"

static bool may_change(Node *node, void *unused);
static bool is_mutable(Oid function, void *unused);
static bool reads_row(Node *node, void *unused);

List *
lmtext_call_arguments(const Node *call)
{
    if (call == NULL)
        return NIL;
    if (IsA(call, FuncExpr))
        return ((const FuncExpr *)call)->args;
    return IsA(call, OpExpr) ? ((const OpExpr *)call)->args : NIL;
}

bool
lmtext_is_stable(const Node *argument)
{
    return argument != NULL && !may_change((Node *)argument, NULL);
}

bool
lmtext_is_steady(const Node *argument)
{
    return argument != NULL && !reads_row((Node *)argument, NULL) &&
           !contain_volatile_functions((Node *)argument);
}

/* A node that is not named here may do anything. */
static bool
may_change(Node *node, void *unused)
{
    if (node == NULL)
        return false;
    switch (nodeTag(node)) {
    case T_Const:
        return false;
    case T_Param:
        return ((Param *)node)->paramkind != PARAM_EXTERN;
    case T_FuncExpr:
        if (((FuncExpr *)node)->funcretset)
            return true;
        break;
    case T_OpExpr:
        set_opfuncid((OpExpr *)node);
        break;
    case T_List:
    case T_RelabelType:
    case T_CoerceToDomain:
    case T_CoerceViaIO:
    case T_CoalesceExpr:
    case T_ArrayExpr:
        break;
    default:
        return true;
    }
    return check_functions_in_node(node, is_mutable, NULL) ||
           expression_tree_walker(node, may_change, NULL);
}

static bool
is_mutable(Oid function, void *unused)
{
    return func_volatile(function) != PROVOLATILE_IMMUTABLE;
}

static bool
reads_row(Node *node, void *unused)
{
    if (node == NULL)
        return false;
    switch (nodeTag(node)) {
    case T_Var:
    case T_PlaceHolderVar:
    case T_Aggref:
    case T_GroupingFunc:
    case T_WindowFunc:
    case T_CaseTestExpr:
        return true;
    default:
        return expression_tree_walker(node, reads_row, NULL);
    }
}
