/*
 * augment.c - lmtext.augment: variants of a text, to train with. An operation is a row of a table;
 * it changes the words of a text, which are what stands between white space.
 *
 * Numbers are drawn from the seed, the text and the number of the variant, so that all rows of a
 * table may have one seed, and the same call always gives the same.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "base/hash.h"
#include "base/rng.h"
#include "base/unicode.h"
#include "base/utf8.h"
#include "pg/fn/args.h"
#include "pg/fn/query.h"
#include "pg/glue/options.h"

#define FUNCTION "lmtext.augment"

PG_FUNCTION_INFO_V1(lmtext_augment);

typedef struct augment_options {
    double share; /* of words that an operation changes, one at least */
    char *synonyms, *with;
} augment_options;

static const lm_option option_table[] = {
    LM_OPTION(augment_options, share, FLOAT, 0, 1, "a number from 0 to 1"),
    LM_OPTION(augment_options, synonyms, TEXT, 0, 0, "a query of word and synonym"),
    LM_OPTION(augment_options, with, TEXT, 0, 0, "a text"),
};

typedef struct word_list {
    lm_text *items;
    int count, room;
} word_list;

/* Rows of the query of synonyms; words in lower case, as they are looked for. */
typedef struct synonym {
    lm_text word, other;
} synonym;

typedef struct augmenter {
    augment_options options;
    word_list with;
    synonym *synonyms;
    int synonym_count;
    lm_rng rng;
} augmenter;

/* ---- Words ---- */

static void
insert_word(word_list *list, int at, lm_text word)
{
    if (list->count == list->room) {
        list->room = Max(2 * list->room, 32);
        list->items = list->items == NULL
                          ? MemoryContextAllocHuge(CurrentMemoryContext,
                                                   mul_size(list->room, sizeof(lm_text)))
                          : repalloc_huge(list->items, mul_size(list->room, sizeof(lm_text)));
    }
    memmove(list->items + at + 1, list->items + at, (Size)(list->count - at) * sizeof(lm_text));
    list->items[at] = word;
    list->count++;
}

static void
remove_word(word_list *list, int at)
{
    list->count--;
    memmove(list->items + at, list->items + at + 1, (Size)(list->count - at) * sizeof(lm_text));
}

static word_list
cut_words(lm_text text)
{
    word_list list = {0};
    size_t start = 0, at = 0;

    while (at < text.length) {
        int bytes;
        const uint32_t c = lm_utf8_decode(text.bytes + at, &bytes);
        const bool space = (lm_unicode_flags(c) & LM_UNICODE_SPACE) != 0;

        if (space && at > start)
            insert_word(&list, list.count, (lm_text){text.bytes + start, at - start});
        at += bytes;
        if (space) {
            start = at;
            CHECK_FOR_INTERRUPTS();
        }
    }
    if (at > start)
        insert_word(&list, list.count, (lm_text){text.bytes + start, at - start});
    return list;
}

static int
draw(augmenter *a, int bound)
{
    return (int)lm_rng_below(&a->rng, (uint64)bound);
}

/* How many words an operation changes. */
static int
changes(const augmenter *a, const word_list *words)
{
    return Max(1, (int)(a->options.share * words->count + 0.5));
}

/* ---- Operations: of a text with a word at least ---- */

/* Neighbours change places. */
static void
swap_words(augmenter *a, word_list *words)
{
    for (int n = changes(a, words); n > 0 && words->count > 1; n--) {
        const int at = draw(a, words->count - 1);
        const lm_text word = words->items[at];

        words->items[at] = words->items[at + 1];
        words->items[at + 1] = word;
    }
}

/* One stays. */
static void
delete_words(augmenter *a, word_list *words)
{
    for (int n = changes(a, words); n > 0 && words->count > 1; n--) {
        CHECK_FOR_INTERRUPTS();
        remove_word(words, draw(a, words->count));
    }
}

static bool
find_synonym(augmenter *a, lm_text word, lm_text *found)
{
    int count = 0;

    for (int i = 0; i < a->synonym_count; i++)
        if (a->synonyms[i].word.length == word.length &&
            pg_strncasecmp(a->synonyms[i].word.bytes, word.bytes, word.length) == 0) {
            /* Each of them is as likely. */
            if (draw(a, ++count) == 0)
                *found = a->synonyms[i].other;
        }
    return count > 0;
}

/* A synonym of a word, or the word, comes in somewhere. */
static void
insert_words(augmenter *a, word_list *words)
{
    for (int n = changes(a, words); n > 0; n--) {
        lm_text word = words->items[draw(a, words->count)];

        CHECK_FOR_INTERRUPTS();
        find_synonym(a, word, &word);
        insert_word(words, draw(a, words->count + 1), word);
    }
}

/* Words that have one, from the drawn place on. */
static void
take_synonyms(augmenter *a, word_list *words)
{
    int left = changes(a, words), at = draw(a, words->count);

    for (int i = 0; i < words->count && left > 0; i++, at = (at + 1) % words->count) {
        CHECK_FOR_INTERRUPTS();
        left -= find_synonym(a, words->items[at], &words->items[at]);
    }
}

/* Keys beside each letter's, of an American keyboard. */
static const char *const beside[26] = {
    "qwsz",   "vghn",  "xdfv", "serfcx", "wsdr", "drtgvc", "ftyhbv", "gyujnb", "ujko",
    "huikmn", "jiolm", "kop",  "njk",    "bhjm", "iklp",   "ol",     "wa",     "edft",
    "awedxz", "rfgy",  "yhji", "cfgb",   "qase", "zsdc",   "tghu",   "asx"};

static lm_text
mistype(augmenter *a, lm_text word)
{
    char *bytes = pnstrdup(word.bytes, word.length);
    const size_t at = (size_t)lm_rng_below(&a->rng, word.length);
    const char small = bytes[at] | 0x20;

    if (small >= 'a' && small <= 'z' && (bytes[at] & 0x80) == 0) {
        const char *keys = beside[small - 'a'];

        bytes[at] = keys[draw(a, (int)strlen(keys))] ^ (bytes[at] ^ small);
    }
    return (lm_text){bytes, word.length};
}

static void
mistype_words(augmenter *a, word_list *words)
{
    for (int n = changes(a, words); n > 0; n--) {
        const int at = draw(a, words->count);

        CHECK_FOR_INTERRUPTS();
        words->items[at] = mistype(a, words->items[at]);
    }
}

/* A stretch stays, as long as is not changed. */
static void
crop_words(augmenter *a, word_list *words)
{
    const int kept = Max(1, words->count - changes(a, words));

    words->items += draw(a, words->count - kept + 1);
    words->room = words->count = kept;
    words->items =
        memcpy(MemoryContextAllocHuge(CurrentMemoryContext, (Size)kept * sizeof(lm_text)),
               words->items, (Size)kept * sizeof(lm_text));
}

/* A stretch of the other text comes in place of one as long. */
static void
mix_words(augmenter *a, word_list *words)
{
    const int length = Min(Min(changes(a, words), a->with.count), words->count);
    const int from = draw(a, a->with.count - length + 1), to = draw(a, words->count - length + 1);

    memcpy(words->items + to, a->with.items + from, (Size)length * sizeof(lm_text));
}

typedef struct augment_op {
    const char *name;
    void (*run)(augmenter *a, word_list *words);
    bool needs_synonyms, needs_other;
} augment_op;

static const augment_op ops[] = {
    {"swap", swap_words},
    {"delete", delete_words},
    {"insert", insert_words},
    {"synonyms", take_synonyms, .needs_synonyms = true},
    {"keyboard", mistype_words},
    {"crop", crop_words},
    {"mix", mix_words, .needs_other = true},
};

/* ---- Arguments ---- */

static const augment_op *
find_op(const char *name)
{
    for (int i = 0; i < lengthof(ops); i++)
        if (strcmp(ops[i].name, name) == 0)
            return &ops[i];
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("unknown operation of %s: \"%s\"", FUNCTION, lmtext_clip(name)),
                    errhint("Available operations: swap, delete, insert, synonyms, keyboard, "
                            "crop, mix.")));
}

static const augment_op **
read_ops(const augmenter *a, ArrayType *array, int *count)
{
    const augment_op **list;
    lm_text *names;
    bool *nulls;

    lmtext_texts_from_array(array, &names, &nulls, count);
    list = palloc((*count + 1) * sizeof *list);
    for (int i = 0; i < *count; i++) {
        if (nulls[i])
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("operation %d of %s is null", i + 1, FUNCTION)));
        list[i] = find_op(lmtext_cstring_from_utf8(names[i].bytes, names[i].length));
        if ((list[i]->needs_synonyms && a->options.synonyms == NULL) ||
            (list[i]->needs_other && a->with.count == 0))
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                            errmsg("the operation \"%s\" needs the option \"%s\"", list[i]->name,
                                   list[i]->needs_other ? "with" : "synonyms")));
    }
    return list;
}

static lm_text
keep_text(const char *text)
{
    const lm_text utf8 = lmtext_utf8_from_bytes(text, strlen(text));

    return (lm_text){pnstrdup(utf8.bytes, utf8.length), utf8.length};
}

static void
read_synonyms(augmenter *a, const char *query)
{
    static const lmtext_column columns[] = {{"word", LMTEXT_COLUMN_TEXT},
                                            {"synonym", LMTEXT_COLUMN_TEXT}};
    enum { BATCH = 256 };
    lmtext_query_row *rows = palloc(BATCH * sizeof *rows);
    lmtext_query reader;
    int count;

    lmtext_query_open(&reader, FUNCTION, query, columns, lengthof(columns));
    while ((count = lmtext_query_fetch(&reader, BATCH, rows)) > 0) {
        CHECK_FOR_INTERRUPTS();
        a->synonyms =
            a->synonyms == NULL
                ? palloc(count * sizeof(synonym))
                : repalloc_huge(a->synonyms, mul_size(a->synonym_count + count, sizeof(synonym)));
        for (int i = 0; i < count; i++)
            if (rows[i].fields[0].text != NULL && rows[i].fields[1].text != NULL)
                a->synonyms[a->synonym_count++] =
                    (synonym){keep_text(rows[i].fields[0].text), keep_text(rows[i].fields[1].text)};
    }
    lmtext_query_close(&reader);
}

/* ---- Variants ---- */

static text *
join_words(const word_list *words)
{
    StringInfoData joined;

    initStringInfo(&joined);
    for (int i = 0; i < words->count; i++) {
        CHECK_FOR_INTERRUPTS();
        if (i > 0)
            appendStringInfoChar(&joined, ' ');
        appendBinaryStringInfo(&joined, words->items[i].bytes, (int)words->items[i].length);
    }
    return lmtext_text_from_utf8(joined.data, joined.len);
}

static void
put_variant(FunctionCallInfo fcinfo, augmenter *a, lm_text source, const augment_op **list,
            int count)
{
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
    word_list words = cut_words(source);
    Datum values[1];
    bool nulls[1] = {false};

    for (int i = 0; i < count && words.count > 0; i++) {
        CHECK_FOR_INTERRUPTS();
        list[i]->run(a, &words);
    }
    values[0] = PointerGetDatum(join_words(&words));
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
put_variants(FunctionCallInfo fcinfo, augmenter *a, int n, uint64 seed)
{
    const lm_text source = lmtext_utf8_from_text(PG_GETARG_TEXT_PP(0));
    MemoryContext outer = CurrentMemoryContext;
    MemoryContext memory = AllocSetContextCreate(outer, "lmtext variant", ALLOCSET_DEFAULT_SIZES);
    int count;
    const augment_op **list;

    if (a->options.with != NULL)
        a->with = cut_words(keep_text(a->options.with));
    list = read_ops(a, PG_GETARG_ARRAYTYPE_P(1), &count);
    if (a->options.synonyms != NULL)
        read_synonyms(a, a->options.synonyms);
    MemoryContextSwitchTo(memory);
    for (int i = 0; i < n; i++) {
        lm_rng_seed(&a->rng, lm_hash_bytes(source.bytes, source.length, seed) + (uint64)i);
        put_variant(fcinfo, a, source, list, count);
        MemoryContextReset(memory);
    }
    MemoryContextSwitchTo(outer);
}

/* augment(text, ops, n, seed, options) */
Datum
lmtext_augment(PG_FUNCTION_ARGS)
{
    augmenter a = {.options = {.share = 0.1}};
    const int n = lmtext_arg_int(fcinfo, 2, "n", 1, 0, 1000000);

    InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
    for (int i = 0; i < PG_NARGS(); i++)
        if (PG_ARGISNULL(i))
            return (Datum)0;
    lmtext_options_read(PG_GETARG_JSONB_P(4),
                        &(lmtext_option_set){option_table, lengthof(option_table), &a.options}, 1);
    SPI_connect();
    put_variants(fcinfo, &a, n, (uint64)PG_GETARG_INT64(3));
    SPI_finish();
    return (Datum)0;
}
