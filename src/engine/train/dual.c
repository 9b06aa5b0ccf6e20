/*
 * dual.c - dual coordinate descent. One weight vector of double, features first, then the dense
 * part, then the bias; rows are visited in a new random order in each pass.
 */
#include "train/dual.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "base/sort.h"
#include "kernels/clones.h"

#define POLL_EVERY ((size_t)1 << 20) /* entries that are read */
#define NEWTON_STEPS 30
#define SMALLEST_GRADIENT 1e-12

/* ---- Models ---- */

lm_status
lm_linear_model_open(lm_context *ctx, const lm_design *design, size_t labels,
                     lm_linear_model *model)
{
    *model = (lm_linear_model){.labels = labels};
    model->weight = lm_alloc_zero(ctx, design->features * labels * sizeof(float));
    model->bias = model->weight ? lm_alloc_zero(ctx, labels * sizeof(float)) : NULL;
    if (model->bias && design->width > 0)
        model->dense = lm_alloc_zero(ctx, labels * design->width * sizeof(float));
    return model->bias && (design->width == 0 || model->dense) ? LM_OK : LM_NO_MEMORY;
}

void
lm_linear_model_free(lm_context *ctx, lm_linear_model *model)
{
    lm_free(ctx, model->weight);
    lm_free(ctx, model->bias);
    lm_free(ctx, model->dense);
    *model = (lm_linear_model){.labels = 0};
}

/* NULL where there are none. */
static const float *
dense_row(const lm_design *design, size_t row)
{
    const size_t place = design->place ? design->place[row] : row;

    return design->width > 0 ? design->dense + place * design->width : NULL;
}

void
lm_linear_model_scores(const lm_linear_model *model, const lm_design *design, size_t row,
                       float *scores)
{
    const lm_sparse_rows *sparse = design->sparse;
    const float *dense = dense_row(design, row);

    memcpy(scores, model->bias, model->labels * sizeof *scores);
    for (size_t i = sparse->starts[row]; i < sparse->starts[row + 1]; i++) {
        const float *weight = model->weight + sparse->index[i] * model->labels;

        for (size_t label = 0; label < model->labels; label++)
            scores[label] += sparse->value[i] * weight[label];
    }
    for (size_t label = 0; label < model->labels && dense; label++)
        scores[label] += lm_kernels_active()->dot_f32(design->width, dense,
                                                      model->dense + label * design->width);
}

/* ---- One problem ---- */

typedef struct dual {
    lm_context *ctx;
    const lm_design *design;
    const lm_dual_options *options;
    const size_t *rows;
    size_t count;
    const int32_t *y;
    int32_t label;    /* that is told from the rest */
    uint32_t *places; /* (features): where w has them, the most frequent first */
    uint32_t *index;  /* of the design's entries, as places */
    size_t length;    /* of w */
    double *w;        /* (length) */
    double *squares;  /* (count): squared lengths of rows with the bias */
    double *state;    /* (count): of the dual variable */
    uint32_t *active; /* (count): places in `rows` */
    size_t left;      /* to be read before the next poll */
    lm_rng rng;
} dual;

static double
sign_of(const dual *d, uint32_t at)
{
    return d->y[d->rows[at]] == d->label ? 1 : -1;
}

/* Counts what is read of a row; polls in time. */
static lm_status
count_row(dual *d, size_t row)
{
    size_t *starts = d->design->sparse->starts;
    size_t entries = starts[row + 1] - starts[row] + d->design->width + 1;

    if (entries < d->left) {
        d->left -= entries;
        return LM_OK;
    }
    d->left = POLL_EVERY;
    return lm_poll(d->ctx);
}

typedef float quad __attribute__((vector_size(16)));
typedef double lanes __attribute__((vector_size(32)));

/* sums += x · w, of four. Named sums stay in registers, an array of them would not. */
#define ADD_FOUR(sums, x, w)                                      \
    do {                                                          \
        quad four;                                                \
        lanes weights;                                            \
                                                                  \
        memcpy(&four, (x), sizeof four);                          \
        memcpy(&weights, (w), sizeof weights);                    \
        (sums) += __builtin_convertvector(four, lanes) * weights; \
    } while (0)

LM_CLONE_BODY void
dot_dense_body(const float *x, const double *w, size_t width, double *dot)
{
    lanes a = {0}, b = {0}, c = {0}, d = {0};
    double sum = 0;
    size_t i = 0;

    for (; i + LM_CLONE_LANES <= width; i += LM_CLONE_LANES) {
        ADD_FOUR(a, x + i, w + i);
        ADD_FOUR(b, x + i + 4, w + i + 4);
        ADD_FOUR(c, x + i + 8, w + i + 8);
        ADD_FOUR(d, x + i + 12, w + i + 12);
    }
    for (; i < width; i++)
        sum += x[i] * w[i];
    a = (a + b) + (c + d);
    *dot = sum + ((a[0] + a[1]) + (a[2] + a[3]));
}

LM_CLONES(dot_dense, (const float *x, const double *w, size_t width, double *dot),
          (x, w, width, dot))

LM_CLONE_BODY void
add_dense_body(double *w, const float *x, size_t width, double times)
{
    size_t i = 0;

    for (; i + LM_CLONE_LANES <= width; i += LM_CLONE_LANES)
        for (size_t k = 0; k < LM_CLONE_LANES; k++)
            w[i + k] += times * x[i + k];
    for (; i < width; i++)
        w[i] += times * x[i];
}

LM_CLONES(add_dense, (double *w, const float *x, size_t width, double times), (w, x, width, times))

static double
dot_row(const dual *d, size_t row)
{
    const lm_sparse_rows *sparse = d->design->sparse;
    const double *w = d->w;
    double sum = w[d->length - 1], of_dense;

    for (size_t i = sparse->starts[row]; i < sparse->starts[row + 1]; i++)
        sum += sparse->value[i] * w[d->index[i]];
    if (d->design->width == 0)
        return sum;
    dot_dense(dense_row(d->design, row), w + d->design->features, d->design->width, &of_dense);
    return sum + d->design->scale * of_dense;
}

static void
add_row(dual *d, size_t row, double times)
{
    const lm_sparse_rows *sparse = d->design->sparse;
    const float *dense = dense_row(d->design, row);
    double *w = d->w;

    for (size_t i = sparse->starts[row]; i < sparse->starts[row + 1]; i++)
        w[d->index[i]] += times * sparse->value[i];
    if (dense)
        add_dense(w + d->design->features, dense, d->design->width, times * d->design->scale);
    w[d->length - 1] += times;
}

/* Fisher and Yates. */
static lm_status
shuffle(dual *d, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++) {
        size_t other = i + lm_rng_below(&d->rng, count - i);
        uint32_t kept = d->active[i];

        if (i % POLL_EVERY == POLL_EVERY - 1)
            LM_TRY(lm_poll(d->ctx));
        d->active[i] = d->active[other];
        d->active[other] = kept;
    }
    return LM_OK;
}

/* ---- Squared hinge ---- */

/* Bounds of the projected gradient in one pass: those of the last one say what is left out. */
typedef struct bounds {
    double least, most;
} bounds;

static const bounds no_bounds = {INFINITY, -INFINITY};
static const bounds all_inside = {-INFINITY, INFINITY};

/* One row's variable, which is not below 0. False: it stays at 0, and may be left out. */
static bool
hinge_step(dual *d, uint32_t at, const bounds *old, bounds *seen)
{
    const double soft = 0.5 / d->options->c, y = sign_of(d, at);
    const size_t row = d->rows[at];
    double *alpha = &d->state[at], before = *alpha;
    double gradient = y * dot_row(d, row) - 1 + before * soft;

    if (before == 0 && gradient > old->most)
        return false;
    if (before == 0 && gradient > 0)
        gradient = 0;
    seen->most = fmax(seen->most, gradient);
    seen->least = fmin(seen->least, gradient);
    if (fabs(gradient) > SMALLEST_GRADIENT) {
        *alpha = fmax(before - gradient / (d->squares[at] + soft), 0);
        add_row(d, row, (*alpha - before) * y);
    }
    return true;
}

static lm_status
hinge_pass(dual *d, size_t *active, const bounds *old, bounds *seen)
{
    *seen = no_bounds;
    LM_TRY(shuffle(d, *active));
    for (size_t i = 0; i < *active; i++) {
        uint32_t at = d->active[i];

        LM_TRY(count_row(d, d->rows[at]));
        if (hinge_step(d, at, old, seen))
            continue;
        d->active[i--] = d->active[--*active];
        d->active[*active] = at;
    }
    return LM_OK;
}

/* Ends where no row was left out and the gradients are near each other. */
static lm_status
fit_hinge(dual *d)
{
    bounds old = all_inside, seen;
    size_t active = d->count;

    for (int step = 0; step < d->options->max_steps; step++) {
        LM_TRY(hinge_pass(d, &active, &old, &seen));
        if (seen.most - seen.least <= d->options->tolerance) {
            if (active == d->count)
                return LM_OK;
            active = d->count;
            old = all_inside;
        } else
            old.most = seen.most > 0 ? seen.most : INFINITY;
    }
    return LM_OK;
}

static double
hinge_loss(double margin)
{
    return margin < 1 ? (1 - margin) * (1 - margin) : 0;
}

/* ---- Logistic ---- */

static double
logistic(double u)
{
    return u >= 0 ? 1 / (1 + exp(-u)) : exp(u) / (1 + exp(u));
}

/*
 * One row's variable alpha = c · logistic(u): the root of a (alpha − before) + b + u, which rises
 * with u, by Newton's method between bounds that hold it.
 */
static double
logistic_root(double a, double b, double c, double u)
{
    const double before = c * logistic(u);
    double low = -b - a * (c - before), high = -b + a * before;

    u = fmin(fmax(u, low), high);
    for (int i = 0; i < NEWTON_STEPS; i++) {
        double p = logistic(u), value = a * (c * p - before) + b + u, next;

        if (fabs(value) < 1e-9)
            break;
        *(value > 0 ? &high : &low) = u;
        next = u - value / (1 + a * c * p * (1 - p));
        u = next > low && next < high ? next : 0.5 * (low + high);
    }
    return u;
}

static lm_status
logistic_pass(dual *d, double *most)
{
    const double c = d->options->c;

    *most = 0;
    LM_TRY(shuffle(d, d->count));
    for (size_t i = 0; i < d->count; i++) {
        const uint32_t at = d->active[i];
        const size_t row = d->rows[at];
        const double y = sign_of(d, at), before = d->state[at];
        double change;

        LM_TRY(count_row(d, row));
        d->state[at] = logistic_root(d->squares[at], y * dot_row(d, row), c, before);
        change = c * (logistic(d->state[at]) - logistic(before));
        *most = fmax(*most, fabs(change) * sqrt(d->squares[at]));
        add_row(d, row, change * y);
    }
    return LM_OK;
}

/* Variables start where alpha is 0 to rounding; ends where none moved by more than its tolerance.
 */
static lm_status
fit_logistic(dual *d)
{
    double most;

    for (size_t i = 0; i < d->count; i++)
        d->state[i] = -40;
    for (int step = 0; step < d->options->max_steps; step++) {
        LM_TRY(logistic_pass(d, &most));
        if (most <= d->options->tolerance)
            break;
    }
    return LM_OK;
}

static double
logistic_loss(double margin)
{
    return margin > 0 ? log1p(exp(-margin)) : -margin + log1p(exp(margin));
}

/* ---- Places ---- */

/* A feature, and how many rows have it. */
typedef struct occurrence {
    uint32_t count, feature;
} occurrence;

static int
compare_occurrences(const void *a, const void *b)
{
    const occurrence *x = a, *y = b;

    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return (x->feature > y->feature) - (x->feature < y->feature);
}

/* A few features are in most rows: side by side they stay in the processor's cache. */
static lm_status
order_features(dual *d, occurrence *list)
{
    const lm_sparse_rows *sparse = d->design->sparse;
    const uint32_t features = d->design->features;

    for (uint32_t i = 0; i < features; i++)
        list[i] = (occurrence){0, i};
    for (size_t i = 0; i < sparse->used; i++) {
        if (i % POLL_EVERY == POLL_EVERY - 1)
            LM_TRY(lm_poll(d->ctx));
        list[sparse->index[i]].count++;
    }
    LM_TRY(lm_sort(d->ctx, list, features, sizeof *list, compare_occurrences));
    for (uint32_t i = 0; i < features; i++)
        d->places[list[i].feature] = i;
    for (size_t i = 0; i < sparse->used; i++) {
        if (i % POLL_EVERY == POLL_EVERY - 1)
            LM_TRY(lm_poll(d->ctx));
        d->index[i] = d->places[sparse->index[i]];
    }
    return LM_OK;
}

static lm_status
place_features(dual *d)
{
    occurrence *list = lm_alloc_array(d->ctx, d->design->features, sizeof *list);
    lm_status status = list ? order_features(d, list) : LM_NO_MEMORY;

    lm_free(d->ctx, list);
    return status;
}

/* ---- All labels ---- */

static const struct {
    lm_status (*fit)(dual *d);
    double (*loss)(double margin);
} losses[] = {
    [LM_DUAL_SQUARED_HINGE] = {fit_hinge, hinge_loss},
    [LM_DUAL_LOGISTIC] = {fit_logistic, logistic_loss},
};

static lm_status
measure_rows(dual *d)
{
    const lm_design *design = d->design;
    const lm_sparse_rows *sparse = design->sparse;

    for (size_t at = 0; at < d->count; at++) {
        const size_t row = d->rows[at];
        const float *dense = dense_row(design, row);
        double sum = 1, of_dense = 0;

        LM_TRY(count_row(d, row));
        for (size_t i = sparse->starts[row]; i < sparse->starts[row + 1]; i++)
            sum += (double)sparse->value[i] * sparse->value[i];
        for (size_t i = 0; i < design->width; i++)
            of_dense += (double)dense[i] * dense[i];
        d->squares[at] = sum + design->scale * design->scale * of_dense;
    }
    return LM_OK;
}

/* What was minimised, with the weights as they are. */
static lm_status
measure(dual *d, double *objective)
{
    double sum = 0;

    for (size_t i = 0; i < d->length; i++)
        sum += 0.5 * d->w[i] * d->w[i];
    for (size_t at = 0; at < d->count; at++) {
        LM_TRY(count_row(d, d->rows[at]));
        sum += d->options->c *
               losses[d->options->loss].loss(sign_of(d, (uint32_t)at) * dot_row(d, d->rows[at]));
    }
    *objective = sum;
    return LM_OK;
}

static lm_status
fit_label(dual *d, int32_t label, double *objective)
{
    d->label = label;
    memset(d->w, 0, d->length * sizeof *d->w);
    memset(d->state, 0, d->count * sizeof *d->state);
    for (size_t i = 0; i < d->count; i++)
        d->active[i] = (uint32_t)i;
    lm_rng_seed(&d->rng, d->options->seed + (uint64_t)label);
    LM_TRY(losses[d->options->loss].fit(d));
    return measure(d, objective);
}

static void
keep_label(const dual *d, lm_linear_model *model, size_t label, double times)
{
    const lm_design *design = d->design;

    for (uint32_t i = 0; i < design->features; i++)
        model->weight[i * model->labels + label] = (float)(times * d->w[d->places[i]]);
    for (size_t i = 0; i < design->width; i++)
        model->dense[label * design->width + i] =
            (float)(times * design->scale * d->w[design->features + i]);
    model->bias[label] = (float)(times * d->w[d->length - 1]);
}

static lm_status
fit_labels(dual *d, lm_dual_progress progress, void *opaque, lm_linear_model *model, double *sum)
{
    const bool two = model->labels == 2;

    *sum = 0;
    LM_TRY(place_features(d));
    LM_TRY(measure_rows(d));
    for (size_t label = two ? 1 : 0; label < model->labels; label++) {
        double objective;

        LM_TRY(fit_label(d, (int32_t)label, &objective));
        *sum += objective;
        keep_label(d, model, label, 1);
        if (two)
            keep_label(d, model, 0, -1);
        if (progress)
            progress(opaque, (int)label + 1, objective);
    }
    return LM_OK;
}

lm_status
lm_dual_train(lm_context *ctx, const lm_design *design, const size_t *rows, size_t count,
              const int32_t *y, const lm_dual_options *options, lm_dual_progress progress,
              void *opaque, lm_linear_model *model, double *objective)
{
    dual d = {.ctx = ctx,
              .design = design,
              .options = options,
              .rows = rows,
              .count = count,
              .y = y,
              .length = design->features + design->width + 1,
              .left = POLL_EVERY};
    lm_status status = LM_NO_MEMORY;

    d.w = lm_alloc_array(ctx, d.length, sizeof *d.w);
    d.squares = d.w ? lm_alloc_array(ctx, count, sizeof *d.squares) : NULL;
    d.state = d.squares ? lm_alloc_array(ctx, count, sizeof *d.state) : NULL;
    d.active = d.state ? lm_alloc_array(ctx, count, sizeof *d.active) : NULL;
    d.places = d.active ? lm_alloc_array(ctx, design->features, sizeof *d.places) : NULL;
    d.index = d.places ? lm_keep_array(ctx, design->sparse->used + 1, sizeof *d.index) : NULL;
    if (d.index)
        status = fit_labels(&d, progress, opaque, model, objective);
    lm_free(ctx, d.index);
    lm_free(ctx, d.places);
    lm_free(ctx, d.active);
    lm_free(ctx, d.state);
    lm_free(ctx, d.squares);
    lm_free(ctx, d.w);
    return status;
}
