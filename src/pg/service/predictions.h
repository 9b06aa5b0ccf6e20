/*
 * predictions.h - the prediction cache: results in shared memory, which sessions of all roles find.
 *
 * A result is known by a hash of 128 bits under a secret of the server over all that it depends on:
 * version, instruction level, what is computed with which options, and the texts, of which nothing
 * else is kept. Who finds one has been allowed to use the version, as for computing it.
 *
 * The cache is as large as lmtext.prediction_cache_size says and there from its first use on. Where
 * its memory cannot be had, sessions compute.
 */
#ifndef LMTEXT_PREDICTIONS_H
#define LMTEXT_PREDICTIONS_H

#include "datatype/timestamp.h"

#include "pg/service/partition.h"
#include "pg/watch/stats.h"

#define LMTEXT_PREDICTION_NAME 24 /* of what is computed; bytes, the end included */

/* Whose results: counts are kept for each. No padding: compared as bytes. */
typedef struct lmtext_prediction_key {
    Oid database, relid;
    lmtext_digest digest; /* of the version */
    char function[LMTEXT_PREDICTION_NAME];
} lmtext_prediction_key;

/* Results of one version and function, as this process looks for them. */
typedef struct lmtext_prediction_use {
    lmtext_prediction_key key;
    int owner; /* where it is counted */
} lmtext_prediction_use;

/* Whether this session looks at the cache at all: two settings. */
bool lmtext_predictions_wanted(void);
/* Whether there is one; the results that are about to be looked for or kept. */
bool lmtext_predictions_begin(lmtext_prediction_use *use, const lmtext_identity *version,
                              const char *function);

/* Begin the hash of a result, where there is a cache. */
void lmtext_predictions_hash(lm_siphash *hash);

/*
 * Copies a result of `size` bytes to `value`; size 0: one of any size, to memory of the current
 * context, whose address goes there. False: there is none, or no memory for it. Counted.
 */
bool lmtext_predictions_find(const lmtext_prediction_use *use, lm_hash128 hash, size_t size,
                             void *value);
void lmtext_predictions_keep(const lmtext_prediction_use *use, lm_hash128 hash, const void *value,
                             size_t size);

/* ---- What is to be seen ---- */

typedef struct lmtext_prediction_counts {
    lmtext_prediction_key key;
    char version[NAMEDATALEN * 2 + 2]; /* as a caller named it, for when it is gone */
    uint64 entries, bytes, hits, misses, evictions;
    TimestampTz last_used;
} lmtext_prediction_counts;

typedef struct lmtext_predictions_info {
    size_t size;          /* of the memory; 0: there is none */
    int count;            /* of lmtext_prediction_counts */
    const char *obstacle; /* why there is none; NULL: it is off, or was not used yet */
} lmtext_predictions_info;

lmtext_prediction_counts *lmtext_predictions_snapshot(lmtext_predictions_info *info);
/* Forget all results and counts of the server, and give the memory back. */
void lmtext_predictions_reset(void);

void lmtext_predictions_settings(void);

#endif
