/*
 * vectors.h - a vector for each token, and no layers: what a static embedding has in its image.
 *
 * Files have a table by token, or (newer ones of model2vec) a table of fewer vectors, which of them
 * each token has, and a weight for each token. The image has one row for each token, ready to be
 * added up.
 */
#ifndef LM_VECTORS_H
#define LM_VECTORS_H

#include "model/sections.h"

/* How a text becomes counts of its words. */
typedef enum lm_bag {
    LM_BAG_NONE, /* it does not: words have vectors */
    LM_BAG_SUM,  /* each time a word stands there counts */
    LM_BAG_ONCE
} lm_bag;

/* The view. */
typedef struct lm_vectors {
    int32_t rows, width; /* tokens, D */
    bool drops_unknown;  /* tokens of unknown words do not count, as in model2vec */
    int32_t
        token_chars; /* a text is cut at so many characters a token of the window; 0: it is not */
    bool sparse;     /* each token has a weight (D = 1) in a sparse vector */
    uint8_t bag;     /* lm_bag: each word is a dimension, in which its weight (D = 1) counts */
    bool weighted;   /* vectors count by weights */
    const float *table;   /* (rows, D) */
    const float *weights; /* (rows), where they are weighted; else NULL */
} lm_vectors;

/* What is planned of them. */
typedef struct lm_vectors_plan {
    lm_vectors shape;         /* without the table */
    const lm_tensor *table;   /* (rows or fewer, D) */
    const lm_tensor *mapping; /* (rows); NULL: each token has its own row */
    const lm_tensor *weights; /* (rows); NULL: they count alike */
    const float *numbers;     /* (rows) of WordWeights, or, in place of a table, of a bag; NULL */
} lm_vectors_plan;

/* Whether tensors are those of a static embedding, of WordEmbeddings, of SparseStaticEmbedding. */
bool lm_vectors_are_there(const lm_tensors *tensors);
bool lm_vectors_are_of_words(const lm_tensors *tensors);
bool lm_vectors_are_weights(const lm_tensors *tensors);

extern const lm_section_kind lm_section_vectors;

#endif
