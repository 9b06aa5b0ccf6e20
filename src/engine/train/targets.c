/*
 * targets.c - linear models of targets that are no single label.
 *
 * A task says how many numbers a row has, and what each is fitted to (glm.h): a set of labels one
 * for each label, the others one. Each number is fitted for itself: to the rows that are not held
 * out, with weaker and weaker penalties while the held-out loss clearly falls; then to all. The
 * dense rows are centred and scaled where they lie, which the free intercept undoes.
 */
#include "train/targets.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/sort.h"
#include "features/spec.h"
#include "format/json.h"
#include "lang/ngram_head.h"
#include "model/labels.h"
#include "train/glm.h"
#include "train/outcome.h"
#include "train/split.h"
#include "train/target_measures.h"

#define POLL_EVERY 4096 /* rows */
#define INNER_SPREAD 10 /* as in softmax.c */
#define HELD_OUT_MARGIN 0.02
#define LEAST_POSITIVE 3 /* held-out rows with a label, for a threshold of its own */
#define MOST_SCORES ((size_t)1 << 26)

static const double strengths[] = {1, 10, 100, 1000};
#define STRENGTHS (sizeof strengths / sizeof strengths[0])
#define PLAIN_STRENGTH 10

typedef struct targets_options {
    lm_tfidf_spec features;
    double l2, hold_out, weight;
    int64_t max_steps, seed;
    char *thresholds, *levels;
    bool refit;
} targets_options;

struct task;

typedef struct targets {
    lm_context *ctx;
    const struct task *task;
    targets_options options;
    bool ngrams;
    lm_tfidf tfidf;
    lm_train_vectors vectors;
    lm_train_labels labels; /* of sets one behind the other, or of rows */
    size_t *ends;           /* (rows): of sets, behind the last label */
    double *numbers;        /* (rows): of regression */
    size_t rows, room;
    float *mean;              /* (width): of vectors */
    double spread, scale;     /* of vectors, inside */
    double centre, deviation; /* of numbers */
    size_t *order;            /* (rows): rows trained on, then rows held out */
    size_t trained, held_out;
    int outputs;      /* numbers of a row */
    float *target;    /* (rows): of the number under way */
    float *scores;    /* (held_out, outputs) */
    double *x, *best; /* variables */
    lm_linear_model model;
    double l2; /* of the last number */
    int steps;
    lm_target_measures measures;
} targets;

/* What a task has of its own. */
typedef struct task {
    lm_glm_loss loss;
    lm_scoring scoring;
    lm_status (*add)(targets *t, const lm_train_rows *rows);
    const char *(*lacking)(const targets *t, const char **hint);
    /* How many outputs; labels are numbered. */
    lm_status (*number)(targets *t);
    void (*set_target)(targets *t, int output);
    /* What the fitted variables say, in column(s) of the model. */
    void (*store)(targets *t, const lm_glm_problem *problem, int output);
    lm_status (*measure)(targets *t, const lm_glm_problem *problem);
} task;

/* ---- Options ---- */

static void
targets_defaults(void *options)
{
    targets_options *o = options;

    *o = (targets_options){.l2 = -1,
                           .hold_out = 0.1,
                           .weight = 0.5,
                           .max_steps = 500,
                           .seed = 42,
                           .thresholds = "f1",
                           .refit = true};
    lm_tfidf_spec_defaults(&o->features);
    o->features.ngram_max = 2;
    o->features.sublinear = true;
}

static lm_status
check_thresholds(targets *t)
{
    const char *found = t->options.thresholds;

    if (strcmp(found, "f1") == 0 || strcmp(found, "none") == 0)
        return LM_OK;
    lm_raise(t->ctx, LM_BAD_ARGUMENT, "a value of an option is not valid");
    lm_detail_key(t->ctx, "thresholds");
    lm_detail_found(t->ctx, "%s", found);
    return lm_detail_allowed(t->ctx, "f1, none");
}

static lm_status
open_targets(lm_context *ctx, const void *options, size_t width, const task *kind, bool ngrams,
             void **training)
{
    targets *t = lm_alloc_zero(ctx, sizeof *t);
    lm_tfidf_options features;
    lm_status status;

    *training = t;
    if (!t)
        return LM_NO_MEMORY;
    t->ctx = ctx;
    t->task = kind;
    t->options = *(const targets_options *)options;
    t->ngrams = ngrams;
    t->vectors.width = width;
    t->deviation = t->scale = 1;
    lm_tfidf_defaults(&features);
    status = check_thresholds(t);
    if (status == LM_OK)
        status = lm_tfidf_spec_read(ctx, &t->options.features, &features);
    lm_tfidf_init(&t->tfidf, ctx, &features);
    lm_train_labels_init(&t->labels, ctx);
    return status;
}

static void
targets_close(void *training)
{
    targets *t = training;

    if (!t)
        return;
    lm_tfidf_free(&t->tfidf);
    lm_train_labels_free(&t->labels);
    lm_linear_model_free(t->ctx, &t->model);
    lm_free(t->ctx, t->vectors.values);
    lm_free(t->ctx, t->ends);
    lm_free(t->ctx, t->numbers);
    lm_free(t->ctx, t->mean);
    lm_free(t->ctx, t->order);
    lm_free(t->ctx, t->target);
    lm_free(t->ctx, t->scores);
    lm_free(t->ctx, t->x);
    lm_free(t->ctx, t->best);
    lm_free(t->ctx, t);
}

/* ---- Rows ---- */

static lm_status
make_room(targets *t, size_t more)
{
    const size_t need = t->rows + more, room = lm_grown_room(t->room, need);
    size_t *ends;
    double *numbers;

    if (need <= t->room)
        return LM_OK;
    if (!(ends = lm_keep(t->ctx, t->ends, room * sizeof *ends)))
        return LM_NO_MEMORY;
    t->ends = ends;
    if (!(numbers = lm_keep(t->ctx, t->numbers, room * sizeof *numbers)))
        return LM_NO_MEMORY;
    t->numbers = numbers;
    t->room = room;
    return LM_OK;
}

static lm_status
targets_add_rows(void *training, const lm_train_rows *rows)
{
    targets *t = training;

    if (rows->count == 0)
        return LM_OK;
    LM_TRY(make_room(t, rows->count));
    if (t->vectors.width > 0)
        LM_TRY(lm_train_vectors_add(t->ctx, &t->vectors, rows->vectors, rows->count));
    for (size_t i = 0; i < rows->count && t->ngrams; i++)
        LM_TRY(lm_tfidf_add(&t->tfidf, rows->texts[0][i]));
    LM_TRY(t->task->add(t, rows));
    t->rows += rows->count;
    return LM_OK;
}

static const char *
targets_lacking(const void *training, const char **hint)
{
    const targets *t = training;

    return t->task->lacking(t, hint);
}

/* ---- Sets of labels ---- */

static lm_status
add_sets(targets *t, const lm_train_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        const lm_train_words *set = &rows->words[1][i];

        LM_TRY(lm_train_labels_add(&t->labels, set->words, set->count));
        t->ends[t->rows + i] = t->labels.rows;
    }
    return LM_OK;
}

static const char *
sets_lacking(const targets *t, const char **hint)
{
    if (t->labels.names.count > 0)
        return NULL;
    *hint = "At least one row must have a label.";
    return "returned no label";
}

static lm_status
number_sets(targets *t)
{
    t->outputs = (int)t->labels.names.count;
    return lm_train_labels_sort(&t->labels);
}

static void
mark_set(targets *t, int label)
{
    size_t at = 0;

    for (size_t i = 0; i < t->rows; i++) {
        t->target[i] = 0;
        for (; at < t->ends[i]; at++)
            if (t->labels.y[at] == label)
                t->target[i] = 1;
    }
}

/* ---- Numbers ---- */

static lm_status
add_numbers(targets *t, const lm_train_rows *rows)
{
    memcpy(t->numbers + t->rows, rows->numbers[1], rows->count * sizeof *t->numbers);
    return LM_OK;
}

static const char *
numbers_lacking(const targets *t, const char **hint)
{
    for (size_t i = 1; i < t->rows; i++)
        if (t->numbers[i] != t->numbers[0])
            return NULL;
    *hint = "Nothing can be learnt of numbers that are all equal.";
    return "returned only one number";
}

/* Inside, numbers have mean 0 and deviation 1: no number is too large for the optimizer. */
static lm_status
number_numbers(targets *t)
{
    static const lm_text name = {"value", 5};
    double sum = 0, square = 0;

    t->outputs = 1;
    for (size_t i = 0; i < t->rows; i++)
        sum += t->numbers[i] / (double)t->rows;
    for (size_t i = 0; i < t->rows; i++)
        square += (t->numbers[i] - sum) * (t->numbers[i] - sum) / (double)t->rows;
    t->centre = sum;
    t->deviation = sqrt(square);
    if (!(t->deviation > 0 && t->deviation < 1e30 && fabs(sum) < 1e30))
        return lm_raise(t->ctx, LM_BAD_ARGUMENT, "the numbers are too large or too much alike");
    LM_TRY(lm_train_labels_add(&t->labels, &name, 1));
    return lm_train_labels_sort(&t->labels);
}

static void
set_number(targets *t, int output)
{
    for (size_t i = 0; i < t->rows; i++)
        t->target[i] = (float)((t->numbers[i] - t->centre) / t->deviation);
}

/* ---- Levels ---- */

static lm_status
add_levels(targets *t, const lm_train_rows *rows)
{
    return lm_train_labels_add(&t->labels, rows->texts[1], rows->count);
}

static const char *
levels_lacking(const targets *t, const char **hint)
{
    if (t->labels.names.count > 1)
        return NULL;
    *hint = "An order needs at least two labels.";
    return "returned only one label";
}

typedef struct level {
    double place;
    uint32_t number; /* of the label */
} level;

static int
compare_levels(const void *a, const void *b)
{
    const level *x = a, *y = b;

    return (x->place > y->place) - (x->place < y->place);
}

static lm_status
refuse_levels(targets *t, const char *message)
{
    lm_raise(t->ctx, LM_BAD_ARGUMENT, "%s", message);
    lm_detail_key(t->ctx, "levels");
    return lm_detail_hint(t->ctx,
                          "Give the option levels all labels, lowest first, each once; labels "
                          "that are numbers need none.");
}

/* Where a label stands in the option, or which number it is. */
static lm_status
place_of(targets *t, const lm_json *levels, const char *name, size_t length, double *place)
{
    char copy[64], *end = copy;

    *place = 0;
    if (!levels) {
        snprintf(copy, sizeof copy, "%.*s", (int)(length < 60 ? length : 60), name);
        *place = strtod(copy, &end);
        return length > 0 && *end == '\0' && isfinite(*place)
                   ? LM_OK
                   : refuse_levels(t, "the order of the labels is not known");
    }
    for (const lm_json *one = levels->as.items.first; one; one = one->next, ++*place)
        if (one->type == LM_JSON_STRING && one->as.string.length == length &&
            memcmp(one->as.string.bytes, name, length) == 0)
            return LM_OK;
    return refuse_levels(t, "a label of the query is not among the levels");
}

static lm_status
place_levels(targets *t, const lm_json *levels, level *list)
{
    for (uint32_t i = 0; i < t->labels.names.count; i++) {
        size_t length;
        const char *name = lm_intern_bytes(&t->labels.names, i, &length);

        list[i].number = i;
        LM_TRY(place_of(t, levels, name, length, &list[i].place));
    }
    if (levels && levels->as.items.count != t->labels.names.count)
        return refuse_levels(t, "a level has no row, or stands there twice");
    return lm_sort(t->ctx, list, t->labels.names.count, sizeof *list, compare_levels);
}

/* Labels get the numbers of their order, as lm_train_labels_sort gives them those of their bytes.
 */
static lm_status
order_levels(targets *t, lm_arena *arena)
{
    const uint32_t count = t->labels.names.count;
    const lm_json *levels = NULL;
    level *list = lm_arena_array(arena, count, sizeof *list);
    uint32_t *rank = lm_arena_array(arena, count, sizeof *rank);

    if (!list || !rank)
        return LM_NO_MEMORY;
    if (t->options.levels) {
        LM_TRY(lm_json_parse(t->ctx, arena, t->options.levels, strlen(t->options.levels), "levels",
                             &levels));
        if (levels->type != LM_JSON_ARRAY)
            return refuse_levels(t, "the levels must be an array of strings");
    }
    LM_TRY(place_levels(t, levels, list));
    LM_TRY(lm_train_labels_sort(&t->labels));
    for (uint32_t i = 0; i < count; i++)
        rank[list[i].number] = i;
    for (size_t i = 0; i < t->labels.rows; i++)
        t->labels.y[i] = (int32_t)rank[t->labels.order[t->labels.y[i]]];
    for (uint32_t i = 0; i < count; i++)
        t->labels.order[i] = list[i].number;
    return LM_OK;
}

static lm_status
number_levels(targets *t)
{
    lm_arena arena;
    lm_status status;

    t->outputs = 1;
    lm_arena_init(&arena, t->ctx);
    status = order_levels(t, &arena);
    lm_arena_free(&arena);
    return status;
}

static void
set_level(targets *t, int output)
{
    for (size_t i = 0; i < t->rows; i++)
        t->target[i] = (float)t->labels.y[i];
}

/* ---- Getting ready ---- */

/* Vectors less their mean, in place, and the scale that brings them to the inner spread. */
static lm_status
centre_vectors(targets *t)
{
    const size_t width = t->vectors.width, rows = t->rows;
    double square = 0, spread = 0;

    if (!(t->mean = lm_alloc_array(t->ctx, width, sizeof *t->mean)))
        return LM_NO_MEMORY;
    for (size_t j = 0; j < width; j++) {
        double sum = 0;

        LM_TRY(lm_poll(t->ctx));
        for (size_t i = 0; i < rows; i++)
            sum += t->vectors.values[i * width + j];
        t->mean[j] = (float)(sum / (double)rows);
        if (!(fabs(sum) < 1e15))
            return lm_raise(t->ctx, LM_BAD_ARGUMENT, "the vectors cannot be trained on");
    }
    for (size_t i = 0; i < rows * width; i++) {
        const double value = t->vectors.values[i];

        if (i % (POLL_EVERY * width) == 0)
            LM_TRY(lm_poll(t->ctx));
        square += value * value;
        t->vectors.values[i] -= t->mean[i % width];
        spread += (double)t->vectors.values[i] * t->vectors.values[i];
    }
    t->spread = spread <= 1e-12 * square ? 1 : spread / (double)rows;
    t->scale = t->ngrams ? t->options.weight : sqrt(INNER_SPREAD / t->spread);
    return LM_OK;
}

static lm_design
design_of(const targets *t)
{
    return (lm_design){.sparse = t->ngrams ? &t->tfidf.rows : NULL,
                       .features = t->ngrams ? t->tfidf.count : 0,
                       .dense = t->vectors.values,
                       .width = t->vectors.width,
                       .scale = t->scale};
}

/* Levels are spread over both parts; else any rows. */
static lm_status
split(targets *t)
{
    const bool ordered = t->task->loss == LM_GLM_CUMULATIVE;
    int32_t *none = ordered ? NULL : lm_alloc_zero(t->ctx, t->rows * sizeof *none);
    lm_status status = LM_NO_MEMORY;

    t->order = lm_alloc_array(t->ctx, t->rows, sizeof *t->order);
    if (t->order && (ordered || none))
        status = lm_split_rows(t->ctx, ordered ? t->labels.y : none, t->rows,
                               ordered ? t->labels.names.count : 1, t->options.hold_out,
                               (uint64_t)t->options.seed, t->order, &t->trained);
    t->held_out = t->rows - t->trained;
    lm_free(t->ctx, none);
    return status;
}

static lm_status
check_size(const targets *t)
{
    const size_t columns = lm_ngram_head_padded(t->labels.names.count);
    const size_t most = LM_NGRAM_HEAD_WEIGHTS_MAX / columns;

    if (t->labels.names.count <= LM_NGRAM_HEAD_LABELS_MAX && t->tfidf.count <= most &&
        t->vectors.width <= most && t->held_out <= MOST_SCORES / (size_t)t->outputs)
        return LM_OK;
    lm_raise(t->ctx, LM_TOO_LARGE, "the classifier would have too many weights");
    lm_detail_found(t->ctx, "%" PRIu32 " features of %" PRIu32 " labels", t->tfidf.count,
                    t->labels.names.count);
    return lm_detail_hint(t->ctx, "Lower max_features or hold_out, or raise min_df.");
}

static lm_status
get_ready(targets *t)
{
    lm_design design;
    size_t variables;

    LM_TRY(t->task->number(t));
    if (t->ngrams)
        LM_TRY(lm_tfidf_finish(&t->tfidf));
    t->spread = 1;
    if (t->vectors.width > 0)
        LM_TRY(centre_vectors(t));
    LM_TRY(split(t));
    LM_TRY(check_size(t));
    design = design_of(t);
    variables = design.features + design.width + t->labels.names.count;
    t->target = lm_alloc_array(t->ctx, t->rows, sizeof *t->target);
    t->x = lm_alloc_array(t->ctx, variables, sizeof *t->x);
    t->best = lm_alloc_array(t->ctx, variables, sizeof *t->best);
    t->scores = lm_alloc_array(t->ctx, t->held_out * (size_t)t->outputs + 1, sizeof *t->scores);
    if (!t->target || !t->x || !t->best || !t->scores)
        return LM_NO_MEMORY;
    return lm_linear_model_open(t->ctx, &design, t->labels.names.count, &t->model);
}

/* ---- Fitting ---- */

/* Weights inside bear what those of the rows as they are would. */
static double
inner_l2(const targets *t, double l2)
{
    return t->ngrams ? l2 : l2 * t->scale * t->scale;
}

static lm_status
held_out_loss(targets *t, const lm_glm_problem *problem, double *loss)
{
    *loss = 0;
    for (size_t i = t->trained; i < t->rows; i++) {
        const size_t row = t->order[i];

        if (i % 256 == 0)
            LM_TRY(lm_poll(t->ctx));
        *loss += lm_glm_loss_of(problem, t->x, row, lm_glm_number(problem, t->x, row)) /
                 (double)t->held_out;
    }
    return LM_OK;
}

/* The penalty for which the held-out loss is least, strong to weak; `best` holds the fit. */
static lm_status
choose_penalty(targets *t, lm_glm_problem *problem)
{
    const bool grid = t->options.l2 < 0 && t->held_out > 0;
    double least = INFINITY, loss;

    for (size_t i = 0; i < (grid ? STRENGTHS : 1); i++) {
        const double strength = grid ? strengths[i] : PLAIN_STRENGTH;
        const double spread = t->ngrams ? 1 : t->spread;
        const double l2 =
            t->options.l2 >= 0 ? t->options.l2 : 1 / (strength * (double)t->trained * spread);

        problem->l2 = inner_l2(t, l2);
        problem->coarse = grid;
        LM_TRY(lm_glm_fit(t->ctx, problem, t->order, t->trained, t->x, &t->steps));
        LM_TRY(held_out_loss(t, problem, &loss));
        if (i > 0 && !(loss < least * (1 - HELD_OUT_MARGIN)))
            break;
        least = loss;
        t->l2 = l2;
        memcpy(t->best, t->x, lm_glm_variables(problem) * sizeof *t->x);
    }
    problem->l2 = inner_l2(t, t->l2);
    memcpy(t->x, t->best, lm_glm_variables(problem) * sizeof *t->x);
    return LM_OK;
}

/* Of a score and whether the row has the label. */
typedef struct mark {
    float score;
    bool has;
} mark;

static int
compare_marks(const void *a, const void *b)
{
    const mark *x = a, *y = b;

    return (x->score < y->score) - (x->score > y->score);
}

/* Half way between the two scores that part the rows with the highest F1. */
static double
best_cut(const mark *marks, size_t count, size_t positive)
{
    double best = -1, cut = 0;
    size_t right = 0;

    for (size_t i = 0; i < count; i++) {
        double f1;

        right += marks[i].has;
        f1 = 2 * (double)right / (double)(i + 1 + positive);
        if (f1 > best && (i + 1 == count || marks[i + 1].score < marks[i].score)) {
            best = f1;
            cut = i + 1 < count ? (marks[i].score + marks[i + 1].score) / 2 : marks[i].score - 1;
        }
    }
    return cut;
}

/* What a label's scores are lowered by, so that 0 is where it begins. */
static lm_status
choose_threshold(targets *t, int output, double *threshold)
{
    mark *marks = lm_alloc_array(t->ctx, t->held_out + 1, sizeof *marks);
    size_t positive = 0;
    lm_status status = marks ? LM_OK : LM_NO_MEMORY;

    *threshold = 0;
    for (size_t i = 0; status == LM_OK && i < t->held_out; i++) {
        const bool has = t->target[t->order[t->trained + i]] > 0;

        marks[i] = (mark){t->scores[i * (size_t)t->outputs + (size_t)output], has};
        positive += has;
    }
    if (status == LM_OK && positive >= LEAST_POSITIVE) {
        status = lm_sort(t->ctx, marks, t->held_out, sizeof *marks, compare_marks);
        if (status == LM_OK)
            *threshold = best_cut(marks, t->held_out, positive);
    }
    lm_free(t->ctx, marks);
    return status;
}

static lm_status
score_held_out(targets *t, const lm_glm_problem *problem, int output)
{
    for (size_t i = 0; i < t->held_out; i++) {
        if (i % 256 == 0)
            LM_TRY(lm_poll(t->ctx));
        t->scores[i * (size_t)t->outputs + (size_t)output] =
            (float)lm_glm_number(problem, t->x, t->order[t->trained + i]);
    }
    return LM_OK;
}

static lm_status
fit_output(targets *t, lm_glm_problem *problem, int output)
{
    double threshold = 0;

    t->task->set_target(t, output);
    memset(t->x, 0, lm_glm_variables(problem) * sizeof *t->x);
    LM_TRY(choose_penalty(t, problem));
    LM_TRY(score_held_out(t, problem, output));
    if (t->task->loss == LM_GLM_LOGISTIC && strcmp(t->options.thresholds, "f1") == 0)
        LM_TRY(choose_threshold(t, output, &threshold));
    LM_TRY(t->task->measure(t, problem));
    problem->coarse = false;
    if (t->options.refit || t->held_out == 0)
        LM_TRY(lm_glm_fit(t->ctx, problem, t->order, t->rows, t->x, &t->steps));
    for (size_t i = 0; i < t->held_out; i++)
        t->scores[i * (size_t)t->outputs + (size_t)output] -= (float)threshold;
    t->task->store(t, problem, output);
    t->model.bias[output] -= (float)threshold;
    return LM_OK;
}

static lm_status
targets_fit(void *training, const lm_train_watch *watch)
{
    targets *t = training;
    lm_design design;
    lm_glm_problem problem;

    LM_TRY(get_ready(t));
    lm_target_measures_init(&t->measures);
    design = design_of(t);
    problem = (lm_glm_problem){.design = &design,
                               .target = t->target,
                               .loss = t->task->loss,
                               .levels = (int)t->labels.names.count,
                               .max_steps = (int)t->options.max_steps};
    for (int i = 0; i < t->outputs; i++) {
        LM_TRY(fit_output(t, &problem, i));
        watch->report(watch->opaque, &(lm_train_progress){.step = i + 1, .steps = t->outputs});
    }
    if (t->task->loss == LM_GLM_LOGISTIC && t->held_out > 0)
        return lm_measure_sets(t->ctx,
                               &(lm_target_sets){.scores = t->scores,
                                                 .rows = t->order + t->trained,
                                                 .count = t->held_out,
                                                 .labels = (size_t)t->outputs,
                                                 .ends = t->ends,
                                                 .y = t->labels.y},
                               &t->measures);
    return LM_OK;
}

/* ---- What was fitted ---- */

/* Weights times a factor into a column of the model; *shift receives what the mean takes off. */
static void
store_weights(targets *t, double factor, int column, double *shift)
{
    const lm_design d = design_of(t);
    const double *dense = t->x + d.features;
    const size_t labels = t->model.labels;

    *shift = 0;
    for (size_t i = 0; i < d.features; i++)
        t->model.weight[i * labels + (size_t)column] = (float)(factor * t->x[i]);
    for (size_t j = 0; j < d.width; j++) {
        const double weight = factor * t->scale * dense[j];

        t->model.dense[(size_t)column * d.width + j] = (float)weight;
        *shift += weight * t->mean[j];
    }
}

static void
store_plain(targets *t, const lm_glm_problem *problem, int output)
{
    const double intercept = t->x[lm_glm_variables(problem) - 1];
    double shift;

    store_weights(t, t->deviation, output, &shift);
    t->model.bias[output] = (float)(t->deviation * intercept + t->centre - shift);
}

/* The last label's number counts for nothing. */
static void
store_levels(targets *t, const lm_glm_problem *problem, int output)
{
    double *thetas = t->best; /* no longer needed, and longer */
    double shift;

    lm_glm_thresholds(problem, t->x, thetas);
    for (int i = 0; i < problem->levels - 1; i++) {
        store_weights(t, -1, i, &shift);
        t->model.bias[i] = (float)(thetas[i] - shift);
    }
}

static lm_status
measure_nothing(targets *t, const lm_glm_problem *problem)
{
    return LM_OK;
}

static lm_status
measure_numbers(targets *t, const lm_glm_problem *problem)
{
    for (size_t i = 0; i < t->held_out; i++)
        lm_measure_number(&t->measures, t->numbers[t->order[t->trained + i]],
                          t->centre + t->deviation * (double)t->scores[i]);
    return LM_OK;
}

/* The level of a row is the one with the greatest share. */
static lm_status
measure_levels(targets *t, const lm_glm_problem *problem)
{
    double *thetas = t->best;
    lm_status status = LM_OK;

    lm_glm_thresholds(problem, t->x, thetas);
    for (size_t i = 0; i < t->held_out && status == LM_OK; i++)
        status =
            lm_measure_level(t->ctx, &t->measures, t->labels.y[t->order[t->trained + i]],
                             lm_best_level(thetas, problem->levels, t->scores[i]), problem->levels);
    return status;
}

static const task sets = {LM_GLM_LOGISTIC, LM_SCORING_SIGMOID, add_sets,    sets_lacking,
                          number_sets,     mark_set,           store_plain, measure_nothing};
static const task numbers = {LM_GLM_SQUARED, LM_SCORING_RAW, add_numbers, numbers_lacking,
                             number_numbers, set_number,     store_plain, measure_numbers};
static const task levels = {LM_GLM_CUMULATIVE, LM_SCORING_CUMULATIVE, add_levels,
                            levels_lacking,    number_levels,         set_level,
                            store_levels,      measure_levels};

/* ---- Outcome ---- */

static lm_status
write_ngrams(targets *t, lm_train_outcome *outcome)
{
    lm_ngram_head_parts parts = {.tfidf = &t->tfidf,
                                 .label_count = (int)t->labels.names.count,
                                 .width = (int)t->vectors.width,
                                 .weight = t->model.weight,
                                 .bias = t->model.bias,
                                 .dense = t->model.dense,
                                 .scoring = lm_scoring_name(t->task->scoring)};
    lm_arena arena;
    lm_status status;

    lm_outcome_open_files(t->ctx, outcome, LM_NGRAM_HEAD_JSON, LM_NGRAM_HEAD_TENSORS);
    lm_arena_init(&arena, t->ctx);
    status = lm_train_labels_names(&t->labels, &arena, &parts.labels);
    if (status == LM_OK)
        status =
            lm_ngram_head_write(t->ctx, &parts, &outcome->files[0].bytes, &outcome->files[1].bytes);
    lm_arena_free(&arena);
    return status;
}

static lm_status
write_head(targets *t, lm_train_outcome *outcome)
{
    const lm_head head = {.labels = (int)t->labels.names.count,
                          .width = (int)t->vectors.width,
                          .weight = t->model.dense,
                          .bias = t->model.bias,
                          .scoring = t->task->scoring};

    return lm_outcome_write_head(t->ctx, &t->labels, &head, outcome);
}

static lm_status
targets_write(void *training, lm_train_outcome *outcome)
{
    targets *t = training;

    memset(outcome, 0, sizeof *outcome);
    if (t->task->loss != LM_GLM_SQUARED)
        lm_outcome_add(outcome, "labels", t->labels.names.count);
    if (t->ngrams)
        lm_outcome_add(outcome, "features", t->tfidf.count);
    lm_outcome_add(outcome, "held_out", (double)t->held_out);
    lm_target_measures_tell(&t->measures, t->held_out, outcome);
    lm_outcome_add(outcome, "l2", t->outputs == 1 || t->options.l2 >= 0 ? t->l2 : NAN);
    lm_outcome_add(outcome, "steps", t->steps);
    lm_outcome_add(outcome, "seed", (double)t->options.seed);
    lm_outcome_add_bool(outcome, "refit", t->options.refit);
    return t->ngrams ? write_ngrams(t, outcome) : write_head(t, outcome);
}

/* ---- Rows of the table ---- */

#define OPENER(name, kind, ngrams)                                                   \
    static lm_status open_##name(lm_context *ctx, const void *options, size_t width, \
                                 void **training)                                    \
    {                                                                                \
        return open_targets(ctx, options, width, &(kind), ngrams, training);         \
    }

OPENER(sets, sets, false)
OPENER(sets_of_ngrams, sets, true)
OPENER(numbers, numbers, false)
OPENER(numbers_of_ngrams, numbers, true)
OPENER(levels, levels, false)
OPENER(levels_of_ngrams, levels, true)

/* Those of a task, then those of all; those of n-grams behind them, weight last. */
#define COMMON                                                                                    \
    LM_OPTION(targets_options, l2, FLOAT, 0, 1e6, "a number from 0 to 1000000"),                  \
        LM_OPTION(targets_options, max_steps, INT, 1, 100000, "a whole number from 1 to 100000"), \
        LM_OPTION(targets_options, hold_out, FLOAT, 0, 0.5, "a number from 0 to 0.5"),            \
        LM_OPTION(targets_options, seed, INT, 0, LM_SEED_MAX,                                     \
                  "a whole number from 0 to 9007199254740991"),                                   \
        LM_OPTION(targets_options, refit, BOOL, 0, 0, "true or false"),                           \
        LM_TFIDF_OPTIONS(offsetof(targets_options, features)),                                    \
        LM_OPTION(targets_options, weight, FLOAT, 1e-3, 1e3, "a number from 0.001 to 1000")

static const lm_option set_options[] = {
    LM_OPTION(targets_options, thresholds, TEXT, 0, 0, "f1 or none"), COMMON};
static const lm_option number_options[] = {COMMON};
static const lm_option level_options[] = {
    LM_OPTION(targets_options, levels, JSON, 0, 0, "an array of strings"), COMMON};

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define COMMON_COUNT COUNT(number_options)
#define PLAIN_COUNT 5 /* of the common ones, without features */

#define COLUMNS(name, role, kind)                               \
    static const lm_train_column name[][2] = {                  \
        {{"text", LM_TRAIN_INPUT, false}, {role, kind, false}}, \
        {{"text", LM_TRAIN_TEXT, false}, {role, kind, false}},  \
        {{"text", LM_TRAIN_BOTH, false}, {role, kind, false}}}

COLUMNS(set_columns, "labels", LM_TRAIN_WORDS);
COLUMNS(number_columns, "number", LM_TRAIN_NUMBER);
COLUMNS(level_columns, "label", LM_TRAIN_LABEL);

#define METHOD(variable, kind, task_name, method, base, table, left_out, which, opener) \
    const lm_method variable = {.name = method,                                         \
                                .task = task_name,                                      \
                                .needs_base = base,                                     \
                                .columns = kind##_columns[which],                       \
                                .column_count = 2,                                      \
                                .options = table,                                       \
                                .option_count = COUNT(table) - (left_out),              \
                                .options_size = sizeof(targets_options),                \
                                .defaults = targets_defaults,                           \
                                .open = opener,                                         \
                                .add_rows = targets_add_rows,                           \
                                .lacking = targets_lacking,                             \
                                .fit = targets_fit,                                     \
                                .write = targets_write,                                 \
                                .close = targets_close}

#define METHODS(name, kind, task_name, opener)                                                   \
    METHOD(lm_method_##name##_linear, kind, task_name, "linear", true, kind##_options,           \
           COMMON_COUNT - PLAIN_COUNT, 0, open_##opener);                                        \
    METHOD(lm_method_##name##_ngram, kind, task_name, "ngram", false, kind##_options, 1, 1,      \
           open_##opener##_of_ngrams);                                                           \
    METHOD(lm_method_##name##_combined, kind, task_name, "combined", true, kind##_options, 0, 2, \
           open_##opener##_of_ngrams)

METHODS(multi, set, "multi_label", sets);
METHODS(regression, number, "regression", numbers);
METHODS(ordinal, level, "ordinal", levels);
