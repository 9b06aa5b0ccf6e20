/*
 * topk.c - the items of the highest scores; the contract is in topk.h.
 */
#include "search/topk.h"

#include <string.h>

#define FIRST_CAPACITY ((size_t)16)

void
lm_topk_init(lm_topk *top, lm_context *ctx, size_t k)
{
    memset(top, 0, sizeof *top);
    top->ctx = ctx;
    top->k = k;
}

void
lm_topk_free(lm_topk *top)
{
    lm_free(top->ctx, top->items);
    lm_topk_init(top, top->ctx, top->k);
}

static bool
is_worse(const lm_topk_item *a, const lm_topk_item *b)
{
    return a->score < b->score || (a->score == b->score && a->order > b->order);
}

static void
exchange(lm_topk_item *a, lm_topk_item *b)
{
    lm_topk_item item = *a;

    *a = *b;
    *b = item;
}

static void
sift_up(lm_topk_item *items, size_t at)
{
    while (at > 0 && is_worse(&items[at], &items[(at - 1) / 2])) {
        exchange(&items[at], &items[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static void
sift_down(lm_topk_item *items, size_t count, size_t at)
{
    for (;;) {
        size_t left = 2 * at + 1, worst = at;

        if (left < count && is_worse(&items[left], &items[worst]))
            worst = left;
        if (left + 1 < count && is_worse(&items[left + 1], &items[worst]))
            worst = left + 1;
        if (worst == at)
            return;
        exchange(&items[at], &items[worst]);
        at = worst;
    }
}

bool
lm_topk_wants(const lm_topk *top, double score)
{
    return score == score && (top->count < top->k || score > top->items[0].score);
}

static lm_status
reserve(lm_topk *top)
{
    size_t capacity = top->capacity > 0 ? 2 * top->capacity : FIRST_CAPACITY;
    lm_topk_item *grown;

    if (top->count < top->capacity)
        return LM_OK;
    if (capacity > SIZE_MAX / sizeof *grown)
        return lm_raise(top->ctx, LM_TOO_LARGE, "too many rows are kept");
    grown = lm_realloc(top->ctx, top->items, capacity * sizeof *grown);
    if (!grown)
        return LM_NO_MEMORY;
    top->items = grown;
    top->capacity = capacity;
    return LM_OK;
}

lm_status
lm_topk_add(lm_topk *top, double score, void *row, void **dropped)
{
    lm_topk_item item = {score, top->offered++, row};

    *dropped = NULL;
    if (top->count == top->k) {
        *dropped = top->items[0].row;
        top->items[0] = item;
        sift_down(top->items, top->count, 0);
        return LM_OK;
    }
    LM_TRY(reserve(top));
    top->items[top->count] = item;
    sift_up(top->items, top->count++);
    return LM_OK;
}

void
lm_topk_sort(lm_topk *top)
{
    for (size_t left = top->count; left > 1; left--) {
        exchange(&top->items[0], &top->items[left - 1]);
        sift_down(top->items, left - 1, 0);
    }
}
