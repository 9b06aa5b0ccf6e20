/*
 * error_rates.c - edits for a word or character of the references: TER as sacrebleu, WER and CER as
 * jiwer count them. Sums over rows of edits and of the references' lengths.
 */
#include <math.h>

#include "base/unicode.h"
#include "base/utf8.h"
#include "metrics/bleu_tokenizers.h"
#include "metrics/edit_distance.h"
#include "metrics/text_measures.h"
#include "metrics/text_sums.h"

enum { EDITS, SUMS };
enum { NORMALIZED, NO_PUNCT, CASE_SENSITIVE, ASIAN_SUPPORT };

static void
add_rates(lm_sums *sums, double edits, double length)
{
    sums->value[EDITS] += edits;
    lm_sums_add_row(sums, length);
}

/* ---- TER ---- */

/* The fewest edits, and the mean length of the references. */
static lm_status
add_ter(lm_sums *sums, const lm_row_tokens *row)
{
    uint64_t least = UINT64_MAX;
    double length = 0;

    for (size_t i = 1; i < row->count; i++) {
        uint64_t edits;

        LM_TRY(lm_poll(sums->ctx));
        LM_TRY(lm_ter_edits(sums->ctx, &row->texts[0], &row->texts[i], &edits));
        least = edits < least ? edits : least;
        length += (double)row->texts[i].count;
    }
    add_rates(sums, (double)least, length / (double)(row->count - 1));
    return LM_OK;
}

static lm_status
ter_add(void *counts, const lm_metric_value *values)
{
    lm_sums *sums = counts;
    const lm_metric_value *settings = values + 2;
    lm_ter_tokenizer tokenizer = {
        lm_setting_flag(&settings[NORMALIZED]), lm_setting_flag(&settings[NO_PUNCT]),
        lm_setting_flag(&settings[CASE_SENSITIVE]), lm_setting_flag(&settings[ASIAN_SUPPORT])};
    lm_row_tokens row;
    lm_status status =
        lm_row_cut_apart(&row, sums->ctx, values, lm_cut_ter, lm_cut_ter_reference, &tokenizer);

    if (status == LM_OK)
        status = add_ter(sums, &row);
    lm_row_free(&row);
    return status;
}

static const lm_metric_column ter_columns[] = {
    {"hypothesis", LM_METRIC_TEXT}, {"references", LM_METRIC_TEXTS}, {NULL, 0}};

LM_SUMS_COUNTS(lm_ter_sums, SUMS, ter_columns, ter_add);

const lm_metric_column lm_ter_settings[] = {{"normalized", LM_METRIC_BOOL},
                                            {"no_punct", LM_METRIC_BOOL},
                                            {"case_sensitive", LM_METRIC_BOOL},
                                            {"asian_support", LM_METRIC_BOOL},
                                            {NULL, 0}};

/* Flags are never wrong. */
lm_status
lm_ter_check(lm_context *ctx, const lm_metric_value *settings)
{
    return LM_OK;
}

lm_status
lm_ter_result(void *counts, const lm_metric_value *settings, double *value)
{
    const lm_sums *sums = counts;
    double edits = sums->value[EDITS], length = lm_fixed_value(sums->parts);

    if (sums->rows == 0)
        *value = NAN;
    else if (length > 0)
        *value = 100 * edits / length;
    else
        *value = edits > 0 ? 100 : 0;
    return LM_OK;
}

/* ---- WER and CER ---- */

static lm_status
end_word(lm_text text, size_t *from, size_t to, size_t next, lm_intern *words, lm_tokens *tokens)
{
    size_t start = *from;

    *from = next;
    return to > start ? lm_tokens_add(tokens, words, text.bytes + start, to - start) : LM_OK;
}

/* Words are cut at a space, and at two or more characters of white space: a tab alone is a part of
 * a word. */
static lm_status
cut_at_spaces(const void *how, lm_text text, lm_intern *words, lm_tokens *to)
{
    size_t word = 0, run = 0, spaces = 0, next, seen = 0;
    int bytes;

    LM_TRY(lm_text_strip(words->ctx, &text));
    for (size_t at = 0; at < text.length; at = next) {
        bool space = lm_is_space(lm_utf8_decode(text.bytes + at, &bytes));

        next = at + (size_t)bytes;
        if (++seen % LM_TEXT_POLL_EVERY == 0)
            LM_TRY(lm_poll(words->ctx));
        if (space && spaces++ == 0)
            run = at; /* where this run of white space begins */
        if (space)
            continue;
        if (spaces > 1 || (spaces == 1 && text.bytes[run] == ' '))
            LM_TRY(end_word(text, &word, run, at, words, to));
        spaces = 0;
    }
    return end_word(text, &word, text.length, text.length, words, to);
}

static lm_status
cut_characters(const void *how, lm_text text, lm_intern *words, lm_tokens *to)
{
    int bytes;

    LM_TRY(lm_text_strip(words->ctx, &text));
    for (size_t at = 0; at < text.length; at += (size_t)bytes)
        LM_TRY(lm_tokens_push(words->ctx, to, lm_utf8_decode(text.bytes + at, &bytes)));
    return LM_OK;
}

static lm_status
add_rate(lm_sums *sums, const lm_metric_value *values, lm_cut cut)
{
    lm_text hypothesis = {values[1].bytes, values[1].length};
    const lm_metric_value pair[2] = {values[0], {.texts = &hypothesis, .count = 1}};
    lm_row_tokens row;
    uint64_t edits;
    lm_status status = lm_row_cut(&row, sums->ctx, pair, cut, NULL);

    if (status == LM_OK)
        status = lm_edit_distance(sums->ctx, &row.texts[0], &row.texts[1], &edits);
    if (status == LM_OK)
        add_rates(sums, (double)edits, (double)row.texts[0].count);
    lm_row_free(&row);
    return status;
}

static lm_status
wer_add(void *counts, const lm_metric_value *values)
{
    return add_rate(counts, values, cut_at_spaces);
}

static lm_status
cer_add(void *counts, const lm_metric_value *values)
{
    return add_rate(counts, values, cut_characters);
}

static const lm_metric_column rate_columns[] = {
    {"reference", LM_METRIC_TEXT}, {"hypothesis", LM_METRIC_TEXT}, {NULL, 0}};

LM_SUMS_COUNTS(lm_wer_sums, SUMS, rate_columns, wer_add);
LM_SUMS_COUNTS(lm_cer_sums, SUMS, rate_columns, cer_add);

lm_status
lm_error_rate_result(void *counts, const lm_metric_value *settings, double *value)
{
    const lm_sums *sums = counts;
    double length = lm_fixed_value(sums->parts);

    *value = sums->rows > 0 ? sums->value[EDITS] / (length > 0 ? length : 1) : NAN;
    return LM_OK;
}
