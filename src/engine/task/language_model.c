/*
 * language_model.c - texts → words → log probabilities.
 */
#include "task/language_model.h"

#include "base/words.h"
#include "lang/unigram.h"

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

/* Scores of texts, in order, to a function. */
static lm_status
score_texts(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
            size_t count, void (*take)(void *out, size_t text, const text_score *score), void *out,
            lm_embed_counts *counts)
{
    const lm_unigram *unigram = lm_model_unigram(model);
    lm_status status = LM_OK;

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
