/*
 * word_pieces.c - characters of a text by their places, and which tokens go on with a word.
 */
#include "task/word_pieces.h"

#include <string.h>

#include "base/utf8.h"

/* The byte of a character, from where the cursor is; back again too, which costs as little. */
static size_t
byte_of(lm_text text, size_t character, lm_tag_cursor *at)
{
    while (at->character > character) {
        do
            at->byte--;
        while (((unsigned char)text.bytes[at->byte] & 0xc0) == 0x80);
        at->character--;
    }
    while (at->character < character && at->byte < text.length) {
        int bytes;

        lm_utf8_decode(text.bytes + at->byte, &bytes);
        at->byte += (size_t)bytes;
        at->character++;
    }
    return at->byte;
}

lm_text
lm_tag_cut(lm_text text, int32_t start, int32_t stop, lm_tag_cursor *at)
{
    const char *bytes = text.bytes + byte_of(text, (size_t)start, at);

    return (lm_text){bytes, (size_t)(text.bytes + byte_of(text, (size_t)stop, at) - bytes)};
}

bool
lm_tag_touches(lm_text text, int32_t start, lm_tag_cursor *at)
{
    lm_text near;

    if (start == 0)
        return false;
    near = lm_tag_cut(text, start - 1, start + 1, at);
    return memchr(near.bytes, ' ', near.length) == NULL;
}

bool
lm_tag_is_piece(const lm_tokenizer *tokenizer, int32_t token, int32_t start, int32_t stop,
                lm_text text, lm_tag_cursor *at)
{
    lm_text written;

    if (!tokenizer || token == lm_token_unknown(tokenizer))
        return false;
    if (!lm_tokenizer_marks_pieces(tokenizer))
        return lm_tag_touches(text, start, at);
    written.bytes = lm_token_text(tokenizer, token, &written.length);
    return lm_utf8_count(written.bytes, written.length) != (size_t)(stop - start);
}
