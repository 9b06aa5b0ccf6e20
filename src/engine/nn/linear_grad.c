/*
 * linear_grad.c - a linear layer over plain weights and its gradients: three products of OpenBLAS,
 * or of rounded factors (rounded.c), which poll.
 */
#include <string.h>

#include "nn/grad.h"

static lm_status
multiply(const lm_linear *args, const lm_sgemm *product)
{
    return args->rounded ? lm_rounded_sgemm(args->rounded, product) : lm_blas_sgemm(product);
}

/* The bias in each row, to which the product is added; without one the product is all. */
lm_status
lm_linear_forward(lm_context *ctx, const lm_linear *args, const float *x, float *y)
{
    const lm_sgemm product = {
        .transpose_b = true,
        .m = args->rows,
        .n = args->out,
        .k = args->in,
        .alpha = 1,
        .a = x,
        .lda = args->in,
        .b = args->weight,
        .ldb = args->in,
        .beta = args->bias ? 1 : 0,
        .c = y,
        .ldc = args->out,
        .ctx = ctx,
    };

    for (size_t i = 0; args->bias && i < args->rows; i++)
        memcpy(y + i * args->out, args->bias, args->out * sizeof *y);
    return multiply(args, &product);
}

/* dx = dy · weight. */
static lm_status
input_gradient(lm_context *ctx, const lm_linear *args, const float *dy, float *dx)
{
    const lm_sgemm product = {
        .m = args->rows,
        .n = args->in,
        .k = args->out,
        .alpha = 1,
        .a = dy,
        .lda = args->out,
        .b = args->weight,
        .ldb = args->in,
        .c = dx,
        .ldc = args->in,
        .ctx = ctx,
    };

    return multiply(args, &product);
}

/* dweight += dyᵀ · x. */
static lm_status
weight_gradient(lm_context *ctx, const lm_linear *args, const float *x, const float *dy,
                float *dweight)
{
    const lm_sgemm product = {
        .transpose_a = true,
        .m = args->out,
        .n = args->in,
        .k = args->rows,
        .alpha = 1,
        .a = dy,
        .lda = args->out,
        .b = x,
        .ldb = args->in,
        .beta = 1,
        .c = dweight,
        .ldc = args->in,
        .ctx = ctx,
    };

    return multiply(args, &product);
}

lm_status
lm_linear_backward(lm_context *ctx, const lm_linear *args, const float *x, const float *dy,
                   float *dx, float *dweight, float *dbias)
{
    if (dx)
        LM_TRY(input_gradient(ctx, args, dy, dx));
    if (dweight)
        LM_TRY(weight_gradient(ctx, args, x, dy, dweight));
    for (size_t i = 0; dbias && i < args->rows; i++)
        for (size_t j = 0; j < args->out; j++)
            dbias[j] += dy[i * args->out + j];
    return LM_OK;
}
