/*
 * test_layers_read.c - reading nets of layers: folders that are refused, images that are damaged,
 * and each piece of memory that is not there. (test_layers.c trains them.)
 */
#include "fake.h"
#include "loaded.h"
#include "model/image.h"
#include "model/layers.h"

enum { CONFIG_BYTES = 1 << 20, LAYERS_MOST = 60 };

/* ---- Folders ---- */

/* A folder, and the place where its bytes are. */
typedef struct folder {
    fake_source fake;
    char *config, weights[32768];
} folder;

/* Zeros, or more bytes than there are, for tensors that are refused unread. */
static void
set_weights(folder *f, const char *header, size_t bytes)
{
    const uint64_t length = strlen(header);

    CHECK(sizeof length + length <= sizeof f->weights / 2);
    memset(f->weights, 0, sizeof f->weights);
    memcpy(f->weights, &length, sizeof length);
    memcpy(f->weights + sizeof length, header, length);
    fake_add_bytes(&f->fake, "model.safetensors", f->weights, sizeof length + length + bytes);
}

static void
open_folder(folder *f, const char *layers, const char *labels, const char *rest)
{
    memset(f, 0, sizeof *f);
    f->config = malloc(CONFIG_BYTES);
    snprintf(f->config, CONFIG_BYTES,
             "{\"model_type\": \"lmtext_layers\", \"task\": \"classification\", \"layers\": %s, "
             "\"labels\": [%s]%s}",
             layers, labels, rest);
    fake_add(&f->fake, "config.json", f->config);
    fake_add(&f->fake, "vocab.txt", "<pad>\n<unk>\ngood\n");
}

static void
close_folder(folder *f)
{
    free(f->config);
}

#define TWO_LAYERS "[{\"embedding\": 2}, {\"linear\": 2}]"
#define TWO_LABELS "\"a\", \"b\""
#define TABLE "\"0.weight\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[0,24]}"
#define BIAS "\"1.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[24,32]}"
#define WEIGHT "\"1.weight\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[32,48]}"
#define TWO_TENSORS "{" TABLE "," BIAS "," WEIGHT "}"

static void
open_two(folder *f, const char *rest)
{
    open_folder(f, TWO_LAYERS, TWO_LABELS, rest);
    set_weights(f, TWO_TENSORS, 48);
}

/* An embedding and so many linear layers, of a number each. */
static void
open_many(folder *f, int count)
{
    char layers[4096] = "[{\"embedding\": 1}", header[16384];
    size_t size = (size_t)snprintf(
        header, sizeof header,
        "{\"0.weight\":{\"dtype\":\"F32\",\"shape\":[3,1],\"data_offsets\":[0,12]}");

    for (int i = 1; i <= count; i++) {
        strcat(layers, ", {\"linear\": 1}");
        size += (size_t)snprintf(
            header + size, sizeof header - size,
            ",\"%d.weight\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[%d,%d]},"
            "\"%d.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[%d,%d]}",
            i, 4 + 8 * i, 8 + 8 * i, i, 8 + 8 * i, 12 + 8 * i);
    }
    open_folder(f, strcat(layers, "]"), "\"a\"", "");
    set_weights(f, strcat(header, "}"), 12 + 8 * (size_t)count);
}

/* ---- Refusals ---- */

static lm_status
load(lm_context *ctx, folder *f, const lm_model_options *options)
{
    const lm_source source = fake_open(&f->fake);
    loaded_model loaded;
    lm_status status = loaded_open_with(ctx, &source, options, lm_kernels_active(), &loaded);

    if (status == LM_OK)
        loaded_close(ctx, &loaded);
    return status;
}

static void
refused_tensors(void)
{
    static const struct {
        const char *layers, *header;
        size_t bytes;
        lm_status status;
        const char *key, *found;
    } cases[] = {
        {TWO_LAYERS, TWO_TENSORS, 48, LM_OK, "", ""},
        {TWO_LAYERS,
         "{" TABLE "," BIAS
         ",\"1.weight\":{\"dtype\":\"I32\",\"shape\":[2,2],\"data_offsets\":[32,48]}}",
         48, LM_UNSUPPORTED, "1.weight", "I32"},
        {TWO_LAYERS,
         "{" TABLE "," BIAS "," WEIGHT
         ",\"2.weight\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[48,52]}}",
         52, LM_BAD_MODEL, "2.weight", ""},
        {TWO_LAYERS,
         "{\"table\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[0,24]}," BIAS "," WEIGHT
         "}",
         48, LM_BAD_MODEL, "0.weight", ""},
        {TWO_LAYERS,
         "{\"0.weight\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24]}," BIAS "," WEIGHT
         "}",
         48, LM_BAD_MODEL, "0.weight", "6 numbers in 1 dimensions"},
        {TWO_LAYERS,
         "{\"0.weight\":{\"dtype\":\"F32\",\"shape\":[2147483647,1],\"data_offsets\":[0,8589934588]"
         "},"
         "\"1.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8589934588,8589934592]}}",
         8589934592, LM_BAD_MODEL, "0.weight", "2147483647 numbers in 2 dimensions"},
        {"[{\"embedding\": 2}, {\"conv\": 2}]",
         "{" TABLE
         ",\"1.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[24,32]},\"1.weight\":{"
         "\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[32,48]}}",
         48, LM_BAD_MODEL, "1.weight", "4 numbers in 2 dimensions"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lm_context ctx;
        lm_status status;
        folder f;

        lm_context_init(&ctx);
        open_folder(&f, cases[i].layers, TWO_LABELS, "");
        set_weights(&f, cases[i].header, cases[i].bytes);
        status = load(&ctx, &f, NULL);
        CHECK_EQ_INT(status, cases[i].status);
        if (status != LM_OK) {
            CHECK_STR(ctx.error.key, cases[i].key);
            CHECK_STR(ctx.error.found, cases[i].found);
        }
        close_folder(&f);
    }
}

/* A tokenizer.json that nothing would read, an option of encoders. */
static void
refused_ways(void)
{
    const lm_model_options embedding = {.precision = LM_PRECISION_F32, .as_embedding = true};
    lm_context ctx;
    folder f;

    lm_context_init(&ctx);
    open_two(&f, "");
    fake_add(&f.fake, "tokenizer.json",
             "{\"version\": \"1.0\", \"added_tokens\": [], \"model\": {\"type\": \"WordLevel\", "
             "\"vocab\": {\"a\": 0}, \"unk_token\": \"a\"}}");
    CHECK_EQ_INT(load(&ctx, &f, NULL), LM_BAD_MODEL);
    CHECK_STR(ctx.error.key, "words");
    close_folder(&f);
    open_two(&f, "");
    CHECK_EQ_INT(load(&ctx, &f, &embedding), LM_BAD_ARGUMENT);
    close_folder(&f);
}

/* A key that nobody knows is a note of an import, and nothing where a stored version is loaded. */
static void
unknown_key(void)
{
    const lm_model_options options = {.precision = LM_PRECISION_F32};
    lm_model_plan *plan;
    lm_notes notes;
    lm_source source;
    lm_context ctx;
    lm_arena arena;
    folder f;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    open_two(&f, ", \"rank\": 3");
    CHECK_OK(&ctx, load(&ctx, &f, NULL));
    source = fake_open(&f.fake);
    lm_notes_init(&notes, false);
    CHECK_OK(&ctx, lm_model_plan_make(&ctx, &arena, &source, &options, lm_kernels_active(), &plan,
                                      NULL, &notes));
    CHECK_EQ_INT(notes.count, 1);
    CHECK_STR(notes.items[0].key, "rank");
    lm_arena_free(&arena);
    for (int at = 1; at <= 40; at++) {
        fake_context(&ctx, &(fake_memory){.stop_at = at});
        lm_notes_init(&notes, false);
        CHECK_EQ_INT(lm_model_plan_make(&ctx, &arena, &source, &options, lm_kernels_active(), &plan,
                                        NULL, &notes),
                     LM_CANCELLED);
        lm_arena_free(&arena);
        lm_arena_init(&arena, &ctx);
    }
    lm_arena_free(&arena);
    close_folder(&f);
}

/* 0, 1, … as strings. */
static char *
numbered_labels(int count)
{
    char *labels = malloc(CONFIG_BYTES / 2);
    size_t size = 0;

    for (int i = 0; i < count; i++)
        size += (size_t)snprintf(labels + size, CONFIG_BYTES / 2 - size, "%s\"%d\"",
                                 i > 0 ? "," : "", i);
    return labels;
}

static void
too_many_labels(void)
{
    for (int count = 65536; count <= 65537; count++) {
        char *labels = numbered_labels(count);
        lm_context ctx;
        folder f;

        lm_context_init(&ctx);
        open_folder(&f, TWO_LAYERS, labels, "");
        set_weights(&f, TWO_TENSORS, 48);
        CHECK_EQ_INT(load(&ctx, &f, NULL), LM_BAD_MODEL);
        CHECK_STR(ctx.error.key, count > 65536 ? "labels" : "layers");
        close_folder(&f);
        free(labels);
    }
}

/* ---- Memory ---- */

/* Room in the arena's second block, and a third one that does not come. */
typedef struct short_memory {
    size_t refused; /* size of an allocation */
} short_memory;

static void *
short_alloc(void *opaque, size_t size)
{
    short_memory *memory = opaque;

    return size == memory->refused ? NULL : malloc(size);
}

static void *
plain_realloc(void *opaque, void *pointer, size_t size)
{
    return realloc(pointer, size);
}

static void
plain_free(void *opaque, void *pointer)
{
    free(pointer);
}

/* False: the block is smaller than the room. */
static bool
plan_in(folder *f, size_t room, lm_status *status)
{
    short_memory memory = {.refused = 0};
    const lm_model_options options = {.precision = LM_PRECISION_F32};
    const lm_source source = fake_open(&f->fake);
    lm_model_plan *plan;
    lm_context ctx;
    lm_arena arena;
    size_t block;
    bool filled;

    memset(&ctx, 0, sizeof ctx);
    ctx.alloc = short_alloc;
    ctx.realloc = plain_realloc;
    ctx.free = plain_free;
    ctx.opaque = &memory;
    lm_arena_init(&arena, &ctx);
    arena.first = 32768;
    filled = fake_fill_arena(&arena, 0);
    block = arena.total & ~(size_t)1023;
    memory.refused = 4 * block + (arena.total - block);
    filled = filled && room < 2 * block && lm_arena_alloc(&arena, 2 * block - room);
    if (filled)
        *status = lm_model_plan_make(&ctx, &arena, &source, &options, lm_kernels_active(), &plan,
                                     NULL, NULL);
    lm_arena_free(&arena);
    return filled;
}

/* Whatever of the plan meets the end of the arena's block. */
static void
plan_without_memory(void)
{
    lm_status status = LM_NO_MEMORY;
    size_t room = 0;
    folder f;

    open_two(&f, "");
    while (status == LM_NO_MEMORY && plan_in(&f, room, &status))
        room += room < 8192 ? 16 : 32;
    CHECK(status == LM_OK || status == LM_NO_MEMORY);
    CHECK(room > 4096);
    close_folder(&f);
}

/* Each call of the memory or poll but those in the middle, which are the tokenizer's: its own tests
 * take them. */
static void
load_without_memory(void)
{
    enum { EDGE = 100 };
    fake_memory whole = {.fail_at = 0};
    lm_context ctx;
    folder f;

    open_two(&f, "");
    fake_context(&ctx, &whole);
    CHECK_OK(&ctx, load(&ctx, &f, NULL));
    for (int polls = 0; polls < 2; polls++) {
        const int all = polls ? whole.polls : whole.calls;

        for (int at = 1; at <= all; at += at == EDGE && all > 2 * EDGE ? all - 2 * EDGE : 1) {
            fake_memory memory = {.fail_at = polls ? 0 : at, .stop_at = polls ? at : 0};

            fake_context(&ctx, &memory);
            CHECK_EQ_INT(load(&ctx, &f, NULL), polls ? LM_CANCELLED : LM_NO_MEMORY);
            CHECK_EQ_INT(memory.live, 0);
        }
    }
    close_folder(&f);
}

static void
labels_without_memory(void)
{
    char *labels = numbered_labels(20000);
    lm_status status = LM_NO_MEMORY;
    folder f;

    open_folder(&f, TWO_LAYERS, labels, "");
    set_weights(&f, TWO_TENSORS, 48);
    for (int at = 1; status == LM_NO_MEMORY && at < 200; at++) {
        fake_memory memory = {.fail_at = at};
        lm_context ctx;

        fake_context(&ctx, &memory);
        status = load(&ctx, &f, NULL);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_BAD_MODEL);
    close_folder(&f);
    free(labels);
}

/* config.json of a net; the settings change with the room that is left. */
static lm_status
write_config(const void *net, lm_buffer *out)
{
    static const char *const labels[] = {"a", "b"};
    const bool odd = (out->capacity - out->size) % 2 != 0;
    const lm_layers_settings settings = {.task = "classification",
                                         .labels = labels,
                                         .label_count = 2,
                                         .words = "unicode",
                                         .lower_case = odd,
                                         .cut_front = !odd};

    return lm_layers_write_config(net, &settings, out);
}

static void
write_without_memory(void)
{
    const lm_net_source source = {NULL, LM_BAD_ARGUMENT, 3, true, false};
    const lm_json *layers;
    size_t room;
    lm_context ctx;
    lm_arena arena;
    lm_net net;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    CHECK_OK(&ctx, lm_json_parse(&ctx, &arena, TWO_LAYERS, strlen(TWO_LAYERS), "", &layers));
    CHECK_OK(&ctx, lm_net_make(&ctx, &arena, layers, &source, &net));
    room = fake_least_room(write_config, &net);
    CHECK(room > 150 && room < 1024);
    lm_arena_free(&arena);
}

/* ---- Images ---- */

static lm_status
bind_in(const loaded_model *loaded, lm_context *ctx)
{
    lm_model view;
    lm_status status = lm_model_bind(ctx, loaded->image, loaded->size, &view);

    if (status == LM_OK)
        lm_model_unbind(ctx, &view);
    return status;
}

/* Nets of more and more layers, that each array meets the end of a block. */
static void
bind_without_memory(void)
{
    for (int count = 1; count <= LAYERS_MOST; count++) {
        lm_status status = LM_NO_MEMORY;
        loaded_model loaded;
        lm_source source;
        lm_context ctx;
        folder f;

        lm_context_init(&ctx);
        open_many(&f, count);
        source = fake_open(&f.fake);
        CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
        for (int at = 1; status == LM_NO_MEMORY && at < 200; at++) {
            fake_memory memory = {.fail_at = at};
            lm_context starved;

            fake_context(&starved, &memory);
            status = bind_in(&loaded, &starved);
            CHECK_EQ_INT(memory.live, 0);
        }
        CHECK_EQ_INT(status, LM_OK);
        loaded_close(&ctx, &loaded);
        close_folder(&f);
    }
}

static char *
net_section(const loaded_model *loaded)
{
    lm_image_header *header = loaded->image;
    int net = 0;

    while (header->sections[net].id != LM_SECTION_NET)
        net++;
    return (char *)loaded->image + header->sections[net].offset;
}

/* The description, one byte of it changed, and the name of the task. */
static void
damaged_image(void)
{
    enum { TASK = 24, DESCRIPTION = 48 };
    loaded_model loaded;
    lm_source source;
    lm_context ctx;
    char *net, *last;
    folder f;

    lm_context_init(&ctx);
    open_two(&f, "");
    source = fake_open(&f.fake);
    CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
    net = net_section(&loaded);
    CHECK_STR(net + TASK, "classification");
    net[TASK] = '?';
    CHECK_OK(&ctx, bind_in(&loaded, &ctx));
    last = strstr(net + DESCRIPTION, "\"linear\": 2");
    CHECK(last != NULL);
    last[1] = 'L';
    CHECK_EQ_INT(bind_in(&loaded, &ctx), LM_INTERNAL);
    last[1] = 'l';
    last[10] = '1';
    CHECK_EQ_INT(bind_in(&loaded, &ctx), LM_INTERNAL);
    CHECK_STR(ctx.error.message, "the net in the image has other labels");
    last[10] = '}';
    CHECK(bind_in(&loaded, &ctx) != LM_OK);
    last[10] = '2';
    CHECK_OK(&ctx, bind_in(&loaded, &ctx));
    loaded_close(&ctx, &loaded);
    close_folder(&f);
}

static const unit_case cases[] = {
    {"tensors that are refused", refused_tensors},
    {"ways that are refused", refused_ways},
    {"a key that nobody knows", unknown_key},
    {"labels up to 65536", too_many_labels},
    {"a plan without memory", plan_without_memory},
    {"a load without memory, and cancelled", load_without_memory},
    {"labels without memory", labels_without_memory},
    {"a config without memory", write_without_memory},
    {"a view without memory", bind_without_memory},
    {"a damaged image", damaged_image},
};

UNIT_MAIN(cases)
