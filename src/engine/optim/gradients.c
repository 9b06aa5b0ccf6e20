/*
 * gradients.c - gradients as a whole: cleared, measured, clipped. Of a parameter with `touched`
 * only the rows that have one.
 */
#include <math.h>
#include <string.h>

#include "optim/optimizer.h"

#define PIECE ((size_t)1 << 16) /* numbers between polls */

/* What is done to a run of numbers. */
typedef void (*run_function)(float *grad, size_t count, double *value);

/* Over all gradients of a parameter, in their order. */
static lm_status
each_run(lm_context *ctx, const lm_param *param, run_function run, double *value)
{
    const size_t count = param->rows * param->columns;
    size_t work = 0;

    for (size_t at = 0; !param->touched && at < count; at += PIECE) {
        LM_TRY(lm_poll(ctx));
        run(param->grad + at, count - at < PIECE ? count - at : PIECE, value);
    }
    for (size_t row = 0; param->touched && row < param->rows; row++) {
        if (!param->touched[row])
            continue;
        run(param->grad + row * param->columns, param->columns, value);
        if ((work += param->columns) < PIECE)
            continue;
        work = 0;
        LM_TRY(lm_poll(ctx));
    }
    return LM_OK;
}

static lm_status
each_param(lm_context *ctx, const lm_param *params, size_t count, run_function run, double *value)
{
    for (size_t i = 0; i < count; i++)
        LM_TRY(each_run(ctx, &params[i], run, value));
    return LM_OK;
}

/* In eight sums, so that they are vectors and one order. */
static void
add_squares(float *grad, size_t count, double *value)
{
    double sums[8] = {0};
    size_t i = 0;

    for (; i + 8 <= count; i += 8)
        for (size_t j = 0; j < 8; j++)
            sums[j] += (double)grad[i + j] * (double)grad[i + j];
    for (; i < count; i++)
        sums[0] += (double)grad[i] * (double)grad[i];
    for (size_t j = 0; j < 8; j++)
        *value += sums[j];
}

static void
scale(float *grad, size_t count, double *value)
{
    const float factor = (float)*value;

    for (size_t i = 0; i < count; i++)
        grad[i] *= factor;
}

static void
bound(float *grad, size_t count, double *value)
{
    const float limit = (float)*value;

    for (size_t i = 0; i < count; i++)
        grad[i] = grad[i] > limit ? limit : grad[i] < -limit ? -limit : grad[i];
}

static void
clear(float *grad, size_t count, double *value)
{
    memset(grad, 0, count * sizeof(float));
}

/* As torch.nn.utils.clip_grad_norm_. */
lm_status
lm_clip_norm(lm_context *ctx, const lm_param *params, size_t param_count, double clip, double *norm)
{
    double squares = 0, factor;

    LM_TRY(each_param(ctx, params, param_count, add_squares, &squares));
    *norm = sqrt(squares);
    factor = clip / (*norm + 1e-6);
    if (clip > 0 && factor < 1)
        LM_TRY(each_param(ctx, params, param_count, scale, &factor));
    return LM_OK;
}

lm_status
lm_clip_value(lm_context *ctx, const lm_param *params, size_t param_count, double clip)
{
    return each_param(ctx, params, param_count, bound, &clip);
}

lm_status
lm_clear_gradients(lm_context *ctx, const lm_param *params, size_t param_count)
{
    LM_TRY(each_param(ctx, params, param_count, clear, NULL));
    for (size_t i = 0; i < param_count; i++)
        if (params[i].touched)
            memset(params[i].touched, 0, params[i].rows);
    return LM_OK;
}
