/*
 * places.c - disentangled attention (He et al. 2021): a distance of two tokens has a query and a
 * key of its own, made by the same matrices as those of tokens. What it adds to scores is a bias of
 * the attention kernel.
 */
#include <math.h>
#include <string.h>

#include "nn/nn.h"

/* Positions between two polls, each of a row of the table. */
#define ROWS_PER_POLL 4096

/*
 * The bucket of a distance from 0 up: itself up to half of them, then by the logarithm. Rounded as
 * the reference has it, in float: ceil makes a bucket of the last bit.
 */
static size_t
bucket_of(const lm_nn_places *places, size_t distance)
{
    size_t half = places->span / 2;
    float far;

    if (places->farthest == 0 || distance <= half)
        return distance;
    far = (float)log((double)((float)distance / (float)half)) /
          (float)log((double)(float)((double)(places->farthest - 1) / (double)half));
    return (size_t)ceilf(far * (float)(half - 1)) + half;
}

/* A row of the table (2 span): those of queries behind their keys are the second half. */
static int32_t
row_of(const lm_nn_places *places, size_t query, size_t key)
{
    bool behind = query >= key;
    size_t bucket = bucket_of(places, behind ? query - key : key - query);
    size_t most = behind ? places->span - 1 : places->span;

    bucket = bucket < most ? bucket : most;
    return (int32_t)(behind ? places->span + bucket : places->span - bucket);
}

size_t
lm_nn_places_rows(const lm_nn_places *places, size_t positions)
{
    return (size_t)(row_of(places, positions - 1, 0) - row_of(places, 0, positions - 1)) + 1;
}

lm_status
lm_nn_places_fill(lm_context *ctx, const lm_nn_places *places, size_t positions, size_t width,
                  int32_t *index, float *rows)
{
    int32_t first = row_of(places, 0, positions - 1);

    for (size_t i = 0; i < positions; i++) {
        if (i % ROWS_PER_POLL == 0)
            LM_TRY(lm_poll(ctx));
        index[positions - 1 + i] = row_of(places, i, 0) - first;
        index[positions - 1 - i] = row_of(places, 0, i) - first;
    }
    memcpy(rows, places->table + (size_t)first * width,
           lm_nn_places_rows(places, positions) * width * sizeof *rows);
    return LM_OK;
}

/* What the distance of a query and a key adds to the score of one head. */
static float
score_of(const lm_kernels *kernels, const lm_nn_disentangled *args, size_t width,
         const float *query, const float *key, const float *row)
{
    float score = 0;

    if (args->content_to_place)
        score += kernels->dot_f32(width, query, row + args->key_column);
    if (args->place_to_content)
        score += kernels->dot_f32(width, key, row);
    return score;
}

void
lm_nn_disentangle(const lm_kernels *kernels, const lm_nn_disentangled *args, size_t head,
                  lm_attention *call)
{
    size_t width = call->head_dim;
    const float *rows = args->rows + head * width;

    for (size_t i = 0; i < call->queries; i++) {
        const int32_t *index = args->index + args->positions - 1 + call->first_query + i;
        float *bias = args->bias + i * call->keys;

        for (size_t j = 0; j < call->keys; j++)
            bias[j] = call->scale * score_of(kernels, args, width, call->q + i * call->ldq,
                                             call->k + j * call->ldkv,
                                             rows + (size_t) * (index - j) * args->ld);
    }
    call->bias = args->bias;
    call->bias_head = 0;
    call->bias_ld = (ptrdiff_t)call->keys;
}
