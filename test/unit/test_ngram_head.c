/*
 * test_ngram_head.c - a classifier on n-grams: trained, written, read back as an image, asked.
 * Values are those of scikit-learn (scripts/make-golden-features.py). test_ngram_head_files.c
 * damages the files.
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
    {"sums are wide", sums_are_wide},
    {"lacks n-grams", lacks_ngrams},
    {"a set lacks", a_set_lacks},
    {"too many labels", too_many_labels},
    {"every allocation", every_allocation},
    {"every poll", every_poll},
    {"every read", every_read},
};

UNIT_MAIN(cases)
