/*
 * utf8.c - validation and counting; runs of ASCII go eight bytes at a time.
 */
#include "base/utf8.h"

#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

/* Length of the well-formed sequence at s (Unicode 15, table 3-7), or 0; left bytes remain. */
static int
sequence_length(const unsigned char *s, size_t left)
{
    unsigned char low = 0x80, high = 0xbf;
    int length;

    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    length = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (left < (size_t)length)
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0;
    else if (s[0] == 0xed)
        high = 0x9f;
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f;
    if (s[1] < low || s[1] > high)
        return 0;
    for (int i = 2; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

size_t
lm_utf8_valid_prefix(const char *text, size_t length)
{
    size_t at = 0;

    while (at < length) {
        uint64_t word;
        int step;

        if (length - at >= sizeof word) {
            memcpy(&word, text + at, sizeof word);
            if (!(word & HIGH_BITS)) {
                at += sizeof word;
                continue;
            }
        }
        step = sequence_length((const unsigned char *)text + at, length - at);
        if (step == 0)
            return at;
        at += (size_t)step;
    }
    return length;
}

size_t
lm_utf8_count(const char *text, size_t length)
{
    size_t continuation = 0, i = 0;

    /* A continuation byte has bit 7 and not bit 6; the product adds up the eight bytes. */
    for (; length - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, text + i, sizeof word);
        word = (word & HIGH_BITS) >> 7 & ~word >> 6;
        continuation += word * UINT64_C(0x0101010101010101) >> 56;
    }
    for (; i < length; i++)
        continuation += ((unsigned char)text[i] & 0xc0) == 0x80;
    return length - continuation;
}
