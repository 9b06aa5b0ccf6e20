/*
 * registry.h - the list of loaded models in shared memory: which model lies in which segment, who
 * uses it, what may be evicted. Outside this room only the views of fn/monitoring.c look at it. The
 * locking law is in README.md.
 */
#ifndef LMTEXT_REGISTRY_H
#define LMTEXT_REGISTRY_H

#include "pg/compat.h"

#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/dsm.h"
#include "storage/lwlock.h"

#include "pg/cache/cache.h"

/* Changes with every change of the structs below: two libraries may run in one server. */
#define LMTEXT_REGISTRY_LAYOUT 6

#define LMTEXT_SLOTS 64

/* What an image is made of; equal keys mean equal bytes, except for the window that the image
 * holds, which is its loader's. No padding: compared as bytes. */
typedef struct lmtext_cache_key {
    lmtext_digest image;
    uint32 image_layout; /* LM_IMAGE_LAYOUT */
    uint32 pack_format;
    uint32 level;     /* lm_level: a cap by lmtext.isa must be obeyed also where packings agree */
    uint32 precision; /* lm_precision of its weights */
} lmtext_cache_key;

typedef enum lmtext_slot_state {
    LMTEXT_SLOT_FREE,    /* the key may still name what it held, for its statistics */
    LMTEXT_SLOT_LOADING, /* one backend fills a segment that nobody else sees */
    LMTEXT_SLOT_READY,
    LMTEXT_SLOT_DYING /* unloaded while in use: no new pins, free at the last unpin */
} lmtext_slot_state;

typedef struct lmtext_slot {
    lmtext_cache_key key;
    lmtext_slot_state state;
    dsm_handle handle;
    uint64 generation; /* counts what the slot has held */
    uint64 bytes;      /* of the segment, also while it is being filled */
    Oid database;      /* of the last loader */
    Oid relid;         /* the version that it loaded */
    int64 loads;
    int64 load_us; /* of the last load */
    TimestampTz loaded_at;
    pg_atomic_uint32 pins; /* backends that are using it now */
    pg_atomic_uint64 hits;
    pg_atomic_uint64 texts, tokens; /* computed with it so far, by all backends */
    pg_atomic_uint64 last_used;     /* TimestampTz */
} lmtext_slot;

typedef struct lmtext_registry {
    LWLock lock; /* guards all that is not atomic; never held while reading, filling or waiting */
    ConditionVariable changed;   /* a load ended, well or not */
    pg_atomic_uint64 departures; /* slots freed so far: tells backends to look at their mappings */
    lmtext_slot slots[LMTEXT_SLOTS];
} lmtext_registry;

/* One occupancy of a slot. */
typedef struct lmtext_slot_ref {
    int index; /* -1: none */
    uint64 generation;
} lmtext_slot_ref;

typedef enum lmtext_claim {
    LMTEXT_CLAIM_ATTACHED, /* mapped into this backend and pinned once */
    LMTEXT_CLAIM_LOADER,   /* the caller must publish or abandon it */
    LMTEXT_CLAIM_FULL      /* all slots are in use */
} lmtext_claim;

/* The registry, or NULL where shared memory for it could not be had; *why then says why. */
lmtext_registry *lmtext_registry_get(const char **why);
void lmtext_registry_init(void); /* from lmtext_cache_init */

/* Find or take the slot of a key; waits, interruptibly, while another backend loads it. */
lmtext_claim lmtext_registry_claim(lmtext_registry *registry, const lmtext_cache_key *key,
                                   lmtext_slot_ref *ref, dsm_segment **segment);
/* Room for a loader's segment under lmtext.cache_size, evicting what is unpinned, or false. */
bool lmtext_registry_reserve(const lmtext_slot_ref *ref, uint64 bytes);
/* The loader's segment becomes everybody's; the loader holds one pin. */
void lmtext_registry_publish(const lmtext_slot_ref *ref, dsm_segment *segment, Oid relid,
                             int64 load_us);
void lmtext_registry_abandon(const lmtext_slot_ref *ref);

/* False: it was evicted or unloaded since. */
bool lmtext_registry_pin(const lmtext_slot_ref *ref);
void lmtext_registry_unpin(const lmtext_slot_ref *ref); /* never fails: called on abort */
/* Add to what was computed with a slot's model; the caller has it pinned. */
void lmtext_registry_count(const lmtext_slot_ref *ref, const lm_embed_counts *counts);
bool lmtext_registry_is_current(const lmtext_slot_ref *ref);
/* Evict it now, unless it has gone or somebody is using it. */
void lmtext_registry_retire(const lmtext_slot_ref *ref);
/* Take a model out at every level, waiting for loads under way; false: it was not there. */
bool lmtext_registry_unload(lmtext_registry *registry, const lmtext_cache_key *key);
uint64 lmtext_registry_departures(void);

/* A copy of what a slot says, for views. */
typedef struct lmtext_slot_view {
    lmtext_cache_key key;
    lmtext_slot_ref ref;
    const char *state;
    Oid database, relid;
    int64 bytes, pins, hits, texts, tokens, loads;
    double load_ms;
    TimestampTz loaded_at, last_used;
} lmtext_slot_view;
int lmtext_registry_snapshot(lmtext_slot_view *views); /* room for LMTEXT_SLOTS */
/* Registered and loading models, then the private copies of this backend; palloc'd. */
lmtext_slot_view *lmtext_cache_snapshot(int *count);
/* The table that it was loaded from, or its database, is gone. */
bool lmtext_cache_is_orphan(const lmtext_slot_view *view);

extern int lmtext_cache_size; /* kB */

#endif
