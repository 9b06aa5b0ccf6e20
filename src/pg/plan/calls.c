/*
 * calls.c - which nodes are calls of lmtext, and what is known of them.
 *
 * A function is one of these where pg_proc says that it is written in C, by the symbol of an entry
 * (pg/service/entry.h), and has a support function: without one it is priced by its COST, as its
 * owner wants it.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/syscache.h"

#include "pg/glue/expr.h"
#include "pg/plan/plan.h"

/*
 * Every executor that starts asks this of all functions in its plan. A function's entry is where
 * its Oid says; another one that comes there takes the place.
 */
#define KNOWN_FUNCTIONS 512 /* a power of two */

static struct known_function {
    Oid function;
    const lmtext_entry *entry;
} known_functions[KNOWN_FUNCTIONS];
static uint64 times_forgotten = 0;

/* ---- Functions ---- */

static const lmtext_entry *
entry_of_tuple(HeapTuple tuple)
{
    Form_pg_proc function = (Form_pg_proc)GETSTRUCT(tuple);
    const lmtext_entry *entry;
    bool is_null;
    char *symbol;
    Datum source;

    if (function->prolang != ClanguageId || !OidIsValid(function->prosupport))
        return NULL;
    source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &is_null);
    if (is_null)
        return NULL;
    symbol = TextDatumGetCString(source);
    entry = lmtext_entry_find(symbol);
    pfree(symbol);
    return entry != NULL && entry->texts > 0 ? entry : NULL;
}

/* What is looked up may change while it is: then it is not kept. */
const lmtext_entry *
lmtext_plan_function(Oid function)
{
    struct known_function *known = &known_functions[function & (KNOWN_FUNCTIONS - 1)];
    uint64 before = times_forgotten;
    const lmtext_entry *entry;
    HeapTuple tuple;

    if (known->function == function)
        return known->entry;
    tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    if (!HeapTupleIsValid(tuple))
        return NULL;
    entry = entry_of_tuple(tuple);
    ReleaseSysCache(tuple);
    if (before == times_forgotten)
        *known = (struct known_function){function, entry};
    return entry;
}

/* Which function changed does not matter. */
static void
forget_functions(Datum unused, int cache, uint32 hash)
{
    memset(known_functions, 0, sizeof known_functions);
    times_forgotten++;
}

void
lmtext_calls_init(void)
{
    static bool watched = false;

    if (!watched)
        CacheRegisterSyscacheCallback(PROCOID, forget_functions, (Datum)0);
    watched = true;
}

/* ---- Nodes ---- */

const lmtext_entry *
lmtext_plan_entry(Node *node, Oid *called)
{
    Oid function = InvalidOid;

    if (IsA(node, FuncExpr)) {
        function = ((FuncExpr *)node)->funcid;
    } else if (IsA(node, OpExpr)) {
        set_opfuncid((OpExpr *)node);
        function = ((OpExpr *)node)->opfuncid;
    }
    *called = function;
    return OidIsValid(function) ? lmtext_plan_function(function) : NULL;
}

static bool
find_call(Node *node, void *unused)
{
    Oid function;

    if (node == NULL)
        return false;
    if (lmtext_plan_entry(node, &function) != NULL)
        return true;
    return expression_tree_walker(node, find_call, unused);
}

bool
lmtext_plan_has_calls(Node *expression)
{
    return find_call(expression, NULL);
}

int
lmtext_plan_texts(Node *node, List **arguments)
{
    Oid function;
    const lmtext_entry *entry = lmtext_plan_entry(node, &function);

    if (entry == NULL || entry->any_task || entry->any_encoder)
        return 0;
    *arguments = lmtext_call_arguments(node);
    return Min(entry->texts, list_length(*arguments));
}

/* Functions of a scan in FROM are computed for each row of an outer side. */
List *
lmtext_plan_conditions(Plan *plan)
{
    List *expressions = list_copy(plan->qual);

    if (IsA(plan, FunctionScan))
        expressions = list_concat(expressions, ((FunctionScan *)plan)->functions);
    if (IsA(plan, NestLoop) || IsA(plan, HashJoin) || IsA(plan, MergeJoin))
        expressions = list_concat(expressions, ((Join *)plan)->joinqual);
    return expressions;
}
