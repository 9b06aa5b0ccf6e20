/*
 * test_ngram_head.c - a classifier on n-grams: trained, written, read back as an image, asked.
 * Values are those of scikit-learn (scripts/make-golden-features.py). Damaged files are refused.
 */
#include <math.h>

#include "fake.h"
#include "features_golden.h"
#include "lang/ngram_head.h"
#include "loaded.h"
#include "model/session.h"
#include "task/explain.h"
#include "task/pair.h"
#include "task/tasks.h"
#include "train/auto.h"
#include "train/bayes.h"
#include "train/ngram.h"
#include "train/ngram_fit.h"

#define ROWS (sizeof golden_rows / sizeof golden_rows[0])
#define TESTS (sizeof golden_tests / sizeof golden_tests[0])
#define LABELS 3
#define WIDTH 4 /* of made-up vectors */

/* ---- Training ---- */

static lm_ngram_fit_options
options_of(const char *learner)
{
    lm_ngram_fit_options o;

    lm_ngram_fit_defaults(&o);
    o.learner = (char *)(uintptr_t)learner;
    o.tolerance = 1e-6;
    o.hold_out = 0;
    return o;
}

static void
ignore(void *opaque, const lm_train_progress *progress)
{
    CHECK_STR(progress->values[0].name, "loss");
}

/* A vector of a text that tells something: how often some letters are there. */
static void
make_vector(const char *text, float *vector)
{
    memset(vector, 0, WIDTH * sizeof *vector);
    for (; *text; text++)
        vector[(unsigned char)*text % WIDTH] += 0.01f;
}

static lm_status
add_rows(const lm_method *method, void *training, size_t batch)
{
    for (size_t i = 0; i < ROWS; i += batch) {
        lm_text texts[2][8];
        float vectors[8 * WIDTH];
        lm_train_rows part = {.count = ROWS - i < batch ? ROWS - i : batch,
                              .vectors = vectors,
                              .texts = {texts[0], texts[1]}};

        for (size_t j = 0; j < part.count; j++) {
            for (int column = 0; column < 2; column++)
                texts[column][j] =
                    (lm_text){golden_rows[i + j][column], strlen(golden_rows[i + j][column])};
            make_vector(golden_rows[i + j][0], vectors + j * WIDTH);
        }
        LM_TRY(method->add_rows(training, &part));
    }
    return LM_OK;
}

static lm_status
train(lm_context *ctx, const lm_method *method, const lm_ngram_fit_options *chosen, size_t batch,
      lm_train_outcome *outcome)
{
    void *training;
    lm_status status = method->open(ctx, chosen, method->needs_base ? WIDTH : 0, &training);

    outcome->file_count = 0;
    if (status == LM_OK)
        status = add_rows(method, training, batch);
    if (status == LM_OK)
        status = method->fit(training, &(lm_train_watch){.report = ignore});
    if (status == LM_OK)
        status = method->write(training, outcome);
    method->close(training);
    return status;
}

static void
free_outcome(lm_train_outcome *outcome)
{
    for (int i = 0; i < outcome->file_count; i++)
        lm_buffer_free(&outcome->files[i].bytes);
}

static lm_source
source_of(const lm_train_outcome *outcome, fake_source *fake)
{
    memset(fake, 0, sizeof *fake);
    for (int i = 0; i < outcome->file_count; i++)
        fake_add_bytes(fake, outcome->files[i].name, outcome->files[i].bytes.data,
                       outcome->files[i].bytes.size);
    return fake_open(fake);
}

static double
value_of(const lm_train_outcome *outcome, const char *name)
{
    for (int i = 0; i < outcome->value_count; i++)
        if (strcmp(outcome->values[i].name, name) == 0)
            return outcome->values[i].value;
    return NAN;
}

/* ---- The reference ---- */

/* Scores of decision values: softmax, by the factor that stands in the weights. */
static void
scores_of(const float *decisions, double scale, float *scores)
{
    double sum = 0;

    for (int i = 0; i < LABELS; i++)
        sum += exp(scale * decisions[i]);
    for (int i = 0; i < LABELS; i++)
        scores[i] = (float)(exp(scale * decisions[i]) / sum);
}

static void
check_learner(const char *learner, const float *wanted, bool decisions, double objective)
{
    lm_ngram_fit_options chosen = options_of(learner);
    fake_memory memory = {0};
    lm_context ctx;
    fake_source fake;
    lm_train_outcome outcome;
    loaded_model loaded;
    lm_session *session;
    lm_source source;

    chosen.alpha = strcmp(learner, "multinomial_nb") == 0 ? 0.5 : 1;
    fake_context(&ctx, &memory);
    CHECK_OK(&ctx, train(&ctx, &lm_method_ngram, &chosen, 5, &outcome));
    if (decisions)
        CHECK_NEAR(value_of(&outcome, "objective"), objective, 1e-4 * objective);
    source = source_of(&outcome, &fake);
    CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
    CHECK(!fake.went_back);
    CHECK_OK(&ctx, lm_session_create(&ctx, &session));
    for (size_t i = 0; i < TESTS; i++) {
        const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
        const lm_text text = {golden_tests[i], strlen(golden_tests[i])};
        lm_embed_counts counts = {0};
        float scores[LABELS], expected[LABELS];

        memcpy(expected, wanted + i * LABELS, sizeof expected);
        if (decisions)
            scores_of(wanted + i * LABELS, value_of(&outcome, "scale"), expected);
        CHECK_OK(&ctx,
                 lm_classify(&ctx, session, &loaded.model, &text, 1, &options, scores, &counts));
        CHECK_EQ_INT(counts.texts, 1);
        CHECK(counts.tokens > 5);
        for (int label = 0; label < LABELS; label++)
            CHECK_NEAR(scores[label], expected[label], decisions ? 1e-3 : 1e-5);
    }
    lm_session_free(session);
    loaded_close(&ctx, &loaded);
    free_outcome(&outcome);
    CHECK_EQ_INT(memory.live, 0);
}

static void
as_the_reference(void)
{
    check_learner("svm", golden_svm, true, GOLDEN_SVM_OBJECTIVE);
    check_learner("logistic", golden_logistic, true, GOLDEN_LOGISTIC_OBJECTIVE);
    check_learner("multinomial_nb", golden_multinomial, false, 0);
    check_learner("complement_nb", golden_complement, false, 0);
}

/* ---- What it says ---- */

static void
refuses(lm_context *ctx, const lm_source *source, lm_model_options options)
{
    lm_model_plan *plan;
    lm_arena arena;

    lm_arena_init(&arena, ctx);
    CHECK_EQ_INT(
        lm_model_plan_make(ctx, &arena, source, &options, lm_kernels_active(), &plan, NULL, NULL),
        LM_BAD_ARGUMENT);
    lm_arena_free(&arena);
}

static void
what_it_says(void)
{
    lm_ngram_fit_options chosen = options_of("svm");
    const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    const lm_text texts[] = {{"a", 1}, {"b", 1}, {"\xff", 1}};
    float vector[WIDTH] = {0}, scores[2 * LABELS];
    lm_context ctx;
    fake_source fake;
    lm_train_outcome outcome;
    loaded_model loaded;
    lm_session *session;
    lm_source source;

    chosen.hold_out = 0.2;
    lm_context_init(&ctx);
    CHECK_OK(&ctx, train(&ctx, &lm_method_ngram, &chosen, 8, &outcome));
    CHECK_EQ_INT(value_of(&outcome, "held_out"), 11);
    CHECK(value_of(&outcome, "held_out_accuracy") > 0.6);
    CHECK(value_of(&outcome, "held_out_loss") < log(LABELS));
    source = source_of(&outcome, &fake);
    CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
    CHECK_STR(loaded.model.info.kind, "ngram_head");
    CHECK_STR(loaded.model.info.task, "classification");
    CHECK_STR(loaded.model.info.labels[2], "network");
    CHECK_EQ_INT(loaded.model.info.dimensions, 0);
    CHECK(!lm_model_tokenizer(&loaded.model) && !lm_model_needs_base(&loaded.model));
    refuses(&ctx, &source, (lm_model_options){.max_tokens = 10});
    refuses(&ctx, &source, (lm_model_options){.as_embedding = true});
    CHECK_OK(&ctx, lm_session_create(&ctx, &session));
    CHECK_EQ_INT(lm_classify_vector(&ctx, &loaded.model, vector, WIDTH, scores), LM_UNSUPPORTED);
    CHECK_STR(ctx.error.message, "the model classifies texts only, not vectors");
    CHECK_EQ_INT(lm_rerank(&ctx, session, &loaded.model, texts, 1, &options, scores, NULL),
                 LM_UNSUPPORTED);
    CHECK_EQ_INT(lm_classify(&ctx, session, &loaded.model, texts, 1,
                             &(lm_embed_options){.pairs = true}, scores, NULL),
                 LM_UNSUPPORTED);
    CHECK_EQ_INT(lm_classify(&ctx, session, &loaded.model, texts, 3, &options, scores, NULL),
                 LM_BAD_TEXT);
    CHECK_OK(&ctx,
             lm_task_of(&loaded.model)->golden(&ctx, session, &loaded.model, texts, 1, scores));
    lm_session_free(session);
    loaded_close(&ctx, &loaded);
    free_outcome(&outcome);
}

/* ---- Explaining ---- */

typedef struct shares {
    size_t count;
    lm_attribution words[16];
} shares;

static lm_status
take_shares(void *opaque, size_t text, const lm_attribution *words, size_t count)
{
    shares *to = opaque;

    to->count = count;
    memcpy(to->words, words, count * sizeof *words);
    return LM_OK;
}

static void
explained(void)
{
    lm_ngram_fit_options chosen = options_of("svm");
    const lm_text text = {"  my r\xc3\xb6uter modem", 18};
    const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    lm_explain_options explain = {.label = 2, .method = LM_EXPLAIN_LEAVE_OUT};
    shares found = {0};
    lm_embed_counts counts = {0};
    lm_context ctx;
    fake_source fake;
    lm_train_outcome outcome;
    loaded_model loaded;
    lm_session *session;
    lm_source source;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, train(&ctx, &lm_method_ngram, &chosen, 8, &outcome));
    source = source_of(&outcome, &fake);
    CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
    CHECK_OK(&ctx, lm_session_create(&ctx, &session));
    CHECK_OK(&ctx, lm_explain(&ctx, session, &loaded.model, &text, 1, &options, &explain,
                              take_shares, &found, &counts));
    CHECK_EQ_INT(found.count, 3);
    CHECK_EQ_INT(found.words[1].start, 5);
    CHECK_EQ_INT(found.words[1].stop, 11);
    CHECK(found.words[2].value > 0.1);
    explain.label = LABELS;
    CHECK_EQ_INT(lm_explain(&ctx, session, &loaded.model, &text, 1, &options, &explain, take_shares,
                            &found, &counts),
                 LM_BAD_ARGUMENT);
    explain = (lm_explain_options){.label = 0, .method = LM_EXPLAIN_GRADIENTS};
    CHECK_EQ_INT(lm_explain(&ctx, session, &loaded.model, &text, 1, &options, &explain, take_shares,
                            &found, &counts),
                 LM_UNSUPPORTED);
    CHECK_STR(ctx.error.message, "there are no gradients of n-grams");
    lm_session_free(session);
    loaded_close(&ctx, &loaded);
    free_outcome(&outcome);
}

/* ---- The same bytes ---- */

static void
check_same(const lm_method *method, const lm_ngram_fit_options *chosen)
{
    lm_context ctx;
    lm_train_outcome one, other;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, train(&ctx, method, chosen, 1, &one));
    CHECK_OK(&ctx, train(&ctx, method, chosen, 7, &other));
    for (int i = 0; i < 2; i++) {
        CHECK_EQ_INT(one.files[i].bytes.size, other.files[i].bytes.size);
        CHECK(memcmp(one.files[i].bytes.data, other.files[i].bytes.data, one.files[i].bytes.size) ==
              0);
    }
    free_outcome(&one);
    free_outcome(&other);
}

static void
the_same_bytes(void)
{
    lm_ngram_fit_options chosen = options_of("svm");

    check_same(&lm_method_ngram, &chosen);
    chosen.hold_out = 0.2;
    chosen.features.hash_bits = 10;
    check_same(&lm_method_combined, &chosen);
}

/* ---- Beside an embedding ---- */

/* Logits of a design's row are those that the loaded model computes, up to the factor. */
static void
beside_vectors(void)
{
    lm_ngram_fit_options chosen = options_of("logistic");
    const char *text = golden_tests[3];
    float vector[WIDTH], out[LABELS], without[LABELS], base_width = WIDTH;
    lm_context ctx;
    fake_source fake;
    lm_train_outcome outcome;
    loaded_model loaded;
    lm_ngram_head_room room;
    const lm_ngram_head *head;
    lm_source source;
    lm_model base = {.info = {.dimensions = WIDTH + 1}};

    lm_context_init(&ctx);
    chosen.c = 100;
    CHECK_OK(&ctx, train(&ctx, &lm_method_combined, &chosen, 8, &outcome));
    source = source_of(&outcome, &fake);
    CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
    CHECK_STR(loaded.model.info.kind, "combined_head");
    CHECK(lm_model_needs_base(&loaded.model));
    CHECK_EQ_INT(loaded.model.info.dimensions, (int)base_width);
    head = lm_model_ngram_head(&loaded.model);
    lm_ngram_head_room_init(&room, &ctx);
    make_vector(text, vector);
    CHECK_OK(&ctx, lm_ngram_head_run(lm_kernels_active(), head, &room,
                                     (lm_text){text, strlen(text)}, vector, out));
    memset(vector, 0, sizeof vector);
    CHECK_OK(&ctx, lm_ngram_head_run(lm_kernels_active(), head, &room,
                                     (lm_text){text, strlen(text)}, vector, without));
    for (int i = 0; i < LABELS; i++) {
        double sum = 0;

        make_vector(text, vector);
        for (int j = 0; j < WIDTH; j++)
            sum += vector[j] * head->dense[i * WIDTH + j];
        CHECK(fabs(sum) > 1e-4);
        CHECK_NEAR(out[i] - without[i], sum, 1e-4);
    }
    CHECK_OK(&ctx, lm_model_set_base(&ctx, &loaded.model, &base));
    CHECK_EQ_INT(lm_classify(&ctx, NULL, &loaded.model, &(lm_text){text, 1}, 1,
                             &(lm_embed_options){.on_long = LM_LONG_TRUNCATE}, out, NULL),
                 LM_BAD_MODEL);
    CHECK_STR(ctx.error.message, "the head does not fit its base model");
    lm_ngram_head_room_free(&room);
    loaded_close(&ctx, &loaded);
    free_outcome(&outcome);
}

/* ---- The choice among methods ---- */

/* As lmtext.train would set them. */
typedef struct auto_options {
    double time_budget, hold_out;
    int64_t seed;
} auto_options;

static void
look_away(void *opaque, const lm_train_progress *progress)
{
}

static lm_status
choose(lm_context *ctx, const auto_options *chosen, lm_train_outcome *outcome)
{
    const lm_method *method = &lm_method_auto;
    void *training;
    lm_status status = method->open(ctx, chosen, WIDTH, &training);

    outcome->file_count = 0;
    if (status == LM_OK)
        status = add_rows(method, training, 8);
    if (status == LM_OK)
        status = method->fit(training, &(lm_train_watch){.report = look_away});
    if (status == LM_OK)
        status = method->write(training, outcome);
    method->close(training);
    return status;
}

/* What a trial was told; NULL: nothing of the name. */
static const lm_train_setting *
setting_of(const lm_train_trial *trial, const char *name)
{
    for (int i = 0; i < trial->setting_count; i++)
        if (strcmp(trial->settings[i].name, name) == 0)
            return &trial->settings[i];
    return NULL;
}

/* How often a word or a number was tried. */
static int
tried_with(const lm_train_outcome *outcome, const char *name, const char *word, double number)
{
    int count = 0;

    for (int i = 0; i < outcome->trial_count; i++) {
        const lm_train_setting *setting = setting_of(&outcome->trials[i], name);

        count += setting &&
                 (word ? strcmp(setting->word, word) == 0 : fabs(setting->number - number) < 1e-9);
    }
    return count;
}

/* Each setting is varied, no way is tried twice, and the first of the best is chosen. */
static void
check_trials(const lm_train_outcome *outcome)
{
    const lm_train_trial *trials = outcome->trials;
    int chosen = 0, chosen_count = 0;

    CHECK_STR(trials[0].name, "linear");
    CHECK(setting_of(&trials[0], "l2") && trials[0].setting_count == 1);
    CHECK_STR(trials[1].name, "ngram");
    CHECK(!setting_of(&trials[1], "weight"));
    CHECK_STR(trials[2].name, "combined");
    CHECK_NEAR(setting_of(&trials[2], "weight")->number, 0.5, 0);
    CHECK(tried_with(outcome, "learner", "logistic", 0) >= 2);
    CHECK_EQ_INT(tried_with(outcome, "ngrams", "char_wb", 0), 1);
    CHECK_EQ_INT(tried_with(outcome, "c", NULL, 0.3), 1);
    CHECK_EQ_INT(tried_with(outcome, "l2", NULL, 0.1 * trials[0].settings[0].number), 1);
    for (int i = 0; i < outcome->trial_count; i++) {
        chosen_count += trials[i].chosen;
        if (trials[i].accuracy > trials[chosen].accuracy)
            chosen = i;
    }
    CHECK(trials[chosen].chosen && chosen_count == 1);
    CHECK(outcome->without_base == (strcmp(trials[chosen].name, "ngram") == 0));
}

static void
the_best_is_chosen(void)
{
    auto_options options = {1000, 0.2, 1};
    const char *hint = NULL;
    lm_context ctx;
    lm_train_outcome outcome;
    void *training;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, choose(&ctx, &options, &outcome));
    check_trials(&outcome);
    CHECK_STR(outcome.files[0].name, LM_NGRAM_HEAD_JSON);
    free_outcome(&outcome);
    options.time_budget = 0;
    CHECK_OK(&ctx, choose(&ctx, &options, &outcome));
    CHECK_EQ_INT(outcome.trial_count, 1);
    CHECK(!outcome.without_base && outcome.trials[0].chosen);
    CHECK_STR(outcome.files[0].name, LM_HEAD_JSON);
    CHECK_NEAR(value_of(&outcome, "held_out_accuracy"), outcome.trials[0].accuracy, 0);
    free_outcome(&outcome);
    CHECK_OK(&ctx, lm_method_auto.open(&ctx, &options, WIDTH, &training));
    CHECK_STR(lm_method_auto.lacking(training, &hint), "returned only one label");
    lm_method_auto.close(training);
    lm_method_auto.close(NULL);
}

static void
every_choice_fails(void)
{
    for (int budget = 0; budget < 2; budget++)
        for (int polls = 0; polls < 2; polls++) {
            const auto_options options = {budget * 1000, 0.2, 1};
            const lm_status wanted = polls ? LM_CANCELLED : LM_NO_MEMORY;
            lm_status status = wanted;

            for (int i = 1; status == wanted && i < 20000; i += 1 + i / 20) {
                fake_memory memory = {.fail_at = polls ? 0 : i, .stop_at = polls ? i : 0};
                lm_train_outcome outcome;
                lm_context ctx;

                fake_context(&ctx, &memory);
                status = choose(&ctx, &options, &outcome);
                free_outcome(&outcome);
                CHECK_EQ_INT(memory.live, 0);
            }
            CHECK_EQ_INT(status, LM_OK);
        }
}

/* ---- Refusals of training ---- */

static void
bad_options(void)
{
#define WORDS .ngrams = "word", .words = "words"
    static const struct {
        lm_ngram_fit_options options;
        const char *key;
    } bad[] = {
        {{.learner = "tree"}, "learner"},
        {{.learner = "svm", .features = {.ngrams = "byte"}}, "ngrams"},
        {{.learner = "svm", .features = {.ngrams = "word", .words = "x"}}, "words"},
        {{.learner = "svm", .features = {WORDS, .norm = "l3"}}, "norm"},
        {{.learner = "svm", .features = {WORDS, .norm = "l2", .ngram_min = 2}}, "ngram_max"},
        {{.learner = "svm", .features = {WORDS, .norm = "l2", .hash_bits = 4}}, "hash_bits"},
    };
    lm_ngram_fit_options bayes = options_of("complement_nb");
    const char *hint = NULL;
    lm_context ctx;
    void *training;

    lm_context_init(&ctx);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_EQ_INT(lm_method_ngram.open(&ctx, &bad[i].options, 0, &training), LM_BAD_ARGUMENT);
        CHECK_STR(ctx.error.key, bad[i].key);
        lm_method_ngram.close(training);
    }
    CHECK_EQ_INT(lm_method_combined.open(&ctx, &bayes, WIDTH, &training), LM_BAD_ARGUMENT);
    CHECK_STR(ctx.error.key, "learner");
    lm_method_combined.close(training);
    CHECK_OK(&ctx, lm_method_ngram.open(&ctx, &bayes, 0, &training));
    CHECK_OK(&ctx,
             lm_method_ngram.add_rows(
                 training, &(lm_train_rows){.count = 1,
                                            .texts = {&(lm_text){"a b", 3}, &(lm_text){"x", 1}}}));
    CHECK_STR(lm_method_ngram.lacking(training, &hint), "returned only one label");
    CHECK_OK(&ctx,
             lm_method_ngram.add_rows(
                 training, &(lm_train_rows){.count = 1,
                                            .texts = {&(lm_text){"a b", 3}, &(lm_text){"y", 1}}}));
    CHECK(!lm_method_ngram.lacking(training, &hint));
    CHECK_EQ_INT(lm_method_ngram.fit(training, NULL), LM_BAD_ARGUMENT);
    lm_method_ngram.close(training);
    lm_method_ngram.close(NULL);
}

/* ---- Damaged files ---- */

/* Two features, two labels, a vector of one number. */
typedef struct good_file {
    float weight[4], bias[2], dense[2], idf[2];
    uint32_t ends[2];
    char names[3];
} __attribute__((packed)) good_file;

static const good_file good = {{1, 2, 3, 4}, {0.5f, -0.5f}, {1, 2},
                               {1, 2},       {1, 3},        {'a', 'b', 'c'}};

static const lm_tensor good_list[] = {
    {.name = "weight", .dtype = LM_F32, .rank = 2, .shape = {2, 2}, .count = 4, .bytes = 16},
    {.name = "bias", .dtype = LM_F32, .rank = 1, .shape = {2}, .count = 2, .bytes = 8},
    {.name = "dense", .dtype = LM_F32, .rank = 2, .shape = {2, 1}, .count = 2, .bytes = 8},
    {.name = "idf", .dtype = LM_F32, .rank = 1, .shape = {2}, .count = 2, .bytes = 8},
    {.name = "ends", .dtype = LM_U32, .rank = 1, .shape = {2}, .count = 2, .bytes = 8},
    {.name = "names", .dtype = LM_U8, .rank = 1, .shape = {3}, .count = 3, .bytes = 3},
};

#define JSON(format, task, labels, ngrams, words, low, high, bits, norm, more)                 \
    "{\"format\": " format ", \"task\": " task ", \"labels\": " labels ", \"ngrams\": " ngrams \
    ", \"words\": " words ", \"low\": " low ", \"high\": " high ", \"hash_bits\": " bits       \
    ", \"norm\": " norm ", " more "}"
#define MORE                                                                           \
    "\"hash_seed\": 0, \"lowercase\": true, \"binary\": false, \"sublinear\": false, " \
    "\"dimensions\": 1"
#define GOOD                                                                                    \
    JSON("1", "\"classification\"", "[\"x\", \"y\"]", "\"word\"", "\"unicode\"", "1", "1", "0", \
         "\"l2\"", MORE)

static void
make_tensors(lm_context *ctx, const lm_tensor *list, size_t count, const void *data, size_t size,
             lm_buffer *out)
{
    lm_buffer_init(out, ctx);
    CHECK_OK(ctx, lm_tensors_write_header(ctx, NULL, 0, list, count, out));
    CHECK_OK(ctx, lm_buffer_append(out, data, size));
}

static lm_status
load(lm_context *ctx, const char *json, const lm_buffer *tensors)
{
    fake_source fake = {.count = 0};
    lm_source source = fake_open(&fake);
    loaded_model loaded;
    lm_status status;

    fake_add(&fake, LM_NGRAM_HEAD_JSON, json);
    fake_add_bytes(&fake, LM_NGRAM_HEAD_TENSORS, tensors->data, tensors->size);
    status = loaded_open(ctx, &source, lm_kernels_active(), &loaded);
    if (status == LM_OK)
        loaded_close(ctx, &loaded);
    return status;
}

static void
bad_settings(void)
{
#define C "\"classification\""
#define L "[\"x\", \"y\"]"
    static const struct {
        const char *json, *key;
    } bad[] = {
        {"{}", "format"},
        {JSON("3", C, L, "\"word\"", "\"words\"", "1", "1", "0", "\"l2\"", MORE), "format"},
        {JSON("1.5", C, L, "\"word\"", "\"words\"", "1", "1", "0", "\"l2\"", MORE), "format"},
        {JSON("\"1\"", C, L, "\"word\"", "\"words\"", "1", "1", "0", "\"l2\"", MORE), "format"},
        {JSON("1", "\"embedding\"", L, "\"word\"", "\"words\"", "1", "1", "0", "\"l2\"", MORE),
         "task"},
        {JSON("1", C, "[]", "\"word\"", "\"words\"", "1", "1", "0", "\"l2\"", MORE), "labels"},
        {JSON("1", C, "{}", "\"word\"", "\"words\"", "1", "1", "0", "\"l2\"", MORE), "labels"},
        {JSON("1", C, "[1, 2]", "\"word\"", "\"words\"", "1", "1", "0", "\"l2\"", MORE), "labels"},
        {JSON("1", C, "[\"x\", \"x\\u0000\"]", "\"word\"", "\"words\"", "1", "1", "0", "\"l2\"",
              MORE),
         "labels"},
        {JSON("1", C, "[\"x\", \"x\"]", "\"word\"", "\"words\"", "1", "1", "0", "\"l2\"", MORE),
         "labels"},
        {JSON("1", C, L, "1", "\"words\"", "1", "1", "0", "\"l2\"", MORE), "ngrams"},
        {JSON("1", C, L, "\"word\"", "\"w\"", "1", "1", "0", "\"l2\"", MORE), "words"},
        {JSON("1", C, L, "\"word\"", "\"words\"", "0", "1", "0", "\"l2\"", MORE), "low"},
        {JSON("1", C, L, "\"word\"", "\"words\"", "2", "1", "0", "\"l2\"", MORE), "high"},
        {JSON("1", C, L, "\"word\"", "\"words\"", "1", "33", "0", "\"l2\"", MORE), "high"},
        {JSON("1", C, L, "\"word\"", "\"words\"", "1", "1", "25", "\"l2\"", MORE), "hash_bits"},
        {JSON("1", C, L, "\"word\"", "\"words\"", "1", "1", "0", "\"l3\"", MORE), "norm"},
        {JSON("1", C, L, "\"word\"", "\"words\"", "1", "1", "0", "\"l2\"", "\"hash_seed\": -1"),
         "hash_seed"},
        {JSON("1", C, L, "\"word\"", "\"words\"", "1", "1", "0", "\"l2\"", "\"hash_seed\": 1"),
         "dimensions"},
        {JSON("1", C, L, "\"word\"", "\"words\"", "1", "1", "0", "\"l2\"",
              "\"hash_seed\": 1, \"dimensions\": 2000000"),
         "dimensions"},
        {JSON("1", C, L, "\"word\"", "\"words\"", "1", "1", "0", "\"l2\"",
              "\"hash_seed\": 1, \"dimensions\": 1"),
         "lowercase"},
        {JSON("1", C, L, "\"word\"", "\"words\"", "1", "1", "0", "\"l2\"",
              "\"hash_seed\": 1, \"dimensions\": 1, \"lowercase\": true, \"binary\": 1"),
         "binary"},
        {JSON("1", C, L, "\"word\"", "\"words\"", "1", "1", "0", "\"l2\"",
              "\"hash_seed\": 1, \"dimensions\": 1, \"lowercase\": true, \"binary\": false"),
         "sublinear"},
    };
    lm_context ctx;
    lm_buffer tensors;

    lm_context_init(&ctx);
    make_tensors(&ctx, good_list, 6, &good, sizeof good, &tensors);
    CHECK_OK(&ctx, load(&ctx, GOOD, &tensors));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_EQ_INT(load(&ctx, bad[i].json, &tensors), LM_BAD_MODEL);
        CHECK_STR(ctx.error.file, LM_NGRAM_HEAD_JSON);
        CHECK_STR(ctx.error.key, bad[i].key);
    }
    lm_buffer_free(&tensors);
}

/* Each tensor missing, of another type, or of another size. */
static void
bad_forms(void)
{
    lm_context ctx;
    lm_buffer tensors;
    char data[256] = {0};

    lm_context_init(&ctx);
    for (size_t i = 0; i < 6; i++)
        for (int how = 0; how < 4; how++) {
            lm_tensor list[6];
            size_t count = 0, size = 0;

            for (size_t j = 0; j < 6; j++) {
                lm_tensor tensor = good_list[j];

                if (j == i && how == 0)
                    continue;
                if (j == i && how == 1)
                    tensor.dtype = tensor.dtype == LM_F32 ? LM_U32 : LM_F32,
                    tensor.bytes = tensor.count * 4;
                if (j == i && how == 2)
                    tensor.rank = 3, tensor.shape[tensor.rank - 1] = 1,
                    tensor.shape[1] =
                        tensor.rank == 3 && good_list[j].rank == 2 ? tensor.shape[1] : 1;
                if (j == i && how == 3)
                    tensor.shape[0]++,
                        tensor.count = tensor.count / good_list[j].shape[0] * tensor.shape[0],
                        tensor.bytes = tensor.bytes / good_list[j].shape[0] * tensor.shape[0];
                size += (size_t)tensor.bytes;
                list[count++] = tensor;
            }
            make_tensors(&ctx, list, count, data, size, &tensors);
            CHECK_EQ_INT(load(&ctx, GOOD, &tensors), LM_BAD_MODEL);
            CHECK_STR(ctx.error.file, LM_NGRAM_HEAD_TENSORS);
            lm_buffer_free(&tensors);
        }
}

static void
bad_contents(void)
{
    static const struct {
        good_file data;
        const char *key, *found;
    } bad[] = {
        {{{1, 2e12f}, {0}, {0}, {1, 1}, {1, 3}, {'a', 'b', 'c'}}, "weight", ""},
        {{{1}, {-2e12f}, {0}, {1, 1}, {1, 3}, {'a', 'b', 'c'}}, "bias", ""},
        {{{1}, {0}, {2e12f}, {1, 1}, {1, 3}, {'a', 'b', 'c'}}, "dense", ""},
        {{{1}, {0}, {0}, {1, 2e12f}, {1, 3}, {'a', 'b', 'c'}}, "idf", ""},
        {{{1}, {0}, {0}, {1, NAN}, {1, 3}, {'a', 'b', 'c'}}, "idf", NULL},
        {{{1}, {0}, {0}, {1, 1}, {0, 3}, {'a', 'b', 'c'}}, "names", "n-gram 0"},
        {{{1}, {0}, {0}, {1, 1}, {1, 1}, {'a', 'b', 'c'}}, "names", "n-gram 1"},
        {{{1}, {0}, {0}, {1, 1}, {2, 1}, {'a', 'b', 'c'}}, "names", "n-gram 1"},
        {{{1}, {0}, {0}, {1, 1}, {1, 4}, {'a', 'b', 'c'}}, "names", "n-gram 1"},
        {{{1}, {0}, {0}, {1, 1}, {1, 2}, {'a', 'b', 'c'}}, "names", ""},
        {{{1}, {0}, {0}, {1, 1}, {1, 3}, {'b', 'a', 'c'}}, "names", "n-gram 1"},
        {{{1}, {0}, {0}, {1, 1}, {1, 2}, {'a', 'a', 'c'}}, "names", "n-gram 1"},
        {{{1}, {0}, {0}, {1, 1}, {2, 3}, {'a', 'b', 'a'}}, "names", "n-gram 1"},
        {{{1}, {0}, {0}, {1, 1}, {1, 3}, {'a', '\xc3', 'c'}}, "names", "n-gram 1"},
    };
    lm_context ctx;
    lm_buffer tensors;

    lm_context_init(&ctx);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        make_tensors(&ctx, good_list, 6, &bad[i].data, sizeof bad[i].data, &tensors);
        CHECK_EQ_INT(load(&ctx, GOOD, &tensors), LM_BAD_MODEL);
        CHECK_STR(ctx.error.file, LM_NGRAM_HEAD_TENSORS);
        CHECK_STR(ctx.error.key, bad[i].key);
        if (bad[i].found)
            CHECK_STR(ctx.error.found, bad[i].found);
        lm_buffer_free(&tensors);
    }
}

/* The same with buckets, of which 256 are there. */
static void
bad_buckets(void)
{
    static const lm_tensor list[] = {
        {.name = "buckets", .dtype = LM_U32, .rank = 1, .shape = {2}, .count = 2, .bytes = 8},
        {.name = "idf", .dtype = LM_F32, .rank = 1, .shape = {2}, .count = 2, .bytes = 8},
        {.name = "bias", .dtype = LM_F32, .rank = 1, .shape = {2}, .count = 2, .bytes = 8},
        {.name = "dense", .dtype = LM_F32, .rank = 2, .shape = {2, 1}, .count = 2, .bytes = 8},
        {.name = "weight", .dtype = LM_F32, .rank = 2, .shape = {2, 2}, .count = 4, .bytes = 16},
    };
    static const char json[] =
        JSON("1", C, L, "\"word\"", "\"unicode\"", "1", "1", "8", "\"l2\"", MORE);
    static const struct {
        uint32_t buckets[2];
        lm_status status;
    } tried[] = {{{0, 255}, LM_OK},
                 {{3, 4}, LM_OK},
                 {{1, 256}, LM_BAD_MODEL},
                 {{5, 5}, LM_BAD_MODEL},
                 {{7, 6}, LM_BAD_MODEL}};
    lm_context ctx;
    lm_buffer tensors;

    lm_context_init(&ctx);
    for (size_t i = 0; i < sizeof tried / sizeof tried[0]; i++) {
        char data[48] = {0};

        memcpy(data, tried[i].buckets, sizeof tried[i].buckets);
        make_tensors(&ctx, list, 5, data, sizeof data, &tensors);
        CHECK_EQ_INT(load(&ctx, json, &tensors), tried[i].status);
        lm_buffer_free(&tensors);
    }
}

/* More than is allowed: headers alone are read, so the file need not be there. */
static void
too_large(void)
{
    lm_tensor idf = {.name = "idf",
                     .file = LM_NGRAM_HEAD_TENSORS,
                     .dtype = LM_F32,
                     .rank = 1,
                     .shape = {(uint64_t)LM_FEATURES_MAX + 1},
                     .count = (uint64_t)LM_FEATURES_MAX + 1};
    lm_checkpoint checkpoint = {.tensors = {.items = &idf, .count = 1}};
    lm_ngram_head_plan plan;
    lm_context ctx;
    lm_arena arena;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    CHECK_OK(&ctx, lm_json_parse(&ctx, &arena, GOOD, strlen(GOOD), LM_NGRAM_HEAD_JSON,
                                 &checkpoint.settings));
    CHECK_EQ_INT(lm_ngram_head_plan_make(&ctx, &arena, &checkpoint, &plan), LM_BAD_MODEL);
    CHECK_STR(ctx.error.allowed, "1 to 8388608");
    lm_arena_free(&arena);
}

/* N-grams of more bytes than an image may have. */
static void
too_long(void)
{
    const uint64_t bytes = (uint64_t)LM_FEATURE_BYTES_MAX + 1;
    lm_tensor list[] = {
        {.name = "bias", .dtype = LM_F32, .rank = 1, .shape = {2}, .count = 2},
        {.name = "dense", .dtype = LM_F32, .rank = 2, .shape = {2, 1}, .count = 2},
        {.name = "ends", .dtype = LM_U32, .rank = 1, .shape = {2}, .count = 2},
        {.name = "idf", .dtype = LM_F32, .rank = 1, .shape = {2}, .count = 2},
        {.name = "names", .dtype = LM_U8, .rank = 1, .shape = {bytes}, .count = bytes},
        {.name = "weight", .dtype = LM_F32, .rank = 2, .shape = {2, 2}, .count = 4},
    };
    lm_checkpoint checkpoint = {.tensors = {.items = list, .count = 6}};
    lm_ngram_head_plan plan;
    lm_context ctx;
    lm_arena arena;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    CHECK_OK(&ctx, lm_json_parse(&ctx, &arena, GOOD, strlen(GOOD), LM_NGRAM_HEAD_JSON,
                                 &checkpoint.settings));
    CHECK_EQ_INT(lm_ngram_head_plan_make(&ctx, &arena, &checkpoint, &plan), LM_BAD_MODEL);
    CHECK_STR(ctx.error.message, "the n-grams of the classifier are too long");
    list[4].shape[0] = list[4].count = 3;
    CHECK_OK(&ctx, lm_ngram_head_plan_make(&ctx, &arena, &checkpoint, &plan));
    CHECK_EQ_INT(plan.slots, 4);
    lm_arena_free(&arena);
}

/* The head of a section, as the image has it. */
typedef struct section_fields {
    uint64_t seed, hash_seed, names;
    uint32_t features, slots;
    int32_t labels, width, low, high, hash_bits, rank, also_low, also_high;
    uint8_t kind, words, lowercase, binary, sublinear, norm, has_tree, also;
} section_fields;

/* Each number out of its range, beside others that are sane. */
static void
bad_fields(lm_context *ctx)
{
    static const section_fields sane = {
        .names = 3, .labels = 2, .features = 3, .slots = 4, .low = 1, .high = 2};
    section_fields tried[22];
    uint64_t section[512] = {0};
    lm_ngram_head view;
    size_t n = 0;

    for (size_t i = 0; i < sizeof tried / sizeof tried[0]; i++)
        tried[i] = sane;
    tried[n++].features = 0;
    tried[n++].features = UINT32_MAX;
    tried[n++].labels = 0;
    tried[n++].labels = INT32_MAX;
    tried[n++].width = -1;
    tried[n++].width = INT32_MAX;
    tried[n++].names = UINT64_MAX;
    tried[n++].rank = -1;
    tried[n++].rank = INT32_MAX;
    tried[n++].has_tree = 1;
    tried[n].rank = 1;
    tried[n].labels = 1;
    tried[n++].has_tree = 1;
    tried[n++].also = 3;
    tried[n++].also_low = -1;
    tried[n++].also_low = 1;
    tried[n].also_low = 1;
    tried[n++].also_high = LM_NGRAM_LONGEST + 1;
    tried[n++].norm = UINT8_MAX;
    tried[n++].kind = 3;
    tried[n++].words = LM_WORD_KIND_COUNT;
    tried[n++].rank = 1000; /* more than the section holds */
    for (size_t i = 0; i < n; i++) {
        memcpy(section, &tried[i], sizeof tried[i]);
        CHECK_EQ_INT(lm_ngram_head_bind(ctx, section, sizeof section, &view), LM_INTERNAL);
    }
    tried[n].rank = 2;
    tried[n].has_tree = 1;
    tried[n].words = LM_WORD_KIND_COUNT - 1;
    tried[n].also = 2;
    tried[n].also_low = tried[n].also_high = 3;
    memcpy(section, &tried[n], sizeof tried[n]);
    CHECK_OK(ctx, lm_ngram_head_bind(ctx, section, sizeof section, &view));
}

static void
bad_section(void)
{
    static const struct {
        uint32_t features, slots;
        int32_t low, high, hash_bits;
        lm_status status;
    } tried[] = {{3, 4, 1, 2, 0, LM_OK},          {3, 0, 1, 2, 0, LM_INTERNAL},
                 {3, 6, 1, 2, 0, LM_INTERNAL},    {3, 1u << 31, 1, 2, 0, LM_INTERNAL},
                 {3, 2, 1, 2, 0, LM_INTERNAL},    {3, 4, 0, 2, 0, LM_INTERNAL},
                 {3, 4, 3, 2, 0, LM_INTERNAL},    {3, 4, 1, 33, 0, LM_INTERNAL},
                 {3, 256, 1, 2, 8, LM_OK},        {3, 128, 1, 2, 8, LM_INTERNAL},
                 {3, 128, 1, 2, 7, LM_INTERNAL},  {3, 1u << 25, 1, 2, 25, LM_INTERNAL},
                 {257, 256, 1, 2, 8, LM_INTERNAL}};
    uint64_t section[512] = {0};
    lm_ngram_head view;
    lm_context ctx;

    lm_context_init(&ctx);
    CHECK_EQ_INT(lm_ngram_head_bind(&ctx, section, 8, &view), LM_INTERNAL);
    CHECK_EQ_INT(lm_ngram_head_bind(&ctx, section, sizeof section, &view), LM_INTERNAL);
    for (size_t i = 0; i < sizeof tried / sizeof tried[0]; i++) {
        const section_fields fields = {.names = 3,
                                       .labels = 1,
                                       .features = tried[i].features,
                                       .slots = tried[i].slots,
                                       .low = tried[i].low,
                                       .high = tried[i].high,
                                       .hash_bits = tried[i].hash_bits};

        memcpy(section, &fields, sizeof fields);
        CHECK_EQ_INT(lm_ngram_head_bind(&ctx, section, sizeof section, &view), tried[i].status);
    }
    bad_fields(&ctx);
}

/* ---- Sizes ---- */

/* Sums go on beyond 2^24, where a float stands still. */
static void
sums_are_wide(void)
{
    enum { ONES = 4096 };
    static const float large = 16777216, one = 1;
    static int32_t y[ONES + 2] = {[ONES] = 0, [ONES + 1] = 1};
    size_t rows[ONES + 2];
    lm_sparse_rows sparse;
    lm_design design = {.sparse = &sparse, .features = 2};
    lm_linear_model model = {.labels = 0};
    fake_memory memory = {0};
    lm_context ctx;

    fake_context(&ctx, &memory);
    lm_sparse_rows_init(&sparse, &ctx);
    for (uint32_t i = 0; i < ONES + 2; i++) {
        const uint32_t index[2] = {0, 1};
        const float values[2] = {i == 0 ? large : one, one};

        rows[i] = i;
        CHECK_OK(&ctx, lm_sparse_rows_add(&sparse, index, values, i < ONES ? 1 : 2));
    }
    CHECK_OK(&ctx, lm_linear_model_open(&ctx, &design, 2, &model));
    CHECK_OK(&ctx, lm_bayes_train(&ctx, &design, rows, ONES + 2, y, 1, false, &model));
    CHECK_NEAR(model.weight[0] - model.weight[2], log((16777216.0 + ONES + 1) / 2), 4e-6);
    for (int at = 1; at <= 2; at++) {
        memory = (fake_memory){.live = memory.live, .fail_at = at + 1};
        CHECK_EQ_INT(lm_bayes_train(&ctx, &design, rows, ONES + 2, y, 1, false, &model),
                     LM_NO_MEMORY);
    }
    for (int at = 1; at < 8000; at += 977) {
        memory = (fake_memory){.live = memory.live, .stop_at = at};
        CHECK_EQ_INT(lm_bayes_train(&ctx, &design, rows, ONES + 2, y, 1, false, &model),
                     LM_CANCELLED);
    }
    memory = (fake_memory){.live = memory.live};
    lm_linear_model_free(&ctx, &model);
    lm_sparse_rows_free(&sparse);
    CHECK_EQ_INT(memory.live, 0);
}

/* Different words, and different pairs of them. */
static char *
different_words(size_t count)
{
    char *text = malloc(count * 6 + 1);

    for (size_t i = 0; i < count; i++) {
        size_t rest = i;

        for (int at = 0; at < 5; at++, rest /= 26)
            text[i * 6 + (size_t)at] = (char)('a' + rest % 26);
        text[i * 6 + 5] = ' ';
    }
    text[count * 6] = '\0';
    return text;
}

/* Rows of one word, or with this text in the first, which has no words or too many: of auto the
 * linear way is left, and n-grams of characters. */
static void
goes_on_without_words(const char *text, bool with_set)
{
    char options[256];
    lm_text texts[2][1] = {{{text, strlen(text)}}, {{"a", 1}}};
    float vector[2 * WIDTH] = {1};
    lm_train_rows rows = {.count = 1, .vectors = vector, .texts = {texts[0], texts[1]}};
    lm_train_watch watch = {.report = ignore};
    lm_train_outcome outcome;
    void *training;
    lm_context ctx;

    lm_context_init(&ctx);
    lm_method_auto.defaults(options);
    CHECK_OK(&ctx, lm_method_auto.open(&ctx, options, WIDTH, &training));
    for (int i = 0; i < 8; i++) {
        texts[1][0] = (lm_text){i % 2 ? "a" : "b", 1};
        vector[0] = i % 2 ? 1 : -1;
        CHECK_OK(&ctx, lm_method_auto.add_rows(training, &rows));
        if (with_set)
            texts[0][0] = (lm_text){"word", 4};
    }
    CHECK_OK(&ctx, lm_method_auto.fit(training, &watch));
    CHECK_OK(&ctx, lm_method_auto.write(training, &outcome));
    CHECK_STR(outcome.trials[0].name, "linear");
    CHECK_EQ_INT(tried_with(&outcome, "ngrams", "word", 0), 0);
    CHECK(outcome.trial_count == 1 || tried_with(&outcome, "ngrams", "char_wb", 0) > 3);
    CHECK(!outcome.without_base);
    for (int i = 0; i < outcome.file_count; i++)
        lm_buffer_free(&outcome.files[i].bytes);
    lm_method_auto.close(training);
}

static void
lacks_ngrams(void)
{
    char *words = different_words(2200000);

    goes_on_without_words("? ! .", false);
    goes_on_without_words(words, true);
    free(words);
}

/* A second set beside the first: with too many entries it lacks, and the first is as it was. */
static void
a_set_lacks(void)
{
    for (size_t most = 1; most <= 1000; most += 999) {
        const lm_text texts[2][2] = {{{"one two", 7}, {"two three", 9}}, {{"a", 1}, {"b", 1}}};
        const lm_train_rows rows = {.count = 2, .texts = {texts[0], texts[1]}};
        lm_ngram_fit_options chosen;
        lm_ngram_fit fit;
        lm_context ctx;

        lm_context_init(&ctx);
        lm_ngram_fit_defaults(&chosen);
        CHECK_OK(&ctx, lm_ngram_fit_open(&fit, &ctx, &chosen, 0));
        chosen.features.ngrams = "char_wb";
        CHECK_OK(&ctx, lm_ngram_fit_add_set(&fit, &chosen.features));
        fit.sets[1].most_entries = most;
        CHECK_OK(&ctx, lm_ngram_fit_add(&fit, &rows));
        CHECK_OK(&ctx, lm_ngram_fit_prepare(&fit));
        CHECK(!fit.sets[0].lacks && fit.sets[0].tfidf.count == 5);
        CHECK_EQ_INT(fit.sets[1].lacks, most == 1);
        CHECK_EQ_INT(fit.sets[1].tfidf.count > 0, most == 1000);
        lm_ngram_fit_close(&fit);
    }
}

static void
too_many_labels(void)
{
    const int count = LM_NGRAM_HEAD_LABELS_MAX + 1;
    lm_ngram_fit_options chosen;
    lm_ngram_fit fit;
    lm_context ctx;

    lm_context_init(&ctx);
    lm_ngram_fit_defaults(&chosen);
    CHECK_OK(&ctx, lm_ngram_fit_open(&fit, &ctx, &chosen, 0));
    for (int i = 0; i < count; i++) {
        char name[16];
        lm_text texts[2] = {{"word", 4}, {name, (size_t)sprintf(name, "%d", i)}};
        lm_train_rows row = {.count = 1, .texts = {&texts[0], &texts[1]}};

        CHECK_OK(&ctx, lm_ngram_fit_add(&fit, &row));
    }
    CHECK_EQ_INT(lm_ngram_fit_prepare(&fit), LM_TOO_LARGE);
    CHECK_STR(ctx.error.message, "the classifier would have too many labels");
    CHECK_STR(ctx.error.found, "1048577");
    lm_ngram_fit_close(&fit);
}

/* ---- Faults ---- */

/* Train, load, ask: the first failure is what comes out, and nothing stays behind. */
static lm_status
whole_way(lm_context *ctx, const char *learner, int fail_at, int *calls)
{
    lm_ngram_fit_options chosen = options_of(learner);
    lm_train_outcome outcome;
    lm_status status;
    fake_source fake;
    loaded_model loaded;
    lm_session *session;
    lm_source source;
    float out[LABELS];

    chosen.hold_out = 0.2;
    chosen.tolerance = 0.1;
    status = train(ctx, &lm_method_ngram, &chosen, 8, &outcome);
    source = source_of(&outcome, &fake);
    fake.fail_at = fail_at;
    if (status == LM_OK)
        status = loaded_open(ctx, &source, lm_kernels_active(), &loaded);
    *calls = fake.calls;
    if (status == LM_OK) {
        status = lm_session_create(ctx, &session);
        if (status == LM_OK) {
            status = lm_classify(ctx, session, &loaded.model, &(lm_text){"the password", 12}, 1,
                                 &(lm_embed_options){.on_long = LM_LONG_TRUNCATE}, out, NULL);
            lm_session_free(session);
        }
        loaded_close(ctx, &loaded);
    }
    free_outcome(&outcome);
    return status;
}

static void
every_allocation(void)
{
    static const char *const learners[] = {"svm", "logistic", "complement_nb"};

    for (int learner = 0; learner < 3; learner++) {
        lm_status status = LM_NO_MEMORY;
        int calls;

        for (int i = 1; status == LM_NO_MEMORY && i < 2000; i++) {
            fake_memory memory = {.fail_at = i};
            lm_context ctx;

            fake_context(&ctx, &memory);
            status = whole_way(&ctx, learners[learner], 0, &calls);
            CHECK_EQ_INT(memory.live, 0);
        }
        CHECK_EQ_INT(status, LM_OK);
    }
}

static void
every_poll(void)
{
    static const char *const learners[] = {"svm", "multinomial_nb"};

    for (int learner = 0; learner < 2; learner++) {
        lm_status status = LM_CANCELLED;
        int calls;

        for (int i = 1; status == LM_CANCELLED && i < 2000; i++) {
            fake_memory memory = {.stop_at = i};
            lm_context ctx;

            fake_context(&ctx, &memory);
            status = whole_way(&ctx, learners[learner], 0, &calls);
            CHECK_EQ_INT(memory.live, 0);
        }
        CHECK_EQ_INT(status, LM_OK);
    }
}

static void
every_read(void)
{
    lm_context ctx;
    int calls, unused;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, whole_way(&ctx, "complement_nb", 0, &calls));
    for (int i = 1; i <= calls; i++)
        CHECK_EQ_INT(whole_way(&ctx, "complement_nb", i, &unused), LM_IO_ERROR);
}

static const unit_case cases[] = {
    {"as the reference", as_the_reference},
    {"what it says", what_it_says},
    {"explained", explained},
    {"the same bytes", the_same_bytes},
    {"beside vectors", beside_vectors},
    {"the best is chosen", the_best_is_chosen},
    {"every choice fails", every_choice_fails},
    {"bad options", bad_options},
    {"bad settings", bad_settings},
    {"bad forms", bad_forms},
    {"bad contents", bad_contents},
    {"bad buckets", bad_buckets},
    {"too large", too_large},
    {"too long", too_long},
    {"bad section", bad_section},
    {"sums are wide", sums_are_wide},
    {"lacks n-grams", lacks_ngrams},
    {"a set lacks", a_set_lacks},
    {"too many labels", too_many_labels},
    {"every allocation", every_allocation},
    {"every poll", every_poll},
    {"every read", every_read},
};

UNIT_MAIN(cases)
