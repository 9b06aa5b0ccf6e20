/* attention_avx2.c - self-attention, level AVX2. */
#if defined(__x86_64__)
#include "kernels/x86/vector_avx2.h"

#include "kernels/generic/attention.h"
#endif
