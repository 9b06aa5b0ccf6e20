/*
 * softmax.h - multinomial logistic regression on fixed vectors: the head that lmtext.train puts on
 * a frozen encoder. Full-batch L-BFGS (Nocedal 1980) on mean cross entropy + ½ · l2 · ‖W‖² with
 * OpenBLAS; a stratified held-out split chooses when to stop; same seed, same bits.
 */
#ifndef LM_SOFTMAX_H
#define LM_SOFTMAX_H

#include "base/context.h"

typedef struct lm_softmax_options {
    double l2;       /* penalty; < 0: chosen on the held-out split from a short grid */
    int max_steps;   /* of L-BFGS */
    int patience;    /* held-out checks without gain before the stop */
    double hold_out; /* fraction of rows held out, 0 to 0.5 */
    uint64_t seed;
    bool refit;                  /* after choosing, train on all rows with the chosen settings */
    const double *label_weights; /* (labels): of a row's loss; NULL: all are 1 */
} lm_softmax_options;

typedef struct lm_softmax_progress {
    int step, max_steps;
    double loss;                             /* on the rows trained on */
    double held_out_loss, held_out_accuracy; /* NaN while not known */
} lm_softmax_progress;

typedef struct lm_softmax_result {
    float *weight; /* (C, D), allocated from ctx */
    float *bias;   /* (C) */
    double l2, loss, held_out_loss, held_out_accuracy;
    int steps;
    size_t trained, held_out; /* rows */
} lm_softmax_result;

void lm_softmax_defaults(lm_softmax_options *options);

/* x (rows, width), y (rows) in 0 … labels − 1. `progress` may be NULL. Polls cancel. */
lm_status lm_softmax_train(lm_context *ctx, const float *x, const int32_t *y, size_t rows,
                           size_t width, int labels, const lm_softmax_options *options,
                           void (*progress)(void *opaque, const lm_softmax_progress *),
                           void *opaque, lm_softmax_result *result);

#endif
