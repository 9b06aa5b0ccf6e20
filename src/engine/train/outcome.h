/*
 * outcome.h - what methods share in telling what came of a training, and in keeping its vectors.
 */
#ifndef LM_TRAIN_OUTCOME_H
#define LM_TRAIN_OUTCOME_H

#include "model/model.h"
#include "train/labels.h"
#include "train/methods.h"

/* A figure; there is room for LM_TRAIN_VALUES_MAX. */
void lm_outcome_add(lm_train_outcome *outcome, const char *name, double value);
void lm_outcome_add_bool(lm_train_outcome *outcome, const char *name, bool value);
/* "with 2 labels: accuracy …", or that nothing was held out where the accuracy is NaN. */
void lm_outcome_summarize(lm_train_outcome *outcome, unsigned labels, double accuracy,
                          size_t held_out);
/* Begin two files of these names. */
void lm_outcome_open_files(lm_context *ctx, lm_train_outcome *outcome, const char *json,
                           const char *tensors);
/* The files of a head whose names are those of the labels. */
lm_status lm_outcome_write_head(lm_context *ctx, const lm_train_labels *labels, const lm_head *head,
                                lm_train_outcome *outcome);

/* Vectors as they come. */
typedef struct lm_train_vectors {
    float *values; /* (rows, width) */
    size_t rows, room, width;
} lm_train_vectors;

lm_status lm_train_vectors_add(lm_context *ctx, lm_train_vectors *vectors, const float *values,
                               size_t count);
/* All of length 1; of length 0 stay. LM_BAD_ARGUMENT: one is not finite. Polls cancel. */
lm_status lm_train_vectors_normalize(lm_context *ctx, lm_train_vectors *vectors);

#endif
