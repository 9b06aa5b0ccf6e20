/*
 * sees.h - who sees what of others' models and calls.
 */
#ifndef LMTEXT_SEES_H
#define LMTEXT_SEES_H

#include "postgres.h"

#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "utils/acl.h"

/* Superusers are members of every role. */
static inline bool
sees_everything(void)
{
    return has_privs_of_role(GetUserId(), ROLE_PG_MONITOR);
}

/* Names of models and numbers of rows are told to those who could have done it themselves. */
static inline bool
sees_role(Oid database, Oid role)
{
    return sees_everything() || (database == MyDatabaseId && has_privs_of_role(GetUserId(), role));
}

#endif
