/*
 * words_text.c - a text as words: lexemes of a text search configuration, or tokens of the index's
 * model, as hashes under the index's key. A lexeme counts as often as to_tsvector gives it places;
 * a word at most 255 times.
 *
 * Special tokens are no words, nor is the one that stands for all that the vocabulary does not
 * have.
 */
#include "postgres.h"

#include "tsearch/ts_utils.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "base/sort.h"
#include "pg/am/words.h"
#include "pg/service/tokens.h"

#define TIMES_MOST 255

_Static_assert(TIMES_MOST < LM_POSTINGS_FREQUENCY, "postings have room for it");

lmtext_cutter
lmtext_cutter_make(Relation index, bool query)
{
    return (lmtext_cutter){.config = lmtext_words_config(index),
                           .query = query,
                           .embedder.resolver.memory = CurrentMemoryContext};
}

static uint64
hash_word(const unsigned char *key, const void *bytes, size_t length)
{
    lm_siphash hash;

    lm_siphash_begin(&hash, key);
    lm_siphash_add(&hash, bytes, length);
    return lm_siphash_end(&hash).low;
}

static void
add_word(lmtext_text_words *words, uint64 hash, uint32 times)
{
    words->words[words->count++] = (lmtext_counted){hash, times};
    words->length += times;
}

/* ---- Lexemes ---- */

static void
read_lexemes(Oid config, const unsigned char *key, text *value, lmtext_text_words *words)
{
    TSVector lexemes = DatumGetTSVector(
        DirectFunctionCall2(to_tsvector_byid, ObjectIdGetDatum(config), PointerGetDatum(value)));

    words->words = palloc((lexemes->size + 1) * sizeof(*words->words));
    for (int i = 0; i < lexemes->size; i++) {
        const WordEntry *entry = ARRPTR(lexemes) + i;

        add_word(words, hash_word(key, STRPTR(lexemes) + entry->pos, entry->len),
                 entry->haspos ? POSDATALEN(lexemes, entry) : 1);
    }
    pfree(lexemes);
}

/* ---- Tokens ---- */

typedef struct ids {
    int32 *ids; /* palloced */
    size_t count, space;
} ids;

/* Those of a part that are words. */
static void
add_part(ids *all, const lmtext_token_call *call)
{
    const lm_encoding *part = &call->work->part;
    int32 unknown = lm_token_unknown(call->tokenizer);

    if (all->space < all->count + part->count) {
        all->space = Max(all->space * 2, all->count + part->count);
        all->ids = all->ids == NULL ? palloc_extended(all->space * sizeof(int32), MCXT_ALLOC_HUGE)
                                    : repalloc_huge(all->ids, all->space * sizeof(int32));
    }
    for (size_t i = 0; i < part->count; i++)
        if (part->ids[i] != unknown && !lm_token_is_special(call->tokenizer, part->ids[i]))
            all->ids[all->count++] = part->ids[i];
}

static int
by_id(const void *a, const void *b)
{
    int32 x = *(const int32 *)a, y = *(const int32 *)b;

    return (x > y) - (x < y);
}

static void
sort(void *items, size_t count, size_t size, int (*compare)(const void *, const void *))
{
    lmtext_call call;

    lmtext_call_init(&call, CurrentMemoryContext);
    lmtext_check(&call, lm_sort(&call.ctx, items, count, size, compare), NULL);
}

/* Equal ids are one word. */
static void
count_ids(const ids *all, const unsigned char *key, lmtext_text_words *words)
{
    size_t different = 0;

    for (size_t i = 0; i < all->count; i++)
        different += i == 0 || all->ids[i] != all->ids[i - 1];
    words->words = palloc_extended((different + 1) * sizeof(*words->words), MCXT_ALLOC_HUGE);
    for (size_t i = 0, next; i < all->count; i = next) {
        for (next = i + 1; next < all->count && all->ids[next] == all->ids[i];)
            next++;
        add_word(words, hash_word(key, &all->ids[i], sizeof(int32)), Min(next - i, TIMES_MOST));
    }
}

/* Whoever may use the model: rows are read as they are embedded. */
static const lmtext_model *
model_of(lmtext_cutter *cutter, Relation index, const lmtext_meta *meta)
{
    if (cutter->query)
        lmtext_embedder_words(&cutter->embedder, index);
    else
        lmtext_embedder_rows(&cutter->embedder, index);
    lmtext_embedder_check(&cutter->embedder, index, meta);
    return cutter->embedder.inference.model;
}

static void
read_tokens(const lmtext_model *model, const unsigned char *key, text *value,
            lmtext_text_words *words)
{
    lmtext_token_call call;
    ids all = {0};

    lmtext_tokens_begin(&call, model);
    call.options.parse_special = true;
    lmtext_tokens_open(&call, lmtext_utf8_from_text(value));
    while (lmtext_tokens_next(&call))
        add_part(&all, &call);
    sort(all.ids, all.count, sizeof(int32), by_id);
    count_ids(&all, key, words);
    if (all.ids != NULL)
        pfree(all.ids);
}

/* ---- Both ---- */

static int
by_hash(const void *a, const void *b)
{
    uint64 x = ((const lmtext_counted *)a)->hash, y = ((const lmtext_counted *)b)->hash;

    return (x > y) - (x < y);
}

void
lmtext_words_read(lmtext_cutter *cutter, Relation index, const lmtext_meta *meta, text *value,
                  lmtext_text_words *words)
{
    memset(words, 0, sizeof(*words));
    if (OidIsValid(cutter->config))
        read_lexemes(cutter->config, meta->hash_key, value, words);
    else
        read_tokens(model_of(cutter, index, meta), meta->hash_key, value, words);
    sort(words->words, words->count, sizeof(*words->words), by_hash);
}
