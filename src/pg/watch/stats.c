/*
 * stats.c - sums of all backends' calls, in an area of shared memory.
 *
 * It is made by the first backend that counts and lives as long as the server. A fixed number of
 * entries: when all are taken, the one that was used least recently makes room, which is counted.
 * One lock, taken once a statement and backend for about a microsecond: hashes lie together, so
 * that a search reads 4 kB and then one entry. After a crash of a backend the server starts over
 * with empty sums.
 */
#include "postgres.h"

#include <math.h>
#include <time.h>

#include "common/hashfn.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"

#include "pg/shmem/area.h"
#include "pg/watch/stats.h"

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

static void stats_make(void *memory, int tranche);
static lmtext_area area = {
    .name = "statistics", .layout = 1, .size = sizeof(stats), .make = stats_make};
static stats *shared; /* in this process */
static uint64 retry_at;

static int find_entry(const lmtext_tally *tally);
static int take_entry(const lmtext_tally *tally);
static bool entry_holds(int index, const lmtext_tally *tally);
static void add_tally(lmtext_stats_entry *entry, lmtext_tally *tally);
static void add_counts(lmtext_stats_counts *sum, const lmtext_stats_counts *counts);

/* Asked once a call. */
bool
lmtext_stats_attached(void)
{
    if (shared != NULL)
        return true;
    if (retry_at > lmtext_stats_now())
        return false;
    shared = lmtext_area_get(&area, NULL);
    if (shared == NULL)
        retry_at = lmtext_stats_now() + RETRY_NS;
    return shared != NULL;
}

static void
stats_make(void *memory, int tranche)
{
    stats *made = memory;

    LWLockInitialize(&made->lock, tranche);
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
        if (!entry_holds(tally->index, tally))
            tally->index = find_entry(tally);
        if (tally->index < 0)
            tally->index = take_entry(tally);
        entry = &shared->entries[tally->index];
        add_tally(entry, tally);
        if (entry->since == 0)
            entry->since = now;
        entry->last_used = now;
    }
    LWLockRelease(&shared->lock);
}

static bool
entry_holds(int index, const lmtext_tally *tally)
{
    return index >= 0 && shared->hashes[index] == tally->hash &&
           memcmp(&shared->entries[index].key, &tally->key, sizeof tally->key) == 0;
}

static int
find_entry(const lmtext_tally *tally)
{
    for (int i = 0; i < STATS_ENTRIES; i++)
        if (entry_holds(i, tally))
            return i;
    return -1;
}

/* A free entry, else the one that was used least recently. */
static int
take_entry(const lmtext_tally *tally)
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
    sum->cached += counts->cached;
    sum->rows += counts->rows;
    sum->tokens += counts->tokens;
    sum->truncated += counts->truncated;
    sum->errors += counts->errors;
    sum->total_ns += counts->total_ns;
}

/* Where there is nothing, *why says why; each call asks anew. */
lmtext_stats_entry *
lmtext_sums_snapshot(lmtext_stats_info *info, const char **why)
{
    lmtext_stats_entry *entries;

    *info = (lmtext_stats_info){.capacity = STATS_ENTRIES};
    shared = lmtext_area_get(&area, why);
    if (shared == NULL)
        return NULL;
    entries = palloc(STATS_ENTRIES * sizeof *entries);
    LWLockAcquire(&shared->lock, LW_SHARED);
    for (int i = 0; i < STATS_ENTRIES; i++)
        if (shared->hashes[i] != 0)
            entries[info->entries++] = shared->entries[i];
    info->evicted = shared->evicted;
    LWLockRelease(&shared->lock);
    return entries;
}

void
lmtext_sums_reset(void)
{
    if (!lmtext_stats_attached())
        return;
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

double
lmtext_stats_bound_ns(int bucket)
{
    if (bucket <= 0)
        return 0;
    return bucket < LMTEXT_STATS_BUCKETS ? exp2(LOWEST_OCTAVE + (double)bucket / PER_OCTAVE)
                                         : INFINITY;
}

/* A quantile of the times of the calls, as its bucket gives it. */
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
