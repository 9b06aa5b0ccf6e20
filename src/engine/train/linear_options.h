/*
 * linear_options.h - what the method "linear" is told in JSON: weights of labels, and the label of
 * what is none of them.
 */
#ifndef LM_LINEAR_OPTIONS_H
#define LM_LINEAR_OPTIONS_H

#include "train/labels.h"

/*
 * "balanced", rows / (labels · rows of the label) as in scikit-learn; or an object of labels and
 * numbers above 0, 1 for the others. Fill (labels); the labels are numbered.
 */
lm_status lm_class_weights_read(lm_context *ctx, const char *json, const lm_train_labels *labels,
                                double *weights);

typedef struct lm_out_of_scope {
    const char *label; /* in the arena */
    double coverage;   /* of rows that are in scope, above 0 and below 1 */
} lm_out_of_scope;

/* {"label": "none of these", "coverage": 0.95}; the coverage may be left out. LM_BAD_ARGUMENT also
 * for a label that rows have. */
lm_status lm_out_of_scope_read(lm_context *ctx, lm_arena *arena, const char *json,
                               const lm_train_labels *labels, lm_out_of_scope *options);

#endif
