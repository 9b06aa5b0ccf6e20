/*
 * test_lbfgs.c - the optimizer on functions whose minimum is known.
 */
#include "train/lbfgs.h"

#include "unit.h"

typedef struct valley {
    int evaluations, stop_after, fail_after;
    double last_value;
    bool rose;
} valley;

/* Rosenbrock's function of n/2 independent valleys; minimum 0 at (1, …, 1). */
static lm_status
rosenbrock(void *opaque, const double *x, double *value, double *gradient)
{
    valley *v = opaque;

    if (v->fail_after && ++v->evaluations > v->fail_after)
        return LM_CANCELLED;
    *value = 0;
    for (int i = 0; i < 10; i += 2) {
        double a = 1 - x[i], b = x[i + 1] - x[i] * x[i];

        *value += a * a + 100 * b * b;
        gradient[i] = -2 * a - 400 * x[i] * b;
        gradient[i + 1] = 200 * b;
    }
    return LM_OK;
}

/* −log x in a bowl: infinite or NaN left of 0, minimum at 1. */
static lm_status
barrier(void *opaque, const double *x, double *value, double *gradient)
{
    *value = x[0] - log(x[0]);
    gradient[0] = 1 - 1 / x[0];
    return LM_OK;
}

static lm_status
watch(void *opaque, int step, const double *x, double value, bool *stop)
{
    valley *v = opaque;

    v->rose |= step > 1 && value > v->last_value;
    v->last_value = value;
    *stop = v->stop_after && step == v->stop_after;
    return LM_OK;
}

static lm_lbfgs_problem
problem_of(valley *v, int max_steps)
{
    return (lm_lbfgs_problem){.n = 10,
                              .evaluate = rosenbrock,
                              .stepped = watch,
                              .opaque = v,
                              .max_steps = max_steps,
                              .gradient_tolerance = 1e-8};
}

static void
finds_minimum(void)
{
    lm_context ctx;
    valley v = {0};
    lm_lbfgs_problem problem = problem_of(&v, 500);
    lm_lbfgs_result result;
    double x[10] = {-1.2, 1, 0, 0, 3, -3, 5, 5, -1, -1};

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_lbfgs_minimize(&ctx, &problem, x, &result));
    for (int i = 0; i < 10; i++)
        CHECK_NEAR(x[i], 1, 1e-5);
    CHECK_EQ_INT(result.end, LM_LBFGS_CONVERGED);
    CHECK(!v.rose);
    CHECK(result.evaluations < 3 * result.steps + 10);
}

static void
same_bits(void)
{
    lm_context ctx;
    double x[2][10] = {{-1.2, 1, 0, 0, 3, -3, 5, 5, -1, -1}};

    lm_context_init(&ctx);
    memcpy(x[1], x[0], sizeof x[0]);
    for (int run = 0; run < 2; run++) {
        valley v = {0};
        lm_lbfgs_problem problem = problem_of(&v, 20);
        lm_lbfgs_result result;

        CHECK_OK(&ctx, lm_lbfgs_minimize(&ctx, &problem, x[run], &result));
        CHECK_EQ_INT(result.end, LM_LBFGS_MAX_STEPS);
        CHECK_EQ_INT(result.steps, 20);
    }
    CHECK(memcmp(x[0], x[1], sizeof x[0]) == 0);
}

static void
stops_when_told(void)
{
    lm_context ctx;
    valley v = {.stop_after = 3};
    lm_lbfgs_problem problem = problem_of(&v, 500);
    lm_lbfgs_result result;
    double x[10] = {0};

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_lbfgs_minimize(&ctx, &problem, x, &result));
    CHECK_EQ_INT(result.end, LM_LBFGS_STOPPED);
    CHECK_EQ_INT(result.steps, 3);
    CHECK_NEAR(result.value, v.last_value, 0);
}

static void
passes_failures_on(void)
{
    lm_context ctx;

    lm_context_init(&ctx);
    for (int after = 1; after < 12; after++) {
        valley v = {.fail_after = after};
        lm_lbfgs_problem problem = problem_of(&v, 500);
        lm_lbfgs_result result;
        double x[10] = {0};

        CHECK_EQ_INT(lm_lbfgs_minimize(&ctx, &problem, x, &result), LM_CANCELLED);
    }
}

static void
survives_infinite_values(void)
{
    lm_context ctx;
    lm_lbfgs_problem problem = {
        .n = 1, .evaluate = barrier, .max_steps = 100, .gradient_tolerance = 1e-9};
    lm_lbfgs_result result;
    double x[1] = {0.01};

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_lbfgs_minimize(&ctx, &problem, x, &result));
    CHECK_NEAR(x[0], 1, 1e-6);
}

static const unit_case cases[] = {
    {"lbfgs finds the minimum and never rises", finds_minimum},
    {"lbfgs gives the same bits twice", same_bits},
    {"lbfgs stops when told", stops_when_told},
    {"lbfgs passes failures on", passes_failures_on},
    {"lbfgs survives infinite values", survives_infinite_values},
};

UNIT_MAIN(cases)
