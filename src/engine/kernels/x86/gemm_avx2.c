/*
 * gemm_avx2.c - matrix product, level AVX2: tiles of 4 × 24, that is 12 accumulators, three vectors
 * of B and one of A: all 16 registers.
 *
 * The multiply-add is inline assembly of one instruction: with intrinsics GCC 12 moves and spills
 * accumulators in this loop. scripts/check-spills looks at the result.
 */
#if defined(__x86_64__)
#include "kernels/x86/vector_avx2.h"

#include "kernels/generic/gemm.h"

#define FMA(c, a, b) __asm__("vfmadd231ps %2, %1, %0" : "+x"(c) : "x"(a), "x"(b))

#define DECLARE_1(r) vf c##r##_0 = v_load(bias);
#define DECLARE_2(r) DECLARE_1(r) vf c##r##_1 = v_load(bias + VW);
#define DECLARE_3(r) DECLARE_2(r) vf c##r##_2 = v_load(bias + 2 * VW);
#define DECLARE(r, cols) DECLARE_##cols(r)

/* A step reads a line and a half. */
#define FETCH(p) _mm_prefetch((const char *)(p), _MM_HINT_T0)
#define FETCH_1 FETCH(fetch);
#define FETCH_2 FETCH_1
#define FETCH_3 FETCH_2 FETCH(fetch + 2 * VW);

#define LOAD_1 vf b0 = v_load(b);
#define LOAD_2 LOAD_1 vf b1 = v_load(b + VW);
#define LOAD_3 LOAD_2 vf b2 = v_load(b + 2 * VW);

#define STEP_1(r) FMA(c##r##_0, x, b0);
#define STEP_2(r) STEP_1(r) FMA(c##r##_1, x, b1);
#define STEP_3(r) STEP_2(r) FMA(c##r##_2, x, b2);

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
            : "=x"(x)                      \
            : "r"(p), "r"(lda), "m"(*(const float(*)[4096])p))
#define ROW_0(x) BROADCAST_0(x, a0)
#define ROW_1(x) BROADCAST_1(x, a0)
#define ROW_2(x) BROADCAST_2(x, a0)
#define ROW_3(x) BROADCAST_0(x, a3)

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
#define STORE(r, cols) STORE_##cols(r)

/* Pointers that the compiler cannot derive from one another: it would keep offsets instead. */
#define HIDE(p, q) __asm__("" : "+r"(p), "+r"(q))

#define TILE(rows, cols)                                                                     \
    static LM_TARGET void lm_gemm_f32_##rows##x##cols##_avx2(const lm_tile_f32 *t)           \
    {                                                                                        \
        size_t lda = t->lda, ldb = t->ldb, ldc = t->ldc, k = t->k, stride = t->fetch_stride; \
        const float *a0 = t->a, *a3 = a0 + 3 * lda, *b = t->b, *fetch = t->fetch;            \
        float *c = t->c;                                                                     \
        const float *bias = t->bias;                                                         \
        LM_ROWS_##rows(DECLARE, cols);                                                       \
                                                                                             \
        HIDE(a0, a3);                                                                        \
        for (; k > 0; k--) {                                                                 \
            LOAD_##cols;                                                                     \
            FETCH_##cols;                                                                    \
            LM_ROWS_##rows(STEP, cols);                                                      \
            a0++, a3++;                                                                      \
            b += ldb;                                                                        \
            fetch += stride;                                                                 \
        }                                                                                    \
        LM_ROWS_##rows(STORE, cols)                                                          \
    }

#define TILES(cols) TILE(1, cols) TILE(2, cols) TILE(3, cols) TILE(4, cols)
TILES(1)
TILES(2)
TILES(3)

#define ENTRIES(cols)                                                                          \
    {                                                                                          \
        lm_gemm_f32_1x##cols##_avx2, lm_gemm_f32_2x##cols##_avx2, lm_gemm_f32_3x##cols##_avx2, \
            lm_gemm_f32_4x##cols##_avx2                                                        \
    }
const lm_tile_function lm_tiles_f32_avx2[3][4] = {ENTRIES(1), ENTRIES(2), ENTRIES(3)};

#endif
