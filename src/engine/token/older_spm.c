/*
 * older_spm.c - classes whose vocabulary is a Unigram of SentencePiece, as transformers 5.23 makes
 * them of the .model file.
 */
#include "token/older_spm.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "token/fields.h"

/* Letters of special tokens in first, last, single and pair; A and B there are the texts. */
static const char named_letters[] = "beuspcm";

/* Without a type in the template, 0. */
const lm_spm_rules lm_spm_xlm_roberta = {.file = LM_SPM_SENTENCEPIECE_BPE,
                                         .first = "bpeu",
                                         .skip = 3,
                                         .last = "m",
                                         .unk = 3,
                                         .replaced = "M",
                                         .single = "b0A0e0",
                                         .pair = "b0A0e0e0B0e0",
                                         .own_template = true};

const lm_spm_rules lm_spm_t5 = {.file = LM_SPM_SPIECE,
                                .first = "",
                                .last = "",
                                .unk = 2,
                                .extra_ids = 100,
                                .replaced = "M",
                                .single = "A0e0",
                                .pair = "A0e0B0e0",
                                .always_prefix = true,
                                .own_template = true};

const lm_spm_rules lm_spm_albert = {.file = LM_SPM_SPIECE,
                                    .first = "",
                                    .last = "",
                                    .unk = 1,
                                    .replaced = "QACM",
                                    .single = "c0A0s0",
                                    .pair = "c0A0s0B1s1"};

/* Its first tokens are no special ones: see lm_spm_arrange. */
const lm_spm_rules lm_spm_camembert = {.file = LM_SPM_SENTENCEPIECE_BPE,
                                       .first = "<p>u",
                                       .unused = "<unk>NOTUSED",
                                       .skip = 1,
                                       .last = "m",
                                       .unk = LM_SPM_UNK_BY_TEXT,
                                       .replaced = "M",
                                       .single = "b0A0e0",
                                       .pair = "b0A0e0e0B0e0",
                                       .mask_strips = true,
                                       .own_template = true};

/* Its map counts for nothing. */
const lm_spm_rules lm_spm_deberta = {.file = LM_SPM_SPM,
                                     .first = "",
                                     .last = "",
                                     .unk = LM_SPM_UNK_BY_SCORE,
                                     .replaced = "cW",
                                     .single = "c0A0s0",
                                     .pair = "c0A0s0B1s1",
                                     .own_template = true,
                                     .keeps_space = true};

/* Their stages are in older_files.c. */
const lm_spm_rules lm_spm_llama = {
    .file = LM_SPM_TOKENIZER, .first = "", .last = "", .unk = LM_SPM_NO_UNK, .bpe = true};

const lm_spm_rules lm_spm_gemma = {
    .file = LM_SPM_TOKENIZER, .first = "", .last = "", .unk = LM_SPM_UNK_BY_TEXT, .bpe = true};

/* ---------------------------------------------------------------- pieces */

static const lm_named *
named_by(const lm_named named[LM_NAMED_COUNT], char letter)
{
    const char *at = strchr(named_letters, letter);

    return at ? &named[at - named_letters] : NULL;
}

/* Two texts of Camembert's stand for themselves. */
static lm_spm_piece
piece_by(const lm_named named[LM_NAMED_COUNT], char letter)
{
    static const char *const unused[] = {"<s>NOTUSED", "</s>NOTUSED"};
    const lm_named *token = named_by(named, letter);
    const char *text = token ? token->text : unused[letter == '>'];

    if (!text)
        return (lm_spm_piece){.text = "None", .length = 4};
    return (lm_spm_piece){.text = text, .length = token ? token->length : strlen(text)};
}

/* <extra_id_N>, which T5 has for what is masked. */
static lm_status
add_extra(lm_arena *arena, const lm_spm_rules *rules, lm_spm_piece *pieces)
{
    for (int i = 0; i < rules->extra_ids; i++) {
        char text[32];
        int length = snprintf(text, sizeof text, "<extra_id_%d>", rules->extra_ids - 1 - i);

        pieces[i] = (lm_spm_piece){.text = lm_arena_copy(arena, text, (size_t)length),
                                   .length = (size_t)length,
                                   .type = LM_SPM_CONTROL};
        if (!pieces[i].text)
            return LM_NO_MEMORY;
    }
    return LM_OK;
}

lm_status
lm_spm_arrange(lm_context *ctx, lm_arena *arena, const lm_spm_rules *rules,
               const lm_named named[LM_NAMED_COUNT], lm_spm_model *spm)
{
    const size_t more = strlen(rules->first) + strlen(rules->last) + (size_t)rules->extra_ids + 1;
    const size_t skip = rules->skip < spm->count ? rules->skip : spm->count;
    lm_spm_piece *pieces = lm_arena_array(arena, spm->count + more, sizeof *pieces);
    size_t count = 0;

    if (!pieces)
        return LM_NO_MEMORY;
    for (const char *letter = rules->first; *letter; letter++)
        pieces[count++] = piece_by(named, *letter);
    if (rules->unused)
        pieces[count++] = (lm_spm_piece){rules->unused, strlen(rules->unused), -100, 0};
    LM_TRY(lm_poll(ctx));
    memcpy(pieces + count, spm->pieces + skip, (spm->count - skip) * sizeof *pieces);
    count += spm->count - skip;
    for (const char *letter = rules->last; *letter; letter++)
        pieces[count++] = piece_by(named, *letter);
    LM_TRY(add_extra(arena, rules, pieces + count));
    spm->pieces = pieces;
    spm->count = count + (size_t)rules->extra_ids;
    return LM_OK;
}

/* ---------------------------------------------------------------- the model */

static int64_t
unk_id(const lm_spm_rules *rules, const lm_named named[LM_NAMED_COUNT], const lm_spm_model *spm)
{
    const lm_named *unk = &named[LM_NAMED_UNK];
    const bool by_score = rules->unk == LM_SPM_UNK_BY_SCORE;

    if (rules->unk >= 0)
        return rules->unk;
    for (size_t i = 0; i < spm->count && unk->text; i++)
        if (spm->pieces[i].length == unk->length &&
            memcmp(spm->pieces[i].text, unk->text, unk->length) == 0 &&
            (!by_score || spm->pieces[i].score == 0))
            return (int64_t)i;
    return by_score ? spm->unk_id : 0;
}

/* Scores are floats, which transformers hands to the library as doubles: nine digits would do. */
lm_status
lm_spm_write_model(lm_context *ctx, const lm_spm_rules *rules, const lm_named named[LM_NAMED_COUNT],
                   const lm_spm_model *spm, lm_buffer *text)
{
    LM_TRY(lm_buffer_printf(
        text, "\"model\":{\"type\":\"Unigram\",\"unk_id\":%lld,\"byte_fallback\":false,\"vocab\":[",
        (long long)unk_id(rules, named, spm)));
    for (size_t i = 0; i < spm->count; i++) {
        if (i % 4096 == 4095)
            LM_TRY(lm_poll(ctx));
        LM_TRY(lm_buffer_append_string(text, i > 0 ? ",[" : "["));
        LM_TRY(lm_json_write_string(text, spm->pieces[i].text, spm->pieces[i].length));
        LM_TRY(lm_buffer_printf(text, ",%.17g]", (double)spm->pieces[i].score));
    }
    return lm_buffer_append_string(text, "]}");
}

/* ---------------------------------------------------------------- stages */

#define REPLACE(from) \
    "{\"type\":\"Replace\",\"pattern\":{\"String\":\"" from "\"},\"content\":\"\\\"\"}"

/* A setting of tokenizer_config.json. */
typedef struct setting {
    const char *key;
    bool fallback, wanted; /* its value for the operation to be there */
} setting;

/* Normalizers by the letters of `replaced`. */
static const struct {
    char letter;
    setting when;
    const char *json;
} normalizers[] = {
    {'Q', {NULL, true, true}, REPLACE("``") "," REPLACE("''")},
    {'A', {"keep_accents", false, false}, "{\"type\":\"NFKD\"},{\"type\":\"StripAccents\"}"},
    {'C', {"do_lower_case", true, true}, "{\"type\":\"Lowercase\"}"},
    {'c', {"do_lower_case", false, true}, "{\"type\":\"Lowercase\"}"},
    {'W',
     {NULL, true, true},
     "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"\\\\s{2,}|[\\\\n\\\\r\\\\t]\"},\"content\":\" "
     "\"},"
     "{\"type\":\"NFC\"},{\"type\":\"Strip\",\"strip_left\":false,\"strip_right\":true}"},
};

static lm_status
write_map(lm_arena *arena, const lm_spm_model *spm, bool first, lm_buffer *text)
{
    char *map;

    if (spm->charsmap_size == 0)
        return LM_OK;
    map = lm_base64_encode(arena, spm->charsmap, spm->charsmap_size);
    if (!map)
        return LM_NO_MEMORY;
    LM_TRY(lm_buffer_append_string(text, first ? "" : ","));
    LM_TRY(lm_buffer_append_string(text, "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\""));
    LM_TRY(lm_buffer_append_string(text, map));
    return lm_buffer_append_string(text, "\"}");
}

static lm_status
write_normalizers(lm_context *ctx, const lm_spm_rules *rules, const lm_json *config, bool *first,
                  lm_buffer *text)
{
    const lm_field field = {config, "tokenizer_config"};

    for (size_t i = 0; i < sizeof normalizers / sizeof normalizers[0]; i++) {
        const setting *when = &normalizers[i].when;
        bool value = when->fallback;

        if (!strchr(rules->replaced, normalizers[i].letter))
            continue;
        if (when->key)
            LM_TRY(lm_field_bool(ctx, field, when->key, when->fallback, &value));
        if (value != when->wanted)
            continue;
        LM_TRY(lm_buffer_append_string(text, *first ? "" : ","));
        LM_TRY(lm_buffer_append_string(text, normalizers[i].json));
        *first = false;
    }
    return LM_OK;
}

static lm_status
write_normalizer(lm_context *ctx, lm_arena *arena, const lm_spm_rules *rules,
                 const lm_spm_model *spm, const lm_json *config, lm_buffer *text)
{
    bool first = true;

    LM_TRY(
        lm_buffer_append_string(text, ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":["));
    LM_TRY(write_normalizers(ctx, rules, config, &first, text));
    if (strchr(rules->replaced, 'M'))
        LM_TRY(write_map(arena, spm, first, text));
    return lm_buffer_append_string(text, "]}");
}

/* What cuts before white space becomes ▁; with a comma, if anything does. */
static lm_status
write_cut(lm_context *ctx, const lm_spm_rules *rules, lm_field field, lm_buffer *text)
{
    bool punctuation = false;

    if (!rules->keeps_space)
        return lm_buffer_append_string(text, "{\"type\":\"WhitespaceSplit\"},");
    LM_TRY(lm_field_bool(ctx, field, "split_by_punct", false, &punctuation));
    return lm_buffer_append_string(
        text, punctuation ? "{\"type\":\"Punctuation\",\"behavior\":\"Isolated\"}," : "");
}

/* White space becomes ▁ before each word, or before none (or the first, where it is kept). */
static lm_status
write_spaces(lm_context *ctx, const lm_spm_rules *rules, const lm_json *config, lm_buffer *text)
{
    const lm_field field = {config, "tokenizer_config"};
    bool prefix;
    char metaspace[128];

    LM_TRY(lm_field_bool(ctx, field, "add_prefix_space", true, &prefix));
    prefix = prefix || rules->always_prefix;
    snprintf(metaspace, sizeof metaspace,
             "{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\",\"prepend_scheme\":\"%s\","
             "\"split\":true}",
             prefix               ? "always"
             : rules->keeps_space ? "first"
                                  : "never");
    LM_TRY(lm_buffer_append_string(
        text, ",\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":["));
    LM_TRY(write_cut(ctx, rules, field, text));
    return lm_buffer_printf(text, "%s]},\"decoder\":%s", metaspace, metaspace);
}

/* One list of a template, from letters and types in turn. */
static lm_status
write_list(const char *list, const lm_named named[LM_NAMED_COUNT], lm_buffer *text)
{
    for (const char *at = list; *at; at += 2) {
        const lm_named *token = named_by(named, at[0]);

        LM_TRY(lm_buffer_append_string(text, at > list ? "," : ""));
        LM_TRY(lm_buffer_append_string(text, token ? "{\"SpecialToken\":{\"id\":"
                                                   : "{\"Sequence\":{\"id\":"));
        LM_TRY(lm_json_write_string(text, token ? token->text : at, token ? token->length : 1));
        LM_TRY(lm_buffer_printf(text, ",\"type_id\":%c}}", at[1]));
    }
    return LM_OK;
}

/* The special tokens of a template by name, each once: two may be one text. */
static lm_status
write_tokens(const char *list, const lm_named named[LM_NAMED_COUNT], lm_buffer *text)
{
    bool written[LM_NAMED_COUNT] = {false};
    const char *comma = "";

    for (const char *at = list; *at; at += 2) {
        const lm_named *token = named_by(named, at[0]);

        if (!token || written[token - named])
            continue;
        for (size_t i = 0; i < LM_NAMED_COUNT; i++)
            written[i] = written[i] || (named[i].text && named[i].length == token->length &&
                                        memcmp(named[i].text, token->text, token->length) == 0);
        LM_TRY(lm_buffer_append_string(text, comma));
        LM_TRY(lm_json_write_string(text, token->text, token->length));
        LM_TRY(lm_buffer_printf(text, ":{\"ids\":[%lld],\"tokens\":[", (long long)token->id));
        LM_TRY(lm_json_write_string(text, token->text, token->length));
        LM_TRY(lm_buffer_append_string(text, "],\"id\":"));
        LM_TRY(lm_json_write_string(text, token->text, token->length));
        LM_TRY(lm_buffer_append_string(text, "}"));
        comma = ",";
    }
    return LM_OK;
}

/* Every token of the template is there. */
static lm_status
check_tokens(lm_context *ctx, const char *list, const lm_named named[LM_NAMED_COUNT])
{
    static const char *const keys[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                       "pad_token", "cls_token", "mask_token"};

    for (const char *at = list; *at; at += 2) {
        const lm_named *token = named_by(named, at[0]);

        if (token && (!token->text || token->id < 0))
            return lm_field_wrong(ctx, (lm_field){NULL, ""}, keys[token - named], NULL, "a token");
    }
    return LM_OK;
}

/* Such a class makes its template before these settings make another of it. */
static lm_status
check_template(lm_context *ctx, const lm_spm_rules *rules, const lm_json *config)
{
    static const char *const keys[] = {"add_bos_token", "add_eos_token"};

    for (size_t i = 0; i < 2 && !rules->own_template; i++)
        if (lm_json_get(config, keys[i])) {
            lm_field_wrong(ctx, (lm_field){config, "tokenizer_config"}, keys[i],
                           lm_json_get(config, keys[i]), "none: the class has a template");
            ctx->error.status = LM_UNSUPPORTED;
            return LM_UNSUPPORTED;
        }
    return LM_OK;
}

lm_status
lm_spm_write_stages(lm_context *ctx, lm_arena *arena, const lm_spm_rules *rules,
                    const lm_named named[LM_NAMED_COUNT], const lm_spm_model *spm,
                    const lm_json *config, lm_buffer *text)
{
    LM_TRY(check_tokens(ctx, rules->pair, named));
    LM_TRY(check_template(ctx, rules, config));
    LM_TRY(write_normalizer(ctx, arena, rules, spm, config, text));
    LM_TRY(write_spaces(ctx, rules, config, text));
    LM_TRY(lm_buffer_append_string(
        text, ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":["));
    LM_TRY(write_list(rules->single, named, text));
    LM_TRY(lm_buffer_append_string(text, "],\"pair\":["));
    LM_TRY(write_list(rules->pair, named, text));
    LM_TRY(lm_buffer_append_string(text, "],\"special_tokens\":{"));
    LM_TRY(write_tokens(rules->pair, named, text));
    return lm_buffer_append_string(text, "}}");
}
