/*
 * tuned_head.h - a head in training: out · norm(act(dense · x + bias)) + bias, as family.h has it,
 * over rows of pooled vectors or of all tokens.
 */
#ifndef LM_TRAIN_TUNED_HEAD_H
#define LM_TRAIN_TUNED_HEAD_H

#include "net/crf.h"
#include "train/tuned_encoder.h"

typedef struct lm_tuned_head {
    lm_context *ctx;
    const lm_tuned_encoder *encoder;
    lm_activation act;
    float eps;
    double dropout;              /* before the last layer */
    size_t width, inner, labels; /* D, E, C */
    bool crf;                    /* numbers of labels go to a CRF */
    bool dense, norm, tied;      /* tied: the last layer's matrix is the word table */
    /* Of the rows that are run. */
    size_t rows;
    float *room;
    size_t room_size;
    float *x, *raw, *active, *normed, *last; /* (R, D), (R, E) … : the way to the last layer */
    float *scores;                           /* (R, C), and their gradient */
    float *flow, *dx;                        /* (R, E), (R, D) */
} lm_tuned_head;

/* LM_UNSUPPORTED for a head that is not of this form. */
lm_status lm_tuned_head_open(lm_context *ctx, const lm_tuned_encoder *encoder, float eps,
                             double dropout, lm_tuned_head *head);
void lm_tuned_head_close(lm_tuned_head *head);

/* The parameters of its CRF, with their gradients where `graded`. */
lm_crf lm_tuned_head_crf(const lm_tuned_head *head, bool graded);

/* Room for so many rows; the caller fills head->x (rows, D). */
lm_status lm_tuned_head_begin(lm_tuned_head *head, size_t rows);
/* Scores (rows, C) of head->x, in head->scores; `counters` (rows) are those of dropout. */
lm_status lm_tuned_head_forward(lm_tuned_head *head, const lm_pass *pass, const uint64_t *counters);
/* From the gradient of scores, which stands in their place, to that of x, in head->dx. */
lm_status lm_tuned_head_backward(lm_tuned_head *head, const lm_pass *pass,
                                 const uint64_t *counters);

#endif
