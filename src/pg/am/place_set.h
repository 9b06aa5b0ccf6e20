/*
 * place_set.h - places of a table's rows that other indexes gave: is one of them? All lies in the
 * memory that was current when it was made.
 *
 * A bit a block of the table says whether it has any; the bits before it count which page of the
 * set it is. So most rows of an index cost one look at a few kilobytes.
 */
#ifndef LMTEXT_PLACE_SET_H
#define LMTEXT_PLACE_SET_H

#include "postgres.h"

#include "nodes/tidbitmap.h"
#include "storage/itemptr.h"

typedef struct lmtext_place_page {
    BlockNumber block;
    size_t first; /* of its offsets */
} lmtext_place_page;

typedef struct lmtext_place_set {
    size_t words; /* of bits */
    uint64 *bits;
    uint32 *before;           /* pages of the words before each */
    lmtext_place_page *pages; /* (count_pages + 1), by block */
    size_t count_pages, space_pages;
    OffsetNumber *offsets; /* ascending in a page; one that is not valid stands for all of it */
    size_t count, space;
    size_t lossy;    /* pages that are there as a whole */
    uint64 *met;     /* a bit an offset: lmtext_place_set_take has found it */
    size_t page, at; /* the next one that lmtext_place_set_left looks at */
} lmtext_place_set;

lmtext_place_set *lmtext_place_set_make(TIDBitmap *bitmap);
/* At most so many rows. */
double lmtext_place_set_rows(const lmtext_place_set *set);

/* Does a block have places? */
static inline bool
lmtext_place_set_may(const lmtext_place_set *set, BlockNumber block)
{
    return block / 64 < set->words && (set->bits[block / 64] >> block % 64 & 1) != 0;
}

bool lmtext_place_set_has(const lmtext_place_set *set, const ItemPointerData *tid);
/* The same, and it has been met. */
bool lmtext_place_set_take(lmtext_place_set *set, const ItemPointerData *tid);
/* All of one without whole pages, (count). */
ItemPointerData *lmtext_place_set_all(lmtext_place_set *set);
/* The next place that has not been met; false: there is no further one. Pages that are there as a
 * whole are left out. */
bool lmtext_place_set_left(lmtext_place_set *set, ItemPointerData *tid);

#endif
