/*
 * check.c - every kernel of every level that this CPU has, against its reference, and the laws of
 * kernels.h: same bits for a row in any batch, nothing written or read outside, NaN passes, control
 * bits of floating point stay. `check [WORD]` prints ok lines; `check time [WORD]` prints GFLOP/s
 * of each precision (in brackets: as multiples of fp32) or GB/s, beside OpenBLAS; both of the cases
 * whose name, with its level, holds WORD.
 *
 * Every array ends at a page that cannot be touched, so that a read behind it is a crash, and most
 * are therefore unaligned; outputs lie between patterns that must survive.
 */
#include "attention_checks.h"
#include "fake.h"
#include "gemm_checks.h"

#include <dirent.h>
#include <time.h>

#include "search/distance.h"

static const lm_kernels *kernels; /* of the level under test */

/* ---- activations ---- */

/* Over [-10, 10] in steps of 2^-16 and beyond, in the scale of fp32: |error| / max(1, |x|). */
static void
check_activation(lm_activation act, const char *name, double warn, double fail)
{
    const size_t count = 20 * 65536 + 1;
    measure error = {name, warn, fail, 0};
    float *x = array(count);

    for (size_t i = 0; i < count; i++)
        x[i] = (float)((double)i / 65536 - 10);
    kernels->activate_f32(act, count, x);
    for (size_t i = 0; i < count; i++) {
        double from = (float)((double)i / 65536 - 10);

        record(&error, fabs(x[i] - lm_activation_ref(act, from)) / fmax(1, fabs(from)));
    }
    judge(&error);
    free_arrays();
}

static void
check_activations(void)
{
    check_activation(LM_ACT_NONE, "no activation", 0, 0);
    check_activation(LM_ACT_GELU, "gelu: |error| / max(1, |x|)", 1e-7, 2e-7);
    check_activation(LM_ACT_GELU_TANH, "gelu_tanh: |error| / max(1, |x|)", 1.5e-7, 3e-7);
    check_activation(LM_ACT_RELU, "relu", 0, 0);
    check_activation(LM_ACT_SILU, "silu: |error| / max(1, |x|)", 1.5e-7, 3e-7);
    check_activation(LM_ACT_TANH, "tanh: |error| / max(1, |x|)", 1.5e-7, 3e-7);
}

/* Far arguments, infinities, zero and NaN, at every lane. */
static void
check_activation_limits(void)
{
    static const struct {
        float x, wanted[LM_ACT_COUNT];
    } limits[] = {
        {0, {0, 0, 0, 0, 0, 0}},
        {100, {100, 100, 100, 100, 100, 1}},
        {-100, {-100, 0, 0, 0, 0, -1}},
        {3e38f, {3e38f, 3e38f, 3e38f, 3e38f, 3e38f, 1}},
        {INFINITY, {INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, 1}},
        {NAN, {NAN, NAN, NAN, NAN, NAN, NAN}},
    };

    for (lm_activation act = 0; act < LM_ACT_COUNT; act++)
        for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++)
            for (size_t count = 1; count <= 33; count++) {
                float *x = array(count), wanted = limits[i].wanted[act];

                for (size_t j = 0; j < count; j++)
                    x[j] = limits[i].x;
                kernels->activate_f32(act, count, x);
                for (size_t j = 0; j < count; j++)
                    if (isnan(wanted) ? !isnan(x[j])
                                      : !(x[j] == wanted || fabsf(x[j] - wanted) < 1e-35f))
                        UNIT_FAIL("act %d of %g is %g, lane %zu of %zu", act, limits[i].x, x[j], j,
                                  count);
                free_arrays();
            }
}

/* ---- rows ---- */

static const size_t widths[] = {1,  2,  3,  5,  7,   8,   9,   15,  16,  17,  24,   31,  32,
                                33, 63, 64, 65, 100, 127, 128, 129, 255, 384, 1023, 1536};
enum { WIDTHS = sizeof(widths) / sizeof(*widths) };

/* In ulp of each wanted probability; x are multiples of 2^-10, so that x − max is exact. */
static void
check_softmax(void)
{
    measure error = {"softmax: error in ulp of the result", 4, 8, 0};

    for (size_t w = 0; w < WIDTHS; w++) {
        float *x = normals(widths[w]), *wanted;

        for (size_t j = 0; j < widths[w]; j++)
            x[j] = rintf(x[j] * 10240) / 1024;
        wanted = copy_of(x, widths[w]);
        lm_softmax_f32_ref(widths[w], wanted);
        kernels->softmax_f32(widths[w], x);
        for (size_t j = 0; j < widths[w]; j++)
            record(&error, fabs((double)x[j] - wanted[j]) /
                               (nextafterf(wanted[j], 2) - (double)wanted[j] + 1e-45));
        free_arrays();
    }
    judge(&error);
}

static void
check_softmax_limits(void)
{
    for (size_t w = 1; w < WIDTHS; w++) {
        size_t count = widths[w];
        float *x = normals(count);

        x[count - 1] = -INFINITY;
        kernels->softmax_f32(count, x);
        CHECK(x[count - 1] == 0 && x[0] > 0);
        x[count / 2] = NAN;
        kernels->softmax_f32(count, x);
        CHECK(isnan(x[0]) && isnan(x[count - 1]));
        for (size_t j = 0; j < count; j++)
            x[j] = -INFINITY;
        kernels->softmax_f32(count, x);
        CHECK(isnan(x[0]) && isnan(x[count - 1]));
        free_arrays();
    }
}

/* Rows with a mean far from zero, where a variance in one pass would be lost. */
static void
check_layer_norm(void)
{
    measure error = {"layer_norm: |error|, mean 100", 5e-5, 2e-4, 0};
    measure centred = {"layer_norm: |error|, mean 0", 1e-6, 4e-6, 0};

    for (size_t w = 1; w < WIDTHS; w++)
        for (int offset = 0; offset <= 100; offset += 100) {
            size_t width = widths[w], rows = 3;
            float *x = normals(rows * width), *gain = normals(width), *bias = normals(width);
            float *wanted = array(rows * width);
            output out = make_output(1, rows * width, 0);

            for (size_t j = 0; j < rows * width; j++)
                x[j] += (float)offset;
            lm_layer_norm_f32_ref(rows, width, x, gain, bias, 1e-2f, wanted);
            kernels->layer_norm_f32(rows, width, x, gain, bias, 1e-2f, out.x);
            for (size_t j = 0; j < rows * width; j++)
                record(offset ? &error : &centred, fabs((double)out.x[j] - wanted[j]));
            CHECK_EQ_INT(guards_broken(&out), 0);
            kernels->layer_norm_f32(rows, width, x, gain, bias, 1e-2f, x);
            CHECK(!bits_differ(x, out.x, rows * width));
            kernels->layer_norm_f32(1, width, x, gain, bias, 1e-2f, x);
            x[rows * width - 1] = NAN;
            kernels->layer_norm_f32(rows, width, x, gain, bias, 1e-2f, x);
            CHECK(isnan(x[(rows - 1) * width]) && !isnan(x[0]));
            free_arrays();
        }
    judge(&error);
    judge(&centred);
}

/* Without a bias: as with zeros. */
static void
check_layer_norm_unbiased(void)
{
    for (size_t w = 1; w < WIDTHS; w++) {
        size_t width = widths[w], rows = 3;
        float *x = normals(rows * width), *gain = normals(width), *zeros = array(width);
        float *wanted = array(rows * width);
        output out = make_output(1, rows * width, 0);

        memset(zeros, 0, width * sizeof(float));
        lm_layer_norm_f32_ref(rows, width, x, gain, NULL, 1e-2f, wanted);
        lm_layer_norm_f32_ref(rows, width, x, gain, zeros, 1e-2f, out.x);
        CHECK(!bits_differ(out.x, wanted, rows * width));
        kernels->layer_norm_f32(rows, width, x, gain, zeros, 1e-2f, wanted);
        kernels->layer_norm_f32(rows, width, x, gain, NULL, 1e-2f, out.x);
        CHECK(!bits_differ(out.x, wanted, rows * width));
        CHECK_EQ_INT(guards_broken(&out), 0);
        free_arrays();
    }
}

static void
check_rms_norm(void)
{
    measure error = {"rms_norm: |error|, values N(0, 1)", 1e-6, 4e-6, 0};

    for (size_t w = 0; w < WIDTHS; w++) {
        size_t width = widths[w], rows = 3;
        float *x = normals(rows * width), *gain = normals(width), *wanted = array(rows * width);
        output out = make_output(1, rows * width, 0);

        lm_rms_norm_f32_ref(rows, width, x, gain, 1e-2f, wanted);
        kernels->rms_norm_f32(rows, width, x, gain, 1e-2f, out.x);
        for (size_t j = 0; j < rows * width; j++)
            record(&error, fabs((double)out.x[j] - wanted[j]));
        CHECK_EQ_INT(guards_broken(&out), 0);
        kernels->rms_norm_f32(rows, width, x, gain, 1e-2f, x);
        CHECK(!bits_differ(x, out.x, rows * width));
        kernels->rms_norm_f32(1, width, x, gain, 1e-2f, x);
        x[rows * width - 1] = NAN;
        kernels->rms_norm_f32(rows, width, x, gain, 1e-2f, x);
        CHECK(isnan(x[(rows - 1) * width]) && !isnan(x[0]));
        free_arrays();
    }
    judge(&error);
}

/* Against the reference, in place; what is behind the turned numbers of a head stays. */
static void
compare_rope(lm_rope args, const output *out, measure *error)
{
    size_t count = (out->rows - 1) * out->ld + out->width, half = args.turned / 2;
    float *wanted = array(count), *angles = array(2 * args.rows * half);

    for (size_t i = 0; i < args.rows * half; i++) {
        double angle = 10 * (double)normal();

        angles[i] = (float)cos(angle);
        angles[args.rows * half + i] = (float)sin(angle);
    }
    args.cosines = angles;
    args.sines = angles + args.rows * half;
    for (size_t i = 0; i < count; i++)
        if (i % out->ld < out->width)
            out->x[i] = normal();
    memcpy(wanted, out->x, count * sizeof(float));
    args.x = out->x;
    kernels->rope_f32(&args);
    args.x = wanted;
    lm_rope_f32_ref(&args);
    for (size_t i = 0; i < count; i++)
        if (i % out->ld < out->width && i % out->ld % args.head_dim >= args.turned)
            CHECK(out->x[i] == wanted[i]);
        else if (i % out->ld < out->width)
            record(error, fabs((double)out->x[i] - wanted[i]));
    CHECK_EQ_INT(guards_broken(out), 0);
}

static void
check_rope(void)
{
    static const size_t turned[] = {2, 6, 10, 14, 16, 34, 64, 128};
    measure error = {"rope: |error|, values N(0, 1)", 5e-7, 1e-6, 0};

    for (size_t t = 0; t < sizeof(turned) / sizeof(*turned); t++)
        for (int interleaved = 0; interleaved < 2; interleaved++) {
            size_t rows = 5, heads = 3, head_dim = turned[t] + 3 * (t % 2);
            output out = make_output(rows, heads * head_dim, 2);

            compare_rope((lm_rope){.rows = rows,
                                   .heads = heads,
                                   .head_dim = head_dim,
                                   .turned = turned[t],
                                   .interleaved = interleaved,
                                   .ld = out.ld},
                         &out, &error);
            free_arrays();
        }
    judge(&error);
}

static void
check_gate(void)
{
    measure error = {"gate: |error| / max(1, |b|)", 5e-7, 1e-6, 0};

    for (lm_activation act = 0; act < LM_ACT_COUNT; act++)
        for (size_t w = 0; w < WIDTHS; w++) {
            size_t n = widths[w];
            float *a = normals(n), *b = normals(n), *wanted = array(n);
            output out = make_output(1, n, 0);

            lm_gate_f32_ref(act, n, a, b, wanted);
            kernels->gate_f32(act, n, a, b, out.x);
            for (size_t j = 0; j < n; j++)
                record(&error, fabs((double)out.x[j] - wanted[j]) / fmax(1, fabs((double)b[j])));
            CHECK_EQ_INT(guards_broken(&out), 0);
            kernels->gate_f32(act, n, a, b, a);
            CHECK(!bits_differ(a, out.x, n));
            b[n - 1] = NAN;
            kernels->gate_f32(act, n, a, b, a);
            CHECK(isnan(a[n - 1]) && (n == 1 || !isnan(a[0])));
            free_arrays();
        }
    judge(&error);
}

static void
check_add(void)
{
    for (size_t w = 0; w < WIDTHS; w++)
        for (int three = 0; three < 2; three++) {
            size_t n = widths[w];
            float *a = normals(n), *b = normals(n), *c = three ? normals(n) : NULL;
            float *wanted = array(n);
            output out = make_output(1, n, 0);

            a[n - 1] = 1e-40f;
            b[n - 1] = 2e-42f; /* a denormal is not flushed */
            lm_add_f32_ref(n, a, b, c, wanted);
            kernels->add_f32(n, a, b, c, out.x);
            CHECK(!bits_differ(out.x, wanted, n));
            CHECK_EQ_INT(guards_broken(&out), 0);
            free_arrays();
        }
}

static void
check_add_bf16(void)
{
    size_t differ = 0;

    for (size_t width = 1; width <= 67; width++) {
        uint16_t *rows[3];
        output o = make_output(1, width, 0);

        for (int r = 0; r < 3; r++) {
            rows[r] = (uint16_t *)array((width + 1) / 2) + width % 2; /* ends at the guard */
            for (size_t j = 0; j < width; j++)
                rows[r][j] = lm_bf16_from(normal());
        }
        for (int third = 0; third < 2; third++) {
            kernels->add_bf16(width, rows[0], rows[1], third ? rows[2] : NULL, o.x);
            for (size_t j = 0; j < width; j++) {
                float wanted = lm_bf16_to(rows[0][j]) + lm_bf16_to(rows[1][j]);

                differ += o.x[j] != (third ? wanted + lm_bf16_to(rows[2][j]) : wanted);
            }
        }
        differ += guards_broken(&o);
        free_arrays();
    }
    CHECK_EQ_INT(differ, 0);
}

static void
check_mean_rows(void)
{
    measure error = {"mean_rows: |error|", 4e-7, 2e-6, 0};

    for (size_t w = 0; w < WIDTHS; w++)
        for (size_t rows = 1; rows <= 300; rows += 23) {
            float *x = normals(rows * widths[w]), *wanted = array(widths[w]);
            output out = make_output(1, widths[w], 0);

            lm_mean_rows_f32_ref(rows, widths[w], x, wanted);
            kernels->mean_rows_f32(rows, widths[w], x, out.x);
            for (size_t j = 0; j < widths[w]; j++)
                record(&error, fabs((double)out.x[j] - wanted[j]));
            CHECK_EQ_INT(guards_broken(&out), 0);
            free_arrays();
        }
    judge(&error);
}

static void
check_l2_normalize(void)
{
    measure error = {"l2_normalize: |error|", 1.5e-7, 5e-7, 0};

    for (size_t w = 0; w < WIDTHS; w++) {
        float *x = normals(widths[w]), *wanted = copy_of(x, widths[w]);

        lm_l2_normalize_f32_ref(widths[w], wanted, 1e-12f);
        kernels->l2_normalize_f32(widths[w], x, 1e-12f);
        for (size_t j = 0; j < widths[w]; j++)
            record(&error, fabs((double)x[j] - wanted[j]));
        memset(x, 0, widths[w] * sizeof(float));
        kernels->l2_normalize_f32(widths[w], x, 1e-12f);
        CHECK(x[0] == 0 && x[widths[w] - 1] == 0);
        x[0] = NAN;
        kernels->l2_normalize_f32(widths[w], x, 1e-12f);
        CHECK(isnan(x[widths[w] - 1]));
        free_arrays();
    }
    judge(&error);
}

static void
check_sums(void)
{
    measure error = {"dot, l2, cosine: |error| / (|a|·|b|)", 3e-7, 1e-6, 0};

    for (size_t w = 0; w < WIDTHS; w++) {
        size_t n = widths[w];
        float *a = normals(n), *b = normals(n), parts[3], wanted[3];
        double scale = norm(a, n) * norm(b, n), l2 = lm_l2_squared_f32_ref(n, a, b);

        kernels->cosine_parts_f32(n, a, b, parts);
        lm_cosine_parts_f32_ref(n, a, b, wanted);
        record(&error, fabs((double)kernels->dot_f32(n, a, b) - wanted[0]) / scale);
        record(&error, fabs((double)kernels->l2_squared_f32(n, a, b) - l2) / l2);
        record(&error, fabs((double)parts[0] - wanted[0]) / scale);
        record(&error, fabs((double)parts[1] - wanted[1]) / wanted[1]);
        record(&error, fabs((double)parts[2] - wanted[2]) / wanted[2]);
        a[n - 1] = NAN;
        kernels->cosine_parts_f32(n, a, b, parts);
        CHECK(isnan(parts[0]) && isnan(parts[1]) && !isnan(parts[2]));
        CHECK(isnan(kernels->dot_f32(n, a, b)) && isnan(kernels->l2_squared_f32(n, a, b)));
        free_arrays();
    }
    judge(&error);
}

/* ---- what belongs to no level ---- */

static void
check_dispatch(void)
{
    lm_level best = lm_kernels_best();

    CHECK(lm_kernels_active() == lm_kernels_at(best));
    for (lm_level level = 0; level < LM_LEVEL_COUNT; level++) {
        const lm_kernels *table = lm_kernels_at(level);

        CHECK((table != NULL) == (level <= best));
        if (table) {
            CHECK_EQ_INT(table->level, level);
            CHECK_STR(table->name, lm_level_name(level));
        }
        lm_kernels_select(level);
        CHECK_EQ_INT(lm_kernels_active()->level, level < best ? level : best);
    }
    lm_kernels_select(LM_LEVEL_COUNT);
    CHECK_EQ_INT(lm_kernels_active()->level, best);
    CHECK(lm_cpu_name()[0] != '\0');
    CHECK_STR(lm_level_name(LM_LEVEL_COUNT), "unknown");
}

static void
check_distance(void)
{
    static const float a[] = {3, 4, 0}, b[] = {0, 4, 3}, zero[] = {0, 0, 0}, c[] = {-6, -8, 0};

    CHECK_NEAR(lm_cosine_distance(3, a, b), 1 - 16.0 / 25, 1e-12);
    CHECK_NEAR(lm_cosine_distance(3, a, c), 2, 0);
    CHECK_NEAR(lm_cosine_distance(3, a, a), 0, 0);
    CHECK(isnan(lm_cosine_distance(3, a, zero)));
    CHECK_NEAR(lm_l2_distance(3, a, b), sqrt(18), 1e-12);
    CHECK_NEAR(lm_inner_product(3, a, c), -50, 0);
}

static void
check_sgemm_of(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k)
{
    float *a = normals(m * k), *b = normals(k * n), *c = normals(m * n), *before;
    lm_sgemm args = {transpose_a, transpose_b,         m, n, k, 0.5f, a, transpose_a ? m : k,
                     b,           transpose_b ? k : n, 2, c, n, NULL};
    double worst = 0;

    before = copy_of(c, m * n);
    CHECK_EQ_INT(lm_blas_sgemm(&args), LM_OK);
    for (size_t i = 0; i < m; i += m / 9 + 1)
        for (size_t j = 0; j < n; j += n / 9 + 1) {
            double sum = 0, wanted;

            for (size_t x = 0; x < k; x++)
                sum += (double)a[transpose_a ? x * m + i : i * k + x] *
                       b[transpose_b ? j * k + x : x * n + j];
            wanted = 0.5 * sum + 2 * (double)before[i * n + j];
            worst = fmax(worst, fabs(c[i * n + j] - wanted));
        }
    CHECK_NEAR(worst, 0, 2e-6 * (double)k);
    free_arrays();
}

/* The lower half is that of the whole product, in strips. */
static void
check_lower(bool transpose_a)
{
    const size_t m = 300, k = 17;
    float *a = normals(m * k), *whole = normals(m * m), *lower = copy_of(whole, m * m);
    lm_sgemm args = {transpose_a, !transpose_a,        m, m,     k, -1,  a, transpose_a ? m : k,
                     a,           transpose_a ? m : k, 1, whole, m, NULL};
    double worst = 0;

    CHECK_EQ_INT(lm_blas_sgemm(&args), LM_OK);
    args.c = lower;
    CHECK_EQ_INT(lm_blas_lower(&args), LM_OK);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j <= i; j++)
            worst = fmax(worst, fabs(lower[i * m + j] - whole[i * m + j]));
    CHECK_NEAR(worst, 0, 2e-6 * (double)k);
    free_arrays();
}

static bool
always(void *opaque)
{
    ++*(int *)opaque;
    return true;
}

static void
check_blas(void)
{
    float one = 1, result = 0;
    lm_sgemm tiny = {.m = 1,
                     .n = 1,
                     .k = 1,
                     .alpha = 1,
                     .a = &one,
                     .lda = 1,
                     .b = &one,
                     .ldb = 1,
                     .c = &result,
                     .ldc = 1};
    lm_context ctx;
    int asked = 0;

    for (int form = 0; form < 4; form++) {
        check_sgemm_of(form & 1, form & 2, 33, 65, 17);
        check_sgemm_of(form & 1, form & 2, 700, 900, 1000); /* more than one piece */
    }
    check_lower(false);
    check_lower(true);
    check_sgemm_of(false, true, 3, 2000, 100000); /* a few rows are too much for one piece */
    lm_context_init(&ctx);
    ctx.cancelled = always;
    ctx.opaque = &asked;
    tiny.ctx = &ctx;
    CHECK_EQ_INT(lm_blas_sgemm(&tiny), LM_CANCELLED);
    CHECK_EQ_INT(asked, 1);
    CHECK(result == 0);
    CHECK_EQ_INT(lm_blas_threads(), 1);
    CHECK(strstr(lm_blas_config(), "OpenBLAS") != NULL);
}

/* A matrix of three parts by LM_PACK_ROWS: as it is at once, and every poll can end the work. */
static void
check_parts(void)
{
    const size_t n = 2 * LM_PACK_ROWS + 17, k = 40;
    float *w = normals(n * k), *scales = array(n), *wanted_scales = array(n);
    int8_t *codes = (int8_t *)array(n * k / 4), *wanted = (int8_t *)array(n * k / 4);
    const lm_matrix matrix = {.n = n, .k = k, .values = w, .codes = codes, .scales = scales};
    const lm_product *packs;
    float *packed;
    fake_memory memory = {0};
    lm_context ctx;

    fake_context(&ctx, &memory);
    lm_quantize_rows(w, n, k, wanted, wanted_scales);
    CHECK_EQ_INT(lm_quantize_matrix(&ctx, w, n, k, codes, scales), LM_OK);
    CHECK_EQ_INT(memory.polls, 3);
    CHECK(memcmp(codes, wanted, n * k) == 0 && !bits_differ(scales, wanted_scales, n));
    for (lm_precision p = 0; p < LM_PRECISION_COUNT; p++) {
        size_t bytes;
        float *at_once;

        packs = &lm_kernels_active()->products[p];
        bytes = packs->packed_size(n, k);
        packed = array(bytes / sizeof(float));
        at_once = array(bytes / sizeof(float));
        packs->pack(&matrix, 0, n, at_once);
        CHECK_EQ_INT(lm_pack(&ctx, packs, &matrix, packed), LM_OK);
        CHECK(memcmp(packed, at_once, bytes) == 0);
    }
    packs = &lm_kernels_active()->products[LM_PRECISION_F32];
    packed = array(packs->packed_size(n, k) / sizeof(float));
    for (memory.stop_at = 1; memory.stop_at <= 3; memory.stop_at++) {
        memory.polls = 0;
        CHECK_EQ_INT(lm_quantize_matrix(&ctx, w, n, k, codes, scales), LM_CANCELLED);
        CHECK_EQ_INT(memory.polls, memory.stop_at);
        memory.polls = 0;
        CHECK_EQ_INT(lm_pack(&ctx, packs, &matrix, packed), LM_CANCELLED);
        CHECK_EQ_INT(memory.polls, memory.stop_at);
    }
    free_arrays();
}

/* After everything else: no library has started a thread in this process. */
static void
check_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    int count = 0;

    CHECK(tasks != NULL);
    while (tasks && (entry = readdir(tasks)) != NULL)
        count += entry->d_name[0] != '.';
    CHECK_EQ_INT(count, 1);
    if (tasks)
        closedir(tasks);
}

/* ---- codes of an index ---- */

/* Against the definition, and the same bits as at the level scalar. */
static void
check_hadamard(void)
{
    measure error = {"hadamard: |error| / (√n of a unit in the last place)", 4, 8, 0};

    for (size_t n = 64; n <= 4096; n *= 2) {
        float *x = normals(n), *wanted = copy_of(x, n), *plain = copy_of(x, n);

        lm_hadamard_f32_ref(n, wanted);
        lm_kernels_at(LM_LEVEL_SCALAR)->hadamard_f32(n, plain);
        kernels->hadamard_f32(n, x);
        CHECK(memcmp(x, plain, n * sizeof(float)) == 0);
        for (size_t i = 0; i < n; i++)
            record(&error, fabs((double)x[i] - wanted[i]) / (sqrt((double)n) * 1.2e-7));
        free_arrays();
    }
    judge(&error);
}

/* Bytes that end where nothing may be read. */
static uint8_t *
random_bytes(size_t count)
{
    uint8_t *bytes = (uint8_t *)array(count / sizeof(float));

    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)lm_rng_below(&rng, 256);
    return bytes;
}

/* Random entries, and the largest, which are the most that 16 bits have to hold; sums go on. */
static void
check_scan_codes(void)
{
    static const size_t groups[] = {16, 32, 96, 240, 256, 272, 512, 4000};

    for (size_t g = 0; g < 2 * sizeof(groups) / sizeof(*groups); g++) {
        const size_t bytes = groups[g / 2] * 16;
        uint8_t *codes = random_bytes(bytes), *tables = random_bytes(bytes);
        uint32_t sums[34], wanted[34];

        if (g % 2)
            memset(tables, 255, bytes);
        for (size_t i = 0; i < 34; i++)
            sums[i] = wanted[i] = (uint32_t)i * 70000;
        for (size_t i = 0; i < bytes; i++) {
            wanted[1 + i % 16] += tables[i / 16 * 16 + codes[i] % 16];
            wanted[17 + i % 16] += tables[i / 16 * 16 + codes[i] / 16];
        }
        kernels->scan_codes(groups[g / 2], codes, tables, sums + 1);
        CHECK(memcmp(sums, wanted, sizeof(sums)) == 0);
        free_arrays();
    }
}

/* The same bits by the definition, operation by operation; a NaN is below nothing. */
static void
check_estimate_codes(void)
{
    for (int turn = 0; turn < 20; turn++) {
        const lm_code_estimate args = {.01f + (float)turn, normal() * 10, normal(), normal()};
        float distances[34] = {7, [33] = 7};
        uint16_t scale[32], add[32];
        uint32_t sums[32], below;

        for (size_t i = 0; i < 32; i++) {
            sums[i] = (uint32_t)lm_rng_below(&rng, 1u << 20);
            lm_round_bf16(1, &(float){normal() * .01f}, scale + i);
            lm_round_bf16(1, &(float){i == 9 ? NAN : normal()}, add + i);
        }
        below = kernels->estimate_codes(&args, sums, scale, add, distances + 1);
        for (size_t i = 0; i < 32; i++) {
            float product = (float)sums[i] * args.step + args.offset;
            float wanted = args.base + lm_bf16_to(add[i]) - lm_bf16_to(scale[i]) * product;

            CHECK(isnan(wanted) ? isnan(distances[1 + i]) : distances[1 + i] == wanted);
            CHECK_EQ_INT(below >> i & 1, wanted < args.bound);
        }
        CHECK(distances[0] == 7 && distances[33] == 7);
    }
}

/* Random numbers, and the largest everywhere, where sums of 32 bits would not do. */
static void
check_dot_s16_s8(void)
{
    static const size_t products[] = {64, 128, 384, 1024, 4096, 4160, 16000};

    for (size_t w = 0; w < 2 * sizeof(products) / sizeof(*products); w++) {
        const size_t width = products[w / 2];
        int16_t *a = (int16_t *)random_bytes(2 * width);
        int8_t *b = (int8_t *)random_bytes(width);
        int64_t wanted = 0;

        for (size_t i = 0; i < width; i++) {
            a[i] = w % 2 ? -16383 : (int16_t)(a[i] % 16384);
            b[i] = w % 2 ? -128 : b[i];
            wanted += a[i] * b[i];
        }
        CHECK(kernels->dot_s16_s8(width, a, b) == wanted);
        free_arrays();
    }
}

static const unit_case level_cases[] = {
    {"activations", check_activations},
    {"activation limits", check_activation_limits},
    {"softmax", check_softmax},
    {"softmax limits", check_softmax_limits},
    {"layer_norm", check_layer_norm},
    {"add", check_add},
    {"layer_norm unbiased", check_layer_norm_unbiased},
    {"rms_norm", check_rms_norm},
    {"rope", check_rope},
    {"gate", check_gate},
    {"add_bf16", check_add_bf16},
    {"mean_rows", check_mean_rows},
    {"l2_normalize", check_l2_normalize},
    {"sums", check_sums},
    {"hadamard", check_hadamard},
    {"scan_codes", check_scan_codes},
    {"estimate_codes", check_estimate_codes},
    {"dot_s16_s8", check_dot_s16_s8},
};

/* Nearest, ties to even; codes within half a step of the truth. */
static void
check_rounding(void)
{
    static const float ties[] = {1.00390625f, 1.01171875f, -1.00390625f, INFINITY, -0.0f, 3.4e38f};
    static const float rounded[] = {1, 1.015625f, -1, INFINITY, -0.0f, INFINITY};
    float *w = normals(5 * 33), scales[5];
    uint16_t half[6], nan_half;
    int8_t codes[5 * 33];
    size_t wrong = 0;

    lm_round_bf16(6, ties, half);
    for (int i = 0; i < 6; i++)
        CHECK(lm_bf16_to(half[i]) == rounded[i]);
    lm_round_bf16(1, &(float){NAN}, &nan_half);
    CHECK(isnan(lm_bf16_to(nan_half)));
    memset(w + 2 * 33, 0, 33 * sizeof(float));
    w[3 * 33 + 7] = -9; /* the greatest of its row is negative */
    lm_quantize_rows(w, 5, 33, codes, scales);
    for (size_t i = 0; i < 5 * 33; i++)
        wrong += !(fabs((double)codes[i] * scales[i / 33] - w[i]) <= 0.5001 * scales[i / 33]) ||
                 codes[i] == -128;
    CHECK_EQ_INT(wrong, 0);
    CHECK(scales[2] == 0);
    CHECK_EQ_INT(codes[3 * 33 + 7], -LM_INT8_GREATEST);
    for (size_t i = 0; i < 33; i++)
        w[i] = i % 3 == 0 ? -2 : 2; /* no weight stands out */
    lm_quantize_rows(w, 1, 33, codes, scales);
    CHECK_EQ_INT(codes[0], -LM_INT8_SPREAD);
    CHECK_EQ_INT(codes[32], LM_INT8_SPREAD);
    free_arrays();
}

static const unit_case common_cases[] = {
    {"dispatch", check_dispatch}, {"distance", check_distance}, {"rounding", check_rounding},
    {"blas", check_blas},         {"parts", check_parts},       {"threads", check_threads},
};

/* That of fp32 models, and that of the others, which all levels but one have in float32 too. */
static int
check_attentions(const char *word)
{
    const lm_attention_kernel *reduced = &kernels->attention[LM_PRECISION_BF16];
    bool rounds = kernels->level == LM_LEVEL_AVX512_BF16;

    CHECK(reduced->run == kernels->attention[LM_PRECISION_INT8].run);
    return run_attention_cases(kernels->name, &kernels->attention[LM_PRECISION_F32],
                               ATTENTION_EXACT, word) +
           run_attention_cases(kernels->name, reduced, rounds ? ATTENTION_ROUNDS : ATTENTION_APPROX,
                               word);
}

static int
check_all(const char *word)
{
    int failed = 0;

    for (lm_level level = 0; level < LM_LEVEL_COUNT; level++) {
        kernels = lm_kernels_at(level);
        if (!kernels)
            continue;
        for (lm_precision at = 0; at < LM_PRECISION_COUNT; at++)
            failed += run_gemm_cases(kernels->name, &kernels->products[at], at, word);
        failed += check_attentions(word);
        failed +=
            run_cases(kernels->name, level_cases, sizeof(level_cases) / sizeof(*level_cases), word);
    }
    failed += run_cases("all", common_cases, sizeof(common_cases) / sizeof(*common_cases), word);
    return failed;
}

/* ---- time ---- */

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds of one call: the best of many, over at least 60 ms. */
static double
best_time(void (*run)(void *), void *argument)
{
    double best = 1e9, end = now() + 0.06;

    while (now() < end) {
        double start = now();

        run(argument);
        best = fmin(best, now() - start);
    }
    return best;
}

static void
run_gemm(void *argument)
{
    product->gemm(argument);
}

static void
run_sgemm(void *argument)
{
    (void)lm_blas_sgemm(argument);
}

/* The three precisions in turn, over and over, so that a noisy machine is the same for all. */
static void
time_gemm(size_t m, size_t n, size_t k, lm_activation act)
{
    problem p[LM_PRECISION_COUNT];
    double work = 2e-9 * (double)m * (double)n * (double)k, best[LM_PRECISION_COUNT + 1];
    lm_sgemm blas = {false, true, m, n, k, 1, NULL, k, NULL, k, 0, NULL, n, NULL};

    for (precision = 0; precision < LM_PRECISION_COUNT; precision++) {
        product = &kernels->products[precision];
        p[precision] = make_problem(m, n, k, act, true, false);
        best[precision] = 1e9;
    }
    blas.a = normals(m * k);
    blas.b = p[0].w;
    blas.c = array(m * n);
    best[LM_PRECISION_COUNT] = best_time(run_sgemm, &blas);
    for (int round = 0; round < 3; round++)
        for (precision = 0; precision < LM_PRECISION_COUNT; precision++) {
            product = &kernels->products[precision];
            best[precision] = fmin(best[precision], best_time(run_gemm, &p[precision].args));
        }
    printf("%-7s gemm%s N %4zu K %4zu M %3zu: GFLOP/s", kernels->name,
           act == LM_ACT_GELU ? "+gelu" : "     ", n, k, m);
    for (precision = 0; precision < LM_PRECISION_COUNT; precision++)
        printf(" %s %6.1f (%4.2f)", lm_precision_name(precision), work / best[precision],
               best[LM_PRECISION_F32] / best[precision]);
    printf(" OpenBLAS %6.1f\n", work / best[LM_PRECISION_COUNT]);
    free_arrays();
}

static void
time_gemms(void)
{
    static const size_t shapes[][2] = {{1152, 384}, {384, 384}, {1536, 384}, {384, 1536}};
    static const size_t ms[] = {1, 2, 6, 10, 16, 32, 84, 168};

    for (size_t s = 0; s < 4; s++)
        for (size_t m = 0; m < sizeof(ms) / sizeof(*ms); m++)
            time_gemm(ms[m], shapes[s][0], shapes[s][1], shapes[s][0] == 1536 ? LM_ACT_GELU : 0);
}

/* Twelve layers' worth of weights in turn: more than the caches hold, as in a short query. */
enum { COLD = 12 };
typedef struct cold {
    lm_gemm gemm[COLD];
} cold;

static void
run_cold(void *argument)
{
    for (int i = 0; i < COLD; i++)
        product->gemm(&((cold *)argument)->gemm[i]);
}

static void
time_cold_rows(size_t m, size_t n, size_t k)
{
    double work = 2e-9 * COLD * (double)(m * n * k), seconds;
    problem p = make_problem(m, n, k, LM_ACT_NONE, false, false);
    size_t bytes = product->packed_size(n, k);
    cold all;

    for (int j = 0; j < COLD; j++) {
        float *copy = array(bytes / sizeof(float));

        memcpy(copy, p.args.packed, bytes);
        all.gemm[j] = p.args;
        all.gemm[j].packed = copy;
    }
    seconds = best_time(run_cold, &all);
    printf("%-7s %s cold gemm, %.0f MB of weights, M %2zu: %7.1f GFLOP/s, %5.1f GB/s\n",
           kernels->name, lm_precision_name(precision), 1e-6 * COLD * (double)bytes, m,
           work / seconds, 1e-9 * COLD * (double)bytes / seconds);
    free_arrays();
}

static void
time_cold(void)
{
    static const size_t ms[] = {1, 4, 6, 10, 16, 32};

    for (precision = 0; precision < LM_PRECISION_COUNT; precision++) {
        product = &kernels->products[precision];
        for (size_t i = 0; i < sizeof(ms) / sizeof(*ms); i++)
            time_cold_rows(ms[i], 1536, 768);
    }
}

static void
run_attention(void *argument)
{
    attention->run(argument);
}

static void
time_attention(void)
{
    static const size_t tokens[] = {10, 87, 256, 512, 2048};

    for (lm_precision p = LM_PRECISION_F32; p <= LM_PRECISION_BF16; p++)
        for (size_t i = 0; i < sizeof(tokens) / sizeof(*tokens); i++) {
            double work = 4e-9 * (double)(tokens[i] * tokens[i]) * 384, seconds;
            text t;

            attention = &kernels->attention[p];
            t = make_text(tokens[i], 12, 32);
            seconds = best_time(run_attention, &t.args);
            printf("%-7s attention of %s, 12 × 32, %4zu tokens: %7.1f GFLOP/s, %8.1f us\n",
                   kernels->name, lm_precision_name(p), tokens[i], work / seconds, 1e6 * seconds);
            free_arrays();
        }
}

typedef struct row_run {
    lm_activation act;
    size_t rows, width;
    float *x, *y, *gain, *bias;
} row_run;

static volatile float sink;

static void
run_activate(void *argument)
{
    row_run *r = argument;

    memcpy(r->y, r->x, r->rows * r->width * sizeof(float));
    kernels->activate_f32(r->act, r->rows * r->width, r->y);
}

static void
run_softmax(void *argument)
{
    row_run *r = argument;

    for (size_t i = 0; i < r->rows; i++)
        kernels->softmax_f32(r->width, r->y + i * r->width);
}

static void
run_layer_norm(void *argument)
{
    row_run *r = argument;

    kernels->layer_norm_f32(r->rows, r->width, r->x, r->gain, r->bias, 1e-12f, r->y);
}

static void
run_mean(void *argument)
{
    row_run *r = argument;

    kernels->mean_rows_f32(r->rows, r->width, r->x, r->y);
}

static void
run_dot(void *argument)
{
    row_run *r = argument;

    for (size_t i = 0; i < r->rows; i++)
        sink = kernels->dot_f32(r->width, r->x + i * r->width, r->gain);
}

static void
run_l2(void *argument)
{
    row_run *r = argument;

    for (size_t i = 0; i < r->rows; i++)
        sink = kernels->l2_squared_f32(r->width, r->x + i * r->width, r->gain);
}

static void
run_cosine(void *argument)
{
    row_run *r = argument;
    float parts[3];

    for (size_t i = 0; i < r->rows; i++) {
        kernels->cosine_parts_f32(r->width, r->x + i * r->width, r->gain, parts);
        sink = parts[0];
    }
}

static void
time_rows(void)
{
    static const struct {
        const char *name;
        void (*run)(void *);
        lm_activation act;
    } runs[] = {
        {"gelu", run_activate, LM_ACT_GELU}, {"gelu_tanh", run_activate, LM_ACT_GELU_TANH},
        {"silu", run_activate, LM_ACT_SILU}, {"tanh", run_activate, LM_ACT_TANH},
        {"softmax", run_softmax, 0},         {"layer_norm", run_layer_norm, 0},
        {"mean_rows", run_mean, 0},          {"dot", run_dot, 0},
        {"l2_squared", run_l2, 0},           {"cosine_parts", run_cosine, 0},
    };
    row_run r = {.rows = 64, .width = 384};
    double bytes = 4e-9 * 64 * 384;

    r.x = normals(r.rows * r.width);
    r.y = copy_of(r.x, r.rows * r.width);
    r.gain = normals(r.width);
    r.bias = normals(r.width);
    for (size_t i = 0; i < sizeof(runs) / sizeof(*runs); i++) {
        double seconds;

        r.act = runs[i].act;
        seconds = best_time(runs[i].run, &r);
        printf("%-7s %-12s 64 × 384: %6.1f GB/s read, %5.2f ns a row\n", kernels->name,
               runs[i].name, bytes / seconds, 1e9 * seconds / 64);
    }
    free_arrays();
}

static const unit_case time_cases[] = {
    {"gemm", time_gemms}, {"cold", time_cold}, {"attention", time_attention}, {"rows", time_rows}};

/* Rows whose "level case" holds the word. */
static int
time_all(const char *word)
{
    printf("# %s; %s; best of many calls\n", lm_cpu_name(), lm_blas_config());
    for (lm_level level = 0; level < LM_LEVEL_COUNT; level++)
        for (size_t i = 0; (kernels = lm_kernels_at(level)) && i < 4; i++) {
            char name[64];

            snprintf(name, sizeof(name), "%s %s", kernels->name, time_cases[i].name);
            if (strstr(name, word))
                time_cases[i].run();
        }
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    lm_rng_seed(&rng, 1);
    if (argc > 1 && strcmp(argv[1], "time") == 0)
        return time_all(argc > 2 ? argv[2] : "");
    return check_all(argc > 1 ? argv[1] : "") ? EXIT_FAILURE : EXIT_SUCCESS;
}
