/*
 * encoder_grad.h - an encoder's forward and backward pass, from the sums of a token's embeddings to
 * hidden states and back, over the weights that an inference has: they are unpacked layer by layer.
 *
 * Only the input of each layer is kept; the rest is computed again on the way back (activation
 * recomputation), so that memory is that of one layer and some rows.
 */
#ifndef LM_NN_ENCODER_GRAD_H
#define LM_NN_ENCODER_GRAD_H

#include "nn/block_grad.h"
#include "nn/encoder.h"

typedef struct lm_encoder_grad {
    lm_context *ctx;
    const lm_encoder *encoder;
    const lm_nn_weights *weights;
    size_t tokens, texts, longest;
    const size_t *offsets; /* (texts + 1); no text is empty */
    float *workspace;      /* lm_encoder_grad_size numbers */
} lm_encoder_grad;

/* LM_UNSUPPORTED, by what it is, for an encoder or weights without a backward pass. */
lm_status lm_encoder_grad_check(lm_context *ctx, const lm_encoder *encoder,
                                const lm_nn_weights *weights);

/* Numbers of the workspace for at most `tokens`, the longest text of which has `longest`. */
size_t lm_encoder_grad_size(const lm_encoder *encoder, size_t tokens, size_t longest);

/* Width of sums: the embeddings', which may be another than the stack's. */
size_t lm_encoder_sum_width(const lm_encoder *encoder);

/*
 * The sums of word, type and position embeddings (tokens, E) of a batch, before scale and norm:
 * what the forward pass begins with.
 */
lm_status lm_encoder_sums(lm_context *ctx, const lm_encoder *encoder, const lm_nn_weights *weights,
                          const lm_batch *batch, float *sums);

/* From sums (tokens, E) to *hidden (tokens, D), which lies in the workspace. */
lm_status lm_encoder_grad_forward(const lm_encoder_grad *run, const float *sums,
                                  const float **hidden);
/* Behind it: from the gradient of hidden states (tokens, D), which is used up, to that of sums. */
lm_status lm_encoder_grad_backward(const lm_encoder_grad *run, float *dhidden, float *dsums);

#endif
