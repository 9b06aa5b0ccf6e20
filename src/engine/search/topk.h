/*
 * topk.h - the k items of the highest scores, of any number that are offered one by one.
 */
#ifndef LM_TOPK_H
#define LM_TOPK_H

#include <stdint.h>

#include "base/context.h"

typedef struct lm_topk_item {
    double score;
    uint64_t order; /* of two equal scores the one that was offered first is kept */
    void *row;      /* the caller's */
} lm_topk_item;

/* Memory grows with the items that are kept, at most k. */
typedef struct lm_topk {
    lm_context *ctx;
    size_t k, count, capacity;
    uint64_t offered;
    lm_topk_item *items; /* a heap, the worst on top */
} lm_topk;

/* k is at least 1. */
void lm_topk_init(lm_topk *top, lm_context *ctx, size_t k);
void lm_topk_free(lm_topk *top);

/* Would an item of this score be kept? Not a number never is. */
bool lm_topk_wants(const lm_topk *top, double score);

/* Offer an item that is wanted. *dropped receives the row that gave way, or NULL. */
lm_status lm_topk_add(lm_topk *top, double score, void *row, void **dropped);

/* The items from the best to the worst, in place; nothing can be added after that. */
void lm_topk_sort(lm_topk *top);

#endif
