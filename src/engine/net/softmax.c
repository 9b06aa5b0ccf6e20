/*
 * softmax.c - the layer of a language model's softmax, and its loss. The layer hands states on;
 * scores of words are made of them with its parameters, a block of tokens at a time, so that no
 * batch has room for all of them.
 */
#include "net/softmax.h"

#include <math.h>
#include <string.h>

#include "net/kinds.h"
#include "nn/grad.h"
#include "nn/nn.h"

#define BLOCK_ROWS 256
#define BLOCK_SCORES ((size_t)1 << 21) /* numbers of a block, where a row is no longer */

/* ---- The layer: `size` is the vocabulary's ---- */

static size_t
ways_of(const lm_layer *layer)
{
    return layer->both ? 2 : 1;
}

static size_t
params(const lm_layer *layer, lm_net_param *params)
{
    const size_t width = layer->in / ways_of(layer);
    const float spread = 1 / sqrtf((float)width);

    if (params) {
        params[0] = lm_net_matrix("weight", layer->size, width, spread);
        params[1] = lm_net_vector("bias", layer->size, 0, spread);
        params[2] = lm_net_matrix("start", ways_of(layer), width, spread);
        params[2].product = false;
    }
    return 3;
}

const lm_layer_kind lm_layer_softmax = {
    .name = "softmax",
    .plain = true,
    .params = params,
    .forward = lm_layer_hand_on,
    .backward = lm_layer_hand_back,
};

lm_words_softmax
lm_net_softmax(const lm_net *net, const lm_net_weights *weights, const lm_net_grads *grads)
{
    const lm_net_param *p = &net->params[net->softmax];
    const float *const *values = weights->values + net->softmax;
    float *const *to = grads ? grads->grads + net->softmax : (float *const[]){NULL, NULL, NULL};

    return (lm_words_softmax){.kernels = weights->kernels,
                              .words = p->rows,
                              .width = p->columns,
                              .ways = p[2].rows,
                              .packed = weights->packed[net->softmax],
                              .weight = values[0],
                              .bias = values[1],
                              .start = values[2],
                              .dweight = to[0],
                              .dbias = to[1],
                              .dstart = to[2]};
}

/* ---- The loss ---- */

static size_t
block_rows(const lm_words_softmax *s)
{
    const size_t rows = BLOCK_SCORES / s->words;

    if (rows >= BLOCK_ROWS)
        return BLOCK_ROWS;
    return rows > 16 ? rows : 16;
}

size_t
lm_words_room(const lm_words_softmax *s)
{
    return block_rows(s) * (s->words + 2 * s->width);
}

/* A block: tokens first … first + rows − 1 in one direction. */
typedef struct block {
    size_t way, first, rows;
    float *contexts, *dcontexts; /* (rows, H): what predicts, and its gradient */
    float *scores;               /* (rows, V), then their gradient */
} block;

/* The place in states of what predicts a token, or −1: the vector at the start. */
static ptrdiff_t
context_of(const lm_words_softmax *s, const lm_net_batch *batch, size_t way, size_t token,
           size_t *text)
{
    while (batch->offsets[*text + 1] <= token)
        ++*text;
    if (way == 0 ? token == batch->offsets[*text] : token + 1 == batch->offsets[*text + 1])
        return -1;
    return (ptrdiff_t)(((way == 0 ? token - 1 : token + 1) * s->ways + way) * s->width);
}

static void
gather(const lm_words_softmax *s, const lm_net_batch *batch, const block *b, const float *x)
{
    size_t text = 0;

    for (size_t i = 0; i < b->rows; i++) {
        const ptrdiff_t at = context_of(s, batch, b->way, b->first + i, &text);

        memcpy(b->contexts + i * s->width, at < 0 ? s->start + b->way * s->width : x + at,
               s->width * sizeof *x);
    }
}

static void
scatter(const lm_words_softmax *s, const lm_net_batch *batch, const block *b, float *dx)
{
    size_t text = 0;

    for (size_t i = 0; i < b->rows; i++) {
        const ptrdiff_t at = context_of(s, batch, b->way, b->first + i, &text);
        float *to = at < 0 ? s->dstart : dx;

        to = at < 0 && to ? to + b->way * s->width : to ? to + at : NULL;
        for (size_t j = 0; to && j < s->width; j++)
            to[j] += b->dcontexts[i * s->width + j];
    }
}

static lm_status
score(lm_context *ctx, const lm_words_softmax *s, const block *b)
{
    const lm_gemm product = {.m = b->rows,
                             .n = s->words,
                             .k = s->width,
                             .a = b->contexts,
                             .lda = s->width,
                             .packed = s->packed,
                             .bias = s->bias,
                             .c = b->scores,
                             .ldc = s->words};

    return lm_nn_linear(ctx, &s->kernels->products[LM_PRECISION_F32], &product);
}

static lm_status
block_loss(lm_context *ctx, const lm_words_softmax *s, const lm_net_batch *batch, const block *b,
           const float *x, double weight, double *loss, float *dx)
{
    static const lm_cross_entropy_options plain;
    const lm_linear linear = {b->rows, s->width, s->words, s->weight, NULL, NULL};

    gather(s, batch, b, x);
    LM_TRY(score(ctx, s, b));
    LM_TRY(lm_cross_entropy_loss(ctx, s->kernels, s->loss ? s->loss : &plain, b->rows, s->words,
                                 b->scores, batch->ids + b->first, weight, loss,
                                 dx ? b->scores : NULL));
    if (!dx)
        return LM_OK;
    LM_TRY(lm_linear_backward(ctx, &linear, b->contexts, b->scores, b->dcontexts, s->dweight,
                              s->dbias));
    scatter(s, batch, b, dx);
    return LM_OK;
}

lm_status
lm_words_loss(lm_context *ctx, const lm_words_softmax *s, const lm_net_batch *batch, size_t way,
              const float *x, double weight, float *room, double *loss, float *dx)
{
    const size_t most = block_rows(s);
    block b = {.way = way, .contexts = room};

    b.dcontexts = b.contexts + most * s->width;
    b.scores = b.dcontexts + most * s->width;
    for (; b.first < batch->tokens; b.first += b.rows) {
        b.rows = batch->tokens - b.first < most ? batch->tokens - b.first : most;
        LM_TRY(block_loss(ctx, s, batch, &b, x, weight, loss, dx));
    }
    return LM_OK;
}
