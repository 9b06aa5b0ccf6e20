/*
 * names.h - for those who read and make versions: names of models and versions, and the table
 * lmtext.model_name.
 */
#ifndef LMTEXT_NAMES_H
#define LMTEXT_NAMES_H

#include "nodes/pg_list.h"
#include "storage/lockdefs.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "pg/catalog/catalog.h"

/* "@" and six digits of a version stand behind a model's name in a table's name. */
#define LMTEXT_MODEL_NAME_MAX (NAMEDATALEN - 8)
#define LMTEXT_VERSION_MAX 999999

typedef struct lmtext_name {
    char *schema;               /* NULL: by search_path */
    char model[NAMEDATALEN];    /* without version */
    char relation[NAMEDATALEN]; /* as written, version included */
    int version;                /* 0: none was written */
} lmtext_name;

/* [schema.]model[@version] by the rules of identifiers; 42602 where it is malformed. */
void lmtext_name_parse(const char *name, lmtext_name *out);
/* 42602 with a reason. */
void lmtext_name_refuse(const char *name, const char *why);

/* Row of lmtext.model_name. */
typedef struct lmtext_name_row {
    bool found;
    int deployed; /* 0: none */
    int last_version;
} lmtext_name_row;
void lmtext_name_read(const char *schema, const char *model, lmtext_name_row *row);
/* 'schema.model@3' for each deployed version that is gone; none where the table is locked. */
List *lmtext_names_dangling(void);

/* Table of a name that has a version, by search_path; 42704 when there is none. */
Oid lmtext_name_find(const lmtext_name *name, LOCKMODE lock);

/*
 * Table that "m@3" without a schema means to a trigger of `table`, or InvalidOid; takes no lock.
 * names.c has the rule.
 */
Oid lmtext_name_near(const char *relation, Oid table);

/* Table of a version in a schema, or InvalidOid when no table of that name is a model version. */
Oid lmtext_name_version(Oid schema, const char *model, int version);

typedef struct lmtext_version_ref {
    Oid relid;
    int version;
} lmtext_version_ref;
/* All versions of a model in a schema, as a list of lmtext_version_ref. */
List *lmtext_name_versions(Oid schema, const char *model);

/* The schema whose model a name means, for changes: the first of search_path (or its own) with a
 * deployment or a version of it; 42704. */
Oid lmtext_name_owner_schema(const lmtext_name *name);

/* Split "m@3"; false when relation is not of that form. model has room for NAMEDATALEN. */
bool lmtext_name_split(const char *relation, char *model, int *version);

/*
 * What reads of model tables see: the statement's snapshot, so that a statement has one view of
 * names in all its processes; registered, to be given back with UnregisterSnapshot.
 */
Snapshot lmtext_read_snapshot(void);

/*
 * The same for the rows of a version that was found: as new as can be had. They never change, and a
 * pinned version may be asked for while a statement is planned, when the active snapshot is still
 * that of an earlier statement (in a function that has just imported it).
 */
Snapshot lmtext_version_snapshot(void);

Oid lmtext_table_base(Relation table); /* lmtext_catalog_base of an open table */

/* A version (or its bare name) as an argument of a call that the caller could write. */
char *lmtext_catalog_call_name(Oid relid, bool with_version);

/* errhint: how the owner lets a role use a version. */
int lmtext_catalog_grant_hint(Oid relid, Oid role);

Oid lmtext_schema_oid(void);               /* of lmtext itself */
Oid lmtext_relation_oid(const char *name); /* a table of the extension, XX000 when it is gone */

#endif
