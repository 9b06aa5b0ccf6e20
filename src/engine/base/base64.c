/*
 * base64.c - base64 to bytes and back.
 */
#include "base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* 0 to 63; 64 for what is no digit. */
static uint32_t
value_of(char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return (uint32_t)(digit - 'A');
    if (digit >= 'a' && digit <= 'z')
        return (uint32_t)(digit - 'a' + 26);
    if (digit >= '0' && digit <= '9')
        return (uint32_t)(digit - '0' + 52);
    return digit == '+' ? 62 : digit == '/' ? 63 : 64;
}

/* Four digits, the last `padding` of which are '='; false: they are none. */
static bool
decode_group(const char *text, unsigned padding, uint8_t *out)
{
    uint32_t bits = 0;

    for (unsigned i = 0; i < 4; i++) {
        uint32_t value = i < 4 - padding ? value_of(text[i]) : 0;

        if (value == 64)
            return false;
        bits = bits << 6 | value;
    }
    for (unsigned i = 0; i < 3; i++) {
        uint8_t byte = (uint8_t)(bits >> 8 * (2 - i));

        if (i < 3 - padding)
            out[i] = byte;
        else if (byte != 0)
            return false;
    }
    return true;
}

lm_status
lm_base64_decode(lm_arena *arena, const char *text, size_t length, uint8_t **bytes, size_t *size)
{
    unsigned padding = length >= 4 && text[length - 1] == '=';
    uint8_t *out = lm_arena_alloc(arena, length / 4 * 3 + 1);

    *bytes = NULL;
    *size = 0;
    if (!out)
        return LM_NO_MEMORY;
    if (length % 4 != 0)
        return LM_OK;
    padding += padding && text[length - 2] == '=';
    for (size_t at = 0; at < length; at += 4) {
        if (at % 65536 == 0)
            LM_TRY(lm_poll(arena->ctx));
        if (!decode_group(text + at, at + 4 == length ? padding : 0, out + at / 4 * 3))
            return LM_OK;
    }
    *size = length / 4 * 3 - padding;
    *bytes = out;
    return LM_OK;
}

char *
lm_base64_encode(lm_arena *arena, const uint8_t *bytes, size_t size)
{
    char *text = lm_arena_array(arena, size / 3 + 2, 4), *out = text;

    if (!text)
        return NULL;
    for (size_t at = 0; at < size; at += 3) {
        size_t left = size - at;
        uint32_t bits = (uint32_t)bytes[at] << 16 | (left > 1 ? (uint32_t)bytes[at + 1] << 8 : 0) |
                        (left > 2 ? bytes[at + 2] : 0u);

        for (unsigned i = 0; i < 4; i++)
            *out++ = i <= left ? digits[bits >> (18 - 6 * i) & 63] : '=';
    }
    *out = '\0';
    return text;
}
