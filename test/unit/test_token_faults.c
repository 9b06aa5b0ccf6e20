/*
 * test_token_faults.c - the compiler and the runner of tokenizers when something fails: every
 * allocation, every poll, every append to an image, on tokenizers and texts that are made so that
 * each step has its turn.
 */
#include "fake.h"
#include "unit.h"

#include "base/hash.h"
#include "base/size.h"
#include "base/utf8.h"
#include "token/image.h"
#include "token/encode_state.h"
#include "token/tokenizer.h"

#define MAX_VOCAB 40000

#define WORDPIECE(vocab)                                                                   \
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"continuing_subword_prefix\":" \
    "\"##\",\"vocab\":{\"u\":0,\"a\":1,\"##a\":2,\"b\":3,\"[\":4" vocab "}}"
#define WORDLEVEL(vocab) \
    "\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"u\",\"vocab\":{\"u\":0,\"a\":1" vocab "}}"
#define LEVEL "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true}"
#define BERT_SPLIT "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}"

/* Every part of an image: names that normalizing changes, tokens of both kinds, templates, a
 * decoder. */
static const char every_part[] = "{" WORDPIECE(
    ",\"\xc3\x89\":5") ",\"normalizer\":{\"type\":\"NFC\"}," BERT_SPLIT
                       ",\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\"},"
                       "\"added_tokens\":["
                       "{\"id\":0,\"content\":\"u\",\"normalized\":true},"
                       "{\"id\":6,\"content\":\"<s>\",\"special\":true},"
                       "{\"id\":7,\"content\":\"<e\xcc\x81>\",\"normalized\":true},"
                       "{\"id\":8,\"content\":\"<x>\",\"normalized\":false}],"
                       "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":["
                       "{\"SpecialToken\":{\"id\":\"s\"}},{\"Sequence\":{\"id\":\"A\"}}],"
                       "\"pair\":[{\"Sequence\":{\"id\":\"A\"}},{\"Sequence\":{\"id\":\"B\"}}],"
                       "\"special_tokens\":{\"s\":{\"ids\":[6]}}}}";

/* The other model, with what its trie leaves out: an id without a token, an empty token, one that
 * is added. */
static const char words_only[] =
    "{" WORDLEVEL(",\"\":2,\"b\":5") "," BERT_SPLIT
                                     ",\"added_tokens\":[{\"id\":4,\"content\":\"<x>\"}]}";

/* A model without a walk, so that the image ends with the ids of a template. */
static const char spaced[] =
    "{" WORDPIECE("") ",\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\"},"
                      "\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"u\",0],"
                      "\"sep\":[\"u\",0]}}";

/* A list with a piece twice, with bytes, with what the trie leaves out. */
#define UNIGRAM(rest)                                                                            \
    "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"byte_fallback\":true,\"vocab\":[[\"u\",0]," \
    "[\"a\",-1],[\"ab\",-2],[\"\",-3],[\"<0xE4>\",-4],[\"<0xB8>\",-4],[\"<0xAD>\",-4],[\"a\",-"  \
    "2]" rest "]},\"added_tokens\":[{\"id\":8,\"content\":\"<x>\"}]}"

/* A parsed file, and a context of its own that does not fail. */
typedef struct parsed {
    lm_context ctx;
    lm_arena arena;
    const lm_json *root;
} parsed;

static void
parse(parsed *p, const char *json)
{
    lm_context_init(&p->ctx);
    lm_arena_init(&p->arena, &p->ctx);
    p->root = NULL;
    CHECK_OK(&p->ctx,
             lm_json_parse(&p->ctx, &p->arena, json, strlen(json), "tokenizer.json", &p->root));
}

static void
unparse(parsed *p)
{
    lm_arena_free(&p->arena);
}

/* ---- Compiling ---- */

/* The image may grow to `room` bytes, behind one byte of something else. */
static lm_status
compile_into(const lm_json *root, size_t room, size_t *size)
{
    fake_memory memory = {.fail_at = 1, .fail_on = true};
    lm_context ctx, starved;
    lm_buffer image;
    lm_status status;

    lm_context_init(&ctx);
    fake_context(&starved, &memory);
    image = (lm_buffer){.ctx = &starved, .data = malloc(room), .size = 1, .capacity = room};
    image.data[0] = 'x';
    status = lm_tokenizer_compile(&ctx, root, NULL, MAX_VOCAB, &image, NULL);
    *size = image.size;
    free(image.data);
    return status;
}

/* Each append fails in turn: arrays start at multiples of 64, and end before one. */
static void
fill_image(const char *json)
{
    const size_t enough = (size_t)1 << 20;
    size_t size = 0, now, refused = 0;
    parsed p;

    parse(&p, json);
    CHECK_EQ_INT(compile_into(p.root, enough, &size), LM_OK);
    CHECK(size > 1000);
    for (size_t room = 1; room < size; room += room % LM_ALIGNMENT == 0 ? LM_ALIGNMENT - 1 : 1) {
        CHECK_EQ_INT(compile_into(p.root, room, &now), LM_NO_MEMORY);
        CHECK(now <= room);
        refused++;
        if (room % LM_ALIGNMENT == 1)
            room += LM_ALIGNMENT - 3;
    }
    CHECK(refused > 2 * size / LM_ALIGNMENT - 2);
    CHECK_EQ_INT(compile_into(p.root, size, &now), LM_OK);
    unparse(&p);
}

static void
test_full_image(void)
{
    fill_image(every_part);
    fill_image(words_only);
    fill_image(spaced);
    fill_image(UNIGRAM(""));
}

/* The last array of an image with lists of characters ends where its end is filled up. */
static void
test_end_of_image(void)
{
    static const char json[] =
        "{" WORDPIECE("") ",\"normalizer\":{\"type\":\"BertNormalizer\"}," BERT_SPLIT "}";
    size_t size = 0, now;
    parsed p;

    parse(&p, json);
    CHECK_EQ_INT(compile_into(p.root, (size_t)1 << 22, &size), LM_OK);
    CHECK_EQ_INT(compile_into(p.root, size - 1, &now), LM_NO_MEMORY);
    CHECK(now < size && now > size - LM_ALIGNMENT);
    CHECK_EQ_INT(compile_into(p.root, size, &now), LM_OK);
    unparse(&p);
}

/* Compile in a context that fails or cancels where `memory` says; nothing may stay. */
static lm_status
compile_with(const lm_json *root, fake_memory *memory)
{
    lm_context ctx;
    lm_buffer image;
    lm_status status;

    fake_context(&ctx, memory);
    lm_buffer_init(&image, &ctx);
    status = lm_tokenizer_compile(&ctx, root, NULL, MAX_VOCAB, &image, NULL);
    lm_buffer_free(&image);
    CHECK_EQ_INT(memory->live, 0);
    return status;
}

/* Every allocation fails in turn, alone; then every poll cancels. Returns the number of polls. */
static int
fail_compile(const char *json)
{
    lm_status status = LM_NO_MEMORY;
    parsed p;
    int n;

    parse(&p, json);
    for (n = 1; status == LM_NO_MEMORY; n = unit_next_fault(n)) {
        fake_memory memory = {.fail_at = n};

        status = compile_with(p.root, &memory);
    }
    CHECK_EQ_INT(status, LM_OK);
    CHECK(n > 10);
    for (n = 0, status = LM_CANCELLED; status == LM_CANCELLED; n = unit_next_fault(n)) {
        fake_memory memory = {.stop_at = n + 1};

        status = compile_with(p.root, &memory);
    }
    CHECK_EQ_INT(status, LM_OK);
    unparse(&p);
    return n;
}

#define TEN(text) text text text text text text text text text text
#define LONG TEN(TEN("ab"))
#define SPACED_REPLACE(pattern, content)                                                   \
    "{" WORDPIECE("") ",\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\"}," \
                      "\"normalizer\":{\"type\":\"Replace\",\"pattern\":" pattern          \
                      ",\"content\":\"" content "\"}}"

static void
test_small_files(void)
{
    fail_compile(every_part);
    fail_compile(words_only);
    fail_compile(spaced);
    fail_compile(UNIGRAM(""));
    /* Arguments of an operation that do not fit where they begin. */
    fail_compile(SPACED_REPLACE("{\"String\":\"" LONG "\"}", "a"));
    fail_compile(SPACED_REPLACE("{\"String\":\"a\"}", LONG));
    fail_compile(SPACED_REPLACE("{\"Regex\":\"a+\"}", LONG));
    fail_compile(
        "{" WORDPIECE("") ",\"normalizer\":null,\"pre_tokenizer\":null,\"post_processor\":null,"
                          "\"decoder\":null,\"added_tokens\":[]}");
    fail_compile(
        "{" WORDPIECE("") ",\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"u\",0],"
                          "\"sep\":[\"u\",0]}}");
}

/*
 * Names for ids from `first` on whose hashes lie side by side in a table of `slots`, and one more
 * that belongs to the first of them: its search is as long as the list.
 */
static void
append_crowd(lm_buffer *json, const char *form, int first, int count, size_t slots)
{
    char *taken = calloc((size_t)count, 1);
    int found = 0, last = -1;

    for (int i = 0; found < count || last < 0; i++) {
        char name[32];
        size_t length = (size_t)snprintf(name, sizeof name, "n%d", i);
        size_t home = lm_hash_bytes(name, length, 0) & (slots - 1);

        if (home < (size_t)count && !taken[home]) {
            taken[home] = 1;
            lm_buffer_printf(json, form, name, first + found++);
        } else if (home == 0 && found == count) {
            last = i;
            lm_buffer_printf(json, form, name, first + found);
        }
    }
    free(taken);
}

/* More than 4096 of everything that is counted to the next poll, in a vocabulary that starts so. */
static void
fail_large_vocabulary(const char *start)
{
    lm_context ctx;
    lm_buffer json;

    lm_context_init(&ctx);
    lm_buffer_init(&json, &ctx);
    CHECK_OK(&ctx, lm_buffer_append_string(&json, start));
    json.size -= 2; /* back into the vocabulary */
    append_crowd(&json, ",\"%s\":%d", 5, 4200, 16384);
    CHECK_OK(&ctx, lm_buffer_append_string(&json, "}},\"normalizer\":{\"type\":\"NFC\"}}"));
    CHECK_OK(&ctx, lm_buffer_append_byte(&json, '\0'));
    CHECK(fail_compile(json.data) > 15);
    lm_buffer_free(&json);
}

/* A list that has each of so many pieces twice: the second time it is found behind all others. */
static void
fail_large_list(void)
{
    lm_context ctx;
    lm_buffer json;

    lm_context_init(&ctx);
    lm_buffer_init(&json, &ctx);
    CHECK_OK(&ctx, lm_buffer_append_string(&json, "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,"
                                                  "\"vocab\":[[\"u\",0]"));
    for (int times = 0; times < 2; times++)
        append_crowd(&json, ",[\"%s\",%d]", 1, 4200, 32768);
    CHECK_OK(&ctx, lm_buffer_append(&json, "]}}", 4));
    CHECK(fail_compile(json.data) > 5);
    lm_buffer_free(&json);
}

static void
test_large_vocabulary(void)
{
    fail_large_list();
    fail_large_vocabulary("{" WORDPIECE(""));
    fail_large_vocabulary("{" WORDLEVEL(",\"b\":2,\"c\":3,\"d\":4"));
}

/* An id beyond all that could be stored, and an added token behind it. */
static void
test_last_id(void)
{
    static const char json[] =
        "{" WORDPIECE(",\"z\":2147483646") ",\"added_tokens\":[{\"id\":0,\"content\":\"u\"}]}";
    lm_buffer image;
    parsed p;

    parse(&p, json);
    lm_buffer_init(&image, &p.ctx);
    CHECK_EQ_INT(lm_tokenizer_compile(&p.ctx, p.root, NULL, INT32_MAX, &image, NULL), LM_TOO_LARGE);
    lm_buffer_free(&image);
    unparse(&p);
}

/* ---- Running ---- */

/* A tokenizer that was compiled without faults; the fast path may be switched off. */
typedef struct runner {
    lm_context ctx;
    lm_buffer image;
    lm_tokenizer tokenizer;
} runner;

static void
open_runner(runner *r, const char *json, bool staged)
{
    parsed p;

    memset(r, 0, sizeof *r);
    lm_context_init(&r->ctx);
    lm_buffer_init(&r->image, &r->ctx);
    parse(&p, json);
    CHECK_OK(&p.ctx, lm_tokenizer_compile(&p.ctx, p.root, NULL, MAX_VOCAB, &r->image, NULL));
    unparse(&p);
    if (staged)
        ((lm_token_image *)r->image.data)->fused.present = 0;
    CHECK_OK(&r->ctx, lm_tokenizer_bind(&r->ctx, r->image.data, r->image.size, &r->tokenizer));
}

static void
close_runner(runner *r)
{
    lm_buffer_free(&r->image);
}

/*
 * Count and tokenize a text, cut or not, and the pair of it and a short one; *tokens is the number
 * of the former's.
 */
static lm_status
run_with(const runner *r, const char *text, size_t length, int max_tokens, fake_memory *memory,
         size_t *tokens)
{
    const lm_token_options options = {
        .add_special = true, .parse_special = true, .offsets = true, .max_tokens = max_tokens};
    lm_token_scratch *scratch = NULL;
    lm_encoding out, pair;
    size_t count = 0;
    lm_context ctx;
    lm_status status;

    fake_context(&ctx, memory);
    lm_encoding_init(&out, &ctx);
    lm_encoding_init(&pair, &ctx);
    status = lm_token_scratch_create(&ctx, &scratch);
    if (status == LM_OK)
        status = lm_count_tokens(&ctx, &r->tokenizer, scratch, text, length, &options, &count);
    if (status == LM_OK)
        status = lm_tokenize(&ctx, &r->tokenizer, scratch, text, length, &options, &out);
    *tokens = out.count;
    if (status == LM_OK) {
        CHECK_EQ_INT(out.count, count);
        status =
            lm_tokenize_pair(&ctx, &r->tokenizer, scratch, text, length, "a", 1, &options, &pair);
    }
    lm_encoding_free(&out);
    lm_encoding_free(&pair);
    lm_token_scratch_free(scratch);
    CHECK_EQ_INT(memory->live, 0);
    return status;
}

/* Tokenize a text, and nothing else. */
static lm_status
run_alone(const runner *r, const char *text, size_t length, fake_memory *memory)
{
    static const lm_token_options options = {
        .add_special = true, .parse_special = true, .offsets = true};
    lm_token_scratch *scratch = NULL;
    lm_encoding out;
    lm_context ctx;
    lm_status status;

    fake_context(&ctx, memory);
    lm_encoding_init(&out, &ctx);
    status = lm_token_scratch_create(&ctx, &scratch);
    if (status == LM_OK)
        status = lm_tokenize(&ctx, &r->tokenizer, scratch, text, length, &options, &out);
    lm_encoding_free(&out);
    lm_token_scratch_free(scratch);
    return status;
}

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

static void
fail_allocations(const runner *r, const char *unit, size_t count)
{
    lm_status status = LM_NO_MEMORY;
    size_t length, tokens;
    char *text = repeat(unit, count, &length);
    int n;

    for (n = 1; status == LM_NO_MEMORY; n = unit_next_fault(n)) {
        fake_memory memory = {.fail_at = n};

        status = run_with(r, text, length, 0, &memory, &tokens);
    }
    CHECK_EQ_INT(status, LM_OK);
    CHECK(n > 5);
    free(text);
}

/* Every poll before the text is cut; returns how many there were. */
static int
fail_polls(const runner *r, const char *unit, size_t count)
{
    lm_status status = LM_CANCELLED;
    size_t length, tokens;
    char *text = repeat(unit, count, &length);
    int n;

    for (n = 0; status == LM_CANCELLED; n = unit_next_fault(n)) {
        fake_memory memory = {.stop_at = n + 1};

        status = run_with(r, text, length, 8, &memory, &tokens);
    }
    CHECK_EQ_INT(status, LM_OK);
    free(text);
    return n;
}

/* Each normalizer with a text that it makes longer or marks that it sorts; each pre-tokenizer. */
static void
test_stages(void)
{
    static const struct {
        const char *json, *unit;
    } stages[] = {
        {"{" WORDPIECE("") ",\"normalizer\":{\"type\":\"Lowercase\"}," BERT_SPLIT "}", "\xc4\xb0"},
        {"{" WORDPIECE("") ",\"normalizer\":{\"type\":\"StripAccents\"}," BERT_SPLIT "}",
         "a\xcc\x81,"},
        {"{" WORDPIECE("") ",\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":false,"
                           "\"clean_text\":false}," BERT_SPLIT "}",
         "\xe4\xb8\xad"},
        {"{" WORDPIECE("") ",\"normalizer\":{\"type\":\"BertNormalizer\"},\"pre_tokenizer\":{"
                           "\"type\":\"Whitespace\"}}",
         "\xc3\xa9,b "},
        {"{" WORDPIECE("") ",\"normalizer\":{\"type\":\"NFD\"},\"pre_tokenizer\":{\"type\":"
                           "\"WhitespaceSplit\"}}",
         "\xc3\xa9 "},
        {"{" WORDPIECE("") ",\"normalizer\":{\"type\":\"NFKD\"},\"pre_tokenizer\":{\"type\":"
                           "\"Punctuation\"}}",
         "\xc2\xbd"},
        {"{" WORDPIECE("") ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":"
                           "\"b+\"},\"behavior\":\"MergedWithNext\"}}",
         "ab "},
        {"{" WORDPIECE("") ",\"pre_tokenizer\":{\"type\":\"Digits\",\"individual_digits\":"
                           "false}}",
         "a1"},
        {"{" WORDPIECE("") ",\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"}}", "a1"},
        {"{" WORDPIECE("") ",\"pre_tokenizer\":{\"type\":\"FixedLength\"}}", "ab"},
        {"{" WORDPIECE("") ",\"normalizer\":{\"type\":\"NFC\"}," BERT_SPLIT "}", "e\xcc\x81 "},
        {"{" WORDPIECE("") ",\"normalizer\":{\"type\":\"NFKC\"}," BERT_SPLIT "}", "\xc2\xbd "},
        {"{" WORDPIECE("") ",\"normalizer\":{\"type\":\"NFD\"}}", "\xcc\x81"},
        {"{" WORDPIECE("") ",\"normalizer\":{\"type\":\"NFC\"}}", "\xcc\x81\xcc\xa3"},
        {"{" WORDPIECE("") ",\"normalizer\":{\"type\":\"BertNormalizer\"}}", "\xc3\xa9"},
        {"{" WORDPIECE("") ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\"b\"},"
                           "\"content\":\"aa\"}}",
         "ab"},
        {"{" WORDPIECE("") ",\"normalizer\":{\"type\":\"Prepend\",\"prepend\":\"ab\"}}", "a"},
        {"{" WORDPIECE("") ",\"normalizer\":{\"type\":\"Strip\",\"strip_left\":true,"
                           "\"strip_right\":true}}",
         "\t"},
        {"{" WORDPIECE("") ",\"normalizer\":{\"type\":\"Nmt\"}}", "a\t\x01"},
        {"{" WORDPIECE("") ",\"normalizer\":{\"type\":\"ByteLevel\"}}", "\xe4\xb8\xad"},
        {"{" WORDPIECE("") ",\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[" LEVEL
                           "," LEVEL "]},\"post_processor\":" LEVEL "}",
         "a\xe4\xb8\xad"},
        {"{" WORDPIECE("") ",\"pre_tokenizer\":" LEVEL ",\"post_processor\":" LEVEL "}", " b  "},
        {"{" WORDPIECE("") ",\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\"}}",
         "a "},
        {"{" WORDPIECE("") ",\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\","
                           "\"split\":false}}",
         "a"},
        {"{" WORDPIECE("") "}", "a"},
        {"{" WORDPIECE("") ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"b+\"},"
                           "\"content\":\"aa\"}}",
         "ab"},
        {UNIGRAM(""), "ab"},
        {UNIGRAM(""), "\xe4\xb8\xad"},
        {UNIGRAM(""), "\xc3\xa9"},
    };

    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
        runner r;

        open_runner(&r, stages[i].json, true);
        fail_allocations(&r, stages[i].unit, 300);
        CHECK(fail_polls(&r, stages[i].unit,
                         66000 / lm_utf8_count(stages[i].unit, strlen(stages[i].unit))) > 4);
        close_runner(&r);
    }
}

/* Many marks on one letter are sorted in memory of their own. */
static void
test_many_marks(void)
{
    static const char *const forms[] = {"NFD", "NFKD", "NFC", "NFKC"};

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char json[400], unit[64] = "a";
        runner r;

        for (int mark = 0; mark < 20; mark++)
            strcat(unit, mark % 2 ? "\xcc\x81" : "\xcc\xa3");
        snprintf(json, sizeof json, "{" WORDPIECE("") ",\"normalizer\":{\"type\":\"%s\"}}",
                 forms[i]);
        open_runner(&r, json, true);
        fail_allocations(&r, unit, 3);
        close_runner(&r);
    }
}

#define SPACED                                                                                    \
    "{" WORDPIECE(                                                                                \
        "") ",\"added_tokens\":[{\"id\":5,\"content\":\"<l>\",\"special\":true,\"lstrip\":true}," \
            "{\"id\":6,\"content\":\"<r>\",\"special\":true,\"rstrip\":true},"                    \
            "{\"id\":7,\"content\":\" \",\"special\":true,\"lstrip\":true}]," BERT_SPLIT "}"

/* White space beside a token, long enough for polls. */
static void
test_wide_space(void)
{
    const size_t spaces = 140000;
    char *text = malloc(spaces + 4);
    runner r;

    open_runner(&r, SPACED, false);
    memset(text, '\t', spaces + 3);
    text[spaces + 3] = '\0';
    memcpy(text, "<r>", 3);
    CHECK(fail_polls(&r, text, 1) > 4);
    memset(text, '\t', 3);
    memcpy(text + spaces, "<l>", 3);
    CHECK(fail_polls(&r, text, 1) > 4);
    close_runner(&r);
    free(text);
}

/* A token whose place an earlier one took with its white space is none. */
static void
test_taken_token(void)
{
    fake_memory memory = {0};
    size_t tokens;
    runner r;

    open_runner(&r, SPACED, false);
    CHECK_EQ_INT(run_with(&r, "<r> ", 4, 0, &memory, &tokens), LM_OK);
    CHECK_EQ_INT(tokens, 1);
    CHECK_EQ_INT(run_with(&r, "<r>a ", 5, 0, &memory, &tokens), LM_OK);
    CHECK_EQ_INT(tokens, 3);
    fail_allocations(&r, "<l>", 100);
    close_runner(&r);
    open_runner(&r,
                "{" WORDPIECE("") ",\"normalizer\":{\"type\":\"NFC\"},\"added_tokens\":[{\"id\":5,"
                                  "\"content\":\"<n>\",\"normalized\":true}]}",
                false);
    fail_allocations(&r, "a<n>", 100);
    close_runner(&r);
}

/* So many tokens that they are copied in pieces: the last poll is between two of them. */
static void
test_a_million_tokens(void)
{
    fake_memory memory = {0};
    size_t length, tokens;
    char *text = repeat("[", ((size_t)1 << 20) + 10, &length);
    runner r;

    open_runner(&r, "{" WORDPIECE("") "," BERT_SPLIT "}", false);
    CHECK_EQ_INT(run_with(&r, text, length, 0, &memory, &tokens), LM_OK);
    CHECK_EQ_INT(tokens, length);
    memory = (fake_memory){.stop_at = 1};
    CHECK_EQ_INT(run_with(&r, text, length, 0, &memory, &tokens), LM_CANCELLED);
    memory = (fake_memory){0};
    CHECK_EQ_INT(run_with(&r, text, length, 0, &memory, &tokens), LM_OK);
    memory = (fake_memory){.stop_at = memory.polls};
    CHECK_EQ_INT(run_with(&r, text, length, 0, &memory, &tokens), LM_CANCELLED);
    /* The last look is between tokens that are marked. */
    memory = (fake_memory){0};
    CHECK_EQ_INT(run_alone(&r, text, length, &memory), LM_OK);
    memory = (fake_memory){.stop_at = memory.polls};
    CHECK_EQ_INT(run_alone(&r, text, length, &memory), LM_CANCELLED);
    close_runner(&r);
    free(text);
}

/* A special token after as many tokens as there is room for at first. */
static void
test_full_before_special(void)
{
    runner r;

    open_runner(&r,
                "{" WORDPIECE("") "," BERT_SPLIT ",\"post_processor\":{\"type\":\"BertProcessing\","
                                  "\"cls\":[\"u\",0],\"sep\":[\"u\",0]}}",
                false);
    fail_allocations(&r, "[", 63);
    close_runner(&r);
}

/* Either text of a pair may be wrong, and the window too small for the template. */
static void
test_bad_pairs(void)
{
    static const lm_token_options options = {.add_special = true,
                                             .parse_special = true,
                                             .offsets = true},
                                  narrow = {.add_special = true,
                                            .parse_special = true,
                                            .offsets = true,
                                            .max_tokens = 1},
                                  plain = {.parse_special = true};
    lm_token_scratch *scratch = NULL;
    lm_encoding out;
    size_t count;
    runner r;

    open_runner(
        &r,
        "{" WORDPIECE("") ",\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"u\",0],"
                          "\"sep\":[\"u\",0]}}",
        false);
    lm_encoding_init(&out, &r.ctx);
    CHECK_OK(&r.ctx, lm_token_scratch_create(&r.ctx, &scratch));
    CHECK_EQ_INT(lm_tokenize_pair(&r.ctx, &r.tokenizer, scratch, "\xff", 1, "b", 1, &options, &out),
                 LM_BAD_TEXT);
    CHECK_EQ_INT(lm_tokenize_pair(&r.ctx, &r.tokenizer, scratch, "a", 1, "\xff", 1, &options, &out),
                 LM_BAD_TEXT);
    CHECK_EQ_INT(lm_tokenize_pair(&r.ctx, &r.tokenizer, scratch, "a", 1, "b", 1, &narrow, &out),
                 LM_BAD_ARGUMENT);
    CHECK_OK(&r.ctx,
             lm_tokenize_pair(&r.ctx, &r.tokenizer, scratch, "a", 1, "b", 1, &options, &out));
    CHECK_EQ_INT(out.count, 5);
    CHECK_OK(&r.ctx, lm_tokenize_pair(&r.ctx, &r.tokenizer, scratch, "a", 1, "b", 1, &plain, &out));
    CHECK_EQ_INT(out.count, 2);
    CHECK_EQ_INT(lm_count_tokens(&r.ctx, &r.tokenizer, scratch, "\xff", 1, &plain, &count),
                 LM_BAD_TEXT);
    lm_encoding_free(&out);
    lm_token_scratch_free(scratch);
    close_runner(&r);
}

/* ---- Decoding ---- */

static lm_status
decode_into(const runner *r, const int32_t *ids, size_t count, fake_memory *memory, size_t room)
{
    fake_memory none = {.fail_at = 1, .fail_on = true};
    lm_context ctx, starved;
    lm_buffer out;
    lm_status status;

    fake_context(&ctx, memory);
    fake_context(&starved, &none);
    out = (lm_buffer){.ctx = &starved, .data = malloc(room + 1), .capacity = room};
    status = lm_detokenize(&ctx, &r->tokenizer, ids, count, false, &out);
    free(out.data);
    return status;
}

/* "a", "##a", "b": each append finds no room in turn, then the poll cancels. */
static void
test_decoding(void)
{
    static const int32_t ids[] = {1, 2, 3};
    static const struct {
        const char *json;
        size_t size;
    } decoders[] = {
        {"{" WORDPIECE("") "}", 7},
        {"{" WORDPIECE(
             "") ",\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":false}}",
         4}};

    for (size_t i = 0; i < sizeof decoders / sizeof decoders[0]; i++) {
        fake_memory memory = {0}, cancelled = {.stop_at = 1};
        runner r;

        open_runner(&r, decoders[i].json, false);
        for (size_t room = 0; room < decoders[i].size; room++)
            CHECK_EQ_INT(decode_into(&r, ids, 3, &memory, room), LM_NO_MEMORY);
        CHECK_EQ_INT(decode_into(&r, ids, 3, &memory, decoders[i].size), LM_OK);
        CHECK_EQ_INT(decode_into(&r, ids, 3, &cancelled, 100), LM_CANCELLED);
        close_runner(&r);
    }
}

/* Every allocation fails in turn, alone; then every poll cancels. The output has room. */
static void
fail_decoding(const runner *r, const int32_t *ids, size_t count)
{
    const size_t room = 3 * count;
    lm_status status = LM_NO_MEMORY;
    int n;

    for (n = 1; status == LM_NO_MEMORY; n = unit_next_fault(n)) {
        fake_memory memory = {.fail_at = n};

        status = decode_into(r, ids, count, &memory, room);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
    CHECK(n > 10);
    for (n = 0, status = LM_CANCELLED; status == LM_CANCELLED; n = unit_next_fault(n)) {
        fake_memory memory = {.stop_at = n + 1};

        status = decode_into(r, ids, count, &memory, room);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
    CHECK(n > 4);
}

#define DECODER(decoder) "{" WORDPIECE(",\"bb\":5") ",\"decoder\":" decoder "}"

/*
 * Buffers double from 256 bytes on. With a space before each letter but the first one a space meets
 * the end where the first token has two letters, else a letter does.
 */
static void
test_long_decoding(void)
{
    static const char *const decoders[] = {
        "{" WORDPIECE(",\"bb\":5") "}",
        "{" WORDPIECE(",\"bb\":5") ",\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\"}}",
        DECODER(LEVEL),
        DECODER("{\"type\":\"ByteFallback\"}"),
        DECODER("{\"type\":\"Metaspace\",\"replacement\":\"b\"}"),
        DECODER("{\"type\":\"BPEDecoder\",\"suffix\":\"b\"}"),
        DECODER("{\"type\":\"Strip\",\"content\":\"b\",\"start\":0,\"stop\":1}"),
        DECODER("{\"type\":\"Replace\",\"pattern\":{\"String\":\"b\"},\"content\":\"ab\"}"),
        DECODER("{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"WordPiece\",\"prefix\":\"a\","
                "\"cleanup\":false},{\"type\":\"CTC\",\"pad_token\":\"a\",\"word_delimiter_token\":"
                "\"b\",\"cleanup\":true},{\"type\":\"Fuse\"}]}")};
    enum { COUNT = 5000 };
    static int32_t ids[COUNT];

    for (size_t i = 0; i < sizeof decoders / sizeof decoders[0]; i++)
        for (int32_t first = 3; first <= 5; first += 2) {
            runner r;

            for (size_t k = 0; k < COUNT; k++)
                ids[k] = k == 0 ? first : 3;
            open_runner(&r, decoders[i], false);
            fail_decoding(&r, ids, COUNT);
            close_runner(&r);
        }
}

/* Room for more than a size can say is refused before anything grows. */
static void
test_too_long(void)
{
    fake_memory memory = {0};
    lm_chars chars = {.count = SIZE_MAX / 2};
    lm_encoding encoding;
    lm_buffer out;
    lm_context ctx;

    fake_context(&ctx, &memory);
    lm_encoding_init(&encoding, &ctx);
    lm_buffer_init(&out, &ctx);
    CHECK_EQ_INT(lm_encoding_reserve(&encoding, SIZE_MAX), LM_TOO_LARGE);
    encoding.capacity = SIZE_MAX / 32; /* where twice as much is no longer what grows */
    CHECK_EQ_INT(lm_encoding_reserve(&encoding, SIZE_MAX / 2), LM_TOO_LARGE);
    CHECK_EQ_INT(lm_chars_reserve(&ctx, &chars, SIZE_MAX), LM_TOO_LARGE);
    CHECK_EQ_INT(lm_chars_encode(&ctx, &chars, &out), LM_TOO_LARGE);
    CHECK_STR(ctx.error.message, "the text is too long");
    CHECK_EQ_INT(memory.calls, 0);
}

static const unit_case cases[] = {
    {"full_image", test_full_image},
    {"end_of_image", test_end_of_image},
    {"small_files", test_small_files},
    {"large_vocabulary", test_large_vocabulary},
    {"last_id", test_last_id},
    {"stages", test_stages},
    {"many_marks", test_many_marks},
    {"wide_space", test_wide_space},
    {"taken_token", test_taken_token},
    {"a_million_tokens", test_a_million_tokens},
    {"full_before_special", test_full_before_special},
    {"bad_pairs", test_bad_pairs},
    {"decoding", test_decoding},
    {"long_decoding", test_long_decoding},
    {"too_long", test_too_long},
};

UNIT_MAIN(cases)
