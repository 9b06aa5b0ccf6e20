/*
 * train.c - lmtext.train: a model from the rows of a query, stored as a new version. How it learns
 * is the engine's table of methods (train/methods.h): a row says which columns the query has, which
 * options there are, and what comes of it.
 *
 * Phases: check all arguments; read the query in batches, of which texts are embedded at once where
 * the method learns from a base's vectors (a query may also yield vectors that are stored already),
 * or are kept in a file, until the method says which of them it wants embedded;
 * ask the oracle that a filter learns from; fit; store. All in the caller's transaction, so that it
 * commits or vanishes whole. Each phase reports its progress, which other sessions see; an abort
 * marks it failed without our help.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "base/hash.h"
#include "pg/fn/checkpoint.h"
#include "pg/fn/embedders.h"
#include "pg/fn/query.h"
#include "pg/fn/training.h"
#include "pg/glue/options.h"
#include "pg/glue/tell.h"
#include "pg/version/version.h"

#define PROCEDURE "lmtext.train"
#define MAX_BATCH_ROWS 65536

static const lm_option option_table[] = {
    LM_OPTION(train_options, task, TEXT, 0, 0, "a string"),
    LM_OPTION(train_options, method, TEXT, 0, 0, "a string"),
    LM_OPTION(train_options, base, TEXT, 0, 0, "the name of a model"),
    LM_OPTION(train_options, batch_rows, INT, 1, MAX_BATCH_ROWS, "a whole number from 1 to 65536"),
};

/* Of methods that learn from a base's vectors. */
static const lm_option embedding_table[] = {
    LM_OPTION(train_options, workers, INT, 0, LMTEXT_EMBEDDERS_MAX, "a whole number from 0 to 32"),
};

/* Rows of a batch in which nothing is null, as the method takes them. */
typedef struct train_batch {
    lm_text *texts[LM_TRAIN_COLUMNS_MAX]; /* by column, and so on */
    lm_train_words *words[LM_TRAIN_COLUMNS_MAX];
    double *numbers[LM_TRAIN_COLUMNS_MAX];
    float *vectors;    /* (rows, width) of the input */
    lm_text *to_embed; /* texts of the input without a vector */
    int count, embed_count;
} train_batch;

LMTEXT_ENTRY(lmtext_train, .name = "train");

static void read_arguments(FunctionCallInfo fcinfo, training *t);
static void read_checkpoint(training *t);
static lm_status keep_checkpoint(void *opaque, lm_context *ctx, int64_t step,
                                 const lm_buffer *bytes);
static void add_batch(training *t, const lmtext_query_row *rows, int count, train_batch *batch);
static void ask_oracle(training *t);
static void fit(training *t);
static char *metrics_json(const training *t, const lm_train_outcome *outcome, const char *more);
static void add_value(StringInfo json, const lm_train_value *value);
static void add_number(StringInfo json, const char *key, double value);
static void add_trials(StringInfo json, const char *key, const lm_train_trial *trials, int count);
static lm_status stat_file(lm_context *ctx, void *opaque, const char *name, bool *found,
                           uint64_t *size);
static lm_status read_file(lm_context *ctx, void *opaque, const char *name, uint64_t offset,
                           void *dest, size_t length);
static double seconds_since(instr_time start);

static Datum
lmtext_train_call(PG_FUNCTION_ARGS)
{
    training t = {.procedure = PROCEDURE};
    lm_train_outcome outcome;
    int version;
    bool told;

    read_arguments(fcinfo, &t);
    told = lmtext_tell_begin(t.name);
    t.run = lmtext_progress_begin(t.name);
    SPI_connect_ext(t.keeps ? SPI_OPT_NONATOMIC : 0);
    t.memory = CurrentMemoryContext;
    training_start(&t);
    training_read_rows(&t, text_to_cstring(PG_GETARG_TEXT_PP(1)));
    LMTEXT_FAULT_POINT("train_read");
    training_check_rows(&t);
    if (t.oracle != NULL)
        ask_oracle(&t);
    if (t.resumes)
        read_checkpoint(&t);
    fit(&t);
    LMTEXT_FAULT_POINT("train_fitted");
    training_report_phase(&t, "storing");
    lmtext_check(&t.call, t.method->write(t.state, &outcome), t.name);
    version = training_store(&t, &outcome, NULL);
    t.method->close(t.state);
    if (t.keeps || t.resumes)
        lmtext_checkpoints_drop(&t.checkpoints);
    LMTEXT_FAULT_POINT("train_stored");
    training_report_phase(&t, "done");
    lmtext_progress_end(t.run);
    lmtext_tell_end(told);
    LMTEXT_FAULT_POINT("train_reported");
    training_notice(&t, version, &outcome);
    SPI_finish();
    PG_RETURN_VOID();
}

/* The procedure is not STRICT: a NULL would look like a training that was done. */
static void
refuse_nulls(FunctionCallInfo fcinfo)
{
    static const char *const names[] = {"name", "query", "options"};

    for (int i = 0; i < lengthof(names); i++)
        if (PG_ARGISNULL(i))
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("argument %s of %s must not be null", names[i], PROCEDURE)));
}

/* "classification", each once */
static char *
known_tasks(void)
{
    StringInfoData tasks;

    initStringInfo(&tasks);
    for (int i = 0; lm_methods[i] != NULL; i++)
        if (lm_method_find(lm_methods[i]->task, NULL) == lm_methods[i])
            appendStringInfo(&tasks, "%s%s", i > 0 ? ", " : "", lm_methods[i]->task);
    return tasks.data;
}

/* "linear" */
static char *
known_methods(const char *task)
{
    StringInfoData methods;

    initStringInfo(&methods);
    for (int i = 0; lm_methods[i] != NULL; i++)
        if (strcmp(lm_methods[i]->task, task) == 0)
            appendStringInfo(&methods, "%s%s", methods.len > 0 ? ", " : "", lm_methods[i]->name);
    return methods.data;
}

/* Its expression; NULL: there is none. */
static const char *
oracle_of(const training *t)
{
    int64 budget;

    return t->method->oracle(t->method_options, &budget);
}

static bool
takes_base(const lm_method *method)
{
    return method->needs_base || method->base_files;
}

bool
training_wants_base(const training *t)
{
    return takes_base(t->method) && !(t->method->base_optional && t->options.base == NULL);
}

/* After the options were read: an error in a key is reported first. */
static void
check_method(const training *t)
{
    const train_options *options = &t->options;

    if (lm_method_find(options->task, NULL) == NULL)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("%s does not support the task \"%s\"", t->procedure,
                               lmtext_clip(options->task)),
                        errhint("Supported tasks: %s.", known_tasks())));
    if (lm_method_find(options->task, options->method) == NULL)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("%s does not support the method \"%s\" for the task \"%s\"",
                               t->procedure, lmtext_clip(options->method), options->task),
                        errhint("Supported methods: %s.", known_methods(options->task))));
    if (options->base != NULL && !takes_base(t->method))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the method \"%s\" has no base", t->method->name),
                        errhint("Leave out the option base.")));
    if (t->method->oracle != NULL && oracle_of(t) == NULL)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the task \"%s\" needs the option oracle", options->task),
                        errhint("Name an expression that is true or false of a row's text: "
                                "{\"oracle\": \"my.is_refund(text)\"}.")));
}

static bool
has_option(const lm_method *method, const char *key)
{
    int i = 0;

    while (i < method->option_count && strcmp(method->options[i].key, key) != 0)
        i++;
    return i < method->option_count;
}

/* Refused as any option that a method does not have, but with the reason: workers share batches, or
 * embed for a method that learns from vectors. */
static void
refuse_workers(const lm_method *method, Jsonb *json)
{
    JsonbValue room;

    if (method->needs_base || has_option(method, "workers") ||
        getKeyJsonValueFromContainer(&json->root, "workers", strlen("workers"), &room) == NULL)
        return;
    ereport(
        ERROR,
        (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown option \"%s\"", "workers"),
         errdetail(
             "The method \"%s\" has no batches that processes could share, and embeds no texts.",
             method->name),
         errhint(
             "Methods that have the option: finetune, distill, prune, layers, and those that learn "
             "from embeddings.")));
}

/* Which options there are depends on the method, so its name is looked up before. */
void
training_read_options(training *t, Jsonb *json)
{
    char *task = lmtext_options_word(json, "task");

    t->options = (train_options){.task = "classification", .batch_rows = 1024};
    t->method =
        lm_method_find(task != NULL ? task : t->options.task, lmtext_options_word(json, "method"));
    if (t->method == NULL)
        t->method = lm_methods[0];
    t->method_options = palloc0(t->method->options_size);
    t->method->defaults(t->method_options);
    if (JB_ROOT_IS_OBJECT(json))
        refuse_workers(t->method, json);
    lmtext_options_read(
        json,
        (lmtext_option_set[]){{option_table, lengthof(option_table), &t->options},
                              {t->method->options, t->method->option_count, t->method_options},
                              {embedding_table, lengthof(embedding_table), &t->options}},
        t->method->needs_base ? 3 : 2);
    check_method(t);
}

/* Whether the procedure may commit: not in a transaction block, and not below a function. */
static bool
may_commit(FunctionCallInfo fcinfo)
{
    return fcinfo->context != NULL && IsA(fcinfo->context, CallContext) &&
           !castNode(CallContext, fcinfo->context)->atomic;
}

static void
plan_checkpoints(FunctionCallInfo fcinfo, training *t)
{
    if (t->method->checkpoints == NULL)
        return;
    t->keeps = t->method->checkpoints(t->method_options, &t->resumes) > 0;
    if (t->keeps && !may_commit(fcinfo))
        ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
                        errmsg("%s cannot keep checkpoints inside a transaction block", PROCEDURE),
                        errdetail("Each checkpoint is committed."),
                        errhint("CALL it outside of transaction blocks and functions, or leave out "
                                "the option checkpoint_steps.")));
    if (t->keeps || t->resumes)
        lmtext_checkpoints_open(&t->checkpoints, t->name);
}

/* What a checkpoint depends on beside its rows: the base, and all options but those of the run. */
static void
hash_settings(training *t, Jsonb *options)
{
    static const char *const others[] = {"resume", "checkpoint_steps", "log_steps"};
    Datum rest = JsonbPGetDatum(options);
    char *json;

    for (int i = 0; i < lengthof(others); i++)
        rest = DirectFunctionCall2(jsonb_delete, rest, CStringGetTextDatum(others[i]));
    json = JsonbToCString(NULL, &DatumGetJsonbP(rest)->root, VARSIZE(DatumGetJsonbP(rest)));
    t->rows_hash = lm_hash_bytes(json, strlen(json), t->rows_hash);
    if (t->base != NULL)
        t->rows_hash = lm_hash_bytes(lmtext_manifest_read(t->base->relid)->digest.bytes,
                                     LMTEXT_DIGEST_BYTES, t->rows_hash);
}

/* All that can be wrong is found before the first row is read. */
static void
read_arguments(FunctionCallInfo fcinfo, training *t)
{
    refuse_nulls(fcinfo);
    PreventCommandIfReadOnly(PROCEDURE);
    t->name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    training_read_options(t, PG_GETARG_JSONB_P(2));
    lmtext_version_check_name(t->name);
    plan_checkpoints(fcinfo, t);
    if (training_wants_base(t))
        training_choose_base(fcinfo, t);
    if (t->keeps || t->resumes)
        hash_settings(t, PG_GETARG_JSONB_P(2));
}

void
training_choose_base(FunctionCallInfo fcinfo, training *t)
{
    t->base = t->options.base != NULL ? lmtext_named_model(fcinfo, t->options.base)
                                      : lmtext_default_model(fcinfo, "embedding");
    t->on_long = lmtext_on_long();
    if (t->method->base_files)
        lmtext_version_check_export(t->base->relid);
    else if (lm_model_head(&t->base->model) != NULL)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("model \"%s\" cannot be a base, because it is itself a classifier",
                               t->base->name),
                        lm_model_needs_base(&t->base->model)
                            ? errhint("Name the model that it was trained on.")
                            : errhint("Import its files once more with the option {\"task\": "
                                      "\"embedding\"}, and name that model.")));
}

/* The method takes what it wants of the base's files; all are checked against their hashes. */
void
training_read_base(training *t)
{
    const lmtext_manifest *manifest;
    const char **names;
    lm_train_base base = {0};
    lmtext_chunks *chunks;
    lm_source source;

    if (!t->method->base_files || t->base == NULL)
        return;
    manifest = lmtext_manifest_read(t->base->relid);
    names = palloc(Max(manifest->file_count, 1) * sizeof *names);
    chunks = lmtext_chunks_open(t->base->relid, manifest, &source);
    base = (lm_train_base){.name = t->base->name,
                           .source = &source,
                           .files = names,
                           .file_count = manifest->file_count,
                           .model = &t->base->model};
    for (int i = 0; i < manifest->file_count; i++)
        names[i] = manifest->files[i].name;
    lmtext_check(&t->call, t->method->read_base(t->state, &base), t->name);
    lmtext_chunks_verify_and_close(chunks);
}

/* What it allocates goes with the call's memory context. */
void
training_start(training *t)
{
    const lm_method *method = t->method;

    lmtext_call_init(&t->call, t->memory);
    if (!t->keeps) /* a commit would take the files */
        lmtext_call_keep_within(&t->call, maintenance_work_mem);
    t->column_table = method->columns;
    t->column_count = method->column_count;
    if (method->columns_for != NULL)
        t->column_table = method->columns_for(t->method_options, &t->column_count);
    if (method->needs_base) {
        lm_embed_options options;

        lmtext_embed_defaults(&options, LM_LONG_TRUNCATE);
        t->width = lmtext_embed_width(t->base, &options);
    }
    lmtext_check(&t->call, method->open(&t->call.ctx, t->method_options, t->width, &t->state),
                 t->name);
    if (method->oracle != NULL)
        t->oracle = lmtext_oracle_open(method->oracle(t->method_options, &t->budget));
    training_read_base(t);
}

/* The engine's columns, as a query is read. */
static const lmtext_column *
query_columns(const training *t)
{
    static const lmtext_column_kind kinds[] = {
        [LM_TRAIN_INPUT] = LMTEXT_COLUMN_INPUT,   [LM_TRAIN_LABEL] = LMTEXT_COLUMN_LABEL,
        [LM_TRAIN_TEXT] = LMTEXT_COLUMN_TEXT,     [LM_TRAIN_BOTH] = LMTEXT_COLUMN_TEXT,
        [LM_TRAIN_VECTOR] = LMTEXT_COLUMN_VECTOR, [LM_TRAIN_WORDS] = LMTEXT_COLUMN_TEXTS,
        [LM_TRAIN_NUMBER] = LMTEXT_COLUMN_NUMBER,
    };
    lmtext_column *columns = palloc(t->column_count * sizeof *columns);

    for (int i = 0; i < t->column_count; i++)
        columns[i] = (lmtext_column){t->column_table[i].role, kinds[t->column_table[i].kind],
                                     t->column_table[i].optional};
    return columns;
}

/* Room for a batch, used again by each. */
static void
make_batch(const training *t, int limit, train_batch *batch)
{
    batch->to_embed = palloc(limit * sizeof(lm_text));
    for (int i = 0; i < t->column_count; i++)
        if (t->column_table[i].kind == LM_TRAIN_WORDS)
            batch->words[i] = palloc(limit * sizeof(lm_train_words));
        else if (t->column_table[i].kind == LM_TRAIN_NUMBER)
            batch->numbers[i] = palloc(limit * sizeof(double));
        else
            batch->texts[i] = palloc(limit * sizeof(lm_text));
    batch->vectors = MemoryContextAllocHuge(
        t->memory, mul_size(mul_size(limit, Max(t->width, 1)), sizeof(float)));
}

/* ---- Texts that wait to be embedded ---- */

/* Only where no keeper wants rows that are complete. */
static void
open_texts(training *t)
{
    t->defers = t->method->wanted_rows != NULL && t->keep_rows == NULL &&
                t->column_table[t->columns - 1].kind != LM_TRAIN_VECTOR;
    if (!t->defers)
        return;
    t->text_row = CreateTemplateTupleDesc(1);
    TupleDescInitEntry(t->text_row, 1, "text", BYTEAOID, -1, 0);
    t->texts = tuplestore_begin_heap(false, false, work_mem);
}

static void
keep_texts(training *t, const train_batch *batch)
{
    bool isnull = false;

    for (int i = 0; i < batch->embed_count; i++) {
        const lm_text text = batch->to_embed[i];
        bytea *copy = palloc(VARHDRSZ + text.length);
        Datum value = PointerGetDatum(copy);

        SET_VARSIZE(copy, VARHDRSZ + text.length);
        memcpy(VARDATA(copy), text.bytes, text.length);
        tuplestore_putvalues(t->texts, t->text_row, &value, &isnull);
        pfree(copy);
    }
}

static void
embed_texts(const training *t, const lm_text *texts, int count, float *vectors)
{
    lm_embed_options options;

    lmtext_embed_defaults(&options, t->on_long);
    lmtext_embed_together(t->base, texts, (size_t)count, &options, (int)t->options.workers,
                          vectors);
}

/* The texts of `rows`, from where the store stands; row *next is the next one there. */
static void
fetch_texts(training *t, TupleTableSlot *slot, const size_t *rows, int count, size_t *next,
            lm_text *texts)
{
    for (int i = 0; i < count; i++) {
        bytea *value;
        bool isnull;

        for (; *next < rows[i]; (*next)++)
            if (!tuplestore_skiptuples(t->texts, 1, true))
                elog(ERROR, "a text of the training is missing");
        if (!tuplestore_gettupleslot(t->texts, true, false, slot))
            elog(ERROR, "a text of the training is missing");
        (*next)++;
        value = DatumGetByteaPCopy(slot_getattr(slot, 1, &isnull));
        texts[i] = (lm_text){VARDATA(value), VARSIZE(value) - VARHDRSZ};
    }
}

/* A round: rows that ascend, batch by batch. */
static void
embed_round(training *t, const size_t *rows, size_t count, MemoryContext memory, float *vectors)
{
    TupleTableSlot *slot = MakeSingleTupleTableSlot(t->text_row, &TTSOpsMinimalTuple);
    const int limit = (int)t->options.batch_rows;
    MemoryContext caller = MemoryContextSwitchTo(memory);
    size_t next = 0;

    tuplestore_rescan(t->texts);
    for (size_t done = 0; done < count; done += limit) {
        const int batch = (int)Min((size_t)limit, count - done);
        lm_text *texts = palloc(batch * sizeof *texts);

        fetch_texts(t, slot, rows + done, batch, &next, texts);
        embed_texts(t, texts, batch, vectors);
        lmtext_check(&t->call, t->method->add_vectors(t->state, vectors, batch), t->name);
        t->progress.done += batch;
        lmtext_progress_update(t->run, &t->progress);
        lmtext_tell_progress((double)(done + batch), (double)count);
        lmtext_tell_now();
        MemoryContextReset(memory);
    }
    MemoryContextSwitchTo(caller);
    ExecDropSingleTupleTableSlot(slot);
}

/* The method says round by round which rows it wants the vectors of, and how long those so far
 * took. */
static void
embed_wanted(training *t, MemoryContext memory, float *vectors)
{
    double seconds = 0;
    const char *hint;
    const size_t *rows;
    size_t count;

    if (!t->defers || t->rows == 0 || t->method->lacking(t->state, &hint) != NULL)
        return;
    training_report_phase(t, "embedding");
    t->progress.done = 0;
    for (;;) {
        instr_time start;

        lmtext_check(&t->call, t->method->wanted_rows(t->state, seconds, &rows, &count), t->name);
        if (count == 0)
            break;
        lmtext_tell_phase(&(lmtext_phase){"embedded", "rows", .total = (double)count});
        INSTR_TIME_SET_CURRENT(start);
        embed_round(t, rows, count, memory, vectors);
        seconds += seconds_since(start);
    }
    tuplestore_end(t->texts);
    t->texts = NULL;
}

/* Read all rows, a batch at a time. */
void
training_read_rows(training *t, const char *query)
{
    MemoryContext memory = AllocSetContextCreate(t->memory, "lmtext batch", ALLOCSET_DEFAULT_SIZES);
    int limit = (int)t->options.batch_rows, count;
    lmtext_query_row *rows = MemoryContextAllocHuge(t->memory, limit * sizeof(*rows));
    train_batch batch = {0};
    lmtext_query reader;
    instr_time start;
    bool embeds;

    INSTR_TIME_SET_CURRENT(start);
    make_batch(t, limit, &batch);
    lmtext_query_open(&reader, t->procedure, query, query_columns(t), t->column_count);
    t->columns = reader.column_count;
    open_texts(t);
    embeds = t->width > 0 && !t->defers;
    training_report_phase(t, embeds ? "embedding" : "reading");
    lmtext_tell_phase(
        &(lmtext_phase){embeds ? "embedded" : "read", "rows", reader.expected, "about "});
    MemoryContextSwitchTo(memory);
    while ((count = lmtext_query_fetch(&reader, limit, rows)) > 0) {
        add_batch(t, rows, count, &batch);
        MemoryContextReset(memory);
        t->progress.done = t->rows;
        lmtext_tell_progress((double)(t->rows + t->skipped), 0);
        lmtext_tell_now();
        lmtext_progress_update(t->run, &t->progress);
        LMTEXT_FAULT_POINT("train_batch");
    }
    MemoryContextSwitchTo(t->memory);
    lmtext_query_close(&reader);
    embed_wanted(t, memory, batch.vectors);
    MemoryContextDelete(memory);
    t->progress.total = t->rows;
    t->read_seconds = seconds_since(start);
}

/* A stored embedding: that it is the base's can only be told from its width. */
static void
take_vector(const training *t, ArrayType *vector, float *out)
{
    int width;
    const float *values = lmtext_floats_from_array(vector, &width);

    if (width != t->width)
        ereport(ERROR,
                (errcode(ERRCODE_DATA_EXCEPTION),
                 errmsg("the query of %s returned a vector of %d dimensions", t->procedure, width),
                 errdetail("The embedding of model \"%s\" has %d.", t->base->name, t->width)));
    for (int i = 0; i < width; i++)
        if (!isfinite(values[i]))
            ereport(ERROR,
                    (errcode(ERRCODE_DATA_EXCEPTION),
                     errmsg("the query of %s returned a vector that is not finite", t->procedure)));
    memcpy(out, values, width * sizeof(float));
}

/* False where a column is null. */
static bool
is_whole(const training *t, const lmtext_query_row *row)
{
    for (int i = 0; i < t->columns; i++) {
        const lmtext_query_field *field = &row->fields[i];
        const lm_train_kind kind = t->column_table[i].kind;

        if (kind == LM_TRAIN_WORDS || kind == LM_TRAIN_NUMBER ? field->value.isnull
                                                              : !field->text && !field->vector)
            return false;
    }
    return true;
}

/* Does the base make vectors of the column? Not where the last one has them. */
static bool
is_embedded(const training *t, int column)
{
    const lm_train_column *columns = t->column_table;

    return columns[column].kind == LM_TRAIN_INPUT ||
           (columns[column].kind == LM_TRAIN_BOTH &&
            columns[t->columns - 1].kind != LM_TRAIN_VECTOR);
}

/* An array, which may be empty, as words. */
static void
take_words(const training *t, int column, Datum value, lm_train_words *taken)
{
    lm_text *words;
    bool *nulls;
    int count;

    lmtext_texts_from_array(DatumGetArrayTypeP(value), &words, &nulls, &count);
    for (int i = 0; i < count; i++)
        if (nulls[i])
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("the query of %s returned an array with a null, the %s",
                                   PROCEDURE, t->column_table[column].role)));
    *taken = (lm_train_words){words, count};
}

static double
take_number(const training *t, int column, Datum value)
{
    const double number = DatumGetFloat8(value);

    if (!isfinite(number))
        ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
                        errmsg("the query of %s returned a number that is not finite, the %s",
                               PROCEDURE, t->column_table[column].role)));
    return number;
}

/* A text; one of the input waits to be embedded. */
static void
take_text(const training *t, int column, const char *text, train_batch *batch)
{
    batch->texts[column][batch->count] = lmtext_utf8_from_bytes(text, strlen(text));
    if (is_embedded(t, column))
        batch->to_embed[batch->embed_count++] = batch->texts[column][batch->count];
}

/* A row behind those of the batch. */
static void
take_row(const training *t, const lmtext_query_row *row, train_batch *batch)
{
    for (int i = 0; i < t->columns; i++) {
        const lmtext_query_field *field = &row->fields[i];

        if (batch->words[i] != NULL)
            take_words(t, i, field->value.value, &batch->words[i][batch->count]);
        else if (batch->numbers[i] != NULL)
            batch->numbers[i][batch->count] = take_number(t, i, field->value.value);
        else if (field->vector != NULL)
            take_vector(t, field->vector, batch->vectors + (Size)batch->count * t->width);
        else
            take_text(t, i, field->text, batch);
    }
    batch->count++;
}

static void
hash_texts(training *t, const lm_text *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        t->rows_hash = lm_hash_bytes(texts[i].bytes, texts[i].length, t->rows_hash);
}

/* So that a resumed run is known to see the rows that the first one saw. */
static void
hash_rows(training *t, const lm_train_rows *rows)
{
    for (int column = 0; column < t->columns; column++) {
        if (rows->texts[column] != NULL)
            hash_texts(t, rows->texts[column], rows->count);
        if (rows->numbers[column] != NULL)
            t->rows_hash =
                lm_hash_bytes(rows->numbers[column], rows->count * sizeof(double), t->rows_hash);
        for (size_t i = 0; rows->words[column] != NULL && i < rows->count; i++)
            hash_texts(t, rows->words[column][i].words, rows->words[column][i].count);
    }
}

/* A column is all vectors or all texts. Rows with a null teach nothing: they are counted. */
static void
add_batch(training *t, const lmtext_query_row *rows, int count, train_batch *batch)
{
    lm_train_rows taken = {.columns = t->columns, .vectors = t->defers ? NULL : batch->vectors};

    batch->count = batch->embed_count = 0;
    for (int i = 0; i < count; i++)
        if (is_whole(t, &rows[i]))
            take_row(t, &rows[i], batch);
    if (t->defers)
        keep_texts(t, batch);
    else if (batch->embed_count > 0)
        embed_texts(t, batch->to_embed, batch->embed_count, batch->vectors);
    taken.count = batch->count;
    for (int i = 0; i < t->columns; i++) {
        taken.texts[i] = batch->texts[i];
        taken.words[i] = batch->words[i];
        taken.numbers[i] = batch->numbers[i];
    }
    if (t->keeps || t->resumes)
        hash_rows(t, &taken);
    if (t->keep_rows != NULL)
        t->keep_rows(t, &taken);
    else
        lmtext_check(&t->call, t->method->add_rows(t->state, &taken), t->name);
    t->rows += batch->count;
    t->skipped += count - batch->count;
}

/* "text or label" */
static char *
column_roles(const training *t)
{
    StringInfoData roles;

    initStringInfo(&roles);
    for (int i = 0; i < t->columns; i++)
        appendStringInfo(&roles, "%s%s", i > 0 ? " or " : "", t->column_table[i].role);
    return roles.data;
}

/* Too few rows, or rows of which nothing can be learnt. */
void
training_check_rows(training *t)
{
    const char *hint = NULL;
    const char *lacking =
        t->rows == 0 ? "returned no rows to train on" : t->method->lacking(t->state, &hint);

    if (lacking != NULL)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the query of %s %s", t->procedure, lacking),
                        errdetail("Of " INT64_FORMAT " rows, " INT64_FORMAT
                                  " were left out because their %s is null.",
                                  t->rows + t->skipped, t->skipped, column_roles(t)),
                        hint != NULL ? errhint("%s", hint) : 0));
}

/* Answers to a round of questions; each is said before the next is asked. */
static void
ask_round(training *t, const lm_text *texts, size_t count, signed char *answers)
{
    for (size_t i = 0; i < count; i++) {
        CHECK_FOR_INTERRUPTS();
        answers[i] = lmtext_oracle_ask(t->oracle, texts[i]);
        t->progress.step++;
        lmtext_progress_update(t->run, &t->progress);
        lmtext_tell_progress(t->progress.step, (double)t->budget);
        lmtext_tell_now();
    }
}

/*
 * The method says which texts it wants answers for, round by round. Only here does a user's code
 * run, never inside the engine: it may throw.
 */
static void
ask_oracle(training *t)
{
    const lm_text *texts;
    size_t count;
    instr_time start;

    INSTR_TIME_SET_CURRENT(start);
    training_report_phase(t, "asking");
    t->progress.max_steps = (int)t->budget;
    lmtext_tell_phase(&(lmtext_phase){"got", "answers", .total = t->budget, .about = "at most "});
    for (;;) {
        signed char *answers;

        lmtext_check(&t->call, t->method->wanted(t->state, &texts, &count), t->name);
        if (count == 0)
            break;
        answers = palloc(count);
        ask_round(t, texts, count, answers);
        t->method->answered(t->state, answers);
        pfree(answers);
        LMTEXT_FAULT_POINT("train_asked");
    }
    t->ask_seconds = seconds_since(start);
}

/* ---- Checkpoints ---- */

/* Without one it starts anew, so that a call may always ask to go on. */
static void
read_checkpoint(training *t)
{
    int64 step;

    lm_buffer_init(&t->resume, &t->call.ctx);
    if (lmtext_checkpoints_read(&t->checkpoints, &t->call, t->rows_hash, &step, &t->resume))
        ereport(NOTICE, (errmsg("the training of model \"%s\" goes on behind step " INT64_FORMAT,
                                t->name, step)));
}

/* Called from inside the engine: what is thrown waits until it has returned. */
static lm_status
keep_checkpoint(void *opaque, lm_context *ctx, int64_t step, const lm_buffer *bytes)
{
    training *t = opaque;
    MemoryContext caller = CurrentMemoryContext;
    volatile lm_status status = LM_OK;

    PG_TRY();
    {
        lmtext_checkpoints_write(&t->checkpoints, step, t->rows_hash, bytes);
        (void)lmtext_tell_begin(t->name); /* the former one went with its transaction */
        lmtext_tell_phase(&(lmtext_phase){"trained", "steps", .about = "at most "});
    }
    PG_CATCH();
    {
        status = lmtext_call_keep_error(&t->call);
    }
    PG_END_TRY();
    MemoryContextSwitchTo(caller);
    return status;
}

/* Called from inside the engine. */
static lm_status
share_batches(void *opaque, lm_context *ctx, const lm_train_shared *shared, float **values,
              lm_team_helpers *helpers)
{
    training *t = opaque;

    return lmtext_team_start(&t->team, &t->call, t->name, shared, values, helpers);
}

/* What other processes have of it goes, however it ends. */
static void
run_fit(training *t, const lm_train_watch *watch)
{
    PG_TRY();
    {
        lmtext_check(&t->call, t->method->fit(t->state, watch), t->name);
    }
    PG_CATCH();
    {
        lmtext_team_close(t->team, false);
        PG_RE_THROW();
    }
    PG_END_TRY();
    lmtext_team_close(t->team, true);
}

/* The fit is one engine call; progress and cancel reach it through callbacks. */
static void
fit(training *t)
{
    const lm_train_watch watch = {.report = training_report_step,
                                  .opaque = t,
                                  .memory = (size_t)maintenance_work_mem * 1024,
                                  .share = share_batches,
                                  .checkpoint = t->keeps ? keep_checkpoint : NULL,
                                  .resume = t->resume.size > 0 ? &t->resume : NULL};
    instr_time start;

    INSTR_TIME_SET_CURRENT(start);
    training_report_phase(t, "training");
    lmtext_tell_phase(&(lmtext_phase){"trained", "steps", .about = "at most "});
    run_fit(t, &watch);
    lm_buffer_free(&t->resume);
    t->train_seconds = seconds_since(start);
}

/* A figure of a step; NaN where the method has none of that name. */
static double
value_named(const lm_train_progress *step, const char *name)
{
    for (int i = 0; i < step->value_count; i++)
        if (strcmp(step->values[i].name, name) == 0)
            return step->values[i].value;
    return NAN;
}

/* Further figures of held-out rows: names keep their places, and a value that is not there is NaN.
 */
static void
take_measures(lmtext_progress *progress, const lm_train_progress *step)
{
    static const char prefix[] = "held_out_";

    for (int i = 0; i < progress->measure_count; i++)
        progress->measures[i] = NAN;
    for (int i = 0; i < step->value_count; i++) {
        const char *name = step->values[i].name;
        int place = 0;

        if (strncmp(name, prefix, strlen(prefix)) != 0 || strcmp(name, "held_out_loss") == 0)
            continue;
        name += strlen(prefix);
        while (place < progress->measure_count && strcmp(progress->measure_names[place], name) != 0)
            place++;
        if (place == LMTEXT_PROGRESS_MEASURES)
            continue;
        if (place == progress->measure_count)
            strlcpy(progress->measure_names[progress->measure_count++], name, NAMEDATALEN);
        progress->measures[place] = step->values[i].value;
    }
}

/* Called from inside the engine: must not throw. */
void
training_report_step(void *opaque, const lm_train_progress *step)
{
    training *t = opaque;

    t->progress.step = step->step;
    t->progress.max_steps = step->steps;
    t->progress.loss = value_named(step, "loss");
    t->progress.held_out_loss = value_named(step, "held_out_loss");
    t->progress.held_out_accuracy = value_named(step, "held_out_accuracy");
    t->progress.learning_rate = value_named(step, "learning_rate");
    t->progress.gradient_norm = value_named(step, "gradient_norm");
    t->progress.epoch = isnan(value_named(step, "epoch")) ? 0 : (int)value_named(step, "epoch");
    take_measures(&t->progress, step);
    lmtext_curve_add(&t->curve, &t->progress);
    lmtext_progress_update(t->run, &t->progress);
    lmtext_tell_progress(step->step, step->steps);
}

/* Tell other sessions what is going on; figures stay those of the last step. */
void
training_report_phase(training *t, const char *phase)
{
    if (t->progress.phase[0] == '\0')
        t->progress.loss = t->progress.held_out_loss = t->progress.held_out_accuracy =
            t->progress.learning_rate = t->progress.gradient_norm = NAN;
    strlcpy(t->progress.phase, phase, sizeof(t->progress.phase));
    lmtext_progress_update(t->run, &t->progress);
}

/* Make the new version; its number. */
int
training_store(training *t, lm_train_outcome *outcome, const char *more)
{
    lmtext_version_options options = {0};
    lm_source source = {outcome, stat_file, read_file};
    const lmtext_model *base = outcome->without_base ? NULL : t->base;
    int version;

    if (t->keeps && t->base != NULL && !outcome->without_base)
        t->base = lmtext_model_use(t->base->relid); /* a commit has let it go */
    base = outcome->without_base ? NULL : t->base;
    options.base_model = base != NULL ? &base->model : NULL;
    options.task = outcome->task;
    options.metrics = metrics_json(t, outcome, more);
    lmtext_version_create(t->name, &source, base != NULL ? base->relid : InvalidOid, &options,
                          &version);
    return version;
}

/*
 * What lmtext.models shows of a training. Numbers, true or false, and words of ours: nothing of it
 * needs escapes.
 */
static char *
metrics_json(const training *t, const lm_train_outcome *outcome, const char *more)
{
    StringInfoData json;

    initStringInfo(&json);
    appendStringInfo(&json, "{\"rows\": " INT64_FORMAT, t->rows);
    add_number(&json, "skipped", (double)t->skipped);
    for (int i = 0; i < outcome->value_count; i++)
        add_value(&json, &outcome->values[i]);
    if (outcome->precision != NULL) /* bits depend on both */
        appendStringInfo(&json, ", \"precision\": \"%s\", \"level\": \"%s\"", outcome->precision,
                         lm_kernels_active()->name);
    add_trials(&json, "tried", outcome->trials, outcome->trial_count);
    add_trials(&json, "left_out", outcome->left_out, outcome->left_out_count);
    lmtext_curve_append(&json, &t->curve);
    if (more != NULL)
        appendStringInfo(&json, ", %s", more);
    add_number(&json, t->width > 0 ? "embed_seconds" : "read_seconds", t->read_seconds);
    if (t->oracle != NULL)
        add_number(&json, "ask_seconds", t->ask_seconds);
    add_number(&json, "train_seconds", t->train_seconds);
    appendStringInfoChar(&json, '}');
    return json.data;
}

/* Names and words are the methods' own: they need no escapes. */
static void
add_settings(StringInfo json, const lm_train_trial *trial)
{
    appendStringInfoString(json, ", \"options\": {");
    for (int i = 0; i < trial->setting_count; i++) {
        const lm_train_setting *setting = &trial->settings[i];

        appendStringInfo(json, "%s\"%s\": ", i == 0 ? "" : ", ", setting->name);
        if (setting->word != NULL)
            appendStringInfo(json, "\"%s\"", setting->word);
        else
            appendStringInfo(json, "%.9g", setting->number);
    }
    appendStringInfoChar(json, '}');
}

static void
add_trials(StringInfo json, const char *key, const lm_train_trial *trials, int count)
{
    for (int i = 0; i < count; i++) {
        const lm_train_trial *trial = &trials[i];

        if (i == 0)
            appendStringInfo(json, ", \"%s\": [", key);
        appendStringInfo(json, "%s{\"method\": \"%s\"", i == 0 ? "" : ", ", trial->name);
        add_settings(json, trial);
        if (trial->reason != NULL)
            appendStringInfo(json, ", \"reason\": \"%s\"", trial->reason);
        else {
            add_number(json, "rows", (double)trial->rows);
            add_number(json, "held_out_accuracy", trial->accuracy);
        }
        add_number(json, "seconds", trial->seconds);
        if (trial->reason == NULL)
            appendStringInfo(json, ", \"chosen\": %s", trial->chosen ? "true" : "false");
        appendStringInfoChar(json, '}');
    }
    if (count > 0)
        appendStringInfoChar(json, ']');
}

static void
add_value(StringInfo json, const lm_train_value *value)
{
    if (value->is_bool)
        appendStringInfo(json, ", \"%s\": %s", value->name, value->value != 0 ? "true" : "false");
    else
        add_number(json, value->name, value->value);
}

/* JSON has no NaN: what is not known is null. Whole numbers are written in full. */
static void
add_number(StringInfo json, const char *key, double value)
{
    if (isfinite(value))
        appendStringInfo(json, ", \"%s\": %.*g", key, value == floor(value) ? 17 : 6, value);
    else
        appendStringInfo(json, ", \"%s\": null", key);
}

static const lm_buffer *
file_named(const lm_train_outcome *outcome, const char *name)
{
    for (int i = 0; i < outcome->file_count; i++)
        if (strcmp(outcome->files[i].name, name) == 0)
            return &outcome->files[i].bytes;
    return NULL;
}

/* The source's half that says which files are there. */
static lm_status
stat_file(lm_context *ctx, void *opaque, const char *name, bool *found, uint64_t *size)
{
    const lm_buffer *file = file_named(opaque, name);

    *found = file != NULL;
    *size = file != NULL ? file->size : 0;
    return LM_OK;
}

/* And the half that reads them. */
static lm_status
read_file(lm_context *ctx, void *opaque, const char *name, uint64_t offset, void *dest,
          size_t length)
{
    const lm_buffer *file = file_named(opaque, name);

    if (file == NULL || offset > file->size || length > file->size - offset)
        return lm_raise(ctx, LM_INTERNAL, "the trained model has no such bytes");
    memcpy(dest, file->data + offset, length);
    return LM_OK;
}

static double
seconds_since(instr_time start)
{
    instr_time now;

    INSTR_TIME_SET_CURRENT(now);
    INSTR_TIME_SUBTRACT(now, start);
    return INSTR_TIME_GET_DOUBLE(now);
}

/* The last word to the client; the same figures stand in the version's metrics. */
void
training_notice(const training *t, int version, const lm_train_outcome *outcome)
{
    ereport(NOTICE, (errmsg("trained version %d of model \"%s\" on " INT64_FORMAT " rows %s",
                            version, t->name, t->rows, outcome->summary),
                     t->skipped == 0
                         ? 0
                         : errdetail(INT64_FORMAT " rows were left out because their %s is null.",
                                     t->skipped, column_roles(t))));
}
