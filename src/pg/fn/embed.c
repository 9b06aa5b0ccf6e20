/*
 * embed.c - lmtext.embed, similarity and distance: text to vector, and the distance between texts.
 *
 * A call whose arguments are stable in the statement is computed once (memo in args.h). An array of
 * texts is one run of packed batches, and so are the texts of rows that a plan has read ahead.
 */
#include "postgres.h"

#include <limits.h>

#include "utils/array.h"

#include "base/utf8.h"
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

/* NULL for a text without a token, where that is no error. */
static ArrayType *
embed_one(FunctionCallInfo fcinfo, lmtext_model *model, lm_text text,
          const lm_embed_options *options)
{
    float *values;
    ArrayType *vector = lmtext_vector_new(lmtext_embed_width(model, options), &values);

    return lmtext_embed_text(fcinfo, 1, model, text, options, values) ? vector : NULL;
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

/* Texts from `at` on that the engine may read: each call will verify its own again. */
static size_t
count_valid(const lmtext_ahead *ahead)
{
    size_t count = 0;

    for (int i = ahead->at; i < ahead->count; i++, count++) {
        const lm_text *text = &ahead->texts[i];

        if (lm_utf8_valid_prefix(text->bytes, text->length) < text->length)
            break;
    }
    return count;
}

/* One batch of the call's text and those after it. */
static void
embed_batch(lmtext_ahead *ahead, lmtext_model *model, const lm_embed_options *options,
            const embed_key *key, size_t width)
{
    size_t count = count_valid(ahead);

    if (ahead->values == NULL || ahead->capacity < count * width) {
        if (ahead->values != NULL)
            pfree(ahead->values);
        ahead->values = NULL;
        ahead->values = MemoryContextAlloc(ahead->memory, count * width * sizeof(float));
        ahead->capacity = count * width;
    }
    ahead->first = ahead->ready = ahead->at;
    memcpy(ahead->key, key, sizeof *key);
    ahead->ready +=
        (int)lmtext_embed_some(model, ahead->texts + ahead->at, count, options, ahead->values);
    ahead->failed = ahead->ready < ahead->at + (int)count;
}

static bool
is_ready(const lmtext_ahead *ahead, const embed_key *key)
{
    return ahead->at >= ahead->first && ahead->at < ahead->ready &&
           memcmp(ahead->key, key, sizeof *key) == 0;
}

/*
 * The vector of the text at hand, or NULL: to be computed alone, with whatever error it has. The
 * call's other arguments, but for its texts, are constant.
 */
static const float *
vector_ahead(FunctionCallInfo fcinfo, int argno, lmtext_model *model, lm_text text,
             const lm_embed_options *options, size_t width)
{
    lmtext_ahead *ahead = lmtext_ahead_find(fcinfo->flinfo->fn_expr, argno, text);
    lm_text parts[EMBED_PARTS];
    embed_key key;

    StaticAssertStmt(sizeof key <= sizeof ahead->key, "a key has room");
    if (ahead == NULL)
        return NULL;
    embed_parts(model, options, text, &key, parts);
    if (!is_ready(ahead, &key) && !ahead->failed && ahead->at + 1 < ahead->count)
        embed_batch(ahead, model, options, &key, width);
    if (!is_ready(ahead, &key))
        return NULL;
    lmtext_stats_computed();
    return ahead->values + (ahead->at - ahead->first) * width;
}

/* A text that may be another in the next row. */
static ArrayType *
embed_row(FunctionCallInfo fcinfo, lmtext_model *model, lm_text text,
          const lm_embed_options *options)
{
    int width = lmtext_embed_width(model, options);
    const float *values = lmtext_args_stable(fcinfo, 1, PG_NARGS() - 1)
                              ? vector_ahead(fcinfo, 0, model, text, options, width)
                              : NULL;
    ArrayType *vector;
    float *out;

    if (values == NULL)
        return embed_one(fcinfo, model, text, options);
    vector = lmtext_vector_new(width, &out);
    memcpy(out, values, width * sizeof(float));
    return vector;
}

static Datum
lmtext_embed_call(PG_FUNCTION_ARGS)
{
    lmtext_model *model;
    lm_embed_options options;
    lm_text text, parts[EMBED_PARTS];
    embed_key key;
    const ArrayType *vector;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    model = lmtext_arg_model(fcinfo, 1, LMTEXT_DEFAULT_EMBEDDING);
    embed_options(fcinfo, &options);
    text = lmtext_arg_text(fcinfo, 0);
    if (!lmtext_args_stable(fcinfo, 0, PG_NARGS() - 1)) {
        vector = embed_row(fcinfo, model, text, &options);
        if (vector == NULL)
            PG_RETURN_NULL();
        PG_RETURN_POINTER(vector);
    }
    embed_parts(model, &options, text, &key, parts);
    vector = lmtext_memo_find(fcinfo, 0, parts, EMBED_PARTS, NULL);
    if (vector == NULL) {
        ArrayType *made = embed_one(fcinfo, model, text, &options);

        if (made == NULL)
            PG_RETURN_NULL();
        vector = lmtext_memo_keep(fcinfo, 0, parts, EMBED_PARTS, made, VARSIZE(made));
    }
    PG_RETURN_POINTER(vector);
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
    const ArrayType *matrix;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    model = lmtext_arg_model(fcinfo, 1, LMTEXT_DEFAULT_EMBEDDING);
    embed_options(fcinfo, &options);
    array = PG_GETARG_ARRAYTYPE_P(0);
    if (!lmtext_args_stable(fcinfo, 0, PG_NARGS() - 1))
        PG_RETURN_ARRAYTYPE_P(embed_all(model, array, &options));
    embed_parts(model, &options, (lm_text){(const char *)array, VARSIZE(array)}, &key, parts);
    matrix = lmtext_memo_find(fcinfo, 0, parts, EMBED_PARTS, NULL);
    if (matrix == NULL) {
        ArrayType *made = embed_all(model, array, &options);

        matrix = lmtext_memo_keep(fcinfo, 0, parts, EMBED_PARTS, made, VARSIZE(made));
    }
    PG_RETURN_POINTER(matrix);
}

/*
 * The vector of text argument `argno`, NULL where it has none; argument `argno` is memo slot
 * `argno`: in `body <=> 'words'` the words are embedded once for all rows.
 */
static const float *
embed_side(FunctionCallInfo fcinfo, int argno, int model_argno, lmtext_model *model,
           const lm_embed_options *options, int width)
{
    lm_text text = lmtext_arg_text(fcinfo, argno);
    lm_text parts[EMBED_PARTS];
    size_t size = width * sizeof(float);
    embed_key key;
    const float *kept;
    float *vector;

    bool same_options = lmtext_args_stable(fcinfo, 2, PG_NARGS() - 1);
    bool stable = same_options && lmtext_args_stable(fcinfo, argno, argno);

    if (same_options && !stable) {
        kept = vector_ahead(fcinfo, argno, model, text, options, width);
        if (kept != NULL)
            return kept;
    }
    if (stable) {
        embed_parts(model, options, text, &key, parts);
        kept = lmtext_memo_find(fcinfo, argno, parts, EMBED_PARTS, NULL);
        if (kept != NULL)
            return kept;
    }
    vector = palloc(size);
    if (!lmtext_embed_text(fcinfo, model_argno, model, text, options, vector))
        return NULL;
    return stable ? lmtext_memo_keep(fcinfo, argno, parts, EMBED_PARTS, vector, size) : vector;
}

/*
 * Cosine distance of the texts in arguments 0 and 1; the model is argument `model_argno` or −1.
 * False where one of them has no vector.
 */
static bool
text_distance(FunctionCallInfo fcinfo, int model_argno, double *distance)
{
    lmtext_model *model = lmtext_arg_model(fcinfo, model_argno, LMTEXT_DEFAULT_EMBEDDING);
    lm_embed_options options;
    const float *a, *b;
    int width;

    lmtext_embed_defaults(&options, lmtext_arg_on_long(fcinfo, model_argno, 3));
    width = lmtext_embed_width(model, &options);
    a = embed_side(fcinfo, 0, model_argno, model, &options, width);
    b = embed_side(fcinfo, 1, model_argno, model, &options, width);
    if (a == NULL || b == NULL)
        return false;
    *distance = lm_cosine_distance(width, a, b);
    return true;
}

static Datum
lmtext_similarity_call(PG_FUNCTION_ARGS)
{
    double distance;

    if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || !text_distance(fcinfo, 2, &distance))
        PG_RETURN_NULL();
    PG_RETURN_FLOAT8(1.0 - distance);
}

static Datum
lmtext_text_distance_call(PG_FUNCTION_ARGS)
{
    double distance;

    if (!text_distance(fcinfo, -1, &distance))
        PG_RETURN_NULL();
    PG_RETURN_FLOAT8(distance);
}
