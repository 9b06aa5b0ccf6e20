/*
 * html.c - character references of HTML; the contract is in html.h.
 */
#include "base/html.h"

#include <string.h>

#include "base/html_data.h"
#include "base/utf8.h"

/* The longest name that is looked at, in characters. */
#define NAME_CHARACTERS 32
#define REPLACEMENT 0xfffdu
#define BEYOND 0x110000u

/* What numbers from 0x80 to 0x9f mean: the letters of Windows-1252. */
static const uint16_t windows[32] = {
    0x20ac, 0x81,   0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x8d,   0x017d, 0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d,   0x017e, 0x0178};

static lm_status
append(lm_buffer *to, uint32_t c)
{
    char bytes[4];

    return lm_buffer_append(to, bytes, (size_t)lm_utf8_encode(c, bytes));
}

/* ---- Numbers ---- */

/* Controls and values that are no character: these references vanish. */
static bool
vanishes(uint32_t c)
{
    if (c < 0x20)
        return c != '\t' && c != '\n' && c != '\f' && c != '\r';
    return c == 0x7f || (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

static lm_status
append_number(lm_buffer *to, uint32_t c)
{
    if (c == 0 || c >= BEYOND || (c >= 0xd800 && c <= 0xdfff))
        return append(to, REPLACEMENT);
    if (c >= 0x80 && c <= 0x9f)
        return append(to, windows[c - 0x80]);
    return vanishes(c) ? LM_OK : append(to, c);
}

static int
digit_of(char c, uint32_t base)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return base == 16 && c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind "&#": the bytes that a number takes, 0 where there is none. */
static size_t
read_number(const char *text, size_t length, uint32_t *value)
{
    const uint32_t base = length > 0 && (text[0] | 0x20) == 'x' ? 16 : 10;
    const size_t first = base == 16;
    size_t at = first;
    int digit;

    *value = 0;
    for (; at < length && (digit = digit_of(text[at], base)) >= 0; at++)
        if (*value < BEYOND)
            *value = *value * base + (uint32_t)digit;
    if (at == first)
        return 0;
    return at + (at < length && text[at] == ';');
}

/* ---- Names ---- */

/* The number of a name in the table, or -1. */
static int
find_name(const char *name, size_t length)
{
    unsigned low = 0, high = lm_html_count;

    while (low < high) {
        const unsigned middle = (low + high) / 2;
        const char *other = lm_html_names + lm_html_name_at[middle];
        int order = strncmp(name, other, length);

        if (order == 0 && other[length] != '\0')
            order = -1;
        if (order == 0)
            return (int)middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

static bool
ends_name(char c)
{
    return c == '\t' || c == '\n' || c == '\f' || c == ' ' || c == '<' || c == '&' || c == '#' ||
           c == ';';
}

/* Behind "&": the bytes that may be a name, with the semicolon. */
static size_t
name_bytes(const char *text, size_t length)
{
    size_t at = 0;

    for (int n = 0; n < NAME_CHARACTERS && at < length && !ends_name(text[at]); n++) {
        int bytes;

        lm_utf8_decode(text + at, &bytes);
        at += (size_t)bytes;
    }
    return at + (at > 0 && at < length && text[at] == ';');
}

/* The longest name that the bytes begin with; the rest of them stays. */
static lm_status
append_name(lm_buffer *to, const char *text, size_t length)
{
    for (size_t some = length; some >= 2; some--) {
        const int found = find_name(text, some);

        if (found < 0)
            continue;
        LM_TRY(append(to, lm_html_values[found][0]));
        if (lm_html_values[found][1])
            LM_TRY(append(to, lm_html_values[found][1]));
        return lm_buffer_append(to, text + some, length - some);
    }
    LM_TRY(lm_buffer_append_byte(to, '&'));
    return lm_buffer_append(to, text, length);
}

/* At an ampersand: what stands for it, and how many bytes that was. */
static lm_status
append_reference(lm_buffer *to, const char *text, size_t length, size_t *taken)
{
    uint32_t number;
    size_t bytes;

    if (length > 1 && text[1] == '#') {
        bytes = read_number(text + 2, length - 2, &number);
        *taken = bytes ? bytes + 2 : 1;
        return bytes ? append_number(to, number) : lm_buffer_append_byte(to, '&');
    }
    bytes = name_bytes(text + 1, length - 1);
    *taken = bytes + 1;
    return append_name(to, text + 1, bytes);
}

lm_status
lm_html_unescape(lm_buffer *to, const char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        const size_t some = length - at < 65536 ? length - at : 65536;
        const char *next = memchr(text + at, '&', some);
        const size_t plain = next ? (size_t)(next - text) - at : some;
        size_t taken = 0;

        LM_TRY(lm_poll(to->ctx));
        LM_TRY(lm_buffer_append(to, text + at, plain));
        if (next)
            LM_TRY(append_reference(to, next, length - at - plain, &taken));
        at += plain + taken;
    }
    return LM_OK;
}
