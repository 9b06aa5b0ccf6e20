/*
 * words.c - cutting a text into words.
 */
#include "base/words.h"

#include "base/unicode.h"
#include "base/utf8.h"

#define POLL_EVERY 8192               /* characters */
#define CHECK_BYTES ((size_t)1 << 20) /* between two polls */

/* A piece may end inside a character, of which at most three bytes are left for the next. */
lm_status
lm_words_check(lm_context *ctx, lm_text text)
{
    for (size_t at = 0; at < text.length;) {
        size_t left = text.length - at, piece = left < CHECK_BYTES ? left : CHECK_BYTES;
        size_t valid = lm_utf8_valid_prefix(text.bytes + at, piece);

        at += valid;
        if (valid + 3 < piece || (valid < piece && piece == left)) {
            lm_raise(ctx, LM_BAD_TEXT, "the text is not valid UTF-8");
            return lm_detail_offset(ctx, at);
        }
        LM_TRY(lm_poll(ctx));
    }
    return LM_OK;
}

lm_status
lm_words_open(lm_words *words, lm_text text, lm_buffer *word)
{
    *words = (lm_words){.text = text, .word = word};
    return lm_words_check(word->ctx, text);
}

static lm_status
append_ascii(lm_buffer *word, uint32_t c)
{
    return lm_buffer_append_byte(word, (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c));
}

static lm_status
append_lower(lm_buffer *word, uint32_t c)
{
    uint32_t mapped[LM_UNICODE_MAX_MAPPING];
    size_t count;
    char bytes[4];

    if (c < 0x80)
        return append_ascii(word, c);
    count = lm_unicode_lower(c, mapped);
    for (size_t i = 0; i < count; i++)
        LM_TRY(lm_buffer_append(word, bytes, (size_t)lm_utf8_encode(mapped[i], bytes)));
    return LM_OK;
}

lm_status
lm_words_next(lm_words *words, bool *found)
{
    lm_buffer *word = words->word;

    word->size = 0;
    while (words->at < words->text.length) {
        int bytes;
        uint32_t c = lm_utf8_decode(words->text.bytes + words->at, &bytes);
        unsigned flags = lm_unicode_flags(c);
        bool alone = (flags & LM_UNICODE_CJK) != 0, is_word = alone || flags & LM_UNICODE_WORD;

        if (word->size > 0 && (alone || !is_word))
            break;
        words->at += (size_t)bytes;
        if (++words->seen % POLL_EVERY == 0)
            LM_TRY(lm_poll(word->ctx));
        if (is_word)
            LM_TRY(append_lower(word, c));
        if (alone)
            break;
    }
    *found = word->size > 0;
    return LM_OK;
}
