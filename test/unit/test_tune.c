/*
 * test_tune.c - searches for the best values: all of a grid, the same values by seed, a known
 * optimum, finite spaces, the median rule, every failing allocation.
 */
#include <math.h>

#include "train/tune.h"
#include "fake.h"
#include "unit.h"

static const lm_tune_dimension space[] = {
    {.kind = LM_TUNE_REAL, .choices = 5, .low = 1e-4, .high = 1e2, .log = true},
    {.kind = LM_TUNE_WHOLE, .choices = 3, .low = 1, .high = 9},
    {.kind = LM_TUNE_CHOICE, .choices = 4},
};

#define DIMENSIONS 3

/* Least at .03, 6 and the third choice. */
static double
score_of(const double *values)
{
    const double x = log10(values[0] / 0.03), y = (values[1] - 6) / 4;

    return x * x / 4 + y * y + (values[2] == 2 ? 0 : 0.7);
}

/* The best score of so many trials. */
static double
search_for(const char *name, uint64_t seed, size_t trials)
{
    lm_context ctx;
    lm_tune tune;
    double values[DIMENSIONS], best;
    bool more;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_tune_open(&tune, &ctx, space, DIMENSIONS, lm_tune_search_find(name), seed));
    for (size_t i = 0; i < trials; i++) {
        CHECK_OK(&ctx, lm_tune_next(&tune, values, &more));
        CHECK(more && values[0] >= 1e-4 && values[0] <= 1e2);
        CHECK(values[1] >= 1 && values[1] <= 9 && values[1] == floor(values[1]));
        CHECK(values[2] >= 0 && values[2] <= 3 && values[2] == floor(values[2]));
        CHECK_OK(&ctx, lm_tune_tell(&tune, values, i == 3 ? NAN : score_of(values), true));
    }
    best = tune.scores[lm_tune_best(&tune)];
    lm_tune_close(&tune);
    return best;
}

/* Over seeds: TPE is nearer to the optimum than chance, and near it. */
static void
optimum(void)
{
    double chance = 0, learnt = 0;

    for (uint64_t seed = 0; seed < 40; seed++) {
        chance += search_for("random", seed, 60) / 40;
        learnt += search_for("tpe", seed, 60) / 40;
    }
    CHECK(learnt < 0.4 * chance);
    CHECK(learnt < 0.04);
    CHECK(search_for("tpe", 7, 40) == search_for("tpe", 7, 40));
    CHECK(search_for("tpe", 7, 40) != search_for("tpe", 8, 40));
}

static void
grid(void)
{
    lm_context ctx;
    lm_tune tune;
    double values[DIMENSIONS], sum = 0;
    bool more = true;
    int count = 0;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_tune_open(&tune, &ctx, space, DIMENSIONS, lm_tune_search_find("grid"), 1));
    for (;; count++) {
        CHECK_OK(&ctx, lm_tune_next(&tune, values, &more));
        if (!more)
            break;
        if (count == 0)
            CHECK(values[0] == 1e-4 && values[1] == 1 && values[2] == 0);
        sum += values[1];
    }
    CHECK_EQ_INT(count, 5 * 3 * 4);
    CHECK(sum == 20 * (1 + 5 + 9));
    lm_tune_close(&tune);
}

/* Six combinations, and no more; nothing twice. */
static void
finite_space(void)
{
    static const lm_tune_dimension few[] = {
        {.kind = LM_TUNE_CHOICE, .choices = 2},
        {.kind = LM_TUNE_WHOLE, .choices = 5, .low = 3, .high = 5}};

    for (const lm_tune_search *search = lm_tune_searches; search->name; search++) {
        lm_context ctx;
        lm_tune tune;
        double values[2];
        bool more = true;
        size_t count = 0;

        lm_context_init(&ctx);
        CHECK_OK(&ctx, lm_tune_open(&tune, &ctx, few, 2, search, 5));
        for (;;) {
            CHECK_OK(&ctx, lm_tune_next(&tune, values, &more));
            if (!more)
                break;
            CHECK_OK(&ctx, lm_tune_tell(&tune, values, NAN, false));
            count++;
        }
        CHECK_EQ_INT(count, 6);
        CHECK(lm_tune_best(&tune) == SIZE_MAX);
        lm_tune_close(&tune);
    }
    CHECK(lm_tune_search_find("annealing") == NULL);
}

/* The fifth trial is compared with the median of four, at its own report, from the fourth on. */
static void
median_rule(void)
{
    static const float of_trials[] = {1, 2, 3, 4};
    lm_context ctx;
    lm_tune tune;
    double values[DIMENSIONS];
    bool more;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_tune_open(&tune, &ctx, space, DIMENSIONS, lm_tune_search_find("random"), 1));
    for (int i = 0; i < 4; i++) {
        CHECK_OK(&ctx, lm_tune_next(&tune, values, &more));
        for (int step = 0; step < 6; step++)
            CHECK(!lm_tune_report(&tune, of_trials[i]));
        CHECK_OK(&ctx, lm_tune_tell(&tune, values, of_trials[i], true));
    }
    CHECK_OK(&ctx, lm_tune_next(&tune, values, &more));
    CHECK(!lm_tune_report(&tune, NAN));
    for (int step = 0; step < 3; step++)
        CHECK(!lm_tune_report(&tune, 9));
    CHECK(lm_tune_report(&tune, 3.5));
    CHECK(!lm_tune_report(&tune, 2.5));
    CHECK(!lm_tune_report(&tune, 9)); /* the best so far counts */
    CHECK_OK(&ctx, lm_tune_tell(&tune, values, 2.5, false));
    CHECK_EQ_INT(tune.curve_count, 4);
    CHECK_EQ_INT(lm_tune_best(&tune), 0);
    for (int step = 0; step < LM_TUNE_CURVE + 9; step++)
        CHECK(lm_tune_report(&tune, 2.5) == false);
    lm_tune_close(&tune);
}

static lm_status
run_faulty(lm_context *ctx)
{
    lm_tune tune;
    double values[DIMENSIONS];
    bool more;
    lm_status status = lm_tune_open(&tune, ctx, space, DIMENSIONS, &lm_tune_searches[0], 3);

    for (int i = 0; i < 20 && status == LM_OK; i++) {
        if ((status = lm_tune_next(&tune, values, &more)) == LM_OK) {
            lm_tune_report(&tune, 1);
            status = lm_tune_tell(&tune, values, score_of(values), true);
        }
    }
    lm_tune_close(&tune);
    return status;
}

static void
faults(void)
{
    lm_status status;
    int n = 0;

    do {
        fake_memory memory = {0};
        lm_context ctx;

        fake_context(&ctx, &memory);
        memory.fail_at = ++n;
        status = run_faulty(&ctx);
        CHECK(status == LM_OK || status == LM_NO_MEMORY);
        CHECK_EQ_INT(memory.live, 0);
    } while (status != LM_OK && n < 1000);
    CHECK(n > 10 && n < 1000);
    for (n = 1; n <= 20; n++) {
        fake_memory memory = {0};
        lm_context ctx;

        fake_context(&ctx, &memory);
        memory.stop_at = n;
        CHECK_EQ_INT(run_faulty(&ctx), LM_CANCELLED);
        CHECK_EQ_INT(memory.live, 0);
    }
}

static const unit_case cases[] = {{"optimum", optimum},
                                  {"grid", grid},
                                  {"finite space", finite_space},
                                  {"median rule", median_rule},
                                  {"faults", faults}};

UNIT_MAIN(cases)
