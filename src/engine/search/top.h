/*
 * top.h - the k smallest distances of many, with the items that they belong to. Of equal distances
 * the smaller item is better, so that the result does not depend on the order of offers. A
 * NaN does not get in.
 */
#ifndef LM_TOP_H
#define LM_TOP_H

#include "base/context.h"

typedef struct lm_top_entry {
    float distance;
    uint64_t item;
} lm_top_entry;

typedef struct lm_top {
    size_t capacity, count;
    float bound;           /* what is above it cannot get in; infinite until it is full */
    lm_top_entry *entries; /* a heap, the worst first; sorted by lm_top_sort */
} lm_top;

/* Capacity at least 1. LM_NO_MEMORY, LM_TOO_LARGE. */
lm_status lm_top_init(lm_context *ctx, lm_top *top, size_t capacity);
void lm_top_clear(lm_top *top); /* to be used again */
void lm_top_free(lm_context *ctx, lm_top *top);

/* The slow part of lm_top_offer. */
void lm_top_insert(lm_top *top, float distance, uint64_t item);

static inline void
lm_top_offer(lm_top *top, float distance, uint64_t item)
{
    if (distance <= top->bound)
        lm_top_insert(top, distance, item);
}

/* Rows of a block: items[i], or first + i where items is NULL, for each bit i of the mask. */
void lm_top_offer_block(lm_top *top, uint32_t mask, const float distances[32],
                        const uint64_t *items, uint64_t first);

/* Entries by distance, best first. Then only lm_top_clear and lm_top_free are allowed. */
void lm_top_sort(lm_top *top);

#endif
