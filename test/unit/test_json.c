/*
 * test_json.c - the JSON reader: what it accepts and means, what it refuses and how it says so,
 * numbers to the last bit in any locale, and its behaviour when memory or time runs out.
 */
#include "format/json.h"

#include <locale.h>
#include <time.h>

#include "base/buffer.h"
#include "fake.h"
#include "unit.h"

static lm_status
parse(lm_context *ctx, lm_arena *arena, const char *text, const lm_json **root)
{
    lm_context_init(ctx);
    lm_arena_init(arena, ctx);
    return lm_json_parse(ctx, arena, text, strlen(text), "t.json", root);
}

static void
test_values(void)
{
    lm_context ctx;
    lm_arena arena;
    const lm_json *root, *list;

    CHECK_OK(&ctx, parse(&ctx, &arena,
                         " {\"a\": [1, -2.5, \"x\", true, false, null, {}, []],\n\t\"\": 7,\r\"b\":"
                         "{\"c\":\"\\u00e9\\n\\\"\\\\\\/\\b\\f\\r\\t\"} } ",
                         &root));
    CHECK_EQ_INT(root->type, LM_JSON_OBJECT);
    CHECK_EQ_INT(root->as.items.count, 3);
    CHECK_EQ_INT(root->offset, 1);
    CHECK(root->key == NULL);
    list = lm_json_get(root, "a");
    CHECK_EQ_INT(list->as.items.count, 8);
    list = list->as.items.first;
    CHECK(list->is_integer && list->integer == 1 && list->as.number == 1.0);
    list = list->next;
    CHECK(!list->is_integer && list->as.number == -2.5);
    CHECK_EQ_INT(list->offset, 11);
    list = list->next;
    CHECK(lm_json_is_string(list, "x") && !lm_json_is_string(list, "xy"));
    list = list->next;
    CHECK(list->type == LM_JSON_BOOL && list->boolean);
    list = list->next;
    CHECK(list->type == LM_JSON_BOOL && !list->boolean);
    CHECK(!lm_json_is_string(list, "x") && !lm_json_is_string(NULL, "x"));
    list = list->next;
    CHECK_STR(lm_json_type_name(list), "null");
    CHECK_STR(lm_json_type_name(list->next), "an object");
    CHECK_STR(lm_json_type_name(list->next->next), "an array");
    CHECK_EQ_INT(list->next->next->as.items.count, 0);
    CHECK(list->next->next->next == NULL);
    CHECK_STR(lm_json_type_name(NULL), "nothing");
    CHECK_EQ_INT(lm_json_get(root, "")->integer, 7);
    CHECK(lm_json_get(root, "c") == NULL && lm_json_get(NULL, "c") == NULL);
    CHECK(lm_json_get(list, "c") == NULL);
    CHECK(lm_json_is_string(lm_json_get(lm_json_get(root, "b"), "c"), "é\n\"\\/\b\f\r\t"));
    lm_arena_free(&arena);
}

static void
test_strings(void)
{
    static const struct {
        const char *text, *value;
        size_t length;
    } cases[] = {
        {"\"\"", "", 0},
        {"\"\\u0000\"", "\0", 1},
        {"\"a\\u0000b\"", "a\0b", 3},
        {"\"\\ud83d\\ude00\"", "😀", 4},
        {"\"\\uD83D\\uDE00x\"", "😀x", 5},
        {"\"\\uffff\\u20AC\"", "\xef\xbf\xbf€", 6},
        {"\"日本 \x7f\"", "日本 \x7f", 8},
        {"\"12345678\\t12345678901234567\\\"\"", "12345678\t12345678901234567\"", 27},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lm_context ctx;
        lm_arena arena;
        const lm_json *root = NULL;

        CHECK_OK(&ctx, parse(&ctx, &arena, cases[i].text, &root));
        if (root) {
            CHECK_EQ_INT(root->as.string.length, cases[i].length);
            CHECK(memcmp(root->as.string.bytes, cases[i].value, cases[i].length + 1) == 0);
        }
        lm_arena_free(&arena);
    }
}

static void
test_refusals(void)
{
    static const struct {
        const char *text;
        int offset; /* -1: the end */
        const char *found, *allowed;
    } cases[] = {
        {"", -1, "the end of the text", "a value"},
        {"  ", -1, "the end of the text", "a value"},
        {"nul", 0, "character 'n'", "a value"},
        {"True", 0, "character 'T'", "a value"},
        {"[1,]", 3, "character ']'", "a value"},
        {"[,1]", 1, "character ','", "a value"},
        {"[1 2]", 3, "character '2'", "',' or ']'"},
        {"[1", -1, "the end of the text", "',' or ']'"},
        {"[", -1, "the end of the text", "a value"},
        {"{", -1, "the end of the text", "a key in double quotes"},
        {"{\"a\"}", 4, "character '}'", "':'"},
        {"{\"a\":}", 5, "character '}'", "a value"},
        {"{\"a\":1,}", 7, "character '}'", "a key in double quotes"},
        {"{a:1}", 1, "character 'a'", "a key in double quotes"},
        {"{\"a\":1]", 6, "character ']'", "',' or '}'"},
        {"1 2", 2, "character '2'", "the end of the text"},
        {"[]]", 2, "character ']'", "the end of the text"},
        {"\"a", -1, "the end of the text", "a character of a string, or its closing quote"},
        {"\"a\nb\"", 2, "byte 0x0a", "a character of a string, or its closing quote"},
        {"\"\\x\"", 2, "character 'x'", "an escape: one of \"\\/bfnrtu"},
        {"\"\\", -1, "the end of the text", "an escape: one of \"\\/bfnrtu"},
        {"\"\\u12g4\"", 5, "character 'g'", "four hexadecimal digits"},
        {"\"\\u12", -1, "the end of the text", "four hexadecimal digits"},
        {"\"\\ud800\"", 7, "character '\"'", "the second half of a surrogate pair"},
        {"\"\\ud800\\n\"", 7, "character '\\'", "the second half of a surrogate pair"},
        {"\"\\ud800\\u0041\"", 9, "character '0'", "the second half of a surrogate pair"},
        {"\"\\udc00\"", 3, "character 'd'", "no lone surrogate"},
        {"01", 1, "character '1'", "the end of the text"},
        {"-", -1, "the end of the text", "a digit"},
        {"+1", 0, "character '+'", "a value"},
        {".5", 0, "character '.'", "a value"},
        {"1.", -1, "the end of the text", "a digit"},
        {"1.e5", 2, "character 'e'", "a digit"},
        {"1e", -1, "the end of the text", "a digit of the exponent"},
        {"1e+", -1, "the end of the text", "a digit of the exponent"},
        {"0x10", 1, "character 'x'", "the end of the text"},
        {"NaN", 0, "character 'N'", "a value"},
        {"-Infinity", 1, "character 'I'", "a digit"},
        {"[1e400]", 1, "character '1'", "a number within the range of double"},
        {"-1e99999999999999999999", 0, "character '-'", "a number within the range of double"},
        {"\xef\xbb\xbf{}", 0, "byte 0xef", "a value"},
        {"[\"ab\xff\"]", 4, "byte 0xff", "valid UTF-8"},
        {"\"\xed\xa0\x80\"", 1, "byte 0xed", "valid UTF-8"},
        {"\"\xe2\x82", 1, "byte 0xe2", "valid UTF-8"},
        {"// x\n1", 0, "character '/'", "a value"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lm_context ctx;
        lm_arena arena;
        const lm_json *root = NULL;
        int offset = cases[i].offset < 0 ? (int)strlen(cases[i].text) : cases[i].offset;

        CHECK_EQ_INT(parse(&ctx, &arena, cases[i].text, &root), LM_BAD_JSON);
        CHECK(root == NULL);
        CHECK_STR(ctx.error.file, "t.json");
        CHECK(ctx.error.has_offset);
        if ((int)ctx.error.offset != offset)
            UNIT_FAIL("offset %d of %s, wanted %d", (int)ctx.error.offset, cases[i].text, offset);
        CHECK_STR(ctx.error.found, cases[i].found);
        CHECK_STR(ctx.error.allowed, cases[i].allowed);
        lm_arena_free(&arena);
    }
}

/* Bits of numbers: ties, subnormals, the borders of double and of int64, and long mantissas. */
static void
check_numbers(void)
{
    static const struct {
        const char *text;
        double value;
        bool is_integer;
        int64_t integer;
    } cases[] = {
        {"0", 0, true, 0},
        {"-0", -0.0, true, 0},
        {"-0.0", -0.0, false, 0},
        {"0e999999999999999999", 0, false, 0},
        {"1E+2", 100, false, 0},
        {"123456789012345678", 123456789012345678.0, true, 123456789012345678},
        {"9223372036854775807", 0x1p63, true, INT64_MAX},
        {"9223372036854775808", 0x1p63, false, 0},
        {"-9223372036854775808", -0x1p63, true, INT64_MIN},
        {"-9223372036854775809", -0x1p63, false, 0},
        {"18446744073709551616", 0x1p64, false, 0},
        {"99999999999999999999", 1e20, false, 0},
        {"9007199254740993", 9007199254740992.0, true, 9007199254740993},
        {"9007199254740993.00000000000000000000000000000000001", 9007199254740994.0, false, 0},
        {"0.1", 0x1.999999999999ap-4, false, 0},
        {"1e-12", 0x1.19799812dea11p-40, false, 0},
        {"1e23", 0x1.52d02c7e14af6p+76, false, 0},
        {"1e30", 0x1.93e5939a08ceap+99, false, 0},
        {"1000000000000000019884624838656", 0x1.93e5939a08ceap+99, false, 0},
        {"1.7976931348623157e308", 0x1.fffffffffffffp+1023, false, 0},
        {"1.7976931348623158e308", 0x1.fffffffffffffp+1023, false, 0},
        {"2.2250738585072011e-308", 0x0.fffffffffffffp-1022, false, 0},
        {"4.9406564584124654e-324", 0x1p-1074, false, 0},
        {"2.4703282292062328e-324", 0x1p-1074, false, 0},
        {"2.4703282292062327e-324", 0, false, 0},
        {"1e-400", 0, false, 0},
        {"1e-99999999999999999999", 0, false, 0},
        {"3.141592653589793238462643383279502884197169399375105820974944592307816406286", M_PI,
         false, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lm_context ctx;
        lm_arena arena;
        const lm_json *root = NULL;

        CHECK_OK(&ctx, parse(&ctx, &arena, cases[i].text, &root));
        if (!root)
            continue;
        if (memcmp(&root->as.number, &cases[i].value, sizeof(double)) != 0)
            UNIT_FAIL("%s is %a, wanted %a", cases[i].text, root->as.number, cases[i].value);
        CHECK_EQ_INT(root->is_integer, cases[i].is_integer);
        CHECK_EQ_INT(root->integer, cases[i].integer);
        lm_arena_free(&arena);
    }
}

/* 1 followed by many zeros and a last 1 behind a tie: the last digit decides. */
static void
test_long_numbers(void)
{
    enum { LENGTH = 5000 };
    char text[LENGTH + 64];
    lm_context ctx;
    lm_arena arena;
    const lm_json *root;

    for (int last = 0; last <= 1; last++) {
        strcpy(text, "9007199254740993.");
        memset(text + 17, '0', LENGTH);
        strcpy(text + 17 + LENGTH, last ? "1" : "0");
        CHECK_OK(&ctx, parse(&ctx, &arena, text, &root));
        CHECK(root->as.number == (last ? 9007199254740994.0 : 9007199254740992.0));
        lm_arena_free(&arena);
    }
    memset(text, '9', LENGTH);
    strcpy(text + LENGTH, "e-5000");
    CHECK_OK(&ctx, parse(&ctx, &arena, text, &root));
    CHECK(root->as.number == 1.0);
    lm_arena_free(&arena);
    strcpy(text, "0.");
    memset(text + 2, '0', LENGTH);
    strcpy(text + 2 + LENGTH, "12e5002");
    CHECK_OK(&ctx, parse(&ctx, &arena, text, &root));
    CHECK(root->as.number == 12.0);
    lm_arena_free(&arena);
}

/* A locale whose decimal point is a comma changes nothing (where such a locale is installed). */
static void
test_numbers(void)
{
    check_numbers();
    if (setlocale(LC_ALL, "de_DE.UTF-8") || setlocale(LC_ALL, "fr_FR.UTF-8"))
        check_numbers();
    setlocale(LC_ALL, "C");
}

static void
test_duplicates(void)
{
    static const char *const cases[] = {
        "{\"a\":1,\"a\":1}",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"x\":{\"\":1,\"\":2}}",
        "{\"1\":0,\"2\":0,\"3\":0,\"4\":0,\"5\":0,\"6\":0,\"7\":0,\"8\":0,\"9\":0,\"4\":1}",
    };
    static const char *const fine[] = {
        "{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":1}]}",
        "{\"a\":1,\"a\\u0000\":2,\"a\\u0000b\":3}",
        "{\"1\":0,\"2\":0,\"3\":0,\"4\":0,\"5\":0,\"6\":0,\"7\":0,\"8\":0,\"9\":0,\"\":1}",
    };
    lm_context ctx;
    lm_arena arena;
    const lm_json *root;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_EQ_INT(parse(&ctx, &arena, cases[i], &root), LM_BAD_JSON);
        CHECK_STR(ctx.error.message, "duplicate key in JSON object");
        CHECK(ctx.error.has_offset && ctx.error.offset > 0);
        lm_arena_free(&arena);
    }
    CHECK_EQ_INT(parse(&ctx, &arena, cases[3], &root), LM_BAD_JSON);
    CHECK_STR(ctx.error.key, "4");
    CHECK_EQ_INT(ctx.error.offset, strlen(cases[3]) - 2);
    lm_arena_free(&arena);
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        CHECK_OK(&ctx, parse(&ctx, &arena, fine[i], &root));
        lm_arena_free(&arena);
    }
}

static void
test_depth(void)
{
    enum { MANY = 1000000 };
    char *text = malloc(MANY + 1);
    lm_context ctx;
    lm_arena arena;
    const lm_json *root;

    for (int depth = LM_JSON_MAX_DEPTH; depth <= LM_JSON_MAX_DEPTH + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        text[2 * depth] = '\0';
        CHECK_EQ_INT(parse(&ctx, &arena, text, &root),
                     depth > LM_JSON_MAX_DEPTH ? LM_TOO_DEEP : LM_OK);
        lm_arena_free(&arena);
    }
    memset(text, '[', MANY);
    text[MANY] = '\0';
    CHECK_EQ_INT(parse(&ctx, &arena, text, &root), LM_TOO_DEEP);
    CHECK_EQ_INT(ctx.error.offset, LM_JSON_MAX_DEPTH);
    CHECK_STR(ctx.error.file, "t.json");
    lm_arena_free(&arena);
    free(text);
}

/* {"key0":0,…}, with one key again at the end when `again`. */
static void
write_object(lm_buffer *text, int members, bool again)
{
    for (int i = 0; i < members; i++)
        lm_buffer_printf(text, "%c\"key%d\":%d", i ? ',' : '{', i, i);
    lm_buffer_append_string(text, again ? ",\"key7\":1}" : "}");
}

/* Duplicates among many keys are found in linear time: 8 times the keys, less than 40 times as
 * long. */
static void
test_many_keys(void)
{
    lm_context ctx;
    lm_arena arena;
    lm_buffer text;
    const lm_json *root;
    double seconds[2];

    lm_context_init(&ctx);
    for (int big = 0; big <= 1; big++) {
        int members = big ? 250000 : 31250;
        clock_t start;

        lm_buffer_init(&text, &ctx);
        write_object(&text, members, false);
        lm_arena_init(&arena, &ctx);
        start = clock();
        CHECK_OK(&ctx, lm_json_parse(&ctx, &arena, text.data, text.size, "t", &root));
        seconds[big] = (double)(clock() - start) / CLOCKS_PER_SEC;
        CHECK_EQ_INT(root->as.items.count, members);
        lm_arena_free(&arena);
        lm_buffer_free(&text);
    }
    CHECK(seconds[1] < 40 * seconds[0] + 0.05);
    lm_buffer_init(&text, &ctx);
    write_object(&text, 250000, true);
    lm_arena_init(&arena, &ctx);
    CHECK_EQ_INT(lm_json_parse(&ctx, &arena, text.data, text.size, "t", &root), LM_BAD_JSON);
    CHECK_STR(ctx.error.key, "key7");
    lm_arena_free(&arena);
    lm_buffer_free(&text);
}

/* A run in which the n-th allocation fails, the arena having `room`; whether it was reached. */
static bool
run_short(size_t room, int n, bool forever)
{
    static const char text[] =
        "{\"a\":[1,2,3],\"b\":{\"1\":0,\"2\":0,\"3\":0,\"4\":0,\"5\":0,\"6\":0,"
        "\"7\":0,\"8\":0,\"9\":0},\"c\":\"text\"}";
    fake_memory memory = {0};
    lm_context ctx;
    lm_arena arena;
    const lm_json *root;
    bool reached;

    fake_context(&ctx, &memory);
    lm_arena_init(&arena, &ctx);
    CHECK(fake_fill_arena(&arena, room));
    memory = (fake_memory){.live = memory.live, .fail_at = n, .fail_on = forever};
    if (lm_json_parse(&ctx, &arena, text, strlen(text), "t", &root) == LM_OK)
        CHECK(memory.calls < n);
    else
        CHECK_EQ_INT(ctx.error.status, LM_NO_MEMORY);
    reached = memory.calls >= n;
    lm_arena_free(&arena);
    CHECK_EQ_INT(memory.live, 0);
    return reached;
}

/* Every allocation fails in turn, once and for good; nothing leaks and the failure is reported. */
static void
test_no_memory(void)
{
    for (size_t room = 0; room < 2048; room += 16)
        for (int forever = 0; forever <= 1; forever++)
            for (int n = 1; run_short(room, n, forever);)
                n++;
}

/* Long texts of each kind poll at least every 64 kB (and once per pass), and stop when told to. */
static void
test_cancel(void)
{
    enum { LENGTH = 1 << 20 };
    static const struct {
        const char *head, *tail;
        char fill;
    } cases[] = {
        {"", "1", ' '},  {"\"", "\"", 'x'},  {"", "", '1'},          {"1.", "", '0'},
        {"1e", "", '0'}, {"[[1", "]]", ' '}, {"{\"a\"", ":1}", ' '},
    };
    char *text = malloc(LENGTH + 64);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t head = strlen(cases[i].head);
        int polls = 0;

        strcpy(text, cases[i].head);
        memset(text + head, cases[i].fill, LENGTH);
        strcpy(text + head + LENGTH, cases[i].tail);
        for (int stop = 0; stop <= 1; stop++) {
            fake_memory memory = {.stop_at = stop ? polls - 2 : 0};
            lm_context ctx;
            lm_arena arena;
            const lm_json *root;
            lm_status status;

            fake_context(&ctx, &memory);
            lm_arena_init(&arena, &ctx);
            status = lm_json_parse(&ctx, &arena, text, strlen(text), "t", &root);
            polls = memory.polls;
            if (stop)
                CHECK_EQ_INT(status, LM_CANCELLED);
            else if (cases[i].fill != '1' || head > 0)
                CHECK_OK(&ctx, status);
            else
                CHECK_EQ_INT(status, LM_BAD_JSON); /* 10^(2^20) is no double */
            CHECK(stop || polls >= 2 * LENGTH / 65536);
            lm_arena_free(&arena);
            CHECK_EQ_INT(memory.live, 0);
        }
    }
    free(text);
}

/* A character that lies across the border of two pieces of the UTF-8 check. */
static void
test_utf8_borders(void)
{
    enum { PIECE = 65536 };
    char *text = malloc(PIECE + 64);

    for (int shift = 0; shift < 6; shift++)
        for (int broken = 0; broken <= 1; broken++) {
            lm_context ctx;
            lm_arena arena;
            const lm_json *root;
            size_t at = (size_t)(PIECE - 5 + shift);

            memset(text, 'x', PIECE + 64);
            text[0] = '"';
            memcpy(text + at, "😀", 4);
            if (broken)
                text[at + 3] = 'x';
            strcpy(text + PIECE + 20, "\"");
            CHECK_EQ_INT(parse(&ctx, &arena, text, &root), broken ? LM_BAD_JSON : LM_OK);
            if (broken)
                CHECK_EQ_INT(ctx.error.offset, at);
            else
                CHECK(memcmp(root->as.string.bytes + at - 1, "😀", 4) == 0);
            lm_arena_free(&arena);
        }
    free(text);
}

static void
test_write_string(void)
{
    static const char bytes[] = "a\"b\\c/\0\x01\x1f\b\f\n\r\t\x7f é😀";
    lm_context ctx;
    lm_arena arena;
    lm_buffer out;
    const lm_json *root;

    lm_context_init(&ctx);
    lm_buffer_init(&out, &ctx);
    CHECK_OK(&ctx, lm_json_write_string(&out, bytes, sizeof bytes - 1));
    CHECK_OK(&ctx, lm_buffer_append_byte(&out, '\0'));
    CHECK_STR(out.data, "\"a\\\"b\\\\c/\\u0000\\u0001\\u001f\\b\\f\\n\\r\\t\x7f é😀\"");
    CHECK_OK(&ctx, parse(&ctx, &arena, out.data, &root));
    CHECK_EQ_INT(root->as.string.length, sizeof bytes - 1);
    CHECK(memcmp(root->as.string.bytes, bytes, sizeof bytes) == 0);
    lm_arena_free(&arena);
    CHECK_EQ_INT(lm_json_write_string(&out, "\xff", 1), LM_BAD_TEXT);
    lm_buffer_free(&out);
}

static void
test_size_limit(void)
{
    lm_context ctx;
    lm_arena arena;
    const lm_json *root;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    CHECK_EQ_INT(lm_json_parse(&ctx, &arena, "", (size_t)UINT32_MAX, "t", &root), LM_TOO_LARGE);
    CHECK_STR(ctx.error.file, "t");
    lm_arena_free(&arena);
}

/* More values than allowed are refused; as many are read. */
static void
test_node_limit(void)
{
    for (size_t over = 0; over <= 1; over++) {
        size_t elements = LM_JSON_MAX_NODES - 1 + over;
        char *text = malloc(2 * elements + 2);
        lm_context ctx;
        lm_arena arena;
        const lm_json *root;

        for (size_t i = 0; i < elements; i++)
            memcpy(text + 2 * i, i ? ",1" : "[1", 2);
        strcpy(text + 2 * elements, "]");
        CHECK_EQ_INT(parse(&ctx, &arena, text, &root), over ? LM_TOO_LARGE : LM_OK);
        if (over)
            CHECK_EQ_INT(ctx.error.offset, 2 * elements - 1);
        else
            CHECK_EQ_INT(root->as.items.count, elements);
        lm_arena_free(&arena);
        free(text);
    }
}

static const unit_case cases[] = {
    {"json_values", test_values},
    {"json_strings", test_strings},
    {"json_refusals", test_refusals},
    {"json_numbers", test_numbers},
    {"json_long_numbers", test_long_numbers},
    {"json_duplicates", test_duplicates},
    {"json_depth", test_depth},
    {"json_many_keys", test_many_keys},
    {"json_no_memory", test_no_memory},
    {"json_cancel", test_cancel},
    {"json_utf8_borders", test_utf8_borders},
    {"json_write_string", test_write_string},
    {"json_size_limit", test_size_limit},
    {"json_node_limit", test_node_limit},
};

UNIT_MAIN(cases)
