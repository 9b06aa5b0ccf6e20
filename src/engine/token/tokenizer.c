/*
 * tokenizer.c - binds an image and tokenizes texts: added tokens first, plain stretches between
 * them by the fast path where the stages allow it, then truncation and the template.
 */
#include "token/tokenizer.h"

#include <string.h>

#include "base/utf8.h"
#include "token/added.h"
#include "token/fused.h"
#include "token/staged.h"

/* Bytes of a text that are checked, and tokens that are copied, between two polls. */
#define PIECE ((size_t)1 << 20)

static lm_status run_text(lm_run *run, const char *text, size_t length);
static lm_status check_text(lm_context *ctx, const char *text, size_t length);
static lm_status surround(lm_context *ctx, const lm_token_image *image, const lm_encoding *a,
                          const lm_encoding *b, const lm_token_options *options, lm_encoding *out);

/* A few comparisons and no allocation: done at every attach. */
lm_status
lm_tokenizer_bind(lm_context *ctx, const void *image, size_t size, lm_tokenizer *tokenizer)
{
    const lm_token_image *header = image;

    if (size < sizeof *header || header->magic != LM_TOKEN_MAGIC ||
        header->layout != LM_TOKEN_LAYOUT || header->size > size)
        return lm_raise(ctx, LM_CORRUPT, "the stored tokenizer is damaged or of another version");
    tokenizer->image = image;
    tokenizer->size = header->size;
    tokenizer->vocab_size = header->vocab_size;
    return LM_OK;
}

/* Every piece of a template that is no text. */
int
lm_tokenizer_special_count(const lm_tokenizer *tokenizer, bool pair)
{
    const lm_token_image *image = tokenizer->image;
    lm_span span = pair ? image->pair : image->single;

    return (int)span.count - (pair ? 2 : 1);
}

/* Of the template for one text; that for a pair may have more. */
int32_t
lm_tokenizer_last_type(const lm_tokenizer *tokenizer)
{
    const lm_token_image *image = tokenizer->image;
    const lm_piece *pieces = lm_image_at(image, image->single);
    int32_t last = 0;

    for (uint64_t i = 0; i < image->single.count; i++)
        if (pieces[i].type > last)
            last = pieces[i].type;
    return last;
}

/* How many tokens of the text itself are wanted. */
static lm_status
content_limit(lm_context *ctx, const lm_tokenizer *tokenizer, const lm_token_options *options,
              bool pair, size_t *limit)
{
    int special = options->add_special ? lm_tokenizer_special_count(tokenizer, pair) : 0;

    *limit = SIZE_MAX;
    if (options->max_tokens == 0)
        return LM_OK;
    if (options->max_tokens < special) {
        lm_raise(ctx, LM_BAD_ARGUMENT, "max_tokens is too small for the special tokens");
        lm_detail_found(ctx, "%d", options->max_tokens);
        return lm_detail_allowed(ctx, "at least %d", special);
    }
    *limit = (size_t)(options->max_tokens - special);
    return LM_OK;
}

/* Tokens of one text, without special tokens, into `out`. */
static lm_status
tokenize_plain(lm_context *ctx, const lm_tokenizer *tokenizer, lm_token_scratch *scratch,
               const char *text, size_t length, const lm_token_options *options, size_t limit,
               lm_encoding *out)
{
    lm_run run = {
        .ctx = ctx,
        .image = tokenizer->image,
        .scratch = scratch,
        .out = out,
        .limit = limit,
        .offsets = options->offsets,
        .parse_special = options->parse_special,
    };

    out->count = 0;
    out->truncated = false;
    LM_TRY(check_text(ctx, text, length));
    return run_text(&run, text, length);
}

/* The text goes to the scratch first, since its tokens are counted before they are placed. */
lm_status
lm_tokenize(lm_context *ctx, const lm_tokenizer *tokenizer, lm_token_scratch *scratch,
            const char *text, size_t length, const lm_token_options *options, lm_encoding *out)
{
    size_t limit;

    LM_TRY(content_limit(ctx, tokenizer, options, false, &limit));
    LM_TRY(tokenize_plain(ctx, tokenizer, scratch, text, length, options, limit, &scratch->a));
    out->truncated = scratch->a.count > limit;
    if (out->truncated)
        scratch->a.count = limit;
    return surround(ctx, tokenizer->image, &scratch->a, NULL, options, out);
}

/*
 * Cut the longer text first, as the reference's longest_first does: it keeps the shorter one whole
 * where it takes at most half of the room, and else halves the room.
 */
static void
cut_pair(lm_encoding *a, lm_encoding *b, size_t limit)
{
    bool swap = a->count > b->count;
    size_t low = swap ? b->count : a->count, high;

    high = low > limit ? low : limit - low > low ? limit - low : low;
    if (low + high > limit) {
        low = limit / 2;
        high = low + limit % 2;
    }
    a->count = swap ? high : low;
    b->count = swap ? low : high;
}

/* Both texts are tokenized whole: which one is cut depends on the length of both. */
lm_status
lm_tokenize_pair(lm_context *ctx, const lm_tokenizer *tokenizer, lm_token_scratch *scratch,
                 const char *a, size_t a_length, const char *b, size_t b_length,
                 const lm_token_options *options, lm_encoding *out)
{
    size_t limit;

    LM_TRY(content_limit(ctx, tokenizer, options, true, &limit));
    LM_TRY(tokenize_plain(ctx, tokenizer, scratch, a, a_length, options, SIZE_MAX, &scratch->a));
    LM_TRY(tokenize_plain(ctx, tokenizer, scratch, b, b_length, options, SIZE_MAX, &scratch->b));
    out->truncated = scratch->a.count + scratch->b.count > limit;
    if (out->truncated)
        cut_pair(&scratch->a, &scratch->b, limit);
    return surround(ctx, tokenizer->image, &scratch->a, &scratch->b, options, out);
}

/*
 * Places and lengths of a text fit int32_t from here on. The text is checked in pieces: one may end
 * inside a character, which the next one takes up.
 */
static lm_status
check_text(lm_context *ctx, const char *text, size_t length)
{
    size_t valid = 0;

    if (length > INT32_MAX) {
        lm_raise(ctx, LM_TOO_LARGE, "the text is too long");
        lm_detail_found(ctx, "%zu bytes", length);
        return lm_detail_allowed(ctx, "%d bytes", INT32_MAX);
    }
    while (valid < length) {
        size_t piece = length - valid < PIECE ? length - valid : PIECE;
        size_t good = lm_utf8_valid_prefix(text + valid, piece);

        valid += good;
        if (good < piece && (valid - good + piece == length || piece - good > 3))
            break;
        if (valid < length)
            LM_TRY(lm_poll(ctx));
    }
    if (valid == length)
        return LM_OK;
    lm_raise(ctx, LM_BAD_TEXT, "the text is not valid UTF-8");
    return lm_detail_offset(ctx, valid);
}

/* One stretch between added tokens, by the fast path where there is one. */
static lm_status
run_stretch(lm_run *run, const char *text, size_t length, int32_t first)
{
    if (!run->image->fused.present)
        return lm_staged_run(run, text, length, first);
    return lm_fused_run(run, text, length, first);
}

/*
 * Stretches in the order of the text; places are counted along, and only when they are asked for.
 */
static lm_status
run_text(lm_run *run, const char *text, size_t length)
{
    lm_split split;
    size_t byte = 0;
    int32_t place =
        0; /* character that starts at `byte`; counted only when offsets are asked for */

    lm_split_init(&split, run->ctx, run->image, &run->image->raw, text, length, run->parse_special);
    while (!lm_run_full(run) && lm_split_next(&split)) {
        int32_t start = 0, stop = 0;

        LM_TRY(lm_poll(run->ctx));
        if (run->offsets) {
            if (split.start >= byte)
                start = place + (int32_t)lm_utf8_count(text + byte, split.start - byte);
            else
                start = place - (int32_t)lm_utf8_count(text + split.start, byte - split.start);
            stop = start + (int32_t)lm_utf8_count(text + split.start, split.stop - split.start);
            byte = split.stop;
            place = stop;
        }
        if (split.id < 0)
            LM_TRY(run_stretch(run, text + split.start, split.stop - split.start, start));
        else if (split.start < split.stop)
            lm_run_emit_span(run, split.id, start, stop, run->offsets);
        LM_TRY(run->status);
    }
    return split.status;
}

/* A special token stands nowhere in the text. */
static void
put_special(lm_encoding *out, lm_piece piece)
{
    out->ids[out->count] = piece.id;
    out->type_ids[out->count] = piece.type;
    out->start[out->count] = out->stop[out->count] = 0;
    out->special[out->count++] = 1;
}

/* Some tokens of a text, each with the type of its place in the template. */
static void
put_tokens(lm_encoding *out, const lm_encoding *text, size_t first, size_t count, int32_t type,
           bool offsets)
{
    memcpy(out->ids + out->count, text->ids + first, count * sizeof *text->ids);
    if (offsets) {
        memcpy(out->start + out->count, text->start + first, count * sizeof *text->start);
        memcpy(out->stop + out->count, text->stop + first, count * sizeof *text->stop);
    }
    memset(out->special + out->count, 0, count);
    for (size_t i = 0; i < count; i++)
        out->type_ids[out->count + i] = type;
    out->count += count;
}

/* A whole text, in pieces between which a cancel is seen. */
static lm_status
put_text(lm_context *ctx, lm_encoding *out, const lm_encoding *text, int32_t type, bool offsets)
{
    for (size_t first = 0; first < text->count; first += PIECE) {
        size_t left = text->count - first;

        if (first > 0)
            LM_TRY(lm_poll(ctx));
        put_tokens(out, text, first, left < PIECE ? left : PIECE, type, offsets);
    }
    return LM_OK;
}

/* Put texts into the template; without special tokens only its order and types count. */
static lm_status
surround(lm_context *ctx, const lm_token_image *image, const lm_encoding *a, const lm_encoding *b,
         const lm_token_options *options, lm_encoding *out)
{
    lm_span span = b ? image->pair : image->single;
    const lm_piece *pieces = lm_image_at(image, span);

    out->count = 0;
    LM_TRY(lm_encoding_reserve(out, a->count + (b ? b->count : 0) + span.count));
    for (uint64_t i = 0; i < span.count; i++) {
        if (pieces[i].id >= 0 && options->add_special)
            put_special(out, pieces[i]);
        else if (pieces[i].id < 0)
            LM_TRY(put_text(ctx, out, pieces[i].id == LM_PIECE_A ? a : b, pieces[i].type,
                            options->offsets));
    }
    return LM_OK;
}

/* The same as surround, on plain arrays of the caller. */
size_t
lm_tokenizer_surround(const lm_tokenizer *tokenizer, const int32_t *ids, size_t count,
                      int32_t *out_ids, int32_t *out_types)
{
    const lm_token_image *image = tokenizer->image;
    const lm_piece *pieces = lm_image_at(image, image->single);
    size_t written = 0;

    for (uint64_t i = 0; i < image->single.count; i++) {
        size_t length = pieces[i].id >= 0 ? 1 : count;

        if (length > 0)
            memcpy(out_ids + written, pieces[i].id >= 0 ? &pieces[i].id : ids,
                   length * sizeof *out_ids);
        for (size_t k = 0; k < length; k++)
            out_types[written++] = pieces[i].type;
    }
    return written;
}
