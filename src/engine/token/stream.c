/*
 * stream.c - goes through a text: added tokens first, plain stretches between them by the fast path
 * where the stages allow it, and the template's special tokens around the whole.
 */
#include "token/stream.h"

#include <string.h>

#include "base/utf8.h"
#include "token/byte_words.h"
#include "token/models.h"
#include "token/staged.h"
#include "token/template.h"
#include "token/trim.h"
#include "token/words.h"

/* Bytes of a text that are checked, and tokens that are marked, between two polls. */
#define PIECE ((size_t)1 << 20)

/* The staged way needs some 30 bytes for a byte of what it takes at a time. */
#define SEGMENT_BYTES ((size_t)1 << 16)

static lm_status check_text(lm_context *ctx, const char *text, size_t length);
static lm_status put_text(lm_token_stream *s, int32_t type, lm_encoding *out);
static lm_status put_end(lm_token_stream *s, int32_t type, lm_encoding *out);
static lm_status run_text(lm_token_stream *s, lm_encode_state *state);

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
                           .model = lm_token_model_of(image->model),
                           .scratch = scratch,
                           .options = *options,
                           .text = text,
                           .part_tokens = LM_PART_TOKENS,
                           .segment_bytes = SEGMENT_BYTES,
                           .from_end = image->cuts_left && options->max_tokens > 0};
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
            LM_TRY(s->from_end ? put_end(s, piece.type, out) : put_text(s, piece.type, out));
            if (!s->ended)
                return LM_OK;
        } else if (s->options.add_special) {
            LM_TRY(lm_encoding_reserve(out, out->count + 1));
            lm_template_put_special(out, piece);
        }
    }
    return LM_OK;
}

/* Tokens from `first` on are the text's; in pieces between which a cancel is seen. */
static lm_status
mark_text(lm_context *ctx, lm_encoding *out, size_t first, int32_t type)
{
    while (first < out->count) {
        size_t stop = out->count - first > PIECE ? first + PIECE : out->count;

        memset(out->special + first, 0, stop - first);
        if (type == 0) {
            memset(out->type_ids + first, 0, (stop - first) * sizeof *out->type_ids);
            first = stop;
        }
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
    const lm_token_image *image = s->tokenizer->image;
    size_t before = out->count;
    lm_encode_state state = {
        .ctx = s->ctx,
        .image = image,
        .model = s->model,
        .serial = s->tokenizer->serial,
        .scratch = s->scratch,
        .out = out,
        .limit = s->left < SIZE_MAX - before ? before + s->left : SIZE_MAX,
        .first = s->begun ? SIZE_MAX : before,
        .offsets = s->options.offsets,
        .words = s->options.words,
        .trims = s->options.offsets && image->postprocessor.count > 0,
        .parse_special = s->options.parse_special,
    };

    state.pause = state.limit < s->part_tokens ? state.limit + 1 : s->part_tokens;
    LM_TRY(run_text(s, &state));
    if (lm_encode_full(&state)) {
        out->count = state.limit;
        out->truncated = s->ended = true;
    }
    if (s->left != SIZE_MAX)
        s->left -= out->count - before;
    s->begun |= out->count > before;
    return mark_text(s->ctx, out, before, type);
}

/*
 * The last tokens of the text: it goes by in parts, and what is before them is dropped again and
 * again, so that memory is for some three times what is kept, and a token is moved twice at most.
 */
static lm_status
put_end(lm_token_stream *s, int32_t type, lm_encoding *out)
{
    const size_t before = out->count, keep = s->left;
    const size_t part = s->part_tokens < LM_PART_TOKENS ? s->part_tokens : LM_PART_TOKENS;
    const size_t step = keep > part ? keep : part;

    s->left = SIZE_MAX;
    while (!s->ended) {
        s->part_tokens = out->count + step;
        LM_TRY(put_text(s, type, out));
        if (out->count - before <= keep)
            continue;
        lm_encoding_drop(out, before, out->count - before - keep);
        out->truncated = true;
    }
    if (out->truncated && s->options.offsets && keep > 0)
        lm_trim_as_first(s->tokenizer->image, out, before);
    return LM_OK;
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

/*
 * The next part of the current stretch, by the fast path where there is one. Where places are not
 * counted, bytes stand for them: the staged way only asks whether the text starts here.
 */
static lm_status
run_stretch(lm_token_stream *s, lm_encode_state *state)
{
    const bool fast = !state->trims && !state->words;
    lm_place *place = &s->place;
    size_t stop;

    if (state->image->fused.present && fast)
        return state->model->walk(state, s->text, s->stop, place);
    state->stretch = s->split.start;
    if (state->image->words && fast)
        return lm_words_run(state, s->text, s->stop, place);
    if (state->image->byte_words.rule != 0 && fast)
        return lm_byte_words_run(state, s->text, s->stop, place);
    LM_TRY(lm_staged_stop(state, s->text, place->byte, s->stop, s->segment_bytes, &stop));
    LM_TRY(lm_staged_run(state, s->text + place->byte, stop - place->byte,
                         state->offsets ? place->at : (int32_t)place->byte));
    if (state->offsets)
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
run_text(lm_token_stream *s, lm_encode_state *state)
{
    for (;;) {
        while (s->place.byte < s->stop) {
            LM_TRY(run_stretch(s, state));
            if (lm_encode_pauses(state))
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
            lm_encode_span(state, s->split.id, start, s->place.at, state->offsets);
            LM_TRY(lm_trim_added(state, s->text + s->split.start, s->split.stop - s->split.start));
        }
        s->stop = s->split.stop;
        if (lm_encode_pauses(state))
            return LM_OK;
    }
}
