/*
 * vocabulary_head.c - what planning checks of a head on the vocabulary.
 */
#include "model/vocabulary_head.h"

#include <string.h>

/* Without a matrix of its own a head has that of the embeddings, unless config.json forbids it. */
static lm_status
check_table(const lm_planner *p, bool own_table)
{
    const lm_json *tied = lm_json_get(p->plan->checkpoint.config, "tie_word_embeddings");

    if (own_table || !tied || tied->type != LM_JSON_BOOL || tied->boolean)
        return LM_OK;
    lm_raise(p->ctx, LM_BAD_MODEL, "a tensor that the model needs is missing");
    lm_detail_file(p->ctx, p->plan->checkpoint.config_file);
    lm_detail_key(p->ctx, "tie_word_embeddings");
    lm_detail_found(p->ctx, "false, and no matrix of the head's own");
    return lm_detail_allowed(p->ctx, "true, or a matrix (vocabulary, width) among the tensors");
}

/* A special token by its role: a string, or an object with its content. */
static const lm_json *
special_token(const lm_json *file, const char *role)
{
    const lm_json *token = lm_json_get(file, role);

    if (token && token->type == LM_JSON_OBJECT)
        token = lm_json_get(token, "content");
    return token && token->type == LM_JSON_STRING ? token : NULL;
}

const char *
lm_special_token(const lm_checkpoint *checkpoint, const char *role, const char *fallback)
{
    const lm_json *said = special_token(checkpoint->tokenizer_config, role);

    if (!said)
        said = special_token(checkpoint->special_map, role);
    return said ? said->as.string.bytes : fallback;
}

/* Where no file says it, as the classes of BERT have it. */
static lm_status
find_tokens(const lm_planner *p, lm_model_info *info)
{
    const lm_planned_section *section = &p->plan->sections[LM_SECTION_TOKENIZER];
    const char *mask = lm_special_token(&p->plan->checkpoint, "mask_token", "[MASK]");
    const char *pad = lm_special_token(&p->plan->checkpoint, "pad_token", "[PAD]");
    lm_tokenizer tokenizer;

    LM_TRY(lm_tokenizer_bind(p->ctx, section->state, section->size, &tokenizer));
    info->mask_token = lm_token_id(&tokenizer, mask, strlen(mask));
    info->pad_token = lm_token_id(&tokenizer, pad, strlen(pad));
    if (info->mask_token >= 0)
        return LM_OK;
    lm_raise(p->ctx, LM_BAD_MODEL, "the tokenizer has no mask token");
    lm_detail_file(p->ctx, "tokenizer_config.json");
    lm_detail_key(p->ctx, "mask_token");
    lm_detail_found(p->ctx, "\"%s\"", mask);
    return lm_detail_allowed(p->ctx, "a token of tokenizer.json");
}

/* The product with the word table runs for every token here, and is most of the work. */
lm_status
lm_sparse_head_check(lm_planner *p, bool own_table, lm_model_info *info)
{
    const lm_dims *dims = lm_planned_weights(p)->config;

    info->task = "sparse";
    info->mask_token = info->pad_token = -1;
    info->flops_per_token += 2 * (uint64_t)dims->vocab * (uint64_t)dims->hidden;
    return check_table(p, own_table);
}

lm_status
lm_vocabulary_head_check(lm_planner *p, bool own_table, lm_model_info *info)
{
    LM_TRY(check_table(p, own_table));
    return find_tokens(p, info);
}
