/*
 * emulated_run.h - the products of the level that is emulated, and a program that checks them.
 */
#ifndef EMULATED_RUN_H
#define EMULATED_RUN_H

void lm_activate_f32_emulated(lm_activation act, size_t count, float *x);
LM_DECLARE_PRODUCT(bf16, emulated)
LM_DECLARE_PRODUCT(int8, emulated)

#include "kernels/x86/products_avx512.h"

void
lm_activate_f32_emulated(lm_activation act, size_t count, float *x)
{
    lm_activate_f32_ref(act, count, x);
}

#define PRODUCT(precision)                                      \
    {                                                           \
        .packed_size = lm_packed_size_##precision##_emulated,   \
        .pack = lm_pack_##precision##_emulated,                 \
        .scratch_size = lm_scratch_size_##precision##_emulated, \
        .gemm = lm_gemm_##precision##_emulated,                 \
    }

int
main(int argc, char **argv)
{
    static const lm_product bf16 = PRODUCT(bf16), int8 = PRODUCT(int8);
    const char *word = argc > 1 ? argv[1] : "";
    int failed = run_gemm_cases("emulated", &bf16, LM_PRECISION_BF16, word);

    failed += run_gemm_cases("emulated", &int8, LM_PRECISION_INT8, word);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
