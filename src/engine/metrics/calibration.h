/*
 * calibration.h - whether probabilities mean what they say. Sums are of whole multiples of 2^-64,
 * so that no order of rows, and no split of them among workers, changes a bit.
 */
#ifndef LM_METRICS_CALIBRATION_H
#define LM_METRICS_CALIBRATION_H

#include "metrics/metrics.h"

#define LM_ECE_BINS 15

/* Columns actual, labels, probabilities of these; probabilities are cut off at 2.2e-16 from 0 and
 * 1, as in scikit-learn. */
extern const lm_metric_counts lm_class_losses;
/* Columns actual (bool) and the probability that it is true: its log loss, its squared error. */
extern const lm_metric_counts lm_binary_losses;
extern const lm_metric_counts lm_squared_losses;
/* Columns correct (bool) and confidence: fifteen bins of equal width, each with its upper edge. */
extern const lm_metric_counts lm_confidence_bins;

/* The mean of the losses. */
lm_status lm_mean_loss_result(void *counts, const lm_metric_value *settings, double *value);
/* The mean distance of a bin's confidence from its share of correct rows, by rows. */
lm_status lm_ece_result(void *counts, const lm_metric_value *settings, double *value);

/* LM_BAD_ARGUMENT where there are not as many probabilities as labels. */
lm_status lm_metric_check_classes(lm_context *ctx, const lm_metric_value *labels,
                                  const lm_metric_value *probabilities);

#endif
