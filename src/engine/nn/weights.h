/*
 * weights.h - what nn sees of a model's weights: tables of pointers, and the kernels that they are
 * packed for. A description (stack.h, embedding.h) names entries of these tables as targets.
 */
#ifndef LM_NN_WEIGHTS_H
#define LM_NN_WEIGHTS_H

#include "kernels/kernels.h"

typedef struct lm_nn_weights {
    const lm_kernels *kernels;            /* that the matrices are packed for */
    lm_precision precision;               /* of the matrices */
    const lm_product *product;            /* the kernels' of that precision */
    const lm_attention_kernel *attention; /* likewise */
    const void *const *model;             /* the model's own weights */
    const void *const *layers;            /* those of layer 0 */
    size_t stride;                        /* the number of weights of a layer */
} lm_nn_weights;

/* A target that is not there. */
#define LM_NO_WEIGHT (-1)

/* NULL: there is no such target, or the model lacks it. */
static inline const void *
lm_model_weight(const lm_nn_weights *weights, int target)
{
    return target < 0 ? NULL : weights->model[target];
}

static inline const void *
lm_layer_weight(const lm_nn_weights *weights, size_t layer, int target)
{
    return target < 0 ? NULL : weights->layers[layer * weights->stride + (size_t)target];
}

#endif
