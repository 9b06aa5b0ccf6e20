/*
 * attention.h - softmax(scale · Q Kᵀ) V of one text, head by head, by the tiles of one level.
 *
 * For a head, K is packed as weights are and V is copied row by row, padded to whole vectors: both
 * are then read front to back. scale·log₂e goes into one side of the first product, so that the
 * softmax is 2^(s − max). Query rows go in blocks whose scores stay in the second-level cache:
 * scores by tiles, one softmax per row without its division, P·V by tiles, and the division on
 * head_dim numbers instead of on tokens.
 *
 * Both products run over elements of four bytes along their inner dimension: floats, or where a
 * level defines ATTENTION_PAIRS, and the functions that stand below it, pairs of bfloat16.
 */
#include "kernels/generic/functions.h"
#include "kernels/generic/tiles.h"
#include "kernels/levels.h"

enum { BLOCK_ROWS = 48 };
static const float no_bias[TILE_WIDTH];
static const size_t scores_bytes = 384 * 1024;

#ifndef ATTENTION_PAIRS

#define ATTENTION(op) LM_NAME(attention_f32##op)

enum { ATTENTION_GROUP = 1 };

static void
pack_keys(const float *k, size_t ld, size_t tokens, size_t head_dim, float factor, float *out)
{
    LM_NAME(pack_rows_f32)(k, ld, tokens, head_dim, factor, out);
}

static LM_TARGET void
pack_values(const float *v, size_t ld, size_t tokens, size_t head_dim, size_t stride, float *out)
{
    for (size_t i = 0; i < tokens; i++, v += ld, out += stride)
        for (size_t d = 0; d < head_dim; d += VW)
            v_store(out + d, v_load_some(v + d, head_dim - d));
}

/* Queries are read where they are. */
static size_t
query_stride(size_t head_dim)
{
    return 0;
}

static const float *
take_queries(const float *q, size_t *ld, size_t rows, size_t head_dim, float *out)
{
    return q;
}

/* A row of scores to weights, in place; returns their sum. */
static float
weights_of(bool rough, size_t count, float *scores)
{
    return rough ? LM_NAME(exponentials_rough)(count, scores)
                 : LM_NAME(exponentials_f32)(count, scores);
}

#endif

/* What is in the scratch for a text of so many tokens. */
typedef struct layout {
    bool rough;           /* the weights need be no better than those of 16 or 8 bits */
    size_t depth, length; /* head_dim and tokens in elements */
    size_t value_stride;  /* head_dim rounded up to whole vectors */
    size_t score_stride;  /* tokens, rounded up to whole panels */
    size_t width;         /* columns of V that one tile takes: as even as can be */
    size_t block;         /* query rows of one block */
    float *keys;          /* packed */
    float *values;        /* (length, value_stride) elements */
    float *queries;       /* (block, query_stride), if they are converted */
    float *scores;        /* (block, score_stride), then the weights in elements */
    float *sums;          /* (block) of the weights */
    size_t bytes;
} layout;

/* Next so many elements of the scratch, at a cache line's start. */
static float *
take(layout *l, float *scratch, size_t count)
{
    float *start = scratch ? scratch + l->bytes / sizeof(float) : NULL;

    l->bytes += round_up(count, 16) * sizeof(float);
    return start;
}

static layout
arrange(size_t tokens, size_t head_dim, float *scratch)
{
    layout l = {.depth = round_up(head_dim, ATTENTION_GROUP) / ATTENTION_GROUP,
                .length = round_up(tokens, ATTENTION_GROUP) / ATTENTION_GROUP,
                .value_stride = round_up(head_dim, VW),
                .score_stride = round_up(tokens, PANEL)};
    size_t tiles = scores_bytes / sizeof(float) / TILE_ROWS / l.score_stride;

    l.width = VW * tile_rows(l.value_stride / VW, TILE_COLS);
    l.block = at_most(BLOCK_ROWS, TILE_ROWS * (tiles ? tiles : 1));
    l.keys = take(&l, scratch, l.score_stride * l.depth);
    l.values = take(&l, scratch, l.length * l.value_stride);
    l.queries = take(&l, scratch, l.block * query_stride(head_dim));
    l.scores = take(&l, scratch, l.block * l.score_stride);
    l.sums = take(&l, scratch, l.block);
    return l;
}

size_t
ATTENTION(_scratch)(size_t tokens, size_t head_dim)
{
    return arrange(tokens, head_dim, NULL).bytes;
}

/* Scores of a block of query rows, then their weights and sums. */
static void
score(const lm_attention *args, const float *q, size_t rows, const layout *l)
{
    size_t ld = args->ld;

    q = take_queries(q, &ld, rows, args->head_dim, l->queries);
    for (size_t j = 0; j < args->tokens; j += TILE_WIDTH)
        multiply_columns(rows, at_most(TILE_WIDTH, args->tokens - j),
                         (lm_tile_f32){.k = l->depth,
                                       .a = q,
                                       .lda = ld,
                                       .b = l->keys + j * l->depth,
                                       .ldb = PANEL,
                                       .wide = PANEL * l->depth,
                                       .bias = no_bias,
                                       .c = l->scores + j,
                                       .ldc = l->score_stride});
    for (size_t r = 0; r < rows; r++)
        l->sums[r] = weights_of(l->rough, args->tokens, l->scores + r * l->score_stride);
}

/* Columns d … of the block's result. */
static LM_TARGET void
weigh(const lm_attention *args, size_t rows, size_t d, const layout *l, float *out)
{
    float product[BLOCK_ROWS * TILE_WIDTH] __attribute__((aligned(64)));
    size_t width = at_most(l->width, args->head_dim - d);

    multiply_columns(rows, width,
                     (lm_tile_f32){.k = l->length,
                                   .a = l->scores,
                                   .lda = l->score_stride,
                                   .b = l->values + d,
                                   .ldb = l->value_stride,
                                   .wide = PANEL,
                                   .bias = no_bias,
                                   .c = product,
                                   .ldc = TILE_WIDTH});
    for (size_t r = 0; r < rows; r++)
        for (size_t x = 0; x < width; x += VW)
            v_store_some(out + r * args->ldo + d + x, width - x,
                         v_div(v_load(product + r * TILE_WIDTH + x), v_set(l->sums[r])));
}

/* One head; q, k, v and out point at its first column. */
static void
attend(const lm_attention *args, const float *q, const float *k, const float *v, float *out,
       const layout *l)
{
    pack_keys(k, args->ld, args->tokens, args->head_dim, args->scale * (float)M_LOG2E, l->keys);
    pack_values(v, args->ld, args->tokens, args->head_dim, l->value_stride, l->values);
    for (size_t i = 0; i < args->queries; i += l->block) {
        size_t rows = at_most(l->block, args->queries - i);

        score(args, q + i * args->ld, rows, l);
        for (size_t d = 0; d < args->head_dim; d += l->width)
            weigh(args, rows, d, l, out + i * args->ldo);
    }
}

static void
attend_all(const lm_attention *args, bool rough)
{
    layout l = arrange(args->tokens, args->head_dim, args->scratch);

    l.rough = rough;
    for (size_t h = 0; h < args->heads; h++) {
        size_t column = h * args->head_dim;

        attend(args, args->q + column, args->k + column, args->v + column, args->out + column, &l);
    }
}

void
ATTENTION()(const lm_attention *args)
{
    attend_all(args, false);
}

#ifndef ATTENTION_PAIRS

void
LM_NAME(attention_rough)(const lm_attention *args)
{
    attend_all(args, true);
}

#endif
