/*
 * relist.c - lists that do not fit the rows any more are made anew: an index that was made without
 * rows has one list, one that has grown has too few, and where rows have drifted most are in few.
 *
 * Vacuum does so, beside scans and inserts. Rows are copied into new lists, that nobody sees; what
 * is inserted meanwhile is copied as well, the last of it while inserts wait; then one record of
 * the meta page switches. Vectors stay as they are, byte by byte. Scans that have begun go on in
 * the lists before, which retire: a later vacuum gives their pages back when no snapshot is as old.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/transam.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "storage/indexfsm.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg/am/build.h"

/* ---- The rows of all lists ---- */

/* Rows of a page that have been copied, by its block. */
typedef struct page_rows {
    BlockNumber block;
    uint32 masks[LMTEXT_CODE_BLOCKS];
} page_rows;

typedef struct relist {
    lmtext_store store, fresh;
    lmtext_build *build; /* rows go there at first; later into `fresh` */
    bool prepared;
    HTAB *copied; /* page_rows */
    int64 late;   /* rows that were copied in this pass */
    lmtext_row *rows;
    uint8 *vectors;
    float *x;
} relist;

/* Rows of a page that have not been copied yet; returns how many. */
static int
take_rows(relist *r, BlockNumber block, BlockNumber *next, uint32 *steps)
{
    Buffer buffer = lmtext_codes_read(&r->store, block, BUFFER_LOCK_SHARE);
    Page page = BufferGetPage(buffer);
    bool found;
    page_rows *done = hash_search(r->copied, &block, HASH_ENTER, &found);
    int count = 0;

    if (!found)
        memset(done->masks, 0, sizeof done->masks);
    for (int row = 0; row < r->store.layout.rows; row++) {
        uint32 bit = UINT32_C(1) << row % LM_BLOCK_ROWS;
        lmtext_row *one = &r->rows[count];

        if ((lmtext_codes_mask(page)[row / LM_BLOCK_ROWS] & bit &
             ~done->masks[row / LM_BLOCK_ROWS]) == 0)
            continue;
        one->vector = r->vectors + count * r->store.layout.row_bytes;
        one->tid = lmtext_codes_tids(&r->store.layout, page)[row];
        if (!lmtext_row_read(&r->store, page, block, row, &one->hash, one->vector))
            lmtext_index_damaged(r->store.index, block, "It has a row without a vector.");
        done->masks[row / LM_BLOCK_ROWS] |= bit;
        count++;
    }
    *next = lmtext_page_next(r->store.index, buffer, steps);
    UnlockReleaseBuffer(buffer);
    return count;
}

static void
copy_row(relist *r, const lmtext_row *row)
{
    r->late++;
    if (!r->prepared) {
        lmtext_build_spool(r->build, row);
        return;
    }
    lm_int8_row_decode(r->store.space, row->vector, r->x);
    (void)lmtext_rows_add(&r->fresh, row, r->x);
}

static void
copy_list(relist *r, BlockNumber block)
{
    uint32 steps = 0;

    while (block != InvalidBlockNumber) {
        int count = take_rows(r, block, &block, &steps);

        for (int i = 0; i < count; i++)
            copy_row(r, &r->rows[i]);
        CHECK_FOR_INTERRUPTS();
    }
}

/* What has come since the last pass; returns how many. */
static int64
copy_rows(relist *r)
{
    lmtext_list *lists = lmtext_lists_read(&r->store);

    r->late = 0;
    for (uint32 i = 0; i < r->store.meta.lists; i++)
        copy_list(r, lists[i].first);
    pfree(lists);
    return r->late;
}

static HTAB *
make_copied(void)
{
    HASHCTL control = {.keysize = sizeof(BlockNumber),
                       .entrysize = sizeof(page_rows),
                       .hcxt = CurrentMemoryContext};

    return hash_create("lmtext pages", 1024, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* ---- Other lists ---- */

#define LATE_ROWS 1000 /* so few are copied while inserts wait */
#define PASSES 5       /* before that, where more come than are copied */

/* Inserts go on in other lists from here on. */
static void
switch_lists(relist *r, double imbalance)
{
    for (int i = 0; i < PASSES && copy_rows(r) > LATE_ROWS; i++)
        ;
    LockPage(r->store.index, LMTEXT_LISTS_LOCK, ExclusiveLock);
    (void)copy_rows(r);
    lmtext_store_switch(&r->fresh, imbalance);
    UnlockPage(r->store.index, LMTEXT_LISTS_LOCK, ExclusiveLock);
}

static void
make_lists(relist *r)
{
    const lmtext_layout *layout = &r->store.layout;
    double rows, imbalance;

    r->copied = make_copied();
    r->rows = palloc(layout->rows * sizeof(*r->rows));
    r->vectors = palloc(layout->rows * layout->row_bytes);
    r->x = palloc(r->store.meta.width * sizeof(float));
    r->build = lmtext_build_of_store(&r->store);
    rows = (double)copy_rows(r);
    imbalance = lmtext_build_relist(r->build, lmtext_lists_wanted(r->store.index, rows), &r->fresh);
    lmtext_build_drop(r->build);
    r->prepared = true;
    switch_lists(r, imbalance);
    if (r->store.meta.text)
        lmtext_hashes_build(&r->fresh, rows);
}

/* ---- Lists that retired ---- */

static void
give_page(const lmtext_store *retired, BlockNumber block, BlockNumber *next, uint32 *steps)
{
    const lmtext_layout *layout = &retired->layout;
    Buffer buffer = lmtext_codes_read(retired, block, BUFFER_LOCK_SHARE);
    BlockNumber *owned = palloc((layout->vector_pages + layout->strips + 1) * sizeof(*owned));
    int vectors, count = lmtext_codes_owned(retired, BufferGetPage(buffer), owned, &vectors);

    *next = lmtext_page_next(retired->index, buffer, steps);
    UnlockReleaseBuffer(buffer);
    for (int i = 0; i < count; i++)
        lmtext_page_give(retired->index, owned[i],
                         i < vectors ? LMTEXT_PAGE_VECTORS : LMTEXT_PAGE_STRIP, block);
    lmtext_page_give(retired->index, block, LMTEXT_PAGE_CODES, retired->meta.generation);
    pfree(owned);
}

/* A list ends to begin anywhere before its pages are given back. */
static void
give_list(const lmtext_store *retired, uint32 list, BlockNumber block)
{
    uint32 steps = 0;

    if (block == InvalidBlockNumber)
        return;
    lmtext_list_clear(retired, list);
    while (block != InvalidBlockNumber) {
        give_page(retired, block, &block, &steps);
        CHECK_FOR_INTERRUPTS();
    }
}

/* False: somebody may still read them. */
static bool
give_retired(lmtext_store *store, Relation heap)
{
    lmtext_store retired;
    lmtext_list *lists;

    if (!lmtext_store_retired(store, &retired))
        return true;
    if (!GlobalVisCheckRemovableFullXid(heap, FullTransactionIdFromU64(store->meta.retired_at)))
        return false;
    lists = lmtext_lists_read(&retired);
    for (uint32 i = 0; i < retired.meta.lists; i++)
        give_list(&retired, i, lists[i].first);
    lmtext_store_forget(&retired);
    IndexFreeSpaceMapVacuum(store->index);
    store->meta.retired = 0;
    return true;
}

static lmtext_spread
spread_of(const lmtext_store *store)
{
    lmtext_list *lists = lmtext_lists_read(store);
    lmtext_spread spread = {0, 0};

    for (uint32 i = 0; i < store->meta.lists; i++) {
        uint32 steps = 0;
        double rows = 0;

        for (BlockNumber block = lists[i].first; block != InvalidBlockNumber;) {
            Buffer buffer = lmtext_codes_read(store, block, BUFFER_LOCK_SHARE);

            for (int j = 0; j < store->layout.blocks; j++)
                rows += pg_popcount32(lmtext_codes_mask(BufferGetPage(buffer))[j]);
            block = lmtext_page_next(store->index, buffer, &steps);
            UnlockReleaseBuffer(buffer);
            CHECK_FOR_INTERRUPTS();
        }
        lmtext_spread_add(&spread, rows);
    }
    pfree(lists);
    return spread;
}

static void
relist_in(relist *r, Relation index, Relation heap)
{
    lmtext_spread spread;

    lmtext_store_open(index, &r->store);
    if (r->store.meta.width == 0 || !give_retired(&r->store, heap))
        return;
    spread = spread_of(&r->store);
    if (lmtext_lists_due(index, &r->store.meta, &spread))
        make_lists(r);
}

void
lmtext_relist(Relation index, Relation heap)
{
    MemoryContext memory =
        AllocSetContextCreate(CurrentMemoryContext, "lmtext lists", ALLOCSET_DEFAULT_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(memory);

    relist_in(palloc0(sizeof(relist)), index, heap);
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(memory);
}
