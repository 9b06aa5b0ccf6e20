/*
 * decode.c - the table of decoders, and detokenization.
 */
#include "token/decode.h"

#include <string.h>

#include "token/tokenizer.h"

typedef lm_status (*decoder_compile)(lm_context *ctx, lm_field field, size_t start, lm_buffer *out);
/* Append the text of one token; `first` tells whether it is the first one. */
typedef lm_status (*decoder_run)(const lm_token_image *image, const char *token, size_t length,
                                 bool first, lm_buffer *out);

static lm_status compile_wordpiece(lm_context *ctx, lm_field field, size_t start, lm_buffer *out);
static lm_status run_spaced(const lm_token_image *image, const char *token, size_t length,
                            bool first, lm_buffer *out);
static lm_status run_wordpiece(const lm_token_image *image, const char *token, size_t length,
                               bool first, lm_buffer *out);
static lm_status clean_up(lm_buffer *out, size_t start);

/* The first has no name: it is what a tokenizer without a decoder does. */
static const struct {
    const char *name;
    decoder_compile compile;
    decoder_run run;
} stages[] = {
    {"", NULL, run_spaced},
    {"WordPiece", compile_wordpiece, run_wordpiece},
};

#define STAGE_COUNT (sizeof stages / sizeof stages[0])

/* Without a decoder the header keeps row 0 of the table. */
lm_status
lm_decoder_compile(lm_context *ctx, const lm_json *decoder, size_t start, lm_buffer *out)
{
    lm_field field = {decoder, "decoder"};
    const char *names[STAGE_COUNT];
    const lm_json *type;

    if (!decoder || decoder->type == LM_JSON_NULL)
        return LM_OK;
    LM_TRY(lm_field_type(ctx, field, &type));
    for (uint32_t i = 1; i < STAGE_COUNT; i++) {
        names[i - 1] = stages[i].name;
        if (!lm_json_is_string(type, stages[i].name))
            continue;
        LM_TRY(stages[i].compile(ctx, field, start, out));
        ((lm_token_image *)(out->data + start))->decoder = i;
        return LM_OK;
    }
    return lm_field_no_stage(ctx, "decoder", type->as.string.bytes, names, STAGE_COUNT - 1);
}

/* The prefix is stored as it is written; an empty one is allowed. */
static lm_status
compile_wordpiece(lm_context *ctx, lm_field field, size_t start, lm_buffer *out)
{
    const lm_json *prefix;
    lm_span span;
    bool cleanup;

    LM_TRY(lm_field_string(ctx, field, "prefix", &prefix));
    LM_TRY(lm_field_bool(ctx, field, "cleanup", true, &cleanup));
    LM_TRY(
        lm_image_append(out, start, prefix->as.string.bytes, prefix->as.string.length, 1, &span));
    ((lm_token_image *)(out->data + start))->prefix = span;
    ((lm_token_image *)(out->data + start))->cleanup = cleanup;
    return LM_OK;
}

/* An id without a token is an error here; the reference leaves it out in silence. */
lm_status
lm_detokenize(lm_context *ctx, const lm_tokenizer *tokenizer, const int32_t *ids, size_t count,
              bool skip_special, lm_buffer *out)
{
    const lm_token_image *image = tokenizer->image;
    bool first = true;

    for (size_t i = 0; i < count; i++) {
        size_t length = 0;
        const char *token = lm_token_text(tokenizer, ids[i], &length);

        if (i % 4096 == 0)
            LM_TRY(lm_poll(ctx));
        if (!token) {
            lm_raise(ctx, LM_BAD_ARGUMENT, "token id is not in the vocabulary");
            lm_detail_found(ctx, "%d", ids[i]);
            return lm_detail_allowed(ctx, "token ids from 0 to %d", image->vocab_size - 1);
        }
        if (skip_special && lm_token_is_special(tokenizer, ids[i]))
            continue;
        LM_TRY(stages[image->decoder].run(image, token, length, first, out));
        first = false;
    }
    return LM_OK;
}

/* Tokens as they are, with a space between them. */
static lm_status
run_spaced(const lm_token_image *image, const char *token, size_t length, bool first,
           lm_buffer *out)
{
    if (!first)
        LM_TRY(lm_buffer_append_byte(out, ' '));
    return lm_buffer_append(out, token, length);
}

/*
 * A token that continues a word loses its prefix, but the first one keeps it, as in the
 * reference.
 */
static lm_status
run_wordpiece(const lm_token_image *image, const char *token, size_t length, bool first,
              lm_buffer *out)
{
    const char *prefix = lm_image_at(image, image->prefix);
    size_t skip = image->prefix.count, start = out->size;

    if (first)
        LM_TRY(lm_buffer_append(out, token, length));
    else if (length >= skip && memcmp(token, prefix, skip) == 0)
        LM_TRY(lm_buffer_append(out, token + skip, length - skip));
    else
        LM_TRY(run_spaced(image, token, length, false, out));
    return image->cleanup ? clean_up(out, start) : LM_OK;
}

/* What the reference replaces in each token, in this order. */
static const struct {
    const char *from, *to;
} replacements[] = {
    {" .", "."},   {" ?", "?"},     {" !", "!"},     {" ,", ","},
    {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},   {" do not", " don't"},
    {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
};

/* Replace in out[start, size); no replacement is longer than what it replaces. */
static void
replace(lm_buffer *out, size_t start, const char *from, const char *to)
{
    size_t from_length = strlen(from), to_length = strlen(to), read = start, write = start;

    while (read < out->size) {
        if (out->size - read >= from_length && memcmp(out->data + read, from, from_length) == 0) {
            memcpy(out->data + write, to, to_length);
            read += from_length;
            write += to_length;
        } else {
            out->data[write++] = out->data[read++];
        }
    }
    out->size = write;
}

/* The replacements see one token with the space before it, never two tokens. */
static lm_status
clean_up(lm_buffer *out, size_t start)
{
    for (size_t i = 0; i < sizeof replacements / sizeof replacements[0]; i++)
        replace(out, start, replacements[i].from, replacements[i].to);
    return LM_OK;
}
