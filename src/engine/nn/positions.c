/*
 * positions.c - tables of what tokens learn from their positions in attention: angles of rotary
 * positions, biases of relative ones. Made once a batch, up to its longest text.
 */
#include <math.h>

#include "nn/nn.h"

/* Positions between two polls, of some hundred angles each. */
#define POSITIONS_PER_POLL 512

/*
 * Frequency and angle are rounded to float, as the reference has them: at large positions the angle
 * of another rounding differs by more than the model's precision.
 */
lm_status
lm_nn_rope_table(lm_context *ctx, double theta, float slower, size_t turned, size_t positions,
                 float *cosines, float *sines)
{
    size_t half = turned / 2;

    for (size_t j = 0; j < half; j++)
        cosines[j] = 1 / (float)pow(theta, (double)(2 * (float)j / (float)turned)) / slower;
    for (size_t p = positions; p-- > 0;) { /* row 0 holds the frequencies until its turn */
        if (p % POSITIONS_PER_POLL == 0)
            LM_TRY(lm_poll(ctx));
        for (size_t j = 0; j < half; j++) {
            float angle = (float)p * cosines[j];

            sines[p * half + j] = (float)sin((double)angle);
            cosines[p * half + j] = (float)cos((double)angle);
        }
    }
    return LM_OK;
}

lm_status
lm_nn_exact_rope_table(lm_context *ctx, double theta, size_t turned, size_t positions,
                       float *cosines, float *sines)
{
    size_t half = turned / 2;

    for (size_t j = 0; j < half; j++) {
        double step = 1 / pow(theta, 2 * (double)j / (double)turned);

        for (size_t p = 0; p < positions; p++) {
            if (p % (64 * POSITIONS_PER_POLL) == 0)
                LM_TRY(lm_poll(ctx));
            cosines[p * half + j] = (float)cos((double)p * step);
            sines[p * half + j] = (float)sin((double)p * step);
        }
    }
    return LM_OK;
}

/* The bucket of a distance from 0 up, among `count`. */
static size_t
bucket_of(size_t distance, size_t count, size_t farthest)
{
    size_t exact = count / 2, bucket;

    if (distance < exact)
        return distance;
    bucket =
        exact + (size_t)(logf((float)distance / (float)exact) /
                         (float)log((double)farthest / (double)exact) * (float)(count - exact));
    return bucket < count ? bucket : count - 1;
}

void
lm_nn_bucket_bias(const lm_nn_buckets *args, size_t positions, float *bias)
{
    size_t half = args->count / 2, distances = 2 * positions - 1;

    for (size_t i = 0; i < distances; i++) {
        bool behind = i >= positions; /* the key is, of the query */
        size_t distance = behind ? i + 1 - positions : positions - 1 - i;
        size_t bucket = bucket_of(distance, half, args->farthest) + (behind ? half : 0);

        for (size_t h = 0; h < args->heads; h++)
            bias[h * distances + i] = args->table[bucket * args->heads + h];
    }
}

/*
 * Of 2^n heads, head h has 2^(−8 (h + 1) / 2^n). Of another number, those below 2^n have these, and
 * the others each second one of 2^(n + 1) heads.
 */
static double
slope_of(size_t head, size_t heads)
{
    size_t below = 1;

    while (2 * below <= heads)
        below *= 2;
    return head < below ? exp2(-8 * (double)(head + 1) / (double)below)
                        : exp2(-8 * (double)(2 * (head - below) + 1) / (double)(2 * below));
}

void
lm_nn_linear_bias(size_t heads, size_t positions, float *bias)
{
    size_t distances = 2 * positions - 1;

    for (size_t h = 0; h < heads; h++) {
        double slope = slope_of(h, heads);

        for (size_t i = 0; i < distances; i++) {
            size_t distance = i >= positions ? i + 1 - positions : positions - 1 - i;

            bias[h * distances + i] = (float)(-slope * (double)distance);
        }
    }
}
