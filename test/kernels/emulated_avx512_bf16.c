/*
 * emulated_avx512_bf16.c - the products of level AVX-512 with VNNI and BF16
 * (x86/products_avx512_bf16.c) over instructions in plain C, against the references. Says what the
 * tiles compute, not what the CPU does with them: see emulated_vector.h.
 */
#include "gemm_checks.h"

#define LM_HAVE_VNNI_BF16
#include "emulated_vector.h"

#define LM_NAME(op) lm_##op##_emulated
#define TILE_TARGET
#define TILE_NAME(precision, rows) lm_gemm_##precision##_##rows##_emulated

typedef uint8_t int8_code;

enum { BF16_GROUP = 2, BF16_ROWS = 6, BF16_COLS = 4, INT8_GROUP = 4, INT8_ROWS = 6, INT8_COLS = 4 };

LM_INLINE void
v_store_codes(uint8_t *p, vf v)
{
    EACH_LANE p[i] = (uint8_t)v.x[i];
}

#define BF16_ROUNDS_A

/* Whole vectors, zeros behind k; denormals are zeros. */
static void
round_row_bf16(size_t k, const float *x, uint16_t *out)
{
    for (size_t j = 0; j < (k + VW - 1) / VW * VW; j++) {
        float v = j < k ? x[j] : 0;

        out[j] = lm_bf16_from(fpclassify(v) == FP_SUBNORMAL ? 0 : v);
    }
}

#include "emulated_run.h"
