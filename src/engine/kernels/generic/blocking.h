/*
 * blocking.h - how a run of rows is cut into tiles, and repetition of a macro by row. Nothing here
 * is compiled for a level.
 */
#ifndef LM_GENERIC_BLOCKING_H
#define LM_GENERIC_BLOCKING_H

#include <stddef.h>

#define LM_ROWS_1(f, cols) f(0, cols)
#define LM_ROWS_2(f, cols) LM_ROWS_1(f, cols) f(1, cols)
#define LM_ROWS_3(f, cols) LM_ROWS_2(f, cols) f(2, cols)
#define LM_ROWS_4(f, cols) LM_ROWS_3(f, cols) f(3, cols)
#define LM_ROWS_5(f, cols) LM_ROWS_4(f, cols) f(4, cols)
#define LM_ROWS_6(f, cols) LM_ROWS_5(f, cols) f(5, cols)
#define LM_ROWS_7(f, cols) LM_ROWS_6(f, cols) f(6, cols)
#define LM_ROWS_8(f, cols) LM_ROWS_7(f, cols) f(7, cols)
#define LM_ROWS_9(f, cols) LM_ROWS_8(f, cols) f(8, cols)
#define LM_ROWS_10(f, cols) LM_ROWS_9(f, cols) f(9, cols)
#define LM_ROWS_11(f, cols) LM_ROWS_10(f, cols) f(10, cols)
#define LM_ROWS_12(f, cols) LM_ROWS_11(f, cols) f(11, cols)

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
 * Rows of the next tile when `left` rows are left and a tile holds `most`: as even as can be, for
 * 4 + 3 rows keep more accumulators busy than 6 + 1.
 */
static inline size_t
tile_rows(size_t left, size_t most)
{
    size_t tiles = (left + most - 1) / most;

    return (left + tiles - 1) / tiles;
}

#endif
