/*
 * adversary.c - passes with noise. The gradient that noise follows is the whole batch's, so the
 * trainer hands over whole batches, which are cut here for each of the passes.
 */
#include "optim/adversary.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "optim/copies.h"
#include "optim/optimizer.h"

static const lm_adversary_kind fgm = {.name = "fgm", .eps = 1, .alpha = 1, .steps = 1};
static const lm_adversary_kind pgd = {
    .name = "pgd", .eps = 1, .alpha = 0.3, .steps = 3, .many = true};

const lm_adversary_kind *const lm_adversary_kinds[] = {&fgm, &pgd, NULL};

/* ---- The table: rows that have a gradient, and so get noise ---- */

#define PIECE ((size_t)1 << 16) /* numbers between polls */

/* Of a row: its values, their gradient, and what they were before the noise. */
typedef void (*row_function)(size_t count, float *value, const float *grad, float *kept,
                             double *number);

static bool
is_reached(const lm_param *table, size_t row)
{
    return !table->touched || table->touched[row];
}

static lm_status
each_row(const lm_adversary *a, row_function run, double *number)
{
    const size_t width = a->table->columns;
    float *kept = (float *)(void *)a->values.data;
    size_t work = 0;

    for (size_t row = 0; row < a->table->rows; row++) {
        if (!is_reached(a->table, row))
            continue;
        run(width, a->table->value + row * width, a->table->grad + row * width, kept, number);
        kept += width;
        if ((work += width) < PIECE)
            continue;
        work = 0;
        LM_TRY(lm_poll(a->ctx));
    }
    return LM_OK;
}

static void
keep(size_t count, float *value, const float *grad, float *kept, double *number)
{
    memcpy(kept, value, count * sizeof *kept);
}

static void
restore(size_t count, float *value, const float *grad, float *kept, double *number)
{
    memcpy(value, kept, count * sizeof *kept);
}

static void
follow(size_t count, float *value, const float *grad, float *kept, double *factor)
{
    for (size_t i = 0; i < count; i++)
        value[i] += (float)(*factor * grad[i]);
}

static void
add_squares(size_t count, float *value, const float *grad, float *kept, double *squares)
{
    for (size_t i = 0; i < count; i++) {
        const double noise = (double)value[i] - kept[i];

        *squares += noise * noise;
    }
}

static void
scale(size_t count, float *value, const float *grad, float *kept, double *factor)
{
    for (size_t i = 0; i < count; i++)
        value[i] = (float)(kept[i] + *factor * ((double)value[i] - kept[i]));
}

static lm_status
keep_values(lm_adversary *a)
{
    size_t rows = 0, bytes;

    for (size_t row = 0; row < a->table->rows; row++)
        rows += is_reached(a->table, row);
    if (lm_mul_overflows(rows, a->table->columns * sizeof(float), &bytes))
        return lm_raise(a->ctx, LM_TOO_LARGE, "a table of embeddings is too large");
    a->values.size = 0;
    LM_TRY(lm_buffer_reserve(&a->values, bytes));
    return each_row(a, keep, NULL);
}

/* One step along the gradient, and back into the ball. */
static lm_status
move(const lm_adversary *a)
{
    double length, factor, squares = 0;

    LM_TRY(lm_clip_norm(a->ctx, a->table, 1, 0, &length));
    /* Without a gradient there is nowhere to go; one that is not finite ends the training. */
    if (!(length > 0) || !isfinite(length))
        return LM_OK;
    factor = a->options.alpha / length;
    LM_TRY(each_row(a, follow, &factor));
    LM_TRY(each_row(a, add_squares, &squares));
    factor = a->options.eps / sqrt(squares);
    return factor < 1 ? each_row(a, scale, &factor) : LM_OK;
}

/* ---- Passes ---- */

/* Rows of the table stay marked. */
static lm_status
clear(const lm_adversary *a, const size_t *rows, size_t count)
{
    LM_TRY(lm_clear_gradients(a->ctx, a->inner.params, a->inner.param_count));
    return a->inner.touch ? a->inner.touch(a->inner.self, rows, count) : LM_OK;
}

/*
 * Steps of noise, each with a pass behind it. But for the last one's, gradients only say where to
 * go on: so the clean ones are put aside, and come back before the last pass adds to them.
 */
static lm_status
pass_noise(lm_adversary *a, const size_t *rows, size_t count, const lm_pass *pass)
{
    if (a->clean)
        LM_TRY(lm_values_keep(a->ctx, &a->gradients, a->clean));
    for (int64_t step = 0; step < a->options.steps; step++) {
        double loss = 0;

        LM_TRY(move(a));
        if (step + 1 < a->options.steps)
            LM_TRY(clear(a, rows, count));
        else if (a->clean)
            LM_TRY(lm_values_restore(a->ctx, &a->gradients, a->clean));
        LM_TRY(lm_run_parts(a->ctx, &a->inner, &a->cut, rows, count, pass, &loss));
    }
    return LM_OK;
}

static lm_status
adversary_pass(void *self, const size_t *rows, size_t count, const lm_pass *pass, double *loss)
{
    lm_adversary *a = self;

    LM_TRY(lm_run_parts(a->ctx, &a->inner, &a->cut, rows, count, pass, loss));
    if (!pass->training)
        return LM_OK;
    LM_TRY(keep_values(a));
    LM_TRY(pass_noise(a, rows, count, pass));
    return each_row(a, restore, NULL);
}

static lm_status
adversary_epoch(void *self, uint64_t epoch, const size_t *rows, size_t count)
{
    lm_adversary *a = self;

    return a->inner.epoch(a->inner.self, epoch, rows, count);
}

static lm_status
adversary_touch(void *self, const size_t *rows, size_t count)
{
    lm_adversary *a = self;

    return a->inner.touch(a->inner.self, rows, count);
}

static lm_status
adversary_weight(void *self, const size_t *rows, size_t count, double *weight)
{
    lm_adversary *a = self;

    return a->inner.weight(a->inner.self, rows, count, weight);
}

static lm_status
adversary_measure(void *self, const size_t *rows, size_t count, lm_measures *measures)
{
    lm_adversary *a = self;

    return a->inner.measure(a->inner.self, rows, count, measures);
}

/* ---- Opening ---- */

/* Gradients as values of parameters, so that they are copied like these. */
static lm_status
open_gradients(lm_adversary *a)
{
    const size_t count = a->inner.param_count;
    lm_param *params = lm_alloc_array(a->ctx, count, sizeof *params);

    if (!params)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        params[i] = a->inner.params[i];
        params[i].value = params[i].grad;
    }
    a->gradients = (lm_network){.params = params, .param_count = count};
    a->clean = lm_values_open(a->ctx, &a->gradients);
    return a->clean ? LM_OK : a->ctx->error.status;
}

lm_status
lm_adversary_open(lm_context *ctx, const lm_network *network, const lm_param *table,
                  const lm_adversary_options *options, const lm_cut *cut, lm_adversary *adversary)
{
    *adversary = (lm_adversary){
        .ctx = ctx, .options = *options, .inner = *network, .table = table, .cut = *cut};
    lm_buffer_init(&adversary->values, ctx);
    return options->steps > 1 ? open_gradients(adversary) : LM_OK;
}

void
lm_adversary_close(lm_adversary *adversary)
{
    if (!adversary->ctx)
        return;
    lm_free(adversary->ctx, adversary->clean);
    lm_free(adversary->ctx, adversary->gradients.params);
    lm_buffer_free(&adversary->values);
}

void
lm_adversary_network(lm_adversary *adversary, lm_network *network)
{
    const lm_network *inner = &adversary->inner;

    *network = *inner;
    network->self = adversary;
    network->whole_batches = true;
    network->row_bytes = NULL;
    network->epoch = inner->epoch ? adversary_epoch : NULL;
    network->touch = inner->touch ? adversary_touch : NULL;
    network->weight = inner->weight ? adversary_weight : NULL;
    network->pass = adversary_pass;
    network->measure = inner->measure ? adversary_measure : NULL;
}
