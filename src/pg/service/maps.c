/*
 * maps.c - reading maps; the contract is in maps.h.
 *
 * As versions are: by system caches and a scan, never by SPI, and the type of the table decides,
 * not its name.
 */
#include "postgres.h"

#include <math.h>

#include "access/genam.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "pg/catalog/names.h"
#include "pg/compat.h"
#include "pg/service/maps.h"

/* Columns of lmtext.vector_map. */
enum { COLUMN_FROM = 1, COLUMN_TO, COLUMN_MATRIX };

/* A partitioned table has no rows of its own, and a temporary one parallel workers cannot read. */
static bool
is_map(Oid table)
{
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
    Oid type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("vector_map"),
                               ObjectIdGetDatum(lmtext_schema_oid()));
    bool result = false;

    if (HeapTupleIsValid(tuple)) {
        Form_pg_class class = (Form_pg_class)GETSTRUCT(tuple);

        result = class->relkind == RELKIND_RELATION &&
                 class->relpersistence != RELPERSISTENCE_TEMP && OidIsValid(type) &&
                 class->reloftype == type;
        ReleaseSysCache(tuple);
    }
    return result;
}

static Oid
find_table(const char *name, LOCKMODE lock)
{
    RangeVar *table = makeRangeVarFromNameList(LMTEXT_QUALIFIED_NAMES(name));

    table->relname = psprintf("%s@map", table->relname);
    return RangeVarGetRelid(table, lock, true);
}

/* A table that is locked, or InvalidOid: is it a map, and one that the current user may read? */
static void
check_map(const char *name, Oid relid)
{
    if (!OidIsValid(relid) || !is_map(relid))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("map \"%s\" does not exist", lmtext_clip(name)),
                        errhint("Make it with lmtext.map_vectors.")));
    if (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("permission denied for map \"%s\"", lmtext_clip(name)),
                        errhint("Its owner can let a role use it: GRANT SELECT ON %s TO role;",
                                quote_identifier(get_rel_name(relid)))));
}

/* The row, of which a matrix that is stored elsewhere is not read. */
static void
take_ends(Relation table, lmtext_map_ends *ends)
{
    Snapshot snapshot = lmtext_version_snapshot();
    SysScanDesc scan = systable_beginscan(table, InvalidOid, false, snapshot, 0, NULL);
    HeapTuple row = systable_getnext(scan);
    bool is_null;
    Datum value;

    if (HeapTupleIsValid(row)) {
        value = heap_getattr(row, COLUMN_FROM, RelationGetDescr(table), &is_null);
        ends->from = is_null ? InvalidOid : DatumGetObjectId(value);
        value = heap_getattr(row, COLUMN_TO, RelationGetDescr(table), &is_null);
        ends->to = is_null ? InvalidOid : DatumGetObjectId(value);
    }
    systable_endscan(scan);
    UnregisterSnapshot(snapshot);
}

/* What was found may be gone, or be something else, once it is locked. */
lmtext_map_ends
lmtext_map_peek(const char *name)
{
    lmtext_map_ends ends = {.table = find_table(name, NoLock)};
    Relation table;

    if (OidIsValid(ends.table) && !ConditionalLockRelationOid(ends.table, AccessShareLock))
        return ends;
    check_map(name, ends.table);
    table = table_open(ends.table, NoLock);
    take_ends(table, &ends);
    table_close(table, NoLock);
    UnlockRelationOid(ends.table, AccessShareLock);
    return ends;
}

static bool
all_finite(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

/* False where somebody has written something else. */
static bool
take_row(HeapTuple row, TupleDesc columns, lmtext_map *map)
{
    bool nulls[3];
    Datum from = heap_getattr(row, COLUMN_FROM, columns, &nulls[0]);
    Datum to = heap_getattr(row, COLUMN_TO, columns, &nulls[1]);
    Datum value = heap_getattr(row, COLUMN_MATRIX, columns, &nulls[2]);
    ArrayType *matrix;

    if (nulls[0] || nulls[1] || nulls[2])
        return false;
    matrix = DatumGetArrayTypePCopy(value);
    if (ARR_NDIM(matrix) != 2 || ARR_HASNULL(matrix))
        return false;
    *map = (lmtext_map){DatumGetObjectId(from), DatumGetObjectId(to), ARR_DIMS(matrix)[1],
                        ARR_DIMS(matrix)[0], (const float *)ARR_DATA_PTR(matrix)};
    return all_finite(map->matrix, (size_t)map->from_width * map->to_width);
}

lmtext_map *
lmtext_map_read(const char *name)
{
    Oid relid = find_table(name, AccessShareLock);
    lmtext_map *map = palloc0(sizeof(*map));
    Relation table;
    Snapshot snapshot;
    SysScanDesc scan;
    HeapTuple row;
    bool good;

    check_map(name, relid);
    table = table_open(relid, NoLock);
    snapshot = lmtext_version_snapshot();
    scan = systable_beginscan(table, InvalidOid, false, snapshot, 0, NULL);
    row = systable_getnext(scan);
    good = HeapTupleIsValid(row) && take_row(row, RelationGetDescr(table), map);
    systable_endscan(scan);
    UnregisterSnapshot(snapshot);
    table_close(table, NoLock);
    if (!good)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("map \"%s\" is malformed", lmtext_clip(name)),
                        errhint("Drop its table and make it again with lmtext.map_vectors.")));
    return map;
}
