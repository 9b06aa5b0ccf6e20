/*
 * attention_grad.c - attention of one text over plain float32, and its gradients. Some queries of a
 * head at a time: what the forward pass computed of them is computed again, so that nothing of the
 * size of all scores is ever kept (as Dao et al. 2022 do it).
 */
#include <string.h>

#include "nn/grad.h"

/* Queries that are computed together. */
#define QUERIES ((size_t)64)

/* Some queries of a head. */
typedef struct query_block {
    const lm_attend *args;
    size_t head, first, rows;
    size_t ld;        /* of qkv */
    size_t q, k, v;   /* columns */
    float *weights;   /* (rows, tokens) */
    float *gradients; /* the same of them, behind */
    float *placed;    /* what places add to scores; later the weights that dropout leaves */
} query_block;

size_t
lm_attend_room(size_t tokens)
{
    return 3 * QUERIES * tokens;
}

static query_block
block_of(const lm_attend *args, size_t head, size_t first)
{
    size_t left = args->tokens - first, group = args->heads / args->kv_heads;
    size_t keys = args->heads * args->head_dim + head / group * args->head_dim;

    return (query_block){
        .args = args,
        .head = head,
        .first = first,
        .rows = left < QUERIES ? left : QUERIES,
        .ld = (args->heads + 2 * args->kv_heads) * args->head_dim,
        .q = head * args->head_dim,
        .k = keys,
        .v = keys + args->kv_heads * args->head_dim,
        .weights = args->room,
        .gradients = args->room + QUERIES * args->tokens,
        .placed = args->room + 2 * QUERIES * args->tokens,
    };
}

/* The keys that a query sees: first … end − 1. */
static void
seen_keys(const lm_attend *args, size_t query, size_t *first, size_t *end)
{
    bool bounded =
        args->mask == LM_MASK_WINDOW || (args->mask == LM_MASK_CAUSAL && args->window > 0);

    *first = bounded && query > args->window ? query - args->window : 0;
    *end = args->tokens;
    if (args->mask == LM_MASK_CAUSAL)
        *end = query + 1;
    else if (args->mask == LM_MASK_WINDOW && args->window < args->tokens - 1 - query)
        *end = query + args->window + 1;
}

/* scale · (rows, head_dim) · (tokens, head_dim)ᵀ, from columns of a and b, into scores. */
static lm_status
multiply_keys(lm_context *ctx, const query_block *b, float scale, const float *rows, size_t ldr,
              const float *keys, float *scores)
{
    const lm_sgemm product = {
        .transpose_b = true,
        .m = b->rows,
        .n = b->args->tokens,
        .k = b->args->head_dim,
        .alpha = scale,
        .a = rows,
        .lda = ldr,
        .b = keys,
        .ldb = b->ld,
        .c = scores,
        .ldc = b->args->tokens,
        .ctx = ctx,
    };

    return lm_blas_sgemm(&product);
}

/* Scores get what the distances of some queries from all keys add. */
static void
add_places(const query_block *b, const float *qkv)
{
    lm_nn_disentangled places = *b->args->places;
    lm_attention call = {
        .queries = b->rows,
        .keys = b->args->tokens,
        .head_dim = b->args->head_dim,
        .q = qkv + b->first * b->ld + b->q,
        .ldq = b->ld,
        .k = qkv + b->k,
        .ldkv = b->ld,
        .first_query = b->first,
        .scale = b->args->scale,
    };
    const lm_kernels *kernels = b->args->kernels;

    places.bias = b->placed;
    lm_nn_disentangle(kernels, &places, b->head, &call);
    kernels->add_f32(b->rows * b->args->tokens, b->weights, b->placed, NULL, b->weights);
}

/* From scores to weights: bias, mask and softmax. */
static void
weigh(const query_block *b)
{
    const lm_attend *args = b->args;
    size_t distances = args->bias_positions > 0 ? 2 * args->bias_positions - 1 : 0, first, end;

    for (size_t i = 0; i < b->rows; i++) {
        float *row = b->weights + i * args->tokens;
        size_t query = b->first + i;
        const float *bias =
            args->bias ? args->bias + b->head * distances + args->bias_positions - 1 - query : NULL;

        seen_keys(args, query, &first, &end);
        for (size_t j = first; bias && j < end; j++)
            row[j] += bias[j];
        args->kernels->softmax_f32(end - first, row + first);
        memset(row, 0, first * sizeof *row);
        memset(row + end, 0, (args->tokens - end) * sizeof *row);
    }
}

static lm_status
compute_weights(lm_context *ctx, const query_block *b, const float *qkv)
{
    LM_TRY(multiply_keys(ctx, b, b->args->scale, qkv + b->first * b->ld + b->q, b->ld, qkv + b->k,
                         b->weights));
    if (b->args->places)
        add_places(b, qkv);
    weigh(b);
    return LM_OK;
}

/* Dropout of one row a query, by the counter of its text, itself and its head. */
static void
drop_rows(const query_block *b, const float *x, float *y)
{
    const lm_attend *args = b->args;

    for (size_t i = 0; i < b->rows; i++)
        lm_dropout_row(args->dropout, args->noise + (b->first + i) * args->heads + b->head,
                       args->tokens, x + i * args->tokens, y + i * args->tokens);
}

/* The weights that dropout leaves. */
static const float *
kept_weights(const query_block *b)
{
    if (!b->args->dropout)
        return b->weights;
    drop_rows(b, b->weights, b->placed);
    return b->placed;
}

/* out (rows, head_dim) = alpha · a (rows, tokens) · columns of qkv. */
static lm_status
mix_rows(lm_context *ctx, const query_block *b, float alpha, const float *a, const float *columns,
         float *out, size_t ldo)
{
    const lm_sgemm product = {
        .m = b->rows,
        .n = b->args->head_dim,
        .k = b->args->tokens,
        .alpha = alpha,
        .a = a,
        .lda = b->args->tokens,
        .b = columns,
        .ldb = b->ld,
        .c = out,
        .ldc = ldo,
        .ctx = ctx,
    };

    return lm_blas_sgemm(&product);
}

/* out (tokens, head_dim) += alpha · aᵀ (tokens, rows) · x (rows, head_dim). */
static lm_status
add_to_keys(lm_context *ctx, const query_block *b, float alpha, const float *a, const float *x,
            size_t ldx, float *out)
{
    const lm_sgemm product = {
        .transpose_a = true,
        .m = b->args->tokens,
        .n = b->args->head_dim,
        .k = b->rows,
        .alpha = alpha,
        .a = a,
        .lda = b->args->tokens,
        .b = x,
        .ldb = ldx,
        .beta = 1,
        .c = out,
        .ldc = b->ld,
        .ctx = ctx,
    };

    return lm_blas_sgemm(&product);
}

lm_status
lm_attend_forward(lm_context *ctx, const lm_attend *args, const float *qkv, float *out)
{
    size_t width = args->heads * args->head_dim;

    for (size_t head = 0; head < args->heads; head++)
        for (size_t first = 0; first < args->tokens; first += QUERIES) {
            const query_block b = block_of(args, head, first);

            LM_TRY(lm_poll(ctx));
            LM_TRY(compute_weights(ctx, &b, qkv));
            LM_TRY(mix_rows(ctx, &b, 1, kept_weights(&b), qkv + b.v, out + first * width + b.q,
                            width));
        }
    return LM_OK;
}

/* From gradients of weights to those of scores, and what these are to the bias. */
static void
scores_backward(const query_block *b, float *dbias)
{
    const lm_attend *args = b->args;
    size_t distances = 2 * args->bias_positions - 1;

    for (size_t i = 0; i < b->rows; i++) {
        float *row = b->gradients + i * args->tokens;
        float *bias = dbias && args->bias
                          ? dbias + b->head * distances + args->bias_positions - 1 - (b->first + i)
                          : NULL;

        lm_softmax_backward(args->tokens, b->weights + i * args->tokens, row, row);
        for (size_t j = 0; bias && j < args->tokens; j++)
            bias[j] += row[j];
    }
}

/* out (width) += scale · x. */
static void
add_scaled(size_t width, float scale, const float *x, float *out)
{
    for (size_t i = 0; i < width; i++)
        out[i] += scale * x[i];
}

/* What scores of places are to queries and keys of tokens. */
static void
places_backward(const query_block *b, float *dqkv)
{
    const lm_attend *args = b->args;
    const lm_nn_disentangled *places = args->places;
    const size_t width = args->head_dim;

    for (size_t i = 0; i < b->rows; i++) {
        const int32_t *index = places->index + places->positions - 1 + b->first + i;
        const float *gradients = b->gradients + i * args->tokens;

        for (size_t j = 0; j < args->tokens; j++) {
            const float *row = places->rows + b->q + (size_t) * (index - j) * places->ld;
            float gradient = args->scale * gradients[j];

            if (places->content_to_place)
                add_scaled(width, gradient, row + places->key_column,
                           dqkv + (b->first + i) * b->ld + b->q);
            if (places->place_to_content)
                add_scaled(width, gradient, row, dqkv + j * b->ld + b->k);
        }
    }
}

static lm_status
block_backward(lm_context *ctx, const query_block *b, const float *qkv, const float *dout,
               float *dqkv, float *dbias)
{
    size_t width = b->args->heads * b->args->head_dim;
    float scale = b->args->scale;

    dout += b->first * width + b->q;
    LM_TRY(compute_weights(ctx, b, qkv));
    LM_TRY(multiply_keys(ctx, b, 1, dout, width, qkv + b->v, b->gradients));
    LM_TRY(add_to_keys(ctx, b, 1, kept_weights(b), dout, width, dqkv + b->v));
    if (b->args->dropout)
        drop_rows(b, b->gradients, b->gradients);
    scores_backward(b, dbias);
    LM_TRY(
        mix_rows(ctx, b, scale, b->gradients, qkv + b->k, dqkv + b->first * b->ld + b->q, b->ld));
    LM_TRY(add_to_keys(ctx, b, scale, b->gradients, qkv + b->first * b->ld + b->q, b->ld,
                       dqkv + b->k));
    if (b->args->places)
        places_backward(b, dqkv);
    return LM_OK;
}

/* Heads that share keys add up in these. */
lm_status
lm_attend_backward(lm_context *ctx, const lm_attend *args, const float *qkv, const float *dout,
                   float *dqkv, float *dbias)
{
    size_t width = (args->heads + 2 * args->kv_heads) * args->head_dim;

    memset(dqkv, 0, args->tokens * width * sizeof *dqkv);
    for (size_t head = 0; head < args->heads; head++)
        for (size_t first = 0; first < args->tokens; first += QUERIES) {
            const query_block b = block_of(args, head, first);

            LM_TRY(lm_poll(ctx));
            LM_TRY(block_backward(ctx, &b, qkv, dout, dqkv, dbias));
        }
    return LM_OK;
}
