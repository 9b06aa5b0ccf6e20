/*
 * pretokenize.c - the table of pre-tokenizers, and their operations.
 *
 * These give each character a role: SPACE ends a word and is dropped, ALONE is a word of its own,
 * and letters of one kind stay together.
 */
#include "token/pretokenize.h"

#include "base/unicode.h"
#include "base/unicode_sets.h"
#include "token/byte_level.h"
#include "token/cut.h"
#include "token/metaspace.h"

/* Beyond lm_char_role: letters of a second kind, which never share a word with the first. */
enum { ROLE_OTHER = LM_ROLE_ALONE + 1 };

static lm_status compile_bert(lm_stage_compiler *c, lm_field field);
static lm_status compile_punctuation(lm_stage_compiler *c, lm_field field);
static lm_status compile_digits(lm_stage_compiler *c, lm_field field);
static lm_status compile_split(lm_stage_compiler *c, lm_field field);
static lm_status compile_delimiter(lm_stage_compiler *c, lm_field field);
static lm_status compile_lengths(lm_stage_compiler *c, lm_field field);
static lm_status compile_byte_level(lm_stage_compiler *c, lm_field field);
static lm_status compile_metaspace(lm_stage_compiler *c, lm_field field);
static int space_role(uint32_t c);
static int punctuation_role(uint32_t c);
static int digit_role(uint32_t c);
static lm_cut_op cut_words;
static lm_status cut_by_role(lm_context *ctx, int (*role)(uint32_t c), const uint32_t *c,
                             lm_range range, lm_ranges *words);

enum {
    BERT,
    SEQUENCE,
    WHITESPACE_SPLIT,
    WHITESPACE,
    PUNCTUATION,
    DIGITS,
    SPLIT,
    DELIMITER,
    SCRIPTS,
    LENGTHS,
    PUNCTUATION_PIECES,
    DIGIT_PIECES,
    SPLIT_BEFORE_SPACE,
    BYTE_LEVEL,
    METASPACE,
    PREFIX_SPACE,
    BYTES,
    REPLACED_SPACE
};

#define AT_SPACE (LM_OP_KEEPS_SPACE | LM_OP_ENDS_AT_SPACE)

static const lm_stage_kind kinds[] = {
    [BERT] = {.name = "BertPreTokenizer", .compile = compile_bert},
    [SEQUENCE] = {.name = "Sequence", .compile = lm_stage_sequence},
    [WHITESPACE_SPLIT] = {.name = "WhitespaceSplit", .role = space_role, .known = AT_SPACE},
    [WHITESPACE] = {.name = "Whitespace", .cut = cut_words, .known = AT_SPACE},
    [PUNCTUATION] = {.name = "Punctuation",
                     .compile = compile_punctuation,
                     .role = punctuation_role,
                     .known = LM_OP_KEEPS_SPACE},
    [DIGITS] = {.name = "Digits",
                .compile = compile_digits,
                .role = digit_role,
                .known = LM_OP_KEEPS_SPACE},
    [SPLIT] = {.name = "Split", .compile = compile_split, .cut = lm_cut_pattern},
    [DELIMITER] = {.name = "CharDelimiterSplit",
                   .compile = compile_delimiter,
                   .cut = lm_cut_delimiter},
    [SCRIPTS] = {.name = "UnicodeScripts", .cut = lm_cut_scripts},
    [LENGTHS] = {.name = "FixedLength", .compile = compile_lengths, .cut = lm_cut_lengths},
    /* Behaviours that look at neighbours. */
    [PUNCTUATION_PIECES] = {.cut = lm_cut_punctuation},
    [DIGIT_PIECES] = {.cut = lm_cut_digits},
    /* A Split that does so, as nearly all of published tokenizers do. */
    [SPLIT_BEFORE_SPACE] = {.cut = lm_cut_pattern, .known = LM_OP_ENDS_BEFORE_SPACE},
    [BYTE_LEVEL] = {.name = "ByteLevel",
                    .compile = compile_byte_level,
                    .change = lm_byte_level_change,
                    .known = LM_OP_ENDS_BEFORE_SPACE},
    [METASPACE] = {.name = "Metaspace",
                   .compile = compile_metaspace,
                   .change = lm_metaspace_change,
                   .known = LM_OP_ENDS_BEFORE_SPACE},
    /* Parts of ByteLevel, and what the two are where they do not split. */
    [PREFIX_SPACE] = {.change = lm_prefix_space, .known = LM_OP_KEEPS_SPACE},
    [BYTES] = {.change = lm_byte_level_change},
    [REPLACED_SPACE] = {.change = lm_metaspace_change},
};

const lm_stage_table lm_pretokenizer_stage = {"pre_tokenizer", "pretokenizers",
                                              "pre_tokenizer.pretokenizers", kinds,
                                              sizeof kinds / sizeof kinds[0]};

lm_status
lm_pretokenizer_compile(lm_stage_compiler *c, const lm_json *pretokenizer, lm_span *list)
{
    LM_TRY(lm_stage_compile(c, &lm_pretokenizer_stage, pretokenizer));
    return lm_stage_write(c, list);
}

/* White space first, then punctuation; the type has no settings. */
static lm_status
compile_bert(lm_stage_compiler *c, lm_field field)
{
    LM_TRY(lm_stage_add(c, WHITESPACE_SPLIT));
    return lm_stage_add(c, PUNCTUATION);
}

/* Where each mark is a word of its own, characters have roles. */
static lm_status
compile_punctuation(lm_stage_compiler *c, lm_field field)
{
    lm_behavior behavior;

    LM_TRY(lm_behavior_read(c->ctx, field, true, &behavior));
    if (behavior == LM_ISOLATED)
        return lm_stage_add(c, PUNCTUATION);
    return lm_stage_add_args(c, PUNCTUATION_PIECES, behavior, "", 0, 1);
}

static lm_status
compile_digits(lm_stage_compiler *c, lm_field field)
{
    bool given, individual = false;

    LM_TRY(lm_field_optional_bool(c->ctx, field, "individual_digits", &given, &individual));
    if (!given)
        return lm_field_wrong(c->ctx, field, "individual_digits",
                              lm_json_get(field.object, "individual_digits"), "true or false");
    if (individual)
        return lm_stage_add(c, DIGITS);
    return lm_stage_add_args(c, DIGIT_PIECES, LM_CONTIGUOUS, "", 0, 1);
}

static lm_status
compile_split(lm_stage_compiler *c, lm_field field)
{
    lm_split_pattern split;
    bool ends;

    LM_TRY(lm_split_pattern_compile(c, field, &split));
    ends = (split.behavior == LM_ISOLATED || split.behavior == LM_REMOVED) &&
           lm_regex_ends_before_space(&split.regex,
                                      (const lm_token_image *)(c->image->data + c->start));
    return lm_stage_add_args(c, ends ? SPLIT_BEFORE_SPACE : SPLIT, 0, &split, 1, sizeof split);
}

static lm_status
compile_delimiter(lm_stage_compiler *c, lm_field field)
{
    uint32_t delimiter;

    LM_TRY(lm_delimiter_read(c->ctx, field, &delimiter));
    return lm_stage_add_args(c, DELIMITER, 0, &delimiter, 1, sizeof delimiter);
}

static lm_status
compile_lengths(lm_stage_compiler *c, lm_field field)
{
    int64_t value;
    uint64_t length;

    LM_TRY(lm_field_integer(c->ctx, field, "length", 1, INT32_MAX, 5, &value));
    length = (uint64_t)value;
    return lm_stage_add_args(c, LENGTHS, 0, &length, 1, sizeof length);
}

/* Its trim_offsets says nothing here. */
static lm_status
compile_byte_level(lm_stage_compiler *c, lm_field field)
{
    unsigned settings, words;

    LM_TRY(lm_byte_level_read(c->ctx, field, &settings));
    words = settings & LM_BYTE_LEVEL_WORDS;
    if (settings & LM_BYTE_LEVEL_PREFIX)
        LM_TRY(lm_stage_add(c, PREFIX_SPACE));
    return lm_stage_add_flags(c, words ? BYTE_LEVEL : BYTES, words);
}

static lm_status
compile_metaspace(lm_stage_compiler *c, lm_field field)
{
    lm_metaspace metaspace;

    LM_TRY(lm_metaspace_read(c->ctx, field, &metaspace));
    return lm_stage_add_chars(c,
                              metaspace.settings & LM_METASPACE_SPLIT ? METASPACE : REPLACED_SPACE,
                              metaspace.settings, metaspace.replacement);
}

lm_status
lm_pretokenizer_is_bert(lm_context *ctx, const lm_token_image *image, bool *same)
{
    lm_stage_compiler c = {.ctx = ctx, .table = &lm_pretokenizer_stage};

    LM_TRY(compile_bert(&c, (lm_field){0}));
    *same = lm_stage_equals(&c, image, image->pretokenizer);
    return LM_OK;
}

bool
lm_pretokenizer_is_local(const lm_token_image *image)
{
    const lm_stage_op *ops = lm_image_at(image, image->pretokenizer);

    for (uint64_t i = 0; i < image->pretokenizer.count; i++)
        if (!kinds[ops[i].kind].role)
            return false;
    return true;
}

/* The first operation that ends words there, if none before it moves white space. */
unsigned
lm_pretokenizer_ends(const lm_token_image *image)
{
    const lm_stage_op *ops = lm_image_at(image, image->pretokenizer);

    for (uint64_t i = 0; i < image->pretokenizer.count; i++) {
        unsigned known = kinds[ops[i].kind].known;
        unsigned ends = known & (LM_OP_ENDS_AT_SPACE | LM_OP_ENDS_BEFORE_SPACE);

        if (ends != 0 || !(known & LM_OP_KEEPS_SPACE))
            return ends;
    }
    return 0;
}

/* The first operation that separates a character decides. */
lm_char_role
lm_pretokenizer_role(const lm_token_image *image, uint32_t c)
{
    const lm_stage_op *ops = lm_image_at(image, image->pretokenizer);

    for (uint64_t i = 0; i < image->pretokenizer.count; i++) {
        int role = kinds[ops[i].kind].role(c);

        if (role != LM_ROLE_LETTER)
            return (lm_char_role)role;
    }
    return LM_ROLE_LETTER;
}

/* The words of one range by one operation; `to` is read only where characters change. */
static lm_status
cut(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op, const lm_chars *from,
    lm_range range, lm_chars *to, lm_ranges *words)
{
    const lm_stage_kind *kind = &kinds[op->kind];

    if (kind->role)
        return cut_by_role(ctx, kind->role, from->c, range, words);
    if (kind->change)
        return kind->change(ctx, image, op, from, range, to, words);
    return kind->cut(ctx, image, op, from->c, range, words);
}

/* Each operation cuts the words of the one before; two lists take turns, and two of characters. */
lm_status
lm_pretokenizer_run(lm_context *ctx, const lm_token_image *image, size_t start, size_t stop,
                    lm_token_scratch *scratch, const lm_chars **chars)
{
    const lm_stage_op *ops = lm_image_at(image, image->pretokenizer);
    lm_ranges *words = &scratch->words, *spare = &scratch->spare_words;

    *chars = &scratch->chars;
    words->count = 0;
    if (start < stop)
        LM_TRY(lm_ranges_add(ctx, words, start, stop));
    for (uint64_t i = 0; i < image->pretokenizer.count; i++) {
        lm_chars *to = *chars == &scratch->spare ? &scratch->changed : &scratch->spare;
        lm_ranges swap;

        spare->count = to->count = 0;
        for (size_t k = 0; k < words->count; k++)
            LM_TRY(cut(ctx, image, &ops[i], *chars, words->items[k], to, spare));
        if (kinds[ops[i].kind].change)
            *chars = to;
        swap = *words;
        *words = *spare;
        *spare = swap;
    }
    return LM_OK;
}

/* White space separates words. */
static int
space_role(uint32_t c)
{
    return lm_unicode_flags(c) & LM_UNICODE_SPACE ? LM_ROLE_SPACE : LM_ROLE_LETTER;
}

/* A punctuation mark is a word of its own. */
static int
punctuation_role(uint32_t c)
{
    return lm_unicode_flags(c) & LM_UNICODE_PUNCTUATION ? LM_ROLE_ALONE : LM_ROLE_LETTER;
}

/* A digit, or another number, is a word of its own. */
static int
digit_role(uint32_t c)
{
    return lm_unicode_is_numeric(c) ? LM_ROLE_ALONE : LM_ROLE_LETTER;
}

/* \w+|[^\w\s]+: letters of two kinds need their neighbours, so this is no role of its own. */
static int
word_role(uint32_t c)
{
    unsigned flags = lm_unicode_flags(c);

    if (flags & LM_UNICODE_WORD)
        return LM_ROLE_LETTER;
    return flags & LM_UNICODE_SPACE ? LM_ROLE_SPACE : ROLE_OTHER;
}

static lm_status
cut_words(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op, const uint32_t *c,
          lm_range range, lm_ranges *words)
{
    return cut_by_role(ctx, word_role, c, range, words);
}

/* Append the words of one range by the roles of its characters. */
static lm_status
cut_by_role(lm_context *ctx, int (*role)(uint32_t c), const uint32_t *c, lm_range range,
            lm_ranges *words)
{
    size_t start = range.start;
    int current = LM_ROLE_SPACE; /* role of the characters from start on */

    for (size_t i = range.start; i < range.stop; i++) {
        int next = role(c[i]);

        LM_TRY(lm_poll_step(ctx, i));
        if (next == current && next != LM_ROLE_ALONE && next != LM_ROLE_SPACE)
            continue;
        if (current != LM_ROLE_SPACE)
            LM_TRY(lm_ranges_add(ctx, words, start, i));
        start = i;
        current = next;
    }
    if (current != LM_ROLE_SPACE)
        LM_TRY(lm_ranges_add(ctx, words, start, range.stop));
    return LM_OK;
}
