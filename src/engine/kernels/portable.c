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

/*
 * Products with weights of 16 and of 8 bits, of one k at a time. A product of an u8 and an s8 fits
 * 16 bits, which SSE2 and NEON multiply in eight lanes.
 */
typedef int16_t int8_code;
typedef int8_t vi8x16 __attribute__((vector_size(16)));
typedef int64_t vi64x2 __attribute__((vector_size(16)));
typedef int16_t vi16x8 __attribute__((vector_size(16)));

enum { BF16_GROUP = 1, BF16_ROWS = 4, BF16_COLS = 2, INT8_GROUP = 1, INT8_ROWS = 4, INT8_COLS = 2 };

#define BF16_STEPS(k) (k)

#define DECLARE_BF16(r, cols) vf c##r##_0 = v_load(t->bias), c##r##_1 = v_load(t->bias + VW);
#define STEP_BF16(r, cols)                                 \
    c##r##_0 = v_fma(v_set(a[r * lda + i]), b0, c##r##_0); \
    c##r##_1 = v_fma(v_set(a[r * lda + i]), b1, c##r##_1);
#define TILE_BF16(rows)                                          \
    static void lm_gemm_bf16_##rows##x2_scalar(const lm_tile *t) \
    {                                                            \
        const float *a = t->a;                                   \
        const uint16_t *b = t->b;                                \
        float *c = t->c;                                         \
        size_t lda = t->lda / sizeof(float), ldc = t->ldc;       \
        LM_ROWS_##rows(DECLARE_BF16, 2);                         \
                                                                 \
        for (size_t i = 0; i < t->steps; i++, b += 2 * VW) {     \
            vf b0 = v_load_bf16(b), b1 = v_load_bf16(b + VW);    \
                                                                 \
            LM_ROWS_##rows(STEP_BF16, 2)                         \
        }                                                        \
        LM_ROWS_##rows(STORE, 2)                                 \
    }

/* Lanes twice as wide, with their signs: each beside itself, and shifted; compilers do worse. */
#define WIDER(type, x, ...) ((type)__builtin_shufflevector(x, x, __VA_ARGS__))
#define LOWER(x) (WIDER(vi, x, 0, 0, 1, 1, 2, 2, 3, 3) >> 16)
#define UPPER(x) (WIDER(vi, x, 4, 4, 5, 5, 6, 6, 7, 7) >> 16)
#define CODES(x) (WIDER(vi16x8, x, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7) >> 8)

#define DECLARE_INT8(r, cols) vi c##r##_0 = {0}, c##r##_1 = {0};
#define STEP_INT8(r, cols)                   \
    {                                        \
        vi16x8 product = b * a[r * lda + i]; \
                                             \
        c##r##_0 += LOWER(product);          \
        c##r##_1 += UPPER(product);          \
    }
#define STORE_INT8(r, cols)                           \
    memcpy(c + r * ldc, &c##r##_0, sizeof(c##r##_0)); \
    memcpy(c + r * ldc + VW, &c##r##_1, sizeof(c##r##_1));
#define TILE_INT8(rows)                                          \
    static void lm_gemm_int8_##rows##x2_scalar(const lm_tile *t) \
    {                                                            \
        const int16_t *a = t->a;                                 \
        const int8_t *from = t->b;                               \
        int32_t *c = t->c;                                       \
        size_t lda = t->lda / sizeof(*a), ldc = t->ldc;          \
        LM_ROWS_##rows(DECLARE_INT8, 2);                         \
                                                                 \
        for (size_t i = 0; i < t->steps; i++, from += 2 * VW) {  \
            int64_t eight;                                       \
            vi8x16 narrow;                                       \
            vi16x8 b;                                            \
                                                                 \
            memcpy(&eight, from, sizeof(eight));                 \
            narrow = (vi8x16)(vi64x2){eight};                    \
            b = CODES(narrow);                                   \
            LM_ROWS_##rows(STEP_INT8, 2)                         \
        }                                                        \
        LM_ROWS_##rows(STORE_INT8, 2)                            \
    }

#define REDUCED_TILES(tile) tile(1) tile(2) tile(3) tile(4)
REDUCED_TILES(TILE_BF16)
REDUCED_TILES(TILE_INT8)

#define REDUCED(p)                                                                    \
    {                                                                                 \
        lm_gemm_##p##_1x2_scalar, lm_gemm_##p##_2x2_scalar, lm_gemm_##p##_3x2_scalar, \
            lm_gemm_##p##_4x2_scalar                                                  \
    }
static const lm_tile_reduced lm_tiles_bf16_scalar[BF16_ROWS] = REDUCED(bf16);
static const lm_tile_reduced lm_tiles_int8_scalar[INT8_ROWS] = REDUCED(int8);

#include "kernels/generic/product_bf16.h"
#include "kernels/generic/product_int8.h"

void
lm_fill_scalar(lm_kernels *table)
{
    table->poll_flops = 2e8;
    table->products[LM_PRECISION_F32] = LM_PRODUCT(f32, scalar, 8, 2e8);
    table->products[LM_PRECISION_BF16] = LM_PRODUCT(bf16, scalar, 161008, 1.5e8);
    table->products[LM_PRECISION_INT8] = LM_PRODUCT(int8, scalar, 81008, 1e8);
    table->attention[LM_PRECISION_F32] = LM_ATTENTION(f32, f32, scalar);
    table->attention[LM_PRECISION_BF16] = LM_ATTENTION(f32, approx, scalar);
    table->attention[LM_PRECISION_INT8] = LM_ATTENTION(f32, approx, scalar);
    lm_fill_rows_scalar(table);
    lm_fill_codes_scalar(table);
}
