/*
 * emulated_level.h - the names of a level whose instructions are plain C (emulated_vector.h), and a
 * program that checks its products against the references.
 */
#ifndef EMULATED_LEVEL_H
#define EMULATED_LEVEL_H

#include "gemm_checks.h"

#include "emulated_vector.h"

#define LM_NAME(op) lm_##op##_emulated
#define TILE_TARGET
#define TILE_NAME(precision, rows) lm_gemm_##precision##_##rows##_emulated

void lm_activate_approx_emulated(lm_activation act, size_t count, float *x);
LM_DECLARE_PRODUCT(bf16, emulated)
LM_DECLARE_PRODUCT(int8, emulated)

void
lm_activate_approx_emulated(lm_activation act, size_t count, float *x)
{
    lm_activate_f32_ref(act, count, x);
}

/* The number of cases that fail; the program's first argument chooses among them. */
#define CHECK_PRODUCT(precision, enumerator)                                                   \
    run_gemm_cases("emulated",                                                                 \
                   &(const lm_product){.packed_size = lm_packed_size_##precision##_emulated,   \
                                       .pack = lm_pack_##precision##_emulated,                 \
                                       .scratch_size = lm_scratch_size_##precision##_emulated, \
                                       .gemm = lm_gemm_##precision##_emulated},                \
                   enumerator, argc > 1 ? argv[1] : "")

#endif
