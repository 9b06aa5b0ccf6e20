/*
 * bm25.c - the aggregate lmtext_internal.bm25: the k rows whose words suit a query best, by exact
 * BM25, in one pass over a table.
 *
 * bm25(tableoid, ctid, key, words tsvector, wanted boolean, terms text[], k): terms, different
 * ones, and k are those of the first row. Every row counts for N, n and the mean length; the ones
 * that are wanted and have a term are ranked. A lexeme counts as often as the tsvector has places
 * for it, at most 255 times, and once where it was stripped of them.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "tsearch/ts_utils.h"

#include "pg/fn/hits.h"
#include "search/bm25.h"

PG_FUNCTION_INFO_V1(lmtext_bm25_transition);
PG_FUNCTION_INFO_V1(lmtext_bm25_final);

/* A row with one of the terms; frequencies follow. */
typedef struct candidate {
    struct candidate *next;
    lmtext_hit *hit;
    uint64 length;
    int32 frequencies[FLEXIBLE_ARRAY_MEMBER];
} candidate;

typedef struct bm25_state {
    lmtext_call call;
    lm_bm25 all;
    text **terms;
    int32 *frequencies; /* of the row at hand */
    candidate *first, **last;
    int k;
} bm25_state;

static bm25_state *
make_state(ArrayType *terms, int k, MemoryContext memory)
{
    MemoryContext caller = MemoryContextSwitchTo(memory);
    bm25_state *state = palloc0(sizeof *state);
    Datum *values;
    int count;

    if (ARR_NDIM(terms) > 1 || array_contains_nulls(terms) || k < 1)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("terms must be an array without nulls, and k at least 1")));
    lmtext_call_init(&state->call, memory);
    deconstruct_array(DatumGetArrayTypePCopy(PointerGetDatum(terms)), TEXTOID, -1, false, 'i',
                      &values, NULL, &count);
    state->terms = (text **)values;
    state->frequencies = palloc(mul_size(count + 1, sizeof(int32)));
    state->all.terms = count;
    state->all.containing = palloc0(mul_size(count + 1, sizeof(uint64)));
    state->last = &state->first;
    state->k = k;
    MemoryContextSwitchTo(caller);
    return state;
}

static int32
places(TSVector words, const WordEntry *entry)
{
    return entry->haspos ? POSDATALEN(words, entry) : 1;
}

/* How often a term stands in a tsvector, whose lexemes are sorted. */
static int32
frequency(TSVector words, const text *term)
{
    const WordEntry *entries = ARRPTR(words);
    int low = 0, high = words->size;

    while (low < high) {
        int middle = low + (high - low) / 2;
        int order = tsCompareString(STRPTR(words) + entries[middle].pos, entries[middle].len,
                                    VARDATA_ANY(term), (int)VARSIZE_ANY_EXHDR(term), false);

        if (order == 0)
            return places(words, &entries[middle]);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

/* Counts the row; returns its length. *any: it has a term. */
static uint64
count_row(bm25_state *state, TSVector words, bool *any)
{
    uint64 length = 0;

    *any = false;
    for (int i = 0; i < words->size; i++)
        length += places(words, ARRPTR(words) + i);
    for (size_t i = 0; i < state->all.terms; i++) {
        state->frequencies[i] = frequency(words, state->terms[i]);
        *any |= state->frequencies[i] > 0;
    }
    lm_bm25_count(&state->all, length, state->frequencies);
    return length;
}

static void
keep_row(FunctionCallInfo fcinfo, bm25_state *state, uint64 length, MemoryContext memory)
{
    Size bytes = state->all.terms * sizeof(int32);
    candidate *row = MemoryContextAlloc(memory, offsetof(candidate, frequencies) + bytes);

    *row = (candidate){.hit = lmtext_hit_make(fcinfo, memory), .length = length};
    memcpy(row->frequencies, state->frequencies, bytes);
    *state->last = row;
    state->last = &row->next;
}

Datum
lmtext_bm25_transition(PG_FUNCTION_ARGS)
{
    MemoryContext memory = lmtext_hits_memory(fcinfo);
    bm25_state *state = PG_ARGISNULL(0) ? NULL : (bm25_state *)PG_GETARG_POINTER(0);
    uint64 length;
    bool any;

    if (PG_ARGISNULL(4) || PG_ARGISNULL(6) || PG_ARGISNULL(7)) {
        if (state == NULL)
            PG_RETURN_NULL();
        PG_RETURN_POINTER(state);
    }
    if (state == NULL)
        state = make_state(PG_GETARG_ARRAYTYPE_P(6), PG_GETARG_INT32(7), memory);
    length = count_row(state, (TSVector)PG_DETOAST_DATUM(PG_GETARG_DATUM(4)), &any);
    if (any && !PG_ARGISNULL(5) && PG_GETARG_BOOL(5))
        keep_row(fcinfo, state, length, memory);
    PG_RETURN_POINTER(state);
}

Datum
lmtext_bm25_final(PG_FUNCTION_ARGS)
{
    bm25_state *state = PG_ARGISNULL(0) ? NULL : (bm25_state *)PG_GETARG_POINTER(0);
    lm_topk best;

    lmtext_hits_memory(fcinfo);
    if (state == NULL)
        return lmtext_hits_array(fcinfo, NULL, 0);
    lm_topk_init(&best, &state->call.ctx, state->k);
    for (const candidate *row = state->first; row != NULL; row = row->next) {
        double score = lm_bm25_score(&state->all, row->length, row->frequencies);
        void *dropped;

        CHECK_FOR_INTERRUPTS();
        if (lm_topk_wants(&best, score))
            lmtext_check(&state->call, lm_topk_add(&best, score, row->hit, &dropped), NULL);
    }
    return lmtext_hits_array(fcinfo, &best, 1);
}
