/*
 * trace.c - where the value of an expression comes from: columns of tables, and embeddings.
 *
 * Works on queries as they are after rewriting: views are subqueries, nothing is folded. It looks
 * through subqueries, WITH, joins, grouping, UNION, VALUES, functions in FROM, casts, slices and
 * l2_normalize. What is computed otherwise, a parameter, or what a function returns, has no source.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"

#include "pg/catalog/names.h"
#include "pg/plan/plan.h"

#define DEEPEST 100 /* steps; a recursive query has no end */

static List *trace(List *found, Node *node, const lmtext_scope *scope, int steps);

/* The argument at a place, which may be given by name; NULL: it is left to its default. */
Node *
lmtext_plan_argument(List *arguments, int number)
{
    ListCell *cell;

    foreach (cell, arguments) {
        Node *node = lfirst(cell);

        if (IsA(node, NamedArgExpr)) {
            if (((NamedArgExpr *)node)->argnumber == number)
                return (Node *)((NamedArgExpr *)node)->arg;
        } else if (foreach_current_index(cell) == number) {
            return node;
        }
    }
    return NULL;
}

/* A column of what a query returns; number 0: its only one. */
static List *
trace_result(List *found, Query *query, const lmtext_scope *outer, int number, int steps)
{
    const lmtext_scope scope = {query, outer};
    List *results = query->commandType == CMD_SELECT ? query->targetList : query->returningList;
    TargetEntry *entry = get_tle_by_resno(results, Max(number, 1));
    ListCell *cell;

    if (query->setOperations == NULL)
        return entry != NULL ? trace(found, (Node *)entry->expr, &scope, steps) : found;
    foreach (cell, query->rtable) {
        RangeTblEntry *leaf = lfirst(cell);

        if (leaf->rtekind == RTE_SUBQUERY)
            found = trace_result(found, leaf->subquery, &scope, number, steps + 1);
    }
    return found;
}

static List *
trace_with(List *found, const RangeTblEntry *entry, const lmtext_scope *scope, int number,
           int steps)
{
    ListCell *cell;

    for (Index up = 0; up < entry->ctelevelsup && scope != NULL; up++)
        scope = scope->outer;
    if (scope == NULL)
        return found;
    foreach (cell, scope->query->cteList) {
        CommonTableExpr *with = lfirst(cell);

        if (strcmp(with->ctename, entry->ctename) == 0 && IsA(with->ctequery, Query))
            return trace_result(found, (Query *)with->ctequery, scope, number, steps);
    }
    return found;
}

static List *
trace_column(List *found, Oid relation, AttrNumber number)
{
    lmtext_source *source;

    if (number <= 0)
        return found;
    source = palloc0(sizeof(*source));
    source->relation = relation;
    source->column = number;
    return lappend(found, source);
}

static List *
trace_values(List *found, const RangeTblEntry *entry, const lmtext_scope *scope, int number,
             int steps)
{
    ListCell *cell;

    foreach (cell, entry->values_lists)
        found = trace(found, list_nth(lfirst(cell), number - 1), scope, steps);
    return found;
}

/* A function in FROM that returns one value. */
static List *
trace_function(List *found, const RangeTblEntry *entry, const lmtext_scope *scope, int number,
               int steps)
{
    const RangeTblFunction *function = linitial(entry->functions);

    return number == 1 ? trace(found, function->funcexpr, scope, steps) : found;
}

static List *
trace_nth(List *found, List *expressions, int number, const lmtext_scope *scope, int steps)
{
    return number >= 1 && number <= list_length(expressions)
               ? trace(found, list_nth(expressions, number - 1), scope, steps)
               : found;
}

static List *
trace_var(List *found, const Var *var, const lmtext_scope *scope, int steps)
{
    RangeTblEntry *entry;

    for (Index up = 0; up < var->varlevelsup && scope != NULL; up++)
        scope = scope->outer;
    if (scope == NULL || var->varno <= 0 || var->varno > list_length(scope->query->rtable))
        return found;
    entry = rt_fetch(var->varno, scope->query->rtable);
    switch (entry->rtekind) {
    case RTE_RELATION:
        return trace_column(found, entry->relid, var->varattno);
    case RTE_SUBQUERY:
        return trace_result(found, entry->subquery, scope, var->varattno, steps);
    case RTE_CTE:
        return trace_with(found, entry, scope, var->varattno, steps);
    case RTE_JOIN:
        return trace_nth(found, entry->joinaliasvars, var->varattno, scope, steps);
    case RTE_VALUES:
        return trace_values(found, entry, scope, var->varattno, steps);
    case RTE_FUNCTION:
        return trace_function(found, entry, scope, var->varattno, steps);
#if PG_VERSION_NUM >= 180000
    case RTE_GROUP:
        return trace_nth(found, entry->groupexprs, var->varattno, scope, steps);
#endif
    default:
        return found;
    }
}

/* A function of lmtext that is no entry. */
static bool
is_named(const FuncExpr *call, const char *wanted)
{
    const char *name = get_func_name(call->funcid);

    return name != NULL && strcmp(name, wanted) == 0 &&
           get_func_namespace(call->funcid) == get_namespace_oid("lmtext", true);
}

/* What has the same direction as its argument. */
static bool
passes_on(const FuncExpr *call)
{
    return call->args != NIL &&
           (call->funcformat == COERCE_EXPLICIT_CAST || call->funcformat == COERCE_IMPLICIT_CAST ||
            is_named(call, "l2_normalize"));
}

static bool
embeds(const lmtext_entry *entry)
{
    return entry != NULL && entry->texts == 1 && entry->task != NULL &&
           strcmp(entry->task, "embedding") == 0;
}

static List *
trace_call(List *found, FuncExpr *call, const lmtext_scope *scope, int steps)
{
    const lmtext_entry *entry = lmtext_plan_function(call->funcid);
    bool maps = entry == NULL && is_named(call, "mapped");
    lmtext_source *source;

    if (!maps && !embeds(entry))
        return passes_on(call) ? trace(found, linitial(call->args), scope, steps) : found;
    source = palloc0(sizeof(*source));
    source->call = call;
    source->entry = maps ? NULL : entry;
    if (maps)
        source->mapped = trace(NIL, lmtext_plan_argument(call->args, 0), scope, steps);
    return lappend(found, source);
}

static List *
trace(List *found, Node *node, const lmtext_scope *scope, int steps)
{
    if (node == NULL || steps > DEEPEST)
        return found;
    steps++;
    switch (nodeTag(node)) {
    case T_Var:
        return trace_var(found, (Var *)node, scope, steps);
    case T_FuncExpr:
        return trace_call(found, (FuncExpr *)node, scope, steps);
    case T_NamedArgExpr:
        return trace(found, (Node *)((NamedArgExpr *)node)->arg, scope, steps);
    case T_RelabelType:
        return trace(found, (Node *)((RelabelType *)node)->arg, scope, steps);
    case T_CoerceViaIO:
        return trace(found, (Node *)((CoerceViaIO *)node)->arg, scope, steps);
    case T_ArrayCoerceExpr:
        return trace(found, (Node *)((ArrayCoerceExpr *)node)->arg, scope, steps);
    case T_CoerceToDomain:
        return trace(found, (Node *)((CoerceToDomain *)node)->arg, scope, steps);
    case T_SubscriptingRef:
        return trace(found, (Node *)((SubscriptingRef *)node)->refexpr, scope, steps);
    case T_SubLink:
        if (((SubLink *)node)->subLinkType != EXPR_SUBLINK)
            return found;
        return trace_result(found, (Query *)((SubLink *)node)->subselect, scope, 0, steps);
    default:
        return found;
    }
}

List *
lmtext_plan_sources(Node *node, const lmtext_scope *scope)
{
    return trace(NIL, node, scope, 0);
}
