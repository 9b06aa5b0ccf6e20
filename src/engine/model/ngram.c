/*
 * ngram.c - the kind of model that knows how often words are, and the section of its counts. It has
 * no encoder, no tokenizer and no window: words are cut by base/words.h.
 */
#include <string.h>

#include "lang/unigram.h"
#include "model/kinds.h"

/* ---- Section ---- */

static lm_status
plan_counts(lm_planner *p, lm_planned_section *section)
{
    lm_unigram_plan *plan = lm_arena_zero(p->arena, sizeof *plan);

    if (!plan)
        return LM_NO_MEMORY;
    LM_TRY(lm_unigram_plan_make(p->ctx, &p->plan->checkpoint, plan));
    *section = (lm_planned_section){plan, lm_unigram_size(plan)};
    return LM_OK;
}

static lm_status
fill_counts(lm_context *ctx, const lm_model_plan *plan, const lm_planned_section *section,
            void *bytes)
{
    return lm_unigram_fill(ctx, section->state, &plan->source, bytes);
}

static lm_status
bind_counts(lm_context *ctx, const void *bytes, size_t size, lm_model *model)
{
    lm_unigram view, *kept;

    LM_TRY(lm_unigram_bind(ctx, bytes, size, &view));
    kept = lm_alloc(ctx, sizeof *kept);
    if (!kept)
        return LM_NO_MEMORY;
    *kept = view;
    model->views[LM_SECTION_NGRAM] = kept;
    return LM_OK;
}

static void
unbind_counts(lm_context *ctx, lm_model *model)
{
    lm_free(ctx, (void *)(uintptr_t)model->views[LM_SECTION_NGRAM]);
}

const lm_section_kind lm_section_ngram = {
    .name = "ngram",
    .id = LM_SECTION_NGRAM,
    .layout = 1,
    .plan = plan_counts,
    .fill = fill_counts,
    .bind = bind_counts,
    .unbind = unbind_counts,
};

/* ---- Kind ---- */

static bool
claims(const lm_checkpoint *checkpoint)
{
    return checkpoint->settings && strcmp(checkpoint->settings_file, LM_NGRAM_JSON) == 0;
}

/* What an import asks of an encoder means nothing here. */
static lm_status
begin(lm_planner *p)
{
    if (p->options->max_tokens == 0 && !p->options->as_embedding)
        return LM_OK;
    return lm_raise(p->ctx, LM_BAD_ARGUMENT, "an n-gram model has no window and no embedding");
}

/* A token's cost is a comparison for each step of the bisection. */
static lm_status
describe(lm_planner *p, lm_buffer *details)
{
    const lm_unigram_plan *plan = p->plan->sections[LM_SECTION_NGRAM].state;
    uint64_t words = plan->counts->count;

    p->plan->info = (lm_model_info){.family = "ngram", .task = "language_model"};
    p->plan->info.parameters = words + 1;
    for (uint64_t left = words; left > 0; left /= 2)
        p->plan->info.flops_per_token++;
    return lm_buffer_printf(details, "{\"order\": 1, \"words\": %llu, \"k\": %.17g}",
                            (unsigned long long)words, plan->k);
}

const lm_model_kind lm_kind_ngram = {
    .name = "ngram",
    .sections =
        {
            {&lm_section_settings, NULL},
            {&lm_section_ngram, NULL},
        },
    .claims = claims,
    .begin = begin,
    .describe = describe,
};
