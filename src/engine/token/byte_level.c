/*
 * byte_level.c - the words of GPT-2, and their bytes as characters.
 *
 * The regular expression is
 *   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 * whose matches cover a text without gaps: a contraction, a run of one kind of character with one
 * space before it, or white space, of which a run leaves its last character to what comes after.
 */
#include "token/byte_level.h"

#include "base/unicode.h"
#include "base/utf8.h"

lm_status
lm_byte_level_read(lm_context *ctx, lm_field field, unsigned *settings)
{
    bool prefix, trim, words;

    LM_TRY(lm_field_required_bool(ctx, field, "add_prefix_space", &prefix));
    LM_TRY(lm_field_required_bool(ctx, field, "trim_offsets", &trim));
    words = true;
    if (lm_json_get(field.object, "use_regex"))
        LM_TRY(lm_field_required_bool(ctx, field, "use_regex", &words));
    *settings = (prefix ? LM_BYTE_LEVEL_PREFIX : 0) | (trim ? LM_BYTE_LEVEL_TRIM : 0) |
                (words ? LM_BYTE_LEVEL_WORDS : 0);
    return LM_OK;
}

/* The space takes the place of the character before which it stands. */
lm_status
lm_prefix_space(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                const lm_chars *from, lm_range range, lm_chars *to, lm_ranges *words)
{
    size_t start = to->count;

    LM_TRY(lm_chars_reserve(ctx, to, start + range.stop - range.start + 1));
    if (from->c[range.start] != ' ')
        lm_chars_put(to, ' ', from->at[range.start]);
    for (size_t i = range.start; i < range.stop; i++) {
        LM_TRY(lm_poll_step(ctx, i));
        lm_chars_put(to, from->c[i], from->at[i]);
    }
    return lm_ranges_add(ctx, words, start, to->count);
}

/* One of four kinds: white space, letter, number, and 0 for all others. */
static unsigned
kind_of(uint32_t c)
{
    return lm_unicode_flags(c) & (LM_UNICODE_SPACE | LM_UNICODE_LETTER | LM_UNICODE_NUMBER);
}

/* Where the characters of the kind of c[i] end. */
static lm_status
run_end(lm_context *ctx, const uint32_t *c, size_t i, size_t stop, size_t *end)
{
    unsigned kind = kind_of(c[i]);

    while (++i < stop && kind_of(c[i]) == kind)
        LM_TRY(lm_poll_step(ctx, i));
    *end = i;
    return LM_OK;
}

/* The length of the contraction that starts at c[i], or 0. */
static size_t
contraction(const uint32_t *c, size_t i, size_t stop)
{
    uint32_t first = i + 1 < stop ? c[i + 1] : 0, second = i + 2 < stop ? c[i + 2] : 0;

    if (c[i] != '\'')
        return 0;
    if (first == 's' || first == 't' || first == 'm' || first == 'd')
        return 2;
    if ((second == 'e' && (first == 'r' || first == 'v')) || (second == 'l' && first == 'l'))
        return 3;
    return 0;
}

/* Where the word that starts at c[i] ends. */
static lm_status
word_end(lm_context *ctx, const uint32_t *c, size_t i, size_t stop, size_t *end)
{
    size_t length = contraction(c, i, stop);

    *end = i + length;
    if (length > 0)
        return LM_OK;
    if (c[i] == ' ' && i + 1 < stop && kind_of(c[i + 1]) != LM_UNICODE_SPACE)
        return run_end(ctx, c, i + 1, stop, end);
    LM_TRY(run_end(ctx, c, i, stop, end));
    if (kind_of(c[i]) == LM_UNICODE_SPACE && *end<stop && * end - i> 1)
        --*end;
    return LM_OK;
}

lm_status
lm_byte_level_put(lm_context *ctx, const lm_chars *from, size_t start, size_t stop, lm_chars *to)
{
    for (size_t i = start; i < stop; i++) {
        char bytes[4];
        int length = lm_utf8_encode(from->c[i], bytes);

        LM_TRY(lm_poll_step(ctx, i));
        LM_TRY(lm_chars_reserve(ctx, to, to->count + 4));
        for (int k = 0; k < length; k++)
            lm_chars_put(to, lm_byte_level_char((unsigned char)bytes[k]), from->at[i]);
    }
    return LM_OK;
}

lm_status
lm_byte_level_change(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                     const lm_chars *from, lm_range range, lm_chars *to, lm_ranges *words)
{
    for (size_t i = range.start; i < range.stop;) {
        size_t start = to->count, end = range.stop;

        if (op->flags & LM_BYTE_LEVEL_WORDS)
            LM_TRY(word_end(ctx, from->c, i, range.stop, &end));
        LM_TRY(lm_byte_level_put(ctx, from, i, end, to));
        LM_TRY(lm_ranges_add(ctx, words, start, to->count));
        i = end;
    }
    return LM_OK;
}
