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

/* Lanes that are integers from 0 to 255, as 16 bits each. */
LM_INLINE void
v_store_codes(int16_t *p, vf v)
{
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(v)));
}

#include "kernels/x86/product_int8_avx512.h"

#endif
