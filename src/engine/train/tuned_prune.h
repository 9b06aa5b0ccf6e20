/*
 * tuned_prune.h - weights that are taken away before a model is trained on: the smallest numbers of
 * each matrix, whole heads, whole neurons (private to train/).
 *
 * What is taken away is 0, and what is 0 stays so: it has no gradient, and no optimizer moves or
 * decays it; nothing else has to be kept or resumed. Heads are 0 in the files too, since
 * config.json cannot say that some are missing; neurons are left out of them.
 */
#ifndef LM_TRAIN_TUNED_PRUNE_H
#define LM_TRAIN_TUNED_PRUNE_H

#include "train/tuned.h"

/* LM_UNSUPPORTED where the family's layers have another form. */
lm_status lm_tuned_prune(lm_tuned *tuned);
/* Behind a pass: numbers that are 0 have no gradient. */
lm_status lm_tuned_prune_gradients(const lm_tuned *tuned);
/* Leave neurons out of the values and of the tensors that will be written; once, at the end. */
lm_status lm_tuned_prune_shrink(lm_tuned *tuned);

#endif
