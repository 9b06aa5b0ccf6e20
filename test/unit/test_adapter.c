/*
 * test_adapter.c - maps between vectors of two models: what is known is found again, what is kept
 * out is measured, what cannot be fitted is refused.
 */
#include "search/adapter.h"
#include "base/rng.h"
#include "kernels/kernels.h"
#include "fake.h"
#include "unit.h"

#define COUNT 200
#define WIDTH 12

typedef struct texts {
    lm_adapter_texts view;
    float from[COUNT * WIDTH], to[COUNT * WIDTH], matrix[WIDTH * WIDTH];
} texts;

/* About normal: the sum of uniforms. */
static float
draw(lm_rng *rng)
{
    double sum = -3;

    for (int i = 0; i < 6; i++)
        sum += lm_rng_uniform(rng);
    return (float)sum;
}

/* Vectors of `from`, and what a matrix (to, from) makes of them, with some noise. */
static void
make_texts(texts *t, size_t to, const float *matrix, float noise)
{
    lm_rng rng;

    lm_rng_seed(&rng, 7);
    t->view = (lm_adapter_texts){COUNT, WIDTH, to, t->from, t->to};
    for (int i = 0; i < COUNT * WIDTH; i++)
        t->from[i] = draw(&rng);
    for (size_t i = 0; i < COUNT; i++) {
        lm_adapter_apply(to, WIDTH, matrix, t->from + i * WIDTH, t->to + i * to);
        for (size_t j = 0; j < to; j++)
            t->to[i * to + j] += noise * draw(&rng);
    }
}

/* A reflection (Householder) along 1, 2, 3, …: orthogonal, and no multiple of the identity. */
static void
make_rotation(float *matrix)
{
    const float norm = WIDTH * (WIDTH + 1) * (2 * WIDTH + 1) / 6;

    for (int i = 0; i < WIDTH; i++)
        for (int j = 0; j < WIDTH; j++)
            matrix[i * WIDTH + j] = (float)(i == j) - 2 * (float)((i + 1) * (j + 1)) / norm;
}

static void
make_identity(float *matrix)
{
    for (int i = 0; i < WIDTH * WIDTH; i++)
        matrix[i] = i % (WIDTH + 1) == 0;
}

static void
check_orthogonal(const float *matrix)
{
    for (int i = 0; i < WIDTH; i++)
        for (int j = 0; j < WIDTH; j++) {
            double sum = 0;

            for (int k = 0; k < WIDTH; k++)
                sum += matrix[i * WIDTH + k] * matrix[j * WIDTH + k];
            CHECK_NEAR(sum, i == j, 1e-3); /* where the iteration ends */
        }
}

static void
test_identity(void)
{
    static texts t;
    lm_context ctx;
    lm_adapter_result result;
    float matrix[WIDTH * WIDTH];

    lm_context_init(&ctx);
    make_identity(matrix);
    make_texts(&t, WIDTH, matrix, 0);
    CHECK_OK(&ctx, lm_adapter_fit(&ctx, &t.view, t.matrix, &result));
    CHECK_STR(lm_adapter_kind_name(result.kind), "identity");
    CHECK(memcmp(t.matrix, matrix, sizeof matrix) == 0);
    CHECK_NEAR(result.recall, 1, 0);
    CHECK_NEAR(result.unmapped, 1, 0);
    CHECK_EQ_INT(result.fitted, COUNT * 8 / 10);
    CHECK_EQ_INT(result.held_out, COUNT / 10);
}

static void
test_rotation(void)
{
    static texts t;
    lm_context ctx;
    lm_adapter_result result;
    float matrix[WIDTH * WIDTH];

    lm_context_init(&ctx);
    make_rotation(matrix);
    make_texts(&t, WIDTH, matrix, 0);
    CHECK_OK(&ctx, lm_adapter_fit(&ctx, &t.view, t.matrix, &result));
    CHECK_STR(lm_adapter_kind_name(result.kind), "rotation");
    for (int i = 0; i < WIDTH * WIDTH; i++)
        CHECK_NEAR(t.matrix[i], matrix[i], 1e-3);
    CHECK_NEAR(result.recall, 1, 0);
    CHECK(result.unmapped < .8);
    make_texts(&t, WIDTH, matrix, .05f); /* with noise it is orthogonal as before, or better */
    CHECK_OK(&ctx, lm_adapter_fit(&ctx, &t.view, t.matrix, &result));
    if (result.kind == LM_ADAPTER_ROTATION)
        check_orthogonal(t.matrix);
    CHECK(result.recall > .7 && result.recall > result.unmapped);
}

/* Into fewer numbers than there were: what made them is found. */
static void
test_linear(void)
{
    static texts t;
    lm_context ctx;
    lm_adapter_result result;
    float matrix[WIDTH * WIDTH];

    lm_context_init(&ctx);
    make_rotation(matrix);
    make_texts(&t, WIDTH - 2, matrix, 0);
    CHECK_OK(&ctx, lm_adapter_fit(&ctx, &t.view, t.matrix, &result));
    CHECK_STR(lm_adapter_kind_name(result.kind), "linear");
    for (int i = 0; i < (WIDTH - 2) * WIDTH; i++)
        CHECK_NEAR(t.matrix[i], matrix[i], .01);
    CHECK_NEAR(result.unmapped, -1, 0);
    CHECK(result.recall > .3);
}

/* Vectors of one length that are all alike, or zero, have a map too. */
static void
test_degenerate(void)
{
    static texts t;
    lm_context ctx;
    lm_adapter_result result;
    float matrix[WIDTH * WIDTH] = {0};

    lm_context_init(&ctx);
    make_texts(&t, WIDTH, matrix, 0); /* to zeros */
    CHECK_OK(&ctx, lm_adapter_fit(&ctx, &t.view, t.matrix, &result));
    CHECK(result.recall >= 0 && result.recall <= 1);
    memset(t.from, 0, sizeof t.from);
    t.view.to_width = WIDTH - 1;
    CHECK_EQ_INT(lm_adapter_fit(&ctx, &t.view, t.matrix, &result), LM_BAD_ARGUMENT);
}

static void
test_refused(void)
{
    static texts t;
    lm_context ctx;
    lm_adapter_result result;
    float matrix[WIDTH * WIDTH];

    lm_context_init(&ctx);
    make_identity(matrix);
    make_texts(&t, WIDTH, matrix, 0);
    t.view.count = LM_ADAPTER_LEAST - 1;
    CHECK_EQ_INT(lm_adapter_fit(&ctx, &t.view, t.matrix, &result), LM_BAD_ARGUMENT);
    t.view.count = LM_ADAPTER_LEAST;
    CHECK_OK(&ctx, lm_adapter_fit(&ctx, &t.view, t.matrix, &result));
    t.from[3] = NAN;
    CHECK_EQ_INT(lm_adapter_fit(&ctx, &t.view, t.matrix, &result), LM_BAD_ARGUMENT);
    t.from[3] = 0;
    t.to[3] = INFINITY;
    CHECK_EQ_INT(lm_adapter_fit(&ctx, &t.view, t.matrix, &result), LM_BAD_ARGUMENT);
}

/* Each allocation fails in turn, each poll cancels, and nothing stays. */
static void
test_faults(void)
{
    static texts t;
    fake_memory memory = {0};
    lm_context ctx;
    lm_adapter_result result;
    float matrix[WIDTH * WIDTH];
    int calls, polls;

    fake_context(&ctx, &memory);
    make_rotation(matrix);
    make_texts(&t, WIDTH, matrix, .1f);
    CHECK_OK(&ctx, lm_adapter_fit(&ctx, &t.view, t.matrix, &result));
    calls = memory.calls;
    polls = memory.polls;
    CHECK(calls > 0 && polls > 0);
    for (int i = 1; i <= calls; i++) {
        memory = (fake_memory){.fail_at = i};
        CHECK_EQ_INT(lm_adapter_fit(&ctx, &t.view, t.matrix, &result), LM_NO_MEMORY);
        CHECK_EQ_INT(memory.live, 0);
    }
    for (int i = 1; i <= polls; i++) {
        memory = (fake_memory){.stop_at = i};
        CHECK_EQ_INT(lm_adapter_fit(&ctx, &t.view, t.matrix, &result), LM_CANCELLED);
        CHECK_EQ_INT(memory.live, 0);
    }
}

static const unit_case cases[] = {
    {"identity", test_identity},     {"rotation", test_rotation}, {"linear", test_linear},
    {"degenerate", test_degenerate}, {"refused", test_refused},   {"faults", test_faults},
};

UNIT_MAIN(cases)
