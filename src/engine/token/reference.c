/*
 * reference.c - what transformers makes of the files beside tokenizer.json, and where that gives
 * other ids than tokenizer.json.
 *
 * Classes like BertTokenizer are made anew from the vocabulary: normalizer, pre-tokenizer,
 * template, prefix and added tokens of tokenizer.json count for nothing there. lmtext obeys
 * tokenizer.json (except the settings of BertNormalizer) and notes each difference. A token or
 * setting that only the other files have is refused.
 */
#include "token/reference.h"

#include <stdio.h>
#include <string.h>

#include "token/models.h"
#include "token/pretokenize.h"
#include "token/wordpiece.h"

#define TOKENIZER_FILE "tokenizer.json"
#define CONFIG_FILE "tokenizer_config.json"
#define MAP_FILE "special_tokens_map.json"
#define ADDED_FILE "added_tokens.json"

/* ---------------------------------------------------------------- classes */

/*
 * By their names without "Fast". Those that are no Bert class but normalize as one have other
 * special tokens, which are not compared.
 */
static const lm_token_class classes[] = {
    {"BertTokenizer", true, true, false},
    {"ConvBertTokenizer", true, true, false},
    {"DPRContextEncoderTokenizer", true, true, false},
    {"DPRQuestionEncoderTokenizer", true, true, false},
    {"DPRReaderTokenizer", true, true, false},
    {"DistilBertTokenizer", true, true, false},
    {"ElectraTokenizer", true, true, false},
    {"FunnelTokenizer", true, false, false},
    {"LayoutLMTokenizer", true, true, false},
    {"LxmertTokenizer", true, true, false},
    {"MPNetTokenizer", true, true, false}, /* with tokens of its own: see `standards` */
    {"MobileBertTokenizer", true, true, false},
    {"SqueezeBertTokenizer", true, true, false},
    {"PreTrainedTokenizer", false, false, true},
    {"TokenizersBackend", false, false, true},
};

/* Values of model_type whose class is BertTokenizer. */
static const char *const bert_model_types[] = {"bert", "distilbert", "electra", "ernie"};

/* A class without a row: its rules are not known. */
static lm_token_class
class_by_name(const lm_json *name)
{
    char fast[64];

    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        snprintf(fast, sizeof fast, "%sFast", classes[i].name);
        if (lm_json_is_string(name, fast) || lm_json_is_string(name, classes[i].name))
            return classes[i];
    }
    return (lm_token_class){name->as.string.bytes, false, false, false};
}

lm_token_class
lm_token_class_of(const lm_tokenizer_files *files)
{
    const lm_json *const sources[] = {files->config, files->model_config};
    const lm_json *type = lm_json_get(files->model_config, "model_type");

    for (size_t i = 0; i < 2; i++) {
        const lm_json *name = lm_json_get(sources[i], "tokenizer_class");

        if (name && name->type == LM_JSON_STRING)
            return class_by_name(name);
    }
    for (size_t i = 0; i < sizeof bert_model_types / sizeof bert_model_types[0]; i++)
        if (lm_json_is_string(type, bert_model_types[i]))
            return classes[0];
    return (lm_token_class){.name = ""};
}

bool
lm_tokenizer_class_implied(const lm_tokenizer_files *files)
{
    lm_tokenizer_files named = *files;

    named.model_config = NULL;
    return lm_token_class_of(files).normalizes && !lm_token_class_of(&named).normalizes;
}

/* A setting that is left out there has that loader's default, whatever tokenizer.json says. */
lm_status
lm_token_override(lm_context *ctx, const lm_tokenizer_files *files, const lm_token_class *class,
                  lm_bert_override *override)
{
    lm_field field = {files->config, "tokenizer_config"};
    bool given;

    *override = (lm_bert_override){.present = class->normalizes, .clean = true};
    if (!override->present)
        return LM_OK;
    LM_TRY(lm_field_bool(ctx, field, "do_lower_case", true, &override->lowercase));
    LM_TRY(lm_field_bool(ctx, field, "tokenize_chinese_chars", true, &override->chinese));
    LM_TRY(lm_field_optional_bool(ctx, field, "strip_accents", &given, &override->strip_accents));
    if (!given)
        override->strip_accents = override->lowercase;
    return LM_OK;
}

/* One of two texts, or nothing: then *left stays. */
static lm_status
read_side(lm_context *ctx, const char *file, lm_field field, const char *key, const char *sides[2],
          bool *left)
{
    const lm_json *side = lm_json_get(field.object, key);

    if (!side)
        return LM_OK;
    for (int i = 0; i < 2; i++)
        if (lm_json_is_string(side, sides[i])) {
            *left = i == 0;
            return LM_OK;
        }
    lm_field_wrong(ctx, field, key, side, "");
    lm_detail_file(ctx, file);
    return lm_detail_allowed(ctx, "\"%s\" or \"%s\"", sides[0], sides[1]);
}

/* tokenizer_config.json comes first, as in transformers. */
lm_status
lm_token_cuts_left(lm_context *ctx, const lm_tokenizer_files *files, bool *left)
{
    static const char *sides[] = {"left", "right"}, *directions[] = {"Left", "Right"};
    const lm_field truncation = {lm_json_get(files->tokenizer, "truncation"), "truncation"};

    *left = false;
    LM_TRY(read_side(ctx, TOKENIZER_FILE, truncation, "direction", directions, left));
    return read_side(ctx, CONFIG_FILE, (lm_field){files->config, ""}, "truncation_side", sides,
                     left);
}

/* ---------------------------------------------------------------- checks */

typedef struct checker {
    lm_context *ctx;
    const lm_tokenizer_files *files;
    const lm_token_class *class;
    const lm_bert_override *override;
    const lm_token_image *image;
    lm_vocab *vocab;
    lm_notes *notes;
    const lm_json *decoder; /* added_tokens_decoder: with it the two small files are not read */
} checker;

static lm_status check_keys(const checker *c);
static lm_status check_named(const checker *c);
static lm_status check_types(const checker *c);
static lm_status check_bert(const checker *c);

lm_status
lm_token_check_reference(lm_context *ctx, const lm_tokenizer_files *files,
                         const lm_token_class *class, const lm_bert_override *override,
                         const lm_token_image *image, lm_vocab *vocab, lm_notes *notes)
{
    const checker c = {ctx,   files, class, override,
                       image, vocab, notes, lm_json_get(files->config, "added_tokens_decoder")};

    if (!notes)
        return LM_OK;
    LM_TRY(check_keys(&c));
    LM_TRY(check_named(&c));
    LM_TRY(check_types(&c));
    if (class->is_bert)
        return check_bert(&c);
    if (class->name[0] != '\0' && !class->obeys && !files->older)
        lm_notes_add(notes, CONFIG_FILE, "tokenizer_class",
                     "transformers makes a %.100s by rules of its own; lmtext obeys tokenizer.json",
                     class->name);
    return LM_OK;
}

static lm_status
check_keys(const checker *c)
{
    const lm_tokenizer_files *files = c->files;

    LM_TRY(
        lm_keys_check(c->ctx, c->notes, TOKENIZER_FILE, "", files->tokenizer, lm_tokenizer_keys));
    LM_TRY(lm_keys_check(c->ctx, c->notes, TOKENIZER_FILE, "model.",
                         lm_json_get(files->tokenizer, "model"), lm_tokenizer_model_keys));
    LM_TRY(lm_keys_check(c->ctx, c->notes, TOKENIZER_FILE, "truncation.",
                         lm_json_get(files->tokenizer, "truncation"), lm_truncation_keys));
    LM_TRY(
        lm_keys_check(c->ctx, c->notes, CONFIG_FILE, "", files->config, lm_tokenizer_config_keys));
    if (c->decoder)
        return LM_OK;
    return lm_keys_check(c->ctx, c->notes, MAP_FILE, "", files->special_map, lm_special_map_keys);
}

/* ---------------------------------------------------------------- special tokens by name */

enum { UNK, SEP, PAD, CLS, MASK, STANDARD_COUNT };

static const char *const standard_keys[STANDARD_COUNT] = {
    [UNK] = "unk_token", [SEP] = "sep_token",   [PAD] = "pad_token",
    [CLS] = "cls_token", [MASK] = "mask_token",
};

/* What a class that makes all stages takes where no file has the key, and its template. */
typedef struct standard_tokens {
    const char *class; /* NULL: every other one */
    const char *texts[STANDARD_COUNT];
    bool robertas; /* pairs are as RoBERTa's: two separators, and no types */
    const char *shown;
} standard_tokens;

static const standard_tokens standards[] = {
    {"MPNetTokenizer",
     {"[UNK]", "</s>", "<pad>", "<s>", "<mask>"},
     true,
     "the template <s> A </s>, and <s> A </s> </s> B </s>"},
    {NULL,
     {"[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"},
     false,
     "the template [CLS] A [SEP], and [CLS] A [SEP] B [SEP]"},
};

static const standard_tokens *
standard_of(const checker *c)
{
    const standard_tokens *row = standards;

    while (row->class && strcmp(row->class, c->class->name) != 0)
        row++;
    return row;
}

/* A token is a string, or an object with its content and flags; NULL: it is neither. */
static const lm_json *
token_content(const lm_json *token)
{
    if (token && token->type == LM_JSON_OBJECT)
        token = lm_json_get(token, "content");
    return token && token->type == LM_JSON_STRING ? token : NULL;
}

/* The entry of a text if tokenizer.json has it among its added tokens; it is marked as named. */
static lm_vocab_token *
find_listed(const checker *c, const char *text, size_t length)
{
    int32_t id = lm_vocab_find(c->vocab, text, length);
    lm_vocab_token *token = id >= 0 ? &c->vocab->tokens[id] : NULL;

    if (!token || !token->listed)
        return NULL;
    token->named = true;
    return token;
}

/* Fail: a token or setting of another file would change ids. */
static lm_status
refuse(const checker *c, const char *file, const char *path, const char *key, const char *found,
       const char *allowed)
{
    lm_raise(c->ctx, LM_UNSUPPORTED, "a special token of the model is not supported");
    lm_detail_file(c->ctx, file);
    lm_detail_key(c->ctx, "%s%s%s", path, path[0] && key[0] ? "." : "", key);
    lm_detail_found(c->ctx, "%.100s", found);
    lm_detail_allowed(c->ctx, "%s", allowed);
    return lm_notes_refuse(c->ctx, c->notes);
}

/* A text that transformers adds to the special tokens, and finds in texts. */
static lm_status
check_text(const checker *c, const char *file, const char *path, const char *key, const char *text,
           size_t length)
{
    LM_TRY(lm_poll(c->ctx));
    if (length == 0 || find_listed(c, text, length))
        return LM_OK;
    return refuse(c, file, path, key, text, "a token of added_tokens in tokenizer.json");
}

static bool
ends_in_token(const lm_json *member)
{
    static const char end[] = "_token";
    const size_t length = sizeof end - 1;

    return member->key_length > length &&
           memcmp(member->key + member->key_length - length, end, length) == 0;
}

/* Whether a Bert class has a token of this key anyhow: check_bert looks at it. */
static bool
is_standard(const checker *c, const char *key)
{
    for (size_t i = 0; i < STANDARD_COUNT && c->class->is_bert; i++)
        if (strcmp(standard_keys[i], key) == 0)
            return true;
    return false;
}

/* Members like cls_token, whatever their name. */
static lm_status
check_token_members(const checker *c, const char *file, const lm_json *json)
{
    if (!json || json->type != LM_JSON_OBJECT)
        return LM_OK;
    for (const lm_json *member = json->as.items.first; member; member = member->next) {
        const lm_json *text = token_content(member);

        LM_TRY(lm_poll(c->ctx));
        if (text && ends_in_token(member) && !is_standard(c, member->key))
            LM_TRY(check_text(c, file, member->key, "", text->as.string.bytes,
                              text->as.string.length));
    }
    return LM_OK;
}

/* A list of tokens, or an object of tokens by name. */
static lm_status
check_token_list(const checker *c, const char *file, const lm_json *json, const char *key)
{
    const lm_json *list = lm_json_get(json, key);

    if (!list || (list->type != LM_JSON_ARRAY && list->type != LM_JSON_OBJECT))
        return LM_OK;
    for (const lm_json *item = list->as.items.first; item; item = item->next) {
        const lm_json *text = token_content(item);

        if (text)
            LM_TRY(check_text(c, file, key, list->type == LM_JSON_OBJECT ? item->key : "",
                              text->as.string.bytes, text->as.string.length));
    }
    return LM_OK;
}

static lm_status
check_token_lists(const checker *c, const char *file, const lm_json *json)
{
    static const char *const keys[] = {"extra_special_tokens", "additional_special_tokens",
                                       "model_specific_special_tokens"};

    LM_TRY(check_token_members(c, file, json));
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        LM_TRY(check_token_list(c, file, json, keys[i]));
    return LM_OK;
}

/* The flags that added_tokens_decoder gives a token; what is left out is false. */
static unsigned
decoder_flags(const lm_json *token)
{
    static const struct {
        const char *key;
        unsigned flag;
    } flags[] = {{"single_word", LM_ADDED_SINGLE_WORD},
                 {"lstrip", LM_ADDED_LSTRIP},
                 {"rstrip", LM_ADDED_RSTRIP}};
    const lm_json *special = lm_json_get(token, "special");
    const lm_json *normalized = lm_json_get(token, "normalized");
    bool is_special = special && special->type == LM_JSON_BOOL && special->boolean;
    unsigned set = 0;

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        const lm_json *value = lm_json_get(token, flags[i].key);

        if (value && value->type == LM_JSON_BOOL && value->boolean)
            set |= flags[i].flag;
    }
    if (normalized && normalized->type == LM_JSON_BOOL ? normalized->boolean : !is_special)
        set |= LM_VOCAB_NORMALIZED;
    return set;
}

/* Tokens of added_tokens_decoder; classes of Bert's take their flags from there. */
static lm_status
check_decoder(const checker *c)
{
    if (c->decoder->type != LM_JSON_OBJECT)
        return LM_OK;
    for (const lm_json *member = c->decoder->as.items.first; member; member = member->next) {
        const lm_json *text = token_content(member);
        const lm_vocab_token *token;

        if (!text)
            continue;
        LM_TRY(check_text(c, CONFIG_FILE, "added_tokens_decoder", member->key,
                          text->as.string.bytes, text->as.string.length));
        token = find_listed(c, text->as.string.bytes, text->as.string.length);
        if (token && c->class->is_bert && member->type == LM_JSON_OBJECT &&
            token->flags != decoder_flags(member))
            lm_notes_add(c->notes, CONFIG_FILE, "added_tokens_decoder",
                         "transformers takes the flags of \"%.60s\" from here; lmtext obeys "
                         "tokenizer.json, where they differ",
                         text->as.string.bytes);
    }
    return LM_OK;
}

/* added_tokens.json: ids by their tokens. */
static lm_status
check_added_file(const checker *c)
{
    const lm_json *added = c->files->added;

    if (!added || added->type != LM_JSON_OBJECT)
        return LM_OK;
    for (const lm_json *member = added->as.items.first; member; member = member->next)
        LM_TRY(check_text(c, ADDED_FILE, member->key, "", member->key, member->key_length));
    return LM_OK;
}

/* Every token that another file than tokenizer.json names. */
static lm_status
check_named(const checker *c)
{
    LM_TRY(check_token_lists(c, CONFIG_FILE, c->files->config));
    if (c->decoder)
        return check_decoder(c);
    LM_TRY(check_token_lists(c, MAP_FILE, c->files->special_map));
    return check_added_file(c);
}

/* ---------------------------------------------------------------- type ids */

static bool
has_string(const lm_json *array, const char *text)
{
    if (!array || array->type != LM_JSON_ARRAY)
        return false;
    for (const lm_json *item = array->as.items.first; item; item = item->next)
        if (lm_json_is_string(item, text))
            return true;
    return false;
}

static bool
template_has_types(const lm_token_image *image)
{
    const lm_piece *pieces = lm_image_at(image, image->single);

    for (uint64_t i = 0; i < image->single.count; i++)
        if (pieces[i].type > 0)
            return true;
    return false;
}

/* Types of the template reach the model only where model_input_names lists token_type_ids. */
static lm_status
check_types(const checker *c)
{
    const lm_json *names = lm_json_get(c->files->config, "model_input_names");
    bool given = names && names->type == LM_JSON_ARRAY;

    if (!template_has_types(c->image) ||
        (given ? has_string(names, "token_type_ids") : c->class->is_bert || !c->class->name[0]))
        return LM_OK;
    lm_raise(c->ctx, LM_UNSUPPORTED, "a setting of the model is not supported");
    lm_detail_file(c->ctx, CONFIG_FILE);
    lm_detail_key(c->ctx, "model_input_names");
    lm_detail_found(c->ctx, given ? "no token_type_ids" : "nothing");
    lm_detail_allowed(c->ctx, "token_type_ids among them, since post_processor gives types");
    return lm_notes_refuse(c->ctx, c->notes);
}

/* ---------------------------------------------------------------- classes of Bert's */

/* A standard token as transformers has it: from the small file, the other, or by default. */
static const lm_json *
given_standard(const checker *c, size_t which, const char **file)
{
    const lm_json *token = NULL;

    *file = MAP_FILE;
    if (!c->decoder)
        token = lm_json_get(c->files->special_map, standard_keys[which]);
    if (token)
        return token;
    *file = CONFIG_FILE;
    return lm_json_get(c->files->config, standard_keys[which]);
}

/* Its text; "" where a file says that there is none. */
static const char *
standard_text(const checker *c, size_t which, size_t *length)
{
    const char *file, *fallback = standard_of(c)->texts[which];
    const lm_json *given = given_standard(c, which, &file), *text = token_content(given);

    *length = text ? text->as.string.length : given ? 0 : strlen(fallback);
    return text ? text->as.string.bytes : given ? "" : fallback;
}

/* Its id, or -1. */
static int32_t
standard_id(const checker *c, size_t which)
{
    size_t length;
    const char *text = standard_text(c, which, &length);

    return length > 0 ? lm_vocab_find(c->vocab, text, length) : -1;
}

/* A difference of which only the importer can say whether it matters. */
static void
note(const checker *c, const char *key, const char *what)
{
    lm_notes_add(c->notes, TOKENIZER_FILE, key,
                 "transformers makes a %.40s with %.120s; lmtext obeys tokenizer.json",
                 c->class->name, what);
}

/* Lists of operations are equal where they do the same. */
static lm_status
check_stages(const checker *c)
{
    bool normalizer, pretokenizer;

    LM_TRY(lm_normalizer_is_bert(c->ctx, c->image, c->override, &normalizer));
    LM_TRY(lm_pretokenizer_is_bert(c->ctx, c->image, &pretokenizer));
    if (!normalizer)
        note(c, "normalizer", "a BertNormalizer alone");
    if (!pretokenizer)
        note(c, "pre_tokenizer", "a BertPreTokenizer");
    return LM_OK;
}

static bool
is_template(const lm_token_image *image, lm_span span, const lm_piece *pieces, size_t count)
{
    const lm_piece *own = lm_image_at(image, span);

    for (size_t i = 0; i < count && span.count == count; i++)
        if (own[i].id != pieces[i].id || own[i].type != pieces[i].type)
            return false;
    return span.count == count;
}

/* A token that a file gives, and that is another than the template's. */
static lm_status
check_piece(const checker *c, size_t which, lm_piece piece)
{
    const char *file;
    const lm_json *given = given_standard(c, which, &file);
    size_t length;

    if (!given || piece.id == standard_id(c, which))
        return LM_OK;
    return refuse(c, file, standard_keys[which], "", standard_text(c, which, &length),
                  "the token of the post_processor in tokenizer.json");
}

static lm_status
check_template(const checker *c)
{
    const int32_t cls = standard_id(c, CLS), sep = standard_id(c, SEP);
    const lm_piece pieces[] = {
        {cls, 0}, {LM_PIECE_A, 0}, {sep, 0}, {LM_PIECE_B, 1}, {sep, 1},
    };
    const lm_piece robertas[] = {
        {cls, 0}, {LM_PIECE_A, 0}, {sep, 0}, {sep, 0}, {LM_PIECE_B, 0}, {sep, 0},
    };
    const lm_piece *own = lm_image_at(c->image, c->image->single);
    const standard_tokens *standard = standard_of(c);

    if (cls >= 0 && sep >= 0 && is_template(c->image, c->image->single, pieces, 3) &&
        is_template(c->image, c->image->pair, standard->robertas ? robertas : pieces,
                    standard->robertas ? 6 : 5))
        return LM_OK;
    if (c->image->single.count == 3 && own[1].id == LM_PIECE_A) {
        LM_TRY(check_piece(c, CLS, own[0]));
        LM_TRY(check_piece(c, SEP, own[2]));
    }
    note(c, "post_processor", standard->shown);
    return LM_OK;
}

/* The settings are those of a WordPiece where that is the model. */
static void
check_wordpiece(const checker *c)
{
    const lm_json *model = lm_json_get(c->files->tokenizer, "model");
    const lm_json *prefix = lm_json_get(model, "continuing_subword_prefix");
    const lm_wordpiece *own = lm_image_at(c->image, c->image->settings);
    const char *unk;
    char what[80];
    size_t length;

    if (!lm_json_is_string(prefix, "##"))
        note(c, "model.continuing_subword_prefix", "the prefix ##");
    if (own->max_chars != 100)
        note(c, "model.max_input_chars_per_word", "at most 100 characters a word");
    if (own->unk != standard_id(c, UNK)) {
        unk = standard_text(c, UNK, &length);
        snprintf(what, sizeof what, "the unknown token \"%.40s\"", unk);
        note(c, "model.unk_token", what);
    }
}

static void
check_model(const checker *c)
{
    if (lm_token_model_of(c->image->model) == &lm_wordpiece_model)
        check_wordpiece(c);
    else
        note(c, "model.type", "a WordPiece");
}

/* Special tokens that transformers finds in texts, and tokenizer.json does not list. */
static void
check_unlisted(const checker *c)
{
    char what[120] = "";
    size_t used = 0;

    for (size_t i = 0; i < STANDARD_COUNT; i++) {
        size_t length;
        const char *text = standard_text(c, i, &length);

        if (length > 0 && !find_listed(c, text, length) && used < sizeof what)
            used += (size_t)snprintf(what + used, sizeof what - used, "%s%.20s",
                                     used ? ", " : "the special tokens ", text);
    }
    if (used > 0)
        note(c, "added_tokens", what);
}

/* Added tokens of tokenizer.json that added_tokens_decoder, which has precedence, lacks. */
static lm_status
check_unnamed(const checker *c)
{
    size_t count = 0;
    const char *first = NULL;
    char what[120];

    for (int32_t id = 0; id < c->vocab->size && c->decoder; id++) {
        const lm_vocab_token *token = &c->vocab->tokens[id];

        if (id % 4096 == 4095)
            LM_TRY(lm_poll(c->ctx));
        if (token->text && token->listed && !token->named && count++ == 0)
            first = token->text;
    }
    if (first) {
        snprintf(what, sizeof what, "the added tokens of tokenizer_config.json, without \"%.40s\"",
                 first);
        note(c, "added_tokens", what);
    }
    return LM_OK;
}

/* All that such a class takes from elsewhere than tokenizer.json. */
static lm_status
check_bert(const checker *c)
{
    LM_TRY(check_stages(c));
    LM_TRY(check_template(c));
    check_model(c);
    check_unlisted(c);
    return check_unnamed(c);
}
