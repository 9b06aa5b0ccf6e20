/*
 * folds.c - k trainings on k − 1 parts of the rows each. Rows are copied for each of them, those to
 * be measured behind the others, since a training takes rows that lie side by side.
 */
#include "train/folds.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "kernels/kernels.h"
#include "train/calibrate.h"

/* ---- Parts ---- */

/* Rows of a label in a random order, one after the other to the parts. */
static void
deal_label(size_t *rows, size_t count, int folds, lm_rng *rng, size_t *next, int32_t *part)
{
    for (size_t i = 0; i < count; i++) {
        const size_t pick = i + lm_rng_below(rng, count - i), row = rows[pick];

        rows[pick] = rows[i];
        part[row] = count == 1 ? LM_FOLD_NONE : (int32_t)((*next)++ % (size_t)folds);
    }
}

/* `starts` (labels + 1) and `order` (rows) are room. */
static void
deal(const int32_t *y, size_t rows, size_t labels, int folds, uint64_t seed, size_t *starts,
     size_t *order, int32_t *part)
{
    size_t next = 0;
    lm_rng rng;

    for (size_t i = 0; i < rows; i++)
        starts[y[i]]++;
    for (size_t label = 1; label <= labels; label++)
        starts[label] += starts[label - 1];
    for (size_t i = rows; i-- > 0;)
        order[--starts[y[i]]] = i;
    lm_rng_seed(&rng, seed);
    for (size_t label = 0; label < labels; label++)
        deal_label(order + starts[label], starts[label + 1] - starts[label], folds, &rng, &next,
                   part);
}

lm_status
lm_folds_deal(lm_context *ctx, const int32_t *y, size_t rows, size_t labels, int folds,
              uint64_t seed, int32_t *part)
{
    size_t *starts = lm_alloc_zero(ctx, (labels + 1) * sizeof *starts);
    size_t *order = starts ? lm_alloc_array(ctx, rows, sizeof *order) : NULL;

    if (order)
        deal(y, rows, labels, folds, seed, starts, order, part);
    lm_free(ctx, starts);
    lm_free(ctx, order);
    return order ? LM_OK : LM_NO_MEMORY;
}

/* ---- Trainings ---- */

typedef struct folding {
    lm_context *ctx;
    const float *x;
    const int32_t *y;
    size_t rows, width, labels;
    lm_softmax_options options;
    int32_t *part;
    float *sorted_x; /* (rows, width): of the part that is measured, last */
    int32_t *sorted_y;
} folding;

/* Rows of the other parts, then those of one; receives how many the first are. */
static lm_status
sort_rows(folding *f, int fold, size_t *trained)
{
    size_t next = 0;

    for (int last = 0; last < 2; last++) {
        for (size_t i = 0; i < f->rows; i++) {
            if ((f->part[i] == fold) != (last == 1))
                continue;
            if (next % 1024 == 0)
                LM_TRY(lm_poll(f->ctx));
            memcpy(f->sorted_x + next * f->width, f->x + i * f->width, f->width * sizeof *f->x);
            f->sorted_y[next++] = f->y[i];
        }
        if (last == 0)
            *trained = next;
    }
    return LM_OK;
}

static lm_status
score_part(const folding *f, const lm_softmax_result *model, size_t trained, lm_held_out *h)
{
    const lm_kernels *kernels = lm_kernels_active();

    for (size_t i = 0; i < h->count; i++) {
        const float *x = f->sorted_x + (trained + i) * f->width;

        LM_TRY(lm_poll(f->ctx));
        for (size_t label = 0; label < f->labels; label++)
            h->scores[i * f->labels + label] =
                model->bias[label] +
                kernels->dot_f32(f->width, x, model->weight + label * f->width);
    }
    return LM_OK;
}

static lm_status
measure_part(folding *f, const lm_softmax_result *model, size_t trained, double *accuracy,
             double *loss)
{
    lm_held_out h = {.count = f->rows - trained, .labels = f->labels, .y = f->sorted_y + trained};
    double slope;
    lm_status status;

    if (!(h.scores = lm_alloc_array(f->ctx, h.count * f->labels, sizeof *h.scores)))
        return LM_NO_MEMORY;
    status = score_part(f, model, trained, &h);
    if (status == LM_OK) {
        *accuracy = lm_held_out_accuracy(&h);
        status = lm_held_out_loss(f->ctx, &h, 1, loss, &slope);
    }
    lm_free(f->ctx, h.scores);
    return status;
}

static lm_status
run_part(folding *f, int fold, double *accuracy, double *loss)
{
    lm_softmax_result model = {.weight = NULL};
    size_t trained = 0;
    lm_status status;

    LM_TRY(sort_rows(f, fold, &trained));
    status = lm_softmax_train(f->ctx, f->sorted_x, f->sorted_y, trained, f->width, (int)f->labels,
                              &f->options, NULL, NULL, &model);
    if (status == LM_OK)
        status = measure_part(f, &model, trained, accuracy, loss);
    lm_free(f->ctx, model.weight);
    lm_free(f->ctx, model.bias);
    return status;
}

/* A part without a row could not be measured; rows of a label that has no other are in none. */
static lm_status
check_parts(const folding *f, int folds)
{
    size_t dealt = 0;

    for (size_t i = 0; i < f->rows; i++)
        dealt += f->part[i] != LM_FOLD_NONE;
    if (dealt >= (size_t)folds)
        return LM_OK;
    lm_raise(f->ctx, LM_BAD_ARGUMENT, "there are more folds than rows whose label has another row");
    lm_detail_key(f->ctx, "folds");
    lm_detail_found(f->ctx, "%d", folds);
    return dealt < 2 ? LM_BAD_ARGUMENT : lm_detail_allowed(f->ctx, "at most %zu", dealt);
}

static lm_status
run_parts(folding *f, int folds, lm_folds_result *result)
{
    double accuracy[LM_FOLDS_MAX], squares = 0;

    *result = (lm_folds_result){0};
    for (int fold = 0; fold < folds; fold++) {
        double loss;

        LM_TRY(run_part(f, fold, &accuracy[fold], &loss));
        result->accuracy += accuracy[fold] / folds;
        result->loss += loss / folds;
    }
    for (int fold = 0; fold < folds; fold++)
        squares += (accuracy[fold] - result->accuracy) * (accuracy[fold] - result->accuracy);
    result->deviation = sqrt(squares / (folds - 1));
    return LM_OK;
}

lm_status
lm_folds_run(lm_context *ctx, const float *x, const int32_t *y, size_t rows, size_t width,
             int labels, int folds, const lm_softmax_options *options, lm_folds_result *result)
{
    folding f = {.ctx = ctx,
                 .x = x,
                 .y = y,
                 .rows = rows,
                 .width = width,
                 .labels = (size_t)labels,
                 .options = *options};
    lm_status status = LM_NO_MEMORY;

    f.options.hold_out = 0;
    f.options.refit = false;
    f.part = lm_alloc_array(ctx, rows, sizeof *f.part);
    f.sorted_y = f.part ? lm_alloc_array(ctx, rows, sizeof *f.sorted_y) : NULL;
    f.sorted_x = f.sorted_y ? lm_keep_array(ctx, rows * width, sizeof *f.sorted_x) : NULL;
    if (f.sorted_x)
        status = lm_folds_deal(ctx, y, rows, (size_t)labels, folds, options->seed, f.part);
    if (status == LM_OK)
        status = check_parts(&f, folds);
    if (status == LM_OK)
        status = run_parts(&f, folds, result);
    lm_free(ctx, f.sorted_x);
    lm_free(ctx, f.sorted_y);
    lm_free(ctx, f.part);
    return status;
}
