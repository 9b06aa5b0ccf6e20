/*
 * dropout.c - masks by a counter: 32 numbers share 16 counters, each hashed to 32 bits, of which
 * the lower half decides for one number and the upper half for the one 16 further on. The hash is
 * two rounds of multiply and xor-shift (the finalizer of MurmurHash3), keyed by 64 bits that the
 * seed and the row give.
 */
#include "nn/dropout.h"

#include <string.h>

#include "kernels/clones.h"

enum { LANES = LM_CLONE_LANES, BLOCK = 2 * LM_CLONE_LANES };

/* One step of splitmix64 (base/rng.c has its stream). */
static uint64_t
mix(uint64_t z)
{
    z += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t
lm_dropout_seed(uint64_t seed, uint64_t step, uint64_t layer)
{
    return mix(mix(mix(seed) + step) + layer);
}

/* What a row's masks are made with. */
typedef struct row_key {
    uint32_t low, high;
    uint32_t threshold; /* of 65536: below it a number is dropped */
    float scale;
} row_key;

LM_CLONE_BODY void
drop_block(const row_key *key, uint32_t counter, const float *x, float *y)
{
    uint32_t hash[LANES];
    float kept[BLOCK];

    for (uint32_t i = 0; i < LANES; i++) {
        uint32_t h = (counter + i) * UINT32_C(0x9e3779b1) + key->low;

        h = (h ^ h >> 16) * UINT32_C(0x85ebca6b) + key->high;
        h = (h ^ h >> 13) * UINT32_C(0xc2b2ae35);
        hash[i] = h ^ h >> 16;
    }
    for (uint32_t i = 0; i < LANES; i++)
        kept[i] = (int32_t)(hash[i] & 0xffff) < (int32_t)key->threshold ? 0.0f : key->scale;
    for (uint32_t i = 0; i < LANES; i++)
        kept[LANES + i] = (int32_t)(hash[i] >> 16) < (int32_t)key->threshold ? 0.0f : key->scale;
    for (uint32_t i = 0; i < BLOCK; i++)
        y[i] = x[i] * kept[i];
}

LM_CLONE_BODY void
drop_body(const row_key *key, size_t count, const float *x, float *y)
{
    size_t at = 0;
    float rest[BLOCK] = {0};

    for (; at + BLOCK <= count; at += BLOCK)
        drop_block(key, (uint32_t)(at / 2), x + at, y + at);
    if (at == count)
        return;
    memcpy(rest, x + at, (count - at) * sizeof(float));
    drop_block(key, (uint32_t)(at / 2), rest, rest);
    memcpy(y + at, rest, (count - at) * sizeof(float));
}

LM_CLONES(drop, (const row_key *key, size_t count, const float *x, float *y), (key, count, x, y))

void
lm_dropout_row(const lm_dropout *dropout, uint64_t row, size_t count, const float *x, float *y)
{
    const uint64_t key = mix(dropout->seed ^ mix(row));

    if (dropout->rate > 0)
        drop(&(row_key){(uint32_t)key, (uint32_t)(key >> 32),
                        (uint32_t)(dropout->rate * 65536 + 0.5f), 1 / (1 - dropout->rate)},
             count, x, y);
    else if (y != x)
        memcpy(y, x, count * sizeof(float));
}
