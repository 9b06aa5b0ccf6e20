/*
 * layers_vectors.h - vectors of words that a model has, as the first values of a net's embedding
 * (private to train/). The model is there while rows come, and gone when the fit begins; so the
 * vector of a word is copied when the word is first seen.
 */
#ifndef LM_TRAIN_LAYERS_VECTORS_H
#define LM_TRAIN_LAYERS_VECTORS_H

#include "features/vocabulary.h"
#include "model/model.h"
#include "train/methods.h"

typedef struct lm_layers_vectors {
    lm_context *ctx;
    const lm_model *model; /* NULL: there are none */
    size_t width;
    lm_buffer places; /* int32_t, by the vocabulary's number: row of `rows`, or -1 */
    lm_buffer rows;   /* float (found, width) */
    size_t found;     /* words of the vocabulary that was chosen with a vector */
} lm_layers_vectors;

void lm_layers_vectors_init(lm_layers_vectors *vectors, lm_context *ctx);
void lm_layers_vectors_close(lm_layers_vectors *vectors);

/* Whether a model has a vector for each word. */
bool lm_layers_vectors_are_of(const lm_model *model);

/* Its vectors, for an embedding of so many numbers a word; LM_BAD_ARGUMENT where they have others.
 */
lm_status lm_layers_vectors_open(lm_layers_vectors *vectors, const lm_train_base *base,
                                 int64_t wanted);

/* Of the words that are new in the vocabulary, special ones left out. */
lm_status lm_layers_vectors_add(lm_layers_vectors *vectors, const lm_vocabulary *vocabulary);

/*
 * Into the table (words of vocab.txt, width). Rows of words without a vector are as they were
 * drawn, times the root of the mean square of the vectors' numbers. LM_BAD_ARGUMENT where no word
 * has one.
 */
lm_status lm_layers_vectors_give(lm_layers_vectors *vectors, const lm_vocabulary *vocabulary,
                                 const lm_buffer *vocab, float *table);

#endif
