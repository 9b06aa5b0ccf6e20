/*
 * unigram.h - the method "unigram" of the task "language_model".
 */
#ifndef LM_TRAIN_UNIGRAM_H
#define LM_TRAIN_UNIGRAM_H

#include "train/methods.h"

extern const lm_method lm_method_unigram;

#endif
