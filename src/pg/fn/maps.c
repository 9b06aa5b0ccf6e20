/*
 * maps.c - lmtext.mapped(vector, 'map'), and the fit behind lmtext.map_vectors.
 *
 * A map is read once while nothing can have changed (service/resolver.h), and a vector that comes
 * again is not mapped again: in `ORDER BY old <=> lmtext.mapped(lmtext.embed('words'), 'map')` it
 * comes with each row.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#include "pg/glue/glue.h"
#include "pg/service/maps.h"
#include "pg/service/resolver.h"
#include "search/adapter.h"

PG_FUNCTION_INFO_V1(lmtext_mapped);
PG_FUNCTION_INFO_V1(lmtext_fit_map);

/* What a call keeps from row to row. */
typedef struct map_state {
    MemoryContext memory; /* of all below */
    lmtext_guard guard;
    text *name;
    lmtext_map *map;
    ArrayType *vector, *result; /* the last ones */
} map_state;

static map_state *
state_of(FunctionCallInfo fcinfo)
{
    if (fcinfo->flinfo->fn_extra == NULL) {
        map_state *state = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(*state));

        state->memory =
            AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "lmtext map", ALLOCSET_DEFAULT_SIZES);
        fcinfo->flinfo->fn_extra = state;
    }
    return fcinfo->flinfo->fn_extra;
}

static bool
same_bytes(const void *kept, const void *value)
{
    Size size = VARSIZE_ANY(value), kept_size;

    if (kept == NULL)
        return false;
    kept_size = VARSIZE_ANY(kept);
    return kept_size == size && memcmp(kept, value, size) == 0;
}

static void
read_map(map_state *state, text *name)
{
    MemoryContext caller;

    if (same_bytes(state->name, name) && lmtext_guard_holds(&state->guard))
        return;
    MemoryContextReset(state->memory);
    *state = (map_state){.memory = state->memory};
    caller = MemoryContextSwitchTo(state->memory);
    state->map = lmtext_map_read(text_to_cstring(name));
    state->guard = lmtext_guard_now();
    state->name = (text *)DatumGetPointer(datumCopy(PointerGetDatum(name), false, -1));
    MemoryContextSwitchTo(caller);
}

static ArrayType *
map_vector(const lmtext_map *map, ArrayType *vector)
{
    int width;
    const float *values = lmtext_floats_from_array(vector, &width);
    ArrayType *result;
    float *out;

    if (width != map->from_width)
        ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
                        errmsg("the map takes vectors of %d dimensions, not of %d", map->from_width,
                               width)));
    lmtext_check_finite(values, width);
    result = lmtext_vector_new(map->to_width, &out);
    lm_adapter_apply(map->to_width, map->from_width, map->matrix, values, out);
    return result;
}

Datum
lmtext_mapped(PG_FUNCTION_ARGS)
{
    ArrayType *vector = PG_GETARG_ARRAYTYPE_P(0);
    map_state *state = state_of(fcinfo);
    MemoryContext caller;

    read_map(state, PG_GETARG_TEXT_PP(1));
    if (!same_bytes(state->vector, vector)) {
        if (state->vector != NULL) {
            pfree(state->vector);
            pfree(state->result);
            state->vector = NULL;
        }
        caller = MemoryContextSwitchTo(state->memory);
        state->result = map_vector(state->map, vector);
        state->vector = DatumGetArrayTypePCopy(PointerGetDatum(vector));
        MemoryContextSwitchTo(caller);
    }
    PG_RETURN_DATUM(datumCopy(PointerGetDatum(state->result), false, -1));
}

/* ---- Fitting ---- */

/* One vector a row; the empty array has none. */
static const float *
matrix_of(ArrayType *array, size_t *rows, size_t *width)
{
    if (ARR_NDIM(array) > 2 || ARR_NDIM(array) == 1)
        ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
                        errmsg("vectors must be a two-dimensional array")));
    if (array_contains_nulls(array))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("vectors must not contain nulls")));
    *rows = ARR_NDIM(array) == 0 ? 0 : (size_t)ARR_DIMS(array)[0];
    *width = ARR_NDIM(array) == 0 ? 0 : (size_t)ARR_DIMS(array)[1];
    return (const float *)ARR_DATA_PTR(array);
}

static HeapTuple
fit_row(FunctionCallInfo fcinfo, ArrayType *matrix, const lm_adapter_result *result)
{
    bool nulls[6] = {false};
    Datum values[] = {
        PointerGetDatum(matrix),
        CStringGetTextDatum(lm_adapter_kind_name(result->kind)),
        Int64GetDatum((int64)result->fitted),
        Int64GetDatum((int64)result->held_out),
        Float8GetDatum(result->recall),
        Float8GetDatum(result->unmapped),
    };
    TupleDesc columns;

    if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
        elog(ERROR, "return type must be a row type");
    nulls[5] = result->unmapped < 0;
    return heap_form_tuple(BlessTupleDesc(columns), values, nulls);
}

/* fit_map(from real[], to real[]): the same texts, a row each. */
Datum
lmtext_fit_map(PG_FUNCTION_ARGS)
{
    lm_adapter_texts texts;
    lm_adapter_result result;
    lmtext_call call;
    ArrayType *matrix;
    float *values;
    size_t count;

    texts.from = matrix_of(PG_GETARG_ARRAYTYPE_P(0), &texts.count, &texts.from_width);
    texts.to = matrix_of(PG_GETARG_ARRAYTYPE_P(1), &count, &texts.to_width);
    if (count != texts.count)
        ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
                        errmsg("there are %zu vectors of one version and %zu of the other",
                               texts.count, count)));
    lmtext_call_init(&call, CurrentMemoryContext);
    matrix = lmtext_matrix_new((int)texts.to_width, (int)texts.from_width, &values);
    lmtext_check(&call, lm_adapter_fit(&call.ctx, &texts, values, &result), NULL);
    PG_RETURN_DATUM(HeapTupleGetDatum(fit_row(fcinfo, matrix, &result)));
}
