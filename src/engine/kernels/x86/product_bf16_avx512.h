/*
 * product_bf16_avx512.h - tiles of products with weights of 16 bits in AVX-512, and the product
 * over them. Where a level rounds A (BF16_ROUNDS_A) DOT_BF16 multiplies pairs; elsewhere pairs
 * become floats.
 */
#include "kernels/x86/tiles_avx512.h"

enum { BF16_GROUP = 2, BF16_ROWS = 6, BF16_COLS = 4 };

#define DECLARE_BF16(r, at)                                         \
    vf c##r##_0 = v_load(t->bias), c##r##_1 = v_load(t->bias + VW), \
       c##r##_2 = v_load(t->bias + 2 * VW), c##r##_3 = v_load(t->bias + 3 * VW);
#define STORE_BF16(r, at) STORE(r, v_store)

#ifdef BF16_ROUNDS_A

/* Two k's of both sides at once. */
#define BF16_STEPS(k) (((k) + 1) / 2)
#define LOAD_BF16 LOAD
#define STEP_BF16(r, at) STEP(r, at, vi, DOT_BF16)
#define TILE_BF16(rows) TILE(BF16, bf16, rows, float, sizeof(vi))

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

TILES(TILE_BF16)

static const lm_tile_reduced LM_NAME(tiles_bf16)[BF16_ROWS] = ENTRIES(bf16);

#include "kernels/generic/product_bf16.h"
