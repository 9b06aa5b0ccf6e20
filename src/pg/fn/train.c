/*
 * train.c - lmtext.train: a classifier from the rows of a query, stored as a new model version.
 *
 * Phases: check all arguments; read the query in batches and embed each at once with the base, so
 * that only vectors and label numbers stay in memory (a query may also yield vectors that are
 * stored already); fit the head; store its files. All in the
 * caller's transaction, so that it commits or vanishes whole. Each phase reports to the progress
 * slot, which other sessions see; an abort marks it failed without our help.
 *
 * Labels are numbered in the order of their bytes: the rows' order decides nothing but the split.
 */
#include "postgres.h"

#include <math.h>

#include "common/hashfn.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "task/head.h"
#include "train/softmax.h"
#include "pg/fn/args.h"
#include "pg/fn/query.h"
#include "pg/glue/options.h"
#include "pg/glue/tell.h"

#define PROCEDURE "lmtext.train"
#define MAX_BATCH_ROWS 65536

/* The JSON options, with their defaults by default_options. */
typedef struct train_options {
    char *task;
    char *base; /* NULL: lmtext.embedding_model */
    double l2;
    int64 max_steps, patience;
    double hold_out;
    int64 seed;
    bool refit;
    int64 batch_rows;
} train_options;

/* Seeds are exact in JSON's numbers. */
#define MAX_SEED 9007199254740991.0

#define OPTION(field, type, low, high, wanted)                                              \
    {                                                                                       \
#field, LMTEXT_OPTION_##type, offsetof(train_options, field), (low), (high), wanted \
    }
static const lmtext_option option_table[] = {
    OPTION(task, TEXT, 0, 0, "a string"),
    OPTION(base, TEXT, 0, 0, "the name of a model"),
    OPTION(l2, FLOAT, 0, 1e6, "a number from 0 to 1000000"),
    OPTION(max_steps, INT, 1, 100000, "a whole number from 1 to 100000"),
    OPTION(patience, INT, 1, 100000, "a whole number from 1 to 100000"),
    OPTION(hold_out, FLOAT, 0, 0.5, "a number from 0 to 0.5"),
    OPTION(seed, INT, 0, MAX_SEED, "a whole number from 0 to 9007199254740991"),
    OPTION(refit, BOOL, 0, 0, "true or false"),
    OPTION(batch_rows, INT, 1, MAX_BATCH_ROWS, "a whole number from 1 to 65536"),
};

/* A label and its number; the table of them. */
typedef struct label_entry {
    lm_text label;
    int number;  /* in order of first sight */
    char status; /* of simplehash */
} label_entry;

static uint32 hash_label(lm_text label);
static bool same_label(lm_text a, lm_text b);

#define SH_PREFIX label_table
#define SH_ELEMENT_TYPE label_entry
#define SH_KEY_TYPE lm_text
#define SH_KEY label
#define SH_HASH_KEY(table, key) hash_label(key)
#define SH_EQUAL(table, a, b) same_label(a, b)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* Everything of one run; lives in the procedure's memory context. */
typedef struct training {
    const char *name; /* of the model to be made */
    train_options options;
    lmtext_model *base;
    lm_on_long on_long;
    int width;
    lmtext_call call;
    MemoryContext memory; /* holds what outlives a batch */
    float *vectors;       /* (rows, width) */
    int32_t *labels;      /* (rows): numbers in order of first sight, then of bytes */
    int64 rows, room, skipped;
    label_table_hash *numbers;
    int64 run; /* in sight of other sessions */
    lmtext_progress progress;
    double embed_seconds, train_seconds;
} training;

/* A head's files, as the source that a version is made from. */
typedef struct head_files {
    lm_buffer json, tensors;
} head_files;

LMTEXT_COUNTED(lmtext_train, LMTEXT_FUNCTION_TRAIN);

static void read_arguments(FunctionCallInfo fcinfo, training *t);
static void read_rows(training *t, const char *query);
static void add_batch(training *t, const lmtext_pair *pairs, int count, lm_text *texts);
static void take_vector(const training *t, ArrayType *vector, float *out);
static void make_room(training *t, int64 more);
static int number_of_label(training *t, const char *label);
static const char **sort_labels(training *t);
static int compare_entries(const void *a, const void *b);
static void fit_head(training *t, lm_softmax_result *result);
static void report_step(void *opaque, const lm_softmax_progress *step);
static void report_phase(training *t, const char *phase);
static int store_head(training *t, const char **names, const lm_softmax_result *result);
static char *metrics_json(const training *t, const lm_softmax_result *result);
static void add_number(StringInfo json, const char *key, double value);
static lm_status stat_head(lm_context *ctx, void *opaque, const char *name, bool *found,
                           uint64_t *size);
static lm_status read_head(lm_context *ctx, void *opaque, const char *name, uint64_t offset,
                           void *dest, size_t length);
static double seconds_since(instr_time start);
static void notice(const training *t, int version, const lm_softmax_result *result);

static Datum
lmtext_train_call(PG_FUNCTION_ARGS)
{
    training t = {0};
    lm_softmax_result result;
    const char **names;
    int version;
    bool told;

    read_arguments(fcinfo, &t);
    told = lmtext_tell_begin(t.name);
    t.run = lmtext_progress_begin(t.name);
    SPI_connect();
    t.memory = CurrentMemoryContext;
    lmtext_call_init(&t.call, t.memory);
    t.numbers = label_table_create(t.memory, 256, NULL);
    read_rows(&t, text_to_cstring(PG_GETARG_TEXT_PP(1)));
    LMTEXT_FAULT_POINT("train_read");
    names = sort_labels(&t);
    fit_head(&t, &result);
    LMTEXT_FAULT_POINT("train_fitted");
    version = store_head(&t, names, &result);
    LMTEXT_FAULT_POINT("train_stored");
    report_phase(&t, "done");
    lmtext_progress_end(t.run);
    lmtext_tell_end(told);
    LMTEXT_FAULT_POINT("train_reported");
    notice(&t, version, &result);
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

/* The engine's defaults, so that there is one place that has them. */
static void
default_options(train_options *options)
{
    lm_softmax_options engine;

    lm_softmax_defaults(&engine);
    *options = (train_options){.task = "classification",
                               .l2 = engine.l2,
                               .max_steps = engine.max_steps,
                               .patience = engine.patience,
                               .hold_out = engine.hold_out,
                               .seed = (int64)engine.seed,
                               .refit = engine.refit,
                               .batch_rows = 1024};
}

/* All that can be wrong is found before the first row is read. */
static void
read_arguments(FunctionCallInfo fcinfo, training *t)
{
    refuse_nulls(fcinfo);
    PreventCommandIfReadOnly(PROCEDURE);
    t->name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    default_options(&t->options);
    lmtext_options_read(PG_GETARG_JSONB_P(2), option_table, lengthof(option_table), &t->options);
    if (strcmp(t->options.task, "classification") != 0)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("%s does not support the task \"%s\"", PROCEDURE,
                               lmtext_clip(t->options.task)),
                        errhint("Supported tasks: classification.")));
    lmtext_version_check_name(t->name);
    t->base = t->options.base != NULL ? lmtext_named_model(fcinfo, t->options.base)
                                      : lmtext_arg_model(fcinfo, -1, LMTEXT_DEFAULT_EMBEDDING);
    t->on_long = lmtext_arg_on_long(fcinfo, -1, -1);
    if (t->base->model.has_head)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("model \"%s\" cannot be a base, because it is itself a classifier",
                               t->base->name),
                        errhint("Name the model that it was trained on.")));
}

/* Read all rows, a batch at a time, and embed them. */
static void
read_rows(training *t, const char *query)
{
    static const lmtext_column columns[2] = {{"text", LMTEXT_COLUMN_INPUT},
                                             {"label", LMTEXT_COLUMN_LABEL}};
    MemoryContext batch = AllocSetContextCreate(t->memory, "lmtext batch", ALLOCSET_DEFAULT_SIZES);
    int limit = (int)t->options.batch_rows, count;
    lmtext_pair *pairs = palloc(limit * sizeof(*pairs));
    lm_text *texts = palloc(limit * sizeof(*texts));
    lmtext_pairs reader;
    instr_time start;

    INSTR_TIME_SET_CURRENT(start);
    report_phase(t, "embedding");
    lmtext_pairs_open(&reader, PROCEDURE, query, columns);
    lmtext_tell_phase(&(lmtext_phase){"embedded", "rows", reader.expected, "about "});
    MemoryContextSwitchTo(batch);
    while ((count = lmtext_pairs_fetch(&reader, limit, pairs)) > 0) {
        add_batch(t, pairs, count, texts);
        MemoryContextReset(batch);
        t->progress.done = t->rows;
        lmtext_tell_progress((double)(t->rows + t->skipped), 0);
        lmtext_tell_now();
        lmtext_progress_update(t->run, &t->progress);
        LMTEXT_FAULT_POINT("train_batch");
    }
    MemoryContextSwitchTo(t->memory);
    lmtext_pairs_close(&reader);
    MemoryContextDelete(batch);
    t->progress.total = t->rows;
    t->embed_seconds = seconds_since(start);
}

/* Rows without a text or a label teach nothing: they are counted and left out. */
static void
add_batch(training *t, const lmtext_pair *pairs, int count, lm_text *texts)
{
    int used = 0, to_embed = 0;

    make_room(t, count);
    for (int i = 0; i < count; i++) {
        const char *text = pairs[i].texts[0], *label = pairs[i].texts[1];

        if ((text == NULL && pairs[i].vector == NULL) || label == NULL) {
            t->skipped++;
            continue;
        }
        if (text != NULL)
            texts[to_embed++] = lmtext_utf8_from_bytes(text, strlen(text));
        else
            take_vector(t, pairs[i].vector, t->vectors + (t->rows + used) * t->width);
        t->labels[t->rows + used++] = number_of_label(t, label);
    }
    if (to_embed > 0) {
        lm_embed_options options;

        lmtext_embed_defaults(&options, t->on_long);
        lmtext_embed_texts(t->base, texts, to_embed, &options, t->vectors + t->rows * t->width);
    }
    t->rows += used;
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

/* Vectors grow by doubling, beyond 1 GB too; the first call learns the width from the base. */
static void
make_room(training *t, int64 more)
{
    int64 room = Max(t->room * 2, t->rows + more);

    if (t->vectors == NULL) {
        lm_embed_options options;

        lmtext_embed_defaults(&options, LM_LONG_TRUNCATE);
        t->width = lmtext_embed_width(t->base, &options);
        t->vectors = MemoryContextAllocHuge(t->memory, sizeof(float));
        t->labels = MemoryContextAllocHuge(t->memory, sizeof(int32_t));
    }
    if (t->rows + more <= t->room)
        return;
    t->vectors = repalloc_huge(t->vectors, mul_size(mul_size(room, t->width), sizeof(float)));
    t->labels = repalloc_huge(t->labels, mul_size(room, sizeof(int32_t)));
    t->room = room;
}

/* The number of a label, given on first sight. Its bytes are copied out of the batch's memory. */
static int
number_of_label(training *t, const char *label)
{
    lm_text key = lmtext_utf8_from_bytes(label, strlen(label));
    bool found;
    label_entry *entry = label_table_insert(t->numbers, key, &found);

    if (!found) {
        char *copy = MemoryContextAllocHuge(t->memory, key.length + 1);

        memcpy(copy, key.bytes, key.length);
        copy[key.length] = '\0';
        entry->label.bytes = copy;
        entry->number = (int)t->numbers->members - 1;
    }
    return entry->number;
}

/* Bytes, not collation: labels that differ in a byte are two. */
static uint32
hash_label(lm_text label)
{
    return hash_bytes((const unsigned char *)label.bytes, (int)label.length);
}

static bool
same_label(lm_text a, lm_text b)
{
    return a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0;
}

/* Number the labels anew, in the order of their bytes; their names in that order. */
static const char **
sort_labels(training *t)
{
    int count = (int)t->numbers->members, next = 0;
    const char **names = MemoryContextAllocHuge(t->memory, (count + 1) * sizeof(char *));
    label_entry **order = MemoryContextAllocHuge(t->memory, (count + 1) * sizeof(*order));
    int *renumbered = MemoryContextAllocHuge(t->memory, (count + 1) * sizeof(int));
    label_table_iterator iterator;
    label_entry *entry;

    if (count < 2)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 count == 0 ? errmsg("the query of %s returned no rows to train on", PROCEDURE)
                            : errmsg("the query of %s returned only one label", PROCEDURE),
                 errdetail("Of " INT64_FORMAT " rows, " INT64_FORMAT
                           " were left out because their text or label is null.",
                           t->rows + t->skipped, t->skipped),
                 count == 0 ? 0 : errhint("A classifier needs at least two labels.")));
    label_table_start_iterate(t->numbers, &iterator);
    while ((entry = label_table_iterate(t->numbers, &iterator)) != NULL)
        order[next++] = entry;
    qsort(order, count, sizeof(*order), compare_entries);
    for (int i = 0; i < count; i++) {
        names[i] = order[i]->label.bytes;
        renumbered[order[i]->number] = i;
    }
    for (int64 i = 0; i < t->rows; i++)
        t->labels[i] = renumbered[t->labels[i]];
    return names;
}

/* Labels are UTF-8 without U+0000. */
static int
compare_entries(const void *a, const void *b)
{
    return strcmp((*(label_entry *const *)a)->label.bytes, (*(label_entry *const *)b)->label.bytes);
}

/* The fit is one engine call; progress and cancel reach it through callbacks. */
static void
fit_head(training *t, lm_softmax_result *result)
{
    const lm_softmax_options options = {.l2 = t->options.l2,
                                        .max_steps = (int)t->options.max_steps,
                                        .patience = (int)t->options.patience,
                                        .hold_out = t->options.hold_out,
                                        .seed = (uint64_t)t->options.seed,
                                        .refit = t->options.refit};
    instr_time start;
    lm_status status;

    INSTR_TIME_SET_CURRENT(start);
    report_phase(t, "training");
    lmtext_tell_phase(&(lmtext_phase){"trained", "steps", .about = "at most "});
    status = lm_softmax_train(&t->call.ctx, t->vectors, t->labels, t->rows, t->width,
                              (int)t->numbers->members, &options, report_step, t, result);
    lmtext_check(&t->call, status, t->name);
    t->train_seconds = seconds_since(start);
}

/* Called from inside the engine: must not throw. */
static void
report_step(void *opaque, const lm_softmax_progress *step)
{
    training *t = opaque;

    t->progress.step = step->step;
    t->progress.max_steps = step->max_steps;
    t->progress.loss = step->loss;
    t->progress.held_out_loss = step->held_out_loss;
    t->progress.held_out_accuracy = step->held_out_accuracy;
    lmtext_progress_update(t->run, &t->progress);
    lmtext_tell_progress(step->step, step->max_steps);
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
store_head(training *t, const char **names, const lm_softmax_result *result)
{
    const lm_head head = {.labels = (int)t->numbers->members,
                          .width = t->width,
                          .weight = result->weight,
                          .bias = result->bias,
                          .names = names};
    lmtext_version_options options = {.metrics = metrics_json(t, result),
                                      .base_model = &t->base->model};
    head_files files;
    lm_source source = {&files, stat_head, read_head};
    int version;

    report_phase(t, "storing");
    lm_buffer_init(&files.json, &t->call.ctx);
    lm_buffer_init(&files.tensors, &t->call.ctx);
    lmtext_check(&t->call, lm_head_write(&t->call.ctx, &head, &files.json, &files.tensors),
                 t->name);
    lmtext_version_create(t->name, &source, t->base->relid, &options, &version);
    return version;
}

/*
 * What lmtext.models shows of a training. Numbers and true or false only: nothing of it needs
 * escapes.
 */
static char *
metrics_json(const training *t, const lm_softmax_result *result)
{
    StringInfoData json;

    initStringInfo(&json);
    appendStringInfo(&json, "{\"labels\": %d", (int)t->numbers->members);
    add_number(&json, "rows", (double)t->rows);
    add_number(&json, "skipped", (double)t->skipped);
    add_number(&json, "held_out", (double)result->held_out);
    add_number(&json, "held_out_accuracy", result->held_out_accuracy);
    add_number(&json, "held_out_loss", result->held_out_loss);
    add_number(&json, "loss", result->loss);
    add_number(&json, "l2", result->l2);
    add_number(&json, "steps", result->steps);
    add_number(&json, "seed", (double)t->options.seed);
    add_number(&json, "embed_seconds", t->embed_seconds);
    add_number(&json, "train_seconds", t->train_seconds);
    appendStringInfo(&json, ", \"refit\": %s}", t->options.refit ? "true" : "false");
    return json.data;
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
file_of_head(const head_files *files, const char *name)
{
    if (strcmp(name, LM_HEAD_JSON) == 0)
        return &files->json;
    return strcmp(name, LM_HEAD_TENSORS) == 0 ? &files->tensors : NULL;
}

/* The source's half that says which of the two files are there. */
static lm_status
stat_head(lm_context *ctx, void *opaque, const char *name, bool *found, uint64_t *size)
{
    const lm_buffer *file = file_of_head(opaque, name);

    *found = file != NULL;
    *size = file != NULL ? file->size : 0;
    return LM_OK;
}

/* And the half that reads them. */
static lm_status
read_head(lm_context *ctx, void *opaque, const char *name, uint64_t offset, void *dest,
          size_t length)
{
    const lm_buffer *file = file_of_head(opaque, name);

    if (file == NULL || offset > file->size || length > file->size - offset)
        return lm_raise(ctx, LM_INTERNAL, "the head has no such bytes");
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
notice(const training *t, int version, const lm_softmax_result *result)
{
    char *measured =
        isnan(result->held_out_accuracy)
            ? pstrdup("no row was held out to measure it")
            : psprintf("accuracy %.4f on %zu held-out row%s", result->held_out_accuracy,
                       result->held_out, result->held_out == 1 ? "" : "s");

    ereport(
        NOTICE,
        (errmsg("trained version %d of model \"%s\" on " INT64_FORMAT " rows with %d labels: %s",
                version, t->name, t->rows, (int)t->numbers->members, measured),
         t->skipped == 0
             ? 0
             : errdetail(INT64_FORMAT " rows were left out because their text or label is null.",
                         t->skipped)));
}
