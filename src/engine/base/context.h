/*
 * context.h - what every engine call carries: allocator, cancel callback, error record.
 *
 * The allocator returns NULL when memory is short and never throws, so that no longjmp crosses
 * engine frames. The cancel callback is polled between units of work of at most about 20 ms.
 */
#ifndef LM_CONTEXT_H
#define LM_CONTEXT_H

#include <stdarg.h>

#include "base/status.h"

typedef struct lm_context {
    void *(*alloc)(void *opaque, size_t size); /* 16-byte aligned or better; NULL: no memory */
    void *(*realloc)(void *opaque, void *pointer, size_t size);    /* pointer is never NULL */
    void (*free)(void *opaque, void *pointer);                     /* pointer is never NULL */
    void *(*keep)(void *opaque, void *pointer, size_t size);       /* as lm_keep; NULL: realloc */
    bool (*cancelled)(void *opaque);                               /* may be NULL */
    void (*progress)(void *opaque, uint64_t done, uint64_t total); /* may be NULL; must not throw */
    void *opaque;
    lm_error error;
} lm_context;

/* A context over malloc, without cancel: for tests, tools and benchmarks. */
void lm_context_init(lm_context *ctx);

/*
 * Record a failure and return its status, so that a caller writes
 * `return lm_raise(ctx, LM_BAD_MODEL, "…")`. Clears the rest of the record; lm_detail_* add to it.
 */
lm_status lm_raise(lm_context *ctx, lm_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* Add detail to the failure just raised. Each returns the recorded status. */
lm_status lm_detail_file(lm_context *ctx, const char *file);
lm_status lm_detail_key(lm_context *ctx, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));
lm_status lm_detail_found(lm_context *ctx, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));
lm_status lm_detail_allowed(lm_context *ctx, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));
lm_status lm_detail_hint(lm_context *ctx, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));
lm_status lm_detail_offset(lm_context *ctx, uint64_t offset);

/* Write a field of fixed size; text that is too long is cut, at the start of a character. */
void lm_format(char *field, size_t size, const char *format, va_list args);
void lm_copy_text(char *field, size_t size, const char *text);

/* Allocate; on failure the error is recorded and NULL returned (the caller returns LM_NO_MEMORY).
 */
void *lm_alloc(lm_context *ctx, size_t size);
void *lm_alloc_zero(lm_context *ctx, size_t size);
/* count × size with a checked product. */
void *lm_alloc_array(lm_context *ctx, size_t count, size_t size);
/* pointer may be NULL. On failure the old block stays valid and is not freed. */
void *lm_realloc(lm_context *ctx, void *pointer, size_t size);
void lm_free(lm_context *ctx, void *pointer); /* pointer may be NULL */

/*
 * lm_realloc for what is kept of many rows: where a caller allows only so much of it in memory, the
 * block lies in a file that is mapped. Freed by lm_free.
 */
void *lm_keep(lm_context *ctx, void *pointer, size_t size);
/* A new one of count × size with a checked product. */
void *lm_keep_array(lm_context *ctx, size_t count, size_t size);

/* LM_CANCELLED, recorded, when the caller asked to stop; else LM_OK. */
lm_status lm_poll(lm_context *ctx);

/* Tell the caller how far a long call is, in what its header says it counts. */
void lm_progress(lm_context *ctx, uint64_t done, uint64_t total);

#endif
