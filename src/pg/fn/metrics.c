/*
 * metrics.c - the entries of aggregates that measure, and reports over a query's pairs of labels.
 *
 * Every metric of the engine's table has the same five entries, made by one macro: what they count,
 * and what comes of it, is the engine's. accuracy alone counts here, since it needs only the
 * equality of a type. One rule for all: labels are values of any type, and equal where the type's
 * own equality says so (labels.h). Rows in which a column is NULL are left out everywhere.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/typcache.h"

#include "metrics/classification.h"
#include "pg/fn/labels.h"
#include "pg/fn/measure.h"
#include "pg/fn/query.h"

/* State of accuracy, as the elements of a bigint[]. */
typedef struct accuracy_counts {
    int64 right, total;
} accuracy_counts;

/*
 * State of a metric, in the aggregate's memory context, and small: there is one for each group. The
 * call, which is not, is shared by all that one function of a plan has made, and lives as long as
 * the plan.
 */
typedef struct metric_state {
    const lm_metric *metric;
    lmtext_call *call;
    MemoryContext memory;
    void *counts;              /* the engine's */
    lmtext_labels *labels;     /* keys of which are counted; NULL: no column is a label */
    lm_metric_value *settings; /* of the first row; all rows must agree */
} metric_state;

#define BATCH_ROWS 4096

PG_FUNCTION_INFO_V1(lmtext_accuracy_accum);
PG_FUNCTION_INFO_V1(lmtext_accuracy_combine);
PG_FUNCTION_INFO_V1(lmtext_accuracy_final);
PG_FUNCTION_INFO_V1(lmtext_classification_report);
PG_FUNCTION_INFO_V1(lmtext_confusion_matrix);

static ArrayType *counts_to_change(FunctionCallInfo fcinfo);
static accuracy_counts *counts_of(ArrayType *array);
static bool equal_arguments(FunctionCallInfo fcinfo);
static metric_state *count_query(FunctionCallInfo fcinfo, const char *function);

/* ---- accuracy ---- */

Datum
lmtext_accuracy_accum(PG_FUNCTION_ARGS)
{
    ArrayType *array = counts_to_change(fcinfo);
    accuracy_counts *counts = counts_of(array);

    counts->total++;
    counts->right += equal_arguments(fcinfo);
    PG_RETURN_ARRAYTYPE_P(array);
}

Datum
lmtext_accuracy_combine(PG_FUNCTION_ARGS)
{
    ArrayType *array = counts_to_change(fcinfo);
    accuracy_counts *counts = counts_of(array), *more = counts_of(PG_GETARG_ARRAYTYPE_P(1));

    counts->total += more->total;
    counts->right += more->right;
    PG_RETURN_ARRAYTYPE_P(array);
}

Datum
lmtext_accuracy_final(PG_FUNCTION_ARGS)
{
    accuracy_counts *counts = counts_of(PG_GETARG_ARRAYTYPE_P(0));

    if (counts->total == 0)
        PG_RETURN_NULL();
    PG_RETURN_FLOAT8((double)counts->right / (double)counts->total);
}

/* The state in place where an aggregate owns it, else a copy. */
static ArrayType *
counts_to_change(FunctionCallInfo fcinfo)
{
    return AggCheckCallContext(fcinfo, NULL) ? PG_GETARG_ARRAYTYPE_P(0)
                                             : PG_GETARG_ARRAYTYPE_P_COPY(0);
}

/* Anybody may call a transition function with any array. */
static accuracy_counts *
counts_of(ArrayType *array)
{
    if (ARR_NDIM(array) != 1 || ARR_HASNULL(array) || ARR_ELEMTYPE(array) != INT8OID ||
        ARR_SIZE(array) != ARR_OVERHEAD_NONULLS(1) + sizeof(accuracy_counts))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("state of accuracy must be two counts")));
    return (accuracy_counts *)ARR_DATA_PTR(array);
}

/* Are arguments 1 and 2 equal, by the default equality of their type? */
static bool
equal_arguments(FunctionCallInfo fcinfo)
{
    TypeCacheEntry *type = fcinfo->flinfo->fn_extra;

    if (type == NULL) {
        Oid oid = get_fn_expr_argtype(fcinfo->flinfo, 1);

        if (!OidIsValid(oid))
            elog(ERROR, "could not determine the type of the arguments");
        type = lookup_type_cache(oid, TYPECACHE_EQ_OPR_FINFO);
        if (!OidIsValid(type->eq_opr_finfo.fn_oid))
            ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
                            errmsg("could not identify an equality operator for type %s",
                                   format_type_be(oid))));
        fcinfo->flinfo->fn_extra = type;
    }
    return DatumGetBool(FunctionCall2Coll(&type->eq_opr_finfo, PG_GET_COLLATION(),
                                          PG_GETARG_DATUM(1), PG_GETARG_DATUM(2)));
}

/* ---- States of metrics ---- */

/*
 * Where a state lives that outlasts a row. States are pointers: no call but an aggregate's has
 * one.
 */
static MemoryContext
aggregate_memory(FunctionCallInfo fcinfo)
{
    MemoryContext memory;

    if (!AggCheckCallContext(fcinfo, &memory))
        elog(ERROR, "aggregate function called in non-aggregate context");
    return memory;
}

/* What all states that this function of a plan makes share. */
typedef struct shared {
    lmtext_call call;
    lmtext_labels *labels; /* none: their type only; NULL: not known yet, or no column is a label */
} shared;

static shared *
shared_of(FunctionCallInfo fcinfo)
{
    shared *s = fcinfo->flinfo->fn_extra;

    if (s == NULL) {
        s = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof *s);
        lmtext_call_init(&s->call, fcinfo->flinfo->fn_mcxt);
        fcinfo->flinfo->fn_extra = s;
    }
    return s;
}

/* A status of the engine's about a state. */
static void
check(metric_state *state, lm_status status)
{
    lmtext_check(state->call, status, NULL);
}

/* Before each call of the engine: allocations go to where the state lives, and with it. */
static void
use_state(metric_state *state)
{
    state->call->memory = state->memory;
}

static int
count_columns(const lm_metric_column *columns)
{
    int count = 0;

    while (columns != NULL && columns[count].name != NULL)
        count++;
    return count;
}

static metric_state *
state_new(const lm_metric *metric, lmtext_call *call, MemoryContext memory, lmtext_labels *labels)
{
    metric_state *state = MemoryContextAllocZero(memory, sizeof(*state));

    state->metric = metric;
    state->call = call;
    state->memory = memory;
    state->labels = labels;
    use_state(state);
    check(state, metric->counts->create(&call->ctx, &state->counts));
    return state;
}

/* Elements of an array, none of which may be null. */
static void
refuse_nulls(ArrayType *array)
{
    if (ARR_NDIM(array) > 1)
        ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
                        errmsg("array of a measure must be one-dimensional")));
    if (array_contains_nulls(array))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("array of a measure must not contain nulls")));
}

static lm_metric_value
numbers_of(Datum datum, lmtext_labels *labels)
{
    ArrayType *array = DatumGetArrayTypeP(datum);

    refuse_nulls(array);
    return (lm_metric_value){.numbers = (const double *)ARR_DATA_PTR(array),
                             .count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array))};
}

static lm_metric_value
labels_of(Datum datum, lmtext_labels *labels)
{
    ArrayType *array = DatumGetArrayTypeP(datum);
    lm_text *keys;
    Datum *elements;
    int count;

    refuse_nulls(array);
    deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &count);
    keys = palloc(Max(count, 1) * sizeof *keys);
    for (int i = 0; i < count; i++)
        keys[i] = lmtext_labels_key(labels, elements[i]);
    return (lm_metric_value){.labels = keys, .count = count};
}

static lm_metric_value
label_of(Datum datum, lmtext_labels *labels)
{
    lm_text key = lmtext_labels_key(labels, datum);

    return (lm_metric_value){.bytes = key.bytes, .length = key.length};
}

static lm_metric_value
text_of(Datum datum, lmtext_labels *labels)
{
    lm_text utf8 = lmtext_utf8_from_text(DatumGetTextPP(datum));

    return (lm_metric_value){.bytes = utf8.bytes, .length = utf8.length};
}

static lm_metric_value
number_of(Datum datum, lmtext_labels *labels)
{
    return (lm_metric_value){.number = DatumGetFloat8(datum)};
}

static lm_metric_value
whole_of(Datum datum, lmtext_labels *labels)
{
    return (lm_metric_value){.whole = DatumGetInt64(datum)};
}

static lm_metric_value
bool_of(Datum datum, lmtext_labels *labels)
{
    return (lm_metric_value){.whole = DatumGetBool(datum)};
}

/* Those that are not null. */
static lm_metric_value
texts_of(Datum datum, lmtext_labels *labels)
{
    lm_text *texts;
    bool *nulls;
    int count, kept = 0;

    lmtext_texts_from_array(DatumGetArrayTypeP(datum), &texts, &nulls, &count);
    for (int i = 0; i < count; i++)
        if (!nulls[i])
            texts[kept++] = texts[i];
    return (lm_metric_value){.texts = texts, .count = kept};
}

/* Types of columns: how a value that is not null becomes the engine's. */
static const struct {
    lm_metric_value (*read)(Datum datum, lmtext_labels *labels);
    bool is_label;
} types[] = {
    [LM_METRIC_LABEL] = {label_of, true},    [LM_METRIC_TEXT] = {text_of, false},
    [LM_METRIC_NUMBER] = {number_of, false}, [LM_METRIC_WHOLE] = {whole_of, false},
    [LM_METRIC_BOOL] = {bool_of, false},     [LM_METRIC_NUMBERS] = {numbers_of, false},
    [LM_METRIC_LABELS] = {labels_of, true},  [LM_METRIC_TEXTS] = {texts_of, false},
};

/* NULL where no column is a label, else of the type that the labels have in common. */
static lmtext_labels *
argument_labels(FunctionCallInfo fcinfo, const lm_metric *metric)
{
    for (int i = 0; metric->counts->columns[i].name != NULL; i++)
        if (types[metric->counts->columns[i].type].is_label) {
            Oid type = get_fn_expr_argtype(fcinfo->flinfo, i + 1);

            if (!OidIsValid(type))
                elog(ERROR, "could not determine the type of the arguments");
            return lmtext_labels_new(fcinfo->flinfo->fn_mcxt, type, PG_GET_COLLATION());
        }
    return NULL;
}

lm_metric_value
lmtext_metric_value(Datum datum, lm_metric_type type, lmtext_labels *labels)
{
    return types[type].read(datum, labels);
}

lm_metric_value
lmtext_metric_one_text(Datum datum)
{
    lm_text *one = palloc(sizeof *one);

    *one = lmtext_utf8_from_text(DatumGetTextPP(datum));
    return (lm_metric_value){.texts = one, .count = 1};
}

/* An argument that is not null. What may be several texts may be one. */
static lm_metric_value
argument_value(FunctionCallInfo fcinfo, int argno, lm_metric_type type, lmtext_labels *labels)
{
    if (type == LM_METRIC_TEXTS && get_fn_expr_argtype(fcinfo->flinfo, argno) != TEXTARRAYOID)
        return lmtext_metric_one_text(PG_GETARG_DATUM(argno));
    return lmtext_metric_value(PG_GETARG_DATUM(argno), type, labels);
}

/* ---- Settings ---- */

void
lmtext_refuse_settings(const lm_metric *metric, int sqlstate, const char *must)
{
    StringInfoData names;

    initStringInfo(&names);
    for (int i = 0; metric->settings[i].name != NULL; i++) {
        bool last = metric->settings[i + 1].name == NULL;

        appendStringInfo(&names, "%s%s",
                         i == 0 ? ""
                         : last ? " and "
                                : ", ",
                         metric->settings[i].name);
    }
    ereport(ERROR, (errcode(sqlstate), errmsg("%s of %s must %s", names.data, metric->name, must)));
}

/* That of a number points into itself. */
void
lmtext_metric_setting(Datum datum, lm_metric_type type, lmtext_labels *labels,
                      lm_metric_value *setting)
{
    *setting = lmtext_metric_value(datum, type, labels);
    if (type == LM_METRIC_NUMBER) {
        setting->bytes = (const char *)&setting->number;
        setting->length = sizeof setting->number;
    } else if (type == LM_METRIC_WHOLE || type == LM_METRIC_BOOL) {
        setting->bytes = (const char *)&setting->whole;
        setting->length = sizeof setting->whole;
    }
}

/* The number of a setting of which only the bytes have come. */
static void
take_number(lm_metric_value *setting, lm_metric_type type)
{
    if (setting->bytes == NULL)
        return;
    if (type == LM_METRIC_NUMBER && setting->length == sizeof setting->number)
        memcpy(&setting->number, setting->bytes, sizeof setting->number);
    if ((type == LM_METRIC_WHOLE || type == LM_METRIC_BOOL) &&
        setting->length == sizeof setting->whole)
        memcpy(&setting->whole, setting->bytes, sizeof setting->whole);
}

/* Those of this row, from argument `first` on; an aggregate may be declared without some of the
 * last. */
static void
read_settings(FunctionCallInfo fcinfo, const lm_metric *metric, int first, lmtext_labels *labels,
              lm_metric_value *settings)
{
    memset(settings, 0, LM_METRIC_SETTINGS_MAX * sizeof *settings);
    for (int i = 0; first + i < PG_NARGS(); i++) {
        if (PG_ARGISNULL(first + i))
            lmtext_refuse_settings(metric, ERRCODE_NULL_VALUE_NOT_ALLOWED, "not be null");
        lmtext_metric_setting(PG_GETARG_DATUM(first + i), metric->settings[i].type, labels,
                              &settings[i]);
    }
}

bool
lmtext_same_setting(const lm_metric_value *a, const lm_metric_value *b)
{
    if (a->bytes == NULL || b->bytes == NULL)
        return a->bytes == b->bytes;
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

/* Where there are settings already, see that these are the same. */
static void
keep_settings(metric_state *state, const lm_metric_value *settings)
{
    int count = count_columns(state->metric->settings);

    if (state->settings == NULL) {
        state->settings = MemoryContextAlloc(state->memory, count * sizeof *settings);
        for (int i = 0; i < count; i++) {
            state->settings[i] = settings[i];
            if (settings[i].bytes == NULL)
                continue;
            state->settings[i].bytes =
                MemoryContextAllocHuge(state->memory, settings[i].length + 1);
            memcpy(unconstify(char *, state->settings[i].bytes), settings[i].bytes,
                   settings[i].length);
        }
        return;
    }
    for (int i = 0; i < count; i++)
        if (!lmtext_same_setting(&state->settings[i], &settings[i]))
            lmtext_refuse_settings(state->metric, ERRCODE_INVALID_PARAMETER_VALUE,
                                   "be the same in all rows");
}

/* Keep the settings of the first row, and see that later rows say the same. */
static void
take_settings(FunctionCallInfo fcinfo, metric_state *state)
{
    lm_metric_value settings[LM_METRIC_SETTINGS_MAX];
    int first = 1 + count_columns(state->metric->counts->columns);

    if (state->metric->settings == NULL || (PG_NARGS() <= first && state->settings != NULL))
        return;
    read_settings(fcinfo, state->metric, first, state->labels, settings);
    if (state->settings == NULL)
        check(state, state->metric->check(&state->call->ctx, settings));
    keep_settings(state, settings);
}

/* ---- The entries ---- */

/* Columns from argument `first` on; false where one has no text. */
static bool
read_columns(FunctionCallInfo fcinfo, const lm_metric *metric, int first, lmtext_labels *labels,
             lm_metric_value *row)
{
    const lm_metric_column *columns = metric->counts->columns;
    bool whole = true;

    for (int i = 0; columns[i].name != NULL; i++) {
        row[i] = argument_value(fcinfo, first + i, columns[i].type, labels);
        whole = whole && (columns[i].type != LM_METRIC_TEXTS || row[i].count > 0);
    }
    return whole;
}

/* Behind the columns, as counts read them. */
static void
append_settings(const lm_metric *metric, const lm_metric_value *settings, lm_metric_value *row)
{
    int count = count_columns(metric->settings);

    if (count > 0)
        memcpy(row + count_columns(metric->counts->columns), settings, count * sizeof *settings);
}

/* The state of a group, of whose labels the type is known. */
static metric_state *
group_state(FunctionCallInfo fcinfo, const lm_metric *metric, MemoryContext memory)
{
    shared *s = shared_of(fcinfo);

    return state_new(metric, &s->call, memory,
                     s->labels != NULL ? lmtext_labels_like(memory, s->labels) : NULL);
}

/* accum(state, columns …[, settings …]) */
static Datum
metric_accum(FunctionCallInfo fcinfo, const lm_metric *metric)
{
    MemoryContext memory = aggregate_memory(fcinfo);
    metric_state *state = PG_ARGISNULL(0) ? NULL : (metric_state *)PG_GETARG_POINTER(0);
    const lm_metric_column *columns = metric->counts->columns;
    lm_metric_value row[LM_METRIC_ROW_MAX];

    for (int i = 0; columns[i].name != NULL; i++)
        if (PG_ARGISNULL(i + 1)) {
            if (state == NULL)
                PG_RETURN_NULL();
            PG_RETURN_POINTER(state);
        }
    if (shared_of(fcinfo)->labels == NULL)
        shared_of(fcinfo)->labels = argument_labels(fcinfo, metric);
    if (state == NULL)
        state = group_state(fcinfo, metric, memory);
    take_settings(fcinfo, state);
    if (!read_columns(fcinfo, metric, 1, state->labels, row))
        PG_RETURN_POINTER(state);
    append_settings(metric, state->settings, row);
    use_state(state);
    check(state, metric->counts->add(state->counts, row));
    PG_RETURN_POINTER(state);
}

/* Two states number the same labels in different ways. */
typedef struct label_translation {
    const lmtext_labels *labels; /* of the one */
    lm_text *keys;               /* in the other */
} label_translation;

/* Called from inside the engine: must not throw. */
static void
translate_label(void *opaque, const char **bytes, size_t *length)
{
    const label_translation *t = opaque;
    lm_text key = lmtext_labels_translated(t->labels, t->keys, *bytes, *length);

    *bytes = key.bytes;
    *length = key.length;
}

/* The settings of a state that is to become part of another. */
static void
merge_settings(metric_state *into, const metric_state *from, label_translation *translation)
{
    lm_metric_value settings[LM_METRIC_SETTINGS_MAX];

    if (from->settings == NULL)
        return;
    for (int i = 0; into->metric->settings[i].name != NULL; i++) {
        settings[i] = from->settings[i];
        if (settings[i].bytes != NULL && into->metric->settings[i].type == LM_METRIC_LABEL)
            translate_label(translation, &settings[i].bytes, &settings[i].length);
    }
    keep_settings(into, settings);
}

static void
merge_state(metric_state *into, const metric_state *from)
{
    label_translation translation = {from->labels, NULL};
    lm_label_map map = {translate_label, &translation};

    if (from->labels != NULL)
        translation.keys = lmtext_labels_translate(into->labels, from->labels);
    merge_settings(into, from, &translation);
    use_state(into);
    check(into, into->metric->counts->merge(into->counts, from->counts,
                                            from->labels != NULL ? &map : NULL));
    if (translation.keys != NULL)
        pfree(translation.keys);
}

/* Either state may be absent: a worker that saw no row. */
static Datum
metric_combine(FunctionCallInfo fcinfo, const lm_metric *metric)
{
    MemoryContext memory = aggregate_memory(fcinfo);
    metric_state *into = PG_ARGISNULL(0) ? NULL : (metric_state *)PG_GETARG_POINTER(0);
    const metric_state *from = PG_ARGISNULL(1) ? NULL : (const metric_state *)PG_GETARG_POINTER(1);

    if (from == NULL && into == NULL)
        PG_RETURN_NULL();
    if (from == NULL)
        PG_RETURN_POINTER(into);
    if (shared_of(fcinfo)->labels == NULL && from->labels != NULL)
        shared_of(fcinfo)->labels = lmtext_labels_anew(fcinfo->flinfo->fn_mcxt, from->labels);
    if (into == NULL)
        into = group_state(fcinfo, metric, memory);
    merge_state(into, from);
    PG_RETURN_POINTER(into);
}

/* A setting: whether it was given, and its bytes after their length. */
static void
send_setting(StringInfo out, const lm_metric_value *setting)
{
    pq_sendbyte(out, setting->bytes != NULL);
    pq_sendint32(out, (uint32)setting->length);
    pq_sendbytes(out, setting->bytes != NULL ? setting->bytes : "", (int)setting->length);
}

/* Points into the message; pq_getmsgbytes checks that the bytes are there. */
static lm_metric_value
receive_setting(StringInfo in, lm_metric_type type)
{
    bool given = pq_getmsgbyte(in) != 0;
    int length = (int)pq_getmsgint(in, 4);
    const char *bytes = pq_getmsgbytes(in, length);
    lm_metric_value setting = {.bytes = given ? bytes : NULL, .length = length};

    take_number(&setting, type);
    return setting;
}

/* Labels, settings, then the engine's counts. */
static Datum
metric_serialize(FunctionCallInfo fcinfo, const lm_metric *metric)
{
    int settings = count_columns(metric->settings);
    metric_state *state;
    StringInfoData out;
    lm_buffer counts;

    aggregate_memory(fcinfo);
    state = (metric_state *)PG_GETARG_POINTER(0);
    pq_begintypsend(&out);
    pq_sendbyte(&out, state->labels != NULL);
    if (state->labels != NULL)
        lmtext_labels_send(state->labels, &out);
    for (int i = 0; i < settings; i++)
        send_setting(&out, &state->settings[i]);
    state->call->memory = CurrentMemoryContext;
    lm_buffer_init(&counts, &state->call->ctx);
    check(state, metric->counts->write(state->counts, &counts));
    if (counts.size > MaxAllocSize)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("the state of %s is too large for a parallel plan", metric->name)));
    appendBinaryStringInfo(&out, counts.data != NULL ? counts.data : "", (int)counts.size);
    lm_buffer_free(&counts);
    PG_RETURN_BYTEA_P(pq_endtypsend(&out));
}

static Datum
metric_deserialize(FunctionCallInfo fcinfo, const lm_metric *metric)
{
    int settings = count_columns(metric->settings);
    lm_metric_value received[LM_METRIC_SETTINGS_MAX];
    lmtext_labels *labels = NULL;
    metric_state *state;
    bytea *bytes;
    StringInfoData in;

    aggregate_memory(fcinfo);
    bytes = PG_GETARG_BYTEA_PP(0);
    initStringInfo(&in);
    appendBinaryStringInfo(&in, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
    if (pq_getmsgbyte(&in) != 0)
        labels = lmtext_labels_receive(CurrentMemoryContext, &in);
    state = state_new(metric, &shared_of(fcinfo)->call, CurrentMemoryContext, labels);
    for (int i = 0; i < settings; i++)
        received[i] = receive_setting(&in, metric->settings[i].type);
    if (settings > 0)
        keep_settings(state, received);
    check(state, metric->counts->read(state->counts, in.data + in.cursor, in.len - in.cursor));
    pfree(in.data);
    PG_RETURN_POINTER(state);
}

static uint32
rank_of_key(void *opaque, const char *bytes, size_t length)
{
    return lmtext_labels_rank(opaque, bytes, length);
}

double
lmtext_metric_result(lmtext_call *call, const lm_metric *metric, void *counts,
                     const lmtext_labels *labels, const lm_metric_value *settings)
{
    lm_label_ranks ranks = {rank_of_key, NULL};
    lm_status status;
    double value;

    if (metric->counts->rank != NULL)
        ranks.opaque = lmtext_labels_ranks(labels);
    if (ranks.opaque != NULL)
        metric->counts->rank(counts, &ranks);
    status = metric->result(counts, settings, &value);
    if (ranks.opaque != NULL) {
        metric->counts->rank(counts, NULL);
        pfree(ranks.opaque);
    }
    lmtext_check(call, status, NULL);
    return value;
}

/* NULL over no rows, and where the measure is undefined. */
static Datum
metric_final(FunctionCallInfo fcinfo, const lm_metric *metric)
{
    metric_state *state;
    double value;

    aggregate_memory(fcinfo);
    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    state = (metric_state *)PG_GETARG_POINTER(0);
    use_state(state);
    value =
        lmtext_metric_result(state->call, metric, state->counts, state->labels, state->settings);
    if (isnan(value))
        PG_RETURN_NULL();
    PG_RETURN_FLOAT8(value);
}

#define METRIC_ENTRY(name, phase)                                     \
    PG_FUNCTION_INFO_V1(lmtext_##name##_##phase);                     \
    Datum lmtext_##name##_##phase(PG_FUNCTION_ARGS)                   \
    {                                                                 \
        return metric_##phase(fcinfo, &lm_metrics[LM_METRIC_##name]); \
    }

/* The entries of a metric: lmtext_NAME_accum and so on. */
#define METRIC_ENTRIES(name, ...)   \
    METRIC_ENTRY(name, accum)       \
    METRIC_ENTRY(name, combine)     \
    METRIC_ENTRY(name, serialize)   \
    METRIC_ENTRY(name, deserialize) \
    METRIC_ENTRY(name, final)

LM_METRICS(METRIC_ENTRIES)

/* ---- Measures of one row ---- */

/* NAME(columns …[, settings …]), strict. */
static Datum
metric_of_row(FunctionCallInfo fcinfo, const lm_metric *metric)
{
    lm_metric_value row[LM_METRIC_ROW_MAX], settings[LM_METRIC_SETTINGS_MAX];
    lmtext_call call;
    void *counts;
    double value;

    lmtext_call_init(&call, CurrentMemoryContext);
    if (!read_columns(fcinfo, metric, 0, NULL, row))
        PG_RETURN_NULL();
    if (metric->settings != NULL) {
        read_settings(fcinfo, metric, count_columns(metric->counts->columns), NULL, settings);
        lmtext_check(&call, metric->check(&call.ctx, settings), NULL);
        append_settings(metric, settings, row);
    }
    lmtext_check(&call, metric->counts->create(&call.ctx, &counts), NULL);
    lmtext_check(&call, metric->counts->add(counts, row), NULL);
    lmtext_check(&call, metric->result(counts, settings, &value), NULL);
    metric->counts->free(counts);
    PG_RETURN_FLOAT8(value);
}

#define ROW_METRIC_ENTRY(name, ...)                                      \
    PG_FUNCTION_INFO_V1(lmtext_##name);                                  \
    Datum lmtext_##name(PG_FUNCTION_ARGS)                                \
    {                                                                    \
        return metric_of_row(fcinfo, &lm_row_metrics[LM_METRIC_##name]); \
    }

LM_ROW_METRICS(ROW_METRIC_ENTRY)

/* ---- Reports ---- */

Datum
lmtext_classification_report(PG_FUNCTION_ARGS)
{
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
    lm_averages means;
    lm_label_score *scores;
    metric_state *state;
    size_t count;

    InitMaterializedSRF(fcinfo, 0);
    state = count_query(fcinfo, "lmtext.classification_report");
    if (lm_confusion_total(state->counts) == 0)
        return (Datum)0;
    check(state, lm_confusion_scores(state->counts, &scores, &count));
    check(state, lm_confusion_averages(state->counts, scores, count, &means));
    for (size_t i = 0; i < count; i++) {
        const lm_average score = {scores[i].precision, scores[i].recall, scores[i].f1,
                                  scores[i].support};

        CHECK_FOR_INTERRUPTS();
        lmtext_emit_score(result,
                          lmtext_labels_shown(state->labels, scores[i].label, scores[i].length),
                          &score, false);
    }
    lmtext_emit_averages(result, &means);
    return (Datum)0;
}

/* A label's, or a mean's, which a label may be called like. */
void
lmtext_emit_score(ReturnSetInfo *result, text *label, const lm_average *score, bool summary)
{
    Datum values[6] = {PointerGetDatum(label),
                       Float8GetDatum(score->precision),
                       Float8GetDatum(score->recall),
                       Float8GetDatum(score->f1),
                       Int64GetDatum((int64)score->support),
                       BoolGetDatum(summary)};
    bool nulls[6] = {false};

    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

void
lmtext_emit_averages(ReturnSetInfo *result, const lm_averages *means)
{
    lmtext_emit_score(result, cstring_to_text("micro avg"), &means->micro, true);
    lmtext_emit_score(result, cstring_to_text("macro avg"), &means->macro, true);
    lmtext_emit_score(result, cstring_to_text("weighted avg"), &means->weighted, true);
}

/* Where the pairs of a query go. */
typedef struct pair_output {
    ReturnSetInfo *result;
    const lmtext_labels *labels;
} pair_output;

/* One row of confusion_matrix. */
static void
emit_pair(void *opaque, const char *actual, size_t actual_length, const char *predicted,
          size_t predicted_length, uint64_t count)
{
    const pair_output *to = opaque;
    Datum values[3] = {
        PointerGetDatum(lmtext_labels_shown(to->labels, actual, actual_length)),
        PointerGetDatum(lmtext_labels_shown(to->labels, predicted, predicted_length)),
        Int64GetDatum((int64)count)};
    bool nulls[3] = {false};

    tuplestore_putvalues(to->result->setResult, to->result->setDesc, values, nulls);
}

Datum
lmtext_confusion_matrix(PG_FUNCTION_ARGS)
{
    metric_state *state;
    pair_output to;

    InitMaterializedSRF(fcinfo, 0);
    state = count_query(fcinfo, "lmtext.confusion_matrix");
    to = (pair_output){(ReturnSetInfo *)fcinfo->resultinfo, state->labels};
    check(state, lm_confusion_visit(state->counts, emit_pair, &to));
    return (Datum)0;
}

/* A row without one of its labels is no pair. */
static void
count_pair(metric_state *state, const lmtext_query_row *pair)
{
    lm_metric_value row[LM_METRIC_COLUMNS_MAX];

    for (int i = 0; i < 2; i++) {
        lm_text key;

        if (pair->fields[i].value.isnull)
            return;
        key = lmtext_labels_key(state->labels, pair->fields[i].value.value);
        row[i] = (lm_metric_value){.bytes = key.bytes, .length = key.length};
    }
    check(state, state->metric->counts->add(state->counts, row));
}

/* Count the pairs of the query in argument 0, as f1 does. */
static metric_state *
count_query(FunctionCallInfo fcinfo, const char *function)
{
    static const lmtext_column columns[2] = {{"actual label", LMTEXT_COLUMN_ANY},
                                             {"predicted label", LMTEXT_COLUMN_ANY}};
    MemoryContext memory = CurrentMemoryContext, batch;
    lmtext_call *call = palloc(sizeof *call);
    char *query = text_to_cstring(PG_GETARG_TEXT_PP(0));
    metric_state *state;
    lmtext_query_row *pairs;
    lmtext_query reader;
    int count;

    lmtext_call_init(call, memory);
    SPI_connect();
    pairs = palloc(BATCH_ROWS * sizeof(*pairs));
    batch = AllocSetContextCreate(CurrentMemoryContext, "lmtext batch", ALLOCSET_DEFAULT_SIZES);
    lmtext_query_open(&reader, function, query, columns, 2);
    state = state_new(&lm_metrics[LM_METRIC_f1], call, memory,
                      lmtext_labels_new(memory, reader.type, reader.collation));
    MemoryContextSwitchTo(batch);
    while ((count = lmtext_query_fetch(&reader, BATCH_ROWS, pairs)) > 0) {
        CHECK_FOR_INTERRUPTS();
        for (int i = 0; i < count; i++)
            count_pair(state, &pairs[i]);
        MemoryContextReset(batch);
    }
    lmtext_query_close(&reader);
    SPI_finish();
    return state;
}
