/*
 * build_parallel.c - rows of a table, read and embedded by several processes.
 *
 * The leader and its workers share one scan of the table. Each sorts what it has made, vectors and
 * documents, by TID into files of the tuplesort that they share. When all are done the leader reads
 * them in that order: what a build makes of them does not depend on who was faster.
 *
 * Texts only: these are dear to embed, and to take apart into words. A vector is read faster than
 * it is handed on.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type_d.h"
#include "executor/instrument.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "nodes/pathnodes.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "pgstat.h"
#include "storage/spin.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/tuplesort.h"

#include "pg/am/build.h"

/* A worker is worth its start for so many pages of texts: 20 ms each with a small transformer. */
#define WORKER_PAGES 16
#define TOLD_ROWS 128 /* so many are read between two reports of progress */

enum {
    KEY_SHARED = 1,
    KEY_SORT,
    KEY_QUERY,
    KEY_BUFFERS,
    KEY_WAL,
};

/* In the segment; the scan of the table lies behind it. */
typedef struct shared_build {
    Oid heap, index;
    bool concurrent, vectors, words;
    int sort_memory; /* of each process, in kB */
    lmtext_meta meta;
    pg_atomic_uint64 read; /* rows with a text */

    slock_t mutex;
    double heap_tuples;
    bool broken_hot_chain;
} shared_build;

static ParallelTableScanDesc
shared_scan(shared_build *shared)
{
    return (ParallelTableScanDesc)((char *)shared + BUFFERALIGN(sizeof(*shared)));
}

/* ---- Rows in the sort: TID, and a record ---- */

typedef struct record_head {
    lmtext_build_row row;
    uint32 length; /* of a document */
    int32 count;   /* of its words, or of the vector's numbers, which follow */
    bool document;
} record_head;

typedef struct sorted_rows {
    Tuplesortstate *sort;
    TupleTableSlot *slot;
} sorted_rows;

static sorted_rows
sort_begin(int memory, SortCoordinate coordinate, const TupleTableSlotOps *slot)
{
    TupleDesc columns = CreateTemplateTupleDesc(2);
    AttrNumber column = 1;
    Oid less = Int8LessOperator, collation = InvalidOid;
    bool nulls_first = false;

    TupleDescInitEntry(columns, 1, "place", INT8OID, -1, 0);
    TupleDescInitEntry(columns, 2, "record", BYTEAOID, -1, 0);
    return (sorted_rows){tuplesort_begin_heap(columns, 1, &column, &less, &collation, &nulls_first,
                                              memory, coordinate, TUPLESORT_NONE),
                         MakeSingleTupleTableSlot(columns, slot)};
}

static void
sort_end(sorted_rows *rows)
{
    ExecDropSingleTupleTableSlot(rows->slot);
    tuplesort_end(rows->sort);
}

static int64
place_of(const ItemPointerData *tid)
{
    return (int64)ItemPointerGetBlockNumber(tid) << 16 | ItemPointerGetOffsetNumber(tid);
}

/* In the current memory context, which the caller resets. */
static void
sort_put(sorted_rows *rows, const record_head *head, const void *items, size_t bytes)
{
    size_t size = VARHDRSZ + sizeof(*head) + bytes;
    char *record = palloc(size);

    SET_VARSIZE(record, size);
    memcpy(VARDATA(record), head, sizeof(*head));
    if (bytes > 0)
        memcpy(VARDATA(record) + sizeof(*head), items, bytes);
    ExecClearTuple(rows->slot);
    rows->slot->tts_values[0] = Int64GetDatum(place_of(&head->row.tid));
    rows->slot->tts_values[1] = PointerGetDatum(record);
    rows->slot->tts_isnull[0] = rows->slot->tts_isnull[1] = false;
    ExecStoreVirtualTuple(rows->slot);
    tuplesort_puttupleslot(rows->sort, rows->slot);
    ExecClearTuple(rows->slot);
    pfree(record);
}

/* ---- A process that takes part: a worker, or the leader ---- */

typedef struct participant {
    shared_build *shared;
    sorted_rows rows;
    lmtext_build_texts texts;
    Relation index;
    lmtext_cutter cutter; /* of words */
    MemoryContext row;
    bool leader;
} participant;

static void
put_vector(void *argument, const lmtext_build_row *row, const float *vector, int width)
{
    participant *p = argument;
    record_head head;

    memset(&head, 0, sizeof head);
    head.row = *row;
    head.count = width;
    sort_put(&p->rows, &head, vector, width * sizeof(*vector));
}

static void
put_document(participant *p, Datum value, ItemPointer tid)
{
    MemoryContext caller = MemoryContextSwitchTo(p->row);
    lmtext_text_words words;
    lmtext_document document =
        lmtext_words_of_row(&p->cutter, p->index, &p->shared->meta, value, tid, &words);
    record_head head;

    memset(&head, 0, sizeof head);
    head.row = (lmtext_build_row){.tid = document.tid, .hash = document.hash};
    head.length = document.length;
    head.count = words.count;
    head.document = true;
    sort_put(&p->rows, &head, words.words, words.count * sizeof(*words.words));
    MemoryContextSwitchTo(caller);
    MemoryContextReset(p->row);
}

static void
put_value(Relation index, ItemPointer tid, Datum *values, bool *nulls, bool alive, void *state)
{
    participant *p = state;
    uint64 read;

    if (nulls[0])
        return;
    if (p->shared->words)
        put_document(p, values[0], tid);
    if (p->shared->vectors)
        lmtext_build_texts_add(&p->texts, values[0], tid);
    read = pg_atomic_add_fetch_u64(&p->shared->read, 1);
    if (p->leader && read % TOLD_ROWS == 0)
        pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, (int64)read);
}

static participant *
participant_begin(shared_build *shared, Sharedsort *sort, Relation index, bool leader)
{
    participant *p = palloc0(sizeof(*p));
    SortCoordinate coordinate = palloc0(sizeof(*coordinate));

    coordinate->isWorker = true;
    coordinate->nParticipants = -1;
    coordinate->sharedsort = sort;
    p->shared = shared;
    p->rows = sort_begin(shared->sort_memory, coordinate, &TTSOpsVirtual);
    p->row = AllocSetContextCreate(CurrentMemoryContext, "lmtext row", ALLOCSET_DEFAULT_SIZES);
    p->index = index;
    if (shared->words)
        p->cutter = lmtext_cutter_make(index, false);
    p->leader = leader;
    lmtext_build_texts_init(&p->texts, index, &shared->meta, CurrentMemoryContext);
    p->texts.done = put_vector;
    p->texts.argument = p;
    return p;
}

static void
add_counts(shared_build *shared, double heap_tuples, bool broken_hot_chain)
{
    SpinLockAcquire(&shared->mutex);
    shared->heap_tuples += heap_tuples;
    shared->broken_hot_chain |= broken_hot_chain;
    SpinLockRelease(&shared->mutex);
}

/* This process's part of the table, until there is none left. */
static void
take_part(shared_build *shared, Sharedsort *sort, Relation heap, Relation index, bool leader)
{
    MemoryContext memory =
        AllocSetContextCreate(CurrentMemoryContext, "lmtext part", ALLOCSET_DEFAULT_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(memory);
    participant *p = participant_begin(shared, sort, index, leader);
    IndexInfo *info = BuildIndexInfo(index);
    double heap_tuples;

    info->ii_Concurrent = shared->concurrent;
    heap_tuples = table_index_build_scan(heap, index, info, true, leader, put_value, p,
                                         table_beginscan_parallel(heap, shared_scan(shared)));
    lmtext_build_texts_end(&p->texts);
    tuplesort_performsort(p->rows.sort);
    add_counts(shared, heap_tuples, info->ii_BrokenHotChain);
    sort_end(&p->rows);
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(memory);
}

void
lmtext_build_worker(dsm_segment *segment, shm_toc *toc)
{
    shared_build *shared = shm_toc_lookup(toc, KEY_SHARED, false);
    Sharedsort *sort = shm_toc_lookup(toc, KEY_SORT, false);
    BufferUsage *buffers = shm_toc_lookup(toc, KEY_BUFFERS, false);
    WalUsage *wal = shm_toc_lookup(toc, KEY_WAL, false);
    /* The leader has them. */
    LOCKMODE heap_lock = shared->concurrent ? ShareUpdateExclusiveLock : ShareLock;
    LOCKMODE index_lock = shared->concurrent ? RowExclusiveLock : AccessExclusiveLock;
    Relation heap, index;
    int call;

    debug_query_string = shm_toc_lookup(toc, KEY_QUERY, true);
    pgstat_report_activity(STATE_RUNNING, debug_query_string);
    heap = table_open(shared->heap, heap_lock);
    index = index_open(shared->index, index_lock);
    call = lmtext_index_stats_begin();
    tuplesort_attach_shared(sort, segment);
    InstrStartParallelQuery();
    take_part(shared, sort, heap, index, false);
    InstrEndParallelQuery(&buffers[ParallelWorkerNumber], &wal[ParallelWorkerNumber]);
    lmtext_stats_end(call);
    index_close(index, index_lock);
    table_close(heap, heap_lock);
}

/* ---- How many workers? ---- */

static bool
is_safe(List *expressions)
{
    PlannerInfo *root = makeNode(PlannerInfo);

    root->glob = makeNode(PlannerGlobal);
    return is_parallel_safe(root, (Node *)expressions);
}

/* A temporary table is in buffers of this process. */
static bool
may_share(Relation heap, Relation index)
{
    return IsUnderPostmaster && !RelationUsesLocalBuffers(heap) &&
           is_safe(RelationGetIndexExpressions(index)) && is_safe(RelationGetIndexPredicate(index));
}

/* Of texts: many may be out of line. */
static double
text_pages(Relation heap)
{
    double pages = RelationGetNumberOfBlocks(heap);
    Relation toast;

    if (!OidIsValid(heap->rd_rel->reltoastrelid))
        return pages;
    toast = table_open(heap->rd_rel->reltoastrelid, AccessShareLock);
    pages += RelationGetNumberOfBlocks(toast);
    table_close(toast, AccessShareLock);
    return pages;
}

/* The table's own option rules, as it does for B-trees; pages are what the scan hands out. */
static int
workers_for(Relation heap, Relation index)
{
    BlockNumber blocks = RelationGetNumberOfBlocks(heap);
    double wanted = RelationGetParallelWorkers(heap, -1);

    if (max_parallel_maintenance_workers == 0 || wanted == 0 || blocks < 2 ||
        !may_share(heap, index))
        return 0;
    if (wanted < 0)
        wanted = Min(text_pages(heap) / WORKER_PAGES, blocks - 1.0);
    return (int)Min(wanted, max_parallel_maintenance_workers);
}

/* ---- The leader ---- */

typedef struct leader {
    ParallelContext *context;
    Snapshot snapshot;
    shared_build *shared;
    Sharedsort *sort;
    BufferUsage *buffers;
    WalUsage *wal;
} leader;

static void
estimate(leader *l, Relation heap)
{
    shm_toc_estimator *room = &l->context->estimator;
    int workers = l->context->nworkers;

    shm_toc_estimate_chunk(room, add_size(BUFFERALIGN(sizeof(shared_build)),
                                          table_parallelscan_estimate(heap, l->snapshot)));
    shm_toc_estimate_chunk(room, tuplesort_estimate_shared(workers + 1));
    shm_toc_estimate_chunk(room, mul_size(sizeof(BufferUsage), workers));
    shm_toc_estimate_chunk(room, mul_size(sizeof(WalUsage), workers));
    shm_toc_estimate_keys(room, 4);
    if (debug_query_string != NULL) {
        shm_toc_estimate_chunk(room, strlen(debug_query_string) + 1);
        shm_toc_estimate_keys(room, 1);
    }
}

static void *
give(leader *l, uint64 key, Size size)
{
    void *place = shm_toc_allocate(l->context->toc, size);

    memset(place, 0, size);
    shm_toc_insert(l->context->toc, key, place);
    return place;
}

static void
share(leader *l, Relation heap, Relation index, const IndexInfo *info, const lmtext_meta *meta,
      const lmtext_build_sink *sink)
{
    int workers = l->context->nworkers;
    Size scan = table_parallelscan_estimate(heap, l->snapshot);
    shared_build *shared = give(l, KEY_SHARED, BUFFERALIGN(sizeof(*shared)) + scan);

    shared->heap = RelationGetRelid(heap);
    shared->index = RelationGetRelid(index);
    shared->concurrent = info->ii_Concurrent;
    shared->vectors = sink->vector != NULL;
    shared->words = sink->document != NULL;
    shared->sort_memory = Max(maintenance_work_mem / (workers + 1), 64);
    shared->meta = *meta;
    pg_atomic_init_u64(&shared->read, 0);
    SpinLockInit(&shared->mutex);
    table_parallelscan_initialize(heap, shared_scan(shared), l->snapshot);
    l->shared = shared;
    l->sort = give(l, KEY_SORT, tuplesort_estimate_shared(workers + 1));
    tuplesort_initialize_shared(l->sort, workers + 1, l->context->seg);
    l->buffers = give(l, KEY_BUFFERS, mul_size(sizeof(BufferUsage), workers));
    l->wal = give(l, KEY_WAL, mul_size(sizeof(WalUsage), workers));
    if (debug_query_string != NULL)
        strcpy(give(l, KEY_QUERY, strlen(debug_query_string) + 1), debug_query_string);
}

static void
leader_end(leader *l)
{
    DestroyParallelContext(l->context);
    if (IsMVCCSnapshot(l->snapshot))
        UnregisterSnapshot(l->snapshot);
    ExitParallelMode();
}

/* False: there was no shared memory, or no worker was free. */
static bool
leader_begin(leader *l, Relation heap, Relation index, const IndexInfo *info,
             const lmtext_meta *meta, const lmtext_build_sink *sink, int workers)
{
    EnterParallelMode();
    l->context = CreateParallelContext("lmtext", "lmtext_build_worker", workers);
    l->snapshot = info->ii_Concurrent ? RegisterSnapshot(GetTransactionSnapshot()) : SnapshotAny;
    estimate(l, heap);
    InitializeParallelDSM(l->context);
    if (l->context->seg != NULL) {
        share(l, heap, index, info, meta, sink);
        LaunchParallelWorkers(l->context);
        if (l->context->nworkers_launched > 0)
            return true;
    }
    leader_end(l);
    return false;
}

static void
wait_for_workers(leader *l)
{
    WaitForParallelWorkersToFinish(l->context);
    for (int i = 0; i < l->context->nworkers_launched; i++)
        InstrAccumParallelQuery(&l->buffers[i], &l->wal[i]);
}

/* A record to whom it is for; it may begin at any byte. */
static void
give_record(const lmtext_build_sink *sink, const char *bytes)
{
    record_head head;
    void *items;
    size_t size;

    memcpy(&head, bytes, sizeof head);
    size = head.count * (head.document ? sizeof(lmtext_counted) : sizeof(float));
    items = palloc(size);
    memcpy(items, bytes + sizeof head, size);
    if (head.document) {
        const lmtext_document document = {
            .hash = head.row.hash, .length = head.length, .tid = head.row.tid};
        const lmtext_text_words words = {head.length, head.count, items};

        sink->document(sink->argument, &document, &words);
        return;
    }
    sink->vector(sink->argument, &head.row, items, head.count);
}

static void
give_rows(sorted_rows *rows, const lmtext_build_sink *sink)
{
    MemoryContext memory =
        AllocSetContextCreate(CurrentMemoryContext, "lmtext row", ALLOCSET_DEFAULT_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(memory);
    int64 done = 0;

    while (tuplesort_gettupleslot(rows->sort, true, false, rows->slot, NULL)) {
        bool null;

        give_record(sink, VARDATA_ANY(DatumGetPointer(slot_getattr(rows->slot, 2, &null))));
        MemoryContextReset(memory);
        if (++done % TOLD_ROWS == 0)
            pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, done);
        CHECK_FOR_INTERRUPTS();
    }
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(memory);
}

/* All have sorted what they read. */
static void
collect(const leader *l, const lmtext_build_sink *sink)
{
    SortCoordinate coordinate = palloc0(sizeof(*coordinate));
    int64 read = (int64)pg_atomic_read_u64(&l->shared->read);
    sorted_rows rows;

    coordinate->nParticipants = l->context->nworkers_launched + 1;
    coordinate->sharedsort = l->sort;
    rows = sort_begin(l->shared->sort_memory, coordinate, &TTSOpsMinimalTuple);
    lmtext_build_phase(LMTEXT_PHASE_COLLECT,
                       l->shared->vectors && l->shared->words ? 2 * read : read);
    tuplesort_performsort(rows.sort);
    give_rows(&rows, sink);
    sort_end(&rows);
}

bool
lmtext_build_parallel(Relation heap, Relation index, IndexInfo *info, const lmtext_meta *meta,
                      const lmtext_build_sink *sink, double *heap_tuples)
{
    int workers = workers_for(heap, index);
    leader l;

    if (workers == 0 || !leader_begin(&l, heap, index, info, meta, sink, workers))
        return false;
    take_part(l.shared, l.sort, heap, index, true);
    wait_for_workers(&l);
    *heap_tuples = l.shared->heap_tuples;
    info->ii_BrokenHotChain |= l.shared->broken_hot_chain;
    collect(&l, sink);
    leader_end(&l);
    return true;
}
