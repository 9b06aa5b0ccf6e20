/*
 * portable.c - the level "scalar": every kernel for any CPU, from the shared bodies over four-lane
 * vectors of GNU C. Also what a processor other than x86 runs.
 */
#include "kernels/generic/portable_vector.h"

#include "kernels/generic/attention.h"
#include "kernels/generic/gemm.h"
#include "kernels/generic/rows.h"

/* A tile of `rows` × 2 vectors; `cols` of its columns are there. Eight accumulators at most. */
#define DECLARE(r, cols) \
    vf c##r##_0 = v_load(t->bias), c##r##_1 = cols == 2 ? v_load(t->bias + VW) : c##r##_0;
#define STEP_1(r) c##r##_0 = v_fma(v_set(a[r * lda + i]), b0, c##r##_0);
#define STEP_2(r) STEP_1(r) c##r##_1 = v_fma(v_set(a[r * lda + i]), b1, c##r##_1);
#define STEP(r, cols) STEP_##cols(r)
#define STORE(r, cols)              \
    v_store(c + r * ldc, c##r##_0); \
    if (cols == 2)                  \
        v_store(c + r * ldc + VW, c##r##_1);

#define TILE(rows, cols)                                                   \
    static void lm_gemm_f32_##rows##x##cols##_scalar(const lm_tile_f32 *t) \
    {                                                                      \
        const float *a = t->a, *b = t->b;                                  \
        float *c = t->c;                                                   \
        size_t lda = t->lda, ldb = t->ldb, ldc = t->ldc, k = t->k;         \
        LM_ROWS_##rows(DECLARE, cols);                                     \
                                                                           \
        for (size_t i = 0; i < k; i++, b += ldb) {                         \
            vf b0 = v_load(b), b1 = cols == 2 ? v_load(b + VW) : b0;       \
                                                                           \
            (void)b1;                                                      \
            LM_ROWS_##rows(STEP, cols)                                     \
        }                                                                  \
        LM_ROWS_##rows(STORE, cols)                                        \
    }

#define TILES(cols) TILE(1, cols) TILE(2, cols) TILE(3, cols) TILE(4, cols)
TILES(1)
TILES(2)

#define ENTRIES(cols)                                                    \
    {                                                                    \
        lm_gemm_f32_1x##cols##_scalar, lm_gemm_f32_2x##cols##_scalar,    \
            lm_gemm_f32_3x##cols##_scalar, lm_gemm_f32_4x##cols##_scalar \
    }
const lm_tile_function lm_tiles_f32_scalar[2][4] = {ENTRIES(1), ENTRIES(2)};
