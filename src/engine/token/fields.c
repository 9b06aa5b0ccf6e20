/*
 * fields.c - typed access to members of tokenizer.json.
 */
#include "token/fields.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define FILE_NAME "tokenizer.json"

/* A scalar that was found is quoted; of other values the type is named. */
lm_status
lm_field_wrong(lm_context *ctx, lm_field field, const char *key, const lm_json *found,
               const char *allowed)
{
    lm_raise(ctx, LM_BAD_MODEL, "malformed tokenizer");
    lm_detail_file(ctx, FILE_NAME);
    lm_detail_key(ctx, "%s%s%s", field.path, field.path[0] && key[0] ? "." : "", key);
    lm_detail_found(ctx, "%s", found ? lm_json_type_name(found) : "nothing");
    if (found && found->type == LM_JSON_STRING)
        lm_detail_found(ctx, "\"%s\"", found->as.string.bytes);
    if (found && found->type == LM_JSON_NUMBER && found->is_integer)
        lm_detail_found(ctx, "%lld", (long long)found->integer);
    return lm_detail_allowed(ctx, "%s", allowed);
}

lm_status
lm_field_unsupported(lm_context *ctx, lm_field field, const char *key, const char *found,
                     const char *allowed)
{
    lm_raise(ctx, LM_UNSUPPORTED, "a setting of this tokenizer is not supported");
    lm_detail_file(ctx, FILE_NAME);
    lm_detail_key(ctx, "%s.%s", field.path, key);
    lm_detail_found(ctx, "%s", found);
    return lm_detail_allowed(ctx, "%s", allowed);
}

lm_status
lm_field_optional_bool(lm_context *ctx, lm_field field, const char *key, bool *given, bool *value)
{
    const lm_json *json = lm_json_get(field.object, key);

    *given = json && json->type == LM_JSON_BOOL;
    if (*given)
        *value = json->boolean;
    else if (json && json->type != LM_JSON_NULL)
        return lm_field_wrong(ctx, field, key, json, "true, false or null");
    return LM_OK;
}

lm_status
lm_field_bool(lm_context *ctx, lm_field field, const char *key, bool fallback, bool *value)
{
    bool given;

    *value = fallback;
    return lm_field_optional_bool(ctx, field, key, &given, value);
}

lm_status
lm_field_required_bool(lm_context *ctx, lm_field field, const char *key, bool *value)
{
    bool given;

    LM_TRY(lm_field_optional_bool(ctx, field, key, &given, value));
    if (given)
        return LM_OK;
    return lm_field_wrong(ctx, field, key, lm_json_get(field.object, key), "true or false");
}

/* A number with a fraction or an exponent is not an integer, even 1.0. */
lm_status
lm_field_integer(lm_context *ctx, lm_field field, const char *key, int64_t low, int64_t high,
                 int64_t fallback, int64_t *value)
{
    const lm_json *json = lm_json_get(field.object, key);
    char allowed[80];

    *value = fallback;
    if (!json)
        return LM_OK;
    if (json->type == LM_JSON_NUMBER && json->is_integer && json->integer >= low &&
        json->integer <= high) {
        *value = json->integer;
        return LM_OK;
    }
    snprintf(allowed, sizeof allowed, "an integer from %lld to %lld", (long long)low,
             (long long)high);
    return lm_field_wrong(ctx, field, key, json, allowed);
}

lm_status
lm_field_string(lm_context *ctx, lm_field field, const char *key, const lm_json **value)
{
    *value = lm_json_get(field.object, key);
    if (*value && (*value)->type == LM_JSON_STRING)
        return LM_OK;
    return lm_field_wrong(ctx, field, key, *value, "a string");
}

lm_status
lm_field_char(lm_context *ctx, lm_field field, const char *key, const lm_json **value)
{
    LM_TRY(lm_field_string(ctx, field, key, value));
    if (lm_utf8_count((*value)->as.string.bytes, (*value)->as.string.length) == 1)
        return LM_OK;
    return lm_field_wrong(ctx, field, key, *value, "one character");
}

lm_status
lm_field_items(lm_context *ctx, lm_field field, const char *key, lm_json_type type,
               const lm_json **value)
{
    *value = lm_json_get(field.object, key);
    if (*value && (*value)->type == type)
        return LM_OK;
    return lm_field_wrong(ctx, field, key, *value,
                          type == LM_JSON_ARRAY ? "an array" : "an object");
}

lm_status
lm_field_type(lm_context *ctx, lm_field field, const lm_json **type)
{
    if (field.object->type != LM_JSON_OBJECT)
        return lm_field_wrong(ctx, field, "", field.object, "an object or null");
    return lm_field_string(ctx, field, "type", type);
}

lm_status
lm_field_many_steps(lm_context *ctx, const char *stage, int limit)
{
    lm_raise(ctx, LM_TOO_LARGE, "the %s has too many steps", stage);
    lm_detail_file(ctx, FILE_NAME);
    lm_detail_key(ctx, "%s", stage);
    return lm_detail_allowed(ctx, "%d", limit);
}

/* The allowed names are cut where the record is full. */
lm_status
lm_field_no_stage(lm_context *ctx, const char *stage, const char *type, const char *const *first,
                  size_t stride, size_t count)
{
    char allowed[160] = "";
    size_t used = 0;

    for (size_t i = 0; i < count && used < sizeof allowed; i++) {
        const char *name = *(const char *const *)(const void *)((const char *)first + i * stride);

        if (name)
            used += (size_t)snprintf(allowed + used, sizeof allowed - used, "%s%s",
                                     used ? ", " : "", name);
    }
    lm_raise(ctx, LM_UNSUPPORTED, "%s \"%s\" of this tokenizer is not supported", stage, type);
    lm_detail_file(ctx, FILE_NAME);
    lm_detail_key(ctx, "%s.type", stage);
    lm_detail_found(ctx, "%s", type);
    return lm_detail_allowed(ctx, "%s", allowed);
}
