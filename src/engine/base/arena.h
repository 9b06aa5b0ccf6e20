/*
 * arena.h - a bump allocator over a context: many small objects, one release. Nothing in it is
 * freed alone. Used for parsed files and other things that live and die together.
 */
#ifndef LM_ARENA_H
#define LM_ARENA_H

#include "base/context.h"

typedef struct lm_arena {
    lm_context *ctx;
    struct lm_arena_block *blocks; /* newest first */
    size_t used;                   /* bytes taken of the newest block */
    size_t total;                  /* bytes of all blocks */
    size_t first;                  /* bytes of the first block; may be set after lm_arena_init */
} lm_arena;

void lm_arena_init(lm_arena *arena, lm_context *ctx);
/* 16-byte aligned; NULL with the error recorded when memory is short. */
void *lm_arena_alloc(lm_arena *arena, size_t size);
void *lm_arena_zero(lm_arena *arena, size_t size);
void *lm_arena_array(lm_arena *arena, size_t count, size_t size);
/* A terminated copy of length bytes. */
char *lm_arena_copy(lm_arena *arena, const char *bytes, size_t length);
void lm_arena_free(lm_arena *arena);

/*
 * The arena's context may be another than the caller's, who looks for the failure in his own: there
 * it is told too. Returns `status`.
 */
lm_status lm_arena_tell(lm_context *ctx, const lm_arena *arena, lm_status status);

#endif
