/*
 * gemm_checks.h - checks of one matrix product against its reference, at any precision: shapes and
 * tails, same bits for a row in any batch, nothing read or written outside, NaN passes. For real
 * levels (check.c) and for tiles that are emulated (emulated_*.c).
 */
#ifndef GEMM_CHECKS_H
#define GEMM_CHECKS_H

#include "harness.h"
#include "kernels/bf16.h"
#include "kernels/levels.h"

static double
norm(const float *x, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += (double)x[i] * x[i];
    return sqrt(sum);
}

static const lm_product *product; /* under test */
static lm_precision precision;

/*
 * Bounds in units of |a|·|w|: sums of float32 at their real lengths. The same for bfloat16, for the
 * reference has its rounded operands, and vdpbf16ps only takes denormals for zeros and rounds once
 * or twice a pair.
 */
#define WARN 3e-7
#define FAIL 1e-6

/* ---- GEMM ---- */

typedef struct problem {
    lm_gemm args;
    float *w;         /* what the product has of W, exactly */
    lm_matrix matrix; /* as packed, with int8's codes */
    output c;
} problem;

/*
 * Codes of W by rounding. Every second depth is that of a calibrated matrix, whose scales are
 * near those of real ones.
 */
static void
make_codes(problem *p, lm_matrix *matrix)
{
    size_t n = matrix->n, k = matrix->k;
    int8_t *codes = (int8_t *)array((n * k + 3) / 4);
    float *scales = array(n);

    lm_quantize_rows(p->w, n, k, codes, scales);
    matrix->codes = codes;
    matrix->scales = scales;
    matrix->values = NULL;
    if (k % 2 == 0) {
        float *smooth_scale = normals(k);

        for (size_t i = 0; i < k; i++)
            smooth_scale[i] = fabsf(smooth_scale[i]) + 0.5f;
        matrix->smooth_scale = smooth_scale;
        matrix->bias_correction = normals(n);
    }
}

/* W as the product takes it: rounded to bfloat16, or to codes. */
static void *
pack_problem(problem *p, size_t n, size_t k)
{
    size_t bytes = product->packed_size(n, k);
    void *packed = array(bytes / sizeof(float));
    lm_matrix matrix = {.n = n, .k = k, .values = p->w};
    lm_context ctx;

    CHECK_EQ_INT(bytes % LM_ALIGNMENT, 0);
    CHECK_EQ_INT((uintptr_t)packed % LM_ALIGNMENT, 0);
    if (precision == LM_PRECISION_INT8)
        make_codes(p, &matrix);
    lm_context_init(&ctx);
    CHECK_EQ_INT(lm_pack(&ctx, product, &matrix, packed), LM_OK);
    p->matrix = matrix;
    for (size_t i = 0; precision == LM_PRECISION_BF16 && i < n * k; i++)
        p->w[i] = lm_bf16_to(lm_bf16_from(p->w[i]));
    return packed;
}

/* What an earlier call left in the scratch must not matter: NaNs do their worst. */
static void *
make_scratch(size_t m, size_t k)
{
    size_t bytes = product->scratch_size(m, k);
    float *scratch = bytes > 0 ? array(bytes / sizeof(float)) : NULL;

    CHECK_EQ_INT(bytes % LM_ALIGNMENT, 0);
    fill_guard(scratch, bytes / sizeof(float));
    return scratch;
}

static problem
make_problem(size_t m, size_t n, size_t k, lm_activation act, bool with_bias, bool with_residual)
{
    problem p = {.w = normals(n * k), .c = make_output(m, n, 5)};

    p.args = (lm_gemm){.m = m,
                       .n = n,
                       .k = k,
                       .a = normals((m - 1) * (k + 3) + k),
                       .lda = k + 3,
                       .packed = pack_problem(&p, n, k),
                       .bias = with_bias ? normals(n) : NULL,
                       .residual = with_residual ? normals((m - 1) * (n + 1) + n) : NULL,
                       .ldr = n + 1,
                       .act = act,
                       .c = p.c.x,
                       .ldc = p.c.ld,
                       .scratch = make_scratch(m, k)};
    return p;
}

/* The reference's result (m, n). A product of bfloat16 with a scratch rounds A too. */
static float *
wanted_result(const problem *p)
{
    size_t m = p->args.m, n = p->args.n, k = p->args.k;
    lm_gemm wanted = p->args;

    wanted.c = array(m * n);
    wanted.ldc = n;
    if (precision == LM_PRECISION_INT8) {
        lm_gemm_int8_ref(&wanted, &p->matrix);
        return wanted.c;
    }
    if (precision == LM_PRECISION_BF16 && p->args.scratch) {
        float *rounded = array(m * k);

        for (size_t i = 0; i < m * k; i++)
            rounded[i] = lm_bf16_to(lm_bf16_from(p->args.a[i / k * p->args.lda + i % k]));
        wanted.a = rounded;
        wanted.lda = k;
    }
    lm_gemm_f32_ref(&wanted, p->w);
    return wanted.c;
}

/*
 * Int8 without an activation by a polynomial must be exact, whatever the level; with one, the sums
 * are exact and the activation has its own error.
 */
static void
compare_gemm(const problem *p, measure *error)
{
    size_t m = p->args.m, n = p->args.n, k = p->args.k, inexact = 0;
    bool exact = precision == LM_PRECISION_INT8 &&
                 (p->args.act == LM_ACT_NONE || p->args.act == LM_ACT_RELU);
    const float *wanted = wanted_result(p);

    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double scale = norm(p->args.a + i * p->args.lda, k) * norm(p->w + j * k, k) + 1;
            float found = p->c.x[i * p->c.ld + j];

            record(error, fabs((double)found - wanted[i * n + j]) / scale);
            inexact += exact && found != wanted[i * n + j];
        }
    CHECK_EQ_INT(inexact, 0);
    CHECK_EQ_INT(guards_broken(&p->c), 0);
}

static void
check_gemm(void)
{
    static const size_t ms[] = {1, 2, 3, 5, 6, 7, 17, 24};
    static const size_t sizes[] = {1, 3, 5, 17, 24, 33, 63, 64, 65, 100, 384};
    measure error = {"gemm: |error| / (|a|·|w| + 1)", WARN, FAIL, 0};
    /* GELU over sums of weights in 16 or 8 bits is a shorter polynomial. */
    measure gelu = {"gemm with GELU: |error| / (|a|·|w| + 1)", 2.5e-5, 4e-5, 0};
    size_t round = 0;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        for (size_t j = 0; j < sizeof(sizes) / sizeof(*sizes); j++, round++) {
            problem p = make_problem(ms[round % 8], sizes[i], sizes[j], round % LM_ACT_COUNT,
                                     round % 3 != 0, round % 2);

            product->gemm(&p.args);
            compare_gemm(&p, precision != LM_PRECISION_F32 && p.args.act == LM_ACT_GELU ? &gelu
                                                                                        : &error);
            free_arrays();
        }
    judge(&error);
    judge(&gelu);
}

static void
check_gemm_large(void)
{
    static const size_t shapes[][3] = {
        {10, 1152, 384}, {7, 384, 1536}, {90, 130, 1536}, {13, 1536, 384}, {400, 65, 300}};
    measure error = {"gemm, real shapes: |error| / (|a|·|w| + 1)", WARN, FAIL, 0};

    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
        problem p =
            make_problem(shapes[i][0], shapes[i][1], shapes[i][2], LM_ACT_NONE, true, false);

        product->gemm(&p.args);
        compare_gemm(&p, &error);
        free_arrays();
    }
    judge(&error);
}

/* The residual may be C itself. */
static void
check_gemm_in_place(void)
{
    problem p = make_problem(11, 70, 50, LM_ACT_SILU, true, true);
    float *c = array(11 * 70);

    product->gemm(&p.args);
    for (size_t i = 0; i < 11; i++)
        memcpy(c + i * 70, p.args.residual + i * p.args.ldr, 70 * sizeof(float));
    p.args.c = c;
    p.args.residual = c;
    p.args.ldc = p.args.ldr = 70;
    product->gemm(&p.args);
    for (size_t i = 0; i < 11; i++)
        CHECK(!bits_differ(c + i * 70, p.c.x + i * p.c.ld, 70));
    free_arrays();
}

/* Rows first … first + m − 1 alone give the bits that they have among all. */
static size_t
rows_differ(const problem *p, size_t first, size_t m)
{
    lm_gemm part = p->args;
    output c = make_output(m, part.n, 2);
    size_t differ = 0;

    part.m = m;
    part.a += first * part.lda;
    part.residual += first * part.ldr;
    part.c = c.x;
    part.ldc = c.ld;
    product->gemm(&part);
    for (size_t i = 0; i < m; i++)
        differ += bits_differ(c.x + i * c.ld, p->c.x + (first + i) * p->c.ld, part.n);
    array_count--;
    munmap(arrays[array_count].base, arrays[array_count].bytes);
    return differ;
}

static void
check_gemm_rows(void)
{
    static const size_t shapes[][2] = {{64, 96}, {130, 33}, {17, 384}, {1, 5}, {48, 1536}};

    for (size_t s = 0; s < sizeof(shapes) / sizeof(*shapes); s++)
        for (lm_activation act = 0; act < LM_ACT_COUNT; act++) {
            problem p = make_problem(40, shapes[s][0], shapes[s][1], act, true, true);
            size_t differ = 0;

            product->gemm(&p.args);
            for (size_t m = 1; m <= 40; m++)
                for (size_t first = 0; first + m <= 40; first += m > 6 ? 5 : 1)
                    differ += rows_differ(&p, first, m);
            CHECK_EQ_INT(differ, 0);
            free_arrays();
        }
}

/* More rows than one block of the cache, whatever its size. */
static void
check_gemm_blocks(void)
{
    problem p = make_problem(1000, 50, 700, LM_ACT_GELU, true, true);
    size_t differ = 0;

    product->gemm(&p.args);
    for (size_t i = 0; i < 1000; i += 7)
        differ += rows_differ(&p, i, 1);
    CHECK_EQ_INT(differ, 0);
    free_arrays();
}

/* A NaN or an infinity spoils its own row, all of it, and no other. */
static void
check_gemm_nan(void)
{
    problem p = make_problem(9, 70, 20, LM_ACT_GELU, true, true);
    size_t wrong = 0;

    ((float *)p.args.a)[4 * p.args.lda + 19] = NAN;
    product->gemm(&p.args);
    for (size_t i = 0; i < 9; i++)
        for (size_t j = 0; j < 70; j++)
            wrong += !isnan(p.c.x[i * p.c.ld + j]) != (i != 4);
    CHECK_EQ_INT(wrong, 0);
    free_arrays();
}

/* Rows of zeros, of one value, of both signs of the greatest float, and near nothing. */
static void
check_gemm_odd_rows(void)
{
    static const float values[][2] = {{0, 0}, {3, 3}, {-2, -2}, {1e-38f, -1e-38f}, {1e30f, -1e30f}};
    problem p = make_problem(5, 33, 21, LM_ACT_NONE, true, false);
    measure error = {"gemm, odd rows: |error| / (|a|·|w| + 1)", WARN, FAIL, 0};

    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 21; j++)
            ((float *)p.args.a)[i * p.args.lda + j] = values[i][j % 2];
    product->gemm(&p.args);
    compare_gemm(&p, &error);
    judge(&error);
    free_arrays();
}

/*
 * Codes at and beyond what two or four products may have where they are added in 16 bits, in every
 * place of four k's and of eight, with the greatest codes of A.
 */
static void
check_gemm_sums(void)
{
    static const int8_t codes[][8] = {{127, 127, 127, 127, 127, 127, 127, 127},
                                      {-127, -127, -127, -127, -127, -127, -127, -127},
                                      {32, 32, 32, 32, 32, 32, 32, 32},
                                      {-32, -32, -32, -32, -32, -32, -32, -32},
                                      {32, 33, 32, 32, 32, 33, 32, 32},
                                      {-32, -32, -33, -32, -32, -33, -32, -32},
                                      {64, 64, 64, 64, 64, 64, 64, 64},
                                      {-64, -64, -64, -64, -64, -64, -64, -64},
                                      {64, 65, -64, -65, 64, 65, -64, -65},
                                      {127, 127, 1, 1, 127, 127, 1, 1},
                                      {127, 1, 127, 1, 127, 1, 127, 1},
                                      {127, 1, 1, 127, 127, 1, 1, 127},
                                      {-127, -1, 2, 126, -127, -1, 2, 126},
                                      {100, -100, 100, -100, 100, -100, 100, -100},
                                      {64, 64, 64, 64},
                                      {-64, -64, -64, -64},
                                      {64, 65, -64, -65},
                                      {0, 0, 0, 0, 127, 1, 127, 1},
                                      {127, 1, 1, 127, 0, 0, 0, 0},
                                      {127, 127, 1, 1, 1},
                                      {-127, -1, 2, 126, 0, 1, -1},
                                      {100, -100, 100, -100, 28, -28, 28, -28},
                                      {100, -100, 100, -100, 29, -28, 28, -29},
                                      {-128, 0, -128, 0, 0, 127, 1, 0}};
    const size_t m = 7, n = 40, k = 30;

    for (size_t c = 0; c < sizeof codes / sizeof codes[0] && precision == LM_PRECISION_INT8; c++) {
        problem p = make_problem(m, n, k, LM_ACT_NONE, true, false);
        int8_t *w = (int8_t *)(uintptr_t)p.matrix.codes;
        const float *wanted;

        p.matrix.smooth_scale = NULL;
        for (size_t i = 0; i < n * k; i++)
            w[i] = i / k % 5 == c % 5 ? codes[c][i % k % 8] : (int8_t)(i % 7);
        for (size_t i = 0; i < (m - 1) * p.args.lda + k; i++)
            ((float *)(uintptr_t)p.args.a)[i] = 1;
        product->pack(&p.matrix, 0, n, (void *)(uintptr_t)p.args.packed);
        wanted = wanted_result(&p);
        product->gemm(&p.args);
        for (size_t i = 0; i < m; i++)
            CHECK(!bits_differ(p.c.x + i * p.c.ld, wanted + i * n, n));
        CHECK_EQ_INT(guards_broken(&p.c), 0);
        free_arrays();
    }
}

/* Weights 1 and −1 in turn, or 1 alone; A likewise, in both of its rows. */
static void
check_gemm_ends(bool both)
{
    const size_t k = 4096, n = 17;
    problem p = make_problem(2, n, k, LM_ACT_NONE, false, false);
    measure error = {"gemm, extremes: |error| / (|a|·|w| + 1)", WARN, FAIL, 0};

    for (size_t j = 0; j < n * k; j++)
        p.w[j] = both && j % 2 ? -1 : 1;
    p.args.packed = pack_problem(&p, n, k);
    for (size_t j = 0; j < k; j++) {
        ((float *)p.args.a)[j] = 1;
        ((float *)p.args.a)[p.args.lda + j] = j % 2 ? -1 : 1;
    }
    product->gemm(&p.args);
    compare_gemm(&p, &error);
    judge(&error);
    free_arrays();
}

/*
 * Both operands at their ends: sums are the greatest that there can be. Of weights that are all
 * alike no two steps go together where four products are added in 16 bits, and there are many.
 */
static void
check_gemm_extremes(void)
{
    check_gemm_ends(true);
    check_gemm_ends(false);
}

static const unit_case gemm_cases[] = {
    {"gemm", check_gemm},
    {"gemm large", check_gemm_large},
    {"gemm in place", check_gemm_in_place},
    {"gemm rows have their bits", check_gemm_rows},
    {"gemm blocks", check_gemm_blocks},
    {"gemm NaN", check_gemm_nan},
    {"gemm odd rows", check_gemm_odd_rows},
    {"gemm extremes", check_gemm_extremes},
    {"gemm sums", check_gemm_sums},
};

/* All cases for one product; returns how many failed. */
static int
run_gemm_cases(const char *level, const lm_product *tested, lm_precision at, const char *word)
{
    char prefix[48];

    product = tested;
    precision = at;
    snprintf(prefix, sizeof(prefix), "%s %s", level, lm_precision_name(at));
    return run_cases(prefix, gemm_cases, sizeof(gemm_cases) / sizeof(*gemm_cases), word);
}

#endif
