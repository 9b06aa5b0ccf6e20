/*
 * grapheme.h - where extended grapheme clusters end (Unicode Standard Annex 29), as the library
 * `tokenizers` has them. grapheme_data.c holds what that library answered, value by value.
 */
#ifndef LM_GRAPHEME_H
#define LM_GRAPHEME_H

#include <stdbool.h>
#include <stdint.h>

/* What a scalar value is to its neighbours. */
typedef enum lm_grapheme_class {
    LM_GRAPHEME_OTHER,
    LM_GRAPHEME_CONTROL,
    LM_GRAPHEME_CR,
    LM_GRAPHEME_LF,
    LM_GRAPHEME_EXTEND,    /* joins what is before it, and stands within a conjunct */
    LM_GRAPHEME_NONJOINER, /* the same, but ends a conjunct */
    LM_GRAPHEME_LINKER,    /* the same, and makes a conjunct of what is beside it */
    LM_GRAPHEME_ZWJ,
    LM_GRAPHEME_SPACING,
    LM_GRAPHEME_PREPEND,
    LM_GRAPHEME_REGIONAL,
    LM_GRAPHEME_L,
    LM_GRAPHEME_V,
    LM_GRAPHEME_T,
    LM_GRAPHEME_LV,
    LM_GRAPHEME_LVT,
    LM_GRAPHEME_PICTURE,
    LM_GRAPHEME_CONSONANT
} lm_grapheme_class;

lm_grapheme_class lm_grapheme_class_of(uint32_t c);

/* What is known of the cluster so far; all 0 where a text starts. */
typedef struct lm_grapheme_state {
    bool any;          /* a character was taken */
    uint8_t last;      /* class of the last character */
    uint8_t picture;   /* 1: a picture and marks; 2: and a joiner behind them */
    uint8_t conjunct;  /* 1: a consonant and marks; 2: a linker among them */
    bool odd_regional; /* an odd number of regional indicators in a row */
} lm_grapheme_state;

/* Take the next character; whether a cluster ends before it. */
bool lm_grapheme_next(lm_grapheme_state *state, uint32_t c);

/* Whether it stands alone beside any character of ASCII that is no control. */
bool lm_grapheme_is_plain(uint32_t c);

#endif
