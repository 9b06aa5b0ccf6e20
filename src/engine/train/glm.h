/*
 * glm.h - one number of a row, linear in its features, fitted to a target: ridge regression,
 * logistic regression, and the cumulative logit of ordered labels (McCullagh 1980). Minimises the
 * mean loss + ½ · l2 · ‖w‖² by L-BFGS; intercepts carry no penalty.
 */
#ifndef LM_GLM_H
#define LM_GLM_H

#include "train/dual.h"

typedef enum lm_glm_loss {
    LM_GLM_SQUARED,  /* ½ (number − target)² */
    LM_GLM_LOGISTIC, /* of a target that is 0 or 1: −ln of its share */
    LM_GLM_CUMULATIVE /* of a target that is 0 … levels − 1; share(≤ j) = σ(θ(j) − number) */
} lm_glm_loss;

typedef struct lm_glm_problem {
    const lm_design *design; /* sparse may be NULL */
    const float *target;     /* by row */
    lm_glm_loss loss;
    int levels; /* of the cumulative loss, 2 or more */
    double l2;
    int max_steps;
    bool coarse; /* only to compare penalties */
} lm_glm_problem;

/* Weights (features + width), of unscaled dense rows times the design's scale; then intercepts:
 * one, or levels − 1 as the first θ and logarithms of the steps between them. */
size_t lm_glm_variables(const lm_glm_problem *problem);
/* Fit to `count` rows, from what `x` holds. Polls cancel. */
lm_status lm_glm_fit(lm_context *ctx, const lm_glm_problem *problem, const size_t *rows,
                     size_t count, double *x, int *steps);
/* A row's number: with the intercept where there is one, else without. */
double lm_glm_number(const lm_glm_problem *problem, const double *x, size_t row);
/* The loss of a row that has this number. */
double lm_glm_loss_of(const lm_glm_problem *problem, const double *x, size_t row, double number);
/* Of the cumulative loss, (levels − 1). */
void lm_glm_thresholds(const lm_glm_problem *problem, const double *x, double *thetas);

#endif
