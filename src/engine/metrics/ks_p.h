/*
 * ks_p.h - how probable it is that two samples of one distribution are at least as far apart as
 * two were (Kolmogorov and Smirnov, two-sided).
 */
#ifndef LM_METRICS_KS_P_H
#define LM_METRICS_KS_P_H

#include "base/context.h"

/*
 * Of samples of m and n values, both above 0, at `distance`. As ks_2samp of scipy: exact where the
 * larger sample has at most 10,000 values, else by the distribution of one sample of m · n / (m +
 * n) values. Polls.
 */
lm_status lm_ks_p(lm_context *ctx, double distance, size_t m, size_t n, double *p);

#endif
