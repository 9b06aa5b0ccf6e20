/*
 * ngram_head.c - the kinds of models that classify by n-grams, alone or beside the embedding of a
 * base, and the section of their weights. They have no tokenizer: texts are cut by
 * features/ngrams.h.
 */
#include "lang/ngram_head.h"

#include <string.h>

#include "model/kinds.h"
#include "model/labels.h"

/* ---- Section ---- */

static lm_status
plan_head(lm_planner *p, lm_planned_section *section)
{
    lm_ngram_head_plan *plan = lm_arena_zero(p->arena, sizeof *plan);

    if (!plan)
        return LM_NO_MEMORY;
    LM_TRY(lm_ngram_head_plan_make(p->ctx, p->arena, &p->plan->checkpoint, plan));
    LM_TRY(lm_labels_check_distinct(p->ctx, LM_NGRAM_HEAD_JSON, "labels", plan->labels,
                                    plan->label_count));
    *section = (lm_planned_section){plan, lm_ngram_head_size(plan)};
    return LM_OK;
}

static lm_status
fill_head(lm_context *ctx, const lm_model_plan *plan, const lm_planned_section *section,
          void *bytes)
{
    return lm_ngram_head_fill(ctx, section->state, &plan->source, bytes);
}

static lm_status
bind_head(lm_context *ctx, const void *bytes, size_t size, lm_model *model)
{
    lm_ngram_head view, *kept;

    LM_TRY(lm_ngram_head_bind(ctx, bytes, size, &view));
    if (view.labels != model->info.label_count)
        return lm_raise(ctx, LM_INTERNAL, "the classifier in the image has other labels");
    kept = lm_alloc(ctx, sizeof *kept);
    if (!kept)
        return LM_NO_MEMORY;
    *kept = view;
    model->views[LM_SECTION_NGRAM_HEAD] = kept;
    return LM_OK;
}

static void
unbind_head(lm_context *ctx, lm_model *model)
{
    lm_free(ctx, (void *)(uintptr_t)model->views[LM_SECTION_NGRAM_HEAD]);
}

const lm_section_kind lm_section_ngram_head = {
    .name = "ngram_head",
    .id = LM_SECTION_NGRAM_HEAD,
    .layout = 3,
    .plan = plan_head,
    .fill = fill_head,
    .bind = bind_head,
    .unbind = unbind_head,
};

/* ---- Kinds ---- */

static bool
is_ours(const lm_checkpoint *checkpoint)
{
    return checkpoint->settings && strcmp(checkpoint->settings_file, LM_NGRAM_HEAD_JSON) == 0;
}

/* Whatever it is, the reader of settings says what is wrong with it. */
static bool
claims_combined(const lm_checkpoint *checkpoint)
{
    const lm_json *width =
        is_ours(checkpoint) ? lm_json_get(checkpoint->settings, "dimensions") : NULL;

    return width && width->type == LM_JSON_NUMBER && width->as.number > 0;
}

/* What an import asks of an encoder means nothing here. */
static lm_status
begin(lm_planner *p)
{
    if (p->options->max_tokens == 0 && !p->options->as_embedding)
        return LM_OK;
    return lm_raise(p->ctx, LM_BAD_ARGUMENT, "a model of n-grams has no window and no embedding");
}

/* A token has an n-gram of each length; beside an embedding the base's cost is all that counts. */
static lm_status
describe(lm_planner *p, lm_buffer *details)
{
    const lm_ngram_head_plan *plan = p->plan->sections[LM_SECTION_NGRAM_HEAD].state;
    const lm_ngram_options *ngrams = &plan->options.ngrams;
    const uint64_t labels = (uint64_t)plan->label_count, width = (uint64_t)plan->width;
    const lm_ngram_options *also = &plan->options.also;
    const uint64_t lengths =
        (uint64_t)(ngrams->high - ngrams->low + 1 + (also->kind ? also->high - also->low + 1 : 0));
    const uint64_t rank = (uint64_t)plan->rank, columns = rank > 0 ? rank : labels;
    lm_scoring scoring;

    LM_TRY(lm_scoring_read(p->ctx, LM_NGRAM_HEAD_JSON, p->plan->checkpoint.settings, &scoring));
    p->plan->info =
        (lm_model_info){.family = width > 0 ? NULL : "ngram",
                        .task = "classification",
                        .dimensions = plan->width,
                        .parameters = plan->features * columns + (width + rank + 1) * labels,
                        .flops_per_token = width > 0 ? 0 : 2 * lengths * columns,
                        .scoring = scoring,
                        .label_count = plan->label_count,
                        .labels = plan->labels};
    LM_TRY(lm_buffer_printf(
        details, "{\"labels\": %d, \"features\": %u, \"ngrams\": \"%s\", \"low\": %d, \"high\": %d",
        plan->label_count, plan->features, ngrams->kind->name, ngrams->low, ngrams->high));
    if (rank > 0)
        LM_TRY(lm_buffer_printf(details, ", \"rank\": %d, \"tree\": %s", plan->rank,
                                plan->has_tree ? "true" : "false"));
    if (scoring != LM_SCORING_SOFTMAX)
        LM_TRY(lm_buffer_printf(details, ", \"scoring\": \"%s\"", lm_scoring_name(scoring)));
    return lm_buffer_append_string(details, "}");
}

const lm_model_kind lm_kind_ngram_head = {
    .name = "ngram_head",
    .sections =
        {
            {&lm_section_settings, NULL},
            {&lm_section_ngram_head, NULL},
        },
    .claims = is_ours,
    .begin = begin,
    .describe = describe,
};

const lm_model_kind lm_kind_combined_head = {
    .name = "combined_head",
    .on_base = true,
    .sections =
        {
            {&lm_section_settings, NULL},
            {&lm_section_ngram_head, NULL},
        },
    .claims = claims_combined,
    .describe = describe,
};
