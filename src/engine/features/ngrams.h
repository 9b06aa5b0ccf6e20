/*
 * ngrams.h - the n-grams of a text, each time they occur: of words, of characters, and of
 * characters within words, as scikit-learn's CountVectorizer defines them.
 */
#ifndef LM_NGRAMS_H
#define LM_NGRAMS_H

#include "base/buffer.h"
#include "features/words.h"

struct lm_ngram_kind;

typedef struct lm_ngram_options {
    const struct lm_ngram_kind *kind;
    const lm_word_kind *words; /* of n-grams of words */
    int low, high;             /* lengths, 1 to LM_NGRAM_LONGEST */
    bool lowercase;            /* as Python's str.lower(), before anything is cut */
} lm_ngram_options;

#define LM_NGRAM_LONGEST 32

/* What a text is made into; used again by each text. */
typedef struct lm_ngram_room {
    lm_buffer lower, joined; /* n-grams are runs of bytes of `joined` */
    lm_stretches words;
    lm_stretches units; /* bytes of words or characters */
    lm_stretches runs;  /* units within which n-grams lie */
} lm_ngram_room;

/*
 * "word": words joined by a space. "char": characters, where two or more of white space are one
 * space. "char_wb": characters of each stretch without white space, with a space before and behind
 * it; one that is too short for a length counts once, whole, and has no longer ones.
 */
typedef struct lm_ngram_kind {
    const char *name;
    lm_status (*cut)(const lm_ngram_options *options, lm_ngram_room *room, lm_text text);
    bool whole; /* runs that are too short count once */
} lm_ngram_kind;

extern const lm_ngram_kind lm_ngram_kinds[]; /* ends with a row without a name */

/* By name, or NULL. */
const lm_ngram_kind *lm_ngram_kind_find(const char *name);

void lm_ngram_room_init(lm_ngram_room *room, lm_context *ctx);
void lm_ngram_room_free(lm_ngram_room *room);
size_t lm_ngram_room_bytes(const lm_ngram_room *room);

/* Gets an n-gram's bytes, which are valid during the call. */
typedef lm_status (*lm_ngram_sink)(void *opaque, const char *bytes, size_t length);

/* Every n-gram of a text. LM_BAD_TEXT: not UTF-8. Polls cancel. */
lm_status lm_ngrams_each(const lm_ngram_options *options, lm_ngram_room *room, lm_text text,
                         lm_ngram_sink take, void *opaque);

#endif
