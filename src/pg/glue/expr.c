/*
 * expr.c - arguments of calls and whether they change, and lists of expressions; the contract is in
 * expr.h.
 */
#include "postgres.h"

#include "catalog/pg_proc.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "optimizer/optimizer.h"
#include "parser/parser.h"
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

/* SELECT and a list, nothing else. */
static bool
is_plain_list(const SelectStmt *select)
{
    SelectStmt empty;

    if (!IsA(select, SelectStmt))
        return false;
    memset(&empty, 0, sizeof(empty));
    empty.type = T_SelectStmt;
    empty.targetList = select->targetList;
    empty.limitOption = select->limitOption;
    empty.groupDistinct = select->groupDistinct;
    return equal(select, &empty);
}

List *
lmtext_plain_targets(const char *query)
{
    List *statements = raw_parser(query, RAW_PARSE_DEFAULT);
    const SelectStmt *select;
    ListCell *cell;

    if (list_length(statements) != 1)
        return NIL;
    select = (const SelectStmt *)linitial_node(RawStmt, statements)->stmt;
    if (!is_plain_list(select))
        return NIL;
    foreach (cell, select->targetList) {
        const Node *value = lfirst_node(ResTarget, cell)->val;

        if (IsA(value, ColumnRef) && IsA(llast(((const ColumnRef *)value)->fields), A_Star))
            return NIL;
    }
    return select->targetList;
}
