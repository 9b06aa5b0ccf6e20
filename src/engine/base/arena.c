/*
 * arena.c - blocks of doubling size, newest first; an object never spans two.
 */
#include "base/arena.h"

#include <string.h>

#include "base/size.h"

#define FIRST_BLOCK ((size_t)8192)
#define LARGEST_BLOCK ((size_t)4 << 20)

struct lm_arena_block {
    struct lm_arena_block *older;
    size_t size; /* bytes of data */
    _Alignas(16) char data[];
};

void
lm_arena_init(lm_arena *arena, lm_context *ctx)
{
    memset(arena, 0, sizeof *arena);
    arena->ctx = ctx;
    arena->first = FIRST_BLOCK;
}

/* A new newest block with room for size bytes. */
static lm_status
add_block(lm_arena *arena, size_t size)
{
    size_t room = arena->blocks ? arena->blocks->size * 2 : arena->first;
    size_t bytes;
    struct lm_arena_block *block;

    if (room > LARGEST_BLOCK)
        room = LARGEST_BLOCK;
    if (room < size)
        room = size;
    if (lm_add_overflows(room, sizeof *block, &bytes))
        return lm_raise(arena->ctx, LM_NO_MEMORY, "out of memory");
    block = lm_alloc(arena->ctx, bytes);
    if (!block)
        return LM_NO_MEMORY;
    block->older = arena->blocks;
    block->size = room;
    arena->blocks = block;
    arena->used = 0;
    arena->total += bytes;
    return LM_OK;
}

void *
lm_arena_alloc(lm_arena *arena, size_t size)
{
    size_t rounded;
    void *pointer;

    if (lm_add_overflows(size, 15, &rounded)) {
        lm_raise(arena->ctx, LM_NO_MEMORY, "out of memory");
        return NULL;
    }
    rounded &= ~(size_t)15;
    if (!arena->blocks || arena->blocks->size - arena->used < rounded)
        if (add_block(arena, rounded) != LM_OK)
            return NULL;
    pointer = arena->blocks->data + arena->used;
    arena->used += rounded;
    return pointer;
}

void *
lm_arena_zero(lm_arena *arena, size_t size)
{
    void *pointer = lm_arena_alloc(arena, size);

    return pointer ? memset(pointer, 0, size) : NULL;
}

void *
lm_arena_array(lm_arena *arena, size_t count, size_t size)
{
    size_t bytes;

    if (lm_mul_overflows(count, size, &bytes)) {
        lm_raise(arena->ctx, LM_NO_MEMORY, "out of memory");
        return NULL;
    }
    return lm_arena_alloc(arena, bytes);
}

char *
lm_arena_copy(lm_arena *arena, const char *bytes, size_t length)
{
    size_t room;
    char *copy;

    if (lm_add_overflows(length, 1, &room)) {
        lm_raise(arena->ctx, LM_NO_MEMORY, "out of memory");
        return NULL;
    }
    copy = lm_arena_alloc(arena, room);
    if (copy) {
        if (length > 0)
            memcpy(copy, bytes, length);
        copy[length] = '\0';
    }
    return copy;
}

void
lm_arena_free(lm_arena *arena)
{
    struct lm_arena_block *block = arena->blocks;

    while (block) {
        struct lm_arena_block *older = block->older;

        lm_free(arena->ctx, block);
        block = older;
    }
    lm_arena_init(arena, arena->ctx);
}

lm_status
lm_arena_tell(lm_context *ctx, const lm_arena *arena, lm_status status)
{
    if (status == LM_NO_MEMORY && arena->ctx->error.status == LM_NO_MEMORY)
        ctx->error = arena->ctx->error;
    return status;
}
