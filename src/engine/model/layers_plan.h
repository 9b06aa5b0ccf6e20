/*
 * layers_plan.h - what is planned of a net of layers, between its kind and its section (private to
 * model/).
 */
#ifndef LM_MODEL_LAYERS_PLAN_H
#define LM_MODEL_LAYERS_PLAN_H

#include "model/layers.h"
#include "model/plan.h"

typedef struct lm_layers_plan {
    lm_layers_settings settings;
    const lm_layers_task *task;
    lm_net net;
    bool by_word;
    const lm_kernels *kernels;
    const lm_tensor **tensors; /* by the net's parameters */
    const char *description;   /* as JSON */
} lm_layers_plan;

/* What the kind's begin() has left as the section's state. */
static inline lm_layers_plan *
lm_layers_planned(lm_planner *p)
{
    return (lm_layers_plan *)(uintptr_t)p->plan->sections[LM_SECTION_NET].state;
}

#endif
