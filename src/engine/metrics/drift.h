/*
 * drift.h - whether scores come from where earlier ones came from. A row's flag says that it is one
 * of the current ones; the others are the baseline. Undefined without both.
 */
#ifndef LM_METRICS_DRIFT_H
#define LM_METRICS_DRIFT_H

#include "metrics/ranking.h"

/* The largest distance of the two distribution functions (Kolmogorov and Smirnov). */
lm_status lm_ks_result(void *counts, const lm_metric_value *settings, double *value);

/* How probable so large a distance is where both are of one distribution (ks_p.h). */
lm_status lm_ks_p_result(void *counts, const lm_metric_value *settings, double *value);

/* Population stability index over the tenths of the baseline, each with its upper edge; no share is
 * taken for less than LM_PSI_FLOOR. */
#define LM_PSI_FLOOR 1e-4
lm_status lm_psi_result(void *counts, const lm_metric_value *settings, double *value);

#endif
