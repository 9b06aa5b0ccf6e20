/*
 * neighbours.h - labels of a vector by a vote of the examples that are nearest to it, by the
 * cosine: scikit-learn's KNeighborsClassifier (metric "cosine").
 */
#ifndef LM_MODEL_NEIGHBOURS_H
#define LM_MODEL_NEIGHBOURS_H

#include "kernels/kernels.h"

#define LM_NEIGHBOURS_K_MAX 256
/* Numbers of all examples: a vector is compared with them in some 20 ms, without a poll. */
#define LM_NEIGHBOURS_NUMBERS_MAX ((size_t)1 << 25)

typedef struct lm_neighbours {
    size_t count, width;   /* 0: there are none */
    const float *examples; /* (count, width), of length 1 or 0 */
    const uint32_t *label; /* (count) */
    int k;
    bool by_distance; /* votes weigh 1 / distance; else they are equal */
} lm_neighbours;

/*
 * Shares of the votes (labels); their sum is 1. Of examples that are equally near the first ones
 * vote; `without` has no vote (count: all have one).
 */
void lm_neighbours_vote(const lm_kernels *kernels, const lm_neighbours *neighbours, const float *x,
                        size_t labels, size_t without, float *shares);

#endif
