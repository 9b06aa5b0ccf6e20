/*
 * token_scores.c - a head over the hidden state of every token. Windows come in the order of the
 * texts, so a receiver has one text under way.
 */
#include "task/token_scores.h"

#include <math.h>
#include <string.h>

#include "model/layers.h"
#include "net/crf.h"
#include "task/classify.h"
#include "task/score.h"
#include "task/token_crf.h"

/* One call. */
typedef struct score_run {
    lm_batcher batcher;
    const lm_head *head;
    const lm_token_receiver *receiver;
    lm_token_crf crf; /* of a head with one */
    const lm_text *texts;
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

static lm_status
receive(const score_run *run, const lm_scored_token *scored, int label)
{
    lm_scored_token token = *scored;

    token.label = label;
    if (!isfinite(token.scores[label]))
        return lm_raise(run->batcher.ctx, LM_BAD_MODEL,
                        "the model computed a score that is not finite");
    return run->receiver->token(run->receiver->opaque, &token);
}

/* Scores lie in the session's vectors, before what lies between two layers. */
static lm_status
score_token(score_run *run, const lm_window *window, size_t token, const float *x)
{
    const lm_session *session = run->batcher.session;
    const int labels = run->head->labels;
    float *scores = session->vectors;
    const lm_scored_token scored = {window->text,
                                    session->ids[token],
                                    session->ranges[token].start,
                                    session->ranges[token].stop,
                                    scores,
                                    0};

    LM_TRY(lm_poll(run->batcher.ctx)); /* thousands of labels are milliseconds a token */
    lm_head_score(run->batcher.model->kernels, run->head, x, scores + labels, scores);
    return receive(run, &scored, lm_classify_best(scores, labels));
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

/* ---- All tokens of a window at once ---- */

static lm_crf
crf_of(const lm_layers *layers)
{
    const float *const *values = layers->weights.values + layers->net.crf;

    return (lm_crf){layers->net.out, values[0], values[1], values[2], NULL, NULL, NULL};
}

/* Probabilities of each label at each token and the best labels, by the net's CRF. */
static lm_status
score_by_crf(const score_run *run, const float *x, size_t tokens, float *p, int32_t *labels)
{
    const lm_crf crf = crf_of(lm_model_layers(run->batcher.model));
    lm_context *ctx = run->batcher.ctx;
    double *room = lm_alloc_array(ctx, lm_crf_room(crf.labels, tokens), sizeof *room);
    lm_status status;

    if (!room)
        return LM_NO_MEMORY;
    status = lm_crf_marginals(ctx, &crf, tokens, x, room, p);
    if (status == LM_OK)
        status = lm_crf_decode(ctx, &crf, tokens, x, room, labels);
    lm_free(ctx, room);
    return status;
}

static lm_status
score_by_row(const score_run *run, const float *x, size_t tokens, float *p, int32_t *labels)
{
    const lm_model *model = run->batcher.model;
    const size_t count = lm_model_layers(model)->net.out;

    memcpy(p, x, tokens * count * sizeof *p);
    for (size_t t = 0; t < tokens; t++) {
        LM_TRY(lm_poll(run->batcher.ctx));
        lm_score(model->kernels, LM_SCORING_SOFTMAX, count, p + t * count);
        labels[t] = lm_classify_best(p + t * count, (int)count);
    }
    return LM_OK;
}

static lm_status
receive_window(const score_run *run, const lm_window *window, size_t tokens, size_t count,
               const float *p, const int32_t *labels)
{
    const lm_session *session = run->batcher.session;

    for (size_t t = 0; t < tokens; t++) {
        const size_t token = window->token + t;
        const lm_scored_token scored = {window->text,
                                        session->ids[token],
                                        session->ranges[token].start,
                                        session->ranges[token].stop,
                                        p + t * count,
                                        0};

        if (scored.start >= 0)
            LM_TRY(receive(run, &scored, labels[t]));
    }
    return window->last ? run->receiver->end(run->receiver->opaque, window->text) : LM_OK;
}

/* A head with a CRF: it sees words, not pieces of them. */
static lm_status
score_by_head(score_run *run, const lm_window *window, const float *x, size_t tokens, float *p,
              int32_t *labels)
{
    const lm_session *session = run->batcher.session;

    lm_token_crf_text(&run->crf, window->text, run->texts[window->text]);
    return lm_token_crf_run(run->batcher.ctx, &run->crf, session->ids + window->token,
                            session->ranges + window->token, x, tokens, p, labels);
}

static lm_status
score_all(void *opaque, const lm_window *window, const float *x, size_t tokens)
{
    score_run *run = opaque;
    lm_context *ctx = run->batcher.ctx;
    const lm_layers *layers = lm_model_layers(run->batcher.model);
    const size_t count = layers ? layers->net.out : (size_t)run->head->labels;
    float *p = lm_alloc_array(ctx, tokens * count, sizeof *p);
    int32_t *labels = lm_alloc_array(ctx, tokens, sizeof *labels);
    lm_status status = p && labels ? LM_OK : LM_NO_MEMORY;

    if (status == LM_OK && !layers)
        status = score_by_head(run, window, x, tokens, p, labels);
    else if (status == LM_OK)
        status = (layers->net.crf ? score_by_crf : score_by_row)(run, x, tokens, p, labels);
    if (status == LM_OK)
        status = receive_window(run, window, tokens, count, p, labels);
    lm_free(ctx, p);
    lm_free(ctx, labels);
    return status;
}

static lm_status
start_layers(score_run *run)
{
    const lm_net *net = &lm_model_layers(run->batcher.model)->net;

    if (net->by_text || net->softmax)
        return lm_raise(run->batcher.ctx, LM_UNSUPPORTED, "the model has no head for tokens");
    run->batcher.take = score_all;
    return LM_OK;
}

static lm_status
start_run(score_run *run, const lm_model *model, const lm_embed_options *options)
{
    lm_batcher *b = &run->batcher;

    b->model = model;
    b->ranges = true;
    b->on_long = options->on_long;
    b->batch_tokens = options->batch_tokens;
    b->states = options->states;
    b->opaque = run;
    if (lm_model_layers(model))
        return start_layers(run);
    LM_TRY(find_head(b->ctx, model, &run->head));
    b->layers = lm_weights_layers(lm_model_weights(model));
    b->take = run->head->transitions ? score_all : score_window;
    run->crf = (lm_token_crf){
        .model = model, .head = run->head, .spaced = run->receiver->spaced, .number = SIZE_MAX};
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
                     .receiver = receiver,
                     .texts = texts};
    lm_status status = start_run(&run, model, options);

    for (size_t i = 0; i < count && status == LM_OK; i++)
        status = add_text(&run, &texts[i], i);
    if (status == LM_OK)
        status = lm_batch_flush(&run.batcher);
    lm_session_trim(session);
    return status;
}
