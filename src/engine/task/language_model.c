/*
 * language_model.c - texts → words → log probabilities, by counts or by a net of layers.
 */
#include "task/language_model.h"

#include "base/words.h"
#include "lang/unigram.h"
#include "model/layers.h"
#include "net/softmax.h"
#include "task/batch.h"
#include "task/word_states.h"

/* What is known of one text. */
typedef struct text_score {
    uint64_t words, unknown;
    double log_p;   /* of all words */
    double known_p; /* of those that the model knows */
} text_score;

static lm_status
score_text(lm_session *session, const lm_unigram *unigram, lm_text text, text_score *score)
{
    bool found;
    lm_words words;

    *score = (text_score){0};
    LM_TRY(lm_words_open(&words, text, &session->text));
    for (;;) {
        uint32_t number;

        LM_TRY(lm_words_next(&words, &found));
        if (!found)
            return LM_OK;
        number = lm_unigram_find(unigram, session->text.data, session->text.size);
        score->words++;
        score->log_p += unigram->log_p[number];
        if (number == unigram->count)
            score->unknown++;
        else
            score->known_p += unigram->log_p[number];
    }
}

/* Who gets the scores of texts, in order. */
typedef void (*score_taker)(void *out, size_t text, const text_score *score);

/* ---- By a net of layers, from its forward direction ---- */

typedef struct net_run {
    lm_batcher batcher;
    lm_words_softmax softmax;
    text_score score; /* of the text under way */
    score_taker take;
    void *out;
} net_run;

/* A word and its logarithm; what is not in the vocabulary is one unknown word. */
static void
count_words(text_score *score, const int32_t *ids, size_t tokens, int32_t unknown)
{
    score->words += tokens;
    for (size_t i = 0; i < tokens; i++)
        score->unknown += ids[i] == unknown;
}

static lm_status
take_window(void *opaque, const lm_window *window, const float *x, size_t tokens)
{
    net_run *run = opaque;
    const lm_batcher *b = &run->batcher;
    const int32_t *ids = b->session->ids + window->token;
    const size_t offsets[] = {0, tokens};
    const lm_net_batch batch = {.tokens = tokens, .texts = 1, .ids = ids, .offsets = offsets};
    double loss = 0;

    if (window->first)
        run->score = (text_score){0};
    LM_TRY(lm_words_loss(b->ctx, &run->softmax, &batch, 0, x, 1, b->session->vectors, &loss, NULL));
    count_words(&run->score, ids, tokens, lm_token_unknown(lm_model_tokenizer(b->model)));
    run->score.log_p -= loss;
    run->score.known_p -= loss;
    if (window->last)
        run->take(run->out, window->text, &run->score);
    return LM_OK;
}

/* A text without a word is certain. */
static lm_status
add_text(net_run *run, const lm_text *text, size_t index)
{
    const lm_status status = lm_batch_add(&run->batcher, text, index);

    if (status != LM_NO_TOKEN)
        return status;
    LM_TRY(lm_batch_flush(&run->batcher));
    if (run->batcher.counts)
        run->batcher.counts->texts++;
    run->take(run->out, index, &(text_score){0});
    return LM_OK;
}

/* A long text goes through window by window, each read from its own beginning. */
static lm_status
score_by_net(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
             size_t count, score_taker take, void *out, lm_embed_counts *counts)
{
    const lm_layers *layers = lm_model_layers(model);
    net_run run = {.batcher = {.ctx = ctx,
                               .session = session,
                               .model = model,
                               .on_long = LM_LONG_MEAN,
                               .one_way = true,
                               .take = take_window,
                               .counts = counts},
                   .softmax = lm_net_softmax(&layers->net, &layers->weights, NULL),
                   .take = take,
                   .out = out};
    lm_status status = lm_session_grow(ctx, session, &session->vectors, &session->vector_capacity,
                                       lm_words_room(&run.softmax), sizeof *session->vectors);

    run.batcher.opaque = &run;
    for (size_t i = 0; status == LM_OK && i < count; i++)
        status = add_text(&run, &texts[i], i);
    if (status == LM_OK)
        status = lm_batch_flush(&run.batcher);
    lm_session_trim(session);
    return status;
}

/* ---- Whoever scores ---- */

static lm_status
score_texts(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
            size_t count, score_taker take, void *out, lm_embed_counts *counts)
{
    const lm_unigram *unigram = lm_model_unigram(model);
    lm_status status = LM_OK;

    if (lm_word_net(model))
        return score_by_net(ctx, session, model, texts, count, take, out, counts);
    if (!unigram)
        return lm_raise(ctx, LM_UNSUPPORTED, "the model is not a language model");
    for (size_t i = 0; status == LM_OK && i < count; i++) {
        text_score score;

        status = score_text(session, unigram, texts[i], &score);
        if (status != LM_OK)
            break;
        take(out, i, &score);
        if (counts) {
            counts->texts++;
            counts->tokens += score.words;
        }
    }
    lm_session_trim(session);
    return status;
}

static void
take_log(void *out, size_t text, const text_score *score)
{
    ((double *)out)[text] = score->log_p;
}

lm_status
lm_log_probability(lm_context *ctx, lm_session *session, const lm_model *model,
                   const lm_text *texts, size_t count, double *out, lm_embed_counts *counts)
{
    return score_texts(ctx, session, model, texts, count, take_log, out, counts);
}

/* ---- Golden values ---- */

int
lm_log_probability_golden_width(const lm_model *model)
{
    return 2;
}

/* Finite, also where an unknown word is impossible. */
static void
take_golden(void *out, size_t text, const text_score *score)
{
    float *row = (float *)out + 2 * text;

    row[0] = (float)score->unknown;
    row[1] = (float)score->known_p;
}

lm_status
lm_log_probability_golden(lm_context *ctx, lm_session *session, const lm_model *model,
                          const lm_text *texts, size_t count, float *out)
{
    return score_texts(ctx, session, model, texts, count, take_golden, out, NULL);
}
