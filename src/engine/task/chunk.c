/*
 * chunk.c - cuts a long text into overlapping pieces.
 *
 * The text is tokenized once, with offsets. A cut may fall between two tokens whose spans do not
 * overlap; its rank tells how good a place it is. Each piece is then tokenized alone, since a word
 * that is cut may take more tokens than its part did, and is shortened until it fits.
 */
#include "task/chunk.h"

#include <string.h>

#include "base/size.h"
#include "base/unicode.h"
#include "base/utf8.h"

/* Quotation marks and brackets that may stand between a full stop and the next sentence. */
#define CLOSING_MARKS 16

typedef enum cut_rank { CUT_NONE, CUT_TOKEN, CUT_SPACE, CUT_SENTENCE, CUT_PARAGRAPH } cut_rank;

/* A place between two tokens: pieces end at `stop` and start at `start`, with white space between.
 */
typedef struct cut {
    size_t byte_stop, byte_start;
    int32_t stop, start;
    cut_rank rank;
} cut;

typedef struct chunker {
    lm_context *ctx;
    const lm_tokenizer *tokenizer;
    lm_token_scratch *scratch;
    const char *text;
    size_t length;
    size_t max_tokens, overlap;
    lm_encoding tokens; /* of the whole text */
    lm_encoding piece;  /* of one piece alone */
    cut *cuts;          /* tokens.count + 1: before each token, and at the end */
    lm_chunk *chunks;
    size_t count, capacity;
} chunker;

static lm_status check_arguments(lm_context *ctx, int max_tokens, int overlap);
static lm_status make_chunks(chunker *c);
static lm_status find_cuts(chunker *c);
static lm_status next_stop(chunker *c, size_t start, size_t previous, size_t *stop);
static size_t next_start(const chunker *c, size_t start, size_t stop);

/* What is only needed while cutting is freed here; the pieces go to the caller. */
lm_status
lm_chunk_text(lm_context *ctx, const lm_tokenizer *tokenizer, lm_token_scratch *scratch,
              const char *text, size_t length, int max_tokens, int overlap, lm_chunk **chunks,
              size_t *count)
{
    chunker c = {
        .ctx = ctx, .tokenizer = tokenizer, .scratch = scratch, .text = text, .length = length};
    lm_status status;

    *chunks = NULL;
    *count = 0;
    LM_TRY(check_arguments(ctx, max_tokens, overlap));
    c.max_tokens = (size_t)max_tokens;
    c.overlap = (size_t)overlap;
    lm_encoding_init(&c.tokens, ctx);
    lm_encoding_init(&c.piece, ctx);
    status = make_chunks(&c);
    lm_encoding_free(&c.tokens);
    lm_encoding_free(&c.piece);
    lm_free(ctx, c.cuts);
    if (status != LM_OK) {
        lm_free(ctx, c.chunks);
        return status;
    }
    *chunks = c.chunks;
    *count = c.count;
    return LM_OK;
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

/* Pieces grow by doubling. */
static lm_status
add_chunk(chunker *c, const cut *from, const cut *to, size_t tokens)
{
    if (c->count == c->capacity) {
        size_t capacity = c->capacity ? 2 * c->capacity : 16;
        lm_chunk *grown = lm_realloc(c->ctx, c->chunks, capacity * sizeof *grown);

        if (!grown)
            return LM_NO_MEMORY;
        c->chunks = grown;
        c->capacity = capacity;
    }
    c->chunks[c->count++] =
        (lm_chunk){from->byte_start, to->byte_stop, from->start, to->stop, (int32_t)tokens};
    return LM_OK;
}

/* Each piece ends further right than the one before: that is what makes the loop end. */
static lm_status
make_chunks(chunker *c)
{
    static const lm_token_options options = {false, true, true, 0};
    size_t start = 0, stop = 0;

    LM_TRY(lm_tokenize(c->ctx, c->tokenizer, c->scratch, c->text, c->length, &options, &c->tokens));
    LM_TRY(find_cuts(c));
    while (stop < c->tokens.count) {
        size_t previous = stop;

        LM_TRY(lm_poll(c->ctx));
        LM_TRY(next_stop(c, start, previous, &stop));
        if (stop == 0) {
            /* With the overlap no piece reaches further than the one before: give it up. */
            start = previous;
            LM_TRY(next_stop(c, start, previous, &stop));
        }
        if (stop == 0) {
            lm_raise(c->ctx, LM_BAD_ARGUMENT,
                     "the text cannot be cut into chunks of so few tokens");
            lm_detail_found(c->ctx, "max_tokens %zu", c->max_tokens);
            return lm_detail_hint(c->ctx, "Raise max_tokens.");
        }
        LM_TRY(add_chunk(c, &c->cuts[start], &c->cuts[stop], c->piece.count));
        start = next_start(c, start, stop);
    }
    return LM_OK;
}

/* ---------------------------------------------------------------- places to cut */

/* A place in the text, in bytes and characters. */
typedef struct place {
    size_t byte;
    int32_t c;
} place;

/* What stands between two tokens. */
typedef struct gap {
    place stop;  /* after what belongs to the left token: marks, controls */
    place start; /* before what belongs to the right one */
    bool space;
    int lines; /* line feeds */
} gap;

/* The character that starts at a byte. */
static uint32_t
char_at(const chunker *c, size_t byte, int *bytes)
{
    return lm_utf8_decode(c->text + byte, bytes);
}

/* Read the characters from `at` up to character `end`. */
static gap
read_gap(const chunker *c, place *at, int32_t end)
{
    gap found = {*at, *at, false, 0};

    while (at->c < end) {
        int bytes;
        uint32_t value = char_at(c, at->byte, &bytes);
        bool space = lm_unicode_flags(value) & LM_UNICODE_SPACE;

        at->byte += (size_t)bytes;
        at->c++;
        found.space |= space;
        found.lines += value == '\n';
        if (!found.space)
            found.stop = *at;
        if (space || !found.space)
            found.start = *at;
    }
    return found;
}

/* Full stops of scripts that put no space after them. */
static bool
is_wide_stop(uint32_t c)
{
    return c == 0x3002 || c == 0xff01 || c == 0xff1f || c == 0xff61;
}

/* Full stops of the scripts that have one, before white space. */
static bool
is_stop(uint32_t c)
{
    return c == '.' || c == '!' || c == '?' || c == 0x2026 || c == 0x0964 || c == 0x06d4 ||
           c == 0x061f || is_wide_stop(c);
}

/*
 * Whether a sentence ends before byte `at`: a full stop, and closing marks after it. Not more of
 * them than CLOSING_MARKS, or a text of nothing else would take time quadratic in its length.
 */
static bool
ends_sentence(const chunker *c, size_t at, bool space)
{
    static const uint32_t closing[] = {'"',  '\'',   ')',    ']',    0x201d, 0x2019,
                                       0xbb, 0x300d, 0x300f, 0xff09, 0x201c, 0x203a};

    for (int marks = 0; at > 0 && marks <= CLOSING_MARKS; marks++) {
        bool closes = false;
        uint32_t value;
        int bytes;

        do
            at--;
        while (((unsigned char)c->text[at] & 0xc0) == 0x80);
        value = char_at(c, at, &bytes);
        if (is_stop(value))
            return space || is_wide_stop(value);
        for (size_t i = 0; i < sizeof closing / sizeof closing[0]; i++)
            closes |= value == closing[i];
        if (!closes)
            return false;
    }
    return false;
}

/* An empty line, a full stop, white space, or nothing of these. */
static cut_rank
rank_of(const chunker *c, const gap *g)
{
    if (g->lines > 1)
        return CUT_PARAGRAPH;
    if (ends_sentence(c, g->stop.byte, g->space))
        return CUT_SENTENCE;
    return g->space ? CUT_SPACE : CUT_TOKEN;
}

/* One walk through text and tokens. Tokens that share a span have no cut between them. */
static lm_status
find_cuts(chunker *c)
{
    const lm_encoding *tokens = &c->tokens;
    place at = {0, 0};
    int32_t total = (int32_t)lm_utf8_count(c->text, c->length);

    c->cuts = lm_alloc_array(c->ctx, tokens->count + 1, sizeof *c->cuts);
    if (!c->cuts)
        return LM_NO_MEMORY;
    for (size_t i = 0; i <= tokens->count; i++) {
        int32_t next = i < tokens->count ? tokens->start[i] : total;
        gap g;

        if (i % 65536 == 0)
            LM_TRY(lm_poll(c->ctx));
        c->cuts[i].rank = CUT_NONE;
        if (next < at.c)
            continue;
        g = read_gap(c, &at, next);
        c->cuts[i] = (cut){g.stop.byte, g.start.byte, g.stop.c, g.start.c,
                           i == 0 || i == tokens->count ? CUT_PARAGRAPH : rank_of(c, &g)};
        if (i < tokens->count)
            read_gap(c, &at, tokens->stop[i]);
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
best_cut(const chunker *c, size_t low, size_t high, size_t target, cut_rank at_least)
{
    size_t best = 0;

    for (size_t i = high; i > low; i--) {
        cut_rank rank = c->cuts[i].rank;

        if (rank < at_least || (best != 0 && rank < c->cuts[best].rank))
            continue;
        if (best == 0 || rank > c->cuts[best].rank || distance(i, target) < distance(best, target))
            best = i;
    }
    return best;
}

/* Tokens of the piece alone, into c->piece. */
static lm_status
count_tokens(chunker *c, size_t start, size_t stop)
{
    static const lm_token_options options = {false, true, false, 0};
    size_t from = c->cuts[start].byte_start;

    return lm_tokenize(c->ctx, c->tokenizer, c->scratch, c->text + from,
                       c->cuts[stop].byte_stop - from, &options, &c->piece);
}

/*
 * Where the piece that starts at `start` ends: beyond `previous`, at the best place of its second
 * half, else at white space of its first half, else anywhere. 0: no place fits.
 */
static lm_status
next_stop(chunker *c, size_t start, size_t previous, size_t *stop)
{
    size_t high = c->tokens.count - start > c->max_tokens ? start + c->max_tokens : c->tokens.count;

    while (high > previous) {
        size_t middle = start + (c->max_tokens - 1) / 2, excess;

        *stop = high == c->tokens.count ? high : 0;
        if (*stop == 0 && middle < high)
            *stop = best_cut(c, middle > previous ? middle : previous, high, high, CUT_SPACE);
        if (*stop == 0)
            *stop = best_cut(c, previous, high, high, CUT_SPACE);
        if (*stop == 0)
            *stop = best_cut(c, previous, high, high, CUT_TOKEN);
        if (*stop == 0)
            return LM_OK;
        LM_TRY(count_tokens(c, start, *stop));
        if (c->piece.count <= c->max_tokens)
            return LM_OK;
        excess = c->piece.count - c->max_tokens;
        if (*stop - previous == 1)
            break;
        high = *stop - previous > excess ? *stop - excess : previous + 1;
    }
    *stop = 0;
    return LM_OK;
}

/* Where the piece after [start, stop) starts: the best place near `overlap` tokens before stop. */
static size_t
next_start(const chunker *c, size_t start, size_t stop)
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
