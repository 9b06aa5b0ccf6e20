/*
 * word_tries.h - a vocabulary of whole words as tries. One of millions of words does not fit one:
 * its words, in order, are cut into as many as it takes, one behind the other; a word goes down all
 * of them at once, and after some bytes is left in one.
 */
#ifndef LM_WORD_TRIES_H
#define LM_WORD_TRIES_H

#include "token/trie.h"
#include "token/vocab.h"

#define LM_WORD_ROOT 1u

/* Tries that a vocabulary has at most. */
#define LM_WORD_TRIES 64

/* Append the tries of all tokens of the model, which are marked as keys, and set `tries` of the
 * image's header; *cells is the first one's. */
lm_status lm_word_tries_write(lm_context *ctx, lm_vocab *vocab, size_t start, lm_buffer *out,
                              lm_span *cells);

/* A word on its way down the tries. */
typedef struct lm_word_walk {
    const lm_cell *cells[LM_WORD_TRIES];
    uint32_t nodes[LM_WORD_TRIES]; /* 0: none in this trie */
    size_t tries;
} lm_word_walk;

static inline void
lm_word_walk_init(lm_word_walk *walk, const lm_token_image *image)
{
    const uint32_t *tries = lm_image_at(image, image->tries);

    walk->tries =
        1 + (image->tries.count < LM_WORD_TRIES ? (size_t)image->tries.count : LM_WORD_TRIES - 1);
    walk->cells[0] = lm_image_at(image, image->trie);
    for (size_t i = 1; i < walk->tries; i++)
        walk->cells[i] = walk->cells[0] + tries[i - 1];
}

static inline void
lm_word_walk_begin(lm_word_walk *walk)
{
    for (size_t i = 0; i < walk->tries; i++)
        walk->nodes[i] = LM_WORD_ROOT;
}

/* Whether a word may begin so. */
static inline bool
lm_word_walk_byte(lm_word_walk *walk, unsigned char byte)
{
    bool goes_on = false;

    for (size_t i = 0; i < walk->tries; i++)
        if (walk->nodes[i] != 0) {
            walk->nodes[i] = lm_trie_child(walk->cells[i], walk->nodes[i], byte);
            goes_on |= walk->nodes[i] != 0;
        }
    return goes_on;
}

/* The word's id, or -1. */
static inline int32_t
lm_word_walk_end(const lm_word_walk *walk)
{
    int32_t id = -1;

    for (size_t i = 0; i < walk->tries && id < 0; i++)
        if (walk->nodes[i] != 0)
            id = lm_trie_value(walk->cells[i], walk->nodes[i]);
    return id;
}

#endif
