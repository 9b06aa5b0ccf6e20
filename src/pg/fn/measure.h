/*
 * measure.h - what reports and measures over a query share: values of SQL as the engine's metrics
 * take them, and rows of scores.
 */
#ifndef LMTEXT_MEASURE_H
#define LMTEXT_MEASURE_H

#include "nodes/execnodes.h"

#include "metrics/classification.h"
#include "pg/fn/labels.h"

/* A value that is not null, of a metric's type; it lives as long as the datum and the labels do. */
lm_metric_value lmtext_metric_value(Datum datum, lm_metric_type type, lmtext_labels *labels);
/* Of a text, where a metric takes several. */
lm_metric_value lmtext_metric_one_text(Datum datum);
/* The same of a setting, which has bytes whatever its type. */
void lmtext_metric_setting(Datum datum, lm_metric_type type, lmtext_labels *labels,
                           lm_metric_value *setting);
/* "tokenizer, smooth and lowercase of bleu must not be null" */
void lmtext_refuse_settings(const lm_metric *metric, int sqlstate, const char *must);
/* One that was not given equals only itself. */
bool lmtext_same_setting(const lm_metric_value *a, const lm_metric_value *b);
/* The result of counts, of labels (which may be NULL) in the order of their type where that
 * matters. call->memory is where the engine allocates. */
double lmtext_metric_result(lmtext_call *call, const lm_metric *metric, void *counts,
                            const lmtext_labels *labels, const lm_metric_value *settings);

/* A row (label, precision, recall, f1, support, summary) of a report. */
void lmtext_emit_score(ReturnSetInfo *result, text *label, const lm_average *score, bool summary);
/* The rows of the three means. */
void lmtext_emit_averages(ReturnSetInfo *result, const lm_averages *means);

#endif
