/*
 * lists_due.c - how many lists an index should have, how rows are spread over those that it has,
 * and whether other lists are due.
 */
#include "postgres.h"

#include "pg/am/index.h"
#include "search/index_plan.h"

#define LIST_ROWS 16      /* rows a list at least, to be worth training */
#define IMBALANCE_WORST 4 /* rows that a probed list has on average, in those of an even one */

void
lmtext_spread_add(lmtext_spread *spread, double rows)
{
    spread->rows += rows;
    spread->squares += rows * rows;
}

double
lmtext_spread_imbalance(const lmtext_spread *spread, uint32 lists)
{
    return spread->rows > 0 ? lists * spread->squares / (spread->rows * spread->rows) : 1;
}

uint32
lmtext_lists_wanted(Relation index, double rows)
{
    double asked = lmtext_index_lists_option(index);

    if (asked == 0)
        asked = (double)lm_plan_lists((uint64)rows);
    return (uint32)Max(Min(asked, rows), 1);
}

/* Where lists were uneven as soon as they were made, they may be twice as uneven. */
bool
lmtext_lists_due(Relation index, const lmtext_meta *meta, const lmtext_spread *spread)
{
    uint32 wanted = lmtext_lists_wanted(index, spread->rows), lists = meta->lists;

    if (meta->width == 0 || (wanted > 1 && spread->rows < (double)LIST_ROWS * wanted))
        return false;
    if (lists == 1 || wanted == 1)
        return lists != wanted;
    return wanted > 2 * lists || lists > 2 * wanted ||
           lmtext_spread_imbalance(spread, lists) > Max(IMBALANCE_WORST, 2 * meta->imbalance);
}
