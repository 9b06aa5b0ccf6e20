/* level_avx2.c - the table of level AVX2. */
#if defined(__x86_64__)
#include "kernels/levels.h"

void
lm_fill_avx2(lm_kernels *table)
{
    table->poll_flops = 1e9;
    table->products[LM_PRECISION_F32] = LM_PRODUCT(f32, avx2, 24, 1e9);
    table->products[LM_PRECISION_BF16] = LM_PRODUCT(bf16, avx2, 162016, 1e9);
    table->products[LM_PRECISION_INT8] = LM_PRODUCT(int8, avx2, 88016, 1.5e9);
    table->attention[LM_PRECISION_F32] = LM_ATTENTION(f32, f32, avx2);
    table->attention[LM_PRECISION_BF16] = LM_ATTENTION(f32, approx, avx2);
    table->attention[LM_PRECISION_INT8] = LM_ATTENTION(f32, approx, avx2);
    lm_fill_rows_avx2(table);
    lm_fill_codes_avx2(table);
}

#endif
