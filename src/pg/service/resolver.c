/*
 * resolver.c - names to versions under a guard; the contract is in resolver.h.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg/watch/stats.h"
#include "pg/compat.h"
#include "pg/service/resolver.h"

lmtext_guard
lmtext_guard_now(void)
{
    lmtext_guard guard;

    memset(&guard, 0, sizeof guard);
    if (ActiveSnapshotSet()) {
        Snapshot snapshot = GetActiveSnapshot();

        guard.xmin = snapshot->xmin;
        guard.xmax = snapshot->xmax;
        guard.running = snapshot->xcnt;
        guard.running_children = (uint32)snapshot->subxcnt;
        guard.seen = snapshot->curcid;
    }
    guard.transaction = LMTEXT_LXID;
    guard.subtransaction = GetCurrentSubTransactionId();
    guard.command = GetCurrentCommandId(false);
    guard.statement = GetCurrentStatementStartTimestamp();
    guard.user = GetUserId();
    return guard;
}

bool
lmtext_guard_holds(const lmtext_guard *guard)
{
    lmtext_guard now = lmtext_guard_now();

    return memcmp(guard, &now, sizeof now) == 0;
}

/* Replace a string by a copy that lives as long as the resolver. */
static void
keep_string(lmtext_resolver *resolver, char **kept, const char *string)
{
    char *copy = MemoryContextStrdup(resolver->memory, string);

    if (*kept != NULL)
        pfree(*kept);
    *kept = copy;
}

static void
remember(lmtext_resolver *resolver, const char *name, const lmtext_guard *guard, Oid version)
{
    keep_string(resolver, &resolver->name, name);
    keep_string(resolver, &resolver->path, namespace_search_path);
    resolver->guard = *guard;
    resolver->version = version;
}

static Oid
resolve_anew(lmtext_resolver *resolver, const char *name, Oid table)
{
    lmtext_guard guard = lmtext_guard_now();
    Oid version;

    resolver->version = InvalidOid;
    version =
        OidIsValid(table) ? lmtext_catalog_resolve_near(name, table) : lmtext_catalog_resolve(name);
    LMTEXT_FAULT_POINT("name_resolved");
    remember(resolver, name, &guard, version);
    return version;
}

static bool
same_name(const char *kept, const char *bytes, size_t length)
{
    return kept != NULL && strlen(kept) == length && memcmp(kept, bytes, length) == 0;
}

/* Is the answer that is kept the one to this name, and could it be no other by now? */
static bool
is_known(const lmtext_resolver *resolver, const char *bytes, size_t length)
{
    return OidIsValid(resolver->version) && same_name(resolver->name, bytes, length) &&
           lmtext_guard_holds(&resolver->guard) &&
           strcmp(resolver->path, namespace_search_path) == 0;
}

Oid
lmtext_resolver_named(lmtext_resolver *resolver, const char *name, size_t length)
{
    if (is_known(resolver, name, length))
        return resolver->version;
    return resolve_anew(resolver, pnstrdup(name, length), InvalidOid);
}

/* The table is always the same: a trigger's FmgrInfo is its table's. */
Oid
lmtext_resolver_near(lmtext_resolver *resolver, const char *name, Oid table)
{
    if (is_known(resolver, name, strlen(name)))
        return resolver->version;
    return resolve_anew(resolver, name, table);
}

bool
lmtext_resolver_knows(const lmtext_resolver *resolver, const char *name)
{
    return is_known(resolver, name, strlen(name));
}

Oid
lmtext_resolver_found(lmtext_resolver *resolver, const char *name, Oid version)
{
    lmtext_guard guard = lmtext_guard_now();

    resolver->version = InvalidOid;
    LockRelationOid(version, AccessShareLock);
    if (!lmtext_catalog_is_model(version))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("model version \"%s\" does not exist", name)));
    remember(resolver, name, &guard, version);
    return version;
}

lmtext_model *
lmtext_resolver_use(lmtext_resolver *resolver, Oid version)
{
    lmtext_model *model = lmtext_model_use(version);

    lmtext_stats_version(&model->identity, &resolver->tally);
    return model;
}
