/*
 * deploy.c - deploying and dropping versions.
 *
 * Locks are taken in one order, the name's row before the version's table, so that sessions which
 * deploy and drop at once wait for each other instead of deadlocking. What was looked up before the
 * wait is looked up again after it.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"

#include "pg/version/record.h"
#include "pg/version/version.h"

/* A number's table, or 42704. */
static Oid
existing_version(Oid schema, const lmtext_name *name, int version)
{
    Oid relid = version > 0 && version <= LMTEXT_VERSION_MAX
                    ? lmtext_name_version(schema, name->model, version)
                    : InvalidOid;

    if (!OidIsValid(relid))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("model \"%s\" has no version %d", name->model, version),
                        errhint("The view lmtext.models lists the models that you may use.")));
    return relid;
}

/*
 * Reads that began before keep the version that they have; new snapshots see the other. The number
 * also raises last_version, which mends a row that is missing after a schema was renamed.
 */
void
lmtext_version_deploy(const char *name, int version)
{
    lmtext_name parsed;
    char *schema_name;
    Oid schema;

    lmtext_name_parse(name, &parsed);
    if (parsed.version > 0)
        lmtext_name_refuse(name,
                           "The version is a separate argument: write the name without \"@\".");
    schema = lmtext_name_owner_schema(&parsed);
    schema_name = get_namespace_name(schema);
    lmtext_record_check_owner(existing_version(schema, &parsed, version));
    SPI_connect();
    lmtext_record_lock(schema_name, parsed.model);
    LockRelationOid(existing_version(schema, &parsed, version), AccessShareLock);
    (void)existing_version(schema, &parsed, version); /* not dropped while we waited */
    LMTEXT_FAULT_POINT("deploy_locked");
    lmtext_record_update(schema_name, parsed.model, version, version);
    LMTEXT_FAULT_POINT("deployed");
    SPI_finish();
    lmtext_pinned_notice(schema, parsed.model, version);
}

/* Drop these tables in one command, so that heads and their base may go together. */
static void
drop_tables(List *versions)
{
    StringInfoData command;
    ListCell *cell;

    initStringInfo(&command);
    appendStringInfoString(&command, "DROP TABLE ");
    foreach (cell, versions) {
        const lmtext_version_ref *version = lfirst(cell);

        appendStringInfo(&command, "%s%s", foreach_current_index(cell) > 0 ? ", " : "",
                         lmtext_table_name(version->relid));
    }
    lmtext_run_command(command.data);
    LMTEXT_FAULT_POINT("tables_dropped");
}

/* The deployed version goes last: a name that is in use must mean something. */
static void
drop_one(const char *schema_name, const lmtext_name *name, Oid schema)
{
    lmtext_version_ref version = {existing_version(schema, name, name->version), name->version};
    lmtext_name_row row;
    bool deployed;

    lmtext_record_read(schema_name, name->model, &row);
    deployed = row.deployed == name->version;
    if (deployed && list_length(lmtext_name_versions(schema, name->model)) > 1)
        ereport(
            ERROR,
            (errcode(ERRCODE_OBJECT_IN_USE),
             errmsg("version %d of model \"%s\" is deployed", name->version, name->model),
             errhint("Deploy another version first, or drop the model with all its versions.")));
    drop_tables(list_make1(&version));
    lmtext_record_update(schema_name, name->model, deployed ? 0 : row.deployed, name->version);
}

/* In one command, since one version of a name may be built on another. */
static void
drop_all(const char *schema_name, const lmtext_name *name, Oid schema)
{
    Oid owner;
    int last = lmtext_record_check_versions(schema, name->model, &owner);
    List *versions = lmtext_name_versions(schema, name->model);

    if (versions == NIL)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("model \"%s\" does not exist", name->model)));
    drop_tables(versions);
    lmtext_record_update(schema_name, name->model, 0, last);
}

/* Ownership is checked before the row is locked: nobody can make an owner wait. */
void
lmtext_version_drop(const char *name)
{
    lmtext_name parsed;
    char *schema_name;
    Oid schema, owner;

    lmtext_name_parse(name, &parsed);
    if (parsed.version > 0) {
        Oid relid = lmtext_name_find(&parsed, NoLock);

        lmtext_record_check_owner(relid);
        schema = get_rel_namespace(relid);
    } else {
        schema = lmtext_name_owner_schema(&parsed);
        (void)lmtext_record_check_versions(schema, parsed.model, &owner);
    }
    schema_name = get_namespace_name(schema);
    SPI_connect();
    lmtext_record_lock(schema_name, parsed.model);
    if (parsed.version > 0)
        drop_one(schema_name, &parsed, schema);
    else
        drop_all(schema_name, &parsed, schema);
    LMTEXT_FAULT_POINT("model_dropped");
    SPI_finish();
}
