/*
 * trim.c - the white space of a token, and the offsets without it.
 */
#include "token/trim.h"

#include "base/unicode.h"
#include "base/utf8.h"
#include "token/vocab.h"

#define TOKENS_PER_POLL 4096

/* The space of byte-level tokens counts as one. */
static bool
is_space(const char *text, int *bytes)
{
    uint32_t c = lm_utf8_decode(text, bytes);

    return c == 0x120 || lm_unicode_flags(c) & LM_UNICODE_SPACE;
}

static lm_status
count_leading(lm_context *ctx, const char *text, size_t length, int64_t *count)
{
    size_t at = 0;
    int bytes;

    for (*count = 0; at < length && is_space(text + at, &bytes); ++*count) {
        LM_TRY(lm_poll_step(ctx, (size_t)*count));
        at += (size_t)bytes;
    }
    return LM_OK;
}

static lm_status
count_trailing(lm_context *ctx, const char *text, size_t length, int64_t *count)
{
    int bytes;

    for (*count = 0; length > 0; ++*count) {
        size_t start = length - 1;

        while (((unsigned char)text[start] & 0xc0) == 0x80)
            start--;
        if (!is_space(text + start, &bytes))
            break;
        LM_TRY(lm_poll_step(ctx, (size_t)*count));
        length = start;
    }
    return LM_OK;
}

/* One operation; white space that is more than the offsets hold leaves an empty range. */
static void
trim(const lm_stage_op *op, bool first, int64_t leading, int64_t trailing, int32_t *start,
     int32_t *stop)
{
    int64_t from = *start, to = *stop;

    if (leading == 1 && op->flags & LM_TRIM_PREFIX && (first || from == 0))
        leading = 0;
    if (leading > 0)
        from = from + leading < to ? from + leading : to;
    if (trailing > 0 && to >= trailing)
        to = to - trailing > from ? to - trailing : from;
    *start = (int32_t)from;
    *stop = (int32_t)to;
}

/* Offsets of a token before and after all operations. */
typedef struct offsets {
    int32_t start, stop;
} offsets;

static offsets
trim_all(const lm_token_image *image, bool first, int64_t leading, int64_t trailing, offsets token)
{
    const lm_stage_op *ops = lm_image_at(image, image->postprocessor);

    for (uint64_t k = 0; k < image->postprocessor.count; k++)
        trim(&ops[k], first, leading, trailing, &token.start, &token.stop);
    return token;
}

/*
 * Token number i of the output, by its text. It may come first later, when those before it are cut
 * off, so what it would keep then is noted: a character for each operation, of which there are few.
 */
static lm_status
trim_token(lm_encode_state *state, size_t i, const char *text, size_t length)
{
    lm_encoding *out = state->out;
    const offsets whole = {out->start[i], out->stop[i]};
    int64_t leading, trailing;
    offsets now, first;

    LM_TRY(count_leading(state->ctx, text, length, &leading));
    LM_TRY(count_trailing(state->ctx, text, length, &trailing));
    first = trim_all(state->image, true, leading, trailing, whole);
    now = i == state->first ? first : trim_all(state->image, false, leading, trailing, whole);
    out->start[i] = now.start;
    out->stop[i] = now.stop;
    out->spared[i] =
        (lm_spared){(uint8_t)(now.start - first.start), (uint8_t)(now.stop - first.stop)};
    return LM_OK;
}

lm_status
lm_trim_tokens(lm_encode_state *state, size_t from)
{
    for (size_t i = from; state->trims && i < state->out->count; i++) {
        size_t length;
        const char *text = lm_token_written(state->image, state->out->ids[i], &length);

        if (i % TOKENS_PER_POLL == 0)
            LM_TRY(lm_poll(state->ctx));
        LM_TRY(trim_token(state, i, text, length));
    }
    return LM_OK;
}

/* Done once, a second time changes nothing. */
void
lm_trim_as_first(const lm_token_image *image, lm_encoding *text, size_t i)
{
    if (image->postprocessor.count == 0)
        return;
    text->start[i] -= text->spared[i].start;
    text->stop[i] -= text->spared[i].stop;
    text->spared[i] = (lm_spared){0};
}

lm_status
lm_trim_added(lm_encode_state *state, const char *text, size_t length)
{
    if (!state->trims || state->out->count == 0 || state->status != LM_OK)
        return state->status;
    return trim_token(state, state->out->count - 1, text, length);
}
