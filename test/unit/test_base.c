/*
 * test_base.c - the base room: contexts and error records, arena, buffer, UTF-8, hash, rng.
 */
#include "unit.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/hash.h"
#include "base/rng.h"
#include "base/size.h"
#include "base/sort.h"
#include "base/utf8.h"

/* An allocator that fails from the n-th request on. */
static int allocations_left;

static void *
failing_alloc(void *opaque, size_t size)
{
    (void)opaque;
    return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void *
failing_realloc(void *opaque, void *pointer, size_t size)
{
    (void)opaque;
    return allocations_left-- > 0 ? realloc(pointer, size) : NULL;
}

static void
failing_context(lm_context *ctx, int allocations)
{
    lm_context_init(ctx);
    ctx->alloc = failing_alloc;
    ctx->realloc = failing_realloc;
    allocations_left = allocations;
}

/* What is kept has a way of its own where the context has one. */
static size_t kept_bytes;

static void *
count_kept(void *opaque, void *pointer, size_t size)
{
    kept_bytes = size;
    return failing_realloc(opaque, pointer, size);
}

static void
keeping(void)
{
    lm_context ctx;
    char *kept, *grown;

    lm_context_init(&ctx);
    kept = lm_keep(&ctx, NULL, 3);
    memcpy(kept, "ab", 3);
    kept = lm_keep(&ctx, kept, 1000);
    CHECK_STR(kept, "ab");
    CHECK_EQ_INT(kept_bytes, 0);
    failing_context(&ctx, 2);
    ctx.keep = count_kept;
    grown = lm_keep(&ctx, kept, 5000);
    CHECK_STR(grown, "ab");
    CHECK_EQ_INT(kept_bytes, 5000);
    grown = lm_keep(&ctx, grown, 0);
    CHECK_EQ_INT(kept_bytes, 1);
    CHECK(lm_keep(&ctx, grown, 6000) == NULL);
    CHECK_EQ_INT(ctx.error.status, LM_NO_MEMORY);
    CHECK(lm_keep_array(&ctx, SIZE_MAX / 2, 3) == NULL);
    allocations_left = 1;
    lm_free(&ctx, grown);
    grown = lm_keep_array(&ctx, 10, 8);
    CHECK_EQ_INT(kept_bytes, 80);
    lm_free(&ctx, grown);
}

static void
rooms(void)
{
    CHECK_EQ_INT(lm_grown_room(0, 3), 3);
    CHECK_EQ_INT(lm_grown_room(10, 3), 20);
    CHECK_EQ_INT(lm_grown_room(10, 30), 30);
    CHECK_EQ_INT(lm_grown_room(80000, 80001), 90000);
}

static void
error_record(void)
{
    lm_context ctx;

    lm_context_init(&ctx);
    CHECK_EQ_INT(lm_raise(&ctx, LM_BAD_MODEL, "bad %s", "thing"), LM_BAD_MODEL);
    lm_detail_key(&ctx, "layer.%d", 3);
    lm_detail_found(&ctx, "%d", 7);
    lm_detail_allowed(&ctx, "1 to 5");
    lm_detail_hint(&ctx, "say less");
    lm_detail_file(&ctx, "config.json");
    CHECK_EQ_INT(lm_detail_offset(&ctx, 99), LM_BAD_MODEL);
    CHECK_STR(ctx.error.message, "bad thing");
    CHECK_STR(ctx.error.key, "layer.3");
    CHECK_STR(ctx.error.file, "config.json");
    CHECK(ctx.error.has_offset && ctx.error.offset == 99);
    lm_raise(&ctx, LM_UNKNOWN, "next");
    CHECK_STR(ctx.error.key, "");
    CHECK(!ctx.error.has_offset);
}

/* A message longer than its field is cut, and never inside a character. */
static void
long_message(void)
{
    lm_context ctx;
    char text[1000];

    lm_context_init(&ctx);
    for (int shift = 0; shift < 4; shift++) {
        size_t length = 0;

        memset(text, 'x', (size_t)shift);
        length = (size_t)shift;
        while (length + 4 < sizeof text) {
            memcpy(text + length, "\xf0\x9f\x98\x80", 4);
            length += 4;
        }
        text[length] = '\0';
        lm_raise(&ctx, LM_UNKNOWN, "%s", text);
        length = strlen(ctx.error.message);
        CHECK(length >= sizeof ctx.error.message - 5);
        CHECK_EQ_INT(lm_utf8_valid_prefix(ctx.error.message, length), length);
    }
}

static void
no_memory(void)
{
    lm_context ctx;
    lm_buffer buffer;
    lm_arena arena;

    failing_context(&ctx, 0);
    CHECK(lm_alloc(&ctx, 10) == NULL);
    CHECK_EQ_INT(ctx.error.status, LM_NO_MEMORY);
    CHECK(lm_alloc_array(&ctx, SIZE_MAX / 2, 3) == NULL);
    lm_buffer_init(&buffer, &ctx);
    CHECK_EQ_INT(lm_buffer_append_string(&buffer, "text"), LM_NO_MEMORY);
    CHECK_EQ_INT(buffer.size, 0);
    lm_arena_init(&arena, &ctx);
    CHECK(lm_arena_alloc(&arena, 1) == NULL);
    CHECK(lm_arena_alloc(&arena, SIZE_MAX - 3) == NULL);
    CHECK(lm_arena_array(&arena, SIZE_MAX, 2) == NULL);
    CHECK(lm_arena_copy(&arena, "", SIZE_MAX) == NULL);
    failing_context(&ctx, 1);
    CHECK_OK(&ctx, lm_buffer_append(&buffer, "0123456789", 10));
    while (lm_buffer_append(&buffer, "0123456789", 10) == LM_OK)
        ;
    CHECK_EQ_INT(buffer.size, 250);
    CHECK(memcmp(buffer.data + 240, "0123456789", 10) == 0);
    lm_buffer_free(&buffer);
}

static void
arena_objects(void)
{
    lm_context ctx;
    lm_arena arena;
    char *small[2000];

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    for (int i = 0; i < 2000; i++) {
        small[i] = lm_arena_alloc(&arena, (size_t)(i % 37));
        CHECK((uintptr_t)small[i] % 16 == 0);
        memset(small[i], i, (size_t)(i % 37));
    }
    for (int i = 0; i < 2000; i++)
        for (int j = 0; j < i % 37; j++)
            CHECK_EQ_INT((unsigned char)small[i][j], i & 0xff);
    CHECK(lm_arena_zero(&arena, (size_t)10 << 20) != NULL);
    CHECK_STR(lm_arena_copy(&arena, "abcdef", 3), "abc");
    lm_arena_free(&arena);
    CHECK_EQ_INT(arena.total, 0);
}

static void
buffer_growth(void)
{
    lm_context ctx;
    lm_buffer buffer;

    lm_context_init(&ctx);
    lm_buffer_init(&buffer, &ctx);
    for (int i = 0; i < 5000; i++)
        CHECK_OK(&ctx, lm_buffer_printf(&buffer, "%d,", i));
    CHECK_OK(&ctx, lm_buffer_append_byte(&buffer, '.'));
    CHECK_EQ_INT(buffer.size, 10 * 2 + 90 * 3 + 900 * 4 + 4000 * 5 + 1);
    CHECK(memcmp(buffer.data + buffer.size - 6, "4999,.", 6) == 0);
    CHECK_OK(&ctx, lm_buffer_align(&buffer));
    CHECK_EQ_INT(buffer.size % LM_ALIGNMENT, 0);
    CHECK_EQ_INT(buffer.data[buffer.size - 1], 0);
    CHECK_EQ_INT(lm_buffer_reserve(&buffer, SIZE_MAX), LM_NO_MEMORY);
    lm_buffer_free(&buffer);
}

/* Every scalar value survives; every other 1- to 4-byte sequence of these leads is refused. */
static void
utf8_all(void)
{
    char bytes[5] = "";
    int length;

    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        int decoded;

        if (c >= 0xd800 && c <= 0xdfff)
            continue;
        length = lm_utf8_encode(c, bytes);
        if (lm_utf8_valid_prefix(bytes, (size_t)length) != (size_t)length ||
            lm_utf8_decode(bytes, &decoded) != c || decoded != length)
            UNIT_FAIL("U+%04X does not survive", (unsigned)c);
        for (int cut = 1; cut < length; cut++)
            if (lm_utf8_valid_prefix(bytes, (size_t)cut) != 0)
                UNIT_FAIL("U+%04X cut to %d bytes is taken for valid", (unsigned)c, cut);
    }
}

static void
utf8_refused(void)
{
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc2\x41",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xe2\x28\xa1",
        "\xe2\x82\x28",
        "\xff",
        "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xf0\x9f\x98\x41",
    };
    char padded[64];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (int before = 0; before < 12; before++) {
            int length = snprintf(padded, sizeof padded, "%.*s%sabcdefghijkl", before,
                                  "0123456789ab", bad[i]);
            CHECK_EQ_INT(lm_utf8_valid_prefix(padded, (size_t)length), before);
        }
    CHECK_EQ_INT(lm_utf8_count("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10), 4);
}

static void
hashes(void)
{
    char bytes[64] = "";

    for (size_t length = 0; length < 63; length++) {
        CHECK(lm_hash_bytes(bytes, length, 1) == lm_hash_bytes(bytes, length, 1));
        CHECK(lm_hash_bytes(bytes, length, 1) != lm_hash_bytes(bytes, length, 2));
        CHECK(lm_hash_bytes(bytes, length, 1) != lm_hash_bytes(bytes, length + 1, 1));
        bytes[length] ^= 1;
        CHECK(lm_hash_bytes(bytes, length + 1, 1) != lm_hash_bytes("", 0, 1));
    }
}

/* The known first outputs for a state filled by splitmix64 from 0 (computed by the paper's text).
 */
static void
random_numbers(void)
{
    lm_rng rng, other;
    int counts[7] = {0};
    double sum = 0;

    lm_rng_seed(&rng, 0);
    CHECK(rng.state[0] == UINT64_C(0xe220a8397b1dcdaf));
    CHECK(rng.state[1] == UINT64_C(0x6e789e6aa1b965f4));
    lm_rng_seed(&other, 0);
    for (int i = 0; i < 70000; i++) {
        sum += lm_rng_uniform(&rng);
        counts[lm_rng_below(&rng, 7)]++;
        lm_rng_next(&other);
        lm_rng_next(&other);
    }
    CHECK_NEAR(sum / 70000, 0.5, 0.01);
    for (int i = 0; i < 7; i++)
        CHECK_NEAR(counts[i], 10000, 500);
    /* Of a bound above 2^63 almost half of all values are drawn again. */
    for (int i = 0; i < 100; i++)
        CHECK(lm_rng_below(&rng, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
}

static int polls_left;

static bool
cancel_later(void *opaque)
{
    (void)opaque;
    return polls_left-- <= 0;
}

/* Elements of an odd size, many of them equal. */
typedef struct sort_item {
    unsigned key;
    unsigned char copy[5]; /* of the key's bytes: elements must move whole */
} sort_item;

static int
compare_items(const void *a, const void *b)
{
    const sort_item *x = a, *y = b;

    return (x->key > y->key) - (x->key < y->key);
}

/* Lengths around those of the first runs; then a long array without memory, and with a cancel. */
static void
sorting(void)
{
    static const size_t counts[] = {0, 1, 2, 3, 1023, 1024, 1025, 2048, 2049, 5000, 100000};
    sort_item *items = malloc(100000 * sizeof *items);
    lm_context ctx;
    lm_rng rng;

    lm_rng_seed(&rng, 5);
    for (size_t n = 0; n < sizeof counts / sizeof counts[0] + 2; n++) {
        size_t count = n < sizeof counts / sizeof counts[0] ? counts[n] : 100000;
        unsigned long sum = 0;
        lm_status status;

        for (size_t i = 0; i < count; i++) {
            items[i].key = (unsigned)lm_rng_below(&rng, 30000);
            memcpy(items[i].copy, &items[i].key, sizeof items[i].key);
            sum += items[i].key;
        }
        failing_context(&ctx, n == sizeof counts / sizeof counts[0] ? 0 : 1);
        ctx.cancelled = cancel_later;
        polls_left = n > sizeof counts / sizeof counts[0] ? 300 : 1 << 20;
        status = lm_sort(&ctx, items, count, sizeof *items, compare_items);
        if (n >= sizeof counts / sizeof counts[0]) {
            CHECK_EQ_INT(status,
                         n == sizeof counts / sizeof counts[0] ? LM_NO_MEMORY : LM_CANCELLED);
            continue;
        }
        CHECK_EQ_INT(status, LM_OK);
        for (size_t i = 0; i < count; i++) {
            CHECK(i == 0 || items[i - 1].key <= items[i].key);
            CHECK(memcmp(items[i].copy, &items[i].key, sizeof items[i].key) == 0);
            sum -= items[i].key;
        }
        CHECK(sum == 0);
        CHECK((1 << 20) - polls_left >= (int)(count / 1024));
    }
    free(items);
}

static const unit_case cases[] = {
    {"base.error_record", error_record},
    {"base.long_message", long_message},
    {"base.keeping", keeping},
    {"base.rooms", rooms},
    {"base.no_memory", no_memory},
    {"base.arena_objects", arena_objects},
    {"base.buffer_growth", buffer_growth},
    {"base.utf8_all", utf8_all},
    {"base.utf8_refused", utf8_refused},
    {"base.hashes", hashes},
    {"base.random_numbers", random_numbers},
    {"base.sorting", sorting},
};

UNIT_MAIN(cases)
