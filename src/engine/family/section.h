/*
 * section.h - the weights section of an image (private to family/).
 *
 * Section: lm_weights_header, the family's config struct, the table of offsets (0: absent), then
 * each target. All start on LM_ALIGNMENT; all positions are offsets from the section's start.
 */
#ifndef LM_SECTION_H
#define LM_SECTION_H

#include "base/size.h"
#include "family/family.h"

#define LM_SECTION_MAGIC "LMWEIGHT"
#define LM_SECTION_NAME_SIZE 32

typedef struct lm_weights_header {
    char magic[8];
    char family[LM_SECTION_NAME_SIZE];
    uint32_t level;     /* lm_level whose product packed the matrices */
    uint32_t precision; /* lm_precision of that product */
    uint32_t pack_format;
    uint32_t head; /* its number among the family's, from 1 on; 0: none */
    uint64_t size; /* of the section */
    uint64_t config_offset, config_size;
    uint64_t table_offset, table_count;
} lm_weights_header;

/* Bytes of one number of a target that is not packed. */
static inline size_t
lm_element_size(const lm_weights_plan *plan, const lm_weight_target *target)
{
    return target->use == LM_SLOT_TABLE && lm_tables_are_bf16(plan->precision) ? sizeof(uint16_t)
                                                                               : sizeof(float);
}

#endif
