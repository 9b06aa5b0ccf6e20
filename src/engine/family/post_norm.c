/*
 * post_norm.c - the stack of BERT and its descendants.
 */
#include "family/post_norm.h"

#include <math.h>

lm_stack
lm_post_norm_stack(const lm_post_norm *shape)
{
    const int head_dim = shape->width / shape->heads;
    const lm_block block = {
        .attention_norms = {LM_NO_NORM, LM_NO_NORM, {ATTENTION_GAIN, ATTENTION_NORM_BIAS}},
        .ffn_norms = {LM_NO_NORM, LM_NO_NORM, {FFN_GAIN, FFN_NORM_BIAS}},
        .norm = LM_NORM_LAYER,
        .eps = shape->eps,
        .qkv = QKV,
        .qkv_bias = QKV_BIAS,
        .output = OUTPUT,
        .output_bias = OUTPUT_BIAS,
        .heads = (size_t)shape->heads,
        .kv_heads = (size_t)shape->heads,
        .head_dim = (size_t)head_dim,
        .scale = (float)(1 / sqrt((double)head_dim)),
        .up = UP,
        .up_bias = UP_BIAS,
        .down = DOWN,
        .down_bias = DOWN_BIAS,
        .inner = (size_t)shape->inner,
        .act = shape->act,
    };

    return (lm_stack){
        .layers = (size_t)shape->layers,
        .width = (size_t)shape->width,
        .blocks = {block},
        .final = LM_NO_NORM,
        .bias = LM_NO_WEIGHT,
    };
}
