/*
 * linear.c - y = act(x · weightᵀ + bias), as torch.nn.Linear with a function behind it.
 */
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "net/kinds.h"
#include "nn/grad.h"

static const lm_option options[] = {
    LM_OPTION(lm_layer_options, activation, TEXT, 0, 0, "none, relu, tanh, gelu or silu"),
};

static const char *
shapes(lm_layer *layer)
{
    layer->out = layer->size;
    return NULL;
}

static size_t
params(const lm_layer *layer, lm_net_param *params)
{
    const float spread = 1 / sqrtf((float)layer->in);

    if (params) {
        params[0] = lm_net_matrix("weight", layer->out, layer->in, spread);
        params[1] = lm_net_vector("bias", layer->out, 0, spread);
    }
    return 2;
}

/* What comes before the activation, and its gradient. */
static size_t
tape(const lm_layer *layer, const lm_net_batch *batch)
{
    return layer->act == LM_ACT_NONE ? 0 : lm_layer_rows(layer, batch) * layer->out;
}

static lm_status
forward(const lm_layer_run *run)
{
    const lm_layer *layer = run->layer;
    const size_t count = run->rows * layer->out;

    if (layer->act == LM_ACT_NONE)
        return lm_layer_multiply(run, 0, run->rows, run->x, run->values[1], LM_ACT_NONE, run->y);
    LM_TRY(lm_layer_multiply(run, 0, run->rows, run->x, run->values[1], LM_ACT_NONE, run->tape));
    memcpy(run->y, run->tape, count * sizeof *run->y);
    run->kernels->activate_f32(layer->act, count, run->y);
    return LM_OK;
}

static lm_status
backward(const lm_layer_run *run, float *dy, float *dx)
{
    const lm_layer *layer = run->layer;

    if (layer->act != LM_ACT_NONE)
        LM_TRY(
            lm_activate_backward(run->ctx, layer->act, run->rows * layer->out, run->tape, dy, dy));
    LM_TRY(lm_layer_weight_grads(run, 0, run->rows, run->x, dy, lm_layer_grad(run, 1)));
    return lm_layer_input_grads(run, 0, run->rows, dy, dx);
}

const lm_layer_kind lm_layer_linear = {
    .name = "linear",
    .low = 1,
    .high = 65536,
    .options = options,
    .option_count = 1,
    .acts = {LM_ACT_NONE, LM_ACT_RELU, LM_ACT_TANH, LM_ACT_GELU, LM_ACT_SILU},
    .act_count = 5,
    .by_row = true,
    .shapes = shapes,
    .params = params,
    .tape = tape,
    .forward = forward,
    .backward = backward,
};
