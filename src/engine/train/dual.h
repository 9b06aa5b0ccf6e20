/*
 * dual.h - linear classifiers on sparse rows, and on dense ones beside them: one label against the
 * rest, by coordinate descent on the dual problem. For the squared hinge loss that is the method of
 * Hsieh et al. (2008) with shrinking, which liblinear and scikit-learn's LinearSVC have too; for
 * the logistic loss that of Yu, Huang and Lin (2011).
 *
 * Minimises ½ ‖(w, b)‖² + c · Σ loss(y · (w · x + b)) for each label: the bias carries the penalty
 * of a weight, as there.
 */
#ifndef LM_DUAL_H
#define LM_DUAL_H

#include "features/sparse_rows.h"

/* Rows: sparse ones, and where width is not 0 dense ones, times scale. */
typedef struct lm_design {
    const lm_sparse_rows *sparse;
    uint32_t features;
    const float *dense;  /* (rows, width) */
    const size_t *place; /* (rows): whose dense row is a row's; NULL: its own. Not of glm.h */
    size_t width;
    double scale;
} lm_design;

typedef struct lm_linear_model {
    float *weight; /* (features, labels) */
    float *dense;  /* (labels, width): of the unscaled rows; NULL where width is 0 */
    float *bias;   /* (labels) */
    size_t labels;
} lm_linear_model;

/* Room for it, zero. Freed by lm_linear_model_free, also where this fails. */
lm_status lm_linear_model_open(lm_context *ctx, const lm_design *design, size_t labels,
                               lm_linear_model *model);
void lm_linear_model_free(lm_context *ctx, lm_linear_model *model);
/* The numbers (labels) of a row. */
void lm_linear_model_scores(const lm_linear_model *model, const lm_design *design, size_t row,
                            float *scores);

typedef enum lm_dual_loss { LM_DUAL_SQUARED_HINGE, LM_DUAL_LOGISTIC } lm_dual_loss;

typedef struct lm_dual_options {
    lm_dual_loss loss;
    double c;
    double tolerance; /* of the gradient of the dual */
    int max_steps;    /* passes over the rows of a label */
    uint64_t seed;    /* of the order of rows */
} lm_dual_options;

/* Told after each label. */
typedef void (*lm_dual_progress)(void *opaque, int labels_done, double objective);

/*
 * Fit `model` to `count` rows of y (0 to labels − 1). *objective receives the sum of what was
 * minimised, over labels; with two labels the first has the negative of the second. Polls cancel.
 */
lm_status lm_dual_train(lm_context *ctx, const lm_design *design, const size_t *rows, size_t count,
                        const int32_t *y, const lm_dual_options *options, lm_dual_progress progress,
                        void *opaque, lm_linear_model *model, double *objective);

#endif
