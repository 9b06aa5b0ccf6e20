/*
 * ffn.c - the feed-forward net of a transformer layer. Bias, activation and residual are done by
 * the matrix products on their way out; a gate takes a pass of its own.
 */
#include "nn/nn.h"

/* In each row of the buffer: act(first half) · second half, in the place of the first. */
static void
gate_rows(const lm_nn_ffn *args, size_t rows)
{
    float *row = args->buffer;

    for (size_t i = 0; i < rows; i++, row += 2 * args->inner)
        args->kernels->gate_f32(args->act, args->inner, row, row + args->inner, row);
}

/*
 * The residual of the second product may be x itself: a tile reads its part of x before it
 * overwrites it, so no copy is needed.
 */
lm_status
lm_nn_feed_forward(lm_context *ctx, const lm_nn_ffn *args, size_t rows)
{
    size_t wide = args->gated ? 2 * args->inner : args->inner;
    const lm_gemm up = {
        .m = rows,
        .n = wide,
        .k = args->width,
        .a = args->x,
        .lda = args->width,
        .packed = args->up,
        .bias = args->up_bias,
        .act = args->gated ? LM_ACT_NONE : args->act,
        .c = args->buffer,
        .ldc = wide,
        .scratch = args->scratch,
    };
    const lm_gemm down = {
        .m = rows,
        .n = args->width,
        .k = args->inner,
        .a = args->buffer,
        .lda = wide,
        .packed = args->down,
        .bias = args->down_bias,
        .residual = args->residual,
        .ldr = args->width,
        .c = args->out,
        .ldc = args->width,
        .scratch = args->scratch,
    };

    LM_TRY(lm_nn_linear(ctx, args->product, &up));
    if (args->gated)
        gate_rows(args, rows);
    return lm_nn_linear(ctx, args->product, &down);
}
