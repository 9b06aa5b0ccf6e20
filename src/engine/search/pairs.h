/*
 * pairs.h - all pairs of vectors whose cosine is at least a threshold, or the nearest vectors of
 * each one: complete, and each with its similarity 1 − lm_cosine_distance.
 *
 * Bounds on the similarities of whole tiles come from int8 products of sketches (sketch.h); pairs
 * that a bound does not settle are computed in float. No pair is lost: rounding to codes is part of
 * the bound.
 *
 * Rows on the left meet rows on the right, a block of either at a time; blocks are the caller's,
 * and are numbered on.
 */
#ifndef LM_PAIRS_H
#define LM_PAIRS_H

#include "base/context.h"

/* Is told each pair; what is not LM_OK ends the search and is returned. */
typedef lm_status (*lm_pairs_sink)(void *opaque, size_t left, size_t right, double similarity);

typedef struct lm_pairs_options {
    size_t width;
    double threshold;    /* the least similarity; −1 takes every pair that has one */
    size_t nearest;      /* of each left row so many of the right; 0: all */
    bool same;           /* left and right are one set: only pairs with left < right */
    const float *sample; /* some of the vectors (sample_rows, width); for speed only */
    size_t sample_rows;
    lm_pairs_sink sink;
    void *opaque;
} lm_pairs_options;

typedef struct lm_pairs lm_pairs;

/* *pairs is to be closed also where this fails. LM_TOO_LARGE: wider than LM_INT8_MAX_K. */
lm_status lm_pairs_open(lm_context *ctx, const lm_pairs_options *options, lm_pairs **pairs);
/*
 * Rows `first` … of the left, finite vectors (rows, width) that stay where they are until the next
 * ones come.
 */
lm_status lm_pairs_left(lm_pairs *pairs, size_t first, size_t rows, const float *values);
/* They meet rows `first` … of the right. */
lm_status lm_pairs_right(lm_pairs *pairs, size_t first, size_t rows, const float *values);
/* The left rows have met all: their nearest are told, the most similar first, then by number. */
lm_status lm_pairs_finish(lm_pairs *pairs);
void lm_pairs_close(lm_pairs *pairs); /* may be NULL */

/* Bytes that a left row takes beside its vector, about: for callers that size blocks. */
size_t lm_pairs_row_bytes(size_t width, size_t nearest);

#endif
