/* rows_avx512.c - the kernels over vectors and rows, level AVX-512. */
#if defined(__x86_64__)
#include "kernels/x86/vector_avx512.h"

#include "kernels/generic/rows.h"
#endif
