/*
 * fixed.h - sums of numbers that do not depend on the order of the rows, and so not on the plan.
 */
#ifndef LM_FIXED_H
#define LM_FIXED_H

#include <math.h>
#include <stdint.h>

/* In units of 2^-64; two words, since allocators need not align a wider one. */
typedef struct lm_fixed {
    uint64_t low, high;
} lm_fixed;

typedef unsigned __int128 lm_fixed_wide;

static inline lm_fixed_wide
lm_fixed_units(lm_fixed f)
{
    return (lm_fixed_wide)f.high << 64 | f.low;
}

static inline void
lm_fixed_add(lm_fixed *into, lm_fixed more)
{
    lm_fixed_wide sum = lm_fixed_units(*into) + lm_fixed_units(more);

    *into = (lm_fixed){(uint64_t)sum, (uint64_t)(sum >> 64)};
}

/* value is not negative; the sum of all must be below 2^64. */
static inline lm_fixed
lm_fixed_of(double value)
{
    lm_fixed_wide units = (lm_fixed_wide)ldexp(value, 64);

    return (lm_fixed){(uint64_t)units, (uint64_t)(units >> 64)};
}

static inline double
lm_fixed_value(lm_fixed f)
{
    return ldexp((double)lm_fixed_units(f), -64);
}

#endif
