/*
 * vector_avx2.h - the vector operations in AVX2 and FMA, eight lanes.
 */
#ifndef LM_VECTOR_AVX2_H
#define LM_VECTOR_AVX2_H

#include <immintrin.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#define LM_TARGET __attribute__((target("avx2,fma")))
#define LM_INLINE static inline __attribute__((always_inline, target("avx2,fma")))
#define LM_NAME(op) lm_##op##_avx2

/*
 * Lanes of a vector; the GEMM's tile in rows and in vectors, its panels in vectors, and the rows
 * that a tile of one panel can have.
 */
enum { VW = 8, TILE_ROWS = 4, TILE_COLS = 3, PANEL_COLS = 3, TALL_ROWS = 4 };

typedef __m256 vf;

/* Eight entries from 8 − n on are a mask of the first n lanes. */
static const int32_t v_masks[16] = {-1, -1, -1, -1, -1, -1, -1, -1};

LM_INLINE vf
v_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

LM_INLINE void
v_store(float *p, vf v)
{
    _mm256_storeu_ps(p, v);
}

LM_INLINE vf
v_set(float x)
{
    return _mm256_set1_ps(x);
}

LM_INLINE vf
v_zero(void)
{
    return _mm256_setzero_ps();
}

LM_INLINE __m256i
v_mask(size_t n)
{
    return _mm256_loadu_si256((const __m256i *)(v_masks + 8 - n));
}

/* The first n lanes (1 to VW − 1), zeros behind; nothing behind is read. */
LM_INLINE vf
v_load_part(const float *p, size_t n)
{
    return _mm256_maskload_ps(p, v_mask(n));
}

LM_INLINE void
v_store_part(float *p, size_t n, vf v)
{
    _mm256_maskstore_ps(p, v_mask(n), v);
}

/* Lanes below n from v, the others from fill. */
LM_INLINE vf
v_keep(vf v, size_t n, vf fill)
{
    return _mm256_blendv_ps(fill, v, _mm256_castsi256_ps(v_mask(n)));
}

LM_INLINE vf
v_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}

LM_INLINE vf
v_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}

LM_INLINE vf
v_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}

LM_INLINE vf
v_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
}

/* a·b + c */
LM_INLINE vf
v_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}

/* c − a·b */
LM_INLINE vf
v_fnma(vf a, vf b, vf c)
{
    return _mm256_fnmadd_ps(a, b, c);
}

/* b where either is a NaN. */
LM_INLINE vf
v_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}

LM_INLINE vf
v_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}

LM_INLINE vf
v_abs(vf a)
{
    return _mm256_andnot_ps(v_set(-0.0f), a);
}

/* |a| with the sign of b. */
LM_INLINE vf
v_with_sign(vf a, vf b)
{
    return _mm256_or_ps(v_abs(a), _mm256_and_ps(b, v_set(-0.0f)));
}

/* yes where a < b, else no. */
LM_INLINE vf
v_where_less(vf a, vf b, vf yes, vf no)
{
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}

LM_INLINE vf
v_round(vf x)
{
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* p·2^n for integers n from −127 (where the result is 0) to 127. */
LM_INLINE vf
v_scale(vf p, vf n)
{
    __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));

    return _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23)));
}

/*
 * Eight vectors as rows of a square: its columns. By pairs, by fours, by halves of a register.
 * Written out, for loops over an array of vectors keep it in memory.
 */
#define PAIR(i)                                \
    t[i] = _mm256_unpacklo_ps(x[i], x[i + 1]); \
    t[i + 1] = _mm256_unpackhi_ps(x[i], x[i + 1]);
#define FOUR(i, c)                                                  \
    x[i + 2 * c] = _mm256_shuffle_ps(t[i + c], t[i + c + 2], 0x44); \
    x[i + 2 * c + 1] = _mm256_shuffle_ps(t[i + c], t[i + c + 2], 0xee);
#define HALVES(c)                                            \
    t[c] = _mm256_permute2f128_ps(x[c], x[4 + c], 0x20);     \
    x[4 + c] = _mm256_permute2f128_ps(x[c], x[4 + c], 0x31); \
    x[c] = t[c];

LM_INLINE void
v_transpose(vf x[VW])
{
    vf t[VW];

    PAIR(0) PAIR(2) PAIR(4) PAIR(6);
    FOUR(0, 0) FOUR(0, 1) FOUR(4, 0) FOUR(4, 1);
    HALVES(0) HALVES(1) HALVES(2) HALVES(3)
}

#undef PAIR
#undef FOUR
#undef HALVES

LM_INLINE float
v_sum(vf v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));

    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

LM_INLINE float
v_maximum(vf v)
{
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));

    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

LM_INLINE vf
v_load_bf16(const uint16_t *p)
{
    __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));

    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

/* The first n lanes of bfloat16, which are the upper halves of floats; zeros behind. */
LM_INLINE vf
v_load_bf16_part(const uint16_t *p, size_t n)
{
    uint16_t whole[VW] = {0};

    for (size_t i = 0; i < n; i++)
        whole[i] = p[i];
    return v_load_bf16(whole);
}

/* Two vectors as codes of 16 bits: the nearest integers, plus zero, cut to 0 … 255. */
enum { CODE_VECTORS = 2 };

LM_INLINE void
v_store_codes(int16_t *p, const vf *y, int32_t zero)
{
    const __m256i z = _mm256_set1_epi32(zero);
    __m256i codes = _mm256_packs_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(y[0]), z),
                                       _mm256_add_epi32(_mm256_cvtps_epi32(y[1]), z));

    codes = _mm256_permute4x64_epi64(codes, 0xd8); /* quarters 0, 2, 1, 3 */
    codes =
        _mm256_min_epi16(_mm256_max_epi16(codes, _mm256_setzero_si256()), _mm256_set1_epi16(255));
    _mm256_storeu_si256((__m256i *)p, codes);
}

/* sums − zero · columns */
LM_INLINE vf
v_centred(const void *sums, const int32_t *columns, int32_t zero)
{
    __m256i s = _mm256_loadu_si256(sums), c = _mm256_loadu_si256((const __m256i *)columns);

    return _mm256_cvtepi32_ps(_mm256_sub_epi32(s, _mm256_mullo_epi32(c, _mm256_set1_epi32(zero))));
}

#endif
