/*
 * layout.c - where the parts of a page of codes lie, and how many pages of vectors it owns.
 *
 * A page of codes holds as many blocks of 32 rows as fit: for each a mask of the rows that are
 * there, corrections, TIDs, and codes; and the numbers of the pages that have the rows' vectors, in
 * order, so that a row's number says where its vector is. Codes that are too wide for one page lie
 * in pages of strips, and a vector that is too long takes several pages.
 */
#include "postgres.h"

#include "pg/am/index.h"

static int
divided_up(size_t a, size_t b)
{
    return (int)((a + b - 1) / b);
}

/* Places of all but the codes; returns where those would begin. */
static size_t
place_parts(lmtext_layout *layout)
{
    size_t at = sizeof(uint32) * layout->blocks;

    layout->rows = layout->blocks * (int)LM_BLOCK_ROWS;
    layout->vector_pages = divided_up(layout->rows, layout->page_rows) * layout->row_pages;
    layout->vectors_at = at;
    at += sizeof(BlockNumber) * layout->vector_pages;
    layout->strips_at = at;
    at += sizeof(BlockNumber) * layout->strips;
    layout->corrections_at = at;
    at += sizeof(lm_block_corrections) * layout->blocks;
    layout->tids_at = at;
    at += sizeof(ItemPointerData) * layout->rows;
    layout->codes_at =
        TYPEALIGN(16, MAXALIGN(SizeOfPageHeaderData) + at) - MAXALIGN(SizeOfPageHeaderData);
    return layout->codes_at;
}

static bool
fits(lmtext_layout *layout, int blocks)
{
    layout->blocks = blocks;
    return place_parts(layout) + layout->block_bytes * blocks <= LMTEXT_PAGE_BYTES;
}

bool
lmtext_layout_make(const lm_space *space, lmtext_layout *layout)
{
    size_t slot;

    memset(layout, 0, sizeof(*layout));
    layout->block_bytes = lm_block_bytes(space);
    layout->row_bytes = lm_int8_row_bytes(space);
    layout->head_bytes = lm_int8_row_head(space);
    slot = LMTEXT_HASH_BYTES + layout->row_bytes;
    layout->row_pages = divided_up(slot, LMTEXT_PAGE_BYTES);
    layout->page_rows = layout->row_pages > 1 ? 1 : (int)(LMTEXT_PAGE_BYTES / slot);
    for (int blocks = LMTEXT_CODE_BLOCKS; blocks > 0; blocks--)
        if (fits(layout, blocks))
            return true;
    layout->blocks = 1;
    layout->strips = divided_up(space->padded, LMTEXT_STRIP_WIDTH);
    return place_parts(layout) <= LMTEXT_PAGE_BYTES;
}
