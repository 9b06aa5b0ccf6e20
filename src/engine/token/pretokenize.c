/*
 * pretokenize.c - the table of pre-tokenizers, and their operations.
 *
 * An operation gives each character a role: SPACE ends a word and is dropped, ALONE is a word of
 * its own, and letters of one kind stay together.
 */
#include "token/pretokenize.h"

#include <string.h>

#include "base/unicode.h"

typedef lm_status (*pretokenizer_compile)(lm_context *ctx, lm_field field, lm_stage_list *list);

/* Beyond lm_char_role: letters of a second kind, which never share a word with the first. */
enum { ROLE_OTHER = LM_ROLE_ALONE + 1 };

static lm_status compile_stage(lm_context *ctx, lm_field field, lm_stage_list *list);
static lm_status compile_sequence(lm_context *ctx, lm_field field, lm_stage_list *list);
static lm_status compile_bert(lm_context *ctx, lm_field field, lm_stage_list *list);
static lm_status compile_space(lm_context *ctx, lm_field field, lm_stage_list *list);
static lm_status compile_punctuation(lm_context *ctx, lm_field field, lm_stage_list *list);
static lm_status compile_words(lm_context *ctx, lm_field field, lm_stage_list *list);
static lm_status split(lm_context *ctx, int (*role)(uint32_t c), const uint32_t *c, lm_range range,
                       lm_ranges *words);

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

/* \w+|[^\w\s]+ */
static int
word_role(uint32_t c)
{
    unsigned flags = lm_unicode_flags(c);

    if (flags & LM_UNICODE_WORD)
        return LM_ROLE_LETTER;
    return flags & LM_UNICODE_SPACE ? LM_ROLE_SPACE : ROLE_OTHER;
}

enum { SPLIT_SPACE, ISOLATE_PUNCTUATION, SPLIT_WORDS };

static const struct {
    int (*role)(uint32_t c);
    bool local;
} operations[] = {
    [SPLIT_SPACE] = {space_role, true},
    [ISOLATE_PUNCTUATION] = {punctuation_role, true},
    [SPLIT_WORDS] = {word_role, false},
};

static const struct {
    const char *name;
    pretokenizer_compile compile;
} stages[] = {
    {"BertPreTokenizer", compile_bert},   {"Sequence", compile_sequence},
    {"WhitespaceSplit", compile_space},   {"Whitespace", compile_words},
    {"Punctuation", compile_punctuation},
};

#define STAGE_COUNT (sizeof stages / sizeof stages[0])

lm_status
lm_pretokenizer_compile(lm_context *ctx, const lm_json *pretokenizer, lm_stage_list *list)
{
    memset(list, 0, sizeof *list);
    if (!pretokenizer || pretokenizer->type == LM_JSON_NULL)
        return LM_OK;
    return compile_stage(ctx, (lm_field){pretokenizer, "pre_tokenizer"}, list);
}

/* Look the type up in the table; the names of all rows are for the message. */
static lm_status
compile_stage(lm_context *ctx, lm_field field, lm_stage_list *list)
{
    const char *names[STAGE_COUNT];
    const lm_json *type;

    LM_TRY(lm_field_type(ctx, field, &type));
    for (size_t i = 0; i < STAGE_COUNT; i++) {
        names[i] = stages[i].name;
        if (lm_json_is_string(type, stages[i].name))
            return stages[i].compile(ctx, field, list);
    }
    return lm_field_no_stage(ctx, "pre_tokenizer", type->as.string.bytes, names, STAGE_COUNT);
}

/* Sequences are flattened into one list. */
static lm_status
add_operation(lm_context *ctx, lm_stage_list *list, uint8_t op)
{
    if (list->count == LM_MAX_STAGES)
        return lm_field_many_steps(ctx, "pre_tokenizer", LM_MAX_STAGES);
    list->op[list->count++] = op;
    return LM_OK;
}

/* Members run in order, each on the words that the one before left. */
static lm_status
compile_sequence(lm_context *ctx, lm_field field, lm_stage_list *list)
{
    const lm_json *members;

    LM_TRY(lm_field_items(ctx, field, "pretokenizers", LM_JSON_ARRAY, &members));
    for (const lm_json *member = members->as.items.first; member; member = member->next)
        LM_TRY(compile_stage(ctx, (lm_field){member, "pre_tokenizer.pretokenizers"}, list));
    return LM_OK;
}

lm_status
lm_pretokenizer_bert(lm_context *ctx, lm_stage_list *list)
{
    memset(list, 0, sizeof *list);
    return compile_bert(ctx, (lm_field){0}, list);
}

/* White space first, then punctuation. */
static lm_status
compile_bert(lm_context *ctx, lm_field field, lm_stage_list *list)
{
    LM_TRY(add_operation(ctx, list, SPLIT_SPACE));
    return add_operation(ctx, list, ISOLATE_PUNCTUATION);
}

/* The type has no settings. */
static lm_status
compile_space(lm_context *ctx, lm_field field, lm_stage_list *list)
{
    return add_operation(ctx, list, SPLIT_SPACE);
}

/* The type has no settings. */
static lm_status
compile_words(lm_context *ctx, lm_field field, lm_stage_list *list)
{
    return add_operation(ctx, list, SPLIT_WORDS);
}

/* Only the default behaviour: the others keep marks with a neighbour. */
static lm_status
compile_punctuation(lm_context *ctx, lm_field field, lm_stage_list *list)
{
    const lm_json *behavior = lm_json_get(field.object, "behavior");

    if (behavior && !lm_json_is_string(behavior, "Isolated")) {
        lm_field_wrong(ctx, field, "behavior", behavior, "Isolated");
        ctx->error.status = LM_UNSUPPORTED;
        return LM_UNSUPPORTED;
    }
    return add_operation(ctx, list, ISOLATE_PUNCTUATION);
}

/* Letters of two kinds in one operation need their neighbours. */
bool
lm_pretokenizer_is_local(const lm_stage_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (!operations[list->op[i]].local)
            return false;
    return true;
}

/* The first operation that separates a character decides. */
lm_char_role
lm_pretokenizer_role(const lm_stage_list *list, uint32_t c)
{
    for (uint32_t i = 0; i < list->count; i++) {
        int role = operations[list->op[i]].role(c);

        if (role != LM_ROLE_LETTER)
            return (lm_char_role)role;
    }
    return LM_ROLE_LETTER;
}

/* Each operation cuts the words of the one before; two lists take turns. */
lm_status
lm_pretokenizer_run(lm_context *ctx, const lm_stage_list *list, const uint32_t *c, size_t start,
                    size_t stop, lm_token_scratch *scratch)
{
    lm_ranges *words = &scratch->words, *spare = &scratch->spare_words;

    words->count = 0;
    if (start < stop)
        LM_TRY(lm_ranges_add(ctx, words, start, stop));
    for (uint32_t i = 0; i < list->count; i++) {
        lm_ranges swap;

        spare->count = 0;
        for (size_t k = 0; k < words->count; k++)
            LM_TRY(split(ctx, operations[list->op[i]].role, c, words->items[k], spare));
        swap = *words;
        *words = *spare;
        *spare = swap;
    }
    return LM_OK;
}

/* Append the words of one range by the roles of its characters. */
static lm_status
split(lm_context *ctx, int (*role)(uint32_t c), const uint32_t *c, lm_range range, lm_ranges *words)
{
    size_t start = range.start;
    int current = LM_ROLE_SPACE; /* role of the characters from start on */

    for (size_t i = range.start; i < range.stop; i++) {
        int next = role(c[i]);

        LM_TRY(lm_run_poll(ctx, i));
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
