/* level_avx512.c - the table of level AVX-512. */
#if defined(__x86_64__)
#include "kernels/levels.h"

void
lm_fill_avx512(lm_kernels *table)
{
    table->poll_flops = 1e9;
    table->products[LM_PRECISION_F32] = LM_PRODUCT(f32, avx512, 32, 1e9);
    table->products[LM_PRECISION_BF16] = LM_PRODUCT(bf16, avx512, 162064, 1e9);
    table->products[LM_PRECISION_INT8] = LM_PRODUCT(int8, avx512, 82064, 1.5e9);
    table->attention[LM_PRECISION_F32] = LM_ATTENTION(f32, f32, avx512);
    table->attention[LM_PRECISION_BF16] = LM_ATTENTION(f32, approx, avx512);
    table->attention[LM_PRECISION_INT8] = LM_ATTENTION(f32, approx, avx512);
    lm_fill_rows_avx512(table);
    lm_fill_codes_avx512(table);
}

#endif
