/*
 * words.h - the words of a text, for models that have no tokenizer of their own.
 *
 * A word is a longest run of characters that \w of regular expressions matches (letters, digits,
 * marks, the underscore), in lower case; a CJK ideograph is a word by itself. Nothing else is
 * changed: what differs in its normal form is another word.
 */
#ifndef LM_WORDS_H
#define LM_WORDS_H

#include "base/buffer.h"
#include "base/text.h"

typedef struct lm_words {
    lm_text text;
    size_t at;
    size_t seen;     /* characters, for polling */
    lm_buffer *word; /* the caller's: the word that was found last */
} lm_words;

/* LM_BAD_TEXT, with its place, where a text is not UTF-8. Polls cancel. */
lm_status lm_words_check(lm_context *ctx, lm_text text);

/* `word` is used again by each word, so that a warm one allocates nothing. LM_BAD_TEXT: not UTF-8.
 */
lm_status lm_words_open(lm_words *words, lm_text text, lm_buffer *word);
/* The next word lies in words->word; *found is false behind the last one. Polls cancel. */
lm_status lm_words_next(lm_words *words, bool *found);

#endif
