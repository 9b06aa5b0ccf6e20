/*
 * words.c - the kinds of models whose texts are words between white space and that have no layers:
 * WordEmbeddings of sentence-transformers, with a vector for each word, and BoW, where each word is
 * a dimension.
 */
#include "format/sentence_keys.h"
#include "model/kinds.h"
#include "model/vectors.h"
#include "model/window.h"

static lm_status
begin_words(lm_planner *p)
{
    if (lm_vectors_are_of_words(&p->plan->checkpoint.tensors))
        return LM_OK;
    lm_raise(p->ctx, LM_BAD_MODEL, "a tensor that the model needs is missing");
    return lm_detail_key(p->ctx, "emb_layer.weight");
}

static lm_status
begin_bag(lm_planner *p)
{
    const lm_checkpoint *checkpoint = &p->plan->checkpoint;

    return lm_keys_check(p->ctx, p->notes, checkpoint->config_file, "", checkpoint->config,
                         lm_bow_keys);
}

/* The library reads as many words of a text, and all of them into a bag. */
static lm_status
check_tokenizer(lm_planner *p)
{
    const int said = p->plan->checkpoint.sentence.max_seq_length;
    const int own = said > 0 && said < LM_WINDOW_UNLIMITED ? said : LM_WINDOW_UNLIMITED;
    const int asked = lm_planned_window(p, own);

    if (asked > 0)
        LM_TRY(lm_window_check(p->ctx, asked, 1, LM_WINDOW_UNLIMITED));
    p->plan->info.max_tokens = asked > 0 ? asked : own;
    return LM_OK;
}

/* A word costs an addition for each dimension. */
static lm_status
describe(lm_planner *p, lm_buffer *details)
{
    const lm_vectors_plan *plan = p->plan->sections[LM_SECTION_VECTORS].state;
    lm_model_info *info = &p->plan->info;

    info->family = "words";
    info->task = "embedding";
    info->parameters +=
        (uint64_t)plan->shape.rows * (uint64_t)(plan->shape.width + (plan->shape.weighted ? 1 : 0));
    info->flops_per_token = (uint64_t)plan->shape.width;
    return lm_buffer_printf(details, "{\"hidden\": %d, \"vocabulary\": %d, \"normalize\": %s}",
                            (int)(plan->shape.bag ? plan->shape.rows : plan->shape.width),
                            plan->shape.rows,
                            p->plan->checkpoint.sentence.normalize ? "true" : "false");
}

const lm_model_kind lm_kind_words = {
    .name = "words",
    .sections =
        {
            {&lm_section_settings, NULL},
            {&lm_section_tokenizer, check_tokenizer},
            {&lm_section_steps, lm_plan_dimensions},
            {&lm_section_vectors, NULL},
        },
    .claims = lm_checkpoint_has_words,
    .begin = begin_words,
    .describe = describe,
};

const lm_model_kind lm_kind_bag = {
    .name = "bag",
    .sections =
        {
            {&lm_section_settings, NULL},
            {&lm_section_tokenizer, check_tokenizer},
            {&lm_section_steps, lm_plan_dimensions},
            {&lm_section_vectors, NULL},
        },
    .claims = lm_checkpoint_is_bag,
    .begin = begin_bag,
    .describe = describe,
};
