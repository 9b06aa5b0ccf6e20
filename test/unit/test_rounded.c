/*
 * test_rounded.c - products of factors rounded to bfloat16: at every level the sums of the rounded
 * factors, in any orientation and over all blocks; a row's bits; every failing allocation and poll;
 * linear layers with their gradients.
 */
#include <math.h>

#include "base/rng.h"
#include "fake.h"
#include "kernels/bf16.h"
#include "nn/grad.h"
#include "unit.h"

static float *
drawn(size_t count, uint64_t seed)
{
    float *x = malloc(count * sizeof *x);
    lm_rng rng;

    lm_rng_seed(&rng, seed);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)(lm_rng_next(&rng) >> 40) / (1 << 24) - 0.5f;
    return x;
}

static double
rounded(float x)
{
    return lm_bf16_to(lm_bf16_from(x));
}

/* A product with its factors, and what stood in C. */
typedef struct problem {
    lm_sgemm args;
    float *a, *b, *c, *before;
    lm_context ctx;
} problem;

static void
make_problem(problem *p, size_t m, size_t n, size_t k, int form)
{
    const bool ta = form & 1, tb = form & 2;

    lm_context_init(&p->ctx);
    p->a = drawn(m * k, 1);
    p->b = drawn(n * k, 2);
    p->c = drawn(m * n, 3);
    p->before = drawn(m * n, 3);
    p->args = (lm_sgemm){.transpose_a = ta,
                         .transpose_b = tb,
                         .m = m,
                         .n = n,
                         .k = k,
                         .alpha = 1,
                         .a = p->a,
                         .lda = ta ? m : k,
                         .b = p->b,
                         .ldb = tb ? k : n,
                         .beta = form & 4 ? 1 : 0,
                         .c = p->c,
                         .ldc = n,
                         .ctx = &p->ctx};
}

static void
free_problem(problem *p)
{
    free(p->a);
    free(p->b);
    free(p->c);
    free(p->before);
}

static double
wanted_at(const problem *p, size_t i, size_t j)
{
    const lm_sgemm *args = &p->args;
    double sum = args->beta != 0 ? p->before[i * args->ldc + j] : 0;

    for (size_t x = 0; x < args->k; x++)
        sum += rounded(p->a[args->transpose_a ? x * args->lda + i : i * args->lda + x]) *
               rounded(p->b[args->transpose_b ? j * args->ldb + x : x * args->ldb + j]);
    return sum;
}

/* Sums of float32, and at a level with the instruction of pairs, once rounded. */
static void
check_sums(const problem *p, const char *level)
{
    const lm_sgemm *args = &p->args;
    const double bound = 1e-6 * ((double)args->k / 8 + 1);
    double worst = 0;

    for (size_t i = 0; i < args->m; i += 1 + args->m / 40)
        for (size_t j = 0; j < args->n; j += 1 + args->n / 40)
            worst = fmax(worst, fabs(p->c[i * args->ldc + j] - wanted_at(p, i, j)));
    if (!(worst <= bound))
        UNIT_FAIL("%s: %zu × %zu × %zu is off by %g", level, args->m, args->n, args->k, worst);
}

static void
check_level(const lm_kernels *kernels)
{
    static const size_t sizes[][3] = {{1, 1, 1},     {3, 5, 7},      {17, 33, 65},
                                      {300, 70, 64}, {20, 1600, 40}, {9, 50, 2100}};

    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (int form = 0; form < 8; form++) {
            problem p;

            make_problem(&p, sizes[s][0], sizes[s][1], sizes[s][2], form);
            CHECK_OK(&p.ctx, lm_rounded_sgemm(kernels, &p.args));
            check_sums(&p, kernels->name);
            free_problem(&p);
        }
}

static void
every_level(void)
{
    for (int level = 0; level < LM_LEVEL_COUNT; level++)
        if (lm_kernels_at((lm_level)level)) {
            lm_kernels_select((lm_level)level);
            check_level(lm_kernels_active());
        }
    lm_kernels_select(LM_LEVEL_COUNT - 1);
}

/* Of row 7 alone, and among others; nothing to multiply leaves C. */
static void
own_bits(void)
{
    problem p;
    float row[70];
    float *all;

    make_problem(&p, 300, 70, 1100, 2);
    CHECK_OK(&p.ctx, lm_rounded_sgemm(lm_kernels_active(), &p.args));
    all = p.c;
    p.args.m = 1;
    p.args.a += 7 * p.args.lda;
    p.args.c = row;
    CHECK_OK(&p.ctx, lm_rounded_sgemm(lm_kernels_active(), &p.args));
    CHECK(memcmp(row, all + 7 * 70, sizeof row) == 0);
    row[0] = 5;
    p.args.k = 0;
    CHECK_OK(&p.ctx, lm_rounded_sgemm(lm_kernels_active(), &p.args));
    CHECK(row[0] == 5);
    free_problem(&p);
}

static void
not_a_number(void)
{
    problem p;

    make_problem(&p, 4, 6, 9, 0);
    p.a[2 * 9 + 3] = NAN;
    CHECK_OK(&p.ctx, lm_rounded_sgemm(lm_kernels_active(), &p.args));
    for (int j = 0; j < 6; j++)
        CHECK(isnan(p.c[2 * 6 + j]) && isfinite(p.c[6 + j]));
    free_problem(&p);
}

static lm_status
with_memory(fake_memory *memory)
{
    problem p;
    lm_context ctx;
    lm_status status;

    fake_context(&ctx, memory);
    make_problem(&p, 300, 40, 1030, 1);
    p.args.ctx = &ctx;
    status = lm_rounded_sgemm(lm_kernels_active(), &p.args);
    CHECK_EQ_INT(memory->live, 0);
    free_problem(&p);
    return status;
}

static void
faults(void)
{
    fake_memory whole = {.fail_at = 0};

    CHECK_EQ_INT(with_memory(&whole), LM_OK);
    CHECK(whole.polls > 3);
    for (int at = 1; at <= whole.calls; at++)
        CHECK_EQ_INT(with_memory(&(fake_memory){.fail_at = at}), LM_NO_MEMORY);
    for (int at = 1; at <= whole.polls; at++)
        CHECK_EQ_INT(with_memory(&(fake_memory){.stop_at = at}), LM_CANCELLED);
}

/* A layer's three products: near those of float32, and not the same. */
static void
layer(void)
{
    enum { ROWS = 12, IN = 40, OUT = 24 };
    float *x = drawn(ROWS * IN, 4), *weight = drawn(OUT * IN, 5), *bias = drawn(OUT, 6),
          *dy = drawn(ROWS * OUT, 7);
    float y[2][ROWS * OUT], dx[2][ROWS * IN], dweight[2][OUT * IN] = {{0}}, dbias[2][OUT] = {{0}};
    double far = 0;
    lm_context ctx;

    lm_context_init(&ctx);
    for (int i = 0; i < 2; i++) {
        const lm_linear args = {ROWS, IN, OUT, weight, bias, i ? lm_kernels_active() : NULL};

        CHECK_OK(&ctx, lm_linear_forward(&ctx, &args, x, y[i]));
        CHECK_OK(&ctx, lm_linear_backward(&ctx, &args, x, dy, dx[i], dweight[i], dbias[i]));
    }
    for (int i = 0; i < ROWS * OUT; i++)
        far = fmax(far, fabs((double)y[0][i] - y[1][i]));
    for (int i = 0; i < ROWS * IN; i++)
        CHECK_NEAR(dx[1][i], dx[0][i], 0.02);
    for (int i = 0; i < OUT * IN; i++)
        CHECK_NEAR(dweight[1][i], dweight[0][i], 0.02);
    CHECK(memcmp(dbias[0], dbias[1], sizeof dbias[0]) == 0);
    CHECK(far > 1e-5 && far < 0.02);
    free(x), free(weight), free(bias), free(dy);
}

static const unit_case cases[] = {
    {"sums of rounded factors at every level", every_level},
    {"a row's bits are its own", own_bits},
    {"what is no number stays in its row", not_a_number},
    {"every allocation and poll may fail", faults},
    {"a layer of rounded factors", layer},
};

UNIT_MAIN(cases)
