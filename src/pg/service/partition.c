/*
 * partition.c - results in blocks; the contract is in partition.h.
 */
#include "postgres.h"

#include "port/pg_bitutils.h"

#include "pg/service/partition.h"

#define BLOCK_BYTES 256

/* A result longer than this share of its partition would push out too many others. */
#define LONGEST_SHARE 4

/* The first block of a result. */
typedef struct head_block {
    uint32 next;  /* block of the result; 0: that was the last */
    uint32 chain; /* result of the bucket */
    uint32 newer, older;
    lm_hash128 key;
    uint32 size;
    int32 owner;
    char data[BLOCK_BYTES - 40];
} head_block;

/* The others, and those that are free. */
typedef struct next_block {
    uint32 next;
    char data[BLOCK_BYTES - 4];
} next_block;

StaticAssertDecl(sizeof(head_block) == BLOCK_BYTES && sizeof(next_block) == BLOCK_BYTES,
                 "all blocks are of one size");

/* Where buckets begin; there are at least 64 of them, so that blocks begin at a multiple of it too.
 */
#define TABLE_BEGINS 64

static char *
blocks_of(const lmtext_partition *partition)
{
    return (char *)partition + TABLE_BEGINS + (size_t)partition->buckets * sizeof(uint32);
}

static uint32 *
table_of(const lmtext_partition *partition)
{
    return (uint32 *)((char *)partition + TABLE_BEGINS);
}

static void *
block_at(const lmtext_partition *partition, uint32 block)
{
    return blocks_of(partition) + (size_t)(block - 1) * BLOCK_BYTES;
}

static head_block *
head_at(const lmtext_partition *partition, uint32 result)
{
    return block_at(partition, result);
}

void
lmtext_partition_format(lmtext_partition *partition, size_t size)
{
    size_t buckets = pg_prevpower2_64(size / BLOCK_BYTES / 2);

    *partition = (lmtext_partition){.buckets = (uint32)buckets};
    memset(table_of(partition), 0, buckets * sizeof(uint32));
    partition->blocks = (uint32)((size - TABLE_BEGINS - buckets * sizeof(uint32)) / BLOCK_BYTES);
}

/* ---- Finding ---- */

static uint32 *
bucket_of(const lmtext_partition *partition, lm_hash128 key)
{
    return &table_of(partition)[key.low & (partition->buckets - 1)];
}

static void
unlink_use(lmtext_partition *partition, const head_block *head)
{
    if (head->newer != 0)
        head_at(partition, head->newer)->older = head->older;
    else
        partition->newest = head->older;
    if (head->older != 0)
        head_at(partition, head->older)->newer = head->newer;
    else
        partition->oldest = head->newer;
}

static void
link_use(lmtext_partition *partition, uint32 result, head_block *head)
{
    head->newer = 0;
    head->older = partition->newest;
    if (partition->newest != 0)
        head_at(partition, partition->newest)->newer = result;
    else
        partition->oldest = result;
    partition->newest = result;
}

uint32
lmtext_partition_find(lmtext_partition *partition, lm_hash128 key, size_t *size)
{
    uint32 result = *bucket_of(partition, key);
    head_block *head;

    for (; result != 0; result = head->chain) {
        head = head_at(partition, result);
        if (head->key.low == key.low && head->key.high == key.high)
            break;
    }
    if (result == 0)
        return 0;
    unlink_use(partition, head);
    link_use(partition, result, head);
    *size = head->size;
    return result;
}

void
lmtext_partition_read(const lmtext_partition *partition, uint32 result, void *value)
{
    const head_block *head = head_at(partition, result);
    size_t done = Min(head->size, sizeof head->data);
    uint32 at = head->next;

    memcpy(value, head->data, done);
    while (done < head->size) {
        const next_block *block = block_at(partition, at);
        size_t piece = Min(head->size - done, sizeof block->data);

        memcpy((char *)value + done, block->data, piece);
        done += piece;
        at = block->next;
    }
}

/* ---- Room ---- */

static size_t
blocks_for(size_t size)
{
    const size_t first = sizeof((head_block *)0)->data, other = sizeof((next_block *)0)->data;

    return size <= first ? 1 : 1 + (size - first + other - 1) / other;
}

size_t
lmtext_partition_cost(const lmtext_partition *partition, size_t size)
{
    if (size > (size_t)partition->blocks * BLOCK_BYTES / LONGEST_SHARE || size > PG_UINT32_MAX)
        return 0;
    return blocks_for(size) * BLOCK_BYTES;
}

bool
lmtext_partition_has_room(const lmtext_partition *partition, size_t cost)
{
    return cost / BLOCK_BYTES <=
           (size_t)partition->free_count + (partition->blocks - partition->touched);
}

static void
unlink_key(lmtext_partition *partition, uint32 result, const head_block *head)
{
    uint32 *link = bucket_of(partition, head->key);

    while (*link != result)
        link = &head_at(partition, *link)->chain;
    *link = head->chain;
}

/* Blocks from this one on; how many they are. */
static uint32
give_back(lmtext_partition *partition, uint32 first)
{
    uint32 count = 0, next;

    for (uint32 at = first; at != 0; at = next, count++) {
        next_block *block = block_at(partition, at);

        next = block->next;
        block->next = partition->free;
        partition->free = at;
    }
    partition->free_count += count;
    return count;
}

lmtext_result_size
lmtext_partition_evict(lmtext_partition *partition)
{
    uint32 result = partition->oldest;
    head_block *head = head_at(partition, result);
    lmtext_result_size size = {.owner = head->owner};

    unlink_key(partition, result, head);
    unlink_use(partition, head);
    size.bytes = (size_t)give_back(partition, result) * BLOCK_BYTES;
    return size;
}

/* ---- Adding ---- */

static uint32
take_block(lmtext_partition *partition)
{
    uint32 block = partition->free;

    if (block == 0)
        return ++partition->touched;
    partition->free = ((next_block *)block_at(partition, block))->next;
    partition->free_count--;
    return block;
}

/* What the head has no room for. */
static void
write_rest(lmtext_partition *partition, uint32 *link, const char *value, size_t size)
{
    while (size > 0) {
        uint32 at = take_block(partition);
        next_block *block = block_at(partition, at);
        size_t piece = Min(size, sizeof block->data);

        memcpy(block->data, value, piece);
        *link = at;
        link = &block->next;
        value += piece;
        size -= piece;
    }
    *link = 0;
}

void
lmtext_partition_add(lmtext_partition *partition, lm_hash128 key, int owner, const void *value,
                     size_t size)
{
    uint32 result = take_block(partition), *bucket = bucket_of(partition, key);
    head_block *head = head_at(partition, result);
    size_t first = Min(size, sizeof head->data);

    head->key = key;
    head->size = (uint32)size;
    head->owner = owner;
    memcpy(head->data, value, first);
    write_rest(partition, &head->next, (const char *)value + first, size - first);
    head->chain = *bucket;
    *bucket = result;
    link_use(partition, result, head);
}
