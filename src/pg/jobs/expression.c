/*
 * expression.c - the text of a job as an expression over columns of its table.
 *
 * What a user has written is read once, under the search_path of the session, and kept with every
 * name qualified that is not in pg_catalog. From then on it is read under pg_catalog alone, so that
 * it means the same whatever search_path a run, or a trigger in it, has. A row's text is computed
 * by a function that is given the columns that the expression uses; it does not see the row.
 */
#include "postgres.h"
#include "fmgr.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/params.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"

#include "pg/compat.h"
#include "pg/glue/expr.h"
#include "pg/glue/relation.h"

/* ---- Reading ---- */

static const lmtext_expression_kind text_kind = {
    .type = TEXTOID,
    .name = "text",
    .refusal = "the text of a job must be one expression over columns",
};

static Node *
analyze(Relation relation, const char *expression)
{
    return lmtext_expression_analyze(relation, expression, &text_kind);
}

/* An expression that was kept. It is planned under the session's own path, as SQL functions run. */
static Node *
analyze_kept(Relation relation, const char *expression)
{
    int level = lmtext_restrict_search_path();
    Node *node = analyze(relation, expression);

    AtEOXact_GUC(true, level);
    return node;
}

/* Numbers of the columns that an expression uses, in their order. */
static List *
columns_of(Node *node)
{
    Bitmapset *used = NULL;
    List *columns = NIL;
    int member = -1;

    pull_varattnos(node, 1, &used);
    while ((member = bms_next_member(used, member)) >= 0) {
        int column = member + FirstLowInvalidHeapAttributeNumber;

        if (column <= 0)
            ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                            errmsg("the text of a job cannot use a whole row or a system column")));
        columns = lappend_int(columns, column);
    }
    if (columns == NIL)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the text of a job must use a column of its table")));
    return columns;
}

/* ---- What is kept of it ---- */

static Datum
names_of(Relation relation, List *columns)
{
    Datum *names = palloc(list_length(columns) * sizeof(Datum));
    int count = 0;
    ListCell *cell;

    foreach (cell, columns)
        names[count++] =
            NameGetDatum(&TupleDescAttr(RelationGetDescr(relation), lfirst_int(cell) - 1)->attname);
    return PointerGetDatum(construct_array(names, count, NAMEOID, NAMEDATALEN, false, 'c'));
}

static Node *
planned(Node *node)
{
    return (Node *)expression_planner((Expr *)copyObject(node));
}

/* The expression as it is kept, and its columns; `stored` says that it is one that was kept. */
PG_FUNCTION_INFO_V1(lmtext_parse_text);
Datum
lmtext_parse_text(PG_FUNCTION_ARGS)
{
    Relation relation = lmtext_relation_open_readable(PG_GETARG_OID(0));
    char *expression = text_to_cstring(PG_GETARG_TEXT_PP(1));
    Node *node =
        PG_GETARG_BOOL(2) ? analyze_kept(relation, expression) : analyze(relation, expression);
    bool nulls[2] = {false, false};
    Datum values[2];
    TupleDesc row;

    if (contain_volatile_functions(planned(node)))
        ereport(ERROR, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                        errmsg("the text of a job cannot use a volatile function")));
    values[0] = CStringGetTextDatum(lmtext_expression_text(relation, node, NULL));
    values[1] = names_of(relation, columns_of(node));
    table_close(relation, NoLock);
    get_call_result_type(fcinfo, NULL, &row);
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(row), values, nulls)));
}

/* ---- A row ---- */

typedef struct row_text {
    MemoryContext memory; /* all of it */
    ExprState *state;
    ExprContext *context;
} row_text;

/* The columns stand for the parameters 1, 2, … */
static Node *
parametrize(Node *node, void *columns)
{
    if (node != NULL && IsA(node, Var)) {
        Var *column = (Var *)node;
        Param *param = makeNode(Param);
        int place = 0;

        while (list_nth_int(columns, place) != column->varattno)
            place++;
        param->paramkind = PARAM_EXTERN;
        param->paramid = place + 1;
        param->paramtype = column->vartype;
        param->paramtypmod = column->vartypmod;
        param->paramcollid = column->varcollid;
        param->location = -1;
        return (Node *)param;
    }
    return expression_tree_mutator(node, parametrize, columns);
}

/* What is passed must be what the expression takes: columns of other types would be misread. */
static ParamListInfo
params_for(FunctionCallInfo fcinfo, Relation relation, List *columns)
{
    int count = list_length(columns);
    ParamListInfo params = makeParamList(count);
    bool fits = PG_NARGS() == count + 2 && !get_fn_expr_variadic(fcinfo->flinfo);

    for (int i = 0; i < count && fits; i++) {
        params->params[i].ptype =
            TupleDescAttr(RelationGetDescr(relation), list_nth_int(columns, i) - 1)->atttypid;
        fits = get_fn_expr_argtype(fcinfo->flinfo, i + 2) == params->params[i].ptype;
    }
    if (!fits)
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("the columns are not those that the expression uses")));
    return params;
}

static row_text *
prepare(FunctionCallInfo fcinfo)
{
    MemoryContext memory = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "lmtext text of a row",
                                                 ALLOCSET_SMALL_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(memory);
    row_text *prepared = palloc(sizeof *prepared);
    Relation relation;
    List *columns;
    Node *node;

    if (!get_fn_expr_arg_stable(fcinfo->flinfo, 0) || !get_fn_expr_arg_stable(fcinfo->flinfo, 1))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("the table and the expression must be the same for all rows")));
    relation = lmtext_relation_open_readable(PG_GETARG_OID(0));
    node = analyze_kept(relation, text_to_cstring(PG_GETARG_TEXT_PP(1)));
    columns = columns_of(node);
    prepared->memory = memory;
    prepared->context = CreateStandaloneExprContext();
    prepared->context->ecxt_param_list_info = params_for(fcinfo, relation, columns);
    prepared->state = ExecInitExprWithParams((Expr *)parametrize(planned(node), columns),
                                             prepared->context->ecxt_param_list_info);
    table_close(relation, NoLock);
    MemoryContextSwitchTo(caller);
    return fcinfo->flinfo->fn_extra = prepared;
}

/* The text, or NULL for SQL's null. */
static text *
evaluate(const row_text *prepared, FunctionCallInfo fcinfo)
{
    ParamListInfo params = prepared->context->ecxt_param_list_info;
    Datum result;
    bool null;

    for (int i = 0; i < params->numParams; i++) {
        params->params[i].value = fcinfo->args[i + 2].value;
        params->params[i].isnull = fcinfo->args[i + 2].isnull;
    }
    result = ExecEvalExprSwitchContext(prepared->state, prepared->context, &null);
    if (!null)
        result = datumCopy(result, false, -1);
    ReScanExprContext(prepared->context);
    return null ? NULL : DatumGetTextPP(result);
}

/* The text of a row, of a table, an expression that was kept and the columns that it uses. */
PG_FUNCTION_INFO_V1(lmtext_row_text);
Datum
lmtext_row_text(PG_FUNCTION_ARGS)
{
    row_text *prepared = fcinfo->flinfo->fn_extra;
    text *result;

    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        PG_RETURN_NULL();
    result = evaluate(prepared != NULL ? prepared : prepare(fcinfo), fcinfo);
    if (result == NULL)
        PG_RETURN_NULL();
    PG_RETURN_TEXT_P(result);
}

/* ---- A row whose text fails ---- */

/* As is_row_error of 60-jobs.sql has them. */
static bool
belongs_to_row(int code)
{
    static const char *const classes[] = {"09", "21", "22", "23", "27",
                                          "38", "39", "44", "54", "P0"};
    const char *state = unpack_sql_state(code);

    for (int i = 0; i < lengthof(classes); i++)
        if (strncmp(state, classes[i], 2) == 0)
            return true;
    return false;
}

/* What stands for the text; what the expression has begun is given up, with all that was prepared.
 */
static text *
say_failed(FunctionCallInfo fcinfo, row_text *prepared, ErrorData *error)
{
    if (!belongs_to_row(error->sqlerrcode))
        ReThrowError(error);
    fcinfo->flinfo->fn_extra = NULL;
    MemoryContextDelete(prepared->memory);
    return cstring_to_text(psprintf("\x01 %s", unpack_sql_state(error->sqlerrcode)));
}

/* In a subtransaction, since the expression may call code of the user's. */
static text *
try_to_evaluate(FunctionCallInfo fcinfo, row_text *prepared)
{
    MemoryContext memory = CurrentMemoryContext;
    ResourceOwner owner = CurrentResourceOwner;
    ErrorData *volatile error = NULL;
    text *volatile result = NULL;

    BeginInternalSubTransaction(NULL);
    MemoryContextSwitchTo(memory);
    PG_TRY();
    {
        result = evaluate(prepared, fcinfo);
        ReleaseCurrentSubTransaction();
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(memory);
        error = CopyErrorData();
        FlushErrorState();
        RollbackAndReleaseCurrentSubTransaction();
    }
    PG_END_TRY();
    MemoryContextSwitchTo(memory);
    CurrentResourceOwner = owner;
    return error != NULL ? say_failed(fcinfo, prepared, error) : result;
}

/* As lmtext_row_text; of a row whose text fails something by which the error is known again. */
PG_FUNCTION_INFO_V1(lmtext_try_text);
Datum
lmtext_try_text(PG_FUNCTION_ARGS)
{
    row_text *prepared = fcinfo->flinfo->fn_extra;
    text *result;

    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        PG_RETURN_NULL();
    result = try_to_evaluate(fcinfo, prepared != NULL ? prepared : prepare(fcinfo));
    if (result == NULL)
        PG_RETURN_NULL();
    PG_RETURN_TEXT_P(result);
}
