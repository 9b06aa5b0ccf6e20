/*
 * label_tree.c - a tree of labels: built by two queues, since counts of nodes only grow.
 */
#include "lang/label_tree.h"

#include <math.h>
#include <string.h>

#include "base/sort.h"

#define POLL_EVERY 8192 /* nodes */

typedef struct counted {
    uint64_t count;
    uint32_t label;
} counted;

static int
compare(const void *a, const void *b)
{
    const counted *x = a, *y = b;

    if (x->count != y->count)
        return x->count < y->count ? -1 : 1;
    return (x->label > y->label) - (x->label < y->label);
}

/* Leaves in the order of their counts, and nodes in that of their making. */
typedef struct queues {
    const counted *leaves;
    const uint64_t *nodes; /* counts */
    size_t labels, leaf, node, made;
} queues;

/* The rarest of what has no parent yet; of equals the leaf. */
static uint32_t
take(queues *q, uint64_t *count)
{
    if (q->leaf < q->labels &&
        (q->node == q->made || q->leaves[q->leaf].count <= q->nodes[q->node])) {
        *count += q->leaves[q->leaf].count;
        return q->leaves[q->leaf++].label;
    }
    *count += q->nodes[q->node];
    return (uint32_t)(q->labels + q->node++);
}

static lm_status
join(lm_context *ctx, const counted *leaves, uint64_t *nodes, size_t labels, uint32_t *tree)
{
    queues q = {leaves, nodes, labels, 0, 0, 0};

    while (q.made + 1 < labels) {
        uint64_t count = 0;

        if (q.made % POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
        tree[2 * q.made] = take(&q, &count);
        tree[2 * q.made + 1] = take(&q, &count);
        nodes[q.made++] = count;
    }
    return LM_OK;
}

lm_status
lm_label_tree_build(lm_context *ctx, const uint64_t *counts, size_t labels, uint32_t *tree)
{
    counted *leaves = lm_alloc_array(ctx, labels, sizeof *leaves);
    uint64_t *nodes = lm_alloc_array(ctx, labels, sizeof *nodes);
    lm_status status = leaves && nodes ? LM_OK : LM_NO_MEMORY;

    for (size_t i = 0; status == LM_OK && i < labels; i++)
        leaves[i] = (counted){counts[i], (uint32_t)i};
    if (status == LM_OK)
        status = lm_sort(ctx, leaves, labels, sizeof *leaves, compare);
    if (status == LM_OK)
        status = join(ctx, leaves, nodes, labels, tree);
    lm_free(ctx, leaves);
    lm_free(ctx, nodes);
    return status;
}

/* As many distinct children as there are labels and nodes without the root are all of these. */
lm_status
lm_label_tree_check(lm_context *ctx, const uint32_t *tree, size_t labels, bool *sound)
{
    char *seen = lm_alloc_zero(ctx, 2 * labels);
    lm_status status = seen ? LM_OK : LM_NO_MEMORY;

    *sound = true;
    for (size_t i = 0; status == LM_OK && *sound && i < 2 * (labels - 1); i++) {
        *sound = tree[i] < labels + i / 2 && !seen[tree[i]];
        if (*sound)
            seen[tree[i]] = 1;
        if (i % POLL_EVERY == 0)
            status = lm_poll(ctx);
    }
    lm_free(ctx, seen);
    return status;
}

/* ln of the sigmoid, without overflow on either side. */
static float
log_sigmoid(float x)
{
    return x >= 0 ? -log1pf(expf(-x)) : x - log1pf(expf(x));
}

void
lm_label_tree_spread(const uint32_t *tree, size_t labels, const float *numbers, float *inner,
                     float *shares)
{
    inner[labels - 2] = 0;
    for (size_t node = labels - 1; node-- > 0;)
        for (int side = 0; side < 2; side++) {
            const uint32_t child = tree[2 * node + (size_t)side];
            const float share =
                inner[node] + log_sigmoid(side == 0 ? numbers[node] : -numbers[node]);

            *(child < labels ? shares + child : inner + (child - labels)) = share;
        }
}
