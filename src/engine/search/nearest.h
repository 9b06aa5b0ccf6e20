/*
 * nearest.h - for each of many vectors the nearest of some centroids (by Euclidean distance), by
 * int8 products in chunks that stay in the cache. For k-means and for lists.
 */
#ifndef LM_NEAREST_H
#define LM_NEAREST_H

#include "base/context.h"

typedef struct lm_nearest {
    size_t width, count, chunks;
    size_t chunk_bytes;  /* of packed centroids */
    size_t rows;         /* vectors that pass at once */
    const float *origin; /* (width) the caller's: taken off both sides, so that codes are fine */
    float *halves;       /* (count): − half the squared length of centroids less the origin */
    char *packed;        /* chunks */
    float *shifted;      /* (rows, width), or a part of the centroids */
    float *products;     /* (rows, chunk) */
    float *best;         /* (rows) */
    float *scales;
    int8_t *codes;
    void *scratch;
    void *memory;
} lm_nearest;

/* Width 1 … LM_SPACE_WIDEST, count 1 … LM_LISTS_MOST: sizes fit then. The caller's origin must
 * stay. LM_NO_MEMORY. */
lm_status lm_nearest_open(lm_context *ctx, size_t width, size_t count, const float *origin,
                          lm_nearest *nearest);
/* Bytes that it takes. */
size_t lm_nearest_memory(size_t width, size_t count);
void lm_nearest_close(lm_context *ctx, lm_nearest *nearest);

/* Centroids (count, width) that follow. Polls. */
lm_status lm_nearest_set(lm_context *ctx, lm_nearest *nearest, const float *centroids);
/* list (rows): the nearest centroid of each of x (rows, width); of equal ones the first. Polls. */
lm_status lm_nearest_find(lm_context *ctx, lm_nearest *nearest, const float *x, size_t rows,
                          uint32_t *list);

#endif
