/*
 * words_recall.c - does a search by words find the best rows? Blocks are skipped that cannot have
 * one of them, so all of them are expected: what all rows score is computed beside it.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "pg/am/words.h"
#include "pg/glue/fault.h"

static void
offer(void *argument, uint64 item, float distance)
{
    CHECK_FOR_INTERRUPTS();
    lm_top_offer(argument, distance, item);
}

/* False: replaced. */
static bool
try_both(lmtext_words_query *query, lm_top *exact, lm_top *searched)
{
    lm_top_clear(exact);
    lm_top_clear(searched);
    return lmtext_words_query_all(query, offer, exact) && lmtext_words_query_run(query, searched);
}

/* Of the best; any row will do that scores as the last of them. */
static int
count_as_good(const lm_top *searched, float last)
{
    int good = 0;

    for (size_t i = 0; i < searched->count; i++)
        good += searched->entries[i].distance <= last;
    return good;
}

void
lmtext_words_recall_add(lmtext_words_recall *recall, Relation index, const lmtext_meta *meta,
                        text *words)
{
    lmtext_words_query query;
    lm_top exact, searched;
    lmtext_call call;

    lmtext_call_init(&call, CurrentMemoryContext);
    lmtext_check(&call, lm_top_init(&call.ctx, &exact, recall->k), NULL);
    lmtext_check(&call, lm_top_init(&call.ctx, &searched, recall->k), NULL);
    lmtext_words_query_begin(&query, index, meta, words);
    LMTEXT_FAULT_POINT("words_found");
    while (!try_both(&query, &exact, &searched))
        lmtext_words_query_again(&query);
    lm_top_sort(&exact);
    recall->samples += query.count > 0;
    recall->wanted += (int64)exact.count;
    if (exact.count > 0)
        recall->found += count_as_good(&searched, exact.entries[exact.count - 1].distance);
}
