/*
 * prompt.c - prompts of calls, by name, by side, or the model's own; the contract is in prompt.h.
 */
#include "task/prompt.h"

#include <stdio.h>
#include <string.h>

/* Lists the model's prompts, as far as they fit. */
static lm_status
unknown_prompt(lm_context *ctx, const lm_sentence_transformers *sentence, const char *name)
{
    char known[sizeof ctx->error.allowed] = "";
    size_t used = 0;

    for (int i = 0; i < sentence->prompt_count && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                 sentence->prompts[i].name);
    lm_raise(ctx, LM_UNKNOWN, "the model has no such prompt");
    lm_detail_key(ctx, "prompt_name");
    lm_detail_found(ctx, "\"%s\"", name);
    return lm_detail_allowed(ctx, "%s", used ? known : "none: the model has no prompts");
}

/* The text of a prompt by its name, or NULL. */
static const char *
prompt_named(const lm_sentence_transformers *sentence, const char *name)
{
    for (int i = 0; i < sentence->prompt_count; i++)
        if (strcmp(sentence->prompts[i].name, name) == 0)
            return sentence->prompts[i].text;
    return NULL;
}

#define SIDE_NAMES 3

/*
 * Names of a side's prompt: the first that the files have, and that is not empty. A side never has
 * the default prompt, since the reference gives every model both sides' prompts, empty where its
 * files lack them. (It does not get to "passage" then, which its manual names.)
 */
static const char *const side_prompts[LM_SIDE_COUNT][SIDE_NAMES] = {
    [LM_SIDE_QUERY] = {"query"},
    [LM_SIDE_DOCUMENT] = {"document", "passage", "corpus"},
};

const char *
lm_prompt_of_side(const lm_sentence_transformers *sentence, lm_side side)
{
    for (int i = 0; i < SIDE_NAMES && side_prompts[side][i]; i++) {
        const char *prompt = prompt_named(sentence, side_prompts[side][i]);

        if (prompt && *prompt)
            return prompt;
    }
    return NULL;
}

lm_status
lm_prompt_resolve(lm_batcher *b, const lm_embed_options *options)
{
    const lm_sentence_transformers *sentence = &b->model->sentence;
    const char *name = options->prompt_name ? options->prompt_name : sentence->default_prompt;

    if (options->prompt) {
        b->prompt = options->prompt;
        b->prompt_length = options->prompt_length;
        return LM_OK;
    }
    if (options->side != LM_SIDE_NONE && !options->prompt_name)
        b->prompt = lm_prompt_of_side(sentence, options->side);
    else if (name)
        b->prompt = prompt_named(sentence, name);
    b->prompt_length = b->prompt ? strlen(b->prompt) : 0;
    return b->prompt || !options->prompt_name ? LM_OK : unknown_prompt(b->ctx, sentence, name);
}

lm_status
lm_prompt_measure(lm_batcher *b)
{
    lm_encoding *encoding = &b->session->prompt_encoding;
    const lm_tokenizer *tokenizer = lm_model_tokenizer(b->model);
    const lm_token_options options = {
        .add_special = true,
        .parse_special = true,
        .max_tokens = b->model->info.max_tokens,
    };

    if (b->prompt_length == 0 || b->model->sentence.include_prompt)
        return LM_OK;
    LM_TRY(lm_tokenize(b->ctx, tokenizer, b->session->scratch, b->prompt, b->prompt_length,
                       &options, encoding));
    if (encoding->truncated) {
        lm_raise(b->ctx, LM_BAD_ARGUMENT, "the prompt is longer than the model's window");
        lm_detail_key(b->ctx, "prompt");
        return lm_detail_allowed(b->ctx, "fewer than %d tokens", options.max_tokens);
    }
    b->excluded = encoding->count;
    if (b->excluded > 0 && lm_token_is_special(tokenizer, encoding->ids[b->excluded - 1]))
        b->excluded--;
    return LM_OK;
}
