/*
 * buffer.c - growth by doubling, with checked sizes.
 */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"

void
lm_buffer_init(lm_buffer *buffer, lm_context *ctx)
{
    memset(buffer, 0, sizeof *buffer);
    buffer->ctx = ctx;
}

void
lm_buffer_free(lm_buffer *buffer)
{
    lm_free(buffer->ctx, buffer->data);
    lm_buffer_init(buffer, buffer->ctx);
}

lm_status
lm_buffer_reserve(lm_buffer *buffer, size_t more)
{
    size_t need, capacity;
    char *data;

    if (lm_add_overflows(buffer->size, more, &need))
        return lm_raise(buffer->ctx, LM_NO_MEMORY, "out of memory");
    if (need <= buffer->capacity)
        return LM_OK;
    if (lm_mul_overflows(buffer->capacity, 2, &capacity) || capacity < need)
        capacity = need;
    if (capacity < 256)
        capacity = 256;
    data = lm_realloc(buffer->ctx, buffer->data, capacity);
    if (!data)
        return LM_NO_MEMORY;
    buffer->data = data;
    buffer->capacity = capacity;
    return LM_OK;
}

lm_status
lm_buffer_append(lm_buffer *buffer, const void *bytes, size_t length)
{
    LM_TRY(lm_buffer_reserve(buffer, length));
    if (length > 0)
        memcpy(buffer->data + buffer->size, bytes, length);
    buffer->size += length;
    return LM_OK;
}

lm_status
lm_buffer_append_byte(lm_buffer *buffer, char byte)
{
    return lm_buffer_append(buffer, &byte, 1);
}

lm_status
lm_buffer_append_string(lm_buffer *buffer, const char *string)
{
    return lm_buffer_append(buffer, string, strlen(string));
}

lm_status
lm_buffer_printf(lm_buffer *buffer, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        return lm_raise(buffer->ctx, LM_INTERNAL, "could not format a number");
    LM_TRY(lm_buffer_reserve(buffer, (size_t)length + 1));
    va_start(args, format);
    vsnprintf(buffer->data + buffer->size, (size_t)length + 1, format, args);
    va_end(args);
    buffer->size += (size_t)length;
    return LM_OK;
}

lm_status
lm_buffer_align(lm_buffer *buffer)
{
    static const char zeros[LM_ALIGNMENT];

    return lm_buffer_append(buffer, zeros, lm_align_up(buffer->size) - buffer->size);
}
