/*
 * features.c - lmtext.tfidf, bag_of_words and build_vocabulary: the n-grams of a query's texts,
 * weighed, counted, or listed. What they are is the engine's (features/).
 *
 * The query runs as the caller. A row without a key or a text is left out. All rows are read before
 * the first result, since what a word weighs depends on all texts.
 */
#include "postgres.h"

#include "common/shortest_dec.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "features/spec.h"
#include "features/vocabulary.h"
#include "pg/fn/args.h"
#include "pg/fn/query.h"
#include "pg/glue/options.h"

#define BATCH_ROWS 1024

static const lm_option options[] = {LM_TFIDF_OPTIONS(0)};

/* The first of the options say how texts are cut, the next ones what is counted, the last ones what
 * it weighs. */
#define CUT_OPTIONS 5
#define COUNT_OPTIONS 10

/* One call. */
typedef struct reading {
    const char *function;
    lmtext_call call;
    MemoryContext memory; /* of what outlives a batch */
    lm_tfidf tfidf;
    char **keys; /* of its rows */
    size_t room;
} reading;

/* Gets a row of a query; runs in the memory of a batch. */
typedef void (*row_taker)(void *opaque, const lmtext_query_row *row);

PG_FUNCTION_INFO_V1(lmtext_tfidf);
PG_FUNCTION_INFO_V1(lmtext_bag_of_words);
PG_FUNCTION_INFO_V1(lmtext_build_vocabulary);

static Datum weigh_query(FunctionCallInfo fcinfo, const char *function, bool counts);
static void read_query(const char *function, char *query, const lmtext_column *columns, int count,
                       row_taker take, void *opaque);
static void take_text(void *opaque, const lmtext_query_row *row);
static void emit_rows(reading *r, ReturnSetInfo *result);
static Datum weights_of(const reading *r, size_t row);
static Datum vector_of(const reading *r, size_t row);
static Numeric numeric_of(float weight);

Datum
lmtext_tfidf(PG_FUNCTION_ARGS)
{
    return weigh_query(fcinfo, "lmtext.tfidf", false);
}

Datum
lmtext_bag_of_words(PG_FUNCTION_ARGS)
{
    return weigh_query(fcinfo, "lmtext.bag_of_words", true);
}

/* Counts are weights that nothing is done to. */
static void
read_spec(Jsonb *json, int count, bool counts, lm_tfidf_spec *spec)
{
    lm_tfidf_spec_defaults(spec);
    if (counts) {
        spec->idf = false;
        spec->norm = "none";
    }
    lmtext_options_read(json, (lmtext_option_set[]){{options, count, spec}}, 1);
}

static Datum
weigh_query(FunctionCallInfo fcinfo, const char *function, bool counts)
{
    static const lmtext_column columns[] = {{"key", LMTEXT_COLUMN_KEY},
                                            {"text", LMTEXT_COLUMN_TEXT}};
    reading r = {.function = function};
    lm_tfidf_options wanted;
    lm_tfidf_spec spec;

    InitMaterializedSRF(fcinfo, 0);
    r.memory = CurrentMemoryContext;
    lmtext_call_init(&r.call, r.memory);
    read_spec(PG_GETARG_JSONB_P(1), counts ? COUNT_OPTIONS : lengthof(options), counts, &spec);
    lmtext_check(&r.call, lm_tfidf_spec_read(&r.call.ctx, &spec, &wanted), NULL);
    lm_tfidf_init(&r.tfidf, &r.call.ctx, &wanted);
    read_query(function, text_to_cstring(PG_GETARG_TEXT_PP(0)), columns, 2, take_text, &r);
    if (r.tfidf.rows.rows > 0) {
        lmtext_check(&r.call, lm_tfidf_finish(&r.tfidf), NULL);
        emit_rows(&r, (ReturnSetInfo *)fcinfo->resultinfo);
    }
    lm_tfidf_free(&r.tfidf);
    return (Datum)0;
}

/* ---- Rows ---- */

static bool
is_whole(const lmtext_query_row *row, int count)
{
    for (int i = 0; i < count; i++)
        if (row->fields[i].text == NULL)
            return false;
    return true;
}

static void
read_query(const char *function, char *query, const lmtext_column *columns, int count,
           row_taker take, void *opaque)
{
    MemoryContext batch;
    lmtext_query_row *rows;
    lmtext_query reader;
    int found;

    SPI_connect();
    rows = palloc(BATCH_ROWS * sizeof(*rows));
    batch = AllocSetContextCreate(CurrentMemoryContext, "lmtext batch", ALLOCSET_DEFAULT_SIZES);
    lmtext_query_open(&reader, function, query, columns, count);
    MemoryContextSwitchTo(batch);
    while ((found = lmtext_query_fetch(&reader, BATCH_ROWS, rows)) > 0) {
        for (int i = 0; i < found; i++) {
            CHECK_FOR_INTERRUPTS();
            if (is_whole(&rows[i], count))
                take(opaque, &rows[i]);
        }
        MemoryContextReset(batch);
    }
    lmtext_query_close(&reader);
    SPI_finish();
}

static void
keep_key(reading *r, const char *key)
{
    size_t row = r->tfidf.rows.rows;

    if (row == r->room) {
        r->room = Max(2 * r->room, BATCH_ROWS);
        r->keys = r->keys == NULL ? MemoryContextAllocHuge(r->memory, r->room * sizeof(char *))
                                  : repalloc_huge(r->keys, r->room * sizeof(char *));
    }
    r->keys[row] = MemoryContextStrdup(r->memory, key);
}

static void
take_text(void *opaque, const lmtext_query_row *row)
{
    reading *r = opaque;
    const char *text = row->fields[1].text;

    keep_key(r, row->fields[0].text);
    lmtext_check(&r->call, lm_tfidf_add(&r->tfidf, lmtext_utf8_from_bytes(text, strlen(text))),
                 NULL);
}

/* ---- Results ---- */

static void
emit_rows(reading *r, ReturnSetInfo *result)
{
    MemoryContext scratch =
        AllocSetContextCreate(r->memory, "lmtext features", ALLOCSET_DEFAULT_SIZES);

    MemoryContextSwitchTo(scratch);
    for (size_t row = 0; row < r->tfidf.rows.rows; row++) {
        Datum values[3] = {CStringGetTextDatum(r->keys[row]), weights_of(r, row),
                           vector_of(r, row)};
        bool nulls[3] = {false};

        CHECK_FOR_INTERRUPTS();
        tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
        MemoryContextReset(scratch);
    }
    MemoryContextSwitchTo(r->memory);
    MemoryContextDelete(scratch);
}

/* An n-gram, or the number of a bucket. */
static JsonbValue
name_of(const reading *r, uint32_t feature)
{
    const lm_tfidf *tfidf = &r->tfidf;
    JsonbValue name = {.type = jbvString};
    size_t length;

    if (tfidf->options.hash_bits > 0)
        name.val.string.val = psprintf("%u", tfidf->order[feature]);
    else {
        const char *bytes = lm_intern_bytes(&tfidf->names, tfidf->order[feature], &length);

        name.val.string.val = lmtext_cstring_from_utf8(bytes, length);
    }
    name.val.string.len = strlen(name.val.string.val);
    return name;
}

static Datum
weights_of(const reading *r, size_t row)
{
    const lm_sparse_rows *rows = &r->tfidf.rows;
    JsonbParseState *state = NULL;

    pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
    for (size_t i = rows->starts[row]; i < rows->starts[row + 1]; i++) {
        JsonbValue name = name_of(r, rows->index[i]), weight = {.type = jbvNumeric};

        CHECK_FOR_INTERRUPTS();
        weight.val.numeric = numeric_of(rows->value[i]);
        pushJsonbValue(&state, WJB_KEY, &name);
        pushJsonbValue(&state, WJB_VALUE, &weight);
    }
    return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

/* "{index:weight,…}/dimensions", indices from 1: of features, or of buckets. */
static Datum
vector_of(const reading *r, size_t row)
{
    const lm_tfidf *tfidf = &r->tfidf;
    const lm_sparse_rows *rows = &tfidf->rows;
    const int bits = tfidf->options.hash_bits;
    char digits[FLOAT_SHORTEST_DECIMAL_LEN];
    StringInfoData text;

    initStringInfo(&text);
    appendStringInfoChar(&text, '{');
    for (size_t i = rows->starts[row]; i < rows->starts[row + 1]; i++) {
        uint32_t index = bits > 0 ? tfidf->order[rows->index[i]] : rows->index[i];

        float_to_shortest_decimal_buf(rows->value[i], digits);
        appendStringInfo(&text, "%s%u:%s", i > rows->starts[row] ? "," : "", index + 1, digits);
    }
    appendStringInfo(&text, "}/%u", bits > 0 ? (uint32_t)1 << bits : tfidf->count);
    return PointerGetDatum(cstring_to_text_with_len(text.data, text.len));
}

/* The shortest digits that give the same number again. */
static Numeric
numeric_of(float weight)
{
    char digits[FLOAT_SHORTEST_DECIMAL_LEN];

    float_to_shortest_decimal_buf(weight, digits);
    return DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(digits),
                                               ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

/* ---- A vocabulary ---- */

typedef struct vocabulary {
    lmtext_call call;
    lm_ngram_options cut;
    lm_ngram_room room;
    lm_vocabulary tokens;
} vocabulary;

static lm_status
count_token(void *opaque, const char *bytes, size_t length)
{
    vocabulary *v = opaque;

    return lm_vocabulary_count(&v->tokens, bytes, length, NULL);
}

static void
take_document(void *opaque, const lmtext_query_row *row)
{
    vocabulary *v = opaque;
    const char *text = row->fields[0].text;

    lmtext_check(&v->call,
                 lm_ngrams_each(&v->cut, &v->room, lmtext_utf8_from_bytes(text, strlen(text)),
                                count_token, v),
                 NULL);
}

/* Each has the number of its place; it was not seen in a text by that. */
static void
add_specials(vocabulary *v, ArrayType *array)
{
    Datum *values;
    bool *nulls;
    int count;

    deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
    for (int i = 0; i < count; i++) {
        lm_text special;
        bool twice;

        if (nulls[i])
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("a special token must not be null")));
        special = lmtext_utf8_from_text(DatumGetTextPP(values[i]));
        lmtext_check(&v->call,
                     lm_vocabulary_special(&v->tokens, special.bytes, special.length, &twice),
                     NULL);
        if (twice)
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                            errmsg("the special token \"%s\" is given twice",
                                   lmtext_clip(TextDatumGetCString(values[i])))));
    }
}

static void
emit_token(const vocabulary *v, ReturnSetInfo *result, uint32_t id, uint32_t number)
{
    size_t length;
    const char *bytes = lm_intern_bytes(&v->tokens.tokens, number, &length);
    Datum values[3] = {Int32GetDatum((int32)id),
                       PointerGetDatum(lmtext_text_from_utf8(bytes, length)),
                       Int64GetDatum(v->tokens.counts[number])};
    bool nulls[3] = {false};

    CHECK_FOR_INTERRUPTS();
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
emit_vocabulary(vocabulary *v, int64 max_size, int64 min_count, ReturnSetInfo *result)
{
    uint32_t *numbers, count;

    lmtext_check(&v->call, lm_vocabulary_rank(&v->tokens, max_size, min_count, &numbers, &count),
                 NULL);
    for (uint32_t id = 0; id < count; id++)
        emit_token(v, result, id, numbers[id]);
}

/* A whole number that is not below `low`; where it is null, `fallback`. */
static int64
size_argument(FunctionCallInfo fcinfo, int argno, const char *name, int64 low, int64 fallback)
{
    int64 value = PG_ARGISNULL(argno) ? fallback : PG_GETARG_INT32(argno);

    if (value < low)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("%s is out of range: " INT64_FORMAT, name, value),
                        errdetail("It must be at least " INT64_FORMAT ".", low)));
    return value;
}

/* What is opened goes with the call's memory context. */
static void
open_vocabulary(FunctionCallInfo fcinfo, vocabulary *v)
{
    lm_tfidf_options wanted;
    lm_tfidf_spec spec;

    lmtext_call_init(&v->call, CurrentMemoryContext);
    lm_tfidf_spec_defaults(&spec);
    if (!PG_ARGISNULL(4))
        read_spec(PG_GETARG_JSONB_P(4), CUT_OPTIONS, false, &spec);
    lmtext_check(&v->call, lm_tfidf_spec_read(&v->call.ctx, &spec, &wanted), NULL);
    v->cut = wanted.ngrams;
    lm_ngram_room_init(&v->room, &v->call.ctx);
    lm_vocabulary_init(&v->tokens, &v->call.ctx);
    if (!PG_ARGISNULL(3))
        add_specials(v, PG_GETARG_ARRAYTYPE_P(3));
}

/* build_vocabulary(query, max_size, min_count, specials, options) */
Datum
lmtext_build_vocabulary(PG_FUNCTION_ARGS)
{
    static const lmtext_column columns[] = {{"text", LMTEXT_COLUMN_TEXT}};
    const int64 max_size = size_argument(fcinfo, 1, "max_size", 1, PG_INT64_MAX);
    const int64 min_count = size_argument(fcinfo, 2, "min_count", 1, 1);
    vocabulary v;

    InitMaterializedSRF(fcinfo, 0);
    if (PG_ARGISNULL(0))
        return (Datum)0;
    open_vocabulary(fcinfo, &v);
    read_query("lmtext.build_vocabulary", text_to_cstring(PG_GETARG_TEXT_PP(0)), columns, 1,
               take_document, &v);
    emit_vocabulary(&v, max_size, min_count, (ReturnSetInfo *)fcinfo->resultinfo);
    lm_vocabulary_free(&v.tokens);
    lm_ngram_room_free(&v.room);
    return (Datum)0;
}
