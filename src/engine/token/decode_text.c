/*
 * decode_text.c - decoders that join, strip and replace the texts of tokens.
 */
#include "token/decode.h"

#include <string.h>

#include "base/utf8.h"
#include "token/texts.h"

/* Arguments as they lie in the image. */
typedef struct arguments {
    uint64_t start, stop;
    const char *first, *second;
    size_t first_length, second_length;
} arguments;

static arguments
arguments_of(const lm_token_image *image, const lm_stage_op *op)
{
    const lm_decode_args *args = lm_image_at(image, op->args);
    const char *bytes = (const char *)(args + 1);

    return (arguments){.start = args->start,
                       .stop = args->stop,
                       .first = bytes,
                       .second = bytes + args->first,
                       .first_length = args->first,
                       .second_length = args->second};
}

/* Tokens as they are, with a space between them. */
lm_status
lm_decode_spaced(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                 const lm_token_texts *from, lm_token_texts *to)
{
    size_t count = lm_texts_count(from), length;
    const char *token;

    for (size_t i = 0; i < count; i++) {
        LM_TRY(lm_texts_get(ctx, from, i, &token, &length));
        if (i > 0)
            LM_TRY(lm_buffer_append_byte(&to->bytes, ' '));
        LM_TRY(lm_buffer_append(&to->bytes, token, length));
        LM_TRY(lm_texts_end(to));
    }
    return LM_OK;
}

/*
 * A token that continues a word loses its prefix, but the first one keeps it, as in the
 * reference. What is cleaned up is one token with the space before it, never two tokens.
 */
lm_status
lm_decode_wordpiece(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                    const lm_token_texts *from, lm_token_texts *to)
{
    const char *prefix = lm_image_at(image, op->args), *token;
    size_t count = lm_texts_count(from), length, skip = op->args.count;

    for (size_t i = 0; i < count; i++) {
        size_t start = to->bytes.size, skipped;
        bool continues;

        LM_TRY(lm_texts_get(ctx, from, i, &token, &length));
        continues = i > 0 && length >= skip && memcmp(token, prefix, skip) == 0;
        skipped = continues ? skip : 0;
        if (i > 0 && !continues)
            LM_TRY(lm_buffer_append_byte(&to->bytes, ' '));
        LM_TRY(lm_buffer_append(&to->bytes, token + skipped, length - skipped));
        if (op->flags & LM_DECODE_CLEANUP)
            LM_TRY(lm_texts_clean_up(&to->bytes, start));
        LM_TRY(lm_texts_end(to));
    }
    return LM_OK;
}

/* Every token with its pattern, the operation's argument, replaced: by nothing in token `odd`. */
static lm_status
replace_all(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
            const lm_token_texts *from, lm_token_texts *to, size_t odd)
{
    const char *pattern = lm_image_at(image, op->args), *token;
    size_t count = lm_texts_count(from), length;

    for (size_t i = 0; i < count; i++) {
        size_t start = to->bytes.size;

        LM_TRY(lm_texts_get(ctx, from, i, &token, &length));
        LM_TRY(lm_buffer_append(&to->bytes, token, length));
        LM_TRY(lm_texts_replace(&to->bytes, start, pattern, op->args.count, " ", i != odd));
        LM_TRY(lm_texts_end(to));
    }
    return LM_OK;
}

/* A suffix ends a word; behind the last one comes no space. */
lm_status
lm_decode_bpe(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
              const lm_token_texts *from, lm_token_texts *to)
{
    size_t count = lm_texts_count(from);

    return replace_all(ctx, image, op, from, to, count > 0 ? count - 1 : 0);
}

/* All that the first token has of the character is taken to be put there. */
lm_status
lm_decode_metaspace(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                    const lm_token_texts *from, lm_token_texts *to)
{
    return replace_all(ctx, image, op, from, to, op->flags & LM_DECODE_PREFIX ? 0 : SIZE_MAX);
}

/* Append one token of a CTC without its padding; tokens of which nothing is left are none. */
static lm_status
put_ctc(const lm_stage_op *op, const arguments *args, const char *token, size_t length,
        lm_token_texts *to)
{
    size_t start = to->bytes.size;

    LM_TRY(lm_buffer_append(&to->bytes, token, length));
    LM_TRY(lm_texts_replace(&to->bytes, start, args->first, args->first_length, "", 0));
    if (op->flags & LM_DECODE_CLEANUP) {
        LM_TRY(lm_texts_clean_up(&to->bytes, start));
        LM_TRY(lm_texts_replace(&to->bytes, start, args->second, args->second_length, " ", 1));
    }
    return to->bytes.size > start ? lm_texts_end(to) : LM_OK;
}

/* Of tokens that follow each other and are equal, one counts. */
lm_status
lm_decode_ctc(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
              const lm_token_texts *from, lm_token_texts *to)
{
    const arguments args = arguments_of(image, op);
    size_t count = lm_texts_count(from), length, last_length = 0;
    const char *token, *last = NULL;

    for (size_t i = 0; i < count; i++) {
        LM_TRY(lm_texts_get(ctx, from, i, &token, &length));
        if (!last || length != last_length || memcmp(token, last, length) != 0)
            LM_TRY(put_ctc(op, &args, token, length, to));
        last = token;
        last_length = length;
    }
    return LM_OK;
}

/* The bytes stand one behind the other already. */
lm_status
lm_decode_fuse(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
               const lm_token_texts *from, lm_token_texts *to)
{
    LM_TRY(lm_buffer_append(&to->bytes, from->bytes.data, from->bytes.size));
    return lm_texts_end(to);
}

/* Every token by itself. */
static lm_status
put_each(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
         lm_status (*put)(lm_context *ctx, const arguments *args, const char *token, size_t length,
                          lm_token_texts *to),
         const lm_token_texts *from, lm_token_texts *to)
{
    const arguments args = arguments_of(image, op);
    size_t count = lm_texts_count(from), length;
    const char *token;

    for (size_t i = 0; i < count; i++) {
        LM_TRY(lm_texts_get(ctx, from, i, &token, &length));
        LM_TRY(put(ctx, &args, token, length, to));
    }
    return LM_OK;
}

/*
 * A token without at most so many of a character at its start and its end. Where one is to be taken
 * away on both sides the reference fails; here it is gone.
 */
static lm_status
put_stripped(lm_context *ctx, const arguments *args, const char *token, size_t length,
             lm_token_texts *to)
{
    const size_t size = args->first_length;
    uint64_t steps = 0;

    while (steps < args->start && length >= size && memcmp(token, args->first, size) == 0) {
        LM_TRY(lm_poll_step(ctx, (size_t)steps++));
        token += size;
        length -= size;
    }
    for (steps = 0; steps < args->stop && length >= size &&
                    memcmp(token + length - size, args->first, size) == 0;) {
        LM_TRY(lm_poll_step(ctx, (size_t)steps++));
        length -= size;
    }
    LM_TRY(lm_buffer_append(&to->bytes, token, length));
    return lm_texts_end(to);
}

lm_status
lm_decode_strip(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                const lm_token_texts *from, lm_token_texts *to)
{
    return put_each(ctx, image, op, put_stripped, from, to);
}

/* From left to right, once; the content may be longer than the pattern. */
static lm_status
put_replaced(lm_context *ctx, const arguments *args, const char *token, size_t length,
             lm_token_texts *to)
{
    size_t steps = 0;

    for (size_t i = 0; i < length; steps++) {
        LM_TRY(lm_poll_step(ctx, steps));
        if (length - i >= args->first_length &&
            memcmp(token + i, args->first, args->first_length) == 0) {
            LM_TRY(lm_buffer_append(&to->bytes, args->second, args->second_length));
            i += args->first_length;
        } else {
            LM_TRY(lm_buffer_append_byte(&to->bytes, token[i++]));
        }
    }
    return lm_texts_end(to);
}

lm_status
lm_decode_replace(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                  const lm_token_texts *from, lm_token_texts *to)
{
    return put_each(ctx, image, op, put_replaced, from, to);
}
