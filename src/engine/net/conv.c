/*
 * conv.c - a convolution over tokens, as torch.nn.Conv1d with padding="same": weight (out, in,
 * width), bias (out). What is beyond a text is 0. {"conv": 64, "kernel": 3, "activation": "relu"}.
 */
#include <math.h>
#include <string.h>

#include "net/kinds.h"
#include "nn/grad.h"

static const lm_option options[] = {
    LM_OPTION(lm_layer_options, kernel, INT, 1, 63, "a whole number from 1 to 63"),
    LM_OPTION(lm_layer_options, activation, TEXT, 0, 0, "none, relu, tanh, gelu or silu"),
};

static const char *
shapes(lm_layer *layer)
{
    layer->out = layer->size;
    return layer->pooled ? "a convolution is over tokens, and the texts are pooled before it"
                         : NULL;
}

static size_t
params(const lm_layer *layer, lm_net_param *params)
{
    const size_t width = (size_t)layer->options.kernel, columns = layer->in * width;
    const float spread = 1 / sqrtf((float)columns);

    if (params) {
        params[0] = lm_net_matrix("weight", layer->out, columns, spread);
        params[0].rank = 3;
        params[0].shape[1] = layer->in;
        params[0].shape[2] = width;
        params[1] = lm_net_vector("bias", layer->out, 0, spread);
    }
    return 2;
}

/* Windows, and what comes before the activation. */
static size_t
tape(const lm_layer *layer, const lm_net_batch *batch)
{
    return batch->tokens * (layer->in * (size_t)layer->options.kernel + layer->out);
}

/* Windows of a text's tokens, column c · kernel + j: number c of the token j − left away; or, back,
 * their gradients added to dx. */
static void
windows_of_text(const lm_layer *layer, size_t tokens, const float *x, float *windows, float *dx)
{
    const size_t in = layer->in, kernel = (size_t)layer->options.kernel, left = (kernel - 1) / 2;

    for (size_t i = 0; i < tokens; i++)
        for (size_t j = 0; j < kernel; j++) {
            const bool inside = i + j >= left && i + j - left < tokens;
            const size_t from = inside ? (i + j - left) * in : 0;
            float *window = windows + i * in * kernel + j;

            for (size_t c = 0; c < in; c++)
                if (!dx)
                    window[c * kernel] = inside ? x[from + c] : 0;
                else if (inside)
                    dx[from + c] += window[c * kernel];
        }
}

static lm_status
windows_of(const lm_layer_run *run, const float *x, float *dx)
{
    const lm_net_batch *batch = run->batch;
    const size_t in = run->layer->in, columns = in * (size_t)run->layer->options.kernel;

    for (size_t text = 0; text < batch->texts; text++) {
        const size_t first = batch->offsets[text];

        windows_of_text(run->layer, batch->offsets[text + 1] - first, x ? x + first * in : NULL,
                        run->tape + first * columns, dx ? dx + first * in : NULL);
        LM_TRY(lm_poll(run->ctx));
    }
    return LM_OK;
}

static float *
before(const lm_layer_run *run)
{
    return run->tape + run->rows * run->layer->in * (size_t)run->layer->options.kernel;
}

static lm_status
forward(const lm_layer_run *run)
{
    const size_t count = run->rows * run->layer->out;

    LM_TRY(windows_of(run, run->x, NULL));
    LM_TRY(
        lm_layer_multiply(run, 0, run->rows, run->tape, run->values[1], LM_ACT_NONE, before(run)));
    memcpy(run->y, before(run), count * sizeof *run->y);
    run->kernels->activate_f32(run->layer->act, count, run->y);
    return LM_OK;
}

/* Windows' gradients may take the windows' place once those of the weight are there. */
static lm_status
backward(const lm_layer_run *run, float *dy, float *dx)
{
    const lm_layer *layer = run->layer;

    if (layer->act != LM_ACT_NONE)
        LM_TRY(lm_activate_backward(run->ctx, layer->act, run->rows * layer->out, before(run), dy,
                                    dy));
    LM_TRY(lm_layer_weight_grads(run, 0, run->rows, run->tape, dy, lm_layer_grad(run, 1)));
    if (!dx)
        return LM_OK;
    LM_TRY(lm_layer_input_grads(run, 0, run->rows, dy, run->tape));
    memset(dx, 0, run->rows * layer->in * sizeof *dx);
    return windows_of(run, NULL, dx);
}

const lm_layer_kind lm_layer_conv = {
    .name = "conv",
    .low = 1,
    .high = 8192,
    .options = options,
    .option_count = 2,
    .acts = {LM_ACT_NONE, LM_ACT_RELU, LM_ACT_TANH, LM_ACT_GELU, LM_ACT_SILU},
    .act_count = 5,
    .shapes = shapes,
    .params = params,
    .tape = tape,
    .forward = forward,
    .backward = backward,
};
