/*
 * squad.c - exact match and F1 of answers as the script of SQuAD 1.1 computes them: in lower case,
 * without the punctuation of ASCII and without articles. Of several answers the best counts.
 */
#include <string.h>

#include "base/lower.h"
#include "base/unicode.h"
#include "base/utf8.h"
#include "metrics/ngrams.h"
#include "metrics/text_measures.h"
#include "metrics/text_sums.h"

static bool
is_punctuation(char c)
{
    return c > ' ' && c < 0x7f && !(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') &&
           !(c >= 'a' && c <= 'z');
}

/* In place. */
static lm_status
drop_punctuation(lm_buffer *text)
{
    size_t kept = 0;

    for (size_t i = 0; i < text->size; i++) {
        if (!is_punctuation(text->data[i]))
            text->data[kept++] = text->data[i];
        if ((i + 1) % LM_TEXT_POLL_EVERY == 0)
            LM_TRY(lm_poll(text->ctx));
    }
    text->size = kept;
    return LM_OK;
}

static bool
is_article(const char *word, size_t length)
{
    return (length == 1 && *word == 'a') || (length == 2 && memcmp(word, "an", 2) == 0) ||
           (length == 3 && memcmp(word, "the", 3) == 0);
}

/* Make a run of letters and digits that is an article white space. */
static void
blank_article(lm_buffer *text, size_t from, size_t to)
{
    if (is_article(text->data + from, to - from))
        memset(text->data + from, ' ', to - from);
}

static lm_status
blank_articles(lm_buffer *text)
{
    size_t start = 0, seen = 0;
    int bytes;

    for (size_t at = 0; at < text->size; at += (size_t)bytes) {
        uint32_t c = lm_utf8_decode(text->data + at, &bytes);

        if (++seen % LM_TEXT_POLL_EVERY == 0)
            LM_TRY(lm_poll(text->ctx));
        if (lm_unicode_flags(c) & (LM_UNICODE_LETTER | LM_UNICODE_NUMBER))
            continue;
        blank_article(text, start, at);
        start = at + (size_t)bytes;
    }
    blank_article(text, start, text->size);
    return LM_OK;
}

static lm_status
normalize(lm_text text, lm_buffer *to)
{
    LM_TRY(lm_lower_append(to, text.bytes, text.length));
    LM_TRY(drop_punctuation(to));
    return blank_articles(to);
}

static lm_status
cut_answer(const void *how, lm_text text, lm_intern *words, lm_tokens *to)
{
    lm_buffer normal;
    lm_status status;

    lm_buffer_init(&normal, words->ctx);
    status = normalize(text, &normal);
    if (status == LM_OK)
        status = lm_cut_words(NULL, (lm_text){normal.data, normal.size}, words, to);
    lm_buffer_free(&normal);
    return status;
}

static lm_status
match_any(const lm_row_tokens *row, double *score)
{
    const lm_tokens *own = &row->texts[0];

    *score = 0;
    for (size_t i = 1; i < row->count; i++) {
        LM_TRY(lm_poll(row->words.ctx));
        if (row->texts[i].count == own->count &&
            (own->count == 0 ||
             memcmp(row->texts[i].ids, own->ids, own->count * sizeof *own->ids) == 0))
            *score = 1;
    }
    return LM_OK;
}

static lm_status
f1_of_words(lm_ngrams *words, double *best)
{
    LM_TRY(lm_ngrams_next(words));
    for (size_t i = 1; i < words->count; i++) {
        uint64_t same;
        double score;

        LM_TRY(lm_ngrams_matches(words, i, i + 1, &same));
        if (same == 0)
            continue;
        score = 2 * (double)same / (double)(lm_ngrams_of(words, 0) + lm_ngrams_of(words, i));
        *best = score > *best ? score : *best;
    }
    return LM_OK;
}

static lm_status
best_f1(const lm_row_tokens *row, double *score)
{
    lm_ngrams words;
    lm_status status = lm_ngrams_open(&words, row->words.ctx, row->texts, row->count);

    *score = 0;
    if (status == LM_OK)
        status = f1_of_words(&words, score);
    lm_ngrams_free(&words);
    return status;
}

static lm_status
add_answer(lm_sums *sums, const lm_metric_value *values,
           lm_status (*score)(const lm_row_tokens *row, double *score))
{
    lm_row_tokens row;
    double value;
    lm_status status = lm_row_cut(&row, sums->ctx, values, cut_answer, NULL);

    if (status == LM_OK)
        status = score(&row, &value);
    if (status == LM_OK)
        lm_sums_add_row(sums, value);
    lm_row_free(&row);
    return status;
}

static lm_status
exact_match_add(void *counts, const lm_metric_value *values)
{
    return add_answer(counts, values, match_any);
}

static lm_status
squad_f1_add(void *counts, const lm_metric_value *values)
{
    return add_answer(counts, values, best_f1);
}

static const lm_metric_column columns[] = {
    {"prediction", LM_METRIC_TEXT}, {"answers", LM_METRIC_TEXTS}, {NULL, 0}};

LM_SUMS_COUNTS(lm_exact_match_sums, 0, columns, exact_match_add);
LM_SUMS_COUNTS(lm_squad_f1_sums, 0, columns, squad_f1_add);
