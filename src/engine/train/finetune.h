/*
 * finetune.h - the method "finetune": a base's encoder trained further on the rows of a query. The
 * model that comes of it is a folder of its own, as others write them: it needs no base.
 */
#ifndef LM_TRAIN_FINETUNE_H
#define LM_TRAIN_FINETUNE_H

#include "train/methods.h"

extern const lm_method lm_method_finetune_classification, lm_method_finetune_regression,
    lm_method_finetune_tagging, lm_method_finetune_similarity, lm_method_finetune_rerank,
    lm_method_finetune_next, lm_method_finetune_masked, lm_method_distill,
    lm_method_prune_classification, lm_method_prune_tagging;

#endif
