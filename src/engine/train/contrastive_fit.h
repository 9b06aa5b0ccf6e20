/*
 * contrastive_fit.h - a linear map of fixed vectors in which rows come near to the mean of their
 * label's others and far from other labels' means: SetFit's idea (Tunstall et al. 2022) with the
 * encoder left as it is. What comes of it is an ordinary head: the means, mapped back.
 */
#ifndef LM_CONTRASTIVE_FIT_H
#define LM_CONTRASTIVE_FIT_H

#include "base/context.h"

typedef struct lm_contrastive_options {
    double temperature; /* cosines are divided by it: smaller looks at the nearest labels only */
    double penalty;     /* on the map's distance from doing nothing */
    double hold_out;    /* fraction of rows that measure, 0 to 0.5 */
    int64_t max_steps;  /* of L-BFGS */
    int64_t seed;       /* of the split */
    bool refit;         /* once measured, learn from all rows */
} lm_contrastive_options;

typedef struct lm_contrastive_progress {
    int step, max_steps;
    double loss; /* without the penalty */
} lm_contrastive_progress;

typedef struct lm_contrastive_result {
    float *weight, *bias; /* (labels, width), (labels), allocated from ctx */
    double loss, scale;
    double held_out_accuracy, held_out_loss, held_out_ece; /* NaN: nothing was held out */
    int steps;
    size_t trained, held_out; /* rows */
} lm_contrastive_result;

/* Widths whose map has an acceptable size; scores of all rows for all labels. */
#define LM_CONTRASTIVE_WIDTH_MAX ((size_t)2048)
#define LM_CONTRASTIVE_SCORES_MAX ((size_t)1 << 26)

void lm_contrastive_defaults(lm_contrastive_options *options);

/*
 * x (rows, width) finite, y (rows) in 0 … labels − 1, each with a row. `progress` may be NULL. The
 * same rows, options and CPU level give the same bits. Polls cancel.
 */
lm_status lm_contrastive_train(lm_context *ctx, const float *x, const int32_t *y, size_t rows,
                               size_t width, size_t labels, const lm_contrastive_options *options,
                               void (*progress)(void *opaque, const lm_contrastive_progress *),
                               void *opaque, lm_contrastive_result *result);

#endif
