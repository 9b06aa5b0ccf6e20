/*
 * test_byte_words.c - byte-level BPE straight over UTF-8 against the staged way, which the same
 * image takes where its rule is taken out: tokens and places, files that the short way does not
 * take, long texts, and failures at every place.
 */
#include "fake.h"
#include "tokenizer.h"
#include "base/utf8.h"
#include "token/byte_level.h"
#include "token/composed.h"
#include "token/image.h"

#define LEVEL(rest) "{\"type\":\"ByteLevel\",\"trim_offsets\":true," rest "}"
#define CUTS LEVEL("\"add_prefix_space\":false")
#define PREFIXED LEVEL("\"add_prefix_space\":true")
#define WHOLE LEVEL("\"add_prefix_space\":false,\"use_regex\":false")
#define SEQUENCE(members) "{\"type\":\"Sequence\",\"pretokenizers\":[" members "]}"
#define GPT2                                                                                       \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)|" \
    "\\\\s+"
#define SPLIT(pattern, rest) "{\"type\":\"Split\",\"pattern\":{\"" pattern "\"}," rest "}"
#define BY_GPT2(rest) SPLIT("Regex\":\"" GPT2, rest)
#define ISOLATED "\"behavior\":\"Isolated\",\"invert\":false"

/* The ids of the tokens behind those of bytes. */
enum { AB = 256, SPACE_A, E_ACUTE };

/* A file of all bytes but those from `missing` on, some merges, and these members. */
static void
write_file(lm_buffer *json, int missing, const char *model, const char *members)
{
    CHECK_OK(json->ctx, lm_buffer_append_string(json, "{\"model\":{\"type\":\"BPE\",\"vocab\":{"));
    for (int byte = 0; byte < missing; byte++) {
        char text[4];
        int length = lm_utf8_encode(lm_byte_level_char((unsigned char)byte), text);

        lm_json_write_string(json, text, (size_t)length);
        lm_buffer_printf(json, ":%d,", byte);
    }
    CHECK_OK(json->ctx,
             lm_buffer_append_string(json, "\"ab\":256,\"\xc4\xa0"
                                           "a\":257,\"\xc3\x83\xc2\xa9\":258},\"merges\":"
                                           "[\"a b\",\"\xc4\xa0 a\",\"\xc3\x83 \xc2\xa9\"]"));
    CHECK_OK(json->ctx, lm_buffer_printf(json, "%s},%s}", model, members));
}

static void
open_file(fixture *f, int missing, const char *model, const char *members)
{
    lm_buffer json;

    open_empty(f);
    lm_buffer_init(&json, &f->ctx);
    write_file(&json, missing, model, members);
    CHECK_OK(&f->ctx, compile_json(f, json.data, json.size, NULL, 1000));
    CHECK_OK(&f->ctx, lm_tokenizer_bind(&f->ctx, f->image.data, f->image.size, &f->tokenizer));
    lm_buffer_free(&json);
}

static uint32_t
rule_of(const fixture *f)
{
    return ((const lm_token_image *)f->tokenizer.image)->byte_words.rule;
}

/* ---------------------------------------------------------------- which files */

static const struct {
    const char *model, *members;
    int missing;
    bool taken;
} files[] = {
    {"", "\"pre_tokenizer\":" CUTS, 256, true},
    {"", "\"pre_tokenizer\":" PREFIXED, 256, true},
    {",\"ignore_merges\":true", "\"pre_tokenizer\":" CUTS, 256, true},
    {"", "\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":" CUTS, 256, true},
    {"", "\"pre_tokenizer\":" CUTS ",\"post_processor\":" PREFIXED, 256, true},
    {"", "\"pre_tokenizer\":" SEQUENCE(BY_GPT2(ISOLATED) "," WHOLE), 256, true},
    {"",
     "\"pre_tokenizer\":" SEQUENCE(BY_GPT2("\"behavior\":\"Removed\",\"invert\":true") "," WHOLE),
     256, true},
    {"", "\"pre_tokenizer\":" SEQUENCE(BY_GPT2("\"behavior\":\"Isolated\"") "," WHOLE), 256, true},
    {"", "\"pre_tokenizer\":" CUTS, 255, false}, /* a byte is no token */
    {"", "\"normalizer\":{\"type\":\"NFD\"},\"pre_tokenizer\":" CUTS, 256, false},
    {"",
     "\"added_tokens\":[{\"id\":259,\"content\":\"<n>\",\"normalized\":true}],"
     "\"pre_tokenizer\":" CUTS,
     256, false},
    {",\"end_of_word_suffix\":\"b\"", "\"pre_tokenizer\":" CUTS, 256, false},
    {"", "\"pre_tokenizer\":" WHOLE, 256, false},
    {"", "\"pre_tokenizer\":" SEQUENCE(BY_GPT2("\"behavior\":\"Removed\"") "," WHOLE), 256, false},
    {"", "\"pre_tokenizer\":" SEQUENCE(BY_GPT2("\"behavior\":\"MergedWithNext\"") "," WHOLE), 256,
     false},
    {"", "\"pre_tokenizer\":" SEQUENCE(SPLIT("Regex\":\"a", ISOLATED) "," WHOLE), 256, false},
    {"", "\"pre_tokenizer\":" SEQUENCE(SPLIT("String\":\"a", ISOLATED) "," WHOLE), 256, false},
    {"", "\"pre_tokenizer\":" SEQUENCE(BY_GPT2(ISOLATED) "," CUTS), 256, false},
    {"", "\"pre_tokenizer\":" SEQUENCE(BY_GPT2(ISOLATED)), 256, false},
    {"", "\"pre_tokenizer\":" SEQUENCE("{\"type\":\"Whitespace\"}," WHOLE), 256, false},
    {"", "\"pre_tokenizer\":" SEQUENCE(BY_GPT2(ISOLATED) ",{\"type\":\"Whitespace\"}"), 256, false},
    {"",
     "\"pre_tokenizer\":" SEQUENCE(
         BY_GPT2(ISOLATED) "," LEVEL("\"add_prefix_space\":true,\"use_regex\":false")),
     256, false},
};

#define FILES (sizeof files / sizeof files[0])

static const char *const texts[] = {
    "",
    " ",
    "a",
    "ab ab a, ab's  x\xc3\xa9y\n\n 12",
    "\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80 \xc3\xa9",
    " ab",
    "e\xcc\x81 ab a\xcc\x81 ab",
    "ababababababababababababababababababababababababab ab",
    "\t\xc2\xa0 \xe3\x80\200a", /* \200, since \x80 would take the letter too */
    "l'\xc3\xa9t\xc3\xa9 'll 've 'S",
};

static void
check_equal(fixture *f, const lm_tokenizer *staged, const char *text, size_t length, bool offsets)
{
    const lm_token_options options = {
        .add_special = true, .parse_special = true, .offsets = offsets};
    const size_t places = offsets ? sizeof(int32_t) : 0;
    lm_encoding other;

    lm_encoding_init(&other, &f->ctx);
    encode(f, text, length, &options);
    CHECK_OK(&f->ctx, lm_tokenize(&f->ctx, staged, f->scratch, text, length, &options, &other));
    CHECK_EQ_INT(f->out.count, other.count);
    if (f->out.count != other.count ||
        memcmp(f->out.ids, other.ids, other.count * sizeof(int32_t)) != 0 ||
        memcmp(f->out.start, other.start, other.count * places) != 0 ||
        memcmp(f->out.stop, other.stop, other.count * places) != 0)
        UNIT_FAIL("\"%.40s\"", text);
    lm_encoding_free(&other);
}

/* The same image without the rule; from aligned_alloc. */
static lm_token_image *
open_staged(fixture *f, lm_tokenizer *staged)
{
    lm_token_image *copy = aligned_alloc(LM_ALIGNMENT, lm_align_up(f->image.size));

    memcpy(copy, f->image.data, f->image.size);
    copy->byte_words.rule = 0;
    CHECK_OK(&f->ctx, lm_tokenizer_bind(&f->ctx, copy, f->image.size, staged));
    return copy;
}

static void
test_ways_agree(void)
{
    for (size_t i = 0; i < FILES; i++) {
        lm_tokenizer staged;
        lm_token_image *copy;
        fixture f;

        open_file(&f, files[i].missing, files[i].model, files[i].members);
        if ((rule_of(&f) != 0) != files[i].taken)
            UNIT_FAIL("%s: rule %u", files[i].members, rule_of(&f));
        copy = open_staged(&f, &staged);
        for (size_t k = 0; k < 2 * sizeof texts / sizeof texts[0]; k++)
            check_equal(&f, &staged, texts[k / 2], strlen(texts[k / 2]), k % 2);
        free(copy);
        close_fixture(&f);
    }
}

/* ---------------------------------------------------------------- long texts */

/* `count` times the unit; the caller frees it. */
static char *
repeat(const char *unit, size_t count, size_t *length)
{
    size_t size = strlen(unit);
    char *text = malloc(count * size + 1);

    for (size_t i = 0; i < count; i++)
        memcpy(text + i * size, unit, size);
    *length = count * size;
    return text;
}

#define COMPOSED "\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":" CUTS

/* Texts of several segments; one that has no place to cut; a mark in the middle. */
static void
test_segments(void)
{
    static const char *const units[] = {"ab ab9 ", "ab\n", "\xc3\xa9", "(a ) [ ]"};
    lm_tokenizer staged;
    lm_token_image *copy;
    fixture f;

    open_file(&f, 256, "", COMPOSED);
    copy = open_staged(&f, &staged);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t length;
        char *text = repeat(units[i], 150000 / strlen(units[i]), &length);

        check_equal(&f, &staged, text, length, i % 2);
        memcpy(text + length / 2 / 6 * 6, "e\xcc\x81", 3);
        if (lm_utf8_valid_prefix(text, length) == length)
            check_equal(&f, &staged, text, length, true);
        free(text);
    }
    free(copy);
    close_fixture(&f);
}

/* A text is looked through for what is not composed in pieces of a million bytes. */
static void
test_long_composed_text(void)
{
    fake_memory memory = {.stop_at = 2};
    size_t length;
    char *text = repeat("\xe4\xb8\xad", 800000, &length);
    lm_context ctx;
    bool composed = false;

    fake_context(&ctx, &memory);
    CHECK_EQ_INT(lm_is_composed(&ctx, text, length, &composed), LM_CANCELLED);
    memory = (fake_memory){0};
    CHECK_OK(&ctx, lm_is_composed(&ctx, text, length, &composed));
    CHECK(composed);
    CHECK_EQ_INT(memory.polls, 2);
    memcpy(text + length - 3, "\xe0\xa4\x95", 3);
    CHECK_OK(&ctx, lm_is_composed(&ctx, text, length, &composed));
    CHECK(!composed);
    free(text);
}

/* ---------------------------------------------------------------- faults */

static lm_status
run_with(const fixture *f, const char *text, size_t length, bool offsets, fake_memory *memory)
{
    const lm_token_options options = {
        .add_special = true, .parse_special = true, .offsets = offsets};
    lm_token_scratch *scratch = NULL;
    lm_encoding out;
    lm_context ctx;
    lm_status status;

    fake_context(&ctx, memory);
    lm_encoding_init(&out, &ctx);
    status = lm_token_scratch_create(&ctx, &scratch);
    if (status == LM_OK)
        status = lm_tokenize(&ctx, &f->tokenizer, scratch, text, length, &options, &out);
    lm_encoding_free(&out);
    lm_token_scratch_free(scratch);
    CHECK_EQ_INT(memory->live, 0);
    return status;
}

/* Each allocation fails in turn, then each poll cancels; returns how many polls there were. */
static int
fail_everywhere(const fixture *f, const char *unit, size_t count, bool offsets)
{
    lm_status status = LM_NO_MEMORY;
    size_t length;
    char *text = repeat(unit, count, &length);
    int n;

    for (n = 1; status == LM_NO_MEMORY; n++) {
        fake_memory memory = {.fail_at = n};

        status = run_with(f, text, length, offsets, &memory);
    }
    CHECK_EQ_INT(status, LM_OK);
    CHECK(n > 5);
    for (n = 0, status = LM_CANCELLED; status == LM_CANCELLED; n++) {
        fake_memory memory = {.stop_at = n + 1};

        status = run_with(f, text, length, offsets, &memory);
    }
    CHECK_EQ_INT(status, LM_OK);
    free(text);
    return n;
}

static void
test_faults(void)
{
    static const struct {
        const char *model, *members, *unit;
        size_t count;
    } cases[] = {
        {"", "\"pre_tokenizer\":" CUTS, "ab \xc3\xa9", 16000},
        {"", "\"pre_tokenizer\":" CUTS, "ab", 70000},
        {"", "\"pre_tokenizer\":" CUTS, " \t", 70000},
        {"", "\"pre_tokenizer\":" PREFIXED, "ab", 70000},
        {"", "\"pre_tokenizer\":" PREFIXED, "ab ", 100},
        {"", "\"pre_tokenizer\":" CUTS ",\"post_processor\":" PREFIXED, "a ", 8000},
        {",\"ignore_merges\":true", "\"pre_tokenizer\":" CUTS, "ab", 1},
        {"", COMPOSED, "ab", 70000},
        {"", COMPOSED, "e\xcc\x81", 8000},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture f;

        open_file(&f, 256, cases[i].model, cases[i].members);
        CHECK(rule_of(&f) != 0);
        for (int offsets = 0; offsets < 2; offsets++)
            CHECK(fail_everywhere(&f, cases[i].unit, cases[i].count, offsets) > 0);
        close_fixture(&f);
    }
}

/* Words of few and many tokens where the list of tokens is full. */
static void
test_full_list(void)
{
    fixture f;

    open_file(&f, 256, "", "\"pre_tokenizer\":" CUTS);
    for (size_t count = 60; count < 70; count++) {
        fail_everywhere(&f, " x", count, true);
        fail_everywhere(&f, "xyz", count / 3, true);
    }
    close_fixture(&f);
}

/* The image of a byte-level tokenizer may find no room, and compiling be cancelled, anywhere. */
static void
test_compile_faults(void)
{
    const lm_json *root = NULL;
    lm_status status = LM_NO_MEMORY;
    size_t size = 0;
    lm_buffer json;
    fixture f;

    open_empty(&f);
    lm_buffer_init(&json, &f.ctx);
    write_file(&json, 256, "", COMPOSED);
    CHECK_OK(&f.ctx, lm_json_parse(&f.ctx, &f.arena, json.data, json.size, "a file", &root));
    CHECK_OK(&f.ctx, lm_tokenizer_compile(&f.ctx, root, NULL, 1000, &f.image, NULL));
    size = f.image.size;
    for (size_t room = size - 1100; status == LM_NO_MEMORY; room += 50) {
        fake_memory memory = {.fail_at = 1, .fail_on = true};
        lm_context starved;
        lm_buffer image;

        fake_context(&starved, &memory);
        image = (lm_buffer){.ctx = &starved, .data = malloc(room), .capacity = room};
        status = lm_tokenizer_compile(&f.ctx, root, NULL, 1000, &image, NULL);
        CHECK((status == LM_OK) == (room >= size));
        free(image.data);
    }
    CHECK_EQ_INT(status, LM_OK);
    lm_buffer_free(&json);
    close_fixture(&f);
}

static const unit_case cases[] = {
    {"ways_agree", test_ways_agree},
    {"segments", test_segments},
    {"long_composed_text", test_long_composed_text},
    {"faults", test_faults},
    {"full_list", test_full_list},
    {"compile_faults", test_compile_faults},
};

UNIT_MAIN(cases)
