/*
 * test_token_reference.c - the files beside tokenizer.json: which class they name and what it sets,
 * what is refused and by which key, what is noted, and that a version that is stored already is let
 * be.
 */
#include "tokenizer.h"
#include "token/image.h"
#include "token/reference.h"

#define ADDED(token, id)                                                              \
    "{\"id\":" id ",\"content\":\"" token "\",\"special\":true,\"normalized\":false," \
    "\"single_word\":false,\"lstrip\":false,\"rstrip\":false}"
#define ALL_ADDED       \
    ADDED("[PAD]", "0") \
    "," ADDED("[UNK]", "1") "," ADDED("[CLS]", "2") "," ADDED("[SEP]", "3") "," ADDED("[MASK]", "4")
#define NORMALIZER                                                                    \
    "{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true," \
    "\"strip_accents\":null,\"lowercase\":true}"
#define TEMPLATE "{\"type\":\"BertProcessing\",\"cls\":[\"[CLS]\",2],\"sep\":[\"[SEP]\",3]}"
#define SETTINGS                                                                                 \
    "\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":" \
    "100"
#define VOCAB                                                                                    \
    "\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"[MASK]\":4,\"a\":5,\"##b\":6," \
    "\"A\":7}"

/* The stages of a file that BertTokenizer would make itself, each of which a case may change. */
typedef struct parts {
    const char *added, *normalizer, *pretokenizer, *template, *settings, *more;
    const char *type; /* of the model; NULL: WordPiece */
} parts;

static const parts plain = {
    ALL_ADDED, NORMALIZER, "{\"type\":\"BertPreTokenizer\"}", TEMPLATE, SETTINGS, "", NULL};

#define BERT "{\"tokenizer_class\":\"BertTokenizer\"}"
#define GENERIC "{\"tokenizer_class\":\"PreTrainedTokenizerFast\"}"
#define WITH(member) "{\"tokenizer_class\":\"BertTokenizer\"," member "}"
#define GENERIC_WITH(member) "{\"tokenizer_class\":\"PreTrainedTokenizerFast\"," member "}"

static const lm_json *
parse(fixture *f, const char *text)
{
    const lm_json *json = NULL;

    if (text)
        CHECK_OK(&f->ctx, lm_json_parse(&f->ctx, &f->arena, text, strlen(text), "file", &json));
    return json;
}

/* Texts of the files beside tokenizer.json; NULL: not there. */
typedef struct beside {
    const char *config, *map, *added, *model;
} beside;

static lm_status
compile_parts(fixture *f, const parts *p, const beside *b, lm_notes *notes)
{
    char json[4000];
    lm_tokenizer_files files;

    snprintf(json, sizeof json,
             "{\"version\":\"1.0\",\"added_tokens\":[%s],\"normalizer\":%s,\"pre_tokenizer\":%s,"
             "\"post_processor\":%s,\"model\":{\"type\":\"%s\",%s," VOCAB "}%s}",
             p->added, p->normalizer, p->pretokenizer, p->template, p->type ? p->type : "WordPiece",
             p->settings, p->more);
    open_empty(f);
    files = (lm_tokenizer_files){.tokenizer = parse(f, json),
                                 .config = parse(f, b->config),
                                 .special_map = parse(f, b->map),
                                 .added = parse(f, b->added),
                                 .model_config = parse(f, b->model)};
    return lm_tokenizer_compile_files(&f->ctx, &files, 100, &f->image, notes);
}

/* Files that ask for what lmtext does not do. */
static const struct {
    beside files;
    const char *more; /* of tokenizer.json */
    const char *file, *key, *found;
} refused[] = {
    {{.config = WITH("\"split_special_tokens\":true")},
     "",
     "tokenizer_config.json",
     "split_special_tokens",
     "true"},
    {{.config = WITH("\"auto_map\":{\"AutoTokenizer\":[\"x.Y\",null]}")},
     "",
     "tokenizer_config.json",
     "auto_map",
     "{\"AutoTokenizer\":[\"x.Y\",null]}"},
    {{.config = WITH("\"fast_tokenizer_files\":[\"tokenizer.4.0.json\"]")},
     "",
     "tokenizer_config.json",
     "fast_tokenizer_files",
     "[\"tokenizer.4.0.json\"]"},
    {{.config = WITH("\"additional_special_tokens\":[\"[CLS]\",\"<x>\"]")},
     "",
     "tokenizer_config.json",
     "additional_special_tokens",
     "<x>"},
    {{.config = WITH("\"extra_special_tokens\":{\"image_token\":\"a\"}")},
     "",
     "tokenizer_config.json",
     "extra_special_tokens.image_token",
     "a"},
    {{.config = WITH("\"extra_special_tokens\":[{\"content\":\"a\"}]")},
     "",
     "tokenizer_config.json",
     "extra_special_tokens",
     "a"},
    {{.config = WITH("\"audio_token\":\"a\"")}, "", "tokenizer_config.json", "audio_token", "a"},
    {{.config = WITH("\"bos_token\":\"<s>\"")}, "", "tokenizer_config.json", "bos_token", "<s>"},
    {{.config = GENERIC_WITH("\"mask_token\":\"a\"")},
     "",
     "tokenizer_config.json",
     "mask_token",
     "a"},
    {{.config = WITH("\"added_tokens_decoder\":{\"5\":{\"content\":\"a\"}}")},
     "",
     "tokenizer_config.json",
     "added_tokens_decoder.5",
     "a"},
    {{.config = BERT, .map = "{\"additional_special_tokens\":[\"a\"]}"},
     "",
     "special_tokens_map.json",
     "additional_special_tokens",
     "a"},
    {{.map = "{\"eos_token\":{\"content\":\"</s>\",\"lstrip\":false}}"},
     "",
     "special_tokens_map.json",
     "eos_token",
     "</s>"},
    {{.config = BERT, .added = "{\"[CLS]\":2,\"<new>\":8}"},
     "",
     "added_tokens.json",
     "<new>",
     "<new>"},
    {{.config = WITH("\"cls_token\":\"[MASK]\"")},
     "",
     "tokenizer_config.json",
     "cls_token",
     "[MASK]"},
    {{.config = BERT, .map = "{\"sep_token\":{\"content\":\"[PAD]\"}}"},
     "",
     "special_tokens_map.json",
     "sep_token",
     "[PAD]"},
    {{.config = WITH("\"sep_token\":null")}, "", "tokenizer_config.json", "sep_token", ""},
};

static void
test_refused(void)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        parts p = plain;
        fixture f;
        lm_notes notes;

        p.more = refused[i].more;
        lm_notes_init(&notes, false);
        CHECK_EQ_INT(compile_parts(&f, &p, &refused[i].files, &notes), LM_UNSUPPORTED);
        CHECK_STR(f.ctx.error.file, refused[i].file);
        CHECK_STR(f.ctx.error.key, refused[i].key);
        CHECK_STR(f.ctx.error.found, refused[i].found);
        CHECK(f.ctx.error.allowed[0] != '\0');
        close_fixture(&f);
        /* A version that is stored is loaded, and has a note when another is made of it. */
        CHECK_EQ_INT(compile_parts(&f, &p, &refused[i].files, NULL), LM_OK);
        close_fixture(&f);
        lm_notes_init(&notes, true);
        CHECK_EQ_INT(compile_parts(&f, &p, &refused[i].files, &notes), LM_OK);
        CHECK(notes.count > 0);
        close_fixture(&f);
    }
}

/* Which side of long texts is lost; tokenizer_config.json goes before tokenizer.json. */
static const struct {
    beside files;
    const char *more;
    int left;                /* -1: refused */
    const char *key, *found; /* then */
} sides[] = {
    {{0}, "", 0, NULL, NULL},
    {{0}, ",\"truncation\":null", 0, NULL, NULL},
    {{0}, ",\"truncation\":{\"direction\":\"Left\"}", 1, NULL, NULL},
    {{.config = BERT}, ",\"truncation\":{\"direction\":\"Left\"}", 1, NULL, NULL},
    {{.config = WITH("\"truncation_side\":\"left\"")}, "", 1, NULL, NULL},
    {{.config = WITH("\"truncation_side\":\"left\"")},
     ",\"truncation\":{\"direction\":\"Right\"}",
     1,
     NULL,
     NULL},
    {{.config = WITH("\"truncation_side\":\"right\"")},
     ",\"truncation\":{\"direction\":\"Left\"}",
     0,
     NULL,
     NULL},
    {{0}, ",\"truncation\":{\"direction\":\"left\"}", -1, "truncation.direction", "\"left\""},
    {{.config = WITH("\"truncation_side\":\"Left\"")}, "", -1, "truncation_side", "\"Left\""},
    {{.config = WITH("\"truncation_side\":null")}, "", -1, "truncation_side", "null"},
};

static void
test_sides(void)
{
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        parts p = plain;
        fixture f;
        lm_notes notes;

        p.more = sides[i].more;
        lm_notes_init(&notes, false);
        CHECK_EQ_INT(compile_parts(&f, &p, &sides[i].files, &notes),
                     sides[i].left < 0 ? LM_BAD_MODEL : LM_OK);
        if (sides[i].left < 0) {
            CHECK_STR(f.ctx.error.key, sides[i].key);
            CHECK_STR(f.ctx.error.found, sides[i].found);
            CHECK(strstr(f.ctx.error.allowed, " or ") != NULL);
        } else {
            CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
            CHECK_EQ_INT(lm_tokenizer_cuts_left(&f.tokenizer), sides[i].left);
        }
        close_fixture(&f);
    }
}

/* Files that are obeyed, or change nothing: without a note. */
static const struct {
    beside files;
    const char *more;
} silent[] = {
    {{0}, ""},
    {{.config = BERT}, ""},
    {{.config = "{\"tokenizer_class\":\"DistilBertTokenizerFast\"}"}, ""},
    {{.config = GENERIC}, ""},
    {{.model = "{\"model_type\":\"bert\"}"}, ""},
    {{.config = WITH("\"truncation_side\":\"right\"")}, ",\"truncation\":{\"direction\":\"Left\"}"},
    {{.config = BERT}, ",\"truncation\":{\"direction\":\"Right\",\"max_length\":128}"},
    {{.config = BERT}, ",\"truncation\":{\"direction\":\"Left\",\"max_length\":8}"},
    {{.config = WITH("\"truncation_side\":\"left\"")}, ",\"truncation\":{\"max_length\":8}"},
    {{.config = WITH("\"padding_side\":\"left\",\"add_bos_token\":true,\"never_split\":[\"a\"]")},
     ",\"padding\":{\"direction\":\"Left\"}"},
    {{.config = WITH("\"additional_special_tokens\":[\"[CLS]\"],\"extra_special_tokens\":{}")}, ""},
    {{.config = WITH("\"cls_token\":{\"content\":\"[CLS]\",\"lstrip\":false}")}, ""},
    {{.config = BERT, .map = "{\"cls_token\":\"[CLS]\",\"sep_token\":\"[SEP]\"}"}, ""},
    {{.config = BERT, .added = "{\"[CLS]\":2}"}, ""},
    /* With added_tokens_decoder the two small files are not read. */
    {{.config = WITH("\"added_tokens_decoder\":{\"0\":" ADDED("[PAD]", "0") ",\"1\":" ADDED(
          "[UNK]", "1") ",\"2\":" ADDED("[CLS]",
                                        "2") ",\"3\":" ADDED("[SEP]",
                                                             "3") ",\"4\":" ADDED("[MASK]",
                                                                                  "4") "}"),
      .map = "{\"cls_token\":\"a\",\"unheard_of\":1}",
      .added = "{\"<new>\":8}"},
     ""},
    {{.config = GENERIC_WITH("\"cls_token\":\"[MASK]\"")}, ""},
};

static void
test_silent(void)
{
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++) {
        parts p = plain;
        fixture f;
        lm_notes notes;

        p.more = silent[i].more;
        lm_notes_init(&notes, false);
        CHECK_EQ_INT(compile_parts(&f, &p, &silent[i].files, &notes), LM_OK);
        if (notes.count > 0)
            UNIT_FAIL("case %zu: %s", i, notes.items[0].message);
        close_fixture(&f);
    }
}

/* What BertTokenizer would make otherwise. */
static const struct {
    parts parts;
    const char *config;
    const char *key, *message;
} noted[] = {
    {{.added = ""}, BERT, "added_tokens", "the special tokens [UNK], [SEP], [PAD], [CLS], [MASK]"},
    {{.added = ADDED("[CLS]", "2")}, BERT, "added_tokens", "tokens [UNK], [SEP], [PAD], [MASK]"},
    {{.normalizer = "null"}, BERT, "normalizer", "with a BertNormalizer alone"},
    {{.normalizer = "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"}," NORMALIZER "]}"},
     BERT,
     "normalizer",
     "with a BertNormalizer alone"},
    {{.normalizer = "{\"type\":\"BertNormalizer\",\"strip_accents\":true,\"lowercase\":false}"},
     BERT,
     "normalizer.lowercase",
     "lowercase is false in tokenizer.json but true by"},
    {{.pretokenizer = "null"}, BERT, "pre_tokenizer", "with a BertPreTokenizer"},
    {{.pretokenizer = "{\"type\":\"Whitespace\"}"}, BERT, "pre_tokenizer", "a BertPreTokenizer"},
    {{.template = "null"}, BERT, "post_processor", "with the template [CLS] A [SEP]"},
    {{.template = "{\"type\":\"BertProcessing\",\"cls\":[\"a\",5],\"sep\":[\"[SEP]\",3]}"},
     BERT,
     "post_processor",
     "with the template [CLS] A [SEP]"},
    {{.settings = "\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"@\","
                  "\"max_input_chars_per_word\":100"},
     BERT,
     "model.continuing_subword_prefix",
     "with the prefix ##"},
    {{.settings = "\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\","
                  "\"max_input_chars_per_word\":50"},
     BERT,
     "model.max_input_chars_per_word",
     "at most 100 characters"},
    {{.type = "WordLevel"}, BERT, "model.type", "with a WordPiece; lmtext obeys"},
    {{.settings = "\"unk_token\":\"a\",\"continuing_subword_prefix\":\"##\","
                  "\"max_input_chars_per_word\":100"},
     BERT,
     "model.unk_token",
     "the unknown token \"[UNK]\""},
    {{.added = ALL_ADDED "," ADDED("a", "5")},
     WITH("\"added_tokens_decoder\":{\"2\":" ADDED("[CLS]", "2") "}"),
     "added_tokens",
     "without \"a\""},
    {{0},
     WITH("\"added_tokens_decoder\":{\"2\":{\"content\":\"[CLS]\",\"special\":true,"
          "\"lstrip\":true}}"),
     "added_tokens_decoder",
     "takes the flags of \"[CLS]\" from here"},
    {{0}, WITH("\"unheard_of\":1"), "unheard_of", "unknown setting"},
    {{0},
     "{\"tokenizer_class\":\"MyTokenizer\"}",
     "tokenizer_class",
     "makes a MyTokenizer by rules"},
    {{0},
     "{\"tokenizer_class\":\"MPNetTokenizer\",\"cls_token\":\"[CLS]\",\"sep_token\":\"[SEP]\","
     "\"pad_token\":\"[PAD]\",\"mask_token\":\"[MASK]\"}",
     "post_processor",
     "<s> A </s> </s> B </s>"},
};

#define OR_PLAIN(part) p.part = p.part ? p.part : plain.part

static void
test_noted(void)
{
    for (size_t i = 0; i < sizeof noted / sizeof noted[0]; i++) {
        const beside files = {.config = noted[i].config};
        parts p = noted[i].parts;
        fixture f;
        lm_notes notes;

        OR_PLAIN(added);
        OR_PLAIN(normalizer);
        OR_PLAIN(pretokenizer);
        OR_PLAIN(template);
        OR_PLAIN(settings);
        OR_PLAIN(more);
        lm_notes_init(&notes, false);
        CHECK_EQ_INT(compile_parts(&f, &p, &files, &notes), LM_OK);
        CHECK_EQ_INT(notes.count, 1);
        CHECK_STR(notes.items[0].key, noted[i].key);
        if (!has_note(&notes, noted[i].message))
            UNIT_FAIL("case %zu: %s", i, notes.items[0].message);
        close_fixture(&f);
    }
}

/* A class that obeys tokenizer.json has none of these notes. */
static void
test_generic_class(void)
{
    const beside files = {.config = GENERIC};
    parts p = plain;
    fixture f;
    lm_notes notes;

    p.added = "";
    p.normalizer = p.pretokenizer = p.template = "null";
    p.settings =
        "\"unk_token\":\"a\",\"continuing_subword_prefix\":\"@\",\"max_input_chars_per_word\":7";
    lm_notes_init(&notes, false);
    CHECK_EQ_INT(compile_parts(&f, &p, &files, &notes), LM_OK);
    CHECK_EQ_INT(notes.count, 0);
    close_fixture(&f);
}

/* Types of the template are lost where the class gives the model none. */
static void
test_types(void)
{
    static const char typed[] =
        "{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":1}}],"
        "\"pair\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"Sequence\":{\"id\":\"B\","
        "\"type_id\":1}}],\"special_tokens\":{}}";
    static const struct {
        const char *config;
        lm_status status;
    } cases[] = {
        {GENERIC, LM_UNSUPPORTED},
        {GENERIC_WITH("\"model_input_names\":[\"input_ids\",\"token_type_ids\"]"), LM_OK},
        {WITH("\"model_input_names\":[\"input_ids\"]"), LM_UNSUPPORTED},
        {BERT, LM_OK}, /* noted: its template is another */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const beside files = {.config = cases[i].config};
        parts p = plain;
        fixture f;
        lm_notes notes;

        p.template = typed;
        lm_notes_init(&notes, false);
        CHECK_EQ_INT(compile_parts(&f, &p, &files, &notes), cases[i].status);
        if (cases[i].status != LM_OK)
            CHECK_STR(f.ctx.error.key, "model_input_names");
        close_fixture(&f);
    }
}

/* Who names the class: tokenizer_config.json, config.json, model_type; with it comes lower case. */
static void
test_class(void)
{
    static const struct {
        beside files;
        int32_t id; /* of "A", which is 5 in lower case */
    } cases[] = {
        {{0}, 7},
        {{.model = "{\"model_type\":\"bert\"}"}, 5},
        {{.config = "{\"do_lower_case\":false}", .model = "{\"model_type\":\"bert\"}"}, 7},
        {{.config = "{}", .model = "{\"model_type\":\"bert\"}"}, 5},
        {{.config = "{\"tokenizer_class\":null}", .model = "{\"model_type\":\"bert\"}"}, 5},
        {{.config = GENERIC, .model = "{\"model_type\":\"bert\"}"}, 7},
        {{.model = "{\"model_type\":\"bert\",\"tokenizer_class\":\"PreTrainedTokenizerFast\"}"}, 7},
        {{.config = BERT, .model = "{\"tokenizer_class\":\"PreTrainedTokenizerFast\"}"}, 5},
        {{.model = "{\"model_type\":\"mpnet\"}"}, 7},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        parts p = plain;
        fixture f;

        p.normalizer = "{\"type\":\"BertNormalizer\",\"lowercase\":false}";
        CHECK_EQ_INT(compile_parts(&f, &p, &cases[i].files, NULL), LM_OK);
        CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
        encode(&f, "A", 1, &everything);
        CHECK_EQ_INT(f.out.count, 3);
        CHECK_EQ_INT(f.out.ids[1], cases[i].id);
        close_fixture(&f);
    }
}

/* No key stands twice, refused ones are refused with a reason, and each has one of the three uses.
 */
static void
test_tables(void)
{
    static const lm_key_rule *const tables[] = {lm_tokenizer_keys, lm_tokenizer_model_keys,
                                                lm_truncation_keys, lm_tokenizer_config_keys,
                                                lm_special_map_keys};

    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        for (const lm_key_rule *rule = tables[i]; rule->key; rule++) {
            CHECK(lm_keys_find(tables[i], rule->key) == rule);
            CHECK(rule->use == LM_KEY_REFUSED || !rule->allowed);
        }
}

static const unit_case cases[] = {
    {"refused", test_refused}, {"silent", test_silent},
    {"noted", test_noted},     {"generic_class", test_generic_class},
    {"types", test_types},     {"class", test_class},
    {"tables", test_tables},   {"sides", test_sides},
};

UNIT_MAIN(cases)
