/*
 * text_tokens.c - white space, words, and the tokens of a row's texts.
 */
#include "metrics/text_tokens.h"

#include <string.h>

#include "base/unicode.h"
#include "base/unicode_sets.h"
#include "base/utf8.h"

/* Python counts the four separators of ASCII, which Unicode's White_Space has not. */
static size_t
last_character(lm_text text)
{
    size_t at = text.length - 1;

    while (at > 0 && ((unsigned char)text.bytes[at] & 0xc0) == 0x80)
        at--;
    return at;
}

lm_status
lm_text_strip_end(lm_context *ctx, lm_text *text)
{
    int bytes;

    while (text->length > 0) {
        size_t at = last_character(*text);

        if (!lm_is_space(lm_utf8_decode(text->bytes + at, &bytes)))
            break;
        text->length = at;
        if (at % LM_TEXT_POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
    }
    return LM_OK;
}

lm_status
lm_text_strip(lm_context *ctx, lm_text *text)
{
    int bytes;

    LM_TRY(lm_text_strip_end(ctx, text));
    while (text->length > 0 && lm_is_space(lm_utf8_decode(text->bytes, &bytes))) {
        text->bytes += bytes;
        text->length -= (size_t)bytes;
        if (text->length % LM_TEXT_POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
    }
    return LM_OK;
}

bool
lm_text_in_set(const char *name, uint32_t c)
{
    const lm_unicode_set *set = lm_unicode_set_find(name);
    const uint32_t *bounds = lm_unicode_set_bounds + set->first;
    size_t low = 0, high = set->count / 2, ranges = high;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (c > bounds[2 * middle + 1])
            low = middle + 1;
        else
            high = middle;
    }
    return low < ranges && c >= bounds[2 * low];
}

lm_status
lm_text_next_word(lm_context *ctx, lm_text text, size_t *at, lm_text *word)
{
    unsigned seen = 0;

    *word = (lm_text){text.bytes + *at, 0};
    while (*at < text.length) {
        int bytes;
        bool space = lm_is_space(lm_utf8_decode(text.bytes + *at, &bytes));

        if (++seen % LM_TEXT_POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
        if (space && word->length > 0)
            break;
        *at += (size_t)bytes;
        if (space)
            word->bytes = text.bytes + *at;
        else
            word->length += (size_t)bytes;
    }
    return LM_OK;
}

lm_status
lm_tokens_push(lm_context *ctx, lm_tokens *tokens, uint32_t id)
{
    if (tokens->count == tokens->room) {
        size_t room = tokens->room ? tokens->room * 2 : 16;
        uint32_t *ids = lm_realloc(ctx, tokens->ids, room * sizeof *ids);

        if (!ids)
            return LM_NO_MEMORY;
        tokens->ids = ids;
        tokens->room = room;
    }
    tokens->ids[tokens->count++] = id;
    return tokens->count % LM_TEXT_POLL_EVERY == 0 ? lm_poll(ctx) : LM_OK;
}

lm_status
lm_tokens_add(lm_tokens *tokens, lm_intern *words, const char *bytes, size_t length)
{
    uint32_t number;

    LM_TRY(lm_intern_add(words, bytes, length, &number));
    return lm_tokens_push(words->ctx, tokens, number);
}

lm_status
lm_cut_words(const void *how, lm_text text, lm_intern *words, lm_tokens *to)
{
    size_t at = 0;
    lm_text word;

    for (;;) {
        LM_TRY(lm_text_next_word(words->ctx, text, &at, &word));
        if (word.length == 0)
            return LM_OK;
        LM_TRY(lm_tokens_add(to, words, word.bytes, word.length));
    }
}

lm_status
lm_row_cut(lm_row_tokens *row, lm_context *ctx, const lm_metric_value *values, lm_cut cut,
           const void *how)
{
    return lm_row_cut_apart(row, ctx, values, cut, cut, how);
}

lm_status
lm_row_cut_apart(lm_row_tokens *row, lm_context *ctx, const lm_metric_value *values, lm_cut cut,
                 lm_cut cut_reference, const void *how)
{
    lm_text hypothesis = {values[0].bytes, values[0].length};

    memset(row, 0, sizeof *row);
    lm_intern_init(&row->words, ctx, "words");
    row->texts = lm_alloc_array(ctx, values[1].count + 1, sizeof *row->texts);
    if (!row->texts)
        return LM_NO_MEMORY;
    row->count = values[1].count + 1;
    memset(row->texts, 0, row->count * sizeof *row->texts);
    LM_TRY(cut(how, hypothesis, &row->words, &row->texts[0]));
    for (size_t i = 1; i < row->count; i++) {
        LM_TRY(lm_poll(ctx));
        LM_TRY(cut_reference(how, values[1].texts[i - 1], &row->words, &row->texts[i]));
    }
    return LM_OK;
}

void
lm_row_free(lm_row_tokens *row)
{
    lm_context *ctx = row->words.ctx;

    for (size_t i = 0; i < row->count; i++)
        lm_free(ctx, row->texts[i].ids);
    lm_free(ctx, row->texts);
    lm_intern_free(&row->words);
}
