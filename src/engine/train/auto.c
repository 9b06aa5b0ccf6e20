/*
 * auto.c - the choice among methods.
 *
 * Above MANY_ROWS rows one split is enough to tell candidates apart; below, each is measured on
 * several splits by different seeds, and the mean counts. All see the same splits. Of equals the
 * first wins: candidates stand in the order of their cost.
 */
#include "train/auto.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "train/ngram_fit.h"
#include "train/outcome.h"
#include "train/softmax.h"

#define MANY_ROWS 20000
#define SPLITS 3

typedef struct auto_options {
    double time_budget; /* seconds */
    double hold_out;
    int64_t seed;
} auto_options;

typedef struct automatic {
    lm_context *ctx;
    auto_options options;
    lm_ngram_fit fit;
    lm_softmax_result linear; /* of the last fit of vectors alone */
    const lm_train_watch *watch;
    lm_train_trial trials[LM_TRAIN_TRIALS_MAX];
    double scales[LM_TRAIN_TRIALS_MAX], losses[LM_TRAIN_TRIALS_MAX];
    int trial_count, chosen;
} automatic;

/* A way that is tried. */
typedef struct candidate {
    const char *name;
    bool with_vectors, linear;
} candidate;

static const candidate candidates[] = {
    {"linear", true, true}, {"ngram", false, false}, {"combined", true, false}};

#define CANDIDATES ((int)(sizeof candidates / sizeof candidates[0]))

static void
auto_defaults(void *options)
{
    *(auto_options *)options = (auto_options){.time_budget = 180, .hold_out = 0.1, .seed = 42};
}

static lm_status
auto_open(lm_context *ctx, const void *options, size_t width, void **training)
{
    automatic *a = lm_alloc_zero(ctx, sizeof *a);
    lm_ngram_fit_options of_ngrams;

    *training = a;
    if (!a)
        return LM_NO_MEMORY;
    a->ctx = ctx;
    a->options = *(const auto_options *)options;
    lm_ngram_fit_defaults(&of_ngrams);
    of_ngrams.seed = a->options.seed;
    of_ngrams.hold_out = a->options.hold_out;
    LM_TRY(lm_ngram_fit_open(&a->fit, ctx, &of_ngrams, width));
    a->fit.may_lack = true;
    return LM_OK;
}

static void
free_linear(automatic *a)
{
    lm_free(a->ctx, a->linear.weight);
    lm_free(a->ctx, a->linear.bias);
    a->linear = (lm_softmax_result){.weight = NULL};
}

static void
auto_close(void *training)
{
    automatic *a = training;

    if (!a)
        return;
    lm_ngram_fit_close(&a->fit);
    free_linear(a);
    lm_free(a->ctx, a);
}

static lm_status
auto_add_rows(void *training, const lm_train_rows *rows)
{
    return lm_ngram_fit_add(&((automatic *)training)->fit, rows);
}

static const char *
auto_lacking(const void *training, const char **hint)
{
    if (((const automatic *)training)->fit.labels.names.count > 1)
        return NULL;
    *hint = "A classifier needs at least two labels.";
    return "returned only one label";
}

/* ---- Trials ---- */

static double
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void
report_step(void *opaque, const lm_softmax_progress *step)
{
    const automatic *a = opaque;
    const lm_train_value values[] = {{"loss", step->loss, false},
                                     {"held_out_loss", step->held_out_loss, false},
                                     {"held_out_accuracy", step->held_out_accuracy, false}};

    a->watch->report(a->watch->opaque,
                     &(lm_train_progress){step->step, step->max_steps, values, 3});
}

static lm_status
fit_linear(automatic *a, uint64_t seed, bool refit)
{
    const lm_train_labels *labels = &a->fit.labels;
    lm_softmax_options options;

    lm_softmax_defaults(&options);
    options.hold_out = a->options.hold_out;
    options.seed = seed;
    options.refit = refit;
    free_linear(a);
    return lm_softmax_train(a->ctx, a->fit.vectors, labels->y, labels->rows, a->fit.width,
                            (int)labels->names.count, &options, report_step, a, &a->linear);
}

/* Its accuracy on the rows that a seed holds out. */
static lm_status
try_once(automatic *a, const candidate *c, uint64_t seed, double *accuracy)
{
    if (c->linear) {
        LM_TRY(fit_linear(a, seed, false));
        *accuracy = a->linear.held_out_accuracy;
        return LM_OK;
    }
    LM_TRY(lm_ngram_fit_try(&a->fit, c->with_vectors, seed));
    *accuracy = a->fit.held_out_accuracy;
    return LM_OK;
}

static lm_status
try_candidate(automatic *a, int which)
{
    const candidate *c = &candidates[which];
    const int splits = a->fit.labels.rows > MANY_ROWS ? 1 : SPLITS;
    const double start = now();
    double sum = 0;

    for (int i = 0; i < splits; i++) {
        double accuracy;

        /* The last split is the option's own, whose scale is kept. */
        LM_TRY(try_once(a, c, (uint64_t)a->options.seed + (uint64_t)(splits - 1 - i), &accuracy));
        sum += accuracy;
    }
    a->scales[which] = a->fit.scale;
    a->losses[which] = c->linear ? a->linear.held_out_loss : a->fit.held_out_loss;
    a->trials[which] =
        (lm_train_trial){.name = c->name, .accuracy = sum / splits, .seconds = now() - start};
    a->trial_count = which + 1;
    return LM_OK;
}

/* At least one is tried, and no other is begun when the time is over, or n-grams are lacking: the
 * first needs none. */
static lm_status
try_all(automatic *a)
{
    const double start = now();

    for (int i = 0; i < CANDIDATES; i++) {
        if (i > 0 && (a->fit.lacks || now() - start > a->options.time_budget))
            break;
        LM_TRY(try_candidate(a, i));
        if (a->trials[i].accuracy > a->trials[a->chosen].accuracy)
            a->chosen = i;
    }
    a->trials[a->chosen].chosen = true;
    return LM_OK;
}

static lm_status
auto_fit(void *training, const lm_train_watch *watch)
{
    automatic *a = training;
    const candidate *c;

    a->watch = a->fit.watch = watch;
    LM_TRY(lm_ngram_fit_prepare(&a->fit));
    LM_TRY(try_all(a));
    c = &candidates[a->chosen];
    if (c->linear)
        return fit_linear(a, (uint64_t)a->options.seed, true);
    a->fit.scale = a->scales[a->chosen];
    a->fit.held_out_accuracy = a->trials[a->chosen].accuracy;
    a->fit.held_out_loss = a->losses[a->chosen];
    return lm_ngram_fit_all(&a->fit, c->with_vectors);
}

/* ---- Outcome ---- */

static lm_status
write_linear(automatic *a, lm_train_outcome *outcome)
{
    const lm_train_labels *labels = &a->fit.labels;
    const lm_head head = {.labels = (int)labels->names.count,
                          .width = (int)a->fit.width,
                          .weight = a->linear.weight,
                          .bias = a->linear.bias};
    lm_status status = lm_outcome_write_head(a->ctx, labels, &head, outcome);

    lm_outcome_add(outcome, "labels", labels->names.count);
    lm_outcome_add(outcome, "held_out", (double)a->linear.held_out);
    lm_outcome_add(outcome, "held_out_accuracy", a->trials[a->chosen].accuracy);
    lm_outcome_add(outcome, "held_out_loss", a->losses[a->chosen]);
    lm_outcome_add(outcome, "l2", a->linear.l2);
    lm_outcome_add(outcome, "seed", (double)a->options.seed);
    return status;
}

static lm_status
auto_write(void *training, lm_train_outcome *outcome)
{
    automatic *a = training;
    const candidate *c = &candidates[a->chosen];
    const lm_train_trial *best = &a->trials[a->chosen];
    lm_status status;

    memset(outcome, 0, sizeof *outcome);
    status = c->linear ? write_linear(a, outcome)
                       : lm_ngram_fit_write(&a->fit, c->with_vectors, outcome);
    outcome->without_base = !c->with_vectors;
    memcpy(outcome->trials, a->trials, sizeof a->trials);
    outcome->trial_count = a->trial_count;
    if (isnan(best->accuracy))
        snprintf(outcome->summary, sizeof outcome->summary,
                 "by the method %s: no row was held out to compare it", best->name);
    else
        snprintf(outcome->summary, sizeof outcome->summary,
                 "by the method %s, the best of %d: accuracy %.4f on held-out rows", best->name,
                 a->trial_count, best->accuracy);
    return status;
}

static const lm_train_column columns[] = {{"text", LM_TRAIN_BOTH, false},
                                          {"label", LM_TRAIN_LABEL, false}};

static const lm_option options[] = {
    LM_OPTION(auto_options, time_budget, FLOAT, 0, 1e6, "a number of seconds from 0 to 1000000"),
    LM_OPTION(auto_options, hold_out, FLOAT, 0, 0.5, "a number from 0 to 0.5"),
    LM_OPTION(auto_options, seed, INT, 0, LM_SEED_MAX, "a whole number from 0 to 9007199254740991"),
};

const lm_method lm_method_auto = {.name = "auto",
                                  .task = "classification",
                                  .needs_base = true,
                                  .columns = columns,
                                  .column_count = sizeof columns / sizeof columns[0],
                                  .options = options,
                                  .option_count = sizeof options / sizeof options[0],
                                  .options_size = sizeof(auto_options),
                                  .defaults = auto_defaults,
                                  .open = auto_open,
                                  .add_rows = auto_add_rows,
                                  .lacking = auto_lacking,
                                  .fit = auto_fit,
                                  .write = auto_write,
                                  .close = auto_close};
