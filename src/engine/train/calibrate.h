/*
 * calibrate.h - what held-out rows say of a classifier's numbers: the factor that makes their
 * softmax as good a guess as it can be (Guo et al. 2017: temperature), and how far off the scores
 * are.
 */
#ifndef LM_CALIBRATE_H
#define LM_CALIBRATE_H

#include "base/context.h"

/* Numbers of rows. */
typedef struct lm_held_out {
    float *scores;      /* (count, labels) */
    const size_t *rows; /* (count): of y; NULL: the first ones */
    size_t count, labels;
    const int32_t *y;
} lm_held_out;

/* Mean −ln of the softmax of scale · numbers at the label, and its slope by the factor. */
lm_status lm_held_out_loss(lm_context *ctx, const lm_held_out *held_out, double scale, double *loss,
                           double *slope);
/* The factor for which the loss is least, against targets that leave 1 / (rows + 2) to chance. */
lm_status lm_calibrate_scale(lm_context *ctx, const lm_held_out *held_out, double *scale);
/* Expected calibration error of the best label's score: 15 equal bins. */
lm_status lm_calibration_error(lm_context *ctx, const lm_held_out *held_out, double scale,
                               double *error);
/* Of these, the first of equals. */
size_t lm_best_number(const float *scores, size_t labels);
/* Share of the rows whose best number is the label's. */
double lm_held_out_accuracy(const lm_held_out *held_out);

#endif
