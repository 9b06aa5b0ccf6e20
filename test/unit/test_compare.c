/*
 * test_compare.c - tests of paired predictions against scipy 1.17 (binomtest, chi2, norm), and
 * percentiles against numpy's.
 */
#include "metrics/compare.h"

#include "fake.h"
#include "unit.h"

static void
equal_scipy(void)
{
    const lm_paired many = {.rows = 400, .only_a = 40, .only_b = 66, .both = 272};
    const lm_paired few = {.rows = 40, .only_a = 2, .only_b = 6, .both = 30};
    const lm_paired none = {.rows = 10, .both = 10}, empty = {0};
    lm_test test = lm_mcnemar(&many);

    CHECK_NEAR(test.value, 5.89622641509434, 1e-13);
    CHECK_NEAR(test.p, 0.0151733597505563, 1e-14);
    test = lm_mcnemar(&few);
    CHECK_NEAR(test.value, 2, 0);
    CHECK_NEAR(test.p, 0.2890625, 1e-15);
    CHECK_NEAR(lm_mcnemar(&(lm_paired){.rows = 4, .only_a = 2, .only_b = 2}).p, 1, 0);
    test = lm_mcnemar(&none);
    CHECK(isnan(test.value) && isnan(test.p));
    test = lm_two_proportions(&many);
    CHECK_NEAR(test.value, 2.35513623102076, 1e-13);
    CHECK_NEAR(test.p, 0.0185159161249612, 1e-14);
    CHECK(isnan(lm_two_proportions(&none).p));
    CHECK(isnan(lm_two_proportions(&empty).p));
}

/* 20,000 resamples of numpy have .0117. */
static void
draws_rows(void)
{
    const lm_paired many = {.rows = 400, .only_a = 40, .only_b = 66, .both = 272}, empty = {0};
    fake_memory memory = {0};
    lm_test test, again, other;
    lm_context ctx;

    fake_context(&ctx, &memory);
    CHECK_OK(&ctx, lm_paired_bootstrap(&ctx, &many, 5000, 1, &test));
    CHECK_NEAR(test.value, 0.065, 1e-15);
    CHECK_NEAR(test.p, 0.0117, 0.005);
    CHECK_OK(&ctx, lm_paired_bootstrap(&ctx, &many, 5000, 1, &again));
    CHECK(again.p == test.p);
    CHECK_OK(&ctx, lm_paired_bootstrap(&ctx, &many, 5000, 2, &other));
    CHECK(other.p != test.p);
    CHECK_OK(&ctx, lm_paired_bootstrap(&ctx, &empty, 10, 1, &test));
    CHECK(isnan(test.p));
    memory = (fake_memory){.stop_at = 3};
    CHECK_EQ_INT(lm_paired_bootstrap(&ctx, &many, 3000, 1, &test), LM_CANCELLED);
}

/*
 * Rows without number take no more steps. The gain is nearly normal there: its deviation is the
 * root of what differs, and p that of both sides beyond the mean.
 */
static void
draws_of_many_rows(void)
{
    const lm_paired rows = {
        .rows = 4000000000u, .only_a = 1000000, .only_b = 1002000, .both = 1000000000};
    const lm_paired even = {.rows = 100000, .only_a = 30000, .only_b = 30000};
    const lm_paired equal = {.rows = 1000, .both = 900}, one = {.rows = 500, .only_b = 500};
    lm_context ctx;
    lm_test test;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_paired_bootstrap(&ctx, &rows, 20000, 1, &test));
    CHECK_NEAR(test.p, erfc(2000 / sqrt(2002000) / sqrt(2)), 0.01);
    CHECK_OK(&ctx, lm_paired_bootstrap(&ctx, &even, 20000, 1, &test));
    CHECK(test.p > 0.97);
    CHECK_OK(&ctx, lm_paired_bootstrap(&ctx, &equal, 100, 1, &test));
    CHECK_NEAR(test.p, 1, 0);
    CHECK_OK(&ctx, lm_paired_bootstrap(&ctx, &one, 99, 1, &test));
    CHECK_NEAR(test.p, 0.02, 1e-12);
}

static void
percentiles(void)
{
    static const double values[] = {1, 2, 4, 8};

    CHECK_NEAR(lm_percentile(values, 4, 0), 1, 0);
    CHECK_NEAR(lm_percentile(values, 4, .5), 3, 1e-15);
    CHECK_NEAR(lm_percentile(values, 4, .9), 6.8, 1e-14);
    CHECK_NEAR(lm_percentile(values, 4, 1), 8, 0);
    CHECK_NEAR(lm_percentile(values, 1, .025), 1, 0);
}

static const unit_case cases[] = {
    {"paired tests equal scipy's", equal_scipy},
    {"paired bootstrap draws rows", draws_rows},
    {"paired bootstrap draws of many rows", draws_of_many_rows},
    {"percentiles", percentiles},
};

UNIT_MAIN(cases)
