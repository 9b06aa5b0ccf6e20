/*
 * sketch.h - short vectors whose inner products are above the cosine of the long ones that they
 * stand for.
 *
 * With U orthonormal rows, p = U x and r the length of what U leaves of x, both of length 1:
 * x·y = p·q + (what is left)·(what is left) ≤ p·q + r s. A sketch is p followed by r / √c, c times,
 * so that the product of two sketches is that bound. U are principal directions of a sample: most
 * of a vector is in few of them. Rounding, and how far U is from orthonormal, are in `slack`.
 */
#ifndef LM_SKETCH_H
#define LM_SKETCH_H

#include "base/context.h"

/* r is kept in so many parts: as one number it would be far greater than the others. */
#define LM_SKETCH_RESTS ((size_t)8)

typedef struct lm_sketch {
    lm_context *ctx;
    size_t width;
    size_t leading; /* rows of basis; 0: a sketch is the vector itself */
    size_t kept;    /* numbers of a sketch */
    float *basis;   /* (leading, width) */
    double off;     /* how far p may be from that of an orthonormal basis */
    double slack;   /* cosine, as lm_cosine_distance finds it ≤ product of sketches + slack */
    double reach;   /* no sketch is longer */
} lm_sketch;

/*
 * Chosen for the pairs of a sample (rows, width) of finite vectors that have a cosine of
 * `threshold` or more: the length that should cost least. Same sample, same sketch.
 * lm_sketch_close in any case.
 */
lm_status lm_sketch_open(lm_context *ctx, size_t width, size_t rows, const float *sample,
                         double threshold, lm_sketch *sketch);
/* Of vectors (rows, width), into out (rows, kept); zeros for a zero vector. Polls. */
lm_status lm_sketch_rows(const lm_sketch *sketch, size_t rows, const float *values, float *out);
void lm_sketch_close(lm_sketch *sketch);

#endif
