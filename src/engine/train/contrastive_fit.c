/*
 * contrastive_fit.c - the loss of a map, its gradient, and the fit by L-BFGS.
 *
 * z is the map of a row, at length 1. Its numbers are the cosines with the labels' means, of its
 * own label as if the row were not there, divided by the temperature; the loss is their cross
 * entropy. The only row of a label has no others to be near to: it counts for nothing itself, but
 * as that label's mean. The map begins as the identity, which is the method "prototype".
 *
 * The means of cosines' sums need no count: a mean's direction is that of the sum.
 */
#include "train/contrastive_fit.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "kernels/kernels.h"
#include "train/calibrate.h"
#include "train/lbfgs.h"
#include "train/split.h"

#define POLL_EVERY 256    /* rows */
#define PLAIN_SCALE 20.0  /* of cosines, where there is nothing to choose it on */
#define LEAST_SQUARE 1e-6 /* of what is left of a label without a row */
#define GRADIENT_TOLERANCE 1e-6
#define VALUE_TOLERANCE 1e-5

/* One fit, to rows that lie side by side. */
typedef struct fit {
    lm_context *ctx;
    const lm_kernels *kernels;
    const lm_contrastive_options *options;
    size_t rows, width, labels, counted; /* rows whose label has others */
    float *x;                            /* (rows, width), of length 1 */
    int32_t *y;                          /* (rows) */
    size_t *of_label;                    /* (labels): rows */
    float *map;                          /* (width, width), then its gradient */
    float *z, *dz;                       /* (rows, width) */
    float *length;                       /* (rows): of z before it got length 1 */
    float *sums, *means, *dmeans;        /* (labels, width): of z; of length 1 */
    float *square;                       /* (labels): of the sums' length */
    float *scores;                       /* (rows, labels), then their slopes */
    float *pull;                         /* (rows): the loss' slope by z · sum of its own label */
    float *dsquare;                      /* (labels) */
    double *theta;                       /* (width, width) */
    double loss;
    void (*progress)(void *opaque, const lm_contrastive_progress *);
    void *opaque;
} fit;

void
lm_contrastive_defaults(lm_contrastive_options *options)
{
    *options = (lm_contrastive_options){.temperature = 0.07,
                                        .penalty = 0.03,
                                        .hold_out = 0.1,
                                        .max_steps = 50,
                                        .seed = 42,
                                        .refit = true};
}

/* ---- Room ---- */

static void
fit_close(fit *f)
{
    void *const rooms[] = {f->x,    f->y,       f->of_label, f->map,    f->z,
                           f->dz,   f->sums,    f->means,    f->dmeans, f->square,
                           f->pull, f->dsquare, f->length,   f->scores, f->theta};

    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++)
        lm_free(f->ctx, rooms[i]);
}

static lm_status
fit_open(fit *f)
{
    const size_t of_rows = f->rows * f->width, of_labels = f->labels * f->width;

    f->x = lm_keep_array(f->ctx, of_rows, sizeof *f->x);
    f->y = lm_alloc_array(f->ctx, f->rows, sizeof *f->y);
    f->of_label = lm_alloc_zero(f->ctx, f->labels * sizeof *f->of_label);
    f->map = lm_alloc_array(f->ctx, f->width * f->width, sizeof *f->map);
    f->theta = lm_alloc_zero(f->ctx, f->width * f->width * sizeof *f->theta);
    f->z = lm_keep_array(f->ctx, of_rows, sizeof *f->z);
    f->dz = lm_keep_array(f->ctx, of_rows, sizeof *f->dz);
    f->length = lm_alloc_array(f->ctx, f->rows, sizeof *f->length);
    f->pull = lm_alloc_array(f->ctx, f->rows, sizeof *f->pull);
    f->sums = lm_alloc_array(f->ctx, of_labels, sizeof *f->sums);
    f->means = lm_alloc_array(f->ctx, of_labels, sizeof *f->means);
    f->dmeans = lm_alloc_array(f->ctx, of_labels, sizeof *f->dmeans);
    f->square = lm_alloc_array(f->ctx, f->labels, sizeof *f->square);
    f->dsquare = lm_alloc_array(f->ctx, f->labels, sizeof *f->dsquare);
    f->scores = lm_alloc_array(f->ctx, f->rows * f->labels, sizeof *f->scores);
    return f->x && f->y && f->of_label && f->map && f->theta && f->z && f->dz && f->length &&
                   f->pull && f->sums && f->means && f->dmeans && f->square && f->dsquare &&
                   f->scores
               ? LM_OK
               : LM_NO_MEMORY;
}

/* To length 1; it had this one. What has none stays 0. */
static float
normalize(const lm_kernels *kernels, size_t width, float *row)
{
    const float square = kernels->dot_f32(width, row, row), length = sqrtf(square);

    for (size_t j = 0; j < width && length > 0; j++)
        row[j] /= length;
    return length > 0 ? length : 1;
}

/* The rows that `order` names. */
static lm_status
take_rows(fit *f, const float *x, const int32_t *y, const size_t *order)
{
    for (size_t i = 0; i < f->rows; i++) {
        float *row = f->x + i * f->width;

        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(f->ctx));
        memcpy(row, x + order[i] * f->width, f->width * sizeof *row);
        normalize(f->kernels, f->width, row);
        f->y[i] = y[order[i]];
        f->of_label[f->y[i]]++;
    }
    for (size_t label = 0; label < f->labels; label++)
        f->counted += f->of_label[label] > 1 ? f->of_label[label] : 0;
    for (size_t j = 0; j < f->width; j++)
        f->theta[j * f->width + j] = 1;
    return LM_OK;
}

/* ---- The loss ---- */

static lm_status
product(const fit *f, bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k,
        const float *a, const float *b, float *c)
{
    return lm_blas_sgemm(&(lm_sgemm){.transpose_a = transpose_a,
                                     .transpose_b = transpose_b,
                                     .m = m,
                                     .n = n,
                                     .k = k,
                                     .alpha = 1,
                                     .a = a,
                                     .lda = transpose_a ? m : k,
                                     .b = b,
                                     .ldb = transpose_b ? k : n,
                                     .c = c,
                                     .ldc = n,
                                     .ctx = f->ctx});
}

static void
add_scaled(size_t width, float factor, const float *from, float *to)
{
    for (size_t j = 0; j < width; j++)
        to[j] += factor * from[j];
}

static lm_status
map_rows(fit *f, const double *theta)
{
    for (size_t i = 0; i < f->width * f->width; i++)
        f->map[i] = (float)theta[i];
    LM_TRY(product(f, false, true, f->rows, f->width, f->width, f->x, f->map, f->z));
    memset(f->sums, 0, f->labels * f->width * sizeof *f->sums);
    for (size_t i = 0; i < f->rows; i++) {
        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(f->ctx));
        f->length[i] = normalize(f->kernels, f->width, f->z + i * f->width);
        add_scaled(f->width, 1, f->z + i * f->width, f->sums + (size_t)f->y[i] * f->width);
    }
    memcpy(f->means, f->sums, f->labels * f->width * sizeof *f->means);
    for (size_t label = 0; label < f->labels; label++) {
        const float length = normalize(f->kernels, f->width, f->means + label * f->width);

        f->square[label] = length * length;
    }
    return LM_OK;
}

/* Of a row with the sum of its label's others, and its slopes by z · sum and by the sum's square.
 */
static double
own_cosine(const fit *f, size_t row, double *by_dot, double *by_square)
{
    const size_t label = (size_t)f->y[row];
    const double dot =
        f->kernels->dot_f32(f->width, f->z + row * f->width, f->sums + label * f->width);
    const double left = fmax(f->square[label] - 2 * dot + 1, LEAST_SQUARE), length = sqrt(left);
    const double cosine = (dot - 1) / length;

    *by_dot = 1 / length + cosine / left;
    *by_square = -cosine / (2 * left);
    return cosine;
}

/* The loss of a row; its numbers become slopes, of its own label 0: that is in pull and dsquare. */
static double
score_row(fit *f, size_t row)
{
    const size_t own = (size_t)f->y[row];
    const float factor = (float)(1 / f->options->temperature);
    float *scores = f->scores + row * f->labels;
    double by_dot, by_square, share, slope;

    f->pull[row] = 0;
    if (f->of_label[own] < 2) {
        memset(scores, 0, f->labels * sizeof *scores);
        return 0;
    }
    scores[own] = (float)own_cosine(f, row, &by_dot, &by_square);
    for (size_t label = 0; label < f->labels; label++)
        scores[label] *= factor;
    f->kernels->softmax_f32(f->labels, scores);
    share = scores[own];
    slope = (share - 1) * factor / (double)f->counted;
    f->pull[row] = (float)(slope * by_dot);
    f->dsquare[own] += (float)(slope * by_square);
    scores[own] = 0;
    for (size_t label = 0; label < f->labels; label++)
        scores[label] *= factor / (float)f->counted;
    return -log(fmax(share, 1e-30));
}

static lm_status
score_rows(fit *f)
{
    LM_TRY(product(f, false, true, f->rows, f->labels, f->width, f->z, f->means, f->scores));
    memset(f->dsquare, 0, f->labels * sizeof *f->dsquare);
    f->loss = 0;
    for (size_t i = 0; i < f->rows; i++) {
        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(f->ctx));
        f->loss += score_row(f, i);
    }
    f->loss /= (double)f->counted;
    return LM_OK;
}

/* ---- The gradient ---- */

/* dmeans: from the slopes by means to those by sums. */
static void
turn_means(fit *f)
{
    for (size_t label = 0; label < f->labels; label++) {
        const float *mean = f->means + label * f->width;
        float *slope = f->dmeans + label * f->width;
        const float along = f->kernels->dot_f32(f->width, mean, slope);
        const float length = sqrtf(f->square[label]);

        for (size_t j = 0; j < f->width; j++)
            slope[j] = length > 0 ? (slope[j] - along * mean[j]) / length : 0;
        add_scaled(f->width, 2 * f->dsquare[label], f->sums + label * f->width, slope);
    }
    for (size_t i = 0; i < f->rows; i++)
        add_scaled(f->width, f->pull[i], f->z + i * f->width,
                   f->dmeans + (size_t)f->y[i] * f->width);
}

/* dz: of all that a row has to do with, turned to what it was before it got length 1. */
static void
turn_row(fit *f, size_t row)
{
    const float *z = f->z + row * f->width;
    const size_t own = (size_t)f->y[row] * f->width;
    float *slope = f->dz + row * f->width, along;

    add_scaled(f->width, f->pull[row], f->sums + own, slope);
    add_scaled(f->width, 1, f->dmeans + own, slope);
    along = f->kernels->dot_f32(f->width, z, slope);
    for (size_t j = 0; j < f->width; j++)
        slope[j] = (slope[j] - along * z[j]) / f->length[row];
}

static lm_status
evaluate(void *opaque, const double *theta, double *value, double *gradient)
{
    fit *f = opaque;
    const size_t width = f->width;
    double square = 0;

    LM_TRY(map_rows(f, theta));
    LM_TRY(score_rows(f));
    LM_TRY(product(f, false, false, f->rows, width, f->labels, f->scores, f->means, f->dz));
    LM_TRY(product(f, true, false, f->labels, width, f->rows, f->scores, f->z, f->dmeans));
    turn_means(f);
    for (size_t i = 0; i < f->rows; i++) {
        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(f->ctx));
        turn_row(f, i);
    }
    LM_TRY(product(f, true, false, width, width, f->rows, f->dz, f->x, f->map));
    for (size_t i = 0; i < width * width; i++) {
        const double apart = theta[i] - (i % (width + 1) == 0);

        gradient[i] = f->map[i] + f->options->penalty * apart;
        square += apart * apart;
    }
    *value = f->loss + 0.5 * f->options->penalty * square;
    return LM_OK;
}

static lm_status
stepped(void *opaque, int step, const double *theta, double value, bool *stop)
{
    fit *f = opaque;
    const lm_contrastive_progress progress = {step, (int)f->options->max_steps, f->loss};

    if (f->progress)
        f->progress(f->opaque, &progress);
    return lm_poll(f->ctx);
}

/* ---- A fit ---- */

/* The means, mapped back, so that a product with a row is that of its map with a mean. */
static lm_status
take_weights(fit *f, lm_contrastive_result *result)
{
    LM_TRY(map_rows(f, f->theta));
    LM_TRY(score_rows(f));
    result->loss = f->loss; /* NaN where no row counted */
    if (!result->weight)
        result->weight = lm_alloc_array(f->ctx, f->labels * f->width, sizeof *result->weight);
    if (!result->bias)
        result->bias = lm_alloc_zero(f->ctx, f->labels * sizeof *result->bias);
    if (!result->weight || !result->bias)
        return LM_NO_MEMORY;
    return product(f, false, false, f->labels, f->width, f->width, f->means, f->map,
                   result->weight);
}

static lm_status
run(fit *f, const float *x, const int32_t *y, const size_t *order, lm_contrastive_result *result)
{
    const lm_lbfgs_problem problem = {.n = f->width * f->width,
                                      .evaluate = evaluate,
                                      .stepped = stepped,
                                      .opaque = f,
                                      .max_steps = (int)f->options->max_steps,
                                      .gradient_tolerance = GRADIENT_TOLERANCE,
                                      .value_tolerance = VALUE_TOLERANCE};
    lm_lbfgs_result end = {.steps = 0};

    LM_TRY(fit_open(f));
    LM_TRY(take_rows(f, x, y, order));
    if (f->counted > 0)
        LM_TRY(lm_lbfgs_minimize(f->ctx, &problem, f->theta, &end));
    result->steps = end.steps;
    return take_weights(f, result);
}

/* To the first `rows` of the order. */
static lm_status
fit_rows(const fit *as, const float *x, const int32_t *y, const size_t *order, size_t rows,
         lm_contrastive_result *result)
{
    fit f = *as;
    lm_status status;

    f.rows = rows;
    status = run(&f, x, y, order, result);
    fit_close(&f);
    return status;
}

/* ---- Held-out rows ---- */

static lm_status
score_held_out(const fit *f, const float *x, const lm_held_out *h,
               const lm_contrastive_result *result)
{
    for (size_t i = 0; i < h->count; i++) {
        const float *row = x + h->rows[i] * f->width;

        LM_TRY(lm_poll(f->ctx));
        for (size_t label = 0; label < h->labels; label++)
            h->scores[i * h->labels + label] =
                f->kernels->dot_f32(f->width, result->weight + label * f->width, row);
    }
    return LM_OK;
}

static lm_status
measure(const fit *f, const float *x, lm_held_out *h, lm_contrastive_result *result)
{
    double slope;

    LM_TRY(score_held_out(f, x, h, result));
    result->held_out_accuracy = lm_held_out_accuracy(h);
    LM_TRY(lm_calibrate_scale(f->ctx, h, &result->scale));
    LM_TRY(lm_calibration_error(f->ctx, h, result->scale, &result->held_out_ece));
    return lm_held_out_loss(f->ctx, h, result->scale, &result->held_out_loss, &slope);
}

static lm_status
measure_held_out(const fit *f, const float *x, const int32_t *y, const size_t *order,
                 lm_contrastive_result *result)
{
    lm_held_out h = {
        .rows = order + result->trained, .count = result->held_out, .labels = f->labels, .y = y};
    lm_status status;

    if (h.count == 0)
        return LM_OK;
    if (!(h.scores = lm_alloc_array(f->ctx, h.count * h.labels, sizeof *h.scores)))
        return LM_NO_MEMORY;
    status = measure(f, x, &h, result);
    lm_free(f->ctx, h.scores);
    return status;
}

/* ---- The training ---- */

static lm_status
check_size(const fit *f)
{
    const size_t most = LM_CONTRASTIVE_SCORES_MAX / (f->labels > f->width ? f->labels : f->width);

    if (f->width > LM_CONTRASTIVE_WIDTH_MAX) {
        lm_raise(f->ctx, LM_TOO_LARGE, "the vectors are too wide to learn a map of them");
        lm_detail_found(f->ctx, "%zu dimensions", f->width);
        return lm_detail_allowed(f->ctx, "at most %zu", LM_CONTRASTIVE_WIDTH_MAX);
    }
    if (f->rows <= most)
        return LM_OK;
    lm_raise(f->ctx, LM_TOO_LARGE, "there are too many rows to learn a map from");
    lm_detail_found(f->ctx, "%zu", f->rows);
    lm_detail_allowed(f->ctx, "at most %zu", most);
    return lm_detail_hint(f->ctx, "Take a sample of the rows, or the method linear.");
}

static lm_status
train(const fit *f, const float *x, const int32_t *y, size_t *order, lm_contrastive_result *result)
{
    const lm_contrastive_options *o = f->options;

    LM_TRY(lm_split_rows(f->ctx, y, f->rows, f->labels, o->hold_out, (uint64_t)o->seed, order,
                         &result->trained));
    result->held_out = f->rows - result->trained;
    LM_TRY(fit_rows(f, x, y, order, result->trained, result));
    LM_TRY(measure_held_out(f, x, y, order, result));
    if (o->refit && result->held_out > 0)
        LM_TRY(fit_rows(f, x, y, order, f->rows, result));
    for (size_t i = 0; i < f->labels * f->width; i++)
        result->weight[i] *= (float)result->scale;
    return LM_OK;
}

lm_status
lm_contrastive_train(lm_context *ctx, const float *x, const int32_t *y, size_t rows, size_t width,
                     size_t labels, const lm_contrastive_options *options,
                     void (*progress)(void *opaque, const lm_contrastive_progress *), void *opaque,
                     lm_contrastive_result *result)
{
    const fit f = {.ctx = ctx,
                   .kernels = lm_kernels_active(),
                   .options = options,
                   .rows = rows,
                   .width = width,
                   .labels = labels,
                   .progress = progress,
                   .opaque = opaque};
    size_t *order;
    lm_status status;

    *result = (lm_contrastive_result){
        .scale = PLAIN_SCALE, .held_out_accuracy = NAN, .held_out_loss = NAN, .held_out_ece = NAN};
    LM_TRY(check_size(&f));
    if (!(order = lm_alloc_array(ctx, rows, sizeof *order)))
        return LM_NO_MEMORY;
    status = train(&f, x, y, order, result);
    lm_free(ctx, order);
    return status;
}
