/*
 * quantize.c - floats to what weights are kept in. Runs when a model is loaded, not when it is
 * used: plain C, the same at every level.
 */
#include <math.h>

#include "kernels/bf16.h"
#include "kernels/generic/blocking.h"
#include "kernels/kernels.h"

void
lm_round_bf16(size_t count, const float *x, uint16_t *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = lm_bf16_from(x[i]);
}

/*
 * Codes stay within ±127: with −128 the sums of LM_INT8_MAX_K products might not fit. Where a row's
 * greatest weight is not much above the others, all codes would be large, and on AVX2 large ones
 * are slower (x86/interleave_avx2.h); such a row is the last to need them, since its errors are
 * small beside its weights. A row below 10⁻³⁰ counts as zeros: the inverse of its scale might be
 * infinite.
 */
float
lm_int8_scale(const float *w, size_t k)
{
    float absmax = 0;
    double squares = 0;

    for (size_t j = 0; j < k; j++) {
        absmax = fabsf(w[j]) > absmax ? fabsf(w[j]) : absmax;
        squares += (double)w[j] * w[j];
    }
    if (absmax < 1e-30f)
        return 0;
    return fmaxf(absmax / LM_INT8_GREATEST, (float)sqrt(squares / (double)k) / LM_INT8_SPREAD);
}

void
lm_quantize_rows(const float *w, size_t n, size_t k, int8_t *codes, float *scales)
{
    for (size_t i = 0; i < n; i++, w += k, codes += k) {
        float inverse;

        scales[i] = lm_int8_scale(w, k);
        inverse = scales[i] > 0 ? 1 / scales[i] : 0;
        for (size_t j = 0; j < k; j++)
            codes[j] = (int8_t)lrintf(w[j] * inverse);
    }
}

/* As quantize_row of generic/product_int8.h. */
void
lm_int8_read(const float *x, size_t k, float *out)
{
    float low = 0, high = 0, spoilt = 0, step, inverse;
    long zero;

    for (size_t j = 0; j < k; j++) {
        low = x[j] < low ? x[j] : low;
        high = x[j] > high ? x[j] : high;
        spoilt += x[j] * 0;
    }
    step = (high - low) / 255;
    inverse = 255 / (high - low);
    /* A number that is not finite has no code, and spoils its row. */
    if (isnan(spoilt) || isinf(step) || !(high - low > 1e-30f)) {
        for (size_t j = 0; j < k; j++)
            out[j] = isnan(spoilt) || isinf(step) ? NAN : 0;
        return;
    }
    zero = lrintf(-low * inverse);
    for (size_t j = 0; j < k; j++) {
        long code = zero + lrintf(x[j] * inverse);

        code = code > 0 ? code : 0;
        out[j] = (float)((code < 255 ? code : 255) - zero) * step;
    }
}

lm_status
lm_quantize_matrix(lm_context *ctx, const float *w, size_t n, size_t k, int8_t *codes,
                   float *scales)
{
    for (size_t first = 0, end; first < n; first = end) {
        LM_TRY(lm_poll(ctx));
        end = at_most(n, first + LM_PACK_ROWS);
        lm_quantize_rows(w + first * k, end - first, k, codes + first * k, scales + first);
    }
    return LM_OK;
}

lm_status
lm_pack(lm_context *ctx, const lm_product *product, const lm_matrix *w, void *packed)
{
    for (size_t first = 0, end; first < w->n; first = end) {
        LM_TRY(lm_poll(ctx));
        end = at_most(w->n, first + LM_PACK_ROWS);
        product->pack(w, first, end, packed);
    }
    return LM_OK;
}
