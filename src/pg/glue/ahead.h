/*
 * ahead.h - texts that a call of a function is about to be given.
 *
 * A plan node that reads rows ahead says here which texts they hold (pg/plan/batch); the function,
 * when it is called for one of them, may compute the others with it and keep what it has. This is
 * advice and no more: whoever finds nothing here computes its one text, and so does everybody whose
 * batch failed. All arguments but the text must be constant in the statement.
 *
 * A text is known by the call, its argument, and where its bytes lie in a row that the node holds:
 * in the database's encoding.
 */
#ifndef LMTEXT_AHEAD_H
#define LMTEXT_AHEAD_H

#include "pg/glue/glue.h"

#define LMTEXT_AHEAD_TEXTS 128
#define LMTEXT_AHEAD_KEY 64

typedef struct lmtext_ahead {
    struct lmtext_ahead *next;
    const Node *call;     /* as the executor has it: fn_expr */
    int argno;            /* which argument the texts are */
    MemoryContext memory; /* of all this */
    int count;
    int at; /* the text of the call under way; those before it are done with */
    lm_text texts[LMTEXT_AHEAD_TEXTS];

    /*
     * The function's: vectors of the texts from `first` to before `ready`. That of text i is the
     * places[i]-th: neighbours that are the same have one.
     */
    int first, ready;
    int places[LMTEXT_AHEAD_TEXTS];
    bool failed;                /* no further batch of these texts */
    char key[LMTEXT_AHEAD_KEY]; /* what they depend on beside the texts */
    float *values;
    size_t capacity; /* of values */
} lmtext_ahead;

/* Known to functions until `memory` is reset or deleted. */
lmtext_ahead *lmtext_ahead_open(const Node *call, int argno, MemoryContext memory);
/* Forget the texts: the rows go. */
void lmtext_ahead_clear(lmtext_ahead *ahead);
void lmtext_ahead_add(lmtext_ahead *ahead, lm_text text);

/* For a function: its text's place, as `at`, or NULL. */
lmtext_ahead *lmtext_ahead_find(const Node *call, int argno, lm_text text);

/*
 * For a function that is about to compute a batch: the texts from `at` on, each once where
 * neighbours are the same, in UTF-8, up to the first that has none; how many they are. The places
 * are filled. What is converted is in the current memory context.
 */
int lmtext_ahead_gather(lmtext_ahead *ahead, lm_text texts[LMTEXT_AHEAD_TEXTS]);
/* So many of the gathered texts were computed: they are ready. */
void lmtext_ahead_computed(lmtext_ahead *ahead, int gathered, int computed);

#endif
