/*
 * unicode.h - properties of scalar values as the library `tokenizers` has them, which mixes several
 * versions of Unicode: decomposition and combining classes of 9.0; LM_UNICODE_NONSPACING,
 * LM_UNICODE_PUNCTUATION and LM_UNICODE_DROPPED of 8.0; LM_UNICODE_MARK of 9.0; lower case, word
 * characters, letters and numbers of later ones. unicode_data.c holds what that library answered,
 * value by value.
 *
 * All functions take scalar values up to U+10FFFF.
 */
#ifndef LM_UNICODE_H
#define LM_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LM_UNICODE_SPACE = 1,        /* White_Space */
    LM_UNICODE_DROPPED = 2,      /* clean_text removes it: controls, formats, private use, FFFD */
    LM_UNICODE_NONSPACING = 4,   /* BertNormalizer's strip_accents removes it (Mn) */
    LM_UNICODE_MARK = 8,         /* StripAccents removes it (M*) */
    LM_UNICODE_PUNCTUATION = 16, /* P*, and the symbols of ASCII */
    LM_UNICODE_WORD = 32,        /* \w of regular expressions */
    LM_UNICODE_CJK = 64,         /* handle_chinese_chars puts spaces around it */
    LM_UNICODE_LETTER = 128,     /* \p{L} of regular expressions */
    LM_UNICODE_NUMBER = 256      /* \p{N}; none is both, and none of them is white space */
};

/* The longest mapping of one scalar value: U+FDFA under NFKD has 18. */
#define LM_UNICODE_MAX_MAPPING 18

unsigned lm_unicode_flags(uint32_t c);
/* White space as Python has it: White_Space, and four separators among the controls. */
bool lm_is_space(uint32_t c);

/* Canonical combining class; 0 for starters. */
unsigned lm_unicode_class(uint32_t c);

/*
 * Full mappings into out, which has room for LM_UNICODE_MAX_MAPPING; each returns the number
 * written, at least 1. Decompositions are not yet in canonical order across scalar values.
 */
size_t lm_unicode_nfd(uint32_t c, uint32_t *out);
size_t lm_unicode_nfkd(uint32_t c, uint32_t *out);
size_t lm_unicode_lower(uint32_t c, uint32_t *out);

/*
 * Whether `count` scalar values from c on have the same flags, class 0, and every mapping to
 * themselves, so that what becomes of one becomes of all.
 */
bool lm_unicode_are_alike(uint32_t c, uint32_t count);

/* The canonical composition of two scalar values, or 0 when there is none. */
uint32_t lm_unicode_compose(uint32_t first, uint32_t second);

#endif
