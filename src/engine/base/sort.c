/*
 * sort.c - short runs by qsort, then merged in pairs until one is left, with polls between.
 */
#include "base/sort.h"

#include <stdlib.h>
#include <string.h>

/* Elements of a first run, and merged between two polls: about a millisecond at worst. */
#define RUN ((size_t)1024)

/* What the passes share. */
typedef struct sorter {
    lm_context *ctx;
    size_t count, size;
    int (*compare)(const void *, const void *);
} sorter;

/* Sort every run of the array by itself. */
static lm_status
sort_runs(const sorter *s, char *items)
{
    for (size_t at = 0; at < s->count; at += RUN) {
        size_t left = s->count - at;

        LM_TRY(lm_poll(s->ctx));
        qsort(items + at * s->size, left < RUN ? left : RUN, s->size, s->compare);
    }
    return LM_OK;
}

/* Merge from[low, middle) and from[middle, high) into the same places of `to`. */
static lm_status
merge(const sorter *s, const char *from, size_t low, size_t middle, size_t high, char *to)
{
    size_t left = low, right = middle;

    for (size_t at = low; at < high; at++) {
        bool take_left =
            right == high ||
            (left < middle && s->compare(from + left * s->size, from + right * s->size) <= 0);

        if (at % RUN == 0)
            LM_TRY(lm_poll(s->ctx));
        memcpy(to + at * s->size, from + (take_left ? left++ : right++) * s->size, s->size);
    }
    return LM_OK;
}

/* One pass of merges over runs of `run` elements. */
static lm_status
merge_runs(const sorter *s, const char *from, size_t run, char *to)
{
    for (size_t low = 0; low < s->count;) {
        size_t middle = s->count - low > run ? low + run : s->count;
        size_t high = s->count - middle > run ? middle + run : s->count;

        LM_TRY(merge(s, from, low, middle, high, to));
        low = high;
    }
    return LM_OK;
}

/* The passes write to and fro between the two arrays; the result goes back to the caller's. */
lm_status
lm_sort(lm_context *ctx, void *items, size_t count, size_t size,
        int (*compare)(const void *, const void *))
{
    const sorter s = {ctx, count, size, compare};
    char *from = items, *other, *to;
    lm_status status;

    if (count < 2)
        return LM_OK;
    LM_TRY(sort_runs(&s, items));
    if (count <= RUN)
        return LM_OK;
    to = other = lm_alloc_array(ctx, count, size);
    if (!other)
        return LM_NO_MEMORY;
    status = LM_OK;
    for (size_t run = RUN; run < count && status == LM_OK; run *= 2) {
        char *swap = from;

        status = merge_runs(&s, from, run, to);
        from = to;
        to = swap;
    }
    if (status == LM_OK && from != items)
        memcpy(items, from, count * size);
    lm_free(ctx, other);
    return status;
}
