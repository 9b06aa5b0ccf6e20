/*
 * test_nn.c - the parts of encoders against their definitions in double, at every level; pieces
 * have the bits of the whole; long work polls cancel often enough.
 */
#include <stdint.h>

#include "base/rng.h"
#include "base/size.h"
#include "fake.h"
#include "nn/nn.h"
#include "unit.h"

static lm_rng rng;

static float *
make_floats(size_t count)
{
    float *values = aligned_alloc(LM_ALIGNMENT, lm_align_up(count * sizeof *values));

    for (size_t i = 0; i < count; i++)
        values[i] = (float)(lm_rng_uniform(&rng) * 2 - 1);
    return values;
}

static void *
make_packed(const lm_product *product, const float *w, size_t n, size_t k)
{
    void *packed = aligned_alloc(LM_ALIGNMENT, product->packed_size(n, k));
    int8_t *codes = malloc(n * k);
    float *scales = malloc(n * sizeof *scales);
    const lm_matrix matrix = {.n = n, .k = k, .values = w, .codes = codes, .scales = scales};

    lm_quantize_rows(w, n, k, codes, scales);
    product->pack(&matrix, 0, n, packed);
    free(codes), free(scales);
    return packed;
}

static void
each_level(void (*check)(lm_context *ctx, fake_memory *memory, const lm_kernels *kernels))
{
    for (int level = 0; level < LM_LEVEL_COUNT; level++) {
        fake_memory memory = {0};
        lm_context ctx;

        if (!lm_kernels_at((lm_level)level))
            continue;
        lm_rng_seed(&rng, 11);
        fake_context(&ctx, &memory);
        check(&ctx, &memory, lm_kernels_at((lm_level)level));
        CHECK_EQ_INT(memory.calls, 0); /* no part allocates */
    }
}

/* Rows enough for several pieces: polled once a piece, with the bits of one call. */
static void
check_product(lm_context *ctx, fake_memory *memory, const lm_product *product)
{
    size_t n = 130, k = 70;
    double flops = 2.0 * (double)n * (double)k;
    size_t m = (size_t)(2.5 * product->poll_flops / flops);
    float *a = make_floats(m * k), *w = make_floats(n * k), *bias = make_floats(n);
    float *whole = make_floats(m * n), *pieces = make_floats(m * n);
    void *packed = make_packed(product, w, n, k);
    void *scratch = aligned_alloc(LM_ALIGNMENT, product->scratch_size(m, k) + LM_ALIGNMENT);
    lm_gemm args = {
        .m = m,
        .n = n,
        .k = k,
        .a = a,
        .lda = k,
        .packed = packed,
        .bias = bias,
        .c = whole,
        .ldc = n,
        .scratch = scratch,
    };

    int before = memory->polls;

    memcpy(pieces, whole, m * n * sizeof *whole);
    args.residual = whole;
    args.ldr = n;
    product->gemm(&args);
    args.residual = args.c = pieces;
    CHECK_OK(ctx, lm_nn_linear(ctx, product, &args));
    CHECK(memcmp(whole, pieces, m * n * sizeof *whole) == 0);
    CHECK(memory->polls >= before + 3 && memory->polls <= before + 4);
    memory->stop_at = memory->polls + 2;
    CHECK_EQ_INT(lm_nn_linear(ctx, product, &args), LM_CANCELLED);
    memory->stop_at = 0;
    /* Budgets of less than a row, of seven rows: the same bits. */
    args.residual = NULL;
    args.c = whole;
    product->gemm(&args);
    args.c = pieces;
    for (int rows = 0; rows <= 7; rows += 7) {
        lm_product narrow = *product;

        narrow.poll_flops = 2.0 * (double)n * (double)k * rows + 1;
        memset(pieces, 0, m * n * sizeof *pieces);
        CHECK_OK(ctx, lm_nn_linear(ctx, &narrow, &args));
        CHECK(memcmp(whole, pieces, m * n * sizeof *whole) == 0);
    }
    free(a), free(w), free(bias), free(whole), free(pieces), free(packed), free(scratch);
}

/* What an observer was shown. */
typedef struct shown {
    int calls;
    size_t rows;
    lm_status answer;
} shown;

static lm_status
observe(void *opaque, lm_context *ctx, const lm_gemm *args)
{
    shown *s = opaque;

    s->calls++;
    s->rows = args->m;
    return s->answer;
}

/* A whole call at once, though it runs in pieces, and before it runs; what it answers counts. */
static void
check_observer(lm_context *ctx, const lm_product *product)
{
    enum { ROWS = 5, N = 6, K = 7 };
    float *a = make_floats(ROWS * K), *w = make_floats(N * K), c[ROWS * N], wanted[ROWS * N];
    void *packed = make_packed(product, w, N, K);
    void *scratch = aligned_alloc(LM_ALIGNMENT, product->scratch_size(ROWS, K) + LM_ALIGNMENT);
    shown s = {.answer = LM_OK};
    const lm_observer observer = {observe, &s};
    lm_product watched = *product;
    lm_gemm args = {.m = ROWS,
                    .n = N,
                    .k = K,
                    .a = a,
                    .lda = K,
                    .packed = packed,
                    .c = wanted,
                    .ldc = N,
                    .scratch = scratch};

    CHECK(!product->observer);
    watched.observer = &observer;
    watched.poll_flops = 1;
    product->gemm(&args);
    args.c = c;
    CHECK_OK(ctx, lm_nn_linear(ctx, &watched, &args));
    CHECK_EQ_INT(s.calls, 1);
    CHECK_EQ_INT(s.rows, ROWS);
    CHECK(memcmp(c, wanted, sizeof c) == 0);
    s.answer = LM_TOO_LARGE;
    memset(c, 0, sizeof c);
    CHECK_EQ_INT(lm_nn_linear(ctx, &watched, &args), LM_TOO_LARGE);
    CHECK(c[0] == 0);
    free(a), free(w), free(packed), free(scratch);
}

static void
check_linear(lm_context *ctx, fake_memory *memory, const lm_kernels *kernels)
{
    for (int precision = 0; precision < LM_PRECISION_COUNT; precision++) {
        lm_product product = kernels->products[precision];

#ifdef __SANITIZE_ADDRESS__
        product.poll_flops /= (double)unit_stride(); /* pieces of fewer rows */
#endif
        check_product(ctx, memory, &product);
        check_observer(ctx, &kernels->products[precision]);
    }
}

static void
linear(void)
{
    each_level(check_linear);
}

static void
check_embed(lm_context *ctx, fake_memory *memory, const lm_kernels *kernels)
{
    enum { D = 37 };
    static const int32_t ids[] = {4, 0, 3, 3, 1}, types[] = {0, 1, 1, 0, 1};
    static const size_t offsets[] = {0, 2, 2, 5}, position[] = {0, 1, 0, 1, 2};
    float *words = make_floats(5 * D), *kinds = make_floats(2 * D), *places = make_floats(3 * D);
    float out[5 * D];
    lm_nn_embedding args = {.width = D,
                            .words = words,
                            .types = kinds,
                            .position = places,
                            .ids = ids,
                            .texts = 3,
                            .offsets = offsets};

    for (int with_types = 1; with_types >= 0; with_types--) {
        args.type_ids = with_types ? types : NULL;
        CHECK_OK(ctx, lm_nn_embed(ctx, kernels, &args, out));
        for (int t = 0; t < 5; t++)
            for (int i = 0; i < D; i++)
                CHECK_NEAR(out[t * D + i],
                           (double)words[ids[t] * D + i] +
                               kinds[(with_types ? types[t] : 0) * D + i] +
                               places[position[t] * D + i],
                           1e-6);
    }
    free(words), free(kinds), free(places);
}

/* Padding (id 3) has the row before the first position, and is not counted; row 0 is everybody's.
 */
static void
check_padding(lm_context *ctx, fake_memory *memory, const lm_kernels *kernels)
{
    enum { D = 37 };
    static const int32_t ids[] = {4, 3, 2, 3, 3, 1};
    static const size_t offsets[] = {0, 4, 6}, position[] = {4, 3, 5, 3, 3, 4};
    float *words = make_floats(5 * D), *places = make_floats(6 * D), *all = make_floats(2 * D);
    float out[6 * D];
    const lm_nn_embedding args = {.width = D,
                                  .words = words,
                                  .position = places,
                                  .common = all,
                                  .first_position = 4,
                                  .skip_padding = true,
                                  .ids = ids,
                                  .texts = 2,
                                  .offsets = offsets};

    CHECK_OK(ctx, lm_nn_embed(ctx, kernels, &args, out));
    for (int t = 0; t < 6; t++)
        for (int i = 0; i < D; i++)
            CHECK_NEAR(out[t * D + i],
                       (double)words[ids[t] * D + i] + places[position[t] * D + i] + all[i], 1e-6);
    free(words), free(places), free(all);
}

static void
embedding(void)
{
    each_level(check_embed);
    each_level(check_padding);
}

/* Attention of one text by its definition, head by head, in double. */
static void
naive_attention(const lm_nn_attention *args, size_t row, size_t tokens, double *out)
{
    size_t hd = args->head_dim, width = args->heads * hd, ld = 3 * width;
    double *weights = malloc(tokens * sizeof *weights);

    for (size_t h = 0; h < args->heads; h++)
        for (size_t t = 0; t < tokens; t++) {
            const float *q = args->qkv + (row + t) * ld + h * hd;
            double total = 0;

            for (size_t s = 0; s < tokens; s++) {
                const float *k = args->qkv + (row + s) * ld + width + h * hd;
                double dot = 0;

                for (size_t i = 0; i < hd; i++)
                    dot += (double)q[i] * k[i];
                weights[s] = exp(dot * (double)args->scale);
                total += weights[s];
            }
            for (size_t i = 0; i < hd; i++) {
                double sum = 0;

                for (size_t s = 0; s < tokens; s++)
                    sum += weights[s] * args->qkv[(row + s) * ld + 2 * width + h * hd + i];
                out[t * width + h * hd + i] = sum / total;
            }
        }
    free(weights);
}

static void
check_attend(lm_context *ctx, fake_memory *memory, const lm_kernels *kernels)
{
    static const size_t offsets[] = {0, 1, 18, 18, 51};
    size_t heads = 3, hd = 5, width = heads * hd, tokens = 51;
    float *qkv = make_floats(tokens * 3 * width), *out = make_floats(tokens * width);
    double *wanted = malloc(tokens * width * sizeof *wanted);
    void *scratch =
        aligned_alloc(LM_ALIGNMENT, lm_align_up(kernels->attention->scratch_size(33, hd) + 1));
    const lm_nn_attention args = {
        .kernel = kernels->attention,
        .end = 4,
        .offsets = offsets,
        .heads = heads,
        .kv_heads = heads,
        .head_dim = hd,
        .scale = .4f,
        .qkv = qkv,
        .out = out,
        .scratch = scratch,
    };

    CHECK_OK(ctx, lm_nn_attend(ctx, kernels, &args));
    for (size_t text = 0; text < 4; text++) {
        naive_attention(&args, offsets[text], offsets[text + 1] - offsets[text], wanted);
        for (size_t i = 0; i < (offsets[text + 1] - offsets[text]) * width; i++)
            CHECK_NEAR(out[offsets[text] * width + i], wanted[i], 2e-6);
    }
    free(qkv), free(out), free(wanted), free(scratch);
}

/* One row of each text has the bits that it has among all rows, and stands without the others. */
static void
check_wanted_rows(lm_context *ctx, fake_memory *memory, const lm_kernels *kernels)
{
    static const size_t offsets[] = {0, 1, 18, 51}, wanted[] = {0, 9, 50};
    size_t heads = 3, hd = 5, width = heads * hd, tokens = 51;
    float *qkv = make_floats(tokens * 3 * width), *all = make_floats(tokens * width);
    float *one = make_floats(4 * width), guard = one[3 * width];
    void *scratch =
        aligned_alloc(LM_ALIGNMENT, lm_align_up(kernels->attention->scratch_size(33, hd) + 1));
    lm_nn_attention args = {
        .kernel = kernels->attention,
        .end = 3,
        .offsets = offsets,
        .heads = heads,
        .kv_heads = heads,
        .head_dim = hd,
        .scale = .4f,
        .qkv = qkv,
        .out = all,
        .scratch = scratch,
    };

    CHECK_OK(ctx, lm_nn_attend(ctx, kernels, &args));
    args.out = one;
    args.outputs = wanted;
    CHECK_OK(ctx, lm_nn_attend(ctx, kernels, &args));
    for (size_t text = 0; text < 3; text++)
        CHECK(memcmp(one + text * width, all + wanted[text] * width, width * sizeof *one) == 0);
    CHECK(one[3 * width] == guard);
    free(qkv), free(all), free(one), free(scratch);
}

/* Texts in groups, whose qkv begins with the group, have the bits of all at once. */
static void
check_groups(lm_context *ctx, fake_memory *memory, const lm_kernels *kernels)
{
    static const size_t offsets[] = {0, 1, 18, 51}, wanted[] = {0, 9, 50};
    size_t heads = 3, hd = 5, width = heads * hd, tokens = 51;
    float *qkv = make_floats(tokens * 3 * width), *all = make_floats(tokens * width);
    float *rows = make_floats(3 * width), *grouped = make_floats(tokens * width);
    void *scratch =
        aligned_alloc(LM_ALIGNMENT, lm_align_up(kernels->attention->scratch_size(33, hd) + 1));
    lm_nn_attention args = {
        .kernel = kernels->attention,
        .end = 3,
        .offsets = offsets,
        .heads = heads,
        .kv_heads = heads,
        .head_dim = hd,
        .scale = .4f,
        .qkv = qkv,
        .out = all,
        .scratch = scratch,
    };

    CHECK_OK(ctx, lm_nn_attend(ctx, kernels, &args));
    for (int only = 0; only < 2; only++) {
        args.out = only ? rows : grouped;
        args.outputs = only ? wanted : NULL;
        for (args.first = 0; args.first < 3; args.first = args.end) {
            args.end = args.first + 1 + args.first % 2;
            args.qkv = qkv + offsets[args.first] * 3 * width;
            CHECK_OK(ctx, lm_nn_attend(ctx, kernels, &args));
        }
    }
    CHECK(memcmp(grouped, all, tokens * width * sizeof *all) == 0);
    for (size_t text = 0; text < 3; text++)
        CHECK(memcmp(rows + text * width, all + wanted[text] * width, width * sizeof *all) == 0);
    free(qkv), free(all), free(rows), free(grouped), free(scratch);
}

/* A text so long that its heads go in several calls has the bits of one call. */
static void
check_long_text(lm_context *ctx, fake_memory *memory, const lm_kernels *kernels)
{
    size_t heads = 5, hd = 16, width = heads * hd;
    size_t tokens = (size_t)sqrt(kernels->poll_flops / (4.0 * hd) / 2.2), offsets[] = {0, tokens};
    float *qkv = make_floats(tokens * 3 * width), *out = make_floats(tokens * width);
    float *whole = make_floats(tokens * width);
    void *scratch =
        aligned_alloc(LM_ALIGNMENT, lm_align_up(kernels->attention->scratch_size(tokens, hd) + 1));
    const lm_nn_attention args = {
        .kernel = kernels->attention,
        .end = 1,
        .offsets = offsets,
        .heads = heads,
        .kv_heads = heads,
        .head_dim = hd,
        .scale = .25f,
        .qkv = qkv,
        .out = out,
        .scratch = scratch,
    };
    const lm_attention one = {
        .queries = tokens,
        .keys = tokens,
        .heads = heads,
        .kv_heads = heads,
        .head_dim = hd,
        .q = qkv,
        .ldq = 3 * width,
        .k = qkv + width,
        .v = qkv + 2 * width,
        .ldkv = 3 * width,
        .scale = .25f,
        .out = whole,
        .ldo = width,
        .scratch = scratch,
    };

    memory->polls = 0;
    CHECK_OK(ctx, lm_nn_attend(ctx, kernels, &args));
    CHECK(memory->polls >= 3);
    kernels->attention->run(&one);
    CHECK(memcmp(out, whole, tokens * width * sizeof *out) == 0);
    free(qkv), free(out), free(whole), free(scratch);
}

/* A head so long that its queries go in several calls, under each mask: the bits of one call. */
static void
check_long_head(lm_context *ctx, fake_memory *memory, const lm_kernels *kernels)
{
    enum { HEADS = 4, HD = 6, LONG = 250 };
    static const size_t offsets[] = {0, LONG};
    float *qkv = make_floats(LONG * 2 * HEADS * HD), *out = make_floats(LONG * HEADS * HD);
    float *whole = make_floats(LONG * HEADS * HD);
    void *scratch =
        aligned_alloc(LM_ALIGNMENT, lm_align_up(kernels->attention->scratch_size(LONG, HD) + 1));
    lm_kernels impatient = *kernels;
    lm_nn_attention args = {
        .kernel = kernels->attention,
        .end = 1,
        .offsets = offsets,
        .heads = HEADS,
        .kv_heads = HEADS / 2,
        .head_dim = HD,
        .window = 20,
        .scale = .25f,
        .qkv = qkv,
        .scratch = scratch,
    };

    impatient.poll_flops = 4.0 * LONG * HD * 2 * 110; /* two steps of two heads */
    for (args.mask = 0; args.mask < LM_MASK_COUNT; args.mask++) {
        args.out = whole;
        CHECK_OK(ctx, lm_nn_attend(ctx, kernels, &args));
        args.out = out;
        memory->polls = 0;
        CHECK_OK(ctx, lm_nn_attend(ctx, &impatient, &args));
        CHECK_EQ_INT(memory->polls, 6);
        CHECK(memcmp(out, whole, LONG * HEADS * HD * sizeof *out) == 0);
    }
    free(qkv), free(out), free(whole), free(scratch);
}

static void
attention(void)
{
    each_level(check_attend);
    each_level(check_wanted_rows);
    each_level(check_groups);
    each_level(check_long_head);
    each_level(check_long_text);
}

static void
check_feed_forward(lm_context *ctx, fake_memory *memory, const lm_kernels *kernels)
{
    enum { ROWS = 3, D = 21, F = 34 };
    float *x = make_floats(ROWS * D), *up = make_floats(F * D), *down = make_floats(D * F);
    float *up_bias = make_floats(F), *down_bias = make_floats(D), *buffer = make_floats(ROWS * F);
    const lm_product *product = &kernels->products[LM_PRECISION_F32];
    void *packed_up = make_packed(product, up, F, D),
         *packed_down = make_packed(product, down, D, F);
    float old[ROWS * D];
    const lm_nn_ffn args = {.kernels = kernels,
                            .product = product,
                            .width = D,
                            .inner = F,
                            .up = packed_up,
                            .up_bias = up_bias,
                            .down = packed_down,
                            .down_bias = down_bias,
                            .act = LM_ACT_RELU,
                            .x = x,
                            .residual = x,
                            .out = x,
                            .buffer = buffer};

    memcpy(old, x, sizeof old);
    CHECK_OK(ctx, lm_nn_feed_forward(ctx, &args, ROWS));
    for (int r = 0; r < ROWS; r++)
        for (int o = 0; o < D; o++) {
            double sum = (double)old[r * D + o] + down_bias[o];

            for (int f = 0; f < F; f++) {
                double inner = up_bias[f];

                for (int i = 0; i < D; i++)
                    inner += (double)up[f * D + i] * old[r * D + i];
                sum += (double)down[o * F + f] * fmax(inner, 0);
            }
            CHECK_NEAR(x[r * D + o], sum, 2e-5);
        }
    free(x), free(up), free(down), free(up_bias), free(down_bias), free(buffer);
    free(packed_up), free(packed_down);
}

static void
feed_forward(void)
{
    each_level(check_feed_forward);
}

static void
check_norm(lm_context *ctx, fake_memory *memory, const lm_kernels *kernels)
{
    enum { ROWS = 2, D = 50 };
    float *x = make_floats(ROWS * D), *gain = make_floats(D), *bias = make_floats(D);
    float old[ROWS * D];
    const lm_norm norm = {LM_NORM_LAYER, gain, bias, 1e-2f};

    memcpy(old, x, sizeof old);
    lm_nn_norm(kernels, &norm, ROWS, D, x, x);
    for (int r = 0; r < ROWS; r++) {
        double mean = 0, variance = 0;

        for (int i = 0; i < D; i++)
            mean += old[r * D + i] / (double)D;
        for (int i = 0; i < D; i++)
            variance += (old[r * D + i] - mean) * (old[r * D + i] - mean) / D;
        for (int i = 0; i < D; i++)
            CHECK_NEAR(x[r * D + i],
                       (old[r * D + i] - mean) / sqrt(variance + 1e-2) * gain[i] + bias[i], 5e-6);
    }
    free(x), free(gain), free(bias);
}

static void
norm(void)
{
    each_level(check_norm);
}

/* Each angle in double, at positions where one in float is 1e-4 away. */
static void
exact_angles(void)
{
    enum { TURNED = 12, POSITIONS = 1536 };
    static float cosines[POSITIONS * TURNED / 2], sines[POSITIONS * TURNED / 2];
    fake_memory memory = {0};
    lm_context ctx;

    fake_context(&ctx, &memory);
    CHECK_OK(&ctx, lm_nn_exact_rope_table(&ctx, 10000, TURNED, POSITIONS, cosines, sines));
    for (int p = 0; p < POSITIONS; p++)
        for (int j = 0; j < TURNED / 2; j++) {
            double angle = p / pow(10000, 2.0 * j / TURNED);

            CHECK_NEAR(cosines[p * TURNED / 2 + j], cos(angle), 1e-7);
            CHECK_NEAR(sines[p * TURNED / 2 + j], sin(angle), 1e-7);
        }
}

static const unit_case cases[] = {
    {"exact angles", exact_angles}, {"linear", linear},
    {"embedding", embedding},       {"attention", attention},
    {"feed-forward", feed_forward}, {"norm", norm},
};

UNIT_MAIN(cases)
