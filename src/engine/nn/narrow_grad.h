/*
 * narrow_grad.h - a layer with a bottleneck (lm_narrow) with its backward pass, from hidden states
 * to hidden states. It has gradients of its input alone, not of weights.
 */
#ifndef LM_NN_NARROW_GRAD_H
#define LM_NN_NARROW_GRAD_H

#include "nn/grad.h"
#include "nn/stack.h"
#include "nn/weights.h"

/* A layer over packed texts. */
typedef struct lm_narrow_run {
    lm_context *ctx;
    const lm_nn_weights *weights; /* matrices are unpacked one by one */
    size_t layer;
    const lm_block *block;
    size_t width; /* D */
    size_t tokens, texts, longest;
    const size_t *offsets; /* (texts + 1) */
    float *tape;           /* lm_narrow_tape numbers */
} lm_narrow_run;

/* Numbers that a layer keeps between the two passes, and works with; 0 for one that is not narrow.
 */
size_t lm_narrow_tape(const lm_block *block, size_t width, size_t tokens, size_t longest);

/* x and y are (tokens, D), and not the same. */
lm_status lm_narrow_forward(const lm_narrow_run *run, const float *x, float *y);
/* Behind the forward pass with the same tape; dx is not dy. */
lm_status lm_narrow_backward(const lm_narrow_run *run, const float *dy, float *dx);

#endif
