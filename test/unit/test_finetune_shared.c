/*
 * test_finetune_shared.c - batches that several share: helpers change no bit, and are told all or
 * nothing.
 */
#include "finetune_case.h"
#include "optim/optimizer.h"
#include "train/tuned_shared.h"

enum { SHARED_STEPS = 5, HELPERS = 2 };

/* Texts of a row. */
static size_t
places_of(const lm_tuned_task *task, const lm_tuned_settings *settings)
{
    if (task != &lm_tuned_similarity)
        return 1;
    return settings->pairs == LM_TUNED_TRIPLETS ? 3 : 2;
}

/* Helpers in this process, which know of the training what its bytes say. */
typedef struct shared_helpers {
    lm_context *ctx;
    lm_tuned *tuned[HELPERS];
    lm_network networks[HELPERS];
    float *values, *grads[HELPERS];
    double losses[HELPERS];
    lm_cut cut;
} shared_helpers;

static lm_status
begin_helper(void *self, size_t helper, const size_t *rows, size_t count, const lm_pass *pass)
{
    shared_helpers *h = self;

    h->losses[helper] = 0;
    return lm_team_help(h->ctx, &h->networks[helper], &h->cut, rows, count, pass,
                        &h->losses[helper]);
}

static lm_status
end_helper(void *self, size_t helper, double *loss, const float **grads)
{
    const shared_helpers *h = self;

    *loss = h->losses[helper];
    *grads = h->grads[helper];
    return LM_OK;
}

static void
open_helpers(shared_helpers *h, trained *t, size_t count)
{
    const size_t values = lm_tuned_value_numbers(t->tuned), grads = lm_tuned_grad_numbers(t->tuned);
    const lm_cut cut = {.parts = 1};
    lm_buffer bytes;

    *h = (shared_helpers){.ctx = t->ctx, .values = calloc(values, sizeof(float))};
    lm_buffer_init(&bytes, t->ctx);
    CHECK_OK(t->ctx, lm_tuned_pack(t->tuned, &cut, &bytes));
    lm_tuned_move(t->tuned, h->values);
    for (size_t i = 0; i < count; i++) {
        h->grads[i] = calloc(grads, sizeof(float));
        CHECK_OK(t->ctx, lm_tuned_unpack(t->ctx, bytes.data, bytes.size, h->values, h->grads[i],
                                         &h->cut, &h->tuned[i]));
        lm_tuned_network(h->tuned[i], &h->networks[i]);
    }
    lm_buffer_free(&bytes);
}

static void
close_helpers(shared_helpers *h)
{
    for (int i = 0; i < HELPERS; i++) {
        lm_tuned_close(h->tuned[i]);
        free(h->grads[i]);
    }
    free(h->values);
}

/* The values behind some steps; to be freed. */
static float *
learn_shared(lm_context *ctx, const char *folder, const lm_tuned_task *task,
             const lm_tuned_settings *settings, size_t workers, size_t helpers)
{
    static const char *const labels[] = {"a", "b"};
    const lm_trainer_hooks hooks = {.report = NULL};
    const size_t order[ROWS] = {0, 1, 2, 3};
    const lm_cut cut = {.parts = 1};
    lm_team_helpers others = {.count = helpers, .begin = begin_helper, .end = end_helper};
    lm_trainer_options options;
    lm_trainer_result result;
    lm_network network;
    lm_team team;
    shared_helpers h;
    trained t;
    float *values;

    lm_trainer_defaults(&options);
    options.optimizer = lm_optimizers[0]; /* Adam's steps follow the sign of what is but noise */
    options.optimizer->defaults(&options.update);
    options.update.learning_rate = 0.01;
    options.batch_size = 3;
    options.steps = SHARED_STEPS;
    CHECK_OK(ctx, open_base(&t, ctx, folder, task, settings, places_of(task, settings)));
    CHECK_OK(ctx, add_differing(&t, places_of(task, settings)));
    CHECK_OK(ctx, lm_tuned_start(t.tuned, labels, 2));
    open_helpers(&h, &t, helpers);
    lm_tuned_network(t.tuned, &network);
    others.self = &h;
    others.base = t.tuned->encoder.grads;
    CHECK_OK(ctx, lm_team_open(ctx, &network, workers, &cut, &others, &team));
    if (workers > 0)
        lm_team_network(&team, &network);
    CHECK_OK(ctx,
             lm_trainer_run(ctx, &network, &options, order, ROWS, ROWS, NULL, &hooks, &result));
    lm_tuned_move(t.tuned, NULL);
    values = malloc(t.tuned->plain.numbers * sizeof *values);
    memcpy(values, t.tuned->values, t.tuned->plain.numbers * sizeof *values);
    lm_team_close(&team);
    close_helpers(&h);
    close_trained(&t);
    return values;
}

static size_t
shared_numbers(lm_context *ctx, const char *folder, const lm_tuned_task *task,
               const lm_tuned_settings *settings)
{
    static const char *const labels[] = {"a", "b"};
    trained t;
    size_t numbers;

    CHECK_OK(ctx, open_base(&t, ctx, folder, task, settings, places_of(task, settings)));
    CHECK_OK(ctx, add_differing(&t, places_of(task, settings)));
    CHECK_OK(ctx, lm_tuned_start(t.tuned, labels, 2));
    numbers = t.tuned->plain.numbers;
    close_trained(&t);
    return numbers;
}

/* With helpers and without: the same bits; as the whole but for rounding. */
static void
check_shared(const char *folder, const lm_tuned_task *task, const lm_tuned_settings *settings)
{
    lm_context ctx;
    float *whole;
    size_t numbers;

    lm_context_init(&ctx);
    numbers = shared_numbers(&ctx, folder, task, settings);
    whole = learn_shared(&ctx, folder, task, settings, 0, 0);
    for (size_t workers = 1; workers <= 2; workers++) {
        float *alone = learn_shared(&ctx, folder, task, settings, workers, 0);
        double most = 0;

        for (size_t i = 0; i < numbers; i++)
            most = fmax(most, fabs((double)alone[i] - whole[i]));
        if (!(most < 1e-5))
            UNIT_FAIL("%s of %s in %zu parts: off by %g", task->name, folder, workers + 1, most);
        for (size_t helpers = 1; helpers <= workers; helpers++) {
            float *helped = learn_shared(&ctx, folder, task, settings, workers, helpers);

            CHECK(memcmp(helped, alone, numbers * sizeof *alone) == 0);
            free(helped);
        }
        free(alone);
    }
    free(whole);
}

static void
test_shared(void)
{
    static const float weights[] = {0.5f, 2};
    lm_tuned_settings settings;

    lm_tuned_settings_default(&settings);
    settings.dropout = settings.encoder.hidden_dropout = settings.encoder.attention_dropout = 0.2;
    settings.class_weights = weights;
    check_shared("bert", &lm_tuned_classification, &settings);
    check_shared("modernbert", &lm_tuned_classification, &settings);
    check_shared("bert", &lm_tuned_tagging, &settings);
    settings.crf = true;
    check_shared("bert", &lm_tuned_tagging, &settings);
    settings.crf = false;
    settings.class_weights = NULL;
    check_shared("bert", &lm_tuned_regression, &settings);
    check_shared("bert", &lm_tuned_rerank, &settings);
    check_shared("bert", &lm_tuned_next, &settings);
    check_shared("bert", &lm_tuned_masked, &settings);
    settings.encoder.rounded = true;
    check_shared("bert", &lm_tuned_masked, &settings);
    settings.encoder.rounded = false;
    settings.pairs = LM_TUNED_SCORED;
    check_shared("bert-st6-cls", &lm_tuned_similarity, &settings);
    settings.pairs = LM_TUNED_TRIPLETS;
    check_shared("bert-st6-cls", &lm_tuned_similarity, &settings);
}

static lm_status
write_told(const void *what, lm_buffer *out)
{
    const lm_cut cut = {.parts = 1};

    return lm_tuned_pack((lm_tuned *)(uintptr_t)what, &cut, out);
}

/* What is told grows a buffer: with no memory beyond it, whichever piece meets the end fails. */
static void
test_told_without_memory(void)
{
    static const char *const labels[] = {"a", "b"};
    const lm_tuned_settings settings = plain_settings();
    lm_context ctx;
    lm_buffer whole;
    trained t;

    lm_context_init(&ctx);
    lm_buffer_init(&whole, &ctx);
    CHECK_OK(&ctx, open_base(&t, &ctx, "bert", &lm_tuned_classification, &settings, 1));
    CHECK_OK(&ctx, add_differing(&t, 1));
    CHECK_OK(&ctx, lm_tuned_start(t.tuned, labels, 2));
    t.tuned->kept.files[0].bytes.size = 0;
    t.tuned->kept.count = 1; /* pieces, not the weights */
    CHECK_OK(&ctx, write_told(t.tuned, &whole));
    CHECK_EQ_INT(fake_least_room(write_told, t.tuned), whole.size);
    lm_buffer_free(&whole);
    close_trained(&t);
}

/* What a helper is told, cut short or changed, or without memory for it. */
static void
test_told(void)
{
    static const char *const labels[] = {"a", "b"};
    const lm_tuned_settings settings = plain_settings();
    const lm_cut cut = {.parts = 1};
    lm_context ctx;
    lm_buffer bytes;
    trained t;
    float *values, *grads;

    lm_context_init(&ctx);
    lm_buffer_init(&bytes, &ctx);
    CHECK_OK(&ctx, open_base(&t, &ctx, "bert", &lm_tuned_classification, &settings, 1));
    CHECK_OK(&ctx, add_differing(&t, 1));
    CHECK_OK(&ctx, lm_tuned_start(t.tuned, labels, 2));
    CHECK_OK(&ctx, lm_tuned_pack(t.tuned, &cut, &bytes));
    values = calloc(lm_tuned_value_numbers(t.tuned), sizeof *values);
    grads = calloc(lm_tuned_grad_numbers(t.tuned), sizeof *grads);
    for (int kind = 0; kind < 2; kind++) {
        lm_status status = LM_INTERNAL;
        size_t at = kind == 0 ? 1 : 0;

        for (; status != LM_OK; at += at < 100 ? 1 : 97) {
            const size_t size = kind == 0 || at > bytes.size ? bytes.size : at;
            fake_memory memory = {.fail_at = kind == 0 ? (int)at : 0};
            lm_context helpers;
            lm_tuned *tuned = NULL;
            lm_cut told;

            fake_context(&helpers, &memory);
            status = lm_tuned_unpack(&helpers, bytes.data, size, values, grads, &told, &tuned);
            CHECK(status == LM_OK || status == (kind == 0 ? LM_NO_MEMORY : LM_CORRUPT));
            lm_tuned_close(tuned);
            CHECK_EQ_INT(memory.live, 0);
        }
        CHECK(at > 20);
    }
    free(values);
    free(grads);
    lm_buffer_free(&bytes);
    close_trained(&t);
}

static const unit_case cases[] = {
    {"helpers change no bit", test_shared},
    {"a helper is told all or nothing", test_told},
    {"what is told meets the end of memory", test_told_without_memory},
};

UNIT_MAIN(cases)
