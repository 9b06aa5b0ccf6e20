/*
 * batch.h - packed texts: the tokens of many texts end to end, without padding.
 */
#ifndef LM_BATCH_H
#define LM_BATCH_H

#include <stddef.h>
#include <stdint.h>

typedef struct lm_batch {
    size_t tokens;           /* T: tokens of all texts, end to end */
    size_t texts;            /* B */
    const int32_t *ids;      /* (T), checked against the vocabulary */
    const int32_t *type_ids; /* (T) or NULL for zeros */
    const size_t *offsets;   /* (B + 1): text b is tokens offsets[b] … offsets[b + 1] */
    /*
     * (B): the one token of each text whose hidden state is asked for, so that the last layer need
     * not compute the others; no text is empty then. NULL: all tokens. Same bits either way.
     */
    const size_t *outputs;
    /*
     * (B): how many first tokens of each text are attended to; those behind them attend, and
     * nothing attends to them. At least 1 each. NULL: all.
     */
    const size_t *keys;
    /*
     * (L + 1): what is asked for is the sum of hidden states behind all layers, 0 the embeddings,
     * by these weights; NULL: those behind the last that runs. Then all layers run, over all
     * tokens, and `mixed` is room for the sum, (T, D).
     */
    const float *mix;
    float *mixed;
} lm_batch;

#endif
