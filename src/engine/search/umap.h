/*
 * umap.h - rows as points of a plane, where near rows are near: UMAP (McInnes, Healy and Melville
 * 2018), by the definitions of umap-learn.
 */
#ifndef LM_UMAP_H
#define LM_UMAP_H

#include "search/clusters.h"

typedef struct lm_umap_options {
    size_t neighbours;   /* of a row, itself among them, as umap-learn counts: 2 … 256 */
    double min_distance; /* of near points, 0 … 1 */
    size_t epochs;       /* 0: 500 up to 10,000 rows, else 200 */
    uint64_t seed;
} lm_umap_options;

/*
 * Points (rows, 2), from the first two principal components on. The same rows, options and CPU
 * level give the same. Polls.
 */
lm_status lm_umap(lm_context *ctx, const lm_vector_rows *vectors, const lm_umap_options *options,
                  double *points);

#endif
