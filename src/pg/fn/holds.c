/*
 * holds.c - lmtext.holds: does a trained filter say that something is true of a text? NULL where it
 * is not sure, so that coalesce(lmtext.holds(body, 'refund'), my.is_refund(body)) asks its oracle
 * about the rest.
 */
#include "postgres.h"

#include "utils/array.h"

#include "task/classify.h"
#include "train/filter.h"
#include "pg/fn/args.h"

LMTEXT_ENTRY(lmtext_holds, .name = "holds", .task = "classification", .texts = 1);
LMTEXT_ENTRY(lmtext_holds_vector, .name = "holds", .task = "classification");

static void check_filter(const lmtext_model *model);
static Datum answer(FunctionCallInfo fcinfo, const lmtext_model *model, const float *scores);

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
    check_filter(model);
    lmtext_embed_defaults(&inference.options, lmtext_arg_on_long(fcinfo, 2));
    lmtext_infer_init(&inference, &lmtext_scores, model);
    return answer(fcinfo, model, lmtext_arg_result(fcinfo, 0, &inference));
}

static Datum
lmtext_holds_vector_call(PG_FUNCTION_ARGS)
{
    const lm_embed_counts counts = {.texts = 1};
    float scores[lengthof(answers)];
    lmtext_model *model;
    const float *vector;
    int width;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    model = lmtext_arg_model(fcinfo);
    check_filter(model);
    vector = lmtext_floats_from_array(PG_GETARG_ARRAYTYPE_P(0), &width);
    lmtext_check(&model->call,
                 lm_classify_vector(&model->call.ctx, &model->model, vector, width, scores),
                 model->name);
    lmtext_count(model, &counts);
    return answer(fcinfo, model, scores);
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

/* A text without a token has no scores where lmtext.on_empty says so. */
static Datum
answer(FunctionCallInfo fcinfo, const lmtext_model *model, const float *scores)
{
    int best;

    if (scores == NULL)
        PG_RETURN_NULL();
    best = lm_classify_best(scores, model->model.info.label_count);
    if (!answers[best].known)
        PG_RETURN_NULL();
    PG_RETURN_BOOL(answers[best].value);
}
