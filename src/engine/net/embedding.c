/*
 * embedding.c - a vector for each word, as torch.nn.Embedding: weight (V, D).
 */
#include <string.h>

#include "net/kinds.h"

static const lm_option options[] = {
    LM_OPTION(lm_layer_options, dropout, FLOAT, 0, 0.99, "a number from 0 to 0.99"),
    LM_OPTION(lm_layer_options, trainable, BOOL, 0, 1, "true or false"),
};

static const char *
shapes(lm_layer *layer)
{
    layer->out = layer->size;
    return layer->place == 0 ? NULL : "an embedding is the first layer, and no other is";
}

/* `in` is the vocabulary's size. */
static size_t
params(const lm_layer *layer, lm_net_param *params)
{
    if (params) {
        params[0] = lm_net_matrix("weight", layer->in, layer->size, 1);
        params[0].normal = params[0].table = true;
        params[0].product = false;
        params[0].frozen = !layer->options.trainable;
    }
    return 1;
}

static bool
drops(const lm_layer_run *run)
{
    return run->batch->training && run->layer->options.dropout > 0;
}

static lm_status
forward(const lm_layer_run *run)
{
    const lm_net_batch *batch = run->batch;
    const size_t width = run->layer->out;

    for (size_t i = 0; i < batch->tokens; i++)
        memcpy(run->y + i * width, run->values[0] + (size_t)batch->ids[i] * width,
               width * sizeof *run->y);
    if (drops(run))
        lm_layer_drop(run, 0, false, width, run->y, run->y);
    return lm_poll(run->ctx);
}

static lm_status
backward(const lm_layer_run *run, float *dy, float *dx)
{
    const lm_net_batch *batch = run->batch;
    const size_t width = run->layer->out;
    float *grad = lm_layer_grad(run, 0);

    if (!grad || !run->layer->options.trainable)
        return LM_OK;
    if (drops(run))
        lm_layer_drop(run, 0, false, width, dy, dy);
    for (size_t i = 0; i < batch->tokens; i++) {
        float *row = grad + (size_t)batch->ids[i] * width;

        for (size_t j = 0; j < width; j++)
            row[j] += dy[i * width + j];
        if (run->touched && run->touched[0])
            run->touched[0][batch->ids[i]] = 1;
    }
    return lm_poll(run->ctx);
}

const lm_layer_kind lm_layer_embedding = {
    .name = "embedding",
    .low = 1,
    .high = 8192,
    .options = options,
    .option_count = 2,
    .shapes = shapes,
    .params = params,
    .forward = forward,
    .backward = backward,
};
