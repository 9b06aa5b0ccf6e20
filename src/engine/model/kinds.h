/*
 * kinds.h - the kinds of models (private to model/): which sections an image has, and what is
 * checked between them. A new one is a file with its row, and its line in kinds.c.
 */
#ifndef LM_MODEL_KINDS_H
#define LM_MODEL_KINDS_H

#include "model/sections.h"

/* A section of a kind of model. */
typedef struct lm_kind_section {
    const lm_section_kind *section;
    lm_status (*check)(lm_planner *p); /* what can be checked once it is planned; may be NULL */
} lm_kind_section;

typedef struct lm_model_kind {
    const char *name;
    bool on_base; /* useless without another model, whose encoder runs */
    /*
     * In the image's order, up to one of NULL. Bound first to last; planned last to first, since
     * the settings, which are the first of every kind, hold what the others find out.
     */
    lm_kind_section sections[LM_SECTION_COUNT + 1];
    /* Whether a checkpoint is such a model; NULL: any is. An image names its kind. */
    bool (*claims)(const lm_checkpoint *checkpoint);
    /* What has to be known before the sections are planned; may be NULL. */
    lm_status (*begin)(lm_planner *p);
    /* Fill plan->info except `kind` and `details`, whose JSON is appended. */
    lm_status (*describe)(lm_planner *p, lm_buffer *details);
} lm_model_kind;

extern const lm_model_kind lm_kind_encoder, lm_kind_late, lm_kind_head, lm_kind_added_head,
    lm_kind_ngram, lm_kind_words, lm_kind_bag, lm_kind_static, lm_kind_sparse_static,
    lm_kind_router, lm_kind_ngram_head, lm_kind_combined_head, lm_kind_layers;

/* The kind of a checkpoint. */
const lm_model_kind *lm_model_kind_of(const lm_checkpoint *checkpoint);

/* By name, or NULL. */
const lm_model_kind *lm_model_kind_named(const char *name);

#endif
