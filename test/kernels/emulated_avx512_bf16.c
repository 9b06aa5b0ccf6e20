/*
 * emulated_avx512_bf16.c - the bf16 products of level AVX-512 with BF16
 * (x86/products_avx512_bf16.c), as emulated_avx512.c has those without.
 */
#include "emulated_level.h"

#define BF16_ROUNDS_A

#include "kernels/x86/product_bf16_avx512.h"

int
main(int argc, char **argv)
{
    return CHECK_PRODUCT(bf16, LM_PRECISION_BF16) ? EXIT_FAILURE : EXIT_SUCCESS;
}
