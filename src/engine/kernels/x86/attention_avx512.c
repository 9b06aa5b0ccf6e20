/* attention_avx512.c - self-attention, level AVX-512. */
#if defined(__x86_64__)
#include "kernels/x86/vector_avx512.h"

#include "kernels/generic/attention.h"
#endif
