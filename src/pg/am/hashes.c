/*
 * hashes.c - which row was made of a text already, so that it is not embedded again when an UPDATE
 * leaves it as it was.
 *
 * A table of hashes of 64 bits, in buckets that are chains of pages. It is advice: an entry counts
 * only where the row that it names has the whole hash of 128 bits beside its vector, and an entry
 * that is missing costs an inference. So inserts add without looking, nothing is deleted, and the
 * table is made anew, by vacuum or by the insert that meets a long chain, while others write into
 * the old one. There are two tables in turn, each with its pages: who still uses the old one finds
 * it, and a third one is never made.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/lmgr.h"

#include "pg/am/index.h"

typedef struct hash_entry {
    uint64 low;
    uint64 item;
} hash_entry;

/* The body of a page of hashes. */
typedef struct hash_page {
    uint32 count;
    uint32 depth; /* pages of the chain from here on */
    hash_entry entries[];
} hash_page;

/* The body of the page of buckets; the page behind it is that of the other table. */
typedef struct bucket_page {
    uint32 count;
    BlockNumber unused; /* chain of pages of hashes; 0: none */
    uint32 open;        /* 0: only who makes the table anew adds to it */
    uint32 padding;
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
    buffer = lmtext_codes_peek(store, LMTEXT_ITEM_BLOCK(item));
    if (!BufferIsValid(buffer))
        return false;
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

/* A page of buckets, all empty; `other` is that of the table before, if there is one. */
static BlockNumber
make_buckets(lmtext_store *store, uint32 count, bool open, BlockNumber other)
{
    Buffer buffer = lmtext_page_extend(store->index, MAIN_FORKNUM);
    lmtext_change change = lmtext_change_begin(store->index, store->building);
    Page page = lmtext_change_page(&change, buffer, true);
    BlockNumber block = BufferGetBlockNumber(buffer);

    lmtext_page_init(page, LMTEXT_PAGE_BUCKETS, 0);
    buckets_of(page)->count = count;
    buckets_of(page)->open = open;
    lmtext_page_tail_of(page)->next = other;
    lmtext_change_end(&change);
    UnlockReleaseBuffer(buffer);
    return block;
}

/* A page for hashes, locked: one that the table has and does not use, or a new one. `next` is what
 * is unused then. */
static Buffer
take_page(const lmtext_store *store, Buffer buckets, bool *fresh, BlockNumber *next)
{
    BlockNumber block = buckets_of(BufferGetPage(buckets))->unused;
    Buffer buffer;

    *fresh = block == 0;
    *next = 0;
    if (*fresh)
        return lmtext_page_extend(store->index, MAIN_FORKNUM);
    buffer = lmtext_page_read_beside(store->index, block, LMTEXT_PAGE_HASHES,
                                     BufferGetBlockNumber(buckets), BUFFER_LOCK_EXCLUSIVE);
    block = lmtext_page_tail_of(BufferGetPage(buffer))->next;
    *next = block == InvalidBlockNumber ? 0 : block;
    return buffer;
}

/* A new first page of a bucket, with one entry. */
static void
push_page(const lmtext_store *store, Buffer buckets, uint32 bucket, uint32 depth,
          const hash_entry *entry)
{
    bool fresh;
    BlockNumber unused;
    Buffer buffer = take_page(store, buckets, &fresh, &unused);
    lmtext_change change = lmtext_change_begin(store->index, store->building);
    Page page = lmtext_change_page(&change, buffer, true);
    bucket_page *table = buckets_of(lmtext_change_page(&change, buckets, false));

    lmtext_page_init(page, LMTEXT_PAGE_HASHES, 0);
    if (table->first[bucket] != 0)
        lmtext_page_tail_of(page)->next = table->first[bucket];
    hashes_of(page)->count = 1;
    hashes_of(page)->depth = depth;
    hashes_of(page)->entries[0] = *entry;
    table->first[bucket] = BufferGetBlockNumber(buffer);
    table->unused = unused;
    lmtext_change_end(&change);
    UnlockReleaseBuffer(buffer);
}

/* Into the first page of a bucket; false: it is full. */
static bool
add_to_page(const lmtext_store *store, BlockNumber block, const hash_entry *entry, uint32 *depth)
{
    Buffer buffer = lmtext_page_read_beside(store->index, block, LMTEXT_PAGE_HASHES,
                                            store->meta.buckets, BUFFER_LOCK_EXCLUSIVE);
    bool room = hashes_of(BufferGetPage(buffer))->count < PAGE_ENTRIES;

    *depth = hashes_of(BufferGetPage(buffer))->depth;
    if (room) {
        lmtext_change change = lmtext_change_begin(store->index, store->building);
        hash_page *page = hashes_of(lmtext_change_page(&change, buffer, false));

        page->entries[page->count++] = *entry;
        lmtext_change_end(&change);
    }
    UnlockReleaseBuffer(buffer);
    return room;
}

/* What became of an entry. */
typedef struct added {
    bool closed;    /* the table is not the one in use: nothing */
    uint32 depth;   /* pages that the bucket has now, where one was added; else 0 */
    uint32 buckets; /* of the table */
} added;

/* The page of buckets stays locked: two sessions do not both begin a page. */
static added
add_entry(const lmtext_store *store, const hash_entry *entry, bool making)
{
    Buffer buffer = lmtext_page_read(store->index, store->meta.buckets, LMTEXT_PAGE_BUCKETS,
                                     BUFFER_LOCK_EXCLUSIVE);
    const bucket_page *page = buckets_of(BufferGetPage(buffer));
    added done = {.closed = !making && page->open == 0, .buckets = page->count};
    uint32 depth = 0;

    if (page->count < 1 || page->count > MOST_BUCKETS)
        lmtext_index_damaged(store->index, store->meta.buckets, "It has too many buckets.");
    if (!done.closed) {
        uint32 bucket = (uint32)(entry->low % page->count);

        if (page->first[bucket] == 0 || !add_to_page(store, page->first[bucket], entry, &depth)) {
            done.depth = depth + 1;
            push_page(store, buffer, bucket, done.depth, entry);
        }
    }
    UnlockReleaseBuffer(buffer);
    return done;
}

/* The table in use may be another one by now. */
static added
add_to_used(lmtext_store *store, const hash_entry *entry)
{
    added done = add_entry(store, entry, false);

    if (!done.closed)
        return done;
    lmtext_store_refresh(store);
    return add_entry(store, entry, false);
}

/* What an index that was made without rows begins with grows as they come: a chain of more pages
 * is as long to look through as an inference takes. */
#define DEEPEST 4

/* For more rows than there are, and twice as many buckets at least: where one text stands in many
 * rows no number of buckets shortens its chain, and the table is not made anew again and again. */
static double
rows_to_come(const lmtext_store *store, uint32 buckets)
{
    double one = PAGE_ENTRIES * 2.0 / 3.0; /* rows a bucket */

    return Min(Max(4 * lmtext_store_rows(store), 2 * one * buckets), 32 * one * buckets);
}

void
lmtext_hashes_add(lmtext_store *store, lm_hash128 hash, uint64 item)
{
    const hash_entry entry = {hash.low, item};
    added done;

    if (store->meta.buckets == InvalidBlockNumber)
        lmtext_store_refresh(store);
    if (store->meta.buckets == InvalidBlockNumber)
        lmtext_meta_set_buckets(store, make_buckets(store, 1, true, InvalidBlockNumber));
    done = add_to_used(store, &entry);
    if (done.depth > DEEPEST && done.buckets < MOST_BUCKETS)
        lmtext_hashes_build(store, rows_to_come(store, done.buckets));
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
        CHECK_FOR_INTERRUPTS();
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
    if (count * 2 < wanted || count > 8 * (wanted + 1))
        return true;
    return looked > 0 && pages / looked * count > 2 * Max(wanted, count) + 2;
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
        if ((masks[row / LM_BLOCK_ROWS] >> row % LM_BLOCK_ROWS & 1) != 0) {
            const hash_entry entry = {hashes[row].low, LMTEXT_ITEM(block, row)};

            (void)add_entry(store, &entry, true);
        }
    pfree(vector);
    pfree(hashes);
}

/* The last page of a chain. */
static BlockNumber
end_of_chain(const lmtext_store *store, BlockNumber block)
{
    uint32 steps = 0;

    for (;;) {
        Buffer buffer =
            lmtext_page_read(store->index, block, LMTEXT_PAGE_HASHES, BUFFER_LOCK_SHARE);
        BlockNumber next = lmtext_page_next(store->index, buffer, &steps);

        UnlockReleaseBuffer(buffer);
        CHECK_FOR_INTERRUPTS();
        if (next == InvalidBlockNumber)
            return block;
        block = next;
    }
}

/* The pages of a bucket become unused ones, all at once; the table is closed. */
static void
empty_bucket(const lmtext_store *store, BlockNumber block, uint32 bucket, BlockNumber first)
{
    BlockNumber end = end_of_chain(store, first);
    Buffer buckets =
        lmtext_page_read(store->index, block, LMTEXT_PAGE_BUCKETS, BUFFER_LOCK_EXCLUSIVE);
    Buffer last = lmtext_page_read_beside(store->index, end, LMTEXT_PAGE_HASHES, block,
                                          BUFFER_LOCK_EXCLUSIVE);
    lmtext_change change = lmtext_change_begin(store->index, store->building);
    bucket_page *table = buckets_of(lmtext_change_page(&change, buckets, false));
    Page page = lmtext_change_page(&change, last, false);

    if (table->unused != 0)
        lmtext_page_tail_of(page)->next = table->unused;
    table->unused = first;
    table->first[bucket] = 0;
    lmtext_change_end(&change);
    UnlockReleaseBuffer(last);
    UnlockReleaseBuffer(buckets);
}

/* Open or close a table, with that many buckets; 0: as many as it has. */
static void
set_table(const lmtext_store *store, BlockNumber block, bool open, uint32 count)
{
    Buffer buffer =
        lmtext_page_read(store->index, block, LMTEXT_PAGE_BUCKETS, BUFFER_LOCK_EXCLUSIVE);
    lmtext_change change = lmtext_change_begin(store->index, store->building);
    bucket_page *table = buckets_of(lmtext_change_page(&change, buffer, false));

    table->open = open;
    if (count > 0)
        table->count = count;
    lmtext_change_end(&change);
    UnlockReleaseBuffer(buffer);
}

static bucket_page *
copy_table(const lmtext_store *store, BlockNumber block, BlockNumber *other)
{
    Buffer buffer = lmtext_page_read(store->index, block, LMTEXT_PAGE_BUCKETS, BUFFER_LOCK_SHARE);
    bucket_page *copy = palloc(LMTEXT_PAGE_BYTES);

    memcpy(copy, buckets_of(BufferGetPage(buffer)), LMTEXT_PAGE_BYTES);
    *other = lmtext_page_tail_of(BufferGetPage(buffer))->next;
    UnlockReleaseBuffer(buffer);
    if (copy->count < 1 || copy->count > MOST_BUCKETS)
        lmtext_index_damaged(store->index, block, "It has too many buckets.");
    return copy;
}

/* The table before the one in use: closed, and its pages unused. */
static void
empty_table(const lmtext_store *store, BlockNumber block, uint32 count)
{
    BlockNumber other;
    bucket_page *was;

    set_table(store, block, false, 0);
    was = copy_table(store, block, &other);
    for (uint32 i = 0; i < was->count; i++)
        if (was->first[i] != 0)
            empty_bucket(store, block, i, was->first[i]);
    set_table(store, block, false, count);
    pfree(was);
}

static void
set_other(const lmtext_store *store, BlockNumber block, BlockNumber other)
{
    Buffer buffer =
        lmtext_page_read(store->index, block, LMTEXT_PAGE_BUCKETS, BUFFER_LOCK_EXCLUSIVE);
    lmtext_change change = lmtext_change_begin(store->index, store->building);

    lmtext_page_tail_of(lmtext_change_page(&change, buffer, false))->next = other;
    lmtext_change_end(&change);
    UnlockReleaseBuffer(buffer);
}

/* A table to be filled while `used` is in use. */
static BlockNumber
other_table(lmtext_store *store, BlockNumber used, uint32 count)
{
    BlockNumber other;

    if (used == InvalidBlockNumber)
        return make_buckets(store, count, false, InvalidBlockNumber);
    pfree(copy_table(store, used, &other));
    if (other == used)
        lmtext_index_damaged(store->index, used, "It names itself as the other table.");
    if (other != InvalidBlockNumber) {
        empty_table(store, other, count);
        return other;
    }
    other = make_buckets(store, count, false, used);
    set_other(store, used, other);
    return other;
}

static void
add_all_rows(lmtext_store *store)
{
    lmtext_list *lists = lmtext_lists_read(store);

    for (uint32 i = 0; i < store->meta.lists; i++) {
        uint32 steps = 0;

        for (BlockNumber block = lists[i].first; block != InvalidBlockNumber;) {
            add_rows_of(store, block, &block, &steps);
            CHECK_FOR_INTERRUPTS();
        }
    }
    pfree(lists);
}

/* One session at a time; who comes second uses what the first one has made. */
void
lmtext_hashes_build(lmtext_store *store, double rows)
{
    BlockNumber used = store->meta.buckets;

    if (!ConditionalLockPage(store->index, 0, ExclusiveLock))
        return;
    lmtext_store_refresh(store);
    if (store->meta.buckets == used) {
        store->meta.buckets = other_table(store, used, buckets_for(rows));
        add_all_rows(store);
        set_table(store, store->meta.buckets, true, 0);
        lmtext_meta_set_buckets(store, store->meta.buckets);
        if (used != InvalidBlockNumber)
            set_table(store, used, false, 0);
    }
    UnlockPage(store->index, 0, ExclusiveLock);
}
