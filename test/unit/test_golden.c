/*
 * test_golden.c - golden values: computed the same alone and in a batch and at every level, written
 * and read back exactly; what is damaged is refused, what differs is seen.
 */
#include "golden.h"
#include "loaded.h"
#include "model/head.h"
#include "task/golden.h"
#include "task/tasks.h"

static const char *const folders[] = {"bert", "bert-st5-cls", "bert-st5-prompt", "bert-st6-max"};

/* As in the extension: of normalised vectors, and relative to the greatest number of others. */
#define BOUND 1e-5

static void
run_at(lm_context *ctx, lm_arena *arena, const golden_folder *folder, const lm_kernels *kernels,
       bool alone, lm_golden *golden)
{
    loaded_model loaded;
    lm_session *session;

    CHECK_OK(ctx, loaded_open(ctx, &folder->source, kernels, &loaded));
    CHECK_OK(ctx, lm_session_create(ctx, &session));
    CHECK_OK(ctx, lm_golden_run(ctx, arena, session, &loaded.model, alone, golden));
    lm_session_free(session);
    loaded_close(ctx, &loaded);
}

static void
levels_agree(void)
{
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        lm_context ctx;
        golden_folder folder;
        lm_arena arena;
        lm_golden best, other;

        lm_context_init(&ctx);
        lm_arena_init(&arena, &ctx);
        golden_open(&ctx, folders[i], &folder);
        run_at(&ctx, &arena, &folder, lm_kernels_active(), false, &best);
        run_at(&ctx, &arena, &folder, lm_kernels_active(), true, &other);
        CHECK(lm_golden_same_bits(&best, &other));
        CHECK_EQ_INT(best.label[0], -1);
        for (int level = 0; level < LM_LEVEL_COUNT; level++) {
            if (!lm_kernels_at(level))
                continue;
            run_at(&ctx, &arena, &folder, lm_kernels_at(level), false, &other);
            CHECK_NEAR(lm_golden_error(&other, &best), 0, BOUND);
            CHECK(lm_golden_same_ids(&other, &best));
        }
        golden_close(&folder);
        lm_arena_free(&arena);
    }
}

/* Values for the tests of writing and comparing, each another one. */
static void
make_golden(lm_golden *golden, float *values, int width)
{
    memset(golden, 0, sizeof *golden);
    golden->width = width;
    golden->values = values;
    for (int i = 0; i < LM_GOLDEN_TEXTS; i++) {
        golden->ids[i] = 0xfedcba9876543210u + (uint64_t)i;
        golden->label[i] = i - 1;
    }
    for (int i = 0; i < LM_GOLDEN_TEXTS * width; i++)
        values[i] = (float)(i % 2 ? -1.0 / (i + 3) : 1e-30 * i);
}

static void
round_trip(void)
{
    float values[LM_GOLDEN_TEXTS * 3];
    lm_context ctx;
    fake_memory memory = {0};
    lm_arena arena;
    lm_buffer out;
    lm_golden written, read;

    fake_context(&ctx, &memory);
    lm_arena_init(&arena, &ctx);
    lm_buffer_init(&out, &ctx);
    make_golden(&written, values, 3);
    CHECK_OK(&ctx, lm_golden_write(&written, &out));
    CHECK_OK(&ctx, lm_golden_read(&ctx, &arena, out.data, out.size, "golden.json", &read));
    CHECK(lm_golden_same_bits(&written, &read));
    CHECK(lm_golden_same_ids(&written, &read));
    CHECK(lm_golden_same_labels(&written, &read));
    CHECK(lm_golden_error(&written, &read) == 0);
    lm_buffer_free(&out);
    lm_arena_free(&arena);
    CHECK_EQ_INT(memory.live, 0);
}

static void
differences_are_seen(void)
{
    float a_values[LM_GOLDEN_TEXTS * 3], b_values[LM_GOLDEN_TEXTS * 3];
    lm_golden a, b;

    make_golden(&a, a_values, 3);
    make_golden(&b, b_values, 3);
    b_values[4] += 0.01f;
    CHECK_NEAR(lm_golden_error(&b, &a), 0.01, 1e-6);
    CHECK(!lm_golden_same_bits(&a, &b));
    a_values[7] = b_values[7] = -100; /* from here on errors are relative to it */
    CHECK_NEAR(lm_golden_error(&b, &a), 0.0001, 1e-8);
    b_values[4] = NAN;
    CHECK(isinf(lm_golden_error(&b, &a)));
    b.width = 2;
    CHECK(isinf(lm_golden_error(&b, &a)));
    CHECK(!lm_golden_same_bits(&a, &b));
    b.ids[7]++;
    CHECK(!lm_golden_same_ids(&a, &b));
    b.label[0]++;
    CHECK(!lm_golden_same_labels(&a, &b));
}

#define TEXT "{\"ids\":\"0123456789abcdef\",\"label\":-1,\"values\":[1]}"
#define SEVEN TEXT "," TEXT "," TEXT "," TEXT "," TEXT "," TEXT "," TEXT

static void
damage_is_refused(void)
{
    static const struct {
        const char *json;
        lm_status status;
    } cases[] = {
        {"{\"format\":1,\"texts\":[" SEVEN "," TEXT "]}", LM_OK},
        {"", LM_BAD_JSON},
        {"[]", LM_CORRUPT},
        {"{\"format\":2,\"texts\":[" SEVEN "," TEXT "]}", LM_CORRUPT},
        {"{\"format\":\"1\",\"texts\":[" SEVEN "," TEXT "]}", LM_CORRUPT},
        {"{\"texts\":[" SEVEN "," TEXT "]}", LM_CORRUPT},
        {"{\"format\":1}", LM_CORRUPT},
        {"{\"format\":1,\"texts\":7}", LM_CORRUPT},
        {"{\"format\":1,\"texts\":[" SEVEN "]}", LM_CORRUPT},
        {"{\"format\":1,\"texts\":[7," SEVEN "]}", LM_CORRUPT},
        {"{\"format\":1,\"texts\":[{\"values\":7}," SEVEN "]}", LM_CORRUPT},
        {"{\"format\":1,\"texts\":[" SEVEN ",7]}", LM_CORRUPT},
        {"{\"format\":1,\"texts\":[" SEVEN ",{\"label\":-1,\"values\":[1]}]}", LM_CORRUPT},
        {"{\"format\":1,\"texts\":[" SEVEN ",{\"ids\":7,\"label\":-1,\"values\":[1]}]}",
         LM_CORRUPT},
        {"{\"format\":1,\"texts\":[" SEVEN ",{\"ids\":\"01\",\"label\":-1,\"values\":[1]}]}",
         LM_CORRUPT},
        {"{\"format\":1,\"texts\":[" SEVEN
         ",{\"ids\":\"0123456789abcdeF\",\"label\":-1,\"values\":[1]}]}",
         LM_CORRUPT},
        {"{\"format\":1,\"texts\":[" SEVEN ",{\"ids\":\"0123456789abcdef\",\"values\":[1]}]}",
         LM_CORRUPT},
        {"{\"format\":1,\"texts\":[" SEVEN
         ",{\"ids\":\"0123456789abcdef\",\"label\":true,\"values\":[1]}]}",
         LM_CORRUPT},
        {"{\"format\":1,\"texts\":[" SEVEN
         ",{\"ids\":\"0123456789abcdef\",\"label\":0.5,\"values\":[1]}]}",
         LM_CORRUPT},
        {"{\"format\":1,\"texts\":[" SEVEN
         ",{\"ids\":\"0123456789abcdef\",\"label\":-2,\"values\":[1]}]}",
         LM_CORRUPT},
        {"{\"format\":1,\"texts\":[" SEVEN
         ",{\"ids\":\"0123456789abcdef\",\"label\":2147483648,\"values\":[1]}]}",
         LM_CORRUPT},
        {"{\"format\":1,\"texts\":[" SEVEN ",{\"ids\":\"0123456789abcdef\",\"label\":-1}]}",
         LM_CORRUPT},
        {"{\"format\":1,\"texts\":[" SEVEN
         ",{\"ids\":\"0123456789abcdef\",\"label\":-1,\"values\":1}]}",
         LM_CORRUPT},
        {"{\"format\":1,\"texts\":[" SEVEN
         ",{\"ids\":\"0123456789abcdef\",\"label\":-1,\"values\":[1,2]}]}",
         LM_CORRUPT},
        {"{\"format\":1,\"texts\":[" SEVEN
         ",{\"ids\":\"0123456789abcdef\",\"label\":-1,\"values\":[null]}]}",
         LM_CORRUPT},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lm_context ctx;
        lm_arena arena;
        lm_golden golden;
        lm_status status;

        lm_context_init(&ctx);
        lm_arena_init(&arena, &ctx);
        status = lm_golden_read(&ctx, &arena, cases[i].json, strlen(cases[i].json), "golden.json",
                                &golden);
        if (status != cases[i].status)
            UNIT_FAIL("status %d, wanted %d: %s", status, cases[i].status, cases[i].json);
        lm_arena_free(&arena);
    }
}

/* More labels than are kept. */
static void
wide_head(void)
{
    enum { LABELS = LM_GOLDEN_WIDTH_MAX + 100, WIDTH = 20 };
    const char **names = calloc(LABELS, sizeof *names);
    float *weight = calloc(LABELS * WIDTH, sizeof *weight), *bias = calloc(LABELS, sizeof *bias);
    const lm_head shape = {
        .labels = LABELS, .width = WIDTH, .weight = weight, .bias = bias, .names = names};
    char *letters = calloc(LABELS, 8);
    lm_context ctx;
    golden_folder folder;
    fake_source fake = {.count = 0};
    lm_source source;
    lm_buffer json, tensors;
    loaded_model base, head;
    lm_session *session;
    lm_arena arena;
    lm_golden golden;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    for (int i = 0; i < LABELS; i++) {
        snprintf(letters + 8 * i, 8, "%hd", (short)i);
        names[i] = letters + 8 * i;
    }
    bias[LABELS - 1] = 100; /* the best is one of those that are not kept */
    lm_buffer_init(&json, &ctx);
    lm_buffer_init(&tensors, &ctx);
    CHECK_OK(&ctx, lm_head_write(&ctx, &shape, &json, &tensors));
    fake_add_bytes(&fake, LM_HEAD_JSON, json.data, json.size);
    fake_add_bytes(&fake, LM_HEAD_TENSORS, tensors.data, tensors.size);
    source = fake_open(&fake);
    golden_open(&ctx, "bert-st5-cls", &folder);
    CHECK_OK(&ctx, loaded_open(&ctx, &folder.source, lm_kernels_active(), &base));
    CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &head));
    head.model.base = &base.model;
    CHECK_OK(&ctx, lm_session_create(&ctx, &session));
    CHECK_OK(&ctx, lm_golden_run(&ctx, &arena, session, &head.model, false, &golden));
    CHECK(lm_task_of(&head.model) == &lm_tasks[LM_TASK_CLASSIFICATION]);
    CHECK_EQ_INT(golden.width, LM_GOLDEN_WIDTH_MAX);
    CHECK_EQ_INT(golden.label[3], LABELS - 1);
    lm_session_free(session);
    loaded_close(&ctx, &head);
    loaded_close(&ctx, &base);
    golden_close(&folder);
    lm_buffer_free(&json);
    lm_buffer_free(&tensors);
    lm_arena_free(&arena);
    free(letters);
    free(names);
    free(weight);
    free(bias);
}

/* Texts without a token that counts have no vector, as static embeddings do not count special ones.
 */
static void
bare_texts(void)
{
    static const struct {
        const char *folder;
        int bare; /* nothing, and for model2vec what is all of unknown words */
    } statics[] = {{"static-st", 1}, {"static-model2vec", 3}};

    for (size_t i = 0; i < sizeof statics / sizeof *statics; i++) {
        int bare = 0;
        lm_context ctx;
        golden_folder folder;
        lm_arena arena;
        lm_golden together, alone;

        lm_context_init(&ctx);
        lm_arena_init(&arena, &ctx);
        golden_open(&ctx, statics[i].folder, &folder);
        run_at(&ctx, &arena, &folder, lm_kernels_active(), false, &together);
        run_at(&ctx, &arena, &folder, lm_kernels_active(), true, &alone);
        CHECK(lm_golden_same_bits(&together, &alone));
        for (int text = 0; text < LM_GOLDEN_TEXTS; text++) {
            const float *row = together.values + text * together.width;
            bool zero = true;

            for (int at = 0; at < together.width; at++)
                zero = zero && row[at] == 0;
            bare += zero;
            CHECK(text > 0 || zero);
        }
        CHECK_EQ_INT(bare, statics[i].bare);
        golden_close(&folder);
        lm_arena_free(&arena);
    }
}

static const unit_case cases[] = {
    {"levels agree", levels_agree},
    {"bare texts", bare_texts},
    {"round trip", round_trip},
    {"differences are seen", differences_are_seen},
    {"damage is refused", damage_is_refused},
    {"wide head", wide_head},
};

UNIT_MAIN(cases)
