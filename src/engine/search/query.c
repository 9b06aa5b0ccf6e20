/*
 * query.c - a query made ready for codes and int8 rows; the contract is in query.h.
 */
#include "search/query.h"

#include <math.h>

#include "base/size.h"
#include "kernels/kernels.h"

/* As many as a kernel's 32-bit sums of products with int8 allow. */
#define GREATEST_NUMBER 16383
#define GROUP ((size_t)4)
#define ENTRIES ((size_t)16)
/* Compilers use vectors for loops of so many. */
#define LANES ((size_t)16)
/* Added and taken off again it rounds a float to a whole number. */
static const float rounder = 12582912.0f;

lm_status
lm_query_create(lm_context *ctx, const lm_space *space, lm_query **query)
{
    const size_t padded = space->padded;
    size_t size = lm_align_up(sizeof(lm_query)), vector, rotated, tables, numbers;
    char *base;
    void *memory;

    vector = lm_lay_bytes(&size, space->width * sizeof(float));
    rotated = lm_lay_bytes(&size, padded * sizeof(float));
    tables = lm_lay_bytes(&size, padded / GROUP * ENTRIES);
    numbers = lm_lay_bytes(&size, padded * sizeof(int16_t));
    memory = lm_alloc_zero(ctx, size + LM_ALIGNMENT);
    if (memory == NULL)
        return LM_NO_MEMORY;
    base = (char *)lm_align_up((uintptr_t)memory);
    *query = (lm_query *)base;
    (*query)->memory = memory;
    (*query)->space = space;
    (*query)->vector = (float *)(base + vector);
    (*query)->rotated = (float *)(base + rotated);
    (*query)->tables = (uint8_t *)(base + tables);
    (*query)->numbers = (int16_t *)(base + numbers);
    return LM_OK;
}

void
lm_query_free(lm_context *ctx, lm_query *query)
{
    if (query != NULL)
        lm_free(ctx, query->memory);
}

/* ---- Tables ---- */

/* Twice the sum of a group's absolute numbers: from the smallest entry of its table to the largest.
 */
static float
group_range(const float *v)
{
    return 2 * ((fabsf(v[0]) + fabsf(v[1])) + (fabsf(v[2]) + fabsf(v[3])));
}

/* Entry i: what the numbers with the signs of i add above the smallest entry, in steps. Each is at
 * most 255 and not negative up to rounding. */
static void
fill_table(const float *v, float per_step, uint8_t *table)
{
    float sums[ENTRIES];

    sums[0] = .5f; /* rounds */
    for (size_t j = 0; j < GROUP; j++)
        sums[0] += v[j] < 0 ? -2 * v[j] * per_step : 0;
    for (size_t j = 0; j < GROUP; j++) {
        const float add = 2 * v[j] * per_step;

        for (size_t i = 0; i < (size_t)1 << j; i++)
            sums[i + ((size_t)1 << j)] = sums[i] + add;
    }
    for (size_t i = 0; i < ENTRIES; i++) {
        const float above = sums[i] > 0 ? sums[i] : 0;

        table[i] = (uint8_t)(int)(above < 255 ? above : 255);
    }
}

static void
make_tables(lm_query *query)
{
    const size_t groups = query->space->padded / GROUP;
    float greatest = 0;
    double least = 0;

    for (size_t g = 0; g < groups; g++) {
        const float range = group_range(query->rotated + g * GROUP);

        greatest = fmaxf(greatest, range);
        least -= range / 2;
    }
    query->scale = greatest / 255;
    query->offset = (float)least;
    for (size_t g = 0; g < groups; g++)
        fill_table(query->rotated + g * GROUP, query->scale > 0 ? 1 / query->scale : 0,
                   query->tables + g * ENTRIES);
}

/* ---- Numbers ---- */

static float
greatest_of(size_t count, const float *x)
{
    float lanes[16] = {0}, greatest = 0;

    for (size_t i = 0; i < count; i += LANES)
        for (size_t j = 0; j < LANES; j++) {
            const float size = fabsf(x[i + j]);

            lanes[j] = size > lanes[j] ? size : lanes[j];
        }
    for (size_t j = 0; j < LANES; j++)
        greatest = lanes[j] > greatest ? lanes[j] : greatest;
    return greatest;
}

static void
make_numbers(lm_query *query, const float *x)
{
    const size_t padded = query->space->padded;
    float per_step;

    query->step = greatest_of(padded, x) / GREATEST_NUMBER;
    per_step = query->step > 0 ? 1 / query->step : 0;
    for (size_t i = 0; i < padded; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            query->numbers[i + j] = (int16_t)(x[i + j] * per_step + rounder - rounder);
}

/* The rotated query itself, from its difference to the origin, which is not needed after this. */
static const float *
number_source(lm_query *query)
{
    const lm_space *space = query->space;

    if (space->metric == LM_METRIC_L2)
        return query->rotated;
    for (size_t i = 0; i < space->padded; i++)
        space->work[i] = query->rotated[i] + space->rotated_origin[i];
    return space->work;
}

static float
constant_of(const lm_query *query)
{
    switch (query->space->metric) {
    case LM_METRIC_L2:
        return lm_query_base(query, NULL);
    case LM_METRIC_COSINE:
        return 1;
    default:
        return 0;
    }
}

lm_status
lm_query_set(lm_context *ctx, lm_query *query, const float *x)
{
    const lm_space *space = query->space;

    LM_TRY(lm_space_prepare(ctx, space->metric, space->width, x, query->vector, &query->zero));
    for (size_t i = 0; i < space->width; i++)
        space->work[i] = query->vector[i] - space->origin[i];
    lm_space_rotate(space, space->work, query->rotated);
    make_tables(query);
    make_numbers(query, number_source(query));
    query->constant = constant_of(query);
    return LM_OK;
}

/* ---- Distances ---- */

float
lm_query_exact(const lm_query *query, const float *x)
{
    const lm_kernels *kernels = lm_kernels_active();
    const size_t width = query->space->width;

    switch (query->space->metric) {
    case LM_METRIC_L2:
        return kernels->l2_squared_f32(width, query->vector, x);
    case LM_METRIC_COSINE:
        return 1 - kernels->dot_f32(width, query->vector, x);
    default:
        return -kernels->dot_f32(width, query->vector, x);
    }
}

float
lm_query_base(const lm_query *query, const float *centroid)
{
    return lm_query_exact(query, centroid != NULL ? centroid : query->space->origin);
}
