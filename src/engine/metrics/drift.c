/*
 * drift.c - two samples in one sorted array.
 */
#include "metrics/drift.h"

#include <math.h>

#include "metrics/ks_p.h"

#define TENTHS 10

/* Sorted rows, and how many of them are of the baseline. */
static lm_status
sort_both(lm_samples *samples, size_t *baseline)
{
    LM_TRY(lm_samples_sort(samples->ctx, samples->items, samples->count));
    *baseline = 0;
    for (size_t i = 0; i < samples->count; i++) {
        *baseline += samples->items[i].value == 0;
        if (i % LM_METRIC_POLL == 0)
            LM_TRY(lm_poll(samples->ctx));
    }
    return LM_OK;
}

/* The distance of both, NaN without one of them; how many rows are of the baseline. */
static lm_status
find_distance(lm_samples *s, size_t *baseline, double *distance)
{
    double base = 0, current = 0, most = 0, of_base, of_current;

    LM_TRY(sort_both(s, baseline));
    of_base = (double)*baseline;
    of_current = (double)(s->count - *baseline);
    for (size_t i = 0; i < s->count; i++) {
        base += s->items[i].value == 0;
        current += s->items[i].value > 0;
        if (i + 1 == s->count || s->items[i + 1].score > s->items[i].score)
            most = fmax(most, fabs(base / of_base - current / of_current));
        if (i % LM_METRIC_POLL == 0)
            LM_TRY(lm_poll(s->ctx));
    }
    *distance = of_base > 0 && of_current > 0 ? most : NAN;
    return LM_OK;
}

lm_status
lm_ks_result(void *counts, const lm_metric_value *settings, double *value)
{
    size_t baseline;

    return find_distance(counts, &baseline, value);
}

lm_status
lm_ks_p_result(void *counts, const lm_metric_value *settings, double *value)
{
    lm_samples *s = counts;
    size_t baseline;
    double distance;

    LM_TRY(find_distance(s, &baseline, &distance));
    *value = NAN;
    return isnan(distance) ? LM_OK
                           : lm_ks_p(s->ctx, distance, baseline, s->count - baseline, value);
}

/* The upper edges of all tenths of the baseline but the last. */
static lm_status
find_edges(const lm_samples *s, size_t baseline, double *edges)
{
    size_t seen = 0;
    int tenth = 0;

    for (size_t i = 0; i < s->count; i++) {
        seen += s->items[i].value == 0;
        for (; tenth < TENTHS - 1 && seen * TENTHS >= (size_t)(tenth + 1) * baseline; tenth++)
            edges[tenth] = s->items[i].score;
        if (i % LM_METRIC_POLL == 0)
            LM_TRY(lm_poll(s->ctx));
    }
    return LM_OK;
}

/* Rows of each tenth: of the baseline and the current ones. */
static lm_status
fill_tenths(const lm_samples *s, const double *edges, double (*tenths)[2])
{
    int tenth = 0;

    for (size_t i = 0; i < s->count; i++) {
        while (tenth < TENTHS - 1 && s->items[i].score > edges[tenth])
            tenth++;
        tenths[tenth][s->items[i].value > 0]++;
        if (i % LM_METRIC_POLL == 0)
            LM_TRY(lm_poll(s->ctx));
    }
    return LM_OK;
}

lm_status
lm_psi_result(void *counts, const lm_metric_value *settings, double *value)
{
    lm_samples *s = counts;
    double edges[TENTHS - 1], tenths[TENTHS][2] = {{0}}, sum = 0;
    size_t baseline;

    *value = NAN;
    LM_TRY(sort_both(s, &baseline));
    if (baseline == 0 || baseline == s->count)
        return LM_OK;
    LM_TRY(find_edges(s, baseline, edges));
    LM_TRY(fill_tenths(s, edges, tenths));
    for (int i = 0; i < TENTHS; i++) {
        double before = fmax(LM_PSI_FLOOR, tenths[i][0] / (double)baseline);
        double now = fmax(LM_PSI_FLOOR, tenths[i][1] / (double)(s->count - baseline));

        sum += (now - before) * log(now / before);
    }
    *value = sum;
    return LM_OK;
}
