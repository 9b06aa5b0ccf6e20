/*
 * surge.c - two shares compared: a tail of the hypergeometric distribution, as a normal deviate.
 *
 * Given the sum of the hits, those of the window are hypergeometric if both have one share, and
 * what that share is no longer matters (Fisher 1935). All is said of the table of four counts. A
 * probability of a table is written with deviances and errors of Stirling's formula, as Loader
 * ("Fast and accurate computation of binomial probabilities", 2000) does, so that no large numbers
 * are subtracted. A tail is its first term times a series of ratios, in logarithms, so that none is
 * too small. Where the series would be long the distribution is smooth: there the signed root of
 * the deviance, with half a hit as correction of continuity, stands for it.
 */
#include "metrics/surge.h"

#include <math.h>

/* Variance of the hits from which on the deviance is used, which is within .001 of the tail there.
 */
#define SMOOTH_VARIANCE 1e6

/* A term below this part of the sum so far is left out, with all that follow. */
#define NEGLIGIBLE 1e-17

/* From here on the tail is an asymptotic series: erfc comes to its end. */
#define FAR_DEVIATE 30

/* Hits and misses of window and base, and the hits of the window beyond those of one common share.
 */
typedef struct table {
    double hits, misses, base_hits, base_misses, excess;
} table;

/* log(n!) - (n log n - n) */
static double
stirling_rest(double n)
{
    double square = n * n;

    if (n == 0)
        return 0;
    if (n < 16)
        return lgamma(n + 1) - n * log(n) + n;
    return 0.5 * log(2 * M_PI * n) +
           (1 / 12.0 - (1 / 360.0 - (1 / 1260.0 - 1 / 1680.0 / square) / square) / square) / n;
}

/* x log(x / mean) - (x - mean), where x - mean is given: it is known better than x and mean. */
static double
deviance_of_count(double mean, double difference)
{
    double part = difference / mean;

    return part <= -1 ? mean : mean * ((1 + part) * log1p(part) - part);
}

/* Half the deviance of the table from that of one share, for an excess of its hits. */
static double
deviance_of_table(const table *t, double excess)
{
    double window = t->hits + t->misses, base = t->base_hits + t->base_misses, all = window + base;
    double hits = (t->hits + t->base_hits) / all, misses = (t->misses + t->base_misses) / all;

    return deviance_of_count(window * hits, excess) + deviance_of_count(window * misses, -excess) +
           deviance_of_count(base * hits, -excess) + deviance_of_count(base * misses, excess);
}

/* Log of the hypergeometric probability of the table. */
static double
log_probability(const table *t)
{
    double window = t->hits + t->misses, base = t->base_hits + t->base_misses;

    return stirling_rest(window) + stirling_rest(base) + stirling_rest(t->hits + t->base_hits) +
           stirling_rest(t->misses + t->base_misses) - stirling_rest(window + base) -
           stirling_rest(t->hits) - stirling_rest(t->misses) - stirling_rest(t->base_hits) -
           stirling_rest(t->base_misses) - deviance_of_table(t, t->excess);
}

/* Log of the probability of as many hits in the window or more. Terms fall from the first on, since
 * that is not below the mean, and are 0 where hits or places for them have come to an end. */
static double
log_tail(const table *t)
{
    double term = 1, sum = 1;

    for (double more = 1; term > sum * NEGLIGIBLE; more++) {
        term *= (t->misses - more + 1) / (t->hits + more);
        term *= (t->base_hits - more + 1) / (t->base_misses + more);
        sum += term;
    }
    return log_probability(t) + log(sum);
}

/* Log of the probability that a standard normal variable is above z >= 0, and its slope. */
static double
log_normal_tail(double z, double *slope)
{
    double square = z * z, log_density = -0.5 * square - 0.5 * log(2 * M_PI), tail;

    if (z < FAR_DEVIATE)
        tail = log(0.5 * erfc(z * M_SQRT1_2));
    else
        tail = log_density - log(z) + log1p((-1 + (3 - 15 / square) / square) / square);
    *slope = -exp(log_density - tail);
    return tail;
}

/*
 * The deviate that a standard normal variable exceeds with a probability; 0 from a half on.
 * Newton's steps from a larger one: since the log of the tail is concave, none goes too far.
 */
static double
deviate_of(double log_probability)
{
    double z, step, slope;

    if (log_probability >= -M_LN2)
        return 0;
    z = sqrt(-2 * log_probability);
    do {
        step = (log_normal_tail(z, &slope) - log_probability) / slope;
        z -= step;
    } while (step > z * 1e-14);
    return fmax(z, 0);
}

/* Of a window whose share is above the base's. */
static double
deviate_above(const table *t)
{
    double window = t->hits + t->misses, base = t->base_hits + t->base_misses, all = window + base;
    double hits = (t->hits + t->base_hits) / all, misses = (t->misses + t->base_misses) / all;

    if (window * hits * misses * (base / all) < SMOOTH_VARIANCE)
        return deviate_of(log_tail(t));
    return t->excess > 0.5 ? sqrt(2 * deviance_of_table(t, t->excess - 0.5)) : 0;
}

double
lm_surge(lm_share window, lm_share base)
{
    double hits = (double)window.hits, misses = (double)(window.total - window.hits);
    double base_hits = (double)base.hits, base_misses = (double)(base.total - base.hits);
    __int128 cross = (__int128)window.hits * base.total - (__int128)window.total * base.hits;
    double excess = (double)cross / (double)(window.total + base.total);

    if (window.total == 0 || base.total == 0)
        return NAN;
    if (cross == 0)
        return 0;
    /* A drop of the hits is a surge of the misses. */
    return cross > 0 ? deviate_above(&(table){hits, misses, base_hits, base_misses, excess})
                     : 0 - deviate_above(&(table){misses, hits, base_misses, base_hits, -excess});
}
