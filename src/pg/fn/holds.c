/*
 * holds.c - lmtext.holds: does a trained filter say that something is true of a text? NULL where it
 * is not sure, so that coalesce(lmtext.holds(body, 'refund'), my.is_refund(body)) asks its oracle
 * about the rest.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "task/classify.h"
#include "train/filter.h"
#include "pg/fn/args.h"

LMTEXT_ENTRY(lmtext_holds, .name = "holds", .task = "classification", .texts = 1);
LMTEXT_ENTRY(lmtext_holds_array, .name = "holds", .task = "classification", .texts = 1);
LMTEXT_ENTRY(lmtext_holds_vector, .name = "holds", .task = "classification", .brief = true);

/* Texts of an array that are answered at a time. */
#define BLOCK_TEXTS 65536
#define CACHE_LINE 64
#define PREFETCHED 1536 /* bytes: a vector of 384 dimensions */

static void check_filter(const lmtext_model *model);
static void prepare(FunctionCallInfo fcinfo, lmtext_model *model, lmtext_inference *inference);
static void answer_some(const lmtext_inference *inference, const lm_text *texts, int count,
                        Datum *values, bool *nulls);
static Datum answer(int best, bool *null);

/* In the order of a filter's labels: is the answer known, and what is it? */
static const struct {
    const char *label;
    bool known, value;
} answers[] = {
    {LM_FILTER_FALSE, true, false},
    {LM_FILTER_TRUE, true, true},
    {LM_FILTER_UNKNOWN, false, false},
};

static Datum
lmtext_holds_call(PG_FUNCTION_ARGS)
{
    lmtext_inference inference;
    lmtext_model *model;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    model = lmtext_arg_model(fcinfo);
    prepare(fcinfo, model, &inference);
    return answer(lm_classify_best(lmtext_arg_result(fcinfo, 0, &inference), lengthof(answers)),
                  &fcinfo->isnull);
}

static Datum
lmtext_holds_array_call(PG_FUNCTION_ARGS)
{
    lmtext_inference inference;
    lm_text *texts;
    Datum *values;
    bool *nulls;
    int count, lower = 1;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    prepare(fcinfo, lmtext_arg_model(fcinfo), &inference);
    lmtext_texts_from_array(PG_GETARG_ARRAYTYPE_P(0), &texts, &nulls, &count);
    values = MemoryContextAllocHuge(CurrentMemoryContext, (Size)count * sizeof(Datum));
    for (int first = 0; first < count; first += BLOCK_TEXTS)
        answer_some(&inference, texts + first, Min(count - first, BLOCK_TEXTS), values + first,
                    nulls + first);
    if (count == 0)
        PG_RETURN_ARRAYTYPE_P(construct_empty_array(BOOLOID));
    PG_RETURN_ARRAYTYPE_P(
        construct_md_array(values, nulls, 1, &count, &lower, BOOLOID, 1, true, TYPALIGN_CHAR));
}

/* A scan's row has not been read yet: that takes longer than what comes before the product. */
static void
prefetch(const void *value)
{
    for (int i = 0; i < PREFETCHED; i += CACHE_LINE)
        __builtin_prefetch((const char *)value + i);
}

static Datum
lmtext_holds_vector_call(PG_FUNCTION_ARGS)
{
    const lm_embed_counts counts = {.texts = 1};
    float room[lengthof(answers)];
    lmtext_model *model;
    const float *vector;
    int width, best;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    prefetch(PG_GETARG_POINTER(0));
    model = lmtext_arg_model(fcinfo);
    check_filter(model);
    vector = lmtext_floats_from_array(PG_GETARG_ARRAYTYPE_P(0), &width);
    lmtext_check(
        &model->call,
        lm_classify_vector_best(&model->call.ctx, &model->model, vector, width, room, &best),
        model->name);
    lmtext_count(model, &counts);
    return answer(best, &fcinfo->isnull);
}

static void
prepare(FunctionCallInfo fcinfo, lmtext_model *model, lmtext_inference *inference)
{
    check_filter(model);
    lmtext_embed_defaults(&inference->options, lmtext_arg_on_long(fcinfo, 2));
    lmtext_infer_init(inference, &lmtext_scores, model);
}

/* In: which texts are NULL. Out: which answers are. */
static void
answer_some(const lmtext_inference *inference, const lm_text *texts, int count, Datum *values,
            bool *nulls)
{
    lm_text *present = palloc(count * sizeof *present);
    float *scores = palloc(count * lengthof(answers) * sizeof *scores);
    int filled = 0;

    for (int i = 0; i < count; i++)
        if (!nulls[i])
            present[filled++] = texts[i];
    lmtext_infer(inference, present, filled, scores);
    filled = 0;
    for (int i = 0; i < count; i++)
        if (!nulls[i])
            values[i] =
                answer(lm_classify_best(scores + lengthof(answers) * filled++, lengthof(answers)),
                       &nulls[i]);
    pfree(scores);
    pfree(present);
}

/* By its labels: nothing else has just these. */
static void
check_filter(const lmtext_model *model)
{
    bool fits = model->model.info.label_count == lengthof(answers);

    for (int i = 0; fits && i < lengthof(answers); i++)
        fits = strcmp(model->model.info.labels[i], answers[i].label) == 0;
    if (!fits)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("model \"%s\" is not a filter", model->name),
                        errhint("Train one: CALL lmtext.train(name, query, '{\"task\": "
                                "\"filter\", \"oracle\": …}'). For labels, use "
                                "lmtext.classify.")));
}

static Datum
answer(int best, bool *null)
{
    *null = !answers[best].known;
    return BoolGetDatum(answers[best].value);
}
