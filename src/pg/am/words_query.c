/*
 * words_query.c - words of a query against the words of an index.
 *
 * Statistics are those of the moment when a query begins, and stay. Lists are looked up in the
 * segments that the root names; where a page has another generation by now the root has changed,
 * and they are looked up anew. Documents that wait are gone through one by one.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/am/words.h"
#include "search/bm25.h"

#define WAITING_BASE ((uint64)PG_UINT32_MAX << 32)

/* ---- Documents that wait ---- */

static int
find_term(const lmtext_words_query *query, uint64 hash)
{
    int low = 0, high = query->count;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (query->terms[middle].hash == hash)
            return middle;
        if (query->terms[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

static void *
reserve(void *items, size_t *space, size_t wanted, size_t size)
{
    if (wanted <= *space)
        return items;
    *space = Max(wanted, *space * 2);
    return items == NULL ? MemoryContextAllocHuge(CurrentMemoryContext, *space * size)
                         : repalloc_huge(items, *space * size);
}

/* The document of the part, as one that has a term. */
static uint32 *
begin_match(lmtext_words_query *query, const lmtext_document *document)
{
    size_t count = ++query->waiting_count;
    uint32 *row;

    query->waiting = reserve(query->waiting, &query->waiting_space, count, sizeof(*query->waiting));
    query->frequencies = reserve(query->frequencies, &query->frequency_space, count * query->count,
                                 sizeof(*query->frequencies));
    query->waiting[count - 1].document = *document;
    row = query->frequencies + (count - 1) * query->count;
    memset(row, 0, query->count * sizeof(*row));
    return row;
}

/* *row: of the document at hand, NULL as long as it has no term. */
static void
match_part(lmtext_words_query *query, const lmtext_words_waiting_part *part, uint32 **row)
{
    if (!part->continues)
        *row = NULL;
    for (int i = 0; i < part->count; i++) {
        lmtext_counted word = lmtext_words_waiting_word(part, i);
        int term = find_term(query, word.hash);

        if (term < 0)
            continue;
        if (*row == NULL)
            *row = begin_match(query, &part->document);
        (*row)[term] = word.frequency;
    }
}

static bool
match_waiting(lmtext_words_query *query, const lmtext_words_waiting *waiting)
{
    lmtext_words_walk *walk = palloc(sizeof(*walk));
    lmtext_words_waiting_part part;
    uint32 *row = NULL;
    bool more = false, there;

    lmtext_words_walk_waiting(walk, query->index, waiting);
    while ((there = lmtext_words_walk_next(walk, &more)) && more) {
        int at = 0;

        while (lmtext_words_waiting_next(query->index, (Page)walk->page.data, &at, &part))
            match_part(query, &part, &row);
    }
    pfree(walk);
    return there;
}

/* ---- Lists ---- */

static bool
find_lists(lmtext_words_query *query)
{
    for (int i = 0; i < query->count; i++) {
        lmtext_words_term *term = &query->terms[i];

        term->documents = 0;
        for (uint32 j = 0; j < query->root.segments; j++) {
            bool found;

            if (!lmtext_words_find(query->index, &query->root.segment[j], term->hash,
                                   &term->found[j], &found))
                return false;
            if (!found)
                term->found[j].documents = 0;
            term->documents += term->found[j].documents;
        }
    }
    return true;
}

static bool
find_all(lmtext_words_query *query)
{
    query->waiting_count = 0;
    if (!find_lists(query) || !match_waiting(query, &query->root.sealed) ||
        !match_waiting(query, &query->root.pending))
        return false;
    for (size_t i = 0; i < query->waiting_count; i++)
        for (int j = 0; j < query->count; j++)
            query->terms[j].documents += query->frequencies[i * query->count + j] > 0;
    return true;
}

/* A page that is of another generation while the root is the same is damaged. */
static void
read_root(lmtext_words_query *query, bool again)
{
    uint32 before = query->root.changes;

    CHECK_FOR_INTERRUPTS();
    lmtext_words_copy_root(query->index, query->block, &query->root);
    if (again && query->root.changes == before)
        lmtext_words_damaged(query->index, "A page of its words is of another generation.");
}

static void
score_waiting(lmtext_words_query *query)
{
    for (size_t i = 0; i < query->waiting_count; i++) {
        double score = 0;

        for (int j = 0; j < query->count; j++) {
            uint32 frequency = query->frequencies[i * query->count + j];

            if (frequency > 0)
                score += lm_ranking_part(&query->corpus, query->terms[j].idf, frequency,
                                         query->waiting[i].document.length);
        }
        query->waiting[i].distance = (float)-score;
    }
}

void
lmtext_words_query_again(lmtext_words_query *query)
{
    do
        read_root(query, true);
    while (!find_all(query));
    score_waiting(query);
}

/* Words that come into a document while the query begins may be more than the documents counted. */
static double
idf_of(const lmtext_words_query *query, const lmtext_words_term *term)
{
    return lm_bm25_idf(Max(query->corpus.documents, term->documents), term->documents);
}

void
lmtext_words_query_begin(lmtext_words_query *query, Relation index, const lmtext_meta *meta,
                         text *words)
{
    lmtext_cutter cutter = lmtext_cutter_make(index, true);
    lmtext_text_words read = {0};
    bool again = false;

    memset(query, 0, sizeof(*query));
    query->index = index;
    query->block = meta->words;
    if (words != NULL)
        lmtext_words_read(&cutter, index, meta, words, &read);
    query->count = read.count;
    query->terms = palloc0((read.count + 1) * sizeof(*query->terms));
    for (int i = 0; i < read.count; i++) {
        query->terms[i].hash = read.words[i].hash;
        query->terms[i].found = palloc(LMTEXT_SEGMENTS_MOST * sizeof(lmtext_word));
    }
    do {
        read_root(query, again);
        again = true;
    } while (!find_all(query));
    query->corpus = lmtext_words_corpus(&query->root);
    query->corpus.documents = Max(query->corpus.documents, 1);
    query->corpus.words = Max(query->corpus.words, 1);
    for (int i = 0; i < read.count; i++)
        query->terms[i].idf = idf_of(query, &query->terms[i]);
    score_waiting(query);
}

/* ---- The best ---- */

typedef struct lists {
    lm_ranking_cursor *cursors;
    lm_ranking_cursor **order;
    lmtext_words_list *lists;
    size_t count;
} lists;

static void
open_lists(const lmtext_words_query *query, uint32 segment, lists *l)
{
    l->count = 0;
    for (int i = 0; i < query->count; i++) {
        const lmtext_word *word = &query->terms[i].found[segment];

        if (word->documents == 0)
            continue;
        lm_ranking_cursor_set(&l->cursors[l->count], &query->corpus, query->terms[i].idf,
                              word->most, word->shortest);
        lmtext_words_list_open(&l->lists[l->count++], query->index,
                               query->root.segment[segment].generation, word);
    }
}

/* Of lists that have been opened. */
static int64
blocks_of(const lmtext_words_query *query, uint32 segment)
{
    int64 blocks = 0;

    for (int i = 0; i < query->count; i++)
        blocks +=
            (query->terms[i].found[segment].documents + LM_POSTINGS_BLOCK - 1) / LM_POSTINGS_BLOCK;
    return blocks;
}

/* False: replaced. */
static bool
give_block(lm_ranking_search *search, lists *l, size_t wanted, lmtext_call *call)
{
    const uint8 *bytes;
    size_t available;

    if (!lmtext_words_list_next(&l->lists[wanted], &bytes, &available))
        return false;
    if (bytes == NULL)
        lm_ranking_end(search, wanted);
    else
        lmtext_check(call, lm_ranking_give(search, wanted, bytes, available), NULL);
    return true;
}

/* Who takes all documents with their scores, as they come; NULL: the best stay in `top`. */
typedef struct taker {
    lmtext_words_scored scored;
    void *argument;
} taker;

static void
take_scored(const taker *to, lm_top *top)
{
    if (top->count == top->capacity)
        elog(ERROR, "more documents were scored than blocks have");
    for (size_t i = 0; i < top->count; i++)
        to->scored(to->argument, top->entries[i].item, top->entries[i].distance);
    lm_top_clear(top);
}

static bool
run_segment(lmtext_words_query *query, uint32 segment, lists *l, lm_top *top, const taker *to,
            lmtext_call *call)
{
    lm_ranking_search search = {.ctx = &call->ctx,
                                .corpus = query->corpus,
                                .documents = query->root.segment[segment].documents,
                                .base = (uint64)segment << 32,
                                .cursors = l->cursors,
                                .order = l->order,
                                .top = top};
    size_t wanted;

    open_lists(query, segment, l);
    search.count = l->count;
    for (;;) {
        lmtext_check(call, lm_ranking_run(&search, &wanted), NULL);
        if (to != NULL)
            take_scored(to, top);
        if (wanted == search.count)
            break;
        if (!give_block(&search, l, wanted, call))
            return false;
    }
    query->postings += (int64)search.postings;
    query->skipped += blocks_of(query, segment) - (int64)search.decoded;
    return true;
}

static bool
run_segments(lmtext_words_query *query, lm_top *top, const taker *to)
{
    size_t count = (size_t)query->count + 1;
    lists l = {.cursors = palloc_extended(count * sizeof(*l.cursors), MCXT_ALLOC_HUGE),
               .order = palloc(count * sizeof(*l.order)),
               .lists = palloc_extended(count * sizeof(*l.lists), MCXT_ALLOC_HUGE)};
    bool there = true;
    lmtext_call call;

    lmtext_call_init(&call, CurrentMemoryContext);
    for (uint32 i = 0; there && i < query->root.segments; i++)
        there = run_segment(query, i, &l, top, to, &call);
    pfree(l.cursors);
    pfree(l.order);
    pfree(l.lists);
    return there;
}

bool
lmtext_words_query_run(lmtext_words_query *query, lm_top *top)
{
    if (!run_segments(query, top, NULL))
        return false;
    for (size_t i = 0; i < query->waiting_count; i++)
        lm_top_offer(top, query->waiting[i].distance, WAITING_BASE + i);
    return true;
}

/* Between two blocks no more documents are scored than the blocks at hand have. */
bool
lmtext_words_query_all(lmtext_words_query *query, lmtext_words_scored scored, void *argument)
{
    const taker to = {scored, argument};
    lmtext_call call;
    lm_top top;
    bool there;

    lmtext_call_init(&call, CurrentMemoryContext);
    lmtext_check(&call,
                 lm_top_init(&call.ctx, &top, ((size_t)query->count + 1) * (LM_POSTINGS_BLOCK + 1)),
                 NULL);
    there = run_segments(query, &top, &to);
    lm_top_free(&call.ctx, &top);
    for (size_t i = 0; there && i < query->waiting_count; i++)
        scored(argument, WAITING_BASE + i, query->waiting[i].distance);
    return there;
}

bool
lmtext_words_query_document(lmtext_words_query *query, uint64 item, lmtext_document *document)
{
    if (item >= WAITING_BASE) {
        *document = query->waiting[item - WAITING_BASE].document;
        return true;
    }
    return lmtext_words_document(query->index, &query->root.segment[item >> 32], (uint32)item,
                                 document);
}

double
lmtext_words_query_score(const lmtext_words_query *query, const lmtext_text_words *words)
{
    double score = 0;

    for (int i = 0; i < words->count; i++) {
        int term = find_term(query, words->words[i].hash);

        if (term >= 0)
            score += lm_ranking_part(&query->corpus, query->terms[term].idf,
                                     words->words[i].frequency, words->length);
    }
    return score;
}
