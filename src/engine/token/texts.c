/*
 * texts.c - lists of texts, and replacing in them.
 */
#include "token/texts.h"

#include <string.h>

#define TEXTS_PER_POLL 4096

void
lm_texts_init(lm_token_texts *texts, lm_context *ctx)
{
    lm_buffer_init(&texts->bytes, ctx);
    lm_buffer_init(&texts->ends, ctx);
}

void
lm_texts_free(lm_token_texts *texts)
{
    lm_buffer_free(&texts->bytes);
    lm_buffer_free(&texts->ends);
}

lm_status
lm_texts_clear(lm_token_texts *texts)
{
    texts->bytes.size = texts->ends.size = 0;
    return lm_buffer_reserve(&texts->bytes, 64);
}

lm_status
lm_texts_end(lm_token_texts *texts)
{
    return lm_buffer_append(&texts->ends, &texts->bytes.size, sizeof texts->bytes.size);
}

size_t
lm_texts_count(const lm_token_texts *texts)
{
    return texts->ends.size / sizeof(size_t);
}

lm_status
lm_texts_get(lm_context *ctx, const lm_token_texts *texts, size_t i, const char **text,
             size_t *length)
{
    const size_t *ends = (const size_t *)(const void *)texts->ends.data;
    size_t start = i == 0 ? 0 : ends[i - 1];

    *length = ends[i] - start;
    *text = texts->bytes.data + start;
    return i % TEXTS_PER_POLL == 0 ? lm_poll(ctx) : LM_OK;
}

lm_status
lm_texts_replace(lm_buffer *out, size_t start, const char *from, size_t from_length, const char *to,
                 size_t to_length)
{
    size_t read = start, write = start, steps = 0;

    while (read < out->size) {
        LM_TRY(lm_poll_step(out->ctx, steps++));
        if (out->size - read >= from_length && memcmp(out->data + read, from, from_length) == 0) {
            memcpy(out->data + write, to, to_length);
            read += from_length;
            write += to_length;
        } else {
            out->data[write++] = out->data[read++];
        }
    }
    out->size = write;
    return LM_OK;
}

/* What the reference replaces in each token, in this order. */
static const struct {
    const char *from, *to;
} replacements[] = {
    {" .", "."},   {" ?", "?"},     {" !", "!"},     {" ,", ","},
    {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},   {" do not", " don't"},
    {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
};

/* Whether a space in out[start, size) has the second byte of a replacement after it. */
static bool
may_replace(const lm_buffer *out, size_t start)
{
    for (size_t i = start; i + 1 < out->size; i++)
        if (out->data[i] == ' ' && out->data[i + 1] != '\0' && strchr(".?!,'nd", out->data[i + 1]))
            return true;
    return false;
}

/* No replacement is longer than what it replaces. */
lm_status
lm_texts_clean_up(lm_buffer *out, size_t start)
{
    if (!may_replace(out, start))
        return LM_OK;
    for (size_t i = 0; i < sizeof replacements / sizeof replacements[0]; i++)
        LM_TRY(lm_texts_replace(out, start, replacements[i].from, strlen(replacements[i].from),
                                replacements[i].to, strlen(replacements[i].to)));
    return LM_OK;
}
