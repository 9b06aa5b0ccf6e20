/*
 * product_int8_avx512.h - tiles of products with weights of 8 bits in AVX-512, and the product over
 * them. A level says how many k's DOT_INT8 takes (INT8_GROUP) and what A's codes are kept in.
 */
#include "kernels/x86/tiles_avx512.h"

enum { INT8_ROWS = 6, INT8_COLS = 4 };

#define DECLARE_INT8(r, at) \
    vi c##r##_0 = i_zero(), c##r##_1 = i_zero(), c##r##_2 = i_zero(), c##r##_3 = i_zero();
#define STEP_INT8(r, at) STEP(r, at, vi, DOT_INT8)
#define STORE_INT8(r, at) STORE(r, i_store)
#define TILE_INT8(rows) TILE(INT8, int8, rows, int32_t, VW *INT8_GROUP)

TILES(TILE_INT8)

static const lm_tile_reduced LM_NAME(tiles_int8)[INT8_ROWS] = ENTRIES(int8);

#include "kernels/generic/product_int8.h"
