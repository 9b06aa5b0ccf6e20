/*
 * layers_fit.h - a net of layers as the trainer sees it (private to train/).
 */
#ifndef LM_TRAIN_LAYERS_FIT_H
#define LM_TRAIN_LAYERS_FIT_H

#include "metrics/entities.h"
#include "net/store.h"
#include "optim/loss.h"
#include "optim/network.h"
#include "train/layers_data.h"

typedef struct lm_layers_fit {
    lm_context *ctx;
    const lm_net *net;
    lm_net_store *store;
    lm_layers_data *data;
    const int32_t *targets;   /* labels of rows or of tokens */
    const char *const *names; /* of labels */
    lm_entities *entities;    /* of a measure of tags */
    lm_cross_entropy_options loss;
    /* Of a batch; they grow. */
    lm_buffer ids, offsets, numbers, order, steps, wanted, values, room, crf;
    lm_letters letters; /* of a net that reads them */
} lm_layers_fit;

void lm_layers_fit_init(lm_layers_fit *fit, lm_context *ctx);
void lm_layers_fit_free(lm_layers_fit *fit);
/* Directions of a language model. */
static inline size_t
lm_layers_ways(const lm_net *net)
{
    return net->params[net->softmax + 2].rows;
}

/* What the trainer is given; `fit` must outlive it. */
lm_network lm_layers_network(lm_layers_fit *fit);

#endif
