/*
 * reader.c - files of settings, and members of the objects in them.
 */
#include "format/reader.h"

#include <limits.h>
#include <string.h>

#include "base/utf8.h"
#include "format/looks.h"

/* ---- Files ---- */

/*
 * A missing optional file and an empty one differ: the first has no settings, the second is broken
 * JSON and an error. Limits are far above what real files need and far below what could hurt.
 */

lm_status
lm_reader_exists(const lm_reader *r, const char *name, bool *found)
{
    uint64_t size;

    return r->source->stat(r->ctx, r->source->opaque, name, found, &size);
}

lm_status
lm_reader_locate(const lm_reader *r, const lm_known_file *file, lm_known_file *found)
{
    *found = *file;
    return lm_source_join(r->ctx, r->arena, r->folder, file->name, &found->name);
}

lm_status
lm_reader_json(const lm_reader *r, const lm_known_file *file, bool required, lm_json_type type,
               const lm_json **json)
{
    lm_arena text_arena;
    lm_status status;
    size_t length;
    char *text;

    *json = NULL;
    lm_arena_init(&text_arena, r->ctx);
    status = lm_source_slurp(r->ctx, r->source, &text_arena, file->name, file->limit, required,
                             &text, &length);
    if (status == LM_OK && text)
        status = lm_looks_check(r->ctx, LM_BAD_JSON, file->name, text, length);
    if (status == LM_OK && text)
        status = lm_json_parse(r->ctx, r->arena, text, length, file->name, json);
    lm_arena_free(&text_arena);
    if (status != LM_OK || !*json || (*json)->type == type)
        return status;
    lm_raise(r->ctx, LM_BAD_MODEL, "a settings file has the wrong JSON type");
    lm_detail_file(r->ctx, file->name);
    lm_detail_found(r->ctx, "%s", lm_json_type_name(*json));
    return lm_detail_allowed(r->ctx, type == LM_JSON_ARRAY ? "an array" : "an object");
}

lm_status
lm_reader_object(const lm_reader *r, const lm_known_file *file, bool required, const lm_json **json)
{
    lm_known_file found;

    LM_TRY(lm_reader_locate(r, file, &found));
    return lm_reader_json(r, &found, required, LM_JSON_OBJECT, json);
}

/* ---- Lines ---- */

/* A line of the text, without its end; *next receives where the one after it starts. */
static size_t
line_length(const char *text, size_t left, size_t *next)
{
    const char *end = memchr(text, '\n', left);
    size_t length = end ? (size_t)(end - text) : left;

    *next = end ? length + 1 : left;
    return end && length > 0 && text[length - 1] == '\r' ? length - 1 : length;
}

/* One node for each line, in the reader's arena; the text's own bytes are kept. */
static lm_status
split_lines(const lm_reader *r, const char *file, const char *text, size_t size, lm_json *array)
{
    const lm_json **link = &array->as.items.first;
    size_t next;

    for (size_t at = 0; at < size; at += next) {
        lm_json *line = lm_arena_zero(r->arena, sizeof *line);
        size_t length = line_length(text + at, size - at, &next);

        if (!line)
            return LM_NO_MEMORY;
        if (array->as.items.count++ % 4096 == 0)
            LM_TRY(lm_poll(r->ctx));
        if (array->as.items.count > LM_JSON_MAX_NODES) {
            lm_raise(r->ctx, LM_TOO_LARGE, "a file of the model has too many lines");
            return lm_detail_file(r->ctx, file);
        }
        line->type = LM_JSON_STRING;
        line->as.string.bytes = lm_arena_copy(r->arena, text + at, length);
        line->as.string.length = length;
        if (!line->as.string.bytes)
            return LM_NO_MEMORY;
        *link = line;
        link = &line->next;
    }
    return LM_OK;
}

static lm_status
check_utf8(const lm_reader *r, const char *file, const char *text, size_t size)
{
    size_t valid = lm_utf8_valid_prefix(text, size);

    if (valid == size)
        return LM_OK;
    lm_raise(r->ctx, LM_BAD_MODEL, "a text file of the model is not valid UTF-8");
    lm_detail_file(r->ctx, file);
    return lm_detail_offset(r->ctx, valid);
}

lm_status
lm_reader_lines(const lm_reader *r, const lm_known_file *file, const lm_json **lines)
{
    lm_json *array = lm_arena_zero(r->arena, sizeof *array);
    lm_known_file found;
    lm_arena text_arena;
    lm_status status;
    size_t size = 0;
    char *text = NULL;

    *lines = NULL;
    if (!array)
        return LM_NO_MEMORY;
    array->type = LM_JSON_ARRAY;
    LM_TRY(lm_reader_locate(r, file, &found));
    lm_arena_init(&text_arena, r->ctx);
    status = lm_source_slurp(r->ctx, r->source, &text_arena, found.name, found.limit, false, &text,
                             &size);
    if (status == LM_OK && text)
        status = lm_looks_check(r->ctx, LM_BAD_MODEL, found.name, text, size);
    if (status == LM_OK && text)
        status = check_utf8(r, found.name, text, size);
    if (status == LM_OK && text)
        status = split_lines(r, found.name, text, size, array);
    lm_arena_free(&text_arena);
    if (status == LM_OK && text)
        *lines = array;
    return status;
}

/* ---- Members ---- */

/*
 * JSON's null counts as absent, since Python writes None for a setting that was not given. A value
 * of another type than expected is an error: to guess would be to compute another model.
 */

lm_status
lm_members_refuse(const lm_members *s, lm_status status, const char *key, const char *allowed)
{
    const lm_json *found = lm_json_get(s->json, key);
    lm_context *ctx = s->reader->ctx;

    lm_raise(ctx, status,
             status == LM_UNSUPPORTED ? "the model needs a feature that is not supported"
                                      : "a setting of the model is not valid");
    lm_detail_file(ctx, s->file);
    lm_detail_key(ctx, "%s", key);
    if (found && found->type == LM_JSON_STRING)
        lm_detail_found(ctx, "\"%s\"", found->as.string.bytes);
    else if (found && found->type == LM_JSON_NUMBER)
        lm_detail_found(ctx, "%.17g", found->as.number);
    else
        lm_detail_found(ctx, "%s", lm_json_type_name(found));
    return lm_detail_allowed(ctx, "%s", allowed);
}

const lm_json *
lm_members_get(const lm_members *s, const char *key)
{
    const lm_json *member = lm_json_get(s->json, key);

    return member && member->type != LM_JSON_NULL ? member : NULL;
}

lm_status
lm_members_bool(const lm_members *s, const char *key, bool *value)
{
    const lm_json *member = lm_members_get(s, key);

    if (!member)
        return LM_OK;
    if (member->type != LM_JSON_BOOL)
        return lm_members_refuse(s, LM_BAD_MODEL, key, "true or false");
    *value = member->boolean;
    return LM_OK;
}

/* A count: an integer of at least 1 that fits an int. */
lm_status
lm_members_positive(const lm_members *s, const char *key, int *value)
{
    const lm_json *member = lm_members_get(s, key);

    if (!member)
        return LM_OK;
    if (member->type != LM_JSON_NUMBER || !member->is_integer || member->integer < 1 ||
        member->integer > INT_MAX)
        return lm_members_refuse(s, LM_BAD_MODEL, key, "an integer from 1 to 2147483647");
    *value = (int)member->integer;
    return LM_OK;
}

/* A member that is a string without U+0000, so that it is a C string. */
lm_status
lm_members_string_of(const lm_members *s, const lm_json *member, const char **value)
{
    if (member->type == LM_JSON_NULL)
        return LM_OK;
    if (member->type != LM_JSON_STRING ||
        strlen(member->as.string.bytes) != member->as.string.length)
        return lm_members_refuse(s, LM_BAD_MODEL, member->key, "a string without U+0000");
    *value = member->as.string.bytes;
    return LM_OK;
}

/* The same of a member by its key. */
lm_status
lm_members_string(const lm_members *s, const char *key, const char **value)
{
    const lm_json *member = lm_members_get(s, key);

    return member ? lm_members_string_of(s, member, value) : LM_OK;
}

lm_status
lm_members_expect(const lm_members *s, const char *key, const char *only)
{
    const char *value = only;

    LM_TRY(lm_members_string(s, key, &value));
    return strcmp(value, only) == 0 ? LM_OK : lm_members_refuse(s, LM_UNSUPPORTED, key, only);
}
