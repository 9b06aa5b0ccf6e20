/*
 * classify.c - lmtext.classify, classify_scored and class_scores: labels of texts by a trained
 * head.
 *
 * Labels are UTF-8 in the model and come back in the database's encoding. A text that was the last
 * one too is not computed again (memo in args.h). An array of texts is one run of packed batches,
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
#include "utils/typcache.h"

#include "task/classify.h"
#include "pg/fn/args.h"
#include "pg/glue/ahead.h"

/* What scores depend on beside the text; compared byte by byte. */
typedef struct classify_key {
    uint64 build; /* of the model */
    int32 on_long;
} classify_key;

/* A label and its score, to be sorted. */
typedef struct label_score {
    int label;
    float score;
} label_score;

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

/* Results of an array of texts, as they come in. */
typedef struct result_array {
    Datum *values;
    bool *nulls;
    float floor;
    TupleDesc row; /* of label and score; NULL: labels alone */
} result_array;

LMTEXT_COUNTED(lmtext_classify, LMTEXT_FUNCTION_CLASSIFY);
LMTEXT_COUNTED(lmtext_classify_bounded, LMTEXT_FUNCTION_CLASSIFY);
LMTEXT_COUNTED(lmtext_classify_vector, LMTEXT_FUNCTION_CLASSIFY);
LMTEXT_COUNTED(lmtext_classify_array, LMTEXT_FUNCTION_CLASSIFY);
LMTEXT_COUNTED(lmtext_classify_array_bounded, LMTEXT_FUNCTION_CLASSIFY);
LMTEXT_COUNTED(lmtext_classify_scored, LMTEXT_FUNCTION_CLASSIFY_SCORED);
LMTEXT_COUNTED(lmtext_classify_scored_vector, LMTEXT_FUNCTION_CLASSIFY_SCORED);
LMTEXT_COUNTED(lmtext_classify_scored_array, LMTEXT_FUNCTION_CLASSIFY_SCORED);
LMTEXT_COUNTED(lmtext_class_scores, LMTEXT_FUNCTION_CLASS_SCORES);
LMTEXT_COUNTED(lmtext_class_scores_vector, LMTEXT_FUNCTION_CLASS_SCORES);
LMTEXT_COUNTED(lmtext_class_scores_array, LMTEXT_FUNCTION_CLASS_SCORES);

static Datum best_label(FunctionCallInfo fcinfo, const call_form *form);
static Datum best_scored(FunctionCallInfo fcinfo, const call_form *form);
static Datum best_of_array(FunctionCallInfo fcinfo, const call_form *form, bool scored);
static Datum all_scores(FunctionCallInfo fcinfo, const call_form *form);
static lmtext_model *classifier(FunctionCallInfo fcinfo);
static float lowest_score(FunctionCallInfo fcinfo, int argno);
static TupleDesc row_of_result(FunctionCallInfo fcinfo, bool array);
static const float *scores_ahead(FunctionCallInfo fcinfo, lmtext_model *model,
                                 const classify_key *key);
static size_t compute(lmtext_model *model, const lm_text *texts, size_t count, lm_on_long on_long,
                      float *scores, bool some);
static void classify_all(FunctionCallInfo fcinfo, lmtext_model *model, const call_form *form,
                         score_sink sink, void *opaque);
static void keep_best(void *opaque, const lmtext_model *model, int text, const float *scores);
static Datum scored_label(TupleDesc row, const lmtext_model *model, const float *scores,
                          float floor);
static void emit_text(void *opaque, const lmtext_model *model, int text, const float *scores);
static void emit_scores(ReturnSetInfo *result, const lmtext_model *model, int64 ordinality,
                        const float *scores);
static int compare_scores(const void *a, const void *b);
static text *label_text(const lmtext_model *model, int label);

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
        classify_all(fcinfo, classifier(fcinfo), &of_text, emit_text, fcinfo->resultinfo);
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
    model = classifier(fcinfo);
    floor = lowest_score(fcinfo, form->min_score);
    scores = form->scores(fcinfo, model, form);
    best = lm_classify_best(scores, model->model.head.labels);
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
    model = classifier(fcinfo);
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
    model = classifier(fcinfo);
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

/* One row a label. */
static Datum
all_scores(FunctionCallInfo fcinfo, const call_form *form)
{
    lmtext_model *model;

    InitMaterializedSRF(fcinfo, 0);
    if (PG_ARGISNULL(0))
        return (Datum)0;
    model = classifier(fcinfo);
    emit_scores((ReturnSetInfo *)fcinfo->resultinfo, model, 0, form->scores(fcinfo, model, form));
    return (Datum)0;
}

/* The model that is meant, which must have labels; the hint names what suits it. */
static lmtext_model *
classifier(FunctionCallInfo fcinfo)
{
    lmtext_model *model = lmtext_arg_model(fcinfo, 1, LMTEXT_DEFAULT_CLASSIFICATION);

    if (!model->model.has_head)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("model \"%s\" cannot classify texts", model->name),
                 errdetail("Its task is %s.", model->model.info.task),
                 errhint("Use lmtext.embed with it, or train a classifier on it: CALL "
                         "lmtext.train('name', 'SELECT text, label FROM …', '{\"base\": \"%s\"}').",
                         model->name)));
    return model;
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

/* Scores of text argument 0: remembered until it is another one, of a batch of rows, or alone. */
static const float *
scores_of_text(FunctionCallInfo fcinfo, lmtext_model *model, const call_form *form)
{
    size_t size = model->model.head.labels * sizeof(float);
    lm_text text = lmtext_arg_text(fcinfo, 0), parts[2];
    const float *kept;
    classify_key key;
    float *scores;

    memset(&key, 0, sizeof(key));
    key.build = model->build;
    key.on_long = lmtext_arg_on_long(fcinfo, 1, form->on_long);
    parts[0] = (lm_text){(const char *)&key, sizeof(key)};
    parts[1] = text;
    kept = lmtext_memo_find(fcinfo, 0, parts, 2, NULL);
    if (kept != NULL)
        return kept;
    kept = scores_ahead(fcinfo, model, &key);
    if (kept != NULL)
        return lmtext_memo_keep(fcinfo, 0, parts, 2, kept, size);
    scores = palloc(size);
    compute(model, &text, 1, (lm_on_long)key.on_long, scores, false);
    return lmtext_memo_keep(fcinfo, 0, parts, 2, scores, size);
}

/* ---- Texts of rows to come (pg/glue/ahead.h) ---- */

typedef struct score_maker {
    lmtext_model *model;
    lm_on_long on_long;
} score_maker;

static size_t
make_scores(void *opaque, const lm_text *texts, size_t count, void *scores)
{
    score_maker *maker = opaque;

    return compute(maker->model, texts, count, maker->on_long, scores, true);
}

/* Scores of the text at hand, or NULL. */
static const float *
scores_ahead(FunctionCallInfo fcinfo, lmtext_model *model, const classify_key *key)
{
    score_maker maker = {model, (lm_on_long)key->on_long};
    lmtext_ahead_task task = {.compute = make_scores,
                              .opaque = &maker,
                              .key = key,
                              .key_size = sizeof *key,
                              .item_size = model->model.head.labels * sizeof(float)};

    StaticAssertStmt(sizeof *key <= LMTEXT_AHEAD_KEY, "a key has room");
    if (!lmtext_args_stable(fcinfo, 1, PG_NARGS() - 1))
        return NULL;
    return lmtext_ahead_item(fcinfo->flinfo->fn_expr, 0, lmtext_arg_bytes(fcinfo, 0), &task);
}

/*
 * One engine call for any number of texts; what it did is counted also where it failed. With `some`
 * a text that fails is no error, unless it was a cancel, which is nobody else's: scores are valid
 * of the texts before it, whose number is returned.
 */
static size_t
compute(lmtext_model *model, const lm_text *texts, size_t count, lm_on_long on_long, float *scores,
        bool some)
{
    lm_embed_options options;
    lm_embed_counts counts = {0};
    lm_status status;

    lmtext_embed_defaults(&options, on_long);
    status = lm_classify(&model->call.ctx, model->session, &model->model, texts, count, &options,
                         scores, &counts);
    lmtext_count(model, &counts);
    if (!some || status == LM_CANCELLED || model->call.interrupt != NULL)
        lmtext_check(&model->call, status, model->name);
    LMTEXT_FAULT_POINT("classified");
    return (size_t)counts.texts;
}

/* Scores of vector argument 0. */
static const float *
scores_of_vector(FunctionCallInfo fcinfo, lmtext_model *model, const call_form *form)
{
    const lm_embed_counts counts = {.texts = 1};
    int width;
    const float *vector = lmtext_floats_from_array(PG_GETARG_ARRAYTYPE_P(0), &width);
    float *scores = palloc(model->model.head.labels * sizeof(float));

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
    lm_on_long on_long = lmtext_arg_on_long(fcinfo, 1, form->on_long);
    int labels = model->model.head.labels, block = Max(1, BLOCK_SCORES / labels);
    lm_text *texts, *present;
    bool *nulls;
    int count;
    float *scores;

    lmtext_texts_from_array(PG_GETARG_ARRAYTYPE_P(0), &texts, &nulls, &count);
    block = Min(block, Max(count, 1));
    present = MemoryContextAllocHuge(CurrentMemoryContext, (Size)block * sizeof(lm_text));
    scores = MemoryContextAllocHuge(CurrentMemoryContext, (Size)block * labels * sizeof(float));
    for (int first = 0; first < count; first += block) {
        int stop = Min(count, first + block), filled = 0;

        for (int i = first; i < stop; i++)
            if (!nulls[i])
                present[filled++] = texts[i];
        compute(model, present, filled, on_long, scores, false);
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
    best = lm_classify_best(scores, model->model.head.labels);
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
    int best = lm_classify_best(scores, model->model.head.labels);
    Datum values[2] = {(Datum)0, Float4GetDatum(scores[best])};
    bool nulls[2] = {scores[best] < floor, false};

    if (!nulls[0])
        values[0] = PointerGetDatum(label_text(model, best));
    return HeapTupleGetDatum(heap_form_tuple(row, values, nulls));
}

/* A sink that emits rows; a NULL text has none. */
static void
emit_text(void *opaque, const lmtext_model *model, int text, const float *scores)
{
    CHECK_FOR_INTERRUPTS();
    if (scores != NULL)
        emit_scores(opaque, model, text + 1, scores);
}

/* One row a label, the highest score first; with an ordinality unless it is 0. */
static void
emit_scores(ReturnSetInfo *result, const lmtext_model *model, int64 ordinality, const float *scores)
{
    int labels = model->model.head.labels;
    label_score *order = palloc(labels * sizeof(label_score));

    for (int i = 0; i < labels; i++)
        order[i] = (label_score){i, scores[i]};
    qsort(order, labels, sizeof(*order), compare_scores);
    for (int i = 0; i < labels; i++) {
        text *label = label_text(model, order[i].label);
        Datum values[3] = {Int64GetDatum(ordinality), PointerGetDatum(label),
                           Float4GetDatum(order[i].score)};
        bool nulls[3] = {false, false, false};

        tuplestore_putvalues(result->setResult, result->setDesc, values + (ordinality == 0), nulls);
        LMTEXT_FAULT_POINT("score_emitted");
        pfree(label);
    }
    pfree(order);
}

/* Equal scores in the order of the labels, as lm_classify_best has it. */
static int
compare_scores(const void *a, const void *b)
{
    const label_score *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->label > y->label) - (x->label < y->label);
}

/* Labels come from the model's file as UTF-8, terminated, without U+0000. */
static text *
label_text(const lmtext_model *model, int label)
{
    const char *name = model->model.head.names[label];

    return lmtext_text_from_utf8(name, strlen(name));
}
