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
static enum { ATTENTION_EXACT, ATTENTION_APPROX, ATTENTION_ROUNDS } attention_kind;
static const char *const attention_kinds[] = {"fp32", "approx", "bf16"};

typedef struct text {
    lm_attention args;
    size_t kv_width, scratch_floats;
    output out;
} text;

static text
make_grouped_text(size_t tokens, size_t heads, size_t kv_heads, size_t head_dim)
{
    size_t width = heads * head_dim, kv_width = kv_heads * head_dim, ld = width + 2 * kv_width + 1;
    float *qkv = normals(tokens * ld - 1);
    text t = {.kv_width = kv_width, .out = make_output(tokens, width, 3)};

    t.scratch_floats = attention->scratch_size(tokens, head_dim) / sizeof(float);
    t.args = (lm_attention){.queries = tokens,
                            .keys = tokens,
                            .heads = heads,
                            .kv_heads = kv_heads,
                            .head_dim = head_dim,
                            .q = qkv,
                            .ldq = ld,
                            .k = qkv + width,
                            .v = qkv + width + kv_width,
                            .ldkv = ld,
                            .scale = (float)(2 / sqrt((double)head_dim)),
                            .out = t.out.x,
                            .ldo = t.out.ld,
                            .scratch = array(t.scratch_floats)};
    /* What an earlier call left there must not matter: NaNs do their worst. */
    fill_guard(t.args.scratch, t.scratch_floats);
    CHECK_EQ_INT((uintptr_t)t.args.scratch % LM_ALIGNMENT, 0);
    return t;
}

static text
make_text(size_t tokens, size_t heads, size_t head_dim)
{
    return make_grouped_text(tokens, heads, heads, head_dim);
}

/* Rows of `width` numbers times factor, in bfloat16, without gaps. */
static const float *
rounded_rows(const float *x, size_t ld, size_t rows, size_t width, float factor)
{
    float *out = array(rows * width);

    for (size_t i = 0; i < rows * width; i++)
        out[i] = lm_bf16_to(lm_bf16_from(x[i / width * ld + i % width] * factor));
    return out;
}

/* The same inputs as the kernel sees them: in bfloat16, key times scale · log₂e. */
static lm_attention
as_seen(const text *t)
{
    lm_attention seen = t->args;
    size_t width = seen.heads * seen.head_dim;

    if (attention_kind != ATTENTION_ROUNDS)
        return seen;
    seen.q = rounded_rows(seen.q, seen.ldq, seen.queries, width, 1);
    seen.k = rounded_rows(seen.k, seen.ldkv, seen.keys, t->kv_width, seen.scale * (float)M_LOG2E);
    seen.v = rounded_rows(seen.v, seen.ldkv, seen.keys, t->kv_width, 1);
    seen.ldq = width;
    seen.ldkv = t->kv_width;
    seen.scale = (float)M_LN2;
    return seen;
}

static void
compare_text(text *t, measure *error)
{
    lm_attention wanted = as_seen(t);
    size_t width = wanted.heads * wanted.head_dim;

    wanted.out = array(wanted.queries * width);
    wanted.ldo = width;
    wanted.scratch = array(2 * wanted.keys);
    attention->run(&t->args);
    lm_attention_f32_ref(&wanted);
    for (size_t i = 0; i < wanted.queries; i++)
        for (size_t j = 0; j < width; j++)
            record(error, fabs((double)t->out.x[i * t->out.ld + j] - wanted.out[i * width + j]));
    CHECK_EQ_INT(guards_broken(&t->out), 0);
    free_arrays();
}

static void
compare_attention(size_t tokens, size_t heads, size_t head_dim, measure *error)
{
    text t = make_text(tokens, heads, head_dim);

    compare_text(&t, error);
}

static void
check_attention(void)
{
    static const size_t tokens[] = {1, 2, 3, 5, 17, 24, 33, 63, 64, 65, 100, 384};
    static const size_t head_dims[] = {32, 64, 1, 3, 17, 80, 100, 16};
    /* Scores reach 30, whose last place is 2e-6: so far is any fp32 from the truth. */
    measure errors[] = {{"attention: |error|, values N(0, 1)", 5e-6, 1.5e-5, 0},
                        {"attention, approx: |error|, values N(0, 1)", 2e-4, 4e-4, 0},
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
                        {"attention, approx, 8192 tokens: |error|", 2e-5, 1e-4, 0},
                        {"attention in bf16, 8192 tokens: |error|", 5e-4, 2e-3, 0}};
    measure *error = &errors[attention_kind];
    text t = make_text(tokens, 1, head_dim);
    lm_attention wanted = as_seen(&t);
    const float *queries = wanted.q;
    float *out = array(head_dim);

    CHECK(t.scratch_floats * sizeof(float) < 4 * 1024 * 1024);
    attention->run(&t.args);
    wanted.queries = 1;
    wanted.out = out;
    wanted.scratch = array(2 * tokens);
    for (size_t i = 0; i < tokens; i += 1117) {
        wanted.q = queries + i * wanted.ldq;
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
            memcpy(packed[part] + i * head_dim, from + i * t.args.ldkv, head_dim * sizeof(float));
    }
    alone.heads = alone.kv_heads = 1;
    alone.q = packed[0];
    alone.k = packed[1];
    alone.v = packed[2];
    alone.ldq = alone.ldkv = alone.ldo = head_dim;
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
    one.q = t.args.q + 51 * t.args.ldq;
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

    ((float *)t.args.k)[39 * t.args.ldkv + 16] = NAN; /* last token, second head */
    attention->run(&t.args);
    for (size_t i = 0; i < 40; i++)
        for (size_t j = 0; j < 32; j++)
            wrong += !isnan(t.out.x[i * t.out.ld + j]) != (j < 16);
    CHECK_EQ_INT(wrong, 0);
    free_arrays();
}

/* ---- masks, bias, shared heads ---- */

static const struct {
    lm_mask mask;
    size_t window;
} masks[] = {{LM_MASK_FULL, 0},    {LM_MASK_CAUSAL, 0},    {LM_MASK_CAUSAL, 1},
             {LM_MASK_CAUSAL, 37}, {LM_MASK_WINDOW, 0},    {LM_MASK_WINDOW, 1},
             {LM_MASK_WINDOW, 37}, {LM_MASK_WINDOW, 1000}, {LM_MASK_CAUSAL, 1000}};
enum { MASKS = sizeof(masks) / sizeof(*masks) };

static measure
masked_error(void)
{
    static const measure errors[] = {
        {"attention, masked: |error|, values N(0, 1)", 5e-6, 1.5e-5, 0},
        {"attention, approx, masked: |error|", 2e-4, 4e-4, 0},
        {"attention in bf16, masked: |error|", 1e-2, 2e-2, 0}};

    return errors[attention_kind];
}

static void
check_attention_masks(void)
{
    static const size_t tokens[] = {1, 2, 3, 17, 33, 48, 65, 100, 301};
    measure error = masked_error();

    for (size_t m = 0; m < MASKS; m++)
        for (size_t i = 0; i < sizeof(tokens) / sizeof(*tokens); i++) {
            text t = make_text(tokens[i], 2, 17 + 15 * (i % 2));

            t.args.mask = masks[m].mask;
            t.args.window = masks[m].window;
            compare_text(&t, &error);
        }
    judge(&error);
}

/* As behind keys that were kept from earlier calls: the last queries of a text only. */
static void
check_attention_later_queries(void)
{
    measure error = masked_error();

    for (size_t m = 0; m < MASKS; m++)
        for (size_t first = 1; first < 90; first += 29) {
            text t = make_text(91, 2, 32);

            t.args.mask = masks[m].mask;
            t.args.window = masks[m].window;
            t.args.first_query = first;
            t.args.queries -= first;
            compare_text(&t, &error);
        }
    judge(&error);
}

/* A query of a masked text has the bits that it has among all. */
static void
check_attention_masked_query(void)
{
    const size_t head_dim = 32, at = 151;

    for (size_t m = 0; m < MASKS; m++) {
        text t = make_text(200, 2, head_dim);
        lm_attention one;

        t.args.mask = masks[m].mask;
        t.args.window = masks[m].window;
        attention->run(&t.args);
        one = t.args;
        one.queries = 1;
        one.first_query = at;
        one.q += at * one.ldq;
        one.out = array(2 * head_dim);
        attention->run(&one);
        CHECK(!bits_differ(one.out, t.out.x + at * t.out.ld, 2 * head_dim));
        free_arrays();
    }
}

/* A bias of every query and key in every head, and one by distance. */
static void
check_attention_bias(void)
{
    const size_t tokens = 75, heads = 3;
    measure error = masked_error();

    for (size_t m = 0; m < MASKS; m++)
        for (int by_distance = 0; by_distance < 2; by_distance++) {
            text t = make_text(tokens, heads, 19);

            t.args.mask = masks[m].mask;
            t.args.window = masks[m].window;
            t.args.bias_head = (ptrdiff_t)(by_distance ? 2 * tokens - 1 : tokens * tokens);
            t.args.bias_ld = by_distance ? -1 : (ptrdiff_t)tokens;
            t.args.bias =
                normals(heads * (size_t)t.args.bias_head) + (by_distance ? tokens - 1 : 0);
            compare_text(&t, &error);
        }
    judge(&error);
}

/* Heads of keys and values that several heads of queries share. */
static void
check_attention_grouped(void)
{
    static const size_t heads[][2] = {{4, 1}, {4, 2}, {6, 2}, {3, 3}};
    measure error = masked_error();

    for (size_t h = 0; h < sizeof(heads) / sizeof(*heads); h++)
        for (size_t m = 0; m < MASKS; m++) {
            text t = make_grouped_text(53, heads[h][0], heads[h][1], 32);

            t.args.mask = masks[m].mask;
            t.args.window = masks[m].window;
            compare_text(&t, &error);
        }
    judge(&error);
}

static const unit_case attention_cases[] = {
    {"attention", check_attention},
    {"attention long", check_attention_long},
    {"attention has its bits", check_attention_bits},
    {"attention of one query", check_attention_one_query},
    {"attention NaN", check_attention_nan},
    {"attention under masks", check_attention_masks},
    {"attention of later queries", check_attention_later_queries},
    {"attention of one masked query", check_attention_masked_query},
    {"attention with a bias", check_attention_bias},
    {"attention of shared heads", check_attention_grouped},
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
