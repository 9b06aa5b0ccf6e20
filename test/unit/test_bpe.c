/*
 * test_bpe.c - the model BPE: what it refuses, merges in every order, its two ways of merging,
 * words of any length in counted steps, and the cache of words. What the library makes of texts is
 * test_tokenizer.c's.
 */
#include "fake.h"
#include "tokenizer.h"
#include "base/rng.h"
#include "base/unicode.h"
#include "base/unicode_data.h"
#include "token/bpe.h"
#include "token/composed.h"

#define BPE(members) "{\"model\":{\"type\":\"BPE\"" members "}}"
#define VOCAB ",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"aba\":3,\"##b\":4,\"<0x61>\":5}"

/* ---------------------------------------------------------------- what is refused */

static const struct {
    const char *json;
    lm_status status;
    const char *key, *found;
} bad_files[] = {
    {BPE(""), LM_BAD_MODEL, "model.vocab", "nothing"},
    {BPE(VOCAB), LM_BAD_MODEL, "model.merges", "nothing"},
    {BPE(VOCAB ",\"merges\":{}"), LM_BAD_MODEL, "model.merges", "an object"},
    {BPE(VOCAB ",\"merges\":[\"a b\",\"a\"]"), LM_BAD_MODEL, "model.merges.1", "\"a\""},
    {BPE(VOCAB ",\"merges\":[\"a b a\"]"), LM_BAD_MODEL, "model.merges.0", "\"a b a\""},
    {BPE(VOCAB ",\"merges\":[\"a b\",[\"ab\",\"a\"]]"), LM_BAD_MODEL, "model.merges.1", "[\"ab\""},
    {BPE(VOCAB ",\"merges\":[[\"a\",\"b\"],\"ab a\"]"), LM_BAD_MODEL, "model.merges.1", "\"ab a\""},
    {BPE(VOCAB ",\"merges\":[[\"a\"]]"), LM_BAD_MODEL, "model.merges.0", "[\"a\"]"},
    {BPE(VOCAB ",\"merges\":[[\"a\",\"b\",\"a\"]]"), LM_BAD_MODEL, "model.merges.0", "[\"a\""},
    {BPE(VOCAB ",\"merges\":[[\"a\",7]]"), LM_BAD_MODEL, "model.merges.0", "[\"a\",7]"},
    {BPE(VOCAB ",\"merges\":[7]"), LM_BAD_MODEL, "model.merges.0", "7"},
    {BPE(VOCAB ",\"merges\":[[\"#version: 0.2\"]]"), LM_BAD_MODEL, "model.merges.0", "["},
    {BPE(VOCAB ",\"merges\":[\"x b\"]"), LM_BAD_MODEL, "model.merges.0", "\"x b\""},
    {BPE(VOCAB ",\"merges\":[\"a x\"]"), LM_BAD_MODEL, "model.merges.0", "\"a x\""},
    {BPE(VOCAB ",\"merges\":[\"b a\"]"), LM_BAD_MODEL, "model.merges.0", "\"b a\""},
    {BPE(VOCAB ",\"merges\":[\"a b\"],\"continuing_subword_prefix\":\"##\""), LM_BAD_MODEL,
     "model.merges.0", "\"a b\""},
    {BPE(VOCAB ",\"merges\":[],\"unk_token\":\"x\""), LM_BAD_MODEL, "model.unk_token", "\"x\""},
    {BPE(VOCAB ",\"merges\":[],\"unk_token\":0"), LM_BAD_MODEL, "model.unk_token", "0"},
    {BPE(VOCAB ",\"merges\":[],\"dropout\":0.1"), LM_UNSUPPORTED, "model.dropout", "0.1"},
    {BPE(VOCAB ",\"merges\":[],\"dropout\":\"0\""), LM_BAD_MODEL, "model.dropout", "\"0\""},
    {BPE(VOCAB ",\"merges\":[],\"fuse_unk\":1"), LM_BAD_MODEL, "model.fuse_unk", "1"},
    {BPE(VOCAB ",\"merges\":[],\"end_of_word_suffix\":1"), LM_BAD_MODEL, "model.end_of_word_suffix",
     "1"},
    {BPE(VOCAB ",\"merges\":[],\"continuing_subword_prefix\":[]"), LM_BAD_MODEL,
     "model.continuing_subword_prefix", "an array"},
    {BPE(VOCAB ",\"merges\":[],\"byte_fallback\":true,\"end_of_word_suffix\":\"x\""),
     LM_UNSUPPORTED, "model.byte_fallback", "true"},
};

static void
test_refusals(void)
{
    for (size_t i = 0; i < sizeof bad_files / sizeof bad_files[0]; i++) {
        fixture f;

        open_empty(&f);
        CHECK_EQ_INT(compile_json(&f, bad_files[i].json, strlen(bad_files[i].json), NULL, 100),
                     bad_files[i].status);
        CHECK_STR(f.ctx.error.key, bad_files[i].key);
        if (strncmp(f.ctx.error.found, bad_files[i].found, strlen(bad_files[i].found)) != 0)
            UNIT_FAIL("%s: found %s", bad_files[i].json, f.ctx.error.found);
        close_fixture(&f);
    }
}

/* ---------------------------------------------------------------- merges */

static void
open_json(fixture *f, const char *json)
{
    open_empty(f);
    CHECK_OK(&f->ctx, compile_json(f, json, strlen(json), NULL, 5000));
    CHECK_OK(&f->ctx, lm_tokenizer_bind(&f->ctx, f->image.data, f->image.size, &f->tokenizer));
}

/* The tokens of a text as "id:start-stop …". */
static void
check_tokens(fixture *f, const char *text, const char *wanted)
{
    char got[400] = "";
    size_t used = 0;

    encode(f, text, strlen(text), &everything);
    for (size_t i = 0; i < f->out.count && used < sizeof got; i++)
        used += (size_t)snprintf(got + used, sizeof got - used, "%s%d:%d-%d", i > 0 ? " " : "",
                                 f->out.ids[i], f->out.start[i], f->out.stop[i]);
    CHECK_STR(got, wanted);
}

#define LETTERS                                                                          \
    ",\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"bc\":4,\"abc\":5,\"aa\":6,\"##\":7," \
    "\"<u>\":8}"

static const struct {
    const char *model, *text, *wanted;
} merged[] = {
    {LETTERS ",\"merges\":[\"a b\",\"b c\",\"ab c\"]", "abc", "5:0-3"},
    {LETTERS ",\"merges\":[[\"b\",\"c\"],[\"a\",\"b\"],[\"ab\",\"c\"]]", "abc", "0:0-1 4:1-3"},
    /* A comment takes no rank; a pair that comes twice keeps its last one. */
    {LETTERS ",\"merges\":[\"#version: 0.2\",\"a b\",\"b c\",\"a b\"]", "abc", "0:0-1 4:1-3"},
    {LETTERS ",\"merges\":[\"a a\"]", "aaa", "6:0-2 0:2-3"},
    {LETTERS ",\"merges\":[]", "ab", "0:0-1 1:1-2"},
    /* No token at all: what follows moves to the place of what is left out, as in the reference. */
    {LETTERS ",\"merges\":[\"a b\"]", "xxab", "3:0-2"},
    {LETTERS ",\"merges\":[],\"unk_token\":\"<u>\"", "xxa", "8:0-1 8:1-2 0:2-3"},
    {LETTERS ",\"merges\":[],\"unk_token\":\"<u>\",\"fuse_unk\":true", "xxa", "8:0-2 0:2-3"},
    {LETTERS ",\"merges\":[],\"ignore_merges\":true", "abc", "5:0-3"},
    {LETTERS ",\"merges\":[],\"ignore_merges\":true", "abca", "0:0-1 1:1-2 2:2-3 0:3-4"},
};

static void
test_merges(void)
{
    for (size_t i = 0; i < sizeof merged / sizeof merged[0]; i++) {
        char json[600];
        fixture f;

        snprintf(json, sizeof json, BPE("%s"), merged[i].model);
        open_json(&f, json);
        check_tokens(&f, merged[i].text, merged[i].wanted);
        check_tokens(&f, merged[i].text, merged[i].wanted); /* from the cache */
        close_fixture(&f);
    }
}

/* A vocabulary of all words of a and b of at most 4 letters, with every merge in a mixed order. */
static void
open_all_merges(fixture *f, uint64_t seed)
{
    lm_buffer json;
    lm_rng rng;
    int order[100], count = 0;
    char parts[100][16];

    lm_rng_seed(&rng, seed);
    open_empty(f);
    lm_buffer_init(&json, &f->ctx);
    lm_buffer_append_string(&json, "{\"model\":{\"type\":\"BPE\",\"vocab\":{");
    for (int length = 1, id = 0; length <= 4; length++)
        for (int bits = 0; bits < 1 << length; bits++, id++) {
            char word[5] = "";

            for (int k = 0; k < length; k++)
                word[k] = bits >> k & 1 ? 'b' : 'a';
            lm_buffer_printf(&json, "%s\"%s\":%d", id > 0 ? "," : "", word, id);
            for (int cut = 1; cut < length; cut++)
                snprintf(parts[count++], sizeof parts[0], "%.*s %s", cut, word, word + cut);
        }
    for (int i = 0; i < count; i++) {
        int other = (int)lm_rng_below(&rng, (uint64_t)i + 1);

        order[i] = order[other];
        order[other] = i;
    }
    lm_buffer_append_string(&json, "},\"merges\":[");
    for (int i = 0; i < count; i++)
        lm_buffer_printf(&json, "%s\"%s\"", i > 0 ? "," : "", parts[order[i]]);
    lm_buffer_append_string(&json, "]}}");
    CHECK_OK(&f->ctx, compile_json(f, json.data, json.size, NULL, 5000));
    CHECK_OK(&f->ctx, lm_tokenizer_bind(&f->ctx, f->image.data, f->image.size, &f->tokenizer));
    lm_buffer_free(&json);
}

/* The heap serves words of any length; short ones have a way of their own. */
static void
test_ways_agree(void)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        lm_tokenizer heaped;
        lm_token_image *copy;
        lm_encoding other;
        lm_rng rng;
        fixture f;

        open_all_merges(&f, seed);
        copy = aligned_alloc(LM_ALIGNMENT, lm_align_up(f.image.size));
        memcpy(copy, f.image.data, f.image.size);
        ((lm_bpe *)(uintptr_t)lm_image_at(copy, copy->settings))->flags |= LM_BPE_EMPTY_RIGHT;
        CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, copy, f.image.size, &heaped));
        lm_encoding_init(&other, &f.ctx);
        lm_rng_seed(&rng, seed);
        for (int n = 0; n < 300; n++) {
            char word[32];
            size_t length = 1 + lm_rng_below(&rng, sizeof word);

            for (size_t i = 0; i < length; i++)
                word[i] = lm_rng_below(&rng, 3) == 0 ? 'b' : 'a';
            encode(&f, word, length, &everything);
            CHECK_OK(&f.ctx,
                     lm_tokenize(&f.ctx, &heaped, f.scratch, word, length, &everything, &other));
            CHECK_EQ_INT(other.count, f.out.count);
            CHECK(memcmp(other.ids, f.out.ids, f.out.count * sizeof *other.ids) == 0);
            CHECK(memcmp(other.stop, f.out.stop, f.out.count * sizeof *other.stop) == 0);
        }
        lm_encoding_free(&other);
        free(copy);
        close_fixture(&f);
    }
}

/* ---------------------------------------------------------------- hostile words */

static bool
count_poll(void *opaque)
{
    ++*(long *)opaque;
    return false;
}

/* Polls come after a number of steps, so they count the steps. */
static long
steps_of(fixture *f, const char *unit, size_t length)
{
    char *word = malloc(length);
    long polls = 0;

    for (size_t at = 0; at < length; at++)
        word[at] = unit[at % strlen(unit)];
    f->ctx.cancelled = count_poll;
    f->ctx.opaque = &polls;
    encode(f, word, length, &everything);
    f->ctx.cancelled = NULL;
    free(word);
    return polls;
}

static void
test_hostile_words(void)
{
    static const char *const units[] = {"a", "b", "ab", "abb", "aab", "abaabbb"};

    for (uint64_t seed = 0; seed < 4; seed++) {
        fixture f;

        open_all_merges(&f, seed);
        for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
            const size_t length = (size_t)1 << 20;
            const long polls = steps_of(&f, units[i], length);

            /* Fewer than 16 steps a letter, each a few comparisons of a heap. */
            if (polls < 16 || polls > (long)(16 * length / LM_STEPS_PER_POLL))
                UNIT_FAIL("%ld polls over \"%s\"", polls, units[i]);
        }
        close_fixture(&f);
    }
}

/* ---------------------------------------------------------------- the cache */

/* Two tokenizers take turns at one address and with one scratch. */
static void
test_cache_is_of_one(void)
{
    static const char *const files[] = {
        BPE(",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]"),
        BPE(",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[]"),
    };
    fixture f;

    open_empty(&f);
    for (int round = 0; round < 4; round++) {
        const char *json = files[round % 2];

        f.image.size = 0;
        CHECK_OK(&f.ctx, compile_json(&f, json, strlen(json), NULL, 5000));
        CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
        check_tokens(&f, "ab", round % 2 == 0 ? "2:0-2" : "0:0-1 1:1-2");
    }
    close_fixture(&f);
}

/* More words than the cache has places: what it forgets is found again. */
static void
test_cache_forgets(void)
{
    fixture f;
    lm_rng rng;

    open_all_merges(&f, 3);
    for (int round = 0; round < 2; round++) {
        uint64_t hash = 0;
        static uint64_t first;

        lm_rng_seed(&rng, 7);
        for (int n = 0; n < 40000; n++) {
            char word[24];
            size_t length = 1 + lm_rng_below(&rng, sizeof word);

            for (size_t i = 0; i < length; i++)
                word[i] = lm_rng_below(&rng, 2) == 0 ? 'b' : 'a';
            encode(&f, word, length, &everything);
            for (size_t i = 0; i < f.out.count; i++)
                hash = hash * 31 + (uint64_t)f.out.ids[i] + 1;
        }
        CHECK(round == 0 || hash == first);
        first = hash;
    }
    CHECK(lm_token_scratch_bytes(f.scratch) < (size_t)6 << 20);
    lm_token_scratch_clear(f.scratch);
    CHECK_EQ_INT(lm_token_scratch_bytes(f.scratch), 0);
    close_fixture(&f);
}

/* ---------------------------------------------------------------- large files */

/* As many merges as there may be, and one more: none is found by its place. */
static void
test_many_merges(void)
{
    const int letters = 700;
    lm_buffer json;
    fixture f;

    open_empty(&f);
    lm_buffer_init(&json, &f.ctx);
    lm_buffer_append_string(&json, "{\"model\":{\"type\":\"BPE\",\"vocab\":{");
    for (int i = 0; i < letters; i++)
        lm_buffer_printf(&json, "\"\\u%04x\":%d,", 0x4e00 + i, i);
    for (int i = 0; i < letters * letters; i++)
        lm_buffer_printf(&json, "%s\"\\u%04x\\u%04x\":%d", i > 0 ? "," : "", 0x4e00 + i / letters,
                         0x4e00 + i % letters, letters + i);
    lm_buffer_append_string(&json, "},\"merges\":[");
    for (int i = 0; i < letters * letters; i++)
        lm_buffer_printf(&json, "%s\"\\u%04x \\u%04x\"", i > 0 ? "," : "", 0x4e00 + i / letters,
                         0x4e00 + i % letters);
    lm_buffer_append_string(&json, "]}}");
    CHECK_OK(&f.ctx, compile_json(&f, json.data, json.size, NULL, 1 << 20));
    CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
    check_tokens(&f, "\xe4\xb8\x83\xe4\xb8\x80\xe4\xb8\x81", "3:0-1 701:1-3");
    lm_buffer_free(&json);
    close_fixture(&f);
}

/* ---------------------------------------------------------------- faults */

static const char *const older_vocab = "[\"[PAD]\",\"[UNK]\",\"[CLS]\",\"[SEP]\",\"[MASK]\",\"a\"]";

/* The tokenizer of a folder, which is compiled and reads a long and a short word. */
static lm_status
make_and_run(lm_context *ctx, lm_arena *arena, const lm_tokenizer_files *given)
{
    static const char text[] = "ab aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
    lm_tokenizer_files files = *given;
    lm_token_scratch *scratch = NULL;
    lm_tokenizer tokenizer;
    lm_encoding out;
    lm_buffer image;
    lm_status status = lm_tokenizer_from_older(ctx, arena, &files);

    lm_buffer_init(&image, ctx);
    lm_encoding_init(&out, ctx);
    if (status == LM_OK)
        status = lm_tokenizer_compile_files(ctx, &files, 1000, &image, NULL);
    if (status == LM_OK)
        status = lm_tokenizer_bind(ctx, image.data, image.size, &tokenizer);
    if (status == LM_OK)
        status = lm_token_scratch_create(ctx, &scratch);
    if (status == LM_OK)
        status = lm_tokenize(ctx, &tokenizer, scratch, text, strlen(text), &everything, &out);
    lm_token_scratch_free(scratch);
    lm_encoding_free(&out);
    lm_buffer_free(&image);
    return status;
}

/* Each allocation fails in turn, then each poll cancels: a status, and nothing left behind. */
static void
check_faults(const lm_tokenizer_files *files)
{
    for (int kind = 0; kind < 2; kind++) {
        lm_status status = LM_NO_MEMORY;
        int at = 0;

        while (status != LM_OK && at < 5000) {
            fake_memory memory = {0};
            lm_context ctx;
            lm_arena arena;

            at++;
            *(kind == 0 ? &memory.fail_at : &memory.stop_at) = at;
            fake_context(&ctx, &memory);
            lm_arena_init(&arena, &ctx);
            status = make_and_run(&ctx, &arena, files);
            lm_arena_free(&arena);
            CHECK_EQ_INT(memory.live, 0);
            CHECK(status == LM_OK || status == (kind == 0 ? LM_NO_MEMORY : LM_CANCELLED));
        }
        CHECK(at > 5 && at < 5000);
    }
}

static const lm_json *
parse_text(fixture *f, const char *text)
{
    const lm_json *json = NULL;

    CHECK_OK(&f->ctx, lm_json_parse(&f->ctx, &f->arena, text, strlen(text), "a file", &json));
    return json;
}

static void
test_faults(void)
{
    lm_tokenizer_files files = {0};
    fixture f;

    open_empty(&f);
    files.tokenizer =
        parse_text(&f, "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"aa\":3},"
                       "\"merges\":[\"a b\",\"a a\"]},\"pre_tokenizer\":{\"type\":"
                       "\"WhitespaceSplit\"}}");
    check_faults(&files);
    files = (lm_tokenizer_files){.vocab_lines = parse_text(&f, older_vocab)};
    files.model_config = parse_text(&f, "{\"model_type\":\"bert\"}");
    files.added = parse_text(&f, "{\"<new>\":6}");
    check_faults(&files);
    close_fixture(&f);
}

/* ---------------------------------------------------------------- normal form C */

static bool
is_composed_alone(uint32_t c)
{
    uint32_t out[LM_UNICODE_MAX_MAPPING], made;
    size_t count = lm_unicode_nfd(c, out);

    made = out[0];
    for (size_t i = 1; i < count; i++)
        made = lm_unicode_compose(made, out[i]);
    return made == c && lm_unicode_class(c) == 0;
}

static bool
in_composed_range(uint32_t c)
{
    for (size_t i = 0; i < lm_composed_range_count; i++)
        if (c >= lm_composed_ranges[i][0] && c <= lm_composed_ranges[i][1])
            return true;
    return false;
}

/* No character of the table changes, and none is the second of a pair that becomes one. */
static void
test_composed_ranges(void)
{
    for (size_t i = 0; i < lm_composed_range_count; i++)
        for (uint32_t c = lm_composed_ranges[i][0]; c <= lm_composed_ranges[i][1]; c++)
            if (!is_composed_alone(c))
                UNIT_FAIL("U+%04X", c);
    for (size_t i = 0; i < lm_unicode_pair_count; i++)
        if (in_composed_range(lm_unicode_pairs[i].second))
            UNIT_FAIL("U+%04X is the second of a pair", lm_unicode_pairs[i].second);
    for (uint32_t c = 0x1161; c < 0x11c3; c++)
        CHECK(!in_composed_range(c));
}

/* A continuing prefix marks pieces, unless it is empty, whatever the vocabulary has. */
static void
test_marks(void)
{
    static const struct {
        const char *json;
        bool marks;
    } files[] = {
        {BPE(VOCAB ",\"merges\":[]"), false},
        {BPE(VOCAB ",\"merges\":[],\"continuing_subword_prefix\":\"\""), false},
        {BPE(VOCAB ",\"merges\":[],\"continuing_subword_prefix\":\"##\""), true},
        {BPE(VOCAB ",\"merges\":[],\"continuing_subword_prefix\":\"@\""), true},
    };

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        fixture f;

        open_empty(&f);
        CHECK_OK(&f.ctx, compile_json(&f, files[i].json, strlen(files[i].json), NULL, 100));
        CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
        CHECK(lm_tokenizer_marks_pieces(&f.tokenizer) == files[i].marks);
        close_fixture(&f);
    }
}

static const unit_case cases[] = {
    {"marks", test_marks},
    {"composed_ranges", test_composed_ranges},
    {"faults", test_faults},
    {"refusals", test_refusals},
    {"merges", test_merges},
    {"ways_agree", test_ways_agree},
    {"hostile_words", test_hostile_words},
    {"cache_is_of_one", test_cache_is_of_one},
    {"cache_forgets", test_cache_forgets},
    {"many_merges", test_many_merges},
};

UNIT_MAIN(cases)
