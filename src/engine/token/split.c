/*
 * split.c - splits a text at added tokens, with their flags: single_word (no word character may
 * touch the token), lstrip and rstrip (white space beside it belongs to it).
 */
#include "token/split.h"

#include "base/unicode.h"
#include "base/utf8.h"
#include "token/match.h"
#include "token/encode_state.h"

void
lm_split_init(lm_split *split, lm_context *ctx, const lm_token_image *image,
              const lm_matcher *matcher, const char *text, size_t length, bool parse_special)
{
    *split = (lm_split){.ctx = ctx,
                        .image = image,
                        .matcher = matcher,
                        .text = text,
                        .length = length,
                        .parse_special = parse_special,
                        .id = -1,
                        .pending_id = -1};
}

/* Whether the character that starts at c has a property. */
static bool
has_flag(const char *c, unsigned flag)
{
    int bytes;

    return lm_unicode_flags(lm_utf8_decode(c, &bytes)) & flag;
}

/* The start of the character that ends before `at`, which is not 0. */
static size_t
before(const char *text, size_t at)
{
    do
        at--;
    while (((unsigned char)text[at] & 0xc0) == 0x80);
    return at;
}

/* A token that must be a word of its own has no word character on either side. */
static bool
touches_word(const lm_split *split, lm_match match)
{
    return (match.start > 0 &&
            has_flag(split->text + before(split->text, match.start), LM_UNICODE_WORD)) ||
           (match.stop < split->length && has_flag(split->text + match.stop, LM_UNICODE_WORD));
}

/* Widen a match over the white space before it, but not over what an earlier token took. */
static lm_status
take_space_before(const lm_split *split, lm_match *match)
{
    size_t steps = 0;

    while (match->start > split->done &&
           has_flag(split->text + before(split->text, match->start), LM_UNICODE_SPACE)) {
        match->start = before(split->text, match->start);
        LM_TRY(lm_poll_step(split->ctx, steps++));
    }
    if (match->start < split->done)
        match->start = split->done < match->stop ? split->done : match->stop;
    return LM_OK;
}

/* The same for what is after it. */
static lm_status
take_space_after(const lm_split *split, lm_match *match)
{
    size_t steps = 0;

    while (match->stop < split->length && has_flag(split->text + match->stop, LM_UNICODE_SPACE)) {
        int bytes;

        lm_utf8_decode(split->text + match->stop, &bytes);
        match->stop += (size_t)bytes;
        LM_TRY(lm_poll_step(split->ctx, steps++));
    }
    return LM_OK;
}

/*
 * The end comes first: a token of white space that an earlier one took as a whole keeps nothing,
 * and is none.
 */
static lm_status
take_space(const lm_split *split, unsigned flags, lm_match *match)
{
    if (flags & LM_ADDED_RSTRIP)
        LM_TRY(take_space_after(split, match));
    return flags & LM_ADDED_LSTRIP ? take_space_before(split, match) : LM_OK;
}

/* Whether a match is a token here: special tokens may be switched off, some stand alone only. */
static bool
counts(const lm_split *split, unsigned flags, lm_match match)
{
    if (!split->parse_special && (flags & LM_ADDED_SPECIAL))
        return false;
    return !(flags & LM_ADDED_SINGLE_WORD) || !touches_word(split, match);
}

/*
 * The next added token that counts, or *id -1; the search goes on where the token ends as it is
 * written. Polls where a search finds nothing that counts.
 */
static lm_status
find_token(lm_split *split, lm_match *match, int32_t *id)
{
    const lm_added *added = lm_image_at(split->image, split->image->added);

    *id = -1;
    if (lm_matcher_is_empty(split->matcher))
        return LM_OK;
    while (split->search < split->length) {
        *match = lm_matcher_find(split->image, split->matcher, split->text, split->search,
                                 split->length);
        split->search = match->stop;
        if (match->value >= 0 && counts(split, added[match->value].flags, *match)) {
            *id = added[match->value].id;
            return take_space(split, added[match->value].flags, match);
        }
        LM_TRY(lm_poll(split->ctx));
    }
    return LM_OK;
}

/* A token that is found ends the plain stretch before it: that one is handed out first. */
bool
lm_split_next(lm_split *split)
{
    lm_match match;
    int32_t id;

    if (split->pending_id >= 0) {
        split->start = split->pending_start;
        split->stop = split->done = split->pending_stop;
        split->id = split->pending_id;
        split->pending_id = -1;
        return true;
    }
    split->status = find_token(split, &match, &id);
    if (split->status != LM_OK)
        return false;
    if (id >= 0) {
        size_t done = split->done;

        split->pending_start = match.start;
        split->pending_stop = match.stop;
        split->pending_id = id;
        if (done >= match.start)
            return lm_split_next(split);
        split->start = done;
        split->stop = match.start;
        split->id = -1;
        return true;
    }
    split->search = split->length;
    split->start = split->done;
    split->stop = split->done = split->length;
    split->id = -1;
    return split->start < split->stop;
}
