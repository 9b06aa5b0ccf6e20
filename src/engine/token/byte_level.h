/*
 * byte_level.h - the alphabet of GPT-2, in which each byte of UTF-8 is one visible character, and
 * the stages named ByteLevel: their settings, and the words that their regular expression finds.
 */
#ifndef LM_BYTE_LEVEL_H
#define LM_BYTE_LEVEL_H

#include "token/stage.h"

/* Settings of a ByteLevel; those of the operation of a pre-tokenizer have LM_BYTE_LEVEL_WORDS. */
enum { LM_BYTE_LEVEL_PREFIX = 1, LM_BYTE_LEVEL_TRIM = 2, LM_BYTE_LEVEL_WORDS = 4 };

lm_status lm_byte_level_read(lm_context *ctx, lm_field field, unsigned *settings);

/* Append from[start, stop) as bytes, each with the place of its character. */
lm_status lm_byte_level_put(lm_context *ctx, const lm_chars *from, size_t start, size_t stop,
                            lm_chars *to);

/* A range becomes one word, with a space before it if none is there. */
lm_change_op lm_prefix_space;
/* A range becomes bytes: one word, or with the flag LM_BYTE_LEVEL_WORDS as many as are found. */
lm_change_op lm_byte_level_change;

/* Bytes that are no visible character of Latin-1 follow each other from U+0100 on. */
static inline uint32_t
lm_byte_level_char(unsigned char byte)
{
    if (byte <= 0x20)
        return 0x100u + byte;
    if (byte >= 0x7f && byte <= 0xa0)
        return 0x121u + byte - 0x7f;
    return byte == 0xad ? 0x143u : byte;
}

/* The byte of a character, or -1. */
static inline int
lm_byte_level_byte(uint32_t c)
{
    if (c >= 0x100 && c <= 0x120)
        return (int)(c - 0x100);
    if (c >= 0x121 && c <= 0x142)
        return (int)(c - 0x121 + 0x7f);
    if (c == 0x143)
        return 0xad;
    return c <= 0xff && lm_byte_level_char((unsigned char)c) == c ? (int)c : -1;
}

#endif
