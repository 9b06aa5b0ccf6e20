/*
 * word_cache.c - memory of the cache, and taking a word in.
 */
#include "token/word_cache.h"

#define LINE ((size_t)64)

static size_t
bytes_of(size_t sets)
{
    return sets * 2 * sizeof(lm_cached_word);
}

/* An empty cache, whose places begin where cache lines do. */
static lm_status
allocate(lm_context *ctx, lm_word_cache *cache, uint64_t owner, size_t sets)
{
    void *memory = lm_alloc(ctx, bytes_of(sets) + LINE);
    size_t skip;

    if (!memory)
        return LM_NO_MEMORY;
    skip = LINE - (uintptr_t)memory % LINE;
    *cache =
        (lm_word_cache){owner, memory, (lm_cached_word *)(void *)((char *)memory + skip), sets, 0};
    memset(cache->words, 0, bytes_of(sets));
    return LM_OK;
}

/* Once as many words came as there are places: four times as many, and the words that are there. */
static lm_status
grow(lm_context *ctx, lm_word_cache *cache)
{
    lm_word_cache larger;

    LM_TRY(allocate(ctx, &larger, cache->owner, 4 * cache->sets));
    for (size_t i = 0; i < 2 * cache->sets; i++) {
        const lm_cached_word *word = &cache->words[i];
        lm_cached_word *set = lm_cache_set(&larger, word->key);

        if (word->length == 0)
            continue;
        set[0] = set[1];
        set[1] = *word;
    }
    lm_word_cache_free(ctx, cache);
    *cache = larger;
    return LM_OK;
}

lm_status
lm_word_cache_open(lm_context *ctx, lm_word_cache *cache, uint64_t owner)
{
    if (!cache->memory)
        return allocate(ctx, cache, owner, LM_CACHE_LEAST);
    if (cache->owner != owner) {
        memset(cache->words, 0, bytes_of(cache->sets));
        cache->owner = owner;
        cache->kept = 0;
    }
    if (cache->kept > 2 * cache->sets && cache->sets < LM_CACHE_MOST)
        return grow(ctx, cache);
    return LM_OK;
}

void
lm_word_cache_free(lm_context *ctx, lm_word_cache *cache)
{
    lm_free(ctx, cache->memory);
    *cache = (lm_word_cache){0};
}

size_t
lm_word_cache_bytes(const lm_word_cache *cache)
{
    return cache->memory ? bytes_of(cache->sets) + LINE : 0;
}

void
lm_cache_keep(lm_word_cache *cache, lm_cached_word *set, const uint64_t key[3], size_t length,
              const lm_symbol *symbols, size_t count)
{
    if (count > LM_CACHED_TOKENS)
        return;
    cache->kept++;
    set[0] = set[1];
    memcpy(set[1].key, key, sizeof set[1].key);
    set[1].length = (uint8_t)length;
    set[1].count = (uint8_t)count;
    for (size_t i = 0; i < count; i++) {
        set[1].ids[i] = symbols[i].id;
        set[1].lengths[i] = (uint8_t)symbols[i].length;
    }
}
