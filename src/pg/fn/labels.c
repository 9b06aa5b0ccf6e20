/*
 * labels.c - keys of labels; the contract is in labels.h.
 *
 * Labels that are few are compared one by one. Of many, a table by hash and equality of the type
 * finds the value that was seen first. Its key is its
 * text, then a zero byte and its number: texts contain no zero byte, so keys are in the order of
 * texts, and two values whose texts are the same (double precision with few digits) stay two
 * labels. Where the type has no hash function (bit, money, anonymous records) a tree in its order
 * does.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/binaryheap.h"
#include "lib/rbtree.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "pg/fn/labels.h"

/* What follows the text in a key. */
#define TAIL_BYTES (1 + sizeof(uint32))

/* Room at first: there is a state for each group of an aggregate. */
#define FIRST_LABELS 4

/* So many are compared one by one, and need no table. */
#define FEW_LABELS 8

/* A value, and its place among those that were seen. */
typedef struct value_entry {
    Datum value;
    uint32 hash;
    uint32 number;
    char status; /* of simplehash */
} value_entry;

/* The same in the tree. */
typedef struct value_node {
    RBTNode node; /* first */
    Datum value;
    uint32 number;
} value_node;

typedef struct seen_label {
    Datum value;
    lm_text key;
} seen_label;

/* What is to know of a type, which labels of many groups share. */
typedef struct label_type {
    Oid type, collation;
    bool is_bytes; /* keys are the bytes of the values, and nothing is kept of these */
    TypeCacheEntry *cache;
    FmgrInfo output;
    bool padded; /* char(n), whose trailing blanks mean nothing */
} label_type;

static void make_finder(lmtext_labels *labels);
static uint32 hash_value(const lmtext_labels *labels, Datum value);
static bool equal_values(const lmtext_labels *labels, Datum a, Datum b);

#define SH_PREFIX value_table
#define SH_ELEMENT_TYPE value_entry
#define SH_KEY_TYPE Datum
#define SH_KEY value
#define SH_HASH_KEY(table, key) hash_value((table)->private_data, key)
#define SH_EQUAL(table, a, b) equal_values((table)->private_data, a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(table, entry) (entry)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct lmtext_labels {
    MemoryContext memory;
    const label_type *type;
    value_table_hash *table; /* NULL while labels are few, and where the tree is used */
    RBTree *tree;            /* where the type has no hash function */
    seen_label *seen;        /* by number */
    uint32 count, room;
};

/* Text in which equal means the same bytes: by far the most labels, and nothing need be kept. */
static bool
compares_bytes(Oid type, Oid collation)
{
    return (type == TEXTOID || type == VARCHAROID) && OidIsValid(collation) &&
           get_collation_isdeterministic(collation);
}

/* Equality comes with a hash function or an order. */
static void
look_up(label_type *type)
{
    type->cache = lookup_type_cache(type->type, TYPECACHE_EQ_OPR_FINFO | TYPECACHE_HASH_PROC_FINFO |
                                                    TYPECACHE_CMP_PROC_FINFO);
    if (!OidIsValid(type->cache->eq_opr_finfo.fn_oid) ||
        (!OidIsValid(type->cache->hash_proc_finfo.fn_oid) &&
         !OidIsValid(type->cache->cmp_proc_finfo.fn_oid)))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
                        errmsg("could not identify an equality operator for type %s",
                               format_type_be(type->type))));
}

static const label_type *
type_new(MemoryContext memory, Oid oid, Oid collation)
{
    label_type *type = MemoryContextAllocZero(memory, sizeof *type);
    Oid output;
    bool varlena;

    type->type = oid;
    type->collation = collation;
    type->is_bytes = compares_bytes(getBaseType(oid), collation);
    if (type->is_bytes)
        return type;
    look_up(type);
    getTypeOutputInfo(oid, &output, &varlena);
    fmgr_info_cxt(output, &type->output, memory);
    type->padded = getBaseType(oid) == BPCHAROID;
    return type;
}

static lmtext_labels *
labels_of_type(MemoryContext memory, const label_type *type)
{
    lmtext_labels *labels = MemoryContextAllocZero(memory, sizeof *labels);

    labels->memory = memory;
    labels->type = type;
    return labels;
}

lmtext_labels *
lmtext_labels_new(MemoryContext memory, Oid type, Oid collation)
{
    return labels_of_type(memory, type_new(memory, type, collation));
}

lmtext_labels *
lmtext_labels_like(MemoryContext memory, lmtext_labels *labels)
{
    return labels->type->is_bytes ? labels : labels_of_type(memory, labels->type);
}

lmtext_labels *
lmtext_labels_anew(MemoryContext memory, const lmtext_labels *labels)
{
    return lmtext_labels_new(memory, labels->type->type, labels->type->collation);
}

static int
compare_nodes(const RBTNode *a, const RBTNode *b, void *labels)
{
    const lmtext_labels *l = labels;

    return DatumGetInt32(FunctionCall2Coll(&l->type->cache->cmp_proc_finfo, l->type->collation,
                                           ((const value_node *)a)->value,
                                           ((const value_node *)b)->value));
}

/* A value that is there is never inserted. */
static void
combine_nodes(RBTNode *kept, const RBTNode *added, void *labels)
{
}

static RBTNode *
allocate_node(void *labels)
{
    return MemoryContextAlloc(((lmtext_labels *)labels)->memory, sizeof(value_node));
}

/* For labels that have become many. */
static void
make_finder(lmtext_labels *labels)
{
    MemoryContext caller = MemoryContextSwitchTo(labels->memory);

    if (!OidIsValid(labels->type->cache->hash_proc_finfo.fn_oid))
        labels->tree = rbt_create(sizeof(value_node), compare_nodes, combine_nodes, allocate_node,
                                  NULL, labels);
    else
        labels->table = value_table_create(labels->memory, 2 * FEW_LABELS, labels);
    MemoryContextSwitchTo(caller);
}

/* The number of labels where the value was not seen. */
static uint32
find_among_few(const lmtext_labels *labels, Datum value)
{
    uint32 number = 0;

    while (number < labels->count && !equal_values(labels, labels->seen[number].value, value))
        number++;
    return number;
}

/* False where the value was not seen. */
static bool
find_value(const lmtext_labels *labels, Datum value, uint32 *number)
{
    if (labels->tree != NULL) {
        value_node key = {.value = value}, *node = (value_node *)rbt_find(labels->tree, &key.node);

        *number = node != NULL ? node->number : labels->count;
    } else if (labels->table != NULL) {
        value_entry *entry = value_table_lookup(labels->table, value);

        *number = entry != NULL ? entry->number : labels->count;
    } else
        *number = find_among_few(labels, value);
    return *number < labels->count;
}

/* One that was not found, in memory for good. */
static void
insert_value(lmtext_labels *labels, Datum value, uint32 number)
{
    bool found;

    if (labels->tree != NULL) {
        value_node node = {.value = value, .number = number};

        rbt_insert(labels->tree, &node.node, &found);
    } else
        value_table_insert(labels->table, value, &found)->number = number;
}

/* The last of the labels becomes one that is found; all of them, once they are not few. */
static void
index_last(lmtext_labels *labels)
{
    uint32 first = labels->count - 1;

    if (labels->count <= FEW_LABELS)
        return;
    if (labels->table == NULL && labels->tree == NULL) {
        make_finder(labels);
        first = 0;
    }
    for (uint32 i = first; i < labels->count; i++)
        insert_value(labels, labels->seen[i].value, i);
}

static uint32
hash_value(const lmtext_labels *labels, Datum value)
{
    return DatumGetUInt32(
        FunctionCall1Coll(&labels->type->cache->hash_proc_finfo, labels->type->collation, value));
}

static bool
equal_values(const lmtext_labels *labels, Datum a, Datum b)
{
    return DatumGetBool(
        FunctionCall2Coll(&labels->type->cache->eq_opr_finfo, labels->type->collation, a, b));
}

/* Text, a zero byte, and the number with its high byte first, so that keys sort by it. */
static lm_text
make_key(lmtext_labels *labels, Datum value, uint32 number)
{
    char *text = OutputFunctionCall(unconstify(FmgrInfo *, &labels->type->output), value), *key;
    size_t length = strlen(text);

    while (labels->type->padded && length > 0 && text[length - 1] == ' ')
        length--;
    key = MemoryContextAllocHuge(labels->memory, length + TAIL_BYTES);
    memcpy(key, text, length);
    key[length] = '\0';
    number = pg_hton32(number);
    memcpy(key + length + 1, &number, sizeof number);
    pfree(text);
    return (lm_text){key, length + TAIL_BYTES};
}

static uint32
number_of_key(const char *key, size_t length)
{
    uint32 number;

    memcpy(&number, key + length - sizeof number, sizeof number);
    return pg_ntoh32(number);
}

/* Add a value that is in memory for good. */
static void
keep_value(lmtext_labels *labels, Datum value)
{
    if (labels->count == labels->room) {
        uint32 room = Max(labels->room * 2, FIRST_LABELS);
        size_t size = mul_size(room, sizeof *labels->seen);

        if (room > INT32_MAX)
            ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                            errmsg("too many different labels to count")));
        labels->seen = labels->seen == NULL ? MemoryContextAllocHuge(labels->memory, size)
                                            : repalloc_huge(labels->seen, size);
        labels->room = room;
    }
    labels->seen[labels->count].value = value;
    labels->seen[labels->count].key = make_key(labels, value, labels->count);
    labels->count++;
}

/* A value of its own: whole, in one piece, in the labels' memory. */
static Datum
copy_value(const lmtext_labels *labels, Datum value)
{
    MemoryContext caller;

    if (labels->type->cache->typbyval)
        return value;
    if (labels->type->cache->typlen == -1)
        value = PointerGetDatum(PG_DETOAST_DATUM(value));
    caller = MemoryContextSwitchTo(labels->memory);
    value = datumCopy(value, false, labels->type->cache->typlen);
    MemoryContextSwitchTo(caller);
    return value;
}

lm_text
lmtext_labels_key(lmtext_labels *labels, Datum value)
{
    uint32 number;

    if (labels->type->is_bytes) {
        const text *bytes = DatumGetTextPP(value);

        return (lm_text){VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)};
    }
    if (!find_value(labels, value, &number)) {
        number = labels->count;
        value = copy_value(labels, value);
        keep_value(labels, value);
        index_last(labels);
    }
    return labels->seen[number].key;
}

text *
lmtext_labels_shown(const lmtext_labels *labels, const char *key, size_t length)
{
    return cstring_to_text_with_len(key,
                                    (int)(labels->type->is_bytes ? length : length - TAIL_BYTES));
}

lm_text *
lmtext_labels_translate(lmtext_labels *into, const lmtext_labels *from)
{
    lm_text *keys;

    if (into->type->type != from->type->type || into->type->collation != from->type->collation)
        elog(ERROR, "labels of types %u and %u do not mix", into->type->type, from->type->type);
    keys = MemoryContextAllocHuge(CurrentMemoryContext,
                                  mul_size((size_t)from->count + 1, sizeof *keys));
    for (uint32 i = 0; i < from->count; i++) {
        CHECK_FOR_INTERRUPTS();
        keys[i] = lmtext_labels_key(into, from->seen[i].value);
    }
    return keys;
}

lm_text
lmtext_labels_translated(const lmtext_labels *from, const lm_text *keys, const char *key,
                         size_t length)
{
    return from->type->is_bytes ? (lm_text){key, length} : keys[number_of_key(key, length)];
}

/* The larger one is first on a heap: that of the smallest value is first here. */
static int
compare_seen(Datum a, Datum b, void *labels)
{
    const lmtext_labels *l = labels;

    return DatumGetInt32(FunctionCall2Coll(&l->type->cache->cmp_proc_finfo, l->type->collation,
                                           l->seen[DatumGetUInt32(b)].value,
                                           l->seen[DatumGetUInt32(a)].value));
}

/* A heap, since PostgreSQL's sort cannot be cancelled, and the engine's must not be thrown out of.
 */
uint32 *
lmtext_labels_ranks(const lmtext_labels *labels)
{
    binaryheap *heap;
    uint32 *ranks;

    if (labels->type->is_bytes || !OidIsValid(labels->type->cache->cmp_proc_finfo.fn_oid))
        return NULL;
    if (mul_size(labels->count, sizeof(Datum)) > MaxAllocSize / 2)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("too many different labels to sort")));
    ranks = MemoryContextAllocHuge(CurrentMemoryContext,
                                   mul_size((size_t)labels->count + 1, sizeof *ranks));
    heap = binaryheap_allocate(Max((int)labels->count, 1), compare_seen,
                               unconstify(lmtext_labels *, labels));
    for (uint32 i = 0; i < labels->count; i++) {
        CHECK_FOR_INTERRUPTS();
        binaryheap_add(heap, UInt32GetDatum(i));
    }
    for (uint32 i = 0; i < labels->count; i++) {
        CHECK_FOR_INTERRUPTS();
        ranks[DatumGetUInt32(binaryheap_remove_first(heap))] = i;
    }
    binaryheap_free(heap);
    return ranks;
}

uint32
lmtext_labels_rank(const uint32 *ranks, const char *key, size_t length)
{
    return ranks[number_of_key(key, length)];
}

/* Keys are made anew by who receives the values. */
void
lmtext_labels_send(const lmtext_labels *labels, StringInfo out)
{
    pq_sendint32(out, labels->type->type);
    pq_sendint32(out, labels->type->collation);
    pq_sendint32(out, labels->count);
    for (uint32 i = 0; i < labels->count; i++) {
        const TypeCacheEntry *cache = labels->type->cache;
        Datum value = labels->seen[i].value;
        Size size = datumEstimateSpace(value, false, cache->typbyval, cache->typlen);
        char *at;

        CHECK_FOR_INTERRUPTS();
        pq_sendint32(out, (uint32)size);
        enlargeStringInfo(out, (int)size);
        at = out->data + out->len;
        datumSerialize(value, false, cache->typbyval, cache->typlen, &at);
        out->len += (int)size;
    }
}

lmtext_labels *
lmtext_labels_receive(MemoryContext memory, StringInfo in)
{
    Oid type = pq_getmsgint(in, 4), collation = pq_getmsgint(in, 4);
    uint32 count = pq_getmsgint(in, 4);
    lmtext_labels *labels = lmtext_labels_new(memory, type, collation);

    for (uint32 i = 0; i < count; i++) {
        char *at = unconstify(char *, pq_getmsgbytes(in, pq_getmsgint(in, 4)));
        bool null;

        CHECK_FOR_INTERRUPTS();
        lmtext_labels_key(labels, datumRestore(&at, &null));
    }
    return labels;
}
