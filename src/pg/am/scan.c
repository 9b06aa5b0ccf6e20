/*
 * scan.c - index scans: the words of a query, and the rows that a search finds for them.
 *
 * The words are embedded once a scan, as the current user, who must be allowed to use the model as
 * for the operator. What the operator will be asked for each row that is returned is left where it
 * looks (service/known.h).
 */
#include "postgres.h"

#include "access/relscan.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/memutils.h"

#include "base/sort.h"
#include "pg/am/search.h"
#include "pg/am/words.h"
#include "pg/glue/relation.h"
#include "pg/service/kept.h"
#include "pg/service/known.h"
#include "pg/service/tasks.h"

typedef struct scan_state {
    Relation heap;
    MemoryContext query;  /* the executor's */
    MemoryContext memory; /* of a rescan */
    bool begun;
    lmtext_kind kind;
    lmtext_store store;
    lmtext_search search; /* where the index has rows */
    lmtext_effort before; /* of the searches before it, and what it has embedded */
    lmtext_known *known;
    lmtext_words_scan *words_scan; /* where rows are asked for by <@> */
    int64 returned;                /* by it */
    BlockNumber heap_blocks;       /* at least */
    lmtext_place_source source;    /* of the places that are looked at, or zeros: all */
    lmtext_place_set *wanted;

    /* Rows that still wait, sorted by distance; and by place, since they may be found as well. */
    lmtext_found *waiting;
    ItemPointerData *places;
    size_t waiting_count, waiting_space, waiting_at;
    const lmtext_found *ahead; /* of the search, which comes behind some of them */

    /* The words of the scan, and their vector: those of the next rescan may be the same. */
    MemoryContext whole;
    lmtext_embedder embedder;
    lmtext_resolver operator; /* of the operator's model */
    char *words;
    size_t words_length;
    uint64 words_build; /* of the model that embedded them; 0: none */
    float *words_vector;
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
    if (state->words != NULL) {
        pfree(state->words);
        pfree(state->words_vector);
        state->words = NULL;
    }
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
open_known(scan_state *state, const lmtext_digest *digest, lm_text words, const unsigned char *key)
{
    lmtext_known *known = MemoryContextAlloc(state->memory, sizeof(*known));

    known->query = state->query;
    known->model = *digest;
    known->words = words;
    memcpy(known->key, key, sizeof known->key);
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
    /* Else a filter above the scan may hide some rows. */
    if (lmtext_relation_sees_all(RelationGetRelid(state->heap)))
        open_known(state, &state->embedder.inference.model->identity.digest,
                   (lm_text){state->words, state->words_length}, state->store.meta.hash_key);
    return state->words_vector;
}

/* NULL: the words are null, or have no token. */
static const float *
vector_of_query(scan_state *state, Relation index, const ScanKeyData *order)
{
    int width;

    if ((order->sk_flags & SK_ISNULL) != 0)
        return NULL;
    return state->kind.text ? vector_of_words(state, index, order->sk_argument)
                            : lmtext_value_floats(&state->kind, order->sk_argument,
                                                  state->store.meta.width, &width);
}

/* ---- Rows that wait, on a standby; and those of few places ---- */

static void
add_waiting(void *argument, int number, const lmtext_row *row, const float *x)
{
    scan_state *state = argument;
    lmtext_found *one;

    if (state->waiting_count == state->waiting_space) {
        state->waiting_space = Max(state->waiting_space * 2, 64);
        state->waiting =
            state->waiting == NULL
                ? MemoryContextAllocHuge(state->memory, state->waiting_space * sizeof(*one))
                : repalloc_huge(state->waiting, state->waiting_space * sizeof(*one));
    }
    if (state->wanted != NULL)
        (void)lmtext_place_set_take(state->wanted, &row->tid);
    one = &state->waiting[state->waiting_count++];
    *one = (lmtext_found){
        .tid = row->tid, .hash = row->hash, .item = LMTEXT_ITEM(state->store.meta.waiting, 0)};
    if (state->search.query != NULL)
        one->distance = lm_int8_row_distance(state->search.query, row->vector);
}

static int
by_place(const void *a, const void *b)
{
    return ItemPointerCompare((ItemPointer)a, (ItemPointer)b);
}

/* ---- Places that another index gave ---- */

static void
read_places(scan_state *state)
{
    TIDBitmap *bitmap;

    if (state->source.bitmap == NULL)
        return;
    bitmap = state->source.bitmap(state->source.argument);
    state->wanted = lmtext_place_set_make(bitmap);
    tbm_free(bitmap);
}

/* ---- The beginning ---- */

static void
sort_waiting(scan_state *state)
{
    lmtext_check(&state->search.call,
                 lm_sort(&state->search.call.ctx, state->waiting, state->waiting_count,
                         sizeof(*state->waiting), lmtext_found_compare),
                 NULL);
}

/* Before the search: what is moved meanwhile is then found twice, not left out. */
static void
read_waiting(IndexScanDesc scan, scan_state *state)
{
    lm_context *ctx = &state->search.call.ctx;
    size_t count;

    lmtext_waiting_embed(&state->store, scan->heapRelation, scan->xs_snapshot, state->wanted,
                         add_waiting, state);
    count = state->waiting_count;
    if (count == 0)
        return;
    state->before.embedded += (int64)count;
    state->places = MemoryContextAllocHuge(state->memory, count * sizeof(*state->places));
    for (size_t i = 0; i < count; i++)
        state->places[i] = state->waiting[i].tid;
    lmtext_check(&state->search.call,
                 lm_sort(ctx, state->places, count, sizeof(*state->places), by_place), NULL);
    sort_waiting(state);
}

/* Do few places have rows whose texts say which vectors they are of, sooner than all rows of the
 * index are looked at? An index of some rows knows of others' texts nothing. */
static bool
is_by_texts(IndexScanDesc scan, const scan_state *state)
{
    const lmtext_place_set *set = state->wanted;

    return set != NULL && set->lossy == 0 && state->source.rest && state->kind.text &&
           state->store.meta.buckets != InvalidBlockNumber &&
           lmtext_has_texts(scan->indexRelation, scan->heapRelation) &&
           (double)set->count * LMTEXT_PLACES_A_TEXT < lmtext_store_rows(&state->store) &&
           lmtext_sort_fits((double)set->count, sizeof(lmtext_found));
}

/* All that there are, in the place of rows that wait: nothing is left to be searched for. */
static void
rank_by_texts(IndexScanDesc scan, scan_state *state)
{
    lmtext_texts_embed(&state->store, scan->heapRelation, scan->xs_snapshot,
                       lmtext_place_set_all(state->wanted), (int64)state->wanted->count,
                       add_waiting, state);
    sort_waiting(state);
    state->search.effort.rounds++;
    state->search.effort.reranked += (int64)state->waiting_count;
    state->search.final = true;
}

/* By the codes and vectors that there are, beside rows that wait. */
static void
search_rows(IndexScanDesc scan, scan_state *state)
{
    if (state->kind.text)
        read_waiting(scan, state);
    lmtext_search_start(&state->search);
}

static const lmtext_found *
next_found(scan_state *state)
{
    const lmtext_found *row;

    do
        row = lmtext_search_next(&state->search);
    while (row != NULL && bsearch(&row->tid, state->places, state->waiting_count,
                                  sizeof(*state->places), by_place) != NULL);
    return row;
}

/* The nearer one of both. */
static const lmtext_found *
next_row(scan_state *state)
{
    const lmtext_found *row;

    if (state->waiting_at == state->waiting_count && state->ahead == NULL)
        return state->waiting_count == 0 ? lmtext_search_next(&state->search) : next_found(state);
    if (state->ahead == NULL)
        state->ahead = next_found(state);
    if (state->waiting_at < state->waiting_count &&
        (state->ahead == NULL ||
         lmtext_found_compare(&state->waiting[state->waiting_at], state->ahead) <= 0))
        return &state->waiting[state->waiting_at++];
    row = state->ahead;
    state->ahead = NULL;
    return row;
}

/* Rows by BM25. The index that a partition's is a part of is what the operator was given. */
static void
begin_words(IndexScanDesc scan, scan_state *state)
{
    MemoryContext caller = MemoryContextSwitchTo(state->memory);
    const ScanKeyData *order = &scan->orderByData[0];
    bool null = (order->sk_flags & SK_ISNULL) != 0;
    text *words = null ? NULL : DatumGetTextPP(order->sk_argument);
    lmtext_meta meta;

    state->heap = scan->heapRelation;
    lmtext_words_meta(scan->indexRelation, &meta);
    state->words_scan = lmtext_words_scan_begin(scan->indexRelation, &meta, words);
    state->returned = 0;
    if (words != NULL && lmtext_relation_sees_all(RelationGetRelid(state->heap))) {
        lmtext_digest digest = lmtext_words_digest(lmtext_words_top(scan->indexRelation));
        lm_text bytes = lmtext_utf8_from_text(words);

        open_known(state, &digest, (lm_text){pnstrdup(bytes.bytes, bytes.length), bytes.length},
                   meta.hash_key);
    }
    state->begun = true;
    MemoryContextSwitchTo(caller);
}

static void
begin(IndexScanDesc scan, scan_state *state)
{
    MemoryContext caller = MemoryContextSwitchTo(state->memory);
    int call;

    state->heap = scan->heapRelation;
    read_places(state);
    call = lmtext_index_stats_begin();
    if (state->kind.text)
        state->before.embedded += lmtext_flush(scan->indexRelation, scan->heapRelation, true);
    lmtext_store_open(scan->indexRelation, &state->store);
    if (state->store.meta.width > 0) {
        state->search.store = &state->store;
        state->search.memory = state->memory;
        state->search.strict = lmtext_ordering_strict;
        state->search.most = lmtext_max_scan_tuples;
        state->search.wanted = state->wanted;
        lmtext_search_open(&state->search,
                           vector_of_query(state, scan->indexRelation, &scan->orderByData[0]));
        if (is_by_texts(scan, state))
            rank_by_texts(scan, state);
        else
            search_rows(scan, state);
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
    state->query = CurrentMemoryContext;
    state->whole = AllocSetContextCreate(CurrentMemoryContext, "lmtext scan", ALLOCSET_SMALL_SIZES);
    state->memory = AllocSetContextCreate(state->whole, "lmtext search", ALLOCSET_DEFAULT_SIZES);
    state->embedder.resolver.memory = state->operator.memory = state->whole;
    scan->opaque = state;
    return scan;
}

lmtext_effort
lmtext_scan_effort(const IndexScanDescData *scan)
{
    const scan_state *state = scan->opaque;
    lmtext_effort sum = state->before, now = state->search.effort;

    if (state->words_scan != NULL)
        now = lmtext_words_scan_effort(state->words_scan);
    sum.rounds += now.rounds;
    sum.lists += now.lists;
    sum.codes += now.codes;
    sum.reranked += now.reranked;
    sum.postings += now.postings;
    sum.skipped += now.skipped;
    return sum;
}

void
lmtext_am_rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orders, int norders)
{
    scan_state *state = scan->opaque;

    if (orders != NULL && scan->numberOfOrderBys > 0)
        memmove(scan->orderByData, orders, scan->numberOfOrderBys * sizeof(ScanKeyData));
    state->before = lmtext_scan_effort(scan);
    lmtext_search_end(&state->search);
    lmtext_words_scan_end(state->words_scan);
    MemoryContextReset(state->memory);
    memset(&state->search, 0, sizeof(state->search));
    state->waiting = NULL;
    state->waiting_count = state->waiting_space = state->waiting_at = 0;
    state->ahead = NULL;
    state->known = NULL;
    state->words_scan = NULL;
    state->wanted = NULL;
    state->begun = false;
}

void
lmtext_scan_at_places(const IndexScanDescData *scan, const lmtext_place_source *source)
{
    scan_state *state = scan->opaque;

    state->source = *source;
}

const lmtext_place_set *
lmtext_scan_places(const IndexScanDescData *scan)
{
    const scan_state *state = scan->opaque;

    return state->wanted;
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

/* A place behind the table's end is none; the table may have grown since. */
static void
check_place(IndexScanDesc scan, scan_state *state, const lmtext_found *row)
{
    BlockNumber block = ItemPointerGetBlockNumber(&row->tid);

    if (block >= state->heap_blocks)
        state->heap_blocks = RelationGetNumberOfBlocks(scan->heapRelation);
    if (block >= state->heap_blocks)
        lmtext_index_damaged(scan->indexRelation, LMTEXT_ITEM_BLOCK(row->item),
                             "It has a row behind the end of the table.");
}

static void
return_row(IndexScanDesc scan, scan_state *state, const lmtext_found *row)
{
    scan->xs_heaptid = row->tid;
    scan->xs_recheck = scan->xs_recheckorderby = false;
    if (state->known != NULL)
        lmtext_known_add(state->known, row->hash,
                         lm_distance_shown(state->kind.metric, row->distance));
}

/* Rows of wanted places that have no vector come last, as nulls do. */
static bool
next_left(IndexScanDesc scan, scan_state *state)
{
    BlockNumber blocks;

    if (state->wanted == NULL || !state->source.rest)
        return false;
    blocks = RelationGetNumberOfBlocks(scan->heapRelation);
    scan->xs_recheck = scan->xs_recheckorderby = false;
    while (lmtext_place_set_left(state->wanted, &scan->xs_heaptid))
        if (ItemPointerGetBlockNumber(&scan->xs_heaptid) < blocks)
            return true;
    return false;
}

static bool
next_by_words(IndexScanDesc scan, scan_state *state)
{
    lmtext_document document;
    lmtext_found row = {.item = LMTEXT_ITEM(LMTEXT_WORDS_ROOT, 0)};
    double distance;

    if (lmtext_max_scan_tuples > 0 && state->returned++ >= lmtext_max_scan_tuples)
        return false;
    if (!lmtext_words_scan_next(state->words_scan, &document, &distance))
        return false;
    row.tid = document.tid;
    row.hash = document.hash;
    check_place(scan, state, &row);
    scan->xs_heaptid = row.tid;
    scan->xs_recheck = scan->xs_recheckorderby = false;
    if (state->known != NULL)
        lmtext_known_add(state->known, row.hash, distance);
    return true;
}

bool
lmtext_am_gettuple(IndexScanDesc scan, ScanDirection direction)
{
    scan_state *state = scan->opaque;
    const lmtext_found *row;

    if (!state->begun) {
        check_scan(scan);
        pgstat_count_index_scan(scan->indexRelation);
#if PG_VERSION_NUM >= 180000
        if (scan->instrument != NULL)
            scan->instrument->nsearches++;
#endif
        if (scan->orderByData[0].sk_strategy == LMTEXT_WORDS_STRATEGY)
            begin_words(scan, state);
        else
            begin(scan, state);
    }
    if (state->words_scan != NULL)
        return next_by_words(scan, state);
    row = state->store.meta.width > 0 ? next_row(state) : NULL;
    if (row == NULL)
        return next_left(scan, state);
    check_place(scan, state, row);
    return_row(scan, state, row);
    return true;
}

void
lmtext_am_endscan(IndexScanDesc scan)
{
    scan_state *state = scan->opaque;
    lmtext_effort effort = lmtext_scan_effort(scan);

    if (effort.rounds > 0)
        lmtext_effort_note(scan->indexRelation, &effort);
    lmtext_search_end(&state->search);
    lmtext_words_scan_end(state->words_scan);
    MemoryContextDelete(state->whole);
    pfree(state);
    scan->opaque = NULL;
}
