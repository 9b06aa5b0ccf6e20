/*
 * samples.h - pairs of numbers that are kept until the last one is in: what measures over ranks
 * need. 16 bytes a row.
 */
#ifndef LM_METRICS_SAMPLES_H
#define LM_METRICS_SAMPLES_H

#include "metrics/metrics.h"

#define LM_METRIC_POLL 8192 /* steps of a loop between two polls */

typedef struct lm_sample {
    double value; /* what is true of the row */
    double score;
} lm_sample;

typedef struct lm_samples {
    lm_context *ctx;
    lm_sample *items;
    size_t count, room;
} lm_samples;

lm_status lm_samples_create(lm_context *ctx, void **counts);
void lm_samples_free(void *counts);
lm_status lm_samples_add(lm_samples *samples, double value, double score);
lm_status lm_samples_merge(void *into, const void *from, const lm_label_map *map);
lm_status lm_samples_write(void *counts, lm_buffer *out);
lm_status lm_samples_read(void *counts, const char *bytes, size_t size);

/* By score, then value, the smallest first. */
lm_status lm_samples_sort(lm_context *ctx, lm_sample *items, size_t count);
/* Items [*from, result) are those of one score that end before `to`, which is above 0. */
lm_status lm_samples_tie(lm_context *ctx, const lm_sample *items, size_t to, size_t *from);
/* A copy of the items, to be freed; NULL where it fails. */
lm_status lm_samples_copy(const lm_samples *samples, lm_sample **copy);

/* memcpy and lm_buffer_append that poll. */
lm_status lm_metric_copy(lm_context *ctx, void *to, const void *from, size_t size);
lm_status lm_metric_append(lm_buffer *out, const void *bytes, size_t size);

/* LM_BAD_ARGUMENT, with its name, where a number is NaN. */
lm_status lm_metric_refuse_nan(lm_context *ctx, const char *name, double number);
/* The same where it is not between 0 and 1. */
lm_status lm_metric_check_share(lm_context *ctx, const char *name, double number);

#endif
