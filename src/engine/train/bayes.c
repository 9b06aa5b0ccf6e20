/*
 * bayes.c - sums of features by label, and logarithms of them. The sums stand in the model's
 * weights until then. They are summed in double, label by label: a float stands still at 2^24.
 */
#include "train/bayes.h"

#include <math.h>
#include <string.h>

#define POLL_EVERY ((uint32_t)1 << 12) /* rows, features */

/* Of labels: rows, and the sum of all features, or of all features of the others. */
typedef struct sums {
    double *rows, *features; /* (labels) each, one block */
} sums;

/* Rows label by label, in their order. */
typedef struct sorted_rows {
    size_t *rows;   /* (count) */
    size_t *stops;  /* (labels): behind the last row of each */
    double *counts; /* (features): of the label under way; else 0 */
} sorted_rows;

static lm_status
sort_rows(lm_context *ctx, const size_t *rows, size_t count, const int32_t *y, size_t labels,
          sums *of, sorted_rows *sorted)
{
    size_t start = 0;

    for (size_t at = 0; at < count; at++)
        of->rows[y[rows[at]]]++;
    for (size_t label = 0; label < labels; label++) {
        sorted->stops[label] = start;
        start += (size_t)of->rows[label];
    }
    for (size_t at = 0; at < count; at++) {
        if (at % POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
        sorted->rows[sorted->stops[y[rows[at]]]++] = rows[at];
    }
    return LM_OK;
}

/* Add up a label's rows, then write what they touched, and leave zeros. */
static lm_status
add_label(lm_context *ctx, const lm_sparse_rows *sparse, const sorted_rows *sorted, size_t label,
          lm_linear_model *model)
{
    const size_t first = label > 0 ? sorted->stops[label - 1] : 0, stop = sorted->stops[label];

    for (size_t at = first; at < stop; at++) {
        const size_t row = sorted->rows[at];

        LM_TRY(lm_poll(ctx));
        for (size_t i = sparse->starts[row]; i < sparse->starts[row + 1]; i++)
            sorted->counts[sparse->index[i]] += sparse->value[i];
    }
    for (size_t at = first; at < stop; at++) {
        const size_t row = sorted->rows[at];

        LM_TRY(lm_poll(ctx));
        for (size_t i = sparse->starts[row]; i < sparse->starts[row + 1]; i++) {
            double *sum = &sorted->counts[sparse->index[i]];

            if (*sum != 0)
                model->weight[sparse->index[i] * model->labels + label] = (float)*sum;
            *sum = 0;
        }
    }
    return LM_OK;
}

static lm_status
add_rows(lm_context *ctx, const lm_design *design, const size_t *rows, size_t count,
         const int32_t *y, lm_linear_model *model, sums *of)
{
    sorted_rows sorted = {.rows = lm_alloc_array(ctx, count + model->labels, sizeof *sorted.rows)};
    lm_status status = LM_NO_MEMORY;

    if (sorted.rows)
        sorted.counts = lm_alloc_zero(ctx, design->features * sizeof *sorted.counts);
    if (sorted.counts) {
        sorted.stops = sorted.rows + count;
        status = sort_rows(ctx, rows, count, y, model->labels, of, &sorted);
    }
    for (size_t label = 0; status == LM_OK && label < model->labels; label++)
        status = add_label(ctx, design->sparse, &sorted, label, model);
    lm_free(ctx, sorted.counts);
    lm_free(ctx, sorted.rows);
    return status;
}

/* Sums of a feature over labels turn into those over all other labels. */
static void
complement_of(float *weight, size_t labels)
{
    double sum = 0;

    for (size_t label = 0; label < labels; label++)
        sum += weight[label];
    for (size_t label = 0; label < labels; label++)
        weight[label] = (float)(sum - weight[label]);
}

static lm_status
add_features(lm_context *ctx, const lm_design *design, double alpha, bool complement,
             lm_linear_model *model, sums *of)
{
    for (uint32_t i = 0; i < design->features; i++) {
        float *weight = model->weight + i * model->labels;

        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
        if (complement)
            complement_of(weight, model->labels);
        for (size_t label = 0; label < model->labels; label++)
            of->features[label] += weight[label] + alpha;
    }
    return LM_OK;
}

/* Of a complement, what speaks for the others speaks against the label. */
static lm_status
take_logarithms(lm_context *ctx, const lm_design *design, double alpha, bool complement,
                lm_linear_model *model, const sums *of)
{
    const double sign = complement ? -1 : 1;

    for (uint32_t i = 0; i < design->features; i++) {
        float *weight = model->weight + i * model->labels;

        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
        for (size_t label = 0; label < model->labels; label++)
            weight[label] = (float)(sign * (log(weight[label] + alpha) - log(of->features[label])));
    }
    return LM_OK;
}

static lm_status
fit(lm_context *ctx, const lm_design *design, const size_t *rows, size_t count, const int32_t *y,
    double alpha, bool complement, lm_linear_model *model, sums *of)
{
    memset(model->weight, 0, (size_t)design->features * model->labels * sizeof *model->weight);
    LM_TRY(add_rows(ctx, design, rows, count, y, model, of));
    LM_TRY(add_features(ctx, design, alpha, complement, model, of));
    LM_TRY(take_logarithms(ctx, design, alpha, complement, model, of));
    for (size_t label = 0; label < model->labels; label++)
        model->bias[label] = complement ? 0 : (float)log(of->rows[label] / (double)count);
    return LM_OK;
}

lm_status
lm_bayes_train(lm_context *ctx, const lm_design *design, const size_t *rows, size_t count,
               const int32_t *y, double alpha, bool complement, lm_linear_model *model)
{
    sums of = {.rows = lm_alloc_zero(ctx, 2 * model->labels * sizeof *of.rows)};
    lm_status status;

    if (!of.rows)
        return LM_NO_MEMORY;
    of.features = of.rows + model->labels;
    status = fit(ctx, design, rows, count, y, alpha, complement, model, &of);
    lm_free(ctx, of.rows);
    return status;
}
