/*
 * test_steps.c - modules behind pooling: activations against torch's, weights that the goldens must
 * see, and what does not fit together. That embeddings are the reference's is test_goldens'.
 */
#include "golden_scores.h"
#include "nn/pointwise.h"

/* ---- Activations ---- */

static const lm_json *
read_pointwise(lm_context *ctx, golden_folder *folder)
{
    const lm_json *root = NULL;
    const fake_file *file;

    memset(folder, 0, sizeof *folder);
    lm_arena_init(&folder->arena, ctx);
    golden_add_file(folder, "test/golden/pointwise.json", "pointwise.json");
    file = &folder->files.files[0];
    CHECK_OK(ctx, lm_json_parse(ctx, &folder->arena, file->data, file->size, "", &root));
    return root;
}

/* Every class at every number, and no class without a row. */
static void
pointwise(void)
{
    golden_folder folder;
    lm_context ctx;
    const lm_json *root, *names;
    float x[64];
    size_t count = 0;

    lm_context_init(&ctx);
    root = read_pointwise(&ctx, &folder);
    if (!root)
        return;
    for (const lm_json *each = lm_json_get(root, "x")->as.items.first; each; each = each->next)
        x[count++] = (float)each->as.number;
    names = lm_json_get(root, "values");
    CHECK(count > 10 && names);
    CHECK_EQ_INT(lm_pointwise_find("Softmax"), -1);
    for (const lm_json *each = names->as.items.first; each; each = each->next) {
        int found = lm_pointwise_find(each->key);
        size_t i = 0;

        CHECK(found >= 0);
        for (const lm_json *y = each->as.items.first; y && found >= 0; y = y->next, i++)
            if (!(fabs(y->as.number - lm_pointwises[found].of(x[i])) <=
                  1e-6 * fmax(1, fabs(y->as.number))))
                UNIT_FAIL("%s of %g: %g, wanted %g", each->key, x[i], lm_pointwises[found].of(x[i]),
                          y->as.number);
        CHECK_EQ_INT(i, count);
    }
    CHECK(!lm_pointwises[names->as.items.count].name);
    lm_arena_free(&folder.arena);
}

/* ---- Pipelines ---- */

/* Largest error of the embeddings, each of which has the same bits alone as among all. */
static double
embedding_error(golden_folder *folder, const lm_model *model)
{
    const lm_json *cases = lm_json_get(lm_json_get(folder->golden, "texts"), "cases");
    size_t width = (size_t)model->info.dimensions, count = 0, i = 0;
    lm_text texts[GOLDEN_CASES];
    float all[GOLDEN_CASES * 64], alone[64];
    const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    lm_session *session;
    double worst = 0;

    CHECK(width <= 64 && cases->as.items.count <= GOLDEN_CASES);
    CHECK_OK(folder->ctx, lm_session_create(folder->ctx, &session));
    for (const lm_json *each = cases->as.items.first; each; each = each->next) {
        const lm_json *text = lm_json_get(each, "text");

        texts[count++] = (lm_text){text->as.string.bytes, text->as.string.length};
    }
    CHECK_OK(folder->ctx, lm_embed(folder->ctx, session, model, texts, count, &options, all, NULL));
    for (const lm_json *each = cases->as.items.first; each; each = each->next, i++) {
        CHECK_OK(folder->ctx,
                 lm_embed(folder->ctx, session, model, &texts[i], 1, &options, alone, NULL));
        CHECK(memcmp(alone, all + i * width, width * sizeof *alone) == 0);
        if (!lm_json_get(each, "prompt_name"))
            worst = fmax(worst, golden_distance(lm_json_get(each, "embedding"), alone, width));
    }
    lm_session_free(session);
    return worst;
}

/* Something that is put in the place of a text in one of the files. */
typedef struct edit {
    const char *file, *from, *to;
} edit;

static void
change_text(golden_folder *folder, const edit *e)
{
    fake_file *file = fake_find(&folder->files, e->file);
    const char *hit = file ? strstr(file->data, e->from) : NULL;
    char *head;

    if (!hit) {
        UNIT_FAIL("%s has no %s", e->file, e->from);
        return;
    }
    head = lm_arena_copy(&folder->arena, file->data, (size_t)(hit - file->data));
    file->data = golden_join(folder, head, e->to, hit + strlen(e->from));
    file->size = strlen(file->data);
}

static void
change_tensor(golden_folder *folder, const char *in, const char *name)
{
    lm_tensors tensors = {.count = 0};
    const lm_tensor *tensor;
    char *data;

    CHECK_OK(folder->ctx,
             lm_tensors_open(folder->ctx, &folder->arena, &folder->source, in, &tensors));
    tensor = lm_tensors_find(&tensors, name);
    CHECK(tensor);
    if (!tensor)
        return;
    data = (char *)(uintptr_t)fake_find(&folder->files, tensor->file)->data + tensor->offset;
    memset(data, 0, (size_t)tensor->bytes);
    for (int i = 0; i < folder->files.count; i++)
        folder->files.files[i].read_to = 0;
}

#define STEPS "bert-st6-steps"

/* Leaves something out; the embeddings must differ, but for the first. */
static const struct {
    const char *folder, *in, *tensor; /* set to zero; NULL: none */
    edit edit;                        /* file NULL: none */
} mutations[] = {
    {STEPS, NULL, NULL, {NULL, NULL, NULL}},
    {STEPS, "3_Dense", "linear.weight", {NULL, NULL, NULL}},
    {STEPS, "4_LayerNorm", "norm.weight", {NULL, NULL, NULL}},
    {STEPS, "4_LayerNorm", "norm.bias", {NULL, NULL, NULL}},
    {STEPS, "6_Dense", "linear.bias", {NULL, NULL, NULL}},
    {STEPS, "7_Dense", "residual.weight", {NULL, NULL, NULL}},
    {STEPS, NULL, NULL, {"3_Dense/config.json", ".GELU", ".ReLU"}},
    {STEPS, NULL, NULL, {"6_Dense/config.json", ".Sigmoid", ".Tanh"}},
    {STEPS, NULL, NULL, {"6_Dense/config.json", "true\n}", "false\n}"}},
    {STEPS, NULL, NULL, {"1_Pooling/config.json", "\"max\"", "\"mean\""}},
    {STEPS, NULL, NULL, {"modules.json", "modules.normalize.Normalize", "modules.dropout.Dropout"}},
    {"bert-st6-labse", "2_Dense", "linear.bias", {NULL, NULL, NULL}},
    {"bert-st5-flags", NULL, NULL, {"1_Pooling/config.json", "cls_token\": true", "x\": false"}},
};

static void
mutate(size_t i)
{
    golden_folder folder;
    loaded_model loaded;
    lm_context ctx;
    double error = 0, tolerance;

    lm_context_init(&ctx);
    golden_open(&ctx, mutations[i].folder, &folder);
    if (mutations[i].tensor)
        change_tensor(&folder, mutations[i].in, mutations[i].tensor);
    if (mutations[i].edit.file)
        change_text(&folder, &mutations[i].edit);
    CHECK_OK(&ctx, loaded_open(&ctx, &folder.source, lm_kernels_at(LM_LEVEL_SCALAR), &loaded));
    if (loaded.image) {
        CHECK(!folder.files.went_back);
        error = embedding_error(&folder, &loaded.model);
        loaded_close(&ctx, &loaded);
    }
    tolerance = golden_tolerance(lm_json_get(folder.golden, "texts"));
    if (i == 0 ? !(error <= tolerance) : !(error > 3 * tolerance))
        UNIT_FAIL("mutation %zu of %s: error %g, tolerance %g", i, mutations[i].folder, error,
                  tolerance);
    golden_close(&folder);
}

static void
goldens_see(void)
{
    for (size_t i = 0; i < sizeof mutations / sizeof mutations[0]; i++)
        mutate(i);
}

/* ---- Refusals ---- */

static const struct {
    edit edit;
    lm_status status;
    const char *file, *key, *found;
} refusals[] = {
    {{"3_Dense/config.json", "\"in_features\": 60", "\"in_features\": 61"},
     LM_BAD_MODEL,
     "3_Dense/config.json",
     "in_features",
     "61"},
    {{"3_Dense/config.json", "\"in_features\": 60", "\"in_features\": 0"},
     LM_BAD_MODEL,
     "3_Dense/config.json",
     "in_features",
     "0"},
    {{"3_Dense/config.json", "\"in_features\"", "\"features\""},
     LM_BAD_MODEL,
     "3_Dense/config.json",
     "in_features",
     NULL},
    {{"3_Dense/config.json", "\"out_features\": 14", "\"out_features\": 15"},
     LM_BAD_MODEL,
     "3_Dense/model.safetensors",
     "linear.weight",
     NULL},
    {{"3_Dense/config.json", "\"bias\": false", "\"bias\": true"},
     LM_BAD_MODEL,
     "3_Dense/model.safetensors",
     "linear.bias",
     NULL},
    {{"3_Dense/config.json", ".GELU", ".Softmax"},
     LM_UNSUPPORTED,
     "3_Dense/config.json",
     "activation_function",
     "Softmax"},
    {{"3_Dense/config.json", "\"module_input_name\": \"sentence_embedding\"",
      "\"module_input_name\": \"token_embeddings\""},
     LM_UNSUPPORTED,
     "3_Dense/config.json",
     "module_input_name",
     NULL},
    {{"4_LayerNorm/config.json", "14", "13"},
     LM_BAD_MODEL,
     "4_LayerNorm/config.json",
     "dimension",
     "13"},
    {{"1_Pooling/config.json", "\"max\"", "\"median\""},
     LM_UNSUPPORTED,
     "1_Pooling/config.json",
     "pooling_mode",
     NULL},
};

static void
misfits(void)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        golden_folder folder;
        loaded_model loaded;
        lm_context ctx;

        lm_context_init(&ctx);
        golden_open(&ctx, STEPS, &folder);
        change_text(&folder, &refusals[i].edit);
        CHECK_EQ_INT(loaded_open(&ctx, &folder.source, lm_kernels_at(LM_LEVEL_SCALAR), &loaded),
                     refusals[i].status);
        CHECK_STR(ctx.error.file, refusals[i].file);
        CHECK_STR(ctx.error.key, refusals[i].key);
        if (refusals[i].found)
            CHECK_STR(ctx.error.found, refusals[i].found);
        golden_close(&folder);
    }
}

/* The weights of a module are among the model's files, and must be there. */
static void
files(void)
{
    golden_folder folder;
    loaded_model loaded;
    lm_file_list list;
    lm_context ctx;
    bool listed = false;

    lm_context_init(&ctx);
    golden_open(&ctx, "bert-st6-labse", &folder);
    CHECK_OK(&ctx, lm_checkpoint_list(&ctx, &folder.arena, &folder.source, &list));
    for (size_t i = 0; i < list.count; i++)
        listed |= strcmp(list.names[i], "2_Dense/model.safetensors") == 0;
    CHECK(listed);
    fake_find(&folder.files, "2_Dense/model.safetensors")->name = "2_Dense/model.bin";
    CHECK_EQ_INT(lm_checkpoint_list(&ctx, &folder.arena, &folder.source, &list), LM_NO_FILE);
    CHECK_STR(ctx.error.file, "2_Dense/model.safetensors");
    CHECK_EQ_INT(loaded_open(&ctx, &folder.source, lm_kernels_at(LM_LEVEL_SCALAR), &loaded),
                 LM_NO_FILE);
    golden_close(&folder);
}

/* Each bit of the section's numbers: bind refuses, or what it views lies in the image. */
static void
damaged_section(void)
{
    golden_folder folder;
    loaded_model loaded;
    lm_context ctx;
    int refused = 0;

    lm_context_init(&ctx);
    golden_open(&ctx, STEPS, &folder);
    CHECK_OK(&ctx, loaded_open(&ctx, &folder.source, lm_kernels_at(LM_LEVEL_SCALAR), &loaded));
    if (loaded.image) {
        const lm_steps *steps = lm_model_steps(&loaded.model);
        const float *weight = steps->items[1].weight;
        unsigned char *section = (unsigned char *)(uintptr_t)weight;

        CHECK_EQ_INT(steps->count, 5);
        CHECK_EQ_INT(steps->widest, 60);
        while (section > (unsigned char *)loaded.image &&
               memcmp(section, (uint32_t[]){3, 5}, 2 * sizeof(uint32_t)) != 0)
            section -= LM_ALIGNMENT;
        for (size_t at = 0; at < 2 * sizeof(uint32_t); at++)
            for (int bit = 4; bit < 8; bit++) {
                lm_model view;

                section[at] ^= (unsigned char)(1 << bit);
                refused += lm_model_bind(&ctx, loaded.image, loaded.size, &view) == LM_INTERNAL;
                section[at] ^= (unsigned char)(1 << bit);
            }
        CHECK_EQ_INT(refused, 32);
        loaded_close(&ctx, &loaded);
    }
    golden_close(&folder);
}

/* ---- Faults, and calls that are warm ---- */

static const lm_text sentence = {"the cat sat", 11};

/* Load and embed. Whether it came through; else the status must be `wanted`. */
static bool
run_once(golden_folder *folder, lm_context *ctx, lm_status wanted)
{
    const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    lm_session *session = NULL;
    loaded_model loaded;
    float out[64];
    lm_status status;

    for (int i = 0; i < folder->files.count; i++)
        folder->files.files[i].read_to = 0;
    status = loaded_open(ctx, &folder->source, lm_kernels_at(LM_LEVEL_SCALAR), &loaded);
    if (status == LM_OK) {
        status = lm_session_create(ctx, &session);
        if (status == LM_OK)
            status = lm_embed(ctx, session, &loaded.model, &sentence, 1, &options, out, NULL);
        lm_session_free(session);
        loaded_close(ctx, &loaded);
    }
    CHECK(status == LM_OK || status == wanted);
    return status == LM_OK;
}

/* The n-th allocation fails, then the n-th read. */
static void
faults(void)
{
    fake_memory memory = {0};
    golden_folder folder;
    lm_context plain, ctx;
    int n = 0;

    lm_context_init(&plain);
    golden_open(&plain, STEPS, &folder);
    fake_context(&ctx, &memory);
    do {
        memory.calls = 0;
        memory.fail_at = ++n;
    } while (!run_once(&folder, &ctx, LM_NO_MEMORY) && n < 5000);
    CHECK(n > 20 && n < 5000);
    CHECK_EQ_INT(memory.live, 0);
    n = 0;
    do {
        folder.files.calls = 0;
        folder.files.fail_at = ++n;
    } while (!run_once(&folder, &plain, LM_IO_ERROR) && n < 1000);
    CHECK(n > 30 && n < 1000);
    golden_close(&folder);
}

/* The second call allocates nothing; the mean over windows is normalised as each of them is. */
static void
warm_and_long(void)
{
    static char text[] = "the cat sat on the mat and the cat sat on the mat and the cat sat again";
    const lm_embed_options options = {.on_long = LM_LONG_MEAN};
    const lm_text input = {text, sizeof text - 1};
    fake_memory memory = {0};
    golden_folder folder;
    loaded_model loaded;
    lm_session *session;
    lm_context plain, ctx;
    float out[64];
    double sum = 0;
    int calls;

    lm_context_init(&plain);
    golden_open(&plain, STEPS, &folder);
    fake_context(&ctx, &memory);
    CHECK_OK(&ctx, loaded_open(&ctx, &folder.source, lm_kernels_at(LM_LEVEL_SCALAR), &loaded));
    CHECK_OK(&ctx, lm_session_create(&ctx, &session));
    CHECK_OK(&ctx, lm_embed(&ctx, session, &loaded.model, &input, 1, &options, out, NULL));
    calls = memory.calls;
    CHECK_OK(&ctx, lm_embed(&ctx, session, &loaded.model, &input, 1, &options, out, NULL));
    CHECK_EQ_INT(memory.calls, calls);
    CHECK_EQ_INT(loaded.model.info.dimensions, 9);
    for (int i = 0; i < 9; i++)
        sum += (double)out[i] * out[i];
    CHECK_NEAR(sum, 1, 1e-6);
    lm_session_free(session);
    loaded_close(&ctx, &loaded);
    golden_close(&folder);
}

static const unit_case cases[] = {
    {"faults", faults},
    {"warm and long", warm_and_long},
    {"activations", pointwise},
    {"goldens see", goldens_see},
    {"misfits", misfits},
    {"files", files},
    {"damaged section", damaged_section},
};

UNIT_MAIN(cases)
