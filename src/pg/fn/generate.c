/*
 * generate.c - lmtext.log_probability: what a language model says of texts.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"

#include "task/language_model.h"
#include "task/word_states.h"
#include "pg/fn/args.h"

LMTEXT_ENTRY(lmtext_log_probability, .name = "log_probability", .task = "language_model",
             .texts = 1);
LMTEXT_ENTRY(lmtext_log_probability_array, .name = "log_probability", .task = "language_model",
             .texts = 1);

static lm_status
run_log_probability(lmtext_model *model, const lm_text *texts, size_t count,
                    const lm_embed_options *options, void *results, lm_embed_counts *counts)
{
    return lm_log_probability(&model->call.ctx, model->session, &model->model, texts, count,
                              results, counts);
}

static size_t
log_probability_size(const lmtext_inference *inference)
{
    return sizeof(float8);
}

static const lmtext_infer_kind log_probabilities = {run_log_probability, log_probability_size,
                                                    false};

/* What a text is a continuation of means nothing to counts of single words; a net of layers reads
 * texts from their beginning. */
static void
refuse_given(FunctionCallInfo fcinfo, const lmtext_model *model)
{
    if (!lmtext_arg_is_null(fcinfo, 2))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("model \"%s\" cannot take a given text into account", model->name),
                        lm_word_net(&model->model) != NULL
                            ? errdetail("It reads each text from its beginning.")
                            : errdetail("It is a unigram model: each word is as probable after "
                                        "any text."),
                        errhint("Leave out the argument given.")));
}

/* How a call computes. */
static void
begin(FunctionCallInfo fcinfo, lmtext_inference *inference)
{
    lmtext_model *model = lmtext_arg_model(fcinfo);

    refuse_given(fcinfo, model);
    lmtext_embed_defaults(&inference->options, LM_LONG_TRUNCATE);
    lmtext_infer_init(inference, &log_probabilities, model);
}

/* log_probability(text, model, given) */
static Datum
lmtext_log_probability_call(PG_FUNCTION_ARGS)
{
    lmtext_inference inference;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    begin(fcinfo, &inference);
    PG_RETURN_FLOAT8(*(const float8 *)lmtext_arg_result(fcinfo, 0, &inference));
}

/* Logarithms of an array's texts, in order; a NULL text keeps its place. */
static ArrayType *
array_of_logs(const lmtext_inference *inference, ArrayType *array)
{
    lm_text *texts;
    bool *nulls;
    int count, filled = 0, lower = 1;
    float8 *logs;
    Datum *values;

    lmtext_texts_from_array(array, &texts, &nulls, &count);
    if (count == 0)
        return construct_empty_array(FLOAT8OID);
    logs = MemoryContextAllocHuge(CurrentMemoryContext, (Size)count * sizeof(float8));
    values = MemoryContextAllocHuge(CurrentMemoryContext, (Size)count * sizeof(Datum));
    for (int i = 0; i < count; i++)
        if (!nulls[i])
            texts[filled++] = texts[i];
    lmtext_infer(inference, texts, filled, logs);
    filled = 0;
    for (int i = 0; i < count; i++)
        values[i] = nulls[i] ? (Datum)0 : Float8GetDatum(logs[filled++]);
    return construct_md_array(values, nulls, 1, &count, &lower, FLOAT8OID, sizeof(float8),
                              FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
}

/* log_probability(texts, model, given) */
static Datum
lmtext_log_probability_array_call(PG_FUNCTION_ARGS)
{
    lmtext_inference inference;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    begin(fcinfo, &inference);
    PG_RETURN_ARRAYTYPE_P(array_of_logs(&inference, PG_GETARG_ARRAYTYPE_P(0)));
}
