/*
 * steps_avx512.h - the instructions of the tiles in product_*_avx512.h, each as one statement of
 * inline assembly: with intrinsics GCC 12 moves and spills accumulators. AT&T syntax: the operand
 * that is written stands last, the first source before it.
 */
#ifndef LM_STEPS_AVX512_H
#define LM_STEPS_AVX512_H

#include "kernels/x86/vector_avx512.h"

typedef __m512i vi;

LM_INLINE vi
i_zero(void)
{
    return _mm512_setzero_si512();
}

LM_INLINE void
i_store(int32_t *p, vi v)
{
    _mm512_storeu_si512(p, v);
}

/* Four bytes at p + rows · lda + at, in every lane. Of p, what is behind it is read too. */
#define BROADCAST(x, p, at, rows) BROADCAST_##rows(x, p, #at)
#define BROADCAST_0(x, p, at) BROADCAST_FROM(x, p, at "(%1)")
#define BROADCAST_1(x, p, at) BROADCAST_FROM(x, p, at "(%1,%2)")
#define BROADCAST_2(x, p, at) BROADCAST_FROM(x, p, at "(%1,%2,2)")
#define BROADCAST_FROM(x, p, address)      \
    __asm__("vbroadcastss " address ", %0" \
            : "=v"(x)                      \
            : "r"(p), "r"(lda), "m"(*(const char(*)[1 << 14])(p)))

/* Pointers that the compiler cannot derive from one another: it would keep offsets instead. */
#define HIDE(p, q) __asm__("" : "+r"(p), "+r"(q))

#define LOAD(b, p) b = _mm512_loadu_si512(p);

/* bf16 without its instructions: the even and the odd k's of a vector as floats. */
#define UPPER_MASK(name) const vi name = _mm512_set1_epi32((int)0xffff0000u);
#define SHIFT(b, p) __asm__("vpslld $16, %1, %0" : "=v"(b) : "m"(*(const char(*)[sizeof(vi)])(p)));
#define MASK(b, p) \
    __asm__("vpandd %2, %1, %0" : "=v"(b) : "v"(upper), "m"(*(const char(*)[sizeof(vi)])(p)));
#define FMA(c, x, b) __asm__("vfmadd231ps %2, %1, %0" : "+v"(c) : "v"(x), "v"(b));

/* Two bfloat16 of x by two of b. */
#define DOT_BF16(c, x, b) __asm__("vdpbf16ps %2, %1, %0" : "+v"(c) : "v"(x), "v"(b));

#ifdef LM_HAVE_VNNI

/* Weights that do not fit the first-level cache come from the second: eight steps ahead. */
#define LOAD_INT8(b, p) LOAD(b, p) _mm_prefetch((const char *)(p) + 2048, _MM_HINT_T0);
/* Four u8 of x by four s8 of b; the unsigned operand is the first source. */
#define DOT_INT8(c, x, b) __asm__("vpdpbusd %2, %1, %0" : "+v"(c) : "v"(x), "v"(b));

#else

/* Two 16-bit numbers of x by two of b, which are 8 bits wide in memory. */
#define LOAD_INT8(b, p) \
    __asm__("vpmovsxbw %1, %0" : "=v"(b) : "m"(*(const char(*)[sizeof(vi) / 2])(p)));
#define DOT_INT8(c, x, b)                                                \
    {                                                                    \
        vi product;                                                      \
                                                                         \
        __asm__("vpmaddwd %2, %1, %0" : "=v"(product) : "v"(x), "v"(b)); \
        __asm__("vpaddd %1, %0, %0" : "+v"(c) : "v"(product));           \
    }

#endif

#endif
