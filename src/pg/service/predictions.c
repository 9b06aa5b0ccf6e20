/*
 * predictions.c - the prediction cache in shared memory; the contract is in predictions.h.
 *
 * An area of shared memory has the locks, the secret and the counts; a segment has the results. The
 * segment is made by the first who needs it, with the size that is configured then, and replaced by
 * an empty one where that changes; its number, the epoch, tells a process that it has another
 * mapped.
 *
 * Locks: `lock` shared is held by whoever finds or keeps, for one result, and exclusive by whoever
 * changes the segment or the table of owners; a partition's lock is taken inside, and guards its
 * part of the segment. Held for a copy of one result: nothing throws, nothing is half made when
 * they are released.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/dsm.h"
#include "storage/lwlock.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "pg/glue/backend.h"
#include "pg/glue/init_once.h"
#include "pg/glue/try.h"
#include "pg/service/predictions.h"
#include "pg/shmem/area.h"

#define PARTITIONS 16
#define OWNERS 128
#define SMALLEST_KILOBYTES 1024

/* Where memory could not be had, ask again after this time. */
#define RETRY_NS (UINT64CONST(10) * 1000 * 1000 * 1000)

/* A version and function whose results are kept; one without results makes room for another. */
typedef struct owner {
    lmtext_prediction_key key;
    char version[NAMEDATALEN * 2 + 2];
    pg_atomic_uint64 entries, bytes, hits, misses, evictions, last_used;
} owner;

typedef struct predictions {
    LWLock
        lock; /* guards all that follows but the secret, which never changes, and what is atomic */
    bool is_secret;
    unsigned char secret[LM_SIPHASH_KEY_BYTES];
    uint64 epoch; /* of the segment, or of its being given back */
    dsm_handle handle;
    size_t size;            /* of the segment; 0: there is none */
    TimestampTz configured; /* when its maker read the configuration */
    int owners;
    uint32 hashes[OWNERS]; /* of their keys */
    owner owner[OWNERS];
    LWLockPadded partition_locks[PARTITIONS];
} predictions;

static void predictions_make(void *memory, int tranche);
static lmtext_area area = {
    .name = "predictions", .layout = 1, .size = sizeof(predictions), .make = predictions_make};
static predictions *shared; /* in this process */

/* The segment that this process has mapped. */
static struct {
    uint64 epoch;
    dsm_segment *segment; /* NULL: none */
} mapped;

static int size_setting = 0; /* kB */
static bool use_setting = true;
static uint64 retry_at;
static char *obstacle; /* of the last failure */

static void
predictions_make(void *memory, int tranche)
{
    predictions *made = memory;

    LWLockInitialize(&made->lock, tranche);
    for (int i = 0; i < PARTITIONS; i++)
        LWLockInitialize(&made->partition_locks[i].lock, tranche);
    for (int i = 0; i < OWNERS; i++) {
        owner *o = &made->owner[i];
        pg_atomic_uint64 *all[] = {&o->entries, &o->bytes,     &o->hits,
                                   &o->misses,  &o->evictions, &o->last_used};

        for (int j = 0; j < lengthof(all); j++)
            pg_atomic_init_u64(all[j], 0);
    }
    made->handle = DSM_HANDLE_INVALID;
    made->is_secret = pg_strong_random(made->secret, sizeof made->secret);
}

/* ---- The segment ---- */

static size_t
wanted_size(void)
{
    return (size_t)size_setting * 1024;
}

/*
 * Processes read the configuration at their own time: the latest reader knows the size. One that
 * has not read it yet goes on with what the others have.
 */
static bool
is_outdated(void)
{
    return shared->size != wanted_size() && PgReloadTime > shared->configured;
}

/* With the lock held. */
static bool
is_mapped(void)
{
    return mapped.segment != NULL && mapped.epoch == shared->epoch;
}

static void
unmap(void)
{
    if (mapped.segment != NULL)
        dsm_detach(mapped.segment);
    mapped.segment = NULL;
}

static lmtext_partition *
partition_at(const void *memory, size_t size, int number)
{
    size_t each = size / PARTITIONS / 64 * 64;

    return (lmtext_partition *)((char *)memory + number * each);
}

static void
format(void *memory, size_t size)
{
    for (int i = 0; i < PARTITIONS; i++)
        lmtext_partition_format(partition_at(memory, size, i), size / PARTITIONS / 64 * 64);
}

/* With the lock held for writing: all results go. */
static void
count_dropped(void)
{
    for (int i = 0; i < shared->owners; i++) {
        owner *o = &shared->owner[i];

        pg_atomic_fetch_add_u64(&o->evictions, (int64)pg_atomic_read_u64(&o->entries));
        pg_atomic_write_u64(&o->entries, 0);
        pg_atomic_write_u64(&o->bytes, 0);
    }
}

static dsm_handle
replace_segment(dsm_handle handle, size_t size)
{
    dsm_handle old = shared->handle;

    shared->handle = handle;
    shared->size = size;
    shared->configured = PgReloadTime;
    shared->epoch++;
    count_dropped();
    return old;
}

/* Who has it mapped keeps it until the next use. */
static void
give_back(dsm_handle old)
{
    if (old != DSM_HANDLE_INVALID)
        dsm_unpin_segment(old);
}

/*
 * Made without the lock, since that takes its time; of several that are made at once the first
 * stays. From pinning on nothing can fail.
 */
static void
make_segment(uint64 epoch)
{
    size_t size = wanted_size();
    dsm_segment *segment = dsm_create(size, 0);
    dsm_handle old = DSM_HANDLE_INVALID;
    bool first;

    format(dsm_segment_address(segment), size);
    LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
    first = shared->epoch == epoch;
    if (first) {
        dsm_pin_mapping(segment);
        dsm_pin_segment(segment);
        old = replace_segment(dsm_segment_handle(segment), size);
        mapped.segment = segment;
        mapped.epoch = shared->epoch;
    }
    LWLockRelease(&shared->lock);
    if (!first)
        dsm_detach(segment);
    give_back(old);
}

static void
map_segment(void *unused)
{
    dsm_segment *segment;
    dsm_handle handle;
    uint64 epoch;
    bool outdated;

    LWLockAcquire(&shared->lock, LW_SHARED);
    handle = shared->handle;
    epoch = shared->epoch;
    outdated = handle == DSM_HANDLE_INVALID || is_outdated();
    LWLockRelease(&shared->lock);
    unmap();
    if (outdated) {
        make_segment(epoch);
        return;
    }
    segment = dsm_attach(handle);
    if (segment == NULL)
        return; /* given back since */
    dsm_pin_mapping(segment);
    mapped.segment = segment;
    mapped.epoch = epoch;
}

static void
note_obstacle(const char *message)
{
    if (obstacle != NULL)
        pfree(obstacle);
    obstacle = NULL;
    obstacle = MemoryContextStrdup(lmtext_memory(), message);
    retry_at = lmtext_stats_now() + RETRY_NS;
}

static bool
attach_area(void)
{
    const char *why = NULL;

    if (shared == NULL)
        shared = lmtext_area_get(&area, &why);
    if (shared == NULL)
        note_obstacle(why);
    return shared != NULL && shared->is_secret;
}

static bool
renew_mapping(void)
{
    ErrorData *error = lmtext_try(map_segment, NULL);

    if (error == NULL)
        return true;
    note_obstacle(error->message);
    FreeErrorData(error);
    return false;
}

/* Take the lock shared, with the segment mapped; others may replace it meanwhile, but not for ever.
 */
static bool
enter(void)
{
    if (retry_at != 0 && retry_at > lmtext_stats_now())
        return false;
    if (!attach_area())
        return false;
    for (int tries = 0; tries < 8; tries++) {
        LWLockAcquire(&shared->lock, LW_SHARED);
        if (is_mapped() && !is_outdated()) {
            retry_at = 0;
            return true;
        }
        LWLockRelease(&shared->lock);
        if (!renew_mapping())
            return false;
    }
    return false;
}

static void
leave(void)
{
    LWLockRelease(&shared->lock);
}

/* The server's cache has been switched off since this process used it. */
static void
let_go(void)
{
    dsm_handle old = DSM_HANDLE_INVALID;

    unmap();
    LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
    if (shared->handle != DSM_HANDLE_INVALID && is_outdated())
        old = replace_segment(DSM_HANDLE_INVALID, 0);
    LWLockRelease(&shared->lock);
    give_back(old);
}

bool
lmtext_predictions_wanted(void)
{
    if (size_setting == 0) {
        if (mapped.segment != NULL)
            let_go();
        return false;
    }
    return use_setting;
}

/* ---- Owners ---- */

static bool
is_owner(int index, const lmtext_prediction_key *key)
{
    return index < shared->owners && memcmp(&shared->owner[index].key, key, sizeof *key) == 0;
}

static int
find_owner(const lmtext_prediction_key *key, uint32 hash)
{
    for (int i = 0; i < shared->owners; i++)
        if (shared->hashes[i] == hash && is_owner(i, key))
            return i;
    return -1;
}

/* A new one, else the one without results that was used least recently; -1: there is none. */
static int
free_owner(void)
{
    int best = -1;

    if (shared->owners < OWNERS)
        return shared->owners++;
    for (int i = 0; i < OWNERS; i++)
        if (pg_atomic_read_u64(&shared->owner[i].entries) == 0 &&
            (best < 0 || pg_atomic_read_u64(&shared->owner[i].last_used) <
                             pg_atomic_read_u64(&shared->owner[best].last_used)))
            best = i;
    return best;
}

static void
set_owner(int index, const lmtext_prediction_key *key, uint32 hash)
{
    owner *o = &shared->owner[index];

    o->key = *key;
    shared->hashes[index] = hash;
    pg_atomic_write_u64(&o->bytes, 0);
    pg_atomic_write_u64(&o->hits, 0);
    pg_atomic_write_u64(&o->misses, 0);
    pg_atomic_write_u64(&o->evictions, 0);
}

static void
touch_owner(owner *o)
{
    pg_atomic_write_u64(&o->last_used, (uint64)GetCurrentStatementStartTimestamp());
}

/*
 * Where all have results the cache starts over: those of versions that are gone would never be
 * pushed out of one that is large enough. It takes a hundred versions to come here.
 */
static int
make_free_owner(void)
{
    int index = free_owner();

    if (index >= 0 || !is_mapped())
        return index;
    format(dsm_segment_address(mapped.segment), shared->size);
    count_dropped();
    return free_owner();
}

/* A name stays as it was first. */
static int
add_owner(const lmtext_prediction_key *key, uint32 hash, const char *version)
{
    int index;

    LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
    index = find_owner(key, hash);
    if (index < 0 && (index = make_free_owner()) >= 0) {
        set_owner(index, key, hash);
        strlcpy(shared->owner[index].version, version, sizeof shared->owner[index].version);
        touch_owner(&shared->owner[index]);
    }
    LWLockRelease(&shared->lock);
    return index;
}

bool
lmtext_predictions_begin(lmtext_prediction_use *use, const lmtext_identity *version,
                         const char *function)
{
    uint32 hash;

    memset(use, 0, sizeof *use);
    use->key.database = MyDatabaseId;
    use->key.relid = version->relid;
    use->key.digest = version->digest;
    strlcpy(use->key.function, function, sizeof use->key.function);
    hash = hash_bytes((const unsigned char *)&use->key, sizeof use->key);
    if (!enter())
        return false;
    use->owner = find_owner(&use->key, hash);
    if (use->owner >= 0)
        touch_owner(&shared->owner[use->owner]);
    leave();
    if (use->owner < 0)
        use->owner = add_owner(&use->key, hash, version->name);
    return use->owner >= 0;
}

/* ---- Results ---- */

void
lmtext_predictions_hash(lm_siphash *hash)
{
    lm_siphash_begin(hash, shared->secret);
}

/* The lock of the partition that a result is in. */
static lmtext_partition *
lock_partition(lm_hash128 hash, LWLock **lock)
{
    int number = (int)(hash.high % PARTITIONS);

    *lock = &shared->partition_locks[number].lock;
    LWLockAcquire(*lock, LW_EXCLUSIVE);
    return partition_at(dsm_segment_address(mapped.segment), shared->size, number);
}

/* An owner that is another's now has no result, and nothing of it counts. */
static bool
enter_owner(const lmtext_prediction_use *use, owner **o)
{
    if (!enter())
        return false;
    *o = &shared->owner[use->owner];
    if (is_owner(use->owner, &use->key))
        return true;
    leave();
    return false;
}

/* Without memory there is no result: an error would have the lock released by the abort only. */
static bool
copy_result(const lmtext_partition *partition, uint32 result, size_t found, size_t size,
            void *value)
{
    void *copy = value;

    if (size != 0 && size != found)
        return false;
    if (size == 0)
        copy = MemoryContextAllocExtended(CurrentMemoryContext, Max(found, 1),
                                          MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
    if (copy == NULL)
        return false;
    lmtext_partition_read(partition, result, copy);
    if (size == 0)
        *(void **)value = copy;
    return true;
}

bool
lmtext_predictions_find(const lmtext_prediction_use *use, lm_hash128 hash, size_t size, void *value)
{
    lmtext_partition *partition;
    size_t length = 0;
    LWLock *lock;
    uint32 result;
    bool found;
    owner *o;

    if (!enter_owner(use, &o))
        return false;
    partition = lock_partition(hash, &lock);
    result = lmtext_partition_find(partition, hash, &length);
    found = result != 0 && copy_result(partition, result, length, size, value);
    LWLockRelease(lock);
    pg_atomic_fetch_add_u64(found ? &o->hits : &o->misses, 1);
    leave();
    return found;
}

static void
count_kept(int index, size_t bytes)
{
    pg_atomic_fetch_add_u64(&shared->owner[index].entries, 1);
    pg_atomic_fetch_add_u64(&shared->owner[index].bytes, (int64)bytes);
}

static void
count_evicted(lmtext_result_size size)
{
    pg_atomic_fetch_sub_u64(&shared->owner[size.owner].entries, 1);
    pg_atomic_fetch_sub_u64(&shared->owner[size.owner].bytes, (int64)size.bytes);
    pg_atomic_fetch_add_u64(&shared->owner[size.owner].evictions, 1);
}

/* One that another session has kept meanwhile is the same. */
void
lmtext_predictions_keep(const lmtext_prediction_use *use, lm_hash128 hash, const void *value,
                        size_t size)
{
    lmtext_partition *partition;
    size_t cost, length;
    LWLock *lock;
    owner *o;

    if (!enter_owner(use, &o))
        return;
    partition = lock_partition(hash, &lock);
    cost = lmtext_partition_cost(partition, size);
    if (cost > 0 && lmtext_partition_find(partition, hash, &length) == 0) {
        while (!lmtext_partition_has_room(partition, cost))
            count_evicted(lmtext_partition_evict(partition));
        lmtext_partition_add(partition, hash, use->owner, value, size);
        count_kept(use->owner, cost);
    }
    LWLockRelease(lock);
    leave();
}

/* ---- What is to be seen ---- */

static lmtext_prediction_counts
counts_of(owner *o)
{
    lmtext_prediction_counts counts = {
        .key = o->key,
        .entries = pg_atomic_read_u64(&o->entries),
        .bytes = pg_atomic_read_u64(&o->bytes),
        .hits = pg_atomic_read_u64(&o->hits),
        .misses = pg_atomic_read_u64(&o->misses),
        .evictions = pg_atomic_read_u64(&o->evictions),
        .last_used = (TimestampTz)pg_atomic_read_u64(&o->last_used),
    };

    memcpy(counts.version, o->version, sizeof counts.version);
    return counts;
}

/* Asks for the memory where the cache is on, so that what is in its way is told. */
static void
look_anew(lmtext_predictions_info *info)
{
    retry_at = 0;
    if (size_setting == 0) {
        if (attach_area())
            let_go();
    } else if (enter()) {
        leave();
    }
    if (retry_at != 0)
        info->obstacle = obstacle;
}

lmtext_prediction_counts *
lmtext_predictions_snapshot(lmtext_predictions_info *info)
{
    lmtext_prediction_counts *all = palloc(OWNERS * sizeof *all);

    *info = (lmtext_predictions_info){0};
    look_anew(info);
    if (shared == NULL)
        return all;
    LWLockAcquire(&shared->lock, LW_SHARED);
    info->size = shared->size;
    info->count = shared->owners;
    for (int i = 0; i < shared->owners; i++)
        all[i] = counts_of(&shared->owner[i]);
    LWLockRelease(&shared->lock);
    return all;
}

void
lmtext_predictions_reset(void)
{
    dsm_handle old;

    unmap();
    if (!attach_area())
        return;
    LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
    old = replace_segment(DSM_HANDLE_INVALID, 0);
    shared->owners = 0;
    LWLockRelease(&shared->lock);
    give_back(old);
}

/* ---- Settings ---- */

static bool
check_size(int *value, void **extra, GucSource source)
{
    if (*value == 0 || *value >= SMALLEST_KILOBYTES)
        return true;
    GUC_check_errdetail("It must be 0 or at least 1MB.");
    return false;
}

void
lmtext_predictions_settings(void)
{
    LMTEXT_SETTING(Int, "lmtext.prediction_cache_size",
                   "Sets the shared memory in which results of models are kept.",
                   "0 switches the prediction cache off. A change empties it.", &size_setting, 0, 0,
                   MAX_KILOBYTES, PGC_SIGHUP, GUC_UNIT_KB, check_size, NULL, NULL);
    LMTEXT_SETTING(Bool, "lmtext.use_prediction_cache",
                   "Finds and keeps results in the prediction cache.",
                   "When off, nothing of what this session computes is kept.", &use_setting, true,
                   PGC_USERSET, 0, NULL, NULL, NULL);
}
