/*
 * trie.h - builds a double array trie over byte strings; several roots may share one array.
 */
#ifndef LM_TRIE_H
#define LM_TRIE_H

#include "token/image.h"

#define LM_TRIE_MAX_CELLS ((size_t)1 << 26)

typedef struct lm_trie_key {
    const char *bytes;
    size_t length; /* at least 1 */
    uint32_t root; /* 1 to 255; roots are the cells of that number */
    int32_t value; /* at least 0; the least of equal keys is kept */
} lm_trie_key;

typedef struct lm_trie {
    lm_context *ctx;
    lm_cell *cells;
    int32_t *values; /* by cell; -1 where no key ends */
    size_t count;    /* cells; any base + 255 is below it */
    uint32_t *order; /* nodes, roots first, then by depth */
    size_t nodes;
} lm_trie;

/* Sorts keys. Free the result also after a failure. */
lm_status lm_trie_build(lm_context *ctx, lm_trie_key *keys, size_t count, uint32_t roots,
                        lm_trie *trie);
void lm_trie_free(lm_trie *trie);

/* The child of a node, or 0. */
static inline uint32_t
lm_trie_child(const lm_cell *cells, uint32_t node, unsigned char byte)
{
    uint32_t next = cells[node].base + byte;

    return cells[next].check == node ? next : 0;
}

#endif
