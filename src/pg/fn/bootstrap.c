/*
 * bootstrap.c - how far a measure would move over other rows like these: resamples of a query's
 * rows. Its columns are the arguments of the measure, settings included.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/rng.h"
#include "base/sort.h"
#include "metrics/compare.h"
#include "pg/fn/measure.h"
#include "pg/fn/query.h"

#define BATCH_ROWS 1024
#define RESAMPLES_MAX 1000000
#define LOW 0.025
#define HIGH 0.975

PG_FUNCTION_INFO_V1(lmtext_bootstrap);

/* The columns of the query: those of a row, then settings. */
typedef struct sample {
    const lm_metric *metric;
    lmtext_call call;
    MemoryContext memory; /* of all that lives as long as the sample */
    int columns, settings_count;
    lm_metric_type types[LMTEXT_COLUMNS_MAX];
    lmtext_labels *labels;
    lm_metric_value settings[LM_METRIC_SETTINGS_MAX];
    bool has_settings;
    lm_metric_value (*rows)[LM_METRIC_COLUMNS_MAX];
    size_t count, room;
} sample;

/* Labels beside an array of them are texts, as its elements are. */
static bool
has_arrays(const lm_metric *metric)
{
    for (int i = 0; metric->counts->columns[i].name != NULL; i++)
        if (metric->counts->columns[i].type == LM_METRIC_LABELS)
            return true;
    return false;
}

static lmtext_column_kind
kind_of(const sample *s, lm_metric_type type)
{
    static const lmtext_column_kind kinds[] = {
        [LM_METRIC_LABEL] = LMTEXT_COLUMN_ANY,     [LM_METRIC_TEXT] = LMTEXT_COLUMN_TEXT,
        [LM_METRIC_NUMBER] = LMTEXT_COLUMN_NUMBER, [LM_METRIC_WHOLE] = LMTEXT_COLUMN_WHOLE,
        [LM_METRIC_BOOL] = LMTEXT_COLUMN_BOOL,     [LM_METRIC_NUMBERS] = LMTEXT_COLUMN_NUMBERS,
        [LM_METRIC_LABELS] = LMTEXT_COLUMN_TEXTS,  [LM_METRIC_TEXTS] = LMTEXT_COLUMN_TEXTS,
    };

    return type == LM_METRIC_LABEL && has_arrays(s->metric) ? LMTEXT_COLUMN_LABEL : kinds[type];
}

/* Columns of the query, as the metric has them. */
static void
list_columns(sample *s, TupleDesc row, lmtext_column *columns)
{
    const lm_metric_column *own = s->metric->counts->columns;
    int count = row->natts;

    s->columns = 0;
    while (own[s->columns].name != NULL)
        s->columns++;
    s->settings_count = count - s->columns;
    for (int i = 0; i < count; i++) {
        const lm_metric_column *c = i < s->columns ? &own[i] : &s->metric->settings[i - s->columns];

        s->types[i] = c->type;
        columns[i] = (lmtext_column){c->name, kind_of(s, c->type)};
        if (c->type == LM_METRIC_TEXTS && !type_is_array_domain(TupleDescAttr(row, i)->atttypid))
            columns[i].kind = LMTEXT_COLUMN_TEXT;
    }
}

static void
open_sample(sample *s, lmtext_query *reader, const char *query, const char *metric)
{
    lmtext_column columns[LMTEXT_COLUMNS_MAX];
    int count = lmtext_query_start(reader, "lmtext.bootstrap", query);

    s->metric = lm_metric_find(metric, count);
    if (s->metric == NULL)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("there is no measure \"%s\" of %d arguments", lmtext_clip(metric), count),
                 errhint("The columns of the query are the arguments of one of the "
                         "measures of the schema lmtext, such as f1.")));
    list_columns(s, reader->portal->tupDesc, columns);
    lmtext_query_bind(reader, "lmtext.bootstrap", columns, count);
    if (has_arrays(s->metric))
        s->labels = lmtext_labels_new(s->memory, TEXTOID, DEFAULT_COLLATION_OID);
    else if (OidIsValid(reader->type))
        s->labels = lmtext_labels_new(s->memory, reader->type, reader->collation);
}

/* A field as the datum that the metric's type is read from. */
static NullableDatum
datum_of(const lmtext_query_field *field, lmtext_column_kind kind)
{
    NullableDatum datum = field->value;

    if (kind == LMTEXT_COLUMN_TEXT || kind == LMTEXT_COLUMN_LABEL) {
        datum.isnull = field->text == NULL;
        datum.value = datum.isnull ? (Datum)0 : CStringGetTextDatum(field->text);
    }
    return datum;
}

/* Those of the first row are kept, with what they point to; others must be the same. */
static void
take_settings(sample *s, const lmtext_query *reader, const lmtext_query_row *row)
{
    for (int i = 0; i < s->settings_count; i++) {
        int column = s->columns + i;
        NullableDatum datum = datum_of(&row->fields[column], reader->columns[column].kind);
        lm_metric_value setting;

        if (datum.isnull)
            lmtext_refuse_settings(s->metric, ERRCODE_NULL_VALUE_NOT_ALLOWED, "not be null");
        lmtext_metric_setting(datum.value, s->types[column], s->labels, &setting);
        if (!s->has_settings)
            lmtext_metric_setting(datum.value, s->types[column], s->labels, &s->settings[i]);
        else if (!lmtext_same_setting(&setting, &s->settings[i]))
            lmtext_refuse_settings(s->metric, ERRCODE_INVALID_PARAMETER_VALUE,
                                   "be the same in all rows");
    }
    if (!s->has_settings && s->metric->check != NULL)
        lmtext_check(&s->call, s->metric->check(&s->call.ctx, s->settings), NULL);
    s->has_settings = true;
}

static void
reserve_row(sample *s)
{
    Size size;

    if (s->count < s->room)
        return;
    s->room = Max(2 * s->room, BATCH_ROWS);
    size = mul_size(s->room, sizeof *s->rows);
    s->rows =
        s->rows == NULL ? MemoryContextAllocHuge(s->memory, size) : repalloc_huge(s->rows, size);
}

static lm_metric_value
value_of(const sample *s, const lmtext_query *reader, int column, Datum datum)
{
    lm_metric_type type = s->types[column];

    if (type == LM_METRIC_TEXTS && reader->columns[column].kind == LMTEXT_COLUMN_TEXT)
        return lmtext_metric_one_text(datum);
    return lmtext_metric_value(datum, type, s->labels);
}

/* A row in which a column is NULL, or that has no text where there may be several, is left out. */
static void
take_row(sample *s, const lmtext_query *reader, const lmtext_query_row *row)
{
    NullableDatum datums[LM_METRIC_COLUMNS_MAX];
    lm_metric_value *values;

    for (int i = 0; i < s->columns; i++) {
        datums[i] = datum_of(&row->fields[i], reader->columns[i].kind);
        if (datums[i].isnull)
            return;
    }
    take_settings(s, reader, row);
    reserve_row(s);
    values = s->rows[s->count];
    for (int i = 0; i < s->columns; i++) {
        values[i] = value_of(s, reader, i, datums[i].value);
        if (s->types[i] == LM_METRIC_TEXTS && values[i].count == 0)
            return;
    }
    s->count++;
}

/* Values stay where they are fetched to, since rows point into them. */
static void
read_sample(sample *s, const char *query, const char *metric)
{
    lmtext_query_row *rows;
    lmtext_query reader;
    int count;

    SPI_connect();
    rows = palloc(BATCH_ROWS * sizeof *rows);
    open_sample(s, &reader, query, metric);
    MemoryContextSwitchTo(s->memory);
    while ((count = lmtext_query_fetch(&reader, BATCH_ROWS, rows)) > 0) {
        CHECK_FOR_INTERRUPTS();
        for (int i = 0; i < count; i++)
            take_row(s, &reader, &rows[i]);
    }
    lmtext_query_close(&reader);
    SPI_finish();
}

/* Settings stand behind the columns, as counts read them. */
static void
add_row(sample *s, void *counts, const lm_metric_value *columns)
{
    lm_metric_value row[LM_METRIC_ROW_MAX];

    memcpy(row, columns, s->columns * sizeof *row);
    memcpy(row + s->columns, s->settings, sizeof s->settings);
    lmtext_check(&s->call, s->metric->counts->add(counts, row), NULL);
}

/* The measure over all rows (rng is NULL), or over as many that are drawn. */
static double
measure(sample *s, MemoryContext scratch, lm_rng *rng)
{
    MemoryContext caller = MemoryContextSwitchTo(scratch);
    double value;
    void *counts;

    s->call.memory = scratch;
    lmtext_check(&s->call, s->metric->counts->create(&s->call.ctx, &counts), NULL);
    for (size_t i = 0; i < s->count; i++) {
        size_t row = rng != NULL ? lm_rng_below(rng, s->count) : i;

        CHECK_FOR_INTERRUPTS();
        add_row(s, counts, s->rows[row]);
    }
    value = lmtext_metric_result(&s->call, s->metric, counts, s->labels, s->settings);
    MemoryContextSwitchTo(caller);
    MemoryContextReset(scratch);
    return value;
}

static int
compare_values(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Percentiles of resamples, of which those that are undefined are left out. */
static void
resample(sample *s, MemoryContext scratch, int resamples, uint64 seed, double *low, double *high)
{
    double *values = palloc(resamples * sizeof *values);
    size_t count = 0;
    lm_rng rng;

    lm_rng_seed(&rng, seed);
    for (int i = 0; i < resamples; i++) {
        values[count] = measure(s, scratch, &rng);
        count += !isnan(values[count]);
    }
    s->call.memory = s->memory;
    lmtext_check(&s->call, lm_sort(&s->call.ctx, values, count, sizeof *values, compare_values),
                 NULL);
    *low = count > 0 ? lm_percentile(values, count, LOW) : NAN;
    *high = count > 0 ? lm_percentile(values, count, HIGH) : NAN;
}

/* bootstrap(query, metric, n, seed) */
Datum
lmtext_bootstrap(PG_FUNCTION_ARGS)
{
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
    int resamples = PG_GETARG_INT32(2);
    sample *s = palloc0(sizeof *s);
    double found[3] = {NAN, NAN, NAN};
    MemoryContext scratch;
    Datum values[3];
    bool nulls[3];

    InitMaterializedSRF(fcinfo, 0);
    if (resamples < 1 || resamples > RESAMPLES_MAX)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("n of lmtext.bootstrap must be between 1 and %d", RESAMPLES_MAX),
                        errdetail("It is %d.", resamples)));
    s->memory = CurrentMemoryContext;
    lmtext_call_init(&s->call, s->memory);
    read_sample(s, text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(1)));
    scratch = AllocSetContextCreate(s->memory, "lmtext resample", ALLOCSET_DEFAULT_SIZES);
    if (s->count > 0) {
        found[0] = measure(s, scratch, NULL);
        resample(s, scratch, resamples, (uint64)PG_GETARG_INT64(3), &found[1], &found[2]);
    }
    for (int i = 0; i < 3; i++) {
        values[i] = Float8GetDatum(found[i]);
        nulls[i] = isnan(found[i]);
    }
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    return (Datum)0;
}
