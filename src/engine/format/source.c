/*
 * source.c - what every source shares: names, and reading a small file whole.
 */
#include "format/source.h"

#include <string.h>

#include "base/size.h"
#include "base/utf8.h"

/* Longest name of a file of a model: it is also a key of the model's table and fits a message. */
#define LONGEST_NAME ((size_t)255)

/* Bytes between two polls of cancel. */
#define PIECE ((size_t)1 << 20)

/* Refuse a name; `name` is empty in the message where it could not be printed. */
static lm_status
refuse_name(lm_context *ctx, const char *name, const char *allowed)
{
    lm_raise(ctx, LM_DENIED, "file name is not allowed");
    lm_detail_found(ctx, "\"%s\"", name);
    return lm_detail_allowed(ctx, "%s", allowed);
}

/* A component between slashes: not empty, not "." and not "..". */
static bool
component_is_plain(const char *component, size_t length)
{
    return length > 2 || (length == 2 && memcmp(component, "..", 2) != 0) ||
           (length == 1 && component[0] != '.');
}

/* Length first, so that nothing else runs over a name of a megabyte; then bytes, then components.
 */
lm_status
lm_source_check_name(lm_context *ctx, const char *name)
{
    size_t length = strlen(name);
    const char *component = name;

    if (length > LONGEST_NAME)
        return refuse_name(ctx, "", "a name of at most 255 bytes");
    if (lm_utf8_valid_prefix(name, length) != length)
        return refuse_name(ctx, "", "a name in UTF-8");
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return refuse_name(ctx, "", "a name without control characters");
    for (;;) {
        size_t span = strcspn(component, "/");

        if (!component_is_plain(component, span))
            return refuse_name(ctx, name, "a relative name without empty, \".\" and \"..\" parts");
        if (component[span] == '\0')
            return LM_OK;
        component += span + 1;
    }
}

lm_status
lm_source_join(lm_context *ctx, lm_arena *arena, const char *folder, const char *name,
               const char **joined)
{
    size_t before = strlen(folder), length = strlen(name);
    char *path;

    *joined = name;
    if (before == 0)
        return LM_OK;
    path = lm_arena_alloc(arena, before + 1 + length + 1);
    if (!path)
        return LM_NO_MEMORY;
    memcpy(path, folder, before);
    path[before] = '/';
    memcpy(path + before + 1, name, length + 1);
    *joined = path;
    return lm_source_check_name(ctx, path);
}

/* Read a file front to back with polls between. */
static lm_status
read_pieces(lm_context *ctx, const lm_source *source, const char *name, char *dest, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t piece = size - at < PIECE ? size - at : PIECE;

        LM_TRY(lm_poll(ctx));
        LM_TRY(source->read(ctx, source->opaque, name, at, dest + at, piece));
        at += piece;
    }
    return LM_OK;
}

/* The size is checked against the limit before anything is allocated by it. */
lm_status
lm_source_slurp(lm_context *ctx, const lm_source *source, lm_arena *arena, const char *name,
                size_t limit, bool required, char **data, size_t *size)
{
    uint64_t bytes = 0;
    bool found = false;
    char *buffer;

    *data = NULL;
    *size = 0;
    LM_TRY(source->stat(ctx, source->opaque, name, &found, &bytes));
    if (!found && !required)
        return LM_OK;
    if (!found) {
        lm_raise(ctx, LM_NO_FILE, "a file of the model is missing");
        return lm_detail_file(ctx, name);
    }
    if (bytes > limit || bytes >= SIZE_MAX) {
        lm_raise(ctx, LM_TOO_LARGE, "a file of the model is too large");
        lm_detail_file(ctx, name);
        lm_detail_found(ctx, "%llu bytes", (unsigned long long)bytes);
        return lm_detail_allowed(ctx, "%zu bytes", limit);
    }
    buffer = lm_arena_alloc(arena, (size_t)bytes + 1);
    if (!buffer)
        return LM_NO_MEMORY;
    LM_TRY(read_pieces(ctx, source, name, buffer, (size_t)bytes));
    buffer[bytes] = '\0';
    *data = buffer;
    *size = (size_t)bytes;
    return LM_OK;
}

/* ---- One file from memory ---- */

static lm_status
with_file_stat(lm_context *ctx, void *opaque, const char *name, bool *found, uint64_t *size)
{
    const lm_source_with_file *with = opaque;

    if (strcmp(name, with->name) != 0)
        return with->below->stat(ctx, with->below->opaque, name, found, size);
    *found = with->data != NULL;
    *size = with->size;
    return LM_OK;
}

/* A reader asks only for what stat promised. */
static lm_status
with_file_read(lm_context *ctx, void *opaque, const char *name, uint64_t offset, void *dest,
               size_t length)
{
    const lm_source_with_file *with = opaque;

    if (strcmp(name, with->name) != 0)
        return with->below->read(ctx, with->below->opaque, name, offset, dest, length);
    memcpy(dest, with->data + offset, length);
    return LM_OK;
}

lm_source
lm_source_with(const lm_source_with_file *with)
{
    return (lm_source){(void *)(uintptr_t)with, with_file_stat, with_file_read};
}
