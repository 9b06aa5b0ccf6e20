/*
 * tuned_tasks.h - what tasks of fine-tuning share (private to train/).
 */
#ifndef LM_TRAIN_TUNED_TASKS_H
#define LM_TRAIN_TUNED_TASKS_H

#include "train/tuned.h"

/* Hide tokens of rows from the encoder: tuned->changed and ->guessed. */
lm_status lm_tuned_mask(lm_tuned *tuned, const size_t *rows, size_t count, const lm_pass *pass);

/* Vectors (texts, D) of a batch's texts, by the model's pooling. */
void lm_tuned_pool(const lm_tuned *tuned, const float *states, float *vectors);
/* Their gradients, to encoder.dhidden. */
void lm_tuned_pool_backward(const lm_tuned *tuned, const float *states, const float *dvectors);

/* The head's scores of a batch, and the way back from their gradient, which stands in their place:
 * in training alone. */
lm_status lm_tuned_pooled_forward(lm_tuned *tuned, const lm_pass *pass, const float *states);
lm_status lm_tuned_pooled_backward(lm_tuned *tuned, const lm_pass *pass, const float *states);

/* Room for so many floats, in tuned->room. */
lm_status lm_tuned_room(lm_tuned *tuned, size_t numbers);

#endif
