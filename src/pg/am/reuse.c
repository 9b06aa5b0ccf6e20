/*
 * reuse.c - vectors that a build takes over instead of embedding their texts again.
 *
 * REINDEX, VACUUM FULL and CLUSTER give an index a new file and build it; the old file goes when
 * the transaction commits, and until then the row of pg_class that was replaced names it. REINDEX
 * CONCURRENTLY and CREATE INDEX find another index of the table by the same model. Such a source is
 * found in by the hash of a text: where its rows lie in the table does not matter. Rows of int8 are
 * copied, so that they are the same however often this is done; by L2 they would depend on the
 * origin of an index, and no text is indexed by it.
 *
 * REINDEX mends what is damaged. So a source is read whole before anything is taken from it, and
 * one with any fault is none.
 */
#include "postgres.h"

#include <math.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/smgr.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"

#include "pg/am/build.h"
#include "pg/compat.h"
#include "pg/glue/try.h"

struct lmtext_reuse {
    lmtext_store store;
    Relation index; /* as it is read */
    bool opened;    /* another index, to be closed; else a file of before */
    lmtext_digest digest;
    int width;
    MemoryContext memory;
};

/* ---- The file that an index had before ---- */

/* A version of the index's row of pg_class. */
typedef struct version {
    ItemPointerData tid, next;
    FormData_pg_class form; /* without what may be null */
    bool replaced;          /* by this transaction */
} version;

#define VERSIONS_MOST 64

static version
version_in(HeapTuple tuple)
{
    version v = {.tid = tuple->t_self, .next = tuple->t_data->t_ctid};

    memcpy(&v.form, GETSTRUCT(tuple), CLASS_TUPLE_SIZE);
    v.replaced = TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetUpdateXid(tuple->t_data));
    return v;
}

/* All that are there, dead ones too; where they are too many the rest is left out. */
static int
read_versions(Oid index, version *versions)
{
    Relation class = table_open(RelationRelationId, AccessShareLock);
    ScanKeyData key;
    SysScanDesc scan;
    HeapTuple tuple;
    int count = 0;

    ScanKeyInit(&key, Anum_pg_class_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(index));
    scan = systable_beginscan(class, ClassOidIndexId, true, SnapshotAny, 1, &key);
    while (count < VERSIONS_MOST && HeapTupleIsValid(tuple = systable_getnext(scan)))
        versions[count++] = version_in(tuple);
    systable_endscan(scan);
    table_close(class, AccessShareLock);
    return count;
}

/* What this transaction replaced by a version; NULL: nothing. */
static const version *
version_before(const version *versions, int count, const version *of)
{
    for (int i = 0; i < count; i++)
        if (versions[i].replaced && &versions[i] != of &&
            ItemPointerEquals(unconstify(ItemPointerData *, &versions[i].next),
                              unconstify(ItemPointerData *, &of->tid)))
            return &versions[i];
    return NULL;
}

/* The last one with another file than the index has by now; NULL: there is none. */
static const version *
version_of_file(const version *versions, int count, Oid file)
{
    const version *at = NULL;

    for (int i = 0; i < count; i++)
        if (versions[i].form.relfilenode == file && !versions[i].replaced)
            at = &versions[i];
    for (int steps = 0; at != NULL && at->form.relfilenode == file; steps++)
        at = steps < count ? version_before(versions, count, at) : NULL;
    return at;
}

static void
close_file(void *index)
{
    RelationCloseSmgr((Relation)index);
}

/* The index as it was with that file. Its descriptor goes before its memory does. */
static Relation
with_file(Relation index, const version *before, MemoryContext memory)
{
    MemoryContextCallback *callback = MemoryContextAllocZero(memory, sizeof(*callback));
    Relation copy = MemoryContextAlloc(memory, sizeof(*copy));
    Oid tablespace = before->form.reltablespace;

    *copy = *index;
    copy->rd_rel = MemoryContextAlloc(memory, sizeof(*copy->rd_rel));
    *copy->rd_rel = before->form;
    copy->rd_smgr = NULL;
    copy->rd_options = NULL;
    copy->pgstat_info = NULL;
    copy->pgstat_enabled = false;
    LMTEXT_SET_FILE(copy, OidIsValid(tablespace) ? tablespace : MyDatabaseTableSpace,
                    before->form.relfilenode);
    callback->func = close_file;
    callback->arg = copy;
    MemoryContextRegisterResetCallback(memory, callback);
    return copy;
}

/* NULL: the index has the file that it had. */
static Relation
index_before(Relation index, MemoryContext memory)
{
    version *versions = palloc(VERSIONS_MOST * sizeof(*versions));
    int count = read_versions(RelationGetRelid(index), versions);
    const version *before = version_of_file(versions, count, index->rd_rel->relfilenode);
    Relation found = before != NULL ? with_file(index, before, memory) : NULL;

    pfree(versions);
    if (found != NULL && smgrexists(RelationGetSmgr(found), MAIN_FORKNUM) &&
        RelationGetNumberOfBlocks(found) > 0)
        return found;
    return NULL;
}

/* ---- Is it one to take from? ---- */

static void
read_page(const lmtext_store *store, Buffer buffer, uint8 *vector)
{
    BlockNumber block = BufferGetBlockNumber(buffer);
    Page page = BufferGetPage(buffer);
    lm_hash128 hash;
    float scale;

    for (int row = 0; row < store->layout.rows; row++) {
        if ((lmtext_codes_mask(page)[row / LM_BLOCK_ROWS] >> row % LM_BLOCK_ROWS & 1) == 0)
            continue;
        if (!lmtext_row_read(store, page, block, row, &hash, vector))
            lmtext_index_damaged(store->index, block, "It has a row without a vector.");
        memcpy(&scale, vector, sizeof scale);
        if (!isfinite(scale))
            lmtext_index_damaged(store->index, block, "A vector of it is not finite.");
    }
}

static void
read_list(const lmtext_store *store, BlockNumber block, uint8 *vector)
{
    uint32 steps = 0;

    while (block != InvalidBlockNumber) {
        Buffer buffer = lmtext_codes_read(store, block, BUFFER_LOCK_SHARE);

        read_page(store, buffer, vector);
        block = lmtext_page_next(store->index, buffer, &steps);
        UnlockReleaseBuffer(buffer);
        CHECK_FOR_INTERRUPTS();
    }
}

/* An error: it is damaged. Width 0: it is by another model, or has no rows. */
static void
read_source(void *argument)
{
    lmtext_reuse *r = argument;
    lmtext_list *lists;
    uint8 *vector;
    lmtext_meta meta;

    lmtext_meta_read(r->index, &meta);
    if (meta.width != r->width || meta.buckets == InvalidBlockNumber ||
        memcmp(&meta.digest, &r->digest, sizeof r->digest) != 0)
        return;
    lmtext_store_open(r->index, &r->store);
    lists = lmtext_lists_read(&r->store);
    vector = palloc(r->store.layout.row_bytes);
    for (uint32 i = 0; i < meta.lists; i++)
        read_list(&r->store, lists[i].first, vector);
    pfree(vector);
    pfree(lists);
}

static bool
is_source(lmtext_reuse *r)
{
    MemoryContext caller = MemoryContextSwitchTo(r->memory);
    bool is;

    memset(&r->store, 0, sizeof r->store);
    is = r->index != NULL && lmtext_try(read_source, r) == NULL && r->store.meta.width > 0;
    MemoryContextSwitchTo(caller);
    return is;
}

/* ---- Which one? ---- */

/* Another index of the table, locked; NULL: it is none of texts by a model, or who builds it anew
 * has it locked, and may wait for this one. */
static Relation
open_other(Relation index, Oid other)
{
    Relation opened;

    if (other == RelationGetRelid(index) || !ConditionalLockRelationOid(other, AccessShareLock))
        return NULL;
    opened = index_open(other, NoLock);
    if (opened->rd_rel->relkind == RELKIND_INDEX && opened->rd_rel->relam == index->rd_rel->relam &&
        opened->rd_index->indisvalid && !RELATION_IS_OTHER_TEMP(opened) &&
        lmtext_index_kind(opened).text &&
        lmtext_index_kind(opened).metric == lmtext_index_kind(index).metric)
        return opened;
    index_close(opened, AccessShareLock);
    return NULL;
}

static bool
find_other(lmtext_reuse *r, Relation index)
{
    Relation heap = table_open(index->rd_index->indrelid, NoLock);
    List *others = RelationGetIndexList(heap);
    ListCell *cell;

    foreach (cell, others) {
        r->index = open_other(index, lfirst_oid(cell));
        r->opened = r->index != NULL;
        if (is_source(r))
            break;
        if (r->opened)
            index_close(r->index, AccessShareLock);
        r->opened = false;
    }
    list_free(others);
    table_close(heap, NoLock);
    return r->opened;
}

lmtext_reuse *
lmtext_reuse_begin(Relation index, const lmtext_embedder *embedder)
{
    const lmtext_inference *inference = &embedder->inference;
    MemoryContext memory =
        AllocSetContextCreate(CurrentMemoryContext, "lmtext reuse", ALLOCSET_DEFAULT_SIZES);
    lmtext_reuse *r = MemoryContextAllocZero(memory, sizeof(*r));

    r->memory = memory;
    r->digest = inference->model->identity.digest;
    r->width = lmtext_embed_width(inference->model, &inference->options);
    if (lmtext_reuse_vectors && lmtext_index_kind(index).metric != LM_DISTANCE_L2) {
        r->index = index_before(index, memory);
        if (is_source(r) || find_other(r, index))
            return r;
    }
    MemoryContextDelete(memory);
    return NULL;
}

void
lmtext_reuse_end(lmtext_reuse *r)
{
    if (r == NULL)
        return;
    if (r->opened)
        index_close(r->index, AccessShareLock);
    MemoryContextDelete(r->memory);
}

/* ---- Taking ---- */

typedef struct taking {
    lmtext_reuse *reuse;
    const lm_text *texts;
    int count;
    uint8 **rows;
} taking;

static void
take(void *argument)
{
    taking *t = argument;
    lmtext_store *store = &t->reuse->store;
    uint8 *row = palloc(store->layout.row_bytes);

    for (int i = 0; i < t->count; i++) {
        lm_hash128 hash = lmtext_value_hash(&store->meta, t->texts[i].bytes, t->texts[i].length);

        if (!lmtext_hashes_find(store, hash, row))
            continue;
        t->rows[i] = row;
        row = palloc(store->layout.row_bytes);
    }
    pfree(row);
}

bool
lmtext_reuse_take(lmtext_reuse *reuse, const lm_text *texts, int count, uint8 **rows)
{
    taking t = {reuse, texts, count, rows};

    memset(rows, 0, count * sizeof(*rows));
    if (reuse == NULL || lmtext_try(take, &t) == NULL)
        return true;
    memset(rows, 0, count * sizeof(*rows));
    return false;
}

size_t
lmtext_reuse_row_bytes(const lmtext_reuse *reuse)
{
    return reuse->store.layout.row_bytes;
}
