/*
 * test_labels.c - what config.json says of a checkpoint's head: when it is taken, names of labels,
 * how scores are made.
 */
#include "golden.h"
#include "loaded.h"

#include "model/labels.h"
#include "task/classify.h"

typedef struct fixture {
    lm_context ctx;
    golden_folder folder;
    lm_notes notes;
    lm_model_info info;
} fixture;

/* Of whole texts, where the test makes the plan itself. */
static const lm_head_kind head = {.pooling = LM_POOL_CLS};

/* bert-sequence, whose config.json has this in place of id2label. */
static void
open_fixture(fixture *f, const char *members)
{
    fake_file *file;
    char *start, *end;

    lm_context_init(&f->ctx);
    lm_notes_init(&f->notes, false);
    golden_open(&f->ctx, "bert-sequence", &f->folder);
    file = fake_find(&f->folder.files, "config.json");
    start = strstr(file->data, "\"id2label\"");
    end = start ? strchr(start, '}') : NULL;
    if (!end) {
        UNIT_FAIL("config.json has no id2label");
        return;
    }
    start = lm_arena_copy(&f->folder.arena, file->data, (size_t)(start - file->data));
    file->data = golden_join(&f->folder, start, members, end + 1);
    file->size = strlen(file->data);
}

static lm_status
plan(fixture *f, const lm_model_options *options)
{
    lm_model_plan *made;

    return lm_model_plan_make(&f->ctx, &f->folder.arena, &f->folder.source, options,
                              lm_kernels_at(LM_LEVEL_SCALAR), &made, &f->info, &f->notes);
}

/* Labels in the order of their ids, whatever that of the file. */
static void
good_labels(void)
{
    static const struct {
        const char *members, *first, *last;
        lm_scoring scoring;
    } good[] = {
        {"\"id2label\": {\"0\": \"a\", \"1\": \"b\", \"2\": \"c\"}", "a", "c", LM_SCORING_SOFTMAX},
        {"\"id2label\": {\"2\": \"\", \"0\": \"é\", \"1\": \"b\"}", "é", "", LM_SCORING_SOFTMAX},
        {"\"num_labels\": 3", "LABEL_0", "LABEL_2", LM_SCORING_SOFTMAX},
        {"\"num_labels\": 3, \"problem_type\": \"single_label_classification\"", "LABEL_0",
         "LABEL_2", LM_SCORING_SOFTMAX},
        {"\"num_labels\": 3, \"problem_type\": \"multi_label_classification\"", "LABEL_0",
         "LABEL_2", LM_SCORING_SIGMOID},
        {"\"num_labels\": 3, \"problem_type\": \"regression\"", "LABEL_0", "LABEL_2",
         LM_SCORING_RAW},
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        fixture f;

        open_fixture(&f, good[i].members);
        CHECK_OK(&f.ctx, plan(&f, NULL));
        CHECK_EQ_INT(f.notes.count, 0);
        CHECK_STR(f.info.task, "classification");
        CHECK_EQ_INT(f.info.label_count, 3);
        CHECK_STR(f.info.labels[0], good[i].first);
        CHECK_STR(f.info.labels[2], good[i].last);
        CHECK_EQ_INT(f.info.scoring, good[i].scoring);
        CHECK(strstr(f.info.details, "\"labels\": 3, \"scores\": "));
        golden_close(&f.folder);
    }
}

static void
bad_labels(void)
{
    static const struct {
        const char *members, *key, *found;
    } bad[] = {
        {"\"id2label\": 3", "id2label", "3"},
        {"\"id2label\": {\"0\": \"a\", \"1\": \"b\", \"3\": \"c\"}", "id2label.3", "\"c\""},
        {"\"id2label\": {\"0\": \"a\", \"1\": \"b\", \"-2\": \"c\"}", "id2label.-2", "\"c\""},
        {"\"id2label\": {\"0\": \"a\", \"1\": \"b\", \"01\": \"c\"}", "id2label.01", "\"c\""},
        {"\"id2label\": {\"0\": \"a\", \"1\": \"b\", \"\": \"c\"}", "id2label.", "\"c\""},
        {"\"id2label\": {\"0\": \"a\", \"1\": \"b\", \"2 \": \"c\"}", "id2label.2 ", "\"c\""},
        {"\"id2label\": {\"0\": \"a\", \"1\": \"b\", \"99999999999\": \"c\"}",
         "id2label.99999999999", "\"c\""},
        {"\"id2label\": {\"0\": \"a\", \"1\": \"b\", \"2\": 7}", "id2label.2", "7"},
        {"\"id2label\": {\"0\": \"a\", \"1\": \"b\", \"2\": \"c\\u0000d\"}", "id2label.2", "\"c"},
        {"\"id2label\": {\"0\": \"a\", \"1\": \"b\", \"2\": \"a\"}", "id2label", "\"a\""},
        {"\"num_labels\": 3, \"problem_type\": \"ranking\"", "problem_type", "\"ranking\""},
        {"\"num_labels\": 3, \"problem_type\": 7", "problem_type", "7"},
        {"\"num_labels\": 2", "classifier.weight", ""},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fixture f;

        open_fixture(&f, bad[i].members);
        CHECK_EQ_INT(plan(&f, NULL), LM_BAD_MODEL);
        CHECK_STR(f.ctx.error.key, bad[i].key);
        CHECK(strstr(f.ctx.error.found, bad[i].found));
        golden_close(&f.folder);
    }
}

/* A key as long as the number that its bytes would make, were they digits. */
static void
odd_key(void)
{
    static const char config[] = "{\"id2label\": {\"0\": \"a\", \"1\": \"b\", \"2\": \"c\", "
                                 "\"3\": \"d\", \"4\": \"e\", \"5\": \"f\", \"6\": \"g\", "
                                 "\"7\": \"h\", \"8\": \"i\", \"9\": \"j\", \"10\": \"k\", "
                                 "\"0;\": \"l\"}}";
    lm_model_plan made = {.checkpoint = {.config_file = "config.json"}, .head = &head};
    lm_model_info info = {0};
    lm_context ctx;
    lm_arena arena;
    lm_planner p = {.ctx = &ctx, .arena = &arena, .plan = &made};

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    CHECK_OK(&ctx, lm_json_parse(&ctx, &arena, config, strlen(config), "config.json",
                                 &made.checkpoint.config));
    CHECK_EQ_INT(lm_labels_read(&p, 12, &info), LM_BAD_MODEL);
    CHECK_STR(ctx.error.key, "id2label.0;");
    lm_arena_free(&arena);
}

/* One label competes with no other. */
static void
one_label(void)
{
    static const struct {
        const char *type;
        lm_scoring scoring;
    } types[] = {
        {"null", LM_SCORING_SIGMOID},
        {"\"single_label_classification\"", LM_SCORING_SIGMOID},
        {"\"multi_label_classification\"", LM_SCORING_SIGMOID},
        {"\"regression\"", LM_SCORING_RAW},
    };

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        fixture f;
        fake_file *file;
        char *hit;

        lm_context_init(&f.ctx);
        lm_notes_init(&f.notes, false);
        golden_open(&f.ctx, "bert-regression", &f.folder);
        file = fake_find(&f.folder.files, "config.json");
        hit = strstr(file->data, "\"regression\"");
        hit = lm_arena_copy(&f.folder.arena, file->data, (size_t)(hit - file->data));
        file->data = golden_join(&f.folder, hit, types[i].type,
                                 file->data + strlen(hit) + strlen("\"regression\""));
        file->size = strlen(file->data);
        CHECK_OK(&f.ctx, plan(&f, NULL));
        CHECK_EQ_INT(f.info.scoring, types[i].scoring);
        CHECK_EQ_INT(f.info.label_count, 1);
        golden_close(&f.folder);
    }
}

/* The encoder alone, with a note of what is left out. */
static void
as_embedding(void)
{
    static const lm_model_options options = {.as_embedding = true};
    fixture f;

    open_fixture(&f, "\"id2label\": 3");
    CHECK_OK(&f.ctx, plan(&f, &options));
    CHECK_STR(f.info.task, "embedding");
    CHECK_EQ_INT(f.info.label_count, 0);
    CHECK_EQ_INT(f.notes.count, 2);
    CHECK(strstr(f.notes.items[0].message, "its head is left out"));
    CHECK(strstr(f.notes.items[1].message, "2 tensors are not used: "));
    golden_close(&f.folder);
}

/*
 * A cross-encoder with several labels is a classifier; a prompt before each first text, and models
 * of other types, are refused.
 */
static void
cross_encoder(void)
{
    static const struct {
        const char *file, *key; /* of the refusal; NULL: none */
    } cases[] = {
        {"{\"model_type\":\"CrossEncoder\",\"activation_fn\":\"torch.nn.modules.linear.Identity\"}",
         NULL},
        {"{\"model_type\":\"CrossEncoder\",\"prompts\":{\"q\":\"a\"},\"default_prompt_name\":"
         "\"q\"}",
         "default_prompt_name"},
        {"{\"model_type\":\"CrossEncoder\",\"activation_fn\":3}", "activation_fn"},
        {"{\"model_type\":\"SparseEncoder\"}", "model_type"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture f;

        open_fixture(&f, "\"num_labels\": 3");
        fake_add(&f.folder.files, "config_sentence_transformers.json", cases[i].file);
        if (cases[i].key) {
            CHECK(plan(&f, NULL) != LM_OK);
            CHECK_STR(f.ctx.error.key, cases[i].key);
        } else {
            CHECK_OK(&f.ctx, plan(&f, NULL));
            CHECK_STR(f.info.task, "classification");
        }
        golden_close(&f.folder);
    }
}

/* Every allocation, also of a full arena, and every poll. */
static void
reading_faults(void)
{
    static const char *const configs[] = {"{\"id2label\": {\"0\": \"a\", \"1\": \"b\"}}",
                                          "{\"num_labels\": 2}"};
    static const lm_status wanted[] = {LM_NO_MEMORY, LM_CANCELLED};

    for (int config = 0; config < 2; config++)
        for (int kind = 0; kind < 2; kind++)
            for (size_t room = 0; room < 64; room += 16) {
                lm_status status = wanted[kind];

                for (int n = 1; status == wanted[kind]; n++) {
                    lm_model_plan made = {.checkpoint = {.config_file = "config.json"},
                                          .head = &head};
                    fake_memory memory = {0};
                    lm_model_info info = {0};
                    lm_context quiet, ctx;
                    lm_arena kept, arena;
                    lm_planner p = {.ctx = &ctx, .arena = &arena, .plan = &made};

                    lm_context_init(&quiet);
                    lm_arena_init(&kept, &quiet);
                    CHECK_OK(&quiet,
                             lm_json_parse(&quiet, &kept, configs[config], strlen(configs[config]),
                                           "config.json", &made.checkpoint.config));
                    fake_context(&ctx, &memory);
                    lm_arena_init(&arena, &ctx);
                    CHECK(fake_fill_arena(&arena, room));
                    memory.calls = 0;
                    memory.fail_at = kind == 0 ? n : 0;
                    memory.stop_at = kind == 1 ? n : 0;
                    status = lm_labels_read(&p, 2, &info);
                    lm_arena_free(&arena);
                    lm_arena_free(&kept);
                    CHECK_EQ_INT(memory.live, 0);
                }
                CHECK_EQ_INT(status, LM_OK);
            }
}

static lm_status
classify_once(lm_context *ctx, const lm_model *model)
{
    static const lm_text text = {"cat", 3};
    const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    lm_session *session = NULL;
    float scores[3];
    lm_status status = lm_session_create(ctx, &session);

    if (status == LM_OK)
        status = lm_classify(ctx, session, model, &text, 1, &options, scores, NULL);
    lm_session_free(session);
    return status;
}

/* Every allocation and every poll of binding a model with a head and of using it. */
static void
model_faults(void)
{
    static const lm_status wanted[] = {LM_NO_MEMORY, LM_CANCELLED};
    loaded_model loaded;
    fixture f;

    open_fixture(&f, "\"num_labels\": 3");
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &loaded));
    for (int kind = 0; kind < 2; kind++) {
        lm_status status = wanted[kind];

        for (int n = 1; status == wanted[kind] && n < 1000; n++) {
            fake_memory memory = {.fail_at = kind == 0 ? n : 0, .stop_at = kind == 1 ? n : 0};
            lm_model model;
            lm_context ctx;

            fake_context(&ctx, &memory);
            status = lm_model_bind(&ctx, loaded.image, loaded.size, &model);
            if (status == LM_OK) {
                status = classify_once(&ctx, &model);
                lm_model_unbind(&ctx, &model);
            }
            CHECK_EQ_INT(memory.live, 0);
        }
        CHECK_EQ_INT(status, LM_OK);
    }
    loaded_close(&f.ctx, &loaded);
    golden_close(&f.folder);
}

/* The head reads hidden states, so an embedding is not for it. */
static void
no_vectors(void)
{
    float vector[36] = {0}, scores[3];
    loaded_model loaded;
    fixture f;

    open_fixture(&f, "\"num_labels\": 3");
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &loaded));
    CHECK(!lm_model_needs_base(&loaded.model) && lm_model_head(&loaded.model)->dense);
    CHECK_EQ_INT(lm_classify_vector(&f.ctx, &loaded.model, vector, 36, scores), LM_UNSUPPORTED);
    CHECK(strstr(f.ctx.error.hint, "lmtext.train"));
    loaded_close(&f.ctx, &loaded);
    golden_close(&f.folder);
}

static const unit_case cases[] = {
    {"odd key", odd_key},
    {"good labels", good_labels},
    {"bad labels", bad_labels},
    {"one label", one_label},
    {"as embedding", as_embedding},
    {"cross-encoder", cross_encoder},
    {"reading faults", reading_faults},
    {"model faults", model_faults},
    {"no vectors", no_vectors},
};

UNIT_MAIN(cases)
