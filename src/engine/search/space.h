/*
 * space.h - the space that the vectors of an index live in: a metric, a width, an origin, and a
 * random rotation after which every number of a vector is about as large as any other, so that few
 * bits a number say where the vector points.
 *
 * The rotation is made of random signs and Hadamard transforms from a seed. It is linear and keeps
 * lengths and products; its result has `padded` numbers, a multiple of 64, at most 63 more than the
 * vector. The same seed and width give the same bits on every machine and at every kernel level.
 * Whoever stores codes stores the metric, the width, the seed and the origin: codes mean nothing in
 * another space.
 */
#ifndef LM_SPACE_H
#define LM_SPACE_H

#include "base/context.h"

typedef enum lm_metric {
    LM_METRIC_COSINE,  /* 1 − cosine */
    LM_METRIC_L2,      /* the SQUARE of the Euclidean distance, whose order is the same */
    LM_METRIC_PRODUCT, /* − a·b */
    LM_METRIC_COUNT
} lm_metric;

#define LM_SPACE_WIDEST ((size_t)16000)
/* Vectors may be as long as this; their squares and products with others are floats then. */
#define LM_SPACE_LONGEST 1e17

typedef struct lm_space {
    lm_metric metric;
    size_t width, padded;
    float *signs;          /* (steps, padded): ±1 */
    float *origin;         /* (width); zeros where none was given */
    float *rotated_origin; /* (padded) */
    float *work, *spare;   /* (padded) for one call at a time: a space is used by one thread */
} lm_space;

/* Numbers of a rotated vector: width, rounded up to a multiple of 64. */
size_t lm_space_padded(size_t width);

/*
 * `origin` (width) is what codes are made relative to: the mean of the vectors, as they are after
 * lm_space_prepare, or NULL for zero, where there is none yet. Any origin is right; a mean makes
 * estimates better. LM_BAD_ARGUMENT: a width of 0 or above LM_SPACE_WIDEST, an origin that is not
 * finite. LM_NO_MEMORY.
 */
lm_status lm_space_create(lm_context *ctx, lm_metric metric, size_t width, uint64_t seed,
                          const float *origin, lm_space **space);
void lm_space_free(lm_context *ctx, lm_space *space); /* NULL is allowed */

/*
 * A vector as everything below takes it: `out` (width; may be x itself) is x, for cosine at length
 * 1. *zero: all its numbers are zero (cosine: it has no direction, and is at distance 1 from all;
 * pgvector leaves it out of an index). `zero` may be NULL. Refuses with LM_BAD_ARGUMENT a NaN, an
 * infinity, and a vector that is longer than LM_SPACE_LONGEST.
 */
lm_status lm_space_prepare(lm_context *ctx, lm_metric metric, size_t width, const float *x,
                           float *out, bool *zero);

/* out (padded) = the rotation of x (width). out may not be x. */
void lm_space_rotate(const lm_space *space, const float *x, float *out);
/* Back: x (width) of a rotated vector (padded), which is overwritten. */
void lm_space_rotate_back(const lm_space *space, float *rotated, float *x);

/* The distance of two prepared vectors as SQL shows it: a root for L2, else the number itself. */
double lm_metric_shown(lm_metric metric, double distance);

#endif
