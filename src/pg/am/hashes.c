/*
 * hashes.c - which row was made of a text already, so that it is not embedded again when an UPDATE
 * leaves it as it was.
 *
 * A table of hashes of 64 bits, in buckets that are chains of pages. It is advice: an entry counts
 * only where the row that it names has the whole hash of 128 bits beside its vector, and an entry
 * that is missing costs an inference. So inserts add without looking, nothing is deleted, and
 * vacuum makes it anew while others write into the old one.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "pg/am/index.h"

typedef struct hash_entry {
    uint64 low;
    uint64 item;
} hash_entry;

/* The body of a page of hashes. */
typedef struct hash_page {
    uint32 count;
    uint32 padding;
    hash_entry entries[];
} hash_page;

/* The body of the page of buckets. */
typedef struct bucket_page {
    uint32 count;
    BlockNumber first[]; /* 0: none */
} bucket_page;

#define PAGE_ENTRIES \
    ((uint32)((LMTEXT_PAGE_BYTES - offsetof(hash_page, entries)) / sizeof(hash_entry)))
#define MOST_BUCKETS \
    ((uint32)((LMTEXT_PAGE_BYTES - offsetof(bucket_page, first)) / sizeof(BlockNumber)))

static bucket_page *
buckets_of(Page page)
{
    return (bucket_page *)lmtext_page_body(page);
}

static hash_page *
hashes_of(Page page)
{
    return (hash_page *)lmtext_page_body(page);
}

/* ---- Finding ---- */

static BlockNumber
first_of_bucket(const lmtext_store *store, uint64 low)
{
    Buffer buffer =
        lmtext_page_read(store->index, store->meta.buckets, LMTEXT_PAGE_BUCKETS, BUFFER_LOCK_SHARE);
    const bucket_page *page = buckets_of(BufferGetPage(buffer));
    BlockNumber block;

    if (page->count < 1 || page->count > MOST_BUCKETS)
        lmtext_index_damaged(store->index, store->meta.buckets, "It has too many buckets.");
    block = page->first[low % page->count];
    UnlockReleaseBuffer(buffer);
    return block == 0 ? InvalidBlockNumber : block;
}

/* Does the row that an entry names have this hash? */
static bool
row_has(const lmtext_store *store, uint64 item, lm_hash128 hash, uint8 *vector)
{
    lm_hash128 found;
    Buffer buffer;
    bool there;

    if (LMTEXT_ITEM_ROW(item) >= store->layout.rows)
        return false;
    buffer = lmtext_codes_read(store, LMTEXT_ITEM_BLOCK(item), BUFFER_LOCK_SHARE);
    there = lmtext_row_read(store, BufferGetPage(buffer), LMTEXT_ITEM_BLOCK(item),
                            LMTEXT_ITEM_ROW(item), &found, vector);
    UnlockReleaseBuffer(buffer);
    return there && found.low == hash.low && found.high == hash.high;
}

/* Entries of a page that may be meant, copied: their rows are read without its lock. */
static int
matches_of(const lmtext_store *store, BlockNumber *block, uint64 low, uint64 *items, uint32 *steps)
{
    Buffer buffer = lmtext_page_read(store->index, *block, LMTEXT_PAGE_HASHES, BUFFER_LOCK_SHARE);
    const hash_page *page = hashes_of(BufferGetPage(buffer));
    int found = 0;

    if (page->count > PAGE_ENTRIES)
        lmtext_index_damaged(store->index, *block, "It has too many hashes.");
    for (uint32 i = 0; i < page->count; i++)
        if (page->entries[i].low == low)
            items[found++] = page->entries[i].item;
    *block = lmtext_page_next(store->index, buffer, steps);
    UnlockReleaseBuffer(buffer);
    return found;
}

bool
lmtext_hashes_find(const lmtext_store *store, lm_hash128 hash, uint8 *vector)
{
    uint64 *items;
    BlockNumber block;
    uint32 steps = 0;
    bool found = false;

    if (store->meta.buckets == InvalidBlockNumber)
        return false;
    items = palloc(PAGE_ENTRIES * sizeof(*items));
    block = first_of_bucket(store, hash.low);
    while (!found && block != InvalidBlockNumber) {
        int count = matches_of(store, &block, hash.low, items, &steps);

        for (int i = 0; !found && i < count; i++)
            found = row_has(store, items[i], hash, vector);
        CHECK_FOR_INTERRUPTS();
    }
    pfree(items);
    return found;
}

/* ---- Adding ---- */

/* A page of buckets, all empty. */
static BlockNumber
make_buckets(lmtext_store *store, uint32 count)
{
    Buffer buffer = lmtext_page_extend(store->index, MAIN_FORKNUM);
    lmtext_change change = lmtext_change_begin(store->index, store->building);
    Page page = lmtext_change_page(&change, buffer, true);
    BlockNumber block = BufferGetBlockNumber(buffer);

    lmtext_page_init(page, LMTEXT_PAGE_BUCKETS, 0);
    buckets_of(page)->count = count;
    lmtext_change_end(&change);
    UnlockReleaseBuffer(buffer);
    return block;
}

/* A new first page of a bucket, with one entry. */
static void
push_page(const lmtext_store *store, Buffer buckets, uint32 bucket, const hash_entry *entry)
{
    Buffer buffer = lmtext_page_extend(store->index, MAIN_FORKNUM);
    lmtext_change change = lmtext_change_begin(store->index, store->building);
    Page page = lmtext_change_page(&change, buffer, true);
    BlockNumber *first = &buckets_of(lmtext_change_page(&change, buckets, false))->first[bucket];

    lmtext_page_init(page, LMTEXT_PAGE_HASHES, 0);
    if (*first != 0)
        lmtext_page_tail_of(page)->next = *first;
    hashes_of(page)->count = 1;
    hashes_of(page)->entries[0] = *entry;
    *first = BufferGetBlockNumber(buffer);
    lmtext_change_end(&change);
    UnlockReleaseBuffer(buffer);
}

/* Into the first page of a bucket; false: it is full. */
static bool
add_to_page(const lmtext_store *store, BlockNumber block, const hash_entry *entry)
{
    Buffer buffer =
        lmtext_page_read(store->index, block, LMTEXT_PAGE_HASHES, BUFFER_LOCK_EXCLUSIVE);
    bool room = hashes_of(BufferGetPage(buffer))->count < PAGE_ENTRIES;

    if (room) {
        lmtext_change change = lmtext_change_begin(store->index, store->building);
        hash_page *page = hashes_of(lmtext_change_page(&change, buffer, false));

        page->entries[page->count++] = *entry;
        lmtext_change_end(&change);
    }
    UnlockReleaseBuffer(buffer);
    return room;
}

/* The page of buckets stays locked: two sessions do not both begin a page. */
void
lmtext_hashes_add(lmtext_store *store, lm_hash128 hash, uint64 item)
{
    const hash_entry entry = {hash.low, item};
    Buffer buffer;
    bucket_page *page;
    uint32 bucket;

    if (store->meta.buckets == InvalidBlockNumber)
        lmtext_meta_read(store->index, &store->meta);
    if (store->meta.buckets == InvalidBlockNumber)
        lmtext_meta_set_buckets(store, make_buckets(store, 1));
    buffer = lmtext_page_read(store->index, store->meta.buckets, LMTEXT_PAGE_BUCKETS,
                              BUFFER_LOCK_EXCLUSIVE);
    page = buckets_of(BufferGetPage(buffer));
    if (page->count < 1 || page->count > MOST_BUCKETS)
        lmtext_index_damaged(store->index, store->meta.buckets, "It has too many buckets.");
    bucket = (uint32)(hash.low % page->count);
    if (page->first[bucket] == 0 || !add_to_page(store, page->first[bucket], &entry))
        push_page(store, buffer, bucket, &entry);
    UnlockReleaseBuffer(buffer);
}

/* ---- All anew ---- */

/* About this many rows a bucket: a page that is two thirds full. */
static uint32
buckets_for(double rows)
{
    double count = rows / (PAGE_ENTRIES * 2.0 / 3.0);

    return (uint32)Max(Min(count, MOST_BUCKETS), 1);
}

#define LOOKED_AT 8 /* buckets, to estimate all */

/* Pages of a bucket's chain. */
static uint32
chain_length(const lmtext_store *store, BlockNumber block)
{
    uint32 steps = 0, length = 0;

    while (block != InvalidBlockNumber) {
        Buffer buffer =
            lmtext_page_read(store->index, block, LMTEXT_PAGE_HASHES, BUFFER_LOCK_SHARE);

        block = lmtext_page_next(store->index, buffer, &steps);
        UnlockReleaseBuffer(buffer);
        length++;
    }
    return length;
}

bool
lmtext_hashes_long(const lmtext_store *store, double rows)
{
    double pages = 0, wanted = buckets_for(rows);
    uint32 looked = 0, count;
    Buffer buffer;

    if (store->meta.buckets == InvalidBlockNumber)
        return false;
    buffer =
        lmtext_page_read(store->index, store->meta.buckets, LMTEXT_PAGE_BUCKETS, BUFFER_LOCK_SHARE);
    count = buckets_of(BufferGetPage(buffer))->count;
    UnlockReleaseBuffer(buffer);
    for (; looked < Min(count, LOOKED_AT); looked++) {
        BlockNumber block = first_of_bucket(store, looked);

        pages += block != InvalidBlockNumber ? chain_length(store, block) : 0;
    }
    return looked > 0 && pages / looked * count > 2 * wanted + 2;
}

/* The hashes of a page's rows. */
static void
add_rows_of(lmtext_store *store, BlockNumber block, BlockNumber *next, uint32 *steps)
{
    lm_hash128 *hashes = palloc(store->layout.rows * sizeof(*hashes));
    uint8 *vector = palloc(store->layout.row_bytes);
    Buffer buffer = lmtext_codes_read(store, block, BUFFER_LOCK_SHARE);
    uint32 masks[LMTEXT_CODE_BLOCKS] = {0};

    for (int row = 0; row < store->layout.rows; row++) {
        Page page = BufferGetPage(buffer);
        uint32 bit = UINT32_C(1) << row % LM_BLOCK_ROWS;

        if ((lmtext_codes_mask(page)[row / LM_BLOCK_ROWS] & bit) != 0 &&
            lmtext_row_read(store, page, block, row, &hashes[row], vector))
            masks[row / LM_BLOCK_ROWS] |= bit;
    }
    *next = lmtext_page_next(store->index, buffer, steps);
    UnlockReleaseBuffer(buffer);
    for (int row = 0; row < store->layout.rows; row++)
        if ((masks[row / LM_BLOCK_ROWS] >> row % LM_BLOCK_ROWS & 1) != 0)
            lmtext_hashes_add(store, hashes[row], LMTEXT_ITEM(block, row));
    pfree(vector);
    pfree(hashes);
}

void
lmtext_hashes_build(lmtext_store *store, double rows)
{
    lmtext_list *lists = lmtext_lists_read(store);
    BlockNumber made = make_buckets(store, buckets_for(rows));

    store->meta.buckets = made;
    for (uint32 i = 0; i < store->meta.lists; i++) {
        uint32 steps = 0;

        for (BlockNumber block = lists[i].first; block != InvalidBlockNumber;) {
            add_rows_of(store, block, &block, &steps);
            CHECK_FOR_INTERRUPTS();
        }
    }
    lmtext_meta_set_buckets(store, made);
    pfree(lists);
}
