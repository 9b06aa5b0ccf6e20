/*
 * explore.c - lmtext.cluster and lmtext.project: all rows of a query of key and text or vector, in
 * groups or on a plane; lmtext.cluster_keywords, the words by which groups of texts differ; and
 * lmtext.keywords of one text.
 *
 * Keys of all rows are in memory, and vectors up to maintenance_work_mem: 4 bytes a dimension; what
 * is beyond lies in a temporary file.
 */
#include "postgres.h"

#include <math.h>

#include "common/hashfn.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tsearch/ts_cache.h"
#include "tsearch/ts_public.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "base/sort.h"
#include "base/words.h"
#include "base/utf8.h"
#include "search/clusters.h"
#include "search/distance.h"
#include "search/neighbours.h"
#include "search/principal.h"
#include "search/umap.h"
#include "pg/fn/embedders.h"
#include "pg/fn/keyed.h"
#include "pg/glue/options.h"

LMTEXT_ENTRY(lmtext_cluster, .name = "cluster", .task = "embedding", .model = 3);
LMTEXT_ENTRY(lmtext_project, .name = "project", .task = "embedding", .model = 3);
LMTEXT_ENTRY(lmtext_keywords, .name = "keywords", .task = "embedding");
PG_FUNCTION_INFO_V1(lmtext_cluster_keywords);

/* A call over all rows of a query. */
typedef struct explore {
    FunctionCallInfo fcinfo;
    lmtext_call call;
    lmtext_keyed rows;
    lm_vector_rows vectors;
} explore;

static void
refuse_null(FunctionCallInfo fcinfo, int argno, const char *name, const char *function)
{
    if (PG_ARGISNULL(argno))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("argument %s of %s must not be null", name, function)));
}

static void
put_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;

    CHECK_FOR_INTERRUPTS();
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    LMTEXT_FAULT_POINT("explored_emitted");
}

/* Argument 0 is the query. */
static void
read_rows(explore *x, FunctionCallInfo fcinfo, const char *function, int64 workers)
{
    x->fcinfo = fcinfo;
    lmtext_call_init(&x->call, CurrentMemoryContext);
    lmtext_call_keep_within(&x->call, maintenance_work_mem);
    x->rows = (lmtext_keyed){.function = function,
                             .memory = CurrentMemoryContext,
                             .kept = &x->call,
                             .workers = (int)workers};
    lmtext_keyed_read(&x->rows, fcinfo, text_to_cstring(PG_GETARG_TEXT_PP(0)));
    x->vectors = (lm_vector_rows){x->rows.count, x->rows.width, x->rows.values};
}

/* ---- Clusters ---- */

typedef struct cluster_options {
    char *method, *starts;
    int64 seed, iterations, least, workers;
    double tolerance, similarity;
} cluster_options;

static const lm_option cluster_table[] = {
    LM_OPTION(cluster_options, method, TEXT, 0, 0, "\"kmeans\" or \"dbscan\""),
    LM_OPTION(cluster_options, starts, TEXT, 0, 0, "a query of key and text or vector"),
    LM_OPTION(cluster_options, seed, INT, 0, LM_SEED_MAX, "a whole number from 0 to 2^53 - 1"),
    LM_OPTION(cluster_options, iterations, INT, 1, 1000000, "a whole number from 1 to 1000000"),
    LM_OPTION(cluster_options, tolerance, FLOAT, 0, 1, "a number from 0 to 1"),
    LM_OPTION(cluster_options, similarity, FLOAT, -1, 1, "a number from -1 to 1"),
    LM_OPTION(cluster_options, least, INT, 1, 1000000000, "a whole number from 1 to 1000000000"),
    LM_OPTION(cluster_options, workers, INT, 0, LMTEXT_EMBEDDERS_MAX,
              "a whole number from 0 to 32"),
};

/* How rows become clusters; k is 0 where it was not given. */
typedef struct cluster_method {
    const char *name;
    bool needs_k;
    void (*run)(explore *x, int k, const cluster_options *options, int32_t *labels);
} cluster_method;

/* Centres from a query of their own, in its order. */
static const float *
read_starts(explore *x, int k, const char *query)
{
    lmtext_keyed starts = {.function = "lmtext.cluster", .memory = CurrentMemoryContext};

    if (query == NULL)
        return NULL;
    lmtext_keyed_read(&starts, x->fcinfo, query);
    if (starts.count != k)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the query of the option \"starts\" returned " INT64_FORMAT " rows",
                               starts.count),
                        errdetail("There are %d clusters.", k)));
    if (starts.width != x->rows.width)
        ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
                        errmsg("vectors have different dimensions: %d and %d", x->rows.width,
                               starts.width)));
    return starts.values;
}

static void
run_kmeans(explore *x, int k, const cluster_options *options, int32_t *labels)
{
    const lm_kmeans_options asked = {.clusters = k,
                                     .iterations = options->iterations,
                                     .tolerance = options->tolerance,
                                     .seed = (uint64)options->seed,
                                     .starts = read_starts(x, k, options->starts)};

    if (k > x->rows.count)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("there are fewer rows than clusters: " INT64_FORMAT " and %d",
                               x->rows.count, k)));
    lmtext_check(&x->call, lm_kmeans(&x->call.ctx, &x->vectors, &asked, labels), NULL);
}

static void
run_dense(explore *x, int k, const cluster_options *options, int32_t *labels)
{
    lmtext_check(
        &x->call,
        lm_dense_clusters(&x->call.ctx, &x->vectors, options->similarity, options->least, labels),
        NULL);
}

static const cluster_method cluster_methods[] = {
    {"kmeans", true, run_kmeans},
    {"dbscan", false, run_dense},
};

/* By its name; what fits no method is refused. */
static const cluster_method *
find_method(const char *name, bool has_k)
{
    for (int i = 0; i < lengthof(cluster_methods); i++)
        if (strcmp(cluster_methods[i].name, name) == 0) {
            if (cluster_methods[i].needs_k != has_k)
                ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                                has_k ? errmsg("the method \"%s\" takes no k", name)
                                      : errmsg("the method \"%s\" needs k", name)));
            return &cluster_methods[i];
        }
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("unknown method of lmtext.cluster: \"%s\"", lmtext_clip(name)),
                    errhint("Available methods: kmeans, dbscan.")));
}

static void
put_clusters(const explore *x, const int32_t *labels)
{
    for (int64 i = 0; i < x->rows.count; i++) {
        Datum values[] = {CStringGetTextDatum(x->rows.keys[i]), Int32GetDatum(labels[i] + 1)};
        bool nulls[] = {false, labels[i] == LM_NO_CLUSTER};

        put_row(x->fcinfo, values, nulls);
        pfree(DatumGetPointer(values[0]));
    }
}

/* cluster(query, k, options, model) */
static Datum
lmtext_cluster_call(PG_FUNCTION_ARGS)
{
    cluster_options options = {.method = PG_ARGISNULL(1) ? "dbscan" : "kmeans",
                               .iterations = 300,
                               .tolerance = 1e-4,
                               .similarity = 0.7,
                               .least = 5};
    const int k = lmtext_arg_int(fcinfo, 1, "k", 0, 1, 1000000);
    const cluster_method *method;
    int32_t *labels;
    explore x;

    refuse_null(fcinfo, 0, "query", "lmtext.cluster");
    if (!PG_ARGISNULL(2))
        lmtext_options_read(PG_GETARG_JSONB_P(2),
                            &(lmtext_option_set){cluster_table, lengthof(cluster_table), &options},
                            1);
    method = find_method(options.method, k > 0);
    InitMaterializedSRF(fcinfo, 0);
    SPI_connect();
    read_rows(&x, fcinfo, "lmtext.cluster", options.workers);
    if (x.rows.count > 0) {
        labels =
            MemoryContextAllocHuge(CurrentMemoryContext, mul_size(x.rows.count, sizeof *labels));
        method->run(&x, k, &options, labels);
        put_clusters(&x, labels);
    }
    lmtext_keyed_close(&x.rows);
    SPI_finish();
    return (Datum)0;
}

/* ---- A plane ---- */

static void
put_points(const explore *x, const double *points)
{
    for (int64 i = 0; i < x->rows.count; i++) {
        Datum values[] = {CStringGetTextDatum(x->rows.keys[i]), Float8GetDatum(points[2 * i]),
                          Float8GetDatum(points[2 * i + 1])};
        bool nulls[] = {false, false, false};

        put_row(x->fcinfo, values, nulls);
        pfree(DatumGetPointer(values[0]));
    }
}

typedef struct project_options {
    int64 neighbours, epochs, seed, workers;
    double min_distance;
} project_options;

static const lm_option project_table[] = {
    LM_OPTION(project_options, workers, INT, 0, LMTEXT_EMBEDDERS_MAX,
              "a whole number from 0 to 32"),
    LM_OPTION(project_options, neighbours, INT, 2, LM_NEIGHBOURS_MOST,
              "a whole number from 2 to 256"),
    LM_OPTION(project_options, min_distance, FLOAT, 0, 1, "a number from 0 to 1"),
    LM_OPTION(project_options, epochs, INT, 1, 100000, "a whole number from 1 to 100000"),
    LM_OPTION(project_options, seed, INT, 0, LM_SEED_MAX, "a whole number from 0 to 2^53 - 1"),
};

/* How rows become points, and how many of the options it has. */
typedef struct projection {
    const char *name;
    int options;
    void (*run)(explore *x, const project_options *options, double *points);
} projection;

static void
run_pca(explore *x, const project_options *options, double *points)
{
    lmtext_check(&x->call, lm_principal(&x->call.ctx, &x->vectors, 2, points), NULL);
}

static void
run_umap(explore *x, const project_options *options, double *points)
{
    const lm_umap_options asked = {.neighbours = (size_t)options->neighbours,
                                   .min_distance = options->min_distance,
                                   .epochs = (size_t)options->epochs,
                                   .seed = (uint64)options->seed};

    lmtext_check(&x->call, lm_umap(&x->call.ctx, &x->vectors, &asked, points), NULL);
}

static const projection projections[] = {{"pca", 1, run_pca},
                                         {"umap", lengthof(project_table), run_umap}};

static const projection *
find_projection(FunctionCallInfo fcinfo)
{
    const char *how = PG_ARGISNULL(1) ? "pca" : text_to_cstring(PG_GETARG_TEXT_PP(1));

    for (int i = 0; i < lengthof(projections); i++)
        if (strcmp(projections[i].name, how) == 0)
            return &projections[i];
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("unknown method of lmtext.project: \"%s\"", lmtext_clip(how)),
                    errhint("Available methods: pca, umap.")));
}

/* project(query, how, options, model) */
static Datum
lmtext_project_call(PG_FUNCTION_ARGS)
{
    project_options options = {.neighbours = 15, .min_distance = 0.1, .seed = 42};
    const projection *how;
    double *points;
    explore x;

    refuse_null(fcinfo, 0, "query", "lmtext.project");
    how = find_projection(fcinfo);
    if (!PG_ARGISNULL(2))
        lmtext_options_read(PG_GETARG_JSONB_P(2),
                            &(lmtext_option_set){project_table, how->options, &options}, 1);
    InitMaterializedSRF(fcinfo, 0);
    SPI_connect();
    read_rows(&x, fcinfo, "lmtext.project", options.workers);
    if (x.rows.count > 0) {
        points = MemoryContextAllocHuge(CurrentMemoryContext,
                                        mul_size(x.rows.count, 2 * sizeof *points));
        how->run(&x, &options, points);
        put_points(&x, points);
    }
    lmtext_keyed_close(&x.rows);
    SPI_finish();
    return (Datum)0;
}

/* ---- Stop words ---- */

/* A stop word is one of which the dictionary makes no lexeme; there are none without one. */
static bool
is_stop(Oid dictionary, const char *word)
{
    DictSubState state = {0};
    TSDictionaryCacheEntry *entry;
    const TSLexeme *lexemes;
    char *local;

    if (!OidIsValid(dictionary))
        return false;
    local = lmtext_cstring_lossy(word, strlen(word));
    entry = lookup_ts_dictionary_cache(dictionary);
    lexemes = (TSLexeme *)DatumGetPointer(
        FunctionCall4(&entry->lexize, PointerGetDatum(entry->dictData), PointerGetDatum(local),
                      Int32GetDatum((int32)strlen(local)), PointerGetDatum(&state)));
    return lexemes != NULL && lexemes[0].lexeme == NULL;
}

static Oid
dictionary_of(FunctionCallInfo fcinfo, int argno)
{
    return PG_ARGISNULL(argno) ? InvalidOid : PG_GETARG_OID(argno);
}

/* ---- Words of clusters ---- */

/* A word, or a word in a cluster (hashed by the bytes before `count`). */
typedef struct word_key {
    char *word;
    int32 cluster; /* −1: in all */
} word_key;

typedef struct word_count {
    word_key key;
    int64 count;
    bool stop; /* of a word in all: it counts nowhere */
} word_count;

typedef struct named_cluster {
    char *name; /* the key */
    int number;
} named_cluster;

typedef struct cluster_words {
    FunctionCallInfo fcinfo;
    lmtext_call call;
    MemoryContext memory;
    HTAB *counts;
    Oid dictionary; /* that knows stop words, or InvalidOid */
    char **names;   /* of clusters */
    int64 *words;   /* of each */
    int clusters, room;
    HTAB *numbers; /* of clusters, by name */
    int64 total;
} cluster_words;

static uint32
hash_word(const void *key, Size size)
{
    const word_key *k = key;

    return hash_bytes((const unsigned char *)k->word, (int)strlen(k->word)) ^
           (uint32)k->cluster * 0x9e3779b9u;
}

static int
match_word(const void *a, const void *b, Size size)
{
    const word_key *x = a, *y = b;

    return x->cluster != y->cluster || strcmp(x->word, y->word) != 0;
}

static void
open_words(cluster_words *w, FunctionCallInfo fcinfo)
{
    HASHCTL control = {.keysize = sizeof(word_key),
                       .entrysize = sizeof(word_count),
                       .hash = hash_word,
                       .match = match_word,
                       .hcxt = CurrentMemoryContext};

    *w = (cluster_words){.fcinfo = fcinfo, .memory = CurrentMemoryContext};
    lmtext_call_init(&w->call, w->memory);
    w->counts = hash_create("lmtext words", 1024, &control,
                            HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
}

/* The key's word is copied once, when it is new. */
static word_count *
count_word(cluster_words *w, char *word, int cluster)
{
    const word_key key = {word, cluster};
    bool found;
    word_count *entry = hash_search(w->counts, &key, HASH_ENTER, &found);

    if (!found) {
        entry->count = 0;
        entry->key.word = MemoryContextStrdup(w->memory, word);
        entry->stop = cluster < 0 && is_stop(w->dictionary, word);
    }
    entry->count++;
    return entry;
}

static uint32
hash_name(const void *key, Size size)
{
    const char *name = *(const char *const *)key;

    return hash_bytes((const unsigned char *)name, (int)strlen(name));
}

static int
match_name(const void *a, const void *b, Size size)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The number of a cluster, which is that of the names before it. */
static int
find_cluster(cluster_words *w, char *name)
{
    bool found;
    named_cluster *entry = hash_search(w->numbers, &name, HASH_ENTER, &found);

    if (found)
        return entry->number;
    if (w->clusters == w->room) {
        w->room *= 2;
        w->names = repalloc_huge(w->names, mul_size(w->room, sizeof(char *)));
        w->words = repalloc_huge(w->words, mul_size(w->room, sizeof(int64)));
    }
    entry->name = w->names[w->clusters] = MemoryContextStrdup(w->memory, name);
    w->words[w->clusters] = 0;
    return entry->number = w->clusters++;
}

static void
open_names(cluster_words *w)
{
    HASHCTL control = {.keysize = sizeof(char *),
                       .entrysize = sizeof(named_cluster),
                       .hash = hash_name,
                       .match = match_name,
                       .hcxt = w->memory};

    w->room = 16;
    w->names = MemoryContextAlloc(w->memory, w->room * sizeof(char *));
    w->words = MemoryContextAlloc(w->memory, w->room * sizeof(int64));
    w->numbers = hash_create("lmtext clusters", 64, &control,
                             HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
}

static void
count_text(cluster_words *w, int cluster, const char *text, lm_buffer *word)
{
    const lm_text utf8 = lmtext_utf8_from_bytes(text, strlen(text));
    lm_words words;
    bool found;

    lmtext_check(&w->call, lm_words_open(&words, utf8, word), NULL);
    for (;;) {
        lmtext_check(&w->call, lm_words_next(&words, &found), NULL);
        if (!found)
            break;
        lmtext_check(&w->call, lm_buffer_append_byte(word, '\0'), NULL);
        if (count_word(w, word->data, -1)->stop)
            continue;
        count_word(w, word->data, cluster);
        w->words[cluster]++;
        w->total++;
    }
}

static void
read_words(cluster_words *w, const char *query)
{
    static const lmtext_column columns[] = {{"cluster", LMTEXT_COLUMN_KEY},
                                            {"text", LMTEXT_COLUMN_TEXT}};
    enum { BATCH = 256 };
    MemoryContext memory =
        AllocSetContextCreate(CurrentMemoryContext, "lmtext batch", ALLOCSET_DEFAULT_SIZES);
    lmtext_query_row *rows = palloc(BATCH * sizeof *rows);
    lm_buffer word;
    lmtext_query reader;
    int count;

    lm_buffer_init(&word, &w->call.ctx);
    lmtext_query_open(&reader, "lmtext.cluster_keywords", query, columns, lengthof(columns));
    MemoryContextSwitchTo(memory);
    while ((count = lmtext_query_fetch(&reader, BATCH, rows)) > 0) {
        for (int i = 0; i < count; i++) {
            CHECK_FOR_INTERRUPTS();
            if (rows[i].fields[0].text != NULL && rows[i].fields[1].text != NULL)
                count_text(w, find_cluster(w, rows[i].fields[0].text), rows[i].fields[1].text,
                           &word);
        }
        MemoryContextReset(memory);
    }
    MemoryContextSwitchTo(w->memory);
    lmtext_query_close(&reader);
}

/* A word of a cluster, by how much it is the cluster's. */
typedef struct scored_word {
    const char *word;
    int cluster;
    double score;
} scored_word;

static int
compare_words(const void *a, const void *b)
{
    const scored_word *x = a, *y = b;

    if (x->cluster != y->cluster)
        return x->cluster < y->cluster ? -1 : 1;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return strcmp(x->word, y->word);
}

/* Its share of the cluster's words, times ln(1 + words a cluster / its number in all). */
static double
score_of(cluster_words *w, const word_count *entry)
{
    const word_key all = {entry->key.word, -1};
    const word_count *everywhere = hash_search(w->counts, &all, HASH_FIND, NULL);

    return (double)entry->count / (double)w->words[entry->key.cluster] *
           log1p((double)w->total / w->clusters / (double)everywhere->count);
}

static scored_word *
score_words(cluster_words *w, size_t *count)
{
    const size_t most = hash_get_num_entries(w->counts);
    scored_word *words = MemoryContextAllocHuge(w->memory, mul_size(Max(most, 1), sizeof *words));
    HASH_SEQ_STATUS scan;
    word_count *entry;

    *count = 0;
    hash_seq_init(&scan, w->counts);
    while ((entry = hash_seq_search(&scan)) != NULL)
        if (entry->key.cluster >= 0)
            words[(*count)++] =
                (scored_word){entry->key.word, entry->key.cluster, score_of(w, entry)};
    lmtext_check(&w->call, lm_sort(&w->call.ctx, words, *count, sizeof *words, compare_words),
                 NULL);
    return words;
}

static void
put_words(cluster_words *w, int k)
{
    size_t count;
    const scored_word *words = score_words(w, &count);
    int place = 0;

    for (size_t i = 0; i < count; i++) {
        place = i > 0 && words[i].cluster == words[i - 1].cluster ? place + 1 : 1;
        if (place <= k) {
            Datum values[] = {
                CStringGetTextDatum(w->names[words[i].cluster]),
                PointerGetDatum(lmtext_text_from_utf8(words[i].word, strlen(words[i].word))),
                Float8GetDatum(words[i].score)};
            bool nulls[] = {false, false, false};

            put_row(w->fcinfo, values, nulls);
        }
    }
}

/* cluster_keywords(query, k, stop_words) */
Datum
lmtext_cluster_keywords(PG_FUNCTION_ARGS)
{
    const int k = lmtext_arg_int(fcinfo, 1, "k", 5, 1, 10000);
    cluster_words words;

    refuse_null(fcinfo, 0, "query", "lmtext.cluster_keywords");
    InitMaterializedSRF(fcinfo, 0);
    SPI_connect();
    open_words(&words, fcinfo);
    open_names(&words);
    words.dictionary = dictionary_of(fcinfo, 2);
    read_words(&words, text_to_cstring(PG_GETARG_TEXT_PP(0)));
    put_words(&words, k);
    SPI_finish();
    return (Datum)0;
}

/* ---- Keywords of a text ---- */

/* Phrases that are embedded together: enough for a full batch, and no more memory. */
#define PHRASES_AT_ONCE ((size_t)256)

typedef struct candidate {
    lm_text words;
    double score;
} candidate;

typedef struct keywords {
    lmtext_call call;
    lm_text *words; /* in lower case, without stop words */
    size_t count, room;
    candidate *found;
    size_t found_count;
} keywords;

static void
keep_word(keywords *s, const lm_buffer *word)
{
    if (s->count == s->room) {
        s->room = Max(2 * s->room, 64);
        s->words = s->words == NULL
                       ? MemoryContextAllocHuge(s->call.memory, s->room * sizeof(lm_text))
                       : repalloc_huge(s->words, mul_size(s->room, sizeof(lm_text)));
    }
    s->words[s->count].bytes = pnstrdup(word->data, word->size);
    s->words[s->count++].length = word->size;
}

/* Words of two letters and more, as the reference's CountVectorizer takes them. */
static void
cut_words(keywords *s, lm_text text, Oid dictionary)
{
    lm_buffer word;
    lm_words words;
    bool found;

    lm_buffer_init(&word, &s->call.ctx);
    lmtext_check(&s->call, lm_words_open(&words, text, &word), NULL);
    for (;;) {
        lmtext_check(&s->call, lm_words_next(&words, &found), NULL);
        if (!found)
            return;
        if (lm_utf8_count(word.data, word.size) < 2)
            continue;
        lmtext_check(&s->call, lm_buffer_append_byte(&word, '\0'), NULL);
        word.size--;
        if (!is_stop(dictionary, word.data))
            keep_word(s, &word);
    }
}

/* Words `first` … with spaces between them, and a zero byte. */
static lm_text
phrase_of(const keywords *s, size_t first, size_t length)
{
    size_t bytes = length - 1;
    char *phrase, *at;

    for (size_t i = first; i < first + length; i++)
        bytes += s->words[i].length;
    phrase = at = MemoryContextAllocHuge(s->call.memory, bytes + 1);
    for (size_t i = first; i < first + length; i++) {
        if (i > first)
            *at++ = ' ';
        memcpy(at, s->words[i].bytes, s->words[i].length);
        at += s->words[i].length;
    }
    *at = '\0';
    return (lm_text){phrase, bytes};
}

static int
compare_phrases(const void *a, const void *b)
{
    return strcmp(((const candidate *)a)->words.bytes, ((const candidate *)b)->words.bytes);
}

static int
compare_candidates(const void *a, const void *b)
{
    const candidate *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return compare_phrases(a, b);
}

/* All phrases of up to so many words, each once. */
static void
find_candidates(keywords *s, size_t longest)
{
    size_t kept = 0;

    s->found = MemoryContextAllocHuge(s->call.memory,
                                      mul_size(mul_size(s->count + 1, longest), sizeof(candidate)));
    for (size_t i = 0; i < s->count; i++)
        for (size_t length = 1; length <= longest && i + length <= s->count; length++) {
            CHECK_FOR_INTERRUPTS();
            s->found[s->found_count++].words = phrase_of(s, i, length);
        }
    lmtext_check(
        &s->call,
        lm_sort(&s->call.ctx, s->found, s->found_count, sizeof(candidate), compare_phrases), NULL);
    for (size_t i = 0; i < s->found_count; i++)
        if (kept == 0 || compare_phrases(&s->found[i], &s->found[kept - 1]) != 0)
            s->found[kept++] = s->found[i];
    s->found_count = kept;
}

/* The next candidates, by a vector of the text and a place for those of theirs. */
static void
score_batch(candidate *found, size_t count, lmtext_model *model, const lm_embed_options *options,
            const float *of_text, float *vectors)
{
    const int width = lmtext_embed_width(model, options);
    lm_text texts[PHRASES_AT_ONCE];

    for (size_t i = 0; i < count; i++)
        texts[i] = found[i].words;
    lmtext_embed_texts(model, texts, count, options, vectors);
    for (size_t i = 0; i < count; i++)
        found[i].score = 1 - lm_cosine_distance(width, of_text, vectors + i * width);
}

static void
score_candidates(keywords *s, lmtext_model *model, lm_text text)
{
    lm_embed_options options;
    float *vectors;
    int width;

    lmtext_embed_defaults(&options, lmtext_on_long());
    width = lmtext_embed_width(model, &options);
    vectors = MemoryContextAllocHuge(s->call.memory,
                                     mul_size(PHRASES_AT_ONCE + 1, mul_size(width, sizeof(float))));
    lmtext_embed_texts(model, &text, 1, &options, vectors);
    for (size_t i = 0; i < s->found_count; i += PHRASES_AT_ONCE)
        score_batch(s->found + i, Min(s->found_count - i, PHRASES_AT_ONCE), model, &options,
                    vectors, vectors + width);
    lmtext_check(
        &s->call,
        lm_sort(&s->call.ctx, s->found, s->found_count, sizeof(candidate), compare_candidates),
        NULL);
}

/* keywords(text, model, k, words, stop_words) */
static Datum
lmtext_keywords_call(PG_FUNCTION_ARGS)
{
    const int k = lmtext_arg_int(fcinfo, 2, "k", 5, 1, 10000);
    const int longest = lmtext_arg_int(fcinfo, 3, "words", 1, 1, 10);
    keywords s = {0};
    lmtext_model *model;
    lm_text text;

    InitMaterializedSRF(fcinfo, 0);
    if (PG_ARGISNULL(0))
        return (Datum)0;
    model = lmtext_arg_model(fcinfo);
    lmtext_call_init(&s.call, CurrentMemoryContext);
    text = lmtext_arg_text(fcinfo, 0);
    cut_words(&s, text, dictionary_of(fcinfo, 4));
    find_candidates(&s, longest);
    if (s.found_count > 0)
        score_candidates(&s, model, text);
    for (size_t i = 0; i < Min(s.found_count, (size_t)k); i++) {
        const lm_text words = s.found[i].words;
        Datum values[] = {PointerGetDatum(lmtext_text_from_utf8(words.bytes, words.length)),
                          Float8GetDatum(s.found[i].score)};
        bool nulls[] = {false, false};

        put_row(fcinfo, values, nulls);
    }
    return (Datum)0;
}
