/*
 * attention.h - softmax(scale · Q Kᵀ + bias) V of one text, head by head, by the tiles of one
 * level.
 *
 * For a head, K is packed as weights are and V is copied row by row, padded to whole vectors: both
 * are then read front to back. scale·log₂e goes into one side of the first product, so that the
 * softmax is 2^(s − max). Query rows go in blocks whose scores stay in the second-level cache:
 * scores by tiles, one softmax per row without its division, P·V by tiles, and the division on
 * head_dim numbers instead of on tokens. Under a mask a block goes over those panels of keys only
 * that one of its queries sees, and each row's softmax over those that the row sees, so that its
 * bits do not depend on the block.
 *
 * Both products run over elements of four bytes along their inner dimension: floats, or where a
 * level defines ATTENTION_PAIRS, and the functions that stand below it, pairs of bfloat16.
 */
#include <string.h>

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

/* Scores from `first` on to weights, in place; returns their sum. */
static float
weights_of(bool approx, size_t first, size_t count, float *scores)
{
    return approx ? LM_NAME(exponentials_approx)(count, scores + first)
                  : LM_NAME(exponentials_f32)(count, scores + first);
}

#endif

/* The parts of the scratch for `keys` keys. */
typedef struct layout {
    bool approx;          /* the weights need be no better than those of 16 or 8 bits */
    size_t depth, length; /* head_dim and keys in elements */
    size_t value_stride;  /* head_dim rounded up to whole vectors */
    size_t score_stride;  /* keys, rounded up to whole panels */
    size_t width;         /* columns of V that one tile takes: as even as can be */
    size_t block;         /* query rows of one block */
    float *keys;          /* packed */
    float *values;        /* (length, value_stride) elements */
    float *queries;       /* (block, query_stride), if they are converted */
    float *scores;        /* (block, score_stride), then the weights in elements */
    float *sums;          /* (block) of the weights */
    size_t bytes;
} layout;

/* The next `count` elements of the scratch, at a cache line's start. */
static float *
take(layout *l, float *scratch, size_t count)
{
    float *start = scratch ? scratch + l->bytes / sizeof(float) : NULL;

    l->bytes += round_up(count, 16) * sizeof(float);
    return start;
}

static layout
arrange(size_t keys, size_t head_dim, float *scratch)
{
    layout l = {.depth = round_up(head_dim, ATTENTION_GROUP) / ATTENTION_GROUP,
                .length = round_up(keys, ATTENTION_GROUP) / ATTENTION_GROUP,
                .value_stride = round_up(head_dim, VW),
                .score_stride = round_up(keys, PANEL)};
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
ATTENTION(_scratch)(size_t keys, size_t head_dim)
{
    return arrange(keys, head_dim, NULL).bytes;
}

/* Keys first … end − 1. */
typedef struct span {
    size_t first, end;
} span;

/* What some of `rows` queries from i on see, from a whole panel on. */
static span
seen_by(const lm_attention *args, size_t i, size_t rows)
{
    size_t position = args->first_query + i, ahead = 0, behind = args->window;

    if (args->mask == LM_MASK_FULL)
        return (span){0, args->keys};
    if (args->mask == LM_MASK_WINDOW)
        ahead = at_most(args->window, args->keys);
    else if (args->window == 0)
        behind = position;
    return (span){(position - at_most(position, behind)) / PANEL * PANEL,
                  at_most(args->keys, position + rows + ahead)};
}

/* No weight for what is before the window of query i in the row's first panel. */
static void
hide(const lm_attention *args, size_t i, size_t first, float *scores)
{
    size_t position = args->first_query + i;

    if (args->mask == LM_MASK_WINDOW || (args->mask == LM_MASK_CAUSAL && args->window > 0))
        for (size_t j = first; j + args->window < position; j++)
            scores[j] = -INFINITY;
}

static LM_TARGET void
add_bias(const float *bias, size_t count, float *scores)
{
    vf factor = v_set((float)M_LOG2E);

    for (size_t j = 0; j < count; j += VW) {
        size_t n = count - j;

        v_store_some(scores + j, n,
                     v_fma(v_load_some(bias + j, n), factor, v_load_some(scores + j, n)));
    }
}

/* Weights from … end − 1 of a row are zeros. */
static void
clear_weights(float *weights, size_t from, size_t end)
{
    const size_t size = sizeof(float) / ATTENTION_GROUP;

    memset((char *)weights + from * size, 0, (end - from) * size);
}

/* The weights of query i, whose block sees `seen`; returns their sum. */
static float
weights_of_query(const lm_attention *args, size_t i, span seen, bool approx, float *scores)
{
    span own = seen_by(args, i, 1);
    float sum;

    hide(args, i, own.first, scores);
    if (args->bias)
        add_bias(args->bias + (ptrdiff_t)i * args->bias_ld + own.first, own.end - own.first,
                 scores + own.first);
    sum = weights_of(approx, own.first, own.end - own.first, scores);
    clear_weights(scores, seen.first, own.first);
    clear_weights(scores, own.end, round_up(seen.end, ATTENTION_GROUP));
    return sum;
}

/* Scores of query rows i …, which see no more than `seen`, then their weights and sums. */
static void
score(const lm_attention *args, size_t i, size_t rows, span seen, const layout *l)
{
    bool plain = args->mask == LM_MASK_FULL && !args->bias;
    size_t ld = args->ldq;
    const float *q = take_queries(args->q + i * ld, &ld, rows, args->head_dim, l->queries);

    for (size_t j = seen.first; j < seen.end; j += TILE_WIDTH)
        multiply_columns(rows, at_most(TILE_WIDTH, seen.end - j),
                         (lm_tile_f32){.k = l->depth,
                                       .a = q,
                                       .lda = ld,
                                       .b = l->keys + j * l->depth,
                                       .ldb = PANEL,
                                       .wide = PANEL * l->depth,
                                       .bias = no_bias,
                                       .c = l->scores + j,
                                       .ldc = l->score_stride});
    for (size_t r = 0; r < rows; r++) {
        float *scores = l->scores + r * l->score_stride;

        l->sums[r] = plain ? weights_of(l->approx, 0, args->keys, scores)
                           : weights_of_query(args, i + r, seen, l->approx, scores);
    }
}

/* Columns d … of the block's result. */
static LM_TARGET void
weigh(const lm_attention *args, size_t rows, size_t d, span seen, const layout *l, float *out)
{
    float product[BLOCK_ROWS * TILE_WIDTH] __attribute__((aligned(64)));
    size_t width = at_most(l->width, args->head_dim - d), first = seen.first / ATTENTION_GROUP;

    multiply_columns(
        rows, width,
        (lm_tile_f32){.k = round_up(seen.end, ATTENTION_GROUP) / ATTENTION_GROUP - first,
                      .a = l->scores + first,
                      .lda = l->score_stride,
                      .b = l->values + first * l->value_stride + d,
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

/* One head, whose keys and values are packed; q, out and bias are those of the head. */
static void
attend(const lm_attention *args, const layout *l)
{
    for (size_t i = 0; i < args->queries; i += l->block) {
        size_t rows = at_most(l->block, args->queries - i);
        span seen = seen_by(args, i, rows);

        score(args, i, rows, seen, l);
        for (size_t d = 0; d < args->head_dim; d += l->width)
            weigh(args, rows, d, seen, l, args->out + i * args->ldo);
    }
}

static void
pack_head(const lm_attention *args, size_t head, const layout *l)
{
    size_t column = head * args->head_dim;

    pack_keys(args->k + column, args->ldkv, args->keys, args->head_dim,
              args->scale * (float)M_LOG2E, l->keys);
    pack_values(args->v + column, args->ldkv, args->keys, args->head_dim, l->value_stride,
                l->values);
}

static void
attend_all(const lm_attention *args, bool approx)
{
    size_t group = args->heads / args->kv_heads;
    layout l = arrange(args->keys, args->head_dim, args->scratch);
    lm_attention head = *args;

    l.approx = approx;
    for (size_t h = 0; h < args->heads; h++) {
        if (h % group == 0)
            pack_head(args, h / group, &l);
        attend(&head, &l);
        head.q += args->head_dim;
        head.out += args->head_dim;
        if (args->bias)
            head.bias += args->bias_head;
    }
}

void
ATTENTION()(const lm_attention *args)
{
    attend_all(args, false);
}

#ifndef ATTENTION_PAIRS

void
LM_NAME(attention_approx)(const lm_attention *args)
{
    attend_all(args, true);
}

#endif
