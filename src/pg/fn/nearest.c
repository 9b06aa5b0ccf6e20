/*
 * nearest.c - the aggregate lmtext_internal.nearest: for each of many queries the k rows whose
 * vectors are nearest by cosine, in one pass over a table.
 *
 * nearest(tableoid, ctid, key, vector, queries, k): the queries, rows of a matrix, and k are those
 * of the first row. Rows without a vector, or with a zero vector, are passed over.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "pg/fn/hits.h"
#include "search/distance.h"

PG_FUNCTION_INFO_V1(lmtext_nearest_transition);
PG_FUNCTION_INFO_V1(lmtext_nearest_final);

typedef struct nearest_state {
    lmtext_call call;
    int count, width;
    float *queries; /* (count, width) */
    lm_topk *lists; /* (count) */
} nearest_state;

static nearest_state *
make_state(ArrayType *queries, int k, MemoryContext memory)
{
    nearest_state *state = MemoryContextAllocZero(memory, sizeof *state);
    Size bytes;

    if (ARR_NDIM(queries) != 2 || array_contains_nulls(queries) || k < 1)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("queries must be a two-dimensional array, and k at least 1")));
    lmtext_call_init(&state->call, memory);
    state->count = ARR_DIMS(queries)[0];
    state->width = ARR_DIMS(queries)[1];
    bytes = mul_size(mul_size(state->count, state->width), sizeof(float));
    state->queries = MemoryContextAllocHuge(memory, bytes);
    memcpy(state->queries, ARR_DATA_PTR(queries), bytes);
    state->lists = MemoryContextAllocHuge(memory, mul_size(state->count, sizeof(lm_topk)));
    for (int i = 0; i < state->count; i++) {
        lmtext_check_finite(state->queries + (size_t)i * state->width, state->width);
        lm_topk_init(&state->lists[i], &state->call.ctx, k);
    }
    return state;
}

/* One query and one row. No list wants what is not a number, the cosine with a zero vector. */
static void
offer(FunctionCallInfo fcinfo, nearest_state *state, int query, double cosine, MemoryContext memory)
{
    lm_topk *list = &state->lists[query];
    void *dropped;

    if (!lm_topk_wants(list, cosine))
        return;
    lmtext_check(&state->call, lm_topk_add(list, cosine, lmtext_hit_make(fcinfo, memory), &dropped),
                 NULL);
    lmtext_hit_free(dropped);
}

static void
offer_to_all(FunctionCallInfo fcinfo, nearest_state *state, const float *vector,
             MemoryContext memory)
{
    lmtext_check_finite(vector, state->width);
    for (int i = 0; i < state->count; i++) {
        CHECK_FOR_INTERRUPTS();
        offer(
            fcinfo, state, i,
            1 - lm_cosine_distance(state->width, state->queries + (size_t)i * state->width, vector),
            memory);
    }
}

Datum
lmtext_nearest_transition(PG_FUNCTION_ARGS)
{
    MemoryContext memory = lmtext_hits_memory(fcinfo);
    nearest_state *state = PG_ARGISNULL(0) ? NULL : (nearest_state *)PG_GETARG_POINTER(0);
    const float *vector;
    int width;

    if (PG_ARGISNULL(4) || PG_ARGISNULL(5) || PG_ARGISNULL(6)) {
        if (state == NULL)
            PG_RETURN_NULL();
        PG_RETURN_POINTER(state);
    }
    if (state == NULL)
        state = make_state(PG_GETARG_ARRAYTYPE_P(5), PG_GETARG_INT32(6), memory);
    vector = lmtext_floats_from_array(PG_GETARG_ARRAYTYPE_P(4), &width);
    if (width != state->width)
        ereport(ERROR,
                (errcode(ERRCODE_DATA_EXCEPTION),
                 errmsg("vectors have different dimensions: %d and %d", width, state->width)));
    offer_to_all(fcinfo, state, vector, memory);
    PG_RETURN_POINTER(state);
}

Datum
lmtext_nearest_final(PG_FUNCTION_ARGS)
{
    nearest_state *state = PG_ARGISNULL(0) ? NULL : (nearest_state *)PG_GETARG_POINTER(0);

    lmtext_hits_memory(fcinfo);
    return lmtext_hits_array(fcinfo, state == NULL ? NULL : state->lists,
                             state == NULL ? 0 : state->count);
}
