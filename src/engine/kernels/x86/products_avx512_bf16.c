/*
 * products_avx512_bf16.c - products with weights of 16 bits by BF16's vdpbf16ps, which takes
 * denormals for zeros, and so does the rounding of A. Those of 8 bits are level VNNI's, everything
 * else AVX-512's.
 */
#if defined(__x86_64__)
#include "kernels/x86/steps_avx512.h"

#include "kernels/generic/epilogue.h" /* by the names of level AVX-512 */

#include "kernels/x86/rounding_avx512_bf16.h"

#undef LM_NAME
#define LM_NAME(op) lm_##op##_avx512_bf16

#define TILE_TARGET __attribute__((target(LM_TARGET_NAMES ",avx512bf16")))
#define TILE_NAME(precision, rows) lm_gemm_##precision##_##rows##x4_avx512_bf16

#define BF16_ROUNDS_A

#include "kernels/x86/product_bf16_avx512.h"

#endif
