/*
 * alerts.c - reads the lists of alerts without waiting for anybody.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/catalog/names.h"
#include "pg/fn/alerts.h"
#include "pg/fn/sees.h"

/* The column of an alert's list that says whether a row still holds; 0: it is another table. */
static AttrNumber
holds_column(Relation list)
{
    AttrNumber column;

    if (list->rd_rel->relkind != RELKIND_RELATION || list->rd_rel->relam != HEAP_TABLE_AM_OID)
        return InvalidAttrNumber;
    column = get_attnum(RelationGetRelid(list), "holds");
    return column > 0 && get_atttype(RelationGetRelid(list), column) == BOOLOID ? column
                                                                                : InvalidAttrNumber;
}

static bool
has_row_that_holds(Relation list)
{
    AttrNumber column = holds_column(list);
    Snapshot snapshot;
    SysScanDesc scan;
    HeapTuple tuple;
    bool holds = false;

    if (column == InvalidAttrNumber)
        return false;
    snapshot = lmtext_read_snapshot();
    scan = systable_beginscan(list, InvalidOid, false, snapshot, 0, NULL);
    while (!holds && HeapTupleIsValid(tuple = systable_getnext(scan))) {
        bool null;
        Datum value = heap_getattr(tuple, column, RelationGetDescr(list), &null);

        holds = !null && DatumGetBool(value);
    }
    systable_endscan(scan);
    UnregisterSnapshot(snapshot);
    return holds;
}

static bool
alert_holds(Oid relid)
{
    Relation list;
    bool holds;

    if (!ConditionalLockRelationOid(relid, AccessShareLock))
        return false;
    list = try_relation_open(relid, NoLock);
    if (list == NULL) {
        UnlockRelationOid(relid, AccessShareLock);
        return false;
    }
    holds = sees_role(MyDatabaseId, list->rd_rel->relowner) && has_row_that_holds(list);
    relation_close(list, AccessShareLock);
    return holds;
}

List *
lmtext_alerts_that_hold(void)
{
    MemoryContext memory = CurrentMemoryContext;
    List *names = NIL;

    if (!ConditionalLockRelationOid(lmtext_relation_oid("alert"), AccessShareLock))
        return NIL;
    SPI_connect();
    SPI_execute("SELECT a.name, a.fired::pg_catalog.oid FROM lmtext.alert a "
                "ORDER BY a.name COLLATE \"C\"",
                true, 0);
    for (uint64 i = 0; i < SPI_processed; i++) {
        HeapTuple tuple = SPI_tuptable->vals[i];
        MemoryContext spi;
        bool null;

        if (!alert_holds(DatumGetObjectId(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2, &null))))
            continue;
        spi = MemoryContextSwitchTo(memory);
        names = lappend(names, pstrdup(SPI_getvalue(tuple, SPI_tuptable->tupdesc, 1)));
        MemoryContextSwitchTo(spi);
    }
    SPI_finish();
    return names;
}
