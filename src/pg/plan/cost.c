/*
 * cost.c - planner support functions: what a call of lmtext costs, by its model and the width of
 * its text.
 *
 * A forward pass costs by the token and by what the model computes for one, tokenizing by the byte;
 * both are measured in sequential page reads, PostgreSQL's unit. A call whose text and model do not
 * change within the statement is computed once, so that its rows cost next to nothing. The support
 * functions also load the library while the first statement of a backend is planned, in time for
 * the hooks of this room.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/plancat.h"
#include "parser/parsetree.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "pg/glue/expr.h"
#include "pg/plan/plan.h"
#include "pg/service/flops.h"
#include "pg/service/tasks.h"

/*
 * A token of all-MiniLM-L6-v2, of 21.3 million operations, takes about 0.2 ms of one core, a
 * parallel worker about 10 ms to start (parallel_setup_cost, 1000): 10 units for it err towards the
 * serial plan. That is the cost where the model is not known.
 */
#define UNITS_PER_TOKEN 10.0
#define UNITS_PER_FLOP (UNITS_PER_TOKEN / 21.3e6)
#define UNITS_PER_TEXT 1.0   /* what a pass takes beside its tokens */
#define UNITS_PER_BYTE 0.005 /* tokenizing, some 10 MB/s */
#define BYTES_PER_TOKEN 4.5
#define SPECIAL_TOKENS 2
#define WINDOW_TOKENS 256 /* what most encoders read of a text, and so the most that is paid */

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

/* ---- The price of a token ---- */

/* What names the model of a call, where that is known while a statement is planned; or NULL. */
static const char *
model_name(const lmtext_entry *entry, Const *argument)
{
    if (argument != NULL && !argument->constisnull)
        return argument->consttype == TEXTOID ? TextDatumGetCString(argument->constvalue) : NULL;
    return entry->task != NULL ? lmtext_task_setting(lm_task_find(entry->task)) : NULL;
}

/* Floating-point operations for a token of a call's model; 0: it is not known. */
static double
model_flops(const lmtext_entry *entry, List *arguments)
{
    int argno = lmtext_entry_model(entry);
    Node *argument = argno < list_length(arguments) ? list_nth(arguments, argno) : NULL;
    Const *constant = (Const *)argument;
    const char *name;

    if (argument != NULL && !IsA(argument, Const))
        return 0.0;
    if (argument != NULL && constant->consttype == REGCLASSOID && !constant->constisnull)
        return lmtext_flops(DatumGetObjectId(constant->constvalue));
    name = model_name(entry, constant);
    return name != NULL && name[0] != '\0' ? lmtext_flops_named(name) : 0.0;
}

static Cost
token_cost(const lmtext_entry *entry, List *arguments)
{
    double flops = entry->any_task ? 0.0 : model_flops(entry, arguments);

    if (entry->any_task)
        return 0.0;
    return flops > 0.0 ? flops * UNITS_PER_FLOP : UNITS_PER_TOKEN;
}

/* ---- Calls ---- */

/* Units for one text of this width. */
static Cost
text_cost(Cost per_token, double width)
{
    double tokens = Min(width / BYTES_PER_TOKEN + SPECIAL_TOKENS, WINDOW_TOKENS);

    return width * UNITS_PER_BYTE + (per_token > 0.0 ? UNITS_PER_TEXT : 0.0) + tokens * per_token;
}

/* How often the texts of a call are computed: each time, for each element of an array that is
 * known.
 */
static double
passes(const lmtext_entry *entry, List *arguments)
{
    Node *array = entry->each > 0 && entry->each < list_length(arguments)
                      ? list_nth(arguments, entry->each)
                      : NULL;
    double count = 1.0;

    if (array != NULL && IsA(array, ArrayExpr))
        count = list_length(((ArrayExpr *)array)->elements);
    if (array != NULL && IsA(array, Const) && !((Const *)array)->constisnull) {
        ArrayType *value = DatumGetArrayTypeP(((Const *)array)->constvalue);

        count = ArrayGetNItems(ARR_NDIM(value), ARR_DIMS(value));
    }
    return Max(count, 1.0) * Max(entry->times, 1);
}

/* Whether a text of a call is paid once: of a pair both have to stay the same. */
static bool
is_paid_once(const lmtext_entry *entry, List *arguments, int text)
{
    int first = entry->pair ? 0 : text, last = entry->pair ? entry->texts - 1 : text;

    for (int i = first; i <= last; i++)
        if (i >= list_length(arguments) || !lmtext_is_steady(list_nth(arguments, i)))
            return false;
    return true;
}

/* Cost of a call: texts that stay the same are paid at the start, the others for every row. */
static void
call_cost(const lmtext_entry *entry, SupportRequestCost *request)
{
    List *arguments = lmtext_call_arguments(request->node);
    Cost per_token = token_cost(entry, arguments);
    double times = passes(entry, arguments);
    bool same = per_token > 0.0;

    request->startup = 0.0;
    request->per_tuple = cpu_operator_cost;
    for (int i = entry->texts; i < list_length(arguments); i++)
        same = same && lmtext_is_steady(list_nth(arguments, i));
    for (int i = 0; i < entry->texts; i++) {
        Node *argument = i < list_length(arguments) ? list_nth(arguments, i) : NULL;
        double width =
            argument ? text_width(request->root, argument) : get_typavgwidth(TEXTOID, -1);

        if (same && is_paid_once(entry, arguments, i))
            request->startup += times * text_cost(per_token, width);
        else
            request->per_tuple += times * text_cost(per_token, width);
    }
}

/* A function that is no entry has its own COST. */
static Datum
support(FunctionCallInfo fcinfo)
{
    SupportRequestCost *request = (SupportRequestCost *)PG_GETARG_POINTER(0);
    const lmtext_entry *entry;

    if (!IsA(request, SupportRequestCost))
        PG_RETURN_POINTER(NULL);
    entry = lmtext_plan_function(request->funcid);
    if (entry == NULL)
        PG_RETURN_POINTER(NULL);
    LMTEXT_FAULT_POINT("call_priced");
    request->startup = request->per_tuple = 0.0;
    if (!for_nothing)
        call_cost(entry, request);
    PG_RETURN_POINTER(request);
}

/* One answer under the names that the extension's versions have given it. */
Datum
lmtext_embed_support(PG_FUNCTION_ARGS)
{
    return support(fcinfo);
}

Datum
lmtext_distance_support(PG_FUNCTION_ARGS)
{
    Node *request = (Node *)PG_GETARG_POINTER(0);

    if (IsA(request, SupportRequestSimplify))
        PG_RETURN_POINTER(lmtext_plan_text_operator((SupportRequestSimplify *)request));
    return support(fcinfo);
}

Datum
lmtext_token_support(PG_FUNCTION_ARGS)
{
    return support(fcinfo);
}

/* ---- Expressions ---- */

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
    if (lmtext_plan_entry(node, &function) != NULL && reads(walk, node))
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
