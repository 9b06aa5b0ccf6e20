/*
 * metrics.c - the table of metrics.
 */
#include "metrics/metrics.h"

#include <string.h>

#include "metrics/calibration.h"
#include "metrics/class_scores.h"
#include "metrics/classification.h"
#include "metrics/correlation.h"
#include "metrics/cross_entropy.h"
#include "metrics/drift.h"
#include "metrics/ranking.h"
#include "metrics/text_measures.h"

#define ROW(name, counts, result, settings, check) \
    [LM_METRIC_##name] = {#name, &(counts), result, settings, check},

const lm_metric lm_metrics[LM_METRIC_COUNT] = {LM_METRICS(ROW)};
const lm_metric lm_row_metrics[LM_ROW_METRIC_COUNT] = {LM_ROW_METRICS(ROW)};

static const lm_metric accuracy = {"accuracy", &lm_label_pairs, lm_accuracy_result, NULL, NULL};

/* The form for two classes of a measure: its row has this before the name. */
static const char binary[] = "binary_";

static int
length_of(const lm_metric_column *columns)
{
    int count = 0;

    while (columns && columns[count].name)
        count++;
    return count;
}

static bool
is_called(const lm_metric *metric, const char *name, int arguments)
{
    const char *own = metric->name;
    int columns = length_of(metric->counts->columns);

    if (strncmp(own, binary, strlen(binary)) == 0)
        own += strlen(binary);
    return strcmp(own, name) == 0 && columns <= arguments &&
           arguments <= columns + length_of(metric->settings);
}

const lm_metric *
lm_metric_find(const char *name, int arguments)
{
    if (is_called(&accuracy, name, arguments))
        return &accuracy;
    for (int i = 0; i < LM_METRIC_COUNT; i++)
        if (is_called(&lm_metrics[i], name, arguments))
            return &lm_metrics[i];
    return NULL;
}
