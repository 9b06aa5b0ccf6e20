/*
 * labels.h - the labels of rows as they come, and their numbers: in the order of first sight, then
 * in that of their bytes, so that the order of the rows decides nothing.
 */
#ifndef LM_TRAIN_LABELS_H
#define LM_TRAIN_LABELS_H

#include "base/intern.h"
#include "base/text.h"

typedef struct lm_train_labels {
    lm_context *ctx;
    lm_intern names;
    int32_t *y; /* (rows) */
    size_t rows, room;
    uint32_t *order; /* of names; NULL before they are numbered by their bytes */
} lm_train_labels;

void lm_train_labels_init(lm_train_labels *labels, lm_context *ctx);
void lm_train_labels_free(lm_train_labels *labels);
lm_status lm_train_labels_add(lm_train_labels *labels, const lm_text *texts, size_t count);
/* Number them by their bytes. Polls cancel. */
lm_status lm_train_labels_sort(lm_train_labels *labels);
/* Terminated names in that order, in the arena. */
lm_status lm_train_labels_names(const lm_train_labels *labels, lm_arena *arena,
                                const char *const **names);

#endif
