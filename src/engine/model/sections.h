/*
 * sections.h - the kinds of sections that an image can have (private to model/). A new one is a
 * file with its row, its number in lm_section_id, its line in sections.c, and what asks for its
 * view.
 */
#ifndef LM_MODEL_SECTIONS_H
#define LM_MODEL_SECTIONS_H

#include "base/buffer.h"
#include "model/plan.h"

typedef struct lm_section_kind {
    const char *name;
    lm_section_id id;
    uint32_t layout; /* changes with the section's own layout */
    /* Check what belongs into it against what is planned already; sets state and size. */
    lm_status (*plan)(lm_planner *p, lm_planned_section *section);
    /* Write section->size bytes. Reads on in the plan's source. */
    lm_status (*fill)(lm_context *ctx, const lm_model_plan *plan, const lm_planned_section *section,
                      void *bytes);
    /* Set the model's view, and what else of it the section says. */
    lm_status (*bind)(lm_context *ctx, const void *bytes, size_t size, lm_model *model);
    /* Free the view. Not called where there is none. */
    void (*unbind)(lm_context *ctx, lm_model *model);
} lm_section_kind;

extern const lm_section_kind lm_section_settings, lm_section_tokenizer, lm_section_weights,
    lm_section_head, lm_section_ngram, lm_section_steps, lm_section_late, lm_section_ngram_head,
    lm_section_net;

/* The kind of a number, or NULL. */
const lm_section_kind *lm_section_find(uint32_t id);

/* What else of a model its view of weights says: kernels, precision, the view of a head of theirs.
 */
lm_status lm_weights_settle(lm_context *ctx, lm_model *model);

/* Plan for a section whose bytes are made at once: moves them into the arena. */
lm_status lm_section_keep(lm_planner *p, const lm_buffer *bytes, lm_planned_section *section);
/* Its fill. */
lm_status lm_section_copy(lm_context *ctx, const lm_model_plan *plan,
                          const lm_planned_section *section, void *bytes);

#endif
