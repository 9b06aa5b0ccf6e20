/*
 * test_model.c - the image: it can be moved, read by several views, and a damaged one is refused.
 */
#include "golden.h"
#include "loaded.h"
#include "model/image.h"
#include "model/kinds.h"

#define WIDTH 20

static const lm_text text = {"the cat sat on the mat", 22};

static void
embed(lm_context *ctx, const lm_model *model, float out[WIDTH])
{
    lm_session *session;

    CHECK_OK(ctx, lm_session_create(ctx, &session));
    CHECK_OK(ctx, lm_embed(ctx, session, model, &text, 1,
                           &(lm_embed_options){.prompt_name = "query"}, out, NULL));
    lm_session_free(session);
}

static void
open_model(lm_context *ctx, golden_folder *folder, loaded_model *loaded)
{
    lm_context_init(ctx);
    golden_open(ctx, "bert-st5-prompt", folder);
    CHECK_OK(ctx, loaded_open(ctx, &folder->source, lm_kernels_active(), loaded));
}

static void
settings(void)
{
    golden_folder folder;
    loaded_model loaded;
    lm_context ctx;
    const lm_sentence_transformers *sentence = &loaded.model.sentence;

    open_model(&ctx, &folder, &loaded);
    CHECK_STR(loaded.model.info.kind, "encoder");
    CHECK(loaded.model.kind == &lm_kind_encoder);
    CHECK_STR(loaded.model.info.family, "bert");
    CHECK_STR(loaded.model.info.task, "embedding");
    CHECK_EQ_INT(loaded.model.info.dimensions, WIDTH);
    CHECK_EQ_INT(loaded.model.info.max_tokens, 16);
    CHECK_EQ_INT(loaded.model.info.label_count, 0);
    CHECK(sentence->present && sentence->normalize && !sentence->include_prompt);
    CHECK_EQ_INT(sentence->pooling, LM_POOL_MEAN);
    CHECK_EQ_INT(sentence->prompt_count, 2);
    CHECK_STR(sentence->prompts[0].name, "query");
    CHECK_STR(sentence->prompts[0].text, "query: ");
    CHECK_STR(sentence->prompts[1].text, "");
    CHECK_STR(sentence->default_prompt, "query");
    CHECK(!lm_model_needs_base(&loaded.model) && !loaded.model.base);
    CHECK(!lm_model_head(&loaded.model));
    loaded_close(&ctx, &loaded);
    golden_close(&folder);
}

/* Two copies at other addresses serve after the original is gone, and serve the same bits. */
static void
relocation(void)
{
    golden_folder folder;
    loaded_model loaded;
    lm_context ctx;
    lm_model views[2];
    void *copies[2];
    float wanted[WIDTH], got[WIDTH];

    open_model(&ctx, &folder, &loaded);
    embed(&ctx, &loaded.model, wanted);
    for (int i = 0; i < 2; i++) {
        copies[i] = aligned_alloc(LM_ALIGNMENT, loaded.size);
        memcpy(copies[i], loaded.image, loaded.size);
    }
    memset(loaded.image, 0xff, loaded.size);
    for (int i = 0; i < 2; i++)
        CHECK_OK(&ctx, lm_model_bind(&ctx, copies[i], loaded.size, &views[i]));
    for (int i = 0; i < 2; i++) {
        embed(&ctx, &views[i], got);
        CHECK(memcmp(wanted, got, sizeof got) == 0);
        lm_model_unbind(&ctx, &views[i]);
        free(copies[i]);
    }
    loaded_close(&ctx, &loaded);
    golden_close(&folder);
}

/* Every byte of the header and of the sections' heads, one after the other; bind must not fault. */
static void
damaged_images(void)
{
    golden_folder folder;
    loaded_model loaded;
    lm_image_header header;
    lm_context ctx;
    int refused = 0, count = 0;

    open_model(&ctx, &folder, &loaded);
    memcpy(&header, loaded.image, sizeof header);
    CHECK_EQ_INT(header.count, 4);
    for (int section = -1; section < (int)header.count; section++) {
        size_t start = section < 0 ? 0 : (size_t)header.sections[section].offset;
        size_t size = section < 0 ? sizeof header : (size_t)header.sections[section].size;

        for (size_t at = start; at < start + size && at < start + 160; at++) {
            unsigned char *byte = (unsigned char *)loaded.image + at, old = *byte;
            lm_model view;

            *byte ^= 0xa5;
            count++;
            if (lm_model_bind(&ctx, loaded.image, loaded.size, &view) == LM_OK)
                lm_model_unbind(&ctx, &view);
            else
                refused++;
            *byte = old;
        }
    }
    CHECK(count > 400);
    CHECK(refused > 100);
    loaded_close(&ctx, &loaded);
    golden_close(&folder);
}

static void
refused_with(lm_context *ctx, const loaded_model *loaded, const lm_image_header *header)
{
    lm_image_header old;
    lm_model view;

    memcpy(&old, loaded->image, sizeof old);
    memcpy(loaded->image, header, sizeof *header);
    CHECK(lm_model_bind(ctx, loaded->image, loaded->size, &view) != LM_OK);
    memcpy(loaded->image, &old, sizeof old);
}

/* A section that is missing, there twice, unknown, or of another layout; too many of them. */
static void
other_sections(void)
{
    golden_folder folder;
    loaded_model loaded;
    lm_image_header sound, damaged;
    lm_context ctx;

    open_model(&ctx, &folder, &loaded);
    memcpy(&sound, loaded.image, sizeof sound);
    for (uint32_t count = 0; count < sound.count; count++) {
        damaged = sound;
        damaged.count = count;
        refused_with(&ctx, &loaded, &damaged);
    }
    damaged = sound;
    damaged.count = LM_IMAGE_SECTIONS + 1;
    refused_with(&ctx, &loaded, &damaged);
    for (uint32_t i = 0; i < sound.count; i++) {
        damaged = sound;
        damaged.sections[i].id = LM_SECTION_COUNT;
        refused_with(&ctx, &loaded, &damaged);
        damaged = sound;
        damaged.sections[i].layout++;
        refused_with(&ctx, &loaded, &damaged);
        damaged = sound;
        damaged.sections[i].id = sound.sections[(i + 1) % sound.count].id;
        refused_with(&ctx, &loaded, &damaged);
        damaged = sound;
        damaged.sections[damaged.count++] = sound.sections[i];
        refused_with(&ctx, &loaded, &damaged);
    }
    loaded_close(&ctx, &loaded);
    golden_close(&folder);
}

/* The settings name a kind that nobody knows. */
static void
other_kind(void)
{
    golden_folder folder;
    loaded_model loaded;
    lm_context ctx;
    lm_model view;
    char *kind;

    open_model(&ctx, &folder, &loaded);
    kind = (char *)(uintptr_t)loaded.model.info.kind;
    kind[0] = 'x';
    CHECK_EQ_INT(lm_model_bind(&ctx, loaded.image, loaded.size, &view), LM_INTERNAL);
    kind[0] = 'e';
    loaded_close(&ctx, &loaded);
    golden_close(&folder);
}

static void
short_images(void)
{
    golden_folder folder;
    loaded_model loaded;
    lm_context ctx;
    lm_model view;

    open_model(&ctx, &folder, &loaded);
    for (size_t size = 0; size < loaded.size; size += LM_ALIGNMENT)
        CHECK_EQ_INT(lm_model_bind(&ctx, loaded.image, size, &view), LM_INTERNAL);
    loaded_close(&ctx, &loaded);
    golden_close(&folder);
}

/* The image's window is its maker's; whoever binds it may set one that the model has room for. */
static void
windows(void)
{
    golden_folder folder;
    loaded_model loaded;
    lm_context ctx;
    int most;

    open_model(&ctx, &folder, &loaded);
    most = lm_weights_dims(lm_model_weights(&loaded.model))->window;
    CHECK_OK(&ctx, lm_model_set_window(&ctx, &loaded.model, most));
    CHECK_EQ_INT(loaded.model.info.max_tokens, most);
    CHECK_OK(&ctx, lm_model_set_window(&ctx, &loaded.model, 3));
    for (int bad = -1; bad < 3; bad++)
        CHECK_EQ_INT(lm_model_set_window(&ctx, &loaded.model, bad), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(lm_model_set_window(&ctx, &loaded.model, most + 1), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(loaded.model.info.max_tokens, 3);
    loaded_close(&ctx, &loaded);
    golden_close(&folder);
}

/* What import says of a model before anything is loaded. */
static void
plan_info(void)
{
    static const lm_model_options options = {.max_tokens = 9};
    golden_folder folder;
    lm_model_plan *plan = NULL;
    lm_notes notes;
    lm_model_info info;
    lm_context ctx;

    lm_context_init(&ctx);
    lm_notes_init(&notes, false);
    golden_open(&ctx, "bert-gamma", &folder);
    CHECK_OK(&ctx, lm_model_plan_make(&ctx, &folder.arena, &folder.source, &options,
                                      lm_kernels_active(), &plan, &info, &notes));
    CHECK_STR(info.family, "bert");
    CHECK_EQ_INT(info.dimensions, 36);
    CHECK_EQ_INT(info.max_tokens, 9);
    CHECK_EQ_INT(notes.count, 0);
    CHECK_STR(info.kind, "encoder");
    CHECK_STR(info.details,
              "{\"hidden\": 36, \"layers\": 1, \"vocabulary\": 88, \"positions\": 24, "
              "\"pooling\": \"mean\", \"normalize\": false}");
    /* Query, key, value and what follows them; there and back in the inner layer. */
    CHECK_EQ_INT(info.flops_per_token, 2 * (4 * 36 * 36 + 2 * 7 * 36));
    /* Embeddings 88 + 24 + 2 rows; four square matrices; 7 wide inside; the pooler. */
    CHECK_EQ_INT(info.parameters,
                 36 * (88 + 24 + 2 + 2) + 4 * 36 * 37 + 2 * 2 * 36 + 7 * 37 + 36 * 8 + 36 * 37);
    golden_close(&folder);
}

/* Layers that share weights are counted once as parameters, and each time as work; so are steps. */
static void
other_info(void)
{
    static const struct {
        const char *folder, *details;
        uint64_t flops, parameters;
    } wanted[] = {
        {"albert",
         "{\"hidden\": 36, \"layers\": 3, \"vocabulary\": 83, \"positions\": 24, "
         "\"pooling\": \"mean\", \"normalize\": false}",
         2 * (36 * 12 + 3 * (4 * 36 * 36 + 2 * 7 * 36)),
         12 * (83 + 24 + 2 + 2) + 36 * 13 + 4 * 36 * 37 + 2 * 2 * 36 + 7 * 37 + 36 * 8},
        {"bert-st6-steps",
         "{\"hidden\": 20, \"layers\": 1, \"vocabulary\": 83, \"positions\": 24, "
         "\"pooling\": \"max, cls, mean_sqrt_len_tokens\", "
         "\"modules\": \"Normalize, Dense, LayerNorm, Dense, Dense\", \"normalize\": true}",
         2 * (4 * 20 * 20 + 2 * 9 * 20),
         20 * (83 + 24 + 2 + 2) + 4 * 20 * 21 + 2 * 2 * 20 + 9 * 21 + 20 * 10 + 20 * 21 + 60 * 14 +
             2 * 14 + 14 * 15 + 9 * 15 + 9 * 14},
    };

    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        golden_folder folder;
        lm_model_plan *plan = NULL;
        lm_model_info info = {.details = ""};
        lm_context ctx;

        lm_context_init(&ctx);
        golden_open(&ctx, wanted[i].folder, &folder);
        CHECK_OK(&ctx, lm_model_plan_make(&ctx, &folder.arena, &folder.source, NULL,
                                          lm_kernels_active(), &plan, &info, NULL));
        CHECK_STR(info.details, wanted[i].details);
        CHECK_EQ_INT(info.flops_per_token, wanted[i].flops);
        CHECK_EQ_INT(info.parameters, wanted[i].parameters);
        golden_close(&folder);
    }
}

static const unit_case cases[] = {
    {"other info", other_info},     {"settings", settings},
    {"relocation", relocation},     {"damaged images", damaged_images},
    {"short images", short_images}, {"other sections", other_sections},
    {"other kind", other_kind},     {"windows", windows},
    {"plan info", plan_info},
};

UNIT_MAIN(cases)
