/*
 * words_text.c - a text as words: lexemes of a text search configuration, as hashes under the
 * index's key. A lexeme counts as often as to_tsvector gives it places, at most 255 times.
 *
 * The configuration is found by its name each time, since a dump or pg_upgrade gives it another
 * number, and the index depends on it.
 */
#include "postgres.h"

#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class_d.h"
#include "catalog/pg_ts_config.h"
#include "nodes/value.h"
#include "tsearch/ts_utils.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/regproc.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#include "base/sort.h"
#include "pg/am/words.h"

#define DEFAULT_CONFIG "pg_catalog.simple"

/* Its name has a schema, or is in pg_catalog. */
Oid
lmtext_words_config_named(const char *name)
{
    List *names = stringToQualifiedNameList(name[0] != '\0' ? name : DEFAULT_CONFIG
#if PG_VERSION_NUM >= 160000
                                            ,
                                            NULL
#endif
    );

    if (list_length(names) == 1)
        names = lcons(makeString(pstrdup("pg_catalog")), names);
    return get_ts_config_oid(names, false);
}

Oid
lmtext_words_config(Relation index)
{
    return lmtext_words_config_named(lmtext_index_makers(index).config);
}

void
lmtext_words_depend(Relation index, Oid config)
{
    ObjectAddress dependent = {RelationRelationId, RelationGetRelid(index), 0};
    ObjectAddress referenced = {TSConfigRelationId, config, 0};

    (void)deleteDependencyRecordsForClass(RelationRelationId, RelationGetRelid(index),
                                          TSConfigRelationId, DEPENDENCY_NORMAL);
    recordDependencyOn(&dependent, &referenced, DEPENDENCY_NORMAL);
}

static int
by_hash(const void *a, const void *b)
{
    uint64 x = ((const lmtext_counted *)a)->hash, y = ((const lmtext_counted *)b)->hash;

    return (x > y) - (x < y);
}

static uint64
hash_word(const unsigned char *key, const char *bytes, size_t length)
{
    lm_siphash hash;

    lm_siphash_begin(&hash, key);
    lm_siphash_add(&hash, bytes, length);
    return lm_siphash_end(&hash).low;
}

void
lmtext_words_read(Oid config, const unsigned char *key, text *value, lmtext_text_words *words)
{
    TSVector lexemes = DatumGetTSVector(
        DirectFunctionCall2(to_tsvector_byid, ObjectIdGetDatum(config), PointerGetDatum(value)));
    lmtext_call call;

    words->length = 0;
    words->count = lexemes->size;
    words->words = palloc((lexemes->size + 1) * sizeof(*words->words));
    for (int i = 0; i < lexemes->size; i++) {
        const WordEntry *entry = ARRPTR(lexemes) + i;
        uint32 places = entry->haspos ? POSDATALEN(lexemes, entry) : 1;

        words->words[i] =
            (lmtext_counted){hash_word(key, STRPTR(lexemes) + entry->pos, entry->len), places};
        words->length += places;
    }
    lmtext_call_init(&call, CurrentMemoryContext);
    lmtext_check(&call,
                 lm_sort(&call.ctx, words->words, words->count, sizeof(*words->words), by_hash),
                 NULL);
    pfree(lexemes);
}
