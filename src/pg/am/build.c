/*
 * build.c - building an index: from the rows of a table to pages.
 *
 * Rows are read, embedded in batches, and spooled into a temporary file as int8 vectors; the first
 * ones give the origin. When all are there it is known how many lists there are to be, rows are
 * sorted by their lists, and pages are written one list after the other. They are logged at the
 * end, in one sweep. Where there is no row, no model is read: a dump is restored table by table,
 * and the model may not be there yet.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xloginsert.h"
#include "catalog/index.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type_d.h"
#include "commands/progress.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/buffile.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplesort.h"

#include "pg/am/build.h"
#include "search/index_plan.h"

#define ORIGIN_ROWS 1024 /* whose mean is the origin */
#define ASSIGNED_ROWS 1024

struct lmtext_build {
    Relation index;
    lmtext_kind kind;
    lmtext_meta meta;
    lmtext_build_texts texts;
    lmtext_call call;
    MemoryContext memory, row; /* of all of it; of a row */

    /* The first vectors, until there is an origin. */
    int width;
    float *first; /* (ORIGIN_ROWS, width) */
    lmtext_build_row first_rows[ORIGIN_ROWS];
    uint8 *first_coded[ORIGIN_ROWS]; /* int8 rows that were taken over; else NULL */
    int first_count;
    lm_space *plain; /* without an origin, to read those */

    lm_space *space;
    size_t row_bytes;
    float *origin;
    BufFile *spool;
    uint8 *record;
    int64 rows;                /* spooled */
    bool vectors;              /* else words alone */
    lmtext_words_build *words; /* NULL: none */

    const lmtext_store *store; /* whose lists are made anew; NULL: the index is built */
    lmtext_spread spread;      /* of rows over lists */
};

/* ---- Progress: of a build, not of a vacuum ---- */

static void
begin_phase(const lmtext_build *b, int64 phase, int64 total)
{
    if (b->store == NULL)
        lmtext_build_phase(phase, total);
}

static void
tell_done(const lmtext_build *b, int64 rows)
{
    if (b->store == NULL)
        pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, rows);
}

/* ---- The spool ---- */

/* By its vector, or as the int8 row that it was. */
static void
spool_row(lmtext_build *b, const lmtext_build_row *row, const float *x, const uint8 *coded)
{
    memcpy(b->record, row, sizeof(*row));
    if (coded != NULL)
        memcpy(b->record + sizeof(*row), coded, b->row_bytes);
    else
        lm_int8_row_encode(b->space, x, b->record + sizeof(*row));
    BufFileWrite(b->spool, b->record, sizeof(*row) + b->row_bytes);
    b->rows++;
}

/* The next row of the spool into memory of the caller. */
static void
unspool_row(lmtext_build *b, lmtext_row *row, uint8 *vector)
{
    lmtext_build_row head;

    if (BufFileRead(b->spool, &head, sizeof head) != sizeof head ||
        BufFileRead(b->spool, vector, b->row_bytes) != b->row_bytes)
        ereport(ERROR, (errcode_for_file_access(),
                        errmsg("could not read the temporary file of an index build")));
    row->tid = head.tid;
    row->hash = head.hash;
    row->vector = vector;
}

static void
rewind_spool(lmtext_build *b)
{
    if (BufFileSeek(b->spool, 0, 0, SEEK_SET) != 0)
        ereport(ERROR, (errcode_for_file_access(),
                        errmsg("could not rewind the temporary file of an index build")));
}

/* The mean of the first rows; for cosine as well, where codes need it least long. */
static float *
mean_of_first(const lmtext_build *b)
{
    float *mean = palloc(b->width * sizeof(float));

    for (int i = 0; i < b->width; i++) {
        double sum = 0;

        for (int row = 0; row < b->first_count; row++)
            sum += b->first[(size_t)row * b->width + i];
        mean[i] = (float)(sum / b->first_count);
    }
    return mean;
}

static void
begin_spool(lmtext_build *b)
{
    MemoryContext caller = MemoryContextSwitchTo(b->memory);

    b->origin = mean_of_first(b);
    lmtext_check(&b->call,
                 lm_space_create(&b->call.ctx, b->kind.metric, b->width, LMTEXT_INDEX_SEED,
                                 b->origin, &b->space),
                 NULL);
    b->row_bytes = lm_int8_row_bytes(b->space);
    b->record = palloc(sizeof(lmtext_build_row) + b->row_bytes);
    b->spool = BufFileCreateTemp(false);
    for (int i = 0; i < b->first_count; i++)
        spool_row(b, &b->first_rows[i], b->first + (size_t)i * b->width, b->first_coded[i]);
    pfree(b->first);
    MemoryContextSwitchTo(caller);
}

/* ---- Rows ---- */

static void
set_width(lmtext_build *b, int width)
{
    if (b->width != 0)
        return;
    b->width = width;
    b->first = MemoryContextAllocHuge(b->memory, (size_t)ORIGIN_ROWS * width * sizeof(float));
}

/* One of the first, whose mean is the origin. */
static void
add_first(lmtext_build *b, const lmtext_build_row *row, const float *x)
{
    memcpy(b->first + (size_t)b->first_count * b->width, x, b->width * sizeof(float));
    b->first_rows[b->first_count++] = *row;
    if (b->first_count == ORIGIN_ROWS)
        begin_spool(b);
}

/* An int8 row that was taken over. */
static void
add_coded(lmtext_build *b, const lmtext_build_row *row, const void *bytes)
{
    float *x;

    set_width(b, row->coded);
    if (b->space != NULL) {
        spool_row(b, row, NULL, bytes);
        return;
    }
    if (b->plain == NULL)
        lmtext_check(&b->call,
                     lm_space_create(&b->call.ctx, b->kind.metric, b->width, LMTEXT_INDEX_SEED,
                                     NULL, &b->plain),
                     NULL);
    x = palloc(b->width * sizeof(float));
    lm_int8_row_decode(b->plain, bytes, x);
    b->first_coded[b->first_count] = MemoryContextAlloc(b->memory, lm_int8_row_bytes(b->plain));
    memcpy(b->first_coded[b->first_count], bytes, lm_int8_row_bytes(b->plain));
    add_first(b, row, x);
}

/* A vector without a direction is in no index by cosine. */
static void
add_vector(void *argument, const lmtext_build_row *row, const float *vector, int width)
{
    lmtext_build *b = argument;
    float *x;
    bool zero;

    if (row->coded != 0) {
        add_coded(b, row, vector);
        return;
    }
    set_width(b, width);
    x = palloc(width * sizeof(float));
    lmtext_check(&b->call, lm_space_prepare(&b->call.ctx, b->kind.metric, width, vector, x, &zero),
                 NULL);
    if (zero && b->kind.metric == LM_DISTANCE_COSINE)
        return;
    if (b->space != NULL)
        spool_row(b, row, x, NULL);
    else
        add_first(b, row, x);
}

static void
add_document(void *argument, const lmtext_document *document, const lmtext_text_words *words)
{
    lmtext_build *b = argument;

    lmtext_words_build_document(b->words, document, words);
}

static void
add_value(Relation index, ItemPointer tid, Datum *values, bool *nulls, bool alive, void *state)
{
    lmtext_build *b = state;
    MemoryContext caller;
    lmtext_build_row row = {.tid = *tid};
    const float *floats;
    int width;

    if (nulls[0])
        return;
    if (b->words != NULL)
        lmtext_words_build_add(b->words, values[0], tid);
    if (!b->vectors)
        return;
    if (b->kind.text) {
        lmtext_build_texts_add(&b->texts, values[0], tid);
        return;
    }
    caller = MemoryContextSwitchTo(b->row);
    floats = lmtext_value_floats(&b->kind, values[0], b->width, &width);
    add_vector(b, &row, floats, width);
    MemoryContextSwitchTo(caller);
    MemoryContextReset(b->row);
}

/* ---- Pages ---- */

/* Rows that are written together, of one list. */
typedef struct group {
    lmtext_build *build;
    lmtext_store *store;
    lmtext_row *rows; /* (layout.rows) */
    uint8 *vectors;   /* (layout.rows, row_bytes) */
    int count;
    uint32 list;
    BlockNumber last; /* page of the list */
    MemoryContext memory;
    int64 written, counted; /* of all lists, of those that are done */
} group;

static void
group_init(group *g, lmtext_build *b, lmtext_store *store)
{
    memset(g, 0, sizeof(*g));
    g->build = b;
    g->store = store;
    g->rows = palloc(store->layout.rows * sizeof(*g->rows));
    g->vectors = palloc(store->layout.rows * store->layout.row_bytes);
    g->last = InvalidBlockNumber;
    g->memory = AllocSetContextCreate(CurrentMemoryContext, "lmtext pages", ALLOCSET_DEFAULT_SIZES);
}

static void
group_write(group *g)
{
    MemoryContext caller;

    if (g->count == 0)
        return;
    caller = MemoryContextSwitchTo(g->memory);
    g->last = lmtext_rows_write(g->store, g->list, g->last, g->rows, g->count);
    MemoryContextSwitchTo(caller);
    MemoryContextReset(g->memory);
    g->written += g->count;
    g->count = 0;
    tell_done(g->build, g->written);
    CHECK_FOR_INTERRUPTS();
}

/* Where the next row's vector goes. */
static uint8 *
group_place(group *g)
{
    if (g->count == g->store->layout.rows)
        group_write(g);
    return g->vectors + g->count * g->store->layout.row_bytes;
}

/* All rows of a list have been written. */
static void
group_count(group *g)
{
    lmtext_spread_add(&g->build->spread, (double)(g->written - g->counted));
    g->counted = g->written;
}

/* Rows of another list begin. */
static void
group_list(group *g, uint32 list)
{
    if (g->list == list)
        return;
    group_write(g);
    g->list = list;
    g->last = InvalidBlockNumber;
    group_count(g);
}

static void
begin_index(lmtext_build *b, uint32 lists, const float *centroids, lmtext_store *store)
{
    const lmtext_begin begin = {
        .width = b->width,
        .digest = b->kind.text ? &b->texts.embedder.inference.model->identity.digest : NULL,
        .origin = b->origin,
        .centroids = centroids,
        .lists = lists,
        .rows = (double)b->rows,
    };

    lmtext_store_begin(b->index, &begin, true);
    lmtext_store_open(b->index, store);
    store->building = true;
}

static void
write_flat(lmtext_build *b, lmtext_store *store)
{
    group g;

    begin_phase(b, LMTEXT_PHASE_WRITE, b->rows);
    rewind_spool(b);
    group_init(&g, b, store);
    for (int64 i = 0; i < b->rows; i++) {
        uint8 *place = group_place(&g);

        unspool_row(b, &g.rows[g.count], place);
        g.count++;
    }
    group_write(&g);
}

/* ---- Lists ---- */

/* Rows of the spool, evenly. */
static float *
take_sample(lmtext_build *b, size_t wanted)
{
    float *sample = MemoryContextAllocHuge(b->memory, wanted * b->width * sizeof(float));
    uint8 *vector = palloc(b->row_bytes);
    size_t taken = 0;
    lmtext_row row;

    rewind_spool(b);
    for (int64 i = 0; i < b->rows && taken < wanted; i++) {
        unspool_row(b, &row, vector);
        if ((uint64)i * wanted / b->rows == taken)
            lm_int8_row_decode(b->space, vector, sample + taken++ * b->width);
        if (i % ASSIGNED_ROWS == 0)
            CHECK_FOR_INTERRUPTS();
    }
    pfree(vector);
    return sample;
}

static float *
train_lists(lmtext_build *b, size_t lists)
{
    lm_lists_training options = {.metric = b->kind.metric,
                                 .width = b->width,
                                 .lists = lists,
                                 .rounds = LM_LISTS_ROUNDS,
                                 .seed = LMTEXT_INDEX_SEED};
    size_t rows = lm_plan_sample(b->rows, lists, b->width, (size_t)maintenance_work_mem * 1024);
    float *centroids = MemoryContextAllocHuge(b->memory, lists * b->width * sizeof(float));
    float *sample;

    rows = Min(Max(rows, lists), (size_t)b->rows);
    begin_phase(b, LMTEXT_PHASE_TRAIN, LM_LISTS_ROUNDS);
    sample = take_sample(b, rows);
    lmtext_check(&b->call, lm_lists_train(&b->call.ctx, &options, sample, rows, centroids), NULL);
    pfree(sample);
    return centroids;
}

/* Sorts (list, row as it is spooled). */
static Tuplesortstate *
begin_sort(TupleDesc *columns)
{
    AttrNumber column = 1;
    Oid less = Int4LessOperator, collation = InvalidOid;
    bool nulls_first = false;

    *columns = CreateTemplateTupleDesc(2);
    TupleDescInitEntry(*columns, 1, "list", INT4OID, -1, 0);
    TupleDescInitEntry(*columns, 2, "row", BYTEAOID, -1, 0);
    return tuplesort_begin_heap(*columns, 1, &column, &less, &collation, &nulls_first,
                                maintenance_work_mem, NULL, TUPLESORT_NONE);
}

/* Some rows of the spool. */
typedef struct chunk {
    uint8 *records; /* (count): varlena header, spooled, vector */
    float *x;       /* (count, width) */
    uint32 *lists;
    size_t record_bytes;
    int count;
} chunk;

static void
read_chunk(lmtext_build *b, chunk *c, int64 left)
{
    c->count = (int)Min(left, ASSIGNED_ROWS);
    for (int i = 0; i < c->count; i++) {
        uint8 *record = c->records + i * c->record_bytes;
        lmtext_row row;
        lmtext_build_row head = {0};

        unspool_row(b, &row, record + VARHDRSZ + sizeof(lmtext_build_row));
        head.tid = row.tid;
        head.hash = row.hash;
        SET_VARSIZE(record, VARHDRSZ + sizeof(lmtext_build_row) + b->row_bytes);
        memcpy(record + VARHDRSZ, &head, sizeof head);
        lm_int8_row_decode(b->space, row.vector, c->x + (size_t)i * b->width);
    }
}

static void
sort_chunk(const chunk *c, Tuplesortstate *sort, TupleTableSlot *slot)
{
    for (int i = 0; i < c->count; i++) {
        ExecClearTuple(slot);
        slot->tts_values[0] = Int32GetDatum((int32)c->lists[i]);
        slot->tts_values[1] = PointerGetDatum(c->records + i * c->record_bytes);
        slot->tts_isnull[0] = slot->tts_isnull[1] = false;
        ExecStoreVirtualTuple(slot);
        tuplesort_puttupleslot(sort, slot);
    }
}

static void
assign_rows(lmtext_build *b, lmtext_store *store, Tuplesortstate *sort, TupleTableSlot *slot)
{
    chunk c = {.record_bytes = MAXALIGN(VARHDRSZ + sizeof(lmtext_build_row) + b->row_bytes)};

    c.records = palloc(ASSIGNED_ROWS * c.record_bytes);
    c.x = MemoryContextAllocHuge(CurrentMemoryContext,
                                 (size_t)ASSIGNED_ROWS * b->width * sizeof(float));
    c.lists = palloc(ASSIGNED_ROWS * sizeof(*c.lists));
    begin_phase(b, LMTEXT_PHASE_ASSIGN, b->rows);
    rewind_spool(b);
    for (int64 done = 0; done < b->rows; done += c.count) {
        read_chunk(b, &c, b->rows - done);
        lmtext_check(store->call,
                     lm_lists_assign(&store->call->ctx, store->lists, c.x, c.count, c.lists), NULL);
        sort_chunk(&c, sort, slot);
        tell_done(b, done + c.count);
        CHECK_FOR_INTERRUPTS();
    }
    pfree(c.records);
    pfree(c.x);
    pfree(c.lists);
}

static void
write_sorted(lmtext_build *b, lmtext_store *store, Tuplesortstate *sort, TupleTableSlot *slot)
{
    group g;

    begin_phase(b, LMTEXT_PHASE_WRITE, b->rows);
    group_init(&g, b, store);
    while (tuplesort_gettupleslot(sort, true, false, slot, NULL)) {
        bool null;
        uint32 list = (uint32)DatumGetInt32(slot_getattr(slot, 1, &null));
        const char *record = VARDATA_ANY(DatumGetPointer(slot_getattr(slot, 2, &null)));
        lmtext_build_row head;
        uint8 *place;

        group_list(&g, list);
        place = group_place(&g);
        memcpy(&head, record, sizeof head);
        memcpy(place, record + sizeof head, b->row_bytes);
        g.rows[g.count++] = (lmtext_row){head.tid, head.hash, place};
    }
    group_write(&g);
    group_count(&g);
}

static void
write_lists(lmtext_build *b, lmtext_store *store)
{
    TupleDesc columns;
    Tuplesortstate *sort;
    TupleTableSlot *in, *out;

    sort = begin_sort(&columns);
    in = MakeSingleTupleTableSlot(columns, &TTSOpsVirtual);
    out = MakeSingleTupleTableSlot(columns, &TTSOpsMinimalTuple);
    assign_rows(b, store, sort, in);
    tuplesort_performsort(sort);
    write_sorted(b, store, sort, out);
    ExecDropSingleTupleTableSlot(in);
    ExecDropSingleTupleTableSlot(out);
    tuplesort_end(sort);
}

static void
write_rows(lmtext_build *b, lmtext_store *store)
{
    if (store->meta.lists > 1)
        write_lists(b, store);
    else
        write_flat(b, store);
}

/* ---- Lists made anew ---- */

lmtext_build *
lmtext_build_of_store(const lmtext_store *store)
{
    lmtext_build *b = palloc0(sizeof(*b));

    b->index = store->index;
    b->kind = lmtext_index_kind(store->index);
    b->memory = CurrentMemoryContext;
    lmtext_call_init(&b->call, b->memory);
    b->store = store;
    b->width = store->meta.width;
    b->space = store->space;
    b->row_bytes = store->layout.row_bytes;
    b->record = palloc(sizeof(lmtext_build_row) + b->row_bytes);
    b->spool = BufFileCreateTemp(false);
    return b;
}

void
lmtext_build_spool(lmtext_build *b, const lmtext_row *row)
{
    lmtext_build_row head = {.tid = row->tid, .hash = row->hash};

    spool_row(b, &head, NULL, row->vector);
}

double
lmtext_build_relist(lmtext_build *b, uint32 lists, lmtext_store *fresh)
{
    const float *centroids = lists > 1 ? train_lists(b, lists) : NULL;

    lmtext_store_prepare(b->store, lists, centroids, (double)b->rows, fresh);
    write_rows(b, fresh);
    return lmtext_spread_imbalance(&b->spread, lists);
}

void
lmtext_build_drop(lmtext_build *b)
{
    BufFileClose(b->spool);
}

/* ---- The whole ---- */

static void
write_index(lmtext_build *b)
{
    uint32 lists;
    lmtext_store store;

    if (b->kind.text) /* where workers have embedded all rows it is not here yet */
        lmtext_embedder_rows(&b->texts.embedder, b->index);
    if (b->space == NULL)
        begin_spool(b);
    lists = lmtext_lists_wanted(b->index, (double)b->rows);
    begin_index(b, lists, lists > 1 ? train_lists(b, lists) : NULL, &store);
    write_rows(b, &store);
    if (b->kind.text)
        lmtext_hashes_build(&store, (double)b->rows);
    BufFileClose(b->spool);
}

static lmtext_build *
build_begin(Relation index)
{
    MemoryContext memory =
        AllocSetContextCreate(CurrentMemoryContext, "lmtext build", ALLOCSET_DEFAULT_SIZES);
    lmtext_build *b = MemoryContextAllocZero(memory, sizeof(*b));

    b->index = index;
    b->kind = lmtext_index_kind(index);
    b->memory = memory;
    b->row = AllocSetContextCreate(memory, "lmtext row", ALLOCSET_DEFAULT_SIZES);
    lmtext_call_init(&b->call, memory);
    lmtext_meta_read(index, &b->meta);
    lmtext_build_texts_init(&b->texts, index, &b->meta, memory);
    b->texts.done = add_vector;
    b->texts.argument = b;
    b->vectors = lmtext_index_has_vectors(index);
    b->words = lmtext_words_build_begin(index);
    return b;
}

/* The name of the model is looked up in any case, its rows are not read; nor is it asked whether
 * the owner may use it, since a dump grants that when its indexes are there. */
static void
check_index(Relation heap, Relation index, const IndexInfo *info)
{
    lmtext_resolver resolver = {.memory = CurrentMemoryContext};
    const lmtext_makers makers = lmtext_index_makers(index);
    Oid version;

    lmtext_index_check_makers(index, &makers);
    if (lmtext_index_words_option(index))
        lmtext_words_depend(index, lmtext_words_config(index));
    if (!lmtext_index_kind(index).text || !lmtext_index_has_vectors(index))
        return;
    version = lmtext_index_version(index, &resolver);
    if (info->ii_Concurrent)
        lmtext_index_refuse_changed(heap, index, version);
    lmtext_index_depend_only(index, version);
}

static void
write_empty(Relation index, ForkNumber fork)
{
    lmtext_meta_write_new(index, fork);
    if (lmtext_index_words_option(index))
        lmtext_words_create(index, fork);
}

/* Returns how many rows the table has. */
static double
read_rows(lmtext_build *b, Relation heap, IndexInfo *info)
{
    const lmtext_build_sink sink = {
        .vector = b->vectors ? add_vector : NULL,
        .document = b->words != NULL ? add_document : NULL,
        .argument = b,
    };
    double rows;

    pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, LMTEXT_PHASE_EMBED);
    if (b->kind.text && lmtext_build_parallel(heap, b->index, info, &b->meta, &sink, &rows))
        return rows;
    rows = table_index_build_scan(heap, b->index, info, true, true, add_value, b, NULL);
    lmtext_build_texts_end(&b->texts);
    return rows;
}

IndexBuildResult *
lmtext_am_build(Relation heap, Relation index, IndexInfo *info)
{
    IndexBuildResult *result = palloc0(sizeof(*result));
    int call = lmtext_index_stats_begin();
    int64 words;
    lmtext_build *b;

    check_index(heap, index, info);
    write_empty(index, MAIN_FORKNUM);
    b = build_begin(index);
    result->heap_tuples = read_rows(b, heap, info);
    if (b->first_count > 0 || b->rows > 0)
        write_index(b);
    words = b->words != NULL ? lmtext_words_build_end(b->words) : 0;
    result->index_tuples = (double)Max(b->rows, words);
    if (RelationNeedsWAL(index))
        log_newpage_range(index, MAIN_FORKNUM, 0, RelationGetNumberOfBlocks(index), true);
    MemoryContextDelete(b->memory);
    lmtext_stats_end(call);
    return result;
}

/* The init fork of an unlogged index. */
void
lmtext_am_buildempty(Relation index)
{
    write_empty(index, INIT_FORKNUM);
}
