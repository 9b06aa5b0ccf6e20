/*
 * search.c - rows by their distance, nearest first, as many as are asked for.
 *
 * A search goes in rounds. Each looks at the codes of some lists, has the int8 vectors of the best
 * candidates decide, and returns the best of those; when more rows are asked for, the next round
 * looks at four times as many, until the last one decides on all rows by int8 vectors. A round
 * returns fewer rows than it has decided on, so that the next one seldom finds a nearer row; such a
 * one comes late, or with lmtext.ordering = strict not at all. Rows that are more than work_mem
 * takes are sorted on disk, in the last round, which comes earlier then.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"
#include "utils/spccache.h"

#include "base/sort.h"
#include "pg/am/search.h"
#include "search/index_plan.h"
#include "search/top.h"

#define WANTED 10         /* rows that most queries want; the first round is planned for them */
#define PLANNED_WIDTH 384 /* codes of narrower vectors say less: more rows are decided on */
#define GROWTH 4          /* of a round to the next */
#define RETURNED 2.0 / 5  /* of the candidates of a round */

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

/* ---- Candidates ---- */

static void
add_candidate(lmtext_search *search, const lmtext_found *one)
{
    if (search->count == search->space) {
        search->space = Max(search->space * 2, 256);
        search->found = search->found == NULL
                            ? MemoryContextAllocHuge(search->memory, search->space * sizeof(*one))
                            : repalloc_huge(search->found, search->space * sizeof(*one));
    }
    search->found[search->count++] = *one;
}

/* ---- More rows than memory takes ---- */

/* What has been found goes there, without the lock of a page. */
static void
sort_found(lmtext_search *search)
{
    if (search->sort.state == NULL)
        return;
    for (; search->at < search->count; search->at++)
        lmtext_sort_add(&search->sort, &search->found[search->at]);
    search->at = search->count = 0;
}

/* ---- Deciding ---- */

/* Has the row been decided on in an earlier round? */
static bool
is_seen(lmtext_search *search, uint64 item)
{
    bool found = false;

    if (search->seen != NULL)
        (void)seen_insert(search->seen, item, &found);
    return found;
}

/* One row by its int8 vector; its page of codes is locked. */
static void
decide(lmtext_search *search, Page page, BlockNumber block, int row, uint8 *vector)
{
    const lmtext_layout *layout = &search->store->layout;
    lmtext_found one = {.item = LMTEXT_ITEM(block, row)};

    if ((lmtext_codes_mask(page)[row / LM_BLOCK_ROWS] >> row % LM_BLOCK_ROWS & 1) == 0 ||
        is_seen(search, one.item))
        return;
    one.tid = lmtext_codes_tids(layout, page)[row];
    if (!ItemPointerIsValid(&one.tid))
        lmtext_index_damaged(search->store->index, block, "It has a row without a place.");
    if (search->wanted != NULL && !lmtext_place_set_take(search->wanted, &one.tid))
        return;
    search->effort.reranked++;
    if (!lmtext_row_read(search->store, page, block, row, &one.hash, vector))
        lmtext_index_damaged(search->store->index, block, "It has a row without a vector.");
    if (search->query != NULL)
        one.distance = lm_int8_row_distance(search->query, vector);
    if (isnan(one.distance))
        lmtext_index_damaged(search->store->index, block, "A vector of it is not finite.");
    add_candidate(search, &one);
}

static int
by_item(const void *a, const void *b)
{
    uint64 left = ((const lm_top_entry *)a)->item, right = ((const lm_top_entry *)b)->item;

    return left < right ? -1 : left > right;
}

/* ---- Rows that codes or places have found ---- */

/* How many rows' vectors are asked for before the first of them is read; and as many as come from a
 * page that is not done yet. */
#define AHEAD 256
#define AHEAD_SPACE (AHEAD + LMTEXT_CODE_BLOCKS * LM_BLOCK_ROWS)

/* Rows that are to be decided on, in the order of their pages. */
typedef struct chosen {
    lmtext_search *search;
    uint8 *vector;
    size_t count;
    uint64 items[AHEAD_SPACE];
} chosen;

/* The page of codes of a row, locked; `buffer` is that of the row before, or InvalidBuffer. */
static Buffer
go_to_page(const lmtext_search *search, Buffer buffer, uint64 item)
{
    BlockNumber block = LMTEXT_ITEM_BLOCK(item);

    if (BufferIsValid(buffer)) {
        if (BufferGetBlockNumber(buffer) == block)
            return buffer;
        UnlockReleaseBuffer(buffer);
        CHECK_FOR_INTERRUPTS();
    }
    return lmtext_codes_read(search->store, block, BUFFER_LOCK_SHARE);
}

/* Their pages of codes have just been read, so they say at once where vectors are, which may be on
 * disk and far from each other. */
static void
prefetch_vectors(const chosen *rows)
{
    const lmtext_store *store = rows->search->store;
    BlockNumber end = RelationGetNumberOfBlocks(store->index), last = 0;
    Buffer buffer = InvalidBuffer;

    if (rows->count < 2 || get_tablespace_io_concurrency(store->index->rd_rel->reltablespace) == 0)
        return;
    for (size_t i = 0; i < rows->count; i++) {
        buffer = go_to_page(rows->search, buffer, rows->items[i]);
        lmtext_row_prefetch(store, BufferGetPage(buffer), LMTEXT_ITEM_ROW(rows->items[i]), end,
                            &last);
    }
    UnlockReleaseBuffer(buffer);
}

static void
decide_chosen(chosen *rows)
{
    Buffer buffer = InvalidBuffer;

    prefetch_vectors(rows);
    for (size_t i = 0; i < rows->count; i++) {
        uint64 item = rows->items[i];

        buffer = go_to_page(rows->search, buffer, item);
        decide(rows->search, BufferGetPage(buffer), LMTEXT_ITEM_BLOCK(item), LMTEXT_ITEM_ROW(item),
               rows->vector);
    }
    if (BufferIsValid(buffer))
        UnlockReleaseBuffer(buffer);
    rows->count = 0;
}

/* The rows that codes have found, page by page. */
static void
decide_top(lmtext_search *search, lm_top *top)
{
    chosen rows = {.search = search, .vector = palloc(search->store->layout.row_bytes)};

    lmtext_check(
        &search->call,
        lm_sort(&search->call.ctx, top->entries, top->count, sizeof(*top->entries), by_item), NULL);
    for (size_t i = 0; i < top->count; i++) {
        rows.items[rows.count++] = top->entries[i].item;
        if (rows.count == AHEAD)
            decide_chosen(&rows);
    }
    decide_chosen(&rows);
    pfree(rows.vector);
}

/* ---- Codes ---- */

/* A list that is looked at. */
typedef struct probe {
    lmtext_search *search;
    lm_top *top; /* NULL: all rows are decided on */
    float base;
    chosen *rows; /* where top is NULL */
} probe;

/* The codes of a block that is too wide for its page. */
static uint32
scan_strips(const probe *p, Page page, BlockNumber block, float distances[32])
{
    const lmtext_store *store = p->search->store;
    const BlockNumber *strips = lmtext_codes_strips(&store->layout, page);
    size_t padded = store->space->padded;
    uint32 sums[32] = {0};

    for (int i = 0; i < store->layout.strips; i++) {
        size_t first = i * LMTEXT_STRIP_WIDTH;
        Buffer buffer = lmtext_page_read_owned(store->index, strips[i], LMTEXT_PAGE_STRIP, block,
                                               BUFFER_LOCK_SHARE);

        lm_strip_add(p->search->query, first, Min(padded - first, LMTEXT_STRIP_WIDTH),
                     (const uint8 *)lmtext_page_body(BufferGetPage(buffer)), sums);
        UnlockReleaseBuffer(buffer);
    }
    return lm_block_finish(p->search->query, p->base, p->top->bound, sums,
                           lmtext_codes_corrections(&store->layout, page), distances);
}

static void
scan_codes(const probe *p, Page page, BlockNumber block)
{
    const lmtext_layout *layout = &p->search->store->layout;

    for (int i = 0; i < layout->blocks; i++) {
        uint32 mask = lmtext_codes_mask(page)[i], below;
        float distances[32];

        if (mask == 0)
            continue;
        p->search->effort.codes += pg_popcount32(mask);
        below =
            layout->strips > 0
                ? scan_strips(p, page, block, distances)
                : lm_block_scan_below(p->search->query, p->base, p->top->bound,
                                      lmtext_codes_codes(layout, page) + i * layout->block_bytes,
                                      lmtext_codes_corrections(layout, page) + i, distances);
        lm_top_offer_block(p->top, below & mask, distances, NULL,
                           LMTEXT_ITEM(block, i * LM_BLOCK_ROWS));
    }
}

/* Rows of wanted places; most rows of most pages are none. */
static void
scan_places(const probe *p, Page page, BlockNumber block)
{
    const lmtext_layout *layout = &p->search->store->layout;
    const ItemPointerData *tids = lmtext_codes_tids(layout, page);

    for (int i = 0; i < layout->blocks; i++)
        for (uint32 mask = lmtext_codes_mask(page)[i]; mask != 0; mask &= mask - 1) {
            int row = i * (int)LM_BLOCK_ROWS + pg_rightmost_one_pos32(mask);

            if (lmtext_place_set_may(p->search->wanted,
                                     ItemPointerGetBlockNumberNoCheck(&tids[row])) &&
                lmtext_place_set_has(p->search->wanted, &tids[row]))
                p->rows->items[p->rows->count++] = LMTEXT_ITEM(block, row);
        }
}

static void
scan_page(const probe *p, Page page, BlockNumber block)
{
    if (p->top != NULL) {
        scan_codes(p, page, block);
        return;
    }
    if (p->search->wanted != NULL) {
        scan_places(p, page, block);
        return;
    }
    for (int row = 0; row < p->search->store->layout.rows; row++)
        decide(p->search, page, block, row, p->rows->vector);
}

static void
scan_list(const probe *p, BlockNumber block)
{
    Relation index = p->search->store->index;
    uint32 steps = 0;

    while (block != InvalidBlockNumber) {
        Buffer buffer = lmtext_codes_read(p->search->store, block, BUFFER_LOCK_SHARE);
        BlockNumber next = lmtext_page_next(index, buffer, &steps);

        if (next != InvalidBlockNumber)
            lmtext_page_expect(index, next);
        scan_page(p, BufferGetPage(buffer), block);
        UnlockReleaseBuffer(buffer);
        if (p->rows != NULL && p->rows->count >= AHEAD)
            decide_chosen(p->rows);
        sort_found(p->search);
        block = next;
        CHECK_FOR_INTERRUPTS();
    }
}

/* Lists that are nearest to the query, and what each adds to distances. */
static size_t
nearest_lists(lmtext_search *search, uint32 **nearest, float **bases)
{
    size_t wanted = Min(search->probes, search->store->meta.lists), found = 0;

    *nearest = palloc0(wanted * sizeof(**nearest));
    *bases = palloc0(wanted * sizeof(**bases));
    if (search->store->lists == NULL) {
        **bases = lm_query_base(search->query, NULL);
        return 1;
    }
    lmtext_check(search->store->call,
                 lm_lists_nearest(&search->store->call->ctx, search->store->lists, search->query,
                                  wanted, *nearest, *bases, &found),
                 NULL);
    return found;
}

static void
search_codes(lmtext_search *search)
{
    lmtext_list *lists = lmtext_lists_read(search->store);
    uint32 *nearest;
    float *bases;
    size_t found = nearest_lists(search, &nearest, &bases);
    lm_top top;
    probe p = {.search = search, .top = &top};

    lmtext_check(&search->call, lm_top_init(&search->call.ctx, &top, search->rerank), NULL);
    for (size_t i = 0; i < found; i++) {
        p.base = bases[i];
        scan_list(&p, lists[nearest[i]].first);
    }
    search->effort.lists += (int64)found;
    decide_top(search, &top);
    lm_top_free(&search->call.ctx, &top);
    pfree(lists);
}

static void
search_all(lmtext_search *search)
{
    lmtext_list *lists = lmtext_lists_read(search->store);
    chosen rows = {.search = search, .vector = palloc(search->store->layout.row_bytes)};
    probe p = {.search = search, .rows = &rows};

    for (uint32 i = 0; i < search->store->meta.lists; i++)
        scan_list(&p, lists[i].first);
    decide_chosen(&rows);
    sort_found(search);
    search->effort.lists += search->store->meta.lists;
    pfree(rows.vector);
    pfree(lists);
}

/* ---- Rounds ---- */

int
lmtext_found_compare(const void *a, const void *b)
{
    const lmtext_found *left = a, *right = b;

    if (left->distance != right->distance)
        return left->distance < right->distance ? -1 : 1;
    return ItemPointerCompare((ItemPointer)&left->tid, (ItemPointer)&right->tid);
}

/* What has been decided on so far, for the rounds to come. */
static void
note_seen(lmtext_search *search)
{
    bool found;

    if (search->seen != NULL)
        return;
    search->seen = seen_create(search->memory, (uint32)Min(search->count * GROWTH, 1 << 20), NULL);
    for (size_t i = 0; i < search->count; i++)
        (void)seen_insert(search->seen, search->found[i].item, &found);
}

static void
run_last_round(lmtext_search *search)
{
    double rows = search->wanted == NULL ? search->rows
                                         : Min(search->rows, lmtext_place_set_rows(search->wanted));

    if (!lmtext_sort_fits(rows, sizeof(lmtext_found)))
        lmtext_sort_begin(&search->sort);
    search_all(search);
    if (search->sort.state != NULL)
        lmtext_sort_perform(&search->sort);
}

/* What has been seen counts from the second round on: the first must be a round for any work_mem.
 */
static void
run_round(lmtext_search *search)
{
    search->effort.rounds++;
    search->final =
        search->exact || search->wanted != NULL || search->query == NULL ||
        (double)search->rerank * 2 >= search->rows ||
        (search->seen != NULL &&
         !lmtext_sort_fits(search->rerank, sizeof(lmtext_found) + 2 * sizeof(seen_item)));
    if (search->final)
        run_last_round(search);
    else
        search_codes(search);
    lmtext_check(&search->call,
                 lm_sort(&search->call.ctx, search->found + search->at, search->count - search->at,
                         sizeof(lmtext_found), lmtext_found_compare),
                 NULL);
    search->limit = search->rerank * RETURNED;
}

static void
first_round(lmtext_search *search)
{
    lm_search_plan plan = lm_plan_search((uint64)search->rows, search->store->meta.lists, WANTED,
                                         lmtext_search_effort);

    search->rerank = Max(plan.rerank, 1) * Max(PLANNED_WIDTH / search->store->space->padded, 1);
    search->probes = Max(plan.probes, 1);
    run_round(search);
}

/* False: there is none. */
static bool
next_round(lmtext_search *search)
{
    if (search->final || (search->most > 0 && search->count >= (size_t)search->most))
        return false;
    note_seen(search);
    search->rerank *= GROWTH;
    search->probes *= GROWTH;
    run_round(search);
    return true;
}

void
lmtext_search_open(lmtext_search *search, const float *vector)
{
    MemoryContext caller = MemoryContextSwitchTo(search->memory);

    lmtext_call_init(&search->call, search->memory);
    search->rows = lmtext_store_rows(search->store);
    search->last = -INFINITY;
    if (vector != NULL) {
        lmtext_check(&search->call,
                     lm_query_create(&search->call.ctx, search->store->space, &search->query),
                     NULL);
        lmtext_check(&search->call, lm_query_set(&search->call.ctx, search->query, vector), NULL);
    }
    MemoryContextSwitchTo(caller);
}

void
lmtext_search_start(lmtext_search *search)
{
    MemoryContext caller = MemoryContextSwitchTo(search->memory);

    first_round(search);
    MemoryContextSwitchTo(caller);
}

/* Nearest first, of what is left of this round. */
static const lmtext_found *
take_row(lmtext_search *search)
{
    if (search->sort.state != NULL)
        return lmtext_sort_next(&search->sort);
    return search->at < search->count && (search->final || search->at < search->limit)
               ? &search->found[search->at++]
               : NULL;
}

/* The next row of this round. */
static const lmtext_found *
next_of_round(lmtext_search *search)
{
    const lmtext_found *row;

    while ((row = take_row(search)) != NULL) {
        if (search->strict && row->distance < search->last)
            continue;
        search->last = row->distance;
        return row;
    }
    return NULL;
}

/* When there is no further round, what is left of the last one is returned as well. */
const lmtext_found *
lmtext_search_next(lmtext_search *search)
{
    for (;;) {
        const lmtext_found *row = next_of_round(search);
        MemoryContext caller;
        bool more;

        if (row != NULL)
            return row;
        caller = MemoryContextSwitchTo(search->memory);
        more = next_round(search);
        MemoryContextSwitchTo(caller);
        if (!more && search->at == search->count)
            return NULL;
        if (!more)
            search->limit = INFINITY;
    }
}

void
lmtext_search_end(lmtext_search *search)
{
    lmtext_sort_end(&search->sort);
}
