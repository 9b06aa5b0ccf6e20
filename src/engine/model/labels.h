/*
 * labels.h - what config.json says of a checkpoint's head: the names of its labels, and how its
 * numbers become scores (private to model/).
 */
#ifndef LM_MODEL_LABELS_H
#define LM_MODEL_LABELS_H

#include "model/plan.h"

/*
 * Fill in label_count, labels and scoring for a head of so many outputs. Labels that nobody named
 * are LABEL_0, LABEL_1, …, as the reference calls them.
 */
lm_status lm_labels_read(lm_planner *p, int count, lm_model_info *info);

/* LM_BAD_MODEL, with file and key, where a name occurs twice: scores could not be told apart. */
lm_status lm_labels_check_distinct(lm_context *ctx, const char *file, const char *key,
                                   const char *const *names, int count);

/* "softmax", "sigmoid", "raw", "cumulative" */
const char *lm_scoring_name(lm_scoring scoring);
/* What the settings of a classifier that lmtext trained say; softmax where they say nothing. */
lm_status lm_scoring_read(lm_context *ctx, const char *file, const lm_json *settings,
                          lm_scoring *scoring);

#endif
