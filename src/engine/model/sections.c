/*
 * sections.c - the table of sections.
 */
#include "model/sections.h"

#include "model/vectors.h"

static const lm_section_kind *const sections[] = {
    &lm_section_settings,   &lm_section_tokenizer, &lm_section_weights, &lm_section_head,
    &lm_section_ngram,      &lm_section_steps,     &lm_section_vectors, &lm_section_late,
    &lm_section_ngram_head, &lm_section_net,
};

const lm_section_kind *
lm_section_find(uint32_t id)
{
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
        if ((uint32_t)sections[i]->id == id)
            return sections[i];
    return NULL;
}
