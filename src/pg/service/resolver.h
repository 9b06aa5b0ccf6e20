/*
 * resolver.h - which model version a name means, for callers that ask again and again.
 *
 * A resolver may outlive the statement that it began in (an expression of PL/pgSQL keeps its
 * FmgrInfo), so nothing is trusted for its age: a name is resolved anew when transaction, command,
 * user or search_path are other ones.
 */
#ifndef LMTEXT_RESOLVER_H
#define LMTEXT_RESOLVER_H

#include "datatype/timestamp.h"

#include "pg/cache/cache.h"

/*
 * What a name's meaning depends on beside the name. Statements inside a function get new snapshots
 * while the command of the transaction stays the same; of one xmax, transactions only go.
 */
typedef struct lmtext_guard {
    TransactionId xmin, xmax; /* of the snapshot */
    uint32 running, running_children;
    CommandId seen; /* of this transaction's commands */
    LocalTransactionId transaction;
    SubTransactionId subtransaction; /* a rollback to a savepoint takes no number of commands */
    CommandId command;
    Oid user;
    TimestampTz statement;
} lmtext_guard;

/* Zeroed before it is filled: two are compared as bytes. */
lmtext_guard lmtext_guard_now(void);
bool lmtext_guard_holds(const lmtext_guard *guard);

/* Set memory, which its strings live in, and zero the rest. */
typedef struct lmtext_resolver {
    MemoryContext memory;
    Oid version; /* what `name` was resolved to, under guard and path */
    lmtext_guard guard;
    char *name;
    char *path;
    void *tally; /* lmtext_stats_version's */
} lmtext_resolver;

/* The version that a name means, in the database's encoding; the errors of lmtext_catalog_resolve.
 */
Oid lmtext_resolver_named(lmtext_resolver *resolver, const char *name, size_t length);
/* The same for a trigger's argument, which means one version whoever fires it. */
Oid lmtext_resolver_near(lmtext_resolver *resolver, const char *name, Oid table);
/* For a caller that finds a version by other ways than its name: is `version` still the answer? And
 * this is it, which is locked; 42704 where it was dropped meanwhile. */
bool lmtext_resolver_knows(const lmtext_resolver *resolver, const char *name);
Oid lmtext_resolver_found(lmtext_resolver *resolver, const char *name, Oid version);

/*
 * The version, loaded, pinned and checked for the current user. From here on the call under way
 * counts under it; one that failed before counts under none.
 */
lmtext_model *lmtext_resolver_use(lmtext_resolver *resolver, Oid version);

#endif
