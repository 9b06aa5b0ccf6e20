/*
 * test_goldens.c - every folder of models/tiny, whatever its family, against what its golden.json
 * has of the reference: hidden states, embeddings, scores; at every kernel level that the CPU has.
 */
#include "golden_scores.h"

#define MAX_FOLDERS 256
#define MAX_WIDTH 256

/* Whether a folder goes through a level: all that the CPU has, or with a stride one each in turn.
 */
static bool
takes_level(int folder, int level)
{
    int before = 0, all = 0;

    for (int i = 0; i < LM_LEVEL_COUNT; i++) {
        all += lm_kernels_at((lm_level)i) != NULL;
        before += i < level && lm_kernels_at((lm_level)i);
    }
    return lm_kernels_at((lm_level)level) &&
           (unit_stride() == 1 || ((size_t)folder + unit_turn()) % (size_t)all == (size_t)before);
}

/* Those whose golden.json has the section: static embeddings have no hidden states. */
static void
each_folder(const char *section,
            void (*check)(golden_folder *folder, const char *name, const lm_kernels *kernels))
{
    static char names[MAX_FOLDERS][256];
    int count = golden_list(names, MAX_FOLDERS);

    CHECK(count >= 15);
    for (int i = 0; i < count; i++) {
        golden_folder folder;
        lm_context ctx;

        lm_context_init(&ctx);
        golden_open(&ctx, names[i], &folder);
        for (int level = 0; level < LM_LEVEL_COUNT && lm_json_get(folder.golden, section); level++)
            if (takes_level(i, level))
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
    each_folder("hidden", check_hidden);
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

/* Of a model with a head, too, the reference's embedding is that of the encoder. */
static const lm_model_options embedding = {.as_embedding = true};

/* Weights behind a Router are read by each of its ways. */
static bool
reads_twice(const char *name)
{
    return strcmp(name, "router-layers") == 0;
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
    CHECK_OK(ctx, lm_model_plan_make(ctx, &folder->arena, &folder->source, &embedding, kernels,
                                     &plan, NULL, NULL));
    if (!plan)
        return;
    image = aligned_alloc(LM_ALIGNMENT, lm_model_plan_size(plan));
    CHECK_OK(ctx, lm_model_fill(ctx, plan, image));
    CHECK_OK(ctx, lm_model_bind(ctx, image, lm_model_plan_size(plan), &model));
    CHECK_OK(ctx, lm_session_create(ctx, &session));
    for (const lm_json *each = lm_json_get(texts, "cases")->as.items.first; each; each = each->next)
        check_case(ctx, session, &model, name, each, golden_tolerance(texts));
    CHECK(!folder->files.went_back || reads_twice(name));
    lm_session_free(session);
    lm_model_unbind(ctx, &model);
    free(image);
}

/* As a query and as a document: prompts and routes of their own. */
static void
check_sides(golden_folder *folder, const char *name, const lm_kernels *kernels)
{
    static const char *const keys[LM_SIDE_COUNT] = {NULL, "query", "document"};
    const lm_json *section = lm_json_get(folder->golden, "sides");
    lm_context *ctx = folder->ctx;
    loaded_model loaded;
    lm_session *session;

    rewind_files(folder);
    CHECK_OK(ctx, loaded_open(ctx, &folder->source, kernels, &loaded));
    CHECK_OK(ctx, lm_session_create(ctx, &session));
    for (const lm_json *each = lm_json_get(section, "cases")->as.items.first; each;
         each = each->next)
        for (lm_side side = LM_SIDE_QUERY; side < LM_SIDE_COUNT; side++) {
            const lm_json *text = lm_json_get(each, "text");
            const lm_text input = {text->as.string.bytes, text->as.string.length};
            const lm_embed_options options = {.side = side};
            float out[MAX_WIDTH];
            double error;

            CHECK_OK(ctx, lm_embed(ctx, session, &loaded.model, &input, 1, &options, out, NULL));
            error = golden_distance(lm_json_get(each, keys[side]), out,
                                    (size_t)loaded.model.info.dimensions);
            if (!(error <= 1e-5))
                UNIT_FAIL("%s at %s: %s \"%s\": error %g", name, kernels->name, keys[side],
                          input.bytes, error);
        }
    CHECK(!folder->files.went_back || reads_twice(name));
    lm_session_free(session);
    loaded_close(ctx, &loaded);
}

static void
sides(void)
{
    each_folder("sides", check_sides);
}

static void
embeddings(void)
{
    each_folder("texts", check_texts);
}

/*
 * Cosines to the reference's embeddings at 16 and at 8 bits. Rows of 20 numbers with weights far
 * from small are harsh on int8: each has its own 255 steps, but errors do not average out as they
 * do over hundreds of columns.
 */
static const double least_cosine[LM_PRECISION_COUNT] = {
    [LM_PRECISION_BF16] = .999, [LM_PRECISION_INT8] = .99};
static double lowest[LM_PRECISION_COUNT];

/* One text, at one precision. */
static double
cosine_of_case(lm_context *ctx, lm_session *session, const lm_model *model, const lm_json *each)
{
    const lm_json *text = lm_json_get(each, "text"), *prompt = lm_json_get(each, "prompt_name");
    const lm_embed_options options = {.prompt_name = prompt ? prompt->as.string.bytes : NULL};
    const lm_text input = {text->as.string.bytes, text->as.string.length};
    double ab = 0, aa = 0, bb = 0;
    float out[MAX_WIDTH];
    size_t i = 0;

    CHECK_OK(ctx, lm_embed(ctx, session, model, &input, 1, &options, out, NULL));
    for (const lm_json *wanted = lm_json_get(each, "embedding")->as.items.first; wanted;
         wanted = wanted->next, i++) {
        ab += wanted->as.number * out[i];
        aa += wanted->as.number * wanted->as.number;
        bb += (double)out[i] * out[i];
    }
    return ab / sqrt(aa * bb);
}

static void
check_precision(golden_folder *folder, const lm_kernels *kernels, lm_precision precision)
{
    const lm_model_options options = {.as_embedding = true, .precision = precision};
    const lm_json *texts = lm_json_get(folder->golden, "texts");
    lm_context *ctx = folder->ctx;
    loaded_model loaded;
    lm_session *session;

    if (!texts) /* it has no embeddings */
        return;
    rewind_files(folder);
    CHECK_OK(ctx, loaded_open_with(ctx, &folder->source, &options, kernels, &loaded));
    if (!loaded.image)
        return;
    CHECK_OK(ctx, lm_session_create(ctx, &session));
    for (const lm_json *each = lm_json_get(texts, "cases")->as.items.first; each; each = each->next)
        lowest[precision] =
            fmin(lowest[precision], cosine_of_case(ctx, session, &loaded.model, each));
    lm_session_free(session);
    loaded_close(ctx, &loaded);
}

static void
check_precisions(golden_folder *folder, const char *name, const lm_kernels *kernels)
{
    for (lm_precision precision = LM_PRECISION_BF16; precision < LM_PRECISION_COUNT; precision++) {
        lowest[precision] = 1;
        check_precision(folder, kernels, precision);
        if (!(lowest[precision] >= least_cosine[precision]))
            UNIT_FAIL("%s at %s, %s: cosine %.6f, wanted %g", name, kernels->name,
                      lm_precision_name(precision), lowest[precision], least_cosine[precision]);
    }
}

static void
precisions(void)
{
    each_folder("hidden", check_precisions);
}

/* Probabilities of the other precisions, for which the encoder's embedding is as above. */
static const double score_error[LM_PRECISION_COUNT] = {
    [LM_PRECISION_BF16] = .01, [LM_PRECISION_INT8] = .05};

static void
check_scores(golden_folder *folder, const char *name, const lm_kernels *kernels)
{
    const lm_json *scores = lm_json_get(folder->golden, "scores");

    for (lm_precision precision = 0; scores && precision < LM_PRECISION_COUNT; precision++) {
        double error, tolerance = score_error[precision];
        loaded_model loaded;

        rewind_files(folder);
        CHECK_OK(folder->ctx,
                 loaded_open_as(folder->ctx, &folder->source, kernels, precision, &loaded));
        if (!loaded.image)
            return;
        error = golden_scores_error(folder, &loaded.model);
        if (precision == LM_PRECISION_F32)
            tolerance = golden_tolerance(scores);
        if (!(error <= tolerance))
            UNIT_FAIL("%s at %s, %s: error %g, tolerance %g", name, kernels->name,
                      lm_precision_name(precision), error, tolerance);
        loaded_close(folder->ctx, &loaded);
    }
}

static void
scores(void)
{
    each_folder("hidden", check_scores);
}

/* Texts of one to four tokens, more of them than go through a layer's rest together. */
enum { TEXTS = 180, MOST_TOKENS = 4 * TEXTS };

static void
check_wanted(golden_folder *folder, const lm_weights *weights)
{
    const lm_dims *dims = lm_weights_dims(weights);
    size_t width = (size_t)dims->hidden, offsets[TEXTS + 1] = {0}, outputs[TEXTS];
    lm_batch batch = {.texts = TEXTS, .offsets = offsets};
    int32_t ids[MOST_TOKENS];
    float *all = malloc(MOST_TOKENS * width * sizeof *all);
    void *workspace;

    for (size_t text = 0; text < TEXTS; text++) {
        offsets[text + 1] = offsets[text] + 1 + text % 4;
        outputs[text] = offsets[text] + text % 3 % (1 + text % 4);
    }
    batch.tokens = offsets[TEXTS];
    for (size_t i = 0; i < batch.tokens; i++)
        ids[i] = (int32_t)(i * 7 % (size_t)dims->vocab);
    batch.ids = ids;
    workspace =
        aligned_alloc(LM_ALIGNMENT, lm_align_up(lm_forward_workspace(weights, batch.tokens, 4)));
    for (int layers = 0; layers <= lm_weights_layers(weights); layers++) {
        const float *hidden = NULL;

        batch.outputs = NULL;
        CHECK_OK(folder->ctx, lm_forward(folder->ctx, weights, &batch, layers, workspace, &hidden));
        memcpy(all, hidden, batch.tokens * width * sizeof *all);
        batch.outputs = outputs;
        CHECK_OK(folder->ctx, lm_forward(folder->ctx, weights, &batch, layers, workspace, &hidden));
        for (size_t text = 0; text < TEXTS; text++)
            CHECK(memcmp(hidden + text * width, all + outputs[text] * width, width * sizeof *all) ==
                  0);
    }
    free(workspace);
    free(all);
}

static void
check_wanted_rows(golden_folder *folder, const char *name, const lm_kernels *kernels)
{
    for (lm_precision precision = 0; precision < LM_PRECISION_COUNT; precision++) {
        golden_weights loaded;

        rewind_files(folder);
        CHECK_OK(folder->ctx, golden_load_as(folder, &folder->source, kernels, precision, &loaded));
        if (!loaded.image)
            return;
        check_wanted(folder, &loaded.weights);
        golden_unload(folder, &loaded);
    }
}

/* Where only one row of each text is wanted, it has the bits that it has among all rows. */
static void
wanted_rows(void)
{
    each_folder("hidden", check_wanted_rows);
}

static const unit_case cases[] = {
    {"hidden states", hidden_states}, {"embeddings", embeddings}, {"sides", sides},
    {"precisions", precisions},       {"scores", scores},         {"wanted rows", wanted_rows},
};

UNIT_MAIN(cases)
