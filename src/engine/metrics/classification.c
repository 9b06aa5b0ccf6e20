/*
 * classification.c - counts of pairs of labels, and scores from them. See classification.h.
 *
 * Labels and pairs are arrays in order of first sight; two open-addressing tables of indexes find
 * them. Every label carries its own totals, so scores need no pass over the pairs. Bytes of labels
 * live in an arena and never move. Labels may be as many as rows: loops over them poll.
 */
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/size.h"
#include "base/sort.h"
#include "metrics/classification.h"

#define FIRST_SLOTS 16
#define MAX_ENTRIES ((size_t)1 << 30)
#define POLL_EVERY 8192 /* entries */

typedef struct label {
    const char *bytes;
    size_t length;
    uint64_t hash;
    uint64_t actual, predicted, hits; /* rows where it is the one, the other, both */
    uint32_t rank;                    /* in the order of bytes; valid after rank_labels */
} label;

typedef struct pair {
    uint32_t actual, predicted; /* labels */
    uint64_t count;
} pair;

/* Slots hold index + 1 of an entry, 0: free. Linear probing, at most half full. */
typedef struct table {
    uint32_t *slots;
    size_t size; /* a power of two */
} table;

struct lm_confusion {
    lm_context *ctx;
    lm_arena arena;
    label *labels;
    size_t label_count, label_room;
    pair *pairs;
    size_t pair_count, pair_room;
    table by_bytes, by_pair;
    uint64_t total, hits;
};

static lm_status find_label(lm_confusion *c, const char *bytes, size_t length, uint32_t *index);
static lm_status find_pair(lm_confusion *c, uint32_t actual, uint32_t predicted, pair **found);
static lm_status make_room(lm_confusion *c, void **entries, size_t *room, size_t count,
                           size_t entry_size);
static lm_status grow_table(lm_confusion *c, table *t, size_t count,
                            uint64_t (*hash)(const lm_confusion *, size_t index));
static uint64_t hash_of_label(const lm_confusion *c, size_t index);
static uint64_t hash_of_pair(const lm_confusion *c, size_t index);
static uint64_t mix_pair(uint32_t actual, uint32_t predicted);
static lm_status rank_labels(lm_confusion *c, label ***order);
static int compare_labels(const void *a, const void *b);
static int compare_visits(const void *a, const void *b);
static double quotient(uint64_t part, uint64_t whole);
static lm_status poll_at(lm_context *ctx, size_t entry);

lm_status
lm_confusion_create(lm_context *ctx, lm_confusion **confusion)
{
    lm_confusion *c = lm_alloc_zero(ctx, sizeof *c);

    *confusion = c;
    if (!c)
        return LM_NO_MEMORY;
    c->ctx = ctx;
    lm_arena_init(&c->arena, ctx);
    return LM_OK;
}

void
lm_confusion_free(lm_confusion *confusion)
{
    lm_context *ctx;

    if (!confusion)
        return;
    ctx = confusion->ctx;
    lm_free(ctx, confusion->labels);
    lm_free(ctx, confusion->pairs);
    lm_free(ctx, confusion->by_bytes.slots);
    lm_free(ctx, confusion->by_pair.slots);
    lm_arena_free(&confusion->arena);
    lm_free(ctx, confusion);
}

lm_status
lm_confusion_add(lm_confusion *confusion, const char *actual, size_t actual_length,
                 const char *predicted, size_t predicted_length, uint64_t count)
{
    uint32_t a, p;
    uint64_t total;
    pair *found;

    if (count == 0)
        return LM_OK;
    /* No other count is larger than the total. */
    if (__builtin_add_overflow(confusion->total, count, &total))
        return lm_raise(confusion->ctx, LM_TOO_LARGE, "too many pairs of labels to count");
    LM_TRY(find_label(confusion, actual, actual_length, &a));
    LM_TRY(find_label(confusion, predicted, predicted_length, &p));
    LM_TRY(find_pair(confusion, a, p, &found));
    found->count += count;
    confusion->labels[a].actual += count;
    confusion->labels[p].predicted += count;
    confusion->total = total;
    if (a == p) {
        confusion->labels[a].hits += count;
        confusion->hits += count;
    }
    return LM_OK;
}

lm_status
lm_confusion_merge(lm_confusion *into, const lm_confusion *from)
{
    for (size_t i = 0; i < from->pair_count; i++) {
        const pair *p = &from->pairs[i];
        const label *actual = &from->labels[p->actual], *predicted = &from->labels[p->predicted];

        LM_TRY(poll_at(into->ctx, i));
        LM_TRY(lm_confusion_add(into, actual->bytes, actual->length, predicted->bytes,
                                predicted->length, p->count));
    }
    return LM_OK;
}

double
lm_confusion_accuracy(const lm_confusion *confusion)
{
    return quotient(confusion->hits, confusion->total);
}

uint64_t
lm_confusion_total(const lm_confusion *confusion)
{
    return confusion->total;
}

/* One pass over labels in their order. */
static lm_status
score_labels(lm_context *ctx, label *const *order, size_t count, lm_label_score *scores)
{
    for (size_t i = 0; i < count; i++) {
        const label *l = order[i];

        LM_TRY(poll_at(ctx, i));
        scores[i] = (lm_label_score){.label = l->bytes,
                                     .length = l->length,
                                     .precision = quotient(l->hits, l->predicted),
                                     .recall = quotient(l->hits, l->actual),
                                     .f1 = quotient(2 * l->hits, l->predicted + l->actual),
                                     .support = l->actual};
    }
    return LM_OK;
}

lm_status
lm_confusion_scores(lm_confusion *confusion, lm_label_score **scores, size_t *count)
{
    lm_context *ctx = confusion->ctx;
    label **order;
    lm_status status = LM_NO_MEMORY;

    *scores = NULL;
    *count = 0;
    LM_TRY(rank_labels(confusion, &order));
    *scores = lm_alloc_array(ctx, confusion->label_count + 1, sizeof **scores);
    if (*scores)
        status = score_labels(ctx, order, confusion->label_count, *scores);
    lm_free(ctx, order);
    if (status == LM_OK) {
        *count = confusion->label_count;
        return LM_OK;
    }
    lm_free(ctx, *scores);
    *scores = NULL;
    return status;
}

void
lm_confusion_averages(const lm_confusion *confusion, const lm_label_score *scores, size_t count,
                      lm_average *micro, lm_average *macro, lm_average *weighted)
{
    double accuracy = lm_confusion_accuracy(confusion), rows = (double)confusion->total;

    /* Each row has one label of each kind: micro precision, recall and F1 are the accuracy. */
    *micro = (lm_average){accuracy, accuracy, accuracy, confusion->total};
    *macro = *weighted = (lm_average){.support = confusion->total};
    for (size_t i = 0; i < count; i++) {
        double share = rows > 0 ? (double)scores[i].support / rows : 0;

        macro->precision += scores[i].precision / (double)count;
        macro->recall += scores[i].recall / (double)count;
        macro->f1 += scores[i].f1 / (double)count;
        weighted->precision += scores[i].precision * share;
        weighted->recall += scores[i].recall * share;
        weighted->f1 += scores[i].f1 * share;
    }
}

/* A pair in the order of visits: its labels' ranks in one number. */
typedef struct visit_key {
    uint64_t ranks;
    const pair *pair;
} visit_key;

/* Keys of all pairs, sorted; *keys is to be freed. */
static lm_status
order_pairs(lm_confusion *c, visit_key **keys)
{
    label **order;
    lm_status status = LM_OK;

    *keys = NULL;
    LM_TRY(rank_labels(c, &order));
    lm_free(c->ctx, order);
    *keys = lm_alloc_array(c->ctx, c->pair_count + 1, sizeof **keys);
    if (!*keys)
        return LM_NO_MEMORY;
    for (size_t i = 0; status == LM_OK && i < c->pair_count; i++) {
        const pair *p = &c->pairs[i];

        (*keys)[i].ranks = (uint64_t)c->labels[p->actual].rank << 32 | c->labels[p->predicted].rank;
        (*keys)[i].pair = p;
        status = poll_at(c->ctx, i);
    }
    if (status == LM_OK)
        status = lm_sort(c->ctx, *keys, c->pair_count, sizeof **keys, compare_visits);
    if (status != LM_OK)
        lm_free(c->ctx, *keys);
    return status;
}

lm_status
lm_confusion_visit(lm_confusion *confusion,
                   void (*visit)(void *opaque, const char *actual, size_t actual_length,
                                 const char *predicted, size_t predicted_length, uint64_t count),
                   void *opaque)
{
    visit_key *keys;
    lm_status status = LM_OK;

    LM_TRY(order_pairs(confusion, &keys));
    for (size_t i = 0; status == LM_OK && i < confusion->pair_count; i++) {
        const pair *p = keys[i].pair;
        const label *a = &confusion->labels[p->actual], *b = &confusion->labels[p->predicted];

        visit(opaque, a->bytes, a->length, b->bytes, b->length, p->count);
        status = poll_at(confusion->ctx, i);
    }
    lm_free(confusion->ctx, keys);
    return status;
}

/*
 * The number of a label, given on first sight. Tables grow before they are probed, so a free slot
 * always ends the search.
 */
static lm_status
find_label(lm_confusion *c, const char *bytes, size_t length, uint32_t *index)
{
    uint64_t hash = lm_hash_bytes(bytes, length, 0);
    char *copy;
    size_t at;

    LM_TRY(grow_table(c, &c->by_bytes, c->label_count + 1, hash_of_label));
    for (at = hash & (c->by_bytes.size - 1); c->by_bytes.slots[at] != 0;
         at = (at + 1) & (c->by_bytes.size - 1)) {
        const label *l = &c->labels[c->by_bytes.slots[at] - 1];

        if (l->hash == hash && l->length == length && memcmp(l->bytes, bytes, length) == 0) {
            *index = c->by_bytes.slots[at] - 1;
            return LM_OK;
        }
    }
    LM_TRY(make_room(c, (void **)&c->labels, &c->label_room, c->label_count + 1, sizeof(label)));
    if (!(copy = lm_arena_copy(&c->arena, bytes, length)))
        return LM_NO_MEMORY;
    c->labels[c->label_count] = (label){.bytes = copy, .length = length, .hash = hash};
    *index = (uint32_t)c->label_count++;
    c->by_bytes.slots[at] = *index + 1;
    return LM_OK;
}

/* The count of a pair, 0 on first sight. The pointer is good until the next call. */
static lm_status
find_pair(lm_confusion *c, uint32_t actual, uint32_t predicted, pair **found)
{
    size_t at;

    LM_TRY(grow_table(c, &c->by_pair, c->pair_count + 1, hash_of_pair));
    for (at = mix_pair(actual, predicted) & (c->by_pair.size - 1); c->by_pair.slots[at] != 0;
         at = (at + 1) & (c->by_pair.size - 1)) {
        *found = &c->pairs[c->by_pair.slots[at] - 1];
        if ((*found)->actual == actual && (*found)->predicted == predicted)
            return LM_OK;
    }
    LM_TRY(make_room(c, (void **)&c->pairs, &c->pair_room, c->pair_count + 1, sizeof(pair)));
    *found = &c->pairs[c->pair_count++];
    **found = (pair){actual, predicted, 0};
    c->by_pair.slots[at] = (uint32_t)c->pair_count;
    return LM_OK;
}

/* Room for `count` entries, at least doubled when it grows. */
static lm_status
make_room(lm_confusion *c, void **entries, size_t *room, size_t count, size_t entry_size)
{
    size_t wanted = *room ? *room * 2 : FIRST_SLOTS, bytes;
    void *grown;

    if (count <= *room)
        return LM_OK;
    if (count > MAX_ENTRIES || lm_mul_overflows(wanted, entry_size, &bytes))
        return lm_raise(c->ctx, LM_TOO_LARGE, "too many different labels to count");
    if (!(grown = lm_realloc(c->ctx, *entries, bytes)))
        return LM_NO_MEMORY;
    *entries = grown;
    *room = wanted;
    return LM_OK;
}

/* Make a table fit for `count` entries: those before the last are in it already. */
static lm_status
grow_table(lm_confusion *c, table *t, size_t count,
           uint64_t (*hash)(const lm_confusion *, size_t index))
{
    size_t size = t->size ? t->size * 2 : FIRST_SLOTS;
    uint32_t *slots;
    lm_status status = LM_OK;

    if (count * 2 <= t->size)
        return LM_OK;
    if (!(slots = lm_alloc_zero(c->ctx, size * sizeof *slots)))
        return LM_NO_MEMORY;
    for (size_t i = 0; status == LM_OK && i + 1 < count; i++) {
        size_t at = hash(c, i) & (size - 1);

        while (slots[at] != 0)
            at = (at + 1) & (size - 1);
        slots[at] = (uint32_t)i + 1;
        status = poll_at(c->ctx, i);
    }
    if (status != LM_OK) {
        lm_free(c->ctx, slots);
        return status;
    }
    lm_free(c->ctx, t->slots);
    t->slots = slots;
    t->size = size;
    return LM_OK;
}

/* Kept with the label: growing a table reads no bytes of labels. */
static uint64_t
hash_of_label(const lm_confusion *c, size_t index)
{
    return c->labels[index].hash;
}

/* Cheap enough to compute anew. */
static uint64_t
hash_of_pair(const lm_confusion *c, size_t index)
{
    return mix_pair(c->pairs[index].actual, c->pairs[index].predicted);
}

/* Multiplicative hashing; the high half is the mixed one. */
static uint64_t
mix_pair(uint32_t actual, uint32_t predicted)
{
    return ((uint64_t)actual << 32 | predicted) * 0x9e3779b97f4a7c15u >> 32;
}

/* Sort labels by bytes and note their ranks; *order is to be freed. */
static lm_status
rank_labels(lm_confusion *c, label ***order)
{
    lm_status status;

    *order = lm_alloc_array(c->ctx, c->label_count + 1, sizeof **order);
    if (!*order)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < c->label_count; i++)
        (*order)[i] = &c->labels[i];
    status = lm_sort(c->ctx, *order, c->label_count, sizeof **order, compare_labels);
    for (size_t i = 0; status == LM_OK && i < c->label_count; i++) {
        (*order)[i]->rank = (uint32_t)i;
        status = poll_at(c->ctx, i);
    }
    if (status != LM_OK)
        lm_free(c->ctx, *order);
    return status;
}

/* By bytes, a prefix before what it begins; as memcmp and PostgreSQL's C collation have it. */
static int
compare_labels(const void *a, const void *b)
{
    const label *x = *(label *const *)a, *y = *(label *const *)b;
    int order = memcmp(x->bytes, y->bytes, x->length < y->length ? x->length : y->length);

    return order ? order : (x->length > y->length) - (x->length < y->length);
}

static int
compare_visits(const void *a, const void *b)
{
    uint64_t x = ((const visit_key *)a)->ranks, y = ((const visit_key *)b)->ranks;

    return (x > y) - (x < y);
}

/* A quotient with denominator 0 is 0, as zero_division=0 of scikit-learn. */
static double
quotient(uint64_t part, uint64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

/* Now and then in a loop over entries. */
static lm_status
poll_at(lm_context *ctx, size_t entry)
{
    return entry % POLL_EVERY == 0 ? lm_poll(ctx) : LM_OK;
}
