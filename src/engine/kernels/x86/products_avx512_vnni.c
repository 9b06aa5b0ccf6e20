/*
 * products_avx512_vnni.c - products with weights of 8 bits by VNNI's vpdpbusd. Everything else of
 * the level is AVX-512's.
 */
#if defined(__x86_64__)
#define LM_HAVE_VNNI
#include "kernels/x86/steps_avx512.h"

#include "kernels/generic/epilogue.h" /* by the names of level AVX-512 */

#undef LM_NAME
#define LM_NAME(op) lm_##op##_avx512_vnni

#define TILE_TARGET __attribute__((target(LM_TARGET_NAMES ",avx512vnni")))
#define TILE_NAME(precision, rows) lm_gemm_##precision##_##rows##x4_avx512_vnni

typedef uint8_t int8_code;

enum { INT8_GROUP = 4 };

/* Vectors that v_store_codes takes at once. */
enum { CODE_VECTORS = 4 };

/* The nearest integers, plus zero, cut to 0 … 255. Packing goes by quarters of a register. */
LM_INLINE void
v_store_codes(uint8_t *p, const vf *y, int32_t zero)
{
    const vi z = _mm512_set1_epi32(zero);
    const vi order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    vi c[CODE_VECTORS];

    LM_UNROLL
    for (int v = 0; v < CODE_VECTORS; v++)
        c[v] = _mm512_add_epi32(_mm512_cvtps_epi32(y[v]), z);
    c[0] = _mm512_packus_epi16(_mm512_packs_epi32(c[0], c[1]), _mm512_packs_epi32(c[2], c[3]));
    _mm512_storeu_si512(p, _mm512_permutexvar_epi32(order, c[0]));
}

#include "kernels/x86/product_int8_avx512.h"

#endif
