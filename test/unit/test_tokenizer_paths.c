/*
 * test_tokenizer_paths.c - ways through the tokenizer that must agree: the fast path and the
 * stages, a text whole and cut, an image here and elsewhere; and its vocabulary, templates and
 * decoders.
 */
#include <time.h>

#include "golden_tokenizers.h"
#include "base/utf8.h"

/* ---------------------------------------------------------------- paths that must agree */

static bool
same_encoding(const lm_encoding *a, const lm_encoding *b, bool offsets)
{
    size_t bytes = a->count * sizeof *a->ids;

    return a->count == b->count && memcmp(a->ids, b->ids, bytes) == 0 &&
           memcmp(a->type_ids, b->type_ids, bytes) == 0 &&
           (!offsets ||
            (memcmp(a->start, b->start, bytes) == 0 && memcmp(a->stop, b->stop, bytes) == 0));
}

/* With and without the fast path, with and without offsets, cut and whole. */
static void
check_agreement(fixture *f, const lm_tokenizer *staged, const char *text, size_t length)
{
    static const lm_token_options ids_only = {.add_special = true, .parse_special = true};
    lm_encoding other;

    lm_encoding_init(&other, &f->ctx);
    encode(f, text, length, &everything);
    CHECK_OK(&f->ctx, lm_tokenize(&f->ctx, staged, f->scratch, text, length, &everything, &other));
    CHECK(same_encoding(&f->out, &other, true));
    check_parts(f, staged, text, length, &everything);
    CHECK_OK(&f->ctx,
             lm_tokenize(&f->ctx, &f->tokenizer, f->scratch, text, length, &ids_only, &other));
    CHECK(same_encoding(&f->out, &other, false));
    for (int limit = 2; limit < 40; limit += 9) {
        lm_token_options cut = {.add_special = true, .parse_special = true, .max_tokens = limit};
        size_t wanted = f->out.count < (size_t)limit ? f->out.count : (size_t)limit;

        CHECK_OK(&f->ctx,
                 lm_tokenize(&f->ctx, &f->tokenizer, f->scratch, text, length, &cut, &other));
        CHECK_EQ_INT(other.count, wanted);
        CHECK_EQ_INT(other.truncated, f->out.count > (size_t)limit);
        CHECK(memcmp(other.ids, f->out.ids, (wanted > 0 ? wanted - 1 : 0) * sizeof *other.ids) ==
              0);
    }
    lm_encoding_free(&other);
}

/* A copy of the image at another address, without the fast path or the way of words. */
static void *
staged_copy(fixture *f, lm_tokenizer *staged)
{
    void *copy = aligned_alloc(LM_ALIGNMENT, lm_align_up(f->image.size));

    memcpy(copy, f->image.data, f->image.size);
    CHECK(((lm_token_image *)copy)->fused.present +
              (((lm_token_image *)copy)->byte_words.rule != 0) +
              (((lm_token_image *)copy)->words != 0) ==
          1);
    ((lm_token_image *)copy)->fused.present = 0;
    ((lm_token_image *)copy)->byte_words.rule = 0;
    ((lm_token_image *)copy)->words = 0;
    CHECK_OK(&f->ctx, lm_tokenizer_bind(&f->ctx, copy, f->image.size, staged));
    return copy;
}

static const char *const with_fast_path[] = {
    "uncased",       "cased",      "unclean",      "sequence", "wordlevel",     "decomposed",
    "bytes-roberta", "bytes-gpt2", "bytes-cl100k", "unigram",  "unigram-bytes", "bytes-qwen2",
};

static void
test_paths_agree(void)
{
    for (size_t n = 0; n < sizeof with_fast_path / sizeof with_fast_path[0]; n++) {
        lm_tokenizer staged;
        fixture f;
        recorded *items;
        size_t count;
        void *copy;

        if (!open_named(&f, with_fast_path[n]))
            return;
        copy = staged_copy(&f, &staged);
        items = read_recorded(&f.ctx, &f.arena, &count);
        for (size_t i = 0; i < count; i++)
            check_agreement(&f, &staged, items[i].text->as.string.bytes,
                            items[i].text->as.string.length);
        free(copy);
        close_fixture(&f);
    }
}

/* Each scalar value inside a word and as a word, 64 of either in a text. */
static void
test_scalars_agree(void)
{
    for (size_t n = 0; n < sizeof with_fast_path / sizeof with_fast_path[0]; n++) {
        lm_tokenizer staged;
        fixture f;
        void *copy;

        if (!open_named(&f, with_fast_path[n]))
            return;
        copy = staged_copy(&f, &staged);
        for (uint32_t first = 64 * (uint32_t)(unit_turn() % unit_stride()); first < 0x110000;
             first += 64 * (uint32_t)unit_stride()) {
            char text[64 * 12], *end = text;

            for (uint32_t c = first; c < first + 64; c++)
                if (c - 0xd800 >= 0x800) {
                    *end++ = 'a';
                    end += lm_utf8_encode(c, end);
                    *end++ = 'b';
                    *end++ = ' ';
                    end += lm_utf8_encode(c, end);
                    *end++ = ' ';
                }
            check_agreement(&f, &staged, text, (size_t)(end - text));
        }
        free(copy);
        close_fixture(&f);
    }
}

/* Half a million of what would be slow in a tokenizer of quadratic cost. */
static void
test_hostile_texts(void)
{
    static const char *const units[] = {
        "a",
        "\xcc\x81",
        "a\xcc\x81",
        "\xcc\xa3\xcc\x81",
        "\xe2\x80\x8d",
        "[",
        "[SEP]",
        "[SE",
        "\xe3\x80\xaa\xcc\x81",
        "\xe4\xb8\xad",
        "\xea\xb0\x81",
        " ",
        "\xef\xb7\xba",
        "<left> ",
        "\xc4\xb0",
    };
    static const char *const names[] = {"uncased",           "cased",     "decomposed", "plain",
                                        "byte-level-prefix", "metaspace", "prepended"};
    double start = (double)clock();

    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        fixture f;

        if (!open_named(&f, names[n]))
            return;
        for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
            size_t unit = strlen(units[i]), length = (size_t)500000 / unit * unit;
            char *text = malloc(length);

            for (size_t at = 0; at < length; at += unit)
                memcpy(text + at, units[i], unit);
            encode(&f, text, length, &everything);
            CHECK(f.out.count >= 2 || strcmp(names[n], "uncased") != 0);
            free(text);
        }
        close_fixture(&f);
    }
    /* Linear cost is well below a second; quadratic cost is hours. */
    CHECK(((double)clock() - start) / CLOCKS_PER_SEC < 60);
}

static void
test_relocation(void)
{
    fixture f;
    void *copy;
    lm_encoding first;

    if (!open_named(&f, "added-raw"))
        return;
    lm_encoding_init(&first, &f.ctx);
    CHECK_OK(&f.ctx, lm_tokenize(&f.ctx, &f.tokenizer, f.scratch, "x <x3> unaffable", 16,
                                 &everything, &first));
    copy = aligned_alloc(LM_ALIGNMENT, lm_align_up(f.image.size));
    memcpy(copy, f.image.data, f.image.size);
    memset(f.image.data, 0xff, f.image.size);
    CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, copy, f.image.size, &f.tokenizer));
    encode(&f, "x <x3> unaffable", 16, &everything);
    CHECK(same_encoding(&first, &f.out, true));
    CHECK_EQ_INT(lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer), LM_CORRUPT);
    CHECK_EQ_INT(lm_tokenizer_bind(&f.ctx, copy, f.image.size - 1, &f.tokenizer), LM_CORRUPT);
    CHECK_EQ_INT(lm_tokenizer_bind(&f.ctx, copy, 3, &f.tokenizer), LM_CORRUPT);
    lm_encoding_free(&first);
    free(copy);
    close_fixture(&f);
}

/* ---------------------------------------------------------------- vocabulary, template, decoder */

/* Ideographs are alike for all stages, but each is a letter of its own: none has the other's
 * pieces. */
static void
test_alike_characters(void)
{
    static const char vocabulary[] =
        "{\"normalizer\":{\"type\":\"BertNormalizer\",\"handle_chinese_chars\":true}%s,\"model\":"
        "{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\","
        "\"vocab\":{\"[UNK]\":0,\" \":1,\"## \":2,\"##\xe4\xb8\x80\":3,\"##\xe4\xb8\x81\":4}}}";
    static const char *const pretokenizers[] = {"",
                                                ",\"pre_tokenizer\":{\"type\":\"Punctuation\"}"};
    static const struct {
        const char *text;
        int32_t ids[6];
        size_t count;
    } cases[] = {
        {"\xe4\xb8\x81", {1, 4, 2}, 3},                      /* U+4E01 */
        {"\xe4\xb8\x80\xe4\xb8\x81", {1, 3, 2, 2, 4, 2}, 6}, /* U+4E00 U+4E01 */
        {"\xe4\xb8\x82", {0}, 1},                            /* U+4E02: in no piece */
        {"\xe4\xba\x81", {0}, 1},                            /* U+4E81: of another block */
    };

    for (size_t k = 0; k < sizeof pretokenizers / sizeof pretokenizers[0]; k++) {
        char json[800];
        fixture f;

        snprintf(json, sizeof json, vocabulary, pretokenizers[k]);
        open_empty(&f);
        CHECK_OK(&f.ctx, compile_json(&f, json, strlen(json), NULL, 100));
        CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
        CHECK(((const lm_token_image *)f.tokenizer.image)->fused.present);
        /* Blocks of ideographs have one list. */
        CHECK(((const lm_token_image *)f.tokenizer.image)->fused.lists.count < 10000);
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            encode(&f, cases[i].text, strlen(cases[i].text), &everything);
            CHECK_EQ_INT(f.out.count, cases[i].count);
            CHECK(memcmp(f.out.ids, cases[i].ids, cases[i].count * sizeof *f.out.ids) == 0);
        }
        close_fixture(&f);
    }
}

/* An added token of white space: what the first one took is no token again. */
static void
test_added_space(void)
{
    static const char json[] =
        "{\"added_tokens\":[{\"id\":2,\"content\":\" \",\"special\":true,\"normalized\":false,"
        "\"lstrip\":true,\"rstrip\":true}],\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\","
        "\"continuing_subword_prefix\":\"##\",\"vocab\":{\"u\":0,\"a\":1}}}";
    static const int32_t ids[] = {1, 2, 1}, starts[] = {0, 1, 4}, stops[] = {1, 4, 5};
    fixture f;

    open_empty(&f);
    CHECK_OK(&f.ctx, compile_json(&f, json, strlen(json), NULL, 100));
    CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
    encode(&f, "a   a", 5, &everything);
    CHECK_EQ_INT(f.out.count, 3);
    CHECK(memcmp(f.out.ids, ids, sizeof ids) == 0);
    CHECK(memcmp(f.out.start, starts, sizeof starts) == 0);
    CHECK(memcmp(f.out.stop, stops, sizeof stops) == 0);
    close_fixture(&f);
}

static void
test_vocabulary(void)
{
    fixture f;
    size_t length;
    int32_t id;

    if (!open_named(&f, "added"))
        return;
    id = lm_token_id(&f.tokenizer, "new york", 8);
    CHECK(id > 0);
    CHECK(strncmp(lm_token_text(&f.tokenizer, id, &length), "new york", 8) == 0);
    CHECK_EQ_INT(length, 8);
    CHECK(!lm_token_is_special(&f.tokenizer, id));
    CHECK(lm_token_is_special(&f.tokenizer, lm_token_id(&f.tokenizer, "[SEP]", 5)));
    CHECK_EQ_INT(lm_token_id(&f.tokenizer, "no such token", 13), -1);
    /* A normalized added token is looked up as it is written, and shown as it is looked for. */
    id = lm_token_id(&f.tokenizer, "caf\xc3\xa9", 5);
    CHECK(id >= 0 && id != lm_token_id(&f.tokenizer, "cafe", 4));
    CHECK(strncmp(lm_token_text(&f.tokenizer, id, &length), "cafe", 4) == 0 && length == 4);
    CHECK(lm_token_text(&f.tokenizer, -1, &length) == NULL);
    CHECK(lm_token_text(&f.tokenizer, f.tokenizer.vocab_size, &length) == NULL);
    CHECK(lm_token_text(&f.tokenizer, f.tokenizer.vocab_size - 1, &length) != NULL);
    CHECK(!lm_token_is_special(&f.tokenizer, INT32_MAX));
    CHECK(!lm_token_is_special(&f.tokenizer, -1));
    close_fixture(&f);
}

static void
test_unknown(void)
{
    static const char *const names[] = {"added", "wordlevel"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        fixture f;

        if (!open_named(&f, names[i]))
            return;
        CHECK(lm_token_unknown(&f.tokenizer) >= 0);
        CHECK_EQ_INT(lm_token_unknown(&f.tokenizer), lm_token_id(&f.tokenizer, "[UNK]", 5));
        close_fixture(&f);
    }
}

static void
test_surround(void)
{
    static const lm_token_options bare = {.parse_special = true, .offsets = true};
    lm_encoding plain;
    int32_t ids[64], types[64];
    fixture f;

    if (!open_named(&f, "cased"))
        return;
    lm_encoding_init(&plain, &f.ctx);
    CHECK_OK(&f.ctx,
             lm_tokenize(&f.ctx, &f.tokenizer, f.scratch, "hello world", 11, &bare, &plain));
    encode(&f, "hello world", 11, &everything);
    CHECK_EQ_INT(lm_tokenizer_special_count(&f.tokenizer, false), 2);
    CHECK_EQ_INT(lm_tokenizer_special_count(&f.tokenizer, true), 3);
    CHECK_EQ_INT(lm_tokenizer_special_before(&f.tokenizer), 1);
    CHECK_EQ_INT(lm_tokenizer_surround(&f.tokenizer, plain.ids, plain.count, ids, types),
                 plain.count + 2);
    CHECK(memcmp(ids, f.out.ids, f.out.count * sizeof *ids) == 0);
    CHECK(memcmp(types, f.out.type_ids, f.out.count * sizeof *types) == 0);
    CHECK(f.out.special[0] == 1 && f.out.special[1] == 0 && f.out.special[f.out.count - 1] == 1);
    CHECK(!f.out.truncated);
    lm_encoding_free(&plain);
    close_fixture(&f);
}

static size_t
read_ids(const lm_json *array, int32_t *ids, size_t room)
{
    size_t count = 0;

    for (const lm_json *id = array->as.items.first; id && count < room; id = id->next)
        ids[count++] = (int32_t)id->integer;
    return count;
}

static void
check_decoding(const char *name)
{
    line_reader lines = open_lines(name, "decode.jsonl");
    size_t count = 0;
    fixture f;
    lm_buffer out;

    if (!open_named(&f, name))
        return;
    lm_buffer_init(&out, &f.ctx);
    for (char *line; (line = next_line(&lines)) != NULL; count++) {
        const lm_json *root = NULL;
        int32_t ids[2048];
        size_t id_count;

        CHECK_OK(&f.ctx, lm_json_parse(&f.ctx, &f.arena, line, strlen(line), "golden", &root));
        id_count = read_ids(lm_json_get(root, "ids"), ids, 2048);
        for (int skip = 0; skip < 2; skip++) {
            const lm_json *wanted = lm_json_get(root, skip ? "text" : "plain");

            out.size = 0;
            CHECK_OK(&f.ctx, lm_detokenize(&f.ctx, &f.tokenizer, ids, id_count, skip, &out));
            if (out.size != wanted->as.string.length ||
                (out.size > 0 && memcmp(out.data, wanted->as.string.bytes, out.size) != 0))
                UNIT_FAIL("%s: line %zu decodes to %.*s, wanted %s", name, count, (int)out.size,
                          out.data, wanted->as.string.bytes);
        }
    }
    CHECK(count >= 150);
    lm_buffer_free(&out);
    free(lines.data);
    close_fixture(&f);
}

static void
test_decoding(void)
{
    check_decoding("uncased");
    check_decoding("cased-stripped");
    check_decoding("added");
    check_decoding("wordlevel");
    for (size_t i = 0; i < sizeof decoded / sizeof decoded[0]; i++)
        check_decoding(decoded[i]);
}

/* At most so many characters go on each side. */
static void
test_decoding_strip(void)
{
    static const char json[] =
        "{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"baaaa\",\"vocab\":{\"baaaa\":0,\"aab\":"
        "1,"
        "\"aaaaaab\":2,\"a\":3}},\"decoder\":{\"type\":\"Strip\",\"content\":\"a\",\"start\":3,"
        "\"stop\":2}}";
    static const int32_t ids[] = {0, 1, 2, 3};
    lm_buffer out;
    fixture f;

    open_empty(&f);
    lm_buffer_init(&out, &f.ctx);
    CHECK_OK(&f.ctx, compile_json(&f, json, strlen(json), NULL, 100));
    CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
    /* In the reference the last one fails. */
    CHECK_OK(&f.ctx, lm_detokenize(&f.ctx, &f.tokenizer, ids, 4, false, &out));
    CHECK(out.size == 8 && memcmp(out.data, "baabaaab", 8) == 0);
    lm_buffer_free(&out);
    close_fixture(&f);
}

/* Where words of ByteLevel end; what the library says. */
static void
test_byte_level_words(void)
{
    static const struct {
        const char *text;
        int count;
        int stops[8];
    } rows[] = {
        {"it's we'll", 4, {2, 4, 7, 10}},
        {"'S 'sx", 4, {1, 2, 4, 6}},
        {"a  b   ", 4, {1, 2, 4, 7}},
        {"x \n 7a", 4, {1, 3, 5, 6}},
        {"\n\nb", 3, {1, 2, 3}},
        {"!'s 're", 4, {2, 3, 5, 7}},
        {"a\xc2\xa0 b", 3, {1, 2, 4}},
        {"\xc2\xbd"
         "2 \xe3\x80\x80",
         2,
         {2, 4}},
    };
    static const char json[] =
        "{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"u\",\"vocab\":{\"u\":0}},"
        "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
        "\"trim_offsets\":false}}";
    fixture f;

    open_empty(&f);
    CHECK_OK(&f.ctx, compile_json(&f, json, strlen(json), NULL, 100));
    CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        encode(&f, rows[i].text, strlen(rows[i].text), &everything);
        CHECK_EQ_INT(f.out.count, rows[i].count);
        for (int k = 0; k < rows[i].count; k++)
            if (f.out.stop[k] != rows[i].stops[k])
                UNIT_FAIL("%s: word %d ends at %d", rows[i].text, k, f.out.stop[k]);
    }
    close_fixture(&f);
}

static void
test_decoding_unknown_ids(void)
{
    int32_t ids[] = {3, -1};
    fixture f;
    lm_buffer out;

    if (!open_named(&f, "uncased"))
        return;
    lm_buffer_init(&out, &f.ctx);
    CHECK_EQ_INT(lm_detokenize(&f.ctx, &f.tokenizer, ids, 2, false, &out), LM_BAD_ARGUMENT);
    CHECK_STR(f.ctx.error.found, "-1");
    ids[1] = f.tokenizer.vocab_size;
    CHECK_EQ_INT(lm_detokenize(&f.ctx, &f.tokenizer, ids, 2, true, &out), LM_BAD_ARGUMENT);
    lm_buffer_free(&out);
    close_fixture(&f);
}

static const unit_case cases[] = {
    {"paths_agree", test_paths_agree},
    {"alike_characters", test_alike_characters},
    {"added_space", test_added_space},
    {"scalars_agree", test_scalars_agree},
    {"hostile_texts", test_hostile_texts},
    {"relocation", test_relocation},
    {"vocabulary", test_vocabulary},
    {"unknown", test_unknown},
    {"surround", test_surround},
    {"decoding", test_decoding},
    {"decoding_strip", test_decoding_strip},
    {"decoding_unknown_ids", test_decoding_unknown_ids},
    {"byte_level_words", test_byte_level_words},
};

UNIT_MAIN(cases)
