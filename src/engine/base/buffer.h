/*
 * buffer.h - a growable run of bytes: output of writers, scratch of tokenizer stages, and the
 * relocatable images that go to shared memory (offsets from the start, never pointers).
 */
#ifndef LM_BUFFER_H
#define LM_BUFFER_H

#include "base/context.h"

typedef struct lm_buffer {
    lm_context *ctx;
    char *data;
    size_t size;
    size_t capacity;
} lm_buffer;

void lm_buffer_init(lm_buffer *buffer, lm_context *ctx);
void lm_buffer_free(lm_buffer *buffer);
/* Room for `more` bytes beyond size; size is unchanged. */
lm_status lm_buffer_reserve(lm_buffer *buffer, size_t more);
lm_status lm_buffer_append(lm_buffer *buffer, const void *bytes, size_t length);
lm_status lm_buffer_append_byte(lm_buffer *buffer, char byte);
lm_status lm_buffer_append_string(lm_buffer *buffer, const char *string);
lm_status lm_buffer_printf(lm_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Append zero bytes up to a multiple of LM_ALIGNMENT. */
lm_status lm_buffer_align(lm_buffer *buffer);

#endif
