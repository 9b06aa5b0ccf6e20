/*
 * curve.c - points of a training's curve; a full list loses every other one.
 */
#include "postgres.h"

#include <math.h>

#include "pg/fn/curve.h"

static void
thin(lmtext_curve *curve)
{
    for (int i = 0; 2 * i < curve->count; i++)
        curve->points[i] = curve->points[2 * i];
    curve->count = (curve->count + 1) / 2;
    curve->stride = 2 * curve->stride + 1;
}

void
lmtext_curve_add(lmtext_curve *curve, const lmtext_progress *progress)
{
    const lmtext_curve_point point = {progress->step, (float)progress->loss,
                                      (float)progress->held_out_loss,
                                      (float)progress->held_out_accuracy};

    if (!isfinite(point.held_out_loss))
        return;
    curve->last = point;
    if (curve->reports++ % (curve->stride + 1) != 0)
        return;
    if (curve->count == LMTEXT_CURVE_POINTS) {
        thin(curve);
        if ((curve->reports - 1) % (curve->stride + 1) != 0)
            return;
    }
    curve->points[curve->count++] = point;
}

typedef double (*curve_value)(const lmtext_curve_point *point);

static double
step_of(const lmtext_curve_point *point)
{
    return point->step;
}

static double
loss_of(const lmtext_curve_point *point)
{
    return point->loss;
}

static double
held_out_loss_of(const lmtext_curve_point *point)
{
    return point->held_out_loss;
}

static double
held_out_accuracy_of(const lmtext_curve_point *point)
{
    return point->held_out_accuracy;
}

static const struct {
    const char *name;
    curve_value value;
} columns[] = {{"step", step_of},
               {"loss", loss_of},
               {"held_out_loss", held_out_loss_of},
               {"held_out_accuracy", held_out_accuracy_of}};

static void
append_value(StringInfo json, const char *comma, double value)
{
    if (isfinite(value))
        appendStringInfo(json, "%s%.6g", comma, value);
    else
        appendStringInfo(json, "%snull", comma);
}

/* The last report is a point, also where it was not kept as one. */
void
lmtext_curve_append(StringInfo json, const lmtext_curve *curve)
{
    const bool with_last = (curve->reports - 1) % (curve->stride + 1) != 0;

    if (curve->count == 0)
        return;
    appendStringInfoString(json, ", \"curve\": {");
    for (int c = 0; c < lengthof(columns); c++) {
        appendStringInfo(json, "%s\"%s\": [", c > 0 ? ", " : "", columns[c].name);
        for (int i = 0; i < curve->count; i++)
            append_value(json, i > 0 ? ", " : "", columns[c].value(&curve->points[i]));
        if (with_last)
            append_value(json, ", ", columns[c].value(&curve->last));
        appendStringInfoChar(json, ']');
    }
    appendStringInfoChar(json, '}');
}
