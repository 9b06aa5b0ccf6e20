/*
 * normalize.c - the table of normalizers, and those of its operations that take each character by
 * itself.
 *
 * Places follow the reference: a character that is mapped takes its own place, one that is inserted
 * takes the place of the one before, and characters that are removed leave nothing.
 */
#include "token/normalize.h"

#include <stdio.h>
#include <string.h>

#include "base/unicode.h"
#include "base/utf8.h"
#include "token/replace.h"
#include "token/replace_regex.h"

static lm_status compile_bert(lm_stage_compiler *c, lm_field field);
static lm_status compile_precompiled(lm_stage_compiler *c, lm_field field);
static lm_status compile_replace(lm_stage_compiler *c, lm_field field);
static lm_status compile_prepend(lm_stage_compiler *c, lm_field field);
static lm_status compile_strip(lm_stage_compiler *c, lm_field field);
static lm_normalize_op run_clean, run_space_cjk, run_strip_nonspacing, run_strip_marks, run_lower;

enum {
    BERT,
    SEQUENCE,
    LOWERCASE,
    STRIP_ACCENTS,
    NFD,
    NFKD,
    NFC,
    NFKC,
    PRECOMPILED,
    REPLACE,
    PREPEND,
    STRIP,
    NMT,
    BYTE_LEVEL,
    CLEAN,
    SPACE_CJK,
    STRIP_NONSPACING,
    REPLACE_REGEX
};

#define BY_ITSELF (LM_OP_LOCAL | LM_OP_KEEPS_SPACE)

/* A name and what it does; rows without a name are parts of BertNormalizer. */
static const lm_stage_kind kinds[] = {
    [BERT] = {.name = "BertNormalizer", .compile = compile_bert},
    [SEQUENCE] = {.name = "Sequence", .compile = lm_stage_sequence},
    [LOWERCASE] = {.name = "Lowercase", .normalize = run_lower, .known = BY_ITSELF},
    [STRIP_ACCENTS] = {.name = "StripAccents", .normalize = run_strip_marks, .known = BY_ITSELF},
    [NFD] = {.name = "NFD", .normalize = lm_normalize_nfd, .known = BY_ITSELF | LM_OP_REORDERS},
    [NFKD] = {.name = "NFKD", .normalize = lm_normalize_nfkd, .known = BY_ITSELF | LM_OP_REORDERS},
    [NFC] = {.name = "NFC",
             .normalize = lm_normalize_nfc,
             .known = LM_OP_KEEPS_SPACE | LM_OP_REORDERS},
    [NFKC] = {.name = "NFKC",
              .normalize = lm_normalize_nfkc,
              .known = LM_OP_KEEPS_SPACE | LM_OP_REORDERS},
    [PRECOMPILED] = {.name = "Precompiled",
                     .compile = compile_precompiled,
                     .normalize = lm_precompiled_run,
                     .known = LM_OP_KEEPS_WORDS},
    [REPLACE] = {.name = "Replace", .compile = compile_replace, .normalize = lm_normalize_replace},
    [PREPEND] = {.name = "Prepend", .compile = compile_prepend, .normalize = lm_normalize_prepend},
    [STRIP] = {.name = "Strip", .compile = compile_strip, .normalize = lm_normalize_strip},
    /* Not LOCAL: characters that Unicode's tables hold to be alike do not become alike. */
    [NMT] = {.name = "Nmt", .normalize = lm_normalize_nmt, .known = LM_OP_KEEPS_SPACE},
    [BYTE_LEVEL] = {.name = "ByteLevel", .normalize = lm_normalize_byte_level},
    [CLEAN] = {.normalize = run_clean, .known = BY_ITSELF},
    [SPACE_CJK] = {.normalize = run_space_cjk, .known = BY_ITSELF},
    [STRIP_NONSPACING] = {.normalize = run_strip_nonspacing, .known = BY_ITSELF},
    [REPLACE_REGEX] = {.normalize = lm_normalize_replace_regex},
};

const lm_stage_table lm_normalizer_stage = {"normalizer", "normalizers", "normalizer.normalizers",
                                            kinds, sizeof kinds / sizeof kinds[0]};

lm_status
lm_normalizer_compile(lm_stage_compiler *c, const lm_json *normalizer, lm_span *list)
{
    LM_TRY(lm_stage_compile(c, &lm_normalizer_stage, normalizer));
    return lm_stage_write(c, list);
}

/* Say which settings the two files disagree on. */
static void
note_conflicts(const lm_bert_override *own, const lm_bert_override *override, lm_notes *notes)
{
    const struct {
        const char *name, *key;
        bool file, rules;
    } settings[] = {
        {"lowercase", "normalizer.lowercase", own->lowercase, override->lowercase},
        {"strip_accents", "normalizer.strip_accents", own->strip_accents, override->strip_accents},
        {"handle_chinese_chars", "normalizer.handle_chinese_chars", own->chinese,
         override->chinese},
        {"clean_text", "normalizer.clean_text", own->clean, override->clean},
    };

    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (settings[i].file != settings[i].rules)
            lm_notes_add(notes, "tokenizer.json", settings[i].key,
                         "%s is %s in tokenizer.json but %s by tokenizer_config.json or its class, "
                         "which rules",
                         settings[i].name, settings[i].file ? "true" : "false",
                         settings[i].rules ? "true" : "false");
}

/* In the order of the library. */
static lm_status
add_bert(lm_stage_compiler *c, const lm_bert_override *settings)
{
    if (settings->clean)
        LM_TRY(lm_stage_add(c, CLEAN));
    if (settings->chinese)
        LM_TRY(lm_stage_add(c, SPACE_CJK));
    if (settings->strip_accents) {
        LM_TRY(lm_stage_add(c, NFD));
        LM_TRY(lm_stage_add(c, STRIP_NONSPACING));
    }
    return settings->lowercase ? lm_stage_add(c, LOWERCASE) : LM_OK;
}

/* strip_accents that is null follows lowercase. */
static lm_status
compile_bert(lm_stage_compiler *c, lm_field field)
{
    lm_bert_override own = {0};
    bool given;

    LM_TRY(lm_field_bool(c->ctx, field, "clean_text", true, &own.clean));
    LM_TRY(lm_field_bool(c->ctx, field, "handle_chinese_chars", true, &own.chinese));
    LM_TRY(lm_field_bool(c->ctx, field, "lowercase", true, &own.lowercase));
    LM_TRY(lm_field_optional_bool(c->ctx, field, "strip_accents", &given, &own.strip_accents));
    if (!given)
        own.strip_accents = own.lowercase;
    if (c->override->present) {
        note_conflicts(&own, c->override, c->notes);
        own = *c->override;
    }
    return add_bert(c, &own);
}

static lm_status
compile_precompiled(lm_stage_compiler *c, lm_field field)
{
    return lm_precompiled_compile(c, field, PRECOMPILED);
}

/* The length of the pattern, the pattern and the content, in characters. */
static lm_status
add_replace(lm_stage_compiler *c, const lm_replace *replace, lm_buffer *args)
{
    const lm_json *pattern = replace->pattern, *content = replace->content;
    uint32_t length = (uint32_t)lm_utf8_count(pattern->as.string.bytes, pattern->as.string.length);

    LM_TRY(lm_buffer_append(args, &length, sizeof length));
    LM_TRY(lm_buffer_append_chars(args, pattern->as.string.bytes, pattern->as.string.length));
    LM_TRY(lm_buffer_append_chars(args, content->as.string.bytes, content->as.string.length));
    return lm_stage_add_args(c, REPLACE, 0, args->data, args->size / sizeof length, sizeof length);
}

static lm_status
compile_replace(lm_stage_compiler *c, lm_field field)
{
    lm_replace replace;
    lm_buffer args;
    lm_status status;

    if (lm_json_get(lm_json_get(field.object, "pattern"), "Regex"))
        return lm_replace_regex_compile(c, field, REPLACE_REGEX);
    LM_TRY(lm_replace_read(c->ctx, field, &replace));
    lm_buffer_init(&args, c->ctx);
    status = add_replace(c, &replace, &args);
    lm_buffer_free(&args);
    return status;
}

/* An empty one would move the place of the first character in the reference. */
static lm_status
compile_prepend(lm_stage_compiler *c, lm_field field)
{
    const lm_json *text;

    LM_TRY(lm_pattern_read(c->ctx, field, "prepend", &text));
    return lm_stage_add_chars(c, PREPEND, 0, text);
}

static lm_status
compile_strip(lm_stage_compiler *c, lm_field field)
{
    bool left, right;

    LM_TRY(lm_field_required_bool(c->ctx, field, "strip_left", &left));
    LM_TRY(lm_field_required_bool(c->ctx, field, "strip_right", &right));
    return lm_stage_add_flags(c, STRIP, (left ? LM_STRIP_LEFT : 0) | (right ? LM_STRIP_RIGHT : 0));
}

lm_status
lm_normalizer_is_bert(lm_context *ctx, const lm_token_image *image,
                      const lm_bert_override *settings, bool *same)
{
    lm_stage_compiler c = {.ctx = ctx, .table = &lm_normalizer_stage};

    LM_TRY(add_bert(&c, settings));
    *same = lm_stage_equals(&c, image, image->normalizer);
    return LM_OK;
}

bool
lm_normalizer_all(const lm_token_image *image, unsigned known)
{
    return lm_stage_all(&lm_normalizer_stage, image, image->normalizer, known);
}

bool
lm_normalizer_any(const lm_token_image *image, unsigned known)
{
    return lm_stage_any(&lm_normalizer_stage, image, image->normalizer, known);
}

/* Clusters are found in the text itself: what looks at them comes first. */
bool
lm_normalizer_keeps_words(const lm_token_image *image)
{
    lm_span rest = image->normalizer;
    const lm_stage_op *first = lm_image_at(image, rest);

    if (rest.count > 0 && kinds[first->kind].known & LM_OP_KEEPS_WORDS) {
        rest.offset += sizeof *first;
        rest.count--;
    }
    return lm_stage_all(&lm_normalizer_stage, image, rest, LM_OP_KEEPS_SPACE);
}

/* Each operation reads one array and writes the other. */
lm_status
lm_normalizer_run(lm_context *ctx, const lm_token_image *image, lm_chars *chars, lm_chars *spare)
{
    const lm_stage_op *ops = lm_image_at(image, image->normalizer);

    for (uint64_t i = 0; i < image->normalizer.count; i++) {
        lm_chars swap;

        LM_TRY(lm_poll(ctx));
        LM_TRY(lm_chars_reserve(ctx, spare, chars->count + LM_UNICODE_MAX_MAPPING));
        spare->count = 0;
        LM_TRY(kinds[ops[i].kind].normalize(ctx, image, &ops[i], chars, spare));
        swap = *chars;
        *chars = *spare;
        *spare = swap;
    }
    return LM_OK;
}

/* Controls go; every kind of white space becomes a space. */
static lm_status
run_clean(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op, const lm_chars *from,
          lm_chars *to)
{
    for (size_t i = 0; i < from->count; i++) {
        unsigned flags = lm_unicode_flags(from->c[i]);

        LM_TRY(lm_poll_step(ctx, i));
        if (!(flags & LM_UNICODE_DROPPED))
            lm_chars_put(to, flags & LM_UNICODE_SPACE ? ' ' : from->c[i], from->at[i]);
    }
    return LM_OK;
}

/* Spaces around an ideograph make it a word of its own; they share its place. */
static lm_status
run_space_cjk(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
              const lm_chars *from, lm_chars *to)
{
    for (size_t i = 0; i < from->count; i++) {
        bool cjk = lm_unicode_flags(from->c[i]) & LM_UNICODE_CJK;

        LM_TRY(lm_poll_step(ctx, i));
        LM_TRY(lm_chars_reserve(ctx, to, to->count + 3));
        if (cjk)
            lm_chars_put(to, ' ', from->at[i]);
        lm_chars_put(to, from->c[i], from->at[i]);
        if (cjk)
            lm_chars_put(to, ' ', from->at[i]);
    }
    return LM_OK;
}

/* Characters with the flag are left out. */
static lm_status
strip(lm_context *ctx, const lm_chars *from, lm_chars *to, unsigned flag)
{
    for (size_t i = 0; i < from->count; i++) {
        LM_TRY(lm_poll_step(ctx, i));
        if (!(lm_unicode_flags(from->c[i]) & flag))
            lm_chars_put(to, from->c[i], from->at[i]);
    }
    return LM_OK;
}

/* BertNormalizer: Mn only. */
static lm_status
run_strip_nonspacing(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                     const lm_chars *from, lm_chars *to)
{
    return strip(ctx, from, to, LM_UNICODE_NONSPACING);
}

/* StripAccents: Mn, Mc and Me. */
static lm_status
run_strip_marks(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                const lm_chars *from, lm_chars *to)
{
    return strip(ctx, from, to, LM_UNICODE_MARK);
}

/* Character by character, without context: a final sigma stays what it is. */
static lm_status
run_lower(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op, const lm_chars *from,
          lm_chars *to)
{
    for (size_t i = 0; i < from->count; i++) {
        uint32_t mapped[LM_UNICODE_MAX_MAPPING];
        size_t length = lm_unicode_lower(from->c[i], mapped);

        LM_TRY(lm_poll_step(ctx, i));
        LM_TRY(lm_chars_reserve(ctx, to, to->count + length));
        for (size_t k = 0; k < length; k++)
            lm_chars_put(to, mapped[k], from->at[i]);
    }
    return LM_OK;
}
