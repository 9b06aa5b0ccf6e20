/*
 * composed.c - a table by hand: large blocks that hold letters only.
 *
 * Each character of it is its own form C, has combining class 0, and is never the second of two
 * that compose. test_composed_ranges holds the table against the tables of base/unicode.
 */
#include "token/composed.h"

#include "base/utf8.h"

/* Bytes between two polls. */
#define POLL_BYTES ((size_t)1 << 20)

const uint32_t lm_composed_ranges[][2] = {
    {0x0000, 0x02ff},                     /* Latin */
    {0x4e00, 0x9fff},                     /* ideographs */
    {0xac00, 0xd7a3},                     /* syllables of Hangul: their jamo are not here */
    {0x0400, 0x0482},                     /* Cyrillic */
    {0x048a, 0x052f},   {0x3041, 0x3096}, /* Hiragana */
    {0x30a0, 0x30ff},                     /* Katakana */
    {0x2010, 0x2027},                     /* punctuation */
    {0x3003, 0x3029},   {0xff01, 0xff9d}, /* forms of full and half width */
    {0x0621, 0x064a},                     /* Arabic */
    {0x05d0, 0x05ea},                     /* Hebrew */
    {0x0391, 0x03ce},                     /* Greek */
    {0x20a0, 0x20c0},                     /* currencies */
    {0x2190, 0x2194},   {0x2200, 0x2203}, {0x2500, 0x2775}, /* boxes, symbols */
    {0x1f300, 0x1faff},                                     /* pictures */
};

const size_t lm_composed_range_count = sizeof lm_composed_ranges / sizeof lm_composed_ranges[0];

static bool
in_ranges(uint32_t c)
{
    for (size_t i = 0; i < lm_composed_range_count; i++)
        if (c >= lm_composed_ranges[i][0] && c <= lm_composed_ranges[i][1])
            return true;
    return false;
}

lm_status
lm_is_composed(lm_context *ctx, const char *text, size_t length, bool *composed)
{
    size_t poll = POLL_BYTES;

    *composed = true;
    for (size_t at = 0; at < length;) {
        int bytes = 1;

        /* All below U+0300 have two bytes at most, the first of them below 0xcc. */
        if ((unsigned char)text[at] >= 0xcc && !in_ranges(lm_utf8_decode(text + at, &bytes))) {
            *composed = false;
            return LM_OK;
        }
        at += (size_t)bytes;
        if (at >= poll) {
            LM_TRY(lm_poll(ctx));
            poll = at + POLL_BYTES;
        }
    }
    return LM_OK;
}
