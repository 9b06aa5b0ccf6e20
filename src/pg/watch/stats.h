/*
 * stats.h - statistics of calls: who called which function with which model version, how often, on
 * how many texts and tokens, with what success, and how long it took. No text is ever kept.
 *
 * calls.c counts in this backend, without a lock; stats.c holds the sums of all backends in shared
 * memory. docs/monitoring.md says what is counted.
 */
#ifndef LMTEXT_STATS_H
#define LMTEXT_STATS_H

#include "datatype/timestamp.h"

#include "pg/glue/glue.h"

/*
 * ---- A call, as its SQL entry tells it ----
 *
 * Calls nest: the query of a training may embed. Begin and end come from one place,
 * LMTEXT_ENTRY of fn/args.h; a call that never ends because an error passed through it has
 * failed, which is found when the (sub)transaction aborts, the caller ends, or the process exits.
 */
int lmtext_stats_begin(int32 function); /* its number: service/entry.h */
/*
 * Of a call that does a bounded piece of work, some of the same place one after the other: while
 * they take a few microseconds, the clock is read at each so many of them, and the others count as
 * that one did. `pace` is zeroed at first, and stays where it is until the call ends.
 */
typedef struct lmtext_stats_pace {
    uint32 left;    /* calls before the next look at the clock */
    uint64 elapsed; /* ns of the last one that was measured */
} lmtext_stats_pace;
int lmtext_stats_begin_brief(int32 function, lmtext_stats_pace *pace);
void lmtext_stats_end(int call);
/* A version as statistics tell it from others; the role is that of the call. */
typedef struct lmtext_identity {
    Oid relid;
    lmtext_digest digest;
    const char *name; /* as a caller named it */
} lmtext_identity;
/* The innermost call uses this version; *hint, NULL at first, is the caller's to keep. */
void lmtext_stats_version(const lmtext_identity *version, void **hint);
/* This process has computed something; lmtext_count calls it for all that embeds. */
void lmtext_stats_add(const lm_embed_counts *counts);
const lm_embed_counts *lmtext_stats_session(void); /* all of it so far, in calls or not */
void lmtext_stats_tokenized(uint64 texts, uint64 tokens);
/*
 * It found an answer that was remembered for the statement. A call that computed nothing beside is
 * no call but a cached one, whose time would only hide that of the others.
 */
void lmtext_stats_hit(void);
/*
 * The same of texts whose results were found elsewhere, in the prediction cache or twice in the
 * call: they count as rows.
 */
void lmtext_stats_recalled(uint64 texts);
/* It took what an earlier call has computed for it. */
void lmtext_stats_computed(void);

/* ---- Sums ---- */

/*
 * Call times by their logarithm: four buckets for each doubling from 256 ns to 18 minutes. A
 * quantile is the geometric middle of its bucket, at most 9.1 % (the eighth root of 2) off.
 */
#define LMTEXT_STATS_BUCKETS 128

typedef struct lmtext_stats_counts {
    uint64 calls, cached, rows, tokens, truncated, errors, total_ns;
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
/* Where a bucket begins: 0 for the first, infinity behind the last. */
double lmtext_stats_bound_ns(int bucket);
double lmtext_stats_quantile_ns(const lmtext_stats_entry *entry, double quantile);
void lmtext_stats_reset(void); /* of this database */

/* ---- Inside this room ---- */

/* Counts of this backend that are not yet among the sums. */
typedef struct lmtext_tally {
    lmtext_stats_key key;
    uint32 hash;
    int index; /* where the key was found last among the sums, -1: not yet */
    int open;  /* calls under way that count here */
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
/* The sums as they are; lmtext_stats_snapshot and _reset count this backend's in first. */
lmtext_stats_entry *lmtext_sums_snapshot(lmtext_stats_info *info, const char **why);
void lmtext_sums_reset(void);
uint32 lmtext_stats_hash(const lmtext_stats_key *key);
int lmtext_stats_bucket(uint64 ns);
uint64 lmtext_stats_now(void); /* ns, of a clock that only goes forward */

/* ---- At the start ---- */

void lmtext_stats_init(void); /* from _PG_init: setting, callbacks */

#endif
