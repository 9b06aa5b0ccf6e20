/*
 * metrics.h - measures over rows, as aggregates need them: a table with one row for each. The SQL
 * entries of all of them are made from it (pg/fn/metrics.c).
 *
 * A metric takes columns of each row and then settings, which are the same in all rows. It keeps
 * counts, whose kind says how rows are added, how the counts of parallel workers come together and
 * how they travel; metrics of one kind differ in their result.
 */
#ifndef LM_METRICS_H
#define LM_METRICS_H

#include "base/buffer.h"
#include "base/text.h"

typedef enum lm_metric_type {
    LM_METRIC_LABEL,   /* bytes: equal labels have the same */
    LM_METRIC_TEXT,    /* UTF-8 */
    LM_METRIC_NUMBER,  /* a double */
    LM_METRIC_WHOLE,   /* an int64_t */
    LM_METRIC_BOOL,    /* whole: 0 or 1 */
    LM_METRIC_NUMBERS, /* doubles, none of them null */
    LM_METRIC_LABELS,  /* labels, none of them null */
    LM_METRIC_TEXTS    /* a text or several; a row without one is left out */
} lm_metric_type;

typedef struct lm_metric_column {
    const char *name; /* NULL ends a list */
    lm_metric_type type;
} lm_metric_column;

/*
 * A value of a column or setting. A setting that was not given has bytes at NULL; one that is a
 * number has bytes too, those of its member. Settings are not arrays.
 */
typedef struct lm_metric_value {
    const char *bytes;
    size_t length;
    double number;
    int64_t whole;
    const double *numbers; /* count of them */
    const lm_text *labels; /* count of them */
    const lm_text *texts;  /* count of them */
    size_t count;
} lm_metric_value;

/* Where a label stands in the order of its type. */
typedef struct lm_label_ranks {
    uint32_t (*rank)(void *opaque, const char *bytes, size_t length);
    void *opaque;
} lm_label_ranks;

/* What labels of one state are called in another, where values of a type have keys. */
typedef struct lm_label_map {
    void (*map)(void *opaque, const char **bytes, size_t *length);
    void *opaque;
} lm_label_map;

/*
 * Counts are allocated from the context that made them, which outlives them. A row that is added
 * has the columns and then the metric's settings, for counts that depend on them. `write` appends
 * bytes for `read`, which takes them into counts that are empty: LM_CORRUPT where they are not
 * whole. merge's map is NULL where labels have the same bytes in both.
 */
typedef struct lm_metric_counts {
    const lm_metric_column *columns;
    lm_status (*create)(lm_context *ctx, void **counts);
    void (*free)(void *counts); /* may be NULL */
    lm_status (*add)(void *counts, const lm_metric_value *row);
    lm_status (*merge)(void *into, const void *from, const lm_label_map *map);
    lm_status (*write)(void *counts, lm_buffer *out);
    lm_status (*read)(void *counts, const char *bytes, size_t size);
    /*
     * NULL where the order of labels does not matter. Called before a result where labels have
     * another order than their bytes', and after it with NULL.
     */
    void (*rank)(void *counts, const lm_label_ranks *ranks);
} lm_metric_counts;

#define LM_METRIC_COLUMNS_MAX 4
#define LM_METRIC_SETTINGS_MAX 4
#define LM_METRIC_ROW_MAX (LM_METRIC_COLUMNS_MAX + LM_METRIC_SETTINGS_MAX)

typedef struct lm_metric {
    const char *name;
    const lm_metric_counts *counts;
    /* NaN: undefined, which is NULL in SQL. */
    lm_status (*result)(void *counts, const lm_metric_value *settings, double *value);
    const lm_metric_column *settings; /* NULL: none */
    /* LM_BAD_ARGUMENT where settings are wrong; asked at the first row. */
    lm_status (*check)(lm_context *ctx, const lm_metric_value *settings);
} lm_metric;

/* All metrics: METRIC(name, counts, result, settings, check), a line each. */
/* clang-format off */
#define LM_METRICS(METRIC) \
    METRIC(f1, lm_label_pairs, lm_f1_result, lm_f1_settings, lm_f1_check) \
    METRIC(matthews, lm_label_pairs, lm_matthews_result, NULL, NULL) \
    METRIC(cross_entropy, lm_token_losses, lm_cross_entropy_result, NULL, NULL) \
    METRIC(balanced_accuracy, lm_label_pairs, lm_balanced_accuracy_result, NULL, NULL) \
    METRIC(precision_score, lm_label_pairs, lm_precision_result, lm_f1_settings, lm_precision_check) \
    METRIC(recall_score, lm_label_pairs, lm_recall_result, lm_f1_settings, lm_recall_check) \
    METRIC(cohen_kappa, lm_ordered_pairs, lm_kappa_result, lm_kappa_settings, lm_kappa_check) \
    METRIC(log_loss, lm_class_losses, lm_mean_loss_result, NULL, NULL) \
    METRIC(binary_log_loss, lm_binary_losses, lm_mean_loss_result, NULL, NULL) \
    METRIC(brier, lm_squared_losses, lm_mean_loss_result, NULL, NULL) \
    METRIC(ece, lm_confidence_bins, lm_ece_result, NULL, NULL) \
    METRIC(auc, lm_class_scores, lm_class_auc_result, NULL, NULL) \
    METRIC(binary_auc, lm_scored_flags, lm_auc_result, NULL, NULL) \
    METRIC(average_precision, lm_scored_flags, lm_average_precision_result, NULL, NULL) \
    METRIC(coverage_at, lm_scored_flags, lm_coverage_result, lm_coverage_settings, lm_coverage_check) \
    METRIC(mrr, lm_scored_flags, lm_mrr_result, lm_rank_settings, lm_rank_check) \
    METRIC(recall_at, lm_scored_flags, lm_recall_at_result, lm_rank_settings, lm_rank_check) \
    METRIC(ndcg, lm_scored_gains, lm_ndcg_result, lm_rank_settings, lm_rank_check) \
    METRIC(pearson, lm_moments, lm_pearson_result, NULL, NULL) \
    METRIC(spearman, lm_number_pairs, lm_spearman_result, NULL, NULL) \
    METRIC(kendall, lm_number_pairs, lm_kendall_result, NULL, NULL) \
    METRIC(ks, lm_scored_flags, lm_ks_result, NULL, NULL) \
    METRIC(ks_p, lm_scored_flags, lm_ks_p_result, NULL, NULL) \
    METRIC(psi, lm_scored_flags, lm_psi_result, NULL, NULL) \
    METRIC(perplexity, lm_token_losses, lm_perplexity_result, NULL, NULL) \
    METRIC(bleu, lm_bleu_sums, lm_bleu_result, lm_bleu_settings, lm_bleu_check) \
    METRIC(chrf, lm_chrf_sums, lm_chrf_result, lm_chrf_settings, lm_chrf_check) \
    METRIC(ter, lm_ter_sums, lm_ter_result, lm_ter_settings, lm_ter_check) \
    METRIC(wer, lm_wer_sums, lm_error_rate_result, NULL, NULL) \
    METRIC(cer, lm_cer_sums, lm_error_rate_result, NULL, NULL) \
    METRIC(rouge, lm_rouge_sums, lm_mean_result, lm_rouge_settings, lm_rouge_check) \
    METRIC(meteor, lm_meteor_sums, lm_mean_result, lm_meteor_settings, lm_meteor_check) \
    METRIC(exact_match, lm_exact_match_sums, lm_percent_result, NULL, NULL) \
    METRIC(squad_f1, lm_squad_f1_sums, lm_percent_result, NULL, NULL) \
    METRIC(distinct_n, lm_distinct_ngrams, lm_distinct_n_result, lm_distinct_n_settings, lm_distinct_n_check)

/* Those of a single row, by functions that are no aggregates. */
#define LM_ROW_METRICS(METRIC) \
    METRIC(sentence_bleu, lm_bleu_sums, lm_sentence_bleu_result, lm_bleu_settings, lm_bleu_check) \
    METRIC(sentence_chrf, lm_chrf_sums, lm_chrf_result, lm_chrf_settings, lm_chrf_check) \
    METRIC(sentence_ter, lm_ter_sums, lm_ter_result, lm_ter_settings, lm_ter_check) \
    METRIC(sentence_wer, lm_wer_sums, lm_error_rate_result, NULL, NULL) \
    METRIC(sentence_cer, lm_cer_sums, lm_error_rate_result, NULL, NULL) \
    METRIC(sentence_rouge, lm_rouge_sums, lm_mean_result, lm_rouge_settings, lm_rouge_check) \
    METRIC(sentence_meteor, lm_meteor_sums, lm_mean_result, lm_meteor_settings, lm_meteor_check)

/* clang-format on */

#define LM_METRIC_ID(name, ...) LM_METRIC_##name,
typedef enum lm_metric_id { LM_METRICS(LM_METRIC_ID) LM_METRIC_COUNT } lm_metric_id;

typedef enum lm_row_metric_id { LM_ROW_METRICS(LM_METRIC_ID) LM_ROW_METRIC_COUNT } lm_row_metric_id;

extern const lm_metric lm_metrics[LM_METRIC_COUNT];
extern const lm_metric lm_row_metrics[LM_ROW_METRIC_COUNT];

/*
 * The metric of a name in SQL that takes so many arguments; NULL: none. accuracy is among them,
 * though SQL counts it in its own way; two forms of a measure have one name.
 */
const lm_metric *lm_metric_find(const char *name, int arguments);

#endif
