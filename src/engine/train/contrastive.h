/*
 * contrastive.h - the method "contrastive" (task "classification"): the nearest mean of a label's
 * examples, once a map of the embedding has been learnt in which labels lie apart. For a handful of
 * examples of each label.
 */
#ifndef LM_CONTRASTIVE_H
#define LM_CONTRASTIVE_H

#include "train/methods.h"

extern const lm_method lm_method_contrastive;

#endif
