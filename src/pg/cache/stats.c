/*
 * stats.c - sums of all backends' calls, in a segment of shared memory of their own.
 *
 * The segment is made by the first backend that counts and lives as long as the server; its handle
 * stands in the registry. A fixed number of entries: when all are taken, the one that was used
 * least recently makes room, which is counted. One lock, taken once a statement and backend for
 * about a microsecond: hashes lie together, so that a search reads 4 kB and then one entry. After a
 * crash of a backend the server starts over with an empty registry, and so with empty sums.
 */
#include "postgres.h"

#include <math.h>
#include <time.h>

#include "common/hashfn.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/timestamp.h"

#include "pg/cache/image.h"
#include "pg/cache/stats.h"

#define STATS_ENTRIES 1024

/* Where shared memory could not be had, ask again after this time. */
#define RETRY_NS (UINT64CONST(10) * 1000 * 1000 * 1000)

/* Buckets: the first ends a quarter of an octave above 2^8 ns, the last begins one below 2^40 ns.
 */
#define LOWEST_OCTAVE 8
#define PER_OCTAVE 4
#define OCTAVES (LMTEXT_STATS_BUCKETS / PER_OCTAVE)

typedef struct stats {
    LWLock lock; /* guards all that follows */
    int64 evicted;
    uint32 hashes[STATS_ENTRIES]; /* of keys; 0: free */
    lmtext_stats_entry entries[STATS_ENTRIES];
} stats;

static stats *shared; /* in this process */
static uint64 retry_at;

static ErrorData *try_attach(void);
static void attach(void *unused);
static void publish(lmtext_registry *registry, dsm_segment *segment);
static void stats_make(stats *made, int tranche);
static int find_slot(const lmtext_tally *tally);
static int take_slot(const lmtext_tally *tally);
static bool slot_holds(int slot, const lmtext_tally *tally);
static void add_tally(lmtext_stats_entry *entry, lmtext_tally *tally);
static void add_counts(lmtext_stats_counts *sum, const lmtext_stats_counts *counts);

const char *
lmtext_function_name(lmtext_function function)
{
    static const char *const names[] = {
        [LMTEXT_FUNCTION_TOKENIZE] = "tokenize",
        [LMTEXT_FUNCTION_TOKEN_IDS] = "token_ids",
        [LMTEXT_FUNCTION_DETOKENIZE] = "detokenize",
        [LMTEXT_FUNCTION_TOKENS] = "tokens",
        [LMTEXT_FUNCTION_COUNT_TOKENS] = "count_tokens",
        [LMTEXT_FUNCTION_CHUNK] = "chunk",
        [LMTEXT_FUNCTION_EMBED] = "embed",
        [LMTEXT_FUNCTION_SIMILARITY] = "similarity",
        [LMTEXT_FUNCTION_DISTANCE] = "distance",
        [LMTEXT_FUNCTION_CLASSIFY] = "classify",
        [LMTEXT_FUNCTION_CLASS_SCORES] = "class_scores",
        [LMTEXT_FUNCTION_EMBED_TRIGGER] = "embed_trigger",
        [LMTEXT_FUNCTION_TRAIN] = "train",
        [LMTEXT_FUNCTION_CLASSIFY_SCORED] = "classify_scored",
    };

    return names[function];
}

/* Asked once a call. */
bool
lmtext_stats_attached(void)
{
    ErrorData *error;

    if (shared != NULL)
        return true;
    if (retry_at > lmtext_stats_now())
        return false;
    error = try_attach();
    if (error == NULL)
        return true;
    FreeErrorData(error);
    retry_at = lmtext_stats_now() + RETRY_NS;
    return false;
}

static ErrorData *
try_attach(void)
{
    ErrorData *error = lmtext_contain(attach, NULL);

    if (error == NULL)
        lmtext_cache_watch_exit();
    return error;
}

/*
 * Made without the registry's lock, since a segment takes its time; of several that are made at
 * once the first stays. A segment that is not published goes with the resource owner.
 */
static void
attach(void *unused)
{
    const char *why = NULL;
    lmtext_registry *registry = lmtext_registry_get(&why);
    dsm_segment *segment = NULL;
    dsm_handle handle;

    if (registry == NULL)
        ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg_internal("%s", why)));
    LWLockAcquire(&registry->lock, LW_SHARED);
    handle = registry->stats;
    LWLockRelease(&registry->lock);
    if (handle == DSM_HANDLE_INVALID) {
        segment = dsm_create(sizeof(stats), 0);
        stats_make(dsm_segment_address(segment), registry->tranche);
        publish(registry, segment);
        if (shared != NULL)
            return;
        dsm_detach(segment);
        handle = registry->stats; /* another backend's, and set for good */
    }
    segment = dsm_attach(handle);
    if (segment == NULL)
        elog(ERROR, "lmtext: the segment of statistics is gone");
    dsm_pin_mapping(segment);
    shared = dsm_segment_address(segment);
}

static void
stats_make(stats *made, int tranche)
{
    memset(made, 0, sizeof *made);
    LWLockInitialize(&made->lock, tranche);
}

/* Under the lock nothing can fail between pinning and telling where it is. */
static void
publish(lmtext_registry *registry, dsm_segment *segment)
{
    LWLockAcquire(&registry->lock, LW_EXCLUSIVE);
    if (registry->stats == DSM_HANDLE_INVALID) {
        dsm_pin_mapping(segment);
        dsm_pin_segment(segment);
        registry->stats = dsm_segment_handle(segment);
        shared = dsm_segment_address(segment);
    }
    LWLockRelease(&registry->lock);
}

/* One lock for all tallies, so that a statement's counts are seen together. */
void
lmtext_stats_merge(lmtext_tally *tallies, int count)
{
    TimestampTz now = GetCurrentTimestamp();

    if (shared == NULL)
        return;
    LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
    for (int i = 0; i < count; i++) {
        lmtext_tally *tally = &tallies[i];
        lmtext_stats_entry *entry;

        if (!tally->dirty)
            continue;
        if (!slot_holds(tally->slot, tally))
            tally->slot = find_slot(tally);
        if (tally->slot < 0)
            tally->slot = take_slot(tally);
        entry = &shared->entries[tally->slot];
        add_tally(entry, tally);
        if (entry->since == 0)
            entry->since = now;
        entry->last_used = now;
    }
    LWLockRelease(&shared->lock);
}

static bool
slot_holds(int slot, const lmtext_tally *tally)
{
    return slot >= 0 && shared->hashes[slot] == tally->hash &&
           memcmp(&shared->entries[slot].key, &tally->key, sizeof tally->key) == 0;
}

static int
find_slot(const lmtext_tally *tally)
{
    for (int i = 0; i < STATS_ENTRIES; i++)
        if (slot_holds(i, tally))
            return i;
    return -1;
}

/* A free entry, else the one that was used least recently. */
static int
take_slot(const lmtext_tally *tally)
{
    int best = 0;

    for (int i = 0; i < STATS_ENTRIES && shared->hashes[best] != 0; i++)
        if (shared->hashes[i] == 0 ||
            shared->entries[i].last_used < shared->entries[best].last_used)
            best = i;
    if (shared->hashes[best] != 0)
        shared->evicted++;
    memset(&shared->entries[best], 0, sizeof shared->entries[best]);
    shared->entries[best].key = tally->key;
    shared->hashes[best] = tally->hash;
    return best;
}

static void
add_tally(lmtext_stats_entry *entry, lmtext_tally *tally)
{
    add_counts(&entry->counts, &tally->counts);
    for (int i = tally->lowest; i <= tally->highest; i++) {
        entry->buckets[i] += tally->buckets[i];
        tally->buckets[i] = 0;
    }
    memcpy(entry->version, tally->version, sizeof entry->version);
    memset(&tally->counts, 0, sizeof tally->counts);
    tally->lowest = LMTEXT_STATS_BUCKETS;
    tally->highest = -1;
    tally->dirty = false;
}

static void
add_counts(lmtext_stats_counts *sum, const lmtext_stats_counts *counts)
{
    sum->calls += counts->calls;
    sum->rows += counts->rows;
    sum->tokens += counts->tokens;
    sum->truncated += counts->truncated;
    sum->errors += counts->errors;
    sum->cache_hits += counts->cache_hits;
    sum->total_ns += counts->total_ns;
}

/* Whoever looks is told why there is nothing, and asks anew. */
lmtext_stats_entry *
lmtext_stats_snapshot(lmtext_stats_info *info, const char **why)
{
    ErrorData *error = shared == NULL ? try_attach() : NULL;
    lmtext_stats_entry *entries;

    *info = (lmtext_stats_info){.capacity = STATS_ENTRIES};
    if (error != NULL) {
        *why = error->message;
        return NULL;
    }
    lmtext_stats_flush();
    entries = palloc(STATS_ENTRIES * sizeof *entries);
    LWLockAcquire(&shared->lock, LW_SHARED);
    for (int i = 0; i < STATS_ENTRIES; i++)
        if (shared->hashes[i] != 0)
            entries[info->entries++] = shared->entries[i];
    info->evicted = shared->evicted;
    LWLockRelease(&shared->lock);
    return entries;
}

/* What other backends have not merged yet counts afterwards. */
void
lmtext_stats_reset(void)
{
    if (!lmtext_stats_attached())
        return;
    lmtext_stats_flush();
    LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
    for (int i = 0; i < STATS_ENTRIES; i++)
        if (shared->entries[i].key.database == MyDatabaseId)
            shared->hashes[i] = 0;
    LWLockRelease(&shared->lock);
}

/* 0 means a free entry. */
uint32
lmtext_stats_hash(const lmtext_stats_key *key)
{
    uint32 hash = hash_bytes((const unsigned char *)key, sizeof *key);

    return hash != 0 ? hash : 1;
}

/*
 * The bucket of a time: its highest bit, and where the bits behind lie between the quarter powers
 * of 2, each times 2^31.
 */
int
lmtext_stats_bucket(uint64 ns)
{
    static const uint32 quarters[] = {2553802834u, 3037000500u, 3611622603u};
    int octave;
    uint32 fraction;

    if (ns < UINT64CONST(1) << LOWEST_OCTAVE)
        return 0;
    octave = pg_leftmost_one_pos64(ns);
    if (octave >= LOWEST_OCTAVE + OCTAVES)
        return LMTEXT_STATS_BUCKETS - 1;
    fraction = (uint32)((ns << (63 - octave)) >> 32);
    return (octave - LOWEST_OCTAVE) * PER_OCTAVE + (fraction >= quarters[0]) +
           (fraction >= quarters[1]) + (fraction >= quarters[2]);
}

/* The least time that the given part of all calls did not exceed, as its bucket tells it. */
double
lmtext_stats_quantile_ns(const lmtext_stats_entry *entry, double quantile)
{
    uint64 rank = (uint64)ceil(quantile * (double)entry->counts.calls), seen = 0;
    int bucket = 0;

    while (bucket < LMTEXT_STATS_BUCKETS - 1 && (seen += entry->buckets[bucket]) < Max(rank, 1))
        bucket++;
    return exp2(LOWEST_OCTAVE + (bucket + 0.5) / PER_OCTAVE);
}

uint64
lmtext_stats_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64)now.tv_sec * 1000000000 + (uint64)now.tv_nsec;
}
