/*
 * token_scores.c - a head over the hidden state of every token. Windows come in the order of the
 * texts, so a receiver has one text under way.
 */
#include "task/token_scores.h"

#include <math.h>

#include "task/classify.h"
#include "task/score.h"

/* One call. */
typedef struct score_run {
    lm_batcher batcher;
    const lm_head *head;
    const lm_token_receiver *receiver;
} score_run;

/* A head that reads a vector of the whole text is none. */
static lm_status
find_head(lm_context *ctx, const lm_model *model, const lm_head **head)
{
    *head = lm_model_head(model);
    return *head && lm_model_weights(model)
               ? LM_OK
               : lm_raise(ctx, LM_UNSUPPORTED, "the model has no head for tokens");
}

/* Scores lie in the session's vectors, before what lies between two layers. */
static lm_status
score_token(score_run *run, const lm_window *window, size_t token, const float *x)
{
    const lm_session *session = run->batcher.session;
    const int labels = run->head->labels;
    float *scores = session->vectors;
    const lm_scored_token scored = {window->text, session->ids[token], session->ranges[token].start,
                                    session->ranges[token].stop, scores};

    LM_TRY(lm_poll(run->batcher.ctx)); /* thousands of labels are milliseconds a token */
    lm_head_score(run->batcher.model->kernels, run->head, x, scores + labels, scores);
    if (!isfinite(scores[lm_classify_best(scores, labels)]))
        return lm_raise(run->batcher.ctx, LM_BAD_MODEL,
                        "the model computed a score that is not finite");
    return run->receiver->token(run->receiver->opaque, &scored);
}

static lm_status
score_window(void *opaque, const lm_window *window, const float *x, size_t tokens)
{
    score_run *run = opaque;

    for (size_t i = 0; i < tokens; i++)
        if (run->batcher.session->ranges[window->token + i].start >= 0)
            LM_TRY(score_token(run, window, window->token + i, x + i * (size_t)run->head->width));
    return window->last ? run->receiver->end(run->receiver->opaque, window->text) : LM_OK;
}

static lm_status
start_run(score_run *run, const lm_model *model, const lm_embed_options *options)
{
    lm_batcher *b = &run->batcher;

    LM_TRY(find_head(b->ctx, model, &run->head));
    b->model = model;
    b->layers = lm_weights_layers(lm_model_weights(model));
    b->ranges = true;
    b->on_long = options->on_long;
    b->batch_tokens = options->batch_tokens;
    b->states = options->states;
    b->take = score_window;
    b->opaque = run;
    return lm_session_grow(b->ctx, b->session, &b->session->vectors, &b->session->vector_capacity,
                           (size_t)run->head->labels + (size_t)run->head->width, sizeof(float));
}

/* A text without a token counts once those before it are done. */
static lm_status
add_text(score_run *run, const lm_text *text, size_t index)
{
    lm_status status = lm_batch_add(&run->batcher, text, index);

    if (status != LM_NO_TOKEN)
        return status;
    LM_TRY(lm_batch_flush(&run->batcher));
    LM_TRY(run->receiver->end(run->receiver->opaque, index));
    if (run->batcher.counts)
        run->batcher.counts->texts++;
    return LM_OK;
}

lm_status
lm_token_scores(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
                size_t count, const lm_embed_options *options, const lm_token_receiver *receiver,
                lm_embed_counts *counts)
{
    score_run run = {.batcher = {.ctx = ctx, .session = session, .counts = counts},
                     .receiver = receiver};
    lm_status status = start_run(&run, model, options);

    for (size_t i = 0; i < count && status == LM_OK; i++)
        status = add_text(&run, &texts[i], i);
    if (status == LM_OK)
        status = lm_batch_flush(&run.batcher);
    lm_session_trim(session);
    return status;
}
