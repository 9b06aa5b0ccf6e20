/*
 * test_colbert.c - folders of ColBERT's authors shown as pylate's: which are, what their settings
 * become, what is refused, and a failure of every allocation and every call of the source. What
 * they compute is in test_late_interaction.c.
 */
#include "fake.h"
#include "format/checkpoint.h"
#include "format/colbert.h"
#include "unit.h"

#define CONFIG "{\"model_type\":\"bert\",\"hidden_size\":2,\"architectures\":[\"HF_ColBERT\"]}"
#define F32(shape, from, to) \
    "{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" from "," to "]}"
#define BEFORE "\"bert.a\":" F32("[1,2]", "0", "8")
#define PROJECTION "\"linear.weight\":" F32("[3,2]", "8", "32")
#define BEHIND "\"bert.b\":" F32("[1]", "32", "36")
#define HEADER "{" BEFORE "," PROJECTION "," BEHIND "}"
#define FLAT "{" BEFORE ",\"linear.weight\":" F32("[6]", "8", "32") "," BEHIND "}"
#define LACKING "{" BEFORE ",\"linear.bias\":" F32("[3,2]", "8", "32") "," BEHIND "}"

typedef struct folder {
    const char *config, *metadata, *modules, *header;
    lm_status status;
    const char *key; /* of the refusal */
    int query_length, document_length;
    bool attended;
    int skips;
} folder;

static const folder folders[] = {
    {CONFIG, NULL, NULL, HEADER, LM_OK, NULL, 32, 0, false, 32},
    {CONFIG, "{}", NULL, HEADER, LM_OK, NULL, 32, 0, false, 32},
    {CONFIG,
     "{\"query_maxlen\":9,\"doc_maxlen\":11,\"attend_to_mask_tokens\":true,\"mask_punctuation\":"
     "false,\"doc_token_id\":null,\"query_token_id\":\"\",\"dim\":3}",
     NULL, HEADER, LM_OK, NULL, 9, 11, true, 0},
    {CONFIG, "{\"query_maxlen\":-1}", NULL, HEADER, LM_BAD_MODEL, "query_maxlen", 0, 0, false, 0},
    {CONFIG, "{\"query_token_id\":3}", NULL, HEADER, LM_BAD_MODEL, "query_token_id", 0, 0, false,
     0},
    {CONFIG, "{\"mask_punctuation\":3}", NULL, HEADER, LM_BAD_MODEL, "mask_punctuation", 0, 0,
     false, 0},
    {CONFIG, "{\"doc_token_id\":3}", NULL, HEADER, LM_BAD_MODEL, "doc_token_id", 0, 0, false, 0},
    {CONFIG, "{\"doc_maxlen\":-1}", NULL, HEADER, LM_BAD_MODEL, "doc_maxlen", 0, 0, false, 0},
    {CONFIG, "{\"attend_to_mask_tokens\":3}", NULL, HEADER, LM_BAD_MODEL, "attend_to_mask_tokens",
     0, 0, false, 0},
    {CONFIG, "[]", NULL, HEADER, LM_BAD_MODEL, "", 0, 0, false, 0},
    {CONFIG, NULL, NULL, FLAT, LM_BAD_MODEL, "linear.weight", 0, 0, false, 0},
    {CONFIG, NULL, NULL, LACKING, LM_BAD_MODEL, "linear.weight", 0, 0, false, 0},
    {CONFIG, NULL, NULL, NULL, LM_NO_FILE, "", 0, 0, false, 0},
};

static char data[36];

/* A safetensors file in `bytes`; its size. */
static size_t
write_weights(const char *header, char *bytes)
{
    size_t length = strlen(header);

    memset(bytes, 0, 8);
    bytes[0] = (char)(length & 255);
    bytes[1] = (char)(length >> 8);
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)i;
    memcpy(bytes + 8 + length, data, sizeof data);
    return 8 + length + sizeof data;
}

/* The folder's files, in which the weights lie in `bytes`. */
static void
fill(fake_source *fake, const folder *f, char *bytes)
{
    if (f->config)
        fake_add(fake, "config.json", f->config);
    if (f->metadata)
        fake_add(fake, "artifact.metadata", f->metadata);
    if (f->modules)
        fake_add(fake, "modules.json", f->modules);
    fake_add(fake, "tokenizer.json", "{\"version\":\"1.0\"}");
    if (f->header)
        fake_add_bytes(fake, "model.safetensors", bytes, write_weights(f->header, bytes));
}

/* Values lie behind each other in the files that are shown, as they did in the one that is there.
 */
static void
check_values(lm_context *ctx, const lm_source *source, const lm_tensor *tensor, int first)
{
    char values[sizeof data];

    CHECK(tensor != NULL);
    if (!tensor)
        return;
    CHECK_OK(ctx, source->read(ctx, source->opaque, tensor->file, tensor->offset, values,
                               tensor->bytes));
    CHECK(memcmp(values, data + first, tensor->bytes) == 0);
    CHECK_EQ_INT(source->read(ctx, source->opaque, tensor->file, tensor->offset, values, 1 << 20),
                 LM_BAD_MODEL);
}

static void
check_checkpoint(lm_context *ctx, const lm_source *source, const lm_checkpoint *checkpoint,
                 const folder *f)
{
    const lm_sentence_transformers *spec = &checkpoint->sentence;

    CHECK_EQ_INT(spec->late.query_length, f->query_length);
    CHECK_EQ_INT(spec->late.document_length, f->document_length);
    CHECK_EQ_INT(spec->late.attended, f->attended);
    CHECK_EQ_INT(spec->late.skip_count, f->skips);
    CHECK(spec->late.expanded);
    CHECK(f->metadata == NULL || strstr(f->metadata, "query_token_id\":\"0") ||
          strcmp(spec->late.markers[0], "[unused0] ") == 0);
    CHECK_STR(spec->late.markers[1], "[unused1] ");
    CHECK_EQ_INT(checkpoint->tensors.count, 2);
    check_values(ctx, source, lm_tensors_find(&checkpoint->tensors, "bert.a"), 0);
    check_values(ctx, source, lm_tensors_find(&checkpoint->tensors, "bert.b"), 32);
    CHECK_EQ_INT(spec->step_count, 1);
    CHECK_EQ_INT(spec->steps[0].in, 2);
    CHECK_EQ_INT(spec->steps[0].out, 3);
    check_values(ctx, source, lm_tensors_find(&spec->steps[0].tensors, "linear.weight"), 8);
}

/* One opening of the folder, with faults of the memory and of the source, and so much room in the
 * arena's first block. */
static lm_status
open_in(const folder *f, size_t room, fake_memory *memory, int source_fault, lm_error *error)
{
    const int fail_at = memory->fail_at;
    char bytes[8192];
    fake_source fake = {0};
    lm_source below = fake_open(&fake), source;
    lm_colbert_files files;
    lm_checkpoint checkpoint;
    lm_notes notes;
    lm_context ctx;
    lm_arena arena;
    lm_status status;

    fill(&fake, f, bytes);
    memory->fail_at = 0;
    fake_context(&ctx, memory);
    lm_arena_init(&arena, &ctx);
    lm_notes_init(&notes, false);
    CHECK(fake_fill_arena(&arena, room));
    memory->calls = memory->polls = 0;
    memory->fail_at = fail_at;
    fake.fail_at = source_fault;
    source = lm_colbert_source(&files, &arena, &below);
    status = lm_checkpoint_open(&ctx, &arena, &source, &notes, &checkpoint);
    *error = ctx.error;
    fake.fail_at = memory->fail_at = 0;
    if (status == LM_OK && strcmp(f->header, HEADER) == 0)
        check_checkpoint(&ctx, &source, &checkpoint, f);
    lm_arena_free(&arena);
    CHECK_EQ_INT(memory->live, 0);
    return status;
}

static lm_status
open_once(const folder *f, fake_memory *memory, int source_fault, lm_error *error)
{
    return open_in(f, 4096, memory, source_fault, error);
}

static void
test_folders(void)
{
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        fake_memory memory = {0};
        lm_error error;

        CHECK_EQ_INT(open_once(&folders[i], &memory, 0, &error), folders[i].status);
        if (folders[i].status != LM_OK)
            CHECK_STR(error.key, folders[i].key ? folders[i].key : "");
    }
}

/* Other folders are seen as they are. */
static void
test_others(void)
{
    static const folder others[] = {
        {"{\"architectures\":[\"BertModel\"]}", NULL, NULL, HEADER, LM_OK, NULL, 0, 0, false, 0},
        {"{\"architectures\":null}", NULL, NULL, HEADER, LM_OK, NULL, 0, 0, false, 0},
        {CONFIG, NULL, "[]", HEADER, LM_OK, NULL, 0, 0, false, 0},
        {NULL, NULL, NULL, HEADER, LM_OK, NULL, 0, 0, false, 0},
    };

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        char bytes[1024];
        fake_memory memory = {0};
        fake_source fake = {0};
        lm_source below = fake_open(&fake), source;
        lm_colbert_files files;
        lm_tensors tensors;
        lm_context ctx;
        lm_arena arena;
        uint64_t size;
        bool found;

        fill(&fake, &others[i], bytes);
        fake_context(&ctx, &memory);
        lm_arena_init(&arena, &ctx);
        source = lm_colbert_source(&files, &arena, &below);
        CHECK_OK(&ctx, source.stat(&ctx, source.opaque, "1_Dense/config.json", &found, &size));
        CHECK(!found);
        CHECK_OK(&ctx, lm_tensors_open(&ctx, &arena, &source, "", &tensors));
        CHECK_EQ_INT(tensors.count, 3);
        lm_arena_free(&arena);
        CHECK_EQ_INT(memory.live, 0);
    }
}

static void
test_long_marker(void)
{
    char metadata[512];
    const folder f = {CONFIG, metadata, NULL, HEADER, LM_UNSUPPORTED, NULL, 0, 0, false, 0};
    fake_memory memory = {0};
    lm_error error;

    snprintf(metadata, sizeof metadata, "{\"query_token_id\":\"%0300d\"}", 1);
    CHECK_EQ_INT(open_once(&f, &memory, 0, &error), LM_UNSUPPORTED);
    CHECK_STR(error.file, "artifact.metadata");
}

static void
test_faults(void)
{
    const folder *f = &folders[2];
    lm_status status = LM_NO_MEMORY;
    lm_error error;

    for (int at = 1; status != LM_OK; at = unit_next_fault(at)) {
        fake_memory memory = {.fail_at = at};

        status = open_once(f, &memory, 0, &error);
        CHECK(status == LM_OK || status == LM_NO_MEMORY);
    }
    status = LM_IO_ERROR;
    for (int at = 1; status != LM_OK; at = unit_next_fault(at)) {
        fake_memory memory = {0};

        status = open_once(f, &memory, at, &error);
        CHECK(status == LM_OK || status == LM_IO_ERROR);
    }
    status = LM_CANCELLED;
    for (int at = 1; status != LM_OK; at++) {
        fake_memory memory = {.stop_at = at};

        status = open_once(f, &memory, 0, &error);
        CHECK(status == LM_OK || status == LM_CANCELLED);
    }
}

/* Every allocation in turn, with so much room in the arena. */
static void
starve(const folder *f, size_t room)
{
    lm_status status = LM_NO_MEMORY;
    lm_error error;

    for (int at = 1; status == LM_NO_MEMORY; at++) {
        fake_memory memory = {.fail_at = at};

        status = open_in(f, room, &memory, 0, &error);
    }
    CHECK_EQ_INT(status, LM_OK);
}

/* Whichever object and whichever piece of a text meets the end of its block. */
static void
test_starved(void)
{
    char metadata[1024], header[1024];
    const folder f = {CONFIG, metadata, NULL, HEADER, LM_OK, NULL, 9, 11, true, 0};
    const folder many = {CONFIG, NULL, NULL, header, LM_OK, NULL, 32, 0, false, 32};

    for (size_t room = 0; room < 6144; room += 48)
        starve(&folders[0], room);
    for (int length = 60; length < 250; length += 3) {
        snprintf(metadata, sizeof metadata,
                 "{\"query_maxlen\":9,\"doc_maxlen\":11,\"attend_to_mask_tokens\":true,"
                 "\"mask_punctuation\":false,\"query_token_id\":\"%0*d\"}",
                 length, 1);
        starve(&f, 64);
    }
    for (int length = 1; length < 600; length += 5) {
        snprintf(header, sizeof header,
                 "{" BEFORE "," PROJECTION ",\"bert.%0*d\":" F32("[1]", "32", "36") "}", length, 1);
        starve(&many, 64);
    }
}

static const unit_case cases[] = {
    {"colbert_folders", test_folders},         {"colbert_others", test_others},
    {"colbert_long_marker", test_long_marker}, {"colbert_faults", test_faults},
    {"colbert_starved", test_starved},
};

UNIT_MAIN(cases)
