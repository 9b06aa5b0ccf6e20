/*
 * record.c - the row of a name in lmtext.model_name, which is written here alone, and the owner of
 * a name's versions.
 *
 * Numbers rise and are never used again, since stored vectors, logs and people refer to them. The
 * row is the memory of the highest; it stays when all versions are gone. It is also the lock: who
 * changes what a name means holds it to the end of the transaction, so a second import of the name
 * learns its number only when the first has committed or failed. Other names are not held up.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "pg/version/record.h"

static void write_as_owner(const char *command, int count, Oid *types, Datum *values, int expected);
static Oid owner_of(Oid relid);

/* ---- The row ---- */

/* Lock the row of a name, made if need be, until the transaction ends. */
void
lmtext_record_lock(const char *schema, const char *model)
{
    Oid types[2] = {TEXTOID, TEXTOID};
    Datum values[2] = {CStringGetTextDatum(schema), CStringGetTextDatum(model)};

    write_as_owner("INSERT INTO lmtext.model_name (schema, model, deployed, last_version) "
                   "VALUES ($1::pg_catalog.name, $2::pg_catalog.name, NULL, 0) "
                   "ON CONFLICT DO NOTHING",
                   2, types, values, SPI_OK_INSERT);
    write_as_owner("SELECT FROM lmtext.model_name "
                   "WHERE schema OPERATOR(pg_catalog.=) $1::pg_catalog.name "
                   "AND model OPERATOR(pg_catalog.=) $2::pg_catalog.name FOR UPDATE",
                   2, types, values, SPI_OK_SELECT);
}

/* Set a row's deployment (0: none) and raise its last number. The row is locked and there. */
void
lmtext_record_update(const char *schema, const char *model, int deployed, int last_version)
{
    Oid types[4] = {TEXTOID, TEXTOID, INT4OID, INT4OID};
    Datum values[4] = {CStringGetTextDatum(schema), CStringGetTextDatum(model),
                       Int32GetDatum(deployed), Int32GetDatum(last_version)};

    write_as_owner("UPDATE lmtext.model_name "
                   "SET deployed = CASE WHEN $3 OPERATOR(pg_catalog.>) 0 THEN $3 END, "
                   "last_version = GREATEST(last_version, $4) "
                   "WHERE schema OPERATOR(pg_catalog.=) $1::pg_catalog.name "
                   "AND model OPERATOR(pg_catalog.=) $2::pg_catalog.name",
                   4, types, values, SPI_OK_UPDATE);
    /* Plans that were looked at with what the name meant (plan/guard.c) are made anew. */
    CacheInvalidateRelcacheByRelid(lmtext_relation_oid("model_name"));
}

/* The row as it is now: another session may have changed it since the statement began. */
void
lmtext_record_read(const char *schema, const char *model, lmtext_name_row *row)
{
    PushActiveSnapshot(GetTransactionSnapshot());
    lmtext_name_read(schema, model, row);
    PopActiveSnapshot();
}

/*
 * The first version of a name answers to it at once; later ones wait for lmtext.deploy. Returns
 * what the name means. The row is locked and there.
 */
int
lmtext_record_add(Oid schema, const char *model, int version)
{
    char *schema_name = get_namespace_name(schema);
    lmtext_name_row row;

    lmtext_record_read(schema_name, model, &row);
    if (row.deployed == 0 || !OidIsValid(lmtext_name_version(schema, model, row.deployed)))
        row.deployed = version;
    lmtext_record_update(schema_name, model, row.deployed, version);
    return row.deployed;
}

/*
 * Run one command on lmtext.model_name as its owner, whose privilege it is; the caller was checked
 * before. Commands here call only functions and operators of pg_catalog.
 */
static void
write_as_owner(const char *command, int count, Oid *types, Datum *values, int expected)
{
    Oid table = lmtext_relation_oid("model_name");
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
    Oid owner, user;
    int context, result;

    if (!HeapTupleIsValid(tuple))
        elog(ERROR, "relation lmtext.model_name is missing");
    owner = ((Form_pg_class)GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);
    GetUserIdAndSecContext(&user, &context);
    SetUserIdAndSecContext(owner, context | SECURITY_LOCAL_USERID_CHANGE);
    LMTEXT_FAULT_POINT("as_owner");
    result = SPI_execute_with_args(command, count, types, values, NULL, false, 0);
    SetUserIdAndSecContext(user, context);
    if (result != expected)
        elog(ERROR, "SPI returned %s for: %s", SPI_result_code_string(result), command);
}

/* ---- Owners ---- */

/* What the caller may add to: versions of a name have one owner. */
void
lmtext_record_check_owner(Oid relid)
{
    if (!LMTEXT_OWNS_TABLE(relid, GetUserId()))
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                 errmsg("must be owner of model \"%s\"", lmtext_catalog_display_name(relid))));
}

/*
 * Highest number of the versions that are there, all of which the caller must own, himself or by
 * membership. Their owner is that of the oldest; where there is none, the caller.
 */
int
lmtext_record_check_versions(Oid schema, const char *model, Oid *owner)
{
    int first = 0, last = 0;
    ListCell *cell;

    *owner = GetUserId();
    foreach (cell, lmtext_name_versions(schema, model)) {
        const lmtext_version_ref *version = lfirst(cell);

        lmtext_record_check_owner(version->relid);
        if (first == 0 || version->version < first) {
            first = version->version;
            *owner = owner_of(version->relid);
        }
        last = Max(last, version->version);
    }
    return last;
}

static Oid
owner_of(Oid relid)
{
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
    Oid owner;

    if (!HeapTupleIsValid(tuple))
        elog(ERROR, "cache lookup failed for relation %u", relid);
    owner = ((Form_pg_class)GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);
    return owner;
}

/* ---- Commands ---- */

/* A utility command as the caller. */
void
lmtext_run_command(const char *command)
{
    int result = SPI_execute(command, false, 0);

    if (result < 0)
        elog(ERROR, "SPI returned %s for: %s", SPI_result_code_string(result), command);
}

/* Qualified, quoted name of a table. */
char *
lmtext_table_name(Oid relid)
{
    return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
                                      get_rel_name(relid));
}
