/*
 * test_tokenizer_files.c - files of tokenizers: what is refused and which key is named, what is odd
 * and good, what tokenizer_config.json overrides.
 */
#include "tokenizer.h"
#include "base/utf8.h"
#include "token/image.h"
#include "token/stage.h"

#define MODEL(vocab, rest)                                                                         \
    "{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"continuing_subword_prefix\":\"##\"," \
    "\"vocab\":{" vocab "}}" rest "}"

#define BERT_PROCESSING(cls, sep) \
    ",\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":" cls ",\"sep\":" sep "}"
#define TEMPLATE(single, pair, specials)                                                           \
    ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[" single "],\"pair\":[" pair \
    "],\"special_tokens\":" specials "}"

#define BYTE_LEVEL(stage, rest) ",\"" stage "\":{\"type\":\"ByteLevel\"," rest "}"
#define METASPACE(rest) ",\"pre_tokenizer\":{\"type\":\"Metaspace\"" rest "}"
#define REPLACE(stage, pattern, content) \
    ",\"" stage "\":{\"type\":\"Replace\",\"pattern\":" pattern ",\"content\":" content "}"
#define STRIP(rest) ",\"decoder\":{\"type\":\"Strip\"," rest "}"
#define PROCESSORS(members) \
    ",\"post_processor\":{\"type\":\"Sequence\",\"processors\":[" members "]}"
#define ROBERTA(trims, prefix)                                                                    \
    "{\"type\":\"RobertaProcessing\",\"sep\":[\"u\",0],\"cls\":[\"u\",0],\"trim_offsets\":" trims \
    ",\"add_prefix_space\":" prefix "}"

#define ONE_TEMPLATE                                                                            \
    "{\"type\":\"TemplateProcessing\",\"special_tokens\":{},\"single\":[{\"Sequence\":{\"id\":" \
    "\"A\"}}],\"pair\":[{\"Sequence\":{\"id\":\"A\"}},{\"Sequence\":{\"id\":\"B\"}}]}"

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
    {"{\"model\":{\"type\":\"Unigram\"}}", LM_BAD_MODEL, "model.vocab"},
    {"{\"model\":{\"type\":\"BPE\"}}", LM_BAD_MODEL, "model.vocab"},
    {"{\"model\":{\"type\":7}}", LM_BAD_MODEL, "model.type"},
    {"{\"model\":{}}", LM_BAD_MODEL, "model.type"},
    {"{\"model\":{\"type\":null," UNTYPED("\"unk_token\":\"u\"") "}}", LM_BAD_MODEL, "model.type"},
    {"{\"model\":{" UNTYPED("\"unk_token\":\"u\",\"merges\":[7]") "}}", LM_BAD_MODEL,
     "model.merges.0"},
    {"{\"model\":{\"vocab\":{\"u\":0},\"unk_token\":\"x\"}}", LM_BAD_MODEL, "model.unk_token"},
    {"{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"u\":0}}}", LM_BAD_MODEL, "model.unk_token"},
    {"{\"model\":{\"type\":\"WordLevel\",\"vocab\":[],\"unk_token\":\"u\"}}", LM_BAD_MODEL,
     "model.vocab"},
    {"{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"u\":0},\"unk_token\":\"x\"},"
     "\"added_tokens\":[{\"id\":1,\"content\":\"x\"}]}",
     LM_BAD_MODEL, "model.unk_token"},
    {"{\"model\":{\"vocab\":[[\"u\",0]],\"unk_id\":7}}", LM_BAD_MODEL, "model.unk_id"},
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
    {MODEL("\"u\":0", ",\"normalizer\":{\"type\":\"Precompiled\"}"), LM_BAD_MODEL,
     "normalizer.precompiled_charsmap"},
    {MODEL("\"u\":0", ",\"normalizer\":{\"type\":\"Unheard\"}"), LM_UNSUPPORTED, "normalizer.type"},
    {MODEL("\"u\":0", ",\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":1}"),
     LM_BAD_MODEL, "normalizer.lowercase"},
    {MODEL("\"u\":0", ",\"normalizer\":[]"), LM_BAD_MODEL, "normalizer"},
    {MODEL("\"u\":0", ",\"normalizer\":{\"type\":\"Sequence\"}"), LM_BAD_MODEL,
     "normalizer.normalizers"},
    {MODEL("\"u\":0", ",\"pre_tokenizer\":{\"type\":\"Foo\"}"), LM_UNSUPPORTED,
     "pre_tokenizer.type"},
    {MODEL("\"u\":0", ",\"pre_tokenizer\":{\"type\":\"Punctuation\",\"behavior\":\"removed\"}"),
     LM_BAD_MODEL, "pre_tokenizer.behavior"},
    {MODEL("\"u\":0", ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a+)+$\"},"
                      "\"invert\":false}"),
     LM_BAD_MODEL, "pre_tokenizer.behavior"},
    {MODEL("\"u\":0", ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a)\\\\1\"},"
                      "\"behavior\":\"Removed\"}"),
     LM_UNSUPPORTED, "pre_tokenizer.pattern"},
    {MODEL("\"u\":0",
           ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":\"a\",\"behavior\":\"Removed\"}"),
     LM_BAD_MODEL, "pre_tokenizer.pattern"},
    {MODEL("\"u\":0",
           ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{},\"behavior\":\"Removed\"}"),
     LM_BAD_MODEL, "pre_tokenizer.pattern"},
    {MODEL("\"u\":0", ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":1},"
                      "\"behavior\":\"Removed\"}"),
     LM_BAD_MODEL, "pre_tokenizer.pattern"},
    {MODEL("\"u\":0", ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\"a\\u0000\"}"
                      ",\"behavior\":\"Removed\"}"),
     LM_BAD_MODEL, "pre_tokenizer.pattern"},
    {MODEL("\"u\":0", ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\"a\","
                      "\"Regex\":\"a\"},\"behavior\":\"Removed\"}"),
     LM_BAD_MODEL, "pre_tokenizer.pattern"},
    {MODEL("\"u\":0", ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},"
                      "\"behavior\":\"Removed\",\"invert\":1}"),
     LM_BAD_MODEL, "pre_tokenizer.invert"},
    {MODEL("\"u\":0", ",\"pre_tokenizer\":{\"type\":\"Digits\"}"), LM_BAD_MODEL,
     "pre_tokenizer.individual_digits"},
    {MODEL("\"u\":0", ",\"pre_tokenizer\":{\"type\":\"Digits\",\"individual_digits\":1}"),
     LM_BAD_MODEL, "pre_tokenizer.individual_digits"},
    {MODEL("\"u\":0", ",\"pre_tokenizer\":{\"type\":\"CharDelimiterSplit\"}"), LM_BAD_MODEL,
     "pre_tokenizer.delimiter"},
    {MODEL("\"u\":0", ",\"pre_tokenizer\":{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"\"}"),
     LM_BAD_MODEL, "pre_tokenizer.delimiter"},
    {MODEL("\"u\":0", ",\"pre_tokenizer\":{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"ab\"}"),
     LM_BAD_MODEL, "pre_tokenizer.delimiter"},
    {MODEL("\"u\":0", ",\"pre_tokenizer\":{\"type\":\"FixedLength\",\"length\":0}"), LM_BAD_MODEL,
     "pre_tokenizer.length"},
    {MODEL("\"u\":0", ",\"post_processor\":{\"type\":\"RobertaProcessing\"}"), LM_BAD_MODEL,
     "post_processor.cls"},
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
    {MODEL("\"u\":0", ",\"decoder\":{\"type\":\"Nothing\"}"), LM_UNSUPPORTED, "decoder.type"},
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
    {MODEL("\"u\":0", BYTE_LEVEL("pre_tokenizer", "\"trim_offsets\":true")), LM_BAD_MODEL,
     "pre_tokenizer.add_prefix_space"},
    {MODEL("\"u\":0", BYTE_LEVEL("pre_tokenizer", "\"add_prefix_space\":true")), LM_BAD_MODEL,
     "pre_tokenizer.trim_offsets"},
    {MODEL("\"u\":0", BYTE_LEVEL("decoder", "\"add_prefix_space\":true,\"trim_offsets\":true,"
                                            "\"use_regex\":null")),
     LM_BAD_MODEL, "decoder.use_regex"},
    {MODEL("\"u\":0", METASPACE("")), LM_BAD_MODEL, "pre_tokenizer.replacement"},
    {MODEL("\"u\":0", METASPACE(",\"replacement\":\"\"")), LM_BAD_MODEL,
     "pre_tokenizer.replacement"},
    {MODEL("\"u\":0", METASPACE(",\"replacement\":\"__\"")), LM_BAD_MODEL,
     "pre_tokenizer.replacement"},
    {MODEL("\"u\":0", METASPACE(",\"replacement\":\"_\",\"prepend_scheme\":\"First\"")),
     LM_BAD_MODEL, "pre_tokenizer.prepend_scheme"},
    {MODEL("\"u\":0", METASPACE(",\"replacement\":\"_\",\"prepend_scheme\":null")), LM_BAD_MODEL,
     "pre_tokenizer.prepend_scheme"},
    {MODEL("\"u\":0", METASPACE(",\"replacement\":\"_\",\"add_prefix_space\":false")), LM_BAD_MODEL,
     "pre_tokenizer.add_prefix_space"},
    {MODEL("\"u\":0", METASPACE(",\"replacement\":\"_\",\"split\":1")), LM_BAD_MODEL,
     "pre_tokenizer.split"},
    {MODEL("\"u\":0", REPLACE("normalizer", "\"a\"", "\"b\"")), LM_BAD_MODEL, "normalizer.pattern"},
    {MODEL("\"u\":0", REPLACE("normalizer", "{}", "\"b\"")), LM_BAD_MODEL, "normalizer.pattern"},
    {MODEL("\"u\":0", REPLACE("normalizer", "{\"String\":7}", "\"b\"")), LM_BAD_MODEL,
     "normalizer.pattern.String"},
    {MODEL("\"u\":0", REPLACE("normalizer", "{\"String\":\"\"}", "\"b\"")), LM_UNSUPPORTED,
     "normalizer.pattern.String"},
    {MODEL("\"u\":0", REPLACE("normalizer", "{\"Regex\":\"a\\\\1\"}", "\"b\"")), LM_UNSUPPORTED,
     "normalizer.pattern"},
    {MODEL("\"u\":0", REPLACE("normalizer", "{\"Regex\":\"a*\"}", "\"b\"")), LM_UNSUPPORTED,
     "normalizer.pattern"},
    {MODEL("\"u\":0", REPLACE("normalizer", "{\"Regex\":\"a\"}", "7")), LM_BAD_MODEL,
     "normalizer.content"},
    {MODEL("\"u\":0", REPLACE("decoder", "{\"Regex\":\"a+\"}", "\"b\"")), LM_UNSUPPORTED,
     "decoder.pattern"},
    {MODEL("\"u\":0", REPLACE("decoder", "{\"String\":\"a\"}", "null")), LM_BAD_MODEL,
     "decoder.content"},
    {MODEL("\"u\":0", ",\"normalizer\":{\"type\":\"Prepend\"}"), LM_BAD_MODEL,
     "normalizer.prepend"},
    {MODEL("\"u\":0", ",\"normalizer\":{\"type\":\"Prepend\",\"prepend\":\"\"}"), LM_UNSUPPORTED,
     "normalizer.prepend"},
    {MODEL("\"u\":0", ",\"normalizer\":{\"type\":\"Strip\",\"strip_left\":true}"), LM_BAD_MODEL,
     "normalizer.strip_right"},
    {MODEL("\"u\":0", ",\"decoder\":{\"type\":\"BPEDecoder\",\"suffix\":\"\"}"), LM_UNSUPPORTED,
     "decoder.suffix"},
    {MODEL("\"u\":0", ",\"decoder\":{\"type\":\"CTC\",\"pad_token\":\"a\","
                      "\"word_delimiter_token\":\"b\"}"),
     LM_BAD_MODEL, "decoder.cleanup"},
    {MODEL("\"u\":0", ",\"decoder\":{\"type\":\"CTC\",\"pad_token\":\"a\",\"cleanup\":true}"),
     LM_BAD_MODEL, "decoder.word_delimiter_token"},
    {MODEL("\"u\":0", STRIP("\"content\":\"a\",\"start\":1")), LM_BAD_MODEL, "decoder.stop"},
    {MODEL("\"u\":0", STRIP("\"content\":\"a\",\"start\":-1,\"stop\":0")), LM_BAD_MODEL,
     "decoder.start"},
    {MODEL("\"u\":0", STRIP("\"content\":\"ab\",\"start\":1,\"stop\":0")), LM_BAD_MODEL,
     "decoder.content"},
    {MODEL("\"u\":0", ",\"decoder\":{\"type\":\"Sequence\",\"decoders\":[7]}"), LM_BAD_MODEL,
     "decoder.decoders"},
    {MODEL("\"u\":0", PROCESSORS(ROBERTA("1", "true"))), LM_BAD_MODEL,
     "post_processor.processors.trim_offsets"},
    {MODEL("\"u\":0", PROCESSORS(ROBERTA("true", "true") "," ROBERTA("true", "true"))),
     LM_UNSUPPORTED, "post_processor.processors.type"},
    {MODEL("\"u\":0",
           PROCESSORS(ROBERTA("true", "true") ",{\"type\":\"ByteLevel\","
                                              "\"add_prefix_space\":true,\"trim_offsets\":true}")),
     LM_UNSUPPORTED, "post_processor.processors.type"},
    {MODEL("\"u\":0", PROCESSORS("{\"type\":\"BertProcessing\",\"sep\":[\"u\",0],\"cls\":[\"u\",0],"
                                 "\"trim_offsets\":true,\"add_prefix_space\":true}")),
     LM_UNSUPPORTED, "post_processor.processors.type"},
    {MODEL("\"u\":0", PROCESSORS("{\"type\":\"TemplateProcessing\",\"special_tokens\":{},"
                                 "\"single\":[],\"pair\":[]}")),
     LM_UNSUPPORTED, "post_processor.single"},
    {MODEL("\"u\":0", ",\"normalizer\":{\"type\":\"Strip\",\"strip_right\":true}"), LM_BAD_MODEL,
     "normalizer.strip_left"},
    {MODEL("\"u\":0", ",\"decoder\":{\"type\":\"Metaspace\"}"), LM_BAD_MODEL,
     "decoder.replacement"},
    {MODEL("\"u\":0", ",\"decoder\":{\"type\":\"CTC\",\"word_delimiter_token\":\"b\","
                      "\"cleanup\":true}"),
     LM_BAD_MODEL, "decoder.pad_token"},
    {MODEL("\"u\":0", PROCESSORS("{\"type\":\"Sequence\",\"processors\":[],\"sep\":[\"u\",0],"
                                 "\"cls\":[\"u\",0]}")),
     LM_UNSUPPORTED, "post_processor.processors.type"},
    {MODEL("\"u\":0", PROCESSORS("{\"type\":\"ByteLevel\",\"add_prefix_space\":true}")),
     LM_BAD_MODEL, "post_processor.processors.trim_offsets"},
    {MODEL("\"u\":0", PROCESSORS(ROBERTA("true", "1"))), LM_BAD_MODEL,
     "post_processor.processors.add_prefix_space"},
    {MODEL("\"u\":0", PROCESSORS(ONE_TEMPLATE "," ONE_TEMPLATE)), LM_UNSUPPORTED,
     "post_processor.processors.type"},
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
    static const char json[] = MODEL("\"u\":0", ",\"normalizer\":{\"type\":\"Nothing\"}");
    fixture f;

    open_empty(&f);
    CHECK_EQ_INT(compile_json(&f, json, strlen(json), NULL, 100), LM_UNSUPPORTED);
    CHECK(strstr(f.ctx.error.message, "\"Nothing\"") != NULL);
    CHECK(strstr(f.ctx.error.allowed, "BertNormalizer, Sequence") != NULL);
    close_fixture(&f);
}

/* The names that are allowed are cut where the record is full; rows without a name have no part in
 * it. */
static void
test_many_stages_are_cut(void)
{
    const char *names[20];
    lm_context ctx;

    lm_context_init(&ctx);
    for (size_t i = 0; i < 20; i++)
        names[i] = i % 4 == 1 ? NULL : "ABarelyKnownStage";
    CHECK_EQ_INT(lm_field_no_stage(&ctx, "decoder", "CTC", names, sizeof names[0], 20),
                 LM_UNSUPPORTED);
    CHECK(strncmp(ctx.error.allowed, "ABarelyKnownStage, ABarelyKnownStage, A", 39) == 0);
    CHECK(strlen(ctx.error.allowed) > 100 && strlen(ctx.error.allowed) < 160);
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
        {"\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[",
         "{\"type\":\"Whitespace\"},",
         "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true}", "]}", 2},
        {"\"post_processor\":{\"type\":\"Sequence\",\"processors\":[",
         "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true},",
         ROBERTA("true", "true"), "]}", 1},
    };

    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (int steps = LM_MAX_STAGE_OPS - kinds[k].steps; steps <= LM_MAX_STAGE_OPS; steps++) {
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
                         steps + kinds[k].steps > LM_MAX_STAGE_OPS ? LM_TOO_LARGE : LM_OK);
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

/* U+0000 in a token is a character like others when spaces are cleaned up. */
static void
test_zero_in_token(void)
{
    static const char json[] = MODEL("\"u\":0,\"x \\u0000\":1,\"x \\u0000 .\":2",
                                     ",\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\"}");
    static const char decoded[] = "x \0 x \0.";
    static const int32_t ids[] = {1, 2};
    lm_buffer out;
    fixture f;

    open_empty(&f);
    CHECK_OK(&f.ctx, compile_json(&f, json, strlen(json), NULL, 100));
    CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
    lm_buffer_init(&out, &f.ctx);
    CHECK_OK(&f.ctx, lm_detokenize(&f.ctx, &f.tokenizer, ids, 2, false, &out));
    CHECK(out.size == sizeof decoded - 1 && memcmp(out.data, decoded, out.size) == 0);
    lm_buffer_free(&out);
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

/* The model of a Unigram whose list has as many pieces as an embedding has no rows for. */
static void
test_too_many_pieces(void)
{
    static const char json[] =
        "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"u\",0],[\"a\",0],[\"b\",0]]}}";
    static const struct {
        int32_t rows;
        size_t pieces; /* that the list is said to have */
        lm_status status;
    } cases[] = {{3, 3, LM_OK}, {2, 3, LM_BAD_MODEL}, {INT32_MAX, LM_CELL_LIMIT + 1, LM_BAD_MODEL}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const lm_json *root = NULL;
        lm_json *vocab;
        fixture f;

        open_empty(&f);
        CHECK_OK(&f.ctx, lm_json_parse(&f.ctx, &f.arena, json, strlen(json), "a file", &root));
        vocab = (lm_json *)(uintptr_t)lm_json_get(lm_json_get(root, "model"), "vocab");
        vocab->as.items.count = cases[i].pieces;
        CHECK_EQ_INT(lm_tokenizer_compile(&f.ctx, root, NULL, cases[i].rows, &f.image, NULL),
                     cases[i].status);
        CHECK_STR(f.ctx.error.key, i == 0 ? "" : "model.vocab");
        CHECK(i == 0 || strstr(f.ctx.error.found, "pieces"));
        close_fixture(&f);
    }
}

/* Which tokens go on with a word: what is a key behind the prefix, and no other token. */
static void
test_continuing_tokens(void)
{
    static const char *const prefixes[] = {"##", "", "\xe2\x96\x81"};
    static const bool continues[3][8] = {
        {[3] = true},
        {false},
        {[6] = true},
    };

    for (size_t i = 0; i < 3; i++) {
        char json[400];
        fixture f;

        snprintf(json, sizeof json,
                 "{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\","
                 "\"continuing_subword_prefix\":\"%s\",\"vocab\":{\"u\":0,\"#\":1,\"##\":2,"
                 "\"##a\":3,\"a\":4,\"\xe2\x96\x81\xc3\xa9\":6,\"\":7}}}",
                 prefixes[i]);
        open_empty(&f);
        CHECK_OK(&f.ctx, compile_json(&f, json, strlen(json), NULL, 100));
        CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
        CHECK_EQ_INT(lm_tokenizer_marks_pieces(&f.tokenizer), prefixes[i][0] != '\0');
        for (int32_t id = 0; id < 8; id++)
            if (lm_token_continues(&f.tokenizer, id) != continues[i][id])
                UNIT_FAIL("prefix \"%s\": token %d", prefixes[i], id);
        close_fixture(&f);
    }
}

/* Of a model without such tokens none goes on. */
static void
test_no_continuing_tokens(void)
{
    static const char json[] = "{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"u\",\"vocab\":{"
                               "\"u\":0,\"##a\":1}}}";
    fixture f;

    open_empty(&f);
    CHECK_OK(&f.ctx, compile_json(&f, json, strlen(json), NULL, 100));
    CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
    CHECK(!lm_tokenizer_marks_pieces(&f.tokenizer));
    CHECK(!lm_token_continues(&f.tokenizer, 0) && !lm_token_continues(&f.tokenizer, 1));
    close_fixture(&f);
}

/*
 * A special token that the normalizer changes is shown as it was changed, and is none where special
 * tokens are left out.
 */
static void
test_changed_special_tokens(void)
{
    static const char json[] =
        MODEL("\"u\":0", ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":"
                         "\"Lowercase\"},{\"type\":\"NFD\"}]},"
                         "\"added_tokens\":["
                         "{\"id\":1,\"content\":\"<s>\",\"special\":true,\"normalized\":true},"
                         "{\"id\":2,\"content\":\"<S>x\",\"special\":true,\"normalized\":true},"
                         "{\"id\":3,\"content\":\"<\xc3\xa9>\",\"special\":true,"
                         "\"normalized\":true},"
                         "{\"id\":4,\"content\":\"<Z>\",\"special\":true,\"normalized\":true}"
                         "],\"decoder\":{\"type\":\"Fuse\"}");
    static const int32_t ids[] = {1, 2, 3, 4};
    lm_buffer out;
    fixture f;

    open_empty(&f);
    CHECK_OK(&f.ctx, compile_json(&f, json, strlen(json), NULL, 100));
    CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
    lm_buffer_init(&out, &f.ctx);
    CHECK_OK(&f.ctx, lm_detokenize(&f.ctx, &f.tokenizer, ids, 4, true, &out));
    CHECK_OK(&f.ctx, lm_buffer_append_byte(&out, '\0'));
    CHECK_STR(out.data, "<s>x<e\xcc\x81><z>");
    lm_buffer_free(&out);
    close_fixture(&f);
}

/* The parts of a pair must be there: callers ask for windows of the second text. */
static void
test_windows_of_pairs(void)
{
    static const lm_token_part wrong[][2] = {{{0, 2}, {0, 1}}, {{2, 0}, {0, 1}}, {{1, 1}, {0, 1}},
                                             {{0, 1}, {3, 0}}, {{0, 1}, {1, 2}}, {{0, 1}, {0, 3}}};
    static const lm_token_part good[2] = {{0, 1}, {1, 1}};
    static const char json[] = MODEL("\"u\":0,\"a\":1,\"b\":2,\"##c\":3", "");
    fixture f;
    size_t counts[2];

    open_empty(&f);
    CHECK_OK(&f.ctx, compile_json(&f, json, strlen(json), NULL, 100));
    CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
    CHECK_OK(&f.ctx, lm_tokenize_both(&f.ctx, &f.tokenizer, f.scratch, "a", 1, "bc", 2, &everything,
                                      counts));
    CHECK(counts[0] == 1 && counts[1] == 2);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_EQ_INT(
            lm_tokenize_join(&f.ctx, &f.tokenizer, f.scratch, wrong[i], &everything, &f.out),
            LM_INTERNAL);
    CHECK_OK(&f.ctx, lm_tokenize_join(&f.ctx, &f.tokenizer, f.scratch, good, &everything, &f.out));
    CHECK_EQ_INT(f.out.count, 2);
    CHECK_EQ_INT(f.out.ids[1], 3);
    close_fixture(&f);
}

/* Offsets without white space, where the model has a walk and where words are cut by themselves. */
static void
test_trimmed_offsets(void)
{
    static const char trims[] = "\"post_processor\":{\"type\":\"ByteLevel\",\"add_prefix_space\":"
                                "true,\"trim_offsets\":true}}";
    static const char *const files[] = {
        "{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"continuing_subword_prefix\":"
        "\"##\",\"vocab\":{\"u\":0,\"a\":1,\"##b\":2}},\"pre_tokenizer\":{\"type\":"
        "\"BertPreTokenizer\"},",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"u\":0,\"a\":1,\"b\":2},\"merges\":[]},"
        "\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},"};
    static const int32_t ids[] = {1, 2, 1}, starts[] = {0, 1, 3}, stops[] = {1, 2, 4};

    for (size_t i = 0; i < 2; i++) {
        char json[500];
        fixture f;

        snprintf(json, sizeof json, "%s%s", files[i], trims);
        open_empty(&f);
        CHECK_OK(&f.ctx, compile_json(&f, json, strlen(json), NULL, 100));
        CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
        encode(&f, "ab a", 4, &everything);
        CHECK_EQ_INT(f.out.count, 3);
        CHECK(memcmp(f.out.ids, ids, sizeof ids) == 0);
        CHECK(memcmp(f.out.start, starts, sizeof starts) == 0);
        CHECK(memcmp(f.out.stop, stops, sizeof stops) == 0);
        close_fixture(&f);
    }
}

/* What a pattern matches is replaced; new characters have the place of the last one they replace.
 */
static void
test_replaced_by_pattern(void)
{
    static const char json[] =
        MODEL("\"u\":0,\"a\":1,\"##a\":2,\"##x\":3,\"##\xc3\xa9\":4,\"##b\":5",
              REPLACE("normalizer", "{\"Regex\":\"b+(?=a)\"}",
                      "\"\xc3\xa9x\"") ",\"pre_tokenizer\":"
                                       "{\"type\":\"BertPreTokenizer\"}");
    static const int32_t ids[] = {1, 4, 3, 2, 5, 1, 4, 3, 2},
                         starts[] = {0, 1, 1, 2, 3, 5, 7, 7, 8};
    fixture f;

    open_empty(&f);
    CHECK_OK(&f.ctx, compile_json(&f, json, strlen(json), NULL, 100));
    CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
    encode(&f, "abab abba", 9, &everything);
    CHECK_EQ_INT(f.out.count, 9);
    for (size_t i = 0; i < f.out.count && i < 9; i++) {
        CHECK_EQ_INT(f.out.ids[i], ids[i]);
        CHECK_EQ_INT(f.out.start[i], starts[i]);
        CHECK_EQ_INT(f.out.stop[i], starts[i] + 1);
    }
    close_fixture(&f);
}

/* Tokens that are bytes, in the ways that the reference reads them, and what only looks so. */
static void
test_byte_fallback(void)
{
    static const char json[] = MODEL(
        "\"u\":0,\"<0xE4>\":1,\"<0xB8>\":2,\"<0xAD>\":3,\"<0xe4>\":4,\"<0x+A>\":5,\"<0xG1>\":6,"
        "\"<0x1G>\":7,\"<0x61]\":8,\"<0x6>\":9,\"a\":10,\"<0xb8>\":11,\"<1x61>\":12",
        ",\"decoder\":{\"type\":\"ByteFallback\"}");
    static const struct {
        int32_t ids[5];
        size_t count;
        const char *text;
    } cases[] = {{{1, 2, 3}, 3, "\xe4\xb8\xad"},
                 {{4, 11, 3, 10},
                  4,
                  "\xe4\xb8\xad"
                  "a"},
                 {{1, 2, 10},
                  3,
                  "\xef\xbf\xbd\xef\xbf\xbd"
                  "a"},
                 {{1}, 1, "\xef\xbf\xbd"},
                 {{5, 10}, 2, "\na"},
                 {{6, 7, 8, 9, 12}, 5, "<0xG1><0x1G><0x61]<0x6><1x61>"},
                 {{10, 1, 2, 3, 1}, 5, "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}};
    fixture f;

    open_empty(&f);
    CHECK_OK(&f.ctx, compile_json(&f, json, strlen(json), NULL, 100));
    CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lm_buffer out;

        lm_buffer_init(&out, &f.ctx);
        CHECK_OK(&f.ctx,
                 lm_detokenize(&f.ctx, &f.tokenizer, cases[i].ids, cases[i].count, false, &out));
        CHECK_OK(&f.ctx, lm_buffer_append_byte(&out, '\0'));
        CHECK_STR(out.data, cases[i].text);
        lm_buffer_free(&out);
    }
    close_fixture(&f);
}

static const unit_case cases[] = {
    {"bad_files", test_bad_files},
    {"untyped_model", test_untyped_model},
    {"unknown_stage_is_named", test_unknown_stage_is_named},
    {"many_stages_are_cut", test_many_stages_are_cut},
    {"nested_vocabulary", test_nested_vocabulary},
    {"bad_overrides", test_bad_overrides},
    {"too_many_steps", test_too_many_steps},
    {"long_added_token", test_long_added_token},
    {"unusual_files", test_unusual_files},
    {"crowded_lookups", test_crowded_lookups},
    {"texts_and_ids", test_texts_and_ids},
    {"offsets_of_pieces", test_offsets_of_pieces},
    {"zero_in_token", test_zero_in_token},
    {"overrides", test_overrides},
    {"long_template", test_long_template},
    {"long_empty_template", test_long_empty_template},
    {"messages_stay_valid", test_messages_stay_valid},
    {"too_many_pieces", test_too_many_pieces},
    {"continuing_tokens", test_continuing_tokens},
    {"no_continuing_tokens", test_no_continuing_tokens},
    {"changed_special_tokens", test_changed_special_tokens},
    {"windows_of_pairs", test_windows_of_pairs},
    {"trimmed_offsets", test_trimmed_offsets},
    {"replaced_by_pattern", test_replaced_by_pattern},
    {"byte_fallback", test_byte_fallback},
};

UNIT_MAIN(cases)
