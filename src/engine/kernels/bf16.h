/*
 * bf16.h - bfloat16 is the upper half of a float32.
 */
#ifndef LM_BF16_H
#define LM_BF16_H

#include <stdint.h>
#include <string.h>

/* To the nearest, ties to even, as Intel's instructions round; a NaN stays one. */
static inline uint16_t
lm_bf16_from(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof(bits));
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline float
lm_bf16_to(uint16_t half)
{
    uint32_t bits = (uint32_t)half << 16;
    float x;

    memcpy(&x, &bits, sizeof(x));
    return x;
}

#endif
