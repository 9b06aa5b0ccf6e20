/*
 * test_narrow.c - layers that work in a narrower width than the hidden states, over embeddings of
 * three words side by side, against a reference in double that is written from the definitions. And
 * the laws of all stacks: same bits alone and as outputs only, nothing behind the workspace is
 * touched, every poll can end the pass.
 */
#include <math.h>

#include "base/rng.h"
#include "base/size.h"
#include "fake.h"
#include "nn/encoder.h"
#include "unit.h"

enum { D = 24, E = 10, W = 12, HEADS = 3, HEAD = W / HEADS, INNER = 20, EXTRA_NETS = 2 };
enum { LAYERS = 2, VOCAB = 40, WINDOW = 128, TEXTS = 5, TOKENS = 221, GUARD = 256 };

static const size_t offsets[TEXTS + 1] = {0, 1, 18, 118, 121, TOKENS};
static const size_t outputs[TEXTS] = {0, 9, 117, 119, 121};

enum model_target { WORDS, TYPES, POSITIONS, JOIN, JOIN_BIAS, GAIN, GAIN_BIAS, MODEL };

/* A linear layer is four targets: its matrix, its bias, the gain and the bias of its norm. */
enum layer_target {
    ATTENDED,
    ENTRY = ATTENDED + 4,
    QUERY_KEY = ENTRY + 4,
    VALUE = QUERY_KEY + 4,
    OUTPUT = VALUE + 4,
    LEAVE = OUTPUT + 4,
    NETS = LEAVE + 4,
    OWN_NET = NETS + EXTRA_NETS * LM_NET_TARGETS,
    LAYER = OWN_NET + LM_NET_TARGETS
};

#define NORMED(target)                 \
    {                                  \
        target, (target) + 1,          \
        {                              \
            (target) + 2, (target) + 3 \
        }                              \
    }

static const lm_narrow narrow = {
    .attended = NORMED(ATTENDED),
    .entry = NORMED(ENTRY),
    .value = {VALUE, VALUE + 1, LM_NO_NORM},
    .leave = NORMED(LEAVE),
    .net = NETS,
};

static const lm_encoder encoder = {
    .embedding = {.words = WORDS,
                  .types = TYPES,
                  .positions = POSITIONS,
                  .window = WINDOW,
                  .type_count = 2,
                  .norm = {GAIN, GAIN_BIAS},
                  .norm_kind = LM_NORM_SCALE,
                  .more = true,
                  .common = LM_NO_WEIGHT,
                  .width = E,
                  .projection = JOIN,
                  .projection_bias = JOIN_BIAS,
                  .trigram = true},
    .stack = {.layers = LAYERS,
              .width = D,
              .blocks = {{.attention_norms = {LM_NO_NORM, LM_NO_NORM, {OUTPUT + 2, OUTPUT + 3}},
                          .ffn_norms = {LM_NO_NORM, LM_NO_NORM, LM_NO_NORM},
                          .norm = LM_NORM_SCALE,
                          .qkv = QUERY_KEY,
                          .qkv_bias = QUERY_KEY + 1,
                          .output = OUTPUT,
                          .output_bias = OUTPUT + 1,
                          .heads = HEADS,
                          .kv_heads = HEADS,
                          .head_dim = HEAD,
                          .scale = .4f,
                          .up = OWN_NET,
                          .inner = INNER,
                          .act = LM_ACT_RELU,
                          .narrow = &narrow,
                          .nets = EXTRA_NETS}},
              .final = LM_NO_NORM,
              .bias = LM_NO_WEIGHT},
};

/* ---- Weights ---- */

typedef struct model {
    float *plain[MODEL + LAYERS * LAYER];
    const void *table[MODEL + LAYERS * LAYER]; /* matrices are packed */
    void *packed[MODEL + LAYERS * LAYER];
    lm_nn_weights weights;
} model;

static lm_rng rng;

static void
add_rows(model *m, size_t index, size_t count, float scale, float centre)
{
    float *x = malloc(count * sizeof *x);

    for (size_t i = 0; i < count; i++)
        x[i] = centre + scale * (float)(2 * lm_rng_uniform(&rng) - 1);
    m->table[index] = m->plain[index] = x;
}

static void
add_matrix(model *m, size_t index, size_t n, size_t k)
{
    const lm_product *product = m->weights.product;
    lm_matrix matrix = {.n = n, .k = k};

    add_rows(m, index, n * k, .25f, 0);
    matrix.values = m->plain[index];
    m->packed[index] = aligned_alloc(LM_ALIGNMENT, product->packed_size(n, k));
    product->pack(&matrix, 0, n, m->packed[index]);
    m->table[index] = m->packed[index];
    add_rows(m, index + 1, n, .3f, 0);
}

static void
add_normed(model *m, size_t index, size_t n, size_t k)
{
    add_matrix(m, index, n, k);
    add_rows(m, index + 2, n, .3f, 1);
    add_rows(m, index + 3, n, .3f, 0);
}

static void
add_layer(model *m, size_t at)
{
    add_normed(m, at + ATTENDED, W, D);
    add_normed(m, at + ENTRY, W, D);
    add_matrix(m, at + QUERY_KEY, 2 * W, W);
    add_matrix(m, at + VALUE, W, D);
    add_normed(m, at + OUTPUT, W, W);
    add_normed(m, at + LEAVE, D, W);
    for (size_t net = at + NETS; net <= at + OWN_NET; net += LM_NET_TARGETS) {
        add_matrix(m, net, INNER, W);
        add_normed(m, net + 2, W, INNER);
    }
}

static model *
make_model(const lm_kernels *kernels)
{
    model *m = calloc(1, sizeof *m);

    lm_rng_seed(&rng, 5);
    m->weights = (lm_nn_weights){.kernels = kernels,
                                 .precision = LM_PRECISION_F32,
                                 .product = &kernels->products[LM_PRECISION_F32],
                                 .attention = &kernels->attention[LM_PRECISION_F32],
                                 .model = m->table,
                                 .layers = m->table + MODEL,
                                 .stride = LAYER};
    add_rows(m, WORDS, VOCAB * E, 1, 0);
    add_rows(m, TYPES, 2 * D, 1, 0);
    add_rows(m, POSITIONS, WINDOW * D, 1, 0);
    add_normed(m, JOIN, D, 3 * E);
    for (size_t layer = 0; layer < LAYERS; layer++)
        add_layer(m, MODEL + layer * LAYER);
    return m;
}

static void
free_model(model *m)
{
    for (size_t i = 0; i < MODEL + LAYERS * LAYER; i++)
        free(m->plain[i]), free(m->packed[i]);
    free(m);
}

/* ---- The reference ---- */

/* out = W x + bias */
static void
product(const model *m, size_t index, size_t n, size_t k, const double *x, double *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = m->plain[index + 1][i];
        for (size_t j = 0; j < k; j++)
            out[i] += (double)m->plain[index][i * k + j] * x[j];
    }
}

/* x = gain · (x + more) + bias */
static void
scale(const model *m, size_t index, size_t width, double *x, const double *more)
{
    for (size_t i = 0; i < width; i++)
        x[i] = m->plain[index][i] * (x[i] + (more ? more[i] : 0)) + m->plain[index + 1][i];
}

static void
normed(const model *m, size_t index, size_t n, size_t k, const double *x, double *out)
{
    product(m, index, n, k, x, out);
    scale(m, index + 2, n, out, NULL);
}

static void
naive_embed(const model *m, const int32_t *ids, const int32_t *types, size_t tokens, double *x)
{
    for (size_t t = 0; t < tokens; t++) {
        double joined[3 * E] = {0}, places[D];

        for (size_t i = 0; i < E; i++) {
            joined[i] = t + 1 < tokens ? m->plain[WORDS][ids[t + 1] * E + (int)i] : 0;
            joined[E + i] = m->plain[WORDS][ids[t] * E + (int)i];
            joined[2 * E + i] = t > 0 ? m->plain[WORDS][ids[t - 1] * E + (int)i] : 0;
        }
        product(m, JOIN, D, 3 * E, joined, x + t * D);
        for (size_t i = 0; i < D; i++)
            places[i] = (double)m->plain[POSITIONS][t * D + i] +
                        (double)m->plain[TYPES][(size_t)types[t] * D + i];
        scale(m, GAIN, D, x + t * D, places);
    }
}

/* Attention of one query over qkv (tokens, 3 W). */
static void
naive_attend(const double *qkv, size_t tokens, size_t query, double *out)
{
    for (size_t h = 0; h < HEADS; h++) {
        const double *q = qkv + query * 3 * W + h * HEAD;
        double total = 0;

        memset(out + h * HEAD, 0, HEAD * sizeof *out);
        for (size_t key = 0; key < tokens; key++) {
            const double *k = qkv + key * 3 * W + W + h * HEAD;
            double score = 0;

            for (size_t d = 0; d < HEAD; d++)
                score += q[d] * k[d];
            score = exp(score * (double).4f);
            total += score;
            for (size_t d = 0; d < HEAD; d++)
                out[h * HEAD + d] += score * k[W + d];
        }
        for (size_t d = 0; d < HEAD; d++)
            out[h * HEAD + d] /= total;
    }
}

static void
naive_net(const model *m, size_t at, double *r)
{
    double wide[INNER], row[W];

    product(m, at, INNER, W, r, wide);
    for (size_t i = 0; i < INNER; i++)
        wide[i] = wide[i] > 0 ? wide[i] : 0;
    product(m, at + 2, W, INNER, wide, row);
    scale(m, at + 4, W, r, row);
}

static void
naive_layer(const model *m, size_t at, size_t tokens, double *x)
{
    double *qkv = malloc(tokens * 3 * W * sizeof *qkv), a[W], r[W], row[D];

    for (size_t t = 0; t < tokens; t++) {
        normed(m, at + ATTENDED, W, D, x + t * D, a);
        product(m, at + QUERY_KEY, 2 * W, W, a, qkv + t * 3 * W);
        product(m, at + VALUE, W, D, x + t * D, qkv + t * 3 * W + 2 * W);
    }
    for (size_t t = 0; t < tokens; t++) {
        normed(m, at + ENTRY, W, D, x + t * D, r);
        naive_attend(qkv, tokens, t, a);
        product(m, at + OUTPUT, W, W, a, row);
        scale(m, at + OUTPUT + 2, W, r, row);
        for (size_t net = at + NETS; net <= at + OWN_NET; net += LM_NET_TARGETS)
            naive_net(m, net, r);
        product(m, at + LEAVE, D, W, r, row);
        scale(m, at + LEAVE + 2, D, x + t * D, row);
    }
    free(qkv);
}

/* ---- Running ---- */

static int32_t ids[TOKENS], types[TOKENS];

static void
make_tokens(void)
{
    for (int i = 0; i < TOKENS; i++) {
        ids[i] = i * 7 % VOCAB;
        types[i] = i % 2;
    }
}

/* The result's copy (rows, D), to be freed. */
static float *
run(lm_context *ctx, const model *m, const lm_batch *batch, size_t layers, lm_status *status)
{
    size_t size =
        lm_encoder_workspace(&encoder, &m->weights, batch->tokens, lm_batch_longest(batch));
    size_t rows = batch->outputs ? batch->texts : batch->tokens;
    char *space = aligned_alloc(LM_ALIGNMENT, lm_align_up(size + GUARD));
    float *result = calloc(rows * D, sizeof *result);
    const float *hidden = NULL;

    memset(space, 0xa5, size + GUARD);
    *status = lm_encoder_run(ctx, &encoder, &m->weights, batch, layers, space, &hidden);
    if (hidden)
        memcpy(result, hidden, rows * D * sizeof *result);
    for (size_t i = 0; i < GUARD; i++)
        if ((unsigned char)space[size + i] != 0xa5)
            UNIT_FAIL("byte %zu behind the workspace was written", i);
    free(space);
    return result;
}

static const lm_batch whole = {
    .tokens = TOKENS, .texts = TEXTS, .ids = ids, .type_ids = types, .offsets = offsets};

static void
each_level(void (*check)(lm_context *ctx, fake_memory *memory, const model *m))
{
    make_tokens();
    for (int level = 0; level < LM_LEVEL_COUNT; level++)
        if (lm_kernels_at((lm_level)level)) {
            fake_memory memory = {0};
            lm_context ctx;
            model *m = make_model(lm_kernels_at((lm_level)level));

            fake_context(&ctx, &memory);
            check(&ctx, &memory, m);
            CHECK_EQ_INT(memory.calls, 0); /* nothing allocates */
            free_model(m);
        }
}

static void
check_result(lm_context *ctx, fake_memory *memory, const model *m)
{
    for (size_t layers = 0; layers <= LAYERS; layers++) {
        lm_status status;
        float *found = run(ctx, m, &whole, layers, &status);
        double worst = 0;

        CHECK_OK(ctx, status);
        for (size_t text = 0; text < TEXTS; text++) {
            size_t first = offsets[text], tokens = offsets[text + 1] - first;
            double *wanted = malloc(tokens * D * sizeof *wanted);

            naive_embed(m, ids + first, types + first, tokens, wanted);
            for (size_t layer = 0; layer < layers; layer++)
                naive_layer(m, MODEL + layer * LAYER, tokens, wanted);
            for (size_t i = 0; i < tokens * D; i++)
                worst = fmax(worst, fabs(wanted[i] - found[first * D + i]) / (1 + fabs(wanted[i])));
            free(wanted);
        }
        if (!(worst <= 5e-5))
            UNIT_FAIL("%zu layers at %s: error %g", layers, m->weights.kernels->name, worst);
        free(found);
    }
}

static void
result(void)
{
    each_level(check_result);
}

/* Each text by itself, and outputs only. */
static void
check_bits(lm_context *ctx, fake_memory *memory, const model *m)
{
    lm_batch some = whole;
    lm_status status;
    float *all = run(ctx, m, &whole, LAYERS, &status), *part;

    some.outputs = outputs;
    part = run(ctx, m, &some, LAYERS, &status);
    for (size_t text = 0; text < TEXTS; text++)
        CHECK(memcmp(part + text * D, all + outputs[text] * D, D * sizeof *all) == 0);
    free(part);
    for (size_t text = 0; text < TEXTS; text++) {
        const size_t alone[] = {0, offsets[text + 1] - offsets[text]};
        const lm_batch one = {.tokens = alone[1],
                              .texts = 1,
                              .ids = ids + offsets[text],
                              .type_ids = types + offsets[text],
                              .offsets = alone};

        part = run(ctx, m, &one, LAYERS, &status);
        CHECK(memcmp(part, all + offsets[text] * D, alone[1] * D * sizeof *all) == 0);
        free(part);
    }
    free(all);
}

static void
bits(void)
{
    each_level(check_bits);
}

static void
check_cancel(lm_context *ctx, fake_memory *memory, const model *m)
{
    lm_status status = LM_CANCELLED;

    for (int at = 1; status == LM_CANCELLED; at++) {
        memory->polls = 0;
        memory->stop_at = at;
        free(run(ctx, m, &whole, LAYERS, &status));
        CHECK(status == LM_CANCELLED ? memory->polls == at : memory->polls == at - 1);
    }
    CHECK_OK(ctx, status);
    CHECK(memory->polls > 10 * LAYERS);
}

static void
cancel(void)
{
    each_level(check_cancel);
}

static const unit_case cases[] = {{"result", result}, {"bits", bits}, {"cancel", cancel}};

UNIT_MAIN(cases)
