/*
 * decode.c - the table of decoders, and detokenization.
 */
#include "token/decode.h"

#include <string.h>

#include "token/byte_level.h"
#include "token/metaspace.h"
#include "token/replace.h"
#include "token/texts.h"

#define TOKENS_PER_POLL 4096

static lm_status compile_wordpiece(lm_stage_compiler *c, lm_field field);
static lm_status compile_byte_level(lm_stage_compiler *c, lm_field field);
static lm_status compile_metaspace(lm_stage_compiler *c, lm_field field);
static lm_status compile_bpe(lm_stage_compiler *c, lm_field field);
static lm_status compile_ctc(lm_stage_compiler *c, lm_field field);
static lm_status compile_strip(lm_stage_compiler *c, lm_field field);
static lm_status compile_replace(lm_stage_compiler *c, lm_field field);

enum {
    SPACED,
    WORDPIECE,
    SEQUENCE,
    BYTE_LEVEL,
    METASPACE,
    BPE,
    CTC,
    BYTE_FALLBACK,
    FUSE,
    STRIP,
    REPLACE
};

/* SPACED is what a tokenizer without a decoder does. */
static const lm_stage_kind kinds[] = {
    [SPACED] = {.decode = lm_decode_spaced},
    [WORDPIECE] = {.name = "WordPiece",
                   .compile = compile_wordpiece,
                   .decode = lm_decode_wordpiece},
    [SEQUENCE] = {.name = "Sequence", .compile = lm_stage_sequence},
    [BYTE_LEVEL] = {.name = "ByteLevel",
                    .compile = compile_byte_level,
                    .decode = lm_decode_byte_level},
    [METASPACE] = {.name = "Metaspace",
                   .compile = compile_metaspace,
                   .decode = lm_decode_metaspace},
    [BPE] = {.name = "BPEDecoder", .compile = compile_bpe, .decode = lm_decode_bpe},
    [CTC] = {.name = "CTC", .compile = compile_ctc, .decode = lm_decode_ctc},
    [BYTE_FALLBACK] = {.name = "ByteFallback", .decode = lm_decode_byte_fallback},
    [FUSE] = {.name = "Fuse", .decode = lm_decode_fuse},
    [STRIP] = {.name = "Strip", .compile = compile_strip, .decode = lm_decode_strip},
    [REPLACE] = {.name = "Replace", .compile = compile_replace, .decode = lm_decode_replace},
};

const lm_stage_table lm_decoder_stage = {"decoder", "decoders", "decoder.decoders", kinds,
                                         sizeof kinds / sizeof kinds[0]};

/* A Sequence of no members leaves the tokens as they are, one behind the other. */
lm_status
lm_decoder_compile(lm_stage_compiler *c, const lm_json *decoder, lm_span *list)
{
    LM_TRY(lm_stage_compile(c, &lm_decoder_stage, decoder));
    if (!decoder || decoder->type == LM_JSON_NULL)
        LM_TRY(lm_stage_add(c, SPACED));
    return lm_stage_write(c, list);
}

/* An operation whose argument is one text. */
static lm_status
add_text(lm_stage_compiler *c, unsigned kind, unsigned flags, const lm_json *text)
{
    return lm_stage_add_args(c, kind, flags, text->as.string.bytes, text->as.string.length, 1);
}

/* An operation with numbers and two texts; the second may be NULL. */
static lm_status
add_texts(lm_stage_compiler *c, unsigned kind, unsigned flags, lm_decode_args args,
          const lm_json *a, const lm_json *b)
{
    lm_buffer bytes;
    lm_status status;

    args.first = a->as.string.length;
    args.second = b ? b->as.string.length : 0;
    lm_buffer_init(&bytes, c->ctx);
    status = lm_buffer_append(&bytes, &args, sizeof args);
    if (status == LM_OK)
        status = lm_buffer_append(&bytes, a->as.string.bytes, args.first);
    if (status == LM_OK && b)
        status = lm_buffer_append(&bytes, b->as.string.bytes, args.second);
    if (status == LM_OK)
        status = lm_stage_add_args(c, kind, flags, bytes.data, bytes.size, 1);
    lm_buffer_free(&bytes);
    return status;
}

/* The prefix is the argument, as it is written; an empty one is allowed. */
static lm_status
compile_wordpiece(lm_stage_compiler *c, lm_field field)
{
    const lm_json *prefix;
    bool cleanup;

    LM_TRY(lm_field_string(c->ctx, field, "prefix", &prefix));
    LM_TRY(lm_field_bool(c->ctx, field, "cleanup", true, &cleanup));
    return add_text(c, WORDPIECE, cleanup ? LM_DECODE_CLEANUP : 0, prefix);
}

/* None of the settings says anything about decoding. */
static lm_status
compile_byte_level(lm_stage_compiler *c, lm_field field)
{
    unsigned settings;

    LM_TRY(lm_byte_level_read(c->ctx, field, &settings));
    return lm_stage_add(c, BYTE_LEVEL);
}

static lm_status
compile_metaspace(lm_stage_compiler *c, lm_field field)
{
    const unsigned prefixed = LM_METASPACE_ALWAYS | LM_METASPACE_FIRST;
    lm_metaspace metaspace;

    LM_TRY(lm_metaspace_read(c->ctx, field, &metaspace));
    return add_text(c, METASPACE, metaspace.settings & prefixed ? LM_DECODE_PREFIX : 0,
                    metaspace.replacement);
}

static lm_status
compile_bpe(lm_stage_compiler *c, lm_field field)
{
    const lm_json *suffix;

    LM_TRY(lm_pattern_read(c->ctx, field, "suffix", &suffix));
    return add_text(c, BPE, 0, suffix);
}

static lm_status
compile_ctc(lm_stage_compiler *c, lm_field field)
{
    const lm_json *pad, *delimiter;
    bool cleanup;

    LM_TRY(lm_pattern_read(c->ctx, field, "pad_token", &pad));
    LM_TRY(lm_pattern_read(c->ctx, field, "word_delimiter_token", &delimiter));
    LM_TRY(lm_field_required_bool(c->ctx, field, "cleanup", &cleanup));
    return add_texts(c, CTC, cleanup ? LM_DECODE_CLEANUP : 0, (lm_decode_args){0}, pad, delimiter);
}

/* A required number of characters. */
static lm_status
read_count(lm_stage_compiler *c, lm_field field, const char *key, uint64_t *count)
{
    int64_t value;

    LM_TRY(lm_field_integer(c->ctx, field, key, 0, INT64_MAX, -1, &value));
    if (value < 0)
        return lm_field_wrong(c->ctx, field, key, NULL, "an integer");
    *count = (uint64_t)value;
    return LM_OK;
}

static lm_status
compile_strip(lm_stage_compiler *c, lm_field field)
{
    lm_decode_args args = {0};
    const lm_json *content;

    LM_TRY(lm_field_char(c->ctx, field, "content", &content));
    LM_TRY(read_count(c, field, "start", &args.start));
    LM_TRY(read_count(c, field, "stop", &args.stop));
    return add_texts(c, STRIP, 0, args, content, NULL);
}

static lm_status
compile_replace(lm_stage_compiler *c, lm_field field)
{
    lm_replace replace;

    LM_TRY(lm_replace_read(c->ctx, field, &replace));
    return add_texts(c, REPLACE, 0, (lm_decode_args){0}, replace.pattern, replace.content);
}

/*
 * The reference knows special tokens by the text that it shows; one that the normalizer changes is
 * none to it.
 */
static bool
is_skipped(const lm_token_image *image, int32_t id, const char *token, size_t length, bool special)
{
    size_t written_length;
    const char *written;

    if (!special)
        return false;
    written = lm_token_written(image, id, &written_length);
    return written_length == length && memcmp(written, token, length) == 0;
}

/* An id without a token is an error here; the reference leaves it out in silence. */
static lm_status
gather(lm_context *ctx, const lm_tokenizer *tokenizer, const int32_t *ids, size_t count,
       bool skip_special, lm_token_texts *texts)
{
    LM_TRY(lm_texts_clear(texts));
    for (size_t i = 0; i < count; i++) {
        size_t length = 0;
        bool special = false;
        const char *token = lm_token_find(tokenizer, ids[i], &length, &special);

        if (i % TOKENS_PER_POLL == 0)
            LM_TRY(lm_poll(ctx));
        if (!token) {
            lm_raise(ctx, LM_BAD_ARGUMENT, "token id is not in the vocabulary");
            lm_detail_found(ctx, "%d", ids[i]);
            return lm_detail_allowed(ctx, "token ids from 0 to %d", tokenizer->vocab_size - 1);
        }
        if (skip_special && is_skipped(tokenizer->image, ids[i], token, length, special))
            continue;
        LM_TRY(lm_buffer_append(&texts->bytes, token, length));
        LM_TRY(lm_texts_end(texts));
    }
    return LM_OK;
}

/* Each operation reads one list and writes the other. */
static lm_status
run_ops(lm_context *ctx, const lm_token_image *image, lm_token_texts *texts, lm_token_texts *spare)
{
    const lm_stage_op *ops = lm_image_at(image, image->decoder);

    for (uint64_t i = 0; i < image->decoder.count; i++) {
        lm_token_texts swap = *texts;

        LM_TRY(lm_texts_clear(spare));
        LM_TRY(kinds[ops[i].kind].decode(ctx, image, &ops[i], texts, spare));
        *texts = *spare;
        *spare = swap;
    }
    return LM_OK;
}

/* The texts that the last operation leaves stand one behind the other already. */
lm_status
lm_detokenize(lm_context *ctx, const lm_tokenizer *tokenizer, const int32_t *ids, size_t count,
              bool skip_special, lm_buffer *out)
{
    lm_token_texts texts, spare;
    lm_status status;

    lm_texts_init(&texts, ctx);
    lm_texts_init(&spare, ctx);
    status = gather(ctx, tokenizer, ids, count, skip_special, &texts);
    if (status == LM_OK)
        status = run_ops(ctx, tokenizer->image, &texts, &spare);
    if (status == LM_OK)
        status = lm_buffer_append(out, texts.bytes.data, texts.bytes.size);
    lm_texts_free(&texts);
    lm_texts_free(&spare);
    return status;
}
