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
    lm_param *params; /* by the net's parameters: what an optimizer changes */
    const float **values;
    float **grads;
    void **packed; /* NULL of what is no product */
    unsigned char **touched;
    char *memory;
} lm_net_store;

/* Values are those before training. The net must outlive it. What is opened must be closed, also
 * where that failed. */
lm_status lm_net_store_open(lm_context *ctx, const lm_net *net, uint64_t seed, lm_net_store *store);
void lm_net_store_close(lm_net_store *store);
/* Pack products again, after values have changed. Polls cancel. */
lm_status lm_net_store_pack(lm_net_store *store);
lm_net_weights lm_net_store_weights(const lm_net_store *store);
lm_net_grads lm_net_store_grads(const lm_net_store *store);

#endif
