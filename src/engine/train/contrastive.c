/*
 * contrastive.c - the method around contrastive_fit.h: rows, figures, files.
 */
#include "train/contrastive.h"

#include <string.h>

#include "model/head.h"
#include "train/contrastive_fit.h"
#include "train/outcome.h"

typedef struct contrastive {
    lm_context *ctx;
    lm_contrastive_options options;
    lm_train_labels labels;
    lm_train_vectors vectors;
    lm_contrastive_result result;
    const lm_train_watch *watch;
} contrastive;

static void
contrastive_defaults(void *options)
{
    lm_contrastive_defaults(options);
}

static lm_status
contrastive_open(lm_context *ctx, const void *options, size_t width, void **training)
{
    contrastive *c = lm_alloc_zero(ctx, sizeof *c);

    *training = c;
    if (!c)
        return LM_NO_MEMORY;
    c->ctx = ctx;
    c->options = *(const lm_contrastive_options *)options;
    c->vectors.width = width;
    lm_train_labels_init(&c->labels, ctx);
    return LM_OK;
}

static void
contrastive_close(void *training)
{
    contrastive *c = training;

    if (!c)
        return;
    lm_train_labels_free(&c->labels);
    lm_free(c->ctx, c->vectors.values);
    lm_free(c->ctx, c->result.weight);
    lm_free(c->ctx, c->result.bias);
    lm_free(c->ctx, c);
}

static lm_status
contrastive_add_rows(void *training, const lm_train_rows *rows)
{
    contrastive *c = training;

    LM_TRY(lm_train_vectors_add(c->ctx, &c->vectors, rows->vectors, rows->count));
    return lm_train_labels_add(&c->labels, rows->texts[1], rows->count);
}

static const char *
contrastive_lacking(const void *training, const char **hint)
{
    if (((const contrastive *)training)->labels.names.count > 1)
        return NULL;
    *hint = "A classifier needs at least two labels.";
    return "returned only one label";
}

static void
report_step(void *opaque, const lm_contrastive_progress *progress)
{
    const contrastive *c = opaque;

    c->watch->report(c->watch->opaque,
                     &(lm_train_progress){progress->step, progress->max_steps,
                                          &(lm_train_value){"loss", progress->loss, false}, 1});
}

static lm_status
contrastive_fit(void *training, const lm_train_watch *watch)
{
    contrastive *c = training;

    c->watch = watch;
    LM_TRY(lm_train_labels_sort(&c->labels));
    LM_TRY(lm_train_vectors_normalize(c->ctx, &c->vectors));
    return lm_contrastive_train(c->ctx, c->vectors.values, c->labels.y, c->labels.rows,
                                c->vectors.width, c->labels.names.count, &c->options, report_step,
                                c, &c->result);
}

static lm_status
contrastive_write(void *training, lm_train_outcome *outcome)
{
    const contrastive *c = training;
    const lm_contrastive_result *r = &c->result;
    const lm_head head = {.labels = (int)c->labels.names.count,
                          .width = (int)c->vectors.width,
                          .weight = r->weight,
                          .bias = r->bias};

    memset(outcome, 0, sizeof *outcome);
    lm_outcome_add(outcome, "labels", c->labels.names.count);
    lm_outcome_add(outcome, "held_out", (double)r->held_out);
    lm_outcome_add(outcome, "held_out_accuracy", r->held_out_accuracy);
    lm_outcome_add(outcome, "held_out_loss", r->held_out_loss);
    lm_outcome_add(outcome, "held_out_ece", r->held_out_ece);
    lm_outcome_add(outcome, "loss", r->loss);
    lm_outcome_add(outcome, "scale", r->scale);
    lm_outcome_add(outcome, "steps", r->steps);
    lm_outcome_add(outcome, "temperature", c->options.temperature);
    lm_outcome_add(outcome, "penalty", c->options.penalty);
    lm_outcome_add(outcome, "seed", (double)c->options.seed);
    lm_outcome_add_bool(outcome, "refit", c->options.refit);
    lm_outcome_summarize(outcome, c->labels.names.count, r->held_out_accuracy, r->held_out);
    return lm_outcome_write_head(c->ctx, &c->labels, &head, outcome);
}

static const lm_train_column columns[] = {{"text", LM_TRAIN_INPUT, false},
                                          {"label", LM_TRAIN_LABEL, false}};

static const lm_option options[] = {
    LM_OPTION(lm_contrastive_options, temperature, FLOAT, 0.01, 10, "a number from 0.01 to 10"),
    LM_OPTION(lm_contrastive_options, penalty, FLOAT, 1e-6, 1e6,
              "a number from 0.000001 to 1000000"),
    LM_OPTION(lm_contrastive_options, hold_out, FLOAT, 0, 0.5, "a number from 0 to 0.5"),
    LM_OPTION(lm_contrastive_options, max_steps, INT, 1, 1000, "a whole number from 1 to 1000"),
    LM_OPTION(lm_contrastive_options, seed, INT, 0, LM_SEED_MAX,
              "a whole number from 0 to 9007199254740991"),
    LM_OPTION(lm_contrastive_options, refit, BOOL, 0, 0, "true or false"),
};

const lm_method lm_method_contrastive = {.name = "contrastive",
                                         .task = "classification",
                                         .needs_base = true,
                                         .columns = columns,
                                         .column_count = 2,
                                         .options = options,
                                         .option_count = sizeof options / sizeof options[0],
                                         .options_size = sizeof(lm_contrastive_options),
                                         .defaults = contrastive_defaults,
                                         .open = contrastive_open,
                                         .add_rows = contrastive_add_rows,
                                         .lacking = contrastive_lacking,
                                         .fit = contrastive_fit,
                                         .write = contrastive_write,
                                         .close = contrastive_close};
