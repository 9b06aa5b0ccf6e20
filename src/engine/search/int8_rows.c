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

/* Codes of rotated numbers; returns their product with the numbers. */
static double
quantise(size_t padded, const float *rotated, int8_t *codes)
{
    float greatest = 0, per_step;
    double product = 0;

    for (size_t i = 0; i < padded; i++)
        greatest = fmaxf(greatest, fabsf(rotated[i]));
    per_step = greatest > 0 ? GREATEST_CODE / greatest : 0;
    for (size_t i = 0; i < padded; i++) {
        codes[i] = (int8_t)lrintf(fminf(fmaxf(rotated[i] * per_step, -127), 127));
        product += (double)codes[i] * rotated[i];
    }
    return product;
}

/* What rows are relative to. */
static float
origin_of(const lm_space *space, size_t i)
{
    return space->metric == LM_METRIC_L2 ? space->origin[i] : 0;
}

void
lm_int8_row_encode(const lm_space *space, const float *x, void *row)
{
    float head[2];
    double square = 0, product;

    for (size_t i = 0; i < space->width; i++) {
        space->work[i] = x[i] - origin_of(space, i);
        square += (double)space->work[i] * space->work[i];
    }
    lm_space_rotate(space, space->work, space->spare);
    product = quantise(space->padded, space->spare, (int8_t *)row + lm_int8_row_head(space));
    head[0] = product > 0 ? (float)(square / product) : 0;
    head[1] = (float)square;
    memcpy(row, head, lm_int8_row_head(space));
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
        x[i] += origin_of(space, i);
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
