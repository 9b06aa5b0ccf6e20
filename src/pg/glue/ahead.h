/*
 * ahead.h - texts that a call of a function is about to be given.
 *
 * A plan node that reads rows ahead says here which texts they hold (pg/plan/batch); the function,
 * when it is called for one of them, asks for that text's item, which is computed together with
 * those of the texts after it. This is advice and no more: whoever gets no item here computes its
 * one text, and so does everybody whose batch failed. All arguments but the text must be constant
 * in the statement.
 *
 * A text is known by where its bytes lie in a row that the node holds, in the database's encoding,
 * and by the call and its argument, where the node knows them.
 */
#ifndef LMTEXT_AHEAD_H
#define LMTEXT_AHEAD_H

#include "pg/glue/glue.h"

#define LMTEXT_AHEAD_TEXTS 128
#define LMTEXT_AHEAD_KEY 64

/* Make the items of texts, of as many as it can from the first on; returns how many. */
typedef size_t (*lmtext_ahead_compute)(void *opaque, const lm_text *texts, size_t count,
                                       void *items);

/* How a function computes a text. */
typedef struct lmtext_ahead_task {
    lmtext_ahead_compute compute;
    void *opaque;    /* for compute */
    const void *key; /* what items depend on beside the text; compared byte by byte */
    size_t key_size; /* up to LMTEXT_AHEAD_KEY */
    size_t item_size;
} lmtext_ahead_task;

typedef struct lmtext_ahead {
    struct lmtext_ahead *next;
    const Node *call;     /* as the executor has it: fn_expr; NULL: of the first call that asks */
    int argno;            /* which argument the texts are */
    MemoryContext memory; /* of all this */
    int count;
    int at; /* the text of the call under way; those before it are done with */
    lm_text texts[LMTEXT_AHEAD_TEXTS];

    /*
     * Items of the texts from `first` to before `ready`, and how they were made. That of text i is
     * the places[i]-th: neighbours that are the same have one.
     */
    int first, ready;
    int places[LMTEXT_AHEAD_TEXTS];
    bool failed; /* no further batch of these texts */
    lmtext_ahead_compute compute;
    char key[LMTEXT_AHEAD_KEY];
    size_t item_size;
    char *items;
    size_t capacity; /* of items, in bytes */
} lmtext_ahead;

/* Known to functions until `memory` is reset or deleted. */
lmtext_ahead *lmtext_ahead_open(const Node *call, int argno, MemoryContext memory);
/* Forget the texts: the rows go. */
void lmtext_ahead_clear(lmtext_ahead *ahead);
void lmtext_ahead_add(lmtext_ahead *ahead, lm_text text);

/*
 * For a function: the item of the text whose bytes argument `argno` of its call has, or NULL: to be
 * computed alone, with whatever error it has. Valid until the function returns. `compute` gets each
 * text once where neighbours are the same, in UTF-8.
 */
const void *lmtext_ahead_item(const Node *call, int argno, lm_text bytes,
                              const lmtext_ahead_task *task);

#endif
