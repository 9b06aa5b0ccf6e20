/*
 * top.c - the k smallest of many; the contract is in top.h.
 */
#include "search/top.h"

#include <math.h>
#include <stdlib.h>

lm_status
lm_top_init(lm_context *ctx, lm_top *top, size_t capacity)
{
    *top = (lm_top){.capacity = capacity, .bound = INFINITY};
    top->entries = lm_alloc_array(ctx, capacity, sizeof *top->entries);
    return top->entries != NULL ? LM_OK : ctx->error.status;
}

void
lm_top_clear(lm_top *top)
{
    top->count = 0;
    top->bound = INFINITY;
}

void
lm_top_free(lm_context *ctx, lm_top *top)
{
    lm_free(ctx, top->entries);
    top->entries = NULL;
}

static inline bool
worse(lm_top_entry a, lm_top_entry b)
{
    return a.distance > b.distance || (a.distance == b.distance && a.item > b.item);
}

static void
rise(lm_top *top, lm_top_entry entry)
{
    size_t place = top->count++;

    while (place > 0 && worse(entry, top->entries[(place - 1) / 2])) {
        top->entries[place] = top->entries[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    top->entries[place] = entry;
}

/* In place of the worst. */
static void
sink(lm_top *top, lm_top_entry entry)
{
    size_t place = 0, child;

    while ((child = 2 * place + 1) < top->count) {
        if (child + 1 < top->count && worse(top->entries[child + 1], top->entries[child]))
            child++;
        if (!worse(top->entries[child], entry))
            break;
        top->entries[place] = top->entries[child];
        place = child;
    }
    top->entries[place] = entry;
}

void
lm_top_insert(lm_top *top, float distance, uint64_t item)
{
    const lm_top_entry entry = {distance, item};

    if (top->count < top->capacity)
        rise(top, entry);
    else if (worse(top->entries[0], entry))
        sink(top, entry);
    if (top->count == top->capacity)
        top->bound = top->entries[0].distance;
}

void
lm_top_offer_block(lm_top *top, uint32_t mask, const float distances[32], const uint64_t *items,
                   uint64_t first)
{
    for (; mask != 0; mask &= mask - 1) {
        const int i = __builtin_ctz(mask);

        lm_top_offer(top, distances[i], items != NULL ? items[i] : first + (uint64_t)i);
    }
}

static int
compare(const void *a, const void *b)
{
    const lm_top_entry *left = a, *right = b;

    return worse(*left, *right) - worse(*right, *left);
}

void
lm_top_sort(lm_top *top)
{
    qsort(top->entries, top->count, sizeof *top->entries, compare);
}
