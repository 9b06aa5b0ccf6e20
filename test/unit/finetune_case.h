/*
 * finetune_case.h - encoders in training, for the tests of the files test_finetune_*.c: a base with
 * rows, as scripts/make-finetune.py recorded them with torch's numbers or of a task's own, and
 * steps.
 */
#ifndef FINETUNE_CASE_H
#define FINETUNE_CASE_H

#include "golden.h"
#include "loaded.h"
#include "train/tuned.h"

#define RECORDED "test/golden/finetune.json"

enum { MOST_TEXTS = 16, MOST_TOKENS = 32, STEPS = 20, ROWS = 4 };

typedef struct recorded {
    golden_folder file;
    const lm_json *root;
} recorded;

static inline void
open_recorded(recorded *r, lm_context *ctx)
{
    memset(r, 0, sizeof *r);
    lm_arena_init(&r->file.arena, ctx);
    golden_add_file(&r->file, RECORDED, "finetune.json");
    CHECK_OK(ctx, lm_json_parse(ctx, &r->file.arena, r->file.files.files[0].data,
                                r->file.files.files[0].size, "finetune.json", &r->root));
}

/* ---- A model in training ---- */

typedef struct trained {
    lm_context *ctx;
    lm_arena arena;
    lm_source_dir *dir;
    lm_source source;
    loaded_model loaded;
    lm_tuned *tuned;
    lm_network network;
    const char *names[8];
    size_t name_count;
} trained;

static inline lm_status
open_base(trained *t, lm_context *ctx, const char *folder, const lm_tuned_task *task,
          const lm_tuned_settings *settings, size_t per_row)
{
    const lm_model_options options = {.as_embedding = task != &lm_tuned_distillation};
    char path[256];
    lm_file_list list;
    lm_train_base base = {.name = folder};

    memset(t, 0, sizeof *t);
    t->ctx = ctx;
    lm_arena_init(&t->arena, ctx);
    snprintf(path, sizeof path, "%s/%s", GOLDEN_ROOT, folder);
    LM_TRY(lm_source_dir_open(ctx, path, true, &t->dir, &t->source));
    LM_TRY(loaded_open_with(ctx, &t->source, &options, lm_kernels_active(), &t->loaded));
    LM_TRY(lm_checkpoint_list(ctx, &t->arena, &t->source, &list));
    base.source = &t->source;
    base.files = list.names;
    base.file_count = (int)list.count;
    base.model = &t->loaded.model;
    return lm_tuned_open(ctx, &base, task, settings, per_row, &t->tuned);
}

static inline void
close_trained(trained *t)
{
    lm_tuned_close(t->tuned);
    if (t->loaded.image)
        loaded_close(t->ctx, &t->loaded);
    if (t->dir)
        lm_source_dir_close(t->ctx, t->dir);
    lm_arena_free(&t->arena);
}

/* Without dropout. */
static inline lm_tuned_settings
plain_settings(void)
{
    lm_tuned_settings settings;

    lm_tuned_settings_default(&settings);
    settings.dropout = settings.encoder.hidden_dropout = settings.encoder.attention_dropout = 0;
    return settings;
}

static inline bool
is_tagging(const lm_json *each)
{
    return lm_json_is_string(lm_json_get(each, "task"), "tagging");
}

/* The texts of a case, whose ids must be the reference's, and their targets. */
static inline lm_status
add_texts(trained *t, const lm_json *each)
{
    const lm_json *text = lm_json_get(each, "texts")->as.items.first;
    const lm_json *ids = lm_json_get(each, "ids")->as.items.first;
    const lm_json *target = lm_json_get(each, "targets")->as.items.first;

    t->tuned->texts.window = (size_t)lm_json_get(each, "window")->integer;
    for (; text; text = text->next, ids = ids->next, target = target->next) {
        const lm_json *id = ids->as.items.first;

        LM_TRY(lm_tuned_texts_add(&t->tuned->texts,
                                  (lm_text){text->as.string.bytes, text->as.string.length}));
        CHECK_EQ_INT(t->tuned->texts.encoding.count, ids->as.items.count);
        for (size_t i = 0; id; id = id->next)
            CHECK_EQ_INT(t->tuned->texts.encoding.ids[i++], id->integer);
        if (target->type == LM_JSON_NUMBER)
            LM_TRY(lm_tuned_add_label(t->tuned, (int32_t)target->integer));
        else
            for (const lm_json *one = target->as.items.first; one; one = one->next)
                LM_TRY(lm_tuned_add_label(t->tuned, (int32_t)one->integer));
    }
    return LM_OK;
}

/* Parameters of a CRF, which are drawn, as the reference has them. */
static inline void
set_crf(trained *t, const lm_json *values)
{
    for (size_t i = 0; values && i < t->network.param_count; i++) {
        const lm_json *of = lm_json_get(values, t->network.params[i].name);
        const lm_json *number = of ? of->as.items.first : NULL;
        float *value = t->network.params[i].value;

        for (; number; number = number->next)
            *value++ = (float)number->as.number;
    }
}

static inline lm_status
start_case(trained *t, lm_context *ctx, const lm_json *each, const lm_tuned_settings *plain)
{
    lm_tuned_settings settings = *plain;

    settings.crf = lm_json_get(each, "crf") != NULL;
    if (settings.crf)
        settings.encoder.crf_rate = lm_json_get(each, "crf_rate")->as.number;
    LM_TRY(open_base(t, ctx, lm_json_get(each, "folder")->as.string.bytes,
                     is_tagging(each) ? &lm_tuned_tagging : &lm_tuned_classification, &settings,
                     1));
    LM_TRY(add_texts(t, each));
    for (const lm_json *name = lm_json_get(each, "labels")->as.items.first; name; name = name->next)
        t->names[t->name_count++] = name->as.string.bytes;
    LM_TRY(lm_tuned_start(t->tuned, t->names, t->name_count));
    lm_tuned_network(t->tuned, &t->network);
    set_crf(t, lm_json_get(each, "crf"));
    return LM_OK;
}

/* Loss and gradients of all rows. */
static inline lm_status
run_all(trained *t, double *loss)
{
    size_t rows[MOST_TEXTS];
    lm_pass pass = {.training = true};

    for (size_t i = 0; i < t->network.rows; i++)
        rows[i] = i;
    *loss = 0;
    LM_TRY(t->network.weight(t->tuned, rows, t->network.rows, &pass.weight));
    return t->network.pass(t->tuned, rows, t->network.rows, &pass, loss);
}

/* ---- Steps ---- */

typedef struct curve {
    double losses[STEPS + 1];
    int count;
} curve;

static inline void
keep_loss(void *opaque, const lm_trainer_report *report)
{
    curve *c = opaque;

    if (!report->held_out && report->step >= 1 && report->step <= STEPS)
        c->losses[report->step - 1] = report->loss;
}

static inline lm_status
run_steps(trained *t, curve *c)
{
    lm_trainer_options options;
    const lm_trainer_hooks hooks = {.report = keep_loss, .opaque = c};
    lm_trainer_result result;
    size_t order[MOST_TEXTS];

    lm_trainer_defaults(&options);
    options.batch_size = 4;
    options.steps = STEPS;
    options.shuffle = false;
    options.log_steps = 1;
    for (size_t i = 0; i < t->network.rows; i++)
        order[i] = i;
    return lm_trainer_run(t->ctx, &t->network, &options, order, t->network.rows, t->network.rows,
                          NULL, &hooks, &result);
}

/* ---- What comes of it ---- */

static inline void
free_files(lm_train_outcome *outcome)
{
    for (int i = 0; i < outcome->file_count; i++)
        lm_buffer_free(&outcome->files[i].bytes);
}

/* Probabilities of a row, as the training has them. */
static inline void
own_scores(trained *t, size_t row, float *scores)
{
    const lm_pass pass = {.weight = 1};
    double loss = 0;

    CHECK_OK(t->ctx, t->network.pass(t->tuned, &row, 1, &pass, &loss));
    memcpy(scores, t->tuned->head.scores, t->name_count * sizeof *scores);
    lm_kernels_active()->softmax_f32(t->name_count, scores);
}

/* ---- Rows of all tasks ---- */

static inline lm_augmented_options
varied_options(void)
{
    return (lm_augmented_options){
        {lm_augment_op_find("swap"), lm_augment_op_find("insert")}, 2, 0.5, 3};
}

/* Three texts a row, if the task wants them, with a number or a label. */
static inline lm_status
add_differing(trained *t, size_t per_row)
{
    static const char *const texts[] = {"a cat on the mat", "the world", "it is not so",
                                        "way of the cats",  "no hello",  "the mat is on the cat"};
    lm_tuned *tuned = t->tuned;

    for (size_t i = 0; i < ROWS * per_row; i++) {
        const char *text = texts[i * 5 % 6];

        LM_TRY(lm_tuned_texts_add(&tuned->texts, (lm_text){text, strlen(text)}));
        for (size_t token = 0;
             tuned->task == &lm_tuned_tagging && token < tuned->texts.encoding.count; token++)
            LM_TRY(lm_tuned_add_label(tuned, token % 3 == 0 ? LM_IGNORED : (int32_t)(i % 2)));
    }
    for (size_t i = 0; i < ROWS; i++) {
        LM_TRY(lm_tuned_add_number(tuned, (float)i / ROWS));
        if (tuned->task == &lm_tuned_classification || tuned->task == &lm_tuned_next)
            LM_TRY(lm_tuned_add_label(tuned, (int32_t)(i % 2)));
    }
    return LM_OK;
}

static inline double
loss_at(trained *t, double along, double length)
{
    double loss = 0;

    for (size_t i = 0; i < t->network.param_count; i++) {
        const lm_param *param = &t->network.params[i];

        for (size_t j = 0; j < param->rows * param->columns; j++)
            param->value[j] += (float)(along * (double)param->grad[j] / length);
    }
    {
        /* The gradients stay: they are copied back by the caller. */
        const size_t rows[ROWS] = {0, 1, 2, 3};
        lm_pass pass = {.training = true, .seed = 7, .step = 3};

        CHECK_OK(t->ctx, t->network.weight(t->tuned, rows, ROWS, &pass.weight));
        CHECK_OK(t->ctx, t->network.pass(t->tuned, rows, ROWS, &pass, &loss));
    }
    return loss;
}

/* Along its gradient a loss rises by the gradient's length. */
static inline void
check_rise(trained *t, const char *what)
{
    const double step = 2e-3;
    double length = 0, up, down;
    float *kept;
    size_t count = 0;

    loss_at(t, 0, 1);
    for (size_t i = 0; i < t->network.param_count; i++)
        count += t->network.params[i].rows * t->network.params[i].columns;
    kept = malloc(count * sizeof *kept);
    count = 0;
    for (size_t i = 0; i < t->network.param_count; i++)
        for (size_t j = 0; j < t->network.params[i].rows * t->network.params[i].columns; j++) {
            kept[count++] = t->network.params[i].grad[j];
            length += (double)t->network.params[i].grad[j] * (double)t->network.params[i].grad[j];
        }
    length = sqrt(length);
    up = loss_at(t, step, length);
    count = 0;
    for (size_t i = 0; i < t->network.param_count; i++)
        for (size_t j = 0; j < t->network.params[i].rows * t->network.params[i].columns; j++)
            t->network.params[i].grad[j] = kept[count++];
    down = loss_at(t, -2 * step, length);
    if (!(fabs((up - down) / (2 * step) - length) <= 2e-2 * length))
        UNIT_FAIL("%s: %g, wanted %g", what, (up - down) / (2 * step), length);
    free(kept);
}

#endif
