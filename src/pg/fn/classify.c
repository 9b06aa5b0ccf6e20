/*
 * classify.c - lmtext.classify, classify_scored, labels and class_scores: labels of texts by a
 * trained head.
 *
 * Labels are UTF-8 in the model and come back in the database's encoding. A text that was the last
 * one too is not computed again (service/memo.h). An array of texts is one run of packed batches,
 * and so are the texts of rows that a plan has read ahead. A vector that is stored already needs no
 * forward pass.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

#include "task/classify.h"
#include "pg/fn/args.h"
#include "pg/fn/scored.h"

/* How many scores are kept at a time while an array of texts is classified. */
#define BLOCK_SCORES (1 << 20)

/* What a form of a function classifies, and where it has its other arguments; -1: nowhere. */
typedef struct call_form {
    const float *(*scores)(FunctionCallInfo fcinfo, lmtext_model *model,
                           const struct call_form *form);
    int min_score, on_long;
} call_form;

static const float *scores_of_text(FunctionCallInfo fcinfo, lmtext_model *model,
                                   const call_form *form);
static const float *scores_of_vector(FunctionCallInfo fcinfo, lmtext_model *model,
                                     const call_form *form);

static const call_form of_text = {scores_of_text, -1, 2};
static const call_form of_text_bounded = {scores_of_text, 2, 3};
static const call_form of_vector = {scores_of_vector, 2, -1};

/* Gets the scores (labels) of one text of an array, or NULL where the text is NULL. */
typedef void (*score_sink)(void *opaque, const lmtext_model *model, int text, const float *scores);

/* Where the labels of an array of texts go. */
typedef struct label_rows {
    ReturnSetInfo *result;
    float floor;
} label_rows;

/* Results of an array of texts, as they come in. */
typedef struct result_array {
    Datum *values;
    bool *nulls;
    float floor;
    TupleDesc row; /* of label and score; NULL: labels alone */
} result_array;

LMTEXT_ENTRY(lmtext_classify, .name = "classify", .task = "classification", .texts = 1);
LMTEXT_ENTRY(lmtext_classify_bounded, .name = "classify", .task = "classification", .texts = 1);
LMTEXT_ENTRY(lmtext_classify_vector, .name = "classify", .task = "classification");
LMTEXT_ENTRY(lmtext_classify_array, .name = "classify", .task = "classification", .texts = 1);
LMTEXT_ENTRY(lmtext_classify_array_bounded, .name = "classify", .task = "classification",
             .texts = 1);
LMTEXT_ENTRY(lmtext_classify_scored, .name = "classify_scored", .task = "classification",
             .texts = 1);
LMTEXT_ENTRY(lmtext_classify_scored_vector, .name = "classify_scored", .task = "classification");
LMTEXT_ENTRY(lmtext_classify_scored_array, .name = "classify_scored", .task = "classification",
             .texts = 1);
LMTEXT_ENTRY(lmtext_labels, .name = "labels", .task = "classification", .texts = 1);
LMTEXT_ENTRY(lmtext_labels_vector, .name = "labels", .task = "classification");
LMTEXT_ENTRY(lmtext_labels_array, .name = "labels", .task = "classification", .texts = 1);
LMTEXT_ENTRY(lmtext_class_scores, .name = "class_scores", .task = "classification", .texts = 1);
LMTEXT_ENTRY(lmtext_class_scores_vector, .name = "class_scores", .task = "classification");
LMTEXT_ENTRY(lmtext_class_scores_array, .name = "class_scores", .task = "classification",
             .texts = 1);

static Datum best_label(FunctionCallInfo fcinfo, const call_form *form);
static Datum best_scored(FunctionCallInfo fcinfo, const call_form *form);
static Datum best_of_array(FunctionCallInfo fcinfo, const call_form *form, bool scored);
static Datum labels_above(FunctionCallInfo fcinfo, const call_form *form);
static Datum all_scores(FunctionCallInfo fcinfo, const call_form *form);
static float lowest_score(FunctionCallInfo fcinfo, int argno);
static TupleDesc row_of_result(FunctionCallInfo fcinfo, bool array);
static void classify_all(FunctionCallInfo fcinfo, lmtext_model *model, const call_form *form,
                         score_sink sink, void *opaque);
static void keep_best(void *opaque, const lmtext_model *model, int text, const float *scores);
static Datum scored_label(TupleDesc row, const lmtext_model *model, const float *scores,
                          float floor);
static ArrayType *names_above(const lmtext_model *model, const float *scores, float floor);
static void emit_labels(void *opaque, const lmtext_model *model, int text, const float *scores);
static void emit_text(void *opaque, const lmtext_model *model, int text, const float *scores);
static void emit_scores(ReturnSetInfo *result, const lmtext_model *model, int64 ordinality,
                        const float *scores);
static text *label_text(const void *model, int label);

static Datum
lmtext_classify_call(PG_FUNCTION_ARGS)
{
    return best_label(fcinfo, &of_text);
}

static Datum
lmtext_classify_bounded_call(PG_FUNCTION_ARGS)
{
    return best_label(fcinfo, &of_text_bounded);
}

static Datum
lmtext_classify_vector_call(PG_FUNCTION_ARGS)
{
    return best_label(fcinfo, &of_vector);
}

static Datum
lmtext_classify_array_call(PG_FUNCTION_ARGS)
{
    return best_of_array(fcinfo, &of_text, false);
}

static Datum
lmtext_classify_array_bounded_call(PG_FUNCTION_ARGS)
{
    return best_of_array(fcinfo, &of_text_bounded, false);
}

static Datum
lmtext_classify_scored_call(PG_FUNCTION_ARGS)
{
    return best_scored(fcinfo, &of_text_bounded);
}

static Datum
lmtext_classify_scored_vector_call(PG_FUNCTION_ARGS)
{
    return best_scored(fcinfo, &of_vector);
}

static Datum
lmtext_classify_scored_array_call(PG_FUNCTION_ARGS)
{
    return best_of_array(fcinfo, &of_text_bounded, true);
}

static Datum
lmtext_labels_call(PG_FUNCTION_ARGS)
{
    return labels_above(fcinfo, &of_text_bounded);
}

static Datum
lmtext_labels_vector_call(PG_FUNCTION_ARGS)
{
    return labels_above(fcinfo, &of_vector);
}

static Datum
lmtext_labels_array_call(PG_FUNCTION_ARGS)
{
    label_rows rows;
    lmtext_model *model;

    InitMaterializedSRF(fcinfo, 0);
    if (PG_ARGISNULL(0))
        return (Datum)0;
    model = lmtext_arg_model(fcinfo);
    rows.result = (ReturnSetInfo *)fcinfo->resultinfo;
    rows.floor = lowest_score(fcinfo, of_text_bounded.min_score);
    classify_all(fcinfo, model, &of_text_bounded, emit_labels, &rows);
    return (Datum)0;
}

static Datum
lmtext_class_scores_call(PG_FUNCTION_ARGS)
{
    return all_scores(fcinfo, &of_text);
}

static Datum
lmtext_class_scores_vector_call(PG_FUNCTION_ARGS)
{
    return all_scores(fcinfo, &of_vector);
}

static Datum
lmtext_class_scores_array_call(PG_FUNCTION_ARGS)
{
    InitMaterializedSRF(fcinfo, 0);
    if (!PG_ARGISNULL(0))
        classify_all(fcinfo, lmtext_arg_model(fcinfo), &of_text, emit_text, fcinfo->resultinfo);
    return (Datum)0;
}

/* The label with the highest score, NULL where that is too low. */
static Datum
best_label(FunctionCallInfo fcinfo, const call_form *form)
{
    lmtext_model *model;
    const float *scores;
    float floor;
    int best;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    model = lmtext_arg_model(fcinfo);
    floor = lowest_score(fcinfo, form->min_score);
    scores = form->scores(fcinfo, model, form);
    best = lm_classify_best(scores, model->model.info.label_count);
    if (scores[best] < floor)
        PG_RETURN_NULL();
    PG_RETURN_TEXT_P(label_text(model, best));
}

static Datum
best_scored(FunctionCallInfo fcinfo, const call_form *form)
{
    lmtext_model *model;
    float floor;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    model = lmtext_arg_model(fcinfo);
    floor = lowest_score(fcinfo, form->min_score);
    return scored_label(row_of_result(fcinfo, false), model, form->scores(fcinfo, model, form),
                        floor);
}

static Datum
best_of_array(FunctionCallInfo fcinfo, const call_form *form, bool scored)
{
    lmtext_model *model;
    result_array results = {.row = NULL};
    ArrayType *texts;
    Oid type = TEXTOID;
    int count, lower = 1;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    model = lmtext_arg_model(fcinfo);
    results.floor = lowest_score(fcinfo, form->min_score);
    if (scored) {
        results.row = row_of_result(fcinfo, true);
        type = results.row->tdtypeid;
    }
    texts = PG_GETARG_ARRAYTYPE_P(0);
    count = ArrayGetNItems(ARR_NDIM(texts), ARR_DIMS(texts));
    results.values = MemoryContextAllocHuge(CurrentMemoryContext, (Size)count * sizeof(Datum));
    results.nulls = MemoryContextAllocHuge(CurrentMemoryContext, (Size)count * sizeof(bool));
    classify_all(fcinfo, model, form, keep_best, &results);
    if (count == 0)
        PG_RETURN_ARRAYTYPE_P(construct_empty_array(type));
    PG_RETURN_ARRAYTYPE_P(construct_md_array(results.values, results.nulls, 1, &count, &lower, type,
                                             -1, false, scored ? TYPALIGN_DOUBLE : TYPALIGN_INT));
}

/* The labels whose score is not too low. */
static Datum
labels_above(FunctionCallInfo fcinfo, const call_form *form)
{
    lmtext_model *model;
    float floor;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    model = lmtext_arg_model(fcinfo);
    floor = lowest_score(fcinfo, form->min_score);
    PG_RETURN_ARRAYTYPE_P(names_above(model, form->scores(fcinfo, model, form), floor));
}

/* One row a label. */
static Datum
all_scores(FunctionCallInfo fcinfo, const call_form *form)
{
    lmtext_model *model;

    InitMaterializedSRF(fcinfo, 0);
    if (PG_ARGISNULL(0))
        return (Datum)0;
    model = lmtext_arg_model(fcinfo);
    emit_scores((ReturnSetInfo *)fcinfo->resultinfo, model, 0, form->scores(fcinfo, model, form));
    return (Datum)0;
}

/* Below which a label is not told. */
static float
lowest_score(FunctionCallInfo fcinfo, int argno)
{
    float value;

    if (lmtext_arg_is_null(fcinfo, argno))
        return -INFINITY;
    value = PG_GETARG_FLOAT4(argno);
    if (!(value >= 0 && value <= 1))
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("min_score is out of range: %s",
                        DatumGetCString(DirectFunctionCall1(float4out, Float4GetDatum(value)))),
                 errdetail("It must be from 0 to 1, because scores are probabilities.")));
    return value;
}

/* The row type that the function is declared with; looked up once. */
static TupleDesc
row_of_result(FunctionCallInfo fcinfo, bool array)
{
    TupleDesc *kept = lmtext_arg_space(fcinfo, sizeof(TupleDesc));
    Oid type = InvalidOid;
    TupleDesc row;
    MemoryContext caller;

    if (*kept != NULL)
        return *kept;
    type = get_func_rettype(fcinfo->flinfo->fn_oid);
    if (array)
        type = get_element_type(type);
    caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
    row = lookup_rowtype_tupdesc_copy(type, -1);
    MemoryContextSwitchTo(caller);
    if (row->natts != 2 || TupleDescAttr(row, 0)->atttypid != TEXTOID ||
        TupleDescAttr(row, 1)->atttypid != FLOAT4OID)
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("type %s is not that of a label and its score", format_type_be(type)),
                 errdetail("Its columns were changed. They must be label text, score real.")));
    return *kept = row;
}

/* Scores of text argument 0. */
static const float *
scores_of_text(FunctionCallInfo fcinfo, lmtext_model *model, const call_form *form)
{
    lmtext_inference inference;

    lmtext_embed_defaults(&inference.options, lmtext_arg_on_long(fcinfo, form->on_long));
    lmtext_infer_init(&inference, &lmtext_scores, model);
    return lmtext_arg_result(fcinfo, 0, &inference);
}

/* Scores of vector argument 0. */
static const float *
scores_of_vector(FunctionCallInfo fcinfo, lmtext_model *model, const call_form *form)
{
    const lm_embed_counts counts = {.texts = 1};
    int width;
    const float *vector = lmtext_floats_from_array(PG_GETARG_ARRAYTYPE_P(0), &width);
    float *scores = palloc(model->model.info.label_count * sizeof(float));

    lmtext_check(&model->call,
                 lm_classify_vector(&model->call.ctx, &model->model, vector, width, scores),
                 model->name);
    lmtext_count(model, &counts);
    return scores;
}

/* Hand the scores of every text of array argument 0 to a sink, in order. */
static void
classify_all(FunctionCallInfo fcinfo, lmtext_model *model, const call_form *form, score_sink sink,
             void *opaque)
{
    lmtext_inference inference;
    int labels = model->model.info.label_count, block = Max(1, BLOCK_SCORES / labels);
    lm_text *texts, *present;
    bool *nulls;
    int count;
    float *scores;

    lmtext_embed_defaults(&inference.options, lmtext_arg_on_long(fcinfo, form->on_long));
    lmtext_infer_init(&inference, &lmtext_scores, model);
    lmtext_texts_from_array(PG_GETARG_ARRAYTYPE_P(0), &texts, &nulls, &count);
    block = Min(block, Max(count, 1));
    present = MemoryContextAllocHuge(CurrentMemoryContext, (Size)block * sizeof(lm_text));
    scores = MemoryContextAllocHuge(CurrentMemoryContext, (Size)block * labels * sizeof(float));
    for (int first = 0; first < count; first += block) {
        int stop = Min(count, first + block), filled = 0;

        for (int i = first; i < stop; i++)
            if (!nulls[i])
                present[filled++] = texts[i];
        lmtext_infer(&inference, present, filled, scores);
        filled = 0;
        for (int i = first; i < stop; i++)
            sink(opaque, model, i, nulls[i] ? NULL : scores + (Size)labels * filled++);
    }
}

/* A sink that fills an array with the best labels; a NULL text keeps its place. */
static void
keep_best(void *opaque, const lmtext_model *model, int text, const float *scores)
{
    result_array *results = opaque;
    int best;

    results->nulls[text] = true;
    if (scores == NULL)
        return;
    best = lm_classify_best(scores, model->model.info.label_count);
    if (results->row == NULL && scores[best] < results->floor)
        return;
    results->nulls[text] = false;
    results->values[text] = results->row == NULL
                                ? PointerGetDatum(label_text(model, best))
                                : scored_label(results->row, model, scores, results->floor);
}

/* The best label and its score, as a row; too low a score stands without its label. */
static Datum
scored_label(TupleDesc row, const lmtext_model *model, const float *scores, float floor)
{
    int best = lm_classify_best(scores, model->model.info.label_count);
    Datum values[2] = {(Datum)0, Float4GetDatum(scores[best])};
    bool nulls[2] = {scores[best] < floor, false};

    if (!nulls[0])
        values[0] = PointerGetDatum(label_text(model, best));
    return HeapTupleGetDatum(heap_form_tuple(row, values, nulls));
}

/* As an array, the highest first. */
static ArrayType *
names_above(const lmtext_model *model, const float *scores, float floor)
{
    const int labels = model->model.info.label_count;
    lmtext_label_score *order = lmtext_sort_scores(scores, labels);
    Datum *names = palloc(labels * sizeof(Datum));
    int count = 0;

    for (; count < labels && order[count].score >= floor; count++)
        names[count] = PointerGetDatum(label_text(model, order[count].label));
    return construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT);
}

/* A sink that emits a row a text; a NULL text has none. */
static void
emit_labels(void *opaque, const lmtext_model *model, int text, const float *scores)
{
    bool nulls[2] = {false, false};
    const label_rows *rows = opaque;
    MemoryContext caller, memory;
    Datum values[2];

    CHECK_FOR_INTERRUPTS();
    if (scores == NULL)
        return;
    memory = AllocSetContextCreate(CurrentMemoryContext, "labels of a text", ALLOCSET_SMALL_SIZES);
    caller = MemoryContextSwitchTo(memory);
    values[0] = Int64GetDatum((int64)text + 1);
    values[1] = PointerGetDatum(names_above(model, scores, rows->floor));
    tuplestore_putvalues(rows->result->setResult, rows->result->setDesc, values, nulls);
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(memory);
}

/* A sink that emits rows; a NULL text has none. */
static void
emit_text(void *opaque, const lmtext_model *model, int text, const float *scores)
{
    CHECK_FOR_INTERRUPTS();
    if (scores != NULL)
        emit_scores(opaque, model, text + 1, scores);
}

static void
emit_scores(ReturnSetInfo *result, const lmtext_model *model, int64 ordinality, const float *scores)
{
    lmtext_emit_scores(result, ordinality, scores, model->model.info.label_count, label_text,
                       model);
}

/* Labels come from the model's file as UTF-8, terminated, without U+0000. */
static text *
label_text(const void *model, int label)
{
    const char *name = ((const lmtext_model *)model)->model.info.labels[label];

    return lmtext_text_from_utf8(name, strlen(name));
}
