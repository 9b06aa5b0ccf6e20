/*
 * classification.h - counts of (actual, predicted) pairs of labels and what follows from them:
 * accuracy, precision, recall and F1 per label, and their micro, macro and weighted means, as
 * scikit-learn defines them (a quotient with denominator 0 is 0).
 */
#ifndef LM_CLASSIFICATION_H
#define LM_CLASSIFICATION_H

#include "metrics/metrics.h"

typedef struct lm_confusion lm_confusion;

lm_status lm_confusion_create(lm_context *ctx, lm_confusion **confusion);
void lm_confusion_free(lm_confusion *confusion); /* may be NULL */
/* Count one pair; labels are bytes of any length. */
lm_status lm_confusion_add(lm_confusion *confusion, const char *actual, size_t actual_length,
                           const char *predicted, size_t predicted_length, uint64_t count);
/* map may be NULL: labels have the same bytes in both. */
lm_status lm_confusion_merge(lm_confusion *into, const lm_confusion *from, const lm_label_map *map);

typedef struct lm_label_score {
    const char *label;
    size_t length;
    double precision, recall, f1;
    uint64_t support; /* rows whose actual label it is */
} lm_label_score;

typedef struct lm_average {
    double precision, recall, f1;
    uint64_t support;
} lm_average;

/* Over the scores of all labels. */
typedef struct lm_averages {
    lm_average micro, macro, weighted;
} lm_averages;

double lm_confusion_accuracy(const lm_confusion *confusion);
uint64_t lm_confusion_total(const lm_confusion *confusion);
/* Scores of every label seen, sorted by bytes; allocated from the context, strings inside
 * confusion, valid until the next label is added. */
lm_status lm_confusion_scores(lm_confusion *confusion, lm_label_score **scores, size_t *count);
lm_status lm_confusion_averages(const lm_confusion *confusion, const lm_label_score *scores,
                                size_t count, lm_averages *averages);
/* Visit every pair that was counted, in the order of (actual, predicted) labels. */
lm_status lm_confusion_visit(lm_confusion *confusion,
                             void (*visit)(void *opaque, const char *actual, size_t actual_length,
                                           const char *predicted, size_t predicted_length,
                                           uint64_t count),
                             void *opaque);

/* ---- Rows of the table of metrics ---- */

/* Columns actual and predicted; the counts are an lm_confusion. */
extern const lm_metric_counts lm_label_pairs;

/* The same, where the order of labels matters. */
extern const lm_metric_counts lm_ordered_pairs;

/* Settings average ("macro" where none is given) and, for "binary", label. */
extern const lm_metric_column lm_f1_settings[];
lm_status lm_f1_check(lm_context *ctx, const lm_metric_value *settings);
lm_status lm_f1_result(void *counts, const lm_metric_value *settings, double *value);
lm_status lm_precision_check(lm_context *ctx, const lm_metric_value *settings);
lm_status lm_precision_result(void *counts, const lm_metric_value *settings, double *value);
lm_status lm_recall_check(lm_context *ctx, const lm_metric_value *settings);
lm_status lm_recall_result(void *counts, const lm_metric_value *settings, double *value);

lm_status lm_accuracy_result(void *counts, const lm_metric_value *settings, double *value);
/* The mean recall of the labels that are actual ones. */
lm_status lm_balanced_accuracy_result(void *counts, const lm_metric_value *settings, double *value);
lm_status lm_matthews_result(void *counts, const lm_metric_value *settings, double *value);

/* Setting weights: "none" where none is given, "linear", "quadratic" by the distance of ranks. */
extern const lm_metric_column lm_kappa_settings[];
lm_status lm_kappa_check(lm_context *ctx, const lm_metric_value *settings);
/* Undefined where chance alone would make no error. */
lm_status lm_kappa_result(void *counts, const lm_metric_value *settings, double *value);

#endif
