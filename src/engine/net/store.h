/*
 * store.h - a net's parameters in training: values, gradients, and values packed for products.
 */
#ifndef LM_NET_STORE_H
#define LM_NET_STORE_H

#include "net/run.h"
#include "optim/param.h"

typedef struct lm_net_store {
    lm_context *ctx;
    const lm_net *net;
    const lm_kernels *kernels;
    bool rounded;     /* as lm_net_weights has it */
    lm_param *params; /* by the net's parameters: what an optimizer changes */
    const float **values;
    float **grads;
    void **packed; /* NULL of what is no product */
    unsigned char **touched;
    char *memory;
    float *own; /* values and gradients in it; NULL: they are elsewhere */
} lm_net_store;

/* Values are those before training. The net must outlive it. What is opened must be closed, also
 * where that failed. */
lm_status lm_net_store_open(lm_context *ctx, const lm_net *net, uint64_t seed, lm_net_store *store);
/* A helper's: values and gradients belong to the caller, lm_net_store_numbers each, aligned. */
lm_status lm_net_store_share(lm_context *ctx, const lm_net *net, float *values, float *grads,
                             lm_net_store *store);
/* From now on its values are here; NULL: in its own memory again. They are copied. */
void lm_net_store_move(lm_net_store *store, float *values);
/* Of values, and of gradients; those of parameter 0 come first. */
size_t lm_net_store_numbers(const lm_net *net);
void lm_net_store_close(lm_net_store *store);
/* Pack products again, after values have changed. Polls cancel. */
lm_status lm_net_store_pack(lm_net_store *store);
lm_net_weights lm_net_store_weights(const lm_net_store *store);
lm_net_grads lm_net_store_grads(const lm_net_store *store);

#endif
