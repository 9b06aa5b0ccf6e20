/*
 * softmax.c - multinomial logistic regression by L-BFGS. See softmax.h.
 *
 * Rows are read in place through lists of row numbers (a split is a list, not a copy), block by
 * block; a block is centred and scaled on its way into the scratch, so that directions of the
 * vectors that all rows share do not slow the optimizer down. The bias carries no penalty, so
 * centring does not move the optimum; the penalty is rescaled, and weights and bias are turned back
 * at the end: callers never see the inner units.
 *
 * A block's two matrix products are float, sums over blocks and of losses are double. Blocks do
 * at most BLOCK_FLOPS of work between polls of cancel. All randomness is the split's.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "kernels/kernels.h"
#include "train/lbfgs.h"
#include "train/softmax.h"
#include "train/split.h"

#define BLOCK_FLOPS ((size_t)1 << 27)
#define BLOCK_ROWS 1024
#define MAX_STEPS 1000000
/* Square of any sum of products of larger numbers than this could overflow float. */
#define LARGEST_INPUT 1e15f
/* Weights of the inner problem may be multiplied by this at the end. */
#define LARGEST_SCALE 1e15
/* A spread below this part of the mean square is rounding: the vectors are constant. */
#define SMALLEST_SPREAD 1e-12
/*
 * Mean squared length of centred rows inside. The bias acts like a coordinate of length 1, the
 * strongest directions of text vectors hold about a tenth of the length: this makes them alike.
 */
#define INNER_SPREAD 10
#define GRADIENT_TOLERANCE 1e-5
#define VALUE_TOLERANCE 1e-6
/* Enough to tell one penalty from another, where a finer fit follows. */
#define CHOICE_TOLERANCE 1e-4
/* Held-out losses that differ by less than this part are alike: chance of the split. */
#define HELD_OUT_MARGIN 0.02

/*
 * Penalties to choose from, strong to weak, as the inverse strength C of scikit-learn for vectors
 * of unit spread: l2 = 1 / (C · rows · spread).
 */
static const double strengths[] = {0.3, 1, 3, 10, 30, 100, 300};
#define STRENGTH_COUNT (sizeof strengths / sizeof strengths[0])
/* What is used when no row can be held out to choose by. */
#define DEFAULT_STRENGTH 10

typedef struct row_list {
    const size_t *rows;
    size_t count;
} row_list;

/* The whole training run. */
typedef struct trainer {
    lm_context *ctx;
    const lm_softmax_options *options;
    const lm_kernels *kernels;
    const float *x;   /* (rows, width) */
    const int32_t *y; /* (rows) */
    size_t rows, width, labels;
    size_t parameters; /* labels · width weights, then labels biases */
    double spread;     /* mean squared distance from the mean */
    float *mean;       /* (width) */
    float scale;       /* of centred rows */
    size_t *order;     /* (rows): rows trained on, then rows held out */
    row_list train, held_out, all;
    size_t block_rows;
    float *block;          /* (block_rows, width) */
    float *scores;         /* (block_rows, labels) */
    float *weight;         /* (labels, width): the inner weights as float */
    float *block_gradient; /* (labels, width) */
    double *theta;         /* (parameters): of the fit that runs */
    double *start;         /* where that fit started */
    double *best;          /* where its held-out loss was least */
    double *chosen;        /* the best fit's end, or the refit's: what is returned */
    double *chosen_start;  /* where the chosen fit started */
    lm_softmax_progress report;
    void (*progress)(void *opaque, const lm_softmax_progress *);
    void *opaque;
} trainer;

/* What the held-out rows say of a fit after some step. */
typedef struct held_out_check {
    int step;
    double loss, accuracy;
} held_out_check;

/* One minimisation. */
typedef struct fit {
    trainer *t;
    row_list rows;
    double penalty; /* in inner units */
    bool watched;   /* held-out rows are checked after each step */
    bool stops;     /* and may end the fit */
    bool coarse;    /* only to compare penalties */
    double loss;    /* of the last evaluation, without the penalty */
    held_out_check last, best;
    int last_good; /* the last step whose held-out loss was near the best */
} fit;

/* The choice among fits on the split. */
typedef struct choice {
    double l2;
    held_out_check end;
    bool stopped; /* before it converged, after end.step steps */
} choice;

static lm_status check_arguments(const trainer *t);
static lm_status check_rows(const trainer *t);
static lm_status trainer_open(trainer *t);
static lm_status trainer_allocate(trainer *t, size_t weights);
static void trainer_close(trainer *t);
static lm_status measure_spread(trainer *t);
static lm_status split_rows(trainer *t);
static lm_status choose_penalty(trainer *t, choice *c);
static lm_status fit_all(trainer *t, const choice *c);
static lm_status run_fit(fit *f, int max_steps, choice *end);
static lm_status fit_evaluate(void *opaque, const double *theta, double *value, double *gradient);
static lm_status fit_stepped(void *opaque, int step, const double *theta, double value, bool *stop);
static lm_status check_held_out(fit *f, int step, const double *theta);
static lm_status pass(trainer *t, row_list rows, const double *theta, double *gradient,
                      double *loss, size_t *correct);
static void gather_block(trainer *t, row_list block);
static void score_block(trainer *t, row_list block, const double *bias);
static double loss_of_block(trainer *t, row_list block, size_t *correct);
static void add_block_gradient(trainer *t, row_list block, double *gradient);
static double inner_penalty(const trainer *t, double l2);
static lm_status take_result(trainer *t, const choice *c, lm_softmax_result *result);
static bool turn_back(const trainer *t, float *weight, float *bias);

void
lm_softmax_defaults(lm_softmax_options *options)
{
    options->l2 = -1;
    options->max_steps = 500;
    options->patience = 10;
    options->hold_out = 0.1;
    options->seed = 42;
    options->refit = true;
    options->label_weights = NULL;
}

lm_status
lm_softmax_train(lm_context *ctx, const float *x, const int32_t *y, size_t rows, size_t width,
                 int labels, const lm_softmax_options *options,
                 void (*progress)(void *opaque, const lm_softmax_progress *), void *opaque,
                 lm_softmax_result *result)
{
    trainer t = {.ctx = ctx,
                 .options = options,
                 .kernels = lm_kernels_active(),
                 .x = x,
                 .y = y,
                 .rows = rows,
                 .width = width,
                 .labels = labels > 0 ? (size_t)labels : 0,
                 .report = {.held_out_loss = NAN, .held_out_accuracy = NAN},
                 .progress = progress,
                 .opaque = opaque};
    choice c;
    lm_status status;

    memset(result, 0, sizeof *result);
    LM_TRY(check_arguments(&t));
    LM_TRY(check_rows(&t));
    status = trainer_open(&t);
    if (status == LM_OK)
        status = choose_penalty(&t, &c);
    if (status == LM_OK && options->refit && t.held_out.count > 0)
        status = fit_all(&t, &c);
    if (status == LM_OK)
        status = take_result(&t, &c, result);
    trainer_close(&t);
    return status;
}

/* What is wrong with the call itself, before anything is computed. */
static lm_status
check_arguments(const trainer *t)
{
    const lm_softmax_options *o = t->options;

    if (t->labels < 2)
        return lm_raise(t->ctx, LM_BAD_ARGUMENT, "a classifier needs at least two labels");
    if (t->rows == 0 || t->width == 0)
        return lm_raise(t->ctx, LM_BAD_ARGUMENT, "there are no rows to train on");
    if (!(o->hold_out >= 0 && o->hold_out <= 0.5)) {
        lm_raise(t->ctx, LM_BAD_ARGUMENT, "hold_out is out of range");
        lm_detail_found(t->ctx, "%g", o->hold_out);
        return lm_detail_allowed(t->ctx, "0 to 0.5");
    }
    if (o->max_steps < 1 || o->max_steps > MAX_STEPS || o->patience < 1) {
        lm_raise(t->ctx, LM_BAD_ARGUMENT, "max_steps or patience is out of range");
        return lm_detail_allowed(t->ctx, "max_steps from 1 to %d, patience of at least 1",
                                 MAX_STEPS);
    }
    if (isnan(o->l2) || o->l2 > 1e15)
        return lm_raise(t->ctx, LM_BAD_ARGUMENT, "l2 is out of range");
    return LM_OK;
}

/* A vector that is no number would spread to every weight. */
static lm_status
check_rows(const trainer *t)
{
    for (size_t i = 0; i < t->rows; i++) {
        const float *row = t->x + i * t->width;

        if (i % 4096 == 0)
            LM_TRY(lm_poll(t->ctx));
        if (t->y[i] < 0 || (size_t)t->y[i] >= t->labels)
            return lm_raise(t->ctx, LM_BAD_ARGUMENT, "label of row %zu is out of range", i);
        for (size_t j = 0; j < t->width; j++)
            if (!(fabsf(row[j]) <= LARGEST_INPUT)) {
                lm_raise(t->ctx, LM_BAD_ARGUMENT, "vector of row %zu cannot be trained on", i);
                lm_detail_found(t->ctx, "%g", (double)row[j]);
                return lm_detail_allowed(t->ctx, "numbers of magnitude up to %g",
                                         (double)LARGEST_INPUT);
            }
    }
    return LM_OK;
}

/* Size the blocks, allocate, measure, split: all that does not depend on a penalty. */
static lm_status
trainer_open(trainer *t)
{
    lm_context *ctx = t->ctx;
    size_t weights, flops;

    if (lm_mul_overflows(t->labels, t->width, &weights) ||
        lm_add_overflows(weights, t->labels, &t->parameters) ||
        lm_mul_overflows(weights, 2, &flops) || flops > BLOCK_FLOPS) {
        lm_raise(ctx, LM_TOO_LARGE, "too many labels for one classifier");
        lm_detail_found(ctx, "%zu labels of %zu dimensions", t->labels, t->width);
        return lm_detail_allowed(ctx, "%zu weights", BLOCK_FLOPS / 2);
    }
    t->block_rows = BLOCK_FLOPS / flops;
    if (t->block_rows > BLOCK_ROWS)
        t->block_rows = BLOCK_ROWS;
    LM_TRY(trainer_allocate(t, weights));
    LM_TRY(measure_spread(t));
    return split_rows(t);
}

/* All memory of a run but the optimizer's own; trainer_close frees what was had. */
static lm_status
trainer_allocate(trainer *t, size_t weights)
{
    lm_context *ctx = t->ctx;

    if (!(t->mean = lm_alloc_array(ctx, t->width, sizeof(float))) ||
        !(t->order = lm_alloc_array(ctx, t->rows, sizeof(size_t))) ||
        !(t->block = lm_alloc_array(ctx, t->block_rows * t->width, sizeof(float))) ||
        !(t->scores = lm_alloc_array(ctx, t->block_rows * t->labels, sizeof(float))) ||
        !(t->weight = lm_alloc_array(ctx, weights, sizeof(float))) ||
        !(t->block_gradient = lm_alloc_array(ctx, weights, sizeof(float))) ||
        !(t->theta = lm_alloc_array(ctx, t->parameters, sizeof(double))) ||
        !(t->start = lm_alloc_array(ctx, t->parameters, sizeof(double))) ||
        !(t->best = lm_alloc_array(ctx, t->parameters, sizeof(double))) ||
        !(t->chosen = lm_alloc_array(ctx, t->parameters, sizeof(double))) ||
        !(t->chosen_start = lm_alloc_array(ctx, t->parameters, sizeof(double))))
        return LM_NO_MEMORY;
    return LM_OK;
}

/* Also after a failure half way through trainer_open. */
static void
trainer_close(trainer *t)
{
    void *blocks[] = {t->mean,  t->order, t->block, t->scores, t->weight,      t->block_gradient,
                      t->theta, t->start, t->best,  t->chosen, t->chosen_start};

    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        lm_free(t->ctx, blocks[i]);
}

/* The mean vector, and the scale that brings centred rows to INNER_SPREAD. */
static lm_status
measure_spread(trainer *t)
{
    double *sums = t->theta; /* not in use yet; at least width long */
    double square = 0, spread = 0;

    memset(sums, 0, t->width * sizeof *sums);
    for (size_t i = 0; i < t->rows; i++) {
        if (i % 4096 == 0)
            LM_TRY(lm_poll(t->ctx));
        for (size_t j = 0; j < t->width; j++)
            sums[j] += t->x[i * t->width + j];
    }
    for (size_t j = 0; j < t->width; j++)
        t->mean[j] = (float)(sums[j] / (double)t->rows);
    for (size_t i = 0; i < t->rows; i++) {
        if (i % 4096 == 0)
            LM_TRY(lm_poll(t->ctx));
        for (size_t j = 0; j < t->width; j++) {
            double value = t->x[i * t->width + j], centred = value - t->mean[j];

            square += value * value;
            spread += centred * centred;
        }
    }
    t->spread = spread <= SMALLEST_SPREAD * square ? 1 : spread / (double)t->rows;
    t->scale = (float)fmin(sqrt(INNER_SPREAD / t->spread), LARGEST_SCALE);
    return LM_OK;
}

/* Rows to train on, then rows held out. */
static lm_status
split_rows(trainer *t)
{
    size_t trained;

    LM_TRY(lm_split_rows(t->ctx, t->y, t->rows, t->labels, t->options->hold_out, t->options->seed,
                         t->order, &trained));
    t->train = (row_list){t->order, trained};
    t->held_out = (row_list){t->order + trained, t->rows - trained};
    t->all = (row_list){t->order, t->rows};
    return LM_OK;
}

/*
 * Fit the rows that are not held out: with the penalty that is given, or with weaker and weaker
 * ones, each from where the last one ended, while the held-out loss clearly falls. On that way each
 * runs until it converges: a loss that rises first is how a warm start begins.
 */
static lm_status
choose_penalty(trainer *t, choice *c)
{
    bool grid = t->options->l2 < 0 && t->held_out.count > 0;
    size_t fits = grid ? STRENGTH_COUNT : 1;

    t->report.max_steps = t->options->max_steps * (int)(fits + (t->options->refit ? 1 : 0));
    memset(t->theta, 0, t->parameters * sizeof *t->theta);
    for (size_t i = 0; i < fits; i++) {
        double strength = grid ? strengths[i] : DEFAULT_STRENGTH;
        choice end = {.l2 = t->options->l2};
        fit f = {.t = t,
                 .rows = t->train,
                 .watched = t->held_out.count > 0,
                 .stops = !grid,
                 .coarse = grid && t->options->refit};

        if (end.l2 < 0)
            end.l2 = 1 / (strength * (double)t->train.count * t->spread);
        f.penalty = inner_penalty(t, end.l2);
        memcpy(t->start, t->theta, t->parameters * sizeof *t->start);
        LM_TRY(run_fit(&f, t->options->max_steps, &end));
        if (i > 0 && !(end.end.loss < c->end.loss * (1 - HELD_OUT_MARGIN)))
            break;
        *c = end;
        memcpy(t->chosen, t->theta, t->parameters * sizeof *t->chosen);
        memcpy(t->chosen_start, t->start, t->parameters * sizeof *t->chosen_start);
    }
    return LM_OK;
}

/*
 * The chosen fit on all rows: on from its end where it converged; where it was stopped, again from
 * its start, for as many steps as were good.
 */
static lm_status
fit_all(trainer *t, const choice *c)
{
    fit f = {.t = t, .rows = t->all, .penalty = inner_penalty(t, c->l2)};
    choice end;

    memcpy(t->theta, c->stopped ? t->chosen_start : t->chosen, t->parameters * sizeof *t->theta);
    LM_TRY(run_fit(&f, c->stopped ? c->end.step : t->options->max_steps, &end));
    memcpy(t->chosen, t->theta, t->parameters * sizeof *t->chosen);
    return LM_OK;
}

/*
 * Minimise from theta. The end is where the optimizer converged, or, when the held-out loss made
 * it stop, where that loss was least; theta holds it, and *end says what it was like there.
 */
static lm_status
run_fit(fit *f, int max_steps, choice *end)
{
    trainer *t = f->t;
    const lm_lbfgs_problem problem = {.n = t->parameters,
                                      .evaluate = fit_evaluate,
                                      .stepped = fit_stepped,
                                      .opaque = f,
                                      .max_steps = max_steps,
                                      .gradient_tolerance = GRADIENT_TOLERANCE,
                                      .value_tolerance =
                                          f->coarse ? CHOICE_TOLERANCE : VALUE_TOLERANCE};
    lm_lbfgs_result run;

    f->best = (held_out_check){0, INFINITY, NAN};
    f->last = f->best;
    if (f->watched)
        LM_TRY(check_held_out(f, 0, t->theta));
    LM_TRY(lm_lbfgs_minimize(t->ctx, &problem, t->theta, &run));
    end->stopped = run.end == LM_LBFGS_STOPPED;
    end->end = end->stopped ? f->best : f->last;
    if (end->stopped)
        memcpy(t->theta, t->best, t->parameters * sizeof *t->theta);
    return LM_OK;
}

/* Mean cross entropy plus penalty, and its gradient. */
static lm_status
fit_evaluate(void *opaque, const double *theta, double *value, double *gradient)
{
    fit *f = opaque;
    trainer *t = f->t;
    size_t weights = t->labels * t->width, correct;
    double square = 0;

    LM_TRY(pass(t, f->rows, theta, gradient, &f->loss, &correct));
    for (size_t i = 0; i < weights; i++) {
        square += theta[i] * theta[i];
        gradient[i] += f->penalty * theta[i];
    }
    *value = f->loss + 0.5 * f->penalty * square;
    return LM_OK;
}

/* Report a step, and stop when the held-out loss has been worse for `patience` of them. */
static lm_status
fit_stepped(void *opaque, int step, const double *theta, double value, bool *stop)
{
    fit *f = opaque;
    trainer *t = f->t;

    if (f->watched) {
        LM_TRY(check_held_out(f, step, theta));
        *stop = f->stops && step - f->last_good >= t->options->patience;
    }
    t->report.step++;
    t->report.loss = f->loss;
    if (t->progress)
        t->progress(t->opaque, &t->report);
    return LM_OK;
}

/* Measure the held-out rows after a step, and keep the variables where they do best so far. */
static lm_status
check_held_out(fit *f, int step, const double *theta)
{
    trainer *t = f->t;
    size_t correct;
    double loss;

    LM_TRY(pass(t, t->held_out, theta, NULL, &loss, &correct));
    f->last = (held_out_check){step, loss, (double)correct / (double)t->held_out.count};
    t->report.held_out_loss = loss;
    t->report.held_out_accuracy = f->last.accuracy;
    if (loss <= f->best.loss * (1 + HELD_OUT_MARGIN))
        f->last_good = step;
    if (loss < f->best.loss) {
        f->best = f->last;
        memcpy(t->best, theta, t->parameters * sizeof *t->best);
    }
    return LM_OK;
}

/* One pass over rows: mean loss, rows whose best score is their label's, mean gradient if asked. */
static lm_status
pass(trainer *t, row_list rows, const double *theta, double *gradient, double *loss,
     size_t *correct)
{
    size_t weights = t->labels * t->width;
    double sum = 0;

    *correct = 0;
    for (size_t i = 0; i < weights; i++)
        t->weight[i] = (float)theta[i];
    if (gradient)
        memset(gradient, 0, t->parameters * sizeof *gradient);
    for (size_t first = 0; first < rows.count; first += t->block_rows) {
        size_t left = rows.count - first, count = left < t->block_rows ? left : t->block_rows;
        row_list block = {rows.rows + first, count};

        LM_TRY(lm_poll(t->ctx));
        gather_block(t, block);
        score_block(t, block, theta + weights);
        sum += loss_of_block(t, block, correct);
        if (gradient)
            add_block_gradient(t, block, gradient);
    }
    *loss = sum / (double)rows.count;
    for (size_t i = 0; gradient && i < t->parameters; i++)
        gradient[i] /= (double)rows.count;
    return LM_OK;
}

/* Copy a block's rows, centred and scaled: one cache-sized copy serves both products. */
static void
gather_block(trainer *t, row_list block)
{
    for (size_t i = 0; i < block.count; i++) {
        const float *row = t->x + block.rows[i] * t->width;
        float *out = t->block + i * t->width;

        for (size_t j = 0; j < t->width; j++)
            out[j] = (row[j] - t->mean[j]) * t->scale;
    }
}

/* scores = block · weightᵀ + bias */
static void
score_block(trainer *t, row_list block, const double *bias)
{
    const lm_sgemm product = {.transpose_b = true,
                              .m = block.count,
                              .n = t->labels,
                              .k = t->width,
                              .alpha = 1,
                              .a = t->block,
                              .lda = t->width,
                              .b = t->weight,
                              .ldb = t->width,
                              .beta = 1,
                              .c = t->scores,
                              .ldc = t->labels};

    for (size_t i = 0; i < block.count; i++)
        for (size_t label = 0; label < t->labels; label++)
            t->scores[i * t->labels + label] = (float)bias[label];
    lm_blas_sgemm(&product);
}

/* The block's summed loss; leaves softmax minus one-hot, the loss's gradient, in the scores. */
static double
loss_of_block(trainer *t, row_list block, size_t *correct)
{
    double sum = 0;

    for (size_t i = 0; i < block.count; i++) {
        float *scores = t->scores + i * t->labels;
        size_t label = (size_t)t->y[block.rows[i]], best = 0;
        const double weight = t->options->label_weights ? t->options->label_weights[label] : 1;
        double margin;

        for (size_t k = 1; k < t->labels; k++)
            if (scores[k] > scores[best])
                best = k;
        margin = (double)scores[best] - scores[label];
        t->kernels->softmax_f32(t->labels, scores);
        /* The best label's probability is at least 1 / labels: its logarithm never underflows. */
        sum += weight * (margin - log(scores[best]));
        scores[label] -= 1;
        for (size_t k = 0; k < t->labels && weight != 1; k++)
            scores[k] *= (float)weight;
        *correct += best == label;
    }
    return sum;
}

/* Add a block's gradient: (softmax − one-hot)ᵀ · rows, and its column sums for the biases. */
static void
add_block_gradient(trainer *t, row_list block, double *gradient)
{
    size_t weights = t->labels * t->width;
    double *bias = gradient + weights;
    const lm_sgemm product = {.transpose_a = true,
                              .m = t->labels,
                              .n = t->width,
                              .k = block.count,
                              .alpha = 1,
                              .a = t->scores,
                              .lda = t->labels,
                              .b = t->block,
                              .ldb = t->width,
                              .c = t->block_gradient,
                              .ldc = t->width};

    lm_blas_sgemm(&product);
    for (size_t i = 0; i < weights; i++)
        gradient[i] += t->block_gradient[i];
    for (size_t i = 0; i < block.count; i++)
        for (size_t label = 0; label < t->labels; label++)
            bias[label] += t->scores[i * t->labels + label];
}

/* The penalty that weights in inner units bear, since W = scale · W'. */
static double
inner_penalty(const trainer *t, double l2)
{
    return l2 * t->scale * t->scale;
}

/* The chosen variables and what they are worth on the rows that they were made from. */
static lm_status
take_result(trainer *t, const choice *c, lm_softmax_result *result)
{
    row_list rows = t->options->refit ? t->all : t->train;
    size_t correct;

    LM_TRY(pass(t, rows, t->chosen, NULL, &result->loss, &correct));
    result->l2 = c->l2;
    result->held_out_loss = t->held_out.count > 0 ? c->end.loss : NAN;
    result->held_out_accuracy = c->end.accuracy;
    result->steps = t->report.step;
    result->trained = rows.count;
    result->held_out = t->held_out.count;
    result->weight = lm_alloc_array(t->ctx, t->labels * t->width, sizeof *result->weight);
    result->bias = lm_alloc_array(t->ctx, t->labels, sizeof *result->bias);
    if (result->weight && result->bias && turn_back(t, result->weight, result->bias))
        return LM_OK;
    if (result->weight && result->bias)
        lm_raise(t->ctx, LM_INTERNAL, "training computed weights that are not finite");
    lm_free(t->ctx, result->weight);
    lm_free(t->ctx, result->bias);
    result->weight = result->bias = NULL;
    return t->ctx->error.status;
}

/* W = scale · W', b = b' − W · mean. False when a number is not finite. */
static bool
turn_back(const trainer *t, float *weight, float *bias)
{
    bool finite = true;

    for (size_t label = 0; label < t->labels; label++) {
        const double *inner = t->chosen + label * t->width;
        double shift = 0;

        for (size_t j = 0; j < t->width; j++) {
            float w = (float)(inner[j] * t->scale);

            shift += (double)w * t->mean[j];
            weight[label * t->width + j] = w;
            finite = finite && isfinite(w);
        }
        bias[label] = (float)(t->chosen[t->labels * t->width + label] - shift);
        finite = finite && isfinite(bias[label]);
    }
    return finite;
}
