/*
 * test_goldens.c - every folder of models/tiny, whatever its family, against the reference's hidden
 * states and embeddings, at every kernel level that the CPU has.
 */
#include "golden.h"
#include "task/embed.h"

#define MAX_FOLDERS 128
#define MAX_WIDTH 256

static void
each_folder(void (*check)(golden_folder *folder, const char *name, const lm_kernels *kernels))
{
    static char names[MAX_FOLDERS][256];
    int count = golden_list(names, MAX_FOLDERS);

    CHECK(count >= 15);
    for (int i = 0; i < count; i++) {
        golden_folder folder;
        lm_context ctx;

        lm_context_init(&ctx);
        golden_open(&ctx, names[i], &folder);
        for (int level = 0; level < LM_LEVEL_COUNT && folder.golden; level++)
            if (lm_kernels_at((lm_level)level))
                check(&folder, names[i], lm_kernels_at((lm_level)level));
        golden_close(&folder);
    }
}

static void
rewind_files(golden_folder *folder)
{
    for (int i = 0; i < folder->files.count; i++)
        folder->files.files[i].read_to = 0;
}

static void
check_hidden(golden_folder *folder, const char *name, const lm_kernels *kernels)
{
    double tolerance = golden_tolerance(lm_json_get(folder->golden, "hidden")), error;
    golden_weights loaded;

    rewind_files(folder);
    CHECK_OK(folder->ctx, golden_load(folder, &folder->source, kernels, &loaded));
    if (!loaded.image)
        return;
    error = golden_hidden_error(folder, &loaded.weights, true);
    if (!(error <= tolerance))
        UNIT_FAIL("%s at %s: error %g, tolerance %g", name, kernels->name, error, tolerance);
    CHECK(!folder->files.went_back);
    golden_unload(folder, &loaded);
}

static void
hidden_states(void)
{
    each_folder(check_hidden);
}

static void
check_case(lm_context *ctx, lm_session *session, const lm_model *model, const char *name,
           const lm_json *each, double tolerance)
{
    const lm_json *text = lm_json_get(each, "text"), *prompt = lm_json_get(each, "prompt_name");
    const lm_embed_options options = {.prompt_name = prompt ? prompt->as.string.bytes : NULL};
    const lm_text input = {text->as.string.bytes, text->as.string.length};
    float out[MAX_WIDTH];
    double error;

    CHECK(model->info.dimensions <= MAX_WIDTH);
    CHECK_OK(ctx, lm_embed(ctx, session, model, &input, 1, &options, out, NULL));
    error = golden_distance(lm_json_get(each, "embedding"), out, (size_t)model->info.dimensions);
    if (!(error <= tolerance))
        UNIT_FAIL("%s at %s: \"%s\", prompt %s: error %g, tolerance %g", name, model->kernels->name,
                  input.bytes, options.prompt_name ? options.prompt_name : "none", error,
                  tolerance);
}

static void
check_texts(golden_folder *folder, const char *name, const lm_kernels *kernels)
{
    const lm_json *texts = lm_json_get(folder->golden, "texts");
    lm_context *ctx = folder->ctx;
    lm_model_plan *plan = NULL;
    lm_session *session;
    lm_model model;
    void *image;

    rewind_files(folder);
    CHECK_OK(ctx, lm_model_plan_make(ctx, &folder->arena, &folder->source, NULL, kernels, &plan,
                                     NULL, NULL));
    if (!plan)
        return;
    image = aligned_alloc(LM_ALIGNMENT, lm_model_plan_size(plan));
    CHECK_OK(ctx, lm_model_fill(ctx, plan, image));
    CHECK_OK(ctx, lm_model_bind(ctx, image, lm_model_plan_size(plan), &model));
    CHECK_OK(ctx, lm_session_create(ctx, &session));
    for (const lm_json *each = lm_json_get(texts, "cases")->as.items.first; each; each = each->next)
        check_case(ctx, session, &model, name, each, golden_tolerance(texts));
    CHECK(!folder->files.went_back);
    lm_session_free(session);
    lm_model_unbind(ctx, &model);
    free(image);
}

static void
embeddings(void)
{
    each_folder(check_texts);
}

static const unit_case cases[] = {
    {"hidden states", hidden_states},
    {"embeddings", embeddings},
};

UNIT_MAIN(cases)
