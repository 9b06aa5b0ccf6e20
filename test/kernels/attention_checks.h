/*
 * attention_checks.h - attention of any level and precision against its reference, and its laws.
 *
 * Where a kernel rounds to bfloat16 the reference has inputs rounded in the same way, and the
 * rounding of the softmax's numbers is in the bounds.
 */
#ifndef ATTENTION_CHECKS_H
#define ATTENTION_CHECKS_H

#include "kernels/bf16.h"

#include "harness.h"

static const lm_attention_kernel *attention; /* under test */
/* What it is allowed: see lm_attention_kernel. */
static enum { ATTENTION_EXACT, ATTENTION_ROUGH, ATTENTION_ROUNDS } attention_kind;
static const char *const attention_kinds[] = {"fp32", "rough", "bf16"};

typedef struct text {
    lm_attention args;
    size_t scratch_floats;
    output out;
} text;

static text
make_text(size_t tokens, size_t heads, size_t head_dim)
{
    size_t width = heads * head_dim, ld = 3 * width + 1;
    float *qkv = normals((tokens - 1) * ld + 3 * width);
    text t = {.out = make_output(tokens, width, 3)};

    t.scratch_floats = attention->scratch_size(tokens, head_dim) / sizeof(float);
    t.args = (lm_attention){.tokens = tokens,
                            .heads = heads,
                            .head_dim = head_dim,
                            .queries = tokens,
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

/* The same inputs as the kernel sees them: in bfloat16, key times scale · log₂e. */
static lm_attention
as_seen(const lm_attention *args)
{
    lm_attention seen = *args;
    size_t width = args->heads * args->head_dim, ld = 3 * width;
    float *qkv = array(args->tokens * ld), factor = args->scale * (float)M_LOG2E;

    if (attention_kind != ATTENTION_ROUNDS)
        return seen;
    for (size_t i = 0; i < args->tokens; i++)
        for (size_t j = 0; j < width; j++) {
            float *row = qkv + i * ld + j;

            row[0] = lm_bf16_to(lm_bf16_from(args->q[i * args->ld + j]));
            row[width] = lm_bf16_to(lm_bf16_from(args->k[i * args->ld + j] * factor));
            row[2 * width] = lm_bf16_to(lm_bf16_from(args->v[i * args->ld + j]));
        }
    seen.q = qkv;
    seen.k = qkv + width;
    seen.v = qkv + 2 * width;
    seen.ld = ld;
    seen.scale = (float)M_LN2;
    return seen;
}

static void
compare_attention(size_t tokens, size_t heads, size_t head_dim, measure *error)
{
    text t = make_text(tokens, heads, head_dim);
    lm_attention wanted = as_seen(&t.args);
    size_t width = heads * head_dim;

    wanted.out = array(tokens * width);
    wanted.ldo = width;
    wanted.scratch = array(2 * tokens);
    attention->run(&t.args);
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
    measure errors[] = {{"attention: |error|, values N(0, 1)", 5e-6, 1.5e-5, 0},
                        {"attention, rough: |error|, values N(0, 1)", 2e-4, 4e-4, 0},
                        {"attention in bf16: |error|, values N(0, 1)", 5e-3, 1e-2, 0}};
    measure *error = &errors[attention_kind];

    for (size_t i = 0; i < sizeof(tokens) / sizeof(*tokens); i++)
        for (size_t j = 0; j < sizeof(head_dims) / sizeof(*head_dims); j++)
            compare_attention(tokens[i], 1 + (i + j) % 3, head_dims[j], error);
    compare_attention(1536, 1, 32, error);
    judge(error);
}

/* At the limit of 8192 tokens: queries are sampled by giving the reference those rows only. */
static void
check_attention_long(void)
{
    const size_t tokens = 8192, head_dim = 16;
    measure errors[] = {{"attention, 8192 tokens: |error|", 1e-6, 1e-5, 0},
                        {"attention, rough, 8192 tokens: |error|", 2e-5, 1e-4, 0},
                        {"attention in bf16, 8192 tokens: |error|", 5e-4, 2e-3, 0}};
    measure *error = &errors[attention_kind];
    text t = make_text(tokens, 1, head_dim);
    lm_attention wanted = as_seen(&t.args);
    const float *queries = wanted.q;
    float *out = array(head_dim);

    CHECK(t.scratch_floats * sizeof(float) < 4 * 1024 * 1024);
    attention->run(&t.args);
    wanted.queries = 1;
    wanted.out = out;
    wanted.scratch = array(2 * tokens);
    for (size_t i = 0; i < tokens; i += 1117) {
        wanted.q = queries + i * wanted.ld;
        lm_attention_f32_ref(&wanted);
        for (size_t d = 0; d < head_dim; d++)
            record(error, fabs((double)t.out.x[i * t.out.ld + d] - out[d]));
    }
    judge(error);
    free_arrays();
}

/* The same text at another stride, beside other heads and at another address. */
static void
check_attention_bits(void)
{
    const size_t tokens = 77, head_dim = 32;
    text t = make_text(tokens, 3, head_dim);
    lm_attention alone = t.args;
    float *packed[3];

    attention->run(&t.args);
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
    attention->run(&alone);
    for (size_t i = 0; i < tokens; i++)
        CHECK(!bits_differ(alone.out + i * head_dim, t.out.x + i * t.out.ld + head_dim, head_dim));
    free_arrays();
}

/* One query has the bits that it has among all. */
static void
check_attention_one_query(void)
{
    const size_t tokens = 77, head_dim = 32;
    text t = make_text(tokens, 3, head_dim);
    lm_attention one = t.args;

    attention->run(&t.args);
    one.queries = 1;
    one.q = t.args.q + 51 * t.args.ld;
    one.out = array(3 * head_dim);
    attention->run(&one);
    CHECK(!bits_differ(one.out, t.out.x + 51 * t.out.ld, 3 * head_dim));
    free_arrays();
}

static void
check_attention_nan(void)
{
    text t = make_text(40, 2, 16);
    size_t wrong = 0;

    ((float *)t.args.k)[39 * t.args.ld + 16] = NAN; /* last token, second head */
    attention->run(&t.args);
    for (size_t i = 0; i < 40; i++)
        for (size_t j = 0; j < 32; j++)
            wrong += !isnan(t.out.x[i * t.out.ld + j]) != (j < 16);
    CHECK_EQ_INT(wrong, 0);
    free_arrays();
}

static const unit_case attention_cases[] = {
    {"attention", check_attention},
    {"attention long", check_attention_long},
    {"attention has its bits", check_attention_bits},
    {"attention of one query", check_attention_one_query},
    {"attention NaN", check_attention_nan},
};

/* All cases for one kernel; returns how many failed. */
static int
run_attention_cases(const char *level, const lm_attention_kernel *tested, int kind,
                    const char *word)
{
    char prefix[48];

    attention = tested;
    attention_kind = kind;
    snprintf(prefix, sizeof(prefix), "%s %s", level, attention_kinds[kind]);
    return run_cases(prefix, attention_cases, sizeof(attention_cases) / sizeof(*attention_cases),
                     word);
}

#endif
