/*
 * insert.c - one row: its vector is taken over from a row of the same text; else it waits for being
 * embedded, or is embedded at once.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "pg/am/words.h"

/* Lives as long as the statement that inserts. */
typedef struct insert_state {
    lmtext_kind kind;
    lmtext_embedder embedder;
    lmtext_cutter cutter; /* of words, where there are some */
    lmtext_store store;   /* width 0: no row has come yet */
    bool depends;         /* the index is known to hold its model */
    bool may_wait;        /* rows are embedded later */
    BlockNumber room;     /* where rows that wait are added */
    uint32 waiting;       /* about so many */
    MemoryContext memory, row;
    lmtext_call call;
} insert_state;

/* A row on its way into the index. */
typedef struct new_row {
    lmtext_row row;
    float *x; /* (width) prepared */
    int width;
} new_row;

static insert_state *
state_of(Relation index, Relation heap, IndexInfo *info)
{
    insert_state *state = info->ii_AmCache;
    MemoryContext caller;

    if (state != NULL)
        return state;
    caller = MemoryContextSwitchTo(info->ii_Context);
    state = palloc0(sizeof(*state));
    state->kind = lmtext_index_kind(index);
    state->may_wait = state->kind.text && lmtext_may_wait(index, heap);
    state->room = InvalidBlockNumber;
    state->memory = info->ii_Context;
    state->embedder.resolver.memory = info->ii_Context;
    lmtext_store_open(index, &state->store);
    if (state->store.meta.words != InvalidBlockNumber)
        state->cutter = lmtext_cutter_make(index, false);
    state->row = AllocSetContextCreate(info->ii_Context, "lmtext row", ALLOCSET_DEFAULT_SIZES);
    lmtext_call_init(&state->call, state->row);
    MemoryContextSwitchTo(caller);
    info->ii_AmCache = state;
    return state;
}

/* The index has its width with its first row. */
static void
begin_index(insert_state *state, Relation index, int width)
{
    const lmtext_begin begin = {
        .width = width,
        .digest = state->kind.text ? &state->embedder.inference.model->identity.digest : NULL,
        .lists = 1,
    };
    MemoryContext caller;

    if (state->store.meta.width == 0) {
        lmtext_store_begin(index, &begin, false);
        caller = MemoryContextSwitchTo(state->memory);
        lmtext_store_open(index, &state->store);
        MemoryContextSwitchTo(caller);
    }
    if (state->kind.text)
        lmtext_embedder_check(&state->embedder, index, &state->store.meta);
    else if (state->store.meta.width != width)
        ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
                        errmsg("vectors have different dimensions: %d and %d",
                               state->store.meta.width, width)));
}

/* False: a vector without a direction, which is in no index by cosine. */
static bool
encode(insert_state *state, Relation index, const float *vector, new_row *made)
{
    bool zero;

    made->x = palloc(made->width * sizeof(float));
    lmtext_check(
        &state->call,
        lm_space_prepare(&state->call.ctx, state->kind.metric, made->width, vector, made->x, &zero),
        NULL);
    if (zero && state->kind.metric == LM_DISTANCE_COSINE)
        return false;
    begin_index(state, index, made->width);
    made->row.vector = palloc(state->store.layout.row_bytes);
    lm_int8_row_encode(state->store.space, made->x, made->row.vector);
    return true;
}

static bool
take_over(insert_state *state, new_row *made)
{
    const lmtext_store *store = &state->store;

    if (store->meta.width == 0)
        return false;
    made->row.vector = palloc(store->layout.row_bytes);
    if (!lmtext_hashes_find(store, made->row.hash, made->row.vector))
        return false;
    made->width = store->meta.width;
    made->x = palloc(made->width * sizeof(float));
    lm_int8_row_decode(store->space, made->row.vector, made->x);
    return true;
}

/*
 * The option may have changed since the index was made without rows. Once a statement: where the
 * first one is rolled back, its row is still there.
 */
static void
depend(insert_state *state, Relation index)
{
    if (!state->depends)
        lmtext_index_depend(index, state->embedder.inference.model->relid);
    state->depends = true;
}

/* The statement's first text finds the model, for its errors, and the dependency on it. */
static void
use_model(insert_state *state, Relation index)
{
    lmtext_embedder_rows(&state->embedder, index);
    lmtext_embedder_check(&state->embedder, index, &state->store.meta);
    depend(state, index);
}

/* A model without layers is as quick as a row that waits is written. */
static bool
is_quick(const lmtext_model *model)
{
    return lm_model_view(&model->model, LM_SECTION_VECTORS) != NULL;
}

/* Is it left to whoever needs it? The index's first row is not, which says the index's width. */
static bool
waits(insert_state *state, Relation index, ItemPointer tid)
{
    if (!state->may_wait || state->store.meta.width == 0)
        return false;
    if (!state->depends) {
        use_model(state, index);
        state->may_wait = !is_quick(state->embedder.inference.model);
    }
    if (!state->may_wait)
        return false;
    state->waiting = lmtext_waiting_add(&state->store, &state->room, tid);
    return true;
}

/* False: the row waits; or the text has no token, and lmtext.on_empty says that this is no error.
 */
static bool
embed(insert_state *state, Relation index, Datum value, new_row *made)
{
    lm_text words = lmtext_utf8_from_text(DatumGetTextPP(value));
    lmtext_embedder *embedder = &state->embedder;
    float *vector;

    made->row.hash = lmtext_value_hash(&state->store.meta, words.bytes, words.length);
    if (take_over(state, made))
        return true;
    if (waits(state, index, &made->row.tid))
        return false;
    use_model(state, index);
    made->width = lmtext_embed_width(embedder->inference.model, &embedder->inference.options);
    vector = palloc(made->width * sizeof(float));
    return lmtext_infer_text(&embedder->inference, words, vector, &embedder->empty) &&
           encode(state, index, vector, made);
}

static bool
read_vector(insert_state *state, Relation index, Datum value, new_row *made)
{
    const float *vector =
        lmtext_value_floats(&state->kind, value, state->store.meta.width, &made->width);

    return encode(state, index, vector, made);
}

static void
put_vector(insert_state *state, Relation index, Datum value, new_row *made)
{
    uint64 item;

    if (!(state->kind.text ? embed(state, index, value, made)
                           : read_vector(state, index, value, made)))
        return;
    item = lmtext_rows_put(&state->store, &made->row, made->x, NULL);
    if (state->kind.text)
        lmtext_hashes_add(&state->store, made->row.hash, item);
}

/* So many wait that they are embedded now, in batches; while another session does so, only when
 * there are many more. */
static void
flush_many(insert_state *state, Relation index, Relation heap)
{
    uint32 limit = (uint32)lmtext_index_pending_option(index);

    if (state->waiting == 0 || state->waiting < limit)
        return;
    (void)lmtext_flush(index, heap, state->waiting / 4 >= limit);
    state->waiting = 0;
    state->room = InvalidBlockNumber;
}

bool
lmtext_am_insert(Relation index, Datum *values, bool *nulls, ItemPointer tid, Relation heap,
                 IndexUniqueCheck unique, bool unchanged, IndexInfo *info)
{
    insert_state *state;
    MemoryContext caller;
    new_row made = {.row.tid = *tid};
    int call;

    if (nulls[0])
        return false;
    call = lmtext_index_stats_begin();
    state = state_of(index, heap, info);
    caller = MemoryContextSwitchTo(state->row);
    if (lmtext_index_has_vectors(index) || state->store.meta.width > 0)
        put_vector(state, index, values[0], &made);
    if (state->store.meta.words != InvalidBlockNumber)
        lmtext_words_insert(&state->cutter, index, &state->store.meta, values[0], tid);
    MemoryContextSwitchTo(caller);
    MemoryContextReset(state->row);
    flush_many(state, index, heap);
    lmtext_stats_end(call);
    return false;
}
