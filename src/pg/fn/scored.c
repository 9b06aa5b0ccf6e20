/*
 * scored.c - rows of labels and scores; the contract is in scored.h.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/tuplestore.h"

#include "pg/fn/scored.h"

static int
compare_scores(const void *a, const void *b)
{
    const lmtext_label_score *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->label > y->label) - (x->label < y->label);
}

lmtext_label_score *
lmtext_sort_scores(const float *scores, int count)
{
    lmtext_label_score *order = MemoryContextAllocHuge(
        CurrentMemoryContext, (Size)Max(count, 1) * sizeof(lmtext_label_score));

    for (int i = 0; i < count; i++)
        order[i] = (lmtext_label_score){i, scores[i]};
    qsort(order, count, sizeof(*order), compare_scores);
    return order;
}

void
lmtext_emit_scores(ReturnSetInfo *result, int64 ordinality, const float *scores, int count,
                   lmtext_label_maker label, const void *opaque)
{
    lmtext_label_score *order = lmtext_sort_scores(scores, count);

    for (int i = 0; i < count; i++) {
        text *name = label(opaque, order[i].label);
        Datum values[3] = {Int64GetDatum(ordinality), PointerGetDatum(name),
                           Float4GetDatum(order[i].score)};
        bool nulls[3] = {false, false, false};

        tuplestore_putvalues(result->setResult, result->setDesc, values + (ordinality == 0), nulls);
        LMTEXT_FAULT_POINT("score_emitted");
        pfree(name);
    }
    pfree(order);
}
