/*
 * test_layers.c - the method "layers" and the models that it makes: trained, loaded, asked; a base;
 * damaged folders; every failing allocation, poll and read.
 */
#include "damage.h"
#include "fake.h"
#include "features/vocabulary.h"
#include "loaded.h"
#include "model/image.h"
#include "model/layers.h"
#include "model/vectors.h"
#include "task/tag.h"
#include "train/methods.h"

enum { ROWS = 48 };

/* Options of a method, as pg would have read them. */
static void *
options_of(const lm_method *method, const char *layers, double rate, int64_t epochs)
{
    char *fields = calloc(1, method->options_size);

    method->defaults(fields);
    for (int i = 0; i < method->option_count; i++) {
        const lm_option *o = &method->options[i];

        if (strcmp(o->key, "layers") == 0)
            memcpy(fields + o->offset, &layers, sizeof layers);
        if (strcmp(o->key, "learning_rate") == 0)
            memcpy(fields + o->offset, &rate, sizeof rate);
        if (strcmp(o->key, "epochs") == 0)
            memcpy(fields + o->offset, &epochs, sizeof epochs);
    }
    return fields;
}

static void
set_text(const lm_method *method, void *fields, const char *key, const char *value)
{
    for (int i = 0; i < method->option_count; i++)
        if (strcmp(method->options[i].key, key) == 0)
            memcpy((char *)fields + method->options[i].offset, &value, sizeof value);
}

/* ---- Rows ---- */

static lm_text
text_of(const char *bytes)
{
    return (lm_text){bytes, strlen(bytes)};
}

/* The label is whether the good word stands without a "not". */
typedef struct rows {
    char bytes[ROWS][64];
    lm_text texts[ROWS], labels[ROWS], words[ROWS][4], tags[ROWS][4];
    lm_train_words word_lists[ROWS], tag_lists[ROWS];
    double numbers[ROWS];
    lm_train_rows taken;
} rows;

static void
make_row(rows *r, int i)
{
    static const char *const names[] = {"Anna", "Bob", "Paris"};
    const bool good = i % 2, negated = i / 2 % 2;

    snprintf(r->bytes[i], sizeof r->bytes[i], "the film is %s%s", negated ? "not " : "",
             good ? "great" : "awful");
    r->texts[i] = text_of(r->bytes[i]);
    r->labels[i] = text_of(good != negated ? "good" : "bad");
    r->numbers[i] = good ? 1 : -1;
    r->words[i][0] = text_of(names[i % 3]);
    r->words[i][1] = text_of("saw");
    r->words[i][2] = text_of(names[(i + 1) % 3]);
    for (int w = 0; w < 3; w++)
        r->tags[i][w] = text_of(w == 1 ? "O" : (i + w / 2) % 3 == 2 ? "B-LOC" : "B-PER");
    r->word_lists[i] = (lm_train_words){r->words[i], 3};
    r->tag_lists[i] = (lm_train_words){r->tags[i], 3};
}

static size_t row_count = ROWS; /* of a training */

static void
make_rows(const lm_method *method, rows *r)
{
    for (int i = 0; i < ROWS; i++)
        make_row(r, i);
    r->taken = (lm_train_rows){.count = row_count, .columns = 2};
    if (strcmp(method->task, "tagging") == 0) {
        r->taken.words[0] = r->word_lists;
        r->taken.words[1] = r->tag_lists;
    } else {
        r->taken.texts[0] = r->texts;
        r->taken.texts[1] = r->labels;
        r->taken.numbers[1] = r->numbers;
    }
}

/* ---- Training ---- */

static double vectors_taken; /* of the last training, whose names of values end with it */

static void
note_vectors(const lm_train_outcome *outcome)
{
    vectors_taken = 0;
    for (int i = 0; i < outcome->value_count; i++)
        if (strcmp(outcome->values[i].name, "vectors") == 0)
            vectors_taken = outcome->values[i].value;
}

static void
ignore_step(void *opaque, const lm_train_progress *progress)
{
}

static lm_status
train_watched(lm_context *ctx, const lm_method *method, const void *options,
              const lm_train_base *base, const lm_train_watch *watch, lm_train_outcome *outcome)
{
    static rows r;
    const char *hint = NULL;
    void *training = NULL;
    lm_status status = method->open(ctx, options, 0, &training);

    make_rows(method, &r);
    memset(outcome, 0, sizeof *outcome);
    if (status == LM_OK && base)
        status = method->read_base(training, base);
    if (status == LM_OK)
        status = method->add_rows(training, &r.taken);
    if (status == LM_OK)
        CHECK(!method->lacking(training, &hint));
    if (status == LM_OK)
        status = method->fit(training, watch);
    if (status == LM_OK)
        status = method->write(training, outcome);
    note_vectors(outcome);
    method->close(training);
    return status;
}

static lm_status
train(lm_context *ctx, const lm_method *method, const void *options, const lm_train_base *base,
      lm_train_outcome *outcome)
{
    const lm_train_watch watch = {.report = ignore_step};

    return train_watched(ctx, method, options, base, &watch, outcome);
}

static void
free_outcome(lm_train_outcome *outcome)
{
    for (int i = 0; i < outcome->file_count; i++)
        lm_buffer_free(&outcome->files[i].bytes);
}

static lm_source
source_of(const lm_train_outcome *outcome, const char *const names[], fake_source *fake)
{
    memset(fake, 0, sizeof *fake);
    for (int i = 0; i < outcome->file_count; i++)
        fake_add_bytes(fake, names[i], outcome->files[i].bytes.data, outcome->files[i].bytes.size);
    return fake_open(fake);
}

static const char *const file_names[] = {"config.json", "vocab.txt", "model.safetensors"};

#define SENTIMENT "[{\"embedding\": 8}, {\"bilstm\": 8}, {\"linear\": 2}]"

/* ---- Answers ---- */

static double
accuracy(lm_context *ctx, const lm_model *model)
{
    const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    static rows r;
    lm_session *session;
    float scores[ROWS * 2];
    int right = 0;

    make_rows(&(lm_method){.task = "classification"}, &r);
    CHECK_OK(ctx, lm_session_create(ctx, &session));
    CHECK_OK(ctx, lm_classify(ctx, session, model, r.texts, ROWS, &options, scores, NULL));
    for (int i = 0; i < ROWS; i++)
        right +=
            strcmp(model->info.labels[lm_classify_best(scores + 2 * i, 2)], r.labels[i].bytes) == 0;
    lm_session_free(session);
    return (double)right / ROWS;
}

/* A net learns what no single word says, and its folder is a model; epochs 0 change nothing. */
static void
classifies(void)
{
    const lm_method *method = lm_method_find("classification", "layers");
    void *options = options_of(method, SENTIMENT, 0.02, 30);
    lm_train_outcome outcome, again;
    loaded_model loaded, copy;
    fake_source fake, second;
    lm_source source;
    lm_context ctx;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, train(&ctx, method, options, NULL, &outcome));
    CHECK_EQ_INT(outcome.file_count, 3);
    source = source_of(&outcome, file_names, &fake);
    CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
    CHECK(!fake.went_back);
    CHECK_STR(loaded.model.info.task, "classification");
    CHECK_EQ_INT(loaded.model.info.label_count, 2);
    CHECK_EQ_INT(loaded.model.info.max_tokens, LM_LAYERS_LENGTH);
    CHECK_NEAR(accuracy(&ctx, &loaded.model), 1, 0);
    {
        void *none = options_of(method, NULL, 0.02, 0);
        lm_train_base base = {"sentiment@1", &source, file_names, 3, &loaded.model};

        CHECK_OK(&ctx, train(&ctx, method, none, &base, &again));
        for (int i = 0; i < 3; i++)
            CHECK(again.files[i].bytes.size == outcome.files[i].bytes.size &&
                  memcmp(again.files[i].bytes.data, outcome.files[i].bytes.data,
                         outcome.files[i].bytes.size) == 0);
        source = source_of(&again, file_names, &second);
        CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &copy));
        CHECK_NEAR(accuracy(&ctx, &copy.model), 1, 0);
        loaded_close(&ctx, &copy);
        free_outcome(&again);
        free(none);
    }
    {
        void *both = options_of(method, SENTIMENT, 0.02, 0);
        lm_train_base base = {"sentiment@1", &source, file_names, 3, &loaded.model};

        CHECK_EQ_INT(train(&ctx, method, both, &base, &again), LM_BAD_ARGUMENT);
        CHECK_STR(ctx.error.key, "layers");
        free(both);
    }
    loaded_close(&ctx, &loaded);
    free_outcome(&outcome);
    free(options);
}

/* The same options give the same bytes; another seed gives others. */
static void
repeats(void)
{
    const lm_method *method = lm_method_find("regression", "layers");
    const char *layers =
        "[{\"embedding\": 8}, {\"dropout\": 0.2}, {\"conv\": 8}, {\"pool\": \"max\"}, "
        "{\"linear\": 1}]";
    const lm_embed_options how = {.on_long = LM_LONG_TRUNCATE};
    const lm_text texts[] = {text_of("the film is great"), text_of("the film is awful")};
    void *options = options_of(method, layers, 0.02, 60);
    lm_train_outcome first, second;
    loaded_model loaded;
    fake_source fake;
    lm_source source;
    lm_session *session;
    lm_context ctx;
    float scores[2];

    lm_context_init(&ctx);
    CHECK_OK(&ctx, train(&ctx, method, options, NULL, &first));
    CHECK_OK(&ctx, train(&ctx, method, options, NULL, &second));
    CHECK(memcmp(first.files[2].bytes.data, second.files[2].bytes.data,
                 first.files[2].bytes.size) == 0);
    source = source_of(&first, file_names, &fake);
    CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
    CHECK_EQ_INT(loaded.model.info.scoring, LM_SCORING_RAW);
    CHECK_OK(&ctx, lm_session_create(&ctx, &session));
    CHECK_OK(&ctx, lm_classify(&ctx, session, &loaded.model, texts, 2, &how, scores, NULL));
    CHECK_NEAR((double)scores[0], 1, 0.2);
    CHECK_NEAR((double)scores[1], -1, 0.2);
    lm_session_free(session);
    loaded_close(&ctx, &loaded);
    free_outcome(&first);
    free_outcome(&second);
    free(options);
}

/* ---- Tags ---- */

typedef struct tags {
    const lm_model *model;
    char text[128];
} tags;

static lm_status
keep_tags(void *opaque, size_t text, const lm_tag *list, size_t count)
{
    tags *kept = opaque;

    for (size_t i = 0; i < count; i++) {
        const size_t used = strlen(kept->text);

        snprintf(kept->text + used, sizeof kept->text - used, "%s ",
                 kept->model->info.labels[list[i].label]);
    }
    return LM_OK;
}

static void
tags_tokens(void)
{
    static const char *const nets[] = {
        "[{\"embedding\": 8}, {\"bigru\": 8}, {\"linear\": 3}, {\"crf\": true}]",
        "[{\"embedding\": 8}, {\"linear\": 3}]",
    };
    const lm_method *method = lm_method_find("tagging", "layers");
    const lm_embed_options how = {.on_long = LM_LONG_TRUNCATE};
    const lm_text texts[] = {text_of("Bob saw Paris"), text_of("Paris saw Anna")};
    lm_context ctx;

    lm_context_init(&ctx);
    for (int i = 0; i < 2; i++) {
        void *options = options_of(method, nets[i], 0.03, 20);
        lm_train_outcome outcome;
        loaded_model loaded;
        fake_source fake;
        lm_source source;
        lm_session *session;
        tags kept;

        CHECK_OK(&ctx, train(&ctx, method, options, NULL, &outcome));
        source = source_of(&outcome, file_names, &fake);
        CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
        CHECK_STR(loaded.model.info.task, "token_classification");
        CHECK_OK(&ctx, lm_session_create(&ctx, &session));
        kept = (tags){.model = &loaded.model};
        CHECK_OK(&ctx, lm_tag_texts(&ctx, session, &loaded.model, texts, 2, &how, keep_tags, &kept,
                                    NULL));
        CHECK_STR(kept.text, "B-PER O B-LOC B-LOC O B-PER ");
        lm_session_free(session);
        loaded_close(&ctx, &loaded);
        free_outcome(&outcome);
        free(options);
    }
}

/* ---- Options ---- */

static void
refused_options(void)
{
    static const struct {
        const char *key, *value, *found;
    } cases[] = {
        {"vocabulary", "[]", "vocabulary"},
        {"vocabulary", "{\"size\": 3}", "vocabulary"},
        {"vocabulary", "{\"words\": \"tokenizer\"}", "vocabulary.words"},
        {"vocabulary", "{\"lower_case\": 1}", "vocabulary.lower_case"},
        {"vocabulary", "{\"max_size\": 2}", "vocabulary.max_size"},
        {"vocabulary", "{\"min_count\": 0}", "vocabulary.min_count"},
        {"vocabulary", "{\"specials\": [\"a\", \"a\"]}", "vocabulary.specials"},
        {"vocabulary", "{\"specials\": [\"a\"]}", "vocabulary.specials"},
        {"vocabulary", "{\"max_size\": \"9\"}", "vocabulary.max_size"},
        {"vocabulary", "{\"max_size\": 4294967296}", "vocabulary.max_size"},
        {"vocabulary", "{\"min_count\": 1.5}", "vocabulary.min_count"},
        {"vocabulary", "{\"words\": 3}", "vocabulary.words"},
        {"vocabulary", "{\"specials\": \"ab\"}", "vocabulary.specials"},
        {"vocabulary", "{\"specials\": [\"a\", \"\"]}", "vocabulary.specials"},
        {"vocabulary", "{\"specials\": [\"a\", \"b\\n\"]}", "vocabulary.specials"},
        {"vocabulary", "{\"specials\": [3, \"b\"]}", "vocabulary.specials"},
        {"vocabulary", "{\"specials\": [\"a\", \"b\", \"c\"]}", "vocabulary.specials"},
        {"vocabulary", "{", NULL},
        {"truncate", "middle", "truncate"},
        {"precision", "int8", "precision"},
        {"layers", "[{\"embedding\": 4}, {\"lstm\": 0}]", "layers[1].lstm"},
        {"layers", "[{\"embedding\": 4}, {\"linear\": 3}]", "layers"},
        {"layers", NULL, "layers"},
        {"adversarial", "{\"kind\": \"fgm\", \"eps\": -1}", "adversarial"},
        {"adversarial", "{\"kind\": \"fgm\", \"alpha\": 1}", "adversarial"},
        {"adversarial", "{\"kind\": \"pgd\", \"steps\": 0}", "adversarial"},
        {"adversarial", "{\"eps\": 1}", "adversarial"},
        {"augment", "[]", "augment"},
        {"augment", "[\"swap\", \"mix\"]", "augment"},
        {"augment", "[\"shout\"]", "augment"},
        {"augment", "{\"share\": 0.5}", "augment"},
        {"augment", "{\"ops\": [\"swap\"], \"share\": 2}", "augment"},
        {"augment", "{\"ops\": [\"swap\"], \"seed\": 2}", "augment"},
    };
    const lm_method *method = lm_method_find("classification", "layers");
    lm_context ctx;

    lm_context_init(&ctx);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        void *options = options_of(method, SENTIMENT, 0.02, 1);
        lm_train_outcome outcome;

        set_text(method, options, cases[i].key, cases[i].value);
        CHECK_EQ_INT(train(&ctx, method, options, NULL, &outcome),
                     cases[i].found ? LM_BAD_ARGUMENT : LM_BAD_JSON);
        if (cases[i].found)
            CHECK_STR(ctx.error.key, cases[i].found);
        free(options);
    }
}

/* Rows in other words: the same for a seed, others than the rows; not of tokens with tags. */
static void
varied_rows(void)
{
    const lm_method *method = lm_method_find("classification", "layers");
    void *options = options_of(method, SENTIMENT, 0.02, 3);
    lm_train_outcome made[3];
    const lm_buffer *plain = &made[0].files[2].bytes, *one = &made[1].files[2].bytes;
    lm_context ctx;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, train(&ctx, method, options, NULL, &made[0]));
    set_text(method, options, "augment", "{\"ops\": [\"swap\", \"delete\"], \"share\": 0.4}");
    for (int i = 1; i < 3; i++)
        CHECK_OK(&ctx, train(&ctx, method, options, NULL, &made[i]));
    CHECK_EQ_INT(plain->size, one->size);
    CHECK(memcmp(plain->data, one->data, one->size) != 0);
    CHECK(memcmp(made[2].files[2].bytes.data, one->data, one->size) == 0);
    for (int i = 0; i < 3; i++)
        free_outcome(&made[i]);
    free(options);
    method = lm_method_find("tagging", "layers");
    options = options_of(method, "[{\"embedding\": 2}, {\"linear\": 3}]", 0.02, 1);
    set_text(method, options, "augment", "[\"swap\"]");
    CHECK_EQ_INT(train(&ctx, method, options, NULL, &made[0]), LM_BAD_ARGUMENT);
    CHECK_STR(ctx.error.key, "augment");
    free(options);
}

enum { RESUME_AT = 3 };

static lm_status
keep_one(void *opaque, lm_context *ctx, int64_t step, const lm_buffer *bytes)
{
    return step == RESUME_AT ? lm_buffer_append(opaque, bytes->data, bytes->size) : LM_OK;
}

static void
set_count(const lm_method *method, void *fields, const char *key, int64_t value)
{
    for (int i = 0; i < method->option_count; i++)
        if (strcmp(method->options[i].key, key) == 0)
            memcpy((char *)fields + method->options[i].offset, &value, sizeof value);
}

/* From a checkpoint within an epoch, with noise on embeddings and rows in other words: the same
 * bits. */
static void
resume_in(const char *precision)
{
    const lm_method *method = lm_method_find("classification", "layers");
    void *options = options_of(method, SENTIMENT, 0.02, 3);
    lm_train_watch watch = {.report = ignore_step, .checkpoint = keep_one};
    lm_train_outcome whole, rest;
    lm_buffer kept;
    lm_context ctx;

    lm_context_init(&ctx);
    lm_buffer_init(&kept, &ctx);
    set_text(method, options, "precision", precision);
    set_text(method, options, "augment", "{\"ops\": [\"swap\", \"delete\"], \"share\": 0.4}");
    set_text(method, options, "adversarial", "{\"kind\": \"fgm\", \"eps\": 0.5}");
    set_count(method, options, "checkpoint_steps", 1);
    set_count(method, options, "batch_size", 24);
    watch.opaque = &kept;
    CHECK_OK(&ctx, train_watched(&ctx, method, options, NULL, &watch, &whole));
    CHECK(kept.size > 0);
    watch = (lm_train_watch){.report = ignore_step, .resume = &kept};
    CHECK_OK(&ctx, train_watched(&ctx, method, options, NULL, &watch, &rest));
    CHECK_EQ_INT(rest.files[2].bytes.size, whole.files[2].bytes.size);
    CHECK(memcmp(rest.files[2].bytes.data, whole.files[2].bytes.data, whole.files[2].bytes.size) ==
          0);
    free_outcome(&whole);
    free_outcome(&rest);
    lm_buffer_free(&kept);
    free(options);
}

static void
resumed(void)
{
    resume_in("fp32");
    resume_in("bf16");
}

/* Words in lower case, the ends of long texts, and a base that has them. */
static void
lower_case(void)
{
    const lm_method *method = lm_method_find("classification", "layers");
    void *options = options_of(method, SENTIMENT, 0.02, 1),
         *none = options_of(method, NULL, 0.02, 1);
    lm_train_outcome made, again;
    loaded_model loaded;
    fake_source fake;
    lm_source source;
    lm_context ctx;

    lm_context_init(&ctx);
    set_text(method, options, "vocabulary", "{\"lower_case\": true}");
    set_text(method, options, "truncate", "pre");
    CHECK_OK(&ctx, train(&ctx, method, options, NULL, &made));
    source = source_of(&made, file_names, &fake);
    CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
    {
        lm_train_base base = {"sentiment@1", &source, file_names, 3, &loaded.model};

        CHECK_OK(&ctx, train(&ctx, method, none, &base, &again));
        free_outcome(&again);
        CHECK_EQ_INT(train(&ctx, lm_method_find("regression", "layers"), none, &base, &again),
                     LM_BAD_ARGUMENT);
    }
    loaded_close(&ctx, &loaded);
    free_outcome(&made);
    free(options);
    free(none);
}

/* ---- Vectors of words ---- */

enum { VECTOR = 11 }; /* numbers of models/tiny/words */

/* A base with vectors, as pg opens it. */
typedef struct word_base {
    lm_source_dir *dir;
    lm_source source;
    loaded_model loaded;
    lm_train_base base;
} word_base;

static void
open_words(lm_context *ctx, word_base *w)
{
    CHECK_OK(ctx, lm_source_dir_open(ctx, "models/tiny/words", true, &w->dir, &w->source));
    CHECK_OK(ctx, loaded_open(ctx, &w->source, lm_kernels_active(), &w->loaded));
    w->base = (lm_train_base){"words@1", &w->source, NULL, 0, &w->loaded.model};
}

static void
close_words(lm_context *ctx, word_base *w)
{
    loaded_close(ctx, &w->loaded);
    lm_source_dir_close(ctx, w->dir);
}

/* The row of a word in the embedding of a net that was trained. */
static void
trained_row(lm_context *ctx, const lm_train_outcome *outcome, const char *word, float *row)
{
    fake_source fake;
    const lm_source source = source_of(outcome, file_names, &fake);
    loaded_model loaded;
    const lm_layers *layers;
    float *table;
    int32_t id;

    CHECK_OK(ctx, loaded_open(ctx, &source, lm_kernels_active(), &loaded));
    layers = lm_model_layers(&loaded.model);
    id = lm_token_id(lm_model_tokenizer(&loaded.model), word, strlen(word));
    CHECK(id > 1);
    table = malloc(layers->net.vocabulary * VECTOR * sizeof *table);
    CHECK_OK(ctx, lm_layers_values(ctx, layers, 0, table));
    memcpy(row, table + (size_t)id * VECTOR, VECTOR * sizeof *row);
    free(table);
    loaded_close(ctx, &loaded);
}

/* Of the rows' words the base has "the"; it stays where the embedding does, and else it learns. */
static void
takes_vectors(void)
{
    static const char *const nets[] = {
        "[{\"embedding\": 11, \"trainable\": false}, {\"lstm\": 4}, {\"linear\": 2}]",
        "[{\"embedding\": 11}, {\"lstm\": 4}, {\"linear\": 2}]",
    };
    const lm_method *method = lm_method_find("classification", "layers");
    lm_context ctx;
    word_base words;

    lm_context_init(&ctx);
    open_words(&ctx, &words);
    for (int i = 0; i < 2; i++) {
        const lm_tokenizer *tokenizer = lm_model_tokenizer(&words.loaded.model);
        const lm_vectors *view = words.loaded.model.views[LM_SECTION_VECTORS];
        const float *given = view->table + lm_token_id(tokenizer, "the", 3) * VECTOR;
        void *options = options_of(method, nets[i], 0.02, 2);
        lm_train_outcome outcome;
        float row[VECTOR];

        CHECK_OK(&ctx, train(&ctx, method, options, &words.base, &outcome));
        CHECK(outcome.without_base);
        CHECK_NEAR(vectors_taken, 1, 0);
        trained_row(&ctx, &outcome, "the", row);
        CHECK_EQ_INT(memcmp(row, given, sizeof row) == 0, i == 0);
        for (int j = 0; j < VECTOR; j++)
            CHECK_NEAR((double)row[j], (double)given[j], i == 0 ? 0 : 1);
        trained_row(&ctx, &outcome, "great", row);
        for (int j = 0; j < VECTOR; j++)
            CHECK(row[j] != 0 && row[j] > -5 && row[j] < 5);
        free_outcome(&outcome);
        free(options);
    }
    close_words(&ctx, &words);
}

static void
refuses_vectors(void)
{
    static const struct {
        const char *layers, *key;
        int words;
    } cases[] = {
        {"[{\"embedding\": 6}, {\"linear\": 2}]", "layers[0].embedding", 0},
        {NULL, "layers", 0},
        {"[{\"embedding\": 11}, {\"linear\": 3}]", "base", 1},
    };
    lm_context ctx;
    word_base words;

    lm_context_init(&ctx);
    open_words(&ctx, &words);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        /* Words of the tagging rows are names, which the base does not have. */
        const lm_method *method =
            lm_method_find(cases[i].words ? "tagging" : "classification", "layers");
        void *options = options_of(method, cases[i].layers, 0.02, 1);
        lm_train_outcome outcome;

        CHECK_EQ_INT(train(&ctx, method, options, &words.base, &outcome), LM_BAD_ARGUMENT);
        CHECK_STR(ctx.error.key, cases[i].key);
        free_outcome(&outcome);
        free(options);
    }
    close_words(&ctx, &words);
}

/* Any of its places may fail. */
static void
failing_vectors(void)
{
    const lm_method *method = lm_method_find("classification", "layers");
    void *options = options_of(method, "[{\"embedding\": 11}, {\"linear\": 2}]", 0.02, 1);
    lm_context good;
    word_base words;

    lm_context_init(&good);
    open_words(&good, &words);
    row_count = 4;
    for (int polls = 0; polls < 2; polls++) {
        lm_status status = LM_NO_MEMORY;

        for (int at = 1; status != LM_OK && at < 20000; at = unit_next_fault(at)) {
            fake_memory memory = {.fail_at = polls ? 0 : at, .stop_at = polls ? at : 0};
            lm_train_outcome outcome;
            lm_context ctx;

            fake_context(&ctx, &memory);
            status = train(&ctx, method, options, &words.base, &outcome);
            free_outcome(&outcome);
            CHECK(status == LM_OK || status == (polls ? LM_CANCELLED : LM_NO_MEMORY));
            CHECK_EQ_INT(memory.live, 0);
        }
        CHECK_EQ_INT(status, LM_OK);
    }
    row_count = ROWS;
    close_words(&good, &words);
    free(options);
}

/* ---- Damaged folders ---- */

#define CONFIG(rest)                                                             \
    "{\"model_type\": \"lmtext_layers\", \"labels\": [\"a\", \"b\"], \"task\": " \
    "\"classification\"" rest "}"
#define LAYERS ", \"layers\": [{\"embedding\": 2}, {\"linear\": 2}]"
#define TENSORS(table, weight)                                                        \
    "{\"0.weight\":{\"dtype\":\"F32\",\"shape\":" table ",\"data_offsets\":[0,24]},"  \
    "\"1.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[24,32]},\"" weight \
    "\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[32,48]}}"
#define GOOD TENSORS("[3,2]", "1.weight")

typedef struct damaged {
    const char *config, *vocab, *header;
    lm_status status;
    const char *file, *key;
} damaged;

static const damaged folders[] = {
    {CONFIG(LAYERS), "<pad>\n<unk>\ngood\n", GOOD, LM_OK, "", ""},
    {CONFIG(LAYERS), NULL, GOOD, LM_NO_FILE, "vocab.txt", ""},
    {CONFIG(LAYERS), "<pad>\n<unk>\n<pad>\n", GOOD, LM_BAD_JSON, "vocab.txt", NULL},
    {CONFIG(LAYERS), "<pad>\n<unk>\ngood\nbad\n", GOOD, LM_BAD_MODEL, NULL, NULL},
    {CONFIG(LAYERS), "<pad>\n", GOOD, LM_BAD_MODEL, "config.json", "unknown_id"},
    {CONFIG(LAYERS), "a\nb\nc\n", TENSORS("[2,3]", "1.weight"), LM_BAD_MODEL, NULL, NULL},
    {CONFIG(LAYERS), "a\nb\nc\n", TENSORS("[3,2]", "2.weight"), LM_BAD_MODEL, "model.safetensors",
     "1.weight"},
    {CONFIG(LAYERS), "a\nb\nc\n", TENSORS("[6]", "1.weight"), LM_BAD_MODEL, NULL, NULL},
    {CONFIG(), "a\nb\nc\n", GOOD, LM_BAD_MODEL, "config.json", "layers"},
    {CONFIG(", \"layers\": [{\"embedding\": 2}, {\"linear\": 3}]"), "a\nb\nc\n", GOOD, LM_BAD_MODEL,
     "config.json", "layers"},
    {CONFIG(", \"layers\": [{\"embedding\": 2}, {\"linear\": 2, \"rank\": 3}]"), "a\nb\nc\n", GOOD,
     LM_BAD_MODEL, "config.json", "layers[1].rank"},
    {CONFIG(", \"layers\": [{\"embedding\": 2}, {\"linera\": 2}]"), "a\nb\nc\n", GOOD, LM_BAD_MODEL,
     "config.json", "layers[1]"},
    {CONFIG(", \"layers\": [{\"embedding\": 2}, {\"layer_norm\": true}]"), "a\nb\nc\n", GOOD,
     LM_BAD_MODEL, "model.safetensors", NULL},
    {CONFIG(LAYERS ", \"words\": \"pieces\""), "a\nb\nc\n", GOOD, LM_BAD_MODEL, "config.json",
     "words"},
    {CONFIG(LAYERS ", \"words\": \"tokenizer\""), "a\nb\nc\n", GOOD, LM_NO_FILE, "tokenizer.json",
     ""},
    {CONFIG(LAYERS ", \"lower_case\": 1"), "a\nb\nc\n", GOOD, LM_BAD_MODEL, "config.json",
     "lower_case"},
    {CONFIG(LAYERS ", \"truncate\": \"both\""), "a\nb\nc\n", GOOD, LM_BAD_MODEL, "config.json",
     "truncate"},
    {CONFIG(LAYERS ", \"max_length\": 0"), "a\nb\nc\n", GOOD, LM_BAD_MODEL, "config.json",
     "max_length"},
    {CONFIG(LAYERS ", \"pad_id\": -1"), "a\nb\nc\n", GOOD, LM_BAD_MODEL, "config.json", "pad_id"},
    {CONFIG(LAYERS ", \"truncate\": 1"), "a\nb\nc\n", GOOD, LM_BAD_MODEL, "config.json",
     "truncate"},
    {CONFIG(LAYERS ", \"truncate\": \"pre\", \"lower_case\": false"), "a\nb\nc\n", GOOD, LM_OK, "",
     ""},
    {CONFIG(LAYERS ", \"words\": \"unicode\", \"lower_case\": true"), "a\nb\nc\n", GOOD, LM_OK, "",
     ""},
    {CONFIG(LAYERS ", \"words\": 1"), "a\nb\nc\n", GOOD, LM_BAD_MODEL, "config.json", "words"},
    {CONFIG(LAYERS ", \"words\": \"unicode\\u0000\""), "a\nb\nc\n", GOOD, LM_BAD_MODEL,
     "config.json", "words"},
    {CONFIG(LAYERS ", \"max_length\": 1.5"), "a\nb\nc\n", GOOD, LM_BAD_MODEL, "config.json",
     "max_length"},
    {CONFIG(LAYERS ", \"max_length\": 4294967296"), "a\nb\nc\n", GOOD, LM_BAD_MODEL, "config.json",
     "max_length"},
    {"{\"model_type\": \"lmtext_layers\", \"labels\": [\"a\", \"b\"], \"task\": 1" LAYERS "}",
     "a\nb\nc\n", GOOD, LM_BAD_MODEL, "config.json", "task"},
    {CONFIG(LAYERS ", \"max_length\": true"), "a\nb\nc\n", GOOD, LM_BAD_MODEL, "config.json",
     "max_length"},
    {CONFIG(LAYERS ", \"unknown_id\": 3"), "a\nb\nc\n", GOOD, LM_BAD_MODEL, "config.json",
     "unknown_id"},
    {CONFIG(", \"layers\": [{\"embedding\": 2}, {\"linear\": 65537}]"), "a\nb\nc\n", GOOD,
     LM_BAD_MODEL, "config.json", "layers[1].linear"},
    {CONFIG(", \"layers\": [{\"embedding\": 2}, {\"linear\": 2}, {\"linear\": -2}]"), "a\nb\nc\n",
     GOOD, LM_BAD_MODEL, "config.json", "layers[2].linear"},
    {CONFIG(", \"layers\": [{\"embedding\": 2}, {\"linear\": 2, \"linear\": 2}]"), "a\nb\nc\n",
     GOOD, LM_BAD_JSON, "config.json", NULL},
    {CONFIG(", \"layers\": [{\"embedding\": 8192}, {\"linear\": 65536}, {\"linear\": 65536}]"),
     "a\nb\nc\n", GOOD, LM_TOO_LARGE, NULL, "2.weight"},
    {CONFIG(", \"layers\": [{\"embedding\": 2}, {\"linear\": 2}, {\"layer_norm\": 1}]"),
     "a\nb\nc\n", GOOD, LM_BAD_MODEL, "config.json", "layers[2].layer_norm"},
    {CONFIG(LAYERS), "a\nb\nc\n", TENSORS("[2,3,1]", "1.weight"), LM_BAD_MODEL, NULL, NULL},
    {"{\"model_type\": \"lmtext_layers\", \"task\": \"tagging\", \"labels\": {}}", "a\nb\nc\n",
     GOOD, LM_BAD_MODEL, "config.json", "labels"},
    {"{\"model_type\": \"lmtext_layers\", \"task\": \"tagging\", \"labels\": []}", "a\nb\nc\n",
     GOOD, LM_BAD_MODEL, "config.json", "labels"},
    {"{\"model_type\": \"lmtext_layers\", \"task\": \"tagging\", \"labels\": [\"a\\u0000\"]}",
     "a\nb\nc\n", GOOD, LM_BAD_MODEL, "config.json", "labels"},
    {"{\"model_type\": \"lmtext_layers\", \"task\": \"translation\"}", "a\nb\nc\n", GOOD,
     LM_BAD_MODEL, "config.json", "task"},
    {"{\"model_type\": \"lmtext_layers\", \"task\": \"tagging\"}", "a\nb\nc\n", GOOD, LM_BAD_MODEL,
     "config.json", "labels"},
    {"{\"model_type\": \"lmtext_layers\", \"task\": \"tagging\", \"labels\": [\"a\", \"a\"]}",
     "a\nb\nc\n", GOOD, LM_BAD_MODEL, "config.json", "labels"},
    {"{\"model_type\": \"lmtext_layers\", \"task\": \"tagging\", \"labels\": [1, 2]}", "a\nb\nc\n",
     GOOD, LM_BAD_MODEL, "config.json", "labels"},
};

static void
one_folder(const damaged *each)
{
    static char weights[4096];
    const size_t length = strlen(each->header);
    const uint64_t size = length;
    fake_source fake = {.count = 0};
    const lm_source source = fake_open(&fake);
    loaded_model loaded;
    lm_context ctx;
    lm_status status;

    lm_context_init(&ctx);
    memset(weights, 0, sizeof weights);
    memcpy(weights, &size, sizeof size);
    memcpy(weights + sizeof size, each->header, length);
    fake_add(&fake, "config.json", each->config);
    if (each->vocab)
        fake_add(&fake, "vocab.txt", each->vocab);
    fake_add_bytes(&fake, "model.safetensors", weights, sizeof size + length + 48);
    status = loaded_open(&ctx, &source, lm_kernels_active(), &loaded);
    if (status != each->status)
        UNIT_FAIL("%s: status %d, %s [%s, %s]", each->config, status, ctx.error.message,
                  ctx.error.file, ctx.error.key);
    if (status == LM_OK)
        loaded_close(&ctx, &loaded);
    else {
        if (each->file)
            CHECK_STR(ctx.error.file, each->file);
        if (each->key)
            CHECK_STR(ctx.error.key, each->key);
    }
}

static void
damaged_folders(void)
{
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        one_folder(&folders[i]);
}

/* The section of an image that is cut, and one of a model of other labels. */
static void
cut_section(void)
{
    const lm_method *method = lm_method_find("classification", "layers");
    void *options = options_of(method, "[{\"embedding\": 2}, {\"linear\": 2}]", 0.02, 1);
    lm_train_outcome made;
    loaded_model loaded;
    lm_image_header *header;
    fake_source fake;
    lm_source source;
    lm_context ctx;
    lm_model view;
    uint64_t size;
    int net = 0;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, train(&ctx, method, options, NULL, &made));
    source = source_of(&made, file_names, &fake);
    CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
    header = loaded.image;
    while (header->sections[net].id != LM_SECTION_NET)
        net++;
    size = header->sections[net].size;
    for (uint64_t cut = 1; cut <= size; cut += cut < 64 ? 1 : 61) {
        header->sections[net].size = size - cut;
        CHECK_EQ_INT(lm_model_bind(&ctx, loaded.image, loaded.size, &view), LM_INTERNAL);
    }
    header->sections[net].size = size;
    CHECK_OK(&ctx, lm_model_bind(&ctx, loaded.image, loaded.size, &view));
    lm_model_unbind(&ctx, &view);
    loaded_close(&ctx, &loaded);
    free_outcome(&made);
    free(options);
}

/* A window without room for a token besides the special ones could not be walked through. */
static void
small_window(void)
{
    static const char tokenizer[] =
        "{\"version\": \"1.0\", \"truncation\": null, \"padding\": null, \"added_tokens\": ["
        "{\"id\": 0, \"content\": \"<s>\", \"single_word\": false, \"lstrip\": false, "
        "\"rstrip\": false, \"normalized\": false, \"special\": true}], \"normalizer\": null, "
        "\"pre_tokenizer\": {\"type\": \"WhitespaceSplit\"}, \"post_processor\": {\"type\": "
        "\"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"<s>\", \"type_id\": "
        "0}}, "
        "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}], \"pair\": [{\"Sequence\": {\"id\": "
        "\"A\", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"B\", \"type_id\": 0}}], "
        "\"special_tokens\": {\"<s>\": {\"id\": \"<s>\", \"ids\": [0], \"tokens\": [\"<s>\"]}}}, "
        "\"decoder\": null, \"model\": {\"type\": \"WordLevel\", \"vocab\": {\"<s>\": 0, \"a\": 1, "
        "\"b\": 2}, \"unk_token\": \"b\"}}";
    static const struct {
        const char *config;
        int asked;
        lm_status status;
        const char *key;
    } windows[] = {
        {CONFIG(LAYERS ", \"words\": \"tokenizer\", \"max_length\": 1"), 0, LM_BAD_MODEL,
         "max_length"},
        {CONFIG(LAYERS ", \"words\": \"tokenizer\", \"max_length\": 2"), 0, LM_OK, ""},
        {CONFIG(LAYERS ", \"words\": \"tokenizer\""), 1, LM_BAD_ARGUMENT, "max_tokens"},
        {CONFIG(LAYERS ", \"words\": \"tokenizer\""), 2, LM_OK, ""},
    };

    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        char weights[4096] = {0};
        const uint64_t size = sizeof GOOD - 1;
        const lm_model_options options = {.precision = LM_PRECISION_F32,
                                          .max_tokens = windows[i].asked};
        fake_source fake = {.count = 0};
        const lm_source source = fake_open(&fake);
        loaded_model loaded;
        lm_context ctx;

        lm_context_init(&ctx);
        memcpy(weights, &size, sizeof size);
        memcpy(weights + sizeof size, GOOD, sizeof GOOD - 1);
        fake_add(&fake, "config.json", windows[i].config);
        fake_add(&fake, "tokenizer.json", tokenizer);
        fake_add_bytes(&fake, "model.safetensors", weights, sizeof size + sizeof GOOD - 1 + 48);
        CHECK_EQ_INT(loaded_open_with(&ctx, &source, &options, lm_kernels_active(), &loaded),
                     windows[i].status);
        if (windows[i].status != LM_OK) {
            CHECK_STR(ctx.error.key, windows[i].key);
            continue;
        }
        CHECK_EQ_INT(lm_model_set_window(&ctx, &loaded.model, 1), LM_BAD_ARGUMENT);
        CHECK_OK(&ctx, lm_model_set_window(&ctx, &loaded.model, 2));
        loaded_close(&ctx, &loaded);
    }
}

static lm_status
ask(lm_context *ctx, const lm_model *model)
{
    const lm_embed_options how = {.on_long = LM_LONG_MEAN};
    const lm_text texts[] = {text_of("the film is great"), text_of("Bob saw Paris")};
    const int labels = model->info.label_count > 0 ? model->info.label_count : 1;
    float *scores = malloc(2 * (size_t)labels * sizeof *scores);
    tags kept = {.model = model};
    lm_session *session = NULL;
    lm_status status = lm_session_create(ctx, &session);

    if (status == LM_OK)
        (void)lm_tag_texts(ctx, session, model, texts, 2, &how, keep_tags, &kept, NULL);
    if (status == LM_OK)
        status = lm_classify(ctx, session, model, texts, 2, &how, scores, NULL);
    lm_session_free(session);
    free(scores);
    return status;
}

/* Of nets of all kinds of layers. */
static void
damaged_bytes(void)
{
    static const char *const nets[][2] = {
        {"classification", "[{\"embedding\": 2}, {\"bilstm\": 2, \"layers\": 2}, {\"linear\": 2}]"},
        {"classification",
         "[{\"embedding\": 2}, {\"conv\": 2}, {\"pool\": \"attention\"}, {\"linear\": 2}]"},
        {"tagging", "[{\"embedding\": 4}, {\"transformer\": 2, \"inner\": 2}, {\"attention\": 2}, "
                    "{\"layer_norm\": true}, {\"gru\": 3}, {\"crf\": true}]"},
    };

    row_count = 6;
    for (int i = 0; i < 3; i++) {
        const lm_method *method = lm_method_find(nets[i][0], "layers");
        void *options = options_of(method, nets[i][1], 0.02, 1);
        lm_train_outcome made;
        fake_source fake;
        lm_context ctx;

        lm_context_init(&ctx);
        CHECK_OK(&ctx, train(&ctx, method, options, NULL, &made));
        (void)source_of(&made, file_names, &fake);
        damage_files(&fake, 500, (uint64_t)i, ask);
        free_outcome(&made);
        free(options);
    }
    row_count = ROWS;
}

/* ---- Vocabulary ---- */

/* Words of a list that no line can be are unknown, and the model is read all the same. */
static void
words_without_a_line(void)
{
    static const char *const words[] = {"a\nb", "", "c\r", "d"};
    const lm_method *method = lm_method_find("tagging", "layers");
    void *options = options_of(method, "[{\"embedding\": 2}, {\"linear\": 2}]", 0.02, 1);
    const lm_train_watch watch = {.report = ignore_step};
    lm_text list[4], tag_list[4];
    lm_train_words tokens = {list, 4}, tag_words = {tag_list, 4};
    const lm_train_rows taken = {.count = 1, .columns = 2, .words = {&tokens, &tag_words}};
    lm_train_outcome made = {.file_count = 0};
    void *training = NULL;
    loaded_model loaded;
    fake_source fake;
    lm_source source;
    lm_context ctx;

    for (int i = 0; i < 4; i++) {
        list[i] = text_of(words[i]);
        tag_list[i] = text_of(i % 2 ? "B" : "O");
    }
    lm_context_init(&ctx);
    CHECK_OK(&ctx, method->open(&ctx, options, 0, &training));
    for (int i = 0; i < 3; i++)
        CHECK_OK(&ctx, method->add_rows(training, &taken));
    CHECK_OK(&ctx, method->fit(training, &watch));
    CHECK_OK(&ctx, method->write(training, &made));
    method->close(training);
    CHECK_EQ_INT(made.files[1].bytes.size, strlen("<pad>\n<unk>\nd\n"));
    source = source_of(&made, file_names, &fake);
    CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
    loaded_close(&ctx, &loaded);
    free_outcome(&made);
    free(options);
}

static lm_status
list_words(lm_context *ctx, const char *words, uint32_t unknown)
{
    lm_listed_words list = {"vocab.txt", NULL, "whitespace", true, unknown};
    const lm_json *made;
    lm_arena arena;
    lm_status status;

    lm_arena_init(&arena, ctx);
    status = lm_json_parse(ctx, &arena, words, strlen(words), "vocab.txt", &list.words);
    if (status == LM_OK)
        status = lm_listed_words_tokenizer(ctx, &arena, &list, &made);
    lm_arena_free(&arena);
    return status;
}

/* Each piece of the tokenizer meets the end of the memory at some length of a word, and fails. */
static void
lists_without_memory(void)
{
    fake_memory memory = {.stop_at = 1};
    lm_context ctx;

    fake_context(&ctx, &memory);
    CHECK_EQ_INT(list_words(&ctx, "[\"a\", \"b\"]", 1), LM_CANCELLED);
    memory.stop_at = 0;
    CHECK_EQ_INT(list_words(&ctx, "[\"a\", \"b\"]", 2), LM_INTERNAL);
    for (int length = 1; length <= 256; length++) {
        lm_status status = LM_NO_MEMORY;
        char words[300];

        snprintf(words, sizeof words, "[\"%0*d\", \"b\"]", length, 0);
        for (int at = 1; status != LM_OK && at < 100; at++) {
            memory = (fake_memory){.fail_at = at};
            status = list_words(&ctx, words, 0);
            CHECK(status == LM_OK || status == LM_NO_MEMORY);
            CHECK_EQ_INT(memory.live, 0);
        }
        CHECK_EQ_INT(status, LM_OK);
    }
}

static void
vocabulary(void)
{
    static const char *const words[] = {"b", "a", "c", "a", "b", "d", "a", "<pad>"};
    uint32_t *numbers, count;
    lm_vocabulary v;
    lm_context ctx;
    bool twice;

    lm_context_init(&ctx);
    lm_vocabulary_init(&v, &ctx);
    CHECK_OK(&ctx, lm_vocabulary_special(&v, "<pad>", 5, &twice));
    CHECK(!twice);
    CHECK_OK(&ctx, lm_vocabulary_special(&v, "<pad>", 5, &twice));
    CHECK(twice);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        CHECK_OK(&ctx, lm_vocabulary_count(&v, words[i], strlen(words[i]), NULL));
    CHECK_OK(&ctx, lm_vocabulary_rank(&v, 4, 1, &numbers, &count));
    CHECK_EQ_INT(count, 4);
    CHECK_EQ_INT(numbers[0], 0);
    CHECK_EQ_INT(numbers[1], 2); /* a: three times */
    CHECK_EQ_INT(numbers[2], 1); /* b: twice */
    CHECK_EQ_INT(numbers[3], 3); /* c: before d */
    lm_free(&ctx, numbers);
    CHECK_OK(&ctx, lm_vocabulary_rank(&v, 100, 2, &numbers, &count));
    CHECK_EQ_INT(count, 3);
    lm_free(&ctx, numbers);
    lm_vocabulary_free(&v);
}

/* ---- Failures ---- */

/* Loading a folder, and an answer of it. */
static lm_status
load_and_ask(lm_context *ctx, const lm_train_outcome *outcome, bool tagging, int *fail_read)
{
    const lm_embed_options how = {.on_long = LM_LONG_MEAN};
    const lm_text texts[] = {text_of("the film is great"), text_of("Bob saw Paris")};
    lm_session *session = NULL;
    loaded_model loaded = {.image = NULL};
    fake_source fake;
    lm_source source = source_of(outcome, file_names, &fake);
    tags kept = {.model = &loaded.model};
    float scores[4];
    lm_status status;

    fake.fail_at = *fail_read;
    status = loaded_open(ctx, &source, lm_kernels_active(), &loaded);
    *fail_read = fake.calls;
    if (status == LM_OK)
        status = lm_session_create(ctx, &session);
    if (status == LM_OK)
        status = tagging ? lm_tag_texts(ctx, session, &loaded.model, texts, 2, &how, keep_tags,
                                        &kept, NULL)
                         : lm_classify(ctx, session, &loaded.model, texts, 2, &how, scores, NULL);
    lm_session_free(session);
    if (loaded.image)
        loaded_close(ctx, &loaded);
    return status;
}

/* Every place of a training; of loading each seventh, since most are the tokenizer's, whose own
 * tests take each. */
static void
fail_each(const lm_method *method, const void *options, const lm_train_outcome *made, bool polls)
{
    const bool tagging = strcmp(method->task, "tagging") == 0;

    for (int part = 0; part < 2; part++) {
        lm_status status = LM_NO_MEMORY;

        for (int at = 1; status != LM_OK && at < 20000;
             at = part == 0 ? unit_next_fault(at) : at + 7) {
            fake_memory memory = {.fail_at = polls ? 0 : at, .stop_at = polls ? at : 0};
            lm_train_outcome outcome;
            lm_context ctx;
            int reads = 0;

            fake_context(&ctx, &memory);
            if (part == 1)
                status = load_and_ask(&ctx, made, tagging, &reads);
            else {
                status = train(&ctx, method, options, NULL, &outcome);
                free_outcome(&outcome);
            }
            CHECK(status == LM_OK || status == (polls ? LM_CANCELLED : LM_NO_MEMORY));
            CHECK_EQ_INT(memory.live, 0);
        }
        CHECK_EQ_INT(status, LM_OK);
    }
}

static void
failures(void)
{
    static const char *const lives[][2] = {
        {"classification", "[{\"embedding\": 2}, {\"lstm\": 2}, {\"linear\": 2}]"},
        {"tagging", "[{\"embedding\": 2}, {\"linear\": 3}, {\"crf\": true}]"},
    };

    row_count = 6;
    for (int life = 0; life < 2; life++) {
        const lm_method *method = lm_method_find(lives[life][0], "layers");
        void *options = options_of(method, lives[life][1], 0.02, 1);
        lm_train_outcome made;
        lm_context ctx;

        lm_context_init(&ctx);
        if (life == 0)
            set_text(method, options, "augment", "[\"delete\", \"keyboard\"]");
        set_text(method, options, "adversarial", "{\"kind\": \"pgd\", \"steps\": 2}");
        CHECK_OK(&ctx, train(&ctx, method, options, NULL, &made));
        fail_each(method, options, &made, false);
        fail_each(method, options, &made, true);
        free_outcome(&made);
        free(options);
    }
    row_count = ROWS;
}

/* Of a training on the net of another one: its words, labels and values are taken over. */
static void
failures_on_base(void)
{
    const lm_method *method = lm_method_find("tagging", "layers");
    void *options = options_of(method, "[{\"embedding\": 2}, {\"linear\": 3}]", 0.02, 1);
    void *none = options_of(method, NULL, 0.02, 1);
    lm_train_outcome made, outcome;
    loaded_model loaded;
    fake_source fake;
    lm_source source;
    lm_train_base base;
    lm_context good;

    row_count = 6;
    lm_context_init(&good);
    CHECK_OK(&good, train(&good, method, options, NULL, &made));
    source = source_of(&made, file_names, &fake);
    CHECK_OK(&good, loaded_open(&good, &source, lm_kernels_active(), &loaded));
    base = (lm_train_base){"tags@1", &source, file_names, 3, &loaded.model};
    for (int polls = 0; polls < 2; polls++) {
        const lm_status wanted = polls ? LM_CANCELLED : LM_NO_MEMORY;
        lm_status status = wanted;

        for (int at = unit_next_fault(0); status == wanted; at = unit_next_fault(at)) {
            fake_memory memory = {.fail_at = polls ? 0 : at, .stop_at = polls ? at : 0};
            lm_context ctx;

            fake_context(&ctx, &memory);
            status = train(&ctx, method, none, &base, &outcome);
            free_outcome(&outcome);
            CHECK_EQ_INT(memory.live, 0);
        }
        CHECK_EQ_INT(status, LM_OK);
    }
    fake.fail_at = fake.calls + 1; /* a file that cannot be read */
    CHECK_EQ_INT(train(&good, method, none, &base, &outcome), LM_IO_ERROR);
    row_count = ROWS;
    loaded_close(&good, &loaded);
    free_outcome(&made);
    free(options);
    free(none);
}

/* Rows without a word, and rows of one label, say why nothing is learnt. */
static void
lacking(void)
{
    static const struct {
        const char *task, *text, *wanted;
    } cases[] = {
        {"classification", "", "returned no text that has a word"},
        {"classification", "a word", "returned only one label"},
        {"classification", NULL, "returned no text that has a word"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const lm_method *method = lm_method_find(cases[i].task, "layers");
        void *options = options_of(method, SENTIMENT, 0.02, 1);
        const lm_text text = text_of(cases[i].text ? cases[i].text : ""), label = text_of("same");
        const lm_train_rows taken = {.count = 1, .columns = 2, .texts = {&text, &label}};
        const char *hint = NULL;
        void *training = NULL;
        lm_context ctx;

        lm_context_init(&ctx);
        CHECK_OK(&ctx, method->open(&ctx, options, 0, &training));
        if (cases[i].text)
            CHECK_OK(&ctx, method->add_rows(training, &taken));
        CHECK_STR(method->lacking(training, &hint), cases[i].wanted);
        CHECK(hint != NULL);
        method->close(training);
        free(options);
    }
}

static void
failing_reads(void)
{
    const lm_method *method = lm_method_find("classification", "layers");
    void *options = options_of(method, SENTIMENT, 0.02, 1);
    lm_train_outcome made;
    int reads = 0, all;
    lm_context ctx;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, train(&ctx, method, options, NULL, &made));
    CHECK_OK(&ctx, load_and_ask(&ctx, &made, false, &reads));
    all = reads;
    CHECK(all > 3);
    for (int at = 1; at <= all; at++) {
        reads = at;
        CHECK_EQ_INT(load_and_ask(&ctx, &made, false, &reads), LM_IO_ERROR);
    }
    free_outcome(&made);
    free(options);
}

static const unit_case cases[] = {
    {"a net learns, is loaded, is a base", classifies},
    {"a seed repeats", repeats},
    {"nets tag tokens", tags_tokens},
    {"options that are refused", refused_options},
    {"rows in other words", varied_rows},
    {"noise and other words when a training goes on", resumed},
    {"words in lower case", lower_case},
    {"vectors of words", takes_vectors},
    {"vectors that do not fit", refuses_vectors},
    {"every allocation and poll of vectors may fail", failing_vectors},
    {"damaged folders", damaged_folders},
    {"a cut section", cut_section},
    {"a window holds a token", small_window},
    {"damaged bytes", damaged_bytes},
    {"a vocabulary is Counter's", vocabulary},
    {"words without a line", words_without_a_line},
    {"a list of words without memory", lists_without_memory},
    {"every allocation and poll may fail", failures},
    {"every allocation and poll on a base may fail", failures_on_base},
    {"rows that teach nothing", lacking},
    {"every read may fail", failing_reads},
};

UNIT_MAIN(cases)
