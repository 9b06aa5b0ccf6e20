/*
 * cut.c - cuts ranges of characters by patterns and properties.
 */
#include "token/cut.h"

#include "base/unicode.h"
#include "base/unicode_sets.h"
#include "base/utf8.h"
#include "token/pattern.h"

lm_status
lm_split_pattern_compile(lm_stage_compiler *c, lm_field field, lm_split_pattern *split)
{
    lm_behavior behavior;
    bool invert;

    *split = (lm_split_pattern){0};
    LM_TRY(lm_behavior_read(c->ctx, field, false, &behavior));
    LM_TRY(lm_field_bool(c->ctx, field, "invert", false, &invert));
    split->behavior = behavior;
    split->invert = invert;
    return lm_pattern_compile(c, field, &split->regex);
}

/* Matches, and what stands between them. */
static lm_status
cut_matches(lm_regex_search *search, size_t base, bool invert, lm_pieces *pieces)
{
    size_t done = 0, start, stop;
    bool found;

    for (;;) {
        LM_TRY(lm_regex_next(search, &start, &stop, &found));
        if (!found)
            break;
        if (start > done)
            LM_TRY(lm_pieces_add(pieces, base + done, base + start, invert));
        LM_TRY(lm_pieces_add(pieces, base + start, base + stop, !invert));
        done = stop;
    }
    if (done < search->length)
        LM_TRY(lm_pieces_add(pieces, base + done, base + search->length, invert));
    return lm_pieces_end(pieces);
}

lm_status
lm_cut_pattern(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
               const uint32_t *c, lm_range range, lm_ranges *words)
{
    const lm_split_pattern *split = lm_image_at(image, op->args);
    lm_pieces pieces = {.ctx = ctx, .words = words, .behavior = (lm_behavior)split->behavior};
    lm_regex_search search;
    lm_status status;

    lm_regex_open_chars(&search, ctx, image, &split->regex, c + range.start,
                        range.stop - range.start);
    status = cut_matches(&search, range.start, split->invert, &pieces);
    lm_regex_close(&search);
    return status;
}

lm_status
lm_delimiter_read(lm_context *ctx, lm_field field, uint32_t *delimiter)
{
    const lm_json *value;
    int bytes = 0;

    LM_TRY(lm_field_string(ctx, field, "delimiter", &value));
    if (value->as.string.length > 0)
        *delimiter = lm_utf8_decode(value->as.string.bytes, &bytes);
    if (bytes == 0 || (size_t)bytes != value->as.string.length)
        return lm_field_wrong(ctx, field, "delimiter", value, "one character");
    return LM_OK;
}

/* Each character that is `wanted` (by the argument) is a match of its own. */
static lm_status
cut_chars(lm_pieces *pieces, bool (*wanted)(uint32_t c, uint32_t by), uint32_t by,
          const uint32_t *c, lm_range range)
{
    size_t done = range.start;

    for (size_t i = range.start; i < range.stop; i++) {
        LM_TRY(lm_poll_step(pieces->ctx, i));
        if (!wanted(c[i], by))
            continue;
        if (i > done)
            LM_TRY(lm_pieces_add(pieces, done, i, false));
        LM_TRY(lm_pieces_add(pieces, i, i + 1, true));
        done = i + 1;
    }
    if (done < range.stop)
        LM_TRY(lm_pieces_add(pieces, done, range.stop, false));
    return lm_pieces_end(pieces);
}

static bool
is_same(uint32_t c, uint32_t by)
{
    return c == by;
}

static bool
is_punctuation(uint32_t c, uint32_t by)
{
    return lm_unicode_flags(c) & LM_UNICODE_PUNCTUATION;
}

static bool
is_numeric(uint32_t c, uint32_t by)
{
    return lm_unicode_is_numeric(c);
}

lm_status
lm_cut_delimiter(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                 const uint32_t *c, lm_range range, lm_ranges *words)
{
    lm_pieces pieces = {.ctx = ctx, .words = words, .behavior = LM_REMOVED};
    const uint32_t *delimiter = lm_image_at(image, op->args);

    return cut_chars(&pieces, is_same, *delimiter, c, range);
}

lm_status
lm_cut_punctuation(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                   const uint32_t *c, lm_range range, lm_ranges *words)
{
    lm_pieces pieces = {.ctx = ctx, .words = words, .behavior = (lm_behavior)op->flags};

    return cut_chars(&pieces, is_punctuation, 0, c, range);
}

lm_status
lm_cut_digits(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
              const uint32_t *c, lm_range range, lm_ranges *words)
{
    lm_pieces pieces = {.ctx = ctx, .words = words, .behavior = (lm_behavior)op->flags};

    return cut_chars(&pieces, is_numeric, 0, c, range);
}

/*
 * A word begins with each character of another script than the last one that had any. As in the
 * reference the first word begins with the first such character: what stands before it is lost.
 */
lm_status
lm_cut_scripts(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
               const uint32_t *c, lm_range range, lm_ranges *words)
{
    size_t start = range.start;
    unsigned last = LM_SCRIPT_ANY;

    for (size_t i = range.start; i < range.stop; i++) {
        unsigned script = lm_unicode_script(c[i]);

        LM_TRY(lm_poll_step(ctx, i));
        if (script == LM_SCRIPT_ANY || script == last)
            continue;
        if (last != LM_SCRIPT_ANY)
            LM_TRY(lm_ranges_add(ctx, words, start, i));
        start = i;
        last = script;
    }
    return last != LM_SCRIPT_ANY ? lm_ranges_add(ctx, words, start, range.stop) : LM_OK;
}

lm_status
lm_cut_lengths(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
               const uint32_t *c, lm_range range, lm_ranges *words)
{
    const uint64_t length = *(const uint64_t *)lm_image_at(image, op->args);

    for (size_t at = range.start; at < range.stop;) {
        size_t stop = range.stop - at > length ? at + length : range.stop;

        LM_TRY(lm_ranges_add(ctx, words, at, stop));
        if (words->count % LM_STEPS_PER_POLL == 0)
            LM_TRY(lm_poll(ctx));
        at = stop;
    }
    return LM_OK;
}
