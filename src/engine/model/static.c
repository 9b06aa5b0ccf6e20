/*
 * static.c - the kind of model that has a vector for each token and no layers: StaticEmbedding of
 * sentence-transformers, and model2vec's own folders.
 */
#include <string.h>

#include "base/utf8.h"
#include "model/kinds.h"
#include "model/vectors.h"
#include "model/window.h"

#define UNLIMITED LM_WINDOW_UNLIMITED
/* Where model2vec's config.json does not say it. */
#define MODEL2VEC_WINDOW 512

#define MODEL2VEC "model2vec"

/* Tokens between two polls. */
#define ROWS_PER_POLL 8192

/* Keys of model2vec's config.json. */
static const lm_key_rule config_keys[] = {
    {"model_type", LM_KEY_OBEYED, NULL},
    {"normalize", LM_KEY_OBEYED, NULL},
    {"max_length", LM_KEY_OBEYED, NULL},
    {"architectures", LM_KEY_HARMLESS, NULL},
    {"tokenizer_name", LM_KEY_HARMLESS, NULL},
    {"apply_pca", LM_KEY_HARMLESS, NULL}, /* how it was made, as the following */
    {"apply_zipf", LM_KEY_HARMLESS, NULL},
    {"sif_coefficient", LM_KEY_HARMLESS, NULL},
    {"hidden_dim", LM_KEY_HARMLESS, NULL},
    {"seq_length", LM_KEY_HARMLESS, NULL},
    {"pooling", LM_KEY_HARMLESS, NULL},
    {"embedding_dtype", LM_KEY_HARMLESS, NULL}, /* the tensors say it, and the next */
    {"vocabulary_quantization", LM_KEY_HARMLESS, NULL},
    {"cache_dir", LM_KEY_HARMLESS, NULL},
    {0},
};

static bool
is_model2vec(const lm_checkpoint *checkpoint)
{
    return lm_json_is_string(lm_json_get(checkpoint->config, "model_type"), MODEL2VEC);
}

/* Its modules, or the config.json of model2vec, tell; other folders with such tensors are not. The
 * kinds of words were asked before. */
static bool
claims(const lm_checkpoint *checkpoint)
{
    return lm_checkpoint_is_static(checkpoint) || is_model2vec(checkpoint);
}

/* Of model2vec's it is config.json that says whether vectors are normalised. */
static lm_status
read_config(lm_planner *p)
{
    lm_checkpoint *checkpoint = &p->plan->checkpoint;
    const lm_json *normalize = lm_json_get(checkpoint->config, "normalize");

    if (!is_model2vec(checkpoint))
        return LM_OK;
    LM_TRY(lm_keys_check(p->ctx, p->notes, checkpoint->config_file, "", checkpoint->config,
                         config_keys));
    checkpoint->sentence.normalize =
        normalize && normalize->type == LM_JSON_BOOL && normalize->boolean;
    return LM_OK;
}

static lm_status
begin(lm_planner *p)
{
    const lm_checkpoint *checkpoint = &p->plan->checkpoint;

    LM_TRY(read_config(p));
    if (lm_vectors_are_there(&checkpoint->tensors))
        return LM_OK;
    lm_raise(p->ctx, LM_BAD_MODEL, "a tensor that the model needs is missing");
    return lm_detail_key(p->ctx, "embedding.weight");
}

/* ---- Window ---- */

/* A number of tokens that a file has; 0: it has none. */
static int
tokens_of(const lm_json *member)
{
    bool good = member && member->type == LM_JSON_NUMBER && member->is_integer &&
                member->integer >= 1 && member->integer <= UNLIMITED;

    return good ? (int)member->integer : 0;
}

/* model2vec cuts where its config says; sentence-transformers where the tokenizer's file says. */
static int
window_of(const lm_checkpoint *checkpoint)
{
    const lm_json *truncation = lm_json_get(checkpoint->tokenizer, "truncation");
    const lm_json *length = lm_json_get(checkpoint->config, "max_length");
    int tokens = tokens_of(lm_json_get(truncation, "max_length"));

    if (is_model2vec(checkpoint))
        tokens = length ? tokens_of(length) : MODEL2VEC_WINDOW;
    return tokens > 0 ? tokens : UNLIMITED;
}

/* Tokens of so many characters and more count as these. */
#define LONG_TOKEN 256

/* The median of the tokens' characters, rounded down. */
static lm_status
median_chars(lm_planner *p, const lm_tokenizer *tokenizer, int32_t *median)
{
    size_t lengths[LONG_TOKEN + 1] = {0}, tokens = 0, below = 0;
    int middle[2] = {-1, -1};

    for (int32_t id = 0; id < tokenizer->vocab_size; id++) {
        size_t bytes, chars;
        const char *text = lm_token_text(tokenizer, id, &bytes);

        if (id % ROWS_PER_POLL == 0)
            LM_TRY(lm_poll(p->ctx));
        if (!text)
            continue;
        chars = lm_utf8_count(text, bytes);
        lengths[chars < LONG_TOKEN ? chars : LONG_TOKEN]++;
        tokens++;
    }
    for (int chars = 0; chars <= LONG_TOKEN; chars++) {
        below += lengths[chars];
        for (int i = 0; i < 2; i++) /* of an even number, two are in the middle */
            if (middle[i] < 0 && below > (tokens - 1 + (size_t)i) / 2)
                middle[i] = chars;
    }
    *median = (middle[0] + middle[1]) / 2;
    return LM_OK;
}

/* What model2vec does with a text, and sentence-transformers does not. */
static lm_status
follow_model2vec(lm_planner *p, const lm_tokenizer *tokenizer)
{
    const void *planned = p->plan->sections[LM_SECTION_VECTORS].state;
    lm_vectors *shape = &((lm_vectors_plan *)(uintptr_t)planned)->shape;

    shape->drops_unknown = true;
    return median_chars(p, tokenizer, &shape->token_chars);
}

/*
 * Both references read tokenizer.json alone, and model2vec keeps the first tokens of what that
 * leaves. Where that would not give what the compiled tokenizer gives, there is no model.
 */
static lm_status
check_side(lm_planner *p, const lm_tokenizer *tokenizer)
{
    const lm_checkpoint *checkpoint = &p->plan->checkpoint;
    const lm_json *truncation = lm_json_get(checkpoint->tokenizer, "truncation");
    const bool left = lm_tokenizer_cuts_left(tokenizer);

    if (left == lm_json_is_string(lm_json_get(truncation, "direction"), "Left") &&
        !(left && is_model2vec(checkpoint)))
        return LM_OK;
    lm_raise(p->ctx, LM_UNSUPPORTED, "this truncation of a static model is not supported");
    lm_detail_file(p->ctx, "tokenizer.json");
    lm_detail_key(p->ctx, "truncation.direction");
    lm_detail_found(p->ctx, left ? "the left side" : "another side than tokenizer_config.json has");
    return lm_detail_allowed(p->ctx, is_model2vec(checkpoint) ? "\"Right\"" : "one side");
}

static lm_status
check_tokenizer(lm_planner *p)
{
    const lm_planned_section *section = &p->plan->sections[LM_SECTION_TOKENIZER];
    const int own = window_of(&p->plan->checkpoint), asked = lm_planned_window(p, own);
    lm_tokenizer tokenizer;

    p->plan->info.max_tokens = asked > 0 ? asked : own;
    if (asked > 0)
        LM_TRY(lm_window_check(p->ctx, asked, 1, UNLIMITED));
    LM_TRY(lm_tokenizer_bind(p->ctx, section->state, section->size, &tokenizer));
    LM_TRY(check_side(p, &tokenizer));
    return is_model2vec(&p->plan->checkpoint) ? follow_model2vec(p, &tokenizer) : LM_OK;
}

/* ---- Description ---- */

/* A token costs an addition for each dimension. */
static lm_status
describe(lm_planner *p, lm_buffer *details)
{
    const lm_vectors_plan *plan = p->plan->sections[LM_SECTION_VECTORS].state;
    lm_model_info *info = &p->plan->info;

    info->family = "static";
    info->task = "embedding";
    info->parameters += plan->table->count + (plan->weights ? plan->weights->count : 0);
    info->flops_per_token = (uint64_t)plan->shape.width;
    return lm_buffer_printf(details, "{\"hidden\": %d, \"vocabulary\": %d, \"normalize\": %s}",
                            plan->shape.width, plan->shape.rows,
                            p->plan->checkpoint.sentence.normalize ? "true" : "false");
}

const lm_model_kind lm_kind_static = {
    .name = "static",
    .sections =
        {
            {&lm_section_settings, NULL},
            {&lm_section_tokenizer, check_tokenizer},
            {&lm_section_steps, lm_plan_dimensions},
            {&lm_section_vectors, NULL},
        },
    .claims = claims,
    .begin = begin,
    .describe = describe,
};
