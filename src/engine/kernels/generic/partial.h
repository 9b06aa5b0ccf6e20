/*
 * partial.h - whole vectors and parts of them by one call. Include after a vector header.
 */
#ifndef LM_GENERIC_PARTIAL_H
#define LM_GENERIC_PARTIAL_H

#include <stddef.h>
#include <stdint.h>

/* Before a short loop over an array of vectors, which otherwise lies in memory. */
#if defined(__clang__)
#define LM_UNROLL _Pragma("unroll")
#else
#define LM_UNROLL _Pragma("GCC unroll 8")
#endif

/* The first n lanes, or all of them: n may be more than VW. */
LM_INLINE vf
v_load_some(const float *p, size_t n)
{
    return n >= VW ? v_load(p) : v_load_part(p, n);
}

LM_INLINE void
v_store_some(float *p, size_t n, vf v)
{
    if (n >= VW)
        v_store(p, v);
    else
        v_store_part(p, n, v);
}

#endif
