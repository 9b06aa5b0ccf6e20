/*
 * scored.c - rows of labels and scores; the contract is in scored.h.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/tuplestore.h"

#include "pg/fn/scored.h"

/* A label and its score, to be sorted. */
typedef struct label_score {
    int label;
    float score;
} label_score;

static int
compare_scores(const void *a, const void *b)
{
    const label_score *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->label > y->label) - (x->label < y->label);
}

void
lmtext_emit_scores(ReturnSetInfo *result, int64 ordinality, const float *scores, int count,
                   lmtext_label_maker label, const void *opaque)
{
    label_score *order =
        MemoryContextAllocHuge(CurrentMemoryContext, (Size)Max(count, 1) * sizeof(label_score));

    for (int i = 0; i < count; i++)
        order[i] = (label_score){i, scores[i]};
    qsort(order, count, sizeof(*order), compare_scores);
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
