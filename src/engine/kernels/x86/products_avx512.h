/*
 * products_avx512.h - tiles of products with weights of 16 and of 8 bits in AVX-512: 6 × 64, that
 * is 24 accumulators, four vectors of B and one of A, of 32 registers.
 *
 * The instructions stand in steps_avx512.h as macros; test/kernels has the same macros in plain C,
 * and so runs these tiles on any CPU. A level says which it has: STEP_BF16 and STEP_INT8 take four
 * vectors b0 … b3 by one of A, and LOAD_… make b0 … b3.
 */
#include "kernels/generic/cuts.h"
#include "kernels/levels.h"

#define ROW_0(x, at) BROADCAST(x, a0, at, 0)
#define ROW_1(x, at) BROADCAST(x, a0, at, 1)
#define ROW_2(x, at) BROADCAST(x, a0, at, 2)
#define ROW_3(x, at) BROADCAST(x, a3, at, 0)
#define ROW_4(x, at) BROADCAST(x, a3, at, 1)
#define ROW_5(x, at) BROADCAST(x, a3, at, 2)

#define EACH(f, c0, c1, c2, c3, x) f(c0, x, b0) f(c1, x, b1) f(c2, x, b2) f(c3, x, b3)
#define STEP(r, at, type, f)                               \
    {                                                      \
        type x;                                            \
                                                           \
        ROW_##r(x, at);                                    \
        EACH(f, c##r##_0, c##r##_1, c##r##_2, c##r##_3, x) \
    }
#define DECLARE_BF16(r, at)                                         \
    vf c##r##_0 = v_load(t->bias), c##r##_1 = v_load(t->bias + VW), \
       c##r##_2 = v_load(t->bias + 2 * VW), c##r##_3 = v_load(t->bias + 3 * VW);
#define STORE_BF16(r, at)                    \
    v_store(c + r * ldc, c##r##_0);          \
    v_store(c + r * ldc + VW, c##r##_1);     \
    v_store(c + r * ldc + 2 * VW, c##r##_2); \
    v_store(c + r * ldc + 3 * VW, c##r##_3);
#define DECLARE_INT8(r, at) \
    vi c##r##_0 = i_zero(), c##r##_1 = i_zero(), c##r##_2 = i_zero(), c##r##_3 = i_zero();
#define STORE_INT8(r, at)                    \
    i_store(c + r * ldc, c##r##_0);          \
    i_store(c + r * ldc + VW, c##r##_1);     \
    i_store(c + r * ldc + 2 * VW, c##r##_2); \
    i_store(c + r * ldc + 3 * VW, c##r##_3);

#define EACH_B(f) f(b0, b) f(b1, b + BYTES) f(b2, b + 2 * BYTES) f(b3, b + 3 * BYTES)

#ifdef BF16_ROUNDS_A

/* Two k's of both sides at once. */
#define BF16_STEPS(k) (((k) + 1) / 2)
#define STEP_BF16(r, at) STEP(r, at, vi, DOT_BF16)
#define TILE_BF16(rows)                                             \
    static TILE_TARGET void TILE_NAME(bf16, rows)(const lm_tile *t) \
    {                                                               \
        enum { BYTES = sizeof(vi) };                                \
        size_t lda = t->lda, ldc = t->ldc, steps = t->steps;        \
        const char *a0 = t->a, *a3 = a0 + 3 * lda, *b = t->b;       \
        float *c = t->c;                                            \
        LM_ROWS_##rows(DECLARE_BF16, 0);                            \
                                                                    \
        HIDE(a0, a3);                                               \
        for (; steps > 0; steps--) {                                \
            vi b0, b1, b2, b3;                                      \
                                                                    \
            EACH_B(LOAD)                                            \
            LM_ROWS_##rows(STEP_BF16, 0);                           \
            a0 += 4, a3 += 4;                                       \
            b += 4 * BYTES;                                         \
        }                                                           \
        LM_ROWS_##rows(STORE_BF16, 0)                               \
    }

#else

/* A vector of B holds two k's of its columns, which a shift and a mask make floats of. */
#define BF16_STEPS(k) ((k) / 2)
#define STEP_BF16(r, at) STEP(r, at, vf, FMA)
#define TILE_BF16(rows)                                             \
    static TILE_TARGET void TILE_NAME(bf16, rows)(const lm_tile *t) \
    {                                                               \
        enum { BYTES = sizeof(vi) };                                \
        size_t lda = t->lda, ldc = t->ldc, steps = t->steps;        \
        const char *a0 = t->a, *a3 = a0 + 3 * lda, *b = t->b;       \
        float *c = t->c;                                            \
        vf b0, b1, b2, b3;                                          \
        UPPER_MASK(upper)                                           \
        LM_ROWS_##rows(DECLARE_BF16, 0);                            \
                                                                    \
        HIDE(a0, a3);                                               \
        for (; steps > 0; steps--) {                                \
            EACH_B(SHIFT)                                           \
            LM_ROWS_##rows(STEP_BF16, 0);                           \
            EACH_B(MASK)                                            \
            LM_ROWS_##rows(STEP_BF16, 4);                           \
            a0 += 8, a3 += 8;                                       \
            b += 4 * BYTES;                                         \
        }                                                           \
        if (t->odd) {                                               \
            EACH_B(SHIFT)                                           \
            LM_ROWS_##rows(STEP_BF16, 0);                           \
        }                                                           \
        LM_ROWS_##rows(STORE_BF16, 0)                               \
    }

#endif

/* Each step of B fills four vectors, B_BYTES of memory each. */
#define STEP_INT8(r, at) STEP(r, at, vi, DOT_INT8)
#define TILE_INT8(rows)                                             \
    static TILE_TARGET void TILE_NAME(int8, rows)(const lm_tile *t) \
    {                                                               \
        enum { BYTES = VW * INT8_GROUP };                           \
        size_t lda = t->lda, ldc = t->ldc, steps = t->steps;        \
        const char *a0 = t->a, *a3 = a0 + 3 * lda, *b = t->b;       \
        int32_t *c = t->c;                                          \
        LM_ROWS_##rows(DECLARE_INT8, 0);                            \
                                                                    \
        HIDE(a0, a3);                                               \
        for (; steps > 0; steps--) {                                \
            vi b0, b1, b2, b3;                                      \
                                                                    \
            EACH_B(LOAD_INT8)                                       \
            LM_ROWS_##rows(STEP_INT8, 0);                           \
            a0 += 4, a3 += 4;                                       \
            b += 4 * BYTES;                                         \
        }                                                           \
        LM_ROWS_##rows(STORE_INT8, 0)                               \
    }

#define TILES(tile) tile(1) tile(2) tile(3) tile(4) tile(5) tile(6)
TILES(TILE_BF16)
TILES(TILE_INT8)

#define ENTRIES(p)                                                                           \
    {                                                                                        \
        TILE_NAME(p, 1), TILE_NAME(p, 2), TILE_NAME(p, 3), TILE_NAME(p, 4), TILE_NAME(p, 5), \
            TILE_NAME(p, 6)                                                                  \
    }
static const lm_tile_reduced LM_NAME(tiles_bf16)[BF16_ROWS] = ENTRIES(bf16);
static const lm_tile_reduced LM_NAME(tiles_int8)[INT8_ROWS] = ENTRIES(int8);

#include "kernels/generic/products.h"
