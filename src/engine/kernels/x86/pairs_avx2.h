/*
 * pairs_avx2.h - the order of an int8 product's steps at level AVX2. A step is four k's of a panel.
 *
 * Its four k's are taken in pairs in one of three ways, or as a wide step (products_avx2.c). A
 * panel is [steps in pairs][wide steps], the former [column][4] in the order of k, the latter
 * [2][column][2] in the reverse. Its notes: how many steps are in pairs, and where in A each step
 * is.
 *
 * A row of A's codes is 16-bit codes in the order of k, then three times 8-bit codes, in the orders
 * in which the ways of pairing take them.
 */
#ifndef LM_X86_PAIRS_AVX2_H
#define LM_X86_PAIRS_AVX2_H

#include "kernels/levels.h"

#define INT8_OWN_ORDER

enum { WAYS = 3, WIDE = WAYS, COLUMNS = VW * INT8_COLS, STEP_BYTES = 4 * COLUMNS };

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
static int
code_at(const lm_matrix *w, size_t column, size_t k)
{
    return column < w->n && k < w->k ? w->codes[column * w->k + k] : 0;
}

/* Whether the products of two weights with any two codes of A have a sum of 16 bits. */
static bool
pair_fits(int v, int w)
{
    return v + w >= -128 && v + w <= 128;
}

/* The first way in which the four k's from i on fit in all columns, or WIDE. */
static int
choose_way(const lm_matrix *w, size_t j, size_t i)
{
    int way = 0;

    for (size_t c = 0; c < COLUMNS && way < WAYS;) {
        const uint8_t *order = ways[way];
        int v[4];

        for (int g = 0; g < 4; g++)
            v[g] = code_at(w, j + c, i + order[g]);
        if (pair_fits(v[0], v[1]) && pair_fits(v[2], v[3])) {
            c++;
        } else {
            way++;
            c = 0;
        }
    }
    return way;
}

/* One step of a panel in pairs. */
static void
pack_pairs(const lm_matrix *w, size_t j, size_t i, const uint8_t *order, int8_t *out)
{
    for (size_t c = 0; c < COLUMNS; c++)
        for (int g = 0; g < 4; g++)
            *out++ = (int8_t)code_at(w, j + c, i + order[g]);
}

/* One wide step of a panel. */
static void
pack_wide(const lm_matrix *w, size_t j, size_t i, int8_t *out)
{
    for (size_t half = 0; half < 2; half++)
        for (size_t c = 0; c < COLUMNS; c++)
            for (size_t g = 0; g < 2; g++)
                *out++ = (int8_t)code_at(w, j + c, i + 2 * half + g);
}

/*
 * Steps in pairs grow from the front of the panel, wide ones from its end, and likewise where they
 * are: the number of a step among all that its kind of codes has in a row, at most 3 · 2^14.
 */
static void
pack_panel(const lm_matrix *w, size_t j, int8_t *out, uint16_t *notes)
{
    const size_t steps = int8_steps(w->k), stride = int8_row_codes(w->k) / 4;
    uint16_t *at = notes + 1, *wide_at = at + steps;
    int8_t *wide = out + steps * STEP_BYTES;

    for (size_t step = 0; step < steps; step++) {
        int way = choose_way(w, j, 4 * step);

        if (way == WIDE) {
            wide -= STEP_BYTES;
            pack_wide(w, j, 4 * step, wide);
            *--wide_at = (uint16_t)step;
        } else {
            pack_pairs(w, j, 4 * step, ways[way], out);
            out += STEP_BYTES;
            *at++ = (uint16_t)((size_t)way * stride + step);
        }
    }
    *notes = (uint16_t)(at - notes - 1);
}

/* A tile takes the steps of its panel from the notes. */
static void
take_steps(lm_tile *tile, size_t k, const uint16_t *notes)
{
    tile->paired = int8_row_codes(k) * sizeof(int8_code);
    tile->steps = *notes;
    tile->wide_steps = int8_steps(k) - *notes;
    tile->at = notes + 1;
    tile->wide_at = tile->at + *notes;
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
