/*
 * word_states.c - the batcher over a language model of layers, with a mix of its layers.
 */
#include "task/word_states.h"

#include <math.h>
#include <string.h>

#include "net/recurrent.h"
#include "task/batch.h"

const lm_net *
lm_word_net(const lm_model *model)
{
    const lm_layers *layers = lm_model_layers(model);

    return layers && layers->net.softmax ? &layers->net : NULL;
}

lm_status
lm_word_mix(lm_context *ctx, const lm_net *net, int layer, float mix[LM_WORD_LAYERS])
{
    const lm_layer *stacked = lm_net_stacked(net);
    const int last = (int)stacked->options.layers, first = !lm_recurrent_mixes_input(stacked);

    memset(mix, 0, LM_WORD_LAYERS * sizeof *mix);
    for (int i = first; layer == LM_WORD_ALL_LAYERS && i <= last; i++)
        mix[i] = 1 / (float)(last + 1 - first);
    if (layer == LM_WORD_ALL_LAYERS)
        return LM_OK;
    if (layer < -1 || layer > last || (layer >= 0 && layer < first)) {
        lm_raise(ctx, LM_BAD_ARGUMENT, "the model has no such layer");
        lm_detail_key(ctx, "layer");
        lm_detail_found(ctx, "%d", layer);
        return lm_detail_allowed(ctx, "%d to %d, or -1", first, last);
    }
    mix[layer < 0 ? last : layer] = 1;
    return LM_OK;
}

/* ---- Vectors ---- */

typedef struct vector_run {
    lm_batcher batcher;
    float mix[LM_WORD_LAYERS];
    lm_token_vector_sink sink;
    void *opaque;
} vector_run;

static lm_status
take_window(void *opaque, const lm_window *window, const float *x, size_t tokens)
{
    const vector_run *run = opaque;
    const size_t numbers = tokens * lm_word_net(run->batcher.model)->out;

    for (size_t i = 0; i < numbers; i++)
        if (!isfinite(x[i]))
            return lm_raise(run->batcher.ctx, LM_BAD_MODEL,
                            "the model computed a vector that is not finite");
    return run->sink(run->opaque, window->text, x, tokens);
}

/* A text without a word comes once those before it are done. */
static lm_status
add_text(vector_run *run, const lm_text *text, size_t index)
{
    const lm_status status = lm_batch_add(&run->batcher, text, index);

    if (status != LM_NO_TOKEN)
        return status;
    LM_TRY(lm_batch_flush(&run->batcher));
    if (run->batcher.counts)
        run->batcher.counts->texts++;
    return run->sink(run->opaque, index, run->mix, 0);
}

lm_status
lm_word_vectors(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
                size_t count, const lm_embed_options *options, lm_token_vector_sink sink,
                void *opaque, lm_embed_counts *counts)
{
    const bool refused = options->on_long == LM_LONG_ERROR;
    vector_run run = {.batcher = {.ctx = ctx,
                                  .session = session,
                                  .model = model,
                                  .on_long = refused ? LM_LONG_ERROR : LM_LONG_TRUNCATE,
                                  .batch_tokens = options->batch_tokens,
                                  .take = take_window,
                                  .counts = counts},
                      .sink = sink,
                      .opaque = opaque};
    lm_status status = lm_word_mix(ctx, lm_word_net(model), LM_WORD_ALL_LAYERS, run.mix);

    run.batcher.mix = run.mix;
    run.batcher.opaque = &run;
    for (size_t i = 0; i < count && status == LM_OK; i++)
        status = add_text(&run, &texts[i], i);
    if (status == LM_OK)
        status = lm_batch_flush(&run.batcher);
    lm_session_trim(session);
    return status;
}
