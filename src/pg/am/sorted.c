/*
 * sorted.c - rows that are more than work_mem takes, sorted on disk: nearest first, and by place.
 */
#include "postgres.h"

#include "catalog/pg_operator_d.h"
#include "catalog/pg_type_d.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/tuplesort.h"

#include "pg/am/search.h"

enum {
    COLUMN_DISTANCE = 1,
    COLUMN_TID,
    COLUMN_ITEM,
    COLUMN_LOW,
    COLUMN_HIGH,
    COLUMNS = COLUMN_HIGH
};

bool
lmtext_sort_fits(double rows, size_t size)
{
    return rows * size <= work_mem * 1024.0;
}

void
lmtext_sort_begin(lmtext_sort *sort)
{
    AttrNumber keys[] = {COLUMN_DISTANCE, COLUMN_TID};
    Oid less[] = {Float8LessOperator, Int8LessOperator}, collations[] = {InvalidOid, InvalidOid};
    bool nulls_first[] = {false, false};
    TupleDesc columns = CreateTemplateTupleDesc(COLUMNS);

    TupleDescInitEntry(columns, COLUMN_DISTANCE, "distance", FLOAT8OID, -1, 0);
    for (AttrNumber column = COLUMN_TID; column <= COLUMNS; column++)
        TupleDescInitEntry(columns, column, "number", INT8OID, -1, 0);
    sort->state = tuplesort_begin_heap(columns, lengthof(keys), keys, less, collations, nulls_first,
                                       work_mem, NULL, TUPLESORT_NONE);
    sort->in = MakeSingleTupleTableSlot(columns, &TTSOpsVirtual);
    sort->out = MakeSingleTupleTableSlot(columns, &TTSOpsMinimalTuple);
}

void
lmtext_sort_add(lmtext_sort *sort, const lmtext_found *row)
{
    Datum *values = sort->in->tts_values;
    int64 tid =
        ((int64)ItemPointerGetBlockNumber(&row->tid) << 16) | ItemPointerGetOffsetNumber(&row->tid);

    ExecClearTuple(sort->in);
    values[COLUMN_DISTANCE - 1] = Float8GetDatum(row->distance);
    values[COLUMN_TID - 1] = Int64GetDatum(tid);
    values[COLUMN_ITEM - 1] = Int64GetDatum((int64)row->item);
    values[COLUMN_LOW - 1] = Int64GetDatum((int64)row->hash.low);
    values[COLUMN_HIGH - 1] = Int64GetDatum((int64)row->hash.high);
    memset(sort->in->tts_isnull, 0, COLUMNS * sizeof(bool));
    ExecStoreVirtualTuple(sort->in);
    tuplesort_puttupleslot(sort->state, sort->in);
}

void
lmtext_sort_perform(lmtext_sort *sort)
{
    tuplesort_performsort(sort->state);
}

static int64
number_of(const lmtext_sort *sort, AttrNumber column)
{
    bool null;

    return DatumGetInt64(slot_getattr(sort->out, column, &null));
}

const lmtext_found *
lmtext_sort_next(lmtext_sort *sort)
{
    lmtext_found *row = &sort->row;
    bool null;
    int64 tid;

    if (!tuplesort_gettupleslot(sort->state, true, false, sort->out, NULL))
        return NULL;
    row->distance = (float)DatumGetFloat8(slot_getattr(sort->out, COLUMN_DISTANCE, &null));
    tid = number_of(sort, COLUMN_TID);
    ItemPointerSet(&row->tid, (BlockNumber)(tid >> 16), (OffsetNumber)(tid & 0xFFFF));
    row->item = (uint64)number_of(sort, COLUMN_ITEM);
    row->hash.low = (uint64)number_of(sort, COLUMN_LOW);
    row->hash.high = (uint64)number_of(sort, COLUMN_HIGH);
    return row;
}

void
lmtext_sort_end(lmtext_sort *sort)
{
    if (sort->state != NULL)
        tuplesort_end(sort->state);
    sort->state = NULL;
}
