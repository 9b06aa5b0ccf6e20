/*
 * test_head.c - a classification head: written, read back as an image of its own, used on its base;
 * damaged files are refused.
 */
#include "golden.h"
#include "loaded.h"
#include "task/head.h"

#define LABELS 3
#define WIDTH 20

static const char *const names[LABELS] = {"web", "a \"quoted\"\nname", "\xc3\xa9t\xc3\xa9"};

/* Files of a head in memory. */
typedef struct head_files {
    lm_buffer json, tensors;
    fake_source fake;
    lm_source source;
    float weight[LABELS * WIDTH], bias[LABELS];
} head_files;

static void
make_files(lm_context *ctx, head_files *files)
{
    const lm_head head = {LABELS, WIDTH, files->weight, files->bias, names};

    memset(files, 0, sizeof *files);
    for (int i = 0; i < LABELS * WIDTH; i++)
        files->weight[i] = (float)((i * 37) % 23 - 11) / 7;
    for (int i = 0; i < LABELS; i++)
        files->bias[i] = (float)i - 1;
    lm_buffer_init(&files->json, ctx);
    lm_buffer_init(&files->tensors, ctx);
    CHECK_OK(ctx, lm_head_write(ctx, &head, &files->json, &files->tensors));
    fake_add_bytes(&files->fake, LM_HEAD_JSON, files->json.data, files->json.size);
    fake_add_bytes(&files->fake, LM_HEAD_TENSORS, files->tensors.data, files->tensors.size);
    files->source = fake_open(&files->fake);
}

static void
free_files(head_files *files)
{
    lm_buffer_free(&files->json);
    lm_buffer_free(&files->tensors);
}

static void
round_trip(void)
{
    lm_context ctx;
    fake_memory memory = {0};
    head_files files;
    loaded_model loaded;

    fake_context(&ctx, &memory);
    make_files(&ctx, &files);
    CHECK_OK(&ctx, loaded_open(&ctx, &files.source, lm_kernels_active(), &loaded));
    CHECK(loaded.model.has_head);
    CHECK_STR(loaded.model.info.task, "classification");
    CHECK_EQ_INT(loaded.model.head.labels, LABELS);
    CHECK_EQ_INT(loaded.model.info.label_count, LABELS);
    for (int i = 0; i < LABELS; i++)
        CHECK_STR(loaded.model.head.names[i], names[i]);
    CHECK(memcmp(loaded.model.head.weight, files.weight, sizeof files.weight) == 0);
    CHECK(memcmp(loaded.model.head.bias, files.bias, sizeof files.bias) == 0);
    CHECK_EQ_INT(loaded.model.info.parameters, LABELS * (WIDTH + 1));
    CHECK(!files.fake.went_back);
    loaded_close(&ctx, &loaded);
    free_files(&files);
    CHECK_EQ_INT(memory.live, 0);
}

/* Scores against the softmax of what the definition gives. */
static void
check_scores(const lm_head *head, const float *embedding, const float *scores)
{
    double logits[LABELS], total = 0;

    for (int c = 0; c < LABELS; c++) {
        logits[c] = head->bias[c];
        for (int i = 0; i < WIDTH; i++)
            logits[c] += (double)head->weight[c * WIDTH + i] * embedding[i];
        total += exp(logits[c]);
    }
    for (int c = 0; c < LABELS; c++)
        CHECK_NEAR(scores[c], exp(logits[c]) / total, 1e-6);
}

static void
classify(void)
{
    const lm_text texts[] = {{"cat", 3}, {"", 0}, {"the data base", 13}};
    const lm_embed_options options = {.dimensions = 0};
    float embeddings[3][WIDTH], scores[3][LABELS];
    lm_context ctx;
    golden_folder folder;
    head_files files;
    loaded_model base, head;
    lm_session *session;
    fake_memory memory = {0};
    int polls;

    lm_context_init(&ctx);
    golden_open(&ctx, "bert-st5-cls", &folder);
    make_files(&ctx, &files);
    CHECK_OK(&ctx, loaded_open(&ctx, &folder.source, lm_kernels_active(), &base));
    CHECK_OK(&ctx, loaded_open(&ctx, &files.source, lm_kernels_active(), &head));
    CHECK_OK(&ctx, lm_session_create(&ctx, &session));
    CHECK_EQ_INT(lm_classify(&ctx, session, &base.model, texts, 3, &options, scores[0], NULL),
                 LM_UNSUPPORTED);
    CHECK(ctx.error.hint[0] != '\0');
    CHECK_EQ_INT(lm_embed(&ctx, session, &head.model, texts, 3, &options, embeddings[0], NULL),
                 LM_UNSUPPORTED);
    head.model.base = &base.model;
    CHECK_OK(&ctx, lm_classify(&ctx, session, &head.model, texts, 3, &options, scores[0], NULL));
    CHECK_OK(&ctx, lm_embed(&ctx, session, &head.model, texts, 3, &options, embeddings[0], NULL));
    ctx.cancelled = fake_cancelled;
    ctx.opaque = &memory;
    CHECK_OK(&ctx, lm_embed(&ctx, session, &base.model, texts, 3, &options, embeddings[0], NULL));
    polls = memory.polls;
    CHECK_OK(&ctx, lm_classify(&ctx, session, &head.model, texts, 3, &options, scores[0], NULL));
    CHECK_EQ_INT(memory.polls, 2 * polls + 3); /* one a text */
    for (int i = 0; i < 3; i++)
        check_scores(&head.model.head, embeddings[i], scores[i]);
    CHECK_EQ_INT(lm_classify_best((float[]){.2f, .4f, .4f}, 3), 1);
    lm_session_free(session);
    loaded_close(&ctx, &head);
    loaded_close(&ctx, &base);
    free_files(&files);
    golden_close(&folder);
}

typedef struct head_damage {
    const char *json; /* instead of head.json */
    lm_status status;
    const char *key;
} head_damage;

static const head_damage damages[] = {
    {"{}", LM_BAD_MODEL, "format"},
    {"{\"format\":2,\"task\":\"classification\",\"labels\":[\"a\",\"b\",\"c\"],\"dimensions\":20}",
     LM_BAD_MODEL, "format"},
    {"{\"format\":1,\"task\":\"tagging\",\"labels\":[\"a\",\"b\",\"c\"],\"dimensions\":20}",
     LM_BAD_MODEL, "task"},
    {"{\"format\":1,\"task\":\"classification\",\"labels\":[\"a\",\"b\",\"c\"]}", LM_BAD_MODEL,
     "dimensions"},
    {"{\"format\":1,\"task\":\"classification\",\"labels\":[\"a\",\"b\",\"c\"],\"dimensions\":-1}",
     LM_BAD_MODEL, "dimensions"},
    {"{\"format\":1,\"task\":\"classification\",\"labels\":[\"a\",\"b\",\"c\"],\"dimensions\":21}",
     LM_BAD_MODEL, "weight"},
    {"{\"format\":1,\"task\":\"classification\",\"labels\":[\"a\",\"b\"],\"dimensions\":20}",
     LM_BAD_MODEL, "weight"},
    {"{\"format\":1,\"task\":\"classification\",\"labels\":[\"a\",\"b\",\"a\"],\"dimensions\":20}",
     LM_BAD_MODEL, "labels"},
    {"{\"format\":1,\"task\":\"classification\",\"labels\":[\"a\",3,\"b\"],\"dimensions\":20}",
     LM_BAD_MODEL, "labels"},
    {"{\"format\":1,\"task\":\"classification\",\"labels\":[],\"dimensions\":20}", LM_BAD_MODEL,
     "labels"},
};

static void
damaged_heads(void)
{
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        lm_context ctx;
        head_files files;
        loaded_model loaded;

        lm_context_init(&ctx);
        make_files(&ctx, &files);
        files.fake.files[0].data = damages[i].json;
        files.fake.files[0].size = strlen(damages[i].json);
        CHECK_EQ_INT(loaded_open(&ctx, &files.source, lm_kernels_active(), &loaded),
                     damages[i].status);
        CHECK_STR(ctx.error.key, damages[i].key);
        free_files(&files);
    }
}

static const unit_case cases[] = {
    {"round trip", round_trip},
    {"classify", classify},
    {"damaged heads", damaged_heads},
};

UNIT_MAIN(cases)
