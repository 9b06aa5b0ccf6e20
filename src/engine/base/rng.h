/*
 * rng.h - a small seeded random number generator (xoshiro256++ seeded by splitmix64, Blackman and
 * Vigna 2019): the same seed gives the same numbers on every machine.
 */
#ifndef LM_RNG_H
#define LM_RNG_H

#include <stdint.h>

typedef struct lm_rng {
    uint64_t state[4];
} lm_rng;

void lm_rng_seed(lm_rng *rng, uint64_t seed);
uint64_t lm_rng_next(lm_rng *rng);
/* Uniform in [0, 1). */
double lm_rng_uniform(lm_rng *rng);
/* Uniform in [0, bound); bound > 0. Without modulo bias. */
uint64_t lm_rng_below(lm_rng *rng, uint64_t bound);

#endif
