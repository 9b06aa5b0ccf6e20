/*
 * relation.c - see relation.h.
 */
#include "postgres.h"

#include "access/relation.h"

#include "pg/glue/relation.h"

Relation
lmtext_relation_open(Oid relid, LOCKMODE lock)
{
    Relation relation = try_relation_open(relid, lock);

    if (relation == NULL)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                        errmsg("relation with OID %u does not exist", relid)));
    return relation;
}
