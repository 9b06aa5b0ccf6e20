/*
 * metrics.c - the aggregates accuracy and f1, and reports over a query's pairs of labels.
 *
 * One rule for all: labels are values of any type, and equal where the type's own equality says so
 * (labels.h). accuracy keeps two counts in a bigint[]; f1 counts pairs of labels, in a state that
 * parallel workers hand over serialised. Rows in which either label is NULL are no pairs: they are
 * left out everywhere.
 */
#include "postgres.h"

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
#include "pg/fn/query.h"

/* State of accuracy, as the elements of a bigint[]. */
typedef struct accuracy_counts {
    int64 right, total;
} accuracy_counts;

/* State of f1, in the aggregate's memory context. */
typedef struct f1_state {
    lmtext_call call; /* counts are allocated by it */
    lm_confusion *confusion;
    lmtext_labels *labels; /* keys of which are counted */
    char *average;         /* of the first row; all rows must agree */
    lm_text label;         /* for "binary": key of the label whose F1; else no bytes at NULL */
} f1_state;

#define BATCH_ROWS 4096

PG_FUNCTION_INFO_V1(lmtext_accuracy_accum);
PG_FUNCTION_INFO_V1(lmtext_accuracy_combine);
PG_FUNCTION_INFO_V1(lmtext_accuracy_final);
PG_FUNCTION_INFO_V1(lmtext_f1_accum);
PG_FUNCTION_INFO_V1(lmtext_f1_combine);
PG_FUNCTION_INFO_V1(lmtext_f1_serialize);
PG_FUNCTION_INFO_V1(lmtext_f1_deserialize);
PG_FUNCTION_INFO_V1(lmtext_f1_final);
PG_FUNCTION_INFO_V1(lmtext_classification_report);
PG_FUNCTION_INFO_V1(lmtext_confusion_matrix);

static ArrayType *counts_to_change(FunctionCallInfo fcinfo);
static accuracy_counts *counts_of(ArrayType *array);
static bool equal_arguments(FunctionCallInfo fcinfo);
static f1_state *f1_state_new(MemoryContext memory, lmtext_labels *labels);
static lmtext_labels *argument_labels(FunctionCallInfo fcinfo, MemoryContext memory);
static void count_pair(f1_state *state, Datum actual, Datum predicted);
static void set_average(FunctionCallInfo fcinfo, f1_state *state);
static void keep_average(f1_state *state, const char *average, lm_text label);
static void check_average(const char *average, bool labelled);
static void merge_state(f1_state *into, const f1_state *from);
static double f1_of_average(f1_state *state, const lm_label_score *scores, size_t count);
static double f1_of_label(lm_text label, const lm_label_score *scores, size_t count);
static f1_state *count_query(FunctionCallInfo fcinfo, const char *function);
static void emit_score(ReturnSetInfo *result, text *label, const lm_average *score, bool summary);

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

/* ---- f1 ---- */

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

/* The engine's counts are allocated in the same context, and go with it. */
static f1_state *
f1_state_new(MemoryContext memory, lmtext_labels *labels)
{
    f1_state *state = MemoryContextAllocZero(memory, sizeof(*state));

    lmtext_call_init(&state->call, memory);
    lmtext_check(&state->call, lm_confusion_create(&state->call.ctx, &state->confusion), NULL);
    state->labels = labels;
    return state;
}

/* f1_accum(state, actual, predicted[, average[, label]]) */
Datum
lmtext_f1_accum(PG_FUNCTION_ARGS)
{
    MemoryContext memory = aggregate_memory(fcinfo);
    f1_state *state = PG_ARGISNULL(0) ? NULL : (f1_state *)PG_GETARG_POINTER(0);

    if (PG_ARGISNULL(1) || PG_ARGISNULL(2)) {
        if (state == NULL)
            PG_RETURN_NULL();
        PG_RETURN_POINTER(state);
    }
    if (state == NULL)
        state = f1_state_new(memory, argument_labels(fcinfo, memory));
    set_average(fcinfo, state);
    count_pair(state, PG_GETARG_DATUM(1), PG_GETARG_DATUM(2));
    PG_RETURN_POINTER(state);
}

/* Of the type that the labels among the arguments have in common. */
static lmtext_labels *
argument_labels(FunctionCallInfo fcinfo, MemoryContext memory)
{
    Oid type = get_fn_expr_argtype(fcinfo->flinfo, 1);

    if (!OidIsValid(type))
        elog(ERROR, "could not determine the type of the arguments");
    return lmtext_labels_new(memory, type, PG_GET_COLLATION());
}

static void
count_pair(f1_state *state, Datum actual, Datum predicted)
{
    lm_text a = lmtext_labels_key(state->labels, actual);
    lm_text p = lmtext_labels_key(state->labels, predicted);

    lmtext_check(&state->call,
                 lm_confusion_add(state->confusion, a.bytes, a.length, p.bytes, p.length, 1), NULL);
}

static void
refuse_null_setting(void)
{
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                    errmsg("average and label of f1 must not be null")));
}

/* "macro" where the aggregate has no such argument. */
static char *
average_argument(FunctionCallInfo fcinfo)
{
    if (PG_NARGS() <= 3)
        return "macro";
    if (PG_ARGISNULL(3))
        refuse_null_setting();
    return text_to_cstring(PG_GETARG_TEXT_PP(3));
}

/* No bytes at NULL where the aggregate has no such argument. */
static lm_text
label_argument(FunctionCallInfo fcinfo, f1_state *state)
{
    if (PG_NARGS() <= 4)
        return (lm_text){NULL, 0};
    if (PG_ARGISNULL(4))
        refuse_null_setting();
    return lmtext_labels_key(state->labels, PG_GETARG_DATUM(4));
}

/* No label equals no label only. */
static bool
same_label(lm_text a, lm_text b)
{
    if (a.bytes == NULL || b.bytes == NULL)
        return a.bytes == b.bytes;
    return a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0;
}

/* Keep the average and label of the first row, and see that later rows say the same. */
static void
set_average(FunctionCallInfo fcinfo, f1_state *state)
{
    char *average;
    lm_text label;

    if (PG_NARGS() <= 3 && state->average != NULL)
        return;
    average = average_argument(fcinfo);
    label = label_argument(fcinfo, state);
    if (state->average == NULL)
        check_average(average, label.bytes != NULL);
    keep_average(state, average, label);
}

/* Where there is an average already, see that it is the same. */
static void
keep_average(f1_state *state, const char *average, lm_text label)
{
    if (state->average == NULL) {
        char *bytes = NULL;

        if (label.bytes != NULL) {
            bytes = MemoryContextAllocHuge(state->call.memory, label.length + 1);
            memcpy(bytes, label.bytes, label.length);
        }
        state->label = (lm_text){bytes, label.length};
        state->average = MemoryContextStrdup(state->call.memory, average);
    } else if (strcmp(state->average, average) != 0 || !same_label(state->label, label))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("average and label of f1 must be the same in all rows")));
}

/* Averages over labels, and where their F1 stands among those of the engine. */
enum { MICRO, MACRO, WEIGHTED, AVERAGES };
static const char *const average_names[AVERAGES] = {"micro", "macro", "weighted"};

/* Found at the first row, not at the end of a long scan. */
static void
check_average(const char *average, bool labelled)
{
    if (strcmp(average, "binary") == 0) {
        if (!labelled)
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                            errmsg("f1 with the average \"binary\" needs a label"),
                            errhint("Use f1(actual, predicted, 'binary', 'label').")));
        return;
    }
    if (labelled)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("f1 takes a label only with the average \"binary\", not \"%s\"",
                               lmtext_clip(average))));
    for (int i = 0; i < AVERAGES; i++)
        if (strcmp(average, average_names[i]) == 0)
            return;
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("invalid average for f1: \"%s\"", lmtext_clip(average)),
                    errhint("Allowed values: micro, macro, weighted, binary.")));
}

/* Either state may be absent: a worker that saw no pair. */
Datum
lmtext_f1_combine(PG_FUNCTION_ARGS)
{
    MemoryContext memory = aggregate_memory(fcinfo);
    f1_state *into = PG_ARGISNULL(0) ? NULL : (f1_state *)PG_GETARG_POINTER(0);
    const f1_state *from = PG_ARGISNULL(1) ? NULL : (const f1_state *)PG_GETARG_POINTER(1);

    if (from == NULL && into == NULL)
        PG_RETURN_NULL();
    if (from == NULL)
        PG_RETURN_POINTER(into);
    if (into == NULL)
        into = f1_state_new(memory, lmtext_labels_like(memory, from->labels));
    merge_state(into, from);
    PG_RETURN_POINTER(into);
}

/* What adding the pairs of one state to another needs; status is that of the first that failed. */
typedef struct pair_adder {
    f1_state *into;
    const lmtext_labels *labels; /* of the pairs */
    const lm_text *keys;         /* in `into`, of these labels */
    lm_status status;
} pair_adder;

/* Called from inside the engine: must not throw. */
static void
add_translated(void *opaque, const char *actual, size_t actual_length, const char *predicted,
               size_t predicted_length, uint64_t count)
{
    pair_adder *adder = opaque;
    lm_text a = lmtext_labels_translated(adder->labels, adder->keys, actual, actual_length);
    lm_text p = lmtext_labels_translated(adder->labels, adder->keys, predicted, predicted_length);

    if (adder->status == LM_OK)
        adder->status =
            lm_confusion_add(adder->into->confusion, a.bytes, a.length, p.bytes, p.length, count);
}

/* Two states number the same labels in different ways. */
static void
merge_state(f1_state *into, const f1_state *from)
{
    lm_text *keys = lmtext_labels_translate(into->labels, from->labels), label = from->label;
    pair_adder adder = {into, from->labels, keys, LM_OK};

    if (label.bytes != NULL)
        label = lmtext_labels_translated(from->labels, keys, label.bytes, label.length);
    keep_average(into, from->average, label);
    lmtext_check(&into->call, lm_confusion_visit(from->confusion, add_translated, &adder), NULL);
    lmtext_check(&into->call, adder.status, NULL);
    pfree(keys);
}

/* A string after its length: labels may hold any byte. */
static void
send_bytes(StringInfo out, const char *bytes, size_t length)
{
    pq_sendint32(out, (uint32)length);
    pq_sendbytes(out, bytes, (int)length);
}

static void
send_pair(void *opaque, const char *actual, size_t actual_length, const char *predicted,
          size_t predicted_length, uint64_t count)
{
    send_bytes(opaque, actual, actual_length);
    send_bytes(opaque, predicted, predicted_length);
    pq_sendint64(opaque, count);
}

/* Labels, average, label, then the pairs up to the end; each string after its length. */
Datum
lmtext_f1_serialize(PG_FUNCTION_ARGS)
{
    f1_state *state;
    StringInfoData out;

    aggregate_memory(fcinfo);
    state = (f1_state *)PG_GETARG_POINTER(0);
    pq_begintypsend(&out);
    lmtext_labels_send(state->labels, &out);
    send_bytes(&out, state->average, strlen(state->average));
    pq_sendbyte(&out, state->label.bytes != NULL);
    send_bytes(&out, state->label.bytes ? state->label.bytes : "", state->label.length);
    lmtext_check(&state->call, lm_confusion_visit(state->confusion, send_pair, &out), NULL);
    PG_RETURN_BYTEA_P(pq_endtypsend(&out));
}

/* Points into the message; pq_getmsgbytes checks that the bytes are there. */
static lm_text
receive_bytes(StringInfo in)
{
    int length = (int)pq_getmsgint(in, 4);

    return (lm_text){pq_getmsgbytes(in, length), length};
}

Datum
lmtext_f1_deserialize(PG_FUNCTION_ARGS)
{
    f1_state *state;
    bytea *bytes;
    StringInfoData in;
    lm_text average, label;
    bool labelled;

    aggregate_memory(fcinfo);
    bytes = PG_GETARG_BYTEA_PP(0);
    initStringInfo(&in);
    appendBinaryStringInfo(&in, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
    state = f1_state_new(CurrentMemoryContext, lmtext_labels_receive(CurrentMemoryContext, &in));
    average = receive_bytes(&in);
    labelled = pq_getmsgbyte(&in) != 0;
    label = receive_bytes(&in);
    keep_average(state, pnstrdup(average.bytes, average.length),
                 labelled ? label : (lm_text){NULL, 0});
    while (in.cursor < in.len) {
        lm_text actual = receive_bytes(&in), predicted = receive_bytes(&in);
        uint64 count = (uint64)pq_getmsgint64(&in);

        lmtext_check(&state->call,
                     lm_confusion_add(state->confusion, actual.bytes, actual.length,
                                      predicted.bytes, predicted.length, count),
                     NULL);
    }
    pq_getmsgend(&in);
    pfree(in.data);
    PG_RETURN_POINTER(state);
}

Datum
lmtext_f1_final(PG_FUNCTION_ARGS)
{
    f1_state *state;
    lm_label_score *scores;
    size_t count;
    double result;

    aggregate_memory(fcinfo);
    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    state = (f1_state *)PG_GETARG_POINTER(0);
    lmtext_check(&state->call, lm_confusion_scores(state->confusion, &scores, &count), NULL);
    result = state->label.bytes != NULL ? f1_of_label(state->label, scores, count)
                                        : f1_of_average(state, scores, count);
    lm_free(&state->call.ctx, scores);
    PG_RETURN_FLOAT8(result);
}

/* The average was checked when it was kept. */
static double
f1_of_average(f1_state *state, const lm_label_score *scores, size_t count)
{
    lm_average averages[AVERAGES];

    lm_confusion_averages(state->confusion, scores, count, &averages[MICRO], &averages[MACRO],
                          &averages[WEIGHTED]);
    for (int i = 0; i < AVERAGES; i++)
        if (strcmp(state->average, average_names[i]) == 0)
            return averages[i].f1;
    elog(ERROR, "f1 has no average \"%s\"", state->average);
}

/* A label that was neither there nor predicted has the score 0. */
static double
f1_of_label(lm_text label, const lm_label_score *scores, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (same_label((lm_text){scores[i].label, scores[i].length}, label))
            return scores[i].f1;
    return 0;
}

/* ---- Reports ---- */

Datum
lmtext_classification_report(PG_FUNCTION_ARGS)
{
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
    lm_average averages[AVERAGES];
    lm_label_score *scores;
    f1_state *state;
    size_t count;

    InitMaterializedSRF(fcinfo, 0);
    state = count_query(fcinfo, "lmtext.classification_report");
    if (lm_confusion_total(state->confusion) == 0)
        return (Datum)0;
    lmtext_check(&state->call, lm_confusion_scores(state->confusion, &scores, &count), NULL);
    lm_confusion_averages(state->confusion, scores, count, &averages[MICRO], &averages[MACRO],
                          &averages[WEIGHTED]);
    for (size_t i = 0; i < count; i++) {
        const lm_average score = {scores[i].precision, scores[i].recall, scores[i].f1,
                                  scores[i].support};

        CHECK_FOR_INTERRUPTS();
        emit_score(result, lmtext_labels_shown(state->labels, scores[i].label, scores[i].length),
                   &score, false);
    }
    for (int i = 0; i < AVERAGES; i++)
        emit_score(result, cstring_to_text(psprintf("%s avg", average_names[i])), &averages[i],
                   true);
    return (Datum)0;
}

/* One row of classification_report: a label's, or a mean's, which a label may be called like. */
static void
emit_score(ReturnSetInfo *result, text *label, const lm_average *score, bool summary)
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
    f1_state *state;
    pair_output to;

    InitMaterializedSRF(fcinfo, 0);
    state = count_query(fcinfo, "lmtext.confusion_matrix");
    to = (pair_output){(ReturnSetInfo *)fcinfo->resultinfo, state->labels};
    lmtext_check(&state->call, lm_confusion_visit(state->confusion, emit_pair, &to), NULL);
    return (Datum)0;
}

/* Count the pairs of the query in argument 0. */
static f1_state *
count_query(FunctionCallInfo fcinfo, const char *function)
{
    static const lmtext_column columns[2] = {{"actual label", LMTEXT_COLUMN_ANY},
                                             {"predicted label", LMTEXT_COLUMN_ANY}};
    MemoryContext memory = CurrentMemoryContext, batch;
    char *query = text_to_cstring(PG_GETARG_TEXT_PP(0));
    f1_state *state;
    lmtext_pair *pairs;
    lmtext_pairs reader;
    int count;

    SPI_connect();
    pairs = palloc(BATCH_ROWS * sizeof(*pairs));
    batch = AllocSetContextCreate(CurrentMemoryContext, "lmtext batch", ALLOCSET_DEFAULT_SIZES);
    lmtext_pairs_open(&reader, function, query, columns);
    state = f1_state_new(memory, lmtext_labels_new(memory, reader.type, reader.collation));
    MemoryContextSwitchTo(batch);
    while ((count = lmtext_pairs_fetch(&reader, BATCH_ROWS, pairs)) > 0) {
        CHECK_FOR_INTERRUPTS();
        for (int i = 0; i < count; i++)
            if (!pairs[i].values[0].isnull && !pairs[i].values[1].isnull)
                count_pair(state, pairs[i].values[0].value, pairs[i].values[1].value);
        MemoryContextReset(batch);
    }
    lmtext_pairs_close(&reader);
    SPI_finish();
    return state;
}
