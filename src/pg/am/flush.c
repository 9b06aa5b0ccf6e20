/*
 * flush.c - rows that wait are embedded, in batches, and moved into their lists.
 *
 * Their texts are read from the table again: a row that nobody can see any more is left out, since
 * what it has toasted may be gone. A text without a token is left out whatever lmtext.on_empty
 * says: there is nobody to tell. On a standby nothing can be moved: a scan embeds what waits for
 * itself.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xlog.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg/am/index.h"
#include "pg/am/place_set.h"
#include "pg/compat.h"

#define BATCH_BYTES ((size_t)1024 * 1024)

/* Rows on their way. */
typedef struct reader {
    const lmtext_store *store;
    Relation index;
    lmtext_embedder embedder;
    lmtext_call call;
    const ItemPointerData *tids;

    IndexFetchTableData *fetch;
    Snapshot snapshot;
    TupleTableSlot *slot;
    BlockNumber heap_blocks;

    lmtext_embedded_row row;
    void *argument;

    MemoryContext batch;
    lm_text texts[LMTEXT_BATCH_ROWS];
    lm_hash128 hashes[LMTEXT_BATCH_ROWS];
    int numbers[LMTEXT_BATCH_ROWS]; /* among tids */
    int count;
    size_t bytes;
} reader;

/* ---- Texts ---- */

/* What the fetch makes of the place is not the row's in the index, hence a copy. */
static bool
read_text(reader *r, ItemPointerData tid, lm_text *words)
{
    AttrNumber column = r->index->rd_index->indkey.values[0];
    bool again = false, null = true;
    Datum value = 0;

    if (ItemPointerGetBlockNumber(&tid) >= r->heap_blocks)
        lmtext_index_damaged(r->index, r->store->meta.waiting,
                             "A row of it is behind the end of the table.");
    if (table_index_fetch_tuple(r->fetch, &tid, r->snapshot, r->slot, &again, NULL))
        value = slot_getattr(r->slot, column, &null);
    if (!null)
        *words = lmtext_utf8_from_text(DatumGetTextPCopy(value));
    ExecClearTuple(r->slot);
    return !null;
}

static void
give(reader *r, int number, lm_hash128 hash, uint8 *vector, const float *x)
{
    const lmtext_row row = {r->tids[number], hash, vector};

    r->row(r->argument, number, &row, x);
}

/* A text of a row that is in a list already. */
static bool
give_known(reader *r, int number, lm_hash128 hash)
{
    uint8 *vector = palloc(r->store->layout.row_bytes);
    float *x;

    if (!lmtext_hashes_find(r->store, hash, vector))
        return false;
    x = palloc(r->store->meta.width * sizeof(float));
    lm_int8_row_decode(r->store->space, vector, x);
    give(r, number, hash, vector, x);
    return true;
}

/* A text of the batch has its vector; without a direction it is in no index. */
static void
give_embedded(void *argument, int i, const float *floats, int width)
{
    reader *r = argument;
    float *x = palloc(width * sizeof(float));
    uint8 *vector = palloc(r->store->layout.row_bytes);
    bool zero;

    lmtext_check(&r->call,
                 lm_space_prepare(&r->call.ctx, (lm_distance_kind)r->store->meta.metric, width,
                                  floats, x, &zero),
                 NULL);
    if (zero)
        return;
    lm_int8_row_encode(r->store->space, x, vector);
    give(r, r->numbers[i], r->hashes[i], vector, x);
}

/* No page of the table is pinned meanwhile: recovery and VACUUM would wait for it. */
static void
embed_batch(reader *r)
{
    table_index_fetch_reset(r->fetch);
    lmtext_embedder_rows(&r->embedder, r->index);
    lmtext_embedder_check(&r->embedder, r->index, &r->store->meta);
    lmtext_embedder_texts(&r->embedder, r->texts, r->count, true, give_embedded, r);
    r->count = 0;
    r->bytes = 0;
    MemoryContextReset(r->batch);
}

static void
read_row(reader *r, int number)
{
    MemoryContext caller = MemoryContextSwitchTo(r->batch);
    lm_text text;
    lm_hash128 hash;

    if (ItemPointerIsValid(&r->tids[number]) && read_text(r, r->tids[number], &text)) {
        hash = lmtext_value_hash(&r->store->meta, text.bytes, text.length);
        if (!give_known(r, number, hash)) {
            r->texts[r->count] = text;
            r->hashes[r->count] = hash;
            r->numbers[r->count++] = number;
            r->bytes += text.length;
        }
    }
    if (r->count == LMTEXT_BATCH_ROWS || r->bytes >= BATCH_BYTES)
        embed_batch(r);
    MemoryContextSwitchTo(caller);
    if (r->count == 0)
        MemoryContextReset(r->batch);
}

void
lmtext_texts_embed(const lmtext_store *store, Relation heap, Snapshot snapshot,
                   const ItemPointerData *tids, int64 count, lmtext_embedded_row row,
                   void *argument)
{
    reader *r = palloc0(sizeof(*r));

    r->store = store;
    r->index = store->index;
    r->embedder.resolver.memory = CurrentMemoryContext;
    r->tids = tids;
    r->row = row;
    r->argument = argument;
    r->snapshot = snapshot;
    r->batch = AllocSetContextCreate(CurrentMemoryContext, "lmtext batch", ALLOCSET_DEFAULT_SIZES);
    lmtext_call_init(&r->call, r->batch);
    r->heap_blocks = RelationGetNumberOfBlocks(heap);
    r->slot = table_slot_create(heap, NULL);
    r->fetch = table_index_fetch_begin(heap);
    for (int64 i = 0; i < count; i++) {
        read_row(r, (int)i);
        CHECK_FOR_INTERRUPTS();
    }
    if (r->count > 0)
        embed_batch(r);
    table_index_fetch_end(r->fetch);
    ExecDropSingleTupleTableSlot(r->slot);
    MemoryContextDelete(r->batch);
    pfree(r);
}

/* ---- For one scan ---- */

/* Those of some places, in order. */
static int64
keep_wanted(ItemPointerData *tids, int64 count, const lmtext_place_set *wanted)
{
    int64 kept = 0;

    for (int64 i = 0; i < count; i++)
        if (lmtext_place_set_has(wanted, &tids[i]))
            tids[kept++] = tids[i];
    return kept;
}

void
lmtext_waiting_embed(const lmtext_store *store, Relation heap, Snapshot snapshot,
                     const lmtext_place_set *wanted, lmtext_embedded_row row, void *argument)
{
    int64 count;
    ItemPointerData *tids;

    if (store->meta.waiting == InvalidBlockNumber)
        return;
    tids = lmtext_waiting_all(store, &count);
    if (wanted != NULL)
        count = keep_wanted(tids, count, wanted);
    if (count > 0)
        lmtext_texts_embed(store, heap, snapshot, tids, count, row, argument);
}

/* ---- For all ---- */

/* Rows of a page that are moved. */
typedef struct moving {
    lmtext_store store;
    lmtext_waiting from;
    bool *moved; /* of the page's places */
    int64 rows;
} moving;

static void
move_row(void *argument, int number, const lmtext_row *row, const float *x)
{
    moving *m = argument;
    uint64 item;

    m->from.place = number;
    item = lmtext_rows_put(&m->store, row, x, &m->from);
    lmtext_hashes_add(&m->store, row->hash, item);
    m->moved[number] = true;
    m->rows++;
}

static BlockNumber
move_page(moving *m, Relation heap, Snapshot snapshot, BlockNumber block, uint32 *steps)
{
    BlockNumber next;
    int count;
    ItemPointerData *tids = lmtext_waiting_read(&m->store, block, &count, &next, steps);

    m->moved = palloc0(count + 1);
    m->from.buffer = ReadBuffer(m->store.index, block);
    lmtext_texts_embed(&m->store, heap, snapshot, tids, count, move_row, m);
    for (int i = 0; i < count; i++)
        if (!m->moved[i] && ItemPointerIsValid(&tids[i])) {
            m->from.place = i;
            lmtext_waiting_drop(&m->store, &m->from);
        }
    ReleaseBuffer(m->from.buffer);
    if (count > 0)
        lmtext_waiting_tidy(&m->store, block);
    pfree(m->moved);
    pfree(tids);
    return next;
}

static int64
move_all(Relation index, Relation heap)
{
    MemoryContext memory =
        AllocSetContextCreate(CurrentMemoryContext, "lmtext flush", ALLOCSET_DEFAULT_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(memory);
    moving *m = palloc0(sizeof(*m));
    SnapshotData snapshot;
    uint32 steps = 0;
    int64 rows;

    InitNonVacuumableSnapshot(snapshot, GlobalVisTestFor(heap));
    lmtext_store_open(index, &m->store);
    for (BlockNumber block = m->store.meta.waiting; block != InvalidBlockNumber;)
        block = move_page(m, heap, &snapshot, block, &steps);
    rows = m->rows;
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(memory);
    return rows;
}

/* Does any row wait? */
static bool
is_waiting(Relation index)
{
    lmtext_store store = {.index = index};
    uint32 steps = 0;
    int count = 0;

    lmtext_meta_read(index, &store.meta);
    if (store.meta.width == 0)
        return false;
    for (BlockNumber block = store.meta.waiting; block != InvalidBlockNumber && count == 0;)
        pfree(lmtext_waiting_read(&store, block, &count, &block, &steps));
    return count > 0;
}

int64
lmtext_flush(Relation index, Relation heap, bool wait)
{
    int64 rows;

    if (RecoveryInProgress() || !is_waiting(index))
        return 0;
    if (wait)
        LockPage(index, LMTEXT_FLUSH_LOCK, ExclusiveLock);
    else if (!ConditionalLockPage(index, LMTEXT_FLUSH_LOCK, ExclusiveLock))
        return 0;
    rows = move_all(index, heap);
    UnlockPage(index, LMTEXT_FLUSH_LOCK, ExclusiveLock);
    return rows;
}

bool
lmtext_has_texts(Relation index, Relation heap)
{
    return index->rd_index->indkey.values[0] != 0 && heap->rd_rel->relam == HEAP_TABLE_AM_OID;
}

bool
lmtext_may_wait(Relation index, Relation heap)
{
    return lmtext_index_pending_option(index) > 0 && lmtext_has_texts(index, heap);
}
