/*
 * shown.c - files that are made of a header and of runs of bytes of another file.
 */
#include "format/shown.h"

#include <string.h>

lm_shown_file *
lm_shown_find(lm_shown_file *first, const char *name)
{
    for (lm_shown_file *file = first; file; file = file->next)
        if (strcmp(file->name, name) == 0)
            return file;
    return NULL;
}

lm_status
lm_shown_stat(lm_context *ctx, const lm_source *below, const lm_shown_file *file, bool *found,
              uint64_t *size)
{
    uint64_t real_size;

    LM_TRY(below->stat(ctx, below->opaque, file->real, found, &real_size));
    *size = file->size;
    if (*found && real_size == file->real_size)
        return LM_OK;
    lm_raise(ctx, LM_IO_ERROR, "a file of the model changed while it was read");
    return lm_detail_file(ctx, file->real);
}

/* The last part that begins at `at` or before it. */
static size_t
find_part(const lm_shown_file *file, uint64_t at)
{
    size_t low = 0, high = file->part_count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        *(file->parts[middle].begin <= at ? &low : &high) = middle;
    }
    return low;
}

/* Values, from `at` behind the header on. */
static lm_status
read_parts(lm_context *ctx, const lm_source *below, const lm_shown_file *file, uint64_t at,
           char *to, size_t length)
{
    for (size_t i = find_part(file, at); length > 0; i++) {
        const lm_shown_part *part = &file->parts[i];
        uint64_t end = i + 1 < file->part_count ? part[1].begin : file->size - file->header_size;
        size_t piece = end - at < length ? (size_t)(end - at) : length;

        LM_TRY(below->read(ctx, below->opaque, file->real, part->offset + (at - part->begin), to,
                           piece));
        to += piece;
        at += piece;
        length -= piece;
    }
    return LM_OK;
}

lm_status
lm_shown_read(lm_context *ctx, const lm_source *below, const lm_shown_file *file, uint64_t offset,
              void *dest, size_t length)
{
    char *to = dest;
    size_t piece;

    if (offset > file->size || length > file->size - offset) {
        lm_raise(ctx, LM_BAD_MODEL, "a file of the model is truncated");
        return lm_detail_file(ctx, file->real);
    }
    if (offset < file->header_size) {
        piece = file->header_size - (size_t)offset;
        piece = piece < length ? piece : length;
        memcpy(to, file->header + offset, piece);
        to += piece;
        offset += piece;
        length -= piece;
    }
    return length == 0 ? LM_OK
                       : read_parts(ctx, below, file, offset - file->header_size, to, length);
}
