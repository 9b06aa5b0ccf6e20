/*
 * test_reader_faults.c - the readers and writers of JSON and of tensors' headers when a caller
 * cancels, when there is no entropy, and when a buffer may not grow; heads when each call of the
 * source fails.
 */
#include <sys/random.h>

#include "fake.h"
#include "unit.h"

#include "base/hash.h"
#include "base/buffer.h"
#include "format/checkpoint.h"
#include "format/json.h"
#include "format/tensors.h"

/* The engine's call comes here: without entropy the seed of the table of keys is 0. */
static bool entropy = true;

ssize_t
getrandom(void *bytes, size_t length, unsigned flags)
{
    if (!entropy)
        return -1;
    memset(bytes, 7, length);
    return (ssize_t)length;
}

static lm_status
parse_until(const char *text, size_t length, int stop_at)
{
    fake_memory memory = {.stop_at = stop_at};
    const lm_json *root = NULL;
    lm_context ctx;
    lm_arena arena;
    lm_status status;

    fake_context(&ctx, &memory);
    lm_arena_init(&arena, &ctx);
    status = lm_json_parse(&ctx, &arena, text, length, "t", &root);
    lm_arena_free(&arena);
    CHECK_EQ_INT(memory.live, 0);
    return status;
}

/* Cancel at every poll; returns how many there were. */
static int
cancel_everywhere(const char *text, size_t length)
{
    lm_status status = LM_CANCELLED;
    int n;

    for (n = 0; status == LM_CANCELLED; n++)
        status = parse_until(text, length, n + 1);
    CHECK_EQ_INT(status, LM_OK);
    return n;
}

/* White space longer than the way between two polls, wherever it may stand, and long strings. */
static void
test_wide_json(void)
{
    static const char *const parts[] = {"",  "{", "\"k\"", ":",     "[", "1",     ",",
                                        "2", "]", ",",     "\"L\"", ":", "\"L\"", "}"};
    const size_t wide = 70000;
    char *text = malloc(20 * wide);
    size_t length = 0;

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        for (const char *c = parts[i]; *c; c++) {
            size_t count = *c == 'L' ? wide : 1;

            memset(text + length, *c, count);
            length += count;
        }
        memset(text + length, ' ', wide);
        length += wide;
    }
    CHECK(cancel_everywhere(text, length) > 20);
    free(text);
}

/* Keys that fill one stretch of the table, and one more at its start; as many as are counted to a
 * poll. */
static void
test_crowded_keys(void)
{
    const size_t crowd = 4200, slots = 16384;
    char *taken = calloc(crowd, 1), *text = malloc(crowd * 20);
    size_t length = 1, found = 0;
    bool last = false;

    text[0] = '{';
    for (int i = 0; !last; i++) {
        char key[16];
        size_t size = (size_t)snprintf(key, sizeof key, "n%d", i);
        size_t home = lm_hash_bytes(key, size, 0) & (slots - 1);

        last = found == crowd && home == 0;
        if (!last && (home >= crowd || taken[home]))
            continue;
        if (home < crowd)
            taken[home] = 1;
        found++;
        length += (size_t)sprintf(text + length, "%s\"%s\":0", length > 1 ? "," : "", key);
    }
    text[length++] = '}';
    entropy = false;
    CHECK(cancel_everywhere(text, length) > 4);
    entropy = true;
    free(taken);
    free(text);
}

/* Escapes that are none, and halves of pairs. */
static void
test_bad_escapes(void)
{
    static const char *const texts[] = {
        "\"\\u00/0\"",    "\"\\u00:0\"",        "\"\\u00@0\"",        "\"\\u00g0\"",
        "\"\\u00",        "\"\\ud800",          "\"\\ud800\"",        "\"\\ud800x\"",
        "\"\\ud800\\n\"", "\"\\ud800\\u00\"",   "\"\\ud800\\u0041\"", "\"\\ud800\\uffff\"",
        "\"\\udc00\"",    "\"\\ud800\\ud800\"",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        CHECK_EQ_INT(parse_until(texts[i], strlen(texts[i]), 0), LM_BAD_JSON);
    CHECK_EQ_INT(parse_until("\"\\ud83d\\ude00\"", 14, 0), LM_OK);
}

/* ---- Writing ---- */

/* A buffer that holds `room` bytes and no more. */
static lm_buffer
narrow_buffer(lm_context *ctx, fake_memory *memory, size_t room)
{
    *memory = (fake_memory){.fail_at = 1, .fail_on = true};
    fake_context(ctx, memory);
    return (lm_buffer){.ctx = ctx, .data = malloc(room), .capacity = room};
}

static void
test_narrow_writers(void)
{
    static const lm_tensor tensors[] = {
        {.name = "a\n", .dtype = LM_F32, .rank = 2, .shape = {3, 5}},
        {.name = "bias", .dtype = LM_F32, .rank = 1, .shape = {3}},
    };
    static const char text[] = "plain \"quoted\" \x01 \n end";
    lm_status string, header;
    size_t room = 1;

    do {
        fake_memory memory;
        lm_context ctx;
        lm_buffer out = narrow_buffer(&ctx, &memory, room);

        string = lm_json_write_string(&out, text, sizeof text - 1);
        CHECK(string == LM_NO_MEMORY || out.size > sizeof text);
        out.size = 0;
        header = lm_tensors_write_header(&ctx, NULL, 0, tensors, 2, &out);
        free(out.data);
        CHECK(string == LM_OK || string == LM_NO_MEMORY);
        CHECK(header == LM_OK || header == LM_NO_MEMORY);
    } while ((string != LM_OK || header != LM_OK) && ++room < 1000);
    CHECK(room > 100 && room < 300);
}

/* A file without tensors is one all the same. */
static void
test_no_tensors(void)
{
    lm_context ctx;
    lm_buffer out;

    lm_context_init(&ctx);
    lm_buffer_init(&out, &ctx);
    CHECK_OK(&ctx, lm_tensors_write_header(&ctx, NULL, 0, NULL, 0, &out));
    CHECK_EQ_INT(out.size, 16);
    CHECK(memcmp(out.data, "\10\0\0\0\0\0\0\0{}      ", 16) == 0);
    lm_buffer_free(&out);
}

/* ---- Tensors ---- */

/* A file with this header and `data` bytes behind it. */
static size_t
put_file(char *file, const char *header, size_t data)
{
    size_t length = strlen(header);

    memset(file, 0, 8 + length + data);
    for (int i = 0; i < 8; i++)
        file[i] = (char)(length >> 8 * i);
    memcpy(file + 8, header, length);
    return 8 + length + data;
}

static lm_status
open_tensors(fake_source *fake, fake_memory *memory, lm_context *ctx)
{
    lm_source source = fake_open(fake);
    lm_tensors tensors;
    lm_arena arena;
    lm_status status;

    fake_context(ctx, memory);
    lm_arena_init(&arena, ctx);
    status = lm_tensors_open(ctx, &arena, &source, "", &tensors);
    lm_arena_free(&arena);
    CHECK_EQ_INT(memory->live, 0);
    return status;
}

#define ENTRY(name, shape, offsets) \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void
test_odd_headers(void)
{
    static const char numbers[] =
        "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,"
        "32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59";
    static const struct {
        const char *header;
        size_t data;
        lm_status status;
    } files[] = {
        {"{" ENTRY("a", "[1]", "[]") "}", 4, LM_BAD_MODEL},
        {"{" ENTRY("a", "[1]", "[%s]") "}", 4, LM_BAD_MODEL},
        {"{" ENTRY("twelve_chars", "[1]", "[0,4]") "}", 4, LM_OK},
        /* Ranges that begin together, the longer one first or last. */
        {"{" ENTRY("a", "[2]", "[0,8]") "," ENTRY("b", "[1]", "[0,4]") "}", 8, LM_BAD_MODEL},
        {"{" ENTRY("a", "[1]", "[0,4]") "," ENTRY("b", "[2]", "[0,8]") "}", 8, LM_BAD_MODEL},
        {"{" ENTRY("a", "[1]", "[0,4]") "," ENTRY("b", "[1]", "[0,4]") "}", 4, LM_BAD_MODEL},
    };

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char header[1000], bytes[1100];
        fake_source fake = {0};
        fake_memory memory = {0};
        lm_context ctx;

        snprintf(header, sizeof header, files[i].header, numbers);
        fake_add_bytes(&fake, "model.safetensors", bytes, put_file(bytes, header, files[i].data));
        CHECK_EQ_INT(open_tensors(&fake, &memory, &ctx), files[i].status);
    }
}

/* A header beyond the limit of the format, in a file that is (said to be) large enough for it, or
 * not. */
static void
test_large_headers(void)
{
    static const struct {
        uint64_t size, header;
        const char *allowed;
    } files[] = {
        {300000000, 150000000, "100000000"},
        {300000000, 400000000, "100000000"},
        {1000, 400000000, "992"},
        {1000, 993, "992"},
    };

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char bytes[32] = {0}; /* as much as is read of it */
        fake_source fake = {0};
        fake_memory memory = {0};
        lm_context ctx;

        for (int k = 0; k < 8; k++)
            bytes[k] = (char)(files[i].header >> 8 * k);
        fake_add_bytes(&fake, "model.safetensors", bytes, (size_t)files[i].size);
        CHECK_EQ_INT(open_tensors(&fake, &memory, &ctx), LM_BAD_MODEL);
        CHECK_STR(ctx.error.allowed, files[i].allowed);
    }
}

/* Two shards and an index: cancelled at every poll. */
static void
test_cancel_tensors(void)
{
    char one[300], two[300];
    lm_status status = LM_CANCELLED;
    lm_context ctx;
    int n;

    for (n = 0; status == LM_CANCELLED; n++) {
        fake_memory memory = {.stop_at = n + 1};
        fake_source fake = {0};

        fake_add_bytes(
            &fake, "x.safetensors", one,
            put_file(one, "{" ENTRY("a", "[1]", "[0,4]") "," ENTRY("b", "[1]", "[4,8]") "}", 8));
        fake_add_bytes(&fake, "y.safetensors", two,
                       put_file(two, "{" ENTRY("c", "[1]", "[0,4]") "}", 4));
        fake_add(&fake, "model.safetensors.index.json",
                 "{\"weight_map\":{\"a\":\"x.safetensors\",\"b\":\"x.safetensors\",\"c\":\"y."
                 "safetensors\"}}");
        status = open_tensors(&fake, &memory, &ctx);
    }
    CHECK_EQ_INT(status, LM_OK);
    CHECK(n > 8);
}

/* The list of files when each call of the source fails. */
static void
test_unreadable_index(void)
{
    lm_status status = LM_IO_ERROR;

    for (int n = 1; status == LM_IO_ERROR; n++) {
        fake_source fake = {.fail_at = n};
        lm_source source = fake_open(&fake);
        const char *const *files;
        const char *index;
        lm_context ctx;
        lm_arena arena;
        size_t count;

        fake_add(&fake, "model.safetensors.index.json",
                 "{\"weight_map\":{\"a\":\"x.safetensors\"}}");
        lm_context_init(&ctx);
        lm_arena_init(&arena, &ctx);
        status = lm_tensors_list(&ctx, &arena, &source, "", &index, &files, &count);
        lm_arena_free(&arena);
    }
    CHECK_EQ_INT(status, LM_OK);
}

/* A file as long as memory cannot be. */
static void
test_endless_file(void)
{
    fake_source fake = {0};
    lm_source source = fake_open(&fake);
    lm_context ctx;
    lm_arena arena;
    char *data;
    size_t size;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    fake_add_bytes(&fake, "f", "", SIZE_MAX);
    CHECK_EQ_INT(lm_source_slurp(&ctx, &source, &arena, "f", SIZE_MAX, true, &data, &size),
                 LM_TOO_LARGE);
    lm_arena_free(&arena);
}

/* ---- Heads ---- */

/* Each call of the source fails, for the list of a head's files and for their reading. */
static void
test_heads(void)
{
    char weights[300];
    lm_status list = LM_IO_ERROR, open = LM_IO_ERROR;

    for (int n = 1; list == LM_IO_ERROR || open == LM_IO_ERROR; n++) {
        fake_source fake = {0};
        lm_source source = fake_open(&fake);
        lm_file_list files;
        lm_checkpoint checkpoint;
        lm_context ctx;
        lm_arena arena;

        lm_context_init(&ctx);
        lm_arena_init(&arena, &ctx);
        fake_add(&fake, "head.json", "{\"labels\":[\"a\",\"b\"]}");
        fake_add_bytes(&fake, "head.safetensors", weights,
                       put_file(weights, "{" ENTRY("weight", "[1]", "[0,4]") "}", 4));
        fake.fail_at = n;
        list = lm_checkpoint_list(&ctx, &arena, &source, &files);
        fake.calls = 0;
        open = lm_checkpoint_open(&ctx, &arena, &source, NULL, &checkpoint);
        lm_arena_free(&arena);
    }
    CHECK_EQ_INT(list, LM_OK);
    CHECK_EQ_INT(open, LM_OK);
}

static const unit_case cases[] = {
    {"wide_json", test_wide_json},
    {"crowded_keys", test_crowded_keys},
    {"bad_escapes", test_bad_escapes},
    {"narrow_writers", test_narrow_writers},
    {"no_tensors", test_no_tensors},
    {"odd_headers", test_odd_headers},
    {"large_headers", test_large_headers},
    {"cancel_tensors", test_cancel_tensors},
    {"endless_file", test_endless_file},
    {"heads", test_heads},
    {"unreadable_index", test_unreadable_index},
};

UNIT_MAIN(cases)
