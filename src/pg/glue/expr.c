/*
 * expr.c - arguments of calls and whether they change, and expressions that a user has written; the
 * contract is in expr.h.
 */
#include "postgres.h"

#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

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

/* ---- One expression over the columns of a relation ---- */

#define SELECT_AND "SELECT "

typedef struct written_expression {
    const lmtext_expression_kind *kind;
    const char *text;
} written_expression;

static void
relocate(void *opaque)
{
    const written_expression *written = opaque;
    int at = geterrposition();

    if (written->kind->context != NULL)
        errcontext("%s", written->kind->context);
    if (at <= (int)strlen(SELECT_AND))
        return;
    errposition(0);
    internalerrposition(at - (int)strlen(SELECT_AND));
    internalerrquery(written->text);
}

static Node *
parse_one(const char *query, const lmtext_expression_kind *kind)
{
    List *targets = lmtext_plain_targets(query);

    if (list_length(targets) != 1 || linitial_node(ResTarget, targets)->name != NULL)
        ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR), errmsg("%s", kind->refusal),
                        kind->hint != NULL ? errhint("%s", kind->hint) : 0));
    return linitial_node(ResTarget, targets)->val;
}

static Node *
cast_to(Oid type, Node *node)
{
    TypeCast *cast = makeNode(TypeCast);

    cast->arg = node;
    cast->typeName = makeTypeNameFromOid(type, -1);
    cast->location = -1;
    return (Node *)cast;
}

static Node *
transform(ParseState *state, const lmtext_expression_kind *kind)
{
    Node *node = parse_one(state->p_sourcetext, kind);

    if (kind->type != BOOLOID)
        node = cast_to(kind->type, node);
    node = transformExpr(state, node, EXPR_KIND_ALTER_COL_TRANSFORM);
    if (kind->type == BOOLOID)
        node = coerce_to_boolean(state, node, kind->name);
    assign_expr_collations(state, node);
    return node;
}

ParseState *
lmtext_expression_parsestate(Relation relation, const char *query)
{
    ParseState *state = make_parsestate(NULL);

    state->p_sourcetext = query;
    addNSItemToQuery(
        state, addRangeTableEntryForRelation(state, relation, AccessShareLock, NULL, true, true),
        true, true, true);
    return state;
}

Node *
lmtext_expression_analyze(Relation relation, const char *text, const lmtext_expression_kind *kind)
{
    written_expression written = {kind, text};
    ErrorContextCallback callback = {error_context_stack, relocate, &written};
    ParseState *state = lmtext_expression_parsestate(relation, psprintf(SELECT_AND "%s", text));
    Node *node;

    error_context_stack = &callback;
    node = transform(state, kind);
    error_context_stack = callback.previous;
    free_parsestate(state);
    return node;
}

int
lmtext_restrict_search_path(void)
{
    int level = NewGUCNestLevel();

    set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
                      GUC_ACTION_SAVE, true, 0, false);
    return level;
}

char *
lmtext_expression_text(Relation relation, Node *node, const char *alias)
{
    int level = lmtext_restrict_search_path();
    const char *name = alias != NULL ? alias : RelationGetRelationName(relation);
    char *text = deparse_expression(node, deparse_context_for(name, RelationGetRelid(relation)),
                                    alias != NULL, false);

    AtEOXact_GUC(true, level);
    return text;
}
