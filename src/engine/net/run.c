/*
 * run.c - layer after layer, and back.
 *
 * The room: of each layer its output and its tape, then two gradients of the greatest width between
 * which the backward pass goes to and fro.
 */
#include "net/run.h"
#include "net/recurrent.h"

#include <string.h>

void
lm_net_order(lm_net_batch *batch, size_t *order, size_t *steps)
{
    const size_t longest = lm_net_longest(batch->texts, batch->offsets);

    memset(steps, 0, (longest + 1) * sizeof *steps);
    for (size_t b = 0; b < batch->texts; b++)
        steps[batch->offsets[b + 1] - batch->offsets[b]]++;
    /* How many are longer. */
    for (size_t l = longest + 1, longer = 0; l > 0; l--) {
        const size_t here = steps[l - 1];

        steps[l - 1] = longer;
        longer += here;
    }
    /* Then how many are at least as long: the rows of the step before. */
    for (size_t b = 0; b < batch->texts; b++)
        order[steps[batch->offsets[b + 1] - batch->offsets[b]]++] = b;
    steps[0] = 0;
    for (size_t l = 1; l <= longest; l++)
        steps[l] += steps[l - 1];
    batch->order = order;
    batch->steps = steps;
    batch->longest = longest;
}

size_t
lm_net_longest(size_t texts, const size_t *offsets)
{
    size_t longest = 0;

    for (size_t b = 0; b < texts; b++)
        if (offsets[b + 1] - offsets[b] > longest)
            longest = offsets[b + 1] - offsets[b];
    return longest;
}

/* ---- The room ---- */

typedef struct layout {
    float *outputs[LM_NET_LAYERS_MAX + 1], *tapes[LM_NET_LAYERS_MAX + 1];
    float *gradients[2];
    size_t size;
} layout;

static size_t
rows_behind(const lm_layer *layer, const lm_net_batch *batch)
{
    return layer->kind->pools ? batch->texts : lm_layer_rows(layer, batch);
}

static layout
lay_room(const lm_net *net, const lm_net_batch *batch, float *base)
{
    layout l = {.size = 0};
    size_t widest = 0;

    for (size_t i = 0; i < net->layer_count; i++) {
        const lm_layer *layer = &net->layers[i];
        const size_t count = rows_behind(layer, batch) * layer->out;

        l.outputs[i] = lm_net_lay(base, &l.size, count);
        l.tapes[i] =
            lm_net_lay(base, &l.size, layer->kind->tape ? layer->kind->tape(layer, batch) : 0);
        widest = count > widest ? count : widest;
    }
    for (int i = 0; i < 2; i++)
        l.gradients[i] = lm_net_lay(base, &l.size, batch->graded ? widest : 0);
    return l;
}

#define WIDEST_ROW ((size_t)1 << 24) /* numbers that a token can take, by the options' ranges */

lm_status
lm_net_room(lm_context *ctx, const lm_net *net, const lm_net_batch *batch, size_t *bytes)
{
    if (batch->tokens > SIZE_MAX / sizeof(float) / WIDEST_ROW / LM_NET_LAYERS_MAX)
        return lm_raise(ctx, LM_TOO_LARGE, "the texts have too many tokens");
    *bytes = lay_room(net, batch, NULL).size * sizeof(float) + LM_ALIGNMENT;
    return LM_OK;
}

static float *
base_of(void *room)
{
    return (float *)(void *)(((uintptr_t)room + LM_ALIGNMENT - 1) & ~(uintptr_t)(LM_ALIGNMENT - 1));
}

/* ---- Passes ---- */

static lm_layer_run
run_of(lm_context *ctx, const lm_net *net, const lm_net_weights *weights, const lm_net_batch *batch,
       const layout *l, size_t i)
{
    const lm_layer *layer = &net->layers[i];

    return (lm_layer_run){
        .ctx = ctx,
        .kernels = weights->kernels,
        .layer = layer,
        .params = net->params + layer->first,
        .batch = batch,
        .values = weights->values + layer->first,
        .packed = weights->packed + layer->first,
        .rounded = weights->rounded,
        .rows = lm_layer_rows(layer, batch),
        .x = i > 0 ? l->outputs[i - 1] : NULL,
        .y = l->outputs[i],
        .tape = l->tapes[i],
    };
}

lm_status
lm_net_forward(lm_context *ctx, const lm_net *net, const lm_net_weights *weights,
               const lm_net_batch *batch, void *room, const float **out)
{
    const layout l = lay_room(net, batch, base_of(room));

    for (size_t i = 0; i < net->layer_count; i++) {
        const lm_layer_run run = run_of(ctx, net, weights, batch, &l, i);

        LM_TRY(net->layers[i].kind->forward(&run));
    }
    *out = l.outputs[net->layer_count - 1];
    return LM_OK;
}

float *
lm_net_gradient(const lm_net *net, const lm_net_batch *batch, void *room)
{
    return lay_room(net, batch, base_of(room)).gradients[0];
}

/* Below it no gradient is wanted. */
static size_t
lowest_that_learns(const lm_net *net)
{
    size_t i = 0;

    for (; i + 1 < net->layer_count; i++)
        for (size_t p = 0; p < net->layers[i].count; p++)
            if (!net->params[net->layers[i].first + p].frozen)
                return i;
    return i;
}

lm_status
lm_net_backward(lm_context *ctx, const lm_net *net, const lm_net_weights *weights,
                const lm_net_batch *batch, void *room, const lm_net_grads *grads)
{
    const layout l = lay_room(net, batch, base_of(room));
    const size_t lowest = lowest_that_learns(net);
    float *dy = l.gradients[0], *dx = l.gradients[1];

    for (size_t i = net->layer_count; i > lowest;) {
        i--;
        lm_layer_run run = run_of(ctx, net, weights, batch, &l, i);
        float *other = dy;
        /* A recurrent layer may be spared it; others have it cheaply. */
        const bool wanted = i > lowest || (i > 0 && !net->layers[i].kind->cell);

        run.grads = grads->grads ? grads->grads + net->layers[i].first : NULL;
        run.touched = grads->touched ? grads->touched + net->layers[i].first : NULL;
        LM_TRY(net->layers[i].kind->backward(&run, dy, wanted ? dx : NULL));
        dy = dx;
        dx = other;
    }
    return LM_OK;
}

const lm_layer *
lm_net_stacked(const lm_net *net)
{
    for (size_t i = 0; i < net->layer_count; i++)
        if (net->layers[i].kind->cell)
            return &net->layers[i];
    return NULL;
}

lm_status
lm_net_mix(lm_context *ctx, const lm_net *net, const lm_net_weights *weights,
           const lm_net_batch *batch, void *room, const float *mix, float *out)
{
    const layout l = lay_room(net, batch, base_of(room));
    const size_t place = (size_t)(lm_net_stacked(net) - net->layers);
    const lm_layer_run run = run_of(ctx, net, weights, batch, &l, place);

    return lm_recurrent_mix(&run, mix, out);
}

const float *
lm_net_attention(const lm_net *net, const lm_net_batch *batch, void *room)
{
    const layout l = lay_room(net, batch, base_of(room));

    for (size_t i = 0; i < net->layer_count; i++) {
        const lm_layer *layer = &net->layers[i];

        if (layer->kind->pools && strcmp(layer->kind->words[layer->size], "attention") == 0)
            return l.tapes[i];
    }
    return NULL;
}
