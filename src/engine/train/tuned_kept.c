/*
 * tuned_kept.c - files in memory as a source.
 */
#include "train/tuned_kept.h"

#include <string.h>

#include "format/coded.h"

static lm_kept_file *
find(const lm_kept *kept, const char *name)
{
    for (size_t i = 0; i < kept->count; i++)
        if (strcmp(kept->files[i].name, name) == 0)
            return &kept->files[i];
    return NULL;
}

static lm_status
stat_file(lm_context *ctx, void *opaque, const char *name, bool *found, uint64_t *size)
{
    const lm_kept_file *file = find(opaque, name);

    *found = file != NULL;
    *size = file ? file->size : 0;
    return LM_OK;
}

static lm_status
read_file(lm_context *ctx, void *opaque, const char *name, uint64_t offset, void *dest,
          size_t length)
{
    const lm_kept_file *file = find(opaque, name);

    if (!file || offset > file->bytes.size || length > file->bytes.size - offset)
        return lm_raise(ctx, LM_INTERNAL, "a file of the base was not kept");
    memcpy(dest, file->bytes.data + offset, length);
    return LM_OK;
}

#define PIECE ((size_t)1 << 20) /* read at once, between two polls */

static lm_status
keep_file(lm_kept *kept, const lm_source *source, lm_kept_file *file)
{
    bool found;
    uint64_t size;

    LM_TRY(source->stat(kept->ctx, source->opaque, file->name, &found, &size));
    if (!found || size > SIZE_MAX)
        return lm_raise(kept->ctx, LM_NO_FILE, "a file of the base is missing");
    file->size = size;
    LM_TRY(lm_buffer_reserve(&file->bytes, (size_t)size));
    while (file->bytes.size < (size_t)size) {
        const size_t left = (size_t)size - file->bytes.size, length = left < PIECE ? left : PIECE;

        LM_TRY(lm_poll(kept->ctx));
        LM_TRY(source->read(kept->ctx, source->opaque, file->name, file->bytes.size,
                            file->bytes.data + file->bytes.size, length));
        file->bytes.size += length;
    }
    return LM_OK;
}

lm_status
lm_kept_start(lm_context *ctx, lm_arena *arena, size_t most, lm_kept *kept)
{
    *kept = (lm_kept){.ctx = ctx, .source = {kept, stat_file, read_file}};
    kept->files = lm_arena_zero(arena, (most + 1) * sizeof *kept->files);
    return kept->files ? LM_OK : LM_NO_MEMORY;
}

lm_status
lm_kept_open(lm_context *ctx, lm_arena *arena, const lm_train_base *base, lm_kept *kept)
{
    const size_t count = (size_t)base->file_count;

    LM_TRY(lm_kept_start(ctx, arena, count, kept));
    for (size_t i = 0; i < count; i++) {
        lm_kept_file *file = &kept->files[kept->count];

        LM_TRY(lm_coded_refuse(ctx, base->files[i]));
        lm_buffer_init(&file->bytes, ctx);
        if (!(file->name = lm_arena_copy(arena, base->files[i], strlen(base->files[i]))))
            return LM_NO_MEMORY;
        kept->count++;
        LM_TRY(keep_file(kept, base->source, file));
    }
    return LM_OK;
}

void
lm_kept_close(lm_kept *kept)
{
    for (size_t i = 0; i < kept->count; i++)
        lm_buffer_free(&kept->files[i].bytes);
}

/* Eight bytes say how long the header is. */
static size_t
header_size(const lm_kept_file *file)
{
    uint64_t length = 0;

    if (file->bytes.size < sizeof length)
        return 0;
    for (size_t i = sizeof length; i-- > 0;)
        length = length << 8 | (unsigned char)file->bytes.data[i];
    return length < file->bytes.size - sizeof length ? sizeof length + (size_t)length
                                                     : file->bytes.size;
}

lm_status
lm_kept_drop(lm_kept *kept, const char *name)
{
    lm_kept_file *file = find(kept, name);
    lm_buffer header;

    if (!file)
        return LM_OK;
    lm_buffer_init(&header, kept->ctx);
    LM_TRY(lm_buffer_append(&header, file->bytes.data, header_size(file)));
    lm_buffer_free(&file->bytes);
    file->bytes = header;
    return LM_OK;
}
