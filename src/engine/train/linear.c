/*
 * linear.c - a classifier by multinomial logistic regression (softmax.h) on vectors and labels.
 *
 * Only vectors and numbers of labels are kept. Labels are numbered in the order of their bytes: the
 * order of the rows decides nothing but the split.
 */
#include "train/linear.h"

#include <math.h>
#include <string.h>

#include "base/sort.h"
#include "model/head.h"
#include "train/calibrate.h"
#include "train/folds.h"
#include "train/linear_options.h"
#include "train/outcome.h"
#include "train/softmax.h"
#include "train/split.h"

/* As SQL gives them; the ranges are those of softmax.h. */
typedef struct linear_options {
    double l2;
    int64_t max_steps, patience;
    double hold_out;
    int64_t seed, folds;
    bool refit, calibrate;
    char *class_weights, *out_of_scope; /* JSON; NULL: not given */
} linear_options;

typedef struct linear {
    lm_context *ctx;
    linear_options options;
    lm_train_labels labels;
    lm_train_vectors vectors;
    const lm_train_watch *watch;
    lm_softmax_result result;
    double *label_weights;  /* (labels); NULL: all are 1 */
    size_t kept;            /* rows that are not set aside, which stand first */
    lm_arena arena;         /* of what options say */
    lm_out_of_scope scope;  /* label NULL: not asked for */
    double scale, error;    /* by what numbers were multiplied; of calibration, on rows set aside */
    double scope_threshold; /* on the greatest number; NaN: there is none */
    lm_folds_result folds;  /* where they are asked for */
    double covered;         /* share of the rows set aside that is beyond it */
} linear;

static void report_step(void *opaque, const lm_softmax_progress *step);

static void
linear_defaults(void *options)
{
    lm_softmax_options engine;

    lm_softmax_defaults(&engine);
    *(linear_options *)options = (linear_options){.l2 = engine.l2,
                                                  .max_steps = engine.max_steps,
                                                  .patience = engine.patience,
                                                  .hold_out = engine.hold_out,
                                                  .seed = (int64_t)engine.seed,
                                                  .refit = engine.refit};
}

/* The range has a gap. */
static lm_status
check_folds(linear *l)
{
    if (l->options.folds != 1)
        return LM_OK;
    lm_raise(l->ctx, LM_BAD_ARGUMENT, "a value of an option is not valid");
    lm_detail_key(l->ctx, "folds");
    lm_detail_found(l->ctx, "1");
    return lm_detail_allowed(l->ctx, "0, or 2 to %d", LM_FOLDS_MAX);
}

static lm_status
linear_open(lm_context *ctx, const void *options, size_t width, void **training)
{
    linear *l = lm_alloc_zero(ctx, sizeof *l);

    *training = l;
    if (!l)
        return LM_NO_MEMORY;
    l->ctx = ctx;
    l->options = *(const linear_options *)options;
    l->vectors.width = width;
    lm_train_labels_init(&l->labels, ctx);
    lm_arena_init(&l->arena, ctx);
    l->scale = 1;
    l->error = l->scope_threshold = l->covered = NAN;
    return check_folds(l);
}

static void
linear_close(void *training)
{
    linear *l = training;

    if (!l)
        return;
    lm_train_labels_free(&l->labels);
    lm_free(l->ctx, l->vectors.values);
    lm_free(l->ctx, l->result.weight);
    lm_free(l->ctx, l->result.bias);
    lm_free(l->ctx, l->label_weights);
    lm_arena_free(&l->arena);
    lm_free(l->ctx, l);
}

static lm_status
linear_add_rows(void *training, const lm_train_rows *rows)
{
    linear *l = training;

    LM_TRY(lm_train_vectors_add(l->ctx, &l->vectors, rows->vectors, rows->count));
    return lm_train_labels_add(&l->labels, rows->texts[1], rows->count);
}

static const char *
linear_lacking(const void *training, const char **hint)
{
    if (((const linear *)training)->labels.names.count > 1)
        return NULL;
    *hint = "A classifier needs at least two labels.";
    return "returned only one label";
}

/* ---- Rows set aside ---- */

/* Rows that are set aside go behind the others: nothing is learnt from them, nor chosen by them. */
static lm_status
move_rows(linear *l, const size_t *order)
{
    const size_t width = l->vectors.width, rows = l->vectors.rows;
    float *values = lm_keep_array(l->ctx, rows * width, sizeof *values);
    int32_t *y = lm_alloc_array(l->ctx, rows, sizeof *y);

    if (!values || !y) {
        lm_free(l->ctx, values);
        lm_free(l->ctx, y);
        return LM_NO_MEMORY;
    }
    for (size_t i = 0; i < rows; i++) {
        memcpy(values + i * width, l->vectors.values + order[i] * width, width * sizeof *values);
        y[i] = l->labels.y[order[i]];
    }
    lm_free(l->ctx, l->vectors.values);
    lm_free(l->ctx, l->labels.y);
    l->vectors.values = values;
    l->vectors.room = rows;
    l->labels.y = y;
    l->labels.room = rows;
    return LM_OK;
}

static lm_status
set_aside(linear *l)
{
    size_t *order;
    lm_status status;

    l->kept = l->vectors.rows;
    if (!l->options.calibrate && !l->scope.label)
        return LM_OK;
    if (!(order = lm_alloc_array(l->ctx, l->vectors.rows, sizeof *order)))
        return LM_NO_MEMORY;
    status = lm_split_rows(l->ctx, l->labels.y, l->vectors.rows, l->labels.names.count,
                           l->options.hold_out, (uint64_t)l->options.seed + 1, order, &l->kept);
    if (status == LM_OK)
        status = move_rows(l, order);
    lm_free(l->ctx, order);
    return status;
}

/* ---- Fitting ---- */

static lm_status
read_options(linear *l)
{
    const size_t labels = l->labels.names.count;

    if (l->options.class_weights) {
        if (!(l->label_weights = lm_alloc_array(l->ctx, labels, sizeof *l->label_weights)))
            return LM_NO_MEMORY;
        LM_TRY(
            lm_class_weights_read(l->ctx, l->options.class_weights, &l->labels, l->label_weights));
    }
    if (!l->options.out_of_scope)
        return LM_OK;
    return lm_out_of_scope_read(l->ctx, &l->arena, l->options.out_of_scope, &l->labels, &l->scope);
}

static lm_softmax_options
softmax_options(const linear *l, double l2, double hold_out)
{
    return (lm_softmax_options){.l2 = l2,
                                .max_steps = (int)l->options.max_steps,
                                .patience = (int)l->options.patience,
                                .hold_out = hold_out,
                                .seed = (uint64_t)l->options.seed,
                                .refit = l->options.refit,
                                .label_weights = l->label_weights};
}

/* On the first `rows`; again with the penalty that was chosen where nothing is held out. */
static lm_status
fit_rows(linear *l, size_t rows, double l2, double hold_out, lm_softmax_result *result)
{
    const lm_softmax_options options = softmax_options(l, l2, hold_out);

    return lm_softmax_train(l->ctx, l->vectors.values, l->labels.y, rows, l->vectors.width,
                            (int)l->labels.names.count, &options, report_step, l, result);
}

/* With the penalty that was chosen: what is left of choosing it is one number of all parts. */
static lm_status
cross_validate(linear *l)
{
    const lm_softmax_options options = softmax_options(l, l->result.l2, 0);

    if (l->options.folds == 0)
        return LM_OK;
    return lm_folds_run(l->ctx, l->vectors.values, l->labels.y, l->kept, l->vectors.width,
                        (int)l->labels.names.count, (int)l->options.folds, &options, &l->folds);
}

/* Softmax does not see what all numbers have in common; their greatest one does. */
static void
centre(linear *l)
{
    const size_t labels = l->labels.names.count, width = l->vectors.width;

    for (size_t j = 0; j <= width; j++) {
        float *first = j < width ? l->result.weight + j : l->result.bias;
        const size_t step = j < width ? width : 1;
        double mean = 0;

        for (size_t i = 0; i < labels; i++)
            mean += first[i * step] / (double)labels;
        for (size_t i = 0; i < labels; i++)
            first[i * step] = (float)(first[i * step] - mean);
    }
}

static void
multiply(linear *l)
{
    const size_t labels = l->labels.names.count;

    for (size_t i = 0; i < labels * l->vectors.width; i++)
        l->result.weight[i] *= (float)l->scale;
    for (size_t i = 0; i < labels; i++)
        l->result.bias[i] *= (float)l->scale;
}

static lm_status
score_aside(const linear *l, lm_held_out *h)
{
    const lm_kernels *kernels = lm_kernels_active();
    const size_t width = l->vectors.width;

    for (size_t i = 0; i < h->count; i++) {
        const float *x = l->vectors.values + (l->kept + i) * width;

        LM_TRY(lm_poll(l->ctx));
        for (size_t label = 0; label < h->labels; label++)
            h->scores[i * h->labels + label] =
                l->result.bias[label] +
                kernels->dot_f32(width, x, l->result.weight + label * width);
    }
    return LM_OK;
}

static int
compare_floats(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/*
 * Split conformal (Vovk et al. 2005): of n rows in scope and a new one, each is the k-th smallest
 * with the same chance, so that it is below the k-th of the n with k / (n + 1) at most.
 */
static lm_status
choose_threshold(linear *l, const lm_held_out *h)
{
    const double share = (1 - l->scope.coverage) * ((double)h->count + 1) + 1e-9;
    const size_t k = share < (double)h->count ? (size_t)share : h->count;
    float *greatest;
    size_t beyond = 0;
    lm_status status;

    if (k == 0) {
        lm_raise(l->ctx, LM_BAD_ARGUMENT, "too few rows are held out for the coverage");
        lm_detail_found(l->ctx, "%zu", h->count);
        lm_detail_allowed(l->ctx, "at least %.0f", ceil(1 / (1 - l->scope.coverage)) - 1);
        return lm_detail_hint(l->ctx, "Raise hold_out, or lower the coverage.");
    }
    if (!(greatest = lm_alloc_array(l->ctx, h->count, sizeof *greatest)))
        return LM_NO_MEMORY;
    for (size_t i = 0; i < h->count; i++) {
        const float *scores = h->scores + i * h->labels;

        greatest[i] = scores[lm_best_number(scores, h->labels)];
    }
    status = lm_sort(l->ctx, greatest, h->count, sizeof *greatest, compare_floats);
    l->scope_threshold = greatest[k - 1];
    for (size_t i = 0; i < h->count; i++)
        beyond += greatest[i] >= greatest[k - 1];
    l->covered = (double)beyond / (double)h->count;
    lm_free(l->ctx, greatest);
    return status;
}

static lm_status
use_aside(linear *l, lm_held_out *h)
{
    LM_TRY(score_aside(l, h));
    if (l->options.calibrate && h->count > 0) {
        LM_TRY(lm_calibrate_scale(l->ctx, h, &l->scale));
        multiply(l);
        for (size_t i = 0; i < h->count * h->labels; i++)
            h->scores[i] *= (float)l->scale;
    }
    if (h->count > 0)
        LM_TRY(lm_calibration_error(l->ctx, h, 1, &l->error));
    return l->scope.label ? choose_threshold(l, h) : LM_OK;
}

static lm_status
learn_from_aside(linear *l)
{
    lm_held_out h = {.count = l->vectors.rows - l->kept,
                     .labels = l->labels.names.count,
                     .y = l->labels.y + l->kept};
    lm_status status;

    centre(l);
    if (!(h.scores = lm_alloc_array(l->ctx, h.count * h.labels + 1, sizeof *h.scores)))
        return LM_NO_MEMORY;
    status = use_aside(l, &h);
    lm_free(l->ctx, h.scores);
    return status;
}

/* Figures stay those of the fit without the rows set aside. */
static lm_status
refit(linear *l)
{
    lm_softmax_result again;

    LM_TRY(fit_rows(l, l->vectors.rows, l->result.l2, 0, &again));
    lm_free(l->ctx, l->result.weight);
    lm_free(l->ctx, l->result.bias);
    l->result.weight = again.weight;
    l->result.bias = again.bias;
    multiply(l);
    return LM_OK;
}

/* A guarantee is about the classifier whose numbers the rows set aside have seen. */
static lm_status
linear_fit(void *training, const lm_train_watch *watch)
{
    linear *l = training;

    l->watch = watch;
    LM_TRY(lm_train_labels_sort(&l->labels));
    LM_TRY(read_options(l));
    LM_TRY(set_aside(l));
    LM_TRY(fit_rows(l, l->kept, l->options.l2, l->options.hold_out, &l->result));
    LM_TRY(cross_validate(l));
    if (!l->options.calibrate && !l->scope.label)
        return LM_OK;
    LM_TRY(learn_from_aside(l));
    return l->options.refit && !l->scope.label ? refit(l) : LM_OK;
}

static void
report_step(void *opaque, const lm_softmax_progress *step)
{
    const linear *l = opaque;
    const lm_train_value values[] = {{"loss", step->loss, false},
                                     {"held_out_loss", step->held_out_loss, false},
                                     {"held_out_accuracy", step->held_out_accuracy, false}};

    l->watch->report(l->watch->opaque, &(lm_train_progress){.step = step->step,
                                                            .steps = step->max_steps,
                                                            .values = values,
                                                            .value_count = 3});
}

/* The label of what is none of them has the same number for all: just below the threshold. */
static lm_status
add_scope(linear *l, lm_head *head)
{
    const size_t labels = l->labels.names.count, width = l->vectors.width;
    const char *const *names;
    const char **all = lm_arena_array(&l->arena, labels + 1, sizeof *all);
    float *weight = lm_arena_zero(&l->arena, (labels + 1) * width * sizeof *weight);
    float *bias = lm_arena_array(&l->arena, labels + 1, sizeof *bias);

    if (!all || !weight || !bias)
        return LM_NO_MEMORY;
    LM_TRY(lm_train_labels_names(&l->labels, &l->arena, &names));
    memcpy(all, names, labels * sizeof *all);
    memcpy(weight, l->result.weight, labels * width * sizeof *weight);
    memcpy(bias, l->result.bias, labels * sizeof *bias);
    all[labels] = l->scope.label;
    bias[labels] = nextafterf((float)l->scope_threshold, -INFINITY);
    *head = (lm_head){.labels = (int)labels + 1,
                      .width = (int)width,
                      .weight = weight,
                      .bias = bias,
                      .names = all};
    return LM_OK;
}

static lm_status
write_head(linear *l, lm_train_outcome *outcome)
{
    lm_head head = {.labels = (int)l->labels.names.count,
                    .width = (int)l->vectors.width,
                    .weight = l->result.weight,
                    .bias = l->result.bias};

    if (!l->scope.label)
        return lm_outcome_write_head(l->ctx, &l->labels, &head, outcome);
    LM_TRY(add_scope(l, &head));
    lm_outcome_open_files(l->ctx, outcome, LM_HEAD_JSON, LM_HEAD_TENSORS);
    return lm_head_write(l->ctx, &head, &outcome->files[0].bytes, &outcome->files[1].bytes);
}

/* Figures of rows set aside, where there are any. */
static void
tell_aside(const linear *l, lm_train_outcome *outcome)
{
    if (!l->options.calibrate && !l->scope.label)
        return;
    lm_outcome_add(outcome, "set_aside", (double)(l->vectors.rows - l->kept));
    lm_outcome_add(outcome, "held_out_ece", l->error);
    if (l->options.calibrate)
        lm_outcome_add(outcome, "scale", l->scale);
    if (!l->scope.label)
        return;
    lm_outcome_add(outcome, "scope_coverage", l->scope.coverage);
    lm_outcome_add(outcome, "scope_covered", l->covered);
    lm_outcome_add(outcome, "scope_threshold", l->scope_threshold);
}

static void
tell_folds(const linear *l, lm_train_outcome *outcome)
{
    if (l->options.folds == 0)
        return;
    lm_outcome_add(outcome, "folds", (double)l->options.folds);
    lm_outcome_add(outcome, "fold_accuracy", l->folds.accuracy);
    lm_outcome_add(outcome, "fold_deviation", l->folds.deviation);
    lm_outcome_add(outcome, "fold_loss", l->folds.loss);
}

static lm_status
linear_write(void *training, lm_train_outcome *outcome)
{
    linear *l = training;
    const lm_softmax_result *result = &l->result;

    memset(outcome, 0, sizeof *outcome);
    lm_outcome_add(outcome, "labels", l->labels.names.count);
    lm_outcome_add(outcome, "held_out", (double)result->held_out);
    lm_outcome_add(outcome, "held_out_accuracy", result->held_out_accuracy);
    lm_outcome_add(outcome, "held_out_loss", result->held_out_loss);
    lm_outcome_add(outcome, "loss", result->loss);
    lm_outcome_add(outcome, "l2", result->l2);
    lm_outcome_add(outcome, "steps", result->steps);
    lm_outcome_add(outcome, "seed", (double)l->options.seed);
    lm_outcome_add_bool(outcome, "refit", l->options.refit);
    tell_folds(l, outcome);
    tell_aside(l, outcome);
    lm_outcome_summarize(outcome, l->labels.names.count, result->held_out_accuracy,
                         result->held_out);
    return write_head(l, outcome);
}

static const lm_train_column columns[] = {{"text", LM_TRAIN_INPUT, false},
                                          {"label", LM_TRAIN_LABEL, false}};

static const lm_option options[] = {
    LM_OPTION(linear_options, l2, FLOAT, 0, 1e6, "a number from 0 to 1000000"),
    LM_OPTION(linear_options, max_steps, INT, 1, 100000, "a whole number from 1 to 100000"),
    LM_OPTION(linear_options, patience, INT, 1, 100000, "a whole number from 1 to 100000"),
    LM_OPTION(linear_options, hold_out, FLOAT, 0, 0.5, "a number from 0 to 0.5"),
    LM_OPTION(linear_options, seed, INT, 0, LM_SEED_MAX,
              "a whole number from 0 to 9007199254740991"),
    LM_OPTION(linear_options, folds, INT, 0, LM_FOLDS_MAX, "0, or a whole number from 2 to 20"),
    LM_OPTION(linear_options, refit, BOOL, 0, 0, "true or false"),
    LM_OPTION(linear_options, calibrate, BOOL, 0, 0, "true or false"),
    LM_OPTION(linear_options, class_weights, JSON, 0, 0,
              "\"balanced\", or an object of labels and numbers"),
    LM_OPTION(linear_options, out_of_scope, JSON, 0, 0, "an object with a label"),
};

const lm_method lm_method_linear = {.name = "linear",
                                    .task = "classification",
                                    .needs_base = true,
                                    .columns = columns,
                                    .column_count = sizeof columns / sizeof columns[0],
                                    .options = options,
                                    .option_count = sizeof options / sizeof options[0],
                                    .options_size = sizeof(linear_options),
                                    .defaults = linear_defaults,
                                    .open = linear_open,
                                    .add_rows = linear_add_rows,
                                    .lacking = linear_lacking,
                                    .fit = linear_fit,
                                    .write = linear_write,
                                    .close = linear_close};
