/*
 * wordpiece.h - the model WordPiece: a word is split into the longest pieces of the vocabulary from
 * left to right, in linear time (LinMaxMatch; Song, Salcianu, Song, Dopson, Zhou 2021).
 *
 * The walk is inline: the fast path (fused.c) feeds it bytes straight from the text.
 */
#ifndef LM_WORDPIECE_H
#define LM_WORDPIECE_H

#include "token/fields.h"
#include "token/run.h"
#include "token/trie.h"
#include "token/vocab.h"

lm_status lm_wordpiece_compile(lm_context *ctx, const lm_json *model, const lm_vocab *vocab,
                               size_t start, lm_buffer *out);

/* One word of normalized characters, with the place of each in the text. */
lm_status lm_wordpiece_run(lm_run *run, const uint32_t *c, const int32_t *at, size_t count);

/* The state of a word that is being split. */
typedef struct lm_walk {
    const lm_cell *cells;
    const lm_wordpiece_link *links;
    const lm_wordpiece *model;
    const lm_token_image *image;
    const int32_t *at; /* place in the text of each character so far; only when offsets count */
    uint32_t node;
    uint32_t chars;  /* characters of the word so far */
    uint32_t popped; /* characters that the tokens so far take */
    size_t mark;     /* tokens before the word */
    bool bad;        /* the word is unknown */
} lm_walk;

static inline void
lm_walk_init(lm_walk *walk, const lm_token_image *image)
{
    walk->image = image;
    walk->model = &image->wordpiece;
    walk->cells = lm_image_at(image, walk->model->cells);
    walk->links = lm_image_at(image, walk->model->links);
}

static inline void
lm_walk_begin(lm_walk *walk, const lm_run *run)
{
    walk->node = walk->model->word_root;
    walk->chars = walk->popped = 0;
    walk->mark = run->out->count;
    walk->bad = false;
}

/* Emit the tokens that end at the node, and follow its failure link; false: the word is unknown. */
static inline bool
lm_walk_pop(lm_walk *walk, lm_run *run, bool offsets)
{
    lm_wordpiece_link link = walk->links[walk->node];
    const lm_pop *pop;

    if (link.pops == 0)
        return false;
    walk->node = link.fail;
    if (link.pops & LM_POP_SELF) {
        lm_run_emit(run, (int32_t)(link.pops & ~LM_POP_SELF), walk->at, walk->popped, walk->chars,
                    offsets);
        walk->popped = walk->chars;
        return true;
    }
    pop = (const lm_pop *)lm_image_at(walk->image, walk->model->pops) + link.pops;
    for (;; pop++) {
        uint32_t next = walk->popped + (pop->span >> 1);

        lm_run_emit(run, pop->id, walk->at, walk->popped, next, offsets);
        walk->popped = next;
        if (pop->span & 1)
            return true;
    }
}

/* Take one byte of the word; false: the word is unknown. */
static inline bool
lm_walk_byte(lm_walk *walk, lm_run *run, unsigned char byte, bool offsets)
{
    for (;;) {
        uint32_t next = walk->cells[walk->node].base + byte;

        if (__builtin_expect(walk->cells[next].check == walk->node, 1)) {
            walk->node = next;
            return true;
        }
        if (!lm_walk_pop(walk, run, offsets))
            return false;
    }
}

/* End the word; [start, stop) is its place in the text, for a word that is unknown. */
static inline void
lm_walk_end(lm_walk *walk, lm_run *run, int32_t start, int32_t stop, bool offsets)
{
    while (!walk->bad && walk->node != walk->model->suffix_root)
        walk->bad = !lm_walk_pop(walk, run, offsets);
    if (!walk->bad)
        return;
    run->out->count = walk->mark;
    lm_run_emit_span(run, walk->model->unk, start, stop, offsets);
}

#endif
