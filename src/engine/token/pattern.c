/*
 * pattern.c - reading patterns.
 */
#include "token/pattern.h"

#include <string.h>

static const struct {
    const char *key;
    bool literal;
} forms[] = {{"String", true}, {"Regex", false}};

static lm_status
compile_form(lm_stage_compiler *c, lm_field field, const lm_json *text, bool literal,
             lm_regex *regex)
{
    lm_status status;

    if (text->type != LM_JSON_STRING || strlen(text->as.string.bytes) != text->as.string.length)
        return lm_field_wrong(c->ctx, field, "pattern", text, "a string without U+0000");
    status = lm_regex_compile(c->image, c->start, text->as.string.bytes, text->as.string.length,
                              literal, regex);
    if (status == LM_UNSUPPORTED) {
        lm_detail_file(c->ctx, "tokenizer.json");
        lm_detail_key(c->ctx, "%s.pattern", field.path);
    }
    return status;
}

lm_status
lm_pattern_compile(lm_stage_compiler *c, lm_field field, lm_regex *regex)
{
    const lm_json *pattern;

    LM_TRY(lm_field_items(c->ctx, field, "pattern", LM_JSON_OBJECT, &pattern));
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const lm_json *text = lm_json_get(pattern, forms[i].key);

        if (text && pattern->as.items.count == 1)
            return compile_form(c, field, text, forms[i].literal, regex);
    }
    return lm_field_wrong(c->ctx, field, "pattern", pattern, "a member String or Regex");
}
