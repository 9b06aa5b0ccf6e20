/*
 * scored.h - rows of labels and scores, the highest first.
 */
#ifndef LMTEXT_SCORED_H
#define LMTEXT_SCORED_H

#include "nodes/execnodes.h"

#include "pg/glue/glue.h"

typedef struct lmtext_label_score {
    int label;
    float score;
} lmtext_label_score;

/* All of them, the highest first; equal scores stand in the labels' order. */
lmtext_label_score *lmtext_sort_scores(const float *scores, int count);

/* A label, in the database's encoding. */
typedef text *(*lmtext_label_maker)(const void *opaque, int label);

/* One row a label; with an ordinality unless it is 0. */
void lmtext_emit_scores(ReturnSetInfo *result, int64 ordinality, const float *scores, int count,
                        lmtext_label_maker label, const void *opaque);

#endif
