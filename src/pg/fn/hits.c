/*
 * hits.c - rows that a search has found; the contract is in hits.h.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/array.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "pg/fn/hits.h"

MemoryContext
lmtext_hits_memory(FunctionCallInfo fcinfo)
{
    MemoryContext memory;

    if (!AggCheckCallContext(fcinfo, &memory))
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("this function can be called only by an aggregate")));
    return memory;
}

lmtext_hit *
lmtext_hit_make(FunctionCallInfo fcinfo, MemoryContext memory)
{
    MemoryContext caller = MemoryContextSwitchTo(memory);
    lmtext_hit *hit = palloc0(sizeof *hit);

    if (!PG_ARGISNULL(1) && !PG_ARGISNULL(2)) {
        hit->table = PG_GETARG_OID(1);
        hit->place = *(ItemPointer)PG_GETARG_POINTER(2);
    }
    if (!PG_ARGISNULL(3))
        hit->key = PG_GETARG_TEXT_P_COPY(3);
    MemoryContextSwitchTo(caller);
    return hit;
}

void
lmtext_hit_free(lmtext_hit *hit)
{
    if (hit == NULL)
        return;
    if (hit->key != NULL)
        pfree(hit->key);
    pfree(hit);
}

static Datum
hit_datum(TupleDesc columns, int query, const lm_topk_item *item)
{
    const lmtext_hit *hit = item->row;
    bool nulls[5] = {false, !OidIsValid(hit->table), !OidIsValid(hit->table), hit->key == NULL,
                     false};
    Datum values[5] = {Int32GetDatum(query), ObjectIdGetDatum(hit->table),
                       PointerGetDatum(&hit->place), PointerGetDatum(hit->key),
                       Float8GetDatum(item->score)};
    HeapTuple formed = heap_form_tuple(columns, values, nulls);
    Datum row = heap_copy_tuple_as_datum(formed, columns);

    heap_freetuple(formed);
    return row;
}

Datum
lmtext_hits_array(FunctionCallInfo fcinfo, lm_topk *lists, int count)
{
    Oid type = get_element_type(get_fn_expr_rettype(fcinfo->flinfo));
    TupleDesc columns = lookup_rowtype_tupdesc(type, -1);
    size_t total = 0, done = 0;
    Datum *hits;
    ArrayType *array;

    for (int i = 0; i < count; i++)
        total += lists[i].count;
    if (total > MaxArraySize)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("too many rows were found: %zu", total),
                        errdetail("A search returns at most %zu.", (size_t)MaxArraySize),
                        errhint("Ask fewer queries at once, or for fewer rows of each.")));
    hits = MemoryContextAllocHuge(CurrentMemoryContext, mul_size(total + 1, sizeof(Datum)));
    for (int i = 0; i < count; i++) {
        lm_topk_sort(&lists[i]);
        for (size_t n = 0; n < lists[i].count; n++) {
            CHECK_FOR_INTERRUPTS();
            hits[done++] = hit_datum(columns, i + 1, &lists[i].items[n]);
        }
    }
    ReleaseTupleDesc(columns);
    array = construct_array(hits, (int)total, type, -1, false, 'd');
    return PointerGetDatum(array);
}
