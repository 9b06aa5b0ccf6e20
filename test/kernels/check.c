/*
 * check.c - every kernel of every level that this CPU has, against its reference, and the laws of
 * kernels.h: same bits for a row in any batch, nothing written or read outside, NaN passes, control
 * bits of floating point stay. `check [WORD]` prints ok lines; `check time [WORD]` prints GFLOP/s
 * or GB/s beside OpenBLAS; both of the cases whose name, with its level, holds WORD.
 *
 * Every array ends at a page that cannot be touched, so that a read behind it is a crash, and most
 * are therefore unaligned; outputs lie between patterns that must survive.
 */
#define _GNU_SOURCE
#include "unit.h"

#include <dirent.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"
#include "base/size.h"
#include "kernels/kernels.h"
#include "kernels/reference.h"
#include "search/distance.h"

static const lm_kernels *kernels; /* of the level under test */

/* ---- arrays with guards ---- */

enum { GUARD_FLOATS = 64, ARRAYS = 64 };

static struct {
    void *base;
    size_t bytes;
} arrays[ARRAYS];
static int array_count;

/* Uninitialised floats that end where a page without access begins. */
static float *
array(size_t count)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t bytes = (count * sizeof(float) + page - 1) / page * page + page;
    char *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (base == MAP_FAILED || array_count == ARRAYS ||
        mprotect(base + bytes - page, page, PROT_NONE) != 0) {
        perror("check: no memory for an array");
        exit(EXIT_FAILURE);
    }
    arrays[array_count].base = base;
    arrays[array_count++].bytes = bytes;
    return (float *)(base + bytes - page) - count;
}

static void
free_arrays(void)
{
    while (array_count > 0) {
        array_count--;
        munmap(arrays[array_count].base, arrays[array_count].bytes);
    }
}

static lm_rng rng;

/* Sum of twelve uniforms less six: near enough to a standard normal. */
static float
normal(void)
{
    double sum = -6;

    for (int i = 0; i < 12; i++)
        sum += lm_rng_uniform(&rng);
    return (float)sum;
}

static float *
normals(size_t count)
{
    float *x = array(count);

    for (size_t i = 0; i < count; i++)
        x[i] = normal();
    return x;
}

static float *
copy_of(const float *x, size_t count)
{
    float *copy = array(count);

    memcpy(copy, x, count * sizeof(float));
    return copy;
}

static const uint32_t guard_bits = 0x7fabcdefu;

static void
fill_guard(float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        memcpy(x + i, &guard_bits, sizeof(guard_bits));
}

static bool
is_guard(float x)
{
    return memcmp(&x, &guard_bits, sizeof(x)) == 0;
}

/* An output of (rows, width) at row stride ld, with guards before it and between its rows. */
typedef struct output {
    float *start;
    size_t rows, width, ld;
    float *x;
} output;

static output
make_output(size_t rows, size_t width, size_t gap)
{
    output o = {.rows = rows, .width = width, .ld = width + gap};
    size_t count = GUARD_FLOATS + (rows - 1) * o.ld + width;

    o.start = array(count);
    o.x = o.start + GUARD_FLOATS;
    fill_guard(o.start, count);
    return o;
}

/* Floats outside the output that were written. Behind its last row is no memory at all. */
static size_t
guards_broken(const output *o)
{
    size_t broken = 0;

    for (size_t i = 0; i < GUARD_FLOATS; i++)
        broken += !is_guard(o->start[i]);
    for (size_t r = 0; r + 1 < o->rows; r++)
        for (size_t j = o->width; j < o->ld; j++)
            broken += !is_guard(o->x[r * o->ld + j]);
    return broken;
}

/* ---- errors and their bounds ---- */

/*
 * Each measure is scaled so that its unit is explained in one phrase. Above `warn` the run says so
 * (a change of a kernel made it worse); above `fail` it is wrong.
 */
typedef struct measure {
    const char *name;
    double warn, fail;
    double worst;
} measure;

static void
record(measure *m, double error)
{
    if (!(error <= m->worst)) /* a NaN stays */
        m->worst = error;
}

static void
judge(const measure *m)
{
    printf("#   %-44s %.2e (warn %.1e, fail %.1e)%s\n", m->name, m->worst, m->warn, m->fail,
           m->worst <= m->warn ? "" : " WARNING");
    if (!(m->worst <= m->fail))
        UNIT_FAIL("%s: error %g above %g", m->name, m->worst, m->fail);
}

static double
norm(const float *x, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += (double)x[i] * x[i];
    return sqrt(sum);
}

static size_t
bits_differ(const float *a, const float *b, size_t count)
{
    return memcmp(a, b, count * sizeof(float)) != 0;
}

/* ---- GEMM ---- */

typedef struct problem {
    lm_gemm_f32 args;
    float *w;
    output c;
} problem;

static float *
pack(const float *w, size_t n, size_t k)
{
    size_t size = kernels->packed_size_f32(n, k);
    float *packed = array(size);

    CHECK_EQ_INT(size % 16, 0);
    CHECK_EQ_INT((uintptr_t)packed % LM_ALIGNMENT, 0);
    kernels->pack_f32(w, n, k, packed);
    return packed;
}

static problem
make_problem(size_t m, size_t n, size_t k, lm_activation act, bool with_bias, bool with_residual)
{
    problem p = {.w = normals(n * k), .c = make_output(m, n, 5)};

    p.args = (lm_gemm_f32){.m = m,
                           .n = n,
                           .k = k,
                           .a = normals((m - 1) * (k + 3) + k),
                           .lda = k + 3,
                           .packed = pack(p.w, n, k),
                           .bias = with_bias ? normals(n) : NULL,
                           .residual = with_residual ? normals((m - 1) * (n + 1) + n) : NULL,
                           .ldr = n + 1,
                           .act = act,
                           .c = p.c.x,
                           .ldc = p.c.ld};
    return p;
}

static void
compare_gemm(const problem *p, measure *error)
{
    size_t m = p->args.m, n = p->args.n, k = p->args.k;
    lm_gemm_f32 wanted = p->args;

    wanted.c = array(m * n);
    wanted.ldc = n;
    lm_gemm_f32_ref(&wanted, p->w);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double scale = norm(p->args.a + i * p->args.lda, k) * norm(p->w + j * k, k) + 1;

            record(error, fabs((double)p->c.x[i * p->c.ld + j] - wanted.c[i * n + j]) / scale);
        }
    CHECK_EQ_INT(guards_broken(&p->c), 0);
}

static void
check_gemm(void)
{
    static const size_t ms[] = {1, 2, 3, 5, 6, 7, 17, 24};
    static const size_t sizes[] = {1, 3, 5, 17, 24, 33, 63, 64, 65, 100, 384};
    measure error = {"gemm: |error| / (|a|·|w| + 1)", 3e-7, 1e-6, 0};
    size_t round = 0;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        for (size_t j = 0; j < sizeof(sizes) / sizeof(*sizes); j++, round++) {
            problem p = make_problem(ms[round % 8], sizes[i], sizes[j], round % LM_ACT_COUNT,
                                     round % 3 != 0, round % 2);

            kernels->gemm_f32(&p.args);
            compare_gemm(&p, &error);
            free_arrays();
        }
    judge(&error);
}

static void
check_gemm_large(void)
{
    static const size_t shapes[][3] = {
        {10, 1152, 384}, {7, 384, 1536}, {90, 130, 1536}, {13, 1536, 384}, {400, 65, 300}};
    measure error = {"gemm, real shapes: |error| / (|a|·|w| + 1)", 3e-7, 1e-6, 0};

    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
        problem p =
            make_problem(shapes[i][0], shapes[i][1], shapes[i][2], LM_ACT_NONE, true, false);

        kernels->gemm_f32(&p.args);
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

    kernels->gemm_f32(&p.args);
    for (size_t i = 0; i < 11; i++)
        memcpy(c + i * 70, p.args.residual + i * p.args.ldr, 70 * sizeof(float));
    p.args.c = c;
    p.args.residual = c;
    p.args.ldc = p.args.ldr = 70;
    kernels->gemm_f32(&p.args);
    for (size_t i = 0; i < 11; i++)
        CHECK(!bits_differ(c + i * 70, p.c.x + i * p.c.ld, 70));
    free_arrays();
}

/* Rows first … first + m − 1 alone give the bits that they have among all. */
static size_t
rows_differ(const problem *p, size_t first, size_t m)
{
    lm_gemm_f32 part = p->args;
    output c = make_output(m, part.n, 2);
    size_t differ = 0;

    part.m = m;
    part.a += first * part.lda;
    part.residual += first * part.ldr;
    part.c = c.x;
    part.ldc = c.ld;
    kernels->gemm_f32(&part);
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

            kernels->gemm_f32(&p.args);
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

    kernels->gemm_f32(&p.args);
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
    kernels->gemm_f32(&p.args);
    for (size_t i = 0; i < 9; i++)
        for (size_t j = 0; j < 70; j++)
            wrong += !isnan(p.c.x[i * p.c.ld + j]) != (i != 4);
    CHECK_EQ_INT(wrong, 0);
    free_arrays();
}

/* ---- attention ---- */

typedef struct text {
    lm_attention_f32 args;
    size_t scratch_floats;
    output out;
} text;

static text
make_text(size_t tokens, size_t heads, size_t head_dim)
{
    size_t width = heads * head_dim, ld = 3 * width + 1;
    float *qkv = normals((tokens - 1) * ld + 3 * width);
    text t = {.out = make_output(tokens, width, 3)};

    t.scratch_floats = kernels->attention_scratch(tokens, head_dim) / sizeof(float);
    t.args = (lm_attention_f32){.tokens = tokens,
                                .heads = heads,
                                .head_dim = head_dim,
                                .q = qkv,
                                .k = qkv + width,
                                .v = qkv + 2 * width,
                                .ld = ld,
                                .scale = (float)(2 / sqrt((double)head_dim)),
                                .out = t.out.x,
                                .ldo = t.out.ld,
                                .scratch = array(t.scratch_floats)};
    /* What an earlier call left there must not matter: NaNs do their worst. */
    fill_guard(t.args.scratch, t.scratch_floats);
    CHECK_EQ_INT((uintptr_t)t.args.scratch % LM_ALIGNMENT, 0);
    return t;
}

static void
compare_attention(size_t tokens, size_t heads, size_t head_dim, measure *error)
{
    text t = make_text(tokens, heads, head_dim);
    lm_attention_f32 wanted = t.args;
    size_t width = heads * head_dim;

    wanted.out = array(tokens * width);
    wanted.ldo = width;
    wanted.scratch = array(2 * tokens);
    kernels->attention_f32(&t.args);
    lm_attention_f32_ref(&wanted);
    for (size_t i = 0; i < tokens; i++)
        for (size_t j = 0; j < width; j++)
            record(error, fabs((double)t.out.x[i * t.out.ld + j] - wanted.out[i * width + j]));
    CHECK_EQ_INT(guards_broken(&t.out), 0);
    free_arrays();
}

static void
check_attention(void)
{
    static const size_t tokens[] = {1, 2, 3, 5, 17, 24, 33, 63, 64, 65, 100, 384};
    static const size_t head_dims[] = {32, 64, 1, 3, 17, 80, 100, 16};
    /* Scores reach 30, whose last place is 2e-6: so far is any fp32 from the truth. */
    measure error = {"attention: |error|, values N(0, 1)", 5e-6, 1.5e-5, 0};

    for (size_t i = 0; i < sizeof(tokens) / sizeof(*tokens); i++)
        for (size_t j = 0; j < sizeof(head_dims) / sizeof(*head_dims); j++)
            compare_attention(tokens[i], 1 + (i + j) % 3, head_dims[j], &error);
    compare_attention(1536, 1, 32, &error);
    judge(&error);
}

/* At the limit of 8192 tokens: queries are sampled by giving the reference those rows only. */
static void
check_attention_long(void)
{
    const size_t tokens = 8192, head_dim = 16;
    measure error = {"attention, 8192 tokens: |error|", 1e-6, 1e-5, 0};
    text t = make_text(tokens, 1, head_dim);
    double *scores = (double *)array(2 * tokens);

    CHECK(t.scratch_floats * sizeof(float) < 4 * 1024 * 1024);
    kernels->attention_f32(&t.args);
    for (size_t i = 0; i < tokens; i += 1117) {
        double sum = 0;

        for (size_t j = 0; j < tokens; j++) {
            scores[j] = 0;
            for (size_t d = 0; d < head_dim; d++)
                scores[j] += (double)t.args.q[i * t.args.ld + d] * t.args.k[j * t.args.ld + d];
            sum += scores[j] = exp(scores[j] * t.args.scale);
        }
        for (size_t d = 0; d < head_dim; d++) {
            double value = 0;

            for (size_t j = 0; j < tokens; j++)
                value += scores[j] * t.args.v[j * t.args.ld + d];
            record(&error, fabs(t.out.x[i * t.out.ld + d] - value / sum));
        }
    }
    judge(&error);
    free_arrays();
}

/* The same text at another stride, beside other heads and at another address. */
static void
check_attention_bits(void)
{
    const size_t tokens = 77, head_dim = 32;
    text t = make_text(tokens, 3, head_dim);
    lm_attention_f32 alone = t.args;
    float *packed[3];

    kernels->attention_f32(&t.args);
    for (int part = 0; part < 3; part++) {
        const float *from = (part == 0 ? t.args.q : part == 1 ? t.args.k : t.args.v) + head_dim;

        packed[part] = array(tokens * head_dim + 1);
        for (size_t i = 0; i < tokens; i++)
            memcpy(packed[part] + i * head_dim, from + i * t.args.ld, head_dim * sizeof(float));
    }
    alone.heads = 1;
    alone.q = packed[0];
    alone.k = packed[1];
    alone.v = packed[2];
    alone.ld = alone.ldo = head_dim;
    alone.out = array(tokens * head_dim);
    kernels->attention_f32(&alone);
    for (size_t i = 0; i < tokens; i++)
        CHECK(!bits_differ(alone.out + i * head_dim, t.out.x + i * t.out.ld + head_dim, head_dim));
    free_arrays();
}

static void
check_attention_nan(void)
{
    text t = make_text(40, 2, 16);
    size_t wrong = 0;

    ((float *)t.args.k)[39 * t.args.ld + 16] = NAN; /* last token, second head */
    kernels->attention_f32(&t.args);
    for (size_t i = 0; i < 40; i++)
        for (size_t j = 0; j < 32; j++)
            wrong += !isnan(t.out.x[i * t.out.ld + j]) != (j < 16);
    CHECK_EQ_INT(wrong, 0);
    free_arrays();
}

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

static const unit_case level_cases[] = {
    {"gemm", check_gemm},
    {"gemm large", check_gemm_large},
    {"gemm in place", check_gemm_in_place},
    {"gemm rows have their bits", check_gemm_rows},
    {"gemm blocks", check_gemm_blocks},
    {"gemm NaN", check_gemm_nan},
    {"attention", check_attention},
    {"attention long", check_attention_long},
    {"attention has its bits", check_attention_bits},
    {"attention NaN", check_attention_nan},
    {"activations", check_activations},
    {"activation limits", check_activation_limits},
    {"softmax", check_softmax},
    {"softmax limits", check_softmax_limits},
    {"layer_norm", check_layer_norm},
    {"add", check_add},
    {"mean_rows", check_mean_rows},
    {"l2_normalize", check_l2_normalize},
    {"sums", check_sums},
};

static const unit_case common_cases[] = {
    {"dispatch", check_dispatch},
    {"distance", check_distance},
    {"blas", check_blas},
    {"threads", check_threads},
};

/* Control bits of floating point: rounding, flush to zero, denormals are zero, masks. */
static unsigned
control_bits(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_stmxcsr() & 0xffc0u;
#else
    return 0;
#endif
}

static int
run_cases(const char *prefix, const unit_case *cases, size_t count, const char *word)
{
    int failed = 0;

    for (size_t i = 0; i < count; i++) {
        unsigned before = control_bits();
        char name[64];

        snprintf(name, sizeof(name), "%s %s", prefix, cases[i].name);
        if (!strstr(name, word))
            continue;
        unit_failures = 0;
        lm_rng_seed(&rng, 7 + i);
        cases[i].run();
        CHECK_EQ_INT(control_bits(), before);
        printf("%s kernels %s\n", unit_failures ? "not ok" : "ok", name);
        fflush(stdout);
        failed += unit_failures != 0;
    }
    return failed;
}

static int
check_all(const char *word)
{
    int failed = 0;

    for (lm_level level = 0; level < LM_LEVEL_COUNT; level++) {
        kernels = lm_kernels_at(level);
        if (kernels)
            failed += run_cases(kernels->name, level_cases,
                                sizeof(level_cases) / sizeof(*level_cases), word);
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
    kernels->gemm_f32(argument);
}

static void
run_sgemm(void *argument)
{
    (void)lm_blas_sgemm(argument);
}

static void
time_gemm(size_t m, size_t n, size_t k, lm_activation act)
{
    float *w = normals(n * k), *a = normals(m * k), *c = normals(m * n), *bias = normals(n);
    lm_gemm_f32 gemm = {m, n, k, a, k, pack(w, n, k), bias, NULL, 0, act, c, n};
    lm_sgemm blas = {false, true, m, n, k, 1, a, k, w, k, 0, c, n, NULL};
    double work = 2e-9 * (double)m * (double)n * (double)k;
    double own = work / best_time(run_gemm, &gemm), peer = work / best_time(run_sgemm, &blas);

    printf("%-7s gemm%s N %4zu K %4zu M %3zu: %7.1f GFLOP/s, OpenBLAS %7.1f, ratio %5.2f\n",
           kernels->name, act == LM_ACT_GELU ? "+gelu" : "     ", n, k, m, own, peer, own / peer);
    free_arrays();
}

static void
time_gemms(void)
{
    static const size_t shapes[][2] = {{1152, 384}, {384, 384}, {1536, 384}, {384, 1536}};
    static const size_t ms[] = {1, 2, 6, 10, 16, 32, 87, 256};

    for (size_t s = 0; s < 4; s++)
        for (size_t m = 0; m < sizeof(ms) / sizeof(*ms); m++)
            time_gemm(ms[m], shapes[s][0], shapes[s][1], shapes[s][0] == 1536 ? LM_ACT_GELU : 0);
}

/* Twelve layers' worth of weights in turn: more than the caches hold, as in a short query. */
enum { COLD = 12 };
typedef struct cold {
    lm_gemm_f32 gemm[COLD];
} cold;

static void
run_cold(void *argument)
{
    for (int i = 0; i < COLD; i++)
        kernels->gemm_f32(&((cold *)argument)->gemm[i]);
}

static void
time_cold(void)
{
    static const size_t ms[] = {1, 4, 6, 10, 16, 32};
    const size_t n = 1536, k = 768;

    for (size_t i = 0; i < sizeof(ms) / sizeof(*ms); i++) {
        float *a = normals(ms[i] * k), *c = normals(ms[i] * n), *w = normals(n * k);
        double work = 2e-9 * COLD * (double)(ms[i] * n * k), seconds;
        cold all;

        for (int j = 0; j < COLD; j++)
            all.gemm[j] = (lm_gemm_f32){ms[i], n, k, a, k, pack(w, n, k), NULL, NULL, 0, 0, c, n};
        seconds = best_time(run_cold, &all);
        printf("%-7s cold gemm, 57 MB of weights, M %2zu: %7.1f GFLOP/s, %5.1f GB/s\n",
               kernels->name, ms[i], work / seconds, 4e-9 * COLD * (double)(n * k) / seconds);
        free_arrays();
    }
}

static void
run_attention(void *argument)
{
    kernels->attention_f32(argument);
}

static void
time_attention(void)
{
    static const size_t tokens[] = {10, 87, 256, 512, 2048};

    for (size_t i = 0; i < sizeof(tokens) / sizeof(*tokens); i++) {
        text t = make_text(tokens[i], 12, 32);
        double work = 4e-9 * (double)(tokens[i] * tokens[i]) * 384;
        double seconds = best_time(run_attention, &t.args);

        printf("%-7s attention 12 × 32, %4zu tokens: %7.1f GFLOP/s, %8.1f us\n", kernels->name,
               tokens[i], work / seconds, 1e6 * seconds);
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
