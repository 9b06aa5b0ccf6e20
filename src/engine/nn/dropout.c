/*
 * dropout.c - masks of dropout by a counter.
 */
#include "nn/dropout.h"

static uint64_t
mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint64_t
lm_dropout_seed(uint64_t seed, uint64_t step, uint64_t layer)
{
    return mix(mix(mix(seed) ^ step) ^ layer);
}

void
lm_dropout_row(const lm_dropout *dropout, uint64_t row, size_t count, const float *x, float *y)
{
    uint64_t key = mix(dropout->seed ^ mix(row));
    float scale = 1 / (1 - dropout->rate);
    uint32_t bound = (uint32_t)(dropout->rate * 4294967296.0f);

    for (size_t i = 0; i < count; i++)
        y[i] = (uint32_t)(mix(key + i) >> 32) >= bound ? x[i] * scale : 0;
}
