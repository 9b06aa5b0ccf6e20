/*
 * trainer.c - the loop of a training.
 *
 * What a checkpoint holds is all that the rest of a run depends on: `progress`, the values, the
 * optimizer's state, the average and the best. Order and noise follow from the seed and the step.
 */
#include "optim/trainer.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "optim/batches.h"
#include "optim/copies.h"

#define MAGIC UINT64_C(0x3154504b434d4c54) /* "TLMCKPT1" */

/* The plain numbers of a checkpoint. */
typedef struct progress {
    uint64_t magic, settings; /* a hash of what must be the same */
    int64_t step;
    double loss_sum; /* since the last report */
    int64_t loss_steps;
    double loss, gradient_norm, rate; /* of the last report, of the last step */
    int64_t best_step, without_gain;
    lm_measures best;
    bool stopped;
} progress;

typedef struct trainer {
    lm_context *ctx;
    const lm_network *network;
    const lm_trainer_options *options;
    const lm_trainer_hooks *hooks;
    const size_t *order;
    size_t trained, count;
    int64_t steps, epoch_steps; /* of the run, of an epoch */
    int64_t epoch;              /* whose order `rows` is; −1: none */
    size_t *rows;
    lm_schedule schedule;
    lm_optimizer *optimizer;
    float *average, *best; /* NULL: not wanted */
    progress at;
} trainer;

static lm_status open_trainer(trainer *t);
static void close_trainer(trainer *t);
static lm_status load(trainer *t, const lm_buffer *bytes);
static lm_status save(trainer *t);
static lm_status check_values(trainer *t);
static lm_status run_steps(trainer *t);
static lm_status train_step(trainer *t, const size_t *rows, size_t count);
static lm_status evaluate(trainer *t, lm_measures *measures);
static void report(trainer *t, const lm_measures *measures);
static lm_status finish(trainer *t, lm_trainer_result *result);

void
lm_trainer_defaults(lm_trainer_options *options)
{
    *options = (lm_trainer_options){.optimizer = lm_optimizers[2],
                                    .schedule = lm_schedules[0],
                                    .schedule_every = 1,
                                    .gamma = 0.1,
                                    .epochs = 3,
                                    .batch_size = 32,
                                    .accumulate = 1,
                                    .shuffle = true,
                                    .seed = 42,
                                    .log_steps = 10};
    options->optimizer->defaults(&options->update);
}

void
lm_measures_add(lm_measures *measures, const char *name, double value)
{
    if (measures->count == LM_MEASURES_MAX)
        return;
    lm_copy_text(measures->names[measures->count], LM_MEASURE_NAME, name);
    measures->values[measures->count++] = value;
}

static int64_t
steps_of_epoch(const lm_trainer_options *options, size_t trained)
{
    const size_t batch = options->batch_size > 0 ? (size_t)options->batch_size : 1;

    return (int64_t)(trained / batch + (trained % batch != 0));
}

int64_t
lm_trainer_steps(const lm_trainer_options *options, size_t trained)
{
    return options->steps > 0 ? options->steps : options->epochs * steps_of_epoch(options, trained);
}

lm_status
lm_trainer_run(lm_context *ctx, const lm_network *network, const lm_trainer_options *options,
               const size_t *order, size_t trained, size_t count, const lm_buffer *resume,
               const lm_trainer_hooks *hooks, lm_trainer_result *result)
{
    trainer t = {.ctx = ctx,
                 .network = network,
                 .options = options,
                 .hooks = hooks,
                 .order = order,
                 .trained = trained,
                 .count = count,
                 .epoch = -1};
    lm_status status = open_trainer(&t);

    if (status == LM_OK && resume)
        status = load(&t, resume);
    if (status == LM_OK)
        status = run_steps(&t);
    if (status == LM_OK)
        status = finish(&t, result);
    close_trainer(&t);
    return status;
}

/* ---- Opening ---- */

/* What a checkpoint must agree with. */
static uint64_t
settings_of(const trainer *t)
{
    const lm_trainer_options *o = t->options;
    const double numbers[] = {(double)t->trained,
                              (double)t->count,
                              (double)t->steps,
                              (double)o->batch_size,
                              (double)o->accumulate,
                              (double)o->memory,
                              o->shuffle,
                              (double)o->seed,
                              o->warmup,
                              (double)o->schedule_every,
                              o->gamma,
                              o->clip_norm,
                              o->clip_value,
                              o->ema,
                              (double)o->patience,
                              o->update.learning_rate,
                              o->update.momentum,
                              o->update.nesterov,
                              o->update.beta1,
                              o->update.beta2,
                              o->update.alpha,
                              o->update.eps,
                              o->update.weight_decay};
    uint64_t hash = lm_hash_bytes(numbers, sizeof numbers, 0);

    hash = lm_hash_bytes(o->optimizer->name, strlen(o->optimizer->name), hash);
    hash = lm_hash_bytes(o->schedule->name, strlen(o->schedule->name), hash);
    for (size_t i = 0; i < t->network->param_count; i++) {
        const size_t shape[] = {t->network->params[i].rows, t->network->params[i].columns};

        hash = lm_hash_bytes(shape, sizeof shape, hash);
    }
    return hash;
}

static void
plan_steps(trainer *t)
{
    const lm_trainer_options *o = t->options;
    double warmup = o->warmup;

    t->steps = lm_trainer_steps(o, t->trained);
    t->epoch_steps = steps_of_epoch(o, t->trained);
    if (warmup < 1)
        warmup = ceil(warmup * (double)t->steps);
    t->schedule = (lm_schedule){.steps = (uint64_t)t->steps,
                                .warmup = (uint64_t)warmup,
                                .every = (uint64_t)o->schedule_every,
                                .gamma = o->gamma};
}

static lm_status
open_trainer(trainer *t)
{
    const lm_network *network = t->network;

    if (t->trained == 0)
        return lm_raise(t->ctx, LM_BAD_ARGUMENT, "there is no row to train on");
    plan_steps(t);
    t->at.magic = MAGIC;
    t->at.settings = settings_of(t);
    t->at.loss = t->at.gradient_norm = NAN;
    if (!(t->rows = lm_alloc_array(t->ctx, t->trained, sizeof *t->rows)))
        return LM_NO_MEMORY;
    if (t->options->ema > 0 && !(t->average = lm_values_open(t->ctx, network)))
        return t->ctx->error.status;
    if (t->options->patience > 0 && !(t->best = lm_values_open(t->ctx, network)))
        return t->ctx->error.status;
    if (t->average)
        LM_TRY(lm_values_keep(t->ctx, network, t->average));
    return lm_optimizer_open(t->ctx, t->options->optimizer, &t->options->update, network->params,
                             network->param_count, &t->optimizer);
}

static void
close_trainer(trainer *t)
{
    lm_optimizer_close(t->optimizer);
    lm_free(t->ctx, t->average);
    lm_free(t->ctx, t->best);
    lm_free(t->ctx, t->rows);
}

/* ---- Checkpoints: progress, values, average, best, the optimizer ---- */

static lm_status
append_values(trainer *t, const float *copy, lm_buffer *bytes)
{
    size_t size;

    if (!copy || lm_values_overflow(t->network, &size))
        return LM_OK;
    return lm_bytes_append(t->ctx, copy, size, bytes);
}

/* All bytes, settled: nothing waits. The hook takes them. */
static lm_status
save_to(trainer *t, lm_buffer *bytes)
{
    LM_TRY(lm_optimizer_settle(t->optimizer));
    LM_TRY(check_values(t));
    LM_TRY(lm_buffer_append(bytes, &t->at, sizeof t->at));
    for (size_t i = 0; i < t->network->param_count; i++) {
        const lm_param *param = &t->network->params[i];

        LM_TRY(lm_bytes_append(t->ctx, param->value, param->rows * param->columns * sizeof(float),
                               bytes));
    }
    LM_TRY(append_values(t, t->average, bytes));
    LM_TRY(append_values(t, t->best, bytes));
    LM_TRY(lm_optimizer_save(t->optimizer, bytes));
    return t->hooks->checkpoint(t->hooks->opaque, t->ctx, t->at.step, bytes);
}

static lm_status
save(trainer *t)
{
    const int64_t every = t->options->checkpoint_steps;
    lm_buffer bytes;
    lm_status status;

    if (every <= 0 || t->at.step % every != 0 || !t->hooks->checkpoint)
        return LM_OK;
    lm_buffer_init(&bytes, t->ctx);
    status = save_to(t, &bytes);
    lm_buffer_free(&bytes);
    return status;
}

/* Values one behind the other. */
static lm_status
load_values(trainer *t, float *copy, const char **at)
{
    size_t size;

    if (!copy || lm_values_overflow(t->network, &size))
        return LM_OK;
    LM_TRY(lm_bytes_copy(t->ctx, copy, *at, size));
    *at += size;
    return LM_OK;
}

static lm_status
refuse(trainer *t, const char *why)
{
    lm_raise(t->ctx, LM_BAD_ARGUMENT, "a training cannot go on from this checkpoint: %s", why);
    return lm_detail_hint(t->ctx, "Start it anew, without the option resume.");
}

static bool
is_between(int64_t number, int64_t low, int64_t high)
{
    return number >= low && number <= high;
}

/* A figure's name goes into JSON as it is. */
static bool
is_name(const char name[LM_MEASURE_NAME])
{
    const size_t length = strnlen(name, LM_MEASURE_NAME);

    return length < LM_MEASURE_NAME &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == length;
}

/* A checkpoint lies where its owner can write: no number is taken at its word. */
static bool
is_sane(const trainer *t, const progress *at)
{
    unsigned char stopped;

    memcpy(&stopped, &at->stopped, 1);
    if (stopped > 1 || !is_between(at->step, 1, t->steps) ||
        !is_between(at->loss_steps, 0, at->step) || !is_between(at->best_step, 0, at->step) ||
        !is_between(at->without_gain, 0, at->step) ||
        !is_between(at->best.count, 0, LM_MEASURES_MAX))
        return false;
    for (int i = 0; i < at->best.count; i++)
        if (!is_name(at->best.names[i]))
            return false;
    return true;
}

/* The plain numbers. */
static lm_status
load_progress(trainer *t, const char *bytes)
{
    progress kept;

    memcpy(&kept, bytes, sizeof kept);
    if (kept.magic != MAGIC)
        return refuse(t, "it is of another version");
    if (kept.settings != t->at.settings)
        return refuse(t, "it is of other options or other rows");
    if (!is_sane(t, &kept))
        return refuse(t, "it is damaged");
    t->at = kept;
    return LM_OK;
}

static lm_status
load(trainer *t, const lm_buffer *bytes)
{
    const char *at = bytes->data;
    size_t values, whole;

    if (lm_values_overflow(t->network, &values))
        return lm_raise(t->ctx, LM_TOO_LARGE, "the parameters of a training are too large");
    whole = sizeof t->at + values * (1 + (t->average != NULL) + (t->best != NULL));
    if (bytes->size < whole)
        return refuse(t, "it is too short");
    LM_TRY(load_progress(t, at));
    at += sizeof t->at;
    for (size_t i = 0; i < t->network->param_count; i++) {
        const lm_param *param = &t->network->params[i];
        const size_t size = param->rows * param->columns * sizeof(float);

        LM_TRY(lm_bytes_copy(t->ctx, param->value, at, size));
        at += size;
    }
    LM_TRY(load_values(t, t->average, &at));
    LM_TRY(load_values(t, t->best, &at));
    LM_TRY(lm_optimizer_load(t->optimizer, bytes->data + whole, bytes->size - whole));
    return lm_optimizer_steps(t->optimizer) == (uint64_t)t->at.step ? LM_OK
                                                                    : refuse(t, "it is damaged");
}

/* ---- Steps ---- */

static lm_status
begin_epoch(trainer *t, uint64_t epoch)
{
    const lm_network *network = t->network;

    LM_TRY(lm_epoch_order(t->ctx, t->order, t->trained, t->options->shuffle, t->options->seed,
                          epoch, t->rows));
    return network->epoch ? network->epoch(network->self, epoch, t->rows, t->trained) : LM_OK;
}

/* The rows of the step that comes. */
static lm_status
batch_of(trainer *t, const size_t **rows, size_t *count)
{
    const int64_t epoch = t->at.step / t->epoch_steps, place = t->at.step % t->epoch_steps;
    const size_t batch = (size_t)t->options->batch_size, from = (size_t)place * batch;

    if (epoch != t->epoch)
        LM_TRY(begin_epoch(t, (uint64_t)epoch));
    t->epoch = epoch;
    *rows = t->rows + from;
    *count = t->trained - from < batch ? t->trained - from : batch;
    return LM_OK;
}

static bool
is_epoch_end(const trainer *t)
{
    return t->at.step % t->epoch_steps == 0 || t->at.step == t->steps;
}

static lm_status
run_steps(trainer *t)
{
    while (t->at.step < t->steps && !t->at.stopped) {
        const int64_t every = t->options->log_steps;
        const size_t *rows;
        lm_measures measures = {.loss = 0};
        size_t count;
        bool measured;

        LM_TRY(batch_of(t, &rows, &count));
        LM_TRY(train_step(t, rows, count));
        measured = is_epoch_end(t) && t->count > t->trained;
        if (measured)
            LM_TRY(evaluate(t, &measures));
        if (is_epoch_end(t) || (every > 0 && t->at.step % every == 0))
            report(t, measured ? &measures : NULL);
        LM_TRY(save(t));
    }
    return LM_OK;
}

/* The cause is not seen from here, so the hint names the usual ones. */
static lm_status
stop_at(trainer *t, const char *what, int64_t step, double value)
{
    lm_raise(t->ctx, LM_NOT_FINITE, "the %s of a training is not finite at step %lld", what,
             (long long)step);
    lm_detail_found(t->ctx,
                    "%g, at the learning rate %g; the gradient norm of the step before was "
                    "%g",
                    value, t->at.rate, t->at.gradient_norm);
    return lm_detail_hint(t->ctx, "Lower the learning_rate, warm up longer, or set clip_norm. "
                                  "The last checkpoint is kept.");
}

/* A step can overflow what the loss has not seen yet: that is neither kept nor a result. */
static lm_status
check_values(trainer *t)
{
    bool finite;

    LM_TRY(lm_values_check(t->ctx, t->network, &finite));
    return finite ? LM_OK : stop_at(t, "outcome", t->at.step, (double)INFINITY);
}

/* Loss and gradients of a batch, part by part. */
static lm_status
pass_batch(trainer *t, const size_t *rows, size_t count, double *loss)
{
    const lm_network *network = t->network;
    const lm_cut cut = {(size_t)t->options->accumulate, t->options->memory};
    lm_pass pass = {.weight = (double)count,
                    .seed = t->options->seed,
                    .step = (uint64_t)t->at.step,
                    .training = true};

    if (network->weight)
        LM_TRY(network->weight(network->self, rows, count, &pass.weight));
    return pass.weight > 0 ? lm_run_parts(t->ctx, network, &cut, rows, count, &pass, loss) : LM_OK;
}

/* Clip as the options say; what is not finite must not reach the parameters. */
static lm_status
clip(trainer *t)
{
    const lm_network *network = t->network;
    double norm;

    if (t->options->clip_value > 0)
        LM_TRY(
            lm_clip_value(t->ctx, network->params, network->param_count, t->options->clip_value));
    LM_TRY(
        lm_clip_norm(t->ctx, network->params, network->param_count, t->options->clip_norm, &norm));
    if (!isfinite(norm))
        return stop_at(t, "gradient", t->at.step + 1, norm);
    t->at.gradient_norm = norm;
    return LM_OK;
}

static lm_status
update_average(trainer *t)
{
    if (!t->average)
        return LM_OK;
    LM_TRY(lm_optimizer_settle(t->optimizer));
    return lm_values_average(t->ctx, t->network, t->options->ema, t->average);
}

static lm_status
train_step(trainer *t, const size_t *rows, size_t count)
{
    const lm_network *network = t->network;
    double loss = 0;

    t->at.rate = t->options->update.learning_rate *
                 t->options->schedule->factor(&t->schedule, (uint64_t)t->at.step);
    LM_TRY(lm_clear_gradients(t->ctx, network->params, network->param_count));
    if (network->touch) {
        LM_TRY(network->touch(network->self, rows, count));
        LM_TRY(lm_optimizer_ready(t->optimizer));
    }
    LM_TRY(pass_batch(t, rows, count, &loss));
    if (!isfinite(loss))
        return stop_at(t, "loss", t->at.step + 1, loss);
    LM_TRY(clip(t));
    LM_TRY(lm_optimizer_step(t->optimizer, t->at.rate));
    t->at.step++;
    t->at.loss_sum += loss;
    t->at.loss_steps++;
    return update_average(t);
}

/* ---- Held-out rows ---- */

/* As lm_measures says; a NaN is worse than all. */
static bool
is_better(const lm_measures *a, const lm_measures *b)
{
    if (a->count > 0 && b->count > 0 && a->values[0] != b->values[0])
        return a->values[0] > b->values[0] || (isnan(b->values[0]) && !isnan(a->values[0]));
    return a->loss < b->loss || (isnan(b->loss) && !isnan(a->loss));
}

/* Of the parameters that would be the result: the values are those when it is called. */
static lm_status
judge(trainer *t, lm_measures *measures)
{
    const size_t *held_out = t->order + t->trained;

    LM_TRY(t->network->measure(t->network->self, held_out, t->count - t->trained, measures));
    if (t->at.best_step > 0 && !is_better(measures, &t->at.best)) {
        t->at.without_gain++;
        t->at.stopped = t->options->patience > 0 && t->at.without_gain >= t->options->patience;
        return LM_OK;
    }
    t->at.best = *measures;
    t->at.best_step = t->at.step;
    t->at.without_gain = 0;
    return t->best ? lm_values_keep(t->ctx, t->network, t->best) : LM_OK;
}

static lm_status
evaluate(trainer *t, lm_measures *measures)
{
    lm_status status;

    LM_TRY(lm_optimizer_settle(t->optimizer));
    if (t->average)
        LM_TRY(lm_values_swap(t->ctx, t->network, t->average));
    status = judge(t, measures);
    if (status == LM_OK && t->average)
        status = lm_values_swap(t->ctx, t->network, t->average);
    return status;
}

/* ---- Out ---- */

static void
report(trainer *t, const lm_measures *measures)
{
    if (t->at.loss_steps > 0)
        t->at.loss = t->at.loss_sum / (double)t->at.loss_steps;
    t->at.loss_sum = 0;
    t->at.loss_steps = 0;
    if (t->hooks->report)
        t->hooks->report(t->hooks->opaque,
                         &(lm_trainer_report){.step = t->at.step,
                                              .steps = t->steps,
                                              .epoch = (t->at.step - 1) / t->epoch_steps + 1,
                                              .loss = t->at.loss,
                                              .learning_rate = t->at.rate,
                                              .gradient_norm = t->at.gradient_norm,
                                              .held_out = measures});
}

static lm_status
finish(trainer *t, lm_trainer_result *result)
{
    LM_TRY(lm_optimizer_settle(t->optimizer));
    if (t->best && t->at.best_step > 0)
        LM_TRY(lm_values_restore(t->ctx, t->network, t->best));
    else if (t->average)
        LM_TRY(lm_values_restore(t->ctx, t->network, t->average));
    LM_TRY(check_values(t));
    *result = (lm_trainer_result){.steps = t->at.step,
                                  .best_step = t->at.best_step,
                                  .loss = t->at.loss,
                                  .best = t->at.best,
                                  .stopped_early = t->at.stopped};
    return LM_OK;
}
