/*
 * query.h - a query made ready for the codes of a space: rotated, as tables of bytes for codes of
 * one bit, and as 16-bit numbers for vectors of int8.
 */
#ifndef LM_QUERY_H
#define LM_QUERY_H

#include "search/space.h"

typedef struct lm_query {
    const lm_space *space;
    float *vector;   /* (width) prepared */
    float *rotated;  /* (padded) its difference from the origin */
    uint8_t *tables; /* (padded / 4, 16): sums of four numbers with signs, quantised */
    float scale;     /* signs · rotated = scale · sum of table entries + offset */
    float offset;
    int16_t *numbers; /* (padded) of the rotated query (L2: of its difference from the origin) */
    float step;       /* of numbers */
    float constant;   /* what int8 distances begin with */
    bool zero;        /* the vector has zeros only */
    void *memory;     /* what all this lies in */
} lm_query;

/* The space must outlive the query. LM_NO_MEMORY. */
lm_status lm_query_create(lm_context *ctx, const lm_space *space, lm_query **query);
void lm_query_free(lm_context *ctx, lm_query *query); /* NULL is allowed */

/* For a vector (width) as the user gave it; refuses what lm_space_prepare refuses. May be called
 * again and again. */
lm_status lm_query_set(lm_context *ctx, lm_query *query, const float *x);

/*
 * The part of a distance that the centroid (width) of a list gives; NULL: the origin. It is a
 * distance to the centroid, by which lists are chosen as well.
 */
float lm_query_base(const lm_query *query, const float *centroid);

/* The exact distance to a prepared vector (width), from floats. */
float lm_query_exact(const lm_query *query, const float *x);

#endif
