/*
 * emulated_avx512.c - the products of level AVX-512 (x86/products_avx512.c) over instructions in
 * plain C, against the references. Says what the tiles compute, not what the CPU does with them:
 * see emulated_vector.h.
 */
#include "gemm_checks.h"

#include "emulated_vector.h"

#define LM_NAME(op) lm_##op##_emulated
#define TILE_TARGET
#define TILE_NAME(precision, rows) lm_gemm_##precision##_##rows##_emulated

typedef int16_t int8_code;

enum { BF16_GROUP = 2, BF16_ROWS = 6, BF16_COLS = 4, INT8_GROUP = 2, INT8_ROWS = 6, INT8_COLS = 4 };

LM_INLINE void
v_store_codes(int16_t *p, vf v)
{
    EACH_LANE p[i] = (int16_t)v.x[i];
}

#include "emulated_run.h"
