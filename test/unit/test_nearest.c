/*
 * test_nearest.c - the methods "knn" and "prototype": the shares of scikit-learn
 * (scripts/make-golden-training.py), the files they write, damaged ones, every failing allocation.
 */
#include "train/nearest.h"

#include "damage.h"
#include "method.h"
#include "model/head.h"
#include "task/score.h"
#include "train/outcome.h"
#include "training_golden.h"

static const char *const names[GOLDEN_LABELS] = {"a", "b", "c"};

/* As the options of nearest.c. */
typedef struct knn_options {
    int64_t k;
    const char *weights;
} knn_options;

static lm_status
train(lm_context *ctx, const lm_method *method, const knn_options *options, size_t size,
      lm_train_outcome *outcome)
{
    lm_text labels[GOLDEN_ROWS];
    const lm_train_rows rows = {.count = GOLDEN_ROWS, .vectors = golden_x, .texts = {NULL, labels}};

    for (int i = 0; i < GOLDEN_ROWS; i++)
        labels[i] = (lm_text){names[golden_label[i]], 1};
    return method_train(ctx, method, options, &rows, GOLDEN_WIDTH, size, outcome);
}

/* The numbers of the head for a test row; its scores where they are softmax. */
static void
check_scores(const lm_head *head, const float *wanted, double scale)
{
    for (int i = 0; i < GOLDEN_TESTS; i++) {
        const float *x = golden_test + i * GOLDEN_WIDTH;
        double length = 0;
        float out[GOLDEN_LABELS];

        for (int j = 0; j < GOLDEN_WIDTH; j++)
            length += (double)x[j] * x[j];
        lm_head_logits(lm_kernels_active(), head, x, NULL, out);
        for (int k = 0; k < GOLDEN_LABELS; k++) {
            double found = scale > 0 ? out[k] / sqrt(length) / scale : out[k];

            CHECK_NEAR(found, wanted[i * GOLDEN_LABELS + k], 2e-5);
        }
    }
}

static void
check_method(const lm_method *method, const knn_options *options, const float *wanted)
{
    fake_memory memory = {0};
    fake_source fake;
    lm_context ctx;
    lm_train_outcome outcome;
    loaded_model loaded;
    lm_source source;
    double scale;

    fake_context(&ctx, &memory);
    CHECK_OK(&ctx, train(&ctx, method, options, 7, &outcome));
    source = method_source(&outcome, &fake);
    CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
    CHECK(!fake.went_back);
    CHECK(lm_model_needs_base(&loaded.model));
    CHECK_EQ_INT(loaded.model.info.label_count, GOLDEN_LABELS);
    CHECK_STR(loaded.model.info.labels[2], "c");
    CHECK(method_value(&outcome, "held_out_accuracy") > 0.5);
    CHECK(method_value(&outcome, "held_out") == GOLDEN_ROWS);
    scale = method == &lm_method_prototype ? method_value(&outcome, "scale") : 0;
    check_scores(lm_model_head(&loaded.model), wanted, scale);
    loaded_close(&ctx, &loaded);
    method_free(&outcome);
    CHECK_EQ_INT(memory.live, 0);
}

static void
votes_as_scikit_learn(void)
{
    check_method(&lm_method_knn, &(knn_options){1, "uniform"}, golden_knn_uniform_1);
    check_method(&lm_method_knn, &(knn_options){4, "uniform"}, golden_knn_uniform_4);
    check_method(&lm_method_knn, &(knn_options){1, "distance"}, golden_knn_distance_1);
    check_method(&lm_method_knn, &(knn_options){4, "distance"}, golden_knn_distance_4);
}

static void
nearest_means(void)
{
    check_method(&lm_method_prototype, &(knn_options){1, "uniform"}, golden_cosines);
}

/* At the same place as an example, all others are outvoted; the first of equals counts. */
static void
same_place(void)
{
    static const float examples[] = {1, 0, 0.6f, 0.8f, 1, 0, 0, 1};
    static const uint32_t labels[] = {1, 0, 0, 0};
    static const float zero[2];
    lm_neighbours n = {4, 2, examples, labels, 3, true};
    float shares[2];

    lm_neighbours_vote(lm_kernels_active(), &n, (const float[]){7, 0}, 2, 4, shares);
    CHECK_NEAR(shares[0], 0.5, 1e-7);
    CHECK_NEAR(shares[1], 0.5, 1e-7);
    lm_neighbours_vote(lm_kernels_active(), &n, (const float[]){7, 0}, 2, 0, shares);
    CHECK_NEAR(shares[1], 0, 1e-7);
    n.k = 1;
    lm_neighbours_vote(lm_kernels_active(), &n, zero, 2, 4, shares);
    CHECK_NEAR(shares[1], 1, 1e-7);
}

/* ---- Refusals ---- */

static void
wrong_options(void)
{
    lm_context ctx;
    lm_train_outcome outcome;

    lm_context_init(&ctx);
    CHECK_EQ_INT(train(&ctx, &lm_method_knn, &(knn_options){1, "square"}, 7, &outcome),
                 LM_BAD_ARGUMENT);
    CHECK_STR(ctx.error.key, "weights");
}

static void
damaged(const char *json, const char *replaced, const char *message)
{
    fake_source fake;
    lm_context ctx;
    lm_train_outcome outcome;
    loaded_model loaded;
    lm_source source;
    char text[4096], *at;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, train(&ctx, &lm_method_knn, &(knn_options){4, "distance"}, 7, &outcome));
    source = method_source(&outcome, &fake);
    snprintf(text, sizeof text, "%.*s", (int)fake.files[0].size, fake.files[0].data);
    at = strstr(text, json);
    CHECK(at && strlen(json) == strlen(replaced));
    if (at)
        memcpy(at, replaced, strlen(replaced));
    fake.files[0].data = text;
    CHECK_EQ_INT(loaded_open(&ctx, &source, lm_kernels_active(), &loaded), LM_BAD_MODEL);
    CHECK_STR(ctx.error.message, message);
    method_free(&outcome);
}

static void
damaged_files(void)
{
    damaged("\"k\": 4", "\"k\": 0", "the number of neighbours is out of range");
    damaged("\"k\": 4", "\"q\": 4", "the number of neighbours is out of range");
    damaged("\"k\": 4, ", "\"k\":1.5,", "the number of neighbours is out of range");
    damaged("\"k\": 4, ", "\"k\":257,", "the number of neighbours is out of range");
    damaged("\"k\": 4, ", "\"k\":\"4\",", "the number of neighbours is out of range");
    damaged("\"distance\"", "\"distants\"", "the weights of neighbours are not supported");
    damaged("{\"k\": 4, \"weights\": \"distance\"}", "[\"k\", 4, \"weights\", \"distance\"]",
            "the neighbours of the head are not valid");
    damaged("\"format\": 2", "\"format\": 3", "the head's format is not supported");
    damaged("\"dimensions\": 6", "\"dimensions\": 7",
            "the examples of the head are missing or have another form");
    damaged("\"a\", \"b\", \"c\"", "\"a\",      \"b\"", "an example of the head has no label");
}

/* Tensors of examples that do not fit, and sections. */
static void
wrong_examples(void)
{
    static const char *const headers[] = {
        "\"examples\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},\"classes\":{"
        "\"dtype\":\"U32\",\"shape\":[2],\"data_offsets\":[16,24]}",
        "\"classes\":{\"dtype\":\"U32\",\"shape\":[2],\"data_offsets\":[16,24]},\"other\":{"
        "\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}",
        "\"examples\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}",
        "\"examples\":{\"dtype\":\"U32\",\"shape\":[2,2],\"data_offsets\":[0,16]},\"classes\":{"
        "\"dtype\":\"U32\",\"shape\":[2],\"data_offsets\":[16,24]}",
        "\"examples\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},\"classes\":{"
        "\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[16,24]}",
        "\"examples\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]},\"classes\":{"
        "\"dtype\":\"U32\",\"shape\":[2],\"data_offsets\":[16,24]}",
        "\"examples\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},\"classes\":{"
        "\"dtype\":\"U32\",\"shape\":[1,2],\"data_offsets\":[16,24]}",
        "\"examples\":{\"dtype\":\"F32\",\"shape\":[1,4],\"data_offsets\":[0,16]},\"classes\":{"
        "\"dtype\":\"U32\",\"shape\":[2],\"data_offsets\":[16,24]}",
        "\"classes\":{\"dtype\":\"U32\",\"shape\":[4],\"data_offsets\":[0,16]},\"examples\":{"
        "\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[16,24]}",
        "\"examples\":{\"dtype\":\"F32\",\"shape\":[0,2],\"data_offsets\":[0,0]},\"classes\":{"
        "\"dtype\":\"U32\",\"shape\":[0],\"data_offsets\":[0,0]}",
    };
    static const char json[] =
        "{\"format\": 2, \"task\": \"classification\", \"neighbours\": {\"k\": 2, \"weights\": "
        "\"uniform\"}, \"dimensions\": 2, \"labels\": [\"a\", \"b\"]}";

    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        char bytes[1024] = {0};
        const uint64_t length = strlen(headers[i]) + 2;
        fake_source fake = {.count = 0};
        const lm_source source = fake_open(&fake);
        loaded_model loaded;
        lm_context ctx;

        lm_context_init(&ctx);
        memcpy(bytes, &length, sizeof length);
        snprintf(bytes + sizeof length, sizeof bytes - sizeof length, "{%s}", headers[i]);
        memset(bytes + sizeof length + length, 0, 24);
        fake_add(&fake, LM_HEAD_JSON, json);
        fake_add_bytes(&fake, LM_HEAD_TENSORS, bytes,
                       sizeof length + length +
                           (i == 2 || i == 8 ? 24
                            : i == 9         ? 0
                                             : 24));
        CHECK_EQ_INT(loaded_open(&ctx, &source, lm_kernels_active(), &loaded),
                     i == 0 ? LM_OK : LM_BAD_MODEL);
        if (i == 0)
            loaded_close(&ctx, &loaded);
    }
}

/* Sizes that no file of a test has: plans read headers alone. */
static void
wrong_sizes(void)
{
    static const struct {
        uint64_t rows, width, classes;
        lm_status status;
    } tried[] = {{4, 2, 4, LM_OK},
                 {4, 3, 4, LM_BAD_MODEL},
                 {4, 2, 3, LM_BAD_MODEL},
                 {0, 2, 0, LM_BAD_MODEL},
                 {LM_NEIGHBOURS_NUMBERS_MAX, 2, LM_NEIGHBOURS_NUMBERS_MAX, LM_BAD_MODEL}};
    static const char json[] =
        "{\"format\": 2, \"task\": \"classification\", \"neighbours\": {\"k\": 2, \"weights\": "
        "\"uniform\"}, \"dimensions\": 2, \"labels\": [\"a\", \"b\"]}";

    for (size_t i = 0; i < sizeof tried / sizeof tried[0]; i++) {
        const uint64_t rows = tried[i].rows, width = tried[i].width, classes = tried[i].classes;
        lm_tensor list[] = {
            {.name = "classes", .dtype = LM_U32, .rank = 1, .shape = {classes}, .count = classes},
            {.name = "examples",
             .dtype = LM_F32,
             .rank = 2,
             .shape = {rows, width},
             .count = rows * width}};
        lm_checkpoint checkpoint = {.tensors = {.items = list, .count = 2}};
        lm_head_plan plan;
        lm_context ctx;
        lm_arena arena;

        lm_context_init(&ctx);
        lm_arena_init(&arena, &ctx);
        CHECK_OK(&ctx, lm_json_parse(&ctx, &arena, json, strlen(json), "", &checkpoint.settings));
        CHECK_EQ_INT(lm_head_plan_make(&ctx, &arena, &checkpoint, &plan), tried[i].status);
        lm_arena_free(&arena);
    }
}

static void
loading_survives_faults(void)
{
    lm_train_outcome outcome;
    lm_context ctx;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, train(&ctx, &lm_method_knn, &(knn_options){4, "distance"}, 7, &outcome));
    method_load_faults(&outcome);
    method_free(&outcome);
}

static lm_status
write_head(const void *head, lm_buffer *json)
{
    lm_context ctx;
    lm_buffer tensors;
    lm_status status;

    lm_context_init(&ctx);
    lm_buffer_init(&tensors, &ctx);
    status = lm_head_write(&ctx, head, json, &tensors);
    lm_buffer_free(&tensors);
    return status;
}

static void
written_without_memory(void)
{
    const lm_head head = {.labels = GOLDEN_LABELS,
                          .width = GOLDEN_WIDTH,
                          .names = names,
                          .weight = golden_x,
                          .bias = golden_test,
                          .scoring = LM_SCORING_CUMULATIVE};

    CHECK(fake_least_room(write_head, &head) < 512);
}

static void
wrong_sections(void)
{
    static const struct {
        uint64_t count;
        uint32_t k, by_distance;
        lm_status status;
    } tried[] = {{2, 1, 0, LM_OK},
                 {2, 0, 0, LM_INTERNAL},
                 {2, LM_NEIGHBOURS_K_MAX + 1, 0, LM_INTERNAL},
                 {UINT64_MAX, 1, 0, LM_INTERNAL},
                 {100000, 1, 0, LM_INTERNAL}};
    uint64_t section[64] = {0};
    lm_context ctx;

    lm_context_init(&ctx);
    for (size_t i = 0; i < sizeof tried / sizeof tried[0]; i++) {
        lm_head head = {.labels = 2, .width = 2};

        memcpy(section, &tried[i], 16);
        CHECK_EQ_INT(lm_head_bind(&ctx, section, sizeof section, &head), tried[i].status);
        CHECK_EQ_INT(lm_head_bind(&ctx, section, 8, &head), LM_INTERNAL);
    }
}

static lm_status
ask(lm_context *ctx, const lm_model *model)
{
    const lm_head *head = lm_model_head(model);
    float *x, *out;

    if (!head)
        return LM_OK;
    x = calloc((size_t)head->width, sizeof *x);
    out = malloc((size_t)head->labels * sizeof *out);
    x[0] = 1;
    lm_head_logits(model->kernels, head, x, NULL, out);
    lm_score(model->kernels, head->scoring, (size_t)head->labels, out);
    free(x);
    free(out);
    return LM_OK;
}

/* Of format 2: neighbours, and a scoring. */
static void
damaged_bytes(void)
{
    const lm_head scored = {.labels = GOLDEN_LABELS,
                            .width = GOLDEN_WIDTH,
                            .names = names,
                            .weight = golden_x,
                            .bias = golden_test,
                            .scoring = LM_SCORING_CUMULATIVE};
    lm_train_outcome outcome;
    fake_source fake;
    lm_context ctx;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, train(&ctx, &lm_method_knn, &(knn_options){4, "distance"}, 7, &outcome));
    (void)method_source(&outcome, &fake);
    damage_files(&fake, 1500, 1, ask);
    method_free(&outcome);
    lm_outcome_open_files(&ctx, &outcome, LM_HEAD_JSON, LM_HEAD_TENSORS);
    CHECK_OK(&ctx, lm_head_write(&ctx, &scored, &outcome.files[0].bytes, &outcome.files[1].bytes));
    (void)method_source(&outcome, &fake);
    damage_files(&fake, 1500, 2, ask);
    method_free(&outcome);
}

static void
survives_faults(void)
{
    const knn_options options = {3, "distance"};
    const lm_method *const methods[] = {&lm_method_knn, &lm_method_prototype};

    for (int which = 0; which < 2; which++) {
        lm_status status = LM_NO_MEMORY;

        for (int n = 1; status != LM_OK && n < 500; n++) {
            fake_memory memory = {.fail_at = n};
            lm_train_outcome outcome;
            lm_context ctx;

            fake_context(&ctx, &memory);
            status = train(&ctx, methods[which], &options, 9, &outcome);
            CHECK(status == LM_OK || status == LM_NO_MEMORY);
            method_free(&outcome);
            CHECK_EQ_INT(memory.live, 0);
        }
        CHECK_EQ_INT(status, LM_OK);
        status = LM_CANCELLED;
        for (int n = 1; status != LM_OK && n < 500; n++) {
            fake_memory memory = {.stop_at = n};
            lm_train_outcome outcome;
            lm_context ctx;

            fake_context(&ctx, &memory);
            status = train(&ctx, methods[which], &options, 9, &outcome);
            CHECK(status == LM_OK || status == LM_CANCELLED);
            method_free(&outcome);
            CHECK_EQ_INT(memory.live, 0);
        }
        CHECK_EQ_INT(status, LM_OK);
    }
}

static const unit_case cases[] = {
    {"neighbours vote as in scikit-learn", votes_as_scikit_learn},
    {"the nearest mean", nearest_means},
    {"neighbours at the same place", same_place},
    {"wrong options", wrong_options},
    {"damaged files of neighbours", damaged_files},
    {"wrong examples", wrong_examples},
    {"wrong sizes of examples", wrong_sizes},
    {"loading survives faults", loading_survives_faults},
    {"written without memory", written_without_memory},
    {"wrong sections of heads", wrong_sections},
    {"damaged bytes of heads", damaged_bytes},
    {"nearest survives faults", survives_faults},
};

UNIT_MAIN(cases)
