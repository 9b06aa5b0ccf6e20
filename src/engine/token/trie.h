/*
 * trie.h - builds a double array trie over byte strings; several roots may share one array.
 */
#ifndef LM_TRIE_H
#define LM_TRIE_H

#include "token/image.h"

typedef struct lm_trie_key {
    const char *bytes;
    size_t length; /* at least 1 */
    uint32_t root; /* 1 to 255; roots are the cells of that number */
    int32_t value; /* 0 to LM_CELL_LIMIT - 1; the least of equal keys is kept */
} lm_trie_key;

typedef struct lm_trie {
    lm_context *ctx;
    lm_cell *cells;
    int32_t *values;   /* by cell; -1 where no key ends */
    uint32_t *parents; /* by cell; of nodes that are no root */
    size_t count;      /* cells; any place + 255 is below it */
    uint32_t *order;   /* nodes, roots first, then by depth */
    size_t nodes;
} lm_trie;

/* By root, then by bytes. */
lm_status lm_trie_sort(lm_context *ctx, lm_trie_key *keys, size_t count);

/* Sorts keys. Free the result also after a failure. */
lm_status lm_trie_build(lm_context *ctx, lm_trie_key *keys, size_t count, uint32_t roots,
                        lm_trie *trie);
void lm_trie_free(lm_trie *trie);

/* The child of a node, or 0. */
static inline uint32_t
lm_trie_child(const lm_cell *cells, uint32_t node, unsigned char byte)
{
    uint32_t next = lm_cell_payload(cells[node]) + byte;

    if (cells[node] & LM_CELL_FLAG)
        return 0;
    return (cells[next] & LM_CELL_LABEL) == byte + 1u ? next : 0;
}

/* The value of a node, or -1. */
static inline int32_t
lm_trie_value(const lm_cell *cells, uint32_t node)
{
    lm_cell cell = cells[node];

    if (!(cell & LM_CELL_FLAG))
        cell = cells[lm_cell_payload(cell) - 1];
    return cell & LM_CELL_FLAG ? (int32_t)lm_cell_payload(cell) : -1;
}

/* The value of a key, or -1. */
static inline int32_t
lm_trie_find(const lm_cell *cells, uint32_t root, const char *bytes, size_t length)
{
    uint32_t node = root;

    for (size_t i = 0; i < length && node != 0; i++)
        node = lm_trie_child(cells, node, (unsigned char)bytes[i]);
    return node != 0 ? lm_trie_value(cells, node) : -1;
}

#endif
