/*
 * encode_state.c - growing arrays of an encoding: tokens, characters, ranges. All grow by doubling
 * and are kept from text to text.
 */
#include "token/encode_state.h"

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
    lm_free(ctx, encoding->begins);
    lm_free(ctx, encoding->spared);
    lm_encoding_init(encoding, ctx);
}

size_t
lm_encoding_bytes(const lm_encoding *encoding)
{
    return encoding->capacity * (4 * sizeof(int32_t) + sizeof *encoding->special +
                                 sizeof *encoding->begins + sizeof *encoding->spared);
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
    GROW_ARRAY(encoding->ctx, encoding->begins, capacity);
    GROW_ARRAY(encoding->ctx, encoding->spared, capacity);
    encoding->capacity = capacity;
    return LM_OK;
}

#define DROP_ITEMS(array, at, dropped, left) \
    memmove((array) + (at), (array) + (at) + (dropped), (left) * sizeof *(array))

void
lm_encoding_drop(lm_encoding *encoding, size_t at, size_t count)
{
    const size_t left = encoding->count - at - count;

    DROP_ITEMS(encoding->ids, at, count, left);
    DROP_ITEMS(encoding->type_ids, at, count, left);
    DROP_ITEMS(encoding->start, at, count, left);
    DROP_ITEMS(encoding->stop, at, count, left);
    DROP_ITEMS(encoding->special, at, count, left);
    DROP_ITEMS(encoding->begins, at, count, left);
    DROP_ITEMS(encoding->spared, at, count, left);
    encoding->count = at + left;
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
        LM_TRY(lm_poll_step(ctx, to->count));
        to->count++;
        at += (size_t)bytes;
    }
    return LM_OK;
}

lm_status
lm_buffer_append_chars(lm_buffer *to, const char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        int bytes;
        uint32_t c = lm_utf8_decode(text + at, &bytes);

        LM_TRY(lm_buffer_append(to, &c, sizeof c));
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
        LM_TRY(lm_poll_step(ctx, i));
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
    lm_buffer_init(&made->word, ctx);
    lm_buffer_init(&made->symbols, ctx);
    lm_buffer_init(&made->links, ctx);
    lm_buffer_init(&made->heap, ctx);
    lm_buffer_init(&made->nodes, ctx);
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
    *chars = (lm_chars){0};
}

static void
free_ranges(lm_context *ctx, lm_ranges *ranges)
{
    lm_free(ctx, ranges->items);
    *ranges = (lm_ranges){0};
}

void
lm_token_scratch_clear(lm_token_scratch *scratch)
{
    free_chars(scratch->ctx, &scratch->chars);
    free_chars(scratch->ctx, &scratch->spare);
    free_chars(scratch->ctx, &scratch->changed);
    free_ranges(scratch->ctx, &scratch->words);
    free_ranges(scratch->ctx, &scratch->spare_words);
    lm_buffer_free(&scratch->utf8);
    lm_buffer_free(&scratch->at);
    lm_buffer_free(&scratch->word);
    lm_buffer_free(&scratch->symbols);
    lm_buffer_free(&scratch->links);
    lm_buffer_free(&scratch->heap);
    lm_buffer_free(&scratch->nodes);
    lm_word_cache_free(scratch->ctx, &scratch->cache);
    lm_word_cache_free(scratch->ctx, &scratch->texts);
    lm_encoding_free(&scratch->a);
    lm_encoding_free(&scratch->b);
}

void
lm_token_scratch_free(lm_token_scratch *scratch)
{
    if (!scratch)
        return;
    lm_token_scratch_clear(scratch);
    lm_free(scratch->ctx, scratch);
}

size_t
lm_token_scratch_bytes(const lm_token_scratch *scratch)
{
    return (scratch->chars.capacity + scratch->spare.capacity + scratch->changed.capacity) *
               (sizeof *scratch->chars.c + sizeof *scratch->chars.at) +
           (scratch->words.capacity + scratch->spare_words.capacity) * sizeof(lm_range) +
           scratch->utf8.capacity + scratch->at.capacity + scratch->word.capacity +
           scratch->symbols.capacity + scratch->links.capacity + scratch->heap.capacity +
           scratch->nodes.capacity + lm_word_cache_bytes(&scratch->cache) +
           lm_word_cache_bytes(&scratch->texts) + lm_encoding_bytes(&scratch->a) +
           lm_encoding_bytes(&scratch->b);
}
