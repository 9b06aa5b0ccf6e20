/*
 * alter.c - ALTER INDEX … SET (model = …, words = …, words_config = …) that CREATE INDEX would not
 * take, or that the rows of the index are not made by, is refused at once.
 *
 * The options would change and the rows would not: each insert and each scan would fail from then
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

/* By the options of a row of pg_class. */
static lmtext_makers
makers_in(HeapTuple tuple, TupleDesc columns)
{
    bool null;
    Datum options = heap_getattr(tuple, Anum_pg_class_reloptions, columns, &null);

    return lmtext_options_makers(null ? NULL : lmtext_am_options(options, false));
}

/* As they were before the command, or as the command has them. */
static lmtext_makers
makers_of(Oid index, Snapshot snapshot)
{
    Relation class = table_open(RelationRelationId, AccessShareLock);
    lmtext_makers found = lmtext_options_makers(NULL);
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

/* Has a row come yet, with a vector or with words? */
static bool
has_rows(Relation index, const lmtext_meta *meta)
{
    lmtext_words_root root;

    if (meta->width > 0 || meta->words == InvalidBlockNumber)
        return meta->width > 0;
    lmtext_words_copy_root(index, meta->words, &root);
    return lmtext_words_corpus(&root).documents > 0;
}

/* A row without a vector may have tokens. */
static bool
is_of_model(Relation index, const lmtext_makers *was)
{
    lmtext_meta meta;

    lmtext_meta_read(index, &meta);
    return was->tokens ? has_rows(index, &meta) : meta.width > 0;
}

static void
refuse_other_model(Relation index, const lmtext_makers *was, const char *wanted)
{
    Oid version = lmtext_index_peek_named(index, was->model);
    Oid other = lmtext_index_peek_named(index, wanted);

    if (!is_of_model(index, was) || !OidIsValid(version) ||
        (OidIsValid(other) && lmtext_kept_same(version, other)))
        return;
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("the rows of index \"%s\" are of model \"%s\"", RelationGetRelationName(index),
                    was->model),
             errdetail("Another option would not embed them anew."),
             errhint("CREATE INDEX CONCURRENTLY another one WITH (model = ...), and DROP INDEX %s.",
                     RelationGetRelationName(index))));
}

/* InvalidOid: their words are tokens. */
static Oid
config_of(const lmtext_makers *makers)
{
    return makers->tokens ? InvalidOid : lmtext_words_config_named(makers->config);
}

static const char *
made_by(const lmtext_makers *was, const lmtext_makers *wanted)
{
    if (was->tokens)
        return "tokens of its model";
    return wanted->tokens ? "made by a text search configuration"
                          : "made by another text search configuration";
}

/* Another name of the same configuration is no change. */
static void
refuse_other_words(Relation index, const lmtext_makers *was, const lmtext_makers *wanted)
{
    Oid config = config_of(wanted);
    lmtext_words_root root;
    lmtext_meta meta;

    lmtext_meta_read(index, &meta);
    if (meta.words == InvalidBlockNumber || config_of(was) == config)
        return;
    lmtext_words_copy_root(index, meta.words, &root);
    if (lmtext_words_corpus(&root).documents > 0)
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("the words of index \"%s\" are %s", RelationGetRelationName(index),
                        made_by(was, wanted)),
                 errdetail("Another option would not cut its rows into words anew."),
                 errhint("CREATE INDEX CONCURRENTLY another one with these options, and DROP "
                         "INDEX %s.",
                         RelationGetRelationName(index))));
    lmtext_words_depend(index, config);
}

/* An index of words alone gets vectors, or the other way round: without rows, and where there is
 * the root of words. */
static void
refuse_other_parts(Relation index, bool vectors)
{
    lmtext_meta meta;

    lmtext_meta_read(index, &meta);
    if (!has_rows(index, &meta) && (vectors || meta.words != InvalidBlockNumber))
        return;
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("index \"%s\" was made %s", RelationGetRelationName(index),
                           vectors ? "of words alone" : "with vectors"),
                    errdetail("Other options would not change the rows that it has."),
                    errhint("CREATE INDEX CONCURRENTLY another one, and DROP INDEX %s.",
                            RelationGetRelationName(index))));
}

static void
check_change(Relation index, const lmtext_makers *was, const lmtext_makers *wanted)
{
    bool vectors = lmtext_makers_have_vectors(index, wanted);

    if (was->model[0] != '\0' && strcmp(was->model, wanted->model) != 0)
        refuse_other_model(index, was, wanted->model);
    lmtext_index_check_makers(index, wanted);
    if (lmtext_makers_have_vectors(index, was) != vectors)
        refuse_other_parts(index, vectors);
    if (strcmp(was->config, wanted->config) != 0 || was->tokens != wanted->tokens)
        refuse_other_words(index, was, wanted);
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
    lmtext_makers was, wanted;
    Relation index;

    if (next_access_hook)
        next_access_hook(access, class, object, column, data);
    if (access != OAT_POST_ALTER || class != RelationRelationId || column != 0 || !is_ours(object))
        return;
    was = makers_of(object, NULL);
    wanted = makers_of(object, SnapshotSelf);
    if (strcmp(was.model, wanted.model) == 0 && strcmp(was.config, wanted.config) == 0 &&
        was.words == wanted.words && was.tokens == wanted.tokens)
        return;
    index = index_open(object, NoLock);
    check_change(index, &was, &wanted);
    index_close(index, NoLock);
}

void
lmtext_alter_init(void)
{
    LMTEXT_HOOK(object_access_hook, next_access_hook, object_accessed);
}
