/*
 * score.h - scores of labels for one vector, by a head.
 */
#ifndef LM_SCORE_H
#define LM_SCORE_H

#include "model/model.h"

/*
 * Scores (labels) of x (width), which a head of its model was made for; `room` has lm_head_room
 * numbers, for what lies between two layers. The same bits whatever else is computed.
 */
size_t lm_head_room(const lm_head *head);
void lm_head_score(const lm_kernels *kernels, const lm_head *head, const float *x, float *room,
                   float *scores);

/* The numbers alone, before they become scores; and that, in place. */
void lm_head_logits(const lm_kernels *kernels, const lm_head *head, const float *x, float *room,
                    float *logits);
void lm_score(const lm_kernels *kernels, lm_scoring scoring, size_t count, float *x);

/* What the outputs are made of: x, or what its first layer makes of it, in `room`. */
const float *lm_head_transform(const lm_kernels *kernels, const lm_head *head, const float *x,
                               float *room);

#endif
