/*
 * regex.c - runs automata over texts.
 *
 * A search tries one place after the other. What an attempt reads behind the end of its match is
 * read again by the next one; where that adds up to more than a few readings of the text, it is
 * remembered (Reps 1998): a row that was reached at a place and came to no match from there comes
 * to none when it is reached there again. Only the first character in each run of VAIN_RUN units is
 * a place in this sense, so a bit for each of them and each row is enough.
 */
#include "token/regex.h"

#include <string.h>

#include "base/utf8.h"

#define VAIN_SHIFT 6
#define NONE SIZE_MAX
#define LEG ((size_t)1 << 20) /* units between two polls */
/* Units read for one of the text before memory is taken. */
#define PATIENCE 8
#define FIRST_PATIENCE 4096

#define ALWAYS_INLINE static inline __attribute__((always_inline))

bool
lm_regex_may_be_empty(const lm_regex *regex, const lm_token_image *image)
{
    const uint32_t *start = lm_image_at(image, regex->start),
                   *next = lm_image_at(image, regex->next);

    for (uint32_t before = 0; before <= regex->classes; before++)
        for (uint32_t class = 0; class <= regex->classes; class ++)
            if (next[start[before] + class] & 1)
                return true;
    return false;
}

/* Whether the row behind a letter or digit ends before a space, and at the end of the text. */
static bool
ends_there(const lm_regex *regex, const uint32_t *next, uint32_t row)
{
    return next[row + regex->ascii[' ']] == 1 && next[row + regex->classes] == 1;
}

/* From every row, since any may be the one before; and each letter and digit begins a match. */
static bool
ends_behind(const lm_regex *regex, const uint32_t *next, uint32_t first, unsigned class)
{
    const uint32_t width = regex->classes + 1;

    if (next[first + class] >> 1 == 0)
        return false;
    for (uint32_t row = width; row < regex->rows * width; row += width) {
        uint32_t after = next[row + class] >> 1;

        if (after != 0 && !ends_there(regex, next, after))
            return false;
    }
    return true;
}

bool
lm_regex_ends_before_space(const lm_regex *regex, const lm_token_image *image)
{
    static const char some[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    const uint32_t *start = lm_image_at(image, regex->start),
                   *next = lm_image_at(image, regex->next);

    if (regex->looks_behind)
        return false;
    for (size_t i = 0; i < sizeof some - 1; i++)
        if (!ends_behind(regex, next, start[0], regex->ascii[(unsigned char)some[i]]))
            return false;
    return true;
}

static void
open_search(lm_regex_search *search, lm_context *ctx, const lm_token_image *image,
            const lm_regex *regex, const void *text, size_t length, bool bytes)
{
    *search = (lm_regex_search){.ctx = ctx,
                                .regex = regex,
                                .block = lm_image_at(image, regex->block),
                                .value = lm_image_at(image, regex->value),
                                .start = lm_image_at(image, regex->start),
                                .next = lm_image_at(image, regex->next),
                                .text = text,
                                .length = length,
                                .bytes = bytes,
                                .matched = NONE};
    lm_buffer_init(&search->vain, ctx);
}

void
lm_regex_open_bytes(lm_regex_search *search, lm_context *ctx, const lm_token_image *image,
                    const lm_regex *regex, const char *text, size_t length)
{
    open_search(search, ctx, image, regex, text, length, true);
}

void
lm_regex_open_chars(lm_regex_search *search, lm_context *ctx, const lm_token_image *image,
                    const lm_regex *regex, const uint32_t *text, size_t length)
{
    open_search(search, ctx, image, regex, text, length, false);
}

void
lm_regex_close(lm_regex_search *search)
{
    lm_buffer_free(&search->vain);
}

/* What a loop over characters reads, in registers: stores of the loop cannot change it. */
typedef struct reader {
    const void *text;
    const uint8_t *ascii, *value;
    const uint16_t *block;
} reader;

ALWAYS_INLINE reader
reader_of(const lm_regex_search *s)
{
    return (reader){s->text, s->regex->ascii, s->value, s->block};
}

ALWAYS_INLINE unsigned
class_of(reader r, uint32_t c)
{
    return r.value[(size_t)r.block[c >> LM_REGEX_SHIFT] << LM_REGEX_SHIFT |
                   (c & ((1u << LM_REGEX_SHIFT) - 1))];
}

/* The class of the character at a place, and how many units it has. */
ALWAYS_INLINE unsigned
read_class(reader r, size_t at, bool bytes, size_t *units)
{
    uint32_t c = bytes ? ((const unsigned char *)r.text)[at] : ((const uint32_t *)r.text)[at];
    int length = 1;

    *units = 1;
    if (__builtin_expect(c < 0x80, 1))
        return r.ascii[c];
    if (bytes)
        c = lm_utf8_decode((const char *)r.text + at, &length);
    *units = (size_t)length;
    return class_of(r, c);
}

/* How far an attempt came. */
typedef struct attempt {
    size_t from;        /* where it began … */
    uint32_t first_row; /* … in this row */
    size_t match;       /* where its last match ends, or NONE … */
    uint32_t match_row; /* … and the row there */
    size_t read;        /* where it is … */
    uint32_t row;       /* … in this row; 0: it has ended */
} attempt;

/* Whether a step leads into a run of units that the place before was not in. */
ALWAYS_INLINE bool
is_checked(size_t before, size_t at)
{
    return (before ^ at) >> VAIN_SHIFT != 0;
}

/* The bit of a row (a multiple of the row's length) at a place. */
ALWAYS_INLINE size_t
vain_bit(const lm_regex_search *s, uint32_t row, size_t at)
{
    return (at >> VAIN_SHIFT) * s->regex->rows + row / (s->regex->classes + 1);
}

ALWAYS_INLINE bool
is_vain(const lm_regex_search *s, uint32_t row, size_t at)
{
    size_t bit = vain_bit(s, row, at);

    return s->vain.data[bit >> 3] >> (bit & 7) & 1;
}

/*
 * Read on, at most LEG units. Row 0 is the end: no thread is left, or all there is to find is known
 * to be vain. The end of the text leads there from everywhere.
 */
ALWAYS_INLINE void
run(const lm_regex_search *s, attempt *a, bool bytes, bool remember)
{
    const size_t length = s->length, stop = length - a->read > LEG ? a->read + LEG : length;
    const reader r = reader_of(s);
    const uint32_t *next = s->next;
    const uint32_t end = s->regex->classes;
    size_t at = a->read, match = a->match, units = 0;
    uint32_t row = a->row, match_row = a->match_row;

    do {
        unsigned class = at < length ? read_class(r, at, bytes, &units) : end;
        uint32_t entry = next[row + class];

        match = entry & 1 ? at : match;
        if (remember && entry & 1)
            match_row = row;
        row = entry >> 1;
        if (row == 0)
            break;
        at += units;
        if (remember && is_checked(at - units, at) && is_vain(s, row, at))
            row = 0;
    } while (row != 0 && (at < stop || stop == length));
    *a = (attempt){a->from, a->first_row, match, match_row, at, row};
}

static void
run_any(const lm_regex_search *s, attempt *a)
{
    if (s->vain.size) {
        if (s->bytes)
            run(s, a, true, true);
        else
            run(s, a, false, true);
    } else if (s->bytes) {
        run(s, a, true, false);
    } else {
        run(s, a, false, false);
    }
}

/* Short attempts are many, so all share one count of what was read since the last poll. */
static lm_status
poll_read(lm_regex_search *s, size_t units)
{
    s->unpolled += units;
    if (s->unpolled < LEG)
        return LM_OK;
    s->unpolled = 0;
    return lm_poll(s->ctx);
}

/* Go the way again that led to no match after the last one. */
static lm_status
remember_vain(lm_regex_search *s, const attempt *a)
{
    size_t at = a->match == NONE ? a->from : a->match, units = 0;
    uint32_t row = a->match == NONE ? a->first_row : a->match_row;

    while (at < a->read) {
        unsigned class = read_class(reader_of(s), at, s->bytes, &units);

        row = s->next[row + class] >> 1;
        at += units;
        if (is_checked(at - units, at)) {
            size_t bit = vain_bit(s, row, at);

            s->vain.data[bit >> 3] |= (char)(1 << (bit & 7));
            LM_TRY(poll_read(s, (size_t)1 << VAIN_SHIFT));
        }
    }
    return LM_OK;
}

/* Bits for the whole text, as soon as it was read more often than is good. */
static lm_status
lose_patience(lm_regex_search *s)
{
    size_t places = (s->length >> VAIN_SHIFT) + 1, bits;

    if (s->vain.size || s->steps / PATIENCE <= s->at + FIRST_PATIENCE)
        return LM_OK;
    if (lm_mul_overflows(places, s->regex->rows, &bits))
        return lm_raise(s->ctx, LM_TOO_LARGE, "the text is too large");
    LM_TRY(lm_buffer_reserve(&s->vain, bits / 8 + 1));
    memset(s->vain.data, 0, bits / 8 + 1);
    s->vain.size = bits / 8 + 1;
    return LM_OK;
}

static bool
is_inside(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The row to begin with depends on the character before, where the pattern looks behind. */
static uint32_t
start_row(const lm_regex_search *s, size_t at)
{
    const unsigned char *text = s->text;
    size_t before = at, units;

    if (!s->regex->looks_behind || at == 0)
        return s->start[s->regex->classes];
    before--;
    while (s->bytes && is_inside(text[before]))
        before--;
    return s->start[read_class(reader_of(s), before, s->bytes, &units)];
}

/* An attempt at a place. */
static lm_status
try_place(lm_regex_search *s, attempt *a)
{
    a->from = a->read = s->at;
    a->row = a->first_row = a->match_row = start_row(s, s->at);
    a->match = NONE;
    while (a->row != 0) {
        size_t before = a->read;

        run_any(s, a);
        LM_TRY(poll_read(s, a->read - before + 1));
    }
    s->steps += a->read - a->from + 1;
    if (s->vain.size)
        LM_TRY(remember_vain(s, a));
    return lose_patience(s);
}

static size_t
next_place(const lm_regex_search *s, size_t at)
{
    const unsigned char *text = s->text;

    at++;
    while (s->bytes && at < s->length && is_inside(text[at]))
        at++;
    return at;
}

lm_status
lm_regex_next(lm_regex_search *search, size_t *start, size_t *stop, bool *found)
{
    *found = false;
    while (search->at <= search->length) {
        attempt a;

        LM_TRY(try_place(search, &a));
        *found = a.match != NONE && (a.match > a.from || a.match != search->matched);
        search->at = *found ? a.match : next_place(search, search->at);
        if (!*found)
            continue;
        search->matched = a.match;
        *start = a.from;
        *stop = a.match;
        return LM_OK;
    }
    return LM_OK;
}
