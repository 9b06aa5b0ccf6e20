/*
 * answer.c - a head over every token of a question and its context. Windows come in the order of
 * the pairs, so one list of the best answers serves for the pair under way.
 *
 * The definition is that of transformers' pipeline question-answering (4.57), but for one thing:
 * there the scores of candidates that read the same are added up, whether they are one stretch of
 * the context that two windows hold, one word that several tokens stand for, or two stretches far
 * apart. Here a stretch keeps the highest score that it got.
 */
#include "task/answer.h"

#include <math.h>
#include <string.h>

#include "task/batch.h"
#include "task/score.h"

/* The pipeline's. */
#define WINDOW_TOKENS 384
#define OVERLAP_TOKENS 128
#define ANSWER_TOKENS 15

/* One call. */
typedef struct answer_run {
    lm_batcher batcher;
    const lm_head *head;
    lm_answer best[LM_ANSWERS_MAX]; /* of the pair under way, the best first */
    size_t count, most;
    bool no_answer;
    float none; /* the least score of "no answer" that a window gave */
    float *means;
    size_t mean_tokens, windows;
    lm_answer_sink sink;
    void *opaque;
} answer_run;

/* A window's tokens of the context, and what the head says of each; entry 0 is the first token. */
typedef struct spans {
    const lm_token_range *ranges; /* from the context's first token on */
    const int32_t *ids;
    size_t count;
    float *starts, *ends; /* (1 + count) */
} spans;

static lm_status start_run(answer_run *run, const lm_model *model);
static lm_status add_pair(answer_run *run, const lm_text *pair, size_t index);
static lm_status read_window(void *opaque, const lm_window *window, const float *x, size_t tokens);
static lm_status score_tokens(const answer_run *run, const lm_window *window, const float *x,
                              size_t tokens, spans *s);
static void add_means(answer_run *run, size_t pair, const spans *s);
static lm_status find_answers(answer_run *run, const spans *s);
static lm_status finish_pair(answer_run *run, size_t pair);

static lm_status
run_pairs(answer_run *run, const lm_model *model, const lm_text *texts, size_t pairs)
{
    lm_status status = start_run(run, model);

    for (size_t i = 0; i < pairs && status == LM_OK; i++)
        status = add_pair(run, &texts[2 * i], i);
    if (status == LM_OK)
        status = lm_batch_flush(&run->batcher);
    lm_session_trim(run->batcher.session);
    return status;
}

lm_status
lm_answer_texts(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
                size_t pairs, const lm_embed_options *options, lm_answer_sink sink, void *opaque,
                lm_embed_counts *counts)
{
    answer_run run = {.batcher = {.ctx = ctx, .session = session, .counts = counts},
                      .sink = sink,
                      .opaque = opaque};
    lm_answer_options own;

    memcpy(&own, options->own.bytes, sizeof own);
    if (own.most < 1 || own.most > LM_ANSWERS_MAX) {
        lm_raise(ctx, LM_BAD_ARGUMENT, "the number of answers is out of range");
        lm_detail_found(ctx, "%d", own.most);
        return lm_detail_allowed(ctx, "1 to %d", LM_ANSWERS_MAX);
    }
    run.most = (size_t)own.most;
    run.no_answer = own.no_answer != 0;
    run.batcher.batch_tokens = options->batch_tokens;
    run.batcher.states = options->states;
    return run_pairs(&run, model, texts, pairs);
}

static lm_status
ignore(void *opaque, size_t pair, const lm_answer *answers, size_t count)
{
    return LM_OK;
}

lm_status
lm_answer_means(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
                size_t pairs, float *out)
{
    answer_run run = {
        .batcher = {.ctx = ctx, .session = session}, .most = 1, .means = out, .sink = ignore};

    memset(out, 0, pairs * LM_ANSWER_MEANS * sizeof *out);
    return run_pairs(&run, model, texts, pairs);
}

/* The session's vectors are both rows of a window's numbers, and the two of one token. */
static lm_status
start_run(answer_run *run, const lm_model *model)
{
    lm_batcher *b = &run->batcher;
    size_t window;

    run->head = lm_model_head(model);
    if (!run->head || !lm_model_weights(model) || run->head->labels != 2)
        return lm_raise(b->ctx, LM_UNSUPPORTED, "the model has no head for answers");
    window = (size_t)model->info.max_tokens;
    window = window < WINDOW_TOKENS ? window : WINDOW_TOKENS;
    b->model = model;
    b->layers = lm_weights_layers(lm_model_weights(model));
    b->ranges = true;
    b->words = !lm_tokenizer_marks_pieces(lm_model_tokenizer(model));
    b->separator = run->head->own_types ? &run->head->separator : NULL;
    b->cut = LM_CUT_SECOND_WINDOWS;
    b->pair_tokens = window;
    b->pair_overlap = window / 2 < OVERLAP_TOKENS ? window / 2 : OVERLAP_TOKENS;
    b->take = read_window;
    b->opaque = run;
    run->none = 1;
    return lm_session_grow(b->ctx, b->session, &b->session->vectors, &b->session->vector_capacity,
                           2 * (window + 1) + 2 + lm_head_room(run->head), sizeof(float));
}

/* A pair without a token has no answer; it counts once those before it are done. */
static lm_status
add_pair(answer_run *run, const lm_text *pair, size_t index)
{
    lm_status status = lm_batch_add_pair(&run->batcher, pair, index);

    if (status != LM_NO_TOKEN)
        return status;
    LM_TRY(lm_batch_flush(&run->batcher));
    LM_TRY(finish_pair(run, index));
    if (run->batcher.counts)
        run->batcher.counts->texts++;
    return LM_OK;
}

static lm_status
read_window(void *opaque, const lm_window *window, const float *x, size_t tokens)
{
    answer_run *run = opaque;
    spans s;

    LM_TRY(lm_poll(run->batcher.ctx));
    run->windows++;
    LM_TRY(score_tokens(run, window, x, tokens, &s));
    if (run->means)
        add_means(run, window->text, &s);
    LM_TRY(find_answers(run, &s));
    return window->last ? finish_pair(run, window->text) : LM_OK;
}

/* Both numbers of a token go to the ends of the two rows. */
static lm_status
score_token(const answer_run *run, const float *x, spans *s, size_t at)
{
    const size_t labels = 2;
    float *pair = run->batcher.session->vectors, *room = pair + labels;

    lm_head_logits(run->batcher.model->kernels, run->head, x, room, pair);
    s->starts[at] = pair[0];
    s->ends[at] = pair[1];
    if (!isfinite(pair[0]) || !isfinite(pair[1]))
        return lm_raise(run->batcher.ctx, LM_BAD_MODEL,
                        "the model computed a score that is not finite");
    return LM_OK;
}

/* The first token and the context's, which lie side by side. */
static lm_status
score_tokens(const answer_run *run, const lm_window *window, const float *x, size_t tokens,
             spans *s)
{
    const lm_session *session = run->batcher.session;
    const lm_token_range *ranges = session->ranges + window->token;
    const size_t width = (size_t)run->head->width;
    size_t first = 0;

    while (first < tokens && ranges[first].start < 0)
        first++;
    *s = (spans){.ranges = ranges + first, .ids = session->ids + window->token + first};
    while (first + s->count < tokens && ranges[first + s->count].start >= 0)
        s->count++;
    s->starts = session->vectors + 2 + lm_head_room(run->head);
    s->ends = s->starts + 1 + s->count;
    LM_TRY(score_token(run, x, s, 0));
    for (size_t i = 0; i < s->count; i++)
        LM_TRY(score_token(run, x + (first + i) * width, s, i + 1));
    return LM_OK;
}

/* Running means over the windows, and over their tokens. */
static void
add_means(answer_run *run, size_t pair, const spans *s)
{
    float *means = run->means + pair * LM_ANSWER_MEANS;

    means[0] += (s->starts[0] - means[0]) / (float)run->windows;
    means[1] += (s->ends[0] - means[1]) / (float)run->windows;
    for (size_t i = 1; i <= s->count; i++) {
        run->mean_tokens++;
        means[2] += (s->starts[i] - means[2]) / (float)run->mean_tokens;
        means[3] += (s->ends[i] - means[3]) / (float)run->mean_tokens;
    }
}

/* ---- The best of a pair ---- */

static bool
is_better(const lm_answer *a, const lm_answer *b)
{
    if (a->score != b->score)
        return a->score > b->score;
    return a->start != b->start ? a->start < b->start : a->stop < b->stop;
}

/* Where the list has the same stretch; its length where it has not. */
static size_t
find_same(const answer_run *run, const lm_answer *answer)
{
    size_t i = 0;

    while (i < run->count &&
           (run->best[i].start != answer->start || run->best[i].stop != answer->stop))
        i++;
    return i;
}

/* In its place, unless the same stretch has a higher score already. */
static void
keep_answer(answer_run *run, lm_answer answer)
{
    size_t at = find_same(run, &answer);

    if (at == run->count && run->count < run->most)
        run->best[run->count++] = (lm_answer){-1, -1, -1};
    else if (at == run->count)
        at--;
    if (!is_better(&answer, &run->best[at]))
        return;
    for (; at > 0 && is_better(&answer, &run->best[at - 1]); at--)
        run->best[at] = run->best[at - 1];
    run->best[at] = answer;
}

static bool
is_wanted(const answer_run *run, float score)
{
    return run->count < run->most || score >= run->best[run->count - 1].score;
}

/* Whether a token goes on with a word: by its mark, or as the pre-tokenizer cut the text. */
static bool
continues(const answer_run *run, const spans *s, size_t token)
{
    if (run->batcher.words)
        return !s->ranges[token].begins;
    return lm_token_continues(lm_model_tokenizer(run->batcher.model), s->ids[token]);
}

/* The stretch from the word of one token to that of another, as far as the window has them. */
static lm_answer
stretch(const answer_run *run, const spans *s, size_t first, size_t last, float score)
{
    while (first > 0 && continues(run, s, first))
        first--;
    while (last + 1 < s->count && continues(run, s, last + 1))
        last++;
    return (lm_answer){s->ranges[first].start, s->ranges[last].stop, score};
}

static lm_status
find_answers(answer_run *run, const spans *s)
{
    const lm_kernels *kernels = run->batcher.model->kernels;
    const float *starts = s->starts + 1, *ends = s->ends + 1;

    lm_score(kernels, LM_SCORING_SOFTMAX, s->count + 1, s->starts);
    lm_score(kernels, LM_SCORING_SOFTMAX, s->count + 1, s->ends);
    run->none = fminf(run->none, s->starts[0] * s->ends[0]);
    for (size_t i = 0; i < s->count; i++) {
        LM_TRY(lm_poll(run->batcher.ctx));
        for (size_t k = i; k < s->count && k < i + ANSWER_TOKENS; k++) {
            const float score = starts[i] * ends[k];

            if (is_wanted(run, score))
                keep_answer(run, stretch(run, s, i, k, score));
        }
    }
    return LM_OK;
}

/* "No answer" stands behind answers that are as good. */
static void
add_no_answer(answer_run *run)
{
    size_t at = run->count;

    while (at > 0 && run->best[at - 1].score < run->none)
        at--;
    if (at == run->most)
        return;
    if (run->count < run->most)
        run->count++;
    for (size_t i = run->count - 1; i > at; i--)
        run->best[i] = run->best[i - 1];
    run->best[at] = (lm_answer){-1, -1, run->none};
}

/* And makes ready for the next one. A pair without a token has no answer, not even that. */
static lm_status
finish_pair(answer_run *run, size_t pair)
{
    lm_status status;

    if (run->no_answer && run->windows > 0)
        add_no_answer(run);
    status = run->sink(run->opaque, pair, run->best, run->count);
    run->count = run->windows = run->mean_tokens = 0;
    run->none = 1;
    return status;
}
