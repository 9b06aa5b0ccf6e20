/*
 * run.c - growing arrays of a run: encodings, characters, ranges. All grow by doubling and are kept
 * from text to text.
 */
#include "token/run.h"

#include <string.h>

#include "base/utf8.h"

void
lm_encoding_init(lm_encoding *encoding, lm_context *ctx)
{
    memset(encoding, 0, sizeof *encoding);
    encoding->ctx = ctx;
}

void
lm_encoding_free(lm_encoding *encoding)
{
    lm_context *ctx = encoding->ctx;

    lm_free(ctx, encoding->ids);
    lm_free(ctx, encoding->type_ids);
    lm_free(ctx, encoding->start);
    lm_free(ctx, encoding->stop);
    lm_free(ctx, encoding->special);
    lm_encoding_init(encoding, ctx);
}

/* At least `need`, and twice what there is. */
static size_t
next_capacity(size_t capacity, size_t need)
{
    size_t doubled = capacity < SIZE_MAX / 64 ? 2 * capacity : need;

    if (doubled < 64)
        doubled = 64;
    return doubled > need ? doubled : need;
}

/* Grow one array to capacity elements. */
#define GROW_ARRAY(ctx, array, capacity)                                \
    do {                                                                \
        size_t grow_bytes;                                              \
        void *grow_to;                                                  \
                                                                        \
        if (lm_mul_overflows(capacity, sizeof(array)[0], &grow_bytes))  \
            return lm_raise(ctx, LM_TOO_LARGE, "the text is too long"); \
        grow_to = lm_realloc(ctx, array, grow_bytes);                   \
        if (!grow_to)                                                   \
            return LM_NO_MEMORY;                                        \
        (array) = grow_to;                                              \
    } while (0)

/* The arrays grow together; capacity is set when all have grown. */
lm_status
lm_encoding_reserve(lm_encoding *encoding, size_t need)
{
    size_t capacity;

    if (need <= encoding->capacity)
        return LM_OK;
    capacity = next_capacity(encoding->capacity, need);
    GROW_ARRAY(encoding->ctx, encoding->ids, capacity);
    GROW_ARRAY(encoding->ctx, encoding->type_ids, capacity);
    GROW_ARRAY(encoding->ctx, encoding->start, capacity);
    GROW_ARRAY(encoding->ctx, encoding->stop, capacity);
    GROW_ARRAY(encoding->ctx, encoding->special, capacity);
    encoding->capacity = capacity;
    return LM_OK;
}

/* Characters and places grow together. */
lm_status
lm_chars_reserve(lm_context *ctx, lm_chars *chars, size_t need)
{
    size_t capacity;

    if (need <= chars->capacity)
        return LM_OK;
    capacity = next_capacity(chars->capacity, need);
    GROW_ARRAY(ctx, chars->c, capacity);
    GROW_ARRAY(ctx, chars->at, capacity);
    chars->capacity = capacity;
    return LM_OK;
}

/* Growing is the rare case, and a good place to look for a cancel. */
lm_status
lm_ranges_add(lm_context *ctx, lm_ranges *ranges, size_t start, size_t stop)
{
    if (ranges->count == ranges->capacity) {
        size_t capacity = next_capacity(ranges->capacity, ranges->count + 1);

        GROW_ARRAY(ctx, ranges->items, capacity);
        ranges->capacity = capacity;
        LM_TRY(lm_poll(ctx));
    }
    ranges->items[ranges->count++] = (lm_range){start, stop};
    return LM_OK;
}

/* A character takes at least a byte: that is all the room that is needed. */
lm_status
lm_chars_decode(lm_context *ctx, lm_chars *to, const char *text, size_t length, int32_t first)
{
    to->count = 0;
    LM_TRY(lm_chars_reserve(ctx, to, length));
    for (size_t at = 0; at < length;) {
        int bytes;

        to->c[to->count] = lm_utf8_decode(text + at, &bytes);
        to->at[to->count] = first + (int32_t)to->count;
        LM_TRY(lm_run_poll(ctx, to->count));
        to->count++;
        at += (size_t)bytes;
    }
    return LM_OK;
}

/* A character takes at most four bytes. */
lm_status
lm_chars_encode(lm_context *ctx, const lm_chars *from, lm_buffer *to)
{
    size_t bytes;

    to->size = 0;
    if (lm_mul_overflows(from->count, 4, &bytes))
        return lm_raise(ctx, LM_TOO_LARGE, "the text is too long");
    LM_TRY(lm_buffer_reserve(to, bytes));
    for (size_t i = 0; i < from->count; i++) {
        LM_TRY(lm_run_poll(ctx, i));
        to->size += (size_t)lm_utf8_encode(from->c[i], to->data + to->size);
    }
    return LM_OK;
}

/* All is empty at first and grows with the texts. */
lm_status
lm_token_scratch_create(lm_context *ctx, lm_token_scratch **scratch)
{
    lm_token_scratch *made = lm_alloc_zero(ctx, sizeof *made);

    if (!made)
        return LM_NO_MEMORY;
    made->ctx = ctx;
    lm_buffer_init(&made->utf8, ctx);
    lm_buffer_init(&made->at, ctx);
    lm_encoding_init(&made->a, ctx);
    lm_encoding_init(&made->b, ctx);
    *scratch = made;
    return LM_OK;
}

static void
free_chars(lm_context *ctx, lm_chars *chars)
{
    lm_free(ctx, chars->c);
    lm_free(ctx, chars->at);
}

void
lm_token_scratch_free(lm_token_scratch *scratch)
{
    lm_context *ctx;

    if (!scratch)
        return;
    ctx = scratch->ctx;
    free_chars(ctx, &scratch->chars);
    free_chars(ctx, &scratch->spare);
    lm_free(ctx, scratch->words.items);
    lm_free(ctx, scratch->spare_words.items);
    lm_buffer_free(&scratch->utf8);
    lm_buffer_free(&scratch->at);
    lm_encoding_free(&scratch->a);
    lm_encoding_free(&scratch->b);
    lm_free(ctx, scratch);
}
