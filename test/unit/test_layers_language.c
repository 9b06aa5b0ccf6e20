/*
 * test_layers_language.c - language models of layers and nets on them: trained, loaded, asked; the
 * base's weights in a tagger; bad input; every failing allocation and poll.
 */
#include "method.h"
#include "model/layers.h"
#include "task/language_model.h"
#include "task/pair.h"
#include "task/tag.h"
#include "task/word_states.h"

enum { ROWS = 60, WORDS = 5 };

#define SPEAKER                                                                              \
    "[{\"embedding\": 6}, {\"bilstm\": 6, \"layers\": 2, \"separate\": true, \"residual\": " \
    "true}, {\"dropout\": 0.1}]"
#define SPELLER \
    "[{\"characters\": 6, \"filters\": 3, \"kernel\": 2}, {\"bilstm\": 6, \"separate\": true}]"
#define TAGGER "[{\"elmo\": true}, {\"bigru\": 4}, {\"linear\": 3}, {\"crf\": true}]"

/* ---- Rows ---- */

static const char *const sentences[] = {
    "the cat sees a tree", "the dog hears a bird", "the bird sees a tree",
    "the cat hears a dog", "the dog sees a tree",  "the bird hears a cat",
};

typedef struct rows {
    lm_text texts[ROWS], words[ROWS][WORDS], tags[ROWS][WORDS];
    lm_train_words word_lists[ROWS], tag_lists[ROWS];
} rows;

static lm_text
text_of(const char *bytes)
{
    return (lm_text){bytes, strlen(bytes)};
}

/* An animal is who sees, or what is heard. */
static void
make_row(rows *r, int i)
{
    const char *at = sentences[i % 6];

    r->texts[i] = text_of(at);
    for (int w = 0; w < WORDS; w++) {
        r->words[i][w] = (lm_text){at, strcspn(at, " ")};
        r->tags[i][w] = text_of(w == 1 ? "WHO" : w == 4 ? "WHAT" : "O");
        at += r->words[i][w].length + 1;
    }
    r->word_lists[i] = (lm_train_words){r->words[i], WORDS};
    r->tag_lists[i] = (lm_train_words){r->tags[i], WORDS};
}

static lm_train_rows
make_rows(const lm_method *method, rows *r, size_t count)
{
    lm_train_rows taken = {.count = count, .columns = 1};

    for (int i = 0; i < ROWS; i++)
        make_row(r, i);
    taken.texts[0] = r->texts;
    if (strcmp(method->task, "language_model") == 0)
        return taken;
    taken.columns = 2;
    taken.texts[0] = NULL;
    taken.words[0] = r->word_lists;
    taken.words[1] = r->tag_lists;
    return taken;
}

/* ---- Training ---- */

static void
set(const lm_method *method, void *fields, const char *key, const void *value, size_t size)
{
    for (int i = 0; i < method->option_count; i++)
        if (strcmp(method->options[i].key, key) == 0)
            memcpy((char *)fields + method->options[i].offset, value, size);
}

static void *
options_of(const lm_method *method, const char *layers, int64_t epochs)
{
    char *fields = calloc(1, method->options_size);
    const double rate = 0.02;
    const int64_t batch = 12;

    method->defaults(fields);
    set(method, fields, "layers", &layers, sizeof layers);
    set(method, fields, "epochs", &epochs, sizeof epochs);
    set(method, fields, "learning_rate", &rate, sizeof rate);
    set(method, fields, "batch_size", &batch, sizeof batch);
    return fields;
}

static double perplexity, mean_log; /* of the last training, whose names of values end with it */

static const char *const file_names[] = {"config.json", "vocab.txt", "model.safetensors"};

/* Names of files end with the training too. */
static void
note_outcome(lm_train_outcome *outcome)
{
    perplexity = method_value(outcome, "held_out_perplexity");
    mean_log = method_value(outcome, "held_out_log_probability");
    for (int i = 0; i < outcome->file_count && i < 3; i++)
        outcome->files[i].name = file_names[i];
}

static lm_status
train_watched(lm_context *ctx, const lm_method *method, const void *options,
              const lm_train_base *base, size_t count, const lm_train_watch *watch,
              lm_train_outcome *outcome)
{
    static rows r;
    const lm_train_rows taken = make_rows(method, &r, count);
    const char *hint = NULL;
    void *training = NULL;
    lm_status status = method->open(ctx, options, 0, &training);

    memset(outcome, 0, sizeof *outcome);
    if (status == LM_OK && base)
        status = method->read_base(training, base);
    if (status == LM_OK)
        status = method->add_rows(training, &taken);
    if (status == LM_OK)
        CHECK(!method->lacking(training, &hint));
    if (status == LM_OK)
        status = method->fit(training, watch);
    if (status == LM_OK)
        status = method->write(training, outcome);
    note_outcome(outcome);
    method->close(training);
    return status;
}

static lm_status
train(lm_context *ctx, const lm_method *method, const char *layers, int64_t epochs,
      const lm_train_base *base, lm_train_outcome *outcome)
{
    const lm_train_watch watch = {.report = method_report};
    void *options = options_of(method, layers, epochs);
    const lm_status status = train_watched(ctx, method, options, base, ROWS, &watch, outcome);

    free(options);
    return status;
}

/* A model that was trained, and itself as a base. */
typedef struct trained {
    lm_train_outcome outcome;
    fake_source fake;
    lm_source source;
    loaded_model loaded;
    lm_session *session;
    lm_train_base base;
} trained;

static void
open_trained(lm_context *ctx, trained *t, const char *task, const char *layers, int64_t epochs,
             const lm_train_base *base)
{
    CHECK_OK(ctx, train(ctx, lm_method_find(task, "layers"), layers, epochs, base, &t->outcome));
    t->source = method_source(&t->outcome, &t->fake);
    CHECK_OK(ctx, loaded_open(ctx, &t->source, lm_kernels_active(), &t->loaded));
    CHECK_OK(ctx, lm_session_create(ctx, &t->session));
    t->base = (lm_train_base){"base@1", &t->source, file_names, 3, &t->loaded.model};
}

static void
close_trained(lm_context *ctx, trained *t)
{
    lm_session_free(t->session);
    loaded_close(ctx, &t->loaded);
    method_free(&t->outcome);
}

static double
log_p(lm_context *ctx, const trained *t, const char *text)
{
    const lm_text given = text_of(text);
    double out = NAN;

    CHECK_OK(ctx, lm_log_probability(ctx, t->session, &t->loaded.model, &given, 1, &out, NULL));
    return out;
}

/* ---- What a language model says ---- */

static void
speaks(void)
{
    lm_context ctx;
    trained t;

    lm_context_init(&ctx);
    open_trained(&ctx, &t, "language_model", SPEAKER, 12, NULL);
    CHECK_STR(t.loaded.model.info.task, "language_model");
    CHECK_EQ_INT(t.loaded.model.info.dimensions, 12);
    CHECK_EQ_INT(t.loaded.model.info.label_count, 0);
    CHECK_NEAR(perplexity, exp(-mean_log), 1e-12);
    CHECK(perplexity < 2.5); /* of rows like those it has seen, where chance gives 10 */
    CHECK(log_p(&ctx, &t, "the cat sees a tree") > log_p(&ctx, &t, "tree a sees cat the") + 5);
    CHECK_NEAR(log_p(&ctx, &t, ""), 0, 0);
    CHECK(log_p(&ctx, &t, "never seen") < -2);
    close_trained(&ctx, &t);
}

/* All words are −ln of their probabilities: of one place they add up to 1. */
static void
adds_up(void)
{
    static const char *const words[] = {"the",  "a",    "cat",   "dog",   "bird",
                                        "tree", "sees", "hears", "other", "<pad>"};
    lm_context ctx;
    double sum = 0, before;
    trained t;

    lm_context_init(&ctx);
    open_trained(&ctx, &t, "language_model", "[{\"embedding\": 4}, {\"gru\": 6}]", 2, NULL);
    before = log_p(&ctx, &t, "the cat");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char text[64];

        snprintf(text, sizeof text, "the cat %s", words[i]);
        sum += exp(log_p(&ctx, &t, text) - before);
    }
    CHECK_NEAR(sum, 1, 1e-5);
    close_trained(&ctx, &t);
}

/* A long text is read window by window; counts are of its words. */
static void
long_texts(void)
{
    const lm_text text = text_of("the cat sees a tree the dog");
    lm_embed_counts counts = {0};
    lm_context ctx;
    double out;
    trained t;

    lm_context_init(&ctx);
    open_trained(&ctx, &t, "language_model", SPEAKER, 1, NULL);
    CHECK_OK(&ctx, lm_model_set_window(&ctx, &t.loaded.model, 5));
    CHECK_OK(&ctx, lm_log_probability(&ctx, t.session, &t.loaded.model, &text, 1, &out, &counts));
    CHECK_EQ_INT(counts.texts, 1);
    CHECK_EQ_INT(counts.tokens, 7);
    CHECK_NEAR(out, log_p(&ctx, &t, "the cat sees a tree") + log_p(&ctx, &t, "the dog"), 1e-9);
    close_trained(&ctx, &t);
}

/* ---- Vectors ---- */

typedef struct kept_vectors {
    size_t texts, tokens;
    float values[64 * 12];
} kept_vectors;

static lm_status
keep_vectors(void *opaque, size_t text, const float *vectors, size_t tokens)
{
    kept_vectors *kept = opaque;

    CHECK_EQ_INT(text, kept->texts);
    memcpy(kept->values + kept->tokens * 12, vectors, tokens * 12 * sizeof *vectors);
    kept->texts++;
    kept->tokens += tokens;
    return LM_OK;
}

static kept_vectors
vectors_of(lm_context *ctx, const trained *t, const lm_text *texts, size_t count)
{
    const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    kept_vectors kept = {0};
    lm_embed_counts counts = {0};

    CHECK_OK(ctx, lm_token_vectors(ctx, t->session, &t->loaded.model, texts, count, &options,
                                   keep_vectors, &kept, &counts));
    CHECK_EQ_INT(counts.texts, count);
    return kept;
}

/* The mean of the layers that lm_hidden_states gives one by one; the same bits in any batch. */
static void
vectors(void)
{
    const lm_text texts[] = {text_of("the cat sees"), text_of(""), text_of("a dog")};
    kept_vectors all, one;
    float sums[3 * 12] = {0};
    lm_context ctx;
    trained t;

    lm_context_init(&ctx);
    open_trained(&ctx, &t, "language_model", SPEAKER, 1, NULL);
    all = vectors_of(&ctx, &t, texts, 3);
    CHECK_EQ_INT(all.tokens, 5);
    one = vectors_of(&ctx, &t, texts + 2, 1);
    CHECK(memcmp(one.values, all.values + 3 * 12, 2 * 12 * sizeof *one.values) == 0);
    for (int layer = 0; layer < 3; layer++) {
        const float *hidden;
        size_t tokens;

        CHECK_OK(&ctx, lm_hidden_states(&ctx, t.session, &t.loaded.model, texts[0], layer, &hidden,
                                        &tokens));
        CHECK_EQ_INT(tokens, 3);
        if (layer == 0)
            CHECK(memcmp(hidden, hidden + 6, 6 * sizeof *hidden) == 0);
        for (int i = 0; i < 3 * 12; i++)
            sums[i] += hidden[i] / 3;
    }
    for (int i = 0; i < 3 * 12; i++)
        CHECK_NEAR((double)all.values[i], (double)sums[i], 1e-6);
    close_trained(&ctx, &t);
}

/* Layers that there are not; a layer that is too narrow; texts that are too long. */
static void
refused_vectors(void)
{
    const lm_text text = text_of("the cat sees");
    const lm_embed_options options = {.on_long = LM_LONG_ERROR};
    static const int layers[] = {-2, 0, 2};
    kept_vectors kept = {0};
    const float *hidden;
    size_t tokens;
    lm_context ctx;
    trained t;

    lm_context_init(&ctx);
    open_trained(&ctx, &t, "language_model", "[{\"embedding\": 4}, {\"lstm\": 6}]", 0, NULL);
    CHECK_OK(&ctx, lm_hidden_states(&ctx, t.session, &t.loaded.model, text, -1, &hidden, &tokens));
    for (int i = 1; i < 3; i++) {
        CHECK_EQ_INT(
            lm_hidden_states(&ctx, t.session, &t.loaded.model, text, layers[i], &hidden, &tokens),
            LM_BAD_ARGUMENT);
        CHECK_STR(ctx.error.allowed, "1 to 1, or -1");
    }
    CHECK_OK(&ctx, lm_model_set_window(&ctx, &t.loaded.model, 2));
    CHECK_EQ_INT(lm_token_vectors(&ctx, t.session, &t.loaded.model, &text, 1, &options,
                                  keep_vectors, &kept, NULL),
                 LM_TOO_LARGE);
    close_trained(&ctx, &t);
}

/* ---- A net on it ---- */

typedef struct tags {
    const lm_model *model;
    size_t right, all;
} tags;

static lm_status
count_tags(void *opaque, size_t text, const lm_tag *list, size_t count)
{
    tags *kept = opaque;

    for (size_t i = 0; i < count; i++) {
        const char *wanted = i == 1 ? "WHO" : i == 4 ? "WHAT" : "O";

        kept->right += strcmp(kept->model->info.labels[list[i].label], wanted) == 0;
    }
    kept->all += count;
    return LM_OK;
}

static double
right_tags(lm_context *ctx, const trained *t, size_t *all)
{
    const lm_embed_options how = {.on_long = LM_LONG_TRUNCATE};
    tags kept = {.model = &t->loaded.model};
    lm_text texts[6];

    for (int i = 0; i < 6; i++)
        texts[i] = text_of(sentences[i]);
    CHECK_OK(ctx, lm_tag_texts(ctx, t->session, &t->loaded.model, texts, 6, &how, count_tags, &kept,
                               NULL));
    *all = kept.all;
    return (double)kept.right / (double)kept.all;
}

/* Whether a parameter of the net on a base is the base's. */
static bool
is_kept(lm_context *ctx, const trained *base, const trained *on, size_t param)
{
    const lm_layers *a = lm_model_layers(&base->loaded.model);
    const lm_layers *b = lm_model_layers(&on->loaded.model);
    const size_t numbers = a->net.params[param].rows * a->net.params[param].columns;
    float *values = malloc(2 * numbers * sizeof *values);
    bool same;

    CHECK_STR(a->net.params[param].name, b->net.params[param].name);
    CHECK_OK(ctx, lm_layers_values(ctx, a, param, values));
    CHECK_OK(ctx, lm_layers_values(ctx, b, param, values + numbers));
    same = memcmp(values, values + numbers, numbers * sizeof *values) == 0;
    free(values);
    return same;
}

static size_t
param_named(const trained *t, const char *name)
{
    const lm_net *net = &lm_model_layers(&t->loaded.model)->net;
    size_t i = 0;

    while (i < net->param_count && strcmp(net->params[i].name, name) != 0)
        i++;
    CHECK(i < net->param_count);
    return i;
}

/* The base stays as it is, its mix is learnt; with "trainable" all of it learns. */
static void
on_language(void)
{
    static const char trainable[] =
        "[{\"elmo\": true, \"trainable\": true}, {\"linear\": 3}, {\"crf\": true}]";
    float mix[3];
    size_t all;
    lm_context ctx;
    trained base, frozen, tuned;

    lm_context_init(&ctx);
    open_trained(&ctx, &base, "language_model", SPEAKER, 2, NULL);
    open_trained(&ctx, &frozen, "tagging", TAGGER, 12, &base.base);
    open_trained(&ctx, &tuned, "tagging", trainable, 2, &base.base);
    CHECK(frozen.outcome.without_base);
    CHECK_NEAR(right_tags(&ctx, &frozen, &all), 1, 0);
    CHECK_EQ_INT(all, 30);
    for (size_t p = 0; p < 17; p++) {
        CHECK(is_kept(&ctx, &base, &frozen, p));
        CHECK(!is_kept(&ctx, &base, &tuned, p));
    }
    CHECK_OK(&ctx, lm_layers_values(&ctx, lm_model_layers(&frozen.loaded.model),
                                    param_named(&frozen, "1.mix.weight"), mix));
    CHECK(mix[0] != 0 && mix[0] != mix[1] && mix[1] != mix[2]);
    close_trained(&ctx, &tuned);
    close_trained(&ctx, &frozen);
    close_trained(&ctx, &base);
}

/* A language model goes on from its own weights; a net that was made on one goes on too. */
static void
goes_on(void)
{
    lm_context ctx;
    trained base, same, tagger, more;

    lm_context_init(&ctx);
    open_trained(&ctx, &base, "language_model", SPEAKER, 1, NULL);
    open_trained(&ctx, &same, "language_model", NULL, 0, &base.base);
    for (int i = 0; i < 3; i++)
        CHECK(same.outcome.files[i].bytes.size == base.outcome.files[i].bytes.size &&
              memcmp(same.outcome.files[i].bytes.data, base.outcome.files[i].bytes.data,
                     base.outcome.files[i].bytes.size) == 0);
    open_trained(&ctx, &tagger, "tagging", TAGGER, 1, &base.base);
    open_trained(&ctx, &more, "tagging", NULL, 1, &tagger.base);
    CHECK(is_kept(&ctx, &base, &more, 0));
    close_trained(&ctx, &more);
    close_trained(&ctx, &tagger);
    close_trained(&ctx, &same);
    close_trained(&ctx, &base);
}

/* ---- Characters ---- */

/* Words that no vocabulary has are told apart by their characters, whatever stands before them in a
 * batch; of a long word its beginning counts. */
static void
spelled(void)
{
    static const char *words[] = {"the zebra sees", "é zebu", "zebu",
                                  "zebra zebra zebra zebra zebra"};
    kept_vectors one, all;
    lm_text texts[4], lists[2];
    char longer[2][256] = {"", ""};
    lm_context ctx;
    trained t, tagger, more;
    size_t tags;

    lm_context_init(&ctx);
    open_trained(&ctx, &t, "language_model", SPELLER, 12, NULL);
    for (size_t i = 0; i < 4; i++)
        texts[i] = text_of(words[i]);
    all = vectors_of(&ctx, &t, texts, 4);
    CHECK_EQ_INT(all.tokens, 11);
    one = vectors_of(&ctx, &t, texts + 2, 1);
    CHECK(memcmp(one.values, all.values + 5 * 12, 12 * sizeof *one.values) == 0);
    CHECK(memcmp(all.values + 12, all.values + 4 * 12, 12 * sizeof *one.values) != 0);
    memset(longer[0], 'x', 200);
    memset(longer[1], 'x', 199);
    for (int i = 0; i < 2; i++)
        lists[i] = text_of(longer[i]);
    all = vectors_of(&ctx, &t, lists, 2);
    CHECK(memcmp(all.values, all.values + 12, 12 * sizeof *all.values) == 0);
    CHECK(log_p(&ctx, &t, "the cat sees a tree") > log_p(&ctx, &t, "tree a sees cat the") + 3);
    open_trained(&ctx, &tagger, "tagging", TAGGER, 12, &t.base);
    CHECK_NEAR(right_tags(&ctx, &tagger, &tags), 1, 0);
    open_trained(&ctx, &more, "tagging", NULL, 1, &tagger.base);
    CHECK_NEAR(right_tags(&ctx, &more, &tags), 1, 0);
    for (size_t p = 0; p < 5; p++)
        CHECK(is_kept(&ctx, &t, &more, p));
    close_trained(&ctx, &more);
    close_trained(&ctx, &tagger);
    open_trained(&ctx, &more, "language_model", NULL, 1, &t.base);
    CHECK(!is_kept(&ctx, &t, &more, 0));
    close_trained(&ctx, &more);
    close_trained(&ctx, &t);
}

/* A long text comes in windows, each with the letters of its own words. */
static void
spelled_windows(void)
{
    lm_context ctx;
    double whole;
    trained t;

    lm_context_init(&ctx);
    open_trained(&ctx, &t, "language_model", SPELLER, 1, NULL);
    CHECK_OK(&ctx, lm_model_set_window(&ctx, &t.loaded.model, 2));
    whole = log_p(&ctx, &t, "the càt sees zebras é");
    CHECK_NEAR(whole,
               log_p(&ctx, &t, "the càt") + log_p(&ctx, &t, "sees zebras") + log_p(&ctx, &t, "é"),
               1e-9);
    close_trained(&ctx, &t);
}

/* Pairs have no letters; options that would change them are refused. */
static void
refused_letters(void)
{
    static const char layers[] = "[{\"characters\": 3, \"filters\": 2}, {\"linear\": 1}]";
    static const char *const options[][3] = {
        {"vocabulary", "{\"lower_case\": true}", "vocabulary.lower_case"},
        {"augment", "[\"swap\"]", "augment"},
        {"adversarial", "{\"kind\": \"fgm\"}", "adversarial"},
    };
    const lm_method *method = lm_method_find("classification", "layers");
    const lm_train_watch watch = {.report = method_report};
    lm_text texts[] = {text_of("a"), text_of("b")}, labels[] = {text_of("x"), text_of("y")};
    lm_train_outcome outcome;
    lm_context ctx;

    lm_context_init(&ctx);
    for (int i = 0; i < 3; i++) {
        const lm_train_rows rows = {.count = 2, .columns = 2, .texts = {texts, labels}};
        void *fields = options_of(method, "[{\"characters\": 3}, {\"linear\": 2}]", 1);
        void *training = NULL;
        lm_status status;

        set(method, fields, options[i][0], &options[i][1], sizeof(char *));
        status = method->open(&ctx, fields, 0, &training);
        if (status == LM_OK)
            status = method->add_rows(training, &rows);
        if (status == LM_OK)
            status = method->fit(training, &watch);
        CHECK_EQ_INT(status, LM_BAD_ARGUMENT);
        CHECK_STR(ctx.error.key, options[i][2]);
        method->close(training);
        free(fields);
    }
    {
        const lm_method *numbers = lm_method_find("regression", "layers");
        const double values[] = {1, 2};
        const lm_train_rows rows = {
            .count = 2, .columns = 2, .texts = {texts}, .numbers = {NULL, values}};
        const lm_embed_options how = {.on_long = LM_LONG_TRUNCATE};
        void *fields = options_of(numbers, layers, 0);
        lm_session *session;
        loaded_model loaded;
        fake_source fake;
        lm_source source;
        float score;

        CHECK_OK(&ctx, method_train(&ctx, numbers, fields, &rows, 0, 2, &outcome));
        note_outcome(&outcome);
        source = method_source(&outcome, &fake);
        CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
        CHECK_OK(&ctx, lm_session_create(&ctx, &session));
        CHECK_OK(&ctx, lm_classify(&ctx, session, &loaded.model, texts, 1, &how, &score, NULL));
        CHECK_EQ_INT(lm_rerank(&ctx, session, &loaded.model, texts, 1, &how, &score, NULL),
                     LM_UNSUPPORTED);
        lm_session_free(session);
        loaded_close(&ctx, &loaded);
        method_free(&outcome);
        free(fields);
    }
}

/* ---- Checkpoints ---- */

static lm_status
keep_second(void *opaque, lm_context *ctx, int64_t step, const lm_buffer *bytes)
{
    lm_buffer *kept = opaque;

    if (step != 2)
        return LM_OK;
    kept->size = 0;
    return lm_buffer_append(kept, bytes->data, bytes->size);
}

static void
resumed(void)
{
    const lm_method *method = lm_method_find("language_model", "layers");
    const int64_t every = 1;
    void *options = options_of(method, SPEAKER, 2);
    lm_train_watch watch = {.report = method_report, .checkpoint = keep_second};
    lm_train_outcome whole, rest;
    lm_buffer kept;
    lm_context ctx;

    lm_context_init(&ctx);
    lm_buffer_init(&kept, &ctx);
    set(method, options, "checkpoint_steps", &every, sizeof every);
    watch.opaque = &kept;
    CHECK_OK(&ctx, train_watched(&ctx, method, options, NULL, ROWS, &watch, &whole));
    CHECK(kept.size > 0);
    watch = (lm_train_watch){.report = method_report, .resume = &kept};
    CHECK_OK(&ctx, train_watched(&ctx, method, options, NULL, ROWS, &watch, &rest));
    CHECK(memcmp(rest.files[2].bytes.data, whole.files[2].bytes.data, whole.files[2].bytes.size) ==
          0);
    method_free(&whole);
    method_free(&rest);
    lm_buffer_free(&kept);
    free(options);
}

/* ---- What is refused ---- */

static const struct {
    const char *task, *layers, *vocabulary;
    bool base;
    const char *key;
} refusals[] = {
    {"language_model", "[{\"embedding\": 4}, {\"bilstm\": 4}]", NULL, false, "layers[1].bilstm"},
    {"language_model", "[{\"elmo\": true}]", NULL, true, "layers"},
    {"tagging", TAGGER, NULL, false, "base"},
    {"tagging", TAGGER, "{\"min_count\": 2}", true, "vocabulary"},
    {"tagging", "[{\"elmo\": false}, {\"linear\": 3}]", NULL, true, "layers[0].elmo"},
    {"tagging", "[{\"elmo\": 1}, {\"linear\": 3}]", NULL, true, "layers[0].elmo"},
    {"tagging", "[{\"elmo\": true, \"layers\": 1}]", NULL, true, "layers[0].layers"},
    {"tagging", "[{\"elmo\": true, \"trainable\": 1}]", NULL, true, "layers[0].trainable"},
    {"tagging", "[{\"elmo\": true}, {\"linear\": 4}]", NULL, true, "layers"},
    {"tagging", "[{\"elmo\": true}, {\"linar\": 3}]", NULL, true, "layers[2]"},
    {"tagging", NULL, NULL, true, "layers"},
};

static void
refused(void)
{
    const lm_train_watch watch = {.report = method_report};
    lm_context ctx;
    trained base, tagger;
    lm_train_outcome outcome;

    lm_context_init(&ctx);
    open_trained(&ctx, &base, "language_model", SPEAKER, 0, NULL);
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const lm_method *method = lm_method_find(refusals[i].task, "layers");
        void *options = options_of(method, refusals[i].layers, 1);

        set(method, options, "vocabulary", &refusals[i].vocabulary, sizeof(char *));
        CHECK_EQ_INT(train_watched(&ctx, method, options, refusals[i].base ? &base.base : NULL,
                                   ROWS, &watch, &outcome),
                     LM_BAD_ARGUMENT);
        CHECK_STR(ctx.error.key, refusals[i].key);
        method_free(&outcome);
        free(options);
    }
    /* a base that is no language model; a language model has no tags */
    open_trained(&ctx, &tagger, "tagging", TAGGER, 0, &base.base);
    CHECK_EQ_INT(
        train(&ctx, lm_method_find("tagging", "layers"), TAGGER, 1, &tagger.base, &outcome),
        LM_BAD_ARGUMENT);
    CHECK_STR(ctx.error.key, "base");
    method_free(&outcome);
    CHECK_EQ_INT(lm_tag_texts(&ctx, base.session, &base.loaded.model, NULL, 0,
                              &(lm_embed_options){.on_long = LM_LONG_TRUNCATE}, count_tags, NULL,
                              NULL),
                 LM_UNSUPPORTED);
    close_trained(&ctx, &tagger);
    close_trained(&ctx, &base);
}

/* A vector that is not finite is told, not given out. */
static void
not_finite(void)
{
    const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    const lm_text text = text_of("the cat");
    kept_vectors kept = {0};
    const lm_layers *layers;
    lm_context ctx;
    trained t;

    lm_context_init(&ctx);
    open_trained(&ctx, &t, "language_model", SPEAKER, 0, NULL);
    layers = lm_model_layers(&t.loaded.model);
    for (size_t i = 0; i < layers->net.params[0].rows * 6; i++)
        ((float *)(uintptr_t)layers->weights.values[0])[i] = (float)NAN;
    CHECK_EQ_INT(lm_token_vectors(&ctx, t.session, &t.loaded.model, &text, 1, &options,
                                  keep_vectors, &kept, NULL),
                 LM_BAD_MODEL);
    close_trained(&ctx, &t);
}

/* ---- Faults ---- */

static lm_status
ask(lm_context *ctx, const lm_source *source)
{
    const lm_text texts[] = {text_of("the cat sees"), text_of(""), text_of("a dog")};
    const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    kept_vectors kept = {0};
    lm_session *session = NULL;
    loaded_model loaded = {.image = NULL};
    double out[3];
    lm_status status = loaded_open(ctx, source, lm_kernels_active(), &loaded);

    if (status == LM_OK)
        status = lm_session_create(ctx, &session);
    if (status == LM_OK)
        status = lm_log_probability(ctx, session, &loaded.model, texts, 3, out, NULL);
    if (status == LM_OK)
        status = lm_token_vectors(ctx, session, &loaded.model, texts, 3, &options, keep_vectors,
                                  &kept, NULL);
    lm_session_free(session);
    if (loaded.image)
        loaded_close(ctx, &loaded);
    return status;
}

/* Part 0: the training of a language model, 1: that of a net on it, 2: loading and asking. */
static lm_status
one_life(lm_context *ctx, int part, const char *layers, const trained *base)
{
    const lm_method *method = lm_method_find(part == 0 ? "language_model" : "tagging", "layers");
    const lm_train_watch watch = {.report = method_report};
    void *options = options_of(method, part == 0 ? layers : TAGGER, 1);
    lm_train_outcome outcome = {.file_count = 0};
    lm_status status;

    if (part == 2)
        status = ask(ctx, &base->source);
    else
        status = train_watched(ctx, method, options, part == 1 ? &base->base : NULL, 3, &watch,
                               &outcome);
    method_free(&outcome);
    free(options);
    return status;
}

/* Of loading each seventh, since most are the tokenizer's, whose own tests take each. */
static void
fail_all(const char *layers, int step)
{
    lm_context good;
    trained base;

    lm_context_init(&good);
    open_trained(&good, &base, "language_model", layers, 0, NULL);
    for (int part = 0; part < 3; part += step)
        for (int polls = 0; polls < 2; polls++) {
            lm_status status = LM_NO_MEMORY;

            for (int at = 1; status != LM_OK && at < 20000;
                 at = part == 2 ? at + 7 : unit_next_fault(at)) {
                fake_memory memory = {.fail_at = polls ? 0 : at, .stop_at = polls ? at : 0};
                lm_context ctx;

                fake_context(&ctx, &memory);
                status = one_life(&ctx, part, layers, &base);
                CHECK(status == LM_OK || status == (polls ? LM_CANCELLED : LM_NO_MEMORY));
                CHECK_EQ_INT(memory.live, 0);
            }
            CHECK_EQ_INT(status, LM_OK);
        }
    close_trained(&good, &base);
}

static void
failures(void)
{
    fail_all(SPEAKER, 1);
    fail_all(SPELLER, 2);
}

static const unit_case cases[] = {
    {"a language model of layers speaks", speaks}, {"probabilities add up", adds_up},
    {"long texts window by window", long_texts},   {"vectors are the mean of layers", vectors},
    {"words by their characters", spelled},        {"windows have their letters", spelled_windows},
    {"letters that are refused", refused_letters}, {"layers that there are not", refused_vectors},
    {"a tagger on a language model", on_language}, {"trainings go on", goes_on},
    {"a checkpoint gives the same bits", resumed}, {"what is refused", refused},
    {"vectors that are not finite", not_finite},   {"every allocation and poll may fail", failures},
};

UNIT_MAIN(cases)
