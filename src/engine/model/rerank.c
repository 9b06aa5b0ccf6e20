/*
 * rerank.c - cross-encoders among classifiers. A head with one label that has no name, or that
 * sentence-transformers' files call a cross-encoder, scores a pair of texts. What becomes of its
 * number is said by the first of three places, as in that library: its own file, config.json in the
 * library's later spelling, and in its earlier one. Without a word it is the sigmoid.
 */
#include "model/rerank.h"

#include <string.h>

#include "format/sentence_transformers.h"

static const struct {
    const char *name;
    lm_scoring scoring;
} activations[] = {
    {"torch.nn.modules.activation.Sigmoid", LM_SCORING_SIGMOID},
    {"torch.nn.modules.linear.Identity", LM_SCORING_RAW},
    {"torch.nn.Sigmoid", LM_SCORING_SIGMOID},
    {"torch.nn.Identity", LM_SCORING_RAW},
};

#define ACTIVATIONS "torch.nn.modules.activation.Sigmoid, torch.nn.modules.linear.Identity"

/* Where an activation is written. */
typedef struct place {
    const char *file, *key;
    const char *name; /* NULL: nowhere */
} place;

bool
lm_rerank_is_cross_encoder(const lm_sentence_transformers *sentence)
{
    return sentence->model_type && strcmp(sentence->model_type, "CrossEncoder") == 0;
}

static const char *
string_at(const lm_json *object, const char *key)
{
    const lm_json *member = object ? lm_json_get(object, key) : NULL;

    return member && member->type == LM_JSON_STRING ? member->as.string.bytes : NULL;
}

static place
find_activation(const lm_planner *p)
{
    const lm_checkpoint *checkpoint = &p->plan->checkpoint;
    const lm_json *later = lm_json_get(checkpoint->config, "sentence_transformers");
    const place places[] = {
        {"config_sentence_transformers.json", "activation_fn", checkpoint->sentence.activation},
        {checkpoint->config_file, "sentence_transformers.activation_fn",
         later && later->type == LM_JSON_OBJECT ? string_at(later, "activation_fn") : NULL},
        {checkpoint->config_file, "sbert_ce_default_activation_function",
         string_at(checkpoint->config, "sbert_ce_default_activation_function")},
    };

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (places[i].name)
            return places[i];
    return (place){NULL, NULL, NULL};
}

/* A function of another package than torch is not run by the library either, which then warns. */
static lm_status
read_activation(const lm_planner *p, const place *at, lm_scoring *scoring)
{
    *scoring = LM_SCORING_SIGMOID;
    for (size_t i = 0; at->name && i < sizeof activations / sizeof activations[0]; i++)
        if (strcmp(at->name, activations[i].name) == 0) {
            *scoring = activations[i].scoring;
            return LM_OK;
        }
    if (!at->name || strncmp(at->name, "torch.", strlen("torch.")) != 0)
        return LM_OK;
    lm_raise(p->ctx, LM_UNSUPPORTED, "the activation of the cross-encoder is not supported");
    lm_detail_file(p->ctx, at->file);
    lm_detail_key(p->ctx, "%s", at->key);
    lm_detail_found(p->ctx, "\"%s\"", at->name);
    return lm_detail_allowed(p->ctx, "%s", ACTIVATIONS);
}

/* One label that nobody named does not tell classes apart; a regression's number is asked for. */
static bool
scores_pairs(const lm_planner *p, const lm_model_info *info, const place *activation)
{
    const char *asked = p->options->task;

    if (asked && (strcmp(asked, "rerank") == 0 || strcmp(asked, "classification") == 0))
        return strcmp(asked, "rerank") == 0;
    if (lm_rerank_is_cross_encoder(&p->plan->checkpoint.sentence) || activation->name)
        return true;
    return info->scoring != LM_SCORING_RAW && strcmp(info->labels[0], "LABEL_0") == 0;
}

lm_status
lm_rerank_check_prompt(const lm_planner *p)
{
    const char *prompt = p->plan->checkpoint.sentence.default_prompt;

    if (!prompt)
        return LM_OK;
    lm_raise(p->ctx, LM_UNSUPPORTED, "a cross-encoder with a default prompt is not supported");
    lm_detail_file(p->ctx, LM_SENTENCE_FILE);
    lm_detail_key(p->ctx, "default_prompt_name");
    lm_detail_found(p->ctx, "\"%s\"", prompt);
    return lm_detail_allowed(p->ctx, "null");
}

lm_status
lm_rerank_read(lm_planner *p, lm_model_info *info)
{
    const place activation = find_activation(p);

    info->pair_scoring = info->scoring;
    if (info->label_count != 1 || p->plan->head->pooling == LM_POOL_NONE)
        return LM_OK;
    LM_TRY(read_activation(p, &activation, &info->pair_scoring));
    if (scores_pairs(p, info, &activation))
        info->task = "rerank";
    return LM_OK;
}
