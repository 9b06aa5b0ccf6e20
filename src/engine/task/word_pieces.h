/*
 * word_pieces.h - characters of a text by their places, and which tokens go on with a word.
 */
#ifndef LM_WORD_PIECES_H
#define LM_WORD_PIECES_H

#include "base/text.h"
#include "token/tokenizer.h"

/* Where the reader of a text is; zeroed at its first tag. */
typedef struct lm_tag_cursor {
    size_t character, byte;
} lm_tag_cursor;

/* Characters start … stop − 1 of a text; quick where they come in order. */
lm_text lm_tag_cut(lm_text text, int32_t start, int32_t stop, lm_tag_cursor *at);

/* Whether there is no space in the token that starts there, nor right before it. */
bool lm_tag_touches(lm_text text, int32_t start, lm_tag_cursor *at);

/*
 * Whether a token goes on with the word before it. One that is not as long as its characters of the
 * text bears a mark; where the vocabulary has no marks, it stands close to what is before it.
 * Without a tokenizer tokens are words.
 */
bool lm_tag_is_piece(const lm_tokenizer *tokenizer, int32_t token, int32_t start, int32_t stop,
                     lm_text text, lm_tag_cursor *at);

#endif
