/*
 * targets.h - the tasks "multi_label" (sets of labels), "regression" (numbers) and "ordinal"
 * (labels with an order), each by the methods "linear" on embeddings, "ngram" on texts and
 * "combined" on both.
 */
#ifndef LM_TARGETS_H
#define LM_TARGETS_H

#include "train/methods.h"

extern const lm_method lm_method_multi_linear, lm_method_multi_ngram, lm_method_multi_combined;
extern const lm_method lm_method_regression_linear, lm_method_regression_ngram,
    lm_method_regression_combined;
extern const lm_method lm_method_ordinal_linear, lm_method_ordinal_ngram,
    lm_method_ordinal_combined;

#endif
