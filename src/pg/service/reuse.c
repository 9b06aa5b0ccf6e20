/*
 * reuse.c - what of a call's texts is left to be computed; the contract is in reuse.h.
 *
 * Texts that stand twice are found by a quick hash and compared. The prediction cache has no text
 * that could be compared: there each result has a hash of all that it depends on, of 128 bits under
 * a secret, so that nobody makes two that are the same. Where all texts are left, they are computed
 * as if nothing had been looked for; else in blocks, whose results go to their places.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "base/hash.h"
#include "kernels/kernels.h"
#include "pg/service/predictions.h"
#include "pg/service/reuse.h"

#define BLOCK_RESULTS 1024
#define HASH_PIECE ((size_t)1 << 20) /* bytes between two looks for a cancel */

/* Where a text's result comes from. */
typedef enum source { COMPUTED, FOUND, REPEATED } source;

typedef struct reuse {
    const lmtext_inference *inference;
    lmtext_reuse_run run;
    const lm_text *texts;
    size_t per; /* texts of a result */
    size_t count;
    char *results;
    size_t item_size;
    lm_hash128 *hashes; /* (count) */
    uint32 *firsts;     /* (count): the first that is the same */
    char *sources;      /* (count) of source */
    size_t left;        /* to be computed */
    bool cached;
    lmtext_prediction_use use;
} reuse;

bool
lmtext_reuse_wanted(const lmtext_inference *inference, size_t count)
{
    return count > 1 ||
           (count == 1 && inference->kind->kept_as != NULL && lmtext_predictions_wanted());
}

/* ---- Hashes ---- */

/* A piece at a time, so that a cancel is seen in a text of any length. */
static size_t
piece_at(lm_text text, size_t at)
{
    if (at > 0)
        CHECK_FOR_INTERRUPTS();
    return Min(text.length - at, HASH_PIECE);
}

static void
add_part(lm_siphash *hash, lm_text part)
{
    uint64 length = part.length;

    lm_siphash_add(hash, &length, sizeof length);
    for (size_t at = 0; at < part.length; at += HASH_PIECE)
        lm_siphash_add(hash, part.bytes + at, piece_at(part, at));
}

static void
add_word(lm_siphash *hash, const char *word)
{
    add_part(hash, (lm_text){word, strlen(word)});
}

/*
 * All that results depend on but the texts. Levels differ in last bits. The number of a build is
 * this process' own, and the digest stands for it; another build of the library may compute
 * otherwise.
 */
static void
begin_hash(lm_siphash *hash, const lmtext_inference *inference, const lm_text *parts)
{
    const lmtext_model *model = inference->model;
    const lm_kernels *kernels = model->encoder->model.kernels;
    int32 level = kernels != NULL ? (int32)kernels->level : -1;
    const lmtext_infer_key *key = &inference->key; /* a copy may be, whose padding is anything */
    const int32 options[] = {key->dimensions, key->on_long, key->choice,
                             key->side,       key->named,   key->prompted};

    lmtext_predictions_hash(hash);
    add_word(hash, LMTEXT_VERSION);
    add_word(hash, inference->kind->kept_as);
    lm_siphash_add(hash, &MyDatabaseId, sizeof MyDatabaseId);
    lm_siphash_add(hash, &model->identity.digest, sizeof model->identity.digest);
    lm_siphash_add(hash, &level, sizeof level);
    lm_siphash_add(hash, options, sizeof options);
    for (int i = 2; i < LMTEXT_INFER_PARTS; i++)
        add_part(hash, parts[i]);
}

static lm_hash128
secret_hash(const reuse *r, const lm_siphash *common, size_t index)
{
    lm_siphash hash = *common;

    for (size_t j = 0; j < r->per; j++)
        add_part(&hash, r->texts[index * r->per + j]);
    return lm_siphash_end(&hash);
}

/* Where the texts are compared it need only be quick. */
static lm_hash128
quick_hash(const reuse *r, uint64 seed, size_t index)
{
    uint64 hash = seed;

    for (size_t j = 0; j < r->per; j++) {
        lm_text text = r->texts[index * r->per + j];

        hash = lm_hash_bytes(&text.length, sizeof text.length, hash);
        for (size_t at = 0; at < text.length; at += HASH_PIECE)
            hash = lm_hash_bytes(text.bytes + at, piece_at(text, at), hash);
    }
    return (lm_hash128){.low = hash};
}

static void
hash_texts(reuse *r, const lm_text *parts)
{
    static uint64 seed = 0;
    lm_siphash common;

    if (seed == 0)
        seed = lm_hash_seed();
    if (r->cached)
        begin_hash(&common, r->inference, parts);
    for (size_t i = 0; i < r->count; i++) {
        CHECK_FOR_INTERRUPTS();
        r->hashes[i] = r->cached ? secret_hash(r, &common, i) : quick_hash(r, seed, i);
    }
}

/* ---- Where results come from ---- */

static bool
is_same(const reuse *r, size_t a, size_t b)
{
    if (memcmp(&r->hashes[a], &r->hashes[b], sizeof *r->hashes) != 0)
        return false;
    for (size_t j = 0; j < r->per; j++) {
        const lm_text *x = &r->texts[a * r->per + j], *y = &r->texts[b * r->per + j];

        if (x->length != y->length || memcmp(x->bytes, y->bytes, x->length) != 0)
            return false;
    }
    return true;
}

/* By a table of at least twice as many places, that is given back at once. */
static void
find_repeated(reuse *r)
{
    size_t places = pg_nextpower2_64(2 * (uint64)r->count);
    uint32 *table = MemoryContextAllocExtended(CurrentMemoryContext, places * sizeof *table,
                                               MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

    for (size_t i = 0; i < r->count; i++) {
        size_t at = r->hashes[i].low & (places - 1);

        while (table[at] != 0 && !is_same(r, table[at] - 1, i))
            at = (at + 1) & (places - 1);
        if (table[at] == 0)
            table[at] = (uint32)i + 1;
        r->firsts[i] = table[at] - 1;
        r->sources[i] = r->firsts[i] < i ? REPEATED : COMPUTED;
    }
    pfree(table);
}

static char *
result_at(const reuse *r, size_t index)
{
    return r->results + index * r->item_size;
}

static bool
find_result(const reuse *r, size_t index)
{
    size_t size = r->inference->kind->length != NULL ? 0 : r->item_size;

    return lmtext_predictions_find(&r->use, r->hashes[index], size, result_at(r, index));
}

/* What the cache has is copied to its place at once: it may be evicted at any time. */
static void
find_sources(reuse *r)
{
    if (r->count > 1)
        find_repeated(r);
    else
        r->sources[0] = COMPUTED;
    for (size_t i = 0; i < r->count; i++) {
        CHECK_FOR_INTERRUPTS();
        if (r->cached && r->sources[i] == COMPUTED && find_result(r, i))
            r->sources[i] = FOUND;
        r->left += r->sources[i] == COMPUTED;
    }
}

/* ---- Computing what is left ---- */

static void
keep_result(const reuse *r, size_t index)
{
    const void *value = result_at(r, index);
    size_t size = r->item_size;

    if (r->inference->kind->length != NULL) {
        value = *(const void *const *)value;
        size = r->inference->kind->length(value);
    }
    lmtext_predictions_keep(&r->use, r->hashes[index], value, size);
}

/* Of a run that failed nothing is kept: what it counts need not be results. */
static void
keep_computed(const reuse *r)
{
    for (size_t i = 0; r->cached && i < r->count; i++) {
        CHECK_FOR_INTERRUPTS();
        if (r->sources[i] == COMPUTED)
            keep_result(r, i);
    }
}

/* Some texts that are left, from *next on, and where their results belong. */
typedef struct block {
    size_t count;
    size_t places[BLOCK_RESULTS];
    lm_text *texts;
    char *results;
} block;

static void
gather(const reuse *r, size_t *next, block *b)
{
    b->count = 0;
    for (; *next < r->count && b->count < BLOCK_RESULTS; ++*next) {
        if (r->sources[*next] != COMPUTED)
            continue;
        memcpy(b->texts + b->count * r->per, r->texts + *next * r->per, r->per * sizeof *b->texts);
        b->places[b->count++] = *next;
    }
}

/* *done is the place of the first result that is not there. */
static lm_status
run_block(const reuse *r, block *b, size_t next, size_t *done)
{
    size_t made;
    lm_status status = r->run(r->inference, b->texts, b->count, b->results, &made);

    made = status == LM_OK ? b->count : Min(made, b->count);
    for (size_t i = 0; i < made; i++)
        memcpy(result_at(r, b->places[i]), b->results + i * r->item_size, r->item_size);
    *done = made < b->count ? b->places[made] : next;
    return status;
}

static lm_status
run_blocks(const reuse *r, size_t *done)
{
    size_t most = Min(r->left, BLOCK_RESULTS), next = 0;
    lm_status status = LM_OK;
    block *b = palloc(sizeof *b);

    b->texts = palloc(most * r->per * sizeof *b->texts);
    b->results = MemoryContextAllocHuge(CurrentMemoryContext, most * r->item_size);
    for (*done = 0; *done < r->count && status == LM_OK;) {
        gather(r, &next, b);
        *done = next;
        if (b->count > 0)
            status = run_block(r, b, next, done);
    }
    pfree(b->results);
    pfree(b->texts);
    pfree(b);
    return status;
}

/* A result that is not part of the array is copied: each is given back by itself. */
static void
copy_result(const reuse *r, size_t from, size_t to)
{
    const void *value = result_at(r, from);
    void *copy;
    size_t size;

    if (r->inference->kind->length == NULL) {
        memcpy(result_at(r, to), value, r->item_size);
        return;
    }
    value = *(const void *const *)value;
    size = r->inference->kind->length(value);
    copy = MemoryContextAllocHuge(CurrentMemoryContext, Max(size, 1));
    memcpy(copy, value, size);
    *(void **)result_at(r, to) = copy;
}

static void
copy_repeated(const reuse *r)
{
    for (size_t i = 0; i < r->count; i++) {
        CHECK_FOR_INTERRUPTS();
        if (r->sources[i] == REPEATED)
            copy_result(r, r->firsts[i], i);
    }
}

/*
 * After a failure nothing here may throw, since the engine's error is still to be told: texts that
 * stand twice have no result then.
 */
static size_t
done_of_failed(const reuse *r, size_t done)
{
    for (size_t i = 0; i < done; i++)
        if (r->sources[i] == REPEATED)
            return i;
    return done;
}

/* Texts whose results were not computed for them count as rows all the same. */
static void
count_recalled(const reuse *r, size_t done)
{
    uint64 rows = 0;

    for (size_t i = 0; i < done; i++)
        rows += r->sources[i] != COMPUTED;
    if (rows > 0)
        lmtext_stats_recalled(rows);
}

static void
say_found(const reuse *r, bool *found)
{
    for (size_t i = 0; i < r->count; i++)
        found[i] = r->sources[r->sources[i] == REPEATED ? r->firsts[i] : i] == FOUND;
}

static void
prepare(reuse *r, const lm_text *parts)
{
    r->per = r->inference->kind->pairs ? 2 : 1;
    r->item_size = r->inference->kind->size(r->inference);
    r->hashes = MemoryContextAllocHuge(CurrentMemoryContext, r->count * sizeof *r->hashes);
    r->firsts = MemoryContextAllocHuge(CurrentMemoryContext, r->count * sizeof *r->firsts);
    r->sources = MemoryContextAllocHuge(CurrentMemoryContext, r->count);
    r->cached = r->inference->kind->kept_as != NULL && r->item_size > 0 &&
                lmtext_predictions_wanted() &&
                lmtext_predictions_begin(&r->use, &r->inference->model->identity,
                                         r->inference->kind->kept_as);
    hash_texts(r, parts);
    find_sources(r);
}

lm_status
lmtext_reuse(const lmtext_inference *inference, const lm_text *parts, lmtext_reuse_run run,
             const lm_text *texts, size_t count, void *results, bool *found, size_t *done)
{
    reuse r = {
        .inference = inference, .run = run, .texts = texts, .count = count, .results = results};
    lm_status status;

    prepare(&r, parts);
    if (r.left == count)
        status = run(inference, texts, count, results, done);
    else
        status = run_blocks(&r, done);
    if (status == LM_OK) {
        keep_computed(&r);
        copy_repeated(&r);
    } else {
        *done = done_of_failed(&r, *done);
    }
    count_recalled(&r, *done);
    if (found != NULL)
        say_found(&r, found);
    pfree(r.sources);
    pfree(r.firsts);
    pfree(r.hashes);
    return status;
}
