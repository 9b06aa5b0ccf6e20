/*
 * test_unigram.c - a language model of counted words: trained, written, read back as an image,
 * asked. Values are those of nltk 3.9 (nltk.lm.Laplace and Lidstone of order 1). Damaged files are
 * refused.
 */
#include "fake.h"
#include "lang/unigram.h"
#include "loaded.h"
#include "model/image.h"
#include "task/language_model.h"
#include "task/tasks.h"
#include "train/unigram.h"

static const char *const rows[] = {"The cat sat on the mat.", "the dog sat", "A cat!",
                                   "Größe 3.14"};
#define ROWS (sizeof rows / sizeof rows[0])

/* ---- Files ---- */

/* The options as lmtext.train would set them. */
typedef struct options {
    double k;
    int64_t min_count, max_words;
} options;

static void
ignore(void *opaque, const lm_train_progress *progress)
{
    CHECK_STR(progress->values[0].name, "loss");
}

static lm_status
learn(void *training, const char *const *texts, size_t count, size_t batch,
      lm_train_outcome *outcome)
{
    const lm_method *method = &lm_method_unigram;

    for (size_t i = 0; i < count; i += batch) {
        lm_text taken[8];
        lm_train_rows part = {.count = count - i < batch ? count - i : batch, .texts = {taken}};

        for (size_t j = 0; j < part.count; j++)
            taken[j] = (lm_text){texts[i + j], strlen(texts[i + j])};
        LM_TRY(method->add_rows(training, &part));
    }
    LM_TRY(method->fit(training, &(lm_train_watch){.report = ignore}));
    return method->write(training, outcome);
}

static lm_status
train(lm_context *ctx, const options *chosen, size_t batch, lm_train_outcome *outcome)
{
    void *training;
    lm_status status = lm_method_unigram.open(ctx, chosen, 0, &training);

    outcome->file_count = 0;
    if (status == LM_OK)
        status = learn(training, rows, ROWS, batch, outcome);
    lm_method_unigram.close(training);
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

/* ---- What comes of it ---- */

static void
check_text(lm_context *ctx, lm_session *session, const lm_model *model, const char *text,
           double wanted, uint64_t words)
{
    lm_embed_counts counts = {0};
    double out;

    CHECK_OK(ctx, lm_log_probability(ctx, session, model, &(lm_text){text, strlen(text)}, 1, &out,
                                     &counts));
    CHECK_NEAR(out, wanted, 1e-12);
    CHECK_EQ_INT(counts.texts, 1);
    CHECK_EQ_INT(counts.tokens, words);
}

static const struct {
    options chosen;
    double the_cat, the_bird_sat, big, three;
} recorded[] = {
    {{1, 1, 100}, -3.952844999948401, -7.171720824816602, -2.5257286443082556, -5.497744391244931},
    {{0.1, 1, 100},
     -3.5560500314212793,
     -8.573329868236204,
     -2.6193845640165536,
     -4.749877896989334},
    {{1, 2, 100}, -3.295836866004329, -4.106767082220658, -0.8109302162163288, -4.512232190328822},
    {{0.5, 2, 100},
     -3.3761237441100396,
     -4.1338094458075565,
     -0.7576857016975165,
     -4.55947726123324},
};

static void
as_the_reference(void)
{
    for (size_t i = 0; i < sizeof recorded / sizeof recorded[0]; i++) {
        fake_memory memory = {0};
        lm_context ctx;
        fake_source fake;
        lm_train_outcome outcome;
        loaded_model loaded;
        lm_session *session;
        lm_source source;

        fake_context(&ctx, &memory);
        CHECK_OK(&ctx, train(&ctx, &recorded[i].chosen, 3, &outcome));
        source = source_of(&outcome, &fake);
        CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
        CHECK(!fake.went_back);
        CHECK_OK(&ctx, lm_session_create(&ctx, &session));
        check_text(&ctx, session, &loaded.model, "the cat", recorded[i].the_cat, 2);
        check_text(&ctx, session, &loaded.model, "The bird SAT?", recorded[i].the_bird_sat, 3);
        check_text(&ctx, session, &loaded.model, "größe", recorded[i].big, 1);
        check_text(&ctx, session, &loaded.model, "the, the, the", recorded[i].three, 3);
        check_text(&ctx, session, &loaded.model, "", 0, 0);
        check_text(&ctx, session, &loaded.model, "?!", 0, 0);
        lm_session_free(session);
        loaded_close(&ctx, &loaded);
        free_outcome(&outcome);
        CHECK_EQ_INT(memory.live, 0);
    }
}

/* Probabilities of all words and of an unknown one sum to one; without smoothing that has none. */
static void
a_distribution(void)
{
    static const options plain = {0, 1, 100};
    lm_context ctx;
    fake_source fake;
    lm_train_outcome outcome;
    loaded_model loaded;
    lm_session *session;
    lm_source source;
    const lm_unigram *unigram;
    double sum = 0, out;
    float golden[2];

    lm_context_init(&ctx);
    CHECK_OK(&ctx, train(&ctx, &plain, 8, &outcome));
    source = source_of(&outcome, &fake);
    CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
    CHECK_OK(&ctx, lm_session_create(&ctx, &session));
    unigram = lm_model_unigram(&loaded.model);
    for (uint32_t i = 0; i <= unigram->count; i++)
        sum += exp(unigram->log_p[i]);
    CHECK_NEAR(sum, 1, 1e-12);
    CHECK_OK(&ctx, lm_log_probability(&ctx, session, &loaded.model, &(lm_text){"the bird", 8}, 1,
                                      &out, NULL));
    CHECK(isinf(out) && out < 0);
    CHECK_OK(&ctx,
             lm_task_of(&loaded.model)
                 ->golden(&ctx, session, &loaded.model, &(lm_text){"the bird", 8}, 1, golden));
    CHECK_EQ_INT(golden[0], 1);
    CHECK_NEAR(golden[1], log(3.0 / 14), 1e-6);
    CHECK_EQ_INT(
        lm_log_probability(&ctx, session, &loaded.model, &(lm_text){"\xff", 1}, 1, &out, NULL),
        LM_BAD_TEXT);
    lm_session_free(session);
    loaded_close(&ctx, &loaded);
    free_outcome(&outcome);
}

/* What an import asks of an encoder. */
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
    static const options plain = {1, 1, 100};
    lm_context ctx;
    fake_source fake;
    lm_train_outcome outcome;
    loaded_model loaded;
    lm_source source;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, train(&ctx, &plain, 8, &outcome));
    CHECK_STR(outcome.summary, "with 10 different words among 14");
    source = source_of(&outcome, &fake);
    CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
    CHECK_STR(loaded.model.info.kind, "ngram");
    CHECK_STR(loaded.model.info.task, "language_model");
    CHECK_STR(loaded.model.info.details, "{\"order\": 1, \"words\": 10, \"k\": 1}");
    CHECK_EQ_INT(loaded.model.info.parameters, 11);
    CHECK_EQ_INT(lm_log_probability_golden_width(&loaded.model), 2);
    CHECK_EQ_INT(loaded.model.info.flops_per_token, 4);
    CHECK_EQ_INT(loaded.model.info.dimensions, 0);
    CHECK_EQ_INT(loaded.model.info.max_tokens, 0);
    CHECK(!lm_model_tokenizer(&loaded.model) && !lm_model_weights(&loaded.model));
    CHECK(!lm_model_needs_base(&loaded.model));
    loaded_close(&ctx, &loaded);
    CHECK_EQ_INT(loaded_open_as(&ctx, &source, lm_kernels_active(), LM_PRECISION_INT8, &loaded),
                 LM_UNSUPPORTED);
    CHECK_STR(ctx.error.key, "precision");
    refuses(&ctx, &source, (lm_model_options){.max_tokens = 10});
    refuses(&ctx, &source, (lm_model_options){.as_embedding = true});
    free_outcome(&outcome);
}

/* However the rows came, and in which order. */
static void
the_same_bytes(void)
{
    static const options plain = {1, 1, 100};
    lm_context ctx;
    lm_train_outcome one, other;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, train(&ctx, &plain, 1, &one));
    CHECK_OK(&ctx, train(&ctx, &plain, 4, &other));
    for (int i = 0; i < 2; i++) {
        CHECK_EQ_INT(one.files[i].bytes.size, other.files[i].bytes.size);
        CHECK(memcmp(one.files[i].bytes.data, other.files[i].bytes.data, one.files[i].bytes.size) ==
              0);
    }
    free_outcome(&one);
    free_outcome(&other);
}

/* ---- Refusals of training ---- */

static void
too_little(void)
{
    static const char *const empty[] = {"", "?!"};
    options chosen = {1, 4, 100};
    const char *hint = NULL;
    lm_context ctx;
    void *training;
    lm_text texts[ROWS];

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_method_unigram.open(&ctx, &chosen, 0, &training));
    for (int i = 0; i < 2; i++)
        texts[i] = (lm_text){empty[i], strlen(empty[i])};
    CHECK_OK(&ctx,
             lm_method_unigram.add_rows(training, &(lm_train_rows){.count = 2, .texts = {texts}}));
    CHECK_STR(lm_method_unigram.lacking(training, &hint), "returned texts without a word");
    for (size_t i = 0; i < ROWS; i++)
        texts[i] = (lm_text){rows[i], strlen(rows[i])};
    CHECK_OK(&ctx, lm_method_unigram.add_rows(training,
                                              &(lm_train_rows){.count = ROWS, .texts = {texts}}));
    CHECK_STR(lm_method_unigram.lacking(training, &hint), "returned no word as often as min_count");
    CHECK_STR(hint, "Lower the option min_count.");
    texts[0] = (lm_text){"the", 3};
    CHECK_OK(&ctx,
             lm_method_unigram.add_rows(training, &(lm_train_rows){.count = 1, .texts = {texts}}));
    CHECK(!lm_method_unigram.lacking(training, &hint));
    lm_method_unigram.close(training);
    lm_method_unigram.close(NULL);
}

static void
too_much(void)
{
    options chosen = {1, 1, 9};
    lm_train_outcome outcome;
    lm_context ctx;

    lm_context_init(&ctx);
    CHECK_EQ_INT(train(&ctx, &chosen, 8, &outcome), LM_TOO_LARGE);
    CHECK_STR(ctx.error.message, "too many different words to count");
    chosen.max_words = 10;
    CHECK_OK(&ctx, train(&ctx, &chosen, 8, &outcome));
    CHECK_STR(outcome.values[0].name, "words");
    CHECK_EQ_INT(outcome.values[0].value, 10);
    free_outcome(&outcome);
}

/* ---- Damaged files ---- */

#define GOOD_JSON \
    "{\"format\": 1, \"task\": \"language_model\", \"order\": 1, \"k\": 1, \"unknown\": 5}"

/* A file of tensors by hand; sizes are in elements, `data` follows the header. */
static void
make_tensors(lm_context *ctx, const lm_tensor *list, size_t count, const void *data, size_t size,
             lm_buffer *out)
{
    lm_buffer_init(out, ctx);
    CHECK_OK(ctx, lm_tensors_write_header(ctx, NULL, 0, list, count, out));
    CHECK_OK(ctx, lm_buffer_append(out, data, size));
}

/* What loading gives; a fill that fails leaves its error. */
static lm_status
load(lm_context *ctx, const char *json, const lm_buffer *tensors)
{
    fake_source fake = {.count = 0};
    lm_source source = fake_open(&fake);
    loaded_model loaded;
    lm_status status;

    fake_add(&fake, LM_NGRAM_JSON, json);
    fake_add_bytes(&fake, LM_NGRAM_TENSORS, tensors->data, tensors->size);
    status = loaded_open(ctx, &source, lm_kernels_active(), &loaded);
    if (status == LM_OK)
        loaded_close(ctx, &loaded);
    return status;
}

/* Two words, "a" and "bc", in memory as the file has them. */
typedef struct two_words {
    uint64_t counts[2];
    uint32_t ends[2];
    char words[3];
} __attribute__((packed)) two_words;

static const two_words good = {{2, 1}, {1, 3}, {'a', 'b', 'c'}};

static const lm_tensor good_list[] = {
    {.name = "counts", .dtype = LM_U64, .rank = 1, .shape = {2}, .count = 2, .bytes = 16},
    {.name = "ends", .dtype = LM_U32, .rank = 1, .shape = {2}, .count = 2, .bytes = 8},
    {.name = "words", .dtype = LM_U8, .rank = 1, .shape = {3}, .count = 3, .bytes = 3},
};

static void
bad_settings(void)
{
    static const struct {
        const char *json, *key;
    } bad[] = {
        {"{}", "format"},
        {"{\"format\": 2}", "format"},
        {"{\"format\": 0.5}", "format"},
        {"{\"format\": \"1\"}", "format"},
        {"{\"format\": 1, \"task\": \"classification\"}", "task"},
        {"{\"format\": 1, \"task\": \"language_model\"}", "order"},
        {"{\"format\": 1, \"task\": \"language_model\", \"order\": 2}", "order"},
        {"{\"format\": 1, \"task\": \"language_model\", \"order\": 1}", "k"},
        {"{\"format\": 1, \"task\": \"language_model\", \"order\": 1, \"k\": -1}", "k"},
        {"{\"format\": 1, \"task\": \"language_model\", \"order\": 1, \"k\": 1e7}", "k"},
        {"{\"format\": 1, \"task\": \"language_model\", \"order\": 1, \"k\": 1}", "unknown"},
        {"{\"format\": 1, \"task\": \"language_model\", \"order\": 1, \"k\": 1, \"unknown\": -1}",
         "unknown"},
        {"{\"format\": 1, \"task\": \"language_model\", \"order\": 1, \"k\": 1, \"unknown\": 0.5}",
         "unknown"},
    };
    lm_context ctx;
    lm_buffer tensors;

    lm_context_init(&ctx);
    make_tensors(&ctx, good_list, 3, &good, sizeof good, &tensors);
    CHECK_OK(&ctx, load(&ctx, GOOD_JSON, &tensors));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_EQ_INT(load(&ctx, bad[i].json, &tensors), LM_BAD_MODEL);
        CHECK_STR(ctx.error.file, LM_NGRAM_JSON);
        CHECK_STR(ctx.error.key, bad[i].key);
    }
    lm_buffer_free(&tensors);
}

static void
bad_forms(void)
{
    static const struct {
        lm_tensor list[3];
        size_t count;
        const char *key, *message;
    } bad[] = {
        {{{.name = "counts", .dtype = LM_U64, .rank = 1, .shape = {2}, .count = 2, .bytes = 16}},
         1,
         "ends",
         "a tensor that the language model needs is missing"},
        {{{.name = "counts", .dtype = LM_I64, .rank = 1, .shape = {2}, .count = 2, .bytes = 16}},
         1,
         "counts",
         "a tensor of the language model has another form"},
        {{{.name = "counts", .dtype = LM_U64, .rank = 2, .shape = {1, 2}, .count = 2, .bytes = 16}},
         1,
         "counts",
         "a tensor of the language model has another form"},
        {{{.name = "counts", .dtype = LM_U64, .rank = 1, .shape = {2}, .count = 2, .bytes = 16},
          {.name = "ends", .dtype = LM_U32, .rank = 1, .shape = {2}, .count = 2, .bytes = 8}},
         2,
         "words",
         "a tensor that the language model needs is missing"},
        {{{.name = "counts", .dtype = LM_U64, .rank = 1, .shape = {2}, .count = 2, .bytes = 16},
          {.name = "ends", .dtype = LM_U32, .rank = 1, .shape = {1}, .count = 1, .bytes = 4},
          {.name = "words", .dtype = LM_U8, .rank = 1, .shape = {7}, .count = 7, .bytes = 7}},
         3,
         "ends",
         "a tensor of the language model has another size than the counts"},
    };
    lm_context ctx;
    lm_buffer tensors;

    lm_context_init(&ctx);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t size = 0;

        for (size_t j = 0; j < bad[i].count; j++)
            size += (size_t)bad[i].list[j].bytes;
        make_tensors(&ctx, bad[i].list, bad[i].count, &good, size, &tensors);
        CHECK_EQ_INT(load(&ctx, GOOD_JSON, &tensors), LM_BAD_MODEL);
        CHECK_STR(ctx.error.key, bad[i].key);
        CHECK_STR(ctx.error.message, bad[i].message);
        lm_buffer_free(&tensors);
    }
}

/* More words than are allowed: the header alone is read, so the file need not be there. */
static void
too_large(void)
{
    lm_tensor counts = {.name = "counts",
                        .file = LM_NGRAM_TENSORS,
                        .dtype = LM_U64,
                        .rank = 1,
                        .count = (uint64_t)LM_UNIGRAM_WORDS_MAX + 1};
    const lm_checkpoint checkpoint = {.tensors = {.items = &counts, .count = 1}};
    lm_checkpoint asked = checkpoint;
    lm_unigram_plan plan;
    lm_context ctx;
    lm_arena arena;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    CHECK_OK(&ctx, lm_json_parse(&ctx, &arena, GOOD_JSON, strlen(GOOD_JSON), LM_NGRAM_JSON,
                                 &asked.settings));
    CHECK_EQ_INT(lm_unigram_plan_make(&ctx, &asked, &plan), LM_BAD_MODEL);
    CHECK_STR(ctx.error.allowed, "at most 67108864");
    lm_arena_free(&arena);
}

static void
bad_contents(void)
{
    static const struct {
        two_words data;
        const char *key, *found;
    } bad[] = {
        {{{2, 1}, {0, 3}, {'a', 'b', 'c'}}, "words", "word 0"},    /* empty */
        {{{2, 1}, {1, 1}, {'a', 'b', 'c'}}, "words", "word 1"},    /* empty */
        {{{2, 1}, {2, 1}, {'a', 'b', 'c'}}, "words", "word 1"},    /* ends before it begins */
        {{{2, 1}, {1, 4}, {'a', 'b', 'c'}}, "words", "word 1"},    /* beyond the bytes */
        {{{2, 1}, {1, 2}, {'a', 'b', 'c'}}, "words", ""},          /* bytes are left */
        {{{2, 1}, {1, 3}, {'b', 'a', 'c'}}, "words", "word 1"},    /* out of order */
        {{{2, 1}, {1, 2}, {'a', 'a', 'c'}}, "words", "word 1"},    /* twice */
        {{{2, 1}, {2, 3}, {'a', 'b', 'a'}}, "words", "word 1"},    /* a prefix behind the word */
        {{{2, 1}, {1, 3}, {'a', '\xc3', 'c'}}, "words", "word 1"}, /* not UTF-8 */
        {{{2, 0}, {1, 3}, {'a', 'b', 'c'}}, "counts", "0"},
        {{{2, UINT64_MAX}, {1, 3}, {'a', 'b', 'c'}}, "counts", "18446744073709551615"},
        {{{(uint64_t)1 << 53, 1}, {1, 3}, {'a', 'b', 'c'}}, "counts", "9007199254740992"},
    };
    lm_context ctx;
    lm_buffer tensors;

    lm_context_init(&ctx);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        make_tensors(&ctx, good_list, 3, &bad[i].data, sizeof bad[i].data, &tensors);
        CHECK_EQ_INT(load(&ctx, GOOD_JSON, &tensors), LM_BAD_MODEL);
        CHECK_STR(ctx.error.file, LM_NGRAM_TENSORS);
        CHECK_STR(ctx.error.key, bad[i].key);
        CHECK_STR(ctx.error.found, bad[i].found);
        lm_buffer_free(&tensors);
    }
}

/* Tensors in another order are read front to back all the same, others are left alone. */
static void
another_order(void)
{
    static const lm_tensor list[] = {
        {.name = "words", .dtype = LM_U8, .rank = 1, .shape = {3}, .count = 3, .bytes = 3},
        {.name = "more", .dtype = LM_U8, .rank = 1, .shape = {1}, .count = 1, .bytes = 1},
        {.name = "ends", .dtype = LM_U32, .rank = 1, .shape = {2}, .count = 2, .bytes = 8},
        {.name = "counts", .dtype = LM_U64, .rank = 1, .shape = {2}, .count = 2, .bytes = 16},
    };
    fake_source fake = {.count = 0};
    lm_source source = fake_open(&fake);
    loaded_model loaded;
    lm_context ctx;
    lm_buffer tensors;
    char data[28];

    memcpy(data, good.words, 3);
    data[3] = 'x';
    memcpy(data + 4, good.ends, 8);
    memcpy(data + 12, good.counts, 16);
    lm_context_init(&ctx);
    make_tensors(&ctx, list, 4, data, sizeof data, &tensors);
    fake_add(&fake, LM_NGRAM_JSON, GOOD_JSON);
    fake_add_bytes(&fake, LM_NGRAM_TENSORS, tensors.data, tensors.size);
    CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
    CHECK(!fake.went_back);
    CHECK_NEAR(lm_model_unigram(&loaded.model)->log_p[0], log(3.0 / 11), 1e-12);
    CHECK_EQ_INT(lm_unigram_find(lm_model_unigram(&loaded.model), "bc", 2), 1);
    CHECK_EQ_INT(lm_unigram_find(lm_model_unigram(&loaded.model), "b", 1), 2);
    CHECK_EQ_INT(lm_unigram_find(lm_model_unigram(&loaded.model), "z", 1), 2);
    loaded_close(&ctx, &loaded);
    lm_buffer_free(&tensors);
}

/* A section that is not what was written. */
static void
bad_section(void)
{
    uint64_t section[8] = {0};
    lm_unigram view;
    lm_context ctx;

    lm_context_init(&ctx);
    CHECK_EQ_INT(lm_unigram_bind(&ctx, section, 8, &view), LM_INTERNAL);
    CHECK_EQ_INT(lm_unigram_bind(&ctx, section, sizeof section, &view), LM_INTERNAL);
    section[0] = 1;
    section[1] = 1;
    CHECK_OK(&ctx, lm_unigram_bind(&ctx, section, 16 + 16 + 4 + 1, &view));
    CHECK_EQ_INT(lm_unigram_bind(&ctx, section, 16 + 16 + 4, &view), LM_INTERNAL);
    section[0] = (uint64_t)LM_UNIGRAM_WORDS_MAX + 1;
    CHECK_EQ_INT(lm_unigram_bind(&ctx, section, SIZE_MAX / 2, &view), LM_INTERNAL);
    section[0] = 1;
    section[1] = UINT64_MAX;
    CHECK_EQ_INT(lm_unigram_bind(&ctx, section, sizeof section, &view), LM_INTERNAL);
}

/* ---- Faults ---- */

/* Train, load, ask: the first failure is what comes out, and nothing stays behind. */
static lm_status
whole_way(lm_context *ctx, int fail_at, int *calls)
{
    static const options plain = {1, 1, 100};
    lm_train_outcome outcome;
    lm_status status = train(ctx, &plain, 2, &outcome);
    fake_source fake;
    lm_source source = source_of(&outcome, &fake);
    loaded_model loaded;
    lm_session *session;
    double out;

    fake.fail_at = fail_at;
    if (status == LM_OK)
        status = loaded_open(ctx, &source, lm_kernels_active(), &loaded);
    *calls = fake.calls;
    if (status == LM_OK) {
        status = lm_session_create(ctx, &session);
        if (status == LM_OK) {
            status = lm_log_probability(ctx, session, &loaded.model, &(lm_text){"the cat", 7}, 1,
                                        &out, NULL);
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
    lm_status status = LM_NO_MEMORY;
    int calls;

    for (int i = 1; status == LM_NO_MEMORY && i < 1000; i++) {
        fake_memory memory = {.fail_at = i};
        lm_context ctx;

        fake_context(&ctx, &memory);
        status = whole_way(&ctx, 0, &calls);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
}

static void
every_poll(void)
{
    lm_status status = LM_CANCELLED;
    int calls;

    for (int i = 1; status == LM_CANCELLED && i < 1000; i++) {
        fake_memory memory = {.stop_at = i};
        lm_context ctx;

        fake_context(&ctx, &memory);
        status = whole_way(&ctx, 0, &calls);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
}

static void
every_read(void)
{
    lm_context ctx;
    int calls, unused;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, whole_way(&ctx, 0, &calls));
    for (int i = 1; i <= calls; i++)
        CHECK_EQ_INT(whole_way(&ctx, i, &unused), LM_IO_ERROR);
}

/* Another kind of model has no words. */
static void
no_language_model(void)
{
    const lm_model model = {.kind = NULL};
    lm_session *session;
    lm_context ctx;
    double out;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_session_create(&ctx, &session));
    CHECK_EQ_INT(lm_log_probability(&ctx, session, &model, &(lm_text){"a", 1}, 1, &out, NULL),
                 LM_UNSUPPORTED);
    lm_session_free(session);
}

static const unit_case cases[] = {
    {"as the reference", as_the_reference},
    {"a distribution", a_distribution},
    {"what it says", what_it_says},
    {"the same bytes", the_same_bytes},
    {"too little", too_little},
    {"too much", too_much},
    {"bad settings", bad_settings},
    {"bad forms", bad_forms},
    {"too large", too_large},
    {"bad contents", bad_contents},
    {"another order", another_order},
    {"bad section", bad_section},
    {"every allocation", every_allocation},
    {"every poll", every_poll},
    {"every read", every_read},
    {"no language model", no_language_model},
};

UNIT_MAIN(cases)
