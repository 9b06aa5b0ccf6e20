/*
 * calibration.c - mean losses of probabilities, and the expected calibration error.
 */
#include "metrics/calibration.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "metrics/fixed.h"
#include "metrics/samples.h"

/* ---- Mean losses ---- */

typedef struct loss_sums {
    uint64_t rows;
    lm_fixed sum;
} loss_sums;

typedef struct losses {
    lm_context *ctx;
    loss_sums s;
} losses;

static lm_status
losses_create(lm_context *ctx, void **counts)
{
    losses *l = lm_alloc_zero(ctx, sizeof *l);

    *counts = l;
    if (!l)
        return LM_NO_MEMORY;
    l->ctx = ctx;
    return LM_OK;
}

static void
losses_free(void *counts)
{
    losses *l = counts;

    if (l)
        lm_free(l->ctx, l);
}

static lm_status
add_loss(losses *l, double loss)
{
    l->s.rows++;
    lm_fixed_add(&l->s.sum, lm_fixed_of(loss));
    return LM_OK;
}

static lm_status
losses_merge(void *into, const void *from, const lm_label_map *map)
{
    losses *all = into;
    const losses *more = from;

    all->s.rows += more->s.rows;
    lm_fixed_add(&all->s.sum, more->s.sum);
    return LM_OK;
}

static lm_status
losses_write(void *counts, lm_buffer *out)
{
    const losses *l = counts;

    return lm_buffer_append(out, &l->s, sizeof l->s);
}

static lm_status
losses_read(void *counts, const char *bytes, size_t size)
{
    losses *l = counts;

    if (size != sizeof l->s)
        return lm_raise(l->ctx, LM_CORRUPT, "the sums of losses are not whole");
    memcpy(&l->s, bytes, size);
    return LM_OK;
}

lm_status
lm_mean_loss_result(void *counts, const lm_metric_value *settings, double *value)
{
    const losses *l = counts;

    *value = lm_fixed_value(l->s.sum) / (double)l->s.rows;
    return LM_OK;
}

/* ---- What a row loses ---- */

static double
log_loss(double probability)
{
    return -log(fmax(DBL_EPSILON, fmin(1 - DBL_EPSILON, probability)));
}

lm_status
lm_metric_check_classes(lm_context *ctx, const lm_metric_value *labels,
                        const lm_metric_value *probabilities)
{
    if (labels->count == probabilities->count)
        return LM_OK;
    lm_raise(ctx, LM_BAD_ARGUMENT, "labels and probabilities must have the same length");
    return lm_detail_found(ctx, "%zu labels and %zu probabilities", labels->count,
                           probabilities->count);
}

static lm_status
class_loss_add(void *counts, const lm_metric_value *row)
{
    losses *l = counts;
    const lm_metric_value *actual = &row[0], *labels = &row[1], *probabilities = &row[2];

    LM_TRY(lm_metric_check_classes(l->ctx, labels, probabilities));
    for (size_t i = 0; i < labels->count; i++) {
        if (labels->labels[i].length != actual->length ||
            memcmp(labels->labels[i].bytes, actual->bytes, actual->length) != 0)
            continue;
        LM_TRY(lm_metric_check_share(l->ctx, "a probability", probabilities->numbers[i]));
        return add_loss(l, log_loss(probabilities->numbers[i]));
    }
    return lm_raise(l->ctx, LM_BAD_ARGUMENT, "the actual label is not among the labels");
}

static lm_status
binary_loss_add(void *counts, const lm_metric_value *row)
{
    losses *l = counts;
    double p = row[1].number;

    LM_TRY(lm_metric_check_share(l->ctx, "score", p));
    return add_loss(l, log_loss(row[0].whole ? p : 1 - p));
}

static lm_status
squared_loss_add(void *counts, const lm_metric_value *row)
{
    losses *l = counts;
    double error = row[1].number - (row[0].whole ? 1 : 0);

    LM_TRY(lm_metric_check_share(l->ctx, "score", row[1].number));
    return add_loss(l, error * error);
}

static const lm_metric_column class_columns[] = {{"actual", LM_METRIC_LABEL},
                                                 {"labels", LM_METRIC_LABELS},
                                                 {"probabilities", LM_METRIC_NUMBERS},
                                                 {NULL, 0}};
static const lm_metric_column binary_columns[] = {
    {"actual", LM_METRIC_BOOL}, {"score", LM_METRIC_NUMBER}, {NULL, 0}};

#define LOSSES(of, row)                                                              \
    {                                                                                \
        .columns = (of), .create = losses_create, .free = losses_free, .add = (row), \
        .merge = losses_merge, .write = losses_write, .read = losses_read            \
    }

const lm_metric_counts lm_class_losses = LOSSES(class_columns, class_loss_add);
const lm_metric_counts lm_binary_losses = LOSSES(binary_columns, binary_loss_add);
const lm_metric_counts lm_squared_losses = LOSSES(binary_columns, squared_loss_add);

/* ---- Expected calibration error ---- */

typedef struct bin {
    uint64_t rows, correct;
    lm_fixed confidence;
} bin;

typedef struct bins {
    lm_context *ctx;
    bin bins[LM_ECE_BINS];
} bins;

static lm_status
bins_create(lm_context *ctx, void **counts)
{
    bins *b = lm_alloc_zero(ctx, sizeof *b);

    *counts = b;
    if (!b)
        return LM_NO_MEMORY;
    b->ctx = ctx;
    return LM_OK;
}

static void
bins_free(void *counts)
{
    bins *b = counts;

    if (b)
        lm_free(b->ctx, b);
}

/* An edge belongs to the bin below it; 0 to the first. */
static int
bin_of(double confidence)
{
    int at = 0;

    while (at < LM_ECE_BINS - 1 && confidence > (double)(at + 1) / LM_ECE_BINS)
        at++;
    return at;
}

static lm_status
bins_add(void *counts, const lm_metric_value *row)
{
    bins *b = counts;
    double confidence = row[1].number;
    bin *at;

    LM_TRY(lm_metric_check_share(b->ctx, "confidence", confidence));
    at = &b->bins[bin_of(confidence)];
    at->rows++;
    at->correct += row[0].whole != 0;
    lm_fixed_add(&at->confidence, lm_fixed_of(confidence));
    return LM_OK;
}

static lm_status
bins_merge(void *into, const void *from, const lm_label_map *map)
{
    bins *all = into;
    const bins *more = from;

    for (int i = 0; i < LM_ECE_BINS; i++) {
        all->bins[i].rows += more->bins[i].rows;
        all->bins[i].correct += more->bins[i].correct;
        lm_fixed_add(&all->bins[i].confidence, more->bins[i].confidence);
    }
    return LM_OK;
}

static lm_status
bins_write(void *counts, lm_buffer *out)
{
    const bins *b = counts;

    return lm_buffer_append(out, b->bins, sizeof b->bins);
}

static lm_status
bins_read(void *counts, const char *bytes, size_t size)
{
    bins *b = counts;

    if (size != sizeof b->bins)
        return lm_raise(b->ctx, LM_CORRUPT, "the bins of confidences are not whole");
    memcpy(b->bins, bytes, size);
    return LM_OK;
}

static const lm_metric_column bin_columns[] = {
    {"correct", LM_METRIC_BOOL}, {"confidence", LM_METRIC_NUMBER}, {NULL, 0}};

const lm_metric_counts lm_confidence_bins = {.columns = bin_columns,
                                             .create = bins_create,
                                             .free = bins_free,
                                             .add = bins_add,
                                             .merge = bins_merge,
                                             .write = bins_write,
                                             .read = bins_read};

lm_status
lm_ece_result(void *counts, const lm_metric_value *settings, double *value)
{
    const bins *b = counts;
    double rows = 0, sum = 0;

    for (int i = 0; i < LM_ECE_BINS; i++) {
        rows += (double)b->bins[i].rows;
        sum += fabs((double)b->bins[i].correct - lm_fixed_value(b->bins[i].confidence));
    }
    *value = sum / rows;
    return LM_OK;
}
