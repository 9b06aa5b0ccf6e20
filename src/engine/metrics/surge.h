/*
 * surge.h - whether the share of a window is beyond that of its base: two binomial shares compared
 * exactly, as a number of standard deviations.
 */
#ifndef LM_METRICS_SURGE_H
#define LM_METRICS_SURGE_H

#include <stdint.h>

/* hits of total, each not negative, hits <= total. */
typedef struct lm_share {
    int64_t hits, total;
} lm_share;

/*
 * Standard deviations by which the window's share is above the base's (below: negative). If both
 * have one share p, then whatever p is, the probability of z or more is at most that of a standard
 * normal variable: an exact test given the sum of the hits (Fisher's). 0 where the side that is
 * asked for is likelier than not. NaN where a total is 0. The sum of the totals must not overflow.
 */
double lm_surge(lm_share window, lm_share base);

#endif
