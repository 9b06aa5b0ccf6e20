/*
 * pairs_avx2.h - the order of an int8 product's steps at level AVX2. A step is four k's of a panel.
 *
 * Its four k's are taken in pairs in one of three ways, or as a wide step (products_avx2.c). A
 * panel is [steps in pairs][wide steps], each in the order of k: the former [column][4], the latter
 * [2][column][2]. Two bits a step note which it is.
 *
 * A row of A's codes is 16-bit codes in the order of k, then three times 8-bit codes, in the orders
 * in which the ways of pairing take them.
 */
#ifndef LM_X86_PAIRS_AVX2_H
#define LM_X86_PAIRS_AVX2_H

#include "kernels/levels.h"

#define INT8_OWN_ORDER

/* A panel reads about half of a row's codes: those of one order at each step. */
#define INT8_READ_SHARE 2

enum { WAYS = 3, WIDE = WAYS, COLUMNS = VW * INT8_COLS };

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
int8_note_bytes(size_t k)
{
    return (int8_steps(k) + 3) / 4;
}

/* Places of steps in pairs, and of wide ones. */
static size_t
int8_order_bytes(size_t k)
{
    return 2 * round_up(int8_steps(k) * sizeof(uint32_t), 64);
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

static void
pack_panel(const lm_matrix *w, size_t j, int8_t *out, uint8_t *notes)
{
    for (size_t step = 0; step < int8_steps(w->k); step++) {
        int way = choose_way(w, j, 4 * step);

        notes[step / 4] |= (uint8_t)(way << step % 4 * 2);
        for (size_t c = 0; c < COLUMNS && way != WIDE; c++)
            for (int g = 0; g < 4; g++)
                *out++ = (int8_t)code_at(w, j + c, 4 * step + ways[way][g]);
    }
    for (size_t step = 0; step < int8_steps(w->k); step++)
        for (size_t half = 0; half < 2 && (notes[step / 4] >> step % 4 * 2 & 3) == WIDE; half++)
            for (size_t c = 0; c < COLUMNS; c++)
                for (size_t g = 0; g < 2; g++)
                    *out++ = (int8_t)code_at(w, j + c, 4 * step + 2 * half + g);
}

/* From a panel's notes to places in a row of A's codes. */
static void
order_steps(lm_tile *tile, size_t k, const uint8_t *notes, void *order)
{
    const uint32_t codes = (uint32_t)int8_row_codes(k);
    const uint32_t start[WAYS] = {2 * codes, 3 * codes, 4 * codes};
    uint32_t *at = order, *wide_at = at + int8_order_bytes(k) / 2 / sizeof *at;

    tile->at = at;
    tile->wide_at = wide_at;
    for (uint32_t step = 0; step < int8_steps(k); step++) {
        unsigned way = notes[step / 4] >> step % 4 * 2 & 3;

        *at = start[way % WAYS] + 4 * step;
        *wide_at = 8 * step;
        at += way != WIDE;
        wide_at += way == WIDE;
    }
    tile->steps = (size_t)(at - tile->at);
    tile->wide_steps = (size_t)(wide_at - tile->wide_at);
}

/* The 8-bit codes of a row, from those of 16 bits; what is beyond k meets weights of zero. */
static LM_TARGET void
finish_codes(size_t k, int8_code *codes)
{
    const size_t count = int8_row_codes(k);
    const __m128i second = _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
    const __m128i third = _mm_setr_epi8(0, 3, 1, 2, 4, 7, 5, 6, 8, 11, 9, 10, 12, 15, 13, 14);
    uint8_t *bytes = (uint8_t *)(codes + count);

    for (size_t i = round_up(k, VW); i < count; i++)
        codes[i] = 0;
    for (size_t i = 0; i < count; i += 16) {
        const __m128i *from = (const __m128i *)(const void *)(codes + i);
        __m128i x = _mm_packus_epi16(_mm_loadu_si128(from), _mm_loadu_si128(from + 1));

        _mm_storeu_si128((__m128i *)(void *)(bytes + i), x);
        _mm_storeu_si128((__m128i *)(void *)(bytes + count + i), _mm_shuffle_epi8(x, second));
        _mm_storeu_si128((__m128i *)(void *)(bytes + 2 * count + i), _mm_shuffle_epi8(x, third));
    }
}

#endif
