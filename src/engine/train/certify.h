/*
 * certify.h - how far from its boundary a score must be, so that what it decides agrees with an
 * oracle as often as was asked for. The proof is by a random sample that the score never learnt
 * from.
 *
 * Candidates are numbers t: rows with |score| >= t are decided by the score's sign. They stand in a
 * fixed order, from few rows decided to all. From each of a few starts in that order one after the
 * other is tested until one fails, and the last of all that passed is taken. In such a sequence one
 * test alone can go wrong first, that of the first candidate which does not keep its promise; so
 * each start, not each test, takes its part of 1 - confidence, and all together are wrong with a
 * probability of at most that (Maurer, Hothorn and Lehmacher 1995; Angelopoulos et al., Learn then
 * Test, 2021). Several starts, because the surest rows are not always those that agree most, and
 * few of them prove less than many. The order depends on scores of rows outside the sample only.
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
