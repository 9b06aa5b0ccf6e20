/*
 * norm.c - norms over rows. One pass over memory, so short that it needs no poll.
 */
#include "nn/nn.h"

/* Nothing is normed. */
static void
scale_rows(const lm_norm *norm, size_t rows, size_t width, const float *x, float *out)
{
    for (size_t row = 0; row < rows; row++, x += width, out += width)
        for (size_t i = 0; i < width; i++)
            out[i] = norm->gain[i] * x[i] + norm->bias[i];
}

void
lm_nn_norm(const lm_kernels *kernels, const lm_norm *norm, size_t rows, size_t width,
           const float *x, float *out)
{
    if (norm->kind == LM_NORM_RMS)
        kernels->rms_norm_f32(rows, width, x, norm->gain, norm->eps, out);
    else if (norm->kind == LM_NORM_SCALE)
        scale_rows(norm, rows, width, x, out);
    else
        kernels->layer_norm_f32(rows, width, x, norm->gain, norm->bias, norm->eps, out);
}
