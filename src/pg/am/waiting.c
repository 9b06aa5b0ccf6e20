/*
 * waiting.c - rows that wait for being embedded: their places, in a chain of pages.
 *
 * A row that is inserted is added at the end of the first page with room; who moves it into its
 * list (flush.c) takes it out in the same WAL record, so that it is always in one of the two. A
 * page that has nothing left begins anew; pages are never given back. Whoever takes rows out holds
 * the lock of LMTEXT_FLUSH_LOCK.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "pg/am/index.h"

/* The body of a page; a place that is not valid has been taken out. */
typedef struct waiting_page {
    uint32 count;
    uint32 number; /* of the page in its chain */
    ItemPointerData tids[];
} waiting_page;

#define PAGE_TIDS \
    ((uint32)((LMTEXT_PAGE_BYTES - offsetof(waiting_page, tids)) / sizeof(ItemPointerData)))

static waiting_page *
waiting_of(Page page)
{
    return (waiting_page *)lmtext_page_body(page);
}

static Buffer
read_page(const lmtext_store *store, BlockNumber block, int mode)
{
    Buffer buffer = lmtext_page_read(store->index, block, LMTEXT_PAGE_WAITING, mode);

    if (waiting_of(BufferGetPage(buffer))->count > PAGE_TIDS)
        lmtext_index_damaged(store->index, block, "It has too many places.");
    return buffer;
}

/* ---- Adding ---- */

/* A new page behind one, which is locked and is let go; the new one is locked. */
static Buffer
append_page(const lmtext_store *store, Buffer last)
{
    uint32 number = waiting_of(BufferGetPage(last))->number + 1;
    Buffer buffer = lmtext_page_extend(store->index, MAIN_FORKNUM);
    lmtext_change change = lmtext_change_begin(store->index, false);
    Page page = lmtext_change_page(&change, buffer, true);

    lmtext_page_init(page, LMTEXT_PAGE_WAITING, 0);
    waiting_of(page)->number = number;
    lmtext_page_tail_of(lmtext_change_page(&change, last, false))->next =
        BufferGetBlockNumber(buffer);
    lmtext_change_end(&change);
    UnlockReleaseBuffer(last);
    return buffer;
}

static Buffer
page_with_room(const lmtext_store *store, BlockNumber block)
{
    uint32 steps = 0;

    for (;;) {
        Buffer buffer = read_page(store, block, BUFFER_LOCK_EXCLUSIVE);

        if (waiting_of(BufferGetPage(buffer))->count < PAGE_TIDS)
            return buffer;
        block = lmtext_page_next(store->index, buffer, &steps);
        if (block == InvalidBlockNumber)
            return append_page(store, buffer);
        UnlockReleaseBuffer(buffer);
        CHECK_FOR_INTERRUPTS();
    }
}

uint32
lmtext_waiting_add(lmtext_store *store, BlockNumber *at, ItemPointer tid)
{
    Buffer buffer;
    lmtext_change change;
    waiting_page *page;
    uint32 waiting;

    if (store->meta.waiting == InvalidBlockNumber)
        lmtext_meta_make_waiting(store);
    buffer = page_with_room(store, *at != InvalidBlockNumber ? *at : store->meta.waiting);
    change = lmtext_change_begin(store->index, false);
    page = waiting_of(lmtext_change_page(&change, buffer, false));
    page->tids[page->count++] = *tid;
    waiting = page->number * PAGE_TIDS + page->count;
    lmtext_change_end(&change);
    *at = BufferGetBlockNumber(buffer);
    UnlockReleaseBuffer(buffer);
    return waiting;
}

/* ---- Reading ---- */

ItemPointerData *
lmtext_waiting_read(const lmtext_store *store, BlockNumber block, int *count, BlockNumber *next,
                    uint32 *steps)
{
    Buffer buffer = read_page(store, block, BUFFER_LOCK_SHARE);
    const waiting_page *page = waiting_of(BufferGetPage(buffer));
    ItemPointerData *tids = palloc(PAGE_TIDS * sizeof(*tids));

    *count = (int)page->count;
    memcpy(tids, page->tids, page->count * sizeof(*tids));
    *next = lmtext_page_next(store->index, buffer, steps);
    UnlockReleaseBuffer(buffer);
    return tids;
}

ItemPointerData *
lmtext_waiting_all(const lmtext_store *store, int64 *count)
{
    BlockNumber block = store->meta.waiting;
    ItemPointerData *all = NULL;
    uint32 steps = 0;

    *count = 0;
    while (block != InvalidBlockNumber) {
        int some;
        ItemPointerData *tids = lmtext_waiting_read(store, block, &some, &block, &steps);
        size_t size = (*count + some) * sizeof(*all);

        all = all == NULL ? MemoryContextAllocHuge(CurrentMemoryContext, Max(size, 1))
                          : repalloc_huge(all, size);
        for (int i = 0; i < some; i++)
            if (ItemPointerIsValid(&tids[i]))
                all[(*count)++] = tids[i];
        pfree(tids);
        CHECK_FOR_INTERRUPTS();
    }
    return all;
}

/* ---- Taking out ---- */

void
lmtext_waiting_take(lmtext_change *change, const lmtext_waiting *from)
{
    LockBuffer(from->buffer, BUFFER_LOCK_EXCLUSIVE);
    ItemPointerSetInvalid(
        &waiting_of(lmtext_change_page(change, from->buffer, false))->tids[from->place]);
}

void
lmtext_waiting_drop(const lmtext_store *store, const lmtext_waiting *from)
{
    lmtext_change change = lmtext_change_begin(store->index, false);

    lmtext_waiting_take(&change, from);
    lmtext_change_end(&change);
    LockBuffer(from->buffer, BUFFER_LOCK_UNLOCK);
}

/* A page that has only places which were taken out. */
static bool
is_left(const waiting_page *page)
{
    for (uint32 i = 0; i < page->count; i++)
        if (ItemPointerIsValid(&page->tids[i]))
            return false;
    return page->count > 0;
}

void
lmtext_waiting_tidy(const lmtext_store *store, BlockNumber block)
{
    Buffer buffer = read_page(store, block, BUFFER_LOCK_EXCLUSIVE);

    if (is_left(waiting_of(BufferGetPage(buffer)))) {
        lmtext_change change = lmtext_change_begin(store->index, false);

        waiting_of(lmtext_change_page(&change, buffer, false))->count = 0;
        lmtext_change_end(&change);
    }
    UnlockReleaseBuffer(buffer);
}

int64
lmtext_waiting_vacuum(const lmtext_store *store, BlockNumber block,
                      IndexBulkDeleteCallback callback, void *state, BlockNumber *next,
                      uint32 *steps)
{
    Buffer buffer = read_page(store, block, BUFFER_LOCK_EXCLUSIVE);
    lmtext_change change = lmtext_change_begin(store->index, false);
    waiting_page *page = waiting_of(lmtext_change_page(&change, buffer, false));
    int64 dead = 0;

    for (uint32 i = 0; i < page->count; i++)
        if (ItemPointerIsValid(&page->tids[i]) && callback(&page->tids[i], state)) {
            ItemPointerSetInvalid(&page->tids[i]);
            dead++;
        }
    if (dead > 0)
        lmtext_change_end(&change);
    else
        lmtext_change_give_up(&change);
    *next = lmtext_page_next(store->index, buffer, steps);
    UnlockReleaseBuffer(buffer);
    return dead;
}
