/*
 * sample.h - some rows in place of all: an order in which they are drawn by a seed, of each label
 * alike. However many are taken from its beginning, labels have their shares; the first rows are
 * one of each label.
 */
#ifndef LM_TRAIN_SAMPLE_H
#define LM_TRAIN_SAMPLE_H

#include "base/context.h"

typedef struct lm_row_sample {
    lm_context *ctx;
    size_t *rank; /* (rows): a row's place in the order of the draw; NULL: not drawn */
    size_t rows;
} lm_row_sample;

/* Rows of y, 0 to labels − 1. To be freed, also where this fails. Polls cancel. */
lm_status lm_row_sample_draw(lm_context *ctx, const int32_t *y, size_t rows, size_t labels,
                             uint64_t seed, lm_row_sample *sample);
void lm_row_sample_free(lm_row_sample *sample);
/* The rows of rank `from` to `to` − 1, ascending, into `list` (to − from). */
void lm_row_sample_list(const lm_row_sample *sample, size_t from, size_t to, size_t *list);
/* Vectors (rows, width) in the order of the draw come into that of the rows. Polls cancel. */
lm_status lm_row_sample_put_back(const lm_row_sample *sample, float *vectors, size_t width);

#endif
