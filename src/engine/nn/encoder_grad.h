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
#include "nn/narrow_grad.h"

/*
 * Gradients of weights, in tables shaped as lm_nn_weights' are, which are added to; an entry of
 * NULL: not wanted.
 */
typedef struct lm_encoder_gradients {
    float *const *model, *const *layers;
    size_t first; /* layers before it want none, and nothing flows to them */
} lm_encoder_gradients;

/* Dropout as transformers' encoders have it: of embeddings, of what each half of a layer adds, and
 * of attention's weights. */
typedef struct lm_encoder_noise {
    double hidden, attention; /* rates */
    uint64_t seed, step;
    const uint64_t *texts; /* (texts): each text's own counter */
} lm_encoder_noise;

typedef struct lm_encoder_grad {
    lm_context *ctx;
    const lm_encoder *encoder;
    const lm_nn_weights *weights;
    bool plain;   /* matrices are rows of float32, and not packed */
    bool rounded; /* products of linear layers are of factors in bfloat16 */
    size_t tapes; /* the layers that keep what the way back needs: all (L), or 0 for none but the
                     last */
    const lm_encoder_gradients *gradients; /* NULL: of no weights */
    const lm_encoder_noise *noise;         /* NULL: nothing is dropped */
    const float *mix;   /* (L + 1): as lm_batch has it; hidden states are that sum then, or NULL */
    const float *added; /* lm_encoder_added; NULL where there is none */
    size_t tokens, texts, longest;
    const size_t *offsets; /* (texts + 1); no text is empty */
    float *workspace;      /* lm_encoder_grad_size numbers */
} lm_encoder_grad;

/* LM_UNSUPPORTED, by what it is, for an encoder or weights without a backward pass. */
lm_status lm_encoder_grad_check(lm_context *ctx, const lm_encoder *encoder,
                                const lm_nn_weights *weights);
/* The same where gradients of all weights are wanted. */
lm_status lm_encoder_train_check(lm_context *ctx, const lm_encoder *encoder,
                                 const lm_nn_weights *weights);

/* Numbers of the workspace for at most `tokens`, the longest text of which has `longest`. */
size_t lm_encoder_grad_size(const lm_encoder *encoder, size_t tokens, size_t longest, size_t tapes);

/* Width of sums: the embeddings', which may be another than the stack's. */
size_t lm_encoder_sum_width(const lm_encoder *encoder);

/*
 * The sums of word, type and position embeddings (tokens, E) of a batch, before scale and norm:
 * what the forward pass begins with. Of words alone where others are added behind the projection.
 */
lm_status lm_encoder_sums(lm_context *ctx, const lm_encoder *encoder, const lm_nn_weights *weights,
                          const lm_batch *batch, float *sums);

/* Whether others are, and their sums (tokens, D). */
bool lm_encoder_adds(const lm_encoder *encoder);
lm_status lm_encoder_added(lm_context *ctx, const lm_encoder *encoder, const lm_nn_weights *weights,
                           const lm_batch *batch, float *added);

/* From sums (tokens, E) to *hidden (tokens, D), which lies in the workspace. */
lm_status lm_encoder_grad_forward(const lm_encoder_grad *run, const float *sums,
                                  const float **hidden);
/*
 * Behind it: from the gradient of hidden states (tokens, D), which is used up, to that of sums, or
 * of weights alone where dsums is NULL.
 */
lm_status lm_encoder_grad_backward(const lm_encoder_grad *run, float *dhidden, float *dsums);

/*
 * From the gradient of a batch's sums to those of its tables. `touched` (vocabulary), or NULL, gets
 * a 1 for each word.
 */
lm_status lm_encoder_sums_backward(lm_context *ctx, const lm_encoder *encoder,
                                   const lm_encoder_gradients *gradients, const lm_batch *batch,
                                   const float *dsums, unsigned char *touched);

#endif
