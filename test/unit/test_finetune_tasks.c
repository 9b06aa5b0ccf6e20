/*
 * test_finetune_tasks.c - all tasks, with dropout: their gradients are those that differences of
 * losses show; what a task cannot have is refused.
 */
#include "finetune_case.h"

static void
check_differences(const char *folder, const lm_tuned_task *task, lm_tuned_settings settings,
                  size_t per_row)
{
    static const char *const labels[] = {"a", "b"};
    char what[128];
    lm_context ctx;
    trained t;

    lm_context_init(&ctx);
    settings.encoder.hidden_dropout = 0.2;
    settings.encoder.attention_dropout = 0.3;
    CHECK_OK(&ctx, open_base(&t, &ctx, folder, task, &settings, per_row));
    CHECK_OK(&ctx, add_differing(&t, per_row));
    CHECK_OK(&ctx, lm_tuned_start(t.tuned, labels, 2));
    lm_tuned_network(t.tuned, &t.network);
    snprintf(what, sizeof what, "%s of %s", task->name, folder);
    check_rise(&t, what);
    close_trained(&t);
}

static void
test_differences(void)
{
    lm_tuned_settings settings;

    lm_tuned_settings_default(&settings);
    settings.label_smoothing = 0.1;
    check_differences("bert", &lm_tuned_classification, settings, 1);
    check_differences("modernbert", &lm_tuned_classification, settings, 1);
    check_differences("bert", &lm_tuned_tagging, settings, 1);
    settings.label_smoothing = 0;
    settings.crf = true;
    check_differences("bert", &lm_tuned_tagging, settings, 1);
    settings.crf = false;
    settings.lora_rank = 3;
    settings.lora_alpha = 6;
    check_differences("bert", &lm_tuned_classification, settings, 1);
    check_differences("bert", &lm_tuned_masked, settings, 1);
    settings.lora_rank = 0;
    check_differences("bert", &lm_tuned_regression, settings, 1);
    check_differences("bert", &lm_tuned_rerank, settings, 1);
    check_differences("bert", &lm_tuned_next, settings, 1);
    check_differences("bert", &lm_tuned_masked, settings, 1);
    check_differences("bert-mask", &lm_tuned_masked, settings, 1);
    settings.pairs = LM_TUNED_SCORED;
    check_differences("bert-st6-cls", &lm_tuned_similarity, settings, 2);
    settings.pairs = LM_TUNED_RANKED;
    settings.scale = 2;
    check_differences("bert-st6-cls", &lm_tuned_similarity, settings, 2);
    check_differences("bert-st6-cls", &lm_tuned_similarity, settings, 3);
    settings.pairs = LM_TUNED_TRIPLETS;
    check_differences("bert-st6-cls", &lm_tuned_similarity, settings, 3);
}

/* A CRF is asked of a head that has none: refused, not left out. */
static void
test_no_crf(void)
{
    lm_tuned_settings settings = plain_settings();
    const char *const labels[] = {"a", "b"};
    lm_context ctx;
    trained t;

    lm_context_init(&ctx);
    settings.crf = true;
    CHECK_OK(&ctx, open_base(&t, &ctx, "bert", &lm_tuned_classification, &settings, 1));
    CHECK_OK(&ctx, add_differing(&t, 1));
    CHECK_EQ_INT(lm_tuned_start(t.tuned, labels, 2), LM_UNSUPPORTED);
    CHECK_STR(ctx.error.key, "crf");
    CHECK_STR(ctx.error.found, "bert");
    close_trained(&t);
}

static const unit_case cases[] = {
    {"all tasks have the gradients that differences show", test_differences},
    {"a head without a CRF", test_no_crf},
};

UNIT_MAIN(cases)
