/*
 * tune.c - lmtext.tune: trainings with options of a declared space, of which the best is stored.
 *
 * The query is read, and its texts embedded, once: rows are kept for all trials. A trial is a
 * training that stores nothing; it is seen in lmtext.train_runs as any. All trials hold out the
 * same rows, by the seed of their options, and are compared by a figure of their outcomes. One that
 * falls behind the median of others is stopped through the engine's own cancel. What the search
 * tries is the engine's (train/tune.h).
 */
#include "postgres.h"

#include <math.h>

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "train/tune.h"
#include "pg/fn/kept_rows.h"
#include "pg/fn/training.h"
#include "pg/glue/options.h"
#include "pg/glue/tell.h"
#include "pg/version/version.h"

LMTEXT_ENTRY(lmtext_tune, .name = "tune");

#define PROCEDURE "lmtext.tune"
#define DIMENSIONS_MAX 16
#define GRID_POINTS 5

/* What the space says of the search itself. */
typedef struct tune_options {
    char *search, *metric;
    bool stop;
} tune_options;

static const lm_option tune_table[] = {
    LM_OPTION(tune_options, search, TEXT, 0, 0, "tpe, random or grid"),
    LM_OPTION(tune_options, metric, TEXT, 0, 0, "the name of a figure in the metrics"),
    LM_OPTION(tune_options, stop, BOOL, 0, 0, "true or false"),
};

/* An option that is varied. */
typedef struct dimension {
    char *key;
    JsonbValue *choices; /* of CHOICE */
} dimension;

/* A range of the space. */
typedef struct range_options {
    double low, high;
    int64 points;
    bool log;
} range_options;

static const lm_option range_table[] = {
    LM_OPTION(range_options, low, FLOAT, -1e300, 1e300, "a number"),
    LM_OPTION(range_options, high, FLOAT, -1e300, 1e300, "a number"),
    LM_OPTION(range_options, points, INT, 1, 1000, "a whole number from 1 to 1000"),
    LM_OPTION(range_options, log, BOOL, 0, 0, "true or false"),
};

typedef struct tuning {
    training t; /* first: its watch and its context lead here */
    tune_options options;
    Jsonb *fixed; /* options that all trials have */
    dimension dimensions[DIMENSIONS_MAX];
    lm_tune_dimension engine[DIMENSIONS_MAX];
    int count;
    lm_tune tune;
    lmtext_kept_rows rows;
    bool stopped; /* the trial under way is */
    lm_train_outcome outcome, best;
    lmtext_curve best_curve;
    double best_score, best_seconds;
    int trial, chosen, trials; /* chosen: 0 is none */
    StringInfoData tried;      /* JSON of all trials */
    bool (*cancelled)(void *opaque);
} tuning;

/* ---- The space ---- */

static void
refuse_space(const char *key, const char *what)
{
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("the space of option \"%s\" is not valid", lmtext_clip(key)),
                    errdetail("%s", what)));
}

/* The row of an option of the method; NULL: it is one that all methods have, or there is none. */
static const lm_option *
option_named(const tuning *n, const char *key)
{
    for (int i = 0; i < n->t.method->option_count; i++)
        if (strcmp(n->t.method->options[i].key, key) == 0)
            return &n->t.method->options[i];
    return NULL;
}

static dimension *
add_dimension(tuning *n, const char *key)
{
    if (option_named(n, key) == NULL)
        refuse_space(key, "Only options of the method itself can be varied.");
    if (n->count == DIMENSIONS_MAX)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("the space of %s has too many dimensions", PROCEDURE),
                        errdetail("At most %d options can be varied.", DIMENSIONS_MAX)));
    n->dimensions[n->count].key = pstrdup(key);
    return &n->dimensions[n->count++];
}

/* [1, 2, 3] */
static void
add_choices(tuning *n, const char *key, JsonbContainer *array)
{
    dimension *d = add_dimension(n, key);
    JsonbIterator *iterator = JsonbIteratorInit(array);
    size_t count = 0;
    JsonbValue value;
    JsonbIteratorToken token;

    d->choices = palloc((JsonContainerSize(array) + 1) * sizeof(JsonbValue));
    while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
        if (token == WJB_ELEM)
            d->choices[count++] = value;
    if (count == 0)
        refuse_space(key, "The array of its values is empty.");
    n->engine[n->count - 1] = (lm_tune_dimension){.kind = LM_TUNE_CHOICE, .choices = count};
}

/* {"low": 0.01, "high": 100, "log": true, "points": 5} */
static void
add_range(tuning *n, const char *key, JsonbValue *object)
{
    const lm_option *option = option_named(n, key);
    range_options range = {.low = NAN, .high = NAN, .points = GRID_POINTS};

    add_dimension(n, key);
    if (option->type != LM_OPTION_INT && option->type != LM_OPTION_FLOAT)
        refuse_space(key, "It is no number: give an array of values.");
    lmtext_options_read(JsonbValueToJsonb(object),
                        &(lmtext_option_set){range_table, lengthof(range_table), &range}, 1);
    if (isnan(range.low) || isnan(range.high) || range.low > range.high)
        refuse_space(key, "A range needs low and high, and low must not be above high.");
    if (range.log && range.low <= 0)
        refuse_space(key, "A range by the logarithm must be above 0.");
    n->engine[n->count - 1] =
        (lm_tune_dimension){.kind = option->type == LM_OPTION_INT ? LM_TUNE_WHOLE : LM_TUNE_REAL,
                            .choices = (size_t)range.points,
                            .low = range.low,
                            .high = range.high,
                            .log = range.log};
}

static bool
is_own(const char *key)
{
    for (int i = 0; i < lengthof(tune_table); i++)
        if (strcmp(tune_table[i].key, key) == 0)
            return true;
    return false;
}

/* Pushes a member of an object. */
static void
push(JsonbParseState **state, const char *key, JsonbValue *value)
{
    JsonbValue name = {.type = jbvString};

    name.val.string.val = unconstify(char *, key);
    name.val.string.len = (int)strlen(key);
    pushJsonbValue(state, WJB_KEY, &name);
    pushJsonbValue(state, WJB_VALUE, value);
}

/* A member of the space: the search's own, one that all trials have, or what is varied. */
static void
read_member(tuning *n, char *key, JsonbValue *value, bool vary, JsonbParseState **own,
            JsonbParseState **fixed)
{
    if (is_own(key))
        push(own, key, value);
    else if (value->type != jbvBinary)
        push(fixed, key, value);
    else if (vary && JsonContainerIsArray(value->val.binary.data))
        add_choices(n, key, value->val.binary.data);
    else if (vary)
        add_range(n, key, value);
}

/* Twice: what can be varied is known only once the method is. */
static Jsonb *
read_members(tuning *n, Jsonb *space, bool vary, Jsonb **own)
{
    JsonbParseState *own_state = NULL, *fixed_state = NULL;
    JsonbIterator *iterator = JsonbIteratorInit(&space->root);
    JsonbIteratorToken token;
    JsonbValue value;
    char *key = NULL;

    pushJsonbValue(&own_state, WJB_BEGIN_OBJECT, NULL);
    pushJsonbValue(&fixed_state, WJB_BEGIN_OBJECT, NULL);
    while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE) {
        if (token == WJB_KEY)
            key = pnstrdup(value.val.string.val, value.val.string.len);
        else if (token == WJB_VALUE)
            read_member(n, key, &value, vary, &own_state, &fixed_state);
    }
    *own = JsonbValueToJsonb(pushJsonbValue(&own_state, WJB_END_OBJECT, NULL));
    return JsonbValueToJsonb(pushJsonbValue(&fixed_state, WJB_END_OBJECT, NULL));
}

/* A value of the search, as JSON has it: with six digits, which are what is tried and told. */
static JsonbValue
json_value(const tuning *n, int which, double value)
{
    JsonbValue json = {.type = jbvNumeric};

    if (n->engine[which].kind == LM_TUNE_CHOICE)
        return n->dimensions[which].choices[(int)value];
    json.val.numeric = DatumGetNumeric(DirectFunctionCall3(
        numeric_in,
        CStringGetDatum(n->engine[which].kind == LM_TUNE_WHOLE ? psprintf("%.0f", value)
                                                               : psprintf("%.6g", value)),
        ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
    return json;
}

/* The options of a trial, or only those that are varied. */
static Jsonb *
trial_options(const tuning *n, const double *values, bool all)
{
    JsonbParseState *state = NULL;
    JsonbIterator *iterator = JsonbIteratorInit(&n->fixed->root);
    JsonbIteratorToken token;
    JsonbValue value;

    pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
    while (all && (token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
        if (token == WJB_KEY || token == WJB_VALUE)
            pushJsonbValue(&state, token, &value);
    for (int i = 0; i < n->count; i++) {
        value = json_value(n, i, values[i]);
        push(&state, n->dimensions[i].key, &value);
    }
    return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* A checkpoint is one training's; a search that is ended leaves nothing to go on from. */
static void
refuse_checkpoints(const training *t)
{
    bool resumes = false;

    if (t->method->checkpoints == NULL ||
        (t->method->checkpoints(t->method_options, &resumes) == 0 && !resumes))
        return;
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("%s keeps no checkpoints", PROCEDURE),
             errdetail("The options checkpoint_steps and resume are those of lmtext.train."),
             errhint("Leave them out here, and train with the options that were found.")));
}

static void
check_options(tuning *n, const double *values)
{
    training_read_options(&n->t, trial_options(n, values, true));
    refuse_checkpoints(&n->t);
}

/* Each value that can be tried at an end of its range, or as a choice: what is wrong is found
 * before the first row is read. */
static void
check_values(tuning *n)
{
    double values[DIMENSIONS_MAX];

    for (int i = 0; i < n->count; i++)
        values[i] = n->engine[i].kind == LM_TUNE_CHOICE ? 0 : n->engine[i].low;
    check_options(n, values);
    for (int i = 0; i < n->count; i++) {
        const double first = values[i];
        const bool choice = n->engine[i].kind == LM_TUNE_CHOICE;

        for (size_t k = 1; k < (choice ? n->engine[i].choices : 2); k++) {
            values[i] = choice ? (double)k : n->engine[i].high;
            check_options(n, values);
        }
        values[i] = first;
    }
}

static void
read_space(tuning *n, Jsonb *space)
{
    Jsonb *own;

    if (!JB_ROOT_IS_OBJECT(space))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the space of %s must be a JSON object", PROCEDURE)));
    n->fixed = read_members(n, space, false, &own);
    n->options = (tune_options){.search = "tpe", .stop = true};
    lmtext_options_read(own, &(lmtext_option_set){tune_table, lengthof(tune_table), &n->options},
                        1);
    if (lm_tune_search_find(n->options.search) == NULL)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("unknown search: \"%s\"", lmtext_clip(n->options.search)),
                        errhint("Available searches: tpe, random, grid.")));
    training_read_options(&n->t, n->fixed);
    read_members(n, space, true, &own);
    if (n->count == 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the space of %s varies no option", PROCEDURE),
                        errhint("Give an array of values or a range: {\"c\": {\"low\": 0.01, "
                                "\"high\": 100, \"log\": true}}.")));
    check_values(n);
    if (n->t.method->oracle != NULL)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("a method that asks an oracle cannot be tuned")));
}

/* ---- Rows ---- */

/* Copies: those of the reading go with their batch. */
static void
keep_batch(training *t, const lm_train_rows *rows)
{
    lmtext_kept_rows_add(&((tuning *)t->keeper)->rows, rows);
}

/* ---- Trials ---- */

static double
figure_named(const lm_train_outcome *outcome, const char *name)
{
    for (int i = 0; i < outcome->value_count; i++)
        if (strcmp(outcome->values[i].name, name) == 0)
            return outcome->values[i].value;
    return NAN;
}

/* More is better, but of what is called so. */
static bool
is_gain(const char *name)
{
    static const char *const costs[] = {"loss", "objective",  "mae",   "rmse",
                                        "ece",  "perplexity", "error", "seconds"};

    for (int i = 0; i < lengthof(costs); i++)
        if (strstr(name, costs[i]) != NULL)
            return false;
    return true;
}

/* The smaller the better. Of equal accuracies the smaller loss is better. */
static double
score_of(const tuning *n, const lm_train_outcome *outcome)
{
    static const char *const names[] = {"held_out_accuracy", "held_out_loss", "held_out_rmse",
                                        "loss"};
    const char *name = n->options.metric;
    double loss = figure_named(outcome, "held_out_loss"), figure;

    for (int i = 0; i < lengthof(names) && name == NULL; i++)
        if (isfinite(figure_named(outcome, names[i])))
            name = names[i];
    figure = name == NULL ? NAN : figure_named(outcome, name);
    if (!isfinite(figure))
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("trials have no figure to be compared by"),
                 name != NULL ? errdetail("Their metrics have no \"%s\".", lmtext_clip(name)) : 0,
                 errhint("Hold rows out, or name another metric.")));
    if (!is_gain(name))
        return figure;
    return -figure + (isfinite(loss) ? 1e-6 * loss / (1 + loss) : 0);
}

/* Called from inside the engine: must not throw. */
static void
watch_step(void *opaque, const lm_train_progress *step)
{
    tuning *n = opaque;

    training_report_step(&n->t, step);
    if (n->options.stop && lm_tune_report(&n->tune, n->t.progress.held_out_loss))
        n->stopped = true;
}

static bool
is_cancelled(void *opaque)
{
    const tuning *n =
        (const tuning *)((char *)opaque - offsetof(tuning, t) - offsetof(training, call));

    return n->stopped || n->cancelled(opaque);
}

static lm_status
run_trial(tuning *n)
{
    training *t = &n->t;
    const lm_train_watch watch = {
        .report = watch_step, .opaque = n, .memory = (size_t)maintenance_work_mem * 1024};
    lm_train_rows rows;
    const char *hint;

    LM_TRY(t->method->open(&t->call.ctx, t->method_options, (size_t)t->width, &t->state));
    training_read_base(t);
    lmtext_kept_rows_rewind(&n->rows);
    while (lmtext_kept_rows_next(&n->rows, &rows))
        LM_TRY(t->method->add_rows(t->state, &rows));
    if (t->method->lacking(t->state, &hint) != NULL)
        training_check_rows(t);
    LM_TRY(t->method->fit(t->state, &watch));
    return t->method->write(t->state, &n->outcome);
}

static void
free_outcome(lm_train_outcome *outcome)
{
    for (int i = 0; i < outcome->file_count; i++)
        lm_buffer_free(&outcome->files[i].bytes);
}

/* A line of the metrics. */
static void
tell_trial(tuning *n, const Jsonb *options, const char *state, double seconds)
{
    Jsonb *copy = unconstify(Jsonb *, options);

    appendStringInfo(&n->tried, "%s{\"options\": %s, \"state\": \"%s\"", n->trial > 1 ? ", " : "",
                     JsonbToCString(NULL, &copy->root, (int)VARSIZE(copy)), state);
    for (int i = 0; i < n->outcome.value_count; i++)
        if (strncmp(n->outcome.values[i].name, "held_out_", 9) == 0 &&
            isfinite(n->outcome.values[i].value))
            appendStringInfo(&n->tried, ", \"%s\": %.6g", n->outcome.values[i].name,
                             n->outcome.values[i].value);
    appendStringInfo(&n->tried, ", \"seconds\": %.3g}", seconds);
}

/* Names may be the training's, which is closed when its outcome is stored. */
static void
own_names(tuning *n, lm_train_outcome *outcome)
{
    const MemoryContext memory = n->t.memory;

    for (int i = 0; i < outcome->file_count; i++)
        outcome->files[i].name = MemoryContextStrdup(memory, outcome->files[i].name);
    for (int i = 0; i < outcome->value_count; i++)
        outcome->values[i].name = MemoryContextStrdup(memory, outcome->values[i].name);
}

/* Of those that ended, the best so far is kept. */
static double
judge(tuning *n, double seconds)
{
    const double score = score_of(n, &n->outcome);

    if (n->chosen > 0 && score >= n->best_score) {
        free_outcome(&n->outcome);
        return score;
    }
    if (n->chosen > 0)
        free_outcome(&n->best);
    n->best = n->outcome;
    own_names(n, &n->best);
    n->best_curve = n->t.curve;
    n->best_score = score;
    n->best_seconds = seconds;
    n->chosen = n->trial;
    return score;
}

/* What a trial's own options are to blame for ends the trial only. */
static bool
is_trials_fault(lm_status status)
{
    return status == LM_BAD_ARGUMENT || status == LM_TOO_LARGE || status == LM_NOT_FINITE;
}

static void
try_values(tuning *n, const double *values)
{
    training *t = &n->t;
    const TimestampTz start = GetCurrentTimestamp();
    const char *state = "done";
    double score = NAN, seconds;
    lm_status status;

    training_read_options(t, trial_options(n, values, true));
    memset(&t->curve, 0, sizeof t->curve);
    memset(&n->outcome, 0, sizeof n->outcome);
    t->progress.step = t->progress.max_steps = 0;
    t->progress.phase[0] = '\0';
    n->stopped = false;
    t->state = NULL;
    training_report_phase(t, "training");
    status = run_trial(n);
    seconds = (double)(GetCurrentTimestamp() - start) / 1e6;
    if (status == LM_CANCELLED && n->stopped && t->call.interrupt == NULL)
        state = "stopped";
    else if (is_trials_fault(status))
        state = "failed";
    else {
        lmtext_check(&t->call, status, t->name);
        score = judge(n, seconds);
    }
    t->method->close(t->state);
    tell_trial(n, trial_options(n, values, false), state, seconds);
    training_report_phase(t, state);
    n->stopped = false;
    if (strcmp(state, "stopped") == 0)
        score = INFINITY;
    lmtext_check(&t->call, lm_tune_tell(&n->tune, values, score, strcmp(state, "done") == 0), NULL);
}

/* Each trial is a run of its own in sight of others; the first began with the reading. */
static void
run_trials(tuning *n)
{
    training *t = &n->t;
    double values[DIMENSIONS_MAX];
    bool more;

    lmtext_tell_phase(&(lmtext_phase){"tried", "trials", .total = n->trials, .about = "at most "});
    for (n->trial = 1; n->trial <= n->trials; n->trial++) {
        lmtext_check(&t->call, lm_tune_next(&n->tune, values, &more), NULL);
        if (!more)
            break;
        if (n->trial > 1)
            t->run = lmtext_progress_begin(t->name);
        try_values(n, values);
        lmtext_progress_end(t->run);
        LMTEXT_FAULT_POINT("tune_tried");
    }
    n->trial--;
}

static void
check_best(const tuning *n)
{
    if (n->chosen == 0)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("no trial of %s came to an end", PROCEDURE),
                 errdetail("The last one failed: %s", lmtext_clip(n->t.call.ctx.error.message))));
}

static int
store_best(tuning *n)
{
    StringInfoData more;
    int version;

    n->t.curve = n->best_curve;
    n->t.train_seconds = n->best_seconds;
    initStringInfo(&more);
    appendStringInfo(&more, "\"search\": \"%s\", \"trial\": %d, \"trials\": [%s]",
                     n->tune.search->name, n->chosen, n->tried.data);
    version = training_store(&n->t, &n->best, more.data);
    LMTEXT_FAULT_POINT("tune_stored");
    return version;
}

static void
read_arguments(FunctionCallInfo fcinfo, tuning *n)
{
    static const char *const names[] = {"name", "query", "space", "trials"};

    for (int i = 0; i < lengthof(names); i++)
        if (PG_ARGISNULL(i))
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("argument %s of %s must not be null", names[i], PROCEDURE)));
    PreventCommandIfReadOnly(PROCEDURE);
    n->t.name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    n->trials = lmtext_arg_int(fcinfo, 3, "trials", 0, 1, LM_TUNE_TRIALS_MAX);
    read_space(n, PG_GETARG_JSONB_P(2));
    lmtext_version_check_name(n->t.name);
    if (training_wants_base(&n->t))
        training_choose_base(fcinfo, &n->t);
}

static void
open_tuning(tuning *n)
{
    training *t = &n->t;
    int64 seed = 42;
    JsonbValue *given = getKeyJsonValueFromContainer(&n->fixed->root, "seed", 4, NULL);

    if (given != NULL && given->type == jbvNumeric)
        seed =
            DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(given->val.numeric)));
    t->memory = CurrentMemoryContext;
    training_start(t);
    t->method->close(t->state);
    n->cancelled = t->call.ctx.cancelled;
    t->call.ctx.cancelled = is_cancelled;
    n->rows = (lmtext_kept_rows){.memory = t->memory,
                                 .limit = (size_t)maintenance_work_mem * 1024,
                                 .width = (size_t)t->width,
                                 .columns = t->column_table};
    t->keep_rows = keep_batch;
    t->keeper = n;
    initStringInfo(&n->tried);
    lmtext_check(&t->call,
                 lm_tune_open(&n->tune, &t->call.ctx, n->engine, (size_t)n->count,
                              lm_tune_search_find(n->options.search), (uint64)seed),
                 NULL);
}

/* tune(name, query, space, trials) */
static Datum
lmtext_tune_call(PG_FUNCTION_ARGS)
{
    tuning *n = palloc0(sizeof *n);
    int version;
    bool told;

    n->t.procedure = PROCEDURE;
    read_arguments(fcinfo, n);
    told = lmtext_tell_begin(n->t.name);
    n->t.run = lmtext_progress_begin(n->t.name);
    SPI_connect();
    open_tuning(n);
    training_read_rows(&n->t, text_to_cstring(PG_GETARG_TEXT_PP(1)));
    if (n->t.rows == 0)
        training_check_rows(&n->t);
    run_trials(n);
    lmtext_kept_rows_close(&n->rows);
    check_best(n);
    version = store_best(n);
    lmtext_tell_end(told);
    training_notice(&n->t, version, &n->best);
    SPI_finish();
    PG_RETURN_VOID();
}
