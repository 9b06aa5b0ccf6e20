/*
 * wordpiece.h - the model WordPiece: a word is split into the longest pieces of the vocabulary from
 * left to right, in linear time (LinMaxMatch; Song, Salcianu, Song, Dopson, Zhou 2021).
 */
#ifndef LM_WORDPIECE_H
#define LM_WORDPIECE_H

#include "token/model.h"

extern const lm_token_model lm_wordpiece_model;

/*
 * Its settings in the image. Failure links say what to do at a node that has no child for a byte.
 * The node's value, if it has one, is a token's id. Else p - 2 is 0, and the word cannot be split;
 * or its payload is the cell where to go on, and p - 1 has the tokens up to there: with the flag at
 * p - 2 the id of the only one, without it the place of a list in pops.
 */
typedef struct lm_wordpiece {
    lm_span cells; /* lm_cell */
    lm_span pops;  /* uint32_t: an id * 2, + 1 at a list's end */
    uint32_t word_root;
    uint32_t suffix_root;
    int32_t unk;
    uint32_t max_chars;
    uint32_t prefix_chars; /* of the continuing prefix */
} lm_wordpiece;

#endif
