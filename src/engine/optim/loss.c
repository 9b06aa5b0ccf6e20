/*
 * loss.c - losses of scores and of values. Sums of a row are kept in double.
 */
#include "optim/loss.h"

#include <math.h>
#include <string.h>

#define POLL_NUMBERS ((size_t)1 << 18) /* exponentials between polls: some ms */

/* ---- Cross-entropy ---- */

double
lm_cross_entropy_weight(const lm_cross_entropy_options *options, const int32_t *targets,
                        size_t rows)
{
    double weight = 0;

    for (size_t i = 0; i < rows; i++)
        if (targets[i] != LM_IGNORED)
            weight += options->class_weights ? options->class_weights[targets[i]] : 1;
    return weight;
}

/* ln Σ exp(x). */
static double
log_sum_exp(size_t count, const float *x, double factor)
{
    double most = -INFINITY, sum = 0;

    for (size_t j = 0; j < count; j++)
        most = factor * x[j] > most ? factor * x[j] : most;
    if (!isfinite(most)) /* nothing but −∞, or a NaN that no comparison saw */
        most = 0;
    for (size_t j = 0; j < count; j++)
        sum += exp(factor * x[j] - most);
    return most + log(sum);
}

/* What the target distribution gives a class: it need not sum to 1. */
static double
wanted(const lm_cross_entropy_options *options, size_t classes, size_t target, size_t j)
{
    const double weight = options->class_weights ? options->class_weights[j] : 1;
    const double smooth = options->label_smoothing;

    return weight * (smooth / (double)classes + (j == target ? 1 - smooth : 0));
}

/* −Σ wanted · ln p, and its gradient (Σ wanted) p − wanted. */
static double
cross_entropy_row(const lm_cross_entropy_options *options, size_t classes, size_t target,
                  double weight, const float *scores, float *dscores)
{
    const double whole = log_sum_exp(classes, scores, 1);
    double term = 0, sum = 0;

    for (size_t j = 0; j < classes; j++) {
        double share = wanted(options, classes, target, j);

        term += share > 0 ? share * (whole - scores[j]) : 0;
        sum += share;
    }
    for (size_t j = 0; dscores && j < classes; j++)
        dscores[j] =
            (float)((sum * exp(scores[j] - whole) - wanted(options, classes, target, j)) / weight);
    return term / weight;
}

lm_status
lm_cross_entropy_loss(lm_context *ctx, const lm_kernels *kernels,
                      const lm_cross_entropy_options *options, size_t rows, size_t classes,
                      const float *scores, const int32_t *targets, double weight, double *loss,
                      float *dscores)
{
    size_t work = POLL_NUMBERS;

    for (size_t i = 0; i < rows; i++) {
        float *out = dscores ? dscores + i * classes : NULL;

        if ((work += classes) > POLL_NUMBERS) {
            LM_TRY(lm_poll(ctx));
            work = 0;
        }
        if (targets[i] != LM_IGNORED)
            *loss += cross_entropy_row(options, classes, (size_t)targets[i], weight,
                                       scores + i * classes, out);
        else if (out)
            memset(out, 0, classes * sizeof(float));
    }
    return LM_OK;
}

/* ---- By element ---- */

/* max(x, 0) − x · target + ln(1 + exp(−|x|)). */
void
lm_binary_cross_entropy_loss(size_t count, const float *scores, const float *targets, double weight,
                             double *loss, float *dscores)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++) {
        const double x = scores[i], target = targets[i];

        sum += (x > 0 ? x : 0) - x * target + log1p(exp(-fabs(x)));
        if (dscores)
            dscores[i] = (float)((1 / (1 + exp(-x)) - target) / weight);
    }
    *loss += sum / weight;
}

void
lm_squared_loss(size_t count, const float *values, const float *targets, double weight,
                double *loss, float *dvalues)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++) {
        const double apart = (double)values[i] - targets[i];

        sum += apart * apart;
        if (dvalues)
            dvalues[i] = (float)(2 * apart / weight);
    }
    *loss += sum / weight;
}

/* ---- Distillation (Hinton, Vinyals and Dean 2015) ---- */

static double
distillation_row(size_t classes, double temperature, const float *scores, const float *teacher,
                 double weight, float *dscores)
{
    const double cold = 1 / temperature;
    const double ours = log_sum_exp(classes, scores, cold);
    const double theirs = log_sum_exp(classes, teacher, cold);
    double sum = 0;

    for (size_t j = 0; j < classes; j++) {
        const double q = cold * scores[j] - ours, p = cold * teacher[j] - theirs;

        sum += exp(p) > 0 ? exp(p) * (p - q) : 0;
        if (dscores)
            dscores[j] = (float)(temperature * (exp(q) - exp(p)) / weight);
    }
    return temperature * temperature * sum / weight;
}

lm_status
lm_distillation_loss(lm_context *ctx, const lm_kernels *kernels, size_t rows, size_t classes,
                     double temperature, const float *scores, const float *teacher, double weight,
                     double *loss, float *dscores)
{
    size_t work = POLL_NUMBERS;

    for (size_t i = 0; i < rows; i++) {
        if ((work += 4 * classes) > POLL_NUMBERS) {
            LM_TRY(lm_poll(ctx));
            work = 0;
        }
        *loss += distillation_row(classes, temperature, scores + i * classes, teacher + i * classes,
                                  weight, dscores ? dscores + i * classes : NULL);
    }
    return LM_OK;
}
