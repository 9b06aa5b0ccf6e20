/*
 * kept.c - which versions a column's vectors are of; the contract is in kept.h.
 *
 * Laws: relation cache, system caches and scans of the extension's own tables, never SPI, as in
 * catalog/names.c. A job of one version has vectors of that, once it has any. One that follows a
 * model's deployment has those of its last run that ended, and of runs that have begun since with
 * another version; a server that knows no run (they are not dumped) asks the first rows of the
 * table of work. A job has its own target, and those of its option "also", whose versions stand
 * beside that of its own one in the same order.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "nodes/nodeFuncs.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "pg/catalog/names.h"
#include "pg/glue/try.h"
#include "pg/service/entry.h"
#include "pg/service/kept.h"

#define RUNS_READ 200  /* of all jobs; where a job's are further back, its rows are asked */
#define ROWS_READ 1000 /* of a table of work */

/* ---- Names ---- */

typedef struct inquiry {
    const char *name;
    Oid a, b;
    bool pinned, differ;
} inquiry;

/* What fails here fails again when it is used, and is reported then. */
static void
ask(void (*look)(void *argument), inquiry *asked)
{
    MemoryContext caller = CurrentMemoryContext;
    MemoryContext memory = AllocSetContextCreate(caller, "lmtext kept", ALLOCSET_SMALL_SIZES);
    ErrorData *error;

    MemoryContextSwitchTo(memory);
    error = lmtext_try(look, asked);
    MemoryContextSwitchTo(caller);
    if (error != NULL)
        *asked = (inquiry){0};
    MemoryContextDelete(memory);
}

static void
find_name(void *argument)
{
    inquiry *asked = argument;
    lmtext_name parsed;

    lmtext_name_parse(asked->name, &parsed);
    asked->pinned = parsed.version > 0;
    asked->a = lmtext_catalog_peek(asked->name);
}

Oid
lmtext_kept_named(const char *name)
{
    inquiry asked = {.name = name};

    ask(find_name, &asked);
    return asked.a;
}

static void
compare_digests(void *argument)
{
    inquiry *asked = argument;
    lmtext_peek outcome;
    const lmtext_manifest *a = lmtext_manifest_peek(asked->a, NULL, &outcome);
    const lmtext_manifest *b = lmtext_manifest_peek(asked->b, NULL, &outcome);

    asked->differ = a != NULL && b != NULL && memcmp(&a->digest, &b->digest, sizeof a->digest) != 0;
}

bool
lmtext_kept_same(Oid a, Oid b)
{
    inquiry asked = {.a = a, .b = b};

    if (a != b)
        ask(compare_digests, &asked);
    return !asked.differ;
}

/* Of an extension that is older than this library a table may be missing. */
static Oid
own_table(const char *name)
{
    Oid schema = get_namespace_oid("lmtext", true);

    return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
}

List *
lmtext_kept_sources(void)
{
    static const char *const names[] = {"model_name", "job"};
    List *tables = NIL;

    for (int i = 0; i < lengthof(names); i++) {
        Oid table = own_table(names[i]);

        if (OidIsValid(table))
            tables = lappend_oid(tables, table);
    }
    return tables;
}

/* Each version of a kind of keeper once. */
static List *
add(List *kept, Oid version, lmtext_column_version keeper)
{
    lmtext_column_version *one;
    ListCell *cell;

    if (!OidIsValid(version))
        return kept;
    foreach (cell, kept) {
        one = lfirst(cell);
        if (one->version == version && one->keeper == keeper.keeper)
            return kept;
    }
    one = palloc(sizeof(*one));
    *one = keeper;
    one->version = version;
    return lappend(kept, one);
}

/* ---- Triggers and generated columns ---- */

/* By its symbol: a wrapper of the user's may have any name. */
static const lmtext_entry *
entry_of(Oid function)
{
    HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    const lmtext_entry *entry = NULL;
    bool is_null;

    if (!HeapTupleIsValid(tuple))
        return NULL;
    if (((Form_pg_proc)GETSTRUCT(tuple))->prolang == ClanguageId) {
        Datum source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &is_null);

        entry = is_null ? NULL : lmtext_entry_find(TextDatumGetCString(source));
    }
    ReleaseSysCache(tuple);
    return entry;
}

/* embed_trigger('text', 'vector', 'model@version'): the third argument is looked up near the table.
 */
static Oid
trigger_version(Relation table, const Trigger *trigger, const char *column)
{
    const lmtext_entry *entry;
    char model[NAMEDATALEN];
    int version;

    if (trigger->tgenabled == TRIGGER_DISABLED || trigger->tgnargs < 3 ||
        strcmp(trigger->tgargs[1], column) != 0)
        return InvalidOid;
    entry = entry_of(trigger->tgfoid);
    if (entry == NULL || strcmp(entry->name, "embed_trigger") != 0)
        return InvalidOid;
    return lmtext_name_split(trigger->tgargs[2], model, &version)
               ? lmtext_name_near(trigger->tgargs[2], RelationGetRelid(table))
               : lmtext_kept_named(trigger->tgargs[2]);
}

static List *
add_triggers(List *kept, Relation table, const char *column)
{
    const TriggerDesc *triggers = table->trigdesc;

    for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++) {
        const Trigger *trigger = &triggers->triggers[i];

        kept = add(kept, trigger_version(table, trigger, column),
                   (lmtext_column_version){.keeper = LMTEXT_KEPT_TRIGGER,
                                           .name = pstrdup(trigger->tgname)});
    }
    return kept;
}

/* A call that is pinned to a version; others cannot be in a generated column. */
static bool
find_pinned(Node *node, void *found)
{
    const lmtext_entry *entry;
    Const *version;
    ListCell *cell;

    if (node == NULL)
        return false;
    if (!IsA(node, FuncExpr))
        return expression_tree_walker(node, find_pinned, found);
    entry = entry_of(((FuncExpr *)node)->funcid);
    if (entry == NULL || entry->task == NULL || strcmp(entry->task, "embedding") != 0 ||
        entry->texts != 1)
        return expression_tree_walker(node, find_pinned, found);
    foreach (cell, ((FuncExpr *)node)->args) {
        version = lfirst(cell);
        if (IsA(version, NamedArgExpr))
            version = (Const *)((NamedArgExpr *)version)->arg;
        if (IsA(version, Const) && version->consttype == REGCLASSOID && !version->constisnull)
            *(Oid *)found = DatumGetObjectId(version->constvalue);
    }
    return true;
}

static List *
add_generated(List *kept, Relation table, AttrNumber column)
{
    const TupleConstr *constraints = RelationGetDescr(table)->constr;
    Oid version = InvalidOid;

    if (TupleDescAttr(RelationGetDescr(table), column - 1)->attgenerated == '\0')
        return kept;
    for (int i = 0; i < constraints->num_defval; i++)
        if (constraints->defval[i].adnum == column)
            (void)find_pinned(stringToNode(constraints->defval[i].adbin), &version);
    return add(kept, version, (lmtext_column_version){.keeper = LMTEXT_KEPT_GENERATED});
}

/* ---- Jobs ---- */

/* A column by its name: columns that later versions of the extension add do not matter. */
static Datum
field(HeapTuple tuple, Relation table, const char *name, bool *is_null)
{
    AttrNumber number = get_attnum(RelationGetRelid(table), name);

    *is_null = true;
    return number > 0 ? heap_getattr(tuple, number, RelationGetDescr(table), is_null) : (Datum)0;
}

static Oid
oid_field(HeapTuple tuple, Relation table, const char *name)
{
    bool is_null;
    Datum value = field(tuple, table, name, &is_null);

    return is_null ? InvalidOid : DatumGetObjectId(value);
}

/* A column of what a job writes: its place is 0 for the job's own, and from 1 on among the others.
 */
typedef struct job_target {
    const char *task, *model;
    int place;
} job_target;

/* The version that a run, or a row of work, has for a target. */
static Oid
version_field(HeapTuple tuple, Relation table, const job_target *target)
{
    int place = target->place;
    bool is_null;
    Datum value;

    if (place == 0)
        return oid_field(tuple, table, "model");
    value = field(tuple, table, "also", &is_null);
    if (!is_null)
        value = array_get_element(value, 1, &place, -1, sizeof(Oid), true, TYPALIGN_INT, &is_null);
    return is_null ? InvalidOid : DatumGetObjectId(value);
}

static char *
text_field(HeapTuple tuple, Relation table, const char *name)
{
    bool is_null;
    Datum value = field(tuple, table, name, &is_null);

    return is_null ? pstrdup("") : TextDatumGetCString(value);
}

/* Versions in the first rows of a table of work; it may be gone, or busy. */
static List *
add_rows(List *kept, Oid work, const job_target *target, lmtext_column_version job)
{
    Relation table;
    Snapshot snapshot;
    SysScanDesc scan;
    HeapTuple row;
    int read = 0;

    if (!ConditionalLockRelationOid(work, AccessShareLock))
        return kept;
    table = try_table_open(work, NoLock);
    if (table == NULL) {
        UnlockRelationOid(work, AccessShareLock);
        return kept;
    }
    snapshot = lmtext_read_snapshot();
    scan = systable_beginscan(table, InvalidOid, false, snapshot, 0, NULL);
    while (read++ < ROWS_READ && HeapTupleIsValid(row = systable_getnext(scan)))
        kept = add(kept, version_field(row, table, target), job);
    systable_endscan(scan);
    UnregisterSnapshot(snapshot);
    table_close(table, AccessShareLock);
    return kept;
}

/* Has a run made vectors, as far as it got? */
static bool
has_done(HeapTuple run, Relation table)
{
    bool is_null;
    Datum done = field(run, table, "done", &is_null);

    return strcmp(text_field(run, table, "status"), "running") == 0 ||
           (!is_null && DatumGetInt64(done) > 0);
}

/* After a run that is done all rows are of its version; those of its workers say the same. */
static bool
is_whole(HeapTuple run, Relation table)
{
    bool is_null;

    (void)field(run, table, "parent", &is_null);
    return is_null && strcmp(text_field(run, table, "status"), "done") == 0;
}

/* From the newest run of a job back to one that was done; false: none was met. */
static bool
add_runs(List **kept, Relation runs, Relation index, Oid work, const job_target *target,
         lmtext_column_version job)
{
    Snapshot snapshot = lmtext_read_snapshot();
    SysScanDesc scan = systable_beginscan_ordered(runs, index, snapshot, 0, NULL);
    bool whole = false;
    HeapTuple run;

    for (int read = 0; !whole && read < RUNS_READ; read++) {
        run = systable_getnext_ordered(scan, BackwardScanDirection);
        if (!HeapTupleIsValid(run))
            break;
        if (oid_field(run, runs, "work") != work)
            continue;
        whole = is_whole(run, runs);
        if (whole || has_done(run, runs))
            *kept = add(*kept, version_field(run, runs, target), job);
    }
    systable_endscan_ordered(scan);
    UnregisterSnapshot(snapshot);
    return whole;
}

/* What a job has made so far. */
static List *
add_made(List *kept, Oid work, const job_target *target, lmtext_column_version job)
{
    Oid ledger = own_table("job_run"), index = own_table("job_run_pkey");
    bool known = false;

    if (OidIsValid(ledger) && OidIsValid(index)) {
        Relation runs = table_open(ledger, AccessShareLock);
        Relation order = index_open(index, AccessShareLock);

        known = add_runs(&kept, runs, order, work, target, job);
        index_close(order, AccessShareLock);
        table_close(runs, AccessShareLock);
    }
    return known ? kept : add_rows(kept, work, target, job);
}

/* Tasks whose results are compared as vectors. */
static bool
embeds(const char *task)
{
    return strncmp(task, "embed", strlen("embed")) == 0;
}

static List *
add_job(List *kept, HeapTuple job, Relation jobs, const job_target *target)
{
    Oid work = oid_field(job, jobs, "work");
    inquiry asked = {.name = target->model};
    lmtext_column_version keeper = {.name = text_field(job, jobs, "name")};
    List *made;

    if (!embeds(target->task) || get_rel_name(work) == NULL)
        return kept;
    ask(find_name, &asked);
    keeper.keeper = asked.pinned ? LMTEXT_KEPT_JOB : LMTEXT_KEPT_FOLLOWING;
    keeper.next = asked.a;
    made = add_made(asked.pinned ? NIL : kept, work, target, keeper);
    if (!asked.pinned)
        return made;
    return made != NIL ? add(kept, asked.a, keeper) : kept;
}

/* Of an object that create_job has written: its members are strings. */
static const char *
string_member(const JsonbValue *object, const char *name)
{
    JsonbValue key = {.type = jbvString,
                      .val.string = {.len = (int)strlen(name), .val = unconstify(char *, name)}};
    const JsonbValue *value =
        findJsonbValueFromContainer(object->val.binary.data, JB_FOBJECT, &key);

    return value != NULL && value->type == jbvString
               ? pnstrdup(value->val.string.val, value->val.string.len)
               : "";
}

/* The other targets of a job: is the column one of them? */
static bool
find_other(HeapTuple job, Relation jobs, const char *column, job_target *target)
{
    bool is_null;
    Datum options = field(job, jobs, "options", &is_null);
    JsonbValue key = {.type = jbvString,
                      .val.string = {.len = (int)strlen("also"), .val = (char[]){"also"}}};
    JsonbValue *also =
        findJsonbValueFromContainer(&DatumGetJsonbP(options)->root, JB_FOBJECT, &key);

    if (also == NULL || also->type != jbvBinary)
        return false;
    for (uint32 i = 0; i < JsonContainerSize(also->val.binary.data); i++) {
        const JsonbValue *one = getIthJsonbValueFromContainer(also->val.binary.data, i);

        if (strcmp(string_member(one, "target"), column) != 0)
            continue;
        *target = (job_target){string_member(one, "task"), string_member(one, "model"), (int)i + 1};
        return true;
    }
    return false;
}

/* The target that a column of one of the tables is of a job. */
static bool
find_target(HeapTuple job, Relation jobs, const List *tables, const char *column,
            job_target *target)
{
    bool is_null;
    Datum own = field(job, jobs, "target_column", &is_null);

    if (is_null || !list_member_oid(tables, oid_field(job, jobs, "target")))
        return false;
    if (strcmp(NameStr(*DatumGetName(own)), column) != 0)
        return find_other(job, jobs, column, target);
    *target = (job_target){text_field(job, jobs, "task"), text_field(job, jobs, "model"), 0};
    return true;
}

static List *
add_jobs(List *kept, const List *tables, const char *column)
{
    Oid ledger = own_table("job");
    Relation jobs;
    Snapshot snapshot;
    SysScanDesc scan;
    HeapTuple job;
    job_target target;

    if (!OidIsValid(ledger))
        return kept;
    jobs = table_open(ledger, AccessShareLock);
    snapshot = lmtext_read_snapshot();
    scan = systable_beginscan(jobs, InvalidOid, false, snapshot, 0, NULL);
    while (HeapTupleIsValid(job = systable_getnext(scan)))
        if (find_target(job, jobs, tables, column, &target))
            kept = add_job(kept, job, jobs, &target);
    systable_endscan(scan);
    UnregisterSnapshot(snapshot);
    table_close(jobs, AccessShareLock);
    return kept;
}

/* ---- The answer ---- */

/* A job works on the partitioned table above. */
List *
lmtext_kept_versions(Oid relation, AttrNumber column)
{
    Relation table = try_table_open(relation, NoLock);
    List *kept = NIL, *tables;
    const char *name;

    if (table == NULL)
        return NIL;
    name = NameStr(TupleDescAttr(RelationGetDescr(table), column - 1)->attname);
    tables = list_make1_oid(relation);
    if (table->rd_rel->relispartition)
        tables = list_concat(tables, get_partition_ancestors(relation));
    kept = add_generated(kept, table, column);
    kept = add_triggers(kept, table, name);
    kept = add_jobs(kept, tables, name);
    table_close(table, NoLock);
    return kept;
}
