/*
 * test_quantized.c - the file of quantised matrices when it is damaged: every tensor of it missing,
 * of another kind, elsewhere or with values that no quantiser writes; and every step that fails.
 */
#include "golden.h"
#include "loaded.h"
#include "quant/quantize.h"

#define MAX_TENSORS 256

/* A sound file, taken apart. */
typedef struct parts {
    lm_context ctx;
    golden_folder folder; /* with the file */
    lm_buffer sound;
    lm_metadata metadata[2];
    lm_tensor tensors[MAX_TENSORS]; /* in file order */
    const char *data[MAX_TENSORS];
    size_t metadata_count, count;
} parts;

/* bert, quantised. */
static void
take_apart(parts *p)
{
    loaded_model full;
    lm_session *session;
    lm_quantize_report report;
    lm_tensors found;

    memset(p, 0, sizeof *p);
    lm_context_init(&p->ctx);
    lm_buffer_init(&p->sound, &p->ctx);
    golden_open(&p->ctx, "bert", &p->folder);
    CHECK_OK(&p->ctx, loaded_open(&p->ctx, &p->folder.source, lm_kernels_active(), &full));
    CHECK_OK(&p->ctx, lm_session_create(&p->ctx, &session));
    CHECK_OK(&p->ctx, lm_quantize(&p->ctx, session, &full.model, &p->folder.source, NULL, &p->sound,
                                  &report));
    lm_session_free(session);
    loaded_close(&p->ctx, &full);
    fake_add_bytes(&p->folder.files, LM_QUANTIZED_FILE, p->sound.data, p->sound.size);
    CHECK_OK(&p->ctx, lm_tensors_open_file(&p->ctx, &p->folder.arena, &p->folder.source,
                                           LM_QUANTIZED_FILE, &found));
    CHECK_EQ_INT(found.count, report.matrices * LM_QUANTIZED_PARTS);
    CHECK_EQ_INT(found.metadata_count, 2);
    memcpy(p->metadata, found.metadata, sizeof p->metadata);
    p->metadata_count = 2;
    p->count = found.count;
    for (size_t i = 0; i < found.count; i++) {
        p->tensors[found.items[i].order] = found.items[i];
        p->data[found.items[i].order] = p->sound.data + found.items[i].offset;
    }
}

static void
give_back(parts *p)
{
    lm_buffer_free(&p->sound);
    golden_close(&p->folder);
}

/* Load the model with the file as the parts have it now. */
static lm_status
load(parts *p, loaded_model *loaded)
{
    fake_file *file = fake_find(&p->folder.files, LM_QUANTIZED_FILE);
    lm_buffer built;
    lm_status status;

    lm_buffer_init(&built, &p->ctx);
    CHECK_OK(&p->ctx, lm_tensors_write_header(&p->ctx, p->metadata, p->metadata_count, p->tensors,
                                              p->count, &built));
    for (size_t i = 0; i < p->count; i++) {
        size_t bytes = lm_dtypes[p->tensors[i].dtype].bytes;

        for (int axis = 0; axis < p->tensors[i].rank; axis++)
            bytes *= (size_t)p->tensors[i].shape[axis];
        CHECK_OK(&p->ctx, lm_buffer_append(&built, p->data[i], bytes));
    }
    file->data = built.data;
    file->size = built.size;
    for (int i = 0; i < p->folder.files.count; i++)
        p->folder.files.files[i].read_to = 0;
    status = loaded_open_as(&p->ctx, &p->folder.source, lm_kernels_at(LM_LEVEL_SCALAR),
                            LM_PRECISION_INT8, loaded);
    lm_buffer_free(&built);
    return status;
}

/* It must be refused with these words and, where there is one, with this tensor's name. */
static void
refused(parts *p, lm_status wanted, const char *message, const char *key)
{
    loaded_model loaded;
    lm_status status = load(p, &loaded);

    CHECK_EQ_INT(status, wanted);
    CHECK_STR(p->ctx.error.message, message);
    CHECK_STR(p->ctx.error.file, LM_QUANTIZED_FILE);
    CHECK_STR(p->ctx.error.key, key);
    if (status == LM_OK)
        loaded_close(&p->ctx, &loaded);
}

/* Put together again it loads, and names what it is. */
static void
sound(void)
{
    static parts p;
    loaded_model loaded;

    take_apart(&p);
    CHECK_STR(p.metadata[0].value, LM_QUANTIZED_FORMAT);
    CHECK_STR(p.metadata[1].value, LM_QUANTIZED_VERSION);
    CHECK_STR(p.tensors[0].name, "pooler.dense.weight.codes");
    CHECK_STR(p.tensors[4].name, "encoder.layer.0.attention.self.qkv.weight.codes");
    CHECK_OK(&p.ctx, load(&p, &loaded));
    if (loaded.image)
        loaded_close(&p.ctx, &loaded);
    give_back(&p);
}

static void
metadata(void)
{
    static const char message[] = "the format of the quantised matrices is not supported";
    static parts p;

    take_apart(&p);
    p.metadata[1].value = "2";
    refused(&p, LM_UNSUPPORTED, message, "__metadata__");
    CHECK_STR(p.ctx.error.found, "format lmtext.int8, version 2");
    p.metadata_count = 1;
    refused(&p, LM_UNSUPPORTED, message, "__metadata__");
    p.metadata[0].value = "pt";
    p.metadata[1].value = LM_QUANTIZED_VERSION;
    p.metadata_count = 2;
    refused(&p, LM_UNSUPPORTED, message, "__metadata__");
    p.metadata_count = 0;
    refused(&p, LM_UNSUPPORTED, message, "__metadata__");
    CHECK_STR(p.ctx.error.allowed, "format lmtext.int8, version 1");
    give_back(&p);
}

/* Each tensor in turn. */
static void
missing(void)
{
    static parts p;

    take_apart(&p);
    for (size_t i = 0; i < p.count; i++) {
        const char *name = p.tensors[i].name;

        p.tensors[i].name = "another";
        refused(&p, LM_BAD_MODEL, "a tensor of the quantised matrices is missing", name);
        p.tensors[i].name = name;
    }
    /* Not even one: no reason to round plainly instead. */
    p.count = 0;
    refused(&p, LM_BAD_MODEL, "a tensor of the quantised matrices is missing",
            "pooler.dense.weight.codes");
    give_back(&p);
}

static void
wrong_forms(void)
{
    static const char message[] = "a tensor of the quantised matrices has the wrong dtype or shape";
    static parts p;

    take_apart(&p);
    for (size_t i = 0; i < p.count; i++) {
        lm_tensor kept = p.tensors[i];

        p.tensors[i].dtype = kept.dtype == LM_I8 ? LM_U8 : LM_I32;
        refused(&p, LM_BAD_MODEL, message, kept.name);
        p.tensors[i] = kept;
        p.tensors[i].shape[kept.rank - 1]--;
        refused(&p, LM_BAD_MODEL, message, kept.name);
        p.tensors[i] = kept;
        p.tensors[i].shape[p.tensors[i].rank++] = 1;
        refused(&p, LM_BAD_MODEL, message, kept.name);
        p.tensors[i] = kept;
    }
    p.tensors[0].dtype = LM_U8;
    refused(&p, LM_BAD_MODEL, message, p.tensors[0].name);
    CHECK_STR(p.ctx.error.found, "U8 of rank 2, 1296 values");
    CHECK_STR(p.ctx.error.allowed, "I8 (36, 36)");
    p.tensors[0].dtype = LM_I8;
    p.tensors[1].dtype = LM_U32;
    refused(&p, LM_BAD_MODEL, message, p.tensors[1].name);
    CHECK_STR(p.ctx.error.allowed, "F32 (36)");
    give_back(&p);
}

static void
swap(parts *p, size_t a, size_t b)
{
    lm_tensor tensor = p->tensors[a];
    const char *data = p->data[a];

    p->tensors[a] = p->tensors[b];
    p->data[a] = p->data[b];
    p->tensors[b] = tensor;
    p->data[b] = data;
}

/* Two tensors in each other's place; one that nobody asks for at the end, and at the beginning. */
static void
wrong_places(void)
{
    static const char order[] = "a tensor of the quantised matrices is out of order";
    static parts p;

    take_apart(&p);
    swap(&p, 1, 2);
    refused(&p, LM_BAD_MODEL, order, "pooler.dense.weight.scales");
    swap(&p, 1, 2);
    p.tensors[p.count] = (lm_tensor){.name = "extra", .dtype = LM_F32, .rank = 1, .shape = {1}};
    p.data[p.count++] = "\0\0\0";
    refused(&p, LM_BAD_MODEL, "a tensor belongs to no matrix of the model", "extra");
    swap(&p, 0, p.count - 1);
    refused(&p, LM_BAD_MODEL, order, "pooler.dense.weight.codes");
    give_back(&p);
}

/* A value of a tensor replaced by others. */
static void
wrong_values(void)
{
    static const float odd[] = {NAN, INFINITY, -1};
    static parts p;
    static char changed[108 * 36 * 4];
    const char *kept_codes;
    const size_t first = LM_QUANTIZED_PARTS; /* behind the pooler's */

    take_apart(&p);
    kept_codes = p.data[0];
    memcpy(changed, kept_codes, 36 * 36);
    changed[36 * 36 - 1] = -128;
    p.data[0] = changed;
    refused(&p, LM_BAD_MODEL, "a code of the quantised matrices is -128", p.tensors[0].name);
    p.data[0] = kept_codes;
    for (size_t part = first + 1; part < first + LM_QUANTIZED_PARTS; part++) {
        const char *kept = p.data[part];

        memcpy(changed, kept, (size_t)p.tensors[part].shape[0] * sizeof(float));
        p.data[part] = changed;
        for (size_t i = 0; i < 3; i++) {
            bool negative = odd[i] == -1;

            if (negative && part != first + LM_QUANTIZED_SCALES)
                continue;
            memcpy(changed + 35 * sizeof(float), &odd[i], sizeof(float));
            refused(&p, LM_BAD_MODEL,
                    negative ? "a scale of the quantised matrices is negative"
                             : "a tensor holds NaN or infinity",
                    p.tensors[part].name);
        }
        p.data[part] = kept;
    }
    memcpy(changed, p.data[first], 108 * 36);
    changed[108 * 36 - 1] = -128;
    p.data[first] = changed;
    refused(&p, LM_BAD_MODEL, "a code of the quantised matrices is -128", p.tensors[first].name);
    give_back(&p);
}

/* At fp32 and bf16 nobody looks at the file; it belongs to the model's files. */
static void
other_precisions(void)
{
    static parts p;
    fake_file *file;
    loaded_model loaded;
    lm_file_list list;

    take_apart(&p);
    file = fake_find(&p.folder.files, LM_QUANTIZED_FILE);
    CHECK_OK(&p.ctx, lm_checkpoint_list(&p.ctx, &p.folder.arena, &p.folder.source, &list));
    CHECK_STR(list.names[list.count - 1], LM_QUANTIZED_FILE);
    file->size = 3;
    for (lm_precision precision = 0; precision < LM_PRECISION_INT8; precision++) {
        CHECK_OK(&p.ctx,
                 loaded_open_as(&p.ctx, &p.folder.source, lm_kernels_active(), precision, &loaded));
        loaded_close(&p.ctx, &loaded);
    }
    CHECK_EQ_INT(
        loaded_open_as(&p.ctx, &p.folder.source, lm_kernels_active(), LM_PRECISION_INT8, &loaded),
        LM_BAD_MODEL);
    file->name = "";
    CHECK_OK(&p.ctx, lm_checkpoint_list(&p.ctx, &p.folder.arena, &p.folder.source, &list));
    CHECK(strcmp(list.names[list.count - 1], LM_QUANTIZED_FILE) != 0);
    give_back(&p);
}

/* ---- Faults ---- */

/* Plan and fill in a context that fails where `memory` says, with an arena of `room` bytes. */
static lm_status
load_with(parts *p, const lm_checkpoint *checkpoint, fake_memory *memory, size_t room)
{
    fake_memory wanted = *memory;
    lm_weights_plan plan;
    const lm_family *family;
    lm_status status;
    lm_context ctx;
    lm_arena arena;
    void *image;

    *memory = (fake_memory){0};
    fake_context(&ctx, memory);
    lm_arena_init(&arena, &ctx);
    CHECK_OK(&ctx, lm_family_find(&ctx, checkpoint->config, &family));
    CHECK(fake_fill_arena(&arena, room));
    memory->calls = memory->polls = 0;
    memory->fail_at = wanted.fail_at;
    memory->stop_at = wanted.stop_at;
    status = lm_weights_plan_make(&ctx, &arena, family, NULL, checkpoint,
                                  lm_kernels_at(LM_LEVEL_SCALAR), LM_PRECISION_INT8, &plan);
    if (status == LM_OK) {
        image = aligned_alloc(LM_ALIGNMENT, plan.size);
        status = lm_weights_fill(&ctx, &plan, &p->folder.source, image);
        free(image);
    }
    lm_arena_free(&arena);
    CHECK_EQ_INT(memory->live, 0);
    return status;
}

/* The file's directory alone, when memory ends. */
static lm_status
open_with(parts *p, fake_memory *memory)
{
    lm_checkpoint checkpoint = {.config = NULL};
    lm_status status;
    lm_context ctx;
    lm_arena arena;

    fake_context(&ctx, memory);
    lm_arena_init(&arena, &ctx);
    status = lm_checkpoint_open_quantized(&ctx, &arena, &p->folder.source, &checkpoint);
    lm_arena_free(&arena);
    CHECK_EQ_INT(memory->live, 0);
    return status;
}

static void
faults(void)
{
    lm_status status = LM_CANCELLED;
    static parts p;
    lm_checkpoint checkpoint;
    int n;

    take_apart(&p);
    CHECK_OK(&p.ctx,
             lm_checkpoint_open(&p.ctx, &p.folder.arena, &p.folder.source, NULL, &checkpoint));
    CHECK_OK(&p.ctx,
             lm_checkpoint_open_quantized(&p.ctx, &p.folder.arena, &p.folder.source, &checkpoint));
    for (n = 1; status == LM_CANCELLED; n++)
        status = load_with(&p, &checkpoint, &(fake_memory){.stop_at = n}, 0);
    CHECK_EQ_INT(status, LM_OK);
    CHECK(n > 100);
    for (size_t room = 0; room < 8000; room += 240) {
        status = LM_NO_MEMORY;
        for (n = 1; status == LM_NO_MEMORY; n++)
            status = load_with(&p, &checkpoint, &(fake_memory){.fail_at = n}, room);
        CHECK_EQ_INT(status, LM_OK);
    }
    status = LM_NO_MEMORY;
    for (n = 1; status == LM_NO_MEMORY; n++)
        status = open_with(&p, &(fake_memory){.fail_at = n});
    CHECK_EQ_INT(status, LM_OK);
    p.folder.files.calls = 0;
    p.folder.files.fail_at = 1;
    CHECK_EQ_INT(open_with(&p, &(fake_memory){.fail_at = 0}), LM_IO_ERROR);
    status = LM_IO_ERROR;
    for (n = 1; status == LM_IO_ERROR; n += 1 + n / 20) {
        fake_memory memory = {0};
        lm_context ctx;
        loaded_model loaded;

        fake_context(&ctx, &memory);
        p.folder.files.fail_at = n;
        p.folder.files.calls = 0;
        status = loaded_open_as(&ctx, &p.folder.source, lm_kernels_at(LM_LEVEL_SCALAR),
                                LM_PRECISION_INT8, &loaded);
        if (status == LM_OK)
            loaded_close(&ctx, &loaded);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
    give_back(&p);
}

static const unit_case cases[] = {
    {"quantized sound", sound},
    {"quantized metadata", metadata},
    {"quantized missing tensors", missing},
    {"quantized wrong forms", wrong_forms},
    {"quantized wrong places", wrong_places},
    {"quantized wrong values", wrong_values},
    {"quantized other precisions", other_precisions},
    {"quantized faults", faults},
};

UNIT_MAIN(cases)
