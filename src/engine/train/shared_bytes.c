/*
 * shared_bytes.c - pieces of a shared training's bytes, there and back.
 */
#include "train/shared_bytes.h"

#include <string.h>

#include "base/size.h"

lm_status
lm_shared_refuse(lm_context *ctx, const char *key)
{
    lm_raise(ctx, LM_UNSUPPORTED, "option \"workers\" does not go with option \"%s\"", key);
    lm_detail_key(ctx, "workers");
    return lm_detail_hint(ctx, "Leave one of them out.");
}

lm_status
lm_shared_damaged(lm_context *ctx)
{
    return lm_raise(ctx, LM_CORRUPT, "what a worker was told of a training is damaged");
}

lm_status
lm_shared_take(lm_shared_reader *r, void *to, size_t count, size_t size)
{
    size_t bytes;

    if (lm_mul_overflows(count, size, &bytes) || bytes > r->left)
        return lm_shared_damaged(r->ctx);
    if (bytes > 0)
        memcpy(to, r->at, bytes);
    r->at += bytes;
    r->left -= bytes;
    return LM_OK;
}

lm_status
lm_shared_take_array(lm_shared_reader *r, void *array, size_t count, size_t size)
{
    void *items;

    if (count > r->left / size)
        return lm_shared_damaged(r->ctx);
    if (!(items = lm_alloc_array(r->ctx, count + 1, size)))
        return LM_NO_MEMORY;
    memcpy(array, &items, sizeof items);
    return lm_shared_take(r, items, count, size);
}

lm_status
lm_shared_take_string(lm_shared_reader *r, lm_arena *arena, const char **string)
{
    const size_t length = strnlen(r->at, r->left);

    if (length == r->left)
        return lm_shared_damaged(r->ctx);
    *string = lm_arena_copy(arena, r->at, length);
    r->at += length + 1;
    r->left -= length + 1;
    return *string ? LM_OK : LM_NO_MEMORY;
}

lm_status
lm_shared_put_array(lm_buffer *bytes, const void *items, size_t count, size_t size)
{
    return count > 0 ? lm_buffer_append(bytes, items, count * size) : LM_OK;
}

lm_status
lm_shared_put_string(lm_buffer *bytes, const char *string)
{
    return lm_buffer_append(bytes, string, strlen(string) + 1);
}
