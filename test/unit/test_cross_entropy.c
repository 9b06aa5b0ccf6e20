/*
 * test_cross_entropy.c - sums of log probabilities: rows, merges, what travels, and refusals.
 */
#include "metrics/cross_entropy.h"

#include "fake.h"
#include "unit.h"

static lm_status
add(void *counts, double log_probability, int64_t tokens)
{
    const lm_metric_value row[] = {{.number = log_probability}, {.whole = tokens}};

    return lm_token_losses.add(counts, row);
}

static double
result(void *counts)
{
    double value = 0;

    CHECK_EQ_INT(lm_cross_entropy_result(counts, NULL, &value), LM_OK);
    return value;
}

static void
sums_and_travels(void)
{
    fake_memory memory = {0};
    lm_context ctx;
    lm_buffer sent;
    void *a, *b;

    fake_context(&ctx, &memory);
    lm_buffer_init(&sent, &ctx);
    CHECK_OK(&ctx, lm_token_losses.create(&ctx, &a));
    CHECK_OK(&ctx, lm_token_losses.create(&ctx, &b));
    CHECK(isnan(result(a)));
    CHECK_OK(&ctx, add(a, -3, 2));
    CHECK_OK(&ctx, add(a, -1, 6));
    CHECK_NEAR(result(a), 0.5, 0);
    CHECK_OK(&ctx, lm_token_losses.write(a, &sent));
    CHECK_OK(&ctx, lm_token_losses.read(b, sent.data, sent.size));
    CHECK_OK(&ctx, lm_token_losses.merge(b, a, NULL));
    CHECK_OK(&ctx, add(b, -8, 0));
    CHECK_NEAR(result(b), 1, 0);
    CHECK_OK(&ctx, add(b, -INFINITY, 1));
    CHECK(isinf(result(b)));
    CHECK_EQ_INT(lm_token_losses.read(b, sent.data, sent.size - 1), LM_CORRUPT);
    lm_buffer_free(&sent);
    lm_token_losses.free(a);
    lm_token_losses.free(b);
    lm_token_losses.free(NULL);
    CHECK_EQ_INT(memory.live, 0);
}

static void
refuses(void)
{
    fake_memory memory = {.fail_at = 2};
    lm_context ctx;
    void *counts, *none;

    fake_context(&ctx, &memory);
    CHECK_OK(&ctx, lm_token_losses.create(&ctx, &counts));
    CHECK_EQ_INT(lm_token_losses.create(&ctx, &none), LM_NO_MEMORY);
    CHECK_EQ_INT(add(counts, NAN, 1), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(add(counts, -1, -1), LM_BAD_ARGUMENT);
    CHECK_OK(&ctx, add(counts, -1, INT64_MAX));
    CHECK_EQ_INT(add(counts, -1, 1), LM_TOO_LARGE);
    lm_token_losses.free(counts);
}

static const unit_case cases[] = {
    {"cross entropy sums and travels", sums_and_travels},
    {"cross entropy refuses", refuses},
};

UNIT_MAIN(cases)
