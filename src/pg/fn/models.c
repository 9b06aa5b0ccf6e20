/*
 * models.c - SQL entries that import, export, quantize, deploy, drop, grant and describe models.
 *
 * What an entry does itself is options and rows; the work is the catalog's. describe_model serves
 * the view lmtext.models: it shows what a manifest says and never fails because of it.
 */
#include "postgres.h"

#include <limits.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/jsonb.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "family/family.h"
#include "format/colbert.h"
#include "format/json.h"
#include "format/pytorch.h"
#include "format/word_vectors.h"
#include "task/tasks.h"
#include "pg/cache/cache.h"
#include "pg/glue/options.h"
#include "pg/version/version.h"

PG_FUNCTION_INFO_V1(lmtext_import_model_directory);
PG_FUNCTION_INFO_V1(lmtext_import_model_objects);
PG_FUNCTION_INFO_V1(lmtext_add_head);
PG_FUNCTION_INFO_V1(lmtext_quantize);
PG_FUNCTION_INFO_V1(lmtext_compress);
PG_FUNCTION_INFO_V1(lmtext_deploy);
PG_FUNCTION_INFO_V1(lmtext_drop_model);
PG_FUNCTION_INFO_V1(lmtext_grant_model);
PG_FUNCTION_INFO_V1(lmtext_revoke_model);
PG_FUNCTION_INFO_V1(lmtext_export_model);
PG_FUNCTION_INFO_V1(lmtext_describe_model);

/* Values of precision, for messages. */
#define PRECISIONS "fp32, bf16, int8 or auto"

/* Values of tokenizer, likewise. */
#define TOKENIZERS "\"words\" or \"whitespace\""

/* Options of import_model as they are read. */
typedef struct import_options {
    int64 max_tokens;
    char *precision; /* NULL: fp32 */
    char *task;      /* NULL: what the files say */
    char *licence;   /* in the database's encoding */
    /* Of word vectors alone; 0, LM_LOWERCASE_AS_FILE, NULL: not given. */
    int64_t limit;
    unsigned char lowercase;
    char *tokenizer;
} import_options;

/* What of them is for word vectors. */
typedef struct word_options {
    lm_word_options options;
    const char *given; /* the key of one of them; NULL: none */
} word_options;

static const lm_option option_table[] = {
    LM_OPTION(import_options, max_tokens, INT, 1, INT_MAX, "a whole number of at least 1"),
    LM_OPTION(import_options, precision, TEXT, 0, 0, PRECISIONS),
    LM_OPTION(import_options, task, TEXT, 0, 0, "a task of lmtext.families"),
    LM_OPTION(import_options, licence, TEXT, 0, 0, "a string"),
    LM_OPTION(import_options, limit, INT, 1, LM_WORDS_MOST, "a whole number from 1 to 4000000"),
    LM_OPTION(import_options, lowercase, BOOL, 0, 0, "true or false"),
    LM_OPTION(import_options, tokenizer, TEXT, 0, 0, TOKENIZERS),
};

/* Of add_head: the precision is the base's. */
static const lm_option head_option_table[] = {
    LM_OPTION(import_options, max_tokens, INT, 1, INT_MAX, "a whole number of at least 1"),
    LM_OPTION(import_options, task, TEXT, 0, 0, "a task of lmtext.families"),
    LM_OPTION(import_options, licence, TEXT, 0, 0, "a string"),
};

/* Doing nothing for a NULL would look like success. */
static void
refuse_nulls(FunctionCallInfo fcinfo, int count)
{
    for (int i = 0; i < count; i++)
        if (PG_ARGISNULL(i))
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("argument %d must not be null", i + 1)));
}

/* On a standby nothing is read in vain. */
static void
check_change(FunctionCallInfo fcinfo, const char *function)
{
    PreventCommandIfReadOnly(function);
    refuse_nulls(fcinfo, PG_NARGS());
}

/*
 * "auto" is what this machine computes fastest without calibration: bfloat16 where the level has
 * instructions for it. It is decided once, here, so that a version computes the same on every
 * server that it is restored or replicated to.
 */
static lm_precision
precision_named(const char *name)
{
    lm_precision precision;

    if (strcmp(name, "auto") == 0)
        return lm_kernels_active()->level >= LM_LEVEL_AVX512_BF16 ? LM_PRECISION_BF16
                                                                  : LM_PRECISION_F32;
    if (!lm_precision_find(name, &precision))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("unknown precision \"%s\"", lmtext_clip(name)),
                        errhint("Allowed values: %s.", PRECISIONS)));
    return precision;
}

/* A task that a folder's model may have. */
static bool
is_imported(const lm_task *task)
{
    return (task->needs & LM_CAP_ENCODER) != 0 && !task->borrowed;
}

/* A model is imported for what its files say; another task can be asked for only here. */
static const char *
check_task(const char *name)
{
    const lm_task *task = lm_task_find(name);
    StringInfoData known;

    if (task != NULL && is_imported(task))
        return task->name;
    initStringInfo(&known);
    for (int i = 0; i < LM_TASK_COUNT; i++)
        if (is_imported(&lm_tasks[i]))
            appendStringInfo(&known, "%s%s", known.len > 0 ? ", " : "", lm_tasks[i].name);
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("unknown task \"%s\"", lmtext_clip(name)),
                    errhint("Allowed values: %s.", known.data)));
}

static void
read_task(const char *word, lmtext_version_options *options)
{
    options->task = check_task(word);
    options->task_given = true;
    options->as_embedding = options->task == lm_tasks[LM_TASK_EMBEDDING].name;
}

static void
read_word_options(const import_options *read, word_options *words)
{
    words->options.limit = (uint64_t)read->limit;
    words->options.lowercase = read->lowercase;
    words->options.whitespace =
        read->tokenizer != NULL && strcmp(read->tokenizer, "whitespace") == 0;
    if (read->tokenizer != NULL && !words->options.whitespace &&
        strcmp(read->tokenizer, "words") != 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("option \"tokenizer\" must be %s", TOKENIZERS)));
    words->given = read->limit > 0                           ? "limit"
                   : read->lowercase != LM_LOWERCASE_AS_FILE ? "lowercase"
                   : read->tokenizer != NULL                 ? "tokenizer"
                                                             : NULL;
}

/* Options become UTF-8 here, since a manifest is. */
static void
read_options(Jsonb *json, const lm_option *table, int count, lmtext_version_options *options,
             word_options *words)
{
    import_options read = {.lowercase = LM_LOWERCASE_AS_FILE};

    lmtext_options_read(json, &(lmtext_option_set){table, count, &read}, 1);
    read_word_options(&read, words);
    options->max_tokens = (int)read.max_tokens;
    if (read.precision != NULL)
        options->precision = precision_named(read.precision);
    if (read.task != NULL)
        read_task(read.task, options);
    if (read.licence != NULL) {
        lm_text licence = lmtext_utf8_from_bytes(read.licence, strlen(read.licence));

        options->licence = pnstrdup(licence.bytes, licence.length);
    }
}

/* The name of a file of word vectors or NULL; other models have a tokenizer of their own. */
static const char *
find_words(lmtext_origin *origin, const word_options *options)
{
    const char *file = lmtext_origin_words(origin);

    if (file == NULL && options->given != NULL)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("option \"%s\" is for files of word vectors only", options->given)));
    return file;
}

/*
 * What both forms share; the origin was opened before the options are read, and is cheap. Weights
 * of torch.save and word vectors become safetensors here, and a folder of ColBERT's authors one of
 * pylate: no version has a pickle.
 */
static int
import(FunctionCallInfo fcinfo, lmtext_origin *origin)
{
    lmtext_version_options options = {0};
    word_options words;
    const char *file;
    lm_word_vectors vectors;
    lm_pytorch_files files;
    lm_colbert_files colbert;
    lm_source source, weights;
    lm_arena arena;
    int version;

    read_options(PG_GETARG_JSONB_P(2), option_table, lengthof(option_table), &options, &words);
    file = find_words(origin, &words);
    lm_arena_init(&arena, &origin->call.ctx);
    weights = lm_pytorch_source(&files, &arena, &origin->source);
    source = file != NULL
                 ? lm_word_vectors_source(&vectors, &arena, &origin->source, file, &words.options)
                 : lm_colbert_source(&colbert, &arena, &weights);
    lmtext_version_create(text_to_cstring(PG_GETARG_TEXT_PP(0)), &source, InvalidOid, &options,
                          &version);
    lm_arena_free(&arena);
    lmtext_origin_close(origin);
    return version;
}

/* import_model(name, source, options) */
Datum
lmtext_import_model_directory(PG_FUNCTION_ARGS)
{
    check_change(fcinfo, "lmtext.import_model");
    PG_RETURN_INT32(import(fcinfo, lmtext_origin_directory(text_to_cstring(PG_GETARG_TEXT_PP(1)))));
}

/* import_model(name, files, options) */
Datum
lmtext_import_model_objects(PG_FUNCTION_ARGS)
{
    check_change(fcinfo, "lmtext.import_model");
    PG_RETURN_INT32(import(fcinfo, lmtext_origin_objects(PG_GETARG_JSONB_P(1))));
}

/* add_head(name, base, source, options): the encoder is the base's, stored and loaded once. */
Datum
lmtext_add_head(PG_FUNCTION_ARGS)
{
    lmtext_version_options options = {0};
    word_options words; /* its table has none of them */
    lmtext_origin *origin;
    lm_pytorch_files files;
    lm_source source;
    lm_arena arena;
    int version;

    check_change(fcinfo, "lmtext.add_head");
    origin = lmtext_origin_directory(text_to_cstring(PG_GETARG_TEXT_PP(2)));
    read_options(PG_GETARG_JSONB_P(3), head_option_table, lengthof(head_option_table), &options,
                 &words);
    lm_arena_init(&arena, &origin->call.ctx);
    source = lm_pytorch_source(&files, &arena, &origin->source);
    lmtext_version_add_head(text_to_cstring(PG_GETARG_TEXT_PP(0)), &source,
                            lmtext_catalog_resolve(text_to_cstring(PG_GETARG_TEXT_PP(1))), &options,
                            &version);
    lm_arena_free(&arena);
    lmtext_origin_close(origin);
    PG_RETURN_INT32(version);
}

/* ---- Another precision ---- */

/* The name that the next version of a version's model is made under. */
static char *
next_name(Oid relid)
{
    char model[NAMEDATALEN];
    int version;

    if (!lmtext_catalog_version_of(relid, model, &version))
        elog(ERROR, "model version %u has no name", relid);
    return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), model);
}

/* What the new version takes over from the one that it is made of. */
static void
copy_options(const lmtext_manifest *manifest, lmtext_version_options *options)
{
    const lm_json *licence = lm_json_get(manifest->root, "licence");
    const lm_task *task = lm_task_find(manifest->task);

    options->max_tokens = manifest->max_tokens;
    options->dimensions = lmtext_manifest_dimensions(manifest);
    options->plain_class = !manifest->implied_class;
    options->as_embedding = lmtext_manifest_embeds(manifest);
    options->task = task != NULL ? task->name : NULL;
    options->task_given = lm_json_get(lm_json_get(manifest->root, "options"), "task") != NULL;
    options->stored = true;
    if (licence != NULL && licence->type == LM_JSON_STRING)
        options->licence = pnstrdup(licence->as.string.bytes, licence->as.string.length);
}

static void
refuse_head(Oid relid)
{
    if (OidIsValid(lmtext_catalog_base(relid)))
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("model \"%s\" cannot be quantized: it is a head on another model",
                        lmtext_catalog_display_name(relid)),
                 errhint("Quantize the model that it is built on (column base of lmtext.models), "
                         "and train or add it again on the result.")));
}

/* Its matrices are nowhere in float32. */
static void
refuse_codes(Oid relid, const lmtext_manifest *manifest)
{
    lmtext_call call;

    lmtext_call_init(&call, CurrentMemoryContext);
    lmtext_version_refuse_codes(&call, manifest, lmtext_catalog_display_name(relid));
}

/* Texts to calibrate on; nulls are left out. */
static void
read_calibration(ArrayType *array, lmtext_version_options *options)
{
    lm_text *texts;
    bool *nulls;
    int count, kept = 0;

    if (!lm_precisions[options->precision].coded)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("calibration texts can be given only for precision int8")));
    lmtext_texts_from_array(array, &texts, &nulls, &count);
    for (int i = 0; i < count; i++)
        if (!nulls[i])
            texts[kept++] = texts[i];
    options->calibration = texts;
    options->calibration_count = kept;
}

/* quantize(model, precision, calibration): the version's own files, as they were imported. */
Datum
lmtext_quantize(PG_FUNCTION_ARGS)
{
    lmtext_version_options options = {0};
    lmtext_manifest *manifest;
    lmtext_chunks *chunks;
    lm_source source;
    int version;
    char *name;
    Oid relid;

    PreventCommandIfReadOnly("lmtext.quantize");
    refuse_nulls(fcinfo, 2);
    options.precision = precision_named(text_to_cstring(PG_GETARG_TEXT_PP(1)));
    if (!PG_ARGISNULL(2))
        read_calibration(PG_GETARG_ARRAYTYPE_P(2), &options);
    relid = lmtext_catalog_resolve(text_to_cstring(PG_GETARG_TEXT_PP(0)));
    lmtext_catalog_check_use(relid);
    refuse_head(relid);
    name = next_name(relid);
    lmtext_version_check_name(name);
    manifest = lmtext_manifest_read(relid);
    refuse_codes(relid, manifest);
    copy_options(manifest, &options);
    chunks = lmtext_chunks_open(relid, manifest, &source);
    lmtext_version_create(name, &source, InvalidOid, &options, &version);
    lmtext_chunks_verify_and_close(chunks);
    PG_RETURN_INT32(version);
}

/* There are no options yet but those of every model that is made of another's files. */
static const lm_option compress_option_table[] = {
    LM_OPTION(import_options, max_tokens, INT, 1, INT_MAX, "a whole number of at least 1"),
    LM_OPTION(import_options, licence, TEXT, 0, 0, "a string"),
};

/* Of an int8 version, or of one that becomes int8 first; what the codes stand for stays. */
static void
compress(const char *name, Oid relid, const lmtext_manifest *manifest,
         lmtext_version_options *options)
{
    lm_source source;
    lmtext_chunks *chunks = lmtext_chunks_open(relid, manifest, &source);
    int version;

    options->precision = LM_PRECISION_INT8;
    options->compressed = true;
    options->metrics = lmtext_version_fidelity(manifest);
    lmtext_version_create(name, &source, InvalidOid, options, &version);
    lmtext_chunks_verify_and_close(chunks);
}

/* compress(new, model, options): the new version has its files, so who calls may have them. */
Datum
lmtext_compress(PG_FUNCTION_ARGS)
{
    lmtext_version_options given = {0}, options = {0};
    lmtext_manifest *manifest;
    word_options words;
    char *name;
    Oid relid;

    check_change(fcinfo, "lmtext.compress");
    name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    read_options(PG_GETARG_JSONB_P(2), compress_option_table, lengthof(compress_option_table),
                 &given, &words);
    relid = lmtext_catalog_resolve(text_to_cstring(PG_GETARG_TEXT_PP(1)));
    lmtext_catalog_check_use(relid);
    lmtext_version_check_export(relid);
    refuse_head(relid);
    lmtext_version_check_name(name);
    manifest = lmtext_manifest_read(relid);
    refuse_codes(relid, manifest);
    copy_options(manifest, &options);
    if (given.max_tokens > 0)
        options.max_tokens = given.max_tokens;
    if (given.licence != NULL)
        options.licence = given.licence;
    compress(name, relid, manifest, &options);
    PG_RETURN_VOID();
}

/* ---- Changes ---- */

/* deploy(name, version) */
Datum
lmtext_deploy(PG_FUNCTION_ARGS)
{
    check_change(fcinfo, "lmtext.deploy");
    lmtext_version_deploy(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_INT32(1));
    PG_RETURN_VOID();
}

/* drop_model(model) */
Datum
lmtext_drop_model(PG_FUNCTION_ARGS)
{
    check_change(fcinfo, "lmtext.drop_model");
    lmtext_version_drop(text_to_cstring(PG_GETARG_TEXT_PP(0)));
    lmtext_cache_retire_orphans();
    PG_RETURN_VOID();
}

/* grant_model(model, role, privilege) */
Datum
lmtext_grant_model(PG_FUNCTION_ARGS)
{
    check_change(fcinfo, "lmtext.grant_model");
    lmtext_catalog_grant(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_OID(1),
                         text_to_cstring(PG_GETARG_TEXT_PP(2)));
    PG_RETURN_VOID();
}

/* revoke_model(model, role, privilege) */
Datum
lmtext_revoke_model(PG_FUNCTION_ARGS)
{
    check_change(fcinfo, "lmtext.revoke_model");
    lmtext_catalog_revoke(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_OID(1),
                          text_to_cstring(PG_GETARG_TEXT_PP(2)));
    PG_RETURN_VOID();
}

/* export_model(model, directory) */
Datum
lmtext_export_model(PG_FUNCTION_ARGS)
{
    refuse_nulls(fcinfo, PG_NARGS());
    lmtext_version_export(lmtext_catalog_resolve(text_to_cstring(PG_GETARG_TEXT_PP(0))),
                          text_to_cstring(PG_GETARG_TEXT_PP(1)));
    PG_RETURN_VOID();
}

/* ---- Description ---- */

/* Columns of lmtext_internal.describe_model, in order. */
enum {
    COLUMN_NAME,
    COLUMN_VERSION,
    COLUMN_DEPLOYED,
    COLUMN_FAMILY,
    COLUMN_TASK,
    COLUMN_PRECISION,
    COLUMN_DIMENSIONS,
    COLUMN_MAX_TOKENS,
    COLUMN_PARAMETERS,
    COLUMN_BYTES,
    COLUMN_SHA256,
    COLUMN_LABELS,
    COLUMN_LICENCE,
    COLUMN_BASE,
    COLUMN_CREATED_AT,
    COLUMN_METRICS,
    COLUMN_STATUS, /* last: objects of earlier versions of the extension do not have it */
    COLUMN_COUNT
};

typedef struct description {
    Datum values[COLUMN_COUNT];
    bool nulls[COLUMN_COUNT];
} description;

/*
 * Set a column; all begin as NULL. The list must not fail by what an owner wrote into a table, so
 * values are checked on the way here, and what does not fit stays NULL.
 */
static void
put(description *row, int column, Datum value)
{
    row->values[column] = value;
    row->nulls[column] = false;
}

/* A string of the manifest for a list: shown as far as it can be. */
static char *
json_string(const lm_json *string)
{
    return lmtext_cstring_lossy(string->as.string.bytes, string->as.string.length);
}

/* What is no string among the labels is left out. */
static void
put_labels(description *row, const lm_json *labels)
{
    Datum *texts;
    int count = 0;

    if (labels == NULL || labels->type != LM_JSON_ARRAY || labels->as.items.count == 0)
        return;
    texts = palloc_extended(labels->as.items.count * sizeof(Datum), MCXT_ALLOC_HUGE);
    for (const lm_json *label = labels->as.items.first; label != NULL; label = label->next)
        if (label->type == LM_JSON_STRING)
            texts[count++] = CStringGetTextDatum(json_string(label));
    put(row, COLUMN_LABELS,
        PointerGetDatum(construct_array(texts, count, TEXTOID, -1, false, TYPALIGN_INT)));
}

/* JSON in the database's encoding, built anew so that the parser of jsonb cannot refuse it. */
static void
append_json(StringInfo out, const lm_json *json)
{
    char close = json->type == LM_JSON_ARRAY ? ']' : '}';

    check_stack_depth();
    if (json->type == LM_JSON_NULL)
        appendStringInfoString(out, "null");
    else if (json->type == LM_JSON_BOOL)
        appendStringInfoString(out, json->boolean ? "true" : "false");
    else if (json->type == LM_JSON_NUMBER && json->is_integer)
        appendStringInfo(out, INT64_FORMAT, json->integer);
    else if (json->type == LM_JSON_NUMBER)
        appendStringInfoString(out, double_to_shortest_decimal(json->as.number));
    else if (json->type == LM_JSON_STRING)
        escape_json(out, json_string(json));
    else {
        appendStringInfoChar(out, json->type == LM_JSON_ARRAY ? '[' : '{');
        for (const lm_json *item = json->as.items.first; item != NULL; item = item->next) {
            if (item != json->as.items.first)
                appendStringInfoChar(out, ',');
            if (json->type == LM_JSON_OBJECT) {
                escape_json(out, lmtext_cstring_lossy(item->key, item->key_length));
                appendStringInfoChar(out, ':');
            }
            append_json(out, item);
        }
        appendStringInfoChar(out, close);
    }
}

/* An object or nothing. */
static void
put_metrics(description *row, const lm_json *metrics)
{
    StringInfoData text;

    if (metrics == NULL || metrics->type != LM_JSON_OBJECT)
        return;
    initStringInfo(&text);
    append_json(&text, metrics);
    put(row, COLUMN_METRICS, DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data)));
}

/* "2026-01-31T23:59:59Z"; anything else is not shown. */
static void
put_time(description *row, const lm_json *time)
{
    struct pg_tm parts = {0};
    Timestamp result;

    if (time == NULL || time->type != LM_JSON_STRING ||
        sscanf(time->as.string.bytes, "%4d-%2d-%2dT%2d:%2d:%2dZ", &parts.tm_year, &parts.tm_mon,
               &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec) != 6)
        return;
    if (ValidateDate(DTK_DATE_M, false, false, false, &parts) == 0 && parts.tm_hour < 24 &&
        parts.tm_min < 60 && parts.tm_sec < 60 && tm2timestamp(&parts, 0, NULL, &result) == 0)
        put(row, COLUMN_CREATED_AT, TimestampTzGetDatum(result));
}

/* What the table's name says, whatever the manifest holds. */
static void
put_name(description *row, Oid relid, const char *relation)
{
    char model[NAMEDATALEN];
    bool deployed = false, known = true;
    int version;

    if (lmtext_catalog_version_of(relid, model, &version)) {
        known = lmtext_catalog_peek_deployed(relid, model, version, &deployed);
        put(row, COLUMN_VERSION, Int32GetDatum(version));
        relation = model;
    }
    put(row, COLUMN_NAME, CStringGetTextDatum(relation));
    if (known)
        put(row, COLUMN_DEPLOYED, BoolGetDatum(deployed));
}

/* Of a model without an embedding, or without a window, the manifest says 0. */
static void
put_size(description *row, int column, int size)
{
    if (size > 0)
        put(row, column, Int32GetDatum(size));
}

/* The columns that a manifest fills. */
static void
put_manifest(description *row, const lmtext_manifest *manifest)
{
    const lm_json *licence = lm_json_get(manifest->root, "licence");
    char hex[2 * LMTEXT_DIGEST_BYTES + 1];

    for (int i = 0; i < LMTEXT_DIGEST_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", manifest->digest.bytes[i]);
    put(row, COLUMN_FAMILY, CStringGetTextDatum(manifest->family));
    put(row, COLUMN_TASK, CStringGetTextDatum(manifest->task));
    if (manifest->dimensions > 0) /* counts of words have none */
        put(row, COLUMN_PRECISION, CStringGetTextDatum(lm_precision_name(manifest->precision)));
    put_size(row, COLUMN_DIMENSIONS, manifest->dimensions);
    put_size(row, COLUMN_MAX_TOKENS, manifest->max_tokens);
    put(row, COLUMN_PARAMETERS, Int64GetDatum(manifest->parameters));
    put(row, COLUMN_BYTES, Int64GetDatum(manifest->bytes));
    put(row, COLUMN_SHA256, CStringGetTextDatum(hex));
    put_labels(row, lm_json_get(manifest->root, "labels"));
    if (licence != NULL && licence->type == LM_JSON_STRING)
        put(row, COLUMN_LICENCE, CStringGetTextDatum(json_string(licence)));
    put_time(row, lm_json_get(manifest->root, "created_at"));
    put_metrics(row, lm_json_get(manifest->root, "metrics"));
}

/* The column status, by lmtext_peek. */
static const char *const status_names[] = {
    [LMTEXT_PEEK_READ] = "ready",      [LMTEXT_PEEK_BUSY] = "busy",
    [LMTEXT_PEEK_GONE] = "dropped",    [LMTEXT_PEEK_NONE] = "incomplete",
    [LMTEXT_PEEK_DAMAGED] = "damaged",
};

/* One row; no row where the version is gone, the table is no version, or the caller may not use it.
 */
Datum
lmtext_describe_model(PG_FUNCTION_ARGS)
{
    Oid relid = PG_GETARG_OID(0);
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
    char *relation = get_rel_name(relid);
    lmtext_manifest *manifest;
    Oid base = InvalidOid;
    lmtext_peek outcome;
    description row;

    InitMaterializedSRF(fcinfo, 0);
    if (relation == NULL || !lmtext_catalog_is_model(relid) ||
        !lmtext_catalog_may_use(relid, GetUserId()))
        PG_RETURN_VOID();
    memset(row.nulls, true, sizeof(row.nulls));
    put_name(&row, relid, relation);
    manifest = lmtext_manifest_peek(relid, &base, &outcome);
    if (manifest != NULL)
        put_manifest(&row, manifest);
    if (OidIsValid(base))
        put(&row, COLUMN_BASE, ObjectIdGetDatum(base));
    put(&row, COLUMN_STATUS, CStringGetTextDatum(status_names[outcome]));
    tuplestore_putvalues(result->setResult, result->setDesc, row.values, row.nulls);
    PG_RETURN_VOID();
}
