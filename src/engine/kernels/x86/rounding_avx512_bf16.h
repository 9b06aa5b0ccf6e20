/*
 * rounding_avx512_bf16.h - float32 to bfloat16 by BF16's vcvtneps2bf16: to the nearest, ties to
 * even; denormals are taken for zeros. Inline assembly, so that functions of level AVX-512 may
 * inline it.
 */
#ifndef LM_ROUNDING_AVX512_BF16_H
#define LM_ROUNDING_AVX512_BF16_H

#include "kernels/x86/vector_avx512.h"

LM_INLINE __m256i
v_round_bf16(vf v)
{
    __m256i half;

    __asm__("vcvtneps2bf16 %1, %0" : "=v"(half) : "v"(v));
    return half;
}

LM_INLINE void
v_store_bf16(uint16_t *p, vf v)
{
    _mm256_storeu_si256((__m256i *)p, v_round_bf16(v));
}

/* In each lane a pair: of a in the lower half, of b in the upper. */
LM_INLINE vf
v_pair_bf16(vf a, vf b)
{
    __m512i low = _mm512_cvtepu16_epi32(v_round_bf16(a));
    __m512i high = _mm512_slli_epi32(_mm512_cvtepu16_epi32(v_round_bf16(b)), 16);

    return _mm512_castsi512_ps(_mm512_or_si512(low, high));
}

#endif
