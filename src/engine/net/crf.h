/*
 * crf.h - a linear-chain conditional random field (Lafferty et al. 2001) over numbers of labels.
 */
#ifndef LM_NET_CRF_H
#define LM_NET_CRF_H

#include "base/context.h"

typedef struct lm_crf {
    size_t labels;                       /* C */
    const float *start, *end;            /* (C) */
    const float *transitions;            /* (C, C): from a label to the next */
    float *dstart, *dend, *dtransitions; /* NULL: not wanted; added to */
} lm_crf;

/* Numbers of room, all double, for texts of up to so many tokens. */
size_t lm_crf_room(size_t labels, size_t tokens);

/*
 * −log p(labels) of a text, x (tokens, C), added to *loss / weight; dx = its gradient / weight,
 * NULL: not wanted.
 */
lm_status lm_crf_loss(lm_context *ctx, const lm_crf *crf, size_t tokens, const float *x,
                      const int32_t *labels, double weight, double *room, double *loss, float *dx);
/* Probabilities of each label at each token: p (tokens, C). */
lm_status lm_crf_marginals(lm_context *ctx, const lm_crf *crf, size_t tokens, const float *x,
                           double *room, float *p);
/* The labels with the greatest probability together (Viterbi); the first of equals. */
lm_status lm_crf_decode(lm_context *ctx, const lm_crf *crf, size_t tokens, const float *x,
                        double *room, int32_t *labels);

#endif
