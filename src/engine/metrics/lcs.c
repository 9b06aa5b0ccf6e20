/*
 * lcs.c - the table of common subsequences, row by row: of a row only the last one is kept, and
 * where the way back is asked for, a bit for each cell.
 */
#include "metrics/lcs.h"

#include <string.h>

#include "base/size.h"

#define CELLS_PER_POLL (1u << 20)
#define CELLS_MAX ((uint64_t)1 << 33)

typedef struct lcs {
    lm_context *ctx;
    const lm_tokens *rows, *columns;
    uint32_t *last; /* lengths in the row above, and in this row as far as it is done */
    uint64_t *left; /* whether the way back from a cell without a match goes left; may be NULL */
    size_t cells;   /* since the last poll */
} lcs;

/* Row i, from the one above. */
static void
fill_row(lcs *t, size_t i)
{
    uint32_t corner = 0, before = 0, word = t->rows->ids[i];
    uint64_t bit = (uint64_t)i * t->columns->count;

    for (size_t j = 0; j < t->columns->count; j++, bit++) {
        uint32_t above = t->last[j];

        if (t->left && before > above)
            t->left[bit / 64] |= UINT64_C(1) << bit % 64;
        if (word == t->columns->ids[j])
            before = corner + 1;
        else
            before = before > above ? before : above;
        t->last[j] = before;
        corner = above;
    }
}

static lm_status
fill(lcs *t)
{
    size_t columns = t->columns->count;

    t->last = lm_alloc_array(t->ctx, columns + 1, sizeof *t->last);
    if (!t->last)
        return LM_NO_MEMORY;
    memset(t->last, 0, (columns + 1) * sizeof *t->last);
    for (size_t i = 0; i < t->rows->count; i++) {
        fill_row(t, i);
        t->cells += columns + 1;
        if (t->cells < CELLS_PER_POLL)
            continue;
        t->cells = 0;
        LM_TRY(lm_poll(t->ctx));
    }
    return LM_OK;
}

lm_status
lm_lcs_length(lm_context *ctx, const lm_tokens *reference, const lm_tokens *hypothesis,
              uint64_t *length)
{
    lcs t = {.ctx = ctx, .rows = reference, .columns = hypothesis};
    lm_status status = fill(&t);

    *length = status == LM_OK && hypothesis->count > 0 ? t.last[hypothesis->count - 1] : 0;
    lm_free(ctx, t.last);
    return status;
}

static void
go_back(const lcs *t, bool *marks)
{
    size_t i = t->rows->count, j = t->columns->count;

    while (i > 0 && j > 0) {
        uint64_t bit = (uint64_t)(i - 1) * t->columns->count + j - 1;

        if (t->rows->ids[i - 1] == t->columns->ids[j - 1]) {
            marks[--i] = true;
            j--;
        } else if (t->left[bit / 64] >> bit % 64 & 1)
            j--;
        else
            i--;
    }
}

lm_status
lm_lcs_mark(lm_context *ctx, const lm_tokens *reference, const lm_tokens *hypothesis, bool *marks)
{
    lcs t = {.ctx = ctx, .rows = reference, .columns = hypothesis};
    size_t cells;
    lm_status status;

    if (lm_mul_overflows(reference->count, hypothesis->count, &cells) || cells > CELLS_MAX) {
        lm_raise(ctx, LM_TOO_LARGE, "sentences are too long for rougeLsum");
        return lm_detail_found(ctx, "%zu and %zu words", reference->count, hypothesis->count);
    }
    t.left = lm_alloc_zero(ctx, (cells / 64 + 1) * sizeof *t.left);
    if (!t.left)
        return LM_NO_MEMORY;
    status = fill(&t);
    if (status == LM_OK)
        go_back(&t, marks);
    lm_free(ctx, t.last);
    lm_free(ctx, t.left);
    return status;
}
