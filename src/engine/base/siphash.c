/*
 * siphash.c - SipHash-2-4-128 as its paper defines it; words are little-endian.
 */
#include "base/siphash.h"

#include <string.h>

static uint64_t
read_word(const unsigned char *bytes)
{
    uint64_t word = 0;

    for (int i = 0; i < 8; i++)
        word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

static inline uint64_t
rotate(uint64_t word, int bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void
rounds(uint64_t v[4], int count)
{
    for (int i = 0; i < count; i++) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
    }
}

static inline void
absorb(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    rounds(v, 2);
    v[0] ^= word;
}

void
lm_siphash_begin(lm_siphash *hash, const unsigned char key[LM_SIPHASH_KEY_BYTES])
{
    const uint64_t low = read_word(key), high = read_word(key + 8);

    *hash = (lm_siphash){
        .v = {low ^ UINT64_C(0x736f6d6570736575), high ^ UINT64_C(0x646f72616e646f6d) ^ 0xee,
              low ^ UINT64_C(0x6c7967656e657261), high ^ UINT64_C(0x7465646279746573)}};
}

/* Bytes that fill the word which an earlier piece began; how many were taken. */
static size_t
fill_tail(lm_siphash *hash, const unsigned char *bytes, size_t length)
{
    const size_t held = hash->length % 8;
    const size_t taken = held == 0 ? 0 : 8 - held < length ? 8 - held : length;

    if (taken > 0)
        memcpy(hash->tail + held, bytes, taken);
    if (taken > 0 && held + taken == 8)
        absorb(hash->v, read_word(hash->tail));
    return taken;
}

void
lm_siphash_add(lm_siphash *hash, const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    size_t left = length, taken = fill_tail(hash, at, left);

    hash->length += length;
    if (length == 0)
        return;
    at += taken;
    for (left -= taken; left >= 8; left -= 8, at += 8)
        absorb(hash->v, read_word(at));
    memcpy(hash->tail, at, left); /* nothing, where the tail took all */
}

static uint64_t
squeeze(const uint64_t v[4])
{
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

lm_hash128
lm_siphash_end(const lm_siphash *hash)
{
    uint64_t v[4], last = hash->length << 56;
    lm_hash128 result;

    memcpy(v, hash->v, sizeof v);
    for (size_t i = 0; i < hash->length % 8; i++)
        last |= (uint64_t)hash->tail[i] << (8 * i);
    absorb(v, last);
    v[2] ^= 0xee;
    rounds(v, 4);
    result.low = squeeze(v);
    v[1] ^= 0xdd;
    rounds(v, 4);
    result.high = squeeze(v);
    return result;
}
