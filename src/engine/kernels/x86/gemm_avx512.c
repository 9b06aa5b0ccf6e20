/*
 * gemm_avx512.c - matrix product, level AVX-512.
 */
#if defined(__x86_64__)
#include "kernels/x86/steps_avx512.h"

#include "kernels/generic/gemm.h"

#define TILE_TARGET LM_TARGET
#define TILE_NAME(rows, cols) lm_gemm_f32_##rows##x##cols##_avx512
#define TILE_VECTOR vf
#define TILE_LOAD(b, p) b = v_load(p);
#define TILE_DOT FMA
#define TILE_FETCH(p) _mm_prefetch((const char *)(p), _MM_HINT_T0);

#include "kernels/x86/tiles_elements_avx512.h"

const lm_tile_function lm_tiles_f32_avx512[4][12] = TILE_TABLE;

#endif
