/*
 * tuned_texts.c - tokens of rows. What a text has beyond the window is cut, as the tokenizer says.
 */
#include "train/tuned_texts.h"

#include <string.h>

#include "base/size.h"

lm_status
lm_tuned_grow(lm_context *ctx, void *array, size_t *room, size_t need, size_t width)
{
    size_t wanted = lm_grown_room(*room, need), bytes;
    void *old, *grown;

    if (need <= *room)
        return LM_OK;
    if (lm_mul_overflows(wanted, width, &bytes))
        return lm_raise(ctx, LM_TOO_LARGE, "too many rows to train on");
    memcpy(&old, array, sizeof old);
    if (!(grown = lm_keep(ctx, old, bytes)))
        return LM_NO_MEMORY;
    memcpy(array, &grown, sizeof grown);
    *room = wanted;
    return LM_OK;
}

lm_status
lm_tuned_texts_open(lm_context *ctx, const lm_tokenizer *tokenizer, size_t window, size_t per_row,
                    lm_tuned_texts *texts)
{
    *texts =
        (lm_tuned_texts){.ctx = ctx, .tokenizer = tokenizer, .window = window, .per_row = per_row};
    lm_encoding_init(&texts->encoding, ctx);
    return lm_token_scratch_create(ctx, &texts->scratch);
}

void
lm_tuned_texts_close(lm_tuned_texts *texts)
{
    lm_token_scratch_free(texts->scratch);
    if (texts->encoding.ctx)
        lm_encoding_free(&texts->encoding);
    lm_free(texts->ctx, texts->ids);
    lm_free(texts->ctx, texts->types);
    lm_free(texts->ctx, texts->ends);
}

/* The encoding becomes the next text; one without a token, which has no template, is a mistake. */
static lm_status
keep(lm_tuned_texts *texts)
{
    const lm_encoding *encoding = &texts->encoding;
    const size_t end = texts->tokens + encoding->count;

    LM_TRY(lm_tuned_grow(texts->ctx, &texts->ids, &texts->id_room, end, sizeof *texts->ids));
    LM_TRY(lm_tuned_grow(texts->ctx, &texts->types, &texts->type_room, end, sizeof *texts->types));
    LM_TRY(lm_tuned_grow(texts->ctx, &texts->ends, &texts->end_room, texts->texts + 1,
                         sizeof *texts->ends));
    memcpy(texts->ids + texts->tokens, encoding->ids, encoding->count * sizeof *texts->ids);
    memcpy(texts->types + texts->tokens, encoding->type_ids,
           encoding->count * sizeof *texts->types);
    texts->tokens = texts->ends[texts->texts++] = end;
    return LM_OK;
}

static lm_token_options
options_of(const lm_tuned_texts *texts)
{
    return (lm_token_options){.add_special = true,
                              .parse_special = true,
                              .offsets = true,
                              .max_tokens = (int)texts->window};
}

static lm_status
check_tokens(const lm_tuned_texts *texts)
{
    if (texts->encoding.count > 0)
        return LM_OK;
    return lm_raise(texts->ctx, LM_BAD_TEXT, "a text has no tokens");
}

lm_status
lm_tuned_texts_add(lm_tuned_texts *texts, lm_text text)
{
    const lm_token_options options = options_of(texts);

    LM_TRY(lm_tokenize(texts->ctx, texts->tokenizer, texts->scratch, text.bytes, text.length,
                       &options, &texts->encoding));
    LM_TRY(check_tokens(texts));
    return keep(texts);
}

lm_status
lm_tuned_texts_add_variant(lm_tuned_texts *texts, lm_text variant, lm_text text)
{
    const lm_token_options options = options_of(texts);

    LM_TRY(lm_tokenize(texts->ctx, texts->tokenizer, texts->scratch, variant.bytes, variant.length,
                       &options, &texts->encoding));
    return texts->encoding.count > 0 ? keep(texts) : lm_tuned_texts_add(texts, text);
}

void
lm_tuned_texts_clear(lm_tuned_texts *texts)
{
    texts->tokens = texts->texts = 0;
}

lm_status
lm_tuned_texts_add_pair(lm_tuned_texts *texts, lm_text first, lm_text second)
{
    const lm_token_options options = options_of(texts);

    LM_TRY(lm_tokenize_pair(texts->ctx, texts->tokenizer, texts->scratch, first.bytes, first.length,
                            second.bytes, second.length, &options, &texts->encoding));
    LM_TRY(check_tokens(texts));
    return keep(texts);
}

size_t
lm_tuned_texts_first(const lm_tuned_texts *texts, size_t text)
{
    return text > 0 ? texts->ends[text - 1] : 0;
}

size_t
lm_tuned_texts_length(const lm_tuned_texts *texts, size_t text)
{
    return texts->ends[text] - lm_tuned_texts_first(texts, text);
}

size_t
lm_tuned_texts_row_tokens(const lm_tuned_texts *texts, size_t row)
{
    return texts->ends[(row + 1) * texts->per_row - 1] -
           lm_tuned_texts_first(texts, row * texts->per_row);
}
