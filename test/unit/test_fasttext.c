/*
 * test_fasttext.c - the method "fasttext": what it learns with either loss, the tree of labels, the
 * same bytes whatever the batches, damaged files, every failing allocation and poll.
 */
#include "train/fasttext.h"

#include "damage.h"
#include "features_golden.h"
#include "lang/label_tree.h"
#include "lang/ngram_head.h"
#include "method.h"
#include "model/session.h"

#define ROWS (sizeof golden_rows / sizeof golden_rows[0])
#define LABELS 3

/* As the options of fasttext.c. */
typedef struct fasttext_options {
    int64_t dim, epochs, buckets, word_ngrams, min_n, max_n, cutoff, seed;
    double lr, min_count, hold_out;
    const char *loss, *words;
    bool lowercase, quantize, refit;
} fasttext_options;

static fasttext_options
options_of(const char *loss)
{
    fasttext_options o;

    CHECK_EQ_INT(lm_method_fasttext.options_size, sizeof o);
    lm_method_fasttext.defaults(&o);
    o.loss = loss;
    o.dim = 10;
    o.epochs = 40;
    o.buckets = 0;
    return o;
}

static lm_status
train(lm_context *ctx, const fasttext_options *options, size_t size, lm_train_outcome *outcome)
{
    lm_text texts[2][ROWS];
    const lm_train_rows rows = {.count = ROWS, .texts = {texts[0], texts[1]}};

    for (size_t i = 0; i < ROWS; i++)
        for (int column = 0; column < 2; column++)
            texts[column][i] = (lm_text){golden_rows[i][column], strlen(golden_rows[i][column])};
    return method_train(ctx, &lm_method_fasttext, options, &rows, 0, size, outcome);
}

/* The label of a text, whose scores must add up to 1. */
static const char *
label_of(lm_context *ctx, lm_session *session, const lm_model *model, const char *text)
{
    const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    const lm_text one = {text, strlen(text)};
    lm_embed_counts counts = {0};
    float scores[LABELS];

    CHECK_OK(ctx, lm_classify(ctx, session, model, &one, 1, &options, scores, &counts));
    CHECK_NEAR(scores[0] + scores[1] + scores[2], 1, 1e-5);
    return model->info.labels[lm_classify_best(scores, LABELS)];
}

static void
check_learns(const fasttext_options *options, const char *unknown_word)
{
    fake_memory memory = {0};
    fake_source fake;
    lm_context ctx;
    lm_train_outcome outcome;
    loaded_model loaded;
    lm_session *session;
    lm_source source;
    size_t right = 0;

    fake_context(&ctx, &memory);
    CHECK_OK(&ctx, train(&ctx, options, 5, &outcome));
    source = method_source(&outcome, &fake);
    CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
    CHECK(!fake.went_back);
    CHECK_STR(loaded.model.info.kind, "ngram_head");
    CHECK_OK(&ctx, lm_session_create(&ctx, &session));
    for (size_t i = 0; i < ROWS; i++)
        right += strcmp(label_of(&ctx, session, &loaded.model, golden_rows[i][0]),
                        golden_rows[i][1]) == 0;
    CHECK(right > ROWS * 9 / 10);
    CHECK_STR(label_of(&ctx, session, &loaded.model, unknown_word), "network");
    label_of(&ctx, session, &loaded.model, "");
    CHECK(method_value(&outcome, "rows_per_second") > 0);
    lm_session_free(session);
    loaded_close(&ctx, &loaded);
    method_free(&outcome);
    CHECK_EQ_INT(memory.live, 0);
}

static void
learns(void)
{
    fasttext_options o = options_of("softmax");

    check_learns(&o, "router");
    o.hold_out = 0;
    o.max_n = 4;
    o.min_n = 2;
    o.buckets = 4096;
    check_learns(&o, "routerz wirelessly");
    o.words = "keras"; /* the last kind of words: an image names it by its number */
    check_learns(&o, "router");
    o = options_of("hs");
    o.epochs = 100;
    check_learns(&o, "router");
    o.max_n = o.min_n = 3;
    o.refit = false;
    check_learns(&o, "routerz wirelessly");
}

/* Rows of int8 learn as well, and so do the features with the longest embeddings. */
static void
learns_smaller(void)
{
    fasttext_options o = options_of("softmax");

    o.quantize = true;
    check_learns(&o, "router");
    o.cutoff = 300;
    o.max_n = 4;
    o.min_n = 3;
    o.buckets = 4096;
    check_learns(&o, "routerz wireless");
    o = options_of("hs");
    o.epochs = 100;
    o.quantize = true;
    o.refit = false;
    check_learns(&o, "router");
}

/* Sizes are those of the tensors: a float of each number, or a byte and a float of each row. */
static void
tells_sizes(void)
{
    fasttext_options o = options_of("softmax");
    lm_train_outcome outcome;
    lm_context ctx;
    double features, names, all, plain;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, train(&ctx, &o, 9, &outcome));
    CHECK(isnan(method_value(&outcome, "bytes")));
    features = method_value(&outcome, "features");
    plain = method_value(&outcome, "held_out_accuracy");
    method_free(&outcome);
    o.quantize = true;
    o.cutoff = (int64_t)features; /* nothing is cut */
    CHECK_OK(&ctx, train(&ctx, &o, 9, &outcome));
    CHECK_EQ_INT(method_value(&outcome, "features"), features);
    all = method_value(&outcome, "bytes_before");
    CHECK_NEAR(all - method_value(&outcome, "bytes"), features * (10 * 4 - 10 - 4), 0);
    names = all - features * (10 * 4 + 4 + 4) - LABELS * (10 + 1) * 4;
    CHECK(names > features && names < 40 * features);
    CHECK_NEAR(method_value(&outcome, "held_out_accuracy_before"), plain, 0);
    method_free(&outcome);
    o.quantize = false;
    o.cutoff = 12;
    CHECK_OK(&ctx, train(&ctx, &o, 9, &outcome));
    CHECK_EQ_INT(method_value(&outcome, "features"), 12);
    CHECK_NEAR(method_value(&outcome, "bytes_before"), all, 0);
    CHECK(method_value(&outcome, "bytes") < 12 * (10 * 4 + 8 + 40) + LABELS * 11 * 4);
    method_free(&outcome);
}

static void
the_same_bytes(void)
{
    fasttext_options o = options_of("hs");
    lm_context ctx;
    lm_train_outcome one, other;

    o.quantize = true;
    o.cutoff = 20;
    lm_context_init(&ctx);
    CHECK_OK(&ctx, train(&ctx, &o, 1, &one));
    CHECK_OK(&ctx, train(&ctx, &o, 7, &other));
    for (int i = 0; i < 2; i++) {
        CHECK_EQ_INT(one.files[i].bytes.size, other.files[i].bytes.size);
        CHECK(memcmp(one.files[i].bytes.data, other.files[i].bytes.data, one.files[i].bytes.size) ==
              0);
    }
    method_free(&one);
    method_free(&other);
}

/* ---- The tree ---- */

/* Huffman's: the two rarest first. Shares of any numbers add up to 1. */
static void
trees(void)
{
    static const uint64_t counts[] = {5, 1, 2, 9, 1};
    static const uint32_t wanted[] = {1, 4, 2, 5, 6, 0, 3, 7}; /* 1+1, 2+2, 4+5, 9+9 */
    static const float numbers[] = {0.5f, -2, 100, -1};
    lm_context ctx;
    uint32_t tree[8];
    float inner[4], shares[5];
    double sum = 0;
    bool sound;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_label_tree_build(&ctx, counts, 5, tree));
    for (int i = 0; i < 8; i++)
        CHECK_EQ_INT(tree[i], wanted[i]);
    CHECK_OK(&ctx, lm_label_tree_check(&ctx, tree, 5, &sound));
    CHECK(sound);
    lm_label_tree_spread(tree, 5, numbers, inner, shares);
    for (int i = 0; i < 5; i++)
        sum += exp(shares[i]);
    CHECK_NEAR(sum, 1, 1e-6);
    CHECK_NEAR(exp(shares[3]), 1 / (1 + exp(1)), 1e-6);
    CHECK_NEAR(shares[0], log(1 - 1 / (1 + exp(1))) - 100, 1e-4);
    tree[7] = 8;
    CHECK_OK(&ctx, lm_label_tree_check(&ctx, tree, 5, &sound));
    CHECK(!sound);
    tree[7] = 0;
    CHECK_OK(&ctx, lm_label_tree_check(&ctx, tree, 5, &sound));
    CHECK(!sound);
    tree[7] = 7;
    fake_context(&ctx, &(fake_memory){.stop_at = 1});
    CHECK_EQ_INT(lm_label_tree_check(&ctx, tree, 5, &sound), LM_CANCELLED);
}

/* ---- Refusals ---- */

static void
refused(const fasttext_options *o, const char *key)
{
    lm_context ctx;
    lm_train_outcome outcome;

    lm_context_init(&ctx);
    CHECK_EQ_INT(train(&ctx, o, 9, &outcome), LM_BAD_ARGUMENT);
    CHECK_STR(ctx.error.key, key);
}

static void
wrong_options(void)
{
    fasttext_options o = options_of("hinge");

    refused(&o, "loss");
    o = options_of("hs");
    o.buckets = 1000;
    refused(&o, "buckets");
    o.buckets = 128;
    refused(&o, "buckets");
    o = options_of("hs");
    o.words = "bytes";
    refused(&o, "words");
    o = options_of("hs");
    o.max_n = 3;
    refused(&o, "min_n");
    o.min_n = 4;
    refused(&o, "min_n");
}

/* In the settings `was` becomes `is`; or, where it is NULL, a child of the tree a label too many.
 */
static void
damaged(const char *was, const char *is, const char *key)
{
    fasttext_options o = options_of("hs");
    fake_source fake;
    lm_context ctx;
    lm_train_outcome outcome;
    loaded_model loaded;
    lm_source source;
    char *at;

    o.max_n = o.min_n = 3;
    lm_context_init(&ctx);
    CHECK_OK(&ctx, train(&ctx, &o, 9, &outcome));
    source = method_source(&outcome, &fake);
    at = was ? strstr(outcome.files[0].bytes.data, was)
             : outcome.files[1].bytes.data + outcome.files[1].bytes.size;
    if (was)
        memcpy(at, is, strlen(is));
    else {
        const char *header = strstr(outcome.files[1].bytes.data + 8, "\"tree\"");
        const char *offsets = header ? strstr(header, "data_offsets") : NULL;
        uint64_t length;
        long begin = 0;

        memcpy(&length, outcome.files[1].bytes.data, sizeof length);
        CHECK(offsets && sscanf(strchr(offsets, '['), "[%ld", &begin) == 1);
        at = outcome.files[1].bytes.data + 8 + length + begin;
        memset(at, 0x7f, 1);
    }
    CHECK_EQ_INT(loaded_open(&ctx, &source, lm_kernels_active(), &loaded), LM_BAD_MODEL);
    CHECK_STR(ctx.error.key, key);
    method_free(&outcome);
}

static void
damaged_files(void)
{
    damaged("\"rank\": 10", "\"rank\": 11", "weight");
    damaged("\"rank\": 10", "\"rank\":  0", "rank");
    damaged("\"tree\": true", "\"tree\": 1   ", "tree");
    damaged("{\"ngrams\": \"char_wb\"", "{\"ngrams\": \"char_wc\"", "also");
    damaged("\"low\": 3, \"high\": 3}", "\"low\": 3, \"high\": 2}", "high");
    damaged("\"low\": 3, \"high\": 3}", "\"low\": 0, \"high\": 3}", "low");
    damaged("\"dimensions\": 0", "\"dimensions\": 4", "rank");
    damaged("\"format\": 2", "\"format\": 3", "format");
    damaged(NULL, NULL, "tree");
}

/* In the tensors of int8 rows the header's `was` becomes `is`, and the first step a number. */
static void
damaged_step(const char *was, const char *is, float step, const char *key)
{
    fasttext_options o = options_of("softmax");
    fake_source fake;
    lm_context ctx;
    lm_train_outcome outcome;
    loaded_model loaded;
    lm_source source;
    char *header, *at;
    uint64_t length;
    long begin = 0;

    o.quantize = true;
    lm_context_init(&ctx);
    CHECK_OK(&ctx, train(&ctx, &o, 9, &outcome));
    header = outcome.files[1].bytes.data + 8;
    memcpy(&length, header - 8, sizeof length);
    at = strstr(header, "\"step\"");
    CHECK(at && sscanf(strchr(at, '['), "[%*d],\"data_offsets\":[%ld", &begin) == 1);
    memcpy(header + length + begin, &step, sizeof step);
    CHECK((at = strstr(header, was)) != NULL);
    memcpy(at, is, strlen(is));
    source = method_source(&outcome, &fake);
    CHECK_EQ_INT(loaded_open(&ctx, &source, lm_kernels_active(), &loaded), LM_BAD_MODEL);
    CHECK_STR(ctx.error.key, key);
    method_free(&outcome);
}

static void
damaged_steps(void)
{
    damaged_step("\"step\"", "\"stop\"", 1, "step");
    damaged_step("\"step\":{\"dtype\":\"F32\"", "\"step\":{\"dtype\":\"U32\"", 1, "step");
    damaged_step("\"I8\"", "\"U8\"", 1, "weight");
    damaged_step("\"I8\"", "\"I8\"", 1e10f, "step");
    damaged_step("\"I8\"", "\"I8\"", NAN, "step");
}

static lm_status
ask(lm_context *ctx, const lm_model *model)
{
    const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    const lm_text text = {golden_rows[0][0], strlen(golden_rows[0][0])};
    float *scores = malloc(((size_t)model->info.label_count + 1) * sizeof *scores);
    lm_session *session = NULL;
    lm_status status = lm_session_create(ctx, &session);

    if (status == LM_OK)
        status = lm_classify(ctx, session, model, &text, 1, &options, scores, NULL);
    lm_session_free(session);
    free(scores);
    return status;
}

/* Of format 2: a rank, a tree, n-grams of characters, buckets. */
static void
damaged_bytes(void)
{
    for (int i = 0; i < 3; i++) {
        fasttext_options o = options_of(i == 0 ? "hs" : "softmax");
        lm_train_outcome outcome;
        fake_source fake;
        lm_context ctx;

        o.dim = 3;
        o.epochs = 1;
        o.min_count = 3;
        o.buckets = i == 0 ? 0 : 256;
        o.max_n = o.min_n = i == 0 ? 0 : 3;
        o.quantize = i == 2;
        lm_context_init(&ctx);
        CHECK_OK(&ctx, train(&ctx, &o, 5, &outcome));
        method_load_faults(&outcome);
        (void)method_source(&outcome, &fake);
        damage_files(&fake, 500, (uint64_t)i, ask);
        method_free(&outcome);
    }
}

static void
survives_faults(void)
{
    fasttext_options o = options_of("hs");
    lm_status status = LM_NO_MEMORY;

    o.epochs = 2;
    o.quantize = true;
    o.cutoff = 20;
    for (int n = 1; status != LM_OK && n < 5000; n++) {
        fake_memory memory = {.fail_at = n};
        lm_train_outcome outcome;
        lm_context ctx;

        fake_context(&ctx, &memory);
        status = train(&ctx, &o, 9, &outcome);
        CHECK(status == LM_OK || status == LM_NO_MEMORY);
        method_free(&outcome);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
    status = LM_CANCELLED;
    for (int n = 1; status != LM_OK && n < 5000; n++) {
        fake_memory memory = {.stop_at = n};
        lm_train_outcome outcome;
        lm_context ctx;

        fake_context(&ctx, &memory);
        status = train(&ctx, &o, 9, &outcome);
        CHECK(status == LM_OK || status == LM_CANCELLED);
        method_free(&outcome);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
}

static const unit_case cases[] = {
    {"fasttext learns", learns},
    {"fasttext learns smaller", learns_smaller},
    {"sizes before and after", tells_sizes},
    {"the same bytes", the_same_bytes},
    {"trees of labels", trees},
    {"wrong options", wrong_options},
    {"damaged files of fasttext", damaged_files},
    {"damaged steps", damaged_steps},
    {"damaged bytes of fasttext", damaged_bytes},
    {"fasttext survives faults", survives_faults},
};

UNIT_MAIN(cases)
