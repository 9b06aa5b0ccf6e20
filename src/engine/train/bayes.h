/*
 * bayes.h - naive Bayes classifiers on sparse rows that are not negative, as scikit-learn's
 * MultinomialNB and ComplementNB (Rennie et al. 2003; without its second normalization).
 */
#ifndef LM_BAYES_H
#define LM_BAYES_H

#include "train/dual.h"

/*
 * Fit `model` to `count` rows of y (0 to labels − 1), of which each label has one; alpha is added
 * to every count. Polls cancel.
 */
lm_status lm_bayes_train(lm_context *ctx, const lm_design *design, const size_t *rows, size_t count,
                         const int32_t *y, double alpha, bool complement, lm_linear_model *model);

#endif
