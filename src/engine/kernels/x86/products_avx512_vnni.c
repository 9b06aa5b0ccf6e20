/*
 * products_avx512_vnni.c - products with weights of 8 bits by VNNI's vpdpbusd. Everything else of
 * the level is AVX-512's.
 */
#if defined(__x86_64__)
#define LM_HAVE_VNNI
#include "kernels/x86/steps_avx512.h"

#include "kernels/generic/finish.h" /* by the names of level AVX-512 */

#undef LM_NAME
#define LM_NAME(op) lm_##op##_avx512_vnni

#define TILE_TARGET __attribute__((target(LM_TARGET_NAMES ",avx512vnni")))
#define TILE_NAME(precision, rows) lm_gemm_##precision##_##rows##x4_avx512_vnni

typedef uint8_t int8_code;

enum { INT8_GROUP = 4 };

/* Lanes that are integers from 0 to 255, as bytes. */
LM_INLINE void
v_store_codes(uint8_t *p, vf v)
{
    _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
}

#include "kernels/x86/product_int8_avx512.h"

#endif
