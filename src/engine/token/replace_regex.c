/*
 * replace_regex.c - what a regular expression matches is replaced by a text.
 */
#include "token/replace_regex.h"

#include "base/utf8.h"
#include "token/pattern.h"

/* The argument of the operation. */
typedef struct replacement {
    lm_regex regex;
    lm_span content; /* uint32_t: characters */
} replacement;

static lm_status
append_content(lm_stage_compiler *c, const lm_json *text, lm_span *span)
{
    lm_chars chars = {0};
    lm_status status =
        lm_chars_decode(c->ctx, &chars, text->as.string.bytes, text->as.string.length, 0);

    if (status == LM_OK)
        status = lm_image_append(c->image, c->start, chars.c, chars.count, sizeof chars.c[0], span);
    lm_free(c->ctx, chars.c);
    lm_free(c->ctx, chars.at);
    return status;
}

lm_status
lm_replace_regex_compile(lm_stage_compiler *c, lm_field field, unsigned kind)
{
    replacement replace = {0};
    const lm_json *content;

    LM_TRY(lm_field_string(c->ctx, field, "content", &content));
    LM_TRY(lm_pattern_compile(c, field, &replace.regex));
    if (lm_regex_may_be_empty(&replace.regex,
                              (const lm_token_image *)(c->image->data + c->start))) {
        lm_raise(c->ctx, LM_UNSUPPORTED, "the normalizer replaces what may be nothing");
        lm_detail_file(c->ctx, "tokenizer.json");
        lm_detail_found(
            c->ctx, "%s",
            lm_json_get(lm_json_get(field.object, "pattern"), "Regex")->as.string.bytes);
        lm_detail_key(c->ctx, "%s.pattern", field.path);
        return lm_detail_allowed(c->ctx, "an expression that takes a character");
    }
    LM_TRY(append_content(c, content, &replace.content));
    return lm_stage_add_args(c, kind, 0, &replace, 1, sizeof replace);
}

static lm_status
copy_chars(lm_context *ctx, const lm_chars *from, size_t start, size_t stop, lm_chars *to)
{
    LM_TRY(lm_chars_reserve(ctx, to, to->count + (stop - start)));
    for (size_t i = start; i < stop; i++)
        lm_chars_put(to, from->c[i], from->at[i]);
    return LM_OK;
}

/* The new characters take the place of the last one that they replace. */
static lm_status
put_content(lm_context *ctx, const uint32_t *content, size_t count, int32_t at, lm_chars *to)
{
    LM_TRY(lm_chars_reserve(ctx, to, to->count + count));
    for (size_t i = 0; i < count; i++)
        lm_chars_put(to, content[i], at);
    return LM_OK;
}

static lm_status
replace_matches(lm_regex_search *search, const lm_token_image *image, const replacement *replace,
                const lm_chars *from, lm_chars *to)
{
    const uint32_t *content = lm_image_at(image, replace->content);
    size_t done = 0, start, stop;
    bool found;

    for (;;) {
        LM_TRY(lm_regex_next(search, &start, &stop, &found));
        LM_TRY(copy_chars(search->ctx, from, done, found ? start : from->count, to));
        if (!found)
            return LM_OK;
        LM_TRY(put_content(search->ctx, content, replace->content.count, from->at[stop - 1], to));
        done = stop;
    }
}

lm_status
lm_normalize_replace_regex(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                           const lm_chars *from, lm_chars *to)
{
    const replacement *replace = lm_image_at(image, op->args);
    lm_regex_search search;
    lm_status status;

    lm_regex_open_chars(&search, ctx, image, &replace->regex, from->c, from->count);
    status = replace_matches(&search, image, replace, from, to);
    lm_regex_close(&search);
    return status;
}
