/*
 * words_scan.c - rows by BM25, in rounds: the best first, then four times as many, at last all that
 * have a word; then those that have none, which score 0.
 *
 * What was returned is not returned again, by its TID: between two rounds segments may have been
 * replaced. A round that takes more than work_mem is the last one: all rows, sorted on disk.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "pg/am/search.h"
#include "pg/am/words.h"

#define FIRST_ROWS 32
#define GROWTH 4

typedef struct found {
    lmtext_document document;
    float distance;
} found;

struct lmtext_words_scan {
    lmtext_words_query query;
    MemoryContext memory, round;
    lmtext_call call;
    size_t rows; /* of the next round */
    bool last;   /* all that have a word were found */
    bool rest;   /* so were the others */
    int64 rounds;
    HTAB *returned; /* by TID, from the second round on */
    found *found;
    size_t count, space, at;

    lmtext_sort sort;                   /* of all that is left */
    HTAB *waited;                       /* documents that wait and have a word, by TID */
    uint8 *marks[LMTEXT_SEGMENTS_MOST]; /* documents that have a word, as bits */
    bool replaced;
};

lmtext_words_scan *
lmtext_words_scan_begin(Relation index, const lmtext_meta *meta, text *words)
{
    lmtext_words_scan *scan = palloc0(sizeof(*scan));

    scan->memory = CurrentMemoryContext;
    scan->round =
        AllocSetContextCreate(CurrentMemoryContext, "lmtext round", ALLOCSET_DEFAULT_SIZES);
    lmtext_call_init(&scan->call, scan->round);
    scan->rows = FIRST_ROWS;
    lmtext_words_query_begin(&scan->query, index, meta, words);
    return scan;
}

static HTAB *
make_tids(MemoryContext memory)
{
    HASHCTL how = {
        .keysize = sizeof(ItemPointerData), .entrysize = sizeof(ItemPointerData), .hcxt = memory};

    return hash_create("lmtext words", 256, &how, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static bool
has_tid(HTAB *tids, const lmtext_document *document)
{
    return tids != NULL && hash_search(tids, &document->tid, HASH_FIND, NULL) != NULL;
}

/* What the round before returned. */
static void
remember(lmtext_words_scan *scan)
{
    if (scan->returned == NULL)
        scan->returned = make_tids(scan->memory);
    for (size_t i = 0; i < scan->count; i++)
        (void)hash_search(scan->returned, &scan->found[i].document.tid, HASH_ENTER, NULL);
    scan->count = scan->at = 0;
}

static void
add(lmtext_words_scan *scan, const lmtext_document *document, float distance)
{
    if (has_tid(scan->returned, document))
        return;
    if (scan->sort.state != NULL) {
        lmtext_sort_add(
            &scan->sort,
            &(lmtext_found){.distance = distance, .tid = document->tid, .hash = document->hash});
        return;
    }
    if (scan->count == scan->space) {
        scan->space = Max(scan->space * 2, FIRST_ROWS);
        scan->found = scan->found == NULL
                          ? MemoryContextAllocHuge(scan->memory, scan->space * sizeof(found))
                          : repalloc_huge(scan->found, scan->space * sizeof(found));
    }
    scan->found[scan->count++] = (found){*document, distance};
}

/* ---- Rows with a word ---- */

static bool
read_found(lmtext_words_scan *scan, const lm_top *top)
{
    for (size_t i = 0; i < top->count; i++) {
        lmtext_document document;

        if (!lmtext_words_query_document(&scan->query, top->entries[i].item, &document))
            return false;
        add(scan, &document, top->entries[i].distance);
        CHECK_FOR_INTERRUPTS();
    }
    return true;
}

static size_t
documents_with_words(const lmtext_words_query *query)
{
    size_t most = 0;

    for (int i = 0; i < query->count; i++)
        most += query->terms[i].documents;
    return most;
}

static bool
try_round(lmtext_words_scan *scan)
{
    size_t most = documents_with_words(&scan->query);
    lm_top top;

    scan->count = 0;
    if (most == 0) {
        scan->last = true;
        return true;
    }
    lmtext_check(&scan->call, lm_top_init(&scan->call.ctx, &top, Min(scan->rows, most + 1)), NULL);
    if (!lmtext_words_query_run(&scan->query, &top))
        return false;
    scan->last = top.count < top.capacity;
    lm_top_sort(&top);
    return read_found(scan, &top);
}

static void
run_round(lmtext_words_scan *scan)
{
    MemoryContext caller = MemoryContextSwitchTo(scan->round);

    while (!try_round(scan)) {
        MemoryContextReset(scan->round);
        MemoryContextSwitchTo(scan->memory);
        lmtext_words_query_again(&scan->query);
        MemoryContextSwitchTo(scan->round);
    }
    scan->rows *= GROWTH;
    scan->rounds++;
    MemoryContextSwitchTo(caller);
    MemoryContextReset(scan->round);
}

/* ---- Rows without: as many as a round has, each from the beginning ---- */

static bool
is_full(const lmtext_words_scan *scan)
{
    return scan->sort.state == NULL && scan->count >= scan->rows;
}

static bool
add_segment(lmtext_words_scan *scan, const lmtext_segment *segment, const uint8 *marks,
            lmtext_words_walk *walk)
{
    bool more = false, there = true;
    uint32 number = 0;

    if (!lmtext_words_walk_segment(walk, scan->query.index, segment, LMTEXT_WORDS_DOCUMENTS))
        return false;
    while (!is_full(scan) && (there = lmtext_words_walk_next(walk, &more)) && more)
        for (int i = 0; i < lmtext_words_walk_count(walk, sizeof(lmtext_document)); i++, number++) {
            lmtext_document document;

            if (marks != NULL && number < segment->documents &&
                (marks[number / 8] >> number % 8 & 1))
                continue;

            memcpy(&document, lmtext_words_body((Page)walk->page.data) + i * sizeof(document),
                   sizeof document);
            add(scan, &document, 0);
        }
    return there;
}

static bool
add_waiting(lmtext_words_scan *scan, const lmtext_words_waiting *waiting, lmtext_words_walk *walk)
{
    lmtext_words_waiting_part part;
    bool more = false, there = true;

    lmtext_words_walk_waiting(walk, scan->query.index, waiting);
    while (!is_full(scan) && (there = lmtext_words_walk_next(walk, &more)) && more) {
        int at = 0;

        while (lmtext_words_waiting_next(scan->query.index, (Page)walk->page.data, &at, &part))
            if (!part.continues && !has_tid(scan->waited, &part.document))
                add(scan, &part.document, 0);
    }
    return there;
}

static bool
try_rest(lmtext_words_scan *scan, lmtext_words_walk *walk)
{
    const lmtext_words_root *root = &scan->query.root;

    scan->count = 0;
    for (uint32 i = 0; i < root->segments; i++)
        if (!add_segment(scan, &root->segment[i], scan->marks[i], walk))
            return false;
    return add_waiting(scan, &root->sealed, walk) && add_waiting(scan, &root->pending, walk);
}

static void
find_rest(lmtext_words_scan *scan)
{
    MemoryContext caller = MemoryContextSwitchTo(scan->memory);
    lmtext_words_walk *walk = palloc(sizeof(*walk));

    while (!try_rest(scan, walk))
        lmtext_words_query_again(&scan->query);
    scan->rest = !is_full(scan);
    scan->rounds++;
    scan->rows *= GROWTH;
    MemoryContextSwitchTo(caller);
}

/* ---- All that is left, sorted ---- */

#define ROW_BYTES (sizeof(found) + sizeof(lm_top_entry) + 64) /* and of what was returned */

static bool
fits_memory(const lmtext_words_scan *scan)
{
    return lmtext_sort_fits(Min((double)scan->rows, (double)scan->query.corpus.documents),
                            ROW_BYTES);
}

static void
add_scored(void *argument, uint64 item, float distance)
{
    lmtext_words_scan *scan = argument;
    lmtext_document document;

    CHECK_FOR_INTERRUPTS();
    if (scan->replaced || !lmtext_words_query_document(&scan->query, item, &document)) {
        scan->replaced = true;
        return;
    }
    add(scan, &document, distance);
    if (item >> 32 < scan->query.root.segments)
        scan->marks[item >> 32][(uint32)item / 8] |= (uint8)(1 << (uint32)item % 8);
    else
        (void)hash_search(scan->waited, &document.tid, HASH_ENTER, NULL);
}

static bool
try_sorted(lmtext_words_scan *scan, lmtext_words_walk *walk)
{
    const lmtext_words_root *root = &scan->query.root;

    scan->replaced = false;
    scan->waited = make_tids(scan->round);
    for (uint32 i = 0; i < root->segments; i++)
        scan->marks[i] = palloc0(root->segment[i].documents / 8 + 1);
    lmtext_sort_end(&scan->sort);
    MemoryContextSwitchTo(scan->memory);
    lmtext_sort_begin(&scan->sort);
    MemoryContextSwitchTo(scan->round);
    return lmtext_words_query_all(&scan->query, add_scored, scan) && !scan->replaced &&
           try_rest(scan, walk);
}

static void
sort_all(lmtext_words_scan *scan)
{
    MemoryContext caller = MemoryContextSwitchTo(scan->memory);
    lmtext_words_walk *walk = palloc(sizeof(*walk));

    MemoryContextSwitchTo(scan->round);
    while (!try_sorted(scan, walk)) {
        MemoryContextReset(scan->round);
        MemoryContextSwitchTo(scan->memory);
        lmtext_words_query_again(&scan->query);
        MemoryContextSwitchTo(scan->round);
    }
    scan->rounds++;
    lmtext_sort_perform(&scan->sort);
    MemoryContextSwitchTo(caller);
    MemoryContextReset(scan->round);
}

static bool
next_sorted(lmtext_words_scan *scan, lmtext_document *document, double *distance)
{
    const lmtext_found *row = lmtext_sort_next(&scan->sort);

    if (row == NULL)
        return false;
    *document = (lmtext_document){.hash = row->hash, .tid = row->tid};
    *distance = row->distance;
    return true;
}

void
lmtext_words_scan_end(lmtext_words_scan *scan)
{
    if (scan != NULL)
        lmtext_sort_end(&scan->sort);
}

lmtext_effort
lmtext_words_scan_effort(const lmtext_words_scan *scan)
{
    return (lmtext_effort){
        .rounds = scan->rounds, .postings = scan->query.postings, .skipped = scan->query.skipped};
}

bool
lmtext_words_scan_next(lmtext_words_scan *scan, lmtext_document *document, double *distance)
{
    while (scan->at == scan->count) {
        if (scan->sort.state != NULL)
            return next_sorted(scan, document, distance);
        if (scan->rest)
            return false;
        if (scan->rows > FIRST_ROWS || scan->last)
            remember(scan);
        if (scan->rows > FIRST_ROWS && !fits_memory(scan))
            sort_all(scan);
        else if (scan->last)
            find_rest(scan);
        else
            run_round(scan);
    }
    *document = scan->found[scan->at].document;
    *distance = scan->found[scan->at++].distance;
    return true;
}
