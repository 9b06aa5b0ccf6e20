/*
 * lists.c - rows of texts; the contract is in lists.h.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "pg/fn/lists.h"

lmtext_list *
lmtext_list_new(size_t bytes)
{
    size_t size = offsetof(lmtext_list, items) + bytes;
    lmtext_list *list =
        MemoryContextAllocExtended(CurrentMemoryContext, size, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);

    if (list != NULL)
        *list = (lmtext_list){.size = size};
    return list;
}

lm_status
lmtext_list_keep(const void *items, size_t count, size_t item_size, lmtext_list **kept)
{
    lmtext_list *list = lmtext_list_new(count * item_size);

    if (list == NULL)
        return LM_NO_MEMORY;
    list->count = count;
    if (count > 0)
        memcpy(list->items, items, count * item_size);
    *kept = list;
    return LM_OK;
}

size_t
lmtext_list_length(const void *list)
{
    return ((const lmtext_list *)list)->size;
}

void
lmtext_list_put(const lmtext_row_sink *out, const Datum *values, int count)
{
    ReturnSetInfo *result = (ReturnSetInfo *)out->fcinfo->resultinfo;
    Datum row[LMTEXT_LIST_COLUMNS] = {Int64GetDatum(out->ordinality)};
    bool nulls[LMTEXT_LIST_COLUMNS] = {false};
    int first = out->ordinality > 0;

    CHECK_FOR_INTERRUPTS();
    for (int i = 0; i < count; i++)
        row[first + i] = values[i];
    tuplestore_putvalues(result->setResult, result->setDesc, row, nulls);
    LMTEXT_FAULT_POINT("list_emitted");
}

/* A set of single values has no row type of its own. */
static void
open_rows(FunctionCallInfo fcinfo)
{
    bool single = get_call_result_type(fcinfo, NULL, NULL) == TYPEFUNC_SCALAR;

    InitMaterializedSRF(fcinfo, single ? MAT_SRF_USE_EXPECTED_DESC : 0);
}

Datum
lmtext_list_of_text(FunctionCallInfo fcinfo, lmtext_list_begin begin, lmtext_list_rows rows)
{
    lmtext_inference inference;
    lmtext_row_sink out = {fcinfo, &inference, 0};

    open_rows(fcinfo);
    if (PG_ARGISNULL(0))
        return (Datum)0;
    begin(fcinfo, &inference);
    rows(&out, lmtext_arg_text(fcinfo, 0), lmtext_arg_result(fcinfo, 0, &inference));
    return (Datum)0;
}

/* Some texts of an array, computed as one. */
static void
put_block(lmtext_row_sink *out, lmtext_list_rows rows, const lm_text *texts, const bool *nulls,
          int first, int stop)
{
    lm_text present[LMTEXT_LIST_BLOCK] = {{NULL, 0}};
    lmtext_list *lists[LMTEXT_LIST_BLOCK];
    int count = 0;

    for (int i = first; i < stop; i++)
        if (!nulls[i])
            present[count++] = texts[i];
    lmtext_infer(out->inference, present, count, lists);
    count = 0;
    for (int i = first; i < stop; i++) {
        if (nulls[i])
            continue;
        out->ordinality = (int64)i + 1;
        rows(out, texts[i], lists[count]);
        pfree(lists[count++]);
    }
}

Datum
lmtext_list_of_array(FunctionCallInfo fcinfo, lmtext_list_begin begin, lmtext_list_rows rows,
                     int block)
{
    lmtext_inference inference;
    lmtext_row_sink out = {fcinfo, &inference, 0};
    lm_text *texts;
    bool *nulls;
    int count;

    open_rows(fcinfo);
    if (PG_ARGISNULL(0))
        return (Datum)0;
    begin(fcinfo, &inference);
    lmtext_texts_from_array(PG_GETARG_ARRAYTYPE_P(0), &texts, &nulls, &count);
    for (int first = 0; first < count; first += block)
        put_block(&out, rows, texts, nulls, first, Min(count, first + block));
    return (Datum)0;
}
