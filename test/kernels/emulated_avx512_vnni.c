/*
 * emulated_avx512_vnni.c - the int8 products of level AVX-512 with VNNI
 * (x86/products_avx512_vnni.c), as emulated_avx512.c has the level's below.
 */
#define LM_HAVE_VNNI
#include "emulated_level.h"

typedef uint8_t int8_code;

enum { INT8_GROUP = 4 };

LM_INLINE void
v_store_codes(uint8_t *p, vf v)
{
    EACH_LANE p[i] = (uint8_t)v.x[i];
}

#include "kernels/x86/product_int8_avx512.h"

int
main(int argc, char **argv)
{
    return CHECK_PRODUCT(int8, LM_PRECISION_INT8) ? EXIT_FAILURE : EXIT_SUCCESS;
}
