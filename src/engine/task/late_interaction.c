/*
 * late_interaction.c - the hidden state of each token, through the model's modules. The vectors of
 * one text lie in the session until its sink has had them.
 */
#include "task/late_interaction.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "task/batch.h"
#include "task/prompt.h"
#include "task/steps.h"
#include "task/word_states.h"

/* One call. */
typedef struct vector_run {
    lm_batcher batcher;
    const lm_late *late;
    const lm_steps *steps;
    int side;
    lm_token_vector_sink sink;
    void *opaque;
} vector_run;

/* ---- A window ---- */

/* One token's vector, to `out`. */
static lm_status
make_vector(const vector_run *run, const float *x, float *out)
{
    const lm_batcher *b = &run->batcher;
    const lm_kernels *kernels = b->model->kernels;
    float *room = b->session->vectors, *vector;

    LM_TRY(
        lm_steps_of_row(b->ctx, kernels, run->steps, x, room, room + run->steps->widest, &vector));
    if (b->model->sentence.normalize)
        kernels->l2_normalize_f32(run->steps->width, vector, LM_NORM_EPS);
    for (size_t i = 0; i < run->steps->width; i++)
        if (!isfinite(vector[i]))
            return lm_raise(b->ctx, LM_BAD_MODEL, "the model computed a vector that is not finite");
    memcpy(out, vector, run->steps->width * sizeof *out);
    return LM_OK;
}

/* Room for the vectors of a window behind what a single one takes. */
static lm_status
grow_vectors(const vector_run *run, size_t tokens)
{
    lm_session *session = run->batcher.session;
    size_t need;

    if (lm_mul_overflows(tokens, run->steps->width, &need) ||
        lm_add_overflows(need, 2 * run->steps->widest, &need))
        return lm_raise(run->batcher.ctx, LM_NO_MEMORY, "out of memory");
    return lm_session_grow(run->batcher.ctx, session, &session->vectors, &session->vector_capacity,
                           need, sizeof(float));
}

static lm_status
take_window(void *opaque, const lm_window *window, const float *x, size_t tokens)
{
    const vector_run *run = opaque;
    const lm_session *session = run->batcher.session;
    const int32_t *ids = session->ids + window->token;
    size_t kept = 0;
    float *vectors;

    LM_TRY(grow_vectors(run, tokens));
    vectors = session->vectors + 2 * run->steps->widest;
    for (size_t i = 0; i < tokens; i++) {
        if (lm_late_skips(run->late, run->side, ids[i]))
            continue;
        LM_TRY(lm_poll(run->batcher.ctx));
        LM_TRY(make_vector(run, x + i * run->steps->pooled, vectors + kept * run->steps->width));
        kept++;
    }
    return run->sink(run->opaque, window->text, vectors, kept);
}

/* ---- A call ---- */

static lm_status
find_late(lm_context *ctx, const lm_model *model, const lm_late **late)
{
    *late = lm_model_late(model);
    return *late ? LM_OK : lm_raise(ctx, LM_UNSUPPORTED, "the model is not for late interaction");
}

/* What fills a query goes up to its length, or to a window that was made smaller. */
static void
fill_queries(const vector_run *run, lm_batcher *b)
{
    const size_t window = (size_t)b->model->info.max_tokens;

    if (run->side != LM_LATE_QUERY || !run->late->expanded)
        return;
    b->filled_tokens = b->max_tokens < window ? b->max_tokens : window;
    b->filler = run->late->filler;
    b->attended = run->late->attended;
}

static lm_status
start_run(vector_run *run, const lm_model *model, const lm_embed_options *options)
{
    lm_batcher *b = &run->batcher;
    lm_side side = options->side == LM_SIDE_QUERY ? LM_SIDE_QUERY : LM_SIDE_DOCUMENT;

    LM_TRY(find_late(b->ctx, model, &run->late));
    run->steps = lm_model_steps(model);
    run->side = side == LM_SIDE_QUERY ? LM_LATE_QUERY : LM_LATE_DOCUMENT;
    b->model = model;
    b->layers = lm_weights_layers(lm_model_weights(model));
    b->max_tokens = run->late->length[run->side];
    b->on_long = options->on_long == LM_LONG_ERROR ? LM_LONG_ERROR : LM_LONG_TRUNCATE;
    b->batch_tokens = options->batch_tokens;
    b->states = options->states;
    b->prompt = lm_prompt_of_side(&model->sentence, side);
    b->prompt_length = b->prompt ? strlen(b->prompt) : 0;
    b->take = take_window;
    b->opaque = run;
    fill_queries(run, b);
    return LM_OK;
}

lm_status
lm_token_vectors(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
                 size_t count, const lm_embed_options *options, lm_token_vector_sink sink,
                 void *opaque, lm_embed_counts *counts)
{
    vector_run run = {.batcher = {.ctx = ctx, .session = session, .counts = counts},
                      .sink = sink,
                      .opaque = opaque};
    lm_status status;

    if (lm_word_net(model))
        return lm_word_vectors(ctx, session, model, texts, count, options, sink, opaque, counts);
    status = start_run(&run, model, options);
    for (size_t i = 0; i < count && status == LM_OK; i++)
        status = lm_batch_add(&run.batcher, &texts[i], i);
    if (status == LM_OK)
        status = lm_batch_flush(&run.batcher);
    lm_session_trim(session);
    return status;
}

/* ---- Golden values ---- */

/* Where means go. */
typedef struct mean_run {
    const lm_kernels *kernels;
    size_t width, stride;
    float *out;
} mean_run;

static lm_status
keep_mean(void *opaque, size_t text, const float *vectors, size_t tokens)
{
    const mean_run *run = opaque;
    float *out = run->out + text * run->stride;

    if (tokens > 0)
        run->kernels->mean_rows_f32(tokens, run->width, vectors, out);
    else
        memset(out, 0, run->width * sizeof *out);
    return LM_OK;
}

lm_status
lm_token_vector_means(lm_context *ctx, lm_session *session, const lm_model *model,
                      const lm_text *texts, size_t count, float *out)
{
    static const lm_side sides[LM_LATE_SIDES] = {LM_SIDE_DOCUMENT, LM_SIDE_QUERY};
    const size_t width = (size_t)model->info.dimensions;

    for (size_t i = 0; i < LM_LATE_SIDES; i++) {
        const lm_embed_options options = {.side = sides[i]};
        mean_run run = {model->kernels, width, LM_LATE_SIDES * width, out + i * width};

        LM_TRY(
            lm_token_vectors(ctx, session, model, texts, count, &options, keep_mean, &run, NULL));
    }
    return LM_OK;
}
