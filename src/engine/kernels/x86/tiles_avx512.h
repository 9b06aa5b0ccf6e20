/*
 * tiles_avx512.h - what the tiles of products with weights of 16 and of 8 bits share in AVX-512: 6
 * × 64, that is 24 accumulators, four vectors of B and one of A, of 32 registers.
 *
 * The instructions stand in steps_avx512.h as macros; test/kernels has the same macros in plain C,
 * and so runs these tiles on any CPU.
 */
#ifndef LM_TILES_AVX512_H
#define LM_TILES_AVX512_H

#include "kernels/generic/blocking.h"
#include "kernels/levels.h"

#define ROW_0(x, at) BROADCAST(x, a0, at, 0)
#define ROW_1(x, at) BROADCAST(x, a0, at, 1)
#define ROW_2(x, at) BROADCAST(x, a0, at, 2)
#define ROW_3(x, at) BROADCAST(x, a3, at, 0)
#define ROW_4(x, at) BROADCAST(x, a3, at, 1)
#define ROW_5(x, at) BROADCAST(x, a3, at, 2)

#define EACH(f, c0, c1, c2, c3, x) f(c0, x, b0) f(c1, x, b1) f(c2, x, b2) f(c3, x, b3)
#define EACH_B(f) f(b0, b) f(b1, b + BYTES) f(b2, b + 2 * BYTES) f(b3, b + 3 * BYTES)
#define STEP(r, at, type, f)                               \
    {                                                      \
        type x;                                            \
                                                           \
        ROW_##r(x, at);                                    \
        EACH(f, c##r##_0, c##r##_1, c##r##_2, c##r##_3, x) \
    }
#define STORE(r, f)                    \
    f(c + r * ldc, c##r##_0);          \
    f(c + r * ldc + VW, c##r##_1);     \
    f(c + r * ldc + 2 * VW, c##r##_2); \
    f(c + r * ldc + 3 * VW, c##r##_3);

/*
 * Each step fills the four vectors of B, `bytes` of memory each, and takes four bytes of a row of
 * A. DECLARE_, LOAD_, STEP_ and STORE_ of the kind say how.
 */
#define TILE(kind, precision, rows, sum, bytes)                          \
    static TILE_TARGET void TILE_NAME(precision, rows)(const lm_tile *t) \
    {                                                                    \
        enum { BYTES = bytes };                                          \
        size_t lda = t->lda, ldc = t->ldc, steps = t->steps;             \
        const char *a0 = t->a, *a3 = a0 + 3 * lda, *b = t->b;            \
        sum *c = t->c;                                                   \
        LM_ROWS_##rows(DECLARE_##kind, 0);                               \
                                                                         \
        HIDE(a0, a3);                                                    \
        for (; steps > 0; steps--) {                                     \
            vi b0, b1, b2, b3;                                           \
                                                                         \
            EACH_B(LOAD_##kind)                                          \
            LM_ROWS_##rows(STEP_##kind, 0);                              \
            a0 += 4, a3 += 4;                                            \
            b += 4 * BYTES;                                              \
        }                                                                \
        LM_ROWS_##rows(STORE_##kind, 0)                                  \
    }

#define TILES(tile) tile(1) tile(2) tile(3) tile(4) tile(5) tile(6)
#define ENTRIES(p)                                                                           \
    {                                                                                        \
        TILE_NAME(p, 1), TILE_NAME(p, 2), TILE_NAME(p, 3), TILE_NAME(p, 4), TILE_NAME(p, 5), \
            TILE_NAME(p, 6)                                                                  \
    }

#endif
