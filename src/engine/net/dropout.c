/*
 * dropout.c - numbers left out in training, as torch.nn.Dropout: {"dropout": 0.5}.
 */
#include <string.h>

#include "net/kinds.h"

static const char *
shapes(lm_layer *layer)
{
    layer->options.dropout = layer->number;
    return NULL;
}

static bool
drops(const lm_layer_run *run)
{
    return run->batch->training && run->layer->options.dropout > 0;
}

static lm_status
forward(const lm_layer_run *run)
{
    const size_t width = run->layer->out;

    if (drops(run))
        lm_layer_drop(run, 0, run->layer->pooled, width, run->x, run->y);
    else
        memcpy(run->y, run->x, run->rows * width * sizeof *run->y);
    return lm_poll(run->ctx);
}

static lm_status
backward(const lm_layer_run *run, float *dy, float *dx)
{
    const size_t width = run->layer->out;

    if (drops(run))
        lm_layer_drop(run, 0, run->layer->pooled, width, dy, dx);
    else
        memcpy(dx, dy, run->rows * width * sizeof *dx);
    return lm_poll(run->ctx);
}

const lm_layer_kind lm_layer_dropout = {
    .name = "dropout",
    .low = 0,
    .high = 0.99,
    .by_row = true,
    .shapes = shapes,
    .forward = forward,
    .backward = backward,
};
