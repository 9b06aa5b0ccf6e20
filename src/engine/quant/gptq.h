/*
 * gptq.h - rounding of a matrix that looks at its inputs: GPTQ (Frantar et al. 2022), one scale a
 * row.
 */
#ifndef LM_GPTQ_H
#define LM_GPTQ_H

#include "base/context.h"

/*
 * The lower Cholesky factor of a symmetric A (n, n), in place; what stands above the diagonal is
 * lost. *definite is false, and A spoilt, where A is not positive definite in float.
 */
lm_status lm_cholesky(lm_context *ctx, float *a, size_t n, bool *definite);

/*
 * The code of a row's greatest weight, not 127: pairs whose sums do not fit 16 bits on AVX2
 * (kernels/x86/pairs_avx2.h) are then in one step of twenty, not of nine, and the cosines to fp32
 * stay what they are. They fall from 113 on.
 */
enum { LM_GPTQ_GREATEST = 116 };

/*
 * Codes of −127 to 127 of W (N, K) so that the error of codes · scales on inputs with this Gram
 * matrix (K, K) is small: rounding errors of a column are made good in the columns that follow.
 * `scales` (N) are the rows' greatest / LM_GPTQ_GREATEST. Memory: 4 K² + 4 N K bytes.
 */
lm_status lm_gptq_round(lm_context *ctx, size_t n, size_t k, const float *w, const float *gram,
                        int8_t *codes, float *scales);

#endif
