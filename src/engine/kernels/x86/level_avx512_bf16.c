/* level_avx512_bf16.c - the table of level AVX-512 with BF16. */
#if defined(__x86_64__)
#include "kernels/levels.h"

void
lm_fill_avx512_bf16(lm_kernels *table)
{
    table->products[LM_PRECISION_BF16] = LM_PRODUCT(bf16, avx512_bf16, 162064, 2e9);
    table->attention[LM_PRECISION_BF16] = LM_ATTENTION(bf16, bf16, avx512_bf16);
    table->attention[LM_PRECISION_INT8] = LM_ATTENTION(bf16, bf16, avx512_bf16);
}

#endif
