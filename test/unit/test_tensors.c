/*
 * test_tensors.c - safetensors headers: a sound file and its directory, a table of damaged ones
 * (each refused with its status and tensor), shards with an index, faults of reading and memory.
 */
#include "format/tensors.h"

#include "base/buffer.h"
#include "fake.h"
#include "format/json.h"
#include "unit.h"

/* A file: header size (that of the header unless given), header, and bytes of data. */
static size_t
build(char *file, const char *header, uint64_t claimed, size_t data)
{
    size_t length = strlen(header);
    uint64_t size = claimed == UINT64_MAX ? length : claimed;

    for (int i = 0; i < 8; i++)
        file[i] = (char)(size >> 8 * i);
    memcpy(file + 8, header, length);
    for (size_t i = 0; i < data; i++)
        file[8 + length + i] = (char)i;
    return 8 + length + data;
}

#define HONEST UINT64_MAX

#define T(name, dtype, shape, offsets) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void
test_sound(void)
{
    static char bytes[1024];
    fake_source fake = {0};
    lm_source source = fake_open(&fake);
    lm_context ctx;
    lm_arena arena;
    lm_tensors tensors;
    const lm_tensor *tensor;
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"}," T("b", "F32", "[2,3]", "[4,28]") "," T(
            "a", "I8", "[4]", "[0,4]") "," T("scalar", "BF16", "[]", "[28,30]") "}   \n";

    fake_add_bytes(&fake, "model.safetensors", bytes, build(bytes, header, HONEST, 30));
    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    CHECK_OK(&ctx, lm_tensors_open(&ctx, &arena, &source, "", &tensors));
    CHECK_EQ_INT(tensors.count, 3);
    CHECK_EQ_INT(tensors.file_count, 1);
    CHECK_STR(tensors.files[0], "model.safetensors");
    CHECK_STR(tensors.items[0].name, "a");
    CHECK_STR(tensors.items[2].name, "scalar");
    tensor = lm_tensors_find(&tensors, "b");
    CHECK(tensor && tensor->dtype == LM_F32 && tensor->rank == 2);
    CHECK(tensor->shape[0] == 2 && tensor->shape[1] == 3 && tensor->count == 6);
    CHECK_EQ_INT(tensor->offset, 8 + strlen(header) + 4);
    CHECK_EQ_INT(tensor->bytes, 24);
    CHECK_EQ_INT(tensor->order, 1);
    CHECK_STR(tensor->file, "model.safetensors");
    tensor = lm_tensors_find(&tensors, "scalar");
    CHECK(tensor->rank == 0 && tensor->count == 1 && tensor->order == 2);
    CHECK(lm_tensors_find(&tensors, "c") == NULL);
    CHECK(!fake.went_back);
    lm_arena_free(&arena);
}

static void
test_empty(void)
{
    static char bytes[64];
    fake_source fake = {0};
    lm_source source = fake_open(&fake);
    lm_context ctx;
    lm_arena arena;
    lm_tensors tensors;

    fake_add_bytes(&fake, "x.safetensors", bytes, build(bytes, "{}", HONEST, 0));
    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    CHECK_OK(&ctx, lm_tensors_open_file(&ctx, &arena, &source, "x.safetensors", &tensors));
    CHECK_EQ_INT(tensors.count, 0);
    CHECK(lm_tensors_find(&tensors, "a") == NULL);
    lm_arena_free(&arena);
}

typedef struct damage {
    const char *header;
    uint64_t claimed;
    size_t data;
    lm_status status;
    const char *message;
    const char *key;
} damage;

#define ONE(dtype, shape, offsets) "{" T("t", dtype, shape, offsets) "}"
#define WRONG "the header describes a tensor incorrectly"
#define MISMATCH "shape and dtype of a tensor do not match its data"
#define PAST "the data of a tensor reaches past the end of the file"
#define GAP "there is a gap before the data of a tensor"
#define OVERLAP "the data of two tensors overlaps"
#define TRAILING "the file ends with bytes that belong to no tensor"
#define TRUNCATED "a file of the model is truncated"
#define NO_BRACE "the header does not begin with '{'"

static const damage damages[] = {
    /* the header's size */
    {"{}", 0, 0, LM_BAD_MODEL, NO_BRACE, ""},
    {"{}", 1, 1, LM_BAD_MODEL, "malformed JSON", ""},
    {"{}", 3, 0, LM_BAD_MODEL, TRUNCATED, ""},
    {"{}", 1000, 100, LM_BAD_MODEL, TRUNCATED, ""},
    {"{}", UINT64_C(100000001), 0, LM_BAD_MODEL, "the header is too large", ""},
    {"{}", UINT64_C(1) << 63, 0, LM_BAD_MODEL, "the header is too large", ""},
    {"{}", UINT64_MAX - 7, 0, LM_BAD_MODEL, "the header is too large", ""},
    {"{}", UINT64_MAX - 1, 0, LM_BAD_MODEL, "the header is too large", ""},
    {"{}", 0x7fffffff, 0, LM_BAD_MODEL, "the header is too large", ""},
    /* the header as JSON */
    {" {}", HONEST, 0, LM_BAD_MODEL, NO_BRACE, ""},
    {"[]", HONEST, 0, LM_BAD_MODEL, NO_BRACE, ""},
    {"{", HONEST, 0, LM_BAD_MODEL, "malformed JSON", ""},
    {"{}x", HONEST, 0, LM_BAD_MODEL, "malformed JSON", ""},
    {"{\"\xff\":1}", HONEST, 0, LM_BAD_MODEL, "malformed JSON", ""},
    {"{" T("t", "U8", "[1]", "[0,1]") "," T("t", "U8", "[1]", "[0,1]") "}", HONEST, 1, LM_BAD_MODEL,
     "duplicate key in JSON object", "t"},
    {"{\"t\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", HONEST, 1,
     LM_BAD_MODEL, "duplicate key in JSON object", "dtype"},
    /* names and metadata */
    {"{\"t\":1}", HONEST, 0, LM_BAD_MODEL, "a tensor's entry in the header is not an object", "t"},
    {"{" T("", "U8", "[1]", "[0,1]") "}", HONEST, 1, LM_BAD_MODEL,
     "a tensor's name is empty or holds U+0000", ""},
    {"{" T("t\\u0000x", "U8", "[1]", "[0,1]") "}", HONEST, 1, LM_BAD_MODEL,
     "a tensor's name is empty or holds U+0000", "t"},
    {"{\"__metadata__\":[]}", HONEST, 0, LM_BAD_MODEL, "the header's metadata is not an object",
     "__metadata__"},
    {"{\"__metadata__\":{\"a\":1}}", HONEST, 0, LM_BAD_MODEL,
     "the header's metadata holds more than strings", "__metadata__"},
    {"{\"__metadata__\\u0000\":{}}", HONEST, 0, LM_BAD_MODEL,
     "a tensor's name is empty or holds U+0000", "__metadata__"},
    {"{\"__metadata__\":null}", HONEST, 1, LM_BAD_MODEL, TRAILING, ""},
    /* dtypes */
    {"{\"t\":{\"shape\":[1],\"data_offsets\":[0,1]}}", HONEST, 1, LM_BAD_MODEL, WRONG, "t.dtype"},
    {"{\"t\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,1]}}", HONEST, 1, LM_BAD_MODEL, WRONG,
     "t.dtype"},
    {ONE("F4", "[2]", "[0,1]"), HONEST, 1, LM_UNSUPPORTED, "the tensor's dtype is not supported",
     "t"},
    {ONE("F8_E4M3", "[1]", "[0,1]"), HONEST, 1, LM_UNSUPPORTED,
     "the tensor's dtype is not supported", "t"},
    {ONE("f32", "[1]", "[0,4]"), HONEST, 4, LM_UNSUPPORTED, "the tensor's dtype is not supported",
     "t"},
    {ONE("F32\\u0000", "[1]", "[0,4]"), HONEST, 4, LM_UNSUPPORTED,
     "the tensor's dtype is not supported", "t"},
    /* shapes */
    {"{\"t\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", HONEST, 1, LM_BAD_MODEL, WRONG,
     "t.shape"},
    {ONE("U8", "{}", "[0,1]"), HONEST, 1, LM_BAD_MODEL, WRONG, "t.shape"},
    {ONE("U8", "[-1]", "[0,1]"), HONEST, 1, LM_BAD_MODEL, WRONG, "t.shape"},
    {ONE("U8", "[0]", "[0,0]"), HONEST, 0, LM_BAD_MODEL, WRONG, "t.shape"},
    {ONE("U8", "[-0]", "[0,0]"), HONEST, 0, LM_BAD_MODEL, WRONG, "t.shape"},
    {ONE("U8", "[1.0]", "[0,1]"), HONEST, 1, LM_BAD_MODEL, WRONG, "t.shape"},
    {ONE("U8", "[1.5]", "[0,1]"), HONEST, 1, LM_BAD_MODEL, WRONG, "t.shape"},
    {ONE("U8", "[1e0]", "[0,1]"), HONEST, 1, LM_BAD_MODEL, WRONG, "t.shape"},
    {ONE("U8", "[1e400]", "[0,1]"), HONEST, 1, LM_BAD_MODEL, "malformed JSON", ""},
    {ONE("U8", "[\"1\"]", "[0,1]"), HONEST, 1, LM_BAD_MODEL, WRONG, "t.shape"},
    {ONE("U8", "[null]", "[0,1]"), HONEST, 1, LM_BAD_MODEL, WRONG, "t.shape"},
    {ONE("U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), HONEST, 1, LM_BAD_MODEL, WRONG, "t.shape"},
    {ONE("U8", "[4294967296,4294967296]", "[0,0]"), HONEST, 0, LM_BAD_MODEL, WRONG, "t.shape"},
    {ONE("U8", "[4294967297,4294967296,4]", "[0,4]"), HONEST, 4, LM_BAD_MODEL, WRONG, "t.shape"},
    {ONE("F32", "[4611686018427387904]", "[0,0]"), HONEST, 0, LM_BAD_MODEL, MISMATCH, "t"},
    {ONE("F64", "[2305843009213693953]", "[0,8]"), HONEST, 8, LM_BAD_MODEL, MISMATCH, "t"},
    {ONE("U8", "[9223372036854775808]", "[0,1]"), HONEST, 1, LM_BAD_MODEL, WRONG, "t.shape"},
    {ONE("U8", "[18446744073709551616]", "[0,1]"), HONEST, 1, LM_BAD_MODEL, WRONG, "t.shape"},
    /* bytes */
    {ONE("F32", "[2]", "[0,4]"), HONEST, 4, LM_BAD_MODEL, MISMATCH, "t"},
    {ONE("F16", "[2]", "[0,5]"), HONEST, 5, LM_BAD_MODEL, MISMATCH, "t"},
    {ONE("U8", "[2]", "[0,0]"), HONEST, 0, LM_BAD_MODEL, MISMATCH, "t"},
    /* ranges */
    {"{\"t\":{\"dtype\":\"U8\",\"shape\":[1]}}", HONEST, 1, LM_BAD_MODEL, WRONG, "t.data_offsets"},
    {ONE("U8", "[1]", "[0]"), HONEST, 1, LM_BAD_MODEL, WRONG, "t.data_offsets"},
    {ONE("U8", "[1]", "[0,1,2]"), HONEST, 1, LM_BAD_MODEL, WRONG, "t.data_offsets"},
    {ONE("U8", "[1]", "{\\\"a\\\":0}"), HONEST, 1, LM_BAD_MODEL, "malformed JSON", ""},
    {ONE("U8", "[1]", "{}"), HONEST, 1, LM_BAD_MODEL, WRONG, "t.data_offsets"},
    {ONE("U8", "[1]", "[\"0\",1]"), HONEST, 1, LM_BAD_MODEL, WRONG, "t.data_offsets"},
    {ONE("U8", "[1]", "[-0,1]"), HONEST, 1, LM_BAD_MODEL, WRONG, "t.data_offsets"},
    {ONE("U8", "[1]", "[0,1.0]"), HONEST, 1, LM_BAD_MODEL, WRONG, "t.data_offsets"},
    {ONE("U8", "[1]", "[1,0]"), HONEST, 1, LM_BAD_MODEL, WRONG, "t.data_offsets"},
    {ONE("U8", "[1]", "[-1,0]"), HONEST, 1, LM_BAD_MODEL, WRONG, "t.data_offsets"},
    {ONE("U8", "[1]", "[0,18446744073709551615]"), HONEST, 1, LM_BAD_MODEL, WRONG,
     "t.data_offsets"},
    {ONE("U8", "[2]", "[0,2]"), HONEST, 1, LM_BAD_MODEL, PAST, "t"},
    {ONE("U8", "[1]", "[9223372036854775806,9223372036854775807]"), HONEST, 1, LM_BAD_MODEL, PAST,
     "t"},
    {ONE("U8", "[1]", "[1,2]"), HONEST, 2, LM_BAD_MODEL, GAP, "t"},
    {ONE("U8", "[1]", "[0,1]"), HONEST, 2, LM_BAD_MODEL, TRAILING, ""},
    {"{}", HONEST, 1, LM_BAD_MODEL, TRAILING, ""},
    {"{" T("a", "U8", "[2]", "[0,2]") "," T("b", "U8", "[2]", "[1,3]") "}", HONEST, 3, LM_BAD_MODEL,
     OVERLAP, "b"},
    {"{" T("b", "U8", "[2]", "[0,2]") "," T("a", "U8", "[2]", "[0,2]") "}", HONEST, 2, LM_BAD_MODEL,
     OVERLAP, NULL},
    {"{" T("a", "U8", "[3]", "[0,3]") "," T("b", "U8", "[1]", "[1,2]") "}", HONEST, 3, LM_BAD_MODEL,
     OVERLAP, "b"},
    {"{" T("a", "U8", "[1]", "[0,1]") "," T("b", "U8", "[1]", "[2,3]") "}", HONEST, 3, LM_BAD_MODEL,
     GAP, "b"},
    {"{" T("a", "U8", "[1]", "[0,1]") "," T("z", "U8", "[0]", "[1,1]") "}", HONEST, 1, LM_BAD_MODEL,
     WRONG, "z.shape"},
};

static void
test_damaged(void)
{
    static char bytes[4096];

    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        const damage *d = &damages[i];
        fake_source fake = {0};
        lm_source source = fake_open(&fake);
        fake_memory memory = {0};
        lm_context ctx;
        lm_arena arena;
        lm_tensors tensors;

        fake_add_bytes(&fake, "model.safetensors", bytes,
                       build(bytes, d->header, d->claimed, d->data));
        fake_context(&ctx, &memory);
        lm_arena_init(&arena, &ctx);
        if (lm_tensors_open(&ctx, &arena, &source, "", &tensors) != d->status ||
            strcmp(ctx.error.message, d->message) != 0 ||
            (d->key && strcmp(ctx.error.key, d->key) != 0))
            UNIT_FAIL("%s (%llu): %d, %s [%s]", d->header, (unsigned long long)d->claimed,
                      ctx.error.status, ctx.error.message, ctx.error.key);
        CHECK_STR(ctx.error.file, "model.safetensors");
        CHECK(arena.total < 65536);
        lm_arena_free(&arena);
        CHECK_EQ_INT(memory.live, 0);
    }
}

/* A file cut anywhere is refused; offsets of JSON errors count from the file's begin. */
static void
test_truncated(void)
{
    static char bytes[1024];
    size_t size = build(bytes, ONE("F32", "[3]", "[0,12]"), HONEST, 12);

    for (size_t cut = 0; cut < size; cut++) {
        fake_source fake = {0};
        lm_source source = fake_open(&fake);
        lm_context ctx;
        lm_arena arena;
        lm_tensors tensors;

        fake_add_bytes(&fake, "model.safetensors", bytes, cut);
        lm_context_init(&ctx);
        lm_arena_init(&arena, &ctx);
        CHECK_EQ_INT(lm_tensors_open(&ctx, &arena, &source, "", &tensors), LM_BAD_MODEL);
        lm_arena_free(&arena);
    }
    {
        fake_source fake = {0};
        lm_source source = fake_open(&fake);
        lm_context ctx;
        lm_arena arena;
        lm_tensors tensors;

        fake_add_bytes(&fake, "model.safetensors", bytes, build(bytes, "{\"a\":x}", HONEST, 0));
        lm_context_init(&ctx);
        lm_arena_init(&arena, &ctx);
        CHECK_EQ_INT(lm_tensors_open(&ctx, &arena, &source, "", &tensors), LM_BAD_MODEL);
        CHECK_EQ_INT(ctx.error.offset, 8 + 5);
        lm_arena_free(&arena);
    }
}

static void
test_messages(void)
{
    static char bytes[1024];
    fake_source fake = {0};
    lm_source source = fake_open(&fake);
    lm_context ctx;
    lm_arena arena;
    lm_tensors tensors;
    const char *index;
    const char *const *files;
    size_t count;

    fake_add_bytes(&fake, "a.safetensors", bytes,
                   build(bytes, ONE("U8", "[3,1.5]", "[0,1]"), HONEST, 1));
    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    CHECK_EQ_INT(lm_tensors_open_file(&ctx, &arena, &source, "a.safetensors", &tensors),
                 LM_BAD_MODEL);
    CHECK_STR(ctx.error.found, "[3, 1.5]");
    CHECK_STR(ctx.error.allowed, "dimensions of at least 1");
    CHECK_EQ_INT(ctx.error.offset, 8 + strlen("{\"t\":{\"dtype\":\"U8\",\"shape\":"));
    CHECK_EQ_INT(lm_tensors_open_file(&ctx, &arena, &source, "b.safetensors", &tensors),
                 LM_NO_FILE);
    CHECK_STR(ctx.error.file, "b.safetensors");
    CHECK_EQ_INT(lm_tensors_open(&ctx, &arena, &source, "", &tensors), LM_NO_FILE);
    CHECK_STR(ctx.error.file, "model.safetensors");
    CHECK(ctx.error.hint[0] != '\0');
    CHECK_EQ_INT(lm_tensors_list(&ctx, &arena, &source, "", &index, &files, &count), LM_NO_FILE);
    lm_arena_free(&arena);
}

/* --- shards ----------------------------------------------------------------------------------- */

#define INDEX "model.safetensors.index.json"
#define S1 "model-00001-of-00002.safetensors"
#define S2 "model-00002-of-00002.safetensors"
#define MAP(map) "{\"metadata\":{\"total_size\":9},\"weight_map\":{" map "}}"
#define SOUND_MAP MAP("\"c\":\"" S2 "\",\"a\":\"" S1 "\",\"b\":\"" S1 "\"")

typedef struct shard_case {
    const char *index;
    lm_status status;
    const char *message;
    const char *detail; /* key, or file, or found */
} shard_case;

static const shard_case shard_cases[] = {
    {SOUND_MAP, LM_OK, "", ""},
    {MAP("\"a\":\"" S1 "\",\"c\":\"" S2 "\""), LM_OK, "", ""},
    {MAP(""), LM_BAD_MODEL, "the index has no weight map", "weight_map"},
    {"{}", LM_BAD_MODEL, "the index has no weight map", "weight_map"},
    {"[]", LM_BAD_MODEL, "the index has no weight map", "weight_map"},
    {"{\"weight_map\":[]}", LM_BAD_MODEL, "the index has no weight map", "weight_map"},
    {"{\"weight_map\":", LM_BAD_JSON, "malformed JSON", INDEX},
    {MAP("\"a\":\"" S1 "\",\"a\":\"" S1 "\""), LM_BAD_JSON, "duplicate key in JSON object", "a"},
    {MAP("\"a\":1"), LM_BAD_MODEL, "the index names a file by a value that is not a string", "a"},
    {MAP("\"a\":\"../" S1 "\""), LM_DENIED, "file name is not allowed", "\"../" S1 "\""},
    {MAP("\"a\":\"x/../" S1 "\""), LM_DENIED, "file name is not allowed", "\"x/../" S1 "\""},
    {MAP("\"a\":\"./" S1 "\""), LM_DENIED, "file name is not allowed", "\"./" S1 "\""},
    {MAP("\"a\":\"x//" S1 "\""), LM_DENIED, "file name is not allowed", "\"x//" S1 "\""},
    {MAP("\"a\":\"/tmp/" S1 "\""), LM_DENIED, "file name is not allowed", "\"/tmp/" S1 "\""},
    {MAP("\"a\":\"\\n.safetensors\""), LM_DENIED, "file name is not allowed", "\"\""},
    {MAP("\"a\":\"\""), LM_DENIED, "the index names a file that is not a safetensors file", "\"\""},
    {MAP("\"a\":\".safetensors\""), LM_DENIED,
     "the index names a file that is not a safetensors file", "\".safetensors\""},
    {MAP("\"a\":\"" INDEX "\""), LM_DENIED, "the index names a file that is not a safetensors file",
     "\"" INDEX "\""},
    {MAP("\"a\":\"x\\u0000.safetensors\""), LM_DENIED,
     "the index names a file that is not a safetensors file", "\"x\""},
    {MAP("\"a\":\"" S1 "\",\"c\":\"no.safetensors\""), LM_NO_FILE, "a file of the model is missing",
     "no.safetensors"},
    {MAP("\"a\":\"" S1 "\",\"d\":\"" S1 "\""), LM_BAD_MODEL,
     "the index names a tensor that its file does not hold", "d"},
    {MAP("\"a\":\"" S1 "\",\"b\":\"" S2 "\""), LM_BAD_MODEL,
     "the index names a tensor that its file does not hold", "b"},
    {MAP("\"a\\u0000\":\"" S1 "\""), LM_BAD_MODEL,
     "the index names a tensor that its file does not hold", "a"},
    {MAP("\"a\":\"" S1 "\",\"c\":\"again.safetensors\""), LM_BAD_MODEL,
     "two files of the model hold the same tensor", NULL},
    {MAP("\"a\":\"" S1 "\",\"c\":\"bad.safetensors\""), LM_BAD_MODEL, TRAILING, "bad.safetensors"},
};

static char shard_bytes[4][512];

static void
add_shards(fake_source *fake)
{
    fake_add_bytes(fake, S1, shard_bytes[0],
                   build(shard_bytes[0],
                         "{\"__metadata__\":{\"format\":\"pt\",\"by\":\"hand\"}," T(
                             "a", "U8", "[1]", "[2,3]") "," T("b", "U8", "[2]", "[0,2]") "}",
                         HONEST, 3));
    fake_add_bytes(fake, S2, shard_bytes[1],
                   build(shard_bytes[1], "{" T("c", "U8", "[4]", "[0,4]") "}", HONEST, 4));
    fake_add_bytes(fake, "again.safetensors", shard_bytes[2],
                   build(shard_bytes[2], "{" T("b", "U8", "[4]", "[0,4]") "}", HONEST, 4));
    fake_add_bytes(fake, "bad.safetensors", shard_bytes[3],
                   build(shard_bytes[3], "{" T("c", "U8", "[4]", "[0,4]") "}", HONEST, 5));
}

static void
test_shards(void)
{
    for (size_t i = 0; i < sizeof shard_cases / sizeof shard_cases[0]; i++) {
        const shard_case *c = &shard_cases[i];
        fake_source fake = {0};
        lm_source source = fake_open(&fake);
        fake_memory memory = {0};
        lm_context ctx;
        lm_arena arena;
        lm_tensors tensors;

        add_shards(&fake);
        fake_add(&fake, INDEX, c->index);
        fake_context(&ctx, &memory);
        lm_arena_init(&arena, &ctx);
        if (lm_tensors_open(&ctx, &arena, &source, "", &tensors) != c->status ||
            strcmp(ctx.error.message, c->message) != 0 ||
            (c->detail && strcmp(ctx.error.key, c->detail) != 0 &&
             strcmp(ctx.error.file, c->detail) != 0 && strcmp(ctx.error.found, c->detail) != 0))
            UNIT_FAIL("%s: %d, %s [file %s, key %s, found %s]", c->index, ctx.error.status,
                      ctx.error.message, ctx.error.file, ctx.error.key, ctx.error.found);
        CHECK(!fake.went_back);
        lm_arena_free(&arena);
        CHECK_EQ_INT(memory.live, 0);
    }
}

/* Files in the order of their names, tensors in file order within each, the whole sorted by name.
 */
static void
test_shard_order(void)
{
    fake_source fake = {0};
    lm_source source = fake_open(&fake);
    lm_context ctx;
    lm_arena arena;
    lm_tensors tensors;
    const char *index;
    const char *const *files;
    size_t count;

    add_shards(&fake);
    fake_add(&fake, INDEX, SOUND_MAP);
    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    CHECK_OK(&ctx, lm_tensors_list(&ctx, &arena, &source, "", &index, &files, &count));
    CHECK_STR(index, INDEX);
    CHECK_EQ_INT(count, 2);
    CHECK_STR(files[0], S1);
    CHECK_STR(files[1], S2);
    fake_find(&fake, INDEX)->read_to = 0;
    CHECK_OK(&ctx, lm_tensors_open(&ctx, &arena, &source, "", &tensors));
    CHECK_EQ_INT(tensors.count, 3);
    CHECK_EQ_INT(lm_tensors_find(&tensors, "b")->order, 0);
    CHECK_EQ_INT(lm_tensors_find(&tensors, "a")->order, 1);
    CHECK_EQ_INT(lm_tensors_find(&tensors, "c")->order, 2);
    CHECK_STR(lm_tensors_find(&tensors, "c")->file, S2);
    /* One file wins over an index, as in transformers. */
    fake_add_bytes(&fake, "model.safetensors", shard_bytes[1], fake_find(&fake, S2)->size);
    CHECK_OK(&ctx, lm_tensors_list(&ctx, &arena, &source, "", &index, &files, &count));
    CHECK(index == NULL && count == 1);
    CHECK_OK(&ctx, lm_tensors_open(&ctx, &arena, &source, "", &tensors));
    CHECK_EQ_INT(tensors.count, 1);
    lm_arena_free(&arena);
}

/* --- limits, faults, writing ------------------------------------------------------------------ */

/* A header of count one-byte tensors. */
static void
write_many(lm_buffer *out, int count)
{
    lm_buffer_append(out, "\0\0\0\0\0\0\0", 8);
    for (int i = 0; i < count; i++)
        lm_buffer_printf(out,
                         "%c"
                         "\"t%d\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}",
                         i ? ',' : '{', i, i, i + 1);
    lm_buffer_append_byte(out, '}');
    for (int i = 0; i < 8; i++)
        out->data[i] = (char)((out->size - 8) >> 8 * i);
    for (int i = 0; i < count; i++)
        lm_buffer_append_byte(out, 'x');
}

static void
test_limits(void)
{
    for (int over = 0; over <= 1; over++) {
        fake_source fake = {0};
        lm_source source = fake_open(&fake);
        lm_context ctx;
        lm_arena arena;
        lm_buffer file;
        lm_tensors tensors;

        lm_context_init(&ctx);
        lm_arena_init(&arena, &ctx);
        lm_buffer_init(&file, &ctx);
        write_many(&file, 100000 + over);
        fake_add_bytes(&fake, "model.safetensors", file.data, file.size);
        CHECK_EQ_INT(lm_tensors_open(&ctx, &arena, &source, "", &tensors),
                     over ? LM_TOO_LARGE : LM_OK);
        if (!over) {
            CHECK_EQ_INT(lm_tensors_find(&tensors, "t99999")->order, 99999);
            CHECK_EQ_INT(lm_tensors_find(&tensors, "t10")->offset, file.size - 100000 + 10);
        }
        lm_arena_free(&arena);
        lm_buffer_free(&file);
    }
}

/* The limit on tensors holds for all shards together, and for the index. */
static void
test_limits_of_shards(void)
{
    fake_source fake = {0};
    lm_source source = fake_open(&fake);
    lm_context ctx;
    lm_arena arena;
    lm_buffer file, index;
    lm_tensors tensors;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    lm_buffer_init(&file, &ctx);
    lm_buffer_init(&index, &ctx);
    write_many(&file, 50001);
    fake_add_bytes(&fake, "a.safetensors", file.data, file.size);
    fake_add_bytes(&fake, "b.safetensors", file.data, file.size);
    /* A third file is never opened. */
    fake_add(&fake, INDEX,
             MAP("\"t0\":\"a.safetensors\",\"t1\":\"b.safetensors\","
                 "\"t2\":\"c.safetensors\""));
    CHECK_EQ_INT(lm_tensors_open(&ctx, &arena, &source, "", &tensors), LM_TOO_LARGE);
    CHECK_STR(ctx.error.found, "100002");
    lm_buffer_append_string(&index, "{\"weight_map\":{");
    for (int i = 0; i <= 100000; i++)
        lm_buffer_printf(&index, "%s\"%d\":\"a.safetensors\"", i ? "," : "", i);
    lm_buffer_append(&index, "}}", 3);
    *fake_find(&fake, INDEX) = (fake_file){INDEX, index.data, index.size - 1, 0};
    CHECK_EQ_INT(lm_tensors_open(&ctx, &arena, &source, "", &tensors), LM_TOO_LARGE);
    CHECK_STR(ctx.error.message, "the index names more than 100000 tensors");
    lm_buffer_free(&index);
    lm_buffer_free(&file);
    lm_arena_free(&arena);
}

static void
test_too_many_shards(void)
{
    fake_source fake = {0};
    lm_source source = fake_open(&fake);
    lm_context ctx;
    lm_arena arena;
    lm_buffer index;
    lm_tensors tensors;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    lm_buffer_init(&index, &ctx);
    lm_buffer_append_string(&index, "{\"weight_map\":{");
    for (int i = 0; i <= 1000; i++)
        lm_buffer_printf(&index, "%s\"%d\":\"%d.safetensors\"", i ? "," : "", i, i);
    lm_buffer_append(&index, "}}", 3);
    fake_add(&fake, INDEX, index.data);
    CHECK_EQ_INT(lm_tensors_open(&ctx, &arena, &source, "", &tensors), LM_TOO_LARGE);
    CHECK_STR(ctx.error.allowed, "1000");
    lm_arena_free(&arena);
    lm_buffer_free(&index);
}

/* A run over two shards with the given faults; whether the fault was reached. */
static bool
run_once(fake_source fake, fake_memory memory, size_t room, lm_status wanted)
{
    lm_source source = fake_open(&fake);
    lm_context ctx;
    lm_arena arena;
    lm_tensors tensors;
    lm_status status;
    int memory_at = memory.fail_at;
    bool reached;

    add_shards(&fake);
    fake_add(&fake, INDEX, SOUND_MAP);
    memory.fail_at = 0;
    fake_context(&ctx, &memory);
    lm_arena_init(&arena, &ctx);
    CHECK(fake_fill_arena(&arena, room));
    memory.calls = 0;
    memory.fail_at = memory_at;
    status = lm_tensors_open(&ctx, &arena, &source, "", &tensors);
    reached = memory_at > 0 ? memory.calls >= memory_at : fake.calls >= fake.fail_at;
    CHECK_EQ_INT(status, reached ? wanted : LM_OK);
    lm_arena_free(&arena);
    CHECK_EQ_INT(memory.live, 0);
    return reached;
}

/* Every call of the source fails in turn, and every allocation, whatever room the arena has left.
 */
static void
test_faults(void)
{
    for (int forever = 0; forever <= 1; forever++) {
        int n = 1;

        while (run_once((fake_source){.fail_at = n, .fail_on = forever}, (fake_memory){0}, 64,
                        LM_IO_ERROR))
            n++;
        CHECK(n > 8);
        for (size_t room = 0; room < 4096; room += 16)
            for (n = 1; run_once((fake_source){0}, (fake_memory){.fail_at = n, .fail_on = forever},
                                 room, LM_NO_MEMORY);)
                n++;
    }
}

static void
test_write_header(void)
{
    static const lm_metadata metadata[] = {{"format", "test"}, {"a\"b", ""}};
    static const lm_tensor written[] = {
        {.name = "weight \"é\"", .dtype = LM_F32, .rank = 2, .shape = {3, 5}},
        {.name = "bias", .dtype = LM_BF16, .rank = 1, .shape = {3}},
        {.name = "scale", .dtype = LM_F64, .rank = 0},
    };
    static const lm_tensor huge[] = {
        {.name = "a", .dtype = LM_F32, .rank = 2, .shape = {UINT64_C(1) << 40, 1 << 30}},
    };
    static const lm_tensor sum[] = {
        {.name = "a", .dtype = LM_U8, .rank = 1, .shape = {UINT64_MAX}},
        {.name = "b", .dtype = LM_U8, .rank = 1, .shape = {1}},
    };
    fake_source fake = {0};
    lm_source source = fake_open(&fake);
    lm_context ctx;
    lm_arena arena;
    lm_buffer out;
    lm_tensors tensors;
    const lm_tensor *read;
    size_t header;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    lm_buffer_init(&out, &ctx);
    CHECK_OK(&ctx, lm_tensors_write_header(&ctx, metadata, 2, written, 3, &out));
    CHECK_EQ_INT(out.size % 8, 0);
    header = out.size;
    for (int i = 0; i < 60 + 6 + 8; i++)
        lm_buffer_append_byte(&out, 'x');
    fake_add_bytes(&fake, "h.safetensors", out.data, out.size);
    CHECK_OK(&ctx, lm_tensors_open_file(&ctx, &arena, &source, "h.safetensors", &tensors));
    CHECK_EQ_INT(tensors.count, 3);
    read = lm_tensors_find(&tensors, "weight \"é\"");
    CHECK(read && read->shape[0] == 3 && read->shape[1] == 5 && read->offset == header);
    read = lm_tensors_find(&tensors, "bias");
    CHECK(read && read->dtype == LM_BF16 && read->offset == header + 60);
    read = lm_tensors_find(&tensors, "scale");
    CHECK(read && read->rank == 0 && read->bytes == 8);
    CHECK_EQ_INT(tensors.metadata_count, 2);
    CHECK_STR(lm_tensors_metadata(&tensors, "a\"b"), "");
    CHECK_STR(lm_tensors_metadata(&tensors, "format"), "test");
    CHECK(!lm_tensors_metadata(&tensors, "version"));
    CHECK_EQ_INT(lm_tensors_write_header(&ctx, NULL, 0, huge, 1, &out), LM_TOO_LARGE);
    CHECK_EQ_INT(lm_tensors_write_header(&ctx, NULL, 0, sum, 2, &out), LM_TOO_LARGE);
    lm_buffer_free(&out);
    lm_arena_free(&arena);
}

static void *
no_more(void *opaque, void *pointer, size_t size)
{
    return NULL;
}

/* Each append to a header finds no room. */
static void
test_write_faults(void)
{
    static const lm_metadata metadata[] = {{"format", "test"}, {"version", "1"}};
    static const lm_tensor written[] = {{.name = "a", .dtype = LM_F32, .rank = 1, .shape = {3}},
                                        {.name = "b", .dtype = LM_F32, .rank = 1, .shape = {3}}};
    lm_context ctx, starved;
    lm_buffer out;

    lm_context_init(&ctx);
    lm_context_init(&starved);
    starved.realloc = no_more;
    lm_buffer_init(&out, &ctx);
    CHECK_OK(&ctx, lm_tensors_write_header(&ctx, metadata, 2, written, 2, &out));
    for (size_t room = 1; room < out.size; room++) {
        lm_buffer narrow = {.ctx = &starved, .data = malloc(room), .capacity = room};

        CHECK_EQ_INT(lm_tensors_write_header(&starved, metadata, 2, written, 2, &narrow),
                     LM_NO_MEMORY);
        free(narrow.data);
    }
    lm_buffer_free(&out);
}

static const unit_case cases[] = {
    {"tensors_sound", test_sound},
    {"tensors_empty", test_empty},
    {"tensors_damaged", test_damaged},
    {"tensors_truncated", test_truncated},
    {"tensors_messages", test_messages},
    {"tensors_shards", test_shards},
    {"tensors_shard_order", test_shard_order},
    {"tensors_limits", test_limits},
    {"tensors_limits_of_shards", test_limits_of_shards},
    {"tensors_too_many_shards", test_too_many_shards},
    {"tensors_faults", test_faults},
    {"tensors_write_header", test_write_header},
    {"tensors_write_faults", test_write_faults},
};

UNIT_MAIN(cases)
