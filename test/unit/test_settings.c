/*
 * test_settings.c - the settings section of an image: what is written is read, no append may be
 * lost, and a damaged section is refused.
 */
#include "fake.h"
#include "unit.h"

#include "model/settings.h"

static const char *const labels[] = {"dog", "cat"};
static const lm_prompt prompts[] = {{"query", "q: "}, {"passage", "p: "}};

static const lm_model_info info = {
    .kind = "head",
    .family = "bert",
    .task = "classification",
    .details = "{}",
    .flops_per_token = 77,
    .dimensions = 4,
    .max_tokens = 8,
    .parameters = 99,
    .scoring = LM_SCORING_SIGMOID,
    .label_count = 2,
    .labels = labels,
};
static const lm_sentence_transformers sentence = {
    .present = true,
    .pooling = LM_POOL_MEAN,
    .prompts = prompts,
    .prompt_count = 2,
    .default_prompt = "query",
};

/* The section, written into a buffer that holds `room` bytes, of which one is taken. */
static lm_status
write_into(size_t room, char **data, size_t *size)
{
    fake_memory memory = {.fail_at = 1, .fail_on = true};
    lm_context ctx;
    lm_buffer out;
    lm_status status;

    fake_context(&ctx, &memory);
    out = (lm_buffer){.ctx = &ctx, .data = malloc(room), .size = 0, .capacity = room};
    status = lm_settings_write(&out, &info, &sentence);
    *data = out.data;
    *size = out.size;
    return status;
}

static void
test_write_and_read(void)
{
    fake_memory memory = {0};
    lm_model model = {0};
    lm_status status;
    lm_context ctx;
    void *owned;
    size_t size, room = 0;
    char *data;

    do {
        status = write_into(++room, &data, &size);
        CHECK(status == LM_OK || status == LM_NO_MEMORY);
        if (status != LM_OK)
            free(data);
    } while (status == LM_NO_MEMORY && room < 1000);
    CHECK_EQ_INT(room, size);
    fake_context(&ctx, &memory);
    CHECK_OK(&ctx, lm_settings_read(&ctx, data, size, &model, &owned));
    CHECK_STR(model.info.kind, "head");
    CHECK_STR(model.info.family, "bert");
    CHECK_STR(model.info.details, "{}");
    CHECK_EQ_INT(model.info.flops_per_token, 77);
    CHECK_STR(model.info.labels[1], "cat");
    CHECK_EQ_INT(model.info.scoring, LM_SCORING_SIGMOID);
    CHECK_STR(model.sentence.prompts[1].text, "p: ");
    CHECK_STR(model.sentence.default_prompt, "query");
    lm_free(&ctx, owned);
    memory = (fake_memory){.fail_at = 1};
    CHECK_EQ_INT(lm_settings_read(&ctx, data, size, &model, &owned), LM_NO_MEMORY);
    free(data);
}

/* Every byte of the section in turn is changed: what is read still lies inside it, or nothing is.
 */
static void
test_damage(void)
{
    size_t size;
    char *data;
    int refused = 0;

    CHECK_EQ_INT(write_into(1000, &data, &size), LM_OK);
    for (size_t at = 0; at < size; at++)
        for (int bit = 0; bit < 8; bit++) {
            char *copy = malloc(size);
            fake_memory memory = {0};
            lm_model model = {0};
            lm_context ctx;
            void *owned;

            fake_context(&ctx, &memory);
            memcpy(copy, data, size);
            copy[at] = (char)(copy[at] ^ 1 << bit);
            if (lm_settings_read(&ctx, copy, size, &model, &owned) == LM_OK) {
                for (int i = 0; i < model.info.label_count; i++)
                    CHECK(!model.info.labels[i] || strlen(model.info.labels[i]) < size);
                lm_free(&ctx, owned);
            } else
                refused++;
            CHECK_EQ_INT(memory.live, 0);
            free(copy);
        }
    CHECK(refused > 100);
    free(data);
}

static void
test_cut_short(void)
{
    lm_model model = {0};
    lm_context ctx;
    void *owned;
    size_t size;
    char *data;

    CHECK_EQ_INT(write_into(1000, &data, &size), LM_OK);
    lm_context_init(&ctx);
    for (size_t cut = 0; cut < size; cut++) {
        char *copy = malloc(cut + 1);

        memcpy(copy, data, cut);
        CHECK_EQ_INT(lm_settings_read(&ctx, copy, cut, &model, &owned), LM_INTERNAL);
        free(copy);
    }
    free(data);
}

static const unit_case cases[] = {
    {"write_and_read", test_write_and_read},
    {"damage", test_damage},
    {"cut_short", test_cut_short},
};

UNIT_MAIN(cases)
