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

/* Marks the tokens of the vocabulary that are keys of the trie's first root. */
lm_status lm_wordpiece_compile(lm_context *ctx, const lm_json *model, lm_vocab *vocab, size_t start,
                               lm_buffer *out);

/* One word of normalized characters, with the place of each in the text. */
lm_status lm_wordpiece_run(lm_run *run, const uint32_t *c, const int32_t *at, size_t count);

/* Characters that a token takes of a word, whose first one (continues: false) it is or is not. */
uint32_t lm_wordpiece_chars(const lm_token_image *image, int32_t id, bool continues);

/* The state of a word that is being split. */
typedef struct lm_walk {
    const lm_cell *cells;
    const lm_wordpiece *model;
    const lm_token_image *image;
    const int32_t *at; /* place in the text of each character so far; only when offsets count */
    lm_cell node;
    lm_cell suffix;  /* the suffix root */
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
    walk->suffix = walk->cells[walk->model->suffix_root];
}

static inline void
lm_walk_begin(lm_walk *walk, const lm_run *run)
{
    walk->node = walk->cells[walk->model->word_root];
    walk->chars = walk->popped = 0;
    walk->mark = run->out->count;
    walk->bad = false;
}

/* Emit a token of the word that is not the last one so far. */
static inline void
lm_walk_emit(lm_walk *walk, lm_run *run, int32_t id, bool offsets)
{
    uint32_t next = walk->popped;

    if (offsets)
        next += lm_wordpiece_chars(walk->image, id, walk->popped > 0);
    lm_run_emit(run, id, walk->at, walk->popped, next, offsets);
    walk->popped = next;
}

/* Emit the tokens that end at the node, and follow its failure link; false: the word is unknown. */
static inline bool
lm_walk_pop(lm_walk *walk, lm_run *run, bool offsets)
{
    lm_cell value = walk->node, fail;
    const uint32_t *pop;

    if (!(value & LM_CELL_FLAG))
        value = walk->cells[lm_cell_payload(walk->node) - 1];
    if (value & LM_CELL_FLAG) {
        lm_run_emit(run, (int32_t)lm_cell_payload(value), walk->at, walk->popped, walk->chars,
                    offsets);
        walk->popped = walk->chars;
        walk->node = walk->suffix;
        return true;
    }
    fail = walk->cells[lm_cell_payload(walk->node) - 2];
    if (fail == 0)
        return false;
    walk->node = walk->cells[lm_cell_payload(fail)];
    if (fail & LM_CELL_FLAG) {
        lm_walk_emit(walk, run, (int32_t)lm_cell_payload(value), offsets);
        return true;
    }
    pop = (const uint32_t *)lm_image_at(walk->image, walk->model->pops) + lm_cell_payload(value);
    for (;; pop++) {
        lm_walk_emit(walk, run, (int32_t)(*pop >> 1), offsets);
        if (*pop & 1)
            return true;
    }
}

/* Take one byte of the word; false: the word is unknown. */
static inline bool
lm_walk_byte(lm_walk *walk, lm_run *run, unsigned char byte, bool offsets)
{
    for (;;) {
        if (!(walk->node & LM_CELL_FLAG)) {
            lm_cell next = walk->cells[lm_cell_payload(walk->node) + byte];

            if (__builtin_expect((next & LM_CELL_LABEL) == byte + 1u, 1)) {
                walk->node = next;
                return true;
            }
        }
        if (!lm_walk_pop(walk, run, offsets))
            return false;
    }
}

/* End the word; [start, stop) is its place in the text, for a word that is unknown. */
static inline void
lm_walk_end(lm_walk *walk, lm_run *run, int32_t start, int32_t stop, bool offsets)
{
    while (!walk->bad && walk->node != walk->suffix)
        walk->bad = !lm_walk_pop(walk, run, offsets);
    if (!walk->bad)
        return;
    run->out->count = walk->mark;
    lm_run_emit_span(run, walk->model->unk, start, stop, offsets);
}

#endif
