/*
 * methods.c - the table of methods.
 */
#include "train/methods.h"

#include <string.h>

#include "train/auto.h"
#include "train/contrastive.h"
#include "train/fasttext.h"
#include "train/filter.h"
#include "train/finetune.h"
#include "train/layers.h"
#include "train/linear.h"
#include "train/nearest.h"
#include "train/ngram.h"
#include "train/targets.h"
#include "train/unigram.h"

const lm_method *const lm_methods[] = {
    &lm_method_linear,
    &lm_method_ngram,
    &lm_method_combined,
    &lm_method_auto,
    &lm_method_fasttext,
    &lm_method_knn,
    &lm_method_prototype,
    &lm_method_contrastive,
    &lm_method_multi_linear,
    &lm_method_multi_ngram,
    &lm_method_multi_combined,
    &lm_method_regression_linear,
    &lm_method_regression_ngram,
    &lm_method_regression_combined,
    &lm_method_ordinal_linear,
    &lm_method_ordinal_ngram,
    &lm_method_ordinal_combined,
    &lm_method_unigram,
    &lm_method_filter,
    &lm_method_finetune_classification,
    &lm_method_finetune_tagging,
    &lm_method_finetune_similarity,
    &lm_method_finetune_regression,
    &lm_method_finetune_rerank,
    &lm_method_finetune_next,
    &lm_method_finetune_masked,
    &lm_method_distill,
    &lm_method_prune_classification,
    &lm_method_prune_tagging,
    &lm_method_layers,
    &lm_method_layers_tagging,
    &lm_method_layers_regression,
    &lm_method_layers_language,
    NULL,
};

const lm_method *
lm_method_find(const char *task, const char *name)
{
    for (int i = 0; lm_methods[i]; i++)
        if (strcmp(lm_methods[i]->task, task) == 0 &&
            (!name || strcmp(lm_methods[i]->name, name) == 0))
            return lm_methods[i];
    return NULL;
}
