/*
 * clusters.h - groups of vectors: k-means (Lloyd's algorithm, exact) and groups by density (DBSCAN,
 * exact).
 *
 * Clusters are numbered from 0 by their size, the largest first, of equal ones that with the
 * earlier first row; LM_NO_CLUSTER is in none.
 */
#ifndef LM_CLUSTERS_H
#define LM_CLUSTERS_H

#include "base/context.h"

#define LM_NO_CLUSTER (-1)

/* Finite vectors (rows, width). */
typedef struct lm_vector_rows {
    size_t rows, width;
    const float *values;
} lm_vector_rows;

typedef struct lm_kmeans_options {
    size_t clusters;     /* at most as many as rows */
    size_t iterations;   /* at most, at least 1 */
    double tolerance;    /* ends where centres move less, as a share of the mean variance */
    uint64_t seed;       /* of k-means++ */
    const float *starts; /* centres (clusters, width); NULL: by k-means++ */
} lm_kmeans_options;

/*
 * Into labels (rows). The definitions are those of scikit-learn's KMeans: from the same starts come
 * the same clusters, also where a cluster runs empty (it is given the row farthest from its centre)
 * and where it ends by tolerance. Euclidean; Arthur and Vassilvitskii 2007, with several candidates
 * a centre. Polls.
 */
lm_status lm_kmeans(lm_context *ctx, const lm_vector_rows *vectors,
                    const lm_kmeans_options *options, int32_t *labels);

/*
 * Rows with at least `least` rows (themselves among them) of at least that similarity are core
 * rows; clusters are core rows that are linked by such similarities, and the rows similar to one of
 * them, each in that of its most similar core row (Ester, Kriegel, Sander and Xu 1996). Into labels
 * (rows). Polls.
 */
lm_status lm_dense_clusters(lm_context *ctx, const lm_vector_rows *vectors, double similarity,
                            size_t least, int32_t *labels);

/* Any labels 0 … count − 1 and LM_NO_CLUSTER, numbered as above. */
lm_status lm_clusters_order(lm_context *ctx, size_t rows, size_t count, int32_t *labels);

/*
 * Rows far from one another (k-centre, Gonzalez 1985): first the one nearest the mean, then always
 * the one farthest from those chosen. Into chosen (count), at most all rows, and how far each was
 * from those before it, the first one from the mean. Euclidean. Polls.
 */
lm_status lm_spread(lm_context *ctx, const lm_vector_rows *vectors, size_t count, size_t *chosen,
                    double *distances);

#endif
