/*
 * cache.h - loaded models: one copy in shared memory, views and pins of this backend. The locking
 * law is in README.md of this folder.
 */
#ifndef LMTEXT_CACHE_H
#define LMTEXT_CACHE_H

#include "pg/catalog/catalog.h"
#include "pg/watch/stats.h"

/* A model version ready for use in this backend. */
typedef struct lmtext_model {
    Oid relid;
    char name[NAMEDATALEN * 2 + 2]; /* for messages */
    lm_model model;                 /* head's base already set */
    struct lmtext_model *encoder;   /* whose encoder runs: itself, or a head's base */
    lm_session *session;            /* scratch of this backend for this model */
    lmtext_identity identity; /* for statistics; the digest is that of files, window and base */
    uint64 build;     /* of this backend: two of one number hold the same weights and kernels */
    lmtext_call call; /* the context that the session allocates from */
} lmtext_model;

/*
 * The version, loaded if need be, pinned until CurrentResourceOwner is released; checks the use
 * privilege of the current user. Cheap when already pinned by this owner. Callers in procedures
 * that commit must call it again after each commit.
 */
lmtext_model *lmtext_model_use(Oid relid);

/* GUC lmtext.isa changed, or the version was invalidated: handled inside; nothing for callers. */
void lmtext_cache_init(void); /* from _PG_init: GUCs, callbacks */

/* Into shared memory now (true: it was not loaded before), and out of it (true: it was). */
bool lmtext_cache_load(Oid relid);
bool lmtext_cache_unload(Oid relid);
/* Give back the memory of models whose table or database is gone. */
void lmtext_cache_retire_orphans(void);

/* What was computed with a model, which is in use; callers of lm_embed add the counts of each call,
 * also of one that failed. */
void lmtext_count(lmtext_model *model, const lm_embed_counts *counts);
/* What this backend has computed with all models. */
typedef struct lmtext_counters {
    lm_embed_counts embed;
    int64 loads, attaches; /* of images */
} lmtext_counters;
void lmtext_session_counts(lmtext_counters *counters);

#endif
