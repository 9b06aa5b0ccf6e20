/*
 * bound.c - the distribution function of Beta by its continued fraction, and its inverse by
 * bisection. See bound.h.
 */
#include "train/bound.h"

#include <math.h>

/* Its terms shrink fast where x is on the near side of the mean; far more than are ever needed. */
#define MOST_TERMS 100000
#define TINY 1e-300

static double
away_from_zero(double value)
{
    return fabs(value) < TINY ? TINY : value;
}

/* The fraction of DLMF 8.17.22, from its front (Lentz 1976, Thompson and Barnett 1986). */
static double
fraction(double a, double b, double x)
{
    double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), value = d;

    for (int m = 1; m < MOST_TERMS; m++) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));

        d = 1 / away_from_zero(1 + even * d);
        c = away_from_zero(1 + even / c);
        value *= d * c;
        d = 1 / away_from_zero(1 + odd * d);
        c = away_from_zero(1 + odd / c);
        value *= d * c;
        if (fabs(d * c - 1) < 1e-15)
            break;
    }
    return value;
}

double
lm_beta_below(double a, double b, double x)
{
    double front;

    if (x <= 0 || x >= 1)
        return x <= 0 ? 0 : 1;
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2))
        return front * fraction(a, b, x) / a;
    return 1 - front * fraction(b, a, 1 - x) / b;
}

/* P(X >= right) of a binomial variable is that of Beta(right, rows - right + 1) below p. */
double
lm_share_bound(size_t right, size_t rows, double alpha)
{
    const double a = (double)right, b = (double)(rows - right) + 1;
    double low = 0, high = 1;

    if (right == 0)
        return 0;
    for (int i = 0; i < 60; i++) {
        const double middle = (low + high) / 2;

        if (lm_beta_below(a, b, middle) < alpha)
            low = middle;
        else
            high = middle;
    }
    return low;
}

size_t
lm_share_rows(double least, double alpha)
{
    size_t rows = (size_t)(log(alpha) / log(least));

    while (lm_share_bound(rows, rows, alpha) < least)
        rows++;
    return rows;
}
