/*
 * parts.c - one scan over the rows of a version's table.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "pg/catalog/parts.h"

/* Columns are found by name: ALTER TABLE … OF admits tables that once had others. */
typedef struct part_columns {
    AttrNumber file, part, data;
} part_columns;

/* A typed table has the columns of its type, but not always at its numbers. */
static AttrNumber
column_number(TupleDesc columns, const char *name)
{
    for (int i = 0; i < columns->natts; i++) {
        Form_pg_attribute column = TupleDescAttr(columns, i);

        if (!column->attisdropped && strcmp(NameStr(column->attname), name) == 0)
            return column->attnum;
    }
    elog(ERROR, "a model table has no column \"%s\"", name);
}

/* Returns false to stop. */
static bool
visit_tuple(Relation table, HeapTuple tuple, const part_columns *columns, lmtext_part_visitor visit,
            void *opaque)
{
    TupleDesc description = RelationGetDescr(table);
    bool file_null, part_null, data_null, more;
    Datum file = heap_getattr(tuple, columns->file, description, &file_null);
    Datum number = heap_getattr(tuple, columns->part, description, &part_null);
    Datum data = heap_getattr(tuple, columns->data, description, &data_null);
    lmtext_part part;
    text *name;

    if (file_null || part_null || data_null)
        return true;
    name = DatumGetTextPP(file);
    part.file = VARDATA_ANY(name);
    part.file_length = VARSIZE_ANY_EXHDR(name);
    part.part = DatumGetInt32(number);
    part.data = data;
    more = visit(opaque, &part);
    if ((Pointer)name != DatumGetPointer(file))
        pfree(name);
    return more;
}

/* systable scans work in parallel workers, in index builds and on standbys, and run no user code.
 */
void
lmtext_parts_visit(Relation table, Snapshot snapshot, lmtext_part_visitor visit, void *opaque)
{
    part_columns columns = {column_number(RelationGetDescr(table), "file"),
                            column_number(RelationGetDescr(table), "part"),
                            column_number(RelationGetDescr(table), "data")};
    SysScanDesc scan = systable_beginscan(table, InvalidOid, false, snapshot, 0, NULL);
    HeapTuple tuple;

    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        CHECK_FOR_INTERRUPTS();
        if (!visit_tuple(table, tuple, &columns, visit, opaque))
            break;
    }
    systable_endscan(scan);
}
