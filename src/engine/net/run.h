/*
 * run.h - passes of a net over packed texts.
 */
#ifndef LM_NET_RUN_H
#define LM_NET_RUN_H

#include "net/net.h"

/* Weights, by the net's parameters. */
typedef struct lm_net_weights {
    const lm_kernels *kernels;  /* that products are packed for */
    const float *const *values; /* NULL of those that are packed, where there is no training */
    const void *const *packed;  /* of products: NULL elsewhere */
    bool rounded; /* factors are rounded to bfloat16, but those of a recurrent layer's steps: of a
                     training, whose values are there */
} lm_net_weights;

/* What a backward pass adds to, by the net's parameters. */
typedef struct lm_net_grads {
    float *const *grads;           /* NULL: not wanted */
    unsigned char *const *touched; /* rows of tables; NULL: nobody asks */
} lm_net_grads;

/* Sort texts by their length: order (texts), steps (longest + 1); sets the batch's `longest`. */
void lm_net_order(lm_net_batch *batch, size_t *order, size_t *steps);
/* Of the longest text. */
size_t lm_net_longest(size_t texts, const size_t *offsets);

/* Bytes of room for a batch, with alignment. LM_TOO_LARGE where that is no size. */
lm_status lm_net_room(lm_context *ctx, const lm_net *net, const lm_net_batch *batch, size_t *bytes);

/* The output, (T, out) or (B, out), lies in the room (aligned to LM_ALIGNMENT). */
lm_status lm_net_forward(lm_context *ctx, const lm_net *net, const lm_net_weights *weights,
                         const lm_net_batch *batch, void *room, const float **out);
/* Where the gradient of the output goes: as the output. */
float *lm_net_gradient(const lm_net *net, const lm_net_batch *batch, void *room);
/* Behind a forward pass of a batch with `graded`, in the same room. */
lm_status lm_net_backward(lm_context *ctx, const lm_net *net, const lm_net_weights *weights,
                          const lm_net_batch *batch, void *room, const lm_net_grads *grads);
/* Weights (T) of the layer {"pool": "attention"} behind a forward pass; NULL: the net has none. */
const float *lm_net_attention(const lm_net *net, const lm_net_batch *batch, void *room);

/* The recurrent layer whose stacked layers lm_net_mix adds up: the first; NULL: there is none. */
const lm_layer *lm_net_stacked(const lm_net *net);
/* Behind a forward pass: Σ mix[l] · what lies behind its stacked layer l, to out (T, out of it); l
 * 0: its input, as recurrent.h has it. */
lm_status lm_net_mix(lm_context *ctx, const lm_net *net, const lm_net_weights *weights,
                     const lm_net_batch *batch, void *room, const float *mix, float *out);

#endif
