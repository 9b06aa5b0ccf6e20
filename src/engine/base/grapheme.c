/*
 * grapheme.c - the rules GB3 to GB999 as a machine that sees one character at a time.
 */
#include "base/grapheme.h"

#include "base/grapheme_data.h"

#define BIT(class) (UINT32_C(1) << (class))

enum {
    CONTROLS = BIT(LM_GRAPHEME_CONTROL) | BIT(LM_GRAPHEME_CR) | BIT(LM_GRAPHEME_LF),
    CONJUNCT_MARKS = BIT(LM_GRAPHEME_EXTEND) | BIT(LM_GRAPHEME_LINKER) | BIT(LM_GRAPHEME_ZWJ),
    EXTENDS = CONJUNCT_MARKS | BIT(LM_GRAPHEME_NONJOINER),
    FOLLOWERS = EXTENDS | BIT(LM_GRAPHEME_SPACING)
};

/* Syllables of Hangul: what may follow a class (GB6 to GB8). */
static const uint32_t hangul_after[] = {
    [LM_GRAPHEME_L] =
        BIT(LM_GRAPHEME_L) | BIT(LM_GRAPHEME_V) | BIT(LM_GRAPHEME_LV) | BIT(LM_GRAPHEME_LVT),
    [LM_GRAPHEME_V] = BIT(LM_GRAPHEME_V) | BIT(LM_GRAPHEME_T),
    [LM_GRAPHEME_T] = BIT(LM_GRAPHEME_T),
    [LM_GRAPHEME_LV] = BIT(LM_GRAPHEME_V) | BIT(LM_GRAPHEME_T),
    [LM_GRAPHEME_LVT] = BIT(LM_GRAPHEME_T),
    [LM_GRAPHEME_CONSONANT] = 0,
};

lm_grapheme_class
lm_grapheme_class_of(uint32_t c)
{
    uint32_t block = lm_grapheme_block[c >> lm_grapheme_shift];

    return (lm_grapheme_class)
        lm_grapheme_value[block << lm_grapheme_shift | (c & ((1u << lm_grapheme_shift) - 1))];
}

/* In the order of the rules; the first that fits decides. */
static bool
breaks(const lm_grapheme_state *state, lm_grapheme_class next)
{
    if (state->last == LM_GRAPHEME_CR && next == LM_GRAPHEME_LF)
        return false;
    if (BIT(state->last) & CONTROLS || BIT(next) & CONTROLS)
        return true;
    if (hangul_after[state->last] & BIT(next) || BIT(next) & FOLLOWERS ||
        state->last == LM_GRAPHEME_PREPEND)
        return false;
    if (next == LM_GRAPHEME_CONSONANT)
        return state->conjunct != 2;
    if (next == LM_GRAPHEME_PICTURE)
        return state->picture != 2;
    return next != LM_GRAPHEME_REGIONAL || !state->odd_regional;
}

/* How far a sequence of pictures is that joiners may hold together. */
static uint8_t
next_picture(uint8_t picture, lm_grapheme_class next)
{
    if (next == LM_GRAPHEME_PICTURE)
        return 1;
    if (picture == 0 || !(BIT(next) & EXTENDS))
        return 0;
    return next == LM_GRAPHEME_ZWJ ? 2 : 1;
}

/* The same for a conjunct of consonants. */
static uint8_t
next_conjunct(uint8_t conjunct, lm_grapheme_class next)
{
    if (next == LM_GRAPHEME_CONSONANT)
        return 1;
    if (conjunct == 0 || !(BIT(next) & CONJUNCT_MARKS))
        return 0;
    return next == LM_GRAPHEME_LINKER ? 2 : conjunct;
}

bool
lm_grapheme_next(lm_grapheme_state *state, uint32_t c)
{
    lm_grapheme_class next = lm_grapheme_class_of(c);
    bool ends = state->any && breaks(state, next);

    state->any = true;
    state->last = (uint8_t)next;
    state->picture = next_picture(state->picture, next);
    state->conjunct = next_conjunct(state->conjunct, next);
    state->odd_regional = next == LM_GRAPHEME_REGIONAL && !state->odd_regional;
    return ends;
}

bool
lm_grapheme_is_plain(uint32_t c)
{
    return !(BIT(lm_grapheme_class_of(c)) & (FOLLOWERS | BIT(LM_GRAPHEME_PREPEND)));
}
