/*
 * gemm_avx512.c - matrix product, level AVX-512: tiles of 6 × 64, or of up to 12 × 32 where all
 * rows of a short text fit one: 24 accumulators, four vectors of B and one of A, of 32 registers.
 *
 * The multiply-add is inline assembly of one instruction: with intrinsics GCC 12 moves and spills
 * accumulators in this loop. scripts/check-spills looks at the result.
 */
#if defined(__x86_64__)
#include "kernels/x86/vector_avx512.h"

#include "kernels/generic/gemm.h"

#define FMA(c, a, b) __asm__("vfmadd231ps %2, %1, %0" : "+v"(c) : "v"(a), "v"(b))

#define DECLARE_1(r) vf c##r##_0 = v_load(bias);
#define DECLARE_2(r) DECLARE_1(r) vf c##r##_1 = v_load(bias + VW);
#define DECLARE_3(r) DECLARE_2(r) vf c##r##_2 = v_load(bias + 2 * VW);
#define DECLARE_4(r) DECLARE_3(r) vf c##r##_3 = v_load(bias + 3 * VW);
#define DECLARE(r, cols) DECLARE_##cols(r)

/* As many lines as one step reads, and no more: the tile's first two vectors, and the others. */
#define FETCH(p) _mm_prefetch((const char *)(p), _MM_HINT_T0)
#define FETCH_1 FETCH(fetch);
#define FETCH_2 FETCH_1 FETCH(fetch + VW);
#define FETCH_3 FETCH_2 FETCH(fetch2);
#define FETCH_4 FETCH_3 FETCH(fetch2 + VW);

#define LOAD_1 vf b0 = v_load(b);
#define LOAD_2 LOAD_1 vf b1 = v_load(b + VW);
#define LOAD_3 LOAD_2 vf b2 = v_load(wide);
#define LOAD_4 LOAD_3 vf b3 = v_load(wide + VW);

#define STEP_1(r) FMA(c##r##_0, x, b0);
#define STEP_2(r) STEP_1(r) FMA(c##r##_1, x, b1);
#define STEP_3(r) STEP_2(r) FMA(c##r##_2, x, b2);
#define STEP_4(r) STEP_3(r) FMA(c##r##_3, x, b3);

/*
 * Row r of A is one of three at a pointer: p, p + lda, p + 2·lda, as x86 can address. In assembly,
 * for compilers keep a pointer or an offset for each of many rows, and spill them. The operand "m"
 * says that the rows behind p are read; its length is of no matter.
 */
#define BROADCAST_0(x, p) x = v_set(*p)
#define BROADCAST_1(x, p) BROADCAST(x, p, "(%1,%2,4)")
#define BROADCAST_2(x, p) BROADCAST(x, p, "(%1,%2,8)")
#define BROADCAST(x, p, address)           \
    __asm__("vbroadcastss " address ", %0" \
            : "=v"(x)                      \
            : "r"(p), "r"(lda), "m"(*(const float(*)[4096])p))
#define ROW_0(x) BROADCAST_0(x, a0)
#define ROW_1(x) BROADCAST_1(x, a0)
#define ROW_2(x) BROADCAST_2(x, a0)
#define ROW_3(x) BROADCAST_0(x, a3)
#define ROW_4(x) BROADCAST_1(x, a3)
#define ROW_5(x) BROADCAST_2(x, a3)
#define ROW_6(x) BROADCAST_0(x, a6)
#define ROW_7(x) BROADCAST_1(x, a6)
#define ROW_8(x) BROADCAST_2(x, a6)
#define ROW_9(x) BROADCAST_0(x, a9)
#define ROW_10(x) BROADCAST_1(x, a9)
#define ROW_11(x) BROADCAST_2(x, a9)

/* One row: its value in every lane, times the vectors of B. */
#define STEP(r, cols)  \
    {                  \
        vf x;          \
                       \
        ROW_##r(x);    \
        STEP_##cols(r) \
    }

#define STORE_1(r) v_store(c + r * ldc, c##r##_0);
#define STORE_2(r) STORE_1(r) v_store(c + r * ldc + VW, c##r##_1);
#define STORE_3(r) STORE_2(r) v_store(c + r * ldc + 2 * VW, c##r##_2);
#define STORE_4(r) STORE_3(r) v_store(c + r * ldc + 3 * VW, c##r##_3);
#define STORE(r, cols) STORE_##cols(r)

/* Pointers that the compiler cannot derive from one another: it would keep offsets instead. */
#define HIDE(p, q) __asm__("" : "+r"(p), "+r"(q))

#define TILE(rows, cols)                                                                     \
    static LM_TARGET void lm_gemm_f32_##rows##x##cols##_avx512(const lm_tile_f32 *t)         \
    {                                                                                        \
        size_t lda = t->lda, ldb = t->ldb, ldc = t->ldc, k = t->k, stride = t->fetch_stride; \
        const float *a0 = t->a, *a3 = a0 + 3 * lda, *a6 = a3 + 3 * lda, *a9 = a6 + 3 * lda;  \
        const float *b = t->b, *wide = b + t->wide, *fetch = t->fetch,                       \
                    *fetch2 = fetch + t->fetch_wide;                                         \
        float *c = t->c;                                                                     \
        const float *bias = t->bias;                                                         \
        LM_ROWS_##rows(DECLARE, cols);                                                       \
                                                                                             \
        HIDE(a0, a3);                                                                        \
        HIDE(a6, a9);                                                                        \
        HIDE(b, wide);                                                                       \
        HIDE(fetch, fetch2);                                                                 \
        for (; k > 0; k--) {                                                                 \
            LOAD_##cols;                                                                     \
            FETCH_##cols;                                                                    \
            LM_ROWS_##rows(STEP, cols);                                                      \
            a0++, a3++, a6++, a9++;                                                          \
            b += ldb, wide += ldb;                                                           \
            fetch += stride, fetch2 += stride;                                               \
        }                                                                                    \
        LM_ROWS_##rows(STORE, cols)                                                          \
    }

#define TILES(cols) \
    TILE(1, cols) TILE(2, cols) TILE(3, cols) TILE(4, cols) TILE(5, cols) TILE(6, cols)
TILES(1)
TILES(2)
TILES(3)
TILES(4)

TILE(7, 2)
TILE(8, 2)
TILE(9, 2)
TILE(10, 2)
TILE(11, 2)
TILE(12, 2)
TILE(7, 1)
TILE(8, 1)
TILE(9, 1)
TILE(10, 1)
TILE(11, 1)
TILE(12, 1)

#define NAME(rows, cols) lm_gemm_f32_##rows##x##cols##_avx512
#define SIX(cols) \
    NAME(1, cols), NAME(2, cols), NAME(3, cols), NAME(4, cols), NAME(5, cols), NAME(6, cols)
#define TWELVE(cols)                                                                        \
    SIX(cols), NAME(7, cols), NAME(8, cols), NAME(9, cols), NAME(10, cols), NAME(11, cols), \
        NAME(12, cols)
const lm_tile_function lm_tiles_f32_avx512[4][12] = {{TWELVE(1)}, {TWELVE(2)}, {SIX(3)}, {SIX(4)}};

#endif
