/*
 * interleave_avx2.h - the order of an int8 product's steps at level AVX2. A step is four k's of a
 * panel; two steps that fit each other are interleaved.
 *
 * A step's four k's are taken in two pairs, in one of three ways, and the products of each pair are
 * added to those of a pair of the other step, in 16 bits. A step that fits no other is wide
 * (products_avx2.c). A panel is [interleaved twos][step][column][4], in the order of the pairs,
 * then [wide steps][2][column][2], in the order of k. Its notes: how many steps are interleaved,
 * and where in A each step is, interleaved ones first.
 *
 * A row of A's codes is 16-bit codes in the order of k, then three times 8-bit codes, in the orders
 * in which the ways of pairing take them.
 */
#ifndef LM_X86_INTERLEAVE_AVX2_H
#define LM_X86_INTERLEAVE_AVX2_H

#include <stdlib.h>
#include <string.h>

#include "kernels/levels.h"

#define INT8_OWN_ORDER

enum {
    WAYS = 3,
    COLUMNS = VW * INT8_COLS,
    STEP_BYTES = 4 * COLUMNS,
    MOST_STEPS = LM_INT8_MAX_K / 4,
    MOST_SUM = 128, /* of weights of one sign that meet in 16 bits: 255 · 128 < 2^15 */
    LOOKS = 64,     /* at others, a step, on the average; ten are usual */
};

static const uint8_t ways[WAYS][4] = {{0, 1, 2, 3}, {0, 2, 1, 3}, {0, 3, 1, 2}};

static size_t
int8_steps(size_t k)
{
    return (k + 3) / 4;
}

/* Codes of a row in whole vectors of 8 bits, half an AVX2 register each. */
static size_t
int8_row_codes(size_t k)
{
    return round_up(k, 16);
}

static size_t
int8_row_bytes(size_t k)
{
    return round_up(int8_row_codes(k) * (sizeof(int8_code) + WAYS), 64);
}

static size_t
int8_note_count(size_t k)
{
    return 1 + int8_steps(k);
}

/* The code of column j + c at k, or 0 beyond the matrix. */
static int8_t
code_at(const lm_matrix *w, size_t column, size_t k)
{
    return column < w->n && k < w->k ? w->codes[column * w->k + k] : 0;
}

/* ---- Which steps go together ---- */

/* What the pairs of a step sum to, by column: the positive weights, then the negative ones. */
typedef struct pair_sums {
    vi of[WAYS][2];
} pair_sums;

/* Of a step whose weights are [4][column]. */
LM_INLINE pair_sums
sums_of(const int8_t *weights)
{
    pair_sums sums;
    vi magnitudes[4];

    for (size_t g = 0; g < 4; g++) {
        __m128i w = _mm_loadu_si128((const __m128i *)(const void *)(weights + g * COLUMNS));
        __m128i negative = _mm_cmpgt_epi8(_mm_setzero_si128(), w), magnitude = _mm_abs_epi8(w);

        magnitudes[g] = _mm256_set_m128i(_mm_and_si128(negative, magnitude),
                                         _mm_andnot_si128(negative, magnitude));
    }
    for (size_t way = 0; way < WAYS; way++)
        for (size_t pair = 0; pair < 2; pair++)
            sums.of[way][pair] = _mm256_adds_epu8(magnitudes[ways[way][2 * pair]],
                                                  magnitudes[ways[way][2 * pair + 1]]);
    return sums;
}

/* Whether all sums of a and b in the same place are of 16 bits after their products with A. */
LM_INLINE bool
go_together(const vi *a, const vi *b)
{
    vi most = _mm256_max_epu8(_mm256_adds_epu8(a[0], b[0]), _mm256_adds_epu8(a[1], b[1]));
    vi beyond = _mm256_subs_epu8(most, _mm256_set1_epi8((char)MOST_SUM));

    return _mm256_testz_si256(beyond, beyond);
}

/* The ways in which two steps go together, as way · WAYS + way, or −1. */
LM_INLINE int
common_ways(const pair_sums *a, const pair_sums *b)
{
    for (int way = 0; way < WAYS; way++)
        for (int other = 0; other < WAYS; other++)
            if (go_together(a->of[way], b->of[other]))
                return way * WAYS + other;
    return -1;
}

/* The weights of a panel's steps as [step][4][column]. */
static void
spread_panel(const lm_matrix *w, size_t j, int8_t *weights)
{
    for (size_t i = 0; i < 4 * int8_steps(w->k); i++)
        for (size_t c = 0; c < COLUMNS; c++)
            *weights++ = code_at(w, j + c, i);
}

/* Half the sum over columns of the square of a step's greatest weight: at most 2^17. */
static uint32_t
hardness(const int8_t *weights)
{
    uint32_t sum = 0;

    for (size_t c = 0; c < COLUMNS; c++) {
        int most = 0;

        for (size_t g = 0; g < 4; g++) {
            int weight = abs(weights[g * COLUMNS + c]);

            most = weight > most ? weight : most;
        }
        sum += (uint32_t)(most * most);
    }
    return sum / 2;
}

static int
descending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x < y) - (x > y);
}

/* The numbers of a panel's steps, the hardest first. */
static void
sort_steps(const int8_t *weights, size_t steps, uint16_t *at)
{
    uint32_t keys[MOST_STEPS];

    for (size_t step = 0; step < steps; step++)
        keys[step] = hardness(weights + step * STEP_BYTES) * MOST_STEPS + (uint32_t)step;
    qsort(keys, steps, sizeof(*keys), descending);
    for (size_t step = 0; step < steps; step++)
        at[step] = (uint16_t)(keys[step] % MOST_STEPS);
}

/*
 * Orders the steps' numbers, which come with the hardest first: each takes the hardest of the
 * others that it goes with, since an easy one goes with most. Those that are left after so many
 * looks are wide, so that time grows with the panel, whatever its weights. Numbers of interleaved
 * steps become places among the 8-bit codes of a row of A, of which each way of pairing has
 * `stride`. Returns how many are interleaved.
 */
static LM_TARGET size_t
interleave_steps(const int8_t *weights, size_t steps, size_t stride, uint16_t *at)
{
    const pair_sums nothing = {0};
    size_t first = 0, end = steps; /* at: interleaved, to be seen, wide */
    size_t looks = LOOKS * steps;

    while (first < end) {
        const uint16_t step = at[first];
        const pair_sums sums = sums_of(weights + step * STEP_BYTES);
        bool fits = common_ways(&sums, &nothing) >= 0;
        int common = -1;
        size_t i = first;

        for (; fits && common < 0 && looks > 0 && i + 1 < end; looks--) {
            const pair_sums others = sums_of(weights + at[++i] * STEP_BYTES);

            common = common_ways(&sums, &others);
        }
        if (common >= 0) {
            const uint16_t other = at[i];

            memmove(at + first + 2, at + first + 1, (i - first - 1) * sizeof(*at));
            at[first++] = (uint16_t)((size_t)common / WAYS * stride + step);
            at[first++] = (uint16_t)((size_t)common % WAYS * stride + other);
        } else {
            end--;
            memmove(at + first, at + first + 1, (end - first) * sizeof(*at));
            at[end] = step;
        }
    }
    return first;
}

/* ---- The panel ---- */

/* An interleaved step, from its place among A's 8-bit codes. */
static void
pack_pairs(const lm_matrix *w, size_t j, size_t place, size_t stride, int8_t *out)
{
    const uint8_t *order = ways[place / stride];
    size_t i = 4 * (place % stride);

    for (size_t c = 0; c < COLUMNS; c++)
        for (int g = 0; g < 4; g++)
            *out++ = code_at(w, j + c, i + order[g]);
}

/* A wide step. */
static void
pack_wide(const lm_matrix *w, size_t j, size_t step, int8_t *out)
{
    for (size_t half = 0; half < 2; half++)
        for (size_t c = 0; c < COLUMNS; c++)
            for (size_t g = 0; g < 2; g++)
                *out++ = code_at(w, j + c, 4 * step + 2 * half + g);
}

/* `out` holds the weights by step until their order is known. */
static void
pack_panel(const lm_matrix *w, size_t j, int8_t *out, uint16_t *notes)
{
    const size_t steps = int8_steps(w->k), stride = int8_row_codes(w->k) / 4;
    uint16_t *at = notes + 1;
    size_t interleaved;

    spread_panel(w, j, out);
    sort_steps(out, steps, at);
    interleaved = interleave_steps(out, steps, stride, at);
    for (size_t i = 0; i < steps; i++, out += STEP_BYTES)
        if (i < interleaved)
            pack_pairs(w, j, at[i], stride, out);
        else
            pack_wide(w, j, at[i], out);
    *notes = (uint16_t)interleaved;
}

/* A tile takes the steps of its panel from the notes. */
static void
take_steps(lm_tile *tile, size_t k, const uint16_t *notes)
{
    tile->interleaved = int8_row_codes(k) * sizeof(int8_code);
    tile->steps = *notes;
    tile->wide_steps = int8_steps(k) - *notes;
    tile->at = notes + 1;
}

/* The 8-bit codes of a row, from those of 16 bits; what is beyond k meets weights of zero. */
static LM_TARGET void
finish_codes(size_t k, int8_code *codes)
{
    const size_t count = int8_row_codes(k);
    const __m128i second = _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
    const __m128i third = _mm_setr_epi8(0, 3, 1, 2, 4, 7, 5, 6, 8, 11, 9, 10, 12, 15, 13, 14);
    uint8_t *bytes = (uint8_t *)(codes + count);

    for (size_t i = 0; i < count; i += 16) {
        const __m128i *from = (const __m128i *)(const void *)(codes + i);
        __m128i x = _mm_packus_epi16(_mm_loadu_si128(from), _mm_loadu_si128(from + 1));

        _mm_storeu_si128((__m128i *)(void *)(bytes + i), x);
        _mm_storeu_si128((__m128i *)(void *)(bytes + count + i), _mm_shuffle_epi8(x, second));
        _mm_storeu_si128((__m128i *)(void *)(bytes + 2 * count + i), _mm_shuffle_epi8(x, third));
    }
}

#endif
