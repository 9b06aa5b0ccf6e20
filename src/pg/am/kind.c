/*
 * kind.c - what an index is of: its operator class says metric and type, its option the model.
 *
 * The name of the model is resolved as a trigger's is (catalog/names.c): whoever writes a row, with
 * any search_path, means the same version. So the name has its schema, or the model is in the
 * schema of the table.
 */
#include "postgres.h"

#include "access/genam.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "utils/lsyscache.h"

#include "pg/am/index.h"
#include "pg/catalog/names.h"
#include "pg/service/kept.h"

/* The strategy number of a class's one operator is its metric: 1 <=>, 2 <->, 3 <#>. */
lmtext_kind
lmtext_index_kind(Relation index)
{
    Oid type = index->rd_opcintype[0], family = index->rd_opfamily[0];
    int metric = 0;

    while (metric < LM_DISTANCE_COUNT &&
           !OidIsValid(get_opfamily_member(family, type, type, (int16)(metric + 1))))
        metric++;
    if (metric == LM_DISTANCE_COUNT || (type != TEXTOID && type != FLOAT4ARRAYOID))
        elog(ERROR, "operator class of index \"%s\" is none of lmtext's",
             RelationGetRelationName(index));
    return (lmtext_kind){(lm_distance_kind)metric, type == TEXTOID};
}

/*
 * 'minilm@1' must mean the same to who restores a dump, whose search_path is empty, as it is in a
 * build since PostgreSQL 17.
 */
static void
check_name(Relation index, const char *name)
{
    Oid table = index->rd_index->indrelid, version;
    lmtext_name parsed;

    lmtext_name_parse(name, &parsed);
    if (parsed.schema != NULL)
        return;
    version = lmtext_name_near(parsed.relation, table);
    if (OidIsValid(version) && get_rel_namespace(version) == get_rel_namespace(table))
        return;
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                    errmsg("model version \"%s\" does not exist in schema \"%s\"", name,
                           get_namespace_name(get_rel_namespace(table))),
                    errdetail("A name without a schema means a model in the schema of the table, "
                              "whoever writes rows and restores dumps with whichever search_path."),
                    errhint("Write the schema of the model, as in WITH (model = 'ml.minilm@1').")));
}

void
lmtext_index_check_options(Relation index)
{
    const char *model = lmtext_index_model_option(index);

    if (lmtext_index_kind(index).text) {
        if (model == NULL || model[0] == '\0')
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                            errmsg("an index on text needs a model"),
                            errhint("Name a version: CREATE INDEX ... USING lmtext (body) WITH "
                                    "(model = 'minilm@1').")));
        check_name(index, model);
    } else if (model != NULL && model[0] != '\0') {
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("an index on vectors takes no model"),
                        errdetail("Its rows are vectors already.")));
    }
}

Oid
lmtext_index_version(Relation index, lmtext_resolver *resolver)
{
    return lmtext_resolver_near(resolver, lmtext_index_model_option(index),
                                index->rd_index->indrelid);
}

Oid
lmtext_index_peek_version(Oid index_oid)
{
    Relation index = index_open(index_oid, NoLock);
    const char *name = lmtext_index_model_option(index);
    Oid version = InvalidOid;

    if (name != NULL && strchr(name, '.') == NULL)
        version = lmtext_name_near(name, index->rd_index->indrelid);
    if (name != NULL && !OidIsValid(version))
        version = lmtext_kept_named(name);
    index_close(index, NoLock);
    return version;
}

/* A REINDEX says it again. */
static void
depend_on(Relation index, Oid table)
{
    ObjectAddress dependent = {RelationRelationId, RelationGetRelid(index), 0};
    ObjectAddress referenced = {RelationRelationId, table, 0};

    (void)deleteDependencyRecordsForSpecific(RelationRelationId, RelationGetRelid(index),
                                             DEPENDENCY_NORMAL, RelationRelationId, table);
    recordDependencyOn(&dependent, &referenced, DEPENDENCY_NORMAL);
}

void
lmtext_index_depend(Relation index, Oid version)
{
    Oid base = lmtext_catalog_base(version);

    depend_on(index, version);
    if (OidIsValid(base))
        depend_on(index, base);
}
