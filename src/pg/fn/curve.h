/*
 * curve.h - the curve of a training that is kept in its version's metrics: some points, evenly over
 * its reports, and the last one.
 */
#ifndef LMTEXT_CURVE_H
#define LMTEXT_CURVE_H

#include "lib/stringinfo.h"

#include "pg/watch/progress.h"

#define LMTEXT_CURVE_POINTS 32

typedef struct lmtext_curve_point {
    int step;
    float loss, held_out_loss, held_out_accuracy; /* NaN: not known */
} lmtext_curve_point;

/* Zeroed at first. */
typedef struct lmtext_curve {
    lmtext_curve_point points[LMTEXT_CURVE_POINTS], last;
    int count, reports;
    int stride; /* of reports that are kept, less 1 */
} lmtext_curve;

/* A report without a loss on held-out rows is no point. May be called from inside the engine. */
void lmtext_curve_add(lmtext_curve *curve, const lmtext_progress *progress);
/* Appends `, "curve": {"step": […], …}`, or nothing where there is no point. */
void lmtext_curve_append(StringInfo json, const lmtext_curve *curve);

#endif
