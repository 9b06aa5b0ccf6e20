/*
 * siphash.h - SipHash-2-4 with 128 bits (Aumasson and Bernstein, 2012): a hash under a secret key.
 * Who does not have the key finds no two messages of one hash, short of asking for 2^64 of them:
 * for tables whose entries hostile users choose, and whose reader cannot compare what was hashed.
 */
#ifndef LM_SIPHASH_H
#define LM_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define LM_SIPHASH_KEY_BYTES 16

typedef struct lm_hash128 {
    uint64_t low, high;
} lm_hash128;

/* A message under way; copied, it goes on from there twice. */
typedef struct lm_siphash {
    uint64_t v[4];
    uint64_t length;       /* bytes so far */
    unsigned char tail[8]; /* those of them that fill no word yet */
} lm_siphash;

void lm_siphash_begin(lm_siphash *hash, const unsigned char key[LM_SIPHASH_KEY_BYTES]);
/* Where a message ends is not said by its bytes: add lengths of what varies. */
void lm_siphash_add(lm_siphash *hash, const void *bytes, size_t length);
lm_hash128 lm_siphash_end(const lm_siphash *hash);

#endif
