/*
 * quantize.c - floats to what weights are kept in. Runs when a model is loaded, not when it is
 * used: plain C, the same at every level.
 */
#include <math.h>

#include "kernels/bf16.h"
#include "kernels/kernels.h"

void
lm_round_bf16(size_t count, const float *x, uint16_t *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = lm_bf16_from(x[i]);
}

/*
 * Codes stay within ±127: with −128 the sums of LM_INT8_MAX_K products might not fit. A row below
 * 10⁻³⁰ counts as zeros, since the inverse of its scale might be infinite.
 */
void
lm_quantize_rows(const float *w, size_t n, size_t k, int greatest, int8_t *codes, float *scales)
{
    for (size_t i = 0; i < n; i++, w += k, codes += k) {
        float most = 0, inverse;

        for (size_t j = 0; j < k; j++)
            most = fmaxf(most, fabsf(w[j]));
        if (most < 1e-30f)
            most = 0;
        scales[i] = most / (float)greatest;
        inverse = most > 0 ? (float)greatest / most : 0;
        for (size_t j = 0; j < k; j++)
            codes[j] = (int8_t)lrintf(w[j] * inverse);
    }
}
