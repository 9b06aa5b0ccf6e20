/*
 * emulated_avx512.c - the products of level AVX-512 (x86/products_avx512.c) over instructions in
 * plain C, against the references. Says what the tiles compute, not what the CPU does with them:
 * see emulated_vector.h.
 */
#include "emulated_level.h"

#include "kernels/x86/product_bf16_avx512.h"

typedef int16_t int8_code;

enum { INT8_GROUP = 2 };

enum { CODE_VECTORS = 2 };

LM_INLINE void
v_store_codes(int16_t *p, const vf *y, int32_t zero)
{
    for (int v = 0; v < CODE_VECTORS; v++)
        EACH_LANE p[v * VW + i] = (int16_t)code_lane(y[v].x[i], zero);
}

#include "kernels/x86/product_int8_avx512.h"

int
main(int argc, char **argv)
{
    int failed = CHECK_PRODUCT(bf16, LM_PRECISION_BF16);

    failed += CHECK_PRODUCT(int8, LM_PRECISION_INT8);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
