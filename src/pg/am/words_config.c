/*
 * words_config.c - the text search configuration that cuts texts into words, where these are no
 * tokens.
 *
 * It is found by its name each time, since a dump or pg_upgrade gives it another number, and the
 * index depends on it.
 */
#include "postgres.h"

#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class_d.h"
#include "catalog/pg_ts_config.h"
#include "nodes/value.h"
#include "utils/builtins.h"
#include "utils/regproc.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#include "pg/am/words.h"

#define DEFAULT_CONFIG "pg_catalog.simple"

/* Its name has a schema, or is in pg_catalog. */
Oid
lmtext_words_config_named(const char *name)
{
    List *names = stringToQualifiedNameList(name[0] != '\0' ? name : DEFAULT_CONFIG
#if PG_VERSION_NUM >= 160000
                                            ,
                                            NULL
#endif
    );

    if (list_length(names) == 1)
        names = lcons(makeString(pstrdup("pg_catalog")), names);
    return get_ts_config_oid(names, false);
}

Oid
lmtext_words_config(Relation index)
{
    const lmtext_makers makers = lmtext_index_makers(index);

    return makers.tokens ? InvalidOid : lmtext_words_config_named(makers.config);
}

void
lmtext_words_depend(Relation index, Oid config)
{
    ObjectAddress dependent = {RelationRelationId, RelationGetRelid(index), 0};
    ObjectAddress referenced = {TSConfigRelationId, config, 0};

    (void)deleteDependencyRecordsForClass(RelationRelationId, RelationGetRelid(index),
                                          TSConfigRelationId, DEPENDENCY_NORMAL);
    if (OidIsValid(config))
        recordDependencyOn(&dependent, &referenced, DEPENDENCY_NORMAL);
}
