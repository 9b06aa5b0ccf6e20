/*
 * search.h - a search in an index, for scans and for what measures it.
 */
#ifndef LMTEXT_SEARCH_H
#define LMTEXT_SEARCH_H

#include "pg/am/index.h"
#include "pg/am/place_set.h"

/* What a search has looked at. */
typedef struct lmtext_effort {
    int64 embedded; /* rows that waited */
    int64 rounds, lists;
    int64 codes;    /* of rows */
    int64 reranked; /* rows, by their int8 vectors */
    int64 postings; /* of words; and blocks of them that could not have a better row */
    int64 skipped;
} lmtext_effort;

/* A row whose distance is known. */
typedef struct lmtext_found {
    float distance;
    ItemPointerData tid;
    uint64 item;
    lm_hash128 hash;
} lmtext_found;

/* ---- sorted.c: more rows than work_mem takes ---- */

/* Zeroed; in memory that is current when it begins. */
typedef struct lmtext_sort {
    struct Tuplesortstate *state; /* NULL: not begun, or ended */
    struct TupleTableSlot *in, *out;
    lmtext_found row; /* that was returned last */
} lmtext_sort;

bool lmtext_sort_fits(double rows, size_t size);
void lmtext_sort_begin(lmtext_sort *sort);
void lmtext_sort_add(lmtext_sort *sort, const lmtext_found *row);
void lmtext_sort_perform(lmtext_sort *sort);
/* By distance and place, valid until the next call; NULL: there is none. */
const lmtext_found *lmtext_sort_next(lmtext_sort *sort);
void lmtext_sort_end(lmtext_sort *sort);

/* ---- search.c ---- */

/* Zeroed, then: store, memory, and what is wanted. All it makes lies in `memory`. */
typedef struct lmtext_search {
    lmtext_store *store; /* of a width */
    MemoryContext memory;
    bool strict;              /* a row that is found too late is left out */
    bool exact;               /* look at all rows at once */
    lmtext_place_set *wanted; /* only at rows of these places, all at once; NULL: at all */
    int most;                 /* rows that are decided on before it ends; 0: no limit */

    lmtext_call call;
    lm_query *query;        /* NULL: all distances are null, and rows come in any order */
    double rows;            /* of the index, about */
    size_t probes, rerank;  /* of this round */
    bool final;             /* there is no further round */
    struct seen_hash *seen; /* items that have been decided on, from the second round on */
    lmtext_found *found;    /* sorted from `at` on */
    size_t count, space, at;
    lmtext_effort effort;
    double limit; /* rows that are returned before the next round */
    float last;   /* distance of the row that was returned last */

    lmtext_sort sort; /* the last round of an index whose rows are more than work_mem takes */
} lmtext_search;

/* Nearest first, and by place. */
int lmtext_found_compare(const void *a, const void *b);
/* For a vector as the user gave it; NULL: for a null. */
void lmtext_search_open(lmtext_search *search, const float *vector);
void lmtext_search_start(lmtext_search *search);
/* The next row, valid until the next call; NULL: there is none. */
const lmtext_found *lmtext_search_next(lmtext_search *search);
/* Before its memory goes. */
void lmtext_search_end(lmtext_search *search);

/* Of a scan so far, its rescans too. */
struct IndexScanDescData;
lmtext_effort lmtext_scan_effort(const struct IndexScanDescData *scan);

/* ---- scan.c: a scan of some places ---- */

/* Where a scan looks, asked for when it begins, and at each rescan. */
typedef struct lmtext_place_source {
    TIDBitmap *(*bitmap)(void *argument);
    void *argument;
    bool rest; /* rows of these places that are not in the index are returned, last */
} lmtext_place_source;
/* How many rows of an index are compared with places while one row's text is looked up. */
#define LMTEXT_PLACES_A_TEXT 800
/* A scan that has not begun returns the rows of these places, by their int8 vectors. */
void lmtext_scan_at_places(const struct IndexScanDescData *scan, const lmtext_place_source *source);
/* The places of a scan that has begun, or NULL. */
const lmtext_place_set *lmtext_scan_places(const struct IndexScanDescData *scan);

/* ---- effort.c ---- */

void lmtext_effort_note(Relation index, const lmtext_effort *effort); /* a scan has ended */
void lmtext_effort_init(void);

#endif
