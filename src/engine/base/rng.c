/*
 * rng.c - xoshiro256++ 1.0 (D. Blackman, S. Vigna, "Scrambled linear pseudorandom number
 * generators", 2019), state filled by splitmix64.
 */
#include "base/rng.h"

static uint64_t
splitmix(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void
lm_rng_seed(lm_rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        rng->state[i] = splitmix(&seed);
}

static uint64_t
rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

uint64_t
lm_rng_next(lm_rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t result = rotate(s[0] + s[3], 23) + s[0];
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

double
lm_rng_uniform(lm_rng *rng)
{
    return (double)(lm_rng_next(rng) >> 11) * 0x1p-53;
}

uint64_t
lm_rng_below(lm_rng *rng, uint64_t bound)
{
    /* Values below 2^64 mod bound are refused, so that each remainder is equally likely. */
    uint64_t threshold = -bound % bound;
    uint64_t value;

    do
        value = lm_rng_next(rng);
    while (value < threshold);
    return value % bound;
}
