/*
 * vacuum.c - dead rows leave the index: their bits go, their places are used again. What waits for
 * being embedded is, at the end.
 *
 * Rows never move, so a scan beside a vacuum misses none and meets none twice. A place that is used
 * again holds a row that the scan's snapshot does not see.
 */
#include "postgres.h"

#include "access/table.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "storage/lmgr.h"

#include "pg/am/words.h"
#include "pg/glue/try.h"

#if PG_VERSION_NUM >= 180000
#define DELAY_POINT() vacuum_delay_point(false)
#else
#define DELAY_POINT() vacuum_delay_point()
#endif

typedef struct vacuum_state {
    lmtext_store store;
    IndexBulkDeleteResult *stats;
    IndexBulkDeleteCallback callback; /* NULL: rows are counted only */
    void *state;
} vacuum_state;

/* Rows of a block that are dead, as bits. */
static uint32
dead_rows(const vacuum_state *v, ItemPointerData *tids, uint32 mask)
{
    uint32 dead = 0;

    for (uint32 left = mask; left != 0; left &= left - 1) {
        int row = pg_rightmost_one_pos32(left);

        if (v->callback(&tids[row], v->state))
            dead |= UINT32_C(1) << row;
    }
    return dead;
}

static bool
find_dead(const vacuum_state *v, Page page, uint32 dead[LMTEXT_CODE_BLOCKS])
{
    uint32 any = 0;

    for (int i = 0; i < v->store.layout.blocks; i++) {
        dead[i] = v->callback != NULL
                      ? dead_rows(v, lmtext_codes_tids(&v->store.layout, page) + i * LM_BLOCK_ROWS,
                                  lmtext_codes_mask(page)[i])
                      : 0;
        any |= dead[i];
    }
    return any != 0;
}

/* A page of codes; returns whether it has a free place. */
static bool
vacuum_page(vacuum_state *v, Buffer buffer)
{
    uint32 dead[LMTEXT_CODE_BLOCKS], *mask = lmtext_codes_mask(BufferGetPage(buffer));
    bool room = false;

    if (find_dead(v, BufferGetPage(buffer), dead)) {
        lmtext_change change = lmtext_change_begin(v->store.index, false);
        uint32 *changed = lmtext_codes_mask(lmtext_change_page(&change, buffer, false));

        for (int i = 0; i < v->store.layout.blocks; i++)
            changed[i] &= ~dead[i];
        lmtext_change_end(&change);
    }
    for (int i = 0; i < v->store.layout.blocks; i++) {
        v->stats->tuples_removed += pg_popcount32(dead[i]);
        v->stats->num_index_tuples += pg_popcount32(mask[i]);
        room |= mask[i] != PG_UINT32_MAX;
    }
    return room;
}

/* Inserts begin at the first page with a free place. */
static void
vacuum_list(vacuum_state *v, uint32 list, const lmtext_list *where)
{
    BlockNumber block = where->first, room = InvalidBlockNumber;
    uint32 steps = 0;

    while (block != InvalidBlockNumber) {
        Buffer buffer;

        DELAY_POINT();
        buffer = lmtext_codes_read(&v->store, block, BUFFER_LOCK_EXCLUSIVE);
        if (vacuum_page(v, buffer) && room == InvalidBlockNumber)
            room = block;
        block = lmtext_page_next(v->store.index, buffer, &steps);
        UnlockReleaseBuffer(buffer);
    }
    if (v->callback != NULL && room != InvalidBlockNumber && room != where->insert)
        (void)lmtext_list_set(&v->store, list, (lmtext_list){InvalidBlockNumber, room});
}

/* Before the lists: what is moved from here into them in the meantime is not dead. */
static void
vacuum_waiting(vacuum_state *v)
{
    BlockNumber block = v->store.meta.waiting;
    uint32 steps = 0;

    if (block == InvalidBlockNumber || v->callback == NULL)
        return;
    LockPage(v->store.index, LMTEXT_FLUSH_LOCK, ExclusiveLock);
    while (block != InvalidBlockNumber) {
        DELAY_POINT();
        v->stats->tuples_removed +=
            lmtext_waiting_vacuum(&v->store, block, v->callback, v->state, &block, &steps);
    }
    UnlockPage(v->store.index, LMTEXT_FLUSH_LOCK, ExclusiveLock);
}

static IndexBulkDeleteResult *
vacuum_all(Relation index, IndexBulkDeleteResult *stats, IndexBulkDeleteCallback callback,
           void *state)
{
    vacuum_state v = {.callback = callback, .state = state};
    lmtext_list *lists;

    v.stats = stats != NULL ? stats : palloc0(sizeof(*stats));
    v.stats->num_index_tuples = 0;
    lmtext_words_vacuum_all(index, v.stats, callback, state);
    lmtext_store_open(index, &v.store);
    if (v.store.meta.width == 0)
        return v.stats;
    vacuum_waiting(&v);
    lists = lmtext_lists_read(&v.store);
    for (uint32 i = 0; i < v.store.meta.lists; i++)
        vacuum_list(&v, i, &lists[i]);
    pfree(lists);
    if (v.store.meta.text && lmtext_hashes_long(&v.store, v.stats->num_index_tuples))
        lmtext_hashes_build(&v.store, v.stats->num_index_tuples);
    return v.stats;
}

IndexBulkDeleteResult *
lmtext_am_bulkdelete(IndexVacuumInfo *info, IndexBulkDeleteResult *stats,
                     IndexBulkDeleteCallback callback, void *state)
{
    return vacuum_all(info->index, stats, callback, state);
}

typedef struct flushing {
    Relation index, heap;
    int64 moved;
} flushing;

static void
flush(void *argument)
{
    flushing *f = argument;

    f->moved = lmtext_flush(f->index, f->heap, true);
}

/* A model that does not work, or that the index's owner may not use any more, must not keep a table
 * from being vacuumed. Its rows go on waiting. */
static int64
try_flush(Relation index)
{
    flushing f = {.index = index};
    ErrorData *error;

    f.heap = table_open(index->rd_index->indrelid, AccessShareLock);
    error = lmtext_try(flush, &f);
    table_close(f.heap, AccessShareLock);
    if (error != NULL)
        ereport(WARNING, (errcode(error->sqlerrcode),
                          errmsg("rows of index \"%s\" go on waiting for being embedded: %s",
                                 RelationGetRelationName(index), error->message)));
    return f.moved;
}

static void
make_lists(Relation index)
{
    Relation heap = table_open(index->rd_index->indrelid, AccessShareLock);

    lmtext_relist(index, heap);
    table_close(heap, AccessShareLock);
}

IndexBulkDeleteResult *
lmtext_am_vacuumcleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats)
{
    int64 moved;

    if (info->analyze_only)
        return stats;
    moved = try_flush(info->index);
    if (stats == NULL)
        stats = vacuum_all(info->index, NULL, NULL, NULL);
    else
        stats->num_index_tuples += (double)moved;
    make_lists(info->index);
    stats->num_pages = RelationGetNumberOfBlocks(info->index);
    return stats;
}
