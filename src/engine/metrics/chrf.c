/*
 * chrf.c - chrF and chrF++ as sacrebleu computes them: of each order of n-grams how many the
 * hypothesis has, the reference has, and both have, summed over rows.
 */
#include <math.h>
#include <string.h>

#include "base/unicode.h"
#include "base/utf8.h"
#include "metrics/ngrams.h"
#include "metrics/text_measures.h"
#include "metrics/text_sums.h"

#define CHAR_ORDERS 6
#define WORD_ORDERS_MAX 2
#define ORDERS_MAX (CHAR_ORDERS + WORD_ORDERS_MAX)
#define FACTOR 4.0 /* beta = 2: recall counts twice */

typedef struct order_counts {
    double hypothesis, reference, matches;
} order_counts;

/* Of a row, for each reference. */
typedef struct row_counts {
    order_counts (*of)[ORDERS_MAX];
    size_t references;
    int orders;
} row_counts;

/* Characters without white space. */
static lm_status
cut_characters(const void *how, lm_text text, lm_intern *words, lm_tokens *to)
{
    for (size_t at = 0; at < text.length;) {
        int bytes;
        uint32_t c = lm_utf8_decode(text.bytes + at, &bytes);

        at += (size_t)bytes;
        if (!lm_is_space(c))
            LM_TRY(lm_tokens_push(words->ctx, to, c));
    }
    return LM_OK;
}

static bool
is_mark(char c)
{
    return c > ' ' && c < 0x7f && !(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') &&
           !(c >= 'a' && c <= 'z');
}

/* A word without the mark at its end, else at its beginning, which is a word, too. */
static lm_status
add_word(lm_text word, lm_intern *words, lm_tokens *to)
{
    int first;
    size_t cut = word.length;

    lm_utf8_decode(word.bytes, &first);
    if ((size_t)first < word.length) {
        if (is_mark(word.bytes[word.length - 1]))
            cut = word.length - 1;
        else if (is_mark(word.bytes[0]))
            cut = 1;
    }
    LM_TRY(lm_tokens_add(to, words, word.bytes, cut));
    return cut < word.length ? lm_tokens_add(to, words, word.bytes + cut, word.length - cut)
                             : LM_OK;
}

static lm_status
cut_words(const void *how, lm_text text, lm_intern *words, lm_tokens *to)
{
    size_t at = 0;
    lm_text word;

    for (;;) {
        LM_TRY(lm_text_next_word(words->ctx, text, &at, &word));
        if (word.length == 0)
            return LM_OK;
        LM_TRY(add_word(word, words, to));
    }
}

/* Hits do not count where the reference has no n-gram of the order. */
static lm_status
count_order(lm_ngrams *ngrams, row_counts *counts, int order)
{
    for (size_t i = 0; i < counts->references; i++) {
        size_t reference = lm_ngrams_of(ngrams, i + 1);
        uint64_t matches;

        LM_TRY(lm_ngrams_matches(ngrams, i + 1, i + 2, &matches));
        counts->of[i][order] = (order_counts){reference > 0 ? (double)lm_ngrams_of(ngrams, 0) : 0,
                                              (double)reference, (double)matches};
    }
    return LM_OK;
}

static lm_status
count_orders(lm_context *ctx, const lm_metric_value *values, lm_cut cut, row_counts *counts,
             int first, int last)
{
    lm_row_tokens row;
    lm_status status = lm_row_cut(&row, ctx, values, cut, NULL);

    if (status == LM_OK) {
        lm_ngrams ngrams;

        status = lm_ngrams_open(&ngrams, ctx, row.texts, row.count);
        for (int order = first; order < last && status == LM_OK; order++) {
            status = lm_ngrams_next(&ngrams);
            if (status == LM_OK)
                status = count_order(&ngrams, counts, order);
        }
        lm_ngrams_free(&ngrams);
    }
    lm_row_free(&row);
    return status;
}

/* The F score of the means over orders of which both sides have some. */
static double
f_score(const order_counts *of, int orders)
{
    double precision = 0, recall = 0;
    int effective = 0;

    for (int i = 0; i < orders; i++)
        if (of[i].hypothesis > 0 && of[i].reference > 0) {
            precision += of[i].matches / of[i].hypothesis;
            recall += of[i].matches / of[i].reference;
            effective++;
        }
    if (precision + recall == 0)
        return 0;
    precision /= effective;
    recall /= effective;
    return 100 * (1 + FACTOR) * precision * recall / (FACTOR * precision + recall);
}

/* The first of the references that give the highest score. */
static lm_status
best_reference(lm_context *ctx, const row_counts *counts, const order_counts **best)
{
    *best = counts->of[0];
    for (size_t i = 1; i < counts->references; i++) {
        LM_TRY(lm_poll(ctx));
        if (f_score(counts->of[i], counts->orders) > f_score(*best, counts->orders))
            *best = counts->of[i];
    }
    return LM_OK;
}

static lm_status
add_best(lm_sums *sums, const row_counts *counts)
{
    const order_counts *best;
    order_counts *total = (order_counts *)sums->value;

    LM_TRY(best_reference(sums->ctx, counts, &best));
    for (int i = 0; i < counts->orders; i++) {
        total[i].hypothesis += best[i].hypothesis;
        total[i].reference += best[i].reference;
        total[i].matches += best[i].matches;
    }
    sums->rows++;
    return LM_OK;
}

static int
word_orders(const lm_metric_value *settings)
{
    return settings->bytes ? (int)settings->whole : 0;
}

static lm_status
chrf_add(void *counts, const lm_metric_value *values)
{
    lm_sums *sums = counts;
    row_counts row = {.references = values[1].count,
                      .orders = CHAR_ORDERS + word_orders(values + 2)};
    lm_status status;

    row.of = lm_alloc_array(sums->ctx, row.references, sizeof *row.of);
    if (!row.of)
        return LM_NO_MEMORY;
    status = count_orders(sums->ctx, values, cut_characters, &row, 0, CHAR_ORDERS);
    if (status == LM_OK && row.orders > CHAR_ORDERS)
        status = count_orders(sums->ctx, values, cut_words, &row, CHAR_ORDERS, row.orders);
    if (status == LM_OK)
        status = add_best(sums, &row);
    lm_free(sums->ctx, row.of);
    return status;
}

static const lm_metric_column columns[] = {
    {"hypothesis", LM_METRIC_TEXT}, {"references", LM_METRIC_TEXTS}, {NULL, 0}};

LM_SUMS_COUNTS(lm_chrf_sums, 3 * ORDERS_MAX, columns, chrf_add);

const lm_metric_column lm_chrf_settings[] = {{"word_order", LM_METRIC_WHOLE}, {NULL, 0}};

lm_status
lm_chrf_check(lm_context *ctx, const lm_metric_value *settings)
{
    if (!settings->bytes || (settings->whole >= 0 && settings->whole <= WORD_ORDERS_MAX))
        return LM_OK;
    lm_raise(ctx, LM_BAD_ARGUMENT, "word_order of chrf must be 0, 1 or 2");
    return lm_detail_found(ctx, "%lld", (long long)settings->whole);
}

lm_status
lm_chrf_result(void *counts, const lm_metric_value *settings, double *value)
{
    const lm_sums *sums = counts;

    *value = sums->rows > 0
                 ? f_score((const order_counts *)sums->value, CHAR_ORDERS + word_orders(settings))
                 : NAN;
    return LM_OK;
}
