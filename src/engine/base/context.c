/*
 * context.c - allocation through the caller's context, and the error record.
 */
#include "base/context.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"

static void *
malloc_alloc(void *opaque, size_t size)
{
    (void)opaque;
    return malloc(size);
}

static void *
malloc_realloc(void *opaque, void *pointer, size_t size)
{
    (void)opaque;
    return realloc(pointer, size);
}

static void
malloc_free(void *opaque, void *pointer)
{
    (void)opaque;
    free(pointer);
}

void
lm_context_init(lm_context *ctx)
{
    memset(ctx, 0, sizeof *ctx);
    ctx->alloc = malloc_alloc;
    ctx->realloc = malloc_realloc;
    ctx->free = malloc_free;
}

void
lm_format(char *field, size_t size, const char *format, va_list args)
{
    int length = vsnprintf(field, size, format, args);

    if (length < 0)
        field[0] = '\0';
    else if ((size_t)length >= size) {
        size_t end = size - 1;

        while (end > 0 && ((unsigned char)field[end - 1] & 0xc0) == 0x80)
            end--;
        if (end > 0 && (unsigned char)field[end - 1] >= 0xc0)
            end--;
        field[end] = '\0';
    }
}

lm_status
lm_raise(lm_context *ctx, lm_status status, const char *format, ...)
{
    va_list args;

    memset(&ctx->error, 0, sizeof ctx->error);
    ctx->error.status = status;
    va_start(args, format);
    lm_format(ctx->error.message, sizeof ctx->error.message, format, args);
    va_end(args);
    return status;
}

static void
format_text(char *field, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    lm_format(field, size, format, args);
    va_end(args);
}

void
lm_copy_text(char *field, size_t size, const char *text)
{
    format_text(field, size, "%s", text);
}

lm_status
lm_detail_file(lm_context *ctx, const char *file)
{
    lm_copy_text(ctx->error.file, sizeof ctx->error.file, file);
    return ctx->error.status;
}

/* The formatted details differ only in the field that they fill. */
#define DEFINE_DETAIL(name, field)                                          \
    lm_status name(lm_context *ctx, const char *format, ...)                \
    {                                                                       \
        va_list args;                                                       \
                                                                            \
        va_start(args, format);                                             \
        lm_format(ctx->error.field, sizeof ctx->error.field, format, args); \
        va_end(args);                                                       \
        return ctx->error.status;                                           \
    }

DEFINE_DETAIL(lm_detail_key, key)
DEFINE_DETAIL(lm_detail_found, found)
DEFINE_DETAIL(lm_detail_allowed, allowed)
DEFINE_DETAIL(lm_detail_hint, hint)

lm_status
lm_detail_offset(lm_context *ctx, uint64_t offset)
{
    ctx->error.offset = offset;
    ctx->error.has_offset = true;
    return ctx->error.status;
}

static void *
no_memory(lm_context *ctx, size_t size)
{
    lm_raise(ctx, LM_NO_MEMORY, "out of memory");
    lm_detail_found(ctx, "a request of %zu bytes", size);
    return NULL;
}

void *
lm_alloc(lm_context *ctx, size_t size)
{
    void *pointer = ctx->alloc(ctx->opaque, size > 0 ? size : 1);

    return pointer ? pointer : no_memory(ctx, size);
}

void *
lm_alloc_zero(lm_context *ctx, size_t size)
{
    void *pointer = lm_alloc(ctx, size);

    return pointer ? memset(pointer, 0, size) : NULL;
}

void *
lm_alloc_array(lm_context *ctx, size_t count, size_t size)
{
    size_t bytes;

    if (lm_mul_overflows(count, size, &bytes))
        return no_memory(ctx, SIZE_MAX);
    return lm_alloc(ctx, bytes);
}

void *
lm_realloc(lm_context *ctx, void *pointer, size_t size)
{
    void *grown;

    if (!pointer)
        return lm_alloc(ctx, size);
    grown = ctx->realloc(ctx->opaque, pointer, size > 0 ? size : 1);
    return grown ? grown : no_memory(ctx, size);
}

void *
lm_keep(lm_context *ctx, void *pointer, size_t size)
{
    void *kept;

    if (!ctx->keep)
        return lm_realloc(ctx, pointer, size);
    kept = ctx->keep(ctx->opaque, pointer, size > 0 ? size : 1);
    return kept ? kept : no_memory(ctx, size);
}

void *
lm_keep_array(lm_context *ctx, size_t count, size_t size)
{
    size_t bytes;

    if (lm_mul_overflows(count, size, &bytes))
        return no_memory(ctx, SIZE_MAX);
    return lm_keep(ctx, NULL, bytes);
}

void
lm_free(lm_context *ctx, void *pointer)
{
    if (pointer)
        ctx->free(ctx->opaque, pointer);
}

lm_status
lm_poll(lm_context *ctx)
{
    if (ctx->cancelled && ctx->cancelled(ctx->opaque))
        return lm_raise(ctx, LM_CANCELLED, "cancelled");
    return LM_OK;
}

void
lm_progress(lm_context *ctx, uint64_t done, uint64_t total)
{
    if (ctx->progress)
        ctx->progress(ctx->opaque, done, total);
}
