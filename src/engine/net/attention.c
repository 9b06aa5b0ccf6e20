/*
 * attention.c - self-attention with several heads, as torch.nn.MultiheadAttention: in_proj_weight
 * (3 D, D), in_proj_bias, out_proj.weight (D, D), out_proj.bias. {"attention": heads}.
 */
#include <math.h>

#include "net/kinds.h"
#include "nn/grad.h"

static const char *
shapes(lm_layer *layer)
{
    if (layer->pooled)
        return "attention is over tokens, and the texts are pooled before it";
    return layer->in % layer->size == 0 ? NULL : "the width is no multiple of the heads";
}

static size_t
params(const lm_layer *layer, lm_net_param *params)
{
    const size_t width = layer->in;

    if (params) {
        params[0] =
            lm_net_matrix("in_proj_weight", 3 * width, width, sqrtf(6.0f / (4.0f * (float)width)));
        params[1] = lm_net_vector("in_proj_bias", 3 * width, 0, 0);
        params[2] = lm_net_matrix("out_proj.weight", width, width, 1 / sqrtf((float)width));
        params[3] = lm_net_vector("out_proj.bias", width, 0, 0);
    }
    return 4;
}

/* qkv (T, 3 D), what attention gives (T, D), gradients of these, room. */
typedef struct parts {
    float *qkv, *mixed, *dqkv, *dmixed, *room;
    size_t size;
} parts;

static parts
lay(const lm_layer *layer, const lm_net_batch *batch, float *base)
{
    const size_t count = batch->tokens * layer->in;
    parts p = {.size = 0};

    p.qkv = lm_net_lay(base, &p.size, 3 * count);
    p.mixed = lm_net_lay(base, &p.size, count);
    p.dqkv = lm_net_lay(base, &p.size, batch->graded ? 3 * count : 0);
    p.dmixed = lm_net_lay(base, &p.size, batch->graded ? count : 0);
    p.room = lm_net_lay(base, &p.size, lm_attend_room(batch->longest));
    return p;
}

static size_t
tape(const lm_layer *layer, const lm_net_batch *batch)
{
    return lay(layer, batch, NULL).size;
}

static lm_attend
attend_of(const lm_layer_run *run, float *room, size_t text)
{
    const size_t heads = run->layer->size, dim = run->layer->in / heads;

    return (lm_attend){.kernels = run->kernels,
                       .tokens = run->batch->offsets[text + 1] - run->batch->offsets[text],
                       .heads = heads,
                       .kv_heads = heads,
                       .head_dim = dim,
                       .mask = LM_MASK_FULL,
                       .scale = 1 / sqrtf((float)dim),
                       .room = room};
}

static lm_status
forward(const lm_layer_run *run)
{
    const lm_net_batch *batch = run->batch;
    const size_t width = run->layer->in;
    const parts p = lay(run->layer, batch, run->tape);

    LM_TRY(lm_layer_multiply(run, 0, run->rows, run->x, run->values[1], LM_ACT_NONE, p.qkv));
    for (size_t text = 0; text < batch->texts; text++) {
        const lm_attend attend = attend_of(run, p.room, text);
        const size_t row = batch->offsets[text] * width;

        LM_TRY(lm_attend_forward(run->ctx, &attend, p.qkv + 3 * row, p.mixed + row));
    }
    return lm_layer_multiply(run, 2, run->rows, p.mixed, run->values[3], LM_ACT_NONE, run->y);
}

static lm_status
backward(const lm_layer_run *run, float *dy, float *dx)
{
    const lm_net_batch *batch = run->batch;
    const size_t width = run->layer->in;
    const parts p = lay(run->layer, batch, run->tape);

    LM_TRY(lm_layer_weight_grads(run, 2, run->rows, p.mixed, dy, lm_layer_grad(run, 3)));
    LM_TRY(lm_layer_input_grads(run, 2, run->rows, dy, p.dmixed));
    for (size_t text = 0; text < batch->texts; text++) {
        const lm_attend attend = attend_of(run, p.room, text);
        const size_t row = batch->offsets[text] * width;

        LM_TRY(lm_attend_backward(run->ctx, &attend, p.qkv + 3 * row, p.dmixed + row,
                                  p.dqkv + 3 * row, NULL));
    }
    LM_TRY(lm_layer_weight_grads(run, 0, run->rows, run->x, p.dqkv, lm_layer_grad(run, 1)));
    return lm_layer_input_grads(run, 0, run->rows, p.dqkv, dx);
}

const lm_layer_kind lm_layer_attention = {
    .name = "attention",
    .low = 1,
    .high = 256,
    .shapes = shapes,
    .params = params,
    .tape = tape,
    .forward = forward,
    .backward = backward,
};
