/*
 * hash.c - multiply-and-fold over eight bytes at a time, as wyhash and its kin do: two words are
 * multiplied to 128 bits and the halves folded together. Not for hostile collisions beyond what a
 * seed hinders.
 */
#include "base/hash.h"

#include <string.h>
#include <sys/random.h>

#define MIX_A UINT64_C(0x9e3779b97f4a7c15)
#define MIX_B UINT64_C(0xd1b54a32d192ed03)
#define MIX_C UINT64_C(0x8cb92ba72f3d8dd7) /* unlike MIX_A: fold is commutative */

static uint64_t
fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t
lm_hash_bytes(const void *bytes, size_t length, uint64_t seed)
{
    const unsigned char *p = bytes;
    uint64_t hash = seed ^ MIX_A;
    size_t left = length;
    uint64_t word;

    for (; left >= 8; left -= 8, p += 8) {
        memcpy(&word, p, 8);
        hash = fold(hash ^ word, MIX_B);
    }
    word = 0;
    if (left > 0)
        memcpy(&word, p, left);
    hash = fold(hash ^ word, MIX_C ^ length);
    return fold(hash ^ MIX_B, MIX_A);
}

uint64_t
lm_hash_seed(void)
{
    uint64_t seed;

    return getrandom(&seed, sizeof seed, GRND_NONBLOCK) == sizeof seed ? seed : 0;
}
