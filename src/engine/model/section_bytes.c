/*
 * section_bytes.c - sections whose bytes are made at plan time.
 */
#include <string.h>

#include "base/size.h"
#include "model/sections.h"

/* So that only the arena need be freed. */
lm_status
lm_section_keep(lm_planner *p, const lm_buffer *bytes, lm_planned_section *section)
{
    char *copy = lm_arena_alloc(p->arena, bytes->size + LM_ALIGNMENT);

    if (!copy)
        return LM_NO_MEMORY;
    copy = (char *)lm_align_up((uintptr_t)copy);
    memcpy(copy, bytes->data, bytes->size);
    section->state = copy;
    section->size = bytes->size;
    return LM_OK;
}

lm_status
lm_section_copy(lm_context *ctx, const lm_model_plan *plan, const lm_planned_section *section,
                void *bytes)
{
    memcpy(bytes, section->state, section->size);
    return LM_OK;
}
