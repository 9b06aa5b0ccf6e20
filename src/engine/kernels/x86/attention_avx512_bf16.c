/* attention_avx512_bf16.c - self-attention over bfloat16, level AVX-512 with BF16. */
#if defined(__x86_64__)
#include "kernels/x86/rounding_avx512_bf16.h"
#include "kernels/x86/steps_avx512.h"

#undef LM_NAME
#define LM_NAME(op) lm_##op##_avx512_bf16

#define TILE_TARGET __attribute__((target(LM_TARGET_NAMES ",avx512bf16")))
#define TILE_NAME(rows, cols) lm_gemm_pairs_##rows##x##cols##_avx512_bf16

#include "kernels/x86/attention_bf16_avx512.h"

#endif
