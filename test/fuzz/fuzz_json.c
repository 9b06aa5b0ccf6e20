/*
 * fuzz_json.c - what the reader of JSON accepts is JSON by an independent grammar and has no key
 * twice; every node lies in the text and in its order; written out and read again it is the same
 * tree and the same bytes. What the grammar accepts is refused for a named reason only.
 */
#include <math.h>

#include "base/buffer.h"
#include "base/utf8.h"
#include "format/json.h"
#include "fuzz.h"

void
fuzz_prepare(void)
{
}

/* A node of 64 bytes for "1,", in blocks that double; keys are listed again where they are many. */
size_t
fuzz_limit(size_t size)
{
    return ((size_t)1 << 17) + 128 * size;
}

/* ---- An independent grammar: a recogniser, recursive, by the letter of RFC 8259. ---- */

typedef struct grammar {
    const char *at, *end;
    int depth;
} grammar;

static bool
one_of(grammar *g, const char *set)
{
    if (g->at == g->end || *g->at == '\0' || !strchr(set, *g->at))
        return false;
    g->at++;
    return true;
}

static void
space(grammar *g)
{
    while (one_of(g, " \t\r\n"))
        ;
}

static bool
digits(grammar *g)
{
    bool any = false;

    while (one_of(g, "0123456789"))
        any = true;
    return any;
}

static bool
is_number(grammar *g)
{
    one_of(g, "-");
    if (!one_of(g, "0") && !digits(g))
        return false;
    if (one_of(g, ".") && !digits(g))
        return false;
    if (!one_of(g, "eE"))
        return true;
    one_of(g, "+-");
    return digits(g);
}

static bool
is_string(grammar *g)
{
    if (!one_of(g, "\""))
        return false;
    while (g->at < g->end && *g->at != '"') {
        if ((unsigned char)*g->at < 0x20)
            return false;
        if (*g->at++ != '\\')
            continue;
        if (one_of(g, "\"\\/bfnrt"))
            continue;
        if (!one_of(g, "u"))
            return false;
        for (int i = 0; i < 4; i++)
            if (!one_of(g, "0123456789abcdefABCDEF"))
                return false;
    }
    return one_of(g, "\"");
}

static bool
is_word(grammar *g, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(g->end - g->at) < length || memcmp(g->at, word, length) != 0)
        return false;
    g->at += length;
    return true;
}

static bool
is_value(grammar *g)
{
    bool object = g->at < g->end && *g->at == '{', good = true;

    if (!one_of(g, "{["))
        return g->at < g->end && (*g->at == '"'   ? is_string(g)
                                  : *g->at == 't' ? is_word(g, "true")
                                  : *g->at == 'f' ? is_word(g, "false")
                                  : *g->at == 'n' ? is_word(g, "null")
                                                  : is_number(g));
    if (++g->depth > LM_JSON_MAX_DEPTH)
        return false;
    space(g);
    if (!one_of(g, object ? "}" : "]")) {
        do {
            space(g);
            if (object) {
                good = is_string(g);
                space(g);
                good = good && one_of(g, ":");
                space(g);
            }
            good = good && is_value(g);
            space(g);
        } while (good && one_of(g, ","));
        good = good && one_of(g, object ? "}" : "]");
    }
    g->depth--;
    return good;
}

static bool
is_json(const char *text, size_t length)
{
    grammar g = {text, text + length, 0};

    if (lm_utf8_valid_prefix(text, length) != length)
        return false;
    space(&g);
    if (!is_value(&g))
        return false;
    space(&g);
    return g.at == g.end;
}

/* ---- The tree. ---- */

static bool
same_bytes(const char *a, size_t a_length, const char *b, size_t b_length)
{
    return a_length == b_length && memcmp(a, b, a_length) == 0;
}

/* Pairwise where members are few; else the table of keys that is under test sees them alone. */
static void
check_keys(const lm_json *object)
{
    if (object->as.items.count > 64)
        return;
    for (const lm_json *a = object->as.items.first; a; a = a->next)
        for (const lm_json *b = a->next; b; b = b->next)
            REQUIRE(!same_bytes(a->key, a->key_length, b->key, b->key_length));
}

/* Laws of one node. */
static void
check_node(const lm_json *json)
{
    if (json->type == LM_JSON_STRING) {
        size_t length = json->as.string.length;

        REQUIRE(json->as.string.bytes[length] == '\0');
        REQUIRE(lm_utf8_valid_prefix(json->as.string.bytes, length) == length);
    } else if (json->type == LM_JSON_NUMBER) {
        REQUIRE(isfinite(json->as.number));
        REQUIRE(!json->is_integer || json->as.number == (double)json->integer);
    } else if (json->type == LM_JSON_OBJECT)
        check_keys(json);
}

/* Laws of a tree of a text; `offset` is that of the node before. */
static void
check_tree(const lm_json *json, const char *text, size_t length, uint64_t *offset)
{
    static const char first[] = {[LM_JSON_NULL] = 'n',
                                 [LM_JSON_STRING] = '"',
                                 [LM_JSON_ARRAY] = '[',
                                 [LM_JSON_OBJECT] = '{'};
    size_t count = 0;

    REQUIRE(json->offset >= *offset && json->offset < length);
    REQUIRE(first[json->type] == 0 || text[json->offset] == first[json->type]);
    *offset = json->offset + 1;
    check_node(json);
    if (json->type != LM_JSON_ARRAY && json->type != LM_JSON_OBJECT)
        return;
    for (const lm_json *item = json->as.items.first; item; item = item->next, count++) {
        REQUIRE((item->key != NULL) == (json->type == LM_JSON_OBJECT));
        if (item->key)
            REQUIRE(item->key[item->key_length] == '\0');
        check_tree(item, text, length, offset);
    }
    REQUIRE(count == json->as.items.count);
}

static void
check_same(const lm_json *a, const lm_json *b)
{
    const lm_json *x, *y;

    REQUIRE(a->type == b->type);
    REQUIRE((a->key == NULL) == (b->key == NULL));
    REQUIRE(!a->key || same_bytes(a->key, a->key_length, b->key, b->key_length));
    switch ((lm_json_type)a->type) {
    case LM_JSON_BOOL:
        REQUIRE(a->boolean == b->boolean);
        break;
    case LM_JSON_NUMBER:
        REQUIRE(memcmp(&a->as.number, &b->as.number, sizeof(double)) == 0);
        REQUIRE(a->is_integer == b->is_integer && a->integer == b->integer);
        break;
    case LM_JSON_STRING:
        REQUIRE(same_bytes(a->as.string.bytes, a->as.string.length, b->as.string.bytes,
                           b->as.string.length));
        break;
    case LM_JSON_ARRAY:
    case LM_JSON_OBJECT:
        REQUIRE(a->as.items.count == b->as.items.count);
        for (x = a->as.items.first, y = b->as.items.first; x; x = x->next, y = y->next)
            check_same(x, y);
        break;
    default:
        break;
    }
}

/* 17 digits are enough for every double; a number that is no integer must not look like one. */
static lm_status
write_number(const lm_json *json, lm_buffer *out)
{
    char text[64];

    if (json->is_integer && !(json->integer == 0 && signbit(json->as.number)))
        return lm_buffer_printf(out, "%lld", (long long)json->integer);
    if (json->is_integer)
        return lm_buffer_append_string(out, "-0");
    snprintf(text, sizeof text, "%.17g", json->as.number);
    return lm_buffer_printf(out, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static lm_status
write_tree(const lm_json *json, lm_buffer *out)
{
    bool object = json->type == LM_JSON_OBJECT;

    switch ((lm_json_type)json->type) {
    case LM_JSON_NULL:
        return lm_buffer_append_string(out, "null");
    case LM_JSON_BOOL:
        return lm_buffer_append_string(out, json->boolean ? "true" : "false");
    case LM_JSON_NUMBER:
        return write_number(json, out);
    case LM_JSON_STRING:
        return lm_json_write_string(out, json->as.string.bytes, json->as.string.length);
    default:
        break;
    }
    LM_TRY(lm_buffer_append_byte(out, object ? '{' : '['));
    for (const lm_json *item = json->as.items.first; item; item = item->next) {
        if (item->key) {
            LM_TRY(lm_json_write_string(out, item->key, item->key_length));
            LM_TRY(lm_buffer_append_byte(out, ':'));
        }
        LM_TRY(write_tree(item, out));
        if (item->next)
            LM_TRY(lm_buffer_append_byte(out, ','));
    }
    return lm_buffer_append_byte(out, object ? '}' : ']');
}

/* ---- The target. ---- */

/* Read again what was written, and write it again; the second arena's text is `once`. */
static lm_status
read_back(lm_context *ctx, lm_arena *arena, const lm_json *root, lm_buffer *once, lm_buffer *twice)
{
    const lm_json *again;

    REQUIRE_OK(ctx, write_tree(root, once));
    REQUIRE_OK(ctx, lm_json_parse(ctx, arena, once->data, once->size, "again.json", &again));
    check_same(root, again);
    REQUIRE_OK(ctx, write_tree(again, twice));
    REQUIRE(same_bytes(once->data, once->size, twice->data, twice->size));
    return LM_OK;
}

static lm_status
check_accepted(lm_context *ctx, const lm_json *root, const char *data, size_t size)
{
    lm_arena arena;
    lm_buffer once, twice;
    uint64_t offset = 0;
    lm_status status;

    REQUIRE(is_json(data, size));
    check_tree(root, data, size, &offset);
    lm_arena_init(&arena, ctx);
    lm_buffer_init(&once, ctx);
    lm_buffer_init(&twice, ctx);
    status = read_back(ctx, &arena, root, &once, &twice);
    lm_buffer_free(&once);
    lm_buffer_free(&twice);
    lm_arena_free(&arena);
    return status;
}

/* Syntax that is sound is refused for what it means. */
static void
check_refused(const lm_context *ctx, const char *data, size_t size)
{
    static const char *const reasons[] = {"no lone surrogate",
                                          "the second half of a surrogate pair",
                                          "a number within the range of double", "each key once"};
    bool named = false;

    REQUIRE(strcmp(ctx->error.file, "input.json") == 0);
    REQUIRE(ctx->error.has_offset && ctx->error.offset <= size);
    REQUIRE(ctx->error.status == LM_BAD_JSON || ctx->error.status == LM_TOO_DEEP);
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        named |= strcmp(ctx->error.allowed, reasons[i]) == 0;
    REQUIRE(named || !is_json(data, size));
}

lm_status
fuzz_target(lm_context *ctx, const char *data, size_t size)
{
    const lm_json *root = NULL;
    lm_arena arena;
    lm_status status;

    lm_arena_init(&arena, ctx);
    status = lm_json_parse(ctx, &arena, data, size, "input.json", &root);
    if (status == LM_OK)
        status = check_accepted(ctx, root, data, size);
    else if (status != LM_NO_MEMORY)
        check_refused(ctx, data, size);
    lm_arena_free(&arena);
    return status;
}
