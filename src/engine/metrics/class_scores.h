/*
 * class_scores.h - the scores of all classes for each row, kept until the last one is in.
 */
#ifndef LM_METRICS_CLASS_SCORES_H
#define LM_METRICS_CLASS_SCORES_H

#include "metrics/metrics.h"

/* Columns actual, labels, probabilities of these. All rows have the same labels, in any order. */
extern const lm_metric_counts lm_class_scores;

/* The mean over labels of the area that tells one from the rest; undefined unless each label is
 * actual in some row, and not in all. */
lm_status lm_class_auc_result(void *counts, const lm_metric_value *settings, double *value);

#endif
