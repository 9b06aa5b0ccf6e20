/*
 * kind.c - what an index is of: its operator class says metric and type, its option the model.
 *
 * The name of the model is resolved as a trigger's is (catalog/names.c): whoever writes a row, with
 * any search_path, means the same version. So the name has its schema, or the model is in the
 * schema of the table.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_type.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "pg/am/words.h"
#include "pg/catalog/names.h"
#include "pg/service/kept.h"

/* The strategy number of a class's one operator is its metric: 1 <=>, 2 <->, 3 <#>. Types of other
 * extensions, such as pgvector's, come with the function of their cast to real[]. */
lmtext_kind
lmtext_index_kind(Relation index)
{
    Oid type = index->rd_opcintype[0], family = index->rd_opfamily[0];
    FmgrInfo *convert = OidIsValid(index_getprocid(index, 1, LMTEXT_CONVERT))
                            ? index_getprocinfo(index, 1, LMTEXT_CONVERT)
                            : NULL;
    int metric = 0;

    while (metric < LM_DISTANCE_COUNT &&
           !OidIsValid(get_opfamily_member(family, type, type, (int16)(metric + 1))))
        metric++;
    if (metric == LM_DISTANCE_COUNT ||
        (type != TEXTOID && type != FLOAT4ARRAYOID && convert == NULL))
        elog(ERROR, "operator class of index \"%s\" is none of lmtext's",
             RelationGetRelationName(index));
    return (lmtext_kind){(lm_distance_kind)metric, type == TEXTOID, convert};
}

/* ---- Models that the index depends on ---- */

/* Versions, and their bases. */
static List *
models_of(Relation index)
{
    Relation depend = table_open(DependRelationId, AccessShareLock);
    ScanKeyData keys[2];
    SysScanDesc scan;
    HeapTuple tuple;
    List *models = NIL;

    ScanKeyInit(&keys[0], Anum_pg_depend_classid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(RelationRelationId));
    ScanKeyInit(&keys[1], Anum_pg_depend_objid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(RelationGetRelid(index)));
    scan = systable_beginscan(depend, DependDependerIndexId, true, NULL, 2, keys);
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        Form_pg_depend row = (Form_pg_depend)GETSTRUCT(tuple);

        if (row->refclassid == RelationRelationId && row->deptype == DEPENDENCY_NORMAL &&
            row->refobjsubid == 0 && lmtext_catalog_is_model(row->refobjid))
            models = list_append_unique_oid(models, row->refobjid);
    }
    systable_endscan(scan);
    table_close(depend, AccessShareLock);
    return models;
}

/* The one of this name, as long as the index is there; a base may have the same in its schema. */
static Oid
model_named(Relation index, const char *relation)
{
    List *models = models_of(index);
    Oid found = InvalidOid;
    ListCell *cell;

    foreach (cell, models) {
        const char *name = get_rel_name(lfirst_oid(cell));

        if (name != NULL && strcmp(name, relation) == 0 &&
            (!OidIsValid(found) || lmtext_catalog_base(lfirst_oid(cell)) == found))
            found = lfirst_oid(cell);
    }
    list_free(models);
    return found;
}

static void
depend_on(Relation index, Oid table, const List *models)
{
    ObjectAddress dependent = {RelationRelationId, RelationGetRelid(index), 0};
    ObjectAddress referenced = {RelationRelationId, table, 0};

    if (OidIsValid(table) && !list_member_oid(models, table))
        recordDependencyOn(&dependent, &referenced, DEPENDENCY_NORMAL);
}

void
lmtext_index_depend(Relation index, Oid version)
{
    List *models = models_of(index);

    depend_on(index, version, models);
    depend_on(index, lmtext_catalog_base(version), models);
    list_free(models);
}

void
lmtext_index_depend_only(Relation index, Oid version)
{
    Oid base = lmtext_catalog_base(version);
    ListCell *cell;

    lmtext_index_depend(index, version);
    foreach (cell, models_of(index)) {
        Oid model = lfirst_oid(cell);

        if (model != version && model != base)
            (void)deleteDependencyRecordsForSpecific(RelationRelationId, RelationGetRelid(index),
                                                     DEPENDENCY_NORMAL, RelationRelationId, model);
    }
}

/* Is the other index one of this model by its option, and of another by its rows? */
static bool
is_changed(Relation index, Oid version, Relation other)
{
    const char *name;
    List *models;

    if (RelationGetRelid(other) == RelationGetRelid(index) ||
        other->rd_rel->relam != index->rd_rel->relam || other->rd_options == NULL)
        return false;
    name = lmtext_index_model_option(other);
    models = models_of(other);
    return name != NULL && strcmp(name, lmtext_index_model_option(index)) == 0 && models != NIL &&
           !list_member_oid(models, version);
}

/*
 * REINDEX CONCURRENTLY gives a new index the dependencies of the one that it replaces: those of the
 * model before.
 */
void
lmtext_index_refuse_changed(Relation heap, Relation index, Oid version)
{
    ListCell *cell;

    foreach (cell, RelationGetIndexList(heap)) {
        Relation other = index_open(lfirst_oid(cell), AccessShareLock);

        if (is_changed(index, version, other))
            ereport(
                ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("the model of index \"%s\" was changed", RelationGetRelationName(other)),
                 errdetail("It cannot be built anew concurrently."),
                 errhint("REINDEX INDEX %s without CONCURRENTLY, or drop it and create another "
                         "one.",
                         RelationGetRelationName(other))));
        index_close(other, AccessShareLock);
    }
}

/* ---- The option ---- */

/* What a name without a schema means, or InvalidOid: whatever the schema of the table by now, the
 * version that the index was made by; else the one in the schema of the table. */
static Oid
bare_version(Relation index, const char *relation)
{
    Oid table = index->rd_index->indrelid, version = model_named(index, relation);

    if (OidIsValid(version))
        return version;
    version = lmtext_name_near(relation, table);
    return OidIsValid(version) && get_rel_namespace(version) == get_rel_namespace(table)
               ? version
               : InvalidOid;
}

/*
 * 'minilm@1' must mean the same to who restores a dump, whose search_path is empty, as it is in a
 * build since PostgreSQL 17.
 */
static Oid
check_name(Relation index, const char *name)
{
    Oid table = index->rd_index->indrelid, version;
    lmtext_name parsed;

    lmtext_name_parse(name, &parsed);
    if (parsed.schema != NULL)
        return InvalidOid;
    version = bare_version(index, parsed.relation);
    if (!OidIsValid(version))
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_OBJECT),
                 errmsg("model version \"%s\" does not exist in schema \"%s\"", name,
                        get_namespace_name(get_rel_namespace(table))),
                 errdetail("A name without a schema means a model in the schema of the table, "
                           "whoever writes rows and restores dumps with whichever search_path."),
                 errhint("Write the schema of the model, as in WITH (model = 'ml.minilm@1').")));
    return version;
}

bool
lmtext_makers_have_vectors(Relation index, const lmtext_makers *makers)
{
    return !lmtext_index_kind(index).text || !makers->words || makers->model[0] != '\0';
}

bool
lmtext_index_has_vectors(Relation index)
{
    const lmtext_makers makers = lmtext_index_makers(index);

    return lmtext_makers_have_vectors(index, &makers);
}

/* Tokens are the model's, whatever cuts other words. */
static void
check_tokens(const lmtext_makers *makers)
{
    if (makers->model[0] == '\0')
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("words = 'tokens' needs a model, whose tokens they are"),
                        errhint("Name a version: CREATE INDEX ... USING lmtext (body) WITH "
                                "(model = 'minilm@1', words = 'tokens'), or write words = true.")));
    if (makers->config[0] != '\0')
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("words = 'tokens' takes no text search configuration"),
                        errhint("Leave words_config out, or write words = true.")));
}

static void
check_words(Relation index, const lmtext_makers *makers)
{
    if (!lmtext_index_kind(index).text)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("an index on vectors has no words"),
                        errhint("Put words = %s to an index on the column of the text.",
                                makers->tokens ? "'tokens'" : "true")));
    if (makers->tokens)
        check_tokens(makers);
    else
        (void)lmtext_words_config_named(makers->config);
}

static Oid
version_named(Relation index, const char *name, lmtext_resolver *resolver)
{
    Oid version = check_name(index, name);

    return OidIsValid(version) ? lmtext_resolver_found(resolver, name, version)
                               : lmtext_resolver_named(resolver, name, strlen(name));
}

static void
check_model(Relation index, const lmtext_makers *makers)
{
    lmtext_resolver resolver = {.memory = CurrentMemoryContext};

    if (makers->model[0] == '\0' && !makers->words)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("an index on text needs a model"),
                 errhint("Name a version: CREATE INDEX ... USING lmtext (body) WITH "
                         "(model = 'minilm@1'), or words = true for an index of words.")));
    if (makers->model[0] != '\0')
        (void)version_named(index, makers->model, &resolver);
}

void
lmtext_index_check_makers(Relation index, const lmtext_makers *makers)
{
    if (makers->words)
        check_words(index, makers);
    if (lmtext_index_kind(index).text)
        check_model(index, makers);
    else if (makers->model[0] != '\0')
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("an index on vectors takes no model"),
                        errdetail("Its rows are vectors already.")));
}

Oid
lmtext_index_version(Relation index, lmtext_resolver *resolver)
{
    const char *name = lmtext_index_model_option(index);

    if (name == NULL)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("index \"%s\" has no model", RelationGetRelationName(index)),
                        errhint("Name the one that it was made by: ALTER INDEX ... SET (model = "
                                "'minilm@1').")));
    return lmtext_resolver_knows(resolver, name) ? resolver->version
                                                 : version_named(index, name, resolver);
}

Oid
lmtext_index_peek_named(Relation index, const char *name)
{
    lmtext_name parsed;

    if (name == NULL || name[0] == '\0')
        return InvalidOid;
    lmtext_name_parse(name, &parsed);
    return parsed.schema == NULL ? bare_version(index, parsed.relation) : lmtext_kept_named(name);
}

Oid
lmtext_index_peek_version(Oid index_oid)
{
    Relation index = index_open(index_oid, NoLock);
    Oid version = lmtext_index_peek_named(index, lmtext_index_model_option(index));

    index_close(index, NoLock);
    return version;
}
