/*
 * ngrams.h - how many n-grams of tokens two texts have in common, order by order.
 */
#ifndef LM_NGRAMS_H
#define LM_NGRAMS_H

#include "metrics/text_tokens.h"

/*
 * An n-gram's number is that of the pair of its first n - 1 tokens, as the order before numbered
 * them, and its last one: so each order takes one pass, and memory is linear in the texts.
 */
typedef struct lm_ngrams {
    lm_context *ctx;
    const lm_tokens *texts; /* the caller's */
    size_t count;
    size_t order;       /* 0 before the first lm_ngrams_next */
    uint32_t **numbers; /* of each text's n-grams */
    uint32_t different;
    uint32_t *counts; /* three arrays of so many: of text 0, of another, the largest */
} lm_ngrams;

/* Must be freed in any case. */
lm_status lm_ngrams_open(lm_ngrams *ngrams, lm_context *ctx, const lm_tokens *texts, size_t count);
lm_status lm_ngrams_next(lm_ngrams *ngrams); /* to the next order */
void lm_ngrams_free(lm_ngrams *ngrams);

/* N-grams of a text. */
size_t lm_ngrams_of(const lm_ngrams *ngrams, size_t text);
/*
 * N-grams of text 0 that are also in texts first to last - 1: each as often as it is in both, of
 * the others the one that has it most often.
 */
lm_status lm_ngrams_matches(lm_ngrams *ngrams, size_t first, size_t last, uint64_t *matches);

#endif
