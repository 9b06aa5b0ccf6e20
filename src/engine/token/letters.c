/*
 * letters.c - bytes of tokens; the contract is in letters.h.
 */
#include "token/letters.h"

#include "base/utf8.h"

void
lm_letters_init(lm_letters *letters, lm_context *ctx)
{
    lm_buffer_init(&letters->bytes, ctx);
    lm_buffer_init(&letters->ends, ctx);
}

void
lm_letters_free(lm_letters *letters)
{
    lm_buffer_free(&letters->bytes);
    lm_buffer_free(&letters->ends);
}

void
lm_letters_clear(lm_letters *letters)
{
    letters->bytes.size = letters->ends.size = 0;
}

lm_status
lm_letters_add(lm_letters *letters, lm_text word)
{
    const size_t zero = 0;

    if (letters->ends.size == 0)
        LM_TRY(lm_buffer_append(&letters->ends, &zero, sizeof zero));
    LM_TRY(lm_buffer_append(&letters->bytes, word.bytes, word.length));
    return lm_buffer_append(&letters->ends, &letters->bytes.size, sizeof letters->bytes.size);
}

static void
walk(lm_text text, lm_letter_place *place, size_t to)
{
    while (place->character < to && place->byte < text.length) {
        int bytes;

        (void)lm_utf8_decode(text.bytes + place->byte, &bytes);
        place->byte += (size_t)bytes;
        place->character++;
    }
}

lm_text
lm_letters_cut(lm_text text, lm_letter_place *place, int32_t start, int32_t stop)
{
    size_t first;

    walk(text, place, start > 0 ? (size_t)start : 0);
    first = place->byte;
    walk(text, place, stop > 0 ? (size_t)stop : 0);
    return (lm_text){text.bytes + first, place->byte - first};
}

lm_status
lm_letters_add_range(lm_letters *letters, lm_text text, lm_letter_place *place, int32_t start,
                     int32_t stop)
{
    return lm_letters_add(letters, lm_letters_cut(text, place, start, stop));
}

lm_text
lm_letters_get(const lm_letters *letters, size_t token)
{
    const size_t *ends = (const size_t *)(const void *)letters->ends.data;

    return (lm_text){letters->bytes.data + ends[token], ends[token + 1] - ends[token]};
}
