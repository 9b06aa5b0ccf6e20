/*
 * late_interaction.h - how a model for late interaction reads queries and documents. A section of
 * its image.
 */
#ifndef LM_MODEL_LATE_INTERACTION_H
#define LM_MODEL_LATE_INTERACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The two sides, as numbers of an array. */
enum { LM_LATE_QUERY, LM_LATE_DOCUMENT, LM_LATE_SIDES };

/* Read only; the ids lie in the image. */
typedef struct lm_late {
    size_t length[LM_LATE_SIDES]; /* tokens at most; 0: the model's window */
    bool skips[LM_LATE_SIDES];    /* the skip list counts */
    bool expanded, attended;      /* queries are filled up to their length with `filler` */
    int32_t filler;
    const int32_t *skip; /* ids of tokens that have no vector, in ascending order */
    size_t skip_count;
} lm_late;

/* Whether a token of a side has no vector. */
bool lm_late_skips(const lm_late *late, int side, int32_t id);

#endif
