/*
 * bm25.c - the aggregate lmtext_internal.bm25: the k rows whose words suit a query best, by exact
 * BM25, in one pass over a table.
 *
 * bm25(tableoid, ctid, key, words tsvector, wanted boolean, terms text[], k): terms, different
 * ones, and k are those of the first row. Every row counts for N, n and the mean length; the ones
 * that are wanted and have a term are kept, in a file beyond work_mem, until the statistics are
 * known, and ranked then. A lexeme counts as often as the tsvector has places
 * for it, at most 255 times, and once where it was stripped of them.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "tsearch/ts_utils.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "pg/fn/hits.h"
#include "search/bm25.h"

PG_FUNCTION_INFO_V1(lmtext_bm25_transition);
PG_FUNCTION_INFO_V1(lmtext_bm25_final);

/* What is kept of a row with one of the terms. */
enum { KEPT_TABLE, KEPT_PLACE, KEPT_KEY, KEPT_LENGTH, KEPT_FREQUENCIES, KEPT_COUNT };

typedef struct bm25_state {
    lmtext_call call;
    lm_bm25 all;
    text **terms;
    int32 *frequencies; /* of the row at hand */
    Tuplestorestate *rows;
    TupleDesc columns;
    int k;
} bm25_state;

/* The file of the rows goes with the aggregate's memory. */
static void
end_rows(Datum state)
{
    tuplestore_end(((bm25_state *)DatumGetPointer(state))->rows);
}

static void
open_rows(FunctionCallInfo fcinfo, bm25_state *state)
{
    static const Oid types[KEPT_COUNT] = {OIDOID, TIDOID, TEXTOID, INT8OID, BYTEAOID};

    state->columns = CreateTemplateTupleDesc(KEPT_COUNT);
    for (int i = 0; i < KEPT_COUNT; i++)
        TupleDescInitEntry(state->columns, (AttrNumber)(i + 1), NULL, types[i], -1, 0);
    state->rows = tuplestore_begin_heap(false, false, work_mem);
    AggRegisterCallback(fcinfo, end_rows, PointerGetDatum(state));
}

static bm25_state *
make_state(FunctionCallInfo fcinfo, ArrayType *terms, int k, MemoryContext memory)
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
    open_rows(fcinfo, state);
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
keep_row(FunctionCallInfo fcinfo, bm25_state *state, uint64 length)
{
    bytea *frequencies = cstring_to_text_with_len((const char *)state->frequencies,
                                                  (int)(state->all.terms * sizeof(int32)));
    Datum values[KEPT_COUNT] = {[KEPT_LENGTH] = Int64GetDatum((int64)length),
                                [KEPT_FREQUENCIES] = PointerGetDatum(frequencies)};
    bool nulls[KEPT_COUNT] = {false};

    for (int i = KEPT_TABLE; i <= KEPT_KEY; i++) {
        nulls[i] = PG_ARGISNULL(i + 1);
        values[i] = nulls[i] ? (Datum)0 : PG_GETARG_DATUM(i + 1);
    }
    tuplestore_putvalues(state->rows, state->columns, values, nulls);
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
        state = make_state(fcinfo, PG_GETARG_ARRAYTYPE_P(6), PG_GETARG_INT32(7), memory);
    length = count_row(state, (TSVector)PG_DETOAST_DATUM(PG_GETARG_DATUM(4)), &any);
    if (any && !PG_ARGISNULL(5) && PG_GETARG_BOOL(5))
        keep_row(fcinfo, state, length);
    PG_RETURN_POINTER(state);
}

static lmtext_hit *
make_hit(TupleTableSlot *row)
{
    const bool placed = !row->tts_isnull[KEPT_TABLE] && !row->tts_isnull[KEPT_PLACE];
    lmtext_hit *hit = palloc0(sizeof *hit);

    if (placed) {
        hit->table = DatumGetObjectId(row->tts_values[KEPT_TABLE]);
        hit->place = *(ItemPointer)DatumGetPointer(row->tts_values[KEPT_PLACE]);
    }
    if (!row->tts_isnull[KEPT_KEY])
        hit->key = DatumGetTextPCopy(row->tts_values[KEPT_KEY]);
    return hit;
}

/* The frequencies of a row may lie at any byte. */
static double
score_row(bm25_state *state, TupleTableSlot *row)
{
    const bytea *frequencies = DatumGetByteaPP(row->tts_values[KEPT_FREQUENCIES]);

    memcpy(state->frequencies, VARDATA_ANY(frequencies), VARSIZE_ANY_EXHDR(frequencies));
    return lm_bm25_score(&state->all, (uint64)DatumGetInt64(row->tts_values[KEPT_LENGTH]),
                         state->frequencies);
}

static void
rank_rows(bm25_state *state, lm_topk *best)
{
    TupleTableSlot *row = MakeSingleTupleTableSlot(state->columns, &TTSOpsMinimalTuple);

    while (tuplestore_gettupleslot(state->rows, true, false, row)) {
        double score;
        void *dropped;

        CHECK_FOR_INTERRUPTS();
        slot_getallattrs(row);
        score = score_row(state, row);
        if (!lm_topk_wants(best, score))
            continue;
        lmtext_check(&state->call, lm_topk_add(best, score, make_hit(row), &dropped), NULL);
        lmtext_hit_free(dropped);
    }
    ExecDropSingleTupleTableSlot(row);
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
    rank_rows(state, &best);
    return lmtext_hits_array(fcinfo, &best, 1);
}
