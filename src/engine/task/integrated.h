/*
 * integrated.h - integrated gradients of one text: a share of the score for each token (private to
 * task/).
 */
#ifndef LM_TASK_INTEGRATED_H
#define LM_TASK_INTEGRATED_H

#include "base/arena.h"
#include "task/batch.h"
#include "task/explain.h"

/* A token of the text, special ones and those of a prompt left out. */
typedef struct lm_shared_token {
    int32_t token;
    int32_t start, stop; /* characters of the text */
    double value;
} lm_shared_token;

/*
 * Shares of a label's score, in the arena. `tokens` and `forwards` of counts are added to.
 */
lm_status lm_integrated_gradients(lm_context *ctx, lm_arena *arena, lm_session *session,
                                  const lm_model *model, const lm_text *text,
                                  const lm_embed_options *options,
                                  const lm_explain_options *explain, lm_shared_token **shares,
                                  size_t *count, lm_embed_counts *counts);

/* Nodes and weights of the Gauss-Legendre rule on 0 … 1: exact for polynomials below 2 · count. */
void lm_gauss_legendre(size_t count, double *nodes, double *weights);

#endif
