/*
 * replace.c - reads {"pattern": {"String": "a"}, "content": "b"}.
 */
#include "token/replace.h"

#include <stdio.h>

/* An empty pattern stands everywhere in the library; no published tokenizer has one. */
lm_status
lm_pattern_read(lm_context *ctx, lm_field field, const char *key, const lm_json **pattern)
{
    LM_TRY(lm_field_string(ctx, field, key, pattern));
    if ((*pattern)->as.string.length == 0)
        return lm_field_unsupported(ctx, field, key, "an empty string", "a text");
    if ((*pattern)->as.string.length > LM_MAX_PATTERN)
        return lm_field_unsupported(ctx, field, key, "a longer text", "at most 512 bytes");
    return LM_OK;
}

/* Either kind of pattern is the only member of an object. */
static lm_status
read_pattern(lm_context *ctx, lm_field field, const lm_json **text)
{
    const lm_json *pattern;
    char path[80];

    snprintf(path, sizeof path, "%s.pattern", field.path);
    LM_TRY(lm_field_items(ctx, field, "pattern", LM_JSON_OBJECT, &pattern));
    if (lm_json_get(pattern, "Regex"))
        return lm_field_unsupported(ctx, field, "pattern", "Regex", "String");
    if (!lm_json_get(pattern, "String"))
        return lm_field_wrong(ctx, field, "pattern", pattern, "an object with the member String");
    return lm_pattern_read(ctx, (lm_field){pattern, path}, "String", text);
}

lm_status
lm_replace_read(lm_context *ctx, lm_field field, lm_replace *replace)
{
    LM_TRY(read_pattern(ctx, field, &replace->pattern));
    LM_TRY(lm_field_string(ctx, field, "content", &replace->content));
    if (replace->content->as.string.length > LM_MAX_PATTERN)
        return lm_field_unsupported(ctx, field, "content", "a longer text", "at most 512 bytes");
    return LM_OK;
}
