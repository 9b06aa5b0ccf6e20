/*
 * tag_words.c - words to a text, and the text's tags to words.
 */
#include "task/tag_words.h"

#include "base/utf8.h"

#define POLL_EVERY 1024 /* words */

lm_status
lm_tag_words_join(lm_buffer *text, const lm_text *words, size_t count, int32_t *stops)
{
    size_t characters = 0;

    for (size_t i = 0; i < count; i++) {
        if (i % POLL_EVERY == POLL_EVERY - 1)
            LM_TRY(lm_poll(text->ctx));
        if (i > 0) {
            LM_TRY(lm_buffer_append_byte(text, ' '));
            characters++;
        }
        LM_TRY(lm_buffer_append(text, words[i].bytes, words[i].length));
        characters += lm_utf8_count(words[i].bytes, words[i].length);
        if (characters > INT32_MAX)
            return lm_raise(text->ctx, LM_TOO_LARGE, "the words have too many characters");
        stops[i] = (int32_t)characters;
    }
    return LM_OK;
}

void
lm_tag_words_labels(const lm_tag *tags, size_t tag_count, const int32_t *stops, size_t count,
                    int32_t *labels)
{
    size_t tag = 0;

    for (size_t i = 0; i < count; i++) {
        labels[i] = -1;
        for (; tag < tag_count && tags[tag].start < stops[i]; tag++)
            if (labels[i] < 0)
                labels[i] = tags[tag].label;
    }
}
