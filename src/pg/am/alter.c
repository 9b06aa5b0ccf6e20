/*
 * alter.c - ALTER INDEX … SET (model = …) of an index that has rows is refused at once; so is
 * (words_config = …).
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
#include "pg/am/words.h"
#include "pg/glue/init_once.h"
#include "pg/service/kept.h"

static object_access_hook_type next_access_hook;

/* What an index's rows are made by; '' where an option is not set. */
typedef struct makers {
    const char *model, *config;
} makers;

/* By the options of a row of pg_class. */
static makers
makers_in(HeapTuple tuple, TupleDesc columns)
{
    bool null;
    Datum options = heap_getattr(tuple, Anum_pg_class_reloptions, columns, &null);
    const bytea *bytes = null ? NULL : lmtext_am_options(options, false);
    const char *model = lmtext_options_model(bytes), *config = lmtext_options_words_config(bytes);

    return (makers){model != NULL ? model : "", config != NULL ? config : ""};
}

/* As they were before the command, or as the command has them. */
static makers
makers_of(Oid index, Snapshot snapshot)
{
    Relation class = table_open(RelationRelationId, AccessShareLock);
    makers found = {"", ""};
    ScanKeyData key;
    SysScanDesc scan;
    HeapTuple tuple;

    ScanKeyInit(&key, Anum_pg_class_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(index));
    scan = systable_beginscan(class, ClassOidIndexId, true, snapshot, 1, &key);
    if (HeapTupleIsValid(tuple = systable_getnext(scan)))
        found = makers_in(tuple, RelationGetDescr(class));
    systable_endscan(scan);
    table_close(class, AccessShareLock);
    return found;
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

/* Another name of the same configuration is no change. */
static void
refuse_other_config(Relation index, const char *was, const char *wanted)
{
    Oid config = lmtext_words_config_named(wanted);
    lmtext_words_root root;
    lmtext_meta meta;

    lmtext_meta_read(index, &meta);
    if (meta.words == InvalidBlockNumber || lmtext_words_config_named(was) == config)
        return;
    lmtext_words_copy_root(index, meta.words, &root);
    if (lmtext_words_corpus(&root).documents > 0)
        ereport(
            ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("the words of index \"%s\" are made by another text search configuration",
                    RelationGetRelationName(index)),
             errdetail("Another option would not cut its rows into words anew."),
             errhint("CREATE INDEX CONCURRENTLY another one WITH (words_config = ...), and DROP "
                     "INDEX %s.",
                     RelationGetRelationName(index))));
    lmtext_words_depend(index, config);
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
    makers was, wanted;
    Relation index;

    if (next_access_hook)
        next_access_hook(access, class, object, column, data);
    if (access != OAT_POST_ALTER || class != RelationRelationId || column != 0 || !is_ours(object))
        return;
    was = makers_of(object, NULL);
    wanted = makers_of(object, SnapshotSelf);
    if (strcmp(was.model, wanted.model) == 0 && strcmp(was.config, wanted.config) == 0)
        return;
    index = index_open(object, NoLock);
    if (strcmp(was.model, wanted.model) != 0)
        refuse_other_model(index, was.model, wanted.model);
    if (strcmp(was.config, wanted.config) != 0)
        refuse_other_config(index, was.config, wanted.config);
    index_close(index, NoLock);
}

void
lmtext_alter_init(void)
{
    LMTEXT_HOOK(object_access_hook, next_access_hook, object_accessed);
}
