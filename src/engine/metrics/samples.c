/*
 * samples.c - a growing array of pairs. Results sort it where it stands: the order in which rows
 * came means nothing, and the one of a sort is the same whatever it was.
 */
#include "metrics/samples.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "base/sort.h"

#define FIRST_ROOM 4              /* a group of an aggregate may be small */
#define COPIED ((size_t)16 << 20) /* bytes between two polls */

lm_status
lm_samples_create(lm_context *ctx, void **counts)
{
    lm_samples *samples = lm_alloc_zero(ctx, sizeof *samples);

    *counts = samples;
    if (!samples)
        return LM_NO_MEMORY;
    samples->ctx = ctx;
    return LM_OK;
}

void
lm_samples_free(void *counts)
{
    lm_samples *samples = counts;

    if (!samples)
        return;
    lm_free(samples->ctx, samples->items);
    lm_free(samples->ctx, samples);
}

static size_t
larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static lm_status
reserve(lm_samples *samples, size_t more)
{
    size_t room, bytes;
    lm_sample *items;

    if (more <= samples->room - samples->count)
        return LM_OK;
    /* Both counts are of items in memory: their sum is small. */
    room = larger(samples->count + more, larger(2 * samples->room, FIRST_ROOM));
    if (lm_mul_overflows(room, sizeof *items, &bytes) ||
        !(items = lm_realloc(samples->ctx, samples->items, bytes)))
        return LM_NO_MEMORY;
    samples->items = items;
    samples->room = room;
    return LM_OK;
}

lm_status
lm_samples_add(lm_samples *samples, double value, double score)
{
    if (samples->count == samples->room)
        LM_TRY(reserve(samples, 1));
    samples->items[samples->count++] = (lm_sample){value, score};
    return LM_OK;
}

/* A large copy takes long, since the system clears the pages that it goes to. */
lm_status
lm_metric_copy(lm_context *ctx, void *to, const void *from, size_t size)
{
    for (size_t at = 0; at < size; at += COPIED) {
        size_t left = size - at;

        memcpy((char *)to + at, (const char *)from + at, left < COPIED ? left : COPIED);
        LM_TRY(lm_poll(ctx));
    }
    return LM_OK;
}

/* Nothing here is a label. */
lm_status
lm_samples_merge(void *into, const void *from, const lm_label_map *map)
{
    lm_samples *all = into;
    const lm_samples *more = from;

    if (more->count == 0)
        return LM_OK;
    LM_TRY(reserve(all, more->count));
    LM_TRY(lm_metric_copy(all->ctx, all->items + all->count, more->items,
                          more->count * sizeof *more->items));
    all->count += more->count;
    return LM_OK;
}

lm_status
lm_metric_append(lm_buffer *out, const void *bytes, size_t size)
{
    LM_TRY(lm_buffer_reserve(out, size));
    if (size == 0)
        return LM_OK;
    LM_TRY(lm_metric_copy(out->ctx, out->data + out->size, bytes, size));
    out->size += size;
    return LM_OK;
}

lm_status
lm_samples_write(void *counts, lm_buffer *out)
{
    const lm_samples *samples = counts;

    return lm_metric_append(out, samples->items, samples->count * sizeof *samples->items);
}

lm_status
lm_samples_read(void *counts, const char *bytes, size_t size)
{
    lm_samples *samples = counts;

    if (size % sizeof *samples->items != 0)
        return lm_raise(samples->ctx, LM_CORRUPT, "the rows of a measure are not whole");
    if (size == 0)
        return LM_OK;
    LM_TRY(reserve(samples, size / sizeof *samples->items));
    LM_TRY(lm_metric_copy(samples->ctx, samples->items, bytes, size));
    samples->count = size / sizeof *samples->items;
    return LM_OK;
}

static int
compare_samples(const void *a, const void *b)
{
    const lm_sample *x = a, *y = b;
    int order = (x->score > y->score) - (x->score < y->score);

    return order ? order : (x->value > y->value) - (x->value < y->value);
}

lm_status
lm_samples_sort(lm_context *ctx, lm_sample *items, size_t count)
{
    return lm_sort(ctx, items, count, sizeof *items, compare_samples);
}

lm_status
lm_samples_tie(lm_context *ctx, const lm_sample *items, size_t to, size_t *from)
{
    *from = to - 1;
    while (*from > 0 && items[*from - 1].score == items[to - 1].score) {
        (*from)--;
        if (*from % LM_METRIC_POLL == 0)
            LM_TRY(lm_poll(ctx));
    }
    return to % LM_METRIC_POLL == 0 ? lm_poll(ctx) : LM_OK;
}

lm_status
lm_samples_copy(const lm_samples *samples, lm_sample **copy)
{
    lm_status status;

    *copy = lm_alloc_array(samples->ctx, samples->count + 1, sizeof **copy);
    if (!*copy)
        return LM_NO_MEMORY;
    status = lm_metric_copy(samples->ctx, *copy, samples->items, samples->count * sizeof **copy);
    if (status != LM_OK) {
        lm_free(samples->ctx, *copy);
        *copy = NULL;
    }
    return status;
}

lm_status
lm_metric_refuse_nan(lm_context *ctx, const char *name, double number)
{
    if (!isnan(number))
        return LM_OK;
    return lm_raise(ctx, LM_BAD_ARGUMENT, "%s must be a number", name);
}

lm_status
lm_metric_check_share(lm_context *ctx, const char *name, double number)
{
    if (number >= 0 && number <= 1)
        return LM_OK;
    lm_raise(ctx, LM_BAD_ARGUMENT, "%s must be between 0 and 1", name);
    return lm_detail_found(ctx, "%g", number);
}
