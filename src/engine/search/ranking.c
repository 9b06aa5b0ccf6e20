/*
 * ranking.c - the documents that score best by BM25 for some words, by block-max WAND; the
 * contract is in postings.h.
 *
 * A cursor's place is the first document that it may have: what lies before has not the word, or
 * was shown to be of no interest. Cursors in the order of their places: the pivot is the first
 * document that could get in by the bounds of whole lists. If by the bounds of blocks it cannot,
 * nor can any up to where the first of these blocks ends, or the next cursor begins.
 */
#include "search/postings.h"

#include "search/bm25.h"

#define POLL_STEPS 4096
/* Sums of bounds round otherwise than sums of scores; far below a float's last bit. */
#define SLACK (1 + 1e-9)

double
lm_ranking_part(const lm_ranking_corpus *corpus, double idf, uint32_t frequency, uint32_t length)
{
    double mean = (double)corpus->words / (double)corpus->documents;
    double norm = LM_BM25_K1 * (1 - LM_BM25_B + LM_BM25_B * length / mean);

    return idf * frequency * (LM_BM25_K1 + 1) / (frequency + norm);
}

void
lm_ranking_cursor_set(lm_ranking_cursor *cursor, const lm_ranking_corpus *corpus, double idf,
                      uint32_t most, uint32_t shortest)
{
    cursor->idf = idf;
    cursor->bound = lm_ranking_part(corpus, idf, most, shortest);
    cursor->target = 0;
    cursor->there = cursor->decoded = cursor->ended = false;
}

lm_status
lm_ranking_give(lm_ranking_search *search, size_t number, const uint8_t *bytes, size_t available)
{
    lm_ranking_cursor *c = &search->cursors[number];
    uint32_t before = c->head.last;

    if (!lm_postings_read_head(bytes, available, &c->head) || c->head.last >= search->documents ||
        (c->there && c->head.first <= before))
        return lm_raise(search->ctx, LM_CORRUPT, "a block of postings is damaged");
    c->bytes = bytes;
    c->there = true;
    c->decoded = false;
    c->block_bound = lm_ranking_part(&search->corpus, c->idf, c->head.most, c->head.shortest);
    return LM_OK;
}

void
lm_ranking_end(lm_ranking_search *search, size_t cursor)
{
    search->cursors[cursor].ended = true;
}

/* Of rows that are decoded the first from the target on; there is one. */
static void
seek_row(lm_ranking_cursor *c)
{
    while (c->rows.documents[c->at] < c->target)
        c->at++;
}

static lm_status
decode(lm_ranking_search *search, lm_ranking_cursor *c)
{
    if (!c->decoded) {
        if (!lm_postings_decode(c->bytes, &c->head, &c->rows))
            return lm_raise(search->ctx, LM_CORRUPT, "a block of postings is damaged");
        search->decoded++;
        search->postings += (uint64_t)c->head.count;
        c->at = 0;
        c->decoded = true;
    }
    seek_row(c);
    return LM_OK;
}

static uint32_t
place_of(lm_ranking_cursor *c)
{
    if (!c->decoded)
        return c->head.first > c->target ? c->head.first : c->target;
    seek_row(c);
    return c->rows.documents[c->at];
}

/* A list whose block ends before its target; count: none. */
static size_t
find_wanting(const lm_ranking_search *search)
{
    size_t i = 0;

    while (i < search->count) {
        const lm_ranking_cursor *c = &search->cursors[i];

        if (!c->ended && (!c->there || c->head.last < c->target))
            break;
        i++;
    }
    return i;
}

/* Lists that have not ended, in the order of their places; returns how many. */
static size_t
sort_cursors(lm_ranking_search *search)
{
    size_t count = 0;

    for (size_t i = 0; i < search->count; i++) {
        lm_ranking_cursor *c = &search->cursors[i];
        size_t at = count;

        if (c->ended)
            continue;
        for (c->place = place_of(c); at > 0 && search->order[at - 1]->place > c->place; at--)
            search->order[at] = search->order[at - 1];
        search->order[at] = c;
        count++;
    }
    return count;
}

static bool
can_enter(const lm_ranking_search *search, double bound)
{
    return (float)-(bound * SLACK) < search->top->bound;
}

/* How many cursors it takes to get in, with all at the last one's place; 0: all are not enough. */
static size_t
find_pivot(const lm_ranking_search *search, size_t live)
{
    double sum = 0;
    size_t taken = 0;

    while (taken < live) {
        sum += search->order[taken++]->bound;
        if (can_enter(search, sum))
            break;
    }
    if (!can_enter(search, sum))
        return 0;
    while (taken < live && search->order[taken]->place == search->order[taken - 1]->place)
        taken++;
    return taken;
}

static void
set_targets(lm_ranking_search *search, size_t taken, uint32_t target)
{
    for (size_t i = 0; i < taken; i++)
        search->order[i]->target = target;
}

/* Blocks that have the pivot do not suffice: on to where the first of them ends, or another list
 * begins. */
static bool
skip_blocks(lm_ranking_search *search, size_t taken, size_t live)
{
    double sum = 0;
    uint32_t last = UINT32_MAX - 1;

    for (size_t i = 0; i < taken; i++) {
        sum += search->order[i]->block_bound;
        last = search->order[i]->head.last < last ? search->order[i]->head.last : last;
    }
    if (can_enter(search, sum))
        return false;
    if (taken < live && search->order[taken]->place <= last)
        last = search->order[taken]->place - 1;
    set_targets(search, taken, last + 1);
    return true;
}

/* In the order of the query's words, so that a document has one score. */
static lm_status
score_document(lm_ranking_search *search, uint32_t document)
{
    double score = 0;

    for (size_t i = 0; i < search->count; i++) {
        lm_ranking_cursor *c = &search->cursors[i];

        if (c->ended || c->place > document)
            continue;
        LM_TRY(decode(search, c));
        if (c->rows.documents[c->at] != document)
            continue;
        score += lm_ranking_part(&search->corpus, c->idf, c->rows.frequencies[c->at],
                                 c->rows.lengths[c->at]);
    }
    if (score > 0)
        lm_top_offer(search->top, (float)-score, search->base + document);
    return LM_OK;
}

/* Every taken list is in the block that may have the pivot. */
static lm_status
try_pivot(lm_ranking_search *search, size_t taken, size_t live)
{
    uint32_t pivot = search->order[taken - 1]->place;

    set_targets(search, taken, pivot);
    if (find_wanting(search) < search->count || skip_blocks(search, taken, live))
        return LM_OK;
    LM_TRY(score_document(search, pivot));
    set_targets(search, taken, pivot + 1);
    return LM_OK;
}

lm_status
lm_ranking_run(lm_ranking_search *search, size_t *wanted)
{
    for (;;) {
        size_t live, taken;

        *wanted = find_wanting(search);
        if (*wanted < search->count)
            return LM_OK;
        if (++search->steps % POLL_STEPS == 0)
            LM_TRY(lm_poll(search->ctx));
        live = sort_cursors(search);
        taken = find_pivot(search, live);
        if (taken == 0)
            return LM_OK;
        LM_TRY(try_pivot(search, taken, live));
    }
}
