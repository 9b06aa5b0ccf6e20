/*
 * tables.h - what the layers of a stack look positions up in, made once for a batch (a bias of a
 * layer's own: once a layer). The forward pass and the backward pass have the same.
 */
#ifndef LM_NN_TABLES_H
#define LM_NN_TABLES_H

#include "nn/stack.h"

/* The caller gives the buffers, each of them where the stack has such positions. */
typedef struct lm_position_tables {
    size_t longest;                                         /* tokens of a text, at most */
    float *cosines[LM_BLOCK_KINDS], *sines[LM_BLOCK_KINDS]; /* (longest, turned / 2) */
    float *bias;                                            /* (heads, 2 longest − 1) */
    size_t places;                                          /* lm_place_rows */
    int32_t *index;                                         /* (2 longest − 1) */
    float *place;                                           /* (places, D) */
} lm_position_tables;

/* Kinds of block that the stack has. */
static inline size_t
lm_stack_kinds(const lm_stack *stack)
{
    return stack->every > 0 ? LM_BLOCK_KINDS : 1;
}

static inline size_t
lm_stack_kind(const lm_stack *stack, size_t layer)
{
    return stack->every > 0 && layer % stack->every == stack->at;
}

/* Rows of places that texts of so many tokens need. */
size_t lm_place_rows(const lm_stack *stack, size_t longest);

/* All but a bias of a layer's own. Polls cancel. */
lm_status lm_fill_positions(lm_context *ctx, const lm_stack *stack, const lm_nn_weights *weights,
                            const lm_position_tables *tables);

/* What places add in a layer whose own matrix has made `placed` of them: (places, qkv). */
lm_nn_disentangled lm_layer_places(const lm_stack *stack, const lm_position_tables *tables,
                                   const float *placed);

/* The bias of (buckets, heads). */
void lm_fill_bias(const lm_stack *stack, const float *buckets, const lm_position_tables *tables);

#endif
