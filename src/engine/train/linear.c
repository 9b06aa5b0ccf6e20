/*
 * linear.c - a classifier by multinomial logistic regression (softmax.h) on vectors and labels.
 *
 * Only vectors and numbers of labels are kept. Labels are numbered in the order of their bytes: the
 * order of the rows decides nothing but the split.
 */
#include "train/linear.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "model/head.h"
#include "train/labels.h"
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
    size_t width;
    lm_train_labels labels;
    float *vectors; /* (rows, width) */
    size_t rows, room;
    const lm_train_watch *watch;
    lm_softmax_result result;
} linear;

static lm_status make_room(linear *l, size_t more);
static void report_step(void *opaque, const lm_softmax_progress *step);
static lm_status write_head(const linear *l, lm_arena *arena, lm_train_outcome *outcome);
static void add_value(lm_train_outcome *outcome, const char *name, double value);
static void summarize(const linear *l, char *line, size_t size);

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
    l->width = width;
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
    lm_free(l->ctx, l->vectors);
    lm_free(l->ctx, l->result.weight);
    lm_free(l->ctx, l->result.bias);
    lm_free(l->ctx, l);
}

static lm_status
linear_add_rows(void *training, const lm_train_rows *rows)
{
    linear *l = training;

    LM_TRY(make_room(l, rows->count));
    LM_TRY(lm_train_labels_add(&l->labels, rows->texts[1], rows->count));
    memcpy(l->vectors + l->rows * l->width, rows->vectors,
           rows->count * l->width * sizeof *l->vectors);
    l->rows += rows->count;
    return LM_OK;
}

/* At least doubled when it grows. */
static lm_status
make_room(linear *l, size_t more)
{
    size_t room = l->room * 2 > l->rows + more ? l->room * 2 : l->rows + more;
    size_t numbers, bytes;
    float *vectors;

    if (l->rows + more <= l->room)
        return LM_OK;
    if (lm_mul_overflows(room, l->width, &numbers) ||
        lm_mul_overflows(numbers, sizeof *vectors, &bytes))
        return lm_raise(l->ctx, LM_TOO_LARGE, "too many rows to train on");
    if (!(vectors = lm_realloc(l->ctx, l->vectors, bytes)))
        return LM_NO_MEMORY;
    l->vectors = vectors;
    l->room = room;
    return LM_OK;
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
    return lm_softmax_train(l->ctx, l->vectors, l->labels.y, l->rows, l->width,
                            (int)l->labels.names.count, &options, report_step, l, &l->result);
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
    lm_arena arena;
    lm_status status;

    memset(outcome, 0, sizeof *outcome);
    lm_arena_init(&arena, l->ctx);
    status = write_head(l, &arena, outcome);
    lm_arena_free(&arena);
    add_value(outcome, "labels", l->labels.names.count);
    add_value(outcome, "held_out", (double)result->held_out);
    add_value(outcome, "held_out_accuracy", result->held_out_accuracy);
    add_value(outcome, "held_out_loss", result->held_out_loss);
    add_value(outcome, "loss", result->loss);
    add_value(outcome, "l2", result->l2);
    add_value(outcome, "steps", result->steps);
    add_value(outcome, "seed", (double)l->options.seed);
    add_value(outcome, "refit", l->options.refit);
    outcome->values[outcome->value_count - 1].is_bool = true;
    summarize(l, outcome->summary, sizeof outcome->summary);
    return status;
}

/* The head's two files; its names are terminated copies. */
static lm_status
write_head(const linear *l, lm_arena *arena, lm_train_outcome *outcome)
{
    const char *const *names;
    lm_head head = {.labels = (int)l->labels.names.count,
                    .width = (int)l->width,
                    .weight = l->result.weight,
                    .bias = l->result.bias};

    LM_TRY(lm_train_labels_names(&l->labels, arena, &names));
    head.names = names;
    outcome->file_count = 2;
    outcome->files[0].name = LM_HEAD_JSON;
    outcome->files[1].name = LM_HEAD_TENSORS;
    for (int i = 0; i < 2; i++)
        lm_buffer_init(&outcome->files[i].bytes, l->ctx);
    return lm_head_write(l->ctx, &head, &outcome->files[0].bytes, &outcome->files[1].bytes);
}

static void
add_value(lm_train_outcome *outcome, const char *name, double value)
{
    outcome->values[outcome->value_count++] = (lm_train_value){.name = name, .value = value};
}

static void
summarize(const linear *l, char *line, size_t size)
{
    const lm_softmax_result *result = &l->result;

    if (isnan(result->held_out_accuracy))
        snprintf(line, size, "with %u labels: no row was held out to measure it",
                 l->labels.names.count);
    else
        snprintf(line, size, "with %u labels: accuracy %.4f on %zu held-out row%s",
                 l->labels.names.count, result->held_out_accuracy, result->held_out,
                 result->held_out == 1 ? "" : "s");
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
