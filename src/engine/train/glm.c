/*
 * glm.c - linear models of one number. Weights are float in products and double in the optimizer;
 * sums over rows are double.
 */
#include "train/glm.h"

#include <math.h>
#include <string.h>

#include "kernels/kernels.h"
#include "train/lbfgs.h"

#define POLL_EVERY 256 /* rows */
#define MOST_LEVELS 256
#define GRADIENT_TOLERANCE 1e-7
#define VALUE_TOLERANCE 1e-9
#define COARSE_TOLERANCE 1e-4

/* A fit that runs. */
typedef struct fit {
    lm_context *ctx;
    const lm_glm_problem *problem;
    const lm_kernels *kernels;
    const size_t *rows;
    size_t count, weights; /* features + width */
    float *weight;         /* (weights): the variables as float */
} fit;

/* Slopes of a row's loss. */
typedef struct slopes {
    double number, thetas[2];
    int first; /* of the thetas that it depends on */
    int thetas_count;
} slopes;

static size_t
weights_of(const lm_glm_problem *p)
{
    return (p->design->sparse ? p->design->features : 0) + p->design->width;
}

size_t
lm_glm_variables(const lm_glm_problem *problem)
{
    const int intercepts = problem->loss == LM_GLM_CUMULATIVE ? problem->levels - 1 : 1;

    return weights_of(problem) + (size_t)intercepts;
}

void
lm_glm_thresholds(const lm_glm_problem *problem, const double *x, double *thetas)
{
    const double *u = x + weights_of(problem);

    thetas[0] = u[0];
    for (int j = 1; j < problem->levels - 1; j++)
        thetas[j] = thetas[j - 1] + exp(u[j]);
}

/* ---- Losses ---- */

static double
sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* −ln σ(x) */
static double
softplus(double x)
{
    return x > 0 ? log1p(exp(-x)) : log1p(exp(x)) - x;
}

static double
squared(double number, double target, const double *thetas, int levels, slopes *s)
{
    s->number = number - target;
    return 0.5 * s->number * s->number;
}

static double
logistic(double number, double target, const double *thetas, int levels, slopes *s)
{
    s->number = sigmoid(number) - target;
    return softplus(target > 0.5 ? number : -number);
}

/* The share between two thetas is σ(a) σ(−b) (1 − e^(b − a)), which never cancels. */
static double
cumulative(double number, double target, const double *thetas, int levels, slopes *s)
{
    const int level = (int)target, last = levels - 1;
    const double a = level < last ? thetas[level] - number : 0;
    const double b = level > 0 ? thetas[level - 1] - number : 0;
    double loss = 0, gap = 0;

    s->first = level > 0 ? level - 1 : 0;
    if (level > 0 && level < last) {
        gap = 1 / expm1(a - b);
        loss = -log(-expm1(b - a));
    }
    s->thetas_count = 0;
    s->number = 0;
    if (level > 0) {
        loss += softplus(-b);
        s->thetas[s->thetas_count++] = sigmoid(b) + gap;
        s->number -= sigmoid(b) + gap;
    }
    if (level < last) {
        loss += softplus(a);
        s->thetas[s->thetas_count++] = -sigmoid(-a) - gap;
        s->number += sigmoid(-a) + gap;
    }
    return loss;
}

static double (*const losses[])(double number, double target, const double *thetas, int levels,
                                slopes *s) = {
    [LM_GLM_SQUARED] = squared,
    [LM_GLM_LOGISTIC] = logistic,
    [LM_GLM_CUMULATIVE] = cumulative,
};

/* ---- Numbers of rows ---- */

static double
number_of(const fit *f, size_t row)
{
    const lm_design *d = f->problem->design;
    const lm_sparse_rows *sparse = d->sparse;
    const float *dense = f->weight + (sparse ? d->features : 0);
    double sum = 0;

    for (size_t i = sparse ? sparse->starts[row] : 0; sparse && i < sparse->starts[row + 1]; i++)
        sum += (double)sparse->value[i] * f->weight[sparse->index[i]];
    if (d->width > 0)
        sum += d->scale * f->kernels->dot_f32(d->width, d->dense + row * d->width, dense);
    return sum;
}

static void
add_gradient(const fit *f, size_t row, double slope, double *gradient)
{
    const lm_design *d = f->problem->design;
    const lm_sparse_rows *sparse = d->sparse;
    double *dense = gradient + (sparse ? d->features : 0);
    const float *x = d->dense + row * d->width;

    for (size_t i = sparse ? sparse->starts[row] : 0; sparse && i < sparse->starts[row + 1]; i++)
        gradient[sparse->index[i]] += slope * sparse->value[i];
    for (size_t j = 0; j < d->width; j++)
        dense[j] += slope * d->scale * x[j];
}

double
lm_glm_number(const lm_glm_problem *problem, const double *x, size_t row)
{
    const lm_design *d = problem->design;
    const lm_sparse_rows *sparse = d->sparse;
    const size_t weights = weights_of(problem);
    double sum = problem->loss == LM_GLM_CUMULATIVE ? 0 : x[weights], of_dense = 0;

    for (size_t i = sparse ? sparse->starts[row] : 0; sparse && i < sparse->starts[row + 1]; i++)
        sum += sparse->value[i] * x[sparse->index[i]];
    for (size_t j = 0; j < d->width; j++)
        of_dense += d->dense[row * d->width + j] * x[weights - d->width + j];
    return sum + d->scale * of_dense;
}

double
lm_glm_loss_of(const lm_glm_problem *problem, const double *x, size_t row, double number)
{
    double thetas[MOST_LEVELS];
    slopes s;

    if (problem->loss == LM_GLM_CUMULATIVE)
        lm_glm_thresholds(problem, x, thetas);
    return losses[problem->loss](number, problem->target[row], thetas, problem->levels, &s);
}

/* ---- Fitting ---- */

/* Slopes by the thetas into those by the variables that they are made of. */
static void
turn_thetas(const lm_glm_problem *p, const double *u, double *gradient)
{
    for (int j = p->levels - 3; j >= 0; j--)
        gradient[j] += gradient[j + 1];
    for (int j = 1; j < p->levels - 1; j++)
        gradient[j] *= exp(u[j]);
}

static void
add_row(const fit *f, size_t row, const double *x, const double *thetas, double *value,
        double *gradient)
{
    const lm_glm_problem *p = f->problem;
    const bool ordered = p->loss == LM_GLM_CUMULATIVE;
    const double number = number_of(f, row) + (ordered ? 0 : x[f->weights]);
    slopes s = {0};

    *value += losses[p->loss](number, p->target[row], thetas, p->levels, &s);
    add_gradient(f, row, s.number, gradient);
    if (!ordered)
        gradient[f->weights] += s.number;
    for (int i = 0; i < s.thetas_count; i++)
        gradient[f->weights + (size_t)(s.first + i)] += s.thetas[i];
}

static lm_status
evaluate(void *opaque, const double *x, double *value, double *gradient)
{
    fit *f = opaque;
    const lm_glm_problem *p = f->problem;
    const size_t variables = lm_glm_variables(p);
    double thetas[MOST_LEVELS];

    *value = 0;
    memset(gradient, 0, variables * sizeof *gradient);
    for (size_t j = 0; j < f->weights; j++)
        f->weight[j] = (float)x[j];
    if (p->loss == LM_GLM_CUMULATIVE)
        lm_glm_thresholds(p, x, thetas);
    for (size_t i = 0; i < f->count; i++) {
        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(f->ctx));
        add_row(f, f->rows[i], x, thetas, value, gradient);
    }
    if (p->loss == LM_GLM_CUMULATIVE)
        turn_thetas(p, x + f->weights, gradient + f->weights);
    *value /= (double)f->count;
    for (size_t j = 0; j < variables; j++)
        gradient[j] = gradient[j] / (double)f->count + (j < f->weights ? p->l2 * x[j] : 0);
    for (size_t j = 0; j < f->weights; j++)
        *value += 0.5 * p->l2 * x[j] * x[j];
    return LM_OK;
}

lm_status
lm_glm_fit(lm_context *ctx, const lm_glm_problem *problem, const size_t *rows, size_t count,
           double *x, int *steps)
{
    fit f = {.ctx = ctx,
             .problem = problem,
             .kernels = lm_kernels_active(),
             .rows = rows,
             .count = count,
             .weights = weights_of(problem)};
    const lm_lbfgs_problem minimum = {.n = lm_glm_variables(problem),
                                      .evaluate = evaluate,
                                      .opaque = &f,
                                      .max_steps = problem->max_steps,
                                      .gradient_tolerance = GRADIENT_TOLERANCE,
                                      .value_tolerance =
                                          problem->coarse ? COARSE_TOLERANCE : VALUE_TOLERANCE};
    lm_lbfgs_result run = {.steps = 0};
    lm_status status;

    if (problem->levels > MOST_LEVELS) {
        lm_raise(ctx, LM_TOO_LARGE, "there are too many levels");
        lm_detail_found(ctx, "%d", problem->levels);
        return lm_detail_allowed(ctx, "at most %d", MOST_LEVELS);
    }
    if (!(f.weight = lm_alloc_array(ctx, f.weights + 1, sizeof *f.weight)))
        return LM_NO_MEMORY;
    status = lm_lbfgs_minimize(ctx, &minimum, x, &run);
    *steps += run.steps;
    lm_free(ctx, f.weight);
    return status;
}
