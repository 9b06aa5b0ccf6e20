/*
 * test_static.c - models without layers, beside what test_goldens compares: unknown words, prompts,
 * dimensions, long texts, batches, folders that do not fit, cancels and shortage of memory.
 */
#include "golden.h"
#include "loaded.h"
#include "model/vectors.h"
#include "task/tasks.h"

#define WIDTH 21

typedef struct fixture {
    lm_context ctx;
    fake_memory memory;
    golden_folder folder;
    loaded_model loaded;
    lm_session *session;
} fixture;

static void
set_up(fixture *f, const char *folder)
{
    memset(f, 0, sizeof *f);
    fake_context(&f->ctx, &f->memory);
    golden_open(&f->ctx, folder, &f->folder);
    CHECK_OK(&f->ctx, loaded_open(&f->ctx, &f->folder.source, lm_kernels_active(), &f->loaded));
    CHECK_OK(&f->ctx, lm_session_create(&f->ctx, &f->session));
}

static void
tear_down(fixture *f)
{
    lm_session_free(f->session);
    loaded_close(&f->ctx, &f->loaded);
    golden_close(&f->folder);
    CHECK_EQ_INT(f->memory.live, 0);
}

static lm_status
embed(fixture *f, const char *text, const lm_embed_options *options, float *out,
      lm_embed_counts *counts)
{
    const lm_text one = {text, strlen(text)};

    return lm_embed(&f->ctx, f->session, &f->loaded.model, &one, 1, options, out, counts);
}

static const lm_embed_options plain;

static void
description(void)
{
    fixture f;

    set_up(&f, "static-model2vec");
    CHECK_STR(f.loaded.model.info.kind, "static");
    CHECK_STR(f.loaded.model.info.task, "embedding");
    CHECK_EQ_INT(f.loaded.model.info.dimensions, WIDTH);
    CHECK_EQ_INT(f.loaded.model.info.flops_per_token, WIDTH);
    CHECK(lm_model_weights(&f.loaded.model) == NULL);
    CHECK_EQ_INT(lm_model_width(&f.loaded.model), WIDTH);
    CHECK(lm_task_of(&f.loaded.model) == &lm_tasks[LM_TASK_EMBEDDING]);
    tear_down(&f);
}

/* model2vec leaves unknown words out; sentence-transformers counts them. */
static void
unknown_words(void)
{
    for (int st = 0; st < 2; st++) {
        float with[WIDTH], without[WIDTH];
        lm_embed_counts counts = {0};
        fixture f;

        set_up(&f, st ? "static-st" : "static-model2vec");
        CHECK_OK(&f.ctx, embed(&f, "the cat", &plain, without, &counts));
        CHECK_EQ_INT(counts.tokens, 2);
        CHECK_OK(&f.ctx, embed(&f, "the \xe6\x97\xa5 cat", &plain, with, &counts));
        CHECK((memcmp(with, without, sizeof with) == 0) == !st);
        CHECK_EQ_INT(counts.tokens, st ? 5 : 4);
        CHECK_EQ_INT(embed(&f, "", &plain, with, NULL), LM_NO_TOKEN);
        CHECK_EQ_INT(embed(&f, "\xe6\x97\xa5", &plain, with, NULL), st ? LM_OK : LM_NO_TOKEN);
        tear_down(&f);
    }
}

static void
options(void)
{
    float full[WIDTH], cut[WIDTH], query[WIDTH];
    double norm = 0;
    fixture f;

    set_up(&f, "static-st");
    CHECK_OK(&f.ctx, embed(&f, "query: the cat", &plain, full, NULL));
    CHECK_OK(&f.ctx, embed(&f, "the cat", &(lm_embed_options){.side = LM_SIDE_QUERY}, query, NULL));
    CHECK(memcmp(full, query, sizeof full) == 0);
    CHECK_OK(&f.ctx,
             embed(&f, "the cat", &(lm_embed_options){.prompt_name = "query"}, query, NULL));
    CHECK(memcmp(full, query, sizeof full) == 0);
    CHECK_EQ_INT(embed(&f, "cat", &(lm_embed_options){.prompt_name = "none"}, query, NULL),
                 LM_UNKNOWN);
    CHECK_OK(&f.ctx, embed(&f, "query: the cat", &(lm_embed_options){.dimensions = 5}, cut, NULL));
    for (int i = 0; i < 5; i++)
        norm += cut[i] * cut[i];
    CHECK_NEAR(norm, 1, 1e-5);
    CHECK_NEAR(cut[1] / cut[0], full[1] / full[0], 1e-4);
    CHECK_EQ_INT(embed(&f, "cat", &(lm_embed_options){.dimensions = WIDTH + 1}, cut, NULL),
                 LM_BAD_ARGUMENT);
    lm_model_set_dimensions(&f.loaded.model, 5);
    CHECK_EQ_INT(f.loaded.model.info.dimensions, 5);
    CHECK_OK(&f.ctx, embed(&f, "query: the cat", &plain, cut, NULL));
    CHECK(cut[0] == full[0] && cut[4] == full[4]);
    tear_down(&f);
}

/* 40 tokens, and as many characters: the median token has one. */
static void
long_texts(void)
{
    static const char e[] =
        "e e e e e e e e e e e e e e e e e e e e e e e e e e e e e e e e e e e e e e e e cat";
    static const char wide[] = "e                                      cat";
    float first[WIDTH], all[WIDTH], other[WIDTH];
    lm_embed_counts counts = {0};
    fixture f;

    set_up(&f, "static-model2vec-mapped");
    CHECK_EQ_INT(f.loaded.model.info.max_tokens, 40);
    CHECK_OK(&f.ctx, embed(&f, "e", &plain, first, NULL));
    CHECK_OK(&f.ctx, embed(&f, e, &plain, other, &counts));
    CHECK_NEAR(other[0], first[0], 1e-5);
    CHECK_EQ_INT(counts.truncated, 1);
    CHECK_EQ_INT(counts.tokens, 20);
    CHECK_OK(&f.ctx, embed(&f, e, &(lm_embed_options){.on_long = LM_LONG_MEAN}, all, &counts));
    CHECK(fabsf(all[0] - first[0]) > 1e-4);
    CHECK_EQ_INT(counts.tokens, 61);
    CHECK_EQ_INT(embed(&f, e, &(lm_embed_options){.on_long = LM_LONG_ERROR}, all, NULL),
                 LM_TOO_LARGE);
    CHECK_EQ_INT(strlen(wide), 42);
    CHECK_OK(&f.ctx, embed(&f, wide, &plain, all, NULL)); /* up to "c" */
    CHECK_OK(&f.ctx, embed(&f, "e c", &plain, other, NULL));
    CHECK(memcmp(all, other, sizeof all) == 0);
    CHECK_EQ_INT(embed(&f, wide, &(lm_embed_options){.on_long = LM_LONG_ERROR}, all, NULL),
                 LM_TOO_LARGE);
    CHECK_OK(&f.ctx, lm_model_set_window(&f.ctx, &f.loaded.model, 1));
    CHECK_OK(&f.ctx, embed(&f, "e c", &plain, other, NULL));
    CHECK(memcmp(first, other, sizeof first) == 0);
    tear_down(&f);
}

static void
batch_invariance(void)
{
    const lm_text texts[] = {{"cat", 3}, {"the cat sat", 11}, {"databases", 9}, {"cat", 3}};
    float together[4][WIDTH], alone[WIDTH];
    lm_embed_counts counts = {0};
    fixture f;

    set_up(&f, "static-st-folder");
    CHECK_OK(&f.ctx,
             lm_embed(&f.ctx, f.session, &f.loaded.model, texts, 4, &plain, together[0], &counts));
    CHECK_EQ_INT(counts.texts, 4);
    for (int i = 0; i < 4; i++) {
        CHECK_OK(&f.ctx,
                 lm_embed(&f.ctx, f.session, &f.loaded.model, &texts[i], 1, &plain, alone, NULL));
        CHECK(memcmp(alone, together[i], sizeof alone) == 0);
    }
    tear_down(&f);
}

/* ---- Folders that do not fit ---- */

static void
refuses(const char *folder, const char *name, const char *from, const char *to, lm_status status,
        const char *key)
{
    const size_t length = strlen(from);
    const fake_file *file;
    size_t at = 0;
    fixture f;

    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, folder, &f.folder);
    file = fake_find(&f.folder.files, name);
    CHECK_EQ_INT(strlen(to), length);
    while (at + length < file->size && memcmp(file->data + at, from, length) != 0)
        at++;
    CHECK(at + length < file->size);
    memcpy((char *)(uintptr_t)file->data + at, to, length);
    f.folder.source = fake_open(&f.folder.files);
    CHECK_EQ_INT(loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded), status);
    CHECK_STR(f.ctx.error.key, key);
    golden_close(&f.folder);
    CHECK_EQ_INT(f.memory.live, 0);
}

static void
folders_that_do_not_fit(void)
{
    refuses("static-st", "model.safetensors", "embedding.weight", "embedding.waight", LM_BAD_MODEL,
            "embedding.weight");
    refuses("static-st", "model.safetensors", "[83,21]", "[21,83]", LM_BAD_MODEL, "model.vocab.q");
    refuses("static-st", "model.safetensors", "[83,21]", "[1743]}", LM_BAD_MODEL, "");
    refuses("static-st", "modules.json", "StaticEmbedding", "StatucEmbedding", LM_UNSUPPORTED,
            "type");
    refuses("static-model2vec-mapped", "model.safetensors", "\"I64\"", "\"F64\"", LM_UNSUPPORTED,
            "mapping");
    refuses("static-model2vec-mapped", "model.safetensors", "embeddings", "embaddings",
            LM_BAD_MODEL, "embedding.weight");
    refuses("static-model2vec-mapped", "config.json", "model2vec", "model2vac", LM_UNSUPPORTED,
            "model_type");
}

/* A token of a vector that is not there, beyond the others or before them, is found when the
 * tensors are read. */
static void
map_token(int64_t vector, const char *found)
{
    uint64_t header;
    fake_file *file;
    char *mapping;
    long start;
    fixture f;

    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, "static-model2vec-mapped", &f.folder);
    file = fake_find(&f.folder.files, "model.safetensors");
    mapping = strstr((char *)(uintptr_t)file->data + 8, "\"mapping\"");
    mapping = strstr(mapping, "\"data_offsets\":[") + 16;
    start = strtol(mapping, NULL, 10);
    memcpy(&header, file->data, sizeof header);
    memcpy((char *)(uintptr_t)file->data + 8 + header + start + 7 * 8, &vector, sizeof vector);
    CHECK_EQ_INT(loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded),
                 LM_BAD_MODEL);
    CHECK_STR(f.ctx.error.key, "mapping[7]");
    CHECK_STR(f.ctx.error.found, found);
    golden_close(&f.folder);
    CHECK_EQ_INT(f.memory.live, 0);
}

static void
wrong_mapping(void)
{
    map_token(30, "30");
    map_token(-1, "-1");
}

/* ---- Files that say something else ---- */

/* One place of a file with other text, which may be longer: a file of tensors has its header's
 * length before it. */
typedef struct edit {
    const char *folder, *file, *from, *to;
} edit;

static void
change(golden_folder *folder, const edit *e)
{
    fake_file *file = fake_find(&folder->files, e->file);
    const size_t from = strlen(e->from), to = strlen(e->to);
    char *data = lm_arena_alloc(&folder->arena, file->size + to + 1);
    uint64_t header;
    size_t at = 0;

    while (at + from < file->size && memcmp(file->data + at, e->from, from) != 0)
        at++;
    CHECK(at + from < file->size);
    memcpy(data, file->data, at);
    memcpy(data + at, e->to, to);
    memcpy(data + at + to, file->data + at + from, file->size - at - from);
    file->size += to - from;
    data[file->size] = '\0';
    file->data = data;
    if (strstr(e->file, ".safetensors")) {
        memcpy(&header, data, sizeof header);
        header += to - from;
        memcpy(data, &header, sizeof header);
    }
}

static lm_status
open_changed(fixture *f, const edit *e, const lm_model_options *options)
{
    memset(f, 0, sizeof *f);
    fake_context(&f->ctx, &f->memory);
    golden_open(&f->ctx, e->folder, &f->folder);
    if (e->file)
        change(&f->folder, e);
    return loaded_open_with(&f->ctx, &f->folder.source, options, lm_kernels_active(), &f->loaded);
}

#define CONFIG "static-model2vec", "config.json"
#define LENGTH CONFIG, "\"max_length\": null"
#define TRUNCATION "static-st", "tokenizer.json", "\"truncation\": null"
#define CUT_AT(tokens)                                                                      \
    "\"truncation\": {\"direction\": \"Right\", \"max_length\": " tokens ", \"strategy\": " \
    "\"LongestFirst\", \"stride\": 0}"

/* A length that is no number of tokens is none. */
static void
windows(void)
{
    static const struct {
        edit edit;
        int asked, wanted;
    } rows[] = {
        {{CONFIG, "\"max_length\": null,", ""}, 0, 512},
        {{LENGTH, "\"max_length\": null"}, 0, 1 << 20},
        {{LENGTH, "\"max_length\": 7"}, 0, 7},
        {{LENGTH, "\"max_length\": 1048576"}, 0, 1 << 20},
        {{LENGTH, "\"max_length\": 1048577"}, 0, 1 << 20},
        {{LENGTH, "\"max_length\": 0"}, 0, 1 << 20},
        {{LENGTH, "\"max_length\": 7.5"}, 0, 1 << 20},
        {{LENGTH, "\"max_length\": \"7\""}, 0, 1 << 20},
        {{LENGTH, "\"max_length\": 7"}, 9, 9},
        {{TRUNCATION, CUT_AT("9")}, 0, 9},
        {{TRUNCATION, CUT_AT("9")}, 1, 1},
        {{"static-st", NULL, NULL, NULL}, 0, 1 << 20},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fixture f;

        CHECK_OK(&f.ctx,
                 open_changed(&f, &rows[i].edit, &(lm_model_options){.max_tokens = rows[i].asked}));
        CHECK_EQ_INT(f.loaded.model.info.max_tokens, rows[i].wanted);
        tear_down(&f);
    }
}

#define CUT_LEFT "\"truncation\": {\"direction\": \"Left\", \"max_length\": 1}"
#define CUT_RIGHT "\"truncation\": {\"direction\": \"Right\", \"max_length\": 1}"
#define SIDE(side) "{\"truncation_side\": \"" side "\"}"

/* The side is tokenizer.json's, as for sentence-transformers: another one is refused. */
static void
sides(void)
{
    static const struct {
        const char *truncation, *config; /* NULL: no such file */
        const char *kept;                /* NULL: refused */
    } rows[] = {
        {CUT_RIGHT, NULL, "data"},       {CUT_LEFT, NULL, "mat"},
        {CUT_LEFT, SIDE("left"), "mat"}, {CUT_LEFT, SIDE("right"), NULL},
        {CUT_RIGHT, SIDE("left"), NULL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const edit e = {TRUNCATION, rows[i].truncation};
        float out[WIDTH], wanted[WIDTH];
        fixture f;

        memset(&f, 0, sizeof f);
        fake_context(&f.ctx, &f.memory);
        golden_open(&f.ctx, e.folder, &f.folder);
        change(&f.folder, &e);
        if (rows[i].config)
            fake_add(&f.folder.files, "tokenizer_config.json", rows[i].config);
        CHECK_EQ_INT(loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded),
                     rows[i].kept ? LM_OK : LM_UNSUPPORTED);
        if (rows[i].kept) {
            CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
            CHECK_OK(&f.ctx, embed(&f, "data cat mat", &plain, out, NULL));
            CHECK_OK(&f.ctx, embed(&f, rows[i].kept, &plain, wanted, NULL));
            CHECK(memcmp(out, wanted, sizeof out) == 0);
            tear_down(&f);
        } else {
            CHECK_STR(f.ctx.error.key, "truncation.direction");
            golden_close(&f.folder);
        }
    }
}

/* model2vec keeps the first tokens of what the tokenizer leaves. */
static void
left_of_model2vec(void)
{
    static const edit e = {"static-model2vec", "tokenizer.json", "\"truncation\":null",
                           "\"truncation\":{\"direction\":\"Left\"}"};
    fixture f;

    CHECK_EQ_INT(open_changed(&f, &e, &(lm_model_options){.max_tokens = 0}), LM_UNSUPPORTED);
    CHECK_STR(f.ctx.error.allowed, "\"Right\"");
    golden_close(&f.folder);
}

static void
window_out_of_range(void)
{
    static const edit none = {"static-st", NULL, NULL, NULL};
    fixture f;

    CHECK_EQ_INT(open_changed(&f, &none, &(lm_model_options){.max_tokens = (1 << 20) + 1}),
                 LM_BAD_ARGUMENT);
    CHECK_STR(f.ctx.error.key, "max_tokens");
    CHECK_STR(f.ctx.error.allowed, "1 to 1048576");
    golden_close(&f.folder);
}

#define PROMPT "static-st", "config_sentence_transformers.json", "\"default_prompt_name\": null"
#define CUT_TO(width) "\"default_prompt_name\": null, \"truncate_dim\": " width

/* What is asked for goes before what the files say; more than there are is all. */
static void
widths(void)
{
    static const struct {
        edit edit;
        int asked, wanted;
    } rows[] = {
        {{PROMPT, CUT_TO("4")}, 0, 4},        {{PROMPT, CUT_TO("4")}, 6, 6},
        {{PROMPT, CUT_TO("null")}, 0, WIDTH}, {{PROMPT, CUT_TO("21")}, 0, WIDTH},
        {{PROMPT, CUT_TO("4")}, 22, WIDTH},   {{"static-model2vec", NULL, NULL, NULL}, 5, 5},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fixture f;

        CHECK_OK(&f.ctx,
                 open_changed(&f, &rows[i].edit, &(lm_model_options){.dimensions = rows[i].asked}));
        CHECK_EQ_INT(f.loaded.model.info.dimensions, rows[i].wanted);
        CHECK_EQ_INT(f.loaded.info.cut, rows[i].wanted < WIDTH);
        tear_down(&f);
    }
}

/* model2vec's vectors are normalised only where its config says so. */
static void
normalized(void)
{
    static const struct {
        edit edit;
        bool wanted;
    } rows[] = {
        {{"static-model2vec", NULL, NULL, NULL}, true},
        {{CONFIG, "\"normalize\": true", "\"normalize\": false"}, false},
        {{CONFIG, "\"normalize\": true,", ""}, false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        float out[WIDTH];
        double norm = 0;
        fixture f;

        CHECK_OK(&f.ctx, open_changed(&f, &rows[i].edit, &(lm_model_options){.task = NULL}));
        CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
        CHECK_OK(&f.ctx, embed(&f, "the cat", &plain, out, NULL));
        for (int at = 0; at < WIDTH; at++)
            norm += (double)out[at] * out[at];
        CHECK_EQ_INT(fabs(norm - 1) < 1e-4, rows[i].wanted);
        tear_down(&f);
    }
}

/* Numbers without a token do not count among the tokens' lengths. */
static void
hole_in_the_vocabulary(void)
{
    static const edit hole = {"static-model2vec", "tokenizer.json", "\"a\":5,\"b\":6,", ""};
    const lm_vectors *vectors;
    fixture f;

    CHECK_OK(&f.ctx, open_changed(&f, &hole, &(lm_model_options){.task = NULL}));
    vectors = f.loaded.model.views[LM_SECTION_VECTORS];
    CHECK_EQ_INT(vectors->rows, 83);
    CHECK_EQ_INT(vectors->token_chars, 2); /* of 81 tokens 40 are shorter, and as many longer */
    tear_down(&f);
}

#define ST_HEADER "static-st", "model.safetensors"
#define HEADER "static-model2vec-mapped", "model.safetensors"
#define MAPPING "\"I64\",\"shape\":[83]"
#define WEIGHTS "\"F64\",\"shape\":[83]"
#define STORED "\"F16\",\"shape\":[30,21]"

static void
shapes(void)
{
    static const struct {
        edit edit;
        lm_status status;
        const char *key, *found;
    } rows[] = {
        {{ST_HEADER, "[83,21]", "[1743]"},
         LM_BAD_MODEL,
         "embedding.weight",
         "1 dimensions, 1743 values"},
        {{ST_HEADER, "[83,21]", "[83,3,7]"},
         LM_BAD_MODEL,
         "embedding.weight",
         "3 dimensions, 1743 values"},
        {{ST_HEADER, "\"F32\"", "\"I32\""}, LM_UNSUPPORTED, "embedding.weight", NULL},
        {{HEADER, STORED, "\"I8\",\"shape\":[30,42]"}, LM_OK, "", NULL},
        {{HEADER, MAPPING, "\"I64\",\"shape\":[1,83]"},
         LM_BAD_MODEL,
         "mapping",
         "2 dimensions, 83 values"},
        {{HEADER, MAPPING, "\"I32\",\"shape\":[166]"},
         LM_BAD_MODEL,
         "weights",
         "1 dimensions, 83 values"},
        {{HEADER, WEIGHTS, "\"F64\",\"shape\":[83,1]"},
         LM_BAD_MODEL,
         "weights",
         "2 dimensions, 83 values"},
        {{HEADER, WEIGHTS, "\"I64\",\"shape\":[83]"}, LM_UNSUPPORTED, "weights", NULL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        lm_status status;
        fixture f;

        status = open_changed(&f, &rows[i].edit, &(lm_model_options){.task = NULL});
        CHECK_EQ_INT(status, rows[i].status);
        CHECK_STR(f.ctx.error.key, rows[i].key);
        if (rows[i].found)
            CHECK_STR(f.ctx.error.found, rows[i].found);
        if (status == LM_OK) {
            CHECK_EQ_INT(f.loaded.model.info.dimensions, 42);
            loaded_close(&f.ctx, &f.loaded);
        }
        golden_close(&f.folder);
        CHECK_EQ_INT(f.memory.live, 0);
    }
}

/* ---- The section of an image ---- */

/* A header that does not fit the bytes is refused, and nothing is viewed. */
static void
damaged_section(void)
{
    static const struct {
        int32_t rows, width, token_chars;
        size_t values;
        lm_status status;
    } headers[] = {
        {2, 3, 0, 6, LM_OK},
        {2, 3, 5, 7, LM_OK},
        {2, 3, 0, 5, LM_INTERNAL},
        {2, 3, -1, 6, LM_INTERNAL},
        {0, 3, 0, 6, LM_INTERNAL},
        {2, 0, 0, 6, LM_INTERNAL},
        {-2, 3, 0, 6, LM_INTERNAL},
        {(1 << 24) + 1, 1, 0, 6, LM_INTERNAL},
        {1, (1 << 16) + 1, 0, 6, LM_INTERNAL},
        {1 << 24, 1 << 16, 0, 6, LM_INTERNAL},
    };
    char *bytes = aligned_alloc(LM_ALIGNMENT, 2 * LM_ALIGNMENT);
    lm_context ctx;

    lm_context_init(&ctx);
    memset(bytes, 0, 2 * LM_ALIGNMENT);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        const lm_vectors head = {.rows = headers[i].rows,
                                 .width = headers[i].width,
                                 .token_chars = headers[i].token_chars};
        lm_model model = {0};

        memcpy(bytes, &head, sizeof head);
        CHECK_EQ_INT(lm_section_vectors.bind(
                         &ctx, bytes, LM_ALIGNMENT + headers[i].values * sizeof(float), &model),
                     headers[i].status);
        CHECK((model.views[LM_SECTION_VECTORS] != NULL) == (headers[i].status == LM_OK));
        if (headers[i].status == LM_OK)
            lm_section_vectors.unbind(&ctx, &model);
    }
    CHECK_EQ_INT(lm_section_vectors.bind(&ctx, bytes, LM_ALIGNMENT - 1, &(lm_model){0}),
                 LM_INTERNAL);
    free(bytes);
}

/* Only an encoder's weights have another precision. */
static void
precisions(void)
{
    fixture f;

    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, "static-st", &f.folder);
    CHECK_EQ_INT(
        loaded_open_as(&f.ctx, &f.folder.source, lm_kernels_active(), LM_PRECISION_BF16, &f.loaded),
        LM_UNSUPPORTED);
    CHECK_STR(f.ctx.error.key, "precision");
    golden_close(&f.folder);
}

/* Each allocation of load and of the first call fails once; each poll cancels. */
static void
cancel_and_memory(void)
{
    const lm_text texts[] = {{"the cat", 7}, {"databases", 9}};
    float out[2][WIDTH];
    lm_status status = LM_OK;
    int n = 0;

    for (int cancels = 0; cancels < 2; cancels++) {
        n = 0;
        do {
            lm_session *session = NULL;
            loaded_model loaded;
            fixture f;

            memset(&f, 0, sizeof f);
            fake_context(&f.ctx, &f.memory);
            golden_open(&f.ctx, "static-model2vec-mapped", &f.folder);
            f.memory.calls = f.memory.polls = 0;
            n += cancels ? 1 + n / 8 : 1;
            f.memory.fail_at = cancels ? 0 : n;
            f.memory.stop_at = cancels ? n : 0;
            status = loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &loaded);
            if (status == LM_OK) {
                status = lm_session_create(&f.ctx, &session);
                if (status == LM_OK)
                    status =
                        lm_embed(&f.ctx, session, &loaded.model, texts, 2, &plain, out[0], NULL);
                lm_session_free(session);
                loaded_close(&f.ctx, &loaded);
            }
            CHECK(status == LM_OK || status == (cancels ? LM_CANCELLED : LM_NO_MEMORY));
            golden_close(&f.folder);
            CHECK_EQ_INT(f.memory.live, 0);
        } while (status != LM_OK && n < 10000000);
        CHECK(n > 5 && status == LM_OK);
    }
}

static const unit_case cases[] = {
    {"description", description},
    {"unknown words", unknown_words},
    {"options", options},
    {"long texts", long_texts},
    {"batch invariance", batch_invariance},
    {"folders that do not fit", folders_that_do_not_fit},
    {"wrong mapping", wrong_mapping},
    {"windows", windows},
    {"sides", sides},
    {"left of model2vec", left_of_model2vec},
    {"window out of range", window_out_of_range},
    {"widths", widths},
    {"normalized", normalized},
    {"hole in the vocabulary", hole_in_the_vocabulary},
    {"shapes", shapes},
    {"damaged section", damaged_section},
    {"precisions", precisions},
    {"cancel and memory", cancel_and_memory},
};

UNIT_MAIN(cases)
