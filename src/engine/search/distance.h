/*
 * distance.h - distances between float vectors, over the kernel table; the meaning is pgvector's.
 */
#ifndef LM_DISTANCE_H
#define LM_DISTANCE_H

#include <stddef.h>

/*
 * Of finite vectors, a finite number, except the cosine distance where a vector is zero. Of a
 * vector with NaN or an infinity, NaN or an infinity: a finite result needs no look at the vectors.
 */

/* 1 − cosine, clamped to [0, 2]; NaN when a vector is zero, as pgvector. */
double lm_cosine_distance(size_t width, const float *a, const float *b);
double lm_l2_distance(size_t width, const float *a, const float *b);
double lm_inner_product(size_t width, const float *a, const float *b);

#endif
