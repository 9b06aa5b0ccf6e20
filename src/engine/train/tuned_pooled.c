/*
 * tuned_pooled.c - tasks whose head reads one vector a row: classification, regression, and the
 * score of a pair.
 */
#include <math.h>
#include <string.h>

#include "task/score_grad.h"
#include "train/calibrate.h"
#include "train/tuned_tasks.h"

void
lm_tuned_pool(const lm_tuned *tuned, const float *states, float *vectors)
{
    const lm_batch *batch = &tuned->encoder.batch;
    const size_t width = tuned->encoder.hidden;

    for (size_t i = 0; i < batch->texts; i++)
        lm_pool_rows(tuned->encoder.weights.kernels, tuned->pooling,
                     states + batch->offsets[i] * width, 0,
                     batch->offsets[i + 1] - batch->offsets[i], width, vectors + i * width);
}

void
lm_tuned_pool_backward(const lm_tuned *tuned, const float *states, const float *dvectors)
{
    const lm_batch *batch = &tuned->encoder.batch;
    const size_t width = tuned->encoder.hidden;
    float *dhidden = tuned->encoder.dhidden;

    memset(dhidden, 0, batch->tokens * width * sizeof *dhidden);
    for (size_t i = 0; i < batch->texts; i++) {
        const size_t at = batch->offsets[i] * width;

        lm_pool_backward(tuned->pooling, states + at, 0, batch->offsets[i + 1] - batch->offsets[i],
                         width, dvectors + i * width, dhidden + at);
    }
}

lm_status
lm_tuned_room(lm_tuned *tuned, size_t numbers)
{
    return lm_tuned_grow(tuned->ctx, &tuned->room, &tuned->room_size, numbers, sizeof *tuned->room);
}

lm_status
lm_tuned_pooled_forward(lm_tuned *tuned, const lm_pass *pass, const float *states)
{
    LM_TRY(lm_tuned_head_begin(&tuned->head, tuned->encoder.batch.texts));
    lm_tuned_pool(tuned, states, tuned->head.x);
    return lm_tuned_head_forward(&tuned->head, pass, tuned->encoder.noise.texts);
}

/* The gradient of scores stands in their place. */
lm_status
lm_tuned_pooled_backward(lm_tuned *tuned, const lm_pass *pass, const float *states)
{
    if (!pass->training)
        return LM_OK;
    LM_TRY(lm_tuned_head_backward(&tuned->head, pass, tuned->encoder.noise.texts));
    lm_tuned_pool_backward(tuned, states, tuned->head.dx);
    return LM_OK;
}

static double
weight_by_rows(const lm_tuned *tuned, const size_t *rows, size_t count)
{
    return (double)count;
}

/* ---- Classification ---- */

static lm_cross_entropy_options
entropy_of(const lm_tuned *tuned)
{
    return (lm_cross_entropy_options){tuned->settings.class_weights,
                                      tuned->settings.label_smoothing};
}

static double
weight_by_labels(const lm_tuned *tuned, const size_t *rows, size_t count)
{
    const lm_cross_entropy_options options = entropy_of(tuned);
    double weight = 0;

    for (size_t i = 0; i < count; i++)
        weight += lm_cross_entropy_weight(&options, &tuned->labels[rows[i]], 1);
    return weight;
}

static lm_status
classification_loss(lm_tuned *tuned, const size_t *rows, size_t count, const lm_pass *pass,
                    const float *states, double *loss)
{
    const lm_cross_entropy_options options = entropy_of(tuned);

    LM_TRY(lm_tuned_grow(tuned->ctx, &tuned->targets, &tuned->target_room, count,
                         sizeof *tuned->targets));
    for (size_t i = 0; i < count; i++)
        tuned->targets[i] = tuned->labels[rows[i]];
    LM_TRY(lm_tuned_pooled_forward(tuned, pass, states));
    LM_TRY(lm_cross_entropy_loss(tuned->ctx, tuned->encoder.weights.kernels, &options, count,
                                 tuned->head.labels, tuned->head.scores, tuned->targets,
                                 pass->weight, loss, pass->training ? tuned->head.scores : NULL));
    return lm_tuned_pooled_backward(tuned, pass, states);
}

static lm_status
classification_add(lm_tuned *tuned, const size_t *rows, size_t count)
{
    if (!tuned->confusion)
        LM_TRY(lm_confusion_create(tuned->ctx, &tuned->confusion));
    for (size_t i = 0; i < count; i++) {
        const size_t labels = tuned->head.labels;
        const char *actual = tuned->names[tuned->targets[i]];
        const char *found = tuned->names[lm_best_number(tuned->head.scores + i * labels, labels)];

        LM_TRY(lm_confusion_add(tuned->confusion, actual, strlen(actual), found, strlen(found), 1));
    }
    return LM_OK;
}

static lm_status
classification_finish(lm_tuned *tuned, lm_measures *measures)
{
    lm_label_score *scores;
    lm_averages averages;
    size_t count;
    lm_status status;

    LM_TRY(lm_confusion_scores(tuned->confusion, &scores, &count));
    status = lm_confusion_averages(tuned->confusion, scores, count, &averages);
    lm_free(tuned->ctx, scores);
    lm_measures_add(measures, "accuracy", lm_confusion_accuracy(tuned->confusion));
    lm_measures_add(measures, "f1", averages.macro.f1);
    lm_confusion_free(tuned->confusion);
    tuned->confusion = NULL;
    return status;
}

const lm_tuned_task lm_tuned_classification = {
    .name = "classification",
    .head_task = "classification",
    .weight = weight_by_labels,
    .loss = classification_loss,
    .add = classification_add,
    .finish = classification_finish,
};

/* Whether the second text of a pair follows the first: label 0 where it does. */
const lm_tuned_task lm_tuned_next = {
    .name = "next_sentence",
    .head_task = "next_sentence",
    .pairs = true,
    .weight = weight_by_labels,
    .loss = classification_loss,
    .add = classification_add,
    .finish = classification_finish,
};

/* ---- Numbers ---- */

static lm_status
number_loss(lm_tuned *tuned, const size_t *rows, size_t count, const lm_pass *pass,
            const float *states, double *loss,
            void (*of)(size_t count, const float *scores, const float *targets, double weight,
                       double *loss, float *dscores))
{
    LM_TRY(lm_tuned_room(tuned, count));
    for (size_t i = 0; i < count; i++)
        tuned->room[i] = tuned->numbers[rows[i]];
    LM_TRY(lm_tuned_pooled_forward(tuned, pass, states));
    of(count, tuned->head.scores, tuned->room, pass->weight, loss,
       pass->training ? tuned->head.scores : NULL);
    return lm_tuned_pooled_backward(tuned, pass, states);
}

static lm_status
regression_loss(lm_tuned *tuned, const size_t *rows, size_t count, const lm_pass *pass,
                const float *states, double *loss)
{
    return number_loss(tuned, rows, count, pass, states, loss, lm_squared_loss);
}

static lm_status
rerank_loss(lm_tuned *tuned, const size_t *rows, size_t count, const lm_pass *pass,
            const float *states, double *loss)
{
    return number_loss(tuned, rows, count, pass, states, loss, lm_binary_cross_entropy_loss);
}

/* Sums of targets and of their squares. */
static lm_status
regression_add(lm_tuned *tuned, const size_t *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const double number = tuned->numbers[rows[i]];

        tuned->sums[0] += number;
        tuned->sums[1] += number * number;
    }
    tuned->sums[2] += (double)count;
    return LM_OK;
}

/* Which share of the targets' variance is explained. */
static lm_status
regression_finish(lm_tuned *tuned, lm_measures *measures)
{
    const double mean = tuned->sums[0] / tuned->sums[2];
    const double variance = tuned->sums[1] / tuned->sums[2] - mean * mean;

    lm_measures_add(measures, "r2", variance > 0 ? 1 - measures->loss / variance : (double)NAN);
    return LM_OK;
}

/* A pair fits where its score is above the middle. */
static lm_status
rerank_add(lm_tuned *tuned, const size_t *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        tuned->sums[0] += (tuned->head.scores[i] > 0) == (tuned->numbers[rows[i]] > 0.5f);
    tuned->sums[1] += (double)count;
    return LM_OK;
}

static lm_status
rerank_finish(lm_tuned *tuned, lm_measures *measures)
{
    lm_measures_add(measures, "accuracy", tuned->sums[0] / tuned->sums[1]);
    return LM_OK;
}

const lm_tuned_task lm_tuned_regression = {
    .name = "regression",
    .head_task = "classification",
    .label = "LABEL_0",
    .weight = weight_by_rows,
    .loss = regression_loss,
    .add = regression_add,
    .finish = regression_finish,
};

const lm_tuned_task lm_tuned_rerank = {
    .name = "rerank",
    .head_task = "classification",
    .label = "LABEL_0",
    .pairs = true,
    .weight = weight_by_rows,
    .loss = rerank_loss,
    .add = rerank_add,
    .finish = rerank_finish,
};
