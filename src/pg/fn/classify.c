/*
 * classify.c - lmtext.classify and class_scores: labels of texts by a trained head.
 *
 * Labels are UTF-8 in the model and come back in the database's encoding. A text that was the last
 * one too is not computed again (memo in args.h); an array of texts is one run of packed batches.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "task/classify.h"
#include "pg/fn/args.h"

/* What remembered scores depend on beside the text; compared byte by byte. */
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

/* Gets the scores (labels) of one text of an array, or NULL where the text is NULL. */
typedef void (*score_sink)(void *opaque, const lmtext_model *model, int text, const float *scores);

LMTEXT_COUNTED(lmtext_classify, LMTEXT_FUNCTION_CLASSIFY);
LMTEXT_COUNTED(lmtext_classify_array, LMTEXT_FUNCTION_CLASSIFY);
LMTEXT_COUNTED(lmtext_class_scores, LMTEXT_FUNCTION_CLASS_SCORES);
LMTEXT_COUNTED(lmtext_class_scores_array, LMTEXT_FUNCTION_CLASS_SCORES);

static lmtext_model *classifier(FunctionCallInfo fcinfo);
static const float *scores_of_text(FunctionCallInfo fcinfo, lmtext_model *model);
static void compute(lmtext_model *model, const lm_text *texts, size_t count, lm_on_long on_long,
                    float *scores);
static void classify_all(FunctionCallInfo fcinfo, lmtext_model *model, score_sink sink,
                         void *opaque);
static void keep_label(void *opaque, const lmtext_model *model, int text, const float *scores);
static void emit_text(void *opaque, const lmtext_model *model, int text, const float *scores);
static void emit_scores(ReturnSetInfo *result, const lmtext_model *model, int64 ordinality,
                        const float *scores);
static int compare_scores(const void *a, const void *b);
static text *label_text(const lmtext_model *model, int label);

static Datum
lmtext_classify_call(PG_FUNCTION_ARGS)
{
    lmtext_model *model;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    model = classifier(fcinfo);
    PG_RETURN_TEXT_P(label_text(
        model, lm_classify_best(scores_of_text(fcinfo, model), model->model.head.labels)));
}

/* The labels of an array of texts, as they come in. */
typedef struct label_array {
    Datum *values;
    bool *nulls;
} label_array;

static Datum
lmtext_classify_array_call(PG_FUNCTION_ARGS)
{
    lmtext_model *model;
    label_array labels;
    ArrayType *texts;
    int count, lower = 1;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    model = classifier(fcinfo);
    texts = PG_GETARG_ARRAYTYPE_P(0);
    count = ArrayGetNItems(ARR_NDIM(texts), ARR_DIMS(texts));
    labels.values = MemoryContextAllocHuge(CurrentMemoryContext, (Size)count * sizeof(Datum));
    labels.nulls = MemoryContextAllocHuge(CurrentMemoryContext, (Size)count * sizeof(bool));
    classify_all(fcinfo, model, keep_label, &labels);
    if (count == 0)
        PG_RETURN_ARRAYTYPE_P(construct_empty_array(TEXTOID));
    PG_RETURN_ARRAYTYPE_P(construct_md_array(labels.values, labels.nulls, 1, &count, &lower,
                                             TEXTOID, -1, false, TYPALIGN_INT));
}

static Datum
lmtext_class_scores_call(PG_FUNCTION_ARGS)
{
    lmtext_model *model;

    InitMaterializedSRF(fcinfo, 0);
    if (PG_ARGISNULL(0))
        return (Datum)0;
    model = classifier(fcinfo);
    emit_scores((ReturnSetInfo *)fcinfo->resultinfo, model, 0, scores_of_text(fcinfo, model));
    return (Datum)0;
}

static Datum
lmtext_class_scores_array_call(PG_FUNCTION_ARGS)
{
    InitMaterializedSRF(fcinfo, 0);
    if (!PG_ARGISNULL(0))
        classify_all(fcinfo, classifier(fcinfo), emit_text, fcinfo->resultinfo);
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
                 errmsg("model \"%s\" does not classify", model->name),
                 errdetail("Its task is %s.", model->model.info.task),
                 errhint("Use lmtext.embed with it, or train a classifier on it: CALL "
                         "lmtext.train('name', 'SELECT text, label FROM …', '{\"base\": \"%s\"}').",
                         model->name)));
    return model;
}

/* Scores of text argument 0, remembered until it is another one. */
static const float *
scores_of_text(FunctionCallInfo fcinfo, lmtext_model *model)
{
    size_t size = model->model.head.labels * sizeof(float);
    lm_text text = lmtext_arg_text(fcinfo, 0), parts[2];
    const float *kept;
    classify_key key;
    float *scores;

    memset(&key, 0, sizeof(key));
    key.build = model->build;
    key.on_long = lmtext_arg_on_long(fcinfo, 1, 2);
    parts[0] = (lm_text){(const char *)&key, sizeof(key)};
    parts[1] = text;
    kept = lmtext_memo_find(fcinfo, 0, parts, 2, NULL);
    if (kept != NULL)
        return kept;
    scores = palloc(size);
    compute(model, &text, 1, (lm_on_long)key.on_long, scores);
    return lmtext_memo_keep(fcinfo, 0, parts, 2, scores, size);
}

/* One engine call for any number of texts; what it did is counted also where it failed. */
static void
compute(lmtext_model *model, const lm_text *texts, size_t count, lm_on_long on_long, float *scores)
{
    lm_embed_options options;
    lm_embed_counts counts = {0};
    lm_status status;

    lmtext_embed_defaults(&options, on_long);
    status = lm_classify(&model->call.ctx, model->session, &model->model, texts, count, &options,
                         scores, &counts);
    lmtext_count(model, &counts);
    lmtext_check(&model->call, status, model->name);
    LMTEXT_FAULT_POINT("classified");
}

/* Hand the scores of every text of array argument 0 to a sink, in order. */
static void
classify_all(FunctionCallInfo fcinfo, lmtext_model *model, score_sink sink, void *opaque)
{
    lm_on_long on_long = lmtext_arg_on_long(fcinfo, 1, 2);
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
        compute(model, present, filled, on_long, scores);
        filled = 0;
        for (int i = first; i < stop; i++)
            sink(opaque, model, i, nulls[i] ? NULL : scores + (Size)labels * filled++);
    }
}

/* A sink that fills an array of labels; a NULL text keeps its place. */
static void
keep_label(void *opaque, const lmtext_model *model, int text, const float *scores)
{
    label_array *labels = opaque;

    labels->nulls[text] = scores == NULL;
    if (scores != NULL)
        labels->values[text] =
            PointerGetDatum(label_text(model, lm_classify_best(scores, model->model.head.labels)));
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
