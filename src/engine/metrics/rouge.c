/*
 * rouge.c - ROUGE as rouge-score computes it: the F-measure of n-grams, of the longest common
 * subsequence, or of the union of those of sentences; the mean over rows, of several references the
 * best.
 */
#include <string.h>

#include "base/lower.h"
#include "base/utf8.h"
#include "base/words.h"
#include "metrics/lcs.h"
#include "metrics/ngrams.h"
#include "metrics/porter.h"
#include "metrics/text_measures.h"
#include "metrics/text_sums.h"

#define SENTENCE_END UINT32_MAX /* a token of ROUGE-Lsum that is no word */
#define STEM_ABOVE 3            /* characters */

enum { VARIANT, STEM, TOKENIZER };
enum { ROUGE_L, ROUGE_LSUM, ROUGE_1 };
enum { ASCII, UNICODE };

static const char *const variants[] = {"rougeL", "rougeLsum", "rouge1", "rouge2",
                                       "rouge3", "rouge4",    NULL};
static const char *const tokenizers[] = {"ascii", "unicode", NULL};

typedef struct rouge {
    int variant, tokenizer;
    bool stem;
} rouge;

/* ---- Tokens ---- */

static lm_status
add_word(const rouge *how, lm_text word, lm_intern *words, lm_tokens *to)
{
    lm_buffer stem;
    lm_status status;

    if (!how->stem || lm_utf8_count(word.bytes, word.length) <= STEM_ABOVE)
        return lm_tokens_add(to, words, word.bytes, word.length);
    lm_buffer_init(&stem, words->ctx);
    status = lm_porter_stem(word, &stem);
    if (status == LM_OK)
        status = lm_tokens_add(to, words, stem.data, stem.size);
    lm_buffer_free(&stem);
    return status;
}

static bool
is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Runs of a-z and 0-9 in lower case. */
static lm_status
cut_ascii_lower(const rouge *how, lm_text text, lm_intern *words, lm_tokens *to)
{
    size_t start = 0;

    for (size_t at = 0; at <= text.length; at++) {
        if (at % LM_TEXT_POLL_EVERY == LM_TEXT_POLL_EVERY - 1)
            LM_TRY(lm_poll(words->ctx));
        if (at < text.length && is_letter_or_digit(text.bytes[at]))
            continue;
        if (at > start)
            LM_TRY(add_word(how, (lm_text){text.bytes + start, at - start}, words, to));
        start = at + 1;
    }
    return LM_OK;
}

static lm_status
cut_ascii(const rouge *how, lm_text text, lm_intern *words, lm_tokens *to)
{
    lm_buffer lower;
    lm_status status;

    lm_buffer_init(&lower, words->ctx);
    status = lm_lower_append(&lower, text.bytes, text.length);
    if (status == LM_OK)
        status = cut_ascii_lower(how, (lm_text){lower.data, lower.size}, words, to);
    lm_buffer_free(&lower);
    return status;
}

static lm_status
cut_unicode(const rouge *how, lm_text text, lm_intern *words, lm_tokens *to)
{
    lm_buffer word;
    lm_words cut;
    bool found = true;
    lm_status status;

    lm_buffer_init(&word, words->ctx);
    status = lm_words_open(&cut, text, &word);
    while (status == LM_OK && found) {
        status = lm_words_next(&cut, &found);
        if (status == LM_OK && found)
            status = add_word(how, (lm_text){word.data, word.size}, words, to);
    }
    lm_buffer_free(&word);
    return status;
}

static lm_status
cut_text(const rouge *how, lm_text text, lm_intern *words, lm_tokens *to)
{
    return how->tokenizer == ASCII ? cut_ascii(how, text, words, to)
                                   : cut_unicode(how, text, words, to);
}

/* Sentences are lines. */
static lm_status
cut_sentences(const rouge *how, lm_text text, lm_intern *words, lm_tokens *to)
{
    while (text.length > 0) {
        const char *end = memchr(text.bytes, '\n', text.length);
        size_t length = end ? (size_t)(end - text.bytes) : text.length;

        LM_TRY(cut_text(how, (lm_text){text.bytes, length}, words, to));
        LM_TRY(lm_tokens_push(words->ctx, to, SENTENCE_END));
        length += end != NULL;
        text.bytes += length;
        text.length -= length;
    }
    return LM_OK;
}

static lm_status
cut_rouge(const void *how, lm_text text, lm_intern *words, lm_tokens *to)
{
    const rouge *r = how;

    return r->variant == ROUGE_LSUM ? cut_sentences(how, text, words, to)
                                    : cut_text(how, text, words, to);
}

/* ---- Scores ---- */

static double
f_measure(double hits, size_t hypothesis, size_t reference)
{
    double sum = (double)hypothesis + (double)reference;

    return hits > 0 ? 2 * hits / sum : 0;
}

/* The next sentence from *at on; its end is passed over. */
static lm_tokens
next_sentence(const lm_tokens *text, size_t *at)
{
    lm_tokens sentence = {.ids = text->ids + *at};

    while (sentence.ids[sentence.count] != SENTENCE_END)
        sentence.count++;
    *at += sentence.count + 1;
    return sentence;
}

/* Mark the words of a sentence that some sentence of the hypothesis has in common with it. */
static lm_status
mark_union(lm_context *ctx, const lm_tokens *sentence, const lm_tokens *hypothesis, bool *marks)
{
    memset(marks, 0, sentence->count * sizeof *marks);
    for (size_t at = 0; at < hypothesis->count;) {
        lm_tokens other = next_sentence(hypothesis, &at);

        LM_TRY(lm_lcs_mark(ctx, sentence, &other, marks));
        LM_TRY(lm_poll(ctx));
    }
    return lm_poll(ctx);
}

/* How often each word is left, on both sides. */
typedef struct word_counts {
    uint32_t *reference, *hypothesis;
    bool *marks; /* for a sentence */
} word_counts;

static lm_status
count_words(lm_context *ctx, const lm_tokens *text, uint32_t *counts, size_t *words)
{
    *words = 0;
    for (size_t i = 0; i < text->count; i++) {
        LM_TRY(lm_text_poll_at(ctx, i));
        if (text->ids[i] == SENTENCE_END)
            continue;
        counts[text->ids[i]]++;
        ++*words;
    }
    return LM_OK;
}

/* Marked words, as long as both sides have them left. */
static lm_status
count_hits(lm_context *ctx, const lm_tokens *reference, const lm_tokens *hypothesis,
           word_counts *counts, double *hits)
{
    for (size_t at = 0; at < reference->count;) {
        lm_tokens sentence = next_sentence(reference, &at);

        LM_TRY(mark_union(ctx, &sentence, hypothesis, counts->marks));
        for (size_t i = 0; i < sentence.count; i++) {
            uint32_t word = sentence.ids[i];

            if (!counts->marks[i] || !counts->reference[word] || !counts->hypothesis[word])
                continue;
            *hits += 1;
            counts->reference[word]--;
            counts->hypothesis[word]--;
        }
    }
    return LM_OK;
}

static lm_status
score_counted(lm_context *ctx, const lm_tokens *reference, const lm_tokens *hypothesis,
              word_counts *counts, double *score)
{
    size_t of_hypothesis, of_reference;
    double hits = 0;

    LM_TRY(count_words(ctx, reference, counts->reference, &of_reference));
    LM_TRY(count_words(ctx, hypothesis, counts->hypothesis, &of_hypothesis));
    LM_TRY(count_hits(ctx, reference, hypothesis, counts, &hits));
    *score = f_measure(hits, of_hypothesis, of_reference);
    return LM_OK;
}

static lm_status
score_sentences(const lm_row_tokens *row, size_t i, double *score)
{
    lm_context *ctx = row->words.ctx;
    const lm_tokens *hypothesis = &row->texts[0], *reference = &row->texts[i];
    size_t words = row->words.count;
    word_counts counts = {NULL, NULL, NULL};
    lm_status status = LM_NO_MEMORY;

    counts.reference = lm_alloc_zero(ctx, 2 * (words + 1) * sizeof *counts.reference);
    counts.marks = counts.reference ? lm_alloc_zero(ctx, reference->count + 1) : NULL;
    if (counts.marks) {
        counts.hypothesis = counts.reference + words;
        status = score_counted(ctx, reference, hypothesis, &counts, score);
    }
    lm_free(ctx, counts.reference);
    lm_free(ctx, counts.marks);
    return status;
}

static lm_status
score_subsequence(const lm_row_tokens *row, size_t i, double *score)
{
    const lm_tokens *hypothesis = &row->texts[0], *reference = &row->texts[i];
    uint64_t length;

    LM_TRY(lm_lcs_length(row->words.ctx, reference, hypothesis, &length));
    *score = f_measure((double)length, hypothesis->count, reference->count);
    return LM_OK;
}

static lm_status
score_ngrams(lm_ngrams *ngrams, double *best)
{
    for (size_t i = 1; i < ngrams->count; i++) {
        uint64_t matches;
        double score;

        LM_TRY(lm_ngrams_matches(ngrams, i, i + 1, &matches));
        score = f_measure((double)matches, lm_ngrams_of(ngrams, 0), lm_ngrams_of(ngrams, i));
        *best = score > *best ? score : *best;
    }
    return LM_OK;
}

static lm_status
best_of_ngrams(const lm_row_tokens *row, int order, double *best)
{
    lm_ngrams ngrams;
    lm_status status = lm_ngrams_open(&ngrams, row->words.ctx, row->texts, row->count);

    for (int n = 0; n < order && status == LM_OK; n++)
        status = lm_ngrams_next(&ngrams);
    if (status == LM_OK)
        status = score_ngrams(&ngrams, best);
    lm_ngrams_free(&ngrams);
    return status;
}

static lm_status
best_score(const rouge *how, const lm_row_tokens *row, double *best)
{
    *best = 0;
    if (how->variant >= ROUGE_1)
        return best_of_ngrams(row, how->variant - ROUGE_1 + 1, best);
    for (size_t i = 1; i < row->count; i++) {
        double score;

        LM_TRY(lm_poll(row->words.ctx));
        LM_TRY(how->variant == ROUGE_L ? score_subsequence(row, i, &score)
                                       : score_sentences(row, i, &score));
        *best = score > *best ? score : *best;
    }
    return LM_OK;
}

static lm_status
rouge_add(void *counts, const lm_metric_value *values)
{
    lm_sums *sums = counts;
    const lm_metric_value *settings = values + 2;
    rouge how = {lm_setting_place(&settings[VARIANT], variants),
                 lm_setting_place(&settings[TOKENIZER], tokenizers),
                 lm_setting_flag(&settings[STEM])};
    lm_row_tokens row;
    double score;
    lm_status status = lm_row_cut(&row, sums->ctx, values, cut_rouge, &how);

    if (status == LM_OK)
        status = best_score(&how, &row, &score);
    if (status == LM_OK)
        lm_sums_add_row(sums, score);
    lm_row_free(&row);
    return status;
}

static const lm_metric_column columns[] = {
    {"hypothesis", LM_METRIC_TEXT}, {"references", LM_METRIC_TEXTS}, {NULL, 0}};

LM_SUMS_COUNTS(lm_rouge_sums, 0, columns, rouge_add);

const lm_metric_column lm_rouge_settings[] = {{"variant", LM_METRIC_TEXT},
                                              {"stem", LM_METRIC_BOOL},
                                              {"tokenizer", LM_METRIC_TEXT},
                                              {NULL, 0}};

lm_status
lm_rouge_check(lm_context *ctx, const lm_metric_value *settings)
{
    LM_TRY(lm_setting_check(ctx, &settings[VARIANT], variants, "variant for rouge"));
    return lm_setting_check(ctx, &settings[TOKENIZER], tokenizers, "tokenizer for rouge");
}
