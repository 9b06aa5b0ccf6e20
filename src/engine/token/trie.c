/*
 * trie.c - breadth-first construction of a double array. Free cells form a list; a node takes the
 * first of them from which on its own cells and its children fit, and else opens a block of its
 * own. A node tries few cells, and a cell is tried a few times and then left to chance, so that
 * hostile keys cost neither quadratic time nor more than a block a branch.
 */
#include "token/trie.h"

#include <string.h>

#include "base/sort.h"

#define BYTES 256
#define MAX_TRIES 512      /* of a node */
#define MAX_CELL_TRIES 200 /* of a cell as the first one */
#define TAKEN 255

/* A node that waits for its children: keys[low, high) pass through it. */
typedef struct pending {
    size_t low, high;
    size_t depth;
    uint32_t cell;
} pending;

typedef struct builder {
    lm_trie *trie;
    const lm_trie_key *keys;
    uint32_t *next, *previous; /* list of free cells to try, circular through cell 0 */
    uint8_t *tried;            /* by cell: how often, or TAKEN */
    size_t capacity;           /* of what goes by cell */
    pending *queue;
    size_t queued, queue_capacity;
} builder;

/* The children of one node: their bytes, and where the keys of each start. */
typedef struct children {
    uint32_t own; /* cells that the node owns, right before those of the children */
    int count;
    unsigned char byte[BYTES];
    size_t start[BYTES + 1];
} children;

static lm_status build(builder *b, size_t count, uint32_t roots);
static lm_status add_roots(builder *b, size_t count, uint32_t roots);
static lm_status add_children(builder *b, const pending *node);
static void group_children(builder *b, const pending *node, children *group);
static lm_status find_base(builder *b, const children *group, uint32_t *base);
static lm_status grow(builder *b, size_t need);
static lm_status enqueue(builder *b, pending node);
static lm_status list_nodes(builder *b);

/* By root, bytes, length, value: keys with a common prefix stand together. */
static int
compare_keys(const void *a, const void *b)
{
    const lm_trie_key *x = a, *y = b;
    int order;

    if (x->root != y->root)
        return x->root < y->root ? -1 : 1;
    order = memcmp(x->bytes, y->bytes, x->length < y->length ? x->length : y->length);
    if (order != 0)
        return order;
    if (x->length != y->length)
        return x->length < y->length ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

lm_status
lm_trie_sort(lm_context *ctx, lm_trie_key *keys, size_t count)
{
    return lm_sort(ctx, keys, count, sizeof *keys, compare_keys);
}

/* What is only needed while building is freed here, also after a failure. */
lm_status
lm_trie_build(lm_context *ctx, lm_trie_key *keys, size_t count, uint32_t roots, lm_trie *trie)
{
    builder b = {.trie = trie, .keys = keys};
    lm_status status;

    memset(trie, 0, sizeof *trie);
    trie->ctx = ctx;
    status = lm_trie_sort(ctx, keys, count);
    if (status == LM_OK)
        status = build(&b, count, roots);
    lm_free(ctx, b.next);
    lm_free(ctx, b.previous);
    lm_free(ctx, b.tried);
    lm_free(ctx, b.queue);
    return status;
}

void
lm_trie_free(lm_trie *trie)
{
    lm_free(trie->ctx, trie->cells);
    lm_free(trie->ctx, trie->values);
    lm_free(trie->ctx, trie->parents);
    lm_free(trie->ctx, trie->order);
    memset(trie, 0, sizeof *trie);
}

/* The queue is never popped: in the end it is the list of nodes by depth. */
static lm_status
build(builder *b, size_t count, uint32_t roots)
{
    LM_TRY(grow(b, 2 * BYTES));
    LM_TRY(add_roots(b, count, roots));
    for (size_t i = 0; i < b->queued; i++) {
        pending node = b->queue[i];

        if (i % 1024 == 0)
            LM_TRY(lm_poll(b->trie->ctx));
        LM_TRY(add_children(b, &node));
    }
    return list_nodes(b);
}

/* Roots have fixed cells, and may have no keys. */
static lm_status
add_roots(builder *b, size_t count, uint32_t roots)
{
    size_t at = 0;

    for (uint32_t root = 1; root <= roots; root++) {
        size_t start = at;

        while (at < count && b->keys[at].root == root)
            at++;
        LM_TRY(enqueue(b, (pending){start, at, 0, root}));
    }
    return LM_OK;
}

/* Out of the list; does nothing to a cell that is not in it. */
static void
drop_cell(builder *b, uint32_t cell)
{
    b->next[b->previous[cell]] = b->next[cell];
    b->previous[b->next[cell]] = b->previous[cell];
    b->next[cell] = b->previous[cell] = cell;
}

/* Now a node, or one's own. */
static void
take_cell(builder *b, uint32_t cell)
{
    drop_cell(b, cell);
    b->tried[cell] = TAKEN;
}

/* Find places for what a node owns and for its children, and let them wait for their own. */
static lm_status
add_children(builder *b, const pending *node)
{
    lm_cell *cells;
    int32_t value;
    children group;
    uint32_t base;

    group_children(b, node, &group);
    value = b->trie->values[node->cell];
    if (group.count == 0 && value >= 0) {
        b->trie->cells[node->cell] |= lm_cell_make((uint32_t)value, true);
        return LM_OK;
    }
    LM_TRY(find_base(b, &group, &base));
    cells = b->trie->cells;
    cells[node->cell] |= lm_cell_make(base, false);
    for (uint32_t i = 1; i <= group.own; i++)
        take_cell(b, base - i);
    if (value >= 0)
        cells[base - 1] = lm_cell_make((uint32_t)value, true);
    for (int i = 0; i < group.count; i++) {
        uint32_t cell = base + group.byte[i];

        take_cell(b, cell);
        cells[cell] = group.byte[i] + 1u;
        b->trie->parents[cell] = node->cell;
        LM_TRY(enqueue(b, (pending){group.start[i], group.start[i + 1], node->depth + 1, cell}));
    }
    return LM_OK;
}

/* Keys that end at the node give it its value; the others are grouped by their next byte. */
static void
group_children(builder *b, const pending *node, children *group)
{
    size_t at = node->low;

    if (at < node->high && b->keys[at].length == node->depth)
        b->trie->values[node->cell] = b->keys[at].value;
    while (at < node->high && b->keys[at].length == node->depth)
        at++;
    group->own = b->trie->values[node->cell] >= 0 ? 1 : 2;
    group->count = 0;
    while (at < node->high) {
        unsigned char byte = (unsigned char)b->keys[at].bytes[node->depth];

        group->byte[group->count] = byte;
        group->start[group->count++] = at;
        while (at < node->high && (unsigned char)b->keys[at].bytes[node->depth] == byte)
            at++;
    }
    group->start[group->count] = at;
}

/* The first cell is free already: it comes from the list. */
static bool
fits(const builder *b, const children *group, uint32_t base)
{
    if (b->tried[base - 1] == TAKEN)
        return false;
    for (int i = 0; i < group->count; i++)
        if (b->tried[base + group->byte[i]] == TAKEN)
            return false;
    return true;
}

/* Few tries keep construction linear; a new block at the end always fits. */
static lm_status
find_base(builder *b, const children *group, uint32_t *base)
{
    uint32_t cell = b->next[0], next;

    for (int tries = 0; cell != 0 && tries < MAX_TRIES; tries++, cell = next) {
        *base = cell + group->own;
        LM_TRY(grow(b, (size_t)*base + BYTES));
        if (fits(b, group, *base))
            return LM_OK;
        next = b->next[cell];
        if (++b->tried[cell] == MAX_CELL_TRIES)
            drop_cell(b, cell);
    }
    *base = (uint32_t)b->trie->count + group->own;
    return grow(b, (size_t)*base + BYTES);
}

/* Room for `need` cells in the arrays, little more than there are; by doubling. */
static lm_status
reserve(builder *b, size_t need)
{
    lm_trie *trie = b->trie;
    size_t capacity = b->capacity ? 2 * b->capacity : 4 * BYTES;
    void *grown;

    if (need <= b->capacity)
        return LM_OK;
    if (need > LM_CELL_LIMIT)
        return lm_raise(trie->ctx, LM_TOO_LARGE, "the vocabulary is too large");
#define GROW_ARRAY(array)                                                \
    grown = lm_realloc(trie->ctx, (array), capacity * sizeof(array)[0]); \
    if (!grown)                                                          \
        return LM_NO_MEMORY;                                             \
    (array) = grown
    GROW_ARRAY(trie->cells);
    GROW_ARRAY(trie->values);
    GROW_ARRAY(trie->parents);
    GROW_ARRAY(b->next);
    GROW_ARRAY(b->previous);
    GROW_ARRAY(b->tried);
#undef GROW_ARRAY
    b->capacity = capacity;
    return LM_OK;
}

/* At least `need` cells; new ones join the end of the list, those for roots excepted. */
static lm_status
grow(builder *b, size_t need)
{
    lm_trie *trie = b->trie;

    LM_TRY(reserve(b, need));
    for (size_t i = trie->count; i < need; i++) {
        trie->cells[i] = 0;
        trie->values[i] = -1;
        trie->parents[i] = 0;
        b->tried[i] = i < BYTES ? TAKEN : 0;
        b->next[i] = b->previous[i] = (uint32_t)i;
        if (i < BYTES)
            continue;
        b->next[i] = 0;
        b->previous[i] = b->previous[0];
        b->next[b->previous[0]] = (uint32_t)i;
        b->previous[0] = (uint32_t)i;
    }
    if (trie->count < need)
        trie->count = need;
    return LM_OK;
}

/* The queue grows by doubling. */
static lm_status
enqueue(builder *b, pending node)
{
    if (b->queued == b->queue_capacity) {
        size_t capacity = b->queue_capacity ? 2 * b->queue_capacity : 1024;
        pending *queue = lm_realloc(b->trie->ctx, b->queue, capacity * sizeof *queue);

        if (!queue)
            return LM_NO_MEMORY;
        b->queue = queue;
        b->queue_capacity = capacity;
    }
    b->queue[b->queued++] = node;
    return LM_OK;
}

/* Parents before children: failure links are computed in this order. */
static lm_status
list_nodes(builder *b)
{
    lm_trie *trie = b->trie;

    trie->order = lm_alloc_array(trie->ctx, b->queued, sizeof *trie->order);
    if (!trie->order)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < b->queued; i++)
        trie->order[i] = b->queue[i].cell;
    trie->nodes = b->queued;
    return LM_OK;
}
