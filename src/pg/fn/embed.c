/*
 * embed.c - lmtext.embed, similarity and distance: text to vector, and the distance between texts.
 *
 * A text that was the last one too is not computed again (service/memo.h). An array of texts is one
 * run of packed batches, and so are the texts of rows that a plan has read ahead.
 */
#include "postgres.h"

#include <limits.h>

#include "utils/array.h"
#include "utils/datum.h"

#include "search/distance.h"
#include "pg/fn/args.h"
#include "pg/service/known.h"

LMTEXT_ENTRY(lmtext_embed, .name = "embed", .task = "embedding", .texts = 1);
LMTEXT_ENTRY(lmtext_embed_array, .name = "embed", .task = "embedding", .texts = 1);
LMTEXT_ENTRY(lmtext_embed_query, .name = "embed_query", .task = "embedding", .texts = 1);
LMTEXT_ENTRY(lmtext_embed_query_array, .name = "embed_query", .task = "embedding", .texts = 1);
LMTEXT_ENTRY(lmtext_embed_document, .name = "embed_document", .task = "embedding", .texts = 1);
LMTEXT_ENTRY(lmtext_embed_document_array, .name = "embed_document", .task = "embedding",
             .texts = 1);
LMTEXT_ENTRY(lmtext_similarity, .name = "similarity", .task = "embedding", .texts = 2);
LMTEXT_ENTRY(lmtext_text_distance, .name = "distance", .task = "embedding", .texts = 2);

/* embed(text, model, prompt_name, prompt, dimensions[, on_long]) */
static void
embed_options(FunctionCallInfo fcinfo, lm_embed_options *options)
{
    lmtext_embed_defaults(options, lmtext_arg_on_long(fcinfo, 5));
    options->prompt_name = lmtext_arg_cstring(fcinfo, 2);
    if (!lmtext_arg_is_null(fcinfo, 3)) {
        lm_text prompt = lmtext_arg_text(fcinfo, 3);

        options->prompt = prompt.bytes;
        options->prompt_length = prompt.length;
    }
    options->dimensions = lmtext_arg_int(fcinfo, 4, "dimensions", 0, 1, INT_MAX);
}

/* embed_query or embed_document(text, model, dimensions[, on_long]) */
static void
side_options(FunctionCallInfo fcinfo, lm_side side, lm_embed_options *options)
{
    lmtext_embed_defaults(options, lmtext_arg_on_long(fcinfo, 3));
    options->dimensions = lmtext_arg_int(fcinfo, 2, "dimensions", 0, 1, INT_MAX);
    options->side = side;
}

/* What a call asks for. */
static void
embed_begin(FunctionCallInfo fcinfo, lm_side side, lmtext_inference *inference)
{
    lmtext_model *model = lmtext_arg_model(fcinfo);

    if (side == LM_SIDE_NONE)
        embed_options(fcinfo, &inference->options);
    else
        side_options(fcinfo, side, &inference->options);
    lmtext_infer_init(inference, &lmtext_vectors, model);
}

/* What was found of a memo, to be returned: the memo may be another one in the next row. */
static Datum
found_array(const ArrayType *kept, bool stable)
{
    return stable ? PointerGetDatum(kept) : datumCopy(PointerGetDatum(kept), false, -1);
}

/* What was computed, to be remembered and returned. */
static Datum
made_array(FunctionCallInfo fcinfo, const lm_text parts[LMTEXT_INFER_PARTS], ArrayType *made,
           bool stable)
{
    const void *kept = lmtext_memo_keep(lmtext_arg_memo(fcinfo, 0), parts, LMTEXT_INFER_PARTS, made,
                                        VARSIZE(made));

    return PointerGetDatum(stable ? kept : made);
}

/* NULL for a text without a token, where that is no error. */
static ArrayType *
embed_one(FunctionCallInfo fcinfo, const lmtext_inference *inference, lm_text text, bool stable)
{
    int width = lmtext_embed_width(inference->model, &inference->options);
    size_t size = width * sizeof(float);
    float *values;
    ArrayType *vector = lmtext_vector_new(width, &values);
    const float *ahead = !stable && lmtext_args_stable(fcinfo, 1, PG_NARGS() - 1)
                             ? lmtext_arg_ahead(fcinfo, 0, inference, size)
                             : NULL;

    if (ahead == NULL)
        return lmtext_arg_infer(fcinfo, inference, text, values) ? vector : NULL;
    memcpy(values, ahead, size);
    return vector;
}

static Datum
embed_text(FunctionCallInfo fcinfo, lm_side side)
{
    lmtext_inference inference;
    lm_text text, parts[LMTEXT_INFER_PARTS];
    const ArrayType *kept;
    ArrayType *made;
    bool stable;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    embed_begin(fcinfo, side, &inference);
    text = lmtext_arg_text(fcinfo, 0);
    stable = lmtext_args_stable(fcinfo, 0, PG_NARGS() - 1);
    lmtext_infer_parts(&inference, text, parts);
    kept = lmtext_memo_find(lmtext_arg_memo(fcinfo, 0), parts, LMTEXT_INFER_PARTS);
    if (kept != NULL)
        PG_RETURN_DATUM(found_array(kept, stable));
    made = embed_one(fcinfo, &inference, text, stable);
    if (made == NULL)
        PG_RETURN_NULL();
    PG_RETURN_DATUM(made_array(fcinfo, parts, made, stable));
}

/* ---- An array of texts ---- */

static void
refuse_nulls(const bool *nulls, int count)
{
    int i;

    for (i = 0; i < count; i++)
        if (nulls[i])
            ereport(ERROR,
                    (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                     errmsg("text %d of the array is null", i + 1),
                     errdetail("The result is one two-dimensional array, whose rows cannot be "
                               "null."),
                     errhint("Filter nulls first: array_remove(texts, NULL), or array_agg(body) "
                             "FILTER (WHERE body IS NOT NULL).")));
}

static ArrayType *
embed_all(const lmtext_inference *inference, ArrayType *array)
{
    lm_text *texts;
    bool *nulls;
    int count;
    float *values;
    ArrayType *matrix;

    lmtext_texts_from_array(array, &texts, &nulls, &count);
    refuse_nulls(nulls, count);
    matrix = lmtext_matrix_new(count, lmtext_embed_width(inference->model, &inference->options),
                               &values);
    lmtext_infer(inference, texts, count, values);
    return matrix;
}

static Datum
embed_array(FunctionCallInfo fcinfo, lm_side side)
{
    lmtext_inference inference;
    ArrayType *array;
    lm_text parts[LMTEXT_INFER_PARTS];
    const ArrayType *kept;
    bool stable;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    embed_begin(fcinfo, side, &inference);
    array = PG_GETARG_ARRAYTYPE_P(0);
    stable = lmtext_args_stable(fcinfo, 0, PG_NARGS() - 1);
    lmtext_infer_parts(&inference, (lm_text){(const char *)array, VARSIZE(array)}, parts);
    kept = lmtext_memo_find(lmtext_arg_memo(fcinfo, 0), parts, LMTEXT_INFER_PARTS);
    if (kept != NULL)
        PG_RETURN_DATUM(found_array(kept, stable));
    PG_RETURN_DATUM(made_array(fcinfo, parts, embed_all(&inference, array), stable));
}

/* ---- Entries for one side or none ---- */

static Datum
lmtext_embed_call(PG_FUNCTION_ARGS)
{
    return embed_text(fcinfo, LM_SIDE_NONE);
}

static Datum
lmtext_embed_array_call(PG_FUNCTION_ARGS)
{
    return embed_array(fcinfo, LM_SIDE_NONE);
}

static Datum
lmtext_embed_query_call(PG_FUNCTION_ARGS)
{
    return embed_text(fcinfo, LM_SIDE_QUERY);
}

static Datum
lmtext_embed_query_array_call(PG_FUNCTION_ARGS)
{
    return embed_array(fcinfo, LM_SIDE_QUERY);
}

static Datum
lmtext_embed_document_call(PG_FUNCTION_ARGS)
{
    return embed_text(fcinfo, LM_SIDE_DOCUMENT);
}

static Datum
lmtext_embed_document_array_call(PG_FUNCTION_ARGS)
{
    return embed_array(fcinfo, LM_SIDE_DOCUMENT);
}

/* ---- Two texts ---- */

/*
 * Which sides two texts are on where a model has ways of their own for these: what reads no column
 * are the words that are searched for, be it a constant or what an outer row gives; else the second
 * text is.
 */
static int
find_words(FunctionCallInfo fcinfo)
{
    return lmtext_arg_steady(fcinfo, 0) && !lmtext_arg_steady(fcinfo, 1) ? 0 : 1;
}

static lm_side
choose_side(const lmtext_model *model, bool words)
{
    if (model->model.routes == NULL)
        return LM_SIDE_NONE;
    return words ? LM_SIDE_QUERY : LM_SIDE_DOCUMENT;
}

/* An index scan that returned the row has computed its distance (service/known.h). */
static bool
known_distance(FunctionCallInfo fcinfo, double *distance)
{
    MemoryContext query = fcinfo->flinfo->fn_mcxt;
    int words;

    if (!lmtext_known_any(query) || lmtext_arg_on_long(fcinfo, 3) != LM_LONG_TRUNCATE)
        return false;
    words = find_words(fcinfo);
    return !lmtext_arg_steady(fcinfo, 1 - words) &&
           lmtext_known_find(query, &lmtext_arg_model(fcinfo)->identity.digest,
                             lmtext_arg_text(fcinfo, words), lmtext_arg_text(fcinfo, 1 - words),
                             distance);
}

/* Cosine distance of the texts in arguments 0 and 1; false where one of them has no vector. */
static bool
text_distance(FunctionCallInfo fcinfo, double *distance)
{
    lmtext_model *model = lmtext_arg_model(fcinfo);
    lmtext_inference inferences[2];
    const float *vectors[2];
    int words = find_words(fcinfo);

    for (int i = 0; i < 2; i++) {
        lmtext_embed_defaults(&inferences[i].options, lmtext_arg_on_long(fcinfo, 3));
        inferences[i].options.side = choose_side(model, i == words);
        lmtext_infer_init(&inferences[i], &lmtext_vectors, model);
        vectors[i] = lmtext_arg_result(fcinfo, i, &inferences[i]);
    }
    if (vectors[0] == NULL || vectors[1] == NULL)
        return false;
    *distance = lm_cosine_distance(lmtext_embed_width(model, &inferences[0].options), vectors[0],
                                   vectors[1]);
    return true;
}

static Datum
lmtext_similarity_call(PG_FUNCTION_ARGS)
{
    double distance;

    if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || !text_distance(fcinfo, &distance))
        PG_RETURN_NULL();
    PG_RETURN_FLOAT8(1.0 - distance);
}

static Datum
lmtext_text_distance_call(PG_FUNCTION_ARGS)
{
    double distance;

    if (!known_distance(fcinfo, &distance) && !text_distance(fcinfo, &distance))
        PG_RETURN_NULL();
    PG_RETURN_FLOAT8(distance);
}
