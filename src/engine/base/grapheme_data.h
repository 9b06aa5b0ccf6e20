/*
 * grapheme_data.h - the generated table as base/grapheme.c sees it: the class of scalar value c is
 * value[block[c >> shift] << shift | (c & mask)].
 */
#ifndef LM_GRAPHEME_DATA_H
#define LM_GRAPHEME_DATA_H

#include <stdint.h>

extern const uint8_t lm_grapheme_block[], lm_grapheme_value[];
extern const unsigned lm_grapheme_shift;

#endif
