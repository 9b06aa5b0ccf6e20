/*
 * bound.h - what a random sample proves: the exact lower bound of Clopper and Pearson (1934) on a
 * share, from how many of the sample have it.
 */
#ifndef LM_BOUND_H
#define LM_BOUND_H

#include <stddef.h>

/*
 * The largest share that is too small for `right` of `rows` at level `alpha`: where the true share
 * is p, the bound lies above p with a probability of at most alpha. 0 where nothing was right or
 * there are no rows. right <= rows, alpha in (0, 1).
 */
double lm_share_bound(size_t right, size_t rows, double alpha);

/* The fewest rows that can prove a share above `least`: all of them right. */
size_t lm_share_rows(double least, double alpha);

/* P(X <= x) of a variable with the distribution Beta(a, b); a, b > 0, x in [0, 1]. */
double lm_beta_below(double a, double b, double x);

#endif
