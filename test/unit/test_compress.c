/*
 * test_compress.c - Huffman codes against what they stand for, coded files against damage, and
 * whole models: the image of the codes is that of the int8 files.
 */
#include "base/rng.h"
#include "format/coded.h"
#include "format/huffman.h"
#include "golden.h"
#include "loaded.h"
#include "quant/compress.h"
#include "quant/quantize.h"

/* ---- Planes ---- */

static lm_huffman_table table;

/* Coded, and read back; returns the coded size. */
static size_t
check_plane(const unsigned char *from, size_t count, size_t stride)
{
    unsigned char *back = calloc(count, stride);
    bool same = true;
    lm_context ctx;
    lm_buffer out;
    size_t used = 0, size;

    lm_context_init(&ctx);
    lm_buffer_init(&out, &ctx);
    CHECK_OK(&ctx, lm_huffman_encode(&out, from, count, stride));
    size = out.size;
    CHECK(lm_huffman_decode(&table, (unsigned char *)out.data, size, &used, back, count, stride));
    CHECK_EQ_INT(used, size);
    for (size_t i = 0; i < count; i++)
        same &= back[i * stride] == from[i * stride];
    CHECK(same);
    CHECK(size <= count + 2);
    lm_buffer_free(&out);
    free(back);
    return size;
}

/* Bytes of a bell, as codes of matrices are. */
static void
fill_bell(lm_rng *rng, unsigned char *to, size_t count, double width)
{
    for (size_t i = 0; i < count; i++) {
        double sum = -6;

        for (int j = 0; j < 12; j++)
            sum += lm_rng_uniform(rng);
        to[i] = (unsigned char)(int)(sum * width);
    }
}

static void
planes(void)
{
    static const size_t counts[] = {1, 2, 3, 4, 5, 15, 16, 17, 255, 1000, 4097, LM_HUFFMAN_MOST};
    unsigned char *bytes = malloc(LM_HUFFMAN_MOST);
    lm_rng rng;

    lm_rng_seed(&rng, 5);
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++)
        for (double width = 0.25; width < 100; width *= 4) {
            fill_bell(&rng, bytes, counts[c], width);
            for (size_t stride = 1; stride <= 4 && counts[c] % stride == 0; stride *= 2)
                check_plane(bytes, counts[c] / stride, stride);
        }
    /* The entropy of a bell of deviation 4 is log2(4 · √(2πe)) = 4.05 bits. */
    fill_bell(&rng, bytes, LM_HUFFMAN_MOST, 4);
    CHECK(check_plane(bytes, LM_HUFFMAN_MOST, 1) < LM_HUFFMAN_MOST * 4.2 / 8);
    memset(bytes, 7, LM_HUFFMAN_MOST);
    CHECK_EQ_INT(check_plane(bytes, LM_HUFFMAN_MOST, 1), 2);
    for (size_t i = 0; i < LM_HUFFMAN_MOST; i++)
        bytes[i] = (unsigned char)i;
    CHECK_EQ_INT(check_plane(bytes, LM_HUFFMAN_MOST, 1), LM_HUFFMAN_MOST + 1);
    free(bytes);
}

/* Counts of Fibonacci's row would have codes of 21 bits. */
static void
long_codes(void)
{
    unsigned char *bytes = malloc(LM_HUFFMAN_MOST);
    size_t count = 0, before = 1, times = 1;

    for (int symbol = 0; symbol < 21; symbol++) {
        memset(bytes + count, symbol, times);
        count += times;
        times += before;
        before = times - before;
    }
    CHECK(check_plane(bytes, count, 1) < count / 2);
    free(bytes);
}

/* What is cut or changed is refused, or is other bytes; nothing is read outside (sanitizers). */
static void
damaged_planes(void)
{
    unsigned char bytes[600], back[600], *copy;
    size_t used, refused = 0;
    lm_context ctx;
    lm_buffer out;
    lm_rng rng;

    lm_rng_seed(&rng, 6);
    lm_context_init(&ctx);
    lm_buffer_init(&out, &ctx);
    fill_bell(&rng, bytes, sizeof bytes, 2);
    CHECK_OK(&ctx, lm_huffman_encode(&out, bytes, sizeof bytes, 1));
    for (size_t size = 0; size < out.size; size++) {
        copy = malloc(size + 1);
        memcpy(copy, out.data, size);
        CHECK(!lm_huffman_decode(&table, copy, size, &used, back, sizeof back, 1));
        free(copy);
    }
    copy = malloc(out.size);
    for (size_t at = 0; at < out.size; at++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(copy, out.data, out.size);
            copy[at] ^= (unsigned char)(1 << bit);
            refused += !lm_huffman_decode(&table, copy, out.size, &used, back, sizeof back, 1) ||
                       used != out.size;
        }
    CHECK(refused > 128 * 8); /* every change of the lengths at least */
    free(copy);
    lm_buffer_free(&out);
}

/* ---- Files ---- */

/* A file of three stretches, the middle of which is left out. */
#define HEAD ((size_t)70000)
#define GAP ((size_t)100000)
#define TAIL ((size_t)131080)

static void
make_file(lm_context *ctx, lm_buffer *plain, lm_buffer *coded)
{
    const lm_coded_part parts[] = {{HEAD, 1, NULL}, {GAP, 0, NULL}, {TAIL, 4, NULL}};
    fake_source fake = {.count = 0};
    const lm_source source = fake_open(&fake);
    lm_rng rng;

    lm_rng_seed(&rng, 7);
    CHECK_OK(ctx, lm_buffer_reserve(plain, HEAD + GAP + TAIL));
    plain->size = HEAD + GAP + TAIL;
    fill_bell(&rng, (unsigned char *)plain->data, plain->size, 9);
    fake_add_bytes(&fake, "a.safetensors", plain->data, plain->size);
    CHECK_OK(ctx, lm_coded_write(ctx, &source, "a.safetensors", parts, 3, coded));
    CHECK(!fake.went_back);
}

/* All that is not left out, in uneven pieces, into `to`. */
static lm_status
read_all(lm_context *ctx, const char *coded, size_t size, char *to)
{
    fake_source fake = {.count = 0};
    const lm_source below = fake_open(&fake);
    lm_coded_files files;
    lm_source source;
    lm_arena arena;
    uint64_t length = 0;
    bool found = false;
    lm_status status;

    lm_arena_init(&arena, ctx);
    fake_add_bytes(&fake, "a.safetensors.coded", coded, size);
    source = lm_coded_source(&files, &arena, &below);
    status = source.stat(ctx, source.opaque, "a.safetensors", &found, &length);
    if (status == LM_OK && (!found || length != HEAD + GAP + TAIL))
        status = LM_BAD_MODEL;
    for (size_t at = 0; at < HEAD + GAP + TAIL && status == LM_OK;) {
        const size_t end = at < HEAD ? HEAD : HEAD + GAP + TAIL;
        const size_t piece = end - at < 7001 ? end - at : 7001;

        status = source.read(ctx, source.opaque, "a.safetensors", at, to + at, piece);
        at += piece;
        if (at == HEAD)
            at += GAP;
    }
    CHECK(!fake.went_back);
    lm_arena_free(&arena);
    return status;
}

static void
files(void)
{
    lm_context ctx;
    lm_buffer plain, coded;
    char *to = calloc(1, HEAD + GAP + TAIL);

    lm_context_init(&ctx);
    lm_buffer_init(&plain, &ctx);
    lm_buffer_init(&coded, &ctx);
    make_file(&ctx, &plain, &coded);
    CHECK_OK(&ctx, read_all(&ctx, coded.data, coded.size, to));
    CHECK(memcmp(to, plain.data, HEAD) == 0);
    CHECK(memcmp(to + HEAD + GAP, plain.data + HEAD + GAP, TAIL) == 0);
    CHECK(coded.size < (HEAD + TAIL) * 6 / 8);
    /* Every bit of the directory, and some of the blocks: nothing that is changed goes through. */
    for (size_t at = 0; at < coded.size; at += at < 200 ? 1 : 977) {
        coded.data[at] ^= 16;
        CHECK(read_all(&ctx, coded.data, coded.size, to) == LM_BAD_MODEL);
        coded.data[at] ^= 16;
        CHECK(read_all(&ctx, coded.data, at, to) == LM_BAD_MODEL);
    }
    lm_buffer_free(&plain);
    lm_buffer_free(&coded);
    free(to);
}

static void
left_out(void)
{
    lm_context ctx;
    lm_buffer plain, coded;
    fake_source fake = {.count = 0};
    const lm_source below = fake_open(&fake);
    lm_coded_files files;
    const char *holder;
    lm_source source;
    lm_arena arena;
    uint64_t size;
    bool found;
    char byte;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    lm_buffer_init(&plain, &ctx);
    lm_buffer_init(&coded, &ctx);
    make_file(&ctx, &plain, &coded);
    fake_add_bytes(&fake, "a.safetensors.coded", coded.data, coded.size);
    source = lm_coded_source(&files, &arena, &below);
    CHECK_OK(&ctx, source.stat(&ctx, source.opaque, "a.safetensors", &found, &size));
    CHECK(source.read(&ctx, source.opaque, "a.safetensors", HEAD + 1, &byte, 1) == LM_UNSUPPORTED);
    CHECK_STR(ctx.error.file, "a.safetensors.coded");
    CHECK(source.read(&ctx, source.opaque, "a.safetensors", size, &byte, 1) == LM_BAD_MODEL);
    CHECK_OK(&ctx, source.stat(&ctx, source.opaque, "b.safetensors", &found, &size));
    CHECK(!found);
    CHECK_OK(&ctx, lm_coded_name(&ctx, &arena, &below, "a.safetensors", &holder));
    CHECK_STR(holder, "a.safetensors.coded");
    CHECK(lm_coded_refuse(&ctx, holder) == LM_UNSUPPORTED);
    CHECK_OK(&ctx, lm_coded_refuse(&ctx, "a.safetensors"));
    lm_buffer_free(&plain);
    lm_buffer_free(&coded);
    lm_arena_free(&arena);
}

/* ---- A small file ---- */

enum { SMALL = 136 }; /* stretches of 64, 8 and 64 bytes */

static void
make_small(lm_context *ctx, lm_buffer *coded)
{
    static char plain[SMALL];
    const lm_coded_part parts[] = {{64, 1, NULL}, {8, 0, NULL}, {64, 4, NULL}};
    fake_source fake = {.count = 0};
    const lm_source source = fake_open(&fake);

    for (int i = 0; i < SMALL; i++)
        plain[i] = (char)(i % 5);
    fake_add_bytes(&fake, "a.safetensors", plain, SMALL);
    CHECK_OK(ctx, lm_coded_write(ctx, &source, "a.safetensors", parts, 3, coded));
}

/* Its name, its size, and the first bytes, with `room` in the arena's first block. */
static lm_status
open_small(const lm_buffer *coded, size_t room, fake_memory *memory, int fail_read)
{
    const int fail_at = memory->fail_at;
    fake_source fake = {.count = 0};
    const lm_source below = fake_open(&fake);
    lm_coded_files files;
    const char *holder;
    lm_source source;
    lm_context ctx;
    lm_arena arena;
    lm_status status;
    uint64_t size;
    char bytes[64];
    bool found;

    fake_add_bytes(&fake, "a.safetensors.coded", coded->data, coded->size);
    memory->fail_at = 0;
    fake_context(&ctx, memory);
    lm_arena_init(&arena, &ctx);
    arena.first = 16384; /* of which the table of codes takes the half */
    CHECK(fake_fill_arena(&arena, room));
    memory->calls = 0;
    memory->fail_at = fail_at;
    fake.fail_at = fail_read;
    source = lm_coded_source(&files, &arena, &below);
    status = lm_coded_name(&ctx, &arena, &below, "a.safetensors", &holder);
    if (status == LM_OK)
        status = source.stat(&ctx, source.opaque, "a.safetensors", &found, &size);
    if (status == LM_OK)
        status = source.read(&ctx, source.opaque, "a.safetensors", 0, bytes, sizeof bytes);
    lm_arena_free(&arena);
    CHECK_EQ_INT(memory->live, 0);
    return status;
}

static void
small_faults(void)
{
    lm_status status = LM_CANCELLED;
    fake_memory memory;
    lm_context ctx;
    lm_buffer coded;

    lm_context_init(&ctx);
    lm_buffer_init(&coded, &ctx);
    make_small(&ctx, &coded);
    for (size_t room = 0; room < 9216; room += room < 8192 ? 1024 : 16) {
        status = LM_NO_MEMORY;
        for (int at = 1; status == LM_NO_MEMORY; at++) {
            memory = (fake_memory){.fail_at = at};
            status = open_small(&coded, room, &memory, 0);
        }
        CHECK_EQ_INT(status, LM_OK);
    }
    status = LM_CANCELLED;
    for (int at = 1; status == LM_CANCELLED; at++) {
        memory = (fake_memory){.stop_at = at};
        status = open_small(&coded, 0, &memory, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
    status = LM_IO_ERROR;
    for (int at = 1; status == LM_IO_ERROR; at++) {
        memory = (fake_memory){.fail_at = 0};
        status = open_small(&coded, 0, &memory, at);
    }
    CHECK_EQ_INT(status, LM_OK);
    lm_buffer_free(&coded);
}

/* As many stretches as their directory outgrows the arena's block, each of one block. */
static void
many_stretches(void)
{
    enum { MOST = 4096 };
    lm_coded_part *parts = malloc(MOST * sizeof *parts);
    char *plain = calloc(MOST, 64);
    fake_source fake = {.count = 0};
    const lm_source source = fake_open(&fake);
    lm_context ctx;

    lm_context_init(&ctx);
    fake_add_bytes(&fake, "a.safetensors", plain, (size_t)MOST * 64);
    for (size_t count = 512; count <= MOST; count += 64) {
        lm_status status = LM_NO_MEMORY;
        lm_buffer coded;

        lm_buffer_init(&coded, &ctx);
        for (size_t i = 0; i < count; i++)
            parts[i] = (lm_coded_part){64, i % 3 > 0, NULL};
        parts[0].stride = 1;
        CHECK_OK(&ctx, lm_coded_write(&ctx, &source, "a.safetensors", parts, count, &coded));
        for (int at = 1; status == LM_NO_MEMORY; at++) {
            fake_memory memory = {.fail_at = at};

            status = open_small(&coded, 0, &memory, 0);
        }
        CHECK_EQ_INT(status, LM_OK);
        lm_buffer_free(&coded);
    }
    free(plain);
    free(parts);
}

/* What is written before or after each failure; `room` is that of the file. */
static lm_status
write_small(size_t count, size_t room, fake_memory *memory, int fail_read)
{
    static const char plain[128 * 64];
    const int fail_at = memory->fail_at;
    fake_source fake = {.count = 0};
    const lm_source source = fake_open(&fake);
    lm_coded_part parts[128];
    lm_context ctx;
    lm_buffer coded;
    lm_status status;

    for (size_t i = 0; i < count; i++)
        parts[i] = (lm_coded_part){64, 4, NULL};
    fake_add_bytes(&fake, "a.safetensors", plain, sizeof plain);
    memory->fail_at = 0;
    fake_context(&ctx, memory);
    lm_buffer_init(&coded, &ctx);
    CHECK_OK(&ctx, lm_buffer_reserve(&coded, 4096));
    coded.size = coded.capacity - room;
    memory->calls = 0;
    memory->fail_at = fail_at;
    fake.fail_at = fail_read;
    status = lm_coded_write(&ctx, &source, "a.safetensors", parts, count, &coded);
    lm_buffer_free(&coded);
    CHECK_EQ_INT(memory->live, 0);
    return status;
}

/* The file ends behind its head, behind the sizes, and in the blocks. */
static void
writer_faults(void)
{
    static const struct {
        size_t count, room;
    } sizes[] = {{2, 0}, {2, 24 + 2 * 16}, {2, 24 + 2 * 16 + 2 * 8}, {40, 0}};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        lm_status status = LM_NO_MEMORY;

        for (int at = 1; status == LM_NO_MEMORY; at++)
            status = write_small(sizes[i].count, sizes[i].room, &(fake_memory){.fail_at = at}, 0);
        CHECK_EQ_INT(status, LM_OK);
    }
    CHECK_EQ_INT(write_small(2, 0, &(fake_memory){.stop_at = 2}, 0), LM_CANCELLED);
    CHECK_EQ_INT(write_small(2, 0, &(fake_memory){.stop_at = 0}, 2), LM_IO_ERROR);
}

/* Numbers of the directory: of the head, of a stretch, of a block. */
static void
small_damage(void)
{
    enum { SIZE = 8, COUNT = 16, BYTES = 24, STRIDE = 32, LAST_BYTES = 56, BLOCK = 72 };
    static const struct {
        size_t at;
        uint64_t value;
    } cases[] = {{SIZE, 1},       {COUNT, 0},       {COUNT, (uint64_t)1 << 40},
                 {BYTES, 0},      {BYTES, 1000},    {STRIDE, 3},
                 {STRIDE, 16},    {LAST_BYTES, 62}, {BYTES, 48},
                 {BLOCK, 0},      {BLOCK, 60000},   {BLOCK, UINT32_MAX},
                 {LAST_BYTES, 60}};
    const uint64_t much = (uint64_t)1 << 40;
    uint32_t last;
    fake_memory memory = {.fail_at = 0};
    lm_context ctx;
    lm_buffer coded;

    lm_context_init(&ctx);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lm_buffer_init(&coded, &ctx);
        make_small(&ctx, &coded);
        memcpy(coded.data + cases[i].at, &cases[i].value, sizeof cases[i].value);
        CHECK_EQ_INT(open_small(&coded, 0, &memory, 0), LM_BAD_MODEL);
        lm_buffer_free(&coded);
    }
    lm_buffer_init(&coded, &ctx);
    make_small(&ctx, &coded);
    memcpy(coded.data + SIZE, &much, sizeof much);
    memcpy(coded.data + BYTES, &much, sizeof much);
    CHECK_EQ_INT(open_small(&coded, 0, &memory, 0), LM_BAD_MODEL);
    lm_buffer_free(&coded);
    /* The first block takes a byte of the second, which follows it. */
    lm_buffer_init(&coded, &ctx);
    make_small(&ctx, &coded);
    for (int i = 0; i < 2; i++) {
        memcpy(&last, coded.data + BLOCK + 8 * i, sizeof last);
        last += i == 0 ? 1 : UINT32_MAX;
        memcpy(coded.data + BLOCK + 8 * i, &last, sizeof last);
    }
    CHECK_EQ_INT(open_small(&coded, 0, &memory, 0), LM_BAD_MODEL);
    lm_buffer_free(&coded);
}

/* One that is another when it is looked at again; reads behind its end. */
static void
small_changes(void)
{
    fake_source fake = {.count = 0};
    const lm_source below = fake_open(&fake);
    lm_coded_files files;
    lm_source source;
    lm_context ctx;
    lm_arena arena;
    lm_buffer coded;
    uint64_t size;
    char byte, long_name[300];
    bool found;

    snprintf(long_name, sizeof long_name, "%0280d.safetensors", 0);
    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    lm_buffer_init(&coded, &ctx);
    make_small(&ctx, &coded);
    fake_add_bytes(&fake, "a.safetensors.coded", coded.data, coded.size);
    source = lm_coded_source(&files, &arena, &below);
    CHECK_OK(&ctx, source.stat(&ctx, source.opaque, "a.safetensors", &found, &size));
    CHECK_EQ_INT(size, SMALL);
    CHECK_EQ_INT(source.read(&ctx, source.opaque, "a.safetensors", SMALL + 1, &byte, 0),
                 LM_BAD_MODEL);
    fake.files[0].size--;
    CHECK_EQ_INT(source.stat(&ctx, source.opaque, "a.safetensors", &found, &size), LM_IO_ERROR);
    CHECK_OK(&ctx, source.stat(&ctx, source.opaque, long_name, &found, &size));
    CHECK(!found);
    CHECK(!lm_coded_is(".coded") && !lm_coded_is("a.safetensors.codex") && lm_coded_is("a.coded"));
    lm_arena_free(&arena);
    lm_buffer_free(&coded);
}

/* ---- Models ---- */

/* The folder with int8 matrices beside its files. */
static void
quantize(lm_context *ctx, golden_folder *folder, lm_buffer *file)
{
    lm_quantize_report report;
    lm_session *session;
    loaded_model full;

    CHECK_OK(ctx, loaded_open(ctx, &folder->source, lm_kernels_active(), &full));
    CHECK_OK(ctx, lm_session_create(ctx, &session));
    CHECK_OK(ctx, lm_quantize(ctx, session, &full.model, &folder->source, NULL, file, &report));
    lm_session_free(session);
    loaded_close(ctx, &full);
    fake_add_bytes(&folder->files, LM_QUANTIZED_FILE, file->data, file->size);
}

/* A source that has the listed files alone, as a version has. */
static void
keep_listed(lm_context *ctx, golden_folder *folder, const lm_compressed *compressed,
            fake_source *kept)
{
    lm_source both;
    lm_file_list list;
    lm_arena arena;

    lm_arena_init(&arena, ctx);
    CHECK_OK(ctx, lm_compressed_source(&arena, compressed, &folder->source, &both));
    CHECK_OK(ctx, lm_checkpoint_list(ctx, &arena, &both, &list));
    for (size_t i = 0; i < list.count; i++) {
        const fake_file *file = fake_find(&folder->files, list.names[i]);

        for (size_t j = 0; j < compressed->count && !file; j++)
            if (strcmp(compressed->files[j].name, list.names[i]) == 0)
                fake_add_bytes(kept, compressed->files[j].name, compressed->files[j].bytes.data,
                               compressed->files[j].bytes.size);
        if (file)
            fake_add_bytes(kept, file->name, file->data, file->size);
    }
    lm_arena_free(&arena);
}

/* At every level the same image; at fp32 a refusal. */
static void
check_images(lm_context *ctx, golden_folder *folder, fake_source *kept)
{
    const lm_source coded = fake_open(kept);
    loaded_model a, b;

    CHECK(!fake_find(kept, "model.safetensors") && !fake_find(kept, LM_QUANTIZED_FILE));
    for (int level = 0; level < LM_LEVEL_COUNT; level++) {
        const lm_kernels *kernels = lm_kernels_at((lm_level)level);

        if (!kernels)
            continue;
        CHECK_OK(ctx, loaded_open_as(ctx, &folder->source, kernels, LM_PRECISION_INT8, &a));
        CHECK_OK(ctx, loaded_open_as(ctx, &coded, kernels, LM_PRECISION_INT8, &b));
        if (b.image) {
            CHECK_EQ_INT(a.size, b.size);
            loaded_close(ctx, &b);
        }
        loaded_close(ctx, &a);
    }
    CHECK(loaded_open(ctx, &coded, lm_kernels_active(), &a) == LM_UNSUPPORTED);
    CHECK(lm_coded_is(ctx->error.file));
}

static void
check_model(const char *name)
{
    const lm_model_options options = {.max_tokens = 0};
    fake_source kept = {.count = 0};
    lm_compressed compressed;
    golden_folder folder;
    lm_buffer file;
    lm_context ctx;
    lm_arena arena;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    lm_buffer_init(&file, &ctx);
    golden_open(&ctx, name, &folder);
    quantize(&ctx, &folder, &file);
    CHECK_OK(&ctx, lm_compress(&ctx, &arena, &folder.source, &options, &compressed));
    keep_listed(&ctx, &folder, &compressed, &kept);
    check_images(&ctx, &folder, &kept);
    CHECK(compressed.bytes < compressed.int8_bytes);
    CHECK(compressed.codes > 0);
    lm_compressed_free(&compressed);
    lm_arena_free(&arena);
    golden_close(&folder);
    lm_buffer_free(&file);
}

static void
models(void)
{
    static const char *const names[] = {
        "bert",        "bert-sequence", "bert-mask",  "distilbert-st6", "modernbert", "nomic_bert",
        "t5",          "albert",        "deberta-v2", "qwen3",          "gte",        "mpnet",
        "bert-sharded"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        check_model(names[i]);
}

/* What has no encoder of its own alone, or no int8 matrices. */
static void
refusals(void)
{
    static const char *const names[] = {"bert", "static-dense", "router-asym", "words"};
    const lm_model_options options = {.max_tokens = 0};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        lm_compressed compressed;
        golden_folder folder;
        lm_context ctx;
        lm_arena arena;

        lm_context_init(&ctx);
        lm_arena_init(&arena, &ctx);
        golden_open(&ctx, names[i], &folder);
        CHECK_EQ_INT(lm_compress(&ctx, &arena, &folder.source, &options, &compressed),
                     LM_UNSUPPORTED);
        CHECK_STR(ctx.error.message, i == 0 ? "only an int8 version can be compressed"
                                            : "only a model with one encoder can be compressed");
        lm_compressed_free(&compressed);
        lm_arena_free(&arena);
        golden_close(&folder);
    }
}

/* One compression, in which an allocation or a poll may fail: nothing is left behind. */
static lm_status
compress_once(const golden_folder *folder, fake_memory memory, int *polls)
{
    const lm_model_options options = {.max_tokens = 0};
    lm_compressed compressed;
    lm_context ctx;
    lm_arena arena;
    lm_status status;

    fake_context(&ctx, &memory);
    lm_arena_init(&arena, &ctx);
    status = lm_compress(&ctx, &arena, &folder->source, &options, &compressed);
    lm_compressed_free(&compressed);
    lm_arena_free(&arena);
    CHECK_EQ_INT(memory.live, 0);
    *polls = memory.polls;
    return status;
}

/* The first places one by one, then further ones that lie ever wider apart. */
static int
next_place(int at)
{
    return at < 40 ? at + 1 : at + at / 8;
}

/* Calls of the source: the last ones, which add up sizes, and then some of those before. */
static void
last_calls_fail(golden_folder *folder)
{
    int polls, calls;

    folder->files.calls = 0;
    CHECK_EQ_INT(compress_once(folder, (fake_memory){.fail_at = 0}, &polls), LM_OK);
    calls = folder->files.calls;
    for (int back = 0; back < calls; back = next_place(back)) {
        folder->files.calls = 0;
        folder->files.fail_at = calls - back;
        CHECK_EQ_INT(compress_once(folder, (fake_memory){.fail_at = 0}, &polls), LM_IO_ERROR);
    }
    folder->files.fail_at = 0;
}

static void
faults(void)
{
    lm_status status = LM_NO_MEMORY;
    golden_folder folder;
    lm_buffer file;
    lm_context ctx;
    int polls;

    lm_context_init(&ctx);
    lm_buffer_init(&file, &ctx);
    golden_open(&ctx, "bert", &folder);
    quantize(&ctx, &folder, &file);
    for (int at = 1; status == LM_NO_MEMORY; at = next_place(at))
        status = compress_once(&folder, (fake_memory){.fail_at = at}, &polls);
    CHECK_EQ_INT(status, LM_OK);
    status = LM_CANCELLED;
    for (int at = 1; status == LM_CANCELLED; at = next_place(at))
        status = compress_once(&folder, (fake_memory){.stop_at = at}, &polls);
    CHECK_EQ_INT(status, LM_OK);
    CHECK(polls > 5);
    last_calls_fail(&folder);
    golden_close(&folder);
    lm_buffer_free(&file);
}

static const unit_case cases[] = {
    {"planes", planes},
    {"long codes", long_codes},
    {"damaged planes", damaged_planes},
    {"files", files},
    {"left out", left_out},
    {"models", models},
    {"small faults", small_faults},
    {"many stretches", many_stretches},
    {"writer faults", writer_faults},
    {"small damage", small_damage},
    {"small changes", small_changes},
    {"refusals", refusals},
    {"faults", faults},
};

UNIT_MAIN(cases)
