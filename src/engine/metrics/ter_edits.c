/*
 * ter_edits.c - the edits of TER (Snover et al. 2006) with the limits and the ranking of sacrebleu,
 * which has them of Tercom.
 *
 * The table of distances has a row for each word of the hypothesis, of which only a band about the
 * diagonal is computed. A move changes a few words in the middle: its distance is computed from the
 * row before them, and no further than where the rows are those without the move but for a
 * constant, since then all that follow are.
 */
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "metrics/edit_distance.h"

#define MOVE_WORDS 10
#define MOVE_DISTANCE 50
#define BAND 25
#define CANDIDATES 1000
#define CELLS_MAX ((size_t)1 << 28) /* of a table: 1 GB */
#define NEVER (UINT32_MAX / 2)

typedef struct ter {
    lm_context *ctx;
    const uint32_t *reference;
    size_t references;
    uint32_t *words; /* of the hypothesis, moved so far; then moved for a trial */
    size_t count;
    double ratio;
    size_t band, width;
    uint32_t *rows;    /* of words 1 to count: width cells of each, from row_first on */
    uint32_t *trial;   /* two rows */
    uint32_t *saved;   /* words that a trial changes */
    int64_t *align;    /* of each reference word, the hypothesis' word; -1: before the first */
    bool *wrong;       /* hypothesis words that are edited */
    bool *missed;      /* reference words that are */
    size_t candidates; /* so far */
    size_t cells;      /* since the last poll */
} ter;

typedef struct move {
    int64_t gain;
    size_t length, start, target;
} move;

static size_t
row_first(const ter *t, size_t i)
{
    size_t diagonal = (size_t)floor((double)i * t->ratio);

    return diagonal > t->band ? diagonal - t->band : 0;
}

static size_t
row_end(const ter *t, size_t i)
{
    size_t end = (size_t)floor((double)i * t->ratio) + t->band, whole = t->references + 1;

    return i == t->count || end > whole ? whole : end;
}

/* Cell j of row i, which lies at `row`; row 0 is not stored. */
static inline uint32_t
cell(const ter *t, const uint32_t *row, size_t i, size_t first, size_t end, size_t j)
{
    if (i == 0)
        return (uint32_t)j;
    return j >= first && j < end ? row[j - first] : NEVER;
}

/* The cells of row i from those of the row above. */
static lm_status
fill_row(ter *t, size_t i, const uint32_t *above, uint32_t *row)
{
    size_t first = row_first(t, i), end = row_end(t, i);
    size_t above_first = row_first(t, i - 1), above_end = row_end(t, i - 1);
    uint32_t left = NEVER, word = t->words[i - 1];
    uint32_t corner = first > 0 ? cell(t, above, i - 1, above_first, above_end, first - 1) : NEVER;

    for (size_t j = first; j < end; j++) {
        uint32_t up = cell(t, above, i - 1, above_first, above_end, j), best = NEVER;

        if (j > 0)
            best = corner + (word != t->reference[j - 1]);
        if (up + 1 < best)
            best = up + 1;
        if (left + 1 < best)
            best = left + 1;
        row[j - first] = left = best < NEVER ? best : NEVER;
        corner = up;
    }
    t->cells += end - first + 1;
    if (t->cells < 1u << 20)
        return LM_OK;
    t->cells = 0;
    return lm_poll(t->ctx);
}

static uint32_t *
stored_row(const ter *t, size_t i)
{
    return i > 0 ? t->rows + (i - 1) * t->width : NULL;
}

static lm_status
fill_rows(ter *t)
{
    for (size_t i = 1; i <= t->count; i++)
        LM_TRY(fill_row(t, i, stored_row(t, i - 1), stored_row(t, i)));
    return LM_OK;
}

static uint32_t
stored_cell(const ter *t, size_t i, size_t j)
{
    return cell(t, stored_row(t, i), i, row_first(t, i), row_end(t, i), j);
}

static uint32_t
distance(const ter *t)
{
    return stored_cell(t, t->count, t->references);
}

/* Go back through the table; of ways that cost the same a substitution goes first, then a deletion.
 */
static void
trace(ter *t)
{
    size_t i = t->count, j = t->references;

    while (i > 0 || j > 0) {
        uint32_t here = stored_cell(t, i, j);
        bool equal = i > 0 && j > 0 && t->words[i - 1] == t->reference[j - 1];

        if (i > 0 && j > 0 && stored_cell(t, i - 1, j - 1) + !equal == here) {
            t->wrong[--i] = !equal;
            t->missed[--j] = !equal;
            t->align[j] = (int64_t)i;
        } else if (i > 0 && stored_cell(t, i - 1, j) + 1 == here)
            t->wrong[--i] = true;
        else {
            t->missed[--j] = true;
            t->align[j] = (int64_t)i - 1;
        }
    }
}

/* Words from *first to *last - 1 are others when m is done. */
static void
changed_words(const ter *t, const move *m, size_t *first, size_t *last)
{
    size_t end = m->start + m->length;

    *first = m->target < m->start ? m->target : m->start;
    *last = m->target < m->start ? end : m->target > end ? m->target : m->length + m->target;
    if (*last > t->count)
        *last = t->count;
}

/* Change words; `saved` has what stood there. */
static void
do_move(ter *t, const move *m, size_t first, size_t last)
{
    size_t from = m->start - first, size = last - first, rest = size - m->length;
    uint32_t *to = t->words + first, *run = t->saved + from;

    memcpy(t->saved, to, size * sizeof *to);
    if (m->target < m->start) {
        memcpy(to, run, m->length * sizeof *to);
        memcpy(to + m->length, t->saved, rest * sizeof *to);
    } else {
        memcpy(to, run + m->length, rest * sizeof *to);
        memcpy(to + rest, run, m->length * sizeof *to);
    }
}

/* Are the cells of row i those of the table and a constant? */
static bool
is_shifted(const ter *t, size_t i, const uint32_t *row, int64_t *constant)
{
    const uint32_t *stored = stored_row(t, i);
    size_t width = row_end(t, i) - row_first(t, i);
    bool found = false;

    for (size_t k = 0; k < width; k++) {
        int64_t gap = (int64_t)row[k] - (int64_t)stored[k];

        if ((row[k] == NEVER) != (stored[k] == NEVER))
            return false;
        if (row[k] == NEVER)
            continue;
        if (found && gap != *constant)
            return false;
        found = true;
        *constant = gap;
    }
    return found;
}

/* What the words that are moved for a trial cost more than those before. */
static lm_status
trial_cost(ter *t, size_t first, size_t last, int64_t *more)
{
    const uint32_t *above = stored_row(t, first);
    uint32_t *row = NULL;

    for (size_t i = first + 1; i <= t->count; i++) {
        row = t->trial + (i % 2) * t->width;
        LM_TRY(fill_row(t, i, above, row));
        if (i >= last && is_shifted(t, i, row, more))
            return LM_OK;
        above = row;
    }
    *more = (int64_t)row[t->references - row_first(t, t->count)] - (int64_t)distance(t);
    return LM_OK;
}

static bool
is_better(const move *a, const move *b)
{
    if (a->gain != b->gain)
        return a->gain > b->gain;
    if (a->length != b->length)
        return a->length > b->length;
    if (a->start != b->start)
        return a->start < b->start;
    return a->target < b->target;
}

static lm_status
try_move(ter *t, move m, move *best, bool *any)
{
    size_t first, last;
    int64_t more = 0;
    lm_status status;

    changed_words(t, &m, &first, &last);
    do_move(t, &m, first, last);
    status = trial_cost(t, first, last, &more);
    memcpy(t->words + first, t->saved, (last - first) * sizeof *t->words);
    LM_TRY(status);
    m.gain = -more;
    t->candidates++;
    if (!*any || is_better(&m, best))
        *best = m;
    *any = true;
    return LM_OK;
}

static bool
has_any(const bool *flags, size_t length)
{
    return memchr(flags, true, length) != NULL;
}

/* Words from start on are the reference's from `from` on: try to put them where these belong. */
static lm_status
try_places(ter *t, size_t start, size_t from, size_t length, move *best, bool *any)
{
    size_t previous = SIZE_MAX;

    if (!has_any(t->wrong + start, length) || !has_any(t->missed + from, length))
        return LM_OK;
    if (t->align[from] >= (int64_t)start && t->align[from] < (int64_t)(start + length))
        return LM_OK;
    for (size_t k = 0; k <= length; k++) {
        size_t place = from + k; /* behind the word before it */
        size_t target = place == 0 ? 0 : (size_t)(t->align[place - 1] + 1);

        if (target == previous)
            continue;
        previous = target;
        LM_TRY(try_move(t, (move){0, length, start, target}, best, any));
    }
    return LM_OK;
}

static lm_status
try_runs(ter *t, size_t start, size_t from, move *best, bool *any)
{
    for (size_t length = 0; length < MOVE_WORDS && start + length < t->count &&
                            from + length < t->references && t->candidates < CANDIDATES;
         length++) {
        if (t->words[start + length] != t->reference[from + length])
            break;
        LM_TRY(try_places(t, start, from, length + 1, best, any));
    }
    return LM_OK;
}

static lm_status
find_move(ter *t, move *best, bool *any)
{
    trace(t);
    for (size_t start = 0; start < t->count; start++) {
        size_t from = start > MOVE_DISTANCE ? start - MOVE_DISTANCE : 0;

        for (; from < t->references && from <= start + MOVE_DISTANCE; from++) {
            if (t->candidates >= CANDIDATES)
                return LM_OK;
            LM_TRY(try_runs(t, start, from, best, any));
        }
        if ((start + 1) % 1024 == 0)
            LM_TRY(lm_poll(t->ctx));
    }
    return LM_OK;
}

static lm_status
count_edits(ter *t, uint64_t *edits)
{
    uint64_t moves = 0;

    LM_TRY(fill_rows(t));
    for (;;) {
        size_t first, last;
        bool any = false;
        move best;

        LM_TRY(find_move(t, &best, &any));
        if (!any || t->candidates >= CANDIDATES || best.gain <= 0)
            break;
        changed_words(t, &best, &first, &last);
        do_move(t, &best, first, last);
        LM_TRY(fill_rows(t));
        moves++;
    }
    *edits = moves + distance(t);
    return LM_OK;
}

static lm_status
ter_allocate(ter *t, const lm_tokens *hypothesis)
{
    size_t cells;

    if (lm_mul_overflows(t->count, t->width, &cells) || cells > CELLS_MAX) {
        lm_raise(t->ctx, LM_TOO_LARGE, "texts are too long for ter");
        return lm_detail_found(t->ctx, "%zu and %zu words", t->count, t->references);
    }
    t->words = lm_alloc_array(t->ctx, t->count + 1, sizeof *t->words);
    t->saved = t->words ? lm_alloc_array(t->ctx, t->count + 1, sizeof *t->saved) : NULL;
    t->rows = t->saved ? lm_alloc_array(t->ctx, cells + 1, sizeof *t->rows) : NULL;
    t->trial = t->rows ? lm_alloc_array(t->ctx, t->width, 2 * sizeof *t->trial) : NULL;
    t->wrong = t->trial ? lm_alloc_array(t->ctx, t->count + 1, sizeof *t->wrong) : NULL;
    t->missed = t->wrong ? lm_alloc_array(t->ctx, t->references, sizeof *t->missed) : NULL;
    t->align = t->missed ? lm_alloc_array(t->ctx, t->references, sizeof *t->align) : NULL;
    if (!t->align)
        return LM_NO_MEMORY;
    memcpy(t->words, hypothesis->ids, t->count * sizeof *t->words);
    return LM_OK;
}

static void
ter_free(ter *t)
{
    void *all[] = {t->words, t->saved, t->rows, t->trial, t->wrong, t->missed, t->align};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        lm_free(t->ctx, all[i]);
}

lm_status
lm_ter_edits(lm_context *ctx, const lm_tokens *hypothesis, const lm_tokens *reference,
             uint64_t *edits)
{
    ter t = {.ctx = ctx,
             .reference = reference->ids,
             .references = reference->count,
             .count = hypothesis->count,
             .band = BAND};
    lm_status status;

    *edits = t.count > t.references ? t.count : t.references;
    if (t.count == 0 || t.references == 0)
        return LM_OK;
    t.ratio = (double)t.references / (double)t.count;
    if (BAND < t.ratio / 2)
        t.band = (size_t)ceil(t.ratio / 2 + BAND);
    t.width = 2 * t.band + 2;
    status = ter_allocate(&t, hypothesis);
    if (status == LM_OK)
        status = count_edits(&t, edits);
    ter_free(&t);
    return status;
}
