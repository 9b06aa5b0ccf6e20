/*
 * sparse_static.c - the kind of model that has a weight for each token of its vocabulary and
 * computes nothing else: SparseStaticEmbedding of sentence-transformers.
 */
#include <string.h>

#include "format/sentence_keys.h"
#include "model/kinds.h"
#include "model/vectors.h"
#include "model/window.h"

#define CLASS "SparseStaticEmbedding"
#define UNLIMITED LM_WINDOW_UNLIMITED

static bool
claims(const lm_checkpoint *checkpoint)
{
    return lm_checkpoint_starts_with(checkpoint, CLASS);
}

static lm_status
begin(lm_planner *p)
{
    const lm_checkpoint *checkpoint = &p->plan->checkpoint;

    LM_TRY(lm_keys_check(p->ctx, p->notes, checkpoint->config_file, "", checkpoint->config,
                         lm_sparse_static_keys));
    if (lm_vectors_are_weights(&checkpoint->tensors))
        return LM_OK;
    lm_raise(p->ctx, LM_BAD_MODEL, "a tensor that the model needs is missing");
    return lm_detail_key(p->ctx, "weight");
}

static lm_status
check_tokenizer(lm_planner *p)
{
    const int own = lm_checkpoint_window(&p->plan->checkpoint, UNLIMITED);
    const int asked = lm_planned_window(p, own);

    if (asked > 0)
        LM_TRY(lm_window_check(p->ctx, asked, 1, UNLIMITED));
    p->plan->info.max_tokens = asked > 0 ? asked : own;
    return LM_OK;
}

static lm_status
describe(lm_planner *p, lm_buffer *details)
{
    const lm_vectors_plan *plan = p->plan->sections[LM_SECTION_VECTORS].state;
    lm_model_info *info = &p->plan->info;

    info->family = "static";
    info->task = "sparse";
    info->parameters = plan->table->count;
    info->flops_per_token = 1;
    return lm_buffer_printf(details, "{\"vocabulary\": %d, \"normalize\": false}",
                            plan->shape.rows);
}

const lm_model_kind lm_kind_sparse_static = {
    .name = "sparse_static",
    .sections =
        {
            {&lm_section_settings, NULL},
            {&lm_section_tokenizer, check_tokenizer},
            {&lm_section_vectors, NULL},
        },
    .claims = claims,
    .begin = begin,
    .describe = describe,
};
