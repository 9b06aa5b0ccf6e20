/*
 * unpack.c - weights back from panels, for who needs them as rows. How panels are laid out is said
 * by the product's pack_format: their width, and before it how many k's stand together.
 */
#include "kernels/bf16.h"
#include "kernels/kernels.h"

/* Columns of a panel that are read together: their lines stay in cache until they are used up. */
#define COLUMNS ((size_t)16)

typedef struct unpack_run {
    const void *packed;
    bool bf16;
    size_t panel, group;
    size_t n, k;
    float *values;
} unpack_run;

static float
value_at(const unpack_run *run, size_t at)
{
    return run->bf16 ? lm_bf16_to(((const uint16_t *)run->packed)[at])
                     : ((const float *)run->packed)[at];
}

/* Columns first … end − 1 of row n, which is row `r` of the panel that begins at `start`; `first`
 * is a group's. */
static void
unpack_row(const unpack_run *run, size_t start, size_t n, size_t r, size_t first, size_t end)
{
    float *out = run->values + n * run->k;
    size_t at = start + first * run->panel + r * run->group;

    for (size_t k = first; k < end; k += run->group, at += run->panel * run->group)
        for (size_t g = 0; g < run->group && k + g < end; g++)
            out[k + g] = value_at(run, at + g);
}

/* The rows of W from n on that a panel has. */
static void
unpack_panel(const unpack_run *run, size_t n)
{
    size_t steps = (run->k + run->group - 1) / run->group;
    size_t rows = run->n - n < run->panel ? run->n - n : run->panel;

    for (size_t first = 0; first < run->k; first += COLUMNS) {
        size_t end = run->k - first < COLUMNS ? run->k : first + COLUMNS;

        for (size_t r = 0; r < rows; r++)
            unpack_row(run, n * steps * run->group, n + r, r, first, end);
    }
}

lm_status
lm_unpack(lm_context *ctx, const lm_kernels *kernels, lm_precision precision, const void *packed,
          size_t n, size_t k, float *values)
{
    const uint32_t format = kernels->products[precision].pack_format;
    const unpack_run run = {
        .packed = packed,
        .bf16 = precision == LM_PRECISION_BF16,
        .panel = format % 1000,
        .group = format >= 1000 ? format / 1000 % 10 : 1,
        .n = n,
        .k = k,
        .values = values,
    };

    if (lm_precisions[precision].coded)
        return lm_raise(ctx, LM_UNSUPPORTED, "weights of precision %s cannot be unpacked",
                        lm_precision_name(precision));
    for (size_t row = 0; row < n; row += run.panel) {
        LM_TRY(lm_poll(ctx));
        unpack_panel(&run, row);
    }
    return LM_OK;
}
