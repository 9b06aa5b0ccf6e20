/*
 * rerank.c - functions of pairs of texts: rerank, next_sentence, entails, and zero_shot, which asks
 * what follows from a text.
 *
 * A pair of a row goes the way of a text (lmtext_arg_pair): remembered, or computed with those of
 * the rows after it. With an array in the place of the second text, the first goes with each of its
 * texts, in packed batches.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "task/pair.h"
#include "pg/fn/args.h"
#include "pg/fn/scored.h"
#include "pg/service/tasks.h"

#define DEFAULT_TEMPLATE "This example is {}."

/* Scores of an array that are kept at a time. */
#define BLOCK_SCORES (1 << 20)

LMTEXT_ENTRY(lmtext_rerank, .name = "rerank", .task = "rerank", .texts = 2, .pair = true);
LMTEXT_ENTRY(lmtext_rerank_array, .name = "rerank", .task = "rerank", .texts = 2, .pair = true);
LMTEXT_ENTRY(lmtext_next_sentence, .name = "next_sentence", .task = "next_sentence", .texts = 2,
             .pair = true);
LMTEXT_ENTRY(lmtext_next_sentence_array, .name = "next_sentence", .task = "next_sentence",
             .texts = 2, .pair = true);
LMTEXT_ENTRY(lmtext_entails, .name = "entails", .task = "entailment", .texts = 2, .pair = true);
LMTEXT_ENTRY(lmtext_entails_array, .name = "entails", .task = "entailment", .texts = 2,
             .pair = true);
LMTEXT_ENTRY(lmtext_zero_shot, .name = "zero_shot", .task = "entailment", .texts = 1, .each = 1,
             .model = 2);
LMTEXT_ENTRY(lmtext_zero_shot_array, .name = "zero_shot", .task = "entailment", .texts = 1,
             .each = 1, .model = 2);

/* Gets the scores of one element of an array, in order; NULL where the element is. */
typedef void (*score_sink)(void *opaque, int element, const float *scores);

static void
begin(FunctionCallInfo fcinfo, const lmtext_infer_kind *kind, int on_long,
      lmtext_inference *inference)
{
    lmtext_model *model = lmtext_arg_model(fcinfo);

    lmtext_embed_defaults(&inference->options, lmtext_arg_on_long(fcinfo, on_long));
    lmtext_infer_init(inference, kind, model);
}

/* ---- How pairs are computed ---- */

static lm_status
run_rerank(lmtext_model *model, const lm_text *texts, size_t count, const lm_embed_options *options,
           void *results, lm_embed_counts *counts)
{
    return lm_rerank(&model->call.ctx, model->session, &model->model, texts, count, options,
                     results, counts);
}

static lm_status
run_next_sentence(lmtext_model *model, const lm_text *texts, size_t count,
                  const lm_embed_options *options, void *results, lm_embed_counts *counts)
{
    return lm_next_sentence(&model->call.ctx, model->session, &model->model, texts, count, options,
                            results, counts);
}

static lm_status
run_entails(lmtext_model *model, const lm_text *texts, size_t count,
            const lm_embed_options *options, void *results, lm_embed_counts *counts)
{
    return lm_entailment(&model->call.ctx, model->session, &model->model, texts, count, options,
                         results, counts);
}

static lm_status
run_zero_shot(lmtext_model *model, const lm_text *texts, size_t count,
              const lm_embed_options *options, void *results, lm_embed_counts *counts)
{
    return lm_zero_shot(&model->call.ctx, model->session, &model->model, texts, count, options,
                        results, counts);
}

static size_t
number_size(const lmtext_inference *inference)
{
    return sizeof(float);
}

static size_t
labels_size(const lmtext_inference *inference)
{
    return inference->model->model.info.label_count * sizeof(float);
}

static size_t
hypotheses_size(const lmtext_inference *inference)
{
    return lm_hypotheses_count(inference->options.own) * sizeof(float);
}

static const lmtext_infer_kind reranked = {
    .run = run_rerank, .size = number_size, .pairs = true, .kept_as = "rerank"};
static const lmtext_infer_kind next_sentences = {
    .run = run_next_sentence, .size = number_size, .pairs = true, .kept_as = "next_sentence"};
static const lmtext_infer_kind entailed = {
    .run = run_entails, .size = labels_size, .pairs = true, .kept_as = "entails"};
static const lmtext_infer_kind zero_shots = {
    .run = run_zero_shot, .size = hypotheses_size, .kept_as = "zero_shot"};

/* ---- Arrays ---- */

/* The texts of an array's block that are no NULL, each behind the first text if there is one. */
static int
gather(const lm_text *first, const lm_text *texts, const bool *nulls, int from, int stop,
       lm_text *gathered)
{
    int filled = 0, count = 0;

    for (int i = from; i < stop; i++) {
        if (nulls[i])
            continue;
        if (first != NULL)
            gathered[filled++] = *first;
        gathered[filled++] = texts[i];
        count++;
    }
    return count;
}

/* The results of all texts of an array, alone or each behind a first one, for a sink. */
static void
compute_array(const lmtext_inference *inference, const lm_text *first, ArrayType *array,
              score_sink sink, void *opaque)
{
    size_t size = inference->kind->size(inference);
    int block = Max(1, (int)(BLOCK_SCORES / size)), count;
    lm_text *texts, *gathered;
    bool *nulls;
    char *results;

    lmtext_texts_from_array(array, &texts, &nulls, &count);
    block = Min(block, Max(count, 1));
    gathered = MemoryContextAllocHuge(CurrentMemoryContext, (Size)block * 2 * sizeof(lm_text));
    results = MemoryContextAllocHuge(CurrentMemoryContext, (Size)block * size);
    for (int from = 0; from < count; from += block) {
        int stop = Min(count, from + block), filled;
        const char *at = results;

        filled = gather(first, texts, nulls, from, stop, gathered);
        lmtext_infer(inference, gathered, filled, results);
        for (int i = from; i < stop; i++) {
            CHECK_FOR_INTERRUPTS();
            sink(opaque, i, nulls[i] ? NULL : (const float *)at);
            at += nulls[i] ? 0 : size;
        }
    }
}

/* ---- Numbers ---- */

static Datum
number_of_pair(FunctionCallInfo fcinfo, const lmtext_infer_kind *kind)
{
    lmtext_inference inference;

    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        PG_RETURN_NULL();
    begin(fcinfo, kind, 3, &inference);
    PG_RETURN_FLOAT4(*(const float *)lmtext_arg_pair(fcinfo, &inference));
}

typedef struct numbers {
    Datum *values;
    bool *nulls;
} numbers;

static void
keep_number(void *opaque, int element, const float *score)
{
    numbers *kept = opaque;

    kept->nulls[element] = score == NULL;
    kept->values[element] = score == NULL ? (Datum)0 : Float4GetDatum(*score);
}

static Datum
numbers_of_array(FunctionCallInfo fcinfo, const lmtext_infer_kind *kind)
{
    lmtext_inference inference;
    ArrayType *array;
    numbers kept;
    lm_text first;
    int count, lower = 1;

    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        PG_RETURN_NULL();
    begin(fcinfo, kind, 3, &inference);
    first = lmtext_arg_text(fcinfo, 0);
    array = PG_GETARG_ARRAYTYPE_P(1);
    count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
    kept.values = MemoryContextAllocHuge(CurrentMemoryContext, (Size)count * sizeof(Datum));
    kept.nulls = MemoryContextAllocHuge(CurrentMemoryContext, (Size)count * sizeof(bool));
    compute_array(&inference, &first, array, keep_number, &kept);
    if (count == 0)
        PG_RETURN_ARRAYTYPE_P(construct_empty_array(FLOAT4OID));
    PG_RETURN_ARRAYTYPE_P(construct_md_array(kept.values, kept.nulls, 1, &count, &lower, FLOAT4OID,
                                             sizeof(float4), true, TYPALIGN_INT));
}

/* rerank(query, document, model, on_long) */
static Datum
lmtext_rerank_call(PG_FUNCTION_ARGS)
{
    return number_of_pair(fcinfo, &reranked);
}

/* rerank(query, documents, model, on_long) */
static Datum
lmtext_rerank_array_call(PG_FUNCTION_ARGS)
{
    return numbers_of_array(fcinfo, &reranked);
}

/* next_sentence(a, b, model, on_long) */
static Datum
lmtext_next_sentence_call(PG_FUNCTION_ARGS)
{
    return number_of_pair(fcinfo, &next_sentences);
}

/* next_sentence(a, candidates, model, on_long) */
static Datum
lmtext_next_sentence_array_call(PG_FUNCTION_ARGS)
{
    return numbers_of_array(fcinfo, &next_sentences);
}

/* ---- Labels ---- */

/* Rows of labels and scores of what is computed, for whoever gets them. */
typedef struct label_rows {
    ReturnSetInfo *result;
    int count; /* of labels */
    lmtext_label_maker label;
    const void *opaque;
} label_rows;

static text *
label_of_model(const void *model, int label)
{
    const char *name = ((const lm_model *)model)->info.labels[label];

    return lmtext_text_from_utf8(name, strlen(name));
}

static text *
label_of_call(const void *labels, int label)
{
    const lm_text *text = (const lm_text *)labels + label;

    return lmtext_text_from_utf8(text->bytes, text->length);
}

static void
emit_element(void *opaque, int element, const float *scores)
{
    const label_rows *rows = opaque;

    if (scores != NULL)
        lmtext_emit_scores(rows->result, (int64)element + 1, scores, rows->count, rows->label,
                           rows->opaque);
}

static label_rows
rows_of_model(FunctionCallInfo fcinfo, const lmtext_inference *inference)
{
    const lm_model *model = &inference->model->model;

    return (label_rows){(ReturnSetInfo *)fcinfo->resultinfo, model->info.label_count,
                        label_of_model, model};
}

/* entails(premise, hypothesis, model, on_long) */
static Datum
lmtext_entails_call(PG_FUNCTION_ARGS)
{
    lmtext_inference inference;
    label_rows rows;

    InitMaterializedSRF(fcinfo, 0);
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        return (Datum)0;
    begin(fcinfo, &entailed, 3, &inference);
    rows = rows_of_model(fcinfo, &inference);
    lmtext_emit_scores(rows.result, 0, lmtext_arg_pair(fcinfo, &inference), rows.count, rows.label,
                       rows.opaque);
    return (Datum)0;
}

/* entails(premise, hypotheses, model, on_long) */
static Datum
lmtext_entails_array_call(PG_FUNCTION_ARGS)
{
    lmtext_inference inference;
    label_rows rows;
    lm_text premise;

    InitMaterializedSRF(fcinfo, 0);
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        return (Datum)0;
    begin(fcinfo, &entailed, 3, &inference);
    rows = rows_of_model(fcinfo, &inference);
    premise = lmtext_arg_text(fcinfo, 0);
    compute_array(&inference, &premise, PG_GETARG_ARRAYTYPE_P(1), emit_element, &rows);
    return (Datum)0;
}

/* The labels of a call; they live as long as it does. */
static lm_text *
labels_of_call(ArrayType *array, int *count)
{
    lm_text *labels;
    bool *nulls;

    lmtext_texts_from_array(array, &labels, &nulls, count);
    for (int i = 0; i < *count; i++)
        if (nulls[i])
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("label %d must not be null", i + 1)));
    return labels;
}

/* Hypotheses of all labels, as the engine has them, in the call's memory. */
static lm_text
make_hypotheses(FunctionCallInfo fcinfo, lmtext_model *model, const lm_text *labels, int count)
{
    static const lm_text usual = {DEFAULT_TEMPLATE, sizeof DEFAULT_TEMPLATE - 1};
    lm_text template = lmtext_arg_is_null(fcinfo, 3) ? usual : lmtext_arg_text(fcinfo, 3);
    lm_text own = {NULL, 0};
    lm_buffer buffer;
    lm_status status;

    lm_buffer_init(&buffer, &model->call.ctx);
    status = lm_hypotheses_make(&model->call.ctx, template, labels, count,
                                lmtext_arg_bool(fcinfo, 4, false), &buffer);
    if (status == LM_OK) {
        own.length = buffer.size;
        own.bytes = MemoryContextAllocExtended(CurrentMemoryContext, buffer.size,
                                               MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
        if (own.bytes == NULL)
            status = lm_raise(&model->call.ctx, LM_NO_MEMORY, "out of memory");
        else
            memcpy((char *)own.bytes, buffer.data, buffer.size);
    }
    lm_buffer_free(&buffer);
    lmtext_check(&model->call, status, model->name);
    return own;
}

/* What both forms of zero_shot compute; false: there are no rows. */
static bool
begin_zero_shot(FunctionCallInfo fcinfo, lmtext_inference *inference, label_rows *rows)
{
    const lm_text *labels;

    InitMaterializedSRF(fcinfo, 0);
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        return false;
    begin(fcinfo, &zero_shots, 5, inference);
    rows->result = (ReturnSetInfo *)fcinfo->resultinfo;
    rows->opaque = labels = labels_of_call(PG_GETARG_ARRAYTYPE_P(1), &rows->count);
    rows->label = label_of_call;
    inference->options.own = make_hypotheses(fcinfo, inference->model, labels, rows->count);
    return true;
}

/* zero_shot(text, labels, model, template, multi_label, on_long) */
static Datum
lmtext_zero_shot_call(PG_FUNCTION_ARGS)
{
    lmtext_inference inference;
    label_rows rows;

    if (begin_zero_shot(fcinfo, &inference, &rows))
        lmtext_emit_scores(rows.result, 0, lmtext_arg_result(fcinfo, 0, &inference), rows.count,
                           rows.label, rows.opaque);
    return (Datum)0;
}

/* zero_shot(texts, labels, model, template, multi_label, on_long) */
static Datum
lmtext_zero_shot_array_call(PG_FUNCTION_ARGS)
{
    lmtext_inference inference;
    label_rows rows;

    if (begin_zero_shot(fcinfo, &inference, &rows))
        compute_array(&inference, NULL, PG_GETARG_ARRAYTYPE_P(0), emit_element, &rows);
    return (Datum)0;
}
