/*
 * test_quantize.c - the calibrated int8 of the room quant: its algebra against plain double, its
 * file against the model that it was made from, the same bytes again, and what fails on the way.
 */
#include <float.h>

#include "base/rng.h"
#include "golden.h"
#include "loaded.h"
#include "model/kinds.h"
#include "quant/gptq.h"
#include "quant/quantize.h"

static float
normal(lm_rng *rng)
{
    double sum = -6;

    for (int i = 0; i < 12; i++)
        sum += lm_rng_uniform(rng);
    return (float)sum;
}

/* ---- Algebra ---- */

/* X (rows, n), whose columns differ in size and hang together; its Gram matrix. */
static float *
make_gram(lm_rng *rng, size_t n, size_t rows)
{
    float *x = malloc(rows * n * sizeof *x), *gram = calloc(n * n, sizeof *gram);

    for (size_t i = 0; i < rows; i++) {
        float common = normal(rng);

        for (size_t j = 0; j < n; j++)
            x[i * n + j] = (normal(rng) + common) * (j % 7 == 3 ? 5 : 1);
    }
    for (size_t a = 0; a < n; a++)
        for (size_t b = 0; b < n; b++) {
            double sum = 0;

            for (size_t i = 0; i < rows; i++)
                sum += (double)x[i * n + a] * x[i * n + b];
            gram[a * n + b] = (float)sum;
        }
    free(x);
    return gram;
}

/* L Lᵀ is A again. */
static void
check_factor(size_t n)
{
    lm_context ctx;
    lm_rng rng;
    float *a, *l;
    double worst = 0, most = 0;
    bool definite = false;

    lm_context_init(&ctx);
    lm_rng_seed(&rng, n);
    a = make_gram(&rng, n, 2 * n + 4);
    l = malloc(n * n * sizeof *l);
    memcpy(l, a, n * n * sizeof *l);
    CHECK_OK(&ctx, lm_cholesky(&ctx, l, n, &definite));
    CHECK(definite);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = 0;

            for (size_t k = 0; k <= j; k++)
                sum += (double)l[i * n + k] * l[j * n + k];
            worst = fmax(worst, fabs(sum - a[i * n + j]));
            most = fmax(most, fabs(a[i * n + j]));
        }
    CHECK_NEAR(worst / most, 0, 2e-6);
    free(a);
    free(l);
}

static void
cholesky(void)
{
    static const size_t sizes[] = {1, 2, 5, 63, 64, 65, 130, 330};
    float no[] = {1, 0, 2, 1}; /* by its lower half 2 stands beside ones: not definite */
    lm_context ctx;
    bool definite = true;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        check_factor(sizes[i]);
    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_cholesky(&ctx, no, 2, &definite));
    CHECK(!definite);
}

/* (w − q) G (w − q)ᵀ over all rows. */
static double
error_of(const float *w, const int8_t *codes, const float *scales, const float *gram, size_t n,
         size_t k)
{
    double sum = 0, *e = malloc(k * sizeof *e);

    for (size_t r = 0; r < n; r++) {
        for (size_t j = 0; j < k; j++)
            e[j] = (double)w[r * k + j] - (double)codes[r * k + j] * scales[r];
        for (size_t i = 0; i < k; i++)
            for (size_t j = 0; j < k; j++)
                sum += e[i] * gram[i * k + j] * e[j];
    }
    free(e);
    return sum;
}

/* The definition in double, without blocks: columns by size, damped by a hundredth of the mean. */
static void
round_plainly(const float *w, const float *gram, size_t n, size_t k, const float *scales,
              int8_t *codes)
{
    size_t *order = malloc(k * sizeof *order);
    double *l = calloc(k * k, sizeof *l), *e = malloc(k * sizeof *e), mean = 0;

    for (size_t j = 0; j < k; j++) {
        size_t at = j;

        mean += gram[j * k + j] / (double)k;
        for (; at > 0 && gram[order[at - 1] * k + order[at - 1]] > gram[j * k + j]; at--)
            order[at] = order[at - 1];
        order[at] = j;
    }
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = gram[order[i] * k + order[j]] + (i == j ? .01 * mean : 0);

            for (size_t m = 0; m < j; m++)
                sum -= l[i * k + m] * l[j * k + m];
            l[i * k + j] = i == j ? sqrt(sum) : sum / l[j * k + j];
        }
    for (size_t r = 0; r < n; r++)
        for (size_t j = k; j-- > 0;) {
            double value = w[r * k + order[j]], term = 0;

            for (size_t i = j + 1; i < k; i++)
                term += e[i] * l[i * k + j];
            term = nearbyint((value + term / l[j * k + j]) / scales[r]);
            term = fmin(fmax(term, -LM_INT8_GREATEST), LM_INT8_GREATEST);
            codes[r * k + order[j]] = (int8_t)term;
            e[j] = value - term * scales[r];
        }
    free(order);
    free(l);
    free(e);
}

static void
check_rounding(size_t n, size_t k)
{
    float *w = malloc(n * k * sizeof *w), *scales = malloc(n * sizeof *scales), *gram;
    float *plain_scales = malloc(n * sizeof *scales);
    int8_t *codes = malloc(n * k), *plain = malloc(n * k), *wanted = malloc(n * k);
    size_t differ = 0;
    lm_context ctx;
    lm_rng rng;

    lm_context_init(&ctx);
    lm_rng_seed(&rng, 1000 * n + k);
    gram = make_gram(&rng, k, k / 2 + 3); /* fewer rows than columns: damping must do */
    for (size_t i = 0; i < n * k; i++)
        w[i] = normal(&rng);
    CHECK_OK(&ctx, lm_gptq_round(&ctx, n, k, w, gram, codes, scales));
    lm_quantize_rows(w, n, k, plain, plain_scales);
    round_plainly(w, gram, n, k, scales, wanted);
    for (size_t i = 0; i < n * k; i++)
        differ += codes[i] != wanted[i];
    /* A code that is near a tie in float may fall to the other side, and others after it. */
    CHECK(differ <= n * k / 20);
    CHECK(memcmp(scales, plain_scales, n * sizeof *scales) == 0);
    CHECK(error_of(w, codes, scales, gram, n, k) <= error_of(w, wanted, scales, gram, n, k) * 1.02);
    if (k > 1)
        CHECK(error_of(w, codes, scales, gram, n, k) < error_of(w, plain, scales, gram, n, k) / 2);
    free(w);
    free(scales);
    free(plain_scales);
    free(gram);
    free(codes);
    free(plain);
    free(wanted);
}

static void
gptq(void)
{
    check_rounding(1, 1);
    check_rounding(3, 30);
    check_rounding(7, 64);
    check_rounding(9, 150);
}

/* No spread at all is plain rounding; a matrix that is not definite is damped until it is. */
static void
gptq_odd_grams(void)
{
    static const float w[] = {.3f, -1.f, .77f, 0, 0, 0};
    static const float none[9], crossed[] = {1, 10, 0, 10, 1, 0, 0, 0, 1};
    static const float beyond[] = {INFINITY, 0, 0, 0, 1, NAN, 0, NAN, 1};
    int8_t codes[6], plain[6];
    float scales[2], plain_scales[2];
    lm_context ctx;

    lm_context_init(&ctx);
    lm_quantize_rows(w, 2, 3, plain, plain_scales);
    CHECK_OK(&ctx, lm_gptq_round(&ctx, 2, 3, w, none, codes, scales));
    CHECK(memcmp(codes, plain, 6) == 0);
    CHECK(memcmp(scales, plain_scales, sizeof scales) == 0);
    CHECK_OK(&ctx, lm_gptq_round(&ctx, 2, 3, w, beyond, codes, scales));
    CHECK(memcmp(codes, plain, 6) == 0);
    CHECK_OK(&ctx, lm_gptq_round(&ctx, 2, 3, w, crossed, codes, scales));
    CHECK_EQ_INT(codes[1], -45); /* 1 / (root of the mean square / LM_INT8_SPREAD) */
    CHECK_EQ_INT(codes[3], 0);
}

/* What the product of the best level reads of a row: by a matrix of one weight a row. */
static void
check_coding(const float *x, size_t k, bool finite)
{
    const lm_product *product = &lm_kernels_active()->products[LM_PRECISION_INT8];
    int8_t *codes = calloc(k, k);
    float *scales = malloc(k * sizeof *scales), *out = malloc(2 * k * sizeof *out), most = 0;
    const lm_matrix w = {.n = k, .k = k, .codes = codes, .scales = scales};
    lm_gemm args = {.m = 1, .n = k, .k = k, .a = x, .lda = k, .c = out, .ldc = k};
    void *packed = aligned_alloc(64, product->packed_size(k, k));

    for (size_t i = 0; i < k; i++) {
        codes[i * k + i] = 1;
        scales[i] = 1;
        most = fmaxf(most, fabsf(x[i]));
    }
    product->pack(&w, 0, k, packed);
    args.packed = packed;
    args.scratch = aligned_alloc(64, product->scratch_size(1, k));
    product->gemm(&args);
    lm_int8_read(x, k, out + k);
    for (size_t i = 0; i < k; i++)
        if (finite)
            CHECK_NEAR(out[k + i], out[i], 1e-6 * most);
        else
            CHECK(isnan(out[i]) && isnan(out[k + i]));
    free(args.scratch);
    free(packed);
    free(codes);
    free(scales);
    free(out);
}

static void
coding(void)
{
    float x[100], zeros[70] = {0}, spoilt[] = {1, NAN, 2}, endless[] = {1, 2, INFINITY};
    float wide[] = {FLT_MAX, -FLT_MAX, 1}, below[] = {1e-31f, -1e-32f}, down[] = {-INFINITY, 1};
    lm_rng rng;

    lm_rng_seed(&rng, 7);
    for (size_t i = 0; i < 100; i++)
        x[i] = normal(&rng) * (i == 60 ? 40 : 1);
    check_coding(x, 100, true);
    check_coding(x, 60, true);
    check_coding(x + 60, 1, true);
    check_coding(zeros, 70, true);
    check_coding(below, 2, true);
    check_coding(spoilt, 3, false);
    check_coding(endless, 3, false);
    check_coding(down, 2, false);
    check_coding(wide, 3, false);
}

/* ---- Whole models ---- */

/* Nine texts of words that the tiny models know; the fifth is held out. */
static const char *const words[] = {"the quick brown fox",   "a",     "hello world",
                                    "quick quick the",       "brown", "x y z",
                                    "the fox and the world", "hello", "fox"};
#define TEXTS (sizeof words / sizeof words[0])

typedef struct quantized {
    lm_buffer file;
    lm_quantize_report report;
} quantized;

static const lm_quantize_options *
own_texts(size_t memory)
{
    static lm_text texts[TEXTS];
    static lm_quantize_options options;

    for (size_t i = 0; i < TEXTS; i++)
        texts[i] = (lm_text){words[i], strlen(words[i])};
    options = (lm_quantize_options){.texts = texts, .count = TEXTS, .memory = memory};
    return &options;
}

static void
rewind_files(golden_folder *folder)
{
    for (int i = 0; i < folder->files.count; i++)
        folder->files.files[i].read_to = 0;
    folder->files.went_back = false;
}

static lm_status
quantize(lm_context *ctx, golden_folder *folder, const lm_model *model,
         const lm_quantize_options *options, quantized *made)
{
    lm_session *session;
    lm_status status;

    lm_buffer_init(&made->file, ctx);
    LM_TRY(lm_session_create(ctx, &session));
    rewind_files(folder);
    status = lm_quantize(ctx, session, model, &folder->source, options, &made->file, &made->report);
    lm_session_free(session);
    return status;
}

static double
cosine(const float *a, const float *b, size_t width)
{
    double ab = 0, aa = 0, bb = 0;

    for (size_t i = 0; i < width; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return ab / sqrt(aa * bb);
}

static double
cosine_of(lm_context *ctx, const lm_model *a, const lm_model *b, const char *text)
{
    const lm_text input = {text, strlen(text)};
    const lm_embed_options options = {.dimensions = 0};
    lm_session *session;
    float left[256], right[256];

    CHECK_OK(ctx, lm_session_create(ctx, &session));
    CHECK_OK(ctx, lm_embed(ctx, session, a, &input, 1, &options, left, NULL));
    CHECK_OK(ctx, lm_embed(ctx, session, b, &input, 1, &options, right, NULL));
    lm_session_free(session);
    return cosine(left, right, (size_t)a->info.dimensions);
}

/*
 * At every level: the model that loads from the file is the one that was measured, its files are
 * read once, and the order of groups does not show.
 */
static void
check_folder(const char *name)
{
    lm_context ctx;
    golden_folder folder;

    lm_context_init(&ctx);
    golden_open(&ctx, name, &folder);
    for (int level = 0; level < LM_LEVEL_COUNT; level++) {
        const lm_kernels *kernels = lm_kernels_at((lm_level)level);
        loaded_model full, reduced;
        quantized made, again;

        if (!kernels)
            continue;
        CHECK_OK(&ctx, loaded_open_as(&ctx, &folder.source, kernels, LM_PRECISION_F32, &full));
        CHECK_OK(&ctx, quantize(&ctx, &folder, &full.model, own_texts(0), &made));
        CHECK(!folder.files.went_back);
        CHECK_OK(&ctx, quantize(&ctx, &folder, &full.model, own_texts(1), &again));
        CHECK(made.file.size == again.file.size &&
              memcmp(made.file.data, again.file.data, made.file.size) == 0);
        CHECK_EQ_INT(made.report.texts, 8);
        CHECK_EQ_INT(made.report.fidelity.texts, 1);
        CHECK(made.report.tokens > 16);
        CHECK(made.report.matrices >= 4);
        CHECK(made.report.fidelity.min_cosine > .99);
        CHECK_NEAR(made.report.fidelity.mean_cosine, made.report.fidelity.min_cosine, 1e-9);
        fake_add_bytes(&folder.files, LM_QUANTIZED_FILE, made.file.data, made.file.size);
        rewind_files(&folder);
        CHECK_OK(&ctx, loaded_open_as(&ctx, &folder.source, kernels, LM_PRECISION_INT8, &reduced));
        CHECK(!folder.files.went_back);
        if (reduced.image) {
            CHECK_NEAR(cosine_of(&ctx, &full.model, &reduced.model, words[4]),
                       made.report.fidelity.min_cosine, 1e-9);
            loaded_close(&ctx, &reduced);
        }
        folder.files.count--;
        loaded_close(&ctx, &full);
        lm_buffer_free(&made.file);
        lm_buffer_free(&again.file);
    }
    golden_close(&folder);
}

static void
whole_models(void)
{
    check_folder("bert");
    check_folder("bert-fused");
    check_folder("bert-st5-cls");
    check_folder("bert-sharded");
}

/* The texts that ship; and a folder that is quantised already, whose file is not looked at. */
static void
shipped_texts(void)
{
    static const char junk[] = "no safetensors";
    lm_context ctx;
    golden_folder folder;
    loaded_model full;
    quantized made;

    lm_context_init(&ctx);
    golden_open(&ctx, "bert-tanh", &folder);
    fake_add_bytes(&folder.files, LM_QUANTIZED_FILE, junk, sizeof junk);
    CHECK_OK(&ctx, loaded_open(&ctx, &folder.source, lm_kernels_active(), &full));
    CHECK_OK(&ctx, quantize(&ctx, &folder, &full.model, NULL, &made));
    CHECK(made.report.texts >= 64);
    CHECK(made.report.fidelity.texts >= 24);
    CHECK(made.report.fidelity.min_cosine > .99);
    CHECK(made.report.fidelity.mean_cosine > made.report.fidelity.min_cosine);
    lm_buffer_free(&made.file);
    loaded_close(&ctx, &full);
    golden_close(&folder);
}

static void
refusals(void)
{
    lm_context ctx;
    golden_folder folder;
    loaded_model full, reduced;
    quantized made;
    lm_quantize_options few = *own_texts(0);

    lm_context_init(&ctx);
    golden_open(&ctx, "bert", &folder);
    CHECK_OK(&ctx, loaded_open(&ctx, &folder.source, lm_kernels_active(), &full));
    CHECK_OK(&ctx, loaded_open_as(&ctx, &folder.source, lm_kernels_active(), LM_PRECISION_INT8,
                                  &reduced));
    CHECK_EQ_INT(quantize(&ctx, &folder, &reduced.model, NULL, &made), LM_BAD_ARGUMENT);
    few.count = 4;
    CHECK_EQ_INT(quantize(&ctx, &folder, &full.model, &few, &made), LM_BAD_ARGUMENT);
    CHECK_STR(ctx.error.allowed, "at least 5");
    lm_buffer_free(&made.file);
    full.model.kind = &lm_kind_head;
    CHECK_EQ_INT(quantize(&ctx, &folder, &full.model, NULL, &made), LM_BAD_ARGUMENT);
    full.model.kind = &lm_kind_encoder;
    loaded_close(&ctx, &full);
    loaded_close(&ctx, &reduced);
    golden_close(&folder);
}

/* ---- Faults ---- */

static lm_status
quantize_with(golden_folder *folder, const lm_model *model, fake_memory *memory)
{
    lm_context ctx;
    quantized made = {.report.texts = 0};
    lm_status status;

    fake_context(&ctx, memory);
    status = quantize(&ctx, folder, model, own_texts(1), &made);
    lm_buffer_free(&made.file);
    CHECK_EQ_INT(memory->live, 0);
    return status;
}

/* The n-th allocation, the n-th poll and the n-th read in turn. */
static void
faults(void)
{
    lm_status status = LM_NO_MEMORY;
    lm_context ctx;
    golden_folder folder;
    loaded_model full;
    int n;

    lm_context_init(&ctx);
    golden_open(&ctx, "bert", &folder);
    CHECK_OK(&ctx, loaded_open(&ctx, &folder.source, lm_kernels_active(), &full));
    for (n = 1; status == LM_NO_MEMORY; n++)
        status = quantize_with(&folder, &full.model, &(fake_memory){.fail_at = n});
    CHECK_EQ_INT(status, LM_OK);
    CHECK(n > 100);
    status = LM_CANCELLED;
    for (n = 1; status == LM_CANCELLED; n += 1 + n / 50)
        status = quantize_with(&folder, &full.model, &(fake_memory){.stop_at = n});
    CHECK_EQ_INT(status, LM_OK);
    CHECK(n > 100);
    status = LM_IO_ERROR;
    for (n = 1; status == LM_IO_ERROR; n++) {
        folder.files.fail_at = n;
        folder.files.calls = 0;
        status = quantize_with(&folder, &full.model, &(fake_memory){.fail_at = 0});
    }
    CHECK_EQ_INT(status, LM_OK);
    folder.files.fail_at = 0;
    loaded_close(&ctx, &full);
    golden_close(&folder);
}

static const unit_case cases[] = {
    {"cholesky", cholesky},
    {"gptq", gptq},
    {"gptq, odd Gram matrices", gptq_odd_grams},
    {"coding of inputs", coding},
    {"whole models", whole_models},
    {"shipped texts", shipped_texts},
    {"refusals", refusals},
    {"faults", faults},
};

UNIT_MAIN(cases)
