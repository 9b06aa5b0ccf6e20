/*
 * decode_bytes.c - decoders of tokens that stand for bytes: those of a byte-level alphabet, and
 * those that are written like <0x0A>.
 */
#include "token/decode.h"

#include <string.h>

#include "base/utf8.h"
#include "token/byte_level.h"
#include "token/texts.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Second bytes that a lead byte allows: all but those of overlong forms and surrogates. */
static void
second_range(unsigned char lead, unsigned char *low, unsigned char *high)
{
    *low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    *high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
}

/*
 * How many bytes at `s` are one character, or, where *valid is false, are the beginning of one that
 * does not go on (Unicode 3.9, U+FFFD Substitution of Maximal Subparts).
 */
static size_t
sequence_length(const unsigned char *s, size_t left, bool *valid)
{
    size_t wanted = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4, length = 1;
    unsigned char low, high;

    *valid = false;
    if ((s[0] >= 0x80 && s[0] < 0xc2) || s[0] > 0xf4)
        return 1;
    second_range(s[0], &low, &high);
    for (; length < wanted; length++) {
        if (length == left || s[length] < low || s[length] > high)
            return length;
        low = 0x80;
        high = 0xbf;
    }
    *valid = true;
    return length;
}

/* Append bytes as UTF-8. */
static lm_status
put_utf8(lm_context *ctx, const lm_buffer *bytes, lm_buffer *to)
{
    const unsigned char *s = (const unsigned char *)bytes->data;

    for (size_t at = 0, steps = 0; at < bytes->size; steps++) {
        bool valid;
        size_t length = sequence_length(s + at, bytes->size - at, &valid);

        LM_TRY(lm_poll_step(ctx, steps));
        LM_TRY(lm_buffer_append(to, valid ? (const char *)s + at : REPLACEMENT,
                                valid ? length : strlen(REPLACEMENT)));
        at += length;
    }
    return LM_OK;
}

/* The bytes that a token stands for; one with any other character stands for itself. */
static lm_status
put_token_bytes(lm_context *ctx, const char *token, size_t length, lm_buffer *bytes)
{
    size_t start = bytes->size;

    for (size_t at = 0; at < length;) {
        int size, byte = lm_byte_level_byte(lm_utf8_decode(token + at, &size));

        LM_TRY(lm_poll_step(ctx, at));
        if (byte < 0) {
            bytes->size = start;
            return lm_buffer_append(bytes, token, length);
        }
        LM_TRY(lm_buffer_append_byte(bytes, (char)byte));
        at += (size_t)size;
    }
    return LM_OK;
}

/* A character may be spread over tokens: all become one text. */
lm_status
lm_decode_byte_level(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                     const lm_token_texts *from, lm_token_texts *to)
{
    size_t count = lm_texts_count(from), length;
    lm_status status = LM_OK;
    const char *token;
    lm_buffer bytes;

    lm_buffer_init(&bytes, ctx);
    for (size_t i = 0; i < count && status == LM_OK; i++) {
        status = lm_texts_get(ctx, from, i, &token, &length);
        if (status == LM_OK)
            status = put_token_bytes(ctx, token, length, &bytes);
    }
    if (status == LM_OK)
        status = put_utf8(ctx, &bytes, &to->bytes);
    lm_buffer_free(&bytes);
    return status == LM_OK ? lm_texts_end(to) : status;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte of <0x0A>, or -1. The reference's reader of numbers takes <0x+A>, too. */
static int
written_byte(const char *token, size_t length)
{
    int high, low;

    if (length != 6 || memcmp(token, "<0x", 3) != 0 || token[5] != '>')
        return -1;
    high = token[3] == '+' ? 0 : hex_digit(token[3]);
    low = hex_digit(token[4]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* Bytes in a row are a text, or, where they are none, as many replacement characters. */
static lm_status
flush_bytes(lm_context *ctx, lm_buffer *bytes, lm_token_texts *to)
{
    bool valid = lm_utf8_valid_prefix(bytes->data, bytes->size) == bytes->size;

    if (valid && bytes->size > 0) {
        LM_TRY(lm_buffer_append(&to->bytes, bytes->data, bytes->size));
        LM_TRY(lm_texts_end(to));
    }
    for (size_t i = 0; !valid && i < bytes->size; i++) {
        LM_TRY(lm_poll_step(ctx, i));
        LM_TRY(lm_buffer_append_string(&to->bytes, REPLACEMENT));
        LM_TRY(lm_texts_end(to));
    }
    bytes->size = 0;
    return LM_OK;
}

/* One token more: a byte waits for those that follow. */
static lm_status
take_token(lm_context *ctx, const char *token, size_t length, lm_buffer *bytes, lm_token_texts *to)
{
    int byte = written_byte(token, length);

    if (byte >= 0)
        return lm_buffer_append_byte(bytes, (char)byte);
    LM_TRY(flush_bytes(ctx, bytes, to));
    LM_TRY(lm_buffer_append(&to->bytes, token, length));
    return lm_texts_end(to);
}

lm_status
lm_decode_byte_fallback(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                        const lm_token_texts *from, lm_token_texts *to)
{
    size_t count = lm_texts_count(from), length;
    lm_status status = LM_OK;
    const char *token;
    lm_buffer bytes;

    lm_buffer_init(&bytes, ctx);
    for (size_t i = 0; i < count && status == LM_OK; i++) {
        status = lm_texts_get(ctx, from, i, &token, &length);
        if (status == LM_OK)
            status = take_token(ctx, token, length, &bytes, to);
    }
    if (status == LM_OK)
        status = flush_bytes(ctx, &bytes, to);
    lm_buffer_free(&bytes);
    return status;
}
