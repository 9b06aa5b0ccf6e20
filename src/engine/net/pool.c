/*
 * pool.c - tokens of a text to one row: {"pool": "mean"}, "max", "first", "last"; "final", the last
 * state of each direction of a recurrent layer; or "attention" (Bahdanau et al. 2015), a mean by
 * weights softmax(v · tanh(W x + b)): project.weight (D, D), project.bias (D), context.weight (1,
 * D). Its weights are read by lm_net_attention.
 */
#include <math.h>
#include <string.h>

#include "net/kinds.h"
#include "nn/grad.h"

static const char *const words[] = {"mean", "max", "first", "last", "final", "attention", NULL};

enum { POOL_MEAN, POOL_MAX, POOL_FIRST, POOL_LAST, POOL_FINAL, POOL_ATTENTION };

static const char *
shapes(lm_layer *layer)
{
    return layer->pooled ? "the texts are pooled already" : NULL;
}

static size_t
params(const lm_layer *layer, lm_net_param *params)
{
    const size_t width = layer->in;
    const float spread = 1 / sqrtf((float)width);

    if (layer->size != POOL_ATTENTION)
        return 0;
    if (params) {
        params[0] = lm_net_matrix("project.weight", width, width, spread);
        params[1] = lm_net_vector("project.bias", width, 0, spread);
        params[2] = lm_net_matrix("context.weight", 1, width, spread);
    }
    return 3;
}

/* Of attention: weights (T), their gradients (T), tanh (T, D), its gradient (T, D). Of the
 * greatest: its token (B, D). */
static size_t
tape(const lm_layer *layer, const lm_net_batch *batch)
{
    const size_t rows = (batch->tokens + 15) / 16 * 16, width = layer->in;

    if (layer->size == POOL_ATTENTION)
        return 2 * rows + 2 * rows * width;
    return layer->size == POOL_MAX ? batch->texts * width : 0;
}

/* ---- One text: rows x (tokens, width) to y (width), and back ---- */

/* A place in a text that a half of the row is taken from. */
static size_t
taken(const lm_layer *layer, size_t tokens, size_t column)
{
    const bool backwards = layer->both && column >= layer->in / 2;

    if (layer->size == POOL_FINAL)
        return backwards ? 0 : tokens - 1;
    return layer->size == POOL_LAST ? tokens - 1 : 0;
}

static void
pool_max(size_t tokens, size_t width, const float *x, float *y, uint32_t *from)
{
    for (size_t i = 0; i < width; i++) {
        size_t best = 0;

        for (size_t t = 1; t < tokens; t++)
            if (x[t * width + i] > x[best * width + i])
                best = t;
        from[i] = (uint32_t)best;
        y[i] = x[best * width + i];
    }
}

static void
pool_weighed(size_t tokens, size_t width, const float *weights, const float *x, float *y)
{
    memset(y, 0, width * sizeof *y);
    for (size_t t = 0; t < tokens; t++)
        for (size_t i = 0; i < width; i++)
            y[i] += weights[t] * x[t * width + i];
}

static void
pool_text(const lm_layer_run *run, size_t text, const float *x, float *y)
{
    const lm_layer *layer = run->layer;
    const size_t width = layer->in, first = run->batch->offsets[text];
    const size_t tokens = run->batch->offsets[text + 1] - first;

    if (layer->size == POOL_MEAN)
        run->kernels->mean_rows_f32(tokens, width, x, y);
    else if (layer->size == POOL_MAX)
        pool_max(tokens, width, x, y, (uint32_t *)(void *)run->tape + text * width);
    else if (layer->size == POOL_ATTENTION) {
        run->kernels->softmax_f32(tokens, run->tape + first);
        pool_weighed(tokens, width, run->tape + first, x, y);
    } else
        for (size_t i = 0; i < width; i++)
            y[i] = x[taken(layer, tokens, i) * width + i];
}

static void
text_back(const lm_layer_run *run, size_t text, const float *dy, float *dx)
{
    const lm_layer *layer = run->layer;
    const size_t width = layer->in;
    const size_t tokens = run->batch->offsets[text + 1] - run->batch->offsets[text];
    const uint32_t *from = (const uint32_t *)(const void *)run->tape + text * width;

    for (size_t i = 0; i < width; i++)
        if (layer->size != POOL_MEAN)
            dx[(layer->size == POOL_MAX ? from[i] : taken(layer, tokens, i)) * width + i] = dy[i];
        else
            for (size_t t = 0; t < tokens; t++)
                dx[t * width + i] = dy[i] / (float)tokens;
}

/* ---- Attention ---- */

typedef struct scored {
    float *weights, *dweights, *active, *dactive;
} scored;

static scored
parts_of(const lm_layer_run *run)
{
    const size_t rows = (run->batch->tokens + 15) / 16 * 16;
    float *active = run->tape + 2 * rows;

    return (scored){run->tape, run->tape + rows, active, active + rows * run->layer->in};
}

/* Scores of all tokens, in the weights' place. */
static lm_status
score(const lm_layer_run *run)
{
    const scored s = parts_of(run);
    const size_t tokens = run->batch->tokens;

    LM_TRY(lm_layer_multiply(run, 0, tokens, run->x, run->values[1], LM_ACT_TANH, s.active));
    return lm_layer_multiply(run, 2, tokens, s.active, NULL, LM_ACT_NONE, s.weights);
}

/* Gradients of scores, from dy; and what comes to x of the weighed sum. */
static void
weights_back(const lm_layer_run *run, const scored *s, size_t text, const float *dy, float *dx)
{
    const size_t width = run->layer->in, first = run->batch->offsets[text];
    const size_t tokens = run->batch->offsets[text + 1] - first;

    for (size_t t = first; t < first + tokens; t++) {
        s->dweights[t] = run->kernels->dot_f32(width, dy, run->x + t * width);
        for (size_t i = 0; dx && i < width; i++)
            dx[t * width + i] = s->weights[t] * dy[i];
    }
    lm_softmax_backward(tokens, s->weights + first, s->dweights + first, s->dweights + first);
}

static lm_status
attention_back(const lm_layer_run *run, const float *dy, float *dx)
{
    const size_t width = run->layer->in, tokens = run->batch->tokens;
    const scored s = parts_of(run);

    for (size_t text = 0; text < run->batch->texts; text++)
        weights_back(run, &s, text, dy + text * width, dx);
    LM_TRY(lm_layer_weight_grads(run, 2, tokens, s.active, s.dweights, NULL));
    LM_TRY(lm_layer_input_grads(run, 2, tokens, s.dweights, s.dactive));
    for (size_t i = 0; i < tokens * width; i++)
        s.dactive[i] *= 1 - s.active[i] * s.active[i];
    LM_TRY(lm_layer_weight_grads(run, 0, tokens, run->x, s.dactive, lm_layer_grad(run, 1)));
    LM_TRY(lm_layer_input_grads(run, 0, tokens, s.dactive, s.active));
    for (size_t i = 0; dx && i < tokens * width; i++)
        dx[i] += s.active[i];
    return LM_OK;
}

static lm_status
forward(const lm_layer_run *run)
{
    const size_t width = run->layer->in;

    if (run->layer->size == POOL_ATTENTION)
        LM_TRY(score(run));
    for (size_t text = 0; text < run->batch->texts; text++)
        pool_text(run, text, run->x + run->batch->offsets[text] * width, run->y + text * width);
    return lm_poll(run->ctx);
}

static lm_status
backward(const lm_layer_run *run, float *dy, float *dx)
{
    const size_t width = run->layer->in;

    if (run->layer->size == POOL_ATTENTION)
        return attention_back(run, dy, dx);
    if (!dx)
        return LM_OK;
    memset(dx, 0, run->batch->tokens * width * sizeof *dx);
    for (size_t text = 0; text < run->batch->texts; text++)
        text_back(run, text, dy + text * width, dx + run->batch->offsets[text] * width);
    return lm_poll(run->ctx);
}

const lm_layer_kind lm_layer_pool = {
    .name = "pool",
    .named = true,
    .words = words,
    .pools = true,
    .shapes = shapes,
    .params = params,
    .tape = tape,
    .forward = forward,
    .backward = backward,
};
