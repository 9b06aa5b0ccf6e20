/*
 * gauss_legendre.c - nodes of quadrature: roots of Legendre's polynomials, by Newton's method.
 */
#include <math.h>

#include "task/integrated.h"

#define PI 3.14159265358979323846

/* Steps of Newton's method, from a start that is near. */
#define NEWTON_STEPS 4

/* P(x) of degree n, and its derivative, by the recurrence. */
static double
legendre(size_t n, double x, double *slope)
{
    double before = 1, now = x;

    for (size_t k = 2; k <= n; k++) {
        double next = ((2 * (double)k - 1) * x * now - ((double)k - 1) * before) / (double)k;

        before = now;
        now = next;
    }
    *slope = (double)n * (x * now - before) / (x * x - 1);
    return now;
}

/* Nodes lie in pairs about the middle. */
void
lm_gauss_legendre(size_t count, double *nodes, double *weights)
{
    for (size_t i = 0; i < (count + 1) / 2; i++) {
        double x = cos(PI * ((double)i + 0.75) / ((double)count + 0.5)), slope = 1;

        for (int step = 0; step < NEWTON_STEPS; step++)
            x -= legendre(count, x, &slope) / slope;
        legendre(count, x, &slope);
        nodes[i] = (1 - x) / 2;
        nodes[count - 1 - i] = (1 + x) / 2;
        weights[i] = weights[count - 1 - i] = 1 / ((1 - x * x) * slope * slope);
    }
}
