/*
 * normalize.c - the table of normalizers, and their operations.
 *
 * Places follow the reference: a character that is mapped takes its own place, one that is inserted
 * takes the place of the one before, and characters that are removed leave nothing. Canonical order
 * moves marks but not places: these are given out in the order of the text.
 */
#include "token/normalize.h"

#include <stdio.h>
#include <string.h>

#include "base/unicode.h"

typedef lm_status (*normalizer_compile)(lm_context *ctx, lm_field field,
                                        const lm_bert_override *override, lm_stage_list *list,
                                        lm_notes *notes);

/* Reads `from` and writes `to`, which has room for more than from->count. */
typedef lm_status (*normalizer_run)(lm_context *ctx, const lm_chars *from, lm_chars *to);

static lm_status compile_stage(lm_context *ctx, lm_field field, const lm_bert_override *override,
                               lm_stage_list *list, lm_notes *notes);
static lm_status compile_bert(lm_context *ctx, lm_field field, const lm_bert_override *override,
                              lm_stage_list *list, lm_notes *notes);
static lm_status compile_sequence(lm_context *ctx, lm_field field, const lm_bert_override *override,
                                  lm_stage_list *list, lm_notes *notes);
static lm_status run_clean(lm_context *ctx, const lm_chars *from, lm_chars *to);
static lm_status run_space_cjk(lm_context *ctx, const lm_chars *from, lm_chars *to);
static lm_status run_nfd(lm_context *ctx, const lm_chars *from, lm_chars *to);
static lm_status run_nfkd(lm_context *ctx, const lm_chars *from, lm_chars *to);
static lm_status run_nfc(lm_context *ctx, const lm_chars *from, lm_chars *to);
static lm_status run_nfkc(lm_context *ctx, const lm_chars *from, lm_chars *to);
static lm_status run_strip_nonspacing(lm_context *ctx, const lm_chars *from, lm_chars *to);
static lm_status run_strip_marks(lm_context *ctx, const lm_chars *from, lm_chars *to);
static lm_status run_lower(lm_context *ctx, const lm_chars *from, lm_chars *to);

enum { CLEAN, SPACE_CJK, STRIP_NONSPACING, STRIP_MARKS, LOWER, NFD, NFKD, NFC, NFKC };

static const struct {
    normalizer_run run;
    bool reorders; /* puts marks into canonical order */
    bool composes; /* joins neighbours */
} operations[] = {
    [CLEAN] = {run_clean, false, false},
    [SPACE_CJK] = {run_space_cjk, false, false},
    [STRIP_NONSPACING] = {run_strip_nonspacing, false, false},
    [STRIP_MARKS] = {run_strip_marks, false, false},
    [LOWER] = {run_lower, false, false},
    [NFD] = {run_nfd, true, false},
    [NFKD] = {run_nfkd, true, false},
    [NFC] = {run_nfc, true, true},
    [NFKC] = {run_nfkc, true, true},
};

/* Stages by their name in tokenizer.json; those without a function are one operation. */
static const struct {
    const char *name;
    normalizer_compile compile;
    uint8_t op;
} stages[] = {
    {"BertNormalizer", compile_bert, 0},
    {"Sequence", compile_sequence, 0},
    {"Lowercase", NULL, LOWER},
    {"StripAccents", NULL, STRIP_MARKS},
    {"NFD", NULL, NFD},
    {"NFKD", NULL, NFKD},
    {"NFC", NULL, NFC},
    {"NFKC", NULL, NFKC},
};

#define STAGE_COUNT (sizeof stages / sizeof stages[0])

/* No normalizer is a list without operations. */
lm_status
lm_normalizer_compile(lm_context *ctx, const lm_json *normalizer, const lm_bert_override *override,
                      lm_stage_list *list, lm_notes *notes)
{
    memset(list, 0, sizeof *list);
    if (!normalizer || normalizer->type == LM_JSON_NULL)
        return LM_OK;
    return compile_stage(ctx, (lm_field){normalizer, "normalizer"}, override, list, notes);
}

/* Sequences of sequences end here: the list is flat. */
static lm_status
add_operation(lm_context *ctx, lm_stage_list *list, uint8_t op)
{
    if (list->count == LM_MAX_STAGES)
        return lm_field_many_steps(ctx, "normalizer", LM_MAX_STAGES);
    list->op[list->count++] = op;
    return LM_OK;
}

/* Look the type up in the table; the names of all rows are for the message. */
static lm_status
compile_stage(lm_context *ctx, lm_field field, const lm_bert_override *override,
              lm_stage_list *list, lm_notes *notes)
{
    const char *names[STAGE_COUNT];
    const lm_json *type;

    LM_TRY(lm_field_type(ctx, field, &type));
    for (size_t i = 0; i < STAGE_COUNT; i++) {
        names[i] = stages[i].name;
        if (!lm_json_is_string(type, stages[i].name))
            continue;
        if (stages[i].compile)
            return stages[i].compile(ctx, field, override, list, notes);
        return add_operation(ctx, list, stages[i].op);
    }
    return lm_field_no_stage(ctx, "normalizer", type->as.string.bytes, names, STAGE_COUNT);
}

/* Members run in order; nesting is limited by the JSON reader. */
static lm_status
compile_sequence(lm_context *ctx, lm_field field, const lm_bert_override *override,
                 lm_stage_list *list, lm_notes *notes)
{
    const lm_json *members;

    LM_TRY(lm_field_items(ctx, field, "normalizers", LM_JSON_ARRAY, &members));
    for (const lm_json *member = members->as.items.first; member; member = member->next)
        LM_TRY(compile_stage(ctx, (lm_field){member, "normalizer.normalizers"}, override, list,
                             notes));
    return LM_OK;
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
add_bert(lm_context *ctx, const lm_bert_override *settings, lm_stage_list *list)
{
    if (settings->clean)
        LM_TRY(add_operation(ctx, list, CLEAN));
    if (settings->chinese)
        LM_TRY(add_operation(ctx, list, SPACE_CJK));
    if (settings->strip_accents) {
        LM_TRY(add_operation(ctx, list, NFD));
        LM_TRY(add_operation(ctx, list, STRIP_NONSPACING));
    }
    return settings->lowercase ? add_operation(ctx, list, LOWER) : LM_OK;
}

/* strip_accents that is null follows lowercase. */
static lm_status
compile_bert(lm_context *ctx, lm_field field, const lm_bert_override *override, lm_stage_list *list,
             lm_notes *notes)
{
    lm_bert_override own = {0};
    bool given;

    LM_TRY(lm_field_bool(ctx, field, "clean_text", true, &own.clean));
    LM_TRY(lm_field_bool(ctx, field, "handle_chinese_chars", true, &own.chinese));
    LM_TRY(lm_field_bool(ctx, field, "lowercase", true, &own.lowercase));
    LM_TRY(lm_field_optional_bool(ctx, field, "strip_accents", &given, &own.strip_accents));
    if (!given)
        own.strip_accents = own.lowercase;
    if (override->present) {
        note_conflicts(&own, override, notes);
        own = *override;
    }
    return add_bert(ctx, &own, list);
}

lm_status
lm_normalizer_bert(lm_context *ctx, const lm_bert_override *settings, lm_stage_list *list)
{
    memset(list, 0, sizeof *list);
    return add_bert(ctx, settings, list);
}

/* Composition looks at neighbours. */
bool
lm_normalizer_is_local(const lm_stage_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (operations[list->op[i]].composes)
            return false;
    return true;
}

bool
lm_normalizer_reorders(const lm_stage_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (operations[list->op[i]].reorders)
            return true;
    return false;
}

/* Each operation reads one array and writes the other. */
lm_status
lm_normalizer_run(lm_context *ctx, const lm_stage_list *list, lm_chars *chars, lm_chars *spare)
{
    for (uint32_t i = 0; i < list->count; i++) {
        lm_chars swap;

        LM_TRY(lm_poll(ctx));
        LM_TRY(lm_chars_reserve(ctx, spare, chars->count + LM_UNICODE_MAX_MAPPING));
        spare->count = 0;
        LM_TRY(operations[list->op[i]].run(ctx, chars, spare));
        swap = *chars;
        *chars = *spare;
        *spare = swap;
    }
    return LM_OK;
}

/* Callers have made room. */
static inline void
put(lm_chars *to, uint32_t c, int32_t at)
{
    to->c[to->count] = c;
    to->at[to->count++] = at;
}

/* Controls go; every kind of white space becomes a space. */
static lm_status
run_clean(lm_context *ctx, const lm_chars *from, lm_chars *to)
{
    for (size_t i = 0; i < from->count; i++) {
        unsigned flags = lm_unicode_flags(from->c[i]);

        LM_TRY(lm_run_poll(ctx, i));
        if (!(flags & LM_UNICODE_DROPPED))
            put(to, flags & LM_UNICODE_SPACE ? ' ' : from->c[i], from->at[i]);
    }
    return LM_OK;
}

/* Spaces around an ideograph make it a word of its own; they share its place. */
static lm_status
run_space_cjk(lm_context *ctx, const lm_chars *from, lm_chars *to)
{
    for (size_t i = 0; i < from->count; i++) {
        bool cjk = lm_unicode_flags(from->c[i]) & LM_UNICODE_CJK;

        LM_TRY(lm_run_poll(ctx, i));
        LM_TRY(lm_chars_reserve(ctx, to, to->count + 3));
        if (cjk)
            put(to, ' ', from->at[i]);
        put(to, from->c[i], from->at[i]);
        if (cjk)
            put(to, ' ', from->at[i]);
    }
    return LM_OK;
}

/* Characters with the flag are left out. */
static lm_status
strip(lm_context *ctx, const lm_chars *from, lm_chars *to, unsigned flag)
{
    for (size_t i = 0; i < from->count; i++) {
        LM_TRY(lm_run_poll(ctx, i));
        if (!(lm_unicode_flags(from->c[i]) & flag))
            put(to, from->c[i], from->at[i]);
    }
    return LM_OK;
}

/* BertNormalizer: Mn only. */
static lm_status
run_strip_nonspacing(lm_context *ctx, const lm_chars *from, lm_chars *to)
{
    return strip(ctx, from, to, LM_UNICODE_NONSPACING);
}

/* StripAccents: Mn, Mc and Me. */
static lm_status
run_strip_marks(lm_context *ctx, const lm_chars *from, lm_chars *to)
{
    return strip(ctx, from, to, LM_UNICODE_MARK);
}

/* Character by character, without context: a final sigma stays what it is. */
static lm_status
run_lower(lm_context *ctx, const lm_chars *from, lm_chars *to)
{
    for (size_t i = 0; i < from->count; i++) {
        uint32_t mapped[LM_UNICODE_MAX_MAPPING];
        size_t length = lm_unicode_lower(from->c[i], mapped);

        LM_TRY(lm_run_poll(ctx, i));
        LM_TRY(lm_chars_reserve(ctx, to, to->count + length));
        for (size_t k = 0; k < length; k++)
            put(to, mapped[k], from->at[i]);
    }
    return LM_OK;
}

/* Stable sort by class, by insertion: for the few marks that texts have. */
static void
sort_few(uint32_t *c, int32_t *tag, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t k = i; k > 0 && tag[k - 1] >> 1 > tag[k] >> 1; k--) {
            uint32_t moved = c[k];
            int32_t moved_tag = tag[k];

            c[k] = c[k - 1];
            tag[k] = tag[k - 1];
            c[k - 1] = moved;
            tag[k - 1] = moved_tag;
        }
}

/* The same by counting: for runs that were made to be long. */
static lm_status
sort_many(lm_context *ctx, uint32_t *c, int32_t *tag, size_t count)
{
    size_t starts[256 + 1] = {0};
    uint32_t *copy = lm_alloc_array(ctx, 2 * count, sizeof *copy);

    if (!copy)
        return LM_NO_MEMORY;
    memcpy(copy, c, count * sizeof *copy);
    memcpy(copy + count, tag, count * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        starts[(tag[i] >> 1) + 1]++;
    for (size_t i = 1; i < 256; i++)
        starts[i] += starts[i - 1];
    for (size_t i = 0; i < count; i++) {
        size_t place = starts[(int32_t)copy[count + i] >> 1]++;

        c[place] = copy[i];
        tag[place] = (int32_t)copy[count + i];
    }
    lm_free(ctx, copy);
    return LM_OK;
}

/*
 * Put the marks from `start` on into canonical order. Until places are given out, `at` holds
 * class << 1 | whether the character is one that a mapping inserted; these tags move along.
 */
static lm_status
sort_marks(lm_context *ctx, lm_chars *to, size_t start)
{
    size_t count = to->count - start;

    if (count > 16)
        return sort_many(ctx, to->c + start, to->at + start, count);
    sort_few(to->c + start, to->at + start, count);
    return LM_OK;
}

/* Characters mapped and in canonical order, with tags. */
static lm_status
decompose(lm_context *ctx, const lm_chars *from, lm_chars *to,
          size_t (*map)(uint32_t c, uint32_t *out))
{
    size_t run = 0; /* where the run of marks starts */

    for (size_t i = 0; i < from->count; i++) {
        uint32_t mapped[LM_UNICODE_MAX_MAPPING];
        size_t length = map(from->c[i], mapped);

        LM_TRY(lm_run_poll(ctx, i));
        LM_TRY(lm_chars_reserve(ctx, to, to->count + length));
        for (size_t k = 0; k < length; k++) {
            unsigned class = lm_unicode_class(mapped[k]);

            if (class == 0) {
                LM_TRY(sort_marks(ctx, to, run));
                run = to->count + 1;
            }
            put(to, mapped[k], (int32_t)(class << 1 | (k > 0)));
        }
    }
    return sort_marks(ctx, to, run);
}

/*
 * Tags become changes, as the reference counts them: 1 for a character that was inserted, else
 * minus the number of characters of the text that it takes beyond its own.
 */
static lm_status
count_changes(lm_context *ctx, lm_chars *to)
{
    for (size_t i = 0; i < to->count; i++) {
        LM_TRY(lm_run_poll(ctx, i));
        to->at[i] &= 1;
    }
    return LM_OK;
}

/* Canonical composition (Unicode 3.11, D117), on changes. */
static lm_status
compose(lm_context *ctx, lm_chars *to)
{
    size_t count = 0, starter = 0;
    unsigned last = 256; /* class of the character before; above all others: there is no starter */

    for (size_t i = 0; i < to->count; i++) {
        unsigned class = lm_unicode_class(to->c[i]);
        uint32_t composed = 0;

        LM_TRY(lm_run_poll(ctx, i));
        if (last < class || last == 0)
            composed = lm_unicode_compose(to->c[starter], to->c[i]);
        if (composed) {
            to->c[starter] = composed;
            to->at[starter] += to->at[i] - 1;
            continue;
        }
        if (class == 0)
            starter = count;
        if (class == 0 || last != 256)
            last = class;
        to->c[count] = to->c[i];
        to->at[count++] = to->at[i];
    }
    to->count = count;
    return LM_OK;
}

/* Changes become places: given out in the order of the text, whatever moved. */
static lm_status
give_places(lm_context *ctx, const lm_chars *from, lm_chars *to)
{
    size_t next = 0;

    for (size_t i = 0; i < to->count; i++) {
        int32_t change = to->at[i];

        LM_TRY(lm_run_poll(ctx, i));
        if (change > 0) {
            to->at[i] = from->at[next > 0 ? next - 1 : 0];
            continue;
        }
        to->at[i] = from->at[next < from->count ? next : from->count - 1];
        next += 1 + (size_t)-change;
    }
    return LM_OK;
}

/* Canonical decomposition. */
static lm_status
run_nfd(lm_context *ctx, const lm_chars *from, lm_chars *to)
{
    LM_TRY(decompose(ctx, from, to, lm_unicode_nfd));
    LM_TRY(count_changes(ctx, to));
    return give_places(ctx, from, to);
}

/* Compatibility decomposition. */
static lm_status
run_nfkd(lm_context *ctx, const lm_chars *from, lm_chars *to)
{
    LM_TRY(decompose(ctx, from, to, lm_unicode_nfkd));
    LM_TRY(count_changes(ctx, to));
    return give_places(ctx, from, to);
}

/* Canonical decomposition, then composition. */
static lm_status
run_nfc(lm_context *ctx, const lm_chars *from, lm_chars *to)
{
    LM_TRY(decompose(ctx, from, to, lm_unicode_nfd));
    LM_TRY(count_changes(ctx, to));
    LM_TRY(compose(ctx, to));
    return give_places(ctx, from, to);
}

/* Compatibility decomposition, then canonical composition. */
static lm_status
run_nfkc(lm_context *ctx, const lm_chars *from, lm_chars *to)
{
    LM_TRY(decompose(ctx, from, to, lm_unicode_nfkd));
    LM_TRY(count_changes(ctx, to));
    LM_TRY(compose(ctx, to));
    return give_places(ctx, from, to);
}
