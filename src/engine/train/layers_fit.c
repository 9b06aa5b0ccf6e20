/*
 * layers_fit.c - passes of a net over rows: batches gathered, losses with their gradients, and what
 * held-out rows say.
 */
#include "train/calibrate.h"
#include "train/layers_fit.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "net/crf.h"
#include "net/softmax.h"

static lm_buffer *
buffer_of(lm_layers_fit *fit, int i)
{
    lm_buffer *const all[] = {&fit->ids,    &fit->offsets, &fit->numbers, &fit->order, &fit->steps,
                              &fit->wanted, &fit->values,  &fit->room,    &fit->crf};

    return i < (int)(sizeof all / sizeof all[0]) ? all[i] : NULL;
}

void
lm_layers_fit_init(lm_layers_fit *fit, lm_context *ctx)
{
    *fit = (lm_layers_fit){.ctx = ctx};
    for (int i = 0; buffer_of(fit, i); i++)
        lm_buffer_init(buffer_of(fit, i), ctx);
    lm_letters_init(&fit->letters, ctx);
}

void
lm_layers_fit_free(lm_layers_fit *fit)
{
    for (int i = 0; buffer_of(fit, i); i++)
        lm_buffer_free(buffer_of(fit, i));
    lm_letters_free(&fit->letters);
}

/* ---- A batch ---- */

static bool
is_regression(const lm_layers_fit *fit)
{
    return fit->data->task->scoring == LM_SCORING_RAW;
}

/* Targets of a row: its own, or those of its tokens. */
static lm_status
add_targets(lm_layers_fit *fit, size_t row, size_t count)
{
    const size_t *offsets = (const size_t *)(const void *)fit->data->offsets.data;
    const bool by_text = fit->data->task->by_text;

    if (fit->net->softmax)
        return LM_OK;
    if (is_regression(fit))
        return lm_buffer_append(&fit->values, fit->data->targets.data + row * sizeof(float),
                                sizeof(float));
    return lm_buffer_append(&fit->wanted, fit->targets + (by_text ? row : offsets[row]),
                            (by_text ? 1 : count) * sizeof(int32_t));
}

static lm_status
add_letters(lm_layers_fit *fit, size_t row, size_t count)
{
    const size_t *offsets = (const size_t *)(const void *)fit->data->offsets.data;
    const int32_t *spelled = (const int32_t *)(const void *)fit->data->spelled.data + offsets[row];

    for (size_t i = 0; i < count; i++)
        LM_TRY(
            lm_letters_add(&fit->letters, lm_letters_get(&fit->data->letters, (size_t)spelled[i])));
    return LM_OK;
}

static lm_status
add_row(lm_layers_fit *fit, size_t row, size_t *tokens)
{
    const uint64_t number = row;
    size_t count;
    const int32_t *ids = lm_layers_ids(fit->data, row, &count);

    LM_TRY(lm_buffer_append(&fit->ids, ids, count * sizeof *ids));
    if (fit->data->spells)
        LM_TRY(add_letters(fit, row, count));
    *tokens += count;
    LM_TRY(lm_buffer_append(&fit->offsets, tokens, sizeof *tokens));
    LM_TRY(lm_buffer_append(&fit->numbers, &number, sizeof number));
    return add_targets(fit, row, count);
}

/* Room in a buffer, which is not filled. */
static lm_status
make_room(lm_buffer *buffer, size_t bytes)
{
    buffer->size = 0;
    return lm_buffer_reserve(buffer, bytes);
}

static lm_status
make_batch(lm_layers_fit *fit, const size_t *rows, size_t count, lm_net_batch *batch)
{
    size_t tokens = 0, longest;

    for (int i = 0; buffer_of(fit, i); i++)
        buffer_of(fit, i)->size = 0;
    lm_letters_clear(&fit->letters);
    LM_TRY(lm_buffer_append(&fit->offsets, &tokens, sizeof tokens));
    for (size_t i = 0; i < count; i++)
        LM_TRY(add_row(fit, rows[i], &tokens));
    *batch = (lm_net_batch){.tokens = tokens,
                            .texts = count,
                            .ids = (const int32_t *)(const void *)fit->ids.data,
                            .offsets = (const size_t *)(const void *)fit->offsets.data,
                            .rows = (const uint64_t *)(const void *)fit->numbers.data,
                            .letters = (const unsigned char *)fit->letters.bytes.data,
                            .letter_ends = (const size_t *)(const void *)fit->letters.ends.data};
    longest = lm_net_longest(count, batch->offsets);
    LM_TRY(make_room(&fit->order, count * sizeof(size_t)));
    LM_TRY(make_room(&fit->steps, (longest + 1) * sizeof(size_t)));
    lm_net_order(batch, (size_t *)(void *)fit->order.data, (size_t *)(void *)fit->steps.data);
    return LM_OK;
}

/* ---- Losses ---- */

static lm_crf
crf_of(const lm_layers_fit *fit, bool graded)
{
    const size_t first = fit->net->crf;
    const float **values = fit->store->values + first;
    float **grads = fit->store->grads + first;

    return (lm_crf){fit->net->out,
                    values[0],
                    values[1],
                    values[2],
                    graded ? grads[0] : NULL,
                    graded ? grads[1] : NULL,
                    graded ? grads[2] : NULL};
}

static lm_status
crf_loss(lm_layers_fit *fit, const lm_net_batch *batch, const float *out, double weight,
         double *loss, float *dout)
{
    const lm_crf crf = crf_of(fit, dout != NULL);
    const int32_t *wanted = (const int32_t *)(const void *)fit->wanted.data;

    LM_TRY(make_room(&fit->crf, lm_crf_room(crf.labels, batch->longest) * sizeof(double)));
    for (size_t text = 0; text < batch->texts; text++) {
        const size_t at = batch->offsets[text], tokens = batch->offsets[text + 1] - at;

        LM_TRY(lm_crf_loss(fit->ctx, &crf, tokens, out + at * crf.labels, wanted + at, weight,
                           (double *)(void *)fit->crf.data, loss,
                           dout ? dout + at * crf.labels : NULL));
    }
    return LM_OK;
}

/* Of one direction of a language model. */
static lm_status
way_loss(lm_layers_fit *fit, const lm_net_batch *batch, size_t way, const float *out, double weight,
         double *loss, float *dout)
{
    const lm_net_weights weights = lm_net_store_weights(fit->store);
    const lm_net_grads grads = lm_net_store_grads(fit->store);
    lm_words_softmax softmax = lm_net_softmax(fit->net, &weights, dout ? &grads : NULL);

    softmax.loss = &fit->loss;
    LM_TRY(make_room(&fit->values, lm_words_room(&softmax) * sizeof(float)));
    return lm_words_loss(fit->ctx, &softmax, batch, way, out, weight,
                         (float *)(void *)fit->values.data, loss, dout);
}

static lm_status
words_loss(lm_layers_fit *fit, const lm_net_batch *batch, const float *out, double weight,
           double *loss, float *dout)
{
    if (dout)
        memset(dout, 0, batch->tokens * fit->net->out * sizeof *dout);
    for (size_t way = 0; way < lm_layers_ways(fit->net); way++)
        LM_TRY(way_loss(fit, batch, way, out, weight, loss, dout));
    return LM_OK;
}

static lm_status
loss_of(lm_layers_fit *fit, const lm_net_batch *batch, const float *out, double weight,
        double *loss, float *dout)
{
    const size_t rows = fit->net->by_text ? batch->texts : batch->tokens;

    if (fit->net->softmax)
        return words_loss(fit, batch, out, weight, loss, dout);
    if (fit->net->crf)
        return crf_loss(fit, batch, out, weight, loss, dout);
    if (is_regression(fit)) {
        lm_squared_loss(rows, out, (const float *)(const void *)fit->values.data, weight, loss,
                        dout);
        return LM_OK;
    }
    return lm_cross_entropy_loss(fit->ctx, fit->store->kernels, &fit->loss, rows, fit->net->out,
                                 out, (const int32_t *)(const void *)fit->wanted.data, weight, loss,
                                 dout);
}

/* ---- The network ---- */

static lm_status
begin_epoch(void *self, uint64_t epoch, const size_t *rows, size_t count)
{
    lm_layers_fit *fit = self;

    return lm_layers_data_vary(fit->data, epoch, rows, count);
}

static lm_status
touch(void *self, const size_t *rows, size_t count)
{
    lm_layers_fit *fit = self;
    unsigned char *touched = fit->store->touched[0];

    for (size_t i = 0; touched && i < count; i++) {
        size_t tokens;
        const int32_t *ids = lm_layers_ids(fit->data, rows[i], &tokens);

        for (size_t t = 0; t < tokens; t++)
            touched[ids[t]] = 1;
    }
    return lm_poll(fit->ctx);
}

/* A word has a term in each direction. */
static double
words_of(const lm_layers_fit *fit, const size_t *rows, size_t count)
{
    const size_t *offsets = (const size_t *)(const void *)fit->data->offsets.data;
    size_t words = 0;

    for (size_t i = 0; i < count; i++)
        words += offsets[rows[i] + 1] - offsets[rows[i]];
    return (double)words;
}

/* As torch's mean and pytorch-crf's: of texts, of tokens, or of their classes' weights. */
static lm_status
weight_of(void *self, const size_t *rows, size_t count, double *weight)
{
    lm_layers_fit *fit = self;
    const size_t *offsets = (const size_t *)(const void *)fit->data->offsets.data;
    const bool by_text = fit->data->task->by_text;

    *weight = fit->net->softmax ? words_of(fit, rows, count) * (double)lm_layers_ways(fit->net) : 0;
    for (size_t i = 0; !fit->net->softmax && i < count; i++)
        *weight += fit->net->crf || is_regression(fit)
                       ? 1
                       : lm_cross_entropy_weight(
                             &fit->loss, fit->targets + (by_text ? rows[i] : offsets[rows[i]]),
                             by_text ? 1 : offsets[rows[i] + 1] - offsets[rows[i]]);
    return LM_OK;
}

static lm_status
run_forward(lm_layers_fit *fit, lm_net_batch *batch, const float **out)
{
    const lm_net_weights weights = lm_net_store_weights(fit->store);
    size_t bytes = 0;

    LM_TRY(lm_net_store_pack(fit->store));
    LM_TRY(lm_net_room(fit->ctx, fit->net, batch, &bytes));
    LM_TRY(make_room(&fit->room, bytes));
    return lm_net_forward(fit->ctx, fit->net, &weights, batch, fit->room.data, out);
}

static lm_status
pass(void *self, const size_t *rows, size_t count, const lm_pass *how, double *loss)
{
    lm_layers_fit *fit = self;
    const lm_net_weights weights = lm_net_store_weights(fit->store);
    const lm_net_grads grads = lm_net_store_grads(fit->store);
    lm_net_batch batch;
    const float *out;

    LM_TRY(make_batch(fit, rows, count, &batch));
    batch.training = batch.graded = how->training;
    batch.seed = how->seed;
    batch.step = how->step;
    LM_TRY(run_forward(fit, &batch, &out));
    LM_TRY(loss_of(fit, &batch, out, how->weight, loss,
                   how->training ? lm_net_gradient(fit->net, &batch, fit->room.data) : NULL));
    return how->training
               ? lm_net_backward(fit->ctx, fit->net, &weights, &batch, fit->room.data, &grads)
               : LM_OK;
}

static size_t
row_bytes(void *self, size_t row)
{
    lm_layers_fit *fit = self;
    lm_net_batch batch = {.texts = 1, .training = true, .graded = true};
    size_t bytes = 0;

    (void)lm_layers_ids(fit->data, row, &batch.tokens);
    batch.longest = batch.tokens;
    return lm_net_room(fit->ctx, fit->net, &batch, &bytes) == LM_OK ? bytes : SIZE_MAX / 2;
}

/* ---- Held-out rows ---- */

#define MEASURED 64 /* rows at a time */

/* The tags of a text, as they are wanted and as they were found. */
static lm_status
add_tags(lm_layers_fit *fit, const int32_t *wanted, const int32_t *found, size_t count)
{
    lm_text *tags = lm_alloc_array(fit->ctx, 2 * count + 1, sizeof *tags);
    lm_status status;

    if (!tags)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        tags[i] = (lm_text){fit->names[wanted[i]], strlen(fit->names[wanted[i]])};
        tags[count + i] = (lm_text){fit->names[found[i]], strlen(fit->names[found[i]])};
    }
    status = lm_entities_add(fit->entities, tags, tags + count, count);
    lm_free(fit->ctx, tags);
    return status;
}

/* F1 of entities, micro-averaged; NaN where there is none. */
static lm_status
finish_entities(lm_layers_fit *fit, lm_measures *measures)
{
    lm_label_score *scores = NULL;
    lm_averages averages;
    size_t count = 0;

    LM_TRY(lm_entities_scores(fit->entities, &scores, &count, &averages));
    lm_free(fit->ctx, scores);
    lm_measures_add(measures, "f1", count > 0 ? averages.micro.f1 : (double)NAN);
    return LM_OK;
}

/* How many are right; of a net with a CRF by the best labels together. */
static lm_status
count_right(lm_layers_fit *fit, const lm_net_batch *batch, const float *out, size_t *right,
            size_t *all)
{
    const int32_t *wanted = (const int32_t *)(const void *)fit->wanted.data;
    const size_t rows = fit->net->by_text ? batch->texts : batch->tokens, labels = fit->net->out;
    const lm_crf crf = fit->net->crf ? crf_of(fit, false) : (lm_crf){.labels = 0};
    int32_t *found = lm_alloc_array(fit->ctx, rows, sizeof *found);
    lm_status status = found ? LM_OK : LM_NO_MEMORY;

    for (size_t i = 0; found && !fit->net->crf && i < rows; i++)
        found[i] = (int32_t)lm_best_number(out + i * labels, labels);
    for (size_t b = 0; status == LM_OK && fit->net->crf && b < batch->texts; b++)
        status = lm_crf_decode(fit->ctx, &crf, batch->offsets[b + 1] - batch->offsets[b],
                               out + batch->offsets[b] * labels, (double *)(void *)fit->crf.data,
                               found + batch->offsets[b]);
    for (size_t i = 0; status == LM_OK && i < rows; i++)
        *right += found[i] == wanted[i];
    for (size_t b = 0; status == LM_OK && !fit->net->by_text && b < batch->texts; b++)
        status = add_tags(fit, wanted + batch->offsets[b], found + batch->offsets[b],
                          batch->offsets[b + 1] - batch->offsets[b]);
    *all += rows;
    lm_free(fit->ctx, found);
    return status;
}

/* Of the forward direction: the mean logarithm of a word's probability, and its perplexity. */
static lm_status
measure_words(lm_layers_fit *fit, const size_t *rows, size_t count, lm_measures *measures)
{
    const double words = words_of(fit, rows, count), ways = (double)lm_layers_ways(fit->net);
    double forward = 0;

    for (size_t first = 0; first < count; first += MEASURED) {
        const size_t some = count - first < MEASURED ? count - first : MEASURED;
        lm_net_batch batch;
        const float *out;

        LM_TRY(make_batch(fit, rows + first, some, &batch));
        LM_TRY(run_forward(fit, &batch, &out));
        LM_TRY(way_loss(fit, &batch, 0, out, words, &forward, NULL));
        for (size_t way = 1; way < lm_layers_ways(fit->net); way++)
            LM_TRY(way_loss(fit, &batch, way, out, words * ways, &measures->loss, NULL));
    }
    measures->loss += forward / ways;
    lm_measures_add(measures, "log_probability", -forward);
    lm_measures_add(measures, "perplexity", exp(forward));
    return LM_OK;
}

static lm_status
measure_rows(lm_layers_fit *fit, const size_t *rows, size_t count, lm_measures *measures)
{
    size_t right = 0, all = 0;
    double weight;

    LM_TRY(weight_of(fit, rows, count, &weight));
    for (size_t first = 0; first < count; first += MEASURED) {
        const size_t some = count - first < MEASURED ? count - first : MEASURED;
        lm_net_batch batch;
        const float *out;

        LM_TRY(make_batch(fit, rows + first, some, &batch));
        LM_TRY(run_forward(fit, &batch, &out));
        LM_TRY(loss_of(fit, &batch, out, weight, &measures->loss, NULL));
        if (!is_regression(fit))
            LM_TRY(count_right(fit, &batch, out, &right, &all));
    }
    if (all > 0)
        lm_measures_add(measures, "accuracy", (double)right / (double)all);
    return fit->entities ? finish_entities(fit, measures) : LM_OK;
}

static lm_status
measure(void *self, const size_t *rows, size_t count, lm_measures *measures)
{
    lm_layers_fit *fit = self;
    lm_status status = LM_OK;

    if (fit->net->softmax)
        return measure_words(fit, rows, count, measures);
    if (!fit->net->by_text)
        status = lm_entities_create(fit->ctx, NULL, &fit->entities);
    if (status == LM_OK)
        status = measure_rows(fit, rows, count, measures);
    lm_entities_free(fit->entities);
    fit->entities = NULL;
    return status;
}

lm_network
lm_layers_network(lm_layers_fit *fit)
{
    return (lm_network){.self = fit,
                        .params = fit->store->params,
                        .param_count = fit->net->param_count,
                        .rows = fit->data->rows,
                        .epoch = fit->data->augmented.options.count > 0 ? begin_epoch : NULL,
                        .touch = touch,
                        .weight = weight_of,
                        .pass = pass,
                        .measure = measure,
                        .row_bytes = row_bytes};
}
