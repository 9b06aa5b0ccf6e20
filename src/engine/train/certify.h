/*
 * certify.h - how far from its boundary a score must be, so that what it decides agrees with an
 * oracle as often as was asked for. The proof is by a random sample that the score never learnt
 * from.
 *
 * Candidates are numbers t: rows with |score| >= t are decided by the score's sign. They stand in a
 * fixed order, from few rows decided to all, in which scores of rows outside the sample only have a
 * part. They are tested by the fallback procedure (Wiens 2003; proof: Wiens and Dmitrienko 2005): a
 * few of them, the starts, have a part of 1 - confidence of their own, and each passes what it was
 * tested at on to the next one if it passed. So trying many costs nothing, and the probability that
 * any candidate passes that does not keep its promise is at most 1 - confidence. Several starts,
 * because the surest rows are not always those that agree most, and few of them prove less than
 * many. The last candidate that passed is taken.
 */
#ifndef LM_CERTIFY_H
#define LM_CERTIFY_H

#include "base/context.h"

/* A row of the sample. */
typedef struct lm_certify_row {
    double distance; /* |score| */
    bool agrees;     /* the score's sign with the oracle */
} lm_certify_row;

typedef struct lm_certificate {
    bool proven;            /* else the rest tells of the one that came nearest */
    double distance;        /* at and beyond which rows are decided; 0: all are */
    size_t decided, agreed; /* rows of the sample */
    double bound;           /* of the share that agrees */
    double share;           /* of the rows outside the sample that is decided */
} lm_certificate;

/*
 * `distances` (count) are those of rows outside the sample, in ascending order, at least one;
 * agreement and confidence lie in (0, 1).
 */
void lm_certify(const double *distances, size_t count, const lm_certify_row *sample,
                size_t sample_count, double agreement, double confidence,
                lm_certificate *certificate);

#endif
