/*
 * shared.h - a training that several processes share: what a helper must know of it, as bytes, and
 * the network that a helper makes of them, over values and gradients in memory that it is given.
 *
 * Bytes begin with the mark of their kind.
 */
#ifndef LM_TRAIN_SHARED_H
#define LM_TRAIN_SHARED_H

#include "optim/team.h"
#include "train/methods.h"

/* A kind of training that can be shared: a row of the table in shared.c. */
typedef struct lm_shared_kind {
    uint64_t mark;
    /* LM_CORRUPT where the bytes are not what its own writer made. What is made, also where it
     * failed, is to be closed. */
    lm_status (*open)(lm_context *ctx, const void *bytes, size_t size, float *values, float *grads,
                      lm_cut *cut, void **training, lm_network *network);
    void (*close)(void *training); /* may be NULL */
} lm_shared_kind;

extern const lm_shared_kind lm_shared_tuned, lm_shared_layers;

/* A helper's. */
typedef struct lm_shared {
    const lm_shared_kind *kind;
    void *training;
    lm_network network;
    lm_cut cut;
} lm_shared;

/* It is to be closed, also where it failed. */
lm_status lm_shared_open(lm_context *ctx, const void *bytes, size_t size, float *values,
                         float *grads, lm_shared *shared);
void lm_shared_close(lm_shared *shared);

#endif
