/*
 * ngram.h - the methods "ngram" and "combined" (task "classification"): texts, labels and, for the
 * second, the base's vectors of the texts into a linear classifier on weighed n-grams
 * (lang/ngram_head.h), of which a row of learners says how it is found.
 */
#ifndef LM_TRAIN_NGRAM_H
#define LM_TRAIN_NGRAM_H

#include "train/methods.h"

extern const lm_method lm_method_ngram, lm_method_combined;

#endif
