/*
 * place_set.c - see place_set.h.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "pg/am/place_set.h"

/* ---- Making ---- */

static void *
grow(void *array, size_t *space, size_t wanted, size_t size)
{
    if (wanted <= *space)
        return array;
    *space = Max(wanted, *space * 2);
    return array == NULL ? MemoryContextAllocHuge(CurrentMemoryContext, *space * size)
                         : repalloc_huge(array, *space * size);
}

/* Pages come by their number. None of `offsets`: all of the page. */
static void
add_page(lmtext_place_set *set, BlockNumber block, const OffsetNumber *offsets, int count)
{
    const OffsetNumber all = InvalidOffsetNumber;

    set->lossy += offsets == NULL;
    if (offsets == NULL) {
        offsets = &all;
        count = 1;
    }
    set->pages = grow(set->pages, &set->space_pages, set->count_pages + 2, sizeof(*set->pages));
    set->offsets = grow(set->offsets, &set->space, set->count + count, sizeof(*set->offsets));
    set->pages[set->count_pages++] = (lmtext_place_page){block, set->count};
    memcpy(set->offsets + set->count, offsets, count * sizeof(*offsets));
    set->count += count;
    set->pages[set->count_pages].first = set->count;
    CHECK_FOR_INTERRUPTS();
}

#if PG_VERSION_NUM >= 180000
static void
add_pages(lmtext_place_set *set, TIDBitmap *bitmap)
{
    TBMPrivateIterator *iterator = tbm_begin_private_iterate(bitmap);
    OffsetNumber offsets[TBM_MAX_TUPLES_PER_PAGE];
    TBMIterateResult page;

    while (tbm_private_iterate(iterator, &page)) {
        int count =
            page.lossy ? 0 : tbm_extract_page_tuple(&page, offsets, TBM_MAX_TUPLES_PER_PAGE);

        add_page(set, page.blockno, page.lossy ? NULL : offsets, count);
    }
    tbm_end_private_iterate(iterator);
}
#else
static void
add_pages(lmtext_place_set *set, TIDBitmap *bitmap)
{
    TBMIterator *iterator = tbm_begin_iterate(bitmap);
    TBMIterateResult *page;

    while ((page = tbm_iterate(iterator)) != NULL)
        add_page(set, page->blockno, page->ntuples < 0 ? NULL : page->offsets, page->ntuples);
    tbm_end_iterate(iterator);
}
#endif

static void *
zeros(size_t count, size_t size)
{
    return MemoryContextAllocExtended(CurrentMemoryContext, Max(count, 1) * size,
                                      MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

/* What finds a page by its block. */
static void
add_bits(lmtext_place_set *set)
{
    uint32 pages = 0;

    set->words = set->count_pages > 0 ? (size_t)set->pages[set->count_pages - 1].block / 64 + 1 : 0;
    set->bits = zeros(set->words, sizeof(*set->bits));
    set->before = zeros(set->words, sizeof(*set->before));
    for (size_t i = 0; i < set->count_pages; i++)
        set->bits[set->pages[i].block / 64] |= UINT64CONST(1) << set->pages[i].block % 64;
    for (size_t i = 0; i < set->words; i++) {
        set->before[i] = pages;
        pages += (uint32)pg_popcount64(set->bits[i]);
    }
}

lmtext_place_set *
lmtext_place_set_make(TIDBitmap *bitmap)
{
    lmtext_place_set *set = palloc0(sizeof(*set));

    add_pages(set, bitmap);
    add_bits(set);
    set->met = zeros(set->count / 64 + 1, sizeof(*set->met));
    return set;
}

double
lmtext_place_set_rows(const lmtext_place_set *set)
{
    return (double)set->count + (double)set->lossy * (MaxHeapTuplesPerPage - 1);
}

/* ---- Finding ---- */

#define NOWHERE SIZE_MAX

/* Where a place stands among the offsets. */
static size_t
find(const lmtext_place_set *set, const ItemPointerData *tid)
{
    BlockNumber block = ItemPointerGetBlockNumberNoCheck(tid);
    OffsetNumber offset = ItemPointerGetOffsetNumberNoCheck(tid);
    const lmtext_place_page *page;
    uint64 below;

    if (!lmtext_place_set_may(set, block))
        return NOWHERE;
    below = set->bits[block / 64] & ((UINT64CONST(1) << block % 64) - 1);
    page = &set->pages[set->before[block / 64] + pg_popcount64(below)];
    for (size_t i = page[0].first; i < page[1].first; i++)
        if (set->offsets[i] == offset || set->offsets[i] == InvalidOffsetNumber)
            return i;
    return NOWHERE;
}

bool
lmtext_place_set_has(const lmtext_place_set *set, const ItemPointerData *tid)
{
    return find(set, tid) != NOWHERE;
}

bool
lmtext_place_set_take(lmtext_place_set *set, const ItemPointerData *tid)
{
    size_t at = find(set, tid);

    if (at != NOWHERE)
        set->met[at / 64] |= UINT64CONST(1) << at % 64;
    return at != NOWHERE;
}

bool
lmtext_place_set_left(lmtext_place_set *set, ItemPointerData *tid)
{
    for (; set->at < set->count; set->at++) {
        while (set->at >= set->pages[set->page + 1].first)
            set->page++;
        if ((set->met[set->at / 64] >> set->at % 64 & 1) == 0 &&
            set->offsets[set->at] != InvalidOffsetNumber) {
            ItemPointerSet(tid, set->pages[set->page].block, set->offsets[set->at++]);
            return true;
        }
    }
    return false;
}

ItemPointerData *
lmtext_place_set_all(lmtext_place_set *set)
{
    ItemPointerData *all = zeros(set->count + 1, sizeof(*all));
    size_t count = 0;

    while (lmtext_place_set_left(set, &all[count]))
        count++;
    set->page = set->at = 0;
    return all;
}
