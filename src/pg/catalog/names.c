/*
 * names.c - from names to versions: parsing, search_path, deployment, ownership and privileges.
 *
 * Laws: lookups read system caches and lmtext.model_name by scans, never by SPI, so that a caller's
 * operators cannot run and restricted contexts (index builds) work. Nothing is cached: a lookup
 * happens once per statement, and what a name means is read under the statement's own snapshot.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/regproc.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "pg/catalog/names.h"

/* Columns of lmtext.model_name. */
#define ANUM_NAME_SCHEMA 1
#define ANUM_NAME_MODEL 2
#define ANUM_NAME_DEPLOYED 3
#define ANUM_NAME_LAST_VERSION 4

static void check_spelling(const char *name);
static Oid resolve_deployed(const lmtext_name *name);
static Oid lock_version(Oid schema, const char *model, int version);
static List *name_schemas(const lmtext_name *name);
static Oid model_part_type(void);

/* ---- Resolving ---- */
/*
 * A name with a version is looked up exactly as a table is. A bare name goes through
 * lmtext.model_name, schema by schema: the first schema of the path that has a deployment decides,
 * so a model in a schema further back is hidden as a table would be. All reads are under the active
 * snapshot, which the processes of a parallel query share: they agree on what a name means even
 * while another session deploys.
 */

/* The lock is kept to the transaction's end, as a query's on its tables. */
Oid
lmtext_catalog_resolve(const char *name)
{
    lmtext_name parsed;

    lmtext_name_parse(name, &parsed);
    return parsed.version > 0 ? lmtext_name_find(&parsed, AccessShareLock)
                              : resolve_deployed(&parsed);
}

/* 'm@3' is looked up exactly as a table of that name would be. */
Oid
lmtext_name_find(const lmtext_name *name, LOCKMODE lock)
{
    RangeVar *table = makeRangeVar(name->schema, pstrdup(name->relation), -1);
    Oid relid = RangeVarGetRelid(table, lock, true);

    if (!OidIsValid(relid) || !lmtext_catalog_is_model(relid))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("model version \"%s\" does not exist", name->relation),
                        errhint("The view lmtext.models lists the models that you may use.")));
    return relid;
}

/*
 * 'm' means the deployed version in the first schema of the path that has one. A deployment whose
 * table was dropped is an error rather than a reason to look further: another schema's model of the
 * same name would answer with other vectors.
 */
static Oid
resolve_deployed(const lmtext_name *name)
{
    ListCell *cell;
    bool idle = false; /* a schema has versions, but none is deployed */

    foreach (cell, name_schemas(name)) {
        Oid schema = lfirst_oid(cell);
        lmtext_name_row row;
        Oid relid;

        lmtext_name_read(get_namespace_name(schema), name->model, &row);
        if (row.deployed == 0) {
            idle |= lmtext_name_versions(schema, name->model) != NIL;
            continue;
        }
        relid = lock_version(schema, name->model, row.deployed);
        if (!OidIsValid(relid))
            ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                            errmsg("model \"%s\" does not exist", name->model),
                            errdetail("Its deployed version %d was dropped.", row.deployed),
                            errhint("Choose another version with lmtext.deploy.")));
        return relid;
    }
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("model \"%s\" does not exist", name->model),
             idle ? errhint("None of its versions is deployed: choose one with lmtext.deploy, "
                            "or name it as in '%s@1'.",
                            name->model)
             : strchr(name->model, '/') != NULL
                 ? errhint("Write the name under which the model was imported, as in "
                           "lmtext.import_model('minilm', '/srv/models/all-MiniLM-L6-v2').")
                 : errhint("Import it with lmtext.import_model; the view lmtext.models "
                           "lists the models that you may use.")));
}

/* ---- For triggers ---- */
/*
 * A trigger's argument is text that is resolved when the trigger fires, by sessions with any
 * search_path; a logical replication worker has none. A column of vectors is kept by one version,
 * so a name without a schema is looked for in the schema of the table first, and by search_path
 * only where that has none. Others may be allowed to create tables there: a version counts only if
 * its owner is trusted with the table anyway, being its owner, or a role that the owner belongs to
 * (not merely as a superuser, who belongs to all), or the schema's owner, or a superuser.
 */
static bool
is_trusted(Oid version, Oid table)
{
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
    HeapTuple made = SearchSysCache1(RELOID, ObjectIdGetDatum(version));
    bool trusted = false;

    if (HeapTupleIsValid(tuple) && HeapTupleIsValid(made)) {
        Oid owner = ((Form_pg_class)GETSTRUCT(tuple))->relowner;
        Oid maker = ((Form_pg_class)GETSTRUCT(made))->relowner;

        trusted = superuser_arg(maker) || is_member_of_role_nosuper(owner, maker) ||
                  LMTEXT_OWNS_SCHEMA(((Form_pg_class)GETSTRUCT(tuple))->relnamespace, maker);
    }
    if (HeapTupleIsValid(tuple))
        ReleaseSysCache(tuple);
    if (HeapTupleIsValid(made))
        ReleaseSysCache(made);
    return trusted;
}

Oid
lmtext_name_near(const char *relation, Oid table)
{
    Oid relid = get_relname_relid(relation, get_rel_namespace(table));

    if (OidIsValid(relid) && lmtext_catalog_is_model(relid) && is_trusted(relid, table))
        return relid;
    relid = RelnameGetRelid(relation);
    return OidIsValid(relid) && lmtext_catalog_is_model(relid) ? relid : InvalidOid;
}

/* As lock_version, which says why. */
Oid
lmtext_catalog_resolve_near(const char *name, Oid table)
{
    lmtext_name parsed;
    Oid relid;

    lmtext_name_parse(name, &parsed);
    if (parsed.schema != NULL || parsed.version == 0)
        return lmtext_catalog_resolve(name);
    relid = lmtext_name_near(parsed.relation, table);
    while (OidIsValid(relid)) {
        Oid again;

        LockRelationOid(relid, AccessShareLock);
        again = lmtext_name_near(parsed.relation, table);
        if (again == relid)
            return relid;
        UnlockRelationOid(relid, AccessShareLock);
        relid = again;
    }
    ereport(
        ERROR,
        (errcode(ERRCODE_UNDEFINED_OBJECT),
         errmsg("model version \"%s\" does not exist", parsed.relation),
         errdetail(
             "The trigger looks for it in schema \"%s\" of its table, if the table's "
             "owner trusts the owner of the version, and then by search_path, which is empty in "
             "logical replication.",
             get_namespace_name(get_rel_namespace(table))),
         errhint("Name the schema in the trigger's argument, as in 'schema.%s'.", name)));
}

/*
 * As RangeVarGetRelid does: while the lock was waited for, the table may have been dropped or
 * another one have got its name. InvalidOid when there is none.
 */
static Oid
lock_version(Oid schema, const char *model, int version)
{
    Oid relid = lmtext_name_version(schema, model, version);

    while (OidIsValid(relid)) {
        Oid again;

        LockRelationOid(relid, AccessShareLock);
        again = lmtext_name_version(schema, model, version);
        if (again == relid)
            break;
        UnlockRelationOid(relid, AccessShareLock);
        relid = again;
    }
    return relid;
}

/*
 * Schemas to look in for a name: its own, or those of search_path. A schema that is not there has
 * no models; one that may not be used is an error, as for tables.
 */
static List *
name_schemas(const lmtext_name *name)
{
    Oid schema;

    if (name->schema == NULL)
        return fetch_search_path(false);
    schema = LookupExplicitNamespace(name->schema, true);
    return OidIsValid(schema) ? list_make1_oid(schema) : NIL;
}

/* The schema whose model a name means, for changes: the first with a deployment or a version. */
Oid
lmtext_name_owner_schema(const lmtext_name *name)
{
    ListCell *cell;

    foreach (cell, name_schemas(name)) {
        Oid schema = lfirst_oid(cell);
        lmtext_name_row row;

        lmtext_name_read(get_namespace_name(schema), name->model, &row);
        if (row.deployed > 0 || lmtext_name_versions(schema, name->model) != NIL)
            return schema;
    }
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("model \"%s\" does not exist", name->model),
             errhint("The view lmtext.models lists the models that you may use.")));
}

List *
lmtext_name_list(const char *name)
{
    List *versions = NIL;
    lmtext_name parsed;
    ListCell *cell;

    lmtext_name_parse(name, &parsed);
    if (parsed.version > 0)
        return list_make1_oid(lmtext_name_find(&parsed, NoLock));
    foreach (cell, lmtext_name_versions(lmtext_name_owner_schema(&parsed), parsed.model))
        versions = lappend_oid(versions, ((const lmtext_version_ref *)lfirst(cell))->relid);
    if (versions == NIL)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("model \"%s\" does not exist", parsed.model),
                        errhint("The view lmtext.models lists the models that you may use.")));
    return versions;
}

/* ---- Parsing ---- */
/*
 * A model's name is an identifier without "@", so that the table's name, "model@version", can be
 * taken apart again in one way only. Tables that were renamed to something else remain versions
 * (their type says so) that can be used by regclass, but they have no number.
 */

void
lmtext_name_refuse(const char *name, const char *why)
{
    ereport(ERROR, (errcode(ERRCODE_INVALID_NAME),
                    errmsg("invalid model name \"%s\"", lmtext_clip(name)), errdetail("%s", why)));
}

static void
refuse_spelling(const char *name)
{
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_NAME), errmsg("invalid model name \"%s\"", lmtext_clip(name)),
             errhint("Write the name under which the model was imported: an identifier, as in "
                     "lmtext.embed('a text', 'minilm'); one version of it is \"minilm@3\".")));
}

/* A list of at most three identifiers; any other string is most often a text, or a hub's name. */
static void
check_spelling(const char *name)
{
    List *parts = NIL;

    if (!SplitIdentifierString(pstrdup(name), '.', &parts) || parts == NIL ||
        list_length(parts) > 3)
        refuse_spelling(name);
}

/* PostgreSQL's own rules for identifiers, then the "@". */
void
lmtext_name_parse(const char *name, lmtext_name *out)
{
    RangeVar *table;

    check_spelling(name);
    table = makeRangeVarFromNameList(LMTEXT_QUALIFIED_NAMES(name));

    if (table->catalogname && strcmp(table->catalogname, get_database_name(MyDatabaseId)) != 0)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("model \"%s\" is in another database", lmtext_clip(name))));
    out->schema = table->schemaname;
    strlcpy(out->relation, table->relname, NAMEDATALEN);
    if (lmtext_name_split(out->relation, out->model, &out->version))
        return;
    if (out->relation[0] == '\0' || strchr(out->relation, '@') != NULL)
        refuse_spelling(name);
    strlcpy(out->model, out->relation, NAMEDATALEN);
    out->version = 0;
}

/* One number has one spelling: no leading zero, no sign. */
bool
lmtext_name_split(const char *relation, char *model, int *version)
{
    const char *at = strchr(relation, '@');
    int number = 0;

    if (at == NULL || at == relation || at[1] == '0' || at[1] == '\0')
        return false;
    for (const char *digit = at + 1; *digit != '\0'; digit++) {
        if (*digit < '0' || *digit > '9' || number > LMTEXT_VERSION_MAX / 10)
            return false;
        number = number * 10 + (*digit - '0');
    }
    strlcpy(model, relation, Min(at - relation + 1, NAMEDATALEN));
    *version = number;
    return true;
}

/* Through the system cache: a miss is remembered, too. */
Oid
lmtext_name_version(Oid schema, const char *model, int version)
{
    char *relation = psprintf("%s@%d", model, version);
    Oid relid = get_relname_relid(relation, schema);

    pfree(relation);
    return OidIsValid(relid) && lmtext_catalog_is_model(relid) ? relid : InvalidOid;
}

Snapshot
lmtext_read_snapshot(void)
{
    return RegisterSnapshot(ActiveSnapshotSet() ? GetActiveSnapshot() : GetTransactionSnapshot());
}

/*
 * Processes of a parallel query share the snapshot that they were started with; a transaction that
 * sees one state of the database throughout adds its own latest changes to it.
 */
Snapshot
lmtext_version_snapshot(void)
{
    if (IsInParallelMode())
        return lmtext_read_snapshot();
    return RegisterSnapshot(IsolationUsesXactSnapshot() ? GetTransactionSnapshot()
                                                        : GetLatestSnapshot());
}

/* ---- lmtext.model_name ---- */

/* Names compare by bytes, in every database. */
static void
name_key(ScanKey key, AttrNumber attribute, NameData *name)
{
    ScanKeyInit(key, attribute, BTEqualStrategyNumber, F_NAMEEQ, NameGetDatum(name));
}

/* By an index (InvalidOid: without); a row that is not there reads as zeros. */
static void
scan_names(Relation table, Oid index, const char *schema, const char *model, lmtext_name_row *row)
{
    Snapshot snapshot = lmtext_read_snapshot();
    NameData names[2];
    ScanKeyData keys[2];
    SysScanDesc scan;
    HeapTuple tuple;

    memset(row, 0, sizeof(*row));
    namestrcpy(&names[0], schema ? schema : "");
    namestrcpy(&names[1], model);
    name_key(&keys[0], ANUM_NAME_SCHEMA, &names[0]);
    name_key(&keys[1], ANUM_NAME_MODEL, &names[1]);
    scan = systable_beginscan(table, index, OidIsValid(index), snapshot, 2, keys);
    tuple = systable_getnext(scan);
    if (HeapTupleIsValid(tuple)) {
        bool null;
        Datum deployed = heap_getattr(tuple, ANUM_NAME_DEPLOYED, RelationGetDescr(table), &null);

        row->found = true;
        row->deployed = null ? 0 : DatumGetInt32(deployed);
        row->last_version = DatumGetInt32(
            heap_getattr(tuple, ANUM_NAME_LAST_VERSION, RelationGetDescr(table), &null));
    }
    systable_endscan(scan);
    UnregisterSnapshot(snapshot);
}

static Oid
primary_key(Relation table)
{
    list_free(RelationGetIndexList(table)); /* fills rd_pkindex */
    return table->rd_pkindex;
}

void
lmtext_name_read(const char *schema, const char *model, lmtext_name_row *row)
{
    Relation table = table_open(lmtext_relation_oid("model_name"), AccessShareLock);

    scan_names(table, primary_key(table), schema, model, row);
    table_close(table, AccessShareLock);
}

/* The same without waiting: false where somebody keeps readers out of the table. */
static bool
name_peek(const char *schema, const char *model, lmtext_name_row *row)
{
    Oid relid = lmtext_relation_oid("model_name"), index;
    Relation table;

    if (!ConditionalLockRelationOid(relid, AccessShareLock))
        return false;
    table = table_open(relid, NoLock);
    index = primary_key(table);
    if (OidIsValid(index) && !ConditionalLockRelationOid(index, AccessShareLock))
        index = InvalidOid;
    scan_names(table, index, schema, model, row);
    if (OidIsValid(index))
        UnlockRelationOid(index, AccessShareLock);
    table_close(table, AccessShareLock);
    return true;
}

/* The deployed version of a row, where its table is gone; else NULL. */
static char *
dangling_name(HeapTuple tuple, TupleDesc columns)
{
    const char *schema, *model;
    Datum deployed;
    Oid namespace;
    bool null;

    schema = NameStr(*DatumGetName(heap_getattr(tuple, ANUM_NAME_SCHEMA, columns, &null)));
    model = NameStr(*DatumGetName(heap_getattr(tuple, ANUM_NAME_MODEL, columns, &null)));
    deployed = heap_getattr(tuple, ANUM_NAME_DEPLOYED, columns, &null);
    if (null)
        return NULL;
    namespace = get_namespace_oid(schema, true);
    if (OidIsValid(namespace) &&
        OidIsValid(lmtext_name_version(namespace, model, DatumGetInt32(deployed))))
        return NULL;
    return psprintf("%s.%s@%d", schema, model, DatumGetInt32(deployed));
}

List *
lmtext_names_dangling(void)
{
    Oid relid = lmtext_relation_oid("model_name");
    List *names = NIL;
    Snapshot snapshot;
    Relation table;
    SysScanDesc scan;
    HeapTuple tuple;

    if (!ConditionalLockRelationOid(relid, AccessShareLock))
        return NIL;
    table = table_open(relid, NoLock);
    snapshot = lmtext_read_snapshot();
    scan = systable_beginscan(table, InvalidOid, false, snapshot, 0, NULL);
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        char *name = dangling_name(tuple, RelationGetDescr(table));

        if (name != NULL)
            names = lappend(names, name);
    }
    systable_endscan(scan);
    UnregisterSnapshot(snapshot);
    table_close(table, AccessShareLock);
    return names;
}

/* ---- What is there ---- */
/*
 * The versions of a name are found in pg_class rather than counted from model_name: versions come
 * by restores and go by DROP TABLE without asking this library.
 */

/* A range of pg_class' index on names: ':' follows '9'. */
List *
lmtext_name_versions(Oid schema, const char *model)
{
    Relation classes = table_open(RelationRelationId, AccessShareLock);
    Oid type = model_part_type();
    List *versions = NIL;
    NameData low, high;
    ScanKeyData keys[3];
    SysScanDesc scan;
    HeapTuple tuple;

    snprintf(NameStr(low), NAMEDATALEN, "%s@", model);
    snprintf(NameStr(high), NAMEDATALEN, "%s@:", model);
    ScanKeyInit(&keys[0], Anum_pg_class_relname, BTGreaterEqualStrategyNumber, F_NAMEGE,
                NameGetDatum(&low));
    ScanKeyInit(&keys[1], Anum_pg_class_relname, BTLessStrategyNumber, F_NAMELT,
                NameGetDatum(&high));
    ScanKeyInit(&keys[2], Anum_pg_class_relnamespace, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(schema));
    scan = systable_beginscan(classes, ClassNameNspIndexId, true, NULL, 3, keys);
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        Form_pg_class class = (Form_pg_class)GETSTRUCT(tuple);
        lmtext_version_ref *ref = palloc(sizeof(*ref));
        char name[NAMEDATALEN];

        ref->relid = class->oid;
        if (class->relkind == RELKIND_RELATION && class->reloftype == type &&
            lmtext_name_split(NameStr(class->relname), name, &ref->version))
            versions = lappend(versions, ref);
    }
    systable_endscan(scan);
    table_close(classes, AccessShareLock);
    return versions;
}

Oid
lmtext_schema_oid(void)
{
    return get_namespace_oid("lmtext", false);
}

/* Only the extension can have made what is in its schema. */
Oid
lmtext_relation_oid(const char *name)
{
    Oid relid = get_relname_relid(name, lmtext_schema_oid());

    if (!OidIsValid(relid))
        elog(ERROR, "relation lmtext.%s is missing", name);
    return relid;
}

/*
 * InvalidOid when the extension is gone. A syscache look-up; an OID that was kept would outlive
 * DROP EXTENSION.
 */
static Oid
model_part_type(void)
{
    return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("model_part"),
                           ObjectIdGetDatum(lmtext_schema_oid()));
}

/* ---- Privileges ---- */
/*
 * SELECT on the column file is the privilege to use a version. It is a privilege that tables have
 * anyway, so GRANT, pg_dump and information_schema know it; the other columns say
 * who may copy the weights. Checked here, since scans do not check, of the role that is current:
 * inside a SECURITY DEFINER function or an index build that is another role than the session's.
 */

/*
 * Of what is asked often, the row of pg_class is looked up once. A temporary table is no version:
 * neither other sessions, whose lists would fail, nor parallel workers can read it.
 */
static bool
class_is_model(HeapTuple tuple)
{
    Form_pg_class class;

    if (!HeapTupleIsValid(tuple))
        return false;
    class = (Form_pg_class)GETSTRUCT(tuple);
    return class->relkind == RELKIND_RELATION && class->relpersistence != RELPERSISTENCE_TEMP &&
           OidIsValid(class->reloftype) && class->reloftype == model_part_type();
}

/* The type of the table decides, not its name: names can be chosen by anybody. */
bool
lmtext_catalog_is_model(Oid relid)
{
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
    bool result = class_is_model(tuple);

    if (HeapTupleIsValid(tuple))
        ReleaseSysCache(tuple);
    return result;
}

/*
 * A grant on the table includes its columns, which PostgreSQL leaves to the caller to know. Lists
 * ask without a lock: a table that is dropped meanwhile may not be used, and is no error.
 */
bool
lmtext_catalog_may_use(Oid relid, Oid role)
{
    bool missing = false;
    AttrNumber file;

    if (pg_class_aclcheck_ext(relid, role, ACL_SELECT, &missing) == ACLCHECK_OK)
        return true;
    file = get_attnum(relid, "file");
    return file != InvalidAttrNumber &&
           pg_attribute_aclcheck_ext(relid, file, role, ACL_SELECT, &missing) == ACLCHECK_OK;
}

int
lmtext_catalog_grant_hint(Oid relid, Oid role)
{
    const char *name = quote_identifier(GetUserNameFromId(role, false));

    return errhint("Its owner can let the role use it: SELECT lmtext.grant_model(%s, %s);",
                   quote_literal_cstr(lmtext_catalog_call_name(relid, true)),
                   quote_literal_cstr(name));
}

/* The caller needs the version; its owner needs the base, as the owner of a view its tables. */
void
lmtext_catalog_check_use(Oid relid)
{
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
    Oid owner, base;

    if (!class_is_model(tuple)) {
        char *name = get_rel_name(relid);

        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        name ? errmsg("relation \"%s\" is not a model version", name)
                             : errmsg("model version with OID %u does not exist", relid)));
    }
    owner = ((Form_pg_class)GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);
    if (!lmtext_catalog_may_use(relid, GetUserId()))
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                 errmsg("permission denied for model \"%s\"", lmtext_catalog_display_name(relid)),
                 lmtext_catalog_grant_hint(relid, GetUserId())));
    base = lmtext_catalog_base(relid);
    if (OidIsValid(base) && !lmtext_catalog_may_use(base, owner))
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                 errmsg("permission denied for model \"%s\"", lmtext_catalog_display_name(base)),
                 errdetail("The owner of \"%s\", which is built on it, may not use it.",
                           lmtext_catalog_display_name(relid)),
                 lmtext_catalog_grant_hint(base, owner)));
}

/* ---- Bases ---- */
/*
 * The base is a column default for what PostgreSQL does with defaults: it records what they depend
 * on, follows renames, and dumps them as text that names the table. A value in a row would be none
 * of that. Only a plain constant is taken; an expression would be code of the owner.
 */

/* The regclass that a default expression holds, or InvalidOid. */
static Oid
default_regclass(const char *expression)
{
    Node *node = stringToNode(expression);

    return IsA(node, Const) && ((Const *)node)->consttype == REGCLASSOID
               ? DatumGetObjectId(((Const *)node)->constvalue)
               : InvalidOid;
}

/* From the relation cache, which has defaults as node trees. */
Oid
lmtext_table_base(Relation table)
{
    TupleDesc columns = RelationGetDescr(table);
    TupleConstr *constraints = columns->constr;
    Oid base = InvalidOid;

    for (int i = 0; constraints != NULL && i < constraints->num_defval; i++) {
        AttrDefault *value = &constraints->defval[i];
        Form_pg_attribute column = TupleDescAttr(columns, value->adnum - 1);

        if (strcmp(NameStr(column->attname), "base") == 0)
            base = default_regclass(value->adbin);
    }
    return base;
}

Oid
lmtext_catalog_base(Oid relid)
{
    Relation table = table_open(relid, AccessShareLock);
    Oid base = lmtext_table_base(table);

    table_close(table, NoLock);
    return base;
}

/* For people: not quoted, with the schema only where it is needed. */
char *
lmtext_catalog_display_name(Oid relid)
{
    char *name = get_rel_name(relid);

    if (name == NULL)
        return psprintf("%u", relid);
    if (RelationIsVisible(relid))
        return name;
    return psprintf("%s.%s", get_namespace_name(get_rel_namespace(relid)), name);
}

/* The "@" alone needs no quotes. */
char *
lmtext_catalog_call_name(Oid relid, bool with_version)
{
    char *relation = get_rel_name(relid);
    char model[NAMEDATALEN];
    const char *shown;
    int version;

    if (relation == NULL)
        return psprintf("%u", relid);
    shown = quote_identifier(relation);
    if (lmtext_name_split(relation, model, &version)) {
        bool plain = quote_identifier(model) == model;

        if (!with_version)
            shown = quote_identifier(model);
        else if (plain)
            shown = relation;
    }
    if (RelationIsVisible(relid))
        return pstrdup(shown);
    return psprintf("%s.%s", quote_identifier(get_namespace_name(get_rel_namespace(relid))), shown);
}

/* Dropped meanwhile counts as a name without number. */
bool
lmtext_catalog_version_of(Oid relid, char *model, int *version)
{
    char *relation = get_rel_name(relid);

    return relation != NULL && lmtext_name_split(relation, model, version);
}

bool
lmtext_catalog_peek_deployed(Oid relid, const char *model, int version, bool *deployed)
{
    char *schema = get_namespace_name(get_rel_namespace(relid));
    lmtext_name_row row;

    if (schema == NULL || !name_peek(schema, model, &row))
        return false;
    *deployed = row.deployed == version;
    return true;
}

/* Locks of tables that are only named are not waited for, so that what is found may go. */
Oid
lmtext_catalog_peek(const char *name)
{
    lmtext_name parsed;
    ListCell *cell;

    lmtext_name_parse(name, &parsed);
    if (parsed.version > 0) {
        RangeVar *table = makeRangeVar(parsed.schema, parsed.relation, -1);
        Oid relid = RangeVarGetRelid(table, NoLock, true);

        return OidIsValid(relid) && lmtext_catalog_is_model(relid) ? relid : InvalidOid;
    }
    foreach (cell, name_schemas(&parsed)) {
        char *schema = get_namespace_name(lfirst_oid(cell));
        lmtext_name_row row;

        if (schema != NULL && name_peek(schema, parsed.model, &row) && row.deployed > 0)
            return lmtext_name_version(lfirst_oid(cell), parsed.model, row.deployed);
    }
    return InvalidOid;
}
