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
 * Codes of −127 to 127 of W (N, K) so that the error of codes · scales on inputs with this Gram
 * matrix (K, K) is small: rounding errors of a column are made good in the columns that follow.
 * `scales` (N) are those of lm_int8_scale. Memory: 4 K² + 4 N K bytes.
 */
lm_status lm_gptq_round(lm_context *ctx, size_t n, size_t k, const float *w, const float *gram,
                        int8_t *codes, float *scales);

#endif
