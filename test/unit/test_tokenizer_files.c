/*
 * test_tokenizer_files.c - files of tokenizers: what is refused and which key is named, what is odd
 * and good, what tokenizer_config.json overrides.
 */
#include "tokenizer.h"
#include "base/utf8.h"
#include "token/image.h"

#define MODEL(vocab, rest)                                                                         \
    "{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"continuing_subword_prefix\":\"##\"," \
    "\"vocab\":{" vocab "}}" rest "}"

#define BERT_PROCESSING(cls, sep) \
    ",\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":" cls ",\"sep\":" sep "}"
#define TEMPLATE(single, pair, specials)                                                           \
    ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[" single "],\"pair\":[" pair \
    "],\"special_tokens\":" specials "}"

/* The members of a model in files of before 2021, which have no type. */
#define UNTYPED(rest)                                                                             \
    rest ",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":3,\"vocab\":{\"u\":" \
         "0,\"a\":1,\"##b\":2}"

static const struct {
    const char *json;
    lm_status status;
    const char *key;
} bad_files[] = {
    {"{}", LM_BAD_MODEL, "model"},
    {"[]", LM_BAD_MODEL, "model"},
    {"{\"model\":{\"type\":\"BPE\"}}", LM_UNSUPPORTED, "model.type"},
    {"{\"model\":{\"type\":7}}", LM_BAD_MODEL, "model.type"},
    {"{\"model\":{}}", LM_BAD_MODEL, "model.type"},
    {"{\"model\":{\"type\":null," UNTYPED("\"unk_token\":\"u\"") "}}", LM_BAD_MODEL, "model.type"},
    {"{\"model\":{" UNTYPED("\"unk_token\":\"u\",\"merges\":[]") "}}", LM_UNSUPPORTED,
     "model.type"},
    {"{\"model\":{\"vocab\":{\"u\":0},\"unk_token\":\"u\"}}", LM_UNSUPPORTED, "model.type"},
    {"{\"model\":{\"vocab\":[[\"u\",0]],\"unk_id\":0}}", LM_UNSUPPORTED, "model.type"},
    {"{\"model\":{" UNTYPED("\"unk\":\"u\"") "}}", LM_BAD_MODEL, "model.type"},
    {"{\"model\":{" UNTYPED("\"unk_token\":7") "}}", LM_BAD_MODEL, "model.unk_token"},
    {MODEL("\"u\":-1", ""), LM_BAD_MODEL, "model.vocab.u"},
    {MODEL("\"u\":100", ""), LM_BAD_MODEL, "model.vocab.u"},
    {MODEL("\"u\":2147483648", ""), LM_BAD_MODEL, "model.vocab.u"},
    {MODEL("\"u\":1.5", ""), LM_BAD_MODEL, "model.vocab.u"},
    {MODEL("\"u\":\"1\"", ""), LM_BAD_MODEL, "model.vocab.u"},
    {MODEL("\"u\":1,\"b\":1", ""), LM_BAD_MODEL, "model.vocab.b"},
    {MODEL("\"b\":1", ""), LM_BAD_MODEL, "model.unk_token"},
    {MODEL("", ""), LM_BAD_MODEL, "model.unk_token"},
    {MODEL("\"u\":0", ",\"normalizer\":{\"type\":\"Precompiled\"}"), LM_UNSUPPORTED,
     "normalizer.type"},
    {MODEL("\"u\":0", ",\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":1}"),
     LM_BAD_MODEL, "normalizer.lowercase"},
    {MODEL("\"u\":0", ",\"normalizer\":[]"), LM_BAD_MODEL, "normalizer"},
    {MODEL("\"u\":0", ",\"normalizer\":{\"type\":\"Sequence\"}"), LM_BAD_MODEL,
     "normalizer.normalizers"},
    {MODEL("\"u\":0", ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a+)+$\"}}"),
     LM_UNSUPPORTED, "pre_tokenizer.type"},
    {MODEL("\"u\":0", ",\"pre_tokenizer\":{\"type\":\"Punctuation\",\"behavior\":\"Removed\"}"),
     LM_UNSUPPORTED, "pre_tokenizer.behavior"},
    {MODEL("\"u\":0", ",\"post_processor\":{\"type\":\"RobertaProcessing\"}"), LM_UNSUPPORTED,
     "post_processor.type"},
    {MODEL("\"u\":0", ",\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"u\",5],"
                      "\"sep\":[\"u\",0]}"),
     LM_BAD_MODEL, "post_processor.cls"},
    /* No token has id 1, though the vocabulary reaches further. */
    {MODEL("\"u\":0,\"v\":2", ",\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"u\",0],"
                              "\"sep\":[\"x\",1]}"),
     LM_BAD_MODEL, "post_processor.sep"},
    {MODEL("\"u\":0", ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[],"
                      "\"pair\":[],\"special_tokens\":{}}"),
     LM_UNSUPPORTED, "post_processor.single"},
    {MODEL("\"u\":0", ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":"
                      "[{\"SpecialToken\":{\"id\":\"x\"}}],\"pair\":[],\"special_tokens\":{}}"),
     LM_BAD_MODEL, "post_processor.SpecialToken.id"},
    {MODEL("\"u\":0", ",\"decoder\":{\"type\":\"CTC\"}"), LM_UNSUPPORTED, "decoder.type"},
    {MODEL("\"u\":0", ",\"added_tokens\":{}"), LM_BAD_MODEL, "added_tokens"},
    {MODEL("\"u\":0", ",\"added_tokens\":[7]"), LM_BAD_MODEL, "added_tokens"},
    {MODEL("\"u\":0", ",\"added_tokens\":[{\"content\":\"x\"}]"), LM_BAD_MODEL, "added_tokens.id"},
    {MODEL("\"u\":0", ",\"added_tokens\":[{\"id\":5,\"content\":\"x\"}]"), LM_BAD_MODEL,
     "added_tokens.0.id"},
    {MODEL("\"u\":0", ",\"added_tokens\":[{\"id\":1,\"content\":\"u\"}]"), LM_BAD_MODEL,
     "added_tokens.0.id"},
    {MODEL("\"u\":0", ",\"added_tokens\":[{\"id\":1,\"content\":\"\"}]"), LM_BAD_MODEL,
     "added_tokens.0.content"},
    {MODEL("\"u\":0",
           ",\"added_tokens\":[{\"id\":1,\"content\":\"x\"},{\"id\":1,\"content\":\"x\"}]"),
     LM_BAD_MODEL, "added_tokens.1.content"},
    {MODEL("\"u\":99", ",\"added_tokens\":[{\"id\":99,\"content\":\"u\"},"
                       "{\"id\":100,\"content\":\"x\"}]"),
     LM_BAD_MODEL, "added_tokens.id"},
    {MODEL("\"u\":0", ",\"normalizer\":{\"type\":\"BertNormalizer\"},\"added_tokens\":[{\"id\":1,"
                      "\"content\":\"\\u0301\",\"normalized\":true}]"),
     LM_BAD_MODEL, "added_tokens.0.content"},
    {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":[]}}", LM_BAD_MODEL, "model.vocab"},
    {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"u\":0}}}", LM_BAD_MODEL, "model.unk_token"},
    {"{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"vocab\":{\"u\":0}}}", LM_BAD_MODEL,
     "model.continuing_subword_prefix"},
    {MODEL("\"u\":0},\"max_input_chars_per_word\":{", ""), LM_BAD_MODEL,
     "model.max_input_chars_per_word"},
    {MODEL("\"u\":0,\"b\":3", ",\"added_tokens\":[{\"id\":2,\"content\":\"x\"},"
                              "{\"id\":3,\"content\":\"y\"}]"),
     LM_BAD_MODEL, "added_tokens.y"},
    {MODEL("\"b\":0", ",\"added_tokens\":[{\"id\":1,\"content\":\"u\"}]"), LM_BAD_MODEL,
     "model.unk_token"},
    {MODEL("\"u\":0", ",\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":1}"),
     LM_BAD_MODEL, "normalizer.clean_text"},
    {MODEL("\"u\":0", ",\"normalizer\":{\"type\":\"BertNormalizer\",\"handle_chinese_chars\":1}"),
     LM_BAD_MODEL, "normalizer.handle_chinese_chars"},
    {MODEL("\"u\":0", ",\"normalizer\":{\"type\":\"BertNormalizer\",\"strip_accents\":\"\"}"),
     LM_BAD_MODEL, "normalizer.strip_accents"},
    {MODEL("\"u\":0", ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[7]}"), LM_BAD_MODEL,
     "normalizer.normalizers"},
    {MODEL("\"u\":0", ",\"pre_tokenizer\":\"BertPreTokenizer\""), LM_BAD_MODEL, "pre_tokenizer"},
    {MODEL("\"u\":0", ",\"pre_tokenizer\":{\"type\":\"Sequence\"}"), LM_BAD_MODEL,
     "pre_tokenizer.pretokenizers"},
    {MODEL("\"u\":0", ",\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[7]}"),
     LM_BAD_MODEL, "pre_tokenizer.pretokenizers"},
    {MODEL("\"u\":0", ",\"decoder\":7"), LM_BAD_MODEL, "decoder"},
    {MODEL("\"u\":0", ",\"decoder\":{\"type\":\"WordPiece\"}"), LM_BAD_MODEL, "decoder.prefix"},
    {MODEL("\"u\":0", ",\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"\",\"cleanup\":0}"),
     LM_BAD_MODEL, "decoder.cleanup"},
    {MODEL("\"u\":0", ",\"post_processor\":7"), LM_BAD_MODEL, "post_processor"},
    {MODEL("\"u\":0", ",\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"u\",0],"
                      "\"sep\":[\"u\",0],\"trim_offsets\":true,\"add_prefix_space\":true}"),
     LM_UNSUPPORTED, "post_processor.type"},
    {MODEL("\"u\":0", ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"cls\":[\"u\",0],"
                      "\"sep\":[\"u\",0]}"),
     LM_UNSUPPORTED, "post_processor.type"},
    {MODEL("\"u\":0", BERT_PROCESSING("7", "[\"u\",0]")), LM_BAD_MODEL, "post_processor.cls"},
    {MODEL("\"u\":0", BERT_PROCESSING("[\"u\"]", "[\"u\",0]")), LM_BAD_MODEL, "post_processor.cls"},
    {MODEL("\"u\":0", BERT_PROCESSING("[\"u\",\"0\"]", "[\"u\",0]")), LM_BAD_MODEL,
     "post_processor.cls"},
    {MODEL("\"u\":0", BERT_PROCESSING("[\"u\",0.5]", "[\"u\",0]")), LM_BAD_MODEL,
     "post_processor.cls"},
    {MODEL("\"u\":0", BERT_PROCESSING("[\"u\",-1]", "[\"u\",0]")), LM_BAD_MODEL,
     "post_processor.cls"},
    {MODEL("\"u\":0", BERT_PROCESSING("[\"u\",0]", "{}")), LM_BAD_MODEL, "post_processor.sep"},
    {MODEL("\"u\":0",
           TEMPLATE("{\"Sequence\":{\"id\":\"A\"}}", "{\"Sequence\":{\"id\":\"A\"}}", "{}")),
     LM_UNSUPPORTED, "post_processor.pair"},
    {MODEL("\"u\":0", TEMPLATE("{\"Sequence\":{\"id\":\"A\"}}", "7", "{}")), LM_BAD_MODEL,
     "post_processor.pair"},
    {MODEL("\"u\":0", TEMPLATE("{\"Sequence\":{\"id\":\"C\"}}", "", "{}")), LM_BAD_MODEL,
     "post_processor.Sequence.id"},
    {MODEL("\"u\":0", TEMPLATE("{\"Sequence\":{}}", "", "{}")), LM_BAD_MODEL,
     "post_processor.Sequence.id"},
    {MODEL("\"u\":0", TEMPLATE("{\"Sequence\":{\"id\":\"A\",\"type_id\":-1}}", "", "{}")),
     LM_BAD_MODEL, "post_processor.Sequence.type_id"},
    {MODEL("\"u\":0", TEMPLATE("{\"Sequence\":{\"id\":\"A\",\"type_id\":\"1\"}}", "", "{}")),
     LM_BAD_MODEL, "post_processor.Sequence.type_id"},
    {MODEL("\"u\":0", TEMPLATE("{\"Sequence\":{\"id\":\"A\",\"type_id\":1.0}}", "", "{}")),
     LM_BAD_MODEL, "post_processor.Sequence.type_id"},
    {MODEL("\"u\":0", TEMPLATE("{\"SpecialToken\":{}}", "", "{}")), LM_BAD_MODEL,
     "post_processor.SpecialToken.id"},
    {MODEL("\"u\":0", TEMPLATE("{\"SpecialToken\":{\"id\":\"x\",\"type_id\":2147483648}}", "",
                               "{\"x\":{\"ids\":[0]}}")),
     LM_BAD_MODEL, "post_processor.SpecialToken.type_id"},
    {MODEL("\"u\":0", TEMPLATE("{\"SpecialToken\":{\"id\":\"x\"}}", "", "{\"x\":{}}")),
     LM_BAD_MODEL, "post_processor.special_tokens.ids"},
    {MODEL("\"u\":0", TEMPLATE("{\"SpecialToken\":{\"id\":\"x\"}}", "", "{\"x\":{\"ids\":[1]}}")),
     LM_BAD_MODEL, "post_processor.special_tokens.ids"},
    {MODEL("\"u\":0", ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"special_tokens\":{},"
                      "\"single\":{}}"),
     LM_BAD_MODEL, "post_processor.single"},
    {MODEL("\"u\":0", ",\"post_processor\":{\"type\":\"TemplateProcessing\"}"), LM_BAD_MODEL,
     "post_processor.special_tokens"},
    {MODEL("\"u\":0", ",\"added_tokens\":[{\"id\":1}]"), LM_BAD_MODEL, "added_tokens.content"},
    {MODEL("\"u\":0", ",\"added_tokens\":[{\"id\":-1,\"content\":\"x\"}]"), LM_BAD_MODEL,
     "added_tokens.id"},
    {MODEL("\"u\":0", ",\"added_tokens\":[{\"id\":1,\"content\":\"x\",\"lstrip\":1}]"),
     LM_BAD_MODEL, "added_tokens.lstrip"},
    {MODEL("\"u\":0", ",\"added_tokens\":[{\"id\":1,\"content\":\"x\",\"normalized\":1}]"),
     LM_BAD_MODEL, "added_tokens.normalized"},
};

static void
test_bad_files(void)
{
    for (size_t i = 0; i < sizeof bad_files / sizeof bad_files[0]; i++) {
        fixture f;
        lm_status status;

        open_empty(&f);
        status = compile_json(&f, bad_files[i].json, strlen(bad_files[i].json), NULL, 100);
        if (status != bad_files[i].status || strcmp(f.ctx.error.key, bad_files[i].key) != 0)
            UNIT_FAIL("%s: status %d, key %s", bad_files[i].json, status, f.ctx.error.key);
        CHECK(f.ctx.error.message[0] && f.ctx.error.found[0]);
        CHECK(strcmp(f.ctx.error.file, "tokenizer.json") == 0);
        close_fixture(&f);
    }
}

/* The form of the first published files: no type of the model, members in another order. */
static void
test_untyped_model(void)
{
    static const char json[] =
        "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[],"
        "\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"post_processor\":"
        "null,"
        "\"decoder\":null,\"model\":{" UNTYPED("\"unk_token\":\"u\"") "}}";
    static const int32_t ids[] = {1, 2, 1, 0};
    fixture f;

    open_empty(&f);
    CHECK_OK(&f.ctx, compile_json(&f, json, strlen(json), NULL, 100));
    CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
    encode(&f, "ab a abbb", 9, &everything);
    CHECK_EQ_INT(f.out.count, 4);
    CHECK(memcmp(f.out.ids, ids, sizeof ids) == 0);
    close_fixture(&f);
}

static void
test_unknown_stage_is_named(void)
{
    static const char json[] = MODEL("\"u\":0", ",\"normalizer\":{\"type\":\"Nmt\"}");
    fixture f;

    open_empty(&f);
    CHECK_EQ_INT(compile_json(&f, json, strlen(json), NULL, 100), LM_UNSUPPORTED);
    CHECK(strstr(f.ctx.error.message, "\"Nmt\"") != NULL);
    CHECK(strstr(f.ctx.error.allowed, "BertNormalizer, Sequence") != NULL);
    close_fixture(&f);
}

/* A vocabulary whose pieces nest so that the lists of pops would be quadratic is refused in time.
 */
static void
test_nested_vocabulary(void)
{
    size_t length = 12000;
    char *long_key = malloc(length + 1), *json = malloc(length + 400);
    fixture f;

    memset(long_key, 'a', length);
    long_key[length] = '\0';
    sprintf(json,
            "{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"a\",\"continuing_subword_prefix\":"
            "\"##\",\"max_input_chars_per_word\":1000000,"
            "\"vocab\":{\"a\":0,\"##a\":1,\"%s\":2}}}",
            long_key);
    open_empty(&f);
    CHECK_EQ_INT(compile_json(&f, json, strlen(json), NULL, 100), LM_TOO_LARGE);
    close_fixture(&f);
    free(long_key);
    free(json);
}

/* Settings of tokenizer_config.json that rule must be of their type. */
static void
test_bad_overrides(void)
{
    static const char *const configs[] = {
        "{\"tokenizer_class\":\"BertTokenizer\",\"do_lower_case\":\"yes\"}",
        "{\"tokenizer_class\":\"BertTokenizer\",\"tokenize_chinese_chars\":1}",
        "{\"tokenizer_class\":\"BertTokenizer\",\"strip_accents\":[]}",
    };
    static const char json[] = MODEL("\"u\":0", "");

    for (size_t i = 0; i < sizeof configs / sizeof configs[0]; i++) {
        fixture f;

        open_empty(&f);
        CHECK_EQ_INT(compile_json(&f, json, strlen(json), configs[i], 100), LM_BAD_MODEL);
        CHECK_STR(f.ctx.error.file, "tokenizer_config.json");
        close_fixture(&f);
    }
}

/* Sequences that are one step too long for the list, wherever it ends. */
static void
test_too_many_steps(void)
{
    static const struct {
        const char *start, *step, *last, *end;
        int steps; /* of `last` */
    } kinds[] = {
        {"\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[", "{\"type\":\"NFC\"},",
         "{\"type\":\"BertNormalizer\"}", "]}", 5},
        {"\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[",
         "{\"type\":\"Whitespace\"},", "{\"type\":\"BertPreTokenizer\"}", "]}", 2},
    };

    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (int steps = LM_MAX_STAGES - kinds[k].steps; steps <= LM_MAX_STAGES; steps++) {
            char json[2000] = "";
            fixture f;

            strcat(json, "{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\","
                         "\"continuing_subword_prefix\":\"##\",\"vocab\":{\"u\":0}},");
            strcat(json, kinds[k].start);
            for (int i = 0; i < steps; i++)
                strcat(json, kinds[k].step);
            strcat(strcat(strcat(json, kinds[k].last), kinds[k].end), "}");
            open_empty(&f);
            CHECK_EQ_INT(compile_json(&f, json, strlen(json), NULL, 100),
                         steps + kinds[k].steps > LM_MAX_STAGES ? LM_TOO_LARGE : LM_OK);
            close_fixture(&f);
        }
}

/* An added token of more bytes than a search of near misses may cost. */
static void
test_long_added_token(void)
{
    for (int length = 512; length <= 513; length++) {
        char json[1000], token[514];
        fixture f;

        memset(token, 'x', sizeof token);
        token[length] = '\0';
        snprintf(json, sizeof json,
                 MODEL("\"u\":0", ",\"added_tokens\":[{\"id\":1,\"content\":\"%s\"}]"), token);
        open_empty(&f);
        CHECK_EQ_INT(compile_json(&f, json, strlen(json), NULL, 100),
                     length > 512 ? LM_BAD_MODEL : LM_OK);
        close_fixture(&f);
    }
}

/* Two added tokens that look the same once they are normalized; a punctuation stage that says so.
 */
static void
test_unusual_files(void)
{
    static const char *const files[] = {
        MODEL("\"u\":0", ",\"normalizer\":{\"type\":\"Lowercase\"},\"added_tokens\":["
                         "{\"id\":1,\"content\":\"Xy\"},{\"id\":2,\"content\":\"xy\"},"
                         "{\"id\":3,\"content\":\"XY\"}]"),
        MODEL("\"u\":0", ",\"pre_tokenizer\":{\"type\":\"Punctuation\",\"behavior\":\"Isolated\"}"),
        MODEL("\"u\":0,\"\":1,\"b\":7", ""),
        MODEL("\"u\":0,\"ab\":1},\"max_input_chars_per_word\":1,\"x\":{", ""),
    };

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        fixture f;

        open_empty(&f);
        CHECK_OK(&f.ctx, compile_json(&f, files[i], strlen(files[i]), NULL, 100));
        CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
        encode(&f, "xy!", 3, &everything);
        CHECK_EQ_INT(f.out.ids[0], i == 0); /* of equal ones the first that is listed */
        close_fixture(&f);
    }
}

/* Every pair of letters is looked up: many meet others in the table. */
static void
test_crowded_lookups(void)
{
    char json[8000] = "{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\","
                      "\"continuing_subword_prefix\":\"##\",\"vocab\":{\"u\":0";
    size_t used = strlen(json);
    fixture f;

    for (int i = 0; i < 200; i++)
        used += (size_t)snprintf(json + used, sizeof json - used, ",\"%c%c\":%d", 'a' + i % 26,
                                 'a' + i / 26, i + 1);
    snprintf(json + used, sizeof json - used, "}}}");
    open_empty(&f);
    CHECK_OK(&f.ctx, compile_json(&f, json, strlen(json), NULL, 1000));
    CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
    for (int i = 0; i < 26 * 26; i++) {
        char name[] = {(char)('a' + i % 26), (char)('a' + i / 26)};

        CHECK_EQ_INT(lm_token_id(&f.tokenizer, name, 2), i < 200 ? i + 1 : -1);
    }
    close_fixture(&f);
}

/* A file of these entries of the vocabulary and of added_tokens, ready to use. */
static void
open_vocabulary(fixture *f, const char *vocab, const char *added)
{
    static char json[8000];

    snprintf(
        json, sizeof json,
        "{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"max_input_chars_per_word\":9,"
        "\"continuing_subword_prefix\":\"##\",\"vocab\":{\"u\":0,%s}},\"added_tokens\":[%s]}",
        vocab, added);
    open_empty(f);
    CHECK_OK(&f->ctx, compile_json(f, json, strlen(json), NULL, 1000));
    CHECK_OK(&f->ctx, lm_tokenizer_bind(&f->ctx, f->image.data, f->image.size, &f->tokenizer));
}

/* Texts of all lengths, ids with gaps, and tokens that no word holds: added, empty, too long. */
static void
test_texts_and_ids(void)
{
    static char long_text[] =
        "a text of more than a hundred and twenty-seven bytes, whose length "
        "is written in two bytes: the vocabulary allows it to have any length";
    static const struct {
        const char *text;
        int32_t id;
        bool special;
    } known[] = {{"u", 0, false},        {"", 1, false},           {"ab", 3, false},
                 {"##ab", 4, false},     {"zz", 8, true},          {"b", 9, false},
                 {"ac", 10, false},      {"abc", 15, false},       {"a", 16, false},
                 {long_text, 17, false}, {"ninecharss", 40, false}};
    static const char *const absent[] = {"#", "##",  "##abc", "abcd",     "c",
                                         "z", "zzz", "aa",    "ninechars"};
    char vocab[1000];
    size_t length;
    fixture f;

    snprintf(vocab, sizeof vocab,
             "\"\":1,\"ab\":3,\"##ab\":4,\"abc\":15,\"a\":16,\"%s\":17,\"ninecharss\":40",
             long_text);
    open_vocabulary(&f, vocab,
                    "{\"id\":8,\"content\":\"zz\",\"special\":true},{\"id\":9,\"content\":\"b\"},"
                    "{\"id\":10,\"content\":\"ac\"}");
    CHECK_EQ_INT(f.tokenizer.vocab_size, 41);
    for (int32_t id = 0, next = 0; id < 41; id++) {
        const char *text = lm_token_text(&f.tokenizer, id, &length);

        if (known[next].id != id) {
            CHECK(!text && !lm_token_is_special(&f.tokenizer, id));
            continue;
        }
        CHECK(text && length == strlen(known[next].text) &&
              memcmp(text, known[next].text, length) == 0);
        CHECK_EQ_INT(lm_token_id(&f.tokenizer, known[next].text, strlen(known[next].text)), id);
        CHECK_EQ_INT(lm_token_is_special(&f.tokenizer, id), known[next].special);
        next++;
    }
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        CHECK_EQ_INT(lm_token_id(&f.tokenizer, absent[i], strlen(absent[i])), -1);
    close_fixture(&f);
}

/* Several tokens at once where a longer one does not go on, with characters of several bytes. */
static void
test_offsets_of_pieces(void)
{
    static const char vocab[] = "\"a\":1,\"##\xc3\xa9\":2,\"##c\":3,\"a\xc3\xa9"
                                "cd\":4,\"##x\":5,\"##\xc3\xa9"
                                "cdd\":6";
    static const struct {
        const char *word;
        int count;
        int32_t ids[6], stops[6];
    } words[] = {
        {"a\xc3\xa9"
         "cx",
         4,
         {1, 2, 3, 5},
         {1, 2, 3, 4}},
        {"a\xc3\xa9"
         "cdx",
         2,
         {4, 5},
         {4, 5}},
        {"##\xc3\xa9"
         "cx",
         3,
         {2, 3, 5},
         {3, 4, 5}}, /* a token as it is written may start a word */
        {"##\xc3\xa9\xc3\xa9"
         "cx",
         4,
         {2, 2, 3, 5},
         {3, 4, 5, 6}},
        {"a\xc3\xa9"
         "cdy",
         1,
         {0},
         {5}},
    };
    fixture f;

    open_vocabulary(&f, vocab, "");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        encode(&f, words[i].word, strlen(words[i].word), &everything);
        CHECK_EQ_INT(f.out.count, words[i].count);
        for (int k = 0; k < words[i].count; k++) {
            CHECK_EQ_INT(f.out.ids[k], words[i].ids[k]);
            CHECK_EQ_INT(f.out.start[k], k == 0 ? 0 : words[i].stops[k - 1]);
            CHECK_EQ_INT(f.out.stop[k], words[i].stops[k]);
        }
    }
    close_fixture(&f);
}

static const struct {
    const char *config, *warning;
} overrides[] = {
    {"{\"tokenizer_class\":\"BertTokenizer\",\"do_lower_case\":false}", ""},
    {"{\"tokenizer_class\":\"PreTrainedTokenizerFast\",\"do_lower_case\":true}", ""},
    {"{\"do_lower_case\":true}", ""},
    {"{\"tokenizer_class\":\"BertTokenizerFast\"}", "lowercase is false"},
    {"{\"tokenizer_class\":\"BertTokenizer\",\"do_lower_case\":true,\"strip_accents\":null}",
     "strip_accents is false"},
    {"{\"tokenizer_class\":\"BertTokenizer\",\"do_lower_case\":false,\"strip_accents\":false}", ""},
    {"{\"tokenizer_class\":\"DistilBertTokenizer\",\"do_lower_case\":false,"
     "\"tokenize_chinese_chars\":false}",
     "handle_chinese_chars is true"},
};

static void
test_overrides(void)
{
    for (size_t i = 0; i < sizeof overrides / sizeof overrides[0]; i++) {
        bool lowers = strstr(overrides[i].warning, "lowercase") ||
                      strstr(overrides[i].warning, "strip_accents");
        fixture f;

        if (!open_path(&f, FOLDER "cased.tokenizer.json", overrides[i].config))
            return;
        if (overrides[i].warning[0])
            CHECK(has_note(&f.notes, overrides[i].warning));
        else
            CHECK_EQ_INT(f.notes.count, 0);
        encode(&f, "A", 1, &everything);
        CHECK_EQ_INT(f.out.ids[1], lm_token_id(&f.tokenizer, lowers ? "a" : "A", 1));
        close_fixture(&f);
    }
}

/* What comes of a template that has a special token of these ids so many times. */
static lm_status
compile_template(const char *ids, int pieces)
{
    static const char start[] =
        "{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"continuing_subword_prefix\":"
        "\"##\",\"vocab\":{\"u\":0}},\"post_processor\":{\"type\":\"TemplateProcessing\","
        "\"special_tokens\":{\"x\":{\"ids\":%s}},"
        "\"pair\":[{\"Sequence\":{\"id\":\"A\"}},{\"Sequence\":{\"id\":\"B\"}}],"
        "\"single\":[{\"Sequence\":{\"id\":\"A\"}}";
    lm_buffer json;
    lm_status status;
    fixture f;

    open_empty(&f);
    lm_buffer_init(&json, &f.ctx);
    lm_buffer_printf(&json, start, ids);
    for (int i = 0; i < pieces; i++)
        lm_buffer_append_string(&json, ",{\"SpecialToken\":{\"id\":\"x\"}}");
    lm_buffer_append_string(&json, "]}}");
    status = compile_json(&f, json.data, json.size, NULL, 100);
    lm_buffer_free(&json);
    close_fixture(&f);
    return status;
}

/* A file whose template repeats a long list of ids would make an image without bounds. */
static void
test_long_template(void)
{
    CHECK_EQ_INT(compile_template("[0,0,0,0,0,0,0,0]", 127), LM_OK);
    CHECK_EQ_INT(compile_template("[0,0,0,0,0,0,0,0]", 128), LM_TOO_LARGE);
}

/* A piece without ids takes no room, and still its name is looked up among all names. */
static void
test_long_empty_template(void)
{
    CHECK_EQ_INT(compile_template("[]", 1023), LM_OK);
    CHECK_EQ_INT(compile_template("[]", 1024), LM_TOO_LARGE);
}

/* A message that shows a long text cuts it between characters. */
static void
test_messages_stay_valid(void)
{
    static const char *const forms[] = {
        "{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"continuing_subword_prefix\":"
        "\"##\",\"vocab\":{\"u\":0,\"%s\":1,\"z\":1}}}",
        "{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"continuing_subword_prefix\":"
        "\"##\",\"vocab\":{\"u\":0}},\"added_tokens\":[{\"id\":1,\"content\":\"%s\"},"
        "{\"id\":1,\"content\":\"%s\"}]}",
    };

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        for (size_t shift = 0; shift < 3; shift++) {
            char text[302], json[2000];
            fixture f;

            memset(text, 'x', shift);
            for (size_t k = 0; k < 99; k++)
                memcpy(text + shift + 3 * k, "\xe4\xb8\xad", 3);
            text[shift + 297] = '\0';
            snprintf(json, sizeof json, forms[i], text, text);
            open_empty(&f);
            CHECK_EQ_INT(compile_json(&f, json, strlen(json), NULL, 100), LM_BAD_MODEL);
            CHECK(strlen(f.ctx.error.found) > 90);
            CHECK_EQ_INT(lm_utf8_valid_prefix(f.ctx.error.found, strlen(f.ctx.error.found)),
                         strlen(f.ctx.error.found));
            close_fixture(&f);
        }
}

static const unit_case cases[] = {
    {"bad_files", test_bad_files},
    {"untyped_model", test_untyped_model},
    {"unknown_stage_is_named", test_unknown_stage_is_named},
    {"nested_vocabulary", test_nested_vocabulary},
    {"bad_overrides", test_bad_overrides},
    {"too_many_steps", test_too_many_steps},
    {"long_added_token", test_long_added_token},
    {"unusual_files", test_unusual_files},
    {"crowded_lookups", test_crowded_lookups},
    {"texts_and_ids", test_texts_and_ids},
    {"offsets_of_pieces", test_offsets_of_pieces},
    {"overrides", test_overrides},
    {"long_template", test_long_template},
    {"long_empty_template", test_long_empty_template},
    {"messages_stay_valid", test_messages_stay_valid},
};

UNIT_MAIN(cases)
