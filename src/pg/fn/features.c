/*
 * features.c - lmtext.tfidf, bag_of_words, one_hot, build_vocabulary, texts_to_sequences: the
 * n-grams of a query's texts, weighed, counted, listed, or as numbers. What they are is the
 * engine's (features/).
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
#define PRESENCE_OPTIONS 12
#define COUNT_OPTIONS 13

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
PG_FUNCTION_INFO_V1(lmtext_one_hot);
PG_FUNCTION_INFO_V1(lmtext_build_vocabulary);
PG_FUNCTION_INFO_V1(lmtext_texts_to_sequences);
PG_FUNCTION_INFO_V1(lmtext_pad_sequences);

/* What is wanted of n-grams, and how many of the options that leaves to the caller. */
typedef struct weighing {
    const char *function;
    int options;
    bool counts; /* nothing is done to them */
    bool binary; /* and they are 1 */
} weighing;

static Datum weigh_query(FunctionCallInfo fcinfo, const weighing *w);
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
    return weigh_query(fcinfo, &(weighing){"lmtext.tfidf", lengthof(options), false, false});
}

Datum
lmtext_bag_of_words(PG_FUNCTION_ARGS)
{
    return weigh_query(fcinfo, &(weighing){"lmtext.bag_of_words", COUNT_OPTIONS, true, false});
}

Datum
lmtext_one_hot(PG_FUNCTION_ARGS)
{
    return weigh_query(fcinfo, &(weighing){"lmtext.one_hot", PRESENCE_OPTIONS, true, true});
}

/* Counts are weights that nothing is done to. */
static void
read_spec(Jsonb *json, const weighing *w, lm_tfidf_spec *spec)
{
    lm_tfidf_spec_defaults(spec);
    if (w->counts) {
        spec->idf = false;
        spec->norm = "none";
    }
    spec->binary = w->binary;
    lmtext_options_read(json, (lmtext_option_set[]){{options, w->options, spec}}, 1);
}

static Datum
weigh_query(FunctionCallInfo fcinfo, const weighing *w)
{
    static const lmtext_column columns[] = {{"key", LMTEXT_COLUMN_KEY},
                                            {"text", LMTEXT_COLUMN_TEXT}};
    reading r = {.function = w->function};
    lm_tfidf_options wanted;
    lm_tfidf_spec spec;

    InitMaterializedSRF(fcinfo, 0);
    r.memory = CurrentMemoryContext;
    lmtext_call_init(&r.call, r.memory);
    read_spec(PG_GETARG_JSONB_P(1), w, &spec);
    lmtext_check(&r.call, lm_tfidf_spec_read(&r.call.ctx, &spec, &wanted), NULL);
    lm_tfidf_init(&r.tfidf, &r.call.ctx, &wanted);
    read_query(w->function, text_to_cstring(PG_GETARG_TEXT_PP(0)), columns, 2, take_text, &r);
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
            ereport(ERROR,
                    (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("a token must not be null")));
        special = lmtext_utf8_from_text(DatumGetTextPP(values[i]));
        lmtext_check(&v->call,
                     lm_vocabulary_special(&v->tokens, special.bytes, special.length, &twice),
                     NULL);
        if (twice)
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                            errmsg("the token \"%s\" is given twice",
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
init_vocabulary(vocabulary *v, const lm_tfidf_spec *spec)
{
    lm_tfidf_options wanted;

    lmtext_call_init(&v->call, CurrentMemoryContext);
    lmtext_check(&v->call, lm_tfidf_spec_read(&v->call.ctx, spec, &wanted), NULL);
    v->cut = wanted.ngrams;
    lm_ngram_room_init(&v->room, &v->call.ctx);
    lm_vocabulary_init(&v->tokens, &v->call.ctx);
}

static void
open_vocabulary(FunctionCallInfo fcinfo, vocabulary *v)
{
    static const weighing none = {.options = CUT_OPTIONS};
    lm_tfidf_spec spec;

    lm_tfidf_spec_defaults(&spec);
    if (!PG_ARGISNULL(4))
        read_spec(PG_GETARG_JSONB_P(4), &none, &spec);
    init_vocabulary(v, &spec);
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

/* ---- Sequences ---- */

typedef struct sequence_options {
    lm_tfidf_spec spec;
    int64 num_words; /* 0: no limit */
    char *oov_token; /* NULL: what has no number is left out */
} sequence_options;

static const lm_option sequence_table[] = {
    LM_OPTION(sequence_options, num_words, INT, 1, PG_INT32_MAX, "a whole number from 1"),
    LM_OPTION(sequence_options, oov_token, TEXT, 0, 0, "a string"),
};

#define NO_TOKEN PG_UINT32_MAX

/* Rows as numbers of tokens, which become ids when all texts were seen. */
typedef struct sequences {
    vocabulary v;
    sequence_options options;
    bool given;      /* the vocabulary, which the texts do not change */
    char **keys;     /* of rows */
    Size *stops;     /* of rows, in numbers */
    uint32 *numbers; /* of tokens; NO_TOKEN */
    Size rows, row_room, count, room;
    int32 *ids;   /* of tokens; 0: there is none */
    int32 oov_id; /* 0: there is none */
} sequences;

/* Room for one more of `size` bytes. */
static void *
grow(const sequences *s, void *items, Size count, Size room, Size size)
{
    if (items == NULL)
        return MemoryContextAllocHuge(s->v.call.memory, mul_size(room, size));
    return count < room ? items : repalloc_huge(items, mul_size(2 * room, size));
}

static lm_status
take_token(void *opaque, const char *bytes, size_t length)
{
    sequences *s = opaque;
    uint32_t number = NO_TOKEN;
    bool found;

    if (!s->given)
        LM_TRY(lm_vocabulary_count(&s->v.tokens, bytes, length, &number));
    else {
        LM_TRY(lm_intern_find(&s->v.tokens.tokens, bytes, length, &found, &number));
        if (!found)
            number = NO_TOKEN;
    }
    if (s->count == s->room) {
        uint32 *numbers =
            lm_realloc(&s->v.call.ctx, s->numbers, Max(2 * s->room, BATCH_ROWS) * sizeof *numbers);

        if (numbers == NULL)
            return LM_NO_MEMORY;
        s->numbers = numbers;
        s->room = Max(2 * s->room, BATCH_ROWS);
    }
    s->numbers[s->count++] = number;
    return LM_OK;
}

static void
take_sequence(void *opaque, const lmtext_query_row *row)
{
    sequences *s = opaque;
    const char *text = row->fields[1].text;

    lmtext_check(&s->v.call,
                 lm_ngrams_each(&s->v.cut, &s->v.room, lmtext_utf8_from_bytes(text, strlen(text)),
                                take_token, s),
                 NULL);
    s->keys = grow(s, s->keys, s->rows, s->row_room, sizeof *s->keys);
    s->stops = grow(s, s->stops, s->rows, s->row_room, sizeof *s->stops);
    if (s->rows == s->row_room)
        s->row_room *= 2;
    s->keys[s->rows] = MemoryContextStrdup(s->v.call.memory, row->fields[0].text);
    s->stops[s->rows++] = s->count;
}

/* Numbered from 1 in the order of the list, with the token for others before all of them. */
static void
number_list(sequences *s, const uint32 *list, uint32 count)
{
    const char *oov = s->options.oov_token;
    uint32_t number;
    bool found = false;
    int32 shift = 1;

    s->ids = MemoryContextAllocHuge(s->v.call.memory, ((Size)count + 1) * sizeof *s->ids);
    if (oov != NULL) {
        const lm_text utf8 = lmtext_utf8_from_bytes(oov, strlen(oov));

        lmtext_check(&s->v.call,
                     lm_intern_find(&s->v.tokens.tokens, utf8.bytes, utf8.length, &found, &number),
                     NULL);
        shift = found && s->given ? 1 : 2;
    }
    for (uint32 i = 0; i < count; i++)
        s->ids[list != NULL ? list[i] : i] = (int32)i + shift;
    s->oov_id = oov == NULL ? 0 : found ? s->ids[number] : 1;
}

static int32
id_of(const sequences *s, uint32 number)
{
    const int64 limit = s->options.num_words;

    if (number == NO_TOKEN || (limit > 0 && s->ids[number] >= limit))
        return s->oov_id;
    return s->ids[number];
}

static void
emit_sequence(const sequences *s, Size row, Datum *ids, ReturnSetInfo *result)
{
    const Size start = row > 0 ? s->stops[row - 1] : 0;
    bool nulls[2] = {false};
    Datum values[2];
    Size count = 0;

    for (Size i = start; i < s->stops[row]; i++) {
        int32 id = id_of(s, s->numbers[i]);

        CHECK_FOR_INTERRUPTS();
        if (id > 0)
            ids[count++] = Int32GetDatum(id);
    }
    values[0] = CStringGetTextDatum(s->keys[row]);
    values[1] = PointerGetDatum(
        construct_array(ids, (int)count, INT4OID, sizeof(int32), true, TYPALIGN_INT));
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    pfree(DatumGetPointer(values[0]));
    pfree(DatumGetPointer(values[1]));
}

static void
emit_sequences(sequences *s, ReturnSetInfo *result)
{
    Size longest = 0;
    Datum *ids;

    for (Size row = 0; row < s->rows; row++)
        longest = Max(longest, s->stops[row] - (row > 0 ? s->stops[row - 1] : 0));
    ids = MemoryContextAllocHuge(s->v.call.memory, (longest + 1) * sizeof *ids);
    for (Size row = 0; row < s->rows; row++)
        emit_sequence(s, row, ids, result);
}

static void
open_sequences(FunctionCallInfo fcinfo, sequences *s)
{
    lm_tfidf_spec_defaults(&s->options.spec);
    s->options.spec.words = "keras";
    if (!PG_ARGISNULL(2))
        lmtext_options_read(
            PG_GETARG_JSONB_P(2),
            (lmtext_option_set[]){{options, CUT_OPTIONS, &s->options.spec},
                                  {sequence_table, lengthof(sequence_table), &s->options}},
            2);
    init_vocabulary(&s->v, &s->options.spec);
    s->row_room = BATCH_ROWS;
    s->given = !PG_ARGISNULL(1);
    if (s->given) {
        add_specials(&s->v, PG_GETARG_ARRAYTYPE_P(1));
        number_list(s, NULL, s->v.tokens.tokens.count);
    }
}

/* texts_to_sequences(query, vocabulary, options) */
Datum
lmtext_texts_to_sequences(PG_FUNCTION_ARGS)
{
    static const lmtext_column columns[] = {{"key", LMTEXT_COLUMN_KEY},
                                            {"text", LMTEXT_COLUMN_TEXT}};
    sequences s = {.keys = NULL};
    uint32_t count;

    InitMaterializedSRF(fcinfo, 0);
    if (PG_ARGISNULL(0))
        return (Datum)0;
    open_sequences(fcinfo, &s);
    read_query("lmtext.texts_to_sequences", text_to_cstring(PG_GETARG_TEXT_PP(0)), columns, 2,
               take_sequence, &s);
    if (!s.given) {
        uint32_t *list;

        lmtext_check(&s.v.call, lm_vocabulary_rank(&s.v.tokens, PG_INT64_MAX, 1, &list, &count),
                     NULL);
        number_list(&s, list, count);
    }
    emit_sequences(&s, (ReturnSetInfo *)fcinfo->resultinfo);
    lm_vocabulary_free(&s.v.tokens);
    lm_ngram_room_free(&s.v.room);
    return (Datum)0;
}

/* "pre" or "post" */
static bool
is_pre(FunctionCallInfo fcinfo, int argno, const char *name)
{
    const char *side = text_to_cstring(PG_GETARG_TEXT_PP(argno));

    if (strcmp(side, "pre") != 0 && strcmp(side, "post") != 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("invalid value for %s: \"%s\"", name, lmtext_clip(side)),
                        errhint("Allowed values: pre, post.")));
    return strcmp(side, "pre") == 0;
}

/* An int4[] of at most one dimension, without nulls. */
static const int32 *
whole_numbers(ArrayType *array, int *count)
{
    if (ARR_NDIM(array) > 1)
        ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
                        errmsg("a sequence must be a one-dimensional array")));
    if (array_contains_nulls(array))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("a sequence must not contain nulls")));
    *count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
    return (const int32 *)ARR_DATA_PTR(array);
}

/* pad_sequences(sequence, maxlen, padding, truncating, value) */
Datum
lmtext_pad_sequences(PG_FUNCTION_ARGS)
{
    const int64 length = size_argument(fcinfo, 1, "maxlen", 1, 0);
    const bool pad_before = is_pre(fcinfo, 2, "padding"),
               cut_before = is_pre(fcinfo, 3, "truncating");
    int count, kept;
    const int32 *from = whole_numbers(PG_GETARG_ARRAYTYPE_P(0), &count);
    Datum *values;

    if (length > (int64)(MaxAllocSize / sizeof(Datum)))
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("a sequence cannot be so long: " INT64_FORMAT, length)));
    values = palloc((Size)length * sizeof *values);
    kept = (int)Min(count, length);
    for (int i = 0; i < (int)length; i++)
        values[i] = PG_GETARG_DATUM(4);
    for (int i = 0; i < kept; i++)
        values[(pad_before ? (int)length - kept : 0) + i] =
            Int32GetDatum(from[(cut_before ? count - kept : 0) + i]);
    PG_RETURN_ARRAYTYPE_P(
        construct_array(values, (int)length, INT4OID, sizeof(int32), true, TYPALIGN_INT));
}
