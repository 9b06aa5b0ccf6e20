/*
 * partition.h - a table of results in a fixed piece of memory: found by a key of 128 bits, the
 * least recently used first to go. Memory is cut into blocks of one size, so that it never lies in
 * pieces that are too small: a result takes as many as it needs, one pointing to the next.
 *
 * All of it is numbers, no pointer: processes map the memory where they like. Nothing here fails or
 * allocates; the caller holds the partition's lock.
 */
#ifndef LMTEXT_PARTITION_H
#define LMTEXT_PARTITION_H

#include "postgres.h"

#include "base/siphash.h"

typedef struct lmtext_partition {
    uint32 buckets; /* a power of 2 */
    uint32 blocks;
    uint32 touched; /* blocks that have been used, the first ones; the others have never been */
    uint32 free;    /* list of blocks that were given back; blocks count from 1, 0 is none */
    uint32 free_count;
    uint32 newest, oldest;
    /* Buckets and blocks stand behind it. */
} lmtext_partition;

/* What a result takes, and whose it is. */
typedef struct lmtext_result_size {
    int owner;
    size_t bytes; /* of memory */
} lmtext_result_size;

/* Empty, in `size` bytes: at least 32 kB. */
void lmtext_partition_format(lmtext_partition *partition, size_t size);

/* The result, used now; 0: there is none. *size is its length. */
uint32 lmtext_partition_find(lmtext_partition *partition, lm_hash128 key, size_t *size);
void lmtext_partition_read(const lmtext_partition *partition, uint32 result, void *value);

/* Bytes of memory for a result of this length; 0: it is too long to be kept. */
size_t lmtext_partition_cost(const lmtext_partition *partition, size_t size);
/* Whether that much is free; if not, evict. */
bool lmtext_partition_has_room(const lmtext_partition *partition, size_t cost);
lmtext_result_size lmtext_partition_evict(lmtext_partition *partition);
/* A key that is not there, and there is room. */
void lmtext_partition_add(lmtext_partition *partition, lm_hash128 key, int owner, const void *value,
                          size_t size);

#endif
