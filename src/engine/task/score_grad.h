/*
 * score_grad.h - a label's score with its gradient, back through the head, the modules and the
 * poolings to the hidden states of a text, or of its windows.
 */
#ifndef LM_TASK_SCORE_GRAD_H
#define LM_TASK_SCORE_GRAD_H

#include "task/steps.h"

/* From hidden states to a score: what the model does behind its encoder. */
typedef struct lm_score_path {
    lm_context *ctx;
    const lm_kernels *kernels;
    const lm_steps *steps;
    bool normalize; /* the embedding has length 1, by the model's files */
    const lm_head *head;
    size_t hidden;   /* D */
    size_t excluded; /* first tokens that pooling leaves out */
    int label;
    float *room; /* lm_score_path_room numbers */
} lm_score_path;

/* Of lm_pool_rows: what comes to rows first … rows − 1 of dy (width) is added to dx (rows, width).
 */
void lm_pool_backward(lm_pooling pooling, const float *x, size_t first, size_t rows, size_t width,
                      const float *dy, float *dx);

size_t lm_score_path_room(const lm_steps *steps, const lm_head *head);

/*
 * The same in three steps, for a text of several windows: the vector of each window's hidden states
 * (vector, lm_score_path_width numbers); the score of what they were joined to, whose gradient,
 * dvector, is set unless it is NULL; and from that of a window's vector, which is used up, to the
 * gradient of its hidden states.
 */
size_t lm_score_path_width(const lm_score_path *path);
lm_status lm_score_path_embed(const lm_score_path *path, const float *x, size_t rows,
                              float *vector);
lm_status lm_score_path_score(const lm_score_path *path, const float *vector, float *score,
                              float *dvector);
lm_status lm_score_path_back(const lm_score_path *path, const float *x, size_t rows, float *dvector,
                             float *gradient);

/* The label's score of a text's hidden states x (rows, D); gradient (rows, D): NULL, or set. */
lm_status lm_score_path_run(const lm_score_path *path, const float *x, size_t rows, float *score,
                            float *gradient);

#endif
