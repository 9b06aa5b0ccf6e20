/*
 * spread.c - rows far from one another; the contract is in clusters.h.
 */
#include <math.h>

#include "kernels/kernels.h"
#include "search/clusters.h"
#include "search/distance.h"

#define BLOCK ((size_t)1024) /* rows between two polls */

static lm_status
find_mean(lm_context *ctx, const lm_vector_rows *v, double *sum, float *mean)
{
    for (size_t j = 0; j < v->width; j++)
        sum[j] = 0;
    for (size_t i = 0; i < v->rows; i++) {
        if (i % BLOCK == 0)
            LM_TRY(lm_poll(ctx));
        for (size_t j = 0; j < v->width; j++)
            sum[j] += v->values[i * v->width + j];
    }
    for (size_t j = 0; j < v->width; j++)
        mean[j] = (float)(sum[j] / (double)v->rows);
    return LM_OK;
}

/* Every row's distance from those chosen, with one more of them. */
static lm_status
approach(lm_context *ctx, const lm_vector_rows *v, const float *centre, double *nearest)
{
    for (size_t i = 0; i < v->rows; i++) {
        if (i % BLOCK == 0)
            LM_TRY(lm_poll(ctx));
        nearest[i] = fmin(nearest[i], lm_l2_distance(v->width, v->values + i * v->width, centre));
    }
    return LM_OK;
}

/* The first of the rows that are nearest or farthest. */
static size_t
extreme(size_t rows, const double *nearest, double sign)
{
    size_t best = 0;

    for (size_t i = 1; i < rows; i++)
        if (sign * nearest[i] > sign * nearest[best])
            best = i;
    return best;
}

static lm_status
spread(lm_context *ctx, const lm_vector_rows *v, size_t count, const float *mean, double *nearest,
       size_t *chosen, double *distances)
{
    for (size_t i = 0; i < v->rows; i++)
        nearest[i] = INFINITY;
    LM_TRY(approach(ctx, v, mean, nearest));
    for (size_t k = 0; k < count; k++) {
        chosen[k] = extreme(v->rows, nearest, k == 0 ? -1 : 1);
        distances[k] = nearest[chosen[k]];
        for (size_t i = 0; k == 0 && i < v->rows; i++)
            nearest[i] = INFINITY;
        LM_TRY(approach(ctx, v, v->values + chosen[k] * v->width, nearest));
        nearest[chosen[k]] = -1; /* not once more, also where rows are the same */
    }
    return LM_OK;
}

lm_status
lm_spread(lm_context *ctx, const lm_vector_rows *vectors, size_t count, size_t *chosen,
          double *distances)
{
    double *sum = lm_alloc_array(ctx, vectors->width, sizeof(double));
    float *mean = lm_alloc_array(ctx, vectors->width, sizeof(float));
    double *nearest = lm_alloc_array(ctx, vectors->rows, sizeof(double));
    lm_status status = LM_NO_MEMORY;

    if (sum && mean && nearest)
        status = find_mean(ctx, vectors, sum, mean);
    if (status == LM_OK)
        status = spread(ctx, vectors, count, mean, nearest, chosen, distances);
    lm_free(ctx, nearest);
    lm_free(ctx, mean);
    lm_free(ctx, sum);
    return status;
}
