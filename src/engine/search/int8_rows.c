/*
 * int8_rows.c - vectors as int8 with a scale; the contract is in int8_rows.h.
 */
#include "search/int8_rows.h"

#include <math.h>
#include <string.h>

#include "kernels/kernels.h"

#define GREATEST_CODE 127

size_t
lm_int8_row_head(const lm_space *space)
{
    return space->metric == LM_METRIC_L2 ? 2 * sizeof(float) : sizeof(float);
}

size_t
lm_int8_row_bytes(const lm_space *space)
{
    return lm_int8_row_head(space) + space->padded;
}

/* Numbers of a pass, and sums in lanes: compilers use vectors, and the order is one. */
#define PASS ((size_t)64)
#define LANES ((size_t)8)

/* What rows are relative to, rotated. */
static const float *
origin_of(const lm_space *space, size_t first)
{
    static const float zeros[PASS];

    return space->metric == LM_METRIC_L2 ? space->rotated_origin + first : zeros;
}

static float
greatest_of(const lm_space *space, const float *rotated)
{
    float lanes[8] = {0}, greatest = 0;

    for (size_t i = 0; i < space->padded; i += PASS) {
        const float *origin = origin_of(space, i);

        for (size_t j = 0; j < PASS; j += LANES)
            for (size_t l = 0; l < LANES; l++) {
                const float x = fabsf(rotated[i + j + l] - origin[j + l]);

                lanes[l] = x > lanes[l] ? x : lanes[l];
            }
    }
    for (size_t l = 0; l < LANES; l++)
        greatest = lanes[l] > greatest ? lanes[l] : greatest;
    return greatest;
}

/* Adding 3 · 2^22 leaves a number, rounded, in the last bits of a float. */
static const float rounder = 12582912.0f;

typedef struct sums {
    double square, product; /* of the numbers with themselves, and with their codes */
} sums;

static void
quantise(const float *rotated, const float *origin, float per_step, int8_t *codes, sums *s)
{
    float square[8] = {0}, product[8] = {0};

    for (size_t i = 0; i < PASS; i += LANES)
        for (size_t l = 0; l < LANES; l++) {
            const float x = rotated[i + l] - origin[i + l];
            const float code = x * per_step + rounder - rounder;

            codes[i + l] = (int8_t)code;
            square[l] += x * x;
            product[l] += x * code;
        }
    for (size_t l = 0; l < LANES; l++) {
        s->square += square[l];
        s->product += product[l];
    }
}

void
lm_int8_row_encode_rotated(const lm_space *space, const float *rotated, void *row)
{
    const float greatest = greatest_of(space, rotated);
    const float per_step = greatest > 0 ? GREATEST_CODE / greatest : 0;
    int8_t *codes = (int8_t *)row + lm_int8_row_head(space);
    sums s = {0, 0};
    float head[2];

    for (size_t i = 0; i < space->padded; i += PASS)
        quantise(rotated + i, origin_of(space, i), isfinite(per_step) ? per_step : 0, codes + i,
                 &s);
    head[0] = s.product > 0 ? (float)(s.square / s.product) : 0;
    head[1] = (float)s.square;
    memcpy(row, head, lm_int8_row_head(space));
}

void
lm_int8_row_encode(const lm_space *space, const float *x, void *row)
{
    lm_space_rotate(space, x, space->spare);
    lm_int8_row_encode_rotated(space, space->spare, row);
}

void
lm_int8_row_decode(const lm_space *space, const void *row, float *x)
{
    const int8_t *codes = (const int8_t *)row + lm_int8_row_head(space);
    float scale;

    memcpy(&scale, row, sizeof scale);
    for (size_t i = 0; i < space->padded; i++)
        space->spare[i] = scale * (float)codes[i];
    lm_space_rotate_back(space, space->spare, x);
    for (size_t i = 0; i < space->width; i++)
        x[i] += space->metric == LM_METRIC_L2 ? space->origin[i] : 0;
}

int64_t
lm_int8_part_product(const lm_query *query, size_t first, size_t count, const int8_t *codes)
{
    return lm_kernels_active()->dot_s16_s8(count, query->numbers + first, codes);
}

float
lm_int8_finish(const lm_query *query, const void *head, int64_t product)
{
    float parts[2];

    memcpy(parts, head, lm_int8_row_head(query->space));
    parts[0] *= query->step * (float)product;
    if (query->space->metric == LM_METRIC_L2)
        return query->constant + parts[1] - 2 * parts[0];
    return query->constant - parts[0];
}

float
lm_int8_row_distance(const lm_query *query, const void *row)
{
    const size_t head = lm_int8_row_head(query->space);

    return lm_int8_finish(
        query, row,
        lm_int8_part_product(query, 0, query->space->padded, (const int8_t *)row + head));
}

void
lm_int8_rows_scan(const lm_query *query, const void *rows, size_t stride, size_t count,
                  float *distances)
{
    for (size_t i = 0; i < count; i++)
        distances[i] = lm_int8_row_distance(query, (const char *)rows + i * stride);
}
