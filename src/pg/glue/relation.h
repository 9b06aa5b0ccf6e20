/*
 * relation.h - relations by the OIDs that callers give, which may be none.
 */
#ifndef LMTEXT_RELATION_H
#define LMTEXT_RELATION_H

#include "postgres.h"

#include "storage/lockdefs.h"
#include "utils/relcache.h"

/* relation_open, but 42P01 where there is no such relation (XX000 there). */
Relation lmtext_relation_open(Oid relid, LOCKMODE lock);

/* A table for who may read one of its columns, or owns it: what is said of columns, and the lock,
 * are not for others (42501). */
Relation lmtext_relation_open_readable(Oid relid);

/* May the current user see every row of a table, and all of it? Else what is known of its rows is
 * not for them. */
bool lmtext_relation_sees_all(Oid relid);

#endif
