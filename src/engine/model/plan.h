/*
 * plan.h - what planning a model's image works on (private to model/).
 */
#ifndef LM_MODEL_PLAN_H
#define LM_MODEL_PLAN_H

#include "format/coded.h"
#include "model/image.h"
#include "model/model.h"

/* A section that is planned. What `state` is, is its kind's business. */
typedef struct lm_planned_section {
    const void *state; /* in the arena */
    size_t size;
} lm_planned_section;

struct lm_model_plan {
    lm_source source; /* `below`, with coded files seen as what they stand for */
    lm_source below;
    lm_coded_files coded;
    lm_checkpoint checkpoint;
    const struct lm_model_kind *kind;
    const lm_family *family;  /* NULL: the model has none */
    const lm_head_kind *head; /* that the checkpoint has beside its encoder; NULL: none */
    lm_model_info info;
    int32_t vocabulary; /* rows of the word table, which ids are below; 0: the weights say it */
    lm_planned_section sections[LM_SECTION_COUNT]; /* by lm_section_id */
    struct lm_model_plan *routes[LM_SIDE_COUNT];   /* as many as the checkpoint has */
    /* Of a way: the way before it, from 1, whose tokenizer and weights it has too; 0: its own. */
    int shared;
    lm_image_header header;
};

/* What the functions of planning share. */
typedef struct lm_planner {
    lm_context *ctx;
    lm_arena *arena;
    const lm_model_options *options; /* never NULL */
    const lm_kernels *kernels;
    lm_notes *notes; /* NULL: a stored version is loaded */
    lm_model_plan *plan;
    bool routed; /* a way of a Router is planned */
} lm_planner;

/* The window that is asked for, 0: none. Of a Router's ways those that are shorter stay so. */
static inline int
lm_planned_window(const lm_planner *p, int own)
{
    return p->routed && p->options->max_tokens > own ? 0 : p->options->max_tokens;
}

/* What the section of weights has planned; NULL before that. */
static inline const lm_weights_plan *
lm_planned_weights(const lm_planner *p)
{
    return p->plan->sections[LM_SECTION_WEIGHTS].state;
}

/* The width of the embedding, uncut; the section of steps is planned by then. */
size_t lm_planned_width(const lm_planner *p);

/* Of a model that has no layers: how many of these its embedding has, by options and files. */
lm_status lm_plan_dimensions(lm_planner *p);

#endif
