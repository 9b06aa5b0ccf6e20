/*
 * dropout.h - dropout by a counter: whether a number is kept follows from the seed, the layer and
 * its place, so that the backward pass makes the mask again and no cut of a batch changes it.
 *
 * Values that are kept are divided by 1 − rate, as torch does. The masks are not torch's.
 */
#ifndef LM_NN_DROPOUT_H
#define LM_NN_DROPOUT_H

#include <stddef.h>
#include <stdint.h>

typedef struct lm_dropout {
    float rate;    /* 0: nothing is dropped */
    uint64_t seed; /* of run, step and layer, mixed by lm_dropout_seed */
} lm_dropout;

uint64_t lm_dropout_seed(uint64_t seed, uint64_t step, uint64_t layer);

/*
 * One row of `count` numbers, whose counter is `row` (the row's number in the training and the
 * token's place, mixed by the caller): y = dropped x. y may be x. The same call on gradients is the
 * backward pass.
 */
void lm_dropout_row(const lm_dropout *dropout, uint64_t row, size_t count, const float *x,
                    float *y);

#endif
