/*
 * sentence.h - where sentences end, by their full stops: for cutting texts at good places.
 */
#ifndef LM_SENTENCE_H
#define LM_SENTENCE_H

#include "base/context.h"

/*
 * Whether a sentence ends before byte `at` of valid UTF-8: a full stop of any script, and closing
 * marks after it. `space`: white space follows; without it only full stops of scripts that put
 * none there count.
 */
bool lm_sentence_ends(const char *text, size_t at, bool space);

/* A sentence without white space around it. */
typedef struct lm_sentence {
    size_t byte_start, byte_stop;
    int32_t start, stop; /* the same in characters */
} lm_sentence;

/* A walk through a text; begin with the context, the text, its length, and zeros. */
typedef struct lm_sentence_walk {
    lm_context *ctx;
    const char *text; /* valid UTF-8 */
    size_t length, byte;
    int32_t at;
} lm_sentence_walk;

/*
 * The next sentence: up to a full stop, an empty line, or the text's end; false in *found: there is
 * none. Polls cancel.
 */
lm_status lm_sentence_next(lm_sentence_walk *walk, lm_sentence *sentence, bool *found);

#endif
