/*
 * epilogue.h - what follows the sums of a tile at every precision: activation, residual, and the
 * way to C. Sums stand in a small buffer in whole vectors, of which only `width` floats are C's.
 */
#ifndef LM_GENERIC_EPILOGUE_H
#define LM_GENERIC_EPILOGUE_H

#include <string.h>

#include "kernels/generic/partial.h"
#include "kernels/levels.h"

/* The rows of a tile, bias and activation done, to C. */
LM_INLINE void
store_tile(const lm_gemm *args, size_t i, size_t j, size_t rows, size_t width, const float *sums,
           size_t ld)
{
    for (size_t r = 0; r < rows; r++, sums += ld) {
        const float *residual = args->residual ? args->residual + (i + r) * args->ldr + j : NULL;
        float *c = args->c + (i + r) * args->ldc + j;

        for (size_t x = 0; x < width; x += VW) {
            vf sum = v_load(sums + x);

            if (residual)
                sum = v_add(sum, v_load_some(residual + x, width - x));
            v_store_some(c + x, width - x, sum);
        }
    }
}

/*
 * Rows i … and columns j … of C from their sums, (rows, ld). Sums of weights in 16 or 8 bits are no
 * better than the approximate activation.
 */
LM_INLINE void
finish_reduced_tile(const lm_gemm *args, size_t i, size_t j, size_t rows, size_t width, float *sums,
                    size_t ld)
{
    if (args->act != LM_ACT_NONE)
        LM_NAME(activate_approx)(args->act, rows * ld, sums);
    store_tile(args, i, j, rows, width, sums, ld);
}

/* Bias of columns j …, or zeros, in whole vectors. */
static inline void
take_bias(const lm_gemm *args, size_t j, size_t width, size_t whole, float *bias)
{
    memset(bias, 0, whole * sizeof(float));
    if (args->bias)
        memcpy(bias, args->bias + j, width * sizeof(float));
}

#endif
