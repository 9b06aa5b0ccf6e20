/*
 * rows.c - rows in pages: putting one into a free place, writing many, reading one back.
 *
 * A row is there when its bit is set in the mask of its page of codes, which is the last thing that
 * is written. Locks: the page of codes first, and kept while its pages of vectors and strips are
 * read or written, and the page of rows that wait last; the page of lists before a page of codes
 * only where a list gets its first one.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "storage/lmgr.h"

#include "pg/am/index.h"

/* ---- Reading ---- */

Buffer
lmtext_codes_read(const lmtext_store *store, BlockNumber block, int mode)
{
    Buffer buffer = lmtext_page_read(store->index, block, LMTEXT_PAGE_CODES, mode);

    if (lmtext_page_tail_of(BufferGetPage(buffer))->owner == store->meta.generation)
        return buffer;
    if (RecoveryInProgress())
        lmtext_index_replaced(store->index);
    lmtext_index_damaged(store->index, block, "It belongs to other lists.");
}

Buffer
lmtext_codes_peek(const lmtext_store *store, BlockNumber block)
{
    Buffer buffer;
    Page page;

    if (block >= RelationGetNumberOfBlocks(store->index))
        return InvalidBuffer;
    buffer = ReadBuffer(store->index, block);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    page = BufferGetPage(buffer);
    if (!PageIsNew(page) && PageGetSpecialSize(page) == MAXALIGN(sizeof(lmtext_page_tail)) &&
        lmtext_page_tail_of(page)->kind == LMTEXT_PAGE_CODES &&
        lmtext_page_tail_of(page)->owner == store->meta.generation)
        return buffer;
    UnlockReleaseBuffer(buffer);
    return InvalidBuffer;
}

int
lmtext_codes_owned(const lmtext_store *store, Page page, BlockNumber *blocks, int *vectors)
{
    const lmtext_layout *layout = &store->layout;
    int count = 0;

    for (int i = 0; i < layout->vector_pages; i++)
        if (lmtext_codes_vectors(layout, page)[i] != 0)
            blocks[count++] = lmtext_codes_vectors(layout, page)[i];
    *vectors = count;
    for (int i = 0; i < layout->strips; i++)
        if (lmtext_codes_strips(layout, page)[i] != 0)
            blocks[count++] = lmtext_codes_strips(layout, page)[i];
    return count;
}

/* Which of the page's pages of vectors has a row's bytes first. */
static int
vector_page(const lmtext_layout *layout, int row)
{
    return row / layout->page_rows * layout->row_pages;
}

static char *
vector_slot(const lmtext_layout *layout, Page page, int row)
{
    return lmtext_page_body(page) +
           row % layout->page_rows * (LMTEXT_HASH_BYTES + layout->row_bytes);
}

/* A row of one page. */
static void
take_slot(const lmtext_layout *layout, const char *slot, lm_hash128 *hash, uint8 *vector)
{
    memcpy(hash, slot, LMTEXT_HASH_BYTES);
    memcpy(vector, slot + LMTEXT_HASH_BYTES, layout->row_bytes);
}

/* A row of several, from its pieces. */
static bool
read_pieces(const lmtext_store *store, const BlockNumber *blocks, BlockNumber owner, char *slot)
{
    size_t length = LMTEXT_HASH_BYTES + store->layout.row_bytes;

    for (int i = 0; i < store->layout.row_pages; i++) {
        size_t at = i * (size_t)LMTEXT_PAGE_BYTES;
        Buffer buffer;

        if (blocks[i] == 0)
            return false;
        buffer = lmtext_page_read_owned(store->index, blocks[i], LMTEXT_PAGE_VECTORS, owner,
                                        BUFFER_LOCK_SHARE);
        memcpy(slot + at, lmtext_page_body(BufferGetPage(buffer)),
               Min(length - at, (size_t)LMTEXT_PAGE_BYTES));
        UnlockReleaseBuffer(buffer);
    }
    return true;
}

bool
lmtext_row_read(const lmtext_store *store, Page codes, BlockNumber block, int row, lm_hash128 *hash,
                uint8 *vector)
{
    const lmtext_layout *layout = &store->layout;
    const BlockNumber *blocks = lmtext_codes_vectors(layout, codes) + vector_page(layout, row);
    char *slot;
    bool found;

    if (layout->row_pages == 1) {
        Buffer buffer;

        if (blocks[0] == 0)
            return false;
        buffer = lmtext_page_read_owned(store->index, blocks[0], LMTEXT_PAGE_VECTORS, block,
                                        BUFFER_LOCK_SHARE);
        take_slot(layout, vector_slot(layout, BufferGetPage(buffer), row), hash, vector);
        UnlockReleaseBuffer(buffer);
        return true;
    }
    slot = palloc(LMTEXT_HASH_BYTES + layout->row_bytes);
    found = read_pieces(store, blocks, block, slot);
    if (found)
        take_slot(layout, slot, hash, vector);
    pfree(slot);
    return found;
}

void
lmtext_row_prefetch(const lmtext_store *store, Page codes, int row, BlockNumber end,
                    BlockNumber *last)
{
    const lmtext_layout *layout = &store->layout;
    const BlockNumber *blocks = lmtext_codes_vectors(layout, codes) + vector_page(layout, row);

    for (int i = 0; i < layout->row_pages; i++)
        if (blocks[i] != *last && blocks[i] < end)
            (void)PrefetchBuffer(store->index, MAIN_FORKNUM, *last = blocks[i]);
}

/* What a row's list is coded relative to. */
static const lm_centroid *
centroid_of(const lmtext_store *store, uint32 list, lm_centroid *space)
{
    if (store->lists == NULL)
        return NULL;
    space->values = store->centroids + (size_t)list * store->space->width;
    space->rotated = store->rotated + (size_t)list * store->space->padded;
    return space;
}

static void
read_strips(const lmtext_store *store, Page codes, BlockNumber block, int row, uint8 *code)
{
    size_t padded = store->space->padded;

    for (int i = 0; i < store->layout.strips; i++) {
        size_t first = i * LMTEXT_STRIP_WIDTH;
        Buffer buffer =
            lmtext_page_read_owned(store->index, lmtext_codes_strips(&store->layout, codes)[i],
                                   LMTEXT_PAGE_STRIP, block, BUFFER_LOCK_SHARE);

        lm_strip_take((const uint8 *)lmtext_page_body(BufferGetPage(buffer)), first,
                      Min(padded - first, LMTEXT_STRIP_WIDTH), row, code);
        UnlockReleaseBuffer(buffer);
    }
}

bool
lmtext_row_belongs(const lmtext_store *store, uint32 list, Page codes, BlockNumber block, int row,
                   const uint8 *vector)
{
    const lmtext_layout *layout = &store->layout;
    uint8 *code = palloc0(lm_code_bytes(store->space));
    size_t at = row / LM_BLOCK_ROWS * layout->block_bytes;
    lm_centroid space;
    bool belongs;

    if (layout->strips > 0)
        read_strips(store, codes, block, row, code);
    else
        lm_strip_take(lmtext_codes_codes(layout, codes) + at, 0, store->space->padded,
                      row % LM_BLOCK_ROWS, code);
    belongs = lm_code_is_of(store->space, centroid_of(store, list, &space), vector, code);
    pfree(code);
    return belongs;
}

/* ---- Writing one ---- */

static Buffer
new_page(const lmtext_store *store)
{
    return store->building ? lmtext_page_extend(store->index, MAIN_FORKNUM)
                           : lmtext_page_take(store->index);
}

/* Page `number` of those that a page of codes owns, locked; made if it is not there yet. */
static Buffer
owned_page(const lmtext_store *store, BlockNumber block, lmtext_page_kind kind, BlockNumber owner,
           bool *fresh)
{
    *fresh = block == 0;
    return *fresh ? new_page(store)
                  : lmtext_page_read_owned(store->index, block, kind, owner, BUFFER_LOCK_EXCLUSIVE);
}

static Page
change_owned(lmtext_change *change, Buffer buffer, bool fresh, lmtext_page_kind kind,
             BlockNumber owner)
{
    Page page = lmtext_change_page(change, buffer, fresh);

    if (fresh)
        lmtext_page_init(page, kind, owner);
    return page;
}

/* Bytes at a place of an owned page, as a change of its own. Returns its block. */
static BlockNumber
write_owned(const lmtext_store *store, BlockNumber block, lmtext_page_kind kind, BlockNumber owner,
            const void *bytes, size_t length)
{
    bool fresh;
    Buffer buffer = owned_page(store, block, kind, owner, &fresh);
    lmtext_change change = lmtext_change_begin(store->index, store->building);
    Page page = change_owned(&change, buffer, fresh, kind, owner);

    memcpy(lmtext_page_body(page), bytes, length);
    lmtext_change_end(&change);
    block = BufferGetBlockNumber(buffer);
    UnlockReleaseBuffer(buffer);
    return block;
}

static void
fill_slot(const lmtext_layout *layout, char *slot, const lmtext_row *row)
{
    memcpy(slot, &row->hash, LMTEXT_HASH_BYTES);
    memcpy(slot + LMTEXT_HASH_BYTES, row->vector, layout->row_bytes);
}

/* A vector of several pages. */
static void
write_pieces(const lmtext_store *store, BlockNumber *blocks, BlockNumber owner,
             const lmtext_row *row)
{
    size_t length = LMTEXT_HASH_BYTES + store->layout.row_bytes;
    char *slot = palloc(length);

    fill_slot(&store->layout, slot, row);
    for (int i = 0; i < store->layout.row_pages; i++) {
        size_t at = i * (size_t)LMTEXT_PAGE_BYTES;

        blocks[i] = write_owned(store, blocks[i], LMTEXT_PAGE_VECTORS, owner, slot + at,
                                Min(length - at, (size_t)LMTEXT_PAGE_BYTES));
    }
    pfree(slot);
}

/* A row's code in the strips of its page. */
static void
write_strips(const lmtext_store *store, BlockNumber *blocks, BlockNumber owner, int place,
             const uint8 *code)
{
    size_t padded = store->space->padded;

    for (int i = 0; i < store->layout.strips; i++) {
        size_t first = i * LMTEXT_STRIP_WIDTH;
        bool fresh;
        Buffer buffer = owned_page(store, blocks[i], LMTEXT_PAGE_STRIP, owner, &fresh);
        lmtext_change change = lmtext_change_begin(store->index, store->building);
        Page page = change_owned(&change, buffer, fresh, LMTEXT_PAGE_STRIP, owner);

        lm_strip_put((uint8 *)lmtext_page_body(page), first,
                     Min(padded - first, LMTEXT_STRIP_WIDTH), place, code);
        lmtext_change_end(&change);
        blocks[i] = BufferGetBlockNumber(buffer);
        UnlockReleaseBuffer(buffer);
    }
}

/* A row's code, as it is about to be written. */
typedef struct row_code {
    uint8 *code;
    lm_correction correction;
} row_code;

/* All of a row but its vector, in a page that is being changed. */
static void
fill_codes(const lmtext_store *store, Page page, int number, const lmtext_row *row,
           const row_code *made)
{
    const lmtext_layout *layout = &store->layout;
    int block = number / (int)LM_BLOCK_ROWS, place = number % (int)LM_BLOCK_ROWS;
    lm_block_corrections *corrections = lmtext_codes_corrections(layout, page) + block;

    if (layout->strips == 0)
        lm_block_put(store->space, lmtext_codes_codes(layout, page) + block * layout->block_bytes,
                     corrections, place, made->code, made->correction);
    corrections->scale[place] = made->correction.scale;
    corrections->add[place] = made->correction.add;
    lmtext_codes_tids(layout, page)[number] = row->tid;
    lmtext_codes_mask(page)[block] |= UINT32_C(1) << place;
}

/* The end of a change that makes a row visible, which waits no more. */
static void
end_waiting(lmtext_change *change, const lmtext_waiting *from)
{
    if (from != NULL)
        lmtext_waiting_take(change, from);
    lmtext_change_end(change);
    if (from != NULL)
        LockBuffer(from->buffer, BUFFER_LOCK_UNLOCK);
}

/* One vector page and one page of codes: one record. */
static void
put_narrow(const lmtext_store *store, Buffer codes, int number, const lmtext_row *row,
           const row_code *made, const lmtext_waiting *from)
{
    const lmtext_layout *layout = &store->layout;
    BlockNumber owner = BufferGetBlockNumber(codes);
    int index = vector_page(layout, number);
    bool fresh;
    Buffer vectors = owned_page(store, lmtext_codes_vectors(layout, BufferGetPage(codes))[index],
                                LMTEXT_PAGE_VECTORS, owner, &fresh);
    lmtext_change change = lmtext_change_begin(store->index, store->building);
    Page page = lmtext_change_page(&change, codes, false);
    Page beside = change_owned(&change, vectors, fresh, LMTEXT_PAGE_VECTORS, owner);

    fill_slot(layout, vector_slot(layout, beside, number), row);
    lmtext_codes_vectors(layout, page)[index] = BufferGetBlockNumber(vectors);
    fill_codes(store, page, number, row, made);
    end_waiting(&change, from);
    UnlockReleaseBuffer(vectors);
}

/* More pages than a record takes: the page of codes, which makes the row visible, comes last. */
static void
put_wide(const lmtext_store *store, Buffer codes, int number, const lmtext_row *row,
         const row_code *made, const lmtext_waiting *from)
{
    const lmtext_layout *layout = &store->layout;
    BlockNumber owner = BufferGetBlockNumber(codes);
    size_t vectors_size = sizeof(BlockNumber) * layout->vector_pages;
    size_t strips_size = sizeof(BlockNumber) * layout->strips;
    BlockNumber *vectors = palloc(vectors_size), *strips = palloc(strips_size + 1);
    lmtext_change change;
    Page page = BufferGetPage(codes);

    memcpy(vectors, lmtext_codes_vectors(layout, page), vectors_size);
    memcpy(strips, lmtext_codes_strips(layout, page), strips_size);
    if (layout->row_pages > 1)
        write_pieces(store, vectors + vector_page(layout, number), owner, row);
    write_strips(store, strips, owner, number, made->code);
    change = lmtext_change_begin(store->index, store->building);
    page = lmtext_change_page(&change, codes, false);
    memcpy(lmtext_codes_vectors(layout, page), vectors, vectors_size);
    memcpy(lmtext_codes_strips(layout, page), strips, strips_size);
    if (layout->row_pages > 1)
        fill_codes(store, page, number, row, made);
    end_waiting(&change, layout->row_pages > 1 ? from : NULL);
    if (layout->row_pages == 1)
        put_narrow(store, codes, number, row, made, from);
    pfree(vectors);
    pfree(strips);
}

/* The first free row of a page; -1: it is full. */
static int
free_row(const lmtext_layout *layout, Page page)
{
    for (int block = 0; block < layout->blocks; block++) {
        uint32 mask = lmtext_codes_mask(page)[block];

        if (mask != PG_UINT32_MAX)
            return block * (int)LM_BLOCK_ROWS + pg_rightmost_one_pos32(~mask);
    }
    return -1;
}

/* A new page of codes behind one, which is locked and is let go; the new one is locked. */
static Buffer
append_page(const lmtext_store *store, Buffer last)
{
    Buffer buffer = new_page(store);
    lmtext_change change = lmtext_change_begin(store->index, store->building);

    lmtext_page_init(lmtext_change_page(&change, buffer, true), LMTEXT_PAGE_CODES,
                     store->meta.generation);
    if (BufferIsValid(last))
        lmtext_page_tail_of(lmtext_change_page(&change, last, false))->next =
            BufferGetBlockNumber(buffer);
    lmtext_change_end(&change);
    if (BufferIsValid(last))
        UnlockReleaseBuffer(last);
    return buffer;
}

/* The list's first page. Where two sessions make one, one of them is not used. */
static BlockNumber
first_page(const lmtext_store *store, uint32 list)
{
    Buffer buffer = append_page(store, InvalidBuffer);
    BlockNumber block = BufferGetBlockNumber(buffer);

    UnlockReleaseBuffer(buffer);
    if (lmtext_list_set(store, list, (lmtext_list){block, block}))
        return block;
    return lmtext_list_read(store, list).insert;
}

/* A page with a free row, locked: this one of its list, or one behind it. */
static Buffer
page_with_room(const lmtext_store *store, BlockNumber block, int *row)
{
    uint32 steps = 0;
    Buffer buffer;

    for (;;) {
        buffer = lmtext_codes_read(store, block, BUFFER_LOCK_EXCLUSIVE);
        *row = free_row(&store->layout, BufferGetPage(buffer));
        if (*row >= 0)
            return buffer;
        block = lmtext_page_next(store->index, buffer, &steps);
        if (block == InvalidBlockNumber)
            break;
        UnlockReleaseBuffer(buffer);
        CHECK_FOR_INTERRUPTS();
    }
    *row = 0;
    return append_page(store, buffer);
}

/* The list that a prepared vector belongs to. */
static uint32
list_of(const lmtext_store *store, const float *x)
{
    if (store->lists == NULL)
        return 0;
    lmtext_check(store->call, lm_query_set(&store->call->ctx, store->asking, x), NULL);
    return lm_lists_assign_one(store->lists, store->asking);
}

static uint64
put(lmtext_store *store, const lmtext_row *row, const float *x, const lmtext_waiting *from)
{
    uint32 list = list_of(store, x);
    lm_centroid space;
    row_code made = {.code = palloc(lm_code_bytes(store->space))};
    BlockNumber hint = lmtext_list_read(store, list).insert, block;
    Buffer buffer;
    int number;

    lm_code_encode(store->space, centroid_of(store, list, &space), x, made.code, &made.correction);
    if (hint == InvalidBlockNumber)
        hint = first_page(store, list);
    buffer = page_with_room(store, hint, &number);
    block = BufferGetBlockNumber(buffer);
    if (store->layout.strips > 0 || store->layout.row_pages > 1)
        put_wide(store, buffer, number, row, &made, from);
    else
        put_narrow(store, buffer, number, row, &made, from);
    UnlockReleaseBuffer(buffer);
    if (block != hint)
        (void)lmtext_list_set(store, list, (lmtext_list){InvalidBlockNumber, block});
    pfree(made.code);
    return LMTEXT_ITEM(block, number);
}

uint64
lmtext_rows_add(lmtext_store *store, const lmtext_row *row, const float *x)
{
    return put(store, row, x, NULL);
}

/* Into the lists that there are by now: row->vector is the same in all of an index. */
uint64
lmtext_rows_put(lmtext_store *store, const lmtext_row *row, const float *x,
                const lmtext_waiting *from)
{
    uint64 item;

    LockPage(store->index, LMTEXT_LISTS_LOCK, ShareLock);
    if (lmtext_meta_build(store->index) != store->meta.build)
        lmtext_store_reopen(store);
    item = put(store, row, x, from);
    UnlockPage(store->index, LMTEXT_LISTS_LOCK, ShareLock);
    return item;
}

/* ---- Writing many, into lists that nobody else sees ---- */

/* Codes of some rows, as they are about to be written. */
typedef struct block_codes {
    uint8 *codes; /* (blocks, block_bytes) */
    lm_block_corrections *corrections;
} block_codes;

static block_codes
encode_rows(const lmtext_store *store, uint32 list, const lmtext_row *rows, int count)
{
    size_t width = store->space->width;
    float *x = palloc(count * width * sizeof(float));
    block_codes made = {palloc0(store->layout.blocks * store->layout.block_bytes),
                        palloc0(store->layout.blocks * sizeof(lm_block_corrections))};
    lm_centroid space;

    for (int i = 0; i < count; i++)
        lm_int8_row_decode(store->space, rows[i].vector, x + i * width);
    lmtext_check(store->call,
                 lm_blocks_encode(&store->call->ctx, store->space, centroid_of(store, list, &space),
                                  x, count, made.codes, made.corrections),
                 NULL);
    pfree(x);
    return made;
}

/* The vectors of one page; rows from `first` on. */
static BlockNumber
write_vectors(const lmtext_store *store, BlockNumber owner, const lmtext_row *rows, int first,
              int count)
{
    const lmtext_layout *layout = &store->layout;
    bool fresh;
    Buffer buffer = owned_page(store, 0, LMTEXT_PAGE_VECTORS, owner, &fresh);
    lmtext_change change = lmtext_change_begin(store->index, store->building);
    Page page = change_owned(&change, buffer, fresh, LMTEXT_PAGE_VECTORS, owner);
    BlockNumber block = BufferGetBlockNumber(buffer);

    for (int i = first; i < Min(first + layout->page_rows, count); i++)
        fill_slot(layout, vector_slot(layout, page, i), &rows[i]);
    lmtext_change_end(&change);
    UnlockReleaseBuffer(buffer);
    return block;
}

static void
write_all_vectors(const lmtext_store *store, Page page, BlockNumber owner, const lmtext_row *rows,
                  int count)
{
    const lmtext_layout *layout = &store->layout;
    BlockNumber *blocks = lmtext_codes_vectors(layout, page);

    for (int i = 0; i < count; i += layout->page_rows)
        if (layout->row_pages > 1)
            write_pieces(store, blocks + vector_page(layout, i), owner, &rows[i]);
        else
            blocks[vector_page(layout, i)] = write_vectors(store, owner, rows, i, count);
}

static void
write_codes(const lmtext_store *store, Page page, BlockNumber owner, const block_codes *made)
{
    const lmtext_layout *layout = &store->layout;

    memcpy(lmtext_codes_corrections(layout, page), made->corrections,
           layout->blocks * sizeof(lm_block_corrections));
    if (layout->strips == 0)
        memcpy(lmtext_codes_codes(layout, page), made->codes, layout->blocks * layout->block_bytes);
    for (int i = 0; i < layout->strips; i++) {
        size_t at = LM_STRIP_BYTES(i * LMTEXT_STRIP_WIDTH);

        lmtext_codes_strips(layout, page)[i] =
            write_owned(store, 0, LMTEXT_PAGE_STRIP, owner, made->codes + at,
                        Min(layout->block_bytes - at, LM_STRIP_BYTES(LMTEXT_STRIP_WIDTH)));
    }
}

BlockNumber
lmtext_rows_write(lmtext_store *store, uint32 list, BlockNumber last, const lmtext_row *rows,
                  int count)
{
    block_codes made = encode_rows(store, list, rows, count);
    Buffer before = last != InvalidBlockNumber
                        ? lmtext_codes_read(store, last, BUFFER_LOCK_EXCLUSIVE)
                        : InvalidBuffer;
    Buffer buffer = append_page(store, before);
    BlockNumber block = BufferGetBlockNumber(buffer);
    lmtext_change change = lmtext_change_begin(store->index, store->building);
    Page page = lmtext_change_page(&change, buffer, true);

    write_all_vectors(store, page, block, rows, count);
    write_codes(store, page, block, &made);
    for (int i = 0; i < count; i++) {
        lmtext_codes_tids(&store->layout, page)[i] = rows[i].tid;
        lmtext_codes_mask(page)[i / LM_BLOCK_ROWS] |= UINT32_C(1) << i % LM_BLOCK_ROWS;
    }
    lmtext_change_end(&change);
    UnlockReleaseBuffer(buffer);
    if (last == InvalidBlockNumber)
        (void)lmtext_list_set(store, list, (lmtext_list){block, block});
    pfree(made.codes);
    pfree(made.corrections);
    return block;
}
