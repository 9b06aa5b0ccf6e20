/*
 * test_added_head.c - heads of checkpoints on the encoder of another model: taken out of a folder,
 * bound to their base, and joined with it again.
 */
#include "golden.h"
#include "loaded.h"
#include "model/added_head.h"

static const lm_model_options plain = {.task = NULL};
static const lm_text text = {"the cat sat on the mat", 22};

/* A folder, the same as a base, and the head's tensors. */
typedef struct fixture {
    lm_context ctx;
    golden_folder folder, base;
    lm_buffer tensors;
} fixture;

static void
open_fixture(fixture *f, const char *folder, const char *base)
{
    lm_context_init(&f->ctx);
    golden_open(&f->ctx, folder, &f->folder);
    golden_open(&f->ctx, base, &f->base);
    lm_buffer_init(&f->tensors, &f->ctx);
}

static void
close_fixture(fixture *f)
{
    lm_buffer_free(&f->tensors);
    golden_close(&f->folder);
    golden_close(&f->base);
}

static void
reread(golden_folder *folder)
{
    for (int i = 0; i < folder->files.count; i++)
        folder->files.files[i].read_to = 0;
    folder->files.went_back = false;
    folder->files.calls = 0;
}

static lm_status
make(fixture *f, const lm_model_options *options)
{
    const lm_added_head files = {&f->folder.source, &f->base.source, options, &plain};

    f->tensors.size = 0;
    reread(&f->folder);
    reread(&f->base);
    return lm_added_head_make(&f->ctx, &files, &f->tensors);
}

/* The folder as a version of the head has it. */
static void
keep_head_alone(fixture *f)
{
    fake_find(&f->folder.files, "model.safetensors")->name = "";
    fake_add_bytes(&f->folder.files, LM_HEAD_TENSORS, f->tensors.data, f->tensors.size);
    reread(&f->folder);
}

/* ---- The way there and back ---- */

#define MOST_SCORES 32

static void
classify(fixture *f, lm_model *model, float scores[MOST_SCORES])
{
    const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    lm_session *session;

    CHECK_OK(&f->ctx, lm_session_create(&f->ctx, &session));
    CHECK(model->info.label_count <= MOST_SCORES);
    CHECK_OK(&f->ctx, lm_classify(&f->ctx, session, model, &text, 1, &options, scores, NULL));
    lm_session_free(session);
}

/* model.safetensors of a head's version and its base's. */
static void
join(fixture *f, lm_buffer *whole)
{
    const lm_added_head files = {&f->folder.source, &f->base.source, &plain, &plain};
    const lm_whole_tensor *tensors = NULL;
    size_t count = 0;
    lm_arena arena;

    lm_arena_init(&arena, &f->ctx);
    reread(&f->folder);
    reread(&f->base);
    CHECK_OK(&f->ctx, lm_added_head_join(&f->ctx, &arena, &files, whole, &tensors, &count));
    for (size_t i = 0; i < count; i++) {
        const lm_source *source = tensors[i].source;
        const lm_tensor *tensor = tensors[i].tensor;
        char *bytes = lm_arena_alloc(&arena, (size_t)tensor->bytes);

        CHECK_OK(&f->ctx, source->read(&f->ctx, source->opaque, tensor->file, tensor->offset, bytes,
                                       (size_t)tensor->bytes));
        CHECK_OK(&f->ctx, lm_buffer_append(whole, bytes, (size_t)tensor->bytes));
    }
    CHECK(!f->folder.files.went_back && !f->base.files.went_back);
    lm_arena_free(&arena);
}

static void
check_folder(const char *name)
{
    static const lm_model_options as_embedding = {.as_embedding = true};
    const lm_kernels *kernels = lm_kernels_active();
    float of_whole[MOST_SCORES], of_head[MOST_SCORES], of_joined[MOST_SCORES];
    loaded_model whole, base, head, joined;
    lm_buffer bytes;
    fixture f;

    open_fixture(&f, name, name);
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, kernels, &whole));
    classify(&f, &whole.model, of_whole);
    CHECK_OK(&f.ctx, make(&f, &plain));
    CHECK(!f.base.files.went_back);
    CHECK(f.tensors.size < fake_find(&f.folder.files, "model.safetensors")->size);
    keep_head_alone(&f);
    reread(&f.base);
    CHECK_OK(&f.ctx, loaded_open_with(&f.ctx, &f.base.source, &as_embedding, kernels, &base));
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, kernels, &head));
    CHECK(!f.folder.files.went_back);
    CHECK_STR(head.model.info.kind, "added_head");
    CHECK(lm_model_needs_base(&head.model) && head.size < base.size);
    CHECK_EQ_INT(head.model.info.max_tokens, whole.model.info.max_tokens);
    for (int round = 0; round < 2; round++) {
        CHECK_OK(&f.ctx, lm_model_set_base(&f.ctx, &head.model, &base.model));
        CHECK(lm_model_encoder(&head.model) == &head.model);
        CHECK(!lm_model_reads_embedding(&head.model));
        classify(&f, &head.model, of_head);
        CHECK(memcmp(of_whole, of_head, (size_t)whole.model.info.label_count * sizeof(float)) == 0);
    }
    lm_buffer_init(&bytes, &f.ctx);
    join(&f, &bytes);
    fake_find(&f.folder.files, LM_HEAD_TENSORS)->name = "";
    fake_add_bytes(&f.folder.files, "model.safetensors", bytes.data, bytes.size);
    reread(&f.folder);
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, kernels, &joined));
    classify(&f, &joined.model, of_joined);
    CHECK(memcmp(of_whole, of_joined, (size_t)whole.model.info.label_count * sizeof(float)) == 0);
    lm_buffer_free(&bytes);
    loaded_close(&f.ctx, &joined);
    loaded_close(&f.ctx, &head);
    loaded_close(&f.ctx, &base);
    loaded_close(&f.ctx, &whole);
    close_fixture(&f);
}

static void
there_and_back(void)
{
    static const char *const names[] = {
        "bert-sequence",     "albert-sequence",     "distilbert-sequence", "electra-sequence",
        "roformer-sequence", "modernbert-sequence", "roberta-sequence",    "deberta-v2-sequence"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        check_folder(names[i]);
}

/* What is made of a folder of the head alone is the same file. */
static void
alone(void)
{
    lm_buffer first;
    fixture f;

    open_fixture(&f, "bert-sequence", "bert-sequence");
    CHECK_OK(&f.ctx, make(&f, &plain));
    first = f.tensors;
    lm_buffer_init(&f.tensors, &f.ctx);
    fake_find(&f.folder.files, "model.safetensors")->name = "";
    fake_add_bytes(&f.folder.files, LM_HEAD_TENSORS, first.data, first.size);
    CHECK_OK(&f.ctx, make(&f, &plain));
    CHECK_EQ_INT(f.tensors.size, first.size);
    CHECK(memcmp(f.tensors.data, first.data, first.size) == 0);
    lm_buffer_free(&first);
    close_fixture(&f);
}

/* Which files a version of it has: the settings, and the head's tensors last. */
static void
listed(void)
{
    lm_status status = LM_IO_ERROR;
    lm_file_list list = {NULL, 0};
    fixture f;

    open_fixture(&f, "bert-sequence", "bert-sequence");
    CHECK_OK(&f.ctx, make(&f, &plain));
    keep_head_alone(&f);
    for (int calls = 1; status != LM_OK && calls < 100; calls++) {
        reread(&f.folder);
        f.folder.files.fail_at = calls;
        status = lm_checkpoint_list(&f.ctx, &f.folder.arena, &f.folder.source, &list);
        CHECK(status == LM_OK || status == LM_IO_ERROR);
    }
    CHECK_EQ_INT(status, LM_OK);
    CHECK_EQ_INT(list.count, 4);
    CHECK_STR(list.count == 4 ? list.names[3] : "", LM_HEAD_TENSORS);
    f.folder.files.fail_at = 0;
    close_fixture(&f);
}

/* The prefix that the family's renames take away, wherever it stands among them. */
static void
file_names(void)
{
    static const lm_rename renames[] = {
        {LM_RENAME_INSIDE, "gamma", "weight"},
        {LM_RENAME_PREFIX, "old.", "layers."},
        {LM_RENAME_PREFIX, "net.", ""},
    };
    const lm_family with = {.renames = renames, .rename_count = 3};
    const lm_family without = {.renames = renames, .rename_count = 2};
    fake_memory memory = {0};
    lm_context ctx;
    lm_arena arena;

    fake_context(&ctx, &memory);
    lm_arena_init(&arena, &ctx);
    CHECK_STR(lm_family_file_name(&arena, &with, "auto_model.net.norm.gamma"), "net.norm.weight");
    CHECK_STR(lm_family_file_name(&arena, &with, "old.0.bias"), "net.layers.0.bias");
    CHECK_STR(lm_family_file_name(&arena, &without, "norm.bias"), "norm.bias");
    lm_arena_free(&arena);
    memory.fail_on = true;
    memory.fail_at = memory.calls + 1;
    lm_arena_init(&arena, &ctx);
    CHECK(!lm_family_file_name(&arena, &with, "net.bias"));
    CHECK(!lm_family_file_name(&arena, &with, "bias"));
    lm_arena_free(&arena);
    CHECK_EQ_INT(memory.live, 0);
}

/* ---- Refused ---- */

/* One place of a file of the folder, changed. */
static void
change(fixture *f, const char *file, const char *from, const char *to)
{
    fake_file *found = fake_find(&f->folder.files, file);
    char *start = strstr(found->data, from), *copy;

    if (!start) {
        UNIT_FAIL("%s has no %s", file, from);
        return;
    }
    copy = lm_arena_copy(&f->folder.arena, found->data, (size_t)(start - found->data));
    found->data = golden_join(&f->folder, copy, to, start + strlen(from));
    found->size = strlen(found->data);
}

static void
refuse(fixture *f, const lm_model_options *options, lm_status status, const char *message,
       const char *key)
{
    CHECK_EQ_INT(make(f, options), status);
    CHECK_STR(f->ctx.error.message, message);
    CHECK_STR(f->ctx.error.key, key);
    close_fixture(f);
}

static void
refusals(void)
{
    static const lm_model_options masks = {.task = "fill_mask"};
    static const lm_model_options embedding = {.task = "embedding", .as_embedding = true};
    fixture f;

    open_fixture(&f, "distilbert-sequence", "bert-sequence");
    refuse(&f, &plain, LM_BAD_MODEL, "the head's encoder is of another family than the base",
           "model_type");
    open_fixture(&f, "bert-sequence", "bert-types3");
    CHECK_EQ_INT(make(&f, &plain), LM_BAD_MODEL);
    CHECK_STR(f.ctx.error.found, "36");
    CHECK_STR(f.ctx.error.allowed, "48, as the base has it");
    refuse(&f, &plain, LM_BAD_MODEL, "the head's encoder differs from that of the base",
           "hidden_size");
    open_fixture(&f, "bert-sequence", "bert-sequence");
    change(&f, "config.json", "\"layer_norm_eps\": 1e-12", "\"layer_norm_eps\": 1e-10");
    refuse(&f, &plain, LM_BAD_MODEL, "the head's encoder differs from that of the base",
           "layer_norm_eps");
    open_fixture(&f, "bert-sequence", "bert-sequence");
    change(&f, "tokenizer.json", "\"the\"", "\"thx\"");
    refuse(&f, &plain, LM_BAD_MODEL, "the head's tokenizer differs from that of the base", "");
    open_fixture(&f, "bert", "bert");
    refuse(&f, &plain, LM_UNSUPPORTED, "the model's files have no head", "architectures");
    open_fixture(&f, "bert-sequence", "bert-sequence");
    refuse(&f, &embedding, LM_UNSUPPORTED, "the model's files have no head", "architectures");
    open_fixture(&f, "longformer-sequence", "longformer-sequence");
    CHECK_EQ_INT(make(&f, &plain), LM_UNSUPPORTED);
    CHECK_STR(f.ctx.error.found, "...ForSequenceClassification");
    refuse(&f, &plain, LM_UNSUPPORTED, "the head cannot run on the encoder of another model",
           "architectures");
    open_fixture(&f, "bert-answer", "bert-answer");
    CHECK_OK(&f.ctx, make(&f, &plain));
    close_fixture(&f);
    open_fixture(&f, "bert-st6-cls", "bert-st6-cls");
    CHECK_EQ_INT(make(&f, &masks), LM_UNSUPPORTED);
    close_fixture(&f);
    open_fixture(&f, "bert-sequence", "static-st");
    CHECK_EQ_INT(make(&f, &plain), LM_UNSUPPORTED);
    CHECK_STR(f.ctx.error.file, "config.json");
    close_fixture(&f);
}

/*
 * Whose encoder may be borrowed: one that computes otherwise under a head (longformer marks tokens
 * for it) fits the same head alone, and one of another precision nobody.
 */
static void
borrowed(void)
{
    static const struct {
        const char *own, *from;
        lm_precision precision;
        lm_status status;
        const char *key;
    } pairs[] = {
        {"bert-sequence", "bert", LM_PRECISION_F32, LM_OK, ""},
        {"bert-sequence", "bert-mask", LM_PRECISION_F32, LM_OK, ""},
        {"bert-sequence", "bert", LM_PRECISION_BF16, LM_BAD_MODEL, "model_type"},
        {"longformer-sequence", "longformer-sequence", LM_PRECISION_F32, LM_OK, ""},
        {"longformer-sequence", "longformer", LM_PRECISION_F32, LM_BAD_MODEL, "architectures"},
        {"longformer", "longformer-sequence", LM_PRECISION_F32, LM_BAD_MODEL, "architectures"},
        {"longformer-mask", "longformer-answer", LM_PRECISION_F32, LM_BAD_MODEL, "architectures"},
    };

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        loaded_model own, from;
        lm_weights *weights;
        fixture f;

        open_fixture(&f, pairs[i].own, pairs[i].from);
        CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &own));
        CHECK_OK(&f.ctx, loaded_open_as(&f.ctx, &f.base.source, lm_kernels_active(),
                                        pairs[i].precision, &from));
        weights = (lm_weights *)(uintptr_t)lm_model_weights(&own.model);
        CHECK_EQ_INT(lm_weights_borrow(&f.ctx, weights, lm_model_weights(&from.model)),
                     pairs[i].status);
        if (pairs[i].status == LM_OK)
            CHECK(weights->table[0] == lm_model_weights(&from.model)->table[0]);
        else
            CHECK_STR(f.ctx.error.key, pairs[i].key);
        loaded_close(&f.ctx, &from);
        loaded_close(&f.ctx, &own);
        close_fixture(&f);
    }
}

/* A tensor's first value in the folder's weights becomes another one. */
static void
change_value(fixture *f, const char *name)
{
    fake_file *file = fake_find(&f->folder.files, "model.safetensors");
    char *copy = lm_arena_alloc(&f->folder.arena, file->size);
    lm_tensors tensors;
    const lm_tensor *tensor;

    CHECK_OK(&f->ctx, lm_tensors_open(&f->ctx, &f->folder.arena, &f->folder.source, "", &tensors));
    tensor = lm_tensors_find(&tensors, name);
    CHECK(tensor != NULL);
    memcpy(copy, file->data, file->size);
    if (tensor)
        copy[tensor->offset] ^= 1;
    file->data = copy;
}

static void
values(void)
{
    fixture f;

    open_fixture(&f, "bert-sequence", "bert-sequence");
    change_value(&f, "bert.encoder.layer.1.output.dense.weight");
    refuse(&f, &plain, LM_BAD_MODEL, "the head's encoder has other weights than the base",
           "bert.encoder.layer.1.output.dense.weight");
    /* What the head has is its own, also where the base has the like. */
    open_fixture(&f, "bert-sequence", "bert-sequence");
    change_value(&f, "bert.pooler.dense.weight");
    CHECK_OK(&f.ctx, make(&f, &plain));
    close_fixture(&f);
    /* Half of an encoder is none, nor is one in other pieces. */
    open_fixture(&f, "bert-sequence", "bert-sequence");
    change_value(&f, "classifier.weight");
    {
        fake_file *file = fake_find(&f.folder.files, "model.safetensors");
        char *name = NULL;

        for (size_t i = 0; i + 32 < file->size && !name; i++)
            if (memcmp(file->data + i, "bert.encoder.layer.0.output.dense.bias", 38) == 0)
                name = (char *)(uintptr_t)file->data + i;
        CHECK(name != NULL);
        if (name)
            name[0] = 'x';
    }
    CHECK_EQ_INT(make(&f, &plain), LM_BAD_MODEL);
    CHECK_STR(f.ctx.error.found, "no tensor of this form in the folder");
    close_fixture(&f);
}

/* A base that is not the one that the head was added to. */
static void
other_bases(void)
{
    static const lm_model_options as_embedding = {.as_embedding = true};
    const lm_kernels *kernels = lm_kernels_active();
    loaded_model head, half, slow, distil, other, flat;
    golden_folder folder;
    fixture f;

    open_fixture(&f, "bert-sequence", "bert-sequence");
    CHECK_OK(&f.ctx, make(&f, &plain));
    keep_head_alone(&f);
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, kernels, &head));
    reread(&f.base);
    CHECK_OK(&f.ctx, loaded_open_with(
                         &f.ctx, &f.base.source,
                         &(lm_model_options){.as_embedding = true, .precision = LM_PRECISION_BF16},
                         kernels, &half));
    CHECK_EQ_INT(lm_model_set_base(&f.ctx, &head.model, &half.model), LM_BAD_MODEL);
    CHECK_STR(f.ctx.error.key, "model_type");
    reread(&f.base);
    CHECK_OK(&f.ctx, loaded_open_with(&f.ctx, &f.base.source, &as_embedding,
                                      lm_kernels_at(LM_LEVEL_SCALAR), &slow));
    CHECK_EQ_INT(lm_model_set_base(&f.ctx, &head.model, &slow.model),
                 kernels->level == LM_LEVEL_SCALAR ? LM_OK : LM_BAD_MODEL);
    golden_open(&f.ctx, "distilbert", &folder);
    CHECK_OK(&f.ctx, loaded_open_with(&f.ctx, &folder.source, &as_embedding, kernels, &distil));
    CHECK_EQ_INT(lm_model_set_base(&f.ctx, &head.model, &distil.model), LM_BAD_MODEL);
    CHECK_STR(f.ctx.error.key, "model_type");
    golden_close(&folder);
    golden_open(&f.ctx, "bert-types3", &folder);
    CHECK_OK(&f.ctx, loaded_open_with(&f.ctx, &folder.source, &as_embedding, kernels, &other));
    CHECK_EQ_INT(lm_model_set_base(&f.ctx, &head.model, &other.model), LM_BAD_MODEL);
    CHECK_STR(f.ctx.error.key, "hidden_size");
    golden_close(&folder);
    golden_open(&f.ctx, "static-st", &folder);
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &folder.source, kernels, &flat));
    CHECK_EQ_INT(lm_model_set_base(&f.ctx, &head.model, &flat.model), LM_BAD_MODEL);
    CHECK_STR(f.ctx.error.message, "the base of the head has no encoder");
    golden_close(&folder);
    loaded_close(&f.ctx, &flat);
    loaded_close(&f.ctx, &other);
    loaded_close(&f.ctx, &distil);
    loaded_close(&f.ctx, &slow);
    loaded_close(&f.ctx, &half);
    loaded_close(&f.ctx, &head);
    close_fixture(&f);
}

/* A window that has no room for a text is known once the tokenizer is there. */
static void
window(void)
{
    static const lm_model_options as_embedding = {.as_embedding = true};
    loaded_model head, base;
    fixture f;

    open_fixture(&f, "bert-sequence", "bert-sequence");
    CHECK_OK(&f.ctx, make(&f, &plain));
    keep_head_alone(&f);
    reread(&f.base);
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &head));
    CHECK_OK(&f.ctx,
             loaded_open_with(&f.ctx, &f.base.source, &as_embedding, lm_kernels_active(), &base));
    CHECK_EQ_INT(lm_model_set_window(&f.ctx, &head.model, 1000), LM_BAD_ARGUMENT);
    CHECK_OK(&f.ctx, lm_model_set_window(&f.ctx, &head.model, 2));
    CHECK_EQ_INT(lm_model_set_base(&f.ctx, &head.model, &base.model), LM_BAD_ARGUMENT);
    loaded_close(&f.ctx, &base);
    loaded_close(&f.ctx, &head);
    close_fixture(&f);
}

/* ---- Failures on the way ---- */

/* Every allocation and every read fails in turn; nothing is left behind. */
static void
faults(void)
{
    fixture f;
    int calls = 1;
    lm_status status = LM_NO_MEMORY;

    open_fixture(&f, "bert-sequence", "bert-sequence");
    for (; status != LM_OK && calls < 5000; calls += calls / 64 + 1) {
        fake_memory memory = {.fail_at = calls};
        lm_context ctx;
        lm_buffer tensors;
        const lm_added_head files = {&f.folder.source, &f.base.source, &plain, &plain};

        fake_context(&ctx, &memory);
        lm_buffer_init(&tensors, &ctx);
        reread(&f.folder);
        reread(&f.base);
        status = lm_added_head_make(&ctx, &files, &tensors);
        CHECK(status == LM_OK || status == LM_NO_MEMORY);
        lm_buffer_free(&tensors);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
    for (int side = 0; side < 2; side++) {
        fake_source *files = side == 0 ? &f.folder.files : &f.base.files;

        status = LM_IO_ERROR;
        for (calls = 1; status != LM_OK && calls < 5000; calls++) {
            files->fail_at = calls;
            status = make(&f, &plain);
            CHECK(status == LM_OK || status == LM_IO_ERROR);
        }
        files->fail_at = 0;
        CHECK_EQ_INT(status, LM_OK);
    }
    close_fixture(&f);
}

static void
join_faults(void)
{
    const lm_whole_tensor *tensors;
    lm_status status = LM_NO_MEMORY;
    size_t count;
    fixture f;

    open_fixture(&f, "bert-sequence", "bert-sequence");
    CHECK_OK(&f.ctx, make(&f, &plain));
    keep_head_alone(&f);
    for (int calls = 1; status != LM_OK && calls < 5000; calls++) {
        const lm_added_head files = {&f.folder.source, &f.base.source, &plain, &plain};
        fake_memory memory = {.fail_at = calls};
        lm_context ctx;
        lm_arena arena;
        lm_buffer header;

        fake_context(&ctx, &memory);
        lm_arena_init(&arena, &ctx);
        lm_buffer_init(&header, &ctx);
        reread(&f.folder);
        reread(&f.base);
        status = lm_added_head_join(&ctx, &arena, &files, &header, &tensors, &count);
        CHECK(status == LM_OK || status == LM_NO_MEMORY);
        lm_buffer_free(&header);
        lm_arena_free(&arena);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
    close_fixture(&f);
}

static const unit_case cases[] = {
    {"there_and_back", there_and_back},
    {"alone", alone},
    {"listed", listed},
    {"file_names", file_names},
    {"refusals", refusals},
    {"whose encoder may be borrowed", borrowed},
    {"values", values},
    {"other_bases", other_bases},
    {"window", window},
    {"faults", faults},
    {"join_faults", join_faults},
};

UNIT_MAIN(cases)
