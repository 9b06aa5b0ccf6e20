/*
 * folds.h - cross-validation of a softmax classifier at a penalty: each of k stratified parts of
 * the rows is measured by the classifier of the others.
 */
#ifndef LM_FOLDS_H
#define LM_FOLDS_H

#include "train/softmax.h"

#define LM_FOLDS_MAX 20
#define LM_FOLD_NONE (-1)

typedef struct lm_folds_result {
    double accuracy, deviation; /* mean over parts, and its standard deviation (of k - 1) */
    double loss;                /* mean over parts */
} lm_folds_result;

/*
 * Fill `part` (rows) with numbers below `folds`: rows of a label, in an order by the seed, are
 * dealt out in turn, and the next label goes on where the last one ended. A label's only row has
 * LM_FOLD_NONE: it is always trained on.
 */
lm_status lm_folds_deal(lm_context *ctx, const int32_t *y, size_t rows, size_t labels, int folds,
                        uint64_t seed, int32_t *part);

/*
 * Of options l2, max_steps, seed and label_weights count. LM_BAD_ARGUMENT where a part would have
 * no row. Polls cancel.
 */
lm_status lm_folds_run(lm_context *ctx, const float *x, const int32_t *y, size_t rows, size_t width,
                       int labels, int folds, const lm_softmax_options *options,
                       lm_folds_result *result);

#endif
