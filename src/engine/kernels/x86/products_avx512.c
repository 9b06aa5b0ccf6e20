/*
 * products_avx512.c - products with weights of 16 and of 8 bits, level AVX-512 without VNNI and
 * BF16: bf16 made to floats on its way in, int8 widened to 16 bits, as at level AVX2.
 */
#if defined(__x86_64__)
#include "kernels/x86/steps_avx512.h"

#define TILE_TARGET LM_TARGET
#define TILE_NAME(precision, rows) lm_gemm_##precision##_##rows##x4_avx512

#include "kernels/x86/product_bf16_avx512.h"

typedef int16_t int8_code;

enum { INT8_GROUP = 2 };

/* Vectors that v_store_codes takes at once. */
enum { CODE_VECTORS = 2 };

/* The nearest integers, plus zero, cut to 0 … 255. Packing goes by quarters of a register. */
LM_INLINE void
v_store_codes(int16_t *p, const vf *y, int32_t zero)
{
    const vi z = _mm512_set1_epi32(zero), order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    vi codes = _mm512_packs_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(y[0]), z),
                                  _mm512_add_epi32(_mm512_cvtps_epi32(y[1]), z));

    codes = _mm512_min_epi16(_mm512_max_epi16(codes, i_zero()), _mm512_set1_epi16(255));
    _mm512_storeu_si512(p, _mm512_permutexvar_epi64(order, codes));
}

#include "kernels/x86/product_int8_avx512.h"

#endif
