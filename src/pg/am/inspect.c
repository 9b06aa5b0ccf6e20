/*
 * inspect.c - what is to be known of an index: its numbers, its recall, and whether it agrees with
 * its table.
 *
 * Who may ask is said where the functions are installed, as for PostgreSQL's own functions that
 * read relations whole. None of them shows what a row has.
 */
#include "postgres.h"

#include <math.h>

#include "access/genam.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xlog.h"
#include "catalog/index.h"
#include "catalog/pg_type_d.h"
#include "common/pg_prng.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#include "base/sort.h"
#include "pg/am/search.h"
#include "pg/am/words.h"
#include "pg/compat.h"
#include "pg/glue/relation.h"
#include "pg/glue/try.h"

PG_FUNCTION_INFO_V1(lmtext_index_stats);
PG_FUNCTION_INFO_V1(lmtext_index_flush);
PG_FUNCTION_INFO_V1(lmtext_index_check);
PG_FUNCTION_INFO_V1(lmtext_index_recall);
PG_FUNCTION_INFO_V1(lmtext_index_recall_words);

/* ---- Which index ---- */

static void
check_is_ours(Relation relation)
{
    if (relation->rd_rel->relkind != RELKIND_INDEX ||
        relation->rd_indam->ambuild != lmtext_am_build)
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("\"%s\" is not an index of access method lmtext",
                               RelationGetRelationName(relation))));
    if (RELATION_IS_OTHER_TEMP(relation))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("cannot read temporary indexes of other sessions")));
    if (!relation->rd_index->indisvalid)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("index \"%s\" is not valid", RelationGetRelationName(relation))));
}

/* The table first, as all do. */
static Relation
open_index(Oid relid, Relation *heap)
{
    Oid table = IndexGetRelation(relid, true);
    Relation index;

    *heap = OidIsValid(table) ? table_open(table, AccessShareLock) : NULL;
    index = lmtext_relation_open(relid, AccessShareLock);
    check_is_ours(index);
    return index;
}

static void
close_index(Relation index, Relation heap)
{
    relation_close(index, AccessShareLock);
    table_close(heap, AccessShareLock);
}

/* ---- Every row of an index ---- */

typedef struct walk {
    lmtext_store store;
    int64 rows, places, pages; /* of codes */
    int64 longest;             /* rows of the list that has most */
    int64 empty;               /* lists without a row */
    lmtext_spread spread;
    uint32 list; /* that is walked */
    void (*row)(struct walk *walk, Page page, BlockNumber block, int row);
    void *argument;
} walk;

static int64
walk_page(walk *w, Page page, BlockNumber block)
{
    const lmtext_layout *layout = &w->store.layout;
    int64 rows = 0;

    for (int row = 0; row < layout->rows; row++) {
        if ((lmtext_codes_mask(page)[row / LM_BLOCK_ROWS] >> row % LM_BLOCK_ROWS & 1) == 0)
            continue;
        rows++;
        if (w->row != NULL)
            w->row(w, page, block, row);
    }
    w->pages++;
    w->places += layout->rows;
    return rows;
}

static void
walk_list(walk *w, BlockNumber block)
{
    uint32 steps = 0;
    int64 rows = 0;

    while (block != InvalidBlockNumber) {
        Buffer buffer = lmtext_codes_read(&w->store, block, BUFFER_LOCK_SHARE);

        rows += walk_page(w, BufferGetPage(buffer), block);
        block = lmtext_page_next(w->store.index, buffer, &steps);
        UnlockReleaseBuffer(buffer);
        CHECK_FOR_INTERRUPTS();
    }
    w->rows += rows;
    w->longest = Max(w->longest, rows);
    w->empty += rows == 0;
    lmtext_spread_add(&w->spread, (double)rows);
}

static void
walk_all(walk *w)
{
    lmtext_list *lists;

    if (w->store.meta.width == 0)
        return;
    lists = lmtext_lists_read(&w->store);
    for (w->list = 0; w->list < w->store.meta.lists; w->list++)
        walk_list(w, lists[w->list].first);
    pfree(lists);
}

/* ---- index_stats ---- */

/* The model's name, or NULL. */
static Datum
model_of(Relation index, bool *null)
{
    const char *name = lmtext_index_model_option(index);

    *null = name == NULL;
    return name != NULL ? CStringGetTextDatum(name) : (Datum)0;
}

/* Four values, NULL without words. */
static void
words_stats(Relation index, const lmtext_meta *meta, Datum *values, bool *nulls)
{
    lmtext_words_root root;
    lm_ranking_corpus corpus;

    memset(nulls, meta->words == InvalidBlockNumber, 4);
    if (meta->words == InvalidBlockNumber)
        return;
    lmtext_words_copy_root(index, meta->words, &root);
    corpus = lmtext_words_corpus(&root);
    values[0] = Int64GetDatum((int64)corpus.documents);
    values[1] = Int64GetDatum((int64)corpus.words);
    values[2] = Int32GetDatum((int32)root.segments);
    values[3] = Int64GetDatum((int64)root.pending.documents + root.sealed.documents);
}

Datum
lmtext_index_stats(PG_FUNCTION_ARGS)
{
    static const char *const metrics[] = {"cosine", "l2", "inner product"};
    Relation heap, index = open_index(PG_GETARG_OID(0), &heap);
    walk w = {0};
    Datum values[17];
    bool nulls[17] = {0};
    TupleDesc columns;
    int64 waiting;

    if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
        elog(ERROR, "return type must be a row type");
    lmtext_store_open(index, &w.store);
    (void)lmtext_waiting_all(&w.store, &waiting);
    walk_all(&w);
    values[0] = model_of(index, &nulls[0]);
    values[1] = CStringGetTextDatum(metrics[w.store.meta.metric]);
    values[2] = Int32GetDatum(w.store.meta.width);
    nulls[2] = w.store.meta.width == 0;
    values[3] = Int64GetDatum(w.rows);
    values[4] = Int64GetDatum(w.places - w.rows);
    values[5] = Int32GetDatum((int32)w.store.meta.lists);
    values[6] = Int64GetDatum(w.longest);
    values[7] = Int64GetDatum(w.empty);
    values[8] = Int64GetDatum((int64)RelationGetNumberOfBlocks(index) * BLCKSZ);
    values[9] = Int64GetDatum(waiting);
    words_stats(index, &w.store.meta, values + 10, nulls + 10);
    values[14] = Int32GetDatum((int32)lmtext_lists_wanted(index, w.spread.rows));
    values[15] = Float8GetDatum(lmtext_spread_imbalance(&w.spread, w.store.meta.lists));
    values[16] = BoolGetDatum(lmtext_lists_due(index, &w.store.meta, &w.spread));
    close_index(index, heap);
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls)));
}

/* ---- index_flush ---- */

Datum
lmtext_index_flush(PG_FUNCTION_ARGS)
{
    Oid relid = PG_GETARG_OID(0);
    Relation heap, index = open_index(relid, &heap);
    int call = lmtext_index_stats_begin();
    int64 moved;

    if (!LMTEXT_OWNS_TABLE(relid, GetUserId()))
        aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_INDEX, RelationGetRelationName(index));
    if (RecoveryInProgress())
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("recovery is in progress"),
                        errdetail("A standby cannot change an index.")));
    lmtext_words_flush(index);
    moved = lmtext_flush(index, heap, true);
    lmtext_stats_end(call);
    close_index(index, heap);
    PG_RETURN_INT64(moved);
}

/* ---- index_recall ---- */

/* Rows that are drawn, each as likely as any other. */
typedef struct draw {
    uint64 *items;
    int64 wanted, seen;
    pg_prng_state random;
} draw;

static void
draw_row(walk *w, Page page, BlockNumber block, int row)
{
    draw *d = w->argument;
    int64 place = d->seen++;

    if (place >= d->wanted)
        place = (int64)pg_prng_uint64_range(&d->random, 0, (uint64)place);
    if (place < d->wanted)
        d->items[place] = LMTEXT_ITEM(block, row);
}

/* The row's vector; false: it is gone. */
static bool
read_item(lmtext_store *store, uint64 item, float *x)
{
    uint8 *vector = palloc(store->layout.row_bytes);
    Buffer buffer = lmtext_codes_read(store, LMTEXT_ITEM_BLOCK(item), BUFFER_LOCK_SHARE);
    lm_hash128 hash;
    bool found = lmtext_row_read(store, BufferGetPage(buffer), LMTEXT_ITEM_BLOCK(item),
                                 LMTEXT_ITEM_ROW(item), &hash, vector);

    UnlockReleaseBuffer(buffer);
    if (found)
        lm_int8_row_decode(store->space, vector, x);
    pfree(vector);
    return found;
}

/* Distances of the k rows that are nearest to a vector, itself left out; returns how many there
 * are. */
static int
nearest(lmtext_store *store, const float *x, uint64 itself, bool exact, int k, double *distances)
{
    lmtext_search search = {.store = store, .memory = CurrentMemoryContext, .exact = exact};
    const lmtext_found *row;
    int count = 0;

    lmtext_search_open(&search, x);
    lmtext_search_start(&search);
    while (count < k && (row = lmtext_search_next(&search)) != NULL)
        if (row->item != itself)
            distances[count++] =
                lm_distance_shown((lm_distance_kind)store->meta.metric, row->distance);
    lmtext_search_end(&search);
    return count;
}

/* A row counts that is no farther than the last of the k nearest: where a text stands in thousands
 * of rows, any of them will do. */
#define AS_FAR 1e-6

static int
count_near(const double *distances, int count, double last)
{
    int near = 0;

    for (int i = 0; i < count; i++)
        near += distances[i] <= last + AS_FAR * Max(1, fabs(last));
    return near;
}

/* What was found of what there is. */
typedef struct recall {
    lmtext_store *store;
    int k, samples;
    int64 found, wanted;
} recall;

static void
add_sample(recall *r, const float *x, uint64 itself)
{
    double *exact = palloc(2 * (size_t)r->k * sizeof(*exact)), *searched = exact + r->k;
    int there = nearest(r->store, x, itself, true, r->k, exact);
    int got = nearest(r->store, x, itself, false, r->k, searched);

    r->wanted += there;
    r->found += there > 0 ? count_near(searched, got, exact[there - 1]) : 0;
    r->samples++;
}

/* All rows that were drawn. */
static void
measure_rows(recall *r, const draw *d)
{
    float *x = palloc(r->store->meta.width * sizeof(float));
    MemoryContext memory =
        AllocSetContextCreate(CurrentMemoryContext, "lmtext recall", ALLOCSET_DEFAULT_SIZES);

    for (int64 i = 0; i < Min(d->wanted, d->seen); i++) {
        MemoryContext caller = MemoryContextSwitchTo(memory);

        if (read_item(r->store, d->items[i], x))
            add_sample(r, x, d->items[i]);
        MemoryContextSwitchTo(caller);
        MemoryContextReset(memory);
        CHECK_FOR_INTERRUPTS();
    }
    MemoryContextDelete(memory);
}

static int
argument_in(FunctionCallInfo fcinfo, int number, const char *name, int most)
{
    int value = PG_GETARG_INT32(number);

    if (value < 1 || value > most)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("%s is out of range: %d", name, value),
                        errdetail("It must be from 1 to %d.", most)));
    return value;
}

/* NULL: there was nothing to be found. */
static Datum
share_of(int64 found, int64 wanted, bool *null)
{
    *null = wanted == 0;
    return Float8GetDatum(wanted > 0 ? (double)found / wanted : 0);
}

/* `words` NULL: there is no column for them. */
static Datum
recall_row(FunctionCallInfo fcinfo, const recall *r, const lmtext_words_recall *words)
{
    Datum values[4];
    bool nulls[4] = {0};
    TupleDesc columns;

    if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
        elog(ERROR, "return type must be a row type");
    values[0] = share_of(r->found, r->wanted, &nulls[0]);
    values[1] = Int32GetDatum(words != NULL ? Max(r->samples, words->samples) : r->samples);
    values[2] = Int32GetDatum(r->k);
    if (words != NULL)
        values[3] = share_of(words->found, words->wanted, &nulls[3]);
    return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls));
}

Datum
lmtext_index_recall(PG_FUNCTION_ARGS)
{
    int samples = argument_in(fcinfo, 1, "samples", 100000);
    int k = argument_in(fcinfo, 2, "k", 1000);
    Relation heap, index = open_index(PG_GETARG_OID(0), &heap);
    draw d = {.wanted = samples};
    walk w = {.row = draw_row, .argument = &d};
    recall r = {.store = &w.store, .k = k};

    pg_prng_seed(&d.random, LMTEXT_INDEX_SEED);
    d.items = palloc(samples * sizeof(*d.items));
    lmtext_store_open(index, &w.store);
    walk_all(&w);
    if (d.seen > 0)
        measure_rows(&r, &d);
    close_index(index, heap);
    PG_RETURN_DATUM(recall_row(fcinfo, &r, NULL));
}

/* As the words of queries, by the current user's rights to the model; without a token they are left
 * out. */
static void
measure_words(recall *r, Datum *words, const bool *nulls, int count)
{
    lmtext_embedder embedder = {.resolver.memory = CurrentMemoryContext};
    float *x = palloc(r->store->meta.width * sizeof(float));
    MemoryContext memory =
        AllocSetContextCreate(CurrentMemoryContext, "lmtext recall", ALLOCSET_DEFAULT_SIZES);

    lmtext_embedder_words(&embedder, r->store->index);
    lmtext_embedder_check(&embedder, r->store->index, &r->store->meta);
    for (int i = 0; i < count; i++) {
        MemoryContext caller = MemoryContextSwitchTo(memory);

        if (!nulls[i] && lmtext_infer_has_token(&embedder.inference,
                                                lmtext_utf8_from_text(DatumGetTextPP(words[i])), x))
            add_sample(r, x, PG_UINT64_MAX);
        MemoryContextSwitchTo(caller);
        MemoryContextReset(memory);
        CHECK_FOR_INTERRUPTS();
    }
    MemoryContextDelete(memory);
}

static void
check_is_of_texts(Relation index)
{
    if (!lmtext_index_kind(index).text)
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("index \"%s\" has no model", RelationGetRelationName(index)),
                        errdetail("Words are compared with texts by a model.")));
}

/* The same by BM25. */
static void
measure_by_words(lmtext_words_recall *r, Relation index, const lmtext_meta *meta, Datum *words,
                 const bool *nulls, int count)
{
    MemoryContext memory =
        AllocSetContextCreate(CurrentMemoryContext, "lmtext recall", ALLOCSET_DEFAULT_SIZES);

    for (int i = 0; i < count; i++) {
        MemoryContext caller = MemoryContextSwitchTo(memory);

        if (!nulls[i])
            lmtext_words_recall_add(r, index, meta, DatumGetTextPP(words[i]));
        MemoryContextSwitchTo(caller);
        MemoryContextReset(memory);
        CHECK_FOR_INTERRUPTS();
    }
    MemoryContextDelete(memory);
}

Datum
lmtext_index_recall_words(PG_FUNCTION_ARGS)
{
    int k = argument_in(fcinfo, 2, "k", 1000), count;
    Relation heap, index = open_index(PG_GETARG_OID(0), &heap);
    lmtext_store store;
    recall r = {.store = &store, .k = k};
    lmtext_words_recall by_words = {.k = k};
    Datum *words;
    bool *nulls;

    check_is_of_texts(index);
    deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &words, &nulls,
                      &count);
    lmtext_store_open(index, &store);
    if (store.meta.width > 0)
        measure_words(&r, words, nulls, count);
    if (store.meta.words != InvalidBlockNumber)
        measure_by_words(&by_words, index, &store.meta, words, nulls, count);
    close_index(index, heap);
    PG_RETURN_DATUM(recall_row(fcinfo, &r, &by_words));
}

/* ---- index_check ---- */

/* A row of the index, as it is compared with the table. */
typedef struct entry {
    ItemPointerData tid;
    lm_hash128 hash;
    uint64 item;
    bool waits; /* it has no vector yet */
} entry;

typedef struct checking {
    Relation heap, index;
    ReturnSetInfo *result;
    walk walk;
    entry *entries; /* sorted by TID */
    int64 count, space;
    int64 twice;  /* TIDs that are there more than once */
    int64 strays; /* rows whose code is not of their vector and list */
    int64 compared, missing, stale;
    lmtext_embedder embedder; /* for texts that are missing */
    uint8 *vector;
    MemoryContext memory, row;
    lmtext_words_check *words; /* NULL: none */
    lmtext_words_faults word_faults;
    uint32 changes; /* of the words, before they were read */
} checking;

static void
answer(checking *c, const char *check, bool ok, char *detail)
{
    Datum values[] = {CStringGetTextDatum(check), BoolGetDatum(ok), CStringGetTextDatum(detail)};
    bool nulls[3] = {0};

    tuplestore_putvalues(c->result->setResult, c->result->setDesc, values, nulls);
}

static void
add_entry(checking *c, const entry *one)
{
    if (c->count == c->space) {
        c->space = Max(c->space * 2, 1024);
        c->entries = c->entries == NULL
                         ? MemoryContextAllocHuge(CurrentMemoryContext, c->space * sizeof(*one))
                         : repalloc_huge(c->entries, c->space * sizeof(*one));
    }
    c->entries[c->count++] = *one;
}

static void
collect_row(walk *w, Page page, BlockNumber block, int row)
{
    checking *c = w->argument;
    entry one = {.tid = lmtext_codes_tids(&w->store.layout, page)[row],
                 .item = LMTEXT_ITEM(block, row)};

    if (!ItemPointerIsValid(&one.tid))
        lmtext_index_damaged(w->store.index, block, "It has a row without a place.");
    if (!lmtext_row_read(&w->store, page, block, row, &one.hash, c->vector))
        lmtext_index_damaged(w->store.index, block, "It has a row without a vector.");
    c->strays += !lmtext_row_belongs(&w->store, w->list, page, block, row, c->vector);
    add_entry(c, &one);
}

static void
collect_waiting(checking *c)
{
    int64 count;
    ItemPointerData *tids = lmtext_waiting_all(&c->walk.store, &count);

    for (int64 i = 0; i < count; i++)
        add_entry(c, &(entry){.tid = tids[i], .waits = true});
}

static void
read_changes(void *argument)
{
    checking *c = argument;

    c->changes = lmtext_words_changes(c->index);
}

static void
read_pages(void *argument)
{
    checking *c = argument;

    c->walk = (walk){.row = collect_row, .argument = c};
    c->count = c->strays = 0;
    c->words = NULL;
    memset(&c->word_faults, 0, sizeof c->word_faults);
    read_changes(c);
    lmtext_store_open(c->index, &c->walk.store);
    if (c->walk.store.meta.width > 0)
        c->vector = palloc(c->walk.store.layout.row_bytes);
    collect_waiting(c);
    walk_all(&c->walk);
    if (c->walk.store.meta.words != InvalidBlockNumber)
        c->words = lmtext_words_check_begin(c->index, &c->walk.store.meta, &c->word_faults);
}

static int
by_tid(const void *a, const void *b)
{
    return ItemPointerCompare((ItemPointer) & ((const entry *)a)->tid,
                              (ItemPointer) & ((const entry *)b)->tid);
}

/* Is a vector of the index that of the row? As far as int8 tells. */
static bool
is_near(checking *c, const entry *one, const float *x)
{
    lmtext_store *store = &c->walk.store;
    float *kept = palloc(store->meta.width * sizeof(float));
    double length = 0, apart = 0;

    if (!read_item(store, one->item, kept))
        return false;
    for (int i = 0; i < store->meta.width; i++) {
        length += (double)x[i] * x[i];
        apart += ((double)x[i] - kept[i]) * ((double)x[i] - kept[i]);
    }
    return apart <= 1e-3 * Max(length, 1e-30) + 1e-3;
}

/* A text that is not in the index belongs into it if it has a token. */
static bool
has_token(checking *c, lm_text text)
{
    const lmtext_meta *meta = &c->walk.store.meta;

    c->embedder.resolver.memory = c->memory;
    lmtext_embedder_rows(&c->embedder, c->index);
    lmtext_embedder_check(&c->embedder, c->index, meta);
    return lmtext_infer_has_token(&c->embedder.inference, text,
                                  palloc(meta->width * sizeof(float)));
}

/* Whether a value belongs into the index at all, and is there as it is. */
static bool
agrees(checking *c, const entry *one, Datum value, bool *wanted)
{
    lmtext_store *store = &c->walk.store;
    lmtext_kind kind = lmtext_index_kind(c->index);
    lmtext_call call;
    const float *floats;
    float *x;
    bool zero;
    int width;

    *wanted = true;
    if (store->meta.text) {
        lm_text words = lmtext_utf8_from_text(DatumGetTextPP(value));
        lm_hash128 hash = lmtext_value_hash(&store->meta, words.bytes, words.length);

        *wanted = one != NULL || has_token(c, words);
        return one != NULL && hash.low == one->hash.low && hash.high == one->hash.high;
    }
    floats = lmtext_value_floats(&kind, value, store->meta.width, &width);
    x = palloc(width * sizeof(float));
    lmtext_call_init(&call, CurrentMemoryContext);
    lmtext_check(
        &call,
        lm_space_prepare(&call.ctx, (lm_distance_kind)store->meta.metric, width, floats, x, &zero),
        NULL);
    *wanted = !zero || store->meta.metric != LM_DISTANCE_COSINE;
    return one != NULL && is_near(c, one, x);
}

static void
compare_row(Relation index, ItemPointer tid, Datum *values, bool *nulls, bool alive, void *state)
{
    checking *c = state;
    MemoryContext caller;
    entry key = {.tid = *tid};
    const entry *one;
    bool same, wanted;

    if (nulls[0])
        return;
    caller = MemoryContextSwitchTo(c->row);
    if (c->words != NULL)
        lmtext_words_check_row(c->words, tid, values[0]);
    one = c->count > 0 ? bsearch(&key, c->entries, c->count, sizeof(key), by_tid) : NULL;
    c->compared++;
    if (c->walk.store.meta.width > 0) {
        same = wanted = one != NULL && one->waits;
        if (!same)
            same = agrees(c, one, values[0], &wanted);
        c->missing += wanted && one == NULL;
        c->stale += wanted && one != NULL && !same;
    }
    MemoryContextSwitchTo(caller);
    MemoryContextReset(c->row);
}

/* What one snapshot sees of the table, as a concurrent build reads it. */
static void
compare_table(checking *c)
{
    IndexInfo *info = BuildIndexInfo(c->index);
    Snapshot snapshot = RegisterSnapshot(GetTransactionSnapshot());
    TableScanDesc scan = table_beginscan_strat(c->heap, snapshot, 0, NULL, true, true);

    c->memory = CurrentMemoryContext;
    c->row = AllocSetContextCreate(CurrentMemoryContext, "lmtext row", ALLOCSET_DEFAULT_SIZES);
    info->ii_Concurrent = true;
    info->ii_Unique = false;
    info->ii_ExclusionOps = NULL;
    (void)table_index_build_scan(c->heap, c->index, info, true, false, compare_row, c, scan);
    UnregisterSnapshot(snapshot);
}

/* The expressions of an index are its owner's code: they run with no rights of the caller's. */
static void
compare_as_owner(checking *c)
{
    Oid user;
    int context, level = NewGUCNestLevel();

    GetUserIdAndSecContext(&user, &context);
    SetUserIdAndSecContext(c->heap->rd_rel->relowner, context | SECURITY_RESTRICTED_OPERATION);
    LMTEXT_RESTRICT_SEARCH_PATH();
    compare_table(c);
    AtEOXact_GUC(false, level);
    SetUserIdAndSecContext(user, context);
}

static void
check_entries(checking *c)
{
    lmtext_call call;

    lmtext_call_init(&call, CurrentMemoryContext);
    lmtext_check(&call, lm_sort(&call.ctx, c->entries, c->count, sizeof(entry), by_tid), NULL);
    for (int64 i = 1; i < c->count; i++) {
        CHECK_FOR_INTERRUPTS();
        c->twice += by_tid(&c->entries[i - 1], &c->entries[i]) == 0 &&
                    !(RecoveryInProgress() && (c->entries[i - 1].waits || c->entries[i].waits));
    }
    answer(c, "places", c->twice == 0,
           psprintf(INT64_FORMAT " places of rows are in the index more than once", c->twice));
    answer(c, "codes", c->strays == 0,
           psprintf(INT64_FORMAT " rows have the code of another vector or list", c->strays));
    if (c->walk.store.meta.width > 0 || c->words != NULL)
        compare_as_owner(c);
    answer(c, "rows", c->missing == 0,
           psprintf(INT64_FORMAT " of " INT64_FORMAT " rows of the table are missing%s", c->missing,
                    c->compared,
                    RecoveryInProgress() ? ", or came while a standby was checked" : ""));
    answer(c, "values", c->stale == 0,
           psprintf(INT64_FORMAT " rows are there with another value", c->stale));
    if (c->words != NULL)
        answer(c, "words",
               c->word_faults.twice + c->word_faults.missing + c->word_faults.stale == 0,
               psprintf(INT64_FORMAT " documents; " INT64_FORMAT " twice, " INT64_FORMAT
                                     " missing, " INT64_FORMAT " with other words%s",
                        c->word_faults.documents, c->word_faults.twice, c->word_faults.missing,
                        c->word_faults.stale,
                        RecoveryInProgress() ? ", or came while a standby was checked" : ""));
}

/* Did a standby replay a merge of words meanwhile? Then pages that were read may be another's. */
static bool
is_replaced(checking *c)
{
    uint32 before = c->changes;

    return RecoveryInProgress() && lmtext_try(read_changes, c) == NULL && c->changes != before;
}

/* Nothing is moved or merged meanwhile; NULL: no fault was found. */
static ErrorData *
try_pages(checking *c)
{
    bool writable = !RecoveryInProgress();
    ErrorData *error;

    if (writable) {
        LockPage(c->index, LMTEXT_FLUSH_LOCK, ExclusiveLock);
        lmtext_words_lock_merge(c->index, LMTEXT_WORDS_ROOT);
    }
    do
        error = lmtext_try(read_pages, c);
    while (error != NULL && is_replaced(c));
    if (writable) {
        lmtext_words_unlock_merge(c->index, LMTEXT_WORDS_ROOT);
        UnlockPage(c->index, LMTEXT_FLUSH_LOCK, ExclusiveLock);
    }
    return error;
}

/*
 * The index is read before the table's snapshot is taken: a row that comes in between would be
 * missed. So the table is locked against writers; and no row that waits is moved meanwhile, but by
 * what a standby replays.
 */
Datum
lmtext_index_check(PG_FUNCTION_ARGS)
{
    checking c = {.result = (ReturnSetInfo *)fcinfo->resultinfo};
    ErrorData *error;
    Oid table = IndexGetRelation(PG_GETARG_OID(0), true);

    if (OidIsValid(table))
        LockRelationOid(table, RecoveryInProgress() ? AccessShareLock : ShareLock);
    c.index = open_index(PG_GETARG_OID(0), &c.heap);
    InitMaterializedSRF(fcinfo, 0);
    error = try_pages(&c);
    answer(&c, "pages", error == NULL,
           error == NULL
               ? psprintf("%u pages, " INT64_FORMAT " rows", RelationGetNumberOfBlocks(c.index),
                          c.walk.rows)
               : psprintf("%s: %s", error->message, error->detail != NULL ? error->detail : ""));
    if (error == NULL)
        check_entries(&c);
    close_index(c.index, c.heap);
    return (Datum)0;
}
