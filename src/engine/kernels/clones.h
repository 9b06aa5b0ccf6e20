/*
 * clones.h - one body compiled for several instruction levels, for loops by element that belong to
 * no kernel of the table: dropout, optimizers. They use neither fused multiply-adds nor sums across
 * lanes, so that their bits are the same at every level.
 *
 * A body is an always_inline function whose inner loops have LM_CLONE_LANES rounds: what compilers
 * turn into vectors without being asked twice.
 */
#ifndef LM_KERNELS_CLONES_H
#define LM_KERNELS_CLONES_H

#include "kernels/kernels.h"

/* gcc keeps to half of the registers unless it is told; clang knows no such word. */
#ifdef __clang__
#define LM_CLONE_AVX512 "avx512f,avx512bw,avx512dq,avx512vl"
#else
#define LM_CLONE_AVX512 "avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512"
#endif

#define LM_CLONE_LANES 16

#define LM_CLONE_BODY static inline __attribute__((always_inline))

#if defined(__x86_64__)
#define LM_CLONES(name, parameters, arguments)                                    \
    static void name##_plain parameters                                           \
    {                                                                             \
        name##_body arguments;                                                    \
    }                                                                             \
    __attribute__((target("avx2"))) static void name##_avx2 parameters            \
    {                                                                             \
        name##_body arguments;                                                    \
    }                                                                             \
    __attribute__((target(LM_CLONE_AVX512))) static void name##_avx512 parameters \
    {                                                                             \
        name##_body arguments;                                                    \
    }                                                                             \
    static void name parameters                                                   \
    {                                                                             \
        const lm_level level = lm_kernels_active()->level;                        \
                                                                                  \
        if (level >= LM_LEVEL_AVX512)                                             \
            name##_avx512 arguments;                                              \
        else if (level >= LM_LEVEL_AVX2)                                          \
            name##_avx2 arguments;                                                \
        else                                                                      \
            name##_plain arguments;                                               \
    }
#else
#define LM_CLONES(name, parameters, arguments) \
    static void name parameters                \
    {                                          \
        name##_body arguments;                 \
    }
#endif

#endif
