/*
 * neural.c - options of neural trainings made ready for the trainer, and its run as a method's.
 */
#include "train/neural.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "format/json.h"
#include "train/split.h"

#define MB ((size_t)1 << 20)

void
lm_neural_defaults(lm_neural_options *options)
{
    *options = (lm_neural_options){.epochs = 3,
                                   .batch_size = 32,
                                   .accumulate = 1,
                                   .seed = 42,
                                   .log_steps = 10,
                                   .schedule_every = 1,
                                   .shuffle = true,
                                   .learning_rate = NAN,
                                   .momentum = NAN,
                                   .alpha = NAN,
                                   .eps = NAN,
                                   .weight_decay = NAN,
                                   .gamma = 0.1,
                                   .hold_out = 0.1};
}

/* ---- Words ---- */

static lm_status
refuse(lm_context *ctx, const char *key, const char *found, const char *allowed)
{
    lm_raise(ctx, LM_BAD_ARGUMENT, "option \"%s\" must be %s", key, allowed);
    lm_detail_key(ctx, "%s", key);
    lm_detail_found(ctx, "%s", found);
    return ctx->error.status;
}

static lm_status
choose_optimizer(lm_context *ctx, const char *name, lm_trainer_options *trainer)
{
    for (int i = 0; lm_optimizers[i]; i++)
        if (!name || strcmp(lm_optimizers[i]->name, name) == 0) {
            trainer->optimizer = name ? lm_optimizers[i] : trainer->optimizer;
            trainer->optimizer->defaults(&trainer->update);
            return LM_OK;
        }
    return refuse(ctx, "optimizer", name, "sgd, adam, adamw, adagrad or rmsprop");
}

static lm_status
choose_schedule(lm_context *ctx, const char *name, lm_trainer_options *trainer)
{
    for (int i = 0; lm_schedules[i]; i++)
        if (!name || strcmp(lm_schedules[i]->name, name) == 0) {
            trainer->schedule = lm_schedules[i];
            return LM_OK;
        }
    return refuse(ctx, "schedule", name, "constant, linear, cosine or step");
}

/* "auto": 16 bits where the CPU multiplies them faster. */
static lm_status
choose_precision(lm_context *ctx, const char *name, lm_precision *precision)
{
    *precision = LM_PRECISION_F32;
    if (!name)
        return LM_OK;
    if (strcmp(name, "auto") == 0) {
        if (lm_kernels_active()->level >= LM_LEVEL_AVX512_BF16)
            *precision = LM_PRECISION_BF16;
        return LM_OK;
    }
    if (lm_precision_find(name, precision) && *precision != LM_PRECISION_INT8)
        return LM_OK;
    return refuse(ctx, "precision", name, "fp32, bf16 or auto");
}

/* ---- Numbers ---- */

static void
set_given(double given, double *number)
{
    if (!isnan(given))
        *number = given;
}

static bool
is_beta(const lm_json *value)
{
    return value && value->type == LM_JSON_NUMBER && value->as.number >= 0 && value->as.number < 1;
}

static lm_status
read_betas(lm_context *ctx, const char *json, lm_optimizer_options *update)
{
    lm_arena arena;
    const lm_json *root = NULL;
    lm_status status;

    lm_arena_init(&arena, ctx);
    status = lm_json_parse(ctx, &arena, json, strlen(json), "options", &root);
    if (status == LM_OK) {
        const lm_json *first = root->type == LM_JSON_ARRAY ? root->as.items.first : NULL;

        if (first && root->as.items.count == 2 && is_beta(first) && is_beta(first->next)) {
            update->beta1 = first->as.number;
            update->beta2 = first->next->as.number;
        } else
            status = refuse(ctx, "betas", json, "an array of two numbers from 0 to below 1");
    }
    lm_arena_free(&arena);
    return status;
}

static const lm_adversary_kind *
kind_named(const lm_json *name)
{
    const lm_adversary_kind *const *kind = lm_adversary_kinds;

    while (*kind && !(name && lm_json_is_string(name, (*kind)->name)))
        kind++;
    return *kind;
}

/* A number of the object; false: it is none, or out of its range. */
static bool
take_number(const lm_json *json, double low, double high, double *number)
{
    if (!json)
        return true;
    if (json->type != LM_JSON_NUMBER || !(json->as.number >= low && json->as.number <= high))
        return false;
    *number = json->as.number;
    return true;
}

static bool
take_noise(const lm_json *root, lm_adversary_options *noise)
{
    const lm_json *eps = lm_json_get(root, "eps"), *alpha = lm_json_get(root, "alpha");
    const lm_json *steps = lm_json_get(root, "steps"), *kind = lm_json_get(root, "kind");
    const size_t known =
        (kind != NULL) + (size_t)(eps != NULL) + (size_t)(alpha != NULL) + (size_t)(steps != NULL);
    double count;

    if (root->type != LM_JSON_OBJECT || root->as.items.count != known ||
        !(noise->kind = kind_named(kind)) || (!noise->kind->many && (alpha || steps)))
        return false;
    noise->eps = noise->kind->eps;
    count = (double)noise->kind->steps;
    if (!take_number(eps, 1e-9, 1e6, &noise->eps) || !take_number(steps, 1, 100, &count) ||
        (steps && !steps->is_integer))
        return false;
    noise->alpha = noise->kind->alpha * noise->eps;
    noise->steps = (int64_t)count;
    return take_number(alpha, 1e-9, 1e6, &noise->alpha);
}

static lm_status
read_adversarial(lm_context *ctx, const char *json, lm_adversary_options *noise)
{
    lm_arena arena;
    const lm_json *root = NULL;
    lm_status status;

    lm_arena_init(&arena, ctx);
    status = lm_json_parse(ctx, &arena, json, strlen(json), "options", &root);
    if (status == LM_OK && !take_noise(root, noise))
        status = refuse(ctx, "adversarial", json,
                        "an object with kind (\"fgm\" or \"pgd\"), eps above 0, and for pgd "
                        "alpha above 0 and steps from 1 to 100");
    lm_arena_free(&arena);
    return status;
}

/* Operations that need nothing but the text. */
static bool
take_ops(const lm_json *list, lm_augmented_options *augment)
{
    if (!list || list->type != LM_JSON_ARRAY || list->as.items.count < 1 ||
        list->as.items.count > LM_AUGMENTED_OPS_MAX)
        return false;
    for (const lm_json *name = list->as.items.first; name; name = name->next) {
        const lm_augment_op *op =
            name->type == LM_JSON_STRING ? lm_augment_op_find(name->as.string.bytes) : NULL;

        if (!op || op->needs_synonyms || op->needs_other)
            return false;
        augment->ops[augment->count++] = op;
    }
    return true;
}

static bool
take_augment(const lm_json *root, lm_augmented_options *augment)
{
    const lm_json *ops = lm_json_get(root, "ops"), *share = lm_json_get(root, "share");

    augment->share = 0.1;
    if (root->type == LM_JSON_ARRAY)
        return take_ops(root, augment);
    return root->type == LM_JSON_OBJECT &&
           root->as.items.count == (size_t)(ops != NULL) + (share != NULL) &&
           take_ops(ops, augment) && take_number(share, 0, 1, &augment->share);
}

static lm_status
read_augment(lm_context *ctx, const char *json, lm_augmented_options *augment)
{
    lm_arena arena;
    const lm_json *root = NULL;
    lm_status status;

    lm_arena_init(&arena, ctx);
    status = lm_json_parse(ctx, &arena, json, strlen(json), "options", &root);
    if (status == LM_OK && !take_augment(root, augment))
        status = refuse(ctx, "augment", json,
                        "an array of swap, delete, insert, keyboard, crop, or an object with that "
                        "as ops and a share from 0 to 1");
    lm_arena_free(&arena);
    return status;
}

lm_status
lm_neural_refuse_augment(const lm_neural *neural, const char *task)
{
    if (neural->augment.count == 0)
        return LM_OK;
    return refuse(neural->ctx, "augment", task, "left out for a task whose targets are tokens'");
}

static lm_status
fill_update(lm_context *ctx, const lm_neural_options *options, lm_optimizer_options *update)
{
    set_given(options->learning_rate, &update->learning_rate);
    set_given(options->momentum, &update->momentum);
    set_given(options->alpha, &update->alpha);
    set_given(options->eps, &update->eps);
    set_given(options->weight_decay, &update->weight_decay);
    update->nesterov = options->nesterov;
    if (options->nesterov && !(update->momentum > 0))
        return refuse(ctx, "nesterov", "true", "false where there is no momentum");
    return options->betas ? read_betas(ctx, options->betas, update) : LM_OK;
}

static void
fill_trainer(const lm_neural_options *options, lm_trainer_options *trainer)
{
    trainer->warmup = options->warmup;
    trainer->schedule_every = options->schedule_every;
    trainer->gamma = options->gamma;
    trainer->epochs = options->epochs;
    trainer->steps = options->steps;
    trainer->batch_size = options->batch_size;
    trainer->accumulate = options->accumulate;
    trainer->memory = (size_t)options->memory * MB;
    trainer->shuffle = options->shuffle;
    trainer->seed = (uint64_t)options->seed;
    trainer->clip_norm = options->clip_norm;
    trainer->clip_value = options->clip_value;
    trainer->ema = options->ema;
    trainer->patience = options->patience;
    trainer->checkpoint_steps = options->checkpoint_steps;
    trainer->log_steps = options->log_steps;
}

lm_status
lm_neural_open(lm_neural *neural, lm_context *ctx, const lm_neural_options *options)
{
    memset(neural, 0, sizeof *neural);
    neural->ctx = ctx;
    lm_trainer_defaults(&neural->trainer);
    LM_TRY(choose_optimizer(ctx, options->optimizer, &neural->trainer));
    LM_TRY(choose_schedule(ctx, options->schedule, &neural->trainer));
    LM_TRY(choose_precision(ctx, options->precision, &neural->precision));
    LM_TRY(fill_update(ctx, options, &neural->trainer.update));
    fill_trainer(options, &neural->trainer);
    if (options->adversarial)
        LM_TRY(read_adversarial(ctx, options->adversarial, &neural->adversarial));
    neural->workers = (size_t)options->workers;
    neural->augment.seed = neural->trainer.seed;
    if (options->augment)
        LM_TRY(read_augment(ctx, options->augment, &neural->augment));
    if (options->patience > 0 && options->hold_out == 0)
        return refuse(ctx, "patience", "hold_out 0", "0 where no row is held out");
    return LM_OK;
}

/* ---- Rows and labels ---- */

lm_status
lm_neural_split(lm_context *ctx, const lm_neural_options *options, const int32_t *y, size_t rows,
                size_t labels, size_t *order, size_t *trained)
{
    int32_t *same = NULL;
    lm_status status;

    if (!y && !(same = lm_alloc_array(ctx, rows ? rows : 1, sizeof *same)))
        return LM_NO_MEMORY;
    if (same)
        memset(same, 0, rows * sizeof *same);
    status = lm_split_rows(ctx, y ? y : same, rows, y ? labels : 1, options->hold_out,
                           (uint64_t)options->seed, order, trained);
    lm_free(ctx, same);
    return status;
}

/* As scikit-learn: so that each label weighs the same in all. */
static void
balance(const size_t *counts, size_t labels, float *weights)
{
    double all = 0;

    for (size_t i = 0; i < labels; i++)
        all += (double)counts[i];
    for (size_t i = 0; i < labels; i++)
        weights[i] = counts[i] ? (float)(all / ((double)labels * (double)counts[i])) : 1;
}

static size_t
label_named(const char *const *names, size_t labels, const char *name)
{
    size_t i = 0;

    while (i < labels && strcmp(names[i], name) != 0)
        i++;
    return i;
}

/* Labels that the object does not name weigh 1. Messages do not tell labels. */
static lm_status
read_weights(lm_context *ctx, const lm_json *root, const char *const *names, size_t labels,
             float *weights)
{
    for (size_t i = 0; i < labels; i++)
        weights[i] = 1;
    for (const lm_json *one = root->as.items.first; one; one = one->next) {
        size_t label = label_named(names, labels, one->key);

        if (one->type != LM_JSON_NUMBER || !(one->as.number >= 0 && one->as.number <= 1e6))
            return refuse(ctx, "class_weights", "a value that is no such number",
                          "numbers from 0 to 1000000");
        if (label == labels)
            return refuse(ctx, "class_weights", "a key that is no label of the rows",
                          "an object whose keys are labels of the rows");
        weights[label] = (float)one->as.number;
    }
    return LM_OK;
}

lm_status
lm_neural_class_weights(lm_context *ctx, const lm_neural_options *options, const char *const *names,
                        const size_t *counts, size_t labels, float *weights, bool *given)
{
    const char *json = options->class_weights;
    lm_arena arena;
    const lm_json *root = NULL;
    lm_status status;

    if (!(*given = json != NULL))
        return LM_OK;
    lm_arena_init(&arena, ctx);
    status = lm_json_parse(ctx, &arena, json, strlen(json), "options", &root);
    if (status == LM_OK && lm_json_is_string(root, "balanced"))
        balance(counts, labels, weights);
    else if (status == LM_OK && root->type == LM_JSON_OBJECT)
        status = read_weights(ctx, root, names, labels, weights);
    else if (status == LM_OK)
        status = refuse(ctx, "class_weights", lm_json_type_name(root),
                        "\"balanced\", or an object with a number for each label");
    lm_arena_free(&arena);
    return status;
}

/* ---- The run ---- */

/* A report in the names of lmtext.train_log. */
static void
tell(void *opaque, const lm_trainer_report *report)
{
    const lm_train_watch *watch = opaque;
    const lm_measures *held_out = report->held_out;
    char names[LM_MEASURES_MAX][LM_NEURAL_FIGURE];
    lm_train_value values[LM_MEASURES_MAX + 5] = {{"loss", report->loss, false},
                                                  {"learning_rate", report->learning_rate, false},
                                                  {"gradient_norm", report->gradient_norm, false},
                                                  {"epoch", (double)report->epoch, false}};
    int count = 4;

    if (held_out)
        values[count++] = (lm_train_value){"held_out_loss", held_out->loss, false};
    for (int i = 0; held_out && i < held_out->count; i++) {
        snprintf(names[i], sizeof names[i], "held_out_%s", held_out->names[i]);
        values[count++] = (lm_train_value){names[i], held_out->values[i], false};
    }
    watch->report(watch->opaque,
                  &(lm_train_progress){(int)report->step, (int)report->steps, values, count});
}

static lm_status
keep_checkpoint(void *opaque, lm_context *ctx, int64_t step, const lm_buffer *bytes)
{
    const lm_train_watch *watch = opaque;

    return watch->checkpoint ? watch->checkpoint(watch->opaque, ctx, step, bytes) : LM_OK;
}

lm_cut
lm_neural_cut(const lm_neural *neural)
{
    return (lm_cut){(size_t)neural->trainer.accumulate, neural->trainer.memory};
}

static lm_status
start_helpers(lm_neural *neural, const lm_neural_shared *shared, const lm_train_watch *watch,
              lm_buffer *bytes, float **values)
{
    const lm_cut cut = lm_neural_cut(neural);
    const lm_train_shared told = {.workers = neural->workers,
                                  .bytes = bytes,
                                  .values = shared->values,
                                  .grads = shared->grads,
                                  .rows = (size_t)neural->trainer.batch_size};

    LM_TRY(shared->pack(shared->self, &cut, bytes));
    LM_TRY(watch->share(watch->opaque, neural->ctx, &told, values, &neural->helpers));
    neural->helpers.base = shared->base;
    return LM_OK;
}

lm_status
lm_neural_share(lm_neural *neural, const lm_neural_shared *shared, const lm_train_watch *watch,
                float **values)
{
    lm_buffer bytes;
    lm_status status;

    *values = NULL;
    if (neural->workers == 0 || !watch->share)
        return LM_OK;
    if (neural->trainer.memory == 0)
        neural->trainer.memory = watch->memory;
    lm_buffer_init(&bytes, neural->ctx);
    status = start_helpers(neural, shared, watch, &bytes, values);
    lm_buffer_free(&bytes);
    return status;
}

/* The trainer, with noise around the network where there is some. */
static lm_status
run_noisy(lm_neural *neural, const lm_network *network, const lm_param *words, const size_t *order,
          size_t count, const lm_train_watch *watch)
{
    const lm_trainer_hooks hooks = {tell, keep_checkpoint, (void *)watch};
    const lm_trainer_options *options = &neural->trainer;
    const lm_cut cut = lm_neural_cut(neural);
    lm_adversary adversary = {.ctx = NULL};
    lm_network noisy = *network;
    lm_status status = LM_OK;

    if (neural->adversarial.kind) {
        status =
            lm_adversary_open(neural->ctx, network, words, &neural->adversarial, &cut, &adversary);
        lm_adversary_network(&adversary, &noisy);
    }
    if (status == LM_OK)
        status = lm_trainer_run(neural->ctx, &noisy, options, order, neural->trained, count,
                                watch->resume, &hooks, &neural->result);
    lm_adversary_close(&adversary);
    return status;
}

/* Batches are in parts where workers were asked for. */
static lm_status
run_trainer(lm_neural *neural, const lm_network *network, const lm_param *words,
            const size_t *order, size_t count, const lm_train_watch *watch)
{
    const lm_cut cut = lm_neural_cut(neural);
    lm_team team;
    lm_network shared;
    lm_status status;

    if (neural->workers == 0)
        return run_noisy(neural, network, words, order, count, watch);
    status = lm_team_open(neural->ctx, network, neural->workers, &cut, &neural->helpers, &team);
    lm_team_network(&team, &shared);
    if (status == LM_OK)
        status = run_noisy(neural, &shared, words, order, count, watch);
    lm_team_close(&team);
    return status;
}

lm_status
lm_neural_fit(lm_neural *neural, const lm_network *network, const lm_param *words,
              const size_t *order, size_t trained, size_t count, const lm_train_watch *watch)
{
    neural->trained = trained;
    neural->held_out = count - trained;
    if (neural->trainer.memory == 0)
        neural->trainer.memory = watch->memory;
    if (lm_trainer_steps(&neural->trainer, trained) > INT32_MAX)
        return lm_raise(neural->ctx, LM_TOO_LARGE, "a training has more than %d steps", INT32_MAX);
    if (neural->adversarial.kind && !words)
        return refuse(neural->ctx, "adversarial", "embeddings that are not trained",
                      "left out where the embeddings of words are not trained");
    return run_trainer(neural, network, words, order, count, watch);
}

/* ---- Figures ---- */

static void
add_value(lm_train_outcome *outcome, const char *name, double value)
{
    if (outcome->value_count < LM_TRAIN_VALUES_MAX)
        outcome->values[outcome->value_count++] = (lm_train_value){name, value, false};
}

void
lm_neural_outcome(lm_neural *neural, lm_train_outcome *outcome)
{
    const lm_trainer_result *result = &neural->result;
    const lm_measures *best = &result->best;
    char measure[64] = "";

    outcome->precision = lm_precision_name(neural->precision);
    add_value(outcome, "steps", (double)result->steps);
    add_value(outcome, "loss", result->loss);
    add_value(outcome, "held_out", (double)neural->held_out);
    if (result->best_step > 0) {
        add_value(outcome, "best_step", (double)result->best_step);
        add_value(outcome, "held_out_loss", best->loss);
    }
    for (int i = 0; i < best->count; i++) {
        snprintf(neural->figures[i], sizeof neural->figures[i], "held_out_%s", best->names[i]);
        add_value(outcome, neural->figures[i], best->values[i]);
    }
    add_value(outcome, "seed", (double)neural->trainer.seed);
    if (best->count > 0 && isfinite(best->values[0]))
        snprintf(measure, sizeof measure, ", %s %.4f on held-out rows", best->names[0],
                 best->values[0]);
    if (!isfinite(result->loss)) /* of no step */
        snprintf(outcome->summary, sizeof outcome->summary, "in %lld steps",
                 (long long)result->steps);
    else
        snprintf(outcome->summary, sizeof outcome->summary, "in %lld steps: loss %.4f%s",
                 (long long)result->steps, result->loss, measure);
}
