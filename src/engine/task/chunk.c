/*
 * chunk.c - cuts a long text into overlapping pieces.
 *
 * The text is tokenized once, with offsets, as far as the next piece may reach. A cut may fall
 * between two tokens whose spans, without white space at their ends, do not overlap; its rank tells
 * how good a place it is. Each piece is then tokenized alone, since a word that is cut may take
 * more tokens than its part did, and is shortened until it fits. What lies before the next piece is
 * forgotten.
 */
#include "task/chunk.h"

#include <string.h>

#include "base/sentence.h"
#include "base/size.h"
#include "base/unicode.h"
#include "base/utf8.h"

enum { CUT_NONE, CUT_TOKEN, CUT_SPACE, CUT_SENTENCE, CUT_PARAGRAPH };

static lm_status check_arguments(lm_context *ctx, int max_tokens, int overlap);
static lm_status find_cuts(lm_chunker *c, size_t last);
static lm_status next_stop(lm_chunker *c, size_t start, size_t previous, size_t *stop,
                           size_t *tokens);
static size_t next_start(const lm_chunker *c, size_t start, size_t stop);

void
lm_chunker_init(lm_chunker *c, lm_context *ctx)
{
    memset(c, 0, sizeof *c);
    c->ctx = ctx;
    lm_encoding_init(&c->part, ctx);
}

void
lm_chunker_free(lm_chunker *c)
{
    lm_encoding_free(&c->part);
    lm_free(c->ctx, c->cuts);
    lm_chunker_init(c, c->ctx);
}

lm_status
lm_chunker_begin(lm_chunker *c, const lm_tokenizer *tokenizer, lm_token_scratch *scratch,
                 const char *text, size_t length, int max_tokens, int overlap)
{
    static const lm_token_options options = {.parse_special = true, .offsets = true};

    LM_TRY(check_arguments(c->ctx, max_tokens, overlap));
    c->tokenizer = tokenizer;
    c->scratch = scratch;
    c->text = text;
    c->length = length;
    c->max_tokens = (size_t)max_tokens;
    c->overlap = (size_t)overlap;
    c->read = c->token_stop = (lm_place){0, 0};
    c->gap = (lm_gap){c->read, c->read, false, 0};
    c->first = c->known = c->start = c->stop = 0;
    c->ended = false;
    return lm_token_stream_open(&c->stream, c->ctx, tokenizer, scratch, text, length, &options);
}

/* An overlap as long as the piece would never end. */
static lm_status
check_arguments(lm_context *ctx, int max_tokens, int overlap)
{
    if (max_tokens < 1) {
        lm_raise(ctx, LM_BAD_ARGUMENT, "max_tokens of a chunk is out of range");
        lm_detail_found(ctx, "%d", max_tokens);
        return lm_detail_allowed(ctx, "at least 1");
    }
    if (overlap < 0 || overlap >= max_tokens) {
        lm_raise(ctx, LM_BAD_ARGUMENT, "overlap of chunks is out of range");
        lm_detail_found(ctx, "%d", overlap);
        return lm_detail_allowed(ctx, "0 to %d", max_tokens - 1);
    }
    return LM_OK;
}

/* The cut before token i. */
static const lm_cut *
cut_at(const lm_chunker *c, size_t i)
{
    return &c->cuts[i - c->first];
}

/* How many tokens the text has; more than any number while the end is not in sight. */
static size_t
total(const lm_chunker *c)
{
    return c->ended ? c->known - 1 : SIZE_MAX;
}

/* Each piece ends further right than the one before: that is what makes the loop end. */
lm_status
lm_chunker_next(lm_chunker *c, lm_chunk *chunk, bool *found)
{
    size_t previous = c->stop, tokens = 0;

    LM_TRY(lm_poll(c->ctx));
    LM_TRY(find_cuts(c, previous + 1));
    *found = previous < total(c);
    if (!*found)
        return LM_OK;
    LM_TRY(next_stop(c, c->start, previous, &c->stop, &tokens));
    if (c->stop == 0) {
        /* With the overlap no piece reaches further than the one before: give it up. */
        c->start = previous;
        LM_TRY(next_stop(c, c->start, previous, &c->stop, &tokens));
    }
    if (c->stop == 0) {
        lm_raise(c->ctx, LM_BAD_ARGUMENT, "the text cannot be split into chunks of so few tokens");
        lm_detail_found(c->ctx, "max_tokens %zu", c->max_tokens);
        return lm_detail_hint(c->ctx, "Raise max_tokens.");
    }
    *chunk =
        (lm_chunk){cut_at(c, c->start)->start.byte, cut_at(c, c->stop)->stop.byte,
                   cut_at(c, c->start)->start.at, cut_at(c, c->stop)->stop.at, (int32_t)tokens};
    c->start = next_start(c, c->start, c->stop);
    return LM_OK;
}

/* ---------------------------------------------------------------- places to cut */

/* The character that starts at a byte. */
static uint32_t
char_at(const lm_chunker *c, size_t byte, int *bytes)
{
    return lm_utf8_decode(c->text + byte, bytes);
}

static bool
is_space(uint32_t value)
{
    return lm_unicode_flags(value) & LM_UNICODE_SPACE;
}

static lm_status
read_char(lm_chunker *c, uint32_t *value)
{
    int bytes;

    LM_TRY(lm_poll_step(c->ctx, (size_t)c->read.at));
    *value = char_at(c, c->read.byte, &bytes);
    c->read.byte += (size_t)bytes;
    c->read.at++;
    return LM_OK;
}

/* The gap has one character more. */
static lm_status
widen_gap(lm_chunker *c)
{
    lm_gap *gap = &c->gap;
    uint32_t value;

    LM_TRY(read_char(c, &value));
    gap->space |= is_space(value);
    gap->lines += value == '\n';
    if (!gap->space)
        gap->stop = c->read;
    if (is_space(value) || !gap->space)
        gap->start = c->read;
    return LM_OK;
}

/*
 * Read on up to a token, or to the end of the text. White space that the token begins with belongs
 * to the gap: Metaspace and ByteLevel have it there.
 */
static lm_status
read_gap(lm_chunker *c, int32_t start, int32_t stop)
{
    int bytes;

    while (
        c->read.byte < c->length &&
        (c->read.at < start || (c->read.at < stop && is_space(char_at(c, c->read.byte, &bytes)))))
        LM_TRY(widen_gap(c));
    return LM_OK;
}

/* Read a token. White space at its end belongs to the gap behind it. */
static lm_status
read_token(lm_chunker *c, int32_t stop)
{
    while (c->read.at < stop && c->read.byte < c->length) {
        uint32_t value;

        LM_TRY(read_char(c, &value));
        if (!is_space(value))
            c->token_stop = c->read;
    }
    c->read = c->token_stop;
    c->gap = (lm_gap){c->read, c->read, false, 0};
    return LM_OK;
}

/* An empty line, a full stop, white space, or nothing of these. */
static int
rank_of(const lm_chunker *c, const lm_gap *g)
{
    if (g->lines > 1)
        return CUT_PARAGRAPH;
    if (lm_sentence_ends(c->text, g->stop.byte, g->space))
        return CUT_SENTENCE;
    return g->space ? CUT_SPACE : CUT_TOKEN;
}

/* Room for `more` cuts; those before the next piece go once they are the greater part. */
static lm_status
reserve_cuts(lm_chunker *c, size_t more)
{
    size_t kept = c->known - c->start, capacity, bytes;
    lm_cut *grown;

    if (c->known - c->first + more <= c->capacity)
        return LM_OK;
    if (kept < c->capacity / 2) {
        memmove(c->cuts, c->cuts + (c->start - c->first), kept * sizeof *c->cuts);
        c->first = c->start;
        if (kept + more <= c->capacity)
            return LM_OK;
    }
    if (lm_add_overflows(2 * c->capacity, more, &capacity) ||
        lm_mul_overflows(capacity, sizeof *grown, &bytes))
        return lm_raise(c->ctx, LM_TOO_LARGE, "the text is too long");
    grown = lm_realloc(c->ctx, c->cuts, bytes);
    if (!grown)
        return LM_NO_MEMORY;
    c->cuts = grown;
    c->capacity = capacity;
    return LM_OK;
}

/*
 * The next cut: before a token at [start, stop) of the text, or at the end. A token that is all
 * white space is part of the gap, so no piece begins or ends with it.
 */
static lm_status
add_cut(lm_chunker *c, int32_t start, int32_t stop, bool end)
{
    lm_cut *cut = &c->cuts[c->known - c->first];

    cut->rank = CUT_NONE;
    /* Tokens that share a span have no cut between them. */
    if (start >= c->token_stop.at) {
        LM_TRY(read_gap(c, start, stop));
        if (!end && c->read.at >= stop)
            return LM_OK;
        cut->stop = c->gap.stop;
        cut->start = c->gap.start;
        cut->rank = c->known == 0 || end ? CUT_PARAGRAPH : rank_of(c, &c->gap);
    }
    c->known++;
    return read_token(c, stop);
}

/* One walk through text and tokens: until the cut before token `last` is known, or that at the end.
 */
static lm_status
find_cuts(lm_chunker *c, size_t last)
{
    while (c->known <= last && !c->ended) {
        LM_TRY(lm_token_stream_next(&c->stream, &c->part));
        LM_TRY(reserve_cuts(c, c->part.count + 1));
        for (size_t i = 0; i < c->part.count; i++)
            LM_TRY(add_cut(c, c->part.start[i], c->part.stop[i], false));
        if (c->part.count == 0) {
            LM_TRY(add_cut(c, INT32_MAX, INT32_MAX, true));
            c->ended = true;
        }
    }
    return LM_OK;
}

/* ---------------------------------------------------------------- choosing */

static size_t
distance(size_t a, size_t b)
{
    return a > b ? a - b : b - a;
}

/* Of the cuts of the best rank in (low, high] the one nearest to `target`; 0 when there is none. */
static size_t
best_cut(const lm_chunker *c, size_t low, size_t high, size_t target, int at_least)
{
    size_t best = 0;

    for (size_t i = high; i > low; i--) {
        int rank = cut_at(c, i)->rank;

        if (rank < at_least || (best != 0 && rank < cut_at(c, best)->rank))
            continue;
        if (best == 0 || rank > cut_at(c, best)->rank ||
            distance(i, target) < distance(best, target))
            best = i;
    }
    return best;
}

/* Tokens of the piece alone. */
static lm_status
count_tokens(lm_chunker *c, size_t start, size_t stop, size_t *tokens)
{
    static const lm_token_options options = {.parse_special = true};
    size_t from = cut_at(c, start)->start.byte;

    return lm_count_tokens(c->ctx, c->tokenizer, c->scratch, c->text + from,
                           cut_at(c, stop)->stop.byte - from, &options, tokens);
}

/* The first place to cut beyond `previous`; there is one, since the text's end is a place. */
static size_t
first_cut(const lm_chunker *c, size_t previous)
{
    size_t i = previous + 1;

    while (cut_at(c, i)->rank == CUT_NONE)
        i++;
    return i;
}

/*
 * Where the piece that starts at `start` ends: beyond `previous`, at the best place of its second
 * half, else at white space of its first half, else anywhere. 0: no place fits.
 */
static lm_status
next_stop(lm_chunker *c, size_t start, size_t previous, size_t *stop, size_t *tokens)
{
    size_t all, high, least;

    LM_TRY(find_cuts(c, start + c->max_tokens + 1));
    all = total(c);
    high = all - start > c->max_tokens ? start + c->max_tokens : all;
    while (high > previous) {
        size_t middle = start + (c->max_tokens - 1) / 2;

        *stop = high == all ? high : 0;
        if (*stop == 0 && middle < high)
            *stop = best_cut(c, middle > previous ? middle : previous, high, high, CUT_SPACE);
        if (*stop == 0)
            *stop = best_cut(c, previous, high, high, CUT_SPACE);
        if (*stop == 0)
            *stop = best_cut(c, previous, high, high, CUT_TOKEN);
        if (*stop == 0)
            return LM_OK;
        LM_TRY(count_tokens(c, start, *stop, tokens));
        if (*tokens <= c->max_tokens)
            return LM_OK;
        least = first_cut(c, previous);
        if (*stop == least)
            break;
        /* In proportion: tokens of white space are counted but have no cuts. */
        high = start + (*stop - start) * c->max_tokens / *tokens;
        high = high < least ? least : high;
    }
    *stop = 0;
    return LM_OK;
}

/* Where the piece after [start, stop) starts: the best place near `overlap` tokens before stop. */
static size_t
next_start(const lm_chunker *c, size_t start, size_t stop)
{
    size_t back = c->overlap, slack = back / 2, low, high, best;

    if (back == 0 || stop - start <= back)
        return stop;
    if (back + slack >= c->max_tokens)
        slack = c->max_tokens - 1 - back;
    low = stop - start > back + slack ? stop - back - slack - 1 : start;
    high = stop - back + back / 2;
    best = best_cut(c, low, high, stop - back, CUT_SPACE);
    return best != 0 ? best : stop;
}
