/*
 * linear.c - a classifier by multinomial logistic regression (softmax.h) on vectors and labels.
 *
 * Only vectors and numbers of labels are kept. Labels are numbered in the order of their bytes: the
 * order of the rows decides nothing but the split.
 */
#include "train/linear.h"

#include <string.h>

#include "train/labels.h"
#include "train/outcome.h"
#include "train/softmax.h"

/* As SQL gives them; the ranges are those of softmax.h. */
typedef struct linear_options {
    double l2;
    int64_t max_steps, patience;
    double hold_out;
    int64_t seed;
    bool refit;
} linear_options;

typedef struct linear {
    lm_context *ctx;
    linear_options options;
    lm_train_labels labels;
    lm_train_vectors vectors;
    const lm_train_watch *watch;
    lm_softmax_result result;
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
    return LM_OK;
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

static lm_status
linear_fit(void *training, const lm_train_watch *watch)
{
    linear *l = training;
    const lm_softmax_options options = {.l2 = l->options.l2,
                                        .max_steps = (int)l->options.max_steps,
                                        .patience = (int)l->options.patience,
                                        .hold_out = l->options.hold_out,
                                        .seed = (uint64_t)l->options.seed,
                                        .refit = l->options.refit};

    l->watch = watch;
    LM_TRY(lm_train_labels_sort(&l->labels));
    return lm_softmax_train(l->ctx, l->vectors.values, l->labels.y, l->vectors.rows,
                            l->vectors.width, (int)l->labels.names.count, &options, report_step, l,
                            &l->result);
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

static lm_status
linear_write(void *training, lm_train_outcome *outcome)
{
    const linear *l = training;
    const lm_softmax_result *result = &l->result;
    const lm_head head = {.labels = (int)l->labels.names.count,
                          .width = (int)l->vectors.width,
                          .weight = result->weight,
                          .bias = result->bias};

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
    lm_outcome_summarize(outcome, l->labels.names.count, result->held_out_accuracy,
                         result->held_out);
    return lm_outcome_write_head(l->ctx, &l->labels, &head, outcome);
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
    LM_OPTION(linear_options, refit, BOOL, 0, 0, "true or false"),
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
