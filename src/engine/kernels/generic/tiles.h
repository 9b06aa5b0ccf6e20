/*
 * tiles.h - how a run of rows is cut into tiles, and repetition of a macro by row. Nothing here is
 * compiled for a level: functions of any target may inline it.
 */
#ifndef LM_GENERIC_TILES_H
#define LM_GENERIC_TILES_H

#include "kernels/levels.h"

/* Columns of one panel. */
enum { PANEL = VW * TILE_COLS };

#define LM_ROWS_1(f, cols) f(0, cols)
#define LM_ROWS_2(f, cols) LM_ROWS_1(f, cols) f(1, cols)
#define LM_ROWS_3(f, cols) LM_ROWS_2(f, cols) f(2, cols)
#define LM_ROWS_4(f, cols) LM_ROWS_3(f, cols) f(3, cols)
#define LM_ROWS_5(f, cols) LM_ROWS_4(f, cols) f(4, cols)
#define LM_ROWS_6(f, cols) LM_ROWS_5(f, cols) f(5, cols)

static inline size_t
at_most(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t
round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/*
 * Rows of the next tile when `left` rows are left: as even as can be, for 4 + 3 rows keep more
 * accumulators busy than 6 + 1.
 */
static inline size_t
tile_rows(size_t left)
{
    size_t tiles = (left + TILE_ROWS - 1) / TILE_ROWS;

    return (left + tiles - 1) / tiles;
}

/* Row tiles of one panel that is in the cache already: rows of A, K deep. */
static inline void
multiply_panel(size_t rows, size_t cols, size_t k, const float *a, size_t lda, const float *b,
               size_t ldb, float *c, size_t ldc)
{
    for (size_t i = 0, step; i < rows; i += step) {
        step = tile_rows(rows - i);
        LM_NAME(tiles_f32)[cols - 1][step - 1](k, a + i * lda, lda, b, ldb, c + i * ldc, ldc, b, 0);
    }
}

#endif
