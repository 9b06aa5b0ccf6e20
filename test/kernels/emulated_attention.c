/*
 * emulated_attention.c - attention over bfloat16 (x86/attention_bf16_avx512.h), as
 * emulated_avx512.c has the products. Only the tiles' instructions and what surrounds them are
 * emulated.
 */
#include "attention_checks.h"

#include "kernels/levels.h"

#include "emulated_vector.h"

#define LM_NAME(op) lm_##op##_emulated
#define TILE_TARGET
#define TILE_NAME(rows, cols) lm_gemm_pairs_##rows##x##cols##_emulated

LM_DECLARE_ATTENTION(bf16, emulated)

#include "kernels/x86/attention_bf16_avx512.h"

int
main(int argc, char **argv)
{
    const lm_attention_kernel kernel = {lm_attention_bf16_scratch_emulated,
                                        lm_attention_bf16_emulated};

    lm_rng_seed(&rng, 1);
    return run_attention_cases("emulated", &kernel, ATTENTION_ROUNDS, argc > 1 ? argv[1] : "")
               ? EXIT_FAILURE
               : EXIT_SUCCESS;
}
