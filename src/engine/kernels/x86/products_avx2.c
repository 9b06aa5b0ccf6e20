/*
 * products_avx2.c - products with weights of 16 and of 8 bits, level AVX2.
 *
 * bf16: tiles of 6 × 16, that is 12 accumulators, two vectors of B, one of A and one more. A vector
 * holds two k's of eight columns; a shift and a mask make floats of them, on other ports than the
 * multiply-adds.
 *
 * int8: tiles of 5 × 16. vpmaddubsw adds two products of u8 and s8 in 16 bits, and one addition
 * more makes sums of four, before vpmaddwd widens them: five instructions for eight k's of a
 * vector, where vpmaddwd alone would take eight. Sums fit where the weights of one sign are at most
 * 128 together. So packing interleaves steps of four k's that fit each other in all columns of a
 * panel, wherever they are, and takes the four in the one of three orders that fits. A's codes wait
 * in all three. For steps that fit no other, B is widened to 16 bits on its way in, and vpmaddwd
 * multiplies A's codes of 16 bits. All sums are exact, whatever the weights.
 *
 * Inline assembly of one instruction, as in gemm_avx2.c; scripts/check-spills looks at the result.
 */
#if defined(__x86_64__)
#include "kernels/x86/vector_avx2.h"

#include "kernels/generic/blocking.h"
#include "kernels/levels.h"

typedef __m256i vi;
typedef int16_t int8_code;

enum { BF16_GROUP = 2, BF16_ROWS = 6, BF16_COLS = 2, INT8_GROUP = 4, INT8_ROWS = 5, INT8_COLS = 2 };

#define BF16_STEPS(k) ((k) / 2)

/* Row r of A begins r · lda bytes behind a; `at` is an offset in bytes. */
#define BROADCAST(x, a, index, address)    \
    __asm__("vbroadcastss " address ", %0" \
            : "=x"(x)                      \
            : "r"(a), "r"(index), "m"(*(const char(*)[1 << 14])(a)))
#define ROW_0(x, a, at) BROADCAST(x, a, lda, at "(%1)")
#define ROW_1(x, a, at) BROADCAST(x, a, lda, at "(%1,%2)")
#define ROW_2(x, a, at) BROADCAST(x, a, lda, at "(%1,%2,2)")
#define ROW_3(x, a, at) BROADCAST(x, a, lda3, at "(%1,%2)")
#define ROW_4(x, a, at) BROADCAST(x, a, lda, at "(%1,%2,4)")
#define ROW_5(x, a, at) BROADCAST(x, a, lda5, at "(%1,%2)")

/* A multiple that the compiler cannot derive from another: it would work it out in the loop. */
#define DECLARE_MULTIPLE(name, times) \
    size_t name = (times)*lda;        \
    __asm__("" : "+r"(name))

/* ---- bf16 ---- */

#define FMA(c, a, b) __asm__("vfmadd231ps %2, %1, %0" : "+x"(c) : "x"(a), "x"(b))
#define SHIFT(b, p) \
    __asm__("vpslld $16, %1, %0" : "=x"(b) : "x"(_mm256_loadu_si256((const vi *)(p))))
#define MASK(b, p) __asm__("vpand %2, %1, %0" : "=x"(b) : "x"(upper), "m"(*(const vi *)(p)))

#define DECLARE_BF16(r, at) vf c##r##_0 = v_load(t->bias), c##r##_1 = v_load(t->bias + VW);
#define STEP_BF16(r, at)      \
    {                         \
        vf x;                 \
                              \
        ROW_##r(x, a, at);    \
        FMA(c##r##_0, x, b0); \
        FMA(c##r##_1, x, b1); \
    }
#define STORE_BF16(r, at)           \
    v_store(c + r * ldc, c##r##_0); \
    v_store(c + r * ldc + VW, c##r##_1);

#define TILE_BF16(rows)                                                  \
    static LM_TARGET void lm_gemm_bf16_##rows##x2_avx2(const lm_tile *t) \
    {                                                                    \
        size_t lda = t->lda, ldc = t->ldc, steps = t->steps;             \
        const char *a = t->a, *b = t->b;                                 \
        const vi upper = _mm256_set1_epi32((int)0xffff0000u);            \
        float *c = t->c;                                                 \
        vf b0, b1;                                                       \
        DECLARE_MULTIPLE(lda3, 3);                                       \
        DECLARE_MULTIPLE(lda5, 5);                                       \
        LM_ROWS_##rows(DECLARE_BF16, "");                                \
                                                                         \
        for (; steps > 0; steps--) {                                     \
            SHIFT(b0, b);                                                \
            SHIFT(b1, b + sizeof(vi));                                   \
            LM_ROWS_##rows(STEP_BF16, "");                               \
            MASK(b0, b);                                                 \
            MASK(b1, b + sizeof(vi));                                    \
            LM_ROWS_##rows(STEP_BF16, "4");                              \
            a += 8;                                                      \
            b += 2 * sizeof(vi);                                         \
        }                                                                \
        if (t->odd) {                                                    \
            SHIFT(b0, b);                                                \
            SHIFT(b1, b + sizeof(vi));                                   \
            LM_ROWS_##rows(STEP_BF16, "");                               \
        }                                                                \
        LM_ROWS_##rows(STORE_BF16, "")                                   \
    }

/* ---- int8 ---- */

#define WIDEN(b, p) __asm__("vpmovsxbw %1, %0" : "=x"(b) : "m"(*(const __m128i *)(p)))
#define LOAD(b, p) __asm__("vmovdqu %1, %0" : "=x"(b) : "m"(*(const vi *)(p)))
#define MADD(t, x, b) __asm__("vpmaddwd %2, %1, %0" : "=x"(t) : "x"(x), "x"(b))
#define MADD_BYTES(t, x, b) __asm__("vpmaddubsw %2, %1, %0" : "=x"(t) : "x"(x), "x"(b))
#define MADD_BYTES_AT(t, x, p) \
    __asm__("vpmaddubsw %2, %1, %0" : "=x"(t) : "x"(x), "m"(*(const vi *)(p)))
#define ADD_WORDS(c, t) __asm__("vpaddw %1, %0, %0" : "+x"(c) : "x"(t))
#define ADD(c, t) __asm__("vpaddd %1, %0, %0" : "+x"(c) : "x"(t))

#define DECLARE_INT8(r, at) vi c##r##_0 = _mm256_setzero_si256(), c##r##_1 = c##r##_0;
/* Two interleaved steps: weights of one step and of the other, in b0 and from memory. */
#define STEP_INTERLEAVED(r, at)                  \
    {                                            \
        vi x, y, s, t;                           \
                                                 \
        ROW_##r(x, a, "");                       \
        ROW_##r(y, other, "");                   \
        MADD_BYTES(s, x, b0);                    \
        MADD_BYTES_AT(t, y, b + 2 * sizeof(vi)); \
        ADD_WORDS(s, t);                         \
        MADD(s, s, ones);                        \
        ADD(c##r##_0, s);                        \
        MADD_BYTES_AT(x, x, b + sizeof(vi));     \
        MADD_BYTES_AT(y, y, b + 3 * sizeof(vi)); \
        ADD_WORDS(x, y);                         \
        MADD(x, x, ones);                        \
        ADD(c##r##_1, x);                        \
    }
/* Two k's of a wide step. */
#define STEP_WIDE(r, at)   \
    {                      \
        vi x, y;           \
                           \
        ROW_##r(x, a, at); \
        MADD(y, x, b0);    \
        ADD(c##r##_0, y);  \
        MADD(x, x, b1);    \
        ADD(c##r##_1, x);  \
    }
#define STORE_INT8(r, at)                               \
    _mm256_storeu_si256((vi *)(c + r * ldc), c##r##_0); \
    _mm256_storeu_si256((vi *)(c + r * ldc + VW), c##r##_1);

#define TILE_INT8(rows)                                                       \
    static LM_TARGET void lm_gemm_int8_##rows##x2_avx2(const lm_tile *t)      \
    {                                                                         \
        size_t lda = t->lda, ldc = t->ldc;                                    \
        const uint16_t *at = t->at, *end = at + t->steps;                     \
        const char *codes = (const char *)t->a + t->interleaved, *b = t->b;   \
        const vi ones = _mm256_set1_epi16(1);                                 \
        int32_t *c = t->c;                                                    \
        vi b0, b1;                                                            \
        DECLARE_MULTIPLE(lda3, 3);                                            \
        LM_ROWS_##rows(DECLARE_INT8, "");                                     \
                                                                              \
        for (; at < end; at += 2, b += 4 * sizeof(vi)) {                      \
            const char *a = codes + (size_t)4 * at[0];                        \
            const char *other = codes + (size_t)4 * at[1];                    \
                                                                              \
            LOAD(b0, b);                                                      \
            LM_ROWS_##rows(STEP_INTERLEAVED, "");                             \
        }                                                                     \
        for (end = at + t->wide_steps; at < end; at++, b += 2 * sizeof(vi)) { \
            const char *a = (const char *)t->a + (size_t)8 * *at;             \
                                                                              \
            WIDEN(b0, b);                                                     \
            WIDEN(b1, b + sizeof(__m128i));                                   \
            LM_ROWS_##rows(STEP_WIDE, "");                                    \
            WIDEN(b0, b + 2 * sizeof(__m128i));                               \
            WIDEN(b1, b + 3 * sizeof(__m128i));                               \
            LM_ROWS_##rows(STEP_WIDE, "4");                                   \
        }                                                                     \
        LM_ROWS_##rows(STORE_INT8, "")                                        \
    }

#define TILES(tile) tile(1) tile(2) tile(3) tile(4) tile(5)
TILES(TILE_BF16)
TILE_BF16(6)
TILES(TILE_INT8)

#define ENTRIES(p)                                                          \
    lm_gemm_##p##_1x2_avx2, lm_gemm_##p##_2x2_avx2, lm_gemm_##p##_3x2_avx2, \
        lm_gemm_##p##_4x2_avx2, lm_gemm_##p##_5x2_avx2
static const lm_tile_reduced lm_tiles_bf16_avx2[BF16_ROWS] = {ENTRIES(bf16), lm_gemm_bf16_6x2_avx2};
static const lm_tile_reduced lm_tiles_int8_avx2[INT8_ROWS] = {ENTRIES(int8)};

#include "kernels/x86/interleave_avx2.h"

#include "kernels/generic/product_bf16.h"
#include "kernels/generic/product_int8.h"

#endif
