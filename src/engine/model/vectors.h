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

/* The view. */
typedef struct lm_vectors {
    int32_t rows, width; /* tokens, D */
    bool drops_unknown;  /* tokens of unknown words do not count, as in model2vec */
    int32_t
        token_chars; /* a text is cut at so many characters a token of the window; 0: it is not */
    bool sparse;     /* each token has a weight (D = 1) in a sparse vector */
    const float *table; /* (rows, D) */
} lm_vectors;

/* What is planned of them. */
typedef struct lm_vectors_plan {
    lm_vectors shape;         /* without the table */
    const lm_tensor *table;   /* (rows or fewer, D) */
    const lm_tensor *mapping; /* (rows); NULL: each token has its own row */
    const lm_tensor *weights; /* (rows); NULL: they count alike */
} lm_vectors_plan;

/* Whether tensors are those of a static embedding, and of SparseStaticEmbedding. */
bool lm_vectors_are_there(const lm_tensors *tensors);
bool lm_vectors_are_weights(const lm_tensors *tensors);

extern const lm_section_kind lm_section_vectors;

#endif
