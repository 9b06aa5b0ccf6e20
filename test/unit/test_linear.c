/*
 * test_linear.c - the table of methods, and the method "linear": rows in batches of any size give
 * the files that lm_softmax_train's weights make, labels in the order of their bytes.
 */
#include "train/linear.h"

#include "base/rng.h"
#include "fake.h"
#include "model/head.h"
#include "train/softmax.h"
#include "train/outcome.h"
#include "unit.h"

enum { ROWS = 60, WIDTH = 3, LABELS = 3 };

/* In the order in which rows have them; by bytes it is 1, 2, 0. */
static const char *const names[LABELS] = {"zebra", "", "a label of some length"};
static const int32_t by_bytes[LABELS] = {2, 0, 1};

/* Three clouds of vectors. */
static void
make_rows(float *vectors, lm_text *labels)
{
    lm_rng rng;

    lm_rng_seed(&rng, 11);
    for (int i = 0; i < ROWS; i++) {
        const char *name = names[i % LABELS];

        labels[i] = (lm_text){name, strlen(name)};
        for (int k = 0; k < WIDTH; k++)
            vectors[i * WIDTH + k] =
                (float)((k == i % LABELS) + 0.3 * (double)lm_rng_below(&rng, 1000) / 1000);
    }
}

static int reports;

static void
count_report(void *opaque, const lm_train_progress *progress)
{
    CHECK(progress->step >= 1 && progress->step <= progress->steps);
    CHECK_EQ_INT(progress->value_count, 3);
    CHECK_STR(progress->values[0].name, "loss");
    CHECK(isfinite(progress->values[0].value));
    (*(int *)opaque)++;
}

/* In batches of `size` rows; files are to be freed. */
static lm_status
learn(lm_context *ctx, int size, lm_train_outcome *outcome)
{
    static float vectors[ROWS * WIDTH];
    static lm_text labels[ROWS];
    const lm_method *method = &lm_method_linear;
    const lm_train_watch watch = {.report = count_report, .opaque = &reports};
    char options[256];
    void *training = NULL;
    lm_status status;

    memset(outcome, 0, sizeof *outcome);
    make_rows(vectors, labels);
    CHECK(method->options_size <= sizeof options);
    method->defaults(options);
    status = method->open(ctx, options, WIDTH, &training);
    for (int i = 0; status == LM_OK && i < ROWS; i += size) {
        const lm_train_rows rows = {.count = (size_t)(ROWS - i < size ? ROWS - i : size),
                                    .vectors = vectors + i * WIDTH,
                                    .texts = {NULL, labels + i}};

        status = method->add_rows(training, &rows);
    }
    if (status == LM_OK)
        status = method->fit(training, &watch);
    if (status == LM_OK)
        status = method->write(training, outcome);
    method->close(training);
    return status;
}

static void
free_files(lm_train_outcome *outcome)
{
    for (int i = 0; i < outcome->file_count; i++)
        lm_buffer_free(&outcome->files[i].bytes);
}

/* The same by the engine's own functions. */
static void
expect(lm_context *ctx, lm_buffer *json, lm_buffer *tensors)
{
    static const char *const sorted[LABELS] = {"", "a label of some length", "zebra"};
    float vectors[ROWS * WIDTH];
    lm_text labels[ROWS];
    int32_t y[ROWS];
    lm_softmax_options options;
    lm_softmax_result result;

    make_rows(vectors, labels);
    for (int i = 0; i < ROWS; i++)
        y[i] = by_bytes[i % LABELS];
    lm_softmax_defaults(&options);
    CHECK_OK(ctx,
             lm_softmax_train(ctx, vectors, y, ROWS, WIDTH, LABELS, &options, NULL, NULL, &result));
    CHECK_OK(ctx, lm_head_write(ctx,
                                &(lm_head){.labels = LABELS,
                                           .width = WIDTH,
                                           .weight = result.weight,
                                           .bias = result.bias,
                                           .names = sorted},
                                json, tensors));
    lm_free(ctx, result.weight);
    lm_free(ctx, result.bias);
}

static bool
same_bytes(const lm_buffer *a, const lm_buffer *b)
{
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

static void
rows_in_batches(void)
{
    static const int sizes[] = {1, 7, ROWS};
    lm_context ctx;
    lm_buffer json, tensors;

    lm_context_init(&ctx);
    lm_buffer_init(&json, &ctx);
    lm_buffer_init(&tensors, &ctx);
    expect(&ctx, &json, &tensors);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        lm_train_outcome outcome;

        reports = 0;
        CHECK_OK(&ctx, learn(&ctx, sizes[i], &outcome));
        CHECK(reports > 0);
        CHECK_EQ_INT(outcome.file_count, 2);
        CHECK_STR(outcome.files[0].name, LM_HEAD_JSON);
        CHECK(same_bytes(&outcome.files[0].bytes, &json));
        CHECK(same_bytes(&outcome.files[1].bytes, &tensors));
        CHECK_STR(outcome.values[0].name, "labels");
        CHECK(outcome.values[0].value == LABELS);
        CHECK(strncmp(outcome.summary, "with 3 labels: accuracy ", 24) == 0);
        free_files(&outcome);
    }
    lm_buffer_free(&json);
    lm_buffer_free(&tensors);
}

static void
lacking_labels(void)
{
    const lm_method *method = &lm_method_linear;
    const float vectors[2 * WIDTH] = {1, 2, 3, 4, 5, 6};
    const lm_text labels[2] = {{"a", 1}, {"b", 1}};
    const char *hint = NULL;
    char options[256];
    void *training;
    lm_context ctx;

    lm_context_init(&ctx);
    method->defaults(options);
    CHECK_OK(&ctx, method->open(&ctx, options, WIDTH, &training));
    CHECK_OK(&ctx, method->add_rows(
                       training,
                       &(lm_train_rows){.count = 1, .vectors = vectors, .texts = {NULL, labels}}));
    CHECK_STR(method->lacking(training, &hint), "returned only one label");
    CHECK(hint != NULL);
    CHECK_OK(&ctx, method->add_rows(
                       training,
                       &(lm_train_rows){.count = 2, .vectors = vectors, .texts = {NULL, labels}}));
    CHECK(method->lacking(training, &hint) == NULL);
    method->close(training);
}

static void
survives_no_memory(void)
{
    lm_status status = LM_NO_MEMORY;

    for (int n = 1; status != LM_OK && n < 500; n++) {
        fake_memory memory = {.fail_at = n};
        lm_train_outcome outcome;
        lm_context ctx;

        fake_context(&ctx, &memory);
        status = learn(&ctx, 9, &outcome);
        CHECK(status == LM_OK || status == LM_NO_MEMORY);
        free_files(&outcome);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
}

/* Each name finds its row, each option has a default in its range or stands for "chosen". */
static void
methods_are_found(void)
{
    CHECK(lm_method_find("classification", NULL) == &lm_method_linear);
    CHECK(lm_method_find("classification", "linear") == &lm_method_linear);
    CHECK(!lm_method_find("classification", "unknown"));
    CHECK(!lm_method_find("translation", NULL));
    CHECK(!lm_method_find("translation", "linear"));
    for (int i = 0; lm_methods[i]; i++) {
        CHECK(lm_methods[i]->column_count <= LM_TRAIN_COLUMNS_MAX);
        for (int k = 0; k < lm_methods[i]->option_count; k++)
            CHECK(lm_methods[i]->options[k].offset < lm_methods[i]->options_size);
    }
}

/* Vectors of length 1, and those that have none; more than any memory holds. */
static void
vectors_of_rows(void)
{
    static const float rows[] = {3, 4, 0, 0, INFINITY, 1};
    lm_context ctx;
    lm_train_vectors vectors = {.width = 2};

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_train_vectors_add(&ctx, &vectors, rows, 0));
    CHECK_OK(&ctx, lm_train_vectors_add(&ctx, &vectors, rows, 2));
    CHECK_OK(&ctx, lm_train_vectors_normalize(&ctx, &vectors));
    CHECK_NEAR((double)vectors.values[0], 0.6, 1e-7);
    CHECK_NEAR((double)vectors.values[3], 0, 0);
    CHECK_OK(&ctx, lm_train_vectors_add(&ctx, &vectors, rows + 4, 1));
    CHECK_EQ_INT(lm_train_vectors_normalize(&ctx, &vectors), LM_BAD_ARGUMENT);
    CHECK_STR(ctx.error.message, "vector of row 2 cannot be trained on");
    CHECK_EQ_INT(lm_train_vectors_add(&ctx, &vectors, rows, SIZE_MAX / 4), LM_TOO_LARGE);
    lm_free(&ctx, vectors.values);
}

static const unit_case cases[] = {
    {"vectors of rows", vectors_of_rows},
    {"linear learns rows in batches", rows_in_batches},
    {"linear lacks labels", lacking_labels},
    {"linear survives lack of memory", survives_no_memory},
    {"methods are found", methods_are_found},
};

UNIT_MAIN(cases)
