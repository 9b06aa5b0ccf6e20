/*
 * cache.c - model versions as this backend uses them: entries by table, pins by resource owner,
 * invalidation, settings.
 *
 * An entry is one version bound to an image. It is pinned once per resource owner that uses it and
 * unpinned when that owner is released, on commit, error and subtransaction abort alike. While it
 * is pinned nothing of it moves: an invalidation only marks it, and what replaces it is another
 * entry. A marked entry is compared with its manifest at the next use and kept where the digest is
 * the same. Entries that nobody pins are freed by the sweep that starts each first use, never
 * inside a callback.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

#include "kernels/kernels.h"
#include "pg/cache/image.h"
#include "pg/glue/backend.h"
#include "pg/glue/init_once.h"

typedef struct cache_entry {
    lmtext_model pub; /* first: what callers get */
    dlist_node node;
    lmtext_cache_key key; /* with the image's digest; the version's own is in pub */
    MemoryContext memory; /* of what was bound */
    lmtext_image *image;
    Oid base;          /* version that a head is built on, or InvalidOid */
    uint64 base_build; /* what it was when the head was checked against it; 0: not yet known */
    lmtext_digest base_digest;
    int pins;                /* records in pins[] */
    bool linked;             /* the hash finds it */
    bool ready;              /* image, binding and session are there */
    bool holds;              /* has pinned its image */
    uint32 changes, checked; /* invalidations seen, and those that were looked into */
} cache_entry;

typedef struct cache_slot {
    Oid relid; /* hash key */
    cache_entry *entry;
} cache_slot;

typedef struct cache_pin {
    ResourceOwner owner;
    cache_entry *entry;
    Oid user; /* who was found to have the privilege; InvalidOid: pinned as a base */
} cache_pin;

/* The last answer, for the next call of the same function. */
typedef struct last_use {
    Oid relid;
    Oid user;
    ResourceOwner owner;
    lmtext_model *model;
} last_use;

static HTAB *entries;
static dlist_head all_entries = DLIST_STATIC_INIT(all_entries);
static cache_pin *pins; /* newest last */
static int pin_count, pin_limit;
static last_use last;
static bool sweep_needed;
static uint64 departures_seen;
static uint64 builds;
static int isa_setting = LM_LEVEL_COUNT;

static const struct config_enum_entry isa_options[] = {
    {"auto", LM_LEVEL_COUNT, false},
    {"scalar", LM_LEVEL_SCALAR, false},
    {"avx2", LM_LEVEL_AVX2, false},
    {"avx512", LM_LEVEL_AVX512, false},
    {"avx512_vnni", LM_LEVEL_AVX512_VNNI, false},
    {"avx512_bf16", LM_LEVEL_AVX512_BF16, false},
    {NULL, 0, false},
};

/* Deeper than a head on its base is a broken version, or a circle. */
#define MAX_DEPTH 2

static cache_entry *entry_use(Oid relid, Oid user, int depth);
static void use_base(cache_entry *entry, int depth);
static void check_base(cache_entry *entry, const cache_entry *base);
static cache_entry *entry_current(Oid relid);
static bool entry_revalidate(cache_entry *entry);
static cache_entry *entry_lookup(Oid relid);
static cache_entry *entry_create(Oid relid);
static void entry_pin(cache_entry *entry, Oid user);
static void entry_unpin(cache_entry *entry);
static void entry_build(cache_entry *entry);
static void entry_bind(cache_entry *entry, const lmtext_manifest *manifest);
static void entry_reset(cache_entry *entry);
static void entry_unlink(cache_entry *entry);
static void entry_free(cache_entry *entry);
static bool entry_is_stale(const cache_entry *entry);
static lmtext_manifest *read_key(Oid relid, MemoryContext scratch, lmtext_cache_key *key);
static cache_pin *find_pin(Oid relid);
static void pins_reserve(void);
static void cache_sweep(void);
static bool entry_is_dropped(const cache_entry *entry);
static void retire_image(cache_entry *entry);
static void cache_setup(void);
static void define_settings(void);
static void assign_isa(int value, void *extra);
static void relation_changed(Datum argument, Oid relid);
static void owner_released(void);
static void drop_private(void);

/*
 * The fast way answers when nothing has changed since the last question: same table, user and
 * resource owner, and no invalidation, which clears it. A row's call then costs a few nanoseconds.
 */
lmtext_model *
lmtext_model_use(Oid relid)
{
    Oid user = GetUserId();
    cache_entry *entry;
    cache_pin *pin;

    if (last.relid == relid && last.owner == CurrentResourceOwner && last.user == user &&
        relid != InvalidOid)
        return last.model;
    cache_setup();
    pin = find_pin(relid);
    if (pin == NULL || pin->user != user || entry_is_stale(pin->entry))
        lmtext_catalog_check_use(relid);
    if (pin == NULL)
        cache_sweep();
    entry = entry_use(relid, user, 1);
    LMTEXT_FAULT_POINT("model_used");
    last = (last_use){relid, user, CurrentResourceOwner, &entry->pub};
    return &entry->pub;
}

/* The entry, ready, and pinned by the current resource owner; its base too. No privilege check. */
static cache_entry *
entry_use(Oid relid, Oid user, int depth)
{
    cache_pin *pin = find_pin(relid);
    cache_entry *entry;

    if (pin != NULL && pin->entry->ready && !entry_is_stale(pin->entry)) {
        if (OidIsValid(user))
            pin->user = user;
        return pin->entry;
    }
    entry = entry_current(relid);
    LMTEXT_FAULT_POINT("before_pin");
    pin = find_pin(relid);
    if (pin == NULL)
        entry_pin(entry, user);
    else if (OidIsValid(user))
        pin->user = user;
    LMTEXT_FAULT_POINT("after_pin");
    if (!entry->ready)
        entry_build(entry);
    if (OidIsValid(entry->base))
        use_base(entry, depth);
    return entry;
}

/*
 * The base of a head is an entry of its own, pinned by the same owner. It may have been rebuilt
 * since the head was bound, so the pointer is set anew. Who may use it was settled with the head:
 * see lmtext_catalog_check_use.
 */
static void
use_base(cache_entry *entry, int depth)
{
    cache_entry *base;

    if (depth >= MAX_DEPTH)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("model \"%s\" is built on a model that is itself built on another",
                               entry->pub.name)));
    base = entry_use(entry->base, InvalidOid, depth + 1);
    if (entry->base_build != base->pub.build)
        check_base(entry, base);
    entry->pub.encoder = &base->pub;
}

/*
 * The head's manifest was compared with its base when the head was built, and nothing tells of the
 * head when the base's table is written to.
 */
static void
check_base(cache_entry *entry, const cache_entry *base)
{
    lmtext_call *call = &entry->pub.call;

    if (entry->base_build == 0)
        entry->base_digest = base->pub.identity.digest;
    else if (memcmp(&entry->base_digest, &base->pub.identity.digest, sizeof(lmtext_digest)) != 0)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("model \"%s\" was trained on other weights than \"%s\" has now",
                               entry->pub.name, base->pub.name)));
    lmtext_check(call, lm_model_set_base(&call->ctx, &entry->pub.model, &base->pub.model),
                 entry->pub.name);
    entry->base_build = base->pub.build;
}

/* The entry of a table as it is now, perhaps not ready. */
static cache_entry *
entry_current(Oid relid)
{
    cache_entry *entry = entry_lookup(relid);

    if (entry != NULL && entry->ready && entry_is_stale(entry) && !entry_revalidate(entry)) {
        entry_unlink(entry);
        entry = NULL;
    }
    return entry != NULL ? entry : entry_create(relid);
}

/* True: the table still holds what the entry was made of. */
static bool
entry_revalidate(cache_entry *entry)
{
    uint32 changes = entry->changes;
    MemoryContext scratch =
        AllocSetContextCreate(CurrentMemoryContext, "lmtext manifest", ALLOCSET_SMALL_SIZES);
    lmtext_cache_key key;
    lmtext_digest digest;
    bool same;

    LockRelationOid(entry->pub.relid, AccessShareLock);
    digest = read_key(entry->pub.relid, scratch, &key)->digest;
    LMTEXT_FAULT_POINT("revalidating");
    MemoryContextDelete(scratch);
    same = memcmp(&key, &entry->key, sizeof key) == 0 &&
           memcmp(&digest, &entry->pub.identity.digest, sizeof digest) == 0 &&
           entry->base == lmtext_catalog_base(entry->pub.relid);
    if (same) {
        char *name = lmtext_catalog_display_name(entry->pub.relid);

        strlcpy(entry->pub.name, name, sizeof entry->pub.name);
        pfree(name);
        entry->checked = changes;
    }
    return same;
}

/* The entry that a table's Oid stands for now, or NULL. */
static cache_entry *
entry_lookup(Oid relid)
{
    cache_slot *slot = hash_search(entries, &relid, HASH_FIND, NULL);

    return slot == NULL ? NULL : slot->entry;
}

/*
 * Found by the hash at once: an error on the way leaves an entry that is not ready, and the next
 * use builds it.
 */
static cache_entry *
entry_create(Oid relid)
{
    cache_entry *entry = MemoryContextAllocZero(lmtext_memory(), sizeof *entry);
    cache_slot *slot;

    entry->pub.relid = relid;
    entry->pub.identity.relid = relid;
    entry->pub.identity.name = entry->pub.name;
    entry->pub.encoder = &entry->pub;
    dlist_push_tail(&all_entries, &entry->node);
    slot = hash_search(entries, &relid, HASH_ENTER, NULL);
    slot->entry = entry;
    entry->linked = true;
    return entry;
}

/* Recorded first, so that whatever fails later is given back with the owner. */
static void
entry_pin(cache_entry *entry, Oid user)
{
    pins_reserve();
    pins[pin_count++] = (cache_pin){CurrentResourceOwner, entry, user};
    if (entry->pins++ == 0 && entry->ready) {
        entry->holds = lmtext_image_pin(entry->image);
        if (!entry->holds)
            entry_reset(entry); /* evicted since */
    }
}

/* Called on abort: frees nothing. */
static void
entry_unpin(cache_entry *entry)
{
    if (--entry->pins > 0)
        return;
    if (entry->holds) {
        entry->holds = false;
        lmtext_image_unpin(entry->image);
    }
    if (!entry->linked || !entry->ready)
        sweep_needed = true;
}

/*
 * Read the manifest, get the image, bind. The table stays locked until the transaction ends, so
 * that a load never waits for a lock of somebody who waits for the load.
 */
static void
entry_build(cache_entry *entry)
{
    MemoryContext scratch =
        AllocSetContextCreate(CurrentMemoryContext, "lmtext manifest", ALLOCSET_SMALL_SIZES);
    Oid relid = entry->pub.relid;
    uint32 changes = entry->changes;
    lmtext_manifest *manifest;
    char *name;

    entry_reset(entry);
    LockRelationOid(relid, AccessShareLock);
    lmtext_chunks_lock(relid);
    name = lmtext_catalog_display_name(relid);
    strlcpy(entry->pub.name, name, sizeof entry->pub.name);
    pfree(name);
    manifest = read_key(relid, scratch, &entry->key);
    entry->pub.identity.digest = manifest->digest;
    entry->base = lmtext_catalog_base(relid);
    LMTEXT_FAULT_POINT("manifest_known");
    entry->image = lmtext_image_open(&entry->key, relid, manifest);
    entry->holds = true;
    LMTEXT_FAULT_POINT("after_publish");
    entry_bind(entry, manifest);
    LMTEXT_FAULT_POINT("bound");
    entry->pub.build = ++builds;
    entry->base_build = 0;
    entry->checked = changes;
    entry->ready = true;
    MemoryContextDelete(scratch);
}

/*
 * Pointers into the image and scratch space, for this backend. The window and the cut of the
 * embedding are the version's own: the image may have been loaded for another. A head and only a
 * head names a base.
 */
static void
entry_bind(cache_entry *entry, const lmtext_manifest *manifest)
{
    lmtext_call *call = &entry->pub.call;

    entry->memory =
        AllocSetContextCreate(lmtext_memory(), "lmtext bound model", ALLOCSET_DEFAULT_SIZES);
    lmtext_call_init(call, entry->memory);
    lmtext_check(
        call,
        lm_model_bind(&call->ctx, entry->image->address, entry->image->size, &entry->pub.model),
        entry->pub.name);
    lmtext_check(call, lm_model_set_window(&call->ctx, &entry->pub.model, manifest->max_tokens),
                 entry->pub.name);
    lm_model_set_dimensions(&entry->pub.model, lmtext_manifest_dimensions(manifest));
    LMTEXT_FAULT_POINT("mid_bind");
    lmtext_check(call, lm_session_create(&call->ctx, &entry->pub.session), entry->pub.name);
    if (lm_model_needs_base(&entry->pub.model) != OidIsValid(entry->base))
        ereport(ERROR,
                (errcode(ERRCODE_DATA_CORRUPTED),
                 lm_model_needs_base(&entry->pub.model)
                     ? errmsg("model \"%s\" is a head but names no base", entry->pub.name)
                     : errmsg("model \"%s\" names a base but is not a head", entry->pub.name)));
}

/* Back to an entry that has nothing. Only while unpinned, or by the one who is building it. */
static void
entry_reset(cache_entry *entry)
{
    entry->ready = false;
    if (entry->holds)
        lmtext_image_unpin(entry->image);
    entry->holds = false;
    if (entry->memory != NULL)
        MemoryContextDelete(entry->memory); /* the engine has no other memory */
    entry->memory = NULL;
    memset(&entry->pub.model, 0, sizeof entry->pub.model);
    entry->pub.session = NULL;
    if (entry->image != NULL)
        lmtext_image_release(entry->image);
    entry->image = NULL;
}

/* The table's Oid stands for something else now; who has the entry pinned keeps it to the end. */
static void
entry_unlink(cache_entry *entry)
{
    if (entry->linked)
        hash_search(entries, &entry->pub.relid, HASH_REMOVE, NULL);
    entry->linked = false;
    sweep_needed = true;
}

/* Only while nobody pins it, and never inside a callback. */
static void
entry_free(cache_entry *entry)
{
    Assert(entry->pins == 0);
    entry_unlink(entry);
    entry_reset(entry);
    dlist_delete(&entry->node);
    pfree(entry);
}

/*
 * Counters, not a flag: an invalidation that arrives while the manifest is read must not be lost.
 */
static bool
entry_is_stale(const cache_entry *entry)
{
    return entry->changes != entry->checked;
}

/* The manifest, in scratch, and the key under which the version's image is shared. */
static lmtext_manifest *
read_key(Oid relid, MemoryContext scratch, lmtext_cache_key *key)
{
    const lm_kernels *kernels = lm_kernels_active();
    MemoryContext old = MemoryContextSwitchTo(scratch);
    lmtext_manifest *manifest = lmtext_manifest_read(relid);

    MemoryContextSwitchTo(old);
    *key = (lmtext_cache_key){
        .image = lmtext_manifest_image(manifest),
        .image_layout = LM_IMAGE_LAYOUT,
        .pack_format = kernels->products[manifest->precision].pack_format,
        .level = kernels->level,
        .precision = manifest->precision,
    };
    return manifest;
}

/* The pin of the current resource owner on the entry that the hash finds. */
static cache_pin *
find_pin(Oid relid)
{
    for (int i = pin_count - 1; i >= 0; i--)
        if (pins[i].owner == CurrentResourceOwner && pins[i].entry->pub.relid == relid &&
            pins[i].entry->linked)
            return &pins[i];
    return NULL;
}

/* Room for one more record, before anything is counted that the record must give back. */
static void
pins_reserve(void)
{
    if (pin_count < pin_limit)
        return;
    if (pins == NULL)
        pins = MemoryContextAlloc(lmtext_memory(), 16 * sizeof *pins);
    else
        pins = repalloc(pins, 2 * pin_limit * sizeof *pins);
    pin_limit = pin_limit == 0 ? 16 : 2 * pin_limit;
}

/*
 * Free what nobody pins and nothing will want: entries that were replaced or never got ready, whose
 * table is gone, or whose image was evicted, which only our mapping keeps in memory. An entry whose
 * table may have changed stays for its next use to look into.
 */
static void
cache_sweep(void)
{
    dlist_mutable_iter iter;

    if (!sweep_needed && lmtext_registry_departures() == departures_seen)
        return;
    sweep_needed = false;
    dlist_foreach_modify(iter, &all_entries)
    {
        cache_entry *entry = dlist_container(cache_entry, node, iter.cur);

        if (entry->pins == 0 && entry_is_dropped(entry))
            retire_image(entry);
    }
    /* Only now: another table's entry may have had the same image. */
    departures_seen = lmtext_registry_departures();
    dlist_foreach_modify(iter, &all_entries)
    {
        cache_entry *entry = dlist_container(cache_entry, node, iter.cur);

        if (entry->pins > 0)
            continue;
        LMTEXT_FAULT_POINT("mid_sweep");
        if (!entry->linked || !entry->ready || !lmtext_image_is_current(entry->image))
            entry_free(entry);
    }
    lmtext_images_sweep();
}

/*
 * Only where an invalidation has come: a drop, or the end of the transaction that made the table.
 */
static bool
entry_is_dropped(const cache_entry *entry)
{
    return entry->linked && entry_is_stale(entry) &&
           !SearchSysCacheExists1(RELOID, ObjectIdGetDatum(entry->pub.relid));
}

/*
 * Memory of a dropped version, or of one whose import was rolled back, is free at once. A version
 * with the same contents elsewhere is loaded again at its next use.
 */
static void
retire_image(cache_entry *entry)
{
    if (entry->ready && !lmtext_image_is_private(entry->image))
        lmtext_registry_retire(&entry->image->slot);
    entry_unlink(entry);
}

/*
 * Before another private copy is made: a session with many models and no shared memory keeps one,
 * and those in use.
 */
static void
drop_private(void)
{
    dlist_mutable_iter iter;

    dlist_foreach_modify(iter, &all_entries)
    {
        cache_entry *entry = dlist_container(cache_entry, node, iter.cur);

        if (entry->pins == 0 && entry->image != NULL && lmtext_image_is_private(entry->image))
            entry_free(entry);
    }
}

bool
lmtext_cache_load(Oid relid)
{
    int64 loaded = lmtext_images_loaded;

    lmtext_model_use(relid);
    return lmtext_images_loaded != loaded;
}

/*
 * The lock on the table keeps its manifest from going away under us. A private copy of this session
 * counts as loaded; copies of other sessions are theirs.
 */
bool
lmtext_cache_unload(Oid relid)
{
    MemoryContext scratch =
        AllocSetContextCreate(CurrentMemoryContext, "lmtext manifest", ALLOCSET_SMALL_SIZES);
    lmtext_registry *registry;
    lmtext_cache_key key;
    cache_entry *entry;
    bool unloaded = false;

    cache_setup();
    lmtext_catalog_check_use(relid);
    LockRelationOid(relid, AccessShareLock);
    read_key(relid, scratch, &key);
    MemoryContextDelete(scratch);
    LMTEXT_FAULT_POINT("before_unload");
    registry = lmtext_registry_get(NULL);
    if (registry != NULL)
        unloaded = lmtext_registry_unload(registry, &key);
    lmtext_cache_retire_orphans();
    entry = entry_lookup(relid);
    if (entry != NULL && entry->pins == 0) {
        unloaded |= entry->image != NULL && lmtext_image_is_private(entry->image);
        entry_free(entry);
    }
    LMTEXT_FAULT_POINT("unloaded");
    cache_sweep();
    return unloaded;
}

/* Counters of the image are atomic, all others this process' own. */
void
lmtext_count(lmtext_model *model, const lm_embed_counts *counts)
{
    lmtext_image_count(((cache_entry *)model)->image, counts);
    lmtext_stats_add(counts);
}

/* For tests, which count forward passes, and for users who want to know what a statement computed.
 */
void
lmtext_session_counts(lmtext_counters *counters)
{
    counters->embed = *lmtext_stats_session();
    counters->loads = lmtext_images_loaded;
    counters->attaches = lmtext_images_attached;
}

/* Runs in the postmaster too, when preloaded: nothing here touches shared memory or catalogs. */
void
lmtext_cache_init(void)
{
    define_settings();
    lmtext_images_init(drop_private);
    lmtext_registry_init();
    lmtext_at_release(owner_released);
    /* What cannot be taken back comes last, and needs no memory. */
    CacheRegisterRelcacheCallback(relation_changed, (Datum)0);
}

/*
 * The size limit is the server's, the same for all loaders. The level is everybody's: it changes
 * speed and last bits, never what may be read.
 */
static void
define_settings(void)
{
    LMTEXT_SETTING(Int, "lmtext.cache_size",
                   "Sets the shared memory that all loaded models together may take.",
                   "When it is full, models that are not in use are evicted.", &lmtext_cache_size,
                   1024 * 1024, 0, MAX_KILOBYTES, PGC_SIGHUP, GUC_UNIT_KB, NULL, NULL, NULL);
    LMTEXT_SETTING(Bool, "lmtext.private_models",
                   "Loads a model into a session's own memory where it cannot be shared.",
                   "When off, the use of such a model is an error.", &lmtext_private_models, true,
                   PGC_SUSET, 0, NULL, NULL, NULL);
    LMTEXT_SETTING(Enum, "lmtext.isa", "Sets the highest instruction level that kernels may use.",
                   "A model is loaded once for each level.", &isa_setting, LM_LEVEL_COUNT,
                   isa_options, PGC_USERSET, 0, NULL, assign_isa, NULL);
}

/* Versions are looked up anew, under the key of the new level. */
static void
assign_isa(int value, void *extra)
{
    lm_kernels_select(value < LM_LEVEL_COUNT ? (lm_level)value : LM_LEVEL_COUNT - 1);
    relation_changed((Datum)0, InvalidOid);
}

/* Callback of the relation cache; relid InvalidOid means all. Marks only. */
static void
relation_changed(Datum argument, Oid relid)
{
    dlist_iter iter;

    dlist_foreach(iter, &all_entries)
    {
        cache_entry *entry = dlist_container(cache_entry, node, iter.cur);

        if (relid != InvalidOid && relid != entry->pub.relid)
            continue;
        entry->changes++;
        sweep_needed = true;
        last.relid = InvalidOid;
    }
}

static void
owner_released(void)
{
    int kept = 0;

    if (last.owner == CurrentResourceOwner)
        last.relid = InvalidOid;
    for (int i = 0; i < pin_count; i++) {
        if (pins[i].owner == CurrentResourceOwner)
            entry_unpin(pins[i].entry);
        else
            pins[kept++] = pins[i];
    }
    pin_count = kept;
}

/* First use in this process. */
static void
cache_setup(void)
{
    HASHCTL control = {.keysize = sizeof(Oid), .entrysize = sizeof(cache_slot)};

    if (entries != NULL)
        return;
    LMTEXT_FAULT_POINT("first_use");
    control.hcxt = lmtext_memory();
    entries = hash_create("lmtext models", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}
