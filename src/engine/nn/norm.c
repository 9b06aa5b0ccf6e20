/*
 * norm.c - layer normalisation in place. One pass over memory, so short that it needs no poll.
 */
#include "nn/nn.h"

void
lm_nn_norm(const lm_kernels *kernels, const lm_norm *norm, size_t rows, size_t width, float *x)
{
    kernels->layer_norm_f32(rows, width, x, norm->gain, norm->bias, norm->eps, x);
}
