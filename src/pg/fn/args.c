/*
 * args.c - arguments of the SQL entries; the contract is in args.h.
 */
#include "postgres.h"

#include <ctype.h>
#include <limits.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/fn/args.h"
#include "pg/glue/expr.h"
#include "pg/service/lookahead.h"
#include "pg/service/resolver.h"
#include "pg/service/tasks.h"

/* Everything that hangs on one FmgrInfo; zeroed when made. */
typedef struct arg_state {
    const lmtext_entry *entry; /* NULL: not called yet */
    const lm_task *task;       /* the entry's */
    int32 number;              /* of the entry, for statistics */
    bool type_known, pinned;
    uint64 looked_at, stable, steady; /* a bit for each argument (glue/expr.h) */
    lmtext_stats_pace pace;           /* of a brief entry */
    lmtext_resolver resolver;
    uint64 fits; /* build of the model that was found to have the entry's task */
    lmtext_memo memos[LMTEXT_MEMO_SLOTS];
    lmtext_empty_texts empty;
    void *space;
} arg_state;

static arg_state *
state_of(FunctionCallInfo fcinfo)
{
    FmgrInfo *function = fcinfo->flinfo;

    if (function->fn_extra == NULL) {
        arg_state *state = MemoryContextAllocZero(function->fn_mcxt, sizeof(arg_state));

        state->resolver.memory = function->fn_mcxt;
        function->fn_extra = state;
    }
    return function->fn_extra;
}

Datum
lmtext_entry_call(FunctionCallInfo fcinfo, const lmtext_entry *entry, PGFunction work)
{
    arg_state *state = state_of(fcinfo);
    Datum result;
    int call;

    if (state->entry == NULL) {
        state->number = lmtext_entry_number(entry->name);
        state->task = entry->task != NULL ? lm_task_find(entry->task) : NULL;
        state->entry = entry;
    }
    call = entry->brief ? lmtext_stats_begin_brief(state->number, &state->pace)
                        : lmtext_stats_begin(state->number);
    result = work(fcinfo);
    lmtext_stats_end(call);
    return result;
}

bool
lmtext_arg_is_null(FunctionCallInfo fcinfo, int argno)
{
    return argno < 0 || argno >= PG_NARGS() || PG_ARGISNULL(argno);
}

/* The declared type, not that of the call's expression: calls without one exist. */
bool
lmtext_arg_pinned(FunctionCallInfo fcinfo)
{
    arg_state *state = state_of(fcinfo);
    int argno = lmtext_entry_model(state->entry);
    Oid *types;
    int count;

    if (!state->type_known) {
        get_func_signature(fcinfo->flinfo->fn_oid, &types, &count);
        state->pinned = argno < count && types[argno] == REGCLASSOID;
        state->type_known = true;
        pfree(types);
    }
    return state->pinned;
}

/* ---- Which model ---- */

static Oid
pinned_version(FunctionCallInfo fcinfo, int argno)
{
    if (PG_ARGISNULL(argno))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("the pinned model version must not be null"),
                        errhint("A call that is pinned to a version has no default model: write "
                                "'minilm@1'::regclass.")));
    return PG_GETARG_OID(argno);
}

/* "organisation/model", as hubs name models. */
static bool
is_hub_name(const char *bytes, size_t length)
{
    size_t slashes = 0;

    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '/')
            slashes += i > 0 && i + 1 < length ? 1 : 2;
        else if (!isalnum((unsigned char)bytes[i]) && strchr("-_.", bytes[i]) == NULL)
            return false;
    }
    return slashes == 1;
}

/* Called when an error is thrown: only looks at what lies there. */
static void
explain_order(void *argument)
{
    FunctionCallInfo fcinfo = argument;
    struct varlena *first;

    if ((geterrcode() != ERRCODE_UNDEFINED_OBJECT && geterrcode() != ERRCODE_INVALID_NAME) ||
        PG_ARGISNULL(0) || get_fn_expr_argtype(fcinfo->flinfo, 0) != TEXTOID)
        return;
    first = (struct varlena *)PG_GETARG_POINTER(0);
    if (!VARATT_IS_EXTERNAL(first) && !VARATT_IS_COMPRESSED(first) &&
        is_hub_name(VARDATA_ANY(first), VARSIZE_ANY_EXHDR(first)))
        errhint("The text comes first, then the name under which the model was imported: "
                "lmtext.embed('a text', 'minilm').");
}

/* A name that no model has may be the text, in the order of arguments of other products. */
static Oid
resolve_argument(FunctionCallInfo fcinfo, int argno)
{
    text *name = PG_GETARG_TEXT_PP(argno);
    ErrorContextCallback explain = {error_context_stack, explain_order, fcinfo};
    Oid version;

    error_context_stack = &explain;
    version = lmtext_resolver_named(&state_of(fcinfo)->resolver, VARDATA_ANY(name),
                                    VARSIZE_ANY_EXHDR(name));
    error_context_stack = explain.previous;
    return version;
}

static lmtext_model *
default_model(FunctionCallInfo fcinfo, const lm_task *task)
{
    return lmtext_named_model(fcinfo, lmtext_task_default(task));
}

lmtext_model *
lmtext_arg_model(FunctionCallInfo fcinfo)
{
    arg_state *state = state_of(fcinfo);
    const lmtext_entry *entry = state->entry;
    int argno = lmtext_entry_model(entry);
    lmtext_model *model;

    if (lmtext_arg_pinned(fcinfo))
        model = lmtext_resolver_use(&state->resolver, pinned_version(fcinfo, argno));
    else if (lmtext_arg_is_null(fcinfo, argno))
        model = default_model(fcinfo, state->task);
    else
        model = lmtext_resolver_use(&state->resolver, resolve_argument(fcinfo, argno));
    if (!entry->any_task && !entry->any_encoder && state->fits != model->build) {
        lmtext_task_check(model, entry->task);
        state->fits = model->build;
    }
    return model;
}

lmtext_model *
lmtext_default_model(FunctionCallInfo fcinfo, const char *task)
{
    return default_model(fcinfo, lm_task_find(task));
}

lmtext_model *
lmtext_named_model(FunctionCallInfo fcinfo, const char *name)
{
    lmtext_resolver *resolver = &state_of(fcinfo)->resolver;

    return lmtext_resolver_use(resolver, lmtext_resolver_named(resolver, name, strlen(name)));
}

lmtext_model *
lmtext_trigger_model(FunctionCallInfo fcinfo, const char *name, Oid table)
{
    lmtext_resolver *resolver = &state_of(fcinfo)->resolver;

    return lmtext_resolver_use(resolver, lmtext_resolver_near(resolver, name, table));
}

/* ---- Values ---- */

lm_on_long
lmtext_arg_on_long(FunctionCallInfo fcinfo, int argno)
{
    if (!lmtext_arg_pinned(fcinfo))
        return lmtext_on_long();
    if (lmtext_arg_is_null(fcinfo, argno))
        return LM_LONG_TRUNCATE;
    return lmtext_on_long_named(text_to_cstring(PG_GETARG_TEXT_PP(argno)));
}

/* As the row holds them; a value out of line is not worth being fetched: nobody has read it ahead.
 */
static lm_text
arg_bytes(FunctionCallInfo fcinfo, int argno)
{
    struct varlena *value = (struct varlena *)PG_GETARG_POINTER(argno);

    if (VARATT_IS_EXTERNAL(value) || VARATT_IS_COMPRESSED(value))
        return (lm_text){NULL, 0};
    return (lm_text){VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

lm_text
lmtext_arg_text(FunctionCallInfo fcinfo, int argno)
{
    return lmtext_utf8_from_text(PG_GETARG_TEXT_PP(argno));
}

char *
lmtext_arg_cstring(FunctionCallInfo fcinfo, int argno)
{
    lm_text value;

    if (lmtext_arg_is_null(fcinfo, argno))
        return NULL;
    value = lmtext_arg_text(fcinfo, argno);
    return pnstrdup(value.bytes, value.length);
}

bool
lmtext_arg_bool(FunctionCallInfo fcinfo, int argno, bool fallback)
{
    return lmtext_arg_is_null(fcinfo, argno) ? fallback : PG_GETARG_BOOL(argno);
}

lm_side
lmtext_arg_side(FunctionCallInfo fcinfo, int argno)
{
    const char *role = lmtext_arg_cstring(fcinfo, argno);

    if (role == NULL || strcmp(role, "document") == 0)
        return LM_SIDE_DOCUMENT;
    if (strcmp(role, "query") == 0)
        return LM_SIDE_QUERY;
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("invalid value for role: \"%s\"", lmtext_clip(role)),
                    errhint("Allowed values: query, document.")));
}

int
lmtext_arg_int(FunctionCallInfo fcinfo, int argno, const char *name, int fallback, int low,
               int high)
{
    int value;

    if (lmtext_arg_is_null(fcinfo, argno))
        return fallback;
    value = PG_GETARG_INT32(argno);
    if (value < low || (value > high && high != INT_MAX))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("%s is out of range: %d", name, value),
                        high == INT_MAX ? errdetail("It must be at least %d.", low)
                                        : errdetail("It must be from %d to %d.", low, high)));
    return value;
}

/* Does a set of arguments have this one? The argument's expression is looked at once. */
static bool
in_set(FunctionCallInfo fcinfo, const uint64 *set, int argno)
{
    arg_state *state = state_of(fcinfo);
    uint64 bit = UINT64CONST(1) << argno;

    if ((state->looked_at & bit) == 0) {
        List *arguments = lmtext_call_arguments(fcinfo->flinfo->fn_expr);
        Node *argument = argno < list_length(arguments) ? list_nth(arguments, argno) : NULL;

        state->looked_at |= bit;
        state->stable |= lmtext_is_stable(argument) ? bit : 0;
        state->steady |= lmtext_is_steady(argument) ? bit : 0;
    }
    return (*set & bit) != 0;
}

static bool
arg_stable(FunctionCallInfo fcinfo, int argno)
{
    return in_set(fcinfo, &state_of(fcinfo)->stable, argno);
}

bool
lmtext_arg_steady(FunctionCallInfo fcinfo, int argno)
{
    return in_set(fcinfo, &state_of(fcinfo)->steady, argno);
}

bool
lmtext_args_stable(FunctionCallInfo fcinfo, int first, int last)
{
    int argno;

    for (argno = first; argno <= last && argno < PG_NARGS(); argno++)
        if (!arg_stable(fcinfo, argno))
            return false;
    return true;
}

/* ---- Results ---- */

lmtext_memo *
lmtext_arg_memo(FunctionCallInfo fcinfo, int argno)
{
    lmtext_memo *memo = &state_of(fcinfo)->memos[argno];

    if (memo->memory == NULL) {
        memo->function = fcinfo->flinfo->fn_oid;
        memo->argno = argno;
        memo->stable = arg_stable(fcinfo, argno);
        memo->steady = lmtext_arg_steady(fcinfo, argno);
        memo->memory = fcinfo->flinfo->fn_mcxt;
    }
    return memo;
}

const void *
lmtext_arg_ahead(FunctionCallInfo fcinfo, int argno, const lmtext_inference *inference,
                 size_t item_size)
{
    return lmtext_lookahead_item(fcinfo->flinfo->fn_expr, argno, arg_bytes(fcinfo, argno),
                                 inference, item_size);
}

/* May the text be another in the next row, while all that is no text stays the same? */
static bool
may_be_ahead(FunctionCallInfo fcinfo, int argno)
{
    int texts = state_of(fcinfo)->entry->texts;

    return !state_of(fcinfo)->entry->any_encoder && !arg_stable(fcinfo, argno) &&
           lmtext_args_stable(fcinfo, texts, PG_NARGS() - 1);
}

const void *
lmtext_arg_result(FunctionCallInfo fcinfo, int argno, const lmtext_inference *inference)
{
    lm_text text = lmtext_arg_text(fcinfo, argno), parts[LMTEXT_INFER_PARTS];
    lmtext_memo *memo = lmtext_arg_memo(fcinfo, argno);
    const void *result;
    size_t size;

    lmtext_infer_parts(inference, text, parts);
    result = lmtext_memo_find(memo, parts, LMTEXT_INFER_PARTS);
    if (result != NULL)
        return result;
    size = inference->kind->size(inference);
    if (may_be_ahead(fcinfo, argno))
        result = lmtext_arg_ahead(fcinfo, argno, inference, size);
    if (result == NULL) {
        void *made = palloc(size);

        if (!lmtext_arg_infer(fcinfo, inference, text, made))
            return NULL;
        result = made;
    }
    if (inference->kind->length != NULL) {
        result = *(const void *const *)result;
        size = inference->kind->length(result);
    }
    return lmtext_memo_keep(memo, parts, LMTEXT_INFER_PARTS, result, size);
}

/* The pair's memo lies where that of a first text would be: no entry has both. */
static lmtext_memo *
pair_memo(FunctionCallInfo fcinfo)
{
    lmtext_memo *memo = lmtext_arg_memo(fcinfo, 0);

    memo->stable = arg_stable(fcinfo, 0) && arg_stable(fcinfo, 1);
    memo->steady = lmtext_arg_steady(fcinfo, 0) && lmtext_arg_steady(fcinfo, 1);
    return memo;
}

/* Other calls of the row may be on the same encoder. */
static lmtext_inference
share(FunctionCallInfo fcinfo, const lmtext_inference *inference)
{
    lmtext_inference shared = *inference;

    shared.options.states = lmtext_lookahead_states(fcinfo->flinfo->fn_expr, inference->model);
    return shared;
}

/* A pair's result that was made with those of the rows after it. */
static const void *
pair_ahead(FunctionCallInfo fcinfo, const lm_text pair[2], const lmtext_inference *inference,
           size_t size)
{
    const bool stable[] = {arg_stable(fcinfo, 0), arg_stable(fcinfo, 1)};
    const lm_text bytes[] = {arg_bytes(fcinfo, 0), arg_bytes(fcinfo, 1)};
    const lm_text *const same[] = {stable[0] ? &pair[0] : NULL, stable[1] ? &pair[1] : NULL};

    if ((stable[0] && stable[1]) || !lmtext_args_stable(fcinfo, 2, PG_NARGS() - 1))
        return NULL;
    return lmtext_lookahead_pair(fcinfo->flinfo->fn_expr, bytes, same, inference, size);
}

const void *
lmtext_arg_pair(FunctionCallInfo fcinfo, const lmtext_inference *inference)
{
    const lm_text pair[] = {lmtext_arg_text(fcinfo, 0), lmtext_arg_text(fcinfo, 1)};
    lm_text parts[LMTEXT_INFER_PARTS + 1];
    lmtext_memo *memo = pair_memo(fcinfo);
    const void *result;
    size_t size;

    lmtext_infer_parts(inference, pair[0], parts);
    parts[LMTEXT_INFER_PARTS] = pair[1];
    result = lmtext_memo_find(memo, parts, LMTEXT_INFER_PARTS + 1);
    if (result != NULL)
        return result;
    size = inference->kind->size(inference);
    result = pair_ahead(fcinfo, pair, inference, size);
    if (result == NULL) {
        const lmtext_inference shared = share(fcinfo, inference);
        void *made = palloc(size);

        lmtext_infer(&shared, pair, 1, made);
        result = made;
    }
    if (inference->kind->length != NULL) {
        result = *(const void *const *)result;
        size = inference->kind->length(result);
    }
    return lmtext_memo_keep(memo, parts, LMTEXT_INFER_PARTS + 1, result, size);
}

bool
lmtext_arg_infer(FunctionCallInfo fcinfo, const lmtext_inference *inference, lm_text text,
                 void *result)
{
    const lmtext_inference shared = share(fcinfo, inference);
    bool may_be_null = inference->kind->may_be_null && !lmtext_arg_pinned(fcinfo);

    return lmtext_infer_text(&shared, text, result, may_be_null ? &state_of(fcinfo)->empty : NULL);
}

void *
lmtext_arg_space(FunctionCallInfo fcinfo, size_t size)
{
    arg_state *state = state_of(fcinfo);

    if (state->space == NULL)
        state->space = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, size);
    return state->space;
}
