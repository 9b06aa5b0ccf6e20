/*
 * tiles_elements_avx512.h - tiles of products whose elements of A and B are four bytes, in AVX-512:
 * 6 × 64, or of up to 12 × 32 where one panel is all there is or all rows fit one tile. 24
 * accumulators, four vectors of B and one of A, of 32 registers.
 *
 * An element is a float, or a pair of bfloat16: TILE_VECTOR is a vector of them, TILE_LOAD loads
 * it, TILE_DOT adds products by lane. TILE_FETCH fetches a line ahead, or is empty. The
 * instructions are inline assembly (steps_avx512.h); scripts/check-spills looks at the result.
 */
#ifndef LM_TILES_ELEMENTS_AVX512_H
#define LM_TILES_ELEMENTS_AVX512_H

#include "kernels/generic/blocking.h"
#include "kernels/levels.h"

#define DECLARE_1(r) vf c##r##_0 = v_load(bias);
#define DECLARE_2(r) DECLARE_1(r) vf c##r##_1 = v_load(bias + VW);
#define DECLARE_3(r) DECLARE_2(r) vf c##r##_2 = v_load(bias + 2 * VW);
#define DECLARE_4(r) DECLARE_3(r) vf c##r##_3 = v_load(bias + 3 * VW);
#define DECLARE(r, cols) DECLARE_##cols(r)

/* As many lines as one step reads, and no more: the tile's first two vectors, and the others. */
#define FETCH_1 TILE_FETCH(fetch)
#define FETCH_2 FETCH_1 TILE_FETCH(fetch + VW)
#define FETCH_3 FETCH_2 TILE_FETCH(fetch2)
#define FETCH_4 FETCH_3 TILE_FETCH(fetch2 + VW)

#define LOAD_1 TILE_LOAD(b0, b)
#define LOAD_2 LOAD_1 TILE_LOAD(b1, b + VW)
#define LOAD_3 LOAD_2 TILE_LOAD(b2, wide)
#define LOAD_4 LOAD_3 TILE_LOAD(b3, wide + VW)

#define VECTORS_1 TILE_VECTOR b0
#define VECTORS_2 VECTORS_1, b1
#define VECTORS_3 VECTORS_2, b2
#define VECTORS_4 VECTORS_3, b3

#define STEP_1(r) TILE_DOT(c##r##_0, x, b0)
#define STEP_2(r) STEP_1(r) TILE_DOT(c##r##_1, x, b1)
#define STEP_3(r) STEP_2(r) TILE_DOT(c##r##_2, x, b2)
#define STEP_4(r) STEP_3(r) TILE_DOT(c##r##_3, x, b3)

/*
 * Row r of A is one of three at a pointer: p, p + lda, p + 2·lda, as x86 can address. In assembly,
 * for compilers keep a pointer or an offset for each of many rows, and spill them.
 */
#define ROW_0(x) BROADCAST(x, a0, 0, 0)
#define ROW_1(x) BROADCAST(x, a0, 0, 1)
#define ROW_2(x) BROADCAST(x, a0, 0, 2)
#define ROW_3(x) BROADCAST(x, a3, 0, 0)
#define ROW_4(x) BROADCAST(x, a3, 0, 1)
#define ROW_5(x) BROADCAST(x, a3, 0, 2)
#define ROW_6(x) BROADCAST(x, a6, 0, 0)
#define ROW_7(x) BROADCAST(x, a6, 0, 1)
#define ROW_8(x) BROADCAST(x, a6, 0, 2)
#define ROW_9(x) BROADCAST(x, a9, 0, 0)
#define ROW_10(x) BROADCAST(x, a9, 0, 1)
#define ROW_11(x) BROADCAST(x, a9, 0, 2)

/* One row: its element in every lane, times the vectors of B. */
#define STEP(r, cols)  \
    {                  \
        TILE_VECTOR x; \
                       \
        ROW_##r(x);    \
        STEP_##cols(r) \
    }

#define STORE_1(r) v_store(c + r * ldc, c##r##_0);
#define STORE_2(r) STORE_1(r) v_store(c + r * ldc + VW, c##r##_1);
#define STORE_3(r) STORE_2(r) v_store(c + r * ldc + 2 * VW, c##r##_2);
#define STORE_4(r) STORE_3(r) v_store(c + r * ldc + 3 * VW, c##r##_3);
#define STORE(r, cols) STORE_##cols(r)

#define TILE(rows, cols)                                                             \
    static TILE_TARGET void TILE_NAME(rows, cols)(const lm_tile_f32 *t)              \
    {                                                                                \
        size_t lda = t->lda * sizeof(float), ldb = t->ldb, ldc = t->ldc, k = t->k;   \
        size_t stride = t->fetch_stride;                                             \
        const char *a0 = (const char *)t->a, *a3 = a0 + 3 * lda, *a6 = a3 + 3 * lda, \
                   *a9 = a6 + 3 * lda;                                               \
        const float *b = t->b, *wide = b + t->wide, *fetch = t->fetch,               \
                    *fetch2 = fetch + t->fetch_wide;                                 \
        float *c = t->c;                                                             \
        const float *bias = t->bias;                                                 \
        LM_ROWS_##rows(DECLARE, cols);                                               \
                                                                                     \
        HIDE(a0, a3);                                                                \
        HIDE(a6, a9);                                                                \
        HIDE(b, wide);                                                               \
        HIDE(fetch, fetch2);                                                         \
        for (; k > 0; k--) {                                                         \
            VECTORS_##cols;                                                          \
                                                                                     \
            LOAD_##cols;                                                             \
            FETCH_##cols;                                                            \
            LM_ROWS_##rows(STEP, cols);                                              \
            a0 += 4, a3 += 4, a6 += 4, a9 += 4;                                      \
            b += ldb, wide += ldb;                                                   \
            fetch += stride, fetch2 += stride;                                       \
        }                                                                            \
        LM_ROWS_##rows(STORE, cols)                                                  \
    }

#define TILES(cols) \
    TILE(1, cols) TILE(2, cols) TILE(3, cols) TILE(4, cols) TILE(5, cols) TILE(6, cols)
#define TALL_TILES(cols) \
    TILE(7, cols) TILE(8, cols) TILE(9, cols) TILE(10, cols) TILE(11, cols) TILE(12, cols)
TILES(1)
TILES(2)
TILES(3)
TILES(4)
TALL_TILES(1)
TALL_TILES(2)

#define SIX(cols)                                                                   \
    TILE_NAME(1, cols), TILE_NAME(2, cols), TILE_NAME(3, cols), TILE_NAME(4, cols), \
        TILE_NAME(5, cols), TILE_NAME(6, cols)
#define TWELVE(cols)                                                                            \
    SIX(cols), TILE_NAME(7, cols), TILE_NAME(8, cols), TILE_NAME(9, cols), TILE_NAME(10, cols), \
        TILE_NAME(11, cols), TILE_NAME(12, cols)
#define TILE_TABLE                          \
    {                                       \
        {TWELVE(1)}, {TWELVE(2)}, {SIX(3)}, \
        {                                   \
            SIX(4)                          \
        }                                   \
    }

#endif
