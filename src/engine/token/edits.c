/*
 * edits.c - normalizers that put other text into a text: Replace, Prepend, Strip, Nmt, ByteLevel.
 *
 * What replaces a pattern takes the place of the pattern's last character, what is put in front
 * takes that of the first one, as in the reference.
 */
#include "token/normalize.h"

#include "base/unicode.h"
#include "base/utf8.h"
#include "token/byte_level.h"

/* Characters of `from`, each with its place. */
static lm_status
copy(lm_context *ctx, const lm_chars *from, size_t start, size_t stop, lm_chars *to)
{
    LM_TRY(lm_chars_reserve(ctx, to, to->count + stop - start));
    for (size_t i = start; i < stop; i++) {
        LM_TRY(lm_poll_step(ctx, i));
        lm_chars_put(to, from->c[i], from->at[i]);
    }
    return LM_OK;
}

/* Characters that all take one place. */
static lm_status
put_all(lm_context *ctx, const uint32_t *c, size_t count, int32_t at, lm_chars *to)
{
    LM_TRY(lm_chars_reserve(ctx, to, to->count + count));
    for (size_t i = 0; i < count; i++)
        lm_chars_put(to, c[i], at);
    return LM_OK;
}

static bool
stands_at(const lm_chars *text, size_t at, const uint32_t *pattern, size_t count)
{
    size_t i = 0;

    while (i < count && at + i < text->count && text->c[at + i] == pattern[i])
        i++;
    return i == count;
}

/* Arguments: the length of the pattern, the pattern, the content. From left to right, once. */
lm_status
lm_normalize_replace(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                     const lm_chars *from, lm_chars *to)
{
    const uint32_t *args = lm_image_at(image, op->args), *pattern = args + 1;
    size_t length = args[0], steps = 0;

    for (size_t i = 0; i < from->count; steps++) {
        LM_TRY(lm_poll_step(ctx, steps));
        if (stands_at(from, i, pattern, length)) {
            i += length;
            LM_TRY(
                put_all(ctx, pattern + length, op->args.count - 1 - length, from->at[i - 1], to));
        } else {
            LM_TRY(put_all(ctx, &from->c[i], 1, from->at[i], to));
            i++;
        }
    }
    return LM_OK;
}

/* An empty text stays empty. */
lm_status
lm_normalize_prepend(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                     const lm_chars *from, lm_chars *to)
{
    if (from->count > 0)
        LM_TRY(put_all(ctx, lm_image_at(image, op->args), op->args.count, from->at[0], to));
    return copy(ctx, from, 0, from->count, to);
}

lm_status
lm_normalize_strip(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                   const lm_chars *from, lm_chars *to)
{
    size_t start = 0, stop = from->count;

    while (op->flags & LM_STRIP_LEFT && start < stop &&
           lm_unicode_flags(from->c[start]) & LM_UNICODE_SPACE)
        LM_TRY(lm_poll_step(ctx, start++));
    while (op->flags & LM_STRIP_RIGHT && stop > start &&
           lm_unicode_flags(from->c[stop - 1]) & LM_UNICODE_SPACE)
        LM_TRY(lm_poll_step(ctx, stop--));
    return copy(ctx, from, start, stop, to);
}

/* What SentencePiece's rule takes away, and what it makes a space of. */
static const struct {
    uint32_t first, last;
    bool space;
} nmt_rules[] = {
    {0x01, 0x08, false},    {0x09, 0x0a, true},     {0x0b, 0x0b, false},    {0x0c, 0x0d, true},
    {0x0e, 0x1f, false},    {0x7f, 0x7f, false},    {0x8f, 0x8f, false},    {0x9f, 0x9f, false},
    {0x1680, 0x1680, true}, {0x200b, 0x200f, true}, {0x2028, 0x2029, true}, {0x2581, 0x2581, true},
    {0xfeff, 0xfeff, true}, {0xfffd, 0xfffd, true},
};

lm_status
lm_normalize_nmt(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                 const lm_chars *from, lm_chars *to)
{
    const size_t rules = sizeof nmt_rules / sizeof nmt_rules[0];

    for (size_t i = 0; i < from->count; i++) {
        size_t rule = 0;

        LM_TRY(lm_poll_step(ctx, i));
        while (rule < rules && from->c[i] > nmt_rules[rule].last)
            rule++;
        if (rule == rules || from->c[i] < nmt_rules[rule].first)
            lm_chars_put(to, from->c[i], from->at[i]);
        else if (nmt_rules[rule].space)
            lm_chars_put(to, ' ', from->at[i]);
    }
    return LM_OK;
}

lm_status
lm_normalize_byte_level(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                        const lm_chars *from, lm_chars *to)
{
    return lm_byte_level_put(ctx, from, 0, from->count, to);
}
