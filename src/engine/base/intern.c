/*
 * intern.c - an open-addressing table of indexes into an array of entries, and the bytes of long
 * entries in an arena, where they never move.
 */
#include "base/intern.h"

#include <string.h>

#include "base/hash.h"
#include "base/size.h"
#include "base/sort.h"

#define FIRST_ENTRIES 4u
#define FIRST_FAR 256    /* bytes of the arena's first block */
#define POLL_EVERY 8192u /* entries, or probes along a chain */

static lm_status grow(lm_intern *intern);
static lm_status find_bucket(const lm_intern *intern, const char *bytes, size_t length,
                             uint32_t hash, uint32_t *bucket);
static lm_status append(lm_intern *intern, const char *bytes, size_t length, uint32_t hash);
static const char *bytes_of(const lm_intern_entry *entry);
static int compare_entries(const void *a, const void *b);

void
lm_intern_init(lm_intern *intern, lm_context *ctx, const char *what)
{
    memset(intern, 0, sizeof *intern);
    intern->ctx = ctx;
    intern->what = what;
    lm_arena_init(&intern->far, ctx);
    intern->far.first = FIRST_FAR;
}

void
lm_intern_hide(lm_intern *intern)
{
    intern->seed = (uint32_t)lm_hash_seed();
}

void
lm_intern_free(lm_intern *intern)
{
    lm_free(intern->ctx, intern->entries);
    lm_free(intern->ctx, intern->buckets);
    lm_arena_free(&intern->far);
}

/* Half of a hash will do: buckets are fewer. Pairs of numbers have eight bytes, and go without a
 * call. */
static inline uint32_t
hash_of(const char *bytes, size_t length, uint32_t seed)
{
    unsigned __int128 product;
    uint64_t word;

    if (length != sizeof word || seed != 0)
        return (uint32_t)lm_hash_bytes(bytes, length, seed);
    memcpy(&word, bytes, sizeof word);
    product = (unsigned __int128)word * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(product ^ product >> 64); /* all bits of the word reach the low ones */
}

static inline bool
same_bytes(const lm_intern_entry *entry, const char *bytes, size_t length)
{
    if (length == LM_INTERN_SHORT)
        return memcmp(entry->bytes.near, bytes, LM_INTERN_SHORT) == 0;
    return memcmp(bytes_of(entry), bytes, length) == 0;
}

/* At most half full, so that a free bucket ends every search. It grows for new bytes only: a group
 * of four labels stays as small as it is. */
lm_status
lm_intern_add(lm_intern *intern, const char *bytes, size_t length, uint32_t *number)
{
    uint32_t hash = hash_of(bytes, length, intern->seed), bucket = 0;

    if (intern->room > 0)
        LM_TRY(find_bucket(intern, bytes, length, hash, &bucket));
    if (intern->room == 0 || (intern->buckets[bucket] == 0 && intern->count == intern->room)) {
        LM_TRY(grow(intern));
        LM_TRY(find_bucket(intern, bytes, length, hash, &bucket));
    }
    if (intern->buckets[bucket] == 0) {
        LM_TRY(append(intern, bytes, length, hash));
        intern->buckets[bucket] = intern->count;
    }
    *number = intern->buckets[bucket] - 1;
    return LM_OK;
}

lm_status
lm_intern_find(const lm_intern *intern, const char *bytes, size_t length, bool *found,
               uint32_t *number)
{
    uint32_t bucket;

    *found = false;
    if (intern->count == 0)
        return LM_OK;
    LM_TRY(find_bucket(intern, bytes, length, hash_of(bytes, length, intern->seed), &bucket));
    *found = intern->buckets[bucket] != 0;
    if (*found)
        *number = intern->buckets[bucket] - 1;
    return LM_OK;
}

/* Twice the room, and new buckets for the entries that are there. */
static lm_status
grow(lm_intern *intern)
{
    uint32_t room = intern->room ? intern->room * 2 : FIRST_ENTRIES, mask = 2 * room - 1;
    lm_intern_entry *entries;
    uint32_t *buckets;

    if (room > LM_INTERN_MAX)
        return lm_raise(intern->ctx, LM_TOO_LARGE, "too many different %s to count", intern->what);
    entries = lm_realloc(intern->ctx, intern->entries, room * sizeof *entries);
    if (!entries)
        return LM_NO_MEMORY;
    intern->entries = entries;
    buckets = lm_alloc_zero(intern->ctx, ((size_t)mask + 1) * sizeof *buckets);
    if (!buckets)
        return LM_NO_MEMORY;
    for (uint32_t i = 0; i < intern->count; i++) {
        uint32_t bucket = entries[i].hash & mask;

        while (buckets[bucket] != 0)
            bucket = (bucket + 1) & mask;
        buckets[bucket] = i + 1;
        if (i % POLL_EVERY == 0 && lm_poll(intern->ctx) != LM_OK) {
            lm_free(intern->ctx, buckets);
            return LM_CANCELLED;
        }
    }
    lm_free(intern->ctx, intern->buckets);
    intern->buckets = buckets;
    intern->bucket_mask = mask;
    intern->room = room;
    return LM_OK;
}

/* That of the entry with these bytes, or the free one where it belongs. */
static lm_status
find_bucket(const lm_intern *intern, const char *bytes, size_t length, uint32_t hash,
            uint32_t *bucket)
{
    uint32_t probes = 0;

    for (*bucket = hash & intern->bucket_mask; intern->buckets[*bucket] != 0;
         *bucket = (*bucket + 1) & intern->bucket_mask) {
        const lm_intern_entry *entry = &intern->entries[intern->buckets[*bucket] - 1];

        if (entry->hash == hash && entry->length == length && same_bytes(entry, bytes, length))
            return LM_OK;
        if (++probes % POLL_EVERY == 0)
            LM_TRY(lm_poll(intern->ctx));
    }
    return LM_OK;
}

static lm_status
append(lm_intern *intern, const char *bytes, size_t length, uint32_t hash)
{
    lm_intern_entry *entry = &intern->entries[intern->count];
    char *copy = entry->bytes.near;

    if (length > UINT32_MAX)
        return lm_raise(intern->ctx, LM_TOO_LARGE, "one of the %s is too long", intern->what);
    if (length > LM_INTERN_SHORT) {
        if (!(copy = lm_arena_alloc(&intern->far, length)))
            return LM_NO_MEMORY;
        entry->bytes.far = copy;
    }
    memcpy(copy, bytes, length);
    entry->length = (uint32_t)length;
    entry->hash = hash;
    intern->count++;
    return LM_OK;
}

static const char *
bytes_of(const lm_intern_entry *entry)
{
    return entry->length > LM_INTERN_SHORT ? entry->bytes.far : entry->bytes.near;
}

const char *
lm_intern_bytes(const lm_intern *intern, uint32_t number, size_t *length)
{
    *length = intern->entries[number].length;
    return bytes_of(&intern->entries[number]);
}

/* Entries are sorted by pointers to them, which then become numbers. */
lm_status
lm_intern_sort(const lm_intern *intern, uint32_t **order)
{
    lm_context *ctx = intern->ctx;
    const lm_intern_entry **sorted = lm_alloc_array(ctx, (size_t)intern->count + 1, sizeof *sorted);
    lm_status status;

    *order = sorted ? lm_alloc_array(ctx, (size_t)intern->count + 1, sizeof **order) : NULL;
    if (!*order) {
        lm_free(ctx, sorted);
        return LM_NO_MEMORY;
    }
    status = LM_OK;
    for (uint32_t i = 0; status == LM_OK && i < intern->count; i++) {
        sorted[i] = &intern->entries[i];
        if (i % POLL_EVERY == 0)
            status = lm_poll(ctx);
    }
    if (status == LM_OK)
        status = lm_sort(ctx, sorted, intern->count, sizeof *sorted, compare_entries);
    for (uint32_t i = 0; status == LM_OK && i < intern->count; i++) {
        (*order)[i] = (uint32_t)(sorted[i] - intern->entries);
        if (i % POLL_EVERY == 0)
            status = lm_poll(ctx);
    }
    lm_free(ctx, sorted);
    if (status != LM_OK) {
        lm_free(ctx, *order);
        *order = NULL;
    }
    return status;
}

static int
compare_entries(const void *a, const void *b)
{
    const lm_intern_entry *x = *(const lm_intern_entry *const *)a;
    const lm_intern_entry *y = *(const lm_intern_entry *const *)b;
    int order = memcmp(bytes_of(x), bytes_of(y), x->length < y->length ? x->length : y->length);

    return order ? order : (x->length > y->length) - (x->length < y->length);
}
