/* rows_avx2.c - the kernels over vectors and rows, level AVX2. */
#if defined(__x86_64__)
#include "kernels/x86/vector_avx2.h"

#include "kernels/generic/rows.h"
#endif
