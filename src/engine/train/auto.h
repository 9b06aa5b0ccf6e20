/*
 * auto.h - the method "auto" (task "classification"): tries linear, ngram and combined on the same
 * held-out rows within a time budget, and trains the best on all rows.
 */
#ifndef LM_TRAIN_AUTO_H
#define LM_TRAIN_AUTO_H

#include "train/methods.h"

extern const lm_method lm_method_auto;

#endif
