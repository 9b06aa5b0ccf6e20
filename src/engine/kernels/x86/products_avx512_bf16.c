/*
 * products_avx512_bf16.c - products with weights of 16 and of 8 bits by VNNI's vpdpbusd and BF16's
 * vdpbf16ps. Everything else of the level is AVX-512's. vdpbf16ps takes denormals for zeros, and so
 * does the rounding of A.
 */
#if defined(__x86_64__)
#define LM_HAVE_VNNI_BF16
#include "kernels/x86/steps_avx512.h"

#include "kernels/generic/finish.h" /* by the names of level AVX-512 */

#undef LM_NAME
#define LM_NAME(op) lm_##op##_avx512_bf16

typedef uint8_t int8_code;

enum { BF16_GROUP = 2, BF16_ROWS = 6, BF16_COLS = 4, INT8_GROUP = 4, INT8_ROWS = 6, INT8_COLS = 4 };

#define TILE_TARGET __attribute__((target(LM_TARGET_NAMES ",avx512vnni,avx512bf16")))
#define TILE_NAME(precision, rows) lm_gemm_##precision##_##rows##x4_avx512_bf16

/* Lanes that are integers from 0 to 255, as bytes. */
LM_INLINE void
v_store_codes(uint8_t *p, vf v)
{
    _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
}

#define BF16_ROUNDS_A

/* Whole vectors, zeros behind k. */
static TILE_TARGET void
round_row_bf16(size_t k, const float *x, uint16_t *out)
{
    for (size_t j = 0; j < k; j += VW) {
        vf v = v_load_some(x + j, k - j);
        __m256i half;

        __asm__("vcvtneps2bf16 %1, %0" : "=v"(half) : "v"(v));
        _mm256_storeu_si256((__m256i *)(out + j), half);
    }
}

#include "kernels/x86/products_avx512.h"

#endif
