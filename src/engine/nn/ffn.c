/*
 * ffn.c - the feed-forward net of a transformer layer. Bias, activation and residual are done by
 * the matrix products on their way out.
 */
#include "nn/nn.h"

/*
 * The residual of the second product is x itself: a tile reads its part of x before it overwrites
 * it, so no copy is needed.
 */
lm_status
lm_nn_feed_forward(lm_context *ctx, const lm_nn_ffn *args, size_t rows, float *x)
{
    const lm_gemm up = {
        .m = rows,
        .n = args->inner,
        .k = args->width,
        .a = x,
        .lda = args->width,
        .packed = args->up,
        .bias = args->up_bias,
        .act = args->act,
        .c = args->buffer,
        .ldc = args->inner,
        .scratch = args->scratch,
    };
    const lm_gemm down = {
        .m = rows,
        .n = args->width,
        .k = args->inner,
        .a = args->buffer,
        .lda = args->inner,
        .packed = args->down,
        .bias = args->down_bias,
        .residual = x,
        .ldr = args->width,
        .c = x,
        .ldc = args->width,
        .scratch = args->scratch,
    };

    LM_TRY(lm_nn_linear(ctx, args->product, &up));
    return lm_nn_linear(ctx, args->product, &down);
}
