/*
 * relation.c - see relation.h.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

#include "pg/compat.h"
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

Relation
lmtext_relation_open_readable(Oid relid)
{
    Oid role = GetUserId();

    if (pg_class_aclcheck(relid, role, ACL_SELECT) != ACLCHECK_OK &&
        pg_attribute_aclcheck_all(relid, role, ACL_SELECT, ACLMASK_ANY) != ACLCHECK_OK &&
        !LMTEXT_OWNS_TABLE(relid, role))
        aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(get_rel_relkind(relid)),
                       get_rel_name(relid));
    return table_open(relid, AccessShareLock);
}

bool
lmtext_relation_sees_all(Oid relid)
{
    return pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
           check_enable_rls(relid, InvalidOid, true) != RLS_ENABLED;
}
