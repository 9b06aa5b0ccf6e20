/*
 * correlation.h - how two numbers of each row go together. Undefined where one of them is the same
 * in all rows.
 */
#ifndef LM_METRICS_CORRELATION_H
#define LM_METRICS_CORRELATION_H

#include "metrics/samples.h"

/* Columns x and y, both kept. */
extern const lm_metric_counts lm_number_pairs;
/* Columns x and y, finite: sums of them and of their products. */
extern const lm_metric_counts lm_moments;

lm_status lm_pearson_result(void *counts, const lm_metric_value *settings, double *value);
/* Pearson's over ranks; rows that are equal have the mean of theirs. */
lm_status lm_spearman_result(void *counts, const lm_metric_value *settings, double *value);
/* Tau-b, in O(n log n). */
lm_status lm_kendall_result(void *counts, const lm_metric_value *settings, double *value);

#endif
