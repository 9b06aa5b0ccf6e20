/*
 * older_files.c - what transformers makes of a tokenizer's files of before tokenizer.json.
 *
 * The text of a tokenizer.json is written and parsed, so that one compiler reads all. Its added
 * tokens are in the reference's order, which decides about new ids: those of added_tokens_decoder
 * or added_tokens.json by their number, then the special tokens that have names, then the others.
 */
#include "token/older_files.h"

#include <string.h>

#include "base/intern.h"
#include "base/sort.h"
#include "base/unicode.h"
#include "base/utf8.h"
#include "token/older_merges.h"
#include "token/older_spm.h"
#include "token/reference.h"

enum { BOS, EOS, UNK, SEP, PAD, CLS, MASK, SPECIAL_COUNT };

static const char *const special_keys[SPECIAL_COUNT] = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

typedef struct builder builder;

/* A class of transformers that reads such files. */
typedef struct older_class {
    const char *name;
    const char *model_types[12];       /* of config.json, where no file names a class */
    const char *tokens[SPECIAL_COUNT]; /* its special tokens; NULL: none */
    bool bert;                         /* reads vocab.txt, and is all that BertTokenizer is */
    lm_status (*write)(builder *b);    /* all members but model and added_tokens */
    const lm_spm_rules *spm;           /* reads a model of SentencePiece; else NULL */
} older_class;

/* A special token by its name. */
typedef struct special {
    const char *text; /* NULL: none */
    size_t length;
    const lm_json *given; /* where a file has it */
} special;

/* A token that is added. The last one of a text tells its flags, the first one its id. */
typedef struct added {
    uint32_t number;      /* its word */
    const lm_json *flags; /* an object with them; else NULL */
    bool special;
    bool listed; /* whatever else names it changes nothing */
    bool plain;  /* it was also named as a string */
} added;

/* A token of added_tokens_decoder or added_tokens.json. */
typedef struct listed {
    int64_t number;
    const char *text;
    size_t length;
    const lm_json *flags; /* an object, or NULL */
} listed;

struct builder {
    lm_context *ctx;
    const lm_tokenizer_files *files;
    const older_class *class;
    const lm_json *decoder; /* added_tokens_decoder: with it the two small files are not read */
    special special[SPECIAL_COUNT];
    lm_intern words;  /* tokens of the vocabulary, then new ones */
    lm_buffer ids;    /* int64_t by word */
    lm_buffer places; /* uint32_t by word: its place in `added` + 1, or 0 */
    lm_buffer added;  /* added */
    lm_buffer listed; /* listed */
    int64_t next_id;
    lm_buffer text; /* the tokenizer.json */
    lm_arena *arena;
    lm_spm_model spm_file, spm; /* as it is, and as the class arranges it */
};

static lm_status write_bert(builder *b), write_roberta(builder *b), write_gpt2(builder *b);
static lm_status write_spm(builder *b), write_llama(builder *b), write_gemma(builder *b);

static const older_class classes[] = {
    {"BertTokenizer",
     {"bert", "convbert", "distilbert", "electra", "layoutlm", "megatron-bert", "squeezebert"},
     {[UNK] = "[UNK]", [SEP] = "[SEP]", [PAD] = "[PAD]", [CLS] = "[CLS]", [MASK] = "[MASK]"},
     true,
     write_bert,
     NULL},
    {"RobertaTokenizer",
     {"bart", "longformer", "mra", "roberta", "roberta-prelayernorm"},
     {"<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"},
     false,
     write_roberta,
     NULL},
    {"GPT2Tokenizer",
     {"gpt2", "gpt_neo", "gptj", "opt", "phi", "starcoder2"},
     {[BOS] = "<|endoftext|>", [EOS] = "<|endoftext|>", [UNK] = "<|endoftext|>"},
     false,
     write_gpt2,
     NULL},
    {"XLMRobertaTokenizer",
     {"xlm-roberta", "xlm-roberta-xl", "xmod"},
     {"<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"},
     false,
     write_spm,
     &lm_spm_xlm_roberta},
    {"CamembertTokenizer",
     {"camembert"},
     {"<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"},
     false,
     write_spm,
     &lm_spm_camembert},
    {"T5Tokenizer",
     {"t5", "mt5", "umt5"},
     {[EOS] = "</s>", [UNK] = "<unk>", [PAD] = "<pad>"},
     false,
     write_spm,
     &lm_spm_t5},
    {"AlbertTokenizer",
     {"albert"},
     {"[CLS]", "[SEP]", "<unk>", "[SEP]", "<pad>", "[CLS]", "[MASK]"},
     false,
     write_spm,
     &lm_spm_albert},
    {"DebertaV2Tokenizer",
     {"deberta-v2"},
     {"[CLS]", "[SEP]", "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"},
     false,
     write_spm,
     &lm_spm_deberta},
    {"LlamaTokenizer",
     {NULL}, /* those of Llama have none: transformers makes another tokenizer of them */
     {[BOS] = "<s>", [EOS] = "</s>", [UNK] = "<unk>"},
     false,
     write_llama,
     &lm_spm_llama},
    {"GemmaTokenizer",
     {"gemma", "gemma2", "gemma3", "gemma3_text", "gemma3n", "gemma3n_text", "t5gemma"},
     {[BOS] = "<bos>", [EOS] = "<eos>", [UNK] = "<unk>", [PAD] = "<pad>", [MASK] = "<mask>"},
     false,
     write_gemma,
     &lm_spm_gemma},
};

/* Values of model_type for which transformers does not trust the class that a file names. */
static const char *const distrusted[] = {"mistral", "modernbert", "qwen2"};

/* ---------------------------------------------------------------- the class */

static bool
has_model_type(const older_class *class, const lm_json *type)
{
    for (size_t i = 0; class->model_types[i]; i++)
        if (lm_json_is_string(type, class->model_types[i]))
            return true;
    return false;
}

/* The name without "Fast", as transformers reads it. */
static bool
is_named(const char *name, const char *class)
{
    size_t length = strlen(class);

    return strncmp(name, class, length) == 0 &&
           (name[length] == '\0' || strcmp(name + length, "Fast") == 0);
}

static bool
is_distrusted(const lm_json *type)
{
    for (size_t i = 0; i < sizeof distrusted / sizeof distrusted[0]; i++)
        if (lm_json_is_string(type, distrusted[i]))
            return true;
    return false;
}

static const older_class *
find_class(const lm_tokenizer_files *files)
{
    const lm_token_class class = lm_token_class_of(files);
    const lm_json *type = lm_json_get(files->model_config, "model_type");

    if (class.is_bert)
        return &classes[0];
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (class.name[0] != '\0' ? is_named(class.name, classes[i].name)
                                  : has_model_type(&classes[i], type))
            return classes[i].spm && classes[i].spm->bpe && is_distrusted(type) ? NULL
                                                                                : &classes[i];
    return NULL;
}

static bool
has_files(const older_class *class, const lm_tokenizer_files *files)
{
    if (class && class->spm)
        return files->spm && files->spm[class->spm->file].bytes;
    return class && (class->bert ? files->vocab_lines != NULL
                                 : files->vocab_json != NULL && files->merges != NULL);
}

lm_status
lm_older_blame(lm_context *ctx, const lm_tokenizer_files *files)
{
    const older_class *class = find_class(files);
    const char *file = "tokenizer_config.json";

    if (strncmp(ctx->error.key, "model.merges", 12) == 0)
        file = "merges.txt";
    else if (strncmp(ctx->error.key, "model", 5) == 0)
        file = class && class->spm    ? files->spm[class->spm->file].name
               : class && class->bert ? "vocab.txt"
                                      : "vocab.json";
    if (strcmp(ctx->error.file, "tokenizer.json") == 0)
        lm_detail_file(ctx, file);
    return ctx->error.status;
}

/* ---------------------------------------------------------------- the vocabulary */

/* Give a token an id; the last line of a vocabulary that has it counts. */
static lm_status
put_word(builder *b, const char *text, size_t length, int64_t id)
{
    static const uint32_t none = 0;
    uint32_t number;

    LM_TRY(lm_intern_add(&b->words, text, length, &number));
    if (number < b->ids.size / sizeof id) {
        memcpy(b->ids.data + number * sizeof id, &id, sizeof id);
        return LM_OK;
    }
    LM_TRY(lm_buffer_append(&b->ids, &id, sizeof id));
    return lm_buffer_append(&b->places, &none, sizeof none);
}

/* A line's length without the white space at its end. */
static size_t
trimmed(const lm_json *line)
{
    const char *text = line->as.string.bytes;
    size_t length = line->as.string.length;

    while (length > 0) {
        size_t start = length - 1;
        int bytes;

        while (start > 0 && ((unsigned char)text[start] & 0xc0) == 0x80)
            start--;
        if (!(lm_unicode_flags(lm_utf8_decode(text + start, &bytes)) & LM_UNICODE_SPACE))
            break;
        length = start;
    }
    return length;
}

/* The special tokens for older_spm.c. */
static void
name_specials(const builder *b, lm_named named[SPECIAL_COUNT])
{
    for (size_t i = 0; i < SPECIAL_COUNT; i++)
        named[i] = (lm_named){b->special[i].text, b->special[i].length, -1};
}

static lm_status
refuse_type(const builder *b, const char *file)
{
    lm_raise(b->ctx, LM_UNSUPPORTED, "this kind of SentencePiece model is not supported");
    lm_detail_file(b->ctx, file);
    lm_detail_key(b->ctx, "trainer_spec.model_type");
    lm_detail_found(b->ctx, "%d", b->spm.model_type);
    return lm_detail_allowed(b->ctx, "1 (unigram)");
}

/* Tokens have the numbers of their lines. */
static lm_status
read_lines(builder *b)
{
    int64_t number = 0;

    for (const lm_json *line = b->files->vocab_lines->as.items.first; line; line = line->next) {
        if (number % 4096 == 4095)
            LM_TRY(lm_poll(b->ctx));
        LM_TRY(put_word(b, line->as.string.bytes, trimmed(line), number++));
    }
    return LM_OK;
}

/* What is no number is passed over, as the reference does. */
static lm_status
read_object(builder *b)
{
    size_t index = 0;

    for (const lm_json *item = b->files->vocab_json->as.items.first; item; item = item->next) {
        if (index++ % 4096 == 4095)
            LM_TRY(lm_poll(b->ctx));
        if (item->type != LM_JSON_NUMBER)
            continue;
        if (!item->is_integer || item->integer < 0 || item->integer > INT32_MAX)
            return lm_field_wrong(b->ctx, (lm_field){NULL, "model.vocab"}, item->key, item,
                                  "an id from 0 on");
        LM_TRY(put_word(b, item->key, item->key_length, item->integer));
    }
    return LM_OK;
}

/* Pieces of a model of SentencePiece, as the class arranges them. */
static lm_status
read_pieces(builder *b)
{
    const lm_spm_file *file = &b->files->spm[b->class->spm->file];
    lm_named named[SPECIAL_COUNT];

    LM_TRY(lm_spm_read(b->ctx, b->arena, file->name, file->bytes, file->size, &b->spm_file));
    b->spm = b->spm_file;
    if (b->spm.model_type != LM_SPM_UNIGRAM && !b->class->spm->bpe)
        return refuse_type(b, file->name);
    name_specials(b, named);
    LM_TRY(lm_spm_arrange(b->ctx, b->arena, b->class->spm, named, &b->spm));
    for (size_t i = 0; i < b->spm.count; i++) {
        if (i % 4096 == 4095)
            LM_TRY(lm_poll(b->ctx));
        LM_TRY(put_word(b, b->spm.pieces[i].text, b->spm.pieces[i].length, (int64_t)i));
    }
    return LM_OK;
}

static lm_status
read_vocab(builder *b)
{
    if (b->class->spm)
        LM_TRY(read_pieces(b));
    else
        LM_TRY(b->class->bert ? read_lines(b) : read_object(b));
    b->next_id = b->class->spm && !b->class->spm->bpe ? (int64_t)b->spm.count : b->words.count;
    return LM_OK;
}

static int64_t
id_of(const builder *b, uint32_t number)
{
    int64_t id;

    memcpy(&id, b->ids.data + number * sizeof id, sizeof id);
    return id;
}

/* ---------------------------------------------------------------- writing */

static lm_status
put(builder *b, const char *text)
{
    return lm_buffer_append_string(&b->text, text);
}

static lm_status
put_string(builder *b, const char *bytes, size_t length)
{
    return lm_json_write_string(&b->text, bytes, length);
}

static lm_status
put_bool(builder *b, const char *key, bool value)
{
    return lm_buffer_printf(&b->text, ",\"%s\":%s", key, value ? "true" : "false");
}

static lm_status
write_vocab(builder *b, uint32_t count)
{
    LM_TRY(put(b, "\"vocab\":{"));
    for (uint32_t i = 0; i < count; i++) {
        size_t length;
        const char *text = lm_intern_bytes(&b->words, i, &length);

        if (i % 4096 == 4095)
            LM_TRY(lm_poll(b->ctx));
        LM_TRY(i > 0 ? put(b, ",") : LM_OK);
        LM_TRY(put_string(b, text, length));
        LM_TRY(lm_buffer_printf(&b->text, ":%lld", (long long)id_of(b, i)));
    }
    return put(b, "}");
}

static lm_status
write_merges(builder *b)
{
    size_t index = 0;

    LM_TRY(put(b, "\"merges\":["));
    for (const lm_json *line = b->files->merges->as.items.first; line; line = line->next) {
        if (index % 4096 == 4095)
            LM_TRY(lm_poll(b->ctx));
        LM_TRY(index++ > 0 ? put(b, ",") : LM_OK);
        LM_TRY(put_string(b, line->as.string.bytes, line->as.string.length));
    }
    return put(b, "],");
}

/* Characters without a token are the tokens of their bytes. */
static lm_status
write_spm_bpe(builder *b, const lm_spm_rules *rules)
{
    const special *unk = &b->special[UNK];

    LM_TRY(put(b, "\"model\":{\"type\":\"BPE\",\"fuse_unk\":true,\"byte_fallback\":true,"));
    if (rules->unk == LM_SPM_UNK_BY_TEXT) {
        LM_TRY(put(b, "\"unk_token\":"));
        LM_TRY(put_string(b, unk->text ? unk->text : "None", unk->text ? unk->length : 4));
        LM_TRY(put(b, ","));
    }
    LM_TRY(lm_older_write_merges(b->ctx, &b->words, (const int64_t *)(const void *)b->ids.data,
                                 &b->spm, &b->text));
    LM_TRY(write_vocab(b, b->words.count));
    return put(b, "}");
}

static lm_status
write_model(builder *b)
{
    const uint32_t count = b->words.count; /* before tokens are added */
    lm_named named[SPECIAL_COUNT];

    name_specials(b, named);
    if (b->class->spm && b->class->spm->bpe)
        return write_spm_bpe(b, b->class->spm);
    if (b->class->spm)
        return lm_spm_write_model(b->ctx, b->class->spm, named, &b->spm, &b->text);
    if (!b->class->bert) {
        LM_TRY(put(b, "\"model\":{\"type\":\"BPE\","));
        LM_TRY(write_merges(b));
    } else {
        LM_TRY(put(b, "\"model\":{\"type\":\"WordPiece\",\"continuing_subword_prefix\":\"##\","
                      "\"max_input_chars_per_word\":100,\"unk_token\":"));
        LM_TRY(put_string(b, b->special[UNK].text ? b->special[UNK].text : "None",
                          b->special[UNK].text ? b->special[UNK].length : 4));
        LM_TRY(put(b, ","));
    }
    LM_TRY(write_vocab(b, count));
    return put(b, "}");
}

/* ---------------------------------------------------------------- special tokens */

/* Where transformers finds a special token: in the small file, then in tokenizer_config.json. */
static const lm_json *
given_special(const builder *b, const char *key)
{
    const lm_json *token = b->decoder ? NULL : lm_json_get(b->files->special_map, key);

    return token ? token : lm_json_get(b->files->config, key);
}

/* A string, or an object with its content; null: there is none. */
static lm_status
read_special(builder *b, size_t which)
{
    const lm_json *given = given_special(b, special_keys[which]);
    const lm_json *content =
        given && given->type == LM_JSON_OBJECT ? lm_json_get(given, "content") : given;
    special *s = &b->special[which];

    *s = (special){.text = given ? NULL : b->class->tokens[which], .given = given};
    s->length = s->text ? strlen(s->text) : 0;
    if (!given || given->type == LM_JSON_NULL)
        return LM_OK;
    if (!content || content->type != LM_JSON_STRING)
        return lm_field_wrong(b->ctx, (lm_field){NULL, ""}, special_keys[which], given,
                              "a token as a string or an object");
    s->text = content->as.string.bytes;
    s->length = content->as.string.length;
    return LM_OK;
}

/* Whether a token has one of the names. */
static bool
is_special(const builder *b, const char *text, size_t length)
{
    for (size_t i = 0; i < SPECIAL_COUNT; i++)
        if (b->special[i].text && b->special[i].length == length &&
            memcmp(b->special[i].text, text, length) == 0)
            return true;
    return false;
}

static const lm_json *
object_or_null(const lm_json *json)
{
    return json && json->type == LM_JSON_OBJECT ? json : NULL;
}

static bool
flag_of(const lm_json *flags, const char *key, bool fallback)
{
    const lm_json *value = lm_json_get(flags, key);

    return value && value->type == LM_JSON_BOOL ? value->boolean : fallback;
}

static lm_status
write_flags(builder *b, const added *a, bool named)
{
    static const char *const keys[] = {"single_word", "lstrip", "rstrip"};
    const bool fallback = !a->special && !(a->flags && named);

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        LM_TRY(put_bool(b, keys[i], flag_of(a->flags, keys[i], false)));
    LM_TRY(put_bool(b, "normalized", flag_of(a->flags, "normalized", fallback)));
    return put_bool(b, "special", a->special || named);
}

/* The library's rule: an id of the vocabulary, else the next one behind all that are added. */
static lm_status
place_token(builder *b, const added *a)
{
    const uint32_t place = (uint32_t)(b->added.size / sizeof *a) + 1;

    if (id_of(b, a->number) < 0)
        memcpy(b->ids.data + a->number * sizeof b->next_id, &b->next_id, sizeof b->next_id);
    if (id_of(b, a->number) >= b->next_id)
        b->next_id = id_of(b, a->number) + 1;
    memcpy(b->places.data + a->number * sizeof place, &place, sizeof place);
    return lm_buffer_append(&b->added, a, sizeof *a);
}

/* One token more; given again it may have other flags. */
static lm_status
add_token(builder *b, const char *text, size_t length, added a)
{
    added *known;
    uint32_t place;

    if (length == 0)
        return LM_OK;
    LM_TRY(lm_intern_add(&b->words, text, length, &a.number));
    if (a.number == b->ids.size / sizeof(int64_t))
        LM_TRY(put_word(b, text, length, -1));
    memcpy(&place, b->places.data + a.number * sizeof place, sizeof place);
    a.plain = !a.flags;
    if (place == 0)
        return place_token(b, &a);
    known = (added *)(void *)b->added.data + place - 1;
    if ((known->listed && !a.listed) || (a.plain && known->plain))
        return LM_OK;
    a.plain |= known->plain;
    *known = a;
    return LM_OK;
}

static int
compare_listed(const void *a, const void *b)
{
    const listed *x = a, *y = b;

    return (x->number > y->number) - (x->number < y->number);
}

/* Numbers of added_tokens_decoder are keys. */
static int64_t
number_of(const lm_json *member)
{
    int64_t number = 0;

    for (uint32_t i = 0; i < member->key_length && i < 18; i++)
        number = number * 10 + (member->key[i] - '0');
    return number;
}

static lm_status
list_decoder(builder *b)
{
    for (const lm_json *item = b->decoder->as.items.first; item; item = item->next) {
        const lm_json *content = lm_json_get(item, "content");
        listed entry = {.number = number_of(item), .flags = item};

        LM_TRY(lm_poll(b->ctx));
        if (!content || content->type != LM_JSON_STRING)
            return lm_field_wrong(b->ctx, (lm_field){NULL, "added_tokens_decoder"}, item->key, item,
                                  "an object with its content");
        entry.text = content->as.string.bytes;
        entry.length = content->as.string.length;
        LM_TRY(lm_buffer_append(&b->listed, &entry, sizeof entry));
    }
    return LM_OK;
}

/* added_tokens.json: ids by their tokens, of which only the order counts. */
static lm_status
list_added_file(builder *b)
{
    const lm_json *added = b->files->added;

    if (!added || added->type != LM_JSON_OBJECT)
        return LM_OK;
    for (const lm_json *item = added->as.items.first; item; item = item->next) {
        const listed entry = {item->integer, item->key, item->key_length, NULL};

        LM_TRY(lm_poll(b->ctx));
        LM_TRY(lm_buffer_append(&b->listed, &entry, sizeof entry));
    }
    return LM_OK;
}

/*
 * Lists of special tokens without names, in order: those of tokenizer_config.json, under their new
 * key or else under the old one, then those of the small file. The small file's old key counts
 * where there are no others.
 */
#define EXTRA_COUNT 2

static const lm_json *
list_at(const lm_json *file, const char *key)
{
    const lm_json *list = lm_json_get(file, key);

    return list && list->type == LM_JSON_ARRAY && list->as.items.count > 0 ? list : NULL;
}

static void
extra_lists(const builder *b, const lm_json *lists[EXTRA_COUNT])
{
    const lm_json *map = b->decoder ? NULL : b->files->special_map;

    lists[0] = list_at(b->files->config, "extra_special_tokens");
    if (!lists[0])
        lists[0] = list_at(b->files->config, "additional_special_tokens");
    lists[1] = list_at(map, "extra_special_tokens");
    if (!lists[0] && !lists[1])
        lists[1] = list_at(map, "additional_special_tokens");
}

static bool
is_extra(const builder *b, const listed *token)
{
    const lm_json *lists[EXTRA_COUNT];

    extra_lists(b, lists);
    for (size_t i = 0; i < EXTRA_COUNT; i++)
        for (const lm_json *item = lists[i] ? lists[i]->as.items.first : NULL; item;
             item = item->next)
            if (lm_json_is_string(item, token->text))
                return true;
    return false;
}

/* Whether a file gives the token a name: a default does not count. */
static bool
is_given(const builder *b, const listed *token)
{
    for (size_t i = 0; i < SPECIAL_COUNT; i++)
        if (b->special[i].given && b->special[i].text && b->special[i].length == token->length &&
            memcmp(b->special[i].text, token->text, token->length) == 0)
            return true;
    return is_extra(b, token);
}

static lm_status
add_listed(builder *b)
{
    const listed *entries = (const listed *)(const void *)b->listed.data;
    size_t count = b->listed.size / sizeof *entries;

    LM_TRY(lm_sort(b->ctx, b->listed.data, count, sizeof *entries, compare_listed));
    for (size_t i = 0; i < count; i++) {
        bool special = entries[i].flags ? flag_of(entries[i].flags, "special", false)
                                        : is_given(b, &entries[i]);

        LM_TRY(lm_poll(b->ctx));
        LM_TRY(add_token(b, entries[i].text, entries[i].length,
                         (added){.flags = entries[i].flags, .special = special, .listed = true}));
    }
    return LM_OK;
}

static lm_status
add_list(builder *b, const lm_json *list)
{
    for (const lm_json *item = list ? list->as.items.first : NULL; item; item = item->next) {
        const lm_json *text = item->type == LM_JSON_OBJECT ? lm_json_get(item, "content") : item;

        LM_TRY(lm_poll(b->ctx));
        if (text && text->type == LM_JSON_STRING)
            LM_TRY(add_token(b, text->as.string.bytes, text->as.string.length,
                             (added){.flags = object_or_null(item), .special = true}));
    }
    return LM_OK;
}

/*
 * Pieces that are control symbols, which are special, and those that a user defined: looked for in
 * the text as it is. tokenizer_config.json's list of special tokens takes their place.
 */
static lm_status
add_pieces(builder *b, const lm_spm_model *spm)
{
    static const lm_json raw = {.type = LM_JSON_BOOL, .key = "normalized", .key_length = 10};
    static const lm_json as_written = {.type = LM_JSON_OBJECT, .as.items = {&raw, 1}};

    for (size_t i = 0; i < spm->count; i++) {
        const lm_spm_piece *piece = &spm->pieces[i];

        if (i % 4096 == 4095)
            LM_TRY(lm_poll(b->ctx));
        if (piece->type == LM_SPM_CONTROL || piece->type == LM_SPM_USER_DEFINED)
            LM_TRY(
                add_token(b, piece->text, piece->length,
                          (added){.flags = &as_written, .special = piece->type == LM_SPM_CONTROL}));
    }
    return LM_OK;
}

/* Those of the file, also where the class leaves them out, then those that it adds. */
static lm_status
add_symbols(builder *b)
{
    LM_TRY(add_pieces(b, &b->spm_file));
    return add_pieces(b, &b->spm);
}

static lm_status
add_extra(builder *b)
{
    const lm_json *lists[EXTRA_COUNT];

    extra_lists(b, lists);
    for (size_t i = 0; i < EXTRA_COUNT; i++)
        LM_TRY(add_list(b, lists[i]));
    return LM_OK;
}

/* Whether any file lists special tokens without names. */
static bool
has_extra(const builder *b)
{
    const lm_json *lists[EXTRA_COUNT];
    bool has = false;

    extra_lists(b, lists);
    for (size_t i = 0; i < EXTRA_COUNT; i++)
        has = has || lists[i];
    return has;
}

/* What a file gives as an object, or what the class makes of a text. */
static const lm_json *
special_flags(const builder *b, size_t which)
{
    static const lm_json yes = {
        .type = LM_JSON_BOOL, .boolean = true, .key = "lstrip", .key_length = 6};
    static const lm_json stripping = {.type = LM_JSON_OBJECT, .as.items = {&yes, 1}};
    const lm_json *given = b->special[which].given;

    if (which == MASK && b->class->spm && b->class->spm->mask_strips &&
        !(given && given->type == LM_JSON_OBJECT))
        return &stripping;
    return given;
}

/* All that is to be added, in order. */
static lm_status
gather_added(builder *b)
{
    if (b->decoder && b->decoder->type == LM_JSON_OBJECT)
        LM_TRY(list_decoder(b));
    else if (!b->decoder)
        LM_TRY(list_added_file(b));
    LM_TRY(add_listed(b));
    for (size_t i = 0; i < SPECIAL_COUNT; i++)
        if (b->special[i].text)
            LM_TRY(
                add_token(b, b->special[i].text, b->special[i].length,
                          (added){.flags = object_or_null(special_flags(b, i)), .special = true}));
    return b->class->spm && !has_extra(b) ? add_symbols(b) : add_extra(b);
}

static lm_status
write_added(builder *b)
{
    const added *entries;
    size_t count;

    LM_TRY(gather_added(b));
    entries = (const added *)(const void *)b->added.data;
    count = b->added.size / sizeof *entries;
    LM_TRY(put(b, ",\"added_tokens\":["));
    for (size_t i = 0; i < count; i++) {
        size_t length;
        const char *text = lm_intern_bytes(&b->words, entries[i].number, &length);

        LM_TRY(lm_poll(b->ctx));
        LM_TRY(lm_buffer_printf(&b->text, "%s{\"id\":%lld,\"content\":", i > 0 ? "," : "",
                                (long long)id_of(b, entries[i].number)));
        LM_TRY(put_string(b, text, length));
        LM_TRY(write_flags(b, &entries[i], is_special(b, text, length)));
        LM_TRY(put(b, "}"));
    }
    return put(b, "]");
}

/* ---------------------------------------------------------------- stages */

/* A special token with its id, as ["[SEP]", 102] and as a template wants it. */
static lm_status
write_pair(builder *b, const char *key, size_t which)
{
    const special *s = &b->special[which];
    uint32_t number;

    if (!s->text || s->length == 0)
        return lm_field_wrong(b->ctx, (lm_field){NULL, ""}, special_keys[which], s->given,
                              "a token");
    LM_TRY(lm_intern_add(&b->words, s->text, s->length, &number));
    LM_TRY(lm_buffer_printf(&b->text, ",\"%s\":[", key));
    LM_TRY(put_string(b, s->text, s->length));
    return lm_buffer_printf(&b->text, ",%lld]", (long long)id_of(b, number));
}

/* BertNormalizer's settings, as tokenizer_config.json has them. */
static lm_status
write_normalizer(builder *b)
{
    const lm_token_class class = {.normalizes = true};
    lm_bert_override bert;

    LM_TRY(lm_token_override(b->ctx, b->files, &class, &bert));
    LM_TRY(put(b, ",\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true"));
    LM_TRY(put_bool(b, "handle_chinese_chars", bert.chinese));
    LM_TRY(put_bool(b, "strip_accents", bert.strip_accents));
    LM_TRY(put_bool(b, "lowercase", bert.lowercase));
    return put(b, "}");
}

static lm_status
write_bert(builder *b)
{
    LM_TRY(write_normalizer(b));
    LM_TRY(put(b, ",\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}"
                  ",\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}"
                  ",\"post_processor\":{\"type\":\"BertProcessing\""));
    LM_TRY(write_pair(b, "sep", SEP));
    LM_TRY(write_pair(b, "cls", CLS));
    return put(b, "}");
}

static lm_status
write_byte_level(builder *b, bool *prefix_space)
{
    const lm_field field = {b->files->config, "tokenizer_config"};

    LM_TRY(lm_field_bool(b->ctx, field, "add_prefix_space", false, prefix_space));
    LM_TRY(put(b, ",\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"trim_offsets\":true"
                  ",\"use_regex\":true"));
    LM_TRY(put_bool(b, "add_prefix_space", *prefix_space));
    return put(b, "},\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true"
                  ",\"trim_offsets\":true,\"use_regex\":true}");
}

static lm_status
write_roberta(builder *b)
{
    const lm_field field = {b->files->config, "tokenizer_config"};
    bool prefix_space, trim;

    LM_TRY(write_byte_level(b, &prefix_space));
    LM_TRY(lm_field_bool(b->ctx, field, "trim_offsets", true, &trim));
    LM_TRY(put(b, ",\"post_processor\":{\"type\":\"RobertaProcessing\""));
    LM_TRY(write_pair(b, "sep", SEP));
    LM_TRY(write_pair(b, "cls", CLS));
    LM_TRY(put_bool(b, "trim_offsets", trim));
    LM_TRY(put_bool(b, "add_prefix_space", prefix_space));
    return put(b, "}");
}

/* A token of the template, with its comma. */
static lm_status
write_piece(builder *b, size_t which, int type)
{
    LM_TRY(put(b, "{\"SpecialToken\":{\"id\":"));
    LM_TRY(put_string(b, b->special[which].text, b->special[which].length));
    return lm_buffer_printf(&b->text, ",\"type_id\":%d}},", type);
}

/* Text A or B between the two tokens that are wanted. */
static lm_status
write_text(builder *b, const bool wanted[SPECIAL_COUNT], char text, int type)
{
    if (wanted[BOS])
        LM_TRY(write_piece(b, BOS, type));
    LM_TRY(lm_buffer_printf(&b->text, "{\"Sequence\":{\"id\":\"%c\",\"type_id\":%d}}", text, type));
    if (!wanted[EOS])
        return LM_OK;
    LM_TRY(put(b, ","));
    LM_TRY(write_piece(b, EOS, type));
    b->text.size--; /* its comma */
    return LM_OK;
}

static lm_status
write_template_token(builder *b, size_t which)
{
    const special *s = &b->special[which];
    uint32_t number;

    LM_TRY(lm_intern_add(&b->words, s->text, s->length, &number));
    LM_TRY(put_string(b, s->text, s->length));
    LM_TRY(lm_buffer_printf(&b->text, ":{\"ids\":[%lld],\"id\":", (long long)id_of(b, number)));
    LM_TRY(put_string(b, s->text, s->length));
    LM_TRY(put(b, ",\"tokens\":["));
    LM_TRY(put_string(b, s->text, s->length));
    return put(b, "]}");
}

/* Which of its two tokens such a class puts around texts. */
static lm_status
read_wanted(builder *b, bool wanted[SPECIAL_COUNT])
{
    const lm_field field = {b->files->config, "tokenizer_config"};

    LM_TRY(lm_field_bool(b->ctx, field, "add_bos_token", false, &wanted[BOS]));
    LM_TRY(lm_field_bool(b->ctx, field, "add_eos_token", false, &wanted[EOS]));
    wanted[BOS] = wanted[BOS] && b->special[BOS].text;
    wanted[EOS] = wanted[EOS] && b->special[EOS].text;
    return LM_OK;
}

static bool
same_special(const builder *b, size_t x, size_t y)
{
    return b->special[x].length == b->special[y].length &&
           memcmp(b->special[x].text, b->special[y].text, b->special[x].length) == 0;
}

/* The two tokens around each text, as tokenizer_config.json asks for them. */
static lm_status
write_wanted(builder *b)
{
    bool wanted[SPECIAL_COUNT] = {false};

    LM_TRY(read_wanted(b, wanted));
    LM_TRY(put(b, ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":["));
    LM_TRY(write_text(b, wanted, 'A', 0));
    LM_TRY(put(b, "],\"pair\":["));
    LM_TRY(write_text(b, wanted, 'A', 0));
    LM_TRY(put(b, ","));
    LM_TRY(write_text(b, wanted, 'B', 1));
    LM_TRY(put(b, "],\"special_tokens\":{"));
    if (wanted[BOS])
        LM_TRY(write_template_token(b, BOS));
    if (wanted[EOS] && !(wanted[BOS] && same_special(b, BOS, EOS))) {
        LM_TRY(put(b, wanted[BOS] ? "," : ""));
        LM_TRY(write_template_token(b, EOS));
    }
    return put(b, "}}");
}

static lm_status
write_gpt2(builder *b)
{
    bool prefix_space;

    LM_TRY(write_byte_level(b, &prefix_space));
    return write_wanted(b);
}

#define SPACES_DECODED                                                                    \
    ",\"decoder\":{\"type\":\"Sequence\",\"decoders\":["                                  \
    "{\"type\":\"Replace\",\"pattern\":{\"String\":\"\xe2\x96\x81\"},\"content\":\" \"}," \
    "{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}"

/* ▁ stands before the text, or before each stretch of it in the form that it had once. */
static lm_status
write_llama(builder *b)
{
    const lm_field field = {b->files->config, "tokenizer_config"};
    bool prefix_space, legacy;

    LM_TRY(lm_field_bool(b->ctx, field, "add_prefix_space", true, &prefix_space));
    LM_TRY(lm_field_bool(b->ctx, field, "legacy", false, &legacy));
    LM_TRY(put(b, ",\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\","
                  "\"split\":false,\"prepend_scheme\":"));
    LM_TRY(put(b, !prefix_space ? "\"never\"}" : legacy ? "\"always\"}" : "\"first\"}"));
    LM_TRY(put(b, SPACES_DECODED));
    if (prefix_space)
        LM_TRY(put(b, ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}"));
    LM_TRY(put(b, "]}"));
    return write_wanted(b);
}

static lm_status
write_gemma(builder *b)
{
    LM_TRY(put(b, ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},"
                  "\"content\":\"\xe2\x96\x81\"}"
                  ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\" \"},"
                  "\"behavior\":\"MergedWithPrevious\",\"invert\":false}" SPACES_DECODED "]}"));
    return write_wanted(b);
}

static lm_status
write_spm(builder *b)
{
    lm_named named[SPECIAL_COUNT];
    uint32_t number;

    name_specials(b, named);
    for (size_t i = 0; i < SPECIAL_COUNT; i++) {
        if (!named[i].text || named[i].length == 0)
            continue;
        LM_TRY(lm_intern_add(&b->words, named[i].text, named[i].length, &number));
        named[i].id = id_of(b, number); /* all of them were added */
    }
    return lm_spm_write_stages(b->ctx, b->arena, b->class->spm, named, &b->spm, b->files->config,
                               &b->text);
}

/* ---------------------------------------------------------------- the whole */

/* Ids of added tokens are known when stages are written. */
static lm_status
build(builder *b, lm_arena *arena, const lm_json **tokenizer)
{
    for (size_t i = 0; i < SPECIAL_COUNT; i++)
        LM_TRY(read_special(b, i));
    LM_TRY(read_vocab(b));
    LM_TRY(put(b, "{\"version\":\"1.0\","));
    LM_TRY(write_model(b));
    LM_TRY(write_added(b));
    LM_TRY(b->class->write(b));
    LM_TRY(put(b, "}"));
    return lm_json_parse(b->ctx, arena, b->text.data, b->text.size, "tokenizer.json", tokenizer);
}

lm_status
lm_tokenizer_from_older(lm_context *ctx, lm_arena *arena, lm_tokenizer_files *files)
{
    builder b = {.ctx = ctx,
                 .arena = arena,
                 .files = files,
                 .class = find_class(files),
                 .decoder = lm_json_get(files->config, "added_tokens_decoder")};
    lm_buffer *buffers[] = {&b.ids, &b.places, &b.added, &b.listed, &b.text};
    lm_status status;

    if (files->tokenizer || !has_files(b.class, files))
        return LM_OK;
    lm_intern_init(&b.words, ctx, "tokens");
    lm_intern_hide(&b.words);
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        lm_buffer_init(buffers[i], ctx);
    status = build(&b, arena, &files->tokenizer);
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        lm_buffer_free(buffers[i]);
    lm_intern_free(&b.words);
    files->older = status == LM_OK;
    return status == LM_OK ? LM_OK : lm_older_blame(ctx, files);
}
