/*
 * shared_bytes.h - pieces of a shared training's bytes (shared.h). They never leave the server's
 * memory and are read by the library that wrote them, so structs are copied as they are; sizes are
 * checked all the same.
 */
#ifndef LM_TRAIN_SHARED_BYTES_H
#define LM_TRAIN_SHARED_BYTES_H

#include "base/arena.h"
#include "base/buffer.h"

/* LM_UNSUPPORTED: the option `key` does not go with workers. */
lm_status lm_shared_refuse(lm_context *ctx, const char *key);

typedef struct lm_shared_reader {
    lm_context *ctx;
    const char *at;
    size_t left;
} lm_shared_reader;

lm_status lm_shared_damaged(lm_context *ctx);
lm_status lm_shared_take(lm_shared_reader *r, void *to, size_t count, size_t size);
/* An array of its own, freed as the other process's is; *array is a pointer to items. */
lm_status lm_shared_take_array(lm_shared_reader *r, void *array, size_t count, size_t size);
lm_status lm_shared_take_string(lm_shared_reader *r, lm_arena *arena, const char **string);
lm_status lm_shared_put_array(lm_buffer *bytes, const void *items, size_t count, size_t size);
lm_status lm_shared_put_string(lm_buffer *bytes, const char *string);

#endif
