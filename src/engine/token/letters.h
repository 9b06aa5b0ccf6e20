/*
 * letters.h - the bytes of tokens as they stand in their texts, end to end, for nets that read
 * words by their characters.
 */
#ifndef LM_TOKEN_LETTERS_H
#define LM_TOKEN_LETTERS_H

#include "base/buffer.h"
#include "base/text.h"

typedef struct lm_letters {
    lm_buffer bytes;
    lm_buffer ends; /* size_t (tokens + 1), from 0 on */
} lm_letters;

/* How far a text has been read: a byte, and which character that is. */
typedef struct lm_letter_place {
    size_t byte, character;
} lm_letter_place;

void lm_letters_init(lm_letters *letters, lm_context *ctx);
void lm_letters_free(lm_letters *letters);
void lm_letters_clear(lm_letters *letters); /* keeps the memory */

lm_status lm_letters_add(lm_letters *letters, lm_text word);
/* A token that is characters start … stop − 1 of a text: its bytes, and these added. From token to
 * token they do not go back. */
lm_text lm_letters_cut(lm_text text, lm_letter_place *place, int32_t start, int32_t stop);
lm_status lm_letters_add_range(lm_letters *letters, lm_text text, lm_letter_place *place,
                               int32_t start, int32_t stop);
lm_text lm_letters_get(const lm_letters *letters, size_t token);

#endif
