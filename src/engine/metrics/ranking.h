/*
 * ranking.h - how well scores put what is right before what is wrong: rows in the order of their
 * scores, the highest first. Rows of one score have no order: each measure says what it makes of
 * them, and none depends on the order in which rows came.
 */
#ifndef LM_METRICS_RANKING_H
#define LM_METRICS_RANKING_H

#include "metrics/samples.h"

/* Columns flag (bool) and score. */
extern const lm_metric_counts lm_scored_flags;
/* Columns relevance, not negative, and score. */
extern const lm_metric_counts lm_scored_gains;

/* The area under the receiver's curve over items, which are sorted; undefined without both classes.
 */
lm_status lm_auc_of(lm_context *ctx, lm_sample *items, size_t count, double *value);

/* The same of a metric: a tie counts half. */
lm_status lm_auc_result(void *counts, const lm_metric_value *settings, double *value);
/* Undefined where no flag is true. */
lm_status lm_average_precision_result(void *counts, const lm_metric_value *settings, double *value);

/* Setting target, above 0 and at most 1. */
extern const lm_metric_column lm_coverage_settings[];
lm_status lm_coverage_check(lm_context *ctx, const lm_metric_value *settings);
/* The largest share of rows, all those above some score, of which the target is right. */
lm_status lm_coverage_result(void *counts, const lm_metric_value *settings, double *value);

/*
 * Setting k, the number of ranks that are looked at: all where none is given, but for recall_at,
 * where it is 10. Of a tie each order is as likely as the others, and the mean over them counts, as
 * in scikit-learn's ndcg_score (McSherry and Najork 2008).
 */
extern const lm_metric_column lm_rank_settings[];
lm_status lm_rank_check(lm_context *ctx, const lm_metric_value *settings);
/* One over the rank of the first flag that is true; 0 where there is none. */
lm_status lm_mrr_result(void *counts, const lm_metric_value *settings, double *value);
/* The share of true flags that are among the first k; undefined where there is none. */
lm_status lm_recall_at_result(void *counts, const lm_metric_value *settings, double *value);
/* Linear gain; undefined where nothing is relevant. */
lm_status lm_ndcg_result(void *counts, const lm_metric_value *settings, double *value);

#endif
