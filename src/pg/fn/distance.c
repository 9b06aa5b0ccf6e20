/*
 * distance.c - distances between real[] vectors, l2_normalize, and the aggregate lmtext.mean.
 *
 * Vectors are one-dimensional arrays without nulls; a vector stored PLAIN or uncompressed in line
 * is read where it lies. Two vectors of different length are an error (22000), never a number, and
 * so is a vector with NaN or an infinity, which is looked for only where a result is not finite.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "libpq/pqformat.h"
#include "storage/bufpage.h"
#include "utils/array.h"

#include "pg/glue/glue.h"
#include "search/distance.h"

typedef double (*vector_measure)(size_t width, const float *a, const float *b);

PG_FUNCTION_INFO_V1(lmtext_cosine_distance);
PG_FUNCTION_INFO_V1(lmtext_l2_distance);
PG_FUNCTION_INFO_V1(lmtext_inner_product);
PG_FUNCTION_INFO_V1(lmtext_negative_inner_product);
PG_FUNCTION_INFO_V1(lmtext_l2_normalize);
PG_FUNCTION_INFO_V1(lmtext_mean_transition);
PG_FUNCTION_INFO_V1(lmtext_mean_combine);
PG_FUNCTION_INFO_V1(lmtext_mean_serialize);
PG_FUNCTION_INFO_V1(lmtext_mean_deserialize);
PG_FUNCTION_INFO_V1(lmtext_mean_final);

static void
check_same_width(int a, int b)
{
    if (a != b)
        ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
                        errmsg("vectors have different dimensions: %d and %d", a, b)));
}

/* Where a scan has been with one argument: the vector before, and the first one of its page. */
typedef struct trail {
    uintptr_t before, top;
} trail;

static inline void
fetch(uintptr_t from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 64)
        __builtin_prefetch((const void *)(from + i));
}

/*
 * The header of the page whose first vector is at top, and those of its rows, which a scan looks at
 * before it takes the first one. That row ends the page, and half a cache line before a vector is
 * within what stands before it in its row.
 */
static inline void
fetch_headers(uintptr_t top, uintptr_t step)
{
    uintptr_t row = top - 32;

    fetch(row + step - BLCKSZ, 1);
    for (uintptr_t below = 0; below + step < BLCKSZ; below += step)
        fetch(row - below, 1);
}

/*
 * A page holds its rows from the end backwards, so a scan that has come down to this vector goes
 * down as far again to the next one, and from a page's last one to the first of the next page,
 * which most often is the next buffer: it comes from memory while this row is worked on. Where the
 * guess is wrong, nothing is lost but the fetch; argument tells the column from a constant.
 */
static inline void
fetch_next(int argument, const float *vector, int width)
{
    static trail trails[2];
    trail *t = &trails[argument];
    uintptr_t at = (uintptr_t)vector, step = t->before - at, next = at - step;

    t->before = at;
    if (step == 0)
        return;
    if (step >= BLCKSZ) {
        t->top = at;
        return;
    }
    if (next + BLCKSZ < t->top + step + SizeOfPageHeaderData) {
        next = t->top + BLCKSZ;
        fetch_headers(next, step);
    }
    fetch(next, (size_t)width * sizeof(float));
}

/* Finite vectors have no such distance but the cosine of a zero vector, which is NaN. */
static pg_noinline double
check_vectors(double result, int width, const float *a, const float *b)
{
    lmtext_check_finite(a, width);
    lmtext_check_finite(b, width);
    return result;
}

static inline double
measure(FunctionCallInfo fcinfo, vector_measure distance)
{
    int a_width, b_width;
    double result;
    const float *a = lmtext_floats_from_array(PG_GETARG_ARRAYTYPE_P(0), &a_width);
    const float *b = lmtext_floats_from_array(PG_GETARG_ARRAYTYPE_P(1), &b_width);

    check_same_width(a_width, b_width);
    fetch_next(0, a, a_width);
    fetch_next(1, b, b_width);
    result = distance(a_width, a, b);
    return likely(isfinite(result)) ? result : check_vectors(result, a_width, a, b);
}

Datum
lmtext_cosine_distance(PG_FUNCTION_ARGS)
{
    PG_RETURN_FLOAT8(measure(fcinfo, lm_cosine_distance));
}

Datum
lmtext_l2_distance(PG_FUNCTION_ARGS)
{
    PG_RETURN_FLOAT8(measure(fcinfo, lm_l2_distance));
}

Datum
lmtext_inner_product(PG_FUNCTION_ARGS)
{
    PG_RETURN_FLOAT8(measure(fcinfo, lm_inner_product));
}

Datum
lmtext_negative_inner_product(PG_FUNCTION_ARGS)
{
    PG_RETURN_FLOAT8(-measure(fcinfo, lm_inner_product));
}

/* A vector of length 1 in the same direction; the zero vector has none and stays. */
Datum
lmtext_l2_normalize(PG_FUNCTION_ARGS)
{
    int width, i;
    const float *in = lmtext_floats_from_array(PG_GETARG_ARRAYTYPE_P(0), &width);
    float *out;
    ArrayType *vector = lmtext_vector_new(width, &out);
    double norm = 0.0;

    lmtext_check_finite(in, width);
    for (i = 0; i < width; i++)
        norm += (double)in[i] * in[i];
    norm = sqrt(norm);
    for (i = 0; i < width; i++)
        out[i] = norm > 0.0 ? (float)(in[i] / norm) : in[i];
    PG_RETURN_ARRAYTYPE_P(vector);
}

/* Sums of the aggregate's vectors; doubles, so that the order of rows hardly shows in a real. */
typedef struct mean_state {
    int64 count;
    int32 width;
    double sums[FLEXIBLE_ARRAY_MEMBER];
} mean_state;

static mean_state *
mean_new(MemoryContext memory, int width)
{
    mean_state *state = MemoryContextAllocZero(memory, offsetof(mean_state, sums) +
                                                           mul_size(width, sizeof(double)));

    state->width = width;
    return state;
}

static MemoryContext
aggregate_memory(FunctionCallInfo fcinfo)
{
    MemoryContext memory;

    if (!AggCheckCallContext(fcinfo, &memory))
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("this function can be called only by an aggregate")));
    return memory;
}

Datum
lmtext_mean_transition(PG_FUNCTION_ARGS)
{
    MemoryContext memory = aggregate_memory(fcinfo);
    mean_state *state = PG_ARGISNULL(0) ? NULL : (mean_state *)PG_GETARG_POINTER(0);
    const float *values;
    int width, i;

    if (PG_ARGISNULL(1)) {
        if (state == NULL)
            PG_RETURN_NULL();
        PG_RETURN_POINTER(state);
    }
    values = lmtext_floats_from_array(PG_GETARG_ARRAYTYPE_P(1), &width);
    if (state == NULL)
        state = mean_new(memory, width);
    check_same_width(state->width, width);
    for (i = 0; i < width; i++)
        state->sums[i] += values[i];
    state->count++;
    PG_RETURN_POINTER(state);
}

/* The second state may live in a worker's short memory: it is added to or copied, never kept. */
Datum
lmtext_mean_combine(PG_FUNCTION_ARGS)
{
    MemoryContext memory = aggregate_memory(fcinfo);
    mean_state *state = PG_ARGISNULL(0) ? NULL : (mean_state *)PG_GETARG_POINTER(0);
    const mean_state *other = PG_ARGISNULL(1) ? NULL : (mean_state *)PG_GETARG_POINTER(1);
    int i;

    if (other != NULL) {
        if (state == NULL)
            state = mean_new(memory, other->width);
        check_same_width(state->width, other->width);
        for (i = 0; i < other->width; i++)
            state->sums[i] += other->sums[i];
        state->count += other->count;
    }
    if (state == NULL)
        PG_RETURN_NULL();
    PG_RETURN_POINTER(state);
}

Datum
lmtext_mean_serialize(PG_FUNCTION_ARGS)
{
    const mean_state *state = (mean_state *)PG_GETARG_POINTER(0);
    StringInfoData out;
    int i;

    aggregate_memory(fcinfo);
    pq_begintypsend(&out);
    pq_sendint64(&out, state->count);
    pq_sendint32(&out, state->width);
    for (i = 0; i < state->width; i++)
        pq_sendfloat8(&out, state->sums[i]);
    PG_RETURN_BYTEA_P(pq_endtypsend(&out));
}

Datum
lmtext_mean_deserialize(PG_FUNCTION_ARGS)
{
    bytea *bytes = PG_GETARG_BYTEA_PP(0);
    StringInfoData in;
    mean_state *state;
    int64 count;
    int width, i;

    aggregate_memory(fcinfo);
    in.data = VARDATA_ANY(bytes);
    in.len = in.maxlen = VARSIZE_ANY_EXHDR(bytes);
    in.cursor = 0;
    count = pq_getmsgint64(&in);
    width = pq_getmsgint(&in, sizeof(int32));
    if (width < 0 || (size_t)width * sizeof(double) != (size_t)(in.len - in.cursor))
        ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
                        errmsg("the state of lmtext.mean is malformed")));
    state = mean_new(CurrentMemoryContext, width);
    state->count = count;
    for (i = 0; i < width; i++)
        state->sums[i] = pq_getmsgfloat8(&in);
    pq_getmsgend(&in);
    PG_RETURN_POINTER(state);
}

Datum
lmtext_mean_final(PG_FUNCTION_ARGS)
{
    const mean_state *state = PG_ARGISNULL(0) ? NULL : (mean_state *)PG_GETARG_POINTER(0);
    ArrayType *vector;
    float *values;
    int i;

    if (state == NULL)
        PG_RETURN_NULL();
    vector = lmtext_vector_new(state->width, &values);
    for (i = 0; i < state->width; i++) {
        if (!isfinite(state->sums[i])) /* of finite reals it always is */
            ereport(
                ERROR,
                (errcode(ERRCODE_DATA_EXCEPTION), errmsg("vector must not contain NaN or infinity"),
                 errdetail("Component %d of a vector of lmtext.mean is NaN or infinite.", i + 1)));
        values[i] = (float)(state->sums[i] / state->count);
    }
    PG_RETURN_ARRAYTYPE_P(vector);
}
