/*
 * nearest.c - classifiers of the nearest.
 *
 * No row is held out: few there are. Each of some rows, spread over all of them, is asked about as
 * if it were not there: it has no vote, and is taken out of its label's mean. The only row of a
 * label is not asked about.
 */
#include "train/nearest.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "model/head.h"
#include "train/calibrate.h"
#include "train/outcome.h"

#define POLL_EVERY 256    /* rows */
#define MOST_ASKED 1000   /* rows */
#define PLAIN_SCALE 20.0f /* of cosines, where there is nothing to choose it on */
#define MOST_WEIGHTS ((size_t)1 << 26)
#define MOST_SCORES ((size_t)1 << 24)

typedef struct nearest_options {
    int64_t k;
    char *weights;
} nearest_options;

typedef struct nearest {
    lm_context *ctx;
    nearest_options options;
    lm_train_labels labels;
    lm_train_vectors vectors; /* of length 1, once it is fitted */
    size_t *asked;            /* (asked_count): rows that are asked about */
    size_t asked_count;
    uint32_t *classes; /* (rows): of knn */
    double *sums;      /* (labels, width): of vectors */
    double *squares;   /* (labels): their lengths, squared */
    size_t *of_label;  /* (labels): rows */
    float *weight;     /* (labels, width): of prototype */
    float *bias;       /* (labels): 0 */
    float *scores;     /* (asked_count, labels) */
    double accuracy, loss, error, scale;
} nearest;

static void
nearest_defaults(void *options)
{
    *(nearest_options *)options = (nearest_options){.k = 5, .weights = "distance"};
}

static lm_status
check_weights(nearest *n)
{
    const char *weights = n->options.weights;

    if (strcmp(weights, "uniform") == 0 || strcmp(weights, "distance") == 0)
        return LM_OK;
    lm_raise(n->ctx, LM_BAD_ARGUMENT, "a value of an option is not valid");
    lm_detail_key(n->ctx, "weights");
    lm_detail_found(n->ctx, "%s", weights);
    return lm_detail_allowed(n->ctx, "uniform, distance");
}

static lm_status
nearest_open(lm_context *ctx, const void *options, size_t width, void **training)
{
    nearest *n = lm_alloc_zero(ctx, sizeof *n);

    *training = n;
    if (!n)
        return LM_NO_MEMORY;
    n->ctx = ctx;
    n->options = *(const nearest_options *)options;
    n->vectors.width = width;
    lm_train_labels_init(&n->labels, ctx);
    return check_weights(n);
}

static void
nearest_close(void *training)
{
    nearest *n = training;

    if (!n)
        return;
    lm_train_labels_free(&n->labels);
    lm_free(n->ctx, n->vectors.values);
    lm_free(n->ctx, n->asked);
    lm_free(n->ctx, n->classes);
    lm_free(n->ctx, n->sums);
    lm_free(n->ctx, n->squares);
    lm_free(n->ctx, n->of_label);
    lm_free(n->ctx, n->weight);
    lm_free(n->ctx, n->bias);
    lm_free(n->ctx, n->scores);
    lm_free(n->ctx, n);
}

static lm_status
nearest_add_rows(void *training, const lm_train_rows *rows)
{
    nearest *n = training;

    LM_TRY(lm_train_vectors_add(n->ctx, &n->vectors, rows->vectors, rows->count));
    return lm_train_labels_add(&n->labels, rows->texts[1], rows->count);
}

static const char *
nearest_lacking(const void *training, const char **hint)
{
    if (((const nearest *)training)->labels.names.count > 1)
        return NULL;
    *hint = "A classifier needs at least two labels.";
    return "returned only one label";
}

/* ---- Rows that are asked about ---- */

static lm_status
choose_asked(nearest *n)
{
    const size_t rows = n->vectors.rows, most = MOST_SCORES / n->labels.names.count + 1;
    const size_t fits = most < MOST_ASKED ? most : MOST_ASKED, count = rows < fits ? rows : fits;

    n->of_label = lm_alloc_zero(n->ctx, n->labels.names.count * sizeof *n->of_label);
    n->asked = lm_alloc_array(n->ctx, count, sizeof *n->asked);
    if (!n->of_label || !n->asked)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < rows; i++)
        n->of_label[n->labels.y[i]]++;
    for (size_t i = 0; i < count; i++) {
        size_t row = i * rows / count;

        if (n->of_label[n->labels.y[row]] > 1)
            n->asked[n->asked_count++] = row;
    }
    n->scores =
        lm_alloc_array(n->ctx, n->asked_count * n->labels.names.count + 1, sizeof *n->scores);
    return n->scores ? LM_OK : LM_NO_MEMORY;
}

static lm_status
prepare(nearest *n)
{
    const size_t labels = n->labels.names.count;

    LM_TRY(lm_train_labels_sort(&n->labels));
    LM_TRY(lm_train_vectors_normalize(n->ctx, &n->vectors));
    n->accuracy = n->loss = n->error = NAN;
    if (labels <= MOST_WEIGHTS / n->vectors.width)
        return choose_asked(n);
    lm_raise(n->ctx, LM_TOO_LARGE, "the classifier would have too many labels");
    lm_detail_found(n->ctx, "%zu", labels);
    return lm_detail_allowed(n->ctx, "at most %zu", MOST_WEIGHTS / n->vectors.width);
}

static lm_held_out
held_out_of(const nearest *n)
{
    return (lm_held_out){n->scores, n->asked, n->asked_count, n->labels.names.count, n->labels.y};
}

/* ---- Nearest examples ---- */

static lm_neighbours
neighbours_of(const nearest *n)
{
    return (lm_neighbours){.count = n->vectors.rows,
                           .width = n->vectors.width,
                           .examples = n->vectors.values,
                           .label = n->classes,
                           .k = (int)n->options.k,
                           .by_distance = strcmp(n->options.weights, "distance") == 0};
}

static lm_status
check_examples(nearest *n)
{
    const size_t most = LM_NEIGHBOURS_NUMBERS_MAX / n->vectors.width;

    if (n->vectors.rows <= most)
        return LM_OK;
    lm_raise(n->ctx, LM_TOO_LARGE, "the classifier would have too many examples");
    lm_detail_found(n->ctx, "%zu", n->vectors.rows);
    lm_detail_allowed(n->ctx, "at most %zu of %zu dimensions", most, n->vectors.width);
    return lm_detail_hint(n->ctx, "Take a sample of the rows, or the method linear or prototype.");
}

static void
report_asked(const lm_train_watch *watch, size_t done, size_t all)
{
    watch->report(watch->opaque, &(lm_train_progress){.step = (int)done, .steps = (int)all});
}

static lm_status
knn_fit(void *training, const lm_train_watch *watch)
{
    nearest *n = training;
    const size_t labels = n->labels.names.count;
    lm_neighbours neighbours;
    lm_held_out h;

    LM_TRY(check_examples(n));
    LM_TRY(prepare(n));
    if (!(n->classes = lm_alloc_array(n->ctx, n->vectors.rows, sizeof *n->classes)))
        return LM_NO_MEMORY;
    for (size_t i = 0; i < n->vectors.rows; i++)
        n->classes[i] = (uint32_t)n->labels.y[i];
    neighbours = neighbours_of(n);
    for (size_t i = 0; i < n->asked_count; i++) {
        LM_TRY(lm_poll(n->ctx));
        lm_neighbours_vote(lm_kernels_active(), &neighbours,
                           n->vectors.values + n->asked[i] * n->vectors.width, labels, n->asked[i],
                           n->scores + i * labels);
        report_asked(watch, i + 1, n->asked_count);
    }
    h = held_out_of(n);
    if (h.count > 0)
        n->accuracy = lm_held_out_accuracy(&h);
    return LM_OK;
}

static lm_status
knn_write(void *training, lm_train_outcome *outcome)
{
    const nearest *n = training;
    const lm_head head = {.labels = (int)n->labels.names.count,
                          .width = (int)n->vectors.width,
                          .scoring = LM_SCORING_RAW,
                          .neighbours = neighbours_of(n)};

    memset(outcome, 0, sizeof *outcome);
    lm_outcome_add(outcome, "labels", n->labels.names.count);
    lm_outcome_add(outcome, "held_out", (double)n->asked_count);
    lm_outcome_add(outcome, "held_out_accuracy", n->accuracy);
    lm_outcome_add(outcome, "k", (double)n->options.k);
    lm_outcome_summarize(outcome, n->labels.names.count, n->accuracy, n->asked_count);
    return lm_outcome_write_head(n->ctx, &n->labels, &head, outcome);
}

/* ---- Nearest mean ---- */

static lm_status
add_up(nearest *n)
{
    const size_t width = n->vectors.width, labels = n->labels.names.count;

    n->sums = lm_alloc_zero(n->ctx, labels * width * sizeof *n->sums);
    n->squares = lm_alloc_zero(n->ctx, labels * sizeof *n->squares);
    n->bias = lm_alloc_zero(n->ctx, labels * sizeof *n->bias);
    n->weight = lm_alloc_array(n->ctx, labels * width, sizeof *n->weight);
    if (!n->sums || !n->squares || !n->bias || !n->weight)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < n->vectors.rows; i++) {
        double *sum = n->sums + (size_t)n->labels.y[i] * width;

        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(n->ctx));
        for (size_t j = 0; j < width; j++)
            sum[j] += n->vectors.values[i * width + j];
    }
    for (size_t i = 0; i < labels * width; i++)
        n->squares[i / width] += n->sums[i] * n->sums[i];
    return LM_OK;
}

/* Directions of the means. Examples that cancel out have none: their label is never nearest but to
 * what is nowhere. */
static void
make_weights(nearest *n)
{
    const size_t width = n->vectors.width;

    for (size_t i = 0; i < n->labels.names.count * width; i++) {
        const double square = n->squares[i / width];

        n->weight[i] = square > 0 ? (float)(n->sums[i] / sqrt(square)) : 0;
    }
}

/* Cosines of a row with the means, of its own label as if the row were not there. */
static void
ask(const nearest *n, size_t row, float *scores)
{
    const lm_kernels *kernels = lm_kernels_active();
    const size_t width = n->vectors.width, own = (size_t)n->labels.y[row];
    const float *x = n->vectors.values + row * width;
    double dot, left, square = kernels->dot_f32(width, x, x);

    for (size_t label = 0; label < n->labels.names.count; label++)
        scores[label] = kernels->dot_f32(width, n->weight + label * width, x);
    dot = scores[own] * sqrt(n->squares[own]);
    left = n->squares[own] - 2 * dot + square;
    scores[own] = left > 0 ? (float)((dot - square) / sqrt(left)) : 0;
}

static lm_status
calibrate(nearest *n)
{
    const lm_held_out h = held_out_of(n);
    double slope;

    n->scale = PLAIN_SCALE;
    if (h.count == 0)
        return LM_OK;
    n->accuracy = lm_held_out_accuracy(&h);
    LM_TRY(lm_calibrate_scale(n->ctx, &h, &n->scale));
    LM_TRY(lm_calibration_error(n->ctx, &h, n->scale, &n->error));
    return lm_held_out_loss(n->ctx, &h, n->scale, &n->loss, &slope);
}

static lm_status
prototype_fit(void *training, const lm_train_watch *watch)
{
    nearest *n = training;
    const size_t labels = n->labels.names.count;

    LM_TRY(prepare(n));
    LM_TRY(add_up(n));
    make_weights(n);
    for (size_t i = 0; i < n->asked_count; i++) {
        LM_TRY(lm_poll(n->ctx));
        ask(n, n->asked[i], n->scores + i * labels);
    }
    report_asked(watch, n->asked_count, n->asked_count);
    LM_TRY(calibrate(n));
    for (size_t i = 0; i < labels * n->vectors.width; i++)
        n->weight[i] *= (float)n->scale;
    return LM_OK;
}

static lm_status
prototype_write(void *training, lm_train_outcome *outcome)
{
    const nearest *n = training;
    const lm_head head = {.labels = (int)n->labels.names.count,
                          .width = (int)n->vectors.width,
                          .weight = n->weight,
                          .bias = n->bias};

    memset(outcome, 0, sizeof *outcome);
    lm_outcome_add(outcome, "labels", n->labels.names.count);
    lm_outcome_add(outcome, "held_out", (double)n->asked_count);
    lm_outcome_add(outcome, "held_out_accuracy", n->accuracy);
    lm_outcome_add(outcome, "held_out_loss", n->loss);
    lm_outcome_add(outcome, "held_out_ece", n->error);
    lm_outcome_add(outcome, "scale", n->scale);
    lm_outcome_summarize(outcome, n->labels.names.count, n->accuracy, n->asked_count);
    return lm_outcome_write_head(n->ctx, &n->labels, &head, outcome);
}

static const lm_train_column columns[] = {{"text", LM_TRAIN_INPUT, false},
                                          {"label", LM_TRAIN_LABEL, false}};

/* Of "knn" alone. */
static const lm_option options[] = {
    LM_OPTION(nearest_options, k, INT, 1, LM_NEIGHBOURS_K_MAX, "a whole number from 1 to 256"),
    LM_OPTION(nearest_options, weights, TEXT, 0, 0, "uniform or distance"),
};

const lm_method lm_method_knn = {.name = "knn",
                                 .task = "classification",
                                 .needs_base = true,
                                 .columns = columns,
                                 .column_count = 2,
                                 .options = options,
                                 .option_count = 2,
                                 .options_size = sizeof(nearest_options),
                                 .defaults = nearest_defaults,
                                 .open = nearest_open,
                                 .add_rows = nearest_add_rows,
                                 .lacking = nearest_lacking,
                                 .fit = knn_fit,
                                 .write = knn_write,
                                 .close = nearest_close};

const lm_method lm_method_prototype = {.name = "prototype",
                                       .task = "classification",
                                       .needs_base = true,
                                       .columns = columns,
                                       .column_count = 2,
                                       .options = options,
                                       .option_count = 0,
                                       .options_size = sizeof(nearest_options),
                                       .defaults = nearest_defaults,
                                       .open = nearest_open,
                                       .add_rows = nearest_add_rows,
                                       .lacking = nearest_lacking,
                                       .fit = prototype_fit,
                                       .write = prototype_write,
                                       .close = nearest_close};
