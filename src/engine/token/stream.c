/*
 * stream.c - goes through a text: added tokens first, plain stretches between them by the fast path
 * where the stages allow it, and the template's special tokens around the whole.
 */
#include "token/stream.h"

#include <string.h>

#include "base/utf8.h"
#include "token/fused.h"
#include "token/staged.h"

/* Bytes of a text that are checked, and tokens that are marked, between two polls. */
#define PIECE ((size_t)1 << 20)

/* The staged way needs some 30 bytes for a byte of what it takes at a time. */
#define SEGMENT_BYTES ((size_t)1 << 16)

static lm_status check_text(lm_context *ctx, const char *text, size_t length);
static lm_status put_special(lm_encoding *out, lm_piece piece);
static lm_status put_text(lm_token_stream *s, int32_t type, lm_encoding *out);
static lm_status run_text(lm_token_stream *s, lm_run *run);

/* SIZE_MAX: all of them. */
lm_status
lm_token_limit(lm_context *ctx, const lm_tokenizer *tokenizer, const lm_token_options *options,
               bool pair, size_t *limit)
{
    int special = options->add_special ? lm_tokenizer_special_count(tokenizer, pair) : 0;

    *limit = SIZE_MAX;
    if (options->max_tokens == 0)
        return LM_OK;
    if (options->max_tokens < special) {
        lm_raise(ctx, LM_BAD_ARGUMENT, "max_tokens leaves no room for the special tokens");
        lm_detail_found(ctx, "%d", options->max_tokens);
        return lm_detail_allowed(ctx, "at least %d", special);
    }
    *limit = (size_t)(options->max_tokens - special);
    return LM_OK;
}

lm_status
lm_token_stream_open(lm_token_stream *s, lm_context *ctx, const lm_tokenizer *tokenizer,
                     lm_token_scratch *scratch, const char *text, size_t length,
                     const lm_token_options *options)
{
    const lm_token_image *image = tokenizer->image;

    *s = (lm_token_stream){.ctx = ctx,
                           .tokenizer = tokenizer,
                           .scratch = scratch,
                           .options = *options,
                           .text = text,
                           .part_tokens = LM_PART_TOKENS,
                           .segment_bytes = SEGMENT_BYTES};
    LM_TRY(lm_token_limit(ctx, tokenizer, options, false, &s->left));
    LM_TRY(check_text(ctx, text, length));
    lm_split_init(&s->split, ctx, image, &image->raw, text, length, options->parse_special);
    return LM_OK;
}

/* Without special tokens only the template's type of the text counts. */
lm_status
lm_token_stream_next(lm_token_stream *s, lm_encoding *out)
{
    const lm_token_image *image = s->tokenizer->image;
    const lm_piece *pieces = lm_image_at(image, image->single);

    /* A part may be less than what is read between two polls. */
    LM_TRY(lm_poll(s->ctx));
    LM_TRY(lm_encoding_reserve(out, 1));
    out->count = 0;
    out->truncated = false;
    for (; s->piece < image->single.count; s->piece++) {
        lm_piece piece = pieces[s->piece];

        if (piece.id < 0) {
            LM_TRY(put_text(s, piece.type, out));
            if (!s->ended)
                return LM_OK;
        } else if (s->options.add_special) {
            LM_TRY(put_special(out, piece));
        }
    }
    return LM_OK;
}

/* A special token stands nowhere in the text. */
static lm_status
put_special(lm_encoding *out, lm_piece piece)
{
    LM_TRY(lm_encoding_reserve(out, out->count + 1));
    out->ids[out->count] = piece.id;
    out->type_ids[out->count] = piece.type;
    out->start[out->count] = out->stop[out->count] = 0;
    out->special[out->count++] = 1;
    return LM_OK;
}

/* Tokens from `first` on are the text's; in pieces between which a cancel is seen. */
static lm_status
mark_text(lm_context *ctx, lm_encoding *out, size_t first, int32_t type)
{
    while (first < out->count) {
        size_t stop = out->count - first > PIECE ? first + PIECE : out->count;

        memset(out->special + first, 0, stop - first);
        for (; first < stop; first++)
            out->type_ids[first] = type;
        if (first < out->count)
            LM_TRY(lm_poll(ctx));
    }
    return LM_OK;
}

/* Tokens of the text itself follow what is in `out`, until the part is full or the text ends. */
static lm_status
put_text(lm_token_stream *s, int32_t type, lm_encoding *out)
{
    size_t before = out->count;
    lm_run run = {
        .ctx = s->ctx,
        .image = s->tokenizer->image,
        .scratch = s->scratch,
        .out = out,
        .limit = s->left < SIZE_MAX - before ? before + s->left : SIZE_MAX,
        .offsets = s->options.offsets,
        .parse_special = s->options.parse_special,
    };

    run.pause = run.limit < s->part_tokens ? run.limit + 1 : s->part_tokens;
    LM_TRY(run_text(s, &run));
    if (lm_run_full(&run)) {
        out->count = run.limit;
        out->truncated = s->ended = true;
    }
    if (s->left != SIZE_MAX)
        s->left -= out->count - before;
    return mark_text(s->ctx, out, before, type);
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

/* The next part of the current stretch, by the fast path where there is one. */
static lm_status
run_stretch(lm_token_stream *s, lm_run *run)
{
    lm_place *place = &s->place;
    size_t stop;

    if (run->image->fused.present)
        return lm_fused_run(run, s->text, s->stop, place);
    LM_TRY(lm_staged_stop(run, s->text, place->byte, s->stop, s->segment_bytes, &stop));
    LM_TRY(lm_staged_run(run, s->text + place->byte, stop - place->byte, place->at));
    if (run->offsets)
        place->at += (int32_t)lm_utf8_count(s->text + place->byte, stop - place->byte);
    place->byte = stop;
    return LM_OK;
}

/* A token may begin before what the one before it reached over. Places are counted if asked for. */
static void
move(lm_token_stream *s, size_t byte)
{
    size_t from = s->place.byte;

    if (s->options.offsets && byte >= from)
        s->place.at += (int32_t)lm_utf8_count(s->text + from, byte - from);
    else if (s->options.offsets)
        s->place.at -= (int32_t)lm_utf8_count(s->text + byte, from - byte);
    s->place.byte = byte;
}

/* Stretches in the order of the text, until the run pauses or the text ends. */
static lm_status
run_text(lm_token_stream *s, lm_run *run)
{
    for (;;) {
        while (s->place.byte < s->stop) {
            LM_TRY(run_stretch(s, run));
            if (lm_run_pauses(run))
                return LM_OK;
        }
        if (!lm_split_next(&s->split)) {
            s->ended = true;
            return s->split.status;
        }
        LM_TRY(lm_poll(s->ctx));
        move(s, s->split.start);
        if (s->split.id >= 0 && s->split.start < s->split.stop) {
            int32_t start = s->place.at;

            move(s, s->split.stop);
            lm_run_emit_span(run, s->split.id, start, s->place.at, run->offsets);
            LM_TRY(run->status);
        }
        s->stop = s->split.stop;
        if (lm_run_pauses(run))
            return LM_OK;
    }
}
