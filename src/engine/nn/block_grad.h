/*
 * block_grad.h - a layer of a stack (stack.h) with its backward pass, over plain weights.
 */
#ifndef LM_NN_BLOCK_GRAD_H
#define LM_NN_BLOCK_GRAD_H

#include "nn/grad.h"
#include "nn/stack.h"

/* The norms of one half of a layer; one without a gain is not done. */
typedef struct lm_part_weights {
    lm_norm before, inside, after;
} lm_part_weights;

/* A layer's weights as rows of float32; what the layer lacks is NULL. */
typedef struct lm_block_weights {
    lm_part_weights attention, ffn;
    const float *qkv, *qkv_bias, *output, *output_bias, *query_gain, *key_gain;
    const float *up, *up_bias, *down, *down_bias;
} lm_block_weights;

typedef struct lm_norm_gradients {
    float *gain, *bias;
} lm_norm_gradients;

typedef struct lm_part_gradients {
    lm_norm_gradients before, inside, after;
} lm_part_gradients;

/*
 * Their gradients, which are added to; NULL: not wanted. With PLACE those of qkv lack what comes by
 * places, which are taken as they are.
 */
typedef struct lm_block_gradients {
    lm_part_gradients attention, ffn;
    float *qkv, *qkv_bias, *output, *output_bias, *query_gain, *key_gain;
    float *up, *up_bias, *down, *down_bias;
    float *position_bias;
} lm_block_gradients;

/* Dropout in a layer: of attention's weights, and of what each half adds. */
typedef struct lm_block_noise {
    lm_dropout weights, attention, ffn;
    const uint64_t *texts; /* (texts): each text's own counter */
} lm_block_noise;

/* A layer over packed texts. */
typedef struct lm_block_run {
    lm_context *ctx;
    const lm_kernels *kernels;
    const lm_block *block;
    const lm_block_weights *weights;
    size_t width; /* D */
    size_t tokens, texts, longest;
    const size_t *offsets;            /* (texts + 1) */
    const float *cosines, *sines;     /* of ROPE, for `longest` positions */
    bool rounded;                     /* products of linear layers are of factors in bfloat16 */
    const float *bias;                /* of BIAS, for `longest` positions */
    const lm_nn_disentangled *places; /* of PLACE */
    const lm_block_noise *noise;      /* NULL: nothing is dropped */
    float *tape;                      /* lm_block_tape numbers */
} lm_block_run;

/* Numbers that a layer keeps between the two passes, and works with. */
size_t lm_block_tape(const lm_block *block, size_t width, size_t tokens, size_t longest);

/*
 * Dropout of the rows (tokens, width) of packed texts, by the counters of text and token; y may be
 * x.
 */
void lm_drop_tokens(const lm_dropout *dropout, const uint64_t *texts, const size_t *offsets,
                    size_t count, size_t width, const float *x, float *y);

/* x and y are (tokens, D), and not the same. */
lm_status lm_block_forward(const lm_block_run *run, const float *x, float *y);
/* Behind the forward pass of the same x with the same tape; dx is not dy. */
lm_status lm_block_backward(const lm_block_run *run, const float *x, const float *dy, float *dx,
                            const lm_block_gradients *gradients);

#endif
