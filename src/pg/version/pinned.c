/*
 * pinned.c - what goes on with the version that it names when another one is deployed: generated
 * columns and indexes, which PostgreSQL knows by pg_depend, and triggers, whose arguments are text.
 *
 * Laws: this is for a NOTICE. It waits for no lock and raises no error because of what others wrote
 * into their triggers.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "pg/catalog/names.h"
#include "pg/version/version.h"

/* Lines of the list; more are counted. */
#define LINES_MAX 20

typedef struct pinned_list {
    Oid schema;
    const char *model;
    int deployed;
    int version; /* whose dependents are looked at */
    int count;
    StringInfoData lines;
} pinned_list;

typedef void (*dependent_visitor)(pinned_list *list, const ObjectAddress *dependent);
static void visit_dependents(Oid class, Oid object, dependent_visitor visit, pinned_list *list);
static void add_dependent(pinned_list *list, const ObjectAddress *dependent);
static void add_trigger(pinned_list *list, const ObjectAddress *dependent);

void
lmtext_pinned_notice(Oid schema, const char *model, int deployed)
{
    pinned_list list = {.schema = schema, .model = model, .deployed = deployed};
    Oid function = GetSysCacheOid3(
        PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum("embed_trigger"),
        PointerGetDatum(buildoidvector(NULL, 0)), ObjectIdGetDatum(lmtext_schema_oid()));
    ListCell *cell;

    initStringInfo(&list.lines);
    foreach (cell, lmtext_name_versions(schema, model)) {
        const lmtext_version_ref *version = lfirst(cell);

        list.version = version->version;
        if (version->version != deployed)
            visit_dependents(RelationRelationId, version->relid, add_dependent, &list);
    }
    visit_dependents(ProcedureRelationId, function, add_trigger, &list);
    if (list.count > LINES_MAX)
        appendStringInfo(&list.lines, "\nand %d more", list.count - LINES_MAX);
    if (list.count > 0)
        ereport(NOTICE, (errmsg_plural("%d object is pinned to another version of model \"%s\"",
                                       "%d objects are pinned to other versions of model \"%s\"",
                                       list.count, list.count, model),
                         errdetail_internal("%s", list.lines.data),
                         errhint("They keep using the version that they name.")));
}

static void
add_line(pinned_list *list, const char *what, int version)
{
    if (what == NULL || list->count++ >= LINES_MAX)
        return;
    appendStringInfo(&list->lines, "%s%s: version %d", list->count > 1 ? "\n" : "", what, version);
}

/* What pg_depend knows to depend on an object as a whole or on one of its columns. */
static void
visit_dependents(Oid class, Oid object, dependent_visitor visit, pinned_list *list)
{
    Relation depend = table_open(DependRelationId, AccessShareLock);
    ScanKeyData keys[2];
    SysScanDesc scan;
    HeapTuple tuple;

    ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(class));
    ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(object));
    scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, 2, keys);
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        Form_pg_depend row = (Form_pg_depend)GETSTRUCT(tuple);
        ObjectAddress dependent = {row->classid, row->objid, row->objsubid};

        if (row->deptype == DEPENDENCY_NORMAL || row->deptype == DEPENDENCY_AUTO)
            visit(list, &dependent);
    }
    systable_endscan(scan);
    table_close(depend, AccessShareLock);
}

/* Indexes of other tables, and columns: not the version's own key, nor heads built on it. */
static void
add_dependent(pinned_list *list, const ObjectAddress *dependent)
{
    ObjectAddress object = *dependent;
    char kind;

    if (object.classId == AttrDefaultRelationId)
        object = GetAttrDefaultColumnAddress(object.objectId);
    if (object.classId != RelationRelationId || !OidIsValid(object.objectId) ||
        lmtext_catalog_is_model(object.objectId))
        return;
    kind = get_rel_relkind(object.objectId);
    if (object.objectSubId != 0 || kind == RELKIND_INDEX || kind == RELKIND_PARTITIONED_INDEX)
        add_line(list, getObjectDescription(&object, true), list->version);
}

/* The third argument of a trigger; arguments are strings one after the other. NULL: fewer. */
static const char *
model_argument(Form_pg_trigger trigger, bytea *arguments)
{
    const char *at = VARDATA_ANY(arguments), *end = at + VARSIZE_ANY_EXHDR(arguments);

    for (int i = 0; i < 2 && at < end && trigger->tgnargs > 2; i++)
        at += strnlen(at, end - at) + 1;
    return trigger->tgnargs > 2 && at < end ? at : NULL;
}

/* Which version of the model a trigger on a table names, or 0. Nothing here raises an error. */
static int
version_named(const pinned_list *list, const char *argument, Oid table)
{
    char *copy = pstrdup(argument), *relation;
    char model[NAMEDATALEN];
    List *names = NIL;
    int version = 0;

    if (!SplitIdentifierString(copy, '.', &names) || names == NIL || list_length(names) > 2)
        return 0;
    relation = llast(names);
    if (!lmtext_name_split(relation, model, &version) || strcmp(model, list->model) != 0)
        return 0;
    if (list_length(names) == 2)
        return get_namespace_oid(linitial(names), true) == list->schema ? version : 0;
    return lmtext_name_near(relation, table) ==
                   lmtext_name_version(list->schema, list->model, version)
               ? version
               : 0;
}

static void
add_trigger_row(pinned_list *list, Relation triggers, HeapTuple tuple, const ObjectAddress *object)
{
    Form_pg_trigger trigger = (Form_pg_trigger)GETSTRUCT(tuple);
    bool null;
    Datum arguments =
        heap_getattr(tuple, Anum_pg_trigger_tgargs, RelationGetDescr(triggers), &null);
    const char *argument = null ? NULL : model_argument(trigger, DatumGetByteaPP(arguments));
    int version = argument != NULL ? version_named(list, argument, trigger->tgrelid) : 0;
    Oid relid = version > 0 ? lmtext_name_version(list->schema, list->model, version) : InvalidOid;

    if (OidIsValid(relid) && version != list->deployed)
        add_line(list, getObjectDescription(object, true), version);
}

/* A trigger that calls lmtext.embed_trigger. */
static void
add_trigger(pinned_list *list, const ObjectAddress *dependent)
{
    Relation triggers;
    ScanKeyData key;
    SysScanDesc scan;
    HeapTuple tuple;

    if (dependent->classId != TriggerRelationId)
        return;
    triggers = table_open(TriggerRelationId, AccessShareLock);
    ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(dependent->objectId));
    scan = systable_beginscan(triggers, TriggerOidIndexId, true, NULL, 1, &key);
    tuple = systable_getnext(scan);
    if (HeapTupleIsValid(tuple))
        add_trigger_row(list, triggers, tuple, dependent);
    systable_endscan(scan);
    table_close(triggers, AccessShareLock);
}
