/*
 * alter.c - ALTER INDEX … SET (model = …) of an index that has rows is refused at once.
 *
 * The option would change and the rows would not: each insert and each scan would fail from then
 * on. Another name of the same version is no change. The hook is called when the new options stand
 * in the catalog and are not visible yet, hence SnapshotSelf.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "pg/am/am.h"
#include "pg/am/index.h"
#include "pg/glue/init_once.h"
#include "pg/service/kept.h"

static object_access_hook_type next_access_hook;

/* The model's name by the options of a row of pg_class; '' where it has none. */
static const char *
model_in(HeapTuple tuple, TupleDesc columns)
{
    bool null;
    Datum options = heap_getattr(tuple, Anum_pg_class_reloptions, columns, &null);
    const char *model = null ? NULL : lmtext_options_model(lmtext_am_options(options, false));

    return model != NULL ? model : "";
}

/* As it was before the command, or as the command has it. */
static const char *
model_of(Oid index, Snapshot snapshot)
{
    Relation class = table_open(RelationRelationId, AccessShareLock);
    const char *model = "";
    ScanKeyData key;
    SysScanDesc scan;
    HeapTuple tuple;

    ScanKeyInit(&key, Anum_pg_class_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(index));
    scan = systable_beginscan(class, ClassOidIndexId, true, snapshot, 1, &key);
    if (HeapTupleIsValid(tuple = systable_getnext(scan)))
        model = model_in(tuple, RelationGetDescr(class));
    systable_endscan(scan);
    table_close(class, AccessShareLock);
    return model;
}

static void
refuse_other_model(Relation index, const char *was, const char *wanted)
{
    Oid version = lmtext_index_peek_named(index, was);
    Oid other = lmtext_index_peek_named(index, wanted);
    lmtext_meta meta;

    lmtext_meta_read(index, &meta);
    if (meta.width == 0 || !OidIsValid(version) ||
        (OidIsValid(other) && lmtext_kept_same(version, other)))
        return;
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("the rows of index \"%s\" are of model \"%s\"", RelationGetRelationName(index),
                    was),
             errdetail("Another option would not embed them anew."),
             errhint("CREATE INDEX CONCURRENTLY another one WITH (model = ...), and DROP INDEX %s.",
                     RelationGetRelationName(index))));
}

static bool
is_ours(Oid relid)
{
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
    bool is = HeapTupleIsValid(tuple) &&
              ((Form_pg_class)GETSTRUCT(tuple))->relkind == RELKIND_INDEX &&
              ((Form_pg_class)GETSTRUCT(tuple))->relam == get_index_am_oid("lmtext", true);

    if (HeapTupleIsValid(tuple))
        ReleaseSysCache(tuple);
    return is;
}

static void
object_accessed(ObjectAccessType access, Oid class, Oid object, int column, void *data)
{
    const char *was, *wanted;

    if (next_access_hook)
        next_access_hook(access, class, object, column, data);
    if (access != OAT_POST_ALTER || class != RelationRelationId || column != 0 || !is_ours(object))
        return;
    was = model_of(object, NULL);
    wanted = model_of(object, SnapshotSelf);
    if (strcmp(was, wanted) != 0) {
        Relation index = index_open(object, NoLock);

        refuse_other_model(index, was, wanted);
        index_close(index, NoLock);
    }
}

void
lmtext_alter_init(void)
{
    LMTEXT_HOOK(object_access_hook, next_access_hook, object_accessed);
}
