/*
 * test_finetune_faults.c - encoders in training with little memory, and with failing allocations
 * and polls.
 */
#include "finetune_case.h"
#include "optim/adversary.h"

/* Parts of a batch are cut so that all layers of each are kept, where a row's can be. */
static void
test_parts(void)
{
    const lm_tuned_settings settings = plain_settings();
    static const char *const labels[] = {"a", "b"};
    const size_t rows[ROWS] = {0, 1, 2, 3};
    const lm_pass pass = {.weight = ROWS, .training = true};
    lm_context ctx;
    trained t;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, open_base(&t, &ctx, "bert", &lm_tuned_classification, &settings, 1));
    CHECK_OK(&ctx, add_differing(&t, 1));
    CHECK_OK(&ctx, lm_tuned_start(t.tuned, labels, 2));
    lm_tuned_network(t.tuned, &t.network);
    for (size_t taken = 0; taken <= ROWS; taken++) {
        size_t bytes = 0;
        double loss = 0;

        for (size_t i = 0; i < taken; i++)
            bytes += t.network.row_bytes(t.tuned, rows[i]);
        t.tuned->encoder.options.memory = taken ? bytes : 1;
        CHECK_OK(&ctx, t.network.pass(t.tuned, rows, taken ? taken : 1, &pass, &loss));
        CHECK_EQ_INT(t.tuned->encoder.run.tapes > 0, taken > 0);
    }
    close_trained(&t);
}

/* ---- Memory and cancel ---- */

static lm_status
pass_with_noise(lm_context *ctx, trained *t, const size_t *rows, const lm_pass *pass)
{
    const lm_adversary_options noise = {lm_adversary_kinds[1], 1, 1, 2};
    const lm_cut cut = {.parts = 2};
    lm_adversary adversary;
    lm_network noisy;
    double loss = 0;
    lm_status status =
        lm_adversary_open(ctx, &t->network, lm_tuned_words(t->tuned), &noise, &cut, &adversary);

    lm_adversary_network(&adversary, &noisy);
    if (status == LM_OK)
        status = noisy.pass(noisy.self, rows, 2, pass, &loss);
    lm_adversary_close(&adversary);
    return status;
}

/* All of a training that is done with the context, of one step with dropout, and its measure. */
static lm_status
whole_training(lm_context *ctx, trained *t, const lm_train_base *base)
{
    static const char *const labels[] = {"a", "b"};
    const size_t rows[] = {0, 1};
    lm_pass pass = {.weight = 2, .training = true, .seed = 1};
    lm_train_outcome outcome = {.file_count = 0};
    lm_tuned_settings settings;
    lm_measures measures = {.loss = 0};
    lm_status status;
    double loss = 0;

    lm_tuned_settings_default(&settings);
    settings.augment = varied_options();
    LM_TRY(lm_tuned_open(ctx, base, &lm_tuned_classification, &settings, 1, &t->tuned));
    LM_TRY(lm_tuned_add_text(t->tuned, (lm_text){"a cat", 5}));
    LM_TRY(lm_tuned_add_text(t->tuned, (lm_text){"the mat", 7}));
    LM_TRY(lm_tuned_add_label(t->tuned, 0));
    LM_TRY(lm_tuned_add_label(t->tuned, 1));
    LM_TRY(lm_tuned_start(t->tuned, labels, 2));
    lm_tuned_network(t->tuned, &t->network);
    LM_TRY(t->network.epoch(t->tuned, 0, rows, 2));
    LM_TRY(t->network.touch(t->tuned, rows, 2));
    LM_TRY(t->network.pass(t->tuned, rows, 2, &pass, &loss));
    LM_TRY(pass_with_noise(ctx, t, rows, &pass));
    LM_TRY(t->network.measure(t->tuned, rows, 2, &measures));
    CHECK(loss > 0 && measures.loss > 0 && measures.count == 2);
    status = lm_tuned_write(t->tuned, &outcome);
    free_files(&outcome);
    return status;
}

/* With the fake's faults; the base is loaded without them. */
static lm_status
faulty_training(fake_memory *memory)
{
    const lm_model_options options = {.as_embedding = true};
    lm_context good, ctx;
    lm_train_base base = {.name = "bert"};
    lm_file_list list;
    trained t = {.ctx = &good};
    lm_status status;

    lm_context_init(&good);
    fake_context(&ctx, memory);
    lm_arena_init(&t.arena, &good);
    CHECK_OK(&good, lm_source_dir_open(&good, GOLDEN_ROOT "/bert", true, &t.dir, &t.source));
    CHECK_OK(&good, loaded_open_with(&good, &t.source, &options, lm_kernels_active(), &t.loaded));
    CHECK_OK(&good, lm_checkpoint_list(&good, &t.arena, &t.source, &list));
    base.source = &t.source;
    base.files = list.names;
    base.file_count = (int)list.count;
    base.model = &t.loaded.model;
    status = whole_training(&ctx, &t, &base);
    close_trained(&t);
    CHECK_EQ_INT(memory->live, 0);
    return status;
}

static void
test_no_memory(void)
{
    fake_memory whole = {.fail_at = 0};

    CHECK_EQ_INT(faulty_training(&whole), LM_OK);
    for (int at = unit_next_fault(0); at <= whole.calls; at = unit_next_fault(at)) {
        fake_memory memory = {.fail_at = at};

        CHECK_EQ_INT(faulty_training(&memory), LM_NO_MEMORY);
    }
}

/* A pass over tokens and its measure, begun without faults. */
static lm_status
faulty_pass(const char *folder, const lm_tuned_task *task, bool crf, fake_memory *faults)
{
    static const char *const labels[] = {"a", "b"};
    const size_t rows[ROWS] = {0, 1, 2, 3};
    fake_memory memory = {.fail_at = 0};
    lm_pass pass = {.training = true, .seed = 1};
    lm_measures measures = {.loss = 0};
    lm_tuned_settings settings;
    lm_context ctx;
    lm_status status;
    double loss = 0;
    trained t;

    fake_context(&ctx, &memory);
    lm_tuned_settings_default(&settings);
    settings.crf = crf;
    CHECK_OK(&ctx, open_base(&t, &ctx, folder, task, &settings, 1));
    CHECK_OK(&ctx, add_differing(&t, 1));
    CHECK_OK(&ctx, lm_tuned_start(t.tuned, labels, 2));
    lm_tuned_network(t.tuned, &t.network);
    memory = (fake_memory){memory.live, 0, faults->fail_at, false, 0, faults->stop_at};
    status = t.network.weight(t.tuned, rows, ROWS, &pass.weight);
    if (status == LM_OK)
        status = t.network.pass(t.tuned, rows, ROWS, &pass, &loss);
    if (status == LM_OK)
        status = t.network.measure(t.tuned, rows, ROWS, &measures);
    memory.stop_at = 0;
    close_trained(&t);
    CHECK_EQ_INT(memory.live, 0);
    return status;
}

static void
test_token_faults(void)
{
    for (int i = 0; i < 6; i++) {
        const bool polls = i % 2 == 1;
        const lm_status wanted = polls ? LM_CANCELLED : LM_NO_MEMORY;
        lm_status status = wanted;

        for (int at = unit_next_fault(0); status == wanted; at = unit_next_fault(at)) {
            fake_memory faults = {.fail_at = polls ? 0 : at, .stop_at = polls ? at : 0};

            status = faulty_pass(i < 4 ? "bert" : "bert-mask",
                                 i < 4 ? &lm_tuned_tagging : &lm_tuned_masked, i < 2, &faults);
        }
        CHECK_EQ_INT(status, LM_OK);
    }
}

static void
test_cancel(void)
{
    fake_memory whole = {.fail_at = 0};

    CHECK_EQ_INT(faulty_training(&whole), LM_OK);
    for (int at = unit_next_fault(0); at <= whole.polls; at = unit_next_fault(at)) {
        fake_memory memory = {.stop_at = at};

        CHECK_EQ_INT(faulty_training(&memory), LM_CANCELLED);
    }
}

static const unit_case cases[] = {
    {"parts of a batch keep their layers", test_parts},
    {"every allocation can fail", test_no_memory},
    {"faults of passes over tokens", test_token_faults},
    {"every poll can end a training", test_cancel},
};

UNIT_MAIN(cases)
