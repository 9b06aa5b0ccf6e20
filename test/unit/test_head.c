/*
 * test_head.c - a classification head: written, read back as an image of its own, used on its base;
 * damaged files are refused.
 */
#include "golden.h"
#include "loaded.h"
#include "model/head.h"
#include "model/image.h"

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
    const lm_head head = {.labels = LABELS,
                          .width = WIDTH,
                          .weight = files->weight,
                          .bias = files->bias,
                          .names = names};

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
    CHECK(lm_model_needs_base(&loaded.model));
    CHECK_STR(loaded.model.info.kind, "head");
    CHECK_STR(loaded.model.info.task, "classification");
    CHECK_STR(loaded.model.info.details, "{\"labels\": 3}");
    CHECK_EQ_INT(loaded.model.info.flops_per_token, 0);
    CHECK(!lm_model_weights(&loaded.model) && !lm_model_tokenizer(&loaded.model));
    CHECK_EQ_INT(lm_model_head(&loaded.model)->labels, LABELS);
    CHECK_EQ_INT(loaded.model.info.label_count, LABELS);
    for (int i = 0; i < LABELS; i++)
        CHECK_STR(lm_model_head(&loaded.model)->names[i], names[i]);
    CHECK(memcmp(lm_model_head(&loaded.model)->weight, files.weight, sizeof files.weight) == 0);
    CHECK(memcmp(lm_model_head(&loaded.model)->bias, files.bias, sizeof files.bias) == 0);
    CHECK_EQ_INT(loaded.model.info.parameters, LABELS * (WIDTH + 1));
    CHECK(!files.fake.went_back);
    loaded_close(&ctx, &loaded);
    free_files(&files);
    CHECK_EQ_INT(memory.live, 0);
}

/* Its weights are float32, whatever those of its base are. */
static void
one_precision(void)
{
    lm_context ctx;
    head_files files;
    loaded_model loaded;

    lm_context_init(&ctx);
    make_files(&ctx, &files);
    CHECK_EQ_INT(
        loaded_open_as(&ctx, &files.source, lm_kernels_active(), LM_PRECISION_BF16, &loaded),
        LM_UNSUPPORTED);
    CHECK_STR(ctx.error.message, "only an encoder's weights can have another precision");
    CHECK_STR(ctx.error.found, "bf16");
    free_files(&files);
}

/* The image's section is shorter than labels and width ask for. */
static void
short_section(void)
{
    lm_context ctx;
    head_files files;
    loaded_model loaded;
    lm_image_header *header;
    lm_model view;

    lm_context_init(&ctx);
    make_files(&ctx, &files);
    CHECK_OK(&ctx, loaded_open(&ctx, &files.source, lm_kernels_active(), &loaded));
    header = loaded.image;
    CHECK_EQ_INT(header->count, 2);
    CHECK_EQ_INT(header->sections[1].id, LM_SECTION_HEAD);
    header->sections[1].size--;
    CHECK_EQ_INT(lm_model_bind(&ctx, loaded.image, loaded.size, &view), LM_INTERNAL);
    CHECK_STR(ctx.error.message, "the head in the image is truncated");
    loaded_close(&ctx, &loaded);
    free_files(&files);
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
        check_scores(lm_model_head(&head.model), embeddings[i], scores[i]);
    CHECK_EQ_INT(lm_classify_best((float[]){.2f, .4f, .4f}, 3), 1);
    lm_session_free(session);
    loaded_close(&ctx, &head);
    loaded_close(&ctx, &base);
    free_files(&files);
    golden_close(&folder);
}

/* A head bound to a base, for what needs no encoder's files beside. */
typedef struct bound_head {
    lm_context ctx;
    golden_folder folder;
    head_files files;
    loaded_model base, head;
    lm_session *session;
} bound_head;

static void
open_bound(bound_head *bound)
{
    lm_context *ctx = &bound->ctx;

    lm_context_init(ctx);
    golden_open(ctx, "bert-st5-cls", &bound->folder);
    make_files(ctx, &bound->files);
    CHECK_OK(ctx, loaded_open(ctx, &bound->folder.source, lm_kernels_active(), &bound->base));
    CHECK_OK(ctx, loaded_open(ctx, &bound->files.source, lm_kernels_active(), &bound->head));
    CHECK_OK(ctx, lm_session_create(ctx, &bound->session));
    bound->head.model.base = &bound->base.model;
}

static void
close_bound(bound_head *bound)
{
    lm_session_free(bound->session);
    loaded_close(&bound->ctx, &bound->head);
    loaded_close(&bound->ctx, &bound->base);
    free_files(&bound->files);
    golden_close(&bound->folder);
}

/* An embedding that was kept gives the scores of its text, bit for bit. */
static void
vectors(void)
{
    const lm_text text = {"the data base", 13};
    const lm_embed_options options = {.dimensions = 0};
    float embedding[WIDTH + 1] = {0}, of_text[LABELS], of_vector[LABELS];
    float room[LABELS];
    int best;
    bound_head bound;
    lm_context *ctx = &bound.ctx;
    const lm_model *head = &bound.head.model;
    fake_memory memory = {.stop_at = 1};

    open_bound(&bound);
    CHECK_OK(ctx, lm_classify(ctx, bound.session, head, &text, 1, &options, of_text, NULL));
    CHECK_OK(ctx,
             lm_embed(ctx, bound.session, &bound.base.model, &text, 1, &options, embedding, NULL));
    CHECK_OK(ctx, lm_classify_vector(ctx, head, embedding, WIDTH, of_vector));
    CHECK(memcmp(of_text, of_vector, sizeof of_text) == 0);
    check_scores(lm_model_head(head), embedding, of_vector);
    CHECK_OK(ctx, lm_classify_vector_best(ctx, head, embedding, WIDTH, room, &best));
    CHECK_EQ_INT(best, lm_classify_best(of_vector, LABELS));
    CHECK_EQ_INT(lm_classify_vector_best(ctx, head, embedding, WIDTH + 1, room, &best),
                 LM_BAD_ARGUMENT);
    CHECK_EQ_INT(lm_classify_vector(ctx, &bound.base.model, embedding, WIDTH, of_vector),
                 LM_UNSUPPORTED);
    CHECK_EQ_INT(lm_classify_vector(ctx, head, embedding, WIDTH + 1, of_vector), LM_BAD_ARGUMENT);
    CHECK_STR(ctx->error.found, "21");
    CHECK_STR(ctx->error.allowed, "20");
    CHECK_EQ_INT(lm_classify_vector(ctx, head, embedding, WIDTH - 1, of_vector), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(lm_classify_vector(ctx, head, embedding, 0, of_vector), LM_BAD_ARGUMENT);
    embedding[WIDTH - 1] = NAN;
    CHECK_EQ_INT(lm_classify_vector(ctx, head, embedding, WIDTH, of_vector), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(lm_classify_vector_best(ctx, head, embedding, WIDTH, room, &best),
                 LM_BAD_ARGUMENT);
    CHECK_STR(ctx->error.message, "element 20 of the vector is not a finite number");
    CHECK_STR(ctx->error.found, "NaN");
    embedding[0] = -INFINITY;
    CHECK_EQ_INT(lm_classify_vector(ctx, head, embedding, WIDTH, of_vector), LM_BAD_ARGUMENT);
    CHECK_STR(ctx->error.message, "element 1 of the vector is not a finite number");
    CHECK_STR(ctx->error.found, "-Infinity");
    /* Squares of such numbers are not finite, but they are. */
    embedding[0] = embedding[WIDTH - 1] = 1e30f;
    CHECK_OK(ctx, lm_classify_vector(ctx, head, embedding, WIDTH, of_vector));
    embedding[0] = embedding[WIDTH - 1] = 0;
    ctx->cancelled = fake_cancelled;
    ctx->opaque = &memory;
    CHECK_EQ_INT(lm_classify_vector(ctx, head, embedding, WIDTH, of_vector), LM_CANCELLED);
    ctx->cancelled = NULL;
    close_bound(&bound);
}

/*
 * Texts of the batches before one that fails have their scores, and nothing behind them is written.
 */
static void
some_texts(void)
{
    const char *more = "cat the cat the cat the cat the cat the cat the cat the cat the cat the";
    const lm_text texts[] = {{"cat", 3}, {"the data base", 13}, {"cat", 3}, {more, strlen(more)}};
    const lm_embed_options options = {.on_long = LM_LONG_ERROR, .batch_tokens = 1};
    float alone[2 * LABELS], scores[4 * LABELS];
    lm_embed_counts counts = {0};
    bound_head bound;
    lm_context *ctx = &bound.ctx;
    const lm_model *head = &bound.head.model;

    open_bound(&bound);
    for (int i = 0; i < 2; i++)
        CHECK_OK(ctx, lm_classify(ctx, bound.session, head, &texts[i], 1, &options,
                                  alone + i * LABELS, NULL));
    for (int i = 0; i < 4 * LABELS; i++)
        scores[i] = 7;
    CHECK_EQ_INT(lm_classify(ctx, bound.session, head, texts, 4, &options, scores, &counts),
                 LM_TOO_LARGE);
    CHECK_EQ_INT(counts.texts, 2);
    CHECK_EQ_INT(counts.forwards, 2);
    CHECK(memcmp(scores, alone, sizeof alone) == 0);
    for (int i = 2 * LABELS; i < 4 * LABELS; i++)
        CHECK(scores[i] == 7);
    close_bound(&bound);
}

typedef struct head_damage {
    const char *json; /* instead of head.json */
    lm_status status;
    const char *key;
} head_damage;

#define HEAD(dimensions)                                                                        \
    "{\"format\":1,\"task\":\"classification\",\"labels\":[\"a\",\"b\",\"c\"]," dimensions "}", \
        LM_BAD_MODEL, "dimensions"

static const head_damage damages[] = {
    {"{}", LM_BAD_MODEL, "format"},
    {"{\"format\":3,\"task\":\"classification\",\"labels\":[\"a\",\"b\",\"c\"],\"dimensions\":20}",
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
    {"{\"format\":\"1\"}", LM_BAD_MODEL, "format"},
    {HEAD("\"dimensions\":\"20\"")},
    {HEAD("\"dimensions\":20.5")},
    {HEAD("\"dimensions\":1048577")},
    {"{\"format\":1,\"task\":\"classification\",\"dimensions\":20}", LM_BAD_MODEL, "labels"},
    {"{\"format\":1,\"task\":\"classification\",\"dimensions\":20,\"labels\":\"a\"}", LM_BAD_MODEL,
     "labels"},
    {"{\"format\":1,\"task\":\"classification\",\"dimensions\":20,\"labels\":[\"a\\u0000b\"]}",
     LM_BAD_MODEL, "labels"},
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

/* More labels than there may be. */
static void
too_many_labels(void)
{
    const size_t count = ((size_t)1 << 20) + 1;
    char *json = malloc(2 * count + 100);
    int used =
        sprintf(json, "{\"format\":1,\"task\":\"classification\",\"dimensions\":20,\"labels\":[0");
    lm_context ctx;
    head_files files;
    loaded_model loaded;

    for (size_t i = 1; i < count; i++)
        used += sprintf(json + used, ",0");
    strcpy(json + used, "]}");
    lm_context_init(&ctx);
    make_files(&ctx, &files);
    files.fake.files[0].data = json;
    files.fake.files[0].size = strlen(json);
    CHECK_EQ_INT(loaded_open(&ctx, &files.source, lm_kernels_active(), &loaded), LM_BAD_MODEL);
    CHECK_STR(ctx.error.allowed, "an array of 1 to 1048576 strings");
    free_files(&files);
    free(json);
}

/* Tensors that are missing, of another shape, or in another order; each value is a float of 4
 * bytes. */
static void
other_tensors(void)
{
    static const struct {
        lm_tensor tensors[2];
        lm_status status;
        const char *key;
    } kinds[] = {
        {{{.name = "weights", .rank = 2, .shape = {LABELS, WIDTH}},
          {.name = "bias", .rank = 1, .shape = {LABELS}}},
         LM_BAD_MODEL,
         "weight"},
        {{{.name = "weight", .rank = 2, .shape = {LABELS, WIDTH}},
          {.name = "bias", .rank = 1, .shape = {LABELS + 1}}},
         LM_BAD_MODEL,
         "bias"},
        {{{.name = "weight", .rank = 2, .shape = {LABELS, WIDTH}},
          {.name = "bias", .rank = 2, .shape = {LABELS, 1}}},
         LM_BAD_MODEL,
         "bias"},
        {{{.name = "weight", .rank = 2, .shape = {LABELS, WIDTH}},
          {.name = "bias", .rank = 1, .shape = {LABELS}, .dtype = LM_I32}},
         LM_UNSUPPORTED,
         "bias"},
        {{{.name = "bias", .rank = 1, .shape = {LABELS}},
          {.name = "weight", .rank = 2, .shape = {LABELS, WIDTH}}},
         LM_OK,
         ""},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        static const float zeros[1000];
        lm_context ctx;
        head_files files;
        loaded_model loaded;
        lm_tensor tensors[2];
        lm_buffer file;
        lm_status status;
        size_t floats = 0;

        lm_context_init(&ctx);
        make_files(&ctx, &files);
        lm_buffer_init(&file, &ctx);
        memcpy(tensors, kinds[i].tensors, sizeof tensors);
        for (int k = 0; k < 2; k++) {
            tensors[k].dtype = tensors[k].dtype == LM_I32 ? LM_I32 : LM_F32;
            floats +=
                (size_t)(tensors[k].shape[0] * (tensors[k].rank == 2 ? tensors[k].shape[1] : 1));
        }
        CHECK_OK(&ctx, lm_tensors_write_header(&ctx, NULL, 0, tensors, 2, &file));
        CHECK_OK(&ctx, lm_buffer_append(&file, zeros, floats * sizeof(float)));
        files.fake.files[1].data = file.data;
        files.fake.files[1].size = file.size;
        status = loaded_open(&ctx, &files.source, lm_kernels_active(), &loaded);
        CHECK_EQ_INT(status, kinds[i].status);
        if (status == LM_OK)
            loaded_close(&ctx, &loaded);
        else
            CHECK_STR(ctx.error.key, kinds[i].key);
        /* The same with each call of the source failing in turn. */
        for (int n = 1; status == LM_OK && n < 100; n++) {
            files.fake.calls = 0;
            files.fake.fail_at = n;
            if (loaded_open(&ctx, &files.source, lm_kernels_active(), &loaded) == LM_OK) {
                CHECK(n > 4);
                loaded_close(&ctx, &loaded);
                break;
            }
            CHECK_EQ_INT(ctx.error.status, LM_IO_ERROR);
        }
        lm_buffer_free(&file);
        free_files(&files);
    }
}

/* Every allocation, poll and call of the source in turn, from the files to the view. */
static void
head_faults(void)
{
    static const lm_status wanted[] = {LM_NO_MEMORY, LM_CANCELLED, LM_IO_ERROR};

    for (int kind = 0; kind < 3; kind++)
        for (size_t room = 0; room < (kind == 0 ? 7680u : 16u); room += 16) {
            lm_status status = wanted[kind];

            for (int n = 1; status == wanted[kind]; n++) {
                fake_memory memory = {0};
                lm_context quiet, ctx;
                head_files files;
                lm_model_plan *plan;
                lm_model model;
                lm_arena arena;
                void *image = NULL;

                lm_context_init(&quiet);
                make_files(&quiet, &files);
                fake_context(&ctx, &memory);
                lm_arena_init(&arena, &ctx);
                CHECK(fake_fill_arena(&arena, room));
                memory.calls = 0;
                memory.fail_at = kind == 0 ? n : 0;
                memory.stop_at = kind == 1 ? n : 0;
                files.fake.fail_at = kind == 2 ? n : 0;
                status = lm_model_plan_make(&ctx, &arena, &files.source, NULL, lm_kernels_active(),
                                            &plan, NULL, NULL);
                if (status == LM_OK) {
                    image = aligned_alloc(LM_ALIGNMENT, lm_model_plan_size(plan));
                    status = lm_model_fill(&ctx, plan, image);
                }
                if (status == LM_OK)
                    status = lm_model_bind(&ctx, image, lm_model_plan_size(plan), &model);
                if (status == LM_OK)
                    lm_model_unbind(&ctx, &model);
                lm_arena_free(&arena);
                CHECK_EQ_INT(memory.live, 0);
                free(image);
                free_files(&files);
            }
            CHECK_EQ_INT(status, LM_OK);
        }
}

/* Each append to head.json and to the tensors' file finds no room. */
static void
narrow_files(void)
{
    const float weight[2] = {1, 2}, bias[2] = {0, 0};
    const lm_head head = {.labels = 2, .width = 1, .weight = weight, .bias = bias, .names = names};
    lm_buffer json, tensors;
    lm_context ctx, starved;
    fake_memory memory = {.fail_at = 1, .fail_on = true};

    lm_context_init(&ctx);
    lm_buffer_init(&json, &ctx);
    lm_buffer_init(&tensors, &ctx);
    CHECK_OK(&ctx, lm_head_write(&ctx, &head, &json, &tensors));
    fake_context(&starved, &memory);
    for (int file = 0; file < 2; file++) {
        size_t size = file == 0 ? json.size : tensors.size;

        for (size_t room = 0; room < size; room++) {
            lm_buffer narrow = {.ctx = &starved, .data = malloc(room + 1), .capacity = room};

            json.size = tensors.size = 0;
            CHECK_EQ_INT(lm_head_write(&ctx, &head, file == 0 ? &narrow : &json,
                                       file == 0 ? &tensors : &narrow),
                         LM_NO_MEMORY);
            free(narrow.data);
        }
        json.size = tensors.size = 0;
        CHECK_OK(&ctx, lm_head_write(&ctx, &head, &json, &tensors));
    }
    lm_buffer_free(&json);
    lm_buffer_free(&tensors);
}

/* A head without its base, and on a base of another width; then every allocation and poll of its
 * use. */
static void
heads_and_bases(void)
{
    const lm_text texts[] = {{"cat", 3}, {"the data base", 13}};
    const lm_embed_options options = {.dimensions = 0};
    float scores[2 * LABELS];
    lm_context ctx;
    golden_folder folder, wide_folder;
    head_files files;
    loaded_model base, wide, head;
    lm_session *session;

    lm_context_init(&ctx);
    golden_open(&ctx, "bert-st5-cls", &folder);
    golden_open(&ctx, "bert", &wide_folder);
    make_files(&ctx, &files);
    CHECK_OK(&ctx, loaded_open(&ctx, &folder.source, lm_kernels_active(), &base));
    CHECK_OK(&ctx, loaded_open(&ctx, &wide_folder.source, lm_kernels_active(), &wide));
    CHECK_OK(&ctx, loaded_open(&ctx, &files.source, lm_kernels_active(), &head));
    CHECK_OK(&ctx, lm_session_create(&ctx, &session));
    CHECK_EQ_INT(lm_classify(&ctx, session, &head.model, texts, 2, &options, scores, NULL),
                 LM_INTERNAL);
    head.model.base = &wide.model;
    CHECK_EQ_INT(lm_classify(&ctx, session, &head.model, texts, 2, &options, scores, NULL),
                 LM_BAD_MODEL);
    CHECK_STR(ctx.error.key, "dimensions");
    lm_session_free(session);
    head.model.base = &base.model;
    for (int kind = 0; kind < 2; kind++) {
        lm_status wanted = kind == 0 ? LM_NO_MEMORY : LM_CANCELLED, status = wanted;

        for (int n = 1; status == wanted; n++) {
            fake_memory memory = {.fail_at = kind == 0 ? n : 0, .stop_at = kind == 1 ? n : 0};
            lm_context faulty;

            session = NULL;
            fake_context(&faulty, &memory);
            status = lm_session_create(&faulty, &session);
            if (status == LM_OK)
                status =
                    lm_classify(&faulty, session, &head.model, texts, 2, &options, scores, NULL);
            if (session)
                lm_session_free(session);
            CHECK_EQ_INT(memory.live, 0);
        }
        CHECK_EQ_INT(status, LM_OK);
    }
    loaded_close(&ctx, &head);
    loaded_close(&ctx, &wide);
    loaded_close(&ctx, &base);
    free_files(&files);
    golden_close(&wide_folder);
    golden_close(&folder);
}

/* A head whose first layer sees each token before they are pooled: a cancel is seen at each. */
static void
late_pooling(void)
{
    static const char text[] = "the cat sat on the mat";
    const lm_text input = {text, strlen(text)};
    const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    fake_memory memory = {0};
    golden_folder late;
    loaded_model loaded;
    lm_session *session;
    float scores[LABELS];
    lm_status status = LM_CANCELLED;
    lm_context ctx;
    int at = 0;

    fake_context(&ctx, &memory);
    golden_open(&ctx, "eurobert-sequence", &late);
    CHECK_OK(&ctx, loaded_open(&ctx, &late.source, lm_kernels_active(), &loaded));
    CHECK_OK(&ctx, lm_session_create(&ctx, &session));
    while (status == LM_CANCELLED) {
        memory.polls = 0;
        memory.stop_at = ++at;
        status = lm_classify(&ctx, session, &loaded.model, &input, 1, &options, scores, NULL);
        CHECK(status == LM_CANCELLED ? memory.polls == at : memory.polls == at - 1);
    }
    CHECK_OK(&ctx, status);
    CHECK(at > 8); /* tokens */
    lm_session_free(session);
    loaded_close(&ctx, &loaded);
    golden_close(&late);
    CHECK_EQ_INT(memory.live, 0);
}

static const unit_case cases[] = {
    {"round trip", round_trip},
    {"late pooling", late_pooling},
    {"short section", short_section},
    {"classify", classify},
    {"damaged heads", damaged_heads},
    {"too many labels", too_many_labels},
    {"other tensors", other_tensors},
    {"head faults", head_faults},
    {"narrow files", narrow_files},
    {"heads and bases", heads_and_bases},
    {"vectors", vectors},
    {"some texts", some_texts},
    {"one precision", one_precision},
};

UNIT_MAIN(cases)
