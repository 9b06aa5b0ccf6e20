/*
 * hits.h - rows that a search has found, for the aggregates that find them in one pass.
 */
#ifndef LMTEXT_HITS_H
#define LMTEXT_HITS_H

#include "storage/itemptr.h"

#include "pg/glue/glue.h"
#include "search/topk.h"

/* A row, as it is named to the caller. */
typedef struct lmtext_hit {
    Oid table; /* InvalidOid: null, and the place too */
    ItemPointerData place;
    text *key; /* or NULL */
} lmtext_hit;

/* From arguments 1, 2 and 3 of a transition; copied into memory that pfree gives back. */
lmtext_hit *lmtext_hit_make(FunctionCallInfo fcinfo, MemoryContext memory);
void lmtext_hit_free(lmtext_hit *hit);

/* The memory of an aggregate's state; an error outside of one. */
MemoryContext lmtext_hits_memory(FunctionCallInfo fcinfo);

/* lmtext_internal.hit[]: of each list, which is sorted, its rows from the best on; queries are
 * numbered from 1. */
Datum lmtext_hits_array(FunctionCallInfo fcinfo, lm_topk *lists, int count);

#endif
