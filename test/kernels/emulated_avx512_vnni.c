/*
 * emulated_avx512_vnni.c - the int8 products of level AVX-512 with VNNI
 * (x86/products_avx512_vnni.c), as emulated_avx512.c has the level's below.
 */
#define LM_HAVE_VNNI
#include "emulated_level.h"

typedef uint8_t int8_code;

enum { INT8_GROUP = 4 };

enum { CODE_VECTORS = 4 };

LM_INLINE void
v_store_codes(uint8_t *p, const vf *y, int32_t zero)
{
    for (int v = 0; v < CODE_VECTORS; v++)
        EACH_LANE p[v * VW + i] = (uint8_t)code_lane(y[v].x[i], zero);
}

#include "kernels/x86/product_int8_avx512.h"

int
main(int argc, char **argv)
{
    return CHECK_PRODUCT(int8, LM_PRECISION_INT8) ? EXIT_FAILURE : EXIT_SUCCESS;
}
