/*
 * test_late_interaction.c - vectors of tokens: the reference's at every level, as queries and as
 * documents, of folders by sentence-transformers and by pylate; the same bits alone and in any
 * batch; their MaxSim; and what is refused.
 */
#include "golden.h"
#include "loaded.h"
#include "model/sections.h"
#include "search/maxsim.h"
#include "task/embed.h"
#include "task/late_interaction.h"
#include "task/tasks.h"

#define MAX_TEXTS 8
#define MAX_FLOATS 512
#define SIDES 2

static const char *const folders[] = {
    "bert-late",        "bert-late-authors", "bert-late-authors-set",
    "bert-late-pylate", "distilbert-late",   "modernbert-late",
    "mpnet-late"};

#define FOLDERS (sizeof folders / sizeof *folders)

static const struct {
    lm_side side;
    const char *name;
} sides[SIDES] = {{LM_SIDE_QUERY, "query"}, {LM_SIDE_DOCUMENT, "document"}};

typedef struct vectors {
    float values[MAX_FLOATS];
    size_t tokens;
    int calls;
} vectors;

typedef struct fixture {
    lm_context ctx;
    fake_memory memory;
    golden_folder folder;
    loaded_model loaded;
    lm_session *session;
    lm_text texts[MAX_TEXTS];
    const lm_json *wanted[MAX_TEXTS];
    size_t count, width;
    double tolerance;
} fixture;

static void
read_texts(fixture *f)
{
    const lm_json *section = lm_json_get(f->folder.golden, "late");

    f->tolerance = golden_tolerance(section);
    for (const lm_json *each = lm_json_get(section, "cases")->as.items.first; each;
         each = each->next) {
        const lm_json *text = lm_json_get(each, "text");

        f->texts[f->count] = (lm_text){text->as.string.bytes, text->as.string.length};
        f->wanted[f->count++] = each;
    }
    CHECK_EQ_INT(f->count, 6);
}

static void
set_up(fixture *f, const char *folder, const lm_kernels *kernels, lm_precision precision)
{
    memset(f, 0, sizeof *f);
    fake_context(&f->ctx, &f->memory);
    golden_open(&f->ctx, folder, &f->folder);
    CHECK_OK(&f->ctx, loaded_open_as(&f->ctx, &f->folder.source, kernels, precision, &f->loaded));
    CHECK_OK(&f->ctx, lm_session_create(&f->ctx, &f->session));
    f->width = (size_t)f->loaded.model.info.dimensions;
    read_texts(f);
}

static void
tear_down(fixture *f)
{
    lm_session_free(f->session);
    loaded_close(&f->ctx, &f->loaded);
    golden_close(&f->folder);
    CHECK_EQ_INT(f->memory.live, 0);
}

/* Where results go, and how wide they are. */
typedef struct keeper {
    vectors *results;
    size_t width;
} keeper;

static lm_status
keep(void *opaque, size_t text, const float *values, size_t tokens)
{
    const keeper *k = opaque;
    vectors *result = &k->results[text];

    CHECK(tokens * k->width <= MAX_FLOATS);
    memcpy(result->values, values, tokens * k->width * sizeof *values);
    result->tokens = tokens;
    result->calls++;
    return LM_OK;
}

static lm_status
compute(fixture *f, const lm_text *texts, size_t count, const lm_embed_options *options,
        vectors *results, lm_embed_counts *counts)
{
    keeper k = {results, f->width};

    memset(results, 0, count * sizeof *results);
    return lm_token_vectors(&f->ctx, f->session, &f->loaded.model, texts, count, options, keep, &k,
                            counts);
}

/* ---- Goldens ---- */

static double
maxsim(fixture *f, const vectors *query, const vectors *document)
{
    lm_maxsim m;
    double score = NAN;

    CHECK_OK(&f->ctx, lm_maxsim_open(&f->ctx, f->width, query->tokens, query->values, &m));
    CHECK_OK(&f->ctx, lm_maxsim_score(&m, document->tokens, document->values, &score));
    lm_maxsim_close(&m);
    return score;
}

/* Scores are sums over at most 24 tokens. */
static void
check_scores(fixture *f, size_t text, const vectors *query, const vectors *documents)
{
    size_t i = 0;

    for (const lm_json *score = lm_json_get(f->wanted[text], "scores")->as.items.first; score;
         score = score->next, i++)
        CHECK_NEAR(maxsim(f, query, &documents[i]), score->as.number, 24 * f->tolerance);
    CHECK_EQ_INT(i, f->count);
}

static void
check_folder(fixture *f)
{
    vectors results[SIDES][MAX_TEXTS];

    for (int side = 0; side < SIDES; side++) {
        const lm_embed_options options = {.side = sides[side].side};

        CHECK_OK(&f->ctx, compute(f, f->texts, f->count, &options, results[side], NULL));
        for (size_t i = 0; i < f->count; i++) {
            const lm_json *wanted = lm_json_get(f->wanted[i], sides[side].name);
            const vectors *got = &results[side][i];

            CHECK_EQ_INT(got->calls, 1);
            CHECK_EQ_INT(got->tokens, golden_number(wanted, "tokens"));
            CHECK(golden_distance(lm_json_get(wanted, "vectors"), got->values,
                                  got->tokens * f->width) <= f->tolerance);
        }
    }
    for (size_t i = 0; i < f->count; i++)
        check_scores(f, i, &results[0][i], results[1]);
}

static void
goldens(void)
{
    for (size_t k = 0; k < FOLDERS * LM_LEVEL_COUNT; k++) {
        const lm_kernels *kernels = lm_kernels_at((lm_level)(k / FOLDERS));
        fixture f;

        if (!kernels)
            continue;
        set_up(&f, folders[k % FOLDERS], kernels, LM_PRECISION_F32);
        CHECK_STR(f.loaded.model.info.task, "late_interaction");
        CHECK_STR(f.loaded.model.info.kind, "late_interaction");
        check_folder(&f);
        tear_down(&f);
    }
}

/* ---- Batches and precisions ---- */

static void
batch_invariance(void)
{
    static const size_t sizes[] = {0, 1, 29, 4096};

    for (size_t n = 0; n < 4 * FOLDERS * SIDES; n++) {
        const lm_embed_options options = {.batch_tokens = sizes[n % 4],
                                          .side = sides[n / 4 % SIDES].side};
        vectors alone, together[MAX_TEXTS];
        lm_embed_counts counts = {0};
        fixture f;

        set_up(&f, folders[n / 4 / SIDES], lm_kernels_active(),
               (lm_precision)(n % LM_PRECISION_COUNT));
        CHECK_OK(&f.ctx, compute(&f, f.texts, f.count, &options, together, &counts));
        CHECK_EQ_INT(counts.texts, f.count);
        for (size_t i = 0; i < f.count; i++) {
            CHECK_OK(&f.ctx, compute(&f, &f.texts[i], 1, &options, &alone, NULL));
            CHECK_EQ_INT(alone.tokens, together[i].tokens);
            CHECK(memcmp(alone.values, together[i].values, sizeof alone.values) == 0);
        }
        tear_down(&f);
    }
}

/* Vectors at 16 and at 8 bits are near those in float32. */
static void
precisions(void)
{
    for (size_t n = 0; n < 2 * FOLDERS; n++) {
        const lm_embed_options options = {.side = LM_SIDE_QUERY};
        vectors exact, rough;
        fixture f;

        set_up(&f, folders[n / 2], lm_kernels_active(), LM_PRECISION_F32);
        CHECK_OK(&f.ctx, compute(&f, &f.texts[2], 1, &options, &exact, NULL));
        tear_down(&f);
        set_up(&f, folders[n / 2], lm_kernels_active(),
               n % 2 ? LM_PRECISION_INT8 : LM_PRECISION_BF16);
        CHECK_OK(&f.ctx, compute(&f, &f.texts[2], 1, &options, &rough, NULL));
        CHECK_EQ_INT(rough.tokens, exact.tokens);
        CHECK(maxsim(&f, &exact, &rough) > .97 * (double)exact.tokens);
        tear_down(&f);
    }
}

/* What a version keeps to be known by: different texts, and different sides, have different ones.
 */
static void
golden_values(void)
{
    const lm_task *task = lm_task_find("late_interaction");
    float out[2 * 2 * 64];
    fixture f;

    set_up(&f, "bert-late", lm_kernels_active(), LM_PRECISION_F32);
    CHECK(lm_task_of(&f.loaded.model) == task);
    CHECK_EQ_INT(task->width(&f.loaded.model), 2 * (int)f.width);
    CHECK_OK(&f.ctx, task->golden(&f.ctx, f.session, &f.loaded.model, &f.texts[1], 2, out));
    CHECK(memcmp(out, out + f.width, f.width * sizeof *out) != 0);
    CHECK(memcmp(out, out + 2 * f.width, f.width * sizeof *out) != 0);
    tear_down(&f);
}

/* ---- MaxSim alone ---- */

static double
plain_maxsim(size_t width, size_t q, const float *query, size_t d, const float *document)
{
    double sum = 0;

    for (size_t i = 0; i < q; i++) {
        double best = -INFINITY;

        for (size_t j = 0; j < d; j++) {
            double product = 0;

            for (size_t k = 0; k < width; k++)
                product += (double)query[i * width + k] * document[j * width + k];
            best = fmax(best, product);
        }
        sum += best;
    }
    return sum;
}

static float
next_number(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(int32_t)*state / 2147483648.0f;
}

/* Around the sizes of blocks, and odd widths. */
static void
maxsim_sizes(void)
{
    static const size_t sizes[][3] = {{1, 1, 1},    {3, 2, 5},     {128, 32, 80}, {7, 191, 63},
                                      {9, 192, 64}, {16, 193, 65}, {33, 400, 129}};
    static float query[64 * 1024], document[64 * 1024];
    uint32_t state = 7;

    for (size_t i = 0; i < sizeof query / sizeof *query; i++) {
        query[i] = next_number(&state);
        document[i] = next_number(&state);
    }
    for (size_t n = 0; n < sizeof sizes / sizeof sizes[0]; n++) {
        const size_t width = sizes[n][0], q = sizes[n][1], d = sizes[n][2];
        lm_context ctx;
        fake_memory memory = {0};
        lm_maxsim m;
        double score, again;

        fake_context(&ctx, &memory);
        CHECK_OK(&ctx, lm_maxsim_open(&ctx, width, q, query, &m));
        CHECK_OK(&ctx, lm_maxsim_score(&m, d, document, &score));
        CHECK_OK(&ctx, lm_maxsim_score(&m, d, document, &again));
        CHECK_NEAR(score, plain_maxsim(width, q, query, d, document), 1e-5 * (double)(q * width));
        CHECK(score == again);
        lm_maxsim_close(&m);
        CHECK_EQ_INT(memory.live, 0);
    }
}

/* A number that is none is seen wherever it stands. */
static void
maxsim_not_finite(void)
{
    for (size_t bad = 0; bad < 2 * 12; bad++) {
        float query[12], document[12];
        lm_context ctx;
        fake_memory memory = {0};
        lm_maxsim m;
        double score;

        for (size_t i = 0; i < 12; i++)
            query[i] = document[i] = .5f + (float)i;
        (bad < 12 ? query : document)[bad % 12] = NAN;
        fake_context(&ctx, &memory);
        CHECK_OK(&ctx, lm_maxsim_open(&ctx, 3, 4, query, &m));
        CHECK_OK(&ctx, lm_maxsim_score(&m, 4, document, &score));
        CHECK(!isfinite(score));
        lm_maxsim_close(&m);
        CHECK_EQ_INT(memory.live, 0);
    }
}

/* A width beyond which a document's vectors pass one by one. */
static void
maxsim_wide(void)
{
    const size_t width = 400000;
    float *query = malloc(3 * width * sizeof *query), *document = query + width;
    fake_memory memory = {0};
    lm_context ctx;
    lm_maxsim m;
    double score;

    for (size_t i = 0; i < 3 * width; i++)
        query[i] = i < 2 * width ? 1 : .5f;
    fake_context(&ctx, &memory);
    CHECK_OK(&ctx, lm_maxsim_open(&ctx, width, 1, query, &m));
    CHECK_OK(&ctx, lm_maxsim_score(&m, 2, document, &score));
    CHECK_NEAR(score, 400000, 1);
    lm_maxsim_close(&m);
    CHECK_EQ_INT(memory.live, 0);
    free(query);
}

/* Sizes beyond any memory, an allocation that fails, and a cancel at each poll. */
static void
maxsim_fails(void)
{
    static const float query[2 * 200] = {1}, document[2] = {1};
    fake_memory memory = {.fail_at = 1};
    lm_context ctx;
    lm_maxsim m;
    double score;

    fake_context(&ctx, &memory);
    CHECK_EQ_INT(lm_maxsim_open(&ctx, 2, 200, query, &m), LM_NO_MEMORY);
    lm_maxsim_close(&m);
    memory.fail_at = 0;
    CHECK_EQ_INT(lm_maxsim_open(&ctx, (size_t)1 << 20, SIZE_MAX, query, &m), LM_NO_MEMORY);
    lm_maxsim_close(&m);
    for (memory.stop_at = 1; memory.stop_at <= 4; memory.stop_at++) {
        lm_status status;

        memory.polls = 0;
        status = lm_maxsim_open(&ctx, 2, 200, query, &m);
        CHECK_EQ_INT(status, memory.stop_at <= 2 ? LM_CANCELLED : LM_OK);
        if (status == LM_OK)
            CHECK_EQ_INT(lm_maxsim_score(&m, 1, document, &score), LM_CANCELLED);
        lm_maxsim_close(&m);
    }
    CHECK_EQ_INT(memory.live, 0);
}

/* ---- What can go wrong ---- */

static void
refusals(void)
{
    const lm_text longer = {"e e e e e e e e e e e e e e e e e e e e e e e e", 47};
    lm_embed_options options = {.on_long = LM_LONG_ERROR, .side = LM_SIDE_QUERY};
    vectors got;
    fixture f;

    set_up(&f, "bert-late", lm_kernels_active(), LM_PRECISION_F32);
    CHECK_EQ_INT(compute(&f, &longer, 1, &options, &got, NULL), LM_TOO_LARGE);
    CHECK_STR(f.ctx.error.allowed, "at most 12");
    options.side = LM_SIDE_DOCUMENT;
    CHECK_EQ_INT(compute(&f, &longer, 1, &options, &got, NULL), LM_TOO_LARGE);
    CHECK_STR(f.ctx.error.allowed, "at most 14");
    options.on_long = LM_LONG_MEAN;
    CHECK_OK(&f.ctx, compute(&f, &longer, 1, &options, &got, NULL));
    CHECK_EQ_INT(got.tokens, 14);
    ((float *)(uintptr_t)lm_model_steps(&f.loaded.model)->items[0].weight)[3] = INFINITY;
    CHECK_EQ_INT(compute(&f, &f.texts[1], 1, &options, &got, NULL), LM_BAD_MODEL);
    tear_down(&f);
    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, "bert", &f.folder);
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded));
    CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
    CHECK_EQ_INT(compute(&f, &longer, 1, &options, &got, NULL), LM_UNSUPPORTED);
    tear_down(&f);
}

/* A file of a folder with another text in place of one. */
static void
edit(fixture *f, const char *name, const char *from, const char *to)
{
    fake_file *file = fake_find(&f->folder.files, name);
    const char *found = strstr(file->data, from);
    const size_t before = found ? (size_t)(found - file->data) : 0;
    const size_t size = file->size - strlen(from) + strlen(to);
    char *edited = lm_arena_alloc(&f->folder.arena, size + 1);

    CHECK(found != NULL);
    if (!found)
        return;
    memcpy(edited, file->data, before);
    memcpy(edited + before, to, strlen(to));
    memcpy(edited + before + strlen(to), found + strlen(from), size - before - strlen(to));
    edited[size] = '\0';
    file->data = edited;
    file->size = size;
}

/* A folder that differs in one place: what an import says of it. */
static void
refuses(const char *folder, const char *name, const char *from, const char *to, lm_status status,
        const char *key)
{
    lm_model_plan *plan;
    lm_arena arena;
    lm_notes notes;
    fixture f;

    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, folder, &f.folder);
    edit(&f, name, from, to);
    f.folder.source = fake_open(&f.folder.files);
    lm_arena_init(&arena, &f.ctx);
    lm_notes_init(&notes, false);
    if (lm_model_plan_make(&f.ctx, &arena, &f.folder.source, NULL, lm_kernels_active(), &plan, NULL,
                           &notes) != status)
        UNIT_FAIL("%s: %s is taken (%s)", folder, to, f.ctx.error.message);
    CHECK_STR(f.ctx.error.key, key);
    lm_arena_free(&arena);
    golden_close(&f.folder);
    CHECK_EQ_INT(f.memory.live, 0);
}

#define ST "sentence_bert_config.json"
#define CONFIG "config_sentence_transformers.json"
#define MASK "2_MultiVectorMask/config.json"

static const struct {
    const char *folder, *name, *from, *to;
    lm_status status;
    const char *key;
} bad_folders[] = {
    {"bert-late", ST, "\"fixed\"", "\"min\"", LM_UNSUPPORTED, "strategy"},
    {"bert-late", ST, "\"length\": 12", "\"length\": 0", LM_BAD_MODEL, "length"},
    {"bert-late", ST, "\"length\": 12", "\"length\": 25", LM_BAD_MODEL, "query_length"},
    {"bert-late", ST, "\"token\": null", "\"token\": \"nowhere\"", LM_BAD_MODEL,
     "query_expansion.token"},
    {"bert-late", ST, "\"attend\": false", "\"attend\": \"no\"", LM_BAD_MODEL, "attend"},
    {"bert-late", ST, "\"document_length\": 14", "\"document_length\": 2", LM_BAD_MODEL,
     "document_length"},
    {"bert-late", ST, "\"document_length\": 14", "\"query_length\": 9", LM_BAD_MODEL,
     "query_length"},
    {"bert-late", MASK, "\"keep_only_token_ids\": null", "\"keep_only_token_ids\": [3]",
     LM_UNSUPPORTED, "keep_only_token_ids"},
    {"bert-late", MASK, "\"document\"", "\"picture\"", LM_UNSUPPORTED, "skiplist_tasks"},
    {"bert-late", MASK, "\"nowhere\"", "7", LM_BAD_MODEL, "skiplist_words"},
    {"bert-late", "modules.json", "multi_vector_mask.MultiVectorMask",
     "token_pooling.HierarchicalTokenPooling", LM_UNSUPPORTED, "type"},
    {"bert-late", "modules.json", "base.modules.dense.Dense",
     "sentence_transformer.modules.Pooling", LM_UNSUPPORTED, "type"},
    {"bert-late", "1_Dense/config.json", "\"module_input_name\": \"token_embeddings\"",
     "\"module_input_name\": \"sentence_embedding\"", LM_UNSUPPORTED, "module_input_name"},
    {"bert-late", "1_Dense/config.json", "\"in_features\": 36", "\"in_features\": 35", LM_BAD_MODEL,
     "in_features"},
    {"bert-late", "3_Normalize/config.json", "\"module_input_name\": \"token_embeddings\",", "",
     LM_UNSUPPORTED, "module_input_name"},
    {"bert-late-pylate", CONFIG, "\"query_length\": 11", "\"query_length\": -1", LM_BAD_MODEL,
     "query_length"},
    {"bert-late-pylate", CONFIG, "\"query_length\": 11", "\"skiplist_words\": {}", LM_UNSUPPORTED,
     "skiplist_words"},
    {"bert-late-pylate", CONFIG, "\"query_length\": 11", "\"query_expansion\": 1", LM_UNSUPPORTED,
     "query_expansion"},
    {"bert-late", "tokenizer_config.json", "\"is_local\": true", "\"truncation_side\": \"left\"",
     LM_UNSUPPORTED, "truncation_side"},
    {"bert-late-pylate", "tokenizer_config.json", "\"mask_token\": \"[MASK]\"",
     "\"mask_token\": \"nowhere\"", LM_BAD_MODEL, "mask_token"},
    {"bert-late-pylate", "modules.json", "pylate.models.Dense.Dense", "other.models.Dense.Dense",
     LM_UNSUPPORTED, "type"},
};

static void
folders_that_do_not_fit(void)
{
    for (size_t i = 0; i < sizeof bad_folders / sizeof bad_folders[0]; i++)
        refuses(bad_folders[i].folder, bad_folders[i].name, bad_folders[i].from, bad_folders[i].to,
                bad_folders[i].status, bad_folders[i].key);
}

/* A folder that differs in one place: the number of vectors of the third text, as a query. */
static size_t
tokens_of_edited(const char *name, const char *from, const char *to, lm_side side)
{
    const lm_embed_options options = {.side = side};
    vectors got = {.tokens = 0};
    fixture f;

    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, "bert-late-pylate", &f.folder);
    edit(&f, name, from, to);
    f.folder.source = fake_open(&f.folder.files);
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded));
    CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
    f.width = (size_t)f.loaded.model.info.dimensions;
    CHECK_OK(&f.ctx, compute(&f, &(lm_text){"cat.", 4}, 1, &options, &got, NULL));
    tear_down(&f);
    return got.tokens;
}

/* Local attention leaves tokens far behind the text with nothing to attend to. */
/*
 * Calibration asks for one vector of a text, and gets the mean; whatever was in the room before it
 * shows nowhere.
 */
static void
one_vector(void)
{
    const lm_embed_options options = {.dimensions = 0};
    float before[MAX_FLOATS], after[MAX_FLOATS];

    for (size_t i = 0; i < FOLDERS; i++) {
        fixture f;

        set_up(&f, folders[i], lm_kernels_active(), LM_PRECISION_F32);
        CHECK_OK(&f.ctx,
                 lm_embed(&f.ctx, f.session, &f.loaded.model, f.texts, 1, &options, before, NULL));
        memset(f.session->vectors, 0xff, f.session->vector_capacity * sizeof(float));
        CHECK_OK(&f.ctx,
                 lm_embed(&f.ctx, f.session, &f.loaded.model, f.texts, 1, &options, after, NULL));
        CHECK(memcmp(before, after, f.width * sizeof *before) == 0);
        tear_down(&f);
    }
}

static void
narrow_attention(void)
{
    const lm_embed_options options = {.side = LM_SIDE_QUERY};
    vectors got;
    fixture f;

    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, "modernbert-late", &f.folder);
    edit(&f, "config.json", "\"local_attention\": 22", "\"local_attention\": 6");
    f.folder.source = fake_open(&f.folder.files);
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded));
    CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
    f.width = (size_t)f.loaded.model.info.dimensions;
    CHECK_EQ_INT(compute(&f, &(lm_text){"cat", 3}, 1, &options, &got, NULL), LM_UNSUPPORTED);
    CHECK_STR(f.ctx.error.allowed, "at most 3");
    CHECK_OK(&f.ctx, compute(&f, &(lm_text){"e e e e e e e e e e", 19}, 1, &options, &got, NULL));
    tear_down(&f);
}

/* What pylate's keys do, where the goldens have one value of each: [CLS] [Q] the cat . [SEP]. */
static void
pylate_keys(void)
{
    CHECK_EQ_INT(tokens_of_edited(CONFIG, "\"query_length\": 11",
                                  "\"query_length\": 11, \"do_query_expansion\": false",
                                  LM_SIDE_QUERY),
                 6);
    CHECK_EQ_INT(
        tokens_of_edited(CONFIG, "\"query_length\": 11", "\"query_length\": 9", LM_SIDE_QUERY), 9);
    CHECK_EQ_INT(tokens_of_edited(CONFIG, "\"model_type\": \"ColBERT\",", "", LM_SIDE_QUERY), 11);
    CHECK_EQ_INT(tokens_of_edited(CONFIG, "\"query_length\": 11",
                                  "\"query_length\": 11, \"skiplist_words\": []", LM_SIDE_DOCUMENT),
                 5);
    /* One that the vocabulary has is a special token, read whole; also where its first word is. */
    CHECK_EQ_INT(tokens_of_edited(CONFIG, "\"document_prefix\": \"[D] \"",
                                  "\"document_prefix\": \"##base\"", LM_SIDE_DOCUMENT),
                 4);
    CHECK_EQ_INT(tokens_of_edited(CONFIG, "\"document_prefix\": \"[D] \"",
                                  "\"document_prefix\": \" ##base \"", LM_SIDE_DOCUMENT),
                 4);
    /* A marker that is no token, or white space alone, is text. */
    CHECK_EQ_INT(tokens_of_edited(CONFIG, "\"query_prefix\": \"[Q] \"",
                                  "\"query_prefix\": \"[X] \"", LM_SIDE_DOCUMENT),
                 4);
    CHECK_EQ_INT(tokens_of_edited(CONFIG, "\"query_prefix\": \"[Q] \"", "\"query_prefix\": \" \"",
                                  LM_SIDE_DOCUMENT),
                 4);
    CHECK_EQ_INT(
        tokens_of_edited("tokenizer_config.json", "\"mask_token\": \"[MASK]\",", "", LM_SIDE_QUERY),
        11);
    CHECK_EQ_INT(
        tokens_of_edited(CONFIG, "\"query_length\": 11", "\"query_length\": 11", LM_SIDE_DOCUMENT),
        4);
}

/* A cancel at any poll, and a failure of any allocation: the next call is as the first. */
static void
cancel_and_memory(void)
{
    const lm_embed_options options = {.batch_tokens = 16, .side = LM_SIDE_QUERY};
    vectors wanted[MAX_TEXTS], got[MAX_TEXTS];
    lm_status status;
    fixture f;
    int polls, n = 0;

    set_up(&f, "bert-late", lm_kernels_active(), LM_PRECISION_F32);
    CHECK_OK(&f.ctx, compute(&f, f.texts, f.count, &options, wanted, NULL));
    f.memory.polls = 0;
    CHECK_OK(&f.ctx, compute(&f, f.texts, f.count, &options, wanted, NULL));
    polls = f.memory.polls;
    CHECK(polls > 20);
    for (f.memory.stop_at = 1; f.memory.stop_at <= polls; f.memory.stop_at++) {
        f.memory.polls = 0;
        CHECK_EQ_INT(compute(&f, f.texts, f.count, &options, got, NULL), LM_CANCELLED);
    }
    f.memory.stop_at = 0;
    lm_session_free(f.session);
    CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
    do {
        f.memory.calls = 0;
        f.memory.fail_at = ++n;
        status = compute(&f, f.texts, f.count, &options, got, NULL);
        CHECK(status == LM_OK || status == LM_NO_MEMORY);
    } while (status != LM_OK && n < 100);
    CHECK(n > 5 && n < 100);
    f.memory.fail_at = 0;
    CHECK_OK(&f.ctx, compute(&f, f.texts, f.count, &options, got, NULL));
    for (size_t i = 0; i < f.count; i++)
        CHECK(memcmp(got[i].values, wanted[i].values, sizeof got[i].values) == 0);
    tear_down(&f);
}

/* A plan of a folder with faults; whether one was reached. */
static bool
plan_fails(const char *folder, int fail_at, int stop_at)
{
    lm_model_plan *plan;
    lm_arena arena;
    lm_status status;
    fixture f;

    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, folder, &f.folder);
    lm_arena_init(&arena, &f.ctx);
    f.memory.calls = f.memory.polls = 0;
    f.memory.fail_at = fail_at;
    f.memory.stop_at = stop_at;
    status = lm_model_plan_make(&f.ctx, &arena, &f.folder.source, NULL, lm_kernels_active(), &plan,
                                NULL, NULL);
    f.memory.fail_at = f.memory.stop_at = 0;
    if (status != LM_OK)
        CHECK_EQ_INT(status, fail_at > 0 ? LM_NO_MEMORY : LM_CANCELLED);
    lm_arena_free(&arena);
    golden_close(&f.folder);
    CHECK_EQ_INT(f.memory.live, 0);
    return status != LM_OK;
}

static void
planning_fails(void)
{
    static const char *const some[] = {"bert-late", "bert-late-pylate"};

    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        int n = 1;

        while (n < 2000 && plan_fails(some[i], n, 0))
            n++;
        CHECK(n > 10 && n < 2000);
        n = 1;
        while (n < 2000 && plan_fails(some[i], 0, n))
            n++;
        CHECK(n > 10 && n < 2000);
    }
}

/* A section that another program wrote, or whose list ends early. */
static void
sections_that_do_not_fit(void)
{
    static const uint32_t none[9] = {0};
    static lm_model model;
    fake_memory memory = {0};
    lm_context ctx;

    fake_context(&ctx, &memory);
    CHECK_EQ_INT(lm_section_late.bind(&ctx, none, 3, &model), LM_INTERNAL);
    CHECK_EQ_INT(lm_section_late.bind(&ctx, none, sizeof none, &model), LM_INTERNAL);
    memory.fail_at = memory.calls + 1;
    CHECK_EQ_INT(lm_section_late.bind(&ctx, none, 8 * sizeof *none, &model), LM_NO_MEMORY);
    memory.fail_at = 0;
    CHECK_OK(&ctx, lm_section_late.bind(&ctx, none, 8 * sizeof *none, &model));
    lm_section_late.unbind(&ctx, &model);
    CHECK_EQ_INT(memory.live, 0);
}

static const unit_case cases[] = {
    {"goldens", goldens},
    {"batch invariance", batch_invariance},
    {"precisions", precisions},
    {"golden values", golden_values},
    {"maxsim sizes", maxsim_sizes},
    {"maxsim not finite", maxsim_not_finite},
    {"maxsim wide", maxsim_wide},
    {"maxsim fails", maxsim_fails},
    {"refusals", refusals},
    {"folders that do not fit", folders_that_do_not_fit},
    {"one vector", one_vector},
    {"narrow attention", narrow_attention},
    {"pylate keys", pylate_keys},
    {"cancel and memory", cancel_and_memory},
    {"planning fails", planning_fails},
    {"sections that do not fit", sections_that_do_not_fit},
};

UNIT_MAIN(cases)
