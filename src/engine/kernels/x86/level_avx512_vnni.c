/* level_avx512_vnni.c - the table of level AVX-512 with VNNI. */
#if defined(__x86_64__)
#include "kernels/levels.h"

void
lm_fill_avx512_vnni(lm_kernels *table)
{
    table->products[LM_PRECISION_INT8] = LM_PRODUCT(int8, avx512_vnni, 84064, 4e9);
}

#endif
