/*
 * test_stack.c - stacks of several descriptions against a reference in double that is written from
 * the definitions alone: post-norm, pre-norm, norms inside, rotary and relative positions, windows,
 * shared heads of keys, gates, norms of heads, distances with queries and keys, shared layers. And
 * the laws: same bits alone, in any batch and as outputs only; nothing behind the workspace is
 * touched; every poll can end the pass.
 */
#include <stdint.h>

#include "base/rng.h"
#include "base/size.h"
#include "fake.h"
#include "nn/encoder.h"
#include "unit.h"

enum { D = 24, LAYERS = 3, VOCAB = 40, WINDOW = 128, TEXTS = 6, TOKENS = 231, BUCKETS = 8 };
enum { SPAN = 12, FARTHEST_PLACE = 40 };

/* A text longer than a group, several in one, and more rows than a block. */
static const size_t offsets[TEXTS + 1] = {0, 1, 18, 118, 121, 191, TOKENS};
static const size_t outputs[TEXTS] = {0, 9, 117, 119, 121, 200};

/* Each text has a token 7, behind none to all of its others. */
static int32_t ids[TOKENS];

enum model_target {
    WORDS,
    TYPES,
    POSITIONS,
    FIRST,
    FIRST_BIAS,
    FINAL,
    FINAL_BIAS,
    BUCKET,
    PLACE,
    PLACE_GAIN,
    PLACE_BIAS,
    MODEL
};
enum layer_target {
    QKV,
    QKV_BIAS,
    OUTPUT,
    OUTPUT_BIAS,
    UP,
    UP_BIAS,
    DOWN,
    DOWN_BIAS,
    QUERY_GAIN,
    KEY_GAIN,
    NORMS, /* six: attention's before, inside, after, then those of the net */
    NORM_BIASES = NORMS + 6,
    SEEN = NORM_BIASES + 6,
    SEEN_BIAS,
    LAYER
};

#define NORM(i)                        \
    {                                  \
        NORMS + (i), NORM_BIASES + (i) \
    }
#define RMS(i)                    \
    {                             \
        NORMS + (i), LM_NO_WEIGHT \
    }

/* What all blocks of this file share. */
#define BLOCK                                                                                 \
    .qkv = QKV, .qkv_bias = QKV_BIAS, .output = OUTPUT, .output_bias = OUTPUT_BIAS, .up = UP, \
    .up_bias = UP_BIAS, .down = DOWN, .down_bias = DOWN_BIAS, .heads = 4, .inner = 20,        \
    .eps = 1e-5f

#define UNBIASED                                                                                   \
    .qkv = QKV, .qkv_bias = LM_NO_WEIGHT, .output = OUTPUT, .output_bias = LM_NO_WEIGHT, .up = UP, \
    .up_bias = LM_NO_WEIGHT, .down = DOWN, .down_bias = LM_NO_WEIGHT, .heads = 4, .inner = 20,     \
    .eps = 1e-6f

#define POST {LM_NO_NORM, LM_NO_NORM, NORM(2)}, .ffn_norms = {LM_NO_NORM, LM_NO_NORM, NORM(5)}
#define PRE {NORM(0), LM_NO_NORM, LM_NO_NORM}, .ffn_norms = {NORM(3), LM_NO_NORM, LM_NO_NORM}
#define PRE_RMS {RMS(0), LM_NO_NORM, LM_NO_NORM}, .ffn_norms = {RMS(3), LM_NO_NORM, LM_NO_NORM}
#define SANDWICH {RMS(0), RMS(1), LM_NO_NORM}, .ffn_norms = {RMS(3), RMS(4), LM_NO_NORM}

#define STACK .layers = LAYERS, .width = D

static const struct {
    const char *name;
    lm_stack stack;
} stacks[] = {
    {"post-norm",
     {STACK,
      .blocks = {{BLOCK, .attention_norms = POST, .kv_heads = 4, .head_dim = 6, .scale = .4f,
                  .act = LM_ACT_GELU}},
      .final = LM_NO_NORM, .bias = LM_NO_WEIGHT}},
    {"pre-norm, windows and angles by layer, gated",
     {STACK,
      .blocks = {{BLOCK, .attention_norms = PRE, .kv_heads = 4, .head_dim = 6, .scale = .4f,
                  .mask = LM_MASK_WINDOW, .window = 8, .position = LM_POSITION_ROPE, .theta = 100,
                  .turned = 6, .act = LM_ACT_GELU, .gated = true},
                 {BLOCK, .attention_norms = PRE, .kv_heads = 4, .head_dim = 6, .scale = .4f,
                  .position = LM_POSITION_ROPE, .theta = 1000, .turned = 4, .act = LM_ACT_GELU,
                  .gated = true}},
      .every = 3, .at = 1, .final = {FINAL, FINAL_BIAS}, .bias = LM_NO_WEIGHT}},
    {"pre-norm by root mean square, relative positions",
     {STACK,
      .blocks = {{UNBIASED, .attention_norms = PRE_RMS, .norm = LM_NORM_RMS, .kv_heads = 4,
                  .head_dim = 8, .scale = 1, .position = LM_POSITION_BIAS, .act = LM_ACT_RELU}},
      .final = {FINAL, LM_NO_WEIGHT}, .bias = BUCKET, .buckets = BUCKETS, .farthest = 20}},
    {"norms inside, causal, shared heads, interleaved angles",
     {STACK,
      .blocks = {{UNBIASED, .attention_norms = SANDWICH, .norm = LM_NORM_RMS, .kv_heads = 2,
                  .head_dim = 10, .scale = .3f, .mask = LM_MASK_CAUSAL, .window = 30,
                  .position = LM_POSITION_ROPE, .theta = 10000, .turned = 10, .interleaved = true,
                  .act = LM_ACT_GELU_TANH, .gated = true}},
      .final = {FINAL, LM_NO_WEIGHT}, .bias = LM_NO_WEIGHT}},
    {"causal, heads normed before their angles",
     {STACK,
      .blocks = {{UNBIASED, .attention_norms = PRE_RMS, .norm = LM_NORM_RMS, .kv_heads = 2,
                  .head_dim = 10, .scale = .3f, .mask = LM_MASK_CAUSAL, .normed = true,
                  .query_gain = QUERY_GAIN, .key_gain = KEY_GAIN, .position = LM_POSITION_ROPE,
                  .theta = 1000, .turned = 10, .act = LM_ACT_SILU, .gated = true}},
      .final = {FINAL, LM_NO_WEIGHT}, .bias = LM_NO_WEIGHT}},
    {"distances with queries and keys",
     {STACK,
      .blocks = {{BLOCK, .attention_norms = POST, .kv_heads = 4, .head_dim = 6, .scale = .25f,
                  .position = LM_POSITION_PLACE, .act = LM_ACT_GELU}},
      .final = LM_NO_NORM, .bias = LM_NO_WEIGHT, .buckets = SPAN, .farthest = FARTHEST_PLACE,
      .places = true, .content_to_place = true, .place_to_content = true, .place = PLACE,
      .place_norm = {PLACE_GAIN, PLACE_BIAS}}},
    {"distances with queries, one to a distance, without a norm",
     {STACK,
      .blocks = {{BLOCK, .attention_norms = POST, .kv_heads = 4, .head_dim = 6, .scale = .25f,
                  .position = LM_POSITION_PLACE, .act = LM_ACT_GELU}},
      .final = LM_NO_NORM, .bias = LM_NO_WEIGHT, .buckets = SPAN, .places = true,
      .place_to_content = true, .place = PLACE, .place_norm = LM_NO_NORM}},
    {"biases that fall with the distance",
     {STACK,
      .blocks = {{BLOCK, .attention_norms = POST, .kv_heads = 4, .head_dim = 6, .scale = .4f,
                  .position = LM_POSITION_BIAS, .act = LM_ACT_GELU}},
      .final = LM_NO_NORM, .bias = LM_NO_WEIGHT, .linear_bias = true}},
    {"windows, and a first token that sees all",
     {STACK,
      .blocks = {{BLOCK, .attention_norms = POST, .kv_heads = 4, .head_dim = 6, .scale = .4f,
                  .mask = LM_MASK_WINDOW, .window = 3, .act = LM_ACT_GELU}},
      .final = LM_NO_NORM, .bias = LM_NO_WEIGHT,
      .global = {true, LM_FIRST_ALONE, SEEN, SEEN_BIAS}}},
    {"windows, and tokens before a separator that see all",
     {STACK,
      .blocks = {{BLOCK, .attention_norms = POST, .kv_heads = 4, .head_dim = 6, .scale = .4f,
                  .mask = LM_MASK_WINDOW, .window = 5, .act = LM_ACT_GELU}},
      .final = LM_NO_NORM, .bias = LM_NO_WEIGHT, .global = {true, 7, SEEN, SEEN_BIAS}}},
    {"shared layers",
     {STACK, .shared = true,
      .blocks = {{BLOCK, .attention_norms = POST, .kv_heads = 1, .head_dim = 6, .scale = .4f,
                  .act = LM_ACT_SILU}},
      .final = LM_NO_NORM, .bias = LM_NO_WEIGHT}},
};
enum { STACKS = sizeof(stacks) / sizeof(*stacks) };

/* ---- weights ---- */

typedef struct model {
    const lm_stack *stack;
    float *plain[MODEL + LAYERS * LAYER];
    const void *table[MODEL + LAYERS * LAYER]; /* matrices are packed */
    void *packed[MODEL + LAYERS * LAYER];
    lm_nn_weights weights;
} model;

static lm_rng rng;

static float *
make_floats(size_t count, float scale, float centre)
{
    float *x = aligned_alloc(LM_ALIGNMENT, lm_align_up(count * sizeof *x));

    for (size_t i = 0; i < count; i++)
        x[i] = centre + scale * (float)(2 * lm_rng_uniform(&rng) - 1);
    return x;
}

static void
add_rows(model *m, size_t index, size_t count, float scale, float centre)
{
    m->plain[index] = make_floats(count, scale, centre);
    m->table[index] = m->plain[index];
}

static void
add_matrix(model *m, size_t index, size_t n, size_t k)
{
    const lm_product *product = m->weights.product;
    int8_t *codes = malloc(n * k);
    float *scales = malloc(n * sizeof *scales), *w = make_floats(n * k, .5f, 0);
    const lm_matrix matrix = {.n = n, .k = k, .values = w, .codes = codes, .scales = scales};

    lm_quantize_rows(w, n, k, codes, scales);
    m->plain[index] = w;
    m->packed[index] = aligned_alloc(LM_ALIGNMENT, product->packed_size(n, k));
    product->pack(&matrix, 0, n, m->packed[index]);
    m->table[index] = m->packed[index];
    free(codes), free(scales);
}

static model *
make_model(const lm_stack *stack, const lm_kernels *kernels, lm_precision precision)
{
    model *m = calloc(1, sizeof *m);
    const lm_block *block = &stack->blocks[0];
    size_t qkv = (block->heads + 2 * block->kv_heads) * block->head_dim;
    size_t wide = block->gated ? 2 * block->inner : block->inner;

    lm_rng_seed(&rng, 5);
    m->stack = stack;
    m->weights = (lm_nn_weights){.kernels = kernels,
                                 .precision = precision,
                                 .product = &kernels->products[precision],
                                 .attention = &kernels->attention[precision],
                                 .model = m->table,
                                 .layers = m->table + MODEL,
                                 .stride = LAYER};
    add_rows(m, WORDS, VOCAB * D, 1, 0);
    add_rows(m, TYPES, 2 * D, 1, 0);
    add_rows(m, POSITIONS, (WINDOW + 2) * D, 1, 0);
    add_rows(m, FIRST, D, .3f, 1);
    add_rows(m, FIRST_BIAS, D, .3f, 0);
    add_rows(m, FINAL, D, .3f, 1);
    add_rows(m, FINAL_BIAS, D, .3f, 0);
    add_rows(m, BUCKET, BUCKETS * block->heads, 1, 0);
    add_rows(m, PLACE, 2 * SPAN * D, 1, 0);
    add_rows(m, PLACE_GAIN, D, .3f, 1);
    add_rows(m, PLACE_BIAS, D, .3f, 0);
    for (size_t at = MODEL; at < MODEL + LAYERS * LAYER; at += LAYER) {
        add_matrix(m, at + QKV, qkv, D);
        add_rows(m, at + QKV_BIAS, qkv, .3f, 0);
        add_matrix(m, at + OUTPUT, D, block->heads * block->head_dim);
        add_rows(m, at + OUTPUT_BIAS, D, .3f, 0);
        add_matrix(m, at + UP, wide, D);
        add_rows(m, at + UP_BIAS, wide, .3f, 0);
        add_matrix(m, at + DOWN, D, block->inner);
        add_rows(m, at + DOWN_BIAS, D, .3f, 0);
        add_rows(m, at + QUERY_GAIN, block->head_dim, .3f, 1);
        add_rows(m, at + KEY_GAIN, block->head_dim, .3f, 1);
        add_matrix(m, at + SEEN, qkv, D);
        add_rows(m, at + SEEN_BIAS, qkv, .3f, 0);
        for (size_t i = 0; i < 6; i++) {
            add_rows(m, at + NORMS + i, D, .3f, 1);
            add_rows(m, at + NORM_BIASES + i, D, .3f, 0);
        }
    }
    return m;
}

static void
free_model(model *m)
{
    for (size_t i = 0; i < MODEL + LAYERS * LAYER; i++)
        free(m->plain[i]), free(m->packed[i]);
    free(m);
}

/* ---- the reference ---- */

static double
naive_activation(lm_activation act, double x)
{
    switch (act) {
    case LM_ACT_GELU:
        return x * .5 * (1 + erf(x / sqrt(2)));
    case LM_ACT_GELU_TANH:
        return x * .5 * (1 + tanh(sqrt(2 / M_PI) * (x + .044715 * x * x * x)));
    case LM_ACT_RELU:
        return x > 0 ? x : 0;
    default:
        return x / (1 + exp(-x));
    }
}

/* out = W x + bias */
static void
naive_product(const float *w, const float *bias, size_t n, size_t k, const double *x, double *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = bias ? bias[i] : 0;
        for (size_t j = 0; j < k; j++)
            out[i] += (double)w[i * k + j] * x[j];
    }
}

static void
naive_norm(const lm_block *block, const float *gain, const float *bias, const double *x,
           double *out)
{
    double mean = 0, squares = 0;

    for (size_t i = 0; i < D && block->norm == LM_NORM_LAYER; i++)
        mean += x[i] / D;
    for (size_t i = 0; i < D; i++)
        squares += (x[i] - mean) * (x[i] - mean) / D;
    for (size_t i = 0; i < D; i++)
        out[i] =
            (x[i] - mean) / sqrt(squares + (double)block->eps) * gain[i] + (bias ? bias[i] : 0);
}

/* One layer's weights by target; NULL: it has none. */
static const float *
plain(const model *m, size_t layer, int target)
{
    return target < 0 ? NULL
                      : m->plain[MODEL + (m->stack->shared ? 0 : layer) * LAYER + (size_t)target];
}

static void
norm_row(const model *m, const lm_block *block, size_t layer, lm_norm_targets targets, double *x)
{
    if (targets.gain >= 0)
        naive_norm(block, plain(m, layer, targets.gain), plain(m, layer, targets.bias), x, x);
}

static void
naive_norm_head(const lm_block *block, const float *gain, double *x)
{
    double squares = 0;

    for (size_t i = 0; i < block->head_dim; i++)
        squares += x[i] * x[i] / (double)block->head_dim;
    for (size_t i = 0; i < block->head_dim; i++)
        x[i] *= gain[i] / sqrt(squares + (double)block->eps);
}

/* Turns the pairs of one head by the position. */
static void
naive_rope(const lm_block *block, size_t position, double *x)
{
    for (size_t j = 0; j < block->turned / 2; j++) {
        double angle =
            (double)position / pow(block->theta, 2.0 * (double)j / (double)block->turned);
        double *a = block->interleaved ? &x[2 * j] : &x[j];
        double *b = block->interleaved ? &x[2 * j + 1] : &x[j + block->turned / 2];
        double turned = *a * cos(angle) - *b * sin(angle);

        *b = *a * sin(angle) + *b * cos(angle);
        *a = turned;
    }
}

static double
naive_bias(const model *m, const lm_block *block, size_t head, size_t query, size_t key)
{
    const int half = BUCKETS / 2, exact = half / 2;
    int distance = (int)key - (int)query, bucket = distance > 0 ? half : 0, far;

    if (block->position != LM_POSITION_BIAS)
        return 0;
    distance = abs(distance);
    if (m->stack->linear_bias) /* slopes of four heads: 1/4, 1/16, … */
        return -distance / pow(4, (double)head + 1);
    far = distance < exact
              ? distance
              : exact + (int)(log((double)distance / exact) /
                                  log((double)m->stack->farthest / exact) * (half - exact) +
                              1e-9);
    bucket += far < half ? far : half - 1;
    return m->plain[BUCKET][(size_t)bucket * block->heads + head];
}

static bool
naive_sees(const lm_block *block, int query, int key)
{
    switch (block->mask) {
    case LM_MASK_WINDOW:
        return abs(query - key) <= (int)block->window;
    case LM_MASK_CAUSAL:
        return key <= query && (block->window == 0 || query - key <= (int)block->window);
    default:
        return true;
    }
}

/* The row of the table of places for a distance query − key: buckets as floor and ceil say them. */
static size_t
naive_place(const lm_stack *stack, int distance)
{
    const int span = (int)stack->buckets, half = span / 2, far = abs(distance);
    int bucket = far;

    if (stack->farthest > 0 && far > half)
        bucket = half + (int)ceil(log((double)far / half) /
                                      log((double)(stack->farthest - 1) / half) * (half - 1) -
                                  1e-9);
    bucket = distance < 0 ? -bucket : bucket;
    return (size_t)(bucket >= span ? 2 * span - 1 : bucket < -span ? 0 : bucket + span);
}

/* Query, key and value of each place, by the layer's matrix; NULL: it has no places. */
static double *
naive_places(const model *m, const lm_block *block, size_t layer)
{
    size_t ld = 3 * block->heads * block->head_dim;
    double *rows, row[D];

    if (block->position != LM_POSITION_PLACE)
        return NULL;
    rows = malloc(2 * SPAN * ld * sizeof *rows);
    for (size_t place = 0; place < 2 * SPAN; place++) {
        for (size_t i = 0; i < D; i++)
            row[i] = m->plain[PLACE][place * D + i];
        if (m->stack->place_norm.gain >= 0)
            naive_norm(block, m->plain[PLACE_GAIN], m->plain[PLACE_BIAS], row, row);
        naive_product(plain(m, layer, block->qkv), plain(m, layer, block->qkv_bias), ld, D, row,
                      rows + place * ld);
    }
    return rows;
}

/* What a place adds to the score of a query and a key. */
static double
naive_distance(const lm_stack *stack, const lm_block *block, size_t head, const double *place,
               const double *q, const double *k)
{
    size_t hd = block->head_dim;
    double score = 0;

    for (size_t d = 0; d < hd; d++) {
        if (stack->content_to_place)
            score += q[d] * place[(block->heads + head) * hd + d];
        if (stack->place_to_content)
            score += k[d] * place[head * hd + d];
    }
    return score;
}

/* How many of a text's tokens see all and are seen by all. */
static size_t
naive_globals(const lm_stack *stack, const int32_t *of, size_t tokens)
{
    size_t count = 0;

    if (!stack->global.any || stack->global.until == LM_FIRST_ALONE)
        return stack->global.any;
    while (count < tokens && of[count] != stack->global.until)
        count++;
    return count;
}

/* Attention of one query and head, over qkv (tokens, ld). */
static void
naive_attend(const model *m, const lm_block *block, const double *places, const double *qkv,
             size_t tokens, size_t globals, size_t head, size_t query, double *out)
{
    size_t hd = block->head_dim, ld = (block->heads + 2 * block->kv_heads) * hd;
    size_t kv = block->heads * hd + head / (block->heads / block->kv_heads) * hd;
    const double *q = qkv + query * ld + head * hd;
    double total = 0;

    memset(out, 0, hd * sizeof *out);
    for (size_t key = 0; key < tokens; key++) {
        const double *k = qkv + key * ld + kv, *v = k + block->kv_heads * hd;
        double score = 0;

        if (query >= globals && key >= globals && !naive_sees(block, (int)query, (int)key))
            continue;
        for (size_t d = 0; d < hd; d++)
            score += q[d] * k[d];
        if (places)
            score +=
                naive_distance(m->stack, block, head,
                               places + naive_place(m->stack, (int)query - (int)key) * ld, q, k);
        score = exp(score * (double)block->scale + naive_bias(m, block, head, query, key));
        total += score;
        for (size_t d = 0; d < hd; d++)
            out[d] += score * v[d];
    }
    for (size_t d = 0; d < hd; d++)
        out[d] /= total;
}

static void
naive_attention(const model *m, const lm_block *block, size_t layer, size_t tokens, size_t globals,
                double *x)
{
    size_t hd = block->head_dim, heads = block->heads, turning = heads + block->kv_heads;
    size_t ld = (heads + 2 * block->kv_heads) * hd;
    double *qkv = malloc(tokens * ld * sizeof *qkv), row[D], joined[64];
    double *seen = malloc(tokens * ld * sizeof *seen);
    double *places = naive_places(m, block, layer);

    for (size_t t = 0; t < tokens; t++) {
        memcpy(row, x + t * D, sizeof row);
        norm_row(m, block, layer, block->attention_norms.before, row);
        naive_product(plain(m, layer, block->qkv), plain(m, layer, block->qkv_bias), ld, D, row,
                      qkv + t * ld);
        naive_product(plain(m, layer, SEEN), plain(m, layer, SEEN_BIAS), ld, D, row, seen + t * ld);
        for (size_t h = 0; h < turning && block->normed; h++)
            naive_norm_head(block, plain(m, layer, h < heads ? QUERY_GAIN : KEY_GAIN),
                            qkv + t * ld + h * hd);
        for (size_t h = 0; h < turning && block->position == LM_POSITION_ROPE; h++)
            naive_rope(block, t, qkv + t * ld + h * hd);
    }
    for (size_t t = 0; t < tokens; t++) {
        for (size_t h = 0; h < heads; h++)
            naive_attend(m, block, places, t < globals ? seen : qkv, tokens, globals, h, t,
                         joined + h * hd);
        naive_product(plain(m, layer, block->output), plain(m, layer, block->output_bias), D,
                      heads * hd, joined, row);
        norm_row(m, block, layer, block->attention_norms.inside, row);
        for (size_t i = 0; i < D; i++)
            x[t * D + i] += row[i];
        norm_row(m, block, layer, block->attention_norms.after, x + t * D);
    }
    free(qkv), free(seen), free(places);
}

static void
naive_net(const model *m, const lm_block *block, size_t layer, double *x)
{
    double row[D], wide[64];

    memcpy(row, x, sizeof row);
    norm_row(m, block, layer, block->ffn_norms.before, row);
    naive_product(plain(m, layer, block->up), plain(m, layer, block->up_bias),
                  block->gated ? 2 * block->inner : block->inner, D, row, wide);
    for (size_t i = 0; i < block->inner; i++)
        wide[i] =
            naive_activation(block->act, wide[i]) * (block->gated ? wide[block->inner + i] : 1);
    naive_product(plain(m, layer, block->down), plain(m, layer, block->down_bias), D, block->inner,
                  wide, row);
    norm_row(m, block, layer, block->ffn_norms.inside, row);
    for (size_t i = 0; i < D; i++)
        x[i] += row[i];
    norm_row(m, block, layer, block->ffn_norms.after, x);
}

/* x (tokens, D) of one text through so many layers. */
static void
naive_run(const model *m, size_t layers, const int32_t *of, size_t tokens, double *x)
{
    const lm_stack *stack = m->stack;
    const size_t globals = naive_globals(stack, of, tokens);

    for (size_t layer = 0; layer < layers; layer++) {
        const lm_block *block =
            &stack->blocks[stack->every > 0 && layer % stack->every == stack->at];

        naive_attention(m, block, layer, tokens, globals, x);
        for (size_t t = 0; t < tokens; t++)
            naive_net(m, block, layer, x + t * D);
    }
    if (layers == LAYERS && stack->final.gain >= 0)
        for (size_t t = 0; t < tokens; t++)
            naive_norm(&stack->blocks[0], m->plain[FINAL],
                       stack->final.bias >= 0 ? m->plain[FINAL_BIAS] : NULL, x + t * D, x + t * D);
}

/* ---- running ---- */

/* Behind the workspace are bytes that nothing may change. */
enum { GUARD = 256 };

/* The result's copy (rows, D), to be freed, or NULL with the status. */
static float *
run(lm_context *ctx, const model *m, const lm_batch *batch, size_t layers, const float *x,
    lm_status *status)
{
    size_t size = lm_stack_workspace(m->stack, &m->weights, batch->tokens, lm_batch_longest(batch));
    char *space = aligned_alloc(LM_ALIGNMENT, lm_align_up(size + GUARD));
    size_t rows = batch->outputs ? batch->texts : batch->tokens;
    float *result = malloc(rows * D * sizeof *result);

    memset(space, 0xa5, size + GUARD);
    memcpy(space, x, batch->tokens * D * sizeof *x);
    *status = lm_stack_run(ctx, m->stack, &m->weights, batch, layers, space);
    memcpy(result, space, rows * D * sizeof *result);
    for (size_t i = 0; i < GUARD; i++)
        if ((unsigned char)space[size + i] != 0xa5) {
            UNIT_FAIL("byte %zu behind the workspace was written", i);
            break;
        }
    free(space);
    return result;
}

static const lm_batch whole = {.tokens = TOKENS, .texts = TEXTS, .ids = ids, .offsets = offsets};

static float *
make_input(void)
{
    for (size_t text = 0; text < TEXTS; text++)
        ids[offsets[text + 1] - 1 - (text == 1 ? 16 : text == 2 ? 95 : text)] = 7;
    lm_rng_seed(&rng, 77);
    return make_floats(TOKENS * D, 1, 0);
}

/* The greatest error over all texts, against what the reference gives. */
static double
error_of(const model *m, size_t layers, const float *x, const float *result)
{
    double worst = 0;

    for (size_t text = 0; text < TEXTS; text++) {
        size_t start = offsets[text], tokens = offsets[text + 1] - start;
        double *wanted = malloc(tokens * D * sizeof *wanted);

        for (size_t i = 0; i < tokens * D; i++)
            wanted[i] = x[start * D + i];
        naive_run(m, layers, ids + start, tokens, wanted);
        for (size_t i = 0; i < tokens * D; i++)
            worst = fmax(worst, fabs(wanted[i] - result[start * D + i]));
        free(wanted);
    }
    return worst;
}

static void
each_stack(void (*check)(lm_context *ctx, fake_memory *memory, const char *name, model *m))
{
    for (int level = 0; level < LM_LEVEL_COUNT; level++)
        for (size_t i = 0; i < STACKS && lm_kernels_at((lm_level)level); i++) {
            fake_memory memory = {0};
            lm_context ctx;
            model *m =
                make_model(&stacks[i].stack, lm_kernels_at((lm_level)level), LM_PRECISION_F32);

            fake_context(&ctx, &memory);
            check(&ctx, &memory, stacks[i].name, m);
            CHECK_EQ_INT(memory.calls, 0); /* nothing allocates */
            free_model(m);
        }
}

static void
check_result(lm_context *ctx, fake_memory *memory, const char *name, model *m)
{
    float *x = make_input();

    for (size_t layers = 0; layers <= LAYERS; layers++) {
        lm_status status;
        float *result = run(ctx, m, &whole, layers, x, &status);
        double error = error_of(m, layers, x, result);

        CHECK_OK(ctx, status);
        if (!(error <= 5e-5))
            UNIT_FAIL("%s, %zu layers at %s: error %g", name, layers, m->weights.kernels->name,
                      error);
        free(result);
    }
    free(x);
}

static void
result(void)
{
    each_stack(check_result);
}

/* Each text by itself, and outputs only. */
static void
check_bits(lm_context *ctx, fake_memory *memory, const char *name, model *m)
{
    lm_batch some = whole;
    float *x = make_input(), *part;
    lm_status status;

    for (size_t layers = 0; layers <= LAYERS; layers += LAYERS) {
        float *all = run(ctx, m, &whole, layers, x, &status);

        some.outputs = outputs;
        part = run(ctx, m, &some, layers, x, &status);
        for (size_t text = 0; text < TEXTS; text++)
            if (memcmp(part + text * D, all + outputs[text] * D, D * sizeof *all) != 0)
                UNIT_FAIL("%s: output %zu has other bits", name, text);
        free(part);
        for (size_t text = 0; text < TEXTS; text++) {
            const size_t alone[] = {0, offsets[text + 1] - offsets[text]};
            const lm_batch one = {
                .tokens = alone[1], .texts = 1, .ids = ids + offsets[text], .offsets = alone};

            part = run(ctx, m, &one, layers, x + offsets[text] * D, &status);
            if (memcmp(part, all + offsets[text] * D, alone[1] * D * sizeof *all) != 0)
                UNIT_FAIL("%s: text %zu has other bits alone", name, text);
            free(part);
        }
        free(all);
    }
    free(x);
}

static void
bits(void)
{
    each_stack(check_bits);
}

static void
check_cancel(lm_context *ctx, fake_memory *memory, const char *name, model *m)
{
    float *x = make_input();
    lm_status status = LM_CANCELLED;

    for (int at = 1; status == LM_CANCELLED; at = unit_next_fault(at)) {
        memory->polls = 0;
        memory->stop_at = at;
        free(run(ctx, m, &whole, LAYERS, x, &status));
        CHECK(status == LM_CANCELLED ? memory->polls == at : memory->polls < at);
    }
    CHECK_OK(ctx, status);
    CHECK(memory->polls > LAYERS);
    free(x);
}

static void
cancel(void)
{
    each_stack(check_cancel);
}

/* Weights of 16 and 8 bits: near those of 32, in the workspace that they ask for. */
static void
precisions(void)
{
    for (int level = 0; level < LM_LEVEL_COUNT; level++)
        for (size_t i = 0; i < STACKS && lm_kernels_at((lm_level)level); i++) {
            float *results[LM_PRECISION_COUNT], *x = make_input();

            for (lm_precision p = 0; p < LM_PRECISION_COUNT; p++) {
                model *m = make_model(&stacks[i].stack, lm_kernels_at((lm_level)level), p);
                double ab = 0, aa = 0, bb = 0;
                fake_memory memory = {0};
                lm_context ctx;
                lm_status status;

                fake_context(&ctx, &memory);
                results[p] = run(&ctx, m, &whole, LAYERS, x, &status);
                CHECK_OK(&ctx, status);
                for (size_t j = 0; j < TOKENS * D; j++) {
                    ab += (double)results[0][j] * results[p][j];
                    aa += (double)results[0][j] * results[0][j];
                    bb += (double)results[p][j] * results[p][j];
                }
                if (!(ab / sqrt(aa * bb) > .99))
                    UNIT_FAIL("%s in %s: cosine %g", stacks[i].name, lm_precision_name(p),
                              ab / sqrt(aa * bb));
                free_model(m);
            }
            for (lm_precision p = 0; p < LM_PRECISION_COUNT; p++)
                free(results[p]);
            free(x);
        }
}

/* A layer that lacks a norm, or all of the stack a final one: it is not done. */
static void
check_lacking(lm_context *ctx, fake_memory *memory, const char *name, model *m)
{
    lm_stack bare = *m->stack;
    const lm_stack *stack = m->stack;
    float *x = make_input(), *lacking, *wanted;
    lm_status status;

    for (int i = 0; i < 6; i++)
        for (int layer = 0; layer < LAYERS; layer++)
            m->table[MODEL + layer * LAYER + NORMS + i] = NULL;
    m->table[FINAL] = NULL;
    lacking = run(ctx, m, &whole, LAYERS, x, &status);
    CHECK_OK(ctx, status);
    for (int i = 0; i < LM_BLOCK_KINDS; i++)
        bare.blocks[i].attention_norms = bare.blocks[i].ffn_norms =
            (lm_block_norms){LM_NO_NORM, LM_NO_NORM, LM_NO_NORM};
    bare.final = (lm_norm_targets)LM_NO_NORM;
    m->stack = &bare;
    wanted = run(ctx, m, &whole, LAYERS, x, &status);
    CHECK_OK(ctx, status);
    CHECK(memcmp(lacking, wanted, TOKENS * D * sizeof *x) == 0);
    m->stack = stack;
    free(x), free(lacking), free(wanted);
}

static void
lacking(void)
{
    each_stack(check_lacking);
}

/* ---- embeddings ---- */

/* The sum that a description asks for, without a norm. */
static double
naive_sum(const model *m, const lm_embedding *e, int32_t id, int32_t type, size_t position,
          size_t i)
{
    double sum = m->plain[WORDS][(size_t)id * D + i];

    if (e->types >= 0)
        sum += m->plain[TYPES][(size_t)type * D + i];
    if (e->positions >= 0)
        sum += m->plain[POSITIONS][(position + e->first_position) * D + i];
    return sum * (e->scale > 0 ? (double)e->scale : 1);
}

#define TABLES(w, t, p) .words = w, .types = t, .positions = p, .window = WINDOW

static const lm_embedding embeddings[] = {
    {TABLES(WORDS, TYPES, POSITIONS), .type_count = 2, .norm = {FIRST, FIRST_BIAS}, .eps = 1e-5f},
    {TABLES(WORDS, TYPES, POSITIONS), .first_position = 2, .type_count = 2,
     .norm = {FIRST, FIRST_BIAS}, .eps = 1e-5f},
    {TABLES(WORDS, LM_NO_WEIGHT, POSITIONS), .norm = LM_NO_NORM},
    {TABLES(WORDS, TYPES, LM_NO_WEIGHT), .type_count = 2, .norm = {FIRST, LM_NO_WEIGHT},
     .eps = 1e-5f},
    {TABLES(WORDS, LM_NO_WEIGHT, LM_NO_WEIGHT), .scale = 4.5f, .norm = {FIRST, LM_NO_WEIGHT},
     .norm_kind = LM_NORM_RMS},
    {TABLES(WORDS, LM_NO_WEIGHT, LM_NO_WEIGHT), .norm = LM_NO_NORM},
};

/* Ids and types of the batch; every description's result of no layer. */
static void
check_embeddings(lm_context *ctx, fake_memory *memory, const char *name, model *m)
{
    int32_t ids[TOKENS], types[TOKENS];
    const lm_batch batch = {
        .tokens = TOKENS, .texts = TEXTS, .ids = ids, .type_ids = types, .offsets = offsets};

    for (int i = 0; i < TOKENS; i++) {
        ids[i] = i * 7 % VOCAB;
        types[i] = i % 2;
    }
    for (size_t e = 0; e < sizeof embeddings / sizeof *embeddings; e++) {
        const lm_encoder encoder = {embeddings[e], *m->stack};
        const lm_block kind = {.norm = embeddings[e].norm_kind, .eps = embeddings[e].eps};
        size_t size = lm_encoder_workspace(&encoder, &m->weights, TOKENS, 100);
        void *space = aligned_alloc(LM_ALIGNMENT, lm_align_up(size));
        const float *hidden = NULL;
        double worst = 0;

        CHECK_OK(ctx, lm_encoder_run(ctx, &encoder, &m->weights, &batch, 0, space, &hidden));
        for (size_t text = 0; text < TEXTS && hidden; text++)
            for (size_t t = offsets[text]; t < offsets[text + 1]; t++) {
                double wanted[D];

                for (size_t i = 0; i < D; i++)
                    wanted[i] =
                        naive_sum(m, &embeddings[e], ids[t], types[t], t - offsets[text], i);
                if (embeddings[e].norm.gain >= 0)
                    naive_norm(&kind, m->plain[FIRST],
                               embeddings[e].norm.bias >= 0 ? m->plain[FIRST_BIAS] : NULL, wanted,
                               wanted);
                for (size_t i = 0; i < D; i++)
                    worst = fmax(worst, fabs(wanted[i] - hidden[t * D + i]));
            }
        CHECK_NEAR(worst, 0, 5e-6);
        free(space);
    }
}

static void
embedding(void)
{
    each_stack(check_embeddings);
}

/* Too long a text, a type beyond the table; without types, what they are does not matter. */
static void
refusals(void)
{
    int32_t ids[TOKENS] = {0}, types[TOKENS] = {0};
    lm_batch batch = {
        .tokens = TOKENS, .texts = TEXTS, .ids = ids, .type_ids = types, .offsets = offsets};
    model *m = make_model(&stacks[0].stack, lm_kernels_active(), LM_PRECISION_F32);
    lm_encoder encoder = {embeddings[0], stacks[0].stack};
    void *space = aligned_alloc(
        LM_ALIGNMENT, lm_align_up(lm_encoder_workspace(&encoder, &m->weights, TOKENS, 100)));
    fake_memory memory = {0};
    const float *hidden;
    lm_context ctx;

    fake_context(&ctx, &memory);
    for (int32_t type = -1; type <= 2; type += 3) {
        types[5] = type;
        encoder.embedding = embeddings[0];
        CHECK_EQ_INT(lm_encoder_run(&ctx, &encoder, &m->weights, &batch, 1, space, &hidden),
                     LM_BAD_ARGUMENT);
        CHECK_STR(ctx.error.allowed, "0 to 1");
        encoder.embedding = embeddings[2];
        CHECK_EQ_INT(lm_encoder_run(&ctx, &encoder, &m->weights, &batch, 1, space, &hidden), LM_OK);
    }
    types[5] = 1;
    encoder.embedding = embeddings[0];
    encoder.embedding.window = 99;
    CHECK_EQ_INT(lm_encoder_run(&ctx, &encoder, &m->weights, &batch, 1, space, &hidden),
                 LM_TOO_LARGE);
    CHECK_STR(ctx.error.found, "100 tokens");
    CHECK_STR(ctx.error.allowed, "at most 99");
    batch.type_ids = NULL;
    encoder.embedding.window = 100;
    CHECK_EQ_INT(lm_encoder_run(&ctx, &encoder, &m->weights, &batch, 1, space, &hidden), LM_OK);
    free(space);
    free_model(m);
}

static const unit_case cases[] = {
    {"result", result},         {"bits", bits},       {"cancel", cancel},
    {"precisions", precisions}, {"lacking", lacking}, {"embedding", embedding},
    {"refusals", refusals},
};

UNIT_MAIN(cases)
