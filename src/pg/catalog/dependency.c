/*
 * dependency.c - what uses a head also depends on the head's base.
 *
 * PostgreSQL records that an index whose expression names a head depends on the head's table, and
 * pg_restore -j builds it as soon as that table's rows are there. The base's rows, which are more
 * and come later, would be missing: the dependency of an index on a base has to be its own.
 *
 * The hook is set when the library is loaded, which planning an expression that calls it has done
 * before the index is made.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"

#include "pg/catalog/names.h"
#include "pg/glue/init_once.h"

static object_access_hook_type next_access_hook;

static void object_accessed(ObjectAccessType access, Oid class, Oid object, int column, void *data);
static List *bases_of(Oid relid);

/* Hooks are chained: other libraries may have set theirs before. */
void
lmtext_catalog_init(void)
{
    LMTEXT_HOOK(object_access_hook, next_access_hook, object_accessed);
}

/* Of new relations only indexes depend on other tables. */
static void
object_accessed(ObjectAccessType access, Oid class, Oid object, int column, void *data)
{
    ListCell *cell;

    if (next_access_hook)
        next_access_hook(access, class, object, column, data);
    if (access != OAT_POST_CREATE || class != RelationRelationId || column != 0)
        return;
    foreach (cell, bases_of(object)) {
        ObjectAddress dependent = {RelationRelationId, object, 0};
        ObjectAddress base = {RelationRelationId, lfirst_oid(cell), 0};

        recordDependencyOn(&dependent, &base, DEPENDENCY_NORMAL);
    }
}

/*
 * Bases of the heads that a relation depends on. The command that makes the relation has just
 * written its dependencies, hence SnapshotSelf. There may be no extension in this database.
 */
static List *
bases_of(Oid relid)
{
    List *bases = NIL;
    Relation depend;
    ScanKeyData keys[2];
    SysScanDesc scan;
    HeapTuple tuple;

    if (!OidIsValid(get_namespace_oid("lmtext", true)))
        return NIL;
    ScanKeyInit(&keys[0], Anum_pg_depend_classid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(RelationRelationId));
    ScanKeyInit(&keys[1], Anum_pg_depend_objid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(relid));
    depend = table_open(DependRelationId, AccessShareLock);
    scan = systable_beginscan(depend, DependDependerIndexId, true, SnapshotSelf, 2, keys);
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        Form_pg_depend row = (Form_pg_depend)GETSTRUCT(tuple);
        Oid base = InvalidOid;

        if (row->refclassid == RelationRelationId && row->refobjsubid == 0 &&
            lmtext_catalog_is_model(row->refobjid))
            base = lmtext_catalog_base(row->refobjid);
        if (OidIsValid(base))
            bases = list_append_unique_oid(bases, base);
    }
    systable_endscan(scan);
    table_close(depend, AccessShareLock);
    return bases;
}
