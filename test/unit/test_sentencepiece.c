/*
 * test_sentencepiece.c - what SentencePiece's models bring: their files, maps of characters, the
 * model Unigram. Answers of the library are replayed by test_tokenizer.c; here are refusals,
 * hostile bytes, ties, and what long words cost.
 */
#include "tokenizer.h"
#include "base/base64.h"
#include "base/grapheme.h"
#include "base/utf8.h"
#include "token/sentencepiece.h"

#define UNIGRAM(vocab) "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":" vocab "}}"

/* The failure of a tokenizer.json, which must be at a key. */
static void
check_refused(const char *json, lm_status status, const char *key)
{
    fixture f;

    open_empty(&f);
    CHECK_EQ_INT(compile_json(&f, json, strlen(json), NULL, 100), status);
    if (strcmp(f.ctx.error.key, key) != 0)
        UNIT_FAIL("%.100s: at %s: %s", json, f.ctx.error.key, f.ctx.error.message);
    close_fixture(&f);
}

static void
test_unigram_refusals(void)
{
    check_refused(UNIGRAM("{\"a\":0}"), LM_BAD_MODEL, "model.vocab");
    check_refused(UNIGRAM("[\"a\"]"), LM_BAD_MODEL, "model.vocab");
    check_refused(UNIGRAM("[[\"a\"]]"), LM_BAD_MODEL, "model.vocab");
    check_refused(UNIGRAM("[[\"a\",1,2]]"), LM_BAD_MODEL, "model.vocab");
    check_refused(UNIGRAM("[[1,\"a\"]]"), LM_BAD_MODEL, "model.vocab");
    check_refused(UNIGRAM("[[\"a\",null]]"), LM_BAD_MODEL, "model.vocab");
    check_refused(UNIGRAM("[]"), LM_BAD_MODEL, "model.unk_id");
    check_refused("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",0]]}}", LM_BAD_MODEL,
                  "model.unk_id");
    check_refused("{\"model\":{\"type\":\"Unigram\",\"unk_id\":1,\"vocab\":[[\"a\",0]]}}",
                  LM_BAD_MODEL, "model.unk_id");
    check_refused("{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"a\",0]],"
                  "\"byte_fallback\":1}}",
                  LM_BAD_MODEL, "model.byte_fallback");
    check_refused("{\"post_processor\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"
                  "\"trim_offsets\":true},\"model\":{\"unk_id\":0,\"vocab\":[[\"a\",0]]}}",
                  LM_UNSUPPORTED, "post_processor.trim_offsets");
}

static void
test_long_pieces_are_refused(void)
{
    char json[2400], piece[1100];

    memset(piece, 'a', sizeof piece);
    piece[1025] = '\0';
    snprintf(json, sizeof json, UNIGRAM("[[\"x\",0],[\"%s\",0]]"), piece);
    check_refused(json, LM_TOO_LARGE, "model.vocab");
}

/* The ids of a text. */
static void
check_ids(const char *json, const char *text, const int32_t *ids, size_t count)
{
    fixture f;

    open_empty(&f);
    CHECK_OK(&f.ctx, compile_json(&f, json, strlen(json), NULL, 100));
    CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
    encode(&f, text, strlen(text), &everything);
    CHECK_EQ_INT(f.out.count, count);
    CHECK(f.out.count == count && memcmp(f.out.ids, ids, count * sizeof *ids) == 0);
    close_fixture(&f);
}

/* As the library does: a later way of the same score does not count; unknown ones are one token. */
static void
test_ties_and_unknown(void)
{
    static const char ties[] =
        UNIGRAM("[[\"u\",0],[\"a\",-1],[\"b\",-1],[\"ab\",-2],[\"c\",-1],[\"bc\",-2]]");
    static const char twice[] = UNIGRAM("[[\"u\",-9],[\"a\",-1],[\"a\",-2],[\"xy\",-3]]");

    check_ids(ties, "abc", (const int32_t[]){1, 5}, 2);
    check_ids(ties, "zzab", (const int32_t[]){0, 3}, 2);
    check_ids(twice, "a", (const int32_t[]){2}, 1);
    check_ids(twice, "qrs", (const int32_t[]){0}, 1);
    check_ids(twice, "uq", (const int32_t[]){0}, 1);
    /* A list tells the model where no type does. */
    check_ids("{\"model\":{\"unk_id\":0,\"vocab\":[[\"u\",0],[\"a\",-1]]}}", "a",
              (const int32_t[]){1}, 1);
}

/* ---------------------------------------------------------------- maps of characters */

static void
put_number(uint8_t *at, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(number >> (8 * i));
}

/* A tokenizer.json whose map has these units and texts; refused, or not. */
static void
check_map(const uint32_t *units, size_t count, const char *text, size_t length, lm_status status)
{
    uint8_t bytes[4 * 600 + 64];
    char json[5000];
    fixture f;

    put_number(bytes, (uint32_t)(4 * count));
    for (size_t i = 0; i < count; i++)
        put_number(bytes + 4 + 4 * i, units[i]);
    memcpy(bytes + 4 + 4 * count, text, length);
    open_empty(&f);
    snprintf(json, sizeof json,
             "{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"%s\"},"
             "\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"u\",0]]}}",
             lm_base64_encode(&f.arena, bytes, 4 + 4 * count + length));
    CHECK_EQ_INT(compile_json(&f, json, strlen(json), NULL, 100), status);
    if (status != LM_OK)
        CHECK_STR(f.ctx.error.key, "normalizer.precompiled_charsmap");
    close_fixture(&f);
}

/* The map of one key, "a", and what may be wrong with it. */
static void
test_hostile_maps(void)
{
    static uint32_t units[512];
    const uint32_t a = 256 ^ 'a';

    memset(units, 0, sizeof units);
    units[0] = 256u << 10;
    units[a] = (a ^ 300u) << 10 | 0x100 | 'a';
    units[300] = UINT32_C(1) << 31;
    check_map(units, 512, "b\0", 2, LM_OK);
    check_map(units, 512, "", 0, LM_OK); /* the text is empty */
    check_map(units, 0, "b\0", 2, LM_BAD_MODEL);
    check_map(units, 1, "b\0", 2, LM_BAD_MODEL);
    check_map(units, 400, "b\0", 2, LM_BAD_MODEL); /* children beyond the end */
    check_map(units, 512, "\xff\0", 2, LM_BAD_MODEL);
    units[300] = UINT32_C(1) << 31 | 3;
    check_map(units, 512, "b\0", 2, LM_BAD_MODEL); /* a text that is not there */
    units[300] = UINT32_C(1) << 31 | 1;
    check_map(units, 512, "\xc3\xa9\0", 3, LM_BAD_MODEL); /* the middle of a character */
    units[a] = (UINT32_C(1) << 20) << 10 | 0x100 | 'a';
    check_map(units, 512, "b\0", 2, LM_BAD_MODEL);
    units[a] = (UINT32_C(1) << 20) << 10 | 0x200 | 'a';
    check_map(units, 512, "b\0", 2, LM_BAD_MODEL);
    units[a] = (a ^ 256u) << 10 | 'a'; /* a key without end: its children are the root's */
    check_map(units, 512, "b\0", 2, LM_OK);
}

static void
test_maps_that_are_none(void)
{
    static const char *const maps[] = {"\"\"",         "\"AAA\"",  "\"AA==\"",
                                       "\"AAAAAB==\"", "\"!AAA\"", "7",
                                       "\"/////w==\"", "\"AA=A\"", "\"AAAAAQ=\""};

    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        char json[300];

        snprintf(json, sizeof json,
                 "{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":%s},"
                 "\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"u\",0]]}}",
                 maps[i]);
        check_refused(json, LM_BAD_MODEL, "normalizer.precompiled_charsmap");
    }
}

static void
test_base64(void)
{
    static const char *const texts[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"};
    static const char *const coded[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
                                        "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    lm_context ctx;
    lm_arena arena;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t length = strlen(texts[i]), size;
        uint8_t *bytes;

        CHECK_STR(lm_base64_encode(&arena, (const uint8_t *)texts[i], length), coded[i]);
        CHECK_OK(&ctx, lm_base64_decode(&arena, coded[i], strlen(coded[i]), &bytes, &size));
        CHECK(bytes && size == length && memcmp(bytes, texts[i], length) == 0);
    }
    lm_arena_free(&arena);
}

/* ---------------------------------------------------------------- clusters */

/* How many clusters a text has. */
static size_t
count_clusters(const char *text)
{
    lm_grapheme_state state = {0};
    size_t count = 0;
    int bytes;

    for (; *text; text += bytes)
        count += lm_grapheme_next(&state, lm_utf8_decode(text, &bytes)) || count == 0;
    return count;
}

/* One case for each rule of the standard. */
static void
test_clusters(void)
{
    static const struct {
        const char *text;
        size_t count;
    } cases[] = {
        {"ab", 2},
        {"\r\n", 1},
        {"\n\r", 2},
        {"a\r", 2},
        {"\n\xcc\x81", 2},
        {"a\xcc\x81\xcc\x81", 1},
        {"\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8", 1}, /* L V T */
        {"\xea\xb0\x80\xe1\x86\xa8", 1},             /* LV T */
        {"\xea\xb0\x81\xe1\x85\xa1", 2},             /* LVT, V */
        {"\xe0\xa4\x95\xe0\xa4\xbe", 1},             /* a spacing mark */
        {"\xd8\x80"
         "a",
         1}, /* what stands before */
        {"\xd8\x80\n", 2},
        {"\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa\xf0\x9f\x87\xab", 2}, /* flags */
        {"\xc2\xa9\xe2\x80\x8d\xc2\xa9", 1},                     /* pictures */
        {"\xc2\xa9\xcc\x81\xe2\x80\x8d\xc2\xa9", 1},
        {"a\xe2\x80\x8d\xc2\xa9", 2},
        {"\xe0\xa4\x95\xe0\xa5\x8d\xe0\xa4\x95", 1}, /* a conjunct */
        {"\xe0\xa4\x95\xe2\x80\x8c\xe0\xa4\x95", 2},
        {"a\xe0\xa5\x8d\xe0\xa4\x95", 2},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (count_clusters(cases[i].text) != cases[i].count)
            UNIT_FAIL("case %zu: %zu clusters", i, count_clusters(cases[i].text));
    CHECK(lm_grapheme_is_plain('a') && lm_grapheme_is_plain(0xac00));
    CHECK(!lm_grapheme_is_plain(0x301) && !lm_grapheme_is_plain(0x600));
}

/* ---------------------------------------------------------------- files */

static lm_status
read_model(fixture *f, const char *bytes, size_t size, lm_spm_model *model)
{
    /* As long as it is: reading beyond is seen by sanitizers. */
    char *copy = malloc(size + !size);
    lm_status status;

    memcpy(copy, bytes, size);
    status = lm_spm_read(&f->ctx, &f->arena, "spm", copy, size, model);
    free(copy);
    return status;
}

/* Every prefix of a model, and every byte of its beginning changed. */
static void
test_damaged_models(void)
{
    size_t size, good = 0;
    char *bytes = read_file(FOLDER "spm.model", &size);
    lm_spm_model model;
    fixture f;

    open_empty(&f);
    CHECK_OK(&f.ctx, read_model(&f, bytes, size, &model));
    CHECK(model.count > 300 && model.model_type == LM_SPM_UNIGRAM && model.charsmap_size > 100);
    for (size_t cut = 0; cut < size; cut += 7)
        good += read_model(&f, bytes, cut, &model) == LM_OK;
    CHECK(good < size / 28); /* it may end between two pieces */
    for (size_t at = 0; at < 400; at++)
        for (int bit = 0; bit < 8; bit++) {
            bytes[at] = (char)(bytes[at] ^ 1 << bit);
            read_model(&f, bytes, size, &model);
            bytes[at] = (char)(bytes[at] ^ 1 << bit);
        }
    free(bytes);
    close_fixture(&f);
}

static void
test_refused_models(void)
{
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        {"", 0},
        {"\x12\x00", 2},             /* no piece */
        {"\x0a\x03\x0a\x01\xff", 5}, /* no UTF-8 */
        {"\x0a\x08\x0a\x01"
         "a\x15\x00\x00\xc0\x7f",
         10},                                                 /* a score that is no number */
        {"\x0a\x05\x0a\x01", 4},                              /* cut */
        {"\x0b", 1},                                          /* a group */
        {"\x00\x00", 2},                                      /* field 0 */
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11}, /* beyond 64 bits */
        {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}, /* a huge size */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lm_spm_model model;
        fixture f;

        open_empty(&f);
        CHECK_EQ_INT(read_model(&f, cases[i].bytes, cases[i].size, &model), LM_BAD_MODEL);
        close_fixture(&f);
    }
}

/* ---------------------------------------------------------------- places */

/* What the map drops at a word's start goes with the space before it, also where the rest of its
 * cluster stays; the places are the library's. */
static void
test_dropped_at_a_word(void)
{
    static const char text[] = " \xe4\xb8\xad\xcc\x81\xcc\xa3x y";
    static const int32_t starts[] = {2, 3, 4, 6};
    fixture f;

    if (!open_path(&f, FOLDER "unigram.tokenizer.json", NULL))
        return;
    encode(&f, text, strlen(text), &(lm_token_options){.offsets = true});
    CHECK_EQ_INT(f.out.count, 4);
    for (size_t i = 0; i < 4 && i < f.out.count; i++) {
        CHECK_EQ_INT(f.out.start[i], starts[i]);
        CHECK_EQ_INT(f.out.stop[i], starts[i] + 1);
    }
    close_fixture(&f);
}

/* ---------------------------------------------------------------- cost */

static size_t polls;

static bool
count_poll(void *opaque)
{
    polls++;
    return false;
}

/* Words without end, and words of nothing but marks: each twice as long costs twice as many polls.
 */
static void
test_long_words_are_linear(void)
{
    static const char *const pieces[] = {"a", "\xcc\x81", "ab", "\xe2\x82\xac", "z "};
    const size_t size = 1 << 22;
    fixture f;
    char *text = malloc(2 * size);

    if (!open_path(&f, FOLDER "unigram.tokenizer.json", NULL))
        return;
    f.ctx.cancelled = count_poll;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        size_t length = strlen(pieces[i]), once, total = size / length * length;

        for (size_t at = 0; at < 2 * total; at += length)
            memcpy(text + at, pieces[i], length);
        polls = 0;
        encode(&f, text, total, &everything);
        once = polls;
        CHECK(once >= 30);
        encode(&f, text, 2 * total, &everything);
        CHECK(polls - once <= 2 * once + 50);
    }
    free(text);
    close_fixture(&f);
}

static size_t allocations;

static void *
count_alloc(void *opaque, size_t size)
{
    allocations++;
    return malloc(size);
}

static void *
count_realloc(void *opaque, void *pointer, size_t size)
{
    allocations++;
    return realloc(pointer, size);
}

static void
test_warm_texts_allocate_nothing(void)
{
    static const char text[] = "Hello wonderful World, caf\xc3\xa9 \xef\xac\x81x "
                               "\xe4\xb8\xad\xe6\x96\x87 x\xcc\x81 unaffable";
    fixture f;

    if (!open_path(&f, FOLDER "unigram-bytes.tokenizer.json", NULL))
        return;
    f.ctx.alloc = count_alloc;
    f.ctx.realloc = count_realloc;
    for (int round = 0; round < 3; round++) {
        allocations = 0;
        encode(&f, text, strlen(text), &everything);
        encode(&f, text, strlen(text),
               &(lm_token_options){.add_special = true, .parse_special = true});
    }
    CHECK_EQ_INT(allocations, 0);
    close_fixture(&f);
}

static const unit_case cases[] = {
    {"unigram_refusals", test_unigram_refusals},
    {"long_pieces_are_refused", test_long_pieces_are_refused},
    {"ties_and_unknown", test_ties_and_unknown},
    {"hostile_maps", test_hostile_maps},
    {"maps_that_are_none", test_maps_that_are_none},
    {"base64", test_base64},
    {"clusters", test_clusters},
    {"damaged_models", test_damaged_models},
    {"refused_models", test_refused_models},
    {"dropped_at_a_word", test_dropped_at_a_word},
    {"long_words_are_linear", test_long_words_are_linear},
    {"warm_texts_allocate_nothing", test_warm_texts_allocate_nothing},
};

UNIT_MAIN(cases)
