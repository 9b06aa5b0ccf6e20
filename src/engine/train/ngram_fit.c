/*
 * ngram_fit.c - fitting classifiers on n-grams.
 *
 * Features are learnt from all rows, held-out ones included: they know nothing of labels. Margins
 * of the linear learners are no probabilities; one factor for all of them, chosen on the held-out
 * rows, makes their softmax as good a guess as it can be, and moves no label before another.
 */
#include "train/ngram_fit.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "lang/ngram_head.h"
#include "train/bayes.h"
#include "train/calibrate.h"
#include "train/outcome.h"
#include "train/split.h"

#define POLL_EVERY 64         /* rows */
#define MOST_CALIBRATED 16384 /* rows that the factor is chosen on */
#define MOST_SCORES ((size_t)1 << 25)
#define PLAIN_SCALE 4.0 /* where there is nothing to choose it on */

/* ---- Learners ---- */

static lm_status fit_dual(lm_ngram_fit *f, const lm_design *design, const size_t *rows,
                          size_t count, lm_dual_loss loss);
static lm_status fit_bayes(lm_ngram_fit *f, const lm_design *design, const size_t *rows,
                           size_t count, bool complement);

static lm_status
fit_svm(lm_ngram_fit *f, const lm_design *design, const size_t *rows, size_t count)
{
    return fit_dual(f, design, rows, count, LM_DUAL_SQUARED_HINGE);
}

static lm_status
fit_logistic(lm_ngram_fit *f, const lm_design *design, const size_t *rows, size_t count)
{
    return fit_dual(f, design, rows, count, LM_DUAL_LOGISTIC);
}

static lm_status
fit_multinomial(lm_ngram_fit *f, const lm_design *design, const size_t *rows, size_t count)
{
    return fit_bayes(f, design, rows, count, false);
}

static lm_status
fit_complement(lm_ngram_fit *f, const lm_design *design, const size_t *rows, size_t count)
{
    return fit_bayes(f, design, rows, count, true);
}

typedef struct learner {
    const char *name;
    lm_status (*fit)(lm_ngram_fit *f, const lm_design *design, const size_t *rows, size_t count);
    bool linear; /* reads vectors, and its scores are scaled; else they are logarithms already */
} learner;

static const learner learners[] = {
    {"svm", fit_svm, true},
    {"logistic", fit_logistic, true},
    {"multinomial_nb", fit_multinomial, false},
    {"complement_nb", fit_complement, false},
    {NULL, NULL, false},
};

static const learner *
learner_of(const lm_ngram_fit *f)
{
    const learner *row = learners;

    while (row->name && strcmp(row->name, f->options.learner) != 0)
        row++;
    return row;
}

static void
report_label(void *opaque, int labels, double objective)
{
    const lm_ngram_fit *f = opaque;
    const lm_train_value loss = {"loss", objective / (double)f->labels.rows, false};

    f->watch->report(f->watch->opaque,
                     &(lm_train_progress){labels, (int)f->labels.names.count, &loss, 1});
}

static lm_status
fit_dual(lm_ngram_fit *f, const lm_design *design, const size_t *rows, size_t count,
         lm_dual_loss loss)
{
    const lm_dual_options options = {.loss = loss,
                                     .c = f->options.c,
                                     .tolerance = f->options.tolerance,
                                     .max_steps = (int)f->options.max_steps,
                                     .seed = (uint64_t)f->options.seed};

    return lm_dual_train(f->ctx, design, rows, count, f->labels.y, &options, report_label, f,
                         &f->model, &f->objective);
}

static lm_status
fit_bayes(lm_ngram_fit *f, const lm_design *design, const size_t *rows, size_t count,
          bool complement)
{
    f->objective = NAN;
    return lm_bayes_train(f->ctx, design, rows, count, f->labels.y, f->options.alpha, complement,
                          &f->model);
}

/* ---- Options ---- */

void
lm_ngram_fit_defaults(lm_ngram_fit_options *options)
{
    *options = (lm_ngram_fit_options){.learner = "svm",
                                      .max_steps = 1000,
                                      .seed = 42,
                                      .c = 1,
                                      .alpha = 1,
                                      .tolerance = 0.01,
                                      .hold_out = 0.1,
                                      .weight = 0.5,
                                      .refit = true};
    lm_tfidf_spec_defaults(&options->features);
    options->features.ngram_max = 2;
    options->features.sublinear = true;
}

static lm_status
check_learner(lm_ngram_fit *f)
{
    const char *allowed = f->width > 0 ? "svm, logistic: vectors have negative numbers"
                                       : "svm, logistic, multinomial_nb, complement_nb";

    if (learner_of(f)->name && (f->width == 0 || learner_of(f)->linear))
        return LM_OK;
    lm_raise(f->ctx, LM_BAD_ARGUMENT, "a value of an option is not valid");
    lm_detail_key(f->ctx, "learner");
    lm_detail_found(f->ctx, "%s", f->options.learner);
    return lm_detail_allowed(f->ctx, "%s", allowed);
}

/* ---- Rows ---- */

static lm_status
open_set(lm_ngram_fit *f, const lm_tfidf_spec *spec)
{
    lm_tfidf_options features;

    lm_tfidf_defaults(&features);
    LM_TRY(lm_tfidf_spec_read(f->ctx, spec, &features));
    lm_tfidf_init(&f->sets[f->set_count++].tfidf, f->ctx, &features);
    return LM_OK;
}

lm_status
lm_ngram_fit_open(lm_ngram_fit *fit, lm_context *ctx, const lm_ngram_fit_options *options,
                  size_t width)
{
    *fit = (lm_ngram_fit){.ctx = ctx, .options = *options, .width = width, .scale = 1};
    fit->set = fit->sets;
    lm_train_labels_init(&fit->labels, ctx);
    LM_TRY(check_learner(fit));
    return open_set(fit, &options->features);
}

lm_status
lm_ngram_fit_add_set(lm_ngram_fit *fit, const lm_tfidf_spec *spec)
{
    fit->sets[fit->set_count].may_lack = true;
    return open_set(fit, spec);
}

void
lm_ngram_fit_close(lm_ngram_fit *fit)
{
    for (int i = 0; i < fit->set_count; i++)
        lm_tfidf_free(&fit->sets[i].tfidf);
    lm_train_labels_free(&fit->labels);
    lm_linear_model_free(fit->ctx, &fit->model);
    lm_free(fit->ctx, fit->vectors);
    lm_free(fit->ctx, fit->order);
}

static lm_status
keep_vectors(lm_ngram_fit *f, const lm_train_rows *rows)
{
    size_t used = f->labels.rows, need = used + rows->count, numbers, bytes;
    size_t room = lm_grown_room(f->room, need);
    float *vectors;

    if (need > f->room) {
        if (lm_mul_overflows(room, f->width, &numbers) ||
            lm_mul_overflows(numbers, sizeof *vectors, &bytes))
            return lm_raise(f->ctx, LM_TOO_LARGE, "too many rows to train on");
        if (!(vectors = lm_keep(f->ctx, f->vectors, bytes)))
            return LM_NO_MEMORY;
        f->vectors = vectors;
        f->room = room;
    }
    memcpy(f->vectors + used * f->width, rows->vectors, rows->count * f->width * sizeof *vectors);
    return LM_OK;
}

/* What says that n-grams are of no use, where these may be lacking, is no failure. */
static lm_status
allow_lack(lm_ngram_set *set, lm_status status)
{
    lm_context *ctx = set->tfidf.ctx;
    const lm_tfidf_options options = set->tfidf.options;
    const bool full = set->most_entries > 0 && set->tfidf.rows.used > set->most_entries;

    if (!set->may_lack || (status == LM_OK && !full) ||
        (status != LM_OK && status != LM_TOO_LARGE && status != LM_BAD_ARGUMENT))
        return status;
    lm_tfidf_free(&set->tfidf);
    lm_tfidf_init(&set->tfidf, ctx, &options);
    set->lacks = true;
    return LM_OK;
}

static lm_status
count_texts(lm_ngram_set *set, const lm_text *texts, size_t count)
{
    for (size_t i = 0; i < count && !set->lacks; i++)
        LM_TRY(allow_lack(set, lm_tfidf_add(&set->tfidf, texts[i])));
    return LM_OK;
}

lm_status
lm_ngram_fit_add(lm_ngram_fit *fit, const lm_train_rows *rows)
{
    if (fit->width > 0 && rows->count > 0 && rows->vectors)
        LM_TRY(keep_vectors(fit, rows));
    for (int i = 0; i < fit->set_count; i++)
        LM_TRY(count_texts(&fit->sets[i], rows->texts[0], rows->count));
    return lm_train_labels_add(&fit->labels, rows->texts[1], rows->count);
}

/* ---- Fitting ---- */

static lm_design
design_of(const lm_ngram_fit *f, bool with_vectors)
{
    return (lm_design){.sparse = &f->set->tfidf.rows,
                       .features = f->set->tfidf.count,
                       .dense = with_vectors ? f->vectors : NULL,
                       .place = f->place,
                       .width = with_vectors ? f->width : 0,
                       .scale = f->options.weight};
}

static lm_status
check_size(const lm_ngram_fit *f, const lm_tfidf *tfidf)
{
    size_t labels = lm_ngram_head_padded(f->labels.names.count);
    size_t most = LM_NGRAM_HEAD_WEIGHTS_MAX / labels;

    if (f->labels.names.count > LM_NGRAM_HEAD_LABELS_MAX) {
        lm_raise(f->ctx, LM_TOO_LARGE, "the classifier would have too many labels");
        lm_detail_found(f->ctx, "%" PRIu32, f->labels.names.count);
        return lm_detail_allowed(f->ctx, "at most %d", LM_NGRAM_HEAD_LABELS_MAX);
    }
    if (tfidf->count <= most)
        return LM_OK;
    lm_raise(f->ctx, LM_TOO_LARGE, "the classifier would have too many weights");
    lm_detail_found(f->ctx, "%" PRIu32 " features of %" PRIu32 " labels", tfidf->count,
                    f->labels.names.count);
    lm_detail_allowed(f->ctx, "%zu features", most);
    return lm_detail_hint(f->ctx, "Lower max_features, raise min_df, or set hash_bits.");
}

static lm_status
choose_features(lm_ngram_fit *f, lm_ngram_set *set)
{
    LM_TRY(lm_tfidf_finish(&set->tfidf));
    return check_size(f, &set->tfidf);
}

lm_status
lm_ngram_fit_prepare(lm_ngram_fit *fit)
{
    LM_TRY(lm_train_labels_sort(&fit->labels));
    for (int i = 0; i < fit->set_count; i++)
        if (!fit->sets[i].lacks)
            LM_TRY(allow_lack(&fit->sets[i], choose_features(fit, &fit->sets[i])));
    fit->order = lm_alloc_array(fit->ctx, fit->labels.rows, sizeof *fit->order);
    return fit->order ? LM_OK : LM_NO_MEMORY;
}

static lm_status
fit_rows(lm_ngram_fit *f, bool with_vectors, size_t count)
{
    const lm_design design = design_of(f, with_vectors);

    lm_linear_model_free(f->ctx, &f->model);
    LM_TRY(lm_linear_model_open(f->ctx, &design, f->labels.names.count, &f->model));
    return learner_of(f)->fit(f, &design, f->order, count);
}

/* ---- Held-out rows ---- */

/* The share of some rows whose label has the highest score; `scores` has room for one row. */
static lm_status
share_right(lm_ngram_fit *f, const lm_design *design, const size_t *rows, size_t count,
            float *scores, double *share)
{
    const size_t labels = f->labels.names.count;
    size_t right = 0;

    for (size_t i = 0; i < count; i++) {
        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(f->ctx));
        lm_linear_model_scores(&f->model, design, rows[i], scores);
        right += lm_best_number(scores, labels) == (size_t)f->labels.y[rows[i]];
    }
    *share = (double)right / (double)count;
    return LM_OK;
}

/* All held-out rows are counted; the first of them are kept for the factor. */
static lm_status
score_held_out(lm_ngram_fit *f, const lm_design *design, lm_held_out *h)
{
    const size_t *rows = f->order + f->trained;
    size_t right = 0;

    for (size_t i = 0; i < f->held_out; i++) {
        float *scores = h->scores + (i < h->count ? i : h->count) * h->labels;

        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(f->ctx));
        lm_linear_model_scores(&f->model, design, rows[i], scores);
        right += lm_best_number(scores, h->labels) == (size_t)f->labels.y[rows[i]];
    }
    f->held_out_accuracy = (double)right / (double)f->held_out;
    return LM_OK;
}

static lm_status
measure_scores(lm_ngram_fit *f, const lm_design *design, lm_held_out *h)
{
    const size_t sample = f->trained < MOST_CALIBRATED ? f->trained : MOST_CALIBRATED;
    double slope;

    LM_TRY(share_right(f, design, f->order, sample, h->scores, &f->train_accuracy));
    LM_TRY(score_held_out(f, design, h));
    f->scale = 1;
    if (learner_of(f)->linear)
        LM_TRY(lm_calibrate_scale(f->ctx, h, &f->scale));
    LM_TRY(lm_calibration_error(f->ctx, h, f->scale, &f->held_out_ece));
    return lm_held_out_loss(f->ctx, h, f->scale, &f->held_out_loss, &slope);
}

static lm_status
measure(lm_ngram_fit *f, bool with_vectors)
{
    const lm_design design = design_of(f, with_vectors);
    lm_held_out h = {
        .labels = f->labels.names.count, .y = f->labels.y, .rows = f->order + f->trained};
    size_t most = MOST_SCORES / h.labels + 1;
    lm_status status;

    f->held_out_accuracy = f->held_out_loss = f->held_out_ece = f->train_accuracy = NAN;
    f->scale = learner_of(f)->linear ? PLAIN_SCALE : 1;
    if (f->held_out == 0)
        return LM_OK;
    most = most < MOST_CALIBRATED ? most : MOST_CALIBRATED;
    h.count = f->held_out < most ? f->held_out : most;
    if (!(h.scores = lm_alloc_array(f->ctx, (h.count + 1) * h.labels, sizeof *h.scores)))
        return LM_NO_MEMORY;
    status = measure_scores(f, &design, &h);
    lm_free(f->ctx, h.scores);
    return status;
}

/* ---- Samples ---- */

size_t
lm_ngram_fit_rows(const lm_ngram_fit *fit, bool with_vectors)
{
    if (!fit->sample)
        return fit->labels.rows;
    return with_vectors ? fit->vector_rows : fit->plain_rows;
}

size_t
lm_ngram_fit_compared(const lm_ngram_fit *fit)
{
    return lm_ngram_fit_rows(fit, fit->vector_rows > 0);
}

lm_status
lm_ngram_fit_list(const lm_ngram_fit *fit, size_t **rows, int32_t **y)
{
    const size_t count = lm_ngram_fit_compared(fit);

    *rows = lm_alloc_array(fit->ctx, count, sizeof **rows);
    *y = *rows ? lm_alloc_array(fit->ctx, count, sizeof **y) : NULL;
    if (!*y)
        return LM_NO_MEMORY;
    lm_row_sample_list(fit->sample, 0, count, *rows);
    for (size_t i = 0; i < count; i++)
        (*y)[i] = fit->labels.y[(*rows)[i]];
    return LM_OK;
}

/* `split` (count) has places in `list`. Rows that are not compared are trained on. */
static void
order_sample(lm_ngram_fit *f, bool with_vectors, const size_t *list, const size_t *split,
             size_t trained)
{
    const size_t count = lm_ngram_fit_compared(f), all = lm_ngram_fit_rows(f, with_vectors);

    for (size_t i = 0; i < trained; i++)
        f->order[i] = list[split[i]];
    lm_row_sample_list(f->sample, count, all, f->order + trained);
    for (size_t i = trained; i < count; i++)
        f->order[all - count + i] = list[split[i]];
    f->trained = trained + all - count;
    f->held_out = count - trained;
}

static lm_status
split_sample(lm_ngram_fit *f, bool with_vectors, uint64_t seed)
{
    const size_t count = lm_ngram_fit_compared(f);
    size_t *split = lm_alloc_array(f->ctx, count, sizeof *split), *list = NULL, trained = 0;
    int32_t *y = NULL;
    lm_status status = split ? lm_ngram_fit_list(f, &list, &y) : LM_NO_MEMORY;

    if (status == LM_OK)
        status = lm_split_rows(f->ctx, y, count, f->labels.names.count, f->options.hold_out, seed,
                               split, &trained);
    if (status == LM_OK)
        order_sample(f, with_vectors, list, split, trained);
    lm_free(f->ctx, split);
    lm_free(f->ctx, list);
    lm_free(f->ctx, y);
    return status;
}

static lm_status
split_rows(lm_ngram_fit *f, bool with_vectors, uint64_t seed)
{
    if (f->sample)
        return split_sample(f, with_vectors, seed);
    LM_TRY(lm_split_rows(f->ctx, f->labels.y, f->labels.rows, f->labels.names.count,
                         f->options.hold_out, seed, f->order, &f->trained));
    f->held_out = f->labels.rows - f->trained;
    return LM_OK;
}

lm_status
lm_ngram_fit_try(lm_ngram_fit *fit, bool with_vectors, uint64_t seed)
{
    LM_TRY(split_rows(fit, with_vectors, seed));
    LM_TRY(fit_rows(fit, with_vectors, fit->trained));
    return measure(fit, with_vectors);
}

lm_status
lm_ngram_fit_all(lm_ngram_fit *fit, bool with_vectors)
{
    const size_t count = lm_ngram_fit_rows(fit, with_vectors);

    if (fit->sample)
        lm_row_sample_list(fit->sample, 0, count, fit->order);
    return fit_rows(fit, with_vectors, count);
}

/* ---- Outcome ---- */

static void
scale_all(float *numbers, size_t count, double scale)
{
    for (size_t i = 0; i < count; i++)
        numbers[i] = (float)(numbers[i] * scale);
}

static void
scale_model(lm_ngram_fit *f, bool with_vectors)
{
    lm_linear_model *m = &f->model;

    scale_all(m->weight, f->set->tfidf.count * m->labels, f->scale);
    scale_all(m->bias, m->labels, f->scale);
    if (with_vectors)
        scale_all(m->dense, f->width * m->labels, f->scale);
}

static lm_status
write_files(lm_ngram_fit *f, bool with_vectors, lm_arena *arena, lm_train_outcome *outcome)
{
    lm_ngram_head_parts parts = {.tfidf = &f->set->tfidf,
                                 .label_count = (int)f->labels.names.count,
                                 .width = with_vectors ? (int)f->width : 0,
                                 .weight = f->model.weight,
                                 .bias = f->model.bias,
                                 .dense = f->model.dense};

    LM_TRY(lm_train_labels_names(&f->labels, arena, &parts.labels));
    lm_outcome_open_files(f->ctx, outcome, LM_NGRAM_HEAD_JSON, LM_NGRAM_HEAD_TENSORS);
    return lm_ngram_head_write(f->ctx, &parts, &outcome->files[0].bytes, &outcome->files[1].bytes);
}

static void
summarize(const lm_ngram_fit *f, char *line, size_t size)
{
    if (f->held_out == 0)
        snprintf(line, size, "with %u labels and %u n-grams: no row was held out to measure it",
                 f->labels.names.count, f->set->tfidf.count);
    else
        snprintf(line, size, "with %u labels and %u n-grams: accuracy %.4f on %zu held-out row%s",
                 f->labels.names.count, f->set->tfidf.count, f->held_out_accuracy, f->held_out,
                 f->held_out == 1 ? "" : "s");
}

lm_status
lm_ngram_fit_write(lm_ngram_fit *fit, bool with_vectors, lm_train_outcome *outcome)
{
    lm_arena arena;
    lm_status status;

    scale_model(fit, with_vectors);
    lm_arena_init(&arena, fit->ctx);
    status = write_files(fit, with_vectors, &arena, outcome);
    lm_arena_free(&arena);
    lm_outcome_add(outcome, "labels", fit->labels.names.count);
    lm_outcome_add(outcome, "features", fit->set->tfidf.count);
    lm_outcome_add(outcome, "held_out", (double)fit->held_out);
    lm_outcome_add(outcome, "held_out_accuracy", fit->held_out_accuracy);
    lm_outcome_add(outcome, "held_out_loss", fit->held_out_loss);
    lm_outcome_add(outcome, "held_out_ece", fit->held_out_ece);
    lm_outcome_add(outcome, "train_accuracy", fit->train_accuracy);
    lm_outcome_add(outcome, "objective", fit->objective);
    lm_outcome_add(outcome, learner_of(fit)->linear ? "c" : "alpha",
                   learner_of(fit)->linear ? fit->options.c : fit->options.alpha);
    lm_outcome_add(outcome, "scale", fit->scale);
    lm_outcome_add(outcome, "seed", (double)fit->options.seed);
    lm_outcome_add_bool(outcome, "refit", fit->options.refit);
    summarize(fit, outcome->summary, sizeof outcome->summary);
    return status;
}
