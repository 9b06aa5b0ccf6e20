/*
 * weights_section.c - the section of an encoder's weights, which family/ plans, fills and binds.
 */
#include <string.h>

#include "model/head.h"
#include "model/sections.h"

/* The family is known by then. Matrices that are quantised already are for int8 only. */
static lm_status
plan_weights(lm_planner *p, lm_planned_section *section)
{
    lm_model_plan *plan = p->plan;
    lm_precision precision = p->options->precision;
    lm_weights_plan *weights = lm_arena_zero(p->arena, sizeof *weights);

    if (!weights)
        return LM_NO_MEMORY;
    if (precision == LM_PRECISION_INT8)
        LM_TRY(lm_checkpoint_open_quantized(p->ctx, p->arena, &plan->source, &plan->checkpoint));
    LM_TRY(lm_weights_plan_make(p->ctx, p->arena, plan->family, plan->head, &plan->checkpoint,
                                p->kernels, precision, weights));
    *section = (lm_planned_section){weights, weights->size};
    return LM_OK;
}

static lm_status
fill_weights(lm_context *ctx, const lm_model_plan *plan, const lm_planned_section *section,
             void *bytes)
{
    return lm_weights_fill(ctx, section->state, &plan->source, bytes);
}

/* The model runs on the kernels that its matrices are packed for. */
lm_status
lm_weights_settle(lm_context *ctx, lm_model *model)
{
    const lm_weights *weights = model->views[LM_SECTION_WEIGHTS];

    model->kernels = weights->kernels;
    model->info.precision = weights->precision;
    return weights->head ? lm_head_of_weights(ctx, weights, model) : LM_OK;
}

static lm_status
bind_weights(lm_context *ctx, const void *bytes, size_t size, lm_model *model)
{
    lm_weights *weights = lm_alloc(ctx, sizeof *weights);
    lm_status status;

    if (!weights)
        return LM_NO_MEMORY;
    status = lm_weights_bind(ctx, bytes, size, weights);
    if (status != LM_OK) {
        lm_free(ctx, weights);
        return status;
    }
    model->views[LM_SECTION_WEIGHTS] = weights;
    return lm_weights_settle(ctx, model);
}

static void
unbind_weights(lm_context *ctx, lm_model *model)
{
    lm_weights *weights = (lm_weights *)(uintptr_t)model->views[LM_SECTION_WEIGHTS];

    lm_weights_unbind(ctx, weights);
    lm_free(ctx, weights);
}

const lm_section_kind lm_section_weights = {
    .name = "weights",
    .id = LM_SECTION_WEIGHTS,
    .layout = 3,
    .plan = plan_weights,
    .fill = fill_weights,
    .bind = bind_weights,
    .unbind = unbind_weights,
};
