/*
 * auto.c - the choice among methods and their settings.
 *
 * Above MANY_ROWS rows one split is enough to tell candidates apart; below, each is measured on
 * several splits by different seeds, and the mean counts. All see the same splits. A setting is
 * varied at a time, from the best so far: a full grid would take ten times as long. Of equals the
 * first wins: candidates stand in the order of their cost.
 */
#include "train/auto.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "train/contrastive_fit.h"
#include "train/ngram_fit.h"
#include "train/outcome.h"
#include "train/softmax.h"

#define MANY_ROWS 20000
#define SPLITS 3
#define FEW_ROWS 16 /* of a label on average: up to these a map of the vectors is tried */
/* Of n-grams of characters: different ones, and entries of all rows (128 MB). */
#define MOST_CHARACTERS ((uint32_t)1 << 20)
#define MOST_ENTRIES ((size_t)1 << 24)

typedef struct auto_options {
    double time_budget; /* seconds */
    double hold_out;
    int64_t seed;
} auto_options;

/* Sets of n-grams; a set's number is its place among those of lm_ngram_fit. */
enum { WORDS, CHARACTERS };

/* A way that can be tried. */
typedef struct candidate {
    bool linear;      /* vectors alone; else n-grams, and vectors beside them: */
    bool contrastive; /* of linear: by a map of them */
    bool with_vectors;
    int set;
    const char *learner;
    double c, weight;
    double l2; /* of linear; < 0: it chooses */
} candidate;

/* What came of one. */
typedef struct tried {
    candidate way;
    double scale, loss; /* on the option's own split */
} tried;

typedef struct automatic {
    lm_context *ctx;
    auto_options options;
    lm_ngram_fit fit;
    lm_softmax_result linear; /* of the last fit of vectors alone, by a map or without */
    const lm_train_watch *watch;
    lm_train_trial trials[LM_TRAIN_TRIALS_MAX];
    tried tried[LM_TRAIN_TRIALS_MAX];
    int trial_count, chosen;
    double start; /* of the first trial */
    bool over;    /* there is no time for another */
} automatic;

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
    a->fit.sets[WORDS].may_lack = true;
    of_ngrams.features.ngrams = "char_wb";
    of_ngrams.features.ngram_min = 2;
    of_ngrams.features.ngram_max = 5;
    LM_TRY(lm_ngram_fit_add_set(&a->fit, &of_ngrams.features));
    a->fit.sets[CHARACTERS].tfidf.options.max_counted = MOST_CHARACTERS;
    a->fit.sets[CHARACTERS].most_entries = MOST_ENTRIES;
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
fit_linear(automatic *a, const candidate *c, uint64_t seed, bool refit)
{
    const lm_train_labels *labels = &a->fit.labels;
    lm_softmax_options options;

    lm_softmax_defaults(&options);
    options.hold_out = a->options.hold_out;
    options.seed = seed;
    options.refit = refit;
    options.l2 = c->l2;
    free_linear(a);
    return lm_softmax_train(a->ctx, a->fit.vectors, labels->y, labels->rows, a->fit.width,
                            (int)labels->names.count, &options, report_step, a, &a->linear);
}

static void
report_map_step(void *opaque, const lm_contrastive_progress *step)
{
    const automatic *a = opaque;

    a->watch->report(a->watch->opaque,
                     &(lm_train_progress){step->step, step->max_steps,
                                          &(lm_train_value){"loss", step->loss, false}, 1});
}

static lm_status
fit_contrastive(automatic *a, uint64_t seed, bool refit)
{
    const lm_train_labels *labels = &a->fit.labels;
    lm_contrastive_options options;
    lm_contrastive_result result;
    lm_status status;

    lm_contrastive_defaults(&options);
    options.hold_out = a->options.hold_out;
    options.seed = (int64_t)seed;
    options.refit = refit;
    free_linear(a);
    status = lm_contrastive_train(a->ctx, a->fit.vectors, labels->y, labels->rows, a->fit.width,
                                  labels->names.count, &options, report_map_step, a, &result);
    a->linear = (lm_softmax_result){.weight = result.weight,
                                    .bias = result.bias,
                                    .l2 = options.penalty,
                                    .held_out_loss = result.held_out_loss,
                                    .held_out_accuracy = result.held_out_accuracy,
                                    .held_out = result.held_out};
    return status;
}

static lm_status
fit_vectors(automatic *a, const candidate *c, uint64_t seed, bool refit)
{
    return c->contrastive ? fit_contrastive(a, seed, refit) : fit_linear(a, c, seed, refit);
}

static void
use(automatic *a, const candidate *c)
{
    a->fit.set = &a->fit.sets[c->set];
    a->fit.options.learner = (char *)c->learner;
    a->fit.options.c = c->c;
    a->fit.options.weight = c->weight;
}

/* Its accuracy on the rows that a seed holds out. */
static lm_status
try_once(automatic *a, const candidate *c, uint64_t seed, double *accuracy)
{
    if (c->linear) {
        LM_TRY(fit_vectors(a, c, seed, false));
        *accuracy = a->linear.held_out_accuracy;
        return LM_OK;
    }
    use(a, c);
    LM_TRY(lm_ngram_fit_try(&a->fit, c->with_vectors, seed));
    *accuracy = a->fit.held_out_accuracy;
    return LM_OK;
}

static void
set_number(lm_train_trial *trial, const char *name, double number)
{
    trial->settings[trial->setting_count++] = (lm_train_setting){name, NULL, number};
}

static void
set_word(lm_train_trial *trial, const char *name, const char *word)
{
    trial->settings[trial->setting_count++] = (lm_train_setting){name, word, 0};
}

static const char *
name_of(const candidate *c)
{
    if (c->linear)
        return c->contrastive ? "contrastive" : "linear";
    return c->with_vectors ? "combined" : "ngram";
}

static const char *
penalty_of(const candidate *c)
{
    return c->contrastive ? "penalty" : "l2";
}

/* What the method of its name is to be told to train it again. */
static void
describe(const automatic *a, const candidate *c, lm_train_trial *trial)
{
    const lm_ngram_options *ngrams = &a->fit.sets[c->set].tfidf.options.ngrams;

    trial->name = name_of(c);
    if (c->linear) {
        set_number(trial, penalty_of(c), a->linear.l2);
        return;
    }
    set_word(trial, "learner", c->learner);
    set_number(trial, "c", c->c);
    set_word(trial, "ngrams", ngrams->kind->name);
    set_number(trial, "ngram_min", ngrams->low);
    set_number(trial, "ngram_max", ngrams->high);
    if (c->with_vectors)
        set_number(trial, "weight", c->weight);
}

static lm_status
try_candidate(automatic *a, const candidate *c)
{
    const int splits = a->fit.labels.rows > MANY_ROWS ? 1 : SPLITS;
    const double start = now();
    lm_train_trial *trial = &a->trials[a->trial_count];
    tried *t = &a->tried[a->trial_count];
    double sum = 0;

    for (int i = 0; i < splits; i++) {
        double accuracy;

        /* The last split is the option's own, whose scale is kept. */
        LM_TRY(try_once(a, c, (uint64_t)a->options.seed + (uint64_t)(splits - 1 - i), &accuracy));
        sum += accuracy;
    }
    *trial = (lm_train_trial){.accuracy = sum / splits, .seconds = now() - start};
    describe(a, c, trial);
    *t = (tried){.way = *c,
                 .scale = a->fit.scale,
                 .loss = c->linear ? a->linear.held_out_loss : a->fit.held_out_loss};
    if (trial->accuracy > a->trials[a->chosen].accuracy)
        a->chosen = a->trial_count;
    a->over = isnan(trial->accuracy); /* nothing to compare by */
    a->trial_count++;
    return LM_OK;
}

/* Seconds of the longest trial that is like it. */
static double
longest_like(const automatic *a, const candidate *c)
{
    double longest = 0;

    for (int i = 0; i < a->trial_count; i++)
        if (a->tried[i].way.linear == c->linear)
            longest = fmax(longest, a->trials[i].seconds);
    return longest;
}

/* The first is always tried; no other is begun that would likely not end in the time. */
static lm_status
try_if_time(automatic *a, const candidate *c)
{
    if (a->trial_count > 0 && now() - a->start + longest_like(a, c) > a->options.time_budget)
        a->over = true;
    if (a->over || a->trial_count == LM_TRAIN_TRIALS_MAX)
        return LM_OK;
    return try_candidate(a, c);
}

/* ---- The grid ---- */

/* The best so far of those that are linear without a map, or that are not; NULL: none is. */
static const candidate *
best_of(const automatic *a, bool linear)
{
    int best = -1;

    for (int i = 0; i < a->trial_count; i++)
        if (a->tried[i].way.linear == linear && !a->tried[i].way.contrastive &&
            (best < 0 || a->trials[i].accuracy > a->trials[best].accuracy))
            best = i;
    return best < 0 ? NULL : &a->tried[best].way;
}

/* Ways that differ from the best in one setting. False: there is no such way. */

static bool
vary_weight(const automatic *a, candidate *c, double weight)
{
    c->weight = weight;
    return c->with_vectors;
}

static bool
vary_set(const automatic *a, candidate *c, double set)
{
    if (c->set == (int)set || a->fit.sets[(int)set].lacks)
        return false;
    c->set = (int)set;
    return true;
}

static bool
vary_c(const automatic *a, candidate *c, double times)
{
    c->c *= times;
    return true;
}

/* Its losses are smaller, so that each counts more. */
static bool
vary_learner(const automatic *a, candidate *c, double c_times)
{
    c->learner = "logistic";
    c->c *= c_times;
    return true;
}

static bool
vary_penalty(const automatic *a, candidate *c, double times)
{
    c->l2 = a->trials[0].settings[0].number * times;
    return true;
}

typedef struct step {
    bool linear; /* varies the best of the linear ways, else the best of the others */
    bool (*vary)(const automatic *a, candidate *c, double by);
    double by[2];
} step;

static const step steps[] = {{false, vary_weight, {1, 2}},
                             {false, vary_c, {0.3, 3}},
                             {false, vary_set, {CHARACTERS}},
                             {true, vary_penalty, {0.3, 0.1}},
                             {false, vary_learner, {10, 30}}};

static lm_status
take_step(automatic *a, const step *s)
{
    const candidate *best = best_of(a, s->linear);
    candidate from;

    if (!best)
        return LM_OK;
    from = *best;
    for (size_t i = 0; i < sizeof s->by / sizeof s->by[0]; i++) {
        candidate c = from;

        if ((i == 0 || s->by[i] > 0) && s->vary(a, &c, s->by[i]))
            LM_TRY(try_if_time(a, &c));
    }
    return LM_OK;
}

static bool
may_map(const automatic *a)
{
    const size_t rows = a->fit.labels.rows, labels = a->fit.labels.names.count;

    return rows <= FEW_ROWS * labels && a->fit.width <= LM_CONTRASTIVE_WIDTH_MAX &&
           rows <= LM_CONTRASTIVE_SCORES_MAX / (labels > a->fit.width ? labels : a->fit.width);
}

/* At least one is tried, and where there are no n-grams, vectors alone. */
static lm_status
try_all(automatic *a)
{
    const int set = a->fit.sets[WORDS].lacks ? CHARACTERS : WORDS;
    candidate c = {.linear = true, .with_vectors = true, .l2 = -1};

    a->start = now();
    LM_TRY(try_if_time(a, &c));
    c.contrastive = true;
    if (may_map(a))
        LM_TRY(try_if_time(a, &c));
    if (!a->fit.sets[set].lacks) {
        c = (candidate){.set = set, .learner = "svm", .c = 1, .weight = 0.5};
        LM_TRY(try_if_time(a, &c));
        c.with_vectors = true;
        LM_TRY(try_if_time(a, &c));
    }
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        LM_TRY(take_step(a, &steps[i]));
    a->trials[a->chosen].chosen = true;
    return LM_OK;
}

static lm_status
auto_fit(void *training, const lm_train_watch *watch)
{
    automatic *a = training;
    const tried *best;

    a->watch = a->fit.watch = watch;
    LM_TRY(lm_ngram_fit_prepare(&a->fit));
    LM_TRY(try_all(a));
    best = &a->tried[a->chosen];
    if (best->way.linear)
        return fit_vectors(a, &best->way, (uint64_t)a->options.seed, true);
    use(a, &best->way);
    a->fit.scale = best->scale;
    a->fit.held_out_accuracy = a->trials[a->chosen].accuracy;
    a->fit.held_out_loss = best->loss;
    return lm_ngram_fit_all(&a->fit, best->way.with_vectors);
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
    lm_outcome_add(outcome, "held_out_loss", a->tried[a->chosen].loss);
    lm_outcome_add(outcome, penalty_of(&a->tried[a->chosen].way), a->linear.l2);
    lm_outcome_add(outcome, "seed", (double)a->options.seed);
    return status;
}

static lm_status
auto_write(void *training, lm_train_outcome *outcome)
{
    automatic *a = training;
    const candidate *c = &a->tried[a->chosen].way;
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
                                          {"label", LM_TRAIN_LABEL, false},
                                          {"vector", LM_TRAIN_VECTOR, false}};

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
