/*
 * lbfgs.c - limited-memory BFGS with a strong Wolfe line search. See lbfgs.h.
 *
 * All vectors of a run are one allocation of doubles and one of floats, made before the first
 * evaluation. `evaluate` polls cancel, and so does the recursion over the history.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "train/lbfgs.h"

/* Sufficient decrease and curvature; the values that Nocedal and Wright give for quasi-Newton. */
#define ARMIJO 1e-4
#define CURVATURE 0.9
#define MAX_TRIALS 20
/* Relative noise of a value whose sums run over float products; lower values are not told apart. */
#define VALUE_NOISE 1e-9

typedef struct solver {
    lm_context *ctx;
    const lm_lbfgs_problem *problem;
    double *x;              /* the accepted variables; the caller's */
    double *gradient;       /* at x */
    double *trial;          /* x + step · direction */
    double *trial_gradient; /* at trial */
    double *direction;
    float *steps;                       /* (LM_LBFGS_HISTORY, n): differences of x */
    float *changes;                     /* (LM_LBFGS_HISTORY, n): differences of the gradient */
    double curvature[LM_LBFGS_HISTORY]; /* step · change */
    int stored, newest;
    int evaluations;
    double value; /* at x */
} solver;

/* A point on the search line: value and derivative along the direction. */
typedef struct line_point {
    double step, value, slope;
} line_point;

/* The line search's bracket: `low` is the best point that satisfies Armijo's condition. */
typedef struct bracket {
    line_point low, high;
    bool closed; /* high is known */
} bracket;

static lm_status solver_open(lm_context *ctx, solver *s, const lm_lbfgs_problem *problem, double *x,
                             double **doubles, float **floats);
static lm_status run(solver *s, lm_lbfgs_result *result);
static bool is_flat(const solver *s);
static lm_status choose_direction(solver *s);
static double first_step(const solver *s);
static lm_status search_line(solver *s, double step, bool *found, line_point *accepted);
static bool closes_in(bracket *b, const line_point *start, const line_point *point);
static double next_step(const bracket *b);
static double cubic_minimum(const line_point *a, const line_point *b);
static lm_status try_step(solver *s, double step, line_point *point);
static void accept_trial(solver *s, const line_point *point);
static void remember(solver *s);
static double dot(size_t n, const double *a, const double *b);
static double dot_float(size_t n, const float *a, const double *b);
static void add_scaled(size_t n, double factor, const float *a, double *sum);

lm_status
lm_lbfgs_minimize(lm_context *ctx, const lm_lbfgs_problem *problem, double *x,
                  lm_lbfgs_result *result)
{
    solver s;
    double *doubles;
    float *floats;
    lm_status status = solver_open(ctx, &s, problem, x, &doubles, &floats);

    memset(result, 0, sizeof *result);
    if (status == LM_OK)
        status = run(&s, result);
    result->evaluations = s.evaluations;
    result->value = s.value;
    lm_free(ctx, floats);
    lm_free(ctx, doubles);
    return status;
}

/*
 * Allocate and lay out the vectors. What was had stays in *doubles and *floats for the caller to
 * free.
 */
static lm_status
solver_open(lm_context *ctx, solver *s, const lm_lbfgs_problem *problem, double *x,
            double **doubles, float **floats)
{
    size_t n = problem->n;

    memset(s, 0, sizeof *s);
    *floats = NULL;
    *doubles = lm_alloc_array(ctx, n, 4 * sizeof(double));
    if (*doubles)
        *floats = lm_alloc_array(ctx, n, 2 * LM_LBFGS_HISTORY * sizeof(float));
    if (!*floats)
        return LM_NO_MEMORY;
    s->ctx = ctx;
    s->problem = problem;
    s->x = x;
    s->gradient = *doubles;
    s->trial = *doubles + n;
    s->trial_gradient = *doubles + 2 * n;
    s->direction = *doubles + 3 * n;
    s->steps = *floats;
    s->changes = *floats + LM_LBFGS_HISTORY * n;
    return LM_OK;
}

/*
 * Steps until flat, until a step gains next to nothing, until told to stop, or until there are no
 * more.
 */
static lm_status
run(solver *s, lm_lbfgs_result *result)
{
    const lm_lbfgs_problem *problem = s->problem;
    bool stop = false;

    LM_TRY(problem->evaluate(problem->opaque, s->x, &s->value, s->gradient));
    s->evaluations = 1;
    while (result->steps < problem->max_steps && !is_flat(s)) {
        line_point accepted;
        double before = s->value;
        bool found;

        LM_TRY(choose_direction(s));
        LM_TRY(search_line(s, first_step(s), &found, &accepted));
        if (!found && s->stored > 0) {
            /* A bad history: once more down the gradient itself. */
            s->stored = 0;
            LM_TRY(choose_direction(s));
            LM_TRY(search_line(s, first_step(s), &found, &accepted));
        }
        if (!found)
            return LM_OK;
        accept_trial(s, &accepted);
        result->steps++;
        if (problem->stepped)
            LM_TRY(problem->stepped(problem->opaque, result->steps, s->x, s->value, &stop));
        if (stop) {
            result->end = LM_LBFGS_STOPPED;
            return LM_OK;
        }
        if (before - s->value <= problem->value_tolerance * fmax(fabs(before), DBL_MIN))
            return LM_OK;
    }
    result->end = is_flat(s) ? LM_LBFGS_CONVERGED : LM_LBFGS_MAX_STEPS;
    return LM_OK;
}

/*
 * The largest component of the gradient, not its length: it does not grow with the number of
 * variables.
 */
static bool
is_flat(const solver *s)
{
    double largest = 0;

    for (size_t i = 0; i < s->problem->n; i++)
        largest = fmax(largest, fabs(s->gradient[i]));
    return largest <= s->problem->gradient_tolerance;
}

/* direction = −H · gradient by the two-loop recursion, with H₀ scaled by the newest pair. */
static lm_status
choose_direction(solver *s)
{
    size_t n = s->problem->n;
    double alpha[LM_LBFGS_HISTORY];

    for (size_t i = 0; i < n; i++)
        s->direction[i] = -s->gradient[i];
    for (int back = 0; back < s->stored; back++) {
        int k = (s->newest - back + LM_LBFGS_HISTORY) % LM_LBFGS_HISTORY;

        LM_TRY(lm_poll(s->ctx));
        alpha[k] = dot_float(n, s->steps + k * n, s->direction) / s->curvature[k];
        add_scaled(n, -alpha[k], s->changes + k * n, s->direction);
    }
    if (s->stored > 0) {
        const float *change = s->changes + s->newest * n;
        double length = 0;

        for (size_t i = 0; i < n; i++)
            length += (double)change[i] * change[i];
        for (size_t i = 0; i < n; i++)
            s->direction[i] *= s->curvature[s->newest] / length;
    }
    for (int back = s->stored - 1; back >= 0; back--) {
        int k = (s->newest - back + LM_LBFGS_HISTORY) % LM_LBFGS_HISTORY;
        double beta = dot_float(n, s->changes + k * n, s->direction) / s->curvature[k];

        LM_TRY(lm_poll(s->ctx));
        add_scaled(n, alpha[k] - beta, s->steps + k * n, s->direction);
    }
    return LM_OK;
}

/* Without a history the gradient's length is no guide to the step's: start at length 1. */
static double
first_step(const solver *s)
{
    if (s->stored > 0)
        return 1;
    return 1 / fmax(sqrt(dot(s->problem->n, s->gradient, s->gradient)), DBL_MIN);
}

/*
 * Find a step that satisfies the strong Wolfe conditions: widen until the bracket closes, then
 * narrow it by cubic interpolation. When the trials run out, any point that satisfies Armijo's
 * condition will do; *found is false when there is none.
 */
static lm_status
search_line(solver *s, double step, bool *found, line_point *accepted)
{
    line_point start = {0, s->value, dot(s->problem->n, s->gradient, s->direction)};
    bracket b = {start, start, false};

    *found = false;
    if (!(start.slope < 0))
        return LM_OK;
    for (int trial = 0; trial < MAX_TRIALS; trial++) {
        LM_TRY(try_step(s, step, accepted));
        if (closes_in(&b, &start, accepted)) {
            *found = true;
            return LM_OK;
        }
        if (b.closed && fabs(b.high.step - b.low.step) * -start.slope <=
                            VALUE_NOISE * fmax(fabs(start.value), DBL_MIN))
            break;
        step = next_step(&b);
    }
    if (b.low.step > 0) {
        *found = true;
        return try_step(s, b.low.step, accepted);
    }
    return LM_OK;
}

/* Put a point into the bracket; true when it satisfies both conditions. */
static bool
closes_in(bracket *b, const line_point *start, const line_point *point)
{
    if (!(point->value <= start->value + ARMIJO * point->step * start->slope) ||
        (b->low.step > 0 && point->value >= b->low.value)) {
        b->high = *point;
        b->closed = true;
        return false;
    }
    if (fabs(point->slope) <= -CURVATURE * start->slope)
        return true;
    if (point->slope * (b->closed ? b->high.step - b->low.step : 1) >= 0) {
        b->high = b->low;
        b->closed = true;
    }
    b->low = *point;
    return false;
}

/* Twice as far while the bracket is open; else inside it, away from its ends. */
static double
next_step(const bracket *b)
{
    double width = b->high.step - b->low.step, minimum;

    if (!b->closed)
        return 2 * b->low.step;
    minimum = (cubic_minimum(&b->low, &b->high) - b->low.step) / width;
    if (!isfinite(minimum))
        minimum = 0.5;
    return b->low.step + fmin(fmax(minimum, 0.1), 0.9) * width;
}

/* Minimum of the cubic through two values and slopes (Nocedal and Wright, eq. 3.59). */
static double
cubic_minimum(const line_point *a, const line_point *b)
{
    double d1 = a->slope + b->slope - 3 * (a->value - b->value) / (a->step - b->step);
    double d2 = copysign(sqrt(d1 * d1 - a->slope * b->slope), b->step - a->step);

    return b->step - (b->step - a->step) * (b->slope + d2 - d1) / (b->slope - a->slope + 2 * d2);
}

/* Evaluate a point on the line. NaN counts as infinitely high, so that the search turns back. */
static lm_status
try_step(solver *s, double step, line_point *point)
{
    const lm_lbfgs_problem *problem = s->problem;

    for (size_t i = 0; i < problem->n; i++)
        s->trial[i] = s->x[i] + step * s->direction[i];
    s->evaluations++;
    point->step = step;
    LM_TRY(problem->evaluate(problem->opaque, s->trial, &point->value, s->trial_gradient));
    point->slope = dot(problem->n, s->trial_gradient, s->direction);
    if (isnan(point->value) || isnan(point->slope))
        point->value = INFINITY;
    return LM_OK;
}

/*
 * Move to the trial point, whose gradient is there already: the two gradient vectors change
 * places.
 */
static void
accept_trial(solver *s, const line_point *point)
{
    double *gradient = s->gradient;

    remember(s);
    memcpy(s->x, s->trial, s->problem->n * sizeof *s->x);
    s->gradient = s->trial_gradient;
    s->trial_gradient = gradient;
    s->value = point->value;
}

/* Keep a step and its change of gradient, unless their curvature is not clearly positive. */
static void
remember(solver *s)
{
    size_t n = s->problem->n;
    int next = s->stored > 0 ? (s->newest + 1) % LM_LBFGS_HISTORY : 0;
    float *step = s->steps + next * n, *change = s->changes + next * n;
    double curvature = 0, length = 0;

    for (size_t i = 0; i < n; i++) {
        step[i] = (float)(s->trial[i] - s->x[i]);
        change[i] = (float)(s->trial_gradient[i] - s->gradient[i]);
        curvature += (double)step[i] * change[i];
        length += (double)change[i] * change[i];
    }
    if (!(curvature > 1e-10 * length)) {
        /* The place held the oldest pair, which is overwritten now. */
        if (s->stored == LM_LBFGS_HISTORY)
            s->stored--;
        return;
    }
    s->curvature[next] = curvature;
    s->newest = next;
    if (s->stored < LM_LBFGS_HISTORY)
        s->stored++;
}

/* In the order of the indexes, so that bits do not depend on the compiler's choice of vectors. */
static double
dot(size_t n, const double *a, const double *b)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* The same with a vector of the history. */
static double
dot_float(size_t n, const float *a, const double *b)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* sum += factor · a, the recursion's other half. */
static void
add_scaled(size_t n, double factor, const float *a, double *sum)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += factor * a[i];
}
