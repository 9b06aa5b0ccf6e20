/*
 * metrics.c - the table of metrics.
 */
#include "metrics/metrics.h"

#include "metrics/classification.h"
#include "metrics/cross_entropy.h"
#include "metrics/text_measures.h"

#define ROW(name, counts, result, settings, check) \
    [LM_METRIC_##name] = {#name, &(counts), result, settings, check},

const lm_metric lm_metrics[LM_METRIC_COUNT] = {LM_METRICS(ROW)};
const lm_metric lm_row_metrics[LM_ROW_METRIC_COUNT] = {LM_ROW_METRICS(ROW)};
