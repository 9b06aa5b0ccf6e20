/*
 * post_norm.h - the layers of BERT, which its descendants have under other names: self-attention
 * and a feed-forward net, each with biases, and normed behind its residual.
 */
#ifndef LM_POST_NORM_H
#define LM_POST_NORM_H

#include "nn/encoder.h"

/* Weights of a layer: what the slots of such a family's group of layers give. */
enum layer_target {
    QKV, /* one matrix of 3 D rows */
    QKV_BIAS,
    OUTPUT,
    OUTPUT_BIAS,
    ATTENTION_GAIN,
    ATTENTION_NORM_BIAS,
    UP,
    UP_BIAS,
    DOWN,
    DOWN_BIAS,
    FFN_GAIN,
    FFN_NORM_BIAS,
    LAYER_TARGETS
};

typedef struct lm_post_norm {
    int layers, width, heads, inner; /* L, D, H, F; D is a multiple of H */
    float eps;
    lm_activation act;
} lm_post_norm;

lm_stack lm_post_norm_stack(const lm_post_norm *shape);

#endif
