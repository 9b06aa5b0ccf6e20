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
    LM_METRIC_LABELS   /* labels, none of them null */
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
 * Counts are allocated from the context that made them, which outlives them. `write` appends bytes
 * for `read`, which takes them into counts that are empty: LM_CORRUPT where they are not whole.
 * merge's map is NULL where labels have the same bytes in both.
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
#define LM_METRIC_SETTINGS_MAX 2

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
    METRIC(psi, lm_scored_flags, lm_psi_result, NULL, NULL)

/* clang-format on */

#define LM_METRIC_ID(name, ...) LM_METRIC_##name,
typedef enum lm_metric_id { LM_METRICS(LM_METRIC_ID) LM_METRIC_COUNT } lm_metric_id;

extern const lm_metric lm_metrics[LM_METRIC_COUNT];

/*
 * The metric of a name in SQL that takes so many arguments; NULL: none. accuracy is among them,
 * though SQL counts it in its own way; two forms of a measure have one name.
 */
const lm_metric *lm_metric_find(const char *name, int arguments);

#endif
