/*
 * sentence.c - where sentences end; the contract is in sentence.h.
 */
#include "base/sentence.h"

#include "base/unicode.h"
#include "base/utf8.h"

/* Quotation marks and brackets that may stand between a full stop and the next sentence. */
#define CLOSING_MARKS 16
#define POLL_CHARACTERS 65536

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

static bool
is_closing(uint32_t c)
{
    static const uint32_t closing[] = {'"',  '\'',   ')',    ']',    0x201d, 0x2019,
                                       0xbb, 0x300d, 0x300f, 0xff09, 0x201c, 0x203a};

    for (size_t i = 0; i < sizeof closing / sizeof closing[0]; i++)
        if (c == closing[i])
            return true;
    return false;
}

/* Not more than CLOSING_MARKS, or a text of nothing else would take time quadratic in its length.
 */
bool
lm_sentence_ends(const char *text, size_t at, bool space)
{
    for (int marks = 0; at > 0 && marks <= CLOSING_MARKS; marks++) {
        uint32_t value;
        int bytes;

        do
            at--;
        while (((unsigned char)text[at] & 0xc0) == 0x80);
        value = lm_utf8_decode(text + at, &bytes);
        if (is_stop(value))
            return space || is_wide_stop(value);
        if (!is_closing(value))
            return false;
    }
    return false;
}

/* The character at the walk's place, and whether it is white space. */
static bool
at_space(const lm_sentence_walk *walk, uint32_t *value, int *bytes)
{
    *value = lm_utf8_decode(walk->text + walk->byte, bytes);
    return lm_unicode_flags(*value) & LM_UNICODE_SPACE;
}

static lm_status
step(lm_sentence_walk *walk, int bytes)
{
    walk->byte += (size_t)bytes;
    walk->at++;
    return walk->at % POLL_CHARACTERS == 0 ? lm_poll(walk->ctx) : LM_OK;
}

/* Passes white space; *lines receives its line feeds. */
static lm_status
skip_space(lm_sentence_walk *walk, int *lines)
{
    uint32_t value;
    int bytes;

    *lines = 0;
    while (walk->byte < walk->length && at_space(walk, &value, &bytes)) {
        *lines += value == '\n';
        LM_TRY(step(walk, bytes));
    }
    return LM_OK;
}

/* Passes a character and those up to white space, or to the end of a sentence that needs none. */
static lm_status
skip_word(lm_sentence_walk *walk)
{
    size_t first = walk->byte;
    uint32_t value;
    int bytes;

    while (walk->byte < walk->length && !at_space(walk, &value, &bytes)) {
        bool inside = is_closing(value) || is_stop(value) || walk->byte == first;

        if (!inside && lm_sentence_ends(walk->text, walk->byte, false))
            return LM_OK;
        LM_TRY(step(walk, bytes));
    }
    return LM_OK;
}

lm_status
lm_sentence_next(lm_sentence_walk *walk, lm_sentence *sentence, bool *found)
{
    bool ended = false;
    int lines;

    LM_TRY(skip_space(walk, &lines));
    *sentence = (lm_sentence){walk->byte, walk->byte, walk->at, walk->at};
    while (walk->byte < walk->length && !ended) {
        LM_TRY(skip_word(walk));
        sentence->byte_stop = walk->byte;
        sentence->stop = walk->at;
        LM_TRY(skip_space(walk, &lines));
        ended = lines > 1 ||
                lm_sentence_ends(walk->text, sentence->byte_stop, walk->byte > sentence->byte_stop);
    }
    *found = sentence->byte_stop > sentence->byte_start;
    return LM_OK;
}
