/*
 * args.c - arguments of the SQL entries; the contract is in args.h.
 */
#include "postgres.h"

#include <ctype.h>
#include <limits.h>

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "port/pg_bitutils.h"

#include "pg/compat.h"
#include "pg/fn/args.h"
#include "pg/glue/expr.h"
#include "pg/glue/once.h"

/* Measured on all-MiniLM-L6-v2: smaller batches are slower, larger ones only take memory. */
#define BATCH_TOKENS_DEFAULT 512
#define BATCH_TOKENS_MIN 16
#define BATCH_TOKENS_MAX 65536

/* What becomes of a text without a token. */
enum { ON_EMPTY_ERROR, ON_EMPTY_NULL };

int lmtext_batch_tokens = BATCH_TOKENS_DEFAULT;
static int on_long_setting = LM_LONG_TRUNCATE;
static int on_empty_setting = ON_EMPTY_ERROR;
static char *embedding_model = NULL;
static char *classification_model = NULL;

static const struct config_enum_entry on_long_values[] = {
    {"truncate", LM_LONG_TRUNCATE, false},
    {"error", LM_LONG_ERROR, false},
    {"mean", LM_LONG_MEAN, false},
    {NULL, 0, false},
};

static const struct config_enum_entry on_empty_values[] = {
    {"error", ON_EMPTY_ERROR, false},
    {"null", ON_EMPTY_NULL, false},
    {NULL, 0, false},
};

/* Defaults by lmtext_default. */
static const struct {
    char **value;
    const char *name;
    const char *example; /* for hints */
} model_settings[] = {
    [LMTEXT_DEFAULT_EMBEDDING] = {&embedding_model, "lmtext.embedding_model", "minilm"},
    [LMTEXT_DEFAULT_CLASSIFICATION] = {&classification_model, "lmtext.classification_model",
                                       "topic"},
};

/*
 * What a name's meaning depends on beside the name. Statements inside a function get new snapshots
 * while the command of the transaction stays the same; of one xmax, transactions only go.
 */
typedef struct name_guard {
    TransactionId xmin, xmax; /* of the snapshot */
    uint32 running, running_children;
    CommandId seen; /* of this transaction's commands */
    LocalTransactionId transaction;
    SubTransactionId subtransaction; /* a rollback to a savepoint takes no number of commands */
    CommandId command;
    Oid user;
    TimestampTz statement;
} name_guard;

/* Space that is used again for the next value. */
typedef struct memo_buffer {
    char *bytes;
    size_t size, space;
} memo_buffer;

typedef struct memo {
    bool valid;
    memo_buffer key; /* for each part: its length, then its bytes */
    memo_buffer value;
} memo;

/* Where the argument may change from row to row, larger memos are not kept. */
#define MEMO_BYTES ((size_t)1024 * 1024)

/*
 * The statement's latest memos of this backend, for other calls of the same function: in
 * `ORDER BY v <=> lmtext.embed('words')` an index scan and the target list each have their own,
 * a function in SQL has new ones each time that it is called, and (lmtext.classify_scored(body)).*
 * is a call for each column. Texts of rows have places of their own, where nothing is pushed out by
 * them: of each function the last.
 */
#define SHARED_MEMOS 4
#define SHARED_ROW_MEMOS 2
#define SHARED_BYTES ((size_t)64 * 1024) /* larger ones are not shared */

typedef struct shared_memo {
    Oid function;
    int slot;
    uint64 used; /* the one with the lowest number makes room */
    name_guard guard;
    memo memo;
} shared_memo;

static shared_memo shared_memos[SHARED_MEMOS], shared_row_memos[SHARED_ROW_MEMOS];
static uint64 shared_uses = 0;

/* Everything that hangs on one FmgrInfo; zeroed when made. */
typedef struct arg_state {
    bool type_known, pinned;
    uint64 looked_at, stable, steady; /* a bit for each argument (glue/expr.h) */
    Oid version;                      /* what `name` was resolved to, under guard and path */
    name_guard guard;
    char *name;
    char *path;
    memo memos[LMTEXT_MEMO_SLOTS];
    void *space;
    void *tally; /* lmtext_stats_model's */
} arg_state;

static arg_state *
state_of(FunctionCallInfo fcinfo)
{
    FmgrInfo *function = fcinfo->flinfo;

    if (function->fn_extra == NULL)
        function->fn_extra = MemoryContextAllocZero(function->fn_mcxt, sizeof(arg_state));
    return function->fn_extra;
}

bool
lmtext_arg_is_null(FunctionCallInfo fcinfo, int argno)
{
    return argno < 0 || argno >= PG_NARGS() || PG_ARGISNULL(argno);
}

/* The declared type, not that of the call's expression: calls without one exist. */
bool
lmtext_arg_pinned(FunctionCallInfo fcinfo, int argno)
{
    arg_state *state = state_of(fcinfo);
    Oid *types;
    int count;

    if (!state->type_known) {
        get_func_signature(fcinfo->flinfo->fn_oid, &types, &count);
        state->pinned = argno >= 0 && argno < count && types[argno] == REGCLASSOID;
        state->type_known = true;
        pfree(types);
    }
    return state->pinned;
}

static name_guard
guard_now(void)
{
    name_guard guard;

    memset(&guard, 0, sizeof(guard));
    if (ActiveSnapshotSet()) {
        Snapshot snapshot = GetActiveSnapshot();

        guard.xmin = snapshot->xmin;
        guard.xmax = snapshot->xmax;
        guard.running = snapshot->xcnt;
        guard.running_children = (uint32)snapshot->subxcnt;
        guard.seen = snapshot->curcid;
    }
    guard.transaction = LMTEXT_LXID;
    guard.subtransaction = GetCurrentSubTransactionId();
    guard.command = GetCurrentCommandId(false);
    guard.statement = GetCurrentStatementStartTimestamp();
    guard.user = GetUserId();
    return guard;
}

/* Replace a string of the state by a copy that lives as long as the FmgrInfo. */
static void
keep_string(FunctionCallInfo fcinfo, char **kept, const char *string)
{
    char *copy = MemoryContextStrdup(fcinfo->flinfo->fn_mcxt, string);

    if (*kept != NULL)
        pfree(*kept);
    *kept = copy;
}

static Oid
resolve_anew(FunctionCallInfo fcinfo, const char *name, Oid table, name_guard guard)
{
    arg_state *state = state_of(fcinfo);
    Oid version;

    state->version = InvalidOid;
    version =
        OidIsValid(table) ? lmtext_catalog_resolve_near(name, table) : lmtext_catalog_resolve(name);
    LMTEXT_FAULT_POINT("name_resolved");
    keep_string(fcinfo, &state->name, name);
    keep_string(fcinfo, &state->path, namespace_search_path);
    state->guard = guard;
    state->version = version;
    return version;
}

static bool
same_name(const char *kept, const char *bytes, size_t length)
{
    return kept != NULL && strlen(kept) == length && memcmp(kept, bytes, length) == 0;
}

/*
 * The version that a name means; looked up anew only when the answer could be another one. table:
 * of a trigger, whose FmgrInfo is this table's, or InvalidOid.
 */
static Oid
resolve_name(FunctionCallInfo fcinfo, const char *bytes, size_t length, Oid table)
{
    arg_state *state = state_of(fcinfo);
    name_guard guard = guard_now();

    if (OidIsValid(state->version) && same_name(state->name, bytes, length) &&
        memcmp(&state->guard, &guard, sizeof(guard)) == 0 &&
        strcmp(state->path, namespace_search_path) == 0)
        return state->version;
    return resolve_anew(fcinfo, pnstrdup(bytes, length), table, guard);
}

static Oid
resolve_default(FunctionCallInfo fcinfo, lmtext_default which)
{
    const char *name = *model_settings[which].value;

    if (name == NULL || name[0] == '\0')
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("no model was given and %s is not set", model_settings[which].name),
                        errhint("Name a model in the call, or set the default: SET %s = '%s'.",
                                model_settings[which].name, model_settings[which].example)));
    return resolve_name(fcinfo, name, strlen(name), InvalidOid);
}

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
    version = resolve_name(fcinfo, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), InvalidOid);
    error_context_stack = explain.previous;
    return version;
}

static lmtext_model *use_model(FunctionCallInfo fcinfo, Oid version);

lmtext_model *
lmtext_arg_model(FunctionCallInfo fcinfo, int argno, lmtext_default which)
{
    Oid version;

    if (lmtext_arg_pinned(fcinfo, argno)) {
        version = pinned_version(fcinfo, argno);
    } else if (lmtext_arg_is_null(fcinfo, argno)) {
        version = resolve_default(fcinfo, which);
    } else {
        version = resolve_argument(fcinfo, argno);
    }
    return use_model(fcinfo, version);
}

/* From here on the call counts under its model; one that failed before counts under none. */
static lmtext_model *
use_model(FunctionCallInfo fcinfo, Oid version)
{
    lmtext_model *model = lmtext_model_use(version);

    lmtext_stats_model(model, &state_of(fcinfo)->tally);
    return model;
}

lmtext_model *
lmtext_named_model(FunctionCallInfo fcinfo, const char *name)
{
    return use_model(fcinfo, resolve_name(fcinfo, name, strlen(name), InvalidOid));
}

lmtext_model *
lmtext_trigger_model(FunctionCallInfo fcinfo, const char *name, Oid table)
{
    return use_model(fcinfo, resolve_name(fcinfo, name, strlen(name), table));
}

static lm_on_long
parse_on_long(const char *word)
{
    const struct config_enum_entry *entry;

    for (entry = on_long_values; entry->name != NULL; entry++)
        if (strcmp(entry->name, word) == 0)
            return entry->val;
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("invalid value for on_long: \"%s\"", lmtext_clip(word)),
                    errhint("Allowed values: truncate, error, mean.")));
}

lm_on_long
lmtext_arg_on_long(FunctionCallInfo fcinfo, int model_argno, int argno)
{
    if (!lmtext_arg_pinned(fcinfo, model_argno))
        return on_long_setting;
    if (lmtext_arg_is_null(fcinfo, argno))
        return LM_LONG_TRUNCATE;
    return parse_on_long(text_to_cstring(PG_GETARG_TEXT_PP(argno)));
}

void
lmtext_embed_defaults(lm_embed_options *options, lm_on_long on_long)
{
    memset(options, 0, sizeof(*options));
    options->on_long = on_long;
    options->batch_tokens = lmtext_batch_tokens;
}

static void check_embeds(const lmtext_model *model);

int
lmtext_embed_width(lmtext_model *model, const lm_embed_options *options)
{
    int width = 0;

    check_embeds(model);
    lmtext_check(&model->call, lm_embed_width(&model->call.ctx, &model->model, options, &width),
                 model->name);
    return width;
}

/*
 * A classifier computes an embedding on its way, but who may use it was granted labels, not the
 * vectors of its base; and vectors of the two would meet under two names.
 */
static void
check_embeds(const lmtext_model *model)
{
    if (model->model.has_head)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("model \"%s\" cannot compute embeddings", model->name),
                        errdetail("Its task is %s.", model->model.info.task),
                        errhint("Use lmtext.classify with it; to embed, name the model that it is "
                                "built on: column base of lmtext.models.")));
}

/* *done is how many of the texts were computed, in their order. */
static lm_status
embed_counted(lmtext_model *model, const lm_text *texts, size_t count,
              const lm_embed_options *options, float *out, size_t *done)
{
    lm_embed_counts counts = {0};
    lm_status status = lm_embed(&model->call.ctx, model->session, &model->model, texts, count,
                                options, out, &counts);

    lmtext_count(model, &counts);
    *done = (size_t)counts.texts;
    return status;
}

void
lmtext_embed_texts(lmtext_model *model, const lm_text *texts, size_t count,
                   const lm_embed_options *options, float *out)
{
    size_t done;
    lm_status status = embed_counted(model, texts, count, options, out, &done);

    lmtext_check(&model->call, status, model->name);
    LMTEXT_FAULT_POINT("embedded");
}

/* Warned of once, and then at 10, 100, and so on, so that a table of them is not a table of
 * warnings. */
static void
warn_of_empty(FunctionCallInfo fcinfo)
{
    int64 *empty = lmtext_arg_space(fcinfo, 2 * sizeof(int64)), *next = empty + 1;

    if (++*empty < *next)
        return;
    *next = *empty * 10;
    ereport(WARNING,
            (errmsg_plural("%lld text without a token has no vector: the result is null",
                           "%lld texts without a token have no vector: the results are null",
                           (unsigned long)*empty, (long long)*empty)));
}

bool
lmtext_embed_text(FunctionCallInfo fcinfo, int model_argno, lmtext_model *model, lm_text text,
                  const lm_embed_options *options, float *out)
{
    size_t done;
    lm_status status = embed_counted(model, &text, 1, options, out, &done);

    if (status == LM_NO_TOKEN && on_empty_setting == ON_EMPTY_NULL &&
        model->call.interrupt == NULL && !lmtext_arg_pinned(fcinfo, model_argno)) {
        warn_of_empty(fcinfo);
        return false;
    }
    lmtext_check(&model->call, status, model->name);
    LMTEXT_FAULT_POINT("embedded");
    return true;
}

/* A cancel is nobody else's: it was taken, and must be thrown. */
size_t
lmtext_embed_some(lmtext_model *model, const lm_text *texts, size_t count,
                  const lm_embed_options *options, float *out)
{
    size_t done;
    lm_status status = embed_counted(model, texts, count, options, out, &done);

    if (status == LM_CANCELLED || model->call.interrupt != NULL)
        lmtext_check(&model->call, status, model->name);
    return done;
}

/* A value out of line is not worth being fetched for this: nobody has read it ahead. */
lm_text
lmtext_arg_bytes(FunctionCallInfo fcinfo, int argno)
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

static bool
arg_steady(FunctionCallInfo fcinfo, int argno)
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

static size_t
key_size(const lm_text *parts, int count)
{
    size_t size = 0;
    int i;

    for (i = 0; i < count; i++)
        size = add_size(size, add_size(sizeof(size_t), parts[i].length));
    return size;
}

static bool
key_equals(const memo *kept, const lm_text *parts, int count)
{
    const char *at = kept->key.bytes;
    int i;

    for (i = 0; i < count; i++) {
        size_t length;

        memcpy(&length, at, sizeof(length));
        if (length != parts[i].length ||
            (length > 0 && memcmp(at + sizeof(length), parts[i].bytes, length) != 0))
            return false;
        at += sizeof(length) + length;
    }
    return true;
}

static bool
memo_matches(const memo *kept, const lm_text *parts, int count)
{
    return kept->valid && kept->key.size == key_size(parts, count) &&
           key_equals(kept, parts, count);
}

/* Room for so many bytes. Small buffers grow by doubling, large ones do not outlive their value. */
static void
reserve(memo_buffer *buffer, MemoryContext memory, size_t size)
{
    buffer->size = size;
    if (size <= buffer->space && buffer->space <= MEMO_BYTES)
        return;
    if (buffer->bytes != NULL)
        pfree(buffer->bytes);
    buffer->bytes = NULL;
    buffer->space = 0;
    size = size < MEMO_BYTES ? pg_nextpower2_64(Max(size, 64)) : size;
    buffer->bytes = MemoryContextAllocHuge(memory, size);
    buffer->space = size;
}

static void
remember(memo *kept, MemoryContext memory, const lm_text *parts, int count, const void *value,
         size_t size)
{
    char *at;
    int i;

    kept->valid = false; /* until it is whole */
    reserve(&kept->key, memory, key_size(parts, count));
    at = kept->key.bytes;
    for (i = 0; i < count; i++) {
        memcpy(at, &parts[i].length, sizeof(size_t));
        if (parts[i].length > 0)
            memcpy(at + sizeof(size_t), parts[i].bytes, parts[i].length);
        at += sizeof(size_t) + parts[i].length;
    }
    LMTEXT_FAULT_POINT("memo_half_kept");
    reserve(&kept->value, memory, size);
    memcpy(kept->value.bytes, value, size);
    kept->valid = true;
}

static bool
shared_for(const shared_memo *shared, FunctionCallInfo fcinfo, int slot)
{
    return shared->function == fcinfo->flinfo->fn_oid && shared->slot == slot;
}

static const memo *
find_in(shared_memo *memos, int places, FunctionCallInfo fcinfo, int slot, const lm_text *parts,
        int count)
{
    name_guard guard;
    int i;

    for (i = 0; i < places; i++) {
        if (!shared_for(&memos[i], fcinfo, slot) || !memo_matches(&memos[i].memo, parts, count))
            continue;
        guard = guard_now();
        if (memcmp(&memos[i].guard, &guard, sizeof(guard)) != 0)
            continue;
        memos[i].used = ++shared_uses;
        return &memos[i].memo;
    }
    return NULL;
}

/* What another call of this function has computed in this statement from the same bytes. */
static const memo *
find_shared(FunctionCallInfo fcinfo, int slot, const lm_text *parts, int count)
{
    if (arg_steady(fcinfo, slot))
        return find_in(shared_memos, SHARED_MEMOS, fcinfo, slot, parts, count);
    return find_in(shared_row_memos, SHARED_ROW_MEMOS, fcinfo, slot, parts, count);
}

static shared_memo *
least_recently_used(shared_memo *memos, int places)
{
    shared_memo *oldest = &memos[0];
    int i;

    for (i = 1; i < places; i++)
        if (memos[i].used < oldest->used)
            oldest = &memos[i];
    return oldest;
}

static shared_memo *
place_to_share(FunctionCallInfo fcinfo, int slot)
{
    int i;

    if (arg_steady(fcinfo, slot))
        return least_recently_used(shared_memos, SHARED_MEMOS);
    for (i = 0; i < SHARED_ROW_MEMOS; i++)
        if (shared_for(&shared_row_memos[i], fcinfo, slot))
            return &shared_row_memos[i];
    return least_recently_used(shared_row_memos, SHARED_ROW_MEMOS);
}

static void
share(FunctionCallInfo fcinfo, int slot, const lm_text *parts, int count, const void *value,
      size_t size)
{
    shared_memo *shared = place_to_share(fcinfo, slot);

    remember(&shared->memo, TopMemoryContext, parts, count, value, size);
    shared->guard = guard_now();
    shared->slot = slot;
    shared->function = fcinfo->flinfo->fn_oid;
    shared->used = ++shared_uses;
}

const void *
lmtext_memo_find(FunctionCallInfo fcinfo, int slot, const lm_text *parts, int count, size_t *size)
{
    memo *kept = &state_of(fcinfo)->memos[slot];

    if (!memo_matches(kept, parts, count)) {
        const memo *found = find_shared(fcinfo, slot, parts, count);

        if (found == NULL)
            return NULL;
        remember(kept, fcinfo->flinfo->fn_mcxt, parts, count, found->value.bytes,
                 found->value.size);
    }
    lmtext_stats_hit();
    if (size != NULL)
        *size = kept->value.size;
    return kept->value.bytes;
}

const void *
lmtext_memo_keep(FunctionCallInfo fcinfo, int slot, const lm_text *parts, int count,
                 const void *value, size_t size)
{
    memo *kept = &state_of(fcinfo)->memos[slot];
    size_t all = add_size(size, key_size(parts, count));

    if (all > MEMO_BYTES && !arg_stable(fcinfo, slot))
        return value;
    remember(kept, fcinfo->flinfo->fn_mcxt, parts, count, value, size);
    if (all <= SHARED_BYTES)
        share(fcinfo, slot, parts, count, value, size);
    return kept->value.bytes;
}

void *
lmtext_arg_space(FunctionCallInfo fcinfo, size_t size)
{
    arg_state *state = state_of(fcinfo);

    if (state->space == NULL)
        state->space = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, size);
    return state->space;
}

static void
define_model_setting(const char *name, const char *purpose, char **value)
{
    LMTEXT_SETTING(
        String, name, purpose,
        "The name is looked up by search_path, as a table is. An empty string means none.", value,
        "", PGC_USERSET, 0, NULL, NULL, NULL);
}

void
lmtext_fn_init(void)
{
    define_model_setting("lmtext.embedding_model",
                         "Sets the model of calls that embed and name no model.", &embedding_model);
    define_model_setting("lmtext.classification_model",
                         "Sets the model of calls that classify and name no model.",
                         &classification_model);
    LMTEXT_SETTING(Enum, "lmtext.on_long",
                   "Sets how a text that is longer than the model's window is read.",
                   "It does not apply to calls that are pinned to a version.", &on_long_setting,
                   LM_LONG_TRUNCATE, on_long_values, PGC_USERSET, 0, NULL, NULL, NULL);
    LMTEXT_SETTING(Enum, "lmtext.on_empty",
                   "Sets the result for a text without a token, if the tokenizer adds none.",
                   "It does not apply to calls that are pinned to a version.", &on_empty_setting,
                   ON_EMPTY_ERROR, on_empty_values, PGC_USERSET, 0, NULL, NULL, NULL);
    LMTEXT_SETTING(Int, "lmtext.batch_tokens",
                   "Sets the number of tokens that are computed as one batch.", NULL,
                   &lmtext_batch_tokens, BATCH_TOKENS_DEFAULT, BATCH_TOKENS_MIN, BATCH_TOKENS_MAX,
                   PGC_USERSET, 0, NULL, NULL, NULL);
}
