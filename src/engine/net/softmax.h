/*
 * softmax.h - what states of two directions that never see each other say of words: the loss of a
 * language model, forward and backward, with one softmax over the vocabulary (Peters et al. 2018).
 *
 * A word is predicted by the state of the word before it and, in the other direction, by that of
 * the word behind it; the first one that a direction comes to by a vector that is learnt. So
 * −loss of the forward direction is the logarithm of a text's probability.
 */
#ifndef LM_NET_SOFTMAX_H
#define LM_NET_SOFTMAX_H

#include "net/run.h"
#include "optim/loss.h"

typedef struct lm_words_softmax {
    const lm_kernels *kernels;
    size_t words, width, ways; /* V, H, directions of a state */
    const void *packed;
    const float *weight;                  /* (V, H); NULL: no gradients follow */
    const float *bias, *start;            /* (V), (ways, H) */
    float *dweight, *dbias, *dstart;      /* NULL: not wanted; added to */
    const lm_cross_entropy_options *loss; /* without class weights */
} lm_words_softmax;

/* That of a net that ends in one; grads NULL: no gradients. */
lm_words_softmax lm_net_softmax(const lm_net *net, const lm_net_weights *weights,
                                const lm_net_grads *grads);
/* Numbers of room, for any batch. */
size_t lm_words_room(const lm_words_softmax *softmax);
/*
 * Add −Σ log p / weight of direction `way` over all tokens of the batch to *loss, x (T, ways · H);
 * add to dx its gradient (NULL: not wanted).
 */
lm_status lm_words_loss(lm_context *ctx, const lm_words_softmax *softmax, const lm_net_batch *batch,
                        size_t way, const float *x, double weight, float *room, double *loss,
                        float *dx);

#endif
