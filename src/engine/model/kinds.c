/*
 * kinds.c - the table of kinds of models.
 */
#include "model/kinds.h"

#include <string.h>

/* In the order in which they are asked; the last takes any checkpoint. */
static const lm_model_kind *const kinds[] = {
    &lm_kind_combined_head, &lm_kind_ngram_head, &lm_kind_head,  &lm_kind_added_head,
    &lm_kind_ngram,         &lm_kind_router,     &lm_kind_words, &lm_kind_bag,
    &lm_kind_sparse_static, &lm_kind_static,     &lm_kind_late,  &lm_kind_layers,
    &lm_kind_encoder,
};

#define KIND_COUNT (sizeof kinds / sizeof kinds[0])

const lm_model_kind *
lm_model_kind_of(const lm_checkpoint *checkpoint)
{
    size_t i = 0;

    while (kinds[i]->claims && !kinds[i]->claims(checkpoint))
        i++;
    return kinds[i];
}

const lm_model_kind *
lm_model_kind_named(const char *name)
{
    for (size_t i = 0; i < KIND_COUNT && name; i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return NULL;
}
