/*
 * test_linear_options.c - the method "linear" with weights of labels (scikit-learn's values by
 * scripts/make-golden-training.py), calibrated, with a label out of scope; refusals and faults.
 */
#include "train/linear.h"

#include "base/rng.h"
#include "method.h"
#include "task/score.h"
#include "training_golden.h"

enum { MANY = 600 };

/* As the options of linear.c. */
typedef struct linear_options {
    double l2;
    int64_t max_steps, patience;
    double hold_out;
    int64_t seed, folds;
    bool refit, calibrate;
    const char *class_weights, *out_of_scope;
} linear_options;

static linear_options
options_of(void)
{
    linear_options o;

    CHECK_EQ_INT(lm_method_linear.options_size, sizeof o);
    lm_method_linear.defaults(&o);
    return o;
}

static lm_status
train(lm_context *ctx, const linear_options *options, lm_train_outcome *outcome)
{
    static const char *const names[] = {"0", "1", "2", "3"};
    lm_text labels[GOLDEN_ROWS];
    const lm_train_rows rows = {.count = GOLDEN_ROWS, .vectors = golden_x, .texts = {NULL, labels}};

    for (int i = 0; i < GOLDEN_ROWS; i++)
        labels[i] = (lm_text){names[golden_rank[i]], 1};
    return method_train(ctx, &lm_method_linear, options, &rows, GOLDEN_WIDTH, 11, outcome);
}

static void
weights_of_labels(void)
{
    linear_options o = options_of();
    fake_source fake;
    lm_context ctx;
    lm_train_outcome outcome;
    loaded_model loaded;
    lm_source source;

    o.l2 = golden_l2;
    o.hold_out = 0;
    o.class_weights = "\"balanced\"";
    lm_context_init(&ctx);
    CHECK_OK(&ctx, train(&ctx, &o, &outcome));
    source = method_source(&outcome, &fake);
    CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
    for (int i = 0; i < GOLDEN_TESTS; i++) {
        float scores[GOLDEN_LEVELS];

        lm_head_score(lm_kernels_active(), lm_model_head(&loaded.model),
                      golden_test + i * GOLDEN_WIDTH, NULL, scores);
        for (int k = 0; k < GOLDEN_LEVELS; k++)
            CHECK_NEAR(scores[k], golden_balanced[i * GOLDEN_LEVELS + k], 2e-3);
    }
    loaded_close(&ctx, &loaded);
    method_free(&outcome);
}

/* Three clouds, and one far off that nobody has seen. */
static void
draw(lm_rng *rng, int cloud, float *x)
{
    for (int j = 0; j < 4; j++)
        x[j] = (float)((j == cloud) + lm_rng_uniform(rng) - 0.5);
}

static lm_status
train_clouds(lm_context *ctx, const linear_options *options, lm_train_outcome *outcome)
{
    static const char *const names[] = {"a", "b", "c"};
    static float x[MANY * 4];
    static lm_text labels[MANY];
    const lm_train_rows rows = {.count = MANY, .vectors = x, .texts = {NULL, labels}};
    lm_rng rng;

    lm_rng_seed(&rng, 3);
    for (int i = 0; i < MANY; i++) {
        labels[i] = (lm_text){names[i % 3], 1};
        draw(&rng, i % 3, x + i * 4);
    }
    return method_train(ctx, &lm_method_linear, options, &rows, 4, 100, outcome);
}

static void
out_of_scope(void)
{
    linear_options o = options_of();
    fake_source fake;
    lm_context ctx;
    lm_train_outcome outcome;
    loaded_model loaded;
    lm_source source;
    lm_rng rng;
    int kept = 0, found = 0;

    o.hold_out = 0.3;
    o.calibrate = true;
    o.out_of_scope = "{\"label\": \"none\", \"coverage\": 0.9}";
    lm_context_init(&ctx);
    CHECK_OK(&ctx, train_clouds(&ctx, &o, &outcome));
    CHECK(method_value(&outcome, "set_aside") == 180);
    CHECK(method_value(&outcome, "scope_covered") >= 0.9);
    CHECK(method_value(&outcome, "scope_covered") < 0.95);
    CHECK(method_value(&outcome, "held_out_ece") < 0.1);
    source = method_source(&outcome, &fake);
    CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
    CHECK_EQ_INT(loaded.model.info.label_count, 4);
    CHECK_STR(loaded.model.info.labels[3], "none");
    lm_rng_seed(&rng, 4);
    for (int i = 0; i < 1000; i++) {
        float x[4], scores[4];

        draw(&rng, i % 3, x);
        lm_head_score(lm_kernels_active(), lm_model_head(&loaded.model), x, NULL, scores);
        kept += lm_classify_best(scores, 4) < 3;
        memset(x, 0, sizeof x);
        x[0] = x[1] = x[2] = 1.0f / 3;
        lm_head_score(lm_kernels_active(), lm_model_head(&loaded.model), x, NULL, scores);
        found += lm_classify_best(scores, 4) == 3;
    }
    CHECK(kept > 850 && kept < 960);
    CHECK_EQ_INT(found, 1000);
    loaded_close(&ctx, &loaded);
    method_free(&outcome);
    o.out_of_scope =
        "{\"label\": \"none\", \"coverage\": 1e-12}"; /* the greatest number is the last */
    CHECK_OK(&ctx, train_clouds(&ctx, &o, &outcome));
    CHECK_NEAR(method_value(&outcome, "scope_covered"), 1.0 / 180, 1e-9);
    method_free(&outcome);
}

static void
refused(linear_options o, const char *key)
{
    lm_context ctx;
    lm_train_outcome outcome;

    lm_context_init(&ctx);
    CHECK_EQ_INT(train(&ctx, &o, &outcome), LM_BAD_ARGUMENT);
    CHECK_STR(ctx.error.key, key);
}

static void
wrong_options(void)
{
    static const char *const weights[] = {"\"equal\"", "3", "{\"9\": 1}", "{\"1\": 0}",
                                          "{\"1\": \"2\"}"};
    static const char *const scopes[] = {"1",
                                         "{}",
                                         "{\"label\": 1}",
                                         "{\"label\": \"0\"}",
                                         "{\"label\": \"n\", \"coverage\": 1}",
                                         "{\"label\": \"n\", \"coverage\": \"1\"}"};
    linear_options o = options_of();

    for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++) {
        o.class_weights = weights[i];
        refused(o, "class_weights");
    }
    o = options_of();
    for (size_t i = 0; i < sizeof scopes / sizeof scopes[0]; i++) {
        o.out_of_scope = scopes[i];
        refused(o, "out_of_scope");
    }
    o.out_of_scope = "{\"label\": \"none\", \"coverage\": 0.999}";
    refused(o, "");
}

static void
survives(linear_options o, bool polls)
{
    const lm_status wanted = polls ? LM_CANCELLED : LM_NO_MEMORY;
    lm_status status = wanted;

    for (int n = 1; status != LM_OK && n < 5000; n++) {
        fake_memory memory = {.fail_at = polls ? 0 : n, .stop_at = polls ? n : 0};
        lm_train_outcome outcome;
        lm_context ctx;

        fake_context(&ctx, &memory);
        status = train_clouds(&ctx, &o, &outcome);
        CHECK(status == LM_OK || status == wanted);
        method_free(&outcome);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
}

static void
survives_faults(void)
{
    linear_options o = options_of();

    o.calibrate = true;
    o.max_steps = 3;
    o.class_weights = "{\"a\": 2}";
    survives(o, false);
    survives(o, true);
    o.out_of_scope = "{\"label\": \"none\", \"coverage\": 0.8}";
    survives(o, false);
}

static const unit_case cases[] = {
    {"weights of labels", weights_of_labels},
    {"out of scope", out_of_scope},
    {"wrong options of linear", wrong_options},
    {"linear with options survives faults", survives_faults},
};

UNIT_MAIN(cases)
