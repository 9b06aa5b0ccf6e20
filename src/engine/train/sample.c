/*
 * sample.c - the order of a draw, by the share of its label that stands before a row.
 */
#include "train/sample.h"

#include <string.h>

#include "base/rng.h"
#include "base/sort.h"

#define POLL_EVERY 4096u /* rows */

/* A row in a random order of all. */
typedef struct drawn_row {
    double share; /* of its label's rows that come before it */
    size_t place, row;
} drawn_row;

static int
compare_drawn(const void *a, const void *b)
{
    const drawn_row *x = a, *y = b;

    if (x->share != y->share)
        return x->share < y->share ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

static lm_status
shuffle(lm_context *ctx, drawn_row *list, size_t count, uint64_t seed)
{
    lm_rng rng;

    lm_rng_seed(&rng, seed);
    for (size_t i = 0; i < count; i++) {
        const size_t other = (size_t)lm_rng_below(&rng, i + 1);

        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
        list[i] = list[other];
        list[other].row = i;
    }
    return LM_OK;
}

/* `seen` (2 · labels), zero: rows of each label, then how many of them came before. */
static lm_status
order_rows(lm_row_sample *s, const int32_t *y, size_t labels, size_t *seen, drawn_row *list)
{
    for (size_t i = 0; i < s->rows; i++) {
        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(s->ctx));
        list[i].place = i;
        seen[y[list[i].row]]++;
    }
    for (size_t i = 0; i < s->rows; i++) {
        const size_t label = (size_t)y[list[i].row];

        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(s->ctx));
        list[i].share = (double)seen[labels + label]++ / (double)seen[label];
    }
    LM_TRY(lm_sort(s->ctx, list, s->rows, sizeof *list, compare_drawn));
    for (size_t i = 0; i < s->rows; i++)
        s->rank[list[i].row] = i;
    return LM_OK;
}

lm_status
lm_row_sample_draw(lm_context *ctx, const int32_t *y, size_t rows, size_t labels, uint64_t seed,
                   lm_row_sample *sample)
{
    size_t *seen = lm_alloc_zero(ctx, 2 * labels * sizeof *seen);
    drawn_row *list = lm_alloc_array(ctx, rows, sizeof *list);
    lm_status status = LM_NO_MEMORY;

    *sample = (lm_row_sample){ctx, lm_alloc_array(ctx, rows, sizeof *sample->rank), rows};
    if (seen && list && sample->rank) {
        status = shuffle(ctx, list, rows, seed);
        if (status == LM_OK)
            status = order_rows(sample, y, labels, seen, list);
    }
    lm_free(ctx, seen);
    lm_free(ctx, list);
    return status;
}

void
lm_row_sample_free(lm_row_sample *sample)
{
    lm_free(sample->ctx, sample->rank);
    sample->rank = NULL;
}

void
lm_row_sample_list(const lm_row_sample *sample, size_t from, size_t to, size_t *list)
{
    for (size_t row = 0; row < sample->rows; row++)
        if (sample->rank[row] >= from && sample->rank[row] < to)
            *list++ = row;
}

/* ---- Vectors ---- */

/* Each vector of a cycle takes the place before it. */
static size_t
turn_cycle(const lm_row_sample *s, float *vectors, size_t width, size_t start, float *kept,
           bool *done)
{
    const size_t bytes = width * sizeof *vectors;
    size_t at = start, turned = 1;

    memcpy(kept, vectors + start * width, bytes);
    for (; s->rank[at] != start; at = s->rank[at], turned++) {
        memcpy(vectors + at * width, vectors + s->rank[at] * width, bytes);
        done[at] = true;
    }
    memcpy(vectors + at * width, kept, bytes);
    done[at] = true;
    return turned;
}

static lm_status
turn_all(const lm_row_sample *s, float *vectors, size_t width, float *kept, bool *done)
{
    size_t turned = 0;

    for (size_t row = 0; row < s->rows; row++) {
        if (!done[row])
            turned += turn_cycle(s, vectors, width, row, kept, done);
        if (turned >= POLL_EVERY) {
            turned = 0;
            LM_TRY(lm_poll(s->ctx));
        }
    }
    return LM_OK;
}

lm_status
lm_row_sample_put_back(const lm_row_sample *sample, float *vectors, size_t width)
{
    float *kept = lm_alloc_array(sample->ctx, width, sizeof *kept);
    bool *done = lm_alloc_zero(sample->ctx, sample->rows);
    lm_status status = kept && done ? turn_all(sample, vectors, width, kept, done) : LM_NO_MEMORY;

    lm_free(sample->ctx, kept);
    lm_free(sample->ctx, done);
    return status;
}
