/*
 * activation_grad.c - derivatives of the layers' activations, of gates and of softmax. In double,
 * as their definitions read.
 */
#include <math.h>
#include <string.h>

#include "nn/grad.h"

#define ROOT_HALF 0.70710678118654752440   /* √½ */
#define ROOT_TWO_PI 2.50662827463100050242 /* √(2 π) */
#define GELU_SCALE 0.79788456080286535588  /* √(2 / π), of the tanh form */
#define GELU_CUBIC 0.044715

/* Elements between two polls: a few milliseconds of erf and exp. */
#define COUNT_PER_POLL ((size_t)1 << 16)

static double
slope_of_none(double x)
{
    return 1;
}

static double
slope_of_gelu(double x)
{
    return 0.5 * (1 + erf(x * ROOT_HALF)) + x * exp(-x * x / 2) / ROOT_TWO_PI;
}

static double
slope_of_gelu_tanh(double x)
{
    double t = tanh(GELU_SCALE * (x + GELU_CUBIC * x * x * x));

    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * GELU_SCALE * (1 + 3 * GELU_CUBIC * x * x);
}

static double
slope_of_relu(double x)
{
    return x > 0 ? 1 : 0;
}

static double
slope_of_silu(double x)
{
    double s = 1 / (1 + exp(-x));

    return s + x * s * (1 - s);
}

static double
slope_of_tanh(double x)
{
    double t = tanh(x);

    return 1 - t * t;
}

static double (*const slopes[LM_ACT_COUNT])(double x) = {
    [LM_ACT_NONE] = slope_of_none,           [LM_ACT_GELU] = slope_of_gelu,
    [LM_ACT_GELU_TANH] = slope_of_gelu_tanh, [LM_ACT_RELU] = slope_of_relu,
    [LM_ACT_SILU] = slope_of_silu,           [LM_ACT_TANH] = slope_of_tanh,
};

float
lm_activation_slope(lm_activation act, float x)
{
    return (float)slopes[act]((double)x);
}

lm_status
lm_activate_backward(lm_context *ctx, lm_activation act, size_t count, const float *x,
                     const float *dy, float *dx)
{
    for (size_t i = 0; i < count; i++) {
        if (i % COUNT_PER_POLL == 0)
            LM_TRY(lm_poll(ctx));
        dx[i] = dy[i] * lm_activation_slope(act, x[i]);
    }
    return LM_OK;
}

lm_status
lm_gate_forward(lm_context *ctx, const lm_kernels *kernels, lm_activation act, size_t rows,
                size_t inner, const float *halves, float *y)
{
    for (size_t i = 0; i < rows; i++, halves += 2 * inner, y += inner) {
        LM_TRY(lm_poll(ctx));
        kernels->gate_f32(act, inner, halves, halves + inner, y);
    }
    return LM_OK;
}

/* The half that is not activated has act(a) for its slope. */
lm_status
lm_gate_backward(lm_context *ctx, const lm_kernels *kernels, lm_activation act, size_t rows,
                 size_t inner, const float *halves, const float *dy, float *dhalves)
{
    for (size_t i = 0; i < rows; i++, halves += 2 * inner, dhalves += 2 * inner, dy += inner) {
        float *da = dhalves, *db = dhalves + inner;

        LM_TRY(lm_poll(ctx));
        memcpy(db, halves, inner * sizeof *db);
        kernels->activate_f32(act, inner, db);
        for (size_t j = 0; j < inner; j++) {
            da[j] = dy[j] * halves[inner + j] * lm_activation_slope(act, halves[j]);
            db[j] *= dy[j];
        }
    }
    return LM_OK;
}

void
lm_softmax_backward(size_t count, const float *y, const float *dy, float *dx)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += (double)y[i] * (double)dy[i];
    for (size_t i = 0; i < count; i++)
        dx[i] = (float)((double)y[i] * ((double)dy[i] - sum));
}
