/*
 * cost.c - planner support functions: what a call of lmtext costs, by the width of its text.
 *
 * A forward pass costs by the token, tokenizing by the byte; both are measured in sequential page
 * reads, PostgreSQL's unit. A call whose text and model do not change within the statement is
 * computed once, so that its rows cost next to nothing. The support functions also load the library
 * while the first statement of a backend is planned, in time for the hooks of this room.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/plancat.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "pg/glue/expr.h"
#include "pg/plan/plan.h"

/*
 * A token of a small encoder takes about 0.2 ms of one core, a parallel worker about 10 ms to start
 * (parallel_setup_cost, 1000): 10 units a token err towards the serial plan.
 */
#define UNITS_PER_TOKEN 10.0
#define UNITS_PER_BYTE 0.005 /* tokenizing, some 10 MB/s */
#define BYTES_PER_TOKEN 4.5
#define SPECIAL_TOKENS 2
#define WINDOW_TOKENS 256 /* what most encoders read of a text, and so the most that is paid */

/* How one kind of function is paid for. `symbol` is the support function's own name in C. */
typedef struct call_kind {
    const char *symbol;
    int texts; /* arguments that are texts, the first ones */
    bool forwards;
} call_kind;

static const call_kind embed_kind = {"lmtext_embed_support", 1, true};
static const call_kind distance_kind = {"lmtext_distance_support", 2, true};
static const call_kind token_kind = {"lmtext_token_support", 1, false};
static const call_kind *const call_kinds[] = {&embed_kind, &distance_kind, &token_kind};

static bool for_nothing = false; /* lmtext's calls are not to be counted */

PG_FUNCTION_INFO_V1(lmtext_embed_support);
PG_FUNCTION_INFO_V1(lmtext_distance_support);
PG_FUNCTION_INFO_V1(lmtext_token_support);

/* Bytes that a row of the table has out of line; the statistics of a column do not count them. */
static double
toasted_width(Oid relation)
{
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    double rows = 0.0, pages = 0.0;
    Oid toast = InvalidOid;

    if (HeapTupleIsValid(tuple)) {
        rows = ((Form_pg_class)GETSTRUCT(tuple))->reltuples;
        toast = ((Form_pg_class)GETSTRUCT(tuple))->reltoastrelid;
        ReleaseSysCache(tuple);
    }
    tuple = OidIsValid(toast) ? SearchSysCache1(RELOID, ObjectIdGetDatum(toast)) : NULL;
    if (HeapTupleIsValid(tuple)) {
        pages = ((Form_pg_class)GETSTRUCT(tuple))->relpages;
        ReleaseSysCache(tuple);
    }
    return rows > 0.0 ? pages * BLCKSZ / rows : 0.0;
}

static double
column_width(PlannerInfo *root, const Var *column)
{
    RangeTblEntry *entry;
    int32 width;
    /* In a finished plan a column of a node below still says of which table it is. */
    bool below = IS_SPECIAL_VARNO(column->varno);
    int number = below ? (int)column->varnosyn : (int)column->varno;
    AttrNumber attribute = below ? column->varattnosyn : column->varattno;

    if (root == NULL || column->varlevelsup > 0 || attribute <= 0 || number <= 0 ||
        number >= root->simple_rel_array_size)
        return 0.0;
    entry = planner_rt_fetch(number, root);
    if (entry == NULL || entry->rtekind != RTE_RELATION)
        return 0.0;
    width = get_attavgwidth(entry->relid, attribute);
    if (width <= 0)
        width = get_typavgwidth(column->vartype, column->vartypmod);
    return width + toasted_width(entry->relid);
}

/* Widths of all columns in an expression: `title || body` is about as wide as both. */
static double
columns_width(PlannerInfo *root, Node *expression)
{
    List *columns = pull_var_clause(expression, PVC_RECURSE_AGGREGATES | PVC_RECURSE_WINDOWFUNCS |
                                                    PVC_RECURSE_PLACEHOLDERS);
    double width = 0.0;
    ListCell *cell;

    foreach (cell, columns)
        width += column_width(root, lfirst_node(Var, cell));
    list_free(columns);
    return width;
}

/* Bytes that a text argument has, about. */
static double
text_width(PlannerInfo *root, Node *argument)
{
    double width;

    if (IsA(argument, Const) && !((Const *)argument)->constisnull)
        return toast_raw_datum_size(((Const *)argument)->constvalue);
    width = columns_width(root, argument);
    return width > 0.0 ? width : get_typavgwidth(exprType(argument), exprTypmod(argument));
}

/* Units for one text of this width. */
static Cost
text_cost(const call_kind *kind, double width)
{
    double tokens = Min(width / BYTES_PER_TOKEN + SPECIAL_TOKENS, WINDOW_TOKENS);

    return width * UNITS_PER_BYTE + (kind->forwards ? tokens * UNITS_PER_TOKEN : 0.0);
}

/* Cost of a call: texts that stay the same are paid at the start, the others for every row. */
static void
call_cost(const call_kind *kind, SupportRequestCost *request)
{
    List *arguments = lmtext_call_arguments(request->node);
    bool same = true;
    int i;

    request->startup = 0.0;
    request->per_tuple = for_nothing ? 0.0 : cpu_operator_cost;
    if (for_nothing)
        return;
    for (i = kind->texts; i < list_length(arguments); i++)
        same = same && lmtext_is_steady(list_nth(arguments, i));
    for (i = 0; i < kind->texts; i++) {
        Node *argument = i < list_length(arguments) ? list_nth(arguments, i) : NULL;
        double width =
            argument ? text_width(request->root, argument) : get_typavgwidth(TEXTOID, -1);

        if (kind->forwards && same && argument && lmtext_is_steady(argument))
            request->startup += text_cost(kind, width);
        else
            request->per_tuple += text_cost(kind, width);
    }
}

static Datum
support(FunctionCallInfo fcinfo, const call_kind *kind)
{
    Node *request = (Node *)PG_GETARG_POINTER(0);

    if (!IsA(request, SupportRequestCost))
        PG_RETURN_POINTER(NULL);
    LMTEXT_FAULT_POINT("call_priced");
    call_cost(kind, (SupportRequestCost *)request);
    PG_RETURN_POINTER(request);
}

Datum
lmtext_embed_support(PG_FUNCTION_ARGS)
{
    return support(fcinfo, &embed_kind);
}

Datum
lmtext_distance_support(PG_FUNCTION_ARGS)
{
    return support(fcinfo, &distance_kind);
}

Datum
lmtext_token_support(PG_FUNCTION_ARGS)
{
    return support(fcinfo, &token_kind);
}

/* The kind of calls that a support function is for, or NULL when it is not one of this library. */
static const call_kind *
supported_kind(Oid function)
{
    HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    const call_kind *kind = NULL;
    bool is_null;
    char *symbol;
    Datum source;
    int i;

    if (!HeapTupleIsValid(tuple))
        return NULL;
    source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &is_null);
    symbol = is_null ? pstrdup("") : TextDatumGetCString(source);
    for (i = 0; i < lengthof(call_kinds); i++)
        if (strcmp(call_kinds[i]->symbol, symbol) == 0)
            kind = call_kinds[i];
    pfree(symbol);
    ReleaseSysCache(tuple);
    return kind;
}

/* ---- What is known of functions ---- */

/*
 * Every executor that starts asks this of all functions in its plan. A function's entry is where
 * its Oid says; another one that comes there takes the place.
 */
#define KNOWN_FUNCTIONS 512 /* a power of two */

static struct known_function {
    Oid function;
    const call_kind *kind;
} known_functions[KNOWN_FUNCTIONS];
static uint64 times_forgotten = 0;

/* Of a function that changed, or of any that supports one: which it is does not matter. */
static void
forget_functions(Datum unused, int cache, uint32 hash)
{
    memset(known_functions, 0, sizeof known_functions);
    times_forgotten++;
}

/* What is looked up may change while it is: then it is not kept. */
static const call_kind *
kind_of_function(Oid function)
{
    struct known_function *known = &known_functions[function & (KNOWN_FUNCTIONS - 1)];
    uint64 before = times_forgotten;
    Oid support_function;
    const call_kind *kind;

    if (known->function == function)
        return known->kind;
    support_function = get_func_support(function);
    kind = OidIsValid(support_function) ? supported_kind(support_function) : NULL;
    if (before == times_forgotten)
        *known = (struct known_function){function, kind};
    return kind;
}

static void
watch_functions(void)
{
    static bool watched = false;

    if (!watched)
        CacheRegisterSyscacheCallback(PROCOID, forget_functions, (Datum)0);
    watched = true;
}

/* The kind of a node that is a call of lmtext, and its function; or NULL. */
static const call_kind *
kind_of_call(Node *node, Oid *called)
{
    Oid function = InvalidOid;

    if (IsA(node, FuncExpr)) {
        function = ((FuncExpr *)node)->funcid;
    } else if (IsA(node, OpExpr)) {
        set_opfuncid((OpExpr *)node);
        function = ((OpExpr *)node)->opfuncid;
    }
    *called = function;
    return OidIsValid(function) ? kind_of_function(function) : NULL;
}

static bool
find_call(Node *node, void *unused)
{
    Oid function;

    if (node == NULL)
        return false;
    if (kind_of_call(node, &function) != NULL)
        return true;
    return expression_tree_walker(node, find_call, unused);
}

int
lmtext_plan_texts(Node *node, List **arguments)
{
    Oid function;
    const call_kind *kind = kind_of_call(node, &function);

    if (kind == NULL || !kind->forwards)
        return 0;
    *arguments = lmtext_call_arguments(node);
    return Min(kind->texts, list_length(*arguments));
}

bool
lmtext_plan_has_calls(Node *expression)
{
    return find_call(expression, NULL);
}

typedef struct cost_walk {
    PlannerInfo *root;
    Relids relids;
    QualCost cost;
} cost_walk;

static bool
reads(cost_walk *walk, Node *node)
{
    return walk->relids == NULL || bms_overlap(pull_varnos(walk->root, node), walk->relids);
}

static bool
add_calls(Node *node, void *context)
{
    cost_walk *walk = context;
    Oid function;

    if (node == NULL)
        return false;
    if (kind_of_call(node, &function) != NULL && reads(walk, node))
        add_function_cost(walk->root, function, node, &walk->cost);
    return expression_tree_walker(node, add_calls, context);
}

Cost
lmtext_plan_calls_cost(PlannerInfo *root, Node *expression, Relids relids)
{
    cost_walk walk = {root, relids, {0.0, 0.0}};

    add_calls(expression, &walk);
    return walk.cost.per_tuple;
}

/* Only support functions of this library see the planner's information that is made up here. */
QualCost
lmtext_plan_finished_cost(List *range_table, Node *expression)
{
    Query query = {.type = T_Query, .rtable = range_table};
    PlannerInfo root = {.type = T_PlannerInfo,
                        .parse = &query,
                        .simple_rel_array_size = list_length(range_table) + 1};
    cost_walk walk = {&root, NULL, {0.0, 0.0}};

    add_calls(expression, &walk);
    return walk.cost;
}

QualCost
lmtext_plan_others_cost(List *expressions)
{
    QualCost cost;

    for_nothing = true;
    PG_TRY();
    {
        cost_qual_eval(&cost, expressions, NULL);
        LMTEXT_FAULT_POINT("others_priced");
    }
    PG_FINALLY();
    {
        for_nothing = false;
    }
    PG_END_TRY();
    return cost;
}

void
lmtext_plan_init(void)
{
    watch_functions();
    lmtext_parallel_init();
    lmtext_batch_init(); /* before jit.c, which starts first then and sees the plan as it was */
    lmtext_jit_init();
}
