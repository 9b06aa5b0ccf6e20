/*
 * hidden_states.c - lmtext.hidden_states: what the encoder has for each token behind one of its
 * layers, special tokens included; of a language model of layers what it has for each word.
 */
#include "postgres.h"

#include <limits.h>

#include "task/word_states.h"
#include "pg/fn/lists.h"

LMTEXT_ENTRY(lmtext_hidden_states, .name = "hidden_states", .task = "embedding", .texts = 1,
             .any_encoder = true);
LMTEXT_ENTRY(lmtext_hidden_states_array, .name = "hidden_states", .task = "embedding", .texts = 1,
             .any_encoder = true);

/* Behind the last one. */
#define DEFAULT_LAYER (-1)

static int
width_of(const lmtext_model *model)
{
    if (lm_word_net(&model->model) != NULL)
        return model->model.info.dimensions;
    return lm_weights_dims(lm_model_weights(&model->model))->hidden;
}

/* One text after the other: its states lie in the session until the next one. */
static lm_status
run_states(lmtext_model *model, const lm_text *texts, size_t count, const lm_embed_options *options,
           void *results, lm_embed_counts *counts)
{
    lmtext_list **lists = results;

    for (size_t i = 0; i < count; i++) {
        const float *hidden = NULL;
        size_t tokens = 0;

        LM_TRY(lm_hidden_states(&model->call.ctx, model->session, &model->model, texts[i],
                                options->choice, &hidden, &tokens));
        LM_TRY(lmtext_list_keep(hidden, tokens, width_of(model) * sizeof(float), &lists[i]));
        counts->texts++;
        counts->tokens += tokens;
        counts->forwards++;
    }
    return LM_OK;
}

/* Who may use a head on a base was granted labels, not what its base computes. */
static size_t
result_size(const lmtext_inference *inference)
{
    const lmtext_model *model = inference->model;

    if (lm_word_net(&model->model) == NULL &&
        (model->model.base != NULL || lm_model_weights(&model->model) == NULL))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("model \"%s\" has no encoder of its own", model->name),
                        errhint("Name a model with an encoder; that of a trained classifier is in "
                                "column base of lmtext.models.")));
    return sizeof(lmtext_list *);
}

static const lmtext_infer_kind states_of_tokens = {run_states, result_size, false,
                                                   lmtext_list_length};

/* hidden_states(text, model, layer) */
static void
begin(FunctionCallInfo fcinfo, lmtext_inference *inference)
{
    lmtext_model *model = lmtext_arg_model(fcinfo);

    lmtext_embed_defaults(&inference->options, LM_LONG_TRUNCATE);
    inference->options.choice =
        lmtext_arg_int(fcinfo, 2, "layer", DEFAULT_LAYER, DEFAULT_LAYER, INT_MAX);
    lmtext_infer_init(inference, &states_of_tokens, model);
    result_size(inference);
}

/* One row a token. */
static void
put_states(const lmtext_row_sink *sink, lm_text text, const lmtext_list *list)
{
    const int width = width_of(sink->inference->model);
    const float *states = (const float *)list->items;

    for (size_t i = 0; i < list->count; i++) {
        float *values;
        ArrayType *state = lmtext_vector_new(width, &values);
        const Datum row[] = {PointerGetDatum(state)};

        memcpy(values, states + i * width, width * sizeof(float));
        lmtext_list_put(sink, row, lengthof(row));
        pfree(state);
    }
}

static Datum
lmtext_hidden_states_call(PG_FUNCTION_ARGS)
{
    return lmtext_list_of_text(fcinfo, begin, put_states);
}

static Datum
lmtext_hidden_states_array_call(PG_FUNCTION_ARGS)
{
    return lmtext_list_of_array(fcinfo, begin, put_states, 1);
}
