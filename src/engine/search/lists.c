/*
 * lists.c - inverted lists by their centroids; the contract is in lists.h.
 */
#include "search/lists.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "search/int8_rows.h"
#include "search/top.h"

/* Centroids between two polls, in numbers. */
#define POLL_NUMBERS ((size_t)1 << 20)

static lm_status
check_count(lm_context *ctx, size_t count)
{
    if (count >= 1 && count <= LM_LISTS_MOST)
        return LM_OK;
    lm_raise(ctx, LM_BAD_ARGUMENT, "so many lists cannot be");
    lm_detail_found(ctx, "%zu lists", count);
    return lm_detail_allowed(ctx, "1 to %zu", LM_LISTS_MOST);
}

/* With places for halves and rows. */
static lm_status
allocate(lm_context *ctx, const lm_space *space, size_t count, lm_lists **lists)
{
    const size_t stride = lm_align_up(lm_int8_row_bytes(space));
    size_t size = lm_align_up(sizeof(lm_lists)), halves, rows;
    char *base;
    void *memory;

    halves = lm_lay_bytes(&size, count * sizeof(float));
    rows = lm_lay_bytes(&size, count * stride);
    memory = lm_alloc_zero(ctx, size + LM_ALIGNMENT);
    if (memory == NULL)
        return LM_NO_MEMORY;
    base = (char *)lm_align_up((uintptr_t)memory);
    *lists = (lm_lists *)base;
    **lists = (lm_lists){.space = space,
                         .count = count,
                         .halves = (float *)(base + halves),
                         .stride = stride,
                         .rows = (uint8_t *)base + rows,
                         .memory = memory};
    return LM_OK;
}

/* A centroid as a row; the metric of its length is L2's for all. */
static lm_status
take_centroid(lm_context *ctx, lm_lists *lists, size_t i, const float *centroid)
{
    const lm_space *space = lists->space;
    double square = 0;

    LM_TRY(lm_space_prepare(ctx, LM_METRIC_L2, space->width, centroid, space->work, NULL));
    for (size_t j = 0; j < space->width; j++)
        square += (double)centroid[j] * centroid[j];
    lists->halves[i] = (float)(square / 2);
    lm_int8_row_encode(space, centroid, lists->rows + i * lists->stride);
    return LM_OK;
}

static lm_status
fill(lm_context *ctx, lm_lists *lists, const float *centroids)
{
    const size_t width = lists->space->width;

    for (size_t i = 0; i < lists->count; i++) {
        if (i % (POLL_NUMBERS / width + 1) == 0)
            LM_TRY(lm_poll(ctx));
        LM_TRY(take_centroid(ctx, lists, i, centroids + i * width));
    }
    LM_TRY(lm_nearest_open(ctx, width, lists->count, lists->space->origin, &lists->nearest));
    return lm_nearest_set(ctx, &lists->nearest, centroids);
}

lm_status
lm_lists_create(lm_context *ctx, const lm_space *space, size_t count, const float *centroids,
                lm_lists **lists)
{
    lm_status status;

    *lists = NULL;
    LM_TRY(check_count(ctx, count));
    LM_TRY(allocate(ctx, space, count, lists));
    status = fill(ctx, *lists, centroids);
    if (status != LM_OK) {
        lm_lists_free(ctx, *lists);
        *lists = NULL;
    }
    return status;
}

void
lm_lists_free(lm_context *ctx, lm_lists *lists)
{
    if (lists == NULL)
        return;
    lm_nearest_close(ctx, &lists->nearest);
    lm_free(ctx, lists->memory);
}

lm_status
lm_lists_assign(lm_context *ctx, lm_lists *lists, const float *x, size_t rows, uint32_t *list)
{
    return lm_nearest_find(ctx, &lists->nearest, x, rows, list);
}

/* Half the squared Euclidean distance, up to what does not depend on the centroid. */
static float
half_distance(const lm_lists *lists, const lm_query *query, size_t i)
{
    const float distance = lm_int8_row_distance(query, lists->rows + i * lists->stride);

    return lists->space->metric == LM_METRIC_L2 ? distance : distance + lists->halves[i];
}

uint32_t
lm_lists_assign_one(const lm_lists *lists, const lm_query *row)
{
    float best = INFINITY;
    uint32_t list = 0;

    for (size_t i = 0; i < lists->count; i++) {
        const float distance = half_distance(lists, row, i);

        if (distance < best) {
            best = distance;
            list = (uint32_t)i;
        }
    }
    return list;
}

static lm_status
offer_all(lm_context *ctx, const lm_lists *lists, const lm_query *query, lm_top *top)
{
    const size_t every = POLL_NUMBERS / lists->space->width + 1;

    for (size_t i = 0; i < lists->count; i++) {
        if (i % every == 0)
            LM_TRY(lm_poll(ctx));
        lm_top_offer(top, lm_int8_row_distance(query, lists->rows + i * lists->stride), i);
    }
    return LM_OK;
}

lm_status
lm_lists_nearest(lm_context *ctx, const lm_lists *lists, const lm_query *query, size_t wanted,
                 uint32_t *nearest, float *bases, size_t *found)
{
    lm_top top;
    lm_status status;

    *found = 0;
    if (wanted == 0)
        return LM_OK;
    LM_TRY(lm_top_init(ctx, &top, wanted < lists->count ? wanted : lists->count));
    status = offer_all(ctx, lists, query, &top);
    if (status == LM_OK) {
        lm_top_sort(&top);
        *found = top.count;
        for (size_t i = 0; i < top.count; i++) {
            nearest[i] = (uint32_t)top.entries[i].item;
            bases[i] = top.entries[i].distance;
        }
    }
    lm_top_free(ctx, &top);
    return status;
}
