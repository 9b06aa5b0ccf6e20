/*
 * embed.c - lmtext.embed, similarity and distance: text to vector, and the distance between texts.
 *
 * A text that was the last one too is not computed again (memo in args.h). An array of texts is one
 * run of packed batches, and so are the texts of rows that a plan has read ahead.
 */
#include "postgres.h"

#include <limits.h>

#include "utils/array.h"
#include "utils/datum.h"

#include "search/distance.h"
#include "pg/fn/args.h"
#include "pg/glue/ahead.h"

/* What a remembered vector depends on beside the text; compared byte by byte. */
typedef struct embed_key {
    uint64 build; /* of the model */
    int32 dimensions;
    int32 on_long;
    bool named, prompted; /* NULL is not the empty string */
} embed_key;

#define EMBED_PARTS 4

LMTEXT_COUNTED(lmtext_embed, LMTEXT_FUNCTION_EMBED);
LMTEXT_COUNTED(lmtext_embed_array, LMTEXT_FUNCTION_EMBED);
LMTEXT_COUNTED(lmtext_similarity, LMTEXT_FUNCTION_SIMILARITY);
LMTEXT_COUNTED(lmtext_text_distance, LMTEXT_FUNCTION_DISTANCE);

/* embed(text, model, prompt_name, prompt, dimensions[, on_long]) */
static void
embed_options(FunctionCallInfo fcinfo, lm_embed_options *options)
{
    lmtext_embed_defaults(options, lmtext_arg_on_long(fcinfo, 1, 5));
    options->prompt_name = lmtext_arg_cstring(fcinfo, 2);
    if (!lmtext_arg_is_null(fcinfo, 3)) {
        lm_text prompt = lmtext_arg_text(fcinfo, 3);

        options->prompt = prompt.bytes;
        options->prompt_length = prompt.length;
    }
    options->dimensions = lmtext_arg_int(fcinfo, 4, "dimensions", 0, 1, INT_MAX);
}

static ArrayType *
embed_one(lmtext_model *model, lm_text text, const lm_embed_options *options)
{
    float *values;
    ArrayType *vector = lmtext_vector_new(lmtext_embed_width(model, options), &values);

    lmtext_embed_texts(model, &text, 1, options, values);
    return vector;
}

/* All that a vector is made from, as the parts of a memo's key. */
static void
embed_parts(const lmtext_model *model, const lm_embed_options *options, lm_text text,
            embed_key *key, lm_text parts[EMBED_PARTS])
{
    memset(key, 0, sizeof(*key));
    key->build = model->build;
    key->dimensions = options->dimensions;
    key->on_long = options->on_long;
    key->named = options->prompt_name != NULL;
    key->prompted = options->prompt != NULL;
    parts[0] = (lm_text){(const char *)key, sizeof(*key)};
    parts[1] = text;
    parts[2] = (lm_text){options->prompt_name, key->named ? strlen(options->prompt_name) : 0};
    parts[3] = (lm_text){options->prompt, options->prompt_length};
}

/* ---- Texts of rows to come (pg/glue/ahead.h) ---- */

typedef struct vector_maker {
    lmtext_model *model;
    const lm_embed_options *options;
} vector_maker;

static size_t
make_vectors(void *opaque, const lm_text *texts, size_t count, void *vectors)
{
    vector_maker *maker = opaque;

    return lmtext_embed_some(maker->model, texts, count, maker->options, vectors);
}

/*
 * The vector of the text at hand, or NULL. The key leaves the words of a prompt out: the call's
 * other arguments, but for its texts, are constant.
 */
static const float *
vector_ahead(FunctionCallInfo fcinfo, int argno, lmtext_model *model,
             const lm_embed_options *options, const embed_key *key, size_t width)
{
    vector_maker maker = {model, options};
    lmtext_ahead_task task = {.compute = make_vectors,
                              .opaque = &maker,
                              .key = key,
                              .key_size = sizeof *key,
                              .item_size = width * sizeof(float)};

    StaticAssertStmt(sizeof *key <= LMTEXT_AHEAD_KEY, "a key has room");
    return lmtext_ahead_item(fcinfo->flinfo->fn_expr, argno, lmtext_arg_bytes(fcinfo, argno),
                             &task);
}

/* A text that may be another in the next row. */
static ArrayType *
embed_row(FunctionCallInfo fcinfo, lmtext_model *model, lm_text text,
          const lm_embed_options *options, const embed_key *key)
{
    int width = lmtext_embed_width(model, options);
    const float *values = lmtext_args_stable(fcinfo, 1, PG_NARGS() - 1)
                              ? vector_ahead(fcinfo, 0, model, options, key, width)
                              : NULL;
    ArrayType *vector;
    float *out;

    if (values == NULL)
        return embed_one(model, text, options);
    vector = lmtext_vector_new(width, &out);
    memcpy(out, values, width * sizeof(float));
    return vector;
}

/* ---- One text ---- */

/* What was found of a memo, to be returned: the memo may be another one in the next row. */
static Datum
found_array(const ArrayType *kept, bool stable)
{
    return stable ? PointerGetDatum(kept) : datumCopy(PointerGetDatum(kept), false, -1);
}

/* What was computed, to be remembered and returned. */
static Datum
made_array(FunctionCallInfo fcinfo, const lm_text parts[EMBED_PARTS], ArrayType *made, bool stable)
{
    const void *kept = lmtext_memo_keep(fcinfo, 0, parts, EMBED_PARTS, made, VARSIZE(made));

    return PointerGetDatum(stable ? kept : made);
}

static Datum
lmtext_embed_call(PG_FUNCTION_ARGS)
{
    lmtext_model *model;
    lm_embed_options options;
    lm_text text, parts[EMBED_PARTS];
    embed_key key;
    const ArrayType *kept;
    bool stable;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    model = lmtext_arg_model(fcinfo, 1, LMTEXT_DEFAULT_EMBEDDING);
    embed_options(fcinfo, &options);
    text = lmtext_arg_text(fcinfo, 0);
    stable = lmtext_args_stable(fcinfo, 0, PG_NARGS() - 1);
    embed_parts(model, &options, text, &key, parts);
    kept = lmtext_memo_find(fcinfo, 0, parts, EMBED_PARTS, NULL);
    if (kept != NULL)
        PG_RETURN_DATUM(found_array(kept, stable));
    PG_RETURN_DATUM(made_array(fcinfo, parts,
                               stable ? embed_one(model, text, &options)
                                      : embed_row(fcinfo, model, text, &options, &key),
                               stable));
}

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
embed_all(lmtext_model *model, ArrayType *array, const lm_embed_options *options)
{
    lm_text *texts;
    bool *nulls;
    int count;
    float *values;
    ArrayType *matrix;

    lmtext_texts_from_array(array, &texts, &nulls, &count);
    refuse_nulls(nulls, count);
    matrix = lmtext_matrix_new(count, lmtext_embed_width(model, options), &values);
    lmtext_embed_texts(model, texts, count, options, values);
    return matrix;
}

static Datum
lmtext_embed_array_call(PG_FUNCTION_ARGS)
{
    lmtext_model *model;
    lm_embed_options options;
    ArrayType *array;
    lm_text parts[EMBED_PARTS];
    embed_key key;
    const ArrayType *kept;
    bool stable;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    model = lmtext_arg_model(fcinfo, 1, LMTEXT_DEFAULT_EMBEDDING);
    embed_options(fcinfo, &options);
    array = PG_GETARG_ARRAYTYPE_P(0);
    stable = lmtext_args_stable(fcinfo, 0, PG_NARGS() - 1);
    embed_parts(model, &options, (lm_text){(const char *)array, VARSIZE(array)}, &key, parts);
    kept = lmtext_memo_find(fcinfo, 0, parts, EMBED_PARTS, NULL);
    if (kept != NULL)
        PG_RETURN_DATUM(found_array(kept, stable));
    PG_RETURN_DATUM(made_array(fcinfo, parts, embed_all(model, array, &options), stable));
}

/*
 * The vector of text argument `argno`, which is memo slot `argno`: in `body <=> 'words'` the words
 * are embedded once for all rows.
 */
static const float *
embed_side(FunctionCallInfo fcinfo, int argno, lmtext_model *model, const lm_embed_options *options,
           int width)
{
    lm_text text = lmtext_arg_text(fcinfo, argno);
    lm_text parts[EMBED_PARTS];
    size_t size = width * sizeof(float);
    embed_key key;
    const float *vector;
    float *made;

    embed_parts(model, options, text, &key, parts);
    vector = lmtext_memo_find(fcinfo, argno, parts, EMBED_PARTS, NULL);
    if (vector != NULL)
        return vector;
    if (lmtext_args_stable(fcinfo, 2, PG_NARGS() - 1) && !lmtext_args_stable(fcinfo, argno, argno))
        vector = vector_ahead(fcinfo, argno, model, options, &key, width);
    if (vector == NULL) {
        vector = made = palloc(size);
        lmtext_embed_texts(model, &text, 1, options, made);
    }
    return lmtext_memo_keep(fcinfo, argno, parts, EMBED_PARTS, vector, size);
}

/* Cosine distance of the texts in arguments 0 and 1; the model is argument `model_argno` or −1. */
static double
text_distance(FunctionCallInfo fcinfo, int model_argno)
{
    lmtext_model *model = lmtext_arg_model(fcinfo, model_argno, LMTEXT_DEFAULT_EMBEDDING);
    lm_embed_options options;
    const float *a, *b;
    int width;

    lmtext_embed_defaults(&options, lmtext_arg_on_long(fcinfo, model_argno, 3));
    width = lmtext_embed_width(model, &options);
    a = embed_side(fcinfo, 0, model, &options, width);
    b = embed_side(fcinfo, 1, model, &options, width);
    return lm_cosine_distance(width, a, b);
}

static Datum
lmtext_similarity_call(PG_FUNCTION_ARGS)
{
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        PG_RETURN_NULL();
    PG_RETURN_FLOAT8(1.0 - text_distance(fcinfo, 2));
}

static Datum
lmtext_text_distance_call(PG_FUNCTION_ARGS)
{
    PG_RETURN_FLOAT8(text_distance(fcinfo, -1));
}
