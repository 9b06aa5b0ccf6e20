/*
 * grant.c - shorthands for GRANT and REVOKE on the tables of versions.
 *
 * Law: the commands run by SPI as the caller, one for all versions, so that who may grant, what is
 * recorded as the grantor, and what event triggers see is PostgreSQL's own.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "pg/catalog/names.h"

/* What a privilege is on a version's table. */
static const struct {
    const char *name, *clause;
} privileges[] = {
    {"use", "SELECT (file)"},
    {"export", "SELECT"},
};

static void run_grant(const char *command, const char *preposition, List *versions, Oid role,
                      const char *privilege);
static void warn_if_kept(List *versions, Oid role, const char *privilege);

void
lmtext_catalog_grant(const char *model, Oid role, const char *privilege)
{
    run_grant("GRANT", "TO", lmtext_name_list(model), role, privilege);
}

void
lmtext_catalog_revoke(const char *model, Oid role, const char *privilege)
{
    List *versions = lmtext_name_list(model);

    run_grant("REVOKE", "FROM", versions, role, privilege);
    warn_if_kept(versions, role, privilege);
}

/* The words of GRANT; 22023 lists the known ones. */
static const char *
clause_of(const char *privilege)
{
    for (int i = 0; i < lengthof(privileges); i++)
        if (strcmp(privileges[i].name, privilege) == 0)
            return privileges[i].clause;
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
             errmsg("unknown privilege \"%s\" on a model", lmtext_clip(privilege)),
             errhint("Allowed are \"use\" (SELECT on the column file of the version's table) and "
                     "\"export\" (SELECT on all of it).")));
}

static void
run_grant(const char *command, const char *preposition, List *versions, Oid role,
          const char *privilege)
{
    const char *grantee = quote_identifier(GetUserNameFromId(role, false));
    StringInfoData sql;
    ListCell *cell;
    int result;

    initStringInfo(&sql);
    appendStringInfo(&sql, "%s %s ON TABLE ", command, clause_of(privilege));
    foreach (cell, versions) {
        Oid relid = lfirst_oid(cell);

        appendStringInfo(&sql, "%s%s", foreach_current_index(cell) > 0 ? ", " : "",
                         quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
                                                    get_rel_name(relid)));
    }
    appendStringInfo(&sql, " %s %s", preposition, grantee);
    SPI_connect();
    result = SPI_execute(sql.data, false, 0);
    if (result < 0)
        elog(ERROR, "SPI returned %s for: %s", SPI_result_code_string(result), sql.data);
    SPI_finish();
}

/* REVOKE takes one grant; who believes that it took the privilege is to be told. */
static void
warn_if_kept(List *versions, Oid role, const char *privilege)
{
    ListCell *cell;

    foreach (cell, versions) {
        Oid relid = lfirst_oid(cell);
        bool kept = strcmp(privilege, "use") == 0
                        ? lmtext_catalog_may_use(relid, role)
                        : pg_class_aclcheck(relid, role, ACL_SELECT) == ACLCHECK_OK;

        if (kept)
            ereport(
                WARNING,
                (errmsg("role \"%s\" may still %s model \"%s\"", GetUserNameFromId(role, false),
                        privilege, lmtext_catalog_display_name(relid)),
                 errdetail("The role is the owner or a superuser, or another grant remains: on all "
                           "columns, to PUBLIC, to a role that it belongs to, or by another "
                           "grantor.")));
    }
}
