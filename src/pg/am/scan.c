/*
 * scan.c - rows by their distance, nearest first, as many as are asked for.
 *
 * A scan goes in rounds. Each looks at the codes of some lists, has the int8 vectors of the best
 * candidates decide, and returns the best of those; when more rows are asked for, the next round
 * looks at four times as many, until the last one decides on all rows by int8 vectors. A round
 * returns fewer rows than it has decided on, so that the next one seldom finds a nearer row; such a
 * one comes late, or with lmtext.ordering = strict not at all.
 */
#include "postgres.h"

#include <math.h>

#include "access/relscan.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "pg/am/index.h"
#include "pg/service/kept.h"
#include "pg/service/known.h"
#include "pg/service/tasks.h"
#include "search/index_plan.h"
#include "search/top.h"

#define WANTED 10       /* rows that most queries want; the first round is planned for them */
#define GROWTH 4        /* of a round to the next */
#define RETURNED 2.0 / 5 /* of the candidates of a round */

/* A row whose distance is known. */
typedef struct candidate {
    float distance;
    ItemPointerData tid;
    uint64 item;
    lm_hash128 hash;
} candidate;

typedef struct seen_item {
    uint64 item;
    char status;
} seen_item;

#define SH_PREFIX seen
#define SH_ELEMENT_TYPE seen_item
#define SH_KEY_TYPE uint64
#define SH_KEY item
#define SH_HASH_KEY(table, key) ((uint32)(((key)*UINT64CONST(0x9E3779B97F4A7C15)) >> 32))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

typedef struct scan_state {
    MemoryContext memory; /* of a rescan */
    bool begun;
    lmtext_kind kind;
    lmtext_store store;
    lmtext_call call;
    lm_query *query;   /* NULL: the words are null, and so are all distances */
    lmtext_known *known;

    /* The words of the scan, and their vector: those of the next rescan may be the same. */
    MemoryContext whole;
    lmtext_embedder embedder;
    lmtext_resolver operator; /* of the operator's model */
    char *words;
    size_t words_length;
    uint64 words_build; /* of the model that embedded them; 0: none */
    float *words_vector;

    double rows;           /* of the index, at most */
    size_t probes, rerank; /* of this round */
    bool final;            /* there is no further round */
    seen_hash *seen;       /* items that have been decided on, from the second round on */
    candidate *found;      /* sorted from `at` on */
    size_t count, space, at;
    double limit; /* rows that are returned before the next round */
    float last;   /* distance of the row that was returned last */
} scan_state;

/* ---- The words ---- */

/* The operator's model by now: a plan that was made for another one does not run. */
static void
check_operator(scan_state *state, Relation index)
{
    const char *name = lmtext_task_default(lm_task_find("embedding"));
    Oid operators = lmtext_resolver_named(&state->operator, name, strlen(name));
    const lmtext_model *model = state->embedder.inference.model;

    if (operators != model->relid && !lmtext_kept_same(operators, model->relid))
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("index \"%s\" is of model \"%s\", and the operator of \"%s\"",
                        RelationGetRelationName(index), model->name,
                        lmtext_catalog_display_name(operators)),
                 errhint("The statement was planned before lmtext.embedding_model changed: run it "
                         "again.")));
}

/* What the last rescan embedded is not embedded again. False: no token, which is no error. */
static bool
embed_words(scan_state *state, lm_text text)
{
    const lmtext_inference *inference = &state->embedder.inference;
    int width = lmtext_embed_width(inference->model, &inference->options);

    if (state->words_build == inference->model->build && state->words_length == text.length &&
        memcmp(state->words, text.bytes, text.length) == 0)
        return true;
    state->words_build = 0;
    state->words = MemoryContextAlloc(state->whole, text.length + 1);
    memcpy(state->words, text.bytes, text.length);
    state->words_length = text.length;
    state->words_vector = MemoryContextAlloc(state->whole, width * sizeof(float));
    if (!lmtext_infer_text(inference, text, state->words_vector, &state->embedder.empty))
        return false;
    state->words_build = inference->model->build;
    return true;
}

/* What the operator will ask for. */
static void
open_known(scan_state *state)
{
    lmtext_known *known = MemoryContextAlloc(state->memory, sizeof(*known));

    known->model = state->embedder.inference.model->identity.digest;
    known->words = (lm_text){state->words, state->words_length};
    memcpy(known->key, state->store.meta.hash_key, sizeof known->key);
    lmtext_known_open(known, state->memory);
    state->known = known;
}

static const float *
vector_of_words(scan_state *state, Relation index, Datum value)
{
    lmtext_embedder_words(&state->embedder, index);
    check_operator(state, index);
    lmtext_embedder_check(&state->embedder, index, &state->store.meta);
    if (!embed_words(state, lmtext_utf8_from_text(DatumGetTextPP(value))))
        return NULL;
    open_known(state);
    return state->words_vector;
}

static void
set_query(scan_state *state, Relation index, const ScanKeyData *order)
{
    const float *vector;
    int width;

    if ((order->sk_flags & SK_ISNULL) != 0)
        return;
    vector = state->kind.text
                 ? vector_of_words(state, index, order->sk_argument)
                 : lmtext_value_floats(order->sk_argument, state->store.meta.width, &width);
    if (vector == NULL)
        return;
    lmtext_check(&state->call,
                 lm_query_create(&state->call.ctx, state->store.space, &state->query), NULL);
    lmtext_check(&state->call, lm_query_set(&state->call.ctx, state->query, vector), NULL);
}

/* ---- Candidates ---- */

static void
add_candidate(scan_state *state, const candidate *one)
{
    if (state->count == state->space) {
        state->space = Max(state->space * 2, 256);
        state->found = state->found == NULL
                           ? MemoryContextAllocHuge(state->memory, state->space * sizeof(*one))
                           : repalloc_huge(state->found, state->space * sizeof(*one));
    }
    state->found[state->count++] = *one;
}

/* Has the row been decided on in an earlier round? */
static bool
is_seen(scan_state *state, uint64 item)
{
    bool found = false;

    if (state->seen != NULL)
        (void)seen_insert(state->seen, item, &found);
    return found;
}

/* One row by its int8 vector; its page of codes is locked. */
static void
decide(scan_state *state, Page page, BlockNumber block, int row, uint8 *vector)
{
    const lmtext_layout *layout = &state->store.layout;
    candidate one = {.item = LMTEXT_ITEM(block, row)};

    if ((lmtext_codes_mask(page)[row / LM_BLOCK_ROWS] >> row % LM_BLOCK_ROWS & 1) == 0 ||
        is_seen(state, one.item))
        return;
    one.tid = lmtext_codes_tids(layout, page)[row];
    if (!ItemPointerIsValid(&one.tid))
        lmtext_index_damaged(state->store.index, block, "It has a row without a place.");
    if (!lmtext_row_read(&state->store, page, block, row, &one.hash, vector))
        lmtext_index_damaged(state->store.index, block, "It has a row without a vector.");
    if (state->query != NULL)
        one.distance = lm_int8_row_distance(state->query, vector);
    if (isnan(one.distance))
        lmtext_index_damaged(state->store.index, block, "A vector of it is not finite.");
    add_candidate(state, &one);
}

static int
by_item(const void *a, const void *b)
{
    uint64 left = ((const lm_top_entry *)a)->item, right = ((const lm_top_entry *)b)->item;

    return left < right ? -1 : left > right;
}

/* The rows that codes have found, page by page. */
static void
decide_top(scan_state *state, lm_top *top)
{
    uint8 *vector = palloc(state->store.layout.row_bytes);
    Buffer buffer = InvalidBuffer;

    qsort(top->entries, top->count, sizeof(*top->entries), by_item);
    for (size_t i = 0; i < top->count; i++) {
        BlockNumber block = LMTEXT_ITEM_BLOCK(top->entries[i].item);

        if (BufferIsValid(buffer) && BufferGetBlockNumber(buffer) != block) {
            UnlockReleaseBuffer(buffer);
            buffer = InvalidBuffer;
            CHECK_FOR_INTERRUPTS();
        }
        if (!BufferIsValid(buffer))
            buffer = lmtext_codes_read(&state->store, block, BUFFER_LOCK_SHARE);
        decide(state, BufferGetPage(buffer), block, LMTEXT_ITEM_ROW(top->entries[i].item), vector);
    }
    if (BufferIsValid(buffer))
        UnlockReleaseBuffer(buffer);
    pfree(vector);
}

/* ---- Codes ---- */

/* A list that is looked at. */
typedef struct probe {
    scan_state *state;
    lm_top *top; /* NULL: all rows are decided on */
    float base;
    uint8 *vector;
} probe;

/* The codes of a block that is too wide for its page. */
static uint32
scan_strips(const probe *p, Page page, BlockNumber block, float distances[32])
{
    const lmtext_store *store = &p->state->store;
    const BlockNumber *strips = lmtext_codes_strips(&store->layout, page);
    size_t padded = store->space->padded;
    uint32 sums[32] = {0};

    for (int i = 0; i < store->layout.strips; i++) {
        size_t first = i * LMTEXT_STRIP_WIDTH;
        Buffer buffer =
            lmtext_page_read(store->index, strips[i], LMTEXT_PAGE_STRIP, BUFFER_LOCK_SHARE);

        if (lmtext_page_tail_of(BufferGetPage(buffer))->owner != block)
            lmtext_index_damaged(store->index, strips[i], "It belongs to another page of codes.");
        lm_strip_add(p->state->query, first, Min(padded - first, LMTEXT_STRIP_WIDTH),
                     (const uint8 *)lmtext_page_body(BufferGetPage(buffer)), sums);
        UnlockReleaseBuffer(buffer);
    }
    return lm_block_finish(p->state->query, p->base, p->top->bound, sums,
                           lmtext_codes_corrections(&store->layout, page), distances);
}

static void
scan_codes(const probe *p, Page page, BlockNumber block)
{
    const lmtext_layout *layout = &p->state->store.layout;

    for (int i = 0; i < layout->blocks; i++) {
        uint32 mask = lmtext_codes_mask(page)[i], below;
        float distances[32];

        if (mask == 0)
            continue;
        below = layout->strips > 0
                    ? scan_strips(p, page, block, distances)
                    : lm_block_scan_below(p->state->query, p->base, p->top->bound,
                                          lmtext_codes_codes(layout, page) +
                                              i * layout->block_bytes,
                                          lmtext_codes_corrections(layout, page) + i, distances);
        lm_top_offer_block(p->top, below & mask, distances, NULL,
                           LMTEXT_ITEM(block, i * LM_BLOCK_ROWS));
    }
}

static void
scan_page(const probe *p, Page page, BlockNumber block)
{
    if (p->top != NULL) {
        scan_codes(p, page, block);
        return;
    }
    for (int row = 0; row < p->state->store.layout.rows; row++)
        decide(p->state, page, block, row, p->vector);
}

static void
scan_list(const probe *p, BlockNumber block)
{
    Relation index = p->state->store.index;
    uint32 steps = 0;

    while (block != InvalidBlockNumber) {
        Buffer buffer = lmtext_codes_read(&p->state->store, block, BUFFER_LOCK_SHARE);
        BlockNumber next = lmtext_page_next(index, buffer, &steps);

        if (next != InvalidBlockNumber)
            (void)PrefetchBuffer(index, MAIN_FORKNUM, next);
        scan_page(p, BufferGetPage(buffer), block);
        UnlockReleaseBuffer(buffer);
        block = next;
        CHECK_FOR_INTERRUPTS();
    }
}

/* Lists that are nearest to the query, and what each adds to distances. */
static size_t
nearest_lists(scan_state *state, uint32 **nearest, float **bases)
{
    size_t wanted = Min(state->probes, state->store.meta.lists), found = 0;

    *nearest = palloc0(wanted * sizeof(**nearest));
    *bases = palloc0(wanted * sizeof(**bases));
    if (state->store.lists == NULL) {
        **bases = lm_query_base(state->query, NULL);
        return 1;
    }
    lmtext_check(state->store.call,
                 lm_lists_nearest(&state->store.call->ctx, state->store.lists,
                                  state->query, wanted, *nearest, *bases, &found),
                 NULL);
    return found;
}

static void
search_codes(scan_state *state)
{
    lmtext_list *lists = lmtext_lists_read(&state->store);
    uint32 *nearest;
    float *bases;
    size_t found = nearest_lists(state, &nearest, &bases);
    lm_top top;
    probe p = {.state = state, .top = &top};

    lmtext_check(&state->call, lm_top_init(&state->call.ctx, &top, state->rerank), NULL);
    for (size_t i = 0; i < found; i++) {
        p.base = bases[i];
        scan_list(&p, lists[nearest[i]].first);
    }
    decide_top(state, &top);
    lm_top_free(&state->call.ctx, &top);
    pfree(lists);
}

static void
search_all(scan_state *state)
{
    lmtext_list *lists = lmtext_lists_read(&state->store);
    probe p = {.state = state, .vector = palloc(state->store.layout.row_bytes)};

    for (uint32 i = 0; i < state->store.meta.lists; i++)
        scan_list(&p, lists[i].first);
    pfree(p.vector);
    pfree(lists);
}

/* ---- Rounds ---- */

static int
by_distance(const void *a, const void *b)
{
    const candidate *left = a, *right = b;

    if (left->distance != right->distance)
        return left->distance < right->distance ? -1 : 1;
    return ItemPointerCompare((ItemPointer)&left->tid, (ItemPointer)&right->tid);
}

/* What has been decided on so far, for the rounds to come. */
static void
note_seen(scan_state *state)
{
    bool found;

    if (state->seen != NULL)
        return;
    state->seen = seen_create(state->memory, (uint32)Min(state->count * GROWTH, 1 << 20), NULL);
    for (size_t i = 0; i < state->count; i++)
        (void)seen_insert(state->seen, state->found[i].item, &found);
}

static void
run_round(scan_state *state)
{
    state->final =
        state->query == NULL || (double)state->rerank * 2 >= state->rows;
    if (state->final)
        search_all(state);
    else
        search_codes(state);
    qsort(state->found + state->at, state->count - state->at, sizeof(candidate), by_distance);
    state->limit = state->rerank * RETURNED;
}

static void
first_round(scan_state *state)
{
    lm_search_plan plan = lm_plan_search((uint64)state->rows, state->store.meta.lists, WANTED,
                                         lmtext_search_effort);

    state->rerank = Max(plan.rerank, 1);
    state->probes = Max(plan.probes, 1);
    run_round(state);
}

/* False: there is none. */
static bool
next_round(scan_state *state)
{
    if (state->final ||
        (lmtext_max_scan_tuples > 0 && state->count >= (size_t)lmtext_max_scan_tuples))
        return false;
    note_seen(state);
    state->rerank *= GROWTH;
    state->probes *= GROWTH;
    run_round(state);
    return true;
}

/* As many rows as would be there if all pages of codes were full. */
static double
rows_at_most(const lmtext_store *store)
{
    const lmtext_layout *layout = &store->layout;
    double blocks = RelationGetNumberOfBlocks(store->index);

    return layout->rows * (blocks / (1 + layout->strips));
}

static void
begin(IndexScanDesc scan, scan_state *state)
{
    MemoryContext caller = MemoryContextSwitchTo(state->memory);
    int call = lmtext_index_stats_begin();

    lmtext_store_open(scan->indexRelation, &state->store);
    if (state->store.meta.width == 0) {
        state->final = true;
    } else {
        set_query(state, scan->indexRelation, &scan->orderByData[0]);
        state->rows = rows_at_most(&state->store);
        first_round(state);
    }
    state->begun = true;
    lmtext_stats_end(call);
    MemoryContextSwitchTo(caller);
}

/* ---- The access method's functions ---- */

IndexScanDesc
lmtext_am_beginscan(Relation index, int keys, int orders)
{
    IndexScanDesc scan = RelationGetIndexScan(index, keys, orders);
    scan_state *state = palloc0(sizeof(*state));

    state->kind = lmtext_index_kind(index);
    state->whole = AllocSetContextCreate(CurrentMemoryContext, "lmtext scan",
                                         ALLOCSET_SMALL_SIZES);
    state->memory = AllocSetContextCreate(state->whole, "lmtext search", ALLOCSET_DEFAULT_SIZES);
    state->embedder.resolver.memory = state->operator.memory = state->whole;
    lmtext_call_init(&state->call, state->memory);
    scan->opaque = state;
    return scan;
}

void
lmtext_am_rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orders, int norders)
{
    scan_state *state = scan->opaque;

    if (orders != NULL && scan->numberOfOrderBys > 0)
        memmove(scan->orderByData, orders, scan->numberOfOrderBys * sizeof(ScanKeyData));
    MemoryContextReset(state->memory);
    state->begun = state->final = false;
    state->query = NULL;
    state->known = NULL;
    state->seen = NULL;
    state->found = NULL;
    state->count = state->space = state->at = 0;
    state->last = -INFINITY;
}

/* What the planner never asks for, other callers might. */
static void
check_scan(IndexScanDesc scan)
{
    if (scan->numberOfOrderBys != 1)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("index \"%s\" can be scanned only for ORDER BY a distance",
                               RelationGetRelationName(scan->indexRelation))));
    if (!IsMVCCSnapshot(scan->xs_snapshot))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("index \"%s\" can be scanned only with an MVCC snapshot",
                               RelationGetRelationName(scan->indexRelation))));
}

static void
return_row(IndexScanDesc scan, scan_state *state, const candidate *row)
{
    state->last = row->distance;
    scan->xs_heaptid = row->tid;
    scan->xs_recheck = scan->xs_recheckorderby = false;
    if (state->known != NULL)
        lmtext_known_add(state->known, row->hash,
                         lm_metric_shown(state->kind.metric, row->distance));
}

static bool
is_too_late(const scan_state *state, const candidate *row)
{
    return lmtext_ordering_strict && row->distance < state->last;
}

bool
lmtext_am_gettuple(IndexScanDesc scan, ScanDirection direction)
{
    scan_state *state = scan->opaque;

    if (!state->begun) {
        check_scan(scan);
        pgstat_count_index_scan(scan->indexRelation);
        begin(scan, state);
    }
    for (;;) {
        MemoryContext caller;
        bool more;

        while (state->at < state->count && (state->final || state->at < state->limit)) {
            const candidate *row = &state->found[state->at++];

            if (is_too_late(state, row))
                continue;
            return_row(scan, state, row);
            return true;
        }
        caller = MemoryContextSwitchTo(state->memory);
        more = next_round(state);
        MemoryContextSwitchTo(caller);
        if (!more && state->at < state->count)
            state->limit = INFINITY; /* the last ones, which are no more than were allowed */
        else if (!more)
            return false;
    }
}

void
lmtext_am_endscan(IndexScanDesc scan)
{
    scan_state *state = scan->opaque;

    MemoryContextDelete(state->whole);
    pfree(state);
    scan->opaque = NULL;
}
