/*
 * maxsim.h - late interaction of token vectors: the sum over a query's vectors of each one's
 * largest inner product with any of a document's.
 */
#ifndef LM_MAXSIM_H
#define LM_MAXSIM_H

#include "base/context.h"

/* A query, made ready for any number of documents. */
typedef struct lm_maxsim {
    lm_context *ctx;
    size_t width, rows; /* of the query */
    void *memory;       /* as allocated: */
    void *packed;       /* the query's vectors by blocks, */
    float *products;    /* a block of products, */
    float *best;        /* (rows), and each one's largest so far */
} lm_maxsim;

/* Copies the query (rows, width), both at least 1; lm_maxsim_close in any case. */
lm_status lm_maxsim_open(lm_context *ctx, size_t width, size_t rows, const float *query,
                         lm_maxsim *maxsim);
/*
 * Of a document (rows, width) with at least a row. Not finite where a vector of either is not, or
 * where products leave the range of float. Polls cancel.
 */
lm_status lm_maxsim_score(lm_maxsim *maxsim, size_t rows, const float *document, double *score);
void lm_maxsim_close(lm_maxsim *maxsim);

#endif
