/*
 * gemm_avx512.c - matrix product, level AVX-512: tiles of 6 × 64, that is 24 accumulators, four
 * vectors of B and one of A, of 32 registers.
 *
 * The multiply-add is inline assembly of one instruction: with intrinsics GCC 12 moves and spills
 * accumulators in this loop. scripts/check-spills looks at the result.
 */
#if defined(__x86_64__)
#include "kernels/x86/vector_avx512.h"

#include "kernels/generic/gemm.h"

#define FMA(c, a, b) __asm__("vfmadd231ps %2, %1, %0" : "+v"(c) : "v"(a), "v"(b))

#define DECLARE_1(r) vf c##r##_0 = v_zero();
#define DECLARE_2(r) DECLARE_1(r) vf c##r##_1 = v_zero();
#define DECLARE_3(r) DECLARE_2(r) vf c##r##_2 = v_zero();
#define DECLARE_4(r) DECLARE_3(r) vf c##r##_3 = v_zero();
#define DECLARE(r, cols) DECLARE_##cols(r)

/* As many lines as one step of the widest tile reads; narrower ones are never bound by memory. */
#define FETCH_LINE(i) _mm_prefetch((const char *)(next + 16 * i), _MM_HINT_T0)
#define FETCH_1 FETCH_LINE(0)
#define FETCH_2    \
    FETCH_LINE(0); \
    FETCH_LINE(1)
#define FETCH_3    \
    FETCH_LINE(0); \
    FETCH_LINE(1); \
    FETCH_LINE(2)
#define FETCH_4    \
    FETCH_LINE(0); \
    FETCH_LINE(1); \
    FETCH_LINE(2); \
    FETCH_LINE(3)

#define LOAD_1 vf b0 = v_load(b);
#define LOAD_2 LOAD_1 vf b1 = v_load(b + VW);
#define LOAD_3 LOAD_2 vf b2 = v_load(b + 2 * VW);
#define LOAD_4 LOAD_3 vf b3 = v_load(b + 3 * VW);

#define STEP_1(r) FMA(c##r##_0, x, b0);
#define STEP_2(r) STEP_1(r) FMA(c##r##_1, x, b1);
#define STEP_3(r) STEP_2(r) FMA(c##r##_2, x, b2);
#define STEP_4(r) STEP_3(r) FMA(c##r##_3, x, b3);
#define STEP(r, cols)                 \
    {                                 \
        vf x = v_set(a[r * lda + i]); \
                                      \
        STEP_##cols(r)                \
    }

#define STORE_1(r) v_store(c + r * ldc, c##r##_0);
#define STORE_2(r) STORE_1(r) v_store(c + r * ldc + VW, c##r##_1);
#define STORE_3(r) STORE_2(r) v_store(c + r * ldc + 2 * VW, c##r##_2);
#define STORE_4(r) STORE_3(r) v_store(c + r * ldc + 3 * VW, c##r##_3);
#define STORE(r, cols) STORE_##cols(r)

#define TILE(rows, cols)                                                                        \
    static LM_TARGET void lm_gemm_f32_##rows##x##cols##_avx512(                                 \
        size_t k, const float *a, size_t lda, const float *b, size_t ldb, float *c, size_t ldc, \
        const float *next, size_t stride)                                                       \
    {                                                                                           \
        LM_ROWS_##rows(DECLARE, cols);                                                          \
        for (size_t i = 0; i < k; i++, b += ldb, next += stride) {                              \
            FETCH_##cols;                                                                       \
            LOAD_##cols;                                                                        \
            LM_ROWS_##rows(STEP, cols)                                                          \
        }                                                                                       \
        LM_ROWS_##rows(STORE, cols)                                                             \
    }

#define TILES(cols) \
    TILE(1, cols) TILE(2, cols) TILE(3, cols) TILE(4, cols) TILE(5, cols) TILE(6, cols)
TILES(1)
TILES(2)
TILES(3)
TILES(4)

#define ENTRIES(cols)                                                     \
    {                                                                     \
        lm_gemm_f32_1x##cols##_avx512, lm_gemm_f32_2x##cols##_avx512,     \
            lm_gemm_f32_3x##cols##_avx512, lm_gemm_f32_4x##cols##_avx512, \
            lm_gemm_f32_5x##cols##_avx512, lm_gemm_f32_6x##cols##_avx512  \
    }
const lm_tile_f32 lm_tiles_f32_avx512[4][6] = {ENTRIES(1), ENTRIES(2), ENTRIES(3), ENTRIES(4)};

#endif
