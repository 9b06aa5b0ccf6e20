/*
 * train.c - lmtext.train: a model from the rows of a query, stored as a new version. How it learns
 * is the engine's table of methods (train/methods.h): a row says which columns the query has, which
 * options there are, and what comes of it.
 *
 * Phases: check all arguments; read the query in batches, of which texts are embedded at once where
 * the method learns from a base's vectors (a query may also yield vectors that are stored already);
 * ask the oracle that a filter learns from; fit; store. All in the caller's transaction, so that it
 * commits or vanishes whole. Each phase reports its progress, which other sessions see; an abort
 * marks it failed without our help.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "train/methods.h"
#include "pg/fn/args.h"
#include "pg/fn/oracle.h"
#include "pg/fn/query.h"
#include "pg/glue/options.h"
#include "pg/glue/tell.h"
#include "pg/version/version.h"
#include "pg/watch/progress.h"

#define PROCEDURE "lmtext.train"
#define MAX_BATCH_ROWS 65536

/* The JSON options that every method has; the others are the method's. */
typedef struct train_options {
    char *task;
    char *method; /* NULL: the task's first */
    char *base;   /* NULL: lmtext.embedding_model */
    int64 batch_rows;
} train_options;

static const lm_option option_table[] = {
    LM_OPTION(train_options, task, TEXT, 0, 0, "a string"),
    LM_OPTION(train_options, method, TEXT, 0, 0, "a string"),
    LM_OPTION(train_options, base, TEXT, 0, 0, "the name of a model"),
    LM_OPTION(train_options, batch_rows, INT, 1, MAX_BATCH_ROWS, "a whole number from 1 to 65536"),
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

/* Everything of one run; lives in the procedure's memory context. */
typedef struct training {
    const char *name; /* of the model to be made */
    train_options options;
    const lm_method *method;
    void *method_options;
    void *state;        /* the method's */
    lmtext_model *base; /* NULL: the method needs none */
    lm_on_long on_long;
    int width; /* of the base's embedding; 0: the method does not want it */
    const lm_train_column *column_table;
    int column_count;      /* of the table */
    int columns;           /* that the query has */
    lmtext_oracle *oracle; /* NULL: the method asks none */
    int64 budget;          /* of its answers */
    lmtext_call call;
    MemoryContext memory; /* holds what outlives a batch */
    int64 rows, skipped;
    int64 run; /* in sight of other sessions */
    lmtext_progress progress;
    double read_seconds, ask_seconds, train_seconds;
} training;

LMTEXT_ENTRY(lmtext_train, .name = "train");

static void read_arguments(FunctionCallInfo fcinfo, training *t);
static void choose_base(FunctionCallInfo fcinfo, training *t);
static void start_method(training *t);
static void read_base(training *t);
static void read_rows(training *t, const char *query);
static void add_batch(training *t, const lmtext_query_row *rows, int count, train_batch *batch);
static void check_rows(training *t);
static void ask_oracle(training *t);
static void fit(training *t);
static void report_step(void *opaque, const lm_train_progress *step);
static void report_phase(training *t, const char *phase);
static int store(training *t, lm_train_outcome *outcome);
static char *metrics_json(const training *t, const lm_train_outcome *outcome);
static void add_value(StringInfo json, const lm_train_value *value);
static void add_number(StringInfo json, const char *key, double value);
static void add_trials(StringInfo json, const lm_train_outcome *outcome);
static lm_status stat_file(lm_context *ctx, void *opaque, const char *name, bool *found,
                           uint64_t *size);
static lm_status read_file(lm_context *ctx, void *opaque, const char *name, uint64_t offset,
                           void *dest, size_t length);
static double seconds_since(instr_time start);
static void notice(const training *t, int version, const lm_train_outcome *outcome);

static Datum
lmtext_train_call(PG_FUNCTION_ARGS)
{
    training t = {0};
    lm_train_outcome outcome;
    int version;
    bool told;

    read_arguments(fcinfo, &t);
    told = lmtext_tell_begin(t.name);
    t.run = lmtext_progress_begin(t.name);
    SPI_connect();
    t.memory = CurrentMemoryContext;
    start_method(&t);
    read_rows(&t, text_to_cstring(PG_GETARG_TEXT_PP(1)));
    LMTEXT_FAULT_POINT("train_read");
    check_rows(&t);
    if (t.oracle != NULL)
        ask_oracle(&t);
    fit(&t);
    LMTEXT_FAULT_POINT("train_fitted");
    version = store(&t, &outcome);
    LMTEXT_FAULT_POINT("train_stored");
    report_phase(&t, "done");
    lmtext_progress_end(t.run);
    lmtext_tell_end(told);
    LMTEXT_FAULT_POINT("train_reported");
    notice(&t, version, &outcome);
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

/* After the options were read: an error in a key is reported first. */
static void
check_method(const training *t)
{
    const train_options *options = &t->options;

    if (lm_method_find(options->task, NULL) == NULL)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("%s does not support the task \"%s\"", PROCEDURE,
                               lmtext_clip(options->task)),
                        errhint("Supported tasks: %s.", known_tasks())));
    if (lm_method_find(options->task, options->method) == NULL)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("%s does not support the method \"%s\" for the task \"%s\"",
                               PROCEDURE, lmtext_clip(options->method), options->task),
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

/* Which options there are depends on the method, so its name is looked up before. */
static void
read_options(training *t, Jsonb *json)
{
    char *task = lmtext_options_word(json, "task");

    t->options = (train_options){.task = "classification", .batch_rows = 1024};
    t->method =
        lm_method_find(task != NULL ? task : t->options.task, lmtext_options_word(json, "method"));
    if (t->method == NULL)
        t->method = lm_methods[0];
    t->method_options = palloc0(t->method->options_size);
    t->method->defaults(t->method_options);
    lmtext_options_read(
        json,
        (lmtext_option_set[]){{option_table, lengthof(option_table), &t->options},
                              {t->method->options, t->method->option_count, t->method_options}},
        2);
    check_method(t);
}

/* All that can be wrong is found before the first row is read. */
static void
read_arguments(FunctionCallInfo fcinfo, training *t)
{
    refuse_nulls(fcinfo);
    PreventCommandIfReadOnly(PROCEDURE);
    t->name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    read_options(t, PG_GETARG_JSONB_P(2));
    lmtext_version_check_name(t->name);
    if (takes_base(t->method) && !(t->method->base_optional && t->options.base == NULL))
        choose_base(fcinfo, t);
}

static void
choose_base(FunctionCallInfo fcinfo, training *t)
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

/* What it allocates goes with the call's memory context. */
static void
start_method(training *t)
{
    const lm_method *method = t->method;

    lmtext_call_init(&t->call, t->memory);
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
    if (method->base_files && t->base != NULL)
        read_base(t);
}

/* The method takes what it wants of the base's files; all are checked against their hashes. */
static void
read_base(training *t)
{
    const lmtext_manifest *manifest = lmtext_manifest_read(t->base->relid);
    const char **names = palloc(Max(manifest->file_count, 1) * sizeof *names);
    lm_source source;
    lmtext_chunks *chunks = lmtext_chunks_open(t->base->relid, manifest, &source);
    const lm_train_base base = {.name = t->base->name,
                                .source = &source,
                                .files = names,
                                .file_count = manifest->file_count,
                                .model = &t->base->model};

    for (int i = 0; i < manifest->file_count; i++)
        names[i] = manifest->files[i].name;
    lmtext_check(&t->call, t->method->read_base(t->state, &base), t->name);
    lmtext_chunks_verify_and_close(chunks);
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

/* Read all rows, a batch at a time. */
static void
read_rows(training *t, const char *query)
{
    MemoryContext memory = AllocSetContextCreate(t->memory, "lmtext batch", ALLOCSET_DEFAULT_SIZES);
    int limit = (int)t->options.batch_rows, count;
    lmtext_query_row *rows = MemoryContextAllocHuge(t->memory, limit * sizeof(*rows));
    train_batch batch = {0};
    lmtext_query reader;
    instr_time start;

    INSTR_TIME_SET_CURRENT(start);
    make_batch(t, limit, &batch);
    report_phase(t, t->width > 0 ? "embedding" : "reading");
    lmtext_query_open(&reader, PROCEDURE, query, query_columns(t), t->column_count);
    t->columns = reader.column_count;
    lmtext_tell_phase(
        &(lmtext_phase){t->width > 0 ? "embedded" : "read", "rows", reader.expected, "about "});
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
                 errmsg("the query of %s returned a vector of %d dimensions", PROCEDURE, width),
                 errdetail("The embedding of model \"%s\" has %d.", t->base->name, t->width)));
    for (int i = 0; i < width; i++)
        if (!isfinite(values[i]))
            ereport(ERROR,
                    (errcode(ERRCODE_DATA_EXCEPTION),
                     errmsg("the query of %s returned a vector that is not finite", PROCEDURE)));
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
    Datum *elements;
    bool *nulls;
    int count;
    lm_text *words;

    deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &elements,
                      &nulls, &count);
    words = palloc(Max(count, 1) * sizeof *words);
    for (int i = 0; i < count; i++) {
        if (nulls[i])
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("the query of %s returned an array with a null, the %s",
                                   PROCEDURE, t->column_table[column].role)));
        words[i] = lmtext_utf8_from_text(DatumGetTextPP(elements[i]));
    }
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

/* A column is all vectors or all texts. Rows with a null teach nothing: they are counted. */
static void
add_batch(training *t, const lmtext_query_row *rows, int count, train_batch *batch)
{
    lm_train_rows taken = {.columns = t->columns, .vectors = batch->vectors};

    batch->count = batch->embed_count = 0;
    for (int i = 0; i < count; i++)
        if (is_whole(t, &rows[i]))
            take_row(t, &rows[i], batch);
    if (batch->embed_count > 0) {
        lm_embed_options options;

        lmtext_embed_defaults(&options, t->on_long);
        lmtext_embed_texts(t->base, batch->to_embed, batch->embed_count, &options, batch->vectors);
    }
    taken.count = batch->count;
    for (int i = 0; i < t->columns; i++) {
        taken.texts[i] = batch->texts[i];
        taken.words[i] = batch->words[i];
        taken.numbers[i] = batch->numbers[i];
    }
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
static void
check_rows(training *t)
{
    const char *hint = NULL;
    const char *lacking =
        t->rows == 0 ? "returned no rows to train on" : t->method->lacking(t->state, &hint);

    if (lacking != NULL)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the query of %s %s", PROCEDURE, lacking),
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
    report_phase(t, "asking");
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

/* The fit is one engine call; progress and cancel reach it through callbacks. */
static void
fit(training *t)
{
    const lm_train_watch watch = {report_step, t};
    instr_time start;

    INSTR_TIME_SET_CURRENT(start);
    report_phase(t, "training");
    lmtext_tell_phase(&(lmtext_phase){"trained", "steps", .about = "at most "});
    lmtext_check(&t->call, t->method->fit(t->state, &watch), t->name);
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

/* Called from inside the engine: must not throw. */
static void
report_step(void *opaque, const lm_train_progress *step)
{
    training *t = opaque;

    t->progress.step = step->step;
    t->progress.max_steps = step->steps;
    t->progress.loss = value_named(step, "loss");
    t->progress.held_out_loss = value_named(step, "held_out_loss");
    t->progress.held_out_accuracy = value_named(step, "held_out_accuracy");
    lmtext_progress_update(t->run, &t->progress);
    lmtext_tell_progress(step->step, step->steps);
}

/* Tell other sessions what is going on; figures stay those of the last step. */
static void
report_phase(training *t, const char *phase)
{
    if (t->progress.phase[0] == '\0')
        t->progress.loss = t->progress.held_out_loss = t->progress.held_out_accuracy = NAN;
    strlcpy(t->progress.phase, phase, sizeof(t->progress.phase));
    lmtext_progress_update(t->run, &t->progress);
}

/* Make the new version; its number. */
static int
store(training *t, lm_train_outcome *outcome)
{
    lmtext_version_options options = {0};
    lm_source source = {outcome, stat_file, read_file};
    const lmtext_model *base;
    int version;

    report_phase(t, "storing");
    lmtext_check(&t->call, t->method->write(t->state, outcome), t->name);
    t->method->close(t->state);
    base = outcome->without_base ? NULL : t->base;
    options.base_model = base != NULL ? &base->model : NULL;
    options.metrics = metrics_json(t, outcome);
    lmtext_version_create(t->name, &source, base != NULL ? base->relid : InvalidOid, &options,
                          &version);
    return version;
}

/*
 * What lmtext.models shows of a training. Numbers and true or false only: nothing of it needs
 * escapes.
 */
static char *
metrics_json(const training *t, const lm_train_outcome *outcome)
{
    StringInfoData json;

    initStringInfo(&json);
    appendStringInfo(&json, "{\"rows\": " INT64_FORMAT, t->rows);
    add_number(&json, "skipped", (double)t->skipped);
    for (int i = 0; i < outcome->value_count; i++)
        add_value(&json, &outcome->values[i]);
    add_trials(&json, outcome);
    add_number(&json, t->width > 0 ? "embed_seconds" : "read_seconds", t->read_seconds);
    if (t->oracle != NULL)
        add_number(&json, "ask_seconds", t->ask_seconds);
    add_number(&json, "train_seconds", t->train_seconds);
    appendStringInfoChar(&json, '}');
    return json.data;
}

/* Names are the methods' own: they need no escapes. */
static void
add_trials(StringInfo json, const lm_train_outcome *outcome)
{
    for (int i = 0; i < outcome->trial_count; i++) {
        const lm_train_trial *trial = &outcome->trials[i];

        appendStringInfo(json, "%s{\"method\": \"%s\"", i == 0 ? ", \"tried\": [" : ", ",
                         trial->name);
        add_number(json, "held_out_accuracy", trial->accuracy);
        add_number(json, "seconds", trial->seconds);
        appendStringInfo(json, ", \"chosen\": %s}", trial->chosen ? "true" : "false");
    }
    if (outcome->trial_count > 0)
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
static void
notice(const training *t, int version, const lm_train_outcome *outcome)
{
    ereport(NOTICE, (errmsg("trained version %d of model \"%s\" on " INT64_FORMAT " rows %s",
                            version, t->name, t->rows, outcome->summary),
                     t->skipped == 0
                         ? 0
                         : errdetail(INT64_FORMAT " rows were left out because their %s is null.",
                                     t->skipped, column_roles(t))));
}
