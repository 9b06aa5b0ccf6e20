/*
 * word_pooling.c - poolings of words' vectors, as sentence-transformers' Pooling computes them
 * behind WordEmbeddings and WordWeights: a vector counts times its word's weight, and means divide
 * by the sum of the weights, also that which counts places.
 */
#include "task/word_pooling.h"

#include <math.h>
#include <string.h>

/* Words between two polls. */
#define WORDS_PER_POLL 4096

/* The least that a sum is divided by. */
#define LEAST_TOTAL 1e-9f

static float
weight_of(const lm_vectors *vectors, int32_t id)
{
    return vectors->weights ? vectors->weights[id] : 1;
}

static void
add_row(float *out, const float *row, size_t width, float weight)
{
    for (size_t i = 0; i < width; i++)
        out[i] += weight * row[i];
}

static void
keep_greatest(float *out, const float *row, size_t width, float weight)
{
    for (size_t i = 0; i < width; i++)
        out[i] = weight * row[i] > out[i] ? weight * row[i] : out[i];
}

static void
keep_last(float *out, const float *row, size_t width, float weight)
{
    for (size_t i = 0; i < width; i++)
        out[i] = weight * row[i];
}

/* What a sum is divided by. */
static float
divide_by_total(float total)
{
    return total > LEAST_TOTAL ? total : LEAST_TOTAL;
}

static float
divide_by_root(float total)
{
    return sqrtf(divide_by_total(total));
}

static const struct {
    void (*take)(float *out, const float *row, size_t width, float weight);
    float (*divisor)(float total); /* NULL: nothing is added up */
    bool places;                   /* words count by their place, from 1 */
} poolings[LM_POOL_COUNT] = {
    [LM_POOL_MEAN] = {add_row, divide_by_total, false},
    [LM_POOL_MEAN_SQRT] = {add_row, divide_by_root, false},
    [LM_POOL_WEIGHTED_MEAN] = {add_row, divide_by_total, true},
    [LM_POOL_MAX] = {keep_greatest, NULL, false},
    [LM_POOL_LAST] = {keep_last, NULL, false},
};

/* Where words have weights these alone are added up, whether places count or not. */
static lm_status
pool(const lm_static_run *run, lm_pooling pooling, size_t count, float *out)
{
    const lm_vectors *vectors = run->vectors;
    const int32_t *ids = run->session->encoding.ids;
    const size_t width = (size_t)vectors->width;
    const bool places = poolings[pooling].places;
    const float from = poolings[pooling].divisor ? 0 : -INFINITY;
    float total = 0;

    for (size_t i = 0; i < width; i++)
        out[i] = from;
    for (size_t i = 0; i < count; i++) {
        const float weight = weight_of(vectors, ids[i]), place = places ? (float)(i + 1) : 1;

        if (i % WORDS_PER_POLL == 0)
            LM_TRY(lm_poll(run->ctx));
        total += vectors->weights ? weight : place;
        poolings[pooling].take(out, vectors->table + (size_t)ids[i] * width, width, weight * place);
    }
    for (size_t i = 0; poolings[pooling].divisor && i < width; i++)
        out[i] /= poolings[pooling].divisor(total);
    return LM_OK;
}

lm_status
lm_word_pool(const lm_static_run *run, size_t count, float *out)
{
    for (size_t i = 0; i < run->steps->pooling_count; i++)
        LM_TRY(pool(run, run->steps->poolings[i], count, out + i * (size_t)run->vectors->width));
    return LM_OK;
}

lm_status
lm_word_count(const lm_static_run *run, size_t count, float *out)
{
    const int32_t *ids = run->session->encoding.ids;
    const bool once = run->vectors->bag == LM_BAG_ONCE;

    memset(out, 0, (size_t)run->vectors->rows * sizeof *out);
    for (size_t i = 0; i < count; i++) {
        if (i % WORDS_PER_POLL == 0)
            LM_TRY(lm_poll(run->ctx));
        out[ids[i]] = (once ? 0 : out[ids[i]]) + run->vectors->table[ids[i]];
    }
    return LM_OK;
}
