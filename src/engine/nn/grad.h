/*
 * grad.h - parts of encoders with their backward passes: what training and integrated gradients are
 * made of. Weights are plain rows of float32, and nothing is packed.
 *
 * A backward pass gets the inputs of its forward pass and the gradient of its output (dy), and sets
 * the gradient of its input (dx). Gradients of weights are added to, and may be NULL where nobody
 * wants them; one of a weight that is not there stays. A part that one row decides (norm,
 * activation) computes again what it does not find.
 */
#ifndef LM_NN_GRAD_H
#define LM_NN_GRAD_H

#include "nn/dropout.h"
#include "nn/nn.h"

/* y (rows, out) = x (rows, in) · weightᵀ + bias. */
typedef struct lm_linear {
    size_t rows, in, out;
    const float *weight;       /* (out, in) */
    const float *bias;         /* (out), or NULL */
    const lm_kernels *rounded; /* its products, of factors rounded to bfloat16; NULL: of float32 */
} lm_linear;

/*
 * As lm_blas_sgemm, for an alpha of 1 and a beta of 0 or 1, with both factors rounded to bfloat16
 * and sums in float32. Its room is allocated from the context, which it needs, and is bounded.
 */
lm_status lm_rounded_sgemm(const lm_kernels *kernels, const lm_sgemm *args);

lm_status lm_linear_forward(lm_context *ctx, const lm_linear *args, const float *x, float *y);
/* dx is not dy; NULL: not wanted. */
lm_status lm_linear_backward(lm_context *ctx, const lm_linear *args, const float *x,
                             const float *dy, float *dx, float *dweight, float *dbias);

/*
 * Of lm_nn_embed: the gradient of sums (T, D) is added to those rows of the tables that the sums
 * were made of. Tables are gradients here, of float32, which lm_nn_embedding has as its tables;
 * NULL: not wanted.
 */
lm_status lm_nn_embed_backward(lm_context *ctx, const lm_nn_embedding *args, const float *dsums);

/* Rows (T, width) of texts between their neighbours, as lm_nn_trigrams has them: (T, 3 width); and
 * back. */
void lm_trigrams_forward(const size_t *offsets, size_t texts, size_t width, const float *x,
                         float *y);
void lm_trigrams_backward(const size_t *offsets, size_t texts, size_t width, const float *dy,
                          float *dx);

/* Of lm_nn_norm over rows of `width`; dx may be dy. */
void lm_norm_backward(const lm_norm *norm, size_t rows, size_t width, const float *x,
                      const float *dy, float *dx, float *dgain, float *dbias);

/* The derivative of an activation at x. */
float lm_activation_slope(lm_activation act, float x);
/* Of act(x) by element; dx may be dy. */
lm_status lm_activate_backward(lm_context *ctx, lm_activation act, size_t count, const float *x,
                               const float *dy, float *dx);
/* Of act(a) · b, where a and b are halves of rows (rows, 2 inner), and so are their gradients. */
lm_status lm_gate_forward(lm_context *ctx, const lm_kernels *kernels, lm_activation act,
                          size_t rows, size_t inner, const float *halves, float *y);
lm_status lm_gate_backward(lm_context *ctx, const lm_kernels *kernels, lm_activation act,
                           size_t rows, size_t inner, const float *halves, const float *dy,
                           float *dhalves);

/* Of softmax, whose result y is; dx may be dy. */
void lm_softmax_backward(size_t count, const float *y, const float *dy, float *dx);

/* Of x / max(‖x‖, eps); dx may be dy. */
void lm_normalize_backward(size_t width, float eps, const float *x, const float *dy, float *dx);

/* Attention of one text among its own tokens, as lm_nn_attend has it for all of them. */
typedef struct lm_attend {
    const lm_kernels *kernels;
    size_t tokens;
    size_t heads, kv_heads, head_dim;
    lm_mask mask;
    size_t window;
    float scale;
    const float *bias; /* NULL, or lm_nn_bucket_bias's for `bias_positions` */
    size_t bias_positions;
    const lm_nn_disentangled *places; /* NULL, or what distances add; it needs no room */
    const lm_dropout *dropout;        /* of weights behind softmax; NULL: none */
    uint64_t noise;                   /* the text's counter of dropout */
    float *room;                      /* lm_attend_room numbers */
} lm_attend;

/* Numbers of room, which grow with the tokens, not with their square. */
size_t lm_attend_room(size_t tokens);

/* qkv (tokens, (heads + 2 kv_heads)·head_dim), out (tokens, heads·head_dim). */
lm_status lm_attend_forward(lm_context *ctx, const lm_attend *args, const float *qkv, float *out);
/* dbias is shaped as the bias. Queries and keys of places are taken as they are. */
lm_status lm_attend_backward(lm_context *ctx, const lm_attend *args, const float *qkv,
                             const float *dout, float *dqkv, float *dbias);

#endif
