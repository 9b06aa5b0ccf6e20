/*
 * test_finetune_resumed.c - a run that goes on from a checkpoint.
 */
#include "finetune_case.h"

enum { RESUME_STEPS = 7, RESUME_AT = 3 };

static lm_status
keep_bytes(void *opaque, lm_context *ctx, int64_t step, const lm_buffer *bytes)
{
    lm_buffer *kept = opaque;

    return step == RESUME_AT ? lm_buffer_append(kept, bytes->data, bytes->size) : LM_OK;
}

/* A training with all that a checkpoint must bring back; its weights file. */
static void
resumable(lm_context *ctx, const lm_tuned_task *task, int64_t rank, const lm_buffer *resume,
          lm_buffer *kept, lm_buffer *weights)
{
    static const char *const labels[] = {"a", "b"};
    const lm_trainer_hooks hooks = {.checkpoint = keep_bytes, .opaque = kept};
    const size_t order[ROWS] = {0, 1, 2, 3};
    lm_tuned_settings settings = plain_settings();
    lm_train_outcome outcome = {.file_count = 0};
    lm_trainer_options options;
    lm_trainer_result result;
    trained t;

    settings.dropout = settings.encoder.hidden_dropout = settings.encoder.attention_dropout = 0.2;
    settings.lora_rank = rank;
    settings.lora_alpha = 4;
    lm_trainer_defaults(&options);
    options.batch_size = 2;
    options.steps = RESUME_STEPS;
    options.checkpoint_steps = resume ? 0 : 1;
    options.ema = 0.5;
    CHECK_OK(ctx, open_base(&t, ctx, "bert", task, &settings, 1));
    CHECK_OK(ctx, add_differing(&t, 1));
    CHECK_OK(ctx, lm_tuned_start(t.tuned, labels, 2));
    lm_tuned_network(t.tuned, &t.network);
    CHECK_OK(ctx,
             lm_trainer_run(ctx, &t.network, &options, order, 3, ROWS, resume, &hooks, &result));
    CHECK_OK(ctx, lm_tuned_write(t.tuned, &outcome));
    for (int i = 0; i < outcome.file_count; i++)
        if (strcmp(outcome.files[i].name, "model.safetensors") == 0)
            CHECK_OK(ctx, lm_buffer_append(weights, outcome.files[i].bytes.data,
                                           outcome.files[i].bytes.size));
    free_files(&outcome);
    close_trained(&t);
}

/* With dropout, an average, rows of words that wait, and adapters: the same bits. */
static void
test_resumed(void)
{
    static const lm_tuned_task *const tasks[] = {&lm_tuned_classification, &lm_tuned_masked};
    lm_context ctx;

    lm_context_init(&ctx);
    for (int i = 0; i < 2; i++)
        for (int64_t rank = 0; rank < 4; rank += 2) {
            lm_buffer kept, whole, rest;

            lm_buffer_init(&kept, &ctx);
            lm_buffer_init(&whole, &ctx);
            lm_buffer_init(&rest, &ctx);
            resumable(&ctx, tasks[i], rank, NULL, &kept, &whole);
            CHECK(kept.size > 0 && whole.size > 0);
            resumable(&ctx, tasks[i], rank, &kept, NULL, &rest);
            CHECK_EQ_INT(rest.size, whole.size);
            CHECK(memcmp(rest.data, whole.data, whole.size) == 0);
            lm_buffer_free(&kept);
            lm_buffer_free(&whole);
            lm_buffer_free(&rest);
        }
}

static const unit_case cases[] = {
    {"a resumed training has the bits of a whole one", test_resumed},
};

UNIT_MAIN(cases)
