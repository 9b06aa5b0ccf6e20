/*
 * head_kind.c - the kind of model that is trained on another's embedding, and the section of its
 * weights. It has neither tokenizer nor encoder; its width is that of the base's embedding.
 */
#include <string.h>

#include "model/head.h"
#include "model/kinds.h"
#include "model/labels.h"

/* ---- Section ---- */

static lm_status
plan_head(lm_planner *p, lm_planned_section *section)
{
    lm_head_plan *plan = lm_arena_zero(p->arena, sizeof *plan);

    if (!plan)
        return LM_NO_MEMORY;
    LM_TRY(lm_head_plan_make(p->ctx, p->arena, &p->plan->checkpoint, plan));
    *section = (lm_planned_section){plan, lm_head_size(&plan->shape)};
    return LM_OK;
}

static lm_status
fill_head(lm_context *ctx, const lm_model_plan *plan, const lm_planned_section *section,
          void *bytes)
{
    return lm_head_fill(ctx, section->state, &plan->source, bytes);
}

/* The settings, which are bound before, say how large it is. */
static lm_status
bind_head(lm_context *ctx, const void *bytes, size_t size, lm_model *model)
{
    lm_head head = {.labels = model->info.label_count, .width = model->info.dimensions};

    LM_TRY(lm_head_bind(ctx, bytes, size, &head));
    return lm_head_view(ctx, &head, model);
}

static void
unbind_head(lm_context *ctx, lm_model *model)
{
    lm_free(ctx, (void *)(uintptr_t)model->views[LM_SECTION_HEAD]);
}

const lm_section_kind lm_section_head = {
    .name = "head",
    .id = LM_SECTION_HEAD,
    .layout = 2,
    .plan = plan_head,
    .fill = fill_head,
    .bind = bind_head,
    .unbind = unbind_head,
};

/* ---- Kind ---- */

static bool
claims(const lm_checkpoint *checkpoint)
{
    return checkpoint->settings && strcmp(checkpoint->settings_file, LM_HEAD_JSON) == 0;
}

/* What a token costs is its base's business. */
static lm_status
describe(lm_planner *p, lm_buffer *details)
{
    const lm_head_plan *plan = p->plan->sections[LM_SECTION_HEAD].state;
    const lm_head *shape = &plan->shape;
    const lm_neighbours *n = &shape->neighbours;
    const uint64_t rows = n->count > 0 ? n->count : (uint64_t)shape->labels;

    p->plan->info = (lm_model_info){
        .task = "classification",
        .dimensions = shape->width,
        .parameters = ((uint64_t)shape->width + 1) * rows,
        .scoring = shape->scoring,
        .label_count = shape->labels,
        .labels = shape->names,
    };
    LM_TRY(lm_buffer_printf(details, "{\"labels\": %d", shape->labels));
    if (n->count > 0)
        LM_TRY(lm_buffer_printf(details, ", \"examples\": %zu, \"k\": %d", n->count, n->k));
    else if (shape->scoring != LM_SCORING_SOFTMAX)
        LM_TRY(lm_buffer_printf(details, ", \"scoring\": \"%s\"", lm_scoring_name(shape->scoring)));
    return lm_buffer_append_string(details, "}");
}

const lm_model_kind lm_kind_head = {
    .name = "head",
    .on_base = true,
    .sections =
        {
            {&lm_section_settings, NULL},
            {&lm_section_head, NULL},
        },
    .claims = claims,
    .describe = describe,
};
