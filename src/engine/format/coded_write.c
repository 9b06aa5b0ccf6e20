/*
 * coded_write.c - a file into blocks of codes. The blocks' sizes stand before them, so all are kept
 * until the last is made.
 */
#include "format/coded.h"

#include <string.h>

#include "base/hash.h"
#include "format/coded_parts.h"
#include "format/huffman.h"

typedef struct writer {
    lm_context *ctx;
    const lm_source *source;
    const char *name;
    uint64_t at;
    lm_buffer head, sizes, blocks;
    unsigned char room[LM_CODED_BLOCK];
} writer;

/* Little-endian. */
static lm_status
append_number(lm_buffer *out, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        LM_TRY(lm_buffer_append_byte(out, (char)(number >> 8 * i)));
    return LM_OK;
}

static lm_status
write_block(writer *w, const lm_coded_part *part, size_t size)
{
    const size_t before = w->blocks.size;

    LM_TRY(lm_poll(w->ctx));
    LM_TRY(w->source->read(w->ctx, w->source->opaque, w->name, w->at, w->room, size));
    w->at += size;
    if (part->change)
        part->change(w->room, size);
    for (size_t plane = 0; plane < part->stride; plane++)
        LM_TRY(lm_huffman_encode(&w->blocks, w->room + plane, size / part->stride, part->stride));
    LM_TRY(append_number(&w->sizes, w->blocks.size - before, 4));
    return append_number(&w->sizes, lm_hash_bytes(w->room, size, 0), 4);
}

static lm_status
write_part(writer *w, const lm_coded_part *part)
{
    LM_TRY(append_number(&w->head, part->bytes, 8));
    LM_TRY(append_number(&w->head, part->stride, 8));
    if (part->stride == 0) {
        w->at += part->bytes;
        return LM_OK;
    }
    for (uint64_t left = part->bytes; left > 0;) {
        const size_t size = left < LM_CODED_BLOCK ? (size_t)left : LM_CODED_BLOCK;

        LM_TRY(write_block(w, part, size));
        left -= size;
    }
    return LM_OK;
}

static lm_status
write_all(writer *w, const lm_coded_part *parts, size_t count, lm_buffer *out)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += parts[i].bytes;
    LM_TRY(lm_buffer_append(&w->head, LM_CODED_MAGIC, 8));
    LM_TRY(append_number(&w->head, bytes, 8));
    LM_TRY(append_number(&w->head, count, 8));
    for (size_t i = 0; i < count; i++)
        LM_TRY(write_part(w, &parts[i]));
    LM_TRY(lm_buffer_append(out, w->head.data, w->head.size));
    LM_TRY(lm_buffer_append(out, w->sizes.data, w->sizes.size));
    return lm_buffer_append(out, w->blocks.data, w->blocks.size);
}

lm_status
lm_coded_write(lm_context *ctx, const lm_source *source, const char *name,
               const lm_coded_part *parts, size_t count, lm_buffer *out)
{
    writer *w = lm_alloc(ctx, sizeof *w);
    lm_status status;

    if (!w)
        return LM_NO_MEMORY;
    w->ctx = ctx;
    w->source = source;
    w->name = name;
    w->at = 0;
    lm_buffer_init(&w->head, ctx);
    lm_buffer_init(&w->sizes, ctx);
    lm_buffer_init(&w->blocks, ctx);
    status = write_all(w, parts, count, out);
    lm_buffer_free(&w->head);
    lm_buffer_free(&w->sizes);
    lm_buffer_free(&w->blocks);
    lm_free(ctx, w);
    return status;
}
