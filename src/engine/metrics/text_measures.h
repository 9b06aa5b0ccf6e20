/*
 * text_measures.h - measures of generated text, each by the definition of the library that people
 * quote: sacrebleu (bleu, chrf, ter), jiwer (wer, cer), rouge-score (rouge), nltk (meteor), the
 * script of SQuAD 1.1 (exact_match, squad_f1).
 *
 * What all but distinct_n keep is a few sums, so a group is small. NULL results are those over no
 * rows.
 */
#ifndef LM_TEXT_MEASURES_H
#define LM_TEXT_MEASURES_H

#include "metrics/metrics.h"

/* Columns hypothesis and references. Settings tokenizer (13a), smooth (exp), lowercase (false). */
extern const lm_metric_counts lm_bleu_sums;
extern const lm_metric_column lm_bleu_settings[];
lm_status lm_bleu_check(lm_context *ctx, const lm_metric_value *settings);
/* 0 to 100. */
lm_status lm_bleu_result(void *counts, const lm_metric_value *settings, double *value);
/* With effective order: orders beyond the hypothesis' length do not count. */
lm_status lm_sentence_bleu_result(void *counts, const lm_metric_value *settings, double *value);

/* Columns hypothesis and references. Setting word_order (0: chrF2, 2: chrF2++). 0 to 100. */
extern const lm_metric_counts lm_chrf_sums;
extern const lm_metric_column lm_chrf_settings[];
lm_status lm_chrf_check(lm_context *ctx, const lm_metric_value *settings);
lm_status lm_chrf_result(void *counts, const lm_metric_value *settings, double *value);

/* Columns hypothesis and references. Settings normalized, no_punct, case_sensitive,
 * asian_support, all false.
 * 100 · edits / words. */
extern const lm_metric_counts lm_ter_sums;
extern const lm_metric_column lm_ter_settings[];
lm_status lm_ter_check(lm_context *ctx, const lm_metric_value *settings);
lm_status lm_ter_result(void *counts, const lm_metric_value *settings, double *value);

/* Columns reference and hypothesis. Edits of words, or characters, for one of the references; the
 * number of edits where the references have none. */
extern const lm_metric_counts lm_wer_sums;
extern const lm_metric_counts lm_cer_sums;
lm_status lm_error_rate_result(void *counts, const lm_metric_value *settings, double *value);

/* Columns hypothesis and references. Settings variant (rougeL), stem (false), tokenizer (ascii).
 * The F-measure, 0 to 1. */
extern const lm_metric_counts lm_rouge_sums;
extern const lm_metric_column lm_rouge_settings[];
lm_status lm_rouge_check(lm_context *ctx, const lm_metric_value *settings);

/* Columns hypothesis and references. Setting synonyms: lines of words that mean the same. 0 to 1.
 */
extern const lm_metric_counts lm_meteor_sums;
extern const lm_metric_column lm_meteor_settings[];
lm_status lm_meteor_check(lm_context *ctx, const lm_metric_value *settings);

/* Columns prediction and answers. 0 to 100. */
extern const lm_metric_counts lm_exact_match_sums;
extern const lm_metric_counts lm_squad_f1_sums;

/* Column text. Setting n. Different n-grams for one that there is: 0 to 1. */
extern const lm_metric_counts lm_distinct_ngrams;
extern const lm_metric_column lm_distinct_n_settings[];
lm_status lm_distinct_n_check(lm_context *ctx, const lm_metric_value *settings);
lm_status lm_distinct_n_result(void *counts, const lm_metric_value *settings, double *value);

/* The mean of a score over rows, and 100 times it. */
lm_status lm_mean_result(void *counts, const lm_metric_value *settings, double *value);
lm_status lm_percent_result(void *counts, const lm_metric_value *settings, double *value);

#endif
