/*
 * ngram.c - the rows of the methods "ngram" and "combined".
 */
#include "train/ngram.h"

#include <string.h>

#include "train/ngram_fit.h"

static void
ngram_defaults(void *options)
{
    lm_ngram_fit_defaults(options);
}

static lm_status
ngram_open(lm_context *ctx, const void *options, size_t width, void **training)
{
    lm_ngram_fit *fit = lm_alloc_zero(ctx, sizeof *fit);

    *training = fit;
    return fit ? lm_ngram_fit_open(fit, ctx, options, width) : LM_NO_MEMORY;
}

static void
ngram_close(void *training)
{
    lm_ngram_fit *fit = training;

    if (!fit)
        return;
    lm_ngram_fit_close(fit);
    lm_free(fit->ctx, fit);
}

static lm_status
ngram_add_rows(void *training, const lm_train_rows *rows)
{
    return lm_ngram_fit_add(training, rows);
}

static const char *
ngram_lacking(const void *training, const char **hint)
{
    if (((const lm_ngram_fit *)training)->labels.names.count > 1)
        return NULL;
    *hint = "A classifier needs at least two labels.";
    return "returned only one label";
}

static lm_status
ngram_fit(void *training, const lm_train_watch *watch)
{
    lm_ngram_fit *fit = training;
    const bool with_vectors = fit->width > 0;

    fit->watch = watch;
    LM_TRY(lm_ngram_fit_prepare(fit));
    LM_TRY(lm_ngram_fit_try(fit, with_vectors, (uint64_t)fit->options.seed));
    return fit->options.refit && fit->held_out > 0 ? lm_ngram_fit_all(fit, with_vectors) : LM_OK;
}

static lm_status
ngram_write(void *training, lm_train_outcome *outcome)
{
    lm_ngram_fit *fit = training;

    memset(outcome, 0, sizeof *outcome);
    return lm_ngram_fit_write(fit, fit->width > 0, outcome);
}

/* The last one is of "combined" alone. */
static const lm_option options[] = {
    LM_OPTION(lm_ngram_fit_options, learner, TEXT, 0, 0,
              "svm, logistic, multinomial_nb or complement_nb"),
    LM_TFIDF_OPTIONS(offsetof(lm_ngram_fit_options, features)),
    LM_OPTION(lm_ngram_fit_options, c, FLOAT, 1e-6, 1e6, "a number from 0.000001 to 1000000"),
    LM_OPTION(lm_ngram_fit_options, alpha, FLOAT, 1e-10, 1e6,
              "a number from 0.0000000001 to 1000000"),
    LM_OPTION(lm_ngram_fit_options, tolerance, FLOAT, 1e-8, 1, "a number from 0.00000001 to 1"),
    LM_OPTION(lm_ngram_fit_options, max_steps, INT, 1, 100000, "a whole number from 1 to 100000"),
    LM_OPTION(lm_ngram_fit_options, hold_out, FLOAT, 0, 0.5, "a number from 0 to 0.5"),
    LM_OPTION(lm_ngram_fit_options, seed, INT, 0, LM_SEED_MAX,
              "a whole number from 0 to 9007199254740991"),
    LM_OPTION(lm_ngram_fit_options, refit, BOOL, 0, 0, "true or false"),
    LM_OPTION(lm_ngram_fit_options, weight, FLOAT, 1e-3, 1e3, "a number from 0.001 to 1000"),
};

#define OPTION_COUNT (sizeof options / sizeof options[0])

static const lm_train_column columns[] = {{"text", LM_TRAIN_TEXT, false},
                                          {"label", LM_TRAIN_LABEL, false}};
static const lm_train_column both_columns[] = {{"text", LM_TRAIN_BOTH, false},
                                               {"label", LM_TRAIN_LABEL, false},
                                               {"vector", LM_TRAIN_VECTOR, false}};

const lm_method lm_method_ngram = {.name = "ngram",
                                   .task = "classification",
                                   .columns = columns,
                                   .column_count = 2,
                                   .options = options,
                                   .option_count = OPTION_COUNT - 1,
                                   .options_size = sizeof(lm_ngram_fit_options),
                                   .defaults = ngram_defaults,
                                   .open = ngram_open,
                                   .add_rows = ngram_add_rows,
                                   .lacking = ngram_lacking,
                                   .fit = ngram_fit,
                                   .write = ngram_write,
                                   .close = ngram_close};

const lm_method lm_method_combined = {.name = "combined",
                                      .task = "classification",
                                      .needs_base = true,
                                      .columns = both_columns,
                                      .column_count = 3,
                                      .options = options,
                                      .option_count = OPTION_COUNT,
                                      .options_size = sizeof(lm_ngram_fit_options),
                                      .defaults = ngram_defaults,
                                      .open = ngram_open,
                                      .add_rows = ngram_add_rows,
                                      .lacking = ngram_lacking,
                                      .fit = ngram_fit,
                                      .write = ngram_write,
                                      .close = ngram_close};
