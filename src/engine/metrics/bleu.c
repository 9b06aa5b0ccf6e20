/*
 * bleu.c - BLEU as sacrebleu computes it: sums over rows of lengths, of n-grams, and of those that
 * a reference has too.
 */
#include <math.h>

#include "metrics/bleu_tokenizers.h"
#include "metrics/ngrams.h"
#include "metrics/text_measures.h"
#include "metrics/text_sums.h"

#define ORDERS 4

enum { LENGTH, REFERENCE_LENGTH, MATCHES, TOTALS = MATCHES + ORDERS, SUMS = TOTALS + ORDERS };
enum { TOKENIZER, SMOOTH, LOWERCASE };
enum { EXP, FLOOR, ADD_K, NONE };

static const char *const smoothings[] = {"exp", "floor", "add-k", "none", NULL};

/* The shorter of two that are as near. */
static size_t
closest_length(const lm_row_tokens *row)
{
    size_t own = row->texts[0].count, best = row->texts[1].count;

    for (size_t i = 2; i < row->count; i++) {
        size_t length = row->texts[i].count;
        size_t gap = own > length ? own - length : length - own;
        size_t least = own > best ? own - best : best - own;

        if (gap < least || (gap == least && length < best))
            best = length;
    }
    return best;
}

static lm_status
add_orders(lm_sums *sums, const lm_row_tokens *row, lm_ngrams *ngrams)
{
    double matches[ORDERS], totals[ORDERS];

    for (int n = 0; n < ORDERS; n++) {
        uint64_t found;

        LM_TRY(lm_ngrams_next(ngrams));
        LM_TRY(lm_ngrams_matches(ngrams, 1, row->count, &found));
        matches[n] = (double)found;
        totals[n] = (double)lm_ngrams_of(ngrams, 0);
    }
    for (int n = 0; n < ORDERS; n++) {
        sums->value[MATCHES + n] += matches[n];
        sums->value[TOTALS + n] += totals[n];
    }
    sums->value[LENGTH] += (double)row->texts[0].count;
    sums->value[REFERENCE_LENGTH] += (double)closest_length(row);
    sums->rows++;
    return LM_OK;
}

static lm_status
bleu_add(void *counts, const lm_metric_value *values)
{
    lm_sums *sums = counts;
    const lm_metric_value *settings = values + 2;
    lm_bleu_tokenizer tokenizer = {lm_setting_place(&settings[TOKENIZER], lm_bleu_tokenizer_names),
                                   lm_setting_flag(&settings[LOWERCASE])};
    lm_row_tokens row;
    lm_status status = lm_row_cut(&row, sums->ctx, values, lm_cut_bleu, &tokenizer);

    if (status == LM_OK) {
        lm_ngrams ngrams;

        status = lm_ngrams_open(&ngrams, sums->ctx, row.texts, row.count);
        if (status == LM_OK)
            status = add_orders(sums, &row, &ngrams);
        lm_ngrams_free(&ngrams);
    }
    lm_row_free(&row);
    return status;
}

static const lm_metric_column columns[] = {
    {"hypothesis", LM_METRIC_TEXT}, {"references", LM_METRIC_TEXTS}, {NULL, 0}};

LM_SUMS_COUNTS(lm_bleu_sums, SUMS, columns, bleu_add);

const lm_metric_column lm_bleu_settings[] = {{"tokenizer", LM_METRIC_TEXT},
                                             {"smooth", LM_METRIC_TEXT},
                                             {"lowercase", LM_METRIC_BOOL},
                                             {NULL, 0}};

lm_status
lm_bleu_check(lm_context *ctx, const lm_metric_value *settings)
{
    LM_TRY(
        lm_setting_check(ctx, &settings[TOKENIZER], lm_bleu_tokenizer_names, "tokenizer for bleu"));
    return lm_setting_check(ctx, &settings[SMOOTH], smoothings, "smoothing for bleu");
}

/* The share, in percent, of n-grams that match; `halves` counts the orders without a match. */
static double
precision(double matches, double total, int smooth, double *halves)
{
    if (matches > 0)
        return 100 * matches / total;
    if (smooth == EXP)
        return 100 / ((*halves *= 2) * total);
    return smooth == FLOOR ? 100 * 0.1 / total : 0;
}

/* 1 for a hypothesis that is no shorter than the reference. */
static double
brevity_penalty(double length, double reference)
{
    if (length >= reference)
        return 1;
    return length > 0 ? exp(1 - reference / length) : 0;
}

static double
bleu_of(const lm_sums *sums, int smooth, bool effective)
{
    const double *value = sums->value;
    double logs = 0, halves = 1;
    int order = 0;

    if (value[MATCHES] == 0) /* then no longer n-gram matches either */
        return 0;
    for (; order < ORDERS; order++) {
        double added = smooth == ADD_K && order > 0 ? 1 : 0;
        double total = value[TOTALS + order] + added;
        double share;

        if (total == 0)
            break;
        share = precision(value[MATCHES + order] + added, total, smooth, &halves);
        logs += share > 0 ? log(share) : -INFINITY;
    }
    if (order < ORDERS && !effective)
        return 0;
    return brevity_penalty(value[LENGTH], value[REFERENCE_LENGTH]) * exp(logs / order);
}

static double
bleu_over_rows(const lm_sums *sums, const lm_metric_value *settings, bool effective)
{
    int smooth = lm_setting_place(&settings[SMOOTH], smoothings);

    return sums->rows > 0 ? bleu_of(sums, smooth, effective) : NAN;
}

lm_status
lm_bleu_result(void *counts, const lm_metric_value *settings, double *value)
{
    *value = bleu_over_rows(counts, settings, false);
    return LM_OK;
}

lm_status
lm_sentence_bleu_result(void *counts, const lm_metric_value *settings, double *value)
{
    *value = bleu_over_rows(counts, settings, true);
    return LM_OK;
}
