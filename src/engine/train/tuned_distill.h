/*
 * tuned_distill.h - a student that learns from a teacher's scores (Hinton et al. 2015): a
 * classifier with some of the teacher's layers, which is where it starts from.
 */
#ifndef LM_TRAIN_TUNED_DISTILL_H
#define LM_TRAIN_TUNED_DISTILL_H

#include "train/tuned.h"

/* The base is the teacher: labels are its. LM_UNSUPPORTED where it is no classifier of one label a
 * text. The model must stay until the last row is added. */
lm_status lm_tuned_teacher(lm_tuned *tuned, const lm_model *model);

/*
 * Rows, which the teacher scores; labels (NULL: there are none) are those that people gave, of the
 * teacher's: another is LM_BAD_ARGUMENT.
 */
lm_status lm_tuned_taught(lm_tuned *tuned, const lm_text *texts, const lm_text *labels,
                          size_t count);

/*
 * Of the checkpoint that was opened only so many layers, each the last of a group of the teacher's,
 * as if they were all; what config.json is to say of them stands in tuned->layers_key.
 */
lm_status lm_tuned_cut(lm_tuned *tuned, const lm_family *family);

#endif
