/*
 * stats.h - statistics of calls: who called which function with which model version, how often, on
 * how many texts and tokens, with what success, and how long it took. No text is ever kept.
 *
 * calls.c counts in this backend, without a lock; stats.c holds the sums of all backends in shared
 * memory. What is counted is told in docs/monitoring.md.
 */
#ifndef LMTEXT_STATS_H
#define LMTEXT_STATS_H

#include "datatype/timestamp.h"

#include "pg/cache/cache.h"

/* What counts by itself; an array form and a pinned form count under the same name. */
typedef enum lmtext_function {
    LMTEXT_FUNCTION_TOKENIZE,
    LMTEXT_FUNCTION_TOKEN_IDS,
    LMTEXT_FUNCTION_DETOKENIZE,
    LMTEXT_FUNCTION_TOKENS,
    LMTEXT_FUNCTION_COUNT_TOKENS,
    LMTEXT_FUNCTION_CHUNK,
    LMTEXT_FUNCTION_EMBED,
    LMTEXT_FUNCTION_SIMILARITY,
    LMTEXT_FUNCTION_DISTANCE,
    LMTEXT_FUNCTION_CLASSIFY,
    LMTEXT_FUNCTION_CLASS_SCORES,
    LMTEXT_FUNCTION_EMBED_TRIGGER,
    LMTEXT_FUNCTION_TRAIN,
    LMTEXT_FUNCTION_CLASSIFY_SCORED
} lmtext_function;
const char *lmtext_function_name(lmtext_function function);

/*
 * ---- A call, as its SQL entry tells it ----
 *
 * Calls nest: the query of a training may embed. Begin and end come from one place,
 * LMTEXT_COUNTED of fn/args.h; a call that never ends because an error passed through it has
 * failed, which is found when the (sub)transaction aborts, the caller ends, or the process exits.
 */
int lmtext_stats_begin(lmtext_function function);
void lmtext_stats_end(int call);
/* The innermost call uses this model; *hint, NULL at first, is the caller's to keep. */
void lmtext_stats_model(const lmtext_model *model, void **hint);
/* It has computed something; lmtext_count says so for all that embeds. */
void lmtext_stats_add(const lm_embed_counts *counts);
void lmtext_stats_tokenized(uint64 texts, uint64 tokens);
/* It found an answer that was remembered for the statement. */
void lmtext_stats_hit(void);

/* ---- Sums ---- */

/*
 * Call times by their logarithm: four buckets for each doubling from 256 ns to 18 minutes. A
 * quantile is told as the geometric middle of its bucket, at most 9.1 % (the eighth root of 2) off.
 */
#define LMTEXT_STATS_BUCKETS 128

typedef struct lmtext_stats_counts {
    uint64 calls, rows, tokens, truncated, errors, cache_hits, total_ns;
} lmtext_stats_counts;

/*
 * Whose counts. The digest tells versions apart whose tables had the same Oid, one after the other.
 * A call that failed before its model was ready has no relid. No padding: compared as bytes.
 */
typedef struct lmtext_stats_key {
    Oid database, role, relid;
    int32 function;
    lmtext_digest digest;
} lmtext_stats_key;

typedef struct lmtext_stats_entry {
    lmtext_stats_key key;
    char version[NAMEDATALEN * 2 + 2]; /* as a caller named it, for when it is gone; "": none */
    lmtext_stats_counts counts;
    TimestampTz since, last_used;
    uint64 buckets[LMTEXT_STATS_BUCKETS];
} lmtext_stats_entry;

typedef struct lmtext_stats_info {
    int entries, capacity;
    int64 evicted; /* entries that made room for others */
} lmtext_stats_info;

/* This backend's counts included. NULL, and *why, where shared memory could not be had; palloc'd.
 */
lmtext_stats_entry *lmtext_stats_snapshot(lmtext_stats_info *info, const char **why);
double lmtext_stats_quantile_ns(const lmtext_stats_entry *entry, double quantile);
void lmtext_stats_reset(void); /* of this database */

/* ---- Inside this room ---- */

/* Counts of this backend that are not yet among the sums. */
typedef struct lmtext_tally {
    lmtext_stats_key key;
    uint32 hash;
    int slot; /* where the key was found last among the sums, -1: not yet */
    int open; /* calls under way that count here */
    bool dirty;
    char version[NAMEDATALEN * 2 + 2];
    lmtext_stats_counts counts;
    int lowest, highest; /* buckets that are not 0 lie in between */
    uint32 buckets[LMTEXT_STATS_BUCKETS];
} lmtext_tally;

/* Shared memory is there, or has just been got; where not, it is not asked for again at once. */
bool lmtext_stats_attached(void);
/* Add tallies to the sums and clear them; never fails: called on abort and at exit. */
void lmtext_stats_merge(lmtext_tally *tallies, int count);
uint32 lmtext_stats_hash(const lmtext_stats_key *key);
int lmtext_stats_bucket(uint64 ns);
uint64 lmtext_stats_now(void); /* ns, of a clock that only goes forward */

/* In calls.c. */
void lmtext_stats_flush(void); /* never fails */
void lmtext_stats_exit(void);  /* this process ends */
void lmtext_stats_init(void);  /* from lmtext_cache_init: setting, callbacks */

#endif
