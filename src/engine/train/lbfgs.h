/*
 * lbfgs.h - limited-memory BFGS (Nocedal 1980; Liu and Nocedal 1989) for smooth functions of many
 * variables, with a line search for the strong Wolfe conditions (Nocedal and Wright 2006, ch. 3).
 *
 * Variables, gradients and dot products are double; the history of steps is float, which halves
 * the memory of large problems and only shapes the direction. No randomness: equal values from
 * `evaluate` give equal bits.
 */
#ifndef LM_LBFGS_H
#define LM_LBFGS_H

#include "base/context.h"

#define LM_LBFGS_HISTORY 10

typedef struct lm_lbfgs_problem {
    size_t n;
    /* The value and gradient (n) at x (n). An infinite or NaN value is a step that was too long. */
    lm_status (*evaluate)(void *opaque, const double *x, double *value, double *gradient);
    /* After each step, with the new x; sets *stop to end the run there. May be NULL. */
    lm_status (*stepped)(void *opaque, int step, const double *x, double value, bool *stop);
    void *opaque;
    int max_steps;
    double gradient_tolerance; /* converged when no component of the gradient is larger */
    double value_tolerance;    /* or when a step gains less than this part of the value */
} lm_lbfgs_problem;

typedef enum lm_lbfgs_end {
    LM_LBFGS_CONVERGED, /* by a tolerance, or no lower value can be told from rounding */
    LM_LBFGS_STOPPED,   /* by `stepped` */
    LM_LBFGS_MAX_STEPS
} lm_lbfgs_end;

typedef struct lm_lbfgs_result {
    lm_lbfgs_end end;
    int steps, evaluations;
    double value;
} lm_lbfgs_result;

/* Minimise from x (n), which holds the last step's variables at the end. */
lm_status lm_lbfgs_minimize(lm_context *ctx, const lm_lbfgs_problem *problem, double *x,
                            lm_lbfgs_result *result);

#endif
