/*
 * split.c - a stratified split by a seed.
 */
#include "train/split.h"

#include "base/rng.h"

/* What is split. */
typedef struct split {
    lm_context *ctx;
    const int32_t *y;
    size_t rows, labels;
    double hold_out;
    uint64_t seed;
    size_t *order;  /* (rows): first by label */
    size_t *starts; /* (labels + 1) */
    bool *held;     /* (rows) */
} split;

/* Row numbers by label: counts, then ends, which the filling turns into starts. */
static lm_status
sort_by_label(split *s)
{
    for (size_t i = 0; i < s->rows; i++)
        s->starts[s->y[i]]++;
    for (size_t label = 0; label < s->labels; label++) {
        if (s->starts[label] == 0)
            return lm_raise(s->ctx, LM_BAD_ARGUMENT, "label %zu has no row", label);
        s->starts[label] += label > 0 ? s->starts[label - 1] : 0;
    }
    s->starts[s->labels] = s->rows;
    for (size_t i = s->rows; i-- > 0;)
        s->order[--s->starts[s->y[i]]] = i;
    return LM_OK;
}

static lm_status
mark_held_out(split *s)
{
    double owed = 0;
    lm_rng rng;

    LM_TRY(sort_by_label(s));
    lm_rng_seed(&rng, s->seed);
    for (size_t label = 0; label < s->labels; label++) {
        size_t *rows = s->order + s->starts[label];
        size_t count = s->starts[label + 1] - s->starts[label];

        owed += (double)count * s->hold_out;
        for (size_t taken = 0; owed >= 1 && taken + 1 < count; taken++, owed--) {
            size_t pick = taken + lm_rng_below(&rng, count - taken), row = rows[pick];

            rows[pick] = rows[taken];
            s->held[row] = true;
        }
    }
    return LM_OK;
}

/* Rows in ascending order, those held out behind the others. */
static size_t
gather(split *s)
{
    size_t next = 0, trained = 0;

    for (int part = 0; part < 2; part++) {
        for (size_t i = 0; i < s->rows; i++)
            if (s->held[i] == (part == 1))
                s->order[next++] = i;
        if (part == 0)
            trained = next;
    }
    return trained;
}

lm_status
lm_split_rows(lm_context *ctx, const int32_t *y, size_t rows, size_t labels, double hold_out,
              uint64_t seed, size_t *order, size_t *trained)
{
    split s = {ctx, y, rows, labels, hold_out, seed, order, NULL, NULL};
    lm_status status = LM_NO_MEMORY;

    s.starts = lm_alloc_zero(ctx, (labels + 1) * sizeof *s.starts);
    if (s.starts)
        s.held = lm_alloc_zero(ctx, rows);
    if (s.held)
        status = mark_held_out(&s);
    if (status == LM_OK)
        *trained = gather(&s);
    lm_free(ctx, s.held);
    lm_free(ctx, s.starts);
    return status;
}
