/*
 * augment.h - variants of a text, to train with. An operation is a row of a table; it changes the
 * words of a text, which are what stands between white space.
 *
 * Numbers are drawn from the seed, the text and the number of the variant, so that all rows of a
 * table may have one seed, and the same call always gives the same.
 */
#ifndef LM_AUGMENT_H
#define LM_AUGMENT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/rng.h"
#include "base/text.h"

/* ASCII letters of the word have any case. */
typedef struct lm_synonym {
    lm_text word, other;
} lm_synonym;

typedef struct lm_augmenter {
    lm_context *ctx;
    double share; /* of words that an operation changes, one at least */
    const lm_synonym *synonyms;
    size_t synonym_count;
    lm_rng rng;
    lm_buffer words, other; /* lm_text: of the text; of the one that is mixed in */
    lm_arena typed;         /* words with other letters */
} lm_augmenter;

/* Of a text with a word at least. */
typedef struct lm_augment_op {
    const char *name;
    lm_status (*run)(lm_augmenter *a);
    bool needs_synonyms, needs_other;
} lm_augment_op;

extern const lm_augment_op lm_augment_ops[]; /* ends with a row without a name */

const lm_augment_op *lm_augment_op_find(const char *name); /* NULL: there is none */

/* Allocates nothing. */
void lm_augment_open(lm_augmenter *a, lm_context *ctx, double share);
void lm_augment_close(lm_augmenter *a);
/* The text that is mixed in, which stays where it is; *count is that of its words. */
lm_status lm_augment_other(lm_augmenter *a, lm_text text, size_t *count);

/*
 * A variant by all operations, in their order, is appended: words with one space between; that of a
 * text without a word is empty. Polls cancel.
 */
lm_status lm_augment_run(lm_augmenter *a, lm_text text, const lm_augment_op *const *ops, int count,
                         uint64_t seed, uint64_t number, lm_buffer *variant);

#endif
