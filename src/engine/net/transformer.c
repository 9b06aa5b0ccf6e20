/*
 * transformer.c - layers of an encoder, as torch.nn.TransformerEncoderLayer: {"transformer": heads,
 * "inner": 2048, "activation": "gelu", "norm_first": true, "layers": 2}. With more than one its
 * parameters are those of torch.nn.TransformerEncoder. Positions are the embedding's business.
 *
 * Where no gradients follow, texts go through one by one: then a text has the same bits alone and
 * in any batch, since OpenBLAS decides by the number of rows how it adds.
 */
#include <math.h>
#include <string.h>

#include "net/kinds.h"
#include "nn/block_grad.h"

#define EPS 1e-5f
#define EACH 12 /* parameters of a layer */

static const lm_option options[] = {
    LM_OPTION(lm_layer_options, layers, INT, 1, 8, "a whole number from 1 to 8"),
    LM_OPTION(lm_layer_options, inner, INT, 1, 65536, "a whole number from 1 to 65536"),
    LM_OPTION(lm_layer_options, activation, TEXT, 0, 0, "relu or gelu"),
    LM_OPTION(lm_layer_options, norm_first, BOOL, 0, 1, "true or false"),
};

static const char *
shapes(lm_layer *layer)
{
    if (layer->options.inner == 0)
        layer->options.inner = 4 * (int64_t)layer->in;
    if (layer->pooled)
        return "a transformer is over tokens, and the texts are pooled before it";
    return layer->in % layer->size == 0 ? NULL : "the width is no multiple of the heads";
}

#define NAMES(before)                                                                \
    {                                                                                \
        before "self_attn.in_proj_weight", before "self_attn.in_proj_bias",          \
            before "self_attn.out_proj.weight", before "self_attn.out_proj.bias",    \
            before "linear1.weight", before "linear1.bias", before "linear2.weight", \
            before "linear2.bias", before "norm1.weight", before "norm1.bias",       \
            before "norm2.weight", before "norm2.bias"                               \
    }

static const char *const names[9][EACH] = {
    NAMES(""),          NAMES("layers.0."), NAMES("layers.1."),
    NAMES("layers.2."), NAMES("layers.3."), NAMES("layers.4."),
    NAMES("layers.5."), NAMES("layers.6."), NAMES("layers.7."),
};

/* Its products are not packed: layers of nn/ with a backward pass are over plain rows. */
static lm_net_param
matrix(const char *name, size_t rows, size_t columns, float spread)
{
    lm_net_param param = lm_net_matrix(name, rows, columns, spread);

    param.product = false;
    return param;
}

static void
fill_params(const lm_layer *layer, const char *const *name, lm_net_param *p)
{
    const size_t d = layer->in, inner = (size_t)layer->options.inner;
    const float by_width = 1 / sqrtf((float)d), by_inner = 1 / sqrtf((float)inner);

    p[0] = matrix(name[0], 3 * d, d, sqrtf(6.0f / (4.0f * (float)d)));
    p[1] = lm_net_vector(name[1], 3 * d, 0, 0);
    p[2] = matrix(name[2], d, d, by_width);
    p[3] = lm_net_vector(name[3], d, 0, 0);
    p[4] = matrix(name[4], inner, d, by_width);
    p[5] = lm_net_vector(name[5], inner, 0, by_width);
    p[6] = matrix(name[6], d, inner, by_inner);
    p[7] = lm_net_vector(name[7], d, 0, by_inner);
    for (int i = 8; i < EACH; i++)
        p[i] = lm_net_vector(name[i], d, i % 2 == 0 ? 1 : 0, 0);
}

static size_t
params(const lm_layer *layer, lm_net_param *params)
{
    const size_t layers = (size_t)layer->options.layers;

    for (size_t l = 0; params && l < layers; l++)
        fill_params(layer, names[layers > 1 ? l + 1 : 0], params + l * EACH);
    return layers * EACH;
}

static lm_block
block_of(const lm_layer *layer)
{
    const size_t heads = layer->size, dim = layer->in / heads;

    return (lm_block){.norm = LM_NORM_LAYER,
                      .eps = EPS,
                      .heads = heads,
                      .kv_heads = heads,
                      .head_dim = dim,
                      .scale = 1 / sqrtf((float)dim),
                      .mask = LM_MASK_FULL,
                      .position = LM_POSITION_NONE,
                      .inner = (size_t)layer->options.inner,
                      .act = layer->act};
}

/* ---- The tape: of each layer its own, and its output; then a gradient ---- */

static size_t
block_tape(const lm_layer *layer, const lm_net_batch *batch)
{
    const lm_block block = block_of(layer);
    const size_t tokens = batch->graded ? batch->tokens : batch->longest;

    return (lm_block_tape(&block, layer->in, tokens, batch->longest) + 15) / 16 * 16;
}

static size_t
row_floats(const lm_layer *layer, const lm_net_batch *batch)
{
    return (batch->tokens * layer->in + 15) / 16 * 16;
}

static size_t
tape(const lm_layer *layer, const lm_net_batch *batch)
{
    return (size_t)layer->options.layers * (block_tape(layer, batch) + row_floats(layer, batch)) +
           row_floats(layer, batch);
}

/* ---- Passes ---- */

static lm_block_weights
weights_of(const lm_layer_run *run, size_t l)
{
    const float *const *v = run->values + l * EACH;
    const lm_norm first = {LM_NORM_LAYER, v[8], v[9], EPS},
                  second = {LM_NORM_LAYER, v[10], v[11], EPS};
    lm_block_weights w = {.qkv = v[0],
                          .qkv_bias = v[1],
                          .output = v[2],
                          .output_bias = v[3],
                          .up = v[4],
                          .up_bias = v[5],
                          .down = v[6],
                          .down_bias = v[7]};

    if (run->layer->options.norm_first) {
        w.attention.before = first;
        w.ffn.before = second;
    } else {
        w.attention.after = first;
        w.ffn.after = second;
    }
    return w;
}

static lm_block_gradients
gradients_of(const lm_layer_run *run, size_t l)
{
    static float *const none[EACH] = {NULL};
    float *const *g = run->grads ? run->grads + l * EACH : none;
    const lm_norm_gradients first = {g[8], g[9]}, second = {g[10], g[11]};
    lm_block_gradients w = {.qkv = g[0],
                            .qkv_bias = g[1],
                            .output = g[2],
                            .output_bias = g[3],
                            .up = g[4],
                            .up_bias = g[5],
                            .down = g[6],
                            .down_bias = g[7]};

    if (run->layer->options.norm_first) {
        w.attention.before = first;
        w.ffn.before = second;
    } else {
        w.attention.after = first;
        w.ffn.after = second;
    }
    return w;
}

static lm_block_run
run_of(const lm_layer_run *run, const lm_block *block, const lm_block_weights *weights, size_t l)
{
    const lm_net_batch *batch = run->batch;

    return (lm_block_run){
        .ctx = run->ctx,
        .kernels = run->kernels,
        .block = block,
        .weights = weights,
        .width = run->layer->in,
        .tokens = batch->tokens,
        .texts = batch->texts,
        .longest = batch->longest,
        .offsets = batch->offsets,
        .rounded = run->rounded,
        .tape = run->tape + l * (block_tape(run->layer, batch) + row_floats(run->layer, batch)),
    };
}

/* Behind the layer's tape. */
static float *
output_of(const lm_layer_run *run, size_t l)
{
    const size_t tape = block_tape(run->layer, run->batch),
                 rows = row_floats(run->layer, run->batch);

    return l + 1 == (size_t)run->layer->options.layers ? run->y
                                                       : run->tape + l * (tape + rows) + tape;
}

static lm_status
each_text(lm_block_run block, const lm_net_batch *batch, const float *x, float *y)
{
    for (size_t text = 0; text < batch->texts; text++) {
        const size_t row = batch->offsets[text] * block.width;
        const size_t offsets[] = {0, batch->offsets[text + 1] - batch->offsets[text]};

        block.tokens = block.longest = offsets[1];
        block.texts = 1;
        block.offsets = offsets;
        LM_TRY(lm_block_forward(&block, x + row, y + row));
    }
    return LM_OK;
}

static lm_status
forward(const lm_layer_run *run)
{
    const lm_block block = block_of(run->layer);
    const float *x = run->x;

    for (size_t l = 0; l < (size_t)run->layer->options.layers; l++) {
        const lm_block_weights weights = weights_of(run, l);
        const lm_block_run layer = run_of(run, &block, &weights, l);
        float *y = output_of(run, l);

        LM_TRY(run->batch->graded ? lm_block_forward(&layer, x, y)
                                  : each_text(layer, run->batch, x, y));
        x = y;
    }
    return LM_OK;
}

/* Gradients go to and fro between dy and a room of their own, and end in dx. */
static lm_status
backward(const lm_layer_run *run, float *dy, float *dx)
{
    const lm_block block = block_of(run->layer);
    const size_t layers = (size_t)run->layer->options.layers;
    float *room = run->tape + layers * (block_tape(run->layer, run->batch) +
                                        row_floats(run->layer, run->batch));

    for (size_t l = layers; l > 0;) {
        l--;
        const lm_block_weights weights = weights_of(run, l);
        const lm_block_gradients gradients = gradients_of(run, l);
        const lm_block_run layer = run_of(run, &block, &weights, l);
        float *to = l == 0 && dx ? dx : room;

        LM_TRY(
            lm_block_backward(&layer, l > 0 ? output_of(run, l - 1) : run->x, dy, to, &gradients));
        if (l > 0) {
            room = dy;
            dy = to;
        }
    }
    return LM_OK;
}

const lm_layer_kind lm_layer_transformer = {
    .name = "transformer",
    .low = 1,
    .high = 256,
    .options = options,
    .option_count = 4,
    .acts = {LM_ACT_RELU, LM_ACT_GELU},
    .act_count = 2,
    .shapes = shapes,
    .params = params,
    .tape = tape,
    .forward = forward,
    .backward = backward,
};
