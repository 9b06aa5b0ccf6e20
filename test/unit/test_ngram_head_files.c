/*
 * test_ngram_head_files.c - files of a classifier on n-grams that are damaged, and sections of an
 * image, are refused by the place.
 */
#include <math.h>

#include "fake.h"
#include "lang/ngram_head.h"
#include "loaded.h"

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
        for (int at = 1; at < 60 && tried[i].status == LM_OK; at++) {
            fake_memory memory = {.stop_at = at};
            lm_context other;

            fake_context(&other, &memory);
            CHECK_EQ_INT(load(&other, json, &tensors), memory.polls < at ? LM_OK : LM_CANCELLED);
        }
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

/* Settings of format 2, and the shapes of a model of one feature that fit them but for a number. */
typedef struct large_case {
    const char *peculiar;
    int labels, bits, width;
    uint64_t features, columns, rank; /* of the tensors */
    const char *key, *message;        /* NULL: it is accepted */
} large_case;

static const char too_many[] = "the number of the classifier's features is out of range";
static const char large[] = "a tensor of the classifier is too large";
static const char formed[] = "a tensor of the classifier has another form";

static const large_case large_cases[] = {
    {"", 2, 0, 0, 1, 2, 0, NULL, ""},
    {"", 2, 0, 0, 0, 2, 0, "idf", too_many},
    {"", 2, 0, 0, 1, 3, 0, "weight", formed},
    {"\"rank\": 1048576, \"tree\": false, ", 2, 8, 0, 129, 1048576, 1048576, "idf", too_many},
    {"\"rank\": 1048576, \"tree\": false, ", 129, 0, 0, 1, 1048576, 1048576, "output", large},
    {"\"rank\": 3, \"tree\": false, ", 2, 0, 0, 1, 3, 3, NULL, ""},
    {"\"rank\": 3, \"tree\": true, ", 2, 0, 0, 1, 3, 3, NULL, ""},
    {"\"rank\": 3, \"tree\": true, ", 1, 0, 0, 1, 3, 3, "tree",
     "a tree of the classifier has too few labels"},
    {"\"rank\": 3, \"tree\": true, ", 2, 0, 0, 1, 3, 4, "output", formed},
    {"\"rank\": 3, \"tree\": true, ", 3, 0, 0, 1, 3, 3, "tree", formed},
    {"\"rank\": 3, \"tree\": 1, ", 2, 0, 0, 1, 3, 3, "tree", NULL},
    {"\"rank\": 0, ", 2, 0, 0, 1, 3, 3, "rank", NULL},
    {"\"rank\": 3, \"tree\": true, ", 2, 0, 1, 1, 3, 3, "rank", NULL},
    {"", 129, 0, 1048576, 1, 129, 0, "dense", large},
    {"\"also\": {\"ngrams\": \"char\", \"low\": 2, \"high\": 3}, ", 2, 0, 0, 1, 2, 0, NULL, ""},
    {"\"also\": {\"ngrams\": \"line\", \"low\": 2, \"high\": 3}, ", 2, 0, 0, 1, 2, 0, "also", NULL},
    {"\"also\": {\"low\": 2, \"high\": 3}, ", 2, 0, 0, 1, 2, 0, "also", NULL},
    {"\"also\": {\"ngrams\": \"char\", \"low\": 0, \"high\": 3}, ", 2, 0, 0, 1, 2, 0, "low", NULL},
    {"\"also\": {\"ngrams\": \"char\", \"low\": 2, \"high\": 1}, ", 2, 0, 0, 1, 2, 0, "high", NULL},
};

static void
write_settings(const large_case *c, char *json, size_t room)
{
    size_t used = (size_t)snprintf(
        json, room,
        "{\"format\": 2, \"task\": \"classification\", %s\"ngrams\": \"word\", \"words\": "
        "\"unicode\", \"low\": 1, \"high\": 1, \"hash_bits\": %d, \"hash_seed\": 0, \"lowercase\": "
        "true, \"binary\": false, \"sublinear\": false, \"norm\": \"l2\", \"dimensions\": %d, "
        "\"labels\": [\"l\"",
        c->peculiar, c->bits, c->width);

    for (int i = 1; i < c->labels; i++)
        used += (size_t)snprintf(json + used, room - used, ", \"l%d\"", i);
    snprintf(json + used, room - used, "]}");
}

static void
check_large(const large_case *c)
{
    const uint64_t labels = (uint64_t)c->labels, width = (uint64_t)c->width;
    lm_tensor list[] = {
        {.name = "bias", .dtype = LM_F32, .rank = 1, .shape = {labels}, .count = labels},
        {.name = "dense", .dtype = LM_F32, .rank = 2, .shape = {labels, width}},
        {.name = "ends", .dtype = LM_U32, .rank = 1, .shape = {c->features}},
        {.name = "idf", .dtype = LM_F32, .rank = 1, .shape = {c->features}, .count = c->features},
        {.name = "names", .dtype = LM_U8, .rank = 1, .shape = {3}, .count = 3},
        {.name = "output", .dtype = LM_F32, .rank = 2, .shape = {labels, c->rank}},
        {.name = "tree", .dtype = LM_U32, .rank = 2, .shape = {1, 2}},
        {.name = "weight", .dtype = LM_F32, .rank = 2, .shape = {c->features, c->columns}},
    };
    lm_checkpoint checkpoint = {.tensors = {.items = list, .count = sizeof list / sizeof list[0]}};
    lm_ngram_head_plan plan;
    char json[4096];
    lm_context ctx;
    lm_arena arena;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    write_settings(c, json, sizeof json);
    CHECK_OK(&ctx, lm_json_parse(&ctx, &arena, json, strlen(json), LM_NGRAM_HEAD_JSON,
                                 &checkpoint.settings));
    if (!c->key)
        CHECK_OK(&ctx, lm_ngram_head_plan_make(&ctx, &arena, &checkpoint, &plan));
    else {
        CHECK_EQ_INT(lm_ngram_head_plan_make(&ctx, &arena, &checkpoint, &plan), LM_BAD_MODEL);
        CHECK_STR(ctx.error.key, c->key);
    }
    if (c->key && c->message)
        CHECK_STR(ctx.error.message, c->message);
    lm_arena_free(&arena);
}

static void
format_two(void)
{
    for (size_t i = 0; i < sizeof large_cases / sizeof large_cases[0]; i++)
        check_large(&large_cases[i]);
}

/* No labels, more of them than there may be, and no memory for those that are there. */
static void
number_of_labels(void)
{
    lm_tensor idf = {.name = "idf", .dtype = LM_F32, .rank = 1, .shape = {1}, .count = 1};
    lm_checkpoint checkpoint = {.tensors = {.items = &idf, .count = 1}};
    static const char none[] =
        JSON("1", C, L, "\"word\"", "\"words\"", "1", "1", "0", "\"l2\"", MORE);
    fake_memory memory = {.fail_at = 0};
    lm_ngram_head_plan plan;
    char text[sizeof none];
    lm_json *labels;
    lm_context ctx;
    lm_arena arena;

    fake_context(&ctx, &memory);
    lm_arena_init(&arena, &ctx);
    memcpy(text, none, sizeof none);
    memcpy(strstr(text, "labels"), "lapels", 6);
    CHECK_OK(&ctx, lm_json_parse(&ctx, &arena, text, strlen(text), "", &checkpoint.settings));
    CHECK_EQ_INT(lm_ngram_head_plan_make(&ctx, &arena, &checkpoint, &plan), LM_BAD_MODEL);
    CHECK_OK(&ctx, lm_json_parse(&ctx, &arena, none, strlen(none), "", &checkpoint.settings));
    labels = (lm_json *)(uintptr_t)lm_json_get(checkpoint.settings, "labels");
    labels->as.items.count = LM_NGRAM_HEAD_LABELS_MAX + 1;
    CHECK_EQ_INT(lm_ngram_head_plan_make(&ctx, &arena, &checkpoint, &plan), LM_BAD_MODEL);
    CHECK_STR(ctx.error.allowed, "an array of 1 to 1048576 strings");
    labels->as.items.count = LM_NGRAM_HEAD_LABELS_MAX;
    memory.fail_at = memory.calls + 1;
    CHECK_EQ_INT(lm_ngram_head_plan_make(&ctx, &arena, &checkpoint, &plan), LM_NO_MEMORY);
    lm_arena_free(&arena);
    CHECK_EQ_INT(memory.live, 0);
}

static lm_status
write_settings_of(const void *parts, lm_buffer *out)
{
    lm_context ctx;
    lm_buffer tensors;
    lm_status status;

    lm_context_init(&ctx);
    lm_buffer_init(&tensors, &ctx);
    status = lm_ngram_head_write(&ctx, parts, out, &tensors);
    lm_buffer_free(&tensors);
    return status;
}

static lm_status
write_tensors_of(const void *parts, lm_buffer *out)
{
    lm_context ctx;
    lm_buffer json;
    lm_status status;

    lm_context_init(&ctx);
    lm_buffer_init(&json, &ctx);
    status = lm_ngram_head_write(&ctx, parts, &json, out);
    lm_buffer_free(&json);
    return status;
}

/* Files are written in many pieces: whichever meets the end of the memory, the call fails. */
static void
written_without_memory(void)
{
    static const char *const labels[] = {"one", "two \"quoted\""};
    static const float numbers[64];
    static const uint32_t tree[2];
    lm_tfidf_options options;
    lm_tfidf tfidf;
    lm_ngram_head_parts parts = {.tfidf = &tfidf,
                                 .labels = labels,
                                 .label_count = 2,
                                 .weight = numbers,
                                 .bias = numbers,
                                 .rank = 2,
                                 .output = numbers,
                                 .tree = tree,
                                 .scoring = "ovr"};
    lm_context ctx;

    lm_context_init(&ctx);
    lm_tfidf_defaults(&options);
    options.also = options.ngrams;
    options.also.kind = lm_ngram_kind_find("char");
    lm_tfidf_init(&tfidf, &ctx, &options);
    CHECK_OK(&ctx, lm_tfidf_add(&tfidf, (lm_text){"ab", 2}));
    CHECK_OK(&ctx, lm_tfidf_finish(&tfidf));
    CHECK(fake_least_room(write_settings_of, &parts) < 1024);
    CHECK(fake_least_room(write_tensors_of, &parts) < 2048);
    parts.scoring = NULL;
    CHECK(fake_least_room(write_settings_of, &parts) < 1024);
    parts.rank = 0;
    parts.tree = NULL;
    CHECK(fake_least_room(write_settings_of, &parts) < 1024);
    lm_tfidf_free(&tfidf);
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

static const unit_case cases[] = {
    {"bad settings", bad_settings},
    {"bad forms", bad_forms},
    {"bad contents", bad_contents},
    {"bad buckets", bad_buckets},
    {"too large", too_large},
    {"too long", too_long},
    {"bad section", bad_section},
    {"format two", format_two},
    {"number of labels", number_of_labels},
    {"written without memory", written_without_memory},
};

UNIT_MAIN(cases)
