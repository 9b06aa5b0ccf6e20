/*
 * codes_avx512.c - kernels over codes of an index, AVX-512: a look-up takes four groups at once,
 * one a quarter of the register.
 */
#if defined(__x86_64__)
#include "kernels/x86/vector_avx512.h"

#include "kernels/levels.h"

/* As in codes_avx2.c. */
#define WHOLE_GROUPS ((size_t)256)

typedef struct pair_sums {
    __m512i all, odd;
} pair_sums;

LM_INLINE void
add_pairs(pair_sums *sums, __m512i bytes)
{
    sums->all = _mm512_add_epi16(sums->all, bytes);
    sums->odd = _mm512_add_epi16(sums->odd, _mm512_srli_epi16(bytes, 8));
}

LM_INLINE __m128i
add_quarters(__m512i x)
{
    __m256i half = _mm256_add_epi16(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64(x, 1));

    return _mm_add_epi16(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

/* Sixteen rows: quarters are added, and lower and upper bytes laid in turn again. */
LM_INLINE void
spill(const pair_sums *pairs, uint32_t *sums)
{
    __m512i even = _mm512_sub_epi16(pairs->all, _mm512_slli_epi16(pairs->odd, 8));
    __m128i e = add_quarters(even), o = add_quarters(pairs->odd);
    __m256i both = _mm256_set_m128i(_mm_unpackhi_epi16(e, o), _mm_unpacklo_epi16(e, o));

    _mm512_storeu_si512(sums,
                        _mm512_add_epi32(_mm512_loadu_si512(sums), _mm512_cvtepu16_epi32(both)));
}

static LM_TARGET void
scan_codes(size_t groups, const uint8_t *codes, const uint8_t *tables, uint32_t sums[32])
{
    const __m512i four = _mm512_set1_epi8(15);

    while (groups > 0) {
        size_t now = groups < WHOLE_GROUPS ? groups : WHOLE_GROUPS;
        pair_sums low = {_mm512_setzero_si512(), _mm512_setzero_si512()}, high = low;

        groups -= now;
        for (; now > 0; now -= 4, codes += 64, tables += 64) {
            __m512i c = _mm512_loadu_si512(codes), t = _mm512_loadu_si512(tables);

            add_pairs(&low, _mm512_shuffle_epi8(t, _mm512_and_si512(c, four)));
            add_pairs(&high,
                      _mm512_shuffle_epi8(t, _mm512_and_si512(_mm512_srli_epi16(c, 4), four)));
        }
        spill(&low, sums);
        spill(&high, sums + 16);
    }
}

/* Not fused: the same bits as at every level. */
static LM_TARGET uint32_t
estimate_codes(const lm_code_estimate *args, const uint32_t sums[32], const uint16_t scale[32],
               const uint16_t add[32], float distances[32])
{
    const __m512 step = v_set(args->step), offset = v_set(args->offset), base = v_set(args->base);
    uint32_t below = 0;

    for (size_t i = 0; i < 32; i += VW) {
        __m512 sum = _mm512_cvtepi32_ps(_mm512_loadu_si512(sums + i));
        __m512 product = v_mul(v_load_bf16(scale + i), v_add(v_mul(sum, step), offset));
        __m512 distance = v_sub(v_add(base, v_load_bf16(add + i)), product);
        uint32_t less = _mm512_cmp_ps_mask(distance, v_set(args->bound), _CMP_LT_OQ);

        v_store(distances + i, distance);
        below |= less << i;
    }
    return below;
}

LM_INLINE int64_t
add_lanes(__m512i sums)
{
    int32_t lanes[VW];
    int64_t total = 0;

    _mm512_storeu_si512(lanes, sums);
    for (size_t i = 0; i < VW; i++)
        total += lanes[i];
    return total;
}

/* As in codes_avx2.c; lanes have room to spare. */
#define WHOLE_WIDTH ((size_t)4096)

static LM_TARGET int64_t
dot_s16_s8(size_t width, const int16_t *a, const int8_t *b)
{
    int64_t total = 0;

    while (width > 0) {
        size_t now = width < WHOLE_WIDTH ? width : WHOLE_WIDTH;
        __m512i s0 = _mm512_setzero_si512(), s1 = s0;

        width -= now;
        for (; now > 0; now -= 64, a += 64, b += 64) {
            __m512i b0 = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)b));
            __m512i b1 = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(b + 32)));

            s0 = _mm512_add_epi32(s0, _mm512_madd_epi16(b0, _mm512_loadu_si512(a)));
            s1 = _mm512_add_epi32(s1, _mm512_madd_epi16(b1, _mm512_loadu_si512(a + 32)));
        }
        total += add_lanes(_mm512_add_epi32(s0, s1));
    }
    return total;
}

void
lm_fill_codes_avx512(lm_kernels *table)
{
    table->scan_codes = scan_codes;
    table->estimate_codes = estimate_codes;
    table->dot_s16_s8 = dot_s16_s8;
}

#endif
