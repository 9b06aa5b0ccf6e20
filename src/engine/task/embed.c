/*
 * embed.c - texts to vectors. Each text becomes one window of tokens, or several when long texts
 * are averaged; batches of windows run (batch.h), and each window is pooled. Windows come in the
 * order of the texts, so those of one text are neighbours and a single running sum serves their
 * mean.
 *
 * The meaning of prompts, pooling and normalising is that of sentence-transformers.
 */
#include "task/embed.h"

#include <math.h>
#include <string.h>

#include "task/batch.h"
#include "task/prompt.h"
#include "task/route.h"
#include "task/score.h"
#include "task/static_embed.h"
#include "task/steps.h"
#include "task/word_states.h"

/* One call of lm_embed. */
typedef struct embed_run {
    lm_batcher batcher;
    const lm_model *model; /* whose encoder runs */
    const lm_steps *steps; /* its */
    size_t hidden;         /* D */
    size_t full;           /* width of the embedding, uncut */
    size_t width;          /* of the result */
    float *out;            /* (texts, width) */
} embed_run;

/* ---- From hidden states to results ---- */

/* To length 1, if the model's own files ask for it; else vectors stay as they are. */
static void
normalize(const embed_run *run, size_t width, float *x)
{
    if (run->model->sentence.normalize)
        run->model->kernels->l2_normalize_f32(width, x, LM_NORM_EPS);
}

/* Weights are finite, but sums of large ones may not be: such a vector must not get out. */
static lm_status
check_vector(const embed_run *run, const float *x)
{
    for (size_t i = 0; i < run->full; i++)
        if (!isfinite(x[i]))
            return lm_raise(run->batcher.ctx, LM_BAD_MODEL,
                            "the model computed a vector that is not finite");
    return LM_OK;
}

/* Add a window to the sum of its text; after the last one, sum becomes the text's vector. */
static void
add_to_mean(const embed_run *run, const lm_window *window, const float *vector, float *sum)
{
    if (window->first)
        memset(sum, 0, run->full * sizeof *sum);
    for (size_t i = 0; i < run->full; i++)
        sum[i] += (float)window->weight * vector[i];
    if (window->last)
        normalize(run, run->full, sum);
}

/*
 * Cuts to the width asked for. The whole vector was normalised already, so only one that is cut
 * further than the model itself cuts it is again.
 */
static void
write_result(const embed_run *run, size_t text, const float *vector)
{
    float *out = run->out + text * run->width;

    memcpy(out, vector, run->width * sizeof *out);
    if (run->width < (size_t)run->model->info.dimensions)
        normalize(run, run->width, out);
}

/* The mean of what a head's first layer makes of each row. */
static lm_status
pool_late(const embed_run *run, const float *x, size_t first, size_t rows, float *vector,
          float *room)
{
    const lm_head *head = lm_model_head(run->model);

    memset(vector, 0, run->full * sizeof *vector);
    for (size_t row = first; row < rows; row++) {
        const float *made = x + row * run->hidden;

        LM_TRY(lm_poll(run->batcher.ctx));
        made = lm_head_transform(run->model->kernels, head, made, room);
        for (size_t i = 0; i < run->full; i++)
            vector[i] += made[i] / (float)(rows - first);
    }
    return LM_OK;
}

/* The vector of a window stands in the room, or behind its first `widest` numbers. */
static lm_status
pool(const embed_run *run, const float *x, size_t first, size_t rows, float *room, float **vector)
{
    float *more = room + run->steps->widest;

    if (run->model->sentence.pooling != LM_POOL_LATE)
        return lm_steps_run(run->batcher.ctx, run->model->kernels, run->steps, x, first, rows,
                            run->hidden, room, more, vector);
    *vector = room;
    return pool_late(run, x, first, rows, room, more);
}

/* From the hidden states of a window to the result, or to its share of one. */
static lm_status
pool_window(void *opaque, const lm_window *window, const float *x, size_t rows)
{
    const embed_run *run = opaque;
    float *room = run->batcher.session->vectors, *sum = room + 2 * run->steps->widest;
    float *vector;

    LM_TRY(pool(run, x, window->excluded, rows, room, &vector));
    LM_TRY(check_vector(run, vector));
    normalize(run, run->full, vector);
    if (window->first && window->last) {
        write_result(run, window->text, vector);
        return LM_OK;
    }
    add_to_mean(run, window, vector, sum);
    if (window->last)
        write_result(run, window->text, sum);
    return LM_OK;
}

/* ---- Options ---- */

/* A head's image has no encoder of its own. */
static lm_status
check_encoder(lm_context *ctx, bool there)
{
    if (there)
        return LM_OK;
    lm_raise(ctx, LM_UNSUPPORTED, "the model has no encoder");
    return lm_detail_hint(ctx, "A head runs on the model that it was trained on.");
}

/* Callers ask before they allocate the result. */
lm_status
lm_embed_width(lm_context *ctx, const lm_model *model, const lm_embed_options *options, int *width)
{
    const lm_model *encoder;
    int full;

    LM_TRY(lm_route_find(ctx, model, options->side, &encoder));
    LM_TRY(check_encoder(ctx, lm_model_width(encoder) > 0));
    full = encoder->info.dimensions;
    if (options->dimensions < 0 || options->dimensions > full) {
        lm_raise(ctx, LM_BAD_ARGUMENT, "the number of dimensions is out of range");
        lm_detail_key(ctx, "dimensions");
        lm_detail_found(ctx, "%d", options->dimensions);
        return lm_detail_allowed(ctx, "1 to %d", full);
    }
    *width = options->dimensions > 0 ? options->dimensions : full;
    return LM_OK;
}

/* All options are checked here, before the first text is read. */
static lm_status
start_run(embed_run *run, const lm_embed_options *options)
{
    lm_batcher *b = &run->batcher;
    int width;

    LM_TRY(lm_embed_width(b->ctx, run->model, options, &width));
    run->steps = lm_model_steps(run->model);
    run->hidden = (size_t)lm_weights_dims(lm_model_weights(run->model))->hidden;
    run->full = run->steps->width;
    run->width = (size_t)width;
    b->layers = lm_weights_layers(lm_model_weights(run->model));
    b->rows = lm_steps_rows(run->steps);
    b->mix = run->steps->mix;
    b->on_long = options->on_long;
    b->batch_tokens = options->batch_tokens;
    b->states = options->states;
    b->cut = options->cut;
    LM_TRY(lm_session_grow(b->ctx, b->session, &b->session->vectors, &b->session->vector_capacity,
                           2 * run->steps->widest + run->full, sizeof(float)));
    LM_TRY(lm_prompt_resolve(b, options));
    return lm_prompt_measure(b);
}

/* The same options, of a model that has no layers. */
static lm_status
embed_static(lm_batcher *b, const lm_text *texts, size_t count, const lm_embed_options *options,
             float *out)
{
    lm_static_call call = {.on_long = options->on_long};
    int width;

    LM_TRY(lm_embed_width(b->ctx, b->model, options, &width));
    LM_TRY(lm_prompt_resolve(b, options));
    call.width = (size_t)width;
    call.prompt = (lm_text){b->prompt, b->prompt_length};
    return lm_static_embed(b->ctx, b->session, b->model, texts, count, &call, out, b->counts);
}

lm_status
lm_embed(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
         size_t count, const lm_embed_options *options, float *out, lm_embed_counts *counts)
{
    const lm_model *encoder;
    embed_run run = {
        .batcher =
            {.ctx = ctx, .session = session, .take = pool_window, .opaque = &run, .counts = counts},
        .out = out,
    };
    lm_status status;

    LM_TRY(lm_route_find(ctx, model, options->side, &encoder));
    run.batcher.model = run.model = encoder;
    if (lm_model_view(encoder, LM_SECTION_VECTORS))
        return embed_static(&run.batcher, texts, count, options, out);
    status = start_run(&run, options);
    for (size_t i = 0; i < count && status == LM_OK; i++)
        status = options->pairs ? lm_batch_add_pair(&run.batcher, &texts[2 * i], i)
                                : lm_batch_add(&run.batcher, &texts[i], i);
    if (status == LM_OK)
        status = lm_batch_flush(&run.batcher);
    lm_session_trim(session);
    return status;
}

/* ---- Hidden states ---- */

/* What lm_hidden_states gives out. */
typedef struct states_of_text {
    const float *hidden;
    size_t tokens;
} states_of_text;

static lm_status
keep_states(void *opaque, const lm_window *window, const float *hidden, size_t tokens)
{
    *(states_of_text *)opaque = (states_of_text){hidden, tokens};
    return LM_OK;
}

static lm_status
choose_layer(lm_context *ctx, const lm_model *encoder, int layer, int *chosen)
{
    int layers;

    LM_TRY(check_encoder(ctx, lm_model_weights(encoder) != NULL));
    layers = lm_weights_layers(lm_model_weights(encoder));
    if (layer < -1 || layer > layers) {
        lm_raise(ctx, LM_BAD_ARGUMENT, "the model has no such layer");
        lm_detail_key(ctx, "layer");
        lm_detail_found(ctx, "%d", layer);
        return lm_detail_allowed(ctx, "-1 to %d", layers);
    }
    *chosen = layer < 0 ? layers : layer;
    return LM_OK;
}

/* One text as a batch of its own, cut at the window, with no prompt. */
lm_status
lm_hidden_states(lm_context *ctx, lm_session *session, const lm_model *model, lm_text text,
                 int layer, const float **hidden, size_t *tokens)
{
    const lm_model *encoder = lm_model_main(lm_model_encoder(model));
    states_of_text kept;
    lm_batcher batcher = {
        .ctx = ctx, .session = session, .model = encoder, .take = keep_states, .opaque = &kept};
    float mix[LM_WORD_LAYERS];

    lm_session_trim(session); /* of an earlier call's states */
    if (lm_word_net(encoder)) {
        LM_TRY(lm_word_mix(ctx, lm_word_net(encoder), layer, mix));
        batcher.mix = mix;
    } else
        LM_TRY(choose_layer(ctx, encoder, layer, &batcher.layers));
    LM_TRY(lm_batch_add(&batcher, &text, 0));
    LM_TRY(lm_batch_flush(&batcher));
    *hidden = kept.hidden;
    *tokens = kept.tokens;
    return LM_OK;
}
