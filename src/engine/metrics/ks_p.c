/*
 * ks_p.c - the probability of a distance of two samples: by all orders of few rows, by the limit
 * of many.
 */
#include "metrics/ks_p.h"

#include <math.h>
#include <stdlib.h>

#define EXACT_ROWS ((size_t)10000) /* of the larger sample, as scipy has it */
#define POLL_EVERY 16384           /* orders */
#define TERMS 20                   /* of Pelz and Good's series, on either side of 0 */
#define HALF_PI 1.57079632679489661923

/* ---- Few rows ---- */

/* Numbers of a walk over both samples in the order of their values. */
typedef struct walk {
    size_t m, n;    /* rows of each */
    int64_t mg, ng; /* without their common divisor */
    int64_t h;      /* a walk is outside where |i · ng − j · mg| is at least h */
    double *inside; /* (n + 1): how probable it is to be here and never to have been outside */
} walk;

static size_t
common_divisor(size_t a, size_t b)
{
    while (b > 0) {
        const size_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* Of one row of the walk; returns what has gone outside there. */
static double
walk_row(walk *w, size_t i)
{
    double outside = 0;

    for (size_t j = 0; j <= w->n; j++) {
        double here = i == 0 && j == 0 ? 1 : 0;

        if (i > 0 && w->inside[j] > 0)
            here += w->inside[j] * ((double)(w->m - i + 1) / (double)(w->m + w->n - i + 1 - j));
        if (j > 0 && w->inside[j - 1] > 0)
            here += w->inside[j - 1] * ((double)(w->n - j + 1) / (double)(w->m + w->n - i - j + 1));
        if (llabs((int64_t)i * w->ng - (int64_t)j * w->mg) >= w->h) {
            outside += here;
            here = 0;
        }
        w->inside[j] = here;
    }
    return outside;
}

/* All orders of both samples' values are as probable: what leaves the band is added up. */
static lm_status
exact_p(lm_context *ctx, double distance, size_t m, size_t n, double *p)
{
    const size_t divisor = common_divisor(m, n);
    walk w = {.m = m, .n = n, .mg = (int64_t)(m / divisor), .ng = (int64_t)(n / divisor)};
    lm_status status = LM_OK;

    w.h = (int64_t)round(distance * (double)w.mg * (double)n);
    *p = w.h == 0 ? 1 : 0;
    if (w.h == 0)
        return LM_OK;
    if (!(w.inside = lm_alloc_zero(ctx, (n + 1) * sizeof *w.inside)))
        return LM_NO_MEMORY;
    for (size_t i = 0; i <= m && status == LM_OK; i++) {
        if ((i * (n + 1)) / POLL_EVERY != ((i + 1) * (n + 1)) / POLL_EVERY)
            status = lm_poll(ctx);
        *p += walk_row(&w, i);
    }
    lm_free(ctx, w.inside);
    return status;
}

/* ---- Many rows ---- */

/* Pelz and Good 1976, as Simard and L'Ecuyer 2011 give it: that the distance is not reached. */
static double
pelz_good(double n, double distance)
{
    const double z = sqrt(n) * distance, z2 = z * z, z4 = z2 * z2, pi2 = 4 * HALF_PI * HALF_PI;
    double k0 = 0, k1 = 0, k2 = 0, k2b = 0, k3 = 0, k3b = 0;

    for (int k = -TERMS; k < TERMS; k++) {
        const double q = (k + 0.5) * (k + 0.5) * pi2, e = exp(-q / (2 * z2));
        const double r = (double)k * k * pi2, f = exp(-r / (2 * z2));

        k0 += e;
        k1 += (q - z2) * e;
        k2 += (6 * z4 * z2 + 2 * z4 + q * (2 * z4 - 5 * z2) + q * q * (1 - 2 * z2)) * e;
        k2b += r * f;
        k3 += (q * q * q * (5 - 30 * z2) + q * q * (212 * z4 - 60 * z2) +
               q * (135 * z4 - 96 * z4 * z2) - 30 * z4 * z2 - 90 * z4 * z4) *
              e;
        k3b += (3 * r * z2 - r * r) * f;
    }
    k0 *= sqrt(HALF_PI) / z;
    k1 *= sqrt(HALF_PI) / (6 * z4);
    k2 = sqrt(HALF_PI) * (k2 / (72 * z4 * z2 * z) - k2b / (36 * z2 * z));
    k3 = sqrt(HALF_PI) * (k3 / (6480 * z4 * z4 * z2) + k3b / (108 * z4 * z2));
    return k0 + k1 / sqrt(n) + k2 / n + k3 / (n * sqrt(n));
}

/* Twice the probability of one side (Birnbaum and Tingey 1951): a sum without cancellation. */
static lm_status
both_sides(lm_context *ctx, double n, double distance, double *p)
{
    double sum = 0;

    for (double j = 0; j <= floor(n * (1 - distance)); j++) {
        const double share = distance + j / n;
        const double log_term = lgamma(n + 1) - lgamma(j + 1) - lgamma(n - j + 1) +
                                (j - 1) * log(share) +
                                (j < n && share < 1 ? (n - j) * log1p(-share) : 0);

        if (fmod(j, POLL_EVERY) == 0)
            LM_TRY(lm_poll(ctx));
        sum += share < 1 ? distance * exp(log_term) : 0;
    }
    *p = 2 * sum;
    return LM_OK;
}

static lm_status
limit_p(lm_context *ctx, double distance, size_t m, size_t n, double *p)
{
    const double rows = round((double)m * (double)n / (double)(m + n));
    const double reach = rows * distance * distance;

    *p = 0;
    if (distance <= 0 || reach >= 370) {
        *p = distance <= 0 ? 1 : 0;
        return LM_OK;
    }
    if (reach >= 2.2)
        LM_TRY(both_sides(ctx, rows, distance, p));
    else
        *p = 1 - (reach < 1e-3 ? 0 : pelz_good(rows, distance));
    return LM_OK;
}

lm_status
lm_ks_p(lm_context *ctx, double distance, size_t m, size_t n, double *p)
{
    const size_t larger = m > n ? m : n;

    LM_TRY(larger <= EXACT_ROWS ? exact_p(ctx, distance, m, n, p)
                                : limit_p(ctx, distance, m, n, p));
    *p = fmin(fmax(*p, 0), 1);
    return LM_OK;
}
