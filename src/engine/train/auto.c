/*
 * auto.c - the choice among methods and their settings.
 *
 * Above MANY_ROWS rows one split is enough to tell candidates apart; below, each is measured on
 * several splits by different seeds, and the mean counts. All see the same splits. A setting is
 * varied at a time, from the best so far: a full grid would take ten times as long. Of equals the
 * first wins: candidates stand in the order of their cost.
 *
 * The time budget is that of vectors, trials and the last fit together. Vectors are asked for in
 * rounds, each at most ROUND_TIMES as many as there are, as far as half of the budget goes by what
 * the last ones took. Then a fit of few rows tells how many rows the other half is enough for. A
 * way that would not end in what is left of it is left out, and why is told.
 */
#include "train/auto.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/size.h"
#include "train/contrastive_fit.h"
#include "train/ngram_fit.h"
#include "train/outcome.h"
#include "train/softmax.h"

#define MANY_ROWS 20000
#define POLL_EVERY 1024u /* vectors */
#define SPLITS 3
#define FEW_ROWS 16       /* of a label on average: up to these a map of the vectors is tried */
#define FIRST_VECTORS 256 /* of the first round */
#define ROUND_TIMES 4
#define VECTOR_SHARE 0.5 /* of the budget */
#define PROBE_ROWS 2000  /* of a fit that is timed, where there are PROBE_TIMES as many */
#define PROBE_TIMES 4
#define LEAST_FITS 6     /* of a kind that there ought to be time for */
#define LOGISTIC_TIMES 4 /* as long as svm, about */
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
    lm_train_trial left_out[LM_TRAIN_TRIALS_MAX];
    int left_out_count;
    double start;         /* of the fit */
    double embed_seconds; /* before it */
    double guess[2];      /* seconds of a trial without vectors, and with; 0: not known */
    bool uncompared;      /* no row was held out */
    bool prepared;
    bool asks; /* rows came without vectors */
    lm_row_sample sample;
    size_t *wanted; /* (rows): of the round, wanted_count of them */
    size_t wanted_count, taken;
    size_t vectors; /* that have come: of the first rows of the sample */
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
    lm_free(a->ctx, a->sample.rank);
    lm_free(a->ctx, a->wanted);
    lm_free(a->ctx, a);
}

static lm_status
auto_add_rows(void *training, const lm_train_rows *rows)
{
    automatic *a = training;

    a->asks |= rows->count > 0 && !rows->vectors;
    return lm_ngram_fit_add(&a->fit, rows);
}

static const char *
auto_lacking(const void *training, const char **hint)
{
    if (((const automatic *)training)->fit.labels.names.count > 1)
        return NULL;
    *hint = "A classifier needs at least two labels.";
    return "returned only one label";
}

/* ---- Rows ---- */

static bool
has_ngrams(const automatic *a)
{
    return !a->fit.sets[WORDS].lacks || !a->fit.sets[CHARACTERS].lacks;
}

/* So many rows have each label twice, and can tell labels apart. */
static size_t
enough_rows(const automatic *a, size_t count)
{
    const size_t labels = a->fit.labels.names.count, rows = a->fit.labels.rows;
    const size_t least = 2 * labels > count ? 2 * labels : count;

    return least < rows ? least : rows;
}

/* Features and labels are numbered once. */
static lm_status
prepare(automatic *a)
{
    if (a->prepared)
        return LM_OK;
    a->prepared = true;
    return lm_ngram_fit_prepare(&a->fit);
}

static lm_status
draw(automatic *a)
{
    const lm_train_labels *labels = &a->fit.labels;

    if (a->sample.rank)
        return LM_OK;
    return lm_row_sample_draw(a->ctx, labels->y, labels->rows, labels->names.count,
                              (uint64_t)a->options.seed, &a->sample);
}

/* How many vectors there are to be, of which `vectors` took so long. */
static size_t
vectors_for(const automatic *a)
{
    const double budget = VECTOR_SHARE * a->options.time_budget;
    const size_t first = enough_rows(a, FIRST_VECTORS), rows = a->fit.labels.rows;
    size_t most = a->vectors < rows / ROUND_TIMES ? a->vectors * ROUND_TIMES : rows;
    double affordable;

    if (a->vectors == 0)
        return budget > 0 || !has_ngrams(a) ? first : 0;
    affordable = (double)a->vectors * budget / fmax(a->embed_seconds, 1e-9);
    return affordable < (double)most ? (size_t)affordable : most;
}

static lm_status
make_room(automatic *a, size_t count)
{
    size_t numbers, bytes;
    float *vectors;

    if (!a->wanted)
        a->wanted = lm_alloc_array(a->ctx, a->fit.labels.rows, sizeof *a->wanted);
    if (lm_mul_overflows(count, a->fit.width, &numbers) ||
        lm_mul_overflows(numbers, sizeof *vectors, &bytes))
        return lm_raise(a->ctx, LM_TOO_LARGE, "too many rows to train on");
    vectors = a->wanted ? lm_keep(a->ctx, a->fit.vectors, bytes) : NULL;
    if (!vectors)
        return LM_NO_MEMORY;
    a->fit.vectors = vectors;
    return LM_OK;
}

static lm_status
auto_wanted_rows(void *training, double seconds, const size_t **rows, size_t *count)
{
    automatic *a = training;
    size_t vectors;

    LM_TRY(prepare(a));
    LM_TRY(draw(a));
    a->embed_seconds = seconds;
    a->taken = a->wanted_count = 0;
    vectors = vectors_for(a);
    if (vectors > a->vectors) {
        LM_TRY(make_room(a, vectors));
        lm_row_sample_list(&a->sample, a->vectors, vectors, a->wanted);
        a->wanted_count = vectors - a->vectors;
        a->vectors = vectors;
    }
    *rows = a->wanted;
    *count = a->wanted_count;
    return LM_OK;
}

static lm_status
auto_add_vectors(void *training, const float *vectors, size_t count)
{
    automatic *a = training;
    const size_t width = a->fit.width;

    for (size_t i = 0; i < count; i++)
        memcpy(a->fit.vectors + a->sample.rank[a->wanted[a->taken++]] * width, vectors + i * width,
               width * sizeof *vectors);
    return LM_OK;
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

/* Vectors and labels of what is compared: of all rows where they lie, else in blocks of their own.
 */
typedef struct row_set {
    const float *x;
    const int32_t *y;
    size_t rows;
    float *own_x;
    int32_t *own_y;
} row_set;

static lm_status
gather_rows(const automatic *a, row_set *set)
{
    const lm_ngram_fit *f = &a->fit;
    size_t *list = NULL;
    lm_status status = LM_OK;

    *set = (row_set){f->vectors, f->labels.y, lm_ngram_fit_compared(f), NULL, NULL};
    if (!f->sample)
        return LM_OK;
    status = lm_ngram_fit_list(f, &list, &set->own_y);
    set->own_x = lm_keep_array(a->ctx, set->rows * f->width, sizeof *set->own_x);
    if (!set->own_x)
        status = LM_NO_MEMORY;
    for (size_t i = 0; status == LM_OK && i < set->rows; i++) {
        const size_t from = f->place ? f->place[list[i]] : list[i];

        memcpy(set->own_x + i * f->width, f->vectors + from * f->width,
               f->width * sizeof *set->own_x);
        if (i % POLL_EVERY == 0)
            status = lm_poll(a->ctx);
    }
    set->x = set->own_x;
    set->y = set->own_y;
    lm_free(a->ctx, list);
    return status;
}

static lm_status
fit_linear(automatic *a, const row_set *set, const candidate *c, uint64_t seed, bool refit)
{
    lm_softmax_options options;

    lm_softmax_defaults(&options);
    options.hold_out = a->options.hold_out;
    options.seed = seed;
    options.refit = refit;
    options.l2 = c->l2;
    return lm_softmax_train(a->ctx, set->x, set->y, set->rows, a->fit.width,
                            (int)a->fit.labels.names.count, &options, report_step, a, &a->linear);
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
fit_contrastive(automatic *a, const row_set *set, uint64_t seed, bool refit)
{
    lm_contrastive_options options;
    lm_contrastive_result result;
    lm_status status;

    lm_contrastive_defaults(&options);
    options.hold_out = a->options.hold_out;
    options.seed = (int64_t)seed;
    options.refit = refit;
    status = lm_contrastive_train(a->ctx, set->x, set->y, set->rows, a->fit.width,
                                  a->fit.labels.names.count, &options, report_map_step, a, &result);
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
    row_set set;
    lm_status status = gather_rows(a, &set);

    free_linear(a);
    if (status == LM_OK)
        status = c->contrastive ? fit_contrastive(a, &set, seed, refit)
                                : fit_linear(a, &set, c, seed, refit);
    lm_free(a->ctx, set.own_x);
    lm_free(a->ctx, set.own_y);
    return status;
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

/* What the method of its name is to be told to train it again; a penalty below 0 is its own choice.
 */
static void
describe(const automatic *a, const candidate *c, double penalty, lm_train_trial *trial)
{
    const lm_ngram_options *ngrams = &a->fit.sets[c->set].tfidf.options.ngrams;

    trial->name = name_of(c);
    if (c->linear) {
        if (penalty >= 0)
            set_number(trial, penalty_of(c), penalty);
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

static int
splits_of(size_t rows)
{
    return rows > MANY_ROWS ? 1 : SPLITS;
}

static bool
reads_vectors(const candidate *c)
{
    return c->linear || c->with_vectors;
}

static lm_status
try_candidate(automatic *a, const candidate *c)
{
    const int splits = splits_of(lm_ngram_fit_compared(&a->fit));
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
    *trial = (lm_train_trial){.rows = lm_ngram_fit_rows(&a->fit, reads_vectors(c)),
                              .accuracy = sum / splits,
                              .seconds = now() - start};
    describe(a, c, a->linear.l2, trial);
    *t = (tried){.way = *c,
                 .scale = a->fit.scale,
                 .loss = c->linear ? a->linear.held_out_loss : a->fit.held_out_loss};
    if (trial->accuracy > a->trials[a->chosen].accuracy)
        a->chosen = a->trial_count;
    a->uncompared = isnan(trial->accuracy);
    a->trial_count++;
    return LM_OK;
}

/* Seconds that are left of the budget. */
static double
left_of(const automatic *a)
{
    return a->options.time_budget - a->embed_seconds - (now() - a->start);
}

static bool
is_slow(const candidate *c)
{
    return !c->linear && strcmp(c->learner, "logistic") == 0;
}

/* Seconds of the longest trial that is like it; before there is one, of one with the other learner,
 * or what a fit of few rows lets guess. */
static double
estimate(const automatic *a, const candidate *c)
{
    double longest = 0, faster = a->guess[reads_vectors(c)];

    for (int i = 0; i < a->trial_count; i++) {
        const candidate *way = &a->tried[i].way;

        if (way->linear == c->linear && is_slow(way) == is_slow(c))
            longest = fmax(longest, a->trials[i].seconds);
        if (way->linear == c->linear)
            faster = fmax(faster, a->trials[i].seconds);
    }
    if (longest > 0)
        return longest;
    return is_slow(c) ? LOGISTIC_TIMES * faster : faster;
}

static void
leave_out(automatic *a, const candidate *c, const char *reason, double seconds)
{
    lm_train_trial *trial = &a->left_out[a->left_out_count];

    if (a->left_out_count == LM_TRAIN_TRIALS_MAX)
        return;
    a->left_out_count++;
    *trial = (lm_train_trial){.reason = reason, .seconds = seconds};
    describe(a, c, c->l2, trial);
}

/* Fits, of which the last is that of all rows: the first is always tried. */
static lm_status
try_if_time(automatic *a, const candidate *c)
{
    const double seconds = estimate(a, c);
    const double last = seconds / splits_of(lm_ngram_fit_compared(&a->fit));

    if (reads_vectors(c) && a->fit.vector_rows == 0)
        leave_out(a, c, "time_budget", NAN);
    else if (a->uncompared)
        leave_out(a, c, "nothing_held_out", NAN);
    else if (a->trial_count > 0 && seconds + last > left_of(a))
        leave_out(a, c, "time_budget", seconds);
    else if (a->trial_count < LM_TRAIN_TRIALS_MAX)
        return try_candidate(a, c);
    return LM_OK;
}

/* ---- How many rows ---- */

/* The number of rows, of `rows`, that there is time for; by a fit of few. */
static lm_status
choose_rows(automatic *a, const candidate *c, size_t *rows)
{
    const size_t probe = enough_rows(a, PROBE_ROWS);
    double seconds, accuracy, affordable = 0, left = left_of(a);

    if (*rows / PROBE_TIMES < probe)
        return LM_OK;
    LM_TRY(draw(a));
    a->fit.sample = &a->sample;
    a->fit.plain_rows = probe;
    a->fit.vector_rows = reads_vectors(c) ? probe : 0;
    if (left > 0) {
        const double start = now();

        LM_TRY(try_once(a, c, (uint64_t)a->options.seed, &accuracy));
        seconds = fmax(now() - start, 1e-6);
        affordable = (double)probe * left / (seconds * LEAST_FITS);
        if (affordable < (double)*rows)
            *rows = affordable > (double)probe ? (size_t)affordable : probe;
        a->guess[reads_vectors(c)] = seconds * (double)*rows / (double)probe * splits_of(*rows);
    } else
        *rows = probe;
    return LM_OK;
}

/* All vectors that came for all rows are where these are; else a sample says whose they are. */
static lm_status
place_vectors(automatic *a)
{
    if (!a->asks)
        return LM_OK;
    if (a->vectors == a->fit.labels.rows)
        return lm_row_sample_put_back(&a->sample, a->fit.vectors, a->fit.width);
    a->fit.place = a->sample.rank;
    return LM_OK;
}

static lm_status
choose_all_rows(automatic *a)
{
    const size_t rows = a->fit.labels.rows;
    const int set = a->fit.sets[WORDS].lacks ? CHARACTERS : WORDS;
    const candidate ngram = {.set = set, .learner = "svm", .c = 1, .weight = 0.5};
    candidate other = ngram;
    size_t plain = rows, with_vectors = a->asks ? a->vectors : rows;

    other.with_vectors = true;
    if (!has_ngrams(a))
        other = (candidate){.linear = true, .with_vectors = true, .l2 = -1};
    LM_TRY(place_vectors(a));
    if (has_ngrams(a))
        LM_TRY(choose_rows(a, &ngram, &plain));
    if (with_vectors > 0)
        LM_TRY(choose_rows(a, &other, &with_vectors));
    with_vectors = with_vectors < plain ? with_vectors : plain;
    a->fit.plain_rows = plain;
    a->fit.vector_rows = with_vectors;
    a->fit.sample = plain < rows || (with_vectors > 0 && with_vectors < rows) ? &a->sample : NULL;
    return LM_OK;
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
    const size_t rows = lm_ngram_fit_compared(&a->fit), labels = a->fit.labels.names.count;

    return rows <= FEW_ROWS * labels && a->fit.width <= LM_CONTRASTIVE_WIDTH_MAX &&
           rows <= LM_CONTRASTIVE_SCORES_MAX / (labels > a->fit.width ? labels : a->fit.width);
}

/* What was chosen among no candidates, whose texts have none. */
static void
tell_lacks(automatic *a)
{
    for (int set = 0; set < a->fit.set_count; set++)
        if (a->fit.sets[set].lacks)
            leave_out(a, &(candidate){.set = set, .learner = "svm", .c = 1}, "ngrams", NAN);
}

/* At least one is tried, and where there are no n-grams, vectors alone. */
static lm_status
try_all(automatic *a)
{
    const int set = a->fit.sets[WORDS].lacks ? CHARACTERS : WORDS;
    candidate c = {.linear = true, .with_vectors = true, .l2 = -1};

    tell_lacks(a);
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
    a->start = now();
    LM_TRY(prepare(a));
    LM_TRY(choose_all_rows(a));
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
    memcpy(outcome->left_out, a->left_out, sizeof a->left_out);
    outcome->left_out_count = a->left_out_count;
    if (a->asks)
        lm_outcome_add(outcome, "embedded_rows", (double)a->vectors);
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
                                  .wanted_rows = auto_wanted_rows,
                                  .add_vectors = auto_add_vectors,
                                  .lacking = auto_lacking,
                                  .fit = auto_fit,
                                  .write = auto_write,
                                  .close = auto_close};
