/*
 * codes_avx2.c - kernels over codes of an index, AVX2. A look-up takes two groups at once, one a
 * half of the register (André et al. 2015, "Cache locality is not enough").
 */
#if defined(__x86_64__)
#include "kernels/x86/vector_avx2.h"

#include "kernels/levels.h"

/* Entries of so many groups fit sums of 16 bits. */
#define WHOLE_GROUPS ((size_t)256)

/*
 * Bytes summed as 16-bit pairs: `all` gets the pair as it is, `odd` its upper byte; the sum of
 * lower bytes is all − 256 · odd, modulo 2^16.
 */
typedef struct pair_sums {
    __m256i all, odd;
} pair_sums;

LM_INLINE void
add_pairs(pair_sums *sums, __m256i bytes)
{
    sums->all = _mm256_add_epi16(sums->all, bytes);
    sums->odd = _mm256_add_epi16(sums->odd, _mm256_srli_epi16(bytes, 8));
}

/* Sixteen rows: both halves are added, and lower and upper bytes laid in turn again. */
LM_INLINE void
spill(const pair_sums *pairs, uint32_t *sums)
{
    __m256i even = _mm256_sub_epi16(pairs->all, _mm256_slli_epi16(pairs->odd, 8));
    __m128i e = _mm_add_epi16(_mm256_castsi256_si128(even), _mm256_extracti128_si256(even, 1));
    __m128i o =
        _mm_add_epi16(_mm256_castsi256_si128(pairs->odd), _mm256_extracti128_si256(pairs->odd, 1));
    __m256i *to = (__m256i *)sums;

    _mm256_storeu_si256(to, _mm256_add_epi32(_mm256_loadu_si256(to),
                                             _mm256_cvtepu16_epi32(_mm_unpacklo_epi16(e, o))));
    _mm256_storeu_si256(to + 1, _mm256_add_epi32(_mm256_loadu_si256(to + 1),
                                                 _mm256_cvtepu16_epi32(_mm_unpackhi_epi16(e, o))));
}

static LM_TARGET void
scan_codes(size_t groups, const uint8_t *codes, const uint8_t *tables, uint32_t sums[32])
{
    const __m256i four = _mm256_set1_epi8(15);

    while (groups > 0) {
        size_t now = groups < WHOLE_GROUPS ? groups : WHOLE_GROUPS;
        pair_sums low = {_mm256_setzero_si256(), _mm256_setzero_si256()}, high = low;

        groups -= now;
        for (; now > 0; now -= 2, codes += 32, tables += 32) {
            __m256i c = _mm256_loadu_si256((const __m256i *)codes);
            __m256i t = _mm256_loadu_si256((const __m256i *)tables);

            add_pairs(&low, _mm256_shuffle_epi8(t, _mm256_and_si256(c, four)));
            add_pairs(&high,
                      _mm256_shuffle_epi8(t, _mm256_and_si256(_mm256_srli_epi16(c, 4), four)));
        }
        spill(&low, sums);
        spill(&high, sums + 16);
    }
}

LM_INLINE __m256
load_bf16(const uint16_t *p)
{
    __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));

    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

/* Not fused: the same bits as at every level. */
static LM_TARGET uint32_t
estimate_codes(const lm_code_estimate *args, const uint32_t sums[32], const uint16_t scale[32],
               const uint16_t add[32], float distances[32])
{
    const __m256 step = v_set(args->step), offset = v_set(args->offset), base = v_set(args->base);
    uint32_t below = 0;

    for (size_t i = 0; i < 32; i += VW) {
        __m256 sum = _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)(sums + i)));
        __m256 product = v_mul(load_bf16(scale + i), v_add(v_mul(sum, step), offset));
        __m256 distance = v_sub(v_add(base, load_bf16(add + i)), product);
        __m256 less = _mm256_cmp_ps(distance, v_set(args->bound), _CMP_LT_OQ);

        v_store(distances + i, distance);
        below |= (uint32_t)_mm256_movemask_ps(less) << i;
    }
    return below;
}

LM_INLINE int64_t
add_lanes(__m256i sums)
{
    int32_t lanes[VW];
    int64_t total = 0;

    _mm256_storeu_si256((__m256i *)lanes, sums);
    for (size_t i = 0; i < VW; i++)
        total += lanes[i];
    return total;
}

/* Products of so many numbers fit the lanes' 32 bits: 2 · 256 · 128 · 16383 < 2^31. */
#define WHOLE_WIDTH ((size_t)4096)

static LM_TARGET int64_t
dot_s16_s8(size_t width, const int16_t *a, const int8_t *b)
{
    int64_t total = 0;

    while (width > 0) {
        size_t now = width < WHOLE_WIDTH ? width : WHOLE_WIDTH;
        __m256i s0 = _mm256_setzero_si256(), s1 = s0;

        width -= now;
        for (; now > 0; now -= 32, a += 32, b += 32) {
            __m256i b0 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)b));
            __m256i b1 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(b + 16)));

            s0 =
                _mm256_add_epi32(s0, _mm256_madd_epi16(b0, _mm256_loadu_si256((const __m256i *)a)));
            s1 = _mm256_add_epi32(
                s1, _mm256_madd_epi16(b1, _mm256_loadu_si256((const __m256i *)(a + 16))));
        }
        total += add_lanes(s0) + add_lanes(s1);
    }
    return total;
}

void
lm_fill_codes_avx2(lm_kernels *table)
{
    table->scan_codes = scan_codes;
    table->estimate_codes = estimate_codes;
    table->dot_s16_s8 = dot_s16_s8;
}

#endif
