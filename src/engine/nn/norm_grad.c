/*
 * norm_grad.c - gradients of LayerNorm, of the root-mean-square norm, and of a vector's length made
 * one. Means and deviations are computed again, in double: that costs little beside a product.
 */
#include <math.h>

#include "nn/grad.h"

/* What a row is normed by: (x − mean) / deviation; the mean is 0 where the norm has none. */
typedef struct row_scale {
    double mean, deviation;
} row_scale;

static row_scale
scale_of(const lm_norm *norm, size_t width, const float *x)
{
    double mean = 0, square = 0;

    for (size_t i = 0; norm->kind == LM_NORM_LAYER && i < width; i++)
        mean += (double)x[i] / (double)width;
    for (size_t i = 0; i < width; i++)
        square += ((double)x[i] - mean) * ((double)x[i] - mean);
    return (row_scale){mean, sqrt(square / (double)width + (double)norm->eps)};
}

/*
 * With z the normed row and g = dy · gain: dx = (g − mean(g) − z · mean(g z)) / deviation, where
 * mean(g) is left out for a norm that takes no mean off.
 */
static void
row_backward(const lm_norm *norm, size_t width, const float *x, const float *dy, float *dx,
             float *dgain, float *dbias)
{
    const row_scale scale = scale_of(norm, width, x);
    double sum = 0, product = 0;

    for (size_t i = 0; i < width; i++) {
        double z = ((double)x[i] - scale.mean) / scale.deviation, g = dy[i] * norm->gain[i];

        sum += norm->kind == LM_NORM_LAYER ? g : 0;
        product += g * z;
        if (dgain)
            dgain[i] += (float)(dy[i] * z);
        if (dbias && norm->bias)
            dbias[i] += dy[i];
    }
    for (size_t i = 0; i < width; i++) {
        double z = ((double)x[i] - scale.mean) / scale.deviation, g = dy[i] * norm->gain[i];

        dx[i] = (float)((g - (sum + z * product) / (double)width) / scale.deviation);
    }
}

/* Of gain · x + bias. */
static void
scale_backward(const lm_norm *norm, size_t width, const float *x, const float *dy, float *dx,
               float *dgain, float *dbias)
{
    for (size_t i = 0; i < width; i++) {
        if (dgain)
            dgain[i] += dy[i] * x[i];
        if (dbias && norm->bias)
            dbias[i] += dy[i];
        dx[i] = dy[i] * norm->gain[i];
    }
}

void
lm_norm_backward(const lm_norm *norm, size_t rows, size_t width, const float *x, const float *dy,
                 float *dx, float *dgain, float *dbias)
{
    for (size_t i = 0; i < rows; i++)
        (norm->kind == LM_NORM_SCALE ? scale_backward : row_backward)(
            norm, width, x + i * width, dy + i * width, dx + i * width, dgain, dbias);
}

/* Below the bound the length is a constant. */
void
lm_normalize_backward(size_t width, float eps, const float *x, const float *dy, float *dx)
{
    double square = 0, product = 0, length;

    for (size_t i = 0; i < width; i++) {
        square += (double)x[i] * (double)x[i];
        product += (double)x[i] * (double)dy[i];
    }
    length = fmax(sqrt(square), (double)eps);
    product = sqrt(square) > (double)eps ? product / square : 0;
    for (size_t i = 0; i < width; i++)
        dx[i] = (float)(((double)dy[i] - (double)x[i] * product) / length);
}
