/*
 * linear.c - a linear layer over any number of rows, cut into pieces between which cancel is seen.
 */
#include "nn/nn.h"

/* A multiple of the row tiles of all kernels, so that a cut leaves no short tile behind. */
#define ROW_STEP 84

/* Rows of one piece: all that fit the budget, at least one. */
static size_t
piece_rows(const lm_product *product, const lm_gemm *args)
{
    double rows = product->poll_flops / (2.0 * (double)args->n * (double)args->k);

    if (rows >= (double)args->m)
        return args->m;
    if (rows >= ROW_STEP)
        return (size_t)rows / ROW_STEP * ROW_STEP;
    return rows >= 1 ? (size_t)rows : 1;
}

/*
 * Runs the pieces in row order. Every piece reads all of the packed weights, so pieces are made as
 * large as the budget allows.
 */
lm_status
lm_nn_linear(lm_context *ctx, const lm_product *product, const lm_gemm *args)
{
    size_t step = piece_rows(product, args);
    lm_gemm piece = *args;

    if (product->observer)
        LM_TRY(product->observer->observe(product->observer->opaque, ctx, args));
    for (size_t row = 0; row < args->m; row += step) {
        LM_TRY(lm_poll(ctx));
        piece.m = args->m - row < step ? args->m - row : step;
        piece.a = args->a + row * args->lda;
        piece.c = args->c + row * args->ldc;
        if (args->residual)
            piece.residual = args->residual + row * args->ldr;
        product->gemm(&piece);
    }
    return LM_OK;
}
