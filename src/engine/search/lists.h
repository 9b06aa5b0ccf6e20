/*
 * lists.h - inverted lists: centroids by k-means on a sample, rows to their nearest centroid, and
 * the lists that are nearest to a query. Vectors are prepared ones (lm_space_prepare).
 *
 * The work is matrix products with int8 weights of kernels.h, which have the same integers at every
 * level: the same sample and seed give the same centroids and the same assignment on every machine
 * and level. For cosine, centroids have length 1 (spherical k-means); else they are means.
 */
#ifndef LM_LISTS_H
#define LM_LISTS_H

#include "search/nearest.h"
#include "search/query.h"

#define LM_LISTS_MOST ((size_t)65536)

typedef struct lm_lists {
    const lm_space *space;
    size_t count;
    float *halves;      /* (count): half the squared length */
    size_t stride;      /* bytes of a row below, 64-byte multiples */
    uint8_t *rows;      /* centroids as int8 rows, for lm_lists_nearest */
    lm_nearest nearest; /* for lm_lists_assign */
    void *memory;
} lm_lists;

typedef struct lm_lists_training {
    lm_distance_kind metric;
    size_t width;
    size_t lists;  /* 1 … rows, at most LM_LISTS_MOST */
    int rounds;    /* of Lloyd's iteration at most; it ends early when few rows move */
    uint64_t seed; /* which rows it begins with */
} lm_lists_training;

/* Rows a list that a sample should have; more make k-means slower and hardly better. */
#define LM_LISTS_SAMPLE ((size_t)32)
#define LM_LISTS_ROUNDS 8

/*
 * centroids (lists, width) from the sample x (rows, width). A list that no row is in takes over a
 * part of a large one. Polls cancel, and reports progress in rounds. LM_BAD_ARGUMENT: no rows or
 * more than 2^32 − 1, more lists than rows or than LM_LISTS_MOST, a width that a space refuses.
 * LM_NO_MEMORY, LM_CANCELLED. The rows are prepared ones, and not looked at for NaN again.
 */
lm_status lm_lists_train(lm_context *ctx, const lm_lists_training *options, const float *x,
                         size_t rows, float *centroids);
/* Bytes that it allocates for so many rows, beside x and centroids; 0: too many to count. */
size_t lm_lists_train_memory(const lm_lists_training *options, size_t rows);

/*
 * Lists of a space from their centroids (count, width), which need not stay. LM_BAD_ARGUMENT: a
 * count of 0 or above LM_LISTS_MOST, or a centroid that is not finite. Polls.
 */
lm_status lm_lists_create(lm_context *ctx, const lm_space *space, size_t count,
                          const float *centroids, lm_lists **lists);
void lm_lists_free(lm_context *ctx, lm_lists *lists); /* NULL is allowed */

/* list (rows) = the index of each row's nearest centroid; of equal ones the first. Polls. */
lm_status lm_lists_assign(lm_context *ctx, lm_lists *lists, const float *x, size_t rows,
                          uint32_t *list);
/* The same of one row, which the query is set to: for inserts. May differ where two are as near. */
uint32_t lm_lists_assign_one(const lm_lists *lists, const lm_query *row);

/*
 * The `wanted` lists (fewer where there are fewer) nearest to a query, nearest first; of equal ones
 * the smaller index. `nearest` (wanted) gets their indexes, `bases` (wanted) what lm_query_base
 * gives for each, up to the rounding of int8. *found: how many. A scan that goes on asks for more,
 * and gets the same ones first.
 */
lm_status lm_lists_nearest(lm_context *ctx, const lm_lists *lists, const lm_query *query,
                           size_t wanted, uint32_t *nearest, float *bases, size_t *found);

#endif
