/*
 * lookahead.h - texts that a call of a function is about to be given.
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
#ifndef LMTEXT_LOOKAHEAD_H
#define LMTEXT_LOOKAHEAD_H

#include "pg/service/shared.h"

#define LMTEXT_LOOKAHEAD_TEXTS 128

typedef struct lmtext_lookahead {
    struct lmtext_lookahead *next;
    /* Its call is as the executor has it: fn_expr; NULL: of the first call that asks. */
    lmtext_sharer sharer;
    int argno;            /* which argument the texts are */
    MemoryContext memory; /* of all this */
    int count;
    int at; /* the text of the call under way; those before it are done with */
    lm_text texts[LMTEXT_LOOKAHEAD_TEXTS];
    int rows[LMTEXT_LOOKAHEAD_TEXTS]; /* of the node's, in which each is */

    /*
     * Items of the texts from `first` to before `ready`, and how they were made. That of text i is
     * the item_of[i]-th: neighbours that are the same have one.
     */
    int first, ready;
    int item_of[LMTEXT_LOOKAHEAD_TEXTS];
    bool found[LMTEXT_LOOKAHEAD_TEXTS]; /* the prediction cache had the item */
    bool failed;                        /* no further batch of these texts */
    const lmtext_infer_kind *kind;
    lmtext_infer_key key;
    size_t item_size;
    char *items;
    size_t capacity;      /* of items, in bytes */
    MemoryContext beside; /* what `run` allocates in CurrentMemoryContext, as old as the items */
} lmtext_lookahead;

/* Known to functions until `memory`, which `shared` is in too, is reset or deleted. */
lmtext_lookahead *lmtext_lookahead_open(const Node *call, int argno, MemoryContext memory,
                                        lmtext_shared *shared);
/* Forget the texts: the rows go. */
void lmtext_lookahead_clear(lmtext_lookahead *ahead);
void lmtext_lookahead_add(lmtext_lookahead *ahead, lm_text text, int row);

/*
 * For a function: the item of the text whose bytes argument `argno` of its call has, or NULL: to be
 * computed alone, with whatever error it has. Valid until the function returns; counted. Each text
 * is computed once where neighbours are the same. The key leaves the words of a prompt out: the
 * call's other arguments, but for its texts, are constant.
 */
const void *lmtext_lookahead_item(const Node *call, int argno, lm_text bytes,
                                  const lmtext_inference *inference, size_t item_size);

/*
 * The same of a pair, arguments 0 and 1: `bytes` as the row has them, and where that is no row's
 * but the same text for all rows, `same` has it in UTF-8.
 */
const void *lmtext_lookahead_pair(const Node *call, const lm_text bytes[2],
                                  const lm_text *const same[2], const lmtext_inference *inference,
                                  size_t item_size);

/*
 * Of a text that is not ahead, because it is long or the last: hidden states that calls of one node
 * share; NULL: none do.
 */
lm_states *lmtext_lookahead_states(const Node *call, const lmtext_model *model);

#endif
