/*
 * test_targets.c - sets of labels, numbers and levels: what scikit-learn and scipy compute
 * (scripts/make-golden-training.py), on vectors and on n-grams; measures; refusals; faults.
 */
#include "train/targets.h"

#include "features/spec.h"
#include "features_golden.h"
#include "method.h"
#include "task/score.h"
#include "train/target_measures.h"
#include "training_golden.h"

#define TEXTS (sizeof golden_rows / sizeof golden_rows[0])

/* As the options of targets.c. */
typedef struct targets_options {
    lm_tfidf_spec features;
    double l2, hold_out, weight;
    int64_t max_steps, seed;
    const char *thresholds, *levels;
    bool refit;
} targets_options;

static targets_options
options_of(const lm_method *method)
{
    targets_options o;

    CHECK_EQ_INT(method->options_size, sizeof o);
    method->defaults(&o);
    o.l2 = golden_l2;
    o.hold_out = 0;
    return o;
}

static lm_status
train(lm_context *ctx, const lm_method *method, const targets_options *options, size_t size,
      lm_train_outcome *outcome)
{
    static const char *const names[] = {"0", "1", "2", "3"};
    lm_text all[GOLDEN_LABELS], texts[GOLDEN_ROWS], levels[GOLDEN_ROWS], words[GOLDEN_ROWS * 3];
    lm_train_words sets[GOLDEN_ROWS];
    size_t used = 0;
    lm_train_rows rows = {.count = GOLDEN_ROWS, .vectors = golden_x, .texts = {texts, levels}};

    for (int k = 0; k < GOLDEN_LABELS; k++)
        all[k] = (lm_text){names[k], 1};
    for (int i = 0; i < GOLDEN_ROWS; i++) {
        texts[i] = (lm_text){golden_rows[i][0], strlen(golden_rows[i][0])};
        levels[i] = (lm_text){names[golden_rank[i]], 1};
        sets[i] = (lm_train_words){words + used, 0};
        for (int k = 0; k < GOLDEN_LABELS; k++)
            if (golden_marks[i * GOLDEN_LABELS + k])
                words[used + sets[i].count++] = all[k];
        used += sets[i].count;
    }
    rows.words[1] = sets;
    rows.numbers[1] = golden_number;
    return method_train(ctx, method, options, &rows, method->needs_base ? GOLDEN_WIDTH : 0, size,
                        outcome);
}

/* ---- The reference ---- */

static void
check_method(const lm_method *method, const float *wanted, int labels, const char *scoring)
{
    const targets_options options = options_of(method);
    fake_memory memory = {0};
    fake_source fake;
    lm_context ctx;
    lm_train_outcome outcome;
    loaded_model loaded;
    lm_source source;
    char details[80];

    fake_context(&ctx, &memory);
    CHECK_OK(&ctx, train(&ctx, method, &options, 7, &outcome));
    source = method_source(&outcome, &fake);
    CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
    CHECK_EQ_INT(loaded.model.info.label_count, labels);
    snprintf(details, sizeof details, "{\"labels\": %d, \"scoring\": \"%s\"}", labels, scoring);
    CHECK_STR(loaded.model.info.details, details);
    for (int i = 0; i < GOLDEN_TESTS; i++) {
        float scores[4];

        lm_head_score(lm_kernels_active(), lm_model_head(&loaded.model),
                      golden_test + i * GOLDEN_WIDTH, NULL, scores);
        for (int k = 0; k < labels; k++)
            CHECK_NEAR(scores[k], wanted[i * labels + k], 2e-4);
    }
    loaded_close(&ctx, &loaded);
    method_free(&outcome);
    CHECK_EQ_INT(memory.live, 0);
}

static void
as_the_reference(void)
{
    check_method(&lm_method_multi_linear, golden_multi, GOLDEN_LABELS, "sigmoid");
    check_method(&lm_method_regression_linear, golden_ridge, 1, "raw");
    check_method(&lm_method_ordinal_linear, golden_ordinal, GOLDEN_LEVELS, "cumulative");
}

/* ---- Held-out rows ---- */

static void
held_out(void)
{
    static const lm_method *const methods[] = {
        &lm_method_multi_linear,     &lm_method_multi_combined, &lm_method_regression_linear,
        &lm_method_regression_ngram, &lm_method_ordinal_linear, &lm_method_ordinal_combined,
        &lm_method_multi_ngram,      &lm_method_ordinal_ngram,  &lm_method_regression_combined};

    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        targets_options options = options_of(methods[i]);
        fake_memory memory = {0};
        fake_source fake;
        lm_context ctx;
        lm_train_outcome outcome;
        loaded_model loaded;
        lm_source source;

        options.l2 = -1;
        options.hold_out = 0.3;
        fake_context(&ctx, &memory);
        CHECK_OK(&ctx, train(&ctx, methods[i], &options, 11, &outcome));
        CHECK(method_value(&outcome, "held_out") >= 10);
        if (strcmp(methods[i]->task, "multi_label") == 0)
            CHECK(method_value(&outcome, "held_out_micro_f1") > 0.4);
        else
            CHECK(method_value(&outcome, "held_out_rmse") >=
                  method_value(&outcome, "held_out_mae"));
        if (methods[i]->needs_base && strcmp(methods[i]->task, "multi_label") != 0)
            CHECK(method_value(&outcome, "held_out_pearson") > 0.5);
        source = method_source(&outcome, &fake);
        CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
        loaded_close(&ctx, &loaded);
        method_free(&outcome);
        CHECK_EQ_INT(memory.live, 0);
    }
}

/* Values of scikit-learn: f1_score of average micro, macro and samples; accuracy_score. */
static void
measures_of_sets(void)
{
    static const float scores[] = {1, -1, 1, -1, 1, 1, -1, -1, -1, 1, 1, -1};
    static const size_t rows[] = {1, 3, 0, 2}, ends[] = {0, 2, 4, 7};
    static const int32_t y[] = {0, 2, 0, 1, 1, 1, 2};
    lm_target_sets sets = {scores, rows, 4, 3, ends, y};
    lm_target_measures m;
    lm_context ctx;

    lm_context_init(&ctx);
    lm_target_measures_init(&m);
    CHECK_OK(&ctx, lm_measure_sets(&ctx, &sets, &m));
    CHECK_EQ_INT(m.hits, 4);
    CHECK_NEAR(m.micro_f1, 1, 1e-12);
    CHECK_NEAR(m.macro_f1, 1, 1e-12);
    CHECK_NEAR(m.sample_f1, 0.75, 1e-12);
    sets.rows = (const size_t[]){3, 1, 0, 2};
    lm_target_measures_init(&m);
    CHECK_OK(&ctx, lm_measure_sets(&ctx, &sets, &m));
    CHECK_EQ_INT(m.hits, 2);
    CHECK_NEAR(m.micro_f1, 2.0 / 3, 1e-12);
    CHECK_NEAR(m.macro_f1, (0.5 + 0.5 + 1) / 3, 1e-12);
    CHECK_NEAR(m.sample_f1, 0.5, 1e-12);
}

/* cohen_kappa_score(weights="quadratic") of these is 2 / 3. */
static void
measures_of_levels(void)
{
    static const int actual[] = {0, 1, 2, 2, 0, 1}, guess[] = {0, 1, 1, 2, 1, 1};
    const double thetas[] = {-1, 1};
    lm_target_measures m;
    lm_train_outcome outcome = {.value_count = 0};
    lm_context ctx;

    lm_context_init(&ctx);
    lm_target_measures_init(&m);
    for (int i = 0; i < 6; i++)
        CHECK_OK(&ctx, lm_measure_level(&ctx, &m, actual[i], guess[i], 3));
    lm_target_measures_tell(&m, 6, &outcome);
    CHECK_NEAR(method_value(&outcome, "held_out_kappa"), 2.0 / 3, 1e-12);
    CHECK_NEAR(method_value(&outcome, "held_out_accuracy"), 4.0 / 6, 1e-12);
    CHECK_NEAR(method_value(&outcome, "held_out_mae"), 2.0 / 6, 1e-12);
    CHECK_EQ_INT(lm_best_level(thetas, 3, -3), 0);
    CHECK_EQ_INT(lm_best_level(thetas, 3, 0), 1);
    CHECK_EQ_INT(lm_best_level(thetas, 3, 3), 2);
}

/* ---- Refusals ---- */

static void
refused(const lm_method *method, const char *thresholds, const char *levels, const char *key)
{
    targets_options options = options_of(method);
    lm_context ctx;
    lm_train_outcome outcome;

    options.thresholds = thresholds;
    options.levels = levels;
    lm_context_init(&ctx);
    CHECK_EQ_INT(train(&ctx, method, &options, 9, &outcome), LM_BAD_ARGUMENT);
    CHECK_STR(ctx.error.key, key);
}

static void
wrong_options(void)
{
    refused(&lm_method_multi_linear, "best", NULL, "thresholds");
    refused(&lm_method_ordinal_linear, "f1", "3", "levels");
    refused(&lm_method_ordinal_linear, "f1", "[\"0\", \"1\", \"2\"]", "levels");
    refused(&lm_method_ordinal_linear, "f1", "[\"0\", \"1\", \"2\", \"3\", \"4\"]", "levels");
    refused(&lm_method_ordinal_linear, "f1", "[\"0\", \"1\", \"2\", \"3\", \"3\"]", "levels");
}

static void
lacking(void)
{
    static const lm_text same[] = {{"a", 1}, {"a", 1}};
    static const lm_train_words none[2];
    static const double equal[] = {2, 2};
    const lm_train_rows rows = {.count = 2,
                                .vectors = golden_x,
                                .texts = {NULL, same},
                                .words = {NULL, none},
                                .numbers = {NULL, equal}};
    const lm_method *const methods[] = {&lm_method_multi_linear, &lm_method_regression_linear,
                                        &lm_method_ordinal_linear};

    for (int i = 0; i < 3; i++) {
        const targets_options options = options_of(methods[i]);
        const char *hint = NULL;
        void *training;
        lm_context ctx;

        lm_context_init(&ctx);
        CHECK_OK(&ctx, methods[i]->open(&ctx, &options, GOLDEN_WIDTH, &training));
        CHECK_OK(&ctx, methods[i]->add_rows(training, &rows));
        CHECK(methods[i]->lacking(training, &hint) && hint);
        methods[i]->close(training);
    }
}

/* Each by which the one before did not fail. */
static void
survives(const lm_method *method, bool polls)
{
    const lm_status wanted = polls ? LM_CANCELLED : LM_NO_MEMORY;
    lm_status status = wanted;

    for (int n = 1; status != LM_OK && n < 20000; n += polls ? 1 + n / 8 : 1) {
        fake_memory memory = {.fail_at = polls ? 0 : n, .stop_at = polls ? n : 0};
        targets_options options = options_of(method);
        lm_train_outcome outcome;
        lm_context ctx;

        options.hold_out = 0.3;
        options.max_steps = 5;
        options.levels = "[\"3\", \"1\", \"2\", \"0\"]";
        fake_context(&ctx, &memory);
        status = train(&ctx, method, &options, 9, &outcome);
        CHECK(status == LM_OK || status == wanted);
        method_free(&outcome);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
}

static void
survives_faults(void)
{
    const lm_method *const methods[] = {&lm_method_multi_combined, &lm_method_ordinal_linear,
                                        &lm_method_regression_ngram};

    for (int i = 0; i < 3; i++)
        for (int polls = 0; polls < 2; polls++)
            survives(methods[i], polls);
}

static const unit_case cases[] = {
    {"targets as the reference", as_the_reference}, {"held-out rows of targets", held_out},
    {"measures of sets", measures_of_sets},         {"measures of levels", measures_of_levels},
    {"wrong options of targets", wrong_options},    {"targets that are lacking", lacking},
    {"targets survive faults", survives_faults},
};

UNIT_MAIN(cases)
