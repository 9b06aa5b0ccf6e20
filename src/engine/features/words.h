/*
 * words.h - where the words of a text are: a table of ways to cut, as spans of bytes of valid
 * UTF-8. Nothing is changed in a word. base/words.h has words in lower case one by one; this is for
 * what looks at all words of a text.
 */
#ifndef LM_FEATURE_WORDS_H
#define LM_FEATURE_WORDS_H

#include "base/context.h"
#include "base/text.h"

/* Bytes, or other numbers, from start up to stop. */
typedef struct lm_stretch {
    size_t start, stop;
} lm_stretch;

/* A list that keeps its room. */
typedef struct lm_stretches {
    lm_context *ctx;
    lm_stretch *items;
    size_t count, room;
} lm_stretches;

void lm_stretches_init(lm_stretches *spans, lm_context *ctx);
void lm_stretches_free(lm_stretches *spans);
/* LM_TOO_LARGE beyond LM_STRETCHES_MAX: words or characters of a text. */
#define LM_STRETCHES_MAX ((size_t)1 << 25)
lm_status lm_stretches_add(lm_stretches *spans, size_t start, size_t stop);

typedef enum lm_word_place {
    LM_WORD_OUT,  /* between words */
    LM_WORD_IN,   /* part of a word */
    LM_WORD_ALONE /* a word by itself */
} lm_word_place;

typedef struct lm_word_kind {
    const char *name;
    lm_word_place (*place)(uint32_t c);
    size_t shortest; /* characters of a word; shorter ones are left out */
} lm_word_kind;

/*
 * "words": what scikit-learn's (?u)\b\w\w+\b matches: letters, numbers and underscores, two or
 *     more.
 * "unicode": letters, marks, numbers and underscores, a CJK ideograph by itself: base/words.h.
 * "whitespace": what str.split() of Python gives.
 * "keras": what Keras' Tokenizer has with its own filters: all but ASCII punctuation other than the
 *     apostrophe, space, tab and newline.
 */
#define LM_WORD_KIND_COUNT 4
extern const lm_word_kind
    lm_word_kinds[LM_WORD_KIND_COUNT + 1]; /* ends with a row without a name */

/* By name, or NULL. */
const lm_word_kind *lm_word_kind_find(const char *name);

/* The words of valid UTF-8 behind those of the list. Polls cancel. */
lm_status lm_words_cut(const lm_word_kind *kind, lm_text text, lm_stretches *spans);

#endif
