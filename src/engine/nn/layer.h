/*
 * layer.h - one layer of a forward pass, as its steps see it (private to stack.c and narrow.c).
 */
#ifndef LM_LAYER_H
#define LM_LAYER_H

#include "nn/tables.h"

/* A forward pass: what every step of it needs. */
typedef struct stack_pass {
    lm_context *ctx;
    const lm_stack *stack;
    const lm_nn_weights *weights;
    const lm_batch *batch;
    lm_position_tables tables;
    float *hidden, *attention, *wide, *normed, *placed, *global;
    void *scratch;
} stack_pass;

/* One layer of it. */
typedef struct stack_layer {
    const stack_pass *pass;
    const lm_block *block;
    size_t kind;           /* of the block */
    size_t index;          /* of its weights */
    const size_t *outputs; /* as the batch's, in the last layer that runs; else NULL */
} stack_layer;

static inline const void *
lm_weight_of(const stack_layer *l, int target)
{
    return lm_layer_weight(l->pass->weights, l->index, target);
}

/* out = norm(x); false where the layer has no such norm, and nothing is done. */
static inline bool
lm_norm_rows(const stack_layer *l, lm_norm_targets targets, size_t rows, size_t width,
             const float *x, float *out)
{
    const lm_norm norm = {
        .kind = l->block->norm,
        .gain = lm_weight_of(l, targets.gain),
        .bias = lm_weight_of(l, targets.bias),
        .eps = l->block->eps,
    };

    if (norm.gain)
        lm_nn_norm(l->pass->weights->kernels, &norm, rows, width, x, out);
    return norm.gain != NULL;
}

#endif
