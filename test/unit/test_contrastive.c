/*
 * test_contrastive.c - the method "contrastive": the optimum that scipy finds by the definition
 * (scripts/make-golden-training.py), the same bits whatever the batches, rows that are alone or
 * nowhere, sizes, every failing allocation and poll.
 */
#include "train/contrastive.h"

#include "method.h"
#include "model/head.h"
#include "train/contrastive_fit.h"
#include "training_golden.h"

static const char *const names[GOLDEN_LABELS] = {"a", "b", "c"};

static lm_contrastive_options
options_of(double hold_out)
{
    lm_contrastive_options o;

    lm_contrastive_defaults(&o);
    CHECK_EQ_INT(lm_method_contrastive.options_size, sizeof o);
    o.temperature = golden_map[0];
    o.penalty = golden_map[1];
    o.hold_out = hold_out;
    o.max_steps = 1000;
    return o;
}

static lm_status
train(lm_context *ctx, const lm_contrastive_options *options, size_t size,
      lm_train_outcome *outcome)
{
    lm_text labels[GOLDEN_ROWS];
    const lm_train_rows rows = {.count = GOLDEN_ROWS, .vectors = golden_x, .texts = {NULL, labels}};

    for (int i = 0; i < GOLDEN_ROWS; i++)
        labels[i] = (lm_text){names[golden_label[i]], 1};
    return method_train(ctx, &lm_method_contrastive, options, &rows, GOLDEN_WIDTH, size, outcome);
}

static void
finds_the_optimum(void)
{
    const lm_contrastive_options options = options_of(0);
    lm_contrastive_result result;
    int32_t y[GOLDEN_ROWS];
    lm_context ctx;

    lm_context_init(&ctx);
    for (int i = 0; i < GOLDEN_ROWS; i++)
        y[i] = golden_label[i];
    CHECK_OK(&ctx, lm_contrastive_train(&ctx, golden_x, y, GOLDEN_ROWS, GOLDEN_WIDTH, GOLDEN_LABELS,
                                        &options, NULL, NULL, &result));
    CHECK_NEAR(result.loss, golden_map[2], 1e-3);
    CHECK(isnan(result.held_out_accuracy));
    for (int i = 0; i < GOLDEN_TESTS * GOLDEN_LABELS; i++) {
        const float *x = golden_test + i / GOLDEN_LABELS * GOLDEN_WIDTH;
        const float *w = result.weight + i % GOLDEN_LABELS * GOLDEN_WIDTH;
        double sum = 0;

        for (int j = 0; j < GOLDEN_WIDTH; j++)
            sum += (double)x[j] * w[j];
        CHECK_NEAR(sum / result.scale, golden_mapped[i], 2e-2);
    }
    lm_free(&ctx, result.weight);
    lm_free(&ctx, result.bias);
}

static void
makes_a_head(void)
{
    const lm_contrastive_options options = options_of(0.25);
    fake_memory memory = {0};
    fake_source fake;
    lm_context ctx;
    lm_train_outcome one, other;
    loaded_model loaded;
    lm_source source;

    fake_context(&ctx, &memory);
    CHECK_OK(&ctx, train(&ctx, &options, 7, &one));
    CHECK_OK(&ctx, train(&ctx, &options, GOLDEN_ROWS, &other));
    for (int i = 0; i < 2; i++) {
        CHECK_EQ_INT(one.files[i].bytes.size, other.files[i].bytes.size);
        CHECK(memcmp(one.files[i].bytes.data, other.files[i].bytes.data, one.files[i].bytes.size) ==
              0);
    }
    source = method_source(&one, &fake);
    CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
    CHECK(lm_model_needs_base(&loaded.model));
    CHECK_STR(loaded.model.info.labels[2], "c");
    CHECK_EQ_INT(method_value(&one, "held_out"), GOLDEN_ROWS / 4);
    CHECK(method_value(&one, "held_out_accuracy") > 0.5);
    CHECK(method_value(&one, "held_out_loss") < 1.1);
    CHECK(method_value(&one, "scale") > 0);
    loaded_close(&ctx, &loaded);
    method_free(&one);
    method_free(&other);
    CHECK_EQ_INT(memory.live, 0);
}

/* One example a label: there is nothing to learn, and the examples are the means. A vector of
 * length 0 is near to nothing, and a label that has only such has no direction. */
static void
few_rows(void)
{
    static const float x[] = {3, 0, 0, 2, 0, 0};
    static const int32_t alone[] = {0, 1, 2}, together[] = {0, 0, 1};
    lm_contrastive_options options;
    lm_contrastive_result result;
    lm_context ctx;

    lm_context_init(&ctx);
    lm_contrastive_defaults(&options);
    CHECK_OK(&ctx, lm_contrastive_train(&ctx, x, alone, 3, 2, 3, &options, NULL, NULL, &result));
    CHECK(isnan(result.loss));
    CHECK_EQ_INT(result.steps, 0);
    CHECK_NEAR(result.weight[0], result.scale, 1e-4);
    CHECK_NEAR(result.weight[3], result.scale, 1e-4);
    CHECK_NEAR(result.weight[4], 0, 1e-6);
    lm_free(&ctx, result.weight);
    lm_free(&ctx, result.bias);
    CHECK_OK(&ctx, lm_contrastive_train(&ctx, x, together, 3, 2, 2, &options, NULL, NULL, &result));
    for (int i = 0; i < 4; i++)
        CHECK(isfinite(result.weight[i]));
    lm_free(&ctx, result.weight);
    lm_free(&ctx, result.bias);
}

static void
refuses(void)
{
    static const float x[LM_CONTRASTIVE_WIDTH_MAX + 1];
    const lm_train_rows rows = {
        .count = 1, .vectors = golden_x, .texts = {NULL, &(lm_text){"a", 1}}};
    lm_contrastive_options options = options_of(0);
    lm_contrastive_result result;
    const char *hint;
    void *training;
    lm_context ctx;

    lm_context_init(&ctx);
    CHECK_EQ_INT(lm_contrastive_train(&ctx, x, (int32_t[]){0}, 1, LM_CONTRASTIVE_WIDTH_MAX + 1, 2,
                                      &options, NULL, NULL, &result),
                 LM_TOO_LARGE);
    CHECK_STR(ctx.error.message, "the vectors are too wide to learn a map of them");
    CHECK_EQ_INT(lm_contrastive_train(&ctx, x, (int32_t[]){0}, LM_CONTRASTIVE_SCORES_MAX, 2, 2,
                                      &options, NULL, NULL, &result),
                 LM_TOO_LARGE);
    CHECK_STR(ctx.error.message, "there are too many rows to learn a map from");
    CHECK_OK(&ctx, lm_method_contrastive.open(&ctx, &options, GOLDEN_WIDTH, &training));
    CHECK_OK(&ctx, lm_method_contrastive.add_rows(training, &rows));
    CHECK_STR(lm_method_contrastive.lacking(training, &hint), "returned only one label");
    lm_method_contrastive.close(training);
    lm_method_contrastive.close(NULL);
}

/* Fails the n-th allocation, or stops at the n-th poll. */
static lm_status
train_with(fake_memory memory)
{
    lm_contrastive_options options = options_of(0.25);
    lm_train_outcome outcome;
    lm_context ctx;
    lm_status status;

    options.max_steps = 3;
    fake_context(&ctx, &memory);
    status = train(&ctx, &options, 9, &outcome);
    method_free(&outcome);
    CHECK_EQ_INT(memory.live, 0);
    return status;
}

static void
survives_faults(void)
{
    lm_status status = LM_NO_MEMORY;

    for (int n = 1; status != LM_OK && n < 500; n++) {
        status = train_with((fake_memory){.fail_at = n});
        CHECK(status == LM_OK || status == LM_NO_MEMORY);
    }
    CHECK_EQ_INT(status, LM_OK);
    status = LM_CANCELLED;
    for (int n = 1; status != LM_OK && n < 5000; n++) {
        status = train_with((fake_memory){.stop_at = n});
        CHECK(status == LM_OK || status == LM_CANCELLED);
    }
    CHECK_EQ_INT(status, LM_OK);
}

static const unit_case cases[] = {
    {"a map as scipy finds it", finds_the_optimum},
    {"a map makes a head", makes_a_head},
    {"a map of few rows", few_rows},
    {"what no map is learnt of", refuses},
    {"a map survives faults", survives_faults},
};

UNIT_MAIN(cases)
