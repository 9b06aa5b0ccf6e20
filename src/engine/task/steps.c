/*
 * steps.c - from the hidden states of a window to its vector: poolings side by side, and then the
 * modules one after the other. Each runs on one vector alone, so that no batch changes a bit.
 */
#include "task/steps.h"

#include <math.h>
#include <string.h>

/* Rows of a matrix between two polls, of at most a million columns each. */
#define ROWS_PER_POLL 64

/* ---- Pooling: rows first … rows − 1 of x (rows, width) ---- */

/* The mean over the tokens that count. There is at least one: batch.c sees to it. */
static void
pool_mean(const lm_kernels *kernels, const float *x, size_t first, size_t rows, size_t width,
          float *out)
{
    kernels->mean_rows_f32(rows - first, width, x + first * width, out);
}

/* The sum divided by the root of the number of tokens. */
static void
pool_mean_sqrt(const lm_kernels *kernels, const float *x, size_t first, size_t rows, size_t width,
               float *out)
{
    float scale = sqrtf((float)(rows - first));

    kernels->mean_rows_f32(rows - first, width, x + first * width, out);
    for (size_t i = 0; i < width; i++)
        out[i] *= scale;
}

/* The first row that counts. */
static void
pool_first(const lm_kernels *kernels, const float *x, size_t first, size_t rows, size_t width,
           float *out)
{
    memcpy(out, x + first * width, width * sizeof *out);
}

static void
pool_last(const lm_kernels *kernels, const float *x, size_t first, size_t rows, size_t width,
          float *out)
{
    memcpy(out, x + (rows - 1) * width, width * sizeof *out);
}

/* The largest value of each dimension. */
static void
pool_max(const lm_kernels *kernels, const float *x, size_t first, size_t rows, size_t width,
         float *out)
{
    memcpy(out, x + first * width, width * sizeof *out);
    for (size_t row = first + 1; row < rows; row++)
        for (size_t i = 0; i < width; i++)
            out[i] = x[row * width + i] > out[i] ? x[row * width + i] : out[i];
}

/* The weight of a token is its place in the text, from 1; tokens left out keep theirs. */
static void
pool_weighted_mean(const lm_kernels *kernels, const float *x, size_t first, size_t rows,
                   size_t width, float *out)
{
    float total = 0;

    memset(out, 0, width * sizeof *out);
    for (size_t row = first; row < rows; row++) {
        float weight = (float)(row + 1);

        total += weight;
        for (size_t i = 0; i < width; i++)
            out[i] += weight * x[row * width + i];
    }
    for (size_t i = 0; i < width; i++)
        out[i] /= total;
}

/*
 * How a window is pooled, and of which rows. The first is that of the first token that counts:
 * [CLS], or the one behind a prompt that is left out, as the reference has it. The last may be a
 * special token's.
 */
static const struct {
    void (*pool)(const lm_kernels *kernels, const float *x, size_t first, size_t rows, size_t width,
                 float *out);
    lm_batch_rows of;
} poolers[] = {
    [LM_POOL_NONE] = {pool_mean, LM_EVERY_ROW},
    [LM_POOL_MEAN] = {pool_mean, LM_EVERY_ROW},
    [LM_POOL_CLS] = {pool_first, LM_FIRST_ROW},
    [LM_POOL_MAX] = {pool_max, LM_EVERY_ROW},
    [LM_POOL_MEAN_SQRT] = {pool_mean_sqrt, LM_EVERY_ROW},
    [LM_POOL_WEIGHTED_MEAN] = {pool_weighted_mean, LM_EVERY_ROW},
    [LM_POOL_LAST] = {pool_last, LM_LAST_ROW},
    [LM_POOL_LATE] = {pool_mean, LM_EVERY_ROW},
};

lm_batch_rows
lm_steps_rows(const lm_steps *steps)
{
    return steps->pooling_count == 1 && !steps->mix ? poolers[steps->poolings[0]].of : LM_EVERY_ROW;
}

/*
 * Where only one row was computed, that is the one. A model of late interaction has no pooling:
 * where a vector of the whole text is wanted all the same, for calibration, it is the mean.
 */
static void
pool(const lm_kernels *kernels, const lm_steps *steps, const float *x, size_t first, size_t rows,
     size_t width, float *out)
{
    bool one = lm_steps_rows(steps) != LM_EVERY_ROW;

    for (size_t i = 0; i < steps->pooling_count; i++)
        poolers[steps->poolings[i]].pool(kernels, x, one ? 0 : first, one ? 1 : rows, width,
                                         out + i * width);
    if (steps->pooling_count == 0)
        pool_mean(kernels, x, first, rows, width, out);
}

void
lm_pool_rows(const lm_kernels *kernels, lm_pooling pooling, const float *x, size_t first,
             size_t rows, size_t width, float *out)
{
    poolers[pooling].pool(kernels, x, first, rows, width, out);
}

/* ---- Steps: x (in) to out (out), which is not x ---- */

/* out += W · x, in rows. */
static lm_status
add_product(lm_context *ctx, const lm_kernels *kernels, const lm_step *step, const float *w,
            const float *x, float *out)
{
    for (size_t i = 0; i < step->out; i++) {
        if (i % ROWS_PER_POLL == 0)
            LM_TRY(lm_poll(ctx));
        out[i] += kernels->dot_f32(step->in, w + i * step->in, x);
    }
    return LM_OK;
}

static lm_status
run_dense(lm_context *ctx, const lm_kernels *kernels, const lm_step *step, const float *x,
          float *out)
{
    for (size_t i = 0; i < step->out; i++)
        out[i] = step->bias ? step->bias[i] : 0;
    LM_TRY(add_product(ctx, kernels, step, step->weight, x, out));
    for (size_t i = 0; i < step->out; i++)
        out[i] = step->act(out[i]);
    if (step->shortcut)
        return add_product(ctx, kernels, step, step->shortcut, x, out);
    for (size_t i = 0; step->residual && i < step->out; i++)
        out[i] += x[i];
    return LM_OK;
}

static lm_status
run_layer_norm(lm_context *ctx, const lm_kernels *kernels, const lm_step *step, const float *x,
               float *out)
{
    kernels->layer_norm_f32(1, step->in, x, step->weight, step->bias, LM_STEP_NORM_EPS, out);
    return LM_OK;
}

static lm_status
run_normalize(lm_context *ctx, const lm_kernels *kernels, const lm_step *step, const float *x,
              float *out)
{
    memcpy(out, x, step->in * sizeof *out);
    kernels->l2_normalize_f32(step->in, out, LM_NORM_EPS);
    return LM_OK;
}

static lm_status (*const runners[LM_STEP_KINDS])(lm_context *ctx, const lm_kernels *kernels,
                                                 const lm_step *step, const float *x,
                                                 float *out) = {
    [LM_STEP_DENSE] = run_dense,
    [LM_STEP_LAYER_NORM] = run_layer_norm,
    [LM_STEP_NORMALIZE] = run_normalize,
};

lm_status
lm_step_run(lm_context *ctx, const lm_kernels *kernels, const lm_step *step, const float *x,
            float *out)
{
    return runners[step->kind](ctx, kernels, step, x, out);
}

/* From a vector on; *result is that one, or the room. */
static lm_status
run_steps(lm_context *ctx, const lm_kernels *kernels, const lm_steps *steps, float *vector,
          float *room, float **result)
{
    for (size_t i = 0; i < steps->count; i++) {
        float *done = vector;

        LM_TRY(lm_step_run(ctx, kernels, &steps->items[i], vector, room));
        vector = room;
        room = done;
    }
    *result = vector;
    return LM_OK;
}

lm_status
lm_steps_run(lm_context *ctx, const lm_kernels *kernels, const lm_steps *steps, const float *x,
             size_t first, size_t rows, size_t width, float *vector, float *room, float **result)
{
    pool(kernels, steps, x, first, rows, width, vector);
    return run_steps(ctx, kernels, steps, vector, room, result);
}

lm_status
lm_steps_of_row(lm_context *ctx, const lm_kernels *kernels, const lm_steps *steps, const float *x,
                float *vector, float *room, float **result)
{
    memcpy(vector, x, steps->pooled * sizeof *vector);
    return run_steps(ctx, kernels, steps, vector, room, result);
}
