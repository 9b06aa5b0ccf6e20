/*
 * augmented.h - texts that are trained on in other words in each epoch (features/augment.h): the
 * texts as they came, and their variants. A variant follows from the seed, the text, its number and
 * the epoch, so that a resumed run has the same.
 */
#ifndef LM_TRAIN_AUGMENTED_H
#define LM_TRAIN_AUGMENTED_H

#include "features/augment.h"

#define LM_AUGMENTED_OPS_MAX 8

typedef struct lm_augmented_options {
    const lm_augment_op *ops[LM_AUGMENTED_OPS_MAX];
    int count; /* 0: texts stay as they are, and none is kept */
    double share;
    uint64_t seed;
} lm_augmented_options;

typedef struct lm_augmented {
    lm_context *ctx;
    lm_augmented_options options;
    lm_augmenter augmenter;
    lm_buffer bytes, ends; /* of texts, end to end; size_t: where each ends */
} lm_augmented;

/* Allocates nothing. */
void lm_augmented_open(lm_augmented *a, lm_context *ctx, const lm_augmented_options *options);
void lm_augmented_close(lm_augmented *a); /* may be zeroed */
lm_status lm_augmented_add(lm_augmented *a, lm_text text);
lm_text lm_augmented_text(const lm_augmented *a, size_t number);
/* In place of what the buffer has; that of a text without a word is the text. */
lm_status lm_augmented_variant(lm_augmented *a, size_t number, uint64_t epoch, lm_buffer *variant);

/* (rows) 1 of those in the list, 0 of the others; to be freed. NULL with the error recorded. */
unsigned char *lm_augmented_mark(lm_context *ctx, size_t rows, const size_t *list, size_t count);

#endif
