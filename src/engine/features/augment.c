/*
 * augment.c - operations on the words of a text.
 */
#include "features/augment.h"

#include <string.h>

#include "base/hash.h"
#include "base/unicode.h"
#include "base/utf8.h"

#define POLL_EVERY 1024 /* words */

/* ---- Words ---- */

static lm_text *
words_of(const lm_buffer *list)
{
    return (lm_text *)(void *)list->data;
}

static size_t
count_of(const lm_buffer *list)
{
    return list->size / sizeof(lm_text);
}

static lm_status
insert_word(lm_buffer *list, size_t at, lm_text word)
{
    const size_t count = count_of(list);

    LM_TRY(lm_buffer_append(list, &word, sizeof word));
    memmove(words_of(list) + at + 1, words_of(list) + at, (count - at) * sizeof word);
    words_of(list)[at] = word;
    return LM_OK;
}

static void
remove_word(lm_buffer *list, size_t at)
{
    list->size -= sizeof(lm_text);
    memmove(words_of(list) + at, words_of(list) + at + 1, (count_of(list) - at) * sizeof(lm_text));
}

static lm_status
cut_words(lm_context *ctx, lm_text text, lm_buffer *list)
{
    size_t start = 0, at = 0;

    list->size = 0;
    while (at < text.length) {
        int bytes;
        const uint32_t c = lm_utf8_decode(text.bytes + at, &bytes);
        const bool space = (lm_unicode_flags(c) & LM_UNICODE_SPACE) != 0;
        const lm_text word = {text.bytes + start, at - start};

        at += (size_t)bytes;
        if (!space)
            continue;
        if (word.length > 0)
            LM_TRY(lm_buffer_append(list, &word, sizeof word));
        start = at;
        if (count_of(list) % POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
    }
    return at > start
               ? lm_buffer_append(list, &(lm_text){text.bytes + start, at - start}, sizeof(lm_text))
               : LM_OK;
}

static size_t
draw(lm_augmenter *a, size_t bound)
{
    return (size_t)lm_rng_below(&a->rng, bound);
}

/* How many words an operation changes. */
static size_t
changes(const lm_augmenter *a)
{
    const size_t count = (size_t)(a->share * (double)count_of(&a->words) + 0.5);

    return count > 1 ? count : 1;
}

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- Operations ---- */

/* Neighbours change places. */
static lm_status
swap_words(lm_augmenter *a)
{
    lm_text *words = words_of(&a->words);
    const size_t count = count_of(&a->words);

    for (size_t n = changes(a); n > 0 && count > 1; n--) {
        const size_t at = draw(a, count - 1);
        const lm_text word = words[at];

        words[at] = words[at + 1];
        words[at + 1] = word;
    }
    return LM_OK;
}

/* One stays. */
static lm_status
delete_words(lm_augmenter *a)
{
    for (size_t n = changes(a); n > 0 && count_of(&a->words) > 1; n--) {
        LM_TRY(lm_poll(a->ctx));
        remove_word(&a->words, draw(a, count_of(&a->words)));
    }
    return LM_OK;
}

static unsigned char
lower(char byte)
{
    return (unsigned char)(byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte);
}

static bool
is_same(lm_text one, lm_text two)
{
    size_t i = 0;

    if (one.length != two.length)
        return false;
    while (i < one.length && lower(one.bytes[i]) == lower(two.bytes[i]))
        i++;
    return i == one.length;
}

static bool
find_synonym(lm_augmenter *a, lm_text word, lm_text *found)
{
    size_t count = 0;

    for (size_t i = 0; i < a->synonym_count; i++)
        if (is_same(a->synonyms[i].word, word)) {
            /* Each of them is as likely. */
            if (draw(a, ++count) == 0)
                *found = a->synonyms[i].other;
        }
    return count > 0;
}

/* A synonym of a word, or the word, comes in somewhere. */
static lm_status
insert_words(lm_augmenter *a)
{
    for (size_t n = changes(a); n > 0; n--) {
        lm_text word = words_of(&a->words)[draw(a, count_of(&a->words))];

        LM_TRY(lm_poll(a->ctx));
        find_synonym(a, word, &word);
        LM_TRY(insert_word(&a->words, draw(a, count_of(&a->words) + 1), word));
    }
    return LM_OK;
}

/* Words that have one, from the drawn place on. */
static lm_status
take_synonyms(lm_augmenter *a)
{
    lm_text *words = words_of(&a->words);
    const size_t count = count_of(&a->words);
    size_t left = changes(a), at = draw(a, count);

    for (size_t i = 0; i < count && left > 0; i++, at = (at + 1) % count) {
        LM_TRY(lm_poll(a->ctx));
        left -= find_synonym(a, words[at], &words[at]);
    }
    return LM_OK;
}

/* Keys beside each letter's, of an American keyboard. */
static const char *const beside[26] = {
    "qwsz",   "vghn",  "xdfv", "serfcx", "wsdr", "drtgvc", "ftyhbv", "gyujnb", "ujko",
    "huikmn", "jiolm", "kop",  "njk",    "bhjm", "iklp",   "ol",     "wa",     "edft",
    "awedxz", "rfgy",  "yhji", "cfgb",   "qase", "zsdc",   "tghu",   "asx"};

/* A byte that is no letter of ASCII stays. */
static lm_status
mistype(lm_augmenter *a, lm_text *word)
{
    char *bytes = lm_arena_copy(&a->typed, word->bytes, word->length);
    const size_t at = draw(a, word->length);
    char small;

    if (!bytes)
        return LM_NO_MEMORY;
    small = (char)(bytes[at] | 0x20);
    if (small >= 'a' && small <= 'z' && (bytes[at] & 0x80) == 0) {
        const char *keys = beside[small - 'a'];

        bytes[at] = (char)(keys[draw(a, strlen(keys))] ^ (bytes[at] ^ small));
    }
    word->bytes = bytes;
    return LM_OK;
}

static lm_status
mistype_words(lm_augmenter *a)
{
    for (size_t n = changes(a); n > 0; n--) {
        LM_TRY(lm_poll(a->ctx));
        LM_TRY(mistype(a, &words_of(&a->words)[draw(a, count_of(&a->words))]));
    }
    return LM_OK;
}

/* A stretch stays, as long as is not changed. */
static lm_status
crop_words(lm_augmenter *a)
{
    lm_text *words = words_of(&a->words);
    const size_t count = count_of(&a->words), gone = least(changes(a), count - 1);

    memmove(words, words + draw(a, gone + 1), (count - gone) * sizeof *words);
    a->words.size = (count - gone) * sizeof *words;
    return LM_OK;
}

/* A stretch of the other text comes in place of one as long. */
static lm_status
mix_words(lm_augmenter *a)
{
    const size_t count = count_of(&a->words), others = count_of(&a->other);
    const size_t length = least(least(changes(a), others), count);
    const size_t from = draw(a, others - length + 1), to = draw(a, count - length + 1);

    memcpy(words_of(&a->words) + to, words_of(&a->other) + from, length * sizeof(lm_text));
    return LM_OK;
}

const lm_augment_op lm_augment_ops[] = {
    {"swap", swap_words, false, false},        {"delete", delete_words, false, false},
    {"insert", insert_words, false, false},    {"synonyms", take_synonyms, true, false},
    {"keyboard", mistype_words, false, false}, {"crop", crop_words, false, false},
    {"mix", mix_words, false, true},           {NULL, NULL, false, false},
};

const lm_augment_op *
lm_augment_op_find(const char *name)
{
    for (const lm_augment_op *op = lm_augment_ops; op->name; op++)
        if (strcmp(op->name, name) == 0)
            return op;
    return NULL;
}

/* ---- Variants ---- */

void
lm_augment_open(lm_augmenter *a, lm_context *ctx, double share)
{
    *a = (lm_augmenter){.ctx = ctx, .share = share};
    lm_buffer_init(&a->words, ctx);
    lm_buffer_init(&a->other, ctx);
    lm_arena_init(&a->typed, ctx);
}

void
lm_augment_close(lm_augmenter *a)
{
    if (!a->ctx)
        return;
    lm_buffer_free(&a->words);
    lm_buffer_free(&a->other);
    lm_arena_free(&a->typed);
}

lm_status
lm_augment_other(lm_augmenter *a, lm_text text, size_t *count)
{
    LM_TRY(cut_words(a->ctx, text, &a->other));
    *count = count_of(&a->other);
    return LM_OK;
}

static lm_status
join_words(const lm_augmenter *a, lm_buffer *joined)
{
    for (size_t i = 0; i < count_of(&a->words); i++) {
        const lm_text word = words_of(&a->words)[i];

        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(a->ctx));
        if (i > 0)
            LM_TRY(lm_buffer_append_byte(joined, ' '));
        LM_TRY(lm_buffer_append(joined, word.bytes, word.length));
    }
    return LM_OK;
}

lm_status
lm_augment_run(lm_augmenter *a, lm_text text, const lm_augment_op *const *ops, int count,
               uint64_t seed, uint64_t number, lm_buffer *variant)
{
    lm_status status;

    lm_rng_seed(&a->rng, lm_hash_bytes(text.bytes, text.length, seed) + number);
    status = cut_words(a->ctx, text, &a->words);
    for (int i = 0; status == LM_OK && i < count && count_of(&a->words) > 0; i++)
        status = ops[i]->run(a);
    if (status == LM_OK)
        status = join_words(a, variant);
    lm_arena_free(&a->typed);
    lm_arena_init(&a->typed, a->ctx);
    return status;
}
