/*
 * test_chunk.c - pieces of long texts: what each must be, on texts of many kinds.
 */
#include <time.h>

#include "unit.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "task/chunk.h"

#define TOKENIZER(name) "test/golden/tokenizer/" name ".tokenizer.json"

typedef struct fixture {
    lm_context ctx;
    lm_arena arena;
    lm_buffer image;
    lm_tokenizer tokenizer;
    lm_token_scratch *scratch;
    lm_encoding out;
    lm_chunker chunker;
    size_t part_tokens; /* how much of the text is tokenized at a time */
    lm_chunk *chunks;
    size_t count;
} fixture;

static void
open_tokenizer(fixture *f, const char *path)
{
    static char json[200000];
    const lm_json *root = NULL;
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(json, 1, sizeof json, file) : 0;

    if (file)
        fclose(file);
    memset(f, 0, sizeof *f);
    lm_context_init(&f->ctx);
    lm_arena_init(&f->arena, &f->ctx);
    lm_buffer_init(&f->image, &f->ctx);
    lm_encoding_init(&f->out, &f->ctx);
    lm_chunker_init(&f->chunker, &f->ctx);
    f->part_tokens = LM_PART_TOKENS;
    CHECK_OK(&f->ctx, lm_json_parse(&f->ctx, &f->arena, json, size, path, &root));
    CHECK_OK(&f->ctx, lm_tokenizer_compile(&f->ctx, root, NULL, 10000, &f->image, NULL));
    CHECK_OK(&f->ctx, lm_tokenizer_bind(&f->ctx, f->image.data, f->image.size, &f->tokenizer));
    CHECK_OK(&f->ctx, lm_token_scratch_create(&f->ctx, &f->scratch));
}

static void
open_fixture(fixture *f)
{
    open_tokenizer(f, TOKENIZER("uncased"));
}

static void
close_fixture(fixture *f)
{
    free(f->chunks);
    lm_chunker_free(&f->chunker);
    lm_arena_free(&f->arena);
    lm_buffer_free(&f->image);
    lm_encoding_free(&f->out);
    lm_token_scratch_free(f->scratch);
}

static lm_status
chunk(fixture *f, const char *text, size_t length, int max_tokens, int overlap)
{
    f->count = 0;
    LM_TRY(lm_chunker_begin(&f->chunker, &f->tokenizer, f->scratch, text, length, max_tokens,
                            overlap));
    f->chunker.stream.part_tokens = f->part_tokens;
    for (bool found = true; found;) {
        lm_chunk chunk;

        LM_TRY(lm_chunker_next(&f->chunker, &chunk, &found));
        if (!found)
            break;
        if (f->count % 64 == 0)
            f->chunks = realloc(f->chunks, (f->count + 64) * sizeof chunk);
        f->chunks[f->count++] = chunk;
    }
    return LM_OK;
}

static bool
is_space(char c)
{
    return c == ' ' || c == '\n';
}

/* What no piece has is white space, or a character that alone has no token. */
static void
check_left_out(fixture *f, const char *text, size_t start, size_t stop)
{
    static const lm_token_options options = {.parse_special = true};

    while (start < stop) {
        size_t count = 0;
        int bytes;

        lm_utf8_decode(text + start, &bytes);
        CHECK_OK(&f->ctx, lm_count_tokens(&f->ctx, &f->tokenizer, f->scratch, text + start,
                                          (size_t)bytes, &options, &count));
        CHECK(is_space(text[start]) || count == 0);
        start += (size_t)bytes;
    }
}

/* The laws of every result; the text's white space is spaces and line feeds. */
static void
check_laws(fixture *f, const char *text, size_t length, int max_tokens)
{
    static const lm_token_options options = {.parse_special = true};
    size_t covered = 0, previous_start = 0;

    for (size_t i = 0; i < f->count; i++) {
        lm_chunk piece = f->chunks[i];
        size_t bytes = piece.byte_stop - piece.byte_start;

        CHECK(piece.byte_start < piece.byte_stop && piece.byte_stop <= length);
        CHECK(lm_utf8_valid_prefix(text + piece.byte_start, bytes) == bytes);
        CHECK_EQ_INT(lm_utf8_count(text, piece.byte_start), piece.start);
        CHECK_EQ_INT(lm_utf8_count(text, piece.byte_stop), piece.stop);
        CHECK_OK(&f->ctx, lm_tokenize(&f->ctx, &f->tokenizer, f->scratch, text + piece.byte_start,
                                      bytes, &options, &f->out));
        CHECK_EQ_INT(f->out.count, piece.tokens);
        CHECK(piece.tokens > 0 && piece.tokens <= max_tokens);
        CHECK(i == 0 || (piece.byte_start > previous_start && piece.byte_stop > covered));
        check_left_out(f, text, covered, piece.byte_start);
        covered = piece.byte_stop;
        previous_start = piece.byte_start;
    }
    check_left_out(f, text, covered, length);
}

static void
test_short_texts(void)
{
    fixture f;

    open_fixture(&f);
    CHECK_OK(&f.ctx, chunk(&f, "", 0, 10, 2));
    CHECK_EQ_INT(f.count, 0);
    CHECK_OK(&f.ctx, chunk(&f, "  hello world ", 14, 10, 2));
    CHECK_EQ_INT(f.count, 1);
    CHECK_EQ_INT(f.chunks[0].byte_start, 2);
    CHECK_EQ_INT(f.chunks[0].byte_stop, 13);
    CHECK_EQ_INT(f.chunks[0].tokens, 2);
    close_fixture(&f);
}

static void
check_pieces_by(const char *path, const char *text, int max_tokens, int overlap,
                const char *const *wanted)
{
    fixture f;
    size_t count = 0;

    open_tokenizer(&f, path);
    CHECK_OK(&f.ctx, chunk(&f, text, strlen(text), max_tokens, overlap));
    check_laws(&f, text, strlen(text), max_tokens);
    for (; wanted[count]; count++) {
        char *piece;

        if (count >= f.count)
            break;
        piece = strndup(text + f.chunks[count].byte_start,
                        f.chunks[count].byte_stop - f.chunks[count].byte_start);
        CHECK_STR(piece, wanted[count]);
        free(piece);
    }
    CHECK(!wanted[count]);
    CHECK_EQ_INT(f.count, count);
    close_fixture(&f);
}

static void
check_pieces(const char *text, int max_tokens, int overlap, const char *const *wanted)
{
    check_pieces_by(TOKENIZER("uncased"), text, max_tokens, overlap, wanted);
}

static void
test_preferences(void)
{
    /* A paragraph's end before a sentence's end, that before white space. */
    check_pieces("hello world hello.\n\nworld hello. world hello", 8, 0,
                 (const char *[]){"hello world hello.", "world hello. world hello", NULL});
    check_pieces("hello world hello. world hello world hello", 6, 0,
                 (const char *[]){"hello world hello.", "world hello world hello", NULL});
    check_pieces("hello world hello world hello world", 4, 0,
                 (const char *[]){"hello world hello world", "hello world", NULL});
    check_pieces("\"hello world hello!\" world hello world hello", 8, 0,
                 (const char *[]){"\"hello world hello!\"", "world hello world hello", NULL});
    /* Overlap. */
    check_pieces("hello world hello world hello world", 4, 2,
                 (const char *[]){"hello world hello world", "hello world hello world", NULL});
    /* No white space: between tokens, marks stay with their letters. */
    check_pieces("aaaa", 2, 0, (const char *[]){"aa", "aa", NULL});
    check_pieces("a\xcc\x81"
                 "a\xcc\x81"
                 "a\xcc\x81",
                 2, 0,
                 (const char *[]){"a\xcc\x81"
                                  "a\xcc\x81",
                                  "a\xcc\x81", NULL});
    /* Ideographic full stop. */
    check_pieces("\xe4\xb8\xad\xe6\x96\x87\xe3\x80\x82\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad", 4, 0,
                 (const char *[]){"\xe4\xb8\xad\xe6\x96\x87\xe3\x80\x82",
                                  "\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad", NULL});
}

static void
test_arguments(void)
{
    static const int bad[][2] = {{0, 0}, {-1, 0}, {4, 4}, {4, -1}, {1, 1}};
    fixture f;

    open_fixture(&f);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_EQ_INT(chunk(&f, "hello", 5, bad[i][0], bad[i][1]), LM_BAD_ARGUMENT);
    /* One syllable is three tokens here, and no place inside it may be cut. */
    CHECK_EQ_INT(chunk(&f, "\xea\xb0\x81", 3, 2, 0), LM_BAD_ARGUMENT);
    CHECK_OK(&f.ctx, chunk(&f, "\xea\xb0\x81", 3, 3, 0));
    CHECK_EQ_INT(chunk(&f, "\xff", 1, 3, 0), LM_BAD_TEXT);
    close_fixture(&f);
}

/* White space that lies inside tokens is as good a place to cut as white space between them. */
static const char *const spaced[] = {
    TOKENIZER("metaspace"),  TOKENIZER("metaspace-words"), TOKENIZER("byte-level"),
    TOKENIZER("bytes-gpt2"), TOKENIZER("bytes-qwen2"),     TOKENIZER("bytes-cl100k"),
};

#define SPACED_COUNT (sizeof spaced / sizeof spaced[0])

/* Tokens of a text by a tokenizer. */
static int
tokens_by(const char *path, const char *text)
{
    static const lm_token_options options = {.parse_special = true};
    size_t count = 0;
    fixture f;

    open_tokenizer(&f, path);
    CHECK_OK(&f.ctx, lm_count_tokens(&f.ctx, &f.tokenizer, f.scratch, text, strlen(text), &options,
                                     &count));
    close_fixture(&f);
    return (int)count;
}

static void
test_space_in_tokens(void)
{
    for (size_t i = 0; i < SPACED_COUNT; i++) {
        const char *path = spaced[i];
        int failures = unit_failures;

        check_pieces_by(path, "the first the first.\n\nthe. the the",
                        tokens_by(path, "the first the first.\n\nthe. the"), 0,
                        (const char *[]){"the first the first.", "the. the the", NULL});
        check_pieces_by(path, "the first the first. the the the",
                        tokens_by(path, "the first the first. the the"), 0,
                        (const char *[]){"the first the first.", "the the the", NULL});
        check_pieces_by(path, "first second first first second first",
                        tokens_by(path, "first second first"), 0,
                        (const char *[]){"first second first", "first second first", NULL});
        check_pieces_by(path, " \n first \n ", 20, 0, (const char *[]){"first", NULL});
        check_pieces_by(path, "  \n\n   ", 20, 2, (const char *[]){NULL});
        check_pieces_by(path, "", 20, 2, (const char *[]){NULL});
        if (unit_failures > failures)
            fprintf(stderr, "%s\n", path);
    }
}

/* White space of many tokens between two words: each is a piece. */
static void
test_long_space(void)
{
    char text[2003];

    memset(text, '\n', sizeof text);
    text[0] = 'a';
    text[2001] = 'b';
    text[2002] = '\0';
    for (size_t i = 0; i < SPACED_COUNT; i++) {
        int failures = unit_failures;

        if (tokens_by(spaced[i], text) <= 3)
            continue; /* it normalizes line feeds away */
        check_pieces_by(spaced[i], text, 3, 1, (const char *[]){"a", "b", NULL});
        if (unit_failures > failures)
            fprintf(stderr, "%s\n", spaced[i]);
    }
}

/* However little of the text is tokenized at a time, the pieces are the same. */
static void
check_window(fixture *f, const char *text, size_t length, int max_tokens, int overlap)
{
    size_t count = f->count;
    lm_chunk *whole = malloc((count + 1) * sizeof *whole);

    if (count > 0)
        memcpy(whole, f->chunks, count * sizeof *whole);
    f->part_tokens = 1;
    CHECK_OK(&f->ctx, chunk(f, text, length, max_tokens, overlap));
    f->part_tokens = LM_PART_TOKENS;
    CHECK_EQ_INT(f->count, count);
    for (size_t i = 0; i < count && i < f->count; i++) {
        CHECK_EQ_INT(f->chunks[i].byte_start, whole[i].byte_start);
        CHECK_EQ_INT(f->chunks[i].byte_stop, whole[i].byte_stop);
        CHECK_EQ_INT(f->chunks[i].tokens, whole[i].tokens);
    }
    free(whole);
}

/* Random texts of awkward parts, all sizes of pieces and overlaps: the laws hold. */
static void
check_random(const char *path, int rounds, int least)
{
    static const char *const parts[] = {
        "hello",
        " ",
        "\n\n",
        ". ",
        "unaffable",
        "a\xcc\x81",
        "\xea\xb0\x81",
        "\xe4\xb8\xad",
        "[SEP]",
        " ",
        "\n",
        "!",
        "tokenization",
        " world",
        "\xf0\x9f\x98\x80",
        ", ",
        "don't go",
        "\"",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        " ",
    };
    lm_rng rng;
    fixture f;

    open_tokenizer(&f, path);
    lm_rng_seed(&rng, 11);
    for (int round = 0; round < rounds; round++) {
        char text[8192] = "";
        size_t count = lm_rng_below(&rng, 60);
        int max_tokens = least + (int)lm_rng_below(&rng, 40);
        int overlap = (int)lm_rng_below(&rng, (uint64_t)max_tokens);

        for (size_t i = 0; i < count; i++)
            strcat(text, parts[lm_rng_below(&rng, sizeof parts / sizeof parts[0])]);
        CHECK_OK(&f.ctx, chunk(&f, text, strlen(text), max_tokens, overlap));
        check_laws(&f, text, strlen(text), max_tokens);
        check_window(&f, text, strlen(text), max_tokens, overlap);
        if (chunk(&f, text, strlen(text), 1, 0) == LM_OK)
            check_laws(&f, text, strlen(text), 1);
        if (unit_failures) {
            fprintf(stderr, "%s, round %d: max %d overlap %d: %s\n", path, round, max_tokens,
                    overlap, text);
            break;
        }
    }
    close_fixture(&f);
}

/* A character may have four tokens where these are bytes. */
static void
test_laws(void)
{
    check_random(TOKENIZER("uncased"), 3000, 3);
    for (size_t i = 0; i < SPACED_COUNT; i++)
        check_random(spaced[i], 300, 8);
}

/* A sentence ends at a full stop of each script, before white space or, after the wide ones, at
 * once. */
static void
test_full_stops(void)
{
    static const struct {
        const char *stop, *space; /* behind it */
        bool ends;
    } stops[] = {
        {".", " ", true},
        {"!", " ", true},
        {"?", " ", true},
        {"\xe2\x80\xa6", " ", true}, /* U+2026 */
        {"\xe0\xa5\xa4", " ", true}, /* U+0964 */
        {"\xdb\x94", " ", true},     /* U+06D4 */
        {"\xd8\x9f", " ", true},     /* U+061F */
        {"\xe3\x80\x82", "", true},  /* U+3002 */
        {"\xef\xbc\x81", "", true},  /* U+FF01 */
        {"\xef\xbc\x9f", "", true},  /* U+FF1F */
        {"\xef\xbd\xa1", "", true},  /* U+FF61 */
        {".", "", false},
        {",", " ", false},
        {"\xd8\x8c", " ", false}, /* U+060C */
    };

    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        char text[128], first[64], second[64];

        snprintf(text, sizeof text, "hello world hello%s%sworld hello world hello", stops[i].stop,
                 stops[i].space);
        snprintf(first, sizeof first, "hello world hello%s%s", stops[i].stop,
                 stops[i].ends     ? ""
                 : *stops[i].space ? " world hello"
                                   : "world hello");
        snprintf(second, sizeof second, "%s",
                 stops[i].ends ? "world hello world hello" : "world hello");
        check_pieces(text, 6, 0, (const char *[]){first, second, NULL});
    }
}

static void
test_overlap_is_about_right(void)
{
    fixture f;
    char text[12001] = "";
    size_t shared = 0;

    open_fixture(&f);
    for (int i = 0; i < 2000; i++)
        strcat(text, i % 2 ? "world " : "hello ");
    CHECK_OK(&f.ctx, chunk(&f, text, strlen(text), 100, 20));
    for (size_t i = 1; i < f.count; i++)
        shared += f.chunks[i - 1].byte_stop - f.chunks[i].byte_start;
    CHECK(f.count > 10);
    CHECK_NEAR((double)shared / 6 / (double)(f.count - 1), 20, 10);
    close_fixture(&f);
}

/* Closing marks without end cost no more than other text: quadratic cost is a minute here. */
static void
test_closing_marks(void)
{
    const size_t length = 200000;
    char *text = malloc(length);
    clock_t start;
    fixture f;

    open_fixture(&f);
    memset(text, ')', length);
    start = clock();
    CHECK_OK(&f.ctx, chunk(&f, text, length, 100, 10));
    CHECK((double)(clock() - start) / CLOCKS_PER_SEC < 10);
    check_laws(&f, text, length, 100);
    close_fixture(&f);
    free(text);
}

static const unit_case cases[] = {
    {"short_texts", test_short_texts},
    {"preferences", test_preferences},
    {"space_in_tokens", test_space_in_tokens},
    {"long_space", test_long_space},
    {"arguments", test_arguments},
    {"laws", test_laws},
    {"full_stops", test_full_stops},
    {"closing_marks", test_closing_marks},
    {"overlap_is_about_right", test_overlap_is_about_right},
};

UNIT_MAIN(cases)
