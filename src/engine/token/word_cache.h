/*
 * word_cache.h - the tokens of words that were met before. Texts repeat their words, and finding
 * one here costs much less than merging it.
 *
 * A place is for a short word of few tokens; a word may lie in two of them. A cache begins small
 * and grows between texts, up to LM_CACHE_MOST sets. What it holds is a function of the word alone,
 * so results do not depend on it.
 */
#ifndef LM_WORD_CACHE_H
#define LM_WORD_CACHE_H

#include <string.h>

#include "base/context.h"

#define LM_CACHED_BYTES 24 /* of a word */
#define LM_CACHED_TOKENS 7

/* A token of a word while it is made. */
typedef struct lm_symbol {
    int32_t id;
    uint32_t length; /* bytes of the word */
} lm_symbol;

/* A cache line. */
typedef struct lm_cached_word {
    uint64_t key[LM_CACHED_BYTES / 8]; /* the word's bytes, then zeros */
    uint8_t length;                    /* 0: the place is free */
    uint8_t count;
    uint8_t lengths[LM_CACHED_TOKENS]; /* of each token, in bytes of the word */
    int32_t ids[LM_CACHED_TOKENS];
} lm_cached_word;

typedef struct lm_word_cache {
    uint64_t owner;
    void *memory;
    lm_cached_word *words;
    size_t sets; /* of two places each; a power of two, 0: there is no memory yet */
    size_t kept; /* words that were remembered since it has so many */
} lm_word_cache;

#define LM_CACHE_LEAST ((size_t)512)
#define LM_CACHE_MOST ((size_t)32768) /* 4 MB */

/*
 * Make the cache one of `owner` (not 0): what it holds of another is forgotten. Places that were
 * found before may be gone.
 */
lm_status lm_word_cache_open(lm_context *ctx, lm_word_cache *cache, uint64_t owner);
void lm_word_cache_free(lm_context *ctx, lm_word_cache *cache);
size_t lm_word_cache_bytes(const lm_word_cache *cache);

/* A word of 1 to LM_CACHED_BYTES bytes as a key; `room` bytes from it on may be read. */
static inline void
lm_cache_key(const char *word, size_t length, size_t room, uint64_t key[3])
{
    static const unsigned char mask[2 * LM_CACHED_BYTES] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                            255, 255, 255, 255, 255, 255, 255, 255,
                                                            255, 255, 255, 255, 255, 255, 255, 255};
    uint64_t keep[3];

    if (__builtin_expect(room < LM_CACHED_BYTES, 0)) {
        memset(key, 0, LM_CACHED_BYTES);
        memcpy(key, word, length);
        return;
    }
    memcpy(key, word, LM_CACHED_BYTES);
    memcpy(keep, mask + LM_CACHED_BYTES - length, LM_CACHED_BYTES);
    for (int i = 0; i < 3; i++)
        key[i] &= keep[i];
}

/* The first of a word's two places. */
static inline lm_cached_word *
lm_cache_set(const lm_word_cache *cache, const uint64_t key[3])
{
    const uint64_t mix = UINT64_C(0x9e3779b97f4a7c15);
    unsigned __int128 product = (unsigned __int128)(key[0] ^ UINT64_C(0x8cb92ba72f3d8dd7)) *
                                (mix ^ (key[1] * mix) ^ (key[2] * UINT64_C(0xd1b54a32d192ed03)));
    uint64_t hash = (uint64_t)product ^ (uint64_t)(product >> 64);

    return cache->words + 2 * (hash & (cache->sets - 1));
}

static inline bool
lm_cache_holds(const lm_cached_word *word, const uint64_t key[3], size_t length)
{
    return word->key[0] == key[0] && word->length == length && word->key[1] == key[1] &&
           word->key[2] == key[2];
}

/* The word, or NULL. */
static inline const lm_cached_word *
lm_cache_find(const lm_cached_word *set, const uint64_t key[3], size_t length)
{
    if (lm_cache_holds(&set[0], key, length))
        return &set[0];
    return lm_cache_holds(&set[1], key, length) ? &set[1] : NULL;
}

/*
 * Remember a word, if it has few tokens: in the second of its places; the one that was there moves
 * to the first.
 */
void lm_cache_keep(lm_word_cache *cache, lm_cached_word *set, const uint64_t key[3], size_t length,
                   const lm_symbol *symbols, size_t count);

#endif
