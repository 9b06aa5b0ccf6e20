/*
 * registry.c - slots of loaded models in shared memory: claim, fill, publish, pin, evict.
 *
 * Laws (README.md has them with their reasons): the lock is held for a few microseconds and never
 * across reading, filling, waiting or the release of a segment. A slot leaves LOADING only by its
 * loader. A pin is raised under the shared lock and only while the slot is READY, so a holder of
 * the exclusive lock who sees no pins may free it. Segments are destroyed after the lock is given
 * back, by whoever freed the slot.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "pg/cache/registry.h"
#include "pg/shmem/area.h"
#include "pg/watch/waits.h"

int lmtext_cache_size = 1024 * 1024;

static void registry_make(void *memory, int tranche);
static lmtext_area area = {.name = "registry",
                           .layout = LMTEXT_REGISTRY_LAYOUT,
                           .size = sizeof(lmtext_registry),
                           .main = true,
                           .make = registry_make};
static lmtext_registry *shared; /* in this process */

/* What one look at the slots came to. */
typedef enum take_result { TAKE_LOADER, TAKE_AGAIN, TAKE_WAIT, TAKE_FULL } take_result;
static bool try_attach(const lmtext_cache_key *key, lmtext_slot_ref *ref, dsm_segment **segment);
static take_result try_take(const lmtext_cache_key *key, lmtext_slot_ref *ref);
static take_result try_unload(const lmtext_cache_key *key, bool *unloaded);
static void slot_occupy(lmtext_slot *slot, const lmtext_cache_key *key);
static lmtext_slot *find_slot(const lmtext_cache_key *key, lmtext_slot_state state);
static lmtext_slot *choose_free_slot(const lmtext_cache_key *key);
static lmtext_slot *least_recently_used(void);
static dsm_handle slot_evict(lmtext_slot *slot);
static void slot_touch(lmtext_slot *slot);
static bool is_current(const lmtext_slot_ref *ref);
static bool room_for(uint64 bytes, uint64 limit, uint64 *held);
static dsm_segment *map_segment(dsm_handle handle);
static void view_slot(const lmtext_slot *slot, lmtext_slot_view *view);

void
lmtext_registry_init(void)
{
    lmtext_area_reserve(&area);
}

lmtext_registry *
lmtext_registry_get(const char **why)
{
    shared = lmtext_area_get(&area, why);
    return shared;
}

static void
registry_make(void *memory, int tranche)
{
    lmtext_registry *registry = memory;

    LWLockInitialize(&registry->lock, tranche);
    ConditionVariableInit(&registry->changed);
    pg_atomic_init_u64(&registry->departures, 0);
    for (int i = 0; i < LMTEXT_SLOTS; i++) {
        pg_atomic_init_u32(&registry->slots[i].pins, 0);
        pg_atomic_init_u64(&registry->slots[i].hits, 0);
        pg_atomic_init_u64(&registry->slots[i].texts, 0);
        pg_atomic_init_u64(&registry->slots[i].tokens, 0);
        pg_atomic_init_u64(&registry->slots[i].last_used, 0);
    }
}

/*
 * Looks and sleeps in turns. Sleeping without having prepared returns at once the first time, so
 * that a load which ends between the look and the sleep is not missed.
 */
lmtext_claim
lmtext_registry_claim(lmtext_registry *registry, const lmtext_cache_key *key, lmtext_slot_ref *ref,
                      dsm_segment **segment)
{
    for (;;) {
        take_result result;

        if (try_attach(key, ref, segment)) {
            ConditionVariableCancelSleep();
            return LMTEXT_CLAIM_ATTACHED;
        }
        result = try_take(key, ref);
        if (result == TAKE_WAIT) /* until a load ends; another one may then have to take over */
            ConditionVariableSleep(&registry->changed, lmtext_wait_event(LMTEXT_WAIT_LOAD));
        else if (result != TAKE_AGAIN) {
            ConditionVariableCancelSleep();
            return result == TAKE_LOADER ? LMTEXT_CLAIM_LOADER : LMTEXT_CLAIM_FULL;
        }
    }
}

/* Map a READY slot's segment and pin it; mapping first, as it can fail and the pin would stay. */
static bool
try_attach(const lmtext_cache_key *key, lmtext_slot_ref *ref, dsm_segment **segment)
{
    lmtext_slot *slot;

    LWLockAcquire(&shared->lock, LW_SHARED);
    slot = find_slot(key, LMTEXT_SLOT_READY);
    if (slot != NULL) {
        *segment = map_segment(slot->handle);
        ref->index = slot - shared->slots;
        ref->generation = slot->generation;
        pg_atomic_fetch_add_u32(&slot->pins, 1);
        slot_touch(slot);
    }
    LWLockRelease(&shared->lock);
    return slot != NULL;
}

/*
 * One look under the exclusive lock, since the slot may have become ready after try_attach looked.
 * An eviction only makes room: the caller looks again, without the lock while the segment is freed.
 */
static take_result
try_take(const lmtext_cache_key *key, lmtext_slot_ref *ref)
{
    take_result result = TAKE_LOADER;
    dsm_handle evicted = DSM_HANDLE_INVALID;
    lmtext_slot *slot;

    LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
    if (find_slot(key, LMTEXT_SLOT_READY) != NULL)
        result = TAKE_AGAIN;
    else if (find_slot(key, LMTEXT_SLOT_LOADING) != NULL)
        result = TAKE_WAIT;
    else if ((slot = choose_free_slot(key)) != NULL) {
        slot_occupy(slot, key);
        ref->index = slot - shared->slots;
        ref->generation = slot->generation;
    } else if ((slot = least_recently_used()) != NULL) {
        evicted = slot_evict(slot);
        result = TAKE_AGAIN;
    } else
        result = TAKE_FULL;
    LWLockRelease(&shared->lock);
    if (evicted != DSM_HANDLE_INVALID)
        dsm_unpin_segment(evicted);
    return result;
}

/*
 * The slot now stands for this key, with its counts going on where it stood for it before. Its new
 * generation tells backends that still have the former segment mapped.
 */
static void
slot_occupy(lmtext_slot *slot, const lmtext_cache_key *key)
{
    if (memcmp(&slot->key, key, sizeof *key) != 0) {
        slot->key = *key;
        slot->loads = 0;
        slot->load_us = 0;
        slot->loaded_at = 0;
        pg_atomic_write_u64(&slot->hits, 0);
        pg_atomic_write_u64(&slot->texts, 0);
        pg_atomic_write_u64(&slot->tokens, 0);
    }
    slot->state = LMTEXT_SLOT_LOADING;
    slot->handle = DSM_HANDLE_INVALID;
    slot->generation++;
    slot->bytes = 0;
    slot->database = MyDatabaseId;
    pg_atomic_write_u32(&slot->pins, 0);
    pg_atomic_write_u64(&slot->last_used, (uint64)GetCurrentTimestamp());
}

/*
 * The segment's size is known only after its settings have been read, so room is taken while the
 * slot is already LOADING; bytes count from here on, also those of segments that are being filled.
 */
bool
lmtext_registry_reserve(const lmtext_slot_ref *ref, uint64 bytes)
{
    uint64 limit = (uint64)lmtext_cache_size * 1024;
    dsm_handle evicted[LMTEXT_SLOTS];
    int count = 0;
    uint64 held;
    bool fits;

    LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
    fits = room_for(bytes, limit, &held);
    if (fits) {
        while (held > limit - bytes) {
            lmtext_slot *slot = least_recently_used();

            held -= slot->bytes;
            evicted[count++] = slot_evict(slot);
        }
        shared->slots[ref->index].bytes = bytes;
    }
    LWLockRelease(&shared->lock);
    while (count > 0)
        dsm_unpin_segment(evicted[--count]);
    return fits;
}

/* Whether all that cannot be evicted leaves room; nothing is evicted in vain. */
static bool
room_for(uint64 bytes, uint64 limit, uint64 *held)
{
    uint64 fixed = 0;

    *held = 0;
    for (int i = 0; i < LMTEXT_SLOTS; i++) {
        const lmtext_slot *slot = &shared->slots[i];

        if (slot->state == LMTEXT_SLOT_FREE)
            continue;
        *held += slot->bytes;
        if (slot->state != LMTEXT_SLOT_READY ||
            pg_atomic_read_u32((pg_atomic_uint32 *)&slot->pins) > 0)
            fixed += slot->bytes;
    }
    return bytes <= limit && fixed <= limit - bytes;
}

/*
 * From pinning the segment to READY nothing can fail or be interrupted: else the segment would stay
 * for ever, pinned and known to nobody.
 */
void
lmtext_registry_publish(const lmtext_slot_ref *ref, dsm_segment *segment, Oid relid, int64 load_us)
{
    lmtext_slot *slot = &shared->slots[ref->index];

    LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
    dsm_pin_mapping(segment);
    dsm_pin_segment(segment);
    slot->handle = dsm_segment_handle(segment);
    slot->relid = relid;
    slot->state = LMTEXT_SLOT_READY;
    slot->loads++;
    slot->load_us = load_us;
    slot->loaded_at = GetCurrentTimestamp();
    pg_atomic_write_u32(&slot->pins, 1);
    pg_atomic_write_u64(&slot->last_used, (uint64)slot->loaded_at);
    LWLockRelease(&shared->lock);
    ConditionVariableBroadcast(&shared->changed);
}

/* Called by error cleanup as well, which may find the lock held by this backend. */
void
lmtext_registry_abandon(const lmtext_slot_ref *ref)
{
    lmtext_slot *slot = &shared->slots[ref->index];
    bool held = LWLockHeldByMe(&shared->lock);

    if (!held)
        LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
    if (slot->generation == ref->generation && slot->state == LMTEXT_SLOT_LOADING) {
        slot->state = LMTEXT_SLOT_FREE;
        slot->bytes = 0;
    }
    if (!held)
        LWLockRelease(&shared->lock);
    ConditionVariableBroadcast(&shared->changed);
}

/* For a backend that has the segment mapped already: a look at one slot, no search. */
bool
lmtext_registry_pin(const lmtext_slot_ref *ref)
{
    lmtext_slot *slot = &shared->slots[ref->index];
    bool current;

    LWLockAcquire(&shared->lock, LW_SHARED);
    current = is_current(ref);
    if (current) {
        pg_atomic_fetch_add_u32(&slot->pins, 1);
        slot_touch(slot);
    }
    LWLockRelease(&shared->lock);
    return current;
}

/*
 * The shared lock orders this against an unload, which must either see the pin or be seen here:
 * else a DYING slot would stay for ever.
 */
void
lmtext_registry_unpin(const lmtext_slot_ref *ref)
{
    lmtext_slot *slot = &shared->slots[ref->index];
    bool last;

    LWLockAcquire(&shared->lock, LW_SHARED);
    last = pg_atomic_sub_fetch_u32(&slot->pins, 1) == 0 && slot->state == LMTEXT_SLOT_DYING;
    LWLockRelease(&shared->lock);
    if (!last)
        return;
    LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
    if (slot->generation == ref->generation && slot->state == LMTEXT_SLOT_DYING) {
        slot->state = LMTEXT_SLOT_FREE;
        slot->bytes = 0;
    }
    LWLockRelease(&shared->lock);
}

void
lmtext_registry_count(const lmtext_slot_ref *ref, const lm_embed_counts *counts)
{
    lmtext_slot *slot = &shared->slots[ref->index];

    pg_atomic_fetch_add_u64(&slot->texts, counts->texts);
    pg_atomic_fetch_add_u64(&slot->tokens, counts->tokens);
}

bool
lmtext_registry_is_current(const lmtext_slot_ref *ref)
{
    bool current;

    LWLockAcquire(&shared->lock, LW_SHARED);
    current = is_current(ref);
    LWLockRelease(&shared->lock);
    return current;
}

/* Under the lock, shared or not. */
static bool
is_current(const lmtext_slot_ref *ref)
{
    const lmtext_slot *slot = &shared->slots[ref->index];

    return slot->generation == ref->generation && slot->state == LMTEXT_SLOT_READY;
}

/*
 * Nobody will ask for it under the name that the caller knew. Other databases, or another version
 * with the same contents, load it again.
 */
void
lmtext_registry_retire(const lmtext_slot_ref *ref)
{
    lmtext_slot *slot = &shared->slots[ref->index];
    dsm_handle handle = DSM_HANDLE_INVALID;

    LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
    if (is_current(ref) && pg_atomic_read_u32(&slot->pins) == 0)
        handle = slot_evict(slot);
    LWLockRelease(&shared->lock);
    if (handle != DSM_HANDLE_INVALID)
        dsm_unpin_segment(handle);
}

uint64
lmtext_registry_departures(void)
{
    return shared == NULL ? 0 : pg_atomic_read_u64(&shared->departures);
}

/*
 * A load under way is waited for: else what the caller wanted out of memory would be in it a moment
 * later.
 */
bool
lmtext_registry_unload(lmtext_registry *registry, const lmtext_cache_key *key)
{
    bool unloaded = false;

    while (try_unload(key, &unloaded) == TAKE_WAIT)
        ConditionVariableSleep(&registry->changed, lmtext_wait_event(LMTEXT_WAIT_UNLOAD));
    ConditionVariableCancelSleep();
    return unloaded;
}

/* For every instruction level. Who is using it keeps its mapping, and the slot, until done. */
static take_result
try_unload(const lmtext_cache_key *key, bool *unloaded)
{
    take_result result = TAKE_AGAIN;
    dsm_handle evicted[LMTEXT_SLOTS];
    int count = 0;

    LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
    for (int i = 0; i < LMTEXT_SLOTS; i++) {
        lmtext_slot *slot = &shared->slots[i];

        if (memcmp(&slot->key.image, &key->image, sizeof key->image) != 0)
            continue;
        if (slot->state == LMTEXT_SLOT_LOADING)
            result = TAKE_WAIT;
        else if (slot->state == LMTEXT_SLOT_READY)
            evicted[count++] = slot_evict(slot);
    }
    LWLockRelease(&shared->lock);
    if (count > 0)
        *unloaded = true;
    while (count > 0)
        dsm_unpin_segment(evicted[--count]);
    return result;
}

/* At most one slot of a key is LOADING or READY; several may be DYING. */
static lmtext_slot *
find_slot(const lmtext_cache_key *key, lmtext_slot_state state)
{
    for (int i = 0; i < LMTEXT_SLOTS; i++) {
        lmtext_slot *slot = &shared->slots[i];

        if (slot->state == state && memcmp(&slot->key, key, sizeof *key) == 0)
            return slot;
    }
    return NULL;
}

/* The slot that held this key before (its statistics go on), else the one that is idle longest. */
static lmtext_slot *
choose_free_slot(const lmtext_cache_key *key)
{
    lmtext_slot *best = find_slot(key, LMTEXT_SLOT_FREE);

    for (int i = 0; best == NULL && i < LMTEXT_SLOTS; i++)
        if (shared->slots[i].state == LMTEXT_SLOT_FREE && shared->slots[i].generation == 0)
            best = &shared->slots[i];
    if (best != NULL)
        return best;
    for (int i = 0; i < LMTEXT_SLOTS; i++) {
        lmtext_slot *slot = &shared->slots[i];

        if (slot->state == LMTEXT_SLOT_FREE &&
            (best == NULL ||
             pg_atomic_read_u64(&slot->last_used) < pg_atomic_read_u64(&best->last_used)))
            best = slot;
    }
    return best;
}

/* Of those that nobody is using. */
static lmtext_slot *
least_recently_used(void)
{
    lmtext_slot *best = NULL;

    for (int i = 0; i < LMTEXT_SLOTS; i++) {
        lmtext_slot *slot = &shared->slots[i];

        if (slot->state == LMTEXT_SLOT_READY && pg_atomic_read_u32(&slot->pins) == 0 &&
            (best == NULL ||
             pg_atomic_read_u64(&slot->last_used) < pg_atomic_read_u64(&best->last_used)))
            best = slot;
    }
    return best;
}

/* The caller unpins the segment once it has released the lock: freeing 100 MB takes 10 ms. */
static dsm_handle
slot_evict(lmtext_slot *slot)
{
    dsm_handle handle = slot->handle;

    slot->handle = DSM_HANDLE_INVALID;
    if (pg_atomic_read_u32(&slot->pins) > 0)
        slot->state = LMTEXT_SLOT_DYING;
    else {
        slot->state = LMTEXT_SLOT_FREE;
        slot->bytes = 0;
    }
    pg_atomic_fetch_add_u64(&shared->departures, 1);
    return handle;
}

/* Under the shared lock: several backends at once, hence atomics. */
static void
slot_touch(lmtext_slot *slot)
{
    pg_atomic_fetch_add_u64(&slot->hits, 1);
    pg_atomic_write_u64(&slot->last_used, (uint64)GetCurrentTimestamp());
}

/* Attaching a segment twice is an error. Mapped until it is closed by name. */
static dsm_segment *
map_segment(dsm_handle handle)
{
    dsm_segment *segment = dsm_find_mapping(handle);

    if (segment != NULL)
        return segment;
    segment = dsm_attach(handle);
    if (segment == NULL)
        elog(ERROR, "lmtext: shared memory segment of a loaded model is gone");
    LMTEXT_FAULT_POINT("attached_under_lock");
    dsm_pin_mapping(segment);
    return segment;
}

/* A consistent copy, so that rows are made (which can fail) without the lock. */
int
lmtext_registry_snapshot(lmtext_slot_view *views)
{
    int count = 0;

    if (lmtext_registry_get(NULL) == NULL)
        return 0;
    LWLockAcquire(&shared->lock, LW_SHARED);
    for (int i = 0; i < LMTEXT_SLOTS; i++)
        if (shared->slots[i].state != LMTEXT_SLOT_FREE)
            view_slot(&shared->slots[i], &views[count++]);
    LWLockRelease(&shared->lock);
    return count;
}

/* Atomics are read without ordering: a view may be a moment old. */
static void
view_slot(const lmtext_slot *slot, lmtext_slot_view *view)
{
    static const char *const names[] = {
        [LMTEXT_SLOT_FREE] = "free",
        [LMTEXT_SLOT_LOADING] = "loading",
        [LMTEXT_SLOT_READY] = "ready",
        [LMTEXT_SLOT_DYING] = "unloading",
    };
    lmtext_slot *atomics = (lmtext_slot *)slot;

    view->key = slot->key;
    view->state = names[slot->state];
    view->ref = (lmtext_slot_ref){slot - shared->slots, slot->generation};
    view->database = slot->database;
    view->relid = slot->relid;
    view->bytes = (int64)slot->bytes;
    view->pins = pg_atomic_read_u32(&atomics->pins);
    view->hits = (int64)pg_atomic_read_u64(&atomics->hits);
    view->texts = (int64)pg_atomic_read_u64(&atomics->texts);
    view->tokens = (int64)pg_atomic_read_u64(&atomics->tokens);
    view->loads = slot->loads;
    view->load_ms = slot->load_us / 1000.0;
    view->loaded_at = slot->loaded_at;
    view->last_used = (TimestampTz)pg_atomic_read_u64(&atomics->last_used);
}
