/*
 * tokenize.c - lmtext.tokenize, token_ids, detokenize, tokens, count_tokens and chunk, each for one
 * text and for an array of texts.
 *
 * Nothing here truncates. Offsets are 0-based, half-open and count characters of the text. A text's
 * tokens come in parts (service/tokens.h), and are put into the result as they come: memory is that
 * of the result.
 */
#include "postgres.h"

#include <limits.h>

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "pg/fn/args.h"
#include "pg/service/tokens.h"

LMTEXT_ENTRY(lmtext_tokenize, .name = "tokenize", .task = "embedding", .texts = 1,
             .any_task = true);
LMTEXT_ENTRY(lmtext_tokenize_array, .name = "tokenize", .task = "embedding", .texts = 1,
             .any_task = true);
LMTEXT_ENTRY(lmtext_token_ids, .name = "token_ids", .task = "embedding", .texts = 1,
             .any_task = true);
LMTEXT_ENTRY(lmtext_token_ids_array, .name = "token_ids", .task = "embedding", .texts = 1,
             .any_task = true);
LMTEXT_ENTRY(lmtext_detokenize, .name = "detokenize", .task = "embedding", .texts = 1,
             .any_task = true);
LMTEXT_ENTRY(lmtext_tokens, .name = "tokens", .task = "embedding", .texts = 1, .any_task = true);
LMTEXT_ENTRY(lmtext_tokens_array, .name = "tokens", .task = "embedding", .texts = 1,
             .any_task = true);
LMTEXT_ENTRY(lmtext_count_tokens, .name = "count_tokens", .task = "embedding", .texts = 1,
             .any_task = true);
LMTEXT_ENTRY(lmtext_count_tokens_array, .name = "count_tokens", .task = "embedding", .texts = 1,
             .any_task = true);
LMTEXT_ENTRY(lmtext_chunk, .name = "chunk", .task = "embedding", .texts = 1, .any_task = true);
LMTEXT_ENTRY(lmtext_chunk_array, .name = "chunk", .task = "embedding", .texts = 1,
             .any_task = true);

/* The model and the options of a call; parse_special is argument `parse_argno`. */
static void
tokens_begin(FunctionCallInfo fcinfo, bool add_special, int parse_argno, lmtext_token_call *call)
{
    lmtext_tokens_begin(call, lmtext_arg_model(fcinfo));
    call->options.add_special = add_special;
    call->options.parse_special = lmtext_arg_bool(fcinfo, parse_argno, true);
}

/* Size in bytes of an array of one dimension, or 54000: bytes and elements have a limit each. */
static size_t
array_size(size_t count, size_t data)
{
    size_t size = add_size(ARR_OVERHEAD_NONULLS(1), data);

    if (count > MaxArraySize || !AllocSizeIsValid(size))
        ereport(
            ERROR,
            (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
             errmsg("the tokens do not fit into one array"),
             errdetail(
                 "There are %zu tokens of %zu bytes; at most %zu tokens and %zu bytes are allowed.",
                 count, size, (size_t)MaxArraySize, (size_t)MaxAllocSize),
             errhint("Split the text with lmtext.chunk first.")));
    return size;
}

/* An array that grows: its data, and what they would take when they exceed an array. */
typedef struct growing_array {
    ArrayType *array; /* NULL: empty, or given up */
    Size capacity;    /* of the array's data */
    size_t size;      /* bytes of data; more than capacity when given up */
    size_t count;
} growing_array;

/*
 * Room for `size` more bytes and `count` elements, to be written at the place that is returned;
 * NULL: the array is too large, which array_finish says, once all tokens are counted. The first
 * part is most often the last: it gets what it takes.
 */
static char *
array_room(growing_array *grown, size_t size, size_t count)
{
    size_t before = grown->size;
    size_t limit = MaxAllocSize - ARR_OVERHEAD_NONULLS(1);

    grown->size = add_size(before, size);
    grown->count += count;
    if (grown->size > limit || grown->count > MaxArraySize) {
        if (grown->array != NULL)
            pfree(grown->array);
        grown->array = NULL;
        return NULL;
    }
    if (grown->array == NULL) {
        grown->capacity = grown->size;
        grown->array = palloc(ARR_OVERHEAD_NONULLS(1) + grown->capacity);
    } else if (grown->size > grown->capacity) {
        grown->capacity = Min(Max(2 * grown->capacity, grown->size), limit);
        grown->array = repalloc(grown->array, ARR_OVERHEAD_NONULLS(1) + grown->capacity);
    }
    return (char *)grown->array + ARR_OVERHEAD_NONULLS(1) + before;
}

/* The array of what was written; empty arrays have no dimension. */
static ArrayType *
array_finish(const growing_array *grown, Oid type)
{
    size_t size = array_size(grown->count, grown->size);
    ArrayType *array = grown->array;

    if (grown->count == 0)
        return construct_empty_array(type);
    memset(array, 0, ARR_OVERHEAD_NONULLS(1));
    SET_VARSIZE(array, size);
    array->ndim = 1;
    array->elemtype = type;
    ARR_DIMS(array)[0] = (int)grown->count;
    ARR_LBOUND(array)[0] = 1;
    return array;
}

static ArrayType *
ids_array(const lmtext_token_call *call, lm_text text)
{
    growing_array ids = {0};

    lmtext_tokens_open(call, text);
    while (lmtext_tokens_next(call)) {
        size_t size = mul_size(call->work->part.count, sizeof(int32));
        char *out = array_room(&ids, size, call->work->part.count);

        if (out != NULL)
            memcpy(out, call->work->part.ids, size);
    }
    return array_finish(&ids, INT4OID);
}

/* A token's text in the database's encoding; *converted is to be freed when not NULL. */
static const char *
token_bytes(const lmtext_token_call *call, int32 id, size_t *length, char **converted)
{
    const char *bytes = lm_token_text(call->tokenizer, id, length);

    *converted = NULL;
    if (bytes == NULL)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                        errmsg("model \"%s\" has no token %d", call->model->name, id)));
    if (GetDatabaseEncoding() == PG_UTF8)
        return bytes;
    *converted = lmtext_cstring_from_utf8(bytes, *length);
    *length = strlen(*converted);
    return *converted;
}

/* Bytes that the token takes in a text[]; written to `out` as well unless that is NULL. */
static size_t
put_token(const lmtext_token_call *call, int32 id, char *out)
{
    size_t length, size;
    char *converted;
    const char *bytes = token_bytes(call, id, &length, &converted);

    size = INTALIGN(VARHDRSZ + length);
    if (out != NULL) {
        memset(out + size - sizeof(int32), 0, sizeof(int32)); /* the padding */
        SET_VARSIZE(out, VARHDRSZ + length);
        memcpy(out + VARHDRSZ, bytes, length);
    }
    if (converted != NULL)
        pfree(converted);
    return size;
}

/* Written straight into the array: a text[] of long texts would need a Datum for each token. */
static ArrayType *
tokens_array(const lmtext_token_call *call, lm_text text)
{
    growing_array tokens = {0};

    lmtext_tokens_open(call, text);
    while (lmtext_tokens_next(call)) {
        size_t size = 0, i;
        char *out;

        for (i = 0; i < call->work->part.count; i++)
            size += put_token(call, call->work->part.ids[i], NULL);
        out = array_room(&tokens, size, call->work->part.count);
        for (i = 0; out != NULL && i < call->work->part.count; i++)
            out += put_token(call, call->work->part.ids[i], out);
    }
    return array_finish(&tokens, TEXTOID);
}

static Datum
lmtext_tokenize_call(PG_FUNCTION_ARGS)
{
    lmtext_token_call call;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    tokens_begin(fcinfo, false, 2, &call);
    PG_RETURN_ARRAYTYPE_P(tokens_array(&call, lmtext_arg_text(fcinfo, 0)));
}

static Datum
lmtext_token_ids_call(PG_FUNCTION_ARGS)
{
    lmtext_token_call call;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    tokens_begin(fcinfo, true, 2, &call);
    PG_RETURN_ARRAYTYPE_P(ids_array(&call, lmtext_arg_text(fcinfo, 0)));
}

static Datum
count(const lmtext_token_call *call, lm_text text)
{
    size_t tokens;

    lmtext_check(&call->work->call,
                 lm_count_tokens(&call->work->call.ctx, call->tokenizer, call->work->scratch,
                                 text.bytes, text.length, &call->options, &tokens),
                 call->model->name);
    lmtext_tokens_check_count(tokens);
    lmtext_stats_tokenized(1, tokens);
    return Int32GetDatum((int32)tokens);
}

static Datum
lmtext_count_tokens_call(PG_FUNCTION_ARGS)
{
    lmtext_token_call call;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    tokens_begin(fcinfo, true, 2, &call);
    PG_RETURN_DATUM(count(&call, lmtext_arg_text(fcinfo, 0)));
}

/* Counts of an array's texts, in order; a null counts as null. */
static Datum
lmtext_count_tokens_array_call(PG_FUNCTION_ARGS)
{
    lmtext_token_call call;
    lm_text *texts;
    bool *nulls;
    int rows, i, lower = 1;
    Datum *counts;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    tokens_begin(fcinfo, true, 2, &call);
    lmtext_texts_from_array(PG_GETARG_ARRAYTYPE_P(0), &texts, &nulls, &rows);
    if (rows == 0)
        PG_RETURN_ARRAYTYPE_P(construct_empty_array(INT4OID));
    counts = palloc0(rows * sizeof(Datum));
    for (i = 0; i < rows; i++)
        if (!nulls[i])
            counts[i] = count(&call, texts[i]);
    PG_RETURN_ARRAYTYPE_P(construct_md_array(counts, nulls, 1, &rows, &lower, INT4OID,
                                             sizeof(int32), true, TYPALIGN_INT));
}

/* A row (ordinality, array) for each text of an array; a null text has a null array. */
static void
put_arrays(FunctionCallInfo fcinfo, const lmtext_token_call *call,
           ArrayType *(*make)(const lmtext_token_call *, lm_text))
{
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
    lm_text *texts;
    bool *nulls;
    int count, i;

    lmtext_texts_from_array(PG_GETARG_ARRAYTYPE_P(0), &texts, &nulls, &count);
    for (i = 0; i < count; i++) {
        Datum values[2] = {Int64GetDatum(i + 1), (Datum)0};
        bool is_null[2] = {false, nulls[i]};
        ArrayType *array = nulls[i] ? NULL : make(call, texts[i]);

        values[1] = PointerGetDatum(array);
        tuplestore_putvalues(result->setResult, result->setDesc, values, is_null);
        if (array != NULL)
            pfree(array);
    }
}

static Datum
lmtext_tokenize_array_call(PG_FUNCTION_ARGS)
{
    lmtext_token_call call;

    InitMaterializedSRF(fcinfo, 0);
    if (PG_ARGISNULL(0))
        return (Datum)0;
    tokens_begin(fcinfo, false, 2, &call);
    put_arrays(fcinfo, &call, tokens_array);
    return (Datum)0;
}

static Datum
lmtext_token_ids_array_call(PG_FUNCTION_ARGS)
{
    lmtext_token_call call;

    InitMaterializedSRF(fcinfo, 0);
    if (PG_ARGISNULL(0))
        return (Datum)0;
    tokens_begin(fcinfo, true, 2, &call);
    put_arrays(fcinfo, &call, ids_array);
    return (Datum)0;
}

/* Memory of its own, so that text that cannot be converted leaves nothing behind. */
static Datum
lmtext_detokenize_call(PG_FUNCTION_ARGS)
{
    lmtext_token_call call;
    lmtext_call own;
    lm_buffer out;
    ArrayType *ids;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    tokens_begin(fcinfo, false, -1, &call);
    ids = PG_GETARG_ARRAYTYPE_P(0);
    if (ARR_NDIM(ids) > 1)
        ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
                        errmsg("token ids must be a one-dimensional array")));
    if (array_contains_nulls(ids))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("token ids must not contain nulls")));
    lmtext_call_init(&own, CurrentMemoryContext);
    lm_buffer_init(&out, &own.ctx);
    lmtext_check(&own,
                 lm_detokenize(&own.ctx, call.tokenizer, (const int32_t *)ARR_DATA_PTR(ids),
                               ArrayGetNItems(ARR_NDIM(ids), ARR_DIMS(ids)), true, &out),
                 call.model->name);
    lmtext_stats_tokenized(1, ArrayGetNItems(ARR_NDIM(ids), ARR_DIMS(ids)));
    PG_RETURN_TEXT_P(lmtext_text_from_utf8(out.data, out.size));
}

/* Puts the rows of one text; their columns start at `first`, those before are the caller's. */
typedef void (*row_maker)(FunctionCallInfo fcinfo, const lmtext_token_call *call, lm_text text,
                          Datum *values, int first);

#define MAX_COLUMNS 7

static void
put_row(FunctionCallInfo fcinfo, Datum *values)
{
    static const bool nulls[MAX_COLUMNS] = {false};
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;

    CHECK_FOR_INTERRUPTS();
    tuplestore_putvalues(result->setResult, result->setDesc, values, (bool *)nulls);
    LMTEXT_FAULT_POINT("row_emitted");
}

static void
put_tokens(FunctionCallInfo fcinfo, const lmtext_token_call *call, lm_text text, Datum *values,
           int first)
{
    lmtext_tokens_open(call, text);
    while (lmtext_tokens_next(call)) {
        size_t before = call->work->seen - call->work->part.count, i;

        for (i = 0; i < call->work->part.count; i++) {
            size_t length;
            char *converted;
            const char *bytes = token_bytes(call, call->work->part.ids[i], &length, &converted);
            struct varlena *token = cstring_to_text_with_len(bytes, (int)length);

            values[first] = Int32GetDatum((int32)(before + i + 1));
            values[first + 1] = Int32GetDatum(call->work->part.ids[i]);
            values[first + 2] = PointerGetDatum(token);
            values[first + 3] = Int32GetDatum(call->work->part.start[i]);
            values[first + 4] = Int32GetDatum(call->work->part.stop[i]);
            values[first + 5] = BoolGetDatum(call->work->part.special[i] != 0);
            put_row(fcinfo, values);
            pfree(token);
            if (converted != NULL)
                pfree(converted);
        }
    }
}

static void
chunks_begin(FunctionCallInfo fcinfo, const lmtext_token_call *call, lm_text text)
{
    int window = lm_model_of_documents(&call->model->model)->info.max_tokens -
                 lm_tokenizer_special_count(call->tokenizer, false);
    int max_tokens = lmtext_arg_int(fcinfo, 2, "max_tokens", Max(window, 1), 1, INT_MAX);
    int overlap = lmtext_arg_int(fcinfo, 3, "overlap", 0, 0, max_tokens - 1);

    lmtext_check(&call->work->call,
                 lm_chunker_begin(&call->work->chunker, call->tokenizer, call->work->scratch,
                                  text.bytes, text.length, max_tokens, overlap),
                 call->model->name);
    lmtext_stats_tokenized(1, 0);
}

/* The next piece of the text; false: there is none. */
static bool
next_chunk(const lmtext_token_call *call, lm_chunk *chunk)
{
    bool found;

    lmtext_check(&call->work->call, lm_chunker_next(&call->work->chunker, chunk, &found),
                 call->model->name);
    LMTEXT_FAULT_POINT("text_cut");
    if (found)
        lmtext_stats_tokenized(0, chunk->tokens);
    return found;
}

static void
put_chunks(FunctionCallInfo fcinfo, const lmtext_token_call *call, lm_text text, Datum *values,
           int first)
{
    lm_chunk chunk;
    int32 number = 0;

    chunks_begin(fcinfo, call, text);
    while (next_chunk(call, &chunk)) {
        struct varlena *content = lmtext_text_from_utf8(text.bytes + chunk.byte_start,
                                                        chunk.byte_stop - chunk.byte_start);

        values[first] = Int32GetDatum(++number);
        values[first + 1] = PointerGetDatum(content);
        values[first + 2] = Int32GetDatum(chunk.start);
        values[first + 3] = Int32GetDatum(chunk.stop);
        values[first + 4] = Int32GetDatum(chunk.tokens);
        put_row(fcinfo, values);
        pfree(content);
    }
}

/* All rows of one text; a null text has none. parse_special is argument `parse_argno`, −1: none. */
static Datum
rows_of_text(FunctionCallInfo fcinfo, int parse_argno, row_maker put)
{
    Datum values[MAX_COLUMNS];
    lmtext_token_call call;

    InitMaterializedSRF(fcinfo, 0);
    if (PG_ARGISNULL(0))
        return (Datum)0;
    tokens_begin(fcinfo, true, parse_argno, &call);
    call.options.offsets = true;
    put(fcinfo, &call, lmtext_arg_text(fcinfo, 0), values, 0);
    return (Datum)0;
}

/* All rows of an array's texts, each after the text's ordinality; a null text has none. */
static Datum
rows_of_array(FunctionCallInfo fcinfo, int parse_argno, row_maker put)
{
    Datum values[MAX_COLUMNS];
    lmtext_token_call call;
    lm_text *texts;
    bool *nulls;
    int count, i;

    InitMaterializedSRF(fcinfo, 0);
    if (PG_ARGISNULL(0))
        return (Datum)0;
    tokens_begin(fcinfo, true, parse_argno, &call);
    call.options.offsets = true;
    lmtext_texts_from_array(PG_GETARG_ARRAYTYPE_P(0), &texts, &nulls, &count);
    for (i = 0; i < count; i++) {
        if (nulls[i])
            continue;
        values[0] = Int64GetDatum((int64)i + 1);
        put(fcinfo, &call, texts[i], values, 1);
    }
    return (Datum)0;
}

static Datum
lmtext_tokens_call(PG_FUNCTION_ARGS)
{
    return rows_of_text(fcinfo, 2, put_tokens);
}

static Datum
lmtext_tokens_array_call(PG_FUNCTION_ARGS)
{
    return rows_of_array(fcinfo, 2, put_tokens);
}

static Datum
lmtext_chunk_call(PG_FUNCTION_ARGS)
{
    return rows_of_text(fcinfo, -1, put_chunks);
}

static Datum
lmtext_chunk_array_call(PG_FUNCTION_ARGS)
{
    return rows_of_array(fcinfo, -1, put_chunks);
}
