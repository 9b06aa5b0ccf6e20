/*
 * vector_avx512.h - the vector operations in AVX-512 (F, BW, DQ, VL), sixteen lanes.
 */
#ifndef LM_VECTOR_AVX512_H
#define LM_VECTOR_AVX512_H

#include <immintrin.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#define LM_TARGET_NAMES "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"
#define LM_TARGET __attribute__((target(LM_TARGET_NAMES)))
#define LM_INLINE static inline __attribute__((always_inline, target(LM_TARGET_NAMES)))
#define LM_NAME(op) lm_##op##_avx512

/*
 * Lanes of a vector; the GEMM's tile in rows and in vectors, its panels in vectors, and the rows
 * that a tile of one panel can have.
 */
enum { VW = 16, TILE_ROWS = 6, TILE_COLS = 4, PANEL_COLS = 2, TALL_ROWS = 12 };

typedef __m512 vf;

LM_INLINE vf
v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

LM_INLINE void
v_store(float *p, vf v)
{
    _mm512_storeu_ps(p, v);
}

LM_INLINE vf
v_set(float x)
{
    return _mm512_set1_ps(x);
}

LM_INLINE vf
v_zero(void)
{
    return _mm512_setzero_ps();
}

LM_INLINE __mmask16
v_mask(size_t n)
{
    return (__mmask16)((1u << n) - 1);
}

/* The first n lanes (1 to VW − 1), zeros behind; nothing behind is read. */
LM_INLINE vf
v_load_part(const float *p, size_t n)
{
    return _mm512_maskz_loadu_ps(v_mask(n), p);
}

LM_INLINE void
v_store_part(float *p, size_t n, vf v)
{
    _mm512_mask_storeu_ps(p, v_mask(n), v);
}

/* Lanes below n from v, the others from fill. */
LM_INLINE vf
v_keep(vf v, size_t n, vf fill)
{
    return _mm512_mask_mov_ps(fill, v_mask(n), v);
}

LM_INLINE vf
v_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}

LM_INLINE vf
v_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}

LM_INLINE vf
v_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}

LM_INLINE vf
v_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}

/* a·b + c */
LM_INLINE vf
v_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* c − a·b */
LM_INLINE vf
v_fnma(vf a, vf b, vf c)
{
    return _mm512_fnmadd_ps(a, b, c);
}

/* b where either is a NaN. */
LM_INLINE vf
v_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}

LM_INLINE vf
v_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}

LM_INLINE vf
v_abs(vf a)
{
    return _mm512_andnot_ps(v_set(-0.0f), a);
}

/* |a| with the sign of b. */
LM_INLINE vf
v_with_sign(vf a, vf b)
{
    return _mm512_or_ps(v_abs(a), _mm512_and_ps(b, v_set(-0.0f)));
}

/* yes where a < b, else no. */
LM_INLINE vf
v_where_less(vf a, vf b, vf yes, vf no)
{
    return _mm512_mask_mov_ps(no, _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), yes);
}

LM_INLINE vf
v_round(vf x)
{
    return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* p·2^n for integers n from −127 (where the result is 0, not a denormal) to 127. */
LM_INLINE vf
v_scale(vf p, vf n)
{
    return _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(n, v_set(-127), _CMP_NEQ_UQ), p, n);
}

/*
 * Sixteen vectors as rows of a square: its columns. By pairs, by fours, by quarters of a register.
 * Written out, for loops over an array of vectors keep it in memory.
 */
#define PAIR(i)                                \
    t[i] = _mm512_unpacklo_ps(x[i], x[i + 1]); \
    t[i + 1] = _mm512_unpackhi_ps(x[i], x[i + 1]);
#define FOUR(i, c)                                                                   \
    x[i + 2 * c] = (vf)_mm512_unpacklo_pd((__m512d)t[i + c], (__m512d)t[i + c + 2]); \
    x[i + 2 * c + 1] = (vf)_mm512_unpackhi_pd((__m512d)t[i + c], (__m512d)t[i + c + 2]);
#define QUARTERS(c)                                                 \
    {                                                               \
        vf even0 = _mm512_shuffle_f32x4(x[c], x[4 + c], 0x88);      \
        vf even1 = _mm512_shuffle_f32x4(x[8 + c], x[12 + c], 0x88); \
        vf odd0 = _mm512_shuffle_f32x4(x[c], x[4 + c], 0xdd);       \
        vf odd1 = _mm512_shuffle_f32x4(x[8 + c], x[12 + c], 0xdd);  \
                                                                    \
        x[c] = _mm512_shuffle_f32x4(even0, even1, 0x88);            \
        x[4 + c] = _mm512_shuffle_f32x4(odd0, odd1, 0x88);          \
        x[8 + c] = _mm512_shuffle_f32x4(even0, even1, 0xdd);        \
        x[12 + c] = _mm512_shuffle_f32x4(odd0, odd1, 0xdd);         \
    }

LM_INLINE void
v_transpose(vf x[VW])
{
    vf t[VW];

    PAIR(0) PAIR(2) PAIR(4) PAIR(6) PAIR(8) PAIR(10) PAIR(12) PAIR(14);
    FOUR(0, 0) FOUR(0, 1) FOUR(4, 0) FOUR(4, 1) FOUR(8, 0) FOUR(8, 1) FOUR(12, 0) FOUR(12, 1);
    QUARTERS(0) QUARTERS(1) QUARTERS(2) QUARTERS(3)
}

#undef PAIR
#undef FOUR
#undef QUARTERS

LM_INLINE float
v_sum(vf v)
{
    __m256 h = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));

    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

LM_INLINE float
v_maximum(vf v)
{
    __m256 h = _mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));

    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

LM_INLINE vf
v_load_bf16(const uint16_t *p)
{
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));

    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

/* The first n lanes of bfloat16, which are the upper halves of floats; zeros behind. */
LM_INLINE vf
v_load_bf16_part(const uint16_t *p, size_t n)
{
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(v_mask(n), p));

    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

/* sums − zero · columns */
LM_INLINE vf
v_centred(const void *sums, const int32_t *columns, int32_t zero)
{
    __m512i s = _mm512_loadu_si512(sums), c = _mm512_loadu_si512(columns);

    return _mm512_cvtepi32_ps(_mm512_sub_epi32(s, _mm512_mullo_epi32(c, _mm512_set1_epi32(zero))));
}

#endif
