/*
 * late_interaction.c - lmtext.token_vectors, and lmtext.maxsim of texts, of a text and stored
 * vectors, and of two arrays of stored ones.
 *
 * What is computed of a text is a list of its tokens' vectors, remembered as other lists are.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"

#include "search/maxsim.h"
#include "task/late_interaction.h"
#include "pg/fn/lists.h"
#include "pg/service/tasks.h"

LMTEXT_ENTRY(lmtext_token_vectors, .name = "token_vectors", .task = "late_interaction", .texts = 1);
LMTEXT_ENTRY(lmtext_token_vectors_array, .name = "token_vectors", .task = "late_interaction",
             .texts = 1);
LMTEXT_ENTRY(lmtext_maxsim_texts, .name = "maxsim", .task = "late_interaction", .texts = 2);
LMTEXT_ENTRY(lmtext_maxsim_array, .name = "maxsim", .task = "late_interaction", .texts = 2);
LMTEXT_ENTRY(lmtext_maxsim_stored, .name = "maxsim", .task = "late_interaction", .texts = 1,
             .model = 2);
PG_FUNCTION_INFO_V1(lmtext_maxsim_vectors);

/* Token vectors, wherever they lie. */
typedef struct token_rows {
    int rows, width;
    const float *values;
} token_rows;

/* ---- How texts are computed ---- */

typedef struct kept_lists {
    lmtext_list **lists;
    size_t row; /* bytes */
} kept_lists;

static lm_status
keep_vectors(void *opaque, size_t text, const float *vectors, size_t tokens)
{
    const kept_lists *kept = opaque;

    return lmtext_list_keep(vectors, tokens, kept->row, &kept->lists[text]);
}

static lm_status
run_token_vectors(lmtext_model *model, const lm_text *texts, size_t count,
                  const lm_embed_options *options, void *results, lm_embed_counts *counts)
{
    kept_lists kept = {results, model->model.info.dimensions * sizeof(float)};

    return lm_token_vectors(&model->call.ctx, model->session, &model->model, texts, count, options,
                            keep_vectors, &kept, counts);
}

static size_t
result_size(const lmtext_inference *inference)
{
    lmtext_task_check(inference->model, "late_interaction");
    return sizeof(lmtext_list *);
}

static const lmtext_infer_kind vectors_of_tokens = {.run = run_token_vectors,
                                                    .size = result_size,
                                                    .length = lmtext_list_length,
                                                    .kept_as = "token_vectors"};

/* Texts of one side, with the model's argument and on_long's. */
static void
begin_side(FunctionCallInfo fcinfo, lmtext_model *model, lm_side side, lmtext_inference *inference)
{
    lmtext_embed_defaults(&inference->options, lmtext_arg_on_long(fcinfo, 3));
    inference->options.side = side;
    lmtext_infer_init(inference, &vectors_of_tokens, model);
}

static token_rows
rows_of_list(const lmtext_inference *inference, const lmtext_list *list)
{
    return (token_rows){(int)list->count, inference->model->model.info.dimensions,
                        (const float *)list->items};
}

/* The vectors of text argument `argno`. */
static token_rows
rows_of_arg(FunctionCallInfo fcinfo, int argno, const lmtext_inference *inference)
{
    return rows_of_list(inference, lmtext_arg_result(fcinfo, argno, inference));
}

/* ---- Vectors ---- */

/* token_vectors(text, model, role, on_long) */
static void
begin(FunctionCallInfo fcinfo, lmtext_inference *inference)
{
    lmtext_model *model = lmtext_arg_model(fcinfo);

    begin_side(fcinfo, model, lmtext_arg_side(fcinfo, 2), inference);
}

static ArrayType *
array_of_rows(token_rows rows)
{
    float *values;
    ArrayType *array;

    if (rows.rows == 0) /* of a text without a word */
        return construct_empty_array(FLOAT4OID);
    array = lmtext_matrix_new(rows.rows, rows.width, &values);
    memcpy(values, rows.values, (size_t)rows.rows * rows.width * sizeof(float));
    return array;
}

static Datum
lmtext_token_vectors_call(PG_FUNCTION_ARGS)
{
    lmtext_inference inference;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    begin(fcinfo, &inference);
    PG_RETURN_ARRAYTYPE_P(array_of_rows(rows_of_arg(fcinfo, 0, &inference)));
}

static void
put_vectors(const lmtext_row_sink *sink, lm_text text, const lmtext_list *list)
{
    ArrayType *array = array_of_rows(rows_of_list(sink->inference, list));
    const Datum row[] = {PointerGetDatum(array)};

    lmtext_list_put(sink, row, lengthof(row));
    pfree(array);
}

static Datum
lmtext_token_vectors_array_call(PG_FUNCTION_ARGS)
{
    return lmtext_list_of_array(fcinfo, begin, put_vectors, LMTEXT_LIST_BLOCK);
}

/* ---- MaxSim ---- */

/* In place; an empty array has no rows. */
static token_rows
rows_of_array(ArrayType *array)
{
    if (ARR_NDIM(array) == 0)
        return (token_rows){0, 0, NULL};
    if (ARR_NDIM(array) != 2)
        ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
                        errmsg("token vectors must be a two-dimensional array"),
                        errdetail("The array has %d dimensions.", ARR_NDIM(array)),
                        errhint("lmtext.token_vectors makes such arrays: a row for each token.")));
    if (array_contains_nulls(array))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("token vectors must not contain nulls")));
    return (token_rows){ARR_DIMS(array)[0], ARR_DIMS(array)[1], (const float *)ARR_DATA_PTR(array)};
}

/* Finite vectors may still have products beyond the range of float. */
static double
check_score(double score, token_rows query, token_rows document)
{
    if (likely(isfinite(score)))
        return score;
    lmtext_check_finite(query.values, query.rows * query.width);
    lmtext_check_finite(document.values, document.rows * document.width);
    ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                    errmsg("products of the token vectors are out of range")));
}

/* A query and its call of the engine, whose memory is the caller's. */
typedef struct query_call {
    lmtext_call call;
    token_rows query;
    lm_maxsim maxsim;
} query_call;

static void
open_query(query_call *q, token_rows query)
{
    lmtext_call_init(&q->call, CurrentMemoryContext);
    q->query = query;
    if (query.rows > 0)
        lmtext_check(
            &q->call,
            lm_maxsim_open(&q->call.ctx, query.width, query.rows, query.values, &q->maxsim), NULL);
}

/* False where one of the two has no vector. */
static bool
score_document(query_call *q, token_rows document, double *score)
{
    if (q->query.rows == 0 || document.rows == 0)
        return false;
    if (q->query.width != document.width)
        ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
                        errmsg("vectors have different dimensions: %d and %d", q->query.width,
                               document.width)));
    lmtext_check(&q->call, lm_maxsim_score(&q->maxsim, document.rows, document.values, score),
                 NULL);
    *score = check_score(*score, q->query, document);
    return true;
}

static void
close_query(query_call *q)
{
    if (q->query.rows > 0)
        lm_maxsim_close(&q->maxsim);
}

static Datum
maxsim_of_rows(FunctionCallInfo fcinfo, token_rows query, token_rows document)
{
    query_call q;
    double score;
    bool found;

    open_query(&q, query);
    found = score_document(&q, document, &score);
    close_query(&q);
    if (!found)
        PG_RETURN_NULL();
    PG_RETURN_FLOAT8(score);
}

/* maxsim(query, document): both stored */
Datum
lmtext_maxsim_vectors(PG_FUNCTION_ARGS)
{
    return maxsim_of_rows(fcinfo, rows_of_array(PG_GETARG_ARRAYTYPE_P(0)),
                          rows_of_array(PG_GETARG_ARRAYTYPE_P(1)));
}

/* maxsim(query, vectors, model, on_long) */
static Datum
lmtext_maxsim_stored_call(PG_FUNCTION_ARGS)
{
    lmtext_inference inference;

    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        PG_RETURN_NULL();
    begin_side(fcinfo, lmtext_arg_model(fcinfo), LM_SIDE_QUERY, &inference);
    return maxsim_of_rows(fcinfo, rows_of_arg(fcinfo, 0, &inference),
                          rows_of_array(PG_GETARG_ARRAYTYPE_P(1)));
}

/* maxsim(query, document, model, on_long) */
static Datum
lmtext_maxsim_texts_call(PG_FUNCTION_ARGS)
{
    lmtext_inference queries, documents;
    lmtext_model *model;
    token_rows query;

    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        PG_RETURN_NULL();
    model = lmtext_arg_model(fcinfo);
    begin_side(fcinfo, model, LM_SIDE_QUERY, &queries);
    begin_side(fcinfo, model, LM_SIDE_DOCUMENT, &documents);
    query = rows_of_arg(fcinfo, 0, &queries);
    return maxsim_of_rows(fcinfo, query, rows_of_arg(fcinfo, 1, &documents));
}

/* ---- MaxSim of an array of documents ---- */

/* Scores of some documents, which are computed as one; a null has none. */
static void
score_block(query_call *q, const lmtext_inference *inference, const lm_text *texts, int count,
            Datum *scores, bool *nulls)
{
    lm_text present[LMTEXT_LIST_BLOCK] = {{NULL, 0}};
    lmtext_list *lists[LMTEXT_LIST_BLOCK];
    int filled = 0;

    for (int i = 0; i < count; i++)
        if (!nulls[i])
            present[filled++] = texts[i];
    lmtext_infer(inference, present, filled, lists);
    filled = 0;
    for (int i = 0; i < count; i++) {
        double score = 0;

        CHECK_FOR_INTERRUPTS();
        if (nulls[i])
            continue;
        nulls[i] = !score_document(q, rows_of_list(inference, lists[filled]), &score);
        scores[i] = Float8GetDatum(score);
        pfree(lists[filled++]);
    }
}

static Datum
scores_of_array(query_call *q, const lmtext_inference *inference, ArrayType *array)
{
    lm_text *texts;
    Datum *scores;
    bool *nulls;
    int count, lower = 1;

    lmtext_texts_from_array(array, &texts, &nulls, &count);
    if (count == 0)
        return PointerGetDatum(construct_empty_array(FLOAT8OID));
    scores = MemoryContextAllocHuge(CurrentMemoryContext, (Size)count * sizeof(Datum));
    for (int first = 0; first < count; first += LMTEXT_LIST_BLOCK)
        score_block(q, inference, texts + first, Min(count - first, LMTEXT_LIST_BLOCK),
                    scores + first, nulls + first);
    return PointerGetDatum(construct_md_array(scores, nulls, 1, &count, &lower, FLOAT8OID,
                                              sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* maxsim(query, documents, model, on_long) */
static Datum
lmtext_maxsim_array_call(PG_FUNCTION_ARGS)
{
    lmtext_inference queries, documents;
    lmtext_model *model;
    query_call q;
    Datum scores;

    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        PG_RETURN_NULL();
    model = lmtext_arg_model(fcinfo);
    begin_side(fcinfo, model, LM_SIDE_QUERY, &queries);
    begin_side(fcinfo, model, LM_SIDE_DOCUMENT, &documents);
    open_query(&q, rows_of_arg(fcinfo, 0, &queries));
    scores = scores_of_array(&q, &documents, PG_GETARG_ARRAYTYPE_P(1));
    close_query(&q);
    PG_RETURN_DATUM(scores);
}
