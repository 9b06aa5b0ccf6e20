/*
 * compare.h - whether one of two predictions of the same rows is better, or only looks so.
 */
#ifndef LM_METRICS_COMPARE_H
#define LM_METRICS_COMPARE_H

#include "base/context.h"

/* Rows by who is right. */
typedef struct lm_paired {
    uint64_t rows, only_a, only_b, both;
} lm_paired;

/* A statistic, and the probability of one as extreme if the two were equally good; NaN: undefined.
 */
typedef struct lm_test {
    double value, p;
} lm_test;

/*
 * McNemar's: below 25 rows on which they differ the smaller count, with the exact binomial
 * probability; else chi-square with Edwards' correction. Undefined where they never differ.
 */
lm_test lm_mcnemar(const lm_paired *paired);
/* Two proportions as of two samples, pooled: z is above 0 where b is better. */
lm_test lm_two_proportions(const lm_paired *paired);
/*
 * The gain in the share of right rows from a to b, and twice the share of `resamples` of the rows
 * (and of one more) whose gain is not on its side of 0. Polls.
 */
lm_status lm_paired_bootstrap(lm_context *ctx, const lm_paired *paired, int resamples,
                              uint64_t seed, lm_test *test);

/* A percentile (0 to 1) of sorted values, linear between two of them, as numpy's. count > 0. */
double lm_percentile(const double *sorted, size_t count, double share);

#endif
